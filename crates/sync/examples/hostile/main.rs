//! A peer that lies: it speaks the protocol over the real transport and misbehaves as it is told.
//!
//! `hostile ADDRESS ATTACK [INVITE]`, the address as `artel node` prints it. It says what it did and what came of
//! it, a JSON string a line, and ends with `"done"`. The journeys run it against honest nodes; no product contains it.
//!
//! It has no more than anybody could have who reads `docs/protocol.md`: the transport of libp2p, the public values of
//! `artel-domain`, and an ordinary node, whose frames it bends on their way out.

#![allow(
    clippy::print_stdout,
    reason = "what it says is read by the journey that runs it"
)]

/// Says a line.
macro_rules! say {
    ($($words:tt)*) => { println!("{:?}", format!($($words)*)) };
}

mod link;
mod mdns;
mod member;
mod stranger;

use std::error::Error;

use libp2p::Multiaddr;

/// Why an attack could not be made. An attack that is fended off is no fault.
type Fault = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Fault> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match *words {
        ["mdns", interface] => mdns::flood(interface.parse()?).await?,
        [address, "noise"] => stranger::noise(&address.parse::<Multiaddr>()?).await?,
        [address, "crowd"] => stranger::crowd(&address.parse()?).await?,
        [address, "probe", space] => stranger::probe(&address.parse()?, space).await?,
        [address, "forge", invite] => member::forge(&address.parse()?, invite).await?,
        [address, "files", invite] => member::files(&address.parse()?, invite).await?,
        [address, "stay", invite] => member::stay(&address.parse()?, invite).await?,
        _ => {
            return Err(
                "hostile ADDRESS noise|crowd|probe|forge|files|stay …, or hostile mdns IP".into(),
            );
        }
    }
    say!("done");
    Ok(())
}
