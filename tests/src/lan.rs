//! A LAN in this machine: network namespaces on a bridge. Linux, and root.
//!
//! The bridge has a namespace of its own, so nothing changes outside, and deleting the namespaces
//! takes everything with it.
//!
//! A LAN can be a bad one: cables that lose packets or are slow, a switch that falls in two,
//! multicast that goes nowhere. What it cannot do is delay: many kernels lack `netem`.

use std::{
    ffi::OsStr,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context, Result, ensure};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// The table of each host that holds the rules of this module.
const TABLE: &str = "lan";

/// A switch with hosts on it. Everything is removed when it is dropped.
pub struct Lan {
    switch: String,
    hosts: Vec<Host>,
}

/// A host of a LAN: a network namespace with one interface.
#[derive(Clone, Debug)]
pub struct Host {
    namespace: String,
    /// The namespace of the switch, and the end of the cable there.
    switch: String,
    port: String,
    address: String,
}

impl Lan {
    /// Makes a LAN with so many hosts, `10.77.0.1` the first.
    pub fn new(hosts: u8) -> Result<Self> {
        let id = format!(
            "artel-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let mut lan = Self {
            switch: format!("{id}-switch"),
            hosts: Vec::new(),
        };
        ip(&["netns", "add", &lan.switch])?;
        for bridge in ["br0", "br1"] {
            ip(&[
                "-n",
                &lan.switch,
                "link",
                "add",
                bridge,
                "type",
                "bridge",
                "mcast_snooping",
                "0",
            ])?;
            ip(&["-n", &lan.switch, "link", "set", bridge, "up"])?;
        }
        for number in 1..=hosts {
            let host = Host {
                namespace: format!("{id}-h{number}"),
                switch: lan.switch.clone(),
                port: format!("port{number}"),
                address: format!("10.77.0.{number}"),
            };
            ip(&["netns", "add", &host.namespace])?;
            lan.hosts.push(host.clone());
            ip(&[
                "-n",
                &lan.switch,
                "link",
                "add",
                &host.port,
                "type",
                "veth",
                "peer",
                "name",
                "eth0",
                "netns",
                &host.namespace,
            ])?;
            host.switch_to("br0")?;
            ip(&["-n", &host.namespace, "link", "set", "lo", "up"])?;
            ip(&[
                "-n",
                &host.namespace,
                "addr",
                "add",
                &format!("{}/24", host.address),
                "dev",
                "eth0",
            ])?;
            host.plug()?;
        }
        Ok(lan)
    }

    /// Makes a LAN for a test, or says that this machine cannot.
    pub fn or_skip(test: &str, hosts: u8) -> Option<Self> {
        possible(test, Self::new(hosts))
    }

    /// The hosts.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// Falls in two: these hosts reach one another, the others reach one another, and nobody the
    /// other side. All links stay up, so connections hang rather than break.
    pub fn split(&self, apart: &[&Host]) -> Result<()> {
        apart.iter().try_for_each(|host| host.switch_to("br1"))
    }

    /// Is one again.
    pub fn mend(&self) -> Result<()> {
        self.hosts.iter().try_for_each(|host| host.switch_to("br0"))
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        for name in self
            .hosts
            .iter()
            .map(|host| &host.namespace)
            .chain([&self.switch])
        {
            let _ = ip(&["netns", "delete", name]);
        }
    }
}

impl Host {
    /// Its IPv4 address.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A program that will run on this host.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &self.namespace])
            .arg(program);
        command
    }

    /// Plugs the cable in. Multicast needs a route of its own, which goes with the link.
    pub fn plug(&self) -> Result<()> {
        ip(&["-n", &self.namespace, "link", "set", "eth0", "up"])?;
        ip(&[
            "-n",
            &self.namespace,
            "route",
            "replace",
            "224.0.0.0/4",
            "dev",
            "eth0",
        ])
    }

    /// Pulls the cable out.
    pub fn unplug(&self) -> Result<()> {
        ip(&["-n", &self.namespace, "link", "set", "eth0", "down"])
    }

    /// Loses so many of a hundred packets that arrive, at random.
    pub fn lose(&self, percent: u8) -> Result<()> {
        let rule = format!("iifname eth0 numgen random mod 100 < {percent}");
        self.drops("input", &rule)
    }

    /// Lets no mDNS in or out.
    pub fn block_multicast(&self) -> Result<()> {
        for group in ["ip daddr 224.0.0.251", "ip6 daddr ff02::fb"] {
            self.drops("input", group)?;
            self.drops("output", group)?;
        }
        Ok(())
    }

    /// Lets so many kilobits a second through, each way.
    pub fn limit(&self, kilobits: u32) -> Result<()> {
        let rate = format!("{kilobits}kbit");
        // What passes at once: a hundredth of a second, and a packet in any case.
        let burst = format!("{}kb", (kilobits / 1_600).max(16));
        self.queue(&["tbf", "rate", &rate, "burst", &burst, "latency", "500ms"])
    }

    /// Lets through what this machine can.
    pub fn unlimit(&self) -> Result<()> {
        self.queue(&["pfifo"])
    }

    /// Sets what waits at both ends of the cable.
    fn queue(&self, discipline: &[&str]) -> Result<()> {
        for (namespace, device) in [(&self.namespace, "eth0"), (&self.switch, &*self.port)] {
            let mut command = Command::new("tc");
            command.args(["-n", namespace, "qdisc", "replace", "dev", device, "root"]);
            command.args(discipline);
            said(command)?;
        }
        Ok(())
    }

    /// How many packets the rules of this host have dropped.
    pub fn dropped(&self) -> Result<u64> {
        let rules = self.nft(&format!("list table inet {TABLE}"))?;
        let mut words = rules.split_whitespace();
        let mut packets = 0;
        while words.any(|word| word == "packets") {
            let count = words.next().context("a count of packets")?;
            packets += count.parse::<u64>()?;
        }
        Ok(packets)
    }

    /// Does everything again that a good cable does.
    pub fn heal(&self) -> Result<()> {
        // Made first, so that there is one to delete.
        self.nft(&format!(
            "add table inet {TABLE}; delete table inet {TABLE}"
        ))?;
        self.unlimit()
    }

    /// Drops what a rule matches, and counts it.
    fn drops(&self, hook: &str, rule: &str) -> Result<()> {
        self.nft(&format!(
            "add table inet {TABLE}; \
             add chain inet {TABLE} {hook} {{ type filter hook {hook} priority 0; }}; \
             add rule inet {TABLE} {hook} {rule} counter drop"
        ))?;
        Ok(())
    }

    fn nft(&self, commands: &str) -> Result<String> {
        let mut command = self.command("nft");
        command.arg(commands);
        said(command).context("nft (Debian: nftables)")
    }

    fn switch_to(&self, bridge: &str) -> Result<()> {
        ip(&[
            "-n",
            &self.switch,
            "link",
            "set",
            &self.port,
            "master",
            bridge,
            "up",
        ])
    }
}

/// What this machine can do, or a word that `test` is skipped because it cannot.
pub fn possible<T>(test: &str, done: Result<T>) -> Option<T> {
    done.inspect_err(|reason| crate::skip(test, &format!("no such network here ({reason:#})")))
        .ok()
}

fn ip(args: &[&str]) -> Result<()> {
    let mut command = Command::new("ip");
    command.args(args);
    said(command).map(drop)
}

/// What a command says that must succeed.
fn said(mut command: Command) -> Result<String> {
    let what = format!("{command:?}").replace('"', "");
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{what} cannot be started (Debian: iproute2)"))?;
    ensure!(
        output.status.success(),
        "{what}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
