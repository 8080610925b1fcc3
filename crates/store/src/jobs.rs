//! The durable queue: jobs and their items.
//!
//! States are kept by their names; which there are and what they mean is the queue's business, and
//! the schema allows no others. Absent texts are empty.

use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use crate::StoreError;

/// A job to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// Its kind.
    pub kind: String,
    /// Version of the kind's parameters.
    pub version: u32,
    /// One line that says what it does.
    pub title: String,
    /// The kind's own parameters, JSON.
    pub params: String,
    /// Folder or file of the results, or empty.
    pub out: String,
    /// Which path computes it.
    pub backend: String,
    /// When it was queued, Unix milliseconds.
    pub created_at: i64,
}

/// A job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its number.
    pub id: i64,
    /// What was queued.
    pub new: NewJob,
    /// Name of its state.
    pub state: String,
    /// Whether all items are listed.
    pub listed: bool,
    /// Input of the item listed last, or empty.
    pub cursor: String,
    /// Units in all.
    pub total: u64,
    /// Units done.
    pub done: u64,
    /// Units that failed.
    pub failed: u64,
    /// Units found done already.
    pub skipped: u64,
    /// What it has cost.
    pub effort: Effort,
    /// Why it failed or was paused, or empty.
    pub error: String,
}

/// What a job has cost over all its runs. A row keeps the higher of what it has and what it is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    /// Time worked on it, in milliseconds.
    pub worked_ms: u64,
    /// Highest memory seen, in bytes.
    pub peak_memory: u64,
}

/// An item.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Its job.
    pub job: i64,
    /// Position in the job, from 0.
    pub position: u64,
    /// What it works on.
    pub input: String,
    /// Where its output is meant to go, or empty.
    pub target: String,
    /// Units it stands for.
    pub units: u64,
    /// Name of its state.
    pub state: String,
    /// How often it was begun; the generation of its claim.
    pub attempts: u32,
    /// Its result, empty until it has one.
    pub result: ItemResult,
}

/// What came of an item.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ItemResult {
    /// Why it failed, or empty.
    pub error: String,
    /// Hash of everything that decides the output, or empty.
    pub key: String,
    /// What it made, or empty.
    pub output: String,
    /// BLAKE3 of the output, or empty.
    pub hash: String,
    /// How it was made.
    pub method: String,
    /// A quality score.
    pub score: Option<f64>,
    /// How long it took, in microseconds.
    pub took_us: u64,
}

/// The result of a claimed item, to be stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Settlement {
    /// Its position.
    pub position: u64,
    /// `attempts` as it was claimed.
    pub generation: u32,
    /// Name of the state it is left in: `done`, `failed`, `skipped`, or `waiting` to put it back
    /// as if it had not been begun.
    pub state: &'static str,
    /// The result.
    pub result: ItemResult,
    /// Units done, failed and skipped, added to the job's.
    pub tally: [u64; 3],
    /// What the job has cost with it.
    pub effort: Effort,
}

const JOB: &str =
    "SELECT id, kind, version, title, params, out, backend, created_at_ms, state, listed,
    cursor, total, done, failed, skipped, worked_ms, peak_memory, error FROM jobs";

const ITEM: &str =
    "SELECT job, position, input, target, units, state, attempts, error, key, output,
    hash, method, score, took_us FROM job_items";

fn job_row(row: &Row<'_>) -> rusqlite::Result<Job> {
    Ok(Job {
        id: row.get("id")?,
        new: NewJob {
            kind: row.get("kind")?,
            version: row.get("version")?,
            title: row.get("title")?,
            params: row.get("params")?,
            out: row.get("out")?,
            backend: row.get("backend")?,
            created_at: row.get("created_at_ms")?,
        },
        state: row.get("state")?,
        listed: row.get("listed")?,
        cursor: row.get("cursor")?,
        total: row.get("total")?,
        done: row.get("done")?,
        failed: row.get("failed")?,
        skipped: row.get("skipped")?,
        effort: Effort {
            worked_ms: row.get("worked_ms")?,
            peak_memory: row.get("peak_memory")?,
        },
        error: row.get("error")?,
    })
}

fn item_row(row: &Row<'_>) -> rusqlite::Result<Item> {
    Ok(Item {
        job: row.get("job")?,
        position: row.get("position")?,
        input: row.get("input")?,
        target: row.get("target")?,
        units: row.get("units")?,
        state: row.get("state")?,
        attempts: row.get("attempts")?,
        result: ItemResult {
            error: row.get("error")?,
            key: row.get("key")?,
            output: row.get("output")?,
            hash: row.get("hash")?,
            method: row.get("method")?,
            score: row.get("score")?,
            took_us: row.get("took_us")?,
        },
    })
}

/// Adds a job and returns its number.
pub fn insert(connection: &Connection, job: &NewJob) -> Result<i64, StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO jobs (kind, version, title, params, out, backend, created_at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            job.kind,
            job.version,
            job.title,
            job.params,
            job.out,
            job.backend,
            job.created_at
        ])?;
    Ok(connection.last_insert_rowid())
}

/// One job.
pub fn job(connection: &Connection, job: i64) -> Result<Option<Job>, StoreError> {
    Ok(connection
        .prepare_cached(&format!("{JOB} WHERE id = ?1"))?
        .query_row([job], job_row)
        .optional()?)
}

/// All jobs, newest first; with `active` only those that something may still happen to.
pub fn jobs(connection: &Connection, active: bool) -> Result<Vec<Job>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "{JOB} WHERE NOT ?1 OR state IN ('waiting', 'running', 'paused', 'interrupted') ORDER BY id DESC"
    ))?;
    let jobs = statement
        .query_map([active], job_row)?
        .collect::<Result<_, _>>()?;
    Ok(jobs)
}

/// Items in this state, or all, by position.
pub fn items(
    connection: &Connection,
    job: i64,
    state: Option<&str>,
    offset: u64,
    limit: u32,
) -> Result<Vec<Item>, StoreError> {
    let collect = |mut statement: rusqlite::CachedStatement<'_>,
                   state: &str|
     -> Result<Vec<Item>, StoreError> {
        let rows = statement.query_map(
            named_params! {":job": job, ":state": state, ":limit": limit, ":offset": offset},
            item_row,
        )?;
        Ok(rows.collect::<Result<_, _>>()?)
    };
    match state {
        Some(state) => collect(
            connection.prepare_cached(&format!(
                "{ITEM} WHERE job = :job AND state = :state ORDER BY position LIMIT :limit OFFSET :offset"
            ))?,
            state,
        ),
        // Positions have no gaps, so no row has to be passed over.
        None => items_from(connection, job, offset, limit),
    }
}

/// How many items are in this state, or in all.
pub fn count(connection: &Connection, job: i64, state: Option<&str>) -> Result<u64, StoreError> {
    Ok(match state {
        Some(state) => connection
            .prepare_cached("SELECT count(*) FROM job_items WHERE job = ?1 AND state = ?2")?
            .query_row(params![job, state], |row| row.get(0))?,
        None => connection
            .prepare_cached("SELECT items FROM jobs WHERE id = ?1")?
            .query_row([job], |row| row.get(0))
            .optional()?
            .unwrap_or(0),
    })
}

/// Items whose position is at least `from`, by position.
pub fn items_from(
    connection: &Connection,
    job: i64,
    from: u64,
    limit: u32,
) -> Result<Vec<Item>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "{ITEM} WHERE job = ?1 AND position >= ?2 ORDER BY position LIMIT ?3"
    ))?;
    let items = statement
        .query_map(params![job, from, limit], item_row)?
        .collect::<Result<_, _>>()?;
    Ok(items)
}

/// Adds items (input, target, units) at the end and moves the cursor to the last of them.
pub fn append(
    connection: &Connection,
    job: i64,
    items: &[(String, String, u64)],
    last: bool,
    effort: &Effort,
) -> Result<(), StoreError> {
    let mut position: u64 = count(connection, job, None)?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO job_items (job, position, input, target, units) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let mut units = 0;
    for (input, target, of_item) in items {
        insert.execute(params![job, position, input, target, of_item])?;
        position += 1;
        units += of_item;
    }
    connection
        .prepare_cached(
            "UPDATE jobs SET items = ?2, total = total + ?3, listed = max(listed, ?4),
             cursor = coalesce(?5, cursor), worked_ms = max(worked_ms, ?6),
             peak_memory = max(peak_memory, ?7) WHERE id = ?1",
        )?
        .execute(params![
            job,
            position,
            units,
            last,
            items.last().map(|(input, _, _)| input),
            effort.worked_ms,
            effort.peak_memory
        ])?;
    Ok(())
}

/// Marks a job as running in this run of the program, if it still is in the state that the caller saw; whether it was.
pub fn begin(
    connection: &Connection,
    job: i64,
    boot: &str,
    seen: &str,
) -> Result<bool, StoreError> {
    let changed = connection
        .prepare_cached(
            "UPDATE jobs SET state = 'running', boot = ?2, error = '' WHERE id = ?1 AND state = ?3",
        )?
        .execute(params![job, boot, seen])?;
    if changed == 1 {
        // What a run held that could not store its end.
        release(connection, job)?;
    }
    Ok(changed == 1)
}

/// Stores the result of a claimed item; `None` if its claim is not the last one.
pub fn settle(
    connection: &Connection,
    job: i64,
    settlement: &Settlement,
) -> Result<Option<Item>, StoreError> {
    let result = &settlement.result;
    let back = settlement.state == "waiting";
    let settled = connection
        .prepare_cached(
            "UPDATE job_items SET state = :state, attempts = attempts - :back, error = :error, key = :key,
             output = :output, hash = :hash, method = :method, score = :score, took_us = :took_us
             WHERE job = :job AND position = :position AND state = 'running' AND attempts = :generation",
        )?
        .execute(named_params! {
            ":job": job,
            ":position": settlement.position,
            ":generation": settlement.generation,
            ":state": settlement.state,
            ":back": back,
            ":error": result.error,
            ":key": result.key,
            ":output": result.output,
            ":hash": result.hash,
            ":method": result.method,
            ":score": result.score,
            ":took_us": result.took_us,
        })?;
    if settled == 0 {
        return Ok(None);
    }
    let [done, failed, skipped] = settlement.tally;
    connection
        .prepare_cached(
            "UPDATE jobs SET done = done + ?2, failed = failed + ?3, skipped = skipped + ?4,
             worked_ms = max(worked_ms, ?5), peak_memory = max(peak_memory, ?6) WHERE id = ?1",
        )?
        .execute(params![
            job,
            done,
            failed,
            skipped,
            settlement.effort.worked_ms,
            settlement.effort.peak_memory
        ])?;
    item(connection, job, settlement.position)
}

/// Claims the first waiting item.
pub fn claim(connection: &Connection, job: i64) -> Result<Option<Item>, StoreError> {
    let first: Option<u64> = connection
        .prepare_cached(
            "SELECT position FROM job_items WHERE job = ?1 AND state = 'waiting' ORDER BY position LIMIT 1",
        )?
        .query_row([job], |row| row.get(0))
        .optional()?;
    let Some(position) = first else {
        return Ok(None);
    };
    connection
        .prepare_cached(
            "UPDATE job_items SET state = 'running', attempts = attempts + 1 WHERE job = ?1 AND position = ?2",
        )?
        .execute(params![job, position])?;
    item(connection, job, position)
}

fn item(connection: &Connection, job: i64, position: u64) -> Result<Option<Item>, StoreError> {
    Ok(connection
        .prepare_cached(&format!("{ITEM} WHERE job = ?1 AND position = ?2"))?
        .query_row(params![job, position], item_row)
        .optional()?)
}

/// How a run of a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conclusion {
    /// Name of the state it is left in.
    pub state: &'static str,
    /// Why, or empty.
    pub error: String,
    /// What the job has cost.
    pub effort: Effort,
}

/// Ends a run: running items are waiting again.
pub fn conclude(
    connection: &Connection,
    job: i64,
    conclusion: &Conclusion,
) -> Result<(), StoreError> {
    release(connection, job)?;
    connection
        .prepare_cached(
            "UPDATE jobs SET state = ?2, error = ?3, boot = '', worked_ms = max(worked_ms, ?4),
             peak_memory = max(peak_memory, ?5) WHERE id = ?1",
        )?
        .execute(params![
            job,
            conclusion.state,
            conclusion.error,
            conclusion.effort.worked_ms,
            conclusion.effort.peak_memory
        ])?;
    Ok(())
}

fn release(connection: &Connection, job: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE job_items SET state = 'waiting' WHERE job = ?1 AND state = 'running'",
        )?
        .execute([job])?;
    Ok(())
}

/// Puts failed items back, never begun, and with them the job to `waiting`; returns how many there were.
pub fn retry_failed(connection: &Connection, job: i64) -> Result<u64, StoreError> {
    let (items, units): (u64, u64) = connection
        .prepare_cached(
            "SELECT count(*), coalesce(sum(units), 0) FROM job_items WHERE job = ?1 AND state = 'failed'",
        )?
        .query_row([job], |row| Ok((row.get(0)?, row.get(1)?)))?;
    connection
        .prepare_cached(
            "UPDATE job_items SET state = 'waiting', attempts = 0, error = '' WHERE job = ?1 AND state = 'failed'",
        )?
        .execute([job])?;
    if items > 0 {
        connection
            .prepare_cached(
                "UPDATE jobs SET state = 'waiting', failed = failed - ?2 WHERE id = ?1",
            )?
            .execute(params![job, units])?;
    }
    Ok(items)
}

/// Jobs that another run of the program left running become `interrupted`; their running items wait
/// again, or have failed with `reason` once they were begun `most` times.
pub fn recover(
    connection: &Connection,
    boot: &str,
    most: u32,
    reason: &str,
) -> Result<(), StoreError> {
    let mut statement =
        connection.prepare("SELECT id FROM jobs WHERE state = 'running' AND boot <> ?1")?;
    let left: Vec<i64> = statement
        .query_map([boot], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for job in left {
        let given_up: u64 = connection.query_row(
            "SELECT coalesce(sum(units), 0) FROM job_items
             WHERE job = ?1 AND state = 'running' AND attempts >= ?2",
            params![job, most],
            |row| row.get(0),
        )?;
        connection.execute(
            "UPDATE job_items SET state = 'failed', error = ?3
             WHERE job = ?1 AND state = 'running' AND attempts >= ?2",
            params![job, most, reason],
        )?;
        release(connection, job)?;
        connection.execute(
            "UPDATE jobs SET state = 'interrupted', boot = '', failed = failed + ?2 WHERE id = ?1",
            params![job, given_up],
        )?;
    }
    Ok(())
}

/// The newest item of any job that has this key and target and is done or skipped.
pub fn find_done(
    connection: &Connection,
    key: &str,
    target: &str,
) -> Result<Option<Item>, StoreError> {
    Ok(connection
        .prepare_cached(&format!(
            "{ITEM} WHERE key = ?1 AND target = ?2 AND key <> '' AND state IN ('done', 'skipped')
             ORDER BY job DESC LIMIT 1"
        ))?
        .query_row(params![key, target], item_row)
        .optional()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_begins_only_in_the_state_that_was_seen() {
        let connection = crate::migrate::in_memory().unwrap();
        let new = NewJob {
            kind: "images".to_owned(),
            version: 1,
            title: "web: Photos".to_owned(),
            params: "{}".to_owned(),
            out: String::new(),
            backend: "cpu".to_owned(),
            created_at: 0,
        };
        let id = insert(&connection, &new).unwrap();
        let state = || job(&connection, id).unwrap().unwrap().state;
        assert!(!begin(&connection, id, "boot", "paused").unwrap());
        assert_eq!(state(), "waiting");
        assert!(begin(&connection, id, "boot", "waiting").unwrap());
        assert!(!begin(&connection, id, "boot", "waiting").unwrap());
        assert_eq!(state(), "running");

        let items = [("a".to_owned(), String::new(), 1)];
        append(&connection, id, &items, true, &Effort::default()).unwrap();
        assert_eq!(retry_failed(&connection, id).unwrap(), 0);
        assert_eq!(state(), "running");
        connection
            .execute_batch("UPDATE job_items SET state = 'failed'; UPDATE jobs SET failed = 1;")
            .unwrap();
        assert_eq!(retry_failed(&connection, id).unwrap(), 1);
        assert_eq!(state(), "waiting");

        // A run that could store neither its items nor its end: the next one has them to do.
        connection
            .execute_batch(
                "UPDATE job_items SET state = 'running'; UPDATE jobs SET state = 'running';",
            )
            .unwrap();
        assert!(begin(&connection, id, "boot", "running").unwrap());
        let item: String = connection
            .query_row("SELECT state FROM job_items", [], |row| row.get(0))
            .unwrap();
        assert_eq!(item, "waiting");
    }
}
