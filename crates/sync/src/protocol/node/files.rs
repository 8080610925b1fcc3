//! Attachments: asked for as (record, attachment), from everyone who has a part, verified chunk by chunk, resumable.
//!
//! Who fetches a file tells the members in reach what it has of it, and hears what they have. Chunks that few have are
//! asked for first, each machine beginning at a place of its own, and what was gained is told on: so a class that
//! fetches one file at once takes little more than one copy from its author and the rest from one another.

use std::collections::{BTreeMap, BTreeSet};

use artel_domain::{
    Attachment, FileId, MemberId, MessageId, RoomId, SpaceId,
    attachment::{chunk_hash, chunk_len},
    limits::{CHUNK, FILE_WINDOW},
};

use super::{
    super::{
        event::{CommandError, Event, Lane, Output, Peer},
        frame::{Frame, LIST_PAGE, MAX_GAINED},
        ledger::{Ledger, LedgerResult},
    },
    Fault, Node,
    direct::readers_of,
    showing::{is_sealed, shown_in},
};

/// How long a peer that was asked may stay silent, in milliseconds.
const PATIENCE: i64 = 10_000;
/// How long a chunk may take and still keep the place of another, in milliseconds.
const SLOW: i64 = 2_000;
/// How long a file that did not move on lets others go first, in milliseconds.
const PAUSE: i64 = 15_000;
/// Chunks asked for on one link at a time.
const WINDOW: usize = FILE_WINDOW / CHUNK;
/// Chunks gained before those who fetch the same file are told, unless time passes.
const TOLD_AT: usize = 4;
/// Files being fetched, or waiting for their turn.
const MAX_FETCHES: usize = 1_000;
/// Files being fetched at a time.
const MAX_ACTIVE: usize = 4;
/// Chunks that a peer must give of a file that is here from another room, before it counts as received in this one.
const PROOF: u32 = 4;

type Key = (MessageId, u8);

/// A file being fetched.
pub(super) struct Fetch {
    space: SpaceId,
    /// Room that carries the record.
    room: RoomId,
    /// Room that it is shown in, in which the file is sent, received and given.
    kept_in: RoomId,
    /// Whom it may be asked of; none if that is everyone who reads the room. Others do not even learn that it is asked for.
    readers: Option<Vec<MemberId>>,
    attachment: Attachment,
    /// In which order files were asked for.
    turn: u64,
    /// When something last came, while it is being fetched; none while it waits for its turn.
    moved: Option<i64>,
    /// Until when it waits although there is a turn.
    rests: i64,
    /// Hashes of its chunks, as far as they have come.
    list: Vec<u8>,
    /// Whether the list is complete and right.
    listed: bool,
    /// Of whom the list was asked, and until when it is waited for.
    lister: Option<(Peer, i64)>,
    /// What is still to come.
    missing: BTreeSet<u32>,
    /// Chunks that were asked for, of whom and when.
    waiting: BTreeMap<u32, (Peer, i64)>,
    /// The shortest time that a chunk took to come, in milliseconds.
    quickest: i64,
    /// How many of the sources have each chunk.
    copies: Vec<u16>,
    sources: BTreeMap<Peer, Source>,
    /// Peers that gave something wrong, or nothing.
    refused: BTreeSet<Peer>,
    /// What was gained and not yet told.
    gained: Vec<u32>,
    /// Whether nothing of it was here when it was asked for.
    fresh: bool,
    /// Whether what is here was received or sent in this room, and may be given in it.
    served: bool,
}

/// A member that was asked what it has of a file.
#[derive(Default)]
struct Source {
    /// Whether it has said what it has.
    answered: bool,
    holds: Chunks,
    /// It fetches the file as well, and is told of what is gained here.
    follows: bool,
    /// How many chunks are asked of it, and until when they are waited for.
    waiting: usize,
    until: i64,
}

/// Some of the chunks of a file, a bit each, the lowest first.
#[derive(Clone, Default)]
struct Chunks {
    bits: Vec<u8>,
    count: u32,
}

impl Chunks {
    /// Those of a file with so many chunks; bits beyond its end are dropped.
    fn of(mut bits: Vec<u8>, chunks: u32) -> Self {
        let whole = usize::try_from(chunks.div_ceil(8)).unwrap_or(usize::MAX);
        bits.truncate(whole);
        let beyond = chunks % 8;
        if beyond != 0
            && let Some(last) = bits.get_mut(whole.saturating_sub(1))
        {
            *last &= (1 << beyond) - 1;
        }
        let count = bits.iter().map(|byte| byte.count_ones()).sum();
        Self { bits, count }
    }

    /// All of a file but these.
    fn without(missing: &BTreeSet<u32>, chunks: u32) -> Self {
        let mut bits = vec![0xff; usize::try_from(chunks.div_ceil(8)).unwrap_or(0)];
        for chunk in missing {
            if let Some(byte) = bits.get_mut((chunk / 8) as usize) {
                *byte &= !(1 << (chunk % 8));
            }
        }
        Self::of(bits, chunks)
    }

    fn has(&self, chunk: u32) -> bool {
        self.bits
            .get((chunk / 8) as usize)
            .is_some_and(|byte| byte & (1 << (chunk % 8)) != 0)
    }

    /// Adds one; whether it is new. One beyond the end is none.
    fn add(&mut self, chunk: u32, chunks: u32) -> bool {
        if chunk >= chunks || self.has(chunk) {
            return false;
        }
        let at = (chunk / 8) as usize;
        if self.bits.len() <= at {
            self.bits.resize(at + 1, 0);
        }
        if let Some(byte) = self.bits.get_mut(at) {
            *byte |= 1 << (chunk % 8);
            self.count += 1;
        }
        true
    }

    fn iter(&self) -> impl Iterator<Item = u32> {
        let bytes = (0_u32..).zip(&self.bits);
        bytes.flat_map(|(at, byte)| {
            (0..8)
                .filter(move |bit| byte & (1 << bit) != 0)
                .map(move |bit| at * 8 + bit)
        })
    }
}

impl Fetch {
    fn chunks(&self) -> u32 {
        self.attachment.chunks()
    }

    /// Whether anything is asked of this peer.
    pub(super) fn is_of(&self, peer: &Peer) -> bool {
        let source = self.sources.get(peer);
        self.is_listed_by(peer) || source.is_some_and(|source| source.waiting > 0 || source.follows)
    }

    /// Whether its record lies in this room.
    pub(super) fn is_of_room(&self, room: &RoomId) -> bool {
        self.room == *room
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

    /// What is here and may be given in this room.
    fn held(&self) -> Chunks {
        if self.served {
            Chunks::without(&self.missing, self.chunks())
        } else {
            Chunks::default()
        }
    }

    /// Whether everyone who was asked has said that they have nothing.
    fn is_hopeless(&self) -> bool {
        let mut sources = self.sources.values();
        self.lister.is_none() && sources.all(|source| source.answered && source.holds.count == 0)
    }

    /// A source has told all that it has.
    fn set_holds(&mut self, peer: &Peer, holds: Chunks) {
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

    /// Nothing more is expected of a source; it may tell again what it has.
    fn release(&mut self, peer: &Peer) {
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

    /// A peer gave something wrong, or nothing: it is not asked again.
    fn refuse(&mut self, peer: &Peer) {
        self.release(peer);
        self.sources.remove(peer);
        self.refused.insert(*peer);
    }

    /// Lets others go first; everyone is asked anew afterwards.
    fn pause(&mut self, until: i64) {
        self.moved = None;
        self.rests = until;
        self.sources.clear();
        self.waiting.clear();
        self.refused.clear();
        self.lister = None;
        self.copies.fill(0);
        if !self.listed {
            self.list.clear();
        }
    }

    /// Chunks asked for that may come any moment: one that takes long holds up no other.
    fn open(&self, now: i64) -> usize {
        let is_open = |asked: i64| now.saturating_sub(asked) <= SLOW;
        self.waiting.values().filter(|(_, asked)| is_open(*asked)).count()
    }

    /// Notes that a chunk is asked of a peer.
    fn ask(&mut self, now: i64, peer: &Peer, chunk: u32) {
        if let Some(source) = self.sources.get_mut(peer) {
            source.waiting += 1;
            source.until = now.saturating_add(PATIENCE);
        }
        self.waiting.insert(chunk, (*peer, now));
    }

    /// What to ask of a source next: of what it has and nobody was asked for, the rarest, from a place of this machine's
    /// own on. Who has everything is asked only for what no other has, until little is left.
    fn choose(&self, peer: &Peer, begin: u32) -> Option<u32> {
        let source = self.sources.get(peer)?;
        let is_whole = |source: &Source| source.holds.count >= self.chunks();
        let whole = self.sources.values().filter(|s| is_whole(s)).count();
        let spared = is_whole(source)
            && whole < self.sources.values().filter(|s| s.holds.count > 0).count()
            && self.missing.len() > WINDOW;
        let mut best: Option<(u16, u32)> = None;
        for chunk in self
            .missing
            .range(begin..)
            .chain(self.missing.range(..begin))
        {
            let copies = usize::try_from(*chunk)
                .ok()
                .and_then(|at| self.copies.get(at).copied())
                .unwrap_or(0);
            if !source.holds.has(*chunk)
                || (spared && usize::from(copies) > whole)
                || best.is_some_and(|(fewest, _)| fewest <= copies)
                || self.waiting.contains_key(chunk)
            {
                continue;
            }
            best = Some((copies, *chunk));
            if copies <= 1 {
                break;
            }
        }
        best.map(|(_, chunk)| chunk)
    }
}

fn count(copies: &mut [u16], chunk: u32, change: impl Fn(u16) -> u16) {
    if let Ok(at) = usize::try_from(chunk)
        && let Some(copies) = copies.get_mut(at)
    {
        *copies = change(*copies);
    }
}

impl Node {
    pub(super) fn begin_fetch(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        message: MessageId,
        index: u8,
    ) -> Result<(), CommandError> {
        let found = match self.content(ledger, &message) {
            Ok(found) => found,
            Err(Fault::Ledger(error)) => return Err(error.into()),
            Err(Fault::Broke(_)) => None,
        };
        let (record, body) = found.ok_or(CommandError::NoMessage)?;
        let attachment = body
            .content
            .attachments()
            .get(usize::from(index))
            .cloned()
            .ok_or(CommandError::NoAttachment)?;
        let key = (message, index);
        if let Some(fetch) = self.fetches.get_mut(&key) {
            // Somebody waits for it: now, if there is a turn.
            fetch.rests = now;
        } else {
            if self.fetches.len() >= MAX_FETCHES {
                return Err(CommandError::TooManyFiles);
            }
            let (space, room) = (record.feed.space, record.feed.room);
            if is_sealed(&record) && !self.is_direct_on(&space) {
                return Err(CommandError::DirectOff);
            }
            let kept_in = shown_in(ledger, &record)?;
            let readers = readers_of(ledger, &record)?;
            let list = ledger.chunk_list(&attachment.file)?;
            let turn = self.fetches.values().map(|fetch| fetch.turn).max();
            let mut fetch = Fetch {
                space,
                room,
                kept_in,
                readers,
                turn: turn.map_or(0, |turn| turn + 1),
                moved: None,
                rests: now,
                listed: list.is_some(),
                list: list.unwrap_or_default(),
                lister: None,
                missing: BTreeSet::new(),
                waiting: BTreeMap::new(),
                quickest: i64::MAX,
                copies: vec![0; usize::try_from(attachment.chunks()).unwrap_or(0)],
                sources: BTreeMap::new(),
                refused: BTreeSet::new(),
                gained: Vec::new(),
                fresh: false,
                served: false,
                attachment,
            };
            self.look_up(ledger, &mut fetch)?;
            self.fetches.insert(key, fetch);
        }
        if !self.progress(ledger, key)? {
            self.next_fetches(ledger, now)?;
        }
        Ok(())
    }

    /// What is still to come of a file. One that is here from another room alone has to be shown to be in this one: else
    /// whoever knows its id could name it here, and have it from this machine.
    fn look_up(&mut self, ledger: &dyn Ledger, fetch: &mut Fetch) -> Result<(), CommandError> {
        let (file, count) = (fetch.attachment.file, fetch.chunks());
        let whole = usize::try_from(count).unwrap_or(usize::MAX);
        let missing = ledger.missing_chunks(&file, count, 0, whole)?;
        fetch.missing = missing.into_iter().collect();
        fetch.fresh = fetch.missing.len() == whole;
        fetch.served = ledger.is_file_of(&file, &fetch.kept_in)?;
        if fetch.fresh || fetch.served {
            return Ok(());
        }
        let drawn: [u8; 4 * PROOF as usize] = self.entropy.draw()?;
        for bytes in drawn.as_chunks::<4>().0 {
            fetch
                .missing
                .extend(u32::from_le_bytes(*bytes).checked_rem(count));
        }
        Ok(())
    }

    /// Tells how far a file is; whether it is complete, in which case it is not fetched any longer.
    fn progress(&mut self, ledger: &mut dyn Ledger, key: Key) -> LedgerResult<bool> {
        let Some(fetch) = self.fetches.get(&key) else {
            return Ok(true);
        };
        let Attachment { size, file, .. } = fetch.attachment;
        let missing = u64::try_from(fetch.missing.len()).unwrap_or(u64::MAX);
        let complete = fetch.listed && missing == 0;
        let have = if complete {
            size
        } else {
            size.saturating_sub(missing.saturating_mul(CHUNK as u64))
        };
        let (space, room, (message, index)) = (fetch.space, fetch.kept_in, key);
        self.outputs.push(Output::Event(Event::Attachment {
            space,
            message,
            index,
            file,
            have,
            size,
        }));
        if complete {
            ledger.put_file_of(&file, &room)?;
            self.tell_gained(key);
            self.fetches.remove(&key);
        }
        Ok(complete)
    }

    /// Files whose turn it is are asked for; those that are under way go on.
    fn next_fetches(&mut self, ledger: &mut dyn Ledger, now: i64) -> LedgerResult<()> {
        let mut active = self.fetches.values().filter(|f| f.moved.is_some()).count();
        let mut waiting: Vec<(u64, Key)> = self
            .fetches
            .iter()
            .filter(|(_, fetch)| fetch.moved.is_none() && fetch.rests <= now)
            .map(|(key, fetch)| (fetch.turn, *key))
            .collect();
        waiting.sort_unstable();
        for (_, key) in waiting {
            if active >= MAX_ACTIVE {
                break;
            }
            if let Some(fetch) = self.fetches.get_mut(&key) {
                fetch.moved = Some(now);
                active += 1;
            }
        }
        let under_way: Vec<Key> = self
            .fetches
            .iter()
            .filter(|(_, fetch)| fetch.moved.is_some())
            .map(|(key, _)| *key)
            .collect();
        for key in under_way {
            self.continue_fetch(ledger, now, key)?;
        }
        Ok(())
    }

    /// Asks for what is to be asked next, of everyone who may have it.
    fn continue_fetch(&mut self, ledger: &mut dyn Ledger, now: i64, key: Key) -> LedgerResult<()> {
        let Some(fetch) = self.fetches.get(&key) else {
            return Ok(());
        };
        if fetch.chunks() == 0 && !fetch.listed {
            return self.list_came(ledger, now, key);
        }
        let members = self.members_online(&fetch.space);
        let unasked: Vec<Peer> = members
            .into_iter()
            .filter(|peer| !fetch.sources.contains_key(peer) && !fetch.refused.contains(peer))
            .filter(|peer| self.may_have(peer, fetch))
            .collect();
        for peer in unasked {
            self.want_holding(&peer, key);
        }
        let Some(fetch) = self.fetches.get_mut(&key) else {
            return Ok(());
        };
        if fetch.is_hopeless() {
            fetch.pause(now.saturating_add(PAUSE));
        } else if fetch.listed {
            self.want_chunks(now, key);
        } else if fetch.lister.is_none() {
            let author = ledger.record(&key.0)?.map(|record| record.feed.device);
            self.want_list(now, key, author);
        }
        Ok(())
    }

    /// Whether a peer may have the file that is fetched, and hear of it.
    fn may_have(&self, peer: &Peer, fetch: &Fetch) -> bool {
        let readers = fetch.readers.as_ref();
        self.may_carry(peer, &fetch.space, &fetch.room)
            && readers.is_none_or(|readers| self.is_of(peer, &fetch.space, readers))
    }

    /// Asks a member what it has of a file, and says what is here.
    fn want_holding(&mut self, peer: &Peer, key: Key) {
        let Some(fetch) = self.fetches.get_mut(&key) else {
            return;
        };
        fetch.sources.insert(*peer, Source::default());
        let bits = fetch.held().bits;
        let (message, index) = key;
        self.send_frame(
            peer,
            &Frame::WantHolding {
                message,
                index,
                bits,
            },
        );
    }

    /// Asks for the hashes of the chunks: of one who has some of them, or of the author, who had them all.
    fn want_list(&mut self, now: i64, key: Key, author: Option<Peer>) {
        let Some(fetch) = self.fetches.get_mut(&key) else {
            return;
        };
        let holder = fetch
            .sources
            .iter()
            .filter(|(_, source)| source.holds.count > 0)
            .max_by_key(|(_, source)| source.holds.count)
            .map(|(peer, _)| *peer);
        let asked = |author: &Peer| {
            let source = fetch.sources.get(author);
            source.is_some_and(|source| !source.answered)
        };
        let author = author.filter(asked);
        let Some(peer) = holder.or(author) else {
            return;
        };
        let from = u32::try_from(fetch.list.len() / 32).unwrap_or(u32::MAX);
        fetch.lister = Some((peer, now.saturating_add(PATIENCE)));
        let (message, index) = key;
        self.send_frame(
            &peer,
            &Frame::WantList {
                message,
                index,
                from,
            },
        );
    }

    /// Asks for chunks of all files under way, first of those of which fewest are asked for.
    fn want_more(&mut self, now: i64) {
        let under_way = |fetch: &&Fetch| fetch.listed && fetch.moved.is_some();
        let fetches = self.fetches.iter().filter(|(_, fetch)| under_way(fetch));
        let mut keys: Vec<(usize, Key)> = fetches.map(|(key, f)| (f.open(now), *key)).collect();
        keys.sort_unstable();
        for (_, key) in keys {
            self.want_chunks(now, key);
        }
    }

    /// Asks those who have something that is missing, as many chunks as are allowed at a time: one of each, then another.
    fn want_chunks(&mut self, now: i64, key: Key) {
        let begin = self.place_to_begin(&key);
        let open: usize = self.fetches.values().map(|fetch| fetch.open(now)).sum();
        let turn = self.places_in_turn(now);
        let Some(fetch) = self.fetches.get_mut(&key) else {
            return;
        };
        let mut allowed = self.pace.allowed().saturating_sub(open);
        if fetch.open(now) == 0 {
            // None waits for the end of another.
            allowed = allowed.max(1);
        }
        let mut sources: Vec<(bool, usize, u64, Peer)> = fetch
            .sources
            .iter()
            .filter(|(_, source)| source.holds.count > 0)
            .map(|(peer, source)| {
                let is_whole = source.holds.count >= fetch.attachment.chunks();
                (is_whole, source.waiting, turn(peer), *peer)
            })
            .collect();
        sources.sort_unstable();
        let mut asked: BTreeMap<Peer, Vec<u32>> = BTreeMap::new();
        while allowed > 0 {
            let before = allowed;
            for (.., peer) in &sources {
                if allowed == 0 {
                    break;
                }
                let is_open = |source: &Source| source.waiting < WINDOW;
                if !fetch.sources.get(peer).is_some_and(is_open) {
                    continue;
                }
                if let Some(chunk) = fetch.choose(peer, begin) {
                    fetch.ask(now, peer, chunk);
                    asked.entry(*peer).or_default().push(chunk);
                    allowed -= 1;
                }
            }
            if allowed == before {
                break;
            }
        }
        let (message, index) = key;
        for (peer, chunks) in asked {
            self.send_frame(
                &peer,
                &Frame::WantChunks {
                    message,
                    index,
                    chunks,
                },
            );
        }
    }

    /// An order of peers that is each machine's own and changes with time, so that not all ask the same one first.
    fn places_in_turn(&self, now: i64) -> impl Fn(&Peer) -> u64 + use<> {
        let mut seed = blake3::Hasher::new();
        seed.update(self.device().as_bytes())
            .update(&now.to_le_bytes());
        move |peer| {
            let mut hasher = seed.clone();
            hasher.update(peer.as_bytes());
            let hash = hasher.finalize();
            hash.as_bytes()
                .first_chunk::<8>()
                .map_or(0, |bytes| u64::from_le_bytes(*bytes))
        }
    }

    /// Where this machine begins with a file: elsewhere than others do.
    fn place_to_begin(&self, key: &Key) -> u32 {
        let mut hasher = blake3::Hasher::new_derive_key("artel 2026-11 first chunk");
        hasher
            .update(self.device().as_bytes())
            .update(key.0.as_bytes());
        let bytes = hasher.finalize();
        let drawn = bytes
            .as_bytes()
            .first_chunk::<4>()
            .map_or(0, |bytes| u32::from_le_bytes(*bytes));
        let count = self.fetches.get(key).map_or(0, Fetch::chunks);
        drawn.checked_rem(count).unwrap_or(0)
    }

    /// Tells those who fetch the same file what was gained.
    fn tell_gained(&mut self, key: Key) {
        let Some(fetch) = self.fetches.get_mut(&key) else {
            return;
        };
        let gained = std::mem::take(&mut fetch.gained);
        let followers: Vec<Peer> = fetch
            .sources
            .iter()
            .filter(|(_, source)| source.follows)
            .map(|(peer, _)| *peer)
            .collect();
        let (message, index) = key;
        for chunks in gained.chunks(MAX_GAINED) {
            for peer in &followers {
                self.send_frame(
                    peer,
                    &Frame::Gained {
                        message,
                        index,
                        chunks: chunks.to_vec(),
                    },
                );
            }
        }
    }

    /// The list of chunks is complete: it must be the one that the record names.
    fn list_came(&mut self, ledger: &mut dyn Ledger, now: i64, key: Key) -> LedgerResult<()> {
        let Some(fetch) = self.fetches.get_mut(&key) else {
            return Ok(());
        };
        let Attachment { size, file, .. } = fetch.attachment;
        let hashes: Vec<[u8; 32]> = fetch.list.as_chunks::<32>().0.to_vec();
        let lister = fetch.lister.take();
        if FileId::of(size, &hashes) != file {
            // Its author or its bearer lied; another bearer may have the right one, if there is one.
            fetch.list.clear();
            match lister {
                Some((peer, _)) => fetch.refuse(&peer),
                // Nobody gave it: the record itself names what no file has.
                None => fetch.pause(now.saturating_add(PAUSE)),
            }
            return self.next_fetches(ledger, now);
        }
        fetch.listed = true;
        fetch.moved = Some(now);
        ledger.put_chunk_list(&file, size, &fetch.list)?;
        if !self.progress(ledger, key)? {
            self.continue_fetch(ledger, now, key)?;
        }
        Ok(())
    }

    pub(super) fn on_list(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        peer: &Peer,
        key: Key,
        from: u32,
        hashes: &[u8],
    ) -> Result<(), Fault> {
        let Some(fetch) = self
            .fetches
            .get_mut(&key)
            .filter(|fetch| fetch.is_listed_by(peer) && !fetch.listed)
        else {
            return Ok(());
        };
        let count = usize::try_from(fetch.chunks()).unwrap_or(usize::MAX);
        let (have, more) = (fetch.list.len() / 32, hashes.len() / 32);
        if usize::try_from(from).ok() != Some(have) || more == 0 || have + more > count {
            // Late, or of a file that is not what its author said: no reason to think ill of the bearer.
            fetch.refuse(peer);
            return Ok(self.next_fetches(ledger, now)?);
        }
        fetch.list.extend_from_slice(hashes);
        fetch.moved = Some(now);
        if have + more == count {
            self.list_came(ledger, now, key)?;
        } else {
            self.want_list(now, key, Some(*peer));
        }
        Ok(())
    }

    pub(super) fn on_chunk(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        peer: &Peer,
        key: Key,
        chunk: u32,
        bytes: &[u8],
    ) -> Result<(), Fault> {
        let Some(fetch) = self.fetches.get_mut(&key) else {
            return Ok(());
        };
        let Some(source) = fetch.sources.get_mut(peer) else {
            return Ok(());
        };
        let Some((_, asked)) = fetch.waiting.get(&chunk).filter(|(of, _)| of == peer) else {
            return Ok(());
        };
        let asked = *asked;
        fetch.waiting.remove(&chunk);
        fetch.quickest = fetch.quickest.min(now.saturating_sub(asked));
        self.pace.came(now, asked, fetch.quickest);
        source.waiting = source.waiting.saturating_sub(1);
        source.until = now.saturating_add(PATIENCE);
        let place = usize::try_from(chunk)
            .unwrap_or(usize::MAX)
            .saturating_mul(32);
        let hash = fetch
            .list
            .get(place..)
            .and_then(|rest| rest.first_chunk::<32>());
        if bytes.len() != chunk_len(fetch.attachment.size, chunk)
            || hash != Some(&chunk_hash(bytes))
        {
            fetch.refuse(peer);
            return Ok(self.next_fetches(ledger, now)?);
        }
        let (file, room) = (fetch.attachment.file, fetch.kept_in);
        if fetch.missing.remove(&chunk) {
            fetch.moved = Some(now);
            ledger.put_chunk(&file, chunk, bytes)?;
            if fetch.fresh && !fetch.served {
                // All that is here of it came in this room: others in it may have it at once.
                fetch.served = true;
                ledger.put_file_of(&file, &room)?;
            }
            if fetch.served {
                fetch.gained.push(chunk);
            }
        }
        let tell = fetch.gained.len() >= TOLD_AT;
        if self.progress(ledger, key)? {
            self.next_fetches(ledger, now)?;
            return Ok(());
        }
        if tell {
            self.tell_gained(key);
        }
        self.want_more(now);
        Ok(())
    }

    pub(super) fn on_no_chunks(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        peer: &Peer,
        key: Key,
    ) -> Result<(), Fault> {
        if let Some(fetch) = self.fetches.get_mut(&key) {
            // It may yet come to have them, and then tells so.
            fetch.release(peer);
            self.next_fetches(ledger, now)?;
        }
        Ok(())
    }

    /// A member fetches a file, and asks what is here of it.
    pub(super) fn on_want_holding(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        peer: &Peer,
        key: Key,
        bits: Vec<u8>,
    ) -> Result<(), Fault> {
        let (message, index) = key;
        let Some(asked) = self.asked_file(ledger, peer, key)? else {
            self.send_frame(peer, &Frame::NoChunks { message, index });
            return Ok(());
        };
        let follows = self.note_holding(peer, &key, bits, true);
        let holds = if ledger.is_file_of(&asked.file, &asked.room)? {
            let whole = usize::try_from(asked.chunks).unwrap_or(usize::MAX);
            let missing = ledger.missing_chunks(&asked.file, asked.chunks, 0, whole)?;
            Chunks::without(&missing.into_iter().collect(), asked.chunks)
        } else {
            Chunks::default()
        };
        let frame = if holds.count == 0 && !follows {
            Frame::NoChunks { message, index }
        } else {
            Frame::Holding {
                message,
                index,
                bits: holds.bits,
                follows,
            }
        };
        self.send_frame(peer, &frame);
        if follows {
            self.continue_fetch(ledger, now, key)?;
        }
        Ok(())
    }

    /// A member tells what it has of a file.
    pub(super) fn on_holding(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        peer: &Peer,
        key: Key,
        bits: Vec<u8>,
        follows: bool,
    ) -> Result<(), Fault> {
        if self.note_holding(peer, &key, bits, follows) {
            self.continue_fetch(ledger, now, key)?;
        }
        Ok(())
    }

    /// Notes what a source has; whether the file is being fetched here, and the peer may be a source of it.
    fn note_holding(&mut self, peer: &Peer, key: &Key, bits: Vec<u8>, follows: bool) -> bool {
        let Some(fetch) = self.fetches.get(key) else {
            return false;
        };
        if fetch.moved.is_none() || fetch.refused.contains(peer) || !self.may_have(peer, fetch) {
            return false;
        }
        let Some(fetch) = self.fetches.get_mut(key) else {
            return false;
        };
        let source = fetch.sources.entry(*peer).or_default();
        source.answered = true;
        source.follows |= follows;
        let holds = Chunks::of(bits, fetch.attachment.chunks());
        fetch.set_holds(peer, holds);
        true
    }

    /// A source gained some chunks.
    pub(super) fn on_gained(&mut self, now: i64, peer: &Peer, key: Key, chunks: &[u32]) {
        let Some(fetch) = self.fetches.get_mut(&key) else {
            return;
        };
        let count_of = fetch.chunks();
        let Some(source) = fetch.sources.get_mut(peer) else {
            return;
        };
        for chunk in chunks {
            if source.holds.add(*chunk, count_of) {
                count(&mut fetch.copies, *chunk, |copies| copies.saturating_add(1));
            }
        }
        if fetch.listed {
            self.want_chunks(now, key);
        }
    }

    /// Serves a list of chunks to a member.
    pub(super) fn on_want_list(
        &mut self,
        ledger: &mut dyn Ledger,
        peer: &Peer,
        key: Key,
        from: u32,
    ) -> Result<(), Fault> {
        let (message, index) = key;
        let list = match self.served_file(ledger, peer, key)? {
            Some(asked) => ledger.chunk_list(&asked.file)?.filter(|list| {
                let whole = usize::try_from(asked.chunks).unwrap_or(usize::MAX);
                list.len() / 32 == whole
            }),
            None => None,
        };
        let begin = usize::try_from(from)
            .unwrap_or(usize::MAX)
            .saturating_mul(32);
        let rest = list
            .as_deref()
            .and_then(|list| list.get(begin..))
            .filter(|rest| !rest.is_empty());
        let frame = match rest {
            Some(rest) => {
                let hashes = rest.get(..LIST_PAGE * 32).unwrap_or(rest).to_vec();
                Frame::List {
                    message,
                    index,
                    from,
                    hashes,
                }
            }
            None => Frame::NoChunks { message, index },
        };
        self.send_on(peer, Lane::File, &frame);
        Ok(())
    }

    /// Serves chunks to a member.
    pub(super) fn on_want_chunks(
        &mut self,
        ledger: &mut dyn Ledger,
        peer: &Peer,
        key: Key,
        chunks: &[u32],
    ) -> Result<(), Fault> {
        let (message, index) = key;
        let served = self.served_file(ledger, peer, key)?;
        for chunk in chunks {
            let bytes = match &served {
                Some(asked) => ledger.chunk(&asked.file, *chunk)?,
                None => None,
            };
            let frame = match bytes {
                Some(bytes) => Frame::Chunk {
                    message,
                    index,
                    chunk: *chunk,
                    bytes,
                },
                None => Frame::NoChunks { message, index },
            };
            let ends = matches!(frame, Frame::NoChunks { .. });
            self.send_on(peer, Lane::File, &frame);
            if ends {
                return Ok(());
            }
        }
        // What is served costs the link's own time, which is less than a bucket of tokens has on a fast network.
        self.refund(peer, 1);
        Ok(())
    }

    /// The file that a peer asks for, if the peer may have it and it was received or sent in that room.
    fn served_file(
        &self,
        ledger: &dyn Ledger,
        peer: &Peer,
        key: Key,
    ) -> Result<Option<Asked>, Fault> {
        let Some(asked) = self.asked_file(ledger, peer, key)? else {
            return Ok(None);
        };
        Ok(ledger
            .is_file_of(&asked.file, &asked.room)?
            .then_some(asked))
    }

    /// The file that a peer asks for, if the peer may have it.
    fn asked_file(
        &self,
        ledger: &dyn Ledger,
        peer: &Peer,
        (message, index): Key,
    ) -> Result<Option<Asked>, Fault> {
        let Some((record, body)) = self.content(ledger, &message)? else {
            return Ok(None);
        };
        if !self.may_carry(peer, &record.feed.space, &record.feed.room) {
            return Ok(None);
        }
        let readers = readers_of(ledger, &record)?;
        if readers.is_some_and(|readers| !self.is_of(peer, &record.feed.space, &readers)) {
            return Ok(None);
        }
        let given = match self.receiver(peer, &record.feed.space) {
            _ if is_sealed(&record) => self.is_direct_on(&record.feed.space),
            Some(receiver) => receiver.served(ledger, &record)?.given().is_some(),
            None => false,
        };
        if !given {
            return Ok(None);
        }
        let room = shown_in(ledger, &record)?;
        let attachment = body.content.attachments().get(usize::from(index));
        Ok(attachment.map(|attachment| Asked {
            room,
            file: attachment.file,
            chunks: attachment.chunks(),
        }))
    }

    /// A peer is gone: others are asked for what it owed.
    pub(super) fn forget_fetches_of(
        &mut self,
        ledger: &mut dyn Ledger,
        peer: &Peer,
    ) -> LedgerResult<()> {
        for fetch in self.fetches.values_mut() {
            fetch.release(peer);
            fetch.sources.remove(peer);
            fetch.refused.remove(peer);
        }
        let now = self.now;
        self.next_fetches(ledger, now)
    }

    /// A member came: files that wait for one who has them are asked for again.
    pub(super) fn fetches_due(&mut self, space: &SpaceId) {
        let now = self.now;
        for fetch in self.fetches.values_mut().filter(|f| f.space == *space) {
            fetch.rests = fetch.rests.min(now);
        }
    }

    pub(super) fn tick_fetches(&mut self, ledger: &mut dyn Ledger, now: i64) -> LedgerResult<()> {
        let keys: Vec<Key> = self.fetches.keys().copied().collect();
        for key in keys {
            let Some(fetch) = self.fetches.get_mut(&key) else {
                continue;
            };
            let Some(moved) = fetch.moved else { continue };
            if now.saturating_sub(moved) > PAUSE {
                fetch.pause(now.saturating_add(PAUSE));
                continue;
            }
            let silent: Vec<Peer> = fetch
                .sources
                .iter()
                .filter(|(_, source)| source.waiting > 0 && source.until <= now)
                .map(|(peer, _)| *peer)
                .chain(
                    fetch
                        .lister
                        .filter(|(_, until)| *until <= now)
                        .map(|(peer, _)| peer),
                )
                .collect();
            for peer in silent {
                fetch.refuse(&peer);
            }
            if !fetch.gained.is_empty() {
                self.tell_gained(key);
            }
        }
        self.next_fetches(ledger, now)
    }
}

/// A file that a peer asks for.
struct Asked {
    /// Room that its record is shown in.
    room: RoomId,
    file: FileId,
    chunks: u32,
}
