//! What a node can be asked, as the fold of the control feeds has it.

use artel_domain::{
    Audience, Body, DeviceId, Genesis, InviteId, MemberId, Policy, Role, RoomId, Signed, SpaceId,
};

use super::{
    super::{
        event::Peer,
        ledger::{Ledger, LedgerResult, StoredBody},
        roster::MemberState,
    },
    InviteTerms, Node,
};

/// A member, as the fold of the control feeds has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own about one person"
)]
pub struct MemberView {
    /// The person.
    pub member: MemberId,
    /// Their name.
    pub name: String,
    /// Their role.
    pub role: Role,
    /// Their standing.
    pub state: MemberState,
    /// Their devices in use.
    pub devices: Vec<DeviceId>,
    /// Their devices that were retired.
    pub retired: Vec<DeviceId>,
    /// Whether one of their devices wrote two histories: a profile in use at two places.
    pub copied: bool,
    /// Whether no invite leads them back.
    pub barred: bool,
    /// Whether everything they said was erased, and their name.
    pub erased: bool,
    /// Whether one of the devices is there now, linked or seen through others; for this node's own member, true.
    pub online: bool,
    /// Whether this is this node's own member.
    pub me: bool,
}

/// A room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomView {
    /// The room.
    pub room: RoomId,
    /// Its name.
    pub name: String,
    /// Who reads it.
    pub audience: Audience,
}

/// A space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpaceView {
    /// The space.
    pub space: SpaceId,
    /// Its name.
    pub name: String,
    /// This node's role; none when it is not (yet) in the roster.
    pub role: Option<Role>,
    /// This node's standing.
    pub state: MemberState,
}

/// A rule of a space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyView {
    /// The rule, with its value.
    pub policy: Policy,
    /// Who set it, and when by their clock, Unix milliseconds; none if it is as it is from the beginning.
    pub set: Option<(MemberId, i64)>,
}

/// An invite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InviteView {
    /// Public part of its key. The code itself is known only to its maker.
    pub invite: InviteId,
    /// Its terms.
    pub terms: InviteTerms,
    /// Seats taken.
    pub used: u32,
    /// Whether it was revoked.
    pub revoked: bool,
    /// Who made it.
    pub by: MemberId,
}

impl Node {
    /// This node's device, which is its peer identity.
    pub fn device(&self) -> DeviceId {
        self.certificate.value().device
    }

    /// This node's member.
    pub fn member(&self) -> MemberId {
        self.certificate.value().member
    }

    /// Whether this node's member is in a space, and this device is one of theirs.
    pub fn is_inside(&self, space: &SpaceId) -> bool {
        let me = (self.member(), MemberState::Member);
        self.spaces
            .get(space)
            .is_some_and(|space| space.roster.standing_of(&self.device()) == Some(me))
    }

    /// All spaces this node is or was in, and those where it is pending.
    pub fn spaces(&self) -> Vec<SpaceView> {
        let me = self.member();
        let mut views: Vec<SpaceView> = self
            .spaces
            .values()
            .map(|space| {
                let mine = space.roster.member(&me);
                SpaceView {
                    space: space.id(),
                    name: space.genesis.value().name.clone(),
                    role: mine.map(|m| m.role),
                    state: mine.map_or(MemberState::Pending, |m| m.state),
                }
            })
            .collect();
        for founding in self
            .joins
            .values()
            .filter_map(|joining| joining.row.genesis.as_ref())
        {
            let Ok(founding) = Signed::<Genesis>::reopen(founding) else {
                continue;
            };
            let space = founding.space();
            if !views.iter().any(|view| view.space == space) {
                let name = founding.value().name.clone();
                views.push(SpaceView {
                    space,
                    name,
                    role: None,
                    state: MemberState::Pending,
                });
            }
        }
        views
    }

    /// Members of a space, in the order of their admission.
    pub fn members(&self, space: &SpaceId) -> Vec<MemberView> {
        let Some(found) = self.spaces.get(space) else {
            return Vec::new();
        };
        let online = &found.company;
        let copied = found.copied();
        let me = self.member();
        found
            .roster
            .members
            .iter()
            .map(|member| MemberView {
                member: member.id,
                name: if member.erased {
                    "(erased)".to_owned()
                } else {
                    member.name.clone()
                },
                role: member.role,
                state: member.state,
                devices: member.live_devices().copied().collect(),
                retired: member.retired.keys().copied().collect(),
                copied: member.devices.iter().any(|device| copied.contains(device)),
                barred: member.barred,
                erased: member.erased,
                online: member.id == me || member.devices.iter().any(|device| online.has(device)),
                me: member.id == me,
            })
            .collect()
    }

    /// Rooms of a space that this node's member may read, in the order of their creation.
    pub fn rooms(&self, space: &SpaceId) -> Vec<RoomView> {
        let Some(space) = self.spaces.get(space) else {
            return Vec::new();
        };
        let me = self.member();
        space
            .roster
            .rooms
            .iter()
            .filter(|room| room.page.is_none() && space.roster.reads(&me, &room.id))
            .map(|room| RoomView {
                room: room.id,
                name: room.name.clone(),
                audience: room.audience.clone(),
            })
            .collect()
    }

    /// Rules of a space, those that this version knows.
    ///
    /// # Errors
    /// The ledger failed.
    pub fn policies(&self, ledger: &dyn Ledger, space: &SpaceId) -> LedgerResult<Vec<PolicyView>> {
        let Some(found) = self.spaces.get(space) else {
            return Ok(Vec::new());
        };
        let view = |default: Policy| {
            let Some(set) = found.roster.policies.get(&default.number()) else {
                return Ok(PolicyView {
                    policy: default,
                    set: None,
                });
            };
            let at = match ledger.body(&set.entry)? {
                Some(StoredBody::Here(wire)) => Body::decode(&wire).ok().map(|body| body.at),
                _ => None,
            };
            Ok(PolicyView {
                policy: set.policy.clone(),
                set: Some((set.by, at.unwrap_or_default())),
            })
        };
        Policy::DEFAULTS.into_iter().map(view).collect()
    }

    /// Whether members of a space write to one another directly.
    pub fn is_direct_on(&self, space: &SpaceId) -> bool {
        let found = self.spaces.get(space);
        found.is_none_or(|space| space.roster.is_direct_on())
    }

    /// Whether students edit a page of a space that is opened without saying who does.
    pub fn students_edit_pages(&self, space: &SpaceId) -> bool {
        let found = self.spaces.get(space);
        found.is_some_and(|space| space.roster.students_edit_pages())
    }

    /// Invites of a space, oldest first.
    pub fn invites(&self, space: &SpaceId) -> Vec<InviteView> {
        let Some(space) = self.spaces.get(space) else {
            return Vec::new();
        };
        space
            .roster
            .invites
            .iter()
            .map(|invite| InviteView {
                invite: invite.id,
                terms: InviteTerms {
                    role: invite.role,
                    seats: invite.seats,
                    expires_at: invite.expires_at,
                    approve: invite.approve,
                },
                used: invite.used,
                revoked: invite.revoked,
                by: invite.by,
            })
            .collect()
    }

    /// Spaces in which a connected peer has proven its membership, and the person it belongs to.
    pub fn peer_spaces(&self, peer: &Peer) -> Vec<(SpaceId, MemberId)> {
        let Some(session) = self.sessions.get(peer) else {
            return Vec::new();
        };
        let proven = |(space, link): (&SpaceId, &super::session::Link)| {
            Some((*space, link.certified.filter(|_| link.member)?))
        };
        session.links.iter().filter_map(proven).collect()
    }
}
