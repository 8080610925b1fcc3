//! Looks, asks and knocks.

use std::{
    collections::HashSet,
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    thread,
    time::{Duration, Instant},
};

use artel_sync::net::{Target, USUAL_PORT};
use if_addrs::{IfAddr, get_if_addrs};
use socket2::{Domain, Protocol, Socket, Type};

#[cfg(target_os = "linux")]
use super::system;
use super::{Facts, Firewall, Interface, Multicast, Situation, Unreached, Usual};

/// Where mDNS is spoken.
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const MDNS_PORT: u16 = 5353;
/// How long answers are gathered.
const LISTEN: Duration = Duration::from_millis(1_500);
/// How long a call may take.
const KNOCK: Duration = Duration::from_millis(1_500);
/// Packets that are looked at, whoever sends them.
const MOST_PACKETS: usize = 1_000;

/// Gathers the facts; takes a few seconds.
pub(super) fn gather(network: &Situation, known: Vec<String>, mdns: bool) -> Facts {
    let interfaces = interfaces();
    let v4: Vec<(String, Ipv4Addr)> = interfaces
        .iter()
        .filter_map(|interface| match interface.ip {
            IpAddr::V4(ip) if !interface.is_tunnel() => Some((interface.name.clone(), ip)),
            _ => None,
        })
        .collect();
    let own: HashSet<Ipv4Addr> = v4.iter().map(|(_, ip)| *ip).collect();
    let (multicast, remembered) = thread::scope(|scope| {
        let asked: Vec<_> = v4
            .iter()
            .filter(|_| mdns)
            .map(|(name, ip)| {
                let own = &own;
                (name, scope.spawn(move || ask(*ip, own)))
            })
            .collect();
        let knocked: Vec<_> = known
            .into_iter()
            .filter_map(|address| Some((Target::parse(&address).ok()?.socket, address)))
            .map(|(socket, address)| (address, scope.spawn(move || knock(socket))))
            .collect();
        let asked: Vec<(String, Multicast)> = asked
            .into_iter()
            .map(|(name, asked)| {
                let lost = || Multicast::Refused("the test ended early".to_owned());
                (name.clone(), asked.join().unwrap_or_else(|_| lost()))
            })
            .collect();
        let knocked: Vec<_> = knocked
            .into_iter()
            .map(|(address, knocked)| (address, knocked.join().unwrap_or(Err(Unreached::NoAnswer))))
            .collect();
        (asked, knocked)
    });
    let listening = network.listening.iter().find(|at| at.is_ipv4()).map(|at| {
        let here = match at.ip() {
            ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            ip => ip,
        };
        (at.port(), knock((here, at.port()).into()).is_ok())
    });
    Facts {
        interfaces,
        multicast,
        mdns,
        listening,
        usual: usual(listening.map(|(port, _)| port)),
        firewall: firewall(),
        default_route: default_route(),
        neighbours: neighbours(),
        connected: network.connected,
        called: network.called,
        remembered,
        now: 0,
        latest_own: 0,
        latest_said: None,
    }
}

fn interfaces() -> Vec<Interface> {
    let mut found: Vec<Interface> = get_if_addrs()
        .unwrap_or_default()
        .into_iter()
        .filter(|interface| !interface.is_loopback())
        .filter(|interface| match &interface.addr {
            IfAddr::V4(_) => true,
            // Every interface has one; it says nothing about the network.
            IfAddr::V6(v6) => !v6.ip.is_unicast_link_local(),
        })
        .map(|interface| Interface {
            ip: interface.ip(),
            name: interface.name,
        })
        .collect();
    found.sort_by(|one, other| (&one.name, one.ip).cmp(&(&other.name, other.ip)));
    found
}

/// A question for peers of libp2p, as discovery asks it, under a number of its own.
fn question(id: u16) -> Vec<u8> {
    let [high, low] = id.to_be_bytes();
    let mut packet = vec![high, low, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in ["_p2p", "_udp", "local"] {
        packet.push(u8::try_from(label.len()).unwrap_or(0));
        packet.extend(label.as_bytes());
    }
    packet.extend([0, 0, 12, 0, 1]);
    packet
}

/// Asks by multicast on one interface and listens to who answers.
fn ask(on: Ipv4Addr, own: &HashSet<Ipv4Addr>) -> Multicast {
    match try_to_ask(on, own) {
        Ok(found) => found,
        Err(reason)
            if matches!(
                reason.kind(),
                ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable
            ) =>
        {
            Multicast::NoRoute
        }
        // A packet filter that drops what leaves says so at once.
        Err(reason) if reason.kind() == ErrorKind::PermissionDenied => Multicast::Silent(0),
        Err(reason) => Multicast::Refused(reason.to_string()),
    }
}

fn try_to_ask(on: Ipv4Addr, own: &HashSet<Ipv4Addr>) -> io::Result<Multicast> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, MDNS_PORT)).into())?;
    socket.set_multicast_if_v4(&on)?;
    let socket = UdpSocket::from(socket);
    socket.join_multicast_v4(&GROUP, &on)?;
    socket.set_multicast_loop_v4(true)?;
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    let question = question(u16::from_be_bytes([on.octets()[3], 0xA7]));
    socket.send_to(&question, (GROUP, MDNS_PORT))?;
    let until = Instant::now() + LISTEN;
    let (mut came_back, mut others) = (false, HashSet::new());
    let mut buffer = [0; 9_000];
    for _ in 0..MOST_PACKETS {
        if Instant::now() >= until {
            break;
        }
        let (length, from) = match socket.recv_from(&mut buffer) {
            Ok(received) => received,
            Err(reason) if matches!(reason.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                continue;
            }
            Err(reason) => return Err(reason),
        };
        let (Some(packet), IpAddr::V4(from)) = (buffer.get(..length), from.ip()) else {
            continue;
        };
        if packet == question {
            came_back |= own.contains(&from);
        } else if !own.contains(&from) && is_answer(packet) {
            others.insert(from);
        }
    }
    Ok(if came_back {
        Multicast::Heard(others.len())
    } else {
        Multicast::Silent(others.len())
    })
}

/// Whether a packet is an answer that names the service of libp2p.
fn is_answer(packet: &[u8]) -> bool {
    packet.get(2).is_some_and(|flags| flags & 0x80 != 0)
        && packet.windows(5).any(|label| label == b"\x04_p2p")
}

fn knock(at: SocketAddr) -> Result<(), Unreached> {
    match TcpStream::connect_timeout(&at, KNOCK) {
        Ok(_) => Ok(()),
        Err(reason) => Err(match reason.kind() {
            ErrorKind::ConnectionRefused => Unreached::Refused,
            ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable => Unreached::NoRoute,
            _ => Unreached::NoAnswer,
        }),
    }
}

fn usual(listening: Option<u16>) -> Usual {
    if listening == Some(USUAL_PORT) {
        return Usual::Ours;
    }
    match TcpListener::bind((Ipv4Addr::UNSPECIFIED, USUAL_PORT)) {
        Err(reason) if reason.kind() == ErrorKind::AddrInUse => {
            Usual::Taken(program_on(USUAL_PORT))
        }
        _ => Usual::Free,
    }
}

#[cfg(target_os = "linux")]
fn program_on(port: u16) -> Option<String> {
    system::program_on(port)
}

#[cfg(target_os = "linux")]
fn firewall() -> Firewall {
    system::firewall()
}

#[cfg(target_os = "linux")]
fn default_route() -> Option<String> {
    system::default_route()
}

#[cfg(target_os = "linux")]
fn neighbours() -> Option<usize> {
    system::neighbours()
}

#[cfg(not(target_os = "linux"))]
fn program_on(_: u16) -> Option<String> {
    None
}

#[cfg(not(target_os = "linux"))]
fn firewall() -> Firewall {
    Firewall::Unknown
}

#[cfg(not(target_os = "linux"))]
fn default_route() -> Option<String> {
    None
}

#[cfg(not(target_os = "linux"))]
fn neighbours() -> Option<usize> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_is_one_and_an_answer_is_told_from_it() {
        let question = question(7);
        assert!(question.windows(5).any(|label| label == b"\x04_p2p"));
        assert!(!is_answer(&question));
        let mut answer = question;
        answer[2] = 0x84;
        assert!(is_answer(&answer));
        assert!(!is_answer(&[0, 0, 0x84]));
        assert!(!is_answer(&[]));
    }
}
