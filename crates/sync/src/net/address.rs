//! Addresses that people type and peers announce.
//!
//! Only literal IP addresses with a TCP port are accepted: a name would have to be resolved by a
//! server outside the room.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use libp2p::{Multiaddr, PeerId, multiaddr::Protocol};

use super::USUAL_PORT;

/// Why an address cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// It is neither a multiaddress nor an IP address.
    #[error("\"{0}\" is not an address; write /ip4/10.77.0.1/tcp/47600 or 10.77.0.1:47600")]
    Malformed(String),
    /// It is not a literal IP address over TCP.
    #[error("\"{0}\" is not an IP address with a TCP port; write /ip4/10.77.0.1/tcp/47600")]
    NotTcp(String),
    /// It cannot be dialled: unspecified, multicast or port 0.
    #[error("\"{0}\" does not name one machine and one port")]
    NotDialable(String),
}

/// An address to dial: literal IP, TCP port, and the peer expected there if it is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// IP address and TCP port.
    pub socket: SocketAddr,
    /// Who should be there.
    pub peer: Option<PeerId>,
}

impl Target {
    /// Reads a multiaddress, `IP:PORT`, or an IP address alone (then the usual port is meant).
    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        let text = text.trim();
        let target = if text.starts_with('/') {
            let address: Multiaddr = text
                .parse()
                .map_err(|_| BadAddress::Malformed(text.to_owned()))?;
            Self::from_multiaddr(&address).ok_or_else(|| BadAddress::NotTcp(text.to_owned()))?
        } else if let Ok(socket) = text.parse::<SocketAddr>() {
            Self { socket, peer: None }
        } else if let Ok(ip) = text.parse::<IpAddr>() {
            Self {
                socket: SocketAddr::new(ip, USUAL_PORT),
                peer: None,
            }
        } else {
            return Err(BadAddress::Malformed(text.to_owned()));
        };
        if target.is_dialable() {
            Ok(target)
        } else {
            Err(BadAddress::NotDialable(text.to_owned()))
        }
    }

    /// Reads an address to listen on: a multiaddress, or `IP:PORT`. It may be unspecified, and port
    /// 0 means any.
    pub fn parse_listen(text: &str) -> Result<SocketAddr, BadAddress> {
        let text = text.trim();
        if let Ok(socket) = text.parse() {
            return Ok(socket);
        }
        let address: Multiaddr = text
            .parse()
            .map_err(|_| BadAddress::Malformed(text.to_owned()))?;
        Self::from_multiaddr(&address)
            .filter(|target| target.peer.is_none())
            .map(|target| target.socket)
            .ok_or_else(|| BadAddress::NotTcp(text.to_owned()))
    }

    /// Reads `/ip4|ip6/…/tcp/PORT[/p2p/PEER]` and nothing else.
    pub fn from_multiaddr(address: &Multiaddr) -> Option<Self> {
        let mut parts = address.iter();
        let ip = match parts.next()? {
            Protocol::Ip4(ip) => IpAddr::V4(ip),
            Protocol::Ip6(ip) => IpAddr::V6(ip),
            _ => return None,
        };
        let Protocol::Tcp(port) = parts.next()? else {
            return None;
        };
        let peer = match parts.next() {
            None => None,
            Some(Protocol::P2p(peer)) => Some(peer),
            Some(_) => return None,
        };
        parts.next().is_none().then_some(Self {
            socket: SocketAddr::new(ip, port),
            peer,
        })
    }

    /// Whether it names one machine and one port.
    pub fn is_dialable(&self) -> bool {
        let ip = self.socket.ip();
        self.socket.port() != 0 && !ip.is_unspecified() && !ip.is_multicast()
    }

    /// Whether it lies within the room: a private, shared or link-local address, or this machine.
    pub fn is_local(&self) -> bool {
        let ip = self.socket.ip();
        ip.is_loopback() || crate::ports::is_in_room(ip)
    }

    /// The multiaddress without the peer.
    pub fn transport_address(&self) -> Multiaddr {
        Multiaddr::from(self.socket.ip()).with(Protocol::Tcp(self.socket.port()))
    }

    /// The multiaddress, with the peer if it is known.
    pub fn multiaddr(&self) -> Multiaddr {
        let address = self.transport_address();
        match self.peer {
            Some(peer) => address.with(Protocol::P2p(peer)),
            None => address,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.multiaddr().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_to_listen_on() {
        let check = |text: &str, expected: Option<&str>| {
            let got = Target::parse_listen(text)
                .ok()
                .map(|socket| socket.to_string());
            assert_eq!(got.as_deref(), expected, "{text}");
        };
        check("/ip4/0.0.0.0/tcp/0", Some("0.0.0.0:0"));
        check("10.0.0.1:9", Some("10.0.0.1:9"));
        check("/ip6/::/tcp/5", Some("[::]:5"));
        check("/ip4/0.0.0.0/udp/0", None);
        check("0.0.0.0", None);
        check("localhost:9", None);
    }

    #[test]
    fn typed_addresses() {
        let peer = PeerId::random();
        let check = |text: &str, expected: Result<&str, &str>| {
            let got = Target::parse(text).map(|target| target.to_string());
            match (got, expected) {
                (Ok(got), Ok(expected)) => assert_eq!(got, expected, "{text}"),
                (Err(got), Err(expected)) => assert!(
                    got.to_string().contains(expected),
                    "{text}: {got} does not contain {expected}"
                ),
                (got, expected) => panic!("{text}: {got:?} instead of {expected:?}"),
            }
        };
        check("/ip4/10.77.0.1/tcp/47600", Ok("/ip4/10.77.0.1/tcp/47600"));
        check(" 10.77.0.1:9 ", Ok("/ip4/10.77.0.1/tcp/9"));
        check("10.77.0.1", Ok("/ip4/10.77.0.1/tcp/47600"));
        check("[fd00::1]:9", Ok("/ip6/fd00::1/tcp/9"));
        check("fd00::1", Ok("/ip6/fd00::1/tcp/47600"));
        let with_peer = format!("/ip4/10.0.0.1/tcp/1/p2p/{peer}");
        check(&with_peer, Ok(&with_peer));
        check("/dns4/example.org/tcp/80", Err("not an IP address"));
        check("example.org:80", Err("not an address"));
        check("/ip4/10.0.0.1/udp/9/quic-v1", Err("not an IP address"));
        check("/ip4/10.0.0.1/tcp/9/ws", Err("not an IP address"));
        check(
            &format!("{with_peer}/p2p-circuit"),
            Err("not an IP address"),
        );
        check("/ip4/0.0.0.0/tcp/9", Err("one machine"));
        check("/ip4/10.0.0.1/tcp/0", Err("one machine"));
        check("224.0.0.251", Err("one machine"));
        check("", Err("not an address"));
    }
}
