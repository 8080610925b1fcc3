//! One file and many who want it.

use artel_domain::{
    Attachment, Audience, Content, FileDigest, FileId, MessageId, RoomId, SpaceId, limits::CHUNK,
};

use super::{
    super::{Event, Ledger as _, MemoryLedger, frame::Frame},
    attacks::give,
    hosts::World,
};

/// A made-up file of so many chunks, the last one short.
pub(super) struct File {
    bytes: Vec<u8>,
    list: Vec<[u8; 32]>,
    attachment: Attachment,
}

impl File {
    pub(super) fn new(chunks: usize, kind: u8) -> Self {
        let bytes: Vec<u8> = (0..chunks * CHUNK - 9)
            .map(|i| u8::try_from((i / CHUNK + i) % 251).unwrap() ^ kind)
            .collect();
        let mut digest = FileDigest::new();
        for chunk in bytes.chunks(CHUNK) {
            digest.chunk(chunk).unwrap();
        }
        let (attachment, list) = digest.finish("звіт.pdf", "application/pdf").unwrap();
        Self {
            bytes,
            list,
            attachment,
        }
    }

    fn id(&self) -> FileId {
        self.attachment.file
    }

    pub(super) fn keep(&self, ledger: &mut MemoryLedger) {
        let (file, size) = (self.id(), self.bytes.len() as u64);
        ledger
            .put_chunk_list(&file, size, &self.list.concat())
            .unwrap();
        for (i, chunk) in (0..).zip(self.bytes.chunks(CHUNK)) {
            ledger.put_chunk(&file, i, chunk).unwrap();
        }
    }

    fn content(&self) -> Content {
        Content::Text {
            text: String::new(),
            reply_to: None,
            attachments: vec![self.attachment.clone()],
        }
    }

    pub(super) fn post(&self, world: &mut World, host: usize, at: (SpaceId, RoomId)) -> MessageId {
        let content = self.content();
        world
            .with(host, |node, ledger, now| {
                node.send(ledger, now, at.0, at.1, content)
            })
            .unwrap()
            .id
    }

    pub(super) fn is_whole_at(&self, world: &World, host: usize) -> bool {
        let ledger = &world.hosts[host].ledger;
        self.bytes
            .chunks(CHUNK)
            .zip(0..)
            .all(|(chunk, i)| ledger.chunk(&self.id(), i).unwrap().as_deref() == Some(chunk))
    }
}

fn fetch(world: &mut World, host: usize, message: MessageId) {
    world
        .with(host, |node, ledger, now| {
            node.fetch(ledger, now, message, 0)
        })
        .unwrap();
}

fn file_frames(world: &World, host: usize) -> u64 {
    world.file_bytes_of.get(&host).copied().unwrap_or(0)
}

#[test]
fn a_class_takes_little_more_than_one_copy_from_the_author() {
    const CLASS: usize = 16;
    let mut world = World::new(1, CLASS);
    let at = world.found();
    let file = File::new(60, 0);
    file.keep(&mut world.hosts[0].ledger);
    let message = file.post(&mut world, 0, at);
    world.run(2_000);
    for host in 1..CLASS {
        fetch(&mut world, host, message);
    }
    world.run(20_000);
    for host in 1..CLASS {
        assert!(file.is_whole_at(&world, host), "host {host}");
    }
    let copies = file_frames(&world, 0) as f64 / file.bytes.len() as f64;
    assert!(copies < 4.0, "the author gave {copies:.1} copies");
}

#[test]
fn one_who_has_a_part_gives_it_and_the_rest_comes_from_others() {
    let mut world = World::new(2, 4);
    let at = world.found();
    let file = File::new(20, 0);
    file.keep(&mut world.hosts[0].ledger);
    let message = file.post(&mut world, 0, at);
    world.run(2_000);
    fetch(&mut world, 1, message);
    let here = |world: &World| world.hosts[1].ledger.chunks_here(&file.id()).unwrap();
    while here(&world) < 5 {
        world.run(5);
    }
    // The author goes in the middle.
    for other in 1..4 {
        world.cut(0, other);
    }
    let part = here(&world);
    assert!(part < 20, "{part}");
    fetch(&mut world, 2, message);
    world.run(10_000);
    let got = world.hosts[2].ledger.chunks_here(&file.id()).unwrap();
    assert_eq!(got, part, "all that is in reach");
    // It comes back, and both end what they began.
    world.link(0, 2);
    world.run(40_000);
    assert!(file.is_whole_at(&world, 1) && file.is_whole_at(&world, 2));
}

#[test]
fn files_that_nobody_has_keep_no_other_waiting() {
    let mut world = World::new(3, 2);
    let at = world.found();
    let lost: Vec<File> = (1..20).map(|kind| File::new(2, kind)).collect();
    let file = File::new(3, 0);
    file.keep(&mut world.hosts[0].ledger);
    let missing: Vec<MessageId> = lost.iter().map(|f| f.post(&mut world, 0, at)).collect();
    let message = file.post(&mut world, 0, at);
    world.run(2_000);
    for lost in missing {
        fetch(&mut world, 1, lost);
    }
    fetch(&mut world, 1, message);
    world.run(10_000);
    assert!(file.is_whole_at(&world, 1));
}

#[test]
fn who_claims_to_have_a_file_and_gives_other_bytes_harms_nothing() {
    let mut world = World::new(4, 3);
    let at = world.found();
    let file = File::new(12, 0);
    file.keep(&mut world.hosts[0].ledger);
    let message = file.post(&mut world, 0, at);
    world.run(2_000);
    // Host 2 has every chunk, each a little wrong.
    file.keep(&mut world.hosts[2].ledger);
    for i in 0..12 {
        world.hosts[2].ledger.spoil_chunk(&file.id(), i);
    }
    let id = file.id();
    world
        .with(2, |_, ledger, _| ledger.put_file_of(&id, &at.1))
        .unwrap();
    fetch(&mut world, 1, message);
    world.run(20_000);
    assert!(file.is_whole_at(&world, 1));
}

#[test]
fn what_was_received_in_another_room_is_not_given_in_this_one() {
    let mut world = World::new(5, 3);
    let (space, everyone) = world.found();
    let staff = world
        .with(0, |node, ledger, now| {
            node.create_room(ledger, now, space, "Staff", Audience::Teachers)
        })
        .unwrap();
    let file = File::new(6, 0);
    file.keep(&mut world.hosts[0].ledger);
    file.post(&mut world, 0, (space, staff));
    world.run(2_000);
    // A student who knows what the file is, and has none of it, names it where all read.
    let bait = file.post(&mut world, 1, (space, everyone));
    world.run(2_000);
    fetch(&mut world, 1, bait);
    fetch(&mut world, 2, bait);
    // Also when the owner looks at it.
    fetch(&mut world, 0, bait);
    world.run(60_000);
    for host in [1, 2] {
        assert_eq!(world.hosts[host].ledger.chunks_here(&file.id()).unwrap(), 0);
    }
}

#[test]
fn who_gives_a_chunk_first_gets_no_others_for_it() {
    let mut world = World::new(8, 3);
    let (space, everyone) = world.found();
    let few = Audience::Chosen(vec![
        world.hosts[0].node.member(),
        world.hosts[1].node.member(),
    ]);
    let few = world
        .with(0, |node, ledger, now| {
            node.create_room(ledger, now, space, "Few", few)
        })
        .unwrap();
    let file = File::new(40, 0);
    // One who has come by the list and a chunk names the file where all read, and gives that chunk.
    let (id, size) = (file.id(), file.bytes.len() as u64);
    world
        .with(2, |_, ledger, _| {
            ledger.put_chunk_list(&id, size, &file.list.concat())?;
            ledger.put_chunk(&id, 7, &file.bytes[7 * CHUNK..8 * CHUNK])?;
            ledger.put_file_of(&id, &everyone)
        })
        .unwrap();
    let bait = file.post(&mut world, 2, (space, everyone));
    world.run(2_000);
    fetch(&mut world, 1, bait);
    world.run(3_000);
    let here = |world: &World, host: usize| world.hosts[host].ledger.chunks_here(&id).unwrap();
    assert_eq!(here(&world, 1), 1);
    // The rest comes where only few read.
    file.keep(&mut world.hosts[0].ledger);
    let message = file.post(&mut world, 0, (space, few));
    world.run(2_000);
    fetch(&mut world, 1, message);
    world.run(10_000);
    assert!(file.is_whole_at(&world, 1));
    fetch(&mut world, 2, bait);
    world.run(60_000);
    assert_eq!(here(&world, 2), 1);
}

#[test]
fn several_files_of_one_source_fit_its_link() {
    let mut world = World::new(9, 2);
    let at = world.found();
    let files: Vec<File> = (0..6).map(|kind| File::new(9, kind)).collect();
    let mut messages = Vec::new();
    for file in &files {
        file.keep(&mut world.hosts[0].ledger);
        messages.push(file.post(&mut world, 0, at));
    }
    world.run(2_000);
    for message in messages {
        fetch(&mut world, 1, message);
    }
    // What waits on a link is checked wherever files travel.
    world.run(20_000);
    for file in &files {
        assert!(file.is_whole_at(&world, 1));
    }
}

#[test]
fn one_who_has_almost_all_and_is_slow_holds_up_nobody() {
    for (author, slow) in [(0, 2), (0, 1)] {
        let mut world = World::new(10, 3);
        let at = world.found();
        let guest = 3 - slow;
        let file = File::new(60, 0);
        file.keep(&mut world.hosts[author].ledger);
        let message = file.post(&mut world, author, at);
        world.run(2_000);
        let (id, size) = (file.id(), file.bytes.len() as u64);
        world
            .with(slow, |_, ledger, _| {
                ledger.put_chunk_list(&id, size, &file.list.concat())?;
                for (i, chunk) in (0..).zip(file.bytes.chunks(CHUNK)).skip(1) {
                    ledger.put_chunk(&id, i, chunk)?;
                }
                ledger.put_file_of(&id, &at.1)
            })
            .unwrap();
        world.sluggish = Some((slow, 9_000));
        fetch(&mut world, guest, message);
        world.run(40_000);
        assert!(file.is_whole_at(&world, guest), "host {slow} is slow");
    }
}

#[test]
fn many_previews_are_no_flood() {
    let mut world = World::new(11, 2);
    world.quick = true;
    let at = world.found();
    let files: Vec<File> = (0..250).map(|kind| File::new(1, kind)).collect();
    let mut messages = Vec::new();
    for file in &files {
        file.keep(&mut world.hosts[0].ledger);
        for _ in 0..2 {
            messages.push(file.post(&mut world, 0, at));
        }
    }
    // Who has nothing is asked of each, too.
    world.run(10_000);
    world.cut(0, 1);
    world.link(0, 1);
    for message in &messages {
        world
            .with(1, |node, ledger, now| {
                node.prefetch(ledger, now, *message, 0)
            })
            .unwrap();
    }
    world.run(60_000);
    for file in &files {
        assert!(file.is_whole_at(&world, 1));
    }
    assert_eq!(world.hosts[0].dropped, []);
}

#[test]
fn a_file_whose_message_was_deleted_is_not_asked_for() {
    let mut world = World::new(12, 2);
    let at = world.found();
    let file = File::new(3, 0);
    let message = file.post(&mut world, 0, at);
    world.run(2_000);
    fetch(&mut world, 1, message);
    world.run(5_000);
    world
        .with(0, |node, ledger, now| {
            let target = message;
            node.send(
                ledger,
                now,
                at.0,
                at.1,
                Content::Delete {
                    target,
                    edits: Vec::new(),
                },
            )
        })
        .unwrap();
    world.run(5_000);
    // Somebody has it after all.
    file.keep(&mut world.hosts[0].ledger);
    let room = at.1;
    world
        .with(0, |_, ledger, _| ledger.put_file_of(&file.id(), &room))
        .unwrap();
    let before = world.sent_by[&1];
    world.run(60_000);
    assert!(world.sent_by[&1] - before < 2_000, "it asks on");
    assert_eq!(world.hosts[1].ledger.chunks_here(&file.id()).unwrap(), 0);
}

#[test]
fn a_file_that_is_also_in_another_room_is_given_in_both() {
    let mut world = World::new(6, 3);
    let (space, everyone) = world.found();
    let few = Audience::Chosen(vec![
        world.hosts[0].node.member(),
        world.hosts[1].node.member(),
    ]);
    let few = world
        .with(0, |node, ledger, now| {
            node.create_room(ledger, now, space, "Few", few)
        })
        .unwrap();
    let file = File::new(6, 0);
    file.keep(&mut world.hosts[0].ledger);
    let first = file.post(&mut world, 0, (space, few));
    world.run(2_000);
    fetch(&mut world, 1, first);
    world.run(5_000);
    assert!(file.is_whole_at(&world, 1));
    let second = file.post(&mut world, 0, (space, everyone));
    world.run(2_000);
    fetch(&mut world, 1, second);
    world.run(5_000);
    // The author is gone: the second gives what it has shown to have received in this room as well.
    for other in [1, 2] {
        world.cut(0, other);
    }
    fetch(&mut world, 2, second);
    world.run(5_000);
    assert!(file.is_whole_at(&world, 2));
}

#[test]
fn holdings_of_any_size_and_from_anyone_are_borne() {
    let mut world = World::new(7, 3);
    let at = world.found();
    let file = File::new(11, 0);
    file.keep(&mut world.hosts[0].ledger);
    let message = file.post(&mut world, 0, at);
    world.run(2_000);
    fetch(&mut world, 1, message);
    let index = 0;
    for frame in [
        Frame::Holding {
            message,
            index,
            bits: vec![0xff; 4_096],
            follows: true,
        },
        Frame::Gained {
            message,
            index,
            chunks: (0..256).map(|i| u32::MAX - i).collect(),
        },
        Frame::WantHolding {
            message,
            index: 9,
            bits: vec![0xff; 4_096],
        },
        Frame::Holding {
            message: MessageId::from_bytes([3; 32]),
            index,
            bits: Vec::new(),
            follows: false,
        },
        Frame::NoChunks { message, index },
    ] {
        give(&mut world, 2, 1, &frame.encode());
    }
    world.run(30_000);
    assert!(file.is_whole_at(&world, 1));
    let told = world.hosts[1].view.events.iter();
    let ended =
        told.filter(|event| matches!(event, Event::Attachment { have, size, .. } if have == size));
    assert_eq!(ended.count(), 1, "it is told once that the file is here");
}
