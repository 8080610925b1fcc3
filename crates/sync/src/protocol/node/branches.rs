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
    history::Served,
    ingest::Asked,
};

/// Pieces of one branch that are asked for: a control feed has no more, with bodies of any size.
const MAX_PIECES: usize = 2_000;
/// Time between two searches in a space that nobody answered, and how long an answer is waited for, in milliseconds.
const GAP: i64 = 5_000;
/// After so long a search begins although ranges are still being fetched, in milliseconds.
const OVERDUE: i64 = 30_000;
/// What a search costs at the one who is asked, in tokens.
pub(super) const SEARCH_COST: i64 = 20;
/// Records without their bodies that are remembered to be asked for by name.
const MAX_LACKING: usize = 64;

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
            let waited = now.saturating_sub(space.searched_at).saturating_abs();
            if waited < if fetching { OVERDUE } else { GAP } || self.searches.contains_key(&id) {
                continue;
            }
            space.searched_at = now;
            self.search_next(ledger, now, id, false)?;
        }
        Ok(())
    }

    /// Begins the next search in a space: for what came without its body, then in turns for what control entries wait
    /// for and for all that anything waits for. When all was asked of one member, the next is asked, after a while.
    fn search_next(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        id: SpaceId,
        at_once: bool,
    ) -> LedgerResult<()> {
        let peers = self.members_online(&id);
        let Some(space) = self.spaces.get_mut(&id) else {
            return Ok(());
        };
        let missing = if let Some(lacking) = space.lacking.pop_front() {
            space.searched_of += 1;
            Some(lacking)
        } else {
            space.search_all = !space.search_all;
            let room = (!space.search_all).then(|| id.control_room());
            let cursor = usize::from(space.search_all);
            let after = space.searched.get(cursor).copied().flatten();
            let mut missing = ledger.awaited(&id, room.as_ref(), after.as_ref())?;
            if missing.is_none() && after.is_some() {
                space.searched_of += 1;
                if !at_once {
                    missing = ledger.awaited(&id, room.as_ref(), None)?;
                }
            }
            if let Some(cursor) = space.searched.get_mut(cursor) {
                *cursor = missing;
            }
            missing
        };
        let turn = space.searched_of.checked_rem(peers.len()).unwrap_or(0);
        if let (Some(missing), Some(peer)) = (missing, peers.get(turn)) {
            self.search(now, *peer, id, vec![missing]);
        }
        Ok(())
    }

    fn search(&mut self, now: i64, peer: Peer, id: SpaceId, pieces: Vec<MessageId>) {
        let Some(record) = pieces.last().copied() else {
            return;
        };
        let Some(session) = self.sessions.get_mut(&peer) else {
            return;
        };
        if !session.asks(now, SEARCH_COST) {
            return;
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

    /// A control entry came without its body, as where many lie in one place: by name it comes with it.
    pub(super) fn lacks_body(&mut self, space: &SpaceId, record: MessageId) {
        if let Some(space) = self.spaces.get_mut(space)
            && space.lacking.len() < MAX_LACKING
            && !space.lacking.contains(&record)
        {
            space.lacking.push_back(record);
        }
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
        let Some(receiver) = self.receiver(peer, &space) else {
            return Ok(());
        };
        let (mut records, mut withheld) = (Vec::new(), Vec::new());
        let mut size = 0;
        let mut sealed = None;
        let mut next = Some(record);
        while let Some(id) = next.filter(|_| records.len() < MAX_RECORDS) {
            let Some(found) = ledger.record(&id)?.filter(|found| carried(self, found)) else {
                break;
            };
            next = previous(&found.envelope);
            let served = receiver.served(ledger, &found)?;
            let is_withheld = matches!(served, Served::Withheld);
            let piece = carry(ledger, found, &mut sealed, served.given())?;
            if piece.change.is_empty() {
                break;
            }
            size += piece.envelope.len() + piece.change.len();
            size += piece.body.as_ref().map_or(0, Vec::len);
            if size > RECORDS_BYTES && !records.is_empty() {
                break;
            }
            withheld.extend(is_withheld.then_some(id));
            records.push(piece);
        }
        records.reverse();
        let frame = Frame::Branch {
            space,
            record,
            records,
        };
        self.send_frame(peer, &frame);
        self.tell_withheld(peer, space, withheld);
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
            return Ok(self.search_next(ledger, now, id, true)?);
        };
        let first = Signed::<Envelope>::open(&first.envelope)
            .map_err(|_| Fault::Broke("a record is not signed by whom it names"))?;
        let feed = FeedKey::of(first.value());
        if feed.space != id || !is_chain(&records, record) {
            return Err(Fault::Broke("a branch that was not asked for"));
        }
        if !self.may_carry(peer, &id, &feed.room) {
            // It may, or could when it was asked.
            return Ok(());
        }
        match first.value().previous {
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
        if ledger.record(&record)?.is_none() {
            return Ok(());
        }
        pieces.pop();
        if pieces.is_empty() {
            self.search_next(ledger, now, id, true)?;
        } else {
            self.search(now, *peer, id, pieces);
        }
        Ok(())
    }

    /// Whether this record and those before it were asked of a peer.
    pub(super) fn is_searching(&self, peer: &Peer, id: &SpaceId, record: &MessageId) -> bool {
        let search = self.searches.get(id);
        search.is_some_and(|search| search.peer == *peer && search.pieces.last() == Some(record))
    }
}

/// Whether each of these records follows from the one before it, and the last is this one.
fn is_chain(records: &[Carried], last: MessageId) -> bool {
    let mut before = None;
    for record in records {
        let Ok(envelope) = Signed::<Envelope>::reopen(&record.envelope) else {
            return false;
        };
        if before.is_some() && envelope.value().previous != before {
            return false;
        }
        before = Some(envelope.id());
    }
    before == Some(last)
}

fn previous(envelope: &[u8]) -> Option<MessageId> {
    Signed::<Envelope>::reopen(envelope).ok()?.value().previous
}
