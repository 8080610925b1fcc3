//! Addresses of peers: those reached before and those typed by the user.

use rusqlite::{Connection, params};

use crate::StoreError;

/// Addresses that are kept; the least useful ones go first.
pub const MOST: usize = 256;

/// Longest address in bytes; a longer one is no address.
pub const MAX_LEN: usize = 256;

/// A remembered address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The multiaddr.
    pub address: String,
    /// Public part of the device key last seen there, if any.
    pub device_public: Option<[u8; 32]>,
    /// When it was last reached, Unix milliseconds; 0 for never.
    pub last_reached_ms: i64,
    /// Failed tries since.
    pub failures: u32,
    /// Whether the user typed it.
    pub typed: bool,
}

/// Remembers that a peer was reached. An overlong address is not kept.
pub fn reached(
    connection: &Connection,
    address: &str,
    device_public: &[u8; 32],
    at_ms: i64,
) -> Result<(), StoreError> {
    if address.len() > MAX_LEN {
        return Ok(());
    }
    connection
        .prepare_cached(
            "INSERT INTO addresses (address, device_public, last_reached_ms) VALUES (?1, ?2, ?3)
             ON CONFLICT (address) DO UPDATE SET
                 device_public = excluded.device_public,
                 last_reached_ms = excluded.last_reached_ms,
                 failures = 0",
        )?
        .execute(params![address, device_public, at_ms])?;
    trim(connection)
}

/// Remembers an address that the user typed. An overlong address is not kept.
pub fn typed(connection: &Connection, address: &str) -> Result<(), StoreError> {
    if address.len() > MAX_LEN {
        return Ok(());
    }
    connection
        .prepare_cached(
            "INSERT INTO addresses (address, typed) VALUES (?1, 1)
             ON CONFLICT (address) DO UPDATE SET typed = 1, failures = 0",
        )?
        .execute([address])?;
    trim(connection)
}

/// Notes a failed try, so that other addresses are tried first.
pub fn failed(connection: &Connection, address: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE addresses SET failures = failures + 1 WHERE address = ?1")?
        .execute([address])?;
    Ok(())
}

/// The addresses worth trying, best first.
pub fn best(connection: &Connection, limit: usize) -> Result<Vec<Address>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(
        "SELECT address, device_public, last_reached_ms, failures, typed FROM addresses
         ORDER BY failures, typed DESC, last_reached_ms DESC, address LIMIT ?1",
    )?;
    let rows = statement.query_map([limit], |row| {
        let device: Vec<u8> = row.get(1)?;
        Ok(Address {
            address: row.get(0)?,
            device_public: device.try_into().ok(),
            last_reached_ms: row.get(2)?,
            failures: row.get(3)?,
            typed: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn trim(connection: &Connection) -> Result<(), StoreError> {
    let most = i64::try_from(MOST).unwrap_or(i64::MAX);
    connection
        .prepare_cached(
            "DELETE FROM addresses WHERE address IN (
                 SELECT address FROM addresses
                 ORDER BY typed DESC, last_reached_ms DESC, address LIMIT -1 OFFSET ?1)",
        )?
        .execute([most])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;

    #[test]
    fn the_best_come_first_and_the_number_is_bounded() {
        let store = Store::open_for_tests();
        store
            .write(|tx| {
                for n in 0..400_i64 {
                    reached(tx, &format!("/ip4/10.0.0.1/tcp/{n}"), &[1; 32], n)?;
                }
                typed(tx, "/ip4/192.168.1.9/tcp/4242")?;
                reached(tx, &"x".repeat(MAX_LEN + 1), &[1; 32], 1_000)?;
                failed(tx, "/ip4/10.0.0.1/tcp/399")
            })
            .unwrap();
        let all = store.read(|connection| best(connection, 1_000)).unwrap();
        assert_eq!(all.len(), MOST);
        assert_eq!(all[0].address, "/ip4/192.168.1.9/tcp/4242");
        assert!(all[0].typed && all[0].device_public.is_none());
        assert_eq!(all[1].address, "/ip4/10.0.0.1/tcp/398");
        assert_eq!(
            all[MOST - 1].address,
            "/ip4/10.0.0.1/tcp/399",
            "failed ones come last"
        );
    }
}
