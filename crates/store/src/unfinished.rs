//! Folders that appear as a whole or not at all: filled under a passing name, then renamed. Also
//! scratch folders, which are never finished.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::{
    StoreError, files,
    header::{self, COPIES},
    lock::Lock,
};

/// Marks a folder as unfinished; one that a crash left behind is swept away.
const PREFIX: &str = ".new-";

/// A new name for one in `parent`.
pub(crate) fn new_path(parent: &Path) -> Result<PathBuf, StoreError> {
    let mut random = [0; 8];
    getrandom::fill(&mut random)?;
    Ok(parent.join(format!("{PREFIX}{:016x}", u64::from_le_bytes(random))))
}

/// Whether a folder is one.
pub(crate) fn is_one(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with(PREFIX))
}

/// Removes what crashes left behind. One that another process is still making is locked.
pub(crate) fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        if is_one(&path) && Lock::is_free(&path) {
            let _ = remove(&path);
        }
    }
}

/// Removes a folder that may have been a profile's. Its headers are overwritten first, as far as they can be.
pub(crate) fn remove(folder: &Path) -> io::Result<()> {
    for name in COPIES {
        let path = folder.join(name);
        if let Err(reason) = overwrite(&path)
            && reason.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %path.display(), %reason, "a header was not overwritten");
        }
    }
    fs::remove_dir_all(folder)
}

/// Overwrites a small file.
fn overwrite(path: &Path) -> io::Result<()> {
    let mut file = fs::File::options().write(true).open(path)?;
    let length = usize::try_from(file.metadata()?.len().min(header::MAX_LEN)).unwrap_or(0);
    file.write_all(&vec![0; length])?;
    file.sync_all()
}

/// A folder that is being filled; removed again unless finished.
pub(crate) struct Unfinished {
    path: PathBuf,
    lock: Option<Lock>,
}

impl Unfinished {
    /// Makes one in `parent`, locked.
    pub(crate) fn begin(parent: &Path) -> Result<Self, StoreError> {
        let path = new_path(parent)?;
        files::create_private_folder(&path)?;
        let mut unfinished = Self { path, lock: None };
        unfinished.lock = Some(Lock::take(&unfinished.path, "")?);
        Ok(unfinished)
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the folder its name. Fails where that is taken: a rename never replaces a folder
    /// that has files in it.
    pub(crate) fn finish(
        mut self,
        path: &Path,
        taken: impl FnOnce() -> StoreError,
    ) -> Result<(), StoreError> {
        if cfg!(windows) {
            // Windows moves no folder with an open file in it.
            self.lock = None;
        }
        if let Err(reason) = fs::rename(&self.path, path) {
            return Err(if path.exists() {
                taken()
            } else {
                StoreError::io(path, reason)
            });
        }
        // Nothing is left to remove under the old name.
        self.path.clear();
        files::sync_folder_of(path)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        self.lock = None;
        if is_one(&self.path) {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_holds_is_swept() {
        let parent = tempfile::tempdir().unwrap();
        let folder = |name: &str| {
            let path = parent.path().join(name);
            fs::create_dir(&path).unwrap();
            path
        };
        let never_locked = folder(".new-a");
        let left = folder(".new-b");
        drop(Lock::take(&left, "").unwrap());
        let held = folder(".new-c");
        let lock = Lock::take(&held, "").unwrap();
        // A lock that cannot be asked says nothing.
        let unknown = folder(".new-d");
        fs::create_dir(unknown.join("lock")).unwrap();
        let other = folder("a profile");
        sweep(parent.path());
        let there = [&never_locked, &left, &held, &unknown, &other].map(|path| path.exists());
        assert_eq!(there, [false, false, true, true, true]);
        drop(lock);
    }
}
