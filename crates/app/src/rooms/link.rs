//! Links of invites: the code with hints where a member can be reached, as a QR code or a line to paste.
//!
//! `artel:MFRGG-…?at=192.168.1.20:47600&at=[fd00::1]:47600`. The hints are no secret and prove nothing: they only say
//! where to knock, for networks that let no machine find another by itself.

use std::net::{IpAddr, SocketAddr};

use artel_domain::{DoorCode, InviteCode};
use artel_sync::net::Target;

use crate::error::{AppError, Code};

const SCHEME: &str = "artel:";
/// Hints of a link; a QR code should stay small.
const MOST_HINTS: usize = 4;

/// What someone typed, pasted or scanned to join a space.
#[derive(Debug)]
pub(super) enum Ticket {
    Invite(Link),
    /// The short code of an open door.
    Door(DoorCode),
}

/// An invite as someone typed, pasted or scanned it.
#[derive(Debug)]
pub(super) struct Link {
    pub code: InviteCode,
    pub targets: Vec<Target>,
}

/// The link of a code, with those of this node's addresses that others could reach.
pub(super) fn write(code: &InviteCode, addresses: &[String]) -> String {
    let sockets = addresses
        .iter()
        .filter_map(|address| Target::parse(address).ok())
        .map(|target| target.socket)
        .filter(|socket| !socket.ip().is_loopback() && !socket.ip().is_unspecified())
        .filter(|socket| !link_local(socket.ip()));
    let mut hints: Vec<SocketAddr> = Vec::new();
    for socket in sockets {
        if !hints.contains(&socket) && hints.len() < MOST_HINTS {
            hints.push(socket);
        }
    }
    let mut link = format!("{SCHEME}{code}");
    for (position, hint) in hints.iter().enumerate() {
        link.push_str(if position == 0 { "?at=" } else { "&at=" });
        link.push_str(&hint.to_string());
    }
    link
}

/// An address of one cable only: it means nothing without the interface's name.
fn link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(_) => false,
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// Reads an invite's code, a link with one, or the code of a door, which is much shorter. Hints that cannot be read are
/// left out: the code is what counts.
pub(super) fn read(text: &str) -> Result<Ticket, AppError> {
    let text = text.trim();
    let rest = match text.split_at_checked(SCHEME.len()) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(SCHEME) => rest,
        _ => text,
    };
    let (code, query) = rest.split_once('?').unwrap_or((rest, ""));
    if !code.trim().is_empty() && DoorCode::is_as_long(code) {
        let code = code.parse().map_err(|reason| {
            AppError::new(
                Code::InviteWrong,
                format!("this is not a class code: {reason}"),
                "A class code is two groups of four, an invite eight groups of five letters and digits.",
            )
        })?;
        return Ok(Ticket::Door(code));
    }
    let code = code.parse().map_err(|reason| {
        AppError::new(
            Code::InviteWrong,
            format!("this is not an invite: {reason}"),
            "An invite is eight groups of five letters and digits. Copy it whole.",
        )
    })?;
    let targets = query
        .split('&')
        .filter_map(|part| part.strip_prefix("at="))
        .take(MOST_HINTS)
        .filter_map(|hint| Target::parse(hint).ok())
        // Whoever made the link could send this machine anywhere.
        .filter(Target::is_local)
        .collect();
    Ok(Ticket::Invite(Link { code, targets }))
}

#[cfg(test)]
mod tests {
    use artel_domain::SpaceId;

    use super::*;

    fn read_link(text: &str) -> Link {
        match read(text).unwrap() {
            Ticket::Invite(link) => link,
            Ticket::Door(code) => panic!("{code}"),
        }
    }

    fn code() -> InviteCode {
        InviteCode::new([7; 15], &SpaceId::from_bytes([9; 32]))
    }

    #[test]
    fn a_link_leads_where_its_code_does() {
        let addresses = [
            "/ip4/127.0.0.1/tcp/47600",
            "/ip4/192.168.1.20/tcp/47600",
            "/ip4/192.168.1.20/tcp/47600",
            "/ip6/fe80::1/tcp/47600",
            "/ip6/fd00::1/tcp/47600",
        ]
        .map(str::to_owned);
        let link = write(&code(), &addresses);
        assert_eq!(
            link,
            format!("artel:{}?at=192.168.1.20:47600&at=[fd00::1]:47600", code())
        );
        for text in [
            link.clone(),
            format!("  {}\n", link.replace("artel:", "ARTEL:")),
        ] {
            let read = read_link(&text);
            assert_eq!(read.code.to_string(), code().to_string());
            let sockets: Vec<_> = read.targets.iter().map(|t| t.socket.to_string()).collect();
            assert_eq!(sockets, ["192.168.1.20:47600", "[fd00::1]:47600"]);
        }
    }

    #[test]
    fn a_code_alone_is_enough_and_bad_hints_do_no_harm() {
        assert_eq!(write(&code(), &[]), format!("artel:{}", code()));
        for text in [
            code().to_string(),
            format!(
                "artel:{}?at=example.org:80&at=8.8.8.8:53&at=10.0.0.1:99999&x=y&&at=",
                code()
            ),
        ] {
            let link = read_link(&text);
            assert_eq!(link.code.to_string(), code().to_string());
            assert!(link.targets.is_empty(), "{text}");
        }
        for text in ["K1QM-2XND", "kiqm 2xnd", "artel:K1QM2XND"] {
            assert!(matches!(read(text).unwrap(), Ticket::Door(_)), "{text}");
        }
        for text in [
            "K1QM-2XN",
            "K1QM-2XNDE",
            "K1QM-2XN!",
            "",
            "artel:",
            "artel:?at=1.2.3.4:5",
            "нет",
            "a",
            "🙂🙂🙂",
        ] {
            assert_eq!(read(text).unwrap_err().code, Code::InviteWrong, "{text}");
        }
    }
}
