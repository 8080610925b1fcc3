//! The engine's rows, kept in the profile's database.

use std::{sync::Arc, time::Duration};

use artel_jobs::{
    Conclusion, Counts, Effort, Item, ItemState, Job, JobState, MAX_ATTEMPTS, NewItem, NewJob,
    Queue, QueueError, Settlement, Step, Verdict,
};
use artel_store::{Connection, Store, StoreError, Transaction, jobs as rows};

/// The queue of one open profile.
pub(crate) struct StoreQueue {
    store: Arc<Store>,
}

impl StoreQueue {
    /// Keeps jobs in this database.
    pub(super) fn new(store: Arc<Store>) -> Self {
        Self { store }
    }

    fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, QueueError> {
        self.store.read(read).map_err(failed)
    }

    fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, QueueError> {
        self.store.write(write).map_err(failed)
    }
}

fn failed(error: StoreError) -> QueueError {
    QueueError(Box::new(error))
}

fn bad(error: impl std::error::Error + Send + Sync + 'static) -> QueueError {
    QueueError(Box::new(error))
}

fn text(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn effort(effort: Effort) -> rows::Effort {
    rows::Effort {
        worked_ms: u64::try_from(effort.worked.as_millis()).unwrap_or(u64::MAX),
        peak_memory: effort.peak_memory,
    }
}

fn job(row: rows::Job) -> Result<Job, QueueError> {
    Ok(Job {
        id: row.id,
        kind: row.new.kind,
        version: row.new.version,
        title: row.new.title,
        params: serde_json::from_str(&row.new.params).map_err(bad)?,
        state: row.state.parse().map_err(bad)?,
        listed: row.listed,
        cursor: text(row.cursor),
        counts: Counts {
            total: row.total,
            done: row.done,
            failed: row.failed,
            skipped: row.skipped,
        },
        worked: Duration::from_millis(row.effort.worked_ms),
        peak_memory: row.effort.peak_memory,
        backend: row.new.backend,
        out: text(row.new.out),
        error: text(row.error),
        created_at: row.new.created_at,
    })
}

fn item(row: rows::Item) -> Result<Item, QueueError> {
    Ok(Item {
        job: row.job,
        position: row.position,
        input: row.input,
        target: row.target,
        units: row.units,
        state: row.state.parse().map_err(bad)?,
        attempts: row.attempts,
        error: text(row.result.error),
        key: row.result.key,
        output: text(row.result.output),
        hash: text(row.result.hash),
        method: row.result.method,
        score: row.result.score,
        took: Duration::from_micros(row.result.took_us),
    })
}

fn settlement(settlement: &Settlement) -> rows::Settlement {
    let tally = settlement.verdict.tally(settlement.units);
    let took_us = u64::try_from(settlement.took.as_micros()).unwrap_or(u64::MAX);
    let (state, result) = match &settlement.verdict {
        Verdict::Finished(outcome) => (
            if outcome.skipped {
                ItemState::Skipped
            } else {
                ItemState::Done
            },
            rows::ItemResult {
                error: outcome.note.clone().unwrap_or_default(),
                key: outcome.key.clone(),
                output: outcome.output.clone().unwrap_or_default(),
                hash: outcome.hash.clone().unwrap_or_default(),
                method: outcome.method.clone(),
                score: outcome.score,
                took_us,
            },
        ),
        Verdict::Failed(reason) => (
            ItemState::Failed,
            rows::ItemResult {
                error: reason.clone(),
                took_us,
                ..rows::ItemResult::default()
            },
        ),
        Verdict::Later => (ItemState::Waiting, rows::ItemResult::default()),
    };
    rows::Settlement {
        position: settlement.position,
        generation: settlement.generation,
        state: state.name(),
        result,
        tally: [tally.done, tally.failed, tally.skipped],
        effort: effort(settlement.effort),
    }
}

impl Queue for StoreQueue {
    fn insert(&self, job: &NewJob) -> Result<i64, QueueError> {
        let row = rows::NewJob {
            kind: job.kind.clone(),
            version: job.version,
            title: job.title.clone(),
            params: job.params.to_string(),
            out: job.out.clone().unwrap_or_default(),
            backend: job.backend.clone(),
            created_at: jiff::Timestamp::now().as_millisecond(),
        };
        self.write(move |tx| rows::insert(tx, &row))
    }

    fn job(&self, id: i64) -> Result<Option<Job>, QueueError> {
        self.read(|connection| rows::job(connection, id))?
            .map(job)
            .transpose()
    }

    fn jobs(&self, active: bool) -> Result<Vec<Job>, QueueError> {
        self.read(|connection| rows::jobs(connection, active))?
            .into_iter()
            .map(job)
            .collect()
    }

    fn items(
        &self,
        job: i64,
        state: Option<ItemState>,
        offset: u64,
        limit: u32,
    ) -> Result<(Vec<Item>, u64), QueueError> {
        let state = state.map(ItemState::name);
        let (items, count) = self.read(|connection| {
            Ok((
                rows::items(connection, job, state, offset, limit)?,
                rows::count(connection, job, state)?,
            ))
        })?;
        Ok((
            items.into_iter().map(item).collect::<Result<_, _>>()?,
            count,
        ))
    }

    fn items_from(&self, job: i64, from: u64, limit: u32) -> Result<Vec<Item>, QueueError> {
        self.read(|connection| rows::items_from(connection, job, from, limit))?
            .into_iter()
            .map(item)
            .collect()
    }

    fn append(
        &self,
        job: i64,
        items: &[NewItem],
        last: bool,
        cost: Effort,
    ) -> Result<(), QueueError> {
        let items: Vec<_> = items
            .iter()
            .map(|item| (item.input.clone(), item.target.clone(), item.units))
            .collect();
        self.write(move |tx| rows::append(tx, job, &items, last, &effort(cost)))
    }

    fn begin(&self, job: i64, boot: &str, seen: JobState) -> Result<bool, QueueError> {
        let boot = boot.to_owned();
        self.write(move |tx| rows::begin(tx, job, &boot, seen.name()))
    }

    fn step(
        &self,
        job: i64,
        settled: Option<&Settlement>,
        claim: bool,
    ) -> Result<Step, QueueError> {
        let settled = settled.map(settlement);
        let (settled, claimed) = self.write(move |tx| {
            let settled = match &settled {
                Some(settled) => rows::settle(tx, job, settled)?,
                None => None,
            };
            let claimed = if claim { rows::claim(tx, job)? } else { None };
            Ok((settled, claimed))
        })?;
        Ok(Step {
            settled: settled.map(item).transpose()?,
            claimed: claimed.map(item).transpose()?,
        })
    }

    fn conclude(&self, job: i64, conclusion: &Conclusion) -> Result<(), QueueError> {
        let row = rows::Conclusion {
            state: conclusion.state.name(),
            error: conclusion.error.clone().unwrap_or_default(),
            effort: effort(conclusion.effort),
        };
        self.write(move |tx| rows::conclude(tx, job, &row))
    }

    fn retry_failed(&self, job: i64) -> Result<u64, QueueError> {
        self.write(move |tx| rows::retry_failed(tx, job))
    }

    fn recover(&self, boot: &str) -> Result<(), QueueError> {
        let boot = boot.to_owned();
        self.write(move |tx| rows::recover(tx, &boot, MAX_ATTEMPTS, &artel_jobs::gave_up()))
    }

    fn find_done(&self, key: &str, target: &str) -> Result<Option<Item>, QueueError> {
        self.read(|connection| rows::find_done(connection, key, target))?
            .map(item)
            .transpose()
    }
}
