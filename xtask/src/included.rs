//! No test file that nobody compiles: every `.rs` file of a `tests` folder is a target or a declared module.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::shell::Workspace;

/// Fails with every file that is left out, and with every package that has more than one integration binary.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let mut wrong = Vec::new();
    for package in workspace.members() {
        let name = package
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let Some(folder) = package
            .get("manifest_path")
            .and_then(Value::as_str)
            .and_then(|manifest| Path::new(manifest).parent())
        else {
            continue;
        };
        let roots: Vec<PathBuf> = package
            .get("targets")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter(|target| {
                target
                    .get("kind")
                    .and_then(Value::as_array)
                    .is_some_and(|kinds| kinds.iter().any(|kind| kind == "test"))
            })
            .filter_map(|target| target.get("src_path").and_then(Value::as_str))
            .map(PathBuf::from)
            .collect();
        if roots.len() > 1 {
            wrong.push(format!(
                "{name} has {} integration binaries; make the others modules of one",
                roots.len()
            ));
        }
        for file in rust_files(&folder.join("tests"))? {
            if !roots.contains(&file) && !declared(&file) {
                wrong.push(format!("{} is compiled by nobody", file.display()));
            }
        }
    }
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n"));
    }
    Ok(())
}

/// Whether a neighbour or the parent declares the file as a module.
fn declared(file: &Path) -> bool {
    let found = || {
        let (folder, stem) = file.parent().zip(file.file_stem())?;
        let (home, module) = if stem == "mod" {
            (folder.parent()?, folder.file_name()?)
        } else {
            (folder, stem)
        };
        let declaration = format!("mod {};", module.to_str()?);
        let places = [
            home.join("main.rs"),
            home.join("mod.rs"),
            home.with_extension("rs"),
        ];
        let declares = |place: &PathBuf| {
            fs::read_to_string(place).is_ok_and(|text| {
                text.lines()
                    .any(|line| line.trim_start_matches("pub ").trim() == declaration)
            })
        };
        Some(places.iter().filter(|place| *place != file).any(declares))
    };
    found().unwrap_or(false)
}

fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let path = entry.with_context(|| folder.display().to_string())?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}
