//! The one error that leaves the façade: a code to act on, a message for people, a way out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Why a command failed. The message names the thing and the reason, the hint the way out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, thiserror::Error)]
#[error("{message}")]
pub struct AppError {
    /// What went wrong, for programs and for translation.
    pub code: Code,
    /// What went wrong, with which input, in English.
    pub message: String,
    /// What to do about it.
    pub hint: String,
    /// Values for a translated message.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
}

/// Error codes. A code exists only where someone acts on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The arguments are wrong.
    BadArguments,
    /// There is no such thing.
    NotFound,
    /// A name fits several things.
    Ambiguous,
    /// There is such a thing already.
    Exists,
    /// The name cannot be used.
    BadName,
    /// The passphrase is wrong.
    WrongPassphrase,
    /// No passphrase was given.
    PassphraseNeeded,
    /// The recovery code is mistyped, void, or of another profile.
    RecoveryWrong,
    /// The profile has no recovery code.
    RecoveryNone,
    /// Another process holds the profile.
    InUse,
    /// The profile is not open.
    Locked,
    /// Files of the profile are damaged.
    Damaged,
    /// A newer version of Artel wrote this.
    TooNew,
    /// The disk is full, or would be.
    DiskFull,
    /// A file could not be read or written.
    File,
    /// A file is not what it should be.
    BadInput,
    /// The caller's role does not allow it.
    NotAllowed,
    /// The invite is wrong.
    InviteWrong,
    /// The invite has ended.
    InviteExpired,
    /// No member could be reached.
    NobodyThere,
    /// It took too long.
    Timeout,
    /// The network is not running.
    Offline,
    /// The content does not match its hash.
    HashMismatch,
    /// It is over a limit.
    TooLarge,
    /// It cannot be done in this state.
    WrongState,
    /// No graphics adapter can be used.
    NoGpu,
    /// It was cancelled.
    Cancelled,
    /// A job stopped before its end, and can go on.
    Stopped,
    /// A fault in Artel.
    Internal,
}

impl AppError {
    /// An error that says what was wrong, with which input, and what to do about it.
    pub fn new(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: hint.into(),
            params: BTreeMap::new(),
        }
    }

    /// An error of a library whose words may have the way out after a semicolon, or else this one.
    pub(crate) fn of(code: Code, reason: &impl ToString, otherwise: &str) -> Self {
        let text = reason.to_string();
        match text.rsplit_once("; ") {
            Some((message, hint)) => Self::new(code, message, sentence(hint)),
            None => Self::new(code, text, otherwise),
        }
    }

    /// Message and way out as one text.
    pub fn in_full(&self) -> String {
        format!("{}. {}", self.message, self.hint)
    }

    /// Adds a value for a translated message.
    #[must_use]
    pub fn param(mut self, name: &str, value: impl ToString) -> Self {
        self.params.insert(name.to_owned(), value.to_string());
        self
    }

    /// The arguments of a command do not decode.
    pub(crate) fn bad_arguments(command: &str, reason: &serde_json::Error) -> Self {
        Self::new(
            Code::BadArguments,
            format!("{command}: {reason}"),
            "The two programs may be of different versions. Update both.",
        )
    }

    /// No command has this name.
    pub(crate) fn unknown_command(name: &str) -> Self {
        Self::new(
            Code::BadArguments,
            format!("there is no command \"{name}\""),
            "The two programs may be of different versions. Update both.",
        )
    }

    /// A fault in Artel itself.
    pub fn internal(reason: &impl ToString) -> Self {
        Self::new(
            Code::Internal,
            reason.to_string(),
            "This is a fault in Artel. Please report it with the words above.",
        )
    }
}

/// What to do about a file or folder that the system does not give.
pub(crate) fn way_out(reason: &std::io::Error) -> &'static str {
    use std::io::ErrorKind::{
        InvalidData, InvalidFilename, InvalidInput, IsADirectory, NotFound, PermissionDenied,
        QuotaExceeded, ReadOnlyFilesystem, StorageFull,
    };
    match reason.kind() {
        NotFound => "Check the path.",
        IsADirectory => "That is a folder. Name a file.",
        InvalidInput => "Name a file.",
        InvalidFilename => "Rename it first.",
        InvalidData => "Save it as text in UTF-8.",
        StorageFull | QuotaExceeded => "Free some space, or choose another disk.",
        PermissionDenied | ReadOnlyFilesystem => {
            "Your user may not do this there. Allow it, or choose another place."
        }
        _ => "Look at the file and at the disk that it is on, and try again.",
    }
}

/// A way out as a sentence.
fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    match rest.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), rest.as_str()),
        None => String::new(),
    }
}

impl From<tokio::task::JoinError> for AppError {
    fn from(reason: tokio::task::JoinError) -> Self {
        Self::internal(&reason)
    }
}

impl From<artel_compute::gpu::UnknownBackend> for AppError {
    fn from(reason: artel_compute::gpu::UnknownBackend) -> Self {
        Self::new(
            Code::BadArguments,
            reason.to_string(),
            "Leave --backend out: the faster one is taken.",
        )
    }
}

impl From<artel_domain::role::UnknownRole> for AppError {
    fn from(reason: artel_domain::role::UnknownRole) -> Self {
        Self::of(Code::BadArguments, &reason, "Name one of them.")
    }
}
