//! `cargo xtask sim` and `cargo xtask fuzz`: what runs for as long as one likes.

use std::{
    path::Path,
    process::{Child, ExitCode},
    thread,
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::shell::{self, Workspace};

/// The simulator's test that takes its size from the environment.
const CLASS: &str = "protocol::tests::simulator::a_class";

/// What counts branches for libFuzzer, without the sanitizers that only a nightly compiler has.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 --cfg fuzzing";

/// Options of the form `--name number`, and the other words.
struct Words {
    numbers: Vec<(String, u64)>,
    others: Vec<String>,
}

impl Words {
    fn read(args: &[String], known: &[&str]) -> Result<Self> {
        let mut words = Self {
            numbers: Vec::new(),
            others: Vec::new(),
        };
        let mut args = args.iter();
        while let Some(word) = args.next() {
            let Some(name) = word.strip_prefix("--") else {
                words.others.push(word.clone());
                continue;
            };
            ensure!(
                known.contains(&name),
                "there is no option {word}; there are --{}",
                known.join(", --")
            );
            let number = args.next().and_then(|number| number.parse().ok());
            let number = number.with_context(|| format!("{word} needs a number"))?;
            words.numbers.push((name.to_owned(), number));
        }
        Ok(words)
    }

    fn number(&self, name: &str, otherwise: u64) -> u64 {
        let mut numbers = self.numbers.iter().rev();
        numbers
            .find(|(known, _)| known == name)
            .map_or(otherwise, |(_, number)| *number)
    }
}

/// Many seeded runs of a class in virtual time, on all cores. A seed that fails is named.
pub(crate) fn sim(workspace: &Workspace, args: &[String]) -> Result<ExitCode> {
    let words = Words::read(args, &["nodes", "seeds", "from", "steps"])?;
    if let Some(word) = words.others.first() {
        bail!("\"{word}\" is no option; such as: cargo xtask sim --nodes 30 --seeds 1000");
    }
    let tests = ["test", "--package", "artel-sync", "--lib", "--no-run"];
    let program = built(workspace, &tests)?;
    let (from, seeds) = (words.number("from", 1), words.number("seeds", 100));
    ensure!(seeds > 0, "--seeds needs a number above 0");
    let known =
        shell::output(std::process::Command::new(&program).args([CLASS, "--exact", "--list"]))?;
    ensure!(known.contains(CLASS), "the simulator has no test {CLASS}");
    let workers = thread::available_parallelism()
        .map_or(1, |cores| cores.get() as u64)
        .min(seeds.max(1));
    let mut children: Vec<(Child, u64)> = Vec::new();
    let mut next = from;
    for worker in 0..workers {
        let share = seeds / workers + u64::from(worker < seeds % workers);
        let child = std::process::Command::new(&program)
            .args([CLASS, "--exact", "--nocapture", "--test-threads=1"])
            .env("ARTEL_SIM_NODES", words.number("nodes", 30).to_string())
            .env("ARTEL_SIM_STEPS", words.number("steps", 100).to_string())
            .env("ARTEL_SIM_FROM", next.to_string())
            .env("ARTEL_SIM_SEEDS", share.to_string())
            .spawn()
            .context("the simulator could not be started")?;
        children.push((child, next));
        next += share;
    }
    let mut good = true;
    for (mut child, first) in children {
        let status = child.wait()?;
        if !status.success() {
            println!("a run from seed {first} on failed; its last words name the seed");
            good = false;
        }
    }
    Ok(if good {
        println!("{seeds} seeds from {from} on: all agree");
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Builds by cargo's words and returns the one program that came of it.
pub(crate) fn built(workspace: &Workspace, words: &[&str]) -> Result<String> {
    let said = shell::output(
        shell::cargo()
            .current_dir(&workspace.root)
            .args(words)
            .args(["--message-format", "json-render-diagnostics"]),
    )?;
    said.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|line| line.get("executable")?.as_str().map(str::to_owned))
        .next_back()
        .with_context(|| format!("cargo {} named no program", words.join(" ")))
}

/// Fuzzes what comes from outside, each target for its share of the time. What is found is kept.
pub(crate) fn fuzz(workspace: &Workspace, args: &[String]) -> Result<ExitCode> {
    let words = Words::read(args, &["minutes"])?;
    let folder = workspace.root.join("fuzz");
    let known = targets(&folder)?;
    if let Some(unknown) = words.others.iter().find(|name| !known.contains(name)) {
        bail!(
            "there is no target \"{unknown}\"; there are: {}",
            known.join(", ")
        );
    }
    let chosen: Vec<&String> = known
        .iter()
        .filter(|name| words.others.is_empty() || words.others.contains(name))
        .collect();
    let seconds = (words.number("minutes", 5) * 60 / chosen.len() as u64).max(1);
    let host = host()?;
    let built = workspace.target.join("fuzz");
    // Named as a target, so that build scripts and macros are built as usual.
    shell::run(
        shell::cargo()
            .current_dir(&folder)
            .args(["build", "--release", "--locked"])
            .args(["--target", &host, "--target-dir"])
            .arg(&built)
            .env("RUSTFLAGS", COVERAGE),
    )?;
    let mut good = true;
    for name in chosen {
        println!("\n{name}: {seconds} s");
        let corpus = built.join("corpus").join(name);
        let found = folder.join("found").join(name);
        std::fs::create_dir_all(&corpus)?;
        std::fs::create_dir_all(&found)?;
        let mut command = std::process::Command::new(built.join(&host).join("release").join(name));
        command
            .arg(&corpus)
            .arg(folder.join("seeds").join(name))
            .arg(format!("-artifact_prefix={}/", found.display()))
            .arg(format!("-max_total_time={seconds}"))
            .args(["-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1"])
            .args(["-verbosity=0", "-close_fd_mask=0"]);
        if !command.status()?.success() {
            println!("{name} failed: the case lies in {}", found.display());
            good = false;
        } else if std::fs::read_dir(&found)?.next().is_none() {
            std::fs::remove_dir(&found)?;
        }
    }
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The targets, by name: each is a file that lies where they lie and is its own program.
fn targets(folder: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(folder.join("Cargo.toml"))?;
    let names = text
        .lines()
        .filter_map(|line| {
            line.strip_prefix("path = \"targets/")?
                .strip_suffix(".rs\"")
        })
        .map(str::to_owned)
        .collect::<Vec<_>>();
    ensure!(!names.is_empty(), "{} names no target", folder.display());
    Ok(names)
}

/// The triple of this machine.
fn host() -> Result<String> {
    let said = shell::output(std::process::Command::new("rustc").arg("-vV"))?;
    said.lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .context("rustc names no host")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Words> {
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        Words::read(&words, &["nodes", "seeds"])
    }

    #[test]
    fn options_are_numbers_and_known() {
        let words = read(&["a", "--nodes", "30", "b", "--nodes", "40"]).unwrap();
        assert_eq!(
            (words.number("nodes", 1), words.number("seeds", 2)),
            (40, 2)
        );
        assert_eq!(words.others, ["a", "b"]);
        for bad in [&["--steps", "1"][..], &["--nodes"], &["--nodes", "many"]] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
