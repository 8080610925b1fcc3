-- Products, and what was made for them.

-- Products that can be recommended to one another: same type, gender and brand, as they are
-- compared. The revision rises with every change of a product in the group.
CREATE TABLE catalog_groups (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    type_key TEXT NOT NULL,
    gender_key TEXT NOT NULL,
    brand_key TEXT NOT NULL,
    revision INTEGER NOT NULL DEFAULT 0,
    UNIQUE (brand_key, type_key, gender_key)
) STRICT;

-- One row an import of a file.
CREATE TABLE catalog_imports (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    path TEXT NOT NULL,
    started_at_ms INTEGER NOT NULL
) STRICT;

-- `given` has bit n set where the n-th of the columns from `name` to `stock` was in some input of
-- the product; an empty text without that bit means that nothing is known of the column.
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

CREATE INDEX catalog_groups_by_brand ON catalog_groups (brand_key);

CREATE INDEX catalog_products_by_group ON catalog_products (group_id, id);

-- What was made for a product: a document, or the reason why there is none. It is current while
-- the group and its revision are as they were and the settings are the same.
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

-- The recommendations of a product, best first, in hundredths of a point. The terms are lines of
-- a name and its hundredths.
CREATE TABLE catalog_recommendations (
    product INTEGER NOT NULL REFERENCES catalog_results (product) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    recommended INTEGER NOT NULL REFERENCES catalog_products (id) ON DELETE CASCADE,
    score INTEGER NOT NULL,
    terms TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (product, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX catalog_recommendations_by_recommended ON catalog_recommendations (recommended);
