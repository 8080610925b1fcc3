//! The storage that the engine needs, as a narrow trait.

use std::time::Duration;

use crate::{
    model::{Item, ItemState, Job, JobState, NewItem, NewJob},
    work::Verdict,
};

/// The rows could not be read or written. The engine stops the job and says so.
#[derive(Debug, thiserror::Error)]
#[error("the job queue could not be used: {0}")]
pub struct QueueError(#[from] pub Box<dyn std::error::Error + Send + Sync>);

/// What a job has cost so far, over all its runs. Every checkpoint keeps it, so that a process that
/// is killed forgets no more than the items it had in hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    /// Time worked.
    pub worked: Duration,
    /// Highest resident memory of the process seen, in bytes.
    pub peak_memory: u64,
}

/// Result of one claimed item.
#[derive(Clone, Debug, PartialEq)]
pub struct Settlement {
    /// Position of the item.
    pub position: u64,
    /// `attempts` of the item as it was claimed: a settlement of an older claim is not accepted.
    pub generation: u32,
    /// Units that the item stands for.
    pub units: u64,
    /// What came of it.
    pub verdict: Verdict,
    /// How long it took.
    pub took: Duration,
    /// What the job has cost with it.
    pub effort: Effort,
}

/// What [`Queue::step`] did.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The item as it was settled; `None` when there was nothing to settle or it came too late.
    pub settled: Option<Item>,
    /// The next item, claimed.
    pub claimed: Option<Item>,
}

/// How a run of a job ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Conclusion {
    /// The state it is left in.
    pub state: JobState,
    /// Why, if a reason is known.
    pub error: Option<String>,
    /// What the job has cost.
    pub effort: Effort,
}

/// Storage of jobs and items. Every method is one transaction and durable when it returns. Where an
/// [`Effort`] is given, a job keeps the higher of what it has and what it is given: efforts of
/// several workers may come out of order.
pub trait Queue: Send + Sync + 'static {
    /// Adds a job in state `waiting` and returns its number.
    fn insert(&self, job: &NewJob) -> Result<i64, QueueError>;

    /// One job.
    fn job(&self, job: i64) -> Result<Option<Job>, QueueError>;

    /// All jobs, newest first; with `active` only those not in a final state.
    fn jobs(&self, active: bool) -> Result<Vec<Job>, QueueError>;

    /// Items in this state (all when `None`) by position, and how many there are.
    fn items(
        &self,
        job: i64,
        state: Option<ItemState>,
        offset: u64,
        limit: u32,
    ) -> Result<(Vec<Item>, u64), QueueError>;

    /// Items in any state whose position is at least `from`, by position: for going through a job
    /// of any size at a constant price.
    fn items_from(&self, job: i64, from: u64, limit: u32) -> Result<Vec<Item>, QueueError>;

    /// Adds a page of items, moves the cursor to the last of them, raises the total and keeps the
    /// effort; with `last` the listing is complete.
    fn append(
        &self,
        job: i64,
        items: &[NewItem],
        last: bool,
        effort: Effort,
    ) -> Result<(), QueueError>;

    /// Marks a job as running in the process `boot`, with no error, if it still is in the state `seen`. Says whether it
    /// was.
    fn begin(&self, job: i64, boot: &str, seen: JobState) -> Result<bool, QueueError>;

    /// Settles an item with the effort and, in the same transaction, claims the next waiting one (its
    /// `attempts` goes up by one). A settlement is accepted only if the item is still running in that
    /// generation. A verdict of [`Verdict::Later`] puts the item back.
    fn step(
        &self,
        job: i64,
        settlement: Option<&Settlement>,
        claim: bool,
    ) -> Result<Step, QueueError>;

    /// Ends a run: sets the state, puts running items back to `waiting` and keeps the effort.
    fn conclude(&self, job: i64, conclusion: &Conclusion) -> Result<(), QueueError>;

    /// Puts all failed items back to `waiting`, with no attempts, and, if there are any, the job too. Returns how many.
    fn retry_failed(&self, job: i64) -> Result<u64, QueueError>;

    /// Jobs that another process left running become `interrupted`, and their running items
    /// `waiting`, or failed once they have been begun [`MAX_ATTEMPTS`](crate::MAX_ATTEMPTS) times.
    fn recover(&self, boot: &str) -> Result<(), QueueError>;

    /// The newest item of any job that has this key and this target and is done or skipped.
    fn find_done(&self, key: &str, target: &str) -> Result<Option<Item>, QueueError>;
}
