//! Registers: signed values that replace one another. Of each place the latest is here, as it was signed.

use artel_domain::{DeviceId, RoomId, SpaceId, register::Subject};
use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    StoreError,
    feeds::{find_place, place},
};

/// The place of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Space.
    pub space: SpaceId,
    /// Room.
    pub room: RoomId,
    /// Device.
    pub device: DeviceId,
    /// Number of its topic.
    pub topic: u16,
    /// What of the topic it is about.
    pub subject: Subject,
}

/// All of a space, in their wire forms.
pub fn all(connection: &Connection, space: &SpaceId) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT wire FROM registers JOIN places ON places.key = registers.place
         WHERE places.space = ?1",
    )?;
    let rows = statement.query_map([space.as_bytes()], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The one at a place.
pub fn get(connection: &Connection, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(place) = find_place(connection, &key.space, &key.room)? else {
        return Ok(None);
    };
    Ok(connection
        .prepare_cached(
            "SELECT wire FROM registers
             WHERE place = ?1 AND device = ?2 AND topic = ?3 AND subject = ?4",
        )?
        .query_row(
            params![place, key.device.as_bytes(), key.topic, key.subject],
            |row| row.get(0),
        )
        .optional()?)
}

/// Keeps one in place of the one that was there.
pub fn put(connection: &Connection, key: &Key, wire: &[u8]) -> Result<(), StoreError> {
    let place = place(connection, &key.space, &key.room)?;
    connection
        .prepare_cached(
            "INSERT INTO registers (place, device, topic, subject, wire) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (place, device, topic, subject) DO UPDATE SET wire = excluded.wire",
        )?
        .execute(params![
            place,
            key.device.as_bytes(),
            key.topic,
            key.subject,
            wire
        ])?;
    Ok(())
}

/// Forgets the one at a place.
pub fn remove(connection: &Connection, key: &Key) -> Result<(), StoreError> {
    let Some(place) = find_place(connection, &key.space, &key.room)? else {
        return Ok(());
    };
    connection
        .prepare_cached(
            "DELETE FROM registers
             WHERE place = ?1 AND device = ?2 AND topic = ?3 AND subject = ?4",
        )?
        .execute(params![
            place,
            key.device.as_bytes(),
            key.topic,
            key.subject
        ])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrate::in_memory;

    #[test]
    fn of_each_place_the_last_is_kept() {
        let connection = in_memory().unwrap();
        let space = SpaceId::from_bytes([1; 32]);
        let key = Key {
            space,
            room: RoomId::from_bytes([2; 32]),
            device: DeviceId::from_bytes([3; 32]),
            topic: 2,
            subject: [4; 32],
        };
        let other = Key { topic: 1, ..key };
        assert_eq!(get(&connection, &key).unwrap(), None);
        remove(&connection, &key).unwrap();
        for wire in [b"one", b"two"] {
            put(&connection, &key, wire).unwrap();
        }
        put(&connection, &other, b"three").unwrap();
        assert_eq!(get(&connection, &key).unwrap().unwrap(), b"two");
        assert_eq!(all(&connection, &space).unwrap().len(), 2);
        let elsewhere = SpaceId::from_bytes([9; 32]);
        assert!(all(&connection, &elsewhere).unwrap().is_empty());
        remove(&connection, &key).unwrap();
        assert_eq!(all(&connection, &space).unwrap(), [b"three"]);
    }
}
