//! The parts that journeys are made of: people with homes, a LAN, the real window, files to work on.
//!
//! Journeys use what a person uses: the `artel` and `artel-desktop` programs as built, real
//! processes, real networks. They know nothing of the crates behind. `cargo xtask test` builds the
//! programs first and says where they are. So it does with `hostile`, a peer that lies, which is an
//! example of `artel-sync`.

pub mod lan;
pub mod person;
pub mod samples;
pub mod wait;
pub mod window;

use std::path::PathBuf;

/// Says that a test cannot run on this machine. `cargo xtask test` collects such lines.
#[allow(clippy::print_stderr)]
pub fn skip(name: &str, reason: &str) {
    eprintln!("SKIPPED {name}: {reason}");
}

/// The `artel` program: `ARTEL_BIN`, or where `cargo build` puts it.
pub fn artel() -> PathBuf {
    program("ARTEL_BIN", "artel")
}

/// The `artel-desktop` program: `ARTEL_DESKTOP_BIN`, or where `cargo build` puts it.
pub fn desktop() -> PathBuf {
    program("ARTEL_DESKTOP_BIN", "artel-desktop")
}

/// The peer that lies: `ARTEL_HOSTILE_BIN`, or where `cargo build --examples` puts it.
pub fn hostile() -> PathBuf {
    program("ARTEL_HOSTILE_BIN", "examples/hostile")
}

fn program(variable: &str, name: &str) -> PathBuf {
    if let Some(given) = std::env::var_os(variable) {
        return given.into();
    }
    let mut path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../target/debug")
        .join(name);
    path.set_extension(std::env::consts::EXE_EXTENSION);
    path
}
