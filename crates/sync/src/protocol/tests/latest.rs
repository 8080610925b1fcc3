//! The end of a long history, shown ahead of its records.

use artel_domain::{Audience, Content, RoomId, SpaceId};

use super::{
    super::{
        Event, Ledger as _, Reason,
        frame::{Carried, FeedEnds, Frame},
    },
    attacks::{Forger, give},
    hosts::World,
};

/// Two who have talked at length, and a third who joins now; `until` says when to stop looking.
fn newcomer(seed: u64, said: usize, until: impl Fn(&World) -> bool) -> World {
    let mut world = World::new(seed, 3);
    let space = world
        .with(0, |node, ledger, now| node.found_space(ledger, now, "7-B"))
        .unwrap();
    let room = world.hosts[0].node.rooms(&space)[0].room;
    let code = world.invite(0, space, 40);
    world.link(0, 1);
    world
        .with(1, |node, ledger, now| node.join(ledger, now, &code))
        .unwrap();
    world.run(3_000);
    for number in 0..said {
        world.say(number % 2, space, room, &number.to_string());
        if number % 50 == 0 {
            world.run(250);
        }
    }
    world.run(2_000);
    world.link(0, 2);
    world
        .with(2, |node, ledger, now| node.join(ledger, now, &code))
        .unwrap();
    for _ in 0..4_000 {
        if until(&world) {
            return world;
        }
        world.run(5);
    }
    panic!("it did not come to that");
}

fn place(world: &World) -> (SpaceId, RoomId) {
    let space = world.hosts[0].node.spaces()[0].space;
    (space, world.hosts[0].node.rooms(&space)[0].room)
}

/// A newcomer who has asked host 0 for the latest messages, and has no answer yet.
fn asking(seed: u64) -> World {
    newcomer(seed, 600, |world| {
        let (space, room) = place(world);
        let peer = world.hosts[0].node.device();
        world.hosts[2].node.is_asked_latest(&peer, &space, &room)
    })
}

fn text(words: &str) -> Content {
    Content::Text {
        text: words.into(),
        reply_to: None,
        attachments: Vec::new(),
    }
}

/// Gives the newcomer an answer of host 0.
fn answer(world: &mut World, carried: Carried) {
    let (space, room) = place(world);
    let frame = Frame::Latest {
        space,
        room,
        records: vec![carried],
    };
    give(world, 0, 2, &frame.encode());
}

fn shown(world: &World, host: usize) -> usize {
    world.texts(host, place(world).1).len()
}

fn is_ahead(world: &World, host: usize) -> bool {
    let rooms = world.hosts[host].view.rooms.values();
    rooms.flat_map(|room| room.values()).any(|row| row.ahead)
}

#[test]
fn a_newcomer_reads_the_end_first() {
    let mut world = newcomer(1, 700, |world| shown(world, 2) > 0);
    let (space, room) = place(&world);
    let all = world.texts(0, room);
    let first = world.texts(2, room);
    assert!((100..all.len()).contains(&first.len()), "{}", first.len());
    assert_eq!(first.last(), all.last());
    let end = &all[all.len() - 100..];
    assert_eq!(
        first[first.len() - 100..],
        *end,
        "the last hundred, in order"
    );
    let rows = &world.hosts[2].view.rooms[&room];
    let last = rows.values().next_back().unwrap();
    assert!(last.ahead && last.provisional, "its place is only claimed");
    let told = |event: &Event| matches!(event, Event::Ahead { room: of, .. } if *of == room);
    assert!(world.events(2).iter().any(told));
    world.run(20_000);
    assert_eq!(world.texts(2, room), all);
    let rows = world.hosts[2].view.rooms[&room].values();
    assert!(rows.clone().all(|row| !row.ahead && !row.provisional));
    assert!(world.hosts[2].ledger.ahead(&space).unwrap().is_empty());
}

#[test]
fn a_short_history_comes_only_once() {
    let world = newcomer(2, 60, |world| shown(world, 2) == 60);
    let events = world.hosts[2].view.events.iter();
    let ahead = events.filter(|event| matches!(event, Event::Shown(shown) if shown.ahead));
    assert_eq!(ahead.count(), 0);
}

#[test]
fn what_was_shown_ahead_outlives_a_restart_and_is_caught_up() {
    let mut world = newcomer(3, 600, |world| is_ahead(world, 2));
    world.restart(2);
    world.link(1, 2);
    world.run(30_000);
    let room = place(&world).1;
    assert_eq!(world.texts(2, room), world.texts(0, room));
    assert!(!is_ahead(&world, 2));
}

#[test]
fn a_message_without_a_record_is_withdrawn() {
    let mut world = asking(4);
    let (space, room) = place(&world);
    let mut forger = Forger::new(0, space, room);
    forger.boast = 1 << 40;
    let (_, carried) = forger.say(&world, text("never said"), Vec::new());
    answer(&mut world, carried);
    assert_eq!(world.texts(2, room).last().unwrap(), "never said");
    world.run(30_000);
    assert_eq!(world.texts(2, room), world.texts(0, room));
    assert!(!is_ahead(&world, 2));
}

/// Host 0 answers the newcomer with messages that nobody wrote, each of another life.
fn boast(world: &mut World, lives: u16) {
    let (space, room) = place(world);
    let forged = (0..lives).map(|life| {
        let mut forger = Forger::in_life(0, space, room, life);
        forger.boast = 1 << 40;
        forger.say(world, text("never said"), Vec::new()).1
    });
    let frame = Frame::Latest {
        space,
        room,
        records: forged.collect(),
    };
    give(world, 0, 2, &frame.encode());
}

#[test]
fn an_answer_brings_few_lives_of_a_device() {
    let mut world = asking(8);
    boast(&mut world, 20);
    let texts = world.texts(2, place(&world).1);
    let ahead = texts.iter().filter(|text| *text == "never said").count();
    assert_eq!(ahead, 8);
}

#[test]
fn whose_answer_was_withdrawn_is_not_asked_again() {
    let mut world = asking(8);
    let (space, room) = place(&world);
    boast(&mut world, 1);
    world.run(30_000);
    assert_eq!(world.texts(2, room), world.texts(0, room));
    // Both say that they have far more.
    world.link(1, 2);
    world.run(5_000);
    for (host, is_asked) in [(0, false), (1, true)] {
        let device = world.hosts[host].node.device();
        let end = (1_000, artel_domain::MessageId::from_bytes([9; 32]));
        let ends = FeedEnds {
            device,
            incarnation: Forger::in_life(host, space, room, 77).incarnation,
            ends: vec![end],
        };
        let frame = Frame::Heads {
            space,
            room,
            feeds: vec![ends],
        };
        give(&mut world, host, 2, &frame.encode());
        let asked = world.hosts[2].node.is_asked_latest(&device, &space, &room);
        assert_eq!(asked, is_asked, "host {host}");
    }
}

#[test]
fn a_forged_one_costs_its_sender_the_link() {
    for bend in [
        |carried: &mut Carried| carried.envelope[10] ^= 1,
        |carried: &mut Carried| carried.body = Some(vec![0; 40]),
        |carried: &mut Carried| carried.body = None,
    ] {
        let mut world = asking(5);
        let (space, room) = place(&world);
        let (_, mut carried) = Forger::new(0, space, room).say(&world, text("x"), Vec::new());
        bend(&mut carried);
        answer(&mut world, carried);
        let reason = world.hosts[2].dropped.last().map(|(_, reason)| *reason);
        assert!(matches!(reason, Some(Reason::Broke(_))), "{reason:?}");
    }
}

#[test]
fn one_that_was_not_asked_for_is_nothing() {
    let mut world = newcomer(6, 600, |world| is_ahead(world, 2));
    world.run(30_000);
    let (space, room) = place(&world);
    let (_, carried) = Forger::new(0, space, room).say(&world, text("x"), Vec::new());
    answer(&mut world, carried);
    assert_eq!(world.texts(2, room), world.texts(0, room));
}

#[test]
fn the_latest_of_a_room_go_to_its_readers_only() {
    let mut world = World::new(7, 2);
    let (space, _) = world.found();
    let teachers = world
        .with(0, |node, ledger, now| {
            node.create_room(ledger, now, space, "Staff", Audience::Teachers)
        })
        .unwrap();
    for number in 0..5 {
        world.say(0, space, teachers, &number.to_string());
    }
    world.run(2_000);
    let sent = world.sent;
    let frame = Frame::WantLatest {
        space,
        room: teachers,
    };
    give(&mut world, 1, 0, &frame.encode());
    assert_eq!(world.sent, sent, "nothing is answered");
}
