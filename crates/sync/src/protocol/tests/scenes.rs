//! Short scenes between a few hosts.

use artel_domain::{Audience, Content, FileDigest, InviteCode, Role, limits::CHUNK};

use super::{
    super::{
        CommandError, Event, Ledger as _, MemberState, Reason, Refusal, StoredBody, frame::Frame,
    },
    attacks::{Forger, give},
    hosts::World,
};

#[test]
fn two_hosts_talk_and_confirm() {
    let mut world = World::new(1, 2);
    let (space, room) = world.found();
    let id = world.say(0, space, room, "hello");
    world.run(1_000);
    assert_eq!(world.texts(1, room), ["hello"]);
    world.say(1, space, room, "привіт");
    world.run(1_000);
    assert_eq!(world.texts(0, room), ["hello", "привіт"]);
    let peer = world.hosts[1].node.device();
    let confirmed = |e: &Event| matches!(e, Event::Delivered { last, peer: p, .. } if *last == id && *p == peer);
    assert!(world.events(0).iter().any(confirmed));
    assert!(
        world
            .events(1)
            .iter()
            .any(|e| matches!(e, Event::Joined { .. }))
    );
}

#[test]
fn what_is_in_step_costs_almost_nothing() {
    let mut world = World::new(2, 2);
    let (space, room) = world.found();
    for n in 0..50 {
        world.say(0, space, room, &n.to_string());
    }
    world.run(10_000);
    let before = world.sent;
    world.run(29_000);
    assert!(
        world.sent - before <= 2,
        "{} frames while nothing happened",
        world.sent - before
    );
}

#[test]
fn records_travel_through_a_third_when_the_author_is_gone() {
    let mut world = World::new(3, 3);
    let (space, room) = world.found();
    world.cut(0, 2);
    world.cut(1, 2);
    world.say(0, space, room, "while 2 was away");
    world.run(1_000);
    world.cut(0, 1);
    world.link(1, 2);
    world.run(5_000);
    assert_eq!(world.texts(2, room), ["while 2 was away"]);
}

#[test]
fn a_long_history_crosses_terms_and_survives_a_restart() {
    let mut world = World::new(4, 3);
    let (space, room) = world.found();
    world.cut(0, 1);
    world.cut(0, 2);
    world.cut(1, 2);
    for n in 0..2_100 {
        world.say(0, space, room, &format!("record {n}"));
    }
    world.restart(0);
    world.say(0, space, room, "after the restart");
    world.link(0, 1);
    world.run(20_000);
    let texts = world.texts(1, room);
    assert_eq!(texts.len(), 2_101);
    assert_eq!(texts.last().unwrap(), "after the restart");
    assert_eq!(texts, world.texts(0, room));
    // The receiver has sealed its terms as well, and serves them when the author is gone.
    world.restart(1);
    world.cut(0, 2);
    world.link(1, 2);
    world.run(30_000);
    assert_eq!(world.texts(2, room), texts);
}

#[test]
fn wrong_expired_revoked_and_full_invites_are_told_apart() {
    let refusal = |world: &World, host: usize| {
        world.events(host).iter().find_map(|e| match e {
            Event::JoinRefused { refusal, .. } => Some(*refusal),
            _ => None,
        })
    };
    let mut world = World::new(5, 6);
    let space = world
        .with(0, |node, ledger, now| {
            node.found_space(ledger, now, "Class")
        })
        .unwrap();
    let expired = world.invite(0, space, 40);
    let revoked = world.invite(0, space, 40);
    world.run(86_400_001);
    let full = world.invite(0, space, 1);
    world
        .with(0, |node, ledger, now| {
            node.revoke_invite(ledger, now, space, revoked.key().id())
        })
        .unwrap();
    let wrong = InviteCode::new([1; 15], &space);
    for (host, code) in [(1, wrong), (2, expired), (3, revoked), (4, full.clone())] {
        world
            .with(host, |node, ledger, now| node.join(ledger, now, &code))
            .unwrap();
        world.link(0, host);
    }
    world.run(3_000);
    world
        .with(5, |node, ledger, now| node.join(ledger, now, &full))
        .unwrap();
    world.link(0, 5);
    world.run(3_000);
    assert_eq!(refusal(&world, 1), Some(Refusal::Unknown));
    assert_eq!(refusal(&world, 2), Some(Refusal::Expired));
    assert_eq!(refusal(&world, 3), Some(Refusal::Revoked));
    assert_eq!(refusal(&world, 4), None);
    assert!(
        world
            .events(4)
            .iter()
            .any(|e| matches!(e, Event::Joined { .. }))
    );
    assert!(
        world
            .events(5)
            .iter()
            .any(|e| matches!(e, Event::Pending { name, .. } if name == "Class"))
    );
    assert_eq!(world.hosts[5].node.spaces()[0].state, MemberState::Pending);
    // Who is pending gets in once admitted, without asking anew, and over a restart.
    world.restart(5);
    let member = world.hosts[5].node.member();
    world
        .with(0, |node, ledger, now| {
            node.admit(ledger, now, space, member)
        })
        .unwrap();
    world.link(0, 5);
    world.run(5_000);
    assert!(
        world
            .events(5)
            .iter()
            .any(|e| matches!(e, Event::Joined { .. }))
    );
    assert_eq!(world.hosts[5].node.spaces()[0].role, Some(Role::Student));
}

#[test]
fn strangers_learn_nothing() {
    let mut world = World::new(6, 2);
    let space = world
        .with(0, |node, ledger, now| {
            node.found_space(ledger, now, "Secret")
        })
        .unwrap();
    world.link(0, 1);
    world.run(40_000);
    assert!(world.hosts[1].node.spaces().is_empty());
    assert!(
        world.hosts[0]
            .node
            .peer_spaces(&world.hosts[1].node.device())
            .is_empty()
    );
    // Greeting, tags, and that they were seen; on both sides, and nothing else.
    assert_eq!(world.sent, 6);
    let refused = world.with(1, |node, ledger, now| {
        node.create_room(ledger, now, space, "x", Audience::All)
    });
    assert!(matches!(refused, Err(CommandError::NoSpace)));
}

#[test]
fn a_removed_member_is_out_at_once_and_their_past_stays() {
    let mut world = World::new(7, 3);
    let (space, room) = world.found();
    world.say(2, space, room, "before");
    world.run(2_000);
    let member = world.hosts[2].node.member();
    world.cut(1, 2);
    world.cut(0, 2);
    world.say(2, space, room, "unseen by the owner");
    world
        .with(0, |node, ledger, now| {
            node.remove(ledger, now, space, member, false)
        })
        .unwrap();
    world.run(2_000);
    world.link(1, 2);
    world.link(0, 2);
    world.run(5_000);
    let removed = world.hosts[2].node.device();
    for host in [0, 1] {
        assert!(world.hosts[host].node.peer_spaces(&removed).is_empty());
    }
    for host in [0, 1] {
        assert_eq!(world.texts(host, room), ["before"]);
        assert_eq!(world.state(host, space, member), MemberState::Removed);
    }
    let refused = world.with(1, |node, ledger, now| {
        node.remove(ledger, now, space, node.members(&space)[0].member, false)
    });
    let message = refused.unwrap_err().to_string();
    assert_eq!(message, "student may not name co-owners, hand over");
}

#[test]
fn a_new_invite_leads_a_removed_member_back() {
    let mut world = World::new(13, 3);
    let (space, room) = world.found();
    let member = world.hosts[2].node.member();
    world
        .with(0, |node, ledger, now| {
            node.remove(ledger, now, space, member, false)
        })
        .unwrap();
    world.run(2_000);
    let code = world.invite(0, space, 1);
    world.run(2_000);
    world.restart(2);
    world
        .with(2, |node, ledger, now| node.join(ledger, now, &code))
        .unwrap();
    world.link(1, 2);
    world.run(5_000);
    world.say(2, space, room, "back again");
    world.run(3_000);
    assert_eq!(world.texts(0, room), ["back again"]);
    assert_eq!(world.state(2, space, member), MemberState::Member);
}

#[test]
fn a_deletion_erases_everywhere_also_what_comes_later() {
    let mut world = World::new(8, 3);
    let (space, room) = world.found();
    world.cut(0, 2);
    world.cut(1, 2);
    let target = world.say(1, space, room, "my secret");
    let edit = Content::Edit {
        target,
        text: "my other secret".into(),
    };
    world
        .with(1, |node, ledger, now| {
            node.send(ledger, now, space, room, edit)
        })
        .unwrap();
    world.run(1_000);
    assert_eq!(world.texts(0, room), ["my secret", "edit: my other secret"]);
    let by_other = Content::Edit {
        target,
        text: "not mine".into(),
    };
    let refused = world.with(0, |node, ledger, now| {
        node.send(ledger, now, space, room, by_other)
    });
    assert!(matches!(refused, Err(CommandError::NotAuthor)));
    let delete = Content::Delete {
        target,
        edits: Vec::new(),
    };
    world
        .with(0, |node, ledger, now| {
            node.send(ledger, now, space, room, delete)
        })
        .unwrap();
    world.run(1_000);
    world.link(0, 2);
    world.run(10_000);
    for host in 0..3 {
        assert_eq!(world.texts(host, room), ["erased", "delete"], "host {host}");
        assert!(
            world.hosts[host]
                .ledger
                .bodiless(&space, false, None, None, 10)
                .unwrap()
                .len()
                <= usize::from(host == 2)
        );
    }
}

#[test]
fn a_deletion_takes_along_edits_that_its_writer_did_not_know() {
    let mut world = World::new(31, 3);
    let (space, room) = world.found();
    let target = world.say(1, space, room, "my secret");
    world.run(1_000);
    world.cut(0, 1);
    world.cut(0, 2);
    let edit = Content::Edit {
        target,
        text: "my other secret".into(),
    };
    let edit = world
        .with(1, |node, ledger, now| {
            node.send(ledger, now, space, room, edit)
        })
        .unwrap();
    world.run(1_000);
    assert_eq!(world.texts(2, room), ["my secret", "edit: my other secret"]);
    let delete = Content::Delete {
        target,
        edits: Vec::new(),
    };
    world
        .with(0, |node, ledger, now| {
            node.may_send(ledger, &space, &room, delete.clone())?;
            node.send(ledger, now, space, room, delete)
        })
        .unwrap();
    world.link(0, 2);
    world.run(10_000);
    for host in 0..3 {
        assert_eq!(world.texts(host, room), ["erased", "delete"], "host {host}");
        let body = world.hosts[host].ledger.body(&edit.id).unwrap();
        assert!(!matches!(body, Some(StoredBody::Here(_))), "host {host}");
    }
}

#[test]
fn a_file_travels_in_verified_chunks_and_resumes() {
    let mut world = World::new(9, 3);
    let (space, room) = world.found();
    let bytes: Vec<u8> = (0..CHUNK * 9 + 17)
        .map(|i| u8::try_from(i % 251).unwrap())
        .collect();
    let mut digest = FileDigest::new();
    bytes
        .chunks(CHUNK)
        .for_each(|chunk| digest.chunk(chunk).unwrap());
    let (attachment, list) = digest.finish("фото.jpg", "image/jpeg").unwrap();
    let file = attachment.file;
    let content = Content::Text {
        text: String::new(),
        reply_to: None,
        attachments: vec![attachment],
    };
    let message = world
        .with(0, |node, ledger, now| {
            ledger
                .put_chunk_list(&file, bytes.len() as u64, &list.concat())
                .unwrap();
            for (i, chunk) in (0..).zip(bytes.chunks(CHUNK)) {
                ledger.put_chunk(&file, i, chunk).unwrap();
            }
            node.send(ledger, now, space, room, content)
        })
        .unwrap()
        .id;
    world.run(2_000);
    assert_eq!(world.sent_file_bytes, 0, "files travel only when asked for");
    world
        .with(1, |node, ledger, now| node.fetch(ledger, now, message, 0))
        .unwrap();
    world.run(250);
    world.cut(0, 1);
    let part = world.hosts[1].ledger.chunks_here(&file).unwrap();
    assert!(part < 10);
    world.restart(1);
    world
        .with(1, |node, ledger, now| node.fetch(ledger, now, message, 0))
        .unwrap();
    world.link(0, 1);
    world.run(5_000);
    assert_eq!(world.hosts[1].ledger.chunks_here(&file).unwrap(), 10);
    let twice = world.sent_file_bytes;
    assert!(
        twice < (bytes.len() + 5 * CHUNK) as u64,
        "what is here is not fetched again"
    );
    // The author is gone: a third host gets it from the second.
    world.link(1, 2);
    for other in [1, 2] {
        world.cut(0, other);
    }
    world
        .with(2, |node, ledger, now| node.fetch(ledger, now, message, 0))
        .unwrap();
    world.run(5_000);
    let copy: Vec<u8> = (0..10)
        .flat_map(|i| world.hosts[2].ledger.chunk(&file, i).unwrap().unwrap())
        .collect();
    assert_eq!(copy, bytes);
    let refused = world.with(2, |node, ledger, now| node.fetch(ledger, now, message, 1));
    assert!(matches!(refused, Err(CommandError::NoAttachment)));
}

#[test]
fn a_copied_profile_is_flagged_and_loses_nothing() {
    let mut world = World::new(10, 3);
    let (space, room) = world.found();
    world.say(2, space, room, "before the copy");
    world.run(2_000);
    let (ledger, view) = (world.hosts[2].ledger.clone(), world.hosts[2].view.clone());
    world.cut(0, 2);
    world.cut(1, 2);
    world.say(2, space, room, "from the original");
    world.link(0, 2);
    world.run(2_000);
    // The disk of host 2 is put back to an earlier image, and written to before it meets anyone.
    world.restart(2);
    (world.hosts[2].ledger, world.hosts[2].view) = (ledger, view);
    world.restart(2);
    world.say(2, space, room, "from the copy");
    world.link_all();
    world.run(60_000);
    world.say(2, space, room, "after");
    world.run(5_000);
    for host in 0..3 {
        let mut texts = world.texts(host, room);
        texts.sort();
        assert_eq!(
            texts,
            [
                "after",
                "before the copy",
                "from the copy",
                "from the original"
            ],
            "host {host}"
        );
        assert_eq!(world.texts(host, room), world.texts(0, room));
    }
    assert!(
        world
            .events(2)
            .iter()
            .any(|e| matches!(e, Event::Reborn(_)))
    );
    assert!(
        world
            .events(0)
            .iter()
            .any(|e| matches!(e, Event::Forked(_)))
    );
    let owner = world.hosts[2].node.member();
    for host in 0..3 {
        for member in world.hosts[host].node.members(&space) {
            assert_eq!(member.copied, member.member == owner, "host {host}");
        }
    }
}

#[test]
fn who_breaks_the_rules_is_remembered() {
    let mut world = World::new(11, 2);
    world.found();
    let bad = world.hosts[1].node.device();
    world
        .with(0, |node, ledger, now| {
            node.received(ledger, now, bad, &[1, 255, 255])
        })
        .unwrap();
    assert_eq!(
        world.hosts[0].dropped,
        [(1, Reason::Broke("a frame is damaged"))]
    );
    world.link(0, 1);
    assert_eq!(world.hosts[0].dropped.last(), Some(&(1, Reason::Banned)));
    world.run(601_000);
    world.link(0, 1);
    world.run(1_000);
    assert!(world.linked(0, 1));
}

#[test]
fn a_flood_is_stopped() {
    let nothing = artel_domain::MessageId::from_bytes([1; 32]);
    for kind in 0..5 {
        let mut world = World::new(12, 2);
        let (space, room) = world.found();
        let peer = world.hosts[1].node.device();
        let frame = match kind {
            0 => Frame::TagsSeen,
            1 => Frame::Chunk {
                message: nothing,
                index: 0,
                chunk: 0,
                bytes: Vec::new(),
            },
            2 => Frame::List {
                message: nothing,
                index: 0,
                from: 0,
                hashes: Vec::new(),
            },
            3 => Frame::Branch {
                space,
                record: nothing,
                records: Vec::new(),
            },
            _ => Frame::Records {
                space,
                room,
                device: peer,
                incarnation: artel_domain::Incarnation::from_bytes([3; 16]),
                records: Vec::new(),
                more: false,
            },
        };
        let frame = frame.encode();
        for _ in 0..20_000 {
            world
                .with(0, |node, ledger, now| {
                    node.received(ledger, now, peer, &frame)
                })
                .unwrap();
        }
        assert_eq!(world.hosts[0].dropped, [(1, Reason::Flooding)], "{kind}");
    }
}

/// Thousands of feeds are asked for at the pace that the other side allows, also where answers come at once.
#[test]
fn many_feeds_are_no_flood() {
    const ROOMS: usize = 30;
    const LIVES: u16 = 250;
    let mut world = World::new(13, 3);
    let (space, _) = world.found();
    for n in 0..ROOMS {
        world
            .with(0, |node, ledger, now| {
                node.create_room(ledger, now, space, &format!("room {n}"), Audience::All)
            })
            .unwrap();
    }
    world.run(5_000);
    for (one, other) in [(0, 2), (1, 2)] {
        world.cut(one, other);
    }
    for room in world.hosts[0].node.rooms(&space) {
        for life in 0..LIVES {
            let mut forger = Forger::in_life(1, space, room.room, life);
            let content = Content::Text {
                text: "one of many".into(),
                reply_to: None,
                attachments: Vec::new(),
            };
            let (_, said) = forger.say(&world, content, Vec::new());
            let frame = forger.frame(&world, vec![said]);
            give(&mut world, 1, 0, &frame);
        }
        world.run(1_000);
    }
    world.cut(0, 1);
    world.quick = true;
    world.link(0, 2);
    world.run(40_000);
    assert!(
        world.hosts[0].dropped.is_empty(),
        "{:?}",
        world.hosts[0].dropped
    );
    let all = world.hosts[0].ledger.record_count();
    assert!(all > ROOMS * usize::from(LIVES));
    assert_eq!(world.hosts[2].ledger.record_count(), all);
}

/// Nobody is kept out by those with whom nothing is in common.
#[test]
fn strangers_make_room() {
    let mut world = World::new(14, 103);
    let space = world
        .with(0, |node, ledger, now| {
            node.found_space(ledger, now, "Class")
        })
        .unwrap();
    let code = world.invite(0, space, 3);
    for stranger in 1..101 {
        world.link(0, stranger);
    }
    world.run(1_000);
    world.link(0, 101);
    assert_eq!(world.hosts[0].dropped, [(101, Reason::Crowded)]);
    world.run(10_000);
    world
        .with(102, |node, ledger, now| node.join(ledger, now, &code))
        .unwrap();
    world.link(0, 102);
    world.run(5_000);
    assert_eq!(world.hosts[102].node.spaces()[0].state, MemberState::Member);
}
