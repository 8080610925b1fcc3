//! Messages that change after they were sent: edits, and deletions, which wait for a while before they are signed.

use std::{collections::BTreeMap, time::Duration};

use artel_domain::{Content, MessageId};
use artel_store::{
    Connection, deletions,
    rooms::{self, Message},
};
use artel_sync::protocol::{CommandError, Ledger, Node};

use super::{
    driver::{BatchError, Failed, Work, command_error},
    names,
    view::Changes,
};
use crate::{
    api::{Command, Handle, Notice, NoticeLevel, rooms as api},
    error::{AppError, Code},
    session::Session,
};

/// How long a deletion can be taken back.
pub(super) const UNDO: Duration = Duration::from_secs(10);

/// The moment `UNDO` after `now`, Unix milliseconds.
fn after(now: i64) -> i64 {
    now.saturating_add(i64::try_from(UNDO.as_millis()).unwrap_or(i64::MAX))
}

fn deletion(target: MessageId) -> Content {
    // The node adds the edits that it knows.
    Content::Delete {
        target,
        edits: Vec::new(),
    }
}

/// Signs the deletions that are due. The earliest was last known to be due at `first`.
pub(super) fn sign_due(
    tx: &Connection,
    node: &mut Node,
    ledger: &mut dyn Ledger,
    now: i64,
    first: i64,
    changes: &mut Changes,
) -> Result<(), BatchError> {
    if first > after(now) {
        deletions::hasten(tx, after(now))?;
    }
    if first > now {
        return Ok(());
    }
    for target in deletions::due(tx, now)? {
        deletions::end(tx, &target)?;
        changes.touch(target);
        let Some(record) = ledger.record(&target)? else {
            continue;
        };
        // What was sealed is shown in another room than that of its feed.
        let message = rooms::message(tx, &target)?;
        let room = message.map_or(record.feed.room, |message| message.room);
        let space = record.feed.space;
        match node.send(ledger, now, space, room, deletion(target)) {
            Ok(_) => {}
            Err(CommandError::Ledger(reason)) => return Err(reason.into()),
            // The caller lost the right meanwhile, or the space.
            Err(reason) => {
                let reason = command_error(&reason);
                tracing::warn!(%target, %reason, "a deletion could not be signed");
                changes.notice(Notice {
                    level: NoticeLevel::Warning,
                    code: "not_deleted".to_owned(),
                    message: format!("A message could not be deleted: {reason}."),
                    params: BTreeMap::new(),
                });
            }
        }
    }
    Ok(())
}

/// A message that can be changed.
fn known(work: &Work<'_>, id: &MessageId) -> Result<Message, Failed> {
    let message = rooms::message(work.tx, id)?.ok_or_else(|| {
        AppError::new(
            Code::NotFound,
            format!("there is no message {id}"),
            "Ids stand beside the messages: artel room read ROOM --json",
        )
    })?;
    if message.provisional {
        return Err(AppError::new(
            Code::WrongState,
            "something that this message builds on has not arrived yet",
            "Try again when it is here.",
        )
        .into());
    }
    Ok(message)
}

fn wrong_state(reason: &str, hint: &str) -> Failed {
    AppError::new(Code::WrongState, reason, hint).into()
}

fn standing(id: &MessageId, state: &str, until: Option<i64>) -> api::Deletion {
    api::Deletion {
        message: id.to_string(),
        state: state.to_owned(),
        until,
    }
}

impl Handle<api::RoomEdit> for Session {
    async fn handle(
        &self,
        command: api::RoomEdit,
    ) -> Result<<api::RoomEdit as Command>::Reply, AppError> {
        let id = names::message(&command.message)?;
        let text = command.text;
        let edited = self
            .rooms
            .inner
            .driver
            .ask(move |work| {
                let message = known(work, &id)?;
                let content = Content::Edit { target: id, text };
                work.node.may_send(
                    &*work.ledger,
                    &message.space,
                    &message.room,
                    content.clone(),
                )?;
                if message.deleted {
                    return Err(wrong_state("that message was deleted", "Write a new one."));
                }
                if message.deleting_until.is_some() {
                    return Err(AppError::new(
                        Code::WrongState,
                        "that message is being deleted",
                        "Take the deletion back first: artel room delete MESSAGE --undo",
                    )
                    .into());
                }
                if !message.result.is_empty() {
                    return Err(wrong_state(
                        "a shared result has no text to edit",
                        "Delete it and share the right one.",
                    ));
                }
                let Content::Edit { text, .. } = &content else {
                    return Ok(false);
                };
                if text.trim().is_empty() && message.files.is_empty() {
                    return Err(AppError::new(
                        Code::BadArguments,
                        "a message has a text or a file",
                        "To take it away, delete it: artel room delete MESSAGE",
                    )
                    .into());
                }
                if *text == message.text {
                    return Ok(false);
                }
                work.node
                    .send(work.ledger, work.now, message.space, message.room, content)?;
                Ok(true)
            })
            .await?;
        Ok(api::Edited {
            message: id.to_string(),
            state: if edited { "stored" } else { "unchanged" }.to_owned(),
        })
    }
}

impl Handle<api::RoomDelete> for Session {
    async fn handle(
        &self,
        command: api::RoomDelete,
    ) -> Result<<api::RoomDelete as Command>::Reply, AppError> {
        let id = names::message(&command.message)?;
        self.rooms
            .inner
            .driver
            .ask(move |work| {
                let message = known(work, &id)?;
                if message.deleted {
                    return Ok(standing(&id, "deleted", None));
                }
                if command.now {
                    work.node.send(
                        work.ledger,
                        work.now,
                        message.space,
                        message.room,
                        deletion(id),
                    )?;
                    deletions::end(work.tx, &id)?;
                    return Ok(standing(&id, "deleted", None));
                }
                work.node
                    .may_send(&*work.ledger, &message.space, &message.room, deletion(id))?;
                let until = deletions::begin(work.tx, &id, after(work.now))?;
                work.changes.touch(id);
                Ok(standing(&id, "waiting", Some(until)))
            })
            .await
    }
}

impl Handle<api::RoomUndelete> for Session {
    async fn handle(
        &self,
        command: api::RoomUndelete,
    ) -> Result<<api::RoomUndelete as Command>::Reply, AppError> {
        let id = names::message(&command.message)?;
        self.rooms
            .inner
            .driver
            .ask(move |work| {
                let message = known(work, &id)?;
                if deletions::end(work.tx, &id)? {
                    work.changes.touch(id);
                    return Ok(standing(&id, "kept", None));
                }
                Err(if message.deleted {
                    wrong_state(
                        "it is too late: that message was deleted",
                        "Write it once more.",
                    )
                } else {
                    wrong_state(
                        "that message is not being deleted",
                        "There is nothing to take back.",
                    )
                })
            })
            .await
    }
}
