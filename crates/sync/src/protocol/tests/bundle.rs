//! What is carried by hand.

use std::ops::ControlFlow;

use artel_domain::{Audience, Role, SpaceId};

use super::{
    super::{MemberState, UnpackError, Unpacked},
    hosts::World,
};

/// Everything that a host puts into a bundle, or what was written since.
fn pack(world: &mut World, host: usize, space: SpaceId, since: Option<i64>) -> Vec<Vec<u8>> {
    world.with(host, |node, ledger, _| {
        let (feeds, _) = node.bundle_feeds(&space).unwrap();
        let mut frames = Vec::new();
        for feed in feeds {
            let mut from = match since {
                Some(since) => {
                    let mut from = 1;
                    loop {
                        match node.bundle_from(ledger, &feed, from, since).unwrap() {
                            ControlFlow::Continue(next) => from = next,
                            ControlFlow::Break(place) => break Some(place),
                        }
                    }
                }
                None => Some(1),
            };
            while let Some(place) = from {
                let Some((frame, _, next)) = node.bundle_page(ledger, &feed, place).unwrap() else {
                    break;
                };
                frames.push(frame);
                from = next;
            }
        }
        frames
    })
}

/// Takes frames in this order; how many were new, and how many wait.
fn unpack(world: &mut World, host: usize, space: SpaceId, frames: &[Vec<u8>]) -> (u64, usize) {
    let (mut new, mut waiting) = (0, 0);
    for frame in frames {
        let taken = world.with(host, |node, ledger, now| {
            node.unpack(ledger, now, space, frame)
        });
        match taken.unwrap() {
            Unpacked::Taken(records) => new += records,
            Unpacked::Gap(records) | Unpacked::Unknown(records) => {
                new += records;
                waiting += 1;
            }
        }
    }
    (new, waiting)
}

/// Two hosts that have not met for long, and one more who came in meanwhile.
#[test]
fn a_bundle_brings_what_was_missed_in_any_order_and_once() {
    let mut world = World::new(300, 3);
    let (space, room) = world.found();
    world.say(0, space, room, "before");
    world.run(2_000);
    for other in [0, 1] {
        world.cut(other, 2);
    }
    for n in 0..300 {
        world.say(0, space, room, &format!("by 0: {n}"));
    }
    world.say(1, space, room, "by 1");
    world.run(5_000);
    let frames = pack(&mut world, 0, space, None);
    let mut backwards = frames.clone();
    backwards.reverse();
    let mut new = 0;
    for _ in 0..8 {
        let before = world.hosts[2].ledger.record_count();
        let (taken, waiting) = unpack(&mut world, 2, space, &backwards);
        let came = world.hosts[2].ledger.record_count() - before;
        assert_eq!(usize::try_from(taken).unwrap(), came, "as many are told");
        new += taken;
        if waiting == 0 {
            break;
        }
    }
    assert_eq!(new, 301);
    assert_eq!(world.texts(2, room), world.texts(0, room));
    assert_eq!(
        unpack(&mut world, 2, space, &frames),
        (0, 0),
        "nothing comes twice"
    );
}

/// A feed is looked through in pieces, each a batch of its own.
#[test]
fn a_long_feed_is_looked_through_in_pieces() {
    let mut world = World::new(304, 1);
    let (space, room) = world.found();
    for n in 0..1_200 {
        world.say(0, space, room, &format!("{n}"));
    }
    world.run(10_000);
    let since = world.now;
    world.say(0, space, room, "today");
    let pieces = world.with(0, |node, ledger, _| {
        let (feeds, _) = node.bundle_feeds(&space).unwrap();
        let feed = feeds.into_iter().find(|feed| feed.room == room).unwrap();
        let mut from = 1;
        let mut pieces = 1;
        while let ControlFlow::Continue(next) =
            node.bundle_from(ledger, &feed, from, since).unwrap()
        {
            assert!(next > from);
            from = next;
            pieces += 1;
        }
        pieces
    });
    assert_eq!(pieces, 3);
    assert_eq!(pack(&mut world, 0, space, Some(since)).len(), 2);
}

/// While two epochs are the latest, a bundle is sealed with both secrets; it opens as well once a third has come.
#[test]
fn a_bundle_of_two_latest_epochs_opens_later() {
    let mut world = World::new(305, 2);
    let (space, _) = world.found();
    world.run(2_000);
    let other = world.hosts[1].node.member();
    world
        .with(0, |node, ledger, now| {
            node.set_role(ledger, now, space, other, Role::Owner)
        })
        .unwrap();
    world.run(2_000);
    world.cut(0, 1);
    let rotate = |world: &mut World, host| {
        world
            .with(host, |node, ledger, now| node.rotate(ledger, now, space))
            .unwrap();
        world.run(1_000);
    };
    rotate(&mut world, 0);
    rotate(&mut world, 1);
    world.link(0, 1);
    world.run(10_000);
    let both = world.hosts[0].node.bundle_key(&space).unwrap();
    assert_eq!(world.hosts[1].node.bundle_key(&space), Some(both));
    rotate(&mut world, 0);
    world.run(5_000);
    for host in [0, 1] {
        let node = &world.hosts[host].node;
        assert_ne!(node.bundle_key(&space), Some(both));
        assert!(node.bundle_keys().contains(&(space, both)), "{host}");
    }
}

#[test]
fn what_is_new_since_a_day_is_enough_for_one_who_had_the_rest() {
    let mut world = World::new(301, 3);
    let (space, room) = world.found();
    world.say(0, space, room, "long ago");
    world.run(3_000);
    world.cut(0, 1);
    world.cut(0, 2);
    world.cut(1, 2);
    world.run(86_400_000 / 100);
    let since = world.now;
    world.say(0, space, room, "today");
    let frames = pack(&mut world, 0, space, Some(since));
    assert!(frames.len() <= 3, "control, and one feed");
    assert_eq!(unpack(&mut world, 1, space, &frames).0, 1);
    assert_eq!(world.texts(1, room), ["long ago", "today"]);
    // What came before it is missing for one who has not been there.
    world.say(0, space, room, "missed");
    let gap = world.now + 1;
    world.run(1_000);
    world.say(0, space, room, "too late");
    let frames = pack(&mut world, 0, space, Some(gap));
    assert_eq!(unpack(&mut world, 2, space, &frames).1, 1);
    assert_eq!(world.texts(2, room), ["long ago"]);
}

#[test]
fn a_bundle_is_believed_no_more_than_a_stranger() {
    let mut world = World::new(302, 2);
    let (space, room) = world.found();
    world.cut(0, 1);
    world.say(0, space, room, "said");
    let hidden = world
        .with(0, |node, ledger, now| {
            node.create_room(ledger, now, space, "teachers", Audience::Teachers)
        })
        .unwrap();
    world.say(0, space, hidden, "for teachers");
    let (feeds, left_out) = world.hosts[0].node.bundle_feeds(&space).unwrap();
    assert_eq!(left_out, ["teachers"]);
    assert!(feeds.iter().all(|feed| feed.room != hidden));
    let frames = pack(&mut world, 0, space, None);
    let before = world.hosts[1].ledger.record_count();
    let mut refused = 0;
    for frame in &frames {
        for at in (0..frame.len()).step_by(7) {
            let mut bent = frame.clone();
            bent[at] ^= 1;
            let taken = world.with(1, |node, ledger, now| {
                node.unpack(ledger, now, space, &bent)
            });
            refused += usize::from(matches!(
                taken,
                Err(UnpackError::Foreign | UnpackError::Broke(_))
            ));
        }
    }
    assert!(refused > 100, "{refused}");
    assert!(world.texts(1, room).iter().all(|text| text == "said"));
    unpack(&mut world, 1, space, &frames);
    assert_eq!(world.texts(1, room), ["said"]);
    assert!(world.hosts[1].ledger.record_count() > before);
    let other = SpaceId::from_bytes([1; 32]);
    let taken = world.with(1, |node, ledger, now| {
        node.unpack(ledger, now, other, &frames[0])
    });
    assert!(matches!(taken, Err(UnpackError::Foreign)));
}

#[test]
fn who_is_removed_makes_no_bundle_and_has_no_key_of_now() {
    let mut world = World::new(303, 2);
    let (space, _) = world.found();
    world.run(2_000);
    let member = world.hosts[1].node.member();
    let former = world.hosts[0].node.bundle_key(&space).unwrap();
    world
        .with(0, |node, ledger, now| {
            node.remove(ledger, now, space, member, false)
        })
        .unwrap();
    world.run(5_000);
    assert_eq!(world.state(1, space, member), MemberState::Removed);
    assert!(world.hosts[1].node.bundle_feeds(&space).is_err());
    let key = world.hosts[0].node.bundle_key(&space).unwrap();
    let has = |host: usize, key| world.hosts[host].node.bundle_keys().contains(&(space, key));
    assert!(!has(1, key));
    assert!(
        has(0, key) && has(0, former),
        "an older bundle is read with the secret of then"
    );
}
