//! The one thread that writes: waiting closures are grouped into one durable transaction.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::mpsc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::StoreError;

/// Closures that share one transaction. Measured: larger groups give little more throughput and
/// a much longer wait for each.
const GROUP: usize = 32;

/// A group is closed once it has been running for this long, whatever its size.
const GROUP_TIME: Duration = Duration::from_millis(50);

/// Closures that may wait; a caller beyond them waits to be let in.
const QUEUE: usize = 1024;

/// The committer thread and the way to it.
pub(super) struct Committer {
    queue: Option<mpsc::SyncSender<Box<dyn Work>>>,
    thread: Option<JoinHandle<()>>,
}

impl Committer {
    pub(super) fn start(connection: Connection, path: &Path) -> Result<Self, StoreError> {
        let (sender, receiver) = mpsc::sync_channel(QUEUE);
        let file = path.to_owned();
        let thread = thread::Builder::new()
            .name("artel-committer".to_owned())
            .spawn(move || commit_groups(connection, &receiver, &file))
            .map_err(|reason| StoreError::io(path, reason))?;
        Ok(Self {
            queue: Some(sender),
            thread: Some(thread),
        })
    }

    /// Runs a closure in the next group and waits until that is on disk.
    pub(super) fn run<T, E, F>(&self, write: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    {
        let gone = || E::from(StoreError::Misuse("the committer has stopped"));
        if self.is_this_thread() {
            return Err(StoreError::Misuse("a write inside a write").into());
        }
        let (reply, answer) = mpsc::sync_channel(1);
        self.queue
            .as_ref()
            .ok_or_else(gone)?
            .send(Box::new(Task {
                write: Some(write),
                result: None,
                reply,
            }))
            .map_err(|_| gone())?;
        answer.recv().map_err(|_| gone())?
    }

    fn is_this_thread(&self) -> bool {
        self.thread
            .as_ref()
            .is_some_and(|thread| thread.thread().id() == thread::current().id())
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        // Closing the queue ends the thread after what is waiting in it.
        self.queue = None;
        // The last owner may be a closure on that very thread, which cannot wait for itself.
        if !self.is_this_thread()
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}

/// A closure with its result, whatever their types.
trait Work: Send {
    /// Runs the closure; whether what it wrote is to be kept.
    fn run(&mut self, transaction: &Transaction<'_>) -> bool;
    /// The store's error that the closure ended with, where it is one.
    fn error(&self) -> Option<&StoreError>;
    /// Tells the caller, once the group is on disk or is not.
    fn finish(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Task<T, E, F> {
    write: Option<F>,
    result: Option<Result<T, E>>,
    reply: mpsc::SyncSender<Result<T, E>>,
}

impl<T, E, F> Work for Task<T, E, F>
where
    T: Send,
    E: From<StoreError> + Send + 'static,
    F: FnOnce(&Transaction<'_>) -> Result<T, E> + Send,
{
    fn run(&mut self, transaction: &Transaction<'_>) -> bool {
        let Some(write) = self.write.take() else {
            return false;
        };
        let result = catch_unwind(AssertUnwindSafe(|| write(transaction)))
            .unwrap_or_else(|_| Err(StoreError::Misuse("a write panicked").into()));
        let keep = result.is_ok();
        self.result = Some(result);
        keep
    }

    fn error(&self) -> Option<&StoreError> {
        let error = self.result.as_ref()?.as_ref().err()?;
        (error as &dyn Any).downcast_ref()
    }

    fn finish(self: Box<Self>, committed: Result<(), StoreError>) {
        let result = match (committed, self.result) {
            // Its own error says more than that the group failed.
            (_, Some(Err(error))) => Err(error),
            (Ok(()), Some(ok)) => ok,
            (Ok(()), None) => Err(StoreError::Misuse("a write that did not run").into()),
            (Err(error), _) => Err(error.into()),
        };
        // A caller that is gone needs no answer.
        let _ = self.reply.send(result);
    }
}

fn commit_groups(mut connection: Connection, queue: &mpsc::Receiver<Box<dyn Work>>, path: &Path) {
    while let Ok(first) = queue.recv() {
        let mut group = Vec::with_capacity(GROUP);
        let outcome = commit_group(&mut connection, first, queue, &mut group);
        for work in group {
            work.finish(match &outcome {
                Ok(()) => Ok(()),
                Err(error) => Err(copy_of(error).at(path)),
            });
        }
    }
    // Leaves one file behind rather than three. What fails here is done at the next opening.
    let _ = connection.execute_batch("PRAGMA optimize; PRAGMA wal_checkpoint(TRUNCATE);");
}

/// Runs one group; `group` holds all that took part, whatever the outcome.
fn commit_group(
    connection: &mut Connection,
    first: Box<dyn Work>,
    queue: &mpsc::Receiver<Box<dyn Work>>,
    group: &mut Vec<Box<dyn Work>>,
) -> Result<(), StoreError> {
    let started = Instant::now();
    group.push(first);
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
    loop {
        if let Some(work) = group.last_mut() {
            run_in_savepoint(&transaction, work.as_mut())?;
        }
        if group.len() >= GROUP || started.elapsed() >= GROUP_TIME {
            break;
        }
        match queue.try_recv() {
            Ok(next) => group.push(next),
            Err(_) => break,
        }
    }
    Ok(transaction.commit()?)
}

fn run_in_savepoint(transaction: &Transaction<'_>, work: &mut dyn Work) -> Result<(), StoreError> {
    transaction.execute_batch("SAVEPOINT work")?;
    let keep = work.run(transaction);
    // A full or failing disk makes SQLite roll the whole group back; nobody in it may be told
    // that it was saved, and all of them hear why.
    if transaction.is_autocommit() {
        return Err(work.error().map_or_else(
            || StoreError::Unusable {
                path: None,
                reason: "the disk failed in a write beside this one".to_owned(),
            },
            copy_of,
        ));
    }
    Ok(transaction.execute_batch(if keep {
        "RELEASE work"
    } else {
        "ROLLBACK TO work; RELEASE work"
    })?)
}

/// The same failure for each of the group.
fn copy_of(error: &StoreError) -> StoreError {
    match error {
        StoreError::Full { path } => StoreError::Full { path: path.clone() },
        StoreError::Busy => StoreError::Busy,
        StoreError::Corrupt { path, reason } => StoreError::Corrupt {
            path: path.clone(),
            reason: reason.clone(),
        },
        StoreError::Sqlite(rusqlite::Error::SqliteFailure(failure, message)) => {
            StoreError::Sqlite(rusqlite::Error::SqliteFailure(*failure, message.clone()))
        }
        StoreError::Unusable { path, reason } => StoreError::Unusable {
            path: path.clone(),
            reason: reason.clone(),
        },
        other => StoreError::Unusable {
            path: None,
            reason: other.to_string(),
        },
    }
}
