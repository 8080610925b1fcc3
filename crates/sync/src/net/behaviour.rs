//! The libp2p behaviours of a node: one sync stream per connection, ping, limits. No identify: it would tell
//! strangers where this node listens.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    task::{Context, Poll},
};

use futures::future::{Ready, ready};
use libp2p::{
    InboundUpgrade, Multiaddr, OutboundUpgrade, PeerId, Stream, StreamProtocol,
    connection_limits::{self, ConnectionLimits},
    core::{Endpoint, UpgradeInfo, transport::PortUse},
    ping,
    swarm::{
        ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
        NetworkBehaviour, StreamUpgradeError, SubstreamProtocol, THandler, THandlerInEvent,
        THandlerOutEvent, ToSwarm, dummy,
        handler::{
            ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
        },
    },
};

use super::address::Target;
use crate::Settings;

/// Name of the sync protocol. The number changes when old and new nodes cannot talk.
const SYNC: StreamProtocol = StreamProtocol::new("/artel/sync/1");

/// Connections that are still shaking hands with somebody who called.
const MAX_PENDING_INBOUND: u32 = 32;
/// Connections that are still shaking hands with somebody we called.
pub(super) const MAX_PENDING_OUTBOUND: u32 = 32;
/// Of these from one address, so that no machine alone takes all the places where hands are shaken.
const MAX_PENDING_PER_HOST: usize = 8;
/// Connections with one peer: two while both dial at once, and one spare.
const MAX_PER_PEER: u32 = 3;

/// All behaviours of a node.
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    limits: connection_limits::Behaviour,
    door: Door,
    pub(super) sync: Sync,
    ping: ping::Behaviour,
}

impl Behaviour {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            limits: connection_limits::Behaviour::new(limits(settings)),
            door: Door::default(),
            sync: Sync::default(),
            ping: ping(settings),
        }
    }

    /// Takes new settings: limits hold from the next connection on, and so does how it is pinged. A handler that is at
    /// work keeps its own times.
    pub(super) fn set_up(&mut self, settings: &Settings) {
        *self.limits.limits_mut() = limits(settings);
        self.ping = ping(settings);
    }
}

fn limits(settings: &Settings) -> ConnectionLimits {
    let most = settings.connections;
    ConnectionLimits::default()
        .with_max_pending_incoming(Some(MAX_PENDING_INBOUND))
        .with_max_pending_outgoing(Some(MAX_PENDING_OUTBOUND))
        // More than there are sessions, so that one who calls is always heard.
        .with_max_established_incoming(Some(most.saturating_add(most / 3 + 1)))
        .with_max_established_per_peer(Some(MAX_PER_PEER))
        .with_max_established(Some(most.saturating_mul(2)))
}

fn ping(settings: &Settings) -> ping::Behaviour {
    ping::Behaviour::new(
        ping::Config::new()
            .with_interval(settings.ping_every)
            .with_timeout(settings.ping_timeout),
    )
}

/// Too many connections from one address are still shaking hands.
#[derive(Debug, thiserror::Error)]
#[error("too many connections from {0} are still shaking hands")]
struct Crowded(IpAddr);

/// Counts, by address, the callers whose handshake is not through. This machine itself may call as often as it likes.
#[derive(Default)]
pub(super) struct Door {
    callers: HashMap<ConnectionId, IpAddr>,
}

impl NetworkBehaviour for Door {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = std::convert::Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        let Some(from) = Target::from_multiaddr(remote).map(|target| target.socket.ip()) else {
            return Ok(());
        };
        if from.is_loopback() {
            return Ok(());
        }
        let waiting = self.callers.values().filter(|caller| **caller == from);
        if waiting.count() >= MAX_PENDING_PER_HOST {
            return Err(ConnectionDenied::new(Crowded(from)));
        }
        self.callers.insert(connection, from);
        Ok(())
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.callers.remove(&connection);
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        if let FromSwarm::ListenFailure(failure) = event {
            self.callers.remove(&failure.connection_id);
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

/// What happened on a connection's sync stream.
#[derive(Debug)]
pub(super) enum SyncEvent {
    /// The stream is open.
    Opened {
        peer: PeerId,
        connection: ConnectionId,
        stream: Stream,
    },
    /// It could not be opened.
    Failed {
        peer: PeerId,
        connection: ConnectionId,
        foreign: bool,
    },
}

/// Opens one sync stream on every connection: the side that dialled asks for it.
#[derive(Default)]
pub(super) struct Sync {
    events: VecDeque<SyncEvent>,
}

impl NetworkBehaviour for Sync {
    type ConnectionHandler = Handler;
    type ToSwarm = SyncEvent;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::new(Role::Listener))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::new(Role::Dialler))
    }

    fn on_swarm_event(&mut self, _: FromSwarm) {}

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        self.events.push_back(match event {
            HandlerEvent::Opened(stream) => SyncEvent::Opened {
                peer,
                connection,
                stream,
            },
            HandlerEvent::Failed { foreign } => SyncEvent::Failed {
                peer,
                connection,
                foreign,
            },
        });
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        match self.events.pop_front() {
            Some(event) => Poll::Ready(ToSwarm::GenerateEvent(event)),
            None => Poll::Pending,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Dialler,
    Listener,
}

/// What the handler of one connection reports.
#[derive(Debug)]
pub(super) enum HandlerEvent {
    Opened(Stream),
    Failed { foreign: bool },
}

/// Opens or accepts the one sync stream of a connection and keeps the connection alive.
pub(super) struct Handler {
    role: Role,
    /// The dialler has asked for the stream, or the listener has got it.
    taken: bool,
    event: Option<HandlerEvent>,
}

impl Handler {
    fn new(role: Role) -> Self {
        Self {
            role,
            taken: false,
            event: None,
        }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = std::convert::Infallible;
    type ToBehaviour = HandlerEvent;
    type InboundProtocol = SyncUpgrade;
    type OutboundProtocol = SyncUpgrade;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(SyncUpgrade, ())
    }

    fn connection_keep_alive(&self) -> bool {
        true
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), Self::ToBehaviour>> {
        if let Some(event) = self.event.take() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(event));
        }
        if self.role == Role::Dialler && !self.taken {
            self.taken = true;
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest {
                protocol: SubstreamProtocol::new(SyncUpgrade, ()),
            });
        }
        Poll::Pending
    }

    fn on_behaviour_event(&mut self, event: Self::FromBehaviour) {
        match event {}
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<Self::InboundProtocol, Self::OutboundProtocol>,
    ) {
        match event {
            // A second stream, or one asked for by the side that was dialled, is dropped.
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol, ..
            }) if self.role == Role::Listener && !self.taken => {
                self.taken = true;
                self.event = Some(HandlerEvent::Opened(protocol));
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol, ..
            }) => self.event = Some(HandlerEvent::Opened(protocol)),
            ConnectionEvent::DialUpgradeError(DialUpgradeError { error, .. }) => {
                let foreign = matches!(error, StreamUpgradeError::NegotiationFailed);
                self.event = Some(HandlerEvent::Failed { foreign });
            }
            _ => {}
        }
    }
}

/// Agrees on the protocol and hands out the bare stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct SyncUpgrade;

impl UpgradeInfo for SyncUpgrade {
    type Info = StreamProtocol;
    type InfoIter = std::iter::Once<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        std::iter::once(SYNC)
    }
}

impl InboundUpgrade<Stream> for SyncUpgrade {
    type Output = Stream;
    type Error = std::convert::Infallible;
    type Future = Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_inbound(self, stream: Stream, _: Self::Info) -> Self::Future {
        ready(Ok(stream))
    }
}

impl OutboundUpgrade<Stream> for SyncUpgrade {
    type Output = Stream;
    type Error = std::convert::Infallible;
    type Future = Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_outbound(self, stream: Stream, _: Self::Info) -> Self::Future {
        ready(Ok(stream))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_takes_all_the_places_at_the_door() {
        let mut door = Door::default();
        let here: Multiaddr = "/ip4/10.0.0.1/tcp/47600".parse().unwrap();
        let mut calls = 0..;
        let mut call = |door: &mut Door, from: &str| {
            let connection = ConnectionId::new_unchecked(calls.next().unwrap());
            let from = from.parse().unwrap();
            let let_in = door.handle_pending_inbound_connection(connection, &here, &from);
            let_in.is_ok().then_some(connection)
        };
        let crowd: Vec<_> = (0..40)
            .filter_map(|port| call(&mut door, &format!("/ip4/10.0.0.9/tcp/{}", 1_000 + port)))
            .collect();
        assert_eq!(crowd.len(), MAX_PENDING_PER_HOST);
        assert!(call(&mut door, "/ip4/10.0.0.2/tcp/5").is_some());
        assert!((0..40).all(|_| call(&mut door, "/ip4/127.0.0.1/tcp/5").is_some()));
        // Whoever is through makes room.
        let peer = PeerId::random();
        door.handle_established_inbound_connection(crowd[0], peer, &here, &here)
            .unwrap();
        assert!(call(&mut door, "/ip4/10.0.0.9/tcp/5").is_some());
        assert!(call(&mut door, "/ip4/10.0.0.9/tcp/6").is_none());
    }
}
