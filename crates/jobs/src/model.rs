//! Jobs and items as they are stored and shown.

use std::{fmt, str::FromStr, time::Duration};

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobState {
    /// Not begun.
    Waiting,
    /// Being worked on by this process.
    Running,
    /// Stopped by the user or by a condition that the user can mend; `error` says which.
    Paused,
    /// The process ended while it ran.
    Interrupted,
    /// All items done or skipped.
    Done,
    /// All items settled, some failed.
    DoneInPart,
    /// It could not be run at all, or every item failed.
    Failed,
    /// Ended by the user; what is done stays.
    Cancelled,
}

/// Where an item stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ItemState {
    /// To be done.
    Waiting,
    /// Claimed by a worker.
    Running,
    /// Done.
    Done,
    /// Failed, with a reason.
    Failed,
    /// Found done already.
    Skipped,
}

/// A state that no version of this crate writes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no state of a job or an item")]
pub struct UnknownState(pub String);

macro_rules! names {
    ($type:ty { $($variant:ident = $name:literal,)* }) => {
        impl $type {
            /// All states.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name that is stored and shown.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }

        impl FromStr for $type {
            type Err = UnknownState;

            fn from_str(name: &str) -> Result<Self, UnknownState> {
                match name {
                    $($name => Ok(Self::$variant),)*
                    _ => Err(UnknownState(name.to_owned())),
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

names!(JobState {
    Waiting = "waiting",
    Running = "running",
    Paused = "paused",
    Interrupted = "interrupted",
    Done = "done",
    DoneInPart = "done_in_part",
    Failed = "failed",
    Cancelled = "cancelled",
});

names!(ItemState {
    Waiting = "waiting",
    Running = "running",
    Done = "done",
    Failed = "failed",
    Skipped = "skipped",
});

impl JobState {
    /// Whether nothing more will happen without a retry.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            Self::Done | Self::DoneInPart | Self::Failed | Self::Cancelled
        )
    }
}

impl ItemState {
    /// Whether the item has its result.
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Skipped)
    }
}

/// How far a job is, in units of its kind (a picture, a product).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All units listed so far.
    pub total: u64,
    /// Units done.
    pub done: u64,
    /// Units that failed.
    pub failed: u64,
    /// Units found done already.
    pub skipped: u64,
}

impl Counts {
    /// Units that have their result.
    pub fn settled(&self) -> u64 {
        self.done + self.failed + self.skipped
    }
}

/// A job to be queued.
#[derive(Clone, Debug, PartialEq)]
pub struct NewJob {
    /// The kind, as its [`Work`](crate::Work) names it.
    pub kind: String,
    /// Version of the kind's parameters and results.
    pub version: u32,
    /// One line that says what it does.
    pub title: String,
    /// The kind's own parameters: everything that decides the results.
    pub params: serde_json::Value,
    /// Folder or file of the results.
    pub out: Option<String>,
    /// `cpu`, or `gpu: ADAPTER`.
    pub backend: String,
}

/// A job.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Its number, never reused.
    pub id: i64,
    /// The kind, as its [`Work`](crate::Work) names it.
    pub kind: String,
    /// Version of the kind's parameters and results.
    pub version: u32,
    /// One line that says what it does.
    pub title: String,
    /// The kind's own parameters.
    pub params: serde_json::Value,
    /// Where it stands.
    pub state: JobState,
    /// Whether all items have been listed.
    pub listed: bool,
    /// Input of the last item listed, from where an interrupted listing goes on.
    pub cursor: Option<String>,
    /// How far it is.
    pub counts: Counts,
    /// Time worked on it, over all runs.
    pub worked: Duration,
    /// Highest resident memory of the process seen while it ran, in bytes.
    pub peak_memory: u64,
    /// `cpu`, or `gpu: ADAPTER`.
    pub backend: String,
    /// Folder or file of the results.
    pub out: Option<String>,
    /// Why it failed or was paused, if a reason is known.
    pub error: Option<String>,
    /// When it was queued, Unix milliseconds.
    pub created_at: i64,
}

/// An item to be added to a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewItem {
    /// What it works on: a path, a range of keys. Unique and increasing in the order of the listing
    /// as [`Run::list`](crate::Run::list) defines it: an interrupted listing goes on after it.
    pub input: String,
    /// Where its output is meant to go, or empty.
    pub target: String,
    /// Units it stands for: 1 for a picture, the number of products for a page of them.
    pub units: u64,
}

/// An item, with its result once it has one.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Its job.
    pub job: i64,
    /// Position in the job, from 0.
    pub position: u64,
    /// What it works on.
    pub input: String,
    /// Where its output is meant to go, or empty.
    pub target: String,
    /// Units it stands for.
    pub units: u64,
    /// Where it stands.
    pub state: ItemState,
    /// How often it was begun. Also the generation of its claim.
    pub attempts: u32,
    /// Why it failed.
    pub error: Option<String>,
    /// Hash of everything that decides its output, hexadecimal; empty until known.
    pub key: String,
    /// What it made.
    pub output: Option<String>,
    /// BLAKE3 of the output, hexadecimal.
    pub hash: Option<String>,
    /// How it was made, such as `web:cpu`.
    pub method: String,
    /// A quality score, for methods that have one.
    pub score: Option<f64>,
    /// How long it took.
    pub took: Duration,
}
