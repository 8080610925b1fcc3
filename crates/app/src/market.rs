//! Prices and indicators: handlers.

use crate::{
    api::{Command, Handle, market as api},
    error::{AppError, Code},
    session::Session,
};

impl Handle<api::MarketImport> for Session {
    async fn handle(&self, _: api::MarketImport) -> Result<<api::MarketImport as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::MarketList> for Session {
    async fn handle(&self, _: api::MarketList) -> Result<<api::MarketList as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::MarketFunctions> for Session {
    async fn handle(&self, _: api::MarketFunctions) -> Result<<api::MarketFunctions as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::MarketBars> for Session {
    async fn handle(&self, _: api::MarketBars) -> Result<<api::MarketBars as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::MarketOverlay> for Session {
    async fn handle(&self, _: api::MarketOverlay) -> Result<<api::MarketOverlay as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::MarketIndicators> for Session {
    async fn handle(&self, _: api::MarketIndicators) -> Result<<api::MarketIndicators as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}


/// State of this part of a session.
#[derive(Clone)]
pub(crate) struct State {}

impl State {
    /// Starts this part.
    pub(crate) async fn start(_core: &crate::session::Core) -> Result<Self, AppError> {
        Ok(Self {})
    }

    /// Stops it and waits.
    pub(crate) async fn stop(&self) {}
}
