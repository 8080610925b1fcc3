//! `artel node`.

use artel_app::{
    api::{Event, rooms::NodeStart},
    error::{AppError, Code},
};
use clap::Args;
use serde_json::json;

use crate::{
    client::Client,
    context::{Context, Exit},
    stop,
};

/// Arguments of `node`.
#[derive(Args)]
#[command(after_help = "Example: artel node --port 47600\n\n\
    Other commands of the same profile go through it while it runs. Ctrl-C stops it.")]
pub(crate) struct NodeArgs {
    /// TCP port; 47600 unless given, or another if that is taken
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// Neither announce nor look for peers by mDNS
    #[arg(long)]
    no_mdns: bool,
    /// Address to listen on; all interfaces unless given; may be repeated
    #[arg(long, value_name = "MULTIADDR")]
    listen: Vec<String>,
}

pub(crate) async fn run(context: &Context, args: NodeArgs) -> anyhow::Result<Exit> {
    let client = context.client().await?;
    if matches!(client, Client::Remote(_)) {
        return Err(AppError::new(
            Code::InUse,
            "another process has this profile open already",
            "If that is a node, see its peers: artel net peers. Anything else: wait until it ends.",
        )
        .into());
    }
    let exit = serve(context, &client, args).await;
    client.close().await;
    exit
}

async fn serve(context: &Context, client: &Client, args: NodeArgs) -> anyhow::Result<Exit> {
    let mut events = client.events().await?;
    let node = client
        .call(NodeStart {
            port: args.port,
            no_mdns: args.no_mdns,
            listen: args.listen,
        })
        .await?;
    let ready = json!({ "ready": true, "peer": node.peer, "addresses": node.addresses });
    context.output.one(&ready, || {
        format!("Ready as {}\n{}", node.peer, node.addresses.join("\n"))
    })?;
    let mut stopped = std::pin::pin!(stop::requested());
    loop {
        tokio::select! {
            event = events.recv() => match event {
                None | Some(Event::Locked) => return Ok(Exit::Done),
                Some(Event::Notice(notice)) => context.output.hint(&notice.message),
                Some(_) => {}
            },
            () = &mut stopped => return Ok(Exit::Done),
        }
    }
}
