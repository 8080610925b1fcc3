//! `artel share`.

use clap::Args;

use crate::context::{Context, Exit};

#[derive(Args)]
pub(crate) struct ShareArgs {}

pub(crate) async fn run(_context: &Context, _args: ShareArgs) -> anyhow::Result<Exit> {
    anyhow::bail!("being built")
}
