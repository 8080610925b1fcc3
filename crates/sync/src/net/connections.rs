//! Which connection of a pair stays when there are several.
//!
//! Both ends find each other at about the same time, so both dial. Exactly one connection must
//! stay, and both ends must choose it without asking: the one that was dialled by the larger peer
//! id. Connections that the same side dialled are told apart by that side alone, which keeps its
//! oldest; the other side uses one and lets the dialler close the rest. So no pair of choices
//! closes everything.

use std::{net::SocketAddr, time::Instant};

use libp2p::{PeerId, Stream, swarm::ConnectionId};

use super::{FoundBy, address::Target, link::Link};

/// One connection whose handshake is through.
#[derive(Debug)]
pub(super) struct Connection {
    pub id: ConnectionId,
    pub dialled_by_me: bool,
    /// The remote end of the socket.
    pub remote: Option<SocketAddr>,
    /// Where the peer can be dialled, once known: where it was, or what it told when it had proven membership.
    pub reachable: Option<SocketAddr>,
    pub found_by: FoundBy,
    pub since: Instant,
    pub state: State,
}

impl Connection {
    /// The dialled address, or where the peer called from.
    pub(super) fn address(&self, peer: PeerId) -> Option<Target> {
        self.remote.map(|socket| Target {
            socket,
            peer: Some(peer),
        })
    }
}

/// How far a connection is.
#[derive(Debug)]
pub(super) enum State {
    /// The sync stream is not open yet.
    Opening,
    /// It is open but another connection is in use.
    Spare(Stream),
    /// It is in use.
    Active(Link),
    /// It is being closed.
    Closing,
}

impl State {
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Self::Spare(_) | Self::Active(_))
    }
}

/// What an end does about its open connections with one peer, oldest first.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// The one to use.
    pub active: Option<usize>,
    /// Those to close.
    pub close: Vec<usize>,
}

/// Chooses among open connections, oldest first, each given as "dialled by me"; `in_use` is the
/// one in use so far.
pub(super) fn choose(
    me: PeerId,
    peer: PeerId,
    dialled_by_me: &[bool],
    in_use: Option<usize>,
) -> Choice {
    let i_am_larger = me.to_bytes() > peer.to_bytes();
    let of_larger = |by_me: bool| by_me == i_am_larger;
    let any_of_larger = dialled_by_me.iter().any(|by_me| of_larger(*by_me));
    let stays = |by_me: bool| !any_of_larger || of_larger(by_me);
    let mut close: Vec<usize> = Vec::new();
    let mut candidates = Vec::new();
    for (index, by_me) in dialled_by_me.iter().enumerate() {
        if stays(*by_me) {
            candidates.push((index, *by_me));
        } else {
            close.push(index);
        }
    }
    let mine = candidates.first().is_some_and(|(_, by_me)| *by_me);
    let active = if mine {
        close.extend(candidates.iter().skip(1).map(|(index, _)| *index));
        candidates.first()
    } else {
        candidates
            .iter()
            .find(|(index, _)| Some(*index) == in_use)
            .or(candidates.first())
    };
    close.sort_unstable();
    Choice {
        active: active.map(|(index, _)| *index),
        close,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Two ends of the same connections, each opened at each end in an order of its own.
    struct Pair {
        ids: [PeerId; 2],
        /// Who dialled each connection; `None` once closed.
        connections: Vec<Option<usize>>,
        /// Order in which each end saw them open, and which it uses.
        seen: [Vec<usize>; 2],
        in_use: [Option<usize>; 2],
    }

    impl Pair {
        fn settle(&mut self, end: usize) {
            let open: Vec<usize> = self.seen[end]
                .iter()
                .copied()
                .filter(|c| self.connections[*c].is_some())
                .collect();
            let by_me: Vec<bool> = open
                .iter()
                .map(|c| self.connections[*c] == Some(end))
                .collect();
            let used = self.in_use[end].and_then(|used| open.iter().position(|c| *c == used));
            let choice = choose(self.ids[end], self.ids[1 - end], &by_me, used);
            self.in_use[end] = choice.active.map(|index| open[index]);
            for index in choice.close {
                self.connections[open[index]] = None;
            }
        }
    }

    proptest! {
        #[test]
        fn exactly_one_stays_and_both_use_it(
            diallers in proptest::collection::vec(0_usize..2, 1..4),
            schedule in proptest::collection::vec((0_usize..2, 0_usize..4), 0..24),
        ) {
            let mut pair = Pair {
                ids: [PeerId::random(), PeerId::random()],
                connections: diallers.iter().copied().map(Some).collect(),
                seen: [Vec::new(), Vec::new()],
                in_use: [None, None],
            };
            let all = (0..2).flat_map(|end| (0..4).map(move |c| (end, c)));
            for (end, connection) in schedule.into_iter().chain(all.clone()).chain(all) {
                if connection < pair.connections.len()
                    && pair.connections[connection].is_some()
                    && !pair.seen[end].contains(&connection)
                {
                    // The dialler of several sees its own open in the order it made them.
                    if pair.connections[connection] == Some(end)
                        && (0..connection).any(|earlier| pair.connections[earlier] == Some(end)
                            && !pair.seen[end].contains(&earlier))
                    {
                        continue;
                    }
                    pair.seen[end].push(connection);
                }
                pair.settle(end);
            }
            pair.settle(0);
            pair.settle(1);
            let open: Vec<_> = pair.connections.iter().flatten().collect();
            prop_assert_eq!(open.len(), 1);
            prop_assert_eq!(pair.in_use[0], pair.in_use[1]);
            prop_assert!(pair.in_use[0].is_some());
        }
    }
}
