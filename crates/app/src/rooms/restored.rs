//! A restored profile in its spaces: what waits until a member was met, and what is done then.
//!
//! Until then the messages of a space are as they were in the backup, those among them that were deleted since. So they
//! are not shown, unless the person asks for it. And the device of before goes on until everything that it wrote is
//! here: ended earlier, it would take that with it.

use std::collections::{BTreeMap, HashMap};

use artel_domain::{MessageId, SpaceId};
use artel_store::{Connection, restored, rooms};
use artel_sync::protocol::{CommandError, MemberState, Node};

use super::{
    driver::{BatchError, Work},
    names, spaces,
};
use crate::{
    api::{self as wire, Command, Handle, rooms as api},
    error::{AppError, Code},
    session::Session,
};

/// How long, once in step, bodies that did not come with their records are waited for, in milliseconds. A deletion may
/// be among them; but some are nowhere any more.
const LAST_BODIES: i64 = 15_000;

/// Spaces found to be in step with a member.
#[derive(Default)]
pub(super) struct InStep {
    /// Those of this batch, and whether all rooms that others read as well were found so.
    found: BTreeMap<SpaceId, bool>,
    since: HashMap<SpaceId, i64>,
}

impl InStep {
    /// A peer holds what is here of a space.
    pub(super) fn note(&mut self, space: SpaceId, whole: bool) {
        *self.found.entry(space).or_default() |= whole;
    }

    /// Forgets what was found in this batch.
    pub(super) fn forget(&mut self) {
        self.found.clear();
    }

    /// Ends the devices of before and shows the messages, where that waited for this. Returns whether messages that
    /// were held back are shown now.
    pub(super) fn settle(&mut self, work: &mut Work<'_>) -> Result<bool, BatchError> {
        let mut shown = false;
        for (space, whole) in std::mem::take(&mut self.found) {
            if !work.node.is_inside(&space) {
                continue;
            }
            let former = if whole {
                restored::to_retire(work.tx, &space)?
            } else {
                Vec::new()
            };
            for device in former {
                match work
                    .node
                    .retire_device(work.ledger, work.now, space, device)
                {
                    Ok(()) | Err(CommandError::NoDevice) => {
                        restored::retired(work.tx, &space, &device)?;
                    }
                    Err(CommandError::Ledger(reason)) => return Err(reason.into()),
                    Err(reason) => tracing::warn!(%reason, "the device of before goes on for now"),
                }
            }
            if restored::held(work.tx, &space)?.is_none() {
                continue;
            }
            let since = *self.since.entry(space).or_insert(work.now);
            let complete = work
                .ledger
                .bodiless(&space, false, None, None, 1)?
                .is_empty();
            if complete || work.now.saturating_sub(since) >= LAST_BODIES {
                shown |= restored::show(work.tx, &space)?;
                self.since.remove(&space);
            }
        }
        Ok(shown)
    }
}

/// Shows what nobody else could have deleted from: the spaces where this member is alone.
pub(super) fn show_where_alone(connection: &Connection, node: &Node) -> Result<(), BatchError> {
    for space in node.spaces() {
        let members = node.members(&space.space);
        let alone = |member: &artel_sync::protocol::MemberView| {
            member.me || member.state != MemberState::Member
        };
        if space.state == MemberState::Member && members.iter().all(alone) {
            restored::show(connection, &space.space)?;
        }
    }
    Ok(())
}

/// Why messages of a space cannot be had yet.
pub(super) fn waits(space: &str, backup_at: i64) -> AppError {
    let date = jiff::Timestamp::from_millisecond(backup_at).map_or_else(
        |_| String::new(),
        |at| {
            let local = at.to_zoned(jiff::tz::TimeZone::system());
            local.strftime(" of %Y-%m-%d %H:%M").to_string()
        },
    );
    let message = format!(
        "the messages of {space} were restored from the backup{date}, and what was deleted since is not known yet"
    );
    let hint = format!(
        "Connect to a member: artel node. Or show them as they were: artel space show \"{space}\" --as-backed-up"
    );
    AppError::new(Code::WrongState, message, hint)
        .param("space", space)
        .param("backup_at", backup_at)
}

impl Session {
    /// Refuses while the space of a message is held back.
    pub(super) async fn must_be_shown(&self, message: MessageId) -> Result<(), AppError> {
        let held = self
            .core
            .read(move |connection| {
                let Some(message) = rooms::message(connection, &message)? else {
                    return Ok(None);
                };
                let held = restored::held(connection, &message.space)?;
                Ok(held.map(|backup_at| (message.space, backup_at)))
            })
            .await?;
        let Some((space, backup_at)) = held else {
            return Ok(());
        };
        let name = self
            .rooms
            .look(move |node| {
                let mut spaces = node.spaces().into_iter();
                spaces
                    .find(|view| view.space == space)
                    .map(|view| view.name)
            })
            .await?;
        Err(waits(&name.unwrap_or_default(), backup_at))
    }
}

impl Handle<api::SpaceShow> for Session {
    async fn handle(
        &self,
        command: api::SpaceShow,
    ) -> Result<<api::SpaceShow as Command>::Reply, AppError> {
        let space = self
            .rooms
            .inner
            .driver
            .ask(move |work| {
                let space = names::space(work.node, &command.space)?;
                restored::show(work.tx, &space.space)?;
                spaces::describe(work.node, work.tx, &space)
            })
            .await?;
        self.core.tell(wire::Event::Spaces);
        Ok(space)
    }
}
