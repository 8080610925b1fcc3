//! Files that survive a power cut, and folders that others cannot look into.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::StoreError;

/// Replaces a file at once: after a crash it holds the old bytes or the new ones, never a mix.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    replace_with(path, |file| file.write_all(bytes))
}

/// Replaces a file at once by what `fill` writes. In a folder that is only ours: the passing name is a fixed one, so that
/// what a crash leaves is written over by the next.
pub(crate) fn replace_with(
    path: &Path,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<(), StoreError> {
    let temporary = beside(path, ".tmp");
    let write = || -> io::Result<()> {
        let mut file = File::create(&temporary)?;
        fill(&mut file)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    if let Err(reason) = write() {
        let _ = fs::remove_file(&temporary);
        return Err(StoreError::io(path, reason));
    }
    sync_folder_of(path)
}

/// The path with something appended to its file name.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}

/// Makes the names in a file's folder durable. Windows keeps them without being asked.
pub(crate) fn sync_folder_of(path: &Path) -> Result<(), StoreError> {
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|reason| StoreError::io(folder, reason))?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Creates a folder, with those above it, that only this user may look into (mode 0700 on Unix;
/// on Windows a user's own data folder is private already).
pub(crate) fn create_private_folder(path: &Path) -> Result<(), StoreError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(path)
        .map_err(|reason| StoreError::io(path, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_replaced_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.db.before-0002");
        replace(&path, b"longer than the next").unwrap();
        replace(&path, b"next").unwrap();
        replace_with(&path, |file| {
            file.write_all(b"half")?;
            Err(io::ErrorKind::StorageFull.into())
        })
        .unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), b"next");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
