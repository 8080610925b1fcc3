//! Bundles: what was written in a space, in a sealed file for a stick, where the network forbids all.
//!
//! Every record in it is signed by its author and checked like one from a peer, so nobody need trust the file. It is
//! sealed to the space: whoever has the latest secrets opens it. It is read one piece at a time, and what was taken
//! before a fault stays; taking it again begins where that ended, since what is here is passed over.

mod sealed;

use std::{
    io::{BufReader, BufWriter},
    path::PathBuf,
};

use artel_sync::protocol::{UnpackError, Unpacked};

use super::{driver::Failed, names};
use crate::{
    api::{Command, Handle, rooms as api},
    error::{AppError, Code},
    files::{self, Unfinished},
    session::Session,
};
use sealed::{Reader, Unread, Writer};

/// Passes over a file: what is of a member who is known only from what comes later in it is taken in the next.
const PASSES: usize = 8;

impl Handle<api::NetExport> for Session {
    async fn handle(
        &self,
        command: api::NetExport,
    ) -> Result<<api::NetExport as Command>::Reply, AppError> {
        let since = command.since.as_deref().map(day).transpose()?;
        let driver = &self.rooms.inner.driver;
        let name = command.space;
        let (space, key, feeds, left_out) = driver
            .ask(move |work| {
                let space = names::space(work.node, &name)?;
                let (feeds, left_out) = work.node.bundle_feeds(&space.space)?;
                let key = work.node.bundle_key(&space.space);
                Ok((space, key, feeds, left_out))
            })
            .await?;
        let key = key.ok_or_else(|| {
            AppError::new(
                Code::NotAllowed,
                "the latest secret of the space is not here yet",
                "Connect to a member once: artel net dial ADDRESS",
            )
        })?;
        let mut salt = [0; 32];
        getrandom::fill(&mut salt).map_err(|reason| AppError::internal(&reason))?;
        let path = PathBuf::from(&command.file);
        let failed = |reason| files::failed(&path, &reason);
        let out = BufWriter::new(Unfinished::begin(&path).map_err(failed)?);
        let mut writer = Writer::begin(out, &space.space, &key, salt).map_err(failed)?;
        let mut records = 0_u64;
        for feed in feeds {
            let mut from = driver
                .ask(move |work| match since {
                    Some(since) => Ok(Some(work.node.bundle_from(work.ledger, &feed, since)?)),
                    None => Ok(Some(1)),
                })
                .await?;
            while let Some(place) = from {
                let page = driver
                    .ask(move |work| Ok(work.node.bundle_page(work.ledger, &feed, place)?))
                    .await?;
                let Some((frame, count, next)) = page else {
                    break;
                };
                writer.frame(&frame).map_err(failed)?;
                records += count as u64;
                from = next;
            }
        }
        let bytes = writer.bytes;
        let out = writer.finish().map_err(failed)?;
        let out = out
            .into_inner()
            .map_err(|reason| failed(reason.into_error()))?;
        out.finish().map_err(failed)?;
        Ok(api::Exported {
            file: command.file,
            space: space.name,
            records,
            bytes,
            left_out,
        })
    }
}

/// Midnight of a day here, Unix milliseconds.
fn day(text: &str) -> Result<i64, AppError> {
    let midnight = text
        .parse::<jiff::civil::Date>()
        .and_then(|date| date.to_zoned(jiff::tz::TimeZone::system()));
    midnight
        .map(|at| at.timestamp().as_millisecond())
        .map_err(|_| {
            AppError::new(
                Code::BadArguments,
                format!("\"{text}\" is no day"),
                "Write it as 2026-11-22.",
            )
        })
}

impl Handle<api::NetImport> for Session {
    async fn handle(
        &self,
        command: api::NetImport,
    ) -> Result<<api::NetImport as Command>::Reply, AppError> {
        let driver = &self.rooms.inner.driver;
        let keys = driver.look(artel_sync::protocol::Node::bundle_keys).await?;
        let path = PathBuf::from(&command.file);
        let begin = || {
            let file = files::open(&path).map_err(|reason| files::unread(&path, &reason))?;
            Reader::open(BufReader::new(file), &keys).map_err(|reason| unread(&path, &reason))
        };
        let space = begin()?.space;
        let mut taken = api::Imported {
            file: command.file.clone(),
            space: String::new(),
            records: 0,
            waiting: 0,
            problem: None,
        };
        let spaces = driver.look(artel_sync::protocol::Node::spaces).await?;
        if let Some(found) = spaces.into_iter().find(|found| found.space == space) {
            taken.space = found.name;
        }
        for _ in 0..PASSES {
            let before = taken.records;
            taken.waiting = 0;
            let mut reader = begin()?;
            loop {
                let frame = match reader.frame() {
                    Ok(Some(frame)) => frame,
                    Ok(None) => break,
                    Err(reason) => {
                        taken.problem = Some(reason.to_string());
                        break;
                    }
                };
                let unpacked = driver
                    .ask(
                        move |work| match work.node.unpack(work.ledger, work.now, space, &frame) {
                            Err(UnpackError::Ledger(reason)) => Err(Failed::Ledger(reason)),
                            other => Ok(other.map_err(|reason| reason.to_string())),
                        },
                    )
                    .await?;
                match unpacked {
                    Ok(Unpacked::Taken(new)) => taken.records += new,
                    Ok(Unpacked::Gap | Unpacked::Unknown) => taken.waiting += 1,
                    Err(reason) => {
                        taken.problem = Some(reason);
                        break;
                    }
                }
            }
            if taken.waiting == 0 || taken.records == before || taken.problem.is_some() {
                break;
            }
        }
        Ok(taken)
    }
}

fn unread(path: &std::path::Path, reason: &Unread) -> AppError {
    let hint = match reason {
        Unread::Io(reason) => return files::unread(path, reason),
        Unread::NoKey => {
            "It is of a space that you are not in, or was made with a newer secret of it: meet a member once, or have it made anew."
        }
        Unread::Foreign => "Give a file that was made with: artel net export",
        Unread::Truncated(_) | Unread::Damaged(_) => "Copy it to the stick again.",
    };
    AppError::new(
        Code::BadInput,
        format!("{}: {reason}", path.display()),
        hint,
    )
    .param("path", path.display())
}
