//! What Artel may be made of, by `deny.toml`: licences, sources, crates that are refused.
//!
//! The rules are cargo-deny's, so that it checks the same and more where it is installed. The check
//! here needs nothing but cargo and looks at the crates of the platform it runs on; each platform's
//! own run looks at its own.

use std::{collections::BTreeSet, fs, process::Command};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use toml::Table;

use crate::shell::{self, Workspace};

/// The only source besides the workspace itself.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Fails with every crate that is against the rules, and with its reason.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let path = workspace.root.join("deny.toml");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let rules = Rules::parse(&text).with_context(|| path.display().to_string())?;
    let metadata = shell::output(
        shell::cargo()
            .current_dir(&workspace.root)
            .args(["metadata", "--format-version", "1", "--filter-platform"])
            .arg(host()?),
    )?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    // Metadata also lists what no feature in use asks for; the tree does not.
    let tree = shell::output(shell::cargo().current_dir(&workspace.root).args([
        "tree",
        "--workspace",
        "--edges",
        "normal,build,dev",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]))?;
    let used = used(&tree);
    let packages: Vec<&Value> = metadata
        .get("packages")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter(|package| {
            let field = |key| package.get(key).and_then(Value::as_str).unwrap_or_default();
            used.contains(&(field("name"), field("version")))
        })
        .collect();
    ensure!(
        !used.is_empty() && packages.len() == used.len(),
        "cargo tree names {} crates, and cargo metadata knows {} of them",
        used.len(),
        packages.len()
    );
    let wrong: Vec<String> = packages
        .iter()
        .flat_map(|package| rules.faults(package))
        .collect();
    if !wrong.is_empty() {
        bail!("against deny.toml:\n  {}", wrong.join("\n  "));
    }
    println!("{} crates are as deny.toml wants them", packages.len());
    Ok(())
}

/// Name and version of each crate of a tree: its lines are `NAME vVERSION`, and what else there is.
fn used(tree: &str) -> BTreeSet<(&str, &str)> {
    tree.lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let name = words.next().filter(|name| !name.is_empty())?;
            Some((name, words.next()?.strip_prefix('v')?))
        })
        .collect()
}

/// The platform of the installed compiler, which is the one that tests are built for.
fn host() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = shell::output(Command::new(rustc).arg("-vV"))?;
    version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .context("rustc names no host")
}

/// The part of `deny.toml` that is checked here.
#[derive(Debug)]
struct Rules {
    licences: BTreeSet<String>,
    refused: BTreeSet<String>,
}

impl Rules {
    fn parse(text: &str) -> Result<Self> {
        let table: Table = text.parse()?;
        let list = |section: &str, key: &str| {
            table
                .get(section)
                .and_then(|section| section.get(key))
                .and_then(toml::Value::as_array)
                .with_context(|| format!("[{section}] has no list \"{key}\""))
        };
        let licences = list("licenses", "allow")?;
        let refused = list("bans", "deny")?;
        let names = |list: &[toml::Value], name: fn(&toml::Value) -> Option<&str>| {
            list.iter()
                .map(|entry| name(entry).map(str::to_owned))
                .collect::<Option<BTreeSet<_>>>()
        };
        Ok(Self {
            licences: names(licences, toml::Value::as_str)
                .context("[licenses] allow has an entry that is no text")?,
            refused: names(refused, |entry| {
                entry.get("crate").and_then(toml::Value::as_str)
            })
            .context("[bans] deny has an entry without crate = \"…\"")?,
        })
    }

    fn faults(&self, package: &Value) -> Vec<String> {
        let field = |key: &str| package.get(key).and_then(Value::as_str);
        let name = field("name").unwrap_or("a crate without a name");
        let named = format!("{name} {}", field("version").unwrap_or_default());
        let mut faults = Vec::new();
        // The workspace's own crates have no source.
        let Some(source) = field("source") else {
            let wild = package
                .get("dependencies")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter(|dependency| {
                    dependency.get("req").and_then(Value::as_str) == Some("*")
                        && dependency.get("path").is_none()
                })
                .filter_map(|dependency| dependency.get("name").and_then(Value::as_str));
            faults.extend(wild.map(|to| format!("{name} takes any version of {to}: name one")));
            return faults;
        };
        if source != CRATES_IO {
            faults.push(format!(
                "{named} comes from {source}, and not from crates.io"
            ));
        }
        if self.refused.contains(name) {
            faults.push(format!(
                "{named} is refused; cargo tree --invert {name} tells who wants it"
            ));
        }
        match field("license").map(|terms| (terms, permits(terms, &self.licences))) {
            Some((_, Ok(true))) => {}
            Some((terms, Ok(false))) => faults.push(format!(
                "{named} is under {terms}, which [licenses] allow does not permit: read it, then add it or do without the crate"
            )),
            Some((terms, Err(reason))) => {
                faults.push(format!("{named} is under \"{terms}\": {reason}"));
            }
            None => faults.push(format!("{named} names no licence")),
        }
        faults
    }
}

/// Whether an SPDX expression can be kept with these licences. `/` is an old way to write `OR`.
fn permits(terms: &str, allowed: &BTreeSet<String>) -> Result<bool> {
    let spaced = terms
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut expression = Expression {
        words: &words,
        allowed,
    };
    let permitted = expression.either()?;
    match expression.words.first() {
        None => Ok(permitted),
        Some(word) => bail!("\"{word}\" is not expected there"),
    }
}

struct Expression<'a> {
    words: &'a [&'a str],
    allowed: &'a BTreeSet<String>,
}

impl<'a> Expression<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }

    fn follows(&mut self, word: &str) -> bool {
        let follows = self.words.first() == Some(&word);
        if follows {
            self.next();
        }
        follows
    }

    fn either(&mut self) -> Result<bool> {
        let mut permitted = self.both()?;
        while self.follows("OR") {
            permitted |= self.both()?;
        }
        Ok(permitted)
    }

    fn both(&mut self) -> Result<bool> {
        let mut permitted = self.one()?;
        while self.follows("AND") {
            permitted &= self.one()?;
        }
        Ok(permitted)
    }

    fn one(&mut self) -> Result<bool> {
        if self.follows("(") {
            let permitted = self.either()?;
            ensure!(self.follows(")"), "a parenthesis is not closed");
            return Ok(permitted);
        }
        let licence = self.next().context("a licence is missing at its end")?;
        ensure!(
            !matches!(licence, "OR" | "AND" | "WITH" | ")"),
            "a licence is missing before \"{licence}\""
        );
        if !self.follows("WITH") {
            return Ok(self.allowed.contains(licence));
        }
        let exception = self.next().context("an exception is missing at its end")?;
        Ok(self
            .allowed
            .contains(&format!("{licence} WITH {exception}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = r#"
        [licenses]
        allow = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "Unicode-3.0"]
        [bans]
        deny = [{ crate = "hyper" }, { crate = "curl" }]
    "#;

    #[test]
    fn a_licence_is_permitted_only_as_its_terms_say() {
        let rules = Rules::parse(RULES).unwrap();
        for (terms, permitted) in [
            ("MIT", true),
            ("GPL-3.0-only", false),
            ("MIT OR GPL-3.0-only", true),
            ("GPL-3.0-only/MIT", true),
            ("MIT AND GPL-3.0-only", false),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
            ("(MIT OR Apache-2.0) AND GPL-3.0-only", false),
            // AND binds before OR.
            ("MIT OR GPL-3.0-only AND OpenSSL", true),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("MIT WITH LLVM-exception", false),
        ] {
            assert_eq!(
                permits(terms, &rules.licences).unwrap(),
                permitted,
                "{terms}"
            );
        }
        for broken in [
            "", "MIT OR", "MIT MIT", "(MIT", "MIT)", "AND MIT", "MIT WITH",
        ] {
            assert!(permits(broken, &rules.licences).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_crate_against_the_rules_is_named_with_its_reason() {
        #[track_caller]
        fn check(rules: &Rules, package: Value, expected: &[&str]) {
            let faults = rules.faults(&package);
            assert_eq!(faults.len(), expected.len(), "{faults:?}");
            for (fault, words) in faults.iter().zip(expected) {
                assert!(fault.contains(words), "{fault}");
            }
        }
        let rules = Rules::parse(RULES).unwrap();
        let package = |name: &str, licence: Value, source: Value| {
            serde_json::json!({
                "name": name, "version": "1.0.0", "license": licence, "source": source,
                "dependencies": [{ "name": "serde", "req": "*" }],
            })
        };
        check(&rules, package("good", "MIT".into(), CRATES_IO.into()), &[]);
        check(
            &rules,
            package(
                "curl",
                "GPL-2.0".into(),
                "git+https://example.invalid/curl".into(),
            ),
            &[
                "comes from git+https",
                "curl 1.0.0 is refused",
                "under GPL-2.0",
            ],
        );
        check(
            &rules,
            package("unnamed", Value::Null, CRATES_IO.into()),
            &["unnamed 1.0.0 names no licence"],
        );
        check(
            &rules,
            package("artel-own", Value::Null, Value::Null),
            &["artel-own takes any version of serde"],
        );
    }

    #[test]
    fn a_crate_of_the_tree_is_counted_once() {
        let tree =
            "a v1.0.0 (/x y)\nb v0.2.1 (proc-macro)\nb v0.2.1 (proc-macro) (*)\n\nb v0.3.0\n";
        let found: Vec<_> = used(tree).into_iter().collect();
        assert_eq!(found, [("a", "1.0.0"), ("b", "0.2.1"), ("b", "0.3.0")]);
    }

    #[test]
    fn rules_without_their_lists_are_an_error_and_not_a_permission() {
        for text in [
            "",
            "[licenses]\nallow = []",
            "[licenses]\nallow = [1]\n[bans]\ndeny = []",
        ] {
            assert!(Rules::parse(text).is_err(), "{text}");
        }
    }
}
