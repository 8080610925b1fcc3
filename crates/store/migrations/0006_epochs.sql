-- Secrets of a space's epochs, by the control entries that began them. `spaces.secret` is that of the founding.
CREATE TABLE epoch_secrets (
    space BLOB NOT NULL CHECK (length(space) = 32),
    epoch BLOB NOT NULL CHECK (length(epoch) = 32),
    secret BLOB NOT NULL CHECK (length(secret) = 32),
    PRIMARY KEY (space, epoch)
) STRICT, WITHOUT ROWID;
