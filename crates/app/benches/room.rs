//! From a message sent on one node to the same message shown on another, both durable: real stores,
//! real links over loopback, the application's own interface. Beside it the time this disk takes for
//! one fsync, in the same folder and run, and what an idle node takes of the machine.

#![allow(clippy::print_stdout, reason = "benchmarks print")]

mod session;

use std::{
    collections::HashMap,
    ffi::OsString,
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, ExitCode, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use artel_app::{
    api::{
        Event,
        rooms::{
            NetPeers, NodeInfo, NodeStart, RoomList, RoomRead, RoomSend, SpaceInvite, SpaceJoin,
            SpaceNew,
        },
    },
    session::Session,
};
use artel_measure::{Fsync, Memory, Noise, Role, Table, Times};
use session::ask;

/// Messages a second, evenly spaced, whether or not earlier ones have arrived.
const RATE: u32 = 100;
/// Messages that are not counted, then those that are.
const MESSAGES: (u32, u32) = (200, 2_000);
/// Letters of a message.
const LETTERS: usize = 180;
/// How long any single wait may take.
const PATIENCE: Duration = Duration::from_mins(1);
/// Nodes that are connected to the idle one.
const NEIGHBOURS: usize = 29;
/// How long the idle node settles, and how long it is then looked at.
const IDLE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(30));

/// The node that is looked at while it idles: its home.
const HUB: Role = Role {
    name: "hub",
    play: hub,
};
/// A node connected to it: its home, an invite, the hub's address.
const GUEST: Role = Role {
    name: "guest",
    play: guest,
};

fn main() -> ExitCode {
    artel_measure::run("room", &[HUB, GUEST], bench)
}

fn bench() -> anyhow::Result<()> {
    let folder = artel_measure::scratch(env!("CARGO_TARGET_TMPDIR"), "room")?;
    // Half of it before and half after: a disk has moods.
    let before = Fsync::measure(&folder, 200)?;
    let (stored, shown) = session::wait(talk(&folder))?;
    let after = Fsync::measure(&folder, 200)?;
    let mut table = Table::new(&["what", "p50, ms", "p95, ms", "longest, ms"]);
    for (what, times) in [
        (
            "fsync of 4 KiB appended",
            before.appended.with(after.appended),
        ),
        (
            "fsync of 4 KiB rewritten",
            before.rewritten.with(after.rewritten),
        ),
        ("sent: durable on the sender", stored),
        ("shown: durable on both", shown),
    ] {
        let milliseconds = |time: Duration| format!("{:.2}", time.as_secs_f64() * 1e3);
        table.row([
            what.to_owned(),
            milliseconds(times.median()),
            milliseconds(times.percentile(95)),
            milliseconds(times.max()),
        ]);
    }
    println!(
        "{} messages of {LETTERS} letters, {RATE} a second, from the moment each was due; all arrived whole, once and in order.\n\n{table}",
        MESSAGES.1
    );
    println!("{}", idle(&folder)?);
    fs::remove_dir_all(&folder)?;
    Ok(())
}

/// Two nodes in this process, each with its own home; how long until a message was durable on the
/// sender, and until it was shown on the other.
async fn talk(folder: &Path) -> anyhow::Result<(Times, Times)> {
    let ada = session::fresh(&folder.join("Ada"), "Ada").await?;
    let taras = session::fresh(&folder.join("Тарас"), "Тарас").await?;
    let (invite, address) = open_house(&ada, 1).await?;
    enter(&taras, &invite, &address).await?;
    let outcome = exchange(&ada, &taras).await;
    ada.close().await;
    taras.close().await;
    outcome
}

async fn exchange(ada: &Session, taras: &Session) -> anyhow::Result<(Times, Times)> {
    let rooms = ask(ada, RoomList::default()).await?;
    let room = rooms
        .into_iter()
        .next()
        .context("the space has no room")?
        .room;
    let count = MESSAGES.0 + MESSAGES.1;
    let mut events = taras.events();
    let listener = tokio::spawn(async move {
        let mut seen: HashMap<String, Instant> = HashMap::new();
        while seen.len() < count as usize {
            let event = tokio::time::timeout(PATIENCE, events.recv())
                .await
                .context("messages are missing")?
                .context("the listener missed events")?;
            if let Event::Message { message, .. } = event {
                // Later events of the same message tell of changes.
                seen.entry(message.id).or_insert_with(Instant::now);
            }
        }
        anyhow::Ok(seen)
    });
    let mut sending = Vec::new();
    let begun = Instant::now();
    for number in 0..count {
        let due = begun + Duration::from_secs(1) / RATE * number;
        tokio::time::sleep_until(due.into()).await;
        let (ada, room) = (ada.clone(), room.clone());
        sending.push(tokio::spawn(async move {
            let text = letter(number);
            let sent = ask(
                &ada,
                RoomSend {
                    room,
                    text,
                    attach: Vec::new(),
                    reply_to: None,
                    wait_s: None,
                },
            )
            .await?;
            anyhow::Ok((due, Instant::now(), sent.message))
        }));
    }
    let mut sent = Vec::new();
    for task in sending {
        sent.push(task.await??);
    }
    let seen = listener.await??;

    same(ada, taras, &room, count).await?;
    let mut stored = Vec::new();
    let mut shown = Vec::new();
    for (due, durable, id) in sent.iter().skip(MESSAGES.0 as usize) {
        let arrived = seen
            .get(id)
            .with_context(|| format!("{id} was not shown"))?;
        stored.push(durable.duration_since(*due));
        shown.push(arrived.duration_since(*due));
    }
    Ok((stored.into_iter().collect(), shown.into_iter().collect()))
}

/// Both nodes have every message, once, in the same order and with its own text.
async fn same(ada: &Session, taras: &Session, room: &str, count: u32) -> anyhow::Result<()> {
    let (one, other) = (read(ada, room).await?, read(taras, room).await?);
    ensure!(
        one == other,
        "the nodes differ: {} messages and {}",
        one.len(),
        other.len()
    );
    let mut texts: Vec<&str> = one.iter().map(|(_, text)| text.as_str()).collect();
    let mut expected: Vec<String> = (0..count).map(letter).collect();
    texts.sort_unstable();
    expected.sort_unstable();
    ensure!(
        texts == expected,
        "the messages are not those that were sent"
    );
    Ok(())
}

/// Id and text of every message, oldest first.
async fn read(session: &Session, room: &str) -> anyhow::Result<Vec<(String, String)>> {
    let mut pages = Vec::new();
    let mut before = None;
    loop {
        let page = ask(
            session,
            RoomRead {
                room: room.to_owned(),
                limit: Some(1_000),
                before: before.take(),
            },
        )
        .await?;
        before = page.messages.first().map(|first| first.id.clone());
        let found: Vec<_> = page
            .messages
            .into_iter()
            .map(|message| (message.id, message.text))
            .collect();
        pages.push(found);
        if !page.more || before.is_none() {
            return Ok(pages.into_iter().rev().flatten().collect());
        }
    }
}

fn letter(number: u32) -> String {
    let mut noise = Noise::new(u64::from(number));
    let mut text = format!("{number} ");
    while text.chars().count() + 1 < LETTERS {
        text.push(noise.pick(&['а', 'е', 'и', 'о', 'у', 'm', 'r', 's', 't', ' ']));
    }
    text + "."
}

async fn start(session: &Session) -> anyhow::Result<NodeInfo> {
    ask(
        session,
        NodeStart {
            port: Some(0),
            no_mdns: true,
            listen: vec!["/ip4/127.0.0.1/tcp/0".to_owned()],
        },
    )
    .await
}

/// Founds a space; returns an invite to it and the address to come to.
async fn open_house(session: &Session, seats: u32) -> anyhow::Result<(String, String)> {
    let node = start(session).await?;
    let address = node
        .addresses
        .into_iter()
        .next()
        .context("the node has no address")?;
    let space = ask(
        session,
        SpaceNew {
            name: "Class 7B".to_owned(),
        },
    )
    .await?
    .space;
    let invite = ask(
        session,
        SpaceInvite {
            space,
            role: None,
            seats: Some(seats),
            expires_s: Some(3_600),
            approve: false,
        },
    )
    .await?;
    Ok((invite.invite, address))
}

async fn enter(session: &Session, invite: &str, address: &str) -> anyhow::Result<()> {
    start(session).await?;
    let joined = ask(
        session,
        SpaceJoin {
            invite: invite.to_owned(),
            address: Some(address.to_owned()),
            timeout_s: Some(PATIENCE.as_secs()),
        },
    )
    .await?;
    ensure!(
        joined.state == "member",
        "joining ended as \"{}\"",
        joined.state
    );
    Ok(())
}

/// What an idle node with [`NEIGHBOURS`] connections takes of the machine, each a process.
fn idle(folder: &Path) -> anyhow::Result<String> {
    if Memory::own().is_none() {
        return Ok(
            "SKIPPED the idle node: this system does not tell a process's memory".to_owned(),
        );
    }
    let mut hub = Part::start(&HUB, vec![folder.join("hub").into_os_string()])?;
    let invite = hub.line()?;
    let address = hub.line()?;
    let mut guests = Vec::new();
    for number in 0..NEIGHBOURS {
        let home = folder.join(format!("guest {number}")).into_os_string();
        let arguments = vec![home, invite.clone().into(), address.clone().into()];
        let mut guest = Part::start(&GUEST, arguments)?;
        let said = guest.line()?;
        ensure!(said == "joined", "a guest says \"{said}\"");
        guests.push(guest);
    }
    writeln!(hub.input, "look")?;
    let said = hub.line()?;
    for part in guests.into_iter().chain([hub]) {
        part.end()?;
    }
    Ok(said)
}

fn hub(arguments: &[String]) -> anyhow::Result<()> {
    let [home] = arguments else {
        bail!("a hub needs a home");
    };
    session::wait(async {
        let session = session::fresh(Path::new(home), "Ada").await?;
        let (invite, address) = open_house(&session, 100).await?;
        println!("{invite}\n{address}");
        heard().await?;
        tokio::time::sleep(IDLE.0).await;
        let before = processor_time()?;
        tokio::time::sleep(IDLE.1).await;
        let used = processor_time()?.saturating_sub(before);
        let memory = Memory::own().context("the memory is not known")?;
        let peers = ask(&session, NetPeers {}).await?;
        let connected = peers.peers.iter().filter(|peer| peer.connected).count();
        ensure!(
            connected == NEIGHBOURS,
            "{connected} of {NEIGHBOURS} guests are connected"
        );
        println!(
            "Idle node with {connected} connections: {:.1} MB resident (peak {:.1}), {:.2} % of a core over {} s.",
            memory.resident as f64 / 1e6,
            memory.peak as f64 / 1e6,
            used.as_secs_f64() / IDLE.1.as_secs_f64() * 100.0,
            IDLE.1.as_secs()
        );
        heard().await?;
        session.close().await;
        Ok(())
    })
}

fn guest(arguments: &[String]) -> anyhow::Result<()> {
    let [home, invite, address] = arguments else {
        bail!("a guest needs a home, an invite and an address");
    };
    session::wait(async {
        let session = session::fresh(Path::new(home), "Тарас").await?;
        enter(&session, invite, address).await?;
        println!("joined");
        heard().await?;
        session.close().await;
        Ok(())
    })
}

/// Waits for a line, or the end, of standard input.
async fn heard() -> anyhow::Result<()> {
    tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await??;
    Ok(())
}

/// Processor time of this process so far (Linux).
fn processor_time() -> anyhow::Result<Duration> {
    /// Linux tells it in hundredths of a second on every architecture.
    const TICK: Duration = Duration::from_millis(10);
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The name in parentheses may itself contain anything.
    let fields = stat.rsplit(") ").next().unwrap_or_default();
    let mut ticks = 0_u32;
    for field in fields.split(' ').skip(11).take(2) {
        ticks += field.parse::<u32>()?;
    }
    Ok(TICK * ticks)
}

/// A process that plays a part until its input ends.
struct Part {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Part {
    fn start(role: &Role, arguments: Vec<OsString>) -> anyhow::Result<Self> {
        let mut child = role
            .command(&arguments)?
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (input, output) = pipes.context("the process has no pipes")?;
        Ok(Self {
            child,
            input,
            output: BufReader::new(output),
        })
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        ensure!(!line.is_empty(), "a node ended before its time");
        Ok(line.trim_end().to_owned())
    }

    fn end(self) -> anyhow::Result<()> {
        let Self {
            mut child,
            input,
            output,
        } = self;
        drop((input, output));
        let status = child.wait()?;
        ensure!(status.success(), "a node ended with {status}");
        Ok(())
    }
}
