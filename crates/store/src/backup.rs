//! One-file backups: made while everything runs, checked, restored as a new profile.
//!
//! # Format
//! | bytes | what |
//! |---|---|
//! | 8 | `ARTELBAK` |
//! | 2 | format version, little-endian |
//! | 4 | length of the front, little-endian |
//! | … | the front: postcard of [`Front`], with a copy of the profile's header |
//! | 32 | BLAKE3 of everything before |
//! | … | the database as SQLCipher wrote it, still under the profile's key |
//! | 32 | BLAKE3 of everything before |
//!
//! The front can be read without the rest, so that many backups are listed at once. The header
//! carries the database key, wrapped under the passphrase of the time. The device's secret and
//! the machine's marker are taken out of the copy before it is packed.

use std::{
    fs::{self, File},
    io::{self, BufReader, Read, Write},
    path::{Path, PathBuf},
};

use rusqlite::Transaction;
use serde::{Deserialize, Serialize};

use crate::{
    Store, StoreError, check,
    connection::{Access, DATABASE, open},
    files, folder,
    header::{Flaw, Header, Pair, Public},
    identity,
    key::DatabaseKey,
    migrate,
    profile::{self, Opened, backups_folder},
    unfinished::{self, Unfinished},
};

const MAGIC: &[u8; 8] = b"ARTELBAK";
const FORMAT: u16 = 1;
const HASH_LEN: u64 = 32;

/// A longer front is not one.
const MAX_FRONT: u32 = 16 * 1024;

/// Ending of a backup's file name.
pub const EXTENSION: &str = "artel-backup";

const CHUNK: usize = 1 << 20;

#[derive(Serialize, Deserialize)]
struct Front {
    header: Vec<u8>,
    made_at_ms: i64,
    artel: String,
    schema: u32,
    database_len: u64,
}

/// What the front of a backup says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupSummary {
    /// Its file.
    pub path: PathBuf,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// Profile it was made of.
    pub profile: String,
    /// Public part of that profile's member key.
    pub member_public: [u8; 32],
    /// When it was made, Unix milliseconds.
    pub made_at_ms: i64,
    /// Version of Artel that made it.
    pub artel: String,
    /// Version of the database schema in it.
    pub schema: u32,
}

/// A file in the backups' folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Its front is whole.
    Backup(BackupSummary),
    /// It is named as a backup, but cannot be one.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Size in bytes.
        bytes: u64,
        /// What is wrong.
        problem: String,
    },
}

/// A backup that was read through and opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// What its front says.
    pub summary: BackupSummary,
    /// Rows of each table.
    pub tables: Vec<(String, u64)>,
}

/// What opens a backup.
#[derive(Clone, Copy)]
pub enum Secret<'a> {
    /// The passphrase of the time when it was made.
    Passphrase(&'a str),
    /// The open profile that it was made of.
    Profile(&'a Opened),
}

/// Makes a backup of an open profile in the home's backups folder. Readers and writers go on
/// meanwhile; the copy is one consistent state. Needs room for about twice the database.
pub fn make(
    opened: &Opened,
    home: &Path,
    made_at_ms: i64,
    artel: &str,
) -> Result<BackupSummary, StoreError> {
    let backups = backups_folder(home);
    files::create_private_folder(&backups)?;
    unfinished::sweep(&backups);
    let scratch = Unfinished::begin(&backups)?;
    let snapshot = scratch.path().join(DATABASE);
    // What lies there meanwhile means nothing to anyone: the folder is named.
    take_snapshot(&opened.store, &snapshot).map_err(|error| error.at(&backups))?;

    // The key is the same whatever the passphrase, so a change of it meanwhile does no harm.
    let header = Pair::read(&opened.path).newest()?.encode()?;
    let length = fs::metadata(&snapshot)
        .map_err(|reason| StoreError::io(&backups, reason))?
        .len();
    let front = Front {
        header,
        made_at_ms,
        artel: artel.to_owned(),
        schema: migrate::SCHEMA_VERSION,
        database_len: length,
    };
    let packed = scratch.path().join("packed");
    pack(&encode(&front)?, &snapshot, &packed)
        .map_err(|reason| StoreError::io(&backups, reason))?;
    let path = free_name(&backups, &opened.summary.name, made_at_ms)?;
    fs::rename(&packed, &path).map_err(|reason| StoreError::io(&path, reason))?;
    files::sync_folder_of(&path)?;
    summary(&path)
}

/// Copies one consistent state of the database and takes out what must stay on this machine.
fn take_snapshot(store: &Store, snapshot: &Path) -> Result<(), StoreError> {
    let text = snapshot.to_str().ok_or_else(|| StoreError::Io {
        path: snapshot.to_owned(),
        source: io::Error::new(
            io::ErrorKind::InvalidFilename,
            "the path is not valid Unicode",
        ),
    })?;
    store.separate_reader()?.execute("VACUUM INTO ?1", [text])?;
    let copy = open(snapshot, store.key(), Access::Write)?;
    identity::strip_device(&copy)?;
    copy.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    copy.close().map_err(|(_, error)| error.into())
}

/// A backup's front as it is written, and its length.
fn encode(front: &Front) -> Result<(Vec<u8>, u32), StoreError> {
    let front = postcard::to_stdvec(front)
        .map_err(|_| StoreError::Misuse("a backup's front does not encode"))?;
    let length = u32::try_from(front.len())
        .ok()
        .filter(|length| *length <= MAX_FRONT)
        .ok_or(StoreError::Misuse("a backup's front is too long"))?;
    Ok((front, length))
}

fn pack((front, length): &(Vec<u8>, u32), database: &Path, packed: &Path) -> io::Result<()> {
    let mut out = Hashed::new(File::create(packed)?);
    out.write_all(MAGIC)?;
    out.write_all(&FORMAT.to_le_bytes())?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(front)?;
    out.write_hash()?;
    let mut input = File::open(database)?;
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = input.read(&mut chunk)?;
        match chunk.get(..read) {
            Some([]) | None => break,
            Some(bytes) => out.write_all(bytes)?,
        }
    }
    out.write_hash()?;
    out.inner.sync_all()
}

/// A stream that knows the hash of what went through it.
struct Hashed<S> {
    inner: S,
    hasher: blake3::Hasher,
}

impl<S> Hashed<S> {
    fn new(inner: S) -> Self {
        Self {
            inner,
            hasher: blake3::Hasher::new(),
        }
    }
}

impl Hashed<File> {
    fn write_hash(&mut self) -> io::Result<()> {
        let hash = self.hasher.finalize();
        self.write_all(hash.as_bytes())
    }
}

impl<S: Write> Write for Hashed<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<S: Read> Hashed<S> {
    /// Reads exactly as many bytes as `into` has.
    fn fill(&mut self, into: &mut [u8]) -> io::Result<()> {
        self.inner.read_exact(into)?;
        self.hasher.update(into);
        Ok(())
    }

    /// Whether the next 32 bytes are the hash of all before them.
    fn check_hash(&mut self) -> io::Result<bool> {
        let expected = self.hasher.finalize();
        let mut found = [0; 32];
        self.fill(&mut found)?;
        Ok(expected == blake3::Hash::from(found))
    }
}

/// `<profile> <date> <time>` with a number where two fall in one second; times are UTC, so that
/// names sort.
fn free_name(backups: &Path, profile: &str, made_at_ms: i64) -> Result<PathBuf, StoreError> {
    let stem = format!("{}_{}", folder::folder_name(profile), utc_stamp(made_at_ms));
    for n in 1..1000 {
        let number = if n == 1 {
            String::new()
        } else {
            format!("_{n}")
        };
        let path = backups.join(format!("{stem}{number}.{EXTENSION}"));
        if !path.exists() {
            return Ok(path);
        }
    }
    Err(StoreError::Busy)
}

/// Date and time of a Unix time as `YYYYMMDD-hhmmss`, by Howard Hinnant's `civil_from_days`.
fn utc_stamp(ms: i64) -> String {
    let seconds = ms.div_euclid(1000);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!(
        "{year:04}{month:02}{day:02}-{:02}{:02}{:02}",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// Lists the backups of a home, newest first, unreadable ones last.
pub fn list(home: &Path) -> Result<Vec<Listed>, StoreError> {
    let folder = backups_folder(home);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(reason) if reason.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(reason) => return Err(StoreError::io(&folder, reason)),
    };
    let mut listed = Vec::new();
    for entry in entries {
        let path = entry
            .map_err(|reason| StoreError::io(&folder, reason))?
            .path();
        if path
            .extension()
            .is_none_or(|extension| extension != EXTENSION)
        {
            continue;
        }
        listed.push(match summary(&path) {
            Ok(summary) => Listed::Backup(summary),
            Err(problem) => Listed::Unreadable {
                bytes: fs::metadata(&path).map_or(0, |file| file.len()),
                path,
                problem: problem.to_string(),
            },
        });
    }
    listed.sort_by_key(|one| match one {
        Listed::Backup(backup) => (0, -backup.made_at_ms, backup.path.clone()),
        Listed::Unreadable { path, .. } => (1, 0, path.clone()),
    });
    Ok(listed)
}

/// Finds a backup by path, or by its name among those of the home.
pub fn find(home: &Path, backup: &str) -> Result<PathBuf, StoreError> {
    let folder = backups_folder(home);
    let candidates = [
        folder.join(backup),
        folder.join(format!("{backup}.{EXTENSION}")),
        PathBuf::from(backup),
    ];
    candidates
        .into_iter()
        .find(|path| path.is_file())
        .ok_or_else(|| StoreError::NotFound {
            what: "backup",
            name: backup.to_owned(),
        })
}

/// Reads the front of a backup.
pub fn summary(path: &Path) -> Result<BackupSummary, StoreError> {
    Ok(Opening::read(path)?.summary)
}

/// Reads a backup through: its hash, every page's authentication code, the structure of the
/// database; and counts what is in it. The database is unpacked beside the backups of `home`
/// meanwhile, still encrypted.
pub fn verify(home: &Path, path: &Path, secret: Secret<'_>) -> Result<Verified, StoreError> {
    let opening = Opening::read(path)?;
    let key = opening.key(path, secret)?;
    let backups = backups_folder(home);
    files::create_private_folder(&backups)?;
    unfinished::sweep(&backups);
    let scratch = Unfinished::begin(&backups)?;
    let summary = opening.summary.clone();
    opening.unpack(path, &scratch.path().join(DATABASE))?;
    let tables = examine(path, &scratch.path().join(DATABASE), &key)?;
    Ok(Verified { summary, tables })
}

/// What a restore needs to know.
pub struct Restore<'a> {
    /// The backup's file.
    pub path: &'a Path,
    /// Passphrase of the time when it was made; the new profile's passphrase.
    pub passphrase: &'a str,
    /// Name of the new profile; unless given, the old one's.
    pub name: Option<&'a str>,
}

/// The name that a restored profile will have, or why it cannot have it.
pub fn name_for(home: &Path, restore: &Restore<'_>) -> Result<String, StoreError> {
    let summary = summary(restore.path)?;
    let name = folder::checked_name(restore.name.unwrap_or(&summary.profile))?;
    match profile::find(home, name) {
        Ok(_) => Err(StoreError::NameTaken(name.to_owned())),
        Err(StoreError::NotFound { .. }) => Ok(name.to_owned()),
        Err(other) => Err(other),
    }
}

/// Restores a backup as a new profile; never over one that exists. `settle` makes the profile a
/// new device before anyone can open it.
pub fn restore(
    home: &Path,
    restore: &Restore<'_>,
    settle: impl FnOnce(&Transaction<'_>) -> Result<(), StoreError> + Send + 'static,
) -> Result<Opened, StoreError> {
    let opening = Opening::read(restore.path)?;
    let key = opening.key(restore.path, Secret::Passphrase(restore.passphrase))?;
    let name = name_for(home, restore)?;
    let old = opening.header.public();
    let public = Public::new(&name, old.member, old.created_at_ms)?;
    let recovery = opening.header.recovery().cloned();
    profile::build(home, public, restore.passphrase, &key, recovery, |folder| {
        let database = folder.join(DATABASE);
        opening.unpack(restore.path, &database)?;
        examine(restore.path, &database, &key)?;
        Store::open(folder, &key, None)?.write(settle)
    })
}

/// Checks an unpacked database and counts its rows.
fn examine(
    backup: &Path,
    database: &Path,
    key: &DatabaseKey,
) -> Result<Vec<(String, u64)>, StoreError> {
    let bad = |reason: String| StoreError::BadBackup {
        path: backup.to_owned(),
        reason,
    };
    let connection = open(database, key, Access::Write).map_err(|error| match error {
        // The hash was right, so these are the bytes that were written: the key is not theirs.
        StoreError::Corrupt { .. } => bad("it is not of this profile".to_owned()),
        other => other,
    })?;
    migrate::version(&connection)?;
    let problems = check::examine(&connection, true)?;
    if let Some(problem) = problems.first() {
        return Err(bad(format!("its database is damaged: {problem}")));
    }
    let counts = check::row_counts(&connection)?;
    connection
        .close()
        .map_err(|(_, error)| StoreError::from(error))?;
    Ok(counts)
}

/// A backup whose front has been read.
struct Opening {
    summary: BackupSummary,
    header: Header,
    database_len: u64,
    stream: Hashed<BufReader<File>>,
}

impl Opening {
    fn read(path: &Path) -> Result<Self, StoreError> {
        let bad = |reason: &str| StoreError::BadBackup {
            path: path.to_owned(),
            reason: reason.to_owned(),
        };
        // A file that ends too early is no failure of the disk.
        let cut = |reason: io::Error| match reason.kind() {
            io::ErrorKind::UnexpectedEof => bad("it is cut short"),
            _ => StoreError::io(path, reason),
        };
        let file = File::open(path).map_err(|reason| StoreError::io(path, reason))?;
        let bytes = file
            .metadata()
            .map_err(|reason| StoreError::io(path, reason))?
            .len();
        let mut stream = Hashed::new(BufReader::with_capacity(CHUNK, file));
        let mut magic = [0; 8];
        stream
            .fill(&mut magic)
            .map_err(|reason| match reason.kind() {
                io::ErrorKind::UnexpectedEof => bad("it is not a backup of Artel"),
                _ => StoreError::io(path, reason),
            })?;
        if magic != *MAGIC {
            return Err(bad("it is not a backup of Artel"));
        }
        let (mut format, mut length) = ([0; 2], [0; 4]);
        stream.fill(&mut format).map_err(cut)?;
        let format = u16::from_le_bytes(format);
        if format > FORMAT {
            return Err(StoreError::NewerSchema {
                found: format.into(),
                known: FORMAT.into(),
            });
        }
        stream.fill(&mut length).map_err(cut)?;
        let length = u32::from_le_bytes(length);
        if length > MAX_FRONT {
            return Err(bad("its front is damaged"));
        }
        let mut front = vec![0; usize::try_from(length).map_err(|_| bad("its front is damaged"))?];
        stream.fill(&mut front).map_err(cut)?;
        if !stream.check_hash().map_err(cut)? {
            return Err(bad("its front is damaged"));
        }
        let front: Front =
            postcard::from_bytes(&front).map_err(|_| bad("its front does not decode"))?;
        let header = Header::decode(&front.header).map_err(|flaw| match flaw {
            Flaw::Newer(found) => StoreError::NewerSchema {
                found: found.into(),
                known: FORMAT.into(),
            },
            other => bad(&format!("its header: {other}")),
        })?;
        let ahead = 8 + 2 + 4 + u64::from(length) + HASH_LEN;
        let expected = front
            .database_len
            .checked_add(ahead)
            .and_then(|length| length.checked_add(HASH_LEN));
        if expected != Some(bytes) {
            return Err(bad(if expected.is_some_and(|expected| bytes < expected) {
                "it is cut short"
            } else {
                "it is longer than it says"
            }));
        }
        let public = header.public();
        Ok(Self {
            summary: BackupSummary {
                path: path.to_owned(),
                bytes,
                profile: public.name.clone(),
                member_public: public.member,
                made_at_ms: front.made_at_ms,
                artel: front.artel,
                schema: front.schema,
            },
            header,
            database_len: front.database_len,
            stream,
        })
    }

    fn key(&self, path: &Path, secret: Secret<'_>) -> Result<DatabaseKey, StoreError> {
        if self.summary.schema > migrate::SCHEMA_VERSION {
            return Err(StoreError::NewerSchema {
                found: self.summary.schema,
                known: migrate::SCHEMA_VERSION,
            });
        }
        match secret {
            Secret::Passphrase(passphrase) => self.header.unseal(&self.header.root(passphrase)?),
            Secret::Profile(opened)
                if opened.summary.member_public == self.header.public().member =>
            {
                Ok(opened.store.key().clone())
            }
            Secret::Profile(_) => Err(StoreError::BadBackup {
                path: path.to_owned(),
                reason: format!("it is of another profile, \"{}\"", self.summary.profile),
            }),
        }
    }

    /// Writes the database to `to`, checking the hash of the whole file on the way.
    fn unpack(mut self, path: &Path, to: &Path) -> Result<(), StoreError> {
        let mut out = File::create(to).map_err(|reason| StoreError::io(to, reason))?;
        let mut chunk = vec![0; CHUNK];
        let mut left = self.database_len;
        while left > 0 {
            let part = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
            let bytes = chunk.get_mut(..part).unwrap_or_default();
            self.stream
                .fill(bytes)
                .map_err(|reason| StoreError::io(path, reason))?;
            out.write_all(bytes)
                .map_err(|reason| StoreError::io(to, reason))?;
            left -= part as u64;
        }
        if !self
            .stream
            .check_hash()
            .map_err(|reason| StoreError::io(path, reason))?
        {
            return Err(StoreError::BadBackup {
                path: path.to_owned(),
                reason: "its checksum is wrong".to_owned(),
            });
        }
        out.sync_all().map_err(|reason| StoreError::io(to, reason))
    }
}

#[cfg(test)]
mod tests;
