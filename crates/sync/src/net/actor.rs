//! The task that owns the swarm: it listens, dials, chooses connections and reports.

mod dialling;
mod links;
mod listening;

use std::{
    collections::{HashMap, HashSet},
    sync::PoisonError,
    time::{Duration, Instant},
};

use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, Swarm, SwarmBuilder, identity, noise, ping,
    swarm::{ConnectionId, SwarmEvent},
    tcp, yamux,
};
use tokio::{
    sync::{mpsc, watch},
    time::{MissedTickBehavior, interval, timeout},
};

use super::{
    Command, Config, Ended, Event, FoundBy, LinkId, Links, NetError, Reach,
    address::Target,
    behaviour::{Behaviour, BehaviourEvent},
    book::Book,
    connections::{Connection, State},
    discovery,
    link::LinkEnded,
};
use crate::Settings;
use dialling::Dial;

/// How often the book is looked through.
const TICK: Duration = Duration::from_millis(250);
/// How long a link that we end may take to send what waits.
const FAREWELL: Duration = Duration::from_secs(2);
/// Streams in one connection: ours and two for ping, with some to spare.
const MAX_STREAMS: usize = 16;
/// How long a connection that another one of the pair has made needless may stay; its dialler closes it sooner.
const SPARE: Duration = Duration::from_secs(10);
/// How long to wait for the first address, and then for the other interfaces'.
const FIRST_ADDRESS: Duration = Duration::from_secs(5);
const MORE_ADDRESSES: Duration = Duration::from_millis(100);

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
    settings: Settings,
    book: Book,
    commands: mpsc::UnboundedReceiver<Command>,
    events: mpsc::UnboundedSender<Event>,
    links: Links,
    reach: Reach,
    ended: mpsc::UnboundedReceiver<LinkEnded>,
    report_end: mpsc::UnboundedSender<LinkEnded>,
    found: Option<mpsc::Receiver<Target>>,
    situation: watch::Sender<discovery::Situation>,
    announced: HashSet<PeerId>,
    dials: HashMap<ConnectionId, Dial>,
    peers: HashMap<PeerId, Vec<Connection>>,
    opening: HashMap<ConnectionId, (PeerId, Instant)>,
    leaving: HashMap<LinkId, Leaving>,
    /// Until the first addresses are known together; then they are told at once.
    gathering: bool,
}

impl Actor {
    pub(super) async fn start(
        config: Config,
        commands: mpsc::UnboundedReceiver<Command>,
        events: mpsc::UnboundedSender<Event>,
        (links, reach): (Links, Reach),
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
            .with_behaviour(|_| Behaviour::new(&config.settings))
            .map_err(|reason| NetError::Transport(reason.to_string()))?
            .with_swarm_config(|config| config.with_max_negotiating_inbound_streams(MAX_STREAMS))
            .with_connection_timeout(config.settings.connect_timeout)
            .build();
        listening::listen(&mut swarm, &config)?;
        let me = *swarm.local_peer_id();
        let (situation, watch_situation) = watch::channel(discovery::Situation {
            alone: true,
            ..Default::default()
        });
        let (report_end, ended) = mpsc::unbounded_channel();
        let mut actor = Self {
            swarm,
            settings: config.settings,
            book: Book::new(&config.settings),
            commands,
            events,
            links,
            reach,
            ended,
            report_end,
            found: None,
            situation,
            announced: HashSet::new(),
            dials: HashMap::new(),
            peers: HashMap::new(),
            opening: HashMap::new(),
            leaving: HashMap::new(),
            gathering: true,
        };
        actor.gather_addresses().await;
        actor.gathering = false;
        actor.on_addresses();
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
                Some(target) = next(self.found.as_mut()) => self.on_hint(target, FoundBy::Mdns),
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
                for (target, found_by) in targets {
                    if target.peer != Some(self.me()) {
                        self.book.learn(target, found_by, Instant::now());
                    }
                }
            }
            Command::Disconnect { link, pause } => self.leave(link, pause, Ended::ByUs),
            Command::Overrun(link) => self.cut(link, Ended::Overrun),
            Command::Told { link, ports } => self.on_told(link, ports),
            Command::Hint(target) => self.on_hint(target, FoundBy::Member),
            Command::HoldOff { there, away } => self.book.hold_off(there, away),
            Command::Hurry => {
                self.book.hurry(Instant::now());
                self.dial_due();
            }
            Command::SetUp(settings) => {
                self.settings = settings;
                self.book.set_up(&settings);
                self.swarm.behaviour_mut().set_up(&settings);
            }
            Command::Stop => {}
        }
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
            _ => {}
        }
    }

    fn on_addresses(&mut self) {
        if self.gathering {
            return;
        }
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

    fn on_tick(&mut self) {
        let now = Instant::now();
        let late: Vec<_> = self
            .opening
            .iter()
            .filter(|(_, (_, since))| {
                now.duration_since(*since) > self.settings.connect_timeout + TICK
            })
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
        self.close_spares(now);
        if let Some(reach) = self.book.reach_anew() {
            *self.reach.lock().unwrap_or_else(PoisonError::into_inner) = reach;
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
