-- The schema of an Artel database, version 1.
-- Generated from crates/store/migrations; ARTEL_BLESS=1 with the test `schema_document_is_current` rewrites it.

CREATE TABLE settings (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE identity (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    member_secret BLOB NOT NULL CHECK (length(member_secret) = 32),
    device_secret BLOB NOT NULL DEFAULT x'' CHECK (length(device_secret) IN (0, 32)),
    incarnation BLOB NOT NULL REFERENCES incarnations (incarnation),
    machine_marker BLOB NOT NULL DEFAULT x''
) STRICT;

CREATE TABLE incarnations (
    incarnation BLOB NOT NULL PRIMARY KEY CHECK (length(incarnation) = 16),
    device_public BLOB NOT NULL CHECK (length(device_public) = 32),
    started_at_ms INTEGER NOT NULL,
    reason TEXT NOT NULL CHECK (reason IN ('created', 'restored', 'moved', 'conflict'))
) STRICT, WITHOUT ROWID;

CREATE TABLE addresses (
    address TEXT NOT NULL PRIMARY KEY,
    device_public BLOB NOT NULL DEFAULT x'',
    last_reached_ms INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    typed INTEGER NOT NULL DEFAULT 0 CHECK (typed IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE INDEX addresses_by_use ON addresses (typed, last_reached_ms);
