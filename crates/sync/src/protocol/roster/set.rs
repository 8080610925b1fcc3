//! The set of settled control entries, and who had seen what.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use artel_domain::{
    Control, DeviceCertificate, DeviceId, Envelope, Incarnation, InviteId, MemberId, MessageId,
    Signed, SpaceId, limits::MAX_CONTROL_FEED,
};

use super::Roster;

/// A settled control entry.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) id: MessageId,
    pub(super) device: DeviceId,
    pub(super) sequence: u64,
    pub(super) incarnation: Incarnation,
    pub(super) lamport: u64,
    /// None for what this version does not understand; it still has its place.
    pub(super) control: Option<Control>,
    /// Member and device of the certificate that a founding or a join brings, if it is sound.
    pub(super) joiner: Option<(MemberId, DeviceId)>,
    /// Index of its branch in clocks; a feed has one, except in a copied profile.
    pub(super) branch: usize,
    /// For each branch, the last place that its writer had seen. Places are at most [`MAX_CONTROL_FEED`].
    pub(super) clock: Vec<u16>,
}

/// A feed, or a branch of one.
#[derive(Clone, Copy, Debug)]
struct Branch {
    /// Its last place.
    end: u64,
    /// The branch that it left, and the last place that they have in common.
    from: Option<(usize, u64)>,
}

impl Entry {
    /// Whether its writer had seen another.
    pub(super) fn saw(&self, earlier: &Self) -> bool {
        self.clock
            .get(earlier.branch)
            .is_some_and(|place| u64::from(*place) >= earlier.sequence)
    }

    /// The member whose device its writer says it is, if it is the writer's word for itself.
    pub(super) fn enrols_itself(&self) -> Option<MemberId> {
        match (&self.control, self.joiner) {
            (Some(Control::Enrol { .. }), Some((member, device))) if device == self.device => {
                Some(member)
            }
            _ => None,
        }
    }
}

/// The set of settled control entries of a space.
#[derive(Debug)]
pub(crate) struct ControlSet {
    pub(super) space: SpaceId,
    owner: MemberId,
    pub(super) entries: Vec<Entry>,
    index: HashMap<MessageId, usize>,
    branches: Vec<Branch>,
    /// Whose each device is or was in some pass of the last fold.
    pub(super) known: BTreeMap<DeviceId, BTreeSet<MemberId>>,
    /// Whether a join's claim is sound before a witness; checking costs three signatures.
    claims: HashMap<(usize, MemberId), bool>,
    /// Entries that took rights away, as the last fold had it.
    pub(super) taken: BTreeSet<usize>,
    /// Feeds of which nobody can hold everything: they count for nothing.
    left_out: BTreeSet<(DeviceId, Incarnation)>,
}

impl ControlSet {
    /// An empty set.
    pub(crate) fn new(space: SpaceId, owner: MemberId) -> Self {
        Self {
            space,
            owner,
            entries: Vec::new(),
            index: HashMap::new(),
            branches: Vec::new(),
            known: BTreeMap::new(),
            claims: HashMap::new(),
            taken: BTreeSet::new(),
            left_out: BTreeSet::new(),
        }
    }

    /// Leaves feeds out of the fold, from the next one on. Only their founding counts.
    pub(crate) fn leave_out(&mut self, feeds: BTreeSet<(DeviceId, Incarnation)>) {
        self.left_out = feeds;
    }

    pub(super) fn is_left_out(&self, entry: &Entry) -> bool {
        self.left_out.contains(&(entry.device, entry.incarnation))
    }

    /// How many entries it has.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether an entry is this later one of its feed, or one that it follows from.
    pub(super) fn leads_to(&self, entry: &Entry, later: &MessageId) -> bool {
        let Some(later) = self.index.get(later).and_then(|i| self.entries.get(*i)) else {
            return false;
        };
        let mut at = Some((later.branch, later.sequence));
        while let Some((branch, sequence)) = at {
            if branch == entry.branch {
                return entry.sequence <= sequence;
            }
            at = self.branches.get(branch).and_then(|branch| branch.from);
        }
        false
    }

    /// The branch that an entry goes on, or a new one that it begins.
    fn branch_of(&mut self, value: &Envelope) -> usize {
        let before = value.previous.and_then(|id| self.index.get(&id));
        let from = before
            .and_then(|i| self.entries.get(*i))
            .map(|entry| (entry.branch, entry.sequence));
        if let Some((branch, sequence)) = from
            && let Some(known) = self.branches.get_mut(branch)
            && known.end == sequence
        {
            known.end = value.sequence;
            return branch;
        }
        self.branches.push(Branch {
            end: value.sequence,
            from,
        });
        self.branches.len() - 1
    }

    /// Adds a settled entry. What it builds on must be in the set; then the order of adding does not matter.
    pub(crate) fn insert(&mut self, envelope: &Signed<Envelope>, control: Option<Control>) {
        let (id, value) = (envelope.id(), envelope.value());
        if self.index.contains_key(&id) {
            return;
        }
        if value.sequence > MAX_CONTROL_FEED {
            return;
        }
        let branch = self.branch_of(value);
        let mut clock = vec![0; self.branches.len()];
        for parent in value.parents.iter().chain(&value.previous) {
            let Some(entry) = self.index.get(parent).and_then(|i| self.entries.get(*i)) else {
                continue;
            };
            for (mine, theirs) in clock.iter_mut().zip(&entry.clock) {
                *mine = (*mine).max(*theirs);
            }
        }
        if let Some(own) = clock.get_mut(branch) {
            *own = u16::try_from(value.sequence).unwrap_or(u16::MAX);
        }
        let certificate = match &control {
            Some(Control::Found { certificate, .. } | Control::Enrol { certificate }) => {
                Some(certificate)
            }
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
        self.index.insert(id, self.entries.len());
        self.entries.push(Entry {
            id,
            device: value.device,
            sequence: value.sequence,
            incarnation: value.incarnation,
            lamport: value.lamport,
            control,
            joiner: sound,
            branch,
            clock,
        });
    }

    /// Entries that no other names as seen: what the next entry builds on. Those that took rights away come first, then
    /// the latest; for what the next entry may do counts which of the former its writer had seen. What is left out is
    /// not built on, nor what comes from a device that does not count: others may not hold it.
    pub(crate) fn tips(&self, counts: impl Fn(&DeviceId) -> bool) -> Vec<MessageId> {
        let tips = self.ranked_tips(counts).into_iter();
        tips.map(|(.., id)| id).collect()
    }

    /// How many of the tips took rights away.
    pub(crate) fn taking_tips(&self, counts: impl Fn(&DeviceId) -> bool) -> usize {
        let taking = |(taken, ..): &(bool, u64, MessageId)| *taken;
        self.ranked_tips(counts).into_iter().filter(taking).count()
    }

    fn ranked_tips(&self, counts: impl Fn(&DeviceId) -> bool) -> Vec<(bool, u64, MessageId)> {
        let all = self.entries.iter().enumerate();
        let counted: Vec<_> = all
            .filter(|(_, e)| !self.is_left_out(e) && counts(&e.device))
            .collect();
        let mut seen = vec![0_u16; self.branches.len()];
        for (_, entry) in &counted {
            for (branch, (most, place)) in seen.iter_mut().zip(&entry.clock).enumerate() {
                // An entry saw itself, but that is not what makes it no tip.
                let own = u16::from(branch == entry.branch);
                *most = place.saturating_sub(own).max(*most);
            }
        }
        let unseen = |e: &Entry| {
            seen.get(e.branch)
                .is_some_and(|most| e.sequence > u64::from(*most))
        };
        let mut tips: Vec<_> = counted
            .into_iter()
            .filter(|(_, entry)| unseen(entry))
            .map(|(i, e)| (self.taken.contains(&i), e.lamport, e.id))
            .collect();
        tips.sort_unstable_by(|a, b| b.cmp(a));
        tips
    }

    /// Whether an invite leads a member in: always, unless they were removed and the invite is not newer than that.
    pub(crate) fn may_return(&self, roster: &Roster, member: &MemberId, invite: &InviteId) -> bool {
        let Some(member) = roster.member(member) else {
            return true;
        };
        let Some((removal, _)) = member.removed else {
            return true;
        };
        if member.barred || member.erased {
            return false;
        }
        let created = roster
            .invite(invite)
            .and_then(|i| self.entries.get(i.entry));
        matches!((created, self.entries.get(removal)), (Some(created), Some(removal)) if created.saw(removal))
    }

    pub(super) fn claim_holds(&mut self, index: usize, witness: MemberId) -> bool {
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
}
