//! The automerge documents in use, loaded when needed and forgotten when too many.

use std::collections::{BTreeMap, VecDeque};

use artel_domain::{Envelope, MessageId, Signed, limits::TERM_RECORDS};

use super::{
    super::{
        feed::Document,
        ledger::{FeedKey, Ledger, LedgerResult, StoredRecord},
    },
    Fault,
    space::MAX_BRANCHES,
};

/// Documents kept in memory.
const KEPT: usize = 64;

/// Documents by the last record that they hold.
#[derive(Default)]
pub(super) struct Documents {
    kept: VecDeque<(MessageId, Document)>,
}

impl Documents {
    /// Takes the document whose last record is `last`, or an empty one where a term begins.
    pub(super) fn take(
        &mut self,
        ledger: &dyn Ledger,
        feed: &FeedKey,
        last: Option<&StoredRecord>,
    ) -> Result<Document, Fault> {
        let Some(last) = last.filter(|last| !last.sequence.is_multiple_of(TERM_RECORDS)) else {
            return Ok(Document::new(&feed.incarnation));
        };
        if let Some(at) = self.kept.iter().position(|(id, _)| *id == last.id)
            && let Some((_, document)) = self.kept.remove(at)
        {
            return Ok(document);
        }
        let changes = changes_to(ledger, feed, last)?;
        Document::rebuild(&feed.incarnation, changes.iter().map(Vec::as_slice))
            .map_err(|_| Fault::Broke("a feed does not load"))
    }

    /// Keeps a document whose last record is `last`.
    pub(super) fn keep(&mut self, last: MessageId, document: Document) {
        self.kept.push_back((last, document));
        if self.kept.len() > KEPT {
            self.kept.pop_front();
        }
    }
}

/// Changes of the term of `last` up to it, along its own branch.
fn changes_to(
    ledger: &dyn Ledger,
    feed: &FeedKey,
    last: &StoredRecord,
) -> LedgerResult<Vec<Vec<u8>>> {
    let first = (last.sequence - 1) / TERM_RECORDS * TERM_RECORDS + 1;
    let limit = usize::try_from(TERM_RECORDS).unwrap_or(usize::MAX);
    let records = ledger.feed_records(feed, first, limit)?;
    let mut by_id: BTreeMap<MessageId, StoredRecord> =
        records.into_iter().map(|r| (r.id, r)).collect();
    let mut path = Vec::new();
    let mut next = Some(last.id);
    while let Some(id) = next.take() {
        // In a feed with branches it may not be among the first.
        let Some(record) = by_id
            .remove(&id)
            .map_or_else(|| ledger.record(&id), |r| Ok(Some(r)))?
        else {
            break;
        };
        if record.sequence > first {
            let envelope = Signed::<Envelope>::reopen(&record.envelope).ok();
            next = envelope.and_then(|envelope| envelope.value().previous);
        }
        path.push(record);
    }
    path.reverse();
    let mut changes = Vec::with_capacity(path.len());
    let mut sealed = None;
    for (place, record) in path.into_iter().enumerate() {
        if record.change.is_empty() {
            if sealed.is_none() {
                sealed = Some(unsealed(ledger, feed, record.sequence)?);
            }
            changes.push(
                sealed
                    .iter()
                    .flatten()
                    .nth(place)
                    .cloned()
                    .unwrap_or_default(),
            );
        } else {
            changes.push(record.change);
        }
    }
    Ok(changes)
}

/// Changes of a sealed term, in order of place; none if it is not sealed.
pub(super) fn unsealed(
    ledger: &dyn Ledger,
    feed: &FeedKey,
    sequence: u64,
) -> LedgerResult<Vec<Vec<u8>>> {
    let end = (sequence.saturating_sub(1) / TERM_RECORDS + 1) * TERM_RECORDS;
    // The one of its branches that was sealed may be any of those that end the term.
    let mut limit = MAX_BRANCHES;
    loop {
        let records = ledger.feed_records(feed, end, limit)?;
        let more = records.len() == limit && records.last().is_some_and(|r| r.sequence == end);
        for record in records.iter().filter(|record| record.sequence == end) {
            if let Some(compact) = ledger.sealed_term(&record.id)? {
                return Ok(Document::unfold(&compact).unwrap_or_default());
            }
        }
        if !more {
            return Ok(Vec::new());
        }
        limit = limit.saturating_mul(2);
    }
}
