//! A class far larger than this machine could run, in virtual time.

use std::{env, process::Command};

use anyhow::{Result, ensure};

/// Names the simulator, as `cargo xtask bench` built it: the unit tests of `artel-sync`.
const PROGRAM: &str = "ARTEL_SIMULATOR";
/// Its test that takes its size from the environment.
const CROWD: &str = "protocol::tests::crowd::a_crowd";
/// Members and records.
const MEMBERS: u32 = 300;
const RECORDS: u32 = 30_000;

pub(crate) fn run() -> Result<String> {
    let Some(program) = env::var_os(PROGRAM) else {
        return Ok(crate::skipped(
            "simulated",
            "the simulator was not built; cargo xtask bench room does",
        ));
    };
    let finished = artel_measure::watch(
        Command::new(program)
            .args([CROWD, "--exact", "--nocapture", "--test-threads=1"])
            .env("ARTEL_SIM_NODES", MEMBERS.to_string())
            .env("ARTEL_SIM_RECORDS", RECORDS.to_string()),
    )?;
    let found: Vec<&str> = finished
        .output
        .lines()
        .filter_map(|line| line.strip_prefix("crowd: "))
        .collect();
    ensure!(!found.is_empty(), "the simulator has no test {CROWD}");
    let peak = finished.peak.map_or_else(String::new, |peak| {
        format!(
            "; at most {:.2} GB of memory, {:.1} MB a node",
            peak as f64 / 1e9,
            crate::megabytes(peak) / f64::from(MEMBERS)
        )
    });
    Ok(format!(
        "Simulated: {} {} for all of it{peak}.\n",
        found.join(" "),
        crate::seconds(finished.took)
    ))
}
