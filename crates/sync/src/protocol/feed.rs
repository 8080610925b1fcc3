//! Feeds as automerge documents: one map a term, one key a record, the body's hash as its value.
//!
//! A change of a feed is so narrow that every part of it is foreseen: the one operation puts the body's hash under
//! the record's place, the actor is the incarnation, the only dependency is the change before. [`check`] holds a
//! change against that before any document sees it. automerge runs behind `catch_unwind`; a document that panicked
//! is thrown away.

use std::panic::{AssertUnwindSafe, catch_unwind};

use artel_domain::{BodyHash, ChangeHash, Envelope, Incarnation, limits::MAX_CHANGE};
use automerge::{
    ActorId, Automerge, Change, ROOT, ReadDoc, ScalarValue,
    legacy::{Key, ObjectId, OpType},
    transaction::{CommitOptions, Transactable},
};
use thiserror::Error;

/// Why a change or a document is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum FeedError {
    #[error("a change is too large")]
    TooLarge,
    #[error("a change is damaged")]
    Damaged,
    #[error("a change is not the one its envelope names")]
    NotTheOne,
    #[error("a change does more than its record may")]
    Foreign,
    #[error("a document did not take its changes")]
    Refused,
    #[error("automerge failed")]
    Panicked,
}

fn guarded<T>(work: impl FnOnce() -> Result<T, FeedError>) -> Result<T, FeedError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(FeedError::Panicked))
}

/// Key of a record within its term's map. Four digits keep keys in order of place.
fn key(place: u64) -> String {
    format!("{place:04}")
}

/// First bytes of an uncompressed change: automerge's magic number, a checksum of four bytes, the chunk's type.
/// Compressed ones are refused, so that a small change cannot unfold into a large one.
fn is_plain(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x85, 0x6f, 0x4a, 0x83]) && bytes.get(8) == Some(&1)
}

/// Holds a change against its envelope; `previous` is the change before it in the same feed.
pub(crate) fn check(
    envelope: &Envelope,
    bytes: &[u8],
    previous: Option<&ChangeHash>,
) -> Result<Change, FeedError> {
    if bytes.len() > MAX_CHANGE {
        return Err(FeedError::TooLarge);
    }
    if !is_plain(bytes) {
        return Err(FeedError::Damaged);
    }
    guarded(|| {
        let change = Change::from_bytes(bytes.to_vec()).map_err(|_| FeedError::Damaged)?;
        if change.hash().0 != *envelope.change.as_bytes() || change.raw_bytes() != bytes {
            return Err(FeedError::NotTheOne);
        }
        let place = envelope.place();
        let deps_right = match (place, previous) {
            (1, _) => change.deps().is_empty(),
            (_, Some(previous)) => {
                change.deps().len() == 1
                    && change.deps().iter().all(|d| d.0 == *previous.as_bytes())
            }
            (_, None) => false,
        };
        let expected = deps_right
            && change.actor_id().to_bytes() == envelope.incarnation.as_bytes()
            && change.other_actor_ids().is_empty()
            && change.seq() == place
            && change.start_op().get() == place
            && change.timestamp() == 0
            && change.message().is_none()
            && change.extra_bytes().is_empty()
            && change.len() == 1;
        if !expected {
            return Err(FeedError::Foreign);
        }
        let decoded = change.decode();
        let put = decoded.operations.iter().all(|op| {
            op.obj == ObjectId::Root
                && matches!(&op.key, Key::Map(k) if *k == key(place).as_str())
                && !op.insert
                && op.pred.is_empty()
                && matches!(&op.action, OpType::Put(ScalarValue::Bytes(b)) if b.as_slice() == envelope.body.as_ref())
        });
        if put && decoded.operations.len() == 1 {
            Ok(change)
        } else {
            Err(FeedError::Foreign)
        }
    })
}

/// The document of one term of one feed (or of a branch of it).
pub(crate) struct Document {
    doc: Automerge,
}

impl Document {
    /// An empty one.
    pub(crate) fn new(incarnation: &Incarnation) -> Self {
        Self {
            doc: Automerge::new().with_actor(ActorId::from(incarnation.as_bytes().as_slice())),
        }
    }

    /// One rebuilt from changes that were checked when they came, in their order.
    pub(crate) fn rebuild<'a>(
        incarnation: &Incarnation,
        changes: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Self, FeedError> {
        guarded(|| {
            let changes = changes
                .into_iter()
                .map(|bytes| Change::from_bytes(bytes.to_vec()).map_err(|_| FeedError::Damaged))
                .collect::<Result<Vec<_>, _>>()?;
            let mut document = Self::new(incarnation);
            document
                .doc
                .apply_changes(changes)
                .map_err(|_| FeedError::Refused)?;
            Ok(document)
        })
    }

    /// Applies checked changes, all at once, after which `last` must be the only head.
    pub(crate) fn apply(
        &mut self,
        changes: Vec<Change>,
        last: &ChangeHash,
    ) -> Result<(), FeedError> {
        guarded(|| {
            self.doc
                .apply_changes(changes)
                .map_err(|_| FeedError::Refused)?;
            match self.doc.get_heads().as_slice() {
                [head] if head.0 == *last.as_bytes() => Ok(()),
                _ => Err(FeedError::Refused),
            }
        })
    }

    /// Puts the next record: its change's hash and bytes.
    pub(crate) fn append(
        &mut self,
        place: u64,
        body: &BodyHash,
    ) -> Result<(ChangeHash, Vec<u8>), FeedError> {
        guarded(|| {
            let mut transaction = self.doc.transaction();
            transaction
                .put(
                    ROOT,
                    key(place),
                    ScalarValue::Bytes(body.as_bytes().to_vec()),
                )
                .map_err(|_| FeedError::Refused)?;
            transaction.commit_with(CommitOptions::default().with_time(0));
            let change = self.doc.get_last_local_change().ok_or(FeedError::Refused)?;
            Ok((
                ChangeHash::from_bytes(change.hash().0),
                change.raw_bytes().to_vec(),
            ))
        })
    }

    /// How many records it holds.
    pub(crate) fn len(&self) -> usize {
        self.doc.length(ROOT)
    }

    /// Its compact form, for a full term.
    pub(crate) fn compact(&self) -> Result<Vec<u8>, FeedError> {
        guarded(|| Ok(self.doc.save()))
    }

    /// The changes of a compact form, in the order of their places.
    pub(crate) fn unfold(compact: &[u8]) -> Result<Vec<Vec<u8>>, FeedError> {
        guarded(|| {
            let doc = Automerge::load(compact).map_err(|_| FeedError::Damaged)?;
            let mut changes = doc.get_changes(&[]);
            changes.sort_by_key(Change::seq);
            Ok(changes.iter().map(|c| c.raw_bytes().to_vec()).collect())
        })
    }
}

#[cfg(test)]
mod tests {
    use artel_domain::{DeviceId, RoomId, SpaceId};

    use super::*;

    fn envelope(sequence: u64, body: BodyHash, change: ChangeHash) -> Envelope {
        Envelope {
            space: SpaceId::from_bytes([1; 32]),
            room: RoomId::from_bytes([2; 32]),
            device: DeviceId::from_bytes([3; 32]),
            incarnation: Incarnation::from_bytes([4; 16]),
            sequence,
            previous: None,
            parents: Vec::new(),
            lamport: sequence,
            body,
            change,
        }
    }

    fn body(n: u8) -> BodyHash {
        BodyHash::from_bytes([n; 32])
    }

    #[test]
    fn own_changes_pass_and_rebuild() {
        let incarnation = Incarnation::from_bytes([4; 16]);
        let mut doc = Document::new(&incarnation);
        let (first, first_bytes) = doc.append(1, &body(1)).unwrap();
        let (second, second_bytes) = doc.append(2, &body(2)).unwrap();
        assert!(first_bytes.len() < MAX_CHANGE);
        check(&envelope(1, body(1), first), &first_bytes, None).unwrap();
        let change = check(&envelope(2, body(2), second), &second_bytes, Some(&first)).unwrap();
        let mut again = Document::rebuild(&incarnation, [first_bytes.as_slice()]).unwrap();
        again.apply(vec![change], &second).unwrap();
        assert_eq!(again.len(), 2);
        let (third, bytes) = again.append(3, &body(3)).unwrap();
        assert_eq!(doc.append(3, &body(3)).unwrap(), (third, bytes));
        let unfolded = Document::unfold(&doc.compact().unwrap()).unwrap();
        assert_eq!(unfolded.get(..2), Some(&[first_bytes, second_bytes][..]));
    }

    #[test]
    fn what_a_change_may_not_be() {
        let mut doc = Document::new(&Incarnation::from_bytes([4; 16]));
        let (first, bytes) = doc.append(1, &body(1)).unwrap();
        let (second, second_bytes) = doc.append(2, &body(2)).unwrap();
        let case = |envelope: Envelope, bytes: &[u8], previous: Option<&ChangeHash>| {
            check(&envelope, bytes, previous).unwrap_err()
        };
        assert_eq!(
            case(envelope(1, body(9), first), &bytes, None),
            FeedError::Foreign
        );
        assert_eq!(
            case(envelope(2, body(1), first), &bytes, Some(&first)),
            FeedError::Foreign
        );
        assert_eq!(
            case(envelope(1, body(1), second), &bytes, None),
            FeedError::NotTheOne
        );
        assert_eq!(
            case(envelope(2, body(2), second), &second_bytes, Some(&second)),
            FeedError::Foreign
        );
        assert_eq!(
            case(envelope(1, body(1), first), &[0; 600], None),
            FeedError::TooLarge
        );
        assert_eq!(
            case(envelope(1, body(1), first), &[], None),
            FeedError::Damaged
        );
        let mut bent = bytes.clone();
        *bent.last_mut().unwrap() ^= 1;
        assert_eq!(
            case(envelope(1, body(1), first), &bent, None),
            FeedError::Damaged
        );
        let mut other = envelope(1, body(1), first);
        other.incarnation = Incarnation::from_bytes([5; 16]);
        assert_eq!(case(other, &bytes, None), FeedError::Foreign);
    }

    #[test]
    fn a_change_with_two_operations_is_refused() {
        let mut doc = Automerge::new().with_actor(ActorId::from([4; 16].as_slice()));
        let mut transaction = doc.transaction();
        transaction
            .put(ROOT, "0001", ScalarValue::Bytes(vec![1; 32]))
            .unwrap();
        transaction
            .put(ROOT, "0009", ScalarValue::Bytes(vec![1; 32]))
            .unwrap();
        transaction.commit_with(CommitOptions::default().with_time(0));
        let change = doc.get_last_local_change().unwrap();
        let hash = ChangeHash::from_bytes(change.hash().0);
        let refused = check(&envelope(1, body(1), hash), change.raw_bytes(), None);
        assert_eq!(refused.unwrap_err(), FeedError::Foreign);
    }
}
