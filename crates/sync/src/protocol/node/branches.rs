//! Records that others build on and that no range brings: those of a feed with too many branches, or of a device whose
//! coming in does not count. What the others wrote is judged by them, so they are asked for by name, back from there to
//! what is here.

use artel_domain::{Envelope, MessageId, Signed, SpaceId};

use super::{
    super::{
        event::Peer,
        frame::{Carried, Frame, MAX_RECORDS, RECORDS_BYTES},
        ledger::{FeedKey, Ledger, LedgerResult, StoredRecord},
    },
    Fault, Node,
    exchange::carry,
    ingest::Asked,
};

/// Pieces of one branch that are asked for; a control feed has no more.
const MAX_PIECES: usize = 64;
/// Time between two searches in a space, and how long an answer is waited for, in milliseconds.
const GAP: i64 = 5_000;

/// A branch that is being asked for.
pub(super) struct Search {
    pub(super) peer: Peer,
    /// The last records of its pieces, the earliest piece at the end.
    pieces: Vec<MessageId>,
    until: i64,
}

impl Node {
    /// Asks a member for the next record that something waits for, unless ranges may still bring it.
    pub(super) fn search_branches(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
    ) -> LedgerResult<()> {
        self.searches.retain(|_, search| search.until > now);
        for id in self.spaces.keys().copied().collect::<Vec<_>>() {
            let fetching = self.wants.keys().any(|feed| feed.space == id);
            let Some(space) = self.spaces.get_mut(&id) else {
                continue;
            };
            let early = now.saturating_sub(space.searched_at).unsigned_abs() < GAP.unsigned_abs();
            if fetching || early || self.searches.contains_key(&id) {
                continue;
            }
            space.searched_at = now;
            let after = space.searched.take();
            let missing = ledger.awaited(&id, after.as_ref())?;
            let peers = self.members_online(&id);
            let turn = usize::try_from(now / GAP).unwrap_or(0);
            let peer = peers.get(turn.checked_rem(peers.len()).unwrap_or(0));
            if let (Some(missing), Some(peer)) = (missing, peer) {
                self.search(now, *peer, id, vec![missing]);
            }
        }
        Ok(())
    }

    fn search(&mut self, now: i64, peer: Peer, id: SpaceId, pieces: Vec<MessageId>) {
        let (Some(end), Some(record)) = (pieces.first(), pieces.last().copied()) else {
            return;
        };
        if let Some(space) = self.spaces.get_mut(&id) {
            space.searched = Some(*end);
        }
        let until = now.saturating_add(GAP);
        self.searches.insert(
            id,
            Search {
                peer,
                pieces,
                until,
            },
        );
        self.send_frame(&peer, &Frame::WantBranch { space: id, record });
    }

    /// Answers with a record and those before it, as many as go into a frame.
    pub(super) fn on_want_branch(
        &mut self,
        ledger: &mut dyn Ledger,
        peer: &Peer,
        space: SpaceId,
        record: MessageId,
    ) -> Result<(), Fault> {
        let carried = |node: &Self, found: &StoredRecord| {
            found.feed.space == space && node.may_carry(peer, &space, &found.feed.room)
        };
        let mut records = Vec::new();
        let mut size = 0;
        let mut sealed = None;
        let mut next = Some(record);
        while let Some(id) = next.filter(|_| records.len() < MAX_RECORDS) {
            let Some(found) = ledger.record(&id)?.filter(|found| carried(self, found)) else {
                break;
            };
            next = previous(&found.envelope);
            let piece = carry(ledger, found, &mut sealed)?;
            if piece.change.is_empty() {
                break;
            }
            size += piece.envelope.len() + piece.change.len();
            size += piece.body.as_ref().map_or(0, Vec::len);
            if size > RECORDS_BYTES && !records.is_empty() {
                break;
            }
            records.push(piece);
        }
        records.reverse();
        let frame = Frame::Branch {
            space,
            record,
            records,
        };
        self.send_frame(peer, &frame);
        Ok(())
    }

    pub(super) fn on_branch(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        peer: &Peer,
        id: SpaceId,
        record: MessageId,
        records: Vec<Carried>,
    ) -> Result<(), Fault> {
        if !self.is_searching(peer, &id, &record) {
            return Ok(());
        }
        let Some(Search { mut pieces, .. }) = self.searches.remove(&id) else {
            return Ok(());
        };
        let Some(first) = records.first() else {
            return Ok(());
        };
        let first = Signed::<Envelope>::open(&first.envelope)
            .map_err(|_| Fault::Broke("a record is not signed by whom it names"))?;
        let value = first.value();
        let feed = FeedKey::of(value);
        if feed.space != id || !self.may_carry(peer, &id, &feed.room) {
            return Err(Fault::Broke("a branch of another space"));
        }
        match value.previous {
            Some(before) if ledger.record(&before)?.is_none() => {
                if pieces.len() < MAX_PIECES {
                    pieces.push(before);
                    self.search(now, *peer, id, pieces);
                }
                return Ok(());
            }
            _ => {}
        }
        self.ingest(ledger, &feed, records, Asked::ByName)?;
        self.refold(ledger, now)?;
        pieces.pop();
        self.search(now, *peer, id, pieces);
        Ok(())
    }

    /// Whether this record and those before it were asked of a peer.
    pub(super) fn is_searching(&self, peer: &Peer, id: &SpaceId, record: &MessageId) -> bool {
        let search = self.searches.get(id);
        search.is_some_and(|search| search.peer == *peer && search.pieces.last() == Some(record))
    }
}

fn previous(envelope: &[u8]) -> Option<MessageId> {
    Signed::<Envelope>::reopen(envelope).ok()?.value().previous
}
