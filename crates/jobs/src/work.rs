//! What a kind of job does: the traits it implements.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use std::time::Duration;

use crate::model::{Item, Job, NewItem};

/// A kind of job, such as `images`.
pub trait Work: Send + Sync + 'static {
    /// Name of the kind, as stored in [`Job::kind`].
    fn kind(&self) -> &'static str;

    /// Version of parameters and results that this program writes. A job with a higher one is
    /// refused, one with a lower one is the kind's own business.
    fn version(&self) -> u32;

    /// Makes a job ready to run, or says why it cannot (its whole failure).
    fn open(&self, job: &Job) -> Result<Arc<dyn Run>, Failure>;
}

/// Items of a listing, lazily, in a fixed order.
pub type Listing = Box<dyn Iterator<Item = Result<NewItem, Failure>> + Send>;

/// One opened job. All methods are called from threads of the engine and may block.
pub trait Run: Send + Sync {
    /// Lists the items after the one whose input is `after`, or from the beginning. The engine
    /// stores them page by page and keeps none in memory.
    fn list(&self, after: Option<&str>) -> Result<Listing, Failure>;

    /// Called once before items are performed, on each start and resume.
    fn begin(&self, _job: &Job) -> Result<(), Failure> {
        Ok(())
    }

    /// Memory in bytes that performing the item will take; the engine admits items by it. Cheap:
    /// a header may be read, not a file. When it cannot be said, an estimate.
    fn memory(&self, item: &Item) -> u64;

    /// Workers at most; the engine has its own limit besides.
    fn workers(&self) -> usize {
        usize::MAX
    }

    /// Longest time an item may take before it is given up.
    fn time_limit(&self) -> Duration {
        Duration::from_mins(5)
    }

    /// Does the item. It must be harmless to do again, and its output must be complete under its
    /// final name (temporary name, fsync, rename; or a committed transaction) when it returns.
    fn perform(&self, item: &Item, attempt: &Attempt) -> Result<Outcome, Failure>;

    /// Called after an item's result was committed; one call at a time.
    fn settled(&self, _item: &Item) -> Result<(), Failure> {
        Ok(())
    }

    /// Removes what a broken attempt at this item may have left.
    fn discard(&self, _item: &Item) {}

    /// Called once when all items are settled, also when a stop was asked for while the last of them were in hand. It
    /// must be harmless to do again.
    fn finish(&self, _job: &Job) -> Result<(), Failure> {
        Ok(())
    }
}

/// What the engine tells an item while it is performed.
#[derive(Clone, Debug, Default)]
pub struct Attempt {
    given_up: Arc<AtomicBool>,
}

impl Attempt {
    /// Whether the engine has stopped waiting for this item: nothing may be made visible any more.
    pub fn given_up(&self) -> bool {
        self.given_up.load(Ordering::Acquire)
    }

    /// Stops waiting for it.
    pub(crate) fn give_up(&self) {
        self.given_up.store(true, Ordering::Release);
    }
}

/// Units of one item by what came of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Units done.
    pub done: u64,
    /// Units that failed.
    pub failed: u64,
    /// Units found done already.
    pub skipped: u64,
}

/// Result of an item that was performed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// It was found done already.
    pub skipped: bool,
    /// Hash of everything that decides the output, hexadecimal; empty where nothing is looked up.
    pub key: String,
    /// What it made.
    pub output: Option<String>,
    /// BLAKE3 of the output, hexadecimal.
    pub hash: Option<String>,
    /// How it was made, such as `web:cpu`.
    pub method: String,
    /// A quality score, for methods that have one.
    pub score: Option<f64>,
    /// Counts by unit, where an item stands for several; all its units done or skipped otherwise.
    pub tally: Option<Tally>,
    /// Reasons of failed units, where an item stands for several.
    pub note: Option<String>,
}

/// How far a failure reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// This item only; the run goes on.
    Item,
    /// No item can be done now (a full disk, a folder that is gone): the job is paused with the
    /// reason and the item tried again when it is resumed.
    Job,
}

/// Why an item or a job failed, in words for people: the thing, the reason, the way out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// How far it reaches.
    pub scope: Scope,
    /// The words.
    pub message: String,
}

impl Failure {
    /// One item failed.
    pub fn item(message: impl Into<String>) -> Self {
        Self {
            scope: Scope::Item,
            message: message.into(),
        }
    }

    /// The job cannot go on.
    pub fn job(message: impl Into<String>) -> Self {
        Self {
            scope: Scope::Job,
            message: message.into(),
        }
    }
}

/// What came of one claimed item, for [`Queue::step`](crate::Queue::step).
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It was performed or found done. Units that failed within it are in its tally.
    Finished(Outcome),
    /// It failed, with the reason.
    Failed(String),
    /// It goes back to `waiting`, and this attempt does not count.
    Later,
}

impl Verdict {
    /// The counts that this adds to a job's, for an item of so many units.
    pub fn tally(&self, units: u64) -> Tally {
        match self {
            Self::Finished(Outcome {
                tally: Some(tally), ..
            }) => *tally,
            Self::Finished(Outcome { skipped: true, .. }) => Tally {
                skipped: units,
                ..Tally::default()
            },
            Self::Finished(_) => Tally {
                done: units,
                ..Tally::default()
            },
            Self::Failed(_) => Tally {
                failed: units,
                ..Tally::default()
            },
            Self::Later => Tally::default(),
        }
    }
}
