-- The durable queue: jobs and their items.

-- A job of some kind, and what decides its results.
CREATE TABLE jobs (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    version INTEGER NOT NULL,
    title TEXT NOT NULL,
    -- The kind's own parameters, JSON.
    params TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN (
        'waiting', 'running', 'paused', 'interrupted', 'done', 'done_in_part', 'failed', 'cancelled'
    )),
    -- Run of the program that has it, while it is running.
    boot TEXT NOT NULL DEFAULT '',
    -- 1 once all items are listed.
    listed INTEGER NOT NULL DEFAULT 0 CHECK (listed IN (0, 1)),
    -- Input of the item listed last.
    cursor TEXT NOT NULL DEFAULT '',
    -- Items listed, which is also the position of the next one.
    items INTEGER NOT NULL DEFAULT 0,
    -- Units of all items, and of those that have their result.
    total INTEGER NOT NULL DEFAULT 0,
    done INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    skipped INTEGER NOT NULL DEFAULT 0,
    worked_ms INTEGER NOT NULL DEFAULT 0,
    peak_memory INTEGER NOT NULL DEFAULT 0,
    backend TEXT NOT NULL DEFAULT '',
    -- Folder or file of the results, or empty.
    out TEXT NOT NULL DEFAULT '',
    -- Why it failed or was paused, or empty.
    error TEXT NOT NULL DEFAULT '',
    created_at_ms INTEGER NOT NULL
) STRICT;

-- What a job works on, one by one. `attempts` is also the generation of the last claim: a result of
-- an older claim is not accepted.
CREATE TABLE job_items (
    job INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    input TEXT NOT NULL,
    -- Where the output is meant to go, or empty.
    target TEXT NOT NULL DEFAULT '',
    units INTEGER NOT NULL DEFAULT 1,
    state TEXT NOT NULL DEFAULT 'waiting'
        CHECK (state IN ('waiting', 'running', 'done', 'failed', 'skipped')),
    attempts INTEGER NOT NULL DEFAULT 0,
    -- Why it failed, or empty.
    error TEXT NOT NULL DEFAULT '',
    -- Hash of everything that decides the output, or empty.
    key TEXT NOT NULL DEFAULT '',
    output TEXT NOT NULL DEFAULT '',
    -- BLAKE3 of the output, or empty.
    hash TEXT NOT NULL DEFAULT '',
    method TEXT NOT NULL DEFAULT '',
    -- NULL for methods without a score: every number may be one.
    score REAL,
    took_us INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (job, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX job_items_by_state ON job_items (job, state, position);

CREATE INDEX job_items_by_key ON job_items (key, target) WHERE key <> '';
