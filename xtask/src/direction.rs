//! Which crate may use which: design decides, `cargo metadata` tells.

use anyhow::{Result, bail};
use serde_json::Value;

use crate::shell::Workspace;

/// Each member and the members it may depend on. Tests follow the same rule.
///
/// `domain ← {store, sync, compute, catalog, jobs} ← app ← {cli, src-tauri, tests}`; the middle
/// crates do not know one another. `measure` is for benchmarks only.
const ALLOWED: &[(&str, &[&str])] = &[
    ("artel-domain", &[]),
    (MEASURE, &[]),
    ("artel-store", &["artel-domain"]),
    ("artel-sync", &["artel-domain"]),
    ("artel-compute", &["artel-domain", MEASURE]),
    ("artel-catalog", &["artel-domain"]),
    ("artel-jobs", &["artel-domain"]),
    (
        "artel-app",
        &[
            "artel-domain",
            "artel-store",
            "artel-sync",
            "artel-compute",
            "artel-catalog",
            "artel-jobs",
            MEASURE,
        ],
    ),
    ("artel-cli", &["artel-app"]),
    ("artel-desktop", &["artel-app"]),
    ("artel-tests", &["artel-app", MEASURE]),
    ("xtask", &[]),
];

/// What the benchmarks share, which no program may contain.
const MEASURE: &str = "artel-measure";

/// Fails with every edge that points the wrong way.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let members: Vec<&str> = workspace.members().filter_map(name).collect();
    let mut wrong = Vec::new();
    for package in workspace.members() {
        let Some(from) = name(package) else { continue };
        let dependencies = || {
            package
                .get("dependencies")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
        };
        let uses = dependencies()
            .filter_map(name)
            .filter(|to| members.contains(to));
        wrong.extend(refused(from, uses));
        if dependencies().any(|to| name(to) == Some(MEASURE) && !for_tests(to)) {
            wrong.push(format!(
                "{from} is made of {MEASURE}, which is for its benchmarks: name it in [dev-dependencies]"
            ));
        }
    }
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n"));
    }
    Ok(())
}

fn name(value: &Value) -> Option<&str> {
    value.get("name").and_then(Value::as_str)
}

/// Whether a dependency is one of tests and benchmarks.
fn for_tests(dependency: &Value) -> bool {
    dependency.get("kind").and_then(Value::as_str) == Some("dev")
}

fn refused<'a>(from: &str, uses: impl Iterator<Item = &'a str>) -> Vec<String> {
    let Some((_, allowed)) = ALLOWED.iter().find(|(member, _)| *member == from) else {
        return vec![format!(
            "{from} has no place in the order of crates; give it one in xtask/src/direction.rs"
        )];
    };
    uses.filter(|to| !allowed.contains(to))
        .map(|to| format!("{from} depends on {to}, against the order of crates in ARCHITECTURE.md"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::refused;

    #[test]
    fn an_edge_against_the_order_is_named() {
        for (from, to, faults) in [
            ("artel-store", "artel-domain", 0),
            ("artel-store", "artel-sync", 1),
            ("artel-domain", "artel-store", 1),
            ("artel-cli", "artel-store", 1),
            ("artel-new", "artel-domain", 1),
        ] {
            let found = refused(from, std::iter::once(to));
            assert_eq!(found.len(), faults, "{from} -> {to}: {found:?}");
        }
    }
}
