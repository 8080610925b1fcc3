//! Jobs: durable work with items, progress, pause, resume, cancel, retry.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Lists jobs, newest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
pub struct JobList {
    /// Only those not finished.
    #[serde(default)]
    pub active: bool,
}

/// Shows one job.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct JobShow {
    /// Job number.
    pub job: i64,
}

/// Lists items of a job in their order.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct JobItems {
    /// Job number.
    pub job: i64,
    /// Only items in this state: `waiting`, `running`, `done`, `failed`, `skipped`.
    pub state: Option<String>,
    /// Skip this many.
    #[serde(default)]
    pub offset: u64,
    /// At most this many: 100 unless given, 1,000 at most.
    pub limit: Option<u32>,
}

/// Pauses a job: running items finish, no new ones start.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct JobPause {
    /// Job number.
    pub job: i64,
}

/// Goes on with a paused or interrupted job.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct JobResume {
    /// Job number.
    pub job: i64,
}

/// Ends a job; what is done stays.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct JobCancel {
    /// Job number.
    pub job: i64,
}

/// Tries the failed items of a job again.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct JobRetry {
    /// Job number.
    pub job: i64,
}

/// A job. The fields up to `backend` are the report of a batch.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct JobInfo {
    /// Job number.
    pub job: i64,
    /// `images` or `catalog`.
    pub kind: String,
    /// One line that says what it does.
    pub title: String,
    /// `waiting`, `running`, `paused`, `interrupted`, `done`, `done_in_part`, `failed`, `cancelled`.
    pub state: String,
    /// Items in all.
    pub total: u64,
    /// Items done.
    pub done: u64,
    /// Items failed.
    pub failed: u64,
    /// Items skipped, being done already.
    pub skipped: u64,
    /// Seconds of work so far.
    pub seconds: f64,
    /// Items finished a second, over the run.
    pub per_second: f64,
    /// Peak memory of the process in megabytes.
    pub peak_memory_mb: f64,
    /// `cpu`, or `gpu: ADAPTER`.
    pub backend: String,
    /// Seconds to go, once it can be said.
    pub remaining_s: Option<f64>,
    /// When it was made, Unix milliseconds.
    pub created_at: i64,
    /// Folder or file of the results.
    pub out: Option<String>,
    /// Why it failed as a whole, if it did.
    pub error: Option<String>,
}

/// Items of a job.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct ItemPage {
    /// The items.
    pub items: Vec<ItemInfo>,
    /// How many there are in that state.
    pub total: u64,
}

/// One item of a job.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct ItemInfo {
    /// Position in the job, from 0.
    pub index: u64,
    /// What it works on: a path, a product.
    pub input: String,
    /// `waiting`, `running`, `done`, `failed` or `skipped`.
    pub state: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it failed.
    pub error: Option<String>,
    /// What it made.
    pub output: Option<String>,
    /// BLAKE3 of the output, hexadecimal.
    pub hash: Option<String>,
    /// Seconds it took.
    pub seconds: f64,
    /// Media id of a thumbnail, if there can be one (`item/<job>/<index>`).
    pub preview: Option<String>,
}
