//! From a message sent on one computer to the same message shown on another, durable on both.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Result;
use artel_measure::{Fsync, Table, Times};
use futures::future::try_join_all;
use tokio::time::sleep_until;

use crate::{
    class::{Class, letter},
    milliseconds,
    seat::Seat,
};

/// Messages a second, evenly spaced, whether or not earlier ones have arrived.
const RATE: u32 = 100;
/// Messages that are not counted, then those that are.
const MESSAGES: (u32, u32) = (200, 2_000);

pub(crate) async fn run(folder: &Path) -> Result<String> {
    std::fs::create_dir_all(folder)?;
    let mut class = Class::new(folder, 2).await?;
    class.start().await?;
    class.until_met().await?;
    // Half of it before and half after: a disk has moods.
    let before = Fsync::measure(folder, 200)?;
    let (stored, shown) = talk(&mut class).await?;
    let after = Fsync::measure(folder, 200)?;
    class.all_the_same().await?;
    class.stop().await?;
    let mut table = Table::new(&["what", "p50, ms", "p95, ms", "longest, ms"]);
    for (what, times) in [
        (
            "fsync of 4 KiB appended",
            before.appended.with(after.appended),
        ),
        (
            "fsync of 4 KiB rewritten",
            before.rewritten.with(after.rewritten),
        ),
        ("sent: durable on the sender", stored),
        ("shown: durable on both", shown),
    ] {
        table.row([
            what.to_owned(),
            milliseconds(times.median()),
            milliseconds(times.percentile(95)),
            milliseconds(times.max()),
        ]);
    }
    Ok(format!(
        "{} messages, {RATE} a second, from the moment each was due; all arrived whole, once and in order.\n\n{table}",
        MESSAGES.1
    ))
}

/// How long until a message was durable on the sender, and until it was shown on the other.
async fn talk(class: &mut Class) -> Result<(Times, Times)> {
    let count = MESSAGES.0 + MESSAGES.1;
    let texts: Vec<String> = (0..count).map(|number| letter("Host 1", number)).collect();
    let (sender, room) = (class.teacher()?, class.room.as_str());
    let ears = try_join_all(class.seats.iter().skip(1).map(Seat::listen)).await?;
    let begun = Instant::now() + Duration::from_millis(100);
    let sending = (0..).zip(&texts).map(|(number, text)| async move {
        let due = begun + Duration::from_secs(1) / RATE * number;
        sleep_until(due.into()).await;
        let sent = sender.send(room, text).await?;
        anyhow::Ok((due, Instant::now(), sent.message))
    });
    let sent = try_join_all(sending).await?;
    let mut stored = Vec::new();
    let mut shown = Vec::new();
    for (due, durable, id) in sent.iter().skip(usize::try_from(MESSAGES.0)?) {
        stored.push(durable.saturating_duration_since(*due));
        for ear in &ears {
            shown.push(ear.when(id).await?.saturating_duration_since(*due));
        }
    }
    class.written.extend(texts);
    Ok((stored.into_iter().collect(), shown.into_iter().collect()))
}
