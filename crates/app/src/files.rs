//! Files that the user named: whole, or as they were before.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use crate::error::{AppError, Code};

/// Writes a file, in place of what is there: under a passing name beside it, made durable, then named.
pub fn write(path: &Path, content: &[u8]) -> Result<(), AppError> {
    let failed = |reason: io::Error| {
        let code = match reason.kind() {
            io::ErrorKind::StorageFull => Code::DiskFull,
            _ => Code::File,
        };
        AppError::new(code, format!("{}: {reason}", path.display())).param("path", path.display())
    };
    if path.is_dir() {
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    }
    let folder = folder_of(path);
    let mut unfinished = unfinished_in(folder).map_err(failed)?;
    unfinished.write_all(content).map_err(failed)?;
    unfinished.as_file().sync_all().map_err(failed)?;
    unfinished
        .persist(path)
        .map_err(|error| failed(error.error))?;
    #[cfg(unix)]
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed)?;
    Ok(())
}

/// Opens a file to read it. Pipes and devices are refused: opening or reading one may never end.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let file = std::fs::metadata(path)?.is_file();
    if !file {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is not a file",
        ));
    }
    File::open(path)
}

/// The folder that a file lies in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Whether a file may be put at `path`: nothing is there, or a file of ours, known by how it begins. A user's own file
/// is never written over.
pub(crate) fn may_replace(path: &Path, opening: &[u8]) -> io::Result<bool> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(reason) if reason.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(reason) => return Err(reason),
    };
    let mut first = Vec::new();
    file.take(opening.len() as u64).read_to_end(&mut first)?;
    Ok(first == opening)
}

/// A file that is gone when it is dropped, readable by those who may read the user's other files.
pub(crate) fn unfinished_in(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    // Said here: the error of the file itself would name a passing name that means nothing to anyone.
    if !folder.is_dir() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("there is no folder {}", folder.display()),
        ));
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(".artel-").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// Free bytes on the disk that a path lies on, or would lie on; `None` where the system does not say.
pub(crate) fn free_space(path: &Path) -> Option<u64> {
    let path = std::path::absolute(path).ok()?;
    let there = path.ancestors().find(|part| part.exists())?;
    let real = std::fs::canonicalize(there).ok()?;
    let disks = sysinfo::Disks::new_with_refreshed_list().ok()?;
    free_on(
        &unverbatim(real),
        disks
            .iter()
            .map(|disk| (disk.mount_point(), disk.available_space())),
    )
}

/// What is free on the disk that is mounted closest above the path.
fn free_on<'a>(path: &Path, disks: impl Iterator<Item = (&'a Path, u64)>) -> Option<u64> {
    disks
        .filter(|(mounted_at, _)| path.starts_with(mounted_at))
        .max_by_key(|(mounted_at, _)| mounted_at.components().count())
        .map(|(_, free)| free)
}

/// A path as disks are listed: Windows resolves `C:\x` to `\\?\C:\x`, which lies below no `C:\`.
fn unverbatim(path: PathBuf) -> PathBuf {
    match path.to_str().and_then(without_prefix) {
        Some(plain) if cfg!(windows) => plain.into(),
        _ => path,
    }
}

fn without_prefix(path: &str) -> Option<String> {
    let rest = path.strip_prefix(r"\\?\")?;
    match rest.strip_prefix(r"UNC\") {
        Some(share) => Some(format!(r"\\{share}")),
        None => rest.contains(':').then(|| rest.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_space_is_that_of_the_closest_disk() {
        let disks = [("/", 1), ("/home", 2), ("/home/anna/usb", 3), ("/ho", 4)];
        let cases = [
            ("/etc", Some(1)),
            ("/home/anna", Some(2)),
            ("/home/anna/usb/x", Some(3)),
            ("/homes", Some(1)),
            ("relative", None),
        ];
        for (path, free) in cases {
            let listed = disks.iter().map(|(at, free)| (Path::new(at), *free));
            assert_eq!(free_on(Path::new(path), listed), free, "{path}");
        }
    }

    #[test]
    fn verbatim_paths_are_told_as_disks_are() {
        let cases = [
            (r"\\?\C:\Users\Анна", Some(r"C:\Users\Анна")),
            (r"\\?\UNC\server\share\x", Some(r"\\server\share\x")),
            (r"\\?\Volume{26a21bda}\x", None),
            (r"C:\Users", None),
            ("/home", None),
        ];
        for (path, plain) in cases {
            assert_eq!(without_prefix(path).as_deref(), plain, "{path}");
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_nothing_stays_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("График 1.png");
        write(&path, b"longer than the next").unwrap();
        write(&path, b"next").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"next");
        assert_eq!(names(folder.path()), ["График 1.png"]);
    }

    #[test]
    fn what_cannot_be_written_is_named_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        for path in [
            folder.path().join("missing/a.csv"),
            folder.path().to_owned(),
        ] {
            let error = write(&path, b"x").unwrap_err();
            assert_eq!(error.code, Code::File);
            assert!(
                error.message.contains(&path.display().to_string()),
                "{error}"
            );
        }
        assert!(names(folder.path()).is_empty());
    }
}
