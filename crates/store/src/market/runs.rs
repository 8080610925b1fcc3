//! Indicator runs that left files.

use rusqlite::{Connection, OptionalExtension, params};

use super::{count, counted};
use crate::StoreError;

/// A finished run.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// When it ended, Unix milliseconds.
    pub at_ms: i64,
    /// The first symbols, parted by commas, and how many more.
    pub symbols: String,
    /// Functions computed for each.
    pub functions: u32,
    /// Bars in all.
    pub bars: u64,
    /// Seconds it took.
    pub seconds: f64,
    /// `cpu`, `gpu: ADAPTER`, or both.
    pub backend: String,
    /// Files it left.
    pub files: Vec<RunFile>,
}

/// A file of a run, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFile {
    /// Where.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// BLAKE3 of the content.
    pub hash: [u8; 32],
}

/// Keeps a run. Returns its id.
pub fn add_run(connection: &Connection, run: &Run) -> Result<i64, StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO indicator_runs (at_ms, symbols, functions, bars, seconds, backend)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            run.at_ms,
            run.symbols,
            run.functions,
            count(run.bars),
            run.seconds,
            run.backend
        ])?;
    let id = connection.last_insert_rowid();
    for (position, file) in run.files.iter().enumerate() {
        connection
            .prepare_cached(
                "INSERT INTO indicator_run_files (run, position, path, size, hash) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![id, count(position), file.path, count(file.size), file.hash])?;
    }
    Ok(id)
}

/// A run by id.
pub fn run(connection: &Connection, id: i64) -> Result<Option<Run>, StoreError> {
    let found = connection
        .prepare_cached(
            "SELECT at_ms, symbols, functions, bars, seconds, backend FROM indicator_runs WHERE id = ?1",
        )?
        .query_row([id], |row| {
            Ok(Run {
                at_ms: row.get(0)?,
                symbols: row.get(1)?,
                functions: row.get(2)?,
                bars: counted(row, 3)?,
                seconds: row.get(4)?,
                backend: row.get(5)?,
                files: Vec::new(),
            })
        })
        .optional()?;
    let Some(mut run) = found else {
        return Ok(None);
    };
    let mut statement = connection.prepare_cached(
        "SELECT path, size, hash FROM indicator_run_files WHERE run = ?1 ORDER BY position",
    )?;
    let files = statement.query_map([id], |row| {
        Ok(RunFile {
            path: row.get(0)?,
            size: counted(row, 1)?,
            hash: row.get(2)?,
        })
    })?;
    run.files = files.collect::<Result<_, _>>()?;
    Ok(Some(run))
}
