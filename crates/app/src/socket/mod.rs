//! The control socket: one process owns a profile, others talk to it.
//!
//! # Who may connect
//! On Unix the socket lies in a folder of mode 0700, and the peer's user must own the profile. On
//! Windows it is a named pipe: first instance only, no remote clients, and rights for the user who
//! runs the process and nobody else. Since a class may
//! share one account, each connection also proves that it knows the passphrase, and the server
//! proves the same, so that nobody can stand in for it. Wrong proofs are answered slower and
//! slower. Other programs of the same user are outside the promise.
//!
//! # What is said
//! First the handshake of [`handshake`](self::handshake). Then frames, each a length (u32, little-endian) and JSON of at
//! most 16 MiB:
//!
//! | from | frame |
//! |---|---|
//! | client | `{"id":1,"call":"room.send","args":{…}}` |
//! | server | `{"id":1,"reply":…}` or `{"id":1,"error":{…}}` |
//! | client | `{"id":2,"subscribe":true}` |
//! | server | `{"id":2,"reply":null}`, then `{"event":{…}}` for each event |
//!
//! Calls run side by side; replies come as they are ready.

mod client;
mod endpoint;
mod frame;
mod handshake;
mod server;

use std::{io, path::Path};

pub use client::{Client, connect};
pub use server::{Server, serve};

use crate::error::{AppError, Code};

/// A fault of the connection.
fn lost(reason: &io::Error) -> AppError {
    AppError::new(
        Code::WrongState,
        format!("the process that holds the profile went away: {reason}"),
        "Try again. If it was locked or closed, this command opens the profile itself.",
    )
}

/// The socket cannot be made.
fn cannot_serve(path: &Path, reason: &io::Error) -> AppError {
    AppError::new(
        Code::File,
        format!(
            "the control socket {} cannot be made: {reason}",
            path.display()
        ),
        "Check that the folder can be written to.",
    )
}

#[cfg(test)]
mod tests;
