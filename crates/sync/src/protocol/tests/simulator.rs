//! Seeded runs: whatever happens on the way, in the end all honest hosts show the same, and nothing unsigned.
//!
//! A run is a small class that talks, edits, takes back, opens rooms and pages, promotes, demotes, removes and invites
//! again, while links break, the class falls into parts, processes are killed in the middle of a commit, and one host
//! bends what it sends. Beside it stands the plainest model there is: who wrote what where.
//!
//! `cargo xtask sim` makes many and large runs; the tests make some small ones, and those that once found a fault.

use std::collections::{BTreeMap, BTreeSet};

use artel_domain::{Audience, Content, MemberId, MessageId, Role, RoomId, SpaceId};
use rand::RngExt as _;

use super::{
    super::{Event, Ledger as _, MemberState, RoomView},
    hosts::{Row, World},
};

/// What is done a run, a step being one act and the pause after it.
#[derive(Clone, Copy)]
struct Plan {
    /// Hosts that keep to the rules; one more does not.
    honest: usize,
    steps: usize,
    /// Whether members are also promoted, demoted, removed and invited again.
    trust: bool,
}

/// What was written: by which host, where, and the words.
struct Written {
    host: usize,
    room: RoomId,
    text: String,
}

/// The plain model: nothing but what the hosts did.
#[derive(Default)]
struct Model {
    written: BTreeMap<MessageId, Written>,
    /// Who was ever removed or lost a role: some of what they wrote may lie beyond a cut.
    cut: BTreeSet<usize>,
    /// What anybody took back.
    deleted: BTreeSet<MessageId>,
    /// What others than its author took back. Where such a deletion lies beyond a cut its message counts again, and nobody
    /// may have kept it.
    taken: BTreeSet<MessageId>,
}

/// A seeded run in the making.
struct Lab {
    seed: u64,
    plan: Plan,
    world: World,
    space: SpaceId,
    model: Model,
}

/// Teachers from the start; with the owner, who is host 0, they are never demoted or removed.
const TEACHERS: std::ops::Range<usize> = 1..3;

impl Lab {
    fn new(seed: u64, plan: Plan) -> Self {
        let mut world = World::new(seed, plan.honest + 1);
        world.hostile = Some(plan.honest);
        let space = world
            .with(0, |node, ledger, now| {
                node.found_space(ledger, now, "Class")
            })
            .unwrap();
        let mut lab = Self {
            seed,
            plan,
            world,
            space,
            model: Model::default(),
        };
        lab.invite(1..=plan.honest);
        lab
    }

    fn invite(&mut self, hosts: impl IntoIterator<Item = usize>) {
        let code = self.world.invite(0, self.space, 40);
        for host in hosts {
            self.world
                .with(host, |node, ledger, now| node.join(ledger, now, &code))
                .unwrap();
        }
    }

    /// A number below `end`.
    fn draw(&mut self, end: usize) -> usize {
        self.world.rng.random_range(0..end.max(1))
    }

    fn rooms(&self, host: usize) -> Vec<RoomView> {
        self.world.hosts[host].node.rooms(&self.space)
    }

    fn member(&self, host: usize) -> MemberId {
        self.world.hosts[host].node.member()
    }

    /// A room that a host reads, if it reads any.
    fn some_room(&mut self, host: usize) -> Option<RoomId> {
        let rooms = self.rooms(host);
        let at = self.draw(rooms.len());
        rooms.get(at).map(|room| room.room)
    }

    /// What a host says of the space's members, without who is in reach.
    fn roster(&self, host: usize) -> Vec<(MemberId, String, Role, MemberState, usize)> {
        let members = self.world.hosts[host].node.members(&self.space);
        members
            .into_iter()
            .map(|m| (m.member, m.name, m.role, m.state, m.devices.len()))
            .collect()
    }

    /// One thing that somebody does, or that happens to them.
    fn act(&mut self) {
        let host = self.draw(self.plan.honest + 1);
        match self.draw(if self.plan.trust { 20 } else { 14 }) {
            0..=3 => self.say(host),
            4 => self.react(host),
            5 => self.mend(host),
            6 => {
                let other = self.draw(self.plan.honest + 1);
                self.world.cut(host, other);
            }
            7 => self.part(),
            8 => self.world.restart(host),
            9 => self.open_room(host),
            10 => {
                let space = self.space;
                self.world
                    .with(0, |node, ledger, now| node.rotate(ledger, now, space))
                    .unwrap();
            }
            11 => self.edit_page(host),
            12 | 13 => {
                let other = self.draw(self.plan.honest + 1);
                self.world.link(host, other);
            }
            14 | 15 => self.change_role(host),
            16 => self.remove(host),
            17 => self.erase(host),
            _ => self.meet(),
        }
    }

    fn say(&mut self, host: usize) {
        let Some(room) = self.some_room(host) else {
            return;
        };
        let text = format!("{host}: {}", self.model.written.len());
        let content = Content::Text {
            text: text.clone(),
            reply_to: None,
            attachments: Vec::new(),
        };
        let space = self.space;
        // One who was let in and heard of nothing yet may not write.
        let sent = self.world.with(host, |node, ledger, now| {
            node.send(ledger, now, space, room, content)
        });
        if let Ok(sent) = sent {
            let written = Written { host, room, text };
            self.model.written.insert(sent.id, written);
        }
    }

    /// Takes back or mends a message of one's own.
    fn mend(&mut self, host: usize) {
        if host == self.plan.honest {
            return;
        }
        let own: Vec<_> = self
            .model
            .written
            .iter()
            .filter(|(_, written)| written.host == host)
            .map(|(id, written)| (*id, written.room))
            .collect();
        let at = self.draw(own.len());
        let Some((target, room)) = own.get(at).copied() else {
            return;
        };
        let content = if self.world.rng.random() {
            let text = format!("{host} mends");
            Content::Edit { target, text }
        } else {
            let edits = Vec::new();
            Content::Delete { target, edits }
        };
        let space = self.space;
        let deletes = matches!(content, Content::Delete { .. });
        // What was erased already cannot be edited; that is an answer, too.
        let done = self.world.with(host, |node, ledger, now| {
            node.send(ledger, now, space, room, content)
        });
        if deletes && done.is_ok() {
            self.model.deleted.insert(target);
        }
    }

    /// Somebody says how far they have read a room, and puts a sign under a message there, or takes it back.
    fn react(&mut self, host: usize) {
        let Some(room) = self.some_room(host) else {
            return;
        };
        let shown: Vec<_> = self.shown(host, room).into_keys().collect();
        let at = self.draw(shown.len());
        let Some(at) = shown.get(at).copied() else {
            return;
        };
        let emoji = ["👍", "🎉", ""][self.draw(3)];
        let emoji = (!emoji.is_empty()).then(|| emoji.to_owned());
        let space = self.space;
        // One who was let in and heard of nothing yet may not.
        let _ = self.world.with(host, |node, ledger, now| {
            node.mark_read(ledger, now, space, room, at)?;
            node.react(ledger, now, space, room, at.1, emoji)
        });
    }

    /// The class falls into two parts.
    fn part(&mut self) {
        let side: Vec<bool> = (0..=self.plan.honest)
            .map(|_| self.world.rng.random())
            .collect();
        for a in 0..side.len() {
            for b in a + 1..side.len() {
                if side[a] != side[b] {
                    self.world.cut(a, b);
                }
            }
        }
    }

    /// Some who are apart meet, as when a class comes back from a break.
    fn meet(&mut self) {
        for _ in 0..self.plan.honest {
            let (a, b) = (
                self.draw(self.plan.honest + 1),
                self.draw(self.plan.honest + 1),
            );
            self.world.link(a, b);
        }
    }

    fn open_room(&mut self, host: usize) {
        let audience = match self.draw(4) {
            0 if self.plan.trust => Audience::Teachers,
            1 if self.plan.trust => {
                let chosen = (0..3).map(|_| self.draw(self.plan.honest));
                let chosen: BTreeSet<usize> = chosen.collect();
                Audience::Chosen(chosen.into_iter().map(|host| self.member(host)).collect())
            }
            _ => Audience::All,
        };
        let name = format!("Room {}", self.model.written.len());
        let space = self.space;
        // Students may not.
        let _ = self.world.with(host, |node, ledger, now| {
            node.create_room(ledger, now, space, &name, audience)
        });
    }

    fn edit_page(&mut self, host: usize) {
        let Some(room) = self.some_room(host) else {
            return;
        };
        let space = self.space;
        let page = self
            .world
            .with(host, |node, ledger, _| node.page(ledger, &space, &room));
        let words = format!("{host} adds {}\n", self.model.written.len());
        let _ = match page {
            Ok(Some(page)) => {
                let text = page.text + &words;
                self.world.with(host, |node, ledger, now| {
                    node.edit_page(ledger, now, space, room, &page.heads, &text)
                        .map(|_| ())
                })
            }
            _ => self.world.with(host, |node, ledger, now| {
                node.open_page(ledger, now, space, room, Some(true))
            }),
        };
    }

    /// Somebody makes a teacher of a student, or the other way.
    fn change_role(&mut self, by: usize) {
        let whom = TEACHERS.end + self.draw(self.plan.honest - TEACHERS.end);
        let role = if self.world.rng.random() {
            Role::Teacher
        } else {
            Role::Student
        };
        let (space, member) = (self.space, self.member(whom));
        let done = self.world.with(by, |node, ledger, now| {
            node.set_role(ledger, now, space, member, role)
        });
        if done.is_ok() {
            self.model.cut.insert(whom);
        }
    }

    /// Somebody removes a student, who is invited again by the owner later in the run.
    fn remove(&mut self, by: usize) {
        let whom = TEACHERS.end + self.draw(self.plan.honest - TEACHERS.end);
        let (space, member) = (self.space, self.member(whom));
        let done = self.world.with(by, |node, ledger, now| {
            node.remove(ledger, now, space, member, false)
        });
        if done.is_ok() {
            self.model.cut.insert(whom);
            if self.world.rng.random() {
                self.invite([whom]);
            }
        }
    }

    /// A teacher takes back what somebody wrote.
    fn erase(&mut self, by: usize) {
        let at = self.draw(self.model.written.len());
        let Some((target, room)) = self
            .model
            .written
            .iter()
            .nth(at)
            .map(|(id, written)| (*id, written.room))
        else {
            return;
        };
        if by == self.plan.honest {
            return;
        }
        let content = Content::Delete {
            target,
            edits: Vec::new(),
        };
        let space = self.space;
        // Only teachers may, and only where they read.
        let done = self.world.with(by, |node, ledger, now| {
            node.send(ledger, now, space, room, content)
        });
        if done.is_ok() {
            self.model.deleted.insert(target);
            self.model.taken.insert(target);
        }
    }

    fn run(&mut self) {
        // Most come in at once, the others as links and luck have it.
        for host in 1..=self.plan.honest {
            if self.world.rng.random_ratio(3, 4) {
                self.world.link(0, host);
            }
        }
        self.meet();
        self.world.run(6_000);
        if self.plan.trust {
            // So that there is somebody to hold and lose rights.
            let space = self.space;
            for teacher in TEACHERS {
                let member = self.member(teacher);
                // They may not have come in yet.
                let _ = self.world.with(0, |node, ledger, now| {
                    node.set_role(ledger, now, space, member, Role::Teacher)
                });
            }
        }
        for _ in 0..self.plan.steps {
            self.act();
            let pause = self.world.rng.random_range(50..1_500);
            self.world.run_with(pause, true);
        }
        for a in 0..self.plan.honest {
            for b in a + 1..self.plan.honest {
                self.world.link(a, b);
            }
        }
        self.world.run(100_000);
        // Links end where somebody was thought to be removed by one who had not heard of their return.
        for a in 0..self.plan.honest {
            for b in a + 1..self.plan.honest {
                self.world.link(a, b);
            }
        }
        self.world.run(60_000);
    }

    /// What a host shows of a room; when it came does not matter.
    fn shown(&self, host: usize, room: RoomId) -> BTreeMap<(u64, MessageId), Row> {
        let rows = self.world.hosts[host].view.rooms.get(&room);
        let on_time = |(at, row): (&(u64, MessageId), &Row)| {
            let late = false;
            (
                *at,
                Row {
                    late,
                    ..row.clone()
                },
            )
        };
        rows.into_iter().flatten().map(on_time).collect()
    }

    fn check(&self) {
        let seed = self.seed;
        // By the owner: one who was removed while they were away has nobody to tell them, nor has one whom the hostile
        // host let in alone.
        let known = self.world.hosts[0].node.members(&self.space);
        let is_in = |host: &usize| {
            let member = self.member(*host);
            known
                .iter()
                .any(|m| m.member == member && m.state == MemberState::Member)
        };
        let inside: Vec<usize> = (0..self.plan.honest).filter(is_in).collect();
        for host in &inside {
            assert_eq!(
                self.roster(*host),
                self.roster(0),
                "seed {seed}: {host} and 0 differ about who is in"
            );
            self.check_rooms(*host, &inside);
            self.check_written(*host, &inside);
        }
        for host in 0..self.plan.honest {
            self.check_signed(host);
            self.check_events(host);
        }
        let least = if self.plan.steps >= 100 { 10 } else { 0 };
        let written = self.model.written.len();
        assert!(written > least, "seed {seed}: too little happened");
    }

    /// Everyone who reads a room shows the same of it.
    fn check_rooms(&self, host: usize, inside: &[usize]) {
        let seed = self.seed;
        let for_all = |host: usize| {
            let mut rooms = self.rooms(host);
            rooms.retain(|room| room.audience == Audience::All);
            rooms
        };
        assert_eq!(for_all(host), for_all(0), "seed {seed}: rooms of {host}");
        for room in self.rooms(host) {
            let same = |other: &usize| {
                let rooms = self.rooms(*other).into_iter();
                rooms.into_iter().find(|known| known.room == room.room)
            };
            let first = inside.iter().find(|other| same(other).is_some());
            let first = *first.expect("at least this host");
            assert_eq!(
                same(&first).as_ref(),
                Some(&room),
                "seed {seed}: {host} and {first}"
            );
            assert_eq!(
                self.shown(host, room.room),
                self.shown(first, room.room),
                "seed {seed}: {host} and {first} differ in {}",
                room.name
            );
            let said = |host: usize| {
                let node = &self.world.hosts[host].node;
                let under = |(_, id)| node.reactions(&self.space, &room.room, &id);
                let signs: Vec<_> = self
                    .shown(first, room.room)
                    .into_keys()
                    .map(under)
                    .collect();
                (signs, node.reads(&self.space, &room.room))
            };
            assert_eq!(
                said(host),
                said(first),
                "seed {seed}: {host} and {first} differ in what was read and liked in {}",
                room.name
            );
            let text = |host: usize| {
                let host = &self.world.hosts[host];
                let page = host.node.page(&host.ledger, &self.space, &room.room);
                page.unwrap().map(|page| page.text)
            };
            assert_eq!(
                text(host),
                text(first),
                "seed {seed}: {host} and {first} differ in the page of {}",
                room.name
            );
        }
    }

    /// What honest hosts wrote is there, word for word, for those who may read it.
    fn check_written(&self, host: usize, inside: &[usize]) {
        let seed = self.seed;
        let rooms: BTreeSet<RoomId> = self.rooms(host).into_iter().map(|room| room.room).collect();
        for (id, written) in &self.model.written {
            let Written {
                host: author,
                room,
                text,
            } = written;
            // The hostile host's own network bends its records: they may reach nobody. What lies beyond a cut counts
            // nowhere.
            let sure = inside.contains(author) && !self.model.cut.contains(author);
            if !rooms.contains(room) || !sure {
                continue;
            }
            let shown = self.shown(host, *room);
            let found = shown.iter().find(|((_, shown), _)| shown == id);
            if found.is_none() && self.model.taken.contains(id) {
                continue;
            }
            let Some((_, row)) = found else {
                let at = |host: usize| {
                    let record = self.world.hosts[host].ledger.record(id).unwrap();
                    record.map(|record| (record.standing, record.shown))
                };
                let held: Vec<_> = (0..self.plan.honest).map(at).collect();
                panic!("seed {seed}: {host} lacks {text:?}: {held:?}");
            };
            assert_eq!(row.author, self.member(*author), "seed {seed}");
            match &row.content {
                Some(Content::Text { text: shown, .. }) => assert_eq!(shown, text, "seed {seed}"),
                None => assert!(
                    row.erased && self.model.deleted.contains(id),
                    "seed {seed}: {host} has no words of {text:?}"
                ),
                other => panic!("seed {seed}: {other:?} in place of {text:?}"),
            }
            assert!(!row.provisional, "seed {seed}: {text:?} never settled");
        }
    }

    /// Nobody shows what its author did not write. The hostile host may sign what it likes in its own name, two
    /// histories of it even.
    fn check_signed(&self, host: usize) {
        let hostile = self.member(self.plan.honest);
        for rows in self.world.hosts[host].view.rooms.values() {
            for ((_, id), row) in rows {
                let Some(Content::Text { text, .. }) = &row.content else {
                    continue;
                };
                if row.author != hostile {
                    let seed = self.seed;
                    let written = self.model.written.get(id).unwrap_or_else(|| {
                        panic!("seed {seed}: {host} shows {text:?}, which nobody wrote")
                    });
                    assert_eq!(text, &written.text, "seed {seed}");
                    assert_eq!(row.author, self.member(written.host), "seed {seed}");
                }
            }
        }
    }

    fn check_events(&self, host: usize) {
        let seed = self.seed;
        let me = &self.world.hosts[host];
        let bent = self.world.hosts[self.plan.honest].node.device();
        for (peer, reason) in &me.dropped {
            let removed = self.plan.trust && *reason == super::super::Reason::Removed;
            assert!(
                *peer == self.plan.honest || removed,
                "seed {seed}: {host} dropped {peer}, an honest peer: {reason}"
            );
        }
        for event in &me.view.events {
            match event {
                Event::Cloned => panic!("seed {seed}: {host} took a restart for a clone"),
                // Where rights change, so may those of whoever let one in: a feed that lies beyond a cut goes on in
                // another life.
                Event::Reborn(_) => assert!(
                    self.plan.trust,
                    "seed {seed}: {host} took a restart for a copy"
                ),
                Event::Forked(feed) => {
                    assert_eq!(feed.device, bent, "seed {seed}: {host} found a copy");
                }
                _ => {}
            }
        }
    }
}

fn check(seed: u64, plan: Plan) {
    let mut lab = Lab::new(seed, plan);
    lab.run();
    lab.check();
}

const SMALL: Plan = Plan {
    honest: 5,
    steps: 100,
    trust: false,
};

/// Invariants 2 and 4: no peer is trusted, order is causal.
#[test]
fn honest_hosts_converge_and_show_nothing_unsigned() {
    for seed in 1..=24 {
        check(seed, SMALL);
    }
}

/// The same while members come and go and rights change hands.
#[test]
fn whoever_is_in_agrees_on_who_is_in() {
    let plan = Plan {
        honest: 7,
        trust: true,
        ..SMALL
    };
    for seed in 1..=24 {
        check(seed, plan);
    }
}

/// What `cargo xtask sim` asks for, by the environment; two dozen seeds of a class without it.
#[test]
fn a_class() {
    let asked = |name: &str, otherwise: u64| {
        std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
    };
    let honest = usize::try_from(asked("ARTEL_SIM_NODES", 30)).unwrap();
    let (from, seeds) = (asked("ARTEL_SIM_FROM", 1), asked("ARTEL_SIM_SEEDS", 24));
    let plan = Plan {
        honest: honest.max(TEACHERS.end + 2),
        steps: usize::try_from(asked("ARTEL_SIM_STEPS", 100)).unwrap(),
        trust: true,
    };
    let began = std::time::Instant::now();
    for seed in from..from + seeds {
        check(seed, plan);
        // Seen with --nocapture: whoever waits for a thousand wants to know how far it is.
        eprintln!(
            "seed {seed}: {honest} nodes agree ({:.0} s)",
            began.elapsed().as_secs_f64()
        );
    }
}
