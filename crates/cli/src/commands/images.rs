//! `artel images`.

use clap::Subcommand;

use crate::context::{Context, Exit};

#[derive(Subcommand)]
pub(crate) enum ImagesCommand {
    /// List
    List,
}

pub(crate) async fn run(_context: &Context, _command: ImagesCommand) -> anyhow::Result<Exit> {
    anyhow::bail!("being built")
}
