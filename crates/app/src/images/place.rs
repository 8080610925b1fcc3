//! Puts a finished file under its name: complete or not at all, and never over another.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use crate::files;

/// Names tried for one file.
const NAMES: u32 = 10_000;

/// Writes `bytes` to `scratch`, makes them durable and gives them the name `target`, or, if there is
/// another file of that name, the first free one of `name (2)`, `name (3)`, …. A file that has these
/// bytes already is the result. Both paths lie in one folder, which is made if need be.
pub(super) fn place(bytes: &[u8], scratch: &Path, target: &Path) -> io::Result<PathBuf> {
    let folder = files::folder_of(target);
    fs::create_dir_all(folder)?;
    let mut file = File::create(scratch)?;
    let mut path = tempfile::TempPath::try_from_path(scratch)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    for number in 1..=NAMES {
        let name = numbered(target, number);
        if holds(&name, bytes)? {
            return Ok(name);
        }
        match path.persist_noclobber(&name) {
            Ok(()) => {
                files::sync_folder(folder)?;
                return Ok(name);
            }
            Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => {
                path = refused.path;
            }
            Err(refused) => return Err(refused.error),
        }
    }
    Err(io::Error::new(
        io::ErrorKind::AlreadyExists,
        format!("there are {NAMES} files of this name"),
    ))
}

/// `name.jpg`, `name (2).jpg`, ….
fn numbered(target: &Path, number: u32) -> PathBuf {
    if number == 1 {
        return target.to_owned();
    }
    let stem = target.file_stem().unwrap_or_default().to_string_lossy();
    let name = match target.extension() {
        Some(ending) => format!("{stem} ({number}).{}", ending.to_string_lossy()),
        None => format!("{stem} ({number})"),
    };
    target.with_file_name(name)
}

/// Whether the file has exactly these bytes.
fn holds(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    use io::ErrorKind::{InvalidInput, NotFound, PermissionDenied};
    let mut file = match files::open(path) {
        Ok(file) => file,
        // Something that is no file or cannot be read is not ours; the next name is tried.
        Err(error) if matches!(error.kind(), NotFound | InvalidInput | PermissionDenied) => {
            return Ok(false);
        }
        Err(error) => return Err(error),
    };
    if file.metadata()?.len() != bytes.len() as u64 {
        return Ok(false);
    }
    let mut rest = bytes;
    let mut part = [0; 16 << 10];
    loop {
        let read = file.read(&mut part)?;
        if read == 0 {
            return Ok(rest.is_empty());
        }
        match (part.get(..read), rest.split_at_checked(read)) {
            (Some(part), Some((same, after))) if part == same => rest = after,
            _ => return Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_files_are_never_touched_and_equal_ones_are_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("папка/фото 1.jpg");
        let scratch = folder.path().join("папка/.scratch");
        let put = |bytes: &[u8]| place(bytes, &scratch, &target).unwrap();
        assert_eq!(put(b"one"), target);
        assert_eq!(put(b"one"), target);
        let second = target.with_file_name("фото 1 (2).jpg");
        assert_eq!(put(b"two"), second);
        assert_eq!(put(b"two"), second);
        assert_eq!(fs::read(&target).unwrap(), b"one");
        assert_eq!(fs::read_dir(target.parent().unwrap()).unwrap().count(), 2);
    }
}
