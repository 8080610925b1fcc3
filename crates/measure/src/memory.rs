//! Memory and processor time of a process, where the system says them exactly (Linux).

use std::{
    fmt, fs,
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

    /// That of another process, by its number.
    pub fn of(process: impl fmt::Display) -> Option<Self> {
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

/// What a process has used of its machine since it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// Processor time.
    pub time: Duration,
    /// Bytes that came and went at the network cards it sees, the loopback left out: what else lives in its network
    /// namespace is counted as well.
    pub received: u64,
    /// See `received`.
    pub sent: u64,
}

impl Used {
    /// That of a process, by its number.
    pub fn of(process: impl fmt::Display) -> Option<Self> {
        let of = |what: &str| fs::read_to_string(format!("/proc/{process}/{what}")).ok();
        let (received, sent) = Self::parse_cards(&of("net/dev")?);
        Some(Self {
            time: Self::parse_time(&of("stat")?)?,
            received,
            sent,
        })
    }

    fn parse_time(stat: &str) -> Option<Duration> {
        /// Linux tells it in hundredths of a second on every architecture.
        const TICK: Duration = Duration::from_millis(10);
        // The name in parentheses may itself contain anything.
        let fields = stat.rsplit(") ").next()?.split(' ').skip(11).take(2);
        let ticks: Option<u32> = fields.map(|field| field.parse::<u32>().ok()).sum();
        Some(TICK * ticks?)
    }

    fn parse_cards(cards: &str) -> (u64, u64) {
        let lines = cards.lines().filter_map(|line| line.split_once(':'));
        let others = lines.filter(|(name, _)| name.trim() != "lo");
        others.fold((0, 0), |(received, sent), (_, counts)| {
            let mut counts = counts.split_whitespace().map(|count| count.parse().ok());
            let first = counts.next().flatten().unwrap_or(0);
            let ninth = counts.nth(7).flatten().unwrap_or(0);
            (received + first, sent + ninth)
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
    use std::time::Duration;

    use super::{Memory, Used};

    #[test]
    fn what_a_process_used_is_read_from_what_the_system_says() {
        let stat = "7 (a) b c) S 1 7 7 0 -1 4194560 900 0 1 0 150 25 3 4 20 0 2 0 99 1000 20";
        assert_eq!(Used::parse_time(stat), Some(Duration::from_millis(1750)));
        assert_eq!(Used::parse_time("7 (x) S 1"), Some(Duration::ZERO));
        let cards = "Inter-|   Receive                            |  Transmit\n \
             face |bytes    packets errs drop fifo frame compressed multicast|bytes packets\n    \
             lo: 500 5 0 0 0 0 0 0 500 5 0 0 0 0 0 0\n  \
             eth0: 1200 9 0 0 0 0 0 0 3400 11 0 0 0 0 0 0\n";
        assert_eq!(Used::parse_cards(cards), (1200, 3400));
    }

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
