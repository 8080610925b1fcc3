//! Reports: a message shown to those who run the space, as its author signed it.

use artel_domain::{Content, MemberId, MessageId, Permission, Report};
use artel_store::{
    Connection, StoreError, restored,
    sealed::{self, Reported},
};
use artel_sync::protocol::{Node, Shown, SpaceView};

use super::{
    names,
    restored::waits,
    view::{Changes, People},
};
use crate::{
    api::{Command, Handle, rooms as api},
    error::AppError,
    session::Session,
};

/// Reports listed at most, the newest.
const MOST: u32 = 500;

/// Keeps a report that was shown.
pub(super) fn show(
    tx: &Connection,
    me: MemberId,
    shown: &Shown,
    report: &Report,
    changes: &mut Changes,
) -> Result<(), StoreError> {
    let reported = report.verify(&shown.space).ok().map(|reported| {
        let (said, files) = match &reported.content {
            Content::Text { text, .. } => (text.clone(), reported.content.attachments()),
            Content::Result(manifest) => (manifest.title.clone(), reported.content.attachments()),
            _ => (String::new(), [].as_slice()),
        };
        let names: Vec<String> = files
            .iter()
            .map(|file| artel_domain::sanitize(&file.name))
            .collect();
        Reported {
            message: reported.id,
            device: reported.device,
            room: reported.room,
            at: reported.at,
            said,
            edit: reported.edit,
            // Names always have a JSON form.
            files: serde_json::to_string(&names).unwrap_or_default(),
        }
    });
    let kept = sealed::put_report(
        tx,
        &sealed::Report {
            id: shown.id,
            space: shown.space,
            lamport: shown.lamport,
            reporter: shown.author,
            at: shown.body.as_ref().map_or(0, |body| body.at),
            text: report.text.clone(),
            reported,
        },
    )?;
    if kept {
        changes.lists();
        if shown.author != me {
            changes.reported(shown.space);
        }
    }
    Ok(())
}

/// Forgets a report that does not count any more.
pub(super) fn forget(
    tx: &Connection,
    id: &MessageId,
    changes: &mut Changes,
) -> Result<(), StoreError> {
    if sealed::remove_report(tx, id)? {
        changes.lists();
    }
    Ok(())
}

fn to_wire(node: &Node, people: &People, report: sealed::Report) -> api::ReportInfo {
    let space = report.space;
    // A device that nobody of this space ever had is made up, whatever it signed.
    let signed = report.reported.and_then(|reported| {
        let author = people.of_device(&space, &reported.device)?;
        Some((author, reported))
    });
    let reported = signed.map(|(author, reported)| {
        // An edit counts only from whoever wrote the message.
        let edit = reported
            .edit
            .filter(|(device, _)| people.of_device(&space, device) == Some(author));
        let rooms = node.rooms(&space).into_iter();
        let mut named = rooms.filter(|room| room.room == reported.room);
        api::Reported {
            message: reported.message.to_string(),
            author: author.to_string(),
            name: people.name_and_role(&space, &author).0,
            room: named.next().map(|room| room.name),
            at: reported.at,
            text: reported.said,
            edit: edit.map(|(_, text)| text),
            files: serde_json::from_str(&reported.files).unwrap_or_default(),
        }
    });
    api::ReportInfo {
        id: report.id.to_string(),
        by: report.reporter.to_string(),
        by_name: people.name_and_role(&space, &report.reporter).0,
        at: report.at,
        text: report.text,
        reported,
    }
}

impl Handle<api::RoomReport> for Session {
    async fn handle(
        &self,
        command: api::RoomReport,
    ) -> Result<<api::RoomReport as Command>::Reply, AppError> {
        let id = names::message(&command.message)?;
        let text = command.text.trim().to_owned();
        let sent = self
            .rooms
            .inner
            .driver
            .ask(move |work| Ok(work.node.report(work.ledger, work.now, id, text)?))
            .await?;
        Ok(api::Sent {
            message: sent.id.to_string(),
            state: "stored".to_owned(),
            peers: 0,
        })
    }
}

impl Handle<api::SpaceReports> for Session {
    async fn handle(
        &self,
        command: api::SpaceReports,
    ) -> Result<<api::SpaceReports as Command>::Reply, AppError> {
        self.rooms
            .inner
            .driver
            .ask(move |work| {
                let space: SpaceView = names::space(work.node, &command.space)?;
                if let Some(backup_at) = restored::held(work.tx, &space.space)? {
                    return Err(waits(&space.name, backup_at).into());
                }
                let me = work.node.member();
                let runs = space
                    .role
                    .is_some_and(|role| role.may(Permission::DeleteOthers));
                let people = People::of(work.node, &space.space);
                let by = (!runs).then_some(me);
                let reports = sealed::reports(work.tx, &space.space, by.as_ref(), MOST)?;
                Ok(reports
                    .into_iter()
                    .map(|report| to_wire(work.node, &people, report))
                    .collect())
            })
            .await
    }
}
