//! The shared page of a room: its notes.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Longest text, in bytes.
pub const MAX_TEXT: usize = artel_domain::limits::MAX_PAGE_TEXT;

/// The notes of a room.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct NotesShow {
    /// Id or name of the room; `SPACE/ROOM` where the name is not unique.
    pub room: String,
}

/// Opens the notes of a room. Where there are some, new ones take their place, with the same text.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct NotesOpen {
    /// Id or name of the room.
    pub room: String,
    /// Whether students edit them; teachers and owners always do. As the rules of the space say, unless given.
    pub students: Option<bool>,
}

/// Gives the notes of a room a new text, made from an earlier one; what others wrote since is kept.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct NotesEdit {
    /// Id or name of the room.
    pub room: String,
    /// `base` of the text that this one was made from.
    pub base: Vec<String>,
    /// The new text; at most 32 KiB.
    pub text: String,
}

/// The notes of a room.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Notes {
    /// Who edits them: `teachers` (and owners), or `students` as well. Absent if there are none; then the rest is empty.
    pub editors: Option<String>,
    /// The text.
    pub text: String,
    /// What the text consists of; to be given back with a new one.
    pub base: Vec<String>,
    /// Whether the caller edits them.
    pub editable: bool,
    /// Who edits notes that are opened without saying, by the rules of the space: `teachers`, or `students` as well.
    pub opens_to: String,
    /// Whether the caller may open notes here.
    pub may_open: bool,
    /// Name of who wrote the latest change.
    pub changed_by: Option<String>,
    /// When, by that person's clock, Unix milliseconds.
    pub changed_at: Option<i64>,
}
