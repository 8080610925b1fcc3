//! `artel catalog`.

use clap::Subcommand;

use crate::context::{Context, Exit};

#[derive(Subcommand)]
pub(crate) enum CatalogCommand {
    /// List
    List,
}

pub(crate) async fn run(_context: &Context, _command: CatalogCommand) -> anyhow::Result<Exit> {
    anyhow::bail!("being built")
}
