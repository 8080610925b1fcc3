//! `artel net`.

use artel_app::api::rooms::{NetDial, NetPeers, PeerInfo};
use clap::Subcommand;

use crate::{
    client::Client,
    context::{Context, Exit},
};

#[derive(Subcommand)]
pub(crate) enum NetCommand {
    /// List the peers of the running node
    #[command(after_help = "Example: artel net peers")]
    Peers,
    /// Connect the running node to an address
    #[command(after_help = "Example: artel net dial /ip4/10.77.0.1/tcp/47600")]
    Dial {
        /// A multiaddress, or IP:PORT
        address: String,
    },
}

pub(crate) async fn run(context: &Context, command: NetCommand) -> anyhow::Result<Exit> {
    let client = context.client().await?;
    let exit = act(context, &client, command).await;
    client.close().await;
    exit
}

async fn act(context: &Context, client: &Client, command: NetCommand) -> anyhow::Result<Exit> {
    match command {
        NetCommand::Peers => {
            let known = client.call(NetPeers {}).await?;
            match &known.node {
                Some(node) => context.output.hint(&format!(
                    "This node: {}\n{}",
                    node.peer,
                    node.addresses.join("\n")
                )),
                None => context
                    .output
                    .hint("The network is not running. Start it: artel node"),
            }
            show(context, &known.peers)?;
        }
        NetCommand::Dial { address } => {
            let peer = client.call(NetDial { address }).await?;
            context.output.one(&peer, || {
                format!("Connected to {} at {}", peer.peer, peer.address)
            })?;
        }
    }
    Ok(Exit::Done)
}

fn show(context: &Context, peers: &[PeerInfo]) -> anyhow::Result<()> {
    context.output.many(
        peers,
        &["name", "connected", "found by", "ms", "spaces", "address"],
        |peer| {
            vec![
                peer.name.clone().unwrap_or_default(),
                if peer.connected { "yes" } else { "" }.to_owned(),
                peer.found_by.clone(),
                peer.rtt_ms.map(|ms| format!("{ms:.1}")).unwrap_or_default(),
                peer.spaces.join(", "),
                peer.address.clone(),
            ]
        },
        "There are no peers.",
    )
}
