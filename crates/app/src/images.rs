//! Picture batches: handlers and the job kind.

use crate::{
    api::{Command, Handle, images as api},
    error::{AppError, Code},
    session::Session,
};

impl Handle<api::ImagesRecipes> for Session {
    async fn handle(&self, _: api::ImagesRecipes) -> Result<<api::ImagesRecipes as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::ImagesRun> for Session {
    async fn handle(&self, _: api::ImagesRun) -> Result<<api::ImagesRun as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}


/// Bytes of `item/<id>` for the page.
pub(crate) async fn media(_session: &Session, id: &str) -> Result<crate::session::Media, AppError> {
    Err(AppError::new(Code::NotFound, format!("there is no item \"{id}\"")))
}
