//! Deletions that can still be taken back. Each waits for its time and is then signed; what it erases stays until then.

use artel_domain::MessageId;
use rusqlite::{Connection, OptionalExtension, params};

use crate::StoreError;

/// Begins a deletion that is to be signed at `due_ms`; gives when it is due. One that waits already keeps its time.
pub fn begin(connection: &Connection, target: &MessageId, due_ms: i64) -> Result<i64, StoreError> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO pending_deletions (target, due_ms) VALUES (?1, ?2)")?
        .execute(params![target.as_bytes(), due_ms])?;
    Ok(connection
        .prepare_cached("SELECT due_ms FROM pending_deletions WHERE target = ?1")?
        .query_row([target.as_bytes()], |row| row.get(0))?)
}

/// Takes a deletion back, or ends its waiting. Returns whether there was one.
pub fn end(connection: &Connection, target: &MessageId) -> Result<bool, StoreError> {
    let ended = connection
        .prepare_cached("DELETE FROM pending_deletions WHERE target = ?1")?
        .execute([target.as_bytes()])?;
    Ok(ended > 0)
}

/// Takes all back: what waited when a backup was made was signed or taken back since.
pub fn end_all(connection: &Connection) -> Result<(), StoreError> {
    connection.execute("DELETE FROM pending_deletions", [])?;
    Ok(())
}

/// What is due at `now_ms`, the earliest first.
pub fn due(connection: &Connection, now_ms: i64) -> Result<Vec<MessageId>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT target FROM pending_deletions WHERE due_ms <= ?1 ORDER BY due_ms, target",
    )?;
    let rows = statement.query_map([now_ms], |row| Ok(MessageId::from_bytes(row.get(0)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// When the next one is due.
pub fn next_due(connection: &Connection) -> Result<Option<i64>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT due_ms FROM pending_deletions ORDER BY due_ms LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?)
}

/// Lets none wait beyond `latest_ms`: where the clock was set back, a deletion would wait for as long again.
pub fn hasten(connection: &Connection, latest_ms: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE pending_deletions SET due_ms = ?1 WHERE due_ms > ?1")?
        .execute([latest_ms])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;

    #[test]
    fn they_wait_are_taken_back_and_come_due() {
        let store = Store::open_for_tests();
        let id = |n| MessageId::from_bytes([n; 32]);
        store
            .write(move |tx| {
                assert_eq!(next_due(tx)?, None);
                assert_eq!(begin(tx, &id(1), 300)?, 300);
                assert_eq!(begin(tx, &id(1), 900)?, 300, "asked for again");
                begin(tx, &id(2), 200)?;
                begin(tx, &id(3), 100)?;
                assert_eq!((next_due(tx)?, due(tx, 99)?), (Some(100), vec![]));
                assert_eq!(due(tx, 200)?, [id(3), id(2)]);
                assert!(end(tx, &id(3))? && !end(tx, &id(3))?);
                hasten(tx, 250)?;
                assert_eq!(due(tx, 250)?, [id(2), id(1)]);
                end_all(tx)?;
                assert_eq!(next_due(tx)?, None);
                Ok(())
            })
            .unwrap();
    }
}
