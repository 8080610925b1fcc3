//! Invariant 1, nothing leaves the room: the programs contain no HTTP client, and no TLS library but the OpenSSL of which
//! SQLCipher uses the ciphers.

use anyhow::{Result, bail};

use crate::shell::{self, Workspace};

/// Crates through which a program could speak to servers outside. `deny.toml` lists the same, less `ureq`, with which a
/// tool of the tests speaks to the local window.
const WAYS_OUT: &[&str] = &[
    "attohttpc",
    "curl",
    "hyper",
    "isahc",
    "native-tls",
    "openssl",
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
    let users = shell::output(shell::cargo().current_dir(&workspace.root).args([
        "tree",
        "--workspace",
        "--invert",
        "openssl-sys",
        "--edges",
        "normal",
        "--depth",
        "1",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]))?;
    if let Some(other) = other_users(&users) {
        bail!("{other} uses OpenSSL; only the database may, for its ciphers");
    }
    Ok(())
}

/// A crate that depends on OpenSSL and is not the database.
fn other_users(tree: &str) -> Option<&str> {
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    let allowed = ["", "openssl-sys", "libsqlite3-sys"];
    names.into_iter().find(|name| !allowed.contains(name))
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
    use super::{other_users, ways_out};

    #[test]
    fn a_way_out_is_found_by_its_whole_name() {
        assert_eq!(
            ways_out("artel-cli v0.1.0 (/x)\nhyper v1.0.0\nhyperloop v1.0.0\n"),
            ["hyper"]
        );
        assert!(ways_out("hyperloop v1.0.0\n").is_empty());
    }

    #[test]
    fn only_the_database_has_openssl() {
        let tree = "openssl-sys v0.9.118\nlibsqlite3-sys v0.39.1\n";
        assert_eq!(other_users(tree), None);
        let other = format!("{tree}openssl v0.10.0\n");
        assert_eq!(other_users(&other), Some("openssl"));
    }
}
