//! The encrypted local store: one SQLCipher database a profile, and everything that reads or
//! writes it.
//!
//! # Map
//! - [`profile`] makes, finds, opens and deletes profiles. A profile is a folder with two copies
//!   of a small header that wraps the database key under the passphrase, a lock file, and the
//!   database.
//! - [`Store`] is an open database: [`Store::read`] from a small pool of read-only connections,
//!   [`Store::write`] through one committer thread that groups waiting writers into one durable
//!   transaction.
//! - [`schema_sql`] and the migrations define the tables; one module a table group holds the SQL.
//!   No SQL lives outside this crate.
//! - [`backup`] writes, checks and restores one-file backups; [`check`] looks for damage.
//!
//! # Invariants
//! - A write that returned `Ok` has been committed with `synchronous=FULL`.
//! - A database key is never on disk unwrapped, and never derived from the passphrase.
//! - Only one process has a profile open; the lock lives as long as its [`Store`].

pub mod addresses;
pub mod backup;
pub mod blobs;
pub mod catalog;
pub mod check;
pub mod deletions;
pub mod feeds;
pub mod identity;
pub mod jobs;
pub mod market;
pub mod profile;
pub mod registers;
pub mod restored;
pub mod rooms;
pub mod sealed;
pub mod settings;

mod connection;
mod error;
mod files;
mod folder;
mod header;
mod key;
mod lock;
mod migrate;
mod recovery;
mod unfinished;

pub use connection::Store;
pub use error::StoreError;
pub use key::ProofKey;
pub use migrate::{SCHEMA_VERSION, schema_sql};
pub use recovery::{RecoveryCode, RecoveryError};
pub use rusqlite::{self, Connection, OptionalExtension, Transaction, params};
