//! `artel jobs`.

use clap::Subcommand;

use crate::context::{Context, Exit};

#[derive(Subcommand)]
pub(crate) enum JobsCommand {
    /// List
    List,
}

pub(crate) async fn run(_context: &Context, _command: JobsCommand) -> anyhow::Result<Exit> {
    anyhow::bail!("being built")
}
