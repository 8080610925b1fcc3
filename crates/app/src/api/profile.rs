//! Profiles: one person's encrypted data on this machine.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Lists the profiles of this home.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
pub struct ProfileList {}

/// Creates a profile.
#[derive(Clone, Serialize, Deserialize, TS)]
pub struct ProfileNew {
    /// Name shown to others; also names the folder.
    pub name: String,
    /// Opens the profile.
    pub passphrase: String,
}

/// Lets one who forgot the passphrase back in, by the recovery code. That code is void afterwards.
#[derive(Clone, Serialize, Deserialize, TS)]
pub struct ProfileRecover {
    /// The profile.
    pub name: String,
    /// Six groups of five characters.
    pub code: String,
    /// The new passphrase.
    pub passphrase: String,
}

/// Makes a new recovery code; the one before is void afterwards.
#[derive(Clone, Serialize, Deserialize, TS)]
pub struct ProfileRecovery {
    /// The passphrase.
    pub passphrase: String,
}

/// Deletes a profile and everything in it.
#[derive(Clone, Serialize, Deserialize, TS)]
pub struct ProfileDelete {
    /// The profile.
    pub name: String,
    /// Its passphrase.
    pub passphrase: String,
}

/// Shows the open profile.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
pub struct ProfileShow {}

/// Changes the passphrase; the data is not encrypted anew. A profile without a recovery code gets one.
#[derive(Clone, Serialize, Deserialize, TS)]
pub struct ProfilePasswd {
    /// The present passphrase.
    pub old: String,
    /// The new one.
    pub new: String,
}

/// Locks the open profile: stops its network and jobs and lets go of its keys. The reply comes
/// before that is done.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
pub struct ProfileLock {}

/// One profile of this home, as far as it can be seen without opening it.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct ProfileInfo {
    /// Its name.
    pub profile: String,
    /// Public part of the member key, hexadecimal.
    pub member: String,
    /// Whether a process holds it now.
    pub in_use: bool,
    /// When it was made, Unix milliseconds.
    pub created_at: i64,
    /// Whether its files can be read at all; the reason if not.
    pub problem: Option<String>,
}

/// A profile was created.
#[derive(Clone, Serialize, Deserialize, TS)]
pub struct ProfileCreated {
    /// Its name.
    pub profile: String,
    /// Public part of the member key, hexadecimal.
    pub member: String,
    /// Opens the profile when the passphrase is forgotten. It is shown this once.
    pub recovery: String,
}

/// A recovery code was made.
#[derive(Clone, Serialize, Deserialize, TS)]
pub struct RecoveryMade {
    /// The profile.
    pub profile: String,
    /// The code: six groups of five characters. It is shown this once.
    pub recovery: String,
}

/// The passphrase was changed.
#[derive(Clone, Serialize, Deserialize, TS)]
pub struct PassphraseChanged {
    /// The recovery code that was made, where there had been none. It is shown this once.
    pub recovery: Option<String>,
}

/// The open profile.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct ProfileDetail {
    /// Its name.
    pub profile: String,
    /// Public part of the member key, hexadecimal.
    pub member: String,
    /// Public part of this installation's device key, hexadecimal.
    pub device: String,
    /// This run of the feeds, hexadecimal.
    pub incarnation: String,
    /// Folder of the profile.
    pub path: String,
    /// Size of its files in bytes.
    pub bytes: u64,
    /// Version of the database schema.
    pub schema: u32,
    /// When it was made, Unix milliseconds.
    pub created_at: i64,
}
