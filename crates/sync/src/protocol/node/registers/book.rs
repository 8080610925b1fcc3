//! The registers of a space in memory: which value stands at each place, and digests of them.

use std::collections::BTreeMap;

use artel_domain::{
    DeviceId, MemberId, MessageId, Permission, Register, RoomId, Signed, SpaceId, Topic,
    limits::MAX_REGISTERS,
    register::{PREKEY, REACTION, READ, Subject},
};

use super::super::{
    super::{
        frame::{Cell, Digest},
        ledger::RegisterKey,
        roster::{MemberState, Roster},
    },
    space::EMPTY,
};

/// Cells of a device for what is about a record; one more is for what is not.
const CELLS: u8 = 32;

/// The value that stands at a place.
pub(super) struct Value {
    /// Its turn and the hash of its wire form: the larger stands.
    pub(super) rank: Rank,
    /// What it says, where a node has an answer ready.
    pub(super) says: Option<Topic>,
}

impl Value {
    /// How far it says that its device has read.
    pub(super) fn read(&self) -> Option<(u64, MessageId)> {
        match self.says {
            Some(Topic::Read { lamport, id }) => Some((lamport, id)),
            _ => None,
        }
    }
}

/// Turn and hash of a value.
pub(super) type Rank = (u64, [u8; 32]);

/// The latest values of one device in one room, by topic and subject.
pub(super) type Kept = BTreeMap<(u16, Subject), Value>;

/// The registers of a space.
#[derive(Default)]
pub(in super::super) struct Registers {
    pub(super) rooms: BTreeMap<RoomId, BTreeMap<DeviceId, Kept>>,
    /// Cells of rooms and digests of them, until something in them changes.
    cells: BTreeMap<RoomId, Vec<Cell>>,
    digests: BTreeMap<RoomId, Digest>,
    /// Grows with everything that a digest covers.
    pub(super) version: u64,
}

impl Registers {
    /// Takes a value in, unless a later one is there; gives the places that are forgotten for it: what does not count goes
    /// first, then what has the lowest turn.
    pub(super) fn put(
        &mut self,
        roster: &Roster,
        signed: &Signed<Register>,
    ) -> Option<Vec<RegisterKey>> {
        let register = signed.value();
        let key = RegisterKey::of(register);
        let (place, rank) = ((key.topic, key.subject), (register.turn, *signed.hash()));
        if self.value(&key).is_some_and(|there| there.rank >= rank) {
            return None;
        }
        let says = match &register.topic {
            Topic::Read { .. } | Topic::Reaction { .. } => Some(register.topic.clone()),
            Topic::Prekey(_) | Topic::Unknown { .. } => None,
        };
        let kept = self.rooms.entry(key.room).or_default();
        let kept = kept.entry(key.device).or_default();
        kept.insert(place, Value { rank, says });
        let mut gone = Vec::new();
        // Who may write what depends on no subject.
        let mut counts: BTreeMap<u16, bool> = BTreeMap::new();
        while kept.len() > MAX_REGISTERS {
            let least = kept.iter().min_by_key(|((topic, _), value)| {
                let topic = *topic;
                let counts = counts
                    .entry(topic)
                    .or_insert_with(|| roster.writer(&RegisterKey { topic, ..key }).is_some());
                (*counts, value.rank)
            });
            let Some((topic, subject)) = least.map(|(place, _)| *place) else {
                break;
            };
            kept.remove(&(topic, subject));
            if (topic, subject) == place {
                return None;
            }
            gone.push(RegisterKey {
                topic,
                subject,
                ..key
            });
        }
        self.cells.remove(&key.room);
        self.digests.remove(&key.room);
        self.version += 1;
        Some(gone)
    }

    pub(super) fn value(&self, key: &RegisterKey) -> Option<&Value> {
        let kept = self.rooms.get(&key.room)?.get(&key.device)?;
        kept.get(&(key.topic, key.subject))
    }

    /// Places where something is kept.
    pub(super) fn keys(&self, space: SpaceId) -> impl Iterator<Item = RegisterKey> {
        let rooms = self.rooms.iter();
        let devices =
            rooms.flat_map(|(room, devices)| devices.keys().map(move |device| (*room, *device)));
        devices.flat_map(move |(room, device)| self.keys_of(space, room, device))
    }

    /// Places of a device in a room where something is kept.
    pub(super) fn keys_of(
        &self,
        space: SpaceId,
        room: RoomId,
        device: DeviceId,
    ) -> impl Iterator<Item = RegisterKey> {
        let kept = self.rooms.get(&room).and_then(|room| room.get(&device));
        kept.into_iter()
            .flatten()
            .map(move |((topic, subject), _)| RegisterKey {
                space,
                room,
                device,
                topic: *topic,
                subject: *subject,
            })
    }

    pub(super) fn forget(&mut self, key: &RegisterKey) {
        let room = self.rooms.get_mut(&key.room);
        if let Some(kept) = room.and_then(|room| room.get_mut(&key.device)) {
            kept.remove(&(key.topic, key.subject));
        }
        self.refolded();
    }

    /// The roster changed: what counts may be something else.
    pub(in super::super) fn refolded(&mut self) {
        self.cells.clear();
        self.digests.clear();
        self.version += 1;
    }

    /// What counts of a room, by cells.
    pub(super) fn cells(&mut self, roster: &Roster, space: SpaceId, room: RoomId) -> &[Cell] {
        let devices = self.rooms.get(&room);
        let cells = self.cells.entry(room);
        cells.or_insert_with(|| {
            let devices = devices.into_iter().flatten();
            cells_of(roster, space, room, devices)
        })
    }

    pub(super) fn room_digest(&mut self, roster: &Roster, space: SpaceId, room: RoomId) -> Digest {
        if let Some(digest) = self.digests.get(&room) {
            return *digest;
        }
        let digest = digest_of(self.cells(roster, space, room));
        self.digests.insert(room, digest);
        digest
    }
}

fn digest_of(cells: &[Cell]) -> Digest {
    if cells.is_empty() {
        return EMPTY;
    }
    let mut hasher = blake3::Hasher::new_derive_key("artel 2026-11 registers of a room");
    for cell in cells {
        hasher.update(cell.device.as_bytes());
        hasher.update(&[cell.number]).update(&cell.digest);
    }
    *hasher.finalize().as_bytes()
}

/// Digests of what counts of the devices in a room, ascending by device and cell.
fn cells_of<'a>(
    roster: &Roster,
    space: SpaceId,
    room: RoomId,
    devices: impl Iterator<Item = (&'a DeviceId, &'a Kept)>,
) -> Vec<Cell> {
    let mut hashers: BTreeMap<(DeviceId, u8), blake3::Hasher> = BTreeMap::new();
    for (device, kept) in devices {
        // Who may write what depends on no subject.
        let mut last: Option<(u16, bool)> = None;
        for ((topic, subject), Value { rank, .. }) in kept {
            let (_, counts) = last.filter(|(of, _)| of == topic).unwrap_or_else(|| {
                let key = RegisterKey {
                    space,
                    room,
                    device: *device,
                    topic: *topic,
                    subject: *subject,
                };
                (*topic, roster.writer(&key).is_some())
            });
            last = Some((*topic, counts));
            if !counts {
                continue;
            }
            let hasher = hashers.entry((*device, cell_of(subject)));
            let (turn, id) = rank;
            hasher
                .or_insert_with(|| blake3::Hasher::new_derive_key("artel 2026-11 register cell"))
                .update(&topic.to_le_bytes())
                .update(subject)
                .update(&turn.to_le_bytes())
                .update(id);
        }
    }
    let cells = hashers.into_iter().map(|((device, number), hasher)| {
        let mut digest = [0; 16];
        hasher.finalize_xof().fill(&mut digest);
        Cell {
            device,
            number,
            digest,
        }
    });
    cells.collect()
}

/// The cell of a device in which a register lies.
pub(super) fn cell_of(subject: &Subject) -> u8 {
    match subject.first() {
        Some(first) if *subject != [0; 32] => 1 + first % CELLS,
        _ => 0,
    }
}

impl Roster {
    /// The member whose register it is, if it counts: the device is one of theirs in use, and they may write such a thing
    /// there.
    pub(super) fn writer(&self, key: &RegisterKey) -> Option<MemberId> {
        let (id, state) = self.standing_of(&key.device)?;
        let member = self.member(&id)?;
        if state != MemberState::Member {
            return None;
        }
        let may = if key.room == key.space.control_room() {
            !matches!(key.topic, READ | REACTION)
        } else {
            let writes = member.role.may(Permission::Write);
            self.room(&key.room).is_some_and(|room| room.page.is_none())
                && self.reads(&id, &key.room)
                && key.topic != PREKEY
                && (writes || key.topic == READ)
        };
        may.then_some(id)
    }
}
