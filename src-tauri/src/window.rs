//! The one window: how it opens, what closing it means.

use std::time::Duration;

use tauri::{
    AppHandle, Manager, WebviewUrl, WebviewWindowBuilder, Window, WindowEvent,
    webview::NewWindowResponse,
};

use crate::{shell::Shell, tray::Tray};

/// Label of the window; the capability file names it too.
pub(crate) const MAIN: &str = "main";

/// How long quitting waits for the network and the jobs to stop. What is saved is saved either way.
const PATIENCE: Duration = Duration::from_secs(10);

/// Opens the window on the built-in page, which it cannot leave.
pub(crate) fn open(app: &AppHandle) -> tauri::Result<()> {
    WebviewWindowBuilder::new(app, MAIN, WebviewUrl::default())
        .title("Artel")
        .inner_size(1280.0, 800.0)
        .min_inner_size(1024.0, 700.0)
        .data_directory(app.state::<Shell>().page_data())
        .on_navigation(|url| own_page(url.scheme(), url.host_str()))
        .on_new_window(|_, _| NewWindowResponse::Deny)
        .build()?;
    Ok(())
}

/// Whether an address is the built-in page.
fn own_page(scheme: &str, host: Option<&str>) -> bool {
    match scheme {
        "tauri" => host == Some("localhost"),
        // The web view of Windows knows custom protocols only as hosts.
        "http" | "https" => cfg!(windows) && host == Some("tauri.localhost"),
        _ => false,
    }
}

/// Brings the window back to the front.
pub(crate) fn show(app: &AppHandle) {
    let Some(window) = app.get_webview_window(MAIN) else {
        return;
    };
    for step in [window.show(), window.unminimize(), window.set_focus()] {
        if let Err(reason) = step {
            tracing::debug!(%reason, "the window does not come to the front");
        }
    }
}

/// Closing the window hides it while work goes on, and ends the program otherwise.
pub(crate) fn on_event(window: &Window, event: &WindowEvent) {
    let WindowEvent::CloseRequested { api, .. } = event else {
        return;
    };
    api.prevent_close();
    let window = window.clone();
    tauri::async_runtime::spawn(async move {
        let app = window.app_handle();
        if !app.state::<Shell>().busy().await {
            quit(app);
        } else if let Err(reason) = if app.state::<Tray>().there() {
            window.hide()
        } else {
            window.minimize()
        } {
            tracing::debug!(%reason, "the window stays");
        }
    });
}

/// Closes the profile and ends the program.
pub(crate) fn quit(app: &AppHandle) {
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        if tokio::time::timeout(PATIENCE, app.state::<Shell>().close())
            .await
            .is_err()
        {
            tracing::warn!("something did not stop in time; it is resumable");
        }
        app.exit(0);
    });
}

/// Ends the program in order when the system asks for it.
pub(crate) fn quit_on_signal(app: &AppHandle) {
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        if asked_to_end().await.is_ok() {
            quit(&app);
        }
    });
}

#[cfg(unix)]
async fn asked_to_end() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        pressed = tokio::signal::ctrl_c() => pressed,
    }
}

#[cfg(not(unix))]
async fn asked_to_end() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}

#[cfg(test)]
mod tests {
    use super::own_page;

    #[test]
    fn the_window_cannot_leave_its_page() {
        for (scheme, host, allowed) in [
            ("tauri", Some("localhost"), true),
            ("tauri", Some("elsewhere"), false),
            ("https", Some("example.org"), false),
            ("file", None, false),
            ("data", None, false),
            ("media", Some("localhost"), false),
        ] {
            assert_eq!(own_page(scheme, host), allowed, "{scheme}");
        }
    }
}
