//! What newcomers are given of what was said before they came, as the space's policy has it.
//!
//! Everyone gets every envelope, since the chains need them; bodies of messages from before a member came are *withheld*
//! from that member's machines, and edits and files of those messages. It is a rule of serving, not of validity: each
//! machine goes by the clock in a record's body and by the witness's clock in the member's first join. Whoever gives more
//! harms nobody, and what comes so is taken.
//!
//! What is withheld is said, so that nobody asks for it for ever. Of several words one is none: a liar could keep a
//! newcomer from what others wrote. So a record is asked for of one member after the other, each only once, until enough of
//! them said so, or one who may set the rules.

use artel_domain::{Body, Content, DeviceId, MemberId, MessageId, Permission, SpaceId};

use super::{
    super::{
        event::{Event, Output, Peer},
        frame::Frame,
        ledger::{Ledger, LedgerResult, StoredBody, StoredRecord},
        roster::Roster,
    },
    Fault, Node,
    direct::AskingSealed,
};

/// So many members' word that a body is withheld is believed.
const ENOUGH: usize = 3;

/// One who is given records, and what of their bodies.
#[derive(Clone, Copy)]
pub(super) struct Receiver<'a> {
    roster: &'a Roster,
    /// None if that is everyone who is in.
    member: Option<MemberId>,
    /// From which clock on.
    from: i64,
}

/// What a receiver is given of a body.
pub(super) enum Served {
    Given(Vec<u8>),
    /// It is from before the receiver came.
    Withheld,
    /// It is not here, not given any more, or not known well enough.
    Missing,
}

impl Served {
    pub(super) fn given(self) -> Option<Vec<u8>> {
        match self {
            Self::Given(wire) => Some(wire),
            Self::Withheld | Self::Missing => None,
        }
    }
}

impl Receiver<'_> {
    /// The body of a record as the receiver gets it. Of the direct room it is given by all alike for a while, and then by
    /// nobody: who keeps it longer, because it is for them, does not show that.
    pub(super) fn served(
        &self,
        ledger: &dyn Ledger,
        record: &StoredRecord,
    ) -> LedgerResult<Served> {
        let sealed = record.feed.room == record.feed.space.direct_room();
        if sealed && ledger.load(&record.id)?.is_none() {
            return Ok(Served::Missing);
        }
        let Some(StoredBody::Here(wire)) = ledger.body(&record.id)? else {
            return Ok(Served::Missing);
        };
        Ok(match self.is_due(ledger, record, &wire)? {
            Some(true) => Served::Given(wire),
            Some(false) => Served::Withheld,
            None => Served::Missing,
        })
    }

    /// Whether a body is given to the receiver; none if what decides that is not here.
    pub(super) fn is_due(
        &self,
        ledger: &dyn Ledger,
        record: &StoredRecord,
        wire: &[u8],
    ) -> LedgerResult<Option<bool>> {
        if self.from == i64::MIN || self.is_exempt(record) {
            return Ok(Some(true));
        }
        let Ok(body) = Body::decode(wire) else {
            // Nobody reads it; a newer version may.
            return Ok(Some(true));
        };
        let at = match body.content {
            // What was taken back is taken back everywhere.
            Content::Delete { .. } => return Ok(Some(true)),
            Content::Edit { target, .. } => match ledger.record(&target)? {
                None => body.at,
                Some(target) => match ledger.body(&target.id)? {
                    Some(StoredBody::Here(wire)) => {
                        Body::decode(&wire).map_or(body.at, |target| target.at)
                    }
                    _ => return Ok(None),
                },
            },
            _ => body.at,
        };
        Ok(Some(at >= self.from))
    }

    /// Whether a record is given whatever its age: an entry of control, a change of a page, or the receiver's own.
    fn is_exempt(&self, record: &StoredRecord) -> bool {
        let feed = &record.feed;
        let own = |device: &DeviceId| self.roster.of_device(device).map(|owner| owner.id);
        feed.room == feed.space.control_room()
            || self
                .roster
                .room(&feed.room)
                .is_some_and(|room| room.page.is_some())
            || (self.member.is_some() && own(&feed.device) == self.member)
    }
}

impl Node {
    /// What a peer is given of a space's records; none if it has not proven to be anyone.
    pub(super) fn receiver(&self, peer: &Peer, space: &SpaceId) -> Option<Receiver<'_>> {
        let member = self.link(peer, space)?.certified?;
        let roster = &self.spaces.get(space)?.roster;
        Some(Receiver {
            roster,
            member: Some(member),
            from: roster.given_from(&member),
        })
    }

    /// What everyone who is in may be given.
    pub(super) fn everyone(&self, space: &SpaceId) -> Option<Receiver<'_>> {
        let roster = &self.spaces.get(space)?.roster;
        Some(Receiver {
            roster,
            member: None,
            from: roster.given_to_all_from(),
        })
    }

    /// Says of which records a peer is not given the bodies.
    pub(super) fn tell_withheld(&mut self, peer: &Peer, space: SpaceId, records: Vec<MessageId>) {
        let from = self.receiver(peer, &space).map(|to| to.from);
        if let Some(before) = from.filter(|_| !records.is_empty()) {
            let frame = Frame::Withheld {
                space,
                before,
                records,
            };
            self.send_frame(peer, &frame);
        }
    }

    /// A peer does not give these bodies, since they are older than what this member is given by its knowledge.
    pub(super) fn on_withheld(
        &mut self,
        ledger: &mut dyn Ledger,
        peer: &Peer,
        id: SpaceId,
        before: i64,
        records: Vec<MessageId>,
    ) -> Result<(), Fault> {
        let me = self.member();
        let Some(space) = self.spaces.get(&id) else {
            return Ok(());
        };
        // One who goes by a stricter rule than the one known here has not heard of the latest, or knows a later one.
        let from = space.roster.given_from(&me);
        let Some(by) = self.link(peer, &id).and_then(|link| link.certified) else {
            return Ok(());
        };
        if from == i64::MIN || before > from || !self.is_member(peer, &id) {
            return Ok(());
        }
        let runs = |member: &MemberId| {
            let found = space.roster.member(member);
            found.is_some_and(|found| found.role.may(Permission::SetPolicy))
        };
        let decides = runs(&by);
        let mut heard = Vec::new();
        for record in records {
            let Some(found) = ledger.record(&record)?.filter(|r| r.feed.space == id) else {
                continue;
            };
            let mine = Receiver {
                roster: &space.roster,
                member: Some(me),
                from,
            };
            if mine.is_exempt(&found) || !self.may_carry(peer, &id, &found.feed.room) {
                continue;
            }
            let said = ledger.put_withheld(&record, &by)?;
            if said >= ENOUGH || (said > 0 && decides) {
                ledger.settle_withheld(&record)?;
            }
            if said > 0 {
                heard.push(found.feed.room);
            }
        }
        let Some(space) = self.spaces.get_mut(&id).filter(|_| !heard.is_empty()) else {
            return Ok(());
        };
        // The next may be asked at once.
        space.asked_bodies = 0;
        let known = space.withheld_in.len();
        space.withheld_in.extend(heard);
        if space.withheld_in.len() > known {
            self.outputs.push(Output::Event(Event::SpaceChanged(id)));
        }
        Ok(())
    }

    /// This member is given more than before: what was withheld is asked for anew.
    pub(super) fn widened(&mut self, ledger: &mut dyn Ledger, id: SpaceId) -> Result<(), Fault> {
        for record in ledger.drop_withheld(&id)? {
            // Nobody has the bodies of those that were deleted meanwhile.
            if let Some(record) = ledger.record(&record)? {
                self.consider(ledger, record)?;
            }
        }
        if let Some(space) = self.spaces.get_mut(&id) {
            space.withheld_in.clear();
            space.bodies_after = None;
            space.asked_bodies = 0;
        }
        let links = self.sessions.values_mut();
        for link in links.filter_map(|session| session.links.get_mut(&id)) {
            link.sealed = AskingSealed::default();
        }
        Ok(())
    }

    /// Whether a deleted message is of a time of which this member is given nothing: no trace of it is shown, either.
    pub(super) fn is_before_me(
        &self,
        ledger: &dyn Ledger,
        record: &StoredRecord,
    ) -> LedgerResult<bool> {
        let Some(space) = self.spaces.get(&record.feed.space) else {
            return Ok(false);
        };
        let from = space.roster.given_from(&self.member());
        if from == i64::MIN {
            return Ok(false);
        }
        if ledger.is_withheld(&record.id)? {
            return Ok(true);
        }
        for deletion in ledger.references(&record.id)? {
            if let Some(StoredBody::Here(wire)) = ledger.body(&deletion)?
                && let Ok(body) = Body::decode(&wire)
                && matches!(body.content, Content::Delete { .. })
                && body.at < from
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
