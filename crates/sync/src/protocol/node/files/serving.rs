//! What is given of files to others.

use artel_domain::{FileId, RoomId};

use super::{
    super::{
        super::{
            event::{Lane, Peer},
            frame::{Frame, LIST_PAGE},
            ledger::Ledger,
        },
        Fault, Node,
        direct::readers_of,
        showing::{is_sealed, shown_in},
    },
    Key,
    chunks::Chunks,
};

/// Chunks that are looked up for the price of a token.
const LOOKED_UP: u32 = 512;

impl Node {
    /// A member fetches a file, and asks what is here of it.
    pub(in super::super) fn on_want_holding(
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
        let holds = if let Some(fetch) = self.fetches.files.get(&key) {
            fetch.held()
        } else if ledger.is_file_of(&asked.file, &asked.room)? {
            self.charge(peer, i64::from(asked.chunks / LOOKED_UP));
            let whole = usize::try_from(asked.chunks).unwrap_or(usize::MAX);
            let missing = ledger.missing_chunks(&asked.file, asked.chunks, 0, whole)?;
            Chunks::without(&Chunks::these(missing, asked.chunks), asked.chunks)
        } else {
            Chunks::default()
        };
        let frame = if holds.count() == 0 && !follows {
            Frame::NoChunks { message, index }
        } else {
            Frame::Holding {
                message,
                index,
                bits: holds.into_bits(),
                follows,
            }
        };
        self.send_frame(peer, &frame);
        if follows {
            self.continue_fetch(ledger, now, key)?;
        }
        Ok(())
    }

    /// Serves a list of chunks to a member.
    pub(in super::super) fn on_want_list(
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
    pub(in super::super) fn on_want_chunks(
        &mut self,
        ledger: &mut dyn Ledger,
        peer: &Peer,
        key: Key,
        chunks: &[u32],
    ) -> Result<(), Fault> {
        let (message, index) = key;
        let served = self.served_file(ledger, peer, key)?;
        for chunk in chunks {
            let given = |asked: &&Asked| asked.whole || self.fetches.has_come(&key, *chunk);
            let bytes = match served.as_ref().filter(given) {
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

    /// The file that a peer asks for, if the peer may have it and something of it was received or sent in that room.
    fn served_file(
        &self,
        ledger: &dyn Ledger,
        peer: &Peer,
        key: Key,
    ) -> Result<Option<Asked>, Fault> {
        let Some(mut asked) = self.asked_file(ledger, peer, key)? else {
            return Ok(None);
        };
        asked.whole = ledger.is_file_of(&asked.file, &asked.room)?;
        let some = asked.whole || self.fetches.has_any_come(&key);
        Ok(some.then_some(asked))
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
            whole: false,
        }))
    }
}

/// A file that a peer asks for.
struct Asked {
    /// Room that its record is shown in.
    room: RoomId,
    file: FileId,
    chunks: u32,
    /// All that is here of it was received or sent in that room; otherwise only what came in it since it was asked for.
    whole: bool,
}
