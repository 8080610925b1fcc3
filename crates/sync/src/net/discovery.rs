//! mDNS, supervised.
//!
//! The mDNS behaviour ends an interface's task at the first receive error, asks only every few
//! minutes, and keeps whatever it is told. So it runs here on a thread and a runtime of its own
//! and is rebuilt from scratch when the machine's addresses change, when it has slept, when a known
//! entry runs out, when it holds too much, from time to time, and often while nobody is connected. Dropping its
//! runtime ends all of its tasks; nothing that it parses can take the node down.

use std::{
    future::poll_fn,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    thread,
    time::{Duration, SystemTime},
};

use libp2p::{
    Multiaddr, PeerId,
    core::transport::ListenerId,
    mdns,
    swarm::{FromSwarm, NetworkBehaviour, NewListenAddr, ToSwarm},
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until},
};
use tracing::{debug, warn};

use super::address::Target;
use crate::ports::is_in_room;

/// Most entries that one life of the behaviour may hold.
const MAX_ENTRIES: usize = 512;
/// A life lasts at least this long, whatever happens.
const SHORTEST_LIFE: Duration = Duration::from_secs(10);
/// How long it lasts while nobody is connected; doubled each time up to the longest.
const LIFE_ALONE: Duration = Duration::from_secs(15);
const LONGEST_ALONE: Duration = Duration::from_mins(1);
/// How long it lasts otherwise.
const LIFE: Duration = Duration::from_mins(5);
/// Pause after a fault.
const PAUSE: Duration = Duration::from_secs(5);
/// How often the clocks are compared, and how far they are apart after a sleep.
const WATCH: Duration = Duration::from_secs(5);
const SLEPT: Duration = Duration::from_secs(20);
/// How long found addresses may wait to be taken before they are dropped.
const FOUND_BACKLOG: usize = 128;

/// What the node tells its discovery.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Situation {
    /// Addresses this node listens on.
    pub listening: Vec<Multiaddr>,
    /// Whether no peer is connected.
    pub alone: bool,
    /// Whether the node has ended.
    pub over: bool,
}

enum End {
    Over,
    Rebuild(&'static str),
}

/// Starts discovery. It ends when `situation` says so or its sender is gone.
pub(super) fn start(
    me: PeerId,
    situation: watch::Receiver<Situation>,
) -> io::Result<mpsc::Receiver<Target>> {
    let (found, receiver) = mpsc::channel(FOUND_BACKLOG);
    thread::Builder::new()
        .name("artel-mdns".to_owned())
        .spawn(move || supervise(me, situation, &found))?;
    Ok(receiver)
}

fn supervise(me: PeerId, mut situation: watch::Receiver<Situation>, found: &mpsc::Sender<Target>) {
    let mut alone_for = LIFE_ALONE;
    loop {
        let runtime = match tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
        {
            Ok(runtime) => runtime,
            Err(reason) => {
                warn!(%reason, "mDNS cannot run");
                return;
            }
        };
        let life = catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(live(me, &mut situation, found, alone_for))
        }));
        let fault = match life {
            Ok(Ok(End::Over)) => return,
            Ok(Ok(End::Rebuild(reason))) => {
                debug!(reason, "mDNS starts anew");
                false
            }
            Ok(Err(reason)) => {
                warn!(%reason, "mDNS failed");
                true
            }
            Err(_) => {
                warn!("mDNS panicked");
                true
            }
        };
        alone_for = if situation.borrow().alone {
            (alone_for * 2).min(LONGEST_ALONE)
        } else {
            LIFE_ALONE
        };
        if fault {
            runtime.block_on(sleep(PAUSE));
        }
        // Ends the tasks that the behaviour has spawned.
        runtime.shutdown_background();
    }
}

async fn live(
    me: PeerId,
    situation: &mut watch::Receiver<Situation>,
    found: &mpsc::Sender<Target>,
    alone_for: Duration,
) -> io::Result<End> {
    let (listening, mut alone) = {
        let now = situation.borrow_and_update();
        if now.over {
            return Ok(End::Over);
        }
        (now.listening.clone(), now.alone)
    };
    let config = mdns::Config {
        enable_ipv6: is_without_v4(&listening),
        ..mdns::Config::default()
    };
    let mut mdns = mdns::tokio::Behaviour::new(config, me)?;
    let listener = ListenerId::next();
    for addr in &listening {
        mdns.on_swarm_event(FromSwarm::NewListenAddr(NewListenAddr {
            listener_id: listener,
            addr,
        }));
    }
    let born = Instant::now();
    let mut rebuild_at = born + if alone { alone_for } else { LIFE };
    let mut reason = "it is time";
    let mut due = pin!(sleep_until(rebuild_at));
    let mut watch = interval(WATCH);
    watch.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = (SystemTime::now(), Instant::now());
    loop {
        tokio::select! {
            event = poll_fn(|cx| mdns.poll(cx)) => match event {
                ToSwarm::GenerateEvent(mdns::Event::Discovered(list)) => {
                    for (peer, address) in list {
                        offer(peer, &address, found);
                    }
                    if mdns.discovered_nodes().len() > MAX_ENTRIES {
                        warn!("too many mDNS entries; somebody may be flooding the network");
                        rebuild_at = rebuild_at.min(born + SHORTEST_LIFE);
                        reason = "it holds too much";
                    }
                }
                ToSwarm::GenerateEvent(mdns::Event::Expired(_)) => {
                    rebuild_at = rebuild_at.min((born + SHORTEST_LIFE).max(Instant::now()));
                    reason = "an entry ran out";
                }
                _ => {}
            },
            changed = situation.changed() => {
                if changed.is_err() {
                    return Ok(End::Over);
                }
                let now = situation.borrow_and_update().clone();
                if now.over {
                    return Ok(End::Over);
                }
                if now.listening != listening {
                    return Ok(End::Rebuild("the addresses changed"));
                }
                if now.alone && !alone {
                    rebuild_at = rebuild_at.min(Instant::now() + LIFE_ALONE);
                }
                alone = now.alone;
            }
            _ = watch.tick() => {
                let now = (SystemTime::now(), Instant::now());
                let wall = now.0.duration_since(seen.0).unwrap_or_default();
                if slept(wall, now.1.duration_since(seen.1)) {
                    return Ok(End::Rebuild("the machine slept"));
                }
                seen = now;
            }
            () = due.as_mut() => return Ok(End::Rebuild(reason)),
        }
        due.as_mut().reset(rebuild_at);
    }
}

/// Whether a machine slept, by how far its two clocks went meanwhile: the one that people set goes on in sleep, the
/// other one does not, or is late itself. One that was set forward looks the same; then asking anew costs little.
fn slept(wall: Duration, running: Duration) -> bool {
    wall > running + SLEPT || running > WATCH + SLEPT
}

/// Whether there is no IPv4 to ask by: the behaviour speaks one or the other.
fn is_without_v4(listening: &[Multiaddr]) -> bool {
    let mut others = listening
        .iter()
        .filter_map(Target::from_multiaddr)
        .map(|target| target.socket.ip())
        .filter(|ip| !ip.is_loopback())
        .peekable();
    others.peek().is_some() && others.all(|ip| ip.is_ipv6())
}

/// Passes an address on if it may be dialled on hearsay. When the node is too busy to take it,
/// it is dropped: the next life finds it again.
fn offer(peer: PeerId, address: &Multiaddr, found: &mpsc::Sender<Target>) {
    if let Some(target) = Target::from_multiaddr(address)
        && target.peer.is_none_or(|named| named == peer)
        && target.is_dialable()
        && is_in_room(target.socket.ip())
    {
        let _ = found.try_send(Target {
            peer: Some(peer),
            ..target
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_is_known_by_the_clocks() {
        let check = |wall, running, expected| {
            let [wall, running] = [wall, running].map(Duration::from_secs);
            assert_eq!(slept(wall, running), expected, "{wall:?} {running:?}");
        };
        check(5, 5, false);
        check(0, 5, false);
        check(24, 5, false);
        check(3_600, 5, true);
        // Where both clocks go on in sleep.
        check(3_600, 3_600, true);
    }

    #[test]
    fn a_network_without_ipv4_is_asked_by_the_other() {
        let check = |addresses: &[&str], expected: bool| {
            let addresses: Vec<Multiaddr> =
                addresses.iter().map(|text| text.parse().unwrap()).collect();
            assert_eq!(is_without_v4(&addresses), expected, "{addresses:?}");
        };
        check(&[], false);
        check(&["/ip4/127.0.0.1/tcp/1"], false);
        check(&["/ip4/10.0.0.1/tcp/1", "/ip6/fd00::1/tcp/1"], false);
        check(&["/ip4/127.0.0.1/tcp/1", "/ip6/fd00::1/tcp/1"], true);
    }

    /// Runs one life of discovery and gives what ended it.
    async fn life(alone_for: Duration, change: impl FnOnce(&mut Situation)) -> &'static str {
        let (sender, mut situation) = watch::channel(Situation::default());
        let (found, _receiver) = mpsc::channel(1);
        sender.send_modify(|now| now.alone = true);
        let life = live(PeerId::random(), &mut situation, &found, alone_for);
        let change = async {
            sleep(Duration::from_millis(50)).await;
            sender.send_modify(change);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            end = life => match end.unwrap() {
                End::Over => "over",
                End::Rebuild(reason) => reason,
            },
            () = change => unreachable!("it never ends"),
        }
    }

    #[tokio::test]
    async fn a_change_of_addresses_makes_it_start_anew() {
        let one = "/ip4/10.0.0.1/tcp/1".parse::<Multiaddr>().unwrap();
        assert_eq!(
            life(LIFE_ALONE, |now| now.listening.push(one)).await,
            "the addresses changed"
        );
        assert_eq!(life(LIFE_ALONE, |now| now.over = true).await, "over");
    }

    #[tokio::test]
    async fn silence_makes_it_start_anew() {
        let soon = Duration::from_millis(200);
        assert_eq!(life(soon, |_| ()).await, "it is time");
    }

    #[test]
    fn only_addresses_in_the_room_are_taken_on_hearsay() {
        let check = |address: &str, taken: bool| {
            let (sender, mut receiver) = mpsc::channel(1);
            let peer = PeerId::random();
            offer(peer, &address.parse().unwrap(), &sender);
            let got = receiver.try_recv().ok();
            assert_eq!(got.is_some(), taken, "{address}");
            if let Some(target) = got {
                assert_eq!(target.peer, Some(peer));
            }
        };
        check("/ip4/10.77.0.1/tcp/47600", true);
        check("/ip4/192.168.1.5/tcp/1", true);
        check("/ip4/172.16.0.1/tcp/1", true);
        check("/ip4/169.254.3.4/tcp/1", true);
        check("/ip4/100.64.0.1/tcp/1", true);
        check("/ip6/fd00::1/tcp/1", true);
        check("/ip6/fe80::1/tcp/1", true);
        check("/ip4/8.8.8.8/tcp/1", false);
        check("/ip4/127.0.0.1/tcp/1", false);
        check("/ip4/100.128.0.1/tcp/1", false);
        check("/ip6/2001:db8::1/tcp/1", false);
        check("/ip4/10.0.0.1/udp/1/quic-v1", false);
        check("/ip4/10.0.0.1/tcp/0", false);
        check("/dns4/example.org/tcp/1", false);
        check(
            &format!("/ip4/10.0.0.1/tcp/1/p2p/{}", PeerId::random()),
            false,
        );
    }
}
