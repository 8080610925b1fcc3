//! mDNS announcements that are false, too many, or none at all.

use std::net::{Ipv4Addr, SocketAddr};

use artel_domain::DeviceKey;
use artel_sync::net::peer_of;
use tokio::net::UdpSocket;

use crate::Fault;

/// Where mDNS is spoken.
const GROUP: (Ipv4Addr, u16) = (Ipv4Addr::new(224, 0, 0, 251), 5_353);

/// Announcements of so many peers that are not there.
const PEERS: usize = 3_000;

fn name(out: &mut Vec<u8>, labels: &[&str]) {
    for label in labels {
        out.push(u8::try_from(label.len()).unwrap_or(63));
        out.extend(label.as_bytes());
    }
    out.push(0);
}

/// A peer and where it claims to be.
fn announcement(peer: &str, address: &str) -> Vec<u8> {
    let mut own = Vec::new();
    name(&mut own, &[peer.get(..40).unwrap_or(peer)]);
    let mut out = vec![0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 1];
    name(&mut out, &["_p2p", "_udp", "local"]);
    out.extend([0, 12, 0, 1, 0, 0, 1, 44]);
    out.extend(u16::try_from(own.len()).unwrap_or(0).to_be_bytes());
    out.extend(&own);
    out.extend(&own);
    out.extend([0, 16, 0x80, 1, 0, 0, 1, 44]);
    let text = format!("dnsaddr={address}/p2p/{peer}");
    let length = u8::try_from(text.len()).unwrap_or(255);
    out.extend((u16::from(length) + 1).to_be_bytes());
    out.push(length);
    out.extend(text.as_bytes());
    out
}

/// Lies to everyone on the network of this interface.
pub(crate) async fn flood(interface: Ipv4Addr) -> Result<(), Fault> {
    let socket = UdpSocket::bind(SocketAddr::from((interface, 0))).await?;
    let mut sent = 0_usize;
    for number in 0..PEERS {
        let peer = peer_of(&DeviceKey::generate()?.id()).ok_or("a peer")?;
        let last = u8::try_from(number % 250).unwrap_or(0);
        let address = match number % 5 {
            // A machine that is not there, the internet, this host, a port that nobody listens on, a name.
            0 => format!("/ip4/10.77.0.{last}/tcp/9"),
            1 => format!("/ip4/203.0.113.{last}/tcp/443"),
            2 => format!("/ip4/{interface}/tcp/9"),
            3 => "/ip4/127.0.0.1/tcp/47600".to_owned(),
            _ => "/dns4/example.invalid/tcp/443".to_owned(),
        };
        let mut packet = announcement(&peer.to_string(), &address);
        match number % 7 {
            5 => packet.truncate(packet.len() / 2),
            // Names that point at themselves.
            6 => packet.splice(12..13, [0xc0, 12]).for_each(drop),
            _ => {}
        }
        sent += usize::from(socket.send_to(&packet, GROUP).await.is_ok());
        if number % 100 == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
    say!("announcements: {sent}");
    Ok(())
}
