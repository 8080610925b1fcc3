//! Scenes about restored, moved, reset and cloned machines.

use artel_domain::{Audience, Content, Role};

use super::{
    super::{CommandError, Event, MemberState},
    hosts::World,
};

fn cloned(world: &World, host: usize) -> usize {
    let told = |event: &&Event| matches!(event, Event::Cloned);
    world.events(host).iter().filter(told).count()
}

/// What was deleted since the backup is gone from the restored machine before it counts as being in step.
#[test]
fn a_restored_machine_hears_of_deletions_before_it_is_in_step() {
    let mut world = World::new(60, 3);
    let (space, room) = world.found();
    let target = world.say(2, space, room, "better not");
    world.run(2_000);
    let backup = (world.hosts[2].ledger.clone(), world.hosts[2].view.clone());
    let delete = Content::Delete {
        target,
        edits: Vec::new(),
    };
    world
        .with(0, |node, ledger, now| {
            node.send(ledger, now, space, room, delete)
        })
        .unwrap();
    for n in 0..300 {
        world.say(0, space, room, &n.to_string());
    }
    world.run(2_000);
    world.restart(2);
    (world.hosts[2].ledger, world.hosts[2].view) = backup;
    world.move_to_new_device(2);
    world.hosts[2].view.events.clear();
    assert_eq!(world.texts(2, room), ["better not"]);
    world.link(1, 2);
    world.run(10_000);
    let place = |wanted: fn(&Event) -> bool| world.events(2).iter().position(wanted);
    let erased = place(|event| matches!(event, Event::Erased { .. })).expect("it was erased");
    let peer = world.hosts[1].node.device();
    let in_step = world
        .events(2)
        .iter()
        .position(|event| matches!(event, Event::InStep { space: of, peer: with, whole: true } if (*of, *with) == (space, peer)))
        .expect("it came in step");
    assert!(erased < in_step);
    assert!(world.hosts[2].node.is_inside(&space));
    assert_eq!(world.texts(2, room).len(), 302);
}

/// Both learn that they hold the same, whoever was behind and whoever told last.
#[test]
fn who_caught_up_knows_it_soon() {
    for seed in 0..6 {
        let mut world = World::new(200 + seed, 2);
        let (space, room) = world.found();
        world.cut(0, 1);
        for n in 0..3_000 {
            world.say(0, space, room, &n.to_string());
        }
        for host in 0..2 {
            world.hosts[host].view.events.clear();
        }
        world.link(0, 1);
        world.run(12_000);
        for host in 0..2 {
            let in_step = |event: &Event| matches!(event, Event::InStep { whole: true, .. });
            assert!(world.events(host).iter().any(in_step), "{seed}: {host}");
        }
    }
}

/// What the old machine wrote in a room is at those who may read it, and one who may not says nothing of it.
#[test]
fn a_room_is_in_step_only_with_its_readers() {
    let mut world = World::new(64, 3);
    let (space, _) = world.found();
    let teacher = world.hosts[1].node.member();
    world
        .with(0, |node, ledger, now| {
            node.set_role(ledger, now, space, teacher, Role::Teacher)
        })
        .unwrap();
    world
        .with(0, |node, ledger, now| {
            node.create_room(ledger, now, space, "Staff", Audience::Teachers)
        })
        .unwrap();
    world.run(3_000);
    world.restart(1);
    world.hosts[1].view.events.clear();
    let whole = |world: &World| {
        let mut told = world.events(1).iter().filter_map(|event| match event {
            Event::InStep { whole, .. } => Some(*whole),
            _ => None,
        });
        told.next_back()
    };
    world.link(1, 2);
    world.run(5_000);
    assert_eq!(whole(&world), Some(false), "met a student only");
    world.link(1, 0);
    world.run(5_000);
    assert_eq!(whole(&world), Some(true));
}

/// The founder of a space with nobody else in it restores a backup, goes on, and is believed by those who come later.
#[test]
fn a_lone_owner_goes_on_at_a_new_machine() {
    let mut world = World::new(61, 3);
    let space = world
        .with(0, |node, ledger, now| {
            node.found_space(ledger, now, "Class")
        })
        .unwrap();
    let room = world.hosts[0].node.rooms(&space)[0].room;
    world.say(0, space, room, "from the old machine");
    let old = world.hosts[0].node.device();
    world.move_to_new_device(0);
    assert!(!world.hosts[0].node.is_inside(&space));
    world
        .with(0, |node, ledger, now| node.enrol_where_alone(ledger, now))
        .unwrap();
    assert!(world.hosts[0].node.is_inside(&space));
    world.say(0, space, room, "from the new machine");
    world.restart(0);
    let code = world.invite(0, space, 40);
    for (host, witness) in [(1, 0), (2, 1)] {
        world
            .with(host, |node, ledger, now| node.join(ledger, now, &code))
            .unwrap();
        world.link(host, witness);
        world.run(10_000);
    }
    world
        .with(0, |node, ledger, now| {
            node.retire_device(ledger, now, space, old)
        })
        .unwrap();
    world.say(0, space, room, "and on");
    world.run(10_000);
    let all = ["from the old machine", "from the new machine", "and on"];
    for host in 0..3 {
        assert_eq!(world.texts(host, room), all, "host {host}");
        let members = world.hosts[host].node.members(&space);
        let owner = members.iter().find(|m| m.role == Role::Owner).unwrap();
        assert_eq!(owner.devices, [world.hosts[0].node.device()]);
        assert_eq!(members.len(), 3);
    }
    // Where others are in, one of them has to vouch.
    world.move_to_new_device(1);
    world
        .with(1, |node, ledger, now| node.enrol_where_alone(ledger, now))
        .unwrap();
    assert!(!world.hosts[1].node.is_inside(&space));
    let early = world.with(1, |node, ledger, now| {
        let content = Content::Text {
            text: "too early".into(),
            reply_to: None,
            attachments: Vec::new(),
        };
        node.send(ledger, now, space, room, content)
    });
    assert!(matches!(early, Err(CommandError::NotEnrolled)));
    let member = world.hosts[1].node.member();
    assert_eq!(world.state(1, space, member), MemberState::Member);
}

/// Two running machines with one key: the first that sees what the other writes meanwhile is told, and takes another.
#[test]
fn a_living_clone_is_found_and_both_go_on() {
    let mut world = World::new(62, 2);
    let (space, room) = world.found();
    world.say(1, space, room, "before");
    world.run(2_000);
    world.cut(0, 1);
    let copy = world.copy_host(1);
    // They are in reach by turns. Neither knows yet whether the other lives or is a past of its own.
    world.say(1, space, room, "original, away");
    world.say(copy, space, room, "copy, away");
    world.link(0, 1);
    world.run(3_000);
    world.cut(0, 1);
    world.link(0, copy);
    world.run(60_000);
    assert_eq!([cloned(&world, 1), cloned(&world, copy)], [0, 0]);
    world.say(copy, space, room, "copy, later");
    world.run(3_000);
    world.cut(0, copy);
    world.link(0, 1);
    world.run(60_000);
    assert_eq!([cloned(&world, 1), cloned(&world, copy)], [1, 0]);

    world.move_to_new_device(1);
    world.link(0, 1);
    world.link(0, copy);
    world.run(10_000);
    world.say(1, space, room, "original, with a key of its own");
    world.say(copy, space, room, "copy, with the old one");
    world.run(60_000);
    let mut texts = world.texts(0, room);
    assert_eq!(world.texts(1, room), texts);
    assert_eq!(world.texts(copy, room), texts);
    texts.sort();
    assert_eq!(
        texts,
        [
            "before",
            "copy, away",
            "copy, later",
            "copy, with the old one",
            "original, away",
            "original, with a key of its own",
        ]
    );
    assert_eq!([cloned(&world, 1), cloned(&world, copy)], [1, 0]);
}

/// A machine that is put back to an earlier state meets its own lost records, not a clone.
#[test]
fn a_machine_that_is_reset_keeps_its_key() {
    let mut world = World::new(63, 2);
    let (space, room) = world.found();
    world.say(1, space, room, "before");
    world.run(2_000);
    let image = (world.hosts[1].ledger.clone(), world.hosts[1].view.clone());
    for (day, words) in ["monday", "tuesday", "wednesday"].into_iter().enumerate() {
        world.restart(1);
        (world.hosts[1].ledger, world.hosts[1].view) = image.clone();
        world.restart(1);
        world.say(1, space, room, words);
        world.link(0, 1);
        world.run(60_000);
        world.say(1, space, room, &format!("{words}, later"));
        world.run(30_000);
        assert_eq!(cloned(&world, 1), 0, "{words}");
        assert_eq!(world.texts(1, room).len(), 1 + 2 * (day + 1));
        assert_eq!(world.texts(1, room), world.texts(0, room));
    }
}
