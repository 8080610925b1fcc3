//! Files made from the Rust code and kept in the repository, with a check that they are the latest.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::shell::{self, Workspace};

/// What can be generated, and where it is kept.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    /// Argument of the generator.
    name: &'static str,
    /// Folder or file in the repository.
    place: &'static str,
}

/// TypeScript types of every command and event.
pub(crate) const BINDINGS: Kind = Kind {
    name: "bindings",
    place: "ui/src/bindings",
};

/// The database schema as the migrations leave it.
pub(crate) const SCHEMA: Kind = Kind {
    name: "schema",
    place: "docs/schema.sql",
};

/// Builds the generator and writes its files into the repository.
pub(crate) fn write(workspace: &Workspace, kind: Kind) -> Result<()> {
    shell::run(shell::cargo().current_dir(&workspace.root).args([
        "build",
        "--workspace",
        "--example",
        "generate",
    ]))?;
    let fresh = generate(workspace, kind)?;
    let place = workspace.root.join(kind.place);
    let old = files(&place)?;
    for stale in old.keys().filter(|name| !fresh.contains_key(*name)) {
        fs::remove_file(place.join(stale))?;
    }
    let mut changed = 0;
    for (name, content) in &fresh {
        if old.get(name) != Some(content) {
            // An empty name is the place itself, for a kind that is one file.
            let path = if name.as_os_str().is_empty() {
                place.clone()
            } else {
                place.join(name)
            };
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(&path, content).with_context(|| path.display().to_string())?;
            changed += 1;
        }
    }
    println!("{}: {changed} of {} files written", kind.place, fresh.len());
    Ok(())
}

/// Fails when the repository's files are not what the generator, already built, makes now.
pub(crate) fn check(workspace: &Workspace, kind: Kind) -> Result<()> {
    let fresh = generate(workspace, kind)?;
    let kept = files(&workspace.root.join(kind.place))?;
    let mut differ: Vec<String> = fresh
        .iter()
        .filter(|(name, content)| kept.get(*name) != Some(*content))
        .map(|(name, _)| name)
        .chain(kept.keys().filter(|name| !fresh.contains_key(*name)))
        .map(|name| Path::new(kind.place).join(name).display().to_string())
        .collect();
    if differ.is_empty() {
        return Ok(());
    }
    differ.sort();
    bail!(
        "not what the Rust code says; run cargo xtask {} and commit:\n  {}",
        kind.name,
        differ.join("\n  ")
    )
}

/// Runs the generator into a folder below the build folder and reads what it made.
fn generate(workspace: &Workspace, kind: Kind) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let out = workspace.target.join("generated").join(kind.place);
    if out.is_dir() {
        fs::remove_dir_all(&out)?;
    }
    if let Some(folder) = out.parent() {
        fs::create_dir_all(folder)?;
    }
    shell::run(
        Command::new(workspace.program("examples/generate"))
            .arg(kind.name)
            .arg(&out),
    )?;
    let made = files(&out)?;
    if made.is_empty() {
        bail!("the generator made nothing for {}", kind.place);
    }
    Ok(made)
}

/// The files at or below a place, by path from there, with their content.
fn files(place: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(name) = waiting.pop() {
        let path = if name.as_os_str().is_empty() {
            place.to_owned()
        } else {
            place.join(&name)
        };
        if path.is_dir() {
            for entry in fs::read_dir(&path)? {
                waiting.push(name.join(entry?.file_name()));
            }
        } else if path.is_file() {
            // Checked out with other line ends on some systems.
            let content = fs::read(&path).with_context(|| path.display().to_string())?;
            found.insert(
                name,
                content.into_iter().filter(|byte| *byte != b'\r').collect(),
            );
        }
    }
    Ok(found)
}
