//! `cargo xtask bench`: the benchmarks that exist, by name.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{
    lab,
    setup::{self, Purpose},
    shell::{self, Workspace},
};

/// The benchmark that runs programs of Artel: the command, and the simulator.
const ROOM: &str = "room";
/// Its part that runs the simulator.
const SIMULATED: &str = "simulated";
/// Chooses parts of it.
const ONLY: &str = "--only";

/// Runs all benchmarks, or those named. One that fails (its results are not equal) ends it.
pub(crate) fn bench(workspace: &Workspace, args: &[String]) -> Result<ExitCode> {
    let (names, only) = read(args)?;
    let known: Vec<&str> = benchmarks(workspace).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(name)) {
        bail!(
            "there is no benchmark \"{unknown}\"; there are: {}",
            known.join(", ")
        );
    }
    setup::packages(Purpose::Headless)?;
    for name in known
        .iter()
        .filter(|name| names.is_empty() || names.contains(name))
    {
        let mut command = shell::cargo();
        command
            .current_dir(&workspace.root)
            .args(["bench", "--workspace", "--bench", name]);
        if *name == ROOM {
            for (variable, program) in programs(workspace, only)? {
                command.env(variable, program);
            }
            if let Some(only) = only {
                command.args(["--", ONLY, only]);
            }
        }
        shell::run(&mut command)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The names of benchmarks, and the parts of [`ROOM`] that are wanted.
fn read(args: &[String]) -> Result<(Vec<&str>, Option<&str>)> {
    let mut names = Vec::new();
    let mut only = None;
    let mut args = args.iter().map(String::as_str);
    while let Some(arg) = args.next() {
        if arg == ONLY {
            let parts = args.next();
            only = Some(parts.context("--only needs parts, such as: --only pair,idle")?);
        } else if arg.starts_with('-') {
            bail!("there is no option {arg}; there is {ONLY}, for parts of {ROOM}");
        } else {
            names.push(arg);
        }
    }
    if only.is_some() && names != [ROOM] {
        bail!("{ONLY} is for parts of {ROOM}: cargo xtask bench {ROOM} {ONLY} pair,idle");
    }
    Ok((names, only))
}

/// Builds what the benchmark of a room runs, as benchmarks are built, and says where it is.
fn programs(workspace: &Workspace, only: Option<&str>) -> Result<Vec<(&'static str, String)>> {
    let wants = |part: &str| only.is_none_or(|only| only.split(',').any(|wanted| wanted == part));
    let mut built = Vec::new();
    if only != Some(SIMULATED) {
        // With the features that the whole workspace asks of shared crates: nothing below is built twice.
        let artel = lab::built(
            workspace,
            &[
                "build",
                "--profile",
                "bench",
                "--workspace",
                "--bin",
                "artel",
            ],
        )?;
        built.push(("ARTEL_BIN", artel));
    }
    if wants(SIMULATED) {
        let tests = [
            "test",
            "--profile",
            "bench",
            "--package",
            "artel-sync",
            "--lib",
            "--no-run",
        ];
        built.push(("ARTEL_SIMULATOR", lab::built(workspace, &tests)?));
    }
    Ok(built)
}

/// Names of the workspace's benchmarks.
fn benchmarks(workspace: &Workspace) -> impl Iterator<Item = &str> {
    workspace
        .members()
        .filter_map(|package| package.get("targets").and_then(Value::as_array))
        .flatten()
        .filter(|target| {
            target
                .get("kind")
                .and_then(Value::as_array)
                .is_some_and(|kinds| kinds.iter().any(|kind| kind == "bench"))
        })
        .filter_map(|target| target.get("name").and_then(Value::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_asked_of_the_room_alone() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for (line, names, only) in [
            ("market room", vec!["market", "room"], None),
            ("room --only pair,idle", vec!["room"], Some("pair,idle")),
            ("--only pair room", vec!["room"], Some("pair")),
        ] {
            let words = words(line);
            assert_eq!(read(&words).unwrap(), (names, only), "{line}");
        }
        for bad in [
            "--only pair",
            "market --only pair",
            "room --only",
            "room --fast",
        ] {
            assert!(read(&words(bad)).is_err(), "{bad}");
        }
    }
}
