//! The direct room: what is sealed to single members, and carried by all.
//!
//! Every device has one feed there. What it says is for the devices that have a slot in it ([`artel_domain::sealed`]);
//! the others keep it for a while and pass it on, and cannot tell whom it is for. Whether something is *carried* is
//! decided by each machine alone, by its own clock and for all authors alike; it never decides what is valid.

use artel_domain::{
    Body, Content, DeviceId, Evidence, Letter, MemberId, MessageId, Permission, Prekey,
    PrekeySecret, Report, RoomId, Sealed, SpaceId, limits::MAX_CARRIED, sealed::ContentKey,
    signed::decode_exact,
};
use serde::{Deserialize, Serialize};

use super::{
    super::{
        event::{CommandError, Peer},
        frame::{Frame, MAX_BODIES},
        ledger::{
            Ledger, LedgerError, LedgerResult, Load, Loads, Opening, PrekeyRow, StoredBody,
            StoredRecord,
        },
        roster::{Member, MemberState},
    },
    Fault, Node, Sent,
    commands::Said,
    registers::is_within,
    showing::{here, opened, sealed_place},
    space::Space,
};

const DAY: i64 = 24 * 60 * 60 * 1_000;
/// How long a sealed body is carried, in milliseconds.
const CARRIED: i64 = 30 * DAY;
/// How old the newest prekey is when the next one is made, in milliseconds.
const RENEWED: i64 = 7 * DAY;
/// Until what age a prekey is sealed to, in milliseconds: time enough is left for what is sealed to it to arrive.
const USED: i64 = 14 * DAY;
/// How long the private half of a prekey is kept, in milliseconds.
const KEPT: i64 = 30 * DAY;
/// What each record that is carried counts for besides its body, in bytes.
const EACH: u64 = 1_024;
/// Places that are kept for bodies of one author that are not here.
const AWAITED: u64 = 2_000;
/// Time between two looks at what is due, in milliseconds.
const LOOK: i64 = 60_000;
/// Least time after which a peer is asked again for the bodies that it did not have, in milliseconds.
const AGAIN: i64 = 300_000;
/// Bodies that are let go in one look.
const LET_GO: usize = 1_000;

/// How a peer is asked for missing bodies of the direct room.
#[derive(Default)]
pub(super) struct AskingSealed {
    /// The last record that it was asked about and has answered.
    after: Option<MessageId>,
    /// Those that it was asked about last and has not answered.
    open: Vec<MessageId>,
    /// When it was last asked from the first on.
    began_at: i64,
}

/// A conversation with one other member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationView {
    /// Where it is shown.
    pub room: RoomId,
    /// The other one.
    pub with: MemberId,
    /// Their name.
    pub name: String,
    /// Whether they are in the space now.
    pub here: bool,
}

impl Node {
    /// Conversations that this node's member has or may have: one with every other member that is or was in.
    pub fn conversations(&self, space: &SpaceId) -> Vec<ConversationView> {
        let members = self.members(space).into_iter();
        let others = members.filter(|member| !member.me && member.state != MemberState::Pending);
        others
            .map(|other| ConversationView {
                room: self.conversation_with(space, &other.member).0,
                with: other.member,
                name: other.name,
                here: other.state == MemberState::Member,
            })
            .collect()
    }

    fn conversation_with(&self, space: &SpaceId, other: &MemberId) -> (RoomId, Vec<MemberId>) {
        let mut readers = vec![self.member(), *other];
        readers.sort_unstable();
        (RoomId::conversation(space, &readers), readers)
    }

    /// The readers of a conversation, this node's member among them; none if the room is none.
    pub(super) fn conversation(
        &self,
        space: &SpaceId,
        room: &RoomId,
    ) -> Result<Option<Vec<MemberId>>, CommandError> {
        let roster = &self.spaces.get(space).ok_or(CommandError::NoSpace)?.roster;
        if roster.has_room(room) {
            return Ok(None);
        }
        let me = self.member();
        let others = roster.members.iter().filter(|member| member.id != me);
        for other in others {
            let (found, readers) = self.conversation_with(space, &other.id);
            if found == *room {
                return match other.state {
                    MemberState::Member => Ok(Some(readers)),
                    _ => Err(CommandError::Gone(other.name.clone())),
                };
            }
        }
        Ok(None)
    }

    /// Reports a message to everyone who runs the space but its author: they get it as it was signed, with the edit that
    /// stands, and keep it when it is deleted.
    ///
    /// # Errors
    /// No such message here, it is one's own, nobody is left to tell, or not allowed.
    pub fn report(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        message: MessageId,
        text: String,
    ) -> Result<Sent, CommandError> {
        let record = ledger
            .record(&message)?
            .filter(|record| record.shown)
            .ok_or(CommandError::NoMessage)?;
        let space = record.feed.space;
        self.may(&space, Permission::Write)?;
        let said = here(ledger, &record)?.map(|body| body.content);
        if !matches!(said, Some(Content::Text { .. } | Content::Result(_))) {
            return Err(CommandError::NoMessage);
        }
        let roster = &self.spaces.get(&space).ok_or(CommandError::NoSpace)?.roster;
        let author = roster.of_device(&record.feed.device);
        let author = author.map(|member| member.id);
        let me = self.member();
        if author == Some(me) {
            return Err(CommandError::OwnMessage);
        }
        let told = |member: &&Member| {
            member.state == MemberState::Member
                && member.role.may(Permission::DeleteOthers)
                && Some(member.id) != author
        };
        let mut readers: Vec<MemberId> = roster.members.iter().filter(told).map(|m| m.id).collect();
        if readers.iter().all(|reader| *reader == me) {
            return Err(CommandError::NobodyToTell);
        }
        readers.push(me);
        readers.sort_unstable();
        readers.dedup();
        let mut evidence: Vec<Evidence> = evidence(ledger, &record)?.into_iter().collect();
        if evidence.is_empty() {
            return Err(CommandError::NoMessage);
        }
        if let Some(edit) = standing_edit(ledger, &record)? {
            evidence.extend(self::evidence(ledger, &edit)?);
        }
        let letter = Letter {
            readers,
            content: Content::Report(Report { text, evidence }),
        };
        self.write_letter(ledger, now, space, letter)
    }

    /// Seals a letter to all devices of its readers but this one, and writes it.
    pub(super) fn write_letter(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        space: SpaceId,
        letter: Letter,
    ) -> Result<Sent, CommandError> {
        let room = match &letter.content {
            Content::Report(_) => space.reports(),
            _ => RoomId::conversation(&space, &letter.readers),
        };
        let (me, devices) = (self.device(), self.devices_of(&space, &letter.readers)?);
        let mut keys: Vec<(DeviceId, Prekey)> = Vec::with_capacity(devices.len());
        for device in devices.into_iter().filter(|device| *device != me) {
            let prekey = self.prekey_of(ledger, &space, &device)?;
            keys.extend(prekey.map(|prekey| (device, prekey)));
        }
        let said = Said::Sealed {
            letter: Box::new(letter),
            devices: keys,
            shown_in: room,
        };
        self.write_after(ledger, now, space, space.direct_room(), said, None)
    }

    /// Devices in use of members that are in.
    fn devices_of(
        &self,
        space: &SpaceId,
        members: &[MemberId],
    ) -> Result<Vec<DeviceId>, CommandError> {
        let roster = &self.spaces.get(space).ok_or(CommandError::NoSpace)?.roster;
        let members = members.iter().filter_map(|id| roster.member(id));
        let members = members.filter(|member| member.state == MemberState::Member);
        Ok(members.flat_map(Member::live_devices).copied().collect())
    }

    /// The key by which something is sealed to a device: the one that it made known, while that is young, or else its own.
    fn prekey_of(
        &self,
        ledger: &dyn Ledger,
        space: &SpaceId,
        device: &DeviceId,
    ) -> LedgerResult<Option<Prekey>> {
        let told = self.prekey(ledger, space, device)?;
        let told = told.and_then(|bytes| PrekeyWire::decode(&bytes));
        let young = told.filter(|told| {
            let age = self.now.saturating_sub(told.made_at);
            age.unsigned_abs() < USED.unsigned_abs()
        });
        Ok(young.map(|told| told.prekey).or_else(|| device.prekey()))
    }

    /// The body of a record of the direct room came, or was written here: it is opened if it is for this device, and
    /// carried in any case.
    pub(super) fn sealed_came(
        &mut self,
        ledger: &mut dyn Ledger,
        record: &StoredRecord,
        wire: &[u8],
    ) -> LedgerResult<()> {
        let Some(author) = self.member_of(record) else {
            return Ok(());
        };
        let Ok(body) = Body::decode(wire) else {
            // It is passed on as it is, since a newer version may read it.
            return self.carry(ledger, record, author, wire.len(), self.now);
        };
        match &body.content {
            Content::Sealed(sealed) if ledger.opening(&record.id)?.is_none() => {
                self.open(ledger, record, author, sealed)?;
            }
            Content::Sealed(_) | Content::Unknown(_) => {}
            // Nobody has a use for it here.
            _ => return let_go(ledger, &record.id),
        }
        self.carry(ledger, record, author, wire.len(), body.at)
    }

    /// Opens what was sealed, if there is a slot for this device.
    fn open(
        &self,
        ledger: &mut dyn Ledger,
        record: &StoredRecord,
        author: MemberId,
        sealed: &Sealed,
    ) -> LedgerResult<()> {
        let place = sealed_place(&record.feed, record.sequence);
        let Some(slot) = sealed.slot(&place, &self.identity.device) else {
            return Ok(());
        };
        let secrets = self.secrets(ledger)?;
        let key = slot.open(&place, &secrets);
        let opening = self.opening(&record.feed.space, author, key, |key| {
            sealed.open(&place, key).ok()
        });
        match opening {
            Some(opening) => ledger.put_opening(&record.id, &opening),
            None => Ok(()),
        }
    }

    /// Opens again what was erased and is not any more, as far as that goes: there is no slot for the device that sealed
    /// it, and of what is carried no longer nothing is left.
    pub(super) fn open_again(
        &self,
        ledger: &mut dyn Ledger,
        record: &StoredRecord,
    ) -> LedgerResult<()> {
        let (Some(opening), Some(author)) = (ledger.opening(&record.id)?, self.member_of(record))
        else {
            return Ok(());
        };
        let closed = Opening {
            key: None,
            erased: false,
            ..opening
        };
        ledger.put_opening(&record.id, &closed)?;
        if let Some(StoredBody::Here(wire)) = ledger.body(&record.id)?
            && let Ok(body) = Body::decode(&wire)
            && let Content::Sealed(sealed) = &body.content
        {
            self.open(ledger, record, author, sealed)?;
        }
        Ok(())
    }

    /// Where a letter is shown that came to this device; nowhere if its author or this node's member is no reader of it.
    fn opening(
        &self,
        space: &SpaceId,
        author: MemberId,
        key: Option<ContentKey>,
        open: impl FnOnce(&ContentKey) -> Option<Letter>,
    ) -> Option<Opening> {
        let Some(letter) = key.as_ref().and_then(open) else {
            // Whoever wrote it wanted to say something to this member.
            let room = self.conversation_with(space, &author).0;
            return Some(Opening {
                room,
                key: None,
                erased: false,
            });
        };
        let all = [author, self.member()];
        if !all.iter().all(|member| letter.readers.contains(member)) {
            return None;
        }
        let room = match &letter.content {
            Content::Report(_) => space.reports(),
            _ if letter.readers.len() == 2 => RoomId::conversation(space, &letter.readers),
            _ => return None,
        };
        Some(Opening {
            room,
            key,
            erased: false,
        })
    }

    /// Private halves that something may be sealed to: of the prekeys, and of the device's own key, which stands in while
    /// no prekey of it is known.
    fn secrets(&self, ledger: &dyn Ledger) -> LedgerResult<Vec<PrekeySecret>> {
        let prekeys = ledger.prekeys()?.into_iter().map(|row| row.secret);
        Ok(prekeys.chain([self.identity.device.prekey()]).collect())
    }

    /// A record of the direct room came without its body: a place is kept for that, as long as for others.
    pub(super) fn sealed_awaited(
        &mut self,
        ledger: &mut dyn Ledger,
        record: &StoredRecord,
    ) -> LedgerResult<()> {
        match self.member_of(record) {
            Some(author) => self.carry(ledger, record, author, 0, self.now),
            None => Ok(()),
        }
    }

    fn member_of(&self, record: &StoredRecord) -> Option<MemberId> {
        let roster = &self.spaces.get(&record.feed.space)?.roster;
        roster
            .of_device(&record.feed.device)
            .map(|member| member.id)
    }

    /// Takes a sealed body among those that are carried. Its time is counted from its author's clock, or from now on if
    /// that is ahead.
    fn carry(
        &mut self,
        ledger: &mut dyn Ledger,
        record: &StoredRecord,
        author: MemberId,
        size: usize,
        at: i64,
    ) -> LedgerResult<()> {
        let load = Load {
            space: record.feed.space,
            author,
            size: u64::try_from(size).unwrap_or(u64::MAX),
            since: at.min(self.now),
        };
        ledger.put_load(&record.id, &load)?;
        if is_due(&load, self.now) {
            return let_go(ledger, &record.id);
        }
        loop {
            let Loads {
                bytes,
                records,
                awaited,
            } = ledger.loads_of(&load.space, &author)?;
            let much = bytes.saturating_add(records.saturating_mul(EACH)) > MAX_CARRIED;
            // What came without its body counts from now on and would outlast what is here.
            let many = awaited > AWAITED;
            if !much && !many {
                return Ok(());
            }
            let Some(oldest) = ledger.oldest_load_of(&load.space, &author, many)? else {
                return Ok(());
            };
            let_go(ledger, &oldest)?;
        }
    }

    /// Renews the prekey, forgets old ones, and lets go of what was carried long enough.
    pub(super) fn tick_direct(&mut self, ledger: &mut dyn Ledger, now: i64) -> LedgerResult<()> {
        if now.saturating_sub(self.direct_at).unsigned_abs() >= LOOK.unsigned_abs() {
            self.direct_at = now;
            self.look_through(ledger, now)?;
        }
        self.tell_prekey(ledger, now)
    }

    fn look_through(&mut self, ledger: &mut dyn Ledger, now: i64) -> LedgerResult<()> {
        ledger.forget_prekeys(now.saturating_sub(KEPT))?;
        // Those made ahead of a clock that was set back are kept: it may be right soon, and something is sealed to them.
        let newest = |ledger: &dyn Ledger| {
            let mut rows = ledger.prekeys()?.into_iter();
            Ok::<_, LedgerError>(rows.find(|row| row.made_at <= now))
        };
        let last = newest(ledger)?.map(|row| row.made_at);
        if last.is_none_or(|made_at| now.saturating_sub(made_at) >= RENEWED)
            && let Ok(secret) = self.entropy.draw()
        {
            if last.is_some() {
                // The clock has gone like this for so long: they go in their time as well.
                ledger.restamp_prekeys(now)?;
            }
            let row = PrekeyRow {
                secret: PrekeySecret::from_bytes(secret),
                made_at: now,
            };
            ledger.put_prekey(&row)?;
        }
        self.prekey = newest(ledger)?.and_then(|row| {
            Some(PrekeyWire {
                prekey: row.secret.public()?,
                made_at: row.made_at,
            })
        });
        for _ in 0..LET_GO {
            match ledger.oldest_load()? {
                Some((record, load)) if is_due(&load, now) => let_go(ledger, &record)?,
                _ => break,
            }
        }
        Ok(())
    }

    /// Makes the newest prekey known in every space that does not have it.
    fn tell_prekey(&mut self, ledger: &mut dyn Ledger, now: i64) -> LedgerResult<()> {
        let Some(prekey) = self.prekey else {
            return Ok(());
        };
        let (me, bytes) = (self.device(), prekey.encode());
        let untold = self
            .spaces
            .values()
            .filter(|space| space.told != self.prekey);
        let untold: Vec<SpaceId> = untold.map(Space::id).collect();
        for id in untold
            .into_iter()
            .filter(|id| self.is_inside(id))
            .collect::<Vec<_>>()
        {
            if self.prekey(ledger, &id, &me)?.as_ref() != Some(&bytes) {
                // Without it one is sealed to by the device's own key.
                if let Err(CommandError::Ledger(error)) =
                    self.set_prekey(ledger, now, id, bytes.clone())
                {
                    return Err(error);
                }
            }
            if let Some(space) = self.spaces.get_mut(&id) {
                space.told = self.prekey;
            }
        }
        Ok(())
    }

    /// Asks one of the members that are here for missing bodies of the direct room, one after another, and after a while
    /// from the first again, as long as their places are kept: nobody may have them any more, and who has none yet may get
    /// them.
    pub(super) fn want_sealed(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        id: SpaceId,
        peers: &[Peer],
    ) -> LedgerResult<()> {
        let Some(space) = self.spaces.get_mut(&id) else {
            return Ok(());
        };
        space.sealed_of = space.sealed_of.wrapping_add(1);
        let turn = space.sealed_of.checked_rem(peers.len()).unwrap_or(0);
        let Some(peer) = peers.get(turn) else {
            return Ok(());
        };
        let member = space.roster.of_device(peer).map(|owner| owner.id);
        let session = self.sessions.get_mut(peer);
        let Some(link) = session.and_then(|session| session.links.get_mut(&id)) else {
            return Ok(());
        };
        let asking = &mut link.sealed;
        // What was not answered the peer does not have.
        asking.after = asking.open.last().copied().or(asking.after);
        let asked = member.as_ref();
        let mut records = ledger.bodiless(&id, true, asked, asking.after.as_ref(), MAX_BODIES)?;
        if records.is_empty() && !is_within(now, asking.began_at, AGAIN) {
            asking.after = None;
            records = ledger.bodiless(&id, true, asked, None, MAX_BODIES)?;
        }
        if asking.after.is_none() {
            asking.began_at = now;
        }
        asking.open.clone_from(&records);
        if !records.is_empty() {
            self.send_frame(peer, &Frame::WantBodies { space: id, records });
        }
        Ok(())
    }

    /// A peer gave bodies: what it was asked for beyond the last of them it may have left out for their size.
    pub(super) fn sealed_given(
        &mut self,
        peer: &Peer,
        id: &SpaceId,
        bodies: &[(MessageId, Vec<u8>)],
    ) {
        let session = self.sessions.get_mut(peer);
        let Some(link) = session.and_then(|session| session.links.get_mut(id)) else {
            return;
        };
        let asking = &mut link.sealed;
        let given = |asked: &&MessageId| bodies.iter().any(|(id, _)| id == *asked);
        if let Some(last) = asking.open.iter().rfind(given) {
            asking.after = Some(*last);
            asking.open.clear();
        }
    }

    /// Whether a peer belongs to one of these members.
    pub(super) fn is_of(&self, peer: &Peer, space: &SpaceId, members: &[MemberId]) -> bool {
        let roster = self.spaces.get(space).map(|space| &space.roster);
        let owner = roster.and_then(|roster| roster.of_device(peer));
        owner.is_some_and(|owner| members.contains(&owner.id))
    }
}

/// The edit by which a message says what it says now.
fn standing_edit(ledger: &dyn Ledger, record: &StoredRecord) -> LedgerResult<Option<StoredRecord>> {
    let mut last: Option<StoredRecord> = None;
    for id in ledger.references(&record.id)? {
        let Some(edit) = ledger.record(&id)?.filter(|edit| edit.shown) else {
            continue;
        };
        let content = here(ledger, &edit)?.map(|body| body.content);
        let later = last
            .as_ref()
            .is_none_or(|last| (edit.lamport, edit.id) > (last.lamport, last.id));
        if matches!(content, Some(Content::Edit { .. })) && later {
            last = Some(edit);
        }
    }
    Ok(last)
}

/// Who reads a record besides the readers of its room; none if that is all.
pub(super) fn readers_of(
    ledger: &dyn Ledger,
    record: &StoredRecord,
) -> Result<Option<Vec<MemberId>>, Fault> {
    if record.feed.room != record.feed.space.direct_room() {
        return Ok(None);
    }
    let opened = opened(ledger, record)?;
    Ok(Some(
        opened.map_or(Vec::new(), |(letter, _)| letter.readers),
    ))
}

/// A prekey as its device makes it known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PrekeyWire {
    prekey: Prekey,
    made_at: i64,
}

impl PrekeyWire {
    fn encode(&self) -> Vec<u8> {
        // Two numbers always have a form.
        postcard::to_stdvec(self).unwrap_or_default()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        decode_exact(bytes)
    }
}

fn is_due(load: &Load, now: i64) -> bool {
    load.since.saturating_add(CARRIED) <= now
}

/// Ends the carrying of a body. What is for this device and was not erased is kept, and not given to others any more.
fn let_go(ledger: &mut dyn Ledger, record: &MessageId) -> LedgerResult<()> {
    ledger.remove_load(record)?;
    if ledger.opening(record)?.is_none_or(|opening| opening.erased) {
        ledger.erase_body(record)?;
    }
    Ok(())
}

/// A record with its body, as a report carries it.
fn evidence(ledger: &dyn Ledger, record: &StoredRecord) -> LedgerResult<Option<Evidence>> {
    let Some(StoredBody::Here(body)) = ledger.body(&record.id)? else {
        return Ok(None);
    };
    Ok(Some(Evidence {
        envelope: record.envelope.clone(),
        body,
        key: ledger.opening(&record.id)?.and_then(|found| found.key),
    }))
}
