//! Seeded runs: whatever happens on the way, in the end all honest hosts show the same, and nothing unsigned.

use std::collections::BTreeMap;

use artel_domain::{Audience, Content, MessageId, RoomId, SpaceId};
use rand::RngExt as _;

use super::{
    super::{Event, Ledger as _},
    hosts::World,
};

const HONEST: usize = 5;

/// What the hosts really wrote.
type Truth = BTreeMap<MessageId, (usize, RoomId, String)>;

fn act(world: &mut World, space: SpaceId, truth: &mut Truth) {
    let host = world.rng.random_range(0..world.hosts.len());
    let rooms = world.hosts[host].node.rooms(&space);
    let joined = world.hosts[host]
        .node
        .spaces()
        .iter()
        .any(|s| s.role.is_some());
    match world.rng.random_range(0..13) {
        0..=4 if joined && !rooms.is_empty() => {
            let room = rooms[world.rng.random_range(0..rooms.len())].room;
            let text = format!("{host}: {}", truth.len());
            let id = world.say(host, space, room, &text);
            truth.insert(id, (host, room, text));
        }
        5 if host < HONEST => {
            // Take back or mend one of one's own.
            let own: Vec<_> = truth
                .iter()
                .filter(|(_, (h, ..))| *h == host)
                .map(|(id, t)| (*id, t.1))
                .collect();
            if let Some((target, room)) = own
                .get(world.rng.random_range(0..own.len().max(1)))
                .copied()
            {
                let content = if world.rng.random() {
                    Content::Edit {
                        target,
                        text: format!("{host} mends"),
                    }
                } else {
                    Content::Delete {
                        target,
                        edits: Vec::new(),
                    }
                };
                // What was erased already cannot be edited; that is an answer, too.
                let _ = world.with(host, |node, ledger, now| {
                    node.send(ledger, now, space, room, content)
                });
            }
        }
        6 => {
            let other = world.rng.random_range(0..world.hosts.len());
            world.cut(host, other);
        }
        7 if host < HONEST => {
            // A partition.
            let side: Vec<bool> = (0..world.hosts.len()).map(|_| world.rng.random()).collect();
            for a in 0..side.len() {
                for b in a + 1..side.len() {
                    if side[a] != side[b] {
                        world.cut(a, b);
                    }
                }
            }
        }
        8 => world.restart(host),
        9 if host == 0 => {
            let name = format!("Room {}", truth.len());
            world
                .with(0, |node, ledger, now| {
                    node.create_room(ledger, now, space, &name, Audience::All)
                })
                .unwrap();
        }
        10 if host == 0 => {
            world
                .with(0, |node, ledger, now| node.rotate(ledger, now, space))
                .unwrap();
        }
        _ => {
            let other = world.rng.random_range(0..world.hosts.len());
            world.link(host, other);
        }
    }
}

fn check(seed: u64) {
    let mut world = World::new(seed, HONEST + 1);
    world.hostile = Some(HONEST);
    let space = world
        .with(0, |node, ledger, now| {
            node.found_space(ledger, now, "Class")
        })
        .unwrap();
    let code = world.invite(0, space, 40);
    for host in 1..=HONEST {
        world
            .with(host, |node, ledger, now| node.join(ledger, now, &code))
            .unwrap();
    }
    let mut truth = Truth::new();
    for _ in 0..100 {
        act(&mut world, space, &mut truth);
        let pause = world.rng.random_range(50..1_500);
        world.run_with(pause, true);
    }
    for a in 0..HONEST {
        for b in a + 1..HONEST {
            world.link(a, b);
        }
    }
    world.run(100_000);

    let hostile = world.hosts[HONEST].node.member();
    let bent = world.hosts[HONEST].node.device();
    let shown = |host: usize| {
        let rooms = &world.hosts[host].view.rooms;
        rooms
            .iter()
            .map(|(room, rows)| {
                (
                    *room,
                    rows.iter()
                        .map(|(at, row)| (*at, row.clone()))
                        .collect::<Vec<_>>(),
                )
            })
            .collect::<Vec<_>>()
    };
    let strip = |host: usize| {
        let mut rooms = shown(host);
        rooms.retain(|(_, rows)| !rows.is_empty());
        for (_, row) in rooms.iter_mut().flat_map(|(_, rows)| rows) {
            row.late = false;
        }
        rooms
    };
    for host in 0..HONEST {
        let wronged = world.hosts[host]
            .dropped
            .iter()
            .find(|(peer, _)| *peer != HONEST);
        assert_eq!(wronged, None, "seed {seed}: {host} dropped an honest peer");
    }
    for host in 0..HONEST {
        let me = &world.hosts[host];
        assert_eq!(
            me.node.rooms(&space),
            world.hosts[0].node.rooms(&space),
            "seed {seed}: rooms of {host}"
        );
        let mut theirs: BTreeMap<_, _> = BTreeMap::new();
        for (room, rows) in strip(host) {
            for ((_, id), row) in rows {
                theirs.insert(id, (room, row));
            }
        }
        for (id, (author, room, text)) in &truth {
            // The hostile host's own network bends its records: they may reach nobody.
            let Some((shown_in, row)) = theirs.get(id) else {
                let lacks: Vec<_> = (0..HONEST)
                    .map(|h| {
                        world.hosts[h]
                            .ledger
                            .record(id)
                            .unwrap()
                            .map(|r| (r.standing, r.shown))
                    })
                    .collect();
                assert_eq!(
                    *author, HONEST,
                    "seed {seed}: {host} lacks {text:?}: {lacks:?}"
                );
                continue;
            };
            assert_eq!(shown_in, room);
            assert_eq!(row.author, world.hosts[*author].node.member());
            match &row.content {
                Some(Content::Text { text: shown, .. }) => assert_eq!(shown, text),
                None => assert!(row.erased),
                other => panic!("seed {seed}: {other:?} in place of {text:?}"),
            }
            assert!(
                !row.provisional || *author == HONEST,
                "seed {seed}: {text:?} never settled"
            );
        }
        for (id, (_, row)) in &theirs {
            // The hostile host may sign what it likes in its own name, two histories of it even.
            if let (Some(Content::Text { text, .. }), true) = (&row.content, row.author != hostile)
            {
                assert!(
                    truth.contains_key(id),
                    "seed {seed}: {host} shows {text:?}, which nobody wrote"
                );
            }
        }
        assert_eq!(strip(host), strip(0), "seed {seed}: {host} and 0 differ");
        for event in &me.view.events {
            match event {
                Event::Cloned => panic!("seed {seed}: {host} took a restart for a clone"),
                Event::Reborn(_) => panic!("seed {seed}: {host} took a restart for a copy"),
                Event::Forked(feed) => {
                    assert_eq!(feed.device, bent, "seed {seed}: {host} found a copy");
                }
                _ => {}
            }
        }
    }
    assert!(truth.len() > 10, "seed {seed}: too little happened");
}

/// Invariants 2 and 4: no peer is trusted, order is causal.
#[test]
fn honest_hosts_converge_and_show_nothing_unsigned() {
    for seed in 1..=24 {
        check(seed);
    }
}
