//! One who comes late, to a room in which a lot was said.

use std::{path::Path, time::Instant};

use anyhow::{Result, ensure};
use artel_app::api::rooms::{RoomList, RoomRead};
use tokio::time::sleep;

use crate::{PATIENCE, POLL, class::Class, megabytes, seat::Seat, seconds};

/// Who wrote, and how much each.
const AUTHORS: u8 = 5;
const EACH: u32 = 20_000;
/// The newest messages, which a person reads first.
const FIRST: u32 = 100;

/// The newcomer meets one computer that has everything.
pub(crate) async fn run(folder: &Path) -> Result<String> {
    std::fs::create_dir_all(folder)?;
    let mut class = Class::new(folder, AUTHORS).await?;
    // Apart, so that the newest messages are of all of them.
    class.write_apart(0..EACH).await?;
    class.start().await?;
    class.until_all_shown().await?;
    for seat in class.seats.iter_mut().skip(1) {
        seat.stop().await?;
    }
    let mut newcomer = Seat::new(class.spare()?, folder, "Newcomer").await?;
    newcomer.start().await?;
    let teacher = class.teacher()?;
    let invite = teacher.invite(&class.space, 1).await?;
    let newest = newest(teacher, &class.room).await?;
    let all = u32::from(AUTHORS) * EACH;

    let begun = Instant::now();
    newcomer.join(&invite, teacher).await?;
    let joined = begun.elapsed();
    let mut readable = None;
    loop {
        if readable.is_none() && shows(&newcomer, &class.room, &newest).await? {
            readable = Some(begun.elapsed());
        }
        let shown = newcomer.shows().await?;
        if shown >= all {
            break;
        }
        ensure!(
            begun.elapsed() < PATIENCE,
            "the newcomer shows {shown} of {all} messages"
        );
        sleep(POLL).await;
    }
    let complete = begun.elapsed();
    let usage = newcomer.usage()?;
    let (first, other) = (
        teacher.read(&class.room).await?,
        newcomer.read(&class.room).await?,
    );
    let same = first.len() == other.len()
        && first
            .iter()
            .zip(&other)
            .all(|(one, other)| (&one.id, &one.text) == (&other.id, &other.text));
    ensure!(same, "the newcomer shows another room");
    ensure!(
        other.len() == usize::try_from(all)?,
        "{} messages are shown and {all} were written",
        other.len()
    );
    newcomer.stop().await?;
    class.stop().await?;
    Ok(format!(
        "A newcomer to {all} messages of {AUTHORS} authors: in after {}, the newest {FIRST} readable after {}, all after {}; \
         {:.1} MB resident then (peak {:.1}), {:.1} MB received, {:.1} MB sent, {} of processor time.\n",
        seconds(joined),
        seconds(readable.unwrap_or(complete)),
        seconds(complete),
        megabytes(usage.memory.resident),
        megabytes(usage.memory.peak),
        megabytes(usage.wire.0),
        megabytes(usage.wire.1),
        seconds(usage.time),
    ))
}

/// Ids of the newest messages.
async fn newest(seat: &Seat, room: &str) -> Result<Vec<String>> {
    let page = seat
        .ask(RoomRead {
            room: room.to_owned(),
            limit: Some(FIRST),
            before: None,
        })
        .await?;
    Ok(page
        .messages
        .into_iter()
        .map(|message| message.id)
        .collect())
}

/// Whether it shows just these as the newest; it may not know of the room yet.
async fn shows(seat: &Seat, room: &str, wanted: &[String]) -> Result<bool> {
    let rooms = seat.ask(RoomList::default()).await?;
    Ok(rooms.iter().any(|known| known.room == room) && newest(seat, room).await? == wanted)
}
