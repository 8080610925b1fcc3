//! Digests first, then ranges: how two members bring each other up to date.

use artel_domain::{
    Body, Content, Envelope, Incarnation, MessageId, RoomId, Signed, SpaceId,
    limits::{MAX_FRAME, MAX_POSITION, TERM_RECORDS},
};

use super::{
    super::{
        event::{Event, Output, Peer},
        frame::{Carried, Digest, FeedEnds, Frame, MAX_BODIES, MAX_RECORDS, RECORDS_BYTES},
        ledger::{FeedKey, Ledger, LedgerResult, StoredBody, StoredRecord},
    },
    Fault, Node,
    documents::unsealed,
    history::{Receiver, Served},
    ingest::{Asked, Taken, is_body_of},
    latest::FAR_BEHIND,
    space::{EMPTY, MAX_BRANCHES},
};
use crate::settings::ms;

/// Least time between two summaries to one peer, in milliseconds.
const SUMMARY_GAP: i64 = 1_000;
/// Time after which a summary is sent although nothing changed, in milliseconds.
const HEARTBEAT: i64 = 30_000;
/// Time between two questions for missing bodies, in milliseconds.
const BODIES_GAP: i64 = 5_000;

/// Lists of ends sent at once.
const MAX_HEADS: usize = 200;
/// Feeds asked of one peer at a time; the rest wait.
const OPEN_WANTS: usize = 16;
/// Feeds that wait to be asked of one peer.
const MAX_QUEUE: usize = 8_000;
/// How long a peer is not asked again for what it did not give, in milliseconds.
const HOPELESS: i64 = 120_000;

/// A feed that is being asked for.
#[derive(Clone, Copy)]
pub(super) struct Want {
    pub(super) peer: Peer,
    from: u64,
    /// Until when an answer is waited for.
    until: i64,
    /// Whether it is about what was just written somewhere, and not about catching up.
    live: bool,
}

impl Want {
    /// Whether records of the feed that begin at this place are the answer.
    pub(super) fn is_answer(&self, peer: &Peer, begin: u64) -> bool {
        self.peer == *peer && begin <= self.from
    }
}

impl Node {
    pub(super) fn send_summary(&mut self, now: i64, peer: &Peer, id: SpaceId) {
        let common = self.rooms_in_common(peer, &id);
        let Some(space) = self.spaces.get_mut(&id) else {
            return;
        };
        let Some(link) = self
            .sessions
            .get_mut(peer)
            .and_then(|s| s.links.get_mut(&id))
        else {
            return;
        };
        let rooms = link.member.then(|| space.rooms_digest(common));
        link.summarised = space.version;
        link.summarised_at = now;
        let frame = Frame::Summary {
            space: id,
            control: space.control_digest(),
            rooms,
        };
        self.send_frame(peer, &frame);
    }

    pub(super) fn on_summary(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        peer: &Peer,
        id: SpaceId,
        control: Digest,
        rooms: Option<Digest>,
    ) -> Result<(), Fault> {
        if self.link(peer, &id).is_none() {
            return Ok(());
        }
        let member = self.is_member(peer, &id);
        let common = self.rooms_in_common(peer, &id);
        let Some(space) = self.spaces.get_mut(&id) else {
            return Ok(());
        };
        if rooms.is_some()
            && let Some(link) = self
                .sessions
                .get_mut(peer)
                .and_then(|s| s.links.get_mut(&id))
            && !std::mem::replace(&mut link.accepted, true)
        {
            // Until now the peer would not hear of rooms: what was sent before was lost on it.
            link.summarised = 0;
            // And now it answers one who asks for secrets.
            if member && space.lacks_secrets() {
                self.send_frame(peer, &Frame::WantSecrets { space: id });
            }
        }
        let Some(space) = self.spaces.get_mut(&id) else {
            return Ok(());
        };
        let same_control = space.control_digest() == control;
        let same_rooms = rooms.is_none_or(|rooms| space.rooms_digest(common.clone()) == rooms);
        if !same_control {
            let room = id.control_room();
            for feeds in space.listed_ends(&room) {
                self.send_frame(
                    peer,
                    &Frame::Heads {
                        space: id,
                        room,
                        feeds,
                    },
                );
            }
        }
        if !same_rooms && member {
            let rooms = self
                .spaces
                .get_mut(&id)
                .map(|space| space.room_digests(common))
                .unwrap_or_default();
            self.send_frame(peer, &Frame::Rooms { space: id, rooms });
        }
        if same_control && same_rooms && rooms.is_some() {
            let link = self.sessions.get_mut(peer);
            let link = link.and_then(|session| session.links.get_mut(&id));
            let said = Some((control, rooms));
            if link.is_some_and(|link| std::mem::replace(&mut link.in_step_at, said) != said) {
                // Else the peer would not know before the next heartbeat: when it heard what is here last, it had not
                // caught up yet.
                self.send_summary(now, peer, id);
            }
            self.in_step(ledger, now, peer, id)?;
        }
        Ok(())
    }

    /// A peer has exactly what is here: everything of this device is delivered to it.
    fn in_step(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        peer: &Peer,
        id: SpaceId,
    ) -> LedgerResult<()> {
        let me = self.device();
        let Some(space) = self.spaces.get(&id) else {
            return Ok(());
        };
        let (version, ends) = (space.version, space.feeds_of(&me));
        if let Some(link) = self
            .sessions
            .get_mut(peer)
            .and_then(|s| s.links.get_mut(&id))
        {
            link.summarised = version;
            link.summarised_at = now;
        }
        for head in ends {
            if !self.may_carry(peer, &id, &head.feed.room) {
                continue;
            }
            self.delivered(ledger, peer, &head.feed, head.sequence, head.id)?;
        }
        if self.is_member(peer, &id) {
            let (me, common) = (self.member(), self.rooms_in_common(peer, &id));
            self.end_ahead(ledger, id, &common)?;
            let mut whole = false;
            if let Some(space) = self.spaces.get_mut(&id) {
                space.was_in_step = true;
                space.rooms_in_step.extend(common);
                let shared = space.roster.rooms_shared(&me);
                whole = shared.is_subset(&space.rooms_in_step);
            }
            self.outputs.push(Output::Event(Event::InStep {
                space: id,
                peer: *peer,
                whole,
            }));
        }
        Ok(())
    }

    pub(super) fn on_rooms(&mut self, peer: &Peer, id: SpaceId, rooms: &[(RoomId, Digest)]) {
        let common = self.rooms_in_common(peer, &id);
        let Some(space) = self.spaces.get_mut(&id) else {
            return;
        };
        let mut frames = Vec::new();
        for room in common {
            let theirs = rooms
                .iter()
                .find(|(r, _)| *r == room)
                .map_or(EMPTY, |(_, digest)| *digest);
            let mine = space.room_digest(&room);
            if mine != theirs && mine != EMPTY {
                let pages = space.listed_ends(&room).into_iter();
                frames.extend(pages.map(|feeds| Frame::Heads {
                    space: id,
                    room,
                    feeds,
                }));
            }
        }
        // No more than the peer takes at once, each time from elsewhere.
        let start = usize::try_from(self.now / SUMMARY_GAP).unwrap_or(0);
        let start = start.checked_rem(frames.len()).unwrap_or(0);
        frames.rotate_left(start);
        for frame in frames.into_iter().take(MAX_HEADS) {
            self.send_frame(peer, &frame);
        }
    }

    pub(super) fn on_heads(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        peer: &Peer,
        (id, room): (SpaceId, RoomId),
        feeds: Vec<FeedEnds>,
        live: bool,
    ) -> Result<(), Fault> {
        let control = room == id.control_room();
        if !self.may_carry(peer, &id, &room) {
            return Ok(());
        }
        let mut strangers = Vec::new();
        let mut wanted = Vec::new();
        let mut missing = 0_u64;
        for FeedEnds {
            device,
            incarnation,
            ends,
        } in feeds
        {
            let feed = FeedKey {
                space: id,
                room,
                device,
                incarnation,
            };
            let Some(space) = self.spaces.get(&id) else {
                return Ok(());
            };
            let founding = control && space.control.len() == 0;
            let stranger = !founding && !space.roster.counts(&device);
            if stranger && !control {
                continue;
            }
            if space.is_crowded(&feed) {
                continue;
            }
            let mine = space.last_place(&feed);
            // Most feeds end here where they end there: to know that, nothing is read from the disk.
            let known: Vec<_> = space
                .ends_of(&feed)
                .iter()
                .map(|head| (head.sequence, head.id))
                .collect();
            let mut from = None;
            let last_place = ends.iter().map(|(sequence, _)| *sequence).max();
            for (sequence, last) in ends {
                if known.contains(&(sequence, last))
                    || ledger
                        .record(&last)?
                        .is_some_and(|record| record.feed == feed && record.sequence == sequence)
                {
                    self.delivered(ledger, peer, &feed, sequence, last)?;
                } else if sequence > mine {
                    from = Some(from.unwrap_or(mine + 1).min(mine + 1));
                } else {
                    from = Some(1);
                }
            }
            match from {
                Some(from) if stranger => strangers.push((feed, from)),
                Some(from) => {
                    let more = last_place.unwrap_or(0).saturating_sub(mine);
                    missing = missing.saturating_add(more);
                    wanted.push((feed, from));
                }
                None => {}
            }
        }
        // A device may have vouched for itself. Most are made known by what is still missing, so that comes first.
        if !control && missing > FAR_BEHIND {
            self.want_latest(now, peer, id, room);
        }
        let wanted = if wanted.is_empty() { strangers } else { wanted };
        for (feed, from) in wanted {
            self.want(now, peer, feed, from, live);
        }
        Ok(())
    }

    /// Asks a peer for a feed, unless another is being asked or this one did not give it.
    fn want(&mut self, now: i64, peer: &Peer, feed: FeedKey, from: u64, live: bool) {
        let busy = self.wants.get(&feed).is_some_and(|want| want.until > now);
        let open = self.wants.values().filter(|w| w.peer == *peer).count();
        let Some(session) = self.sessions.get_mut(peer) else {
            return;
        };
        if busy
            || session
                .hopeless
                .get(&feed)
                .is_some_and(|until| *until > now)
        {
            return;
        }
        if open >= OPEN_WANTS || !session.asks(now, 1) {
            let waits = session.queue.iter().any(|(other, _)| *other == feed);
            if !waits && session.queue.len() < MAX_QUEUE {
                session.queue.push_back((feed, from));
            }
            return;
        }
        self.begin_round(&feed, !live);
        let want = Want {
            live,
            peer: *peer,
            from,
            until: now.saturating_add(ms(self.settings.request_timeout)),
        };
        self.wants.insert(feed, want);
        let FeedKey {
            space,
            room,
            device,
            incarnation,
        } = feed;
        self.send_frame(
            peer,
            &Frame::Want {
                space,
                room,
                device,
                incarnation,
                from,
            },
        );
    }

    /// Asks a peer for what waits for its turn.
    fn want_next(&mut self, now: i64, peer: &Peer) {
        loop {
            let open = self.wants.values().filter(|w| w.peer == *peer).count();
            let Some(session) = self.sessions.get_mut(peer).filter(|_| open < OPEN_WANTS) else {
                return;
            };
            if !session.may_ask(now) {
                return;
            }
            let Some((feed, from)) = session.queue.pop_front() else {
                return;
            };
            // Another may have given it meanwhile.
            let space = self.spaces.get(&feed.space);
            let mine = space.map_or(0, |space| space.last_place(&feed));
            let from = if from == 1 { 1 } else { from.max(mine + 1) };
            self.want(now, peer, feed, from, false);
        }
    }

    fn device_counts(&self, feed: &FeedKey) -> bool {
        self.spaces
            .get(&feed.space)
            .is_some_and(|space| space.roster.counts(&feed.device))
    }

    /// A peer did not give what it claimed to have: others are asked first.
    fn give_up(&mut self, now: i64, peer: &Peer, feed: FeedKey) {
        if let Some(session) = self.sessions.get_mut(peer) {
            session.hopeless.retain(|_, until| *until > now);
            if session.hopeless.len() < MAX_QUEUE {
                session.hopeless.insert(feed, now.saturating_add(HOPELESS));
            }
        }
    }

    /// Outside a round of fetching, what comes is live and never late; a round's baseline is the latest position known
    /// when it began.
    pub(super) fn begin_round(&mut self, feed: &FeedKey, fetching: bool) {
        if self
            .wants
            .keys()
            .any(|other| (other.space, other.room) == (feed.space, feed.room))
        {
            return;
        }
        let Some(space) = self.spaces.get_mut(&feed.space) else {
            return;
        };
        match space.top(&feed.room).filter(|_| fetching) {
            Some(top) => space.baseline.insert(feed.room, top),
            None => space.baseline.remove(&feed.room),
        };
    }

    pub(super) fn on_want(
        &mut self,
        ledger: &mut dyn Ledger,
        peer: &Peer,
        feed: &FeedKey,
        from: u64,
    ) -> Result<(), Fault> {
        if from > MAX_POSITION || !self.may_carry(peer, &feed.space, &feed.room) {
            return Ok(());
        }
        let Some(receiver) = self.receiver(peer, &feed.space) else {
            return Ok(());
        };
        let Page {
            records,
            withheld,
            more,
        } = page(ledger, feed, from, &receiver)?;
        self.send_records(peer, feed, records, more);
        self.tell_withheld(peer, feed.space, withheld);
        Ok(())
    }

    fn send_records(&mut self, peer: &Peer, feed: &FeedKey, records: Vec<Carried>, more: bool) {
        let FeedKey {
            space,
            room,
            device,
            incarnation,
        } = *feed;
        self.send_frame(
            peer,
            &Frame::Records {
                space,
                room,
                device,
                incarnation,
                records,
                more,
            },
        );
    }

    /// Sends a record just written to every member that is here. It is of now, whatever the clocks say; only an edit may be
    /// of a message that is withheld.
    pub(super) fn push(&mut self, ledger: &dyn Ledger, record: StoredRecord) -> LedgerResult<()> {
        let (feed, id) = (record.feed, record.id);
        let body = match ledger.body(&id)? {
            Some(StoredBody::Here(wire)) => Some(wire),
            _ => None,
        };
        let written = body.as_deref().map(Body::decode);
        let edits =
            matches!(&written, Some(Ok(body)) if matches!(body.content, Content::Edit { .. }));
        let carried = carry(ledger, record.clone(), &mut None, body)?;
        let peers: Vec<Peer> = self.sessions.keys().copied().collect();
        for peer in peers {
            if !self.may_carry(&peer, &feed.space, &feed.room) {
                continue;
            }
            let mut carried = carried.clone();
            let mut withheld = Vec::new();
            if let Some(receiver) = self.receiver(&peer, &feed.space).filter(|_| edits)
                && matches!(receiver.served(ledger, &record)?, Served::Withheld)
            {
                carried.body = None;
                withheld.push(id);
            }
            self.send_records(&peer, &feed, vec![carried], false);
            self.tell_withheld(&peer, feed.space, withheld);
        }
        Ok(())
    }

    pub(super) fn on_records(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        peer: &Peer,
        feed: FeedKey,
        records: Vec<Carried>,
        more: bool,
    ) -> Result<(), Fault> {
        if !self.may_carry(peer, &feed.space, &feed.room) {
            return Ok(());
        }
        // What is pushed meanwhile lies beyond what was asked for.
        let begin = place_of(records.first());
        let asked = self.wants.get(&feed).copied();
        let asked = asked.filter(|want| want.is_answer(peer, begin));
        if asked.is_none() {
            self.begin_round(&feed, false);
        }
        let empty = records.is_empty();
        let end = place_of(records.last());
        let ends = |node: &Self| {
            let space = node.spaces.get(&feed.space);
            space.map(|space| space.ends_of(&feed).to_vec())
        };
        let before = ends(self);
        let taken = self.ingest(ledger, &feed, records, Asked::ByRange)?;
        self.refold(ledger, now)?;
        if asked.is_some() {
            self.wants.remove(&feed);
        }
        if asked.is_none_or(|want| want.live) && ends(self) != before {
            self.is_news(now, peer, feed);
        }
        match taken {
            Taken::All if more && !empty => {
                self.want(now, peer, feed, end.saturating_add(1), false);
            }
            Taken::Gap => {
                let space = self.spaces.get(&feed.space);
                let mine = space.map_or(0, |space| space.last_place(&feed));
                match asked {
                    // From the first record on, and still with a gap: this peer cannot fill it.
                    Some(want) if want.from == 1 => self.give_up(now, peer, feed),
                    Some(_) => self.want(now, peer, feed, 1, false),
                    None => {
                        let from = if end <= mine { 1 } else { mine + 1 };
                        self.want(now, peer, feed, from, false);
                    }
                }
            }
            // Of a device that the roster does not know yet it is wanted soon.
            Taken::Unwanted if asked.is_some() && self.device_counts(&feed) => {
                self.give_up(now, peer, feed);
            }
            Taken::All | Taken::Unwanted => {}
        }
        self.want_next(now, peer);
        if feed.device == *peer && taken == Taken::All {
            let ends = self
                .spaces
                .get(&feed.space)
                .map(|space| space.ends_of(&feed).to_vec())
                .unwrap_or_default();
            for head in ends {
                let FeedKey {
                    space,
                    room,
                    incarnation,
                    ..
                } = feed;
                let frame = Frame::Stored {
                    space,
                    room,
                    incarnation,
                    sequence: head.sequence,
                    last: head.id,
                };
                self.send_frame(peer, &frame);
            }
        }
        Ok(())
    }

    pub(super) fn on_stored(
        &mut self,
        ledger: &mut dyn Ledger,
        peer: &Peer,
        (space, room, incarnation): (SpaceId, RoomId, Incarnation),
        sequence: u64,
        last: MessageId,
    ) -> Result<(), Fault> {
        let feed = FeedKey {
            space,
            room,
            device: self.device(),
            incarnation,
        };
        let right = ledger
            .record(&last)?
            .is_some_and(|r| r.feed == feed && r.sequence == sequence);
        if right && self.may_carry(peer, &space, &room) {
            self.delivered(ledger, peer, &feed, sequence, last)?;
        }
        Ok(())
    }

    fn delivered(
        &mut self,
        ledger: &mut dyn Ledger,
        peer: &Peer,
        feed: &FeedKey,
        through: u64,
        last: MessageId,
    ) -> LedgerResult<()> {
        if feed.device != self.device() || feed.room == feed.space.control_room() {
            return Ok(());
        }
        let from = ledger.delivered(feed, peer)?;
        if through > from {
            ledger.set_delivered(feed, peer, through)?;
            self.outputs.push(Output::Event(Event::Delivered {
                feed: *feed,
                from,
                through,
                last,
                peer: *peer,
            }));
        }
        Ok(())
    }

    pub(super) fn on_want_bodies(
        &mut self,
        ledger: &mut dyn Ledger,
        peer: &Peer,
        space: SpaceId,
        records: Vec<MessageId>,
    ) -> Result<(), Fault> {
        if !self.is_member(peer, &space) {
            return Ok(());
        }
        let Some(receiver) = self.receiver(peer, &space) else {
            return Ok(());
        };
        let (mut bodies, mut withheld) = (Vec::new(), Vec::new());
        let mut size = 0;
        for id in records {
            let Some(record) = ledger
                .record(&id)?
                .filter(|r| self.may_carry(peer, &space, &r.feed.room) && r.feed.space == space)
            else {
                continue;
            };
            let wire = match receiver.served(ledger, &record)? {
                Served::Given(wire) => wire,
                Served::Withheld => {
                    withheld.push(id);
                    continue;
                }
                Served::Missing => continue,
            };
            // The first one fits into a frame, whatever it is. What comes after the last is asked for again.
            if size + wire.len() > RECORDS_BYTES && !bodies.is_empty() {
                break;
            }
            size += wire.len();
            bodies.push((id, wire));
        }
        if !bodies.is_empty() {
            self.send_frame(peer, &Frame::Bodies { space, bodies });
        }
        self.tell_withheld(peer, space, withheld);
        Ok(())
    }

    pub(super) fn on_bodies(
        &mut self,
        ledger: &mut dyn Ledger,
        peer: &Peer,
        space: SpaceId,
        bodies: Vec<(MessageId, Vec<u8>)>,
    ) -> Result<(), Fault> {
        self.sealed_given(peer, &space, &bodies);
        for (id, wire) in bodies {
            let Some(record) = ledger
                .record(&id)?
                .filter(|r| self.may_carry(peer, &space, &r.feed.room) && r.feed.space == space)
            else {
                continue;
            };
            is_body_of(&wire, &record.body)?;
            self.body_came(ledger, record, &wire)?;
        }
        Ok(())
    }

    /// Asks one of the members that are here for missing bodies, but for those of which it said that they are withheld.
    fn want_bodies(
        &mut self,
        ledger: &mut dyn Ledger,
        id: SpaceId,
        peers: &[Peer],
    ) -> LedgerResult<()> {
        for _ in 0..2 {
            let Some(space) = self.spaces.get(&id) else {
                return Ok(());
            };
            let turn = space.bodies_of.checked_rem(peers.len()).unwrap_or(0);
            let Some(peer) = peers.get(turn) else {
                return Ok(());
            };
            let member = space.roster.of_device(peer).map(|owner| owner.id);
            let after = space.bodies_after;
            let asked = member.as_ref();
            let records = ledger.bodiless(&id, false, asked, after.as_ref(), MAX_BODIES)?;
            if let Some(space) = self.spaces.get_mut(&id) {
                space.bodies_after = records.last().copied();
                // Everything was asked of this one; the next is asked from the beginning.
                space.bodies_of += usize::from(records.is_empty());
            }
            if !records.is_empty() {
                self.send_frame(peer, &Frame::WantBodies { space: id, records });
                return Ok(());
            }
        }
        Ok(())
    }

    /// Lets the next tick begin afresh with everyone: a question was left without an answer.
    pub(super) fn summaries_due(&mut self) {
        for link in self
            .sessions
            .values_mut()
            .flat_map(|session| session.links.values_mut())
        {
            link.summarised = 0;
        }
    }

    pub(super) fn tick_exchange(&mut self, ledger: &mut dyn Ledger, now: i64) -> LedgerResult<()> {
        let late: Vec<(FeedKey, Peer)> = self
            .wants
            .iter()
            .filter(|(_, want)| want.until <= now)
            .map(|(feed, want)| (*feed, want.peer))
            .collect();
        if !late.is_empty() {
            self.summaries_due();
        }
        for (feed, peer) in late {
            self.wants.remove(&feed);
            self.give_up(now, &peer, feed);
            self.want_next(now, &peer);
        }
        for peer in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.want_next(now, &peer);
        }
        let mut due = Vec::new();
        for (peer, session) in &self.sessions {
            for (id, link) in session
                .links
                .iter()
                .filter(|(_, link)| link.certified.is_some() && !link.removed)
            {
                let Some(space) = self.spaces.get(id) else {
                    continue;
                };
                let waited = now.saturating_sub(link.summarised_at);
                let changed = link.summarised != space.version;
                if waited < 0 || (changed && waited >= SUMMARY_GAP) || waited >= HEARTBEAT {
                    due.push((*peer, *id));
                }
            }
        }
        for (peer, id) in due {
            self.send_summary(now, &peer, id);
        }
        let ids: Vec<SpaceId> = self.spaces.keys().copied().collect();
        for id in ids {
            let Some(space) = self.spaces.get_mut(&id) else {
                continue;
            };
            if now.saturating_sub(space.asked_bodies).unsigned_abs() < BODIES_GAP.unsigned_abs() {
                continue;
            }
            space.asked_bodies = now;
            let peers = self.members_online(&id);
            self.want_bodies(ledger, id, &peers)?;
            self.want_sealed(ledger, now, id, &peers)?;
        }
        Ok(())
    }
}

/// Records of a feed, as many as one frame takes.
pub(super) struct Page {
    pub(super) records: Vec<Carried>,
    /// Those of them whose bodies the receiver is not given.
    pub(super) withheld: Vec<MessageId>,
    /// Whether there are more.
    pub(super) more: bool,
}

/// Records of a feed from a place on, as they are given to someone.
pub(super) fn page(
    ledger: &dyn Ledger,
    feed: &FeedKey,
    from: u64,
    receiver: &Receiver<'_>,
) -> LedgerResult<Page> {
    let mut stored = ledger.feed_records(feed, from.max(1), MAX_RECORDS + 1)?;
    let mut more = false;
    if stored.len() > MAX_RECORDS {
        // Cut between two places, so that no branch of a copied profile is cut off.
        let end = stored.last().map_or(0, |r| r.sequence);
        if stored.first().is_some_and(|r| r.sequence < end) {
            stored.retain(|r| r.sequence < end);
            more = true;
        } else {
            // All in one place: enough to tell that there are too many.
            stored.truncate(MAX_BRANCHES + 1);
        }
    }
    let mut size = 0;
    let mut sealed = None;
    let mut records = Vec::with_capacity(stored.len());
    let mut withheld = Vec::new();
    let mut last = 0;
    for record in stored {
        if size > RECORDS_BYTES && record.sequence != last {
            more = true;
            break;
        }
        last = record.sequence;
        let (id, served) = (record.id, receiver.served(ledger, &record)?);
        let is_withheld = matches!(served, Served::Withheld);
        let mut carried = carry(ledger, record, &mut sealed, served.given())?;
        if carried.change.is_empty() {
            break;
        }
        withheld.extend(is_withheld.then_some(id));
        size += carried.envelope.len() + carried.change.len();
        // Branches of one place travel together, and may be more than a frame holds: bodies can be asked for.
        let body = carried.body.as_ref().map_or(0, Vec::len);
        if size + body > MAX_FRAME - RECORDS_BYTES / 4 {
            carried.body = None;
        } else {
            size += body;
        }
        records.push(carried);
    }
    Ok(Page {
        records,
        withheld,
        more,
    })
}

/// A record as it travels, with this body. Changes of a sealed term are unfolded, once for all records of the term in a row.
pub(super) fn carry(
    ledger: &dyn Ledger,
    record: StoredRecord,
    sealed: &mut Option<(u64, Vec<Vec<u8>>)>,
    body: Option<Vec<u8>>,
) -> LedgerResult<Carried> {
    let (term, place) = (
        (record.sequence.saturating_sub(1)) / TERM_RECORDS,
        record.sequence.saturating_sub(1) % TERM_RECORDS,
    );
    let change = if record.change.is_empty() {
        let changes = match sealed.take().filter(|(of, _)| *of == term) {
            Some(found) => sealed.insert(found),
            None => sealed.insert((term, unsealed(ledger, &record.feed, record.sequence)?)),
        };
        changes
            .1
            .get(usize::try_from(place).unwrap_or(usize::MAX))
            .cloned()
            .unwrap_or_default()
    } else {
        record.change
    };
    Ok(Carried {
        envelope: record.envelope,
        change,
        body,
    })
}

/// Place of a record in its feed; 0 for none.
pub(super) fn place_of(record: Option<&Carried>) -> u64 {
    record
        .and_then(|record| Signed::<Envelope>::reopen(&record.envelope).ok())
        .map_or(0, |envelope| envelope.value().sequence)
}
