//! Price series, stored by column in chunks, and the indicator runs made from them.
//!
//! A series is known by symbol, interval and source. Its bars lie in chunks of at most
//! [`CHUNK`], each column of a chunk in a row of its own, so that looking through the times reads
//! only times. An import is [`staging`]: it touches the chunks that new bars fall into and no others,
//! and nobody sees it before it is whole.

mod column;
mod runs;
pub mod staging;

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::StoreError;

pub use runs::{Run, RunFile, add_run, run};

/// Bars of a full chunk.
pub const CHUNK: usize = 10_000;

/// Bars by column, oldest first; all columns have the same length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bars {
    /// Start of each bar, Unix milliseconds.
    pub time: Vec<i64>,
    /// First prices.
    pub open: Vec<f64>,
    /// Highest prices.
    pub high: Vec<f64>,
    /// Lowest prices.
    pub low: Vec<f64>,
    /// Last prices.
    pub close: Vec<f64>,
    /// Volumes; zeros where the series has none.
    pub volume: Vec<f64>,
}

/// Bars with one time and equal figures, or not.
type Figures = [f64; 5];

impl Bars {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.time.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.time.is_empty()
    }

    /// Adds one bar: time, then open, high, low, close, volume.
    pub fn push(&mut self, time: i64, figures: Figures) {
        self.time.push(time);
        for (column, figure) in self.columns_mut().into_iter().zip(figures) {
            column.push(figure);
        }
    }

    fn columns(&self) -> [&Vec<f64>; 5] {
        [&self.open, &self.high, &self.low, &self.close, &self.volume]
    }

    fn columns_mut(&mut self) -> [&mut Vec<f64>; 5] {
        [
            &mut self.open,
            &mut self.high,
            &mut self.low,
            &mut self.close,
            &mut self.volume,
        ]
    }

    fn get(&self, index: usize) -> Option<(i64, Figures)> {
        let time = *self.time.get(index)?;
        let figure = |column: &Vec<f64>| column.get(index).copied().unwrap_or_default();
        Some((time, self.columns().map(figure)))
    }

    fn append(&mut self, mut other: Self) {
        self.time.append(&mut other.time);
        for (column, other) in self.columns_mut().into_iter().zip(other.columns_mut()) {
            column.append(other);
        }
    }

    /// Keeps the last `count` bars and drops the others.
    fn keep_last(&mut self, count: usize) {
        let excess = self.len().saturating_sub(count);
        self.time.drain(..excess);
        for column in self.columns_mut() {
            column.drain(..excess);
        }
    }

    fn truncate(&mut self, count: usize) {
        self.time.truncate(count);
        for column in self.columns_mut() {
            column.truncate(count);
        }
    }
}

/// A stored series.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Row id.
    pub id: i64,
    /// Where it is from, such as `file`.
    pub source: String,
    /// Its symbol.
    pub symbol: String,
    /// Its interval, such as `1d`.
    pub interval: String,
    /// Whether volumes are known.
    pub has_volume: bool,
    /// How many bars there are.
    pub bars: u64,
    /// First bar, Unix milliseconds.
    pub first_ms: i64,
    /// Last bar, Unix milliseconds.
    pub last_ms: i64,
    /// Close of the last bar.
    pub last_close: f64,
    /// Close of the bar before the last; of the last where it is alone.
    pub previous_close: f64,
    /// Gaps, as the importer judged them.
    pub gaps: u64,
    /// Last import, Unix milliseconds.
    pub imported_at_ms: i64,
}

/// Sources of series that are not shown: of an import on its way, and of what it took the place of.
const HIDDEN: &str = "'.import', '.replaced'";

const SERIES: &str =
    "SELECT id, source, symbol, interval, has_volume, bars, first_ms, last_ms, last_close,
    previous_close, gaps, imported_at_ms FROM price_series";

fn series_of(row: &Row<'_>) -> rusqlite::Result<Series> {
    Ok(Series {
        id: row.get(0)?,
        source: row.get(1)?,
        symbol: row.get(2)?,
        interval: row.get(3)?,
        has_volume: row.get(4)?,
        bars: counted(row, 5)?,
        first_ms: row.get(6)?,
        last_ms: row.get(7)?,
        last_close: row.get(8)?,
        previous_close: row.get(9)?,
        gaps: counted(row, 10)?,
        imported_at_ms: row.get(11)?,
    })
}

/// A column that counts something, so is never negative.
fn counted<T: TryFrom<i64>>(row: &Row<'_>, index: usize) -> rusqlite::Result<T> {
    let count: i64 = row.get(index)?;
    T::try_from(count).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(index, count))
}

/// A count as SQLite keeps it.
fn count(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

/// All series, by symbol and interval.
pub fn list(connection: &Connection) -> Result<Vec<Series>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "{SERIES} WHERE source NOT IN ({HIDDEN}) ORDER BY symbol, interval, source"
    ))?;
    let series = statement
        .query_map([], series_of)?
        .collect::<Result<_, _>>()?;
    Ok(series)
}

/// The series of one symbol, one for each interval and source.
pub fn of_symbol(connection: &Connection, symbol: &str) -> Result<Vec<Series>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "{SERIES} WHERE symbol = ?1 AND source NOT IN ({HIDDEN}) ORDER BY interval, source"
    ))?;
    let series = statement
        .query_map([symbol], series_of)?
        .collect::<Result<_, _>>()?;
    Ok(series)
}

/// The series of this identity.
pub fn series(
    connection: &Connection,
    source: &str,
    symbol: &str,
    interval: &str,
) -> Result<Option<Series>, StoreError> {
    Ok(connection
        .prepare_cached(&format!(
            "{SERIES} WHERE symbol = ?1 AND interval = ?2 AND source = ?3"
        ))?
        .query_row(params![symbol, interval, source], series_of)
        .optional()?)
}

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// Bars at new times.
    pub added: u64,
    /// Bars whose figures changed.
    pub replaced: u64,
    /// Bars that were there already, equal.
    pub unchanged: u64,
}

impl std::ops::AddAssign for Merged {
    fn add_assign(&mut self, other: Self) {
        self.added += other.added;
        self.replaced += other.replaced;
        self.unchanged += other.unchanged;
    }
}

/// Merges a stretch of new bars into those of a chunk.
fn weave(old: &Bars, new: &Bars, range: std::ops::Range<usize>) -> (Bars, Merged) {
    let mut all = Bars::default();
    let mut counts = Merged::default();
    let mut kept = 0;
    for index in range {
        let Some((time, figures)) = new.get(index) else {
            break;
        };
        while let Some((old_time, old_figures)) =
            old.get(kept).filter(|(old_time, _)| *old_time <= time)
        {
            kept += 1;
            if old_time < time {
                all.push(old_time, old_figures);
            } else if old_figures.map(f64::to_bits) == figures.map(f64::to_bits) {
                counts.unchanged += 1;
            } else {
                counts.replaced += 1;
            }
        }
        all.push(time, figures);
    }
    while let Some((time, figures)) = old.get(kept) {
        all.push(time, figures);
        kept += 1;
    }
    counts.added = (all.len() - old.len()) as u64;
    (all, counts)
}

/// A row of the chunk directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Chunk {
    id: i64,
    first: i64,
    last: i64,
    bars: usize,
}

fn write_chunks(
    connection: &Connection,
    series: i64,
    bars: &Bars,
) -> Result<Vec<Chunk>, StoreError> {
    let mut from = 0;
    let mut written = Vec::new();
    for times in bars.time.chunks(CHUNK) {
        let (Some(&first), Some(&last)) = (times.first(), times.last()) else {
            break;
        };
        connection
            .prepare_cached("INSERT INTO price_chunks (series, first_ms, last_ms, bars) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![series, first, last, count(times.len())])?;
        let id = connection.last_insert_rowid();
        write_column(connection, id, 0, &column::encode_times(times))?;
        for (field, column) in (1..).zip(bars.columns()) {
            let figures = column.get(from..from + times.len()).unwrap_or_default();
            write_column(connection, id, field, &column::encode_figures(figures))?;
        }
        from += times.len();
        written.push(Chunk {
            id,
            first,
            last,
            bars: times.len(),
        });
    }
    Ok(written)
}

fn write_column(
    connection: &Connection,
    chunk: i64,
    field: i64,
    data: &[u8],
) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT INTO price_columns (chunk, field, data) VALUES (?1, ?2, ?3)")?
        .execute(params![chunk, field, data])?;
    Ok(())
}

fn delete_chunk(connection: &Connection, chunk: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM price_columns WHERE chunk = ?1")?
        .execute([chunk])?;
    connection
        .prepare_cached("DELETE FROM price_chunks WHERE id = ?1")?
        .execute([chunk])?;
    Ok(())
}

fn read_chunk(connection: &Connection, chunk: i64) -> Result<Bars, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT c.field, c.data, p.bars FROM price_columns c JOIN price_chunks p ON p.id = c.chunk
         WHERE c.chunk = ?1 ORDER BY c.field",
    )?;
    let mut rows = statement.query([chunk])?;
    let mut bars = Bars::default();
    let mut columns = 0;
    while let Some(row) = rows.next()? {
        let data = row.get_ref(1)?.as_blob().map_err(damaged)?;
        let count = counted(row, 2)?;
        match counted::<usize>(row, 0)?.checked_sub(1) {
            None => bars.time = column::decode_times(data, count)?,
            Some(index) => {
                if let Some(column) = bars.columns_mut().into_iter().nth(index) {
                    *column = column::decode_figures(data, count)?;
                }
            }
        }
        columns += 1;
    }
    if columns != 6 {
        return Err(damaged(format!("chunk {chunk} has {columns} columns")));
    }
    Ok(bars)
}

fn damaged(reason: impl ToString) -> StoreError {
    StoreError::Corrupt {
        path: None,
        reason: format!("prices: {}", reason.to_string()),
    }
}

/// Derives the series' row from its chunks and notes the gaps that were judged.
fn settle(connection: &Connection, series: i64, gaps: u64, now_ms: i64) -> Result<(), StoreError> {
    let (bars, first, last): (u64, Option<i64>, Option<i64>) = connection
        .prepare_cached("SELECT coalesce(sum(bars), 0), min(first_ms), max(last_ms) FROM price_chunks WHERE series = ?1")?
        .query_row([series], |row| Ok((counted(row, 0)?, row.get(1)?, row.get(2)?)))?;
    let ending = last_bars(connection, series, None, 2)?.0;
    let last_close = ending.close.last().copied().unwrap_or_default();
    let previous_close = ending.close.first().copied().unwrap_or_default();
    connection
        .prepare_cached(
            "UPDATE price_series SET bars = ?2, first_ms = ?3, last_ms = ?4, last_close = ?5, previous_close = ?6,
             gaps = ?7, imported_at_ms = ?8 WHERE id = ?1",
        )?
        .execute(params![
            series,
            count(bars),
            first.unwrap_or_default(),
            last.unwrap_or_default(),
            last_close,
            previous_close,
            count(gaps),
            now_ms
        ])?;
    Ok(())
}

/// All bars of a series.
pub fn bars(connection: &Connection, series: i64) -> Result<Bars, StoreError> {
    Ok(last_bars(connection, series, None, usize::MAX)?.0)
}

/// The last `limit` bars before a time, or of the whole series, and whether there are older ones.
pub fn last_bars(
    connection: &Connection,
    series: i64,
    before: Option<i64>,
    limit: usize,
) -> Result<(Bars, bool), StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id FROM price_chunks WHERE series = ?1 AND first_ms < ?2 ORDER BY first_ms DESC",
    )?;
    let before = before.unwrap_or(i64::MAX);
    let mut rows = statement.query(params![series, before])?;
    let mut parts = Vec::new();
    let mut found = 0;
    while found <= limit {
        let Some(row) = rows.next()? else { break };
        let mut part = read_chunk(connection, row.get(0)?)?;
        part.truncate(part.time.partition_point(|time| *time < before));
        found += part.len();
        parts.push(part);
    }
    let mut bars = Bars::default();
    for part in parts.into_iter().rev() {
        bars.append(part);
    }
    bars.keep_last(limit);
    Ok((bars, found > limit))
}

#[cfg(test)]
mod tests;
