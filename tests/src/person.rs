//! A person at a machine: a home folder, a profile, the `artel` command.

use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::lan::Host;

const PASSPHRASE: &str = "correct horse battery staple";

/// How long any one command may take before the journey fails.
const PATIENCE: Duration = Duration::from_mins(3);

/// A person with a home of their own.
#[derive(Clone)]
pub struct Person {
    name: String,
    passphrase: String,
    home: PathBuf,
    host: Option<Host>,
}

/// Runs `artel` with these words and nothing else: no home, no profile, no `--json`.
pub fn bare(args: &[&str]) -> Result<std::process::Output> {
    Command::new(crate::artel())
        .args(args)
        .env_remove("ARTEL_HOME")
        .env_remove("ARTEL_PROFILE")
        .env_remove("ARTEL_PASSPHRASE")
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("artel {}", args.join(" ")))
}

/// What a command said and how it ended.
#[derive(Debug)]
pub struct Outcome {
    /// Exit status; `None` when a signal ended it.
    pub status: Option<i32>,
    /// Lines of standard output as JSON.
    pub lines: Vec<Value>,
    /// Standard error.
    pub stderr: String,
}

impl Outcome {
    /// The error as `--json` tells it.
    pub fn error(&self) -> Result<Value> {
        self.stderr
            .lines()
            .rev()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .find_map(|line| line.get("error").cloned())
            .with_context(|| format!("no error on standard error: {}", self.stderr))
    }
}

impl Person {
    /// A person with a fresh profile in a folder of `place`, on this machine.
    pub fn new(place: &Path, name: &str) -> Result<Self> {
        Self::at(place, name, None)
    }

    /// A person with a fresh profile in a folder of `place`, on a host of a LAN.
    pub fn on(host: &Host, place: &Path, name: &str) -> Result<Self> {
        Self::at(place, name, Some(host.clone()))
    }

    fn at(place: &Path, name: &str, host: Option<Host>) -> Result<Self> {
        let person = Self {
            name: name.to_owned(),
            passphrase: PASSPHRASE.to_owned(),
            home: place.join(format!("home of {name}")),
            host,
        };
        person.one(&["profile", "new", name])?;
        Ok(person)
    }

    /// The same home, another profile.
    #[must_use]
    pub fn named(&self, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..self.clone()
        }
    }

    /// The same profile, another passphrase.
    #[must_use]
    pub fn with_passphrase(&self, passphrase: &str) -> Self {
        Self {
            passphrase: passphrase.to_owned(),
            ..self.clone()
        }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The passphrase.
    pub fn passphrase(&self) -> &str {
        &self.passphrase
    }

    /// The home folder.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The command of this person, ready for arguments.
    pub fn command(&self) -> Command {
        let mut command = match &self.host {
            Some(host) => host.command(crate::artel()),
            None => Command::new(crate::artel()),
        };
        command
            .args(["--json", "--profile", &self.name])
            .env("ARTEL_HOME", &self.home)
            .env("ARTEL_PASSPHRASE", &self.passphrase)
            .env_remove("ARTEL_PROFILE");
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> Result<Outcome> {
        let running = self.start(args)?;
        running.finish(PATIENCE)
    }

    /// Runs a command that must succeed; returns its lines.
    pub fn lines(&self, args: &[&str]) -> Result<Vec<Value>> {
        let outcome = self.run(args)?;
        ensure!(
            outcome.status == Some(0),
            "{} ran artel {}: status {:?}\n{}",
            self.name,
            args.join(" "),
            outcome.status,
            outcome.stderr
        );
        Ok(outcome.lines)
    }

    /// Runs a command that must succeed with one line; returns it.
    pub fn one(&self, args: &[&str]) -> Result<Value> {
        let mut lines = self.lines(args)?;
        ensure!(
            lines.len() == 1,
            "artel {} gave {} lines",
            args.join(" "),
            lines.len()
        );
        lines.pop().context("no line")
    }

    /// A text field of a command's one line.
    pub fn text(&self, args: &[&str], field: &str) -> Result<String> {
        let line = self.one(args)?;
        line.get(field)
            .and_then(Value::as_str)
            .map(str::to_owned)
            .with_context(|| format!("artel {}: no {field} in {line}", args.join(" ")))
    }

    /// Texts of a room, oldest first.
    pub fn texts(&self, room: &str) -> Result<Vec<String>> {
        let lines = self.lines(&["room", "read", room])?;
        Ok(lines
            .iter()
            .filter_map(|line| line.get("text").and_then(Value::as_str))
            .map(str::to_owned)
            .collect())
    }

    /// Starts a command and leaves it running.
    pub fn start(&self, args: &[&str]) -> Result<Running> {
        let mut command = self.command();
        command.args(args);
        Running::spawn(&format!("{}: artel {}", self.name, args.join(" ")), command)
    }

    /// Starts `artel node` without mDNS and waits until it is ready; an address to reach it at.
    pub fn quiet_node(&self) -> Result<(Running, String)> {
        let (node, ready) = match &self.host {
            Some(_) => self.node(&["--no-mdns"])?,
            None => self.node(&["--no-mdns", "--listen", "/ip4/127.0.0.1/tcp/0"])?,
        };
        let here = self.host.as_ref().map_or("127.0.0.1", Host::address);
        let address = ready
            .get("addresses")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .find(|address| address.contains(here))
            .with_context(|| format!("no address at {here} in {ready}"))?
            .to_owned();
        Ok((node, address))
    }

    /// Starts `artel node` and waits until it is ready.
    pub fn node(&self, args: &[&str]) -> Result<(Running, Value)> {
        let mut all = vec!["node"];
        all.extend(args);
        let mut node = self.start(&all)?;
        let ready = node.first_line(Duration::from_mins(1))?;
        Ok((node, ready))
    }
}

/// A command that is running. It is killed when dropped.
pub struct Running {
    what: String,
    child: Child,
    said: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
    errors: Option<JoinHandle<String>>,
}

impl Running {
    /// Starts a program whose lines are read as they come.
    pub fn spawn(what: &str, mut command: Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| {
                let program = command.get_program().to_string_lossy();
                format!("{program} cannot be started; build it with cargo build")
            })?;
        let said = Arc::new(Mutex::new(Vec::new()));
        let stdout = child.stdout.take().context("no standard output")?;
        let stderr = child.stderr.take().context("no standard error")?;
        let lines = Arc::clone(&said);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Ok(mut lines) = lines.lock() {
                    lines.push(line);
                }
            }
        });
        let errors = std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = BufReader::new(stderr).read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        Ok(Self {
            what: what.to_owned(),
            child,
            said,
            reader: Some(reader),
            errors: Some(errors),
        })
    }

    /// The most memory that it has had so far, in bytes. Linux.
    pub fn peak_memory(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kilobytes = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"))
            .context("no peak of memory in its status")?;
        Ok(kilobytes.parse::<u64>()? * 1024)
    }

    /// Waits until it has said a line.
    pub fn says(&mut self, line: &str, patience: Duration) -> Result<()> {
        let said = Arc::clone(&self.said);
        let quoted = format!("{line:?}");
        self.until(&format!("\"{line}\""), patience, || {
            let said = said.lock().map(|said| said.contains(&quoted));
            Ok(said.unwrap_or_default().then_some(()))
        })
    }

    /// Waits for the first line of standard output.
    pub fn first_line(&mut self, patience: Duration) -> Result<Value> {
        let line = crate::wait::until(&format!("a line of {}", self.what), patience, || {
            let line = self.said.lock().ok().and_then(|said| said.first().cloned());
            if line.is_none() && self.child.try_wait()?.is_some() {
                return Ok(Some(None));
            }
            Ok(line.map(Some))
        })?;
        let Some(line) = line else {
            let errors = self
                .errors
                .take()
                .and_then(|errors| errors.join().ok())
                .unwrap_or_default();
            bail!("{} ended without a word: {errors}", self.what);
        };
        serde_json::from_str(&line).with_context(|| line.clone())
    }

    /// Lines on standard output until now.
    pub fn lines_so_far(&self) -> usize {
        self.said.lock().map_or(0, |said| said.len())
    }

    /// Waits for the end.
    pub fn finish(mut self, patience: Duration) -> Result<Outcome> {
        let status = crate::wait::until(&format!("the end of {}", self.what), patience, || {
            Ok(self.child.try_wait()?)
        })?;
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        let stderr = self
            .errors
            .take()
            .and_then(|errors| errors.join().ok())
            .unwrap_or_default();
        let said = self
            .said
            .lock()
            .map(|said| said.clone())
            .unwrap_or_default();
        let lines = said
            .iter()
            .map(|line| {
                serde_json::from_str(line)
                    .with_context(|| format!("{}: not JSON: {line}", self.what))
            })
            .collect::<Result<_>>()?;
        Ok(Outcome {
            status: status.code(),
            lines,
            stderr,
        })
    }

    /// Waits so long for its end while `ask` finds nothing.
    pub fn until<T>(
        &mut self,
        what: &str,
        patience: Duration,
        mut ask: impl FnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        crate::wait::until(what, patience, || {
            if let Some(answer) = ask()? {
                return Ok(Some(Ok(answer)));
            }
            Ok(self.child.try_wait()?.map(Err))
        })?
        .map_err(|status| anyhow::anyhow!("{} ended with {status} before {what}", self.what))
    }

    /// Presses Ctrl-C.
    pub fn interrupt(&self) -> Result<()> {
        let status = Command::new("kill")
            .args(["-INT", &self.child.id().to_string()])
            .status()
            .context("kill")?;
        ensure!(status.success(), "kill ended with {status}");
        Ok(())
    }

    /// Ends it as a power cut would: no signal handler runs.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
