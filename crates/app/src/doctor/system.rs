//! What Linux tells in `/proc`, and its packet filter where it may be read.

use std::{fs, path::Path, process::Command};

use artel_sync::net::USUAL_PORT;

use super::Firewall;

/// The program that listens on a TCP port, if it belongs to this user.
pub(super) fn program_on(port: u16) -> Option<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let inode = tables
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .find_map(|table| listener(&table, port))?;
    let wanted = format!("socket:[{inode}]");
    let processes = fs::read_dir("/proc").ok()?.flatten();
    processes
        .map(|process| process.path())
        .filter(|process| has_file(process, &wanted))
        .find_map(|process| fs::read_to_string(process.join("comm")).ok())
        .map(|name| name.trim().to_owned())
}

fn has_file(process: &Path, wanted: &str) -> bool {
    let Ok(files) = fs::read_dir(process.join("fd")) else {
        return false;
    };
    let mut targets = files
        .flatten()
        .filter_map(|file| fs::read_link(file.path()).ok());
    targets.any(|target| target.as_os_str() == wanted)
}

/// The inode of the socket that listens on a port.
fn listener(table: &str, port: u16) -> Option<String> {
    table.lines().skip(1).find_map(|line| {
        let mut columns = line.split_whitespace().skip(1);
        let (_, local) = columns.next()?.rsplit_once(':')?;
        let state = columns.nth(1)?;
        let inode = columns.nth(5)?;
        let here = u16::from_str_radix(local, 16).ok()? == port && state == "0A";
        here.then(|| inode.to_owned())
    })
}

/// Interface of the default route.
pub(super) fn default_route() -> Option<String> {
    best_default(&fs::read_to_string("/proc/net/route").ok()?)
}

/// The default route of least metric. A tunnel that takes everything may do so by two halves.
fn best_default(table: &str) -> Option<String> {
    let routes = table.lines().skip(1).filter_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [name, destination, _, _, _, _, metric, mask, ..] = columns.as_slice() else {
            return None;
        };
        let halves = matches!(*destination, "00000000" | "00000080") && *mask == "00000080";
        let whole = *destination == "00000000" && *mask == "00000000";
        let metric: u32 = metric.parse().ok()?;
        (halves || whole).then(|| ((!halves, metric), (*name).to_owned()))
    });
    routes.min().map(|(_, name)| name)
}

/// Machines that this one has exchanged packets with lately.
pub(super) fn neighbours() -> Option<usize> {
    Some(complete(&fs::read_to_string("/proc/net/arp").ok()?))
}

fn complete(table: &str) -> usize {
    table
        .lines()
        .skip(1)
        .filter(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            matches!(columns.as_slice(), [_, _, "0x2", mac, ..] if *mac != "00:00:00:00:00:00")
        })
        .count()
}

/// What the packet filter does, where this user may read it.
pub(super) fn firewall() -> Firewall {
    let read = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        output.status.success().then_some(text)
    };
    if let Some(rules) = read("nft", &["list", "ruleset"]) {
        return nft(&rules);
    }
    read("iptables", &["-S", "INPUT"]).map_or(Firewall::Unknown, |rules| iptables(&rules))
}

/// What `nft list ruleset` says of packets that come in.
fn nft(rules: &str) -> Firewall {
    let mut closed = false;
    let mut inside = false;
    for line in rules.lines().map(str::trim) {
        if line.contains("hook input") {
            inside = true;
            closed |= line.contains("policy drop");
        } else if inside && line == "}" {
            inside = false;
        } else if inside {
            closed |= matches!(line, "drop" | "reject" | "counter drop")
                || line.starts_with("counter packets") && line.ends_with(" drop");
        }
    }
    verdict(closed, rules)
}

/// What `iptables -S INPUT` says.
fn iptables(rules: &str) -> Firewall {
    let closed = rules.lines().any(|line| {
        matches!(
            line.trim(),
            "-P INPUT DROP" | "-A INPUT -j DROP" | "-A INPUT -j REJECT"
        ) || line.starts_with("-A INPUT -j REJECT")
    });
    verdict(closed, rules)
}

fn verdict(closed: bool, rules: &str) -> Firewall {
    let port = USUAL_PORT.to_string();
    let allows = |line: &str| {
        line.contains(&port) && (line.contains("accept") || line.contains("-j ACCEPT"))
    };
    match (closed, rules.lines().any(allows)) {
        (false, _) => Firewall::Open,
        (true, true) => Firewall::Allowed,
        (true, false) => Firewall::Closed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_the_kernel_are_read() {
        let tcp = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
                   0: 00000000:B9F0 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4242 1\n   \
                   1: 0100007F:1F90 0100007F:B9F0 01 00000000:00000000 00:00000000 00000000  1000        0 7 1\n";
        assert_eq!(listener(tcp, 47_600).as_deref(), Some("4242"));
        assert_eq!(listener(tcp, 8_080), None, "that one does not listen");
        let route = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU\n\
                     eth0 00000000 0101A8C0 0003 0 0 100 00000000 0\n\
                     wlan0 00000000 0101A8C0 0003 0 0 600 00000000 0\n\
                     eth0 0001A8C0 00000000 0001 0 0 100 00FFFFFF 0\n";
        assert_eq!(best_default(route).as_deref(), Some("eth0"));
        let halves = format!("{route}tun0 00000080 00000000 0001 0 0 0 00000080 0\n");
        assert_eq!(best_default(&halves).as_deref(), Some("tun0"));
        let arp = "IP address HW type Flags HW address Mask Device\n\
                   192.168.1.1 0x1 0x2 aa:bb:cc:dd:ee:ff * eth0\n\
                   192.168.1.9 0x1 0x0 00:00:00:00:00:00 * eth0\n";
        assert_eq!(complete(arp), 1);
    }

    #[test]
    fn rules_are_read() {
        let check = |rules: &str, expected: Firewall| assert_eq!(nft(rules), expected, "{rules}");
        check("", Firewall::Open);
        check(
            "table inet f {\n chain in {\n type filter hook input priority 0; policy accept;\n }\n}",
            Firewall::Open,
        );
        let closed = "table inet f {\n chain in {\n type filter hook input priority 0; policy drop;\n RULE\n }\n}";
        check(closed, Firewall::Closed);
        check(
            &closed.replace("RULE", "tcp dport 47600 accept"),
            Firewall::Allowed,
        );
        check(
            &closed.replace("RULE", "tcp dport 22 accept"),
            Firewall::Closed,
        );
        assert_eq!(iptables("-P INPUT ACCEPT\n"), Firewall::Open);
        assert_eq!(iptables("-P INPUT DROP\n"), Firewall::Closed);
        assert_eq!(
            iptables("-P INPUT DROP\n-A INPUT -p tcp --dport 47600 -j ACCEPT\n"),
            Firewall::Allowed
        );
    }
}
