-- Signed values that replace one another: what a device says last of a topic and a subject in a room.
CREATE TABLE registers (
    place INTEGER NOT NULL REFERENCES places (key),
    device BLOB NOT NULL CHECK (length(device) = 32),
    topic INTEGER NOT NULL,
    subject BLOB NOT NULL CHECK (length(subject) = 32),
    wire BLOB NOT NULL,
    PRIMARY KEY (place, device, topic, subject)
) STRICT, WITHOUT ROWID;
