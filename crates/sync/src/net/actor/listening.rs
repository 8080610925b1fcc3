//! Listening: the usual port first.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use libp2p::{Swarm, core::transport::ListenerId};
use tracing::{debug, info};

use super::{
    super::{Config, NetError, USUAL_PORT, address::Target, behaviour::Behaviour, everywhere},
    dialling::innermost,
};

pub(super) fn listen(swarm: &mut Swarm<Behaviour>, config: &Config) -> Result<(), NetError> {
    if !config.listen.is_empty() {
        for address in &config.listen {
            let address = match config.port {
                Some(port) if address.port() == 0 => SocketAddr::new(address.ip(), port),
                _ => *address,
            };
            listen_on(swarm, address)?;
        }
        return Ok(());
    }
    let [v4, v6] = everywhere(config.port.unwrap_or(USUAL_PORT));
    let [v4, v6] = match listen_on(swarm, v4) {
        Ok(_) => [v4, v6],
        Err(NetError::PortTaken(_)) if config.port.is_none() => {
            let [v4, v6] = everywhere(0);
            listen_on(swarm, v4)?;
            info!("port {USUAL_PORT} is taken; listening on another");
            [v4, v6]
        }
        Err(reason) => return Err(reason),
    };
    // Machines without IPv6 are common, and the room works without it.
    if let Err(reason) = listen_on(swarm, v6) {
        debug!(%reason, beside = %v4, "not listening on IPv6");
    }
    Ok(())
}

fn listen_on(swarm: &mut Swarm<Behaviour>, address: SocketAddr) -> Result<ListenerId, NetError> {
    // libp2p lets several listeners share a port (SO_REUSEPORT), and calls for one profile would
    // reach another: so the port is tried first without that option.
    if address.port() != 0 && address.is_ipv4() {
        match TcpListener::bind(address) {
            Ok(free) => drop(free),
            Err(reason) if reason.kind() == io::ErrorKind::AddrInUse => {
                return Err(NetError::PortTaken(address));
            }
            Err(reason) => {
                return Err(NetError::Listen {
                    address,
                    reason: reason.to_string(),
                });
            }
        }
    }
    let target = Target {
        socket: address,
        peer: None,
    };
    swarm
        .listen_on(target.transport_address())
        .map_err(|reason| NetError::Listen {
            address,
            reason: innermost(&reason),
        })
}
