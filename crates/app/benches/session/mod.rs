//! A profile of its own for a benchmark, and asking it.

use std::path::Path;

use anyhow::Context;
use artel_app::{
    api::{Command, Handle, profile::ProfileNew},
    host::Host,
    session::Session,
};

const PASSPHRASE: &str = "only for this benchmark";

/// Makes a profile in a fresh home and opens it.
pub(crate) async fn fresh(home: &Path, name: &str) -> anyhow::Result<Session> {
    let host = Host::new(home);
    let new = ProfileNew {
        name: name.to_owned(),
        passphrase: PASSPHRASE.to_owned(),
    };
    ask(&host, new).await?;
    Ok(host.open(name, PASSPHRASE).await?)
}

/// Runs a command on a host or a session.
pub(crate) async fn ask<C: Command, T: Handle<C>>(
    target: &T,
    command: C,
) -> anyhow::Result<C::Reply> {
    target
        .handle(command)
        .await
        .with_context(|| format!("{} failed", C::NAME))
}

/// Runs a future to its end, on as many threads as there are cores.
pub(crate) fn wait<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Runtime::new()?.block_on(work)
}
