//! An open database: readers beside one committer.

mod committer;
mod open;
mod readers;

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::{
    StoreError, files,
    key::DatabaseKey,
    migrate,
    unfinished::{self, Unfinished},
};
use committer::Committer;
use readers::Readers;

pub(crate) use open::{Access, open};

/// An open database of a profile. Shared as `Arc<Store>`; any thread may read and write.
///
/// Both [`read`](Self::read) and [`write`](Self::write) block: asynchronous callers go through
/// `spawn_blocking`.
pub struct Store {
    // Dropped in this order: the readers close, the committer is the last and so clears the log,
    // then the lock is released.
    readers: Readers,
    committer: Committer,
    path: PathBuf,
    key: DatabaseKey,
    scratch: Option<Scratch>,
    _lock: Option<File>,
}

impl Store {
    /// Opens the database in `folder` and brings its schema up to date; `lock` is held for as long
    /// as the store lives.
    pub(crate) fn open(
        folder: &Path,
        key: &DatabaseKey,
        lock: Option<File>,
    ) -> Result<Self, StoreError> {
        let path = folder.join(DATABASE);
        let mut writer = open(&path, key, Access::Write)?;
        migrate::run(&mut writer, &path).map_err(|error| error.at(&path))?;
        Ok(Self {
            committer: Committer::start(writer, &path)?,
            readers: Readers::new(&path, key),
            path,
            key: key.clone(),
            scratch: None,
            _lock: lock,
        })
    }

    /// A store in `folder` under a random key that is kept nowhere: nothing can be read from it
    /// once it is closed. For scratch work and for tests, which so pay for no passphrase.
    pub fn temporary(folder: &Path) -> Result<Self, StoreError> {
        files::create_private_folder(folder)?;
        Self::open(folder, &DatabaseKey::random()?, None)
    }

    /// An empty store beside this one, for scratch work: under a random key that is kept nowhere, and removed with the
    /// store. What a crash leaves of it goes with the next.
    pub fn scratch(&self) -> Result<Self, StoreError> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        unfinished::sweep(folder);
        let scratch = Unfinished::begin(folder)?;
        let mut store = Self::open(scratch.path(), &DatabaseKey::random()?, None)?;
        store.scratch = Some(Scratch::Beside { _folder: scratch });
        Ok(store)
    }

    /// A [`temporary`](Self::temporary) store in a folder of its own, removed with the store.
    #[doc(hidden)]
    #[allow(clippy::expect_used, reason = "only tests call this")]
    pub fn open_for_tests() -> Self {
        let mut random = [0; 8];
        getrandom::fill(&mut random).expect("random bytes");
        let name = format!("artel-store-{:016x}", u64::from_le_bytes(random));
        let path = std::env::temp_dir().join(name);
        let mut store = Self::temporary(&path).expect("a temporary store");
        store.scratch = Some(Scratch::Apart(path));
        store
    }

    /// Reads one consistent state of the database. Readers never wait for writers.
    pub fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = self.readers.take()?;
        let transaction = Transaction::new(connection.get()?, TransactionBehavior::Deferred)
            .map_err(StoreError::from)?;
        read(&transaction)
        // Dropping the transaction rolls back, which is all that a read needs.
    }

    /// Runs `write` on the committer thread and returns once it is durable.
    ///
    /// Up to 32 waiting closures share one transaction, each in a savepoint of its own: one that
    /// fails leaves nothing behind and does not disturb the others. A closure must not wait for
    /// anything, least of all for this store, since every writer waits for it.
    pub fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.committer.run(write)
    }

    /// [`write`](Self::write) for callers with an error type of their own.
    pub fn write_with<T, E>(
        &self,
        write: impl FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.committer.run(write)
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A connection outside the pool, for long readings that must not hold up others.
    pub(crate) fn separate_reader(&self) -> Result<Connection, StoreError> {
        open(&self.path, &self.key, Access::Read)
    }

    pub(crate) fn key(&self) -> &DatabaseKey {
        &self.key
    }
}

/// File name of a profile's database.
pub(crate) const DATABASE: &str = "data.db";

/// A folder that is removed when its store is.
enum Scratch {
    Apart(PathBuf),
    Beside { _folder: Unfinished },
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Self::Apart(path) = self {
            let _ = std::fs::remove_dir_all(path);
        }
    }
}

#[cfg(test)]
mod tests;
