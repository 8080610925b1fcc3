//! What is sealed to single members, carried by all, and reported.

use artel_domain::{
    Body, Content, DeviceId, Evidence, FileDigest, Letter, MemberId, MessageId, Prekey, Report,
    Role, RoomId, Sealed, SpaceId,
    limits::{MAX_CARRIED, MAX_TEXT},
    sealed,
};
use zeroize::Zeroizing;

use super::{
    super::{
        CommandError, Event, Ledger as _, Reason, StoredBody,
        frame::{Carried, Frame},
    },
    attacks::{Forger, give},
    hosts::World,
};

const DAY: i64 = 24 * 60 * 60 * 1_000;

fn text(words: &str) -> Content {
    Content::Text {
        text: words.into(),
        reply_to: None,
        attachments: Vec::new(),
    }
}

/// The conversation of two hosts.
fn between(world: &World, space: SpaceId, one: usize, other: usize) -> RoomId {
    let with = world.hosts[other].node.member();
    let all = world.hosts[one].node.conversations(&space);
    all.iter().find(|found| found.with == with).unwrap().room
}

fn write(world: &mut World, space: SpaceId, from: usize, to: usize, words: &str) -> MessageId {
    let room = between(world, space, from, to);
    world.say(from, space, room, words)
}

/// Everything that a host keeps of the direct room, as bytes.
fn carried(world: &World, host: usize, space: SpaceId) -> Vec<u8> {
    let ledger = &world.hosts[host].ledger;
    let records = ledger
        .room_records(&space, &space.direct_room(), None, 10_000)
        .unwrap();
    let mut all = Vec::new();
    for record in records {
        all.extend(record.envelope);
        if let Some(StoredBody::Here(wire)) = ledger.body(&record.id).unwrap() {
            all.extend(wire);
        }
    }
    all
}

fn holds(bytes: &[u8], words: &str) -> bool {
    bytes
        .windows(words.len())
        .any(|part| part == words.as_bytes())
}

/// Lets days pass at once.
fn pass(world: &mut World, days: i64) {
    world.now += days * DAY;
    world.run(2_000);
}

#[test]
fn only_readers_read_and_whoever_is_there_carries() {
    let mut world = World::new(61, 4);
    let (space, _) = world.found();
    let room = between(&world, space, 0, 1);
    assert_eq!(room, between(&world, space, 1, 0));
    for other in [0, 2, 3] {
        world.cut(1, other);
    }
    let first = write(&mut world, space, 0, 1, "таємно-для-тебе");
    world.run(2_000);
    world.cut(0, 2);
    world.cut(0, 3);
    world.link(1, 2);
    world.run(15_000);
    assert_eq!(world.texts(1, room), ["таємно-для-тебе"]);
    write(&mut world, space, 1, 0, "так-само-таємно");
    world.run(2_000);
    world.cut(1, 2);
    world.link(0, 2);
    world.run(15_000);
    for reader in [0, 1] {
        assert_eq!(
            world.texts(reader, room),
            ["таємно-для-тебе", "так-само-таємно"]
        );
    }
    for carrier in [2, 3] {
        assert!(world.texts(carrier, room).is_empty());
        let kept = carried(&world, carrier, space);
        assert!(!holds(&kept, "таємно"), "host {carrier} can read");
        assert!(
            world.hosts[carrier]
                .ledger
                .opening(&first)
                .unwrap()
                .is_none()
        );
    }
    assert!(
        !holds(&carried(&world, 0, space), "таємно"),
        "what lies in the ledger is sealed"
    );
}

#[test]
fn the_other_devices_of_both_read_too_and_a_new_one_from_then_on() {
    let mut world = World::new(62, 3);
    let (space, _) = world.found();
    let room = between(&world, space, 0, 1);
    write(&mut world, space, 0, 1, "before");
    world.run(2_000);
    let second = world.copy_host(0);
    world.hosts[second].ledger = world.hosts[0].ledger.clone();
    world.move_to_new_device(second);
    world.link(second, 1);
    world.run(5_000);
    write(&mut world, space, 0, 1, "after");
    world.link(second, 0);
    world.run(15_000);
    write(&mut world, space, second, 1, "from the second");
    world.run(5_000);
    let all = ["before", "after", "from the second"];
    assert_eq!(world.texts(0, room), all);
    assert_eq!(world.texts(1, room), all);
    // What came to the first device before lies in the ledger that was copied.
    assert_eq!(world.texts(second, room), all);
}

#[test]
fn edits_and_deletions_of_sealed_messages_reach_their_readers() {
    let mut world = World::new(63, 3);
    let (space, _) = world.found();
    let room = between(&world, space, 0, 1);
    let message = write(&mut world, space, 1, 0, "fisrt");
    world.run(2_000);
    let edit = Content::Edit {
        target: message,
        text: "first".into(),
    };
    let send = |world: &mut World, host: usize, content: Content| {
        world.with(host, |node, ledger, now| {
            node.send(ledger, now, space, room, content)
        })
    };
    send(&mut world, 1, edit.clone()).unwrap();
    world.run(2_000);
    assert_eq!(world.texts(0, room), ["fisrt", "edit: first"]);
    assert!(matches!(
        send(&mut world, 0, edit),
        Err(CommandError::NotAuthor)
    ));
    let delete = Content::Delete {
        target: message,
        edits: Vec::new(),
    };
    // Not even an owner: it is a message between two.
    let refused = send(&mut world, 0, delete.clone());
    assert!(matches!(refused, Err(CommandError::NotAuthor)));
    send(&mut world, 1, delete).unwrap();
    world.run(2_000);
    for host in [0, 1] {
        assert_eq!(world.texts(host, room), ["erased", "delete"]);
        let kept = world.hosts[host].ledger.opening(&message).unwrap().unwrap();
        assert_eq!(kept.key, None, "the key is forgotten as well");
    }
    // Who gets the message after its deletion erases it too, and it stays so.
    world.restart(0);
    world.link_all();
    world.run(5_000);
    assert_eq!(world.texts(0, room), ["erased", "delete"]);
}

/// Carriers cannot know of a deletion. If readers heeded it in what they give, one could ask around who they are.
#[test]
fn nobody_learns_from_what_is_given_who_read_what_was_deleted() {
    let mut world = World::new(80, 4);
    let (space, _) = world.found();
    let talk = between(&world, space, 1, 2);
    let message = write(&mut world, space, 1, 2, "for you");
    world.run(2_000);
    let delete = Content::Delete {
        target: message,
        edits: Vec::new(),
    };
    let deletion = world
        .with(1, |node, ledger, now| {
            node.send(ledger, now, space, talk, delete)
        })
        .unwrap()
        .id;
    world.run(2_000);
    assert_eq!(world.texts(2, talk), ["erased", "delete"]);
    let feed = world.hosts[1]
        .ledger
        .record(&message)
        .unwrap()
        .unwrap()
        .feed;
    let questions = [
        Frame::WantBodies {
            space,
            records: vec![message],
        },
        Frame::WantBodies {
            space,
            records: vec![deletion],
        },
        Frame::Want {
            space,
            room: feed.room,
            device: feed.device,
            incarnation: feed.incarnation,
            from: 1,
        },
    ];
    let given = |world: &mut World, hosts: &[usize]| -> Vec<u64> {
        let bytes = |world: &mut World, host: usize, frame: &Frame| {
            let before = world.sent_by[&host];
            give(world, 3, host, &frame.encode());
            world.sent_by[&host] - before
        };
        let all: Vec<Vec<u64>> = hosts
            .iter()
            .map(|host| questions.iter().map(|q| bytes(world, *host, q)).collect())
            .collect();
        assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "{all:?}");
        all[0].clone()
    };
    let before = given(&mut world, &[0, 1, 2]);
    assert!(before.iter().all(|bytes| *bytes > 500), "{before:?}");
    // Nor who read what one said who was erased.
    let author = world.hosts[1].node.member();
    world
        .with(0, |node, ledger, now| {
            node.erase_member(ledger, now, space, author)
        })
        .unwrap();
    world.run(5_000);
    assert_eq!(given(&mut world, &[0, 2]), before);
    pass(&mut world, 31);
    world.run(61_000);
    let after = given(&mut world, &[0, 2]);
    assert_eq!(after[..2], [0, 0], "nobody gives it any more");
    for host in [0, 2] {
        let body = world.hosts[host].ledger.body(&message).unwrap();
        assert_eq!(body, Some(StoredBody::Erased), "{host}");
    }
}

/// One who was reported removes and erases the reporter, while losing the right to. Whoever heard of that first shows in
/// the end what the others show.
#[test]
fn an_erasure_of_sealed_messages_that_stops_counting_is_undone() {
    let mut world = World::new(81, 4);
    let (space, room) = world.found();
    let [teacher, pupil] = [1, 2].map(|host| world.hosts[host].node.member());
    let name = |world: &mut World, role| {
        let named = world.with(0, |node, ledger, now| {
            node.set_role(ledger, now, space, teacher, role)
        });
        named.unwrap();
    };
    name(&mut world, Role::Teacher);
    let talk = between(&world, space, 2, 3);
    let message = write(&mut world, space, 2, 3, "they did it again");
    let edit = Content::Edit {
        target: message,
        text: "they did it twice".into(),
    };
    world
        .with(2, |node, ledger, now| {
            node.send(ledger, now, space, talk, edit)
        })
        .unwrap();
    let rude = world.say(1, space, room, "rude");
    world.run(2_000);
    world
        .with(2, |node, ledger, now| {
            node.report(ledger, now, rude, "look".into())
        })
        .unwrap();
    world.run(2_000);
    let before = world.texts(3, talk);
    assert_eq!(before, ["they did it again", "edit: they did it twice"]);
    for (one, other) in [(1, 0), (1, 2), (3, 0), (3, 2)] {
        world.cut(one, other);
    }
    world
        .with(1, |node, ledger, now| {
            node.erase_member(ledger, now, space, pupil)
        })
        .unwrap();
    name(&mut world, Role::Student);
    world.run(3_000);
    assert_eq!(world.texts(3, talk), ["erased"]);
    world.restart(3);
    for (one, other) in [(3, 0), (3, 2)] {
        world.link(one, other);
    }
    world.run(20_000);
    assert_eq!(world.texts(3, talk), before);
    world.link_all();
    world.run(20_000);
    assert_eq!(world.texts(2, talk), before);
    assert_eq!(reports(&world, 0, space).len(), 1);
    // Erased again by one who may, it goes again.
    world
        .with(0, |node, ledger, now| {
            node.erase_member(ledger, now, space, pupil)
        })
        .unwrap();
    world.run(5_000);
    assert_eq!(world.texts(3, talk), ["erased"]);
    assert!(reports(&world, 0, space).is_empty());
}

/// Registers are signed in the open: they would tell everybody who reads what.
#[test]
fn nobody_is_told_who_reads_or_likes_a_sealed_message() {
    let mut world = World::new(75, 3);
    let (space, _) = world.found();
    let talk = between(&world, space, 0, 1);
    let message = write(&mut world, space, 0, 1, "hello");
    world.run(2_000);
    let read = world.with(1, |node, ledger, now| {
        node.mark_read(ledger, now, space, talk, (99, message))
    });
    assert!(matches!(read, Err(CommandError::NoRoom)));
    let liked = world.with(1, |node, ledger, now| {
        node.react(ledger, now, space, talk, message, Some("👍".into()))
    });
    assert!(matches!(liked, Err(CommandError::NoMessage)));
}

/// The latest messages of a room are those that are shown: of the direct room, what is for oneself.
#[test]
fn nobody_learns_what_is_for_whom_by_asking_for_the_latest() {
    let mut world = World::new(76, 3);
    let (space, _) = world.found();
    write(&mut world, space, 0, 1, "hello");
    world.run(2_000);
    let asked = Frame::WantLatest {
        space,
        room: space.direct_room(),
    };
    let before = world.sent;
    give(&mut world, 2, 1, &asked.encode());
    assert_eq!(world.sent, before);
    assert!(world.linked(1, 2));
}

#[test]
fn one_who_was_removed_gets_no_slot() {
    let mut world = World::new(64, 3);
    let (space, _) = world.found();
    let with_removed = between(&world, space, 0, 2);
    let member = world.hosts[2].node.member();
    world
        .with(0, |node, ledger, now| {
            node.remove(ledger, now, space, member, false)
        })
        .unwrap();
    world.run(5_000);
    let refused = world.with(0, |node, ledger, now| {
        node.send(ledger, now, space, with_removed, text("still there?"))
    });
    assert!(matches!(refused, Err(CommandError::Gone(_))));
    let message = write(&mut world, space, 0, 1, "without them");
    let body = world.hosts[0].ledger.body(&message).unwrap();
    let Some(StoredBody::Here(wire)) = body else {
        panic!("it is here");
    };
    let Content::Sealed(sealed) = Body::decode(&wire).unwrap().content else {
        panic!("it is sealed");
    };
    let record = world.hosts[0].ledger.record(&message).unwrap().unwrap();
    let place = sealed::Place {
        space,
        device: record.feed.device,
        incarnation: record.feed.incarnation,
        sequence: record.sequence,
    };
    let slot_of = |host: usize| {
        sealed
            .slot(&place, &world.hosts[host].identity.device)
            .is_some()
    };
    assert!(slot_of(1) && !slot_of(2));
}

/// A text of a forger, sealed as the first record of its feed.
fn forged(
    world: &World,
    forger: &Forger,
    host: usize,
    readers: &[usize],
    to: &[(DeviceId, Prekey)],
) -> Content {
    let content = text("forged");
    seal(world, forger, host, (readers, content), to)
}

/// What a forger seals as the first record of its feed.
fn seal(
    world: &World,
    forger: &Forger,
    host: usize,
    (readers, content): (&[usize], Content),
    to: &[(DeviceId, Prekey)],
) -> Content {
    let mut readers: Vec<MemberId> = readers
        .iter()
        .map(|h| world.hosts[*h].node.member())
        .collect();
    readers.sort_unstable();
    let letter = Letter { readers, content };
    let device = &world.hosts[host].identity.device;
    let place = sealed::Place {
        space: forger.space,
        device: device.id(),
        incarnation: forger.incarnation,
        sequence: 1,
    };
    let seed = Zeroizing::new([9; 32]);
    Content::Sealed(Sealed::seal(&letter, &place, device, to, &seed).unwrap().0)
}

fn give_to_all(world: &mut World, forger: &Forger, from: usize, record: Carried) {
    let frame = forger.frame(world, vec![record]);
    for to in 0..world.hosts.len() {
        if to != from {
            give(world, from, to, &frame);
        }
    }
    world.run(1_000);
}

fn sealed_to(world: &World, host: usize) -> (DeviceId, Prekey) {
    let device = world.hosts[host].node.device();
    (device, device.prekey().unwrap())
}

#[test]
fn what_was_sealed_opens_in_no_other_record() {
    let mut world = World::new(65, 3);
    let (space, _) = world.found();
    let message = write(&mut world, space, 0, 1, "between us");
    world.run(1_000);
    let Some(StoredBody::Here(wire)) = world.hosts[2].ledger.body(&message).unwrap() else {
        panic!("it is carried");
    };
    let copied = Body::decode(&wire).unwrap().content;
    let mut forger = Forger::new(2, space, space.direct_room());
    let (copy, record) = forger.say(&world, copied, Vec::new());
    give_to_all(&mut world, &forger, 2, record);
    assert!(world.hosts[1].ledger.record(&copy).unwrap().is_some());
    let shown = |world: &World, host: usize, id: MessageId| {
        let rows = world.hosts[host].view.rooms.values();
        rows.flatten().any(|((_, shown), _)| *shown == id)
    };
    assert!(!shown(&world, 0, copy) && !shown(&world, 1, copy));
}

#[test]
fn what_a_member_seals_falsely_says_nothing_false() {
    let mut world = World::new(66, 3);
    let (space, _) = world.found();
    let [true_talk, forgers_talk] = [0, 2].map(|other| between(&world, space, 1, other));
    // In a conversation that is not its own.
    let mut forger = Forger::new(2, space, space.direct_room());
    let to = [sealed_to(&world, 1)];
    let foreign = forged(&world, &forger, 2, &[0, 1], &to);
    let (_, record) = forger.say(&world, foreign, Vec::new());
    give_to_all(&mut world, &forger, 2, record);
    assert!(world.texts(1, true_talk).is_empty());
    // Nor by deleting that.
    let target = forger.last().unwrap();
    let mut readers = [1, 2].map(|host| world.hosts[host].node.member()).to_vec();
    readers.sort_unstable();
    let content = Content::Delete {
        target,
        edits: Vec::new(),
    };
    let letter = Letter { readers, content };
    let device = &world.hosts[2].identity.device;
    let place = sealed::Place {
        space,
        device: device.id(),
        incarnation: forger.incarnation,
        sequence: 2,
    };
    let seed = Zeroizing::new([8; 32]);
    let deletion = Sealed::seal(&letter, &place, device, &to, &seed).unwrap().0;
    let (_, record) = forger.say(&world, Content::Sealed(deletion), Vec::new());
    give_to_all(&mut world, &forger, 2, record);
    assert!(world.texts(1, true_talk).is_empty());
    // Sealed to one who is no reader of it.
    let mut forger = Forger::in_life(2, space, space.direct_room(), 3);
    let foreign = forged(&world, &forger, 2, &[0, 2], &to);
    let (_, record) = forger.say(&world, foreign, Vec::new());
    give_to_all(&mut world, &forger, 2, record);
    assert_eq!(world.texts(1, forgers_talk), [""; 0]);
    // With a tag that is right and a key that is not: closed, for its reader alone.
    let mut forger = Forger::in_life(2, space, space.direct_room(), 4);
    let wrong = [(world.hosts[1].node.device(), sealed_to(&world, 0).1)];
    let closed = forged(&world, &forger, 2, &[1, 2], &wrong);
    let (id, record) = forger.say(&world, closed, Vec::new());
    give_to_all(&mut world, &forger, 2, record);
    let told = |host: usize| {
        let events = world.events(host).iter();
        let mut shown = events.filter_map(|event| match event {
            Event::Shown(shown) if shown.id == id => Some((shown.room, shown.closed.is_some())),
            _ => None,
        });
        shown.next()
    };
    assert_eq!(told(1), Some((forgers_talk, true)));
    assert_eq!(told(0), None);
    // What is not sealed does not count in the direct room, and what is sealed nowhere else.
    let mut forger = Forger::in_life(2, space, space.direct_room(), 5);
    let (_, record) = forger.say(&world, text("in the open"), Vec::new());
    give_to_all(&mut world, &forger, 2, record);
    let general = world.hosts[0].node.rooms(&space)[0].room;
    let mut forger = Forger::in_life(2, space, general, 6);
    let sealed = forged(&world, &forger, 2, &[1, 2], &to);
    let (_, record) = forger.say(&world, sealed, Vec::new());
    give_to_all(&mut world, &forger, 2, record);
    for host in [0, 1] {
        assert!(world.texts(host, space.direct_room()).is_empty());
        assert!(world.texts(host, general).is_empty());
    }
}

#[test]
fn too_many_slots_harm_nobody() {
    let mut world = World::new(67, 3);
    let (space, _) = world.found();
    let body_of = |slots: usize| {
        let mut body = vec![0; 24];
        body.extend(6_u16.to_le_bytes());
        body.extend([1; 32]);
        body.extend(postcard::to_stdvec(&slots).unwrap());
        body.resize(body.len() + slots * 96, 7);
        body.extend(postcard::to_stdvec(&vec![5_u8; 272]).unwrap());
        body
    };
    let mut forger = Forger::new(2, space, space.direct_room());
    let body = body_of(1_000);
    let (id, record) = forger.record(&world, Body::hash_of(&body), Vec::new(), Some(body));
    give_to_all(&mut world, &forger, 2, record);
    for host in [0, 1] {
        assert!(world.hosts[host].ledger.record(&id).unwrap().is_some());
        assert!(world.linked(host, 2));
        assert!(world.texts(host, space.direct_room()).is_empty());
    }
    let body = body_of(4_000);
    let (id, record) = forger.record(&world, Body::hash_of(&body), Vec::new(), Some(body));
    let frame = forger.frame(&world, vec![record]);
    give(&mut world, 2, 0, &frame);
    assert!(world.hosts[0].ledger.record(&id).unwrap().is_none());
    let dropped = &world.hosts[0].dropped;
    assert_eq!(dropped, &[(2, Reason::Broke("a body is too large"))]);
}

#[test]
fn prekeys_are_renewed_and_forgotten() {
    let mut world = World::new(68, 2);
    let (space, _) = world.found();
    let talk = between(&world, space, 0, 1);
    let prekeys = |world: &World| world.hosts[1].ledger.prekeys().unwrap();
    let early = prekeys(&world).pop().unwrap();
    for _ in 0..4 {
        pass(&mut world, 7);
    }
    assert_eq!(prekeys(&world).len(), 5);
    // In time it opens, and later it does not.
    let public = early.secret.public().unwrap();
    let to = [(world.hosts[1].node.device(), public)];
    let mut forger = Forger::new(0, space, space.direct_room());
    let sealed = forged(&world, &forger, 0, &[0, 1], &to);
    let (_, record) = forger.say(&world, sealed, Vec::new());
    give_to_all(&mut world, &forger, 0, record);
    assert_eq!(world.texts(1, talk), ["forged"]);
    pass(&mut world, 3);
    assert!(prekeys(&world).iter().all(|row| row.secret != early.secret));
    let mut late = Forger::in_life(0, space, space.direct_room(), 9);
    let sealed = forged(&world, &late, 0, &[0, 1], &to);
    let (id, record) = late.say(&world, sealed, Vec::new());
    give_to_all(&mut world, &late, 0, record);
    let closed = |event: &Event| matches!(event, Event::Shown(shown) if shown.id == id && shown.closed.is_some() && shown.room == talk);
    assert!(world.events(1).iter().any(closed), "it is told, not hidden");
    // What was opened stays.
    assert!(world.texts(1, talk).contains(&"forged".to_owned()));
}

#[test]
fn a_clock_that_is_set_back_makes_one_prekey_at_most() {
    for (wrong, more) in [(20 * DAY, 1), (-1_000 * DAY, 0)] {
        let mut world = World::new(82, 2);
        let (space, _) = world.found();
        let talk = between(&world, space, 0, 1);
        let prekeys = |world: &World| world.hosts[1].ledger.prekeys().unwrap();
        let right = prekeys(&world).remove(0);
        for times in 1..=5 {
            world.hosts[1].skew = wrong;
            world.run(200_000);
            assert_eq!(prekeys(&world).len(), 2, "{wrong}");
            world.hosts[1].skew = 0;
            world.run(200_000);
            assert_eq!(prekeys(&world).len(), 1 + more, "{wrong}, {times} times");
            // What was made while the clock was right is good still.
            assert!(prekeys(&world).contains(&right), "{wrong}");
            write(&mut world, space, 0, 1, "hello");
            world.run(1_000);
            assert_eq!(world.texts(1, talk).len(), times);
        }
        // What was made ahead is not kept for longer than anything else once the clock has gone right for a week.
        let ahead = prekeys(&world).remove(0);
        for _ in 0..5 {
            pass(&mut world, 8);
        }
        assert!(!prekeys(&world).iter().any(|row| row.secret == ahead.secret));
    }
}

#[test]
fn what_is_sealed_is_sealed_to_prekeys_once_they_are_known() {
    let mut world = World::new(74, 2);
    let (space, _) = world.found();
    let slot_opens = |world: &World, id: &MessageId| {
        let Some(StoredBody::Here(wire)) = world.hosts[1].ledger.body(id).unwrap() else {
            panic!("it is here");
        };
        let record = world.hosts[1].ledger.record(id).unwrap().unwrap();
        let Content::Sealed(sealed) = Body::decode(&wire).unwrap().content else {
            panic!("it is sealed");
        };
        let place = sealed::Place {
            space,
            device: record.feed.device,
            incarnation: record.feed.incarnation,
            sequence: record.sequence,
        };
        let device = &world.hosts[1].identity.device;
        let slot = sealed.slot(&place, device).unwrap();
        let prekeys = world.hosts[1].ledger.prekeys().unwrap();
        let by_prekey = slot
            .open(&place, prekeys.iter().map(|row| &row.secret))
            .is_some();
        (by_prekey, slot.open(&place, [&device.prekey()]).is_some())
    };
    let message = write(&mut world, space, 0, 1, "hello");
    world.run(1_000);
    assert_eq!(slot_opens(&world, &message), (true, false));
    // One who was away for so long is sealed to by its own key.
    world.cut(0, 1);
    for _ in 0..3 {
        pass(&mut world, 7);
    }
    world.hosts[1].ledger.forget_prekeys(i64::MAX).unwrap();
    let late = write(&mut world, space, 0, 1, "late");
    world.link(0, 1);
    world.run(5_000);
    assert_eq!(slot_opens(&world, &late), (false, true));
    let talk = between(&world, space, 0, 1);
    assert_eq!(world.texts(1, talk), ["hello", "late"]);
}

#[test]
fn carriers_keep_a_month_and_readers_for_good() {
    let mut world = World::new(69, 4);
    let (space, _) = world.found();
    let room = between(&world, space, 0, 1);
    for other in 0..3 {
        world.cut(3, other);
    }
    let message = write(&mut world, space, 0, 1, "long ago");
    pass(&mut world, 29);
    let body = |world: &World, host: usize| world.hosts[host].ledger.body(&message).unwrap();
    assert!(matches!(body(&world, 2), Some(StoredBody::Here(_))));
    pass(&mut world, 2);
    world.run(61_000);
    assert_eq!(body(&world, 2), Some(StoredBody::Erased));
    for reader in [0, 1] {
        assert!(matches!(body(&world, reader), Some(StoredBody::Here(_))));
        assert_eq!(world.texts(reader, room), ["long ago"]);
    }
    // Nobody gives it any more, who reads it no more than who carried it, and it is not asked for again and again.
    for other in 0..3 {
        world.link(3, other);
    }
    world.run(30_000);
    assert!(world.hosts[3].ledger.record(&message).unwrap().is_some());
    assert_eq!(body(&world, 3), None);
    let before = world.sent;
    world.run(20_000);
    assert!(world.sent - before < 40, "{} frames", world.sent - before);
    pass(&mut world, 31);
    world.run(61_000);
    assert_eq!(body(&world, 3), Some(StoredBody::Erased));
}

/// A neighbour may pass on records at once and without their bodies. Who asks for them then asks before anybody has them.
#[test]
fn bodies_that_nobody_had_yet_are_asked_for_again() {
    const COUNT: usize = 12;
    let mut world = World::new(84, 3);
    let (space, _) = world.found();
    let talk = between(&world, space, 0, 2);
    for other in [1, 2] {
        world.cut(0, other);
    }
    let long = "x".repeat(MAX_TEXT);
    let messages: Vec<MessageId> = (0..COUNT)
        .map(|_| write(&mut world, space, 0, 2, &long))
        .collect();
    let ledger = &world.hosts[0].ledger;
    let feed = ledger.record(&messages[0]).unwrap().unwrap().feed;
    let records = ledger.feed_records(&feed, 1, COUNT).unwrap();
    let bare = records.into_iter().map(|record| Carried {
        envelope: record.envelope,
        change: record.change,
        body: None,
    });
    let frame = Frame::Records {
        space,
        room: feed.room,
        device: feed.device,
        incarnation: feed.incarnation,
        records: bare.collect(),
        more: false,
    };
    give(&mut world, 1, 2, &frame.encode());
    world.run(20_000);
    let lacks = |world: &World| {
        let ledger = &world.hosts[2].ledger;
        ledger
            .bodiless(&space, true, None, None, COUNT)
            .unwrap()
            .len()
    };
    assert_eq!(lacks(&world), COUNT);
    world.link(0, 1);
    // They are asked for in a few minutes, and of more than one answer has room for no less than all.
    world.run(320_000);
    assert_eq!(lacks(&world), 0);
    assert_eq!(world.texts(2, talk).len(), COUNT);
}

#[test]
fn carriers_keep_so_much_of_one_author() {
    let mut world = World::new(70, 3);
    let (space, _) = world.found();
    let long = "x".repeat(MAX_TEXT);
    let first = write(&mut world, space, 0, 1, &long);
    for _ in 0..160 {
        write(&mut world, space, 0, 1, &long);
        world.run(500);
    }
    let by = write(&mut world, space, 1, 0, "of another");
    world.run(1_000);
    let author = world.hosts[0].node.member();
    let here = |host: usize, id: &MessageId| {
        matches!(
            world.hosts[host].ledger.body(id).unwrap(),
            Some(StoredBody::Here(_))
        )
    };
    for host in 0..3 {
        let loads = world.hosts[host].ledger.loads_of(&space, &author).unwrap();
        let load = loads.bytes + 1_024 * loads.records;
        assert!(load <= MAX_CARRIED && load > MAX_CARRIED / 2, "{loads:?}");
        assert!(here(host, &by));
    }
    assert!(here(0, &first) && here(1, &first) && !here(2, &first));
    let room = between(&world, space, 0, 1);
    assert_eq!(world.texts(1, room).len(), 162);
}

/// Records without bodies, and bodies that are not sealed, take no room that honest ones need.
#[test]
fn what_nobody_can_use_is_not_carried() {
    let mut world = World::new(83, 3);
    let (space, _) = world.found();
    let talk = between(&world, space, 0, 2);
    write(&mut world, space, 2, 0, "of use");
    world.run(2_000);
    let author = world.hosts[2].node.member();
    let loads = |world: &World| world.hosts[0].ledger.loads_of(&space, &author).unwrap();
    let before = loads(&world);
    let mut forger = Forger::new(2, space, space.direct_room());
    let open: Vec<_> = (0..100)
        .map(|_| forger.say(&world, text("open"), Vec::new()).1)
        .collect();
    let frame = forger.frame(&world, open);
    give(&mut world, 2, 0, &frame);
    assert!(world.linked(0, 2));
    assert_eq!(loads(&world), before, "what is not sealed");
    let mut last = forger.last().unwrap();
    // A forger writes one term of a feed and no more.
    for life in 1..=3 {
        let mut forger = Forger::in_life(2, space, space.direct_room(), life);
        for _ in 0..9 {
            let bodiless: Vec<_> = (0..100)
                .map(|n| {
                    let hash = Body::hash_of(&[n]);
                    forger.record(&world, hash, Vec::new(), None)
                })
                .collect();
            last = bodiless.last().unwrap().0;
            let bodiless = bodiless.into_iter().map(|(_, record)| record).collect();
            let frame = forger.frame(&world, bodiless);
            give(&mut world, 2, 0, &frame);
            world.run(250);
        }
    }
    assert!(world.hosts[0].ledger.record(&last).unwrap().is_some());
    let loads = loads(&world);
    assert_eq!((loads.bytes, loads.awaited), (before.bytes, 2_000));
    assert_eq!(world.texts(0, talk), ["of use"]);
}

#[test]
fn files_of_a_conversation_go_to_its_readers_only() {
    let mut world = World::new(71, 3);
    let (space, _) = world.found();
    let room = between(&world, space, 0, 1);
    let bytes = vec![5; 1_000];
    let mut digest = FileDigest::new();
    digest.chunk(&bytes).unwrap();
    let (file, list) = digest.finish("лист.txt", "text/plain").unwrap();
    let message = world
        .with(0, |node, ledger, now| {
            ledger
                .put_chunk_list(&file.file, file.size, &list.concat())
                .unwrap();
            ledger.put_chunk(&file.file, 0, &bytes).unwrap();
            let content = Content::Text {
                text: String::new(),
                reply_to: None,
                attachments: vec![file.clone()],
            };
            node.send(ledger, now, space, room, content)
        })
        .unwrap()
        .id;
    world.run(2_000);
    let refused = world.with(2, |node, ledger, now| node.fetch(ledger, now, message, 0));
    assert!(matches!(
        refused,
        Err(CommandError::NoAttachment | CommandError::NoMessage)
    ));
    let asked = Frame::WantList {
        message,
        index: 0,
        from: 0,
    };
    let before = world.sent_file_bytes;
    give(&mut world, 2, 0, &asked.encode());
    assert!(
        world.sent_file_bytes - before < 100,
        "no list for a carrier"
    );
    // The only one there is a carrier: it is not even asked.
    world.cut(0, 1);
    let before = world.sent;
    world
        .with(1, |node, ledger, now| node.fetch(ledger, now, message, 0))
        .unwrap();
    assert_eq!(world.sent, before);
    world.link(0, 1);
    world.run(20_000);
    assert_eq!(
        world.hosts[1].ledger.chunk(&file.file, 0).unwrap(),
        Some(bytes)
    );
}

fn reports(world: &World, host: usize, space: SpaceId) -> Vec<(MemberId, Report)> {
    let rows = world.hosts[host].view.rooms.get(&space.reports());
    rows.into_iter()
        .flatten()
        .filter_map(|(_, row)| match &row.content {
            Some(Content::Report(report)) => Some((row.author, report.clone())),
            _ => None,
        })
        .collect()
}

#[test]
fn a_report_reaches_those_who_run_the_space_and_outlives_the_message() {
    let mut world = World::new(72, 5);
    let (space, room) = world.found();
    let teacher = world.hosts[1].node.member();
    world
        .with(0, |node, ledger, now| {
            node.set_role(ledger, now, space, teacher, Role::Teacher)
        })
        .unwrap();
    world.run(2_000);
    let rude = world.say(2, space, room, "rude");
    let private = write(&mut world, space, 2, 3, "rude in private");
    world.run(2_000);
    for message in [rude, private] {
        world
            .with(3, |node, ledger, now| {
                node.report(ledger, now, message, "look at this".into())
            })
            .unwrap();
    }
    for (message, room) in [(rude, room), (private, between(&world, space, 2, 3))] {
        let delete = Content::Delete {
            target: message,
            edits: Vec::new(),
        };
        world
            .with(2, |node, ledger, now| {
                node.send(ledger, now, space, room, delete)
            })
            .unwrap();
    }
    world.run(5_000);
    assert_eq!(world.texts(0, room), ["erased", "delete"]);
    for staff in [0, 1] {
        let shown = reports(&world, staff, space);
        let said: Vec<Content> = shown
            .iter()
            .map(|(by, report)| {
                assert_eq!(*by, world.hosts[3].node.member());
                assert_eq!(report.text, "look at this");
                let reported = report.verify(&space).unwrap();
                assert_eq!(reported.device, world.hosts[2].node.device());
                reported.content
            })
            .collect();
        assert_eq!(said, [text("rude"), text("rude in private")]);
    }
    assert_eq!(reports(&world, 3, space).len(), 2, "one's own");
    for other in [2, 4] {
        assert!(reports(&world, other, space).is_empty());
    }
    // Not one's own messages, and not to the one whom it is about.
    let own = world.with(2, |node, ledger, now| {
        node.report(ledger, now, rude, String::new())
    });
    assert!(matches!(
        own,
        Err(CommandError::NoMessage | CommandError::OwnMessage)
    ));
    let of_teacher = world.say(1, space, room, "by the teacher");
    world.run(2_000);
    world
        .with(3, |node, ledger, now| {
            node.report(ledger, now, of_teacher, "and this".into())
        })
        .unwrap();
    world.run(2_000);
    assert_eq!(reports(&world, 0, space).len(), 3);
    assert_eq!(reports(&world, 1, space).len(), 2);
}

#[test]
fn a_report_carries_the_edit_that_stands_and_needs_someone_to_read_it() {
    let mut world = World::new(73, 3);
    let (space, room) = world.found();
    let message = world.say(1, space, room, "harmless");
    let edit = Content::Edit {
        target: message,
        text: "rude after all".into(),
    };
    world
        .with(1, |node, ledger, now| {
            node.send(ledger, now, space, room, edit)
        })
        .unwrap();
    let of_owner = world.say(0, space, room, "by the owner");
    world.run(2_000);
    world
        .with(2, |node, ledger, now| {
            node.report(ledger, now, message, String::new())
        })
        .unwrap();
    world.run(2_000);
    let (_, report) = reports(&world, 0, space).pop().unwrap();
    let reported = report.verify(&space).unwrap();
    let device = world.hosts[1].node.device();
    assert_eq!(reported.edit, Some((device, "rude after all".into())));
    let nobody = world.with(2, |node, ledger, now| {
        node.report(ledger, now, of_owner, String::new())
    });
    assert!(matches!(nobody, Err(CommandError::NobodyToTell)));
}

/// However long the message and its edit are.
#[test]
fn the_longest_message_is_reported_with_its_edit() {
    let mut world = World::new(77, 3);
    let (space, _) = world.found();
    let talk = between(&world, space, 1, 2);
    let (said, edited) = ("x".repeat(MAX_TEXT), "y".repeat(MAX_TEXT));
    let message = write(&mut world, space, 1, 2, &said);
    let edit = Content::Edit {
        target: message,
        text: edited.clone(),
    };
    world
        .with(1, |node, ledger, now| {
            node.send(ledger, now, space, talk, edit)
        })
        .unwrap();
    world.run(2_000);
    world.cut(0, 2);
    let why = "z".repeat(MAX_TEXT);
    world
        .with(2, |node, ledger, now| {
            node.report(ledger, now, message, why.clone())
        })
        .unwrap();
    world.run(5_000);
    // A report is longer than what else is sealed; one who missed it gets it all the same.
    world.restart(0);
    world.link(0, 1);
    world.run(10_000);
    let (_, report) = reports(&world, 0, space).pop().unwrap();
    let reported = report.verify(&space).unwrap();
    assert_eq!(reported.content, text(&said));
    assert_eq!(reported.edit.map(|(_, text)| text), Some(edited));
}

/// One who makes a report up seals what nobody signed: it arrives, and shows nothing.
#[test]
fn a_report_of_what_nobody_signed_is_not_verified() {
    let mut world = World::new(79, 4);
    let (space, room) = world.found();
    let message = world.say(1, space, room, "harmless");
    world.run(2_000);
    world
        .with(2, |node, ledger, now| {
            node.report(ledger, now, message, "true".into())
        })
        .unwrap();
    world.run(2_000);
    let (_, sound) = reports(&world, 0, space).pop().unwrap();
    let bends: [fn(&mut Evidence); 2] = [
        |evidence| *evidence.body.last_mut().unwrap() ^= 1,
        |evidence| evidence.envelope[100] ^= 1,
    ];
    for (life, bend) in (1..).zip(bends) {
        let mut bent = sound.clone();
        bend(bent.evidence.first_mut().unwrap());
        bent.text = "made up".into();
        let mut forger = Forger::in_life(3, space, space.direct_room(), life);
        let to = [sealed_to(&world, 0)];
        let content = Content::Report(bent);
        let sealed = seal(&world, &forger, 3, (&[0, 3], content), &to);
        let (_, record) = forger.say(&world, sealed, Vec::new());
        give_to_all(&mut world, &forger, 3, record);
    }
    let shown = reports(&world, 0, space);
    let verified = |report: &Report| report.verify(&space).is_ok();
    let of = |host: usize| world.hosts[host].node.member();
    let shown: Vec<_> = shown
        .iter()
        .map(|(by, report)| (*by, report.text.as_str(), verified(report)))
        .collect();
    let made_up = (of(3), "made up", false);
    assert_eq!(shown.len(), 3);
    assert!(shown.contains(&(of(2), "true", true)));
    assert_eq!(shown.iter().filter(|row| **row == made_up).count(), 2);
}
