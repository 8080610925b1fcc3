//! One connection with the settings that every connection has.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

use crate::{StoreError, key::DatabaseKey};

/// How long a statement waits for another connection's lock. Only checkpoints and a second
/// process that ignores the profile's lock can make it wait.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Prepared statements that a connection keeps.
const STATEMENTS: usize = 128;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// The one that writes; creates the file.
    Write,
    /// One that only reads.
    Read,
}

/// Opens the database under its key.
///
/// `cipher_memory_security` stays off: it wipes every freed buffer of SQLite at a large cost, and
/// protects only against someone who can read this process's memory. `secure_delete` makes sure
/// that what was deleted, such as an erased message in the search index, is overwritten.
pub(crate) fn open(
    path: &Path,
    key: &DatabaseKey,
    access: Access,
) -> Result<Connection, StoreError> {
    let flags = match access {
        Access::Write => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
    };
    let prepare = || -> Result<Connection, StoreError> {
        let connection =
            Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        // Errors are returned, so the library need not print them as well.
        connection.execute_batch("PRAGMA cipher_log_level = NONE;")?;
        connection.execute_batch(&key.pragma())?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.execute_batch(
            "PRAGMA cipher_memory_security = OFF;
             PRAGMA temp_store = MEMORY;
             PRAGMA foreign_keys = ON;
             PRAGMA trusted_schema = OFF;",
        )?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        // The first statement that touches the file: a damaged one is found here.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        if access == Access::Write {
            connection.execute_batch(
                "PRAGMA journal_mode = WAL;
                 PRAGMA synchronous = FULL;
                 PRAGMA secure_delete = ON;
                 PRAGMA journal_size_limit = 67108864;",
            )?;
        }
        Ok(connection)
    };
    prepare().map_err(|error| error.at(path))
}
