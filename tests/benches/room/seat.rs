//! One computer of the room: a person's home, and their `artel node` while it runs.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use artel_app::{
    api::{
        Command, Event, Handle as _,
        profile::ProfileNew,
        rooms::{
            Message, RoomList, RoomRead, RoomSend, Sent, SpaceInvite, SpaceJoin, SpaceMembers,
        },
    },
    host,
    session::Session,
    socket::{self, Client},
};
use artel_measure::{Memory, Used};
use artel_tests::lan;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdout},
    task::JoinHandle,
    time::sleep,
};

use crate::{PATIENCE, POLL};

const PASSPHRASE: &str = "only for this benchmark";
/// Messages of a page when a room is read whole.
const PAGE: u32 = 1_000;

/// A computer of the room.
pub(crate) struct Seat {
    /// Name of its person.
    pub(crate) name: String,
    host: lan::Host,
    home: PathBuf,
    running: Option<Running>,
}

struct Running {
    child: Child,
    process: u32,
    /// When it said that it is ready.
    ready: Instant,
    client: Client,
    /// Kept open: who prints to a closed pipe is ended.
    _said: BufReader<ChildStdout>,
}

/// What a node has used of its machine until now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) memory: Memory,
    pub(crate) time: Duration,
    /// Bytes that came and went at its network card.
    pub(crate) wire: (u64, u64),
}

impl Seat {
    /// A person with a fresh profile in a home below `place`.
    pub(crate) async fn new(host: &lan::Host, place: &Path, name: &str) -> Result<Self> {
        let seat = Self {
            name: name.to_owned(),
            host: host.clone(),
            home: place.join(name),
            running: None,
        };
        let new = ProfileNew {
            name: name.to_owned(),
            passphrase: PASSPHRASE.to_owned(),
        };
        host::Host::new(&seat.home).handle(new).await?;
        Ok(seat)
    }

    /// Where the node can be reached.
    pub(crate) fn address(&self) -> String {
        format!("/ip4/{}/tcp/47600", self.host.address())
    }

    /// The computer itself.
    pub(crate) fn host(&self) -> &lan::Host {
        &self.host
    }

    /// Opens the profile in this process, without the network. The node must not run.
    pub(crate) async fn open(&self) -> Result<Session> {
        Ok(host::Host::new(&self.home)
            .open(&self.name, PASSPHRASE)
            .await?)
    }

    /// Starts the node, waits until it is ready and connects to its control socket.
    pub(crate) async fn start(&mut self) -> Result<()> {
        ensure!(self.running.is_none(), "{} runs already", self.name);
        let mut command = self.host.command(crate::program());
        command
            .args(["--json", "--profile", &self.name, "node"])
            .env("ARTEL_HOME", &self.home)
            .env("ARTEL_PASSPHRASE", PASSPHRASE)
            .env_remove("ARTEL_PROFILE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = tokio::process::Command::from(command)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| crate::program().display().to_string())?;
        let process = child.id().context("the node has ended already")?;
        let mut said = BufReader::new(child.stdout.take().context("no standard output")?);
        let mut line = String::new();
        tokio::time::timeout(PATIENCE, said.read_line(&mut line)).await??;
        ensure!(
            line.contains("\"ready\""),
            "the node of {} says \"{line}\"",
            self.name
        );
        let ready = Instant::now();
        let client = socket::connect(&self.home, &self.name, PASSPHRASE)
            .await?
            .with_context(|| format!("the node of {} has no control socket", self.name))?;
        self.running = Some(Running {
            child,
            process,
            ready,
            client,
            _said: said,
        });
        Ok(())
    }

    /// Ends the node as Ctrl-C does, and waits for it.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        let Some(mut running) = self.running.take() else {
            return Ok(());
        };
        let process = running.process.to_string();
        let asked = tokio::process::Command::new("kill")
            .args(["-INT", &process])
            .status()
            .await?;
        ensure!(asked.success(), "kill ended with {asked}");
        let status = tokio::time::timeout(PATIENCE, running.child.wait()).await??;
        ensure!(
            status.success(),
            "the node of {} ended with {status}",
            self.name
        );
        Ok(())
    }

    fn running(&self) -> Result<&Running> {
        self.running
            .as_ref()
            .with_context(|| format!("the node of {} does not run", self.name))
    }

    /// When the node said that it is ready.
    pub(crate) fn ready(&self) -> Result<Instant> {
        Ok(self.running()?.ready)
    }

    /// Its control socket.
    pub(crate) fn client(&self) -> Result<&Client> {
        Ok(&self.running()?.client)
    }

    /// Has the node carry out a command.
    pub(crate) async fn ask<C: Command>(&self, command: C) -> Result<C::Reply> {
        let call = self.client()?.call(command);
        let answer = tokio::time::timeout(PATIENCE, call)
            .await
            .with_context(|| format!("{} of {} takes too long", C::NAME, self.name))?;
        answer.with_context(|| format!("{} of {}", C::NAME, self.name))
    }

    /// What the node has used until now.
    pub(crate) fn usage(&self) -> Result<Usage> {
        let process = self.running()?.process;
        let used = Used::of(process).context("the system does not tell what a process uses")?;
        Ok(Usage {
            memory: Memory::of(process).context("the system does not tell a process's memory")?,
            time: used.time,
            wire: (used.received, used.sent),
        })
    }

    /// Makes an invite to a space.
    pub(crate) async fn invite(&self, space: &str, seats: u32) -> Result<String> {
        let terms = SpaceInvite {
            space: space.to_owned(),
            role: None,
            seats: Some(seats),
            expires_s: Some(86_400),
            approve: false,
        };
        Ok(self.ask(terms).await?.invite)
    }

    /// Joins by an invite, through the node of another.
    pub(crate) async fn join(&self, invite: &str, through: &Self) -> Result<()> {
        let joined = self
            .ask(SpaceJoin {
                invite: invite.to_owned(),
                address: Some(through.address()),
                timeout_s: Some(60),
            })
            .await?;
        ensure!(
            joined.state == "member",
            "{} is {}",
            self.name,
            joined.state
        );
        Ok(())
    }

    /// Notes from now on when a message is shown for the first time.
    pub(crate) async fn listen(&self) -> Result<Ear> {
        let mut events = self.client()?.events().await?;
        let heard = Arc::new(Mutex::new(HashMap::new()));
        let notes = Arc::clone(&heard);
        let listening = tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                if let Event::Message { message, .. } = event {
                    // Later events of the same message tell of changes.
                    let mut heard = notes.lock().unwrap_or_else(PoisonError::into_inner);
                    heard.entry(message.id).or_insert_with(Instant::now);
                }
            }
        });
        Ok(Ear { heard, listening })
    }

    /// Sends a message.
    pub(crate) async fn send(&self, room: &str, text: &str) -> Result<Sent> {
        self.ask(message(room, text)).await
    }

    /// How many others of its space it sees.
    pub(crate) async fn sees(&self, space: &str) -> Result<usize> {
        let space = space.to_owned();
        let members = self.ask(SpaceMembers { space }).await?;
        Ok(members
            .iter()
            .filter(|member| member.online && !member.me)
            .count())
    }

    /// How many messages of others it shows; nobody has looked at any of them.
    pub(crate) async fn shows(&self) -> Result<u32> {
        let rooms = self.ask(RoomList::default()).await?;
        Ok(rooms.iter().map(|room| room.unread).sum())
    }

    /// Waits until it shows so many messages of others.
    pub(crate) async fn until_shown(&self, count: u32) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        loop {
            let shown = self.shows().await?;
            if shown >= count {
                return Ok(());
            }
            ensure!(
                Instant::now() < end,
                "{} shows {shown} of {count} messages",
                self.name
            );
            sleep(POLL).await;
        }
    }

    /// Every message of the room, oldest first.
    pub(crate) async fn read(&self, room: &str) -> Result<Vec<Message>> {
        let mut pages = Vec::new();
        let mut before = None;
        loop {
            let page = self
                .ask(RoomRead {
                    room: room.to_owned(),
                    limit: Some(PAGE),
                    before: before.take(),
                })
                .await?;
            before = page.messages.first().map(|first| first.id.clone());
            let more = page.more;
            pages.push(page.messages);
            if !more || before.is_none() {
                return Ok(pages.into_iter().rev().flatten().collect());
            }
        }
    }
}

/// Hears of the messages that a node shows.
pub(crate) struct Ear {
    heard: Arc<Mutex<HashMap<String, Instant>>>,
    listening: JoinHandle<()>,
}

impl Ear {
    /// When a message was shown; waits for it.
    pub(crate) async fn when(&self, id: &str) -> Result<Instant> {
        let end = Instant::now() + PATIENCE;
        loop {
            {
                let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(at) = heard.get(id) {
                    return Ok(*at);
                }
            }
            ensure!(Instant::now() < end, "{id} was not shown");
            sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// The command that sends a message.
pub(crate) fn message(room: &str, text: &str) -> RoomSend {
    RoomSend {
        room: room.to_owned(),
        text: text.to_owned(),
        attach: Vec::new(),
        reply_to: None,
        wait_s: None,
    }
}
