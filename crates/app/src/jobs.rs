//! Jobs: handlers and the engine's storage.

use crate::{
    api::{Command, Handle, jobs as api},
    error::{AppError, Code},
    session::Session,
};

impl Handle<api::JobList> for Session {
    async fn handle(&self, _: api::JobList) -> Result<<api::JobList as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::JobShow> for Session {
    async fn handle(&self, _: api::JobShow) -> Result<<api::JobShow as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::JobItems> for Session {
    async fn handle(&self, _: api::JobItems) -> Result<<api::JobItems as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::JobPause> for Session {
    async fn handle(&self, _: api::JobPause) -> Result<<api::JobPause as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::JobResume> for Session {
    async fn handle(&self, _: api::JobResume) -> Result<<api::JobResume as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::JobCancel> for Session {
    async fn handle(&self, _: api::JobCancel) -> Result<<api::JobCancel as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::JobRetry> for Session {
    async fn handle(&self, _: api::JobRetry) -> Result<<api::JobRetry as Command>::Reply, AppError> {
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
