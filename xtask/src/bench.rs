//! `cargo xtask bench`: the benchmarks that exist, by name.

use std::process::ExitCode;

use anyhow::{Result, bail};
use serde_json::Value;

use crate::shell::{self, Workspace};

/// Runs all benchmarks, or those named.
pub(crate) fn bench(workspace: &Workspace, names: &[String]) -> Result<ExitCode> {
    let known: Vec<&str> = workspace
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
        .collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
        bail!(
            "there is no benchmark \"{unknown}\"; there are: {}",
            listed(&known)
        );
    }
    if known.is_empty() {
        println!("There are no benchmarks yet.");
        return Ok(ExitCode::SUCCESS);
    }
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

fn listed(names: &[&str]) -> String {
    if names.is_empty() {
        "none yet".to_owned()
    } else {
        names.join(", ")
    }
}
