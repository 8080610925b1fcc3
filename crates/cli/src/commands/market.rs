//! `artel market`.

use clap::Subcommand;

use crate::context::{Context, Exit};

#[derive(Subcommand)]
pub(crate) enum MarketCommand {
    /// List
    List,
}

pub(crate) async fn run(_context: &Context, _command: MarketCommand) -> anyhow::Result<Exit> {
    anyhow::bail!("being built")
}
