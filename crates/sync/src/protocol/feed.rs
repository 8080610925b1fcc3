//! Feeds as automerge documents: one map a term, one key a record, the body's hash as its value.
//!
//! A change of a feed is so narrow that every part of it is foreseen: the one operation puts the body's hash under
//! the record's place, the actor is the incarnation, the only dependency is the change before. So nothing from outside
//! is ever parsed: [`check`] makes the change that the envelope calls for, and compares the bytes. automerge runs
//! behind `catch_unwind`; a document that panicked is thrown away.

use std::{
    num::NonZeroU64,
    panic::{AssertUnwindSafe, catch_unwind},
};

use artel_domain::{BodyHash, ChangeHash, Envelope, Incarnation, limits::MAX_CHANGE};
use automerge::{
    ActorId, Automerge, Change, ExpandedChange, ROOT, ReadDoc, ScalarValue,
    legacy::{ObjectId, Op, OpType},
};
use thiserror::Error;

/// Why a change or a document is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum FeedError {
    #[error("a change is too large")]
    TooLarge,
    #[error("a stored change is damaged")]
    Damaged,
    #[error("a change is not the one its envelope calls for")]
    Foreign,
    #[error("a document did not take its changes")]
    Refused,
    #[error("automerge failed")]
    Panicked,
}

pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, FeedError>) -> Result<T, FeedError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(FeedError::Panicked))
}

/// Key of a record within its term's map. Four digits keep keys in order of place.
fn key(place: u64) -> String {
    format!("{place:04}")
}

/// The one change that puts a body's hash at a place of a term, after the change before it there.
pub(super) fn put(
    incarnation: &Incarnation,
    place: u64,
    previous: Option<&ChangeHash>,
    body: &BodyHash,
) -> Result<Change, FeedError> {
    let start_op = NonZeroU64::new(place).ok_or(FeedError::Refused)?;
    let deps = match (place, previous) {
        (1, _) => Vec::new(),
        (_, Some(previous)) => vec![automerge::ChangeHash(*previous.as_bytes())],
        (_, None) => return Err(FeedError::Foreign),
    };
    guarded(|| {
        Ok(Change::from(ExpandedChange {
            operations: vec![Op {
                action: OpType::Put(ScalarValue::Bytes(body.as_bytes().to_vec())),
                obj: ObjectId::Root,
                key: key(place).as_str().into(),
                pred: Vec::new().into(),
                insert: false,
            }],
            actor_id: ActorId::from(incarnation.as_bytes().as_slice()),
            hash: None,
            seq: place,
            start_op,
            time: 0,
            message: None,
            deps,
            extra_bytes: Vec::new(),
            author: None,
        }))
    })
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
    let change = put(
        &envelope.incarnation,
        envelope.place(),
        previous,
        &envelope.body,
    )?;
    if change.raw_bytes() == bytes && change.hash().0 == *envelope.change.as_bytes() {
        Ok(change)
    } else {
        Err(FeedError::Foreign)
    }
}

/// The document of one term of one feed (or of a branch of it).
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Document {
    incarnation: Incarnation,
    doc: Automerge,
}

impl Document {
    /// An empty one.
    pub(crate) fn new(incarnation: &Incarnation) -> Self {
        Self {
            incarnation: *incarnation,
            doc: Automerge::new(),
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
            let before = match self.doc.get_heads().as_slice() {
                [] => None,
                [head] => Some(ChangeHash::from_bytes(head.0)),
                _ => return Err(FeedError::Refused),
            };
            let change = put(&self.incarnation, place, before.as_ref(), body)?;
            let hash = ChangeHash::from_bytes(change.hash().0);
            let bytes = change.raw_bytes().to_vec();
            self.apply(vec![change], &hash)?;
            Ok((hash, bytes))
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
    use automerge::transaction::{CommitOptions, Transactable};

    use super::{
        super::page::tests::{ENDLESS_SIGNED, with_columns},
        *,
    };

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
        let bent = |at: usize| {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            bytes
        };
        let other_life = Envelope {
            incarnation: Incarnation::from_bytes([5; 16]),
            ..envelope(1, body(1), first)
        };
        for (refused, envelope, bytes, previous) in [
            (
                "another body",
                envelope(1, body(9), first),
                bytes.clone(),
                None,
            ),
            (
                "another place",
                envelope(2, body(1), first),
                bytes.clone(),
                Some(&first),
            ),
            (
                "another hash",
                envelope(1, body(1), second),
                bytes.clone(),
                None,
            ),
            (
                "another dependency",
                envelope(2, body(2), second),
                second_bytes.clone(),
                Some(&second),
            ),
            (
                "no dependency",
                envelope(2, body(2), second),
                second_bytes.clone(),
                None,
            ),
            ("nothing", envelope(1, body(1), first), Vec::new(), None),
            (
                "damaged at the end",
                envelope(1, body(1), first),
                bent(bytes.len() - 1),
                None,
            ),
            (
                "damaged within",
                envelope(1, body(1), first),
                bent(40),
                None,
            ),
            ("another life", other_life, bytes.clone(), None),
        ] {
            assert_eq!(
                case(envelope, &bytes, previous),
                FeedError::Foreign,
                "{refused}"
            );
        }
        assert_eq!(
            case(envelope(1, body(1), first), &[0; 600], None),
            FeedError::TooLarge
        );
    }

    /// A run of equal operations takes a few bytes: to count 2^62 of them would take automerge for ever.
    #[test]
    fn a_change_that_claims_endless_operations_is_refused_at_once() {
        let run = [ENDLESS_SIGNED.as_slice(), &[1]].concat();
        let endless = with_columns(&[(0x42, run)]);
        let refused = check(
            &envelope(1, body(1), ChangeHash::from_bytes([0; 32])),
            &endless,
            None,
        );
        assert_eq!(refused.unwrap_err(), FeedError::Foreign);
    }

    #[test]
    fn automerge_makes_the_same_change() {
        let mut doc = Automerge::new().with_actor(ActorId::from([4; 16].as_slice()));
        let mut transaction = doc.transaction();
        let value = ScalarValue::Bytes(body(1).as_bytes().to_vec());
        transaction.put(ROOT, "0001", value).unwrap();
        transaction.commit_with(CommitOptions::default().with_time(0));
        let made = doc.get_last_local_change().unwrap();
        let ours = put(&Incarnation::from_bytes([4; 16]), 1, None, &body(1)).unwrap();
        assert_eq!(made.raw_bytes(), ours.raw_bytes());
    }
}
