//! The fold of the control feeds: who may do what, and that only the set of entries matters.

use artel_domain::{
    Audience, BodyHash, ChangeHash, Control, Cut, DeviceCertificate, DeviceKey, Envelope, History,
    Incarnation, InviteCode, InviteKey, JoinClaim, MemberKey, MessageId, Policy, Role, SecretHash,
    Signed, SpaceId, SpaceSecret,
};
use proptest::prelude::*;

use super::super::{
    MemberState,
    roster::{ControlSet, Roster},
};

const FOREVER: i64 = i64::MAX;

fn space() -> SpaceId {
    SpaceId::from_bytes([42; 32])
}

struct Person {
    member: MemberKey,
    device: DeviceKey,
    certificate: Signed<DeviceCertificate>,
}

fn person(n: u8) -> Person {
    let (member, device) = (
        MemberKey::from_bytes(&[n; 32]),
        DeviceKey::from_bytes(&[n + 100; 32]),
    );
    let certificate = Signed::issue(&member, &device).unwrap();
    Person {
        member,
        device,
        certificate,
    }
}

type Written = (Signed<Envelope>, Control);

/// What one writer has seen; merging two is meeting.
#[derive(Clone, Default)]
struct Seen(Vec<Written>);

impl Seen {
    fn set(&self) -> ControlSet {
        let mut set = ControlSet::new(space(), person(1).member.id());
        self.0
            .iter()
            .for_each(|(envelope, control)| set.insert(envelope, Some(control.clone())));
        set
    }

    fn roster(&self) -> Roster {
        self.set().fold()
    }

    fn merge(&mut self, other: &Self) {
        for entry in &other.0 {
            if !self
                .0
                .iter()
                .any(|(envelope, _)| envelope.id() == entry.0.id())
            {
                self.0.push(entry.clone());
            }
        }
    }

    fn write(&mut self, by: &Person, control: Control) -> MessageId {
        let own = self
            .0
            .iter()
            .filter(|(e, _)| e.value().device == by.device.id())
            .max_by_key(|(e, _)| e.value().sequence);
        let previous = own.map(|(e, _)| e.id());
        let sequence = own.map_or(1, |(e, _)| e.value().sequence + 1);
        let mut set = self.set();
        set.fold();
        let mut parents = set.tips(|_| true);
        parents.retain(|id| Some(*id) != previous);
        parents.truncate(8);
        parents.sort_unstable();
        let lamport = self
            .0
            .iter()
            .map(|(e, _)| e.value().lamport)
            .max()
            .unwrap_or(0)
            + 1;
        let salt = blake3::hash(format!("{control:?}").as_bytes());
        let envelope = Envelope {
            space: space(),
            room: space().control_room(),
            device: by.device.id(),
            incarnation: Incarnation::from_bytes([1; 16]),
            sequence,
            previous,
            parents,
            lamport,
            body: BodyHash::from_bytes(*salt.as_bytes()),
            change: ChangeHash::from_bytes([0; 32]),
        };
        let envelope = Signed::seal(envelope, &by.device).unwrap();
        let id = envelope.id();
        self.0.push((envelope, control));
        id
    }

    fn found() -> Self {
        let mut seen = Self::default();
        let owner = person(1);
        seen.write(
            &owner,
            Control::Found {
                certificate: owner.certificate.wire().to_vec(),
                name: "owner".into(),
                epoch: secret(0),
            },
        );
        seen.write(&owner, open(1, Role::Student, 100, false));
        seen
    }

    fn join(&mut self, joiner: &Person, witness: &Person, seed: u8, judged_at: i64) -> MessageId {
        let key = invite(seed);
        let claim = JoinClaim::new(
            &space(),
            &joiner.certificate,
            "someone",
            &key,
            &witness.member.id(),
        );
        self.write(witness, Control::Join { claim, judged_at })
    }

    /// Everything of a person that this writer has seen.
    fn cuts(&self, of: &Person) -> Vec<Cut> {
        let own = self
            .0
            .iter()
            .filter(|(e, _)| e.value().device == of.device.id())
            .max_by_key(|(e, _)| e.value().sequence);
        own.map(|(e, _)| Cut {
            room: space().control_room(),
            device: of.device.id(),
            incarnation: e.value().incarnation,
            sequence: e.value().sequence,
            last: e.id(),
        })
        .into_iter()
        .collect()
    }

    fn remove(&mut self, by: &Person, whom: &Person) -> MessageId {
        let cuts = self.cuts(whom);
        self.write(
            by,
            Control::Remove {
                member: whom.member.id(),
                cuts,
                barred: false,
                epoch: Some(secret(1)),
            },
        )
    }

    fn retire(&mut self, by: &Person, whom: &Person) -> MessageId {
        let cuts = self.cuts(whom);
        self.write(
            by,
            Control::RetireDevice {
                member: whom.member.id(),
                device: whom.device.id(),
                cuts,
                epoch: secret(2),
            },
        )
    }

    fn promote(&mut self, by: &Person, whom: &Person, role: Role) -> MessageId {
        let cuts = self.cuts(whom);
        self.write(
            by,
            Control::SetRole {
                member: whom.member.id(),
                role,
                cuts,
            },
        )
    }
}

fn secret(seed: u8) -> SecretHash {
    SpaceSecret::from_bytes([seed; 32]).hash()
}

/// The same person at another machine.
fn other_machine(of: &Person, n: u8) -> Person {
    let device = DeviceKey::from_bytes(&[n; 32]);
    Person {
        certificate: Signed::issue(&of.member, &device).unwrap(),
        member: of.member.clone(),
        device,
    }
}

fn invite(seed: u8) -> InviteKey {
    InviteCode::new([seed; 15], &space()).key()
}

fn open(seed: u8, role: Role, seats: u32, approve: bool) -> Control {
    Control::InviteCreate {
        invite: invite(seed).id(),
        role,
        seats,
        expires_at: FOREVER,
        approve,
    }
}

fn standing(roster: &Roster, who: &Person) -> Option<(Role, MemberState)> {
    roster.member(&who.member.id()).map(|m| (m.role, m.state))
}

/// Owner 1, teacher 2, students 3 and 4.
fn class() -> (Seen, [Person; 4]) {
    let people = [person(1), person(2), person(3), person(4)];
    let mut seen = Seen::found();
    for who in &people[1..] {
        seen.join(who, &people[0], 1, 0);
    }
    seen.promote(&people[0], &people[1], Role::Teacher);
    (seen, people)
}

#[test]
fn who_may_do_what() {
    let (base, [owner, teacher, student, other]) = class();
    let roster = base.roster();
    assert_eq!(
        standing(&roster, &owner),
        Some((Role::Owner, MemberState::Member))
    );
    assert_eq!(
        standing(&roster, &teacher),
        Some((Role::Teacher, MemberState::Member))
    );
    assert_eq!(
        standing(&roster, &student),
        Some((Role::Student, MemberState::Member))
    );
    let room = || Control::RoomCreate {
        nonce: [7; 16],
        name: "Room".into(),
        audience: Audience::All,
    };
    let remove = |whom: &Person| Control::Remove {
        member: whom.member.id(),
        cuts: Vec::new(),
        barred: false,
        epoch: Some(secret(3)),
    };
    let retire = |whom: &Person| Control::RetireDevice {
        member: whom.member.id(),
        device: whom.device.id(),
        cuts: Vec::new(),
        epoch: secret(4),
    };
    let rotate = || Control::Rotate { epoch: secret(5) };
    let role = |whom: &Person, role| Control::SetRole {
        member: whom.member.id(),
        role,
        cuts: Vec::new(),
    };
    let cases: &[(&str, &Person, Control, bool)] = &[
        ("a teacher creates a room", &teacher, room(), true),
        ("a student creates a room", &student, room(), false),
        (
            "a teacher invites students",
            &teacher,
            open(9, Role::Student, 5, false),
            true,
        ),
        (
            "a teacher invites a teacher",
            &teacher,
            open(9, Role::Teacher, 1, true),
            false,
        ),
        (
            "a student invites",
            &student,
            open(9, Role::Student, 5, false),
            false,
        ),
        (
            "a teacher removes a student",
            &teacher,
            remove(&student),
            true,
        ),
        (
            "a teacher removes the owner",
            &teacher,
            remove(&owner),
            false,
        ),
        (
            "a student removes a student",
            &student,
            remove(&other),
            false,
        ),
        ("a student leaves", &student, remove(&student), true),
        ("the last owner leaves", &owner, remove(&owner), false),
        (
            "the owner names a co-owner",
            &owner,
            role(&student, Role::Owner),
            true,
        ),
        (
            "a teacher names a teacher",
            &teacher,
            role(&student, Role::Teacher),
            false,
        ),
        (
            "a teacher makes a student an observer",
            &teacher,
            role(&student, Role::Observer),
            true,
        ),
        (
            "a student names itself a teacher",
            &student,
            role(&student, Role::Teacher),
            false,
        ),
        ("a stranger creates a room", &person(50), room(), false),
        (
            "a student retires its device",
            &student,
            retire(&student),
            true,
        ),
        (
            "a teacher retires a student's",
            &teacher,
            retire(&student),
            true,
        ),
        (
            "a teacher retires the owner's",
            &teacher,
            retire(&owner),
            false,
        ),
        (
            "a student retires another's",
            &student,
            retire(&other),
            false,
        ),
        ("the owner rotates the keys", &owner, rotate(), true),
        ("a teacher rotates the keys", &teacher, rotate(), false),
    ];
    for (what, by, control, counts) in cases {
        let mut seen = base.clone();
        seen.write(by, control.clone());
        assert_eq!(seen.roster() != roster, *counts, "{what}");
    }
}

#[test]
fn joins_need_a_sound_claim_a_seat_time_and_a_witness() {
    let (base, [owner, teacher, student, _]) = class();
    let joiner = person(20);
    let mut through_student = base.clone();
    through_student.join(&joiner, &student, 1, 0);
    assert_eq!(
        standing(&through_student.roster(), &joiner),
        Some((Role::Student, MemberState::Member))
    );

    let mut unknown = base.clone();
    unknown.join(&joiner, &student, 77, 0);
    assert_eq!(standing(&unknown.roster(), &joiner), None);

    let mut borrowed = base.clone();
    let claim = JoinClaim::new(
        &space(),
        &joiner.certificate,
        "x",
        &invite(1),
        &teacher.member.id(),
    );
    borrowed.write(
        &student,
        Control::Join {
            claim,
            judged_at: 0,
        },
    );
    assert_eq!(
        standing(&borrowed.roster(), &joiner),
        None,
        "a claim is for one witness"
    );

    let mut late = base.clone();
    let terms = Control::InviteCreate {
        invite: invite(5).id(),
        role: Role::Student,
        seats: 9,
        expires_at: 100,
        approve: false,
    };
    late.write(&owner, terms);
    late.join(&joiner, &student, 5, 101);
    assert_eq!(standing(&late.roster(), &joiner), None);
    late.join(&joiner, &student, 5, 100);
    assert_eq!(
        standing(&late.roster(), &joiner),
        Some((Role::Student, MemberState::Member))
    );

    let mut full = base.clone();
    full.write(&owner, open(6, Role::Student, 1, false));
    full.join(&joiner, &student, 6, 0);
    full.join(&person(21), &student, 6, 0);
    assert_eq!(
        standing(&full.roster(), &person(21)),
        Some((Role::Student, MemberState::Pending))
    );
    full.write(
        &teacher,
        Control::Admit {
            member: person(21).member.id(),
        },
    );
    assert_eq!(
        standing(&full.roster(), &person(21)),
        Some((Role::Student, MemberState::Member))
    );

    let mut observed = base.clone();
    observed.promote(&owner, &student, Role::Observer);
    observed.join(&joiner, &student, 1, 0);
    assert_eq!(
        standing(&observed.roster(), &joiner),
        None,
        "an observer does not countersign"
    );
}

#[test]
fn a_removal_wins_over_what_the_removed_does_at_the_same_time() {
    let (base, [owner, teacher, student, other]) = class();
    let (mut left, mut right) = (base.clone(), base.clone());
    left.remove(&owner, &teacher);
    // Unaware, the teacher removes a student, lets someone in and makes a room.
    right.remove(&teacher, &student);
    right.write(
        &teacher,
        Control::RoomCreate {
            nonce: [1; 16],
            name: "Late".into(),
            audience: Audience::All,
        },
    );
    right.join(&person(30), &teacher, 1, 0);
    left.merge(&right);
    let roster = left.roster();
    assert_eq!(
        standing(&roster, &teacher),
        Some((Role::Teacher, MemberState::Removed))
    );
    assert_eq!(
        standing(&roster, &student),
        Some((Role::Student, MemberState::Member))
    );
    assert_eq!(
        standing(&roster, &other),
        Some((Role::Student, MemberState::Member))
    );
    assert!(roster.rooms.is_empty());
    assert_eq!(
        standing(&roster, &person(30)),
        Some((Role::Student, MemberState::Pending)),
        "they wait"
    );
}

#[test]
fn among_owners_the_earlier_admitted_wins() {
    let (mut base, [owner, teacher, ..]) = class();
    base.promote(&owner, &teacher, Role::Owner);
    let (mut left, mut right) = (base.clone(), base.clone());
    left.remove(&owner, &teacher);
    right.remove(&teacher, &owner);
    left.merge(&right);
    let roster = left.roster();
    assert_eq!(
        standing(&roster, &owner),
        Some((Role::Owner, MemberState::Member))
    );
    assert_eq!(
        standing(&roster, &teacher),
        Some((Role::Owner, MemberState::Removed))
    );
}

#[test]
fn a_demotion_reaches_what_is_done_at_the_same_time() {
    let (base, [owner, teacher, student, _]) = class();
    let (mut left, mut right) = (base.clone(), base);
    left.promote(&owner, &teacher, Role::Student);
    right.remove(&teacher, &student);
    left.merge(&right);
    assert_eq!(
        standing(&left.roster(), &student),
        Some((Role::Student, MemberState::Member))
    );
}

#[test]
fn a_revocation_voids_joins_that_it_does_not_list() {
    let (base, [owner, teacher, ..]) = class();
    let (mut left, mut right) = (base.clone(), base.clone());
    let keep = base.roster().invite(&invite(1).id()).unwrap().joins.clone();
    left.write(
        &owner,
        Control::InviteRevoke {
            invite: invite(1).id(),
            keep,
        },
    );
    right.join(&person(30), &teacher, 1, 0);
    left.merge(&right);
    let roster = left.roster();
    assert_eq!(standing(&roster, &person(30)), None);
    assert_eq!(roster.members.len(), 4);
}

#[test]
fn only_a_newer_invite_leads_a_removed_member_back() {
    let (mut seen, [owner, _, student, _]) = class();
    seen.remove(&owner, &student);
    seen.join(&student, &owner, 1, 0);
    assert_eq!(
        standing(&seen.roster(), &student),
        Some((Role::Student, MemberState::Removed))
    );
    seen.write(&owner, open(8, Role::Student, 1, false));
    seen.join(&student, &owner, 8, 0);
    assert_eq!(
        standing(&seen.roster(), &student),
        Some((Role::Student, MemberState::Member))
    );
}

#[test]
fn a_barred_member_stays_out_until_let_back() {
    let (mut seen, [owner, teacher, student, _]) = class();
    let cuts = seen.cuts(&student);
    let bar = Control::Remove {
        member: student.member.id(),
        cuts,
        barred: true,
        epoch: Some(secret(1)),
    };
    seen.write(&teacher, bar);
    seen.write(&owner, open(8, Role::Student, 9, false));
    seen.join(&student, &owner, 8, 0);
    let out = Some((Role::Student, MemberState::Removed));
    assert_eq!(standing(&seen.roster(), &student), out);
    let back = Control::Unbar {
        member: student.member.id(),
    };
    seen.write(&student, back.clone());
    seen.join(&student, &owner, 8, 0);
    assert_eq!(standing(&seen.roster(), &student), out, "not by themselves");
    seen.write(&teacher, back);
    seen.join(&student, &owner, 8, 0);
    let inside = Some((Role::Student, MemberState::Member));
    assert_eq!(standing(&seen.roster(), &student), inside);
}

#[test]
fn a_retired_device_does_nothing_more_and_its_owner_goes_on() {
    let (mut base, [owner, teacher, student, _]) = class();
    let laptop = other_machine(&teacher, 99);
    base.join(&laptop, &owner, 1, 0);
    let (mut left, mut right) = (base.clone(), base);
    left.retire(&owner, &teacher);
    // The thief removes a student with it, and lets a friend in, before the news arrives; the laptop makes a room.
    right.remove(&teacher, &student);
    right.join(&person(30), &teacher, 1, 0);
    let room = |name: &str| Control::RoomCreate {
        nonce: [9; 16],
        name: name.into(),
        audience: Audience::All,
    };
    right.write(&teacher, room("the thief's"));
    right.write(&laptop, room("the owner's"));
    left.merge(&right);
    // And once more, although the news is there.
    left.write(&teacher, room("too late"));
    let roster = left.roster();
    let standing = |who: &Person| standing(&roster, who);
    assert_eq!(
        standing(&teacher),
        Some((Role::Teacher, MemberState::Member))
    );
    assert_eq!(
        standing(&student),
        Some((Role::Student, MemberState::Member))
    );
    assert_eq!(
        standing(&person(30)),
        Some((Role::Student, MemberState::Pending))
    );
    let rooms: Vec<_> = roster.rooms.iter().map(|room| room.name.as_str()).collect();
    assert_eq!(rooms, ["the owner's"]);
    assert_eq!(
        roster.standing_of(&teacher.device.id()),
        Some((teacher.member.id(), MemberState::Removed))
    );
    assert_eq!(
        roster.standing_of(&laptop.device.id()),
        Some((teacher.member.id(), MemberState::Member))
    );
    // It does not come back by joining anew.
    left.join(&teacher, &owner, 1, 0);
    assert_eq!(
        left.roster()
            .member(&teacher.member.id())
            .unwrap()
            .live_devices()
            .count(),
        1
    );
}

#[test]
fn removals_that_did_not_see_each_other_both_count_for_the_epoch() {
    let (base, [owner, teacher, student, other]) = class();
    let (mut left, mut right) = (base.clone(), base);
    let one = left.remove(&owner, &student);
    let two = right.remove(&teacher, &other);
    left.merge(&right);
    let epochs = |seen: &Seen| -> std::collections::BTreeSet<MessageId> {
        seen.roster()
            .epochs
            .iter()
            .map(|epoch| epoch.entry)
            .collect()
    };
    assert_eq!(epochs(&left), [one, two].into());
    let three = left.write(&owner, Control::Rotate { epoch: secret(7) });
    assert_eq!(epochs(&left), [three].into());
    // One who leaves does not choose a secret for those who stay.
    let cuts = left.cuts(&teacher);
    left.write(
        &teacher,
        Control::Remove {
            member: teacher.member.id(),
            cuts,
            barred: false,
            epoch: Some(secret(8)),
        },
    );
    assert_eq!(
        standing(&left.roster(), &teacher),
        Some((Role::Teacher, MemberState::Removed))
    );
    assert_eq!(epochs(&left), [three].into());
}

/// A second history of one feed, begun below the place where a removal cut it, does not count: a lower number alone says
/// nothing.
#[test]
fn a_branch_below_a_cut_does_not_count() {
    let (base, [owner, teacher, student, other]) = class();
    let mut honest = base.clone();
    for seed in 10..13 {
        honest.write(&teacher, open(seed, Role::Student, 1, false));
    }
    honest.remove(&owner, &teacher);
    // The teacher goes on from before: the same places in the feed, other entries.
    let mut forged = base;
    forged.remove(&teacher, &student);
    forged.remove(&teacher, &other);
    honest.merge(&forged);
    let roster = honest.roster();
    for victim in [&student, &other] {
        assert_eq!(
            standing(&roster, victim),
            Some((Role::Student, MemberState::Member))
        );
    }
    assert!(
        roster.invite(&invite(10).id()).is_some(),
        "what was known stays"
    );
}

/// An entry on one branch has not seen what is on the other, whatever the numbers.
#[test]
fn a_branch_has_not_seen_the_other() {
    let (base, [owner, teacher, student, _]) = class();
    let (mut left, mut right) = (base.clone(), base);
    // A copied profile of the owner: one removes the teacher, the other only counts on.
    left.remove(&owner, &teacher);
    for seed in 20..23 {
        right.write(&owner, open(seed, Role::Student, 1, false));
    }
    // The teacher has seen only the second branch, and removes a student.
    right.remove(&teacher, &student);
    left.merge(&right);
    assert_eq!(
        standing(&left.roster(), &student),
        Some((Role::Student, MemberState::Member))
    );
}

#[test]
fn a_member_comes_in_with_another_device() {
    let (base, [owner, teacher, student, other]) = class();
    let machine = other_machine(&student, 98);
    let enrol = Control::Enrol {
        certificate: machine.certificate.wire().to_vec(),
    };
    let devices = |seen: &Seen| -> usize {
        let roster = seen.roster();
        roster
            .member(&student.member.id())
            .unwrap()
            .live_devices()
            .count()
    };
    let mut seen = base.clone();
    seen.write(&other, enrol.clone());
    assert_eq!(devices(&seen), 2);
    seen.remove(&owner, &student);
    let mut removed = base.clone();
    removed.remove(&owner, &student);
    removed.write(&teacher, enrol.clone());
    assert_eq!(devices(&removed), 1, "not of one who is out");
    let mut observed = base.clone();
    observed.promote(&owner, &other, Role::Observer);
    observed.write(&other, enrol.clone());
    assert_eq!(devices(&observed), 1, "an observer vouches for nobody");
    let mut many = base;
    for n in 0..40 {
        let machine = other_machine(&student, 200 + n);
        let certificate = machine.certificate.wire().to_vec();
        many.write(&other, Control::Enrol { certificate });
    }
    assert_eq!(devices(&many), 16, "sixteen at a time");
}

/// What two say of the same member without hearing of each other: either may have the lower number.
fn at_once(base: &Seen, [one, two]: [(&Person, Control); 2]) -> [Seen; 2] {
    [0, 1].map(|slower| {
        let mut sides = [base.clone(), base.clone()];
        for (number, (by, says)) in [&one, &two].into_iter().enumerate() {
            if number == slower {
                let nobody = person(60).member.id();
                sides[number].write(by, Control::Admit { member: nobody });
            }
            sides[number].write(by, says.clone());
        }
        let [mut all, other] = sides;
        all.merge(&other);
        all
    })
}

fn out(whom: &Person, cuts: Vec<Cut>, barred: bool, epoch: u8) -> Control {
    Control::Remove {
        member: whom.member.id(),
        cuts,
        barred,
        epoch: Some(secret(epoch)),
    }
}

fn role(whom: &Person, role: Role) -> Control {
    Control::SetRole {
        member: whom.member.id(),
        role,
        cuts: Vec::new(),
    }
}

#[test]
fn a_higher_role_wins_over_what_a_lower_one_says_at_the_same_time() {
    let (mut base, [owner, teacher, student, _]) = class();
    let waiting = person(20);
    base.write(&owner, open(6, Role::Student, 1, true));
    base.join(&waiting, &owner, 6, 0);
    let admit = || Control::Admit {
        member: waiting.member.id(),
    };
    let out = |whom| out(whom, Vec::new(), false, 1);
    let (inside, removed) = (MemberState::Member, MemberState::Removed);
    let cases = [
        (
            role(&student, Role::Teacher),
            out(&student),
            &student,
            (Role::Teacher, inside),
        ),
        (
            out(&student),
            role(&student, Role::Observer),
            &student,
            (Role::Student, removed),
        ),
        (
            role(&student, Role::Student),
            role(&student, Role::Observer),
            &student,
            (Role::Student, inside),
        ),
        (admit(), out(&waiting), &waiting, (Role::Student, inside)),
        (out(&waiting), admit(), &waiting, (Role::Student, removed)),
        (
            role(&waiting, Role::Observer),
            admit(),
            &waiting,
            (Role::Observer, MemberState::Pending),
        ),
    ];
    for (number, (higher, lower, whom, expected)) in cases.into_iter().enumerate() {
        for seen in at_once(&base, [(&owner, higher.clone()), (&teacher, lower.clone())]) {
            assert_eq!(
                standing(&seen.roster(), whom),
                Some(expected),
                "case {number}"
            );
        }
        // What the lower one says knowing of it is judged by itself, as ever.
        let mut after = base.clone();
        after.write(&owner, higher);
        let before = after.roster();
        after.write(&teacher, lower);
        let changed = [2, 3, 5].contains(&number);
        assert_eq!(
            standing(&after.roster(), whom) != standing(&before, whom),
            changed,
            "case {number}"
        );
    }
}

#[test]
fn of_removals_at_the_same_time_the_higher_ones_list_counts() {
    let (mut base, [owner, teacher, student, other]) = class();
    let nobody = person(60).member.id();
    base.write(&student, Control::Admit { member: nobody });
    let list = base.cuts(&student);
    base.promote(&owner, &other, Role::Teacher);
    let said = |seen: &Seen| {
        let roster = seen.roster();
        let removed = roster.member(&student.member.id()).unwrap();
        (
            removed.cuts.clone().unwrap(),
            roster.epochs.len(),
            removed.barred,
        )
    };
    let (long, short) = (
        out(&student, list.clone(), false, 1),
        out(&student, Vec::new(), true, 2),
    );
    for seen in at_once(&base, [(&owner, long.clone()), (&teacher, short.clone())]) {
        assert_eq!(said(&seen), (list.clone(), 1, false));
    }
    for seen in at_once(&base, [(&other, long), (&teacher, short)]) {
        assert_eq!(
            said(&seen),
            (Vec::new(), 2, true),
            "of equals what both leave"
        );
    }
}

/// One who steps down in time does not choose what of theirs still counts under the former role.
#[test]
fn stepping_down_does_not_evade_a_demotion() {
    let (mut base, [owner, teacher, ..]) = class();
    base.write(&teacher, open(9, Role::Student, 1, false));
    let step = Control::SetRole {
        member: teacher.member.id(),
        role: Role::Student,
        cuts: base.cuts(&teacher),
    };
    for seen in at_once(
        &base,
        [(&owner, role(&teacher, Role::Student)), (&teacher, step)],
    ) {
        let roster = seen.roster();
        let past = &roster.member(&teacher.member.id()).unwrap().past;
        assert_eq!(
            *past,
            [Role::Student, Role::Teacher].map(|role| (role, Vec::new()))
        );
    }
}

#[test]
fn a_bar_stays_unless_its_like_or_a_higher_role_lifts_it() {
    let (mut base, [owner, teacher, student, _]) = class();
    base.write(&teacher, out(&student, Vec::new(), true, 1));
    let unbar = || Control::Unbar {
        member: student.member.id(),
    };
    let again = || out(&student, Vec::new(), true, 2);
    for (by_owner, by_teacher, barred) in [(unbar(), again(), false), (again(), unbar(), true)] {
        for seen in at_once(
            &base,
            [(&owner, by_owner.clone()), (&teacher, by_teacher.clone())],
        ) {
            let roster = seen.roster();
            assert_eq!(roster.member(&student.member.id()).unwrap().barred, barred);
        }
    }
    // One that was not there yet for the writer is not lifted, whatever the numbers.
    let (free, _) = class();
    for seen in at_once(&free, [(&owner, unbar()), (&teacher, again())]) {
        assert!(seen.roster().member(&student.member.id()).unwrap().barred);
    }
}

#[test]
fn among_owners_the_earlier_admitted_decides_on_a_third() {
    let (mut base, [owner, second, third, fourth]) = class();
    for whom in [&third, &fourth] {
        base.promote(&owner, whom, Role::Owner);
    }
    let seen = at_once(
        &base,
        [
            (&owner, role(&second, Role::Observer)),
            (&third, role(&second, Role::Student)),
        ],
    );
    for seen in seen {
        assert_eq!(
            standing(&seen.roster(), &second),
            Some((Role::Observer, MemberState::Member))
        );
    }
    // As an owner the second would rank above the third; the third ranks above the fourth, who says so.
    let removal = out(&second, Vec::new(), false, 1);
    for seen in at_once(
        &base,
        [(&third, removal), (&fourth, role(&second, Role::Owner))],
    ) {
        assert_eq!(
            standing(&seen.roster(), &second),
            Some((Role::Teacher, MemberState::Removed))
        );
    }
}

/// An entry names at most eight others; that it saw a removal is not lost among them.
#[test]
fn what_took_rights_away_is_seen_among_many() {
    let (base, [owner, teacher, student, other]) = class();
    let mut all = base.clone();
    all.remove(&owner, &student);
    let nobody = person(60).member.id();
    for n in 5..20 {
        let mut one = base.clone();
        one.join(&person(n), &other, 1, 0);
        for _ in 0..3 {
            one.write(&person(n), Control::Admit { member: nobody });
        }
        all.merge(&one);
    }
    // The joins are of one life of one witness: branches. Any of them let in, the heads are many.
    all.write(&teacher, open(8, Role::Student, 9, false));
    all.join(&student, &teacher, 8, 0);
    assert_eq!(
        standing(&all.roster(), &student),
        Some((Role::Student, MemberState::Member))
    );
}

/// Neither a low number nor a high one helps against an equal, and what else is written changes nothing.
#[test]
fn between_equals_both_entries_together_decide() {
    let (mut base, [owner, one, two, whom]) = class();
    let three = person(5);
    base.join(&three, &owner, 1, 0);
    for equal in [&two, &three] {
        base.promote(&owner, equal, Role::Teacher);
    }
    let mut outcomes = std::collections::BTreeSet::new();
    for n in 10..40 {
        let says = [
            (&one, out(&whom, Vec::new(), false, n)),
            (&two, role(&whom, Role::Observer)),
        ];
        for (order, mut seen) in at_once(&base, says).into_iter().enumerate() {
            let (_, state) = standing(&seen.roster(), &whom).unwrap();
            outcomes.insert((order, state == MemberState::Removed));
            let mut third = base.clone();
            third.write(&three, role(&whom, Role::Student));
            seen.merge(&third);
            let settled = standing(&seen.roster(), &whom);
            for seed in 50..53 {
                seen.write(&owner, open(seed, Role::Student, 1, false));
                assert_eq!(standing(&seen.roster(), &whom), settled);
            }
        }
    }
    assert_eq!(outcomes.len(), 4, "{outcomes:?}");
}

fn days(days: u16) -> Control {
    Control::SetPolicy(Policy::History(History::Days(days)))
}

/// From how many days before their coming the newcomers of a class are given messages.
fn given(seen: &Seen) -> Option<i64> {
    let from = seen.roster().given_from(&person(3).member.id());
    (from != i64::MIN).then(|| -from / (24 * 60 * 60 * 1_000))
}

#[test]
fn who_runs_the_space_sets_its_rules() {
    let (base, [owner, teacher, student, _]) = class();
    assert_eq!(given(&base), None, "everything, until it is said");
    for (by, counts) in [(&owner, true), (&teacher, true), (&student, false)] {
        let mut seen = base.clone();
        seen.write(by, days(5));
        assert_eq!(given(&seen), counts.then_some(5));
        let set = |seen: &Seen| seen.roster().policies.get(&1).map(|set| set.by);
        assert_eq!(set(&seen), counts.then(|| by.member.id()));
    }
    let mut seen = base.clone();
    seen.write(&owner, days(5));
    seen.write(&teacher, Control::SetPolicy(Policy::Direct(false)));
    let unknown = Policy::Unknown {
        key: 900,
        value: vec![1],
    };
    seen.write(&teacher, Control::SetPolicy(unknown));
    seen.write(&teacher, days(7));
    let roster = seen.roster();
    assert_eq!(given(&seen), Some(7), "the later one, who had heard of it");
    assert!(!roster.is_direct_on(), "one rule is nothing to another");
    assert_eq!(
        roster.policies.len(),
        3,
        "what a newer version sets is kept"
    );
    // The founder has been there always; what everyone is given is what the last to come is.
    assert_eq!(roster.given_from(&owner.member.id()), i64::MIN);
    assert!(roster.given_to_all_from() > i64::MIN);
    let stranger = person(77);
    assert!(
        roster.given_from(&stranger.member.id()) > 1 << 60,
        "nothing"
    );
    // What one who was demoted set without having heard of it goes.
    let mut apart = base.clone();
    apart.promote(&owner, &teacher, Role::Student);
    let mut late = base.clone();
    late.write(&teacher, days(9));
    apart.merge(&late);
    assert_eq!(given(&apart), None);
}

#[test]
fn of_rules_set_at_the_same_time_one_stands_everywhere() {
    let (mut base, [owner, one, two, _]) = class();
    base.promote(&owner, &two, Role::Teacher);
    for seen in at_once(&base, [(&owner, days(1)), (&one, days(2))]) {
        assert_eq!(given(&seen), Some(1), "the higher role's, in either order");
    }
    // Between equals neither a low place nor a high one helps.
    let mut outcomes = std::collections::BTreeSet::new();
    for n in 10..40 {
        let says = [(&one, days(n)), (&two, days(n + 100))];
        for (order, mut seen) in at_once(&base, says).into_iter().enumerate() {
            let stands = given(&seen).unwrap();
            outcomes.insert((order, stands == i64::from(n)));
            seen.write(&owner, open(50, Role::Student, 1, false));
            assert_eq!(given(&seen), Some(stands));
            // Whoever knows both says what holds from now on.
            seen.write(&two, days(77));
            assert_eq!(given(&seen), Some(77));
        }
    }
    assert_eq!(outcomes.len(), 4, "{outcomes:?}");
    // Two rules at once are no contest.
    let both = [
        (&one, days(3)),
        (&two, Control::SetPolicy(Policy::Direct(false))),
    ];
    for seen in at_once(&base, both) {
        assert_eq!(given(&seen), Some(3));
        assert!(!seen.roster().is_direct_on());
    }
}

/// The founder restored a backup, and nobody else is there to vouch for the new device.
#[test]
fn a_devices_own_word_counts_while_nobody_else_could_vouch_for_it() {
    let (owner, laptop, desk) = (
        person(1),
        other_machine(&person(1), 99),
        other_machine(&person(1), 98),
    );
    let word = |of: &Person| Control::Enrol {
        certificate: of.certificate.wire().to_vec(),
    };
    let is_in = |seen: &Seen, who: &Person| {
        let roster = seen.roster();
        roster.standing_of(&who.device.id()) == Some((who.member.id(), MemberState::Member))
    };
    let base = Seen::found();
    let mut alone = base.clone();
    alone.write(&laptop, word(&laptop));
    assert!(is_in(&alone, &laptop));
    alone.join(&person(3), &laptop, 1, 0);
    assert_eq!(
        standing(&alone.roster(), &person(3)),
        Some((Role::Student, MemberState::Member)),
        "it is a witness like any other"
    );

    let mut for_another = base.clone();
    for_another.write(&laptop, word(&desk));
    assert!(!is_in(&for_another, &desk), "only for itself");
    let mut stranger = base.clone();
    stranger.write(&person(9), word(&person(9)));
    assert!(!is_in(&stranger, &person(9)), "only for a member");
    let mut in_company = base.clone();
    in_company.join(&person(3), &owner, 1, 0);
    in_company.write(&laptop, word(&laptop));
    assert!(!is_in(&in_company, &laptop), "another could vouch for it");
    in_company.remove(&owner, &person(3));
    in_company.write(&desk, word(&desk));
    assert!(is_in(&in_company, &desk), "nobody is left who could");

    // The thief of a machine has the member's key too: what the retirement had not seen does not count.
    let (mut left, mut right) = (alone.clone(), alone.clone());
    left.retire(&laptop, &owner);
    right = Seen(right.0.into_iter().take(2).collect());
    right.write(&desk, word(&desk));
    left.merge(&right);
    assert!(!is_in(&left, &desk) && is_in(&left, &laptop));
    // Without the retirement it would have.
    alone.merge(&right);
    assert!(is_in(&alone, &desk));
}

fn act(seen: &mut Seen, people: &[Person], (by, what, whom): (usize, u8, usize)) {
    let (by, whom) = (&people[by % people.len()], &people[whom % people.len()]);
    let _ = match what % 12 {
        10 | 11 => {
            let history = History::Days(u16::from(what));
            seen.write(by, Control::SetPolicy(Policy::History(history)))
        }
        0 => seen.join(whom, by, 1, 0),
        1 => seen.remove(by, whom),
        2 => seen.promote(by, whom, Role::Teacher),
        3 => seen.promote(by, whom, Role::Student),
        4 => seen.promote(by, whom, Role::Owner),
        5 => seen.write(
            by,
            Control::RoomCreate {
                nonce: [what; 16],
                name: "Room".into(),
                audience: if what < 128 {
                    Audience::All
                } else {
                    Audience::Teachers
                },
            },
        ),
        7 => seen.retire(by, whom),
        8 => seen.write(
            by,
            Control::Unbar {
                member: whom.member.id(),
            },
        ),
        6 => seen.write(
            by,
            Control::InviteRevoke {
                invite: invite(1).id(),
                keep: Vec::new(),
            },
        ),
        _ => seen.write(
            by,
            Control::Admit {
                member: whom.member.id(),
            },
        ),
    };
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Writers act in three groups that do not hear of one another, then everything comes together in another order.
    ///
    /// Invariant 9: validity is a pure function of the records.
    #[test]
    fn the_order_of_arrival_never_matters(
        groups in prop::collection::vec(prop::collection::vec((0_usize..6, any::<u8>(), 0_usize..6), 0..8), 3),
        keys in prop::collection::vec(any::<u64>(), 64),
    ) {
        let people: Vec<Person> = (1..=6).map(person).collect();
        let (base, _) = class();
        let mut all = base.clone();
        // A person writes in one group only: two histories of one device are another matter.
        for (number, acts) in groups.iter().enumerate() {
            let mut seen = base.clone();
            for act_of in acts.iter().filter(|(by, ..)| by % 3 == number) {
                act(&mut seen, &people, *act_of);
            }
            all.merge(&seen);
        }
        let expected = all.roster();
        let mut waiting = all.0.clone();
        let mut shuffled = Seen::default();
        while !waiting.is_empty() {
            let here = |id: &MessageId| shuffled.0.iter().any(|(e, _)| e.id() == *id);
            let ready: Vec<usize> = (0..waiting.len())
                .filter(|i| waiting[*i].0.value().parents.iter().chain(&waiting[*i].0.value().previous).all(here))
                .collect();
            let pick = ready[usize::try_from(keys[waiting.len() % keys.len()]).unwrap_or(0) % ready.len()];
            shuffled.0.push(waiting.remove(pick));
        }
        prop_assert_eq!(normal(shuffled.roster()), normal(expected));
        // And an owner always remains.
        let owners = all.roster().members.iter().filter(|m| m.role == Role::Owner && m.state == MemberState::Member).count();
        prop_assert!(owners >= 1);
    }
}

/// What a roster says, without the places of entries in one set's memory.
fn normal(roster: Roster) -> impl PartialEq + std::fmt::Debug {
    let members: Vec<_> = roster
        .members
        .into_iter()
        .map(|m| {
            (
                m.id, m.name, m.role, m.state, m.cuts, m.past, m.retired, m.barred, m.devices,
            )
        })
        .collect();
    let invites: Vec<_> = roster
        .invites
        .into_iter()
        .map(|i| (i.id, i.used, i.revoked, i.joins))
        .collect();
    (
        members,
        roster.rooms,
        invites,
        roster.epochs,
        roster.policies,
    )
}
