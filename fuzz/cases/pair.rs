//! Two nodes of which one has joined the other's space, for cases of one who is in.

use artel_domain::{Content, DeviceId, DeviceKey, MemberKey, Role, RoomId, SpaceId};
use artel_sync::protocol::{Entropy, Identity, InviteTerms, MemoryLedger, Node, Output};

pub const NOW: i64 = 1_800_000_000_000;

/// A node and what it holds.
pub struct Host {
    pub node: Node,
    pub ledger: MemoryLedger,
    pub device: DeviceKey,
}

impl Host {
    fn new(seed: u8, name: &str) -> Self {
        let device = DeviceKey::from_bytes(&[seed + 1; 32]);
        let identity = Identity {
            member: MemberKey::from_bytes(&[seed; 32]),
            device: device.clone(),
            name: name.into(),
        };
        let mut ledger = MemoryLedger::new();
        let entropy = Entropy::seeded(u64::from(seed));
        let node = Node::load(identity, entropy, &mut ledger).expect("a node");
        Self {
            node,
            ledger,
            device,
        }
    }

    pub fn hears(&mut self, at: i64, from: DeviceId, frame: &[u8]) {
        let heard = self.node.received(&mut self.ledger, at, from, frame);
        heard.expect("an answer");
    }

    pub fn ticks(&mut self, at: i64) {
        self.node.tick(&mut self.ledger, at).expect("a tick");
    }

    /// Frames that it wants to send.
    pub fn sends(&mut self) -> Vec<Vec<u8>> {
        let outputs = self.node.take_outputs().into_iter();
        outputs
            .filter_map(|output| match output {
                Output::Send { bytes, .. } => Some(bytes),
                _ => None,
            })
            .collect()
    }

    pub fn says(&mut self, at: i64, space: SpaceId, room: RoomId, text: &str) {
        let content = Content::Text {
            text: text.to_owned(),
            reply_to: None,
            attachments: Vec::new(),
        };
        // One who was cut off by now may not.
        let _ = self.node.send(&mut self.ledger, at, space, room, content);
    }
}

/// Ann, Ben who is in her space, and what he has sent her.
pub struct Pair {
    pub ann: Host,
    pub ben: Host,
    pub space: SpaceId,
    pub room: RoomId,
    pub now: i64,
    pub said: Vec<Vec<u8>>,
}

impl Pair {
    pub fn met() -> Self {
        let (mut ann, mut ben) = (Host::new(1, "Ann"), Host::new(7, "Ben"));
        let founded = ann.node.found_space(&mut ann.ledger, NOW, "space");
        let space = founded.expect("a space");
        let terms = InviteTerms {
            role: Role::Student,
            seats: 3,
            expires_at: NOW + 86_400_000,
            approve: false,
        };
        let code = ann.node.create_invite(&mut ann.ledger, NOW, space, terms);
        let code = code.expect("an invite");
        ben.node.join(&mut ben.ledger, NOW, &code).expect("a join");
        let room = ann.node.rooms(&space)[0].room;
        ann.says(NOW, space, room, "mine");
        let (at_ann, at_ben) = (ann.node.device(), ben.node.device());
        let linked = ann.node.connected(&mut ann.ledger, NOW, at_ben);
        linked.expect("a link");
        let linked = ben.node.connected(&mut ben.ledger, NOW, at_ann);
        linked.expect("a link");
        let mut pair = Self {
            ann,
            ben,
            space,
            room,
            now: NOW,
            said: Vec::new(),
        };
        for round in 0..24 {
            if round == 12 {
                pair.ben.says(pair.now, space, room, "theirs");
            }
            pair.turn();
        }
        assert!(pair.ben.node.is_inside(&space), "the joiner is not in");
        pair
    }

    /// A quarter of a second, in which all that was said is heard.
    pub fn turn(&mut self) {
        self.now += 250;
        let (at_ann, at_ben) = (self.ann.node.device(), self.ben.node.device());
        self.ann.ticks(self.now);
        self.ben.ticks(self.now);
        for frame in self.ann.sends() {
            self.ben.hears(self.now, at_ann, &frame);
        }
        for frame in self.ben.sends() {
            self.ann.hears(self.now, at_ben, &frame);
            self.said.push(frame);
        }
    }
}
