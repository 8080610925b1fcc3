//! One process owns a folder: a lock that the system releases however the process ends.

use std::{
    fs::{self, File},
    io::{Read, Seek, Write},
    path::Path,
};

use crate::StoreError;

const LOCK: &str = "lock";

/// The exclusive lock of a profile's folder; released when the file is closed, by a crash too.
pub(crate) struct Lock(File);

impl Lock {
    /// Takes the lock of a folder, or says who has it.
    pub(crate) fn take(folder: &Path, profile: &str) -> Result<Self, StoreError> {
        let path = folder.join(LOCK);
        let mut file = Self::file(&path).map_err(|reason| StoreError::io(&path, reason))?;
        match file.try_lock() {
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

    fn file(path: &Path) -> std::io::Result<File> {
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
