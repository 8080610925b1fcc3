//! A file being fetched: what is missing, who has it, and what to ask of whom.

use std::collections::{BTreeMap, BTreeSet};

use artel_domain::{
    Attachment, MemberId, RoomId, SpaceId,
    limits::{CHUNK, FILE_WINDOW},
};

use super::{super::super::event::Peer, chunks::Chunks};

/// How long a peer that was asked may stay silent, in milliseconds.
pub(super) const PATIENCE: i64 = 10_000;
/// How long a peer that does not say what it has holds up others, in milliseconds.
const SAYS: i64 = 3_000;
/// How long a chunk may take and still keep the place of another, in milliseconds.
const SLOW: i64 = 2_000;
/// Chunks asked of one peer at a time, of all files together.
pub(super) const WINDOW: usize = FILE_WINDOW / CHUNK;
/// What a page of a list counts beside chunks.
pub(super) const LIST: usize = 2;
/// Chunks that are looked at to find the rarest.
const LOOKED_AT: usize = 256;

/// A file being fetched, or waiting for its turn.
pub(super) struct Fetch {
    pub(super) space: SpaceId,
    /// Room that carries the record.
    pub(super) room: RoomId,
    /// Room that it is shown in, in which the file is sent, received and given.
    pub(super) kept_in: RoomId,
    /// Whom it may be asked of; none if that is everyone who reads the room. Others do not even learn that it is asked for.
    pub(super) readers: Option<Vec<MemberId>>,
    pub(super) attachment: Attachment,
    /// Somebody asked for it, and may be waiting.
    pub(super) by_hand: bool,
    /// Its place among those that wait for a turn.
    pub(super) place: u64,
    /// When its turn began and when something last came; none while it waits.
    pub(super) turn: Option<Turn>,
    /// Until when it waits although there is a turn.
    pub(super) rests: i64,
    /// Hashes of its chunks, as far as they have come.
    pub(super) list: Vec<u8>,
    /// Whether the list is complete and right.
    pub(super) listed: bool,
    /// Of whom the list was asked, and until when it is waited for.
    pub(super) lister: Option<(Peer, i64)>,
    /// What is still to come.
    pub(super) missing: Chunks,
    /// Chunks that were asked for, of whom and when.
    pub(super) waiting: BTreeMap<u32, (Peer, i64)>,
    /// The shortest time that a chunk took to come, in milliseconds.
    pub(super) quickest: i64,
    /// How many of the sources have each chunk.
    copies: Vec<u16>,
    pub(super) sources: BTreeMap<Peer, Source>,
    /// Peers that gave something wrong.
    wrong: BTreeSet<Peer>,
    /// Peers that gave nothing, as long as they are connected.
    silent: BTreeSet<Peer>,
    /// What came in this room since it was asked for.
    pub(super) came: Chunks,
    /// What was gained and not yet told, and when that was last told.
    pub(super) gained: Vec<u32>,
    pub(super) told: i64,
    /// Whether all that is here was received or sent in this room, and may be given in it.
    pub(super) served: bool,
}

/// The time in which a file is fetched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    pub(super) began: i64,
    pub(super) moved: i64,
}

/// A member that was asked what it has of a file.
#[derive(Default)]
pub(super) struct Source {
    /// Whether it has said what it has.
    pub(super) answered: bool,
    pub(super) holds: Chunks,
    /// It fetches the file as well, and is told of what is gained here.
    pub(super) follows: bool,
    /// How many chunks are asked of it.
    pub(super) waiting: usize,
    /// Until when its next answer is waited for.
    until: i64,
}

impl Source {
    /// One that is asked now what it has.
    pub(super) fn asked(now: i64) -> Self {
        Self {
            until: now.saturating_add(SAYS),
            ..Self::default()
        }
    }
}

impl Fetch {
    pub(super) fn new(
        (space, room, kept_in): (SpaceId, RoomId, RoomId),
        readers: Option<Vec<MemberId>>,
        attachment: Attachment,
        list: Option<Vec<u8>>,
    ) -> Self {
        let chunks = usize::try_from(attachment.chunks()).unwrap_or(0);
        Self {
            space,
            room,
            kept_in,
            readers,
            attachment,
            by_hand: false,
            place: 0,
            turn: None,
            rests: i64::MIN,
            listed: list.is_some(),
            list: list.unwrap_or_default(),
            lister: None,
            missing: Chunks::default(),
            waiting: BTreeMap::new(),
            quickest: i64::MAX,
            copies: vec![0; chunks],
            sources: BTreeMap::new(),
            wrong: BTreeSet::new(),
            silent: BTreeSet::new(),
            came: Chunks::default(),
            gained: Vec::new(),
            told: i64::MIN,
            served: false,
        }
    }

    pub(super) fn chunks(&self) -> u32 {
        self.attachment.chunks()
    }

    /// Whether anything is asked of this peer.
    pub(super) fn is_of(&self, peer: &Peer) -> bool {
        let source = self.sources.get(peer);
        self.is_listed_by(peer) || source.is_some_and(|source| source.waiting > 0 || source.follows)
    }

    /// Whether the list is asked of this peer.
    pub(super) fn is_listed_by(&self, peer: &Peer) -> bool {
        self.lister.is_some_and(|(of, _)| of == *peer)
    }

    /// Whether this chunk is asked of this peer.
    pub(super) fn is_waiting(&self, peer: &Peer, chunk: u32) -> bool {
        let asked = self.waiting.get(&chunk);
        asked.is_some_and(|(of, _)| of == peer)
    }

    /// What a peer was asked for and has not given, in chunks.
    pub(super) fn open_at(&self, peer: &Peer) -> usize {
        let chunks = self.sources.get(peer).map_or(0, |source| source.waiting);
        chunks + if self.is_listed_by(peer) { LIST } else { 0 }
    }

    /// Whether a peer is not asked, because of what it gave or did not give.
    pub(super) fn is_refused(&self, peer: &Peer) -> bool {
        self.wrong.contains(peer) || self.silent.contains(peer)
    }

    /// What may be given in its room.
    pub(super) fn held(&self) -> Chunks {
        if self.served {
            Chunks::without(&self.missing, self.chunks())
        } else {
            self.came.clone()
        }
    }

    /// Whether everyone who was asked has nothing, or does not say.
    pub(super) fn is_hopeless(&self, now: i64) -> bool {
        let mut sources = self.sources.values();
        let has_none =
            |source: &Source| source.holds.count() == 0 && (source.answered || source.until <= now);
        self.lister.is_none() && sources.all(has_none)
    }

    /// Whoever was asked for chunks or for the list and did not answer in time.
    pub(super) fn silent(&self, now: i64) -> Vec<Peer> {
        let late = |source: &Source| source.waiting > 0 && source.until <= now;
        let sources = self.sources.iter().filter(|(_, source)| late(source));
        let lister = self.lister.filter(|(_, until)| *until <= now);
        sources
            .map(|(peer, _)| *peer)
            .chain(lister.map(|(peer, _)| peer))
            .collect()
    }

    /// A source has told all that it has.
    pub(super) fn set_holds(&mut self, peer: &Peer, holds: Chunks) {
        let Some(source) = self.sources.get_mut(peer) else {
            return;
        };
        let before = std::mem::replace(&mut source.holds, holds.clone());
        for chunk in before.iter() {
            count(&mut self.copies, chunk, |copies| copies.saturating_sub(1));
        }
        for chunk in holds.iter() {
            count(&mut self.copies, chunk, |copies| copies.saturating_add(1));
        }
    }

    /// A source has one more.
    pub(super) fn add_held(&mut self, peer: &Peer, chunk: u32) {
        let chunks = self.chunks();
        if let Some(source) = self.sources.get_mut(peer)
            && source.holds.add(chunk, chunks)
        {
            count(&mut self.copies, chunk, |copies| copies.saturating_add(1));
        }
    }

    /// Nothing more is expected of a source; it may tell again what it has.
    pub(super) fn release(&mut self, peer: &Peer) {
        self.set_holds(peer, Chunks::default());
        self.waiting.retain(|_, (of, _)| of != peer);
        if let Some(source) = self.sources.get_mut(peer) {
            (source.answered, source.waiting) = (true, 0);
        }
        if self.is_listed_by(peer) {
            self.lister = None;
            self.list.clear();
        }
    }

    /// A peer gave something wrong: it is not asked for this file again.
    pub(super) fn refuse(&mut self, peer: &Peer) {
        self.drop_source(peer);
        self.wrong.insert(*peer);
    }

    /// A peer gave nothing: it is not asked again while it is connected.
    pub(super) fn give_up(&mut self, peer: &Peer) {
        self.drop_source(peer);
        self.silent.insert(*peer);
    }

    /// A peer is gone; what it gave wrong is remembered.
    pub(super) fn leave(&mut self, peer: &Peer) {
        self.drop_source(peer);
        self.silent.remove(peer);
    }

    fn drop_source(&mut self, peer: &Peer) {
        self.release(peer);
        self.sources.remove(peer);
    }

    /// Lets others go first; everyone is asked anew afterwards.
    pub(super) fn pause(&mut self, until: i64) {
        self.turn = None;
        self.rests = until;
        self.sources.clear();
        self.waiting.clear();
        self.silent.clear();
        self.lister = None;
        self.copies.fill(0);
        if !self.listed {
            self.list.clear();
        }
    }

    /// Something came.
    pub(super) fn moves(&mut self, now: i64) {
        if let Some(turn) = &mut self.turn {
            turn.moved = now;
        }
    }

    /// Chunks asked for that may come any moment: one that takes long holds up no other.
    pub(super) fn open(&self, now: i64) -> usize {
        let asked = self.waiting.values().map(|(_, asked)| *asked);
        asked.filter(|asked| !is_slow(now, *asked)).count()
    }

    /// Notes that a chunk is asked of a peer.
    pub(super) fn ask(&mut self, now: i64, peer: &Peer, chunk: u32) {
        if let Some(source) = self.sources.get_mut(peer) {
            source.waiting += 1;
            source.until = now.saturating_add(PATIENCE);
        }
        if let Some((slow, _)) = self.waiting.insert(chunk, (*peer, now))
            && let Some(source) = self.sources.get_mut(&slow)
        {
            source.waiting = source.waiting.saturating_sub(1);
        }
    }

    /// A chunk came, right or wrong; when it was asked for, if it was asked of that peer.
    pub(super) fn answered(&mut self, now: i64, peer: &Peer, chunk: u32) -> Option<i64> {
        let (of, asked) = *self.waiting.get(&chunk)?;
        if of != *peer {
            return None;
        }
        self.waiting.remove(&chunk);
        let source = self.sources.get_mut(peer)?;
        source.waiting = source.waiting.saturating_sub(1);
        source.until = now.saturating_add(PATIENCE);
        self.quickest = self.quickest.min(now.saturating_sub(asked));
        Some(asked)
    }

    /// Whom to ask for chunks, the best first: who is not slow, has not all of it and is asked for little; among equals
    /// by turns.
    pub(super) fn ranked(&self, now: i64, turn: impl Fn(&Peer) -> u64) -> Vec<Peer> {
        let slow: BTreeSet<Peer> = self
            .waiting
            .values()
            .filter(|(_, asked)| is_slow(now, *asked))
            .map(|(peer, _)| *peer)
            .collect();
        let mut sources: Vec<_> = self
            .sources
            .iter()
            .filter(|(_, source)| source.holds.count() > 0)
            .map(|(peer, source)| {
                let is_whole = source.holds.count() >= self.chunks();
                let is_slow = slow.contains(peer);
                (is_slow, is_whole, source.waiting, turn(peer), *peer)
            })
            .collect();
        sources.sort_unstable();
        sources.into_iter().map(|(.., peer)| peer).collect()
    }

    /// Whether a source is asked only for what no other has: it has everything, and others have something.
    pub(super) fn is_spared(&self, peer: &Peer) -> bool {
        let is_whole = |source: &Source| source.holds.count() >= self.chunks();
        let have = |source: &&Source| source.holds.count() > 0;
        self.sources.get(peer).is_some_and(is_whole)
            && self.whole() < self.sources.values().filter(have).count()
            && usize::try_from(self.missing.count()).unwrap_or(usize::MAX) > WINDOW
    }

    /// Sources that have everything.
    fn whole(&self) -> usize {
        let sources = self.sources.values();
        sources.filter(|s| s.holds.count() >= self.chunks()).count()
    }

    /// What to ask of a source next: of what it has and nobody was asked for, the rarest, from a place of this machine's
    /// own on. If it is spared, what none has but those who have everything.
    pub(super) fn choose(&self, peer: &Peer, begin: u32, spared: bool) -> Option<u32> {
        let source = self.sources.get(peer)?;
        let whole = self.whole();
        let copies = |chunk: u32| {
            let at = usize::try_from(chunk).unwrap_or(usize::MAX);
            usize::from(self.copies.get(at).copied().unwrap_or(0))
        };
        let open = self.missing.shared(&source.holds, begin);
        open.filter(|chunk| !self.waiting.contains_key(chunk))
            .take(LOOKED_AT)
            .map(|chunk| (copies(chunk), chunk))
            .filter(|(copies, _)| !spared || *copies <= whole)
            .min_by_key(|(copies, _)| *copies)
            .map(|(_, chunk)| chunk)
    }

    /// What to ask of a source although another was asked for it and is slow; only once nothing else is left to ask for.
    pub(super) fn choose_again(&self, now: i64, peer: &Peer) -> Option<u32> {
        let source = self.sources.get(peer)?;
        let all = usize::try_from(self.missing.count()).unwrap_or(usize::MAX);
        if self.waiting.len() < all {
            return None;
        }
        let mut waiting = self.waiting.iter();
        waiting
            .find(|(chunk, (of, asked))| {
                of != peer && is_slow(now, *asked) && source.holds.has(**chunk)
            })
            .map(|(chunk, _)| *chunk)
    }
}

fn is_slow(now: i64, asked: i64) -> bool {
    now.saturating_sub(asked) > SLOW
}

fn count(copies: &mut [u16], chunk: u32, change: impl Fn(u16) -> u16) {
    if let Ok(at) = usize::try_from(chunk)
        && let Some(copies) = copies.get_mut(at)
    {
        *copies = change(*copies);
    }
}
