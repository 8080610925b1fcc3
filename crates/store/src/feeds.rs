//! Signed records and what belongs to them: spaces, feeds, heads, bodies, deliveries.
//!
//! These tables are the truth of a room; everything that is shown can be made from them again.
//! Ids are those of `artel_domain`; standings and wire forms are kept as the sync core gives them.

use artel_domain::{
    BodyHash, ChangeHash, DeviceId, Incarnation, InviteId, MemberId, MessageId, RoomId, SpaceId,
    SpaceSecret,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::StoreError;

/// Which feed: what one incarnation of one device writes in one room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feed {
    /// Space.
    pub space: SpaceId,
    /// Room.
    pub room: RoomId,
    /// Device.
    pub device: DeviceId,
    /// Its incarnation.
    pub incarnation: Incarnation,
}

/// A space.
pub struct Space {
    /// The space.
    pub space: SpaceId,
    /// Signed founding.
    pub genesis: Vec<u8>,
}

/// A join under way.
pub struct Join {
    /// The invite.
    pub invite: InviteId,
    /// Its code.
    pub code: String,
    /// Name of the joiner.
    pub name: String,
    /// Signed founding, once known.
    pub genesis: Option<Vec<u8>>,
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Hash of the envelope.
    pub id: MessageId,
    /// Its feed.
    pub feed: Feed,
    /// Place in the feed, from 1.
    pub sequence: u64,
    /// Position in the room.
    pub lamport: u64,
    /// Hash of the body.
    pub body: BodyHash,
    /// Signed envelope.
    pub envelope: Vec<u8>,
    /// The automerge change; empty once its term was sealed.
    pub change: Vec<u8>,
    /// 0 settled, 1 provisional, 2 void.
    pub standing: u8,
    /// Whether the application was told of it.
    pub shown: bool,
    /// Whether it came after newer ones.
    pub late: bool,
}

/// The end of a feed or of a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Feed.
    pub feed: Feed,
    /// Place of the last record.
    pub sequence: u64,
    /// The last record.
    pub id: MessageId,
    /// Its position.
    pub lamport: u64,
    /// Hash of its change.
    pub change: ChangeHash,
    /// Its standing.
    pub standing: u8,
}

/// A body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Its bytes.
    Here(Vec<u8>),
    /// Gone, and refused when it comes again.
    Erased,
}

/// Numbers of the protocol are far below 2^63; one that is not would be a fault, and is refused.
fn number(value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::Misuse("a number over 2^63"))
}

fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// All spaces.
pub fn spaces(connection: &Connection) -> Result<Vec<Space>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT space, genesis FROM spaces ORDER BY space")?;
    let rows = statement.query_map([], |row| {
        Ok(Space {
            space: SpaceId::from_bytes(row.get(0)?),
            genesis: row.get(1)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Adds or replaces a space.
pub fn put_space(connection: &Connection, space: &Space) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO spaces (space, genesis) VALUES (?1, ?2)
             ON CONFLICT (space) DO UPDATE SET genesis = excluded.genesis",
        )?
        .execute(params![space.space.as_bytes(), space.genesis])?;
    Ok(())
}

/// Secrets of a space's epochs, by the entries that began them.
pub fn epoch_secrets(
    connection: &Connection,
    space: &SpaceId,
) -> Result<Vec<(MessageId, SpaceSecret)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT epoch, secret FROM epoch_secrets WHERE space = ?1 ORDER BY epoch",
    )?;
    let rows = statement.query_map([space.as_bytes()], |row| {
        Ok((
            MessageId::from_bytes(row.get(0)?),
            SpaceSecret::from_bytes(row.get(1)?),
        ))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Keeps the secret of an epoch.
pub fn put_epoch_secret(
    connection: &Connection,
    space: &SpaceId,
    epoch: &MessageId,
    secret: &SpaceSecret,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO epoch_secrets (space, epoch, secret) VALUES (?1, ?2, ?3)
             ON CONFLICT (space, epoch) DO UPDATE SET secret = excluded.secret",
        )?
        .execute(params![
            space.as_bytes(),
            epoch.as_bytes(),
            secret.as_bytes()
        ])?;
    Ok(())
}

/// All joins under way.
pub fn joins(connection: &Connection) -> Result<Vec<Join>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT invite, code, name, genesis FROM joins ORDER BY invite")?;
    let rows = statement.query_map([], |row| {
        let genesis: Vec<u8> = row.get(3)?;
        Ok(Join {
            invite: InviteId::from_bytes(row.get(0)?),
            code: row.get(1)?,
            name: row.get(2)?,
            genesis: (!genesis.is_empty()).then_some(genesis),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Adds or replaces a join.
pub fn put_join(connection: &Connection, join: &Join) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO joins (invite, code, name, genesis) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (invite) DO UPDATE SET
                 code = excluded.code, name = excluded.name, genesis = excluded.genesis",
        )?
        .execute(params![
            join.invite.as_bytes(),
            join.code,
            join.name,
            join.genesis.as_deref().unwrap_or_default()
        ])?;
    Ok(())
}

/// Ends a join.
pub fn remove_join(connection: &Connection, invite: &InviteId) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM joins WHERE invite = ?1")?
        .execute([invite.as_bytes()])?;
    Ok(())
}

/// Short key of a room, if anything of it was ever kept.
pub fn find_place(
    connection: &Connection,
    space: &SpaceId,
    room: &RoomId,
) -> Result<Option<i64>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT key FROM places WHERE space = ?1 AND room = ?2")?
        .query_row([space.as_bytes(), room.as_bytes()], |row| row.get(0))
        .optional()?)
}

/// Short key of a room; made when there is none.
pub fn place(connection: &Connection, space: &SpaceId, room: &RoomId) -> Result<i64, StoreError> {
    if let Some(key) = find_place(connection, space, room)? {
        return Ok(key);
    }
    connection
        .prepare_cached("INSERT INTO places (space, room) VALUES (?1, ?2)")?
        .execute([space.as_bytes(), room.as_bytes()])?;
    Ok(connection.last_insert_rowid())
}

/// Short key of a feed, if anything of it was ever kept.
pub fn find_feed(connection: &Connection, feed: &Feed) -> Result<Option<i64>, StoreError> {
    Ok(connection
        .prepare_cached(
            "SELECT feeds.key FROM feeds JOIN places ON places.key = feeds.place
             WHERE places.space = ?1 AND places.room = ?2 AND device = ?3 AND incarnation = ?4",
        )?
        .query_row(
            params![
                feed.space.as_bytes(),
                feed.room.as_bytes(),
                feed.device.as_bytes(),
                feed.incarnation.as_bytes()
            ],
            |row| row.get(0),
        )
        .optional()?)
}

/// Short key of a feed; made when there is none.
pub fn feed(connection: &Connection, feed: &Feed) -> Result<i64, StoreError> {
    if let Some(key) = find_feed(connection, feed)? {
        return Ok(key);
    }
    let place = place(connection, &feed.space, &feed.room)?;
    connection
        .prepare_cached("INSERT INTO feeds (place, device, incarnation) VALUES (?1, ?2, ?3)")?
        .execute(params![
            place,
            feed.device.as_bytes(),
            feed.incarnation.as_bytes()
        ])?;
    Ok(connection.last_insert_rowid())
}

/// Adds a record. Its body is wanted unless it is here or erased.
pub fn put_record(connection: &Connection, record: &Record) -> Result<(), StoreError> {
    let feed = feed(connection, &record.feed)?;
    let place = place(connection, &record.feed.space, &record.feed.room)?;
    connection
        .prepare_cached(
            "INSERT INTO records
                 (id, feed, place, sequence, lamport, body, envelope, change, standing, shown, late)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            record.id.as_bytes(),
            feed,
            place,
            number(record.sequence)?,
            number(record.lamport)?,
            record.body.as_bytes(),
            record.envelope,
            record.change,
            record.standing,
            record.shown,
            record.late
        ])?;
    connection
        .prepare_cached(
            "INSERT INTO bodies_wanted (record, space, sealed)
             SELECT ?1, ?2, ?4 WHERE NOT EXISTS (SELECT 1 FROM bodies WHERE record = ?3)",
        )?
        .execute(params![
            connection.last_insert_rowid(),
            record.feed.space.as_bytes(),
            record.id.as_bytes(),
            record.feed.room == record.feed.space.direct_room()
        ])?;
    Ok(())
}

const RECORD: &str =
    "SELECT records.id, places.space, places.room, feeds.device, feeds.incarnation,
        records.sequence, records.lamport, records.body, records.envelope, records.change,
        records.standing, records.shown, records.late
    FROM records JOIN feeds ON feeds.key = records.feed JOIN places ON places.key = feeds.place";

fn read_feed(row: &Row<'_>, at: usize) -> rusqlite::Result<Feed> {
    Ok(Feed {
        space: SpaceId::from_bytes(row.get(at)?),
        room: RoomId::from_bytes(row.get(at + 1)?),
        device: DeviceId::from_bytes(row.get(at + 2)?),
        incarnation: Incarnation::from_bytes(row.get(at + 3)?),
    })
}

fn read_record(row: &Row<'_>) -> rusqlite::Result<Record> {
    Ok(Record {
        id: MessageId::from_bytes(row.get(0)?),
        feed: read_feed(row, 1)?,
        sequence: row.get(5)?,
        lamport: row.get(6)?,
        body: BodyHash::from_bytes(row.get(7)?),
        envelope: row.get(8)?,
        change: row.get(9)?,
        standing: row.get(10)?,
        shown: row.get(11)?,
        late: row.get(12)?,
    })
}

/// A record.
pub fn record(connection: &Connection, id: &MessageId) -> Result<Option<Record>, StoreError> {
    Ok(connection
        .prepare_cached(&format!("{RECORD} WHERE records.id = ?1"))?
        .query_row([id.as_bytes()], read_record)
        .optional()?)
}

/// Updates what may change of a record.
pub fn update_record(
    connection: &Connection,
    id: &MessageId,
    standing: u8,
    shown: bool,
    late: bool,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE records SET standing = ?2, shown = ?3, late = ?4 WHERE id = ?1")?
        .execute(params![id.as_bytes(), standing, shown, late])?;
    Ok(())
}

/// Records of a feed from a place on, in its order.
pub fn feed_records(
    connection: &Connection,
    feed: &Feed,
    from: u64,
    most: usize,
) -> Result<Vec<Record>, StoreError> {
    let Some(feed) = find_feed(connection, feed)? else {
        return Ok(Vec::new());
    };
    let mut statement = connection.prepare_cached(&format!(
        "{RECORD} WHERE records.feed = ?1 AND records.sequence >= ?2
         ORDER BY records.sequence, records.id LIMIT ?3"
    ))?;
    let rows = statement.query_map(params![feed, number(from)?, limit(most)], read_record)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Records of a room after a position, in the room's order.
pub fn room_records(
    connection: &Connection,
    space: &SpaceId,
    room: &RoomId,
    after: Option<(u64, MessageId)>,
    most: usize,
) -> Result<Vec<Record>, StoreError> {
    let Some(place) = find_place(connection, space, room)? else {
        return Ok(Vec::new());
    };
    let (lamport, id) = match &after {
        Some((lamport, id)) => (number(*lamport)?, id.as_bytes().as_slice()),
        None => (-1, [].as_slice()),
    };
    let mut statement = connection.prepare_cached(&format!(
        "{RECORD} WHERE records.place = ?1 AND (records.lamport, records.id) > (?2, ?3)
         ORDER BY records.lamport, records.id LIMIT ?4"
    ))?;
    let rows = statement.query_map(params![place, lamport, id, limit(most)], read_record)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The latest shown records of a room, the last first.
pub fn latest(
    connection: &Connection,
    space: &SpaceId,
    room: &RoomId,
    most: usize,
) -> Result<Vec<Record>, StoreError> {
    let Some(place) = find_place(connection, space, room)? else {
        return Ok(Vec::new());
    };
    let mut statement = connection.prepare_cached(&format!(
        "{RECORD} WHERE records.place = ?1 AND records.shown = 1
         ORDER BY records.lamport DESC, records.id DESC LIMIT ?2"
    ))?;
    let rows = statement.query_map(params![place, limit(most)], read_record)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Messages of a space that are shown ahead of their records, with their rooms.
pub fn ahead(
    connection: &Connection,
    space: &SpaceId,
) -> Result<Vec<(MessageId, RoomId)>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT message, room FROM messages_ahead WHERE space = ?1")?;
    let rows = statement.query_map([space.as_bytes()], |row| {
        Ok((
            MessageId::from_bytes(row.get(0)?),
            RoomId::from_bytes(row.get(1)?),
        ))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Notes that a message is shown ahead of its record.
pub fn put_ahead(
    connection: &Connection,
    space: &SpaceId,
    room: &RoomId,
    message: &MessageId,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO messages_ahead (message, space, room) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![
            message.as_bytes(),
            space.as_bytes(),
            room.as_bytes()
        ])?;
    Ok(())
}

/// A message is not shown ahead of its record any longer.
pub fn drop_ahead(connection: &Connection, message: &MessageId) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM messages_ahead WHERE message = ?1")?
        .execute([message.as_bytes()])?;
    Ok(())
}

/// The ends of all feeds of a space.
pub fn heads(connection: &Connection, space: &SpaceId) -> Result<Vec<Head>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT places.space, places.room, feeds.device, feeds.incarnation,
                heads.sequence, heads.id, heads.lamport, heads.change, heads.standing
         FROM places JOIN feeds ON feeds.place = places.key JOIN heads ON heads.feed = feeds.key
         WHERE places.space = ?1",
    )?;
    let rows = statement.query_map([space.as_bytes()], |row| {
        Ok(Head {
            feed: read_feed(row, 0)?,
            sequence: row.get(4)?,
            id: MessageId::from_bytes(row.get(5)?),
            lamport: row.get(6)?,
            change: ChangeHash::from_bytes(row.get(7)?),
            standing: row.get(8)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Puts a head where another was.
pub fn replace_head(
    connection: &Connection,
    old: Option<&MessageId>,
    new: &Head,
) -> Result<(), StoreError> {
    if let Some(old) = old {
        connection
            .prepare_cached("DELETE FROM heads WHERE id = ?1")?
            .execute([old.as_bytes()])?;
    }
    let feed = feed(connection, &new.feed)?;
    connection
        .prepare_cached(
            "INSERT INTO heads (id, feed, sequence, lamport, change, standing)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (id) DO UPDATE SET standing = excluded.standing",
        )?
        .execute(params![
            new.id.as_bytes(),
            feed,
            number(new.sequence)?,
            number(new.lamport)?,
            new.change.as_bytes(),
            new.standing
        ])?;
    Ok(())
}

/// Keeps the compact document of a full term and drops the changes that it holds.
pub fn seal_term(
    connection: &Connection,
    last: &MessageId,
    records: &[MessageId],
    document: &[u8],
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO terms (last, document) VALUES (?1, ?2)
             ON CONFLICT (last) DO UPDATE SET document = excluded.document",
        )?
        .execute(params![last.as_bytes(), document])?;
    let mut empty = connection.prepare_cached("UPDATE records SET change = x'' WHERE id = ?1")?;
    for id in records {
        empty.execute([id.as_bytes()])?;
    }
    Ok(())
}

/// The compact document of a sealed term.
pub fn sealed_term(
    connection: &Connection,
    last: &MessageId,
) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT document FROM terms WHERE last = ?1")?
        .query_row([last.as_bytes()], |row| row.get(0))
        .optional()?)
}

/// Notes that a record waits for a parent.
pub fn put_wait(
    connection: &Connection,
    parent: &MessageId,
    child: &MessageId,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO waits (parent, child) VALUES (?1, ?2)")?
        .execute([parent.as_bytes(), child.as_bytes()])?;
    Ok(())
}

/// Who waits for a parent; the notes are removed.
pub fn take_waits(
    connection: &Connection,
    parent: &MessageId,
) -> Result<Vec<MessageId>, StoreError> {
    let mut statement =
        connection.prepare_cached("DELETE FROM waits WHERE parent = ?1 RETURNING child")?;
    let rows = statement.query_map([parent.as_bytes()], |row| {
        Ok(MessageId::from_bytes(row.get(0)?))
    })?;
    let mut children: Vec<MessageId> = rows.collect::<Result<_, _>>()?;
    children.sort_unstable();
    Ok(children)
}

/// The first record by id, after this one or of all, that is not here while a record of the space, or of this room of it,
/// waits for it.
pub fn awaited(
    connection: &Connection,
    space: &SpaceId,
    room: Option<&RoomId>,
    after: Option<&MessageId>,
) -> Result<Option<MessageId>, StoreError> {
    Ok(connection
        .prepare_cached(
            "SELECT waits.parent FROM waits
             JOIN records ON records.id = waits.child
             JOIN feeds ON feeds.key = records.feed
             JOIN places ON places.key = feeds.place
             WHERE waits.parent > coalesce(?2, x'') AND places.space = ?1
               AND places.room = coalesce(?3, places.room)
               AND NOT EXISTS (SELECT 1 FROM records AS here WHERE here.id = waits.parent)
             ORDER BY waits.parent LIMIT 1",
        )?
        .query_row(
            params![
                space.as_bytes(),
                after.map(MessageId::as_bytes),
                room.map(RoomId::as_bytes)
            ],
            |row| Ok(MessageId::from_bytes(row.get(0)?)),
        )
        .optional()?)
}

/// The body of a record.
pub fn body(connection: &Connection, record: &MessageId) -> Result<Option<Body>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT wire, erased FROM bodies WHERE record = ?1")?
        .query_row([record.as_bytes()], |row| {
            Ok(if row.get(1)? {
                Body::Erased
            } else {
                Body::Here(row.get(0)?)
            })
        })
        .optional()?)
}

/// Keeps the body of a record, unless it was erased.
pub fn put_body(
    connection: &Connection,
    record: &MessageId,
    wire: &[u8],
) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO bodies (record, wire) VALUES (?1, ?2)")?
        .execute(params![record.as_bytes(), wire])?;
    no_more_wanted(connection, record)
}

/// Erases the body of a record.
pub fn erase_body(connection: &Connection, record: &MessageId) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO bodies (record, erased) VALUES (?1, 1)
             ON CONFLICT (record) DO UPDATE SET wire = x'', erased = 1",
        )?
        .execute([record.as_bytes()])?;
    no_more_wanted(connection, record)
}

/// Lifts the erasure of a body: it is wanted again, if its record is here.
pub fn restore_wanted(connection: &Connection, record: &MessageId) -> Result<(), StoreError> {
    let lifted = connection
        .prepare_cached("DELETE FROM bodies WHERE record = ?1 AND erased = 1")?
        .execute([record.as_bytes()])?;
    if lifted > 0 {
        connection
            .prepare_cached(
                "INSERT OR IGNORE INTO bodies_wanted (record, space)
                 SELECT records.key, places.space
                 FROM records JOIN places ON places.key = records.place WHERE records.id = ?1",
            )?
            .execute([record.as_bytes()])?;
    }
    Ok(())
}

fn no_more_wanted(connection: &Connection, record: &MessageId) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "DELETE FROM bodies_wanted WHERE record = (SELECT key FROM records WHERE id = ?1)",
        )?
        .execute([record.as_bytes()])?;
    Ok(())
}

/// Records of a space whose bodies are neither here nor erased, those of the direct room or all others, in the order of
/// their coming, after one of them or from the first. Left out are those that are settled as withheld, and those of which
/// `asked` said so; or, if that is none, of which anyone did.
pub fn bodiless(
    connection: &Connection,
    space: &SpaceId,
    sealed: bool,
    asked: Option<&MemberId>,
    after: Option<&MessageId>,
    most: usize,
) -> Result<Vec<MessageId>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT records.id FROM bodies_wanted JOIN records ON records.key = bodies_wanted.record
         WHERE bodies_wanted.space = ?1 AND bodies_wanted.sealed = ?4
           AND bodies_wanted.withheld < 2
           AND (bodies_wanted.withheld = 0 OR ?5 IS NOT NULL AND NOT EXISTS (
               SELECT 1 FROM bodies_withheld
               WHERE bodies_withheld.record = bodies_wanted.record AND bodies_withheld.member = ?5))
           AND bodies_wanted.record > coalesce((SELECT key FROM records WHERE id = ?2), 0)
         ORDER BY bodies_wanted.record LIMIT ?3",
    )?;
    let after = after.map(MessageId::as_bytes);
    let asked = asked.map(MemberId::as_bytes);
    let wanted = params![space.as_bytes(), after, limit(most), sealed, asked];
    let rows = statement.query_map(wanted, |row| Ok(MessageId::from_bytes(row.get(0)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Notes that a member says that a missing body is withheld, and gives how many have said so; 0 if it is not missing, or
/// this member said so before. Forgotten when the body comes or is erased.
pub fn put_withheld(
    connection: &Connection,
    record: &MessageId,
    by: &MemberId,
) -> Result<usize, StoreError> {
    let new = connection
        .prepare_cached(
            "INSERT OR IGNORE INTO bodies_withheld (record, member, place)
             SELECT records.key, ?2, records.place FROM records
             JOIN bodies_wanted ON bodies_wanted.record = records.key WHERE records.id = ?1",
        )?
        .execute([record.as_bytes(), by.as_bytes()])?;
    if new == 0 {
        return Ok(0);
    }
    connection
        .prepare_cached(
            "UPDATE bodies_wanted SET withheld = max(withheld, 1)
             WHERE record = (SELECT key FROM records WHERE id = ?1)",
        )?
        .execute([record.as_bytes()])?;
    Ok(connection
        .prepare_cached(
            "SELECT count(*) FROM bodies_withheld
             WHERE record = (SELECT key FROM records WHERE id = ?1)",
        )?
        .query_row([record.as_bytes()], |row| row.get(0))?)
}

/// Notes that enough have said so.
pub fn settle_withheld(connection: &Connection, record: &MessageId) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE bodies_wanted SET withheld = 2
             WHERE record = (SELECT key FROM records WHERE id = ?1)",
        )?
        .execute([record.as_bytes()])?;
    Ok(())
}

/// Whether anyone has said so of a missing body.
pub fn is_withheld(connection: &Connection, record: &MessageId) -> Result<bool, StoreError> {
    Ok(connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM bodies_wanted JOIN records
                 ON records.key = bodies_wanted.record
                 WHERE records.id = ?1 AND bodies_wanted.withheld > 0)",
        )?
        .query_row([record.as_bytes()], |row| row.get(0))?)
}

/// Whether anything of a room is withheld.
pub fn is_withheld_in(
    connection: &Connection,
    space: &SpaceId,
    room: &RoomId,
) -> Result<bool, StoreError> {
    let Some(place) = find_place(connection, space, room)? else {
        return Ok(false);
    };
    Ok(connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM bodies_withheld WHERE place = ?1)")?
        .query_row([place], |row| row.get(0))?)
}

/// Forgets what was said of the bodies of a space; gives those of the records that others edit or delete.
pub fn drop_withheld(
    connection: &Connection,
    space: &SpaceId,
) -> Result<Vec<MessageId>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT records.id FROM places
         JOIN bodies_withheld ON bodies_withheld.place = places.key
         JOIN records ON records.key = bodies_withheld.record
         JOIN record_references ON record_references.target = records.id
         WHERE places.space = ?1 ORDER BY records.id",
    )?;
    let rows = statement.query_map([space.as_bytes()], |row| {
        Ok(MessageId::from_bytes(row.get(0)?))
    })?;
    let referred = rows.collect::<Result<_, _>>()?;
    connection
        .prepare_cached(
            "UPDATE bodies_wanted SET withheld = 0 WHERE record IN (
                 SELECT bodies_withheld.record FROM places
                 JOIN bodies_withheld ON bodies_withheld.place = places.key
                 WHERE places.space = ?1)",
        )?
        .execute([space.as_bytes()])?;
    connection
        .prepare_cached(
            "DELETE FROM bodies_withheld WHERE place IN (SELECT key FROM places WHERE space = ?1)",
        )?
        .execute([space.as_bytes()])?;
    Ok(referred)
}

/// Notes that a record edits or deletes another.
pub fn put_reference(
    connection: &Connection,
    target: &MessageId,
    record: &MessageId,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO record_references (target, record) VALUES (?1, ?2)")?
        .execute([target.as_bytes(), record.as_bytes()])?;
    Ok(())
}

/// Records that edit or delete another, ascending.
pub fn references(
    connection: &Connection,
    target: &MessageId,
) -> Result<Vec<MessageId>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT record FROM record_references WHERE target = ?1 ORDER BY record")?;
    let rows = statement.query_map([target.as_bytes()], |row| {
        Ok(MessageId::from_bytes(row.get(0)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What a record edits or deletes, ascending.
pub fn targets(connection: &Connection, record: &MessageId) -> Result<Vec<MessageId>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT target FROM record_references WHERE record = ?1 ORDER BY target")?;
    let rows = statement.query_map([record.as_bytes()], |row| {
        Ok(MessageId::from_bytes(row.get(0)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Up to where a peer holds a feed of this device.
pub fn delivered(connection: &Connection, feed: &Feed, peer: &DeviceId) -> Result<u64, StoreError> {
    let Some(feed) = find_feed(connection, feed)? else {
        return Ok(0);
    };
    Ok(connection
        .prepare_cached("SELECT through FROM delivered WHERE feed = ?1 AND peer = ?2")?
        .query_row(params![feed, peer.as_bytes()], |row| row.get(0))
        .optional()?
        .unwrap_or(0))
}

/// Notes up to where.
pub fn set_delivered(
    connection: &Connection,
    feed_id: &Feed,
    peer: &DeviceId,
    through: u64,
) -> Result<(), StoreError> {
    let feed = feed(connection, feed_id)?;
    connection
        .prepare_cached(
            "INSERT INTO delivered (feed, peer, through) VALUES (?1, ?2, ?3)
             ON CONFLICT (feed, peer) DO UPDATE SET through = excluded.through",
        )?
        .execute(params![feed, peer.as_bytes(), number(through)?])?;
    Ok(())
}

/// Peers that hold a record of this device.
pub fn holders(
    connection: &Connection,
    feed: &Feed,
    sequence: u64,
) -> Result<Vec<DeviceId>, StoreError> {
    let Some(feed) = find_feed(connection, feed)? else {
        return Ok(Vec::new());
    };
    holders_of(connection, feed, number(sequence)?)
}

pub(crate) fn holders_of(
    connection: &Connection,
    feed: i64,
    sequence: i64,
) -> Result<Vec<DeviceId>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT peer FROM delivered WHERE feed = ?1 AND through >= ?2")?;
    let rows = statement.query_map([feed, sequence], |row| {
        Ok(DeviceId::from_bytes(row.get(0)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
