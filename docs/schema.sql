-- The schema of an Artel database, version 14.
-- Generated from crates/store/migrations; ARTEL_BLESS=1 with the test `schema_document_is_current` rewrites it.

CREATE TABLE settings (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE addresses (
    address TEXT NOT NULL PRIMARY KEY,
    device_public BLOB NOT NULL DEFAULT x'',
    last_reached_ms INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    typed INTEGER NOT NULL DEFAULT 0 CHECK (typed IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE INDEX addresses_by_use ON addresses (typed, last_reached_ms);

CREATE TABLE spaces (
    space BLOB NOT NULL PRIMARY KEY CHECK (length(space) = 32),
    genesis BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE epoch_secrets (
    space BLOB NOT NULL CHECK (length(space) = 32),
    epoch BLOB NOT NULL CHECK (length(epoch) = 32),
    secret BLOB NOT NULL CHECK (length(secret) = 32),
    PRIMARY KEY (space, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE joins (
    invite BLOB NOT NULL PRIMARY KEY CHECK (length(invite) = 32),
    code TEXT NOT NULL,
    name TEXT NOT NULL,
    genesis BLOB NOT NULL DEFAULT x''
) STRICT, WITHOUT ROWID;

CREATE TABLE places (
    key INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    space BLOB NOT NULL CHECK (length(space) = 32),
    room BLOB NOT NULL CHECK (length(room) = 32),
    UNIQUE (space, room)
) STRICT;

CREATE TABLE feeds (
    key INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    place INTEGER NOT NULL REFERENCES places (key),
    device BLOB NOT NULL CHECK (length(device) = 32),
    incarnation BLOB NOT NULL CHECK (length(incarnation) = 16),
    UNIQUE (place, device, incarnation)
) STRICT;

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

CREATE TABLE heads (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    feed INTEGER NOT NULL REFERENCES feeds (key),
    sequence INTEGER NOT NULL,
    lamport INTEGER NOT NULL,
    change BLOB NOT NULL CHECK (length(change) = 32),
    standing INTEGER NOT NULL CHECK (standing BETWEEN 0 AND 2)
) STRICT, WITHOUT ROWID;

CREATE INDEX heads_by_feed ON heads (feed);

CREATE TABLE terms (
    last BLOB NOT NULL PRIMARY KEY CHECK (length(last) = 32),
    document BLOB NOT NULL
) STRICT;

CREATE TABLE waits (
    parent BLOB NOT NULL CHECK (length(parent) = 32),
    child BLOB NOT NULL CHECK (length(child) = 32),
    PRIMARY KEY (parent, child)
) STRICT, WITHOUT ROWID;

CREATE TABLE record_references (
    target BLOB NOT NULL CHECK (length(target) = 32),
    record BLOB NOT NULL CHECK (length(record) = 32),
    PRIMARY KEY (target, record)
) STRICT, WITHOUT ROWID;

CREATE INDEX record_references_by_record ON record_references (record);

CREATE TABLE bodies (
    record BLOB NOT NULL PRIMARY KEY CHECK (length(record) = 32),
    wire BLOB NOT NULL DEFAULT x'',
    erased INTEGER NOT NULL DEFAULT 0 CHECK (erased IN (0, 1))
) STRICT;

CREATE TABLE bodies_wanted (
    record INTEGER NOT NULL PRIMARY KEY REFERENCES records (key),
    space BLOB NOT NULL CHECK (length(space) = 32)
, sealed INTEGER NOT NULL DEFAULT 0 CHECK (sealed IN (0, 1)), withheld INTEGER NOT NULL DEFAULT 0 CHECK (withheld BETWEEN 0 AND 2)) STRICT;

CREATE INDEX bodies_wanted_by_space ON bodies_wanted (space, sealed, record) WHERE withheld < 2;

CREATE TABLE delivered (
    feed INTEGER NOT NULL REFERENCES feeds (key),
    peer BLOB NOT NULL CHECK (length(peer) = 32),
    through INTEGER NOT NULL,
    PRIMARY KEY (feed, peer)
) STRICT, WITHOUT ROWID;

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
, closed INTEGER NOT NULL DEFAULT 0 CHECK (closed IN (0, 1))) STRICT;

CREATE INDEX messages_by_place ON messages (place, lamport, id);

CREATE INDEX messages_unread ON messages (place, lamport, id) WHERE unread = 1;

CREATE TABLE revisions (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    target BLOB NOT NULL CHECK (length(target) = 32),
    lamport INTEGER NOT NULL,
    deletes INTEGER NOT NULL CHECK (deletes IN (0, 1)),
    text TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

CREATE INDEX revisions_by_target ON revisions (target, lamport, id);

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

CREATE TABLE jobs (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    version INTEGER NOT NULL,
    title TEXT NOT NULL,
    -- The kind's own parameters, JSON.
    params TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN (
        'waiting', 'running', 'paused', 'interrupted', 'done', 'done_in_part', 'failed', 'cancelled'
    )),
    -- Run of the program that has it, while it is running.
    boot TEXT NOT NULL DEFAULT '',
    -- 1 once all items are listed.
    listed INTEGER NOT NULL DEFAULT 0 CHECK (listed IN (0, 1)),
    -- Input of the item listed last.
    cursor TEXT NOT NULL DEFAULT '',
    -- Items listed, which is also the position of the next one.
    items INTEGER NOT NULL DEFAULT 0,
    -- Units of all items, and of those that have their result.
    total INTEGER NOT NULL DEFAULT 0,
    done INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    skipped INTEGER NOT NULL DEFAULT 0,
    worked_ms INTEGER NOT NULL DEFAULT 0,
    peak_memory INTEGER NOT NULL DEFAULT 0,
    backend TEXT NOT NULL DEFAULT '',
    -- Folder or file of the results, or empty.
    out TEXT NOT NULL DEFAULT '',
    -- Why it failed or was paused, or empty.
    error TEXT NOT NULL DEFAULT '',
    created_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE job_items (
    job INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    input TEXT NOT NULL,
    -- Where the output is meant to go, or empty.
    target TEXT NOT NULL DEFAULT '',
    units INTEGER NOT NULL DEFAULT 1,
    state TEXT NOT NULL DEFAULT 'waiting'
        CHECK (state IN ('waiting', 'running', 'done', 'failed', 'skipped')),
    attempts INTEGER NOT NULL DEFAULT 0,
    -- Why it failed, or empty.
    error TEXT NOT NULL DEFAULT '',
    -- Hash of everything that decides the output, or empty.
    key TEXT NOT NULL DEFAULT '',
    output TEXT NOT NULL DEFAULT '',
    -- BLAKE3 of the output, or empty.
    hash TEXT NOT NULL DEFAULT '',
    method TEXT NOT NULL DEFAULT '',
    -- NULL for methods without a score: every number may be one.
    score REAL,
    took_us INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (job, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX job_items_by_state ON job_items (job, state, position);

CREATE INDEX job_items_by_key ON job_items (key, target) WHERE key <> '';

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

CREATE TABLE price_chunks (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    series INTEGER NOT NULL REFERENCES price_series (id) ON DELETE CASCADE,
    first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL CHECK (last_ms >= first_ms),
    bars INTEGER NOT NULL CHECK (bars > 0),
    UNIQUE (series, first_ms)
) STRICT;

CREATE TABLE price_columns (
    id INTEGER NOT NULL PRIMARY KEY,
    chunk INTEGER NOT NULL REFERENCES price_chunks (id) ON DELETE CASCADE,
    field INTEGER NOT NULL CHECK (field BETWEEN 0 AND 5),
    data BLOB NOT NULL,
    UNIQUE (chunk, field)
) STRICT;

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

CREATE TABLE catalog_groups (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    type_key TEXT NOT NULL,
    gender_key TEXT NOT NULL,
    brand_key TEXT NOT NULL,
    revision INTEGER NOT NULL DEFAULT 0,
    UNIQUE (brand_key, type_key, gender_key)
) STRICT;

CREATE INDEX catalog_groups_by_brand ON catalog_groups (brand_key);

CREATE TABLE catalog_imports (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    path TEXT NOT NULL,
    started_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE catalog_products (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    vendor_code TEXT NOT NULL UNIQUE,
    group_id INTEGER NOT NULL REFERENCES catalog_groups (id),
    import_id INTEGER NOT NULL REFERENCES catalog_imports (id),
    line INTEGER NOT NULL,
    given INTEGER NOT NULL DEFAULT 0,
    name TEXT NOT NULL DEFAULT '',
    sku TEXT NOT NULL DEFAULT '',
    barcode TEXT NOT NULL DEFAULT '',
    picture TEXT NOT NULL DEFAULT '',
    brand TEXT NOT NULL DEFAULT '',
    type TEXT NOT NULL DEFAULT '',
    gender TEXT NOT NULL DEFAULT '',
    size TEXT NOT NULL DEFAULT '',
    season TEXT NOT NULL DEFAULT '',
    color TEXT NOT NULL DEFAULT '',
    material TEXT NOT NULL DEFAULT '',
    upper_material TEXT NOT NULL DEFAULT '',
    fastener TEXT NOT NULL DEFAULT '',
    last_mega TEXT NOT NULL DEFAULT '',
    last_best TEXT NOT NULL DEFAULT '',
    last_new TEXT NOT NULL DEFAULT '',
    model TEXT NOT NULL DEFAULT '',
    stock TEXT NOT NULL DEFAULT '',
    -- Vendor code and name in small letters, for searching.
    search TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX catalog_products_by_group ON catalog_products (group_id, id);

CREATE TABLE catalog_results (
    product INTEGER NOT NULL PRIMARY KEY REFERENCES catalog_products (id) ON DELETE CASCADE,
    group_id INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    settings BLOB NOT NULL CHECK (length(settings) = 32),
    recommendations INTEGER NOT NULL DEFAULT 0,
    document TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '',
    detail TEXT NOT NULL DEFAULT '',
    -- What the document goes without, a line each.
    left_out TEXT NOT NULL DEFAULT '',
    CHECK ((document = '') <> (reason = ''))
) STRICT;

CREATE INDEX catalog_results_by_reason ON catalog_results (reason);

CREATE TABLE catalog_recommendations (
    product INTEGER NOT NULL REFERENCES catalog_results (product) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    recommended INTEGER NOT NULL REFERENCES catalog_products (id) ON DELETE CASCADE,
    score INTEGER NOT NULL,
    terms TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (product, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX catalog_recommendations_by_recommended ON catalog_recommendations (recommended);

CREATE TABLE devices_to_retire (
    space BLOB NOT NULL CHECK (length(space) = 32),
    device BLOB NOT NULL CHECK (length(device) = 32),
    PRIMARY KEY (space, device)
) STRICT, WITHOUT ROWID;

CREATE TABLE held_spaces (
    space BLOB NOT NULL PRIMARY KEY CHECK (length(space) = 32),
    backup_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE "incarnations" (
    incarnation BLOB NOT NULL PRIMARY KEY CHECK (length(incarnation) = 16),
    device_public BLOB NOT NULL CHECK (length(device_public) = 32),
    started_at_ms INTEGER NOT NULL,
    reason TEXT NOT NULL CHECK (reason IN ('created', 'restored', 'moved', 'conflict', 'cloned'))
) STRICT, WITHOUT ROWID;

CREATE TABLE "identity" (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    member_secret BLOB NOT NULL CHECK (length(member_secret) = 32),
    device_secret BLOB NOT NULL DEFAULT x'' CHECK (length(device_secret) IN (0, 32)),
    incarnation BLOB NOT NULL REFERENCES "incarnations" (incarnation),
    machine_marker BLOB NOT NULL DEFAULT x''
) STRICT;

CREATE TABLE pending_deletions (
    target BLOB NOT NULL PRIMARY KEY CHECK (length(target) = 32),
    due_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX pending_deletions_by_due ON pending_deletions (due_ms);

CREATE TABLE messages_ahead (
    message BLOB NOT NULL PRIMARY KEY CHECK (length(message) = 32),
    space BLOB NOT NULL CHECK (length(space) = 32),
    room BLOB NOT NULL CHECK (length(room) = 32)
) STRICT, WITHOUT ROWID;

CREATE INDEX messages_ahead_by_space ON messages_ahead (space);

CREATE TABLE file_rooms (
    file BLOB NOT NULL CHECK (length(file) = 32),
    room BLOB NOT NULL CHECK (length(room) = 32),
    PRIMARY KEY (file, room)
) STRICT, WITHOUT ROWID;

CREATE TABLE registers (
    place INTEGER NOT NULL REFERENCES places (key),
    device BLOB NOT NULL CHECK (length(device) = 32),
    topic INTEGER NOT NULL,
    subject BLOB NOT NULL CHECK (length(subject) = 32),
    wire BLOB NOT NULL,
    PRIMARY KEY (place, device, topic, subject)
) STRICT, WITHOUT ROWID;

CREATE TABLE openings (
    record BLOB NOT NULL PRIMARY KEY CHECK (length(record) = 32),
    room BLOB NOT NULL CHECK (length(room) = 32),
    key BLOB NOT NULL DEFAULT x'' CHECK (length(key) IN (0, 32))
, erased INTEGER NOT NULL DEFAULT 0 CHECK (erased IN (0, 1))) STRICT, WITHOUT ROWID;

CREATE TABLE prekeys (
    secret BLOB NOT NULL PRIMARY KEY CHECK (length(secret) = 32),
    made_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE loads (
    record BLOB NOT NULL PRIMARY KEY CHECK (length(record) = 32),
    space BLOB NOT NULL CHECK (length(space) = 32),
    author BLOB NOT NULL CHECK (length(author) = 32),
    size INTEGER NOT NULL,
    since_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX loads_by_age ON loads (since_ms);

CREATE INDEX loads_by_author ON loads (space, author, since_ms);

CREATE INDEX loads_awaited ON loads (space, author, since_ms) WHERE size = 0;

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

CREATE INDEX reports_by_reporter ON reports (space, reporter, lamport, id);

CREATE TABLE load_totals (
    space BLOB NOT NULL CHECK (length(space) = 32),
    author BLOB NOT NULL CHECK (length(author) = 32),
    bytes INTEGER NOT NULL,
    records INTEGER NOT NULL,
    awaited INTEGER NOT NULL,
    PRIMARY KEY (space, author)
) STRICT, WITHOUT ROWID;

CREATE TABLE bodies_withheld (
    record INTEGER NOT NULL REFERENCES bodies_wanted (record) ON DELETE CASCADE,
    member BLOB NOT NULL CHECK (length(member) = 32),
    place INTEGER NOT NULL REFERENCES places (key),
    PRIMARY KEY (record, member)
) STRICT, WITHOUT ROWID;

CREATE INDEX bodies_withheld_by_place ON bodies_withheld (place);
