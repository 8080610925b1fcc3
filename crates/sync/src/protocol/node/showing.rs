//! What of the records is shown. A pure function of the records and the roster; only "late" is this machine's own.

use std::cell::RefCell;

use artel_domain::{
    Body, Content, Envelope, Letter, MemberId, MessageId, Permission, Role, RoomId, Signed, sealed,
};

use super::{
    super::{
        event::{Event, Output, Shown},
        ledger::{FeedKey, Ledger, LedgerResult, Opening, Standing, StoredBody, StoredRecord},
        roster::{PageOf, Place},
    },
    Fault, Node,
    space::Space,
};

/// How a record is to be shown.
enum View {
    Hidden,
    Shown(MemberId, What),
}

/// What is shown of a record.
enum What {
    Body(Box<Body>),
    Erased,
    /// It was sealed to this device at this time and cannot be opened.
    Closed(i64),
}

/// What the effective deletions say of a record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Erasure {
    None,
    /// A deleted message: its place is still shown.
    Message,
    /// An edit of a deleted message: nothing of it is shown.
    Edit,
}

impl Node {
    /// Shows or withdraws a record, as everything known now has it.
    pub(super) fn consider(
        &mut self,
        ledger: &mut dyn Ledger,
        record: StoredRecord,
    ) -> LedgerResult<()> {
        // Read again: what is known of it may have changed since the caller read it.
        let mut queue = vec![record.id];
        while let Some(id) = queue.pop() {
            if let Some(record) = ledger.record(&id)? {
                self.consider_one(ledger, record, &mut queue)?;
            }
        }
        Ok(())
    }

    fn consider_one(
        &mut self,
        ledger: &mut dyn Ledger,
        mut record: StoredRecord,
        queue: &mut Vec<MessageId>,
    ) -> LedgerResult<()> {
        let space = record.feed.space;
        if record.feed.room == space.control_room() {
            // The roster's fold reads it, whoever wrote it; nothing of it is shown.
            return Ok(());
        }
        if let Some(of) = self.page_of(&record.feed) {
            return self.consider_change(ledger, &record, of);
        }
        let room = shown_in(ledger, &record)?;
        let erasure = self.erasure(ledger, &record)?;
        match (erasure, is_erased(ledger, &record)?) {
            // No deletion counts any more: the body is asked for again, and edits with it.
            (Erasure::None, Some(true)) => {
                queue.extend(ledger.references(&record.id)?);
                if is_sealed(&record) {
                    self.open_again(ledger, &record)?;
                    if std::mem::take(&mut record.shown) {
                        self.withdraw(ledger, &record, room)?;
                    }
                } else {
                    ledger.restore_wanted(&record.id)?;
                }
            }
            // What is withheld from this member has nothing to erase yet, and leaves no trace.
            (Erasure::Message | Erasure::Edit, Some(false))
                if !ledger.is_withheld(&record.id)? =>
            {
                erase(ledger, &record)?;
                // Edits that the deletion does not list go as well.
                queue.extend(ledger.references(&record.id)?);
                if record.shown {
                    self.outputs.push(Output::Event(Event::Erased {
                        space,
                        room,
                        id: record.id,
                    }));
                }
            }
            _ => {}
        }
        let view = self.view(ledger, &record, erasure)?;
        match view {
            View::Shown(author, what) if !record.shown => {
                let erased = matches!(what, What::Erased);
                let (body, closed) = match what {
                    What::Body(body) => (Some(*body), None),
                    What::Erased => (None, None),
                    What::Closed(at) => (None, Some(at)),
                };
                ledger.update_record(&record.id, record.standing, true, record.late)?;
                self.caught_up(ledger, &space, &record.id)?;
                queue.extend(erases(body.as_ref()));
                self.outputs
                    .push(Output::Event(Event::Shown(Box::new(Shown {
                        space,
                        room,
                        id: record.id,
                        feed: record.feed,
                        sequence: record.sequence,
                        author,
                        lamport: record.lamport,
                        erased,
                        closed,
                        body,
                        late: record.late,
                        provisional: record.standing == Standing::Provisional,
                        ahead: false,
                    }))));
            }
            View::Hidden if record.shown => {
                queue.extend(erases(here(ledger, &record)?.as_ref()));
                self.withdraw(ledger, &record, room)?;
            }
            View::Hidden if self.caught_up(ledger, &space, &record.id)? => {
                self.outputs.push(Output::Event(Event::Withdrawn {
                    space,
                    room,
                    id: record.id,
                }));
            }
            _ => {}
        }
        Ok(())
    }

    /// What was shown of a record is shown no longer.
    fn withdraw(
        &mut self,
        ledger: &mut dyn Ledger,
        record: &StoredRecord,
        room: RoomId,
    ) -> LedgerResult<()> {
        ledger.update_record(&record.id, record.standing, false, record.late)?;
        self.outputs.push(Output::Event(Event::Withdrawn {
            space: record.feed.space,
            room,
            id: record.id,
        }));
        Ok(())
    }

    /// A record of a page's feeds: it changes the page, and does nothing else.
    fn consider_change(
        &mut self,
        ledger: &mut dyn Ledger,
        record: &StoredRecord,
        of: PageOf,
    ) -> LedgerResult<()> {
        let changes = matches!(
            here(ledger, record)?.map(|body| body.content),
            Some(Content::Page { .. })
        );
        // Not while something that it builds on is missing: what is written on top of it would come before it.
        let shown = changes
            && record.standing == Standing::Settled
            && self.author(ledger, record)?.is_some();
        if shown != record.shown {
            ledger.update_record(&record.id, record.standing, shown, record.late)?;
            self.outputs.push(Output::Event(Event::PageChanged {
                space: record.feed.space,
                room: of.room,
            }));
        }
        Ok(())
    }

    pub(super) fn page_of(&self, feed: &FeedKey) -> Option<PageOf> {
        let space = self.spaces.get(&feed.space)?;
        space.roster.room(&feed.room)?.page
    }

    /// The member whose record it is and the role under which it was written, if it counts.
    fn author(
        &self,
        ledger: &dyn Ledger,
        record: &StoredRecord,
    ) -> LedgerResult<Option<(MemberId, Role)>> {
        let Some(space) = self.spaces.get(&record.feed.space) else {
            return Ok(None);
        };
        if record.standing == Standing::Void || space.is_crowded(&record.feed) {
            return Ok(None);
        }
        let failed = RefCell::new(None);
        let leads_to = |later: &MessageId| {
            leads_to(space, ledger, record, later).unwrap_or_else(|error| {
                failed.replace(Some(error));
                false
            })
        };
        let author = space.roster.author(&Place {
            feed: &record.feed,
            sequence: record.sequence,
            id: record.id,
            leads_to: &leads_to,
        });
        let author = author.map(|(member, role)| (member.id, role));
        match failed.into_inner() {
            Some(error) => Err(error),
            None => Ok(author),
        }
    }

    /// The member whose device wrote a record, whether it counts or not.
    fn owner(&self, record: &StoredRecord) -> Option<MemberId> {
        let roster = &self.spaces.get(&record.feed.space)?.roster;
        roster
            .of_device(&record.feed.device)
            .map(|member| member.id)
    }

    /// Whether a record is of a member who was erased.
    fn is_of_erased(&self, record: &StoredRecord) -> bool {
        let space = self.spaces.get(&record.feed.space);
        space
            .and_then(|space| space.roster.of_device(&record.feed.device))
            .is_some_and(|member| member.erased)
    }

    /// What the deletions that count say of a record: by themselves, or of the message that it edits.
    fn erasure(&self, ledger: &dyn Ledger, record: &StoredRecord) -> LedgerResult<Erasure> {
        if self.is_of_erased(record) {
            return of_erased(ledger, record);
        }
        let direct = self.deleted(ledger, record)?;
        if direct != Erasure::None {
            return Ok(direct);
        }
        let targets = match here(ledger, record)?.map(|body| body.content) {
            Some(Content::Edit { target, .. }) => vec![target],
            Some(_) => Vec::new(),
            // What it edited is not known any more, but it was noted when it could be read.
            None => ledger.targets(&record.id)?,
        };
        for target in targets {
            let Some(other) = ledger.record(&target)? else {
                continue;
            };
            if same_room(record, &other)
                && comes_after(record, &other)
                && self.owner(record) == self.owner(&other)
                && ledger.references(&target)?.contains(&record.id)
                && self.deleted(ledger, &other)? != Erasure::None
            {
                return Ok(Erasure::Edit);
            }
        }
        Ok(Erasure::None)
    }

    /// What the deletions that are shown say of a record. A deletion itself cannot be deleted: else one who may delete
    /// others' messages could bring back what its author took back.
    fn deleted(&self, ledger: &dyn Ledger, record: &StoredRecord) -> LedgerResult<Erasure> {
        let references = ledger.references(&record.id)?;
        let is_deletion = |body: Option<Body>| {
            body.is_some_and(|body| matches!(body.content, Content::Delete { .. }))
        };
        if references.is_empty() || is_deletion(here(ledger, record)?) {
            return Ok(Erasure::None);
        }
        let mut erasure = Erasure::None;
        for id in references {
            let Some(other) = ledger.record(&id)? else {
                continue;
            };
            // Shown, it has the right to its target.
            if !other.shown || !same_room(record, &other) {
                continue;
            }
            let Some(Body {
                content: Content::Delete { target, edits },
                ..
            }) = here(ledger, &other)?
            else {
                continue;
            };
            if target == record.id {
                erasure = Erasure::Message;
            } else if edits.contains(&record.id)
                && let Some(message) = ledger.record(&target)?
                && self.owner(&message) == self.owner(record)
            {
                return Ok(Erasure::Edit);
            }
        }
        Ok(erasure)
    }

    fn view(
        &self,
        ledger: &dyn Ledger,
        record: &StoredRecord,
        erasure: Erasure,
    ) -> LedgerResult<View> {
        let Some((author, role)) = self.author(ledger, record)? else {
            return Ok(View::Hidden);
        };
        let opening = ledger.opening(&record.id)?;
        if is_sealed(record) && opening.is_none() {
            // It is for others, or pretends to be between others.
            return Ok(View::Hidden);
        }
        if !record.shown && !self.may_show(ledger, record, erasure)? {
            return Ok(View::Hidden);
        }
        match erasure {
            Erasure::Message => return Ok(View::Shown(author, What::Erased)),
            Erasure::Edit => return Ok(View::Hidden),
            Erasure::None => {}
        }
        let Some(body) = here(ledger, record)? else {
            // An edit that cannot be read any more changes nothing.
            let closed = opening.is_some_and(|opening| opening.key.is_none())
                && ledger.targets(&record.id)?.is_empty();
            let sealed = match ledger.body(&record.id)? {
                Some(StoredBody::Here(wire)) if closed => Body::decode(&wire).ok(),
                _ => None,
            };
            return Ok(sealed.map_or(View::Hidden, |body| {
                View::Shown(author, What::Closed(body.at))
            }));
        };
        let allowed = match &body.content {
            Content::Control(_) | Content::Page { .. } | Content::Sealed(_) => false,
            Content::Edit { target, .. } | Content::Delete { target, .. } => {
                let Some(other) = ledger.record(target)? else {
                    return Ok(View::Hidden);
                };
                let edits = matches!(body.content, Content::Edit { .. });
                // Whether the target counts is no matter here: it may count again, and then it is deleted.
                let rightful = self.owner(&other) == Some(author)
                    || (!edits && !is_sealed(record) && role.may(Permission::DeleteOthers));
                same_room(record, &other)
                    && shown_in(ledger, record)? == shown_in(ledger, &other)?
                    && rightful
                    && comes_after(record, &other)
            }
            Content::Text { .. }
            | Content::Result(_)
            | Content::Report(_)
            | Content::Unknown(_) => true,
        };
        Ok(if allowed {
            View::Shown(author, What::Body(Box::new(body)))
        } else {
            View::Hidden
        })
    }

    /// Whether the rules of the space let this machine show something that it has not shown yet. That is its own behaviour
    /// and decides nothing about what is valid.
    fn may_show(
        &self,
        ledger: &dyn Ledger,
        record: &StoredRecord,
        erasure: Erasure,
    ) -> LedgerResult<bool> {
        if is_sealed(record) && !self.is_direct_on(&record.feed.space) {
            let said = here(ledger, record)?.map(|body| body.content);
            return Ok(matches!(
                said,
                Some(Content::Report(_) | Content::Delete { .. })
            ));
        }
        Ok(erasure != Erasure::Message || !self.is_before_me(ledger, record)?)
    }

    /// A record's content, if it is here and counts.
    pub(super) fn content(
        &self,
        ledger: &dyn Ledger,
        id: &MessageId,
    ) -> Result<Option<(StoredRecord, Body)>, Fault> {
        let Some(record) = ledger.record(id)? else {
            return Ok(None);
        };
        if self.author(ledger, &record)?.is_none() {
            return Ok(None);
        }
        Ok(here(ledger, &record)?.map(|body| (record, body)))
    }
}

/// Whether a later record of a feed is here and follows from this one.
fn leads_to(
    space: &Space,
    ledger: &dyn Ledger,
    record: &StoredRecord,
    later: &MessageId,
) -> LedgerResult<bool> {
    let of_feed = |found: &StoredRecord| found.feed == record.feed;
    let Some(mut at) = ledger.record(later)?.filter(of_feed) else {
        return Ok(false);
    };
    if space.ends_of(&record.feed).len() <= 1 {
        return Ok(record.sequence <= at.sequence);
    }
    while at.sequence > record.sequence {
        let Ok(envelope) = Signed::<Envelope>::reopen(&at.envelope) else {
            return Ok(false);
        };
        let Some(previous) = envelope.value().previous else {
            return Ok(false);
        };
        let Some(before) = ledger.record(&previous)?.filter(of_feed) else {
            return Ok(false);
        };
        at = before;
    }
    Ok(at.id == record.id)
}

/// A record's body, if it is here and sound; opened if it was sealed. In the direct room only what was sealed counts, and
/// only there.
pub(super) fn here(ledger: &dyn Ledger, record: &StoredRecord) -> LedgerResult<Option<Body>> {
    if is_sealed(record) {
        let opened = opened(ledger, record)?;
        return Ok(opened.map(|(letter, body)| Body {
            content: letter.content,
            ..body
        }));
    }
    Ok(match ledger.body(&record.id)? {
        Some(StoredBody::Here(wire)) => Body::decode(&wire).ok(),
        _ => None,
    })
}

/// What a sealed record says, if this device has its key, and the body that it came in.
pub(super) fn opened(
    ledger: &dyn Ledger,
    record: &StoredRecord,
) -> LedgerResult<Option<(Letter, Body)>> {
    let Some(key) = ledger.opening(&record.id)?.and_then(|found| found.key) else {
        return Ok(None);
    };
    let Some(StoredBody::Here(wire)) = ledger.body(&record.id)? else {
        return Ok(None);
    };
    let Ok(body) = Body::decode(&wire) else {
        return Ok(None);
    };
    let Content::Sealed(sealed) = &body.content else {
        return Ok(None);
    };
    let letter = sealed.open(&sealed_place(&record.feed, record.sequence), &key);
    Ok(letter.ok().map(|letter| (letter, body)))
}

/// Where a record's body opens, if it is sealed.
pub(super) fn sealed_place(feed: &FeedKey, sequence: u64) -> sealed::Place {
    sealed::Place {
        space: feed.space,
        device: feed.device,
        incarnation: feed.incarnation,
        sequence,
    }
}

/// Whether a record is of the direct room.
pub(super) fn is_sealed(record: &StoredRecord) -> bool {
    record.feed.room == record.feed.space.direct_room()
}

/// The room that a record is shown in.
pub(super) fn shown_in(ledger: &dyn Ledger, record: &StoredRecord) -> LedgerResult<RoomId> {
    if !is_sealed(record) {
        return Ok(record.feed.room);
    }
    let opening = ledger.opening(&record.id)?;
    Ok(opening.map_or(record.feed.room, |opening| opening.room))
}

/// Whether a record was erased; none if it is for others, so that there is nothing to erase.
fn is_erased(ledger: &dyn Ledger, record: &StoredRecord) -> LedgerResult<Option<bool>> {
    Ok(if is_sealed(record) {
        ledger.opening(&record.id)?.map(|opening| opening.erased)
    } else {
        Some(ledger.body(&record.id)? == Some(StoredBody::Erased))
    })
}

/// Erases a record: its body, or what was sealed by forgetting the key. The sealed body is given to others as long as they
/// give it, who cannot know of the deletion: else one could ask around who does.
fn erase(ledger: &mut dyn Ledger, record: &StoredRecord) -> LedgerResult<()> {
    if let Some(opening) = ledger.opening(&record.id)? {
        let erased = Opening {
            key: None,
            erased: true,
            ..opening
        };
        ledger.put_opening(&record.id, &erased)?;
        if ledger.load(&record.id)?.is_some() {
            return Ok(());
        }
    }
    ledger.erase_body(&record.id)
}

/// What goes of a member who was erased: everything but their deletions, which hold what others were promised.
fn of_erased(ledger: &dyn Ledger, record: &StoredRecord) -> LedgerResult<Erasure> {
    if ledger.body(&record.id)?.is_none() {
        return Ok(Erasure::None);
    }
    Ok(match here(ledger, record)?.map(|body| body.content) {
        Some(Content::Delete { .. }) => Erasure::None,
        Some(Content::Edit { .. }) => Erasure::Edit,
        None if !ledger.targets(&record.id)?.is_empty() => Erasure::Edit,
        _ => Erasure::Message,
    })
}

/// What a deletion erases, if it is one.
fn erases(body: Option<&Body>) -> Vec<MessageId> {
    match body.map(|body| &body.content) {
        Some(Content::Delete { target, edits }) => edits.iter().chain([target]).copied().collect(),
        _ => Vec::new(),
    }
}

fn same_room(record: &StoredRecord, other: &StoredRecord) -> bool {
    (record.feed.space, record.feed.room) == (other.feed.space, other.feed.room)
}

/// The records that a record builds on.
fn built_on(record: &StoredRecord) -> Vec<MessageId> {
    let Ok(envelope) = Signed::<Envelope>::reopen(&record.envelope) else {
        return Vec::new();
    };
    let value = envelope.value();
    value
        .parents
        .iter()
        .chain(&value.previous)
        .copied()
        .collect()
}

/// Whether a record says that it came after another: it names it as one it builds on. What is sealed does not, since
/// everybody sees that; it lies after it in the order.
fn comes_after(record: &StoredRecord, other: &StoredRecord) -> bool {
    if is_sealed(record) {
        record.lamport > other.lamport
    } else {
        names(record, &other.id)
    }
}

/// Whether a record names another as one it builds on.
fn names(record: &StoredRecord, other: &MessageId) -> bool {
    built_on(record).contains(other)
}
