//! Health, backup, restore: handlers.

use crate::{
    api::{Command, Handle, care as api},
    error::{AppError, Code},
    session::Session,
};

impl Handle<api::CareHealth> for Session {
    async fn handle(&self, _: api::CareHealth) -> Result<<api::CareHealth as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::CareBackup> for Session {
    async fn handle(&self, _: api::CareBackup) -> Result<<api::CareBackup as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::CareBackups> for Session {
    async fn handle(&self, _: api::CareBackups) -> Result<<api::CareBackups as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::CareVerify> for Session {
    async fn handle(&self, _: api::CareVerify) -> Result<<api::CareVerify as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::CareRestore> for crate::host::Host {
    async fn handle(&self, _: api::CareRestore) -> Result<<api::CareRestore as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}
