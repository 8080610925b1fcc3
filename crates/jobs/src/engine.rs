//! The engine: starts, pauses, resumes, cancels and retries jobs, and knows which of them run.

use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use crate::{
    admission::Admission,
    model::{Job, JobState, NewJob},
    queue::{Conclusion, Effort, Queue, QueueError},
    runner::{Live, Runner, Stop, discard_unfinished, waits},
    work::{Failure, Work},
};

/// Hears about a job when it changed, at most about ten times a second. It must return soon.
pub type Observer = Arc<dyn Fn(&Job) + Send + Sync>;

/// What an engine may use.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Items at once, over all jobs: the processor's cores.
    pub slots: usize,
    /// Memory of the items at once, in bytes, over all jobs.
    pub memory: u64,
    /// Says the resident memory of this process in bytes.
    pub resident: fn() -> u64,
}

/// Why a request to the engine was refused.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// There is no such job.
    #[error("there is no job {0}")]
    NoJob(i64),
    /// The job's state does not allow it.
    #[error("job {job} is {state}: it cannot be {wish}")]
    WrongState {
        /// The job.
        job: i64,
        /// Its state.
        state: JobState,
        /// What was asked for.
        wish: &'static str,
    },
    /// The job has nothing to be retried.
    #[error("job {0} has no failed items")]
    NothingFailed(i64),
    /// No such kind is registered.
    #[error("job {job} is of the kind \"{kind}\", which this version does not know")]
    UnknownKind {
        /// The job.
        job: i64,
        /// Its kind.
        kind: String,
    },
    /// A newer program made the job.
    #[error("job {job} was made by a newer version of Artel")]
    TooNew {
        /// The job.
        job: i64,
    },
    /// The kind refused it.
    #[error(transparent)]
    Refused(#[from] Failure),
    /// The rows could not be used.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The system gave no thread.
    #[error("no thread could be started for job {job}: {source}")]
    NoThread {
        /// The job.
        job: i64,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The engine is being stopped.
    #[error("jobs are being stopped: open the profile again")]
    Stopping,
}

/// Runs jobs of the registered kinds. Its methods block; all state is in the queue.
pub struct Engine {
    shared: Arc<Shared>,
}

/// What the runners share with the engine.
pub(crate) struct Shared {
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) options: Options,
    pub(crate) admission: Arc<Admission>,
    pub(crate) observer: Observer,
    pub(crate) boot: String,
    kinds: Mutex<HashMap<&'static str, Arc<dyn Work>>>,
    running: Mutex<Running>,
    ended: Condvar,
}

#[derive(Default)]
struct Running {
    stopping: bool,
    jobs: HashMap<i64, Arc<Live>>,
}

impl Engine {
    /// An engine over these rows. Jobs that another process left running become `interrupted`.
    pub fn new(
        queue: Arc<dyn Queue>,
        options: Options,
        observer: Observer,
    ) -> Result<Self, EngineError> {
        let boot = boot_id();
        queue.recover(&boot)?;
        Ok(Self {
            shared: Arc::new(Shared {
                queue,
                options,
                admission: Admission::new(options.slots, options.memory),
                observer,
                boot,
                kinds: Mutex::default(),
                running: Mutex::default(),
                ended: Condvar::new(),
            }),
        })
    }

    /// Makes a kind of job known.
    pub fn register(&self, work: Arc<dyn Work>) {
        lock(&self.shared.kinds).insert(work.kind(), work);
    }

    /// Queues a job and starts it.
    pub fn submit(&self, job: &NewJob) -> Result<Job, EngineError> {
        if lock(&self.shared.running).stopping {
            return Err(EngineError::Stopping);
        }
        let id = self.shared.queue.insert(job)?;
        self.start(&self.row(id)?)
    }

    /// One job as it is now.
    pub fn job(&self, job: i64) -> Result<Job, EngineError> {
        if let Some(live) = lock(&self.shared.running).jobs.get(&job) {
            return Ok(live.snapshot());
        }
        self.row(job)
    }

    /// A job as its row says; a running one may be further.
    fn row(&self, job: i64) -> Result<Job, EngineError> {
        self.shared.queue.job(job)?.ok_or(EngineError::NoJob(job))
    }

    /// All jobs as they are now, newest first; with `active` only those not in a final state.
    pub fn jobs(&self, active: bool) -> Result<Vec<Job>, EngineError> {
        let mut jobs = self.shared.queue.jobs(active)?;
        let running = lock(&self.shared.running);
        for job in &mut jobs {
            if let Some(live) = running.jobs.get(&job.id) {
                *job = live.snapshot();
            }
        }
        Ok(jobs)
    }

    /// Goes on with a waiting, paused or interrupted job.
    pub fn resume(&self, job: i64) -> Result<Job, EngineError> {
        if let Some(live) = lock(&self.shared.running).jobs.get(&job) {
            return Ok(live.snapshot());
        }
        let row = self.row(job)?;
        match row.state {
            // One that says running and does not run could not store its end.
            JobState::Waiting | JobState::Running | JobState::Paused | JobState::Interrupted => {
                self.start(&row)
            }
            // A job that could not be opened has items that were never tried.
            JobState::Failed if !row.listed || waits(&*self.shared.queue, job)? => self.start(&row),
            state => Err(EngineError::WrongState {
                job,
                state,
                wish: "resumed",
            }),
        }
    }

    /// Stops a running job after the items in hand and returns when it stands still.
    pub fn pause(&self, job: i64) -> Result<Job, EngineError> {
        // Held until the row is changed: meanwhile nobody starts it.
        let running = lock(&self.shared.running);
        if let Some(live) = running.jobs.get(&job) {
            live.stop(Stop::Pause);
            drop(running);
            return self.wait(job);
        }
        let row = self.row(job)?;
        match row.state {
            JobState::Waiting | JobState::Running | JobState::Interrupted => {
                self.leave(running, job, JobState::Paused, None)
            }
            JobState::Paused => Ok(row),
            state => Err(EngineError::WrongState {
                job,
                state,
                wish: "paused",
            }),
        }
    }

    /// Ends a job after the items in hand; what is done stays.
    pub fn cancel(&self, job: i64) -> Result<Job, EngineError> {
        let mut heard = false;
        loop {
            if let Some(live) = lock(&self.shared.running).jobs.get(&job) {
                live.stop(Stop::Cancel);
                heard = true;
            }
            let row = self.wait(job)?;
            // Before the lock is taken: it may be slow.
            let run = (!row.state.is_final())
                .then(|| self.work(&row).ok()?.open(&row).ok())
                .flatten();
            let running = lock(&self.shared.running);
            if running.jobs.contains_key(&job) {
                continue;
            }
            let row = self.row(job)?;
            return match row.state {
                // Also one whose end was decided before it heard: nobody wants it to go on.
                JobState::Waiting
                | JobState::Running
                | JobState::Paused
                | JobState::Interrupted => {
                    if let Some(run) = run {
                        discard_unfinished(&*self.shared.queue, &*run, job)?;
                    }
                    self.leave(running, job, JobState::Cancelled, None)
                }
                _ if heard => Ok(row),
                state => Err(EngineError::WrongState {
                    job,
                    state,
                    wish: "cancelled",
                }),
            };
        }
    }

    /// Tries the failed items of a job that is not running again.
    pub fn retry(&self, job: i64) -> Result<Job, EngineError> {
        let row = {
            // Held until the rows are changed: a running job counts its items itself.
            let running = lock(&self.shared.running);
            if running.jobs.contains_key(&job) {
                return Err(EngineError::WrongState {
                    job,
                    state: JobState::Running,
                    wish: "retried",
                });
            }
            self.row(job)?;
            if self.shared.queue.retry_failed(job)? == 0 {
                return Err(EngineError::NothingFailed(job));
            }
            self.row(job)?
        };
        self.start(&row)
    }

    /// Waits until the job is not running, and returns it.
    pub fn wait(&self, job: i64) -> Result<Job, EngineError> {
        let mut running = lock(&self.shared.running);
        while running.jobs.contains_key(&job) {
            running = self
                .shared
                .ended
                .wait(running)
                .unwrap_or_else(PoisonError::into_inner);
        }
        drop(running);
        self.job(job)
    }

    /// Stops all jobs after the items in hand, resumable, and starts no more.
    pub fn stop(&self) {
        let jobs: Vec<i64> = {
            let mut running = lock(&self.shared.running);
            running.stopping = true;
            running.jobs.keys().copied().collect()
        };
        for live in lock(&self.shared.running).jobs.values() {
            live.stop(Stop::Shutdown);
        }
        for job in jobs {
            // Only the waiting matters here; the row says how it ended.
            let _ = self.wait(job);
        }
    }

    fn work(&self, job: &Job) -> Result<Arc<dyn Work>, EngineError> {
        let kinds = lock(&self.shared.kinds);
        let work = kinds
            .get(job.kind.as_str())
            .ok_or_else(|| EngineError::UnknownKind {
                job: job.id,
                kind: job.kind.clone(),
            })?;
        if job.version > work.version() {
            return Err(EngineError::TooNew { job: job.id });
        }
        Ok(Arc::clone(work))
    }

    /// Starts a job that was judged by this row; whoever changed its state meanwhile wins.
    fn start(&self, row: &Job) -> Result<Job, EngineError> {
        let id = row.id;
        let opened = self.work(row)?.open(row);
        let mut running = lock(&self.shared.running);
        if running.stopping {
            return Err(EngineError::Stopping);
        }
        if let Some(live) = running.jobs.get(&id) {
            return Ok(live.snapshot());
        }
        let run = match opened {
            Ok(run) => run,
            Err(failure) => {
                if self.row(id)?.state == row.state {
                    let reason = Some(failure.message.clone());
                    self.leave(running, id, JobState::Failed, reason)?;
                }
                return Err(failure.into());
            }
        };
        if !self.shared.queue.begin(id, &self.shared.boot, row.state)? {
            return Err(EngineError::WrongState {
                job: id,
                state: self.row(id)?.state,
                wish: "started",
            });
        }
        // Read again: it may have run and stopped since it was judged.
        let live = Arc::new(Live::new(self.row(id)?));
        running.jobs.insert(id, Arc::clone(&live));
        drop(running);
        let runner = Runner {
            shared: Arc::clone(&self.shared),
            live: Arc::clone(&live),
            run,
        };
        let spawned = std::thread::Builder::new()
            .name(format!("job {id}"))
            .spawn(move || runner.run());
        if let Err(source) = spawned {
            let mut running = lock(&self.shared.running);
            running.jobs.remove(&id);
            self.shared.ended.notify_all();
            self.leave(running, id, JobState::Interrupted, None)?;
            return Err(EngineError::NoThread { job: id, source });
        }
        Ok(live.snapshot())
    }

    /// Leaves a job that does not run in a state. The lock says that it does not start meanwhile.
    fn leave(
        &self,
        running: MutexGuard<'_, Running>,
        job: i64,
        state: JobState,
        error: Option<String>,
    ) -> Result<Job, EngineError> {
        self.shared.queue.conclude(
            job,
            &Conclusion {
                state,
                error,
                effort: Effort::default(),
            },
        )?;
        let row = self.row(job)?;
        drop(running);
        (self.shared.observer)(&row);
        Ok(row)
    }
}

impl Shared {
    /// A runner is over.
    pub(crate) fn end(&self, job: i64) {
        lock(&self.running).jobs.remove(&job);
        self.ended.notify_all();
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Locks; the engine's own tables stay whole even if a thread panicked between two changes.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Name of this run of the program. One process owns the rows at a time, so it only has to differ
/// from those of earlier runs.
fn boot_id() -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&std::process::id().to_le_bytes());
    if let Ok(age) = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
        hasher.update(&age.as_nanos().to_le_bytes());
    }
    let mut name = String::with_capacity(16);
    for byte in hasher.finalize().as_bytes().iter().take(8) {
        let _ = write!(name, "{byte:02x}");
    }
    name
}
