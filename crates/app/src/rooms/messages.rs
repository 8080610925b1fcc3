//! Rooms: create, list, send, read, mark as read.

use std::{path::PathBuf, time::Duration};

use artel_domain::{Audience, Content, Role, RoomId};
use artel_store::{feeds, restored, rooms};
use artel_sync::protocol::{CommandError, MemberState, Sent, SpaceView};
use tokio::time::{Instant, timeout_at};

use super::{attachments, ledger, names, restored::waits, view};
use crate::{
    api::{self as wire, Command, Handle, rooms as api},
    error::{AppError, Code},
    session::Session,
    settings,
};

/// Messages of a page unless given, and at most.
const PAGE: u32 = 100;
const LONGEST_PAGE: u32 = 1_000;
/// Size of an attached file: for students and observers, and for those who run the room.
const STUDENT_LIMIT: u64 = 5 * 1024 * 1024;
const STAFF_LIMIT: u64 = 200 * 1024 * 1024;

/// How large a file the caller may attach.
pub(super) fn attach_limit(space: &SpaceView) -> u64 {
    match space.role {
        Some(Role::Owner | Role::Teacher) => STAFF_LIMIT,
        Some(Role::Student | Role::Observer) | None => STUDENT_LIMIT,
    }
}

/// The audience of a conversation.
const DIRECT: &str = "direct";

fn audience_word(audience: &Audience) -> &'static str {
    match audience {
        Audience::All => "all",
        Audience::Teachers => "teachers",
        Audience::Chosen(_) => "chosen",
    }
}

impl Handle<api::RoomNew> for Session {
    async fn handle(
        &self,
        command: api::RoomNew,
    ) -> Result<<api::RoomNew as Command>::Reply, AppError> {
        let name = command.name.trim().to_owned();
        names::no_call(&name)?;
        self.rooms
            .inner
            .driver
            .ask(move |work| {
                let space = names::space(work.node, &command.space)?;
                if space.state == MemberState::Removed {
                    return Err(names::removed(work.node, &space).into());
                }
                let audience = names::audience(work.node, &space.space, &command.readers)?;
                let word = audience_word(&audience).to_owned();
                let rooms = work.node.rooms(&space.space);
                names::free("room", &name, rooms, |room| &room.name)?;
                let room =
                    work.node
                        .create_room(work.ledger, work.now, space.space, &name, audience)?;
                Ok(api::RoomInfo {
                    room: room.to_string(),
                    space: space.space.to_string(),
                    space_name: space.name,
                    name,
                    audience: word,
                    with: None,
                    unread: 0,
                    last: None,
                    last_at: None,
                    withheld: false,
                })
            })
            .await
    }
}

impl Handle<api::RoomList> for Session {
    async fn handle(
        &self,
        command: api::RoomList,
    ) -> Result<<api::RoomList as Command>::Reply, AppError> {
        self.rooms
            .inner
            .driver
            .ask(move |work| {
                let spaces = match &command.space {
                    Some(text) => vec![names::space(work.node, text)?],
                    None => work
                        .node
                        .spaces()
                        .into_iter()
                        .filter(|space| space.state == MemberState::Member)
                        .collect(),
                };
                let mut list = Vec::new();
                for space in spaces {
                    let held = restored::held(work.tx, &space.space)?.is_some();
                    let talks = work.node.conversations(&space.space).into_iter();
                    let talks = talks.map(|one| (names::as_room(one.clone()), Some(one.with)));
                    let listed = work.node.rooms(&space.space).into_iter();
                    for (room, with) in listed.map(|room| (room, None)).chain(talks) {
                        let summary = if held {
                            rooms::Summary::default()
                        } else {
                            rooms::summary(work.tx, &space.space, &room.room)?
                        };
                        // There may be one with everybody; those are listed in which something was said.
                        if with.is_some() && summary.last.is_none() && summary.unread == 0 {
                            continue;
                        }
                        let audience =
                            with.map_or_else(|| audience_word(&room.audience), |_| DIRECT);
                        let (last, last_at) = match summary.last {
                            Some((text, at)) => (Some(view::last_words(&text)), Some(at)),
                            None => (None, None),
                        };
                        list.push(api::RoomInfo {
                            room: room.room.to_string(),
                            space: space.space.to_string(),
                            space_name: space.name.clone(),
                            name: room.name,
                            audience: audience.to_owned(),
                            with: with.map(|member| member.to_string()),
                            unread: summary.unread,
                            last,
                            last_at,
                            withheld: feeds::is_withheld_in(work.tx, &space.space, &room.room)?,
                        });
                    }
                }
                Ok(list)
            })
            .await
    }
}

impl Handle<api::RoomSend> for Session {
    async fn handle(
        &self,
        command: api::RoomSend,
    ) -> Result<<api::RoomSend as Command>::Reply, AppError> {
        let reply_to = command
            .reply_to
            .as_deref()
            .map(names::message)
            .transpose()?;
        let text = command.room;
        let (space, room) = self
            .rooms
            .look(move |node| names::room(node, &text))
            .await??;
        if let Some(target) = reply_to {
            let (space, room) = (space.space, room.room);
            let found = self
                .core
                .read(move |connection| rooms::message(connection, &target))
                .await?;
            if found.is_none_or(|found| (found.space, found.room) != (space, room)) {
                return Err(AppError::new(
                    Code::NotFound,
                    format!("there is no message {target} in this room to reply to"),
                    "Ids stand beside the messages: artel --json room read ROOM",
                ));
            }
        }
        let paths: Vec<PathBuf> = command.attach.iter().map(PathBuf::from).collect();
        let attachments =
            attachments::take_in(&self.core, paths.clone(), attach_limit(&space), true).await?;
        let content = Content::Text {
            text: command.text,
            reply_to,
            attachments,
        };
        let guest = match command.wait_s {
            Some(_) => Some(self.rooms.ensure_network(&self.core).await?),
            None => None,
        };
        let result = self
            .post(
                space,
                room.room,
                content,
                command.wait_s.map(Duration::from_secs),
            )
            .await;
        if let Some(guest) = guest {
            guest.leave().await;
        }
        let sent = result?;
        if !paths.is_empty() {
            let rooms = self.rooms.clone();
            tokio::task::spawn_blocking(move || rooms.inner.stash.forget(&paths)).await?;
        }
        Ok(sent)
    }
}

impl Session {
    /// Writes a record, and waits for a peer to hold it if asked to.
    pub(super) async fn post(
        &self,
        space: SpaceView,
        room: RoomId,
        content: Content,
        wait: Option<Duration>,
    ) -> Result<api::Sent, AppError> {
        let mut delivered = self.rooms.inner.driver.signals.delivered.subscribe();
        let sent = self
            .rooms
            .inner
            .driver
            .ask(move |work| {
                Ok(work
                    .node
                    .send(work.ledger, work.now, space.space, room, content)?)
            })
            .await?;
        let mut peers = 0;
        if let Some(wait) = wait {
            let deadline = Instant::now() + wait;
            loop {
                peers = self.holders(&sent, room).await?;
                if peers > 0 {
                    break;
                }
                let heard = timeout_at(deadline, delivered.changed()).await;
                if !matches!(heard, Ok(Ok(()))) || self.rooms.look(|_| ()).await.is_err() {
                    break;
                }
            }
        }
        Ok(api::Sent {
            message: sent.id.to_string(),
            state: if peers > 0 { "delivered" } else { "stored" }.to_owned(),
            peers,
        })
    }

    /// How many peers hold a record; of a conversation those that read it.
    async fn holders(&self, sent: &Sent, room: RoomId) -> Result<u32, AppError> {
        let (feed, sequence) = (ledger::feed(&sent.feed), sent.sequence);
        let holders = self
            .core
            .read(move |connection| feeds::holders(connection, &feed, sequence))
            .await?;
        let space = feed.space;
        let count = if room == feed.room {
            holders.len()
        } else {
            self.rooms
                .look(move |node| {
                    view::People::of(node, &space).readers_among(&space, &room, &holders)
                })
                .await?
        };
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }
}

impl Handle<api::RoomRead> for Session {
    async fn handle(
        &self,
        command: api::RoomRead,
    ) -> Result<<api::RoomRead as Command>::Reply, AppError> {
        let limit = command.limit.unwrap_or(PAGE).clamp(1, LONGEST_PAGE);
        let before = command.before.as_deref().map(names::message).transpose()?;
        let text = command.room;
        let (space, room) = self
            .rooms
            .look(move |node| names::room(node, &text))
            .await??;
        let (id, room) = (space.space, room.room);
        let (held, withheld, mut page) = self
            .core
            .read(move |connection| {
                let page = rooms::page(connection, &id, &room, before.as_ref(), limit + 1)?;
                let withheld = feeds::is_withheld_in(connection, &id, &room)?;
                Ok((restored::held(connection, &id)?, withheld, page))
            })
            .await?;
        if let Some(backup_at) = held {
            return Err(waits(&space.name, backup_at));
        }
        let more = page.len() > usize::try_from(limit).unwrap_or(usize::MAX);
        if more {
            page.remove(0);
        }
        let missing = page.iter().flat_map(view::missing_previews).collect();
        self.rooms.inner.driver.want_files(missing);
        let messages: Vec<_> = page.iter().map(|message| message.id).collect();
        let people = self
            .rooms
            .look(move |node| {
                let messages = messages.iter().map(|message| (&id, &room, message));
                view::People::around(node, messages)
            })
            .await?;
        Ok(api::Page {
            messages: page
                .into_iter()
                .map(|message| view::to_wire(message, &people))
                .collect(),
            more,
            withheld,
        })
    }
}

impl Handle<api::RoomSeen> for Session {
    async fn handle(
        &self,
        command: api::RoomSeen,
    ) -> Result<<api::RoomSeen as Command>::Reply, AppError> {
        let id = names::message(&command.message)?;
        let told = settings::tells_reads(&self.core).await?;
        let changed = self
            .rooms
            .inner
            .driver
            .ask(move |work| {
                let message = rooms::message(work.tx, &id)?.filter(|found| !found.provisional);
                if let Some(message) = message.filter(|_| told) {
                    let (space, room) = (message.space, message.room);
                    let at = (message.lamport, id);
                    let told = work.node.mark_read(work.ledger, work.now, space, room, at);
                    // One who is not in any more reads what is here, and tells nobody.
                    if let Err(CommandError::Ledger(reason)) = told {
                        return Err(reason.into());
                    }
                }
                Ok(rooms::seen(work.tx, &id)?)
            })
            .await?;
        if changed {
            self.core.tell(wire::Event::Spaces);
        }
        Ok(())
    }
}

impl Handle<api::RoomReact> for Session {
    async fn handle(
        &self,
        command: api::RoomReact,
    ) -> Result<<api::RoomReact as Command>::Reply, AppError> {
        let api::RoomReact { message, emoji } = command;
        let id = names::message(&message)?;
        let emoji = emoji.map(|emoji| emoji.trim().to_owned());
        let put = emoji.clone();
        self.rooms
            .inner
            .driver
            .ask(move |work| {
                let found = rooms::message(work.tx, &id)?.filter(|found| !found.deleted);
                let Some(found) = found else {
                    return Err(AppError::new(
                        Code::NotFound,
                        format!("there is no message {id}"),
                        "Ids stand beside the messages: artel room read ROOM --json",
                    )
                    .into());
                };
                let (space, room) = (found.space, found.room);
                work.node
                    .react(work.ledger, work.now, space, room, id, put)?;
                Ok(())
            })
            .await?;
        Ok(api::Reacted {
            message: id.to_string(),
            emoji,
        })
    }
}
