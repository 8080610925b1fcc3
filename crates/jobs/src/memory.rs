//! A queue in memory, for tests of the engine and of kinds of jobs.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use crate::{
    MAX_ATTEMPTS,
    model::{Counts, Item, ItemState, Job, JobState, NewItem, NewJob},
    queue::{Conclusion, Effort, Queue, QueueError, Settlement, Step},
    work::Verdict,
};

/// Jobs and items in memory. Nothing survives the process.
#[derive(Debug, Default)]
pub struct MemoryQueue {
    jobs: Mutex<BTreeMap<i64, Rows>>,
}

#[derive(Debug)]
struct Rows {
    job: Job,
    boot: String,
    items: Vec<Item>,
}

impl MemoryQueue {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<i64, Rows>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, job: i64, change: impl FnOnce(&mut Rows) -> T) -> Result<T, QueueError> {
        self.lock()
            .get_mut(&job)
            .map(change)
            .ok_or_else(|| QueueError(format!("there is no job {job}").into()))
    }
}

impl Rows {
    fn keep(&mut self, effort: Effort) {
        self.job.worked = self.job.worked.max(effort.worked);
        self.job.peak_memory = self.job.peak_memory.max(effort.peak_memory);
    }

    fn release(&mut self) {
        for item in &mut self.items {
            if item.state == ItemState::Running {
                item.state = ItemState::Waiting;
            }
        }
    }
}

fn settle(item: &mut Item, settlement: &Settlement) {
    item.took = settlement.took;
    match &settlement.verdict {
        Verdict::Finished(outcome) => {
            item.state = if outcome.skipped {
                ItemState::Skipped
            } else {
                ItemState::Done
            };
            item.key.clone_from(&outcome.key);
            item.output.clone_from(&outcome.output);
            item.hash.clone_from(&outcome.hash);
            item.method.clone_from(&outcome.method);
            item.score = outcome.score;
            item.error.clone_from(&outcome.note);
        }
        Verdict::Failed(reason) => {
            item.state = ItemState::Failed;
            item.error = Some(reason.clone());
        }
        Verdict::Later => {
            item.state = ItemState::Waiting;
            item.attempts = item.attempts.saturating_sub(1);
            item.took = Duration::ZERO;
        }
    }
}

impl Queue for MemoryQueue {
    fn insert(&self, job: &NewJob) -> Result<i64, QueueError> {
        let mut jobs = self.lock();
        let id = jobs.keys().last().copied().unwrap_or(0) + 1;
        let created_at = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        let job = job.clone();
        let job = Job {
            id,
            kind: job.kind,
            version: job.version,
            title: job.title,
            params: job.params,
            state: JobState::Waiting,
            listed: false,
            cursor: None,
            counts: Counts::default(),
            worked: Duration::ZERO,
            peak_memory: 0,
            backend: job.backend,
            out: job.out,
            error: None,
            created_at,
        };
        jobs.insert(
            id,
            Rows {
                job,
                boot: String::new(),
                items: Vec::new(),
            },
        );
        Ok(id)
    }

    fn job(&self, job: i64) -> Result<Option<Job>, QueueError> {
        Ok(self.lock().get(&job).map(|rows| rows.job.clone()))
    }

    fn jobs(&self, active: bool) -> Result<Vec<Job>, QueueError> {
        Ok(self
            .lock()
            .values()
            .rev()
            .filter(|rows| !active || !rows.job.state.is_final())
            .map(|rows| rows.job.clone())
            .collect())
    }

    fn items(
        &self,
        job: i64,
        state: Option<ItemState>,
        offset: u64,
        limit: u32,
    ) -> Result<(Vec<Item>, u64), QueueError> {
        self.with(job, |rows| {
            let matching = || {
                rows.items
                    .iter()
                    .filter(|item| state.is_none_or(|state| state == item.state))
            };
            let page = matching()
                .skip(usize::try_from(offset).unwrap_or(usize::MAX))
                .take(usize::try_from(limit).unwrap_or(usize::MAX))
                .cloned()
                .collect();
            (page, matching().count() as u64)
        })
    }

    fn items_from(&self, job: i64, from: u64, limit: u32) -> Result<Vec<Item>, QueueError> {
        self.with(job, |rows| {
            rows.items
                .iter()
                .filter(|item| item.position >= from)
                .take(usize::try_from(limit).unwrap_or(usize::MAX))
                .cloned()
                .collect()
        })
    }

    fn append(
        &self,
        job: i64,
        items: &[NewItem],
        last: bool,
        effort: Effort,
    ) -> Result<(), QueueError> {
        self.with(job, |rows| {
            rows.keep(effort);
            for item in items {
                rows.job.counts.total += item.units;
                rows.job.cursor = Some(item.input.clone());
                rows.items.push(Item {
                    job,
                    position: rows.items.len() as u64,
                    input: item.input.clone(),
                    target: item.target.clone(),
                    units: item.units,
                    state: ItemState::Waiting,
                    attempts: 0,
                    error: None,
                    key: String::new(),
                    output: None,
                    hash: None,
                    method: String::new(),
                    score: None,
                    took: Duration::ZERO,
                });
            }
            rows.job.listed |= last;
        })
    }

    fn begin(&self, job: i64, boot: &str, seen: JobState) -> Result<bool, QueueError> {
        self.with(job, |rows| {
            if rows.job.state != seen {
                return false;
            }
            rows.job.state = JobState::Running;
            rows.job.error = None;
            boot.clone_into(&mut rows.boot);
            let held = rows.items.iter_mut();
            for item in held.filter(|item| item.state == ItemState::Running) {
                item.state = ItemState::Waiting;
            }
            true
        })
    }

    fn step(
        &self,
        job: i64,
        settlement: Option<&Settlement>,
        claim: bool,
    ) -> Result<Step, QueueError> {
        self.with(job, |rows| {
            let settled = settlement.and_then(|settlement| {
                let item = rows.items.iter_mut().find(|item| {
                    item.position == settlement.position
                        && item.state == ItemState::Running
                        && item.attempts == settlement.generation
                })?;
                settle(item, settlement);
                let item = item.clone();
                rows.keep(settlement.effort);
                let tally = settlement.verdict.tally(item.units);
                rows.job.counts.done += tally.done;
                rows.job.counts.failed += tally.failed;
                rows.job.counts.skipped += tally.skipped;
                Some(item)
            });
            let claimed = claim
                .then(|| {
                    let item = rows
                        .items
                        .iter_mut()
                        .find(|item| item.state == ItemState::Waiting)?;
                    item.state = ItemState::Running;
                    item.attempts += 1;
                    Some(item.clone())
                })
                .flatten();
            Step { settled, claimed }
        })
    }

    fn conclude(&self, job: i64, conclusion: &Conclusion) -> Result<(), QueueError> {
        self.with(job, |rows| {
            rows.release();
            rows.job.state = conclusion.state;
            rows.job.error.clone_from(&conclusion.error);
            rows.keep(conclusion.effort);
        })
    }

    fn retry_failed(&self, job: i64) -> Result<u64, QueueError> {
        self.with(job, |rows| {
            let mut count = 0;
            for item in &mut rows.items {
                if item.state == ItemState::Failed {
                    item.state = ItemState::Waiting;
                    item.attempts = 0;
                    item.error = None;
                    rows.job.counts.failed = rows.job.counts.failed.saturating_sub(item.units);
                    count += 1;
                }
            }
            if count > 0 {
                rows.job.state = JobState::Waiting;
            }
            count
        })
    }

    fn recover(&self, boot: &str) -> Result<(), QueueError> {
        for rows in self.lock().values_mut() {
            if rows.job.state != JobState::Running || rows.boot == boot {
                continue;
            }
            rows.job.state = JobState::Interrupted;
            for item in &mut rows.items {
                if item.state == ItemState::Running && item.attempts >= MAX_ATTEMPTS {
                    item.state = ItemState::Failed;
                    item.error = Some(crate::gave_up());
                    rows.job.counts.failed += item.units;
                }
            }
            rows.release();
        }
        Ok(())
    }

    fn find_done(&self, key: &str, target: &str) -> Result<Option<Item>, QueueError> {
        Ok(self
            .lock()
            .values()
            .rev()
            .flat_map(|rows| rows.items.iter())
            .find(|item| {
                matches!(item.state, ItemState::Done | ItemState::Skipped)
                    && item.key == key
                    && item.target == target
            })
            .cloned())
    }
}
