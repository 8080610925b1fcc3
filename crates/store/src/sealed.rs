//! What is sealed to single members: keys of bodies, prekeys, what is carried for others, reports.

use artel_domain::{
    DeviceId, MemberId, MessageId, PrekeySecret, RoomId, SpaceId, sealed::ContentKey,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::StoreError;

/// What is known of a sealed record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Where it is shown.
    pub room: RoomId,
    /// The key of its body; none if it cannot be opened any more, or was erased.
    pub key: Option<ContentKey>,
    /// Whether it was erased.
    pub erased: bool,
}

/// A sealed body that is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Space.
    pub space: SpaceId,
    /// Who wrote it.
    pub author: MemberId,
    /// Its size in bytes; 0 if it is not here.
    pub size: u64,
    /// From when on its time is counted, Unix milliseconds.
    pub since_ms: i64,
}

/// All that is carried of an author in a space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loads {
    /// Bytes of the bodies.
    pub bytes: u64,
    /// Records.
    pub records: u64,
    /// Those of them whose bodies are not here.
    pub awaited: u64,
}

/// A report of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Record of the report.
    pub id: MessageId,
    /// Space.
    pub space: SpaceId,
    /// Position.
    pub lamport: u64,
    /// Who reported.
    pub reporter: MemberId,
    /// Reporter's clock, Unix milliseconds.
    pub at: i64,
    /// Why.
    pub text: String,
    /// What was reported; none if that could not be verified.
    pub reported: Option<Reported>,
}

/// What was reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reported {
    /// The message.
    pub message: MessageId,
    /// Device that wrote it.
    pub device: DeviceId,
    /// Its room.
    pub room: RoomId,
    /// Its author's clock, Unix milliseconds.
    pub at: i64,
    /// What it said.
    pub said: String,
    /// What it was edited to, and by which device, if it was.
    pub edit: Option<(DeviceId, String)>,
    /// Names of its files, JSON.
    pub files: String,
}

fn number(value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::Misuse("a number over 2^63"))
}

/// What is known of a sealed record.
pub fn opening(connection: &Connection, record: &MessageId) -> Result<Option<Opening>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT room, key, erased FROM openings WHERE record = ?1")?
        .query_row([record.as_bytes()], |row| {
            let key: Vec<u8> = row.get(1)?;
            Ok(Opening {
                room: RoomId::from_bytes(row.get(0)?),
                key: key.try_into().ok().map(ContentKey::from_bytes),
                erased: row.get(2)?,
            })
        })
        .optional()?)
}

/// Keeps what is known of a sealed record.
pub fn put_opening(
    connection: &Connection,
    record: &MessageId,
    opening: &Opening,
) -> Result<(), StoreError> {
    let key = opening.key.as_ref();
    connection
        .prepare_cached(
            "INSERT INTO openings (record, room, key, erased) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (record) DO UPDATE SET
                 room = excluded.room, key = excluded.key, erased = excluded.erased",
        )?
        .execute(params![
            record.as_bytes(),
            opening.room.as_bytes(),
            key.map_or(&[][..], |key| key.as_bytes()),
            opening.erased
        ])?;
    Ok(())
}

/// Private halves of the prekeys with the times at which they were made, the newest first.
pub fn prekeys(connection: &Connection) -> Result<Vec<(PrekeySecret, i64)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT secret, made_at_ms FROM prekeys ORDER BY made_at_ms DESC, secret",
    )?;
    let rows = statement.query_map([], |row| {
        Ok((PrekeySecret::from_bytes(row.get(0)?), row.get(1)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Keeps a prekey.
pub fn put_prekey(
    connection: &Connection,
    secret: &PrekeySecret,
    made_at_ms: i64,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO prekeys (secret, made_at_ms) VALUES (?1, ?2)")?
        .execute(params![secret.as_bytes(), made_at_ms])?;
    Ok(())
}

/// Takes the prekeys made after this time as made at it.
pub fn restamp_prekeys(connection: &Connection, now_ms: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE prekeys SET made_at_ms = ?1 WHERE made_at_ms > ?1")?
        .execute([now_ms])?;
    Ok(())
}

/// Forgets the prekeys made at this time or before.
pub fn forget_prekeys(connection: &Connection, through_ms: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM prekeys WHERE made_at_ms <= ?1")?
        .execute([through_ms])?;
    Ok(())
}

/// Notes that a body is carried.
pub fn put_load(
    connection: &Connection,
    record: &MessageId,
    load: &Load,
) -> Result<(), StoreError> {
    remove_load(connection, record)?;
    count(connection, load, 1)?;
    connection
        .prepare_cached(
            "INSERT INTO loads (record, space, author, size, since_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            record.as_bytes(),
            load.space.as_bytes(),
            load.author.as_bytes(),
            number(load.size)?,
            load.since_ms
        ])?;
    Ok(())
}

const LOAD: &str = "SELECT record, space, author, size, since_ms FROM loads";

fn read_load(row: &Row<'_>) -> rusqlite::Result<(MessageId, Load)> {
    let load = Load {
        space: SpaceId::from_bytes(row.get(1)?),
        author: MemberId::from_bytes(row.get(2)?),
        size: row.get(3)?,
        since_ms: row.get(4)?,
    };
    Ok((MessageId::from_bytes(row.get(0)?), load))
}

/// What is noted of a body that is carried.
pub fn load(connection: &Connection, record: &MessageId) -> Result<Option<Load>, StoreError> {
    Ok(connection
        .prepare_cached(&format!("{LOAD} WHERE record = ?1"))?
        .query_row([record.as_bytes()], read_load)
        .optional()?
        .map(|(_, load)| load))
}

/// Notes that a body is carried no longer.
pub fn remove_load(connection: &Connection, record: &MessageId) -> Result<(), StoreError> {
    if let Some(load) = load(connection, record)? {
        count(connection, &load, -1)?;
    }
    connection
        .prepare_cached("DELETE FROM loads WHERE record = ?1")?
        .execute([record.as_bytes()])?;
    Ok(())
}

/// Counts a load in, or out again. A sum over all of an author's would be taken anew for each.
fn count(connection: &Connection, load: &Load, by: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO load_totals (space, author, bytes, records, awaited)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (space, author) DO UPDATE SET bytes = bytes + excluded.bytes,
                 records = records + excluded.records, awaited = awaited + excluded.awaited",
        )?
        .execute(params![
            load.space.as_bytes(),
            load.author.as_bytes(),
            by * number(load.size)?,
            by,
            if load.size == 0 { by } else { 0 }
        ])?;
    Ok(())
}

/// What is carried of an author in a space.
pub fn loads_of(
    connection: &Connection,
    space: &SpaceId,
    author: &MemberId,
) -> Result<Loads, StoreError> {
    let found = connection
        .prepare_cached(
            "SELECT bytes, records, awaited FROM load_totals WHERE space = ?1 AND author = ?2",
        )?
        .query_row([space.as_bytes(), author.as_bytes()], |row| {
            Ok(Loads {
                bytes: row.get(0)?,
                records: row.get(1)?,
                awaited: row.get(2)?,
            })
        })
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// What has been carried longest.
pub fn oldest_load(connection: &Connection) -> Result<Option<(MessageId, Load)>, StoreError> {
    Ok(connection
        .prepare_cached(&format!("{LOAD} ORDER BY since_ms LIMIT 1"))?
        .query_row([], read_load)
        .optional()?)
}

/// What has been carried longest of an author in a space: of all, or of what is not here.
pub fn oldest_load_of(
    connection: &Connection,
    space: &SpaceId,
    author: &MemberId,
    awaited: bool,
) -> Result<Option<MessageId>, StoreError> {
    let which = if awaited { "AND size = 0" } else { "" };
    Ok(connection
        .prepare_cached(&format!(
            "SELECT record FROM loads WHERE space = ?1 AND author = ?2 {which}
             ORDER BY since_ms LIMIT 1"
        ))?
        .query_row([space.as_bytes(), author.as_bytes()], |row| {
            Ok(MessageId::from_bytes(row.get(0)?))
        })
        .optional()?)
}

/// Reports of one member that are kept in a space: nobody fills the others' disks with them.
const MOST_REPORTS: u32 = 200;

/// Keeps a report; one that is here stays as it is. Returns whether it was kept now: not beyond the 200 of one member.
pub fn put_report(connection: &Connection, report: &Report) -> Result<bool, StoreError> {
    let so_far: u32 = connection
        .prepare_cached("SELECT count(*) FROM reports WHERE space = ?1 AND reporter = ?2")?
        .query_row(
            [report.space.as_bytes(), report.reporter.as_bytes()],
            |row| row.get(0),
        )?;
    if so_far >= MOST_REPORTS {
        return Ok(false);
    }
    let kept = connection
        .prepare_cached(
            "INSERT OR IGNORE INTO reports (id, space, lamport, reporter, at_ms, text, verified)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            report.id.as_bytes(),
            report.space.as_bytes(),
            number(report.lamport)?,
            report.reporter.as_bytes(),
            report.at,
            report.text,
            report.reported.is_some()
        ])?;
    if kept == 0 {
        return Ok(false);
    }
    if let Some(reported) = &report.reported {
        connection
            .prepare_cached(
                "UPDATE reports SET message = ?2, device = ?3, room = ?4, said_at_ms = ?5,
                     said = ?6, files = ?7 WHERE id = ?1",
            )?
            .execute(params![
                report.id.as_bytes(),
                reported.message.as_bytes(),
                reported.device.as_bytes(),
                reported.room.as_bytes(),
                reported.at,
                reported.said,
                reported.files
            ])?;
        if let Some((device, edit)) = &reported.edit {
            connection
                .prepare_cached("UPDATE reports SET edit_device = ?2, edit = ?3 WHERE id = ?1")?
                .execute(params![report.id.as_bytes(), device.as_bytes(), edit])?;
        }
    }
    Ok(true)
}

/// Forgets a report. Returns whether there was one.
pub fn remove_report(connection: &Connection, id: &MessageId) -> Result<bool, StoreError> {
    let removed = connection
        .prepare_cached("DELETE FROM reports WHERE id = ?1")?
        .execute([id.as_bytes()])?;
    Ok(removed > 0)
}

/// The last reports of a space, the oldest first; of one member only if given.
pub fn reports(
    connection: &Connection,
    space: &SpaceId,
    by: Option<&MemberId>,
    most: u32,
) -> Result<Vec<Report>, StoreError> {
    let whose = by.map_or("", |_| "AND reporter = ?3");
    let mut statement = connection.prepare_cached(&format!(
        "SELECT id, space, lamport, reporter, at_ms, text, verified, message, device, room,
                said_at_ms, said, edit_device, edit, files
         FROM reports WHERE space = ?1 {whose} ORDER BY lamport DESC, id DESC LIMIT ?2",
    ))?;
    let (space, most) = (space.as_bytes(), i64::from(most));
    let mut values: Vec<&dyn rusqlite::ToSql> = vec![space, &most];
    let by = by.map(MemberId::as_bytes);
    values.extend(by.iter().map(|by| by as &dyn rusqlite::ToSql));
    let rows = statement.query_map(values.as_slice(), |row| {
        let verified: bool = row.get(6)?;
        let editor: Vec<u8> = row.get(12)?;
        let edit: String = row.get(13)?;
        let editor = DeviceId::try_from(editor.as_slice()).ok();
        let reported = if verified {
            Some(Reported {
                message: MessageId::from_bytes(row.get(7)?),
                device: DeviceId::from_bytes(row.get(8)?),
                room: RoomId::from_bytes(row.get(9)?),
                at: row.get(10)?,
                said: row.get(11)?,
                edit: editor.map(|device| (device, edit)),
                files: row.get(14)?,
            })
        } else {
            None
        };
        Ok(Report {
            id: MessageId::from_bytes(row.get(0)?),
            space: SpaceId::from_bytes(row.get(1)?),
            lamport: row.get(2)?,
            reporter: MemberId::from_bytes(row.get(3)?),
            at: row.get(4)?,
            text: row.get(5)?,
            reported,
        })
    })?;
    let mut reports: Vec<Report> = rows.collect::<Result<_, _>>()?;
    reports.reverse();
    Ok(reports)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;

    #[test]
    fn openings_prekeys_loads_and_reports() {
        let store = Store::open_for_tests();
        let id = |n| MessageId::from_bytes([n; 32]);
        let (space, room) = (SpaceId::from_bytes([1; 32]), RoomId::from_bytes([2; 32]));
        let author = |n| MemberId::from_bytes([n; 32]);
        store
            .write(move |tx| {
                let open = Opening {
                    room,
                    key: Some(ContentKey::from_bytes([3; 32])),
                    erased: false,
                };
                let erased = Opening {
                    room,
                    key: None,
                    erased: true,
                };
                assert_eq!(opening(tx, &id(1))?, None);
                for opened in [open, erased] {
                    put_opening(tx, &id(1), &opened)?;
                    assert_eq!(opening(tx, &id(1))?, Some(opened));
                }

                let secret = |n| PrekeySecret::from_bytes([n; 32]);
                for (n, made_at) in [(1, 100), (2, 300), (3, 200)] {
                    put_prekey(tx, &secret(n), made_at)?;
                }
                forget_prekeys(tx, 100)?;
                assert_eq!(prekeys(tx)?, [(secret(2), 300), (secret(3), 200)]);
                restamp_prekeys(tx, 250)?;
                assert_eq!(prekeys(tx)?, [(secret(2), 250), (secret(3), 200)]);

                let carried = |author, size, since_ms| Load {
                    space,
                    author,
                    size,
                    since_ms,
                };
                put_load(tx, &id(1), &carried(author(1), 0, 50))?;
                put_load(tx, &id(1), &carried(author(1), 70, 40))?;
                put_load(tx, &id(2), &carried(author(1), 5, 60))?;
                put_load(tx, &id(3), &carried(author(2), 9, 10))?;
                let totals = |bytes, records, awaited| Loads {
                    bytes,
                    records,
                    awaited,
                };
                assert_eq!(loads_of(tx, &space, &author(1))?, totals(75, 2, 0));
                assert_eq!(loads_of(tx, &space, &author(9))?, Loads::default());
                put_load(tx, &id(4), &carried(author(1), 0, 70))?;
                assert_eq!(loads_of(tx, &space, &author(1))?, totals(75, 3, 1));
                let oldest = |awaited| oldest_load_of(tx, &space, &author(1), awaited);
                assert_eq!(oldest_load(tx)?.map(|(id, _)| id), Some(id(3)));
                assert_eq!((oldest(false)?, oldest(true)?), (Some(id(1)), Some(id(4))));
                remove_load(tx, &id(1))?;
                remove_load(tx, &id(4))?;
                assert_eq!((oldest(false)?, oldest(true)?), (Some(id(2)), None));
                assert_eq!(loads_of(tx, &space, &author(1))?, totals(5, 1, 0));
                assert_eq!(load(tx, &id(1))?, None);
                assert_eq!(load(tx, &id(2))?, Some(carried(author(1), 5, 60)));

                let report = |n, reported| Report {
                    id: id(n),
                    space,
                    lamport: u64::from(n),
                    reporter: author(4),
                    at: 5,
                    text: "чому".into(),
                    reported,
                };
                let reported = Reported {
                    message: id(9),
                    device: DeviceId::from_bytes([8; 32]),
                    room,
                    at: 4,
                    said: "rude".into(),
                    edit: Some((DeviceId::from_bytes([8; 32]), "ruder".into())),
                    files: "[]".into(),
                };
                assert!(put_report(tx, &report(2, None))?);
                assert!(put_report(tx, &report(1, Some(reported.clone())))?);
                assert!(!put_report(tx, &report(1, None))?, "it stays as it is");
                let both = [report(1, Some(reported)), report(2, None)];
                assert_eq!(reports(tx, &space, None, 9)?, both);
                assert_eq!(reports(tx, &space, None, 1)?.len(), 1);
                assert!(remove_report(tx, &id(1))? && !remove_report(tx, &id(1))?);
                // One who reports without end is heard so far, and in nobody's way.
                for n in 3..=255 {
                    put_report(tx, &report(n, None))?;
                }
                let mut other = report(1, None);
                other.reporter = author(5);
                assert!(put_report(tx, &other)?);
                let all = reports(tx, &space, None, 999)?;
                assert_eq!(all.len(), 201);
                assert_eq!(reports(tx, &space, Some(&author(5)), 1)?, [other]);
                assert_eq!(reports(tx, &space, Some(&author(4)), 999)?.len(), 200);
                Ok(())
            })
            .unwrap();
    }
}
