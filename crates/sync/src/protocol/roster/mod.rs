//! The fold of the control feeds: from the set of entries to members, rooms and invites.
//!
//! The fold is a pure function of the set. Entries are taken in the order of (position, hash), which never puts one
//! before what its writer had seen. An entry that takes rights away (removal, demotion, revocation) also reaches
//! entries *concurrent* to it: those beyond its cut are void. So the fold is repeated, each time with one more such
//! entry enforced, the strongest first: by its author's role, then the earlier admitted, then the order itself. Rank
//! is strict, only a strictly higher rank takes rights away, and so no two members void one another.
//!
//! What different members say of the same one at the same time, and cannot both stand, is decided by rank as well, and
//! between equals by a hash over both entries.

use std::collections::{BTreeMap, BTreeSet};

use artel_domain::{
    Audience, Cut, DeviceId, History, InviteId, MemberId, MessageId, Permission, Policy, Role,
    RoomId, SecretHash, policy,
};

use super::ledger::FeedKey;

mod fold;
mod set;

pub(crate) use set::ControlSet;

const DAY: i64 = 24 * 60 * 60 * 1_000;
/// Devices a member may have at a time.
const MAX_DEVICES: usize = 16;
/// Devices a member may have had, those in use counted.
const MAX_DEVICES_EVER: usize = 64;

/// A member's standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberState {
    /// In.
    Member,
    /// Waiting for approval or a seat.
    Pending,
    /// Removed.
    Removed,
}

/// A member in the roster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) id: MemberId,
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) state: MemberState,
    /// The witness's clock in the first join of theirs that counts, Unix milliseconds; a founder has been there always.
    pub(crate) joined: i64,
    /// Those in use and those retired.
    pub(crate) devices: Vec<DeviceId>,
    /// Devices that were retired, and what of each still counts.
    pub(crate) retired: BTreeMap<DeviceId, Vec<Cut>>,
    /// What of theirs counts, when not everything does.
    pub(crate) cuts: Option<Vec<Cut>>,
    /// Roles that they had, each with what they wrote under it; the earliest first.
    pub(crate) past: Vec<(Role, Vec<Cut>)>,
    /// Whether no invite leads them back.
    pub(crate) barred: bool,
    /// Whether everything they said is erased, and their name.
    pub(crate) erased: bool,
    /// The entry that removed them and the role of its author.
    removed: Option<(usize, Role)>,
    /// Invite they came by and the entry that says so, where a seat is still to be taken.
    invite: Option<(InviteId, MessageId)>,
    /// Entries that gave them a role, in order.
    roles: Vec<(usize, Role)>,
    /// The entry that admitted them, if they had to wait.
    admitted: Option<usize>,
    /// Removals that barred them, and were not lifted.
    bars: Vec<usize>,
}

/// A record's place, as a cut sees it.
pub(crate) struct Place<'a> {
    pub(crate) feed: &'a FeedKey,
    pub(crate) sequence: u64,
    pub(crate) id: MessageId,
    /// Whether a later record of the feed, by its id, is here and follows from this one. In a forked feed a lower
    /// sequence number alone says nothing.
    pub(crate) leads_to: &'a dyn Fn(&MessageId) -> bool,
}

impl Place<'_> {
    fn within(&self, cuts: &[Cut]) -> bool {
        cuts.iter().any(|cut| {
            cut.room == self.feed.room
                && cut.device == self.feed.device
                && cut.incarnation == self.feed.incarnation
                && (self.id == cut.last
                    || (self.sequence < cut.sequence && (self.leads_to)(&cut.last)))
        })
    }
}

impl Member {
    /// Whether a record of one of their feeds counts.
    fn accepts(&self, place: &Place<'_>) -> bool {
        let retired = self.retired.get(&place.feed.device);
        if retired.is_some_and(|cuts| !place.within(cuts)) {
            return false;
        }
        match (&self.cuts, self.state) {
            (_, MemberState::Pending) => false,
            (None, state) => state == MemberState::Member,
            (Some(cuts), _) => place.within(cuts),
        }
    }

    /// The role under which they wrote a record.
    fn role_at(&self, place: &Place<'_>) -> Role {
        let former = self.past.iter().find(|(_, cuts)| place.within(cuts));
        former.map_or(self.role, |(role, _)| *role)
    }

    /// Ends of feeds at which something of theirs stops counting, or counts otherwise.
    fn cut_ends(&self) -> impl Iterator<Item = &MessageId> {
        let lists = self.cuts.iter().chain(self.retired.values());
        let lists = lists.chain(self.past.iter().map(|(_, cuts)| cuts));
        lists.flatten().map(|cut| &cut.last)
    }

    /// The invite by which they wait for approval or a seat.
    pub(crate) fn waits_by(&self) -> Option<InviteId> {
        let waits = self.state == MemberState::Pending;
        self.invite.filter(|_| waits).map(|(invite, _)| invite)
    }

    /// Devices in use.
    pub(crate) fn live_devices(&self) -> impl Iterator<Item = &DeviceId> {
        self.devices
            .iter()
            .filter(|device| !self.retired.contains_key(device))
    }

    /// Whether one more device may be theirs.
    pub(crate) fn has_place_for(&self, device: &DeviceId) -> bool {
        self.live_devices().count() < MAX_DEVICES
            && self.devices.len() < MAX_DEVICES_EVER
            && !self.devices.contains(device)
    }
}

/// An invite in the roster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Invite {
    pub(crate) id: InviteId,
    pub(crate) role: Role,
    pub(crate) seats: u32,
    pub(crate) used: u32,
    pub(crate) expires_at: i64,
    pub(crate) approve: bool,
    pub(crate) revoked: bool,
    pub(crate) by: MemberId,
    /// Joins by it that took effect.
    pub(crate) joins: Vec<MessageId>,
    entry: usize,
}

/// A room in the roster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) id: RoomId,
    pub(crate) name: String,
    pub(crate) audience: Audience,
    /// Set if these are the feeds of a shared page.
    pub(crate) page: Option<PageOf>,
}

/// What a shared page belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PageOf {
    /// Its room, whose readers are its readers.
    pub(crate) room: RoomId,
    /// Whether students edit it.
    pub(crate) students: bool,
}

impl Room {
    /// Whether what one of this role writes here counts; reading is another question.
    pub(crate) fn takes_from(&self, role: Role) -> bool {
        role.may(Permission::Write)
            && self
                .page
                .is_none_or(|page| page.students || role.may(Permission::EditPages))
    }
}

/// An epoch: the secret of the space since then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Epoch {
    /// The entry that began it.
    pub(crate) entry: MessageId,
    /// Hash of its secret.
    pub(crate) hash: SecretHash,
}

/// A rule of the space as it was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) policy: Policy,
    /// Who set it.
    pub(crate) by: MemberId,
    /// The entry that did.
    pub(crate) entry: MessageId,
}

/// What the fold gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Roster {
    /// In the order of their first admission.
    pub(crate) members: Vec<Member>,
    /// In the order of their creation.
    pub(crate) rooms: Vec<Room>,
    /// Where everything lies that is sealed to single members: all carry it. There since the founding.
    pub(crate) direct: Option<Room>,
    /// In the order of their opening.
    pub(crate) invites: Vec<Invite>,
    /// The latest epochs: more than one where removals did not see each other, none since the founding.
    pub(crate) epochs: Vec<Epoch>,
    /// Rules that were set, by their numbers.
    pub(crate) policies: BTreeMap<u16, Setting>,
}

/// Whether one stands strictly above another: by a higher role, or among owners by the earlier place.
fn ranks_above((role, place): (Role, usize), (theirs, other): (Role, usize)) -> bool {
    role > theirs || (role == Role::Owner && theirs == Role::Owner && place < other)
}

impl Roster {
    /// A member.
    pub(crate) fn member(&self, id: &MemberId) -> Option<&Member> {
        self.members.iter().find(|m| m.id == *id)
    }

    /// The member that a device belongs to.
    pub(crate) fn of_device(&self, device: &DeviceId) -> Option<&Member> {
        self.members.iter().find(|m| m.devices.contains(device))
    }

    /// Standing of the member that a device belongs to, as far as this device goes: a retired one is out.
    pub(crate) fn standing_of(&self, device: &DeviceId) -> Option<(MemberId, MemberState)> {
        let member = self.of_device(device)?;
        let state = if member.retired.contains_key(device) {
            MemberState::Removed
        } else {
            member.state
        };
        Some((member.id, state))
    }

    /// A room, the direct one among them.
    pub(crate) fn room(&self, room: &RoomId) -> Option<&Room> {
        self.all_rooms().find(|r| r.id == *room)
    }

    /// All rooms, the direct one among them.
    pub(crate) fn all_rooms(&self) -> impl Iterator<Item = &Room> {
        self.rooms.iter().chain(&self.direct)
    }

    /// The page that a room has now: the latest that was opened.
    pub(crate) fn page(&self, room: &RoomId) -> Option<(&Room, PageOf)> {
        let pages = self.rooms.iter().rev();
        let mut pages = pages.filter_map(|page| Some((page, page.page?)));
        pages.find(|(_, of)| of.room == *room)
    }

    /// Whether there is such a room.
    pub(crate) fn has_room(&self, room: &RoomId) -> bool {
        self.room(room).is_some()
    }

    /// Whether one who is in may read a room.
    pub(crate) fn reads(&self, member: &MemberId, room: &RoomId) -> bool {
        match (self.room(room), self.member(member)) {
            (Some(room), Some(member)) if member.state == MemberState::Member => {
                room.audience.admits(&member.id, member.role)
            }
            _ => false,
        }
    }

    /// Rooms that a member and at least one other may read.
    pub(crate) fn rooms_shared(&self, member: &MemberId) -> BTreeSet<RoomId> {
        let shared = |room: &&Room| {
            let mut others = self.members.iter().filter(|other| other.id != *member);
            self.reads(member, &room.id) && others.any(|other| self.reads(&other.id, &room.id))
        };
        let rooms = self.all_rooms().filter(shared);
        rooms.map(|room| room.id).collect()
    }

    /// Whether a device's own word that it is a member's counts: that member is in and may vouch for devices, nobody
    /// else is in who could, and the device is nobody's yet.
    pub(crate) fn may_enrol_itself(&self, member: &MemberId, device: &DeviceId) -> bool {
        let is_in = |member: &Member| member.state == MemberState::Member;
        let mut others = self.members.iter().filter(|other| other.id != *member);
        let fits = |found: &Member| {
            is_in(found) && found.role.may(Permission::Countersign) && found.has_place_for(device)
        };
        self.member(member).is_some_and(fits)
            && !others.any(is_in)
            && self.of_device(device).is_none()
    }

    /// The member whose record it is and the role under which it was written, if it counts.
    pub(crate) fn author(&self, place: &Place<'_>) -> Option<(&Member, Role)> {
        let room = self.room(&place.feed.room)?;
        let member = self.of_device(&place.feed.device)?;
        if !member.accepts(place) {
            return None;
        }
        let role = member.role_at(place);
        let meant = room.takes_from(role) && room.audience.admits(&member.id, role);
        meant.then_some((member, role))
    }

    /// Whether the records of a device are of use: it belongs to one who is or was in.
    pub(crate) fn counts(&self, device: &DeviceId) -> bool {
        self.of_device(device)
            .is_some_and(|member| member.state != MemberState::Pending)
    }

    /// Whether what counts of a device's feeds ends at this record.
    pub(crate) fn is_cut_at(&self, device: &DeviceId, id: &MessageId) -> bool {
        self.of_device(device)
            .is_some_and(|member| member.cut_ends().any(|end| end == id))
    }

    /// Rooms that are not the same in another roster, or not there.
    pub(crate) fn rooms_unlike(&self, other: &Self) -> Vec<RoomId> {
        let unlike = |one: &Self, two: &Self| -> Vec<RoomId> {
            let rooms = one.rooms.iter();
            let rooms = rooms.filter(|room| two.room(&room.id) != Some(room));
            rooms.map(|room| room.id).collect()
        };
        let mut rooms = unlike(self, other);
        rooms.extend(unlike(other, self));
        rooms
    }

    /// An invite.
    pub(crate) fn invite(&self, id: &InviteId) -> Option<&Invite> {
        self.invites.iter().find(|i| i.id == *id)
    }

    /// Whether a member ranks strictly above another: a higher role, or among owners the earlier admitted.
    pub(crate) fn outranks(&self, above: &MemberId, below: &MemberId) -> bool {
        let place = |id: &MemberId| {
            self.members
                .iter()
                .position(|m| m.id == *id)
                .map(|i| (i, self.member(id)))
        };
        match (place(above), place(below)) {
            (Some((i, Some(a))), Some((j, Some(b)))) => ranks_above((a.role, i), (b.role, j)),
            _ => false,
        }
    }

    fn member_mut(&mut self, id: &MemberId) -> Option<&mut Member> {
        self.members.iter_mut().find(|m| m.id == *id)
    }

    fn invite_mut(&mut self, id: &InviteId) -> Option<&mut Invite> {
        self.invites.iter_mut().find(|i| i.id == *id)
    }

    /// From which clock on the bodies of messages are given to a member, Unix milliseconds; the least there is if all are.
    pub(crate) fn given_from(&self, member: &MemberId) -> i64 {
        // One whom nobody knows is given nothing.
        let joined = self.member(member).map_or(i64::MAX, |found| found.joined);
        match self.policies.get(&policy::HISTORY).map(|set| &set.policy) {
            Some(Policy::History(History::None)) => joined,
            Some(Policy::History(History::Days(days))) => {
                joined.saturating_sub(i64::from(*days).saturating_mul(DAY))
            }
            _ => i64::MIN,
        }
    }

    /// From which clock on bodies are given to everyone who is in.
    pub(crate) fn given_to_all_from(&self) -> i64 {
        let is_in = |member: &&Member| member.state == MemberState::Member;
        let members = self.members.iter().filter(is_in);
        let from = members.map(|member| self.given_from(&member.id)).max();
        from.unwrap_or(i64::MIN)
    }

    /// Whether members write to one another directly.
    pub(crate) fn is_direct_on(&self) -> bool {
        let set = self.policies.get(&policy::DIRECT);
        !set.is_some_and(|set| set.policy == Policy::Direct(false))
    }

    /// Whether students edit a page that is opened without saying who does.
    pub(crate) fn students_edit_pages(&self) -> bool {
        let set = self.policies.get(&policy::PAGES);
        !set.is_some_and(|set| set.policy == Policy::Pages { students: false })
    }

    /// How many wait.
    pub(crate) fn pending(&self) -> usize {
        let pending = |m: &&Member| m.state == MemberState::Pending;
        self.members.iter().filter(pending).count()
    }

    fn owners(&self) -> usize {
        self.members
            .iter()
            .filter(|m| m.role == Role::Owner && m.state == MemberState::Member)
            .count()
    }
}

impl Member {
    fn new(
        id: MemberId,
        name: &str,
        role: Role,
        state: MemberState,
        device: DeviceId,
        joined: i64,
    ) -> Self {
        Self {
            id,
            name: name.to_owned(),
            role,
            state,
            joined,
            devices: vec![device],
            retired: BTreeMap::new(),
            past: Vec::new(),
            barred: false,
            erased: false,
            cuts: None,
            removed: None,
            invite: None,
            roles: Vec::new(),
            admitted: None,
            bars: Vec::new(),
        }
    }
}

/// What it takes to remove, admit or change one of this role.
pub(crate) fn needed(role: Role) -> Permission {
    match role {
        Role::Observer | Role::Student => Permission::RemoveStudents,
        Role::Teacher => Permission::NameTeachers,
        Role::Owner => Permission::NameOwners,
    }
}

/// What it takes to invite into this role.
pub(crate) fn needed_to_invite(role: Role) -> Permission {
    match role {
        Role::Observer | Role::Student => Permission::InviteStudents,
        Role::Teacher => Permission::NameTeachers,
        Role::Owner => Permission::NameOwners,
    }
}
