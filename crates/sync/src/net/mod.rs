//! The network of a node: libp2p over TCP, Noise and Yamux, found by mDNS, by remembered and by
//! typed addresses.
//!
//! [`start`] gives a [`Network`] to act with and a channel of [`Event`]s to listen to. Between two
//! nodes there is at most one **link**: one sync stream on one connection, which carries frames in
//! order until it ends. When a pair is connected twice for a moment, the link may end and another
//! begin; every link has its own [`LinkId`], and a frame or a send that names an ended link means
//! nothing any more.
//!
//! What this part promises:
//! - It connects to nothing but literal addresses: announced by mDNS within the room's ranges,
//!   those that a proven member called from, remembered or typed (invariant 1). No names are
//!   resolved, nothing is relayed.
//! - A peer is known by its device key, which Noise has checked; that alone grants nothing
//!   (invariant 2).
//! - Text frames leave before file frames. What waits for a peer is bounded, and so is what was
//!   received from one and not yet taken; a peer that is too slow is disconnected and blocks nobody.

mod actor;
mod address;
mod behaviour;
mod book;
mod connections;
mod discovery;
mod frame;
mod lanes;
mod link;

use std::{
    collections::{HashMap, HashSet},
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use artel_domain::DeviceId;
use libp2p::{Multiaddr, identity};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, oneshot},
    task::JoinHandle,
};
use zeroize::Zeroizing;

pub use address::{BadAddress, Target};
pub use libp2p::PeerId;

use lanes::Lanes;

use crate::{Ports, Settings};

/// The TCP port that firewall rules are written for.
pub const USUAL_PORT: u16 = 47600;

/// How the network is started.
pub struct Config {
    /// Secret part of the device key: 32 bytes of Ed25519.
    pub secret: Zeroizing<[u8; 32]>,
    /// TCP port; unless given the usual one, or any if that is taken.
    pub port: Option<u16>,
    /// Addresses to listen on; all interfaces if empty. A port of 0 means any.
    pub listen: Vec<SocketAddr>,
    /// Whether to announce and look for peers by mDNS.
    pub mdns: bool,
    /// How many, how often, how long.
    pub settings: Settings,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("port", &self.port)
            .field("listen", &self.listen)
            .field("mdns", &self.mdns)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// How a peer was found. The order is that of trust in the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FoundBy {
    /// The user typed its address.
    Typed,
    /// It was connected earlier.
    Remembered,
    /// It called us, and said where it listens when it had proven that it is a member.
    Inbound,
    /// It announced itself by mDNS.
    Mdns,
    /// A member told where it had reached it.
    Member,
}

impl FoundBy {
    /// The word used in lists.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Typed => "typed",
            Self::Remembered => "remembered",
            Self::Mdns => "mdns",
            Self::Member => "member",
            Self::Inbound => "inbound",
        }
    }

    /// Whether nobody here vouched for the address.
    fn is_hearsay(self) -> bool {
        matches!(self, Self::Mdns | Self::Member | Self::Inbound)
    }
}

/// Which frames go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Everything but file contents.
    Text,
    /// File contents: sent when no text waits.
    File,
}

/// One link between this node and another, from its opening to its end. No two in a process have the same, not even of
/// one network and the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkId(u64);

impl LinkId {
    fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// Why a link ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// The peer closed it.
    #[error("the peer closed the connection")]
    ByPeer,
    /// We closed it.
    #[error("closed")]
    ByUs,
    /// Another connection with the same peer took its place.
    #[error("another connection with this peer took its place")]
    Replaced,
    /// It took too long to take a frame or to send one, or to answer a ping.
    #[error("the peer did not answer in time")]
    Stalled,
    /// More waited for it than may.
    #[error("the peer is too slow for what it is sent")]
    Overrun,
    /// It sent something that no node sends.
    #[error("the peer broke the protocol: {0}")]
    BrokeProtocol(String),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Lost(String),
}

/// A frame from a peer. What it weighs counts against the link until it is dropped.
#[derive(Debug)]
pub struct Received {
    /// Link it came by.
    pub link: LinkId,
    /// Who sent it.
    pub peer: PeerId,
    /// The content.
    pub bytes: Vec<u8>,
    _held: OwnedSemaphorePermit,
}

/// What happens on the network.
#[derive(Debug)]
pub enum Event {
    /// The addresses this node listens on changed.
    Listening {
        /// All of them, with the peer id.
        addresses: Vec<Multiaddr>,
    },
    /// A link opened.
    Connected {
        /// The link.
        link: LinkId,
        /// Who is at the other end.
        peer: PeerId,
        /// Where: the address dialled, or the one the call came from.
        address: Multiaddr,
        /// How it was found.
        found_by: FoundBy,
        /// Whether this node called, and not the peer.
        dialled: bool,
    },
    /// A link ended.
    Disconnected {
        /// The link.
        link: LinkId,
        /// Who was at the other end.
        peer: PeerId,
        /// Why.
        reason: Ended,
    },
    /// A frame arrived.
    Frame(Received),
    /// A connected peer can be dialled here: where it was dialled, or where it told that it listens. Worth remembering
    /// once it is known as a member.
    Reachable {
        /// The peer.
        peer: PeerId,
        /// Where.
        address: Multiaddr,
    },
    /// The round trip to a peer was measured.
    RoundTrip {
        /// The peer.
        peer: PeerId,
        /// There and back.
        time: Duration,
    },
}

/// Why the network could not start.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// The device key cannot be used.
    #[error("the device key cannot be used: {0}")]
    Key(#[from] identity::DecodingError),
    /// The port is taken.
    #[error("{0} is taken by another program")]
    PortTaken(SocketAddr),
    /// Listening failed.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        reason: String,
    },
    /// The transport could not be set up.
    #[error("the network cannot start: {0}")]
    Transport(String),
}

/// Why a dial failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// Nobody listens there.
    #[error("nobody listens at {0}")]
    Refused(Target),
    /// Nothing answered.
    #[error("{0} did not answer")]
    NoAnswer(Target),
    /// There is no way there.
    #[error("there is no route to {0}")]
    Unreachable(Target),
    /// It is this node.
    #[error("{0} is this node")]
    Ourselves(Target),
    /// Somebody else is there.
    #[error("{at} is not the expected peer but {found}")]
    SomeoneElse {
        /// Where.
        at: Target,
        /// Who is there.
        found: PeerId,
    },
    /// Another program is there.
    #[error("what listens at {0} is not Artel")]
    Foreign(Target),
    /// Anything else.
    #[error("cannot connect to {at}: {reason}")]
    Other {
        /// Where.
        at: Target,
        /// Why.
        reason: String,
    },
    /// The network has ended.
    #[error("the network is not running")]
    Over,
}

enum Command {
    Dial {
        target: Target,
        reply: oneshot::Sender<Result<PeerId, DialError>>,
    },
    Remember(Vec<(Target, FoundBy)>),
    Disconnect {
        link: LinkId,
        pause: Duration,
    },
    Overrun(LinkId),
    Told {
        link: LinkId,
        ports: Ports,
    },
    Hint(Target),
    HoldOff {
        there: HashSet<PeerId>,
        away: HashSet<PeerId>,
    },
    Hurry,
    SetUp(Settings),
    Stop,
}

type Links = Arc<Mutex<HashMap<LinkId, Arc<Lanes>>>>;

/// Peers that are connected, or were heard of lately and do not fail to answer; and those with an address that was not
/// found to be silent.
type Reach = Arc<Mutex<(HashSet<PeerId>, HashSet<PeerId>)>>;

/// Acts on a running network. Cheap to clone; [`Network::stop`] ends it for all.
#[derive(Clone)]
pub struct Network {
    me: PeerId,
    commands: mpsc::UnboundedSender<Command>,
    links: Links,
    reach: Reach,
    task: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("me", &self.me)
            .finish_non_exhaustive()
    }
}

/// Starts the network and returns when it listens. Must be called within a tokio runtime.
pub async fn start(config: Config) -> Result<(Network, mpsc::UnboundedReceiver<Event>), NetError> {
    let (commands, receive_commands) = mpsc::unbounded_channel();
    let (events, receive_events) = mpsc::unbounded_channel();
    let links = Links::default();
    let reach = Reach::default();
    let shared = (Arc::clone(&links), Arc::clone(&reach));
    let actor = actor::Actor::start(config, receive_commands, events, shared).await?;
    let me = actor.me();
    let task = tokio::spawn(actor.run());
    let network = Network {
        me,
        commands,
        links,
        reach,
        task: Arc::new(Mutex::new(Some(task))),
    };
    Ok((network, receive_events))
}

impl Network {
    /// This node.
    pub fn me(&self) -> PeerId {
        self.me
    }

    /// Queues a frame. On a link that has ended it does nothing; on one that does not keep up it
    /// ends the link.
    pub fn send(&self, link: LinkId, lane: Lane, frame: Vec<u8>) {
        let lanes = self
            .links
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&link)
            .cloned();
        if lanes.is_some_and(|lanes| lanes.push(lane, frame).is_err()) {
            let _ = self.commands.send(Command::Overrun(link));
        }
    }

    /// Ends a link after the text that waits was sent, and does not dial the peer for `pause`.
    pub fn disconnect(&self, link: LinkId, pause: Duration) {
        let _ = self.commands.send(Command::Disconnect { link, pause });
    }

    /// Dials an address that the user typed and keeps it for later attempts.
    pub async fn dial(&self, target: Target) -> Result<PeerId, DialError> {
        let (reply, answer) = oneshot::channel();
        let _ = self.commands.send(Command::Dial { target, reply });
        answer.await.unwrap_or(Err(DialError::Over))
    }

    /// Gives addresses known from earlier, with how they were found then; they are dialled from time to time.
    pub fn remember(&self, targets: Vec<(Target, FoundBy)>) {
        let _ = self.commands.send(Command::Remember(targets));
    }

    /// A peer that has proven membership said where it listens. It is dialled there when the link has ended.
    pub fn told(&self, link: LinkId, ports: Ports) {
        let _ = self.commands.send(Command::Told { link, ports });
    }

    /// A member told where another peer was reached: it is tried there like one that announced itself.
    pub fn hint(&self, target: Target) {
        let _ = self.commands.send(Command::Hint(target));
    }

    /// Does not dial these, unless their addresses were typed: those who are `there` are linked with others, and of those
    /// who are `away` one is tried now and then. Replaces what was given before.
    pub fn hold_off(&self, there: HashSet<PeerId>, away: HashSet<PeerId>) {
        let _ = self.commands.send(Command::HoldOff { there, away });
    }

    /// Peers that are connected, announced themselves, called, or were told of, and that do not fail to answer; and those
    /// with an address that was not found to be silent, heard of or not.
    pub fn reach(&self) -> (HashSet<PeerId>, HashSet<PeerId>) {
        self.reach
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Tries every known address again now, without waiting for the end of its pause.
    pub fn hurry(&self) {
        let _ = self.commands.send(Command::Hurry);
    }

    /// Takes new settings; [`Settings`] says which of them wait for what.
    pub fn set_up(&self, settings: Settings) {
        let _ = self.commands.send(Command::SetUp(settings));
    }

    /// Closes all connections and waits for the end.
    pub async fn stop(&self) {
        let _ = self.commands.send(Command::Stop);
        let task = self
            .task
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(task) = task {
            // A panic in the task has been reported by the runtime already.
            let _ = task.await;
        }
    }
}

/// The device behind a peer id; `None` for ids that are not Ed25519 keys.
pub fn device_of(peer: &PeerId) -> Option<DeviceId> {
    let hash = peer.as_ref();
    // Ed25519 keys are short enough to stand in the id themselves: the identity hash is code 0.
    if hash.code() != 0 {
        return None;
    }
    let key = identity::PublicKey::try_decode_protobuf(hash.digest()).ok()?;
    let key = key.try_into_ed25519().ok()?;
    Some(DeviceId::from_bytes(key.to_bytes()))
}

/// The peer id of a device.
pub fn peer_of(device: &DeviceId) -> Option<PeerId> {
    let key = identity::ed25519::PublicKey::try_from_bytes(device.as_bytes()).ok()?;
    Some(identity::PublicKey::from(key).to_peer_id())
}

/// All interfaces, for one port.
fn everywhere(port: u16) -> [SocketAddr; 2] {
    [
        SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port),
        SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port),
    ]
}

#[cfg(test)]
mod tests;
