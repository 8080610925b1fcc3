//! Files that the user named: whole, or as they were before.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use crate::error::{AppError, Code, way_out};

/// Writes a file, in place of what is there.
pub fn write(path: &Path, content: &[u8]) -> Result<(), AppError> {
    let write = || {
        let mut unfinished = Unfinished::begin(path)?;
        unfinished.write_all(content)?;
        unfinished.finish()
    };
    write().map_err(|reason| failed(path, &reason))
}

/// A file on its way: under a passing name of its own beside the final one, and gone when it is dropped unfinished.
/// Readable by those who may read the user's other files.
pub(crate) struct Unfinished {
    file: tempfile::NamedTempFile,
    path: PathBuf,
}

impl Unfinished {
    /// Begins a file that is to be `path`, in place of what is there.
    pub(crate) fn begin(path: &Path) -> io::Result<Self> {
        if path.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let folder = folder_of(path);
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
        Ok(Self {
            file: builder.tempfile_in(folder)?,
            path: path.to_owned(),
        })
    }

    /// Makes it durable and gives it its name.
    pub(crate) fn finish(self) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        self.file
            .persist(&self.path)
            .map_err(|refused| refused.error)?;
        sync_folder(folder_of(&self.path))
    }
}

impl io::Write for Unfinished {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Makes the names in a folder durable. Systems other than Unix do so with the file.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// What the system said while rows were written; the writer of tables hides its kind.
pub(crate) fn of_rows(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(reason) => reason,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// Writes out what a table still holds, and gives the file back.
pub(crate) fn after_rows<W: io::Write>(rows: csv::Writer<io::BufWriter<W>>) -> io::Result<W> {
    rows.into_inner()
        .map_err(|error| io::Error::new(error.error().kind(), error.error().to_string()))?
        .into_inner()
        .map_err(io::IntoInnerError::into_error)
}

/// What the system says of a file or folder, with the way out.
pub(crate) fn failed(path: &Path, reason: &io::Error) -> AppError {
    let code = match reason.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Code::DiskFull,
        _ => Code::File,
    };
    AppError::new(
        code,
        format!("{}: {reason}", path.display()),
        way_out(reason),
    )
    .param("path", path.display())
}

/// The same of something that the user named to be read: where nothing is there, there is no such thing.
pub fn unread(path: &Path, reason: &io::Error) -> AppError {
    let mut error = failed(path, reason);
    if reason.kind() == io::ErrorKind::NotFound {
        error.code = Code::NotFound;
    }
    error
}

/// The same of a walk through a folder.
pub(crate) fn unwalked(folder: &Path, reason: walkdir::Error) -> AppError {
    let path = reason.path().unwrap_or(folder).to_owned();
    let reason = match reason.into_io_error() {
        Some(reason) => reason,
        None => io::Error::other("it leads back to a folder above it"),
    };
    failed(&path, &reason)
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
    let file = match open(path) {
        Ok(file) => file,
        Err(reason) if reason.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(reason) => return Err(reason),
    };
    let mut first = Vec::new();
    file.take(opening.len() as u64).read_to_end(&mut first)?;
    Ok(first == opening)
}

/// Free bytes on the disk that a path lies on, or would lie on; `None` where the system does not say.
pub(crate) fn free_space(path: &Path) -> Option<u64> {
    let path = std::path::absolute(path).ok()?;
    let there = path.ancestors().find(|part| part.exists())?;
    fs4::available_space(there).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_space_is_told_of_what_is_not_there_yet() {
        let folder = tempfile::tempdir().unwrap();
        let there = free_space(folder.path()).unwrap();
        let not_yet = free_space(&folder.path().join("a/b/c")).unwrap();
        // Others write to this disk as well.
        assert!(there > 0 && there.abs_diff(not_yet) < 1 << 30);
    }

    /// A file system in memory is listed as no disk by most systems, and has its own space.
    #[cfg(target_os = "linux")]
    #[test]
    fn free_space_is_that_of_the_disk_below() {
        let space = |path: &str| free_space(Path::new(path)).unwrap();
        assert_eq!(space("/proc/self"), 0);
        assert!(space("/") > 0);
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

    #[test]
    fn what_is_not_finished_leaves_nothing_and_touches_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, b"before").unwrap();
        let mut unfinished = Unfinished::begin(&path).unwrap();
        unfinished.write_all(b"half").unwrap();
        assert_eq!(names(folder.path()).len(), 2);
        drop(unfinished);
        assert_eq!(names(folder.path()), ["a.csv"]);
        assert_eq!(std::fs::read(&path).unwrap(), b"before");
    }

    /// A disk with no room.
    struct Full;

    impl io::Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::StorageFull.into())
        }
    }

    #[test]
    fn a_full_disk_is_known_behind_a_table() {
        let table = || csv::Writer::from_writer(io::BufWriter::with_capacity(1, Full));
        let long = "x".repeat(1 << 17);
        let row = table().write_record([&long]).map_err(of_rows).unwrap_err();
        assert_eq!(row.kind(), io::ErrorKind::StorageFull);
        let mut rest = table();
        rest.write_record(["x"]).unwrap();
        let rest = after_rows(rest).err().unwrap();
        assert_eq!(rest.kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn what_the_system_says_has_its_code_and_a_way_out() {
        use io::ErrorKind::{NotFound, PermissionDenied, QuotaExceeded, StorageFull};
        let cases = [
            (StorageFull, Code::DiskFull, Code::DiskFull),
            (QuotaExceeded, Code::DiskFull, Code::DiskFull),
            (PermissionDenied, Code::File, Code::File),
            (NotFound, Code::File, Code::NotFound),
        ];
        for (kind, written, read) in cases {
            let path = Path::new("фото 1.jpg");
            for (error, code) in [
                (failed(path, &kind.into()), written),
                (unread(path, &kind.into()), read),
            ] {
                assert_eq!(error.code, code, "{kind}");
                assert!(error.message.starts_with("фото 1.jpg: "), "{error}");
                assert!(!error.hint.is_empty(), "{kind}");
            }
        }
    }
}
