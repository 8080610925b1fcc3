//! What the rules of a space do: what newcomers are given, and whether members write to one another directly.

use artel_domain::{Content, History, MessageId, Policy, RoomId, SpaceId};

use super::{
    super::{
        CommandError, Event, Ledger as _, MemoryLedger, StoredBody,
        frame::{Carried, Frame},
    },
    attacks::give,
    files::File,
    hosts::{View, World},
};

const DAY: i64 = 24 * 60 * 60 * 1_000;

fn set(world: &mut World, host: usize, space: SpaceId, policy: Policy) {
    world
        .with(host, |node, ledger, now| {
            node.set_policy(ledger, now, space, policy)
        })
        .unwrap();
}

/// The first hosts of a world in a space under a rule. The others have not come yet.
fn class(world: &mut World, there: usize, history: History) -> (SpaceId, RoomId) {
    let space = world
        .with(0, |node, ledger, now| node.found_space(ledger, now, "7-B"))
        .unwrap();
    let room = world.hosts[0].node.rooms(&space)[0].room;
    for host in 1..there {
        join(world, host, space, &[0]);
    }
    for one in 0..there {
        for other in 0..one {
            world.link(one, other);
        }
    }
    world.run(3_000);
    set(world, 0, space, Policy::History(history));
    world.run(2_000);
    (space, room)
}

/// A host joins by these.
fn join(world: &mut World, host: usize, space: SpaceId, by: &[usize]) {
    let code = world.invite(0, space, 5);
    // Others hear of the invite first.
    world.run(2_000);
    for other in by {
        world.link(host, *other);
    }
    world
        .with(host, |node, ledger, now| node.join(ledger, now, &code))
        .unwrap();
    world.run(3_000);
}

fn send(world: &mut World, host: usize, at: (SpaceId, RoomId), content: Content) -> MessageId {
    world
        .with(host, |node, ledger, now| {
            node.send(ledger, now, at.0, at.1, content)
        })
        .unwrap()
        .id
}

fn edit(target: MessageId, text: &str) -> Content {
    Content::Edit {
        target,
        text: text.into(),
    }
}

fn delete(target: MessageId) -> Content {
    Content::Delete {
        target,
        edits: Vec::new(),
    }
}

fn is_here(world: &World, host: usize, record: MessageId) -> bool {
    let body = world.hosts[host].ledger.body(&record).unwrap();
    matches!(body, Some(StoredBody::Here(_)))
}

/// The body of a record, as a host has it.
fn body(world: &World, host: usize, record: MessageId) -> Vec<u8> {
    match world.hosts[host].ledger.body(&record).unwrap() {
        Some(StoredBody::Here(wire)) => wire,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_newcomer_is_given_what_comes_later_and_asks_nobody_for_the_rest() {
    let mut world = World::new(400, 3);
    let (space, room) = class(&mut world, 2, History::None);
    let old: Vec<MessageId> = (0..200)
        .map(|n| world.say(n % 2, space, room, &format!("before {n}")))
        .collect();
    world.run(2_000);
    join(&mut world, 2, space, &[0]);
    world.link(1, 2);
    world.say(1, space, room, "after");
    world.run(10_000);
    assert_eq!(world.texts(2, room), ["after"]);
    // The records themselves are there, as the chains need them, and count as those of others do.
    let counts = [0, 2].map(|host| world.hosts[host].ledger.record_count());
    assert_eq!(counts[0], counts[1]);
    let rows = world.hosts[2].view.rooms[&room].values();
    assert!(rows.clone().all(|row| !row.provisional && !row.late));
    let whole = |event: &Event| matches!(event, Event::InStep { whole: true, .. });
    assert!(world.events(2).iter().any(whole), "in step all the same");
    assert!(world.hosts[2].ledger.is_withheld(&old[7]).unwrap());
    // Nobody is asked, not even after a restart; and the newcomer has none to give.
    let asked = world.bodies_asked;
    world.run(60_000);
    world.restart(2);
    world.link_all();
    world.run(30_000);
    assert_eq!(world.bodies_asked, asked);
    assert!(old.iter().all(|record| !is_here(&world, 2, *record)));
    // What is written from now on comes by others as well.
    world.cut(1, 2);
    world.say(1, space, room, "by another");
    world.run(5_000);
    assert_eq!(world.texts(2, room), ["after", "by another"]);
}

#[test]
fn a_rule_of_days_is_counted_from_the_coming() {
    let mut world = World::new(401, 3);
    let at = class(&mut world, 2, History::Days(2));
    let (space, room) = at;
    world.say(1, space, room, "three days ago");
    world.run(1_000);
    world.now += DAY + DAY / 2;
    world.say(1, space, room, "yesterday");
    world.run(1_000);
    world.now += DAY + DAY / 2 - 20_000;
    join(&mut world, 2, space, &[0]);
    world.run(10_000);
    assert_eq!(world.texts(2, room), ["yesterday"]);
    // Days that pass take nothing more away.
    world.now += 30 * DAY;
    world.say(1, space, room, "a month later");
    world.run(10_000);
    assert_eq!(world.texts(2, room), ["yesterday", "a month later"]);
}

#[test]
fn what_was_withheld_comes_once_the_rule_allows_it() {
    let mut world = World::new(402, 3);
    let at = class(&mut world, 2, History::None);
    let (space, room) = at;
    world.say(0, space, room, "first");
    world.run(1_000);
    let gone = world.say(1, space, room, "second");
    world.now += 5 * DAY;
    world.say(1, space, room, "third");
    world.run(2_000);
    join(&mut world, 2, space, &[0, 1]);
    world.run(10_000);
    assert!(world.texts(2, room).is_empty());
    // One that is deleted meanwhile leaves no trace as long as it is withheld.
    send(&mut world, 1, at, delete(gone));
    world.run(3_000);
    assert_eq!(world.texts(2, room), ["delete"]);
    set(&mut world, 0, space, Policy::History(History::Days(1)));
    world.run(10_000);
    // Of that one nobody knows any more how old it is.
    assert_eq!(world.texts(2, room), ["erased", "third", "delete"]);
    world.restart(2);
    world.link_all();
    set(&mut world, 0, space, Policy::History(History::All));
    world.run(10_000);
    assert_eq!(world.texts(2, room), world.texts(0, room));
    assert_eq!(world.texts(2, room), ["first", "erased", "third", "delete"]);
    // And nothing is asked for any more.
    let asked = world.bodies_asked;
    world.run(30_000);
    assert_eq!(world.bodies_asked, asked);
}

#[test]
fn edits_and_files_go_with_their_messages_and_deletions_always() {
    let mut world = World::new(403, 3);
    let at = class(&mut world, 2, History::None);
    let (space, room) = at;
    let old = world.say(1, space, room, "an old one");
    let taken_back = world.say(1, space, room, "taken back early");
    send(&mut world, 1, at, delete(taken_back));
    let file = File::new(3, 0);
    file.keep(&mut world.hosts[0].ledger);
    let with_file = file.post(&mut world, 0, at);
    world.run(2_000);
    join(&mut world, 2, space, &[0, 1]);
    world.run(10_000);
    let new = world.say(1, space, room, "a new one");
    let late = send(&mut world, 1, at, edit(old, "an old one, edited now"));
    send(&mut world, 1, at, edit(new, "a new one, edited"));
    world.run(10_000);
    assert!(!is_here(&world, 2, late), "nor when it is pushed");
    // The deletion is there; it leaves no empty place where nothing was.
    let texts = world.texts(2, room);
    assert_eq!(texts, ["delete", "a new one", "edit: a new one, edited"]);
    // One that came in spite: its file is not given.
    let wire = body(&world, 0, with_file);
    let frame = Frame::Bodies {
        space,
        bodies: vec![(with_file, wire)],
    };
    give(&mut world, 1, 2, &frame.encode());
    world
        .with(2, |node, ledger, now| node.fetch(ledger, now, with_file, 0))
        .unwrap();
    world.run(20_000);
    assert!(!file.is_whole_at(&world, 2));
    set(&mut world, 0, space, Policy::History(History::All));
    world.run(30_000);
    assert!(file.is_whole_at(&world, 2));
}

#[test]
fn who_gives_in_spite_harms_nothing() {
    let mut world = World::new(404, 3);
    let (space, room) = class(&mut world, 2, History::None);
    let old = world.say(1, space, room, "before");
    world.run(2_000);
    join(&mut world, 2, space, &[0, 1]);
    world.run(10_000);
    assert!(!is_here(&world, 2, old));
    let bodies = vec![(old, body(&world, 0, old))];
    give(&mut world, 1, 2, &Frame::Bodies { space, bodies }.encode());
    assert_eq!(world.texts(2, room), ["before"]);
    assert!(!world.hosts[2].ledger.is_withheld(&old).unwrap());
    world.run(5_000);
    assert!(world.linked(1, 2) && world.hosts[2].dropped.is_empty());
}

/// Else one liar could keep a newcomer from what others write.
#[test]
fn one_pupils_word_that_something_is_withheld_is_not_enough() {
    let mut world = World::new(405, 5);
    let (space, room) = class(&mut world, 4, History::None);
    join(&mut world, 4, space, &[0]);
    for other in [0, 1, 2, 3] {
        world.cut(4, other);
    }
    let new = world.say(1, space, room, "new");
    world.run(2_000);
    // Host 3 brings the record without its body, and lies.
    world.link(3, 4);
    world.run(1);
    let lie = Frame::Withheld {
        space,
        before: i64::MIN,
        records: vec![new],
    };
    let strip = |world: &mut World| {
        let record = world.hosts[3].ledger.record(&new).unwrap().unwrap();
        let frame = Frame::Records {
            space,
            room,
            device: record.feed.device,
            incarnation: record.feed.incarnation,
            records: vec![Carried {
                envelope: record.envelope,
                change: record.change,
                body: None,
            }],
            more: false,
        };
        give(world, 3, 4, &frame.encode());
        give(world, 3, 4, &lie.encode());
    };
    for _ in 0..20 {
        strip(&mut world);
        if world.hosts[4].ledger.is_withheld(&new).unwrap() {
            break;
        }
        world.run(20);
    }
    assert!(world.hosts[4].ledger.is_withheld(&new).unwrap());
    world.cut(3, 4);
    world.link(2, 4);
    world.run(15_000);
    assert_eq!(world.texts(4, room), ["new"]);
}

#[test]
fn words_of_another_rule_than_the_known_one_are_not_kept() {
    let mut world = World::new(406, 3);
    let (space, room) = class(&mut world, 2, History::All);
    let old = world.say(1, space, room, "before");
    world.run(2_000);
    // Nothing is withheld under this rule: whoever says so goes by another.
    for before in [i64::MIN, i64::MAX] {
        let records = vec![old];
        let lie = Frame::Withheld {
            space,
            before,
            records,
        };
        give(&mut world, 0, 1, &lie.encode());
    }
    join(&mut world, 2, space, &[1]);
    world.run(10_000);
    assert_eq!(world.texts(2, room), ["before"]);
    set(&mut world, 0, space, Policy::History(History::None));
    world.run(2_000);
    // A stricter one was not heard of here yet.
    let lie = Frame::Withheld {
        space,
        before: i64::MAX,
        records: vec![old],
    };
    world.with(2, |_, ledger, _| {
        ledger.erase_body(&old).unwrap();
        ledger.restore_wanted(&old).unwrap();
    });
    give(&mut world, 0, 2, &lie.encode());
    assert!(!world.hosts[2].ledger.is_withheld(&old).unwrap());
}

#[test]
fn another_device_of_a_member_is_given_what_the_member_is() {
    let mut world = World::new(407, 2);
    let (space, room) = class(&mut world, 2, History::None);
    world.say(0, space, room, "since both were there");
    world.say(1, space, room, "my own");
    world.run(2_000);
    world.now += DAY;
    world.run(2_000);
    // It has the person's keys and nothing else, and comes by an invite.
    let second = world.copy_host(1);
    world.hosts[second].view = View::default();
    world.hosts[second].ledger = MemoryLedger::new();
    world.move_to_new_device(second);
    join(&mut world, second, space, &[0]);
    world.run(15_000);
    assert_eq!(world.texts(second, room).len(), 2);
    assert_eq!(world.texts(second, room), world.texts(0, room));
}

#[test]
fn the_latest_that_are_shown_ahead_and_bundles_obey_the_rule() {
    let mut world = World::new(408, 4);
    let (space, room) = class(&mut world, 2, History::None);
    for n in 0..600 {
        world.say(n % 2, space, room, "before");
        if n % 50 == 0 {
            world.run(250);
        }
    }
    world.run(2_000);
    join(&mut world, 2, space, &[0]);
    world.say(0, space, room, "after");
    world.run(20_000);
    let shown = world.events(2).iter().filter_map(|event| match event {
        Event::Shown(shown) => shown.body.clone().map(|body| body.content),
        _ => None,
    });
    assert_eq!(shown.count(), 1, "nothing else, not even for a moment");
    assert_eq!(world.texts(2, room), ["after"]);
    // A bundle is for everyone: it holds what the last to come is given, too.
    let mut said = 0;
    let frames = world.with(0, |node, ledger, _| {
        let (feeds, _) = node.bundle_feeds(&space).unwrap();
        let mut frames = Vec::new();
        for feed in feeds.into_iter().filter(|feed| feed.room == room) {
            let mut from = Some(1);
            while let Some(place) = from {
                let page = node.bundle_page(ledger, &feed, place).unwrap();
                let (frame, _, next) = page.unwrap();
                frames.push(frame);
                from = next;
            }
        }
        frames
    });
    for frame in &frames {
        let Ok(Frame::Records { records, .. }) = Frame::decode(frame) else {
            panic!("records");
        };
        said += records
            .iter()
            .filter(|record| record.body.is_some())
            .count();
    }
    assert_eq!(said, 1);
}

/// The conversation of two hosts.
fn talk(world: &World, space: SpaceId, one: usize, other: usize) -> RoomId {
    let with = world.hosts[other].node.member();
    let all = world.hosts[one].node.conversations(&space);
    all.iter().find(|found| found.with == with).unwrap().room
}

#[test]
fn newcomers_carry_nothing_from_before_they_came() {
    let mut world = World::new(409, 3);
    let (space, _) = class(&mut world, 2, History::None);
    let talk = talk(&world, space, 0, 1);
    let old = world.say(0, space, talk, "before");
    world.run(2_000);
    join(&mut world, 2, space, &[0, 1]);
    let new = world.say(0, space, talk, "after");
    world.run(15_000);
    assert!(!is_here(&world, 2, old) && is_here(&world, 2, new));
    assert_eq!(world.texts(1, talk), ["before", "after"]);
}

#[test]
fn with_direct_messages_off_none_is_written_or_shown_and_reports_arrive() {
    let mut world = World::new(410, 4);
    let (space, room) = class(&mut world, 4, History::All);
    let between = talk(&world, space, 1, 2);
    let at = (space, between);
    let before = world.say(1, space, between, "while it was on");
    let public = world.say(2, space, room, "in the room");
    world.run(2_000);
    // Host 1 does not hear of it yet.
    for other in [0, 2, 3] {
        world.cut(1, other);
    }
    set(&mut world, 0, space, Policy::Direct(false));
    world.run(3_000);
    let unheard = world.say(1, space, between, "unheard of");
    let said = Content::Text {
        text: "after".into(),
        reply_to: None,
        attachments: Vec::new(),
    };
    let refused = world.with(2, |node, ledger, now| {
        node.send(ledger, now, at.0, at.1, said)
    });
    assert!(matches!(refused, Err(CommandError::DirectOff)));
    assert!(!world.hosts[2].node.is_direct_on(&space));
    world.link_all();
    world.run(10_000);
    // It is carried, since nobody but its reader can tell it from a report; and not shown.
    assert!(is_here(&world, 3, unheard) && is_here(&world, 2, unheard));
    assert_eq!(world.texts(2, between), ["while it was on"]);
    world.restart(2);
    world.link_all();
    world.run(5_000);
    assert_eq!(world.texts(2, between), ["while it was on"]);
    // What was said before can be taken back, and what is wrong reported.
    send(&mut world, 1, at, delete(before));
    world
        .with(1, |node, ledger, now| {
            node.report(ledger, now, public, "look".into())
        })
        .unwrap();
    world.run(3_000);
    assert_eq!(world.texts(2, between), ["erased", "delete"]);
    let reports = &world.hosts[0].view.rooms[&space.reports()];
    assert_eq!(reports.len(), 1);
    // On again, it arrives.
    set(&mut world, 0, space, Policy::Direct(true));
    world.run(3_000);
    assert_eq!(world.texts(2, between), ["erased", "unheard of", "delete"]);
}

#[test]
fn files_of_conversations_rest_while_direct_messages_are_off() {
    let mut world = World::new(411, 3);
    let (space, _) = class(&mut world, 3, History::All);
    let between = talk(&world, space, 1, 2);
    let file = File::new(3, 0);
    file.keep(&mut world.hosts[1].ledger);
    let message = file.post(&mut world, 1, (space, between));
    world.run(2_000);
    let fetch =
        |world: &mut World| world.with(2, |node, ledger, now| node.fetch(ledger, now, message, 0));
    set(&mut world, 0, space, Policy::Direct(false));
    // Host 2 has not heard of it and asks; host 1 has.
    let given = world.sent_file_bytes;
    let asks = Frame::WantChunks {
        message,
        index: 0,
        chunks: vec![0],
    };
    world.run(2_000);
    give(&mut world, 2, 1, &asks.encode());
    world.run(1_000);
    assert!(world.sent_file_bytes - given < 1_000, "no chunk");
    assert!(matches!(fetch(&mut world), Err(CommandError::DirectOff)));
    set(&mut world, 0, space, Policy::Direct(true));
    world.run(2_000);
    fetch(&mut world).unwrap();
    world.run(20_000);
    assert!(file.is_whole_at(&world, 2));
}

#[test]
fn a_page_is_opened_as_the_rule_says_where_its_opener_does_not() {
    let mut world = World::new(412, 2);
    let (space, room) = class(&mut world, 2, History::All);
    let open = |world: &mut World| {
        world
            .with(0, |node, ledger, now| {
                node.open_page(ledger, now, space, room, None)
            })
            .unwrap();
        let host = &world.hosts[0];
        let page = host.node.page(&host.ledger, &space, &room).unwrap();
        page.unwrap().students
    };
    assert!(open(&mut world));
    set(&mut world, 0, space, Policy::Pages { students: false });
    assert!(!open(&mut world));
}

#[test]
fn rules_are_told_with_who_set_them() {
    let mut world = World::new(413, 2);
    let (space, _) = class(&mut world, 2, History::Days(30));
    let host = &world.hosts[1];
    let rules = host.node.policies(&host.ledger, &space).unwrap();
    let [history, direct, _] = rules.as_slice() else {
        panic!("{rules:?}");
    };
    assert_eq!(history.policy, Policy::History(History::Days(30)));
    let (by, at) = history.set.unwrap();
    assert_eq!(by, world.hosts[0].node.member());
    assert!((world.now - 10_000..world.now).contains(&at));
    assert_eq!(
        (&direct.policy, &direct.set),
        (&Policy::Direct(true), &None)
    );
    let refused = world.with(1, |node, ledger, now| {
        node.set_policy(ledger, now, space, Policy::Direct(false))
    });
    assert!(matches!(refused, Err(CommandError::Forbidden { .. })));
}
