//! Profiles: making, finding, opening, deleting.
//!
//! A home folder holds `profiles/<folder>/` for each profile, with `header.a`, `header.b`, `lock`
//! and `data.db`, and `backups/`. The folder's name is derived from the profile's; the header
//! says the name itself.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::Transaction;

use crate::{
    ProofKey, Store, StoreError, files, folder,
    header::{Header, Pair, Public},
    key::{DatabaseKey, Root},
    lock::Lock,
    recovery::{Recovery, RecoveryCode},
    unfinished::{self, Unfinished},
};

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
        if path.is_dir() && !unfinished::is_one(&path) {
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
    create_with(
        home,
        name,
        passphrase,
        None,
        member_public,
        created_at_ms,
        |_| Ok(()),
    )
}

/// Creates a profile with its first rows and opens it. The profile appears as a whole or not at
/// all. A recovery code is a second way in beside the passphrase.
pub fn create_with(
    home: &Path,
    name: &str,
    passphrase: &str,
    recovery: Option<&RecoveryCode>,
    member_public: [u8; 32],
    created_at_ms: i64,
    first_rows: impl FnOnce(&Transaction<'_>) -> Result<(), StoreError> + Send + 'static,
) -> Result<Opened, StoreError> {
    let name = folder::checked_name(name)?;
    let public = Public::new(name, member_public, created_at_ms)?;
    let key = DatabaseKey::random()?;
    let recovery = recovery.map(|code| Recovery::seal(code, &key, &member_public));
    build(
        home,
        public,
        passphrase,
        &key,
        recovery.transpose()?,
        |folder| Store::open(folder, &key, None)?.write(first_rows),
    )
}

/// Builds a profile in an unfinished folder, gives it its name, and opens it. `fill` puts the
/// database there.
pub(crate) fn build(
    home: &Path,
    public: Public,
    passphrase: &str,
    key: &DatabaseKey,
    recovery: Option<Recovery>,
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
    let root = Root::derive(passphrase, &public.salt, public.cost)?;
    let header = Header::seal(public.clone(), key, &root, recovery)?;
    files::create_private_folder(&profiles)?;
    unfinished::sweep(&profiles);
    let unfinished = Unfinished::begin(&profiles)?;
    fill(unfinished.path())?;
    Pair::write(unfinished.path(), &header)?;
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
    match pair.repair(header) {
        Ok(false) => {}
        Ok(true) => tracing::warn!(flaws = ?pair.flaws(), "a copy of the header was mended"),
        // The other copy is good: no reason to keep the user out.
        Err(reason) => {
            tracing::warn!(flaws = ?pair.flaws(), %reason, "a copy of the header cannot be mended");
        }
    }
    open_locked(&found.path, header, &root, lock)
}

fn open_locked(
    path: &Path,
    header: &Header,
    root: &Root,
    lock: Lock,
) -> Result<Opened, StoreError> {
    let key = header.unseal(root)?;
    // Scratch work that a crash left.
    unfinished::sweep(path);
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
/// made under. A profile that had no recovery code gets one, which is returned; another's stays.
pub fn change_passphrase(
    opened: &Opened,
    old: &str,
    new: &str,
) -> Result<Option<RecoveryCode>, StoreError> {
    rewrap(opened, old, new, |had| match had {
        Some(_) => Ok(None),
        None => RecoveryCode::random().map(Some),
    })
}

/// Gives an open profile a new recovery code. The one before is void from now on, though not for backups made before.
pub fn new_recovery(opened: &Opened, passphrase: &str) -> Result<RecoveryCode, StoreError> {
    let code = RecoveryCode::random()?;
    rewrap(opened, passphrase, passphrase, |_| Ok(Some(code.clone())))?;
    Ok(code)
}

/// Writes a new header with the passphrase, and the recovery code unless the one before is to stay.
fn rewrap(
    opened: &Opened,
    old: &str,
    new: &str,
    recovery: impl FnOnce(Option<&Recovery>) -> Result<Option<RecoveryCode>, StoreError>,
) -> Result<Option<RecoveryCode>, StoreError> {
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
    let code = recovery(header.recovery())?;
    let wrapped = match &code {
        Some(code) => Some(Recovery::seal(code, &key, &header.public().member)?),
        None => header.recovery().cloned(),
    };
    let public = header.public().renewed()?;
    let root = Root::derive(new, &public.salt, public.cost)?;
    Pair::renew(&opened.path, &Header::seal(public, &key, &root, wrapped)?)?;
    *proof_key = root.proof_key();
    Ok(code)
}

/// Lets one who forgot the passphrase back in: wraps the key under a new one and a new recovery code, which is returned.
/// The code that was given is void from now on.
pub fn recover(
    home: &Path,
    name: &str,
    code: &RecoveryCode,
    passphrase: &str,
) -> Result<RecoveryCode, StoreError> {
    let found = find(home, name)?;
    let _lock = Lock::take(&found.path, &found.name)?;
    let pair = Pair::read(&found.path);
    let header = pair.newest()?;
    let key = header.recover(code)?;
    let fresh = RecoveryCode::random()?;
    let wrapped = Recovery::seal(&fresh, &key, &header.public().member)?;
    let public = header.public().renewed()?;
    let root = Root::derive(passphrase, &public.salt, public.cost)?;
    Pair::renew(
        &found.path,
        &Header::seal(public, &key, &root, Some(wrapped))?,
    )?;
    Ok(fresh)
}

/// Checks a passphrase and derives what proves it to the process that holds the profile.
pub fn proof_key(home: &Path, name: &str, passphrase: &str) -> Result<ProofKey, StoreError> {
    let pair = Pair::read(&find(home, name)?.path);
    let header = pair.newest()?;
    let root = header.root(passphrase)?;
    header.unseal(&root)?;
    Ok(root.proof_key())
}

/// Deletes a profile. It goes as a whole: first out of the list, then its header, without which the rest cannot be
/// decrypted, whatever a disk keeps of it, then the rest. Backups stay.
pub fn delete(home: &Path, name: &str, passphrase: &str) -> Result<(), StoreError> {
    let profiles = profiles_folder(home);
    // What a deletion left that was cut short goes first.
    unfinished::sweep(&profiles);
    let found = find(home, name)?;
    let mut lock = Some(Lock::take(&found.path, &found.name)?);
    let pair = Pair::read(&found.path);
    let header = pair.newest()?;
    header.unseal(&header.root(passphrase)?)?;
    let gone = unfinished::new_path(&profiles)?;
    if cfg!(windows) {
        // Windows moves no folder with an open file in it.
        lock = None;
    }
    fs::rename(&found.path, &gone).map_err(|reason| StoreError::io(&found.path, reason))?;
    files::sync_folder_of(&gone)?;
    let removed = unfinished::remove(&gone);
    drop(lock);
    match removed {
        // Another may have swept it meanwhile.
        Err(reason) if reason.kind() != std::io::ErrorKind::NotFound => {
            Err(StoreError::io(&gone, reason))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
