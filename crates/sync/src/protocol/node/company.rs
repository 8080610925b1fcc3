//! Who is there, also where no link leads: what neighbours say, whom to be linked with, and what is passed on.
//!
//! Every node says with which members' devices it is linked, signs it, and passes on what others said: a device is
//! there if one comes to it along links that both their ends speak of, beginning with the own ones. So nothing has to be
//! said of one who goes but by those who were linked with it, a part of the network that breaks off is gone as a whole,
//! and nothing has to be waited for. Nobody speaks for another, and nobody makes a link by their word alone. What is
//! said decides who is shown as being there and whom to dial, and nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use artel_domain::{
    Audience, DeviceId, InviteId, Linked, MemberId, RecordError, RoomId, Signed, SpaceId,
    limits::{MAX_LINKED, MAX_POSITION},
    linked::Short,
};

use super::{
    super::{
        event::{Event, Output, Peer, Reason},
        frame::{FeedEnds, Frame, MAX_NEWS, MAX_REACHED, MAX_SAID, Reached},
        ledger::{FeedKey, Head, Ledger, LedgerResult},
        mesh::{FEW, FULL, NEIGHBOURS, Ring, Stand},
        roster::{Member, MemberState},
    },
    Fault, Node,
    session::Asked,
    space::{MAX_BRANCHES, Space},
};
use crate::{ports::is_in_room, settings::ms};

/// How long changes are gathered before they are told, in milliseconds.
const GATHER: i64 = 1_000;
/// Least time between two rounds of passing on what is new, in milliseconds.
const SPREAD_GAP: i64 = 250;
/// Least time between two links that are given up, in milliseconds.
const SPARE_GAP: i64 = 1_000;
/// A link is kept this long at least, and one who did not agree is not asked again for three times as long.
const SPARE_AGE: i64 = 10_000;
/// An address at which a member was reached is told for this long, in milliseconds.
const REACHED_AGE: i64 = 86_400_000;
/// A peer is told of addresses once it had time to say with whom it is linked, in milliseconds.
const HINT_AFTER: i64 = 2_000;
/// Addresses of members that are kept, and that are taken from one peer.
const MOST_REACHED: usize = 512;
/// A node that is linked with less than this part of those whom it chose is lonely.
const LONELY_PART: usize = 3;
/// One that is lonely for longer than this dials everybody who is there, in milliseconds.
const LONELY: i64 = 60_000;

/// What another device said of its links.
struct Said {
    version: u64,
    linked: BTreeSet<DeviceId>,
    /// As it was signed.
    wire: Vec<u8>,
}

/// Whom to be linked with in a space.
#[derive(Clone, Default)]
struct Choice {
    /// Those who are there and can be reached.
    there: BTreeSet<DeviceId>,
    /// Those of them to be linked with.
    chosen: BTreeSet<DeviceId>,
}

/// Who is there in a space.
#[derive(Default)]
pub(super) struct Company {
    /// What this node says.
    mine: (u64, BTreeSet<DeviceId>),
    /// What others said. Of those to whom nothing leads it is kept as well: what leads there may come later.
    said: BTreeMap<DeviceId, Said>,
    /// Devices that are there, without this one.
    present: BTreeSet<DeviceId>,
    /// Since when there is something to tell.
    changed: Option<i64>,
    told_at: Option<i64>,
    /// Whom to be linked with, until something changes that it follows from.
    choice: Option<Choice>,
    /// Whether there are more than all can be linked with.
    many: bool,
    /// Since when this node is linked with few of those whom it chose.
    lonely: Option<i64>,
}

/// What the network knows of others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Who is connected, announced itself, called or was told of, and does not fail to answer.
    pub heard: BTreeSet<DeviceId>,
    /// Whose address is known and was not found to be silent, heard of or not.
    pub known: BTreeSet<DeviceId>,
}

/// Devices that are not to be dialled like others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeldOff {
    /// They are there, and the neighbours of others.
    pub there: BTreeSet<DeviceId>,
    /// They are not, and this node has neighbours enough. One of them is tried now and then: perhaps the network fell
    /// apart.
    pub away: BTreeSet<DeviceId>,
}

impl Company {
    /// Whether a member's device is there.
    pub(super) fn has(&self, device: &DeviceId) -> bool {
        self.present.contains(device)
    }

    /// Whether a device says that it is linked with another.
    fn says_linked(&self, one: &DeviceId, other: &DeviceId) -> bool {
        let said = self.said.get(one);
        said.is_some_and(|said| said.linked.contains(other))
    }

    /// Whether two devices both say that they are linked.
    fn are_linked(&self, one: &DeviceId, other: &DeviceId) -> bool {
        self.says_linked(one, other) && self.says_linked(other, one)
    }

    /// What whom to be linked with follows from is not what it was.
    pub(super) fn choose_anew(&mut self) {
        self.choice = None;
    }
}

/// What came in and may be passed on: feeds that grew, each with who gave it.
pub(super) type News = BTreeMap<(SpaceId, RoomId), BTreeMap<FeedKey, Peer>>;

/// The first bytes of a device's id.
fn short(device: &DeviceId) -> Short {
    let mut short = Short::default();
    for (to, from) in short.iter_mut().zip(device.as_bytes()) {
        *to = *from;
    }
    short
}

/// Devices in use of those who are in.
fn live(space: &Space) -> impl Iterator<Item = &DeviceId> {
    let members = space.roster.members.iter();
    members
        .filter(|member| member.state == MemberState::Member)
        .flat_map(Member::live_devices)
}

impl Node {
    /// Looks anew at who is there: a link came or went, somebody said something, or the roster changed.
    pub(super) fn look_around(&mut self, id: SpaceId) {
        let now = self.now;
        let me = self.device();
        let linked: BTreeSet<DeviceId> = self.members_online(&id).into_iter().collect();
        let Some(space) = self.spaces.get_mut(&id) else {
            return;
        };
        let live: BTreeSet<DeviceId> = live(space).copied().collect();
        let mut present = BTreeSet::new();
        let mut edge: Vec<DeviceId> = linked.iter().copied().collect();
        while let Some(device) = edge.pop() {
            if device == me || !live.contains(&device) || !present.insert(device) {
                continue;
            }
            let company = &space.company;
            let on = company.said.get(&device).into_iter();
            let on = on.flat_map(|said| &said.linked);
            edge.extend(on.filter(|other| company.says_linked(other, &device)));
        }
        let company = &mut space.company;
        company.said.retain(|device, _| live.contains(device));
        if company.mine.1 != linked || company.present != present {
            company.choose_anew();
        }
        if company.mine.1 != linked {
            // More than it said before this node was started anew, if clocks are any good; else it is told so.
            let clock = u64::try_from(now).unwrap_or(0);
            company.mine = (clock.max(company.mine.0.saturating_add(1)), linked);
            company.changed.get_or_insert(now);
        }
        let former = std::mem::replace(&mut company.present, present);
        let changed = former.symmetric_difference(&company.present);
        let events: Vec<Event> = changed
            .filter_map(|device| {
                Some(Event::Presence {
                    space: id,
                    member: space.roster.of_device(device)?.id,
                    device: *device,
                    online: company.present.contains(device),
                })
            })
            .collect();
        self.outputs.extend(events.into_iter().map(Output::Event));
    }

    pub(super) fn on_around(
        &mut self,
        peer: &Peer,
        id: SpaceId,
        said: Vec<Vec<u8>>,
    ) -> Result<(), Fault> {
        if !self.is_member(peer, &id) {
            return Ok(());
        }
        let (me, now) = (self.device(), self.now);
        let Some(space) = self.spaces.get_mut(&id) else {
            return Ok(());
        };
        let known: BTreeMap<Short, DeviceId> = live(space).map(|d| (short(d), *d)).collect();
        let link = self.sessions.get_mut(peer);
        let Some(link) = link.and_then(|session| session.links.get_mut(&id)) else {
            return Ok(());
        };
        let company = &mut space.company;
        let mut broke = false;
        for wire in said {
            let claimed = match Signed::<Linked>::reopen(&wire) {
                Ok(claimed) => claimed.value().clone(),
                // Of a newer version: others tell it on.
                Err(RecordError::Version { .. }) => continue,
                Err(_) => {
                    broke = true;
                    break;
                }
            };
            let (device, version) = (claimed.device, claimed.version);
            if claimed.space != id || known.get(&short(&device)) != Some(&device) {
                continue;
            }
            link.heard.insert(device, version);
            let linked: BTreeSet<DeviceId> = claimed
                .linked
                .iter()
                .filter_map(|short| known.get(short))
                .copied()
                .collect();
            let (newest, is_new) = if device == me {
                let (mine, links) = &company.mine;
                let outdone = version > *mine || (version == *mine && linked != *links);
                (Some(*mine), outdone)
            } else {
                let newest = company.said.get(&device).map(|said| said.version);
                (newest, newest.is_none_or(|newest| newest < version))
            };
            if device != me && newest != Some(version) {
                // Also if it is older: then the other is told what is newer.
                company.changed.get_or_insert(now);
            }
            if !is_new {
                continue;
            }
            // What is not new is not worth the check of its signature.
            if Signed::<Linked>::open(&wire).is_err() {
                broke = true;
                break;
            }
            if device == me {
                // From before a restart of this node: it is outdone.
                company.mine.0 = version.saturating_add(1);
                company.changed.get_or_insert(now);
            } else {
                let said = Said {
                    version,
                    linked,
                    wire,
                };
                company.said.insert(device, said);
            }
        }
        self.look_around(id);
        if broke {
            return Err(Fault::Broke("links that nobody speaks of like that"));
        }
        Ok(())
    }

    /// What this node says of its links, signed.
    fn my_links(&self, id: SpaceId) -> Option<Vec<u8>> {
        let (version, linked) = &self.spaces.get(&id)?.company.mine;
        let linked = Linked {
            space: id,
            device: self.device(),
            version: (*version).min(MAX_POSITION),
            linked: linked.iter().take(MAX_LINKED).map(short).collect(),
        };
        let signed = Signed::seal(linked, &self.identity.device).ok()?;
        Some(signed.wire().to_vec())
    }

    /// Tells the members that are linked what they have not heard.
    fn tell_around(&mut self, id: SpaceId) {
        let me = self.device();
        let Some(mine) = self.my_links(id) else {
            return;
        };
        for peer in self.members_online(&id) {
            let Some(company) = self.spaces.get(&id).map(|space| &space.company) else {
                return;
            };
            let link = self.sessions.get_mut(&peer);
            let Some(link) = link.and_then(|session| session.links.get_mut(&id)) else {
                continue;
            };
            let theirs = company.said.get(&peer);
            // Until a peer has said with whom it is linked, it may be about to hear everything from those themselves.
            let others = company
                .said
                .iter()
                .filter(|(device, _)| theirs.is_some_and(|said| !said.linked.contains(device)))
                .map(|(device, said)| (device, said.version, &said.wire));
            let mine = [(&me, company.mine.0, &mine)];
            let mut frame = Vec::new();
            for (device, version, wire) in mine.into_iter().chain(others) {
                if link
                    .heard
                    .get(device)
                    .is_some_and(|heard| *heard >= version)
                {
                    continue;
                }
                link.heard.insert(*device, version);
                frame.push(wire.clone());
            }
            for said in frame.chunks(MAX_SAID) {
                let said = said.to_vec();
                self.send_frame(&peer, &Frame::Around { space: id, said });
            }
        }
    }

    pub(super) fn tick_company(&mut self, now: i64) {
        self.spread(now);
        let every = ms(self.settings.presence_every);
        let mut due = Vec::new();
        for (id, space) in &mut self.spaces {
            let company = &mut space.company;
            let rested = company
                .told_at
                .is_none_or(|at| now.saturating_sub(at).unsigned_abs() >= every.unsigned_abs());
            let gathered = company
                .changed
                .is_some_and(|at| now.saturating_sub(at).unsigned_abs() >= GATHER.unsigned_abs());
            if rested && gathered {
                (company.changed, company.told_at) = (None, Some(now));
                due.push(*id);
            }
        }
        for id in due {
            self.tell_around(id);
        }
        for peer in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.tell_reached(now, &peer);
        }
        for id in self.spaces.keys().copied().collect::<Vec<_>>() {
            self.feel_lonely(now, id);
        }
        self.ask_to_part(now);
    }
}

/// Passing on.
impl Node {
    /// A feed grew by what a peer gave unasked, or because it had told of it.
    pub(super) fn is_news(&mut self, now: i64, peer: &Peer, feed: FeedKey) {
        let news = self.news.entry((feed.space, feed.room)).or_default();
        news.insert(feed, *peer);
        if now.saturating_sub(self.spread_at).unsigned_abs() >= SPREAD_GAP.unsigned_abs() {
            self.spread(now);
        }
    }

    /// Tells the members that are linked, and that did not get it from the same hands, of what is new. It is theirs to
    /// ask for it: so nothing comes twice.
    fn spread(&mut self, now: i64) {
        for ((id, room), feeds) in std::mem::take(&mut self.news) {
            self.spread_at = now;
            for peer in self.members_online(&id) {
                if !self.may_carry(&peer, &id, &room) {
                    continue;
                }
                let Some(space) = self.spaces.get(&id) else {
                    continue;
                };
                let lacks = |(feed, from): &(&FeedKey, &Peer)| {
                    peer != **from
                        && peer != feed.device
                        && !space.company.are_linked(from, &peer)
                        && !space.is_crowded(feed)
                };
                let feeds: Vec<FeedEnds> = feeds
                    .iter()
                    .filter(lacks)
                    .map(|(feed, _)| FeedEnds {
                        device: feed.device,
                        incarnation: feed.incarnation,
                        ends: ends(space.ends_of(feed)),
                    })
                    .collect();
                for feeds in feeds.chunks(MAX_NEWS) {
                    let feeds = feeds.to_vec();
                    self.send_frame(
                        &peer,
                        &Frame::News {
                            space: id,
                            room,
                            feeds,
                        },
                    );
                }
            }
        }
    }
}

fn ends(heads: &[Head]) -> Vec<(u64, artel_domain::MessageId)> {
    let heads = heads.iter().take(MAX_BRANCHES + 1);
    heads.map(|head| (head.sequence, head.id)).collect()
}

/// Whom to be linked with.
impl Node {
    /// Makes up anew, if something changed, whom to be linked with in a space.
    fn choose(&mut self, id: &SpaceId) {
        let me = (self.member(), self.device());
        let Some(space) = self.spaces.get_mut(id) else {
            return;
        };
        if space.company.choice.is_some() {
            return;
        }
        let (company, reach) = (&space.company, &self.reach);
        let here = |device: &DeviceId| {
            reach.heard.contains(device)
                || company.mine.1.contains(device)
                || (company.present.contains(device) && reach.known.contains(device))
        };
        let members = space.roster.members.iter();
        let stands = members
            .filter(|member| member.state == MemberState::Member)
            .map(|member| Stand {
                member: member.id,
                devices: member.live_devices().filter(|d| here(d)).copied().collect(),
            });
        let ring = Ring::new(me, stands);
        let many = ring.devices() > if company.many { FEW } else { FULL };
        let few = if many { FEW } else { FULL };
        let mut chosen = ring.neighbours(&self.mesh, few, |_| true);
        // A room for some is carried by its readers alone, so they must be connected among themselves.
        let mut audiences: Vec<&Audience> = Vec::new();
        for room in &space.roster.rooms {
            if room.audience != Audience::All
                && space.roster.reads(&me.0, &room.id)
                && !audiences.contains(&&room.audience)
            {
                audiences.push(&room.audience);
            }
        }
        let roles: BTreeMap<&MemberId, _> = space
            .roster
            .members
            .iter()
            .map(|member| (&member.id, member.role))
            .collect();
        for audience in audiences {
            let reads = |member: &MemberId| {
                let role = roles.get(member);
                role.is_some_and(|role| audience.admits(member, *role))
            };
            chosen.extend(ring.neighbours(&self.mesh, few, reads));
        }
        let there = live(space).filter(|device| here(device));
        let there = there.filter(|device| **device != me.1).copied().collect();
        space.company.many = many;
        space.company.choice = Some(Choice { there, chosen });
    }

    /// Notes since when this node is linked with few of those whom it chose.
    fn feel_lonely(&mut self, now: i64, id: SpaceId) {
        self.choose(&id);
        let Some(company) = self.spaces.get_mut(&id).map(|space| &mut space.company) else {
            return;
        };
        let Some(Choice { chosen, .. }) = &company.choice else {
            return;
        };
        let linked = chosen.intersection(&company.mine.1).count();
        if linked * LONELY_PART < chosen.len() {
            company.lonely.get_or_insert(now);
        } else {
            company.lonely = None;
        }
    }

    /// Devices that are not to be dialled like others: members of spaces with more peers than all can be linked with.
    /// Strangers, and the person's own devices, are never among them. `reach` is what the network knows now.
    pub fn held_off(&mut self, reach: &Reach) -> HeldOff {
        if self.reach != *reach {
            self.reach = reach.clone();
            for space in self.spaces.values_mut() {
                space.company.choose_anew();
            }
        }
        let mut off = HeldOff::default();
        let mut wanted = BTreeSet::new();
        for id in self.spaces.keys().copied().collect::<Vec<_>>() {
            if !self.is_inside(&id) {
                continue;
            }
            self.choose(&id);
            let enough = self.members_online(&id).len() >= NEIGHBOURS;
            let Some(space) = self.spaces.get(&id) else {
                continue;
            };
            let company = &space.company;
            let Some(Choice { there, chosen }) = &company.choice else {
                continue;
            };
            // Whoever was chosen may not be to be had, whatever is said of them: then anybody is welcome.
            let lonely = company
                .lonely
                .is_some_and(|since| self.now.saturating_sub(since) >= LONELY);
            for device in live(space) {
                if !company.many || chosen.contains(device) || (there.contains(device) && lonely) {
                    wanted.insert(*device);
                } else if there.contains(device) {
                    off.there.insert(*device);
                } else if enough {
                    off.away.insert(*device);
                } else {
                    wanted.insert(*device);
                }
            }
            let mine = space.roster.member(&self.member());
            wanted.extend(mine.into_iter().flat_map(|member| &member.devices));
        }
        off.there.retain(|device| !wanted.contains(device));
        let there = &off.there;
        off.away
            .retain(|device| !wanted.contains(device) && !there.contains(device));
        off
    }

    /// Whether the link with a peer can be given up: both are members, and in no space neighbours.
    fn is_spare(&mut self, now: i64, peer: &Peer) -> bool {
        let in_common = self.sessions.get(peer).into_iter();
        let in_common = in_common.flat_map(|session| session.links.keys().copied());
        for id in in_common.collect::<Vec<_>>() {
            self.choose(&id);
        }
        let Some(session) = self.sessions.get(peer) else {
            return false;
        };
        let in_no = |(id, link): (&SpaceId, &super::session::Link)| {
            let company = self.spaces.get(id).map(|space| &space.company);
            link.member
                && link.certified != Some(self.member())
                && company.is_some_and(|company| {
                    let choice = company.choice.as_ref();
                    company.many
                        && company.lonely.is_none()
                        && choice.is_some_and(|choice| !choice.chosen.contains(peer))
                })
        };
        self.sessions.len() > NEIGHBOURS
            && now.saturating_sub(session.opened_at) >= SPARE_AGE
            && !session.links.is_empty()
            && session.links.iter().all(in_no)
            && session.joins_nothing(|invite| self.joins.contains_key(invite))
            && !self.wants.values().any(|want| want.peer == *peer)
            && !self.fetches.is_any_of(peer)
    }

    /// Asks one peer too many whether it needs the link; now and then another.
    fn ask_to_part(&mut self, now: i64) {
        if now.saturating_sub(self.parted_at).unsigned_abs() < SPARE_GAP.unsigned_abs()
            || self.sessions.len() <= NEIGHBOURS
        {
            return;
        }
        self.parted_at = now;
        let rested = |session: &super::session::Session| {
            session
                .parting_at
                .is_none_or(|at| now.saturating_sub(at) >= 3 * SPARE_AGE)
        };
        let sessions = self.sessions.iter();
        let rested = sessions.filter(|(_, session)| rested(session));
        let rested: Vec<Peer> = rested.map(|(peer, _)| *peer).collect();
        if let Some(peer) = rested.into_iter().find(|peer| self.is_spare(now, peer)) {
            if let Some(session) = self.sessions.get_mut(&peer) {
                session.parting_at = Some(now);
            }
            self.send_frame(&peer, &Frame::Spare);
        }
    }

    /// A peer does not need the link. If it is not needed here either, it ends.
    pub(super) fn on_spare(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        peer: &Peer,
    ) -> LedgerResult<()> {
        if self.is_spare(now, peer) {
            self.drop_peer(ledger, now, *peer, Reason::Spare)?;
        }
        Ok(())
    }
}

/// Where others were reached.
impl Node {
    /// A device was reached at an address at this time. Members are told of it, if the device is a member's.
    pub fn reached(&mut self, device: DeviceId, at: SocketAddr, when: i64) {
        if !may_be_told(at) {
            return;
        }
        let known = self.reached.get(&device);
        if known.is_some_and(|(_, before)| *before > when) {
            return;
        }
        self.reached.insert(device, (at, when));
        if self.reached.len() > MOST_REACHED {
            let oldest = self.reached.iter().min_by_key(|(_, (_, when))| *when);
            if let Some(oldest) = oldest.map(|(device, _)| *device) {
                self.reached.remove(&oldest);
            }
        }
    }

    /// Tells a member where others were reached that are there and that it is not linked with.
    fn tell_reached(&mut self, now: i64, peer: &Peer) {
        let Some(session) = self.sessions.get(peer) else {
            return;
        };
        if now.saturating_sub(session.opened_at) < HINT_AFTER {
            return;
        }
        let mut news = Vec::new();
        for (device, (at, when)) in &self.reached {
            let age = now.saturating_sub(*when);
            let common = |(id, link): (&SpaceId, &super::session::Link)| {
                let Some(space) = self.spaces.get(id).filter(|_| link.member) else {
                    return false;
                };
                space.company.present.contains(device) && !space.company.says_linked(peer, device)
            };
            if device != peer
                && age <= REACHED_AGE
                && session.hinted.get(device) != Some(at)
                && session.links.iter().any(common)
                && self.is_member_of_any(peer)
            {
                news.push(Reached {
                    device: *device,
                    at: *at,
                    minutes: u32::try_from(age.max(0) / 60_000).unwrap_or(u32::MAX),
                });
                if news.len() == MAX_REACHED {
                    break;
                }
            }
        }
        if news.is_empty() {
            return;
        }
        if let Some(session) = self.sessions.get_mut(peer) {
            let told = news.iter().map(|reached| (reached.device, reached.at));
            session.hinted.extend(told);
        }
        self.send_frame(peer, &Frame::Reached(news));
    }

    fn is_member_of_any(&self, peer: &Peer) -> bool {
        self.spaces.keys().any(|id| self.is_member(peer, id))
    }

    /// A member told where others were reached: addresses of the room, of members of a space that it is in as well.
    pub(super) fn on_reached(&mut self, peer: &Peer, reached: Vec<Reached>) {
        for Reached {
            device,
            at,
            minutes,
        } in reached
        {
            let of_member = |(id, space): (&SpaceId, &Space)| {
                self.is_member(peer, id) && live(space).any(|known| *known == device)
            };
            let fresh = i64::from(minutes).saturating_mul(60_000) <= REACHED_AGE;
            if !fresh
                || !may_be_told(at)
                || device == self.device()
                || self.sessions.contains_key(&device)
                || !self.spaces.iter().any(of_member)
            {
                continue;
            }
            let Some(session) = self.sessions.get_mut(peer) else {
                return;
            };
            if session.hints >= MOST_REACHED {
                return;
            }
            session.hints += 1;
            self.outputs.push(Output::Hint { peer: device, at });
        }
    }
}

/// Whether an address means the same to everyone in the room.
fn may_be_told(at: SocketAddr) -> bool {
    let link_local = matches!(at, SocketAddr::V6(at) if at.ip().is_unicast_link_local());
    at.port() != 0 && is_in_room(at.ip()) && !link_local
}

impl super::session::Session {
    /// Whether nobody is being let in on this link.
    fn joins_nothing(&self, is_under_way: impl Fn(&InviteId) -> bool) -> bool {
        let open = |asked: &Asked| !matches!(asked, Asked::Unknown | Asked::Done);
        let mut asked = self.asked.iter();
        self.joiner.is_subset(&self.let_in)
            && !asked.any(|(invite, asked)| open(asked) && is_under_way(invite))
    }
}
