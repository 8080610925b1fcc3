//! A crowd: hundreds of honest members in virtual time, thousands of records, packets that are lost, parts that meet again
//! every hour. In the end everyone shows what was written, and the run tells what it took.
//!
//! Where [`super::simulator`] looks for what can go wrong with a few, this looks for what does not scale with many. So it
//! is built for size: hosts share one [`Archive`] in place of a disk each, and they run side by side on all cores. Nothing
//! that leaves a host arrives within the [`STEP`] in which it left, so within one nobody can tell in which order they ran,
//! and everything follows from the seed all the same.
//!
//! `cargo xtask bench room --only simulated` runs 300 members with 30,000 records; the tests run a small crowd.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, RwLock},
    thread,
    time::Instant,
};

use artel_domain::{
    Body, Content, DeviceId, DeviceKey, FileId, Incarnation, InviteCode, InviteId, MemberId,
    MemberKey, MessageId, Role, RoomId, SpaceId, SpaceSecret,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};

use super::super::ledger::{Load, Loads, Opening, PrekeyRow, RegisterKey};
use super::super::{
    Entropy, Event, FeedKey, Head, Identity, InviteTerms, JoinRow, Ledger, LedgerResult,
    MemoryLedger, Node, Output, Reason, SpaceRow, Standing, StoredBody, StoredRecord,
};

/// Nothing arrives sooner than this after it left, in milliseconds.
const STEP: i64 = 20;
/// How much later it may arrive.
const JITTER: i64 = 40;
/// Time between two ticks of a host while something happens, and while nothing does.
const TICK: i64 = 250;
const LULL: i64 = 2_000;
/// Bytes of a packet; one in this many is lost, and sent again after this time. What follows on its link waits for it.
const PACKET: usize = 1_400;
const LOST: u32 = 100;
const AGAIN: i64 = 200;
/// Links that each host makes; it has about twice as many.
const LINKS: usize = 6;
/// How many join at the same time: one node lets them in, and has places for 96.
const AT_ONCE: usize = 60;
/// How long a part of an hour's records is written for.
const BURST: i64 = 10_000;
/// How long the parts of a crowd stay apart.
const APART: i64 = 60_000;
const HOUR: i64 = 3_600_000;

/// The size of a run.
#[derive(Clone, Copy)]
struct Size {
    hosts: usize,
    records: usize,
    hours: usize,
}

/// What any host keeps, once for all: records and bodies are the same wherever they are.
#[derive(Default)]
struct Archive {
    numbers: HashMap<MessageId, u32>,
    records: Vec<(StoredRecord, Option<Vec<u8>>)>,
    by_feed: BTreeMap<FeedKey, BTreeMap<(u64, MessageId), u32>>,
    by_room: BTreeMap<(SpaceId, RoomId), BTreeMap<(u64, MessageId), u32>>,
}

impl Archive {
    fn number(&mut self, record: &StoredRecord) -> u32 {
        if let Some(number) = self.numbers.get(&record.id) {
            let (kept, _) = &self.records[*number as usize];
            assert_eq!(
                (&kept.envelope, &kept.change),
                (&record.envelope, &record.change),
                "not what its author wrote"
            );
            return *number;
        }
        let number = u32::try_from(self.records.len()).unwrap();
        let (feed, id) = (record.feed, record.id);
        self.numbers.insert(id, number);
        let places = self.by_feed.entry(feed).or_default();
        places.insert((record.sequence, id), number);
        let positions = self.by_room.entry((feed.space, feed.room)).or_default();
        positions.insert((record.lamport, id), number);
        self.records.push((record.clone(), None));
        number
    }
}

/// What one host knows of a record.
#[derive(Clone, Copy)]
struct Note {
    standing: Standing,
    shown: bool,
    late: bool,
    body: Held,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    Missing,
    Here,
    Erased,
}

/// The disk of a host.
struct Disk {
    archive: Arc<RwLock<Archive>>,
    /// By the records' numbers in the archive.
    notes: Vec<Option<Note>>,
    waits: BTreeMap<MessageId, BTreeSet<MessageId>>,
    /// Records whose bodies are neither here nor erased.
    bodiless: BTreeSet<MessageId>,
    /// Everything else.
    rest: MemoryLedger,
}

impl Disk {
    fn new(archive: &Arc<RwLock<Archive>>) -> Self {
        Self {
            archive: Arc::clone(archive),
            notes: Vec::new(),
            waits: BTreeMap::new(),
            bodiless: BTreeSet::new(),
            rest: MemoryLedger::new(),
        }
    }

    fn note(&self, archive: &Archive, id: &MessageId) -> Option<(usize, Note)> {
        let number = *archive.numbers.get(id)? as usize;
        let note = (*self.notes.get(number)?)?;
        Some((number, note))
    }

    fn note_mut(&mut self, id: &MessageId) -> Option<&mut Note> {
        let number = *self.archive.read().unwrap().numbers.get(id)? as usize;
        self.notes.get_mut(number)?.as_mut()
    }

    fn copy(&self, archive: &Archive, number: usize) -> Option<StoredRecord> {
        let note = (*self.notes.get(number)?)?;
        let (record, _) = &archive.records[number];
        Some(StoredRecord {
            standing: note.standing,
            shown: note.shown,
            late: note.late,
            ..record.clone()
        })
    }

    fn listed<'a>(
        &self,
        archive: &Archive,
        numbers: impl Iterator<Item = &'a u32>,
        limit: usize,
    ) -> Vec<StoredRecord> {
        let here = numbers.filter_map(|number| self.copy(archive, *number as usize));
        here.take(limit).collect()
    }
}

const FIRST: MessageId = MessageId::from_bytes([0; 32]);

impl Ledger for Disk {
    fn put_record(&mut self, record: &StoredRecord) -> LedgerResult<()> {
        let number = self.archive.write().unwrap().number(record) as usize;
        if self.notes.len() <= number {
            self.notes.resize(number + 1, None);
        }
        assert!(self.notes[number].is_none(), "a record twice");
        self.notes[number] = Some(Note {
            standing: record.standing,
            shown: record.shown,
            late: record.late,
            body: Held::Missing,
        });
        self.bodiless.insert(record.id);
        Ok(())
    }

    fn record(&self, id: &MessageId) -> LedgerResult<Option<StoredRecord>> {
        let archive = self.archive.read().unwrap();
        let number = archive.numbers.get(id);
        Ok(number.and_then(|number| self.copy(&archive, *number as usize)))
    }

    fn update_record(
        &mut self,
        id: &MessageId,
        standing: Standing,
        shown: bool,
        late: bool,
    ) -> LedgerResult<()> {
        if let Some(note) = self.note_mut(id) {
            (note.standing, note.shown, note.late) = (standing, shown, late);
        }
        Ok(())
    }

    fn feed_records(
        &self,
        feed: &FeedKey,
        from: u64,
        limit: usize,
    ) -> LedgerResult<Vec<StoredRecord>> {
        let archive = self.archive.read().unwrap();
        let places = archive.by_feed.get(feed).into_iter();
        let numbers = places.flat_map(|places| places.range((from, FIRST)..));
        Ok(self.listed(&archive, numbers.map(|(_, number)| number), limit))
    }

    fn room_records(
        &self,
        space: &SpaceId,
        room: &RoomId,
        after: Option<(u64, MessageId)>,
        limit: usize,
    ) -> LedgerResult<Vec<StoredRecord>> {
        let archive = self.archive.read().unwrap();
        let positions = archive.by_room.get(&(*space, *room)).into_iter();
        let numbers = positions
            .flat_map(|positions| positions.range(after.unwrap_or((0, FIRST))..))
            .filter(|(at, _)| Some(**at) != after);
        Ok(self.listed(&archive, numbers.map(|(_, number)| number), limit))
    }

    fn latest(
        &self,
        space: &SpaceId,
        room: &RoomId,
        limit: usize,
    ) -> LedgerResult<Vec<StoredRecord>> {
        let archive = self.archive.read().unwrap();
        let positions = archive.by_room.get(&(*space, *room)).into_iter().flatten();
        let records = positions
            .rev()
            .filter_map(|(_, number)| self.copy(&archive, *number as usize));
        Ok(records.filter(|record| record.shown).take(limit).collect())
    }

    fn seal_term(&mut self, _: &MessageId, _: &[MessageId], _: &[u8]) -> LedgerResult<()> {
        // The changes stay in the archive.
        Ok(())
    }

    fn sealed_term(&self, _: &MessageId) -> LedgerResult<Option<Vec<u8>>> {
        Ok(None)
    }

    fn put_wait(&mut self, parent: &MessageId, child: &MessageId) -> LedgerResult<()> {
        self.waits.entry(*parent).or_default().insert(*child);
        Ok(())
    }

    fn take_waits(&mut self, parent: &MessageId) -> LedgerResult<Vec<MessageId>> {
        let waiting = self.waits.remove(parent).unwrap_or_default();
        Ok(waiting.into_iter().collect())
    }

    fn awaited(
        &self,
        space: &SpaceId,
        room: Option<&RoomId>,
        after: Option<&MessageId>,
    ) -> LedgerResult<Option<MessageId>> {
        let archive = self.archive.read().unwrap();
        let here = |id: &MessageId| self.note(&archive, id);
        let waits = |child: &MessageId| {
            here(child).is_some_and(|(number, _)| {
                let feed = archive.records[number].0.feed;
                feed.space == *space && room.is_none_or(|room| feed.room == *room)
            })
        };
        let mut awaited = self.waits.iter();
        let found = awaited.find(|(parent, children)| {
            after.is_none_or(|after| *parent > after)
                && here(parent).is_none()
                && children.iter().any(waits)
        });
        Ok(found.map(|(parent, _)| *parent))
    }

    fn body(&self, record: &MessageId) -> LedgerResult<Option<StoredBody>> {
        let archive = self.archive.read().unwrap();
        let Some((number, note)) = self.note(&archive, record) else {
            return Ok(None);
        };
        Ok(match note.body {
            Held::Missing => None,
            Held::Here => archive.records[number].1.clone().map(StoredBody::Here),
            Held::Erased => Some(StoredBody::Erased),
        })
    }

    fn put_body(&mut self, record: &MessageId, wire: &[u8]) -> LedgerResult<()> {
        let mut archive = self.archive.write().unwrap();
        let number = archive.numbers[record] as usize;
        let kept = archive.records[number]
            .1
            .get_or_insert_with(|| wire.to_vec());
        assert_eq!(kept, wire, "not what its author wrote");
        drop(archive);
        if let Some(note) = self.note_mut(record)
            && note.body == Held::Missing
        {
            note.body = Held::Here;
        }
        self.bodiless.remove(record);
        Ok(())
    }

    fn erase_body(&mut self, record: &MessageId) -> LedgerResult<()> {
        if let Some(note) = self.note_mut(record) {
            note.body = Held::Erased;
        }
        self.bodiless.remove(record);
        Ok(())
    }

    fn restore_wanted(&mut self, record: &MessageId) -> LedgerResult<()> {
        if let Some(note) = self.note_mut(record)
            && note.body == Held::Erased
        {
            note.body = Held::Missing;
            self.bodiless.insert(*record);
        }
        Ok(())
    }

    fn bodiless(
        &self,
        _: &SpaceId,
        sealed: bool,
        _: Option<&MemberId>,
        after: Option<&MessageId>,
        limit: usize,
    ) -> LedgerResult<Vec<MessageId>> {
        // A crowd has one space, and nothing sealed.
        if sealed {
            return Ok(Vec::new());
        }
        let lacking = self.bodiless.iter();
        let lacking = lacking.filter(|id| after.is_none_or(|after| *id > after));
        Ok(lacking.take(limit).copied().collect())
    }

    // A crowd gives everything to newcomers.
    fn put_withheld(&mut self, _: &MessageId, _: &MemberId) -> LedgerResult<usize> {
        Ok(0)
    }

    fn settle_withheld(&mut self, _: &MessageId) -> LedgerResult<()> {
        Ok(())
    }

    fn is_withheld(&self, _: &MessageId) -> LedgerResult<bool> {
        Ok(false)
    }

    fn drop_withheld(&mut self, _: &SpaceId) -> LedgerResult<Vec<MessageId>> {
        Ok(Vec::new())
    }

    fn incarnation(&self) -> LedgerResult<Option<Incarnation>> {
        self.rest.incarnation()
    }

    fn incarnations(&self) -> LedgerResult<Vec<Incarnation>> {
        self.rest.incarnations()
    }

    fn set_incarnation(&mut self, incarnation: Incarnation) -> LedgerResult<()> {
        self.rest.set_incarnation(incarnation)
    }

    fn spaces(&self) -> LedgerResult<Vec<SpaceRow>> {
        self.rest.spaces()
    }

    fn put_space(&mut self, row: &SpaceRow) -> LedgerResult<()> {
        self.rest.put_space(row)
    }

    fn secrets(&self, space: &SpaceId) -> LedgerResult<Vec<(MessageId, SpaceSecret)>> {
        self.rest.secrets(space)
    }

    fn put_secret(
        &mut self,
        space: &SpaceId,
        epoch: &MessageId,
        secret: &SpaceSecret,
    ) -> LedgerResult<()> {
        self.rest.put_secret(space, epoch, secret)
    }

    fn joins(&self) -> LedgerResult<Vec<JoinRow>> {
        self.rest.joins()
    }

    fn put_join(&mut self, row: &JoinRow) -> LedgerResult<()> {
        self.rest.put_join(row)
    }

    fn remove_join(&mut self, invite: &InviteId) -> LedgerResult<()> {
        self.rest.remove_join(invite)
    }

    fn heads(&self, space: &SpaceId) -> LedgerResult<Vec<Head>> {
        self.rest.heads(space)
    }

    fn replace_head(&mut self, old: Option<&MessageId>, new: &Head) -> LedgerResult<()> {
        self.rest.replace_head(old, new)
    }

    fn put_reference(&mut self, target: &MessageId, record: &MessageId) -> LedgerResult<()> {
        self.rest.put_reference(target, record)
    }

    fn references(&self, target: &MessageId) -> LedgerResult<Vec<MessageId>> {
        self.rest.references(target)
    }

    fn targets(&self, record: &MessageId) -> LedgerResult<Vec<MessageId>> {
        self.rest.targets(record)
    }

    fn delivered(&self, feed: &FeedKey, peer: &DeviceId) -> LedgerResult<u64> {
        self.rest.delivered(feed, peer)
    }

    fn set_delivered(&mut self, feed: &FeedKey, peer: &DeviceId, through: u64) -> LedgerResult<()> {
        self.rest.set_delivered(feed, peer, through)
    }

    fn ahead(&self, space: &SpaceId) -> LedgerResult<Vec<(MessageId, RoomId)>> {
        self.rest.ahead(space)
    }

    fn put_ahead(
        &mut self,
        space: &SpaceId,
        room: &RoomId,
        record: &MessageId,
    ) -> LedgerResult<()> {
        self.rest.put_ahead(space, room, record)
    }

    fn drop_ahead(&mut self, record: &MessageId) -> LedgerResult<()> {
        self.rest.drop_ahead(record)
    }

    fn registers(&self, space: &SpaceId) -> LedgerResult<Vec<Vec<u8>>> {
        self.rest.registers(space)
    }

    fn register(&self, key: &RegisterKey) -> LedgerResult<Option<Vec<u8>>> {
        self.rest.register(key)
    }

    fn put_register(&mut self, key: &RegisterKey, wire: &[u8]) -> LedgerResult<()> {
        self.rest.put_register(key, wire)
    }

    fn remove_register(&mut self, key: &RegisterKey) -> LedgerResult<()> {
        self.rest.remove_register(key)
    }

    fn opening(&self, record: &MessageId) -> LedgerResult<Option<Opening>> {
        self.rest.opening(record)
    }

    fn put_opening(&mut self, record: &MessageId, opening: &Opening) -> LedgerResult<()> {
        self.rest.put_opening(record, opening)
    }

    fn prekeys(&self) -> LedgerResult<Vec<PrekeyRow>> {
        self.rest.prekeys()
    }

    fn put_prekey(&mut self, row: &PrekeyRow) -> LedgerResult<()> {
        self.rest.put_prekey(row)
    }

    fn restamp_prekeys(&mut self, now: i64) -> LedgerResult<()> {
        self.rest.restamp_prekeys(now)
    }

    fn forget_prekeys(&mut self, through: i64) -> LedgerResult<()> {
        self.rest.forget_prekeys(through)
    }

    fn put_load(&mut self, record: &MessageId, load: &Load) -> LedgerResult<()> {
        self.rest.put_load(record, load)
    }

    fn load(&self, record: &MessageId) -> LedgerResult<Option<Load>> {
        self.rest.load(record)
    }

    fn remove_load(&mut self, record: &MessageId) -> LedgerResult<()> {
        self.rest.remove_load(record)
    }

    fn loads_of(&self, space: &SpaceId, author: &MemberId) -> LedgerResult<Loads> {
        self.rest.loads_of(space, author)
    }

    fn oldest_load(&self) -> LedgerResult<Option<(MessageId, Load)>> {
        self.rest.oldest_load()
    }

    fn oldest_load_of(
        &self,
        space: &SpaceId,
        author: &MemberId,
        awaited: bool,
    ) -> LedgerResult<Option<MessageId>> {
        self.rest.oldest_load_of(space, author, awaited)
    }

    fn is_file_of(&self, file: &FileId, room: &RoomId) -> LedgerResult<bool> {
        self.rest.is_file_of(file, room)
    }

    fn put_file_of(&mut self, file: &FileId, room: &RoomId) -> LedgerResult<()> {
        self.rest.put_file_of(file, room)
    }

    fn chunk_list(&self, file: &FileId) -> LedgerResult<Option<Vec<u8>>> {
        self.rest.chunk_list(file)
    }

    fn put_chunk_list(&mut self, file: &FileId, size: u64, list: &[u8]) -> LedgerResult<()> {
        self.rest.put_chunk_list(file, size, list)
    }

    fn chunk(&self, file: &FileId, index: u32) -> LedgerResult<Option<Vec<u8>>> {
        self.rest.chunk(file, index)
    }

    fn put_chunk(&mut self, file: &FileId, index: u32, bytes: &[u8]) -> LedgerResult<()> {
        self.rest.put_chunk(file, index, bytes)
    }

    fn chunks_here(&self, file: &FileId) -> LedgerResult<u32> {
        self.rest.chunks_here(file)
    }

    fn missing_chunks(
        &self,
        file: &FileId,
        count: u32,
        from: u32,
        limit: usize,
    ) -> LedgerResult<Vec<u32>> {
        self.rest.missing_chunks(file, count, from, limit)
    }
}

/// What a host counts of itself.
#[derive(Clone, Copy, Default)]
struct Traffic {
    frames: u64,
    sent: u64,
    received: u64,
}

struct Host {
    node: Node,
    disk: Disk,
    rng: StdRng,
    /// Frames on their way here: when they arrive, from whom, which of theirs.
    inbox: BTreeMap<(i64, usize, u64), Vec<u8>>,
    /// Frames that left in this step.
    outbox: Vec<(usize, i64, Vec<u8>)>,
    /// Whom it is linked to, and when the last frame to them arrives.
    links: BTreeMap<usize, i64>,
    /// Records to write, and when.
    plan: Vec<(i64, String)>,
    written: Vec<(MessageId, String)>,
    /// What is shown: whether its place is only claimed, and whether it is shown ahead of its record.
    shown: BTreeMap<MessageId, (bool, bool)>,
    /// Links that it closed in this step, and those that it had a fault to find with.
    closed: Vec<usize>,
    dropped: Vec<(usize, Reason)>,
    ticked: i64,
    traffic: Traffic,
}

impl Host {
    /// Everything that falls into the step that ends at `end`.
    fn run(&mut self, place: &Place, end: i64, tick: i64) {
        while let Some(entry) = self.inbox.first_entry() {
            let (at, from, _) = *entry.key();
            if at > end {
                break;
            }
            let frame = entry.remove();
            if !self.links.contains_key(&from) {
                continue;
            }
            self.traffic.received += frame.len() as u64;
            let peer = place.devices[from];
            self.node
                .received(&mut self.disk, at, peer, &frame)
                .unwrap();
            self.release(place, end);
        }
        while self.plan.last().is_some_and(|(at, _)| *at <= end) {
            let (at, text) = self.plan.pop().unwrap();
            let content = Content::Text {
                text: text.clone(),
                reply_to: None,
                attachments: Vec::new(),
            };
            let sent = self
                .node
                .send(&mut self.disk, at, place.space, place.room, content)
                .unwrap();
            self.written.push((sent.id, text));
            self.release(place, end);
        }
        if self.ticked + tick <= end {
            self.ticked = end;
            self.node.tick(&mut self.disk, end).unwrap();
            self.release(place, end);
        }
    }

    /// When it has something to do next.
    fn next(&self, tick: i64) -> i64 {
        let frame = self.inbox.first_key_value().map(|((at, ..), _)| *at);
        let words = self.plan.last().map(|(at, _)| *at);
        let tick = self.ticked + tick;
        frame.into_iter().chain(words).fold(tick, i64::min)
    }

    fn release(&mut self, place: &Place, end: i64) {
        for output in self.node.take_outputs() {
            match output {
                Output::Send { peer, bytes, .. } => {
                    let to = place.numbers[&peer];
                    let Some(last) = self.links.get_mut(&to) else {
                        continue;
                    };
                    let mut at = end + 1 + self.rng.random_range(0..JITTER);
                    for _ in 0..bytes.len().div_ceil(PACKET) {
                        while self.rng.random_ratio(1, LOST) {
                            at += AGAIN;
                        }
                    }
                    *last = at.max(*last);
                    self.traffic.frames += 1;
                    self.traffic.sent += bytes.len() as u64;
                    self.outbox.push((to, *last, bytes));
                }
                Output::Disconnect { peer, reason } => {
                    let peer = place.numbers[&peer];
                    self.closed.push(peer);
                    // Where there are links enough, one more is no fault.
                    if reason != Reason::Spare {
                        self.dropped.push((peer, reason));
                    }
                }
                Output::Event(event) => self.take(event),
                Output::Reachable { .. } | Output::Hint { .. } => {}
            }
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Shown(shown) => {
                let how = (shown.provisional, shown.ahead);
                let old = self.shown.insert(shown.id, how);
                assert!(old.is_none_or(|(_, ahead)| ahead), "shown twice");
            }
            Event::Settled { id, .. } => {
                let (provisional, _) = self.shown.get_mut(&id).expect("settled what is shown");
                *provisional = false;
            }
            Event::Withdrawn { id, .. } => {
                self.shown.remove(&id).expect("withdrew what is shown");
            }
            Event::Forked(_) | Event::Reborn(_) | Event::Cloned => {
                panic!("nobody was copied: {event:?}")
            }
            _ => {}
        }
    }
}

/// What all hosts know of one another.
struct Place {
    devices: Vec<DeviceId>,
    numbers: HashMap<DeviceId, usize>,
    space: SpaceId,
    room: RoomId,
}

struct Crowd {
    size: Size,
    hosts: Vec<Host>,
    place: Place,
    archive: Arc<RwLock<Archive>>,
    now: i64,
    rng: StdRng,
    frames: u64,
    cores: usize,
}

impl Crowd {
    fn new(seed: u64, size: Size) -> Self {
        let archive = Arc::<RwLock<Archive>>::default();
        let now = 1_800_000_000_000;
        let key =
            |host: usize, kind: &str| blake3::derive_key(kind, format!("{seed} {host}").as_bytes());
        let host = |number: usize| {
            let identity = Identity {
                member: MemberKey::from_bytes(&key(number, "member")),
                device: DeviceKey::from_bytes(&key(number, "device")),
                name: format!("host {number}"),
            };
            let entropy = Entropy::seeded(seed.wrapping_mul(1_000_003) + number as u64);
            let mut disk = Disk::new(&archive);
            Host {
                node: Node::load(identity, entropy, &mut disk).unwrap(),
                disk,
                rng: StdRng::seed_from_u64(seed.wrapping_mul(7_919) + number as u64),
                inbox: BTreeMap::new(),
                outbox: Vec::new(),
                links: BTreeMap::new(),
                plan: Vec::new(),
                written: Vec::new(),
                shown: BTreeMap::new(),
                closed: Vec::new(),
                dropped: Vec::new(),
                // Not all at the same moment.
                ticked: now - i64::try_from(number).unwrap() % TICK,
                traffic: Traffic::default(),
            }
        };
        let mut hosts: Vec<Host> = (0..size.hosts).map(host).collect();
        let devices: Vec<DeviceId> = hosts.iter().map(|host| host.node.device()).collect();
        let first = &mut hosts[0];
        let space = first
            .node
            .found_space(&mut first.disk, now, "Crowd")
            .unwrap();
        let place = Place {
            numbers: (0..)
                .zip(&devices)
                .map(|(n, device)| (*device, n))
                .collect(),
            devices,
            space,
            room: first.node.rooms(&space)[0].room,
        };
        let mut crowd = Self {
            size,
            hosts,
            place,
            archive,
            now,
            rng: StdRng::seed_from_u64(seed),
            frames: 0,
            cores: thread::available_parallelism().map_or(1, usize::from),
        };
        crowd.hosts[0].release(&crowd.place, now);
        crowd.join();
        crowd
    }

    /// The first host lets all others in.
    fn join(&mut self) {
        let terms = InviteTerms {
            role: Role::Student,
            seats: u32::try_from(self.size.hosts).unwrap(),
            expires_at: self.now + HOUR,
            approve: false,
        };
        let (now, space) = (self.now, self.place.space);
        let first = &mut self.hosts[0];
        let code: InviteCode = first
            .node
            .create_invite(&mut first.disk, now, space, terms)
            .unwrap();
        let others: Vec<usize> = (1..self.size.hosts).collect();
        for some in others.chunks(AT_ONCE) {
            for host in some {
                self.link(0, *host);
                let now = self.now;
                let host = &mut self.hosts[*host];
                host.node.join(&mut host.disk, now, &code).unwrap();
                host.release(&self.place, now);
            }
            self.send();
            self.run(5_000, TICK);
            for host in some {
                self.cut(0, *host);
            }
        }
    }

    fn linked(&self, a: usize, b: usize) -> bool {
        self.hosts[a].links.contains_key(&b)
    }

    fn link(&mut self, a: usize, b: usize) {
        if a == b || self.linked(a, b) {
            return;
        }
        for (one, other) in [(a, b), (b, a)] {
            self.hosts[one].links.insert(other, self.now);
        }
        for (one, other) in [(a, b), (b, a)] {
            let (now, peer) = (self.now, self.place.devices[other]);
            let host = &mut self.hosts[one];
            host.node.connected(&mut host.disk, now, peer).unwrap();
            host.release(&self.place, now);
        }
        self.send();
    }

    /// What is on its way is lost.
    fn cut(&mut self, a: usize, b: usize) {
        for (one, other) in [(a, b), (b, a)] {
            let (now, peer) = (self.now, self.place.devices[other]);
            let host = &mut self.hosts[one];
            if host.links.remove(&other).is_some() {
                host.inbox.retain(|(_, from, _), _| *from != other);
                host.node.disconnected(&mut host.disk, now, peer).unwrap();
                host.release(&self.place, now);
            }
        }
        self.send();
    }

    /// Puts what left the hosts on its way.
    fn send(&mut self) {
        for from in 0..self.hosts.len() {
            for (to, at, bytes) in std::mem::take(&mut self.hosts[from].outbox) {
                if self.linked(from, to) {
                    self.frames += 1;
                    let key = (at, from, self.frames);
                    self.hosts[to].inbox.insert(key, bytes);
                }
            }
            for peer in std::mem::take(&mut self.hosts[from].closed) {
                self.cut(from, peer);
            }
        }
    }

    /// Lets time pass, in milliseconds.
    fn run(&mut self, duration: i64, tick: i64) {
        let end = self.now + duration;
        while self.now < end {
            let next = self.hosts.iter().map(|host| host.next(tick)).min();
            // Where nothing happens, time passes at once.
            let begin = next.unwrap_or(end).clamp(self.now, end);
            let until = (begin + STEP).min(end);
            let share = self.hosts.len().div_ceil(self.cores);
            let place = &self.place;
            thread::scope(|scope| {
                for some in self.hosts.chunks_mut(share) {
                    scope.spawn(move || {
                        for host in some.iter_mut().filter(|host| host.next(tick) <= until) {
                            host.run(place, until, tick);
                        }
                    });
                }
            });
            self.now = until;
            self.send();
        }
    }

    /// Who is linked to whom when nothing is in the way: a ring, and some more at random.
    fn web(&mut self) -> Vec<(usize, usize)> {
        let count = self.size.hosts;
        let mut web = Vec::new();
        for host in 0..count {
            web.push((host, (host + 1) % count));
            for _ in 1..LINKS {
                web.push((host, self.rng.random_range(0..count)));
            }
        }
        web
    }

    /// Plans so many records, spread over hosts and time.
    fn plan(&mut self, count: usize, from: usize) {
        for number in from..from + count {
            let host = number % self.size.hosts;
            let at = self.now + self.rng.random_range(0..BURST);
            let text = format!("host {host} says {number}");
            self.hosts[host].plan.push((at, text));
        }
        for host in &mut self.hosts {
            host.plan.sort_by(|one, other| other.cmp(one));
        }
    }

    /// Runs until everyone shows everything, at most so long; how long that took.
    fn settle(&mut self, most: i64) -> i64 {
        let begun = self.now;
        let written = |crowd: &Self| crowd.hosts.iter().map(|host| host.written.len()).sum();
        let whole = |crowd: &Self| {
            let all: usize = written(crowd);
            crowd.hosts.iter().all(|host| host.shown.len() == all)
        };
        while !whole(self) && self.now - begun < most {
            self.run(1_000, TICK);
        }
        self.now - begun
    }

    /// An hour: the crowd falls into parts, half is said there and half after they have met again.
    fn hour(&mut self, hour: usize, web: &[(usize, usize)]) -> i64 {
        let end = self.now + HOUR;
        let each = self.size.records / self.size.hours;
        let (apart, together) = (each / 2, each - each / 2);
        let mut order: Vec<usize> = (0..self.size.hosts).collect();
        order.shuffle(&mut self.rng);
        let parts = 2 + hour % 2;
        let crosses = |(a, b): &&(usize, usize)| order[*a] % parts != order[*b] % parts;
        for (a, b) in web.iter().filter(crosses) {
            self.cut(*a, *b);
        }
        self.plan(apart, hour * each);
        self.run(APART, TICK);
        for (a, b) in web {
            self.link(*a, *b);
        }
        self.plan(together, hour * each + apart);
        self.run(BURST, TICK);
        let took = self.settle(HOUR / 4);
        let rest = end - self.now;
        self.run(rest, LULL);
        took
    }

    fn check(&self) {
        let written: BTreeMap<MessageId, &str> = self
            .hosts
            .iter()
            .flat_map(|host| &host.written)
            .map(|(id, text)| (*id, text.as_str()))
            .collect();
        assert_eq!(
            written.len(),
            self.size.records / self.size.hours * self.size.hours
        );
        let archive = self.archive.read().unwrap();
        for (id, text) in &written {
            let (_, body) = &archive.records[archive.numbers[id] as usize];
            let body = Body::decode(body.as_ref().expect("its body")).unwrap();
            assert!(
                matches!(&body.content, Content::Text { text: kept, .. } if kept == text),
                "{text:?} became {:?}",
                body.content
            );
        }
        let members = self.hosts[0].node.members(&self.place.space).len();
        assert_eq!(members, self.size.hosts);
        for (number, host) in self.hosts.iter().enumerate() {
            assert!(
                host.shown.keys().eq(written.keys()),
                "{number} shows {} records of {}",
                host.shown.len(),
                written.len()
            );
            let settled = host.shown.values().all(|how| *how == (false, false));
            assert!(settled, "{number} waits for nothing");
            assert_eq!(host.node.members(&self.place.space).len(), members);
            assert_eq!(host.dropped, [], "{number} dropped an honest peer");
        }
    }

    fn report(&self, latest: i64, began: Instant) {
        let mean = |of: &dyn Fn(&Traffic) -> u64| {
            let sum: u64 = self.hosts.iter().map(|host| of(&host.traffic)).sum();
            sum as f64 / self.hosts.len() as f64
        };
        let most = self.hosts.iter().map(|host| host.traffic.sent).max();
        println!(
            "crowd: {} members, {} records, {} hours in virtual time, 1 % of packets lost, parts every hour: all agree.",
            self.size.hosts, self.size.records, self.size.hours
        );
        println!(
            "crowd: At the latest {:.0} s after the last record of an hour everyone had it.",
            latest as f64 / 1e3
        );
        println!(
            "crowd: A node sent {:.1} MB ({:.1} at most) in {:.0} frames and received {:.1} MB.",
            mean(&|traffic| traffic.sent) / 1e6,
            most.unwrap_or_default() as f64 / 1e6,
            mean(&|traffic| traffic.frames),
            mean(&|traffic| traffic.received) / 1e6,
        );
        println!(
            "crowd: The run took {:.0} s on {} cores;",
            began.elapsed().as_secs_f64(),
            self.cores
        );
    }
}

/// What `cargo xtask bench room` asks for, by the environment; a small crowd without it.
#[test]
fn a_crowd() {
    let asked = |name: &str, otherwise: usize| {
        std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
    };
    let size = Size {
        hosts: asked("ARTEL_SIM_NODES", 20),
        records: asked("ARTEL_SIM_RECORDS", 200),
        hours: asked("ARTEL_SIM_HOURS", 2),
    };
    let began = Instant::now();
    let mut crowd = Crowd::new(1, size);
    eprintln!("joined after {:.0} s", began.elapsed().as_secs_f64());
    let web = crowd.web();
    for (a, b) in &web {
        crowd.link(*a, *b);
    }
    let mut latest = 0;
    for hour in 0..size.hours {
        latest = crowd.hour(hour, &web).max(latest);
        eprintln!(
            "hour {}: after {:.0} s",
            hour + 1,
            began.elapsed().as_secs_f64()
        );
    }
    crowd.check();
    crowd.report(latest, began);
}
