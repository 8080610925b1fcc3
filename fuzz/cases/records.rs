//! Envelopes of one who is in, each signed as it should be: places, positions, parents and hashes are what the case
//! says. Ann keeps her own words, shows nothing of Ben's at a false position, and is told the same by a restart.

use artel_domain::{
    DeviceId, Envelope, Incarnation, MessageId, RoomId, Signed, SpaceId, signed::decode_exact,
};
use artel_sync::protocol::{Entropy, Event, Identity, Node, Output};
use serde::{Deserialize, Serialize};

use super::{frames::cut, pair::Pair};

/// Version and number of a frame with records.
const RECORDS: [u8; 2] = [1, 8];

#[derive(Serialize, Deserialize)]
struct Carried {
    envelope: Vec<u8>,
    change: Vec<u8>,
    body: Option<Vec<u8>>,
}

#[derive(Serialize, Deserialize)]
struct Records {
    space: SpaceId,
    room: RoomId,
    device: DeviceId,
    incarnation: Incarnation,
    carried: Vec<Carried>,
    more: bool,
}

fn bend(envelope: &mut Envelope, known: &[MessageId], changes: &[u8]) {
    let some = |byte: u8| {
        let at = usize::from(byte);
        let made_up = MessageId::from_bytes([byte; 32]);
        known.get(at).copied().unwrap_or(made_up)
    };
    let number = |byte: u8| match byte {
        0..=99 => u64::from(byte),
        100..=163 => 1 << (byte - 100),
        _ => u64::MAX - u64::from(byte),
    };
    for change in changes.chunks_exact(2) {
        match change[0] % 6 {
            0 => envelope.sequence = number(change[1]),
            1 => envelope.lamport = number(change[1]),
            2 => envelope.previous = Some(some(change[1])),
            3 => envelope.previous = None,
            4 => envelope.parents.push(some(change[1])),
            _ => envelope.incarnation = Incarnation::from_bytes([change[1]; 16]),
        }
    }
    envelope.parents.sort_unstable();
    envelope.parents.dedup();
}

/// One case.
pub fn case(bytes: &[u8]) {
    let mut pair = Pair::met();
    let (space, room) = (pair.space, pair.room);
    let at_ben = pair.ben.node.device();
    let mut known = Vec::new();
    let mut shown = 1;
    for (number, changes) in cut(bytes).enumerate() {
        let (ben, now) = (&mut pair.ben, pair.now);
        ben.says(now, space, room, &format!("said {number}"));
        let frames = ben.sends();
        let own = frames
            .iter()
            .filter_map(|frame| decode_exact::<Records>(frame.strip_prefix(&RECORDS)?))
            .find(|records| records.room == room);
        let Some(mut records) = own else { continue };
        for carried in &mut records.carried {
            let honest = Signed::<Envelope>::open(&carried.envelope).expect("an own one");
            known.push(honest.id());
            let mut envelope = honest.value().clone();
            bend(&mut envelope, &known, changes);
            records.incarnation = envelope.incarnation;
            if let Ok(sealed) = Signed::seal(envelope, &ben.device) {
                known.push(sealed.id());
                carried.envelope = sealed.wire().to_vec();
            }
        }
        let frame = postcard::to_extend(&records, RECORDS.to_vec()).expect("a frame");
        pair.ann.hears(now, at_ben, &frame);
        pair.now += 250;
        pair.ann.ticks(pair.now);
        for output in pair.ann.node.take_outputs() {
            match output {
                Output::Event(Event::Shown(record)) => {
                    assert_ne!(record.author, pair.ann.node.member(), "in Ann's name");
                    shown += 1;
                }
                Output::Event(Event::Withdrawn { .. }) => shown -= 1,
                _ => {}
            }
        }
        assert!(shown >= 1, "more was withdrawn than was shown");
    }
    // What is kept can be read again.
    let identity = Identity {
        member: artel_domain::MemberKey::from_bytes(&[1; 32]),
        device: pair.ann.device.clone(),
        name: "Ann".into(),
    };
    let again = Node::load(identity, Entropy::seeded(9), &mut pair.ann.ledger);
    let again = again.expect("the node of before");
    assert_eq!(
        again.members(&space).len(),
        pair.ann.node.members(&space).len()
    );
}
