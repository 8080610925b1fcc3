//! What the page may ask of the shell. `capabilities/page.json` lists the same.

use std::path::{Path, PathBuf};

use artel_app::{
    api::Event,
    error::{AppError, Code},
    files,
};
use serde::Serialize;
use serde_json::Value;
use tauri::{
    AppHandle, State, WebviewWindow,
    ipc::{Channel, InvokeBody, Request},
};
use tauri_plugin_dialog::DialogExt as _;
use tauri_plugin_opener::OpenerExt as _;

use crate::{
    media::decode,
    shell::{Shell, locked},
    tray::Tray,
};

/// Endings of what the page makes and the user may save.
const MADE: [&str; 2] = ["png", "csv"];

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

/// What to do where the page and the shell do not fit.
const FAULT: &str = "This is a fault in Artel. Please report it with the words above.";

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
            "Open it with your file manager.",
        ));
    }
    if !place.exists() {
        return Err(AppError::new(
            Code::NotFound,
            format!("{path} is not there any more"),
            "It was moved or removed. Make it again.",
        ));
    }
    // A folder with an extension may be a program on macOS.
    let shown = if place.is_dir() && place.extension().is_none() {
        app.opener().open_path(path.as_str(), None::<&str>)
    } else {
        app.opener().reveal_item_in_dir(place)
    };
    shown.map_err(|reason| {
        AppError::new(
            Code::File,
            format!("{path} cannot be shown: {reason}"),
            "Open the folder with your file manager.",
        )
    })
}

/// Gives the tray's two entries the words of the language in use.
#[tauri::command]
pub(crate) fn name_tray(tray: State<'_, Tray>, open: String, quit: String) {
    tray.name(&open, &quit);
}

/// Lets the user choose where to keep what the page made, and writes it there. The page never names the place.
#[tauri::command]
pub(crate) async fn save_as(
    window: WebviewWindow,
    shell: State<'_, Shell>,
    request: Request<'_>,
) -> Result<Option<String>, AppError> {
    let ending = said(&request, "extension")?;
    if !MADE.contains(&ending.as_str()) {
        return Err(AppError::new(
            Code::BadArguments,
            format!("the page makes no \".{ending}\""),
            FAULT,
        ));
    }
    let content = content(&request)?.to_vec();
    let (answer, chosen) = tokio::sync::oneshot::channel();
    window
        .dialog()
        .file()
        .set_parent(&window)
        .set_title(said(&request, "title")?)
        .set_file_name(said(&request, "suggestion")?)
        .add_filter(said(&request, "kind")?, &[ending.as_str()])
        .save_file(move |path| {
            // Nobody waits any more when the window is gone.
            let _ = answer.send(path);
        });
    let Some(path) = chosen.await.ok().flatten() else {
        return Ok(None);
    };
    let path = path.into_path().map_err(|reason| {
        AppError::new(Code::BadName, reason.to_string(), "Choose another place.")
    })?;
    let path = ended(path, &ending);
    let path =
        tokio::task::spawn_blocking(move || files::write(&path, &content).map(|()| path)).await??;
    shell.results.add(path.clone());
    Ok(Some(path.display().to_string()))
}

/// Puts pasted content into a file that a message to a room can attach; it goes with the message.
#[tauri::command]
pub(crate) async fn stash(
    shell: State<'_, Shell>,
    request: Request<'_>,
) -> Result<String, AppError> {
    let (room, name) = (said(&request, "room")?, said(&request, "name")?);
    let session = shell.session().await.ok_or_else(locked)?;
    let path = session
        .stash(room, name, content(&request)?.to_vec())
        .await?;
    Ok(path.display().to_string())
}

/// Gives a name without an ending its own, unless that would take the place of a file nobody was asked about.
fn ended(path: PathBuf, ending: &str) -> PathBuf {
    let full = path.with_extension(ending);
    if path.extension().is_some() || full.exists() {
        path
    } else {
        full
    }
}

/// The bytes that a request carries.
fn content<'r>(request: &'r Request<'_>) -> Result<&'r [u8], AppError> {
    match request.body() {
        InvokeBody::Raw(bytes) => Ok(bytes),
        InvokeBody::Json(_) => Err(AppError::new(
            Code::BadArguments,
            "the content did not come as bytes",
            FAULT,
        )),
    }
}

/// What stands beside the bytes of a request: a header, percent-encoded.
fn said(request: &Request<'_>, name: &str) -> Result<String, AppError> {
    request
        .headers()
        .get(name)
        .and_then(|value| value.to_str().ok())
        .and_then(decode)
        .ok_or_else(|| AppError::new(Code::BadArguments, format!("\"{name}\" is missing"), FAULT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_file_gets_its_ending_and_no_other_file_is_lost() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        for (chosen, expected) in [
            ("График 1", "График 1.png"),
            ("График.png", "График.png"),
            ("table.txt", "table.txt"),
        ] {
            assert_eq!(ended(here.join(chosen), "png"), here.join(expected));
        }
        // There is such a file: the dialog asked about the name as it was typed, and only that.
        assert_eq!(ended(here.join("build"), "rs"), here.join("build"));
    }
}
