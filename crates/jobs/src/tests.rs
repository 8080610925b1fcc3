//! The engine over rows in memory: faults, panics, stops, late results, crashes.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use proptest::prelude::*;

use crate::{memory::MemoryQueue, *};

/// Items `0..count`; what each does is decided by its number.
struct Numbers {
    count: u64,
    act: fn(u64, &Attempt) -> Result<Outcome, Failure>,
    performed: Arc<AtomicU32>,
    told: Arc<Mutex<Vec<u64>>>,
    finished: Arc<AtomicU32>,
    limit: Duration,
}

impl Numbers {
    fn new(count: u64, act: fn(u64, &Attempt) -> Result<Outcome, Failure>) -> Self {
        Self {
            count,
            act,
            performed: Arc::default(),
            told: Arc::default(),
            finished: Arc::default(),
            limit: Duration::from_mins(1),
        }
    }
}

impl Work for Numbers {
    fn kind(&self) -> &'static str {
        "numbers"
    }

    fn version(&self) -> u32 {
        1
    }

    fn open(&self, _: &Job) -> Result<Arc<dyn Run>, Failure> {
        Ok(Arc::new(Self {
            count: self.count,
            act: self.act,
            performed: Arc::clone(&self.performed),
            told: Arc::clone(&self.told),
            finished: Arc::clone(&self.finished),
            limit: self.limit,
        }))
    }
}

impl Run for Numbers {
    fn list(&self, after: Option<&str>) -> Result<Listing, Failure> {
        let from = after.map_or(0, |after| after.parse::<u64>().unwrap() + 1);
        Ok(Box::new((from..self.count).map(|number| {
            Ok(NewItem {
                input: format!("{number:08}"),
                target: String::new(),
                units: 1,
            })
        })))
    }

    fn memory(&self, _: &Item) -> u64 {
        10
    }

    fn time_limit(&self) -> Duration {
        self.limit
    }

    fn perform(&self, item: &Item, attempt: &Attempt) -> Result<Outcome, Failure> {
        self.performed.fetch_add(1, Ordering::SeqCst);
        (self.act)(item.position, attempt)
    }

    fn settled(&self, item: &Item) -> Result<(), Failure> {
        self.told.lock().unwrap().push(item.position);
        Ok(())
    }

    fn finish(&self, _: &Job) -> Result<(), Failure> {
        self.finished.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

#[expect(clippy::unnecessary_wraps, reason = "what an item gives")]
fn fine() -> Result<Outcome, Failure> {
    Ok(Outcome::default())
}

fn new_job() -> NewJob {
    NewJob {
        kind: "numbers".to_owned(),
        version: 1,
        title: "numbers".to_owned(),
        params: serde_json::Value::Null,
        out: None,
        backend: "cpu".to_owned(),
    }
}

fn engine(queue: &Arc<MemoryQueue>, work: Numbers) -> Engine {
    let options = Options {
        slots: 4,
        memory: 35,
        resident: || 1000,
    };
    let engine = Engine::new(Arc::<MemoryQueue>::clone(queue), options, Arc::new(|_| {})).unwrap();
    engine.register(Arc::new(work));
    engine
}

fn run(work: Numbers) -> (Arc<MemoryQueue>, Job) {
    let queue = Arc::new(MemoryQueue::default());
    let engine = engine(&queue, work);
    let job = engine.submit(&new_job()).unwrap();
    let job = engine.wait(job.id).unwrap();
    (queue, job)
}

#[test]
fn failures_and_panics_are_their_items_own() {
    let work = Numbers::new(1_200, |number, _| match number {
        7 => Err(Failure::item("seven is bad")),
        9 => panic!("nine breaks"),
        11 => Ok(Outcome {
            skipped: true,
            ..Outcome::default()
        }),
        _ => fine(),
    });
    let told = Arc::clone(&work.told);
    let (queue, job) = run(work);
    assert_eq!(job.state, JobState::DoneInPart);
    assert_eq!(
        job.counts,
        Counts {
            total: 1_200,
            done: 1_197,
            failed: 2,
            skipped: 1
        }
    );
    let (failed, count) = queue.items(job.id, Some(ItemState::Failed), 0, 10).unwrap();
    assert_eq!(count, 2);
    assert_eq!(failed[0].error.as_deref(), Some("seven is bad"));
    assert!(failed[1].error.as_deref().unwrap().contains("nine breaks"));
    let mut told = told.lock().unwrap().clone();
    told.sort_unstable();
    assert_eq!(
        told,
        (0..1_200).collect::<Vec<_>>(),
        "each item is told once"
    );
    assert_eq!(job.peak_memory, 1000);
}

/// A page of products may have grown or shrunk since it was listed.
#[test]
fn a_job_is_done_when_nothing_waits_whatever_its_units_say() {
    fn tally(done: u64, failed: u64) -> Outcome {
        Outcome {
            tally: Some(Tally {
                done,
                failed,
                skipped: 0,
            }),
            ..Outcome::default()
        }
    }
    type Act = fn(u64, &Attempt) -> Result<Outcome, Failure>;
    let cases: [(&str, Act, JobState); 5] = [
        ("grown", |_, _| Ok(tally(2, 0)), JobState::Done),
        ("shrunk", |_, _| Ok(tally(0, 0)), JobState::Done),
        (
            "grown, a part failed",
            |_, _| Ok(tally(1, 1)),
            JobState::DoneInPart,
        ),
        (
            "shrunk, all failed",
            |number, _| Ok(tally(0, number % 2)),
            JobState::Failed,
        ),
        (
            "grown, all failed",
            |_, _| Ok(tally(0, 2)),
            JobState::Failed,
        ),
    ];
    for (name, act, state) in cases {
        let work = Numbers::new(4, act);
        let finished = Arc::clone(&work.finished);
        let (_, job) = run(work);
        assert_eq!(job.state, state, "{name}");
        assert_eq!(finished.load(Ordering::SeqCst), 1, "{name}");
    }
}

/// Items in hand are let be done when a job is to stop; where they were the last, the job is.
#[test]
fn a_stop_while_the_last_items_are_in_hand_leaves_the_job_finished() {
    static GATE: Mutex<()> = Mutex::new(());
    type Stop = fn(&Engine, i64) -> Result<Job, EngineError>;
    let stops: [(&str, Stop); 2] = [("pause", Engine::pause), ("cancel", Engine::cancel)];
    for (name, stop) in stops {
        let queue = Arc::new(MemoryQueue::default());
        let work = Numbers::new(3, |_, _| {
            drop(GATE.lock().unwrap());
            fine()
        });
        let (performed, finished) = (Arc::clone(&work.performed), Arc::clone(&work.finished));
        let engine = engine(&queue, work);
        let held = GATE.lock().unwrap();
        let id = engine.submit(&new_job()).unwrap().id;
        while performed.load(Ordering::SeqCst) < 3 {
            std::thread::sleep(Duration::from_millis(1));
        }
        let job = std::thread::scope(|scope| {
            let asked = scope.spawn(|| stop(&engine, id).unwrap());
            // Long enough for the wish to be heard while all three are in hand.
            std::thread::sleep(Duration::from_millis(100));
            drop(held);
            asked.join().unwrap()
        });
        assert_eq!(job.state, JobState::Done, "{name}");
        assert_eq!(finished.load(Ordering::SeqCst), 1, "{name}");
    }
}

#[test]
fn a_stop_before_the_last_items_does_not_finish_the_job() {
    let queue = Arc::new(MemoryQueue::default());
    let work = Numbers::new(300, |_, _| {
        std::thread::sleep(Duration::from_millis(1));
        fine()
    });
    let finished = Arc::clone(&work.finished);
    let engine = engine(&queue, work);
    let job = engine.submit(&new_job()).unwrap().id;
    assert_eq!(engine.pause(job).unwrap().state, JobState::Paused);
    assert_eq!(finished.load(Ordering::SeqCst), 0);
    engine.resume(job).unwrap();
    assert_eq!(engine.wait(job).unwrap().state, JobState::Done);
    assert_eq!(finished.load(Ordering::SeqCst), 1);
}

/// A stop that was decided otherwise before the wish was heard does not swallow the wish.
#[test]
fn a_cancelled_job_stays_cancelled_even_if_it_breaks_at_that_moment() {
    static GATE: Mutex<()> = Mutex::new(());
    let queue = Arc::new(MemoryQueue::default());
    let work = Numbers::new(50, |_, _| {
        drop(GATE.lock().unwrap());
        Err(Failure::job("the disk is full"))
    });
    let performed = Arc::clone(&work.performed);
    let engine = engine(&queue, work);
    let held = GATE.lock().unwrap();
    let id = engine.submit(&new_job()).unwrap().id;
    while performed.load(Ordering::SeqCst) == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let job = std::thread::scope(|scope| {
        let asked = scope.spawn(|| engine.cancel(id).unwrap());
        std::thread::sleep(Duration::from_millis(100));
        drop(held);
        asked.join().unwrap()
    });
    assert_eq!(job.state, JobState::Cancelled);
}

/// Opens slowly the first time: until the gate is let go of.
struct Slow {
    work: Numbers,
    gate: Arc<Mutex<()>>,
    opened: AtomicU32,
    fails: bool,
}

impl Work for Slow {
    fn kind(&self) -> &'static str {
        "numbers"
    }

    fn version(&self) -> u32 {
        1
    }

    fn open(&self, job: &Job) -> Result<Arc<dyn Run>, Failure> {
        if self.opened.fetch_add(1, Ordering::SeqCst) == 0 {
            drop(self.gate.lock().unwrap());
            if self.fails {
                return Err(Failure::job("the recipe is gone"));
            }
        }
        self.work.open(job)
    }
}

#[test]
fn who_changes_a_job_while_it_is_being_opened_wins() {
    type Stop = fn(&Engine, i64) -> Result<Job, EngineError>;
    let cases: [(Stop, JobState); 2] = [
        (Engine::pause, JobState::Paused),
        (Engine::cancel, JobState::Cancelled),
    ];
    for fails in [false, true] {
        for (stop, state) in cases {
            let queue = Arc::new(MemoryQueue::default());
            let engine = engine(&queue, Numbers::new(0, |_, _| fine()));
            let gate = Arc::new(Mutex::new(()));
            let work = Numbers::new(5, |_, _| fine());
            let performed = Arc::clone(&work.performed);
            let slow = Arc::new(Slow {
                work,
                gate: Arc::clone(&gate),
                opened: AtomicU32::new(0),
                fails,
            });
            engine.register(Arc::<Slow>::clone(&slow));
            let id = queue.insert(&new_job()).unwrap();
            let held = gate.lock().unwrap();
            std::thread::scope(|scope| {
                let started = scope.spawn(|| engine.resume(id));
                while slow.opened.load(Ordering::SeqCst) == 0 {
                    std::thread::sleep(Duration::from_millis(1));
                }
                assert_eq!(stop(&engine, id).unwrap().state, state);
                drop(held);
                assert!(started.join().unwrap().is_err());
            });
            assert_eq!(engine.wait(id).unwrap().state, state);
            assert_eq!(performed.load(Ordering::SeqCst), 0);
        }
    }
}

#[test]
fn an_item_that_takes_too_long_is_given_up_and_its_late_result_refused() {
    let mut work = Numbers::new(6, |number, attempt| {
        while number == 2 && !attempt.given_up() {
            std::thread::sleep(Duration::from_millis(1));
        }
        fine()
    });
    work.limit = Duration::from_millis(150);
    let (queue, job) = run(work);
    assert_eq!(
        job.counts,
        Counts {
            total: 6,
            done: 5,
            failed: 1,
            skipped: 0
        }
    );
    let (failed, _) = queue.items(job.id, Some(ItemState::Failed), 0, 10).unwrap();
    assert!(
        failed[0]
            .error
            .as_deref()
            .unwrap()
            .contains("took longer than 0.15 s")
    );
}

#[test]
fn what_stops_every_item_pauses_the_job_with_its_reason() {
    static BROKEN: AtomicU32 = AtomicU32::new(1);
    let queue = Arc::new(MemoryQueue::default());
    let engine = engine(
        &queue,
        Numbers::new(50, |number, _| match number {
            20 if BROKEN.load(Ordering::SeqCst) == 1 => Err(Failure::job("the disk is full")),
            _ => fine(),
        }),
    );
    let job = engine.submit(&new_job()).unwrap();
    let job = engine.wait(job.id).unwrap();
    assert_eq!(
        (job.state, job.error.as_deref()),
        (JobState::Paused, Some("the disk is full"))
    );
    assert_eq!(job.counts.failed, 0);
    BROKEN.store(0, Ordering::SeqCst);
    engine.resume(job.id).unwrap();
    let job = engine.wait(job.id).unwrap();
    assert_eq!(
        (job.state, job.error, job.counts.done),
        (JobState::Done, None, 50)
    );
}

#[test]
fn a_paused_job_does_each_item_once_and_a_cancelled_one_stays_ended() {
    let queue = Arc::new(MemoryQueue::default());
    let work = Numbers::new(300, |_, _| {
        std::thread::sleep(Duration::from_millis(1));
        fine()
    });
    let performed = Arc::clone(&work.performed);
    let engine = engine(&queue, work);
    let job = engine.submit(&new_job()).unwrap().id;
    assert_eq!(engine.pause(job).unwrap().state, JobState::Paused);
    let (_, running) = queue.items(job, Some(ItemState::Running), 0, 1).unwrap();
    assert_eq!(running, 0);
    engine.resume(job).unwrap();
    assert_eq!(engine.wait(job).unwrap().state, JobState::Done);
    assert_eq!(performed.load(Ordering::SeqCst), 300);

    let job = engine.submit(&new_job()).unwrap().id;
    assert_eq!(engine.cancel(job).unwrap().state, JobState::Cancelled);
    assert!(matches!(
        engine.resume(job),
        Err(EngineError::WrongState { .. })
    ));
    assert!(matches!(engine.resume(99), Err(EngineError::NoJob(99))));
    assert!(matches!(
        engine.retry(job),
        Err(EngineError::NothingFailed(_))
    ));
}

#[test]
fn an_item_that_ends_the_program_again_and_again_is_given_up() {
    let queue = Arc::new(MemoryQueue::default());
    let job = queue.insert(&new_job()).unwrap();
    let items: Vec<_> = (0..2)
        .map(|number| NewItem {
            input: format!("{number:08}"),
            target: String::new(),
            units: 1,
        })
        .collect();
    queue.append(job, &items, true, Effort::default()).unwrap();
    for crash in 1..=MAX_ATTEMPTS {
        let seen = queue.job(job).unwrap().unwrap().state;
        assert!(queue.begin(job, "a process that is gone", seen).unwrap());
        let claimed = queue.step(job, None, true).unwrap().claimed.unwrap();
        assert_eq!((claimed.position, claimed.attempts), (0, crash));
        queue.recover("the next one").unwrap();
        assert_eq!(
            queue.job(job).unwrap().unwrap().state,
            JobState::Interrupted
        );
    }
    let engine = engine(&queue, Numbers::new(2, |_, _| fine()));
    engine.resume(job).unwrap();
    let job = engine.wait(job).unwrap();
    assert_eq!(
        (job.state, job.counts.done, job.counts.failed),
        (JobState::DoneInPart, 1, 1)
    );
}

#[test]
fn what_a_job_has_cost_is_kept_while_it_runs_and_grows_over_its_runs() {
    const ITEMS: u32 = 300;
    const ITEM: Duration = Duration::from_millis(4);
    let queue = Arc::new(MemoryQueue::default());
    let engine = engine(
        &queue,
        Numbers::new(ITEMS.into(), |_, _| {
            std::thread::sleep(ITEM);
            fine()
        }),
    );
    let job = engine.submit(&new_job()).unwrap().id;
    // What the row says is all that a killed process leaves.
    let row = loop {
        let row = queue.job(job).unwrap().unwrap();
        if row.counts.done >= 9 {
            break row;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    assert_eq!(row.state, JobState::Running);
    // Memory admits three items at once.
    assert!(row.worked >= ITEM * 3, "{:?}", row.worked);
    let paused = engine.pause(job).unwrap();
    assert!(
        paused.counts.done < ITEMS.into(),
        "it was paused too late to tell"
    );
    assert!(paused.worked >= row.worked);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(engine.job(job).unwrap().worked, paused.worked);
    let resumed = engine.resume(job).unwrap();
    assert!(resumed.worked >= paused.worked);
    let left = ITEMS - u32::try_from(paused.counts.done).unwrap();
    let done = engine.wait(job).unwrap();
    assert_eq!((done.state, done.peak_memory), (JobState::Done, 1000));
    assert!(done.worked >= paused.worked + ITEM * (left / 3));
}

#[test]
fn what_a_killed_process_worked_is_not_forgotten() {
    let queue = Arc::new(MemoryQueue::default());
    let job = queue.insert(&new_job()).unwrap();
    let item = |number: u64| NewItem {
        input: format!("{number:08}"),
        target: String::new(),
        units: 1,
    };
    let effort = |seconds| Effort {
        worked: Duration::from_secs(seconds),
        peak_memory: 5000 + seconds,
    };
    queue
        .append(job, &[item(0), item(1)], true, effort(2))
        .unwrap();
    queue
        .begin(job, "a process that is gone", JobState::Waiting)
        .unwrap();
    let claimed = queue.step(job, None, true).unwrap().claimed.unwrap();
    let settlement = |effort| Settlement {
        position: claimed.position,
        generation: claimed.attempts,
        units: 1,
        verdict: Verdict::Finished(Outcome::default()),
        took: Duration::from_secs(1),
        effort,
    };
    queue
        .step(job, Some(&settlement(effort(30))), true)
        .unwrap();
    // A late one that is not accepted leaves the effort as it is.
    queue
        .step(job, Some(&settlement(effort(90))), false)
        .unwrap();
    let engine = engine(&queue, Numbers::new(2, |_, _| fine()));
    let found = engine.job(job).unwrap();
    assert_eq!(
        (found.state, found.worked, found.peak_memory),
        (JobState::Interrupted, Duration::from_secs(30), 5030)
    );
    engine.resume(job).unwrap();
    let done = engine.wait(job).unwrap();
    assert_eq!(done.state, JobState::Done);
    assert!(done.worked > Duration::from_secs(30) && done.worked < Duration::from_mins(1));
    assert_eq!(done.peak_memory, 5030);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Wherever a listing broke off, going on lists each item once.
    #[test]
    fn a_broken_listing_goes_on(listed in 0_u64..900, count in 900_u64..1_400) {
        let queue = Arc::new(MemoryQueue::default());
        let job = queue.insert(&new_job()).unwrap();
        let items: Vec<_> = (0..listed)
            .map(|number| NewItem { input: format!("{number:08}"), target: String::new(), units: 1 })
            .collect();
        queue.append(job, &items, false, Effort::default()).unwrap();
        let engine = engine(&queue, Numbers::new(count, |_, _| fine()));
        engine.resume(job).unwrap();
        let job = engine.wait(job).unwrap();
        prop_assert_eq!((job.counts.total, job.counts.done), (count, count));
        let (all, _) = queue.items(job.id, None, 0, 2_000).unwrap();
        let in_order = all.iter().all(|item| item.input == format!("{:08}", item.position));
        prop_assert!(in_order);
    }
}
