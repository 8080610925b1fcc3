-- Messages that are shown ahead of their records, to one who has far to go.
CREATE TABLE messages_ahead (
    message BLOB NOT NULL PRIMARY KEY CHECK (length(message) = 32),
    space BLOB NOT NULL CHECK (length(space) = 32),
    room BLOB NOT NULL CHECK (length(room) = 32)
) STRICT, WITHOUT ROWID;

CREATE INDEX messages_ahead_by_space ON messages_ahead (space);
