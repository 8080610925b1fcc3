//! Every check and every test, each stage counted; one that fails does not hide the next.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    process::{Command, ExitCode},
    time::Instant,
};

use anyhow::{Context, Result};

use crate::{
    direction, generated, included, licences, outside,
    setup::{self, Purpose},
    shell::{self, Workspace},
    tally::{self, Tally},
};

/// The driver of the real window, as the tests were written for.
const TAURI_DRIVER: &str = "2.1.0";

/// Stages so far.
struct Stages {
    tally: Tally,
    began: Instant,
}

impl Stages {
    fn new() -> Self {
        Self {
            tally: Tally::default(),
            began: Instant::now(),
        }
    }

    /// Runs one stage and adds its count.
    fn stage(&mut self, name: &str, work: impl FnOnce() -> Result<Tally>) {
        println!("── {name}");
        let began = Instant::now();
        let tally = work().unwrap_or_else(|error| {
            eprintln!("{error:#}");
            Tally::failure(name)
        });
        println!(
            "── {name}: {tally} ({:.0} s)\n",
            began.elapsed().as_secs_f64()
        );
        self.tally.add(tally);
    }

    /// Runs one command as a stage that passes or fails as a whole.
    fn command(&mut self, name: &str, command: &mut Command) {
        self.stage(name, || shell::run(command).map(|()| Tally::pass()));
    }

    /// Names what failed and what was skipped; the last line is the count.
    fn finish(self) -> ExitCode {
        println!("in {:.0} s", self.began.elapsed().as_secs_f64());
        for skipped in &self.tally.skipped {
            println!("SKIPPED {skipped}");
        }
        for failed in &self.tally.failed {
            println!("FAILED {failed}");
        }
        println!("{}", self.tally);
        if self.tally.failed.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

/// Everything.
pub(crate) fn test(workspace: &Workspace) -> Result<ExitCode> {
    let before = traces(workspace)?;
    let mut stages = Stages::new();
    stages.stage("set-up", || {
        setup::packages(Purpose::Test)?;
        setup::page(workspace)?;
        Ok(Tally::pass())
    });
    checks(&mut stages, workspace);
    stages.stage("page tests", || page_tests(workspace));
    stages.command(
        "build",
        cargo(workspace).args([
            // Not the benchmarks: clippy has looked at them, and they are built as released.
            "build",
            "--workspace",
            "--lib",
            "--bins",
            "--tests",
            "--examples",
            "--exclude",
            "xtask",
        ]),
    );
    for (name, kind) in [
        ("bindings are the latest", generated::BINDINGS),
        ("schema is the latest", generated::SCHEMA),
    ] {
        stages.stage(name, || {
            generated::check(workspace, kind).map(|()| Tally::pass())
        });
    }
    stages.stage("tests", || rust_tests(workspace));
    stages.stage("documentation tests", || {
        let mut command = cargo(workspace);
        command.args([
            "test",
            "--workspace",
            "--doc",
            "--no-fail-fast",
            "--color",
            "never",
        ]);
        counted("documentation tests", &mut command)
    });
    stages.stage("nothing left behind", || {
        let left: Vec<String> = traces(workspace)?.difference(&before).cloned().collect();
        anyhow::ensure!(
            left.is_empty(),
            "tests left these behind:\n  {}",
            left.join("\n  ")
        );
        Ok(Tally::pass())
    });
    Ok(stages.finish())
}

/// The checks that run no tests.
pub(crate) fn lint(workspace: &Workspace) -> ExitCode {
    let mut stages = Stages::new();
    stages.stage("set-up", || {
        setup::packages(Purpose::Build)?;
        setup::page(workspace)?;
        Ok(Tally::pass())
    });
    checks(&mut stages, workspace);
    stages.finish()
}

/// The journey through every place in every look, with pictures for the documents.
pub(crate) fn screens(workspace: &Workspace) -> Result<()> {
    setup::packages(Purpose::Test)?;
    setup::page(workspace)?;
    let driver = tauri_driver(workspace)?;
    shell::run(cargo(workspace).args([
        "build",
        "--workspace",
        "--bin",
        "artel",
        "--bin",
        "artel-desktop",
    ]))?;
    let mut command = cargo(workspace);
    command
        .args(["test", "--workspace", "--test", "journeys", "screens::"])
        .env("ARTEL_BIN", workspace.program("artel"))
        .env("ARTEL_DESKTOP_BIN", workspace.program("artel-desktop"))
        .env("ARTEL_SCREENS", workspace.root.join("docs").join("screens"))
        .env("TAURI_DRIVER", driver);
    shell::run(&mut command)
}

fn checks(stages: &mut Stages, workspace: &Workspace) {
    stages.command("format", cargo(workspace).args(["fmt", "--all", "--check"]));
    stages.stage("order of crates", || {
        direction::check(workspace).map(|()| Tally::pass())
    });
    stages.stage("every test file is compiled", || {
        included::check(workspace).map(|()| Tally::pass())
    });
    stages.stage("no way out of the room", || {
        outside::check(workspace).map(|()| Tally::pass())
    });
    stages.stage("licences and sources", || {
        licences::check(workspace)?;
        // It reads the licences' texts too. Its advisories need the internet; the rest must hold without.
        if shell::answers("cargo", &["deny", "--version"]) {
            shell::run(cargo(workspace).args(["deny", "check", "bans", "licenses", "sources"]))?;
        }
        Ok(Tally::pass())
    });
    stages.command("page types", shell::npm(workspace).args(["run", "check"]));
    stages.command("page lint", shell::npm(workspace).args(["run", "lint"]));
    stages.command(
        "clippy",
        cargo(workspace).args([
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]),
    );
}

fn cargo(workspace: &Workspace) -> Command {
    let mut command = shell::cargo();
    command.current_dir(&workspace.root);
    command
}

fn rust_tests(workspace: &Workspace) -> Result<Tally> {
    let mut tally = Tally::default();
    let nextest = shell::answers("cargo", &["nextest", "--version"]);
    let mut command = cargo(workspace);
    if nextest {
        command.args(["nextest", "run", "--workspace", "--no-fail-fast"]);
        // The output of passed tests tells which of them were skipped.
        command.args(["--success-output", "immediate", "--color", "never"]);
    } else {
        command.args([
            "test",
            "--workspace",
            "--lib",
            "--bins",
            "--tests",
            "--no-fail-fast",
        ]);
        command.args(["--color", "never", "--", "--show-output"]);
    }
    command.env("ARTEL_BIN", workspace.program("artel"));
    command.env("ARTEL_DESKTOP_BIN", workspace.program("artel-desktop"));
    command.env("ARTEL_HOSTILE_BIN", workspace.program("examples/hostile"));
    command.env("ARTEL_SCREENS", workspace.target.join("screens"));
    match tauri_driver(workspace) {
        Ok(driver) => {
            command.env("TAURI_DRIVER", driver);
        }
        // The window tests then skip themselves, by name.
        Err(error) => eprintln!("note: {error:#}"),
    }
    tally.add(counted("tests", &mut command)?);
    Ok(tally)
}

/// Runs a test runner and counts what it tells.
fn counted(stage: &str, command: &mut Command) -> Result<Tally> {
    let mut reader = tally::Reader::default();
    let success = shell::lines(command, |line| {
        if reader.line(line) {
            println!("{line}");
        }
    })?;
    Ok(reader.finish(stage, success))
}

fn page_tests(workspace: &Workspace) -> Result<Tally> {
    let mut command = shell::npm(workspace);
    command
        .args(["run", "test"])
        .env("NO_COLOR", "1")
        .env("CI", "1");
    let mut counts = None;
    let success = shell::lines(&mut command, |line| {
        counts = tally::vitest(line).or(counts);
        println!("{line}");
    })?;
    let (passed, failed, skipped) = counts.context("vitest did not tell what it ran")?;
    let mut tally = Tally {
        passed,
        failed: (0..failed)
            .map(|_| "page test, named above".to_owned())
            .collect(),
        ..Tally::default()
    };
    if skipped > 0 {
        tally.add(Tally::skip(
            "page tests",
            &format!("{skipped} are marked so"),
        ));
    }
    if !success && failed == 0 {
        tally.add(Tally::failure("page tests"));
    }
    Ok(tally)
}

/// The WebDriver server for the desktop's window, installed below the build folder if absent.
fn tauri_driver(workspace: &Workspace) -> Result<PathBuf> {
    if let Some(given) = std::env::var_os("TAURI_DRIVER") {
        return Ok(given.into());
    }
    let tools = workspace.target.join("tools");
    let mut program = tools.join("bin").join("tauri-driver");
    program.set_extension(std::env::consts::EXE_EXTENSION);
    if !program.exists() {
        println!("installing tauri-driver {TAURI_DRIVER}");
        shell::run(
            cargo(workspace)
                .args([
                    "install",
                    "tauri-driver",
                    "--locked",
                    "--version",
                    TAURI_DRIVER,
                    "--root",
                ])
                .arg(&tools),
        )?;
    }
    Ok(program)
}

/// What tests could leave behind: files in the working tree, a home folder, network namespaces.
fn traces(workspace: &Workspace) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let status = Command::new("git")
        .args(["status", "--porcelain", "--untracked-files=all"])
        .current_dir(&workspace.root)
        .output();
    if let Ok(status) = status {
        found.extend(
            String::from_utf8_lossy(&status.stdout)
                .lines()
                .map(str::to_owned),
        );
    }
    if let Some(home) = std::env::home_dir() {
        for place in [
            ".local/share/artel",
            ".local/share/app.artel.desktop",
            "Library/Application Support/artel",
            "AppData/Local/Artel",
        ] {
            let place = home.join(place);
            if place.try_exists()? {
                found.insert(place.display().to_string());
            }
        }
    }
    if cfg!(target_os = "linux")
        && let Ok(names) = Command::new("ip").args(["netns", "list"]).output()
    {
        let text = String::from_utf8_lossy(&names.stdout);
        found.extend(
            text.lines()
                .filter(|line| line.starts_with("artel-"))
                .map(|line| format!("network namespace {line}")),
        );
    }
    Ok(found)
}
