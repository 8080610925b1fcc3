//! Memory and processor time of a process, where the system says them exactly (Linux).

use std::{
    fs,
    io::Read,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};

/// How often a process that is watched is looked at. Its peak only rises, so only what it does in
/// its last moments can be missed.
const LOOK: Duration = Duration::from_millis(2);

/// Memory of a process in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Resident now.
    pub resident: u64,
    /// The most that was resident at once.
    pub peak: u64,
}

impl Memory {
    /// This process's.
    pub fn own() -> Option<Self> {
        Self::of("self")
    }

    fn of(process: &str) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{process}/status")).ok()?)
    }

    fn parse(status: &str) -> Option<Self> {
        let field = |name: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(name))?;
            let kilobytes: u64 = value.trim().strip_suffix(" kB")?.parse().ok()?;
            Some(kilobytes << 10)
        };
        Some(Self {
            resident: field("VmRSS:")?,
            peak: field("VmHWM:")?,
        })
    }
}

/// A process that has ended well.
#[derive(Clone, Debug)]
pub struct Finished {
    /// What it wrote to standard output.
    pub output: String,
    /// How long it took, its start included.
    pub took: Duration,
    /// The most memory that it had, where the system says so.
    pub peak: Option<u64>,
}

/// Runs a command and watches its memory. One that fails is an error.
pub fn watch(command: &mut Command) -> anyhow::Result<Finished> {
    let name = command.get_program().to_string_lossy().into_owned();
    let begun = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("{name} cannot be started"))?;
    let process = child.id().to_string();
    let mut pipe = child.stdout.take().context("no standard output")?;
    let reader = thread::spawn(move || {
        let mut output = String::new();
        pipe.read_to_string(&mut output).map(|_| output)
    });
    let mut peak = None;
    let status = loop {
        peak = peak.max(Memory::of(&process).map(|memory| memory.peak));
        if let Some(status) = child.try_wait()? {
            break status;
        }
        thread::sleep(LOOK);
    };
    let took = begun.elapsed();
    let Ok(output) = reader.join() else {
        bail!("the output of {name} was lost");
    };
    ensure!(status.success(), "{name} ended with {status}");
    Ok(Finished {
        output: output.with_context(|| format!("the output of {name}"))?,
        took,
        peak,
    })
}

#[cfg(test)]
mod tests {
    use super::Memory;

    #[test]
    fn memory_is_read_from_what_the_system_says() {
        let status =
            "Name:\tx\nVmPeak:\t  900 kB\nVmHWM:\t     300 kB\nVmRSS:\t     200 kB\nThreads:\t1\n";
        assert_eq!(
            Memory::parse(status),
            Some(Memory {
                resident: 200 << 10,
                peak: 300 << 10
            })
        );
        assert_eq!(Memory::parse("Name:\tkthread\n"), None);
    }

    #[test]
    fn this_process_has_memory_where_the_system_says_so() {
        if !cfg!(target_os = "linux") {
            println!("SKIPPED this_process_has_memory_where_the_system_says_so: Linux only");
            return;
        }
        let before = Memory::own().unwrap();
        let held = vec![1_u8; 64 << 20];
        let after = Memory::own().unwrap();
        assert!(after.peak >= before.resident + (60 << 20), "{}", held.len());
    }
}
