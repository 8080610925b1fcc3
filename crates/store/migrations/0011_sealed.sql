-- What is sealed to single members: keys, what is carried for others, reports.

-- Where a sealed record is shown, and the key of its body; without one it cannot be opened any more, or was erased.
CREATE TABLE openings (
    record BLOB NOT NULL PRIMARY KEY CHECK (length(record) = 32),
    room BLOB NOT NULL CHECK (length(room) = 32),
    key BLOB NOT NULL DEFAULT x'' CHECK (length(key) IN (0, 32))
) STRICT, WITHOUT ROWID;

-- Private halves of this device's prekeys. They are left out of backups.
CREATE TABLE prekeys (
    secret BLOB NOT NULL PRIMARY KEY CHECK (length(secret) = 32),
    made_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Sealed bodies that are carried; a size of 0 keeps a place for one that is not here.
CREATE TABLE loads (
    record BLOB NOT NULL PRIMARY KEY CHECK (length(record) = 32),
    space BLOB NOT NULL CHECK (length(space) = 32),
    author BLOB NOT NULL CHECK (length(author) = 32),
    size INTEGER NOT NULL,
    since_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX loads_by_author ON loads (space, author, since_ms, size);

CREATE INDEX loads_by_age ON loads (since_ms);

-- Reports of messages. What was reported is empty where it could not be verified.
CREATE TABLE reports (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    space BLOB NOT NULL CHECK (length(space) = 32),
    lamport INTEGER NOT NULL,
    reporter BLOB NOT NULL CHECK (length(reporter) = 32),
    at_ms INTEGER NOT NULL,
    text TEXT NOT NULL,
    verified INTEGER NOT NULL CHECK (verified IN (0, 1)),
    message BLOB NOT NULL DEFAULT x'',
    device BLOB NOT NULL DEFAULT x'',
    room BLOB NOT NULL DEFAULT x'',
    said_at_ms INTEGER NOT NULL DEFAULT 0,
    said TEXT NOT NULL DEFAULT '',
    -- What it was edited to, and by which device.
    edit TEXT NOT NULL DEFAULT '',
    edit_device BLOB NOT NULL DEFAULT x'',
    -- Names of its files, JSON.
    files TEXT NOT NULL DEFAULT '[]'
) STRICT, WITHOUT ROWID;

CREATE INDEX reports_by_space ON reports (space, lamport, id);

-- A message that is sealed to this device and cannot be opened.
ALTER TABLE messages ADD COLUMN closed INTEGER NOT NULL DEFAULT 0 CHECK (closed IN (0, 1));

-- Bodies of the direct room are asked for in another way than all others.
ALTER TABLE bodies_wanted ADD COLUMN sealed INTEGER NOT NULL DEFAULT 0 CHECK (sealed IN (0, 1));

DROP INDEX bodies_wanted_by_space;

CREATE INDEX bodies_wanted_by_space ON bodies_wanted (space, sealed, record);
