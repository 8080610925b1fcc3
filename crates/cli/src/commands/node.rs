//! `artel node`.

use clap::Args;

use crate::context::{Context, Exit};

#[derive(Args)]
pub(crate) struct NodeArgs {}

pub(crate) async fn run(_context: &Context, _args: NodeArgs) -> anyhow::Result<Exit> {
    anyhow::bail!("being built")
}
