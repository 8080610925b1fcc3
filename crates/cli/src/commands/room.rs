//! `artel room`.

use clap::Subcommand;

use crate::context::{Context, Exit};

#[derive(Subcommand)]
pub(crate) enum RoomCommand {
    /// List
    List,
}

pub(crate) async fn run(_context: &Context, _command: RoomCommand) -> anyhow::Result<Exit> {
    anyhow::bail!("being built")
}
