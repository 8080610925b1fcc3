//! One run of one job: list, work, supervise, conclude.

use std::{
    any::Any,
    cell::Cell,
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, Once,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    engine::{Shared, lock},
    model::{Item, ItemState, Job, JobState},
    pace::Pace,
    queue::{Conclusion, Effort, Queue, QueueError, Settlement},
    work::{Attempt, Failure, Run, Scope, Verdict},
};

/// Items of one committed page of a listing.
const PAGE: usize = 500;
/// Time between two looks of the supervisor, and so between two reports.
const TICK: Duration = Duration::from_millis(100);

/// Why a run should stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The user wants a pause.
    Pause,
    /// The user wants no more of it.
    Cancel,
    /// The program ends.
    Shutdown,
}

/// What is known of a running job outside its threads.
pub(crate) struct Live {
    job: Mutex<Job>,
    /// Time worked before this run.
    before: Duration,
    since: Instant,
    stop: Mutex<Option<Stop>>,
    changed: AtomicBool,
}

impl Live {
    pub(crate) fn new(job: Job) -> Self {
        Self {
            before: job.worked,
            job: Mutex::new(job),
            since: Instant::now(),
            stop: Mutex::default(),
            changed: AtomicBool::new(true),
        }
    }

    /// The job as it is now.
    pub(crate) fn snapshot(&self) -> Job {
        let mut job = lock(&self.job).clone();
        job.worked = self.worked();
        job
    }

    fn worked(&self) -> Duration {
        self.before + self.since.elapsed()
    }

    /// What the job has cost, this run included.
    fn effort(&self) -> Effort {
        Effort {
            worked: self.worked(),
            peak_memory: lock(&self.job).peak_memory,
        }
    }

    /// Takes a measure of the process's memory.
    fn weigh(&self, resident: u64) {
        let mut job = lock(&self.job);
        job.peak_memory = job.peak_memory.max(resident);
    }

    /// Asks the run to stop. A cancellation outranks what was asked before.
    pub(crate) fn stop(&self, stop: Stop) {
        let mut asked = lock(&self.stop);
        if asked.is_none() || stop == Stop::Cancel {
            *asked = Some(stop);
        }
    }

    fn stopped(&self) -> bool {
        lock(&self.stop).is_some()
    }

    fn change(&self, change: impl FnOnce(&mut Job)) {
        change(&mut lock(&self.job));
        self.changed.store(true, Ordering::Release);
    }
}

/// Everything a run needs.
pub(crate) struct Runner {
    pub(crate) shared: Arc<Shared>,
    pub(crate) live: Arc<Live>,
    pub(crate) run: Arc<dyn Run>,
}

/// What the workers of one run share.
struct Crew {
    shared: Arc<Shared>,
    live: Arc<Live>,
    run: Arc<dyn Run>,
    job: i64,
    /// Workers that are neither gone nor given up.
    workers: AtomicUsize,
    /// Workers that there should be.
    wanted: AtomicUsize,
    next_worker: AtomicU64,
    /// Microseconds that workers waited for admission since the pace was looked at.
    waited: AtomicU64,
    drained: AtomicBool,
    in_hand: Mutex<HashMap<u64, InHand>>,
    /// Held while a settled item is told to the run, so that it hears one at a time.
    telling: Mutex<()>,
    /// The first thing that no item can get past.
    broken: Mutex<Option<Broken>>,
}

struct InHand {
    item: Item,
    since: Instant,
    attempt: Attempt,
}

enum Broken {
    Work(Failure),
    Queue(QueueError),
}

impl Runner {
    /// Runs the job to its end or until it is stopped, and leaves the row in its state.
    pub(crate) fn run(self) {
        let id = lock(&self.live.job).id;
        quiet_panics();
        // The engine must hear of the end even if a kind's own code panics here.
        let ended = catch_unwind(AssertUnwindSafe(|| self.work(id)));
        let (state, error) = match ended {
            Ok(Ok(complete)) => self.outcome(complete),
            Ok(Err(Broken::Work(failure))) => (JobState::Paused, Some(failure.message)),
            Ok(Err(Broken::Queue(error))) => (JobState::Interrupted, Some(error.to_string())),
            Err(panic) => (
                JobState::Paused,
                Some(format!("a fault in Artel: {}", words(&*panic))),
            ),
        };
        self.live.weigh((self.shared.options.resident)());
        let conclusion = Conclusion {
            state,
            error: error.clone(),
            effort: self.live.effort(),
        };
        if state == JobState::Cancelled
            && let Err(error) = discard_unfinished(&*self.shared.queue, &*self.run, id)
        {
            tracing::warn!(job = id, %error, "unfinished files could not be removed");
        }
        if let Err(error) = self.shared.queue.conclude(id, &conclusion) {
            // The row still says running; the next start of the program finds it interrupted.
            tracing::error!(job = id, %error, "the end of a job could not be stored");
        }
        let mut job = self.live.snapshot();
        job.state = state;
        job.error = error;
        job.worked = conclusion.effort.worked;
        self.shared.end(id);
        (self.shared.observer)(&job);
    }

    /// Works until everything is done, which is `true`, or until it is asked to stop.
    fn work(&self, id: i64) -> Result<bool, Broken> {
        let listed = lock(&self.live.job).listed;
        if !listed {
            self.list(id)?;
        }
        if self.live.stopped() {
            return Ok(false);
        }
        self.run
            .begin(&self.live.snapshot())
            .map_err(Broken::Work)?;
        self.perform(id)?;
        // Only the rows say whether the items in hand were the last: an item may settle other units than it was listed
        // with, so counts of units do not.
        if self.live.stopped() && waits(&*self.shared.queue, id).map_err(Broken::Queue)? {
            return Ok(false);
        }
        self.run
            .finish(&self.live.snapshot())
            .map_err(Broken::Work)?;
        Ok(true)
    }

    fn outcome(&self, complete: bool) -> (JobState, Option<String>) {
        let counts = lock(&self.live.job).counts;
        if complete {
            return if counts.failed == 0 {
                (JobState::Done, None)
            } else if counts.done + counts.skipped > 0 {
                (JobState::DoneInPart, None)
            } else {
                (JobState::Failed, Some("every item failed".to_owned()))
            };
        }
        let state = match *lock(&self.live.stop) {
            Some(Stop::Pause) => JobState::Paused,
            Some(Stop::Cancel) => JobState::Cancelled,
            Some(Stop::Shutdown) | None => JobState::Interrupted,
        };
        (state, None)
    }

    fn list(&self, id: i64) -> Result<(), Broken> {
        let cursor = lock(&self.live.job).cursor.clone();
        let mut listing = self.run.list(cursor.as_deref()).map_err(Broken::Work)?;
        let mut told = Instant::now();
        loop {
            let mut page = Vec::with_capacity(PAGE);
            for item in listing.by_ref().take(PAGE) {
                page.push(item.map_err(Broken::Work)?);
            }
            let last = page.len() < PAGE;
            self.shared
                .queue
                .append(id, &page, last, self.live.effort())
                .map_err(Broken::Queue)?;
            self.live.change(|job| {
                job.counts.total += page.iter().map(|item| item.units).sum::<u64>();
                job.listed = last;
                if let Some(item) = page.last() {
                    job.cursor = Some(item.input.clone());
                }
            });
            if told.elapsed() >= TICK {
                told = Instant::now();
                self.tell();
            }
            if last || self.live.stopped() {
                return Ok(());
            }
        }
    }

    fn perform(&self, id: i64) -> Result<(), Broken> {
        let most = self.shared.options.slots.min(self.run.workers()).max(1);
        let mut pace = Pace::new(most, Instant::now());
        let crew = Arc::new(Crew {
            shared: Arc::clone(&self.shared),
            live: Arc::clone(&self.live),
            run: Arc::clone(&self.run),
            job: id,
            workers: AtomicUsize::new(0),
            wanted: AtomicUsize::new(pace.workers()),
            next_worker: AtomicU64::new(0),
            waited: AtomicU64::new(0),
            drained: AtomicBool::new(false),
            in_hand: Mutex::default(),
            telling: Mutex::default(),
            broken: Mutex::default(),
        });
        let limit = self.run.time_limit();
        loop {
            while !crew.over()
                && crew.workers.load(Ordering::Acquire) < crew.wanted.load(Ordering::Acquire)
            {
                crew.hire().map_err(Broken::Work)?;
            }
            if crew.over() && crew.workers.load(Ordering::Acquire) == 0 {
                break;
            }
            thread::park_timeout(TICK);
            crew.give_up_late(limit);
            let waited = Duration::from_micros(crew.waited.load(Ordering::Relaxed));
            if pace.look(Instant::now(), waited) {
                crew.waited.store(0, Ordering::Relaxed);
                crew.wanted.store(pace.workers(), Ordering::Release);
            }
            self.live.weigh((self.shared.options.resident)());
            self.tell();
        }
        match lock(&crew.broken).take() {
            Some(broken) => Err(broken),
            None => Ok(()),
        }
    }

    /// Tells the observer, if anything changed.
    fn tell(&self) {
        if self.live.changed.swap(false, Ordering::AcqRel) {
            (self.shared.observer)(&self.live.snapshot());
        }
    }
}

impl Crew {
    fn over(&self) -> bool {
        self.drained.load(Ordering::Acquire) || self.live.stopped() || lock(&self.broken).is_some()
    }

    fn hire(self: &Arc<Self>) -> Result<(), Failure> {
        let worker = self.next_worker.fetch_add(1, Ordering::Relaxed);
        self.workers.fetch_add(1, Ordering::AcqRel);
        let crew = Arc::clone(self);
        let supervisor = thread::current();
        let spawned = thread::Builder::new()
            .name(format!("job {} worker {worker}", self.job))
            .spawn(move || {
                // `labour` says whether this worker was given up and so counted out already.
                if crew.labour(worker) {
                    crew.workers.fetch_sub(1, Ordering::AcqRel);
                }
                supervisor.unpark();
            });
        match spawned {
            Ok(_) => Ok(()),
            Err(reason) => {
                // Fewer workers still finish the job.
                let left = self.workers.fetch_sub(1, Ordering::AcqRel) - 1;
                if left == 0 {
                    return Err(Failure::job(format!(
                        "the system gives no thread: {reason}"
                    )));
                }
                self.wanted.store(left, Ordering::Release);
                Ok(())
            }
        }
    }

    fn redundant(&self) -> bool {
        self.workers.load(Ordering::Acquire) > self.wanted.load(Ordering::Acquire)
    }

    /// Takes items until there are no more; `false` if this worker was given up meanwhile.
    fn labour(&self, worker: u64) -> bool {
        let mut settlement: Option<Settlement> = None;
        loop {
            let more = !self.over() && !self.redundant();
            if settlement.is_none() && !more {
                return true;
            }
            let Some(claimed) = self.step(settlement.take().as_ref(), more) else {
                return true;
            };
            let Some(item) = claimed else {
                if more {
                    self.drained.store(true, Ordering::Release);
                }
                return true;
            };
            let Some(result) = self.attempt(worker, &item) else {
                return false;
            };
            settlement = Some(result);
        }
    }

    /// Performs one claimed item; `None` if it was given up meanwhile.
    fn attempt(&self, worker: u64, item: &Item) -> Option<Settlement> {
        let settlement = |verdict, took| Settlement {
            position: item.position,
            generation: item.attempts,
            units: item.units,
            verdict,
            took,
            effort: self.live.effort(),
        };
        let asked = Instant::now();
        let bytes = catch_unwind(AssertUnwindSafe(|| self.run.memory(item))).unwrap_or(u64::MAX);
        let permit = self.shared.admission.admit(bytes, || {
            self.live.stopped() || lock(&self.broken).is_some()
        });
        let waited = u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.waited.fetch_add(waited, Ordering::Relaxed);
        let Some(permit) = permit else {
            return Some(settlement(Verdict::Later, Duration::ZERO));
        };
        let attempt = Attempt::default();
        let since = Instant::now();
        lock(&self.in_hand).insert(
            worker,
            InHand {
                item: item.clone(),
                since,
                attempt: attempt.clone(),
            },
        );
        let performed = QUIET.with(|quiet| {
            quiet.set(true);
            let performed = catch_unwind(AssertUnwindSafe(|| self.run.perform(item, &attempt)));
            quiet.set(false);
            performed
        });
        drop(permit);
        lock(&self.in_hand).remove(&worker)?;
        let verdict = match performed {
            Ok(Ok(outcome)) => Verdict::Finished(outcome),
            Ok(Err(Failure {
                scope: Scope::Item,
                message,
            })) => Verdict::Failed(message),
            Ok(Err(failure)) => {
                self.break_off(Broken::Work(failure));
                Verdict::Later
            }
            Err(panic) => {
                self.run.discard(item);
                Verdict::Failed(format!(
                    "{}: reading it failed unexpectedly ({})",
                    item.input,
                    words(&*panic)
                ))
            }
        };
        Some(settlement(verdict, since.elapsed()))
    }

    /// One transaction: settles, claims, counts, tells. `None` when the rows cannot be used.
    #[expect(
        clippy::option_option,
        reason = "no more items and no more rows are different ends"
    )]
    fn step(&self, settlement: Option<&Settlement>, claim: bool) -> Option<Option<Item>> {
        let step = match self.shared.queue.step(self.job, settlement, claim) {
            Ok(step) => step,
            Err(error) => {
                self.break_off(Broken::Queue(error));
                return None;
            }
        };
        if let (Some(item), Some(settlement)) = (&step.settled, settlement) {
            let tally = settlement.verdict.tally(item.units);
            self.live.change(|job| {
                job.counts.done += tally.done;
                job.counts.failed += tally.failed;
                job.counts.skipped += tally.skipped;
            });
            if item.state.is_settled() {
                let _one_at_a_time = lock(&self.telling);
                if let Err(failure) = self.run.settled(item) {
                    self.break_off(Broken::Work(failure));
                }
            }
        }
        Some(step.claimed)
    }

    fn break_off(&self, broken: Broken) {
        lock(&self.broken).get_or_insert(broken);
    }

    /// Fails items that take too long, and counts their workers out: others take their place.
    fn give_up_late(&self, limit: Duration) {
        let late: Vec<InHand> = {
            let mut in_hand = lock(&self.in_hand);
            let late: Vec<u64> = in_hand
                .iter()
                .filter(|(_, hand)| hand.since.elapsed() > limit)
                .map(|(worker, _)| *worker)
                .collect();
            late.iter()
                .filter_map(|worker| in_hand.remove(worker))
                .collect()
        };
        for hand in late {
            hand.attempt.give_up();
            self.workers.fetch_sub(1, Ordering::AcqRel);
            let settlement = Settlement {
                position: hand.item.position,
                generation: hand.item.attempts,
                units: hand.item.units,
                verdict: Verdict::Failed(format!(
                    "{}: it took longer than {} s and was given up",
                    hand.item.input,
                    limit.as_secs_f32()
                )),
                took: hand.since.elapsed(),
                effort: self.live.effort(),
            };
            // A queue that fails here fails for the workers too, who report it.
            let _ = self.step(Some(&settlement), false);
        }
    }
}

/// Whether an item of the job still has to be done.
pub(crate) fn waits(queue: &dyn Queue, job: i64) -> Result<bool, QueueError> {
    let (_, waiting) = queue.items(job, Some(ItemState::Waiting), 0, 0)?;
    Ok(waiting > 0)
}

/// Removes what broken attempts may have left of items that will not be tried again.
pub(crate) fn discard_unfinished(
    queue: &dyn Queue,
    run: &dyn Run,
    job: i64,
) -> Result<(), QueueError> {
    let mut from = 0;
    loop {
        let items = queue.items_from(job, from, 500)?;
        let Some(last) = items.last() else {
            return Ok(());
        };
        from = last.position + 1;
        for item in &items {
            if item.attempts > 0 && matches!(item.state, ItemState::Waiting | ItemState::Running) {
                run.discard(item);
            }
        }
    }
}

thread_local! {
    /// Set while an item is performed: its panic is that item's failure, not news for the terminal.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Sends panics of items to the log instead of standard error, and leaves all others as they were.
fn quiet_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if QUIET.with(Cell::get) {
                tracing::warn!(%panic, "an item panicked");
            } else {
                before(panic);
            }
        }));
    });
}

/// The words of a panic.
fn words(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no reason given")
}
