//! A space in memory: its roster, and where every feed ends.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use artel_domain::{
    DeviceId, Genesis, Incarnation, MessageId, RoomId, Signed, SpaceId, SpaceSecret,
};

use super::{
    super::{
        frame::{Digest, FeedEnds, MAX_LISTED},
        ledger::{FeedKey, Head, SpaceRow},
        roster::{ControlSet, Roster},
    },
    company::Company,
    direct::PrekeyWire,
    registers::Registers,
};

/// Branches of one feed; more come from no honest mistake.
pub(super) const MAX_BRANCHES: usize = 32;
/// Lives of one device in one room.
pub(super) const MAX_LIVES: usize = 256;
/// Digest of a room without records.
pub(super) const EMPTY: Digest = [0; 32];

type Feeds = BTreeMap<(DeviceId, Incarnation), Vec<Head>>;

pub(super) struct Space {
    pub(super) row: SpaceRow,
    pub(super) genesis: Signed<Genesis>,
    pub(super) control: ControlSet,
    pub(super) roster: Roster,
    /// Secrets of the epochs, by the entries that began them.
    pub(super) secrets: BTreeMap<MessageId, SpaceSecret>,
    /// Values that replace one another.
    pub(super) registers: Registers,
    /// Grows with everything that a digest of feeds covers.
    pub(super) version: u64,
    feeds: BTreeMap<RoomId, Feeds>,
    digests: BTreeMap<RoomId, Digest>,
    /// Latest position of each room when the current round of fetching began: what comes below it is late.
    pub(super) baseline: BTreeMap<RoomId, (u64, MessageId)>,
    /// When missing bodies were last asked for.
    pub(super) asked_bodies: i64,
    /// The last record whose missing body was asked for: the next question begins after it.
    pub(super) bodies_after: Option<MessageId>,
    /// How many members were asked for all of them.
    pub(super) bodies_of: usize,
    /// The prekey of this device that was made known here, as far as this node remembers.
    pub(super) told: Option<PrekeyWire>,
    /// How often a member was asked for missing bodies of the direct room.
    pub(super) sealed_of: usize,
    /// When a missing record was last asked for by name; how many members were asked for all of them; the last that was
    /// asked for, of those that control entries wait for and of all; and whether it is the turn of all.
    pub(super) searched_at: i64,
    pub(super) searched_of: usize,
    pub(super) searched: [Option<MessageId>; 2],
    pub(super) search_all: bool,
    /// Control entries that came without their bodies.
    pub(super) lacking: VecDeque<MessageId>,
    /// When missing secrets were last asked for.
    pub(super) asked_secrets: i64,
    /// Whether a member was found to hold the same, since this node was loaded.
    pub(super) was_in_step: bool,
    /// Rooms of which a member was found to hold the same since then.
    pub(super) rooms_in_step: BTreeSet<RoomId>,
    /// Messages that are shown ahead of their records, with their rooms.
    pub(super) ahead: BTreeMap<MessageId, RoomId>,
    /// Rooms of which some bodies are withheld from this member, as heard since this node was loaded.
    pub(super) withheld_in: BTreeSet<RoomId>,
    /// Who gave the latest of a room last, and whose had to be withdrawn: these are not asked for that room any more in
    /// this run.
    pub(super) ahead_of: BTreeMap<RoomId, DeviceId>,
    pub(super) boasters: BTreeSet<(DeviceId, RoomId)>,
    /// Of whom the latest messages of a room were asked, and until when an answer is waited for.
    pub(super) asked_latest: BTreeMap<RoomId, (DeviceId, i64)>,
    pub(super) company: Company,
}

impl Space {
    pub(super) fn new(row: SpaceRow, genesis: Signed<Genesis>) -> Self {
        let control = ControlSet::new(row.space, genesis.value().owner);
        Self {
            row,
            genesis,
            control,
            roster: Roster::default(),
            secrets: BTreeMap::new(),
            registers: Registers::default(),
            version: 1,
            feeds: BTreeMap::new(),
            digests: BTreeMap::new(),
            baseline: BTreeMap::new(),
            asked_bodies: 0,
            bodies_after: None,
            bodies_of: 0,
            sealed_of: 0,
            told: None,
            asked_secrets: 0,
            searched_at: 0,
            searched_of: 0,
            searched: [None; 2],
            search_all: true,
            lacking: VecDeque::new(),
            was_in_step: false,
            rooms_in_step: BTreeSet::new(),
            ahead: BTreeMap::new(),
            withheld_in: BTreeSet::new(),
            ahead_of: BTreeMap::new(),
            boasters: BTreeSet::new(),
            asked_latest: BTreeMap::new(),
            company: Company::default(),
        }
    }

    /// Folds the control feeds anew; gives the former roster if that differs.
    pub(super) fn refold(&mut self) -> Option<Roster> {
        let room = self.id().control_room();
        let feeds = self.ends_in(&room).map(|head| head.feed);
        let crowded = feeds.filter(|feed| self.is_crowded(feed));
        let crowded = crowded.map(|feed| (feed.device, feed.incarnation));
        self.control.leave_out(crowded.collect());
        let new = self.control.fold();
        if new == self.roster {
            return None;
        }
        self.version += 1;
        self.digests.clear();
        self.registers.refolded();
        self.company.choose_anew();
        Some(std::mem::replace(&mut self.roster, new))
    }

    /// The key by which members meet; none while the secret of a latest epoch is missing.
    pub(super) fn meeting_key(&self) -> Option<[u8; 32]> {
        if self.roster.epochs.is_empty() {
            return None;
        }
        let latest: Option<Vec<&SpaceSecret>> = self
            .roster
            .epochs
            .iter()
            .map(|epoch| self.secrets.get(&epoch.entry))
            .collect();
        latest.map(|secrets| SpaceSecret::meeting_key(&self.id(), secrets))
    }

    /// Whether the secret of a latest epoch is missing.
    pub(super) fn lacks_secrets(&self) -> bool {
        let known = |entry| self.secrets.contains_key(entry);
        self.roster.epochs.iter().any(|epoch| !known(&epoch.entry))
    }

    pub(super) fn id(&self) -> SpaceId {
        self.row.space
    }

    /// Ends of a feed; more than one only for a copied profile.
    pub(super) fn ends_of(&self, feed: &FeedKey) -> &[Head] {
        self.feeds
            .get(&feed.room)
            .and_then(|feeds| feeds.get(&(feed.device, feed.incarnation)))
            .map_or(&[], Vec::as_slice)
    }

    /// The last place of a feed, of whatever branch; 0 where nothing is here.
    pub(super) fn last_place(&self, feed: &FeedKey) -> u64 {
        let places = self.ends_of(feed).iter().map(|head| head.sequence);
        places.max().unwrap_or(0)
    }

    /// Devices with more than one history of one incarnation: their profile was copied.
    pub(super) fn copied(&self) -> BTreeSet<DeviceId> {
        let feeds = self.feeds.values().flatten();
        feeds
            .filter(|(_, ends)| ends.len() > 1)
            .map(|((device, _), _)| *device)
            .collect()
    }

    /// Whether a feed has more branches, or its device more feeds in the room, than are allowed. One over the limit is
    /// kept as the proof, and nothing more: which ones came first differs from peer to peer, that there are too many
    /// does not. So that is all that digests say of them, and what they say in a room is not shown.
    pub(super) fn is_crowded(&self, feed: &FeedKey) -> bool {
        self.ends_of(feed).len() > MAX_BRANCHES || self.lives(&feed.room, &feed.device) > MAX_LIVES
    }

    /// How many feeds a device has in a room.
    fn lives(&self, room: &RoomId, device: &DeviceId) -> usize {
        let [first, last] = [[0; 16], [255; 16]].map(|at| (*device, Incarnation::from_bytes(at)));
        let feeds = self.feeds.get(room);
        feeds.map_or(0, |feeds| feeds.range(first..=last).count())
    }

    /// All ends of a room.
    pub(super) fn ends_in(&self, room: &RoomId) -> impl Iterator<Item = &Head> {
        self.feeds
            .get(room)
            .into_iter()
            .flat_map(BTreeMap::values)
            .flatten()
    }

    /// Feeds of a device, in all rooms.
    pub(super) fn feeds_of(&self, device: &DeviceId) -> Vec<Head> {
        let [first, last] = [[0; 16], [255; 16]].map(|at| (*device, Incarnation::from_bytes(at)));
        let rooms = self.feeds.values();
        let feeds = rooms.flat_map(|feeds| feeds.range(first..=last));
        feeds.flat_map(|(_, ends)| ends).copied().collect()
    }

    /// Latest position of a room.
    pub(super) fn top(&self, room: &RoomId) -> Option<(u64, MessageId)> {
        self.ends_in(room).map(|head| (head.lamport, head.id)).max()
    }

    pub(super) fn put_head(&mut self, old: Option<&MessageId>, new: Head) {
        let feeds = self.feeds.entry(new.feed.room).or_default();
        let ends = feeds
            .entry((new.feed.device, new.feed.incarnation))
            .or_default();
        ends.retain(|head| Some(&head.id) != old && head.id != new.id);
        ends.push(new);
        ends.sort_unstable_by_key(|head| (head.sequence, head.id));
        self.digests.remove(&new.feed.room);
        self.version += 1;
    }

    pub(super) fn room_digest(&mut self, room: &RoomId) -> Digest {
        if let Some(digest) = self.digests.get(room) {
            return *digest;
        }
        // What does not count is not given to who does not have it: it must not keep two apart.
        let counts = |((device, _), _): &(&(DeviceId, _), _)| self.roster.counts(device);
        let feeds = self.feeds.get(room).into_iter().flatten();
        let mut feeds = feeds.filter(counts).peekable();
        if feeds.peek().is_none() {
            return EMPTY;
        }
        let mut hasher = blake3::Hasher::new_derive_key("artel 2026-11 room digest");
        let mut many = None;
        for ((device, incarnation), ends) in feeds {
            if many == Some(device) {
                continue;
            }
            hasher.update(device.as_bytes());
            if self.lives(room, device) > MAX_LIVES {
                many = Some(device);
                hasher.update(b"many lives");
                continue;
            }
            hasher.update(incarnation.as_bytes());
            if ends.len() > MAX_BRANCHES {
                hasher.update(b"many branches");
                continue;
            }
            for head in ends {
                hasher
                    .update(&head.sequence.to_le_bytes())
                    .update(head.id.as_bytes());
            }
        }
        let digest = *hasher.finalize().as_bytes();
        self.digests.insert(*room, digest);
        digest
    }

    pub(super) fn control_digest(&mut self) -> Digest {
        self.room_digest(&self.id().control_room())
    }

    /// Digests of these rooms, in order.
    pub(super) fn room_digests(&mut self, mut rooms: Vec<RoomId>) -> Vec<(RoomId, Digest)> {
        rooms.sort_unstable();
        rooms
            .into_iter()
            .map(|room| (room, self.room_digest(&room)))
            .filter(|(_, d)| *d != EMPTY)
            .take(MAX_LISTED)
            .collect()
    }

    pub(super) fn rooms_digest(&mut self, rooms: Vec<RoomId>) -> Digest {
        let mut hasher = blake3::Hasher::new_derive_key("artel 2026-11 rooms digest");
        for (room, digest) in self.room_digests(rooms) {
            hasher.update(room.as_bytes()).update(&digest);
        }
        *hasher.finalize().as_bytes()
    }

    /// Ends of all feeds of a room, in pages that fit into a frame; one empty page if there are none.
    pub(super) fn listed_ends(&self, room: &RoomId) -> Vec<Vec<FeedEnds>> {
        let mut pages = vec![Vec::new()];
        let mut listed = 0;
        for ((device, incarnation), ends) in self.feeds.get(room).into_iter().flatten() {
            let feed = FeedEnds {
                device: *device,
                incarnation: *incarnation,
                // One over the limit tells that there are too many.
                ends: ends
                    .iter()
                    .take(MAX_BRANCHES + 1)
                    .map(|head| (head.sequence, head.id))
                    .collect(),
            };
            listed += 1 + feed.ends.len();
            match pages.last_mut() {
                Some(page) if listed <= MAX_LISTED => page.push(feed),
                _ => {
                    listed = 1 + feed.ends.len();
                    pages.push(vec![feed]);
                }
            }
        }
        pages
    }
}
