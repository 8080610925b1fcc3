//! Where a node listens, as it tells those who have proven membership.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

/// The TCP ports of a node, by family of addresses; 0 where it does not listen. Addresses are not told: a peer knows
/// the one that it sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    v4: u16,
    v6: u16,
}

impl Ports {
    /// The ports of these addresses: the first of each family.
    pub fn of(listening: impl IntoIterator<Item = SocketAddr>) -> Self {
        let mut ports = Self::default();
        for at in listening {
            let port = match at {
                SocketAddr::V4(_) => &mut ports.v4,
                SocketAddr::V6(_) => &mut ports.v6,
            };
            if *port == 0 {
                *port = at.port();
            }
        }
        ports
    }

    /// Where a node with these ports listens, if it was seen at this address.
    pub fn at(self, seen: IpAddr) -> Option<SocketAddr> {
        let port = match seen {
            IpAddr::V4(_) => self.v4,
            IpAddr::V6(_) => self.v6,
        };
        (port != 0).then_some(SocketAddr::new(seen, port))
    }
}

/// Whether an address that others told lies in the room: private, shared (RFC 6598), link-local or unique-local. Others
/// must be typed, so that nobody's word can make this node connect to the internet.
pub(crate) fn is_in_room(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            ip.is_private() || ip.is_link_local() || (first == 100 && (64..128).contains(&second))
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_family_has_its_first_port() {
        let listening = ["10.0.0.1:9", "127.0.0.1:8", "[::1]:7"];
        let ports = Ports::of(listening.map(|at| at.parse().unwrap()));
        let at = |seen: &str| {
            let at = ports.at(seen.parse().unwrap());
            at.map(|at| at.to_string())
        };
        assert_eq!(at("10.0.0.2").as_deref(), Some("10.0.0.2:9"));
        assert_eq!(at("fd00::1").as_deref(), Some("[fd00::1]:7"));
        let only_v4 = Ports::of(["10.0.0.1:9".parse().unwrap()]);
        assert_eq!(only_v4.at("fd00::1".parse().unwrap()), None);
    }
}
