-- Whether a sealed record was erased: by a deletion, or with its author. Without a key it cannot be opened any more else.
ALTER TABLE openings ADD COLUMN erased INTEGER NOT NULL DEFAULT 0 CHECK (erased IN (0, 1));

UPDATE openings SET erased = 1
WHERE key = x'' AND record IN (SELECT record FROM bodies WHERE erased = 1);

-- What an edit was about is looked up when it cannot be read any more.
CREATE INDEX record_references_by_record ON record_references (record);

-- Sums of `loads`, kept with each of them: how much is carried of whom is asked for every record that comes.
CREATE TABLE load_totals (
    space BLOB NOT NULL CHECK (length(space) = 32),
    author BLOB NOT NULL CHECK (length(author) = 32),
    bytes INTEGER NOT NULL,
    records INTEGER NOT NULL,
    awaited INTEGER NOT NULL,
    PRIMARY KEY (space, author)
) STRICT, WITHOUT ROWID;

INSERT INTO load_totals (space, author, bytes, records, awaited)
SELECT space, author, sum(size), count(*), sum(size = 0) FROM loads GROUP BY space, author;

DROP INDEX loads_by_author;

CREATE INDEX loads_by_author ON loads (space, author, since_ms);

CREATE INDEX loads_awaited ON loads (space, author, since_ms) WHERE size = 0;
