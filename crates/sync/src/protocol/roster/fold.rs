//! The fold itself: passes over the entries, each with one more act enforced.

use std::{cmp::Reverse, collections::BTreeMap};

use artel_domain::{
    Audience, Control, Cut, DeviceId, InviteId, MemberId, MessageId, Permission, Role, RoomId,
    SecretHash,
};

use super::{
    ControlSet, Epoch, Invite, Member, MemberState, PageOf, Room, Roster, Setting, needed,
    needed_to_invite, ranks_above, set::Entry,
};

/// What enforced entries do to one concurrent with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    Void,
    /// A join whose witness was removed: the joiner waits.
    Waits,
    /// Judged as if its author had at most this role.
    AtMost(Role),
}

/// An author's rank: the role, then the place among the members.
type Rank = (Role, Reverse<usize>);

/// Where an entry stands among its equals in rank: the first in the order is the strongest.
type Strength = (Rank, Reverse<Option<(u64, MessageId)>>);

/// What one pass found, with the rank of each act that took rights away.
struct Pass {
    roster: Roster,
    acts: BTreeMap<usize, Rank>,
    claims: BTreeMap<usize, Claim>,
    /// Entries that began an epoch, with the hashes of the secrets.
    epochs: Vec<(usize, SecretHash)>,
}

/// What an entry says of a member or a policy, where its author has the right to it as far as the entry had seen. Others
/// may say otherwise at the same time.
#[derive(Clone, Copy)]
struct Claim {
    author: MemberId,
    rank: Rank,
    about: About,
    says: Says,
}

/// What a claim is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    Member(MemberId),
    /// The policy of this number.
    Policy(u16),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Says {
    Out,
    In,
    MayReturn,
    Role,
    Retired(DeviceId),
    /// The value of a policy.
    Value,
}

impl Claim {
    /// Whether its author ranks strictly above another's.
    fn above(&self, other: &Self) -> bool {
        let ((role, Reverse(place)), (theirs, Reverse(below))) = (self.rank, other.rank);
        ranks_above((role, place), (theirs, below))
    }

    /// Whether both cannot stand when neither writer had seen the other. What one author says is in order, and lists
    /// of cuts are joined.
    fn contradicts(&self, other: &Self) -> bool {
        let level = !self.above(other) && !other.above(self);
        self.about == other.about
            && self.author != other.author
            && match (self.says, other.says) {
                (Says::Role, Says::Role)
                | (Says::Value, Says::Value)
                | (Says::Out, Says::Role | Says::In | Says::MayReturn)
                | (Says::Role | Says::In | Says::MayReturn, Says::Out) => true,
                (Says::Role, Says::In) | (Says::In, Says::Role) => !level,
                (Says::Out, Says::Out) => self.rank.0 != other.rank.0,
                (Says::Retired(one), Says::Retired(two)) => {
                    one == two && self.rank.0 != other.rank.0
                }
                _ => false,
            }
    }
}

impl ControlSet {
    /// The fold.
    pub(crate) fn fold(&mut self) -> Roster {
        let founds = |entry: &Entry| matches!(entry.control, Some(Control::Found { .. }));
        let all = self.entries.iter().enumerate();
        let mut order: Vec<usize> = all
            .filter(|(_, entry)| !self.is_left_out(entry) || founds(entry))
            .map(|(index, _)| index)
            .collect();
        self.known.clear();
        order.sort_by_key(|i| self.entries.get(*i).map(|e| (e.lamport, e.id)));
        let mut enforced: Vec<usize> = Vec::new();
        let mut overruled: Vec<Overruled> = Vec::new();
        let mut pass = self.pass(&order, &BTreeMap::new());
        // Each round enforces one act, decides one contest or drops some; the bound only guards against going round in
        // circles, and stops every peer at the same place.
        for _ in 0..=order.len() * 2 {
            let effects = self.effects(&enforced, &overruled);
            pass = self.pass(&order, &effects);
            let before = (enforced.len(), overruled.len());
            enforced.retain(|i| pass.acts.contains_key(i));
            overruled.retain(|o| pass.claims.get(&o.by).is_some_and(|c| c.rank == o.rank));
            if (enforced.len(), overruled.len()) != before {
                continue;
            }
            let contest = self.contest(&pass);
            let next = pass
                .acts
                .iter()
                .filter(|(i, _)| !enforced.contains(i))
                .filter(|(i, _)| {
                    self.reach(**i)
                        .iter()
                        .any(|(j, effect)| adds(effects.get(j), *effect))
                })
                .map(|(i, rank)| (self.strength(*i, *rank), *i))
                .max();
            if let Some((rank, decided)) = contest
                && next.is_none_or(|((other, _), _)| rank >= other)
            {
                overruled.extend(decided);
                continue;
            }
            let Some((_, next)) = next else { break };
            let reach = self.reach(next);
            enforced.retain(|i| !reach.contains(&(*i, Effect::Void)));
            enforced.push(next);
        }
        let Pass {
            mut roster,
            epochs,
            acts,
            ..
        } = pass;
        let left = roster.members.iter().filter_map(|member| member.removed);
        self.taken = acts.into_keys().chain(left.map(|(i, _)| i)).collect();
        roster.epochs = self.latest(&epochs);
        roster
    }

    fn strength(&self, index: usize, rank: Rank) -> Strength {
        let at = self.entries.get(index).map(|e| (e.lamport, e.id));
        (rank, Reverse(at))
    }

    /// The strongest claim that others contradict, none of whose writers had seen the other, and what it overrules.
    /// Between equals, a hash over both entries decides, from the first in the order on.
    fn contest(&self, pass: &Pass) -> Option<(Rank, Vec<Overruled>)> {
        let mut by_strength: Vec<(usize, &Claim)> =
            pass.claims.iter().map(|(i, c)| (*i, c)).collect();
        by_strength.sort_by_key(|(i, claim)| Reverse(self.strength(*i, claim.rank)));
        let contested = |(i, one): &(usize, &Claim), (j, two): &(usize, &Claim)| {
            one.contradicts(two)
                && matches!((self.entries.get(*i), self.entries.get(*j)), (Some(a), Some(b)) if !a.saw(b) && !b.saw(a))
        };
        // What members say of themselves holds against nobody.
        let of_another = |(_, claim): &&(usize, &Claim)| claim.about != About::Member(claim.author);
        for (place, first) in by_strength.iter().enumerate() {
            if !of_another(&first) {
                continue;
            }
            let weaker = by_strength.get(place + 1..).unwrap_or_default().iter();
            let mut best = first;
            for other in weaker.filter(|other| of_another(other) && !first.1.above(other.1)) {
                if contested(best, other) && self.tie(best.0, other.0) == other.0 {
                    best = other;
                }
            }
            let overruled: Vec<Overruled> = by_strength
                .iter()
                .filter(|other| !other.1.above(best.1) && contested(best, other))
                .map(|(entry, _)| Overruled {
                    by: best.0,
                    rank: best.1.rank,
                    entry: *entry,
                })
                .collect();
            if !overruled.is_empty() {
                return Some((best.1.rank, overruled));
            }
        }
        None
    }

    /// Which of two entries of equal rank stands. Neither can be chosen against the other beforehand.
    fn tie(&self, one: usize, two: usize) -> usize {
        let id = |index: usize| self.entries.get(index).map(|e| e.id);
        let (low, high) = if id(one) <= id(two) {
            (one, two)
        } else {
            (two, one)
        };
        let mut hasher = blake3::Hasher::new_derive_key("artel 2026-11 tie");
        for id in [low, high].into_iter().filter_map(id) {
            hasher.update(id.as_bytes());
        }
        let odd = hasher
            .finalize()
            .as_bytes()
            .first()
            .is_some_and(|b| b & 1 == 1);
        if odd { high } else { low }
    }

    /// The role of a member as far as an entry had seen.
    fn role_seen(&self, entry: &Entry, member: &Member) -> Role {
        let seen = |i: &usize| self.entries.get(*i).is_some_and(|e| entry.saw(e));
        let last = member.roles.iter().rev().find(|(i, _)| seen(i));
        last.map_or(member.role, |(_, role)| *role)
    }

    /// Whether what an entry says of a member rests on a removal that it had seen.
    fn saw_removal(&self, entry: &Entry, member: &Member) -> bool {
        let removal = member.removed.and_then(|(i, _)| self.entries.get(i));
        removal.is_some_and(|removal| entry.saw(removal))
    }

    /// The epochs whose beginning no other one's writer had seen.
    fn latest(&self, epochs: &[(usize, SecretHash)]) -> Vec<Epoch> {
        let seen = |entry: &Entry| {
            epochs
                .iter()
                .filter_map(|(i, _)| self.entries.get(*i))
                .any(|other| other.id != entry.id && other.saw(entry))
        };
        epochs
            .iter()
            .filter_map(|(i, hash)| Some((self.entries.get(*i)?, *hash)))
            .filter(|(entry, _)| !seen(entry))
            .map(|(entry, hash)| Epoch {
                entry: entry.id,
                hash,
            })
            .collect()
    }

    fn effects(&self, enforced: &[usize], overruled: &[Overruled]) -> BTreeMap<usize, Effect> {
        let void = overruled.iter().map(|o| (o.entry, Effect::Void));
        let mut effects: BTreeMap<usize, Effect> = void.collect();
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
                && !cuts.iter().any(|cut| {
                    cut.room == control_room
                        && cut.device == e.device
                        && cut.incarnation == e.incarnation
                        && self.leads_to(e, &cut.last)
                })
        };
        match &entry.control {
            Some(Control::Remove { member, cuts, .. }) => unseeing
                .filter(|(_, e)| beyond(e, member, cuts))
                .map(|(i, e)| (i, undone(e)))
                .collect(),
            Some(Control::RetireDevice {
                member,
                device,
                cuts,
                ..
            }) => unseeing
                .filter(|(_, e)| {
                    if e.device == *device {
                        beyond(e, member, cuts)
                    } else {
                        // Whoever holds the retired device holds the member's key as well, and could certify another.
                        e.enrols_itself() == Some(*member) && !entry.saw(e)
                    }
                })
                .map(|(i, e)| (i, undone(e)))
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
            claims: BTreeMap::new(),
            epochs: Vec::new(),
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
            if let Control::Found { name, epoch, .. } = &control {
                if let (Some((member, device)), true) =
                    (entry.joiner, pass.roster.members.is_empty())
                {
                    pass.epochs.push((*index, *epoch));
                    let state = MemberState::Member;
                    let mut founder =
                        Member::new(member, name, Role::Owner, state, device, i64::MIN);
                    founder.roles.push((*index, Role::Owner));
                    pass.roster.members.push(founder);
                    pass.roster.direct = Some(Room {
                        id: self.space.direct_room(),
                        name: String::new(),
                        audience: Audience::All,
                        page: None,
                    });
                }
                continue;
            }
            let Some(author) = pass.roster.of_device(&entry.device) else {
                if let Some(member) = entry.enrols_itself()
                    && pass.roster.may_enrol_itself(&member, &entry.device)
                    && let Some(member) = pass.roster.member_mut(&member)
                {
                    member.devices.push(entry.device);
                }
                continue;
            };
            let out =
                author.state != MemberState::Member || author.retired.contains_key(&entry.device);
            if out && effect != Some(Effect::Waits) {
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
        for member in &pass.roster.members {
            for device in &member.devices {
                self.known.entry(*device).or_default().insert(member.id);
            }
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
            None => {
                let joined = act.judged_at;
                let mut new = Member::new(member, name, role, state, device, joined);
                new.roles.push((act.index, role));
                roster.members.push(new);
            }
            Some(old) => {
                if old.retired.contains_key(&device) {
                    return;
                }
                if old.state == MemberState::Removed {
                    let after = !old.barred
                        && !old.erased
                        && old
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
                    old.roles.push((act.index, role));
                    name.clone_into(&mut old.name);
                } else if old.state == MemberState::Pending && seat {
                    // Another invite leads further than the one by which they wait.
                    (old.state, old.role) = (state, role);
                    old.roles.push((act.index, role));
                } else if old.devices.contains(&device) {
                    return;
                }
                if old.has_place_for(&device) {
                    old.devices.push(device);
                }
                if old.state == MemberState::Member && !seat {
                    return;
                }
            }
        }
        if let Some(pending) = roster.member_mut(&member) {
            pending.invite = (!seat).then_some((*invite, entry.id));
        }
        if let Some(terms) = roster.invite_mut(invite).filter(|_| seat) {
            terms.used += 1;
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
        let rank = (role, Reverse(place));
        let above_one_of = |roster: &Roster, target: &Member, theirs: Role| {
            let other = roster
                .members
                .iter()
                .position(|m| m.id == target.id)
                .unwrap_or(usize::MAX);
            ranks_above((role, place), (theirs, other))
        };
        let above = |roster: &Roster, target: &Member| above_one_of(roster, target, target.role);
        // What others say at the same time is left out: which of them stands is decided by rank.
        let claimed = |roster: &Roster, target: &Member| {
            let seen = self.role_seen(entry, target);
            role.may(needed(seen)) && above_one_of(roster, target, seen)
        };
        let claim = |target: MemberId, says: Says| Claim {
            author,
            rank,
            about: About::Member(target),
            says,
        };
        match control {
            Control::RoomCreate {
                nonce,
                name,
                audience,
            } if role.may(Permission::CreateRooms) => {
                let id = RoomId::derive(&self.space, &entry.device, &nonce);
                if !roster.has_room(&id) {
                    roster.rooms.push(Room {
                        id,
                        name,
                        audience,
                        page: None,
                    });
                }
            }
            Control::PageOpen {
                nonce,
                room,
                students,
            } if role.may(Permission::EditPages) => {
                let id = RoomId::derive(&self.space, &entry.device, &nonce);
                let of = roster
                    .rooms
                    .iter()
                    .find(|of| of.id == room)
                    .filter(|of| of.page.is_none() && of.audience.admits(&author, role));
                if let (Some(of), false) = (of, roster.has_room(&id)) {
                    let page = Room {
                        id,
                        name: of.name.clone(),
                        audience: of.audience.clone(),
                        page: Some(PageOf { room, students }),
                    };
                    roster.rooms.push(page);
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
            Control::Enrol { .. } if role.may(Permission::Countersign) => {
                let Some((member, device)) = entry.joiner else {
                    return;
                };
                if roster.of_device(&device).is_none()
                    && let Some(target) = roster.member_mut(&member)
                    && target.state == MemberState::Member
                    && target.has_place_for(&device)
                {
                    target.devices.push(device);
                }
            }
            Control::Admit { member } => {
                let Some(target) = roster.member_mut(&member) else {
                    return;
                };
                let waited = match target.state {
                    MemberState::Pending => true,
                    MemberState::Member => target
                        .admitted
                        .and_then(|i| self.entries.get(i))
                        .is_some_and(|other| !entry.saw(other)),
                    MemberState::Removed => {
                        target.invite.is_some() && !self.saw_removal(entry, target)
                    }
                };
                if waited && role.may(needed_to_invite(self.role_seen(entry, target))) {
                    pass.claims.insert(index, claim(member, Says::In));
                }
                if target.state == MemberState::Pending && role.may(needed_to_invite(target.role)) {
                    target.state = MemberState::Member;
                    target.admitted = Some(index);
                    if let Some((invite, join)) = target.invite.take()
                        && let Some(terms) = roster.invite_mut(&invite)
                    {
                        terms.used += 1;
                        terms.joins.push(join);
                    }
                }
            }
            Control::Remove {
                member,
                cuts,
                barred,
                epoch,
            } => {
                let owners = roster.owners();
                let Some(target) = roster.member(&member) else {
                    return;
                };
                let leaves = member == author;
                if !leaves && claimed(roster, target) {
                    pass.claims.insert(index, claim(member, Says::Out));
                }
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
                    if barred {
                        target.bars.push(index);
                    }
                    target.barred |= barred;
                    pass.acts.insert(index, rank);
                    pass.epochs.extend(epoch.map(|hash| (index, hash)));
                }
            }
            Control::EraseMember { member } => {
                let Some(target) = roster.member(&member) else {
                    return;
                };
                let allowed = role.may(needed(target.role)) && above(roster, target);
                if allowed
                    && let Some(target) = roster.member_mut(&member)
                    && target.state == MemberState::Removed
                {
                    target.erased = true;
                    target.name.clear();
                }
            }
            Control::Unbar { member } => {
                let Some(target) = roster.member_mut(&member) else {
                    return;
                };
                // A bar that the writer had not seen stays.
                let lifts = |i: &usize| self.entries.get(*i).is_some_and(|bar| entry.saw(bar));
                if role.may(needed(target.role)) && target.bars.iter().any(lifts) {
                    target.bars.retain(|i| !lifts(i));
                    target.barred = !target.bars.is_empty();
                    pass.claims.insert(index, claim(member, Says::MayReturn));
                }
            }
            Control::RetireDevice {
                member,
                device,
                cuts,
                epoch,
            } => {
                let Some(target) = roster.member(&member) else {
                    return;
                };
                let allowed =
                    member == author || (role.may(needed(target.role)) && above(roster, target));
                if !allowed || !target.devices.contains(&device) {
                    return;
                }
                pass.claims
                    .insert(index, claim(member, Says::Retired(device)));
                let Some(target) = roster.member_mut(&member) else {
                    return;
                };
                target
                    .retired
                    .entry(device)
                    .and_modify(|old| *old = common(old, &cuts))
                    .or_insert(cuts);
                pass.acts.insert(index, rank);
                pass.epochs.push((index, epoch));
            }
            Control::SetPolicy(policy) if role.may(Permission::SetPolicy) => {
                let key = policy.number();
                let claim = Claim {
                    author,
                    rank,
                    about: About::Policy(key),
                    says: Says::Value,
                };
                pass.claims.insert(index, claim);
                let set = Setting {
                    policy,
                    by: author,
                    entry: entry.id,
                };
                roster.policies.insert(key, set);
            }
            Control::Rotate { epoch } if role.may(Permission::NameTeachers) => {
                pass.epochs.push((index, epoch));
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
                let own = member == author;
                let allowed = if own {
                    new < role && (old != Role::Owner || owners > 1)
                } else {
                    above(roster, target) && role.may(needed(old)) && role.may(needed(new))
                };
                let out = target.state == MemberState::Removed && self.saw_removal(entry, target);
                let meant = if own {
                    allowed
                } else {
                    claimed(roster, target) && role.may(needed(new))
                };
                if meant && !out {
                    pass.claims.insert(index, claim(member, Says::Role));
                }
                if !allowed || target.state == MemberState::Removed {
                    return;
                }
                let Some(target) = roster.member_mut(&member) else {
                    return;
                };
                target.role = new;
                target.roles.push((index, new));
                if new != old {
                    target.past.push((old, cuts));
                }
                if new < old && member != author {
                    pass.acts.insert(index, rank);
                }
            }
            _ => {}
        }
    }
}

/// An entry that another one of at least its rank contradicts.
struct Overruled {
    by: usize,
    /// The other's rank when that was decided; at another rank it is decided anew.
    rank: Rank,
    entry: usize,
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

/// What becomes of an entry whose author had lost the right to it: a join waits for another's word, the rest is void.
fn undone(entry: &Entry) -> Effect {
    if matches!(entry.control, Some(Control::Join { .. })) {
        Effect::Waits
    } else {
        Effect::Void
    }
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
