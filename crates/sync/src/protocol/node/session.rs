//! What a node knows of a connected peer, and how two peers find what they have in common.
//!
//! The transport (libp2p's Noise) does not give out its handshake's hash, so nonces that both sides send inside the
//! encrypted channel stand in for it: a tag is a keyed hash of both nonces and both devices, in the direction it is
//! sent. Only one who has the key (a space's secrets, the two devices' agreement, or an invite) can make or recognise
//! it, and none is worth anything on another link.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
};

use artel_domain::{
    Content, Control, DeviceCertificate, DeviceId, InviteId, MemberId, Permission, RoomId, Signed,
    SpaceId,
};
use zeroize::Zeroizing;

use super::{
    super::{
        event::{CommandError, Output, Peer, Reason},
        frame::{Digest, Frame, MAX_TAGS, TAG_PAD, Tag},
        ledger::{FeedKey, Ledger, LedgerResult},
        roster::MemberState,
    },
    Fault, Node,
    commands::Said,
    direct::AskingSealed,
    doors::{Guest, Knock},
    registers::Asking,
    space::Space,
};
use crate::Ports;

/// How long a peer that broke the rules is not spoken to, in milliseconds.
const BAN: i64 = 600_000;
/// How long the link to one who was removed stays open, so that they hear of it, in milliseconds. It carries nothing.
const FAREWELL: i64 = 2_000;
/// How long a stranger keeps a place that others want, in milliseconds.
const STRANGER: i64 = 10_000;
/// Most peers remembered as banned.
const MAX_BANS: usize = 1_024;

/// A token bucket: frames cost tokens, time brings them back.
struct Bucket {
    tokens: i64,
    filled: i64,
}

impl Bucket {
    const FULL: i64 = 6_000;
    const PER_SECOND: i64 = 600;

    fn full(now: i64) -> Self {
        Self {
            tokens: Self::FULL,
            filled: now,
        }
    }

    fn fill(&mut self, now: i64) {
        let passed = now.saturating_sub(self.filled).clamp(0, 60_000);
        self.tokens = (self.tokens + passed * Self::PER_SECOND / 1_000).min(Self::FULL);
        self.filled = now;
    }

    fn take(&mut self, now: i64, cost: i64) -> bool {
        self.fill(now);
        self.tokens -= cost;
        self.tokens >= 0
    }
}

/// A space in common with a peer.
#[derive(Default)]
pub(super) struct Link {
    /// The peer's certificate was checked; it belongs to this person.
    pub(super) certified: Option<MemberId>,
    /// The roster says so too.
    pub(super) member: bool,
    /// The roster says that the person was removed.
    pub(super) removed: bool,
    /// The peer has shown that it takes this node for a member.
    pub(super) accepted: bool,
    /// How the peer is asked for missing bodies of the direct room.
    pub(super) sealed: AskingSealed,
    /// The peer's last summary that was found equal.
    pub(super) in_step_at: Option<(Digest, Option<Digest>)>,
    /// Version of the space at the last summary, sent or found equal.
    pub(super) summarised: u64,
    /// When the last summary was sent.
    pub(super) summarised_at: i64,
    /// Version of the space's registers at the last digest of them, sent or found equal, if there was any, and when one was
    /// sent.
    pub(super) registers: Option<u64>,
    pub(super) registers_at: i64,
    /// The last room of which the peer was told what registers are here.
    pub(super) registers_told: Option<RoomId>,
    /// Which version of what others said the peer has heard, from this node or before.
    pub(super) heard: BTreeMap<DeviceId, u64>,
}

/// How a join stands with one peer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// Its tag went with the tags of this number.
    Tagged(u32),
    /// The peer knows the invite, and was asked to countersign at this time.
    Met(SpaceId, MemberId, i64),
    /// The peer knows nothing of it. It may learn.
    Unknown,
    /// The peer has answered.
    Done,
}

/// A connected peer.
pub(super) struct Session {
    mine: [u8; 32],
    theirs: Option<[u8; 32]>,
    tags: BTreeSet<Tag>,
    tags_sent: u32,
    tags_seen: u32,
    bucket: Bucket,
    /// What the peer's bucket for this node holds at least: questions wait rather than empty it.
    asking: Bucket,
    pub(super) opened_at: i64,
    /// Feeds that the peer was to give and did not, and until when it is not asked for them again.
    pub(super) hopeless: BTreeMap<FeedKey, i64>,
    /// Feeds to ask the peer for, once it has answered other questions.
    pub(super) queue: VecDeque<(FeedKey, u64)>,
    /// Registers to ask the peer for.
    pub(super) registers: Asking,
    /// When the link is closed, because the peer was removed.
    leaves_at: Option<i64>,
    /// What only this device and the peer's can compute.
    pairing: Option<Zeroizing<[u8; 32]>>,
    /// Spaces that the peer let this member into, in this session.
    pub(super) granted: BTreeSet<SpaceId>,
    pub(super) links: BTreeMap<SpaceId, Link>,
    /// Invites by which the peer asked to be let in.
    pub(super) joiner: BTreeSet<InviteId>,
    /// Those of them that led somewhere: the peer has been a member since.
    pub(super) let_in: BTreeSet<InviteId>,
    pub(super) asked: BTreeMap<InviteId, Asked>,
    /// The peer knocked at a door of this node.
    pub(super) guest: Option<Guest>,
    /// This node knocked at the peer's, with this number, and how that stands.
    pub(super) knock: Option<(u32, Knock)>,
    /// Where this node listens, as the peer was told.
    told: Ports,
    /// Where the peer listens, until it has proven membership.
    ports: Option<Ports>,
    /// When the peer was last asked whether it needs the link.
    pub(super) parting_at: Option<i64>,
    /// Addresses of others that the peer was told.
    pub(super) hinted: BTreeMap<DeviceId, SocketAddr>,
    /// How many it told.
    pub(super) hints: usize,
}

impl Node {
    pub(super) fn open_session(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        peer: Peer,
    ) -> LedgerResult<()> {
        self.close_session(ledger, &peer)?;
        let refused = if peer == self.device() {
            Some(Reason::Itself)
        } else if self.banned.get(&peer).is_some_and(|until| *until > now) {
            Some(Reason::Banned)
        } else if self.sessions.len() >= self.most_sessions() && !self.make_room(ledger, now)? {
            Some(Reason::Crowded)
        } else {
            None
        };
        let nonce = self.entropy.draw();
        let (None, Ok(mine)) = (refused, nonce) else {
            self.outputs.push(Output::Disconnect {
                peer,
                reason: refused.unwrap_or(Reason::Crowded),
            });
            return Ok(());
        };
        let session = Session {
            mine,
            leaves_at: None,
            opened_at: now,
            hopeless: BTreeMap::new(),
            queue: VecDeque::new(),
            registers: Asking::default(),
            pairing: self.identity.device.agree(&peer),
            granted: BTreeSet::new(),
            theirs: None,
            tags: BTreeSet::new(),
            tags_sent: 0,
            tags_seen: 0,
            bucket: Bucket::full(now),
            asking: Bucket::full(now),
            links: BTreeMap::new(),
            joiner: BTreeSet::new(),
            let_in: BTreeSet::new(),
            asked: BTreeMap::new(),
            guest: None,
            knock: None,
            told: Ports::default(),
            ports: None,
            parting_at: None,
            hinted: BTreeMap::new(),
            hints: 0,
        };
        self.sessions.insert(peer, session);
        self.send_frame(&peer, &Frame::Hello { nonce: mine });
        Ok(())
    }

    fn most_sessions(&self) -> usize {
        usize::try_from(self.settings.connections).unwrap_or(usize::MAX)
    }

    /// Lets the longest connected stranger go, one with whom nothing came to be in common, so that others find room.
    fn make_room(&mut self, ledger: &mut dyn Ledger, now: i64) -> LedgerResult<bool> {
        let stranger = |session: &&Session| {
            now.saturating_sub(session.opened_at) >= STRANGER
                && session.joiner.is_empty()
                && !session.is_of_member()
                && session
                    .asked
                    .values()
                    .all(|asked| matches!(asked, Asked::Unknown | Asked::Done))
        };
        let oldest = self
            .sessions
            .iter()
            .filter(|(_, session)| stranger(session))
            .min_by_key(|(_, session)| session.opened_at)
            .map(|(peer, _)| *peer);
        match oldest {
            Some(peer) => self
                .drop_peer(ledger, now, peer, Reason::Crowded)
                .map(|()| true),
            None => Ok(false),
        }
    }

    /// Forgets a session and everything asked of its peer.
    pub(super) fn close_session(
        &mut self,
        ledger: &mut dyn Ledger,
        peer: &Peer,
    ) -> LedgerResult<()> {
        let Some(session) = self.sessions.remove(peer) else {
            return Ok(());
        };
        for (space, link) in session.links {
            if link.member {
                self.look_around(space);
            }
        }
        let before = self.wants.len();
        self.searches.retain(|_, search| search.peer != *peer);
        self.wants.retain(|_, want| want.peer != *peer);
        if self.wants.len() != before {
            self.summaries_due();
        }
        self.forget_fetches_of(ledger, peer)
    }

    pub(super) fn drop_peer(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        peer: Peer,
        reason: Reason,
    ) -> LedgerResult<()> {
        if matches!(reason, Reason::Broke(_) | Reason::Flooding) {
            if self.banned.len() >= MAX_BANS {
                self.banned.pop_first();
            }
            self.banned.insert(peer, now.saturating_add(BAN));
        }
        self.close_session(ledger, &peer)?;
        self.outputs.push(Output::Disconnect { peer, reason });
        Ok(())
    }

    /// Whether a peer may spend this much now.
    pub(super) fn spend(&mut self, now: i64, peer: &Peer, cost: i64) -> bool {
        self.sessions
            .get_mut(peer)
            .is_none_or(|session| session.bucket.take(now, cost))
    }

    /// Takes what an input costs a peer beyond what it seemed to.
    pub(super) fn charge(&mut self, peer: &Peer, cost: i64) {
        if let Some(session) = self.sessions.get_mut(peer) {
            session.bucket.tokens -= cost;
        }
    }

    /// Gives back what an input has cost a peer.
    pub(super) fn refund(&mut self, peer: &Peer, cost: i64) {
        if let Some(session) = self.sessions.get_mut(peer) {
            session.bucket.tokens = (session.bucket.tokens + cost).min(Bucket::FULL);
        }
    }

    pub(super) fn on_hello(&mut self, now: i64, peer: &Peer, nonce: [u8; 32]) -> Result<(), Fault> {
        let Some(session) = self.sessions.get_mut(peer) else {
            return Ok(());
        };
        if session.theirs.replace(nonce).is_some() {
            return Err(Fault::Broke("a second greeting"));
        }
        self.send_tags(peer);
        self.knock_at(now, peer);
        Ok(())
    }

    /// Sends the tags of everything this node has: spaces it is or was in, and joins under way.
    pub(super) fn send_tags(&mut self, peer: &Peer) {
        let me = self.device();
        let Some(session) = self.sessions.get_mut(peer) else {
            return;
        };
        let Some(theirs) = session.theirs else { return };
        let way = Way {
            from: me,
            to: *peer,
            nonce_from: session.mine,
            nonce_to: theirs,
        };
        session.tags_sent += 1;
        let mut tags: Vec<Tag> = Vec::new();
        for invite in self.joins.keys() {
            tags.push(way.tag(&invite_meeting_key(invite)));
            session
                .asked
                .entry(*invite)
                .or_insert(Asked::Tagged(session.tags_sent));
        }
        // Also of spaces that this member was removed from, but last: one who knows better, since the removal does not stand
        // or was followed by a return, expects this device and can say so. Only by the key of the pair: one who left by
        // themselves still has the members' own, and is nobody's business any more.
        let member = self.identity.member.id();
        let is_out = |space: &&Space| {
            let me = space.roster.member(&member);
            let mut joins = self.joins.values();
            me.is_some_and(|me| me.state == MemberState::Removed)
                && !joins.any(|joining| joining.code.leads_to(&space.id()))
        };
        let (out, inside): (Vec<&Space>, Vec<&Space>) = self.spaces.values().partition(is_out);
        let all = inside
            .into_iter()
            .flat_map(|space| session.meeting_keys(space, peer));
        let pairs = out
            .into_iter()
            .filter_map(|space| session.pair_key(space, peer));
        tags.extend(all.chain(pairs).map(|key| way.tag(&key)));
        tags.truncate(MAX_TAGS);
        while tags.len() < TAG_PAD || !tags.len().is_multiple_of(TAG_PAD) {
            let Ok(pad) = self.entropy.draw() else { return };
            tags.push(pad);
        }
        tags.sort_unstable();
        self.send_frame(peer, &Frame::Tags(tags));
    }

    /// Tells every peer of new tags, and looks again at theirs: a space or a join came.
    pub(super) fn retag(&mut self) {
        for peer in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.send_tags(&peer);
            self.match_tags(&peer);
        }
    }

    pub(super) fn on_tags(&mut self, peer: &Peer, tags: Vec<Tag>) -> Result<(), Fault> {
        let Some(session) = self.sessions.get_mut(peer) else {
            return Ok(());
        };
        if session.theirs.is_none() {
            return Err(Fault::Broke("tags before a greeting"));
        }
        session.tags = tags.into_iter().collect();
        // Who sends the tag of an invite (again) is answered (again): it may have begun anew.
        session.joiner.clear();
        self.match_tags(peer);
        self.send_frame(peer, &Frame::TagsSeen);
        Ok(())
    }

    /// Looks for spaces and invites of this node among a peer's tags.
    pub(super) fn match_tags(&mut self, peer: &Peer) {
        let me = self.device();
        let Some(session) = self.sessions.get_mut(peer) else {
            return;
        };
        let Some(theirs) = session.theirs else { return };
        let way = Way {
            from: *peer,
            to: me,
            nonce_from: theirs,
            nonce_to: session.mine,
        };
        let mut frames = Vec::new();
        for (id, space) in &self.spaces {
            let meets = !session.links.contains_key(id)
                && session
                    .meeting_keys(space, peer)
                    .iter()
                    .any(|key| session.tags.contains(&way.tag(key)));
            if meets {
                session.links.insert(*id, Link::default());
                frames.push(Frame::Prove {
                    space: *id,
                    certificate: self.certificate.wire().to_vec(),
                });
            }
            for invite in &space.roster.invites {
                if !session.joiner.contains(&invite.id)
                    && session
                        .tags
                        .contains(&way.tag(&invite_meeting_key(&invite.id)))
                {
                    session.joiner.insert(invite.id);
                    frames.push(Frame::Meet {
                        invite: invite.id,
                        genesis: space.genesis.wire().to_vec(),
                        witness: self.certificate.wire().to_vec(),
                    });
                }
            }
        }
        for frame in frames {
            self.send_frame(peer, &frame);
        }
    }

    pub(super) fn on_tags_seen(&mut self, peer: &Peer) {
        let Some(session) = self.sessions.get_mut(peer) else {
            return;
        };
        session.tags_seen = session.tags_seen.saturating_add(1);
        let seen = session.tags_seen;
        let mut unknown = Vec::new();
        for (invite, asked) in &mut session.asked {
            if matches!(asked, Asked::Tagged(number) if *number <= seen) {
                *asked = Asked::Unknown;
                unknown.push(*invite);
            }
        }
        for invite in unknown {
            self.refused(peer, invite, super::super::event::Refusal::Unknown);
        }
    }

    pub(super) fn on_prove(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        peer: &Peer,
        space: SpaceId,
        certificate: &[u8],
    ) -> Result<(), Fault> {
        let Some(link) = self
            .sessions
            .get_mut(peer)
            .and_then(|s| s.links.get_mut(&space))
        else {
            return Ok(());
        };
        let certificate = Signed::<DeviceCertificate>::open(certificate)
            .map_err(|_| Fault::Broke("a certificate is not sound"))?;
        if certificate.value().device != *peer {
            return Err(Fault::Broke("a certificate of another device"));
        }
        let member = certificate.value().member;
        link.certified = Some(member);
        self.enrol(ledger, now, &certificate, space)?;
        self.refresh_link(now, peer, space)?;
        if self.link(peer, &space).is_some_and(|link| !link.removed) {
            self.send_summary(now, peer, space);
        }
        Ok(())
    }

    /// A member came at a machine that the roster does not know, such as one that a backup was restored on: whoever may
    /// countersign vouches for the certificate.
    fn enrol(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        certificate: &Signed<DeviceCertificate>,
        id: SpaceId,
    ) -> Result<(), Fault> {
        let DeviceCertificate { member, device, .. } = certificate.value();
        let Some(space) = self.spaces.get(&id).filter(|_| self.is_inside(&id)) else {
            return Ok(());
        };
        let in_and = |member: &MemberId| {
            let found = space.roster.member(member);
            found.filter(|found| found.state == MemberState::Member)
        };
        let may = in_and(&self.member()).is_some_and(|me| me.role.may(Permission::Countersign));
        let fits = in_and(member).is_some_and(|member| member.has_place_for(device));
        if !may || !fits || space.roster.of_device(device).is_some() {
            return Ok(());
        }
        let enrol = Control::Enrol {
            certificate: certificate.wire().to_vec(),
        };
        match self.write(ledger, now, id, id.control_room(), Content::Control(enrol)) {
            Ok(_) => Ok(()),
            Err(CommandError::Ledger(error)) => Err(Fault::Ledger(error)),
            Err(_) => Err(Fault::Broke("a device that cannot be enrolled")),
        }
    }

    /// Lets this device in by its own word where the roster has this member, not this device, and nobody else who could
    /// vouch for it: the founder of a space without other members, on a restored profile.
    ///
    /// # Errors
    /// The ledger failed, or the entry cannot be written.
    pub fn enrol_where_alone(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
    ) -> Result<(), CommandError> {
        let (me, device) = (self.member(), self.device());
        let alone: Vec<SpaceId> = self
            .spaces
            .values()
            .filter(|space| space.roster.may_enrol_itself(&me, &device))
            .map(Space::id)
            .collect();
        for space in alone {
            let enrol = Control::Enrol {
                certificate: self.certificate.wire().to_vec(),
            };
            let room = space.control_room();
            // Its word for itself comes first in its feed, or nobody keeps that.
            let said = Said::Open(Content::Control(enrol));
            self.write_after(ledger, now, space, room, said, None)?;
        }
        Ok(())
    }

    /// Holds a link against the roster: who is in, who was removed.
    pub(super) fn refresh_link(
        &mut self,
        now: i64,
        peer: &Peer,
        space: SpaceId,
    ) -> Result<(), Fault> {
        let Some(roster) = self.spaces.get(&space).map(|s| &s.roster) else {
            return Ok(());
        };
        let owner = roster.standing_of(peer);
        let Some(session) = self.sessions.get_mut(peer) else {
            return Ok(());
        };
        let Some(link) = session.links.get_mut(&space) else {
            return Ok(());
        };
        let Some(certified) = link.certified else {
            return Ok(());
        };
        if owner.is_some_and(|(member, _)| member != certified) {
            return Err(Fault::Broke("a device of another member"));
        }
        let state = owner.map(|(_, state)| state);
        let (was, is) = (link.member, state == Some(MemberState::Member));
        link.member = is;
        link.removed = state == Some(MemberState::Removed);
        if is {
            session.let_in.clone_from(&session.joiner);
            if let Some(ports) = session.ports.take() {
                let peer = *peer;
                self.outputs.push(Output::Reachable { peer, ports });
            }
        }
        let nothing_left = session.nothing_left();
        if nothing_left {
            session
                .leaves_at
                .get_or_insert(now.saturating_add(FAREWELL));
        }
        if was != is {
            self.look_around(space);
        }
        if is && !was && !nothing_left {
            self.send_summary(now, peer, space);
            self.tell_ports(peer);
            self.fetches_due(&space);
        }
        Ok(())
    }

    /// Tells a proven member where this node listens, unless it was told.
    pub(super) fn tell_ports(&mut self, peer: &Peer) {
        let ports = self.ports;
        if let Some(session) = self.sessions.get_mut(peer)
            && session.told != ports
            && session.is_of_member()
        {
            session.told = ports;
            self.send_frame(peer, &Frame::Listening(ports));
        }
    }

    /// A peer may have taken this member in before this node heard of it: what it told waits for its own proof.
    pub(super) fn on_listening(&mut self, peer: &Peer, ports: Ports) {
        let Some(session) = self.sessions.get_mut(peer) else {
            return;
        };
        if session.is_of_member() {
            self.outputs.push(Output::Reachable { peer: *peer, ports });
        } else {
            session.ports = Some(ports);
        }
    }

    /// A link that may carry this space's control feeds.
    pub(super) fn link(&self, peer: &Peer, space: &SpaceId) -> Option<&Link> {
        let link = self.sessions.get(peer)?.links.get(space)?;
        let member = link.certified.filter(|_| !link.removed)?;
        // One whom the roster does not know (yet) has shown by the meeting key that members let it in. Whoever was
        // removed is told nothing, at whatever machine.
        let roster = &self.spaces.get(space)?.roster;
        let removed = roster
            .member(&member)
            .is_some_and(|member| member.state == MemberState::Removed);
        (!removed).then_some(link)
    }

    /// Whether a peer has proven that it belongs to a member.
    pub(super) fn is_member(&self, peer: &Peer, space: &SpaceId) -> bool {
        self.link(peer, space).is_some_and(|link| link.member)
    }

    /// Whether a link may carry this room: the control feeds to who is not removed, others to their readers.
    pub(super) fn may_carry(&self, peer: &Peer, space: &SpaceId, room: &RoomId) -> bool {
        let Some(link) = self.link(peer, space) else {
            return false;
        };
        *room == space.control_room()
            || (link.member
                && link
                    .certified
                    .is_some_and(|member| self.both_read(space, &member, room)))
    }

    /// Whether this node's member and another may both read a room.
    fn both_read(&self, space: &SpaceId, other: &MemberId, room: &RoomId) -> bool {
        self.spaces.get(space).is_some_and(|space| {
            space.roster.reads(&self.member(), room) && space.roster.reads(other, room)
        })
    }

    /// Rooms that a link may carry, besides the control feeds.
    pub(super) fn rooms_in_common(&self, peer: &Peer, id: &SpaceId) -> Vec<RoomId> {
        let Some(space) = self.spaces.get(id) else {
            return Vec::new();
        };
        let rooms = space.roster.all_rooms().map(|room| room.id);
        rooms
            .filter(|room| self.may_carry(peer, id, room))
            .collect()
    }

    /// Peers that have proven membership of a space.
    pub(super) fn members_online(&self, space: &SpaceId) -> Vec<Peer> {
        let proven = |peer: &&Peer| self.is_member(peer, space);
        self.sessions.keys().filter(proven).copied().collect()
    }
}

impl Node {
    /// Closes the links of those who were removed, once they have heard of it.
    pub(super) fn tick_sessions(&mut self, ledger: &mut dyn Ledger, now: i64) -> LedgerResult<()> {
        let mut gone = Vec::new();
        for (peer, session) in &mut self.sessions {
            if !session.nothing_left() {
                session.leaves_at = None;
            } else if session.leaves_at.is_some_and(|at| at <= now) {
                gone.push(*peer);
            }
        }
        for peer in gone {
            self.drop_peer(ledger, now, peer, Reason::Removed)?;
        }
        Ok(())
    }
}

impl Session {
    /// This node's nonce and the peer's, once both have greeted.
    pub(super) fn nonces(&self) -> Option<([u8; 32], [u8; 32])> {
        Some((self.mine, self.theirs?))
    }

    /// Whether one more question would not look like a flood.
    pub(super) fn may_ask(&mut self, now: i64) -> bool {
        self.asking.fill(now);
        self.asking.tokens > Bucket::FULL / 2
    }

    /// Whether the peer has enough left to spend for an answer that costs it something.
    pub(super) fn may_answer(&mut self, now: i64) -> bool {
        self.bucket.fill(now);
        self.bucket.tokens > Bucket::FULL / 2
    }

    /// Asks one more question, if that would not look like a flood.
    pub(super) fn asks(&mut self, now: i64, cost: i64) -> bool {
        // Half of what the peer allows is left for everything else, and as much again for clocks that differ.
        self.may_ask(now) && self.asking.take(now, 2 * cost)
    }

    /// Whether the peer has proven membership of any space.
    fn is_of_member(&self) -> bool {
        self.links.values().any(|link| link.member)
    }

    /// Whether the peer was removed from everything that there was in common.
    fn nothing_left(&self) -> bool {
        !self.links.is_empty()
            && self.joiner.is_subset(&self.let_in)
            && self.links.values().all(|link| link.removed)
    }

    /// Keys under which this node and a peer recognise a space: the members' own, and one of the two devices alone, by
    /// which they meet even if one of them was away while the members' key changed.
    fn meeting_keys(&self, space: &Space, peer: &Peer) -> Vec<[u8; 32]> {
        let pair = self.pair_key(space, peer);
        space.meeting_key().into_iter().chain(pair).collect()
    }

    /// The key of the two devices, where a member is expected at the peer's.
    fn pair_key(&self, space: &Space, peer: &Peer) -> Option<[u8; 32]> {
        let expected = self.granted.contains(&space.id())
            || space
                .roster
                .standing_of(peer)
                .is_some_and(|(_, state)| state == MemberState::Member);
        self.pairing.as_ref().filter(|_| expected).map(|pairing| {
            let mut hasher = blake3::Hasher::new_derive_key("artel 2026-11 pair meeting");
            hasher.update(&**pairing).update(space.id().as_bytes());
            *hasher.finalize().as_bytes()
        })
    }
}

/// One direction of a link.
struct Way {
    from: DeviceId,
    to: DeviceId,
    nonce_from: [u8; 32],
    nonce_to: [u8; 32],
}

impl Way {
    fn tag(&self, key: &[u8; 32]) -> Tag {
        let mut hasher = blake3::Hasher::new_keyed(key);
        hasher.update(b"artel 2026-11 meeting tag");
        hasher.update(&self.nonce_from).update(&self.nonce_to);
        hasher
            .update(self.from.as_bytes())
            .update(self.to.as_bytes());
        let mut tag = Tag::default();
        hasher.finalize_xof().fill(&mut tag);
        tag
    }
}

fn invite_meeting_key(invite: &InviteId) -> [u8; 32] {
    blake3::derive_key("artel 2026-11 invite meeting", invite.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_of_one_link_and_one_direction() {
        let way = Way {
            from: DeviceId::from_bytes([1; 32]),
            to: DeviceId::from_bytes([2; 32]),
            nonce_from: [3; 32],
            nonce_to: [4; 32],
        };
        let back = Way {
            from: way.to,
            to: way.from,
            nonce_from: way.nonce_to,
            nonce_to: way.nonce_from,
        };
        let later = Way {
            nonce_from: [5; 32],
            from: way.from,
            to: way.to,
            nonce_to: way.nonce_to,
        };
        assert_eq!(way.tag(&[9; 32]), way.tag(&[9; 32]));
        assert_ne!(way.tag(&[9; 32]), way.tag(&[8; 32]));
        assert_ne!(way.tag(&[9; 32]), back.tag(&[9; 32]));
        assert_ne!(way.tag(&[9; 32]), later.tag(&[9; 32]));
    }

    #[test]
    fn a_bucket_runs_dry_and_fills_again() {
        let mut bucket = Bucket {
            tokens: Bucket::FULL,
            filled: 0,
        };
        assert!(bucket.take(0, Bucket::FULL));
        assert!(!bucket.take(0, 1));
        assert!(bucket.take(1_000, Bucket::PER_SECOND - 1));
        assert!(!bucket.take(500, Bucket::PER_SECOND));
    }
}
