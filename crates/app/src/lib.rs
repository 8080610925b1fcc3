//! The façade of Artel: every command and event, declared once.
//!
//! [`Host`](host::Host) works on a home folder and needs no open profile; [`Session`](session::Session)
//! is one open profile with its store, its network and its jobs. The command line, the control
//! socket and the window are thin users of both and add no logic of their own. See [`api`] for
//! what can be asked.

pub mod api;
pub mod error;
pub mod files;
pub mod host;
pub mod session;
pub mod socket;

mod care;
mod catalog;
mod doctor;
mod images;
mod installation;
mod jobs;
mod machine;
mod market;
mod profile;
mod rooms;
mod settings;
mod titles;

/// BLAKE3 of a content, hexadecimal, as attachments and outputs carry it.
pub fn content_hash(content: &[u8]) -> String {
    blake3::hash(content).to_hex().to_string()
}
