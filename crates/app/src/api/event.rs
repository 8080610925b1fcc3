//! What Artel tells without being asked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{jobs::JobInfo, rooms::Message};

/// Something happened. Heavy data never travels here: a listener asks for it.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// A job changed or moved on; at most about ten a second for each job.
    Job {
        /// The job as it is now.
        job: Box<JobInfo>,
    },
    /// A message was shown for the first time, or changed.
    Message {
        /// Room id.
        room: String,
        /// The message.
        message: Box<Message>,
    },
    /// Spaces, rooms or members changed; ask again.
    Spaces,
    /// Peers came or went; ask again.
    Peers,
    /// Somebody has read on in a room; ask again for who has read what.
    Reads {
        /// Room id.
        room: String,
    },
    /// The notes of a room changed; ask again.
    Notes {
        /// Room id.
        room: String,
    },
    /// Price series changed; ask again.
    Market,
    /// Products changed; ask again.
    Catalog,
    /// Files of a message arrived or moved on.
    Attachment {
        /// Attachment id.
        attachment: String,
        /// Bytes that are here and verified.
        have: u64,
        /// Size in bytes.
        size: u64,
    },
    /// A word for the user.
    Notice(Notice),
    /// Events were lost on the way to a slow listener; ask again for everything.
    Missed,
    /// The profile was locked; the session is over.
    Locked,
}

/// A word for the user, shown once.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Notice {
    /// How serious it is.
    pub level: NoticeLevel,
    /// Stable code, for translation.
    pub code: String,
    /// English text.
    pub message: String,
    /// What the text is about, by name, for translation.
    #[serde(default)]
    pub params: BTreeMap<String, String>,
}

/// How serious a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum NoticeLevel {
    /// Good to know.
    Note,
    /// Something needs attention.
    Warning,
    /// Something failed.
    Bad,
}
