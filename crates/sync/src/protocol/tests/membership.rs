//! Scenes about who is in: removals and epochs, devices, and rooms that not all may read.

use artel_domain::{Audience, Content, MessageId, Role};

use super::{
    super::{CommandError, Event, Ledger as _, MemberState, Reason, StoredBody},
    hosts::World,
};

fn remove(world: &mut World, by: usize, whom: usize, barred: bool) {
    let member = world.hosts[whom].node.member();
    let space = world.hosts[by].node.spaces()[0].space;
    world
        .with(by, |node, ledger, now| {
            node.remove(ledger, now, space, member, barred)
        })
        .unwrap();
}

#[test]
fn one_who_is_removed_hears_of_it_and_is_cut_off() {
    let mut world = World::new(40, 3);
    let (space, room) = world.found();
    remove(&mut world, 0, 2, false);
    world.say(0, space, room, "not for you");
    world.run(5_000);
    assert_eq!(world.hosts[2].node.spaces()[0].state, MemberState::Removed);
    let dropped = |host: usize| world.hosts[host].dropped.contains(&(2, Reason::Removed));
    assert!(dropped(0), "{:?}", world.hosts[0].dropped);
    assert!(dropped(1), "{:?}", world.hosts[1].dropped);
    world.say(1, space, room, "among ourselves");
    world.link_all();
    world.run(10_000);
    assert_eq!(world.texts(0, room), ["not for you", "among ourselves"]);
    assert!(world.texts(2, room).is_empty());
    let refused = world.with(2, |node, ledger, now| {
        node.send(
            ledger,
            now,
            space,
            room,
            Content::Text {
                text: "me too".into(),
                reply_to: None,
                attachments: Vec::new(),
            },
        )
    });
    assert!(matches!(refused, Err(CommandError::Removed)));
}

/// Who was removed knows the old secret, and is told nothing for it; who was only away comes in with it all the same.
#[test]
fn an_epoch_shuts_out_the_removed_and_nobody_else() {
    let mut world = World::new(41, 5);
    let (space, room) = world.found();
    for other in 0..4 {
        world.cut(other, 4);
    }
    for other in [0, 1, 2] {
        world.cut(other, 3);
    }
    // 3 and 4 are away while 2 is removed, and then 4 as well.
    remove(&mut world, 0, 2, false);
    world.run(1_000);
    remove(&mut world, 0, 4, false);
    world.say(1, space, room, "news");
    world.run(3_000);
    for host in [0, 1] {
        world.restart(host);
    }
    world.link(0, 1);
    // 2 and 4 believe themselves to be members, as far as they know of it; 3 is one.
    for outsider in [2, 4] {
        world.link(0, outsider);
        world.link(1, outsider);
    }
    world.link(1, 3);
    world.run(10_000);
    assert_eq!(world.texts(3, room), ["news"]);
    for outsider in [2, 4] {
        assert!(world.texts(outsider, room).is_empty(), "{outsider}");
        let device = world.hosts[outsider].node.device();
        for host in [0, 1, 3] {
            assert!(world.hosts[host].node.peer_spaces(&device).is_empty());
        }
    }
    // A newcomer, who has never heard of any secret, and 3 find each other by the newest one.
    let epoch_known = |host: usize| {
        let ledger = &world.hosts[host].ledger;
        super::super::Ledger::secrets(ledger, &space).unwrap().len()
    };
    // The founding, and two removals.
    assert_eq!([epoch_known(0), epoch_known(1)], [3, 3]);
    assert!(epoch_known(3) >= 2, "the latest came over");
    assert_eq!(epoch_known(4), 1);
}

#[test]
fn a_newcomer_after_an_epoch_meets_those_it_never_saw() {
    let mut world = World::new(42, 4);
    let space = world
        .with(0, |node, ledger, now| {
            node.found_space(ledger, now, "Class")
        })
        .unwrap();
    let code = world.invite(0, space, 40);
    for host in [1, 2] {
        world
            .with(host, |node, ledger, now| node.join(ledger, now, &code))
            .unwrap();
        world.link(0, host);
    }
    world.link(1, 2);
    world.run(5_000);
    let room = world.hosts[0].node.rooms(&space)[0].room;
    world
        .with(0, |node, ledger, now| node.rotate(ledger, now, space))
        .unwrap();
    world.run(5_000);
    // 3 joins through 1, then meets 2, who has not heard of 3 yet.
    world.cut(1, 2);
    world.cut(0, 2);
    world
        .with(3, |node, ledger, now| node.join(ledger, now, &code))
        .unwrap();
    world.link(1, 3);
    world.run(5_000);
    world.cut(1, 3);
    world.link(2, 3);
    world.say(3, space, room, "hello from the new one");
    world.run(5_000);
    assert_eq!(world.texts(2, room), ["hello from the new one"]);
}

#[test]
fn a_retired_device_is_out_and_the_person_stays() {
    let mut world = World::new(43, 3);
    let (space, room) = world.found();
    world.say(2, space, room, "before");
    world.run(1_000);
    let device = world.hosts[2].node.device();
    let by_student = world.with(1, |node, ledger, now| {
        node.retire_device(ledger, now, space, device)
    });
    assert!(matches!(by_student, Err(CommandError::Forbidden { .. })));
    world
        .with(0, |node, ledger, now| {
            node.retire_device(ledger, now, space, device)
        })
        .unwrap();
    world.run(5_000);
    assert!(world.hosts[0].dropped.contains(&(2, Reason::Removed)));
    let member = world.hosts[2].node.member();
    assert_eq!(world.state(1, space, member), MemberState::Member);
    assert_eq!(world.texts(1, room), ["before"]);
    let again = world.with(0, |node, ledger, now| {
        node.retire_device(ledger, now, space, device)
    });
    assert!(matches!(again, Err(CommandError::NoDevice)));
}

#[test]
fn the_last_owner_cannot_leave_and_another_can() {
    let mut world = World::new(44, 2);
    let (space, _) = world.found();
    let (me, other) = (world.hosts[0].node.member(), world.hosts[1].node.member());
    let leave = |world: &mut World| {
        world.with(0, |node, ledger, now| {
            node.remove(ledger, now, space, me, false)
        })
    };
    assert!(matches!(leave(&mut world), Err(CommandError::LastOwner)));
    let down = world.with(0, |node, ledger, now| {
        node.set_role(ledger, now, space, me, Role::Student)
    });
    assert!(matches!(down, Err(CommandError::LastOwner)));
    world
        .with(0, |node, ledger, now| {
            node.set_role(ledger, now, space, other, Role::Owner)
        })
        .unwrap();
    world.run(1_000);
    leave(&mut world).unwrap();
    world.run(1_000);
    assert_eq!(world.state(1, space, me), MemberState::Removed);
    assert_eq!(world.hosts[1].node.spaces()[0].role, Some(Role::Owner));
}

/// Nothing of a room reaches the machine of one who may not read it, not even through others or by asking.
#[test]
fn a_room_reaches_its_readers_only() {
    let mut world = World::new(45, 4);
    let (space, open) = world.found();
    let teacher = world.hosts[1].node.member();
    world
        .with(0, |node, ledger, now| {
            node.set_role(ledger, now, space, teacher, Role::Teacher)
        })
        .unwrap();
    world.run(1_000);
    let chosen = world.hosts[2].node.member();
    let create = |world: &mut World, name: &str, audience| {
        world
            .with(1, |node, ledger, now| {
                node.create_room(ledger, now, space, name, audience)
            })
            .unwrap()
    };
    let staff = create(&mut world, "Teachers", Audience::Teachers);
    let few = create(&mut world, "Few", Audience::Chosen(vec![chosen]));
    world.run(1_000);
    world.say(0, space, staff, "about the pupils");
    let secret = world.say(1, space, few, "for two");
    world.say(3, space, open, "for all");
    world.run(10_000);
    assert_eq!(world.texts(0, staff), ["about the pupils"]);
    assert_eq!(world.texts(1, staff), ["about the pupils"]);
    assert_eq!(world.texts(2, few), ["for two"]);
    for host in 0..4 {
        assert_eq!(world.texts(host, open), ["for all"]);
    }
    let names = |host: usize| -> Vec<String> {
        let rooms = world.hosts[host].node.rooms(&space);
        rooms.into_iter().map(|room| room.name).collect()
    };
    assert_eq!(names(3), ["General"]);
    assert_eq!(names(2), ["General", "Few"]);
    assert_eq!(names(0), ["General", "Teachers"]);
    // Asking for it outright gives nothing.
    let asker = world.hosts[3].node.device();
    let before = world.sent;
    for room in [staff, few] {
        let writer = world.hosts[1].node.device();
        let incarnation = artel_domain::Incarnation::from_bytes([0; 16]);
        let want = super::super::frame::Frame::Want {
            space,
            room,
            device: writer,
            incarnation,
            from: 1,
        };
        let bodies = super::super::frame::Frame::WantBodies {
            space,
            records: vec![secret],
        };
        let list = super::super::frame::Frame::WantList {
            message: secret,
            index: 0,
            from: 0,
        };
        for frame in [want, bodies, list] {
            world
                .with(1, |node, ledger, now| {
                    node.received(ledger, now, asker, &frame.encode())
                })
                .unwrap();
        }
    }
    world.run(1_000);
    let refusals = 2;
    assert!(
        world.sent - before <= refusals,
        "only that there are no such files"
    );
    for host in [0, 3] {
        assert_eq!(
            super::super::Ledger::record(&world.hosts[host].ledger, &secret).unwrap(),
            None
        );
    }
    let intruder = world.with(3, |node, ledger, now| {
        node.send(
            ledger,
            now,
            space,
            staff,
            Content::Text {
                text: "let me in".into(),
                reply_to: None,
                attachments: Vec::new(),
            },
        )
    });
    assert!(matches!(intruder, Err(CommandError::NoRoom)));
    // Promoted, a student reads what was written before; demoted again, their words stay and new ones do not count.
    world
        .with(0, |node, ledger, now| {
            node.set_role(ledger, now, space, chosen, Role::Teacher)
        })
        .unwrap();
    world.run(3_000);
    assert_eq!(world.texts(2, staff), ["about the pupils"]);
    world.say(2, space, staff, "thanks");
    world.run(3_000);
    for other in [0, 1, 3] {
        world.cut(2, other);
    }
    world
        .with(0, |node, ledger, now| {
            node.set_role(ledger, now, space, chosen, Role::Student)
        })
        .unwrap();
    world.say(2, space, staff, "not heard of it yet");
    world.run(1_000);
    world.link(1, 2);
    world.run(5_000);
    assert_eq!(world.texts(1, staff), ["about the pupils", "thanks"]);
    assert!(
        !world
            .events(0)
            .iter()
            .any(|event| matches!(event, Event::Forked(_)))
    );
}

/// A restored profile is a new device; the first member met lets it in, and what it writes counts.
#[test]
fn a_new_machine_of_a_member_is_let_in_by_any_other() {
    let mut world = World::new(46, 3);
    let (space, room) = world.found();
    world.say(2, space, room, "from the old machine");
    world.run(2_000);
    world.move_to_new_device(2);
    let early = world.with(2, |node, ledger, now| {
        let content = Content::Text {
            text: "too early".into(),
            reply_to: None,
            attachments: Vec::new(),
        };
        node.send(ledger, now, space, room, content)
    });
    assert!(matches!(early, Err(CommandError::NotEnrolled)));
    world.link(1, 2);
    world.run(5_000);
    world.say(2, space, room, "from the new machine");
    world.run(3_000);
    assert_eq!(
        world.texts(0, room),
        ["from the old machine", "from the new machine"]
    );
    let member = world.hosts[2].node.member();
    let members = world.hosts[0].node.members(&space);
    let devices = &members.iter().find(|m| m.member == member).unwrap().devices;
    assert_eq!(devices.len(), 2);
}

fn send(world: &mut World, host: usize, content: Content) -> MessageId {
    let space = world.hosts[host].node.spaces()[0].space;
    let room = world.hosts[host].node.rooms(&space)[0].room;
    let sent = world.with(host, |node, ledger, now| {
        node.send(ledger, now, space, room, content)
    });
    sent.unwrap().id
}

fn deletion(target: MessageId) -> Content {
    Content::Delete {
        target,
        edits: Vec::new(),
    }
}

/// Some heard of a deletion first, others that its writer had lost the right to it. In the end all show the same.
#[test]
fn a_deletion_that_stops_counting_is_undone() {
    for demoted in [false, true] {
        let mut world = World::new(47, 5);
        let (space, room) = world.found();
        let teacher = world.hosts[1].node.member();
        let name = |world: &mut World, role| {
            let named = world.with(0, |node, ledger, now| {
                node.set_role(ledger, now, space, teacher, role)
            });
            named.unwrap();
        };
        name(&mut world, Role::Teacher);
        let target = world.say(2, space, room, "what I said");
        let mend = |text: &str| Content::Edit {
            target,
            text: text.into(),
        };
        send(&mut world, 2, mend("listed"));
        world.run(2_000);
        // 1 does not hear of the second edit; then 1 and 3 are apart from the others.
        for other in [0, 2, 3, 4] {
            world.cut(1, other);
        }
        send(&mut world, 2, mend("not listed"));
        world.run(2_000);
        for other in [0, 2, 4] {
            world.cut(3, other);
        }
        let before = world.texts(4, room);
        assert_eq!(before, ["what I said", "edit: listed", "edit: not listed"]);
        send(&mut world, 1, deletion(target));
        if demoted {
            name(&mut world, Role::Student);
        } else {
            remove(&mut world, 0, 1, false);
        }
        world.link(1, 3);
        world.run(3_000);
        assert_eq!(world.texts(3, room), ["erased", "delete"]);
        world.restart(3);
        world.link_all();
        world.run(40_000);
        for host in [0, 2, 3, 4] {
            assert_eq!(world.texts(host, room), before, "{host}, {demoted}");
            assert!(
                world.hosts[host]
                    .ledger
                    .bodiless(&space, false, None, None, 10)
                    .unwrap()
                    .is_empty()
            );
        }
        // Deleted again by one who may, it goes again.
        send(&mut world, 0, deletion(target));
        world.run(3_000);
        for host in [0, 2, 3, 4] {
            assert_eq!(world.texts(host, room), ["erased", "delete"], "{host}");
        }
    }
}

/// Only the end of a deletion's right brings its target back, not another deletion.
#[test]
fn a_deletion_cannot_be_deleted() {
    let mut world = World::new(48, 3);
    let (space, room) = world.found();
    let target = world.say(2, space, room, "my secret");
    let first = send(&mut world, 2, deletion(target));
    world.run(2_000);
    send(&mut world, 0, deletion(first));
    world.run(10_000);
    for host in 0..3 {
        assert_eq!(world.texts(host, room), ["erased", "delete", "delete"]);
        let body = world.hosts[host].ledger.body(&target).unwrap();
        assert_eq!(body, Some(StoredBody::Erased), "{host}");
    }
}

/// What sorts before the latest that was known when fetching began is marked; what is live is not.
#[test]
fn what_belongs_before_what_was_known_is_late() {
    let mut world = World::new(49, 3);
    let (space, room) = world.found();
    for other in [0, 1] {
        world.cut(2, other);
    }
    world.say(2, space, room, "written apart");
    for n in 0..3 {
        world.say(0, space, room, &format!("live {n}"));
        world.run(500);
    }
    world.link(1, 2);
    world.run(5_000);
    world.say(2, space, room, "live again");
    world.run(2_000);
    let late = |host: usize| -> Vec<String> {
        let rows = world.hosts[host].view.rooms[&room].values();
        rows.filter(|row| row.late)
            .map(|row| format!("{:?}", row.content))
            .collect()
    };
    for host in [0, 1] {
        let late = late(host);
        assert!(
            late.len() == 1 && late[0].contains("written apart"),
            "{late:?}"
        );
        assert_eq!(world.texts(host, room).last().unwrap(), "live again");
    }
    // Nothing that 2 knew comes after what it fetched, but for its own, of the same position.
    assert!(
        !late(2).iter().any(|text| text.contains("live 1")),
        "{:?}",
        late(2)
    );
}

#[test]
fn one_who_is_erased_leaves_nothing_behind() {
    let mut world = World::new(90, 4);
    let (space, room) = world.found();
    let member = world.hosts[3].node.member();
    let said = world.say(3, space, room, "my name is Ivan");
    let mistake = world.say(3, space, room, "a mistake");
    for content in [
        Content::Edit {
            target: said,
            text: "my name is Ivan, 12 Long Street".into(),
        },
        Content::Delete {
            target: mistake,
            edits: Vec::new(),
        },
    ] {
        world
            .with(3, |node, ledger, now| {
                node.send(ledger, now, space, room, content)
            })
            .unwrap();
    }
    world.say(1, space, room, "hello Ivan");
    world.run(3_000);
    // What only 2 has, which is away.
    for other in 0..2 {
        world.cut(other, 2);
        world.cut(other, 3);
    }
    let late = world.say(3, space, room, "only for the one who is away");
    world.run(3_000);
    world.cut(2, 3);
    let refused = world.with(1, |node, ledger, now| {
        node.erase_member(ledger, now, space, member)
    });
    assert!(matches!(refused, Err(CommandError::Forbidden { .. })));
    world
        .with(0, |node, ledger, now| {
            node.erase_member(ledger, now, space, member)
        })
        .unwrap();
    world.run(3_000);
    world.link(0, 2);
    world.link(1, 2);
    world.run(10_000);
    for host in 0..3 {
        let ledger = &world.hosts[host].ledger;
        for id in [said, mistake, late] {
            let body = super::super::Ledger::body(ledger, &id).unwrap();
            assert!(
                !matches!(body, Some(super::super::StoredBody::Here(_))),
                "host {host} keeps words of theirs"
            );
        }
        let texts = world.texts(host, room);
        assert!(texts.contains(&"hello Ivan".to_owned()), "{texts:?}");
        assert!(
            !texts.iter().any(|text| text.contains("Long Street")),
            "{texts:?}"
        );
        let members = world.hosts[host].node.members(&space);
        let erased = members.iter().find(|m| m.member == member).unwrap();
        assert_eq!(erased.name, "(erased)");
    }
    assert_eq!(world.texts(0, room), world.texts(1, room));
    // Under the same key there is no way back.
    let code = world.invite(0, space, 40);
    world
        .with(3, |node, ledger, now| node.join(ledger, now, &code))
        .unwrap();
    world.link(0, 3);
    world.run(5_000);
    assert_eq!(world.state(0, space, member), MemberState::Removed);
    // The owner cannot be erased by anyone.
    let owner = world.hosts[0].node.member();
    let refused = world.with(0, |node, ledger, now| {
        node.erase_member(ledger, now, space, owner)
    });
    assert!(matches!(refused, Err(CommandError::Forbidden { .. })));
}

/// An entry names at most eight others. Of more that removed somebody none is forgotten: an invite made afterwards leads
/// all of them back.
#[test]
fn of_many_removals_at_once_none_is_overlooked() {
    const PAIRS: usize = 10;
    let mut world = World::new(47, 1 + 2 * PAIRS);
    let (space, _) = world.found();
    for teacher in 1..=PAIRS {
        let member = world.hosts[teacher].node.member();
        world
            .with(0, |node, ledger, now| {
                node.set_role(ledger, now, space, member, Role::Teacher)
            })
            .unwrap();
    }
    world.run(10_000);
    for one in 0..world.hosts.len() {
        for other in 0..one {
            world.cut(one, other);
        }
    }
    for teacher in 1..=PAIRS {
        remove(&mut world, teacher, PAIRS + teacher, false);
    }
    for teacher in 1..=PAIRS {
        world.link(0, teacher);
    }
    world.run(10_000);
    let code = world.invite(0, space, 40);
    for student in PAIRS + 1..=2 * PAIRS {
        let member = world.hosts[student].node.member();
        assert_eq!(world.state(0, space, member), MemberState::Removed);
        world
            .with(student, |node, ledger, now| node.join(ledger, now, &code))
            .unwrap();
        world.link(0, student);
    }
    world.run(10_000);
    for student in PAIRS + 1..=2 * PAIRS {
        let member = world.hosts[student].node.member();
        assert_eq!(
            world.state(0, space, member),
            MemberState::Member,
            "{student}"
        );
    }
}

/// An invite is revoked while one comes in by it elsewhere. What that one wrote is kept by some and not given to others;
/// that must not keep the others apart.
#[test]
fn what_does_not_count_keeps_nobody_apart() {
    let mut world = World::new(48, 3);
    let space = world
        .with(0, |node, ledger, now| {
            node.found_space(ledger, now, "Class")
        })
        .unwrap();
    let room = world.hosts[0].node.rooms(&space)[0].room;
    let code = world.invite(0, space, 40);
    let join = |world: &mut World, host: usize| {
        world
            .with(host, |node, ledger, now| node.join(ledger, now, &code))
            .unwrap();
    };
    world.link(0, 1);
    join(&mut world, 1);
    world.run(5_000);
    world.cut(0, 1);
    world.link(1, 2);
    join(&mut world, 2);
    world.run(5_000);
    world.say(2, space, room, "by one who was let in");
    world.run(2_000);
    assert_eq!(world.texts(1, room), ["by one who was let in"]);
    world
        .with(0, |node, ledger, now| {
            node.revoke_invite(ledger, now, space, code.key().id())
        })
        .unwrap();
    world.cut(1, 2);
    world.link(0, 1);
    world.run(5_000);
    for host in 0..2 {
        assert_eq!(world.hosts[host].node.members(&space).len(), 2, "{host}");
        assert!(world.texts(host, room).is_empty(), "{host}");
        let in_step = |event: &Event| matches!(event, Event::InStep { whole: true, .. });
        assert!(world.events(host).iter().rev().any(in_step));
    }
    // Also what each makes known of itself has come to rest.
    world.run(29_000);
    let before = world.sent;
    world.run(29_000);
    assert!(world.sent - before <= 4, "{} frames", world.sent - before);
}

/// The owner decides otherwise at the same time, and the owner's word stands: the one who was removed meanwhile hears of
/// that, too.
#[test]
fn one_whose_removal_does_not_stand_is_told() {
    let mut world = World::new(47, 4);
    let (space, room) = world.found();
    let teacher = world.hosts[1].node.member();
    let pupil = world.hosts[2].node.member();
    let promote = |world: &mut World, whom| {
        world
            .with(0, |node, ledger, now| {
                node.set_role(ledger, now, space, whom, Role::Teacher)
            })
            .unwrap();
    };
    promote(&mut world, teacher);
    world.run(3_000);
    for other in 1..4 {
        world.cut(0, other);
    }
    promote(&mut world, pupil);
    remove(&mut world, 1, 2, false);
    world.run(5_000);
    assert_eq!(world.state(2, space, pupil), MemberState::Removed);
    world.link(0, 1);
    world.link(0, 3);
    world.run(5_000);
    for host in [0, 1, 3] {
        assert_eq!(
            world.state(host, space, pupil),
            MemberState::Member,
            "{host}"
        );
    }
    world.link(2, 3);
    world.run(5_000);
    assert_eq!(world.state(2, space, pupil), MemberState::Member);
    world.link(0, 2);
    world.run(5_000);
    world.say(2, space, room, "back");
    world.run(5_000);
    assert_eq!(world.texts(0, room), ["back"]);
}

/// Who left by themselves has the members' key until the next epoch, and leaves them alone all the same.
#[test]
fn one_who_left_meets_nobody() {
    let mut world = World::new(48, 3);
    let (space, _) = world.found();
    let me = world.hosts[2].node.member();
    world.leave(2, space);
    world.run(5_000);
    assert_eq!(world.state(0, space, me), MemberState::Removed);
    for host in &mut world.hosts {
        host.dropped.clear();
    }
    world.cut(0, 2);
    world.cut(1, 2);
    world.link_all();
    world.run(10_000);
    for host in &world.hosts {
        assert!(host.dropped.is_empty(), "{:?}", host.dropped);
    }
    assert!(world.linked(0, 2) && world.linked(1, 2));
}
