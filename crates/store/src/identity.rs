//! The secrets of this installation: the member's key, this device's key, the incarnation.
//!
//! They lie inside the encrypted database. A backup keeps the member's key and never the
//! device's: a restored profile is a new device with a new incarnation, so that two machines can
//! never write the same feed.

use rusqlite::{Connection, OptionalExtension, params};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::StoreError;

/// Who this installation is.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Identity {
    /// Secret (seed) of the member's Ed25519 key: the person.
    pub member_secret: [u8; 32],
    /// Secret (seed) of the device's Ed25519 key: the installation. Absent right after a restore.
    pub device_secret: Option<[u8; 32]>,
    /// This run of the feeds; also the automerge actor.
    pub incarnation: [u8; 16],
    /// What the machine looked like when the incarnation began; another value means that the
    /// profile was moved or cloned.
    pub machine_marker: Vec<u8>,
}

/// Why an incarnation began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The profile was made.
    Created,
    /// The profile was restored from a backup.
    Restored,
    /// The machine is another one.
    Moved,
    /// A peer holds more of the feed than this machine does.
    Conflict,
    /// Another installation runs with the same device key.
    Cloned,
}

impl Reason {
    fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Restored => "restored",
            Self::Moved => "moved",
            Self::Conflict => "conflict",
            Self::Cloned => "cloned",
        }
    }
}

/// Where an incarnation begins.
pub struct Beginning<'a> {
    /// 16 random bytes.
    pub incarnation: [u8; 16],
    /// Public part of the device key that writes its feeds.
    pub device_public: [u8; 32],
    /// What the machine looks like.
    pub machine_marker: &'a [u8],
    /// Unix milliseconds.
    pub at_ms: i64,
    /// Why.
    pub reason: Reason,
}

/// The identity, once there is one.
pub fn get(connection: &Connection) -> Result<Option<Identity>, StoreError> {
    Ok(connection
        .prepare_cached(
            "SELECT member_secret, device_secret, incarnation, machine_marker FROM identity WHERE id = 1",
        )?
        .query_row([], |row| {
            let device: Vec<u8> = row.get(1)?;
            Ok(Identity {
                member_secret: row.get(0)?,
                device_secret: device.try_into().ok(),
                incarnation: row.get(2)?,
                machine_marker: row.get(3)?,
            })
        })
        .optional()?)
}

/// Writes the identity of a new profile. Fails where there is one.
pub fn create(
    connection: &Connection,
    member_secret: &[u8; 32],
    device_secret: &[u8; 32],
    beginning: &Beginning<'_>,
) -> Result<(), StoreError> {
    insert_incarnation(connection, beginning)?;
    connection
        .prepare_cached(
            "INSERT INTO identity (id, member_secret, device_secret, incarnation, machine_marker)
             VALUES (1, ?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            member_secret,
            device_secret,
            beginning.incarnation,
            beginning.machine_marker
        ])?;
    Ok(())
}

/// Makes this installation a new device with a new incarnation: after a restore or a move, or when
/// the device key was seen elsewhere.
pub fn replace_device(
    connection: &Connection,
    device_secret: &[u8; 32],
    beginning: &Beginning<'_>,
) -> Result<(), StoreError> {
    insert_incarnation(connection, beginning)?;
    let changed = connection
        .prepare_cached(
            "UPDATE identity SET device_secret = ?1, incarnation = ?2, machine_marker = ?3 WHERE id = 1",
        )?
        .execute(params![
            device_secret,
            beginning.incarnation,
            beginning.machine_marker
        ])?;
    require_one(changed)
}

/// Keeps what tells this machine from others, where nothing was known of it.
pub fn mark(connection: &Connection, machine_marker: &[u8]) -> Result<(), StoreError> {
    let changed = connection
        .prepare_cached("UPDATE identity SET machine_marker = ?1 WHERE id = 1")?
        .execute([machine_marker])?;
    require_one(changed)
}

/// Starts a new incarnation of the same device.
pub fn start_incarnation(
    connection: &Connection,
    beginning: &Beginning<'_>,
) -> Result<(), StoreError> {
    insert_incarnation(connection, beginning)?;
    let changed = connection
        .prepare_cached("UPDATE identity SET incarnation = ?1, machine_marker = ?2 WHERE id = 1")?
        .execute(params![beginning.incarnation, beginning.machine_marker])?;
    require_one(changed)
}

/// An incarnation and the public part of the device key that writes its feeds.
pub type Writer = ([u8; 16], [u8; 32]);

/// Every incarnation this profile had, with the device that wrote it, oldest first.
pub fn incarnations(connection: &Connection) -> Result<Vec<Writer>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT incarnation, device_public FROM incarnations ORDER BY started_at_ms, incarnation",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Takes out what must not be in a backup.
pub(crate) fn strip_device(connection: &Connection) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE identity SET device_secret = x'', machine_marker = x''",
        [],
    )?;
    connection.execute("DELETE FROM prekeys", [])?;
    Ok(())
}

fn insert_incarnation(
    connection: &Connection,
    beginning: &Beginning<'_>,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO incarnations (incarnation, device_public, started_at_ms, reason)
             VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            beginning.incarnation,
            beginning.device_public,
            beginning.at_ms,
            beginning.reason.word()
        ])?;
    Ok(())
}

fn require_one(changed: usize) -> Result<(), StoreError> {
    match changed {
        1 => Ok(()),
        _ => Err(StoreError::Corrupt {
            path: None,
            reason: "the profile has no identity".to_owned(),
        }),
    }
}
