//! `artel net`.

use clap::Subcommand;

use crate::context::{Context, Exit};

#[derive(Subcommand)]
pub(crate) enum NetCommand {
    /// List
    List,
}

pub(crate) async fn run(_context: &Context, _command: NetCommand) -> anyhow::Result<Exit> {
    anyhow::bail!("being built")
}
