//! How a record comes in: verified first, applied in batches, placed in the order, then perhaps shown.

use std::collections::{BTreeSet, VecDeque};

use artel_domain::{
    Body, BodyHash, ChangeHash, Content, Control, DeviceCertificate, DeviceId, Envelope, MessageId,
    Signed, SpaceId,
    limits::{MAX_CONTROL_FEED, TERM_RECORDS},
};

use super::{
    super::{
        event::{Event, Output, Peer, Reason},
        feed,
        frame::Carried,
        ledger::{FeedKey, Head, Ledger, LedgerResult, Standing, StoredBody, StoredRecord},
        roster::MemberState,
    },
    Fault, Node,
    showing::{here, shown_in},
};

/// Devices whose word for themselves is kept in one space while it does not count.
const MAX_STRANGERS: usize = 64;

/// What came of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// All of it is here.
    All,
    /// It does not follow from what is here: earlier records are missing.
    Gap,
    /// It is not wanted (yet): the feed's device is not known, or a limit is reached.
    Unwanted,
}

/// How records were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// As part of a feed, or not at all.
    ByRange,
    /// Because something builds on them: limits of the feed do not hold.
    ByName,
}

/// A record whose signature, place, change and body were checked.
pub(super) struct Checked {
    pub(super) envelope: Signed<Envelope>,
    pub(super) change: automerge::Change,
    pub(super) bytes: Vec<u8>,
    pub(super) body: Option<Vec<u8>>,
}

/// What a run of records follows.
#[derive(Clone)]
struct Before {
    record: StoredRecord,
    change: ChangeHash,
}

impl Before {
    fn of(record: StoredRecord) -> Result<Self, Fault> {
        let envelope = Signed::<Envelope>::reopen(&record.envelope)
            .map_err(|_| Fault::Broke("a stored record is damaged"))?;
        Ok(Self {
            change: envelope.value().change,
            record,
        })
    }
}

impl Node {
    /// Takes records of one feed from a peer.
    pub(super) fn ingest(
        &mut self,
        ledger: &mut dyn Ledger,
        feed: &FeedKey,
        records: Vec<Carried>,
        asked: Asked,
    ) -> Result<Taken, Fault> {
        let Some(space) = self.spaces.get(&feed.space) else {
            return Ok(Taken::Unwanted);
        };
        let control = feed.room == feed.space.control_room();
        let known = space.roster.counts(&feed.device);
        if asked == Asked::ByRange && space.is_crowded(feed) {
            return Ok(Taken::Unwanted);
        }
        let founding = control && space.control.len() == 0;
        let first = records.first().and_then(|first| first.body.as_deref());
        let of_use = known
            || founding
            || asked == Asked::ByName
            || (control && self.vouches_for_itself(feed, first));
        if !of_use {
            return Ok(Taken::Unwanted);
        }
        let mut run: Vec<Checked> = Vec::new();
        let mut before: Option<Before> = None;
        for carried in records {
            let envelope = Signed::<Envelope>::open(&carried.envelope)
                .map_err(|_| Fault::Broke("a record is not signed by whom it names"))?;
            let value = envelope.value();
            if FeedKey::of(value) != *feed {
                return Err(Fault::Broke("a record of another feed"));
            }
            if let Some(body) = &carried.body {
                is_body_of(body, &value.body)?;
            }
            if control && value.sequence > MAX_CONTROL_FEED {
                self.take_run(ledger, feed, before, run, asked)?;
                return Ok(Taken::Unwanted);
            }
            if run.iter().any(|other| other.envelope.id() == envelope.id()) {
                return Err(Fault::Broke("a record twice"));
            }
            if let Some(stored) = ledger.record(&envelope.id())? {
                if let Some(body) = carried.body {
                    self.body_came(ledger, stored.clone(), &body)?;
                }
                self.take_run(ledger, feed, before.take(), std::mem::take(&mut run), asked)?;
                before = Some(Before::of(stored)?);
                continue;
            }
            if control && carried.body.is_none() {
                self.lacks_body(&feed.space, envelope.id());
                self.take_run(ledger, feed, before, run, asked)?;
                return Ok(Taken::Unwanted);
            }
            if founding && !known && run.is_empty() && !self.founds(feed, carried.body.as_deref()) {
                return Ok(Taken::Unwanted);
            }
            let follows = run
                .last()
                .map(|last| (last.envelope.id(), last.envelope.value().change));
            let previous = match (value.previous, follows) {
                (None, _) => {
                    // The first of a feed; in a copied profile one of several.
                    self.take_run(ledger, feed, before.take(), std::mem::take(&mut run), asked)?;
                    None
                }
                (Some(previous), Some((last, change))) if previous == last => Some(change),
                (Some(previous), _) => {
                    self.take_run(ledger, feed, before.take(), std::mem::take(&mut run), asked)?;
                    let Some(stored) = ledger.record(&previous)? else {
                        return Ok(Taken::Gap);
                    };
                    if stored.feed != *feed || stored.sequence + 1 != value.sequence {
                        return Err(Fault::Broke("a record out of its place"));
                    }
                    let stored = Before::of(stored)?;
                    let change = stored.change;
                    before = Some(stored);
                    Some(change)
                }
            };
            if let Some(last) = run.last()
                && last.envelope.value().sequence + 1 != value.sequence
            {
                return Err(Fault::Broke("a record out of its place"));
            }
            let change = feed::check(value, &carried.change, previous.as_ref())
                .map_err(|_| Fault::Broke("a change is not its record's"))?;
            if value.place() == 1 && !run.is_empty() {
                let last = run.last().map(|last| last.envelope.id());
                self.take_run(ledger, feed, before.take(), std::mem::take(&mut run), asked)?;
                before = match last {
                    Some(last) => ledger.record(&last)?.map(Before::of).transpose()?,
                    None => None,
                };
            }
            run.push(Checked {
                envelope,
                change,
                bytes: carried.change,
                body: carried.body,
            });
        }
        self.take_run(ledger, feed, before, run, asked)
    }

    /// Whether a body is the founding entry of its space, written by the device that it certifies.
    fn founds(&self, feed: &FeedKey, body: Option<&[u8]>) -> bool {
        let owner = self
            .spaces
            .get(&feed.space)
            .map(|space| space.genesis.value().owner);
        let Some(Ok(Body {
            content: Content::Control(Control::Found { certificate, .. }),
            ..
        })) = body.map(Body::decode)
        else {
            return false;
        };
        Signed::<DeviceCertificate>::open(&certificate)
            .is_ok_and(|c| c.value().device == feed.device && Some(c.value().member) == owner)
    }

    /// Whether a control feed of a device that the roster does not have is kept: it begins with the device's own word
    /// that it belongs to one who is or was in. Whether that word counts is for the fold to say.
    fn vouches_for_itself(&self, feed: &FeedKey, first: Option<&[u8]>) -> bool {
        let Some(space) = self.spaces.get(&feed.space) else {
            return false;
        };
        if !space.ends_of(feed).is_empty() {
            return true;
        }
        let Some(Ok(Body {
            content: Content::Control(Control::Enrol { certificate }),
            ..
        })) = first.map(Body::decode)
        else {
            return false;
        };
        let strangers: BTreeSet<DeviceId> = space
            .ends_in(&feed.room)
            .map(|head| head.feed.device)
            .filter(|device| !space.roster.counts(device))
            .collect();
        strangers.len() < MAX_STRANGERS
            && Signed::<DeviceCertificate>::open(&certificate).is_ok_and(|certificate| {
                let DeviceCertificate { member, device, .. } = certificate.value();
                *device == feed.device
                    && space
                        .roster
                        .member(member)
                        .is_some_and(|member| member.state != MemberState::Pending)
            })
    }

    /// Applies a run of checked records of one term and one branch, then keeps them.
    fn take_run(
        &mut self,
        ledger: &mut dyn Ledger,
        feed: &FeedKey,
        before: Option<Before>,
        run: Vec<Checked>,
        asked: Asked,
    ) -> Result<Taken, Fault> {
        let Some(last) = run.last() else {
            return Ok(Taken::All);
        };
        let (last_id, last_change, last_place) = (
            last.envelope.id(),
            last.envelope.value().change,
            last.envelope.value().place(),
        );
        let Some(space) = self.spaces.get(&feed.space) else {
            return Ok(Taken::Unwanted);
        };
        let ends = space.ends_of(feed);
        let extends = before.as_ref().map_or(ends.is_empty(), |b| {
            ends.iter().any(|head| head.id == b.record.id)
        });
        if !extends {
            if asked == Asked::ByRange && space.is_crowded(feed) {
                return Ok(Taken::Unwanted);
            }
            self.outputs.push(Output::Event(Event::Forked(*feed)));
        }
        let mut document = self
            .documents
            .take(ledger, feed, before.as_ref().map(|b| &b.record))?;
        let newest = run.iter().filter_map(written_at).max();
        let mut changes = Vec::with_capacity(run.len());
        let mut kept = Vec::with_capacity(run.len());
        for checked in run {
            changes.push(checked.change);
            kept.push((checked.envelope, checked.bytes, checked.body));
        }
        document
            .apply(changes, &last_change)
            .map_err(|_| Fault::Broke("a change does not fit"))?;
        let unforked = extends && ends_before(self, feed) <= 1;
        for (envelope, change, body) in kept {
            self.keep(ledger, &envelope, change, body.as_deref(), false)?;
        }
        if last_place == TERM_RECORDS && unforked {
            seal(ledger, feed, &last_id, &document)?;
        } else {
            self.documents.keep(last_id, document);
        }
        if feed.device == self.device() {
            if feed.incarnation == self.incarnation {
                self.rebirth(ledger)?;
            } else {
                self.suspect(feed, newest);
            }
        }
        Ok(Taken::All)
    }

    /// Records of this device came that this installation did not write, with the latest clock among them. A machine
    /// that was reset to an earlier state gets its own lost ones that way; but those are older than this node, and come
    /// before it is in step. Newer ones are of another installation with the same key, alive now.
    fn suspect(&mut self, feed: &FeedKey, newest: Option<i64>) {
        let settled = self
            .spaces
            .get(&feed.space)
            .is_some_and(|space| space.was_in_step);
        let newer = newest
            .zip(self.began)
            .is_some_and(|(newest, began)| newest > began);
        if settled && newer && !self.cloned && !self.lives.contains(&feed.incarnation) {
            self.cloned = true;
            self.outputs.push(Output::Event(Event::Cloned));
        }
    }

    /// Keeps a verified record: ledger, head, order, fold, what is shown. Own and foreign ones alike.
    pub(super) fn keep(
        &mut self,
        ledger: &mut dyn Ledger,
        envelope: &Signed<Envelope>,
        change: Vec<u8>,
        body: Option<&[u8]>,
        own: bool,
    ) -> Result<StoredRecord, Fault> {
        let value = envelope.value();
        let feed = FeedKey::of(value);
        let id = envelope.id();
        let at = (value.lamport, id);
        let late = !own
            && self
                .spaces
                .get(&feed.space)
                .and_then(|s| s.baseline.get(&feed.room))
                .is_some_and(|top| at < *top);
        let standing = judge(ledger, envelope)?;
        let record = StoredRecord {
            id,
            feed,
            sequence: value.sequence,
            lamport: value.lamport,
            body: value.body,
            envelope: envelope.wire().to_vec(),
            change,
            standing,
            shown: false,
            late,
        };
        ledger.put_record(&record)?;
        let sealed = feed.room == feed.space.direct_room();
        if let Some(body) = body {
            ledger.put_body(&id, body)?;
            if sealed {
                self.sealed_came(ledger, &record, body)?;
            }
            refer(ledger, &record)?;
        } else if sealed {
            self.sealed_awaited(ledger, &record)?;
        }
        let head = Head {
            feed,
            sequence: value.sequence,
            id,
            lamport: value.lamport,
            change: value.change,
            standing,
        };
        if let Some(space) = self.spaces.get_mut(&feed.space) {
            let old = value
                .previous
                .filter(|p| space.ends_of(&feed).iter().any(|head| head.id == *p));
            ledger.replace_head(old.as_ref(), &head)?;
            space.put_head(old.as_ref(), head);
            if space.is_crowded(&feed) {
                let device = space.feeds_of(&feed.device).into_iter();
                self.recut
                    .extend(device.map(|head| head.feed).filter(|f| f.room == feed.room));
                if feed.room == feed.space.control_room() {
                    self.unfolded.insert(feed.space);
                }
            }
        }
        self.placed(ledger, record.clone())?;
        let cut = |space: &super::space::Space| space.roster.is_cut_at(&feed.device, &id);
        if self.spaces.get(&feed.space).is_some_and(cut) {
            self.recut.insert(feed);
        }
        Ok(record)
    }

    /// A record has a new standing: the fold, what is shown, and those who wait for it follow.
    fn placed(&mut self, ledger: &mut dyn Ledger, record: StoredRecord) -> Result<(), Fault> {
        let mut queue = VecDeque::from([record]);
        while let Some(record) = queue.pop_front() {
            if record.feed.room == record.feed.space.control_room() {
                self.control_came(ledger, &record)?;
            }
            let id = record.id;
            self.consider(ledger, record)?;
            for child in ledger.take_waits(&id)? {
                let Some(mut child) = ledger.record(&child)? else {
                    continue;
                };
                let envelope = Signed::<Envelope>::reopen(&child.envelope)
                    .map_err(|_| Fault::Broke("a stored record is damaged"))?;
                let standing = judge(ledger, &envelope)?;
                if standing == child.standing {
                    self.consider(ledger, child)?;
                    continue;
                }
                child.standing = standing;
                ledger.update_record(&child.id, standing, child.shown, child.late)?;
                let end = self.spaces.get_mut(&child.feed.space).and_then(|space| {
                    let mut head = *space
                        .ends_of(&child.feed)
                        .iter()
                        .find(|head| head.id == child.id)?;
                    head.standing = standing;
                    space.put_head(Some(&child.id), head);
                    Some(head)
                });
                if let Some(head) = end {
                    ledger.replace_head(Some(&child.id), &head)?;
                }
                if standing == Standing::Settled
                    && child.shown
                    && self.page_of(&child.feed).is_none()
                {
                    let room = shown_in(ledger, &child)?;
                    self.outputs.push(Output::Event(Event::Settled {
                        space: child.feed.space,
                        room,
                        id: child.id,
                    }));
                }
                queue.push_back(child);
            }
        }
        Ok(())
    }

    /// A settled control entry joins the set; the fold follows later, once for the whole batch.
    fn control_came(&mut self, ledger: &mut dyn Ledger, record: &StoredRecord) -> LedgerResult<()> {
        if record.standing != Standing::Settled {
            return Ok(());
        }
        let Some(StoredBody::Here(wire)) = ledger.body(&record.id)? else {
            return Ok(());
        };
        let Ok(envelope) = Signed::<Envelope>::reopen(&record.envelope) else {
            return Ok(());
        };
        let control = match Body::decode(&wire).map(|body| body.content) {
            Ok(Content::Control(control)) => Some(control),
            _ => None,
        };
        if let Some(space) = self.spaces.get_mut(&record.feed.space) {
            space.control.insert(&envelope, control);
            self.unfolded.insert(record.feed.space);
        }
        Ok(())
    }

    /// A body came for a record that is here.
    pub(super) fn body_came(
        &mut self,
        ledger: &mut dyn Ledger,
        record: StoredRecord,
        body: &[u8],
    ) -> Result<(), Fault> {
        if ledger.body(&record.id)?.is_some() {
            return Ok(());
        }
        ledger.put_body(&record.id, body)?;
        if record.feed.room == record.feed.space.direct_room() {
            self.sealed_came(ledger, &record, body)?;
        }
        refer(ledger, &record)?;
        self.consider(ledger, record)?;
        Ok(())
    }

    /// Folds the control feeds of every space where they grew, and follows what that changes.
    pub(super) fn refold(&mut self, ledger: &mut dyn Ledger, now: i64) -> Result<(), Fault> {
        for feed in std::mem::take(&mut self.recut) {
            self.reconsider(ledger, &feed)?;
        }
        let me = self.member();
        for id in std::mem::take(&mut self.unfolded) {
            let Some(space) = self.spaces.get_mut(&id) else {
                continue;
            };
            let Some(old) = space.refold() else {
                continue;
            };
            let mut affected = Vec::new();
            let differing = space.roster.rooms_unlike(&old);
            for member in &space.roster.members {
                let same = old.member(&member.id).is_some_and(|m| {
                    m.state == member.state
                        && m.past == member.past
                        && m.erased == member.erased
                        && m.cuts == member.cuts
                        && m.role == member.role
                        && m.devices == member.devices
                        && m.retired == member.retired
                });
                if !same {
                    let former = old.member(&member.id).into_iter();
                    let former = former.flat_map(|member| &member.devices);
                    let devices = member.devices.iter().chain(former);
                    affected.extend(devices.flat_map(|device| space.feeds_of(device)));
                }
            }
            for gone in old
                .members
                .iter()
                .filter(|m| space.roster.member(&m.id).is_none())
            {
                affected.extend(
                    gone.devices
                        .iter()
                        .flat_map(|device| space.feeds_of(device)),
                );
            }
            affected.extend(differing.iter().flat_map(|room| space.ends_in(room)));
            let widened = space.roster.given_from(&me) < old.given_from(&me);
            let direct = (old.is_direct_on(), space.roster.is_direct_on());
            if direct == (false, true) {
                affected.extend(space.ends_in(&id.direct_room()));
            }
            let mut feeds: Vec<FeedKey> = affected
                .iter()
                .map(|head| head.feed)
                .filter(|feed| feed.room != id.control_room())
                .collect();
            feeds.sort_unstable();
            feeds.dedup();
            let met: Vec<Peer> = self
                .sessions
                .iter()
                .filter(|(peer, session)| {
                    !session.links.contains_key(&id) && space.roster.of_device(peer).is_some()
                })
                .map(|(peer, _)| *peer)
                .collect();
            self.outputs.push(Output::Event(Event::SpaceChanged(id)));
            for feed in feeds {
                self.reconsider(ledger, &feed)?;
            }
            if widened {
                self.widened(ledger, id)?;
            }
            if direct == (true, false) {
                self.fetches.stop_of_room(&id.direct_room());
            }
            // Before the proof that a match brings, which the peer takes only once it has matched as well.
            for peer in met {
                self.send_tags(&peer);
            }
            for peer in self.sessions.keys().copied().collect::<Vec<_>>() {
                match self.refresh_link(now, &peer, id) {
                    Err(Fault::Broke(why)) => {
                        self.drop_peer(ledger, now, peer, Reason::Broke(why))?;
                    }
                    other => other?,
                }
                self.match_tags(&peer);
            }
            self.look_around(id);
            self.want_secrets(id);
            self.forget_registers(ledger, id)?;
            self.inherit_registers(ledger, now, id)?;
            self.arrived(ledger, id)?;
        }
        Ok(())
    }

    fn reconsider(&mut self, ledger: &mut dyn Ledger, feed: &FeedKey) -> Result<(), Fault> {
        const PAGE: usize = 500;
        let mut from = 1;
        loop {
            let page = ledger.feed_records(feed, from, PAGE)?;
            let Some(last) = page.last().map(|r| r.sequence) else {
                return Ok(());
            };
            let full = page.len() == PAGE;
            for record in page {
                self.consider(ledger, record)?;
            }
            if !full {
                return Ok(());
            }
            // A copied profile may have several records of this place, some on the next page: take it again.
            from = if last > from { last } else { last + 1 };
        }
    }

    /// Begins a new incarnation of this device.
    pub(super) fn rebirth(&mut self, ledger: &mut dyn Ledger) -> Result<(), Fault> {
        let bytes = self
            .entropy
            .draw()
            .map_err(|_| Fault::Broke("no randomness"))?;
        self.incarnation = artel_domain::Incarnation::from_bytes(bytes);
        self.lives.insert(self.incarnation);
        ledger.set_incarnation(self.incarnation)?;
        self.outputs
            .push(Output::Event(Event::Reborn(self.incarnation)));
        Ok(())
    }

    /// All settled control entries of a space, from the ledger.
    pub(super) fn load_control(
        &mut self,
        ledger: &mut dyn Ledger,
        id: SpaceId,
    ) -> LedgerResult<()> {
        const PAGE: usize = 500;
        let mut after = None;
        loop {
            let page = ledger.room_records(&id, &id.control_room(), after, PAGE)?;
            for record in &page {
                after = Some((record.lamport, record.id));
                self.control_came(ledger, record)?;
            }
            if page.len() < PAGE {
                return Ok(());
            }
        }
    }
}

/// Whether a body is what a record names, and no larger than honest ones are.
pub(super) fn is_body_of(wire: &[u8], hash: &BodyHash) -> Result<(), Fault> {
    if wire.len() > Body::limit_of(wire) {
        Err(Fault::Broke("a body is too large"))
    } else if Body::hash_of(wire) != *hash {
        Err(Fault::Broke("a body is not its record's"))
    } else {
        Ok(())
    }
}

/// The clock that a record carries, if its body is here and sound.
fn written_at(record: &Checked) -> Option<i64> {
    let body = Body::decode(record.body.as_deref()?);
    body.ok().map(|body| body.at)
}

fn ends_before(node: &Node, feed: &FeedKey) -> usize {
    node.spaces
        .get(&feed.space)
        .map_or(0, |space| space.ends_of(feed).len())
}

/// Notes which records an edit or a deletion is about.
fn refer(ledger: &mut dyn Ledger, record: &StoredRecord) -> LedgerResult<()> {
    let id = &record.id;
    match here(ledger, record)?.map(|body| body.content) {
        Some(Content::Edit { target, .. }) => ledger.put_reference(&target, id),
        Some(Content::Delete { target, edits }) => edits
            .iter()
            .chain([&target])
            .try_for_each(|erased| ledger.put_reference(erased, id)),
        _ => Ok(()),
    }
}

/// The standing of a record by what it builds on. Notes what it waits for.
fn judge(ledger: &mut dyn Ledger, envelope: &Signed<Envelope>) -> LedgerResult<Standing> {
    let value = envelope.value();
    let same_room =
        |record: &StoredRecord| (record.feed.space, record.feed.room) == (value.space, value.room);
    let mut top = 0;
    let mut open = false;
    for parent in value.parents.iter().chain(&value.previous) {
        match ledger.record(parent)? {
            Some(record) if same_room(&record) => match record.standing {
                Standing::Void => return Ok(Standing::Void),
                Standing::Settled => top = top.max(record.lamport),
                Standing::Provisional => {
                    top = top.max(record.lamport);
                    open = true;
                    ledger.put_wait(parent, &envelope.id())?;
                }
            },
            // A record of another room is missing here, as it is to all who are not in both.
            _ => {
                open = true;
                ledger.put_wait(parent, &envelope.id())?;
            }
        }
    }
    Ok(match top.checked_add(1) {
        _ if open => Standing::Provisional,
        Some(expected) if expected == value.lamport => Standing::Settled,
        _ => Standing::Void,
    })
}

/// Compacts a full term.
pub(super) fn seal(
    ledger: &mut dyn Ledger,
    feed: &FeedKey,
    last: &MessageId,
    document: &feed::Document,
) -> Result<(), Fault> {
    let Some(end) = ledger.record(last)? else {
        return Ok(());
    };
    let whole = usize::try_from(TERM_RECORDS).unwrap_or(usize::MAX);
    let first = end.sequence.saturating_sub(TERM_RECORDS - 1);
    let records: Vec<MessageId> = ledger
        .feed_records(feed, first, whole)?
        .iter()
        .map(|r| r.id)
        .collect();
    if records.len() == whole && document.len() == whole {
        let compact = document
            .compact()
            .map_err(|_| Fault::Broke("a term does not compact"))?;
        ledger.seal_term(last, &records, &compact)?;
    }
    Ok(())
}
