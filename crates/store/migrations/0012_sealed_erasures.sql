-- Whether a sealed record was erased: by a deletion, or with its author. Without a key it cannot be opened any more else.
ALTER TABLE openings ADD COLUMN erased INTEGER NOT NULL DEFAULT 0 CHECK (erased IN (0, 1));

UPDATE openings SET erased = 1
WHERE key = x'' AND record IN (SELECT record FROM bodies WHERE erased = 1);

-- What an edit was about is looked up when it cannot be read any more.
CREATE INDEX record_references_by_record ON record_references (record);
