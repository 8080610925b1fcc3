//! What can go wrong in the store, as a caller would act on it.

use std::{
    io,
    path::{Path, PathBuf},
};

use rusqlite::ErrorCode;

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused a statement: a constraint, or a fault in Artel.
    #[error("database: {0}")]
    Sqlite(#[source] rusqlite::Error),
    /// The disk is full. Without a path: the disk of the profile's database.
    #[error("the disk is full{}", at(path.as_deref()))]
    Full {
        /// What could not be written.
        path: Option<PathBuf>,
    },
    /// The system or the disk does not let the database be read or written.
    #[error("the database cannot be used{}: {reason}", at(path.as_deref()))]
    Unusable {
        /// The database's file, where it is known.
        path: Option<PathBuf>,
        /// What the system says.
        reason: String,
    },
    /// The database stayed busy for longer than a caller should wait.
    #[error("the database is busy")]
    Busy,
    /// The database or a file of it is damaged.
    #[error("damaged data{}: {reason}", at(path.as_deref()))]
    Corrupt {
        /// The damaged file; without one, the profile's database.
        path: Option<PathBuf>,
        /// What was found.
        reason: String,
    },
    /// A newer version of Artel wrote this.
    #[error(
        "written by a newer version of Artel: its schema is {found}, this version knows {known}"
    )]
    NewerSchema {
        /// Version found.
        found: u32,
        /// Newest version that this build knows.
        known: u32,
    },
    /// The passphrase does not open the profile or backup.
    #[error("the passphrase is wrong")]
    WrongPassphrase,
    /// The recovery code is of another profile, or a later one took its place.
    #[error("the recovery code does not open this profile")]
    WrongRecovery,
    /// The profile has no recovery code.
    #[error("the profile has no recovery code")]
    NoRecovery,
    /// A passphrase must have at least one character.
    #[error("the passphrase is empty")]
    EmptyPassphrase,
    /// Neither copy of the header can be read, so the key is lost here.
    #[error("both copies of the profile's header in {} are damaged: {reason}", path.display())]
    HeaderDamaged {
        /// Folder of the profile.
        path: PathBuf,
        /// What is wrong with the copies.
        reason: String,
    },
    /// Another process has the profile open.
    #[error("profile \"{profile}\" is open in another process{}", pid.map_or_else(String::new, |pid| format!(" ({pid})")))]
    InUse {
        /// Name of the profile.
        profile: String,
        /// The process, where it could be read.
        pid: Option<u32>,
    },
    /// There is no such thing.
    #[error("there is no {what} \"{name}\"")]
    NotFound {
        /// Kind of thing: `profile`, `backup`, `setting`.
        what: &'static str,
        /// What was asked for.
        name: String,
    },
    /// There is a profile of this name already.
    #[error("there is a profile \"{0}\" already")]
    NameTaken(String),
    /// The name cannot be a profile's.
    #[error("\"{name}\" cannot be a profile's name: {reason}")]
    BadName {
        /// The name.
        name: String,
        /// Why not.
        reason: &'static str,
    },
    /// A file is not a backup of Artel, or not a whole one.
    #[error("{} is not a good backup: {reason}", path.display())]
    BadBackup {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file or folder could not be used.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The system gave no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(#[from] getrandom::Error),
    /// The store was used in a way it cannot serve; a fault in Artel.
    #[error("fault in Artel: {0}")]
    Misuse(&'static str),
}

/// Whether an error says that nothing more fits: on the disk, or in what this user may take of it.
/// Whether the disk of a file has less room than a database needs to be opened.
fn is_out_of_room(file: &Path) -> bool {
    let folder = file.parent().unwrap_or(file);
    fs4::available_space(folder).is_ok_and(|free| free < 64 << 10)
}

fn is_full(reason: &io::Error) -> bool {
    matches!(
        reason.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

fn at(path: Option<&Path>) -> String {
    path.map_or_else(String::new, |path| format!(" ({})", path.display()))
}

impl StoreError {
    /// A file error with its path; a full disk becomes [`StoreError::Full`].
    pub fn io(path: &Path, source: io::Error) -> Self {
        if is_full(&source) {
            return Self::Full {
                path: Some(path.to_owned()),
            };
        }
        Self::Io {
            path: path.to_owned(),
            source,
        }
    }

    /// Names the file, where the error came from the database and could not.
    #[must_use]
    pub(crate) fn at(self, file: &Path) -> Self {
        match self {
            Self::Full { path: None } => Self::Full {
                path: Some(file.to_owned()),
            },
            Self::Corrupt { path: None, reason } => Self::Corrupt {
                path: Some(file.to_owned()),
                reason,
            },
            // A disk without any room lets a database not even be read, and the system says no more than that.
            Self::Unusable { path: None, .. } if is_out_of_room(file) => Self::Full {
                path: Some(file.to_owned()),
            },
            Self::Unusable { path: None, reason } => Self::Unusable {
                path: Some(file.to_owned()),
                reason,
            },
            other => other,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let rusqlite::Error::SqliteFailure(failure, message) = &error else {
            return Self::Sqlite(error);
        };
        match failure.code {
            ErrorCode::DiskFull => Self::Full { path: None },
            ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied => Self::Unusable {
                path: None,
                reason: error.to_string(),
            },
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy,
            ErrorCode::DatabaseCorrupt => Self::Corrupt {
                path: None,
                reason: message
                    .clone()
                    .unwrap_or_else(|| "the database's pages contradict one another".to_owned()),
            },
            ErrorCode::NotADatabase => Self::Corrupt {
                path: None,
                reason: "its first page does not decrypt with the profile's key".to_owned(),
            },
            _ => Self::Sqlite(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    #[test]
    fn what_the_disk_does_is_no_fault_of_the_program() {
        let cases = [
            (ffi::SQLITE_IOERR_WRITE, "unusable"),
            (ffi::SQLITE_IOERR_FSYNC, "unusable"),
            (ffi::SQLITE_CANTOPEN, "unusable"),
            (ffi::SQLITE_READONLY, "unusable"),
            (ffi::SQLITE_PERM, "unusable"),
            (ffi::SQLITE_FULL, "full"),
            (ffi::SQLITE_CONSTRAINT, "sqlite"),
        ];
        for (code, expected) in cases {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            let file = Path::new("data.db");
            let kind = match StoreError::from(error).at(file) {
                StoreError::Unusable { path, .. } if path.as_deref() == Some(file) => "unusable",
                StoreError::Full { path } if path.as_deref() == Some(file) => "full",
                StoreError::Sqlite(_) => "sqlite",
                other => panic!("{code}: {other:?}"),
            };
            assert_eq!(kind, expected, "{code}");
        }
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
            let error = StoreError::io(Path::new("x"), kind.into());
            assert!(matches!(error, StoreError::Full { .. }), "{kind}");
        }
    }
}
