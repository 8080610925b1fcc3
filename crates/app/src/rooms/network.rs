//! The network of the session: start, stop, peers, dialling.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    time::{Duration, Instant},
};

use artel_domain::{DeviceId, SpaceId};
use artel_store::{addresses, identity, settings as stored};
use artel_sync::net::{self, Config, DialError, FoundBy, NetError, Network, Target, device_of};
use zeroize::Zeroizing;

use super::{State, driver::Driver};
use crate::{
    api::{Command, Event, Handle, Notice, NoticeLevel, rooms as api},
    doctor::{STARTED, Situation},
    error::{AppError, Code},
    installation::{no_identity, now_ms},
    session::{Core, Session},
    settings,
};

/// Peers that are gone but still listed.
const MOST_GONE: usize = 64;
/// Remembered addresses that are dialled.
const MOST_REMEMBERED: usize = 64;

/// A peer as it is listed.
#[derive(Clone, Debug)]
struct Peer {
    id: String,
    address: String,
    found_by: FoundBy,
    dialled: bool,
    connected: bool,
    rtt: Option<Duration>,
    since: Instant,
}

/// Peers and own addresses.
#[derive(Debug, Default)]
pub(super) struct PeerTable {
    peers: HashMap<artel_domain::DeviceId, Peer>,
    pub(super) addresses: Vec<String>,
}

impl PeerTable {
    /// Takes note of an event; true when the list changed in a way worth telling.
    pub(super) fn note(&mut self, event: &net::Event) -> bool {
        match event {
            net::Event::Listening { addresses } => {
                self.addresses = addresses.iter().map(ToString::to_string).collect();
                true
            }
            net::Event::Connected {
                peer,
                address,
                found_by,
                dialled,
                ..
            } => {
                let Some(device) = device_of(peer) else {
                    return false;
                };
                self.peers.insert(
                    device,
                    Peer {
                        id: peer.to_string(),
                        address: address.to_string(),
                        found_by: *found_by,
                        dialled: *dialled,
                        connected: true,
                        rtt: None,
                        since: Instant::now(),
                    },
                );
                self.forget_oldest();
                true
            }
            net::Event::Disconnected { peer, .. } => {
                let known = device_of(peer).and_then(|device| self.peers.get_mut(&device));
                if let Some(known) = known {
                    known.connected = false;
                    known.rtt = None;
                    known.since = Instant::now();
                }
                true
            }
            net::Event::Reachable { peer, address } => {
                let known = device_of(peer).and_then(|device| self.peers.get_mut(&device));
                if let Some(known) = known {
                    known.address = address.to_string();
                }
                false
            }
            net::Event::RoundTrip { peer, time } => {
                let known = device_of(peer).and_then(|device| self.peers.get_mut(&device));
                if let Some(known) = known {
                    known.rtt = Some(*time);
                }
                false
            }
            net::Event::Frame(_) => false,
        }
    }

    fn forget_oldest(&mut self) {
        let gone = self.peers.values().filter(|peer| !peer.connected).count();
        if gone > MOST_GONE
            && let Some(device) = self
                .peers
                .iter()
                .filter(|(_, peer)| !peer.connected)
                .min_by_key(|(_, peer)| peer.since)
                .map(|(device, _)| *device)
        {
            self.peers.remove(&device);
        }
    }

    /// The network has ended.
    pub(super) fn clear(&mut self) {
        self.peers.clear();
        self.addresses.clear();
    }
}

/// How the network is started.
#[derive(Clone, Debug, Default)]
struct Options {
    port: Option<u16>,
    mdns: bool,
    listen: Vec<SocketAddr>,
}

/// The network while it runs.
pub(super) struct Running {
    network: Network,
    options: Options,
}

async fn launch(core: &Core, driver: &Driver, options: &Options) -> Result<Network, AppError> {
    let (secret, remembered, mdns, settings) = core
        .read(|connection| {
            let secret = identity::get(connection)?
                .and_then(|identity| identity.device_secret.map(Zeroizing::new));
            Ok((
                secret,
                addresses::best(connection, MOST_REMEMBERED)?,
                settings::mdns(connection)?,
                settings::network(connection)?,
            ))
        })
        .await?;
    core.write(|tx| stored::set(tx, STARTED, &now_ms().to_string()))
        .await?;
    let config = Config {
        secret: secret.ok_or_else(no_identity)?,
        port: options.port,
        listen: options.listen.clone(),
        mdns: options.mdns && mdns,
        settings,
    };
    let (network, events) = net::start(config)
        .await
        .map_err(|reason| net_error(&reason))?;
    driver.attach(network.clone(), events)?;
    let known = remembered.iter().filter_map(|known| {
        let device = DeviceId::from_bytes(known.device_public?);
        let target = Target::parse(&known.address).ok()?;
        Some((device, target.socket, known.last_reached_ms))
    });
    driver.reached(known.collect());
    network.remember(
        remembered
            .into_iter()
            .filter_map(|known| {
                let found_by = if known.typed {
                    FoundBy::Typed
                } else {
                    FoundBy::Remembered
                };
                Some((Target::parse(&known.address).ok()?, found_by))
            })
            .collect(),
    );
    Ok(network)
}

fn net_error(reason: &NetError) -> AppError {
    let hint = match reason {
        NetError::PortTaken(_) => "Choose another port with --port, or leave it out.",
        NetError::Listen { .. } => "Listen on an address of this machine, or leave --listen out.",
        NetError::Key(_) => "Restore a backup of this profile: artel care backups",
        NetError::Transport(_) => "Close some programs and try again.",
    };
    AppError::new(Code::Offline, reason.to_string(), hint)
}

pub(super) fn dial_error(reason: &DialError) -> AppError {
    let hint = match reason {
        DialError::Refused(_) | DialError::NoAnswer(_) | DialError::Other { .. } => {
            "Check the address and port, that Artel runs there, and that no firewall is in between."
        }
        DialError::Unreachable(_) => "Check that both machines are on one network.",
        DialError::Ourselves(_) => "Give the address of another machine.",
        DialError::SomeoneElse { .. } => {
            "Leave the /p2p/… part out to connect to whoever is there."
        }
        DialError::Foreign(_) => "Give the port of Artel; it stands there with: artel net peers",
        DialError::Over => "Start it: artel node",
    };
    AppError::new(Code::NobodyThere, reason.to_string(), hint)
}

pub(super) fn parse_target(text: &str) -> Result<Target, AppError> {
    Target::parse(text).map_err(|reason| {
        AppError::new(
            Code::BadArguments,
            reason.to_string(),
            "The other machine shows its addresses with: artel net peers",
        )
    })
}

impl State {
    /// The running network.
    pub(super) async fn network(&self) -> Option<Network> {
        let running = self.inner.network.lock().await;
        running.as_ref().map(|running| running.network.clone())
    }

    async fn start_network(&self, core: &Core, options: Options) -> Result<bool, AppError> {
        let mut running = self.inner.network.lock().await;
        if running.is_some() {
            return Ok(false);
        }
        let network = launch(core, &self.inner.driver, &options).await?;
        *running = Some(Running { network, options });
        Ok(true)
    }

    /// Starts the network anew, if it runs, with the device key of now.
    pub(super) async fn restart_network(&self) {
        let mut running = self.inner.network.lock().await;
        let Some(Running { network, options }) = running.take() else {
            return;
        };
        network.stop().await;
        self.inner.driver.detach();
        let core = &self.inner.core;
        match launch(core, &self.inner.driver, &options).await {
            Ok(network) => *running = Some(Running { network, options }),
            Err(reason) => core.tell(Event::Notice(Notice {
                level: NoticeLevel::Bad,
                code: "network_stopped".to_owned(),
                message: format!("The network could not be started again: {reason}"),
                params: BTreeMap::new(),
            })),
        }
    }

    /// Starts the network as usual unless it runs. Whoever started it stops it.
    pub(super) async fn ensure_network(&self, core: &Core) -> Result<Guest, AppError> {
        let started = self
            .start_network(
                core,
                Options {
                    mdns: true,
                    ..Options::default()
                },
            )
            .await?;
        Ok(Guest {
            state: started.then(|| self.clone()),
        })
    }

    /// What the network knows of itself, if it runs.
    pub(crate) async fn situation(&self) -> Situation {
        if self.network().await.is_none() {
            return Situation::default();
        }
        let table = self.inner.driver.signals.peers();
        let listening = table.addresses.iter();
        let connected = table.peers.values().filter(|peer| peer.connected);
        Situation {
            listening: listening
                .filter_map(|address| Some(Target::parse(address).ok()?.socket))
                .collect(),
            connected: connected.clone().count(),
            called: connected.clone().any(|peer| !peer.dialled),
        }
    }

    /// Gives the settings of now to what runs.
    pub(crate) async fn take_settings(&self) -> Result<(), AppError> {
        let settings = self.inner.core.read(settings::network).await?;
        self.inner.driver.set_up(settings);
        if let Some(network) = self.network().await {
            network.set_up(settings);
        }
        Ok(())
    }

    /// Stops the network.
    pub(super) async fn stop_network(&self) {
        if let Some(running) = self.inner.network.lock().await.take() {
            running.network.stop().await;
            self.inner.driver.detach();
        }
    }

    fn node_info(&self, network: &Network) -> api::NodeInfo {
        api::NodeInfo {
            peer: network.me().to_string(),
            addresses: self.inner.driver.signals.peers().addresses.clone(),
        }
    }
}

/// Use of the network for the time of one command.
pub(super) struct Guest {
    state: Option<State>,
}

impl Guest {
    /// Stops the network if this command had started it.
    pub(super) async fn leave(self) {
        if let Some(state) = self.state {
            state.stop_network().await;
        }
    }
}

impl Handle<api::NodeStart> for Session {
    async fn handle(
        &self,
        command: api::NodeStart,
    ) -> Result<<api::NodeStart as Command>::Reply, AppError> {
        let listen = command
            .listen
            .iter()
            .map(|text| {
                Target::parse_listen(text).map_err(|reason| {
                    AppError::of(
                        Code::BadArguments,
                        &reason,
                        "Write it as /ip4/0.0.0.0/tcp/47600.",
                    )
                })
            })
            .collect::<Result<_, _>>()?;
        let options = Options {
            port: command.port,
            mdns: !command.no_mdns,
            listen,
        };
        self.rooms.start_network(&self.core, options).await?;
        let network = self.rooms.network().await.ok_or_else(offline)?;
        // The first addresses are on their way from the network to the list.
        for _ in 0..50 {
            if !self.rooms.inner.driver.signals.peers().addresses.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(self.rooms.node_info(&network))
    }
}

fn offline() -> AppError {
    AppError::new(
        Code::Offline,
        "the network is not running",
        "Start it: artel node",
    )
}

impl Handle<api::NetPeers> for Session {
    async fn handle(
        &self,
        _: api::NetPeers,
    ) -> Result<<api::NetPeers as Command>::Reply, AppError> {
        let node = self
            .rooms
            .network()
            .await
            .map(|network| self.rooms.node_info(&network));
        let listed: Vec<_> = {
            let table = self.rooms.inner.driver.signals.peers();
            table
                .peers
                .iter()
                .map(|(device, peer)| (*device, peer.clone()))
                .collect()
        };
        let mut peers = self
            .rooms
            .look(move |node| {
                listed
                    .into_iter()
                    .map(|(device, peer)| describe(node, &device, peer))
                    .collect::<Vec<_>>()
            })
            .await?;
        peers.sort_by(|a, b| {
            (!a.connected, &a.name, &a.peer).cmp(&(!b.connected, &b.name, &b.peer))
        });
        Ok(api::Peers { node, peers })
    }
}

fn describe(
    node: &artel_sync::protocol::Node,
    device: &artel_domain::DeviceId,
    peer: Peer,
) -> api::PeerInfo {
    let common = node.peer_spaces(device);
    let name = common.first().and_then(|(space, member)| {
        node.members(space)
            .into_iter()
            .find(|known| known.member == *member)
            .map(|known| known.name)
    });
    let shared = |space: &SpaceId| common.iter().any(|(known, _)| known == space);
    api::PeerInfo {
        peer: peer.id,
        name,
        address: peer.address,
        connected: peer.connected,
        found_by: peer.found_by.as_str().to_owned(),
        rtt_ms: peer.rtt.map(|time| time.as_secs_f64() * 1000.0),
        spaces: node
            .spaces()
            .into_iter()
            .filter(|space| shared(&space.space))
            .map(|space| space.name)
            .collect(),
    }
}

impl Handle<api::NetDial> for Session {
    async fn handle(
        &self,
        command: api::NetDial,
    ) -> Result<<api::NetDial as Command>::Reply, AppError> {
        let target = parse_target(&command.address)?;
        let network = self.rooms.network().await.ok_or_else(offline)?;
        let peer = match network.dial(target.clone()).await {
            // It was started anew meanwhile, with another device key.
            Err(DialError::Over) => {
                let network = self.rooms.network().await.ok_or_else(offline)?;
                network.dial(target.clone()).await
            }
            dialled => dialled,
        };
        let peer = peer.map_err(|reason| dial_error(&reason))?;
        let kept = target.multiaddr().to_string();
        self.core
            .write(move |tx| addresses::typed(tx, &kept))
            .await?;
        let device = device_of(&peer);
        // The link is open; the list hears of it a moment later.
        for _ in 0..50 {
            let listed = {
                let table = self.rooms.inner.driver.signals.peers();
                device.and_then(|device| table.peers.get(&device).cloned())
            };
            if let (Some(device), Some(listed)) = (device, listed) {
                return self
                    .rooms
                    .look(move |node| describe(node, &device, listed))
                    .await;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(api::PeerInfo {
            peer: peer.to_string(),
            name: None,
            address: target.multiaddr().to_string(),
            connected: true,
            found_by: FoundBy::Typed.as_str().to_owned(),
            rtt_ms: None,
            spaces: Vec::new(),
        })
    }
}
