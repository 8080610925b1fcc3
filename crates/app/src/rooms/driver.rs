//! Drives the sync core: one thread, one transaction a batch, nothing leaves before the commit.
//!
//! Frames, commands and the clock come in by one queue. What waits is taken together, handed to
//! the [`Node`] inside one transaction of the store, and the view follows in the same one. Only
//! when that is durable do frames go out, callers hear back and listeners learn (invariant 3).
//! When it fails, nothing has happened: links are dropped and the node is loaded again.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use artel_domain::{DeviceId, DeviceKey, MemberKey, MessageId, RecordError, Role};
use artel_store::{Connection, StoreError, addresses, deletions, identity};
use artel_sync::{
    Ports, Settings,
    net::{self, LinkId, Network, PeerId, Target, device_of, peer_of},
    protocol::{
        CommandError, Entropy, Event, HeldOff, Identity, Lane, Ledger, LedgerError, Node, Output,
        PageError, Reach, Reason,
    },
};
use tokio::sync::{broadcast, oneshot, watch};
use tracing::{info, warn};

use super::{
    amend,
    ledger::SqlLedger,
    network::PeerTable,
    restored::{self, InStep},
    view::{self, Changes},
};
use crate::{
    api,
    error::{AppError, Code},
    installation::{NewDevice, no_identity, now_ms},
    session::Core,
    settings,
};

/// Most inputs in one transaction.
const BATCH: usize = 64;
/// How often the core is told the time while the network runs.
const TICK: Duration = Duration::from_millis(250);
/// Pause before the next attempt to load after a failure.
const RELOAD: Duration = Duration::from_secs(1);
/// How long a peer that broke the rules is not dialled.
const BAN: Duration = Duration::from_mins(10);
/// A time that has come whatever the clock says.
const AT_ONCE: i64 = i64::MIN;
/// Join outcomes that may wait for a slow listener.
const OUTCOMES: usize = 64;

/// Why a step of a command failed.
pub(super) enum Failed {
    /// The database did: the whole batch is undone.
    Ledger(LedgerError),
    /// The command did, and changed nothing.
    Command(AppError),
}

impl From<LedgerError> for Failed {
    fn from(reason: LedgerError) -> Self {
        Self::Ledger(reason)
    }
}

impl From<StoreError> for Failed {
    fn from(reason: StoreError) -> Self {
        match reason {
            StoreError::NotFound { .. } => Self::Command(reason.into()),
            _ => Self::Ledger(LedgerError(Box::new(reason))),
        }
    }
}

impl From<AppError> for Failed {
    fn from(reason: AppError) -> Self {
        Self::Command(reason)
    }
}

impl From<CommandError> for Failed {
    fn from(reason: CommandError) -> Self {
        match reason {
            CommandError::Ledger(reason) => Self::Ledger(reason),
            other => Self::Command(command_error(&other)),
        }
    }
}

pub(super) fn command_error(reason: &CommandError) -> AppError {
    let code = match reason {
        CommandError::NoSpace
        | CommandError::NoRoom
        | CommandError::NoMessage
        | CommandError::NoAttachment
        | CommandError::NoMember
        | CommandError::NoDevice
        | CommandError::NoPage
        | CommandError::NoInvite => Code::NotFound,
        CommandError::Forbidden { .. }
        | CommandError::NotAuthor
        | CommandError::Removed
        | CommandError::Gone(_)
        | CommandError::DirectOff
        | CommandError::OwnMessage
        | CommandError::NobodyToTell
        | CommandError::LastOwner
        | CommandError::Spent
        | CommandError::NotEnrolled => Code::NotAllowed,
        CommandError::Page(PageError::Failed) => Code::Internal,
        CommandError::Record(_) | CommandError::Page(_) => Code::BadArguments,
        CommandError::AlreadyMember => Code::Exists,
        CommandError::TooManyFiles | CommandError::TooManyDoors => Code::WrongState,
        CommandError::Ledger(_) | CommandError::Entropy(_) | CommandError::Feed(_) => {
            Code::Internal
        }
    };
    let otherwise = match reason {
        CommandError::Record(RecordError::Rule { rule, .. }) => {
            return AppError::new(code, *rule, "Nothing was done. Mend it and try again.");
        }
        CommandError::LastOwner => {
            let message = "the last owner cannot leave";
            let hint = "Name another one first: artel space role SPACE MEMBER owner";
            return AppError::new(code, message, hint);
        }
        CommandError::NoPage => {
            let message = "this room has no page yet";
            let hint = "A teacher opens it: artel room notes ROOM --open-to students";
            return AppError::new(code, message, hint);
        }
        CommandError::NoSpace => "See which there are: artel space list",
        CommandError::NoRoom => "See which there are: artel room list",
        CommandError::NoMessage | CommandError::NoAttachment => {
            "Ids stand beside the messages: artel room read ROOM --json"
        }
        CommandError::NoMember | CommandError::NoDevice => {
            "See who is there: artel space members SPACE"
        }
        CommandError::NoInvite => "See which there are: artel space invites SPACE",
        CommandError::Forbidden { role, .. } => match role {
            Some(Role::Owner) => "Ask another owner of the space.",
            Some(Role::Teacher) => "Ask an owner of the space.",
            Some(Role::Student | Role::Observer) => "Ask a teacher or an owner of the space.",
            None => "Wait until you are let in, or ask for a new invite.",
        },
        CommandError::Spent => {
            "See your machines and end the one that is not in your hands: artel device list"
        }
        CommandError::TooManyDoors => "Close one: artel space door SPACE --close",
        CommandError::AlreadyMember => "Go in: artel room list",
        CommandError::Gone(_) => "What was said stays to be read; nothing new can be sent.",
        CommandError::DirectOff => {
            "Write in a room: artel room list. Who runs the space turns them on: \
             artel space policy SPACE --set direct=on"
        }
        CommandError::OwnMessage => "Delete it: artel room delete MESSAGE",
        CommandError::NobodyToTell => "Talk to someone outside of Artel whom you trust.",
        CommandError::Record(_) => "Nothing was done. Mend it and try again.",
        CommandError::Ledger(_)
        | CommandError::Entropy(_)
        | CommandError::Feed(_)
        | CommandError::Page(PageError::Failed) => return AppError::internal(&reason),
        CommandError::NotEnrolled
        | CommandError::NotAuthor
        | CommandError::Removed
        | CommandError::TooManyFiles
        | CommandError::Page(_) => "Try again later.",
    };
    AppError::of(code, reason, otherwise)
}

fn ledger_error(reason: LedgerError) -> AppError {
    match reason.0.downcast::<StoreError>() {
        Ok(reason) => (*reason).into(),
        Err(reason) => AppError::internal(&reason),
    }
}

pub(super) enum BatchError {
    Store(StoreError),
    Ledger(LedgerError),
}

impl From<StoreError> for BatchError {
    fn from(reason: StoreError) -> Self {
        Self::Store(reason)
    }
}

impl From<LedgerError> for BatchError {
    fn from(reason: LedgerError) -> Self {
        Self::Ledger(reason)
    }
}

impl From<BatchError> for AppError {
    fn from(reason: BatchError) -> Self {
        match reason {
            BatchError::Store(reason) => reason.into(),
            BatchError::Ledger(reason) => ledger_error(reason),
        }
    }
}

/// What a command works with.
pub(super) struct Work<'a> {
    pub node: &'a mut Node,
    pub ledger: &'a mut dyn Ledger,
    pub tx: &'a Connection,
    pub now: i64,
    pub changes: &'a mut Changes,
}

trait Act: Send {
    fn run(&mut self, work: &mut Work<'_>) -> Result<(), LedgerError>;
    /// Answers the caller. An error means that nothing was kept.
    fn finish(self: Box<Self>, failure: Option<&AppError>);
}

type Reply<T> = oneshot::Sender<Result<T, AppError>>;

struct Ask<T, F> {
    run: Option<F>,
    result: Option<Result<T, AppError>>,
    reply: Reply<T>,
}

impl<T, F> Act for Ask<T, F>
where
    T: Send,
    F: FnOnce(&mut Work<'_>) -> Result<T, Failed> + Send,
{
    fn run(&mut self, work: &mut Work<'_>) -> Result<(), LedgerError> {
        let Some(run) = self.run.take() else {
            return Ok(());
        };
        match run(work) {
            Ok(value) => self.result = Some(Ok(value)),
            Err(Failed::Command(reason)) => self.result = Some(Err(reason)),
            Err(Failed::Ledger(reason)) => return Err(reason),
        }
        Ok(())
    }

    fn finish(self: Box<Self>, failure: Option<&AppError>) {
        let result = match failure {
            Some(reason) => Err(reason.clone()),
            None => self.result.unwrap_or_else(|| Err(closed())),
        };
        // The caller may have stopped waiting; what it asked for is done all the same.
        let _ = self.reply.send(result);
    }
}

enum Input {
    /// Of which network, by the number it was attached with.
    Net(u64, net::Event),
    Act(Box<dyn Act>),
    Look(Box<dyn FnOnce(&Node) + Send>),
    Attach(Network, u64),
    Detach,
    SetUp(Settings),
    /// Where devices were reached earlier, and when.
    Reached(Vec<(DeviceId, SocketAddr, i64)>),
    Want(Vec<(MessageId, u8)>),
    Stop,
}

/// How a join went, for the command that waits for it.
pub(super) type Outcome = Event;

/// What the driver tells those who wait.
pub(super) struct Signals {
    /// Joined, pending, refused; a door opened or shut.
    pub outcomes: broadcast::Sender<Outcome>,
    /// Counts up whenever a peer confirmed something.
    pub delivered: watch::Sender<u64>,
    /// Counts up whenever a file moved on.
    pub files: watch::Sender<u64>,
    /// Counts up whenever this installation got another device key.
    pub rekeyed: watch::Sender<u64>,
    /// Peers and own addresses.
    pub peers: Mutex<PeerTable>,
}

impl Signals {
    pub(super) fn peers(&self) -> MutexGuard<'_, PeerTable> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives work to the driver's thread.
pub(super) struct Driver {
    inputs: mpsc::Sender<Input>,
    /// Networks attached so far.
    attached: AtomicU64,
    pub signals: Arc<Signals>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.inputs.send(Input::Stop);
        let thread = self
            .thread
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        // The thread holds the store: a process that ended meanwhile would pull the cipher from under its last close.
        if let Some(thread) = thread
            && thread.thread().id() != thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

pub(super) fn closed() -> AppError {
    AppError::new(
        Code::Locked,
        "the profile is being closed",
        "Open it again.",
    )
}

impl Driver {
    /// Loads the node and starts the thread.
    pub(super) fn start(core: &Core) -> Result<Self, AppError> {
        let signals = Arc::new(Signals {
            outcomes: broadcast::channel(OUTCOMES).0,
            delivered: watch::channel(0).0,
            files: watch::channel(0).0,
            rekeyed: watch::channel(0).0,
            peers: Mutex::default(),
        });
        let node = load(core)?;
        let (inputs, queue) = mpsc::channel();
        let runner = Runner {
            core: core.clone(),
            signals: Arc::clone(&signals),
            inside: Arc::new(Mutex::new(Inside {
                node: Some(node),
                due: Some(AT_ONCE),
                ..Inside::default()
            })),
            network: None,
            attached: 0,
            deaf_to: 0,
            rest: Instant::now(),
        };
        let thread = thread::Builder::new()
            .name("artel-rooms".to_owned())
            .spawn(move || runner.run(&queue))
            .map_err(|reason| AppError::internal(&reason))?;
        Ok(Self {
            inputs,
            attached: AtomicU64::new(0),
            signals,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Runs a command in the next transaction; answers once that is durable.
    pub(super) async fn ask<T, F>(&self, run: F) -> Result<T, AppError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Work<'_>) -> Result<T, Failed> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let act = Ask {
            run: Some(run),
            result: None,
            reply,
        };
        self.give(Input::Act(Box::new(act)))?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Asks the peers for files, when there are any to ask; nobody waits for them.
    pub(super) fn want_files(&self, files: Vec<(MessageId, u8)>) {
        if !files.is_empty() {
            // It may be closing.
            let _ = self.give(Input::Want(files));
        }
    }

    /// Looks at the node without a transaction.
    pub(super) async fn look<T, F>(&self, look: F) -> Result<T, AppError>
    where
        T: Send + 'static,
        F: FnOnce(&Node) -> T + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.give(Input::Look(Box::new(move |node| {
            let _ = reply.send(look(node));
        })))?;
        answer.await.map_err(|_| closed())
    }

    /// Connects a running network; its events are passed on until it ends.
    pub(super) fn attach(
        &self,
        network: Network,
        mut events: tokio::sync::mpsc::UnboundedReceiver<net::Event>,
    ) -> Result<(), AppError> {
        let number = self.attached.fetch_add(1, Ordering::Relaxed) + 1;
        self.give(Input::Attach(network, number))?;
        let inputs = self.inputs.clone();
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                if inputs.send(Input::Net(number, event)).is_err() {
                    return;
                }
            }
        });
        Ok(())
    }

    /// Gives the node new settings.
    pub(super) fn set_up(&self, settings: Settings) {
        let _ = self.inputs.send(Input::SetUp(settings));
    }

    /// Gives the node what is known of where others were reached.
    pub(super) fn reached(&self, reached: Vec<(DeviceId, SocketAddr, i64)>) {
        let _ = self.inputs.send(Input::Reached(reached));
    }

    /// Forgets the network.
    pub(super) fn detach(&self) {
        let _ = self.inputs.send(Input::Detach);
    }

    fn give(&self, input: Input) -> Result<(), AppError> {
        self.inputs.send(input).map_err(|_| closed())
    }

    /// Ends the thread and waits for it.
    pub(super) async fn stop(&self) {
        let _ = self.inputs.send(Input::Stop);
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            // A panic there was reported when it happened.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
        // Who waits for something to arrive finds that nothing will.
        self.signals.files.send_modify(|count| *count += 1);
        self.signals.delivered.send_modify(|count| *count += 1);
    }
}

/// The identity as the core wants it, and the node from what is kept.
fn load(core: &Core) -> Result<Node, AppError> {
    let name = core.opened().summary.name.clone();
    let kept = core.store().read(identity::get)?.ok_or_else(no_identity)?;
    let device = kept
        .device_secret
        .as_ref()
        .map(DeviceKey::from_bytes)
        .ok_or_else(no_identity)?;
    let id = device.id();
    let who = Identity {
        member: MemberKey::from_bytes(&kept.member_secret),
        device,
        name,
    };
    core.store()
        .write_with(move |tx| {
            let mut ledger = SqlLedger::new(tx, id);
            let mut node = Node::load(who, Entropy::system(), &mut ledger)?;
            node.set_up(settings::network(tx)?);
            match node.enrol_where_alone(&mut ledger, now_ms()) {
                Err(CommandError::Ledger(reason)) => return Err(reason.into()),
                Err(reason) => warn!(%reason, "this device is not enrolled"),
                Ok(()) => {}
            }
            restored::show_where_alone(tx, &node)?;
            Ok::<_, BatchError>(node)
        })
        .map_err(AppError::from)
}

/// Something to release after the commit.
enum Release {
    Send(LinkId, Lane, Vec<u8>),
    Close(LinkId, DeviceId, Reason),
    Told(LinkId, Ports),
    Hint(Target),
    HoldOff {
        there: HashSet<PeerId>,
        away: HashSet<PeerId>,
    },
    Outcome(Outcome),
    Tell(api::Event),
}

#[derive(Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says one thing that the batch brought about"
)]
struct Inside {
    node: Option<Node>,
    batch: Vec<Input>,
    tick: bool,
    /// When the next deletion is to be signed.
    due: Option<i64>,
    /// Until when files give way to everything else.
    files_rest: Option<i64>,
    links: HashMap<DeviceId, LinkId>,
    /// Where connected peers can be dialled, until they are known as members.
    reachable: HashMap<DeviceId, String>,
    /// What the network knows of others, and whom it was told not to dial.
    reach: Reach,
    held_off: Option<HeldOff>,
    /// Where this machine listens.
    ports: Ports,
    releases: Vec<Release>,
    delivered: bool,
    files: bool,
    in_step: InStep,
    /// Another installation writes with this device's key.
    cloned: bool,
    /// So this one has another key from now on.
    rekeyed: bool,
}

impl Inside {
    /// Works off the batch within a transaction.
    fn work(&mut self, tx: &Connection) -> Result<(), BatchError> {
        let Some(mut node) = self.node.take() else {
            return Ok(());
        };
        let now = now_ms();
        let device = node.device();
        let me = node.member();
        let mut ledger = SqlLedger::new(tx, device);
        let mut changes = Changes::default();
        // Before what is asked for: what is due can no longer be taken back.
        if let Some(due) = self.due {
            amend::sign_due(tx, &mut node, &mut ledger, now, due, &mut changes)?;
            self.collect(tx, me, &mut node, &mut changes)?;
        }
        let mut batch = std::mem::take(&mut self.batch);
        let done = batch.iter_mut().try_for_each(|input| {
            match input {
                Input::Net(_, event) => self.on_net(&mut node, &mut ledger, now, event)?,
                Input::Act(act) => act.run(&mut Work {
                    node: &mut node,
                    ledger: &mut ledger,
                    tx,
                    now,
                    changes: &mut changes,
                })?,
                Input::Want(files) => changes.wanted.append(files),
                Input::SetUp(settings) => node.set_up(*settings),
                Input::Reached(reached) => {
                    for (device, at, when) in reached {
                        node.reached(*device, *at, *when);
                    }
                }
                Input::Detach => {
                    for device in std::mem::take(&mut self.links).into_keys() {
                        node.disconnected(&mut ledger, now, device)?;
                    }
                    self.reachable.clear();
                }
                _ => {}
            }
            self.collect(tx, me, &mut node, &mut changes)
                .map_err(BatchError::from)
        });
        // Whoever asked is answered, also if it failed.
        self.batch = batch;
        done?;
        if self.tick {
            node.tick(&mut ledger, now)?;
            self.collect(tx, me, &mut node, &mut changes)?;
            self.hold_off(&mut node);
        }
        for (message, index) in std::mem::take(&mut changes.wanted) {
            // A message that is gone again needs no preview.
            if let Err(CommandError::Ledger(reason)) =
                node.prefetch(&mut ledger, now, message, index)
            {
                return Err(reason.into());
            }
        }
        if self.files_rest.is_some_and(|until| until <= now) {
            node.go_on_with_files(now);
        }
        self.files_rest = node.files_rest(now);
        self.collect(tx, me, &mut node, &mut changes)?;
        let settled = self.in_step.settle(&mut Work {
            node: &mut node,
            ledger: &mut ledger,
            tx,
            now,
            changes: &mut changes,
        })?;
        changes.spaces |= settled;
        self.collect(tx, me, &mut node, &mut changes)?;
        if std::mem::take(&mut self.cloned) {
            NewDevice::generate(identity::Reason::Cloned)
                .map_err(|reason| LedgerError(Box::new(reason)))?
                .replace(tx)?;
            self.rekeyed = true;
        }
        self.remember(tx, &node, now)?;
        self.due = deletions::next_due(tx)?;
        self.delivered = changes.delivered;
        let events = view::events(tx, &node, &mut changes)?;
        self.releases.extend(events.into_iter().map(Release::Tell));
        self.node = Some(node);
        Ok(())
    }

    fn on_net(
        &mut self,
        node: &mut Node,
        ledger: &mut dyn Ledger,
        now: i64,
        event: &net::Event,
    ) -> Result<(), LedgerError> {
        match event {
            net::Event::Connected { link, peer, .. } => {
                if let Some(device) = device_of(peer) {
                    self.links.insert(device, *link);
                    node.connected(ledger, now, device)?;
                }
            }
            net::Event::Disconnected { link, peer, .. } => {
                if let Some(device) = device_of(peer)
                    && self.links.get(&device) == Some(link)
                {
                    self.links.remove(&device);
                    self.reachable.remove(&device);
                    node.disconnected(ledger, now, device)?;
                }
            }
            net::Event::Frame(frame) => {
                if let Some(device) = device_of(&frame.peer)
                    && self.links.get(&device) == Some(&frame.link)
                {
                    node.received(ledger, now, device, &frame.bytes)?;
                }
            }
            net::Event::Reachable { peer, address } => {
                if let Some(device) = device_of(peer) {
                    self.reachable.insert(device, address.to_string());
                    if let Some(target) = Target::from_multiaddr(address) {
                        node.reached(device, target.socket, now);
                    }
                }
            }
            net::Event::Listening { .. } => {
                self.ports = ports(event).unwrap_or(self.ports);
                node.listens_on(self.ports);
            }
            net::Event::RoundTrip { .. } => {}
        }
        Ok(())
    }

    /// Takes what the node wants done, each thing for the link of this moment.
    fn collect(
        &mut self,
        tx: &Connection,
        me: artel_domain::MemberId,
        node: &mut Node,
        changes: &mut Changes,
    ) -> Result<(), StoreError> {
        for output in node.take_outputs() {
            match output {
                Output::Send { peer, lane, bytes } => {
                    if let Some(link) = self.links.get(&peer) {
                        self.releases.push(Release::Send(*link, lane, bytes));
                    }
                }
                Output::Disconnect { peer, reason } => {
                    if let Some(link) = self.links.remove(&peer) {
                        self.releases.push(Release::Close(link, peer, reason));
                    }
                }
                Output::Reachable { peer, ports } => {
                    if let Some(link) = self.links.get(&peer) {
                        self.releases.push(Release::Told(*link, ports));
                    }
                }
                Output::Hint { peer, at } => {
                    let target = Target {
                        socket: at,
                        peer: peer_of(&peer),
                    };
                    self.releases.push(Release::Hint(target));
                }
                Output::Event(event) => {
                    view::apply(tx, me, &event, changes)?;
                    match event {
                        Event::Joined { .. }
                        | Event::Pending { .. }
                        | Event::JoinRefused { .. }
                        | Event::Ahead { .. }
                        | Event::DoorOpened { .. }
                        | Event::DoorShut { .. }
                        | Event::KnockingEnded { .. } => {
                            self.releases.push(Release::Outcome(event));
                        }
                        Event::Attachment { .. } => self.files = true,
                        Event::InStep { space, whole, .. } => {
                            self.in_step.note(space, whole);
                            self.releases.push(Release::Outcome(event));
                        }
                        Event::Cloned => self.cloned = true,
                        _ => {}
                    }
                }
            }
        }
        Ok(())
    }

    /// Tells the network whom others are linked with.
    fn hold_off(&mut self, node: &mut Node) {
        let held_off = node.held_off(&self.reach);
        if self.held_off.as_ref() != Some(&held_off) {
            let peers = |devices: &BTreeSet<DeviceId>| devices.iter().filter_map(peer_of).collect();
            let (there, away) = (peers(&held_off.there), peers(&held_off.away));
            self.releases.push(Release::HoldOff { there, away });
            self.held_off = Some(held_off);
        }
    }

    /// Keeps the addresses of peers that have proven membership.
    fn remember(&mut self, tx: &Connection, node: &Node, now: i64) -> Result<(), StoreError> {
        let known: Vec<DeviceId> = self
            .reachable
            .keys()
            .filter(|device| !node.peer_spaces(device).is_empty())
            .copied()
            .collect();
        for device in known {
            if let Some(address) = self.reachable.remove(&device) {
                addresses::reached(tx, &address, device.as_bytes(), now)?;
            }
        }
        Ok(())
    }
}

/// The ports that the network has told of.
fn ports(event: &net::Event) -> Option<Ports> {
    let net::Event::Listening { addresses } = event else {
        return None;
    };
    let targets = addresses.iter().filter_map(Target::from_multiaddr);
    Some(Ports::of(targets.map(|target| target.socket)))
}

/// How long it is until a time of the clock.
fn until(time: i64) -> Duration {
    Duration::from_millis(u64::try_from(time.saturating_sub(now_ms())).unwrap_or(0))
}

struct Runner {
    core: Core,
    signals: Arc<Signals>,
    inside: Arc<Mutex<Inside>>,
    network: Option<Network>,
    /// Number of that network.
    attached: u64,
    /// Networks up to this number have ended, or had a key that is not this device's any more.
    deaf_to: u64,
    /// Until when nothing is done that nobody asked for, after a failure.
    rest: Instant,
}

impl Runner {
    fn run(mut self, queue: &mpsc::Receiver<Input>) {
        let mut next_tick = Instant::now();
        // What came due while the profile was closed.
        self.turn(Vec::new(), false, true);
        loop {
            let due = self.due().into_iter().chain(self.files_due()).min();
            let tick = self.network.as_ref().map(|_| next_tick);
            let first = match tick.into_iter().chain(due).min() {
                Some(at) => {
                    match queue.recv_timeout(at.saturating_duration_since(Instant::now())) {
                        Ok(input) => Some(input),
                        Err(mpsc::RecvTimeoutError::Timeout) => None,
                        Err(mpsc::RecvTimeoutError::Disconnected) => return,
                    }
                }
                None => match queue.recv() {
                    Ok(input) => Some(input),
                    Err(mpsc::RecvError) => return,
                },
            };
            let mut batch = Vec::new();
            let mut next = first;
            while let Some(input) = next {
                match input {
                    Input::Stop => return,
                    Input::Attach(_, number) | Input::Net(number, _) if number <= self.deaf_to => {}
                    Input::Attach(network, number) => {
                        (self.network, self.attached) = (Some(network), number);
                        self.inside().held_off = None;
                    }
                    Input::Detach => {
                        self.network = None;
                        // What it still says is of links that are gone.
                        self.deaf_to = self.attached;
                        self.signals.peers().clear();
                        batch.push(Input::Detach);
                    }
                    Input::Net(number, event) => {
                        self.note(&event);
                        batch.push(Input::Net(number, event));
                    }
                    other => batch.push(other),
                }
                next = if batch.len() < BATCH {
                    queue.try_recv().ok()
                } else {
                    None
                };
            }
            let tick = self.network.is_some() && Instant::now() >= next_tick;
            if tick {
                next_tick = Instant::now() + TICK;
            }
            self.turn(batch, tick, due.is_some_and(|at| Instant::now() >= at));
        }
    }

    /// When the next deletion is to be signed, as the clock says now.
    fn due(&self) -> Option<Instant> {
        let at = Instant::now() + until(self.inside().due?).min(amend::UNDO);
        Some(at.max(self.rest))
    }

    /// When files that gave way go on, while there is a network; a tick would do it as well, but later.
    fn files_due(&self) -> Option<Instant> {
        self.network.as_ref()?;
        let at = Instant::now() + until(self.inside().files_rest?).min(TICK);
        Some(at.max(self.rest))
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the list of peers.
    fn note(&self, event: &net::Event) {
        if self.signals.peers().note(event) {
            self.core.tell(api::Event::Peers);
        }
    }

    fn turn(&mut self, batch: Vec<Input>, tick: bool, due: bool) {
        let (looks, batch): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .partition(|input| matches!(input, Input::Look(_)));
        if tick || due || !batch.is_empty() {
            self.commit(batch, tick);
        }
        let inside = self.inside();
        if let Some(node) = &inside.node {
            for look in looks {
                if let Input::Look(look) = look {
                    look(node);
                }
            }
        }
    }

    fn commit(&mut self, batch: Vec<Input>, tick: bool) {
        {
            let mut inside = self.inside();
            inside.batch = batch;
            inside.tick = tick;
            if let Some(network) = self.network.as_ref().filter(|_| tick) {
                let devices = |peers: HashSet<PeerId>| peers.iter().filter_map(device_of).collect();
                let (heard, known) = network.reach();
                inside.reach = Reach {
                    heard: devices(heard),
                    known: devices(known),
                };
            }
        }
        if self.inside().node.is_none() {
            self.reload();
        }
        let work = Arc::clone(&self.inside);
        let outcome = self
            .core
            .store()
            .write_with(move |tx| work.lock().unwrap_or_else(PoisonError::into_inner).work(tx));
        let failure: Option<AppError> = outcome.err().map(AppError::from);
        let mut inside = self.inside();
        let lost = inside.node.is_none();
        let failure =
            failure.or_else(|| lost.then(|| AppError::internal(&"the rooms are not loaded")));
        let batch = std::mem::take(&mut inside.batch);
        let releases = std::mem::take(&mut inside.releases);
        let (delivered, files) = (
            std::mem::take(&mut inside.delivered),
            std::mem::take(&mut inside.files),
        );
        let rekeyed = std::mem::take(&mut inside.rekeyed) && failure.is_none();
        drop(inside);
        match &failure {
            None => self.release(releases, delivered, files),
            Some(reason) => {
                warn!(%reason, "a batch was undone");
                self.rest = Instant::now() + RELOAD;
                self.undo(&batch);
            }
        }
        if failure.is_some() || rekeyed {
            self.forget();
        }
        if rekeyed {
            // What still comes by this network was said to the key of before.
            self.network = None;
            self.deaf_to = self.attached;
            self.signals.rekeyed.send_modify(|count| *count += 1);
        }
        for input in batch {
            if let Input::Act(act) = input {
                act.finish(failure.as_ref());
            }
        }
    }

    /// What the network told in a batch that was undone, and will not tell again.
    fn undo(&self, batch: &[Input]) {
        for input in batch {
            match input {
                Input::Net(_, net::Event::Connected { link, .. }) => {
                    if let Some(network) = &self.network {
                        network.disconnect(*link, RELOAD);
                    }
                }
                Input::Net(_, event) => {
                    if let Some(ports) = ports(event) {
                        self.inside().ports = ports;
                    }
                }
                _ => {}
            }
        }
    }

    /// Drops the node with its links, and loads it again.
    fn forget(&self) {
        let mut inside = self.inside();
        inside.node = None;
        inside.due = Some(AT_ONCE);
        inside.reachable.clear();
        inside.held_off = None;
        // What was found in the batch that is undone was not.
        inside.in_step.forget();
        inside.cloned = false;
        let links = std::mem::take(&mut inside.links);
        drop(inside);
        if let Some(network) = &self.network {
            for link in links.into_values() {
                network.disconnect(link, RELOAD);
            }
        }
        self.reload();
        // What lived in its memory alone, as doors do, is gone.
        self.core.tell(api::Event::Spaces);
    }

    fn release(&self, releases: Vec<Release>, delivered: bool, files: bool) {
        for release in releases {
            match release {
                Release::Send(link, lane, bytes) => {
                    if let Some(network) = &self.network {
                        let lane = match lane {
                            Lane::Text => net::Lane::Text,
                            Lane::File => net::Lane::File,
                        };
                        network.send(link, lane, bytes);
                    }
                }
                Release::Close(link, device, reason) => {
                    info!(%device, %reason, "a peer is sent away");
                    if let Some(network) = &self.network {
                        let pause = match reason {
                            Reason::Crowded | Reason::Spare => Duration::from_mins(1),
                            _ => BAN,
                        };
                        network.disconnect(link, pause);
                    }
                }
                Release::Told(link, ports) => {
                    if let Some(network) = &self.network {
                        network.told(link, ports);
                    }
                }
                Release::Hint(target) => {
                    if let Some(network) = &self.network {
                        network.hint(target);
                    }
                }
                Release::HoldOff { there, away } => {
                    if let Some(network) = &self.network {
                        network.hold_off(there, away);
                    }
                }
                Release::Outcome(outcome) => {
                    // Nobody may be waiting.
                    let _ = self.signals.outcomes.send(outcome);
                }
                Release::Tell(event) => self.core.tell(event),
            }
        }
        if delivered {
            self.signals.delivered.send_modify(|count| *count += 1);
        }
        if files {
            self.signals.files.send_modify(|count| *count += 1);
        }
    }

    fn reload(&self) {
        match load(&self.core) {
            Ok(mut node) => {
                let mut inside = self.inside();
                node.listens_on(inside.ports);
                inside.node = Some(node);
            }
            Err(reason) => {
                warn!(%reason, "the rooms cannot be loaded");
                thread::sleep(RELOAD);
            }
        }
    }
}
