//! What may be set about the network, with the values it has unless changed.

use std::time::Duration;

/// Settings of the network and of the sessions on it. A running node takes new ones with
/// [`crate::protocol::Node::set_up`], a running network with `net::Network::set_up`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Peers that are talked to at once. The transport allows twice as many connections: a pair may have several for
    /// a moment, and those who call must be heard before they are told that there is no room.
    pub connections: u32,
    /// Time between two pings on a connection. Connections made from now on have it.
    pub ping_every: Duration,
    /// How long the answer to a ping is waited for. Connections made from now on have it.
    pub ping_timeout: Duration,
    /// How long a dial and its handshake may take. For the transport, from the next start on.
    pub connect_timeout: Duration,
    /// How long a peer's answer to a question about records is waited for before another is asked.
    pub request_timeout: Duration,
    /// Dials of a silent peer that come [`Self::try_gap`] apart; after them the pause doubles each time.
    pub tries: u32,
    /// Pause between these dials.
    pub try_gap: Duration,
    /// How often at most a node tells its neighbours who came and went.
    pub presence_every: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connections: 100,
            ping_every: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            tries: 3,
            try_gap: Duration::from_secs(2),
            presence_every: Duration::from_secs(10),
        }
    }
}

/// A duration in the milliseconds of the protocol's clock.
pub(crate) fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
