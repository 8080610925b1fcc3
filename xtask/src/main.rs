//! Everything a developer does twice: `cargo xtask TASK`.
//!
//! Depends on no crate of Artel, so that it is ready in seconds on an empty machine. What only
//! Artel knows (its bindings, its schema) comes from running `artel-app`'s `generate` example.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod bench;
mod direction;
mod generated;
mod icons;
mod included;
mod lab;
mod licences;
mod outside;
mod run;
mod setup;
mod shell;
mod tally;
mod test;

use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
Usage: cargo xtask TASK

  run [ARG]...    set up, build, open the window; without a display run the demo
  test            every check and every test; the last line counts them
  bench [NAME]... the benchmarks there are
  bench room [--only PART,...]
                  parts of that one: pair, class, idle, file, talk, newcomer, simulated; by name only: hundred
  sim [--nodes N] [--seeds N] [--from SEED] [--steps N]
                  seeded classes in virtual time, on all cores
  fuzz [TARGET]... [--minutes N]
                  fuzz what comes from outside; what is found lies in fuzz/found
  lint            the checks of `test` that run no tests
  bindings        write ui/src/bindings from the commands and events in Rust
  schema          write docs/schema.sql from the migrations
  icons           render icons/*.svg to the sizes the desktop needs
  screens         drive the window and keep its pictures in docs/screens
  setup [--test]  install what is missing to build (and to test), and build the page
";

fn main() -> ExitCode {
    match dispatch() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch() -> Result<ExitCode> {
    let mut args = std::env::args().skip(1);
    let task = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    let workspace = shell::Workspace::find()?;
    match task.as_str() {
        "run" => run::run(&workspace, &rest),
        "test" => test::test(&workspace),
        "lint" => Ok(test::lint(&workspace)),
        "screens" => test::screens(&workspace).map(done),
        "bench" => bench::bench(&workspace, &rest),
        "sim" => lab::sim(&workspace, &rest),
        "fuzz" => lab::fuzz(&workspace, &rest),
        "bindings" => generated::write(&workspace, generated::BINDINGS).map(done),
        "schema" => generated::write(&workspace, generated::SCHEMA).map(done),
        "icons" => icons::render(&workspace).map(done),
        "setup" => {
            let purpose = if rest.iter().any(|arg| arg == "--test") {
                setup::Purpose::Test
            } else {
                setup::Purpose::Build
            };
            setup::packages(purpose)?;
            setup::page(&workspace).map(done)
        }
        "" | "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        other => bail!("there is no task \"{other}\"\n\n{USAGE}"),
    }
}

fn done((): ()) -> ExitCode {
    ExitCode::SUCCESS
}
