-- What a restored or moved profile still owes its spaces, and a new cause of an incarnation.

-- Devices that wrote here before a restore or a move, to be ended in each space once it is in step with a member.
CREATE TABLE devices_to_retire (
    space BLOB NOT NULL CHECK (length(space) = 32),
    device BLOB NOT NULL CHECK (length(device) = 32),
    PRIMARY KEY (space, device)
) STRICT, WITHOUT ROWID;

-- Restored spaces whose messages are not shown before the deletions since the backup are known.
CREATE TABLE held_spaces (
    space BLOB NOT NULL PRIMARY KEY CHECK (length(space) = 32),
    backup_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A check cannot be changed in place, and identity refers to incarnations: both are written anew, so that no
-- reference is ever open.
CREATE TABLE new_incarnations (
    incarnation BLOB NOT NULL PRIMARY KEY CHECK (length(incarnation) = 16),
    device_public BLOB NOT NULL CHECK (length(device_public) = 32),
    started_at_ms INTEGER NOT NULL,
    reason TEXT NOT NULL CHECK (reason IN ('created', 'restored', 'moved', 'conflict', 'cloned'))
) STRICT, WITHOUT ROWID;

INSERT INTO new_incarnations (incarnation, device_public, started_at_ms, reason)
SELECT incarnation, device_public, started_at_ms, reason FROM incarnations;

CREATE TABLE new_identity (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    member_secret BLOB NOT NULL CHECK (length(member_secret) = 32),
    device_secret BLOB NOT NULL DEFAULT x'' CHECK (length(device_secret) IN (0, 32)),
    incarnation BLOB NOT NULL REFERENCES new_incarnations (incarnation),
    machine_marker BLOB NOT NULL DEFAULT x''
) STRICT;

INSERT INTO new_identity (id, member_secret, device_secret, incarnation, machine_marker)
SELECT id, member_secret, device_secret, incarnation, machine_marker FROM identity;

DROP TABLE identity;
DROP TABLE incarnations;
ALTER TABLE new_incarnations RENAME TO incarnations;
ALTER TABLE new_identity RENAME TO identity;
