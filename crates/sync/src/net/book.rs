//! Whom to dial, where, and when again.
//!
//! The book holds addresses that were found by mDNS, remembered from earlier or typed. It is
//! bounded, since what it holds comes from outside, and backs off from what does not answer.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use libp2p::PeerId;

use super::{FoundBy, address::Target};
use crate::Settings;

/// Most peers the book knows.
const MAX_PEERS: usize = 256;
/// Most addresses it keeps for one peer.
const MAX_ADDRESSES: usize = 8;
/// Most addresses without a known peer.
const MAX_UNKNOWN: usize = 64;
/// Least pause after a link has ended.
const LEAST_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause for an address that someone typed.
const LONGEST_TYPED: Duration = Duration::from_secs(15);
/// Longest pause for any other address.
const LONGEST: Duration = Duration::from_mins(1);
/// Pause for a peer that answers but does not speak our protocol.
const FOREIGN_PAUSE: Duration = Duration::from_mins(30);
/// An address from hearsay that failed so often in a row is dropped; it returns when it is heard
/// again.
const HEARSAY_FAILURES: u32 = 5;

/// Of those who are held off and away, one is tried in this time.
const SELDOM: Duration = Duration::from_secs(30);
/// Most attempts in one look.
const ATTEMPTS: usize = 8;
/// Of the places for dials, these are for peers that were just heard of.
const FOR_NEWS: usize = 4;

/// One attempt to make now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    /// Who is expected.
    pub peer: Option<PeerId>,
    /// Where, best first.
    pub targets: Vec<Target>,
    /// How the first of them was found.
    pub found_by: FoundBy,
}

#[derive(Debug)]
struct Schedule {
    failures: u32,
    next: Instant,
    dialling: bool,
}

impl Schedule {
    fn at(next: Instant) -> Self {
        Self {
            failures: 0,
            next,
            dialling: false,
        }
    }

    /// The first tries follow one another at the same pace; after them the pause doubles each time.
    fn failed(&mut self, now: Instant, pace: Pace, longest: Duration) {
        self.failures = self.failures.saturating_add(1);
        self.dialling = false;
        let doubled = self.failures.saturating_sub(pace.tries.saturating_sub(1));
        let pause = pace.gap.saturating_mul(1_u32 << doubled.min(10));
        self.next = now + pause.min(longest.max(pace.gap));
    }
}

#[derive(Debug)]
struct Entry {
    addresses: Vec<(Target, FoundBy)>,
    schedule: Schedule,
    connected: bool,
    /// When it was tried last.
    tried: Option<Instant>,
    /// Whether somebody told of it, or it did itself, and it has not failed to answer since.
    heard: bool,
}

/// How fast a silent peer is tried again.
#[derive(Clone, Copy, Debug)]
struct Pace {
    tries: u32,
    gap: Duration,
}

impl Pace {
    fn of(settings: &Settings) -> Self {
        Self {
            tries: settings.tries,
            gap: settings.try_gap,
        }
    }
}

/// The address book.
#[derive(Debug)]
pub(super) struct Book {
    pace: Pace,
    peers: HashMap<PeerId, Entry>,
    unknown: HashMap<Target, (FoundBy, Schedule)>,
    /// Whom others are linked with.
    held_off: HashSet<PeerId>,
    /// Who was not found for a while, and is tried one at a time; and when the next one is.
    away: HashSet<PeerId>,
    seldom_at: Option<Instant>,
    /// What [`Book::reach_anew`] gave last.
    reach: (HashSet<PeerId>, HashSet<PeerId>),
}

impl Book {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            pace: Pace::of(settings),
            peers: HashMap::new(),
            unknown: HashMap::new(),
            held_off: HashSet::new(),
            away: HashSet::new(),
            seldom_at: None,
            reach: Default::default(),
        }
    }

    /// Takes new settings; pauses under way stay as they are.
    pub(super) fn set_up(&mut self, settings: &Settings) {
        self.pace = Pace::of(settings);
    }

    /// Learns an address; it is tried at `first` at the earliest unless it was known already.
    /// False when the book is full.
    pub(super) fn learn(&mut self, target: Target, found_by: FoundBy, first: Instant) -> bool {
        let Some(peer) = target.peer else {
            if self.unknown.len() >= MAX_UNKNOWN && !self.unknown.contains_key(&target) {
                return false;
            }
            self.unknown
                .entry(target)
                .or_insert_with(|| (found_by, Schedule::at(first)));
            return true;
        };
        if self.peers.len() >= MAX_PEERS && !self.peers.contains_key(&peer) && !self.make_room() {
            return false;
        }
        let entry = self.peers.entry(peer).or_insert_with(|| Entry {
            addresses: Vec::new(),
            schedule: Schedule::at(first),
            connected: false,
            tried: None,
            heard: false,
        });
        entry.heard |= found_by.is_hearsay();
        if found_by == FoundBy::Inbound {
            // What it says last is where it is.
            let stays = |(known, by): &(Target, FoundBy)| {
                *by != FoundBy::Inbound || known.socket == target.socket
            };
            entry.addresses.retain(stays);
        }
        if let Some(known) = entry
            .addresses
            .iter_mut()
            .find(|(known, _)| known.socket == target.socket)
        {
            known.1 = known.1.min(found_by);
            return true;
        }
        // News about a silent peer is a reason to try at once.
        entry.schedule.next = entry.schedule.next.min(first);
        entry.addresses.push((target, found_by));
        entry.addresses.sort_by_key(|(_, found_by)| *found_by);
        if entry.addresses.len() > MAX_ADDRESSES {
            // Where the peer itself said that it is has a place in any case.
            let others = |(_, by): &(Target, FoundBy)| *by != FoundBy::Inbound;
            if let Some(worst) = entry.addresses.iter().rposition(others) {
                entry.addresses.remove(worst);
            }
        }
        true
    }

    /// Drops a peer that nobody here asked for and that is not connected.
    fn make_room(&mut self) -> bool {
        let droppable = self
            .peers
            .iter()
            .filter(|(_, entry)| {
                !entry.connected && entry.addresses.iter().all(|(_, by)| by.is_hearsay())
            })
            .max_by_key(|(_, entry)| entry.schedule.failures)
            .map(|(peer, _)| *peer);
        droppable.is_some_and(|peer| self.peers.remove(&peer).is_some())
    }

    #[cfg(test)]
    fn found_by(&self, peer: &PeerId) -> Option<FoundBy> {
        let (_, found_by) = self.peers.get(peer)?.addresses.first()?;
        Some(*found_by)
    }

    /// A peer was connected, perhaps at an address whose peer was not known before.
    pub(super) fn connected(&mut self, peer: PeerId, at: Option<&Target>, now: Instant) {
        let mut learned = None;
        if let Some(at) = at {
            let bare = Target {
                socket: at.socket,
                peer: None,
            };
            learned = self.unknown.remove(&bare).map(|(found_by, _)| {
                (
                    Target {
                        peer: Some(peer),
                        ..bare
                    },
                    found_by,
                )
            });
        }
        if let Some((target, found_by)) = learned {
            self.learn(target, found_by, now);
        }
        if let Some(entry) = self.peers.get_mut(&peer) {
            entry.connected = true;
            entry.schedule = Schedule::at(now);
        }
    }

    /// A peer is gone; it is tried again after a short pause.
    pub(super) fn disconnected(&mut self, peer: &PeerId, pause: Duration, now: Instant) {
        if let Some(entry) = self.peers.get_mut(peer) {
            entry.connected = false;
            entry.schedule.dialling = false;
            entry.schedule.next = now + pause.max(LEAST_PAUSE);
        }
    }

    /// An attempt failed.
    pub(super) fn failed(&mut self, attempt: &Attempt, now: Instant) {
        let longest = if attempt.found_by == FoundBy::Typed {
            LONGEST_TYPED
        } else {
            LONGEST
        };
        match attempt.peer {
            Some(peer) => {
                let Some(entry) = self.peers.get_mut(&peer) else {
                    return;
                };
                entry.schedule.failed(now, self.pace, longest);
                if entry.schedule.failures >= self.pace.tries {
                    entry.heard = false;
                }
                if entry.schedule.failures >= HEARSAY_FAILURES && !entry.connected {
                    entry.addresses.retain(|(_, by)| !by.is_hearsay());
                    if entry.addresses.is_empty() {
                        self.peers.remove(&peer);
                    }
                }
            }
            None => {
                for target in &attempt.targets {
                    if let Some((_, schedule)) = self.unknown.get_mut(target) {
                        schedule.failed(now, self.pace, longest);
                    }
                }
            }
        }
    }

    /// An attempt was not made, for want of a place. That says nothing of the peer.
    pub(super) fn postponed(&mut self, attempt: &Attempt, now: Instant) {
        let known = attempt.peer.and_then(|peer| self.peers.get_mut(&peer));
        let known = known.map(|entry| &mut entry.schedule);
        let unknown = self.unknown.iter_mut();
        let unknown = unknown.filter(|(target, _)| attempt.targets.contains(target));
        for schedule in known
            .into_iter()
            .chain(unknown.map(|(_, (_, known))| known))
        {
            schedule.dialling = false;
            schedule.next = now + LEAST_PAUSE;
        }
    }

    /// The peer does not speak our protocol: some other program.
    pub(super) fn foreign(&mut self, peer: &PeerId, now: Instant) {
        if let Some(entry) = self.peers.get_mut(peer) {
            entry.connected = false;
            entry.schedule.dialling = false;
            entry.schedule.next = now + FOREIGN_PAUSE;
        }
    }

    /// This address leads somewhere else than expected, or to ourselves.
    pub(super) fn forget(&mut self, target: &Target) {
        self.unknown.remove(target);
        if let Some(peer) = target.peer
            && let Some(entry) = self.peers.get_mut(&peer)
        {
            entry
                .addresses
                .retain(|(known, _)| known.socket != target.socket);
            if entry.addresses.is_empty() && !entry.connected {
                self.peers.remove(&peer);
            }
        }
    }

    /// Does not dial these any more, unless they were typed: those who are there, and, but for one now and then, those
    /// who are away.
    pub(super) fn hold_off(&mut self, there: HashSet<PeerId>, away: HashSet<PeerId>) {
        self.held_off = there;
        self.away = away;
    }

    /// Peers that are connected or were heard of and answer, and those with an address that was not found to be silent, if
    /// there are others than last time.
    pub(super) fn reach_anew(&mut self) -> Option<(HashSet<PeerId>, HashSet<PeerId>)> {
        let heard = |entry: &Entry| entry.connected || entry.heard;
        let silent = |entry: &Entry| entry.schedule.failures >= self.pace.tries;
        let those = |of: &dyn Fn(&Entry) -> bool| -> HashSet<PeerId> {
            let those = self.peers.iter().filter(|(_, entry)| of(entry));
            those.map(|(id, _)| *id).collect()
        };
        let reach = (
            those(&heard),
            those(&|entry| heard(entry) || !silent(entry)),
        );
        if reach == self.reach {
            return None;
        }
        self.reach.clone_from(&reach);
        Some(reach)
    }

    /// Whom of those who are away it is time to try: the one who was not tried for the longest.
    fn seldom(&mut self, now: Instant) -> Option<PeerId> {
        if self.seldom_at.is_some_and(|at| at > now) {
            return None;
        }
        let away = self.away.iter();
        let entries = away.filter_map(|peer| Some((*peer, self.peers.get(peer)?)));
        let waiting = entries.filter(|(_, entry)| entry.is_due(now));
        let (peer, _) = waiting.min_by_key(|(_, entry)| entry.tried)?;
        self.seldom_at = Some(now + SELDOM);
        Some(peer)
    }

    /// Ends all pauses: someone waits to meet a peer.
    pub(super) fn hurry(&mut self, now: Instant) {
        let known = self.peers.values_mut().map(|entry| &mut entry.schedule);
        let unknown = self.unknown.values_mut().map(|(_, schedule)| schedule);
        for schedule in known.chain(unknown) {
            schedule.next = schedule.next.min(now);
        }
    }

    /// Attempts that are due, no more than there are places; each is marked as being made.
    pub(super) fn due(&mut self, now: Instant, places: usize) -> Vec<Attempt> {
        let mut due = Vec::new();
        let most = ATTEMPTS.min(places);
        let others = ATTEMPTS.min(places.saturating_sub(FOR_NEWS));
        let seldom = if others > 0 { self.seldom(now) } else { None };
        let mut peers: Vec<(&PeerId, &mut Entry)> = self
            .peers
            .iter_mut()
            .filter(|(_, entry)| entry.is_due(now))
            .collect();
        // Who was just heard of is there; of the others, who was not tried for the longest comes first.
        peers.sort_by_key(|(_, entry)| (!entry.is_news(), entry.tried));
        for (peer, entry) in peers {
            if due.len() >= if entry.is_news() { most } else { others } {
                break;
            }
            let off = self.held_off.contains(peer) || self.away.contains(peer);
            if off && seldom != Some(*peer) && !entry.is_typed() {
                continue;
            }
            let Some((_, found_by)) = entry.addresses.first() else {
                continue;
            };
            entry.schedule.dialling = true;
            entry.tried = Some(now);
            due.push(Attempt {
                peer: Some(*peer),
                targets: entry.addresses.iter().map(|(t, _)| t.clone()).collect(),
                found_by: *found_by,
            });
        }
        for (target, (found_by, schedule)) in &mut self.unknown {
            if due.len() >= others {
                return due;
            }
            if schedule.dialling || schedule.next > now {
                continue;
            }
            schedule.dialling = true;
            due.push(Attempt {
                peer: None,
                targets: vec![target.clone()],
                found_by: *found_by,
            });
        }
        due
    }
}

impl Entry {
    fn is_due(&self, now: Instant) -> bool {
        !self.connected && !self.schedule.dialling && self.schedule.next <= now
    }

    /// Whether somebody told of it, and it did not fail to answer since.
    fn is_news(&self) -> bool {
        self.heard && self.schedule.failures == 0
    }

    fn is_typed(&self) -> bool {
        self.addresses.iter().any(|(_, by)| *by == FoundBy::Typed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(peer: Option<PeerId>, port: u16) -> Target {
        Target {
            socket: ([10, 0, 0, 1], port).into(),
            peer,
        }
    }

    #[test]
    fn backs_off_and_returns() {
        let (mut book, start) = (Book::new(&Settings::default()), Instant::now());
        let peer = PeerId::random();
        book.learn(target(Some(peer), 1), FoundBy::Remembered, start);
        let mut pauses = Vec::new();
        let mut now = start;
        for _ in 0..9 {
            let due = book.due(now, 8);
            assert_eq!(due.len(), 1);
            assert!(book.due(now, 8).is_empty(), "one attempt at a time");
            book.failed(&due[0], now);
            let from = now;
            while book.due(now, 0).is_empty() && book.peers[&peer].schedule.next > now {
                now += Duration::from_secs(1);
            }
            pauses.push((now - from).as_secs());
        }
        assert_eq!(pauses, [2, 2, 4, 8, 16, 32, 60, 60, 60]);
        book.due(now, 8);
        book.connected(peer, None, now);
        assert!(book.due(now + LONGEST, 8).is_empty());
        book.disconnected(&peer, Duration::ZERO, now);
        assert!(book.due(now, 8).is_empty());
        assert_eq!(book.due(now + LEAST_PAUSE, 8).len(), 1);
    }

    #[test]
    fn who_hurries_does_not_wait_for_a_pause() {
        let mut book = Book::new(&Settings::default());
        let now = Instant::now();
        book.learn(target(None, 1), FoundBy::Typed, now);
        let attempts = book.due(now, 9);
        book.failed(&attempts[0], now);
        assert!(book.due(now, 9).is_empty());
        book.hurry(now);
        assert_eq!(book.due(now, 9).len(), 1);
    }

    #[test]
    fn who_is_held_off_is_not_dialled_unless_typed() {
        let (mut book, now) = (Book::new(&Settings::default()), Instant::now());
        let (told, typed) = (PeerId::random(), PeerId::random());
        book.learn(target(Some(told), 1), FoundBy::Member, now);
        book.learn(target(Some(typed), 2), FoundBy::Typed, now);
        let heard = (HashSet::from([told]), HashSet::from([told, typed]));
        assert_eq!(book.reach_anew(), Some(heard));
        assert_eq!(book.reach_anew(), None);
        book.hold_off(HashSet::from([told, typed]), HashSet::new());
        let due = book.due(now, 8);
        assert_eq!(due.len(), 1);
        assert_eq!(due[0].peer, Some(typed));
        book.hold_off(HashSet::new(), HashSet::new());
        let due = book.due(now, 8);
        assert_eq!(due[0].peer, Some(told));
        // Who does not answer is not counted on, until it is heard of again.
        for _ in 0..Settings::default().tries {
            book.failed(&due[0], now);
        }
        let silent = (HashSet::new(), HashSet::from([typed]));
        assert_eq!(book.reach_anew(), Some(silent));
        book.learn(target(Some(told), 1), FoundBy::Mdns, now);
        assert!(book.reach_anew().unwrap().1.contains(&told));
    }

    #[test]
    fn of_those_who_are_away_one_is_tried_now_and_then() {
        let (mut book, start) = (Book::new(&Settings::default()), Instant::now());
        let away: Vec<PeerId> = (0..10).map(|_| PeerId::random()).collect();
        for (peer, port) in away.iter().zip(1..) {
            book.learn(target(Some(*peer), port), FoundBy::Remembered, start);
        }
        book.hold_off(HashSet::new(), away.iter().copied().collect());
        let mut tried = HashSet::new();
        for second in 0..300 {
            let now = start + Duration::from_secs(second);
            for attempt in book.due(now, 8) {
                tried.extend(attempt.peer);
                book.failed(&attempt, now);
            }
            let turns = usize::try_from(second / SELDOM.as_secs()).unwrap() + 1;
            assert_eq!(tried.len(), turns, "after {second} s");
        }
    }

    #[test]
    fn a_place_that_was_wanting_counts_against_nobody() {
        let (mut book, now) = (Book::new(&Settings::default()), Instant::now());
        let peer = PeerId::random();
        book.learn(target(Some(peer), 1), FoundBy::Mdns, now);
        book.learn(target(None, 2), FoundBy::Typed, now);
        for turn in 0..=HEARSAY_FAILURES {
            let now = now + LEAST_PAUSE * turn;
            let due = book.due(now, 8);
            assert_eq!(due.len(), 2);
            for attempt in &due {
                book.postponed(attempt, now);
            }
            assert!(book.due(now, 8).is_empty(), "not at once");
        }
        assert_eq!(book.reach_anew().unwrap().0, HashSet::from([peer]));
    }

    #[test]
    fn the_last_places_are_for_those_just_heard_of() {
        let (mut book, now) = (Book::new(&Settings::default()), Instant::now());
        for port in 1..20 {
            book.learn(
                target(Some(PeerId::random()), port),
                FoundBy::Remembered,
                now,
            );
            book.learn(target(None, port), FoundBy::Typed, now);
        }
        assert!(book.due(now, FOR_NEWS).is_empty());
        let heard = PeerId::random();
        book.learn(target(Some(heard), 50), FoundBy::Mdns, now);
        let due = book.due(now, FOR_NEWS);
        assert_eq!(due.len(), 1);
        assert_eq!(due[0].peer, Some(heard));
        assert_eq!(book.due(now, 0), []);
        assert_eq!(book.due(now, FOR_NEWS + 3).len(), 3);
        assert_eq!(book.due(now, 100).len(), ATTEMPTS);
    }

    #[test]
    fn where_a_peer_said_that_it_is_outlives_hearsay() {
        let (mut book, now) = (Book::new(&Settings::default()), Instant::now());
        let peer = PeerId::random();
        let learn = |book: &mut Book, port, by| book.learn(target(Some(peer), port), by, now);
        learn(&mut book, 1, FoundBy::Inbound);
        for port in 10..30 {
            learn(&mut book, port, FoundBy::Member);
            learn(&mut book, port + 100, FoundBy::Mdns);
        }
        let ports = |book: &Book| -> Vec<u16> {
            let known = &book.peers[&peer].addresses;
            known.iter().map(|(at, _)| at.socket.port()).collect()
        };
        assert_eq!(ports(&book)[0], 1);
        for port in 30..50 {
            learn(&mut book, port, FoundBy::Remembered);
        }
        assert!(ports(&book).contains(&1));
        // It moved.
        learn(&mut book, 2, FoundBy::Inbound);
        assert!(ports(&book).contains(&2) && !ports(&book).contains(&1));
        assert_eq!(ports(&book).len(), MAX_ADDRESSES);
    }

    #[test]
    fn a_typed_address_becomes_the_peers() {
        let (mut book, now) = (Book::new(&Settings::default()), Instant::now());
        book.learn(target(None, 1), FoundBy::Typed, now);
        let due = book.due(now, 8);
        assert_eq!(due[0].peer, None);
        let peer = PeerId::random();
        book.connected(peer, Some(&target(None, 1)), now);
        assert_eq!(book.found_by(&peer), Some(FoundBy::Typed));
        book.disconnected(&peer, Duration::ZERO, now);
        let due = book.due(now + LONGEST, 8);
        assert_eq!(due[0].peer, Some(peer));
    }

    #[test]
    fn is_bounded_and_keeps_what_people_gave() {
        let (mut book, now) = (Book::new(&Settings::default()), Instant::now());
        let typed = PeerId::random();
        book.learn(target(Some(typed), 1), FoundBy::Typed, now);
        for port in 1..2000 {
            book.learn(target(Some(PeerId::random()), port), FoundBy::Mdns, now);
            book.learn(target(Some(typed), port), FoundBy::Mdns, now);
            book.learn(target(None, port), FoundBy::Mdns, now);
        }
        assert_eq!(book.peers.len(), MAX_PEERS);
        assert_eq!(book.peers[&typed].addresses.len(), MAX_ADDRESSES);
        assert_eq!(book.found_by(&typed), Some(FoundBy::Typed));
        assert_eq!(book.unknown.len(), MAX_UNKNOWN);
    }

    #[test]
    fn mdns_addresses_go_when_they_fail() {
        let (mut book, mut now) = (Book::new(&Settings::default()), Instant::now());
        let peer = PeerId::random();
        book.learn(target(Some(peer), 1), FoundBy::Mdns, now);
        for _ in 0..HEARSAY_FAILURES {
            now += LONGEST;
            let due = book.due(now, 8);
            book.failed(&due[0], now);
        }
        assert!(book.peers.is_empty());
    }
}
