//! Prices and indicators: files in, series kept, functions over them, files out.

mod chart;
mod import;
mod run;
mod series;
mod table;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use artel_compute::indicators::{CallError, ComputeError};
use artel_store::market::staging;
use tokio::sync::Semaphore;

use crate::{
    api::{Command, Handle, market as api},
    error::{AppError, Code},
    session::{Core, Session},
};

/// State of this part of a session.
#[derive(Clone)]
pub(crate) struct State {
    /// One import or run at a time: each is as large as it wants to be within its memory.
    turn: Arc<Semaphore>,
}

impl State {
    /// Starts this part.
    pub(crate) async fn start(core: &Core) -> Result<Self, AppError> {
        // What an import left that a crash ended is in nobody's way, but takes space.
        if core.read(staging::leftover).await?.is_some() {
            let core = core.clone();
            tokio::task::spawn_blocking(move || import::sweep(core.store())).await??;
        }
        let turn = Arc::new(Semaphore::new(1));
        Ok(Self { turn })
    }
}

impl From<CallError> for AppError {
    fn from(error: CallError) -> Self {
        Self::new(
            Code::BadArguments,
            error.to_string(),
            "Write a function as NAME or NAME:PARAMETER:…, such as RSI:14. See: artel market functions",
        )
    }
}

impl From<ComputeError> for AppError {
    fn from(error: ComputeError) -> Self {
        Self::of(
            Code::BadInput,
            &error,
            "Choose other functions, or import the series with what they need.",
        )
    }
}

impl Handle<api::MarketList> for Session {
    async fn handle(
        &self,
        _: api::MarketList,
    ) -> Result<<api::MarketList as Command>::Reply, AppError> {
        self.core
            .read(|connection| Ok(series::list(artel_store::market::list(connection)?)))
            .await
    }
}

impl Handle<api::MarketImport> for Session {
    async fn handle(
        &self,
        command: api::MarketImport,
    ) -> Result<<api::MarketImport as Command>::Reply, AppError> {
        let _turn = self
            .market
            .turn
            .acquire()
            .await
            .map_err(|reason| AppError::internal(&reason))?;
        let core = self.core.clone();
        tokio::task::spawn_blocking(move || import::import(&core, &command)).await?
    }
}

impl Handle<api::MarketIndicators> for Session {
    async fn handle(
        &self,
        command: api::MarketIndicators,
    ) -> Result<<api::MarketIndicators as Command>::Reply, AppError> {
        let _turn = self
            .market
            .turn
            .acquire()
            .await
            .map_err(|reason| AppError::internal(&reason))?;
        let core = self.core.clone();
        tokio::task::spawn_blocking(move || run::run(&core, &command)).await?
    }
}
