//! The fold of the control feeds: from the set of entries to members, rooms and invites.
//!
//! The fold is a pure function of the set. Entries are taken in the order of (position, hash), which never puts one
//! before what its writer had seen. An entry that takes rights away (removal, demotion, revocation) also reaches
//! entries *concurrent* to it: those beyond its cut are void. So the fold is repeated, each time with one more such
//! entry enforced, the strongest first: by its author's role, then the earlier admitted, then the order itself. Rank
//! is strict, only a strictly higher rank takes rights away, and so no two members void one another.

use std::collections::BTreeMap;

use artel_domain::{
    Audience, Cut, DeviceId, Incarnation, InviteId, MemberId, MessageId, Permission, Role, RoomId,
    SecretHash,
};

use super::ledger::FeedKey;

mod fold;
mod set;

pub(crate) use set::ControlSet;

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
    /// Those in use and those retired.
    pub(crate) devices: Vec<DeviceId>,
    /// Devices that were retired, and what of each still counts.
    pub(crate) retired: BTreeMap<DeviceId, Vec<Cut>>,
    /// What of theirs counts, when not everything does.
    pub(crate) cuts: Option<Vec<Cut>>,
    /// What counts of what they wrote under a higher role, in rooms that they may not read any more.
    demoted: Option<Vec<Cut>>,
    /// Whether no invite leads them back.
    pub(crate) barred: bool,
    /// The entry that removed them and the role of its author.
    removed: Option<(usize, Role)>,
    /// Invite they came by, where a seat is still to be taken.
    invite: Option<InviteId>,
}

impl Member {
    /// Whether a record of one of their feeds counts.
    fn accepts(&self, feed: &FeedKey, sequence: u64, id: &MessageId) -> bool {
        let within = |cuts| {
            within(
                cuts,
                &feed.room,
                &feed.device,
                &feed.incarnation,
                sequence,
                id,
            )
        };
        if self
            .retired
            .get(&feed.device)
            .is_some_and(|cuts| !within(cuts))
        {
            return false;
        }
        match (&self.cuts, self.state) {
            (_, MemberState::Pending) => false,
            (None, state) => state == MemberState::Member,
            (Some(cuts), _) => within(cuts),
        }
    }

    /// Devices in use.
    pub(crate) fn live_devices(&self) -> impl Iterator<Item = &DeviceId> {
        self.devices
            .iter()
            .filter(|device| !self.retired.contains_key(device))
    }
}

fn within(
    cuts: &[Cut],
    room: &RoomId,
    device: &DeviceId,
    incarnation: &Incarnation,
    sequence: u64,
    id: &MessageId,
) -> bool {
    cuts.iter().any(|cut| {
        cut.room == *room
            && cut.device == *device
            && cut.incarnation == *incarnation
            && (sequence < cut.sequence || (sequence == cut.sequence && *id == cut.last))
    })
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
}

/// An epoch: the secret of the space since then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Epoch {
    /// The entry that began it.
    pub(crate) entry: MessageId,
    /// Hash of its secret.
    pub(crate) hash: SecretHash,
}

/// What the fold gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Roster {
    /// In the order of their first admission.
    pub(crate) members: Vec<Member>,
    /// In the order of their creation.
    pub(crate) rooms: Vec<Room>,
    /// In the order of their opening.
    pub(crate) invites: Vec<Invite>,
    /// The latest epochs: more than one where removals did not see each other, none since the founding.
    pub(crate) epochs: Vec<Epoch>,
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

    /// A room.
    pub(crate) fn room(&self, room: &RoomId) -> Option<&Room> {
        self.rooms.iter().find(|r| r.id == *room)
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

    /// The member whose record it is, if it counts.
    pub(crate) fn author(&self, feed: &FeedKey, sequence: u64, id: &MessageId) -> Option<&Member> {
        let (room, member) = (self.room(&feed.room)?, self.of_device(&feed.device)?);
        let meant = room.audience.admits(&member.id, member.role)
            || member.demoted.as_ref().is_some_and(|cuts| {
                within(
                    cuts,
                    &feed.room,
                    &feed.device,
                    &feed.incarnation,
                    sequence,
                    id,
                )
            });
        (meant && member.accepts(feed, sequence, id)).then_some(member)
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
            (Some((i, Some(a))), Some((j, Some(b)))) => {
                a.role > b.role || (a.role == Role::Owner && b.role == Role::Owner && i < j)
            }
            _ => false,
        }
    }

    fn member_mut(&mut self, id: &MemberId) -> Option<&mut Member> {
        self.members.iter_mut().find(|m| m.id == *id)
    }

    fn invite_mut(&mut self, id: &InviteId) -> Option<&mut Invite> {
        self.invites.iter_mut().find(|i| i.id == *id)
    }

    fn owners(&self) -> usize {
        self.members
            .iter()
            .filter(|m| m.role == Role::Owner && m.state == MemberState::Member)
            .count()
    }
}

impl Member {
    fn new(id: MemberId, name: &str, role: Role, state: MemberState, device: DeviceId) -> Self {
        Self {
            id,
            name: name.to_owned(),
            role,
            state,
            devices: vec![device],
            retired: BTreeMap::new(),
            demoted: None,
            barred: false,
            cuts: (!role.may(Permission::Write)).then(Vec::new),
            removed: None,
            invite: None,
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
