//! Attacks by members who run other software, one at a time. Each is made with real signatures and real frames.

use artel_domain::{
    Body, Content, Control, Envelope, MessageId, RoomId, Signed, SpaceId, SpaceSecret,
};

use super::{
    super::{
        Event, FeedKey, Ledger as _, Reason, StoredBody,
        feed::Document,
        frame::{Carried, Frame},
    },
    hosts::World,
};

fn text(words: &str) -> Content {
    Content::Text {
        text: words.into(),
        reply_to: None,
        attachments: Vec::new(),
    }
}

/// What a hostile member says next in its own feed, after what it has said already.
pub(super) struct Forger {
    host: usize,
    space: SpaceId,
    room: RoomId,
    document: Document,
    previous: Option<(u64, MessageId, u64)>,
}

impl Forger {
    pub(super) fn new(host: usize, space: SpaceId, room: RoomId) -> Self {
        Self {
            host,
            space,
            room,
            document: Document::new(&Self::incarnation()),
            previous: None,
        }
    }

    pub(super) fn incarnation() -> artel_domain::Incarnation {
        artel_domain::Incarnation::from_bytes([0xbb; 16])
    }

    /// A signed record with this body hash, whatever lies beside it.
    fn record(
        &mut self,
        world: &World,
        hash: artel_domain::BodyHash,
        mut parents: Vec<MessageId>,
        body: Option<Vec<u8>>,
    ) -> (MessageId, Carried) {
        let identity = &world.hosts[self.host].identity;
        let ledger = &world.hosts[self.host].ledger;
        parents.sort_unstable();
        let top = parents
            .iter()
            .map(|id| ledger.record(id).unwrap().unwrap().lamport)
            .chain(self.previous.map(|(_, _, lamport)| lamport))
            .max()
            .unwrap_or(0);
        let sequence = self.previous.map_or(1, |(sequence, ..)| sequence + 1);
        let (change, bytes) = self.document.append(sequence, &hash).unwrap();
        let envelope = Envelope {
            space: self.space,
            room: self.room,
            device: identity.device.id(),
            incarnation: Self::incarnation(),
            sequence,
            previous: self.previous.map(|(_, id, _)| id),
            parents,
            lamport: top + 1,
            body: hash,
            change,
        };
        let envelope = Signed::seal(envelope, &identity.device).unwrap();
        self.previous = Some((sequence, envelope.id(), top + 1));
        let carried = Carried {
            envelope: envelope.wire().to_vec(),
            change: bytes,
            body,
        };
        (envelope.id(), carried)
    }

    pub(super) fn say(
        &mut self,
        world: &World,
        content: Content,
        parents: Vec<MessageId>,
    ) -> (MessageId, Carried) {
        let body = Body {
            salt: [7; 16],
            at: world.now,
            content,
        }
        .encode()
        .unwrap();
        self.record(world, Body::hash_of(&body), parents, Some(body))
    }

    pub(super) fn frame(&self, world: &World, records: Vec<Carried>) -> Vec<u8> {
        Frame::Records {
            space: self.space,
            room: self.room,
            device: world.hosts[self.host].identity.device.id(),
            incarnation: Self::incarnation(),
            records,
            more: false,
        }
        .encode()
    }
}

pub(super) fn give(world: &mut World, from: usize, to: usize, frame: &[u8]) {
    let peer = world.hosts[from].node.device();
    world
        .with(to, |node, ledger, now| {
            node.received(ledger, now, peer, frame)
        })
        .unwrap();
}

/// A record may name the hash of another's body. Deleting that record erases nothing of the other's.
#[test]
fn a_borrowed_body_hash_gives_no_hold_on_the_body() {
    let mut world = World::new(60, 3);
    let (space, room) = world.found();
    let victim = world.say(0, space, room, "what I said");
    world.run(2_000);
    let control = {
        let ledger = &world.hosts[1].ledger;
        let entries = ledger
            .room_records(&space, &space.control_room(), None, 10)
            .unwrap();
        entries[0].clone()
    };
    let hash = world.hosts[1].ledger.record(&victim).unwrap().unwrap().body;
    let mut forger = Forger::new(2, space, room);
    let (one, first) = forger.record(&world, hash, vec![victim], None);
    let (two, second) = forger.record(&world, control.body, vec![], None);
    let mut records = vec![first, second];
    for target in [one, two] {
        let delete = Content::Delete {
            target,
            edits: Vec::new(),
        };
        // The one before is named as the previous record; the other as a parent is not needed for the erasure.
        let (_, carried) = forger.say(&world, delete, vec![]);
        records.push(carried);
    }
    let frame = forger.frame(&world, records);
    give(&mut world, 2, 1, &frame);
    world.run(10_000);
    assert_eq!(world.texts(1, room).first().unwrap(), "what I said");
    let ledger = &world.hosts[1].ledger;
    for record in [victim, control.id] {
        assert!(matches!(
            ledger.body(&record).unwrap(),
            Some(StoredBody::Here(_))
        ));
    }
}

/// Numbers that no database holds, and a record twice in one frame, harm the sender alone.
#[test]
fn a_poisoned_frame_costs_its_sender_the_link() {
    let mut world = World::new(61, 2);
    let (space, room) = world.found();
    world.say(0, space, room, "one");
    world.run(2_000);
    let device = world.hosts[0].node.device();
    let feed = world.hosts[0]
        .ledger
        .heads(&space)
        .unwrap()
        .into_iter()
        .find(|head| head.feed.room == room)
        .unwrap()
        .feed;
    let FeedKey { incarnation, .. } = feed;
    let before = world.sent;
    let want = Frame::Want {
        space,
        room,
        device,
        incarnation,
        from: u64::MAX,
    };
    give(&mut world, 1, 0, &want.encode());
    assert_eq!(world.sent, before, "not answered");
    let mut forger = Forger::new(1, space, room);
    let (_, carried) = forger.say(&world, text("twice"), vec![]);
    let frame = forger.frame(&world, vec![carried.clone(), carried]);
    give(&mut world, 1, 0, &frame);
    assert_eq!(
        world.hosts[0].dropped,
        [(1, Reason::Broke("a record twice"))]
    );
    assert_eq!(world.texts(0, room), ["one"]);
}

/// One who was removed signs another history of its feed, below the place where the removal cut it.
#[test]
fn a_removed_member_cannot_write_a_second_past() {
    let mut world = World::new(62, 3);
    let (space, room) = world.found();
    let mut forger = Forger::new(2, space, room);
    let mut records = Vec::new();
    for n in 0..4 {
        records.push(forger.say(&world, text(&format!("said {n}")), vec![]).1);
    }
    let frame = forger.frame(&world, records);
    give(&mut world, 2, 0, &frame);
    world.run(2_000);
    let before = world.texts(0, room);
    assert_eq!(before.len(), 4);
    let member = world.hosts[2].node.member();
    world
        .with(0, |node, ledger, now| {
            node.remove(ledger, now, space, member, false)
        })
        .unwrap();
    world.run(5_000);
    // An accomplice carries it to another, who cannot tell by the sender.
    let mut again = Forger::new(2, space, room);
    let mut records = Vec::new();
    for n in 0..3 {
        records.push(
            again
                .say(&world, text(&format!("never said {n}")), vec![])
                .1,
        );
    }
    let frame = again.frame(&world, records);
    give(&mut world, 1, 0, &frame);
    world.run(2_000);
    assert_eq!(world.texts(0, room), before);
    let forked = |event: &Event| matches!(event, Event::Forked(_));
    assert!(
        world.events(0).iter().any(forked),
        "it is seen, and flagged"
    );
}

/// Only what has the hash that the entry names is a secret; anything else costs the link.
#[test]
fn a_false_secret_is_refused() {
    let mut world = World::new(63, 3);
    let (space, _) = world.found();
    let control = space.control_room();
    let founding = world.hosts[0]
        .ledger
        .room_records(&space, &control, None, 1)
        .unwrap()[0]
        .id;
    // The owner begins an epoch whose secret nobody has been told yet.
    let secret = SpaceSecret::from_bytes([5; 32]);
    let mut owner = Forger::new(0, space, control);
    let rotate = Content::Control(Control::Rotate {
        epoch: secret.hash(),
    });
    let (epoch, carried) = owner.say(&world, rotate, vec![founding]);
    let frame = owner.frame(&world, vec![carried]);
    give(&mut world, 0, 2, &frame);
    let offer = |secret: SpaceSecret| {
        Frame::Secrets {
            space,
            epochs: vec![(epoch, secret)],
        }
        .encode()
    };
    give(&mut world, 0, 2, &offer(secret));
    let known = world.hosts[2].ledger.secrets(&space).unwrap();
    assert!(known.iter().any(|(entry, _)| *entry == epoch));

    give(&mut world, 0, 1, &frame);
    give(&mut world, 2, 1, &offer(SpaceSecret::from_bytes([6; 32])));
    assert_eq!(
        world.hosts[1].dropped,
        [(2, Reason::Broke("a secret is not its epoch's"))]
    );
    let known = world.hosts[1].ledger.secrets(&space).unwrap();
    assert!(known.iter().all(|(entry, _)| *entry != epoch));
}
