//! Attachments: asked for as (record, attachment), verified chunk by chunk, resumable.

use std::collections::BTreeSet;

use artel_domain::{
    Attachment, FileId, MemberId, MessageId, SpaceId,
    attachment::{chunk_hash, chunk_len},
    limits::{CHUNK, FILE_WINDOW},
};

use super::{
    super::{
        event::{CommandError, Event, Lane, Output, Peer},
        frame::{Frame, LIST_PAGE},
        ledger::{Ledger, LedgerResult},
    },
    Fault, Node,
};

/// How long a peer that was asked may stay silent, in milliseconds.
const PATIENCE: i64 = 15_000;
/// Chunks asked for on one link at a time.
const WINDOW: usize = FILE_WINDOW / CHUNK;
/// Files being fetched, or waiting for a peer that has nothing else to send.
const MAX_FETCHES: usize = 1_000;

/// A file being fetched.
pub(super) struct Fetch {
    space: SpaceId,
    /// Whom it may be asked of; none if that is everyone who reads the room. Others do not even learn that it is asked for.
    readers: Option<Vec<MemberId>>,
    attachment: Attachment,
    /// Hashes of its chunks, as far as they have come.
    list: Vec<u8>,
    /// Whether the list is complete and right.
    listed: bool,
    peer: Option<Peer>,
    refused: BTreeSet<Peer>,
    waiting: BTreeSet<u32>,
    next: u32,
    until: i64,
}

type Key = (MessageId, u8);

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
        let file = attachment.file;
        let list = ledger.chunk_list(&file)?;
        let listed = list.is_some();
        if !self.fetches.contains_key(&(message, index)) {
            if self.fetches.len() >= MAX_FETCHES {
                return Err(CommandError::TooManyFiles);
            }
            let readers = match self.readers_of(ledger, &record) {
                Ok(readers) => readers,
                Err(fault) => return Err(fault.into()),
            };
            let fetch = Fetch {
                space: record.feed.space,
                readers,
                attachment,
                list: list.unwrap_or_default(),
                listed,
                peer: None,
                refused: BTreeSet::new(),
                waiting: BTreeSet::new(),
                next: 0,
                until: 0,
            };
            self.fetches.insert((message, index), fetch);
        }
        if listed && self.progress(ledger, (message, index))? {
            return Ok(());
        }
        self.continue_fetch(ledger, now, (message, index))?;
        Ok(())
    }

    /// Tells how far a file is; whether it is complete, in which case it is not fetched any longer.
    fn progress(&mut self, ledger: &dyn Ledger, key: Key) -> LedgerResult<bool> {
        let Some(fetch) = self.fetches.get(&key) else {
            return Ok(true);
        };
        let Attachment { size, file, .. } = fetch.attachment;
        let count = fetch.attachment.chunks();
        let here = ledger.chunks_here(&file)?;
        let complete = fetch.listed && here >= count;
        let have = if complete {
            size
        } else {
            (u64::from(here) * CHUNK as u64).min(size)
        };
        let (space, (message, index)) = (fetch.space, key);
        self.outputs.push(Output::Event(Event::Attachment {
            space,
            message,
            index,
            file,
            have,
            size,
        }));
        if complete {
            self.fetches.remove(&key);
        }
        Ok(complete)
    }

    /// Asks for what is to be asked next, choosing a peer if there is none.
    fn continue_fetch(&mut self, ledger: &mut dyn Ledger, now: i64, key: Key) -> LedgerResult<()> {
        let Some(fetch) = self.fetches.get(&key) else {
            return Ok(());
        };
        let peer = if let Some(peer) = fetch.peer {
            peer
        } else {
            let idle = |peer: &Peer| !self.fetches.values().any(|other| other.peer == Some(*peer));
            let willing: Vec<Peer> = self
                .members_online(&fetch.space)
                .into_iter()
                .filter(|peer| !fetch.refused.contains(peer) && idle(peer))
                .filter(|peer| {
                    let readers = fetch.readers.as_ref();
                    readers.is_none_or(|readers| self.is_of(peer, &fetch.space, readers))
                })
                .collect();
            let author = ledger.record(&key.0)?.map(|record| record.feed.device);
            let first = willing.first().copied();
            let Some(peer) = willing
                .into_iter()
                .find(|peer| Some(*peer) == author)
                .or(first)
            else {
                return Ok(());
            };
            peer
        };
        let Some(fetch) = self.fetches.get_mut(&key) else {
            return Ok(());
        };
        fetch.peer = Some(peer);
        fetch.until = now.saturating_add(PATIENCE);
        let (message, index) = key;
        let count = fetch.attachment.chunks();
        if !fetch.listed {
            if count == 0 {
                return self.list_came(ledger, now, key);
            }
            let from = u32::try_from(fetch.list.len() / 32).unwrap_or(u32::MAX);
            self.send_frame(
                &peer,
                &Frame::WantList {
                    message,
                    index,
                    from,
                },
            );
            return Ok(());
        }
        let free = WINDOW.saturating_sub(fetch.waiting.len());
        if free == 0 {
            return Ok(());
        }
        let file = fetch.attachment.file;
        let mut chunks = ledger.missing_chunks(&file, count, fetch.next, free)?;
        if chunks.is_empty() && fetch.waiting.is_empty() {
            chunks = ledger.missing_chunks(&file, count, 0, free)?;
        }
        if let Some(last) = chunks.last() {
            fetch.next = last.saturating_add(1);
            fetch.waiting.extend(&chunks);
            self.send_frame(
                &peer,
                &Frame::WantChunks {
                    message,
                    index,
                    chunks,
                },
            );
        }
        Ok(())
    }

    /// The list of chunks is complete: it must be the one that the record names.
    fn list_came(&mut self, ledger: &mut dyn Ledger, now: i64, key: Key) -> LedgerResult<()> {
        let Some(fetch) = self.fetches.get_mut(&key) else {
            return Ok(());
        };
        let Attachment { size, file, .. } = fetch.attachment;
        let hashes: Vec<[u8; 32]> = fetch.list.as_chunks::<32>().0.to_vec();
        if FileId::of(size, &hashes) != file {
            // Its author or its bearer lied; another bearer may have the right one, if there is one.
            fetch.list.clear();
            if let Some(peer) = fetch.peer.take() {
                fetch.refused.insert(peer);
            }
            return self.continue_fetch(ledger, now, key);
        }
        fetch.listed = true;
        ledger.put_chunk_list(&file, size, &fetch.list)?;
        if self.progress(ledger, key)? {
            self.next_fetch(ledger, now)
        } else {
            self.continue_fetch(ledger, now, key)
        }
    }

    /// A link became free: another file may use it.
    fn next_fetch(&mut self, ledger: &mut dyn Ledger, now: i64) -> LedgerResult<()> {
        let busy: BTreeSet<Peer> = self.fetches.values().filter_map(|f| f.peer).collect();
        let mut free = self.sessions.keys().filter(|p| !busy.contains(p)).count();
        let waiting = self.fetches.iter().filter(|(_, f)| f.peer.is_none());
        for key in waiting.map(|(key, _)| *key).collect::<Vec<_>>() {
            if free == 0 {
                break;
            }
            self.continue_fetch(ledger, now, key)?;
            let taken = self.fetches.get(&key).is_some_and(|f| f.peer.is_some());
            free -= usize::from(taken);
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
            .filter(|f| f.peer == Some(*peer) && !f.listed)
        else {
            return Ok(());
        };
        let count = usize::try_from(fetch.attachment.chunks()).unwrap_or(usize::MAX);
        let (have, more) = (fetch.list.len() / 32, hashes.len() / 32);
        if usize::try_from(from).ok() != Some(have) || more == 0 || have + more > count {
            // Late, or of a file that is not what its author said: no reason to think ill of the bearer.
            fetch.give_up_on(*peer);
            return Ok(self.next_fetch(ledger, now)?);
        }
        fetch.list.extend_from_slice(hashes);
        if have + more == count {
            self.list_came(ledger, now, key)?;
        } else {
            self.continue_fetch(ledger, now, key)?;
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
        let Some(fetch) = self.fetches.get_mut(&key).filter(|f| f.peer == Some(*peer)) else {
            return Ok(());
        };
        if !fetch.waiting.remove(&chunk) {
            return Ok(());
        }
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
            fetch.give_up_on(*peer);
            return Ok(self.next_fetch(ledger, now)?);
        }
        ledger.put_chunk(&fetch.attachment.file, chunk, bytes)?;
        if self.progress(ledger, key)? {
            self.next_fetch(ledger, now)?;
        } else {
            self.continue_fetch(ledger, now, key)?;
        }
        Ok(())
    }

    pub(super) fn on_no_chunks(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        peer: &Peer,
        key: Key,
    ) -> Result<(), Fault> {
        if let Some(fetch) = self.fetches.get_mut(&key).filter(|f| f.peer == Some(*peer)) {
            fetch.give_up_on(*peer);
            self.next_fetch(ledger, now)?;
        }
        Ok(())
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
        let list = match self.asked_file(ledger, peer, key)? {
            Some(attachment) => ledger.chunk_list(&attachment.file)?.filter(|list| {
                let whole = usize::try_from(attachment.chunks()).unwrap_or(usize::MAX);
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
        let attachment = self.asked_file(ledger, peer, key)?;
        let mut served = Vec::new();
        for chunk in chunks {
            let bytes = match &attachment {
                Some(attachment) => ledger.chunk(&attachment.file, *chunk)?,
                None => None,
            };
            let Some(bytes) = bytes else {
                self.send_on(peer, Lane::File, &Frame::NoChunks { message, index });
                return Ok(());
            };
            served.push(Frame::Chunk {
                message,
                index,
                chunk: *chunk,
                bytes,
            });
        }
        for frame in served {
            self.send_on(peer, Lane::File, &frame);
        }
        Ok(())
    }

    /// The attachment that a peer asks for, if the peer may have it.
    fn asked_file(
        &self,
        ledger: &dyn Ledger,
        peer: &Peer,
        (message, index): Key,
    ) -> Result<Option<Attachment>, Fault> {
        let Some((record, body)) = self.content(ledger, &message)? else {
            return Ok(None);
        };
        if !self.may_carry(peer, &record.feed.space, &record.feed.room) {
            return Ok(None);
        }
        let readers = self.readers_of(ledger, &record)?;
        if readers.is_some_and(|readers| !self.is_of(peer, &record.feed.space, &readers)) {
            return Ok(None);
        }
        Ok(body.content.attachments().get(usize::from(index)).cloned())
    }

    /// A peer is gone: others are asked for what it owed.
    pub(super) fn forget_fetches_of(
        &mut self,
        ledger: &mut dyn Ledger,
        peer: &Peer,
    ) -> LedgerResult<()> {
        for fetch in self.fetches.values_mut().filter(|f| f.peer == Some(*peer)) {
            fetch.give_up_on(*peer);
        }
        for fetch in self.fetches.values_mut() {
            fetch.refused.remove(peer);
        }
        let now = self.now;
        self.next_fetch(ledger, now)
    }

    pub(super) fn tick_fetches(&mut self, ledger: &mut dyn Ledger, now: i64) -> LedgerResult<()> {
        for fetch in self.fetches.values_mut() {
            if let Some(peer) = fetch.peer.filter(|_| fetch.until <= now) {
                fetch.give_up_on(peer);
                fetch.until = now.saturating_add(PATIENCE);
            } else if fetch.peer.is_none() && fetch.until <= now {
                // Everyone had their chance; someone may have the file by now.
                fetch.refused.clear();
                fetch.until = now.saturating_add(PATIENCE);
            }
        }
        self.next_fetch(ledger, now)
    }
}

impl Fetch {
    /// Whether it is asked of this peer.
    pub(super) fn is_of(&self, peer: &Peer) -> bool {
        self.peer == Some(*peer)
    }

    fn give_up_on(&mut self, peer: Peer) {
        self.peer = None;
        self.refused.insert(peer);
        self.waiting.clear();
        self.next = 0;
        if !self.listed {
            self.list.clear();
        }
    }
}
