-- Bodies that others do not give this member, since they are of messages from before they came.

-- Who has said so of a missing body. The place is that of its record.
CREATE TABLE bodies_withheld (
    record INTEGER NOT NULL REFERENCES bodies_wanted (record) ON DELETE CASCADE,
    member BLOB NOT NULL CHECK (length(member) = 32),
    place INTEGER NOT NULL REFERENCES places (key),
    PRIMARY KEY (record, member)
) STRICT, WITHOUT ROWID;

CREATE INDEX bodies_withheld_by_place ON bodies_withheld (place);

-- 1 once somebody has said so, 2 once enough have: then nobody is asked for it.
ALTER TABLE bodies_wanted ADD COLUMN withheld INTEGER NOT NULL DEFAULT 0 CHECK (withheld BETWEEN 0 AND 2);

DROP INDEX bodies_wanted_by_space;

CREATE INDEX bodies_wanted_by_space ON bodies_wanted (space, sealed, record) WHERE withheld < 2;
