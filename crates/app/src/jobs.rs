//! Jobs: the engine of a session, its handlers, and what is told of a job.

mod queue;

use std::sync::Arc;

use artel_jobs::{
    Engine, EngineError, Item, ItemState, Job, JobState, NewJob, Options, Queue, QueueError,
};
use artel_store::StoreError;

use crate::{
    api::{Command, Event, Handle, jobs as api},
    error::{AppError, Code},
    session::{Core, Session},
};

use self::queue::StoreQueue;

/// Items of a page unless asked otherwise, and at most.
const PAGE: (u32, u32) = (100, 1000);
/// Memory for items at once is the smaller of this part of the machine's and [`MEMORY_MOST`].
const MEMORY_PART: u64 = 4;
/// Memory for items at once at most, in bytes.
const MEMORY_MOST: u64 = 4 << 30;
/// And at least: one large photo.
const MEMORY_LEAST: u64 = 256 << 20;

/// State of this part of a session.
#[derive(Clone)]
pub(crate) struct State {
    engine: Arc<Engine>,
    queue: Arc<StoreQueue>,
    pub(crate) thumbnails: Arc<crate::images::Thumbnails>,
}

impl State {
    /// Starts this part. Jobs that were running when the program ended become `interrupted`; none is
    /// started by itself.
    pub(crate) async fn start(core: &Core) -> Result<Self, AppError> {
        let core = core.clone();
        tokio::task::spawn_blocking(move || {
            let queue = Arc::new(StoreQueue::new(Arc::clone(core.store())));
            let teller = core.clone();
            let engine = Engine::new(
                Arc::<StoreQueue>::clone(&queue),
                options(),
                Arc::new(move |job| {
                    teller.tell(Event::Job {
                        job: Box::new(info(job)),
                    });
                }),
            )?;
            engine.register(Arc::new(crate::images::Images::new(
                Arc::<StoreQueue>::clone(&queue),
            )));
            engine.register(Arc::new(crate::catalog::CatalogWork::new(Arc::clone(
                core.store(),
            ))));
            Ok(Self {
                engine: Arc::new(engine),
                queue,
                thumbnails: Arc::default(),
            })
        })
        .await?
    }

    /// Stops it and waits.
    pub(crate) async fn stop(&self) {
        let engine = Arc::clone(&self.engine);
        // A panic here leaves jobs to be found interrupted, as after a crash.
        let _ = tokio::task::spawn_blocking(move || engine.stop()).await;
    }

    /// Queues a job and starts it.
    pub(crate) async fn submit(&self, job: NewJob) -> Result<api::JobInfo, AppError> {
        self.ask(move |engine| engine.submit(&job)).await
    }

    /// A job as it is now.
    pub(crate) async fn job(&self, job: i64) -> Result<Job, AppError> {
        let engine = Arc::clone(&self.engine);
        Ok(tokio::task::spawn_blocking(move || engine.job(job)).await??)
    }

    /// Reads from the queue off the async threads.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&dyn Queue) -> Result<T, QueueError> + Send + 'static,
    ) -> Result<T, AppError> {
        let queue = Arc::clone(&self.queue);
        Ok(tokio::task::spawn_blocking(move || look(&*queue)).await??)
    }

    async fn ask(
        &self,
        ask: impl FnOnce(&Engine) -> Result<Job, EngineError> + Send + 'static,
    ) -> Result<api::JobInfo, AppError> {
        let engine = Arc::clone(&self.engine);
        let job = tokio::task::spawn_blocking(move || ask(&engine)).await??;
        Ok(info(&job))
    }
}

fn options() -> Options {
    let memory = sysinfo::System::new_with_specifics(
        sysinfo::RefreshKind::nothing()
            .with_memory(sysinfo::MemoryRefreshKind::nothing().with_ram()),
    )
    // Where the system does not say, the least is assumed.
    .map_or(0, |system| system.total_memory());
    Options {
        slots: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        memory: (memory / MEMORY_PART).clamp(MEMORY_LEAST, MEMORY_MOST),
        resident,
    }
}

/// Resident memory of this process in bytes.
fn resident() -> u64 {
    use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};
    let pid = Pid::from_u32(std::process::id());
    let Ok(mut system) = System::new() else {
        return 0;
    };
    system.refresh_processes_specifics(
        ProcessesToUpdate::Some(&[pid]),
        false,
        ProcessRefreshKind::nothing().with_memory(),
    );
    system.process(pid).map_or(0, sysinfo::Process::memory)
}

/// What is told of a job.
pub(crate) fn info(job: &Job) -> api::JobInfo {
    let seconds = job.worked.as_secs_f64();
    let tried = job.counts.done + job.counts.failed;
    let per_second = if seconds > 0.0 {
        job.counts.settled() as f64 / seconds
    } else {
        0.0
    };
    let left = job.counts.total.saturating_sub(job.counts.settled());
    let foreseeable =
        job.state == JobState::Running && job.listed && tried >= 3 && per_second > 0.0;
    api::JobInfo {
        job: job.id,
        kind: job.kind.clone(),
        title: job.title.clone(),
        state: job.state.name().to_owned(),
        total: job.counts.total,
        done: job.counts.done,
        failed: job.counts.failed,
        skipped: job.counts.skipped,
        seconds,
        per_second,
        peak_memory_mb: job.peak_memory as f64 / f64::from(1 << 20),
        backend: job.backend.clone(),
        remaining_s: foreseeable.then(|| left as f64 / per_second),
        created_at: job.created_at,
        out: job.out.clone(),
        error: job.error.clone(),
    }
}

fn item_info(item: Item, kind: &str) -> api::ItemInfo {
    let preview = (kind == crate::images::KIND && item.output.is_some())
        .then(|| format!("item/{}/{}", item.job, item.position));
    api::ItemInfo {
        index: item.position,
        input: item.input,
        state: item.state.name().to_owned(),
        attempts: item.attempts,
        error: item.error,
        output: item.output,
        hash: item.hash,
        seconds: item.took.as_secs_f64(),
        preview,
    }
}

impl Handle<api::JobList> for Session {
    async fn handle(
        &self,
        command: api::JobList,
    ) -> Result<<api::JobList as Command>::Reply, AppError> {
        let engine = Arc::clone(&self.jobs.engine);
        let jobs = tokio::task::spawn_blocking(move || engine.jobs(command.active)).await??;
        Ok(jobs.iter().map(info).collect())
    }
}

impl Handle<api::JobShow> for Session {
    async fn handle(
        &self,
        command: api::JobShow,
    ) -> Result<<api::JobShow as Command>::Reply, AppError> {
        Ok(info(&self.jobs.job(command.job).await?))
    }
}

impl Handle<api::JobItems> for Session {
    async fn handle(
        &self,
        command: api::JobItems,
    ) -> Result<<api::JobItems as Command>::Reply, AppError> {
        let state: Option<ItemState> = command
            .state
            .as_deref()
            .map(str::parse)
            .transpose()
            .map_err(|reason: artel_jobs::UnknownState| {
                AppError::new(
                    Code::BadArguments,
                    reason.to_string(),
                    "waiting, running, done, failed and skipped are",
                )
            })?;
        let job = self.jobs.job(command.job).await?;
        let limit = command.limit.unwrap_or(PAGE.0).min(PAGE.1);
        let (items, total) = self
            .jobs
            .look(move |queue| queue.items(command.job, state, command.offset, limit))
            .await?;
        Ok(api::ItemPage {
            items: items
                .into_iter()
                .map(|item| item_info(item, &job.kind))
                .collect(),
            total,
        })
    }
}

impl Handle<api::JobPause> for Session {
    async fn handle(
        &self,
        command: api::JobPause,
    ) -> Result<<api::JobPause as Command>::Reply, AppError> {
        self.jobs.ask(move |engine| engine.pause(command.job)).await
    }
}

impl Handle<api::JobResume> for Session {
    async fn handle(
        &self,
        command: api::JobResume,
    ) -> Result<<api::JobResume as Command>::Reply, AppError> {
        self.jobs
            .ask(move |engine| engine.resume(command.job))
            .await
    }
}

impl Handle<api::JobCancel> for Session {
    async fn handle(
        &self,
        command: api::JobCancel,
    ) -> Result<<api::JobCancel as Command>::Reply, AppError> {
        self.jobs
            .ask(move |engine| engine.cancel(command.job))
            .await
    }
}

impl Handle<api::JobRetry> for Session {
    async fn handle(
        &self,
        command: api::JobRetry,
    ) -> Result<<api::JobRetry as Command>::Reply, AppError> {
        self.jobs.ask(move |engine| engine.retry(command.job)).await
    }
}

impl From<EngineError> for AppError {
    fn from(error: EngineError) -> Self {
        let message = error.to_string();
        match error {
            EngineError::NoJob(job) => Self::new(
                Code::NotFound,
                message,
                "See which there are: artel jobs list",
            )
            .param("job", job),
            EngineError::WrongState { job, state, wish } => {
                let hint = match state {
                    JobState::DoneInPart | JobState::Failed => {
                        format!("Try its failed items again: artel jobs retry {job}")
                    }
                    JobState::Running => format!("Pause it first: artel jobs pause {job}"),
                    JobState::Done | JobState::Cancelled if wish == "resumed" => {
                        "Start the same work anew: what is done already is skipped.".to_owned()
                    }
                    JobState::Done | JobState::Cancelled => {
                        format!("It is over. See how it ended: artel jobs show {job}")
                    }
                    JobState::Waiting | JobState::Paused | JobState::Interrupted => {
                        format!("Go on with it: artel jobs resume {job}")
                    }
                };
                Self::new(Code::WrongState, message, hint).param("job", job)
            }
            EngineError::NothingFailed(job) => {
                let hint = format!("See how it stands: artel jobs show {job}");
                Self::new(Code::WrongState, message, hint).param("job", job)
            }
            EngineError::UnknownKind { .. } | EngineError::TooNew { .. } => Self::new(
                Code::TooNew,
                message,
                "Open this profile with the version that made it.",
            ),
            EngineError::Refused(_) => {
                Self::of(Code::BadInput, &message, "Mend it and start the work anew.")
            }
            EngineError::Queue(error) => error.into(),
            EngineError::NoThread { .. } => Self::new(
                Code::WrongState,
                message,
                "Close some programs, then go on: artel jobs resume JOB",
            ),
            EngineError::Stopping => Self::new(
                Code::WrongState,
                message,
                "Open the profile again; jobs go on where they stood.",
            ),
        }
    }
}

impl From<QueueError> for AppError {
    fn from(error: QueueError) -> Self {
        match error.0.downcast::<StoreError>() {
            Ok(error) => (*error).into(),
            Err(other) => Self::internal(&other),
        }
    }
}
