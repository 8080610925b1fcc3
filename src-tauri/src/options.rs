//! What can be said on the command line, and the start that avoids graphics drivers.

use std::{ffi::OsString, path::PathBuf};

const USAGE: &str = "\
Usage: artel-desktop [--home DIR] [--safe-rendering]

  --home DIR         folder of the profiles (ARTEL_HOME); the platform's data folder unless given
  --safe-rendering   draw without the graphics driver (ARTEL_SAFE_RENDERING=1), for a window that stays blank
  --version, --help";

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Folder of the profiles.
    pub(crate) home: PathBuf,
    /// Draw without the graphics driver.
    pub(crate) safe_rendering: bool,
}

/// Why no window is opened.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Something was asked; this is the answer.
    Say(String),
    /// The command line is wrong.
    Wrong(String),
}

/// Reads the command line, and the environment for what it does not say.
pub(crate) fn parse(args: impl Iterator<Item = OsString>) -> Result<Options, Stop> {
    let mut home = std::env::var_os("ARTEL_HOME").filter(|home| !home.is_empty());
    let mut safe_rendering = std::env::var_os("ARTEL_SAFE_RENDERING")
        .is_some_and(|value| !value.is_empty() && value != "0");
    let mut args = args;
    while let Some(arg) = args.next() {
        match arg.to_str() {
            Some("--home") => {
                home = Some(
                    args.next()
                        .ok_or_else(|| Stop::Wrong("--home needs a folder".to_owned()))?,
                );
            }
            Some("--safe-rendering") => safe_rendering = true,
            Some("--version" | "-V") => {
                return Err(Stop::Say(format!(
                    "artel-desktop {}",
                    env!("CARGO_PKG_VERSION")
                )));
            }
            Some("--help" | "-h") => return Err(Stop::Say(USAGE.to_owned())),
            _ => {
                return Err(Stop::Wrong(format!(
                    "unknown argument {}\n{USAGE}",
                    arg.display()
                )));
            }
        }
    }
    let home = match home {
        Some(home) => std::path::absolute(&home)
            .map_err(|reason| Stop::Wrong(format!("{}: {reason}", home.display())))?,
        None => dirs::data_local_dir()
            .ok_or_else(|| {
                Stop::Wrong("this system names no data folder; give one with --home".to_owned())
            })?
            .join(if cfg!(target_os = "linux") {
                "artel"
            } else {
                "Artel"
            }),
    };
    Ok(Options {
        home,
        safe_rendering,
    })
}

/// Variables that make WebKitGTK draw by itself. Known trouble: blank windows with NVIDIA and DMABUF.
#[cfg(target_os = "linux")]
const SAFE: [(&str, &str); 3] = [
    ("WEBKIT_DISABLE_DMABUF_RENDERER", "1"),
    ("WEBKIT_DISABLE_COMPOSITING_MODE", "1"),
    ("LIBGL_ALWAYS_SOFTWARE", "1"),
];

/// Starts this program again with the variables set, where asked and needed. What the user set stays.
///
/// Starting again in place of setting them here keeps the environment unchanged while it may be read.
#[cfg(target_os = "linux")]
pub(crate) fn render_safely(options: &Options) -> std::io::Result<()> {
    use std::os::unix::process::CommandExt as _;

    let missing: Vec<_> = SAFE
        .iter()
        .filter(|(name, _)| std::env::var_os(name).is_none())
        .collect();
    if !options.safe_rendering || missing.is_empty() {
        return Ok(());
    }
    let reason = std::process::Command::new(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .envs(missing.into_iter().copied())
        .exec();
    Err(reason)
}

/// Only WebKitGTK needs this.
#[cfg(not(target_os = "linux"))]
#[allow(clippy::unnecessary_wraps)]
pub(crate) fn render_safely(_: &Options) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &[&str]) -> Result<Options, Stop> {
        parse(args.iter().map(OsString::from))
    }

    #[test]
    fn a_home_is_made_absolute_and_names_may_be_anything() {
        let options = read(&["--home", "дом для всех", "--safe-rendering"]).unwrap();
        assert!(options.home.is_absolute());
        assert!(options.home.ends_with("дом для всех"));
        assert!(options.safe_rendering);
    }

    #[test]
    fn wrong_arguments_are_named() {
        for (args, expected) in [
            (&["--home"][..], "needs a folder"),
            (&["--hme", "x"], "--hme"),
        ] {
            let Err(Stop::Wrong(text)) = read(args) else {
                panic!("{args:?} was accepted")
            };
            assert!(text.contains(expected), "{text}");
        }
    }
}
