//! The real window, driven as a person would.

use anyhow::Result;
use artel_tests::{
    skip,
    window::{self, Size, Window},
};

const SIZE: Size = Size {
    width: 1280,
    height: 800,
};

/// The window, or a word about why there is none.
fn open(name: &str, home: &std::path::Path) -> Result<Option<Window>> {
    if let Some(reason) = window::missing() {
        skip(name, &reason);
        return Ok(None);
    }
    Window::open(home, SIZE).map(Some)
}

/// The page has no way to the shell but the one that was built for it.
#[test]
fn the_page_is_shown_and_shut_in() -> Result<()> {
    let place = tempfile::tempdir()?;
    let Some(window) = open("the_page_is_shown_and_shut_in", place.path())? else {
        return Ok(());
    };
    window.find("#app *")?;
    window.picture("first-run")?;
    assert_eq!(
        window.script("return typeof window.__TAURI__")?,
        "undefined"
    );
    let evaluated =
        window.script("try { return new Function('return 1')() } catch { return 'refused' }")?;
    assert_eq!(evaluated, "refused", "the policy allows eval");
    window.close()
}
