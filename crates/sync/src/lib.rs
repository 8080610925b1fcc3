//! How spaces are kept in step between machines.
//!
//! [`protocol`] decides and does no I/O: bytes and time go in, bytes and events come out. [`net`]
//! carries the bytes: libp2p over TCP, found by mDNS, by remembered and by typed addresses.
//! Neither knows the other; the application stands between them.

#[cfg(feature = "net")]
pub mod net;
mod ports;
pub mod protocol;
mod settings;

pub use ports::Ports;
pub use settings::Settings;
