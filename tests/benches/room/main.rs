//! A room of computers, as it is used: each an `artel node` of its own in a network namespace of its own, on one bridge.
//!
//! The nodes are the real program, built as for a release, and are driven over their control sockets, so that no process
//! is started for an act that is timed. Bytes are counted at each node's network card, memory and processor time are
//! what the kernel says of its process.
//!
//! `cargo xtask bench room` builds the program and runs all parts; `--only pair,class` runs some. A part that cannot run
//! here is skipped by name and reason. Each fails when what arrived is not what was sent, none for being slow.

#![allow(clippy::print_stdout, reason = "benchmarks print")]

mod class;
mod file;
mod idle;
mod newcomer;
mod pair;
mod seat;
mod simulated;
mod talk;

use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Result, bail, ensure};
use artel_tests::lan::Lan;
use class::Class;

/// How long any single wait may take.
const PATIENCE: Duration = Duration::from_mins(10);
/// Time between two questions to a node that is not as far yet.
const POLL: Duration = Duration::from_millis(25);
/// Computers of a class.
const CLASS: u8 = 30;

/// The parts, in the order they run. The last are asked for by name only.
const PARTS: &[&str] = &[
    "pair",
    "class",
    "idle",
    "file",
    "talk",
    "newcomer",
    "simulated",
];
const ON_DEMAND: &[&str] = &["hundred"];

fn main() -> ExitCode {
    artel_measure::run("room", &[], bench)
}

fn bench() -> Result<()> {
    let chosen = chosen(env::args().skip(1))?;
    let folder = artel_measure::scratch(env!("CARGO_TARGET_TMPDIR"), "room")?;
    let lan = can_have_a_lan();
    let runtime = tokio::runtime::Runtime::new()?;
    // The class of 30 is made once, by the first part that needs it.
    let mut class = None;
    for part in chosen {
        let said = match (part.as_str(), &lan) {
            ("simulated", _) => simulated::run(),
            (_, Err(reason)) => Ok(skipped(&part, reason)),
            _ => runtime.block_on(real(&part, &folder, &mut class)),
        };
        println!("{}", said.map_err(|reason| reason.context(part))?);
    }
    runtime.block_on(async { drop(class) });
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

/// Runs a part that needs computers; what it found, as Markdown.
async fn real(part: &str, folder: &Path, class: &mut Option<Class>) -> Result<String> {
    match part {
        "pair" => return pair::run(&folder.join("pair")).await,
        "newcomer" => return newcomer::run(&folder.join("newcomer")).await,
        "hundred" => return talk::hundred(&folder.join("hundred")).await,
        _ => {}
    }
    let class = match class {
        Some(class) => class,
        None => class.insert(Class::new(&folder.join("class"), CLASS).await?),
    };
    match part {
        "class" => class::run(class).await,
        "idle" => idle::run(class).await,
        "file" => file::run(class).await,
        "talk" => talk::run(class).await,
        _ => bail!("there is no part \"{part}\""),
    }
}

/// The parts asked for by `--only`; all but those on demand without it.
fn chosen(mut arguments: impl Iterator<Item = String>) -> Result<Vec<String>> {
    let mut chosen = Vec::new();
    while let Some(argument) = arguments.next() {
        if argument == "--only" {
            let names = arguments.next().unwrap_or_default();
            chosen.extend(names.split(',').map(str::to_owned));
        }
    }
    let known: Vec<&str> = PARTS.iter().chain(ON_DEMAND).copied().collect();
    for name in &chosen {
        ensure!(
            known.contains(&name.as_str()),
            "there is no part \"{name}\"; there are: {}",
            known.join(", ")
        );
    }
    if chosen.is_empty() {
        chosen = PARTS.iter().map(|&name| name.to_owned()).collect();
    }
    Ok(chosen)
}

/// Why this machine cannot have a LAN in it, if so.
fn can_have_a_lan() -> Result<(), String> {
    if !cfg!(target_os = "linux") {
        return Err("network namespaces need Linux".to_owned());
    }
    Lan::new(1)
        .map(drop)
        .map_err(|reason| format!("no network namespaces here ({reason:#})"))
}

/// That a part did not run, and why.
fn skipped(part: &str, reason: &str) -> String {
    format!("SKIPPED {part}: {reason}\n")
}

/// The `artel` program that was built for this.
fn program() -> PathBuf {
    artel_tests::artel()
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1e3)
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
