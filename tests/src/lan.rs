//! A LAN in this machine: network namespaces on a bridge. Linux, and root.
//!
//! The bridge has a namespace of its own, so nothing changes outside, and deleting the namespaces
//! takes everything with it.

use std::{
    ffi::OsStr,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context, Result, ensure};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A switch with hosts on it. Everything is removed when it is dropped.
pub struct Lan {
    switch: String,
    hosts: Vec<Host>,
}

/// A host of a LAN: a network namespace with one interface.
#[derive(Clone, Debug)]
pub struct Host {
    namespace: String,
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
        ip(&[
            "-n",
            &lan.switch,
            "link",
            "add",
            "br0",
            "type",
            "bridge",
            "mcast_snooping",
            "0",
        ])?;
        ip(&["-n", &lan.switch, "link", "set", "br0", "up"])?;
        for number in 1..=hosts {
            let host = Host {
                namespace: format!("{id}-h{number}"),
                address: format!("10.77.0.{number}"),
            };
            ip(&["netns", "add", &host.namespace])?;
            lan.hosts.push(host.clone());
            let port = format!("port{number}");
            ip(&[
                "-n",
                &lan.switch,
                "link",
                "add",
                &port,
                "type",
                "veth",
                "peer",
                "name",
                "eth0",
                "netns",
                &host.namespace,
            ])?;
            ip(&[
                "-n",
                &lan.switch,
                "link",
                "set",
                &port,
                "master",
                "br0",
                "up",
            ])?;
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

    /// The hosts.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
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
}

fn ip(args: &[&str]) -> Result<()> {
    let output = Command::new("ip")
        .args(args)
        .stdin(Stdio::null())
        .output()
        .context("ip cannot be started (Debian: iproute2)")?;
    ensure!(
        output.status.success(),
        "ip {}: {}",
        args.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
