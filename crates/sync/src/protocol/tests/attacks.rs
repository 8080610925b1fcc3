//! Attacks by members who run other software, one at a time. Each is made with real signatures and real frames.

use artel_domain::{
    Audience, Body, Content, Control, Envelope, Incarnation, MessageId, Role, RoomId, Signed,
    SpaceId, SpaceSecret,
};

use super::{
    super::{
        Event, FeedKey, Ledger as _, Reason, Standing, StoredBody,
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
    pub(super) space: SpaceId,
    room: RoomId,
    document: Document,
    previous: Option<(u64, MessageId, u64)>,
    /// What it adds to the positions that it claims.
    pub(super) boast: u64,
    pub(super) incarnation: Incarnation,
}

impl Forger {
    pub(super) fn new(host: usize, space: SpaceId, room: RoomId) -> Self {
        Self::in_life(host, space, room, 0xbbbb)
    }

    pub(super) fn in_life(host: usize, space: SpaceId, room: RoomId, life: u16) -> Self {
        let incarnation = Incarnation::from_bytes(u128::from(life).to_be_bytes());
        Self {
            host,
            space,
            room,
            document: Document::new(&incarnation),
            previous: None,
            boast: 0,
            incarnation,
        }
    }

    /// Another that goes on from the same place.
    fn again(&self) -> Self {
        Self {
            document: self.document.clone(),
            ..*self
        }
    }

    /// A signed record with this body hash, whatever lies beside it.
    pub(super) fn record(
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
            .filter_map(|id| Some(ledger.record(id).unwrap()?.lamport))
            .chain(self.previous.map(|(_, _, lamport)| lamport))
            .max()
            .unwrap_or(0)
            + self.boast;
        let sequence = self.previous.map_or(1, |(sequence, ..)| sequence + 1);
        let (change, bytes) = self.document.append(sequence, &hash).unwrap();
        let envelope = Envelope {
            space: self.space,
            room: self.room,
            device: identity.device.id(),
            incarnation: self.incarnation,
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

    /// The last record that it said.
    pub(super) fn last(&self) -> Option<MessageId> {
        self.previous.map(|(_, id, _)| id)
    }

    pub(super) fn frame(&self, world: &World, records: Vec<Carried>) -> Vec<u8> {
        Frame::Records {
            space: self.space,
            room: self.room,
            device: world.hosts[self.host].identity.device.id(),
            incarnation: self.incarnation,
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

/// A position that is not one more than what the record builds on is void, and so is all that builds on it.
#[test]
fn a_false_position_is_never_shown() {
    let mut world = World::new(64, 4);
    let (space, room) = world.found();
    let first = world.say(0, space, room, "one");
    world.run(2_000);
    let standing = |world: &World, id| {
        let record = world.hosts[0].ledger.record(id).unwrap();
        record.unwrap().standing
    };
    let mut liar = Forger::new(1, space, room);
    liar.boast = 5;
    let (lie, one) = liar.say(&world, text("from the future"), vec![first]);
    liar.boast = 0;
    let (heir, two) = liar.say(&world, text("built on it"), vec![]);
    let frame = liar.frame(&world, vec![one, two]);
    give(&mut world, 1, 0, &frame);
    for id in [&lie, &heir] {
        assert_eq!(standing(&world, id), Standing::Void);
    }
    // While what it builds on is missing, a lie is shown; not after.
    let mut other = Forger::new(2, space, room);
    let (base, said) = other.say(&world, text("true"), vec![first]);
    let frame = other.frame(&world, vec![said]);
    give(&mut world, 2, 3, &frame);
    let mut liar = Forger::new(3, space, room);
    liar.boast = 5;
    let (lie, said) = liar.say(&world, text("for a moment"), vec![base]);
    let early = liar.frame(&world, vec![said]);
    give(&mut world, 3, 0, &early);
    assert_eq!(standing(&world, &lie), Standing::Provisional);
    assert_eq!(world.texts(0, room), ["one", "for a moment"]);
    give(&mut world, 2, 0, &frame);
    assert_eq!(standing(&world, &base), Standing::Settled);
    assert_eq!(standing(&world, &lie), Standing::Void);
    world.say(0, space, room, "two");
    world.run(10_000);
    for host in 0..4 {
        assert_eq!(world.texts(host, room), ["one", "true", "two"], "{host}");
    }
}

/// One who writes more branches than are kept, or lives more lives, cannot keep others from agreeing: what all hold of it
/// differs, that there is too much of it does not.
#[test]
fn too_many_branches_or_lives_leave_nobody_apart() {
    // The device has one more life, in which it said something before.
    for (branches, lives, shown) in [(32, 1, 32), (36, 1, 0), (1, 255, 255), (1, 259, 0)] {
        let mut world = World::new(68, 3);
        let (space, room) = world.found();
        world.say(2, space, room, "before");
        world.run(2_000);
        for host in 0..2 {
            world.cut(host, 2);
        }
        world.cut(0, 1);
        let frames: Vec<Vec<u8>> = (0..branches * lives)
            .map(|n| {
                let mut forger = Forger::in_life(2, space, room, n % lives);
                let (_, said) = forger.say(&world, text(&format!("branch {n}")), vec![]);
                forger.frame(&world, vec![said])
            })
            .collect();
        // Another carries them: some to one, some to the other, in another order.
        let most = frames.len() - 3 * usize::from(shown == 0);
        let carry = |world: &mut World, to: usize, frames: &mut dyn Iterator<Item = &Vec<u8>>| {
            world.link(to, 2);
            world.run(1_000);
            for frame in frames {
                give(world, 2, to, frame);
            }
            world.cut(to, 2);
        };
        carry(&mut world, 0, &mut frames.iter().take(most));
        carry(&mut world, 1, &mut frames.iter().rev().take(most));
        world.link(0, 1);
        world.run(40_000);
        let before = world.sent;
        world.run(29_000);
        assert!(world.sent - before <= 4, "{} frames", world.sent - before);
        assert_eq!(world.texts(0, room), world.texts(1, room));
        let branch = |text: &&String| text.starts_with("branch");
        let texts = world.texts(0, room);
        assert_eq!(
            texts.iter().filter(branch).count(),
            shown,
            "{branches}, {lives}"
        );
        // Too many feeds of a device are too many of all of them.
        let kept = texts.contains(&"before".to_owned());
        assert_eq!(kept, lives < 256, "{branches}, {lives}");
        world.restart(1);
        world.say(0, space, room, "after");
        world.link(0, 1);
        world.run(5_000);
        assert_eq!(world.texts(0, room), world.texts(1, room));
    }
}

/// What is sent for a branch that was asked for must be that branch.
#[test]
fn a_false_branch_costs_its_sender_the_link() {
    let mut world = World::new(78, 2);
    let (space, room) = world.found();
    let mut forger = Forger::new(1, space, room);
    let (wanted, _) = forger.say(&world, text("never sent"), vec![]);
    let mut other = Forger::in_life(1, space, room, 3);
    let (_, said) = other.say(&world, text("builds on it"), vec![wanted]);
    let frame = other.frame(&world, vec![said.clone()]);
    give(&mut world, 1, 0, &frame);
    let branch = Frame::Branch {
        space,
        record: wanted,
        records: vec![said],
    };
    // Not asked for yet.
    give(&mut world, 1, 0, &branch.encode());
    assert!(world.hosts[0].dropped.is_empty());
    for _ in 0..400 {
        world.run(25);
        give(&mut world, 1, 0, &branch.encode());
    }
    assert_eq!(
        world.hosts[0].dropped,
        [(1, Reason::Broke("a branch that was not asked for"))]
    );
}

/// A term is full, compacted, and ends in many branches of which any may be the compacted one. Honest peers give it to
/// one another all the same.
#[test]
fn branches_at_the_end_of_a_term_do_not_set_peers_against_each_other() {
    let mut world = World::new(74, 3);
    let (space, room) = world.found();
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        world.cut(one, other);
    }
    let mut forger = Forger::new(2, space, room);
    let trunk: Vec<Carried> = (1..1_000)
        .map(|n| forger.say(&world, text(&format!("said {n}")), vec![]).1)
        .collect();
    let mut ends: Vec<(MessageId, Carried)> = (0..33)
        .map(|n| {
            let mut branch = forger.again();
            branch.say(&world, text(&format!("branch {n}")), vec![])
        })
        .collect();
    ends.sort_unstable_by_key(|(id, _)| std::cmp::Reverse(*id));
    world.link(0, 2);
    world.run(1_000);
    for records in trunk.chunks(100) {
        let frame = forger.frame(&world, records.to_vec());
        give(&mut world, 2, 0, &frame);
        world.run(1_000);
    }
    for (_, end) in ends {
        let frame = forger.frame(&world, vec![end]);
        give(&mut world, 2, 0, &frame);
    }
    world.cut(0, 2);
    world.link(0, 1);
    world.run(40_000);
    assert!(
        world.hosts[1].dropped.is_empty(),
        "{:?}",
        world.hosts[1].dropped
    );
    let held = |host: usize| {
        let ledger = &world.hosts[host].ledger;
        ledger
            .room_records(&space, &room, None, 2_000)
            .unwrap()
            .len()
    };
    assert_eq!((held(0), held(1)), (999 + 33, 999 + 33));
}

/// A body larger than honest ones is refused, with its record and when it comes alone: passed on, it would not fit into
/// a frame.
#[test]
fn a_body_that_is_too_large_costs_its_sender_the_link() {
    let mut world = World::new(75, 2);
    let (space, room) = world.found();
    let body = vec![7; artel_domain::limits::MAX_BODY + 1];
    let mut forger = Forger::new(1, space, room);
    let hash = Body::hash_of(&body);
    let (id, mut carried) = forger.record(&world, hash, vec![], Some(body.clone()));
    let whole = forger.frame(&world, vec![carried.clone()]);
    carried.body = None;
    let bare = forger.frame(&world, vec![carried]);
    give(&mut world, 1, 0, &bare);
    let alone = Frame::Bodies {
        space,
        bodies: vec![(id, body)],
    };
    give(&mut world, 1, 0, &alone.encode());
    let too_large = (1, Reason::Broke("a body is too large"));
    assert_eq!(world.hosts[0].dropped, [too_large]);
    assert_eq!(world.hosts[0].ledger.body(&id).unwrap(), None);
    world.run(601_000);
    world.link(0, 1);
    world.run(1_000);
    give(&mut world, 1, 0, &whole);
    assert_eq!(world.hosts[0].dropped, [too_large, too_large]);
}

/// What is said while a history is being fetched does not stop the fetching.
#[test]
fn a_word_in_between_is_not_taken_for_the_answer() {
    let mut world = World::new(76, 3);
    let (space, room) = world.found();
    world.cut(0, 1);
    world.cut(1, 2);
    world.cut(0, 2);
    for n in 0..300 {
        world.say(0, space, room, &format!("said {n}"));
    }
    let device = world.hosts[0].node.device();
    world.link(0, 1);
    // Before every frame that may be the answer, a new word.
    for n in 0..40 {
        world.run(100);
        let id = world.say(0, space, room, &format!("in between {n}"));
        let record = world.hosts[0].ledger.record(&id).unwrap().unwrap();
        let Some(StoredBody::Here(body)) = world.hosts[0].ledger.body(&id).unwrap() else {
            panic!("its body");
        };
        let frame = Frame::Records {
            space,
            room,
            device,
            incarnation: record.feed.incarnation,
            records: vec![Carried {
                envelope: record.envelope,
                change: record.change,
                body: Some(body),
            }],
            more: false,
        };
        give(&mut world, 0, 1, &frame.encode());
    }
    world.run(5_000);
    assert_eq!(world.texts(1, room).len(), 340);
}

/// A teacher signs more branches of its control feed than are kept. What others had built on one of them counts all the
/// same, wherever that one is not kept; nothing of the teacher's does.
#[test]
fn too_many_control_branches_leave_nobody_apart() {
    let mut world = World::new(69, 3);
    let (space, _) = world.found();
    let control = space.control_room();
    for host in [1, 2] {
        let member = world.hosts[host].node.member();
        world
            .with(0, |node, ledger, now| {
                node.set_role(ledger, now, space, member, Role::Teacher)
            })
            .unwrap();
    }
    world.run(5_000);
    let head = |world: &World| {
        let entries = world.hosts[0]
            .ledger
            .room_records(&space, &control, None, 100);
        entries.unwrap().last().unwrap().id
    };
    let base = head(&world);
    for host in 0..2 {
        world.cut(host, 2);
    }
    world.cut(0, 1);
    // The last branch is longer than what is sent at once.
    let frames: Vec<Vec<Vec<u8>>> = (0..40)
        .map(|branch| {
            let mut forger = Forger::new(2, space, control);
            let mut said = Vec::new();
            for n in 0..if branch == 39 { 300_u16 } else { 1 } {
                let mut nonce = [branch; 16];
                nonce[..2].copy_from_slice(&n.to_le_bytes());
                let create = Content::Control(Control::RoomCreate {
                    nonce,
                    name: format!("branch {branch}"),
                    audience: Audience::All,
                });
                let parents = if n == 0 { vec![base] } else { Vec::new() };
                said.push(forger.say(&world, create, parents).1);
            }
            said.chunks(100)
                .map(|said| forger.frame(&world, said.to_vec()))
                .collect()
        })
        .collect();
    let carry = |world: &mut World, to: usize, branches: &mut dyn Iterator<Item = usize>| {
        world.link(to, 2);
        world.run(1_000);
        for frame in branches.flat_map(|branch| &frames[branch]) {
            give(world, 2, to, frame);
        }
        world.cut(to, 2);
        let name = format!("by host {to}");
        world.with(to, |node, ledger, now| {
            node.create_room(ledger, now, space, &name, Audience::All)
        })
    };
    carry(&mut world, 0, &mut [3, 2].into_iter()).unwrap();
    carry(&mut world, 1, &mut [39, 38].into_iter()).unwrap();
    let names = |world: &World, host: usize| {
        let rooms = world.hosts[host].node.rooms(&space);
        rooms.into_iter().map(|room| room.name).collect::<Vec<_>>()
    };
    assert!(names(&world, 1).contains(&"branch 39".to_owned()));
    // From here on neither can hold all.
    let _ = carry(&mut world, 0, &mut (0..36));
    let _ = carry(&mut world, 1, &mut (3..40).rev());
    assert!(!names(&world, 1).contains(&"branch 39".to_owned()));
    world.link(0, 1);
    world.run(90_000);
    for host in 0..2 {
        let mut names = names(&world, host);
        names.sort();
        names.dedup();
        assert_eq!(names, ["General", "by host 0", "by host 1"], "{host}");
    }
    let people = |host: usize| {
        let members = world.hosts[host].node.members(&space).into_iter();
        members
            .map(|member| (member.member, member.role, member.state))
            .collect::<Vec<_>>()
    };
    assert_eq!(people(0), people(1));
    let before = world.sent;
    world.run(29_000);
    assert!(world.sent - before <= 4, "{} frames", world.sent - before);
}

/// Neither a deletion nor an edit of another student's message counts, however well signed.
#[test]
fn a_student_changes_nothing_of_anothers() {
    let mut world = World::new(65, 4);
    let (space, room) = world.found();
    let victim = world.say(1, space, room, "what I said");
    let mend = Content::Edit {
        target: victim,
        text: "mended by me".into(),
    };
    let edit = world
        .with(1, |node, ledger, now| {
            node.send(ledger, now, space, room, mend)
        })
        .unwrap()
        .id;
    world.run(2_000);
    let mut forger = Forger::new(2, space, room);
    let delete = |target, edits| Content::Delete { target, edits };
    let (own, said) = forger.say(&world, text("my own"), vec![]);
    let bent = Content::Edit {
        target: victim,
        text: "put into your mouth".into(),
    };
    let mut records = vec![said];
    // Its own message it may delete, but not others' along with it.
    let all = delete(own, vec![edit, victim]);
    records.push(forger.say(&world, all, vec![]).1);
    let theirs = delete(victim, vec![edit]);
    records.push(forger.say(&world, theirs, vec![victim]).1);
    records.push(forger.say(&world, bent, vec![victim]).1);
    let frame = forger.frame(&world, records);
    for host in [0, 3] {
        give(&mut world, 2, host, &frame);
    }
    world.run(10_000);
    for host in [0, 1, 3] {
        let mut texts = world.texts(host, room);
        texts.sort();
        let right = ["delete", "edit: mended by me", "erased", "what I said"];
        assert_eq!(texts, right, "{host}");
        for id in [victim, edit] {
            let body = world.hosts[host].ledger.body(&id).unwrap();
            assert!(matches!(body, Some(StoredBody::Here(_))), "{host}");
        }
    }
}

/// An observer's node refuses to write; a bent one writes in vain.
#[test]
fn what_an_observer_writes_is_not_shown() {
    let mut world = World::new(66, 3);
    let (space, room) = world.found();
    world.say(2, space, room, "as a student");
    world.run(2_000);
    let member = world.hosts[2].node.member();
    world
        .with(0, |node, ledger, now| {
            node.set_role(ledger, now, space, member, Role::Observer)
        })
        .unwrap();
    world.run(2_000);
    let mut forger = Forger::new(2, space, room);
    let (id, said) = forger.say(&world, text("as an observer"), vec![]);
    let frame = forger.frame(&world, vec![said]);
    give(&mut world, 2, 1, &frame);
    world.run(5_000);
    for host in 0..2 {
        assert!(world.hosts[host].ledger.record(&id).unwrap().is_some());
        assert_eq!(world.texts(host, room), ["as a student"]);
    }
}

/// The code names the space: one who knows the invite's tag cannot lead the joiner elsewhere.
#[test]
fn an_invite_does_not_lead_into_another_space() {
    let mut world = World::new(67, 2);
    let found = |world: &mut World, name| {
        let space = world.with(0, |node, ledger, now| node.found_space(ledger, now, name));
        space.unwrap()
    };
    let (meant, other) = (found(&mut world, "Meant"), found(&mut world, "Other"));
    let code = world.invite(0, meant, 1);
    let invite = code.key().id();
    world
        .with(1, |node, ledger, now| node.join(ledger, now, &code))
        .unwrap();
    // Linked, but not yet answered.
    world.link(0, 1);
    let rows = world.hosts[0].ledger.spaces().unwrap();
    let genesis = |space| {
        let row = rows.iter().find(|row| row.space == space).unwrap();
        row.genesis.clone()
    };
    let identity = &world.hosts[0].identity;
    let witness = Signed::issue(&identity.member, &identity.device).unwrap();
    let meet = |space| {
        let witness = witness.wire().to_vec();
        let genesis = genesis(space);
        Frame::Meet {
            invite,
            genesis,
            witness,
        }
        .encode()
    };
    let (wrong, right) = (meet(other), meet(meant));
    give(&mut world, 0, 1, &wrong);
    assert_eq!(
        world.hosts[1].dropped,
        [(0, Reason::Broke("an invite into another space"))]
    );
    assert_eq!(world.hosts[1].ledger.joins().unwrap()[0].genesis, None);
    world.run(601_000);
    world.link(0, 1);
    give(&mut world, 0, 1, &right);
    assert!(world.hosts[1].ledger.joins().unwrap()[0].genesis.is_some());
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

/// A record that is given out as one of another space, room, device or life is the relay's offence, and is nowhere shown.
#[test]
fn a_record_is_of_one_place() {
    let mut world = World::new(79, 3);
    let (space, room) = world.found();
    let other = world
        .with(0, |node, ledger, now| {
            node.found_space(ledger, now, "Other")
        })
        .unwrap();
    let code = world.invite(0, other, 5);
    for host in [1, 2] {
        world
            .with(host, |node, ledger, now| node.join(ledger, now, &code))
            .unwrap();
    }
    world.run(5_000);
    let there = world.hosts[0].node.rooms(&other)[0].room;
    // It is in the relay's hands alone.
    world.cut(0, 1);
    world.cut(0, 2);
    let id = world.say(0, space, room, "said here");
    let kept = world.hosts[0].ledger.record(&id).unwrap().unwrap();
    let Some(StoredBody::Here(body)) = world.hosts[0].ledger.body(&id).unwrap() else {
        panic!("its body");
    };
    let carried = Carried {
        envelope: kept.envelope.clone(),
        change: kept.change.clone(),
        body: Some(body),
    };
    let (author, life) = (kept.feed.device, kept.feed.incarnation);
    let relay = world.hosts[2].node.device();
    let second = Incarnation::from_bytes([9; 16]);
    let control = space.control_room();
    // In a room that is none of its space nobody listens; the rest breaks the rules.
    for (as_space, as_room, device, incarnation, heard) in [
        (other, there, author, life, true),
        (other, room, author, life, false),
        (space, control, author, life, true),
        (space, room, relay, life, true),
        (space, room, author, second, true),
    ] {
        // Not spoken to for ten minutes after each.
        world.run(601_000);
        world.link(1, 2);
        world.run(3_000);
        let records = world.hosts[1].ledger.record_count();
        let frame = Frame::Records {
            space: as_space,
            room: as_room,
            device,
            incarnation,
            records: vec![carried.clone()],
            more: false,
        };
        world.hosts[1].dropped.clear();
        give(&mut world, 2, 1, &frame.encode());
        let dropped = &world.hosts[1].dropped;
        let broke = matches!(dropped[..], [(2, Reason::Broke(_))]);
        assert!(
            broke == heard && (heard || dropped.is_empty()),
            "{dropped:?}"
        );
        assert_eq!(world.hosts[1].ledger.record_count(), records);
    }
}

/// Records that build on what nobody has are marked, stay so, and keep nobody from anything.
#[test]
fn missing_parents_hold_nobody_up() {
    let mut world = World::new(70, 3);
    let (space, room) = world.found();
    let mut forger = Forger::new(2, space, room);
    let mut records = Vec::new();
    for n in 0..100_u8 {
        let missing = (0..8)
            .map(|parent| {
                let bytes = [[n; 16], [parent; 16]].concat();
                MessageId::from_bytes(bytes.try_into().unwrap())
            })
            .collect();
        records.push(forger.say(&world, text(&format!("hanging {n}")), missing).1);
    }
    let frame = forger.frame(&world, records);
    give(&mut world, 2, 0, &frame);
    world.run(60_000);
    world.say(0, space, room, "one");
    world.run(2_000);
    world.say(1, space, room, "two");
    world.run(2_000);
    for host in 0..2 {
        let rows = &world.hosts[host].view.rooms[&room];
        let hanging = rows.values().filter(|row| row.provisional).count();
        assert_eq!((hanging, rows.len()), (100, 102));
        let mut said = world.texts(host, room);
        said.retain(|text| !text.starts_with("hanging"));
        assert_eq!(said, ["one", "two"]);
    }
    assert_eq!(world.texts(0, room), world.texts(1, room));
    let before = world.sent;
    world.run(29_000);
    // They are asked for by name, one at a time.
    assert!(world.sent - before <= 100, "{} frames", world.sent - before);
}
