//! The latest messages of a room, shown ahead of their records to one who has far to go.
//!
//! A newcomer to a long history reads its end at once, while the feeds come from their beginnings. What is shown ahead
//! was signed by a member who may write there; its place is only claimed, so it is provisional, and nothing is built on
//! it. When its record comes, that decides; what has no record once a peer is in step is withdrawn.

use std::collections::{BTreeMap, BTreeSet};

use artel_domain::{
    Body, Content, DeviceId, Envelope, MemberId, MessageId, RoomId, Signed, SpaceId,
};

use super::{
    super::{
        event::{Event, Output, Peer, Shown},
        frame::{Carried, Frame, MAX_RECORDS, RECORDS_BYTES},
        ledger::{FeedKey, Ledger, LedgerResult},
        roster::{MemberState, Place},
    },
    Fault, Node,
    history::Served,
    ingest::is_body_of,
};

/// Records that are missing of a room before its latest are asked for by themselves: more than a frame brings.
pub(super) const FAR_BEHIND: u64 = 2 * MAX_RECORDS as u64;
/// How long an answer is waited for before another peer is asked, in milliseconds.
const PATIENCE: i64 = 10_000;
/// What the question costs its sender, in tokens.
pub(super) const COST: i64 = 20;
/// Incarnations of one device, not known by a record, that one answer may bring: each leaves its mark in the store.
const NEW_LIVES: usize = 8;

impl Node {
    /// Asks a peer for the latest messages of a room, unless one was asked a short while ago or they are shown.
    pub(super) fn want_latest(&mut self, now: i64, peer: &Peer, id: SpaceId, room: RoomId) {
        let Some(space) = self.spaces.get_mut(&id) else {
            return;
        };
        let is_page = |room: &super::super::roster::Room| room.page.is_some();
        let asked = space
            .asked_latest
            .get(&room)
            .is_some_and(|(_, until)| *until > now);
        if asked
            || room == id.direct_room()
            || space.boasters.contains(&(*peer, room))
            || space.ahead.values().any(|of| *of == room)
            || space.roster.room(&room).is_none_or(is_page)
        {
            return;
        }
        // Many rooms at once would look like a flood: those that are left are asked for with the next list of ends.
        if !self
            .sessions
            .get_mut(peer)
            .is_some_and(|session| session.asks(now, COST))
        {
            return;
        }
        let until = now.saturating_add(PATIENCE);
        space.asked_latest.insert(room, (*peer, until));
        self.send_frame(peer, &Frame::WantLatest { space: id, room });
    }

    /// Whether the latest messages of a room were asked of this peer.
    pub(in super::super) fn is_asked_latest(
        &self,
        peer: &Peer,
        space: &SpaceId,
        room: &RoomId,
    ) -> bool {
        let asked = self
            .spaces
            .get(space)
            .and_then(|space| space.asked_latest.get(room));
        asked.is_some_and(|(of, _)| of == peer)
    }

    pub(super) fn on_want_latest(
        &mut self,
        ledger: &mut dyn Ledger,
        peer: &Peer,
        space: SpaceId,
        room: RoomId,
    ) -> Result<(), Fault> {
        // What is shown of the direct room would tell what is for this member.
        let silent = room == space.control_room() || room == space.direct_room();
        if silent || !self.may_carry(peer, &space, &room) {
            return Ok(());
        }
        let Some(receiver) = self.receiver(peer, &space) else {
            return Ok(());
        };
        let mut records = Vec::new();
        let mut size = 0;
        for record in ledger.latest(&space, &room, MAX_RECORDS)? {
            let Served::Given(body) = receiver.served(ledger, &record)? else {
                continue;
            };
            size += record.envelope.len() + body.len();
            if size > RECORDS_BYTES {
                break;
            }
            records.push(Carried {
                envelope: record.envelope,
                change: Vec::new(),
                body: Some(body),
            });
        }
        records.reverse();
        let frame = Frame::Latest {
            space,
            room,
            records,
        };
        self.send_frame(peer, &frame);
        Ok(())
    }

    pub(super) fn on_latest(
        &mut self,
        ledger: &mut dyn Ledger,
        peer: &Peer,
        id: SpaceId,
        room: RoomId,
        records: Vec<Carried>,
    ) -> Result<(), Fault> {
        let asked = self
            .spaces
            .get_mut(&id)
            .and_then(|space| space.asked_latest.remove(&room));
        if asked.is_none_or(|(of, _)| of != *peer) || !self.may_carry(peer, &id, &room) {
            return Ok(());
        }
        let mut authors: BTreeMap<MessageId, MemberId> = BTreeMap::new();
        let mut unknown: BTreeMap<DeviceId, BTreeSet<FeedKey>> = BTreeMap::new();
        for carried in records {
            let envelope = Signed::<Envelope>::open(&carried.envelope)
                .map_err(|_| Fault::Broke("a record is not signed by whom it names"))?;
            let value = envelope.value();
            if (value.space, value.room) != (id, room) {
                return Err(Fault::Broke("a record of another room"));
            }
            let Some(wire) = carried.body else {
                return Err(Fault::Broke("one of the latest messages without its body"));
            };
            is_body_of(&wire, &value.body)?;
            let record = envelope.id();
            let (Some(author), Ok(body)) = (self.vouched(&envelope), Body::decode(&wire)) else {
                continue;
            };
            let fits = match &body.content {
                Content::Text { .. } | Content::Result(_) => true,
                Content::Edit { target, .. } => authors.get(target) == Some(&author),
                _ => false,
            };
            if !fits || ledger.record(&record)?.is_some() {
                continue;
            }
            let Some(space) = self.spaces.get_mut(&id) else {
                return Ok(());
            };
            let feed = FeedKey::of(value);
            if space.ends_of(&feed).is_empty() {
                let lives = unknown.entry(feed.device).or_default();
                if lives.len() >= NEW_LIVES && !lives.contains(&feed) {
                    continue;
                }
                lives.insert(feed);
            }
            authors.insert(record, author);
            ledger.put_ahead(&id, &room, &record)?;
            space.ahead.insert(record, room);
            space.ahead_of.insert(room, *peer);
            self.outputs
                .push(Output::Event(Event::Shown(Box::new(Shown {
                    space: id,
                    room,
                    id: record,
                    feed,
                    sequence: value.sequence,
                    author,
                    lamport: value.lamport,
                    body: Some(body),
                    erased: false,
                    closed: None,
                    late: false,
                    provisional: true,
                    ahead: true,
                }))));
        }
        if !authors.is_empty() {
            let ahead = Event::Ahead { space: id, room };
            self.outputs.push(Output::Event(ahead));
        }
        Ok(())
    }

    /// Who wrote a record that is not here, if everything that is known lets it count: one who is in, of whom nothing
    /// was cut.
    fn vouched(&self, envelope: &Signed<Envelope>) -> Option<MemberId> {
        let value = envelope.value();
        let feed = FeedKey::of(value);
        let space = self.spaces.get(&value.space)?;
        let place = Place {
            feed: &feed,
            sequence: value.sequence,
            id: envelope.id(),
            leads_to: &|_| false,
        };
        let (member, _) = space.roster.author(&place)?;
        (member.state == MemberState::Member && !space.is_crowded(&feed)).then_some(member.id)
    }

    /// A record came and is shown, or is not to be: whether a message was shown ahead of it until now.
    pub(super) fn caught_up(
        &mut self,
        ledger: &mut dyn Ledger,
        id: &SpaceId,
        record: &MessageId,
    ) -> LedgerResult<bool> {
        let space = self.spaces.get_mut(id);
        let was = space.is_some_and(|space| space.ahead.remove(record).is_some());
        if was {
            ledger.drop_ahead(record)?;
        }
        Ok(was)
    }

    /// A member has exactly what is here of these rooms: what was shown ahead and has no record is not to come.
    pub(super) fn end_ahead(
        &mut self,
        ledger: &mut dyn Ledger,
        id: SpaceId,
        rooms: &[RoomId],
    ) -> LedgerResult<()> {
        let Some(space) = self.spaces.get(&id) else {
            return Ok(());
        };
        let left: Vec<(MessageId, RoomId)> = space
            .ahead
            .iter()
            .filter(|(_, room)| rooms.contains(room))
            .map(|(record, room)| (*record, *room))
            .collect();
        for (record, room) in left {
            if ledger.record(&record)?.is_none() && self.caught_up(ledger, &id, &record)? {
                if let Some(space) = self.spaces.get_mut(&id)
                    && let Some(of) = space.ahead_of.get(&room)
                {
                    space.boasters.insert((*of, room));
                }
                self.outputs.push(Output::Event(Event::Withdrawn {
                    space: id,
                    room,
                    id: record,
                }));
            }
        }
        Ok(())
    }
}
