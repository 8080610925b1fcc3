//! The real window, driven as a person would.

use std::{fs, net::TcpListener, path::Path, time::Duration};

use anyhow::Result;
use artel_tests::{
    samples, skip,
    window::{self, Size, Window},
};

const SIZE: Size = Size {
    width: 1280,
    height: 800,
};

/// How long work in the window may take on a slow machine without a graphics driver.
const PATIENCE: Duration = Duration::from_mins(1);

/// The Enter key.
const ENTER: &str = "\u{E007}";

/// The window, or a word about why there is none.
fn open(name: &str, home: &Path) -> Result<Option<Window>> {
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
    window.part("first-run")?;
    assert_eq!(
        window.script("return typeof window.__TAURI__")?,
        "undefined"
    );
    let evaluated =
        window.script("try { return new Function('return 1')() } catch { return 'refused' }")?;
    assert_eq!(evaluated, "refused", "the policy allows eval");
    // A listener on this machine stands for the outside: no connection may reach it.
    let outside = TcpListener::bind(("127.0.0.1", 0))?;
    outside.set_nonblocking(true)?;
    let address = format!("http://{}/", outside.local_addr()?);
    window.script(&format!(
        "fetch('{address}').catch(() => null); new Image().src = '{address}'; return null"
    ))?;
    window.script(&format!("location.href = '{address}'; return null"))?;
    std::thread::sleep(Duration::from_secs(1));
    window.part("first-run")?;
    assert!(outside.accept().is_err(), "the page reached the outside");
    window.close()
}

/// Make a profile, make a space, send a message, work through a folder, see a chart, look at the machine.
#[test]
fn a_first_day() -> Result<()> {
    let place = tempfile::tempdir()?;
    let Some(window) = open("a_first_day", &place.path().join("home"))? else {
        return Ok(());
    };
    let at = |name: &str| place.path().join(name);
    let text = |name: &str| at(name).to_string_lossy().into_owned();

    window.part("first-run-name")?.write("Анна Петренко")?;
    window
        .part("first-run-passphrase")?
        .write("correct horse battery staple")?;
    window.part("first-run-create")?.click()?;
    window.part("recovery-done")?.click()?;

    window.part("empty-new-space")?.click()?;
    window.part("space-name-input")?.write("Class 7B")?;
    window.part("dialog-confirm")?.click()?;
    for message in ["Good morning!", "Доброго ранку, починаємо о дев’ятій."]
    {
        window.part("composer")?.write(message)?;
        window.part("send")?.click()?;
        window.shows("[data-testid=message-text]", message, PATIENCE)?;
    }

    samples::pictures(&at("Фото класса"), 6, 900, 600)?;
    fs::write(at("Фото класса").join("letter.jpg"), "no picture")?;
    window.part("rail-images")?.click()?;
    window
        .part("drop-images-path")?
        .write(&format!("{}{ENTER}", text("Фото класса")))?;
    window.part("images-input")?;
    let out = window.part("images-out")?;
    out.clear()?;
    out.write(&text("Готово"))?;
    window.part("images-start")?.click()?;
    let pictures = || {
        let entries = fs::read_dir(at("Готово")).ok()?;
        let names = entries
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned());
        Some(names.filter(|name| name.starts_with("снимок")).count())
    };
    window.until("six pictures", PATIENCE, || {
        Ok((pictures() == Some(6)).then_some(()))
    })?;
    window.find_within("[data-testid=batch-view]", PATIENCE)?;
    window.until("a thumbnail that is drawn", PATIENCE, || {
        let drawn = window.script(
            "return [...document.querySelectorAll('[data-testid=thumbnail] img')].filter((img) => img.naturalWidth > 0).length",
        )?;
        Ok(drawn.as_u64().filter(|count| *count > 0))
    })?;
    window.part("tab-failed")?.click()?;
    window.shows("[data-testid=failed-item]", "letter.jpg", PATIENCE)?;

    samples::prices(&at("WANDER.csv"), 600, 1)?;
    window.part("rail-market")?.click()?;
    window
        .part("drop-market-path")?
        .write(&format!("{}{ENTER}", text("WANDER.csv")))?;
    window.shows("[data-testid=series]", "WANDER", PATIENCE)?;
    window.part("chart")?;
    window.until("candles", PATIENCE, || {
        let inked = window.script(
            "return [...document.querySelectorAll('[data-testid=chart] canvas')].some((canvas) => {
               if (!canvas.width || !canvas.height) return false;
               const ink = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
               const colours = new Set();
               for (let at = 0; at < ink.length; at += 4) colours.add((ink[at] << 16) | (ink[at + 1] << 8) | ink[at + 2]);
               return colours.size > 8;
             })",
        )?;
        Ok((inked == true).then_some(()))
    })?;

    samples::products(&at("товары.csv"), 40)?;
    window.part("rail-catalog")?.click()?;
    window
        .part("drop-catalog-path")?
        .write(&format!("{}{ENTER}", text("товары.csv")))?;
    window.shows("[data-testid=product]", "A-0000", PATIENCE)?;

    window.part("rail-machine")?.click()?;
    window.part("place-machine")?;
    window.close()
}

/// What was said in the window is there when it is opened again.
#[test]
fn a_message_survives_the_window() -> Result<()> {
    let place = tempfile::tempdir()?;
    let name = "a_message_survives_the_window";
    let Some(window) = open(name, place.path())? else {
        return Ok(());
    };
    window.part("first-run-name")?.write("Boris")?;
    window
        .part("first-run-passphrase")?
        .write("a long passphrase")?;
    window.part("first-run-create")?.click()?;
    window.part("recovery-done")?.click()?;
    window.part("empty-new-space")?.click()?;
    window.part("space-name-input")?.write("Lab")?;
    window.part("dialog-confirm")?.click()?;
    window.part("composer")?.write("keep this")?;
    window.part("send")?.click()?;
    window.shows("[data-testid=message-text]", "keep this", PATIENCE)?;
    // Dropped, not closed: its processes are killed.
    drop(window);

    let Some(window) = open(name, place.path())? else {
        return Ok(());
    };
    window.part("first-run-passphrase")?.write("wrong")?;
    window.part("first-run-open")?.click()?;
    window.part("first-run-error")?;
    window.part("first-run-passphrase")?.clear()?;
    window
        .part("first-run-passphrase")?
        .write("a long passphrase")?;
    window.part("first-run-open")?.click()?;
    window.shows("[data-testid=message-text]", "keep this", PATIENCE)?;
    window.close()
}

/// Write notes, mend a message, take a deletion back and let another go, make an invite.
#[test]
fn a_room_by_hand() -> Result<()> {
    let place = tempfile::tempdir()?;
    let Some(window) = open("a_room_by_hand", place.path())? else {
        return Ok(());
    };
    window.part("first-run-name")?.write("Анна Петренко")?;
    window
        .part("first-run-passphrase")?
        .write("correct horse battery staple")?;
    window.part("first-run-create")?.click()?;
    window.part("recovery-done")?.click()?;
    window.part("empty-new-space")?.click()?;
    window.part("space-name-input")?.write("Class 7B")?;
    window.part("dialog-confirm")?.click()?;
    for message in ["Pages 34 to 36", "oops", "a secret"] {
        window.part("composer")?.write(message)?;
        window.part("send")?.click()?;
        window.shows("[data-testid=message-text]", message, PATIENCE)?;
    }

    window.part("toggle-notes")?.click()?;
    window.part("notes-students")?.click()?;
    window.part("notes-start")?.click()?;
    window
        .part("notes-text")?
        .write(&format!("План{ENTER}- дроби{ENTER}- page 34"))?;
    window.shows("[data-testid=notes-state]", "Анна", PATIENCE)?;
    let written =
        window.script("return document.querySelector('[data-testid=notes-text]').value")?;
    assert_eq!(written, "План\n- дроби\n- page 34");
    window.part("toggle-notes")?.click()?;

    // The tools of a message are shown while the mouse is on it; here they are pressed where they are.
    let tool = |message: &str, tool: &str| {
        window.script(&format!(
            "const row = [...document.querySelectorAll('[data-testid=message]')]
               .find((row) => row.textContent.includes('{message}'));
             row.querySelector('[data-testid={tool}]').click(); return null"
        ))
    };
    tool("Pages 34", "edit")?;
    window.part("editing")?;
    let composer = window.part("composer")?;
    composer.clear()?;
    composer.write(&format!("Pages 34 to 38{ENTER}"))?;
    window.shows("[data-testid=message-text]", "Pages 34 to 38", PATIENCE)?;
    tool("oops", "delete")?;
    window.part("undo-delete")?.click()?;
    window.until("the message stays", PATIENCE, || {
        Ok(window
            .all("[data-testid=undo-delete]")?
            .is_empty()
            .then_some(()))
    })?;
    tool("a secret", "delete")?;
    window.part("undo-delete")?;
    window.until("the message is gone", PATIENCE, || {
        let said = window.script("return document.body.textContent.includes('a secret')")?;
        Ok((said == false).then_some(()))
    })?;
    window.shows("[data-testid=message-text]", "oops", PATIENCE)?;

    window.part("invite")?.click()?;
    window.part("dialog-confirm")?.click()?;
    window.part("invite-square")?;
    window.close()
}
