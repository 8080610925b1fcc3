//! Profiles: handlers.

use crate::{
    api::{Command, Handle, profile as api},
    error::{AppError, Code},
    session::Session,
};

impl Handle<api::ProfileShow> for Session {
    async fn handle(&self, _: api::ProfileShow) -> Result<<api::ProfileShow as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::ProfilePasswd> for Session {
    async fn handle(&self, _: api::ProfilePasswd) -> Result<<api::ProfilePasswd as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::ProfileList> for crate::host::Host {
    async fn handle(&self, _: api::ProfileList) -> Result<<api::ProfileList as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}
impl Handle<api::ProfileNew> for crate::host::Host {
    async fn handle(&self, _: api::ProfileNew) -> Result<<api::ProfileNew as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}
impl Handle<api::ProfileDelete> for crate::host::Host {
    async fn handle(&self, _: api::ProfileDelete) -> Result<<api::ProfileDelete as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}
