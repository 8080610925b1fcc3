//! Puts the built page, the icons and the list of what the page may call into the program.

use std::path::Path;

/// The commands of the shell; each gets a permission that `capabilities/page.json` grants.
const COMMANDS: &[&str] = &[
    "call",
    "events",
    "open_profile",
    "lock_profile",
    "session_state",
    "open_path",
    "name_tray",
    "save_as",
    "stash",
];

fn main() {
    println!("cargo::rerun-if-changed=../ui/dist");
    if !Path::new("../ui/dist/index.html").exists() {
        println!(
            "cargo::error=the page is not built: ui/dist/index.html is missing. Run `cargo xtask setup`, or `npm ci` and `npm run build` in ui/"
        );
        std::process::exit(1);
    }
    let attributes = tauri_build::Attributes::new()
        .app_manifest(tauri_build::AppManifest::new().commands(COMMANDS));
    if let Err(reason) = tauri_build::try_build(attributes) {
        println!("cargo::error={reason:#}");
        std::process::exit(1);
    }
}
