//! The control socket: one process owns a profile, others talk to it.

use std::path::Path;

use tokio::sync::mpsc;

use crate::{
    api::{Command, Event},
    error::AppError,
};

/// A connection to the process that holds a profile.
pub struct Client {}

/// Connects to the process that holds `profile`, proving the passphrase; `None` when no process serves it.
pub async fn connect(_home: &Path, _profile: &str, _passphrase: &str) -> Result<Option<Client>, AppError> {
    Ok(None)
}

impl Client {
    /// Runs a command there.
    pub async fn call<C: Command>(&self, _command: C) -> Result<C::Reply, AppError> {
        Err(AppError::internal(&"being built"))
    }

    /// What happens there from now on. The stream ends with the connection.
    pub async fn events(&self) -> Result<mpsc::Receiver<Event>, AppError> {
        Err(AppError::internal(&"being built"))
    }
}
