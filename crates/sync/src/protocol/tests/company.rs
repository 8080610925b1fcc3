//! Who is seen, who is linked, and what is passed on where not everybody is linked with everybody.

use std::net::SocketAddr;

use artel_domain::{Audience, RoomId, SpaceId};

use super::{
    super::{
        Event, Reason,
        frame::{Frame, Reached, Said},
        mesh::NEIGHBOURS,
    },
    attacks::give,
    hosts::World,
};

/// Members that a host takes for being there.
fn online(world: &World, host: usize, space: SpaceId) -> usize {
    let members = world.hosts[host].node.members(&space);
    members.iter().filter(|member| member.online).count()
}

/// A class of sixty comes in, each linked with each; then most links are given up again.
fn class() -> (World, SpaceId, RoomId) {
    let mut world = World::new(200, 60);
    let (space, room) = world.found();
    world.run(90_000);
    (world, space, room)
}

#[test]
fn sixty_keep_twelve_links_each_and_all_get_all() {
    let (mut world, space, room) = class();
    for host in 0..60 {
        assert_eq!(world.links_of(host).len(), NEIGHBOURS, "host {host}");
        assert_eq!(online(&world, host, space), 60, "host {host}");
    }
    world.say(0, space, room, "one to all");
    world.run(1_500);
    let came = |host: &usize| world.texts(*host, room) == ["one to all"];
    assert_eq!((0..60).filter(came).count(), 60);
    let before = world.sent_by.clone();
    for round in 0..3 {
        for host in 0..60 {
            world.say(host, space, room, &format!("{round} by {host}"));
        }
        world.run(5_000);
    }
    for host in 0..60 {
        assert_eq!(world.texts(host, room).len(), 181, "host {host}");
        assert_eq!(world.texts(host, room), world.texts(0, room), "host {host}");
    }
    let sent = world.sent_by.iter().map(|(host, all)| all - before[host]);
    let (most, all) = (sent.clone().max().unwrap(), sent.sum::<u64>());
    println!("180 texts to 60: {} bytes a node, {most} at most", all / 60);
    for host in 0..60 {
        let events = world.events(host).iter();
        let gone = |event: &&Event| matches!(event, Event::Presence { online: false, .. });
        assert_eq!(events.filter(gone).count(), 0, "host {host}");
        let mut dropped = world.hosts[host].dropped.iter();
        assert!(dropped.all(|(_, why)| *why == Reason::Spare), "host {host}");
    }
    a_room_for_some_connects_its_readers(&mut world, space);
    who_returns_dials_its_neighbours_alone(&mut world, space, room);
}

fn a_room_for_some_connects_its_readers(world: &mut World, space: SpaceId) {
    let other = (1..60).find(|host| !world.linked(0, *host)).unwrap();
    let member = world.hosts[other].node.member();
    let audience = Audience::Chosen(vec![member]);
    let room = world
        .with(0, |node, ledger, now| {
            node.create_room(ledger, now, space, "two of us", audience)
        })
        .unwrap();
    world.run(5_000);
    world.dial();
    world.run(40_000);
    assert!(world.linked(0, other), "and the link stays");
    world.say(0, space, room, "hello");
    world.run(1_000);
    assert_eq!(world.texts(other, room), ["hello"]);
}

fn who_returns_dials_its_neighbours_alone(world: &mut World, space: SpaceId, room: RoomId) {
    world.restart(7);
    world.run(40_000);
    for host in (0..60).filter(|host| *host != 7) {
        assert_eq!(online(world, host, space), 59, "host {host}");
    }
    world.say(9, space, room, "while 7 was away");
    world.dial();
    assert!(world.links_of(7).len() <= NEIGHBOURS + 2);
    world.run(30_000);
    assert_eq!(world.texts(7, room).last().unwrap(), "while 7 was away");
    for host in 0..60 {
        assert_eq!(online(world, host, space), 60, "host {host}");
        let links = world.links_of(host).len();
        assert!(
            (NEIGHBOURS..=NEIGHBOURS + 4).contains(&links),
            "{links} of host {host}"
        );
    }
}

#[test]
fn in_a_full_mesh_nothing_is_passed_on() {
    let mut world = World::new(201, 6);
    let (space, room) = world.found();
    world.run(30_000);
    let before = world.news;
    for host in 0..6 {
        world.say(host, space, room, "hello");
        world.run(1_000);
    }
    assert_eq!(world.news, before);
    assert_eq!(world.texts(5, room).len(), 6);
    // Where a link is missing, and it is known to be, the others step in.
    world.cut(0, 5);
    world.run(12_000);
    world.say(0, space, room, "by a detour");
    world.run(400);
    assert!(world.news > before);
    assert_eq!(world.texts(5, room).last().unwrap(), "by a detour");
}

#[test]
fn one_who_is_linked_with_others_is_there_and_one_who_goes_is_gone() {
    let mut world = World::new(202, 5);
    let (space, _) = world.found();
    // A chain: 0 - 1 - 2 - 3 - 4.
    for one in 0..5 {
        for other in one + 2..5 {
            world.cut(one, other);
        }
    }
    world.run(60_000);
    for host in 0..5 {
        assert_eq!(online(&world, host, space), 5, "host {host}");
    }
    // The end begins anew: what it says counts, though it said more before.
    world.restart(4);
    world.link(3, 4);
    world.run(60_000);
    assert_eq!(online(&world, 0, space), 5);
    world.restart(4);
    world.run(45_000);
    for host in 0..4 {
        assert_eq!(online(&world, host, space), 4, "host {host}");
    }
    // Half of the chain breaks off as a whole.
    world.cut(1, 2);
    world.run(30_000);
    for host in 0..4 {
        assert_eq!(online(&world, host, space), 2, "host {host}");
    }
    world.link(1, 2);
    world.run(45_000);
    assert_eq!(online(&world, 0, space), 4);
}

#[test]
fn what_is_said_of_strangers_and_by_strangers_counts_for_nothing() {
    let mut world = World::new(203, 3);
    let (space, _) = world.found();
    world.run(15_000);
    let short = |world: &World, host: usize| {
        let device = world.hosts[host].node.device();
        let mut short = [0; 8];
        short.copy_from_slice(&device.as_bytes()[..8]);
        short
    };
    let said = Said {
        device: short(&world, 1),
        version: u64::MAX,
        linked: vec![short(&world, 0), [7; 8]],
    };
    let frame = Frame::Around {
        space,
        said: vec![
            said.clone(),
            Said {
                device: [8; 8],
                ..said
            },
        ],
    };
    give(&mut world, 1, 0, &frame.encode());
    world.run(30_000);
    assert_eq!(
        online(&world, 0, space),
        3,
        "2 is linked here, whatever 1 says"
    );
    // Nobody outside is heard: 2 was removed.
    let member = world.hosts[2].node.member();
    world
        .with(0, |node, ledger, now| {
            node.remove(ledger, now, space, member, false)
        })
        .unwrap();
    world.run(5_000);
    assert_eq!(online(&world, 0, space), 2);
}

#[test]
fn members_tell_where_others_were_reached() {
    let mut world = World::new(204, 4);
    let (space, _) = world.found();
    world.cut(1, 2);
    let at = |text: &str| text.parse::<SocketAddr>().unwrap();
    let device = |world: &World, host: usize| world.hosts[host].node.device();
    let (one, two) = (device(&world, 1), device(&world, 2));
    world.with(0, |node, _, now| {
        node.reached(two, at("192.168.1.3:47600"), now);
        node.reached(one, at("8.8.8.8:47600"), now);
    });
    world.run(30_000);
    assert_eq!(world.hosts[1].hints, [(2, at("192.168.1.3:47600"))]);
    assert!(
        world.hosts[2].hints.is_empty(),
        "an address outside is not told"
    );
    assert!(world.hosts[3].hints.is_empty(), "3 is linked with both");
    // Nor taken: outside, of the receiver itself, too old, of nobody's device.
    let reached = |device, address: &str, minutes| Reached {
        device,
        at: at(address),
        minutes,
    };
    let frame = Frame::Reached(vec![
        reached(two, "8.8.8.8:1", 0),
        reached(two, "127.0.0.1:1", 0),
        reached(two, "[fe80::1]:1", 0),
        reached(two, "10.0.0.1:0", 0),
        reached(two, "10.0.0.1:1", 24 * 60 + 1),
        reached(one, "10.0.0.1:1", 0),
        reached(artel_domain::DeviceId::from_bytes([9; 32]), "10.0.0.1:1", 0),
        reached(two, "10.0.0.1:1", 24 * 60),
    ]);
    give(&mut world, 3, 1, &frame.encode());
    assert_eq!(world.hosts[1].hints[1..], [(2, at("10.0.0.1:1"))]);
    // Nor from one who is no member any more.
    let member = world.hosts[3].node.member();
    world
        .with(0, |node, ledger, now| {
            node.remove(ledger, now, space, member, false)
        })
        .unwrap();
    world.run(1_000);
    give(&mut world, 3, 1, &frame.encode());
    assert_eq!(world.hosts[1].hints.len(), 2);
}
