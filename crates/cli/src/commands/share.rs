//! `artel share`.

use artel_app::api::rooms::Share;
use clap::Args;

use crate::context::{Context, Exit};

/// Arguments of `share`.
#[derive(Args)]
#[command(after_help = "Example: artel share job:12 --room General")]
pub(crate) struct ShareArgs {
    /// job:N for a picture batch, run:N for an indicator run
    result: String,
    /// Id or name of the room; SPACE/ROOM where the name is not unique
    #[arg(long, value_name = "ROOM")]
    room: String,
}

pub(crate) async fn run(context: &Context, args: ShareArgs) -> anyhow::Result<Exit> {
    let client = context.client().await?;
    let sent = client
        .call(Share {
            result: args.result,
            room: args.room,
        })
        .await;
    client.close().await;
    let sent = sent?;
    context
        .output
        .one(&sent, || format!("Shared. {}", sent.message))?;
    Ok(Exit::Done)
}
