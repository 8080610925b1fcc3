//! Registers: reactions, how far somebody read, prekeys.

use artel_domain::{
    Audience, DeviceId, DeviceKey, MessageId, Register, Role, RoomId, Signed, SpaceId, Topic,
    limits::{MAX_POSITION, MAX_REGISTERS},
};
use proptest::prelude::*;

use super::{
    super::{
        CommandError, Event, Ledger as _, Reason,
        frame::{Cell, Frame, Part},
    },
    attacks::give,
    hosts::World,
};

type Outcome = Result<(), CommandError>;

/// A host puts a sign under a message, or takes it back.
fn react(
    world: &mut World,
    host: usize,
    (space, room, target): (SpaceId, RoomId, MessageId),
    emoji: &str,
) -> Outcome {
    let emoji = (!emoji.is_empty()).then(|| emoji.to_owned());
    world.with(host, |node, ledger, now| {
        node.react(ledger, now, space, room, target, emoji)
    })
}

/// The signs under a message at a host, each with the host whose member put it there.
fn signs(
    world: &World,
    host: usize,
    (space, room, target): (SpaceId, RoomId, MessageId),
) -> Vec<(usize, String)> {
    let by = |member| {
        let mut hosts = 0..world.hosts.len();
        hosts.find(|host| world.hosts[*host].node.member() == member)
    };
    let reactions = world.hosts[host].node.reactions(&space, &room, &target);
    let mut signs: Vec<_> = reactions
        .into_iter()
        .map(|reaction| (by(reaction.member).unwrap(), reaction.emoji))
        .collect();
    signs.sort();
    signs
}

fn sign(host: usize, emoji: &str) -> (usize, String) {
    (host, emoji.to_owned())
}

/// A register as a host's own software would not write it.
fn forged(world: &World, host: usize, bend: impl FnOnce(&mut Register)) -> Vec<u8> {
    let key = &world.hosts[host].identity.device;
    let mut register = Register {
        space: SpaceId::from_bytes([0; 32]),
        room: RoomId::from_bytes([0; 32]),
        device: key.id(),
        turn: 5,
        topic: Topic::Prekey(Vec::new()),
    };
    bend(&mut register);
    Signed::seal(register, key).unwrap().wire().to_vec()
}

fn frame(space: SpaceId, registers: Vec<Vec<u8>>) -> Vec<u8> {
    let answer = None;
    let frame = Frame::Registers {
        space,
        registers,
        answer,
    };
    frame.encode()
}

fn reaction(target: MessageId, emoji: &str) -> Topic {
    let emoji = Some(emoji.to_owned());
    Topic::Reaction { target, emoji }
}

fn kept(world: &World, host: usize, space: SpaceId) -> Vec<Vec<u8>> {
    let mut kept = world.hosts[host].ledger.registers(&space).unwrap();
    // Each device makes its prekeys known by itself.
    let of_rooms = |wire: &Vec<u8>| {
        let register = Signed::<Register>::open(wire).unwrap();
        register.value().room != space.control_room()
    };
    kept.retain(of_rooms);
    kept.sort();
    kept
}

/// Three hosts, and a message of the first.
fn class(seed: u64) -> (World, (SpaceId, RoomId, MessageId)) {
    let mut world = World::new(seed, 3);
    let (space, room) = world.found();
    let target = world.say(0, space, room, "a picture of a cat");
    world.run(2_000);
    (world, (space, room, target))
}

#[test]
fn a_member_has_one_sign_under_a_message_and_may_change_it() {
    let (mut world, at) = class(400);
    let everywhere = |world: &World, expected: &[(usize, String)]| {
        for host in 0..3 {
            assert_eq!(signs(world, host, at), expected, "{host}");
        }
    };
    react(&mut world, 1, at, "👍").unwrap();
    react(&mut world, 2, at, "❤️").unwrap();
    world.run(500);
    everywhere(&world, &[sign(1, "👍"), sign(2, "❤️")]);
    world.run(3_000);
    react(&mut world, 1, at, "🎉").unwrap();
    world.run(500);
    everywhere(&world, &[sign(1, "🎉"), sign(2, "❤️")]);
    react(&mut world, 2, at, "").unwrap();
    world.restart(0);
    world.link_all();
    world.run(20_000);
    everywhere(&world, &[sign(1, "🎉")]);
    let other = (at.0, at.1, MessageId::from_bytes([7; 32]));
    let unknown = react(&mut world, 1, other, "👍");
    assert!(matches!(unknown, Err(CommandError::NoMessage)));
    let words = react(&mut world, 1, at, "yes");
    assert!(matches!(words, Err(CommandError::Record(_))));
}

/// Who was away, and who is not connected to the writer, hears by digests; one more value costs one register.
#[test]
fn what_is_missing_is_found_by_digests() {
    let (mut world, at) = class(401);
    let (space, room, target) = at;
    world.cut(0, 2);
    react(&mut world, 0, at, "👍").unwrap();
    world.run(15_000);
    assert_eq!(signs(&world, 2, at), [sign(0, "👍")], "by a third");
    let more: Vec<MessageId> = (0..200)
        .map(|n| world.say(1, space, room, &n.to_string()))
        .collect();
    world.run(5_000);
    world.cut(1, 2);
    for target in more {
        react(&mut world, 0, (space, room, target), "👍").unwrap();
    }
    world.run(5_000);
    world.registers_sent = 0;
    world.link(1, 2);
    world.run(25_000);
    assert_eq!(kept(&world, 2, space), kept(&world, 0, space));
    // Those, and what lies in the same cells.
    let sent = world.registers_sent;
    assert!((200..210).contains(&sent), "{sent}");
    world.cut(1, 2);
    react(&mut world, 0, at, "🎉").unwrap();
    let read = world.hosts[1].ledger.record(&target).unwrap().unwrap();
    let read = (read.lamport, read.id);
    world
        .with(1, |node, ledger, now| {
            node.mark_read(ledger, now, space, room, read)
        })
        .unwrap();
    world.run(5_000);
    world.registers_sent = 0;
    world.link(1, 2);
    world.run(25_000);
    assert_eq!(signs(&world, 2, at), [sign(0, "🎉")]);
    // Of 201 reactions only those in the cell of the one that changed.
    assert!(
        (2..30).contains(&world.registers_sent),
        "{}",
        world.registers_sent
    );
}

#[test]
fn what_is_in_step_costs_nothing_more() {
    let (mut world, at) = class(402);
    for host in 0..3 {
        react(&mut world, host, at, "👍").unwrap();
    }
    world.run(60_000);
    world.sent = 0;
    world.run(60_000);
    // Three links, both ways, twice: a summary of the feeds.
    assert!(world.sent <= 3 * 2 * 2, "{} frames", world.sent);
}

#[test]
fn how_far_one_read_goes_forward_only() {
    let (mut world, (space, room, _)) = class(403);
    let last = world.say(1, space, room, "and another");
    world.run(2_000);
    let observer = world.hosts[2].node.member();
    world
        .with(0, |node, ledger, now| {
            node.set_role(ledger, now, space, observer, Role::Observer)
        })
        .unwrap();
    world.run(2_000);
    let position = |world: &World, id| {
        let record = world.hosts[0].ledger.record(&id).unwrap().unwrap();
        (record.lamport, record.id)
    };
    let last = position(&world, last);
    let before = (last.0 - 1, MessageId::from_bytes([0; 32]));
    for at in [before, last, before] {
        world
            .with(2, |node, ledger, now| {
                node.mark_read(ledger, now, space, room, at)
            })
            .unwrap();
    }
    world.run(5_000);
    for host in 0..3 {
        let reads = world.hosts[host].node.reads(&space, &room);
        assert_eq!(reads.get(&observer), Some(&last), "{host}");
    }
    world.registers_sent = 0;
    world
        .with(2, |node, ledger, now| {
            node.mark_read(ledger, now, space, room, last)
        })
        .unwrap();
    world.run(5_000);
    assert_eq!(world.registers_sent, 0, "nothing changed");
}

#[test]
fn a_value_leaves_its_device_at_most_once_in_two_seconds() {
    let (mut world, at) = class(404);
    world.run(6_000);
    let heard = |world: &World| {
        let of_it = |event: &&Event| matches!(event, Event::Register { register, .. } if register.room == at.1);
        world.events(0).iter().filter(of_it).count()
    };
    for emoji in ["👍", "🎉", "❤️", "😂"] {
        react(&mut world, 1, at, emoji).unwrap();
        assert_eq!(signs(&world, 1, at), [sign(1, emoji)], "kept at once");
        world.run(250);
    }
    assert_eq!(heard(&world), 1);
    assert_eq!(signs(&world, 0, at), [sign(1, "👍")]);
    world.run(2_000);
    assert_eq!(heard(&world), 2);
    assert_eq!(signs(&world, 0, at), [sign(1, "😂")]);
}

#[test]
fn a_prekey_reaches_every_member() {
    let (mut world, (space, ..)) = class(405);
    let device = world.hosts[1].node.device();
    let bytes = vec![7; 256];
    world
        .with(1, |node, ledger, now| {
            node.set_prekey(ledger, now, space, bytes.clone())
        })
        .unwrap();
    let refused = world.with(1, |node, ledger, now| {
        node.set_prekey(ledger, now, space, vec![7; 257])
    });
    assert!(matches!(refused, Err(CommandError::Record(_))));
    world.run(1_000);
    for host in 0..3 {
        let host = &world.hosts[host];
        let found = host.node.prekey(&host.ledger, &space, &device).unwrap();
        assert_eq!(found.as_ref(), Some(&bytes));
    }
}

/// What does not count is not kept, and its bearer did nothing wrong: the two may know different rosters.
#[test]
fn a_register_counts_only_from_one_who_may_write_it_there() {
    let (mut world, (space, room, target)) = class(406);
    let staff = world
        .with(0, |node, ledger, now| {
            node.create_room(ledger, now, space, "Staff", Audience::Teachers)
        })
        .unwrap();
    let observer = world.hosts[2].node.member();
    world
        .with(0, |node, ledger, now| {
            node.set_role(ledger, now, space, observer, Role::Observer)
        })
        .unwrap();
    world.run(2_000);
    let read = Topic::Read {
        lamport: 1,
        id: target,
    };
    let control = space.control_room();
    let nowhere = RoomId::from_bytes([9; 32]);
    let cases = [
        (1, room, reaction(target, "👍"), true),
        (1, room, read.clone(), true),
        (2, room, read.clone(), true),
        (2, room, reaction(target, "👍"), false),
        (1, staff, read.clone(), false),
        (1, staff, reaction(target, "👍"), false),
        (1, nowhere, read.clone(), false),
        (1, control, read, false),
        (1, control, reaction(target, "👍"), false),
        (1, room, Topic::Prekey(vec![1]), false),
    ];
    for (host, room, topic, counts) in cases {
        let before = kept(&world, 0, space).len();
        let wire = forged(&world, host, |register| {
            (register.space, register.room) = (space, room);
            register.topic = topic.clone();
        });
        give(&mut world, host, 0, &frame(space, vec![wire]));
        let more = kept(&world, 0, space).len() - before;
        assert_eq!(more == 1, counts, "{host}: {topic:?}");
    }
    // Of one whom the roster does not know, brought by a member.
    let stranger = DeviceKey::from_bytes(&[77; 32]);
    let register = Register {
        space,
        room,
        device: stranger.id(),
        turn: 1,
        topic: reaction(target, "👍"),
    };
    let wire = Signed::seal(register, &stranger).unwrap().wire().to_vec();
    let before = kept(&world, 0, space);
    give(&mut world, 1, 0, &frame(space, vec![wire]));
    assert_eq!(kept(&world, 0, space), before);
    assert!(world.linked(0, 1) && world.linked(0, 2));
}

#[test]
fn a_register_that_was_tampered_with_costs_its_bearer_the_link() {
    type Bend = fn(&World, SpaceId, RoomId, MessageId) -> Vec<u8>;
    let of = |world: &World, space, room, target| {
        forged(world, 1, |register| {
            (register.space, register.room) = (space, room);
            register.topic = reaction(target, "👍");
        })
    };
    let cases: [(&str, Bend); 4] = [
        ("a bit of it", |world, space, room, target| {
            let mut wire = forged(world, 1, |register| {
                (register.space, register.room, register.turn) = (space, room, 6);
                register.topic = reaction(target, "👍");
            });
            wire[10] ^= 1;
            wire
        }),
        ("its device", |world, space, room, target| {
            let mut wire = forged(world, 1, |register| {
                (register.space, register.room) = (space, room);
                register.topic = reaction(target, "👍");
            });
            let victim: DeviceId = world.hosts[2].node.device();
            wire[65 + 64..65 + 96].copy_from_slice(victim.as_bytes());
            wire
        }),
        ("its room", |world, space, room, target| {
            let mut wire = forged(world, 1, |register| {
                (register.space, register.room) = (space, space.control_room());
                register.topic = Topic::Unknown {
                    topic: 900,
                    subject: *target.as_bytes(),
                    value: Vec::new(),
                };
            });
            wire[65 + 32..65 + 64].copy_from_slice(room.as_bytes());
            wire
        }),
        ("its space", |world, _, room, target| {
            forged(world, 1, |register| {
                (register.space, register.room) = (SpaceId::from_bytes([8; 32]), room);
                register.topic = reaction(target, "👍");
            })
        }),
    ];
    for (what, bend) in cases {
        let (mut world, (space, room, target)) = class(407);
        let sound = of(&world, space, room, target);
        give(&mut world, 1, 0, &frame(space, vec![sound]));
        assert!(world.linked(0, 1), "a sound one");
        let before = kept(&world, 0, space);
        let wire = bend(&world, space, room, target);
        give(&mut world, 1, 0, &frame(space, vec![wire]));
        assert_eq!(kept(&world, 0, space), before, "{what}");
        assert!(!world.linked(0, 1), "{what}");
        let broke = |(_, reason): &(usize, Reason)| matches!(reason, Reason::Broke(_));
        assert!(world.hosts[0].dropped.iter().any(broke), "{what}");
    }
}

/// A value far ahead, such as a machine that was reset finds of its own at others, is followed by the next one. The last
/// that there can be comes from no honest machine.
#[test]
fn a_turn_far_ahead_shuts_nobody_out() {
    let (mut world, at) = class(408);
    let (space, room, target) = at;
    let ahead = |turn| {
        move |register: &mut Register| {
            (register.space, register.room, register.turn) = (space, room, turn);
            register.topic = reaction(target, "👍");
        }
    };
    let wire = forged(&world, 1, ahead(MAX_POSITION - 5));
    give(&mut world, 1, 0, &frame(space, vec![wire]));
    world.run(20_000);
    assert_eq!(signs(&world, 1, at), [sign(1, "👍")], "its own, by others");
    react(&mut world, 1, at, "🎉").unwrap();
    world.run(3_000);
    assert_eq!(signs(&world, 0, at), [sign(1, "🎉")]);

    let wire = forged(&world, 1, ahead(MAX_POSITION));
    give(&mut world, 1, 0, &frame(space, vec![wire]));
    world.run(20_000);
    let told = world.events(1).contains(&Event::Cloned);
    assert!(told, "another machine has this key");
    let spent = react(&mut world, 1, at, "❤️");
    assert!(matches!(spent, Err(CommandError::Spent)));
    let key = &world.hosts[1].identity.device;
    let mut register = Register {
        space,
        room,
        device: key.id(),
        turn: 0,
        topic: reaction(target, "👍"),
    };
    ahead(u64::MAX)(&mut register);
    assert!(Signed::seal(register, key).is_err());
    assert_eq!(signs(&world, 2, at), [sign(1, "👍")]);
}

/// Of one device in one room those with the highest turns are kept, by all the same.
#[test]
fn a_device_fills_no_disk() {
    let (mut world, (space, room, _)) = class(409);
    let count = MAX_REGISTERS + 300;
    let mut wires: Vec<Vec<u8>> = (0..count)
        .map(|n| {
            forged(&world, 1, |register| {
                (register.space, register.room) = (space, room);
                let n = u64::try_from(n).unwrap();
                register.turn = n + 1;
                let mut target = [3; 32];
                target[..8].copy_from_slice(&n.to_le_bytes());
                register.topic = reaction(MessageId::from_bytes(target), "👍");
            })
        })
        .collect();
    world.cut(0, 2);
    for batch in wires.clone().chunks(500) {
        give(&mut world, 1, 0, &frame(space, batch.to_vec()));
    }
    wires.reverse();
    for batch in wires.chunks(500) {
        give(&mut world, 1, 2, &frame(space, batch.to_vec()));
    }
    let all = kept(&world, 0, space);
    assert_eq!(all.len(), MAX_REGISTERS);
    assert_eq!(all, kept(&world, 2, space));
    let least = all.iter().map(|wire| {
        let register = Signed::<Register>::open(wire).unwrap();
        register.value().turn
    });
    assert_eq!(least.min(), Some(301));
    // Far more at once is a flood.
    for _ in 0..20 {
        give(&mut world, 1, 0, &frame(space, wires[..500].to_vec()));
    }
    assert!(!world.linked(0, 1));
}

/// However many rooms differ, what is said of them is no flood, and all are brought up to date.
#[test]
fn many_rooms_are_no_flood() {
    const SPACES: usize = 5;
    const ROOMS: usize = 250;
    let mut world = World::new(413, 2);
    let mut rooms = Vec::new();
    for _ in 0..SPACES {
        let (space, _) = world.found();
        for n in 0..ROOMS {
            let name = format!("room {n}");
            let room = world.with(0, |node, ledger, now| {
                node.create_room(ledger, now, space, &name, Audience::All)
            });
            rooms.push((space, room.unwrap()));
            if n % 100 == 0 {
                world.run(1_000);
            }
        }
        world.run(5_000);
    }
    world.cut(0, 1);
    for (space, room) in &rooms {
        let at = (1, MessageId::from_bytes([5; 32]));
        world
            .with(0, |node, ledger, now| {
                node.mark_read(ledger, now, *space, *room, at)
            })
            .unwrap();
    }
    world.quick = true;
    world.link(0, 1);
    world.run(60_000);
    assert!(
        world.hosts[1].dropped.is_empty(),
        "{:?}",
        world.hosts[1].dropped
    );
    assert!(
        world.hosts[0].dropped.is_empty(),
        "{:?}",
        world.hosts[0].dropped
    );
    let reader = world.hosts[0].node.member();
    for (space, room) in &rooms {
        let reads = world.hosts[1].node.reads(space, room);
        assert!(reads.contains_key(&reader));
    }
    // One who says again and again that they have nothing is not told everything again and again.
    let (space, _) = rooms[0];
    let nothing = Frame::RegisterRooms {
        space,
        rooms: Vec::new(),
    };
    let before = world.sent;
    for _ in 0..50 {
        give(&mut world, 1, 0, &nothing.encode());
    }
    assert!(world.linked(0, 1));
    assert!(world.sent - before <= 400, "{}", world.sent - before);
}

/// One who claims to have something else and does not give it is not asked for it again for a while: others are.
#[test]
fn one_who_gives_nothing_keeps_nobody_waiting() {
    for answers in [false, true] {
        let mut world = World::new(414, 4);
        let (space, room) = world.found();
        let target = world.say(3, space, room, "a picture of a cat");
        world.run(2_000);
        // Of two, the first in the order of devices would be asked first.
        let device = |world: &World, host: usize| world.hosts[host].node.device();
        let (liar, honest) = if device(&world, 1) < device(&world, 2) {
            (1, 2)
        } else {
            (2, 1)
        };
        for (one, other) in [(0, 3), (3, liar), (0, honest)] {
            world.cut(one, other);
        }
        react(&mut world, 3, (space, room, target), "👍").unwrap();
        world.run(5_000);
        world.silent = Some(liar);
        world.link(0, honest);
        let claim = Frame::RegisterCells {
            space,
            room,
            cells: vec![Cell {
                device: device(&world, 3),
                number: 1 + target.as_bytes()[0] % 32,
                digest: [7; 16],
            }],
        };
        let nothing = Frame::Registers {
            space,
            registers: Vec::new(),
            answer: Some(Part::Last),
        };
        for _ in 0..60 {
            if answers {
                give(&mut world, liar, 0, &nothing.encode());
            }
            give(&mut world, liar, 0, &claim.encode());
            world.run(250);
        }
        let at = (space, room, target);
        assert_eq!(signs(&world, 0, at), [sign(3, "👍")], "{answers}");
        assert!(world.linked(0, liar));
    }
}

/// A person goes on at another machine and ends the old one: what they put under messages stays.
#[test]
fn a_new_device_takes_up_what_the_old_one_said() {
    let (mut world, at) = class(410);
    let space = at.0;
    let old = world.hosts[1].node.device();
    react(&mut world, 1, at, "👍").unwrap();
    world.run(3_000);
    world.move_to_new_device(1);
    world.link_all();
    world.run(10_000);
    world
        .with(1, |node, ledger, now| {
            node.retire_device(ledger, now, space, old)
        })
        .unwrap();
    world.run(10_000);
    for host in 0..3 {
        assert_eq!(signs(&world, host, at), [sign(1, "👍")], "{host}");
    }
    // What the old device says from now on counts nowhere.
    let key = &DeviceKey::from_bytes(&blake3::derive_key("device", b"410 1"));
    assert_eq!(key.id(), old);
    let register = Register {
        space,
        room: at.1,
        device: old,
        turn: MAX_POSITION,
        topic: reaction(at.2, "😈"),
    };
    let wire = Signed::seal(register, key).unwrap().wire().to_vec();
    give(&mut world, 1, 0, &frame(space, vec![wire]));
    assert_eq!(signs(&world, 0, at), [sign(1, "👍")]);
}

/// What was taken back, or replaced, at another device of the same person stays so when the first is ended.
#[test]
fn a_new_device_takes_up_only_what_was_said_last() {
    for taken_back in [false, true] {
        let (mut world, at) = class(415);
        let space = at.0;
        let more = [1, 1].map(|host| {
            let copy = world.copy_host(host);
            world.move_to_new_device(copy);
            world.link(copy, 0);
            world.run(5_000);
            copy
        });
        let [second, third] = more;
        world.link_all();
        world.run(5_000);
        react(&mut world, 1, at, "👍").unwrap();
        world.run(5_000);
        react(&mut world, second, at, if taken_back { "" } else { "🎉" }).unwrap();
        world.run(5_000);
        let expected: &[_] = if taken_back { &[] } else { &[sign(1, "🎉")] };
        for ended in [1, second] {
            let device = world.hosts[ended].node.device();
            world
                .with(third, |node, ledger, now| {
                    node.retire_device(ledger, now, space, device)
                })
                .unwrap();
            world.run(10_000);
            for host in [0, 2, third] {
                assert_eq!(signs(&world, host, at), expected, "{host}, {taken_back}");
            }
        }
    }
}

/// What one said who is out is kept by nobody but them, and given again when they come back.
#[test]
fn what_one_who_is_out_had_said_does_not_count_and_what_an_erased_one_had_is_gone() {
    let (mut world, at) = class(411);
    let space = at.0;
    react(&mut world, 1, at, "👍").unwrap();
    react(&mut world, 2, at, "🎉").unwrap();
    world.run(3_000);
    let [_, one, other] = [0, 1, 2].map(|host| world.hosts[host].node.member());
    world
        .with(0, |node, ledger, now| {
            node.remove(ledger, now, space, one, false)
        })
        .unwrap();
    assert_eq!(signs(&world, 0, at), [sign(2, "🎉")]);
    assert_eq!(kept(&world, 0, space).len(), 1);
    world.run(5_000);
    let code = world.invite(0, space, 1);
    world.restart(1);
    world
        .with(1, |node, ledger, now| node.join(ledger, now, &code))
        .unwrap();
    world.link_all();
    world.run(20_000);
    for host in 0..3 {
        let signs = signs(&world, host, at);
        assert_eq!(signs, [sign(1, "👍"), sign(2, "🎉")], "{host}");
    }
    world
        .with(0, |node, ledger, now| {
            node.erase_member(ledger, now, space, other)
        })
        .unwrap();
    assert_eq!(signs(&world, 0, at), [sign(1, "👍")]);
    assert_eq!(kept(&world, 0, space).len(), 1);
}

/// One fills their share of a room with what does not count any more. It keeps out nothing that counts, whoever came when.
#[test]
fn what_does_not_count_keeps_nothing_out() {
    let (mut world, (space, room, target)) = class(416);
    let of = |world: &World, turn: u64, topic: Topic| {
        forged(world, 1, |register| {
            (register.space, register.room) = (space, room);
            (register.turn, register.topic) = (turn, topic);
        })
    };
    let read = Topic::Read {
        lamport: 1,
        id: target,
    };
    let read = of(&world, 5, read);
    let reactions: Vec<Vec<u8>> = (0..u64::try_from(MAX_REGISTERS).unwrap())
        .map(|n| {
            let mut about = [3; 32];
            about[..8].copy_from_slice(&n.to_le_bytes());
            let topic = reaction(MessageId::from_bytes(about), "👍");
            of(&world, MAX_POSITION / 2 + n, topic)
        })
        .collect();
    give(&mut world, 1, 0, &frame(space, vec![read.clone()]));
    for batch in reactions.chunks(500) {
        give(&mut world, 1, 0, &frame(space, batch.to_vec()));
    }
    // Another has heard of nothing but how far they read.
    give(&mut world, 1, 2, &frame(space, vec![read]));
    let observer = world.hosts[1].node.member();
    world
        .with(0, |node, ledger, now| {
            node.set_role(ledger, now, space, observer, Role::Observer)
        })
        .unwrap();
    assert!(
        !world.hosts[0]
            .node
            .reads(&space, &room)
            .contains_key(&observer)
    );
    world.run(30_000);
    for host in 0..3 {
        let reads = world.hosts[host].node.reads(&space, &room);
        assert!(reads.contains_key(&observer), "{host}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// What stands follows from the set of values, in whatever order and however often they came.
    #[test]
    fn the_order_of_arrival_never_matters(
        values in prop::collection::vec((1_usize..3, 0_u64..4, 0_usize..3, 0_usize..4), 1..40),
        order in prop::collection::vec(any::<prop::sample::Index>(), 60),
    ) {
        let (mut world, (space, room, target)) = class(412);
        let signs = ["👍", "🎉", "❤️", "😂"];
        let wires: Vec<Vec<u8>> = values.iter().map(|(host, turn, about, says)| {
            forged(&world, *host, |register| {
                (register.space, register.room, register.turn) = (space, room, *turn);
                register.topic = match about {
                    0 => Topic::Read { lamport: *says as u64 + 1, id: target },
                    1 => reaction(target, signs[*says]),
                    _ => Topic::Unknown { topic: 700, subject: [1; 32], value: vec![0; *says] },
                };
            })
        }).collect();
        // One hears them in order, another in any, some more than once.
        give(&mut world, 1, 0, &frame(space, wires.clone()));
        for at in order {
            give(&mut world, 1, 2, &frame(space, vec![at.get(&wires).clone()]));
        }
        give(&mut world, 1, 2, &frame(space, wires.into_iter().rev().collect()));
        prop_assert_eq!(kept(&world, 0, space), kept(&world, 2, space));
        world.run(20_000);
        prop_assert_eq!(kept(&world, 0, space), kept(&world, 1, space));
    }
}
