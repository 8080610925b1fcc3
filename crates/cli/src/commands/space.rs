//! `artel space`.

use clap::Subcommand;

use crate::context::{Context, Exit};

#[derive(Subcommand)]
pub(crate) enum SpaceCommand {
    /// List
    List,
}

pub(crate) async fn run(_context: &Context, _command: SpaceCommand) -> anyhow::Result<Exit> {
    anyhow::bail!("being built")
}
