//! Invariant 1, nothing leaves the room: the programs contain no HTTP client and no TLS library.

use anyhow::{Result, bail};

use crate::shell::{self, Workspace};

/// Crates through which a program could speak to servers outside. `deny.toml` lists the same.
const WAYS_OUT: &[&str] = &[
    "attohttpc",
    "curl",
    "hyper",
    "isahc",
    "native-tls",
    "reqwest",
    "rustls",
    "ureq",
];

/// Fails with every such crate that one of the programs is made of.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let tree = shell::output(shell::cargo().current_dir(&workspace.root).args([
        "tree",
        "--package",
        "artel-cli",
        "--package",
        "artel-desktop",
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]))?;
    let found = ways_out(&tree);
    if !found.is_empty() {
        bail!(
            "the programs could speak to the outside through {}; cargo tree --invert NAME tells why",
            found.join(", ")
        );
    }
    Ok(())
}

fn ways_out(tree: &str) -> Vec<&'static str> {
    let used: Vec<&str> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    WAYS_OUT
        .iter()
        .copied()
        .filter(|name| used.contains(name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::ways_out;

    #[test]
    fn a_way_out_is_found_by_its_whole_name() {
        assert_eq!(
            ways_out("artel-cli v0.1.0 (/x)\nhyper v1.0.0\nhyperloop v1.0.0\n"),
            ["hyper"]
        );
        assert!(ways_out("hyperloop v1.0.0\n").is_empty());
    }
}
