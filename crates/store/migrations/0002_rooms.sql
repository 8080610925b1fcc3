-- Spaces, feeds, records, bodies, files, and what is shown of them.

CREATE TABLE spaces (
    space BLOB NOT NULL PRIMARY KEY CHECK (length(space) = 32),
    genesis BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Secrets of a space's epochs, shared by its members, by the control entries that began them.
CREATE TABLE epoch_secrets (
    space BLOB NOT NULL CHECK (length(space) = 32),
    epoch BLOB NOT NULL CHECK (length(epoch) = 32),
    secret BLOB NOT NULL CHECK (length(secret) = 32),
    PRIMARY KEY (space, epoch)
) STRICT, WITHOUT ROWID;

-- Joins under way. The genesis is empty until a witness gave it.
CREATE TABLE joins (
    invite BLOB NOT NULL PRIMARY KEY CHECK (length(invite) = 32),
    code TEXT NOT NULL,
    name TEXT NOT NULL,
    genesis BLOB NOT NULL DEFAULT x''
) STRICT, WITHOUT ROWID;

-- A room of a space, also the control room, under a short key.
CREATE TABLE places (
    key INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    space BLOB NOT NULL CHECK (length(space) = 32),
    room BLOB NOT NULL CHECK (length(room) = 32),
    UNIQUE (space, room)
) STRICT;

-- What one incarnation of one device writes in one place.
CREATE TABLE feeds (
    key INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    place INTEGER NOT NULL REFERENCES places (key),
    device BLOB NOT NULL CHECK (length(device) = 32),
    incarnation BLOB NOT NULL CHECK (length(incarnation) = 16),
    UNIQUE (place, device, incarnation)
) STRICT;

-- Signed records. The envelope is the truth; what stands beside it is for finding it. The change
-- is empty once its term was sealed. standing: 0 settled, 1 provisional, 2 void.
CREATE TABLE records (
    key INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 32),
    feed INTEGER NOT NULL REFERENCES feeds (key),
    place INTEGER NOT NULL REFERENCES places (key),
    sequence INTEGER NOT NULL,
    lamport INTEGER NOT NULL,
    body BLOB NOT NULL CHECK (length(body) = 32),
    envelope BLOB NOT NULL,
    change BLOB NOT NULL,
    standing INTEGER NOT NULL CHECK (standing BETWEEN 0 AND 2),
    shown INTEGER NOT NULL CHECK (shown IN (0, 1)),
    late INTEGER NOT NULL CHECK (late IN (0, 1))
) STRICT;

CREATE INDEX records_by_feed ON records (feed, sequence, id);
CREATE INDEX records_by_place ON records (place, lamport, id);

-- Ends of feeds, or of their branches.
CREATE TABLE heads (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    feed INTEGER NOT NULL REFERENCES feeds (key),
    sequence INTEGER NOT NULL,
    lamport INTEGER NOT NULL,
    change BLOB NOT NULL CHECK (length(change) = 32),
    standing INTEGER NOT NULL CHECK (standing BETWEEN 0 AND 2)
) STRICT, WITHOUT ROWID;

CREATE INDEX heads_by_feed ON heads (feed);

-- Compact documents of full terms, under the last record of each.
CREATE TABLE terms (
    last BLOB NOT NULL PRIMARY KEY CHECK (length(last) = 32),
    document BLOB NOT NULL
) STRICT;

-- Records that wait for a missing or provisional parent.
CREATE TABLE waits (
    parent BLOB NOT NULL CHECK (length(parent) = 32),
    child BLOB NOT NULL CHECK (length(child) = 32),
    PRIMARY KEY (parent, child)
) STRICT, WITHOUT ROWID;

-- Records that edit or delete another.
CREATE TABLE record_references (
    target BLOB NOT NULL CHECK (length(target) = 32),
    record BLOB NOT NULL CHECK (length(record) = 32),
    PRIMARY KEY (target, record)
) STRICT, WITHOUT ROWID;

-- Bodies beside the records, so that they can be erased; an erased one stays as a mark. Each belongs to one record:
-- whoever names the hash of another's body has no hold on it.
CREATE TABLE bodies (
    record BLOB NOT NULL PRIMARY KEY CHECK (length(record) = 32),
    wire BLOB NOT NULL DEFAULT x'',
    erased INTEGER NOT NULL DEFAULT 0 CHECK (erased IN (0, 1))
) STRICT;

-- Records whose bodies are neither here nor erased.
CREATE TABLE bodies_wanted (
    record INTEGER NOT NULL PRIMARY KEY REFERENCES records (key),
    space BLOB NOT NULL CHECK (length(space) = 32)
) STRICT;

CREATE INDEX bodies_wanted_by_space ON bodies_wanted (space, record);

-- Up to where a peer holds a feed of this device.
CREATE TABLE delivered (
    feed INTEGER NOT NULL REFERENCES feeds (key),
    peer BLOB NOT NULL CHECK (length(peer) = 32),
    through INTEGER NOT NULL,
    PRIMARY KEY (feed, peer)
) STRICT, WITHOUT ROWID;

-- Contents of files by what they are, so each is kept once. The list of chunk hashes may come
-- after the first chunks; known says that it is here.
CREATE TABLE files (
    key INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    file BLOB NOT NULL UNIQUE CHECK (length(file) = 32),
    size INTEGER NOT NULL DEFAULT 0,
    list BLOB NOT NULL DEFAULT x'',
    known INTEGER NOT NULL DEFAULT 0 CHECK (known IN (0, 1))
) STRICT;

CREATE TABLE chunks (
    key INTEGER NOT NULL PRIMARY KEY,
    file INTEGER NOT NULL REFERENCES files (key) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    data BLOB NOT NULL,
    UNIQUE (file, position)
) STRICT;

-- Messages as shown, in the order of (lamport, id). Derived from records and bodies.
-- The result is JSON, empty where there is none; the original text is kept under edits.
CREATE TABLE messages (
    key INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 32),
    place INTEGER NOT NULL REFERENCES places (key),
    lamport INTEGER NOT NULL,
    feed INTEGER NOT NULL REFERENCES feeds (key),
    sequence INTEGER NOT NULL,
    author BLOB NOT NULL CHECK (length(author) = 32),
    at_ms INTEGER NOT NULL DEFAULT 0,
    original TEXT NOT NULL DEFAULT '',
    text TEXT NOT NULL DEFAULT '',
    reply_to BLOB NOT NULL DEFAULT x'',
    result TEXT NOT NULL DEFAULT '',
    edited INTEGER NOT NULL DEFAULT 0 CHECK (edited IN (0, 1)),
    deleted INTEGER NOT NULL DEFAULT 0 CHECK (deleted IN (0, 1)),
    mine INTEGER NOT NULL CHECK (mine IN (0, 1)),
    late INTEGER NOT NULL CHECK (late IN (0, 1)),
    provisional INTEGER NOT NULL CHECK (provisional IN (0, 1)),
    unread INTEGER NOT NULL CHECK (unread IN (0, 1))
) STRICT;

CREATE INDEX messages_by_place ON messages (place, lamport, id);
CREATE INDEX messages_unread ON messages (place, lamport, id) WHERE unread = 1;

-- Edits and deletions by the record that made them; they may come before their target.
CREATE TABLE revisions (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    target BLOB NOT NULL CHECK (length(target) = 32),
    lamport INTEGER NOT NULL,
    deletes INTEGER NOT NULL CHECK (deletes IN (0, 1)),
    text TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

CREATE INDEX revisions_by_target ON revisions (target, lamport, id);

-- Files of messages. preview_of is the position of the file that this one shows in small, or -1.
CREATE TABLE attachments (
    key INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    message INTEGER NOT NULL REFERENCES messages (key) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    size INTEGER NOT NULL,
    media_type TEXT NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    file BLOB NOT NULL CHECK (length(file) = 32),
    preview_of INTEGER NOT NULL DEFAULT -1,
    UNIQUE (message, position)
) STRICT;

CREATE INDEX attachments_by_file ON attachments (file);
