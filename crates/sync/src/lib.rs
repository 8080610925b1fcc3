//! Feeds, roster and sync sessions without I/O ([`protocol`]), and their libp2p network.

pub mod protocol;
