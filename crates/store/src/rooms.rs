//! Messages as they are shown: pages, unread counts, edits, attachments.
//!
//! Everything here is derived from records and bodies in the transaction that keeps those. The
//! order of a room is (lamport, id), and pages follow an index over exactly that.

use artel_domain::{Attachment, DeviceId, FileHash, FileId, MemberId, MessageId, RoomId, SpaceId};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{
    StoreError, deletions,
    feeds::{self, Feed},
};

/// A message to show for the first time.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent marks of one row, each shown by itself"
)]
pub struct NewMessage<'a> {
    /// Record.
    pub id: MessageId,
    /// Its feed.
    pub feed: Feed,
    /// Room that it is shown in; not that of its feed if it was sealed.
    pub room: RoomId,
    /// Place in the feed.
    pub sequence: u64,
    /// Position in the room.
    pub lamport: u64,
    /// Who wrote it.
    pub author: MemberId,
    /// Whether this member did.
    pub mine: bool,
    /// It came after newer ones.
    pub late: bool,
    /// Something that it builds on is missing.
    pub provisional: bool,
    /// What it says; none if its body was erased.
    pub content: Option<NewContent<'a>>,
    /// Its body was erased.
    pub erased: bool,
    /// Its author's clock, Unix milliseconds, if it is sealed to this device and cannot be opened.
    pub closed: Option<i64>,
}

/// What a message says.
pub struct NewContent<'a> {
    /// Author's clock, Unix milliseconds.
    pub at: i64,
    /// The text.
    pub text: &'a str,
    /// Message that it answers.
    pub reply_to: Option<MessageId>,
    /// The result as JSON; empty where there is none.
    pub result: &'a str,
    /// Its files, each with the position of the file that it shows in small, if it is a preview.
    pub attachments: Vec<(&'a Attachment, Option<u8>)>,
}

/// Messages that came last, among which the latest clock is looked for: one that was wrong once is forgotten.
const CAME_LAST: i64 = 200;

/// Whose clock a message shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// Unix milliseconds.
    pub at: i64,
    /// Space.
    pub space: SpaceId,
    /// Room.
    pub room: RoomId,
    /// Author.
    pub author: MemberId,
}

/// The latest clock in the messages of others among the 200 that came last.
pub fn latest_clock(connection: &Connection) -> Result<Option<Clock>, StoreError> {
    Ok(connection
        .prepare_cached(
            "SELECT messages.at_ms, places.space, places.room, messages.author
             FROM messages JOIN places ON places.key = messages.place
             WHERE messages.key > (SELECT coalesce(max(key), 0) FROM messages) - ?1
               AND NOT messages.mine
             ORDER BY messages.at_ms DESC LIMIT 1",
        )?
        .query_row([CAME_LAST], |row| {
            Ok(Clock {
                at: row.get(0)?,
                space: SpaceId::from_bytes(row.get(1)?),
                room: RoomId::from_bytes(row.get(2)?),
                author: MemberId::from_bytes(row.get(3)?),
            })
        })
        .optional()?)
}

/// A message as it is shown.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent marks of one row, each shown by itself"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    key: i64,
    feed: i64,
    sequence: i64,
    /// Whether it was sealed.
    pub sealed: bool,
    /// Record.
    pub id: MessageId,
    /// Space.
    pub space: SpaceId,
    /// Room.
    pub room: RoomId,
    /// Position in the room.
    pub lamport: u64,
    /// Who wrote it.
    pub author: MemberId,
    /// Author's clock, Unix milliseconds.
    pub at: i64,
    /// The text as edited last.
    pub text: String,
    /// Message that it answers.
    pub reply_to: Option<MessageId>,
    /// The result as JSON; empty where there is none.
    pub result: String,
    /// Whether it was edited.
    pub edited: bool,
    /// Whether it was deleted.
    pub deleted: bool,
    /// Whether it is sealed to this device and cannot be opened.
    pub closed: bool,
    /// Whether this member wrote it.
    pub mine: bool,
    /// It came after newer ones.
    pub late: bool,
    /// Something that it builds on is missing.
    pub provisional: bool,
    /// How many peers hold it, for this device's own.
    pub delivered: u32,
    /// Those peers, if it is sealed: others than its readers carry it as well.
    pub holders: Option<Vec<DeviceId>>,
    /// When its deletion is to be signed, Unix milliseconds, while that can be taken back.
    pub deleting_until: Option<i64>,
    /// Its files, previews among them.
    pub files: Vec<MessageFile>,
}

/// A file of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageFile {
    /// Position among the message's files.
    pub position: u8,
    /// Name as the author's machine had it.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
    /// Media type.
    pub media_type: String,
    /// BLAKE3 of the whole.
    pub hash: FileHash,
    /// What its chunks are.
    pub file: FileId,
    /// Position of the file that this one shows in small.
    pub preview_of: Option<u8>,
    /// Chunks that are here.
    pub chunks: u32,
}

/// What a room list shows of a room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Unread messages.
    pub unread: u32,
    /// Text of the last message that was not deleted, and its author's clock.
    pub last: Option<(String, i64)>,
}

/// Shows a message; of one that was shown ahead of its record, it is now known where it stands.
pub fn insert(connection: &Connection, message: &NewMessage<'_>) -> Result<(), StoreError> {
    let feed = feeds::feed(connection, &message.feed)?;
    let place = feeds::place(connection, &message.feed.space, &message.room)?;
    let added = connection
        .prepare_cached(
            "INSERT OR IGNORE INTO messages
                 (id, place, lamport, feed, sequence, author, mine, late, provisional, unread,
                  closed, at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            message.id.as_bytes(),
            place,
            signed(message.lamport)?,
            feed,
            signed(message.sequence)?,
            message.author.as_bytes(),
            message.mine,
            message.late,
            message.provisional,
            !message.mine && !message.erased,
            message.closed.is_some(),
            message.closed.unwrap_or_default()
        ])?;
    if added == 0 {
        // It was shown ahead of its record.
        connection
            .prepare_cached("UPDATE messages SET late = ?2, provisional = ?3 WHERE id = ?1")?
            .execute(params![
                message.id.as_bytes(),
                message.late,
                message.provisional
            ])?;
        if message.erased {
            erase(connection, &message.id)?;
        }
        return Ok(());
    }
    if let Some(content) = &message.content {
        fill(connection, &message.id, content)?;
    }
    if message.erased {
        erase(connection, &message.id)?;
    }
    revise(connection, &message.id)
}

/// Adds what a message says.
fn fill(
    connection: &Connection,
    id: &MessageId,
    content: &NewContent<'_>,
) -> Result<(), StoreError> {
    let Some(key) = key(connection, id)? else {
        return Ok(());
    };
    let reply_to = content
        .reply_to
        .as_ref()
        .map_or(&[][..], |id| id.as_bytes());
    connection
        .prepare_cached(
            "UPDATE messages SET at_ms = ?2, original = ?3, text = ?3, reply_to = ?4, result = ?5
             WHERE key = ?1 AND deleted = 0",
        )?
        .execute(params![
            key,
            content.at,
            content.text,
            reply_to,
            content.result
        ])?;
    let mut add = connection.prepare_cached(
        "INSERT OR IGNORE INTO attachments
             (message, position, name, size, media_type, hash, file, preview_of)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8
         WHERE EXISTS (SELECT 1 FROM messages WHERE key = ?1 AND deleted = 0)",
    )?;
    for (position, (attachment, preview_of)) in content.attachments.iter().enumerate() {
        let position = i64::try_from(position).unwrap_or(i64::MAX);
        add.execute(params![
            key,
            position,
            attachment.name,
            signed(attachment.size)?,
            attachment.media_type,
            attachment.hash.as_bytes(),
            attachment.file.as_bytes(),
            preview_of.map_or(-1, i64::from)
        ])?;
    }
    revise(connection, id)
}

/// Something that a message built on came: its position is sure now.
pub fn settle(connection: &Connection, id: &MessageId) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE messages SET provisional = 0 WHERE id = ?1")?
        .execute([id.as_bytes()])?;
    Ok(())
}

/// Takes a record out of the view: a message, or an edit or deletion. Gives the message that
/// changed by it, if that is another one.
pub fn withdraw(connection: &Connection, id: &MessageId) -> Result<Option<MessageId>, StoreError> {
    connection
        .prepare_cached("DELETE FROM messages WHERE id = ?1")?
        .execute([id.as_bytes()])?;
    let target: Option<[u8; 32]> = connection
        .prepare_cached("DELETE FROM revisions WHERE id = ?1 RETURNING target")?
        .query_row([id.as_bytes()], |row| row.get(0))
        .optional()?;
    let target = target.map(MessageId::from_bytes);
    if let Some(target) = &target {
        revise(connection, target)?;
    }
    Ok(target)
}

/// Forgets all that a message said.
pub fn erase(connection: &Connection, id: &MessageId) -> Result<(), StoreError> {
    let Some(key) = key(connection, id)? else {
        return Ok(());
    };
    connection
        .prepare_cached(
            "UPDATE messages SET original = '', text = '', reply_to = x'', result = '',
                 edited = 0, deleted = 1, unread = 0 WHERE key = ?1",
        )?
        .execute([key])?;
    connection
        .prepare_cached("DELETE FROM attachments WHERE message = ?1")?
        .execute([key])?;
    connection
        .prepare_cached("UPDATE revisions SET text = '' WHERE target = ?1")?
        .execute([id.as_bytes()])?;
    deletions::end(connection, id)?;
    Ok(())
}

/// An edit (with its text) or a deletion (without) of a message, which may not be here yet.
pub fn revision(
    connection: &Connection,
    id: &MessageId,
    lamport: u64,
    target: &MessageId,
    text: Option<&str>,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO revisions (id, target, lamport, deletes, text)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            id.as_bytes(),
            target.as_bytes(),
            signed(lamport)?,
            text.is_none(),
            text.unwrap_or_default()
        ])?;
    revise(connection, target)
}

/// Applies the edits and deletions of a message.
fn revise(connection: &Connection, id: &MessageId) -> Result<(), StoreError> {
    let deletes: bool = connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM revisions WHERE target = ?1 AND deletes = 1)",
        )?
        .query_row([id.as_bytes()], |row| row.get(0))?;
    if deletes {
        return erase(connection, id);
    }
    let edit: Option<String> = connection
        .prepare_cached(
            "SELECT text FROM revisions WHERE target = ?1 AND deletes = 0
             ORDER BY lamport DESC, id DESC LIMIT 1",
        )?
        .query_row([id.as_bytes()], |row| row.get(0))
        .optional()?;
    connection
        .prepare_cached(
            "UPDATE messages SET text = coalesce(?2, original), edited = ?2 IS NOT NULL
             WHERE id = ?1 AND deleted = 0",
        )?
        .execute(params![id.as_bytes(), edit])?;
    Ok(())
}

/// Marks everything up to a message as read. Returns whether anything was unread.
pub fn seen(connection: &Connection, id: &MessageId) -> Result<bool, StoreError> {
    let changed = connection
        .prepare_cached(
            "UPDATE messages SET unread = 0
             WHERE unread = 1
               AND place = (SELECT place FROM messages WHERE id = ?1)
               AND (lamport, id) <= (SELECT lamport, id FROM messages WHERE id = ?1)",
        )?
        .execute([id.as_bytes()])?;
    Ok(changed > 0)
}

/// What a room list shows.
pub fn summary(
    connection: &Connection,
    space: &SpaceId,
    room: &RoomId,
) -> Result<Summary, StoreError> {
    let Some(place) = feeds::find_place(connection, space, room)? else {
        return Ok(Summary::default());
    };
    let unread = connection
        .prepare_cached("SELECT count(*) FROM messages WHERE place = ?1 AND unread = 1")?
        .query_row([place], |row| row.get(0))?;
    let last = connection
        .prepare_cached(
            "SELECT text, result, at_ms FROM messages WHERE place = ?1 AND deleted = 0
             ORDER BY lamport DESC, id DESC LIMIT 1",
        )?
        .query_row([place], |row| {
            let (text, result): (String, String) = (row.get(0)?, row.get(1)?);
            Ok((if text.is_empty() { result } else { text }, row.get(2)?))
        })
        .optional()?;
    Ok(Summary { unread, last })
}

const MESSAGE: &str = "SELECT messages.key, messages.id, places.space, places.room,
        messages.lamport, messages.author, messages.at_ms, messages.text, messages.reply_to,
        messages.result, messages.edited, messages.deleted, messages.mine, messages.late,
        messages.provisional,
        CASE WHEN messages.mine THEN (SELECT count(*) FROM delivered
            WHERE delivered.feed = messages.feed AND delivered.through >= messages.sequence)
        ELSE 0 END,
        (SELECT due_ms FROM pending_deletions WHERE target = messages.id),
        messages.closed, messages.feed, messages.sequence,
        (SELECT feeds.place <> messages.place FROM feeds WHERE feeds.key = messages.feed)
    FROM messages JOIN places ON places.key = messages.place";

fn read_message(row: &Row<'_>) -> rusqlite::Result<Message> {
    let reply_to: Vec<u8> = row.get(8)?;
    Ok(Message {
        key: row.get(0)?,
        id: MessageId::from_bytes(row.get(1)?),
        space: SpaceId::from_bytes(row.get(2)?),
        room: RoomId::from_bytes(row.get(3)?),
        lamport: row.get(4)?,
        author: MemberId::from_bytes(row.get(5)?),
        at: row.get(6)?,
        text: row.get(7)?,
        reply_to: MessageId::try_from(reply_to.as_slice()).ok(),
        result: row.get(9)?,
        edited: row.get(10)?,
        deleted: row.get(11)?,
        mine: row.get(12)?,
        late: row.get(13)?,
        provisional: row.get(14)?,
        delivered: row.get(15)?,
        deleting_until: row.get(16)?,
        closed: row.get(17)?,
        feed: row.get(18)?,
        sequence: row.get(19)?,
        sealed: row.get(20)?,
        holders: None,
        files: Vec::new(),
    })
}

fn with_files(connection: &Connection, mut message: Message) -> Result<Message, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT attachments.position, name, attachments.size, media_type, hash, attachments.file,
                preview_of,
                (SELECT count(*) FROM chunks WHERE chunks.file = files.key)
         FROM attachments LEFT JOIN files ON files.file = attachments.file
         WHERE message = ?1 ORDER BY attachments.position",
    )?;
    let rows = statement.query_map([message.key], |row| {
        let preview_of: i64 = row.get(6)?;
        Ok(MessageFile {
            position: row.get(0)?,
            name: row.get(1)?,
            size: row.get(2)?,
            media_type: row.get(3)?,
            hash: FileHash::from_bytes(row.get(4)?),
            file: FileId::from_bytes(row.get(5)?),
            preview_of: u8::try_from(preview_of).ok(),
            chunks: row.get(7)?,
        })
    })?;
    message.files = rows.collect::<Result<_, _>>()?;
    if message.sealed && message.mine {
        let holders = feeds::holders_of(connection, message.feed, message.sequence)?;
        message.holders = Some(holders);
    }
    Ok(message)
}

/// A message.
pub fn message(connection: &Connection, id: &MessageId) -> Result<Option<Message>, StoreError> {
    connection
        .prepare_cached(&format!("{MESSAGE} WHERE messages.id = ?1"))?
        .query_row([id.as_bytes()], read_message)
        .optional()?
        .map(|message| with_files(connection, message))
        .transpose()
}

/// The last messages of a room, or the last before one of them; oldest first.
pub fn page(
    connection: &Connection,
    space: &SpaceId,
    room: &RoomId,
    before: Option<&MessageId>,
    most: u32,
) -> Result<Vec<Message>, StoreError> {
    let Some(place) = feeds::find_place(connection, space, room)? else {
        return Ok(Vec::new());
    };
    let position: (i64, Vec<u8>) = match before {
        None => (i64::MAX, vec![0xff; 32]),
        Some(id) => connection
            .prepare_cached("SELECT lamport, id FROM messages WHERE id = ?1 AND place = ?2")?
            .query_row(params![id.as_bytes(), place], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?
            .ok_or_else(|| StoreError::NotFound {
                what: "message in this room",
                name: id.to_string(),
            })?,
    };
    let mut statement = connection.prepare_cached(&format!(
        "{MESSAGE} WHERE messages.place = ?1 AND (messages.lamport, messages.id) < (?2, ?3)
         ORDER BY messages.lamport DESC, messages.id DESC LIMIT ?4"
    ))?;
    let rows = statement.query_map(params![place, position.0, position.1, most], read_message)?;
    let mut messages: Vec<Message> = rows.collect::<Result<_, _>>()?;
    messages.reverse();
    messages
        .into_iter()
        .map(|message| with_files(connection, message))
        .collect()
}

/// Messages that carry a file of this content: record and position, at most `most`.
pub fn carriers(
    connection: &Connection,
    file: &FileId,
    most: u32,
) -> Result<Vec<(MessageId, u8)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT messages.id, attachments.position FROM attachments
         JOIN messages ON messages.key = attachments.message
         WHERE attachments.file = ?1 ORDER BY attachments.key LIMIT ?2",
    )?;
    let rows = statement.query_map(params![file.as_bytes(), most], |row| {
        Ok((MessageId::from_bytes(row.get(0)?), row.get(1)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn key(connection: &Connection, id: &MessageId) -> Result<Option<i64>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT key FROM messages WHERE id = ?1")?
        .query_row([id.as_bytes()], |row| row.get(0))
        .optional()?)
}

fn signed(value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::Misuse("a number over 2^63"))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use artel_domain::Incarnation;

    use super::*;
    use crate::Store;

    fn feed_of(device: u8) -> Feed {
        Feed {
            space: SpaceId::from_bytes([1; 32]),
            room: RoomId::from_bytes([2; 32]),
            device: DeviceId::from_bytes([device; 32]),
            incarnation: Incarnation::from_bytes([4; 16]),
        }
    }

    fn id(n: u64) -> MessageId {
        MessageId::from_bytes(*blake3::hash(&n.to_le_bytes()).as_bytes())
    }

    fn show(connection: &Connection, n: u64, lamport: u64, text: &str, mine: bool) {
        let message = NewMessage {
            id: id(n),
            feed: feed_of(u8::from(mine)),
            room: feed_of(0).room,
            sequence: n,
            lamport,
            author: MemberId::from_bytes([5; 32]),
            mine,
            late: false,
            provisional: false,
            content: Some(NewContent {
                at: 0,
                text,
                reply_to: None,
                result: "",
                attachments: Vec::new(),
            }),
            erased: false,
            closed: None,
        };
        insert(connection, &message).unwrap();
    }

    fn texts(messages: &[Message]) -> Vec<&str> {
        messages.iter().map(|m| m.text.as_str()).collect()
    }

    /// A clock that was wrong once is looked at for a while, and then no more.
    #[test]
    fn the_latest_clock_is_that_of_what_came_last() {
        let store = Store::open_for_tests();
        store
            .write(|tx| {
                assert_eq!(latest_clock(tx)?, None);
                for n in 0..4 {
                    show(tx, n, n, "", n == 3);
                }
                tx.execute("UPDATE messages SET at_ms = 10 + key", [])?;
                let latest = Clock {
                    at: 13,
                    space: feed_of(0).space,
                    room: feed_of(0).room,
                    author: MemberId::from_bytes([5; 32]),
                };
                assert_eq!(latest_clock(tx)?, Some(latest), "one's own does not count");
                for n in 4..202 {
                    show(tx, n, n, "", false);
                }
                assert_eq!(latest_clock(tx)?, Some(latest));
                show(tx, 202, 202, "", false);
                assert_eq!(latest_clock(tx)?.map(|clock| clock.at), Some(0));
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn pages_edits_deletions_and_unread() {
        let store = Store::open_for_tests();
        store
            .write(|tx| {
                let (space, room) = (SpaceId::from_bytes([1; 32]), RoomId::from_bytes([2; 32]));
                // An edit may come before what it edits.
                revision(tx, &id(90), 7, &id(2), Some("второе, исправлено"))?;
                for n in 0..5 {
                    show(tx, n, n, &format!("{n}"), n == 4);
                }
                revision(tx, &id(91), 6, &id(2), Some("an older edit"))?;
                let all = page(tx, &space, &room, None, 100)?;
                assert_eq!(texts(&all), ["0", "1", "второе, исправлено", "3", "4"]);
                assert!(all[2].edited && !all[1].edited);
                let older = page(tx, &space, &room, Some(&id(3)), 2)?;
                assert_eq!(texts(&older), ["1", "второе, исправлено"]);
                assert!(page(tx, &space, &room, Some(&id(77)), 2).is_err());

                assert_eq!(summary(tx, &space, &room)?.unread, 4);
                assert!(seen(tx, &id(1))?);
                assert!(!seen(tx, &id(1))?);
                assert_eq!(summary(tx, &space, &room)?.unread, 2);

                assert_eq!(withdraw(tx, &id(90))?, Some(id(2)));
                assert_eq!(message(tx, &id(2))?.unwrap().text, "an older edit");
                assert_eq!(withdraw(tx, &id(91))?, Some(id(2)));
                assert_eq!(message(tx, &id(2))?.unwrap().text, "2");

                deletions::begin(tx, &id(4), 77)?;
                let going = message(tx, &id(4))?.unwrap();
                assert_eq!((going.deleting_until, going.deleted), (Some(77), false));
                revision(tx, &id(92), 9, &id(4), None)?;
                let gone = message(tx, &id(4))?.unwrap();
                assert!(gone.deleted && gone.text.is_empty());
                assert_eq!(gone.deleting_until, None);
                assert_eq!(summary(tx, &space, &room)?.last, Some(("3".into(), 0)));
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn a_closed_message_stands_where_it_is_shown() {
        let store = Store::open_for_tests();
        store
            .write(|tx| {
                let (space, talk) = (SpaceId::from_bytes([1; 32]), RoomId::from_bytes([7; 32]));
                let closed = NewMessage {
                    id: id(1),
                    feed: feed_of(1),
                    room: talk,
                    sequence: 1,
                    lamport: 1,
                    author: MemberId::from_bytes([5; 32]),
                    mine: false,
                    late: false,
                    provisional: false,
                    content: None,
                    erased: false,
                    closed: Some(77),
                };
                insert(tx, &closed)?;
                let shown = page(tx, &space, &talk, None, 9)?;
                let [message] = shown.as_slice() else {
                    panic!("one message");
                };
                assert!(message.closed && message.sealed && !message.deleted);
                assert_eq!((message.at, message.text.as_str()), (77, ""));
                assert_eq!(summary(tx, &space, &talk)?.unread, 1);
                assert!(page(tx, &space, &feed_of(1).room, None, 9)?.is_empty());
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn a_message_comes_back_when_its_deletion_is_taken_away() {
        let store = Store::open_for_tests();
        store
            .write(|tx| {
                let record = feeds::Record {
                    id: id(1),
                    feed: feed_of(0),
                    sequence: 1,
                    lamport: 1,
                    body: artel_domain::BodyHash::from_bytes([7; 32]),
                    envelope: vec![1],
                    change: vec![2],
                    standing: 0,
                    shown: true,
                    late: false,
                };
                let space = feed_of(0).space;
                feeds::put_record(tx, &record)?;
                feeds::put_body(tx, &id(1), b"body")?;
                show(tx, 1, 1, "back again", false);
                feeds::restore_wanted(tx, &id(1))?;
                assert_eq!(
                    feeds::body(tx, &id(1))?,
                    Some(feeds::Body::Here(b"body".to_vec()))
                );
                assert!(feeds::bodiless(tx, &space, false, None, None, 9)?.is_empty());

                feeds::erase_body(tx, &id(1))?;
                revision(tx, &id(9), 2, &id(1), None)?;
                assert!(message(tx, &id(1))?.unwrap().deleted);
                assert!(feeds::bodiless(tx, &space, false, None, None, 9)?.is_empty());

                assert_eq!(withdraw(tx, &id(9))?, Some(id(1)));
                feeds::restore_wanted(tx, &id(1))?;
                withdraw(tx, &id(1))?;
                assert_eq!(feeds::body(tx, &id(1))?, None);
                assert_eq!(feeds::bodiless(tx, &space, false, None, None, 9)?, [id(1)]);
                assert_eq!(message(tx, &id(1))?, None);

                feeds::put_body(tx, &id(1), b"body")?;
                show(tx, 1, 1, "back again", false);
                let back = message(tx, &id(1))?.unwrap();
                assert!(!back.deleted && back.text == "back again");
                assert!(feeds::bodiless(tx, &space, false, None, None, 9)?.is_empty());
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn what_is_withheld_is_asked_of_each_only_once() {
        let store = Store::open_for_tests();
        store
            .write(|tx| {
                let (space, room) = (feed_of(0).space, feed_of(0).room);
                for n in 1..=3 {
                    let record = feeds::Record {
                        id: id(n),
                        feed: feed_of(0),
                        sequence: n,
                        lamport: n,
                        body: artel_domain::BodyHash::from_bytes([7; 32]),
                        envelope: vec![1],
                        change: vec![2],
                        standing: 0,
                        shown: false,
                        late: false,
                    };
                    feeds::put_record(tx, &record)?;
                }
                let [one, two] = [1, 2].map(|n| MemberId::from_bytes([n; 32]));
                let wanted = |asked| feeds::bodiless(tx, &space, false, asked, None, 9);
                assert!(!feeds::is_withheld_in(tx, &space, &room)?);
                assert_eq!(feeds::put_withheld(tx, &id(1), &one)?, 1);
                assert_eq!(feeds::put_withheld(tx, &id(1), &one)?, 0, "said before");
                assert_eq!(feeds::put_withheld(tx, &id(9), &one)?, 0, "no such record");
                assert_eq!(wanted(Some(&one))?, [id(2), id(3)]);
                assert_eq!(wanted(Some(&two))?, [id(1), id(2), id(3)]);
                assert_eq!(wanted(None)?, [id(2), id(3)]);
                assert!(feeds::is_withheld_in(tx, &space, &room)?);
                assert!(feeds::is_withheld(tx, &id(1))? && !feeds::is_withheld(tx, &id(2))?);
                assert_eq!(feeds::put_withheld(tx, &id(1), &two)?, 2);
                feeds::settle_withheld(tx, &id(1))?;
                let three = MemberId::from_bytes([3; 32]);
                assert_eq!(wanted(Some(&three))?, [id(2), id(3)]);

                // What comes in spite is withheld no more.
                feeds::put_withheld(tx, &id(2), &one)?;
                feeds::put_body(tx, &id(2), b"body")?;
                assert!(!feeds::is_withheld(tx, &id(2))?);

                feeds::put_withheld(tx, &id(3), &one)?;
                feeds::put_reference(tx, &id(3), &id(2))?;
                assert_eq!(feeds::drop_withheld(tx, &space)?, [id(3)]);
                assert_eq!(wanted(None)?, [id(1), id(3)]);
                assert!(!feeds::is_withheld_in(tx, &space, &room)?);

                let plan: Vec<String> = tx
                    .prepare(
                        "EXPLAIN QUERY PLAN SELECT record FROM bodies_wanted
                         WHERE space = x'00' AND sealed = 0 AND withheld < 2 AND record > 7",
                    )?
                    .query_map([], |row| row.get(3))?
                    .collect::<Result<_, _>>()?;
                let plan = plan.join("\n");
                assert!(plan.contains("bodies_wanted_by_space (space=?"), "{plan}");
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn a_page_of_a_long_history_is_quick() {
        const MANY: u64 = 100_000;
        let store = Store::open_for_tests();
        store
            .write(|tx| {
                for n in 0..MANY {
                    show(tx, n, n, "text", false);
                }
                Ok(())
            })
            .unwrap();
        store
            .read(|c| {
                let (space, room) = (SpaceId::from_bytes([1; 32]), RoomId::from_bytes([2; 32]));
                let middle = id(MANY / 2);
                let start = Instant::now();
                let messages = page(c, &space, &room, Some(&middle), 100)?;
                assert_eq!(messages.len(), 100);
                assert_eq!(messages[99].lamport, MANY / 2 - 1);
                // A scan of the history takes several times as long on any machine that runs this.
                assert!(start.elapsed() < Duration::from_millis(50));
                let plan: Vec<String> = c
                    .prepare(&format!(
                        "EXPLAIN QUERY PLAN {MESSAGE} WHERE messages.place = 1
                         AND (messages.lamport, messages.id) < (1, x'00')
                         ORDER BY messages.lamport DESC, messages.id DESC LIMIT 9"
                    ))?
                    .query_map([], |row| row.get(3))?
                    .collect::<Result<_, _>>()?;
                let plan = plan.join("\n");
                assert!(
                    plan.contains("messages_by_place (place=? AND (lamport,id)<(?,?))"),
                    "{plan}"
                );
                assert!(!plan.contains("TEMP B-TREE"), "{plan}");
                Ok(())
            })
            .unwrap();
    }
}
