//! What the page may ask of the shell. `capabilities/page.json` lists the same.

use std::path::Path;

use artel_app::{
    api::Event,
    error::{AppError, Code},
};
use serde::Serialize;
use serde_json::Value;
use tauri::{AppHandle, State, ipc::Channel};
use tauri_plugin_opener::OpenerExt as _;

use crate::{shell::Shell, tray::Tray};

/// Runs a command of `artel_app::api` by its wire name.
#[tauri::command]
pub(crate) async fn call(
    shell: State<'_, Shell>,
    name: String,
    args: Value,
) -> Result<Value, AppError> {
    shell.call(&name, args).await
}

/// Sends every event of the open profile, this one and later ones, over `channel`.
#[tauri::command]
pub(crate) fn events(shell: State<'_, Shell>, channel: Channel<Event>) {
    shell.listen(channel);
}

/// Opens a profile in this window.
#[tauri::command]
pub(crate) async fn open_profile(
    shell: State<'_, Shell>,
    name: String,
    passphrase: String,
) -> Result<(), AppError> {
    shell.open(&name, &passphrase).await
}

/// Closes the open profile.
#[tauri::command]
pub(crate) async fn lock_profile(shell: State<'_, Shell>) -> Result<(), AppError> {
    shell.close().await;
    Ok(())
}

/// Whether a profile is open in this window, and which.
#[derive(Serialize)]
pub(crate) struct SessionState {
    open: bool,
    profile: Option<String>,
}

/// Says whether a profile is open.
#[tauri::command]
pub(crate) async fn session_state(shell: State<'_, Shell>) -> Result<SessionState, AppError> {
    let profile = shell.profile().await;
    Ok(SessionState {
        open: profile.is_some(),
        profile,
    })
}

/// Shows a result: a folder in the file manager, a file in its folder. Nothing is ever started.
#[tauri::command]
pub(crate) async fn open_path(
    app: AppHandle,
    shell: State<'_, Shell>,
    path: String,
) -> Result<(), AppError> {
    let place = Path::new(&path);
    if !shell.results.allow(place) {
        return Err(AppError::new(
            Code::NotAllowed,
            format!("{path} is no result of Artel"),
        ));
    }
    if !place.exists() {
        return Err(AppError::new(
            Code::NotFound,
            format!("{path} is not there any more"),
        ));
    }
    // A folder with an extension may be a program on macOS.
    let shown = if place.is_dir() && place.extension().is_none() {
        app.opener().open_path(path.as_str(), None::<&str>)
    } else {
        app.opener().reveal_item_in_dir(place)
    };
    shown.map_err(|reason| {
        AppError::new(Code::File, format!("{path} cannot be shown: {reason}"))
            .hint("Open the folder with your file manager.")
    })
}

/// Gives the tray's two entries the words of the language in use.
#[tauri::command]
pub(crate) fn name_tray(tray: State<'_, Tray>, open: String, quit: String) {
    tray.name(&open, &quit);
}
