//! The signed envelope around every automerge change.

use serde::{Deserialize, Serialize};

use crate::{
    id::{BodyHash, ChangeHash, DeviceId, Incarnation, MessageId, RoomId, SpaceId},
    limits::{MAX_ENVELOPE, MAX_PARENTS, MAX_POSITION, TERM_RECORDS},
    signed::{RecordError, Signable, Signed},
};

/// The place of a record in its author's feed, in the room's order, and what it carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Space.
    pub space: SpaceId,
    /// Room; [`SpaceId::control_room`] for control entries.
    pub room: RoomId,
    /// Device that wrote and signed it.
    pub device: DeviceId,
    /// Life of the device's feeds that it belongs to.
    pub incarnation: Incarnation,
    /// Place in the feed, from 1.
    pub sequence: u64,
    /// The envelope before it in the feed; none for the first.
    pub previous: Option<MessageId>,
    /// Records of other feeds of the room that the author had seen, in ascending order.
    pub parents: Vec<MessageId>,
    /// One more than the largest among the parents and the previous record.
    pub lamport: u64,
    /// Hash of the body, which lies beside.
    pub body: BodyHash,
    /// Hash of the automerge change carried with it.
    pub change: ChangeHash,
}

impl Envelope {
    /// Number of the automerge document that the change belongs to, from 0.
    pub fn term(&self) -> u64 {
        self.sequence.saturating_sub(1) / TERM_RECORDS
    }

    /// Place in that document, from 1; also the change's automerge sequence number.
    pub fn place(&self) -> u64 {
        self.sequence.saturating_sub(1) % TERM_RECORDS + 1
    }
}

impl Signable for Envelope {
    const WHAT: &'static str = "a record's envelope";
    const TAG: &'static str = "artel 2026-11 envelope";
    const VERSION: u8 = 1;
    const LIMIT: usize = MAX_ENVELOPE;

    fn signer(&self) -> &[u8; 32] {
        self.device.as_bytes()
    }

    fn check(&self) -> Result<(), RecordError> {
        let rule = if self.sequence == 0 {
            "sequence numbers begin at 1"
        } else if self.sequence.max(self.lamport) > MAX_POSITION {
            "places and positions are below 2^62"
        } else if (self.sequence == 1) != self.previous.is_none() {
            "the first record of a feed, and only it, has no previous one"
        } else if self.parents.len() > MAX_PARENTS {
            "a record names at most 8 parents"
        } else if !self.parents.is_sorted_by(|a, b| a < b) {
            "parents are in ascending order, each once"
        } else if self.previous.is_some_and(|p| self.parents.contains(&p)) {
            "the previous record is not named again as a parent"
        } else if self.lamport == 0 {
            "positions begin at 1"
        } else {
            return Ok(());
        };
        Err(RecordError::Rule {
            what: Self::WHAT,
            rule,
        })
    }
}

impl Signed<Envelope> {
    /// Id of the record.
    pub fn id(&self) -> MessageId {
        MessageId::from_bytes(*self.hash())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::DeviceKey;

    /// The same value signed by software that checks nothing.
    #[derive(Serialize, Deserialize)]
    struct Unchecked(Envelope);

    impl Signable for Unchecked {
        const WHAT: &'static str = Envelope::WHAT;
        const TAG: &'static str = Envelope::TAG;
        const VERSION: u8 = Envelope::VERSION;
        const LIMIT: usize = Envelope::LIMIT;

        fn signer(&self) -> &[u8; 32] {
            self.0.signer()
        }

        fn check(&self) -> Result<(), RecordError> {
            Ok(())
        }
    }

    fn id(n: u8) -> MessageId {
        MessageId::from_bytes([n; 32])
    }

    #[test]
    fn an_envelope_keeps_its_rules() {
        let key = DeviceKey::from_bytes(&[1; 32]);
        let check = |bend: &dyn Fn(&mut Envelope), rule: Option<&str>| {
            let mut envelope = Envelope {
                space: SpaceId::from_bytes([1; 32]),
                room: RoomId::from_bytes([2; 32]),
                device: key.id(),
                incarnation: Incarnation::from_bytes([4; 16]),
                sequence: 2,
                previous: Some(id(9)),
                parents: (10..18).map(id).collect(),
                lamport: 3,
                body: BodyHash::from_bytes([5; 32]),
                change: ChangeHash::from_bytes([6; 32]),
            };
            bend(&mut envelope);
            let sealed = Signed::seal(envelope.clone(), &key).map(drop);
            let wire = Signed::seal(Unchecked(envelope), &key).unwrap();
            let opened = Signed::<Envelope>::open(wire.wire()).map(drop);
            assert_eq!(sealed, opened);
            let expected = rule.map(|rule| format!("a record's envelope breaks a rule: {rule}"));
            assert_eq!(opened.err().map(|e| e.to_string()), expected);
        };
        check(&|_| {}, None);
        check(&|e| e.parents.clear(), None);
        check(&|e| e.sequence = MAX_POSITION, None);
        check(&|e| e.lamport = MAX_POSITION, None);
        let places = Some("places and positions are below 2^62");
        check(&|e| e.sequence = MAX_POSITION + 1, places);
        check(&|e| e.lamport = MAX_POSITION + 1, places);
        check(&|e| e.sequence = 0, Some("sequence numbers begin at 1"));
        check(&|e| e.lamport = 0, Some("positions begin at 1"));
        let first = Some("the first record of a feed, and only it, has no previous one");
        check(&|e| e.sequence = 1, first);
        check(&|e| e.previous = None, first);
        check(
            &|e| e.parents.push(id(30)),
            Some("a record names at most 8 parents"),
        );
        let order = Some("parents are in ascending order, each once");
        check(&|e| e.parents.reverse(), order);
        check(&|e| e.parents = vec![id(3), id(3)], order);
        let twice = Some("the previous record is not named again as a parent");
        check(&|e| e.parents = vec![id(9)], twice);
    }
}
