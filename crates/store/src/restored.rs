//! What a restored or moved profile still owes its spaces.
//!
//! Its former device is to be ended in each of them, and, after a restore, messages are not shown before the deletions
//! made since the backup are known. Both wait for a member to be met, which may take days: so both are kept.

use artel_domain::{DeviceId, SpaceId};
use rusqlite::{Connection, OptionalExtension};

use crate::StoreError;

/// Notes the device that the profile has now as one to be ended in every space. Call it before
/// [`crate::identity::replace_device`].
pub fn retire_later(connection: &Connection) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO devices_to_retire (space, device)
             SELECT spaces.space, incarnations.device_public
             FROM spaces, identity JOIN incarnations USING (incarnation)",
        )?
        .execute([])?;
    Ok(())
}

/// Devices to be ended in a space.
pub fn to_retire(connection: &Connection, space: &SpaceId) -> Result<Vec<DeviceId>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT device FROM devices_to_retire WHERE space = ?1 ORDER BY device")?;
    let rows = statement.query_map([space.as_bytes()], |row| {
        Ok(DeviceId::from_bytes(row.get(0)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A device has ended in a space, or need not be ended there.
pub fn retired(
    connection: &Connection,
    space: &SpaceId,
    device: &DeviceId,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM devices_to_retire WHERE space = ?1 AND device = ?2")?
        .execute([space.as_bytes(), device.as_bytes()])?;
    Ok(())
}

/// Holds the messages of every space back. `backup_at_ms` is when the backup was made.
pub fn hold(connection: &Connection, backup_at_ms: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO held_spaces (space, backup_at_ms) SELECT space, ?1 FROM spaces WHERE true
             ON CONFLICT (space) DO UPDATE SET backup_at_ms = excluded.backup_at_ms",
        )?
        .execute([backup_at_ms])?;
    Ok(())
}

/// When the backup was made whose messages of a space are held back; none if they are shown.
pub fn held(connection: &Connection, space: &SpaceId) -> Result<Option<i64>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT backup_at_ms FROM held_spaces WHERE space = ?1")?
        .query_row([space.as_bytes()], |row| row.get(0))
        .optional()?)
}

/// Shows the messages of a space from now on. Returns whether they were held back.
pub fn show(connection: &Connection, space: &SpaceId) -> Result<bool, StoreError> {
    Ok(connection
        .prepare_cached("DELETE FROM held_spaces WHERE space = ?1")?
        .execute([space.as_bytes()])?
        > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{feeds, identity, migrate};

    fn beginning(n: u8, reason: identity::Reason) -> identity::Beginning<'static> {
        identity::Beginning {
            incarnation: [n; 16],
            device_public: [n; 32],
            machine_marker: b"here",
            at_ms: i64::from(n),
            reason,
        }
    }

    #[test]
    fn only_the_device_of_the_backup_is_to_end_and_each_space_by_itself() {
        let connection = migrate::in_memory().unwrap();
        let spaces = [1, 2].map(|n| SpaceId::from_bytes([n; 32]));
        for space in spaces {
            let genesis = Vec::new();
            feeds::put_space(&connection, &feeds::Space { space, genesis }).unwrap();
        }
        identity::create(
            &connection,
            &[9; 32],
            &[9; 32],
            &beginning(1, identity::Reason::Created),
        )
        .unwrap();
        // The clone goes on with the first key: it is not this profile's to end.
        let cloned = beginning(2, identity::Reason::Cloned);
        identity::replace_device(&connection, &[8; 32], &cloned).unwrap();
        retire_later(&connection).unwrap();
        hold(&connection, 7).unwrap();
        let restored = beginning(3, identity::Reason::Restored);
        identity::replace_device(&connection, &[7; 32], &restored).unwrap();

        let old = DeviceId::from_bytes([2; 32]);
        for space in &spaces {
            assert_eq!(to_retire(&connection, space).unwrap(), [old]);
            assert_eq!(held(&connection, space).unwrap(), Some(7));
        }
        retired(&connection, &spaces[0], &old).unwrap();
        assert!(show(&connection, &spaces[0]).unwrap());
        assert!(!show(&connection, &spaces[0]).unwrap());
        assert!(to_retire(&connection, &spaces[0]).unwrap().is_empty());
        assert_eq!(to_retire(&connection, &spaces[1]).unwrap(), [old]);
        assert_eq!(held(&connection, &spaces[0]).unwrap(), None);
        // A second backup of the same profile is of another time.
        hold(&connection, 8).unwrap();
        assert_eq!(held(&connection, &spaces[1]).unwrap(), Some(8));
    }
}
