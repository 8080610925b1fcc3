//! Connections and the links on them: which one is used, how each ends.

use std::{
    collections::hash_map::Entry,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use libp2p::{Multiaddr, PeerId, core::ConnectedPoint, swarm::ConnectionId};
use tracing::{debug, info};

use super::{
    super::{
        DialError, Ended, Event, FoundBy, LinkId,
        address::Target,
        behaviour::SyncEvent,
        connections::{Connection, State, choose},
        device_of,
        lanes::Lanes,
        link::{Link, LinkEnded},
    },
    Actor, Leaving, SPARE,
    dialling::Dial,
};
use crate::Ports;

impl Actor {
    pub(super) fn on_established(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        endpoint: &ConnectedPoint,
    ) {
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
            since: Instant::now(),
            state: State::Opening,
        });
        self.opening.insert(id, (peer, Instant::now()));
        if device_of(&peer).is_none() {
            self.not_ours(peer, id, true);
        }
    }

    pub(super) fn on_sync(&mut self, event: SyncEvent) {
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
    pub(super) fn not_ours(&mut self, peer: PeerId, id: ConnectionId, foreign: bool) {
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
    pub(super) fn settle(&mut self, peer: PeerId, because: Ended) {
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
                    let id = LinkId::next();
                    let address = connection
                        .address(peer)
                        .map_or_else(Multiaddr::empty, |target| target.multiaddr());
                    // The listener may answer at once, so the way out is there before it is told, and it
                    // is told before the reader, which may be quicker than this task, begins.
                    let lanes = Arc::new(Lanes::default());
                    self.links
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .insert(id, Arc::clone(&lanes));
                    events.push(Event::Connected {
                        link: id,
                        peer,
                        address,
                        found_by: connection.found_by,
                        dialled: connection.dialled_by_me,
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
                        lanes,
                        self.events.clone(),
                        self.report_end.clone(),
                    );
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

    /// Closes connections that are not in use and that their dialler leaves open: they take the places of others.
    pub(super) fn close_spares(&mut self, now: Instant) {
        let old = |connection: &&Connection| {
            matches!(connection.state, State::Spare(_))
                && now.duration_since(connection.since) > SPARE
        };
        let spare = self.peers.values().flatten().filter(old);
        for id in spare.map(|connection| connection.id).collect::<Vec<_>>() {
            self.swarm.close_connection(id);
        }
    }

    pub(super) fn note_company(&self) {
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

    pub(super) fn connection(&mut self, peer: PeerId, id: ConnectionId) -> Option<&mut Connection> {
        self.peers
            .get_mut(&peer)?
            .iter_mut()
            .find(|connection| connection.id == id)
    }

    pub(super) fn has_link(&self, peer: PeerId) -> bool {
        self.peers.get(&peer).is_some_and(|connections| {
            connections
                .iter()
                .any(|connection| matches!(connection.state, State::Active(_)))
        })
    }

    pub(super) fn is_active(&mut self, peer: PeerId, id: ConnectionId) -> bool {
        self.connection(peer, id)
            .is_some_and(|connection| matches!(connection.state, State::Active(_)))
    }

    /// Closes a connection now; another of the same peer takes over if there is one.
    pub(super) fn drop_connection(&mut self, peer: PeerId, id: ConnectionId, reason: Ended) {
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
    pub(super) fn link_over(&mut self, link: LinkId, peer: PeerId, reason: Ended) {
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
        if let Ended::BrokeProtocol(_) = reason {
            info!(%peer, %reason, "a peer is sent away");
        } else {
            debug!(%peer, %reason, "link ended");
        }
        self.tell(Event::Disconnected { link, peer, reason });
        self.settle(peer, Ended::Replaced);
        if !self.has_link(peer) {
            self.book.disconnected(&peer, pause, Instant::now());
            self.note_company();
        }
    }

    pub(super) fn on_closed(&mut self, peer: PeerId, id: ConnectionId, reason: Ended) {
        self.opening.remove(&id);
        if let Some(dial) = self.dials.remove(&id) {
            self.outlived(dial, peer, id, &reason);
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

    /// A dial whose connection closed before its link opened. Where both ends dial at the same moment, the other one may
    /// close this connection for its own: then the peer was reached all the same, or is about to be.
    pub(super) fn outlived(&mut self, dial: Dial, peer: PeerId, id: ConnectionId, reason: &Ended) {
        let others = self.peers.get(&peer).into_iter().flatten();
        let mut others = others.filter(|other| other.id != id);
        if others.clone().any(|other| other.state.is_open()) {
            self.book.connected(peer, dial.target(), Instant::now());
            dial.answer(&Ok(peer));
            return;
        }
        let opening = others.find(|other| matches!(other.state, State::Opening));
        if let Some(other) = opening.map(|other| other.id) {
            if dial.attempt.peer.is_none() {
                // Whose the address is has to be found out all the same.
                self.book.postponed(&dial.attempt, Instant::now());
            }
            match self.dials.entry(other) {
                Entry::Occupied(mut known) => known.get_mut().take_over(dial),
                Entry::Vacant(place) => {
                    place.insert(dial);
                }
            }
            return;
        }
        self.book.failed(&dial.attempt, Instant::now());
        if let Some(target) = dial.target().cloned() {
            dial.answer(&Err(DialError::Other {
                at: target,
                reason: reason.to_string(),
            }));
        }
    }

    pub(super) fn on_link_ended(&mut self, ended: LinkEnded) {
        let LinkEnded { link, peer, reason } = ended;
        if let Some(id) = self.connection_of(peer, link) {
            self.drop_connection(peer, id, reason);
        }
    }

    pub(super) fn connection_of(&self, peer: PeerId, link: LinkId) -> Option<ConnectionId> {
        self.peers
            .get(&peer)?
            .iter()
            .find(|connection| matches!(&connection.state, State::Active(active) if active.id == link))
            .map(|connection| connection.id)
    }

    pub(super) fn find_link(&self, link: LinkId) -> Option<(PeerId, &Link)> {
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
    pub(super) fn leave(&mut self, link: LinkId, pause: Duration, reason: Ended) {
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
    pub(super) fn cut(&mut self, link: LinkId, reason: Ended) {
        if let Some((peer, _)) = self.find_link(link)
            && let Some(id) = self.connection_of(peer, link)
        {
            self.drop_connection(peer, id, reason);
        }
    }

    /// A peer that called said where it listens: it can be called as well from now on.
    pub(super) fn on_told(&mut self, link: LinkId, ports: Ports) {
        let Some((peer, _)) = self.find_link(link) else {
            return;
        };
        let Some(connection) = self
            .connection_of(peer, link)
            .and_then(|id| self.connection(peer, id))
            .filter(|connection| connection.reachable.is_none())
        else {
            return;
        };
        connection.reachable = connection.remote.and_then(|seen| ports.at(seen.ip()));
        if let Some(socket) = connection.reachable {
            let target = Target {
                socket,
                peer: Some(peer),
            };
            let (address, now) = (target.multiaddr(), Instant::now());
            self.book.learn(
                target,
                FoundBy::Inbound,
                now + self.settings.connect_timeout,
            );
            self.book.connected(peer, None, now);
            self.tell(Event::Reachable { peer, address });
        }
    }
}
