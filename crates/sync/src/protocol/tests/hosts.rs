//! Hosts in virtual time: each a node, its ledger, and what an application would show. A link keeps order until it
//! breaks; then what was on its way is lost. Everything follows from the seed.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
};

use artel_domain::{Content, DeviceKey, MemberId, MemberKey, MessageId, RoomId, SpaceId};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use super::super::{
    Entropy, Event, Identity, Lane, MemoryLedger, Node, Output, Reach, Reason, Shown, frame::Frame,
    mesh::FULL,
};
use crate::Ports;

/// A shown record, as an application keeps it.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent marks of one record"
)]
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) author: MemberId,
    pub(super) content: Option<Content>,
    pub(super) erased: bool,
    pub(super) provisional: bool,
    pub(super) late: bool,
    pub(super) ahead: bool,
}

/// What an application keeps in the same transaction as the ledger.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    pub(super) rooms: BTreeMap<RoomId, BTreeMap<(u64, MessageId), Row>>,
    pub(super) events: Vec<Event>,
}

impl View {
    fn row(&mut self, room: RoomId, id: MessageId) -> Option<&mut Row> {
        self.rooms
            .get_mut(&room)?
            .iter_mut()
            .find(|((_, i), _)| *i == id)
            .map(|(_, row)| row)
    }

    fn take(&mut self, event: Event) {
        match &event {
            Event::Shown(shown) => {
                let Shown {
                    room,
                    id,
                    author,
                    lamport,
                    body,
                    erased,
                    late,
                    provisional,
                    ahead,
                    ..
                } = (**shown).clone();
                let content = body.map(|b| b.content);
                let row = Row {
                    author,
                    content,
                    erased,
                    provisional,
                    late,
                    ahead,
                };
                let old = self
                    .rooms
                    .entry(room)
                    .or_default()
                    .insert((lamport, id), row);
                assert!(old.is_none_or(|old| old.ahead), "shown twice: {id:?}");
            }
            Event::Settled { room, id, .. } => {
                self.row(*room, *id)
                    .expect("settled what is shown")
                    .provisional = false;
            }
            Event::Withdrawn { room, id, .. } => {
                self.row(*room, *id).expect("withdrew what is shown");
                self.rooms
                    .get_mut(room)
                    .unwrap()
                    .retain(|(_, i), _| i != id);
            }
            Event::Erased { room, id, .. } => {
                if let Some(row) = self.row(*room, *id) {
                    (row.content, row.erased) = (None, true);
                }
            }
            _ => {}
        }
        self.events.push(event);
    }
}

pub(super) struct Host {
    pub(super) identity: Identity,
    pub(super) node: Node,
    pub(super) ledger: MemoryLedger,
    pub(super) view: View,
    pub(super) dropped: Vec<(usize, Reason)>,
    /// How far its clock is ahead, in milliseconds.
    pub(super) skew: i64,
    /// Where it knows others to listen.
    pub(super) reachable: BTreeMap<usize, Ports>,
    /// Where others told it that somebody was reached.
    pub(super) hints: Vec<(usize, SocketAddr)>,
}

/// Bytes of files that may wait on a link, as the transport has it.
const FILE_LANE: usize = 320 * 1_024;

#[derive(Default)]
struct Wire {
    frames: VecDeque<(i64, Vec<u8>)>,
    last: i64,
    /// What is on its way of files, until when each.
    files: VecDeque<(i64, usize)>,
}

impl Wire {
    /// Bytes of files on their way, with these.
    fn carry_file(&mut self, now: i64, at: i64, bytes: usize) -> usize {
        self.files.retain(|(until, _)| *until > now);
        self.files.push_back((at, bytes));
        self.files.iter().map(|(_, bytes)| bytes).sum()
    }
}

/// All hosts, the links between them, and the clock.
pub(super) struct World {
    pub(super) hosts: Vec<Host>,
    pub(super) now: i64,
    pub(super) rng: StdRng,
    links: BTreeSet<(usize, usize)>,
    wires: BTreeMap<(usize, usize), Wire>,
    seed: u64,
    loads: u64,
    /// Host whose frames are given to [`super::hostile`] before they leave.
    pub(super) hostile: Option<usize>,
    /// A host of which no frame arrives.
    pub(super) silent: Option<usize>,
    /// Whether frames arrive at once.
    pub(super) quick: bool,
    /// A host that gives what it is asked of files one by one, each after so long.
    pub(super) sluggish: Option<(usize, i64)>,
    /// A host that passes on what the two others knock and answer, and says nothing of it itself.
    pub(super) relay: Option<(usize, usize, usize)>,
    /// Who showed a door that it knows the code.
    pub(super) proved: BTreeSet<usize>,
    /// Who told whom where it listens.
    pub(super) told: BTreeSet<(usize, usize)>,
    pub(super) sent: u64,
    pub(super) registers_sent: u64,
    pub(super) sent_file_bytes: u64,
    /// Of those, how many each host sent.
    pub(super) file_bytes_of: BTreeMap<usize, u64>,
    /// Missing bodies that were asked for.
    pub(super) bodies_asked: usize,
    /// Frames that told of feeds that grew.
    pub(super) news: u64,
    /// Bytes that each host has sent.
    pub(super) sent_by: BTreeMap<usize, u64>,
}

fn key(seed: u64, host: usize, kind: &str) -> [u8; 32] {
    blake3::derive_key(kind, format!("{seed} {host}").as_bytes())
}

impl World {
    pub(super) fn new(seed: u64, count: usize) -> Self {
        let mut world = Self {
            hosts: Vec::new(),
            now: 1_800_000_000_000,
            rng: StdRng::seed_from_u64(seed),
            links: BTreeSet::new(),
            wires: BTreeMap::new(),
            seed,
            loads: 0,
            hostile: None,
            silent: None,
            quick: false,
            sluggish: None,
            relay: None,
            proved: BTreeSet::new(),
            told: BTreeSet::new(),
            sent: 0,
            registers_sent: 0,
            sent_file_bytes: 0,
            file_bytes_of: BTreeMap::new(),
            bodies_asked: 0,
            news: 0,
            sent_by: BTreeMap::new(),
        };
        for host in 0..count {
            world.add_host(host);
        }
        world
    }

    fn add_host(&mut self, host: usize) {
        let identity = Identity {
            member: MemberKey::from_bytes(&key(self.seed, host, "member")),
            device: DeviceKey::from_bytes(&key(self.seed, host, "device")),
            name: format!("host {host}"),
        };
        let mut ledger = MemoryLedger::new();
        let node = Node::load(identity.clone(), self.entropy(), &mut ledger).unwrap();
        self.hosts.push(Host {
            identity,
            node,
            ledger,
            view: View::default(),
            dropped: Vec::new(),
            skew: 0,
            reachable: BTreeMap::new(),
            hints: Vec::new(),
        });
    }

    fn entropy(&mut self) -> Entropy {
        self.loads += 1;
        Entropy::seeded(self.seed.wrapping_mul(1_000_003).wrapping_add(self.loads))
    }

    /// The host that has a device; of several with one key, the one that is linked.
    fn index(&self, from: usize, device: &artel_domain::DeviceId) -> usize {
        let has = |host: &usize| self.hosts[*host].node.device() == *device;
        (0..self.hosts.len())
            .filter(has)
            .max_by_key(|host| self.linked(from, *host))
            .expect("a host")
    }

    /// Runs an input in a transaction of its own and releases its outputs.
    pub(super) fn with<T>(
        &mut self,
        host: usize,
        act: impl FnOnce(&mut Node, &mut MemoryLedger, i64) -> T,
    ) -> T {
        let Host {
            node, ledger, skew, ..
        } = &mut self.hosts[host];
        let now = self.now + *skew;
        let result = act(node, ledger, now);
        self.release(host);
        result
    }

    fn release(&mut self, host: usize) {
        for output in self.hosts[host].node.take_outputs() {
            match output {
                Output::Send { peer, lane, bytes } => {
                    let to = self.index(host, &peer);
                    self.sent += 1;
                    *self.sent_by.entry(host).or_default() += bytes.len() as u64;
                    match Frame::decode(&bytes) {
                        Ok(Frame::Listening(_)) => {
                            self.told.insert((host, to));
                        }
                        Ok(Frame::Registers { registers, .. }) => {
                            self.registers_sent += registers.len() as u64;
                        }
                        Ok(Frame::KnockProof { .. }) => {
                            self.proved.insert(host);
                        }
                        Ok(Frame::News { .. }) => self.news += 1,
                        Ok(Frame::WantBodies { records, .. }) => self.bodies_asked += records.len(),
                        _ => {}
                    }
                    assert!(bytes.len() <= artel_domain::limits::MAX_FRAME);
                    if lane == Lane::File {
                        self.sent_file_bytes += bytes.len() as u64;
                        *self.file_bytes_of.entry(host).or_default() += bytes.len() as u64;
                    }
                    let frames = if self.hostile == Some(host) {
                        super::hostile::bend(bytes, &self.hosts[host].identity, &mut self.rng)
                    } else {
                        vec![bytes]
                    };
                    if !self.linked(host, to) || self.silent == Some(host) {
                        continue;
                    }
                    let delay = self.rng.random_range(1..80) * i64::from(!self.quick);
                    let wire = self.wires.entry((host, to)).or_default();
                    wire.last = wire.last.max(self.now + delay);
                    if let Some((_, each)) = self.sluggish.filter(|(who, _)| *who == host)
                        && lane == Lane::File
                    {
                        wire.last += each;
                    }
                    let at = wire.last;
                    if lane == Lane::File && self.hostile.is_none() {
                        let bytes = frames.iter().map(Vec::len).sum();
                        let waiting = wire.carry_file(self.now, at, bytes);
                        assert!(waiting <= FILE_LANE, "{waiting} bytes of files to {to}");
                    }
                    wire.frames
                        .extend(frames.into_iter().map(|bytes| (at, bytes)));
                }
                Output::Disconnect { peer, reason } => {
                    let to = self.index(host, &peer);
                    self.hosts[host].dropped.push((to, reason));
                    self.cut(host, to);
                }
                Output::Reachable { peer, ports } => {
                    let who = self.index(host, &peer);
                    self.hosts[host].reachable.insert(who, ports);
                }
                Output::Hint { peer, at } => {
                    let who = self.index(host, &peer);
                    self.hosts[host].hints.push((who, at));
                }
                Output::Event(event) => self.hosts[host].view.take(event),
            }
        }
    }

    pub(super) fn linked(&self, a: usize, b: usize) -> bool {
        self.links.contains(&(a.min(b), a.max(b)))
    }

    pub(super) fn link(&mut self, a: usize, b: usize) {
        if a == b || !self.links.insert((a.min(b), a.max(b))) {
            return;
        }
        for (one, other) in [(a, b), (b, a)] {
            self.wires.insert((one, other), Wire::default());
            if self.linked(a, b) {
                let peer = self.hosts[other].node.device();
                self.with(one, |node, ledger, now| node.connected(ledger, now, peer))
                    .unwrap();
            }
        }
    }

    pub(super) fn cut(&mut self, a: usize, b: usize) {
        if !self.links.remove(&(a.min(b), a.max(b))) {
            return;
        }
        for (one, other) in [(a, b), (b, a)] {
            self.wires.remove(&(one, other));
            let peer = self.hosts[other].node.device();
            self.with(one, |node, ledger, now| {
                node.disconnected(ledger, now, peer)
            })
            .unwrap();
        }
    }

    pub(super) fn link_all(&mut self) {
        for a in 0..self.hosts.len() {
            for b in a + 1..self.hosts.len() {
                self.link(a, b);
            }
        }
    }

    /// Ends a host's process and starts it again from its ledger.
    pub(super) fn restart(&mut self, host: usize) {
        for other in 0..self.hosts.len() {
            self.cut(host, other);
        }
        let entropy = self.entropy();
        let Host {
            identity,
            node,
            ledger,
            ..
        } = &mut self.hosts[host];
        *node = Node::load(identity.clone(), entropy, ledger).unwrap();
        self.release(host);
    }

    /// A second installation of a host, keys and all, as a copied disk makes one.
    pub(super) fn copy_host(&mut self, host: usize) -> usize {
        let Host {
            identity,
            ledger,
            view,
            ..
        } = &self.hosts[host];
        let (identity, mut ledger, view) = (identity.clone(), ledger.clone(), view.clone());
        let node = Node::load(identity.clone(), self.entropy(), &mut ledger).unwrap();
        self.hosts.push(Host {
            identity,
            node,
            ledger,
            view,
            dropped: Vec::new(),
            skew: 0,
            reachable: BTreeMap::new(),
            hints: Vec::new(),
        });
        self.hosts.len() - 1
    }

    /// As a restored backup does: the same person and data, another device.
    pub(super) fn move_to_new_device(&mut self, host: usize) {
        for other in 0..self.hosts.len() {
            self.cut(host, other);
        }
        self.hosts[host].identity.device =
            DeviceKey::from_bytes(&key(self.seed, host, "new device"));
        self.restart(host);
        self.with(host, |node, ledger, _| node.renew_incarnation(ledger))
            .unwrap();
    }

    /// Delivers the next frame whose time has come, in a transaction that fails now and then.
    fn deliver(&mut self, until: i64, crashes: bool) -> bool {
        let due = self
            .wires
            .iter()
            .filter_map(|(way, wire)| wire.frames.front().map(|(at, _)| (*at, *way)))
            .filter(|(at, _)| *at <= until)
            .min();
        let Some((at, way)) = due else { return false };
        self.now = self.now.max(at);
        let (_, frame) = self
            .wires
            .get_mut(&way)
            .unwrap()
            .frames
            .pop_front()
            .unwrap();
        let (from, to) = way;
        if let Some(on) = self.passed_on(from, to, &frame) {
            let wire = self.wires.entry((to, on)).or_default();
            wire.last = wire.last.max(at);
            wire.frames.push_back((wire.last, frame));
            return true;
        }
        let peer = self.hosts[from].node.device();
        if crashes && self.rng.random_ratio(1, 400) {
            let mut doomed = self.hosts[to].ledger.clone();
            let now = self.now;
            self.hosts[to]
                .node
                .received(&mut doomed, now, peer, &frame)
                .unwrap();
            drop(self.hosts[to].node.take_outputs());
            self.restart(to);
        } else {
            self.with(to, |node, ledger, now| {
                node.received(ledger, now, peer, &frame)
            })
            .unwrap();
        }
        true
    }

    /// To whom the relay passes on a frame that it got.
    fn passed_on(&self, from: usize, at: usize, frame: &[u8]) -> Option<usize> {
        let (one, _, other) = self.relay.filter(|(_, relay, _)| *relay == at)?;
        let of_doors = matches!(
            Frame::decode(frame),
            Ok(Frame::Knock { .. }
                | Frame::KnockAnswer { .. }
                | Frame::KnockProof { .. }
                | Frame::DoorOpened { .. }
                | Frame::DoorShut { .. })
        );
        of_doors.then_some(if from == one { other } else { one })
    }

    /// Lets time pass, in milliseconds, with ticks every 250.
    pub(super) fn run(&mut self, duration: i64) {
        self.run_with(duration, false);
    }

    pub(super) fn run_with(&mut self, duration: i64, crashes: bool) {
        let end = self.now + duration;
        if self.hosts.len() > FULL {
            let reach = Reach {
                heard: BTreeSet::new(),
                known: self.devices(),
            };
            for host in &mut self.hosts {
                host.node.held_off(&reach);
            }
        }
        while self.now < end {
            let until = (self.now + 250).min(end);
            while self.deliver(until, crashes) {}
            self.now = until;
            for host in 0..self.hosts.len() {
                self.with(host, |node, ledger, now| node.tick(ledger, now))
                    .unwrap();
            }
        }
    }

    /// Hosts that one is linked with.
    pub(super) fn links_of(&self, host: usize) -> Vec<usize> {
        (0..self.hosts.len())
            .filter(|other| self.linked(host, *other))
            .collect()
    }

    /// Every host dials those that it may, as the network does when it has heard of everybody.
    pub(super) fn dial(&mut self) {
        let reach = Reach {
            heard: self.devices(),
            known: self.devices(),
        };
        for host in 0..self.hosts.len() {
            let off = self.hosts[host].node.held_off(&reach);
            for other in 0..self.hosts.len() {
                let device = self.hosts[other].node.device();
                if !off.there.contains(&device) && !off.away.contains(&device) {
                    self.link(host, other);
                }
            }
        }
    }

    fn devices(&self) -> BTreeSet<artel_domain::DeviceId> {
        self.hosts.iter().map(|host| host.node.device()).collect()
    }

    /// The first host founds a space, the others join it by one invite.
    pub(super) fn found(&mut self) -> (SpaceId, RoomId) {
        let space = self
            .with(0, |node, ledger, now| {
                node.found_space(ledger, now, "Class 7-B")
            })
            .unwrap();
        let room = self.hosts[0].node.rooms(&space)[0].room;
        let code = self.invite(0, space, 100);
        self.link_all();
        for host in 1..self.hosts.len() {
            self.with(host, |node, ledger, now| node.join(ledger, now, &code))
                .unwrap();
        }
        self.run(5_000);
        if self.hosts.len() > 40 {
            self.run(25_000);
        }
        for host in &self.hosts {
            assert_eq!(host.node.members(&space).len(), self.hosts.len());
        }
        (space, room)
    }

    pub(super) fn invite(
        &mut self,
        host: usize,
        space: SpaceId,
        seats: u32,
    ) -> artel_domain::InviteCode {
        let terms = super::super::InviteTerms {
            role: artel_domain::Role::Student,
            seats,
            expires_at: self.now + 86_400_000,
            approve: false,
        };
        self.with(host, |node, ledger, now| {
            node.create_invite(ledger, now, space, terms)
        })
        .unwrap()
    }

    pub(super) fn say(
        &mut self,
        host: usize,
        space: SpaceId,
        room: RoomId,
        text: &str,
    ) -> MessageId {
        let content = Content::Text {
            text: text.to_owned(),
            reply_to: None,
            attachments: Vec::new(),
        };
        self.with(host, |node, ledger, now| {
            node.send(ledger, now, space, room, content)
        })
        .unwrap()
        .id
    }

    /// A host leaves a space by itself.
    pub(super) fn leave(&mut self, host: usize, space: SpaceId) {
        let me = self.hosts[host].node.member();
        self.with(host, |node, ledger, now| {
            node.remove(ledger, now, space, me, false)
        })
        .unwrap();
    }

    /// A member's standing as a host sees it.
    pub(super) fn state(
        &self,
        host: usize,
        space: SpaceId,
        member: MemberId,
    ) -> super::super::MemberState {
        let members = self.hosts[host].node.members(&space);
        members.iter().find(|m| m.member == member).unwrap().state
    }

    /// Texts that a host shows in a room, in order.
    pub(super) fn texts(&self, host: usize, room: RoomId) -> Vec<String> {
        let rows = self.hosts[host].view.rooms.get(&room);
        rows.into_iter()
            .flat_map(BTreeMap::values)
            .map(|row| match &row.content {
                Some(Content::Text { text, .. }) => text.clone(),
                Some(Content::Edit { text, .. }) => format!("edit: {text}"),
                Some(Content::Delete { .. }) => "delete".to_owned(),
                None => "erased".to_owned(),
                Some(other) => format!("{other:?}"),
            })
            .collect()
    }

    pub(super) fn events(&self, host: usize) -> &[Event] {
        &self.hosts[host].view.events
    }
}
