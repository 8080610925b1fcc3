//! `artel gpu`.

use clap::Subcommand;

use crate::context::{Context, Exit};

#[derive(Subcommand)]
pub(crate) enum GpuCommand {
    /// List
    List,
}

pub(crate) async fn run(_context: &Context, _command: GpuCommand) -> anyhow::Result<Exit> {
    anyhow::bail!("being built")
}
