//! A durable queue of work in items: workers, checkpoints, progress, pause, resume, retry.
//!
//! # How it works
//! A *job* is a row with a kind, parameters and a state; its *items* are rows with an input, a
//! state and, once settled, a result. The rows live behind the narrow [`Queue`] trait, which the
//! application supplies over its database ([`memory::MemoryQueue`] is one for tests). What a kind of
//! job does is a [`Work`]: it opens a job's parameters as a [`Run`], which lists the items as a
//! stream and performs them one by one. The [`Engine`] does the rest:
//!
//! - items are listed in pages, each committed with a cursor, so a listing goes on where it broke off;
//! - an item is claimed in a committed row before it is tried, so a file that kills the process is
//!   known after the restart and is given up after [`MAX_ATTEMPTS`] tries;
//! - a completion carries the generation of its claim; a late one is not accepted;
//! - what the job has cost is committed with every page and every completion, so it outlives a kill;
//! - a panic, an error or a time-out in one item is that item's failure and nothing else;
//! - workers come and go by the wait that is measured, within processor cores and admitted memory;
//! - observers hear about a job at most about ten times a second.
//!
//! # Invariants
//! - An item's output is complete under its final name before the row that says so is committed
//!   (the duty of [`Run::perform`]), so performing an item again is harmless.
//! - Nothing is kept in memory for each item of a job.
//!
//! The crate starts threads but does no I/O of its own.

pub mod memory;

mod admission;
mod engine;
mod model;
mod pace;
mod queue;
mod runner;
mod work;

pub use admission::Admission;
pub use engine::{Engine, EngineError, Observer, Options};
pub use model::{Counts, Item, ItemState, Job, JobState, NewItem, NewJob, UnknownState};
pub use queue::{Conclusion, Effort, Queue, QueueError, Settlement, Step};
pub use work::{Attempt, Failure, Listing, Outcome, Run, Scope, Tally, Verdict, Work};

/// How often an item is begun before it is given up, when each time the process ended meanwhile.
pub const MAX_ATTEMPTS: u32 = 3;

/// The reason of an item that was begun [`MAX_ATTEMPTS`] times while the process ended each time,
/// for [`Queue::recover`].
pub fn gave_up() -> String {
    format!(
        "the program ended {MAX_ATTEMPTS} times while working on this; it is left out until it is retried"
    )
}

#[cfg(test)]
mod tests;
