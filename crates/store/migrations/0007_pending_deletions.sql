-- Deletions that can still be taken back, each by the record that it is to erase and by when it is to be signed.
CREATE TABLE pending_deletions (
    target BLOB NOT NULL PRIMARY KEY CHECK (length(target) = 32),
    due_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX pending_deletions_by_due ON pending_deletions (due_ms);
