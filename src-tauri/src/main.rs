//! The desktop shell of Artel: a window around the façade, adapters only.
//!
//! The page asks by one command, [`call`](commands::call), with the names and types of
//! `artel_app::api`; it hears events over one channel, sees pictures through the `media` protocol and
//! hands over bytes by [`stash`](commands::stash) and [`save_as`](commands::save_as). Whatever could
//! be done without a window is not done here.

#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

mod commands;
mod media;
mod options;
mod results;
mod shell;
mod tray;
mod window;

use std::process::ExitCode;

use tauri::Manager;

use crate::{options::Options, shell::Shell};

fn main() -> ExitCode {
    let options = match options::parse(std::env::args_os().skip(1)) {
        Ok(options) => options,
        Err(options::Stop::Say(text)) => {
            say(&text);
            return ExitCode::SUCCESS;
        }
        Err(options::Stop::Wrong(text)) => {
            complain(&text);
            return ExitCode::from(2);
        }
    };
    // Before any thread exists, because the web view reads the environment whenever it likes.
    if let Err(reason) = options::render_safely(&options) {
        complain(&format!("safe rendering: {reason}"));
    }
    start_log();
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            complain(&format!("the window cannot be opened: {reason}"));
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> tauri::Result<()> {
    let app = tauri::Builder::default()
        .plugin(tauri_plugin_dialog::init())
        .plugin(
            tauri_plugin_opener::Builder::new()
                .open_js_links_on_click(false)
                .build(),
        )
        .register_asynchronous_uri_scheme_protocol("media", media::serve)
        .invoke_handler(tauri::generate_handler![
            commands::call,
            commands::events,
            commands::open_profile,
            commands::lock_profile,
            commands::session_state,
            commands::open_path,
            commands::name_tray,
            commands::save_as,
            commands::stash,
        ])
        .setup(move |app| {
            app.manage(Shell::new(options.home));
            app.manage(tray::Tray::build(app.handle()));
            window::open(app.handle())?;
            window::quit_on_signal(app.handle());
            Ok(())
        })
        .on_window_event(window::on_event)
        .build(tauri::generate_context!())?;
    app.run(|app, event| match event {
        // Without a window the program lives on in the tray; only `quit` gives a code.
        tauri::RunEvent::ExitRequested {
            code: None, api, ..
        } => api.prevent_exit(),
        #[cfg(target_os = "macos")]
        tauri::RunEvent::Reopen { .. } => window::show(app),
        _ => {
            let _ = app;
        }
    });
    Ok(())
}

/// Logs go to standard error; `ARTEL_LOG` chooses how much.
fn start_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("ARTEL_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("error"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
}

#[allow(clippy::print_stdout)]
fn say(text: &str) {
    println!("{text}");
}

#[allow(clippy::print_stderr)]
fn complain(text: &str) {
    eprintln!("artel-desktop: {text}");
}
