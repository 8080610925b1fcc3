//! Attachments: asked for as (record, attachment), from everyone who has a part, verified chunk by chunk, resumable.
//!
//! Who fetches a file tells the members in reach what it has of it, and hears what they have. Chunks that few have are
//! asked for first, each machine beginning at a place of its own, and what was gained is told on: so a class that
//! fetches one file at once takes little more than one copy from its author and the rest from one another.
//!
//! Files take turns: four at a time, those that somebody asked for before those that nobody waits for.

mod chunks;
mod fetch;
mod pace;
mod serving;

use std::collections::BTreeMap;

use artel_domain::{
    Attachment, FileId, MessageId, RoomId, SpaceId,
    attachment::{chunk_hash, chunk_len},
    limits::CHUNK,
};

use super::{
    super::{
        event::{CommandError, Event, Output, Peer},
        frame::{Frame, LIST_PAGE, MAX_GAINED},
        ledger::{Ledger, LedgerResult},
    },
    Fault, Node,
    direct::readers_of,
    showing::{is_sealed, shown_in},
};
use chunks::Chunks;
use fetch::{Fetch, LIST, PATIENCE, Source, Turn, WINDOW};
use pace::Pace;

/// How long a file that did not move on lets others go first, in milliseconds.
const PAUSE: i64 = 15_000;
/// How long a turn is while others wait for one, in milliseconds.
const TURN: i64 = 30_000;
/// Chunks gained before those who fetch the same file are told, and how long those few wait that are less.
const TOLD_AT: usize = 8;
const TELL_GAP: i64 = 500;
/// Files being fetched, or waiting for their turn; of them those that nobody asked for.
const MAX_FETCHES: usize = 1_000;
const MAX_UNASKED: usize = 500;
/// Files being fetched at a time; of them those that nobody asked for.
const MAX_ACTIVE: usize = 4;
const MAX_ACTIVE_UNASKED: usize = 2;
/// Chunks that a peer must give of a file that is here from another room, before it counts as received in this one.
const PROOF: u32 = 4;
/// What a question about a file costs, in tokens.
const QUESTION: i64 = 5;

type Key = (MessageId, u8);

/// The files being fetched, or waiting for their turn.
pub(super) struct Fetches {
    files: BTreeMap<Key, Fetch>,
    pace: Pace,
    /// Places given among those that wait.
    places: u64,
}

impl Fetches {
    pub(super) fn new() -> Self {
        Self {
            files: BTreeMap::new(),
            pace: Pace::new(),
            places: 0,
        }
    }

    /// Whether a file is asked of this peer.
    pub(super) fn is_any_of(&self, peer: &Peer) -> bool {
        self.files.values().any(|fetch| fetch.is_of(peer))
    }

    /// Whether this chunk is asked of this peer.
    pub(super) fn is_waiting(&self, peer: &Peer, key: &Key, chunk: u32) -> bool {
        let fetch = self.files.get(key);
        fetch.is_some_and(|fetch| fetch.is_waiting(peer, chunk))
    }

    /// Whether the list of a file is asked of this peer.
    pub(super) fn is_listed_by(&self, peer: &Peer, key: &Key) -> bool {
        let fetch = self.files.get(key);
        fetch.is_some_and(|fetch| fetch.is_listed_by(peer))
    }

    /// Until when files give way to everything else, if they do.
    pub(super) fn rest(&self, now: i64) -> Option<i64> {
        self.pace
            .rests(now)
            .filter(|_| self.under_way().next().is_some())
    }

    /// Whether a chunk came since the file was asked for.
    fn has_come(&self, key: &Key, chunk: u32) -> bool {
        self.files
            .get(key)
            .is_some_and(|fetch| fetch.came.has(chunk))
    }

    /// Whether anything came of a file since it was asked for.
    fn has_any_come(&self, key: &Key) -> bool {
        let fetch = self.files.get(key);
        fetch.is_some_and(|fetch| fetch.listed && fetch.came.count() > 0)
    }

    /// A file is not fetched any longer.
    pub(super) fn stop(&mut self, key: &Key) {
        self.files.remove(key);
    }

    /// Files of records in a room are not fetched any longer.
    pub(super) fn stop_of_room(&mut self, room: &RoomId) {
        self.files.retain(|_, fetch| fetch.room != *room);
    }

    fn under_way(&self) -> impl Iterator<Item = (&Key, &Fetch)> {
        self.files.iter().filter(|(_, fetch)| fetch.turn.is_some())
    }

    /// The last place among those that wait.
    fn next_place(&mut self) -> u64 {
        self.places += 1;
        self.places
    }

    /// A file lets others go first.
    fn pause(&mut self, key: &Key, until: i64) {
        let place = self.next_place();
        if let Some(fetch) = self.files.get_mut(key) {
            fetch.place = place;
            fetch.pause(until);
        }
    }

    /// Chunks that may come any moment, of all files.
    fn open(&self, now: i64) -> usize {
        self.files.values().map(|fetch| fetch.open(now)).sum()
    }

    /// What was asked of a peer, in chunks, for all files.
    fn open_at(&self, peer: &Peer) -> usize {
        self.files.values().map(|fetch| fetch.open_at(peer)).sum()
    }

    /// Ends turns that have been long enough, while others wait for one.
    fn end_turns(&mut self, now: i64) {
        let waits = |by_hand: bool| {
            let mut files = self.files.values();
            files
                .any(|fetch| fetch.turn.is_none() && fetch.rests <= now && fetch.by_hand >= by_hand)
        };
        let (any, by_hand) = (waits(false), waits(true));
        let mut over: Vec<(u64, Key)> = self
            .under_way()
            .filter(|(_, fetch)| if fetch.by_hand { by_hand } else { any })
            .filter(|(_, fetch)| {
                let began = fetch.turn.map_or(now, |turn| turn.began);
                now.saturating_sub(began) > TURN
            })
            .map(|(key, fetch)| (fetch.place, *key))
            .collect();
        over.sort_unstable();
        for (_, key) in over {
            self.pause(&key, now);
        }
    }

    /// Those that have a turn now and had none: what somebody asked for first, then in the order of their places.
    fn give_turns(&mut self, now: i64) -> Vec<Key> {
        let mut active = self.under_way().count();
        let mut unasked = self.under_way().filter(|(_, fetch)| !fetch.by_hand).count();
        let mut waiting: Vec<(bool, u64, Key)> = self
            .files
            .iter()
            .filter(|(_, fetch)| fetch.turn.is_none() && fetch.rests <= now)
            .map(|(key, fetch)| (!fetch.by_hand, fetch.place, *key))
            .collect();
        waiting.sort_unstable();
        let mut begun = Vec::new();
        for (is_unasked, _, key) in waiting {
            if active >= MAX_ACTIVE || (is_unasked && unasked >= MAX_ACTIVE_UNASKED) {
                break;
            }
            if let Some(fetch) = self.files.get_mut(&key) {
                let (began, moved) = (now, now);
                fetch.turn = Some(Turn { began, moved });
                active += 1;
                unasked += usize::from(is_unasked);
                begun.push(key);
            }
        }
        begun
    }
}

impl Node {
    pub(super) fn begin_fetch(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        key: Key,
        by_hand: bool,
    ) -> Result<(), CommandError> {
        let (message, index) = key;
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
        if !self.fetches.files.contains_key(&key) {
            let most = if by_hand { MAX_FETCHES } else { MAX_UNASKED };
            if self.fetches.files.len() >= most {
                return Err(CommandError::TooManyFiles);
            }
            if is_sealed(&record) && !self.is_direct_on(&record.feed.space) {
                return Err(CommandError::DirectOff);
            }
            let kept_in = shown_in(ledger, &record)?;
            let rooms = (record.feed.space, record.feed.room, kept_in);
            let readers = readers_of(ledger, &record)?;
            let list = ledger.chunk_list(&attachment.file)?;
            let mut fetch = Fetch::new(rooms, readers, attachment, list);
            fetch.place = self.fetches.next_place();
            self.look_up(ledger, &mut fetch)?;
            self.fetches.files.insert(key, fetch);
        }
        if let Some(fetch) = self.fetches.files.get_mut(&key)
            && by_hand
        {
            // Somebody waits for it: now, if there is a turn.
            fetch.by_hand = true;
            fetch.rests = now;
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
        fetch.missing = Chunks::these(missing, count);
        fetch.served = ledger.is_file_of(&file, &fetch.kept_in)?;
        if fetch.missing.count() == count || fetch.served {
            return Ok(());
        }
        let drawn: [u8; 4 * PROOF as usize] = self.entropy.draw()?;
        for bytes in drawn.as_chunks::<4>().0 {
            if let Some(chunk) = u32::from_le_bytes(*bytes).checked_rem(count) {
                fetch.missing.add(chunk, count);
            }
        }
        Ok(())
    }

    /// Tells how far a file is; whether it is complete, in which case it is not fetched any longer.
    fn progress(&mut self, ledger: &mut dyn Ledger, key: Key) -> LedgerResult<bool> {
        let Some(fetch) = self.fetches.files.get(&key) else {
            return Ok(true);
        };
        let Attachment { size, file, .. } = fetch.attachment;
        let missing = u64::from(fetch.missing.count());
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
            self.fetches.stop(&key);
        }
        Ok(complete)
    }

    /// Files whose turn it is are asked for; those that are under way go on.
    fn next_fetches(&mut self, ledger: &mut dyn Ledger, now: i64) -> LedgerResult<()> {
        self.fetches.end_turns(now);
        loop {
            let begun = self.fetches.give_turns(now);
            let mut left = false;
            for key in begun {
                // Its message may have been deleted since.
                if self.names_file(ledger, &key)? {
                    continue;
                }
                self.fetches.stop(&key);
                left = true;
            }
            if !left {
                break;
            }
        }
        let under_way: Vec<Key> = self.fetches.under_way().map(|(key, _)| *key).collect();
        for key in under_way {
            self.continue_fetch(ledger, now, key)?;
        }
        Ok(())
    }

    /// Whether a message is here that has this file.
    fn names_file(&self, ledger: &dyn Ledger, (message, index): &Key) -> LedgerResult<bool> {
        match self.content(ledger, message) {
            Ok(found) => Ok(found
                .is_some_and(|(_, body)| body.content.attachments().len() > usize::from(*index))),
            Err(Fault::Ledger(error)) => Err(error),
            Err(Fault::Broke(_)) => Ok(false),
        }
    }

    /// Asks for what is to be asked next, of everyone who may have it.
    fn continue_fetch(&mut self, ledger: &mut dyn Ledger, now: i64, key: Key) -> LedgerResult<()> {
        let Some(fetch) = self.fetches.files.get(&key) else {
            return Ok(());
        };
        if fetch.chunks() == 0 && !fetch.listed {
            return self.list_came(ledger, now, key);
        }
        let members = self.members_online(&fetch.space);
        let unasked: Vec<Peer> = members
            .into_iter()
            .filter(|peer| !fetch.sources.contains_key(peer) && !fetch.is_refused(peer))
            .filter(|peer| self.may_have(peer, fetch))
            .collect();
        let mut asked_all = true;
        for peer in unasked {
            asked_all &= self.want_holding(now, &peer, key);
        }
        let Some(fetch) = self.fetches.files.get_mut(&key) else {
            return Ok(());
        };
        if asked_all && fetch.is_hopeless(now) {
            self.fetches.pause(&key, now.saturating_add(PAUSE));
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

    /// Whether one more question about a file may be put to a peer now.
    fn may_question(&mut self, now: i64, peer: &Peer) -> bool {
        let session = self.sessions.get_mut(peer);
        session.is_some_and(|session| session.asks(now, QUESTION))
    }

    /// Asks a member what it has of a file, and says what is here; whether it could be asked now.
    fn want_holding(&mut self, now: i64, peer: &Peer, key: Key) -> bool {
        if !self.may_question(now, peer) {
            return false;
        }
        let Some(fetch) = self.fetches.files.get_mut(&key) else {
            return true;
        };
        fetch.sources.insert(*peer, Source::asked(now));
        let bits = fetch.held().into_bits();
        let (message, index) = key;
        self.send_frame(
            peer,
            &Frame::WantHolding {
                message,
                index,
                bits,
            },
        );
        true
    }

    /// Asks for the hashes of the chunks: of the author, who had them all, or of one who has some of them; all of the same
    /// one.
    fn want_list(&mut self, now: i64, key: Key, author: Option<Peer>) {
        let turn = self.places_in_turn(now);
        let Some(fetch) = self.fetches.files.get(&key) else {
            return;
        };
        let may = |peer: &Peer, source: &Source| {
            source.holds.count() > 0 || (author == Some(*peer) && !source.answered)
        };
        let mut sources: Vec<_> = fetch
            .sources
            .iter()
            .filter(|(peer, source)| may(peer, source))
            .map(|(peer, _)| (author != Some(*peer), turn(peer), *peer))
            .collect();
        sources.sort_unstable();
        let asked = sources.into_iter().map(|(.., peer)| peer).find(|peer| {
            self.fetches.open_at(peer) + LIST <= WINDOW && self.may_question(now, peer)
        });
        if let Some(peer) = asked {
            self.ask_list(now, key, &peer);
        }
    }

    /// Asks a peer for the next hashes.
    fn ask_list(&mut self, now: i64, key: Key, peer: &Peer) {
        let Some(fetch) = self.fetches.files.get_mut(&key) else {
            return;
        };
        let from = u32::try_from(fetch.list.len() / 32).unwrap_or(u32::MAX);
        fetch.lister = Some((*peer, now.saturating_add(PATIENCE)));
        let (message, index) = key;
        self.send_frame(
            peer,
            &Frame::WantList {
                message,
                index,
                from,
            },
        );
    }

    /// Asks for chunks of all files under way, first of those of which fewest are asked for.
    fn want_more(&mut self, now: i64) {
        let under_way = self.fetches.under_way();
        let mut keys: Vec<(usize, Key)> = under_way
            .filter(|(_, fetch)| fetch.listed)
            .map(|(key, fetch)| (fetch.open(now), *key))
            .collect();
        keys.sort_unstable();
        for (_, key) in keys {
            self.want_chunks(now, key);
        }
    }

    /// Asks those who have something that is missing, as many chunks as are allowed at a time: one of each, then another.
    fn want_chunks(&mut self, now: i64, key: Key) {
        let begin = self.place_to_begin(&key);
        let turn = self.places_in_turn(now);
        let open = self.fetches.open(now);
        let mut allowed = self.fetches.pace.allowed(now).saturating_sub(open);
        let Some(fetch) = self.fetches.files.get(&key) else {
            return;
        };
        if fetch.open(now) == 0 && self.fetches.pace.rests(now).is_none() {
            // None waits for the end of another.
            allowed = allowed.max(1);
        }
        if allowed == 0 || fetch.missing.count() == 0 {
            return;
        }
        let mut asked: BTreeMap<Peer, Vec<u32>> = BTreeMap::new();
        let ranked = fetch.ranked(now, turn);
        // One who has everything is asked for what others have as well only where they cannot give it now.
        for (spares, once) in [(true, false), (false, true)] {
            let mut more = true;
            while more && allowed > 0 {
                more = false;
                for peer in &ranked {
                    let room = self.fetches.open_at(peer);
                    let Some(fetch) = self.fetches.files.get_mut(&key) else {
                        return;
                    };
                    let spared = fetch.is_spared(peer);
                    if allowed == 0 || room >= WINDOW || (once && room > 0) {
                        continue;
                    }
                    let chunk = fetch
                        .choose(peer, begin, spares && spared)
                        .or_else(|| fetch.choose_again(now, peer));
                    if let Some(chunk) = chunk {
                        fetch.ask(now, peer, chunk);
                        asked.entry(*peer).or_default().push(chunk);
                        allowed -= 1;
                        more = !once;
                    }
                }
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
        let count = self.fetches.files.get(key).map_or(0, Fetch::chunks);
        drawn.checked_rem(count).unwrap_or(0)
    }

    /// Tells those who fetch the same file what was gained, as far as they lack it.
    fn tell_gained(&mut self, key: Key) {
        let now = self.now;
        let Some(fetch) = self.fetches.files.get_mut(&key) else {
            return;
        };
        let gained = std::mem::take(&mut fetch.gained);
        fetch.told = now;
        let news: Vec<(Peer, Vec<u32>)> = fetch
            .sources
            .iter()
            .filter(|(_, source)| source.follows)
            .map(|(peer, source)| {
                let gained = gained.iter().copied();
                (*peer, gained.filter(|c| !source.holds.has(*c)).collect())
            })
            .collect();
        let (message, index) = key;
        for (peer, gained) in news {
            for chunks in gained.chunks(MAX_GAINED) {
                self.send_frame(
                    &peer,
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
        let Some(fetch) = self.fetches.files.get_mut(&key) else {
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
                None => self.fetches.pause(&key, now.saturating_add(PAUSE)),
            }
            return self.next_fetches(ledger, now);
        }
        fetch.listed = true;
        fetch.moves(now);
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
            .files
            .get_mut(&key)
            .filter(|fetch| fetch.is_listed_by(peer) && !fetch.listed)
        else {
            return Ok(());
        };
        let count = usize::try_from(fetch.chunks()).unwrap_or(usize::MAX);
        let (have, more) = (fetch.list.len() / 32, hashes.len() / 32);
        // Pages are full, so that nobody makes a list last.
        let page = count.saturating_sub(have).min(LIST_PAGE);
        if usize::try_from(from).ok() != Some(have) || more == 0 || more != page {
            // Late, or of a file that is not what its author said: no reason to think ill of the bearer.
            fetch.give_up(peer);
            return Ok(self.next_fetches(ledger, now)?);
        }
        fetch.list.extend_from_slice(hashes);
        fetch.moves(now);
        if have + more == count {
            self.list_came(ledger, now, key)?;
        } else {
            self.ask_list(now, key, peer);
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
        let Fetches { files, pace, .. } = &mut self.fetches;
        let Some(fetch) = files.get_mut(&key) else {
            return Ok(());
        };
        let Some(asked) = fetch.answered(now, peer, chunk) else {
            return Ok(());
        };
        pace.came(now, asked, fetch.quickest);
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
        if fetch.missing.remove(chunk) {
            fetch.moves(now);
            ledger.put_chunk(&fetch.attachment.file, chunk, bytes)?;
            // It came in this room: others in it may have it at once.
            fetch.came.add(chunk, fetch.attachment.chunks());
            fetch.gained.push(chunk);
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
        if let Some(fetch) = self.fetches.files.get_mut(&key) {
            // It may yet come to have them, and then tells so.
            fetch.release(peer);
            self.next_fetches(ledger, now)?;
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
        let Some(fetch) = self.fetches.files.get(key) else {
            return false;
        };
        if fetch.turn.is_none() || fetch.is_refused(peer) || !self.may_have(peer, fetch) {
            return false;
        }
        let Some(fetch) = self.fetches.files.get_mut(key) else {
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
        let Some(fetch) = self.fetches.files.get_mut(&key) else {
            return;
        };
        for chunk in chunks {
            fetch.add_held(peer, *chunk);
        }
        if fetch.listed {
            self.want_chunks(now, key);
        }
    }

    /// A peer is gone: others are asked for what it owed.
    pub(super) fn forget_fetches_of(
        &mut self,
        ledger: &mut dyn Ledger,
        peer: &Peer,
    ) -> LedgerResult<()> {
        for fetch in self.fetches.files.values_mut() {
            fetch.leave(peer);
        }
        let now = self.now;
        self.next_fetches(ledger, now)
    }

    /// A member came: files that wait for one who has them are asked for again.
    pub(super) fn fetches_due(&mut self, space: &SpaceId) {
        let now = self.now;
        let fetches = self.fetches.files.values_mut();
        for fetch in fetches.filter(|fetch| fetch.space == *space) {
            fetch.rests = fetch.rests.min(now);
        }
    }

    pub(super) fn tick_fetches(&mut self, ledger: &mut dyn Ledger, now: i64) -> LedgerResult<()> {
        let under_way = self.fetches.under_way();
        let turns: Vec<(Key, Turn)> = under_way
            .filter_map(|(key, fetch)| Some((*key, fetch.turn?)))
            .collect();
        for (key, turn) in turns {
            if now.saturating_sub(turn.moved) > PAUSE {
                self.fetches.pause(&key, now.saturating_add(PAUSE));
                continue;
            }
            let Some(fetch) = self.fetches.files.get_mut(&key) else {
                continue;
            };
            for peer in fetch.silent(now) {
                fetch.give_up(&peer);
            }
            if !fetch.gained.is_empty() && now.saturating_sub(fetch.told) >= TELL_GAP {
                self.tell_gained(key);
            }
        }
        self.next_fetches(ledger, now)
    }

    /// Goes on with files after a rest.
    pub(super) fn ask_for_more(&mut self, now: i64) {
        if self.fetches.pace.rests(now).is_none() {
            self.want_more(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use artel_domain::FileDigest;

    use super::*;

    fn key(number: u8) -> Key {
        (MessageId::from_bytes([number; 32]), 0)
    }

    /// Files that wait: these numbers, asked for by hand or not.
    fn waiting(files: impl IntoIterator<Item = (u8, bool)>) -> Fetches {
        let mut fetches = Fetches::new();
        for (number, by_hand) in files {
            let mut digest = FileDigest::new();
            digest.chunk(&[number]).unwrap();
            let (attachment, _) = digest.finish("photo.png", "image/png").unwrap();
            let room = RoomId::from_bytes([1; 32]);
            let rooms = (SpaceId::from_bytes([1; 32]), room, room);
            let mut fetch = Fetch::new(rooms, None, attachment, None);
            fetch.by_hand = by_hand;
            fetch.place = fetches.next_place();
            fetches.files.insert(key(number), fetch);
        }
        fetches
    }

    #[test]
    fn what_somebody_asked_for_goes_before_what_nobody_waits_for() {
        let mut fetches = waiting([(1, false), (2, false), (3, false), (4, true), (5, true)]);
        assert_eq!(fetches.give_turns(0), [4, 5, 1, 2].map(key));
        assert_eq!(fetches.give_turns(0), []);
        // A place is kept for what is asked for meanwhile.
        let mut fetches = waiting((1..10).map(|number| (number, false)));
        assert_eq!(fetches.give_turns(0), [1, 2].map(key));
    }

    #[test]
    fn turns_end_while_others_wait_and_come_again() {
        let mut fetches = waiting((1..=5).map(|number| (number, false)));
        let mut seen = Vec::new();
        for round in 0..5 {
            let now = round * (TURN + 1);
            fetches.end_turns(now);
            seen.extend(
                fetches
                    .give_turns(now)
                    .into_iter()
                    .map(|(id, _)| id.as_bytes()[0]),
            );
        }
        assert_eq!(seen, [1, 2, 3, 4, 5, 1, 2, 3, 4, 5]);
        // What nobody waits for takes no turn away from what somebody asked for.
        let mut fetches = waiting([(1, true), (2, true), (3, true), (4, true), (5, false)]);
        assert_eq!(fetches.give_turns(0).len(), 4);
        fetches.end_turns(10 * TURN);
        assert_eq!(fetches.give_turns(10 * TURN), []);
    }
}
