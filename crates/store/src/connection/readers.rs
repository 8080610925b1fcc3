//! A small pool of read-only connections.

use std::{
    path::{Path, PathBuf},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::Connection;

use super::open::{Access, open};
use crate::{StoreError, key::DatabaseKey};

/// Connections kept open while nobody reads.
const KEPT: usize = 4;

/// Connections that may be open at a time; each has a page cache of about 2 MB.
const MOST: usize = 16;

/// How long a reader waits for one of them.
const PATIENCE: Duration = Duration::from_secs(30);

/// The pool. Connections are opened when first needed.
pub(super) struct Readers {
    path: PathBuf,
    key: DatabaseKey,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Connection>,
    out: usize,
}

impl Readers {
    pub(super) fn new(path: &Path, key: &DatabaseKey) -> Self {
        Self {
            path: path.to_owned(),
            key: key.clone(),
            state: Mutex::default(),
            returned: Condvar::new(),
        }
    }

    /// Takes a connection, waiting for one where too many are out.
    pub(super) fn take(&self) -> Result<Reader<'_>, StoreError> {
        let (mut state, wait) = self
            .returned
            .wait_timeout_while(self.lock(), PATIENCE, |state| state.out >= MOST)
            .unwrap_or_else(PoisonError::into_inner);
        if wait.timed_out() {
            return Err(StoreError::Busy);
        }
        state.out += 1;
        let idle = state.idle.pop();
        drop(state);
        // Made before the connection, so that a failure to open gives the place back.
        let mut reader = Reader {
            pool: self,
            connection: idle,
        };
        if reader.connection.is_none() {
            reader.connection = Some(open(&self.path, &self.key, Access::Read)?);
        }
        Ok(reader)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that goes back to the pool.
pub(super) struct Reader<'a> {
    pool: &'a Readers,
    connection: Option<Connection>,
}

impl Reader<'_> {
    pub(super) fn get(&mut self) -> Result<&mut Connection, StoreError> {
        self.connection
            .as_mut()
            .ok_or(StoreError::Misuse("a reader without a connection"))
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.lock();
        state.out = state.out.saturating_sub(1);
        if let Some(connection) = self.connection.take()
            && state.idle.len() < KEPT
        {
            state.idle.push(connection);
        }
        drop(state);
        self.pool.returned.notify_one();
    }
}
