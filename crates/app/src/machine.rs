//! This machine: version, GPU, settings.

use crate::{
    api::{Command, Handle, machine as api},
    error::{AppError, Code},
    session::Session,
};

impl Handle<api::GpuInfo> for Session {
    async fn handle(&self, _: api::GpuInfo) -> Result<<api::GpuInfo as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::SettingsList> for Session {
    async fn handle(&self, _: api::SettingsList) -> Result<<api::SettingsList as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::SettingsSet> for Session {
    async fn handle(&self, _: api::SettingsSet) -> Result<<api::SettingsSet as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::HostInfo> for crate::host::Host {
    async fn handle(&self, _: api::HostInfo) -> Result<<api::HostInfo as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}
