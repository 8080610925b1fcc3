//! Dialling, and what its failures mean.

use std::{
    io,
    time::{Duration, Instant},
};

use libp2p::{
    Multiaddr, PeerId,
    swarm::{self, dial_opts::DialOpts},
};
use tokio::sync::oneshot;
use tracing::debug;

use super::{
    super::{
        DialError, FoundBy, address::Target, behaviour::MAX_PENDING_OUTBOUND, book::Attempt,
        connections::State,
    },
    Actor,
};

/// The smaller peer id gives the larger one this head start, so that fewer pairs dial twice.
const HEAD_START: Duration = Duration::from_millis(300);

/// Dials under way; the typed ones come on top.
const MAX_DIALS: usize = MAX_PENDING_OUTBOUND as usize;

pub(super) type Reply = oneshot::Sender<Result<PeerId, DialError>>;

/// A dial under way, until its link opens.
#[derive(Debug)]
pub(super) struct Dial {
    pub(super) attempt: Attempt,
    replies: Vec<Reply>,
}

impl Dial {
    pub(super) fn target(&self) -> Option<&Target> {
        self.attempt.targets.first()
    }

    /// Answers whoever waits for another dial, too.
    pub(super) fn take_over(&mut self, other: Self) {
        self.replies.extend(other.replies);
    }

    pub(super) fn answer(self, result: &Result<PeerId, DialError>) {
        for reply in self.replies {
            // The caller may have stopped waiting.
            let _ = reply.send(result.clone());
        }
    }
}

impl Actor {
    pub(super) fn on_dial(&mut self, target: Target, reply: Reply) {
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
        let later = Instant::now() + self.settings.connect_timeout;
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

    /// An address that somebody told of.
    pub(super) fn on_hint(&mut self, target: Target, found_by: FoundBy) {
        let me = self.me();
        let Some(peer) = target.peer else { return };
        if peer == me {
            return;
        }
        if found_by == FoundBy::Mdns && self.announced.len() < 1024 {
            self.announced.insert(peer);
        }
        let head_start = if me.to_bytes() > peer.to_bytes() {
            Duration::ZERO
        } else {
            HEAD_START
        };
        self.book
            .learn(target, found_by, Instant::now() + head_start);
        // A quarter of a second is long for people who watch a peer appear.
        self.dial_due();
    }

    pub(super) fn dial_due(&mut self) {
        // Those that are under way have their places until their links open.
        let places = MAX_DIALS.saturating_sub(self.dials.len());
        for attempt in self.book.due(Instant::now(), places) {
            self.dial(attempt, Vec::new());
        }
    }

    pub(super) fn dial(&mut self, attempt: Attempt, replies: Vec<Reply>) {
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

    pub(super) fn dial_failed(&mut self, dial: Dial, reason: &swarm::DialError) {
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
            swarm::DialError::Denied { cause } => {
                self.book.postponed(&dial.attempt, Instant::now());
                DialError::Other {
                    at: target,
                    reason: innermost(cause),
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
pub(super) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(inner) = cause(error) {
        error = inner;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use libp2p::swarm::{ConnectionDenied, ConnectionId};
    use tokio::sync::mpsc;
    use zeroize::Zeroizing;

    use super::{
        super::super::{Config, Ended, Links, Reach, connections::Connection},
        *,
    };
    use crate::Settings;

    /// An actor that was told an address without a peer, and has begun to dial it.
    async fn dialling() -> (Actor, Dial) {
        let config = Config {
            secret: Zeroizing::new([9; 32]),
            port: None,
            listen: vec![(Ipv4Addr::LOCALHOST, 0).into()],
            mdns: false,
            settings: Settings::default(),
        };
        let (commands, events) = (mpsc::unbounded_channel().1, mpsc::unbounded_channel().0);
        let shared = (Links::default(), Reach::default());
        let mut actor = Actor::start(config, commands, events, shared)
            .await
            .unwrap();
        let target = Target {
            socket: ([10, 0, 0, 1], 1).into(),
            peer: None,
        };
        actor.book.learn(target, FoundBy::Typed, Instant::now());
        let attempt = actor.book.due(Instant::now(), MAX_DIALS).remove(0);
        let replies = Vec::new();
        (actor, Dial { attempt, replies })
    }

    /// How many attempts are due in a little more than a second.
    fn due_later(actor: &mut Actor) -> usize {
        let later = Instant::now() + Duration::from_millis(1_500);
        actor.book.due(later, MAX_DIALS).len()
    }

    #[tokio::test]
    async fn a_dial_for_which_there_was_no_place_is_made_soon() {
        let (mut actor, dial) = dialling().await;
        let cause = ConnectionDenied::new("no place");
        actor.dial_failed(dial, &swarm::DialError::Denied { cause });
        assert_eq!(
            due_later(&mut actor),
            1,
            "a failure would make it wait longer"
        );
    }

    #[tokio::test]
    async fn an_address_is_dialled_again_whose_dial_another_connection_outlived() {
        let (mut actor, dial) = dialling().await;
        let peer = PeerId::random();
        let opening = Connection {
            id: ConnectionId::new_unchecked(77),
            dialled_by_me: false,
            remote: None,
            reachable: None,
            found_by: FoundBy::Inbound,
            since: Instant::now(),
            state: State::Opening,
        };
        actor.peers.insert(peer, vec![opening]);
        let closed = ConnectionId::new_unchecked(78);
        actor.outlived(dial, peer, closed, &Ended::ByPeer);
        assert_eq!(due_later(&mut actor), 1);
    }
}
