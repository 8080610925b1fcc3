//! The task that owns the swarm: it listens, dials, chooses connections and reports.

use std::{
    collections::{HashMap, HashSet},
    io,
    net::{SocketAddr, TcpListener},
    sync::PoisonError,
    time::{Duration, Instant},
};

use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, Swarm, SwarmBuilder,
    core::{ConnectedPoint, transport::ListenerId},
    identify, identity, noise, ping,
    swarm::{self, ConnectionId, SwarmEvent, dial_opts::DialOpts},
    tcp, yamux,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{MissedTickBehavior, interval, timeout},
};
use tracing::{debug, info};

use super::{
    Command, Config, DialError, Ended, Event, FoundBy, LinkId, Links, NetError, USUAL_PORT,
    address::Target,
    behaviour::{Behaviour, BehaviourEvent, SyncEvent},
    book::{Attempt, Book},
    connections::{Connection, State, choose},
    device_of, discovery, everywhere,
    link::{Link, LinkEnded},
};

/// How often the book is looked through.
const TICK: Duration = Duration::from_millis(250);
/// New attempts in one look.
const ATTEMPTS: usize = 8;
/// A handshake must be through in this time, and then the sync stream open in it.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The smaller peer id gives the larger one this head start, so that fewer pairs dial twice.
const HEAD_START: Duration = Duration::from_millis(300);
/// How long a link that we end may take to send what waits.
const FAREWELL: Duration = Duration::from_secs(2);
/// Streams in one connection: ours, and two each for ping and identify, with some to spare.
const MAX_STREAMS: usize = 16;
/// How long to wait for the first address, and then for the other interfaces'.
const FIRST_ADDRESS: Duration = Duration::from_secs(5);
const MORE_ADDRESSES: Duration = Duration::from_millis(100);

type Reply = oneshot::Sender<Result<PeerId, DialError>>;

/// A dial under way, until its link opens.
#[derive(Debug)]
struct Dial {
    attempt: Attempt,
    replies: Vec<Reply>,
}

impl Dial {
    fn target(&self) -> Option<&Target> {
        self.attempt.targets.first()
    }

    fn answer(self, result: &Result<PeerId, DialError>) {
        for reply in self.replies {
            // The caller may have stopped waiting.
            let _ = reply.send(result.clone());
        }
    }
}

/// A link that we are ending politely.
#[derive(Debug)]
struct Leaving {
    since: Instant,
    /// The peer is not dialled before.
    until: Instant,
    reason: Ended,
}

pub(super) struct Actor {
    swarm: Swarm<Behaviour>,
    book: Book,
    commands: mpsc::UnboundedReceiver<Command>,
    events: mpsc::UnboundedSender<Event>,
    links: Links,
    ended: mpsc::UnboundedReceiver<LinkEnded>,
    report_end: mpsc::UnboundedSender<LinkEnded>,
    found: Option<mpsc::Receiver<Target>>,
    situation: watch::Sender<discovery::Situation>,
    announced: HashSet<PeerId>,
    dials: HashMap<ConnectionId, Dial>,
    peers: HashMap<PeerId, Vec<Connection>>,
    opening: HashMap<ConnectionId, (PeerId, Instant)>,
    leaving: HashMap<LinkId, Leaving>,
    next_link: u64,
}

impl Actor {
    pub(super) async fn start(
        config: Config,
        commands: mpsc::UnboundedReceiver<Command>,
        events: mpsc::UnboundedSender<Event>,
        links: Links,
    ) -> Result<Self, NetError> {
        let key = identity::Keypair::ed25519_from_bytes(config.secret.to_vec())?;
        let mut swarm = SwarmBuilder::with_existing_identity(key)
            .with_tokio()
            .with_tcp(
                tcp::Config::default().nodelay(true),
                noise::Config::new,
                || {
                    let mut config = yamux::Config::default();
                    config.set_max_num_streams(MAX_STREAMS);
                    config
                },
            )
            .map_err(|reason| NetError::Transport(reason.to_string()))?
            .with_behaviour(Behaviour::new)
            .map_err(|reason| NetError::Transport(reason.to_string()))?
            .with_swarm_config(|config| config.with_max_negotiating_inbound_streams(MAX_STREAMS))
            .with_connection_timeout(HANDSHAKE)
            .build();
        listen(&mut swarm, &config)?;
        let me = *swarm.local_peer_id();
        let (situation, watch_situation) = watch::channel(discovery::Situation {
            alone: true,
            ..Default::default()
        });
        let (report_end, ended) = mpsc::unbounded_channel();
        let mut actor = Self {
            swarm,
            book: Book::default(),
            commands,
            events,
            links,
            ended,
            report_end,
            found: None,
            situation,
            announced: HashSet::new(),
            dials: HashMap::new(),
            peers: HashMap::new(),
            opening: HashMap::new(),
            leaving: HashMap::new(),
            next_link: 0,
        };
        actor.gather_addresses().await;
        if config.mdns {
            actor.found = Some(
                discovery::start(me, watch_situation)
                    .map_err(|reason| NetError::Transport(reason.to_string()))?,
            );
        }
        Ok(actor)
    }

    pub(super) fn me(&self) -> PeerId {
        *self.swarm.local_peer_id()
    }

    /// Waits for the addresses that the listeners got.
    async fn gather_addresses(&mut self) {
        let mut wait = FIRST_ADDRESS;
        while let Ok(event) = timeout(wait, self.swarm.select_next_some()).await {
            self.on_swarm(event);
            if self.swarm.listeners().next().is_some() {
                wait = MORE_ADDRESSES;
            }
        }
    }

    pub(super) async fn run(mut self) {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_swarm(event),
                command = self.commands.recv() => match command {
                    None | Some(Command::Stop) => break,
                    Some(command) => self.on_command(command),
                },
                Some(ended) = self.ended.recv() => self.on_link_ended(ended),
                Some(target) = next(self.found.as_mut()) => self.on_found(target),
                _ = tick.tick() => self.on_tick(),
            }
        }
        self.farewell().await;
    }

    /// Sends what waits, closes everything.
    async fn farewell(&mut self) {
        self.situation
            .send_modify(|situation| situation.over = true);
        let mut open = 0_usize;
        for connection in self.peers.values().flatten() {
            if let State::Active(link) = &connection.state {
                link.lanes.finish();
                open += 1;
            }
        }
        let all_ended = async {
            while open > 0 {
                tokio::select! {
                    _ = self.swarm.select_next_some() => {}
                    ended = self.ended.recv() => match ended {
                        Some(_) => open -= 1,
                        None => break,
                    },
                }
            }
        };
        // The peers that do not close in time are cut off.
        let _ = timeout(FAREWELL, all_ended).await;
        let peers: Vec<_> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let closed = async {
            while self.swarm.connected_peers().next().is_some() {
                self.swarm.select_next_some().await;
            }
        };
        let _ = timeout(Duration::from_millis(500), closed).await;
    }

    fn tell(&self, event: Event) {
        // The application is closing when nobody listens.
        let _ = self.events.send(event);
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Dial { target, reply } => self.on_dial(target, reply),
            Command::Remember(targets) => {
                for target in targets {
                    if target.peer != Some(self.me()) {
                        self.book.learn(target, FoundBy::Remembered, Instant::now());
                    }
                }
            }
            Command::Disconnect { link, pause } => self.leave(link, pause, Ended::ByUs),
            Command::Overrun(link) => self.cut(link, Ended::Overrun),
            Command::Stop => {}
        }
    }

    fn on_dial(&mut self, target: Target, reply: Reply) {
        if target.peer == Some(self.me()) {
            let _ = reply.send(Err(DialError::Ourselves(target)));
            return;
        }
        let connected = self.peers.iter().find(|(peer, connections)| {
            connections.iter().any(|connection| {
                matches!(connection.state, State::Active(_))
                    && match target.peer {
                        Some(wanted) => wanted == **peer,
                        None => {
                            connection.dialled_by_me && connection.remote == Some(target.socket)
                        }
                    }
            })
        });
        if let Some((peer, _)) = connected {
            let _ = reply.send(Ok(*peer));
            return;
        }
        let later = Instant::now() + HANDSHAKE;
        self.book.learn(target.clone(), FoundBy::Typed, later);
        self.dial(
            Attempt {
                peer: target.peer,
                targets: vec![target],
                found_by: FoundBy::Typed,
            },
            vec![reply],
        );
    }

    fn on_found(&mut self, target: Target) {
        let me = self.me();
        let Some(peer) = target.peer else { return };
        if peer == me {
            return;
        }
        if self.announced.len() < 1024 {
            self.announced.insert(peer);
        }
        let head_start = if me.to_bytes() > peer.to_bytes() {
            Duration::ZERO
        } else {
            HEAD_START
        };
        self.book
            .learn(target, FoundBy::Mdns, Instant::now() + head_start);
        // A quarter of a second is long for people who watch a peer appear.
        self.dial_due();
    }

    fn dial_due(&mut self) {
        for attempt in self.book.due(Instant::now(), ATTEMPTS) {
            self.dial(attempt, Vec::new());
        }
    }

    fn dial(&mut self, attempt: Attempt, replies: Vec<Reply>) {
        let addresses: Vec<Multiaddr> = attempt
            .targets
            .iter()
            .map(Target::transport_address)
            .collect();
        // A port of its own, for two nodes that dial each other from their listening ports at the
        // same moment open one TCP connection in which both are the dialler.
        let options = match (attempt.peer, addresses.first()) {
            (Some(peer), _) => DialOpts::peer_id(peer)
                .addresses(addresses)
                .condition(swarm::dial_opts::PeerCondition::Always)
                .allocate_new_port()
                .build(),
            (None, Some(address)) => DialOpts::unknown_peer_id()
                .address(address.clone())
                .allocate_new_port()
                .build(),
            (None, None) => return,
        };
        let id = options.connection_id();
        let dial = Dial { attempt, replies };
        match self.swarm.dial(options) {
            Ok(()) => {
                self.dials.insert(id, dial);
            }
            Err(reason) => self.dial_failed(dial, &reason),
        }
    }

    fn dial_failed(&mut self, dial: Dial, reason: &swarm::DialError) {
        let Some(target) = dial.target().cloned() else {
            return;
        };
        let failure = match reason {
            // The swarm leaves out its own listening addresses.
            swarm::DialError::LocalPeerId { .. } | swarm::DialError::NoAddresses => {
                self.book.forget(&target);
                DialError::Ourselves(target)
            }
            swarm::DialError::WrongPeerId { obtained, .. } => {
                self.book.failed(&dial.attempt, Instant::now());
                DialError::SomeoneElse {
                    at: target,
                    found: *obtained,
                }
            }
            swarm::DialError::Transport(errors) => {
                self.book.failed(&dial.attempt, Instant::now());
                let reason = errors.first().map(|(_, reason)| reason);
                match reason.and_then(|reason| io_kind(reason)) {
                    Some(io::ErrorKind::ConnectionRefused) => DialError::Refused(target),
                    Some(io::ErrorKind::TimedOut) => DialError::NoAnswer(target),
                    Some(
                        io::ErrorKind::HostUnreachable
                        | io::ErrorKind::NetworkUnreachable
                        | io::ErrorKind::NetworkDown,
                    ) => DialError::Unreachable(target),
                    _ => {
                        let reason = reason.map_or_else(
                            || "there is no address".to_owned(),
                            |reason| innermost(reason),
                        );
                        if reason.to_lowercase().contains("timeout") {
                            DialError::NoAnswer(target)
                        } else {
                            DialError::Other { at: target, reason }
                        }
                    }
                }
            }
            other => {
                self.book.failed(&dial.attempt, Instant::now());
                DialError::Other {
                    at: target,
                    reason: innermost(other),
                }
            }
        };
        debug!(%failure, "dial failed");
        dial.answer(&Err(failure));
    }

    fn on_swarm(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::NewListenAddr { .. }
            | SwarmEvent::ExpiredListenAddr { .. }
            | SwarmEvent::ListenerClosed { .. } => self.on_addresses(),
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                ..
            } => self.on_established(peer_id, connection_id, &endpoint),
            SwarmEvent::ConnectionClosed {
                peer_id,
                connection_id,
                cause,
                ..
            } => {
                let reason = cause.map_or(Ended::ByPeer, |cause| Ended::Lost(cause.to_string()));
                self.on_closed(peer_id, connection_id, reason);
            }
            SwarmEvent::OutgoingConnectionError {
                connection_id,
                error,
                ..
            } => {
                if let Some(dial) = self.dials.remove(&connection_id) {
                    self.dial_failed(dial, &error);
                }
            }
            SwarmEvent::Behaviour(BehaviourEvent::Sync(event)) => self.on_sync(event),
            SwarmEvent::Behaviour(BehaviourEvent::Ping(ping::Event {
                peer,
                connection,
                result,
            })) => match result {
                Ok(time) => {
                    if self.is_active(peer, connection) {
                        self.tell(Event::RoundTrip { peer, time });
                    }
                }
                Err(ping::Failure::Timeout) => {
                    self.drop_connection(peer, connection, Ended::Stalled);
                }
                Err(_) => {}
            },
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received {
                connection_id,
                peer_id,
                info,
            })) => self.on_identified(peer_id, connection_id, &info.listen_addrs),
            _ => {}
        }
    }

    fn on_addresses(&mut self) {
        let mut listening: Vec<Multiaddr> = self.swarm.listeners().cloned().collect();
        listening.sort_by_key(|address| {
            let loopback = Target::from_multiaddr(address)
                .is_some_and(|target| target.socket.ip().is_loopback());
            (loopback, address.to_vec())
        });
        let me = self.me();
        let addresses = listening
            .iter()
            .filter_map(|address| address.clone().with_p2p(me).ok())
            .collect();
        self.situation
            .send_modify(|situation| situation.listening = listening);
        self.tell(Event::Listening { addresses });
    }

    fn on_established(&mut self, peer: PeerId, id: ConnectionId, endpoint: &ConnectedPoint) {
        let (dialled_by_me, address) = match endpoint {
            ConnectedPoint::Dialer { address, .. } => (true, address),
            ConnectedPoint::Listener { send_back_addr, .. } => (false, send_back_addr),
        };
        let remote = Target::from_multiaddr(address).map(|target| target.socket);
        let found_by = match self.dials.get(&id) {
            Some(dial) => dial.attempt.found_by,
            None if self.announced.contains(&peer) => FoundBy::Mdns,
            None => FoundBy::Inbound,
        };
        self.peers.entry(peer).or_default().push(Connection {
            id,
            dialled_by_me,
            remote,
            reachable: remote.filter(|_| dialled_by_me),
            found_by,
            state: State::Opening,
        });
        self.opening.insert(id, (peer, Instant::now()));
        if device_of(&peer).is_none() {
            self.not_ours(peer, id, true);
        }
    }

    fn on_sync(&mut self, event: SyncEvent) {
        match event {
            SyncEvent::Opened {
                peer,
                connection,
                stream,
            } => {
                self.opening.remove(&connection);
                if let Some(known) = self.connection(peer, connection)
                    && matches!(known.state, State::Opening)
                {
                    known.state = State::Spare(stream);
                    let at = known.dialled_by_me.then(|| known.address(peer)).flatten();
                    self.book.connected(peer, at.as_ref(), Instant::now());
                    if let Some(dial) = self.dials.remove(&connection) {
                        dial.answer(&Ok(peer));
                    }
                    self.settle(peer, Ended::Replaced);
                }
            }
            SyncEvent::Failed {
                peer,
                connection,
                foreign,
            } => self.not_ours(peer, connection, foreign),
        }
    }

    /// No sync stream on this connection: another program, or one that hangs.
    fn not_ours(&mut self, peer: PeerId, id: ConnectionId, foreign: bool) {
        self.opening.remove(&id);
        if let Some(dial) = self.dials.remove(&id)
            && let Some(target) = dial.target().cloned()
        {
            dial.answer(&Err(if foreign {
                DialError::Foreign(target)
            } else {
                DialError::NoAnswer(target)
            }));
        }
        if !self.has_link(peer) {
            if foreign {
                info!(%peer, "what answers there is not Artel");
                self.book.foreign(&peer, Instant::now());
            } else {
                self.book
                    .disconnected(&peer, Duration::from_secs(5), Instant::now());
            }
        }
        self.drop_connection(peer, id, Ended::ByUs);
    }

    /// Takes the connection of a pair into use that both ends choose, and closes the others.
    fn settle(&mut self, peer: PeerId, because: Ended) {
        let me = self.me();
        let Some(connections) = self.peers.get_mut(&peer) else {
            return;
        };
        let open: Vec<usize> = connections
            .iter()
            .enumerate()
            .filter(|(_, connection)| connection.state.is_open())
            .map(|(index, _)| index)
            .collect();
        let by_me: Vec<bool> = open
            .iter()
            .filter_map(|index| Some(connections.get(*index)?.dialled_by_me))
            .collect();
        let in_use = open.iter().position(|index| {
            connections
                .get(*index)
                .is_some_and(|connection| matches!(connection.state, State::Active(_)))
        });
        let choice = choose(me, peer, &by_me, in_use);
        let mut events = Vec::new();
        let mut close = Vec::new();
        for (place, index) in open.iter().enumerate() {
            let Some(connection) = connections.get_mut(*index) else {
                continue;
            };
            let stays = choice.active == Some(place);
            if choice.close.contains(&place) {
                close.push(connection.id);
            } else if stays || !matches!(connection.state, State::Active(_)) {
                continue;
            }
            // What is in use but does not stay ends here, whether we close it or the dialler will.
            let state = std::mem::replace(&mut connection.state, State::Closing);
            if let State::Active(link) = state {
                self.links
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .remove(&link.id);
                events.push(Event::Disconnected {
                    link: link.id,
                    peer,
                    reason: because.clone(),
                });
            }
        }
        if let Some(connection) = choice
            .active
            .and_then(|place| open.get(place))
            .and_then(|index| connections.get_mut(*index))
        {
            match std::mem::replace(&mut connection.state, State::Closing) {
                State::Spare(stream) => {
                    self.next_link += 1;
                    let id = LinkId(self.next_link);
                    let address = connection
                        .address(peer)
                        .map_or_else(Multiaddr::empty, |target| target.multiaddr());
                    // Told first: the reader may be quicker than this task.
                    events.push(Event::Connected {
                        link: id,
                        peer,
                        address,
                        found_by: connection.found_by,
                    });
                    if let Some(socket) = connection.reachable {
                        let target = Target {
                            socket,
                            peer: Some(peer),
                        };
                        events.push(Event::Reachable {
                            peer,
                            address: target.multiaddr(),
                        });
                    }
                    for event in events.drain(..) {
                        let _ = self.events.send(event);
                    }
                    let link = Link::start(
                        id,
                        peer,
                        stream,
                        self.events.clone(),
                        self.report_end.clone(),
                    );
                    self.links
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .insert(id, std::sync::Arc::clone(&link.lanes));
                    connection.state = State::Active(link);
                }
                other => connection.state = other,
            }
        }
        for event in events {
            self.tell(event);
        }
        for id in close {
            self.swarm.close_connection(id);
        }
        self.note_company();
    }

    fn note_company(&self) {
        let alone = !self
            .peers
            .values()
            .flatten()
            .any(|connection| matches!(connection.state, State::Active(_)));
        self.situation.send_if_modified(|situation| {
            let changed = situation.alone != alone;
            situation.alone = alone;
            changed
        });
    }

    fn connection(&mut self, peer: PeerId, id: ConnectionId) -> Option<&mut Connection> {
        self.peers
            .get_mut(&peer)?
            .iter_mut()
            .find(|connection| connection.id == id)
    }

    fn has_link(&self, peer: PeerId) -> bool {
        self.peers.get(&peer).is_some_and(|connections| {
            connections
                .iter()
                .any(|connection| matches!(connection.state, State::Active(_)))
        })
    }

    fn is_active(&mut self, peer: PeerId, id: ConnectionId) -> bool {
        self.connection(peer, id)
            .is_some_and(|connection| matches!(connection.state, State::Active(_)))
    }

    /// Closes a connection now; another of the same peer takes over if there is one.
    fn drop_connection(&mut self, peer: PeerId, id: ConnectionId, reason: Ended) {
        let mut ended = None;
        if let Some(connection) = self.connection(peer, id)
            && let State::Active(link) = std::mem::replace(&mut connection.state, State::Closing)
        {
            ended = Some(link.id);
        }
        self.swarm.close_connection(id);
        if let Some(link) = ended {
            self.link_over(link, peer, reason);
        }
    }

    /// A link is over: says so, plans the next attempt, lets a spare connection take over.
    fn link_over(&mut self, link: LinkId, peer: PeerId, reason: Ended) {
        self.links
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&link);
        let (pause, reason) = match self.leaving.remove(&link) {
            Some(leaving) => (
                leaving.until.saturating_duration_since(Instant::now()),
                leaving.reason,
            ),
            None => (Duration::ZERO, reason),
        };
        debug!(%peer, %reason, "link ended");
        self.tell(Event::Disconnected { link, peer, reason });
        self.settle(peer, Ended::Replaced);
        if !self.has_link(peer) {
            self.book.disconnected(&peer, pause, Instant::now());
            self.note_company();
        }
    }

    fn on_closed(&mut self, peer: PeerId, id: ConnectionId, reason: Ended) {
        self.opening.remove(&id);
        if let Some(dial) = self.dials.remove(&id) {
            self.book.failed(&dial.attempt, Instant::now());
            if let Some(target) = dial.target().cloned() {
                dial.answer(&Err(DialError::Other {
                    at: target,
                    reason: reason.to_string(),
                }));
            }
        }
        let Some(connections) = self.peers.get_mut(&peer) else {
            return;
        };
        let Some(index) = connections.iter().position(|known| known.id == id) else {
            return;
        };
        let connection = connections.remove(index);
        if connections.is_empty() {
            self.peers.remove(&peer);
        }
        if let State::Active(link) = connection.state {
            let id = link.id;
            drop(link);
            self.link_over(id, peer, reason);
        }
    }

    fn on_link_ended(&mut self, ended: LinkEnded) {
        let LinkEnded { link, peer, reason } = ended;
        if let Some(id) = self.connection_of(peer, link) {
            self.drop_connection(peer, id, reason);
        }
    }

    fn connection_of(&self, peer: PeerId, link: LinkId) -> Option<ConnectionId> {
        self.peers
            .get(&peer)?
            .iter()
            .find(|connection| matches!(&connection.state, State::Active(active) if active.id == link))
            .map(|connection| connection.id)
    }

    fn find_link(&self, link: LinkId) -> Option<(PeerId, &Link)> {
        self.peers.iter().find_map(|(peer, connections)| {
            connections
                .iter()
                .find_map(|connection| match &connection.state {
                    State::Active(active) if active.id == link => Some((*peer, active)),
                    _ => None,
                })
        })
    }

    /// Ends a link politely: what waits is sent first.
    fn leave(&mut self, link: LinkId, pause: Duration, reason: Ended) {
        if let Some((_, active)) = self.find_link(link) {
            active.lanes.finish();
            let since = Instant::now();
            self.leaving.entry(link).or_insert(Leaving {
                since,
                until: since + pause,
                reason,
            });
        }
    }

    /// Ends a link at once.
    fn cut(&mut self, link: LinkId, reason: Ended) {
        if let Some((peer, _)) = self.find_link(link)
            && let Some(id) = self.connection_of(peer, link)
        {
            self.drop_connection(peer, id, reason);
        }
    }

    fn on_identified(&mut self, peer: PeerId, id: ConnectionId, listening: &[Multiaddr]) {
        let Some(connection) = self.connection(peer, id) else {
            return;
        };
        let Some(remote) = connection.remote else {
            return;
        };
        if connection.reachable.is_none() {
            // Only where it was seen: what else it claims may be anybody's address.
            connection.reachable = listening
                .iter()
                .filter_map(Target::from_multiaddr)
                .map(|target| target.socket)
                .find(|socket| socket.ip() == remote.ip() && socket.port() != 0);
        }
        if let Some(socket) = connection.reachable {
            let target = Target {
                socket,
                peer: Some(peer),
            };
            let address = target.multiaddr();
            self.book
                .learn(target, FoundBy::Inbound, Instant::now() + HANDSHAKE);
            // Otherwise it is told when the link opens.
            if self.is_active(peer, id) {
                self.book.connected(peer, None, Instant::now());
                self.tell(Event::Reachable { peer, address });
            }
        }
    }

    fn on_tick(&mut self) {
        let now = Instant::now();
        let late: Vec<_> = self
            .opening
            .iter()
            .filter(|(_, (_, since))| now.duration_since(*since) > HANDSHAKE + TICK)
            .map(|(id, (peer, _))| (*id, *peer))
            .collect();
        for (id, peer) in late {
            self.not_ours(peer, id, false);
        }
        let over: Vec<_> = self
            .leaving
            .iter()
            .filter(|(_, leaving)| now.duration_since(leaving.since) > FAREWELL)
            .map(|(link, _)| *link)
            .collect();
        for link in over {
            self.cut(link, Ended::ByUs);
            self.leaving.remove(&link);
        }
        self.dial_due();
    }
}

/// The next found address; waits forever without discovery.
async fn next(found: Option<&mut mpsc::Receiver<Target>>) -> Option<Target> {
    match found {
        Some(found) => match found.recv().await {
            Some(target) => Some(target),
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

fn listen(swarm: &mut Swarm<Behaviour>, config: &Config) -> Result<(), NetError> {
    if !config.listen.is_empty() {
        for address in &config.listen {
            let address = match config.port {
                Some(port) if address.port() == 0 => SocketAddr::new(address.ip(), port),
                _ => *address,
            };
            listen_on(swarm, address)?;
        }
        return Ok(());
    }
    let [v4, v6] = everywhere(config.port.unwrap_or(USUAL_PORT));
    let [v4, v6] = match listen_on(swarm, v4) {
        Ok(_) => [v4, v6],
        Err(NetError::PortTaken(_)) if config.port.is_none() => {
            let [v4, v6] = everywhere(0);
            listen_on(swarm, v4)?;
            info!("port {USUAL_PORT} is taken; listening on another");
            [v4, v6]
        }
        Err(reason) => return Err(reason),
    };
    // Machines without IPv6 are common, and the room works without it.
    if let Err(reason) = listen_on(swarm, v6) {
        debug!(%reason, beside = %v4, "not listening on IPv6");
    }
    Ok(())
}

fn listen_on(swarm: &mut Swarm<Behaviour>, address: SocketAddr) -> Result<ListenerId, NetError> {
    // libp2p lets several listeners share a port (SO_REUSEPORT), and calls for one profile would
    // reach another: so the port is tried first without that option.
    if address.port() != 0 && address.is_ipv4() {
        match TcpListener::bind(address) {
            Ok(free) => drop(free),
            Err(reason) if reason.kind() == io::ErrorKind::AddrInUse => {
                return Err(NetError::PortTaken(address));
            }
            Err(reason) => {
                return Err(NetError::Listen {
                    address,
                    reason: reason.to_string(),
                });
            }
        }
    }
    let target = Target {
        socket: address,
        peer: None,
    };
    swarm
        .listen_on(target.transport_address())
        .map_err(|reason| NetError::Listen {
            address,
            reason: innermost(&reason),
        })
}

/// What an error stems from. For an [`io::Error`] that wraps another, `source` skips that one.
fn cause<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a (dyn std::error::Error + 'static)> {
    match error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
    {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

/// The kind of the operating system's error inside. libp2p's transparent wrappers hide the error
/// itself from `source`, but every [`io::Error`] of the system prints its number.
fn io_kind(error: &(dyn std::error::Error + 'static)) -> Option<io::ErrorKind> {
    let words = innermost(error);
    let (_, number) = words.rsplit_once("(os error ")?;
    let number = number.trim_end_matches(')').parse().ok()?;
    Some(io::Error::from_raw_os_error(number).kind())
}

/// The words of the innermost error.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(inner) = cause(error) {
        error = inner;
    }
    error.to_string()
}
