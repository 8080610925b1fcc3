//! Products: import, enrichment job, export, handlers.

use crate::{
    api::{Command, Handle, catalog as api},
    error::{AppError, Code},
    session::Session,
};

impl Handle<api::CatalogImport> for Session {
    async fn handle(&self, _: api::CatalogImport) -> Result<<api::CatalogImport as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::CatalogEnrich> for Session {
    async fn handle(&self, _: api::CatalogEnrich) -> Result<<api::CatalogEnrich as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::CatalogStats> for Session {
    async fn handle(&self, _: api::CatalogStats) -> Result<<api::CatalogStats as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::CatalogProducts> for Session {
    async fn handle(&self, _: api::CatalogProducts) -> Result<<api::CatalogProducts as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::CatalogDocument> for Session {
    async fn handle(&self, _: api::CatalogDocument) -> Result<<api::CatalogDocument as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::CatalogExport> for Session {
    async fn handle(&self, _: api::CatalogExport) -> Result<<api::CatalogExport as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::CatalogValidate> for Session {
    async fn handle(&self, _: api::CatalogValidate) -> Result<<api::CatalogValidate as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

