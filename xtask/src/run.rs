//! `cargo xtask run`: from a clean clone to the open window, or to the demo where there is no display.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::{
    setup::{self, Purpose},
    shell::{self, Workspace},
};

/// Sets up, builds and starts; `args` go to the program.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<ExitCode> {
    let (bin, mut args) = if display() {
        setup::packages(Purpose::Build)?;
        setup::page(workspace)?;
        ("artel-desktop", args.to_vec())
    } else {
        println!(
            "There is no display here, so this runs `artel demo`: two peers, without a window."
        );
        setup::packages(Purpose::Headless)?;
        ("artel", args.to_vec())
    };
    if bin == "artel" && args.is_empty() {
        args.push("demo".to_owned());
    }
    // Over the whole workspace, so that features and thus dependencies are those of `cargo xtask test`.
    shell::run(shell::cargo().current_dir(&workspace.root).args([
        "build",
        "--workspace",
        "--exclude",
        "xtask",
        "--bin",
        bin,
    ]))?;
    let status = Command::new(workspace.program(bin)).args(args).status()?;
    Ok(match status.code() {
        Some(0) => ExitCode::SUCCESS,
        Some(code) => u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from),
        None => ExitCode::FAILURE,
    })
}

/// Whether a window can be opened.
fn display() -> bool {
    !cfg!(target_os = "linux")
        || ["DISPLAY", "WAYLAND_DISPLAY"]
            .iter()
            .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}
