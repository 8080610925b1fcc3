//! What of the records is shown. A pure function of the records and the roster; only "late" is this machine's own.

use std::cell::RefCell;

use artel_domain::{Body, Content, Envelope, MemberId, MessageId, Permission, Role, Signed};

use super::{
    super::{
        event::{Event, Output, Shown},
        ledger::{FeedKey, Ledger, LedgerResult, Standing, StoredBody, StoredRecord},
        roster::Place,
    },
    Fault, Node,
    space::Space,
};

/// How a record is to be shown.
enum View {
    Hidden,
    /// With this content; none if it was erased.
    Shown(MemberId, Option<Box<Body>>),
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
        let mut queue = vec![record.id];
        let mut first = Some(record);
        while let Some(id) = queue.pop() {
            let record = match first.take() {
                Some(record) => Some(record),
                None => ledger.record(&id)?,
            };
            if let Some(record) = record {
                self.consider_one(ledger, record, &mut queue)?;
            }
        }
        Ok(())
    }

    fn consider_one(
        &mut self,
        ledger: &mut dyn Ledger,
        record: StoredRecord,
        queue: &mut Vec<MessageId>,
    ) -> LedgerResult<()> {
        let erasure = self.erasure(ledger, &record)?;
        let FeedKey { space, room, .. } = record.feed;
        if erasure != Erasure::None && ledger.body(&record.id)? != Some(StoredBody::Erased) {
            ledger.erase_body(&record.id)?;
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
        let view = self.view(ledger, &record, erasure)?;
        match view {
            View::Shown(author, body) if !record.shown => {
                ledger.update_record(&record.id, record.standing, true, record.late)?;
                if let Some(Content::Delete { target, edits }) = body.as_ref().map(|b| &b.content) {
                    queue.extend(edits.iter().chain([target]));
                }
                self.outputs
                    .push(Output::Event(Event::Shown(Box::new(Shown {
                        space,
                        room,
                        id: record.id,
                        feed: record.feed,
                        sequence: record.sequence,
                        author,
                        lamport: record.lamport,
                        erased: body.is_none(),
                        body: body.map(|body| *body),
                        late: record.late,
                        provisional: record.standing == Standing::Provisional,
                    }))));
            }
            View::Hidden if record.shown => {
                ledger.update_record(&record.id, record.standing, false, record.late)?;
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

    /// The member whose record it is and the role under which it was written, if it counts.
    fn author(
        &self,
        ledger: &dyn Ledger,
        record: &StoredRecord,
    ) -> LedgerResult<Option<(MemberId, Role)>> {
        let Some(space) = self.spaces.get(&record.feed.space) else {
            return Ok(None);
        };
        if record.standing == Standing::Void {
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

    /// What the deletions that count say of a record.
    fn erasure(&self, ledger: &dyn Ledger, record: &StoredRecord) -> LedgerResult<Erasure> {
        let owner = self
            .spaces
            .get(&record.feed.space)
            .and_then(|s| s.roster.of_device(&record.feed.device));
        let Some(owner) = owner.map(|member| member.id) else {
            return Ok(Erasure::None);
        };
        let mut erasure = Erasure::None;
        for id in ledger.references(&record.id)? {
            let Some(other) = ledger.record(&id)? else {
                continue;
            };
            let same_room =
                (other.feed.space, other.feed.room) == (record.feed.space, record.feed.room);
            let (Some((deleter, role)), true) = (self.author(ledger, &other)?, same_room) else {
                continue;
            };
            if deleter != owner && !role.may(Permission::DeleteOthers) {
                continue;
            }
            let Some(Body {
                content: Content::Delete { target, edits },
                ..
            }) = here(ledger, &other)?
            else {
                continue;
            };
            if edits.contains(&record.id) {
                return Ok(Erasure::Edit);
            }
            if target == record.id && names(&other, &target) {
                erasure = Erasure::Message;
            }
        }
        Ok(erasure)
    }

    fn view(
        &self,
        ledger: &mut dyn Ledger,
        record: &StoredRecord,
        erasure: Erasure,
    ) -> LedgerResult<View> {
        let Some((author, role)) = self.author(ledger, record)? else {
            return Ok(View::Hidden);
        };
        match erasure {
            Erasure::Message => return Ok(View::Shown(author, None)),
            Erasure::Edit => return Ok(View::Hidden),
            Erasure::None => {}
        }
        let Some(body) = here(ledger, record)? else {
            return Ok(View::Hidden);
        };
        let allowed = match &body.content {
            Content::Control(_) => false,
            Content::Edit { target, .. } | Content::Delete { target, .. } => {
                let Some(other) = ledger.record(target)? else {
                    return Ok(View::Hidden);
                };
                let same_room =
                    (other.feed.space, other.feed.room) == (record.feed.space, record.feed.room);
                let owner = self.author(ledger, &other)?;
                let edits = matches!(body.content, Content::Edit { .. });
                let rightful = owner.is_some_and(|(owner, _)| {
                    owner == author || (!edits && role.may(Permission::DeleteOthers))
                });
                if edits && rightful && ledger.body(&other.id)? == Some(StoredBody::Erased) {
                    ledger.erase_body(&record.id)?;
                    return Ok(View::Hidden);
                }
                same_room && rightful && names(record, target)
            }
            Content::Text { .. } | Content::Result(_) | Content::Unknown(_) => true,
        };
        Ok(if allowed {
            View::Shown(author, Some(Box::new(body)))
        } else {
            View::Hidden
        })
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

/// A record's body, if it is here and sound.
fn here(ledger: &dyn Ledger, record: &StoredRecord) -> LedgerResult<Option<Body>> {
    Ok(match ledger.body(&record.id)? {
        Some(StoredBody::Here(wire)) => Body::decode(&wire).ok(),
        _ => None,
    })
}

/// Whether a record names another as one it builds on.
fn names(record: &StoredRecord, other: &MessageId) -> bool {
    Signed::<Envelope>::reopen(&record.envelope).is_ok_and(|e| {
        e.value().previous.as_ref() == Some(other) || e.value().parents.contains(other)
    })
}
