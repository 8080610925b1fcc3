//! Imports that are seen as a whole or not at all, and never hold the writer for long.
//!
//! New bars are woven, batch by batch, with the chunks that they fall into, and the results kept as chunks of a hidden
//! series. [`Staging::finish`] then changes whose chunks they are: a short write, however long the series. What an import
//! took the place of, and what a broken one left, is removed by [`sweep`].

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, params};

use super::{
    Bars, CHUNK, Chunk, HIDDEN, Merged, column, counted, damaged, delete_chunk, read_chunk, series,
    settle, weave, write_chunks,
};
use crate::StoreError;

/// Chunks that [`sweep`] removes at a time.
const SWEPT: usize = 16;

/// An import on its way. One at a time: two would not know of one another.
#[derive(Debug)]
pub struct Staging {
    /// The hidden series.
    hidden: i64,
    source: String,
    symbol: String,
    interval: String,
    has_volume: bool,
    /// The chunks of the series as it will be, by their first times.
    chunks: BTreeMap<i64, Chunk>,
    /// Those that are already there and stay.
    kept: BTreeSet<i64>,
    /// Those that are there and go.
    replaced: Vec<i64>,
    merged: Merged,
}

impl Staging {
    /// Begins an import into the series of this identity. Call [`sweep`] before: one that broke is in the way.
    pub fn begin(
        connection: &Connection,
        source: &str,
        symbol: &str,
        interval: &str,
        has_volume: bool,
    ) -> Result<Self, StoreError> {
        let chunks = match series(connection, source, symbol, interval)? {
            Some(target) => directory(connection, target.id)?,
            None => BTreeMap::new(),
        };
        Ok(Self {
            hidden: insert(connection, ".import", symbol, interval, has_volume)?,
            source: source.to_owned(),
            symbol: symbol.to_owned(),
            interval: interval.to_owned(),
            has_volume,
            kept: chunks.values().map(|chunk| chunk.id).collect(),
            chunks,
            replaced: Vec::new(),
            merged: Merged::default(),
        })
    }

    /// Adds bars; a bar at a time that is there already takes its place. `bars` are in rising order of time.
    pub fn merge(&mut self, connection: &Connection, bars: &Bars) -> Result<(), StoreError> {
        let rising = bars
            .time
            .iter()
            .zip(bars.time.iter().skip(1))
            .all(|(one, next)| one < next);
        if !rising
            || bars
                .columns()
                .iter()
                .any(|column| column.len() != bars.len())
        {
            return Err(StoreError::Misuse(
                "bars to merge are uneven or out of order",
            ));
        }
        let mut next = 0;
        while let Some((time, _)) = bars.get(next) {
            let (chunk, end) = self.chunk_for(time);
            let until = end.map_or(bars.len(), |end| {
                bars.time.partition_point(|time| *time < end)
            });
            let old = match &chunk {
                Some(chunk) => read_chunk(connection, chunk.id)?,
                None => Bars::default(),
            };
            let (all, counts) = weave(&old, bars, next..until);
            if counts.added + counts.replaced > 0 {
                if let Some(chunk) = chunk {
                    self.chunks.remove(&chunk.first);
                    if self.kept.remove(&chunk.id) {
                        self.replaced.push(chunk.id);
                    } else {
                        delete_chunk(connection, chunk.id)?;
                    }
                }
                for chunk in write_chunks(connection, self.hidden, &all)? {
                    self.chunks.insert(chunk.first, chunk);
                }
            }
            self.merged += counts;
            next = until;
        }
        Ok(())
    }

    /// The chunk that a bar at `time` belongs to, and where the following one begins.
    fn chunk_for(&self, time: i64) -> (Option<Chunk>, Option<i64>) {
        let after = |time: i64| self.chunks.range(time.saturating_add(1)..).next();
        match self.chunks.range(..=time).next_back() {
            // A full one is not written again for what comes behind it.
            Some((_, chunk)) if chunk.last < time && chunk.bars >= CHUNK => {
                (None, after(time).map(|(first, _)| *first))
            }
            Some((_, chunk)) => (Some(*chunk), after(time).map(|(first, _)| *first)),
            // Bars before the first chunk go into it, if it has room.
            None => match after(time) {
                Some((first, chunk)) if chunk.bars < CHUNK => {
                    (Some(*chunk), after(*first).map(|(first, _)| *first))
                }
                Some((first, _)) => (None, Some(*first)),
                None => (None, None),
            },
        }
    }

    /// Gives every stretch of the times of the series as it will be to `visit`, oldest first.
    pub fn visit_times(
        &self,
        connection: &Connection,
        mut visit: impl FnMut(&[i64]),
    ) -> Result<(), StoreError> {
        let mut statement = connection
            .prepare_cached("SELECT data FROM price_columns WHERE chunk = ?1 AND field = 0")?;
        for chunk in self.chunks.values() {
            let mut rows = statement.query([chunk.id])?;
            let Some(row) = rows.next()? else {
                return Err(damaged(format!("chunk {} has no times", chunk.id)));
            };
            let data = row.get_ref(0)?.as_blob().map_err(damaged)?;
            visit(&column::decode_times(data, chunk.bars)?);
        }
        Ok(())
    }

    /// Makes the import seen, with the gaps that were judged. What it took the place of is left to [`sweep`].
    pub fn finish(
        self,
        connection: &Connection,
        gaps: u64,
        now_ms: i64,
    ) -> Result<Merged, StoreError> {
        let (symbol, interval) = (&self.symbol, &self.interval);
        let target = match series(connection, &self.source, symbol, interval)? {
            Some(target) => target.id,
            None => insert(connection, &self.source, symbol, interval, self.has_volume)?,
        };
        let gone = insert(connection, ".replaced", symbol, interval, self.has_volume)?;
        let mut give = connection
            .prepare_cached("UPDATE price_chunks SET series = ?2 WHERE id = ?1 AND series = ?3")?;
        for chunk in self.replaced {
            if give.execute(params![chunk, gone, target])? != 1 {
                return Err(StoreError::Misuse("two imports at once into one series"));
            }
        }
        connection
            .prepare_cached("UPDATE price_chunks SET series = ?2 WHERE series = ?1")?
            .execute([self.hidden, target])?;
        settle(connection, target, gaps, now_ms)?;
        Ok(self.merged)
    }
}

fn insert(
    connection: &Connection,
    source: &str,
    symbol: &str,
    interval: &str,
    has_volume: bool,
) -> Result<i64, StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO price_series (source, symbol, interval, has_volume) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![source, symbol, interval, has_volume])?;
    Ok(connection.last_insert_rowid())
}

fn directory(connection: &Connection, series: i64) -> Result<BTreeMap<i64, Chunk>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT id, first_ms, last_ms, bars FROM price_chunks WHERE series = ?1")?;
    let chunks = statement.query_map([series], |row| {
        let first = row.get(1)?;
        let chunk = Chunk {
            id: row.get(0)?,
            first,
            last: row.get(2)?,
            bars: counted(row, 3)?,
        };
        Ok((first, chunk))
    })?;
    Ok(chunks.collect::<Result<_, _>>()?)
}

/// A series that an import left behind, or that one on its way fills.
pub fn leftover(connection: &Connection) -> Result<Option<i64>, StoreError> {
    Ok(connection
        .prepare_cached(&format!(
            "SELECT id FROM price_series WHERE source IN ({HIDDEN}) LIMIT 1"
        ))?
        .query_row([], |row| row.get(0))
        .optional()?)
}

/// Removes some of what imports left behind; whether there may be more. Only while none is on its way.
pub fn sweep(connection: &Connection) -> Result<bool, StoreError> {
    let Some(left) = leftover(connection)? else {
        return Ok(false);
    };
    let chunks: Vec<i64> = connection
        .prepare_cached("SELECT id FROM price_chunks WHERE series = ?1 LIMIT ?2")?
        .query_map(params![left, super::count(SWEPT)], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for chunk in &chunks {
        delete_chunk(connection, *chunk)?;
    }
    if chunks.len() < SWEPT {
        connection
            .prepare_cached("DELETE FROM price_series WHERE id = ?1")?
            .execute([left])?;
    }
    Ok(true)
}
