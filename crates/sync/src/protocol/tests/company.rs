//! Who is seen, who is linked, and what is passed on where not everybody is linked with everybody.

use std::{collections::BTreeSet, net::SocketAddr};

use artel_domain::{
    Audience, DeviceId, DeviceKey, Linked, RoomId, Signed, SpaceId, limits::MAX_POSITION,
};

use super::{
    super::{
        Event, HeldOff, Reach, Reason,
        frame::{Frame, Reached},
        mesh::{DRAWN, FEW, NEIGHBOURS},
    },
    attacks::give,
    hosts::World,
};

/// Members that a host takes for being there.
fn online(world: &World, host: usize, space: SpaceId) -> usize {
    let members = world.hosts[host].node.members(&space);
    members.iter().filter(|member| member.online).count()
}

/// Links of a device that chooses: its own neighbours, and those who drew it.
const LINKS: std::ops::RangeInclusive<usize> = NEIGHBOURS + DRAWN..=NEIGHBOURS + DRAWN + 12;

/// What a network knows that hears these hosts.
fn within(world: &World, hosts: impl IntoIterator<Item = usize>) -> Reach {
    let heard = devices(world, hosts);
    let known = heard.clone();
    Reach { heard, known }
}

fn devices(world: &World, hosts: impl IntoIterator<Item = usize>) -> BTreeSet<DeviceId> {
    let hosts = hosts.into_iter();
    hosts.map(|host| world.hosts[host].node.device()).collect()
}

/// What a device says of its links, signed by that key.
fn word(space: SpaceId, key: &DeviceKey, version: u64, linked: &BTreeSet<DeviceId>) -> Vec<u8> {
    let short = |device: &DeviceId| std::array::from_fn(|n| device.as_bytes()[n]);
    let linked = Linked {
        space,
        device: key.id(),
        version,
        linked: linked.iter().map(short).collect(),
    };
    Signed::seal(linked, key).unwrap().wire().to_vec()
}

fn word_of(world: &World, space: SpaceId, host: usize, linked: &[usize]) -> Vec<u8> {
    let key = &world.hosts[host].identity.device;
    word(
        space,
        key,
        MAX_POSITION,
        &devices(world, linked.iter().copied()),
    )
}

/// A class comes in, each linked with each; then most links are given up again.
fn class(of: usize) -> (World, SpaceId, RoomId) {
    let mut world = World::new(200, of);
    let (space, room) = world.found();
    world.run(90_000);
    (world, space, room)
}

#[test]
fn sixty_keep_twelve_links_each_and_all_get_all() {
    let (mut world, space, room) = class(60);
    for host in 0..60 {
        let links = world.links_of(host).len();
        assert!(LINKS.contains(&links), "{links} of host {host}");
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
    assert!(LINKS.contains(&world.links_of(7).len()));
    world.run(30_000);
    assert_eq!(world.texts(7, room).last().unwrap(), "while 7 was away");
    for host in 0..60 {
        assert_eq!(online(world, host, space), 60, "host {host}");
        let links = world.links_of(host).len();
        assert!(LINKS.contains(&links), "{links} of host {host}");
    }
}

#[test]
fn a_class_that_fell_apart_comes_together_by_one_dial() {
    let (mut world, space, room) = class(40);
    let (here, away) = (0..31, 31..40);
    for one in here.clone() {
        for other in away.clone() {
            world.cut(one, other);
        }
    }
    world.run(60_000);
    assert_eq!(online(&world, 0, space), 31);
    let reach = within(&world, here.clone());
    for host in here.clone() {
        let off = world.hosts[host].node.held_off(&reach);
        for other in here.clone() {
            if !off.there.contains(&world.hosts[other].node.device()) {
                world.link(host, other);
            }
        }
    }
    world.run(30_000);
    // Nobody has heard of the others for a while, and nobody lacks neighbours: they are tried now and then.
    let (there, lost) = (devices(&world, here.clone()), devices(&world, away));
    for host in here {
        let off = world.hosts[host].node.held_off(&reach);
        assert_eq!(off.away, lost, "host {host}");
        assert!(!off.there.is_empty(), "host {host}");
        assert!(off.there.is_subset(&there), "host {host}");
    }
    world.link(0, 31);
    world.run(45_000);
    world.dial();
    world.say(0, space, room, "all of us");
    world.run(2_000);
    for host in 0..40 {
        assert_eq!(online(&world, host, space), 40, "host {host}");
        assert_eq!(world.texts(host, room), ["all of us"], "host {host}");
    }
}

#[test]
fn who_cannot_be_reached_is_not_chosen() {
    let (mut world, space, _) = class(40);
    assert_eq!(online(&world, 0, space), 40);
    // They are there, as others say; the network has no address of theirs, or they do not answer.
    let reach = within(&world, world.links_of(0));
    let off = world.hosts[0].node.held_off(&reach);
    assert_eq!(off, HeldOff::default(), "whoever is within reach is wanted");
}

#[test]
fn where_those_who_were_chosen_never_come_anybody_is_welcome() {
    let (mut world, space, _) = class(40);
    let reach = within(&world, 0..40);
    let off = world.hosts[0].node.held_off(&reach);
    let others: Vec<usize> = (1..40)
        .filter(|host| !world.linked(0, *host))
        .filter(|host| off.there.contains(&world.hosts[*host].node.device()))
        .collect();
    for host in world.links_of(0) {
        world.cut(0, host);
    }
    for host in others.iter().take(NEIGHBOURS) {
        world.link(0, *host);
    }
    world.run(30_000);
    assert!(!world.hosts[0].node.held_off(&reach).there.is_empty());
    world.run(90_000);
    assert_eq!(online(&world, 0, space), 40);
    assert!(world.hosts[0].node.held_off(&reach).there.is_empty());
}

#[test]
fn one_who_asks_to_part_again_and_again_floods() {
    let mut world = World::new(207, 2);
    world.found();
    for _ in 0..2_000 {
        give(&mut world, 1, 0, &Frame::Spare.encode());
    }
    assert_eq!(world.hosts[0].dropped, [(1, Reason::Flooding)]);
}

#[test]
fn one_who_comes_and_goes_at_the_limit_changes_little() {
    let mut world = World::new(205, 36);
    let (space, _) = world.found();
    world.run(90_000);
    assert!(world.links_of(0).len() < 35);
    for host in FEW + 2..36 {
        world.restart(host);
    }
    world.run(30_000);
    assert_eq!(online(&world, 0, space), FEW + 2);
    let reach = within(&world, 0..FEW + 2);
    let off = world.hosts[0].node.held_off(&reach);
    assert!(!off.there.is_empty(), "it goes on choosing");
    world.restart(FEW + 1);
    world.run(30_000);
    let reach = within(&world, 0..=FEW);
    assert!(world.hosts[0].node.held_off(&reach).there.is_empty());
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
    let said = |said: Vec<Vec<u8>>| Frame::Around { space, said }.encode();
    let stranger = DeviceKey::from_bytes(&[8; 32]);
    let strange = word(space, &stranger, 7, &devices(&world, 0..3));
    let mine = &world.hosts[1].identity.device;
    let links = [world.hosts[0].node.device(), stranger.id()].into();
    let mine = word(space, mine, MAX_POSITION, &links);
    give(&mut world, 1, 0, &said(vec![strange, mine]));
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

/// Five who were in; only 0 and 1 are still there, and 1 was not linked with the others when they went.
fn two_of_five() -> (World, SpaceId) {
    let mut world = World::new(206, 5);
    let (space, _) = world.found();
    for host in 2..5 {
        world.cut(1, host);
    }
    world.run(30_000);
    for host in 2..5 {
        world.restart(host);
    }
    world.run(30_000);
    assert_eq!(online(&world, 0, space), 2);
    (world, space)
}

/// Host 1 passes on to 0 what somebody says of their links.
fn pass_on(world: &mut World, space: SpaceId, said: Vec<u8>) {
    let said = vec![said];
    give(world, 1, 0, &Frame::Around { space, said }.encode());
}

#[test]
fn nobody_makes_a_link_by_their_word_alone() {
    let (mut world, space) = two_of_five();
    let all = word_of(&world, space, 1, &[0, 2, 3, 4]);
    pass_on(&mut world, space, all);
    assert_eq!(online(&world, 0, space), 2, "nobody else says so");
    let other = word_of(&world, space, 2, &[1]);
    pass_on(&mut world, space, other);
    assert_eq!(online(&world, 0, space), 3);
}

#[test]
fn what_comes_before_that_by_which_it_can_be_reached_is_kept() {
    let (mut world, space) = two_of_five();
    for (host, linked) in [(3, [2].as_slice()), (2, &[1, 3]), (1, &[0, 2])] {
        assert_eq!(online(&world, 0, space), 2);
        let said = word_of(&world, space, host, linked);
        pass_on(&mut world, space, said);
    }
    assert_eq!(online(&world, 0, space), 4);
}

#[test]
fn nobody_speaks_for_another() {
    let (mut world, space) = two_of_five();
    let mut forged = word_of(&world, space, 4, &[1]);
    forged[10] ^= 1;
    pass_on(&mut world, space, forged);
    let dropped = world.hosts[0].dropped.last();
    assert!(
        matches!(dropped, Some((1, Reason::Broke(_)))),
        "{dropped:?}"
    );
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
