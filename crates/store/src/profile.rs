//! Profiles: making, finding, opening, deleting.
//!
//! A home folder holds `profiles/<folder>/` for each profile, with `header.a`, `header.b`, `lock`
//! and `data.db`, and `backups/`. The folder's name is derived from the profile's; the header
//! says the name itself.

use std::{
    fs::{self, File},
    io::{Read, Seek, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::Transaction;

use crate::{
    ProofKey, Store, StoreError, files, folder,
    header::{COPIES, Header, Pair, Public},
    key::DatabaseKey,
};

const LOCK: &str = "lock";

/// Marks a profile that is being made; one that is left behind by a crash is removed.
const UNFINISHED: &str = ".new-";

/// What can be seen of a profile without its passphrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileSummary {
    /// Its name; the folder's name where no header can be read.
    pub name: String,
    /// Random id, the same in its backups.
    pub id: [u8; 16],
    /// Public part of the member key.
    pub member_public: [u8; 32],
    /// When it was made, Unix milliseconds.
    pub created_at_ms: i64,
    /// Its folder.
    pub path: PathBuf,
    /// Whether a process has it open.
    pub in_use: bool,
    /// Why it cannot be opened at all, if so.
    pub problem: Option<String>,
}

/// An open profile. Its lock is held until the store's last owner is gone.
pub struct Opened {
    /// The database.
    pub store: Arc<Store>,
    /// Folder of the profile.
    pub path: PathBuf,
    /// What the header says.
    pub summary: ProfileSummary,
    proof_key: Mutex<ProofKey>,
}

impl Opened {
    /// Checks callers of the control socket; changes with the passphrase.
    pub fn proof_key(&self) -> ProofKey {
        // Only a clone or a store happens under this lock.
        self.proof_key
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Folder of all profiles of a home.
pub fn profiles_folder(home: &Path) -> PathBuf {
    home.join("profiles")
}

/// Folder of all backups of a home. Backups outlive the profile they were made of.
pub fn backups_folder(home: &Path) -> PathBuf {
    home.join("backups")
}

/// Lists the profiles of a home by name, damaged ones included. An absent home has none.
pub fn list(home: &Path) -> Result<Vec<ProfileSummary>, StoreError> {
    let folder = profiles_folder(home);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(reason) if reason.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(reason) => return Err(StoreError::io(&folder, reason)),
    };
    let mut profiles = Vec::new();
    for entry in entries {
        let path = entry
            .map_err(|reason| StoreError::io(&folder, reason))?
            .path();
        if path.is_dir() && !is_unfinished(&path) {
            profiles.push(summarise(&path));
        }
    }
    profiles.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| a.path.cmp(&b.path)));
    Ok(profiles)
}

fn summarise(path: &Path) -> ProfileSummary {
    let pair = Pair::read(path);
    match pair.newest() {
        Ok(header) => summary(path, header.public(), Lock::is_held(path)),
        Err(reason) => ProfileSummary {
            name: path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            id: [0; 16],
            member_public: [0; 32],
            created_at_ms: 0,
            path: path.to_owned(),
            in_use: Lock::is_held(path),
            problem: Some(reason.to_string()),
        },
    }
}

fn summary(path: &Path, public: &Public, in_use: bool) -> ProfileSummary {
    ProfileSummary {
        name: public.name.clone(),
        id: public.profile,
        member_public: public.member,
        created_at_ms: public.created_at_ms,
        path: path.to_owned(),
        in_use,
        problem: None,
    }
}

/// Finds a profile by name: in the folder that the name leads to, or, where folders were renamed
/// by hand, by what the headers say, or by the name of a damaged one's folder.
pub fn find(home: &Path, name: &str) -> Result<ProfileSummary, StoreError> {
    let name = name.trim();
    let expected = profiles_folder(home).join(folder::folder_name(name));
    if expected.is_dir() {
        let found = summarise(&expected);
        if found.problem.is_some() || found.name == name {
            return Ok(found);
        }
    }
    list(home)?
        .into_iter()
        .find(|profile| profile.name == name)
        .ok_or_else(|| StoreError::NotFound {
            what: "profile",
            name: name.to_owned(),
        })
}

/// Creates a profile and opens it.
pub fn create(
    home: &Path,
    name: &str,
    passphrase: &str,
    member_public: [u8; 32],
    created_at_ms: i64,
) -> Result<Opened, StoreError> {
    create_with(home, name, passphrase, member_public, created_at_ms, |_| {
        Ok(())
    })
}

/// Creates a profile with its first rows and opens it. The profile appears as a whole or not at
/// all.
pub fn create_with(
    home: &Path,
    name: &str,
    passphrase: &str,
    member_public: [u8; 32],
    created_at_ms: i64,
    first_rows: impl FnOnce(&Transaction<'_>) -> Result<(), StoreError> + Send + 'static,
) -> Result<Opened, StoreError> {
    let name = folder::checked_name(name)?;
    let public = Public::new(name, member_public, created_at_ms)?;
    let key = DatabaseKey::random()?;
    build(home, public, passphrase, &key, |folder| {
        Store::open(folder, &key, None)?.write(first_rows)
    })
}

/// Builds a profile in an unfinished folder, gives it its name, and opens it. `fill` puts the
/// database there.
pub(crate) fn build(
    home: &Path,
    public: Public,
    passphrase: &str,
    key: &DatabaseKey,
    fill: impl FnOnce(&Path) -> Result<(), StoreError>,
) -> Result<Opened, StoreError> {
    let profiles = profiles_folder(home);
    let path = profiles.join(folder::folder_name(&public.name));
    let taken = || StoreError::NameTaken(public.name.clone());
    if path.exists()
        || list(home)?
            .iter()
            .any(|profile| profile.name == public.name)
    {
        return Err(taken());
    }
    let root = crate::key::Root::derive(passphrase, &public.salt, public.cost)?;
    let header = Header::seal(public.clone(), key, &root)?;
    files::create_private_folder(&profiles)?;
    remove_unfinished(&profiles);
    let unfinished = Unfinished::begin(&profiles)?;
    fill(&unfinished.path)?;
    Pair::write(&unfinished.path, &header)?;
    unfinished.finish(&path, taken)?;
    let lock = Lock::take(&path, &public.name)?;
    open_locked(&path, &header, &root, lock)
}

/// Opens a profile: takes its lock, unwraps its key, mends a damaged copy of the header, and
/// brings the schema up to date.
pub fn open(home: &Path, name: &str, passphrase: &str) -> Result<Opened, StoreError> {
    let found = find(home, name)?;
    let lock = Lock::take(&found.path, &found.name)?;
    // Read under the lock: nobody is changing the passphrase now.
    let pair = Pair::read(&found.path);
    let header = pair.newest()?;
    let root = header.root(passphrase)?;
    header.unseal(&root)?;
    if pair.repair(header)? {
        tracing::warn!(flaws = ?pair.flaws(), "a copy of the header was mended");
    }
    open_locked(&found.path, header, &root, lock)
}

fn open_locked(
    path: &Path,
    header: &Header,
    root: &crate::key::Root,
    lock: Lock,
) -> Result<Opened, StoreError> {
    let key = header.unseal(root)?;
    let database = path.join(crate::connection::DATABASE);
    // SQLite would take an absent or empty file for a new database and show an empty profile.
    if fs::metadata(&database).map_or(0, |file| file.len()) == 0 {
        return Err(StoreError::Corrupt {
            path: Some(database),
            reason: "the database is missing or empty".to_owned(),
        });
    }
    Ok(Opened {
        store: Arc::new(Store::open(path, &key, Some(lock.into_file()))?),
        path: path.to_owned(),
        summary: summary(path, header.public(), true),
        proof_key: Mutex::new(root.proof_key()),
    })
}

/// Wraps the key of an open profile under a new passphrase. At any moment, a crash included,
/// exactly one of the two passphrases opens the profile. Backups keep the passphrase they were
/// made under.
pub fn change_passphrase(opened: &Opened, old: &str, new: &str) -> Result<(), StoreError> {
    if new.is_empty() {
        return Err(StoreError::EmptyPassphrase);
    }
    // Held throughout, so that two changes at once come one after the other.
    let mut proof_key = opened
        .proof_key
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let pair = Pair::read(&opened.path);
    let header = pair.newest()?;
    let key = header.unseal(&header.root(old)?)?;
    let public = header.public().renewed()?;
    let root = crate::key::Root::derive(new, &public.salt, public.cost)?;
    Pair::write(&opened.path, &Header::seal(public, &key, &root)?)?;
    *proof_key = root.proof_key();
    Ok(())
}

/// Checks a passphrase and derives what proves it to the process that holds the profile.
pub fn proof_key(home: &Path, name: &str, passphrase: &str) -> Result<ProofKey, StoreError> {
    let pair = Pair::read(&find(home, name)?.path);
    let header = pair.newest()?;
    let root = header.root(passphrase)?;
    header.unseal(&root)?;
    Ok(root.proof_key())
}

/// Deletes a profile. The header goes first: without it the rest cannot be decrypted, whatever a
/// disk keeps of it. Backups stay.
pub fn delete(home: &Path, name: &str, passphrase: &str) -> Result<(), StoreError> {
    let found = find(home, name)?;
    let lock = Lock::take(&found.path, &found.name)?;
    let pair = Pair::read(&found.path);
    let header = pair.newest()?;
    header.unseal(&header.root(passphrase)?)?;
    for name in COPIES {
        shred(&found.path.join(name))?;
    }
    // Out of the way first, so that a half-removed folder is not taken for a damaged profile.
    let gone = profiles_folder(home).join(format!("{UNFINISHED}{}", random_name()?));
    // Windows moves no folder with an open file in it.
    drop(lock);
    fs::rename(&found.path, &gone).map_err(|reason| StoreError::io(&found.path, reason))?;
    files::sync_folder_of(&gone)?;
    fs::remove_dir_all(&gone).map_err(|reason| StoreError::io(&gone, reason))
}

/// Overwrites a small file before removing it.
fn shred(path: &Path) -> Result<(), StoreError> {
    let overwrite = || -> std::io::Result<()> {
        let mut file = File::options().write(true).open(path)?;
        let length = usize::try_from(file.metadata()?.len()).unwrap_or(0);
        file.write_all(&vec![0; length])?;
        file.sync_all()?;
        fs::remove_file(path)
    };
    match overwrite() {
        Err(reason) if reason.kind() != std::io::ErrorKind::NotFound => {
            Err(StoreError::io(path, reason))
        }
        _ => files::sync_folder_of(path),
    }
}

fn random_name() -> Result<String, StoreError> {
    let mut random = [0; 8];
    getrandom::fill(&mut random)?;
    Ok(format!("{:016x}", u64::from_le_bytes(random)))
}

fn is_unfinished(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with(UNFINISHED))
}

/// Removes what crashes left behind. One that another process is still making is locked.
fn remove_unfinished(profiles: &Path) {
    let Ok(entries) = fs::read_dir(profiles) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        if is_unfinished(&path) && !Lock::is_held(&path) {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// A profile that is being made; removed again unless finished.
struct Unfinished {
    path: PathBuf,
    lock: Option<Lock>,
}

impl Unfinished {
    fn begin(profiles: &Path) -> Result<Self, StoreError> {
        let path = profiles.join(format!("{UNFINISHED}{}", random_name()?));
        files::create_private_folder(&path)?;
        let mut unfinished = Self { path, lock: None };
        unfinished.lock = Some(Lock::take(&unfinished.path, "")?);
        Ok(unfinished)
    }

    /// Gives the folder its name. Fails where that is taken: a rename never replaces a folder
    /// that has files in it.
    fn finish(mut self, path: &Path, taken: impl FnOnce() -> StoreError) -> Result<(), StoreError> {
        self.lock = None;
        if let Err(reason) = fs::rename(&self.path, path) {
            return Err(if path.exists() {
                taken()
            } else {
                StoreError::io(path, reason)
            });
        }
        path.clone_into(&mut self.path);
        let renamed = std::mem::take(&mut self.path);
        files::sync_folder_of(&renamed)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        self.lock = None;
        if is_unfinished(&self.path) {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// The exclusive lock of a profile's folder; released when the file is closed, by a crash too.
struct Lock(File);

impl Lock {
    fn take(folder: &Path, profile: &str) -> Result<Self, StoreError> {
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

    fn is_held(folder: &Path) -> bool {
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

    fn into_file(self) -> File {
        self.0
    }
}

#[cfg(test)]
mod tests;
