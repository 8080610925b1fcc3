-- Rooms in which what is here of a file was received or sent: it is given to others only there.
CREATE TABLE file_rooms (
    file BLOB NOT NULL CHECK (length(file) = 32),
    room BLOB NOT NULL CHECK (length(room) = 32),
    PRIMARY KEY (file, room)
) STRICT, WITHOUT ROWID;

INSERT OR IGNORE INTO file_rooms (file, room)
SELECT attachments.file, places.room
FROM attachments
JOIN files ON files.file = attachments.file
JOIN messages ON messages.key = attachments.message
JOIN places ON places.key = messages.place;
