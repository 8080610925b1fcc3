//! Scenes about joining again: while a request waits, after leaving, by a better invite.

use artel_domain::{InviteCode, Role, SpaceId};

use super::{
    super::{Event, InviteTerms, Ledger as _, MemberState, Refusal, frame::Frame},
    hosts::World,
};
use crate::Ports;

fn class(world: &mut World) -> SpaceId {
    world
        .with(0, |node, ledger, now| {
            node.found_space(ledger, now, "Class")
        })
        .unwrap()
}

fn invite(world: &mut World, space: SpaceId, approve: bool, lasts: i64) -> InviteCode {
    let terms = InviteTerms {
        role: Role::Student,
        seats: 40,
        expires_at: world.now + lasts,
        approve,
    };
    world
        .with(0, |node, ledger, now| {
            node.create_invite(ledger, now, space, terms)
        })
        .unwrap()
}

fn join(world: &mut World, host: usize, code: &InviteCode) {
    world
        .with(host, |node, ledger, now| node.join(ledger, now, code))
        .unwrap();
}

fn count(world: &World, host: usize, is: impl Fn(&Event) -> bool) -> usize {
    world.events(host).iter().filter(|event| is(event)).count()
}

#[test]
fn joining_again_while_pending_tells_the_same_and_loses_nothing() {
    let mut world = World::new(80, 2);
    let space = class(&mut world);
    let code = invite(&mut world, space, true, 86_400_000);
    world.link(0, 1);
    join(&mut world, 1, &code);
    world.run(2_000);
    let pending = |world: &World| count(world, 1, |event| matches!(event, Event::Pending { .. }));
    let refused =
        |world: &World| count(world, 1, |event| matches!(event, Event::JoinRefused { .. }));
    assert_eq!((pending(&world), refused(&world)), (1, 0));
    join(&mut world, 1, &code);
    world.run(2_000);
    assert_eq!((pending(&world), refused(&world)), (2, 0));
    let member = world.hosts[1].node.member();
    world
        .with(0, |node, ledger, now| {
            node.admit(ledger, now, space, member)
        })
        .unwrap();
    world.run(6_000);
    assert_eq!(world.state(1, space, member), MemberState::Member);
}

/// One who joined and went before the secret came has it soon after the next meeting: without it, a new device of theirs
/// would be known to nobody.
#[test]
fn the_secret_comes_with_the_first_meeting() {
    let mut world = World::new(84, 2);
    let space = class(&mut world);
    let code = invite(&mut world, space, false, 86_400_000);
    join(&mut world, 1, &code);
    world.link(0, 1);
    let inside = |world: &World| world.hosts[1].node.members(&space).len() == 2;
    while !inside(&world) {
        world.run(10);
    }
    world.cut(0, 1);
    let secrets = |world: &World| world.hosts[1].ledger.secrets(&space).unwrap().len();
    assert_eq!(secrets(&world), 0);
    world.restart(1);
    world.link(0, 1);
    world.run(1_500);
    assert_eq!(secrets(&world), 1);
}

#[test]
fn a_refusal_is_the_same_each_time() {
    let mut world = World::new(81, 2);
    let space = class(&mut world);
    let code = invite(&mut world, space, false, 1_000);
    world.run(2_000);
    world.link(0, 1);
    for times in 1..=3 {
        join(&mut world, 1, &code);
        world.run(2_000);
        let expired = |event: &Event| {
            matches!(
                event,
                Event::JoinRefused {
                    refusal: Refusal::Expired,
                    ..
                }
            )
        };
        assert_eq!(count(&world, 1, expired), times);
        let id = code.key().id();
        world
            .with(1, |node, ledger, _| node.cancel_join(ledger, id))
            .unwrap();
    }
}

#[test]
fn one_who_left_comes_back_in_the_same_session() {
    let mut world = World::new(82, 3);
    let (space, room) = world.found();
    world.leave(1, space);
    world.run(5_000);
    let code = invite(&mut world, space, false, 86_400_000);
    world.run(2_000);
    join(&mut world, 1, &code);
    world.link_all();
    world.run(3_000);
    let back =
        |event: &Event| matches!(event, Event::Joined { invite, .. } if *invite == code.key().id());
    assert_eq!(count(&world, 1, back), 1);
    world.say(1, space, room, "here again");
    world.run(3_000);
    assert_eq!(world.texts(0, room), ["here again"]);
}

#[test]
fn a_better_invite_leads_further_than_the_one_that_waits() {
    let mut world = World::new(83, 2);
    let space = class(&mut world);
    let slow = invite(&mut world, space, true, 86_400_000);
    world.link(0, 1);
    join(&mut world, 1, &slow);
    world.run(2_000);
    let other = invite(&mut world, space, true, 86_400_000);
    join(&mut world, 1, &other);
    world.run(10_000);
    let member = world.hosts[1].node.member();
    assert_eq!(world.state(0, space, member), MemberState::Pending);
    let entries = world.hosts[0].node.invites(&space).len();
    assert_eq!(entries, 2);
    let open = invite(&mut world, space, false, 86_400_000);
    join(&mut world, 1, &open);
    world.run(6_000);
    for host in [0, 1] {
        assert_eq!(world.state(host, space, member), MemberState::Member);
    }
}

/// Neither one who only waits nor one who was removed learns where a member listens; a member does, and of changes too.
#[test]
fn only_members_are_told_where_one_listens() {
    let mut world = World::new(84, 3);
    let ports = |port| Ports::of([([0, 0, 0, 0], port).into()]);
    for (host, port) in (0..3).zip(1..) {
        world.with(host, |node, _, _| node.listens_on(ports(port)));
    }
    let space = class(&mut world);
    let code = invite(&mut world, space, true, 86_400_000);
    world.link_all();
    join(&mut world, 1, &code);
    world.run(5_000);
    assert_eq!(
        world.state(0, space, world.hosts[1].node.member()),
        MemberState::Pending
    );
    assert!(world.told.is_empty(), "{:?}", world.told);

    let member = world.hosts[1].node.member();
    world
        .with(0, |node, ledger, now| {
            node.admit(ledger, now, space, member)
        })
        .unwrap();
    world.run(5_000);
    assert_eq!(world.told, [(0, 1), (1, 0)].into());
    assert_eq!(world.hosts[0].reachable, [(1, ports(2))].into());
    assert_eq!(world.hosts[1].reachable, [(0, ports(1))].into());

    world.with(0, |node, _, _| node.listens_on(ports(9)));
    world.run(1_000);
    assert_eq!(world.hosts[1].reachable, [(0, ports(9))].into());

    world
        .with(0, |node, ledger, now| {
            node.remove(ledger, now, space, member, false)
        })
        .unwrap();
    world.told.clear();
    world.with(0, |node, _, _| node.listens_on(ports(10)));
    world.run(5_000);
    assert!(world.told.is_empty(), "{:?}", world.told);
}

/// What one who is not a member says of itself is kept to itself, and is not acted on.
#[test]
fn where_a_stranger_claims_to_listen_counts_for_nothing() {
    let mut world = World::new(85, 2);
    class(&mut world);
    world.link(0, 1);
    world.run(1_000);
    let stranger = world.hosts[1].node.device();
    let frame = Frame::Listening(Ports::of([([0, 0, 0, 0], 7).into()])).encode();
    world
        .with(0, |node, ledger, now| {
            node.received(ledger, now, stranger, &frame)
        })
        .unwrap();
    world.run(1_000);
    assert!(world.hosts[0].reachable.is_empty());
}

/// Only the witness's clock is asked, and only about the invite. A joiner's own may say what it likes.
#[test]
fn a_joiners_clock_decides_nothing() {
    const YEAR: i64 = 365 * 86_400_000;
    for skew in [-YEAR, 0, YEAR] {
        let mut world = World::new(84, 3);
        let space = class(&mut world);
        let late = invite(&mut world, space, false, 1_000);
        let good = invite(&mut world, space, false, 86_400_000);
        world.run(2_000);
        for (host, code) in [(1, &late), (2, &good)] {
            world.hosts[host].skew = skew;
            world.link(0, host);
            join(&mut world, host, code);
        }
        world.run(3_000);
        let refused = |event: &Event| {
            matches!(
                event,
                Event::JoinRefused {
                    refusal: Refusal::Expired,
                    ..
                }
            )
        };
        assert_eq!(count(&world, 1, refused), 1, "{skew}");
        let joined = |event: &Event| matches!(event, Event::Joined { .. });
        assert_eq!(count(&world, 2, joined), 1, "{skew}");
        // What is said stands in the order of what was seen, whatever the clocks say.
        let room = world.hosts[0].node.rooms(&space)[0].room;
        for (host, text) in [(0, "one"), (2, "two"), (0, "three"), (2, "four")] {
            world.say(host, space, room, text);
            world.run(1_000);
        }
        for host in [0, 2] {
            assert_eq!(world.texts(host, room), ["one", "two", "three", "four"]);
        }
    }
}

/// One with the code may come under as many names as they like: the list of those who wait has an end, and who is in
/// goes on.
#[test]
fn no_more_wait_at_the_door_than_may() {
    const MOST: usize = 300;
    let mut world = World::new(85, MOST + 3);
    let space = class(&mut world);
    let code = invite(&mut world, space, true, 86_400_000);
    let crowded = |event: &Event| {
        matches!(
            event,
            Event::JoinRefused {
                refusal: Refusal::Crowded,
                ..
            }
        )
    };
    for host in 1..MOST + 3 {
        world.quick = true;
        world.link(0, host);
        join(&mut world, host, &code);
        world.run(250);
        world.cut(0, host);
        assert_eq!(count(&world, host, crowded) > 0, host > MOST, "{host}");
    }
    let waiting = world.hosts[0].node.members(&space).into_iter();
    let waiting = waiting.filter(|member| member.state == MemberState::Pending);
    assert_eq!(waiting.count(), MOST);
}
