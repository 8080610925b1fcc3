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
    let (tables, chains) = (read("nft", &["list", "ruleset"]), || {
        read("iptables", &["-S"])
    });
    both(tables.as_deref(), chains)
}

/// What `nft list ruleset` says, or where that has nothing about what comes in, `iptables -S`: the older filter is not
/// seen by nft, and neither may be read by everyone.
fn both(tables: Option<&str>, chains: impl FnOnce() -> Option<String>) -> Firewall {
    if let Some(found) = tables.and_then(nft) {
        return found;
    }
    match chains() {
        Some(rules) => iptables(&rules),
        None => tables.map_or(Firewall::Unknown, |_| Firewall::Open),
    }
}

/// What `nft list ruleset` says of packets that come in; nothing where no chain gets them.
fn nft(rules: &str) -> Option<Firewall> {
    let mut closed = false;
    let mut inside = false;
    let mut hooked = false;
    for line in rules.lines().map(str::trim) {
        if line.contains("hook input") {
            inside = true;
            hooked = true;
            closed |= line.contains("policy drop");
        } else if inside && line == "}" {
            inside = false;
        } else if inside {
            closed |= ends_all(line);
        }
    }
    hooked.then(|| verdict(closed, rules))
}

/// Whether a rule of nft keeps out whatever comes as far as it: it has no condition.
fn ends_all(rule: &str) -> bool {
    let mut words = rule.split_whitespace().peekable();
    if words.next_if_eq(&"counter").is_some() {
        while words
            .next_if(|word| matches!(*word, "packets" | "bytes") || word.parse::<u64>().is_ok())
            .is_some()
        {}
    }
    matches!(words.next(), Some("drop" | "reject"))
}

/// What `iptables -S` says: others are kept out by the chain of what comes in, and let in by a rule of any.
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
        let check = |rules: &str, expected: Firewall| {
            assert_eq!(nft(rules), Some(expected), "{rules}");
        };
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
        // firewalld ends so.
        for end in [
            "reject with icmpx admin-prohibited",
            "counter packets 12 bytes 720 reject with icmp type port-unreachable",
            "counter drop",
        ] {
            let rules = "table inet firewalld {\n chain filter_INPUT {\n type filter hook input priority filter + 10; policy accept;\n ct state { established, related } accept\n END\n }\n}";
            check(&rules.replace("END", end), Firewall::Closed);
        }
        let some = closed.replace("policy drop", "policy accept");
        check(
            &some.replace("RULE", "ct state invalid drop"),
            Firewall::Open,
        );
        assert_eq!(nft(""), None);
        assert_eq!(
            nft("table ip nat {\n chain out {\n type nat hook output priority 0;\n }\n}"),
            None
        );

        // ufw, as iptables tells it: the rule is in a chain of its own.
        let ufw = "-P INPUT DROP\n-P FORWARD DROP\n-N ufw-user-input\n-A INPUT -j ufw-before-input\n\
                   -A ufw-before-input -j ufw-user-input\n-A ufw-user-input -p tcp -m tcp --dport 47600 -j ACCEPT\n";
        assert_eq!(iptables(ufw), Firewall::Allowed);
        assert_eq!(iptables(&ufw.replace("47600", "22")), Firewall::Closed);
        let chains = |rules: Option<&'static str>| move || rules.map(str::to_owned);
        let dropping = Some("-P INPUT DROP\n");
        assert_eq!(both(Some(""), chains(dropping)), Firewall::Closed);
        assert_eq!(both(Some(""), chains(None)), Firewall::Open);
        assert_eq!(both(None, chains(dropping)), Firewall::Closed);
        assert_eq!(both(None, chains(None)), Firewall::Unknown);
        assert_eq!(
            both(Some(closed), chains(Some("-P INPUT ACCEPT\n"))),
            Firewall::Closed
        );
        assert_eq!(iptables("-P INPUT ACCEPT\n"), Firewall::Open);
        assert_eq!(iptables("-P INPUT DROP\n"), Firewall::Closed);
        assert_eq!(
            iptables("-P INPUT DROP\n-A INPUT -p tcp --dport 47600 -j ACCEPT\n"),
            Firewall::Allowed
        );
    }
}
