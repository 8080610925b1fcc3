//! Frames of one who is in: two nodes meet and one joins the other's space; then the frames of the case come over their
//! link, as made up as they are or as changes of what the joiner really sent. Nothing is shown in another's name.
#![no_main]

mod frames;

use artel_domain::{Content, DeviceId, DeviceKey, MemberKey, Role, RoomId, SpaceId};
use artel_sync::protocol::{Entropy, Event, Identity, InviteTerms, MemoryLedger, Node, Output};
use libfuzzer_sys::fuzz_target;

const NOW: i64 = 1_800_000_000_000;

struct Host {
    node: Node,
    ledger: MemoryLedger,
}

impl Host {
    fn new(seed: u8, name: &str) -> Self {
        let identity = Identity {
            member: MemberKey::from_bytes(&[seed; 32]),
            device: DeviceKey::from_bytes(&[seed + 1; 32]),
            name: name.into(),
        };
        let mut ledger = MemoryLedger::new();
        let entropy = Entropy::seeded(u64::from(seed));
        let node = Node::load(identity, entropy, &mut ledger).expect("a node");
        Self { node, ledger }
    }

    fn hears(&mut self, at: i64, from: DeviceId, frame: &[u8]) {
        let heard = self.node.received(&mut self.ledger, at, from, frame);
        heard.expect("an answer");
    }

    fn ticks(&mut self, at: i64) {
        self.node.tick(&mut self.ledger, at).expect("a tick");
    }

    /// Frames that it wants to send.
    fn sends(&mut self) -> Vec<Vec<u8>> {
        let outputs = self.node.take_outputs().into_iter();
        outputs
            .filter_map(|output| match output {
                Output::Send { bytes, .. } => Some(bytes),
                _ => None,
            })
            .collect()
    }

    fn says(&mut self, at: i64, space: SpaceId, room: RoomId, text: &str) {
        let content = Content::Text {
            text: text.to_owned(),
            reply_to: None,
            attachments: Vec::new(),
        };
        // One who was cut off by now may not.
        let _ = self.node.send(&mut self.ledger, at, space, room, content);
    }
}

fuzz_target!(|bytes: &[u8]| {
    let (mut ann, mut ben) = (Host::new(1, "Ann"), Host::new(7, "Ben"));
    let space = ann.node.found_space(&mut ann.ledger, NOW, "space").expect("a space");
    let terms = InviteTerms {
        role: Role::Student,
        seats: 3,
        expires_at: NOW + 86_400_000,
        approve: false,
    };
    let code = ann.node.create_invite(&mut ann.ledger, NOW, space, terms).expect("an invite");
    ben.node.join(&mut ben.ledger, NOW, &code).expect("a join");
    let room = ann.node.rooms(&space)[0].room;
    ann.says(NOW, space, room, "mine");
    let (at_ann, at_ben) = (ann.node.device(), ben.node.device());
    ann.node.connected(&mut ann.ledger, NOW, at_ben).expect("a link");
    ben.node.connected(&mut ben.ledger, NOW, at_ann).expect("a link");
    let mut said: Vec<Vec<u8>> = Vec::new();
    let mut now = NOW;
    for round in 0..24 {
        now += 250;
        if round == 12 {
            ben.says(now, space, room, "theirs");
        }
        ann.ticks(now);
        ben.ticks(now);
        for frame in ann.sends() {
            ben.hears(now, at_ann, &frame);
        }
        for frame in ben.sends() {
            ann.hears(now, at_ben, &frame);
            said.push(frame);
        }
    }
    assert!(ben.node.is_inside(&space), "the joiner is not in");

    for case in frames::cut(bytes) {
        now += 250;
        match case {
            // What Ben once sent, with some bytes changed: index, then pairs of place and byte.
            [0, index, changes @ ..] if !said.is_empty() => {
                let mut frame = said[usize::from(*index) % said.len()].clone();
                for change in changes.chunks_exact(3) {
                    let place = usize::from(change[0]) * 256 + usize::from(change[1]);
                    let place = place % frame.len().max(1);
                    if let Some(byte) = frame.get_mut(place) {
                        *byte = change[2];
                    }
                }
                ann.hears(now, at_ben, &frame);
            }
            made_up => ann.hears(now, at_ben, made_up),
        }
        ann.ticks(now);
        for output in ann.node.take_outputs() {
            if let Output::Event(Event::Shown(shown)) = output {
                assert_ne!(shown.author, ann.node.member(), "in Ann's name: {shown:?}");
            }
        }
    }
});
