//! Notes: the shared page of a room.

use artel_domain::{ChangeHash, Permission};
use artel_sync::protocol::{RoomView, SpaceView};

use super::{
    driver::{Failed, Work},
    names,
};
use crate::{
    api::{Command, Handle, notes as api},
    error::{AppError, Code},
    session::Session,
};

impl Handle<api::NotesShow> for Session {
    async fn handle(
        &self,
        command: api::NotesShow,
    ) -> Result<<api::NotesShow as Command>::Reply, AppError> {
        self.rooms
            .inner
            .driver
            .ask(move |work| {
                let (space, room) = names::room(work.node, &command.room)?;
                show(work, &space, &room)
            })
            .await
    }
}

impl Handle<api::NotesOpen> for Session {
    async fn handle(
        &self,
        command: api::NotesOpen,
    ) -> Result<<api::NotesOpen as Command>::Reply, AppError> {
        self.rooms
            .inner
            .driver
            .ask(move |work| {
                let (space, room) = names::room(work.node, &command.room)?;
                let students = command.students;
                work.node
                    .open_page(work.ledger, work.now, space.space, room.room, students)?;
                show(work, &space, &room)
            })
            .await
    }
}

impl Handle<api::NotesEdit> for Session {
    async fn handle(
        &self,
        command: api::NotesEdit,
    ) -> Result<<api::NotesEdit as Command>::Reply, AppError> {
        let base = command
            .base
            .iter()
            .map(|text| text.parse::<ChangeHash>())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| {
                AppError::new(
                    Code::BadArguments,
                    "that is not the base of a text",
                    "Give back what the notes were shown with.",
                )
            })?;
        self.rooms
            .inner
            .driver
            .ask(move |work| {
                let (space, room) = names::room(work.node, &command.room)?;
                let (at, text) = ((space.space, room.room), &command.text);
                work.node
                    .edit_page(work.ledger, work.now, at.0, at.1, &base, text)?;
                show(work, &space, &room)
            })
            .await
    }
}

fn show(work: &Work<'_>, space: &SpaceView, room: &RoomView) -> Result<api::Notes, Failed> {
    let page = work.node.page(work.ledger, &space.space, &room.room)?;
    let may_open = space
        .role
        .is_some_and(|role| role.may(Permission::EditPages));
    let words = |students| if students { "students" } else { "teachers" }.to_owned();
    let opens_to = words(work.node.students_edit_pages(&space.space));
    let Some(page) = page else {
        return Ok(api::Notes {
            editors: None,
            text: String::new(),
            base: Vec::new(),
            editable: false,
            opens_to,
            may_open,
            changed_by: None,
            changed_at: None,
        });
    };
    let name = |id| {
        let members = work.node.members(&space.space).into_iter();
        let mut members = members.filter(|member| member.member == id);
        members.next().map(|member| member.name)
    };
    Ok(api::Notes {
        editors: Some(words(page.students)),
        text: page.text,
        base: page.heads.iter().map(ToString::to_string).collect(),
        editable: page.editable,
        opens_to,
        may_open,
        changed_by: page.last.and_then(|(author, _)| name(author)),
        changed_at: page.last.map(|(_, at)| at),
    })
}
