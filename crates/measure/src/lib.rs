//! What the benchmarks share: timing, memory, tables, made-up numbers.
//!
//! A benchmark is a program of its own (`harness = false`) that begins with [`run`]. It first checks
//! that what it compares gives equal results, and fails if not; only then it measures. It never
//! fails for being slow. What it prints is Markdown, as `docs/benchmarks.md` keeps it.
//!
//! Parts that need a process of their own, so that its memory can be told from the benchmark's, are
//! the same program started again in a [`Role`].

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "benchmarks print"
)]

mod machine;
mod memory;
mod noise;
mod table;
mod times;

use std::{
    env,
    ffi::OsString,
    path::PathBuf,
    process::{Command, ExitCode},
    time::Instant,
};

use anyhow::Context;

pub use machine::{Fsync, Machine};
pub use memory::{Finished, Memory, Used, watch};
pub use noise::Noise;
pub use table::Table;
pub use times::{Times, race};

/// A part of a benchmark that runs in a process of its own.
pub struct Role {
    /// Its name, the first argument of the process.
    pub name: &'static str,
    /// Does it, with the arguments that follow the name. What it finds goes to standard output.
    pub play: fn(&[String]) -> anyhow::Result<()>,
}

impl Role {
    /// The process that plays this part.
    pub fn command(&self, arguments: &[OsString]) -> anyhow::Result<Command> {
        let mut command = Command::new(env::current_exe().context("this program has no path")?);
        command.arg(self.name).args(arguments);
        Ok(command)
    }
}

/// The `main` of a benchmark: prints what machine this is and measures, or plays a part of it.
///
/// `cargo bench` says `--bench`. Without it (`cargo test --benches`) nothing is measured.
pub fn run(name: &str, roles: &[Role], bench: fn() -> anyhow::Result<()>) -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let role = roles
        .iter()
        .find(|role| arguments.first().is_some_and(|first| first == role.name));
    let outcome = match (role, arguments.get(1..)) {
        (Some(role), Some(rest)) => (role.play)(rest),
        _ if arguments.iter().any(|argument| argument == "--bench") => {
            println!("## {name}\n\n{}\n", Machine::look());
            let began = Instant::now();
            bench().inspect(|()| println!("\n({:.0} s)", began.elapsed().as_secs_f64()))
        }
        _ => {
            println!("{name} is a benchmark: cargo xtask bench {name}");
            Ok(())
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A fresh folder of this benchmark below cargo's build folder, on the disk that is measured; what
/// an earlier run left there is removed. Give it the benchmark's `CARGO_TARGET_TMPDIR`.
pub fn scratch(below: &str, name: &str) -> anyhow::Result<PathBuf> {
    let folder = PathBuf::from(below).join(format!("bench-{name}"));
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    Ok(folder)
}
