//! `artel settings`.

use clap::Subcommand;

use crate::context::{Context, Exit};

#[derive(Subcommand)]
pub(crate) enum SettingsCommand {
    /// List
    List,
}

pub(crate) async fn run(_context: &Context, _command: SettingsCommand) -> anyhow::Result<Exit> {
    anyhow::bail!("being built")
}
