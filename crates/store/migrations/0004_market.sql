-- Prices by column, and what was computed from them.

-- One row a series. Everything from `bars` on is derived from the chunks after each import.
CREATE TABLE price_series (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL,
    symbol TEXT NOT NULL,
    interval TEXT NOT NULL,
    has_volume INTEGER NOT NULL CHECK (has_volume IN (0, 1)),
    bars INTEGER NOT NULL DEFAULT 0,
    first_ms INTEGER NOT NULL DEFAULT 0,
    last_ms INTEGER NOT NULL DEFAULT 0,
    last_close REAL NOT NULL DEFAULT 0,
    previous_close REAL NOT NULL DEFAULT 0,
    gaps INTEGER NOT NULL DEFAULT 0,
    imported_at_ms INTEGER NOT NULL DEFAULT 0,
    UNIQUE (symbol, interval, source)
) STRICT;

-- A stretch of neighbouring bars of a series; stretches do not overlap.
CREATE TABLE price_chunks (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    series INTEGER NOT NULL REFERENCES price_series (id) ON DELETE CASCADE,
    first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL CHECK (last_ms >= first_ms),
    bars INTEGER NOT NULL CHECK (bars > 0),
    UNIQUE (series, first_ms)
) STRICT;

-- The columns of a chunk: 0 time, 1 open, 2 high, 3 low, 4 close, 5 volume. See market/column.rs
-- for the encoding.
CREATE TABLE price_columns (
    id INTEGER NOT NULL PRIMARY KEY,
    chunk INTEGER NOT NULL REFERENCES price_chunks (id) ON DELETE CASCADE,
    field INTEGER NOT NULL CHECK (field BETWEEN 0 AND 5),
    data BLOB NOT NULL,
    UNIQUE (chunk, field)
) STRICT;

-- Finished indicator runs that left files.
CREATE TABLE indicator_runs (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    symbols TEXT NOT NULL,
    functions INTEGER NOT NULL,
    bars INTEGER NOT NULL,
    seconds REAL NOT NULL,
    backend TEXT NOT NULL
) STRICT;

CREATE TABLE indicator_run_files (
    run INTEGER NOT NULL REFERENCES indicator_runs (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    path TEXT NOT NULL,
    size INTEGER NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (run, position)
) STRICT, WITHOUT ROWID;
