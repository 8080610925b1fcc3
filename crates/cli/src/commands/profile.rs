//! `artel profile`.

use clap::Subcommand;

use crate::context::{Context, Exit};

#[derive(Subcommand)]
pub(crate) enum ProfileCommand {
    /// List
    List,
}

pub(crate) async fn run(_context: &Context, _command: ProfileCommand) -> anyhow::Result<Exit> {
    anyhow::bail!("being built")
}
