//! Doors: a short code leads to the invite, and guessing or relaying it leads nowhere.

use artel_domain::{DoorCode, InviteCode, Role, SpaceId};

use super::{
    super::{CommandError, DoorEnd, Event, MemberState, Reason, frame::Frame},
    attacks::give,
    hosts::World,
};

const MINUTES: i64 = 60_000;

/// A space of the first host, with an open door.
fn opened(world: &mut World) -> (SpaceId, InviteCode, DoorCode) {
    let space = world
        .with(0, |node, ledger, now| {
            node.found_space(ledger, now, "Class")
        })
        .unwrap();
    let invite = world.invite(0, space, 40);
    let code = open(world, space, &invite);
    (space, invite, code)
}

fn open(world: &mut World, space: SpaceId, invite: &InviteCode) -> DoorCode {
    let (invite, until) = (invite.clone(), world.now + 10 * MINUTES);
    world
        .with(0, |node, _, now| node.open_door(now, space, invite, until))
        .unwrap()
}

fn knock(world: &mut World, host: usize, code: &DoorCode) -> u32 {
    let code = code.clone();
    world.with(host, |node, _, now| node.knock(now, code))
}

/// Whether the last knocking of a host led to this invite.
fn was_let_through(world: &World, host: usize, invite: &InviteCode) -> bool {
    let led = |event: &Event| matches!(event, Event::DoorOpened { invite: to, .. } if to == invite);
    world.events(host).iter().any(led)
}

fn shut(world: &World, host: usize, later: bool) -> usize {
    let is = |event: &&Event| matches!(event, Event::DoorShut { later: l, .. } if *l == later);
    world.events(host).iter().filter(is).count()
}

/// Other codes of the same number, as one guesses them who heard someone knock.
fn guesses(code: &DoorCode) -> impl Iterator<Item = DoorCode> {
    let number = code.number();
    let all = (0_u64..).map(|n| {
        let [_, _, _, bytes @ ..] = n.to_be_bytes();
        DoorCode::from_bytes(bytes)
    });
    let code = code.clone();
    all.filter(move |guess| guess.number() == number && *guess != code)
}

#[test]
fn the_code_leads_in_from_whoever_holds_the_door() {
    let mut world = World::new(200, 4);
    let (space, invite, code) = opened(&mut world);
    world.link_all();
    knock(&mut world, 1, &code);
    world.run(1_000);
    assert!(was_let_through(&world, 1, &invite));
    assert_eq!(shut(&world, 1, false), 2);
    // One who connects later is heard as well.
    world.cut(0, 2);
    knock(&mut world, 2, &code);
    world.run(1_000);
    assert!(!was_let_through(&world, 2, &invite));
    world.link(0, 2);
    world.run(1_000);
    assert!(was_let_through(&world, 2, &invite));

    for host in [1, 2] {
        let invite = invite.clone();
        world
            .with(host, |node, ledger, now| node.join(ledger, now, &invite))
            .unwrap();
    }
    world.run(5_000);
    let came = [1, 2].map(|host: usize| world.hosts[host].node.member());
    for member in came {
        assert_eq!(world.state(0, space, member), MemberState::Member);
    }
    let door = world.hosts[0].node.door(&space).unwrap();
    assert_eq!((door.wrong, door.guests), (0, 2));
    assert_eq!(door.came, came);
}

#[test]
fn a_mistyped_code_finds_no_door_and_is_no_guess() {
    let mut world = World::new(201, 2);
    let (space, _, code) = opened(&mut world);
    world.link_all();
    let text = code.to_string();
    let typed = ["0000-0000", "ZZZZ-ZZZZ"].map(|other| {
        let (head, tail) = (&text[..4], &other[4..]);
        format!("{head}{tail}").parse::<DoorCode>().unwrap()
    });
    for mistyped in typed.iter().filter(|typed| typed.number() != code.number()) {
        let before = shut(&world, 1, false);
        knock(&mut world, 1, mistyped);
        world.run(1_000);
        assert_eq!(shut(&world, 1, false), before + 1);
    }
    assert_eq!(world.hosts[0].node.door(&space).unwrap().wrong, 0);
}

/// Wrong codes are counted whoever tries them: the door hears nobody for a while, longer each time, and closes in the end.
#[test]
fn guesses_slow_a_door_and_close_it() {
    let mut world = World::new(202, 4);
    let (space, invite, code) = opened(&mut world);
    world.link_all();
    let mut guesses = guesses(&code);
    for guesser in [1, 2, 1, 2, 1] {
        knock(&mut world, guesser, &guesses.next().unwrap());
        world.run(500);
    }
    let door = |world: &World| world.hosts[0].node.door(&space);
    assert_eq!(door(&world).unwrap().wrong, 5);
    // Its keeper hears of each, while it is open.
    let tried = Event::DoorTried { space };
    let told = world.events(0);
    assert_eq!(told.iter().filter(|event| **event == tried).count(), 5);
    // It rests now, also for one who knows the code; and opens to them afterwards.
    knock(&mut world, 3, &code);
    world.run(400);
    assert_eq!(shut(&world, 3, true), 1);
    world.run(4_000);
    assert!(was_let_through(&world, 3, &invite));

    let began = world.now;
    for guesser in [1, 2].into_iter().cycle() {
        let Some(before) = door(&world).map(|door| door.wrong) else {
            break;
        };
        knock(&mut world, guesser, &guesses.next().unwrap());
        while door(&world).is_some_and(|door| door.wrong == before) {
            world.run(250);
        }
    }
    assert!(world.now - began > 3 * MINUTES, "{}", world.now - began);
    let closed = Event::DoorClosed {
        space,
        why: DoorEnd::Guessed,
    };
    assert!(world.events(0).contains(&closed));
    assert!(!was_let_through(&world, 1, &invite) && !was_let_through(&world, 2, &invite));
    knock(&mut world, 1, &code);
    world.run(5_000);
    assert!(!was_let_through(&world, 1, &invite));
}

/// Each knocking is told by its number: giving one up ends no other, and what comes of one is not taken for another's.
#[test]
fn a_knocking_that_was_given_up_leaves_the_next_alone() {
    let mut world = World::new(212, 3);
    let (_, invite, code) = opened(&mut world);
    world.link_all();
    let mistyped = guesses(&code).next().unwrap();
    let ended = |world: &World, knocking| {
        let over = Event::KnockingEnded { knocking };
        world.events(1).contains(&over)
    };
    let first = knock(&mut world, 1, &mistyped);
    let by = |world: &World, code| world.hosts[1].node.knocking_by(code);
    assert_eq!(by(&world, &mistyped), Some(first));
    let second = knock(&mut world, 1, &code);
    assert!(ended(&world, first) && !ended(&world, second));
    assert_eq!(by(&world, &mistyped), None);
    // The first one's waiter gives up only now.
    world.with(1, |node, _, _| node.stop_knocking(first));
    assert!(!ended(&world, second));
    world.run(1_000);
    assert!(was_let_through(&world, 1, &invite));
    let opened: Vec<u32> = world
        .events(1)
        .iter()
        .filter_map(|event| match event {
            Event::DoorOpened { knocking, .. } => Some(*knocking),
            _ => None,
        })
        .collect();
    assert_eq!(opened, [second]);
    assert!(ended(&world, second));

    let third = knock(&mut world, 2, &mistyped);
    world.with(2, |node, _, _| node.stop_knocking(third));
    let over = Event::KnockingEnded { knocking: third };
    assert!(world.events(2).contains(&over));
}

/// Many links at once are no way around the rest: what was begun before it counts for nothing.
#[test]
fn guesses_made_at_once_do_not_get_around_the_rest() {
    let mut world = World::new(203, 12);
    let (space, _, code) = opened(&mut world);
    world.link_all();
    world.run(1_000);
    world.quick = true;
    for (guesser, guess) in (1..12).zip(guesses(&code)) {
        knock(&mut world, guesser, &guess);
    }
    world.run(250);
    assert_eq!(world.hosts[0].node.door(&space).unwrap().wrong, 5);
}

/// Who types the code again at once is answered twice; the first answer comes too late and does no harm.
#[test]
fn knocking_again_at_once_is_no_guess() {
    let mut world = World::new(209, 2);
    let (space, invite, code) = opened(&mut world);
    world.link(0, 1);
    world.run(1_000);
    for _ in 0..5 {
        knock(&mut world, 1, &code);
    }
    world.run(1_000);
    assert!(was_let_through(&world, 1, &invite));
    assert_eq!(shut(&world, 1, false), 0);
    assert!(world.hosts[1].dropped.is_empty());
    assert_eq!(world.hosts[0].node.door(&space).unwrap().wrong, 0);
}

/// One between guest and door, who passes on what each says, is at best one wrong guess.
#[test]
fn a_relay_in_the_middle_gains_nothing() {
    let mut world = World::new(204, 3);
    let (space, invite, code) = opened(&mut world);
    world.link(0, 1);
    world.link(1, 2);
    world.run(1_000);
    world.relay = Some((0, 1, 2));
    knock(&mut world, 2, &code);
    world.run(5_000);
    assert!(!was_let_through(&world, 2, &invite));
    assert_eq!(shut(&world, 2, false), 1);
    let door = world.hosts[0].node.door(&space).unwrap();
    assert_eq!((door.wrong, door.guests), (1, 0));
}

#[test]
fn a_door_that_does_not_know_its_code_is_left() {
    for (seed, answers) in [(205, false), (206, true)] {
        let mut world = World::new(seed, 2);
        let (_, invite, code) = opened(&mut world);
        // The keeper has another code of the same number.
        let other = guesses(&code).next().unwrap();
        world.link(0, 1);
        world.run(500);
        let knocking = knock(&mut world, 1, &other);
        if answers {
            while world.proved.is_empty() {
                world.run(1);
            }
        }
        let frame = Frame::DoorOpened {
            // The first knock at a door by that code.
            knock: knocking + 1,
            proof: [7; 32],
            sealed: vec![7; 63],
        };
        give(&mut world, 0, 1, &frame.encode());
        assert!(!was_let_through(&world, 1, &invite));
        let (_, reason) = world.hosts[1].dropped[0];
        assert!(matches!(reason, Reason::Broke(_)));
    }
}

#[test]
fn a_door_ends_with_its_time_or_its_invite() {
    let mut world = World::new(207, 2);
    let (space, invite, _) = opened(&mut world);
    world.run(10 * MINUTES);
    let closed = |why| Event::DoorClosed { space, why };
    assert!(world.events(0).contains(&closed(DoorEnd::Time)));
    assert_eq!(world.hosts[0].node.door(&space), None);

    open(&mut world, space, &invite);
    let id = invite.key().id();
    world
        .with(0, |node, ledger, now| {
            node.revoke_invite(ledger, now, space, id)
        })
        .unwrap();
    world.run(500);
    assert!(world.events(0).contains(&closed(DoorEnd::Invite)));
    let until = world.now + MINUTES;
    let again = world.with(0, |node, _, now| {
        node.open_door(now, space, invite.clone(), until)
    });
    assert!(matches!(again, Err(CommandError::NoInvite)));
}

#[test]
fn who_may_not_invite_holds_no_door() {
    let mut world = World::new(208, 2);
    let (space, _) = world.found();
    let invite = world.invite(0, space, 5);
    world.run(2_000);
    let until = world.now + MINUTES;
    let refused = world.with(1, |node, _, now| node.open_door(now, space, invite, until));
    assert!(matches!(
        refused,
        Err(CommandError::Forbidden {
            role: Some(Role::Student),
            ..
        })
    ));
}
