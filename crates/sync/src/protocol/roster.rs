//! The fold of the control feeds: from the set of entries to members, rooms and invites.
//!
//! The fold is a pure function of the set. Entries are taken in the order of (position, hash), which never puts one
//! before what its writer had seen. An entry that takes rights away (removal, demotion, revocation) also reaches
//! entries *concurrent* to it: those beyond its cut are void. So the fold is repeated, each time with one more such
//! entry enforced, the strongest first: by its author's role, then the earlier admitted, then the order itself. Rank
//! is strict, only a strictly higher rank takes rights away, and so no two members void one another.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use artel_domain::{
    Control, Cut, DeviceCertificate, DeviceId, Envelope, Incarnation, InviteId, MemberId,
    MessageId, Permission, Role, RoomId, Signed, SpaceId,
};

use super::ledger::FeedKey;

/// Devices a member may have.
const MAX_DEVICES: usize = 16;

/// A settled control entry.
#[derive(Clone, Debug)]
struct Entry {
    id: MessageId,
    device: DeviceId,
    sequence: u64,
    incarnation: Incarnation,
    lamport: u64,
    /// None for what this version does not understand; it still has its place.
    control: Option<Control>,
    /// Member and device of the certificate that a founding or a join brings, if it is sound.
    joiner: Option<(MemberId, DeviceId)>,
    /// Index of its feed in clocks.
    feed: usize,
    /// For each feed, the last place that its writer had seen.
    clock: Vec<u64>,
}

impl Entry {
    /// Whether its writer had seen another.
    fn saw(&self, earlier: &Self) -> bool {
        self.clock
            .get(earlier.feed)
            .is_some_and(|place| *place >= earlier.sequence)
    }
}

/// The set of settled control entries of a space.
#[derive(Debug)]
pub(crate) struct ControlSet {
    space: SpaceId,
    owner: MemberId,
    entries: Vec<Entry>,
    index: HashMap<MessageId, usize>,
    feeds: BTreeMap<(DeviceId, Incarnation), usize>,
    known: BTreeMap<DeviceId, BTreeSet<MemberId>>,
    /// Whether a join's claim is sound before a witness; checking costs three signatures.
    claims: HashMap<(usize, MemberId), bool>,
}

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
    pub(crate) devices: Vec<DeviceId>,
    /// What of theirs counts, when not everything does.
    pub(crate) cuts: Option<Vec<Cut>>,
    /// The entry that removed them and the role of its author.
    removed: Option<(usize, Role)>,
    /// Invite they came by, where a seat is still to be taken.
    invite: Option<InviteId>,
}

impl Member {
    /// Whether a record of one of their feeds counts.
    pub(crate) fn accepts(&self, feed: &FeedKey, sequence: u64, id: &MessageId) -> bool {
        match (&self.cuts, self.state) {
            (_, MemberState::Pending) => false,
            (None, state) => state == MemberState::Member,
            (Some(cuts), _) => within(
                cuts,
                &feed.room,
                &feed.device,
                &feed.incarnation,
                sequence,
                id,
            ),
        }
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

    /// Whether there is such a room.
    pub(crate) fn has_room(&self, room: &RoomId) -> bool {
        self.rooms.iter().any(|r| r.id == *room)
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

/// What enforced entries do to one concurrent with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    Void,
    /// A join whose witness was removed: the joiner waits.
    Waits,
    /// Judged as if its author had at most this role.
    AtMost(Role),
}

/// What one pass found, with the rank of each act that took rights away.
struct Pass {
    roster: Roster,
    acts: BTreeMap<usize, (Role, std::cmp::Reverse<usize>)>,
}

impl ControlSet {
    /// An empty set.
    pub(crate) fn new(space: SpaceId, owner: MemberId) -> Self {
        Self {
            space,
            owner,
            entries: Vec::new(),
            index: HashMap::new(),
            feeds: BTreeMap::new(),
            known: BTreeMap::new(),
            claims: HashMap::new(),
        }
    }

    /// How many entries it has.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether some sound certificate in the set names this device. Grows with the set, never shrinks.
    pub(crate) fn knows(&self, device: &DeviceId) -> bool {
        self.known.contains_key(device)
    }

    /// Adds a settled entry. What it builds on must be in the set; then the order of adding does not matter.
    pub(crate) fn insert(&mut self, envelope: &Signed<Envelope>, control: Option<Control>) {
        let (id, value) = (envelope.id(), envelope.value());
        if self.index.contains_key(&id) {
            return;
        }
        let next = self.feeds.len();
        let feed = *self
            .feeds
            .entry((value.device, value.incarnation))
            .or_insert(next);
        let mut clock = vec![0; self.feeds.len()];
        for parent in value.parents.iter().chain(&value.previous) {
            let Some(entry) = self.index.get(parent).and_then(|i| self.entries.get(*i)) else {
                continue;
            };
            for (mine, theirs) in clock.iter_mut().zip(&entry.clock) {
                *mine = (*mine).max(*theirs);
            }
        }
        if let Some(own) = clock.get_mut(feed) {
            *own = (*own).max(value.sequence);
        }
        let certificate = match &control {
            Some(Control::Found { certificate, .. }) => Some(certificate),
            Some(Control::Join { claim, .. }) => Some(&claim.certificate),
            _ => None,
        };
        let joiner = certificate
            .and_then(|wire| Signed::<DeviceCertificate>::open(wire).ok())
            .map(|certificate| (certificate.value().member, certificate.value().device));
        let founds = matches!(control, Some(Control::Found { .. }));
        let sound = joiner.filter(|(member, device)| {
            !founds || (*member == self.owner && *device == value.device)
        });
        if let Some((member, device)) = sound {
            self.known.entry(device).or_default().insert(member);
        }
        self.index.insert(id, self.entries.len());
        self.entries.push(Entry {
            id,
            device: value.device,
            sequence: value.sequence,
            incarnation: value.incarnation,
            lamport: value.lamport,
            control,
            joiner: sound,
            feed,
            clock,
        });
    }

    /// Entries that no other names as seen: what the next entry builds on. At most `limit`, the latest.
    pub(crate) fn tips(&self, limit: usize) -> Vec<MessageId> {
        let mut seen = vec![0; self.feeds.len()];
        for entry in &self.entries {
            for (feed, (most, place)) in seen.iter_mut().zip(&entry.clock).enumerate() {
                let place = if feed == entry.feed {
                    entry.sequence.saturating_sub(1)
                } else {
                    *place
                };
                *most = place.max(*most);
            }
        }
        let unseen = |e: &&Entry| seen.get(e.feed).is_some_and(|most| e.sequence > *most);
        let mut tips: Vec<_> = self
            .entries
            .iter()
            .filter(unseen)
            .map(|e| (e.lamport, e.id))
            .collect();
        tips.sort_unstable_by(|a, b| b.cmp(a));
        tips.into_iter().take(limit).map(|(_, id)| id).collect()
    }

    /// Whether an invite leads a member in: always, unless they were removed and the invite is not newer than that.
    pub(crate) fn may_return(&self, roster: &Roster, member: &MemberId, invite: &InviteId) -> bool {
        let Some((removal, _)) = roster.member(member).and_then(|m| m.removed) else {
            return true;
        };
        let created = roster
            .invite(invite)
            .and_then(|i| self.entries.get(i.entry));
        matches!((created, self.entries.get(removal)), (Some(created), Some(removal)) if created.saw(removal))
    }

    fn claim_holds(&mut self, index: usize, witness: MemberId) -> bool {
        let Some(Entry {
            control: Some(Control::Join { claim, .. }),
            ..
        }) = self.entries.get(index)
        else {
            return false;
        };
        let space = self.space;
        *self
            .claims
            .entry((index, witness))
            .or_insert_with(|| claim.verify(&space, &witness).is_ok())
    }

    /// The fold.
    pub(crate) fn fold(&mut self) -> Roster {
        let mut order: Vec<usize> = (0..self.entries.len()).collect();
        order.sort_by_key(|i| self.entries.get(*i).map(|e| (e.lamport, e.id)));
        let mut enforced: Vec<usize> = Vec::new();
        let mut pass = self.pass(&order, &BTreeMap::new());
        // Each round enforces one act or drops some; the bound only guards against going round in circles, and
        // stops every peer at the same place.
        for _ in 0..=order.len() * 2 {
            let effects = self.effects(&enforced);
            pass = self.pass(&order, &effects);
            let before = enforced.len();
            enforced.retain(|i| pass.acts.contains_key(i));
            if enforced.len() != before {
                continue;
            }
            let next = pass
                .acts
                .iter()
                .filter(|(i, _)| !enforced.contains(i))
                .filter(|(i, _)| {
                    self.reach(**i)
                        .iter()
                        .any(|(j, effect)| adds(effects.get(j), *effect))
                })
                .max_by_key(|(i, rank)| {
                    (
                        **rank,
                        std::cmp::Reverse(self.entries.get(**i).map(|e| (e.lamport, e.id))),
                    )
                })
                .map(|(i, _)| *i);
            let Some(next) = next else { break };
            let reach = self.reach(next);
            enforced.retain(|i| !reach.contains(&(*i, Effect::Void)));
            enforced.push(next);
        }
        pass.roster
    }

    fn effects(&self, enforced: &[usize]) -> BTreeMap<usize, Effect> {
        let mut effects = BTreeMap::new();
        for (index, effect) in enforced.iter().flat_map(|i| self.reach(*i)) {
            let old = effects.get(&index).copied();
            if adds(old.as_ref(), effect) {
                effects.insert(index, effect);
            }
        }
        effects
    }

    /// What an act does to entries whose writers had not seen it.
    fn reach(&self, act: usize) -> Vec<(usize, Effect)> {
        let Some(entry) = self.entries.get(act) else {
            return Vec::new();
        };
        let unseeing = self
            .entries
            .iter()
            .enumerate()
            .filter(|(i, e)| *i != act && !e.saw(entry));
        let control_room = self.space.control_room();
        let beyond = |e: &Entry, member: &MemberId, cuts: &[Cut]| {
            self.known
                .get(&e.device)
                .is_some_and(|members| members.contains(member))
                && !within(
                    cuts,
                    &control_room,
                    &e.device,
                    &e.incarnation,
                    e.sequence,
                    &e.id,
                )
        };
        match &entry.control {
            Some(Control::Remove { member, cuts }) => unseeing
                .filter(|(_, e)| beyond(e, member, cuts))
                .map(|(i, e)| {
                    (i, if matches!(e.control, Some(Control::Join { .. })) { Effect::Waits } else { Effect::Void })
                })
                .collect(),
            Some(Control::SetRole { member, role, cuts }) => unseeing
                .filter(|(_, e)| beyond(e, member, cuts))
                .map(|(i, _)| (i, Effect::AtMost(*role)))
                .collect(),
            Some(Control::InviteRevoke { invite, keep }) => unseeing
                .filter(|(_, e)| {
                    matches!(&e.control, Some(Control::Join { claim, .. }) if claim.invite == *invite)
                        && !keep.contains(&e.id)
                })
                .map(|(i, _)| (i, Effect::Void))
                .collect(),
            _ => Vec::new(),
        }
    }

    fn pass(&mut self, order: &[usize], effects: &BTreeMap<usize, Effect>) -> Pass {
        let mut pass = Pass {
            roster: Roster::default(),
            acts: BTreeMap::new(),
        };
        for index in order {
            let effect = effects.get(index).copied();
            let Some(entry) = self.entries.get(*index) else {
                continue;
            };
            let Some(control) = entry.control.clone() else {
                continue;
            };
            if effect == Some(Effect::Void) {
                continue;
            }
            if let Control::Found { name, .. } = &control {
                if let (Some((member, device)), true) =
                    (entry.joiner, pass.roster.members.is_empty())
                {
                    pass.roster.members.push(Member::new(
                        member,
                        name,
                        Role::Owner,
                        MemberState::Member,
                        device,
                    ));
                }
                continue;
            }
            let Some(author) = pass.roster.of_device(&entry.device) else {
                continue;
            };
            if author.state != MemberState::Member && effect != Some(Effect::Waits) {
                continue;
            }
            let role = match effect {
                Some(Effect::AtMost(role)) => author.role.min(role),
                _ => author.role,
            };
            let author = author.id;
            if let Control::Join { claim, judged_at } = &control {
                if let (true, Some(joiner)) = (
                    self.claim_holds(*index, author),
                    entry_joiner(&self.entries, *index),
                ) {
                    let waits = effect == Some(Effect::Waits);
                    let act = JoinAct {
                        index: *index,
                        role,
                        joiner,
                        judged_at: *judged_at,
                        waits,
                    };
                    self.join(&mut pass.roster, &claim.name, &claim.invite, &act);
                }
                continue;
            }
            self.act(&mut pass, *index, author, role, control);
        }
        pass
    }

    fn join(&self, roster: &mut Roster, name: &str, invite: &InviteId, act: &JoinAct) {
        let Some(entry) = self.entries.get(act.index) else {
            return;
        };
        let (member, device) = act.joiner;
        if !act.role.may(Permission::Countersign)
            || roster.of_device(&device).is_some_and(|m| m.id != member)
        {
            return;
        }
        let Some(terms) = roster.invite(invite) else {
            return;
        };
        if terms.revoked || act.judged_at > terms.expires_at {
            return;
        }
        let seat = !act.waits && !terms.approve && terms.used < terms.seats;
        let (role, created) = (terms.role, terms.entry);
        let state = if seat {
            MemberState::Member
        } else {
            MemberState::Pending
        };
        match roster.member_mut(&member) {
            None => roster
                .members
                .push(Member::new(member, name, role, state, device)),
            Some(old) => {
                if old.state == MemberState::Removed {
                    let after = old
                        .removed
                        .and_then(|(i, _)| self.entries.get(i))
                        .is_some_and(|removal| {
                            entry.saw(removal)
                                && self.entries.get(created).is_some_and(|c| c.saw(removal))
                        });
                    if !after {
                        return;
                    }
                    (old.state, old.role, old.cuts, old.removed) = (state, role, None, None);
                    name.clone_into(&mut old.name);
                } else if old.devices.contains(&device) {
                    return;
                }
                if old.devices.len() < MAX_DEVICES && !old.devices.contains(&device) {
                    old.devices.push(device);
                }
                if old.state == MemberState::Member && !seat {
                    return;
                }
            }
        }
        if let Some(pending) = roster.member_mut(&member) {
            pending.invite = (!seat).then_some(*invite);
        }
        if let Some(terms) = roster.invite_mut(invite) {
            terms.used += u32::from(seat);
            terms.joins.push(entry.id);
        }
    }

    fn act(&self, pass: &mut Pass, index: usize, author: MemberId, role: Role, control: Control) {
        let Some(entry) = self.entries.get(index) else {
            return;
        };
        let roster = &mut pass.roster;
        let place = roster
            .members
            .iter()
            .position(|m| m.id == author)
            .unwrap_or(usize::MAX);
        let rank = (role, std::cmp::Reverse(place));
        let above = |roster: &Roster, target: &Member| {
            let other = roster
                .members
                .iter()
                .position(|m| m.id == target.id)
                .unwrap_or(usize::MAX);
            role > target.role
                || (role == Role::Owner && target.role == Role::Owner && place < other)
        };
        match control {
            Control::RoomCreate { nonce, name } if role.may(Permission::CreateRooms) => {
                let id = RoomId::derive(&self.space, &entry.device, &nonce);
                if !roster.has_room(&id) {
                    roster.rooms.push(Room { id, name });
                }
            }
            Control::InviteCreate {
                invite,
                role: into,
                seats,
                expires_at,
                approve,
            } if role.may(needed_to_invite(into)) && roster.invite(&invite).is_none() => {
                roster.invites.push(Invite {
                    id: invite,
                    role: into,
                    seats,
                    used: 0,
                    expires_at,
                    approve,
                    revoked: false,
                    by: author,
                    joins: Vec::new(),
                    entry: index,
                });
            }
            Control::InviteRevoke { invite, .. } => {
                if let Some(terms) = roster.invite_mut(&invite)
                    && !terms.revoked
                    && role.may(needed_to_invite(terms.role))
                {
                    terms.revoked = true;
                    pass.acts.insert(index, rank);
                }
            }
            Control::Admit { member } => {
                let Some(target) = roster.member_mut(&member) else {
                    return;
                };
                if target.state == MemberState::Pending && role.may(needed_to_invite(target.role)) {
                    target.state = MemberState::Member;
                    if let Some(terms) = target.invite.take().and_then(|i| roster.invite_mut(&i)) {
                        terms.used += 1;
                    }
                }
            }
            Control::Remove { member, cuts } => {
                let owners = roster.owners();
                let Some(target) = roster.member(&member) else {
                    return;
                };
                let leaves = member == author;
                let allowed = if leaves {
                    target.role != Role::Owner || owners > 1
                } else {
                    role.may(needed(target.role)) && above(roster, target)
                };
                if !allowed {
                    return;
                }
                let Some(target) = roster.member_mut(&member) else {
                    return;
                };
                match (target.state, target.removed, &mut target.cuts) {
                    (MemberState::Removed, Some((_, by)), _) if by > role => {}
                    (MemberState::Removed, Some((_, by)), Some(old)) if by == role => {
                        *old = common(old, &cuts);
                    }
                    _ => {
                        target.state = MemberState::Removed;
                        target.cuts = Some(cuts);
                        target.removed = Some((index, role));
                    }
                }
                if !leaves {
                    pass.acts.insert(index, rank);
                }
            }
            Control::SetRole {
                member,
                role: new,
                cuts,
            } => {
                let owners = roster.owners();
                let Some(target) = roster.member(&member) else {
                    return;
                };
                let old = target.role;
                let allowed = if member == author {
                    new < role && (old != Role::Owner || owners > 1)
                } else {
                    above(roster, target) && role.may(needed(old)) && role.may(needed(new))
                };
                if !allowed || target.state == MemberState::Removed {
                    return;
                }
                let Some(target) = roster.member_mut(&member) else {
                    return;
                };
                target.role = new;
                target.cuts = (!new.may(Permission::Write)).then_some(cuts);
                if new < old && member != author {
                    pass.acts.insert(index, rank);
                }
            }
            _ => {}
        }
    }
}

struct JoinAct {
    index: usize,
    role: Role,
    joiner: (MemberId, DeviceId),
    judged_at: i64,
    waits: bool,
}

fn entry_joiner(entries: &[Entry], index: usize) -> Option<(MemberId, DeviceId)> {
    entries.get(index).and_then(|e| e.joiner)
}

/// Whether an effect says more than what is there already.
fn adds(old: Option<&Effect>, new: Effect) -> bool {
    match (old, new) {
        (None, _) | (Some(Effect::AtMost(_)), Effect::Void | Effect::Waits) => true,
        (Some(Effect::Void), _) => false,
        (Some(Effect::Waits), new) => new == Effect::Void,
        (Some(Effect::AtMost(old)), Effect::AtMost(new)) => new < *old,
    }
}

/// What both lists of cuts accept.
fn common(a: &[Cut], b: &[Cut]) -> Vec<Cut> {
    let same =
        |x: &Cut, y: &Cut| (x.room, x.device, x.incarnation) == (y.room, y.device, y.incarnation);
    a.iter()
        .filter_map(|x| {
            b.iter()
                .find(|y| same(x, y))
                .map(|y| if y.sequence < x.sequence { *y } else { *x })
        })
        .collect()
}

impl Member {
    fn new(id: MemberId, name: &str, role: Role, state: MemberState, device: DeviceId) -> Self {
        Self {
            id,
            name: name.to_owned(),
            role,
            state,
            devices: vec![device],
            cuts: (!role.may(Permission::Write)).then(Vec::new),
            removed: None,
            invite: None,
        }
    }
}
