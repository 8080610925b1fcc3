//! Scenes about shared pages.

use artel_domain::{Body, Content, Control, MessageId, Role, RoomId, SpaceId};

use super::{
    super::{CommandError, Event, Ledger as _, PageView, Standing, StoredBody, page::Page},
    attacks::{Forger, give},
    hosts::World,
};

fn open(world: &mut World, space: SpaceId, room: RoomId, students: bool) {
    world
        .with(0, |node, ledger, now| {
            node.open_page(ledger, now, space, room, Some(students))
        })
        .unwrap();
}

fn page(world: &mut World, host: usize, space: SpaceId, room: RoomId) -> PageView {
    world
        .with(host, |node, ledger, _| node.page(ledger, &space, &room))
        .unwrap()
        .unwrap()
}

fn edit(
    world: &mut World,
    host: usize,
    (space, room): (SpaceId, RoomId),
    base: &PageView,
    text: &str,
) -> Result<bool, CommandError> {
    let edited = world.with(host, |node, ledger, now| {
        node.edit_page(ledger, now, space, room, &base.heads, text)
    });
    edited.map(|sent| sent.is_some())
}

/// The room of a page's feeds.
fn feeds(world: &World, space: SpaceId) -> RoomId {
    let ledger = &world.hosts[0].ledger;
    let entries = ledger
        .room_records(&space, &space.control_room(), None, 100)
        .unwrap();
    let opened = entries.iter().rev().find_map(|entry| {
        let Some(StoredBody::Here(wire)) = ledger.body(&entry.id).unwrap() else {
            return None;
        };
        match Body::decode(&wire).unwrap().content {
            Content::Control(Control::PageOpen { nonce, .. }) => {
                Some(RoomId::derive(&space, &entry.feed.device, &nonce))
            }
            _ => None,
        }
    });
    opened.unwrap()
}

#[test]
fn a_page_travels_and_what_is_written_apart_is_merged() {
    let mut world = World::new(70, 3);
    let place @ (space, room) = world.found();
    let none = world.with(1, |node, ledger, _| node.page(ledger, &space, &room));
    assert_eq!(none.unwrap(), None);
    open(&mut world, space, room, true);
    world.run(3_000);
    let empty = page(&mut world, 1, space, room);
    assert!(empty.editable && empty.students && empty.text.is_empty());
    assert!(edit(&mut world, 1, place, &empty, "Homework\n- page 12\n").unwrap());
    world.run(3_000);
    let base = page(&mut world, 2, space, room);
    assert_eq!(base.text, "Homework\n- page 12\n");
    assert_eq!(base.last.unwrap().0, world.hosts[1].node.member());
    assert!(
        world
            .events(2)
            .contains(&Event::PageChanged { space, room })
    );
    // Apart, both write; 2 restarts meanwhile.
    for other in [0, 1] {
        world.cut(other, 2);
    }
    edit(
        &mut world,
        1,
        place,
        &base,
        "Homework for Monday\n- page 12\n",
    )
    .unwrap();
    edit(
        &mut world,
        2,
        place,
        &base,
        "Homework\n- page 12\n- a poem\n",
    )
    .unwrap();
    world.restart(2);
    world.link_all();
    world.run(10_000);
    for host in 0..3 {
        let page = page(&mut world, host, space, room);
        assert_eq!(
            page.text, "Homework for Monday\n- page 12\n- a poem\n",
            "{host}"
        );
    }
    let now = page(&mut world, 0, space, room);
    assert!(
        !edit(&mut world, 0, place, &now, &now.text).unwrap(),
        "nothing differs"
    );
    assert!(world.texts(0, room).is_empty(), "no message comes of it");
    let listed = world.hosts[0].node.rooms(&space).len();
    assert_eq!(listed, 1, "a page is no room");
}

#[test]
fn students_edit_only_what_is_open_to_them() {
    let mut world = World::new(71, 3);
    let place @ (space, room) = world.found();
    let refused = world.with(1, |node, ledger, now| {
        node.open_page(ledger, now, space, room, Some(true))
    });
    assert!(matches!(refused, Err(CommandError::Forbidden { .. })));
    open(&mut world, space, room, false);
    let mine = page(&mut world, 0, space, room);
    edit(&mut world, 0, place, &mine, "rules").unwrap();
    world.run(3_000);
    let theirs = page(&mut world, 1, space, room);
    assert!(!theirs.editable);
    assert_eq!(theirs.text, "rules");
    let refused = edit(&mut world, 1, place, &theirs, "no rules");
    assert!(matches!(refused, Err(CommandError::Forbidden { .. })));
    // A modified client signs and sends it all the same.
    let feeds = feeds(&world, space);
    let mut forger = Forger::new(1, space, feeds);
    let life = forger.incarnation;
    let base = Page::build([]).unwrap();
    let change = base
        .edit(&life, &base.heads(), "no rules")
        .unwrap()
        .unwrap();
    let (id, carried) = forger.say(&world, Content::Page { change }, Vec::new());
    let frame = forger.frame(&world, vec![carried]);
    give(&mut world, 1, 0, &frame);
    assert!(
        world.hosts[0].ledger.record(&id).unwrap().is_some(),
        "it is kept"
    );
    assert_eq!(page(&mut world, 0, space, room).text, "rules");
    // Opened to students, the text goes over, and now they may.
    open(&mut world, space, room, true);
    world.run(3_000);
    let theirs = page(&mut world, 1, space, room);
    assert_eq!(theirs.text, "rules");
    edit(&mut world, 1, place, &theirs, "rules, and games").unwrap();
    world.run(3_000);
    assert_eq!(page(&mut world, 0, space, room).text, "rules, and games");
}

/// Neither a message in a page's feeds nor a deletion of a change has any effect; nor has a change in a room.
#[test]
fn pages_and_messages_do_not_mix() {
    let mut world = World::new(72, 2);
    let place @ (space, room) = world.found();
    open(&mut world, space, room, true);
    let base = page(&mut world, 0, space, room);
    edit(&mut world, 0, place, &base, "what stays").unwrap();
    world.run(3_000);
    let feeds = feeds(&world, space);
    let ledger = &world.hosts[0].ledger;
    let written = ledger.room_records(&space, &feeds, None, 10).unwrap();
    let target = written[0].id;
    let mut forger = Forger::new(1, space, feeds);
    let text = Content::Text {
        text: "hidden words".into(),
        reply_to: None,
        attachments: Vec::new(),
    };
    let delete = Content::Delete {
        target,
        edits: Vec::new(),
    };
    let (_, text) = forger.say(&world, text, Vec::new());
    let (_, delete) = forger.say(&world, delete, vec![target]);
    let frame = forger.frame(&world, vec![text, delete]);
    give(&mut world, 1, 0, &frame);
    let mut forger = Forger::new(1, space, room);
    let change = Content::Page {
        change: vec![1; 40],
    };
    let (_, change) = forger.say(&world, change, Vec::new());
    let frame = forger.frame(&world, vec![change]);
    give(&mut world, 1, 0, &frame);
    world.run(3_000);
    assert_eq!(page(&mut world, 0, space, room).text, "what stays");
    assert!(world.texts(0, feeds).is_empty());
    assert!(world.texts(0, room).is_empty());
}

#[test]
fn what_a_removed_member_wrote_later_does_not_count() {
    let mut world = World::new(73, 3);
    let place @ (space, room) = world.found();
    open(&mut world, space, room, true);
    world.run(3_000);
    let base = page(&mut world, 2, space, room);
    edit(&mut world, 2, place, &base, "good").unwrap();
    world.run(3_000);
    // 1 and 2 are apart from the owner, who removes 2; 2 writes on, and 1 writes on top of that.
    world.cut(0, 1);
    world.cut(0, 2);
    let member = world.hosts[2].node.member();
    world
        .with(0, |node, ledger, now| {
            node.remove(ledger, now, space, member, false)
        })
        .unwrap();
    let base = page(&mut world, 2, space, room);
    edit(&mut world, 2, place, &base, "good, bad").unwrap();
    world.run(3_000);
    let base = page(&mut world, 1, space, room);
    assert_eq!(base.text, "good, bad");
    edit(&mut world, 1, place, &base, "good, bad, mine").unwrap();
    world.link(0, 1);
    world.run(5_000);
    for host in [0, 1] {
        assert_eq!(page(&mut world, host, space, room).text, "good", "{host}");
    }
    // What 1 writes from here on counts for everyone, though an earlier change of that life does not.
    let base = page(&mut world, 1, space, room);
    edit(&mut world, 1, place, &base, "good again").unwrap();
    world.run(3_000);
    for host in [0, 1] {
        assert_eq!(
            page(&mut world, host, space, room).text,
            "good again",
            "{host}"
        );
    }
    let roles: Vec<Role> = world.hosts[0]
        .node
        .members(&space)
        .iter()
        .map(|m| m.role)
        .collect();
    assert_eq!(roles.len(), 3);
}

/// A change builds on a record that does not exist, and claims a late place. What others write meanwhile must not build
/// on it, for that would come before it and never count.
#[test]
fn what_builds_on_nothing_does_not_stop_a_page() {
    let mut world = World::new(77, 3);
    let place @ (space, room) = world.found();
    open(&mut world, space, room, true);
    world.run(3_000);
    let feeds = feeds(&world, space);
    let mut forger = Forger::new(1, space, feeds);
    forger.boast = 40;
    let base = Page::build([]).unwrap();
    let change = base
        .edit(&forger.incarnation, &base.heads(), "never settled\n")
        .unwrap()
        .unwrap();
    let nowhere = MessageId::from_bytes([9; 32]);
    let (id, carried) = forger.say(&world, Content::Page { change }, vec![nowhere]);
    let frame = forger.frame(&world, vec![carried]);
    give(&mut world, 1, 0, &frame);
    let record = world.hosts[0].ledger.record(&id).unwrap().unwrap();
    assert_eq!(record.standing, Standing::Provisional);
    for line in ["one\n", "two\n"] {
        let seen = page(&mut world, 0, space, room);
        let more = format!("{}{line}", seen.text);
        assert!(edit(&mut world, 0, place, &seen, &more).unwrap());
        world.run(3_000);
        for host in [0, 2] {
            let text = page(&mut world, host, space, room).text;
            assert!(text.contains(line), "{host}: {text}");
        }
    }
}
