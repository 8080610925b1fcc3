//! Everyone talks at once: how long until all messages are everywhere.

use std::{
    ops::Range,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use futures::future::try_join_all;

use crate::{
    class::{Class, letter},
    megabytes, seconds,
};

/// Records in each feed before.
const BEFORE: u32 = 1_000;
/// Messages that each sends.
const EACH: u32 = 20;
/// Computers of the large class.
const HUNDRED: u8 = 100;

/// A class in which everyone has written a lot already, each for themselves.
pub(crate) async fn run(class: &mut Class) -> Result<String> {
    class.stop().await?;
    class.write_apart(0..BEFORE).await?;
    class.start().await?;
    let begun = Instant::now();
    class.until_all_shown().await?;
    let caught_up = begun.elapsed();
    class.until_met().await?;
    let (sending, spread) = everyone(class, BEFORE..BEFORE + EACH).await?;
    class.all_the_same().await?;
    Ok(format!(
        "{} computers that wrote {BEFORE} records each, apart: everyone has all {} after {}. \
         Then each sends {EACH}, one after the other, in {}: all {} are everywhere {} after the last. {}\n",
        class.seats.len(),
        u32::try_from(class.seats.len())? * BEFORE,
        seconds(caught_up),
        seconds(sending),
        u32::try_from(class.seats.len())? * EACH,
        seconds(spread),
        memory(class)?,
    ))
}

/// The same with a hundred, who have written nothing before. Not everyone is connected to everyone: a node has 96 places.
pub(crate) async fn hundred(folder: &Path) -> Result<String> {
    std::fs::create_dir_all(folder)?;
    let mut class = Class::new(folder, HUNDRED).await?;
    class.start().await?;
    let (sending, spread) = everyone(&mut class, 0..EACH).await?;
    class.all_the_same().await?;
    let said = format!(
        "{HUNDRED} computers, each sends {EACH}, one after the other, in {}: all {} are everywhere {} after the last. {}\n",
        seconds(sending),
        u32::from(HUNDRED) * EACH,
        seconds(spread),
        memory(&class)?,
    );
    class.stop().await?;
    Ok(said)
}

/// Everyone sends messages of these numbers at the same time; how long sending took, and how long after the last was
/// durable at its author all were shown everywhere.
async fn everyone(class: &mut Class, numbers: Range<u32>) -> Result<(Duration, Duration)> {
    let begun = Instant::now();
    let sending = class.seats.iter().map(|seat| {
        let (numbers, room) = (numbers.clone(), class.room.as_str());
        async move {
            let mut said = Vec::new();
            for number in numbers {
                let text = letter(&seat.name, number);
                seat.send(room, &text).await?;
                said.push(text);
            }
            anyhow::Ok((Instant::now(), said))
        }
    });
    let sent = try_join_all(sending).await?;
    let last = sent.iter().map(|(at, _)| *at).max();
    let last = last.context("a class of nobody")?;
    class
        .written
        .extend(sent.into_iter().flat_map(|(_, said)| said));
    class.until_all_shown().await?;
    Ok((last - begun, last.elapsed()))
}

/// What the nodes have of memory now, and had at most.
fn memory(class: &Class) -> Result<String> {
    let mut resident = Vec::new();
    let mut peak = Vec::new();
    for seat in &class.seats {
        let memory = seat.usage()?.memory;
        resident.push(memory.resident);
        peak.push(memory.peak);
    }
    let most = |of: &[u64]| megabytes(of.iter().copied().max().unwrap_or_default());
    Ok(format!(
        "Resident then: {:.1} MB at most (peak {:.1}).",
        most(&resident),
        most(&peak)
    ))
}
