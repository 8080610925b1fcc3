//! Health, backup, restore: handlers.

mod health;

pub(crate) use health::{Finding, Grade, clock, health_of};

use std::{path::Path, time::Instant};

use artel_store::{
    StoreError,
    backup::{self, BackupSummary, Listed, Secret},
    deletions,
    identity::Reason,
    restored,
};
use zeroize::Zeroizing;

use crate::{
    api::{Command, Handle, care as api},
    error::{AppError, Code},
    host::Host,
    installation::{self, NewDevice},
    profile,
    session::Session,
};

impl Handle<api::CareHealth> for Session {
    async fn handle(
        &self,
        _: api::CareHealth,
    ) -> Result<<api::CareHealth as Command>::Reply, AppError> {
        health::examine(&self.core).await
    }
}

impl Handle<api::CareBackup> for Session {
    async fn handle(
        &self,
        _: api::CareBackup,
    ) -> Result<<api::CareBackup as Command>::Reply, AppError> {
        let core = self.core.clone();
        let made = tokio::task::spawn_blocking(move || {
            let started = Instant::now();
            let summary = backup::make(
                core.opened(),
                core.home(),
                installation::now_ms(),
                env!("CARGO_PKG_VERSION"),
            )?;
            Ok::<_, StoreError>(api::BackupInfo {
                seconds: Some(started.elapsed().as_secs_f64()),
                ..info(summary)
            })
        })
        .await??;
        tracing::info!(
            backup = made.backup,
            bytes = made.bytes,
            "a backup was made"
        );
        Ok(made)
    }
}

impl Handle<api::CareBackups> for Session {
    async fn handle(
        &self,
        _: api::CareBackups,
    ) -> Result<<api::CareBackups as Command>::Reply, AppError> {
        list(self.core.home()).await
    }
}

impl Handle<api::CareVerify> for Session {
    async fn handle(
        &self,
        command: api::CareVerify,
    ) -> Result<<api::CareVerify as Command>::Reply, AppError> {
        let core = self.core.clone();
        tokio::task::spawn_blocking(move || {
            let path = match &command.backup {
                Some(backup) => backup::find(core.home(), backup)?,
                None => {
                    newest(core.home(), &core.opened().summary.member_public)?
                        .ok_or_else(no_backup)?
                        .path
                }
            };
            let outcome = backup::verify(core.home(), &path, Secret::Profile(core.opened()));
            let (tables, problem) = match outcome {
                Ok(verified) => (verified.tables, None),
                // These are about the backup, and what was asked is whether it is good.
                Err(
                    problem @ (StoreError::BadBackup { .. }
                    | StoreError::Corrupt { .. }
                    | StoreError::NewerSchema { .. }),
                ) => (Vec::new(), Some(problem.to_string())),
                Err(other) => return Err(other.into()),
            };
            Ok(api::Verified {
                backup: name(&path),
                good: problem.is_none(),
                tables,
                problem,
            })
        })
        .await?
    }
}

impl Handle<api::CareRestore> for Host {
    async fn handle(
        &self,
        command: api::CareRestore,
    ) -> Result<<api::CareRestore as Command>::Reply, AppError> {
        let home = self.home().to_owned();
        tokio::task::spawn_blocking(move || restore(&home, command)).await?
    }
}

fn restore(home: &Path, command: api::CareRestore) -> Result<api::Restored, AppError> {
    let passphrase = Zeroizing::new(command.passphrase);
    let path = backup::find(home, &command.backup)?;
    let request = backup::Restore {
        path: &path,
        passphrase: &passphrase,
        name: command.name.as_deref(),
    };
    // Before the long reading: a name that is taken is found at once.
    let new_name = backup::name_for(home, &request)?;
    let backup::BackupSummary {
        member_public,
        made_at_ms,
        ..
    } = backup::summary(&path)?;
    // Beside the living profile it is a copy to look into: that one goes on, and has heard of the deletions.
    let beside = artel_store::profile::list(home)?
        .iter()
        .any(|living| living.problem.is_none() && living.member_public == member_public);
    let retires = !beside && !command.keep_device;
    if command.dry_run {
        let verified = backup::verify(home, &path, Secret::Passphrase(&passphrase))?;
        return Ok(api::Restored {
            profile: new_name,
            member: profile::member_id(&verified.summary.member_public),
            device: None,
            retires,
            tables: verified.tables,
        });
    }
    let device = NewDevice::generate(Reason::Restored)?;
    let id = device.device();
    let opened = backup::restore(home, &request, move |tx| {
        if retires {
            restored::retire_later(tx)?;
        }
        if !beside {
            restored::hold(tx, made_at_ms)?;
        }
        device.replace(tx)?;
        deletions::end_all(tx)
    })?;
    let tables = opened.store.read(artel_store::check::row_counts)?;
    Ok(api::Restored {
        profile: opened.summary.name.clone(),
        member: profile::member_id(&opened.summary.member_public),
        device: Some(id),
        retires,
        tables,
    })
}

fn no_backup() -> AppError {
    AppError::new(
        Code::NotFound,
        "there is no backup of this profile",
        "Make one: artel care backup",
    )
}

/// Name of a backup: its file without folder and ending.
fn name(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn info(summary: BackupSummary) -> api::BackupInfo {
    api::BackupInfo {
        backup: name(&summary.path),
        path: summary.path.display().to_string(),
        profile: summary.profile,
        at: summary.made_at_ms,
        bytes: summary.bytes,
        seconds: None,
        problem: None,
    }
}

async fn list(home: &Path) -> Result<Vec<api::BackupInfo>, AppError> {
    let home = home.to_owned();
    let listed = tokio::task::spawn_blocking(move || backup::list(&home)).await??;
    Ok(listed
        .into_iter()
        .map(|one| match one {
            Listed::Backup(summary) => info(summary),
            Listed::Unreadable {
                path,
                bytes,
                problem,
            } => api::BackupInfo {
                backup: name(&path),
                path: path.display().to_string(),
                profile: String::new(),
                at: 0,
                bytes,
                seconds: None,
                problem: Some(problem),
            },
        })
        .collect())
}

/// The newest backup of a member whose beginning is whole.
fn newest(home: &Path, member: &[u8; 32]) -> Result<Option<BackupSummary>, StoreError> {
    Ok(backup::list(home)?.into_iter().find_map(|one| match one {
        Listed::Backup(summary) if summary.member_public == *member => Some(summary),
        _ => None,
    }))
}

#[cfg(test)]
mod tests;
