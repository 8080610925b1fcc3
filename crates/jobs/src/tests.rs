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
    limit: Duration,
}

impl Numbers {
    fn new(count: u64, act: fn(u64, &Attempt) -> Result<Outcome, Failure>) -> Self {
        Self {
            count,
            act,
            performed: Arc::default(),
            told: Arc::default(),
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
    queue.append(job, &items, true).unwrap();
    for crash in 1..=MAX_ATTEMPTS {
        queue.begin(job, "a process that is gone").unwrap();
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
        queue.append(job, &items, false).unwrap();
        let engine = engine(&queue, Numbers::new(count, |_, _| fine()));
        engine.resume(job).unwrap();
        let job = engine.wait(job).unwrap();
        prop_assert_eq!((job.counts.total, job.counts.done), (count, count));
        let (all, _) = queue.items(job.id, None, 0, 2_000).unwrap();
        let in_order = all.iter().all(|item| item.input == format!("{:08}", item.position));
        prop_assert!(in_order);
    }
}
