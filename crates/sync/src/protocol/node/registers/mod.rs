//! Registers: values that replace one another, outside the feeds. How far somebody has read, which sign they put under a
//! message, to which key one seals what is meant for a device.
//!
//! Of each place the latest value is kept, and of one device in one room those with the highest turns: so what stands
//! follows from the set of values alone, in whatever order they came, and no device fills the disks of others. A value
//! counts as long as its device belongs to a member who may write such a thing there.
//!
//! The writer sends a value to whoever is connected. The rest is repaired by digests: of all, of a room, and of *cells*,
//! 33 of each device in a room. Only cells that differ are asked for, so that one who reads on costs their own cell.

use std::collections::BTreeMap;

use artel_domain::{
    DeviceId, MemberId, MessageId, Permission, Register, RoomId, Signed, SpaceId, Topic,
    limits::MAX_POSITION,
    register::{PREKEY, REACTION, READ, Subject},
};

use super::{
    super::{
        event::{CommandError, Event, Output},
        ledger::{Ledger, LedgerError, LedgerResult, RegisterKey},
        roster::MemberState,
    },
    Node,
};

mod book;
mod exchange;

use book::Value;

pub(super) use book::Registers;
pub(super) use exchange::{Asking, QUESTION_COST, ROOMS_COST, cells_cost};

/// Least time between two values of one place that leave this device, in milliseconds.
const PACE: i64 = 2_000;

/// A sign that a member put under a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reaction {
    /// Who.
    pub member: MemberId,
    /// The sign.
    pub emoji: String,
}

/// When values of a place left this device.
#[derive(Clone, Copy)]
struct Pace {
    sent_at: i64,
    /// Whether there was another since.
    waits: bool,
}

/// Values of this device that left it lately.
#[derive(Default)]
pub(super) struct Paces(BTreeMap<RegisterKey, Pace>);

// What the person at this machine does.
impl Node {
    /// Notes that this device has shown a room up to a position. Going back, or saying the same again, does nothing.
    ///
    /// # Errors
    /// No such space or room, or not a member.
    pub fn mark_read(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        space: SpaceId,
        room: RoomId,
        (lamport, id): (u64, MessageId),
    ) -> Result<(), CommandError> {
        let key = self.own_place(space, room, READ, [0; 32]);
        let known = self.spaces.get(&space).ok_or(CommandError::NoSpace)?;
        let before = known.registers.value(&key).and_then(Value::read);
        if before >= Some((lamport, id)) {
            return Ok(());
        }
        self.set_register(ledger, now, space, room, Topic::Read { lamport, id })
    }

    /// Puts a sign under a message, in place of the one that this member had put there; none takes it back.
    ///
    /// # Errors
    /// No such space, room or message, not allowed, or not one sign.
    pub fn react(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        space: SpaceId,
        room: RoomId,
        target: MessageId,
        emoji: Option<String>,
    ) -> Result<(), CommandError> {
        self.may(&space, Permission::Write)?;
        let there = ledger.record(&target)?.is_some_and(|record| {
            record.shown && (record.feed.space, record.feed.room) == (space, room)
        });
        if !there {
            return Err(CommandError::NoMessage);
        }
        let me = self.member();
        let reactions = self.reactions(&space, &room, &target);
        let mine = reactions.into_iter().find(|found| found.member == me);
        if mine.map(|found| found.emoji) == emoji {
            return Ok(());
        }
        self.set_register(ledger, now, space, room, Topic::Reaction { target, emoji })
    }

    /// Makes known a key to which others seal what is meant for this device.
    ///
    /// # Errors
    /// No such space, not a member, or more bytes than fit.
    pub fn set_prekey(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        space: SpaceId,
        prekey: Vec<u8>,
    ) -> Result<(), CommandError> {
        let room = space.control_room();
        self.set_register(ledger, now, space, room, Topic::Prekey(prekey))
    }

    /// The key that a device has made known, if it counts.
    ///
    /// # Errors
    /// The ledger failed.
    pub fn prekey(
        &self,
        ledger: &dyn Ledger,
        space: &SpaceId,
        device: &DeviceId,
    ) -> LedgerResult<Option<Vec<u8>>> {
        let key = RegisterKey {
            device: *device,
            ..self.own_place(*space, space.control_room(), PREKEY, [0; 32])
        };
        let known = self.spaces.get(space);
        if known.and_then(|known| known.roster.writer(&key)).is_none() {
            return Ok(None);
        }
        let found = ledger.register(&key)?;
        let found = found.and_then(|wire| Signed::<Register>::reopen(&wire).ok());
        Ok(found.and_then(|found| match &found.value().topic {
            Topic::Prekey(bytes) => Some(bytes.clone()),
            _ => None,
        }))
    }

    /// The signs under a message, one a member.
    pub fn reactions(&self, space: &SpaceId, room: &RoomId, target: &MessageId) -> Vec<Reaction> {
        let latest = self.latest_of(space, room, REACTION, target.as_bytes());
        let shown = latest.into_iter().filter_map(|(member, value)| {
            let emoji = match &value.says {
                Some(Topic::Reaction { emoji, .. }) => emoji.clone()?,
                _ => return None,
            };
            Some(Reaction { member, emoji })
        });
        shown.collect()
    }

    /// How far the members have read a room, as far as they say: the furthest of each one's devices.
    pub fn reads(&self, space: &SpaceId, room: &RoomId) -> BTreeMap<MemberId, (u64, MessageId)> {
        let mut reads = BTreeMap::new();
        for (member, value) in self.values_of(space, room, READ, &[0; 32]) {
            if let Some(at) = value.read() {
                let furthest = reads.entry(member).or_insert(at);
                *furthest = at.max(*furthest);
            }
        }
        reads
    }

    /// What counts of one thing that is said in a room, and by whom.
    fn values_of(
        &self,
        space: &SpaceId,
        room: &RoomId,
        topic: u16,
        subject: &Subject,
    ) -> impl Iterator<Item = (MemberId, &Value)> {
        let (space, room, subject) = (*space, *room, *subject);
        let known = self.spaces.get(&space);
        known.into_iter().flat_map(move |known| {
            let devices = known.registers.rooms.get(&room).into_iter().flatten();
            devices.filter_map(move |(device, kept)| {
                let value = kept.get(&(topic, subject))?;
                let key = RegisterKey {
                    space,
                    room,
                    device: *device,
                    topic,
                    subject,
                };
                Some((known.roster.writer(&key)?, value))
            })
        })
    }

    /// The latest value that each member's devices have of one thing, where it counts.
    fn latest_of(
        &self,
        space: &SpaceId,
        room: &RoomId,
        topic: u16,
        subject: &Subject,
    ) -> BTreeMap<MemberId, &Value> {
        let mut latest: BTreeMap<MemberId, &Value> = BTreeMap::new();
        for (member, value) in self.values_of(space, room, topic, subject) {
            let at = latest.entry(member).or_insert(value);
            if value.rank > at.rank {
                *at = value;
            }
        }
        latest
    }

    fn own_place(&self, space: SpaceId, room: RoomId, topic: u16, subject: Subject) -> RegisterKey {
        RegisterKey {
            space,
            room,
            device: self.device(),
            topic,
            subject,
        }
    }

    /// Writes a register of this device: kept at once, and sent at once unless one of this place was just sent.
    fn set_register(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        space: SpaceId,
        room: RoomId,
        topic: Topic,
    ) -> Result<(), CommandError> {
        self.tell_time(now);
        self.may(&space, Permission::Read)?;
        let key = self.own_place(space, room, topic.number(), topic.subject());
        let known = self.spaces.get(&space).ok_or(CommandError::NoSpace)?;
        known.roster.writer(&key).ok_or(CommandError::NoRoom)?;
        // Above what any device of this member said of it. The clock keeps a machine that was reset, and forgot its own
        // values, above them as well; it decides nothing else.
        let latest = self.latest_of(&space, &room, key.topic, &key.subject);
        let before = latest.get(&self.member()).map_or(0, |value| value.rank.0);
        let clock = u64::try_from(now).unwrap_or(0).min(MAX_POSITION / 2);
        let turn = before.saturating_add(1).max(clock);
        if turn > MAX_POSITION {
            return Err(CommandError::Spent);
        }
        let register = Register {
            space,
            room,
            device: self.device(),
            turn,
            topic,
        };
        let signed = Signed::seal(register, &self.identity.device)?;
        self.keep_register(ledger, &signed)?;
        let pace = self.paces.0.entry(key).or_insert(Pace {
            sent_at: now.saturating_sub(PACE),
            waits: false,
        });
        if is_within(now, pace.sent_at, PACE) {
            pace.waits = true;
        } else {
            pace.sent_at = now;
            self.push_register(&key, signed.wire());
        }
        Ok(())
    }

    /// Takes up what this member's devices that are not in use any more had put under messages: it would be gone else.
    pub(super) fn inherit_registers(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        id: SpaceId,
    ) -> LedgerResult<()> {
        let me = self.member();
        let Some(space) = self.spaces.get(&id).filter(|_| self.is_inside(&id)) else {
            return Ok(());
        };
        let Some(myself) = space.roster.member(&me) else {
            return Ok(());
        };
        let devices = myself.devices.clone();
        let retired = &myself.retired;
        let left: Vec<RegisterKey> = space
            .registers
            .keys(id)
            .filter(|key| key.topic == REACTION && retired.contains_key(&key.device))
            .collect();
        for key in left {
            let Some(space) = self.spaces.get(&id) else {
                return Ok(());
            };
            // What any of the devices said later stands, also that the sign is taken back.
            let said = devices.iter().filter_map(|device| {
                let value = space.registers.value(&RegisterKey {
                    device: *device,
                    ..key
                })?;
                Some((value.rank, *device, &value.says))
            });
            let last = said.max_by_key(|(rank, ..)| *rank);
            let topic = last
                .filter(|(_, by, _)| *by == key.device)
                .and_then(|(.., says)| says.clone());
            if let Some(topic @ Topic::Reaction { emoji: Some(_), .. }) = topic {
                match self.set_register(ledger, now, id, key.room, topic) {
                    // Where this member may not write any more it is gone.
                    Ok(()) | Err(CommandError::NoRoom | CommandError::Forbidden { .. }) => {}
                    Err(CommandError::Ledger(error)) => return Err(error),
                    Err(_) => continue,
                }
            }
            self.forget_register(ledger, &key)?;
        }
        Ok(())
    }
}

// What is kept and passed on.
impl Node {
    /// Puts the kept registers of a space in their places.
    pub(super) fn load_registers(
        &mut self,
        ledger: &mut dyn Ledger,
        id: SpaceId,
    ) -> LedgerResult<()> {
        for wire in ledger.registers(&id)? {
            let signed = Signed::<Register>::reopen(&wire).map_err(|e| LedgerError(Box::new(e)))?;
            if let Some(space) = self.spaces.get_mut(&id) {
                space.registers.put(&space.roster, &signed);
            }
        }
        Ok(())
    }

    fn keep_register(
        &mut self,
        ledger: &mut dyn Ledger,
        signed: &Signed<Register>,
    ) -> LedgerResult<()> {
        let register = signed.value();
        let key = RegisterKey::of(register);
        let Some(space) = self.spaces.get_mut(&register.space) else {
            return Ok(());
        };
        let Some(member) = space.roster.writer(&key) else {
            return Ok(());
        };
        let Some(gone) = space.registers.put(&space.roster, signed) else {
            return Ok(());
        };
        ledger.put_register(&key, signed.wire())?;
        for key in gone {
            ledger.remove_register(&key)?;
        }
        self.outputs.push(Output::Event(Event::Register {
            member,
            register: Box::new(register.clone()),
        }));
        Ok(())
    }

    fn forget_register(&mut self, ledger: &mut dyn Ledger, key: &RegisterKey) -> LedgerResult<()> {
        if let Some(space) = self.spaces.get_mut(&key.space) {
            space.registers.forget(key);
        }
        ledger.remove_register(key)
    }

    /// Forgets what stopped counting for good: what members said who were erased, and devices that are not those of members.
    /// Should it count again, whoever wrote it has it: this member's own goes only with its device, once it was taken up.
    pub(super) fn forget_registers(
        &mut self,
        ledger: &mut dyn Ledger,
        id: SpaceId,
    ) -> LedgerResult<()> {
        let Some(space) = self.spaces.get(&id) else {
            return Ok(());
        };
        let me = self.member();
        let gone = |key: &RegisterKey| {
            let Some(member) = space.roster.of_device(&key.device) else {
                return true;
            };
            let is_in = member.state == MemberState::Member;
            let retired = member.retired.contains_key(&key.device);
            if member.id == me {
                member.erased || (retired && is_in && key.topic != REACTION)
            } else {
                member.erased || retired || !is_in
            }
        };
        let keys: Vec<RegisterKey> = space.registers.keys(id).filter(gone).collect();
        for key in keys {
            self.forget_register(ledger, &key)?;
        }
        Ok(())
    }
}

/// Whether a time is less than so long ago, or ahead: clocks may be set back.
pub(super) fn is_within(now: i64, then: i64, span: i64) -> bool {
    now.saturating_sub(then).unsigned_abs() < span.unsigned_abs()
}
