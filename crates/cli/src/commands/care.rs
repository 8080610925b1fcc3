//! `artel care`.

use clap::Subcommand;

use crate::context::{Context, Exit};

#[derive(Subcommand)]
pub(crate) enum CareCommand {
    /// List
    List,
}

pub(crate) async fn run(_context: &Context, _command: CareCommand) -> anyhow::Result<Exit> {
    anyhow::bail!("being built")
}
