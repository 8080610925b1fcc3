//! `net doctor`: each layer between two machines, what was found, and what to do.
//!
//! [`probe`] gathers [`Facts`], from the outside in: interfaces, multicast, the port, the firewall, routes, neighbours,
//! remembered addresses. [`judge`] makes findings of them and does no I/O. It looks at this machine, asks the room by
//! mDNS as discovery does, and knocks at addresses where others were reached before; nothing else leaves.

mod probe;
#[cfg(target_os = "linux")]
mod system;

use std::net::IpAddr;

use artel_store::{addresses, settings};
use artel_sync::net::{Target, USUAL_PORT};

use crate::{
    api::{Command, Handle, rooms as api},
    care::{Finding, Grade, clock, health_of},
    error::AppError,
    installation,
    session::Session,
};

/// Remembered addresses that are tried.
const MOST_TRIED: usize = 16;
/// A message that claims to be this much later than now tells of a clock that is wrong.
const CLOCK_TOLERANCE_MS: i64 = 5 * 60 * 1000;
/// When the network was last started, Unix milliseconds.
pub(crate) const STARTED: &str = "clock.started_ms";

/// An address of this machine on a network.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Interface {
    name: String,
    ip: IpAddr,
}

impl Interface {
    /// Whether mDNS announces and takes it: an address of a room.
    fn is_local(&self) -> bool {
        let socket = (self.ip, USUAL_PORT).into();
        Target { socket, peer: None }.is_local()
    }

    /// Whether it looks like the near end of a tunnel.
    fn is_tunnel(&self) -> bool {
        is_tunnel(&self.name)
    }
}

fn is_tunnel(interface: &str) -> bool {
    let kinds = [
        "tun",
        "tap",
        "wg",
        "ppp",
        "utun",
        "tailscale",
        "zt",
        "nordlynx",
        "proton",
    ];
    kinds.iter().any(|kind| interface.starts_with(kind))
}

/// What came of a question by multicast on one interface.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Multicast {
    /// The own question came back, and so many machines answered.
    Heard(usize),
    /// It did not come back; so many answered all the same.
    Silent(usize),
    /// It could not be sent.
    NoRoute,
    /// The system does not allow it.
    Refused(String),
}

/// Who has the usual port.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Usual {
    Free,
    Ours,
    /// Another program, by name where the system tells.
    Taken(Option<String>),
}

/// What the packet filter of this machine does with calls from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Firewall {
    /// Its rules cannot be read here.
    Unknown,
    /// Nothing is dropped by default.
    Open,
    /// Others are dropped by default, and there is a rule for Artel's port.
    Allowed,
    /// Others are dropped by default, and no rule names Artel's port.
    Closed,
}

/// Why an address was not reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unreached {
    Refused,
    NoAnswer,
    NoRoute,
}

impl Unreached {
    /// The code, for translation, and English words.
    fn told(self) -> (&'static str, &'static str) {
        match self {
            Self::Refused => ("refused", "nobody listens there"),
            Self::NoAnswer => ("no_answer", "no answer"),
            Self::NoRoute => ("no_route", "no route"),
        }
    }
}

/// A message and its author's clock, Unix milliseconds.
#[derive(Clone, Debug)]
struct Said {
    at: i64,
    /// Author's name.
    name: String,
    /// Name of the room.
    room: String,
}

/// Everything that was looked at.
#[derive(Clone, Debug)]
struct Facts {
    interfaces: Vec<Interface>,
    /// By interface.
    multicast: Vec<(String, Multicast)>,
    mdns: bool,
    /// Port that this node listens on, if its network runs, and whether a call to it is taken.
    listening: Option<(u16, bool)>,
    usual: Usual,
    firewall: Firewall,
    /// Interface of the default route.
    default_route: Option<String>,
    /// Machines of the same network that this one has exchanged packets with lately.
    neighbours: Option<usize>,
    connected: usize,
    /// Whether somebody called this node.
    called: bool,
    /// Remembered addresses, and what came of a call.
    remembered: Vec<(String, Result<(), Unreached>)>,
    now: i64,
    /// The latest time that this machine has seen itself.
    latest_own: i64,
    /// The latest time in one of the messages of others that came last.
    latest_said: Option<Said>,
}

impl Facts {
    /// Machines that answered by mDNS.
    fn heard(&self) -> usize {
        let counts = self.multicast.iter().map(|(_, found)| match found {
            Multicast::Heard(others) | Multicast::Silent(others) => *others,
            Multicast::NoRoute | Multicast::Refused(_) => 0,
        });
        counts.max().unwrap_or(0)
    }
}

/// Makes findings of the facts, in the order of the layers.
fn judge(facts: &Facts) -> Vec<Finding> {
    vec![
        interfaces(facts),
        multicast(facts),
        port(facts),
        firewall(facts),
        vpn(facts),
        company(facts),
        remembered(facts),
        time(facts),
    ]
}

fn interfaces(facts: &Facts) -> Finding {
    const NAME: &str = "interfaces";
    let list: Vec<String> = facts
        .interfaces
        .iter()
        .map(|interface| format!("{} {}", interface.name, interface.ip))
        .collect();
    let finding = if list.is_empty() {
        Finding::well(
            NAME,
            "net_no_interface",
            "no network: no interface is up with an address",
        )
        .but(
            Grade::Critical,
            "Plug in the cable or join the Wi-Fi, then try again.",
        )
    } else if facts.interfaces.iter().any(Interface::is_local) {
        Finding::well(NAME, "net_interfaces", "{list}")
    } else {
        Finding::well(NAME, "net_public_only", "only public addresses: {list}").but(
            Grade::Warning,
            "Others are not found by themselves on public addresses. Give one by hand: artel net dial ADDRESS",
        )
    };
    finding.with("list", list.join(", "))
}

fn multicast(facts: &Facts) -> Finding {
    const NAME: &str = "multicast";
    const ROUTE: &str = "Others are not found without it. Add a route: ip route add 224.0.0.0/4 dev INTERFACE, or give an address: artel net dial ADDRESS";
    if !facts.mdns {
        return Finding::well(NAME, "net_mdns_off", "looking by mDNS is switched off").but(
            Grade::Warning,
            "Switch it on: artel settings set network.mdns on, or give addresses: artel net dial ADDRESS",
        );
    }
    let names = |wanted: fn(&Multicast) -> bool| {
        let found = facts.multicast.iter().filter(|(_, found)| wanted(found));
        let names: Vec<&str> = found.map(|(name, _)| name.as_str()).collect();
        names.join(", ")
    };
    let heard = names(|found| matches!(found, Multicast::Heard(_)));
    let silent = names(|found| matches!(found, Multicast::Silent(_)));
    let routeless = names(|found| matches!(found, Multicast::NoRoute));
    let refused = facts.multicast.iter().find_map(|(_, found)| match found {
        Multicast::Refused(reason) => Some(reason.clone()),
        _ => None,
    });
    let well = !heard.is_empty();
    let grade = if well {
        Grade::Warning
    } else {
        Grade::Critical
    };
    let finding = if facts.multicast.is_empty() {
        Finding::well(
            NAME,
            "net_multicast_nowhere",
            "there is no interface to look on",
        )
    } else if !routeless.is_empty() {
        Finding::well(
            NAME,
            "net_multicast_no_route",
            "no route for multicast on {names}",
        )
        .with("names", routeless)
        .but(grade, ROUTE)
    } else if !silent.is_empty() {
        Finding::well(NAME, "net_multicast_silent", "the own question did not come back on {names}")
            .with("names", silent)
            .but(
                grade,
                "A firewall of this machine may drop it. Allow UDP port 5353, or give an address: artel net dial ADDRESS",
            )
    } else if let Some(reason) = refused {
        Finding::well(NAME, "net_multicast_refused", "cannot be tried: {reason}")
            .with("reason", reason)
            .but(
                grade,
                "Close other programs that use mDNS, or give an address: artel net dial ADDRESS",
            )
    } else {
        Finding::well(
            NAME,
            "net_multicast",
            "heard on {names}; others that answered: {others}",
        )
        .with("names", heard)
    };
    finding.with("others", facts.heard())
}

fn port(facts: &Facts) -> Finding {
    const NAME: &str = "port";
    let (by, words) = match &facts.usual {
        Usual::Taken(Some(program)) => (program.as_str(), program.as_str()),
        _ => ("another", "another program"),
    };
    let finding = match (facts.listening, &facts.usual) {
        (Some((_, false)), _) => {
            Finding::well(NAME, "net_port_deaf", "this node listens on port {port}, but a call to it is not taken").but(
                Grade::Critical,
                "Start the network again: end artel node or the window and open it anew.",
            )
        }
        (Some((port, true)), Usual::Taken(_)) if port != USUAL_PORT => {
            Finding::well(NAME, "net_port_other", "port {usual} is taken by {by}; this node listens on {port}").but(
                Grade::Warning,
                "Firewall rules are written for the usual port. End that program, or allow this port as well.",
            )
        }
        (Some(_), _) => Finding::well(NAME, "net_port_open", "this node listens on port {port}"),
        (None, Usual::Taken(_)) => {
            Finding::well(NAME, "net_port_taken", "port {usual} is taken by {by}").but(
                Grade::Warning,
                "Another port will be used, for which firewalls may have no rule. End that program, or choose a port: artel node --port N",
            )
        }
        (None, _) => {
            Finding::well(NAME, "net_port_free", "port {usual} is free; the network is not running")
        }
    };
    finding
        .with("usual", USUAL_PORT)
        .said("by", by, words)
        .with("port", facts.listening.map_or(USUAL_PORT, |(port, _)| port))
}

fn firewall(facts: &Facts) -> Finding {
    const NAME: &str = "firewall";
    const ALLOW: &str = if cfg!(windows) {
        "Allow Artel in Windows Defender Firewall for private networks: Allow an app through firewall."
    } else if cfg!(target_os = "macos") {
        "Allow incoming connections for Artel: System Settings, Network, Firewall, Options."
    } else {
        "Let TCP port 47600 and UDP port 5353 in from the local network, for example: ufw allow 47600/tcp, ufw allow 5353/udp"
    };
    if facts.called {
        return Finding::well(
            NAME,
            "net_firewall_called",
            "others have called this node: they are let in",
        );
    }
    match facts.firewall {
        Firewall::Open => Finding::well(NAME, "net_firewall_open", "nothing is kept out by default"),
        Firewall::Allowed => Finding::well(NAME, "net_firewall_allowed", "there is a rule that lets Artel in"),
        Firewall::Closed => {
            Finding::well(NAME, "net_firewall_closed", "calls from others are kept out, and no rule lets Artel in")
                .but(Grade::Warning, ALLOW)
        }
        Firewall::Unknown if facts.listening.is_some() && facts.connected == 0 && facts.heard() > 0 => {
            Finding::well(NAME, "net_firewall_suspect", "its rules cannot be read here, and nobody has called this node although others are there")
                .but(Grade::Warning, ALLOW)
        }
        Firewall::Unknown => {
            Finding::well(NAME, "net_firewall_unknown", "its rules cannot be read here; nothing points to it")
        }
    }
}

fn vpn(facts: &Facts) -> Finding {
    const NAME: &str = "vpn";
    let tunnels: Vec<&str> = facts
        .interfaces
        .iter()
        .filter(|interface| interface.is_tunnel())
        .map(|interface| interface.name.as_str())
        .collect();
    match facts.default_route.as_deref().filter(|name| is_tunnel(name)) {
        Some(name) => Finding::well(NAME, "net_vpn_default", "everything goes through {name}")
            .with("name", name)
            .but(
                Grade::Warning,
                "Allow local networks in the settings of the VPN, or switch it off while you work in the room.",
            ),
        None if tunnels.is_empty() => Finding::well(NAME, "net_vpn_none", "there is no tunnel"),
        None => Finding::well(NAME, "net_vpn_beside", "{names} beside the local network")
            .with("names", tunnels.join(", ")),
    }
}

fn company(facts: &Facts) -> Finding {
    const NAME: &str = "others";
    let heard = facts.heard();
    let neighbours = facts.neighbours.unwrap_or(0);
    let finding = if facts.connected > 0 {
        Finding::well(NAME, "net_connected", "connected with {connected}")
    } else if facts.listening.is_some() && heard > 0 {
        Finding::well(NAME, "net_isolated", "{heard} others are heard, but none can be connected with").but(
            Grade::Critical,
            "The Wi-Fi may keep its clients apart, or a firewall there keeps calls out. Use a cable or another access point, or check: artel net doctor on the other machine.",
        )
    } else if heard > 0 {
        Finding::well(
            NAME,
            "net_heard",
            "{heard} others are heard; the network is not running",
        )
    } else if neighbours > 0 {
        Finding::well(NAME, "net_unheard", "machines on this network: {neighbours}; none is heard by mDNS").but(
            Grade::Warning,
            "Start Artel on them. If it runs there, the network filters multicast: give one address, and the others follow: artel net dial ADDRESS",
        )
    } else {
        Finding::well(NAME, "net_alone", "nobody is heard, and no machine was spoken to on this network").but(
            Grade::Warning,
            "Check that the others are on the same network; guest networks keep their clients apart.",
        )
    };
    finding
        .with("connected", facts.connected)
        .with("heard", heard)
        .with("neighbours", neighbours)
}

fn remembered(facts: &Facts) -> Finding {
    const NAME: &str = "remembered";
    let all = facts.remembered.len();
    let unreached: Vec<(&String, Unreached)> = facts
        .remembered
        .iter()
        .filter_map(|(address, outcome)| Some((address, outcome.err()?)))
        .collect();
    let list = |say: fn(Unreached) -> &'static str| {
        let all = unreached.iter();
        let all = all.map(|(address, why)| format!("{address} ({})", say(*why)));
        all.collect::<Vec<_>>().join(", ")
    };
    let (codes, words) = (list(|why| why.told().0), list(|why| why.told().1));
    let finding = if all == 0 {
        Finding::well(NAME, "net_remembered_none", "no address is remembered yet")
    } else if unreached.is_empty() {
        Finding::well(
            NAME,
            "net_remembered_all",
            "all {all} remembered addresses answer",
        )
    } else {
        let finding = Finding::well(
            NAME,
            "net_remembered_some",
            "{reached} of {all} remembered addresses answer; not: {list}",
        );
        if unreached.len() == all && facts.connected == 0 {
            finding.but(
                Grade::Warning,
                "The machines may be off or have other addresses now. Type one: artel net dial ADDRESS",
            )
        } else {
            finding
        }
    };
    finding
        .with("all", all)
        .with("reached", all - unreached.len())
        .said("list", codes, words)
}

fn time(facts: &Facts) -> Finding {
    let ahead = |said: &&Said| said.at > facts.now.saturating_add(CLOCK_TOLERANCE_MS);
    if let Some(said) = facts.latest_said.as_ref().filter(ahead) {
        let minutes = said.at.saturating_sub(facts.now) / 60_000;
        return Finding::well(
            "clock",
            "net_clock_apart",
            "a message of {name} in {room} is {minutes} minutes ahead of this machine's clock",
        )
        .with("name", &said.name)
        .with("room", &said.room)
        .with("minutes", minutes)
        .but(
            Grade::Warning,
            "Compare the clocks and set the wrong one. Messages stay in order; the expiry of invites goes by it.",
        );
    }
    clock(facts.now, facts.latest_own)
}

impl Handle<api::NetDoctor> for Session {
    async fn handle(
        &self,
        _: api::NetDoctor,
    ) -> Result<<api::NetDoctor as Command>::Reply, AppError> {
        let network = self.rooms.situation().await;
        let (known, mdns, started, said) = self
            .core
            .read(|connection| {
                let started = settings::get(connection, STARTED)?;
                Ok((
                    addresses::best(connection, MOST_TRIED)?,
                    crate::settings::mdns(connection)?,
                    started.and_then(|at| at.parse().ok()).unwrap_or(0),
                    artel_store::rooms::latest_clock(connection)?,
                ))
            })
            .await?;
        let said = match said {
            Some(said) => {
                let (name, room) = self.rooms.whose(said.space, said.room, said.author).await?;
                let at = said.at;
                Some(Said { at, name, room })
            }
            None => None,
        };
        let created = self.core.opened().summary.created_at_ms;
        let facts = tokio::task::spawn_blocking(move || {
            let known = known.into_iter().map(|known| known.address).collect();
            let mut facts = probe::gather(&network, known, mdns);
            facts.now = installation::now_ms();
            facts.latest_own = created.max(started);
            facts.latest_said = said;
            facts
        })
        .await?;
        Ok(health_of(judge(&facts)))
    }
}

/// What the running network knows of itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Situation {
    /// Addresses that it listens on.
    pub listening: Vec<std::net::SocketAddr>,
    /// Peers that are connected.
    pub connected: usize,
    /// Whether one of them called.
    pub called: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            interfaces: vec![Interface {
                name: "eth0".into(),
                ip: [192, 168, 1, 5].into(),
            }],
            multicast: vec![("eth0".into(), Multicast::Heard(2))],
            mdns: true,
            listening: Some((USUAL_PORT, true)),
            usual: Usual::Ours,
            firewall: Firewall::Open,
            default_route: Some("eth0".into()),
            neighbours: Some(3),
            connected: 2,
            called: false,
            remembered: vec![("/ip4/192.168.1.6/tcp/47600".into(), Ok(()))],
            now: 1_800_000_000_000,
            latest_own: 1_799_999_000_000,
            latest_said: None,
        }
    }

    /// The one finding of these facts that is not well.
    fn check(change: impl FnOnce(&mut Facts), code: &str, grade: Grade) {
        let mut facts = facts();
        change(&mut facts);
        let findings = judge(&facts);
        let told: Vec<_> = findings.into_iter().map(Finding::told).collect();
        let found = told
            .iter()
            .find(|check| check.code == code)
            .unwrap_or_else(|| panic!("{code} is not in {told:?}"));
        assert_eq!(found.grade, grade.word(), "{code}");
        assert_eq!(found.hint.is_some(), grade != Grade::Well, "{code}");
        assert!(!found.message.contains('{'), "{}", found.message);
    }

    #[test]
    fn each_layer_says_what_is_wrong() {
        use Grade::{Critical, Warning, Well};
        assert!(judge(&facts()).iter().all(|finding| finding.grade == Well));
        check(|f| f.interfaces.clear(), "net_no_interface", Critical);
        check(
            |f| f.interfaces[0].ip = [8, 8, 8, 8].into(),
            "net_public_only",
            Warning,
        );
        check(|f| f.mdns = false, "net_mdns_off", Warning);
        check(
            |f| f.multicast[0].1 = Multicast::NoRoute,
            "net_multicast_no_route",
            Critical,
        );
        check(
            |f| f.multicast.push(("wlan0".into(), Multicast::Silent(0))),
            "net_multicast_silent",
            Warning,
        );
        check(
            |f| f.multicast[0].1 = Multicast::Refused("no".into()),
            "net_multicast_refused",
            Critical,
        );
        check(
            |f| f.listening = Some((47_600, false)),
            "net_port_deaf",
            Critical,
        );
        let nginx = || Usual::Taken(Some("nginx".into()));
        check(
            |f| (f.listening, f.usual) = (Some((9, true)), nginx()),
            "net_port_other",
            Warning,
        );
        check(
            |f| (f.listening, f.usual) = (None, nginx()),
            "net_port_taken",
            Warning,
        );
        check(
            |f| (f.listening, f.usual) = (None, Usual::Free),
            "net_port_free",
            Well,
        );
        check(
            |f| f.firewall = Firewall::Closed,
            "net_firewall_closed",
            Warning,
        );
        check(
            |f| (f.firewall, f.called) = (Firewall::Closed, true),
            "net_firewall_called",
            Well,
        );
        check(
            |f| (f.firewall, f.connected) = (Firewall::Unknown, 0),
            "net_firewall_suspect",
            Warning,
        );
        check(
            |f| f.default_route = Some("wg0".into()),
            "net_vpn_default",
            Warning,
        );
        check(|f| f.connected = 0, "net_isolated", Critical);
        check(
            |f| (f.connected, f.multicast[0].1) = (0, Multicast::Heard(0)),
            "net_unheard",
            Warning,
        );
        check(
            |f| (f.connected, f.multicast[0].1, f.neighbours) = (0, Multicast::Heard(0), Some(0)),
            "net_alone",
            Warning,
        );
        let dead = |f: &mut Facts| f.remembered[0].1 = Err(Unreached::Refused);
        check(dead, "net_remembered_some", Well);
        check(
            |f| {
                dead(f);
                f.connected = 0;
            },
            "net_remembered_some",
            Warning,
        );
        check(
            |f| f.latest_own = f.now + 2 * 86_400_000,
            "clock_behind",
            Warning,
        );
        let said = |at| Said {
            at,
            name: "Оля".into(),
            room: "General".into(),
        };
        check(
            |f| f.latest_said = Some(said(f.now + 3_600_000)),
            "net_clock_apart",
            Warning,
        );
        let mut near = facts();
        near.latest_said = Some(said(near.now + CLOCK_TOLERANCE_MS));
        assert!(judge(&near).iter().all(|finding| finding.grade == Well));
    }

    /// Words of a language stand in the message alone: what the window translates has codes.
    #[test]
    fn values_that_are_words_are_told_as_codes() {
        let mut facts = facts();
        facts.usual = Usual::Taken(None);
        facts.listening = None;
        facts.latest_said = Some(Said {
            at: facts.now + 3_600_000,
            name: "Оля".into(),
            room: "General".into(),
        });
        let dead = [Unreached::Refused, Unreached::NoAnswer, Unreached::NoRoute];
        facts.remembered = (6..)
            .zip(dead)
            .map(|(n, why)| (format!("10.0.0.{n}"), Err(why)))
            .collect();
        let told: Vec<_> = judge(&facts).into_iter().map(Finding::told).collect();
        let of = |code: &str| told.iter().find(|check| check.code == code).unwrap();
        let port = of("net_port_taken");
        assert_eq!(port.params["by"], "another");
        assert!(
            port.message.ends_with("by another program"),
            "{}",
            port.message
        );
        let list = &of("net_remembered_some").params["list"];
        assert_eq!(
            list,
            "10.0.0.6 (refused), 10.0.0.7 (no_answer), 10.0.0.8 (no_route)"
        );
        let words = "10.0.0.6 (nobody listens there), 10.0.0.7 (no answer), 10.0.0.8 (no route)";
        assert!(of("net_remembered_some").message.ends_with(words));
        let clock = &of("net_clock_apart").message;
        assert!(
            clock.starts_with("a message of Оля in General is 60 minutes"),
            "{clock}"
        );
    }
}
