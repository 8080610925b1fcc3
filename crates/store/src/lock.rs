//! One process owns a folder: a lock that the system releases however the process ends.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, Write},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use crate::StoreError;

const LOCK: &str = "lock";

/// How long a lock is tried for: one who asks whether it is held has it for a moment.
const PATIENCE: Duration = Duration::from_millis(100);
const PAUSE: Duration = Duration::from_millis(5);

/// The exclusive lock of a profile's folder; released when the file is closed, by a crash too.
pub(crate) struct Lock(File);

impl Lock {
    /// Takes the lock of a folder, or says who has it.
    pub(crate) fn take(folder: &Path, profile: &str) -> Result<Self, StoreError> {
        let path = folder.join(LOCK);
        let mut file = Self::file(&path).map_err(|reason| StoreError::io(&path, reason))?;
        let since = Instant::now();
        let mut tried = file.try_lock();
        while matches!(tried, Err(fs::TryLockError::WouldBlock)) && since.elapsed() < PATIENCE {
            thread::sleep(PAUSE);
            tried = file.try_lock();
        }
        match tried {
            Ok(()) => {
                // For the message that a second opener gives; nothing relies on it.
                let _ = file
                    .set_len(0)
                    .and_then(|()| file.rewind())
                    .and_then(|()| file.write_all(std::process::id().to_string().as_bytes()));
                Ok(Self(file))
            }
            Err(fs::TryLockError::WouldBlock) => {
                let mut text = String::new();
                // Windows does not let a locked file be read; then nobody is named.
                let read = file.take(16).read_to_string(&mut text);
                Err(StoreError::InUse {
                    profile: profile.to_owned(),
                    pid: read.ok().and_then(|_| text.trim().parse().ok()),
                })
            }
            Err(fs::TryLockError::Error(reason)) => Err(StoreError::io(&path, reason)),
        }
    }

    /// Whether some process has it.
    pub(crate) fn is_held(folder: &Path) -> bool {
        File::options()
            .read(true)
            .write(true)
            .open(folder.join(LOCK))
            .is_ok_and(|file| matches!(file.try_lock_shared(), Err(fs::TryLockError::WouldBlock)))
    }

    /// Whether it is certain that no process has it: it can be taken, or there is none.
    pub(crate) fn is_free(folder: &Path) -> bool {
        let file = File::options()
            .read(true)
            .write(true)
            .open(folder.join(LOCK));
        match file {
            Ok(file) => file.try_lock().is_ok(),
            Err(reason) => reason.kind() == io::ErrorKind::NotFound,
        }
    }

    fn file(path: &Path) -> io::Result<File> {
        File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
    }

    /// The open file that is the lock.
    pub(crate) fn into_file(self) -> File {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_who_only_looks_does_not_keep_an_opener_out() {
        let folder = tempfile::tempdir().unwrap();
        drop(Lock::take(folder.path(), "x").unwrap());
        let looking = File::open(folder.path().join(LOCK)).unwrap();
        looking.lock_shared().unwrap();
        thread::scope(|scope| {
            scope.spawn(move || {
                thread::sleep(Duration::from_millis(20));
                drop(looking);
            });
            drop(Lock::take(folder.path(), "x").unwrap());
        });
        let _held = Lock::take(folder.path(), "x").unwrap();
        assert!(matches!(
            Lock::take(folder.path(), "x"),
            Err(StoreError::InUse { .. })
        ));
    }
}
