//! Contents of files in verified chunks of 64 KiB, each content once.

use artel_domain::{FileId, RoomId};
use rusqlite::{Connection, OptionalExtension, params};

use crate::StoreError;

/// What is here of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    /// How many different chunks are here.
    pub chunks: u32,
    /// Whether the list of chunk hashes is here.
    pub list: bool,
}

fn find(connection: &Connection, file: &FileId) -> Result<Option<i64>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT key FROM files WHERE file = ?1")?
        .query_row([file.as_bytes()], |row| row.get(0))
        .optional()?)
}

fn key(connection: &Connection, file: &FileId) -> Result<i64, StoreError> {
    if let Some(key) = find(connection, file)? {
        return Ok(key);
    }
    connection
        .prepare_cached("INSERT INTO files (file) VALUES (?1)")?
        .execute([file.as_bytes()])?;
    Ok(connection.last_insert_rowid())
}

/// Hashes of a file's chunks, joined.
pub fn chunk_list(connection: &Connection, file: &FileId) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT list FROM files WHERE file = ?1 AND known = 1")?
        .query_row([file.as_bytes()], |row| row.get(0))
        .optional()?)
}

/// Keeps the list.
pub fn put_chunk_list(
    connection: &Connection,
    file: &FileId,
    size: u64,
    list: &[u8],
) -> Result<(), StoreError> {
    let size = i64::try_from(size).map_err(|_| StoreError::Misuse("a file over 2^63 bytes"))?;
    connection
        .prepare_cached(
            "INSERT INTO files (file, size, list, known) VALUES (?1, ?2, ?3, 1)
             ON CONFLICT (file) DO UPDATE SET
                 size = excluded.size, list = excluded.list, known = 1",
        )?
        .execute(params![file.as_bytes(), size, list])?;
    Ok(())
}

/// A chunk.
pub fn chunk(
    connection: &Connection,
    file: &FileId,
    index: u32,
) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(connection
        .prepare_cached(
            "SELECT data FROM chunks JOIN files ON files.key = chunks.file
             WHERE files.file = ?1 AND position = ?2",
        )?
        .query_row(params![file.as_bytes(), index], |row| row.get(0))
        .optional()?)
}

/// Keeps a verified chunk.
pub fn put_chunk(
    connection: &Connection,
    file: &FileId,
    index: u32,
    data: &[u8],
) -> Result<(), StoreError> {
    let key = key(connection, file)?;
    connection
        .prepare_cached("INSERT OR IGNORE INTO chunks (file, position, data) VALUES (?1, ?2, ?3)")?
        .execute(params![key, index, data])?;
    Ok(())
}

/// What is here of a file.
pub fn holding(connection: &Connection, file: &FileId) -> Result<Holding, StoreError> {
    let Some(key) = find(connection, file)? else {
        return Ok(Holding {
            chunks: 0,
            list: false,
        });
    };
    let chunks = connection
        .prepare_cached("SELECT count(*) FROM chunks WHERE file = ?1")?
        .query_row([key], |row| row.get(0))?;
    Ok(Holding {
        chunks,
        list: chunk_list(connection, file)?.is_some(),
    })
}

/// Whether what is here of a file was received or sent in a room.
pub fn is_file_of(
    connection: &Connection,
    file: &FileId,
    room: &RoomId,
) -> Result<bool, StoreError> {
    Ok(connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM file_rooms WHERE file = ?1 AND room = ?2)")?
        .query_row(params![file.as_bytes(), room.as_bytes()], |row| row.get(0))?)
}

/// Notes that what is here of a file was received or sent in a room.
pub fn put_file_of(
    connection: &Connection,
    file: &FileId,
    room: &RoomId,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO file_rooms (file, room) VALUES (?1, ?2)")?
        .execute(params![file.as_bytes(), room.as_bytes()])?;
    Ok(())
}

/// The first missing chunks at or after `from`, of a file that has `count`.
pub fn missing_chunks(
    connection: &Connection,
    file: &FileId,
    count: u32,
    from: u32,
    most: usize,
) -> Result<Vec<u32>, StoreError> {
    let mut missing = Vec::new();
    let mut next = from;
    if let Some(key) = find(connection, file)? {
        let mut statement = connection.prepare_cached(
            "SELECT position FROM chunks WHERE file = ?1 AND position >= ?2 ORDER BY position",
        )?;
        let mut rows = statement.query(params![key, from])?;
        while let Some(row) = rows.next()? {
            let here: u32 = row.get(0)?;
            while next < here.min(count) && missing.len() < most {
                missing.push(next);
                next += 1;
            }
            if missing.len() >= most {
                return Ok(missing);
            }
            next = here.saturating_add(1);
        }
    }
    while next < count && missing.len() < most {
        missing.push(next);
        next += 1;
    }
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;

    #[test]
    fn chunks_are_found_missing_and_kept_once() {
        let store = Store::open_for_tests();
        let file = FileId::from_bytes([7; 32]);
        store
            .write(move |tx| {
                for index in [0, 1, 3, 9] {
                    put_chunk(tx, &file, index, &[1, 2])?;
                    put_chunk(tx, &file, index, &[1, 2])?;
                }
                Ok(())
            })
            .unwrap();
        store
            .read(|c| {
                let missing = |from, most| missing_chunks(c, &file, 10, from, most).unwrap();
                assert_eq!(missing(0, 100), [2, 4, 5, 6, 7, 8]);
                assert_eq!(missing(4, 2), [4, 5]);
                assert_eq!(missing(0, 1), [2]);
                assert_eq!(missing(9, 9), [0_u32; 0]);
                let unknown = FileId::from_bytes([8; 32]);
                assert_eq!(missing_chunks(c, &unknown, 3, 1, 9)?, [1, 2]);
                assert_eq!(
                    holding(c, &file)?,
                    Holding {
                        chunks: 4,
                        list: false
                    }
                );
                Ok(())
            })
            .unwrap();
    }
}
