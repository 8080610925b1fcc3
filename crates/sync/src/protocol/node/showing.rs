//! What of the records is shown. A pure function of the records and the roster; only "late" is this machine's own.

use artel_domain::{Body, Content, Envelope, MemberId, MessageId, Permission, Signed};

use super::{
    super::{
        event::{Event, Output, Shown},
        ledger::{FeedKey, Ledger, LedgerResult, Standing, StoredBody, StoredRecord},
    },
    Fault, Node,
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
        if erasure != Erasure::None && ledger.body(&record.body)? != Some(StoredBody::Erased) {
            ledger.erase_body(&record.body)?;
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

    /// The member whose record it is, if it counts.
    fn author(&self, record: &StoredRecord) -> Option<MemberId> {
        if record.standing == Standing::Void {
            return None;
        }
        let space = self.spaces.get(&record.feed.space)?;
        let author = space
            .roster
            .author(&record.feed, record.sequence, &record.id);
        author.map(|member| member.id)
    }

    fn may_delete(&self, record: &StoredRecord, deleter: &MemberId, author: &MemberId) -> bool {
        deleter == author
            || self
                .spaces
                .get(&record.feed.space)
                .and_then(|space| space.roster.member(deleter))
                .is_some_and(|member| member.role.may(Permission::DeleteOthers))
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
            let (Some(deleter), true) = (self.author(&other), same_room) else {
                continue;
            };
            let Some(Body {
                content: Content::Delete { target, edits },
                ..
            }) = here(ledger, &other)?
            else {
                continue;
            };
            if !self.may_delete(record, &deleter, &owner) {
                continue;
            }
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
        let Some(author) = self.author(record) else {
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
                let owner = self.author(&other);
                let edits = matches!(body.content, Content::Edit { .. });
                let rightful = owner.is_some_and(|owner| {
                    if edits {
                        owner == author
                    } else {
                        self.may_delete(&other, &author, &owner)
                    }
                });
                if edits && rightful && ledger.body(&other.body)? == Some(StoredBody::Erased) {
                    ledger.erase_body(&record.body)?;
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
        if self.author(&record).is_none() {
            return Ok(None);
        }
        Ok(here(ledger, &record)?.map(|body| (record, body)))
    }
}

/// A record's body, if it is here and sound.
fn here(ledger: &dyn Ledger, record: &StoredRecord) -> LedgerResult<Option<Body>> {
    Ok(match ledger.body(&record.body)? {
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
