//! What is carried by hand where the network forbids all: records as frames for a file, and frames out of such a file.
//!
//! The file itself, and how it is sealed, are the application's. What comes out of one is checked like what comes from
//! a peer: it may be anything.

use std::ops::ControlFlow;

use artel_domain::{Audience, Body, SpaceId, SpaceSecret};
use thiserror::Error;

use super::{
    super::{
        event::CommandError,
        frame::Frame,
        ledger::{FeedKey, Ledger, LedgerError, LedgerResult, StoredBody},
    },
    Fault, Node,
    exchange::{Page, page, place_of},
    ingest::{Asked, Taken},
};

/// Epochs of a space of which each two are tried together as the key of a bundle: some 2,000 pairs.
const MAX_PAIRED: usize = 64;

/// What came of a frame out of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpacked {
    /// It is here; so many of its records were not before.
    Taken(u64),
    /// Something of it does not follow from what is here: earlier records are missing. So many came in all the same.
    Gap(u64),
    /// Its author, or its room, is not known here, or not open to this member. So many came in before that was found.
    Unknown(u64),
}

/// Why a frame out of a bundle was not taken.
#[derive(Debug, Error)]
pub enum UnpackError {
    /// It is no frame of records of this space.
    #[error("it holds something else than records of this space")]
    Foreign,
    /// It breaks a rule that no honest node breaks.
    #[error("it breaks the rules: {0}")]
    Broke(&'static str),
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl Node {
    /// Feeds of a space that every member may read, those of control first; and the names of rooms that are left out
    /// because not everyone reads them.
    ///
    /// # Errors
    /// No such space, or this member is not in it.
    pub fn bundle_feeds(
        &self,
        space: &SpaceId,
    ) -> Result<(Vec<FeedKey>, Vec<String>), CommandError> {
        let found = self.spaces.get(space).ok_or(CommandError::NoSpace)?;
        if !self.is_inside(space) {
            return Err(CommandError::NotEnrolled);
        }
        let all = |room: &&super::super::roster::Room| room.audience == Audience::All;
        let open = found.roster.rooms.iter().filter(all).map(|room| room.id);
        let feeds = std::iter::once(space.control_room())
            .chain(open)
            .flat_map(|room| {
                found
                    .ends_in(&room)
                    .map(|head| head.feed)
                    .collect::<Vec<_>>()
            });
        let mut feeds: Vec<FeedKey> = feeds.collect();
        feeds.dedup();
        let me = self.member();
        let left_out = found.roster.rooms.iter().filter(|room| {
            room.audience != Audience::All
                && room.page.is_none()
                && found.roster.reads(&me, &room.id)
        });
        let left_out = left_out.map(|room| room.name.clone()).collect();
        Ok((feeds, left_out))
    }

    /// Looks through a piece of a feed, from a place on, for the first record whose author's clock was not before `since`.
    /// Breaks with its place, or that after the last where there is none; continues with where the next piece begins.
    /// Control feeds are needed whole.
    ///
    /// # Errors
    /// The ledger failed.
    pub fn bundle_from(
        &self,
        ledger: &dyn Ledger,
        feed: &FeedKey,
        from: u64,
        since: i64,
    ) -> LedgerResult<ControlFlow<u64, u64>> {
        const PAGE: usize = 500;
        if feed.room == feed.space.control_room() {
            return Ok(ControlFlow::Break(from));
        }
        let page = ledger.feed_records(feed, from, PAGE)?;
        for record in &page {
            let body = ledger.body(&record.id)?;
            if let Some(StoredBody::Here(wire)) = body
                && Body::decode(&wire).is_ok_and(|body| body.at >= since)
            {
                return Ok(ControlFlow::Break(record.sequence));
            }
        }
        Ok(match page.last() {
            Some(last) if page.len() == PAGE && last.sequence > from => {
                ControlFlow::Continue(last.sequence)
            }
            Some(last) => ControlFlow::Break(last.sequence.saturating_add(1)),
            None => ControlFlow::Break(from),
        })
    }

    /// A frame with records of a feed from a place on, how many they are, and where the next one begins if there is one.
    ///
    /// # Errors
    /// The ledger failed.
    #[expect(
        clippy::type_complexity,
        reason = "three plain values, read at one place"
    )]
    pub fn bundle_page(
        &self,
        ledger: &dyn Ledger,
        feed: &FeedKey,
        from: u64,
    ) -> LedgerResult<Option<(Vec<u8>, usize, Option<u64>)>> {
        // Every member can open the file: it holds what all of them are given.
        let Some(receiver) = self.everyone(&feed.space) else {
            return Ok(None);
        };
        let Page { records, more, .. } = page(ledger, feed, from, &receiver)?;
        let Some(last) = records.last() else {
            return Ok(None);
        };
        let next = place_of(Some(last)).saturating_add(1);
        let count = records.len();
        let frame = Frame::Records {
            space: feed.space,
            room: feed.room,
            device: feed.device,
            incarnation: feed.incarnation,
            records,
            more,
        };
        Ok(Some((frame.encode(), count, more.then_some(next))))
    }

    /// The key that a bundle of a space is sealed with: whoever has the secrets of all latest epochs has it.
    pub fn bundle_key(&self, space: &SpaceId) -> Option<[u8; 32]> {
        self.spaces.get(space)?.meeting_key()
    }

    /// Keys that a bundle may be sealed with, each with its space: those of now, those of each epoch by itself, and those
    /// of two together, as they are while neither had seen the other; of the first [`MAX_PAIRED`] epochs that are known.
    pub fn bundle_keys(&self) -> Vec<(SpaceId, [u8; 32])> {
        let keys = self.spaces.iter().flat_map(|(id, space)| {
            let former: Vec<&SpaceSecret> = space.secrets.values().collect();
            let pairs = former.iter().take(MAX_PAIRED).enumerate();
            let pairs = pairs.flat_map(|(at, one)| {
                let others = former.iter().take(at);
                others.map(|other| SpaceSecret::meeting_key(id, [*one, *other]))
            });
            let alone = former.iter();
            let alone = alone.map(|secret| SpaceSecret::meeting_key(id, [*secret]));
            let keys = space.meeting_key().into_iter().chain(alone).chain(pairs);
            keys.map(|key| (*id, key)).collect::<Vec<_>>()
        });
        keys.collect()
    }

    /// Takes a frame out of a bundle of a space, as if a member had given it.
    ///
    /// # Errors
    /// It is something else, or it was tampered with: what came before it stays.
    pub fn unpack(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        space: SpaceId,
        frame: &[u8],
    ) -> Result<Unpacked, UnpackError> {
        let Ok(Frame::Records {
            space: of,
            room,
            device,
            incarnation,
            records,
            ..
        }) = Frame::decode(frame)
        else {
            return Err(UnpackError::Foreign);
        };
        if of != space {
            return Err(UnpackError::Foreign);
        }
        let feed = FeedKey {
            space,
            room,
            device,
            incarnation,
        };
        let (me, control) = (self.member(), room == space.control_room());
        let found = self.spaces.get(&space);
        if !control && !found.is_some_and(|found| found.roster.reads(&me, &room)) {
            return Ok(Unpacked::Unknown(0));
        }
        self.tell_time(now);
        let mut unknown = Vec::new();
        for carried in &records {
            if let Ok(envelope) =
                artel_domain::Signed::<artel_domain::Envelope>::reopen(&carried.envelope)
                && ledger.record(&envelope.id())?.is_none()
            {
                unknown.push(envelope.id());
            }
        }
        self.begin_round(&feed, true);
        let taken = match self.ingest(ledger, &feed, records, Asked::ByRange) {
            Ok(taken) => taken,
            Err(Fault::Ledger(error)) => return Err(error.into()),
            Err(Fault::Broke(why)) => return Err(UnpackError::Broke(why)),
        };
        match self.refold(ledger, now) {
            Err(Fault::Ledger(error)) => return Err(error.into()),
            Err(Fault::Broke(why)) => return Err(UnpackError::Broke(why)),
            Ok(()) => {}
        }
        let mut new = 0;
        for id in unknown {
            new += u64::from(ledger.record(&id)?.is_some());
        }
        Ok(match taken {
            Taken::All => Unpacked::Taken(new),
            Taken::Gap => Unpacked::Gap(new),
            Taken::Unwanted => Unpacked::Unknown(new),
        })
    }
}
