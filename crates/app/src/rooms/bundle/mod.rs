//! Bundles: what was written in a space, in a sealed file for a stick, where the network forbids all.
//!
//! Every record in it is signed by its author and checked like one from a peer, so nobody need trust the file. It is
//! sealed to the space: whoever has the latest secrets opens it. It is read one piece at a time, and what was taken
//! before a fault stays; taking it again begins where that ended, since what is here is passed over.

mod sealed;

use std::{
    io::{BufReader, BufWriter},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use artel_domain::SpaceId;
use artel_sync::protocol::{FeedKey, UnpackError, Unpacked};
use tokio::sync::{mpsc, oneshot};

use super::{
    driver::{self, Failed},
    names,
};
use crate::{
    api::{Command, Handle, rooms as api},
    error::{AppError, Code},
    files::{self, Unfinished},
    session::Session,
};
use sealed::{Reader, Unread, Writer};

/// Passes over a file: what is of a member who is known only from what comes later in it is taken in the next.
const PASSES: usize = 8;
/// Frames that wait between the file and the records.
const AHEAD: usize = 4;

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
                let space = match &name {
                    Some(name) => names::space(work.node, name)?,
                    None => names::only_space(work.node)?,
                };
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
        let (frames, queue) = mpsc::channel(AHEAD);
        let id = space.space;
        let file = tokio::task::spawn_blocking(move || write(&path, &id, &key, salt, queue));
        let sent = self.read_out(feeds, since, &frames).await;
        if sent.is_ok() {
            // If it failed meanwhile, it says so below.
            let _ = frames.send(None).await;
        }
        drop(frames);
        let bytes = file.await?;
        let records = sent?;
        let bytes = bytes?;
        Ok(api::Exported {
            file: command.file,
            space: space.name,
            records,
            bytes,
            left_out,
        })
    }
}

impl Session {
    /// Hands over the frames of feeds, a page in each batch of the driver, until all are or nobody takes them; how many
    /// records they hold.
    async fn read_out(
        &self,
        feeds: Vec<FeedKey>,
        since: Option<i64>,
        frames: &mpsc::Sender<Option<Vec<u8>>>,
    ) -> Result<u64, AppError> {
        let driver = &self.rooms.inner.driver;
        let mut records = 0;
        for feed in feeds {
            let mut from = 1;
            while let Some(since) = since {
                let piece = driver
                    .ask(move |work| Ok(work.node.bundle_from(work.ledger, &feed, from, since)?))
                    .await?;
                match piece {
                    ControlFlow::Continue(next) => from = next,
                    ControlFlow::Break(place) => {
                        from = place;
                        break;
                    }
                }
            }
            let mut place = Some(from);
            while let Some(from) = place {
                let page = driver
                    .ask(move |work| Ok(work.node.bundle_page(work.ledger, &feed, from)?))
                    .await?;
                let Some((frame, count, next)) = page else {
                    break;
                };
                if frames.send(Some(frame)).await.is_err() {
                    return Ok(records);
                }
                records += count as u64;
                place = next;
            }
        }
        Ok(records)
    }
}

/// Writes frames into a file as they come, up to the end that is marked by none; its size. Without that mark nothing is
/// left of it.
fn write(
    path: &Path,
    space: &SpaceId,
    key: &[u8; 32],
    salt: [u8; 32],
    mut frames: mpsc::Receiver<Option<Vec<u8>>>,
) -> Result<u64, AppError> {
    let failed = |reason| files::failed(path, &reason);
    let out = BufWriter::new(Unfinished::begin(path).map_err(failed)?);
    let mut writer = Writer::begin(out, space, key, salt).map_err(failed)?;
    loop {
        match frames.blocking_recv() {
            Some(Some(frame)) => writer.frame(&frame).map_err(failed)?,
            Some(None) => break,
            None => return Err(driver::closed()),
        }
    }
    let (out, bytes) = writer.finish().map_err(failed)?;
    let out = out
        .into_inner()
        .map_err(|reason| failed(reason.into_error()))?;
    out.finish().map_err(failed)?;
    Ok(bytes)
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
        let (space, mut frames) = begin(path.clone(), keys.clone()).await?;
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
        for pass in 1..=PASSES {
            let before = taken.records;
            taken.waiting = 0;
            while let Some(frame) = frames.recv().await {
                let frame = match frame {
                    Ok(frame) => frame,
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
                    Ok(Unpacked::Gap(new) | Unpacked::Unknown(new)) => {
                        taken.records += new;
                        taken.waiting += 1;
                    }
                    Err(reason) => {
                        taken.problem = Some(reason);
                        break;
                    }
                }
            }
            if taken.waiting == 0
                || taken.records == before
                || taken.problem.is_some()
                || pass == PASSES
            {
                break;
            }
            match begin(path.clone(), keys.clone()).await {
                Ok((_, again)) => frames = again,
                // What came until now stays, and is told.
                Err(reason) => {
                    taken.problem = Some(reason.message);
                    break;
                }
            }
        }
        Ok(taken)
    }
}

type Frames = mpsc::Receiver<Result<Vec<u8>, Unread>>;

/// Opens a bundle: the space that it is of, and its frames as they are read, up to its end or the first fault.
async fn begin(
    path: PathBuf,
    keys: Vec<(SpaceId, [u8; 32])>,
) -> Result<(SpaceId, Frames), AppError> {
    let (frames, queue) = mpsc::channel(AHEAD);
    let (opened, space) = oneshot::channel();
    tokio::task::spawn_blocking(move || {
        let open = || {
            let file = files::open(&path).map_err(|reason| files::unread(&path, &reason))?;
            Reader::open(BufReader::new(file), &keys).map_err(|reason| unread(&path, &reason))
        };
        let mut reader = match open() {
            Ok(reader) => reader,
            Err(reason) => {
                // Whoever asked may have gone.
                let _ = opened.send(Err(reason));
                return;
            }
        };
        let _ = opened.send(Ok(reader.space));
        while let Some(frame) = reader.frame().transpose() {
            let last = frame.is_err();
            if frames.blocking_send(frame).is_err() || last {
                return;
            }
        }
    });
    let space = space.await.map_err(|_| driver::closed())??;
    Ok((space, queue))
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
