//! The schema: numbered migrations, forward only.
//!
//! The database's `user_version` is the number of the last migration that it has. Each runs in a
//! transaction of its own. Where there is data already, a copy of the file is made first and kept
//! until the next migration has succeeded.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, TransactionBehavior};

use crate::{StoreError, files};

/// One step of the schema. A step that was released is never changed.
struct Migration {
    number: u32,
    sql: &'static str,
}

macro_rules! migrations {
    ($($number:literal $file:literal,)*) => {
        &[$(Migration { number: $number, sql: include_str!(concat!("../migrations/", $file)) }),*]
    };
}

/// All steps, in order. A new one is a file beside the others and a line here.
const MIGRATIONS: &[Migration] = migrations! {
    1 "0001_core.sql",
    2 "0002_rooms.sql",
    3 "0003_jobs.sql",
    4 "0004_market.sql",
    5 "0005_catalog.sql",
    6 "0006_restored.sql",
    7 "0007_pending_deletions.sql",
    8 "0008_messages_ahead.sql",
    9 "0009_file_rooms.sql",
    10 "0010_registers.sql",
    11 "0011_sealed.sql",
    12 "0012_carrying.sql",
    13 "0013_reports_by_reporter.sql",
    14 "0014_withheld.sql",
};

/// Version of the schema that this build writes.
pub const SCHEMA_VERSION: u32 = match MIGRATIONS.last() {
    Some(last) => last.number,
    None => 0,
};

/// Marks the file as Artel's (`Artl`).
const APPLICATION_ID: i32 = 0x4172_746c;

/// Reads the version of an open database, refusing one that is newer than this build.
pub(crate) fn version(connection: &Connection) -> Result<u32, StoreError> {
    let found: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > SCHEMA_VERSION {
        return Err(StoreError::NewerSchema {
            found,
            known: SCHEMA_VERSION,
        });
    }
    Ok(found)
}

/// Brings the database at `path` up to date.
pub(crate) fn run(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let found = version(connection)?;
    if found == SCHEMA_VERSION {
        return Ok(());
    }
    let copy = match found {
        0 => None,
        _ => Some(copy_before(connection, path, found)?),
    };
    apply(connection, found)?;
    if let Some(copy) = copy {
        remove_older_copies(path, &copy)?;
    }
    Ok(())
}

fn apply(connection: &mut Connection, found: u32) -> Result<(), StoreError> {
    for migration in MIGRATIONS.iter().filter(|step| step.number > found) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
        transaction.execute_batch(migration.sql)?;
        transaction.pragma_update(None, "user_version", migration.number)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.commit()?;
        tracing::info!(number = migration.number, "schema migrated");
    }
    Ok(())
}

/// Copies the file as it is, encrypted. Nobody else has it open: the profile's lock is held, and
/// readers start after the migration.
fn copy_before(connection: &Connection, path: &Path, found: u32) -> Result<PathBuf, StoreError> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    let copy = files::beside(path, &format!(".before-{:04}", found + 1));
    files::replace_with(&copy, |file| {
        std::io::copy(&mut std::fs::File::open(path)?, file).map(drop)
    })?;
    Ok(copy)
}

fn remove_older_copies(path: &Path, kept: &Path) -> Result<(), StoreError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(folder).map_err(|reason| StoreError::io(folder, reason))?;
    let prefix = files::beside(path, ".before-");
    let prefix = prefix
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    for entry in entries.flatten() {
        if entry.path() != kept && entry.file_name().to_string_lossy().starts_with(&prefix) {
            std::fs::remove_file(entry.path())
                .map_err(|reason| StoreError::io(&entry.path(), reason))?;
        }
    }
    Ok(())
}

/// A fresh database in memory, for tests of one module's SQL.
#[cfg(test)]
pub(crate) fn in_memory() -> Result<Connection, StoreError> {
    let mut connection = Connection::open_in_memory()?;
    apply(&mut connection, 0)?;
    Ok(connection)
}

/// The whole schema as SQL, as a fresh database has it: what `docs/schema.sql` holds.
pub fn schema_sql() -> Result<String, StoreError> {
    let mut connection = Connection::open_in_memory()?;
    apply(&mut connection, 0)?;
    let mut text = format!(
        "-- The schema of an Artel database, version {SCHEMA_VERSION}.\n\
         -- Generated from crates/store/migrations; ARTEL_BLESS=1 with the test `schema_document_is_current` rewrites it.\n"
    );
    // Tables in the order they were made, each followed by its indexes and triggers. The tables
    // that a full-text index makes for itself are not ours to document.
    let mut rows = connection.prepare(
        "SELECT s.sql FROM sqlite_schema AS s
         JOIN sqlite_schema AS t ON t.type IN ('table', 'view') AND t.name = s.tbl_name
         WHERE s.sql IS NOT NULL
           AND s.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
           AND s.tbl_name NOT IN (SELECT name FROM pragma_table_list WHERE type = 'shadow')
         ORDER BY t.rowid, s.rowid",
    )?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let sql: String = row.get(0)?;
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{sql};\n");
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
