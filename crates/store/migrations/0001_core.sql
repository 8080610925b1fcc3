-- What this installation is and how it is set.

CREATE TABLE settings (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One row. The device secret is empty in a backup and until a restored profile has its own.
CREATE TABLE identity (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    member_secret BLOB NOT NULL CHECK (length(member_secret) = 32),
    device_secret BLOB NOT NULL DEFAULT x'' CHECK (length(device_secret) IN (0, 32)),
    incarnation BLOB NOT NULL REFERENCES incarnations (incarnation),
    machine_marker BLOB NOT NULL DEFAULT x''
) STRICT;

-- Every incarnation this profile ever had, so that it knows its own feeds.
CREATE TABLE incarnations (
    incarnation BLOB NOT NULL PRIMARY KEY CHECK (length(incarnation) = 16),
    device_public BLOB NOT NULL CHECK (length(device_public) = 32),
    started_at_ms INTEGER NOT NULL,
    reason TEXT NOT NULL CHECK (reason IN ('created', 'restored', 'moved', 'conflict'))
) STRICT, WITHOUT ROWID;

-- Where peers were reached, for networks that do not carry discovery.
CREATE TABLE addresses (
    address TEXT NOT NULL PRIMARY KEY,
    device_public BLOB NOT NULL DEFAULT x'',
    last_reached_ms INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    typed INTEGER NOT NULL DEFAULT 0 CHECK (typed IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE INDEX addresses_by_use ON addresses (typed, last_reached_ms);
