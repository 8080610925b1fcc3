//! Health, backup, restore.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Checks the profile and the machine.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
pub struct CareHealth {}

/// Makes an encrypted backup while everything runs.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
pub struct CareBackup {}

/// Lists backups, newest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
pub struct CareBackups {}

/// Reads a backup through and checks it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
pub struct CareVerify {
    /// Name or path of the backup; the newest unless given.
    pub backup: Option<String>,
}

/// Restores a backup as a new profile with a new device and new feeds.
#[derive(Clone, Serialize, Deserialize, TS)]
pub struct CareRestore {
    /// Path of the backup, or its name among the backups of this home.
    pub backup: String,
    /// Passphrase of the profile when the backup was made.
    pub passphrase: String,
    /// Name of the new profile; the old name, if free, unless given.
    pub name: Option<String>,
    /// Only say what would be done.
    #[serde(default)]
    pub dry_run: bool,
    /// Let the device of the backup go on. Unless set, and unless the profile still lives in this home, it is ended in
    /// each space once a member was met there.
    #[serde(default)]
    pub keep_device: bool,
}

/// Outcome of the health check.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Health {
    /// `well`, `warnings` or `critical`.
    pub verdict: String,
    /// What was looked at.
    pub checks: Vec<Check>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Check {
    /// What was looked at, such as `database` or `disk_space`.
    pub name: String,
    /// `well`, `warning` or `critical`.
    pub grade: String,
    /// Stable code of what was found, such as `disk_space_low`, for translation.
    pub code: String,
    /// What was found, in English.
    pub message: String,
    /// Values of the message, for a translated one.
    pub params: BTreeMap<String, String>,
    /// What to do, if anything.
    pub hint: Option<String>,
}

/// A backup.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct BackupInfo {
    /// Its name.
    pub backup: String,
    /// Its file.
    pub path: String,
    /// Profile it was made of.
    pub profile: String,
    /// When, Unix milliseconds.
    pub at: i64,
    /// Size in bytes.
    pub bytes: u64,
    /// Seconds it took; only known when just made.
    pub seconds: Option<f64>,
    /// Why it cannot be restored, as far as its beginning shows.
    pub problem: Option<String>,
}

/// Outcome of reading a backup through.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Verified {
    /// The backup.
    pub backup: String,
    /// Whether it can be restored.
    pub good: bool,
    /// What was counted: (table, rows).
    pub tables: Vec<(String, u64)>,
    /// What is wrong, if anything.
    pub problem: Option<String>,
}

/// Outcome of a restore.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Restored {
    /// The new profile.
    pub profile: String,
    /// The member, the same as before.
    pub member: String,
    /// The new device; absent in a dry run.
    pub device: Option<String>,
    /// Whether the device of the backup is ended in each space once a member was met there.
    pub retires: bool,
    /// What was counted: (table, rows).
    pub tables: Vec<(String, u64)>,
}
