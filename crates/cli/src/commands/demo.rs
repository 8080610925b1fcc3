//! `artel demo`.

use crate::context::{Context, Exit};

pub(crate) async fn run(_context: &Context) -> anyhow::Result<Exit> {
    anyhow::bail!("being built")
}
