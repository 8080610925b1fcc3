//! `cargo xtask bench`: the benchmarks that exist, by name.

use std::process::ExitCode;

use anyhow::{Result, bail};
use serde_json::Value;

use crate::{
    setup::{self, Purpose},
    shell::{self, Workspace},
};

/// Runs all benchmarks, or those named. One that fails (its results are not equal) ends it.
pub(crate) fn bench(workspace: &Workspace, names: &[String]) -> Result<ExitCode> {
    let known: Vec<&str> = benchmarks(workspace).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
        bail!(
            "there is no benchmark \"{unknown}\"; there are: {}",
            known.join(", ")
        );
    }
    setup::packages(Purpose::Headless)?;
    for name in known
        .iter()
        .filter(|name| names.is_empty() || names.iter().any(|given| given == *name))
    {
        shell::run(shell::cargo().current_dir(&workspace.root).args([
            "bench",
            "--workspace",
            "--bench",
            name,
        ]))?;
    }
    Ok(ExitCode::SUCCESS)
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
