//! What nodes take of their machines while nobody does anything.

use std::time::Duration;

use anyhow::Result;
use artel_measure::Table;
use tokio::time::sleep;

use crate::{class::Class, megabytes, seat::Seat};

/// How long the class settles, and how long it is then looked at.
const IDLE: (Duration, Duration) = (Duration::from_secs(40), Duration::from_mins(1));

pub(crate) async fn run(class: &mut Class) -> Result<String> {
    // Opening a profile takes memory that is given back: nodes are looked at as they are all day.
    class.stop().await?;
    class.start().await?;
    class.until_met().await?;
    sleep(IDLE.0).await;
    let usage = |seats: &[Seat]| seats.iter().map(Seat::usage).collect::<Result<Vec<_>>>();
    let before = usage(&class.seats)?;
    sleep(IDLE.1).await;
    let after = usage(&class.seats)?;
    class.until_met().await?;
    let a_second = |bytes: u64| bytes as f64 / IDLE.1.as_secs_f64();
    let looked: Vec<[f64; 5]> = before
        .iter()
        .zip(&after)
        .map(|(before, after)| {
            let time = after.time.saturating_sub(before.time);
            [
                megabytes(after.memory.resident),
                megabytes(after.memory.peak),
                time.as_secs_f64() / IDLE.1.as_secs_f64() * 100.0,
                a_second(after.wire.0.saturating_sub(before.wire.0)) / 1e3,
                a_second(after.wire.1.saturating_sub(before.wire.1)) / 1e3,
            ]
        })
        .collect();
    let mut table = Table::new(&[
        "node",
        "resident, MB",
        "peak, MB",
        "of a core, %",
        "in, kB/s",
        "out, kB/s",
    ]);
    let mut row = |what: &str, of: &dyn Fn(Vec<f64>) -> f64| {
        let column = |at: usize| {
            let values = looked.iter().filter_map(|node| node.get(at).copied());
            let mut values: Vec<f64> = values.collect();
            values.sort_by(f64::total_cmp);
            format!("{:.2}", of(values))
        };
        table.row(std::iter::once(what.to_owned()).chain((0..5).map(column)));
    };
    row("the median", &|values| {
        values.get(values.len() / 2).copied().unwrap_or_default()
    });
    row("the most", &|values| {
        values.last().copied().unwrap_or_default()
    });
    Ok(format!(
        "Idle, {} connections each, over {} s:\n\n{table}",
        class.seats.len() - 1,
        IDLE.1.as_secs()
    ))
}
