//! How peers bring each other's registers up to date: what is new is sent by its writer, the rest is found by digests.

use std::collections::{BTreeMap, BTreeSet};

use artel_domain::{DeviceId, Register, RoomId, Signed, SpaceId, limits::MAX_POSITION};

use super::{
    super::{
        super::{
            event::{Event, Output, Peer},
            frame::{
                Cell, Digest, Frame, MAX_CELLS, MAX_LISTED, MAX_REGISTERS, Part, RECORDS_BYTES,
            },
            ledger::{Ledger, LedgerResult, RegisterKey},
        },
        Fault, Node,
        space::EMPTY,
    },
    PACE, Pace,
    book::{Value, cell_of},
    is_within,
};

/// Least time between two digests to one peer, in milliseconds.
const GAP: i64 = 5_000;
/// Version of no space's registers: what is here is to be said again.
const UNSAID: u64 = u64::MAX;
/// How long the registers of a cell are waited for, in milliseconds.
const PATIENCE: i64 = 10_000;
/// How long a peer is not asked again for the cells that it did not give, in milliseconds.
const HOPELESS: i64 = 120_000;
/// How long others are asked first for what a peer has just given, in milliseconds.
const REST: i64 = 2_000;
/// Frames that answer one question.
const ANSWERS: u8 = 4;
/// Cells of one peer that wait to be asked for.
const MAX_QUEUE: usize = 8_000;

/// What it costs to ask for cells, and to tell the digests of rooms, to which cells are told in answer, in tokens.
pub(in super::super) const QUESTION_COST: i64 = 5;
pub(in super::super) const ROOMS_COST: i64 = 20;

/// What it costs to tell the digests of so many cells, in tokens.
pub(in super::super) fn cells_cost(count: usize) -> i64 {
    5 + i64::try_from(count / 64).unwrap_or(i64::MAX - 5)
}

/// A cell: of a device, in a room.
type Place = (SpaceId, RoomId, DeviceId, u8);

/// How the registers of a peer are asked for.
#[derive(Default)]
pub(in super::super) struct Asking {
    /// Cells in which the peer has something else, and the peer's digests.
    queue: BTreeMap<Place, [u8; 16]>,
    /// What it was asked for, and how many frames may answer.
    open: Option<Open>,
    /// Cells that it was asked for, and until when it is not asked for them again.
    resting: BTreeMap<Place, i64>,
}

struct Open {
    places: Vec<Place>,
    answers: u8,
    until: i64,
}

impl Asking {
    /// Whether a frame with registers is an answer.
    pub(in super::super) fn is_open(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.answers > 0)
    }

    /// Ends a question. Others are asked for the same first.
    fn end(&mut self, now: i64, rest: i64) {
        for place in self.open.take().into_iter().flat_map(|open| open.places) {
            self.queue.remove(&place);
            if self.resting.len() < MAX_QUEUE {
                self.resting.insert(place, now.saturating_add(rest));
            }
        }
    }
}

impl Node {
    /// Whether a link may carry the registers of a room.
    fn may_carry_registers(&self, peer: &Peer, space: &SpaceId, room: &RoomId) -> bool {
        self.is_member(peer, space) && self.may_carry(peer, space, room)
    }

    pub(super) fn push_register(&mut self, key: &RegisterKey, wire: &[u8]) {
        let frame = Frame::Registers {
            space: key.space,
            registers: vec![wire.to_vec()],
            answer: None,
        };
        for peer in self.sessions.keys().copied().collect::<Vec<_>>() {
            if self.may_carry_registers(&peer, &key.space, &key.room) {
                self.send_frame(&peer, &frame);
            }
        }
    }

    /// Takes registers that a peer gave, whoever wrote them: each is signed, and counts or not whoever brings it.
    pub(in super::super) fn on_registers(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        peer: &Peer,
        id: SpaceId,
        registers: Vec<Vec<u8>>,
        answer: Option<Part>,
    ) -> Result<(), Fault> {
        if !self.is_member(peer, &id) {
            return Ok(());
        }
        for wire in registers {
            self.take_register(ledger, peer, id, &wire)?;
        }
        let Some(session) = self.sessions.get_mut(peer).filter(|_| answer.is_some()) else {
            return Ok(());
        };
        if let Some(open) = &mut session.registers.open {
            open.answers = open.answers.saturating_sub(1);
            if answer == Some(Part::Last) || open.answers == 0 {
                session.registers.end(now, REST);
                self.ask_registers(now, peer);
            }
        }
        Ok(())
    }

    fn take_register(
        &mut self,
        ledger: &mut dyn Ledger,
        peer: &Peer,
        id: SpaceId,
        wire: &[u8],
    ) -> Result<(), Fault> {
        const UNSOUND: Fault = Fault::Broke("a register is not signed by whom it names");
        let Ok(claimed) = Signed::<Register>::reopen(wire) else {
            return Err(UNSOUND);
        };
        let key = RegisterKey::of(claimed.value());
        if key.space != id {
            return Err(Fault::Broke("a register of another space"));
        }
        if !self.may_carry_registers(peer, &id, &key.room) {
            return Ok(());
        }
        let Some(space) = self.spaces.get(&id) else {
            return Ok(());
        };
        // The roster may come later, and the register with it. What is older than what is here needs no further look.
        let counts = space.roster.writer(&key).is_some();
        let rank = (claimed.value().turn, *claimed.hash());
        let newer = |there: &Value| rank > there.rank;
        if !counts || !space.registers.value(&key).is_none_or(newer) {
            return Ok(());
        }
        let Ok(signed) = Signed::<Register>::open(wire) else {
            return Err(UNSOUND);
        };
        // This device itself never gets there: another has its key.
        let spent = signed.value().turn == MAX_POSITION && key.device == self.device();
        if spent && !std::mem::replace(&mut self.cloned, true) {
            self.outputs.push(Output::Event(Event::Cloned));
        }
        self.keep_register(ledger, &signed)?;
        Ok(())
    }

    /// Rooms whose registers a link may carry.
    fn register_rooms(&self, peer: &Peer, id: &SpaceId) -> Vec<RoomId> {
        let mut rooms = self.rooms_in_common(peer, id);
        rooms.push(id.control_room());
        rooms.retain(|room| self.may_carry_registers(peer, id, room));
        rooms.sort_unstable();
        rooms
    }

    /// Digests of the registers of all rooms that a link may carry, where there are any.
    fn register_digests(&mut self, peer: &Peer, id: &SpaceId) -> Vec<(RoomId, Digest)> {
        let rooms = self.register_rooms(peer, id);
        let Some(space) = self.spaces.get_mut(id) else {
            return Vec::new();
        };
        let (registers, roster) = (&mut space.registers, &space.roster);
        rooms
            .into_iter()
            .map(|room| (room, registers.room_digest(roster, *id, room)))
            .filter(|(_, digest)| *digest != EMPTY)
            .take(MAX_LISTED)
            .collect()
    }

    fn register_digest(&mut self, peer: &Peer, id: &SpaceId) -> Digest {
        let mut hasher = blake3::Hasher::new_derive_key("artel 2026-11 registers of a space");
        for (room, digest) in self.register_digests(peer, id) {
            hasher.update(room.as_bytes()).update(&digest);
        }
        *hasher.finalize().as_bytes()
    }

    pub(in super::super) fn on_register_summary(
        &mut self,
        peer: &Peer,
        id: SpaceId,
        digest: Digest,
    ) {
        if !self.is_member(peer, &id) {
            return;
        }
        let same = self.register_digest(peer, &id) == digest;
        let version = self
            .spaces
            .get(&id)
            .map_or(0, |space| space.registers.version);
        let session = self.sessions.get_mut(peer);
        if let Some(link) = session.and_then(|session| session.links.get_mut(&id)) {
            // In step, nothing more is to be said. Else this side says again what it has, as long as the two differ: the
            // peer may not have known whose it was.
            link.registers = Some(if same { version } else { UNSAID });
        }
        if !same {
            let rooms = self.register_digests(peer, &id);
            self.send_frame(peer, &Frame::RegisterRooms { space: id, rooms });
        }
    }

    pub(in super::super) fn on_register_rooms(
        &mut self,
        now: i64,
        peer: &Peer,
        id: SpaceId,
        theirs: &[(RoomId, Digest)],
    ) {
        let theirs: BTreeMap<_, _> = theirs.iter().copied().collect();
        let mut rooms: Vec<RoomId> = self
            .register_digests(peer, &id)
            .into_iter()
            .filter(|(room, mine)| theirs.get(room) != Some(mine))
            .map(|(room, _)| room)
            .collect();
        let Some(link) = self.link(peer, &id) else {
            return;
        };
        // No more than the peer takes at once; at the next digest the rest, from where this ends.
        let told = link.registers_told;
        let start = rooms.partition_point(|room| Some(*room) <= told);
        rooms.rotate_left(start);
        for room in rooms {
            let Some(space) = self.spaces.get_mut(&id) else {
                return;
            };
            let cells = space.registers.cells(&space.roster, id, room).to_vec();
            let Some(session) = self.sessions.get_mut(peer) else {
                return;
            };
            if !session.asks(now, cells_cost(cells.len())) {
                return;
            }
            if let Some(link) = session.links.get_mut(&id) {
                link.registers_told = Some(room);
            }
            for cells in cells.chunks(MAX_LISTED) {
                let cells = cells.to_vec();
                self.send_frame(
                    peer,
                    &Frame::RegisterCells {
                        space: id,
                        room,
                        cells,
                    },
                );
            }
        }
    }

    pub(in super::super) fn on_register_cells(
        &mut self,
        now: i64,
        peer: &Peer,
        id: SpaceId,
        room: RoomId,
        cells: Vec<Cell>,
    ) {
        if !self.may_carry_registers(peer, &id, &room) {
            return;
        }
        for cell in cells {
            let place = (id, room, cell.device, cell.number);
            let differs = self.differs(place, cell.digest);
            let Some(session) = self.sessions.get_mut(peer).filter(|_| differs) else {
                continue;
            };
            let Asking { queue, resting, .. } = &mut session.registers;
            let has_room = queue.len() < MAX_QUEUE || queue.contains_key(&place);
            if has_room && !resting.contains_key(&place) {
                queue.insert(place, cell.digest);
            }
        }
        self.ask_registers(now, peer);
    }

    /// Whether what is here in a cell has another digest, and whoever wrote there may.
    fn differs(&mut self, (id, room, device, number): Place, digest: [u8; 16]) -> bool {
        let Some(space) = self.spaces.get_mut(&id) else {
            return false;
        };
        if !space.roster.counts(&device) {
            return false;
        }
        let cells = space.registers.cells(&space.roster, id, room);
        let place = |cell: &Cell| (cell.device, cell.number);
        let mine = cells.binary_search_by_key(&(device, number), place);
        let mine = mine.ok().and_then(|at| cells.get(at));
        mine.is_none_or(|mine| mine.digest != digest)
    }

    /// Asks a peer for the next cells that differ, of one room, unless it has not answered yet. What another is being
    /// asked for waits: it may make the question needless.
    fn ask_registers(&mut self, now: i64, peer: &Peer) {
        let busy: BTreeSet<Place> = self
            .sessions
            .values()
            .filter_map(|session| session.registers.open.as_ref())
            .flat_map(|open| open.places.iter().copied())
            .collect();
        let Some(session) = self.sessions.get_mut(peer) else {
            return;
        };
        let waits = session.registers.open.is_some() || session.registers.queue.is_empty();
        // Its answer costs the peer something as well.
        if waits || !session.may_ask(now) || !session.may_answer(now) {
            return;
        }
        let mut places: Vec<Place> = Vec::new();
        let mut waits = BTreeMap::new();
        for (place, digest) in std::mem::take(&mut session.registers.queue) {
            let (space, room, ..) = place;
            let other = places
                .first()
                .is_some_and(|(s, r, ..)| (*s, *r) != (space, room));
            if busy.contains(&place) || other || places.len() >= MAX_CELLS {
                waits.insert(place, digest);
            } else if self.differs(place, digest) {
                places.push(place);
            }
        }
        let Some(session) = self.sessions.get_mut(peer) else {
            return;
        };
        session.registers.queue = waits;
        let Some((space, room, ..)) = places.first().copied() else {
            return;
        };
        let cells = places.iter().map(|(.., device, cell)| (*device, *cell));
        let frame = Frame::WantRegisters {
            space,
            room,
            cells: cells.collect(),
        };
        session.asks(now, QUESTION_COST);
        session.registers.open = Some(Open {
            places,
            answers: ANSWERS,
            until: now.saturating_add(PATIENCE),
        });
        self.send_frame(peer, &frame);
    }

    pub(in super::super) fn on_want_registers(
        &mut self,
        ledger: &dyn Ledger,
        peer: &Peer,
        id: SpaceId,
        room: RoomId,
        cells: &[(DeviceId, u8)],
    ) -> LedgerResult<()> {
        if !self.may_carry_registers(peer, &id, &room) {
            return Ok(());
        }
        let Some(space) = self.spaces.get(&id) else {
            return Ok(());
        };
        let cells: BTreeSet<(DeviceId, u8)> = cells.iter().copied().collect();
        let devices: BTreeSet<DeviceId> = cells.iter().map(|(device, _)| *device).collect();
        let wanted = |key: &RegisterKey| {
            cells.contains(&(key.device, cell_of(&key.subject)))
                && space.roster.writer(key).is_some()
        };
        let keys = devices.into_iter();
        let keys = keys.flat_map(|device| space.registers.keys_of(id, room, device));
        let keys: Vec<RegisterKey> = keys.filter(wanted).collect();
        let mut frames = vec![Vec::new()];
        let mut size = 0;
        for key in keys {
            let Some(wire) = ledger.register(&key)? else {
                continue;
            };
            size += wire.len();
            let count = frames.len();
            match frames.last_mut() {
                Some(last) if last.len() < MAX_REGISTERS && size <= RECORDS_BYTES => {
                    last.push(wire);
                }
                // The rest still differs at the next digest.
                _ if count >= usize::from(ANSWERS) => break,
                _ => {
                    size = wire.len();
                    frames.push(vec![wire]);
                }
            }
        }
        let last = frames.len().saturating_sub(1);
        for (at, registers) in frames.into_iter().enumerate() {
            let part = if at == last { Part::Last } else { Part::More };
            let frame = Frame::Registers {
                space: id,
                registers,
                answer: Some(part),
            };
            self.send_frame(peer, &frame);
        }
        Ok(())
    }

    /// Sends what waited for its time, and digests that are due.
    pub(in super::super) fn tick_registers(
        &mut self,
        ledger: &dyn Ledger,
        now: i64,
    ) -> LedgerResult<()> {
        let paces = std::mem::take(&mut self.paces.0).into_iter();
        let (over, fresh): (BTreeMap<_, _>, BTreeMap<_, _>) =
            paces.partition(|(_, pace)| !is_within(now, pace.sent_at, PACE));
        self.paces.0 = fresh;
        for (key, _) in over.into_iter().filter(|(_, pace)| pace.waits) {
            if let Some(wire) = ledger.register(&key)? {
                let waits = false;
                let sent_at = now;
                self.paces.0.insert(key, Pace { sent_at, waits });
                self.push_register(&key, &wire);
            }
        }
        let mut due = Vec::new();
        for (peer, session) in &mut self.sessions {
            let asking = &mut session.registers;
            asking.resting.retain(|_, until| *until > now);
            if asking.open.as_ref().is_some_and(|open| open.until <= now) {
                asking.end(now, HOPELESS);
            }
            for (id, link) in &mut session.links {
                let Some(space) = self.spaces.get(id).filter(|_| link.member && link.accepted)
                else {
                    continue;
                };
                let version = space.registers.version;
                let first = link.registers.is_none();
                let later = !is_within(now, link.registers_at, GAP);
                if link.registers != Some(version) && (first || later) {
                    (link.registers, link.registers_at) = (Some(version), now);
                    due.push((*peer, *id));
                }
            }
        }
        for (peer, id) in due {
            let digest = self.register_digest(&peer, &id);
            self.send_frame(&peer, &Frame::RegisterSummary { space: id, digest });
        }
        // Another first each time: what one is asked for, the others wait with.
        let mut peers: Vec<Peer> = self.sessions.keys().copied().collect();
        let turn = usize::try_from(now / 1_000).unwrap_or(0);
        let first = turn.checked_rem(peers.len()).unwrap_or(0);
        peers.rotate_left(first);
        for peer in peers {
            self.ask_registers(now, &peer);
        }
        Ok(())
    }
}
