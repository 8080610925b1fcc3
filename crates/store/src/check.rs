//! Looks for damage in an open profile.

use std::path::Path;

use rusqlite::Connection;

use crate::{Store, StoreError, files, header::Pair};

/// Databases up to this size, in bytes, are checked row by row; larger ones page by page.
const THOROUGH_UP_TO: u64 = 512 * 1024 * 1024;

/// Problems that are listed; after that many the state is clear.
const MOST_PROBLEMS: usize = 20;

/// What an examination of the database found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examination {
    /// What is wrong, a sentence each; empty when nothing is.
    pub problems: Vec<String>,
    /// Whether every row was checked against its indexes, or only the pages.
    pub thorough: bool,
}

/// Checks every page's authentication code, the structure, and references between tables. Runs on
/// a connection of its own beside readers and writers; reads the whole file.
pub fn database(store: &Store) -> Result<Examination, StoreError> {
    let connection = store.separate_reader()?;
    let thorough = std::fs::metadata(store.path()).map_or(0, |file| file.len()) <= THOROUGH_UP_TO;
    let mut problems = examine(&connection, thorough)?;
    if !problems.is_empty() {
        // A checkpoint may rewrite a page while its code is being computed; damage stays.
        problems = examine(&connection, thorough)?;
    }
    Ok(Examination { problems, thorough })
}

/// The checks on any open database of Artel.
pub(crate) fn examine(connection: &Connection, thorough: bool) -> Result<Vec<String>, StoreError> {
    let mut problems = column(connection, "PRAGMA cipher_integrity_check")?;
    let structure = if thorough {
        "PRAGMA integrity_check(20)"
    } else {
        "PRAGMA quick_check(20)"
    };
    match column(connection, structure) {
        Ok(found) => problems.extend(found.into_iter().filter(|line| line != "ok")),
        // A page that does not decrypt ends the check itself.
        Err(StoreError::Corrupt { reason, .. }) => problems.push(reason),
        Err(other) => return Err(other),
    }
    if problems.is_empty() {
        let mut statement = connection.prepare("PRAGMA foreign_key_check")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
            problems.push(format!(
                "a row of {table} refers to a missing row of {parent}"
            ));
            if problems.len() >= MOST_PROBLEMS {
                break;
            }
        }
    }
    problems.truncate(MOST_PROBLEMS);
    Ok(problems)
}

fn column(connection: &Connection, pragma: &str) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare(pragma)?;
    let mut rows = statement.query([])?;
    let mut lines = Vec::new();
    while let Some(row) = rows.next()? {
        lines.push(row.get(0)?);
        if lines.len() >= MOST_PROBLEMS {
            break;
        }
    }
    Ok(lines)
}

/// Rows of every table, by name; full-text and internal tables are left out.
pub fn row_counts(connection: &Connection) -> Result<Vec<(String, u64)>, StoreError> {
    let mut names = connection.prepare_cached(
        "SELECT name FROM pragma_table_list
         WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
         ORDER BY name",
    )?;
    let names: Vec<String> = names
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut counts = Vec::with_capacity(names.len());
    for name in names {
        let quoted = name.replace('"', "\"\"");
        let rows =
            connection.query_row(&format!("SELECT count(*) FROM \"{quoted}\""), [], |row| {
                row.get(0)
            })?;
        counts.push((name, rows));
    }
    Ok(counts)
}

/// What is wrong with the two copies of a profile's header; empty when they are whole and equal.
pub fn header(profile_folder: &Path) -> Vec<String> {
    Pair::read(profile_folder).flaws()
}

/// Bytes in the write-ahead log, which holds what is committed but not yet in the database file.
pub fn log_bytes(store: &Store) -> u64 {
    std::fs::metadata(files::beside(store.path(), "-wal")).map_or(0, |file| file.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{connection::DATABASE, key::DatabaseKey, settings};

    #[test]
    fn damage_is_found_wherever_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let key = DatabaseKey::random().unwrap();
        let store = Store::open(folder.path(), &key, None).unwrap();
        store
            .write(|tx| {
                for n in 0..2_000 {
                    settings::set(tx, &format!("key {n}"), &"value".repeat(20))?;
                }
                Ok(())
            })
            .unwrap();
        assert_eq!(database(&store).unwrap().problems, Vec::<String>::new());
        drop(store);

        let path = folder.path().join(DATABASE);
        let good = std::fs::read(&path).unwrap();
        for at in [4096 * 3 + 7, good.len() / 2, good.len() - 5] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&path, bad).unwrap();
            let store = Store::open(folder.path(), &key, None).unwrap();
            assert!(
                !database(&store).unwrap().problems.is_empty(),
                "byte {at} went unnoticed"
            );
        }
    }

    #[test]
    fn a_dangling_reference_is_found() {
        let store = Store::open_for_tests();
        store
            .write(|tx| {
                tx.execute_batch(
                    "CREATE TABLE parent (id INTEGER PRIMARY KEY) STRICT;
                     CREATE TABLE child (parent INTEGER NOT NULL REFERENCES parent (id)) STRICT;
                     INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1);",
                )?;
                Ok(())
            })
            .unwrap();
        let loose =
            crate::connection::open(store.path(), store.key(), crate::connection::Access::Write)
                .unwrap();
        loose
            .execute_batch("PRAGMA foreign_keys = OFF; DELETE FROM parent;")
            .unwrap();
        let found = database(&store).unwrap();
        assert_eq!(
            found.problems,
            ["a row of child refers to a missing row of parent"]
        );
    }
}
