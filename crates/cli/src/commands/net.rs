//! `artel net`.

use artel_app::api::rooms::{NetDial, NetDoctor, NetExport, NetImport, NetPeers, PeerInfo};
use clap::Subcommand;
use std::path::{Path, PathBuf};

use crate::{
    client::Client,
    context::{Context, Exit, absolute},
};

#[derive(Subcommand)]
pub(crate) enum NetCommand {
    /// List the peers of the running node
    #[command(after_help = "Example: artel net peers")]
    Peers,
    /// Check each layer of the network and say what to do; status 0 well, 3 warnings, 1 critical
    #[command(after_help = "Example: artel net doctor")]
    Doctor,
    /// Write a space into a sealed file, to carry where no network leads
    #[command(
        after_help = "Example: artel net export /media/stick/class.artelbundle --space \"Class 7B\" --since 2026-11-01"
    )]
    Export {
        /// The file
        file: PathBuf,
        /// Name or id of the space; the only one unless given
        #[arg(long)]
        space: Option<String>,
        /// Only what was written from this day on
        #[arg(long, value_name = "DAY")]
        since: Option<String>,
    },
    /// Take what a sealed file holds; status 3 if some of it could not be taken
    #[command(after_help = "Example: artel net import /media/stick/class.artelbundle")]
    Import {
        /// The file
        file: PathBuf,
    },
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
        NetCommand::Doctor => return doctor(context, client).await,
        NetCommand::Export { file, space, since } => {
            return export(context, client, &file, space, since).await;
        }
        NetCommand::Import { file } => return import(context, client, &file).await,
        NetCommand::Dial { address } => {
            let peer = client.call(NetDial { address }).await?;
            context.output.one(&peer, || {
                format!("Connected to {} at {}", peer.peer, peer.address)
            })?;
        }
    }
    Ok(Exit::Done)
}

async fn doctor(context: &Context, client: &Client) -> anyhow::Result<Exit> {
    let health = client.call(NetDoctor {}).await?;
    context.output.many(
        &health.checks,
        &["state", "layer", "finding and advice"],
        |check| {
            let state = match check.grade.as_str() {
                "well" => "ok",
                "warning" => "warn",
                _ => "fail",
            };
            let advice = check.hint.iter().map(|hint| format!(". {hint}"));
            vec![
                state.to_owned(),
                check.name.clone(),
                check.message.clone() + &advice.collect::<String>(),
            ]
        },
        "There is nothing to check.",
    )?;
    Ok(match health.verdict.as_str() {
        "well" => Exit::Done,
        "warnings" => Exit::InPart,
        _ => Exit::Critical,
    })
}

async fn export(
    context: &Context,
    client: &Client,
    file: &Path,
    space: Option<String>,
    since: Option<String>,
) -> anyhow::Result<Exit> {
    let file = absolute(file)?;
    let made = client.call(NetExport { space, file, since }).await?;
    context.output.one(&made, || {
        format!(
            "{} records of {} in {}",
            made.records, made.space, made.file
        )
    })?;
    if !made.left_out.is_empty() {
        let rooms = made.left_out.join(", ");
        let told = format!("Not in it, since not everyone reads them: {rooms}");
        context.output.hint(&told);
    }
    context.output.hint(
        "It holds no direct messages, reports, files and reactions, and not how far people have read. \
         On the other machine: artel net import FILE",
    );
    Ok(Exit::Done)
}

async fn import(context: &Context, client: &Client, file: &Path) -> anyhow::Result<Exit> {
    let file = absolute(file)?;
    let taken = client.call(NetImport { file }).await?;
    context.output.one(&taken, || {
        format!("{} new records of {}", taken.records, taken.space)
    })?;
    if let Some(problem) = &taken.problem {
        let told = format!(
            "The rest was not taken: {problem}. Copy the file again, then import it once more."
        );
        context.output.hint(&told);
    }
    if taken.waiting > 0 {
        context
            .output
            .hint("Some of it builds on what is not here. Have it made again from an earlier day.");
    }
    Ok(if taken.problem.is_some() || taken.waiting > 0 {
        Exit::InPart
    } else {
        Exit::Done
    })
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
