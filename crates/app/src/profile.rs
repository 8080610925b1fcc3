//! Profiles: handlers, and what the store's errors mean to a user.

use std::time::Duration;

use artel_domain::{DeviceKey, Incarnation, MemberId};
use artel_store::{
    RecoveryCode, RecoveryError, StoreError, identity,
    profile::{self, ProfileSummary},
};
use zeroize::Zeroizing;

use crate::{
    api::{Command, Handle, profile as api},
    error::{AppError, Code},
    files,
    host::Host,
    installation::{self, NewDevice},
    session::Session,
};

/// How long a session that was asked to lock waits, so that the caller hears that it will.
const ANSWER_FIRST: Duration = Duration::from_millis(100);

impl Handle<api::ProfileShow> for Session {
    async fn handle(
        &self,
        _: api::ProfileShow,
    ) -> Result<<api::ProfileShow as Command>::Reply, AppError> {
        let identity = self
            .core
            .read(identity::get)
            .await?
            .ok_or_else(installation::no_identity)?;
        let opened = self.core.opened();
        let bytes = folder_size(&opened.path);
        Ok(api::ProfileDetail {
            profile: opened.summary.name.clone(),
            member: member_id(&opened.summary.member_public),
            device: identity
                .device_secret
                .as_ref()
                .map(|secret| DeviceKey::from_bytes(secret).id().to_string())
                .unwrap_or_default(),
            incarnation: Incarnation::from_bytes(identity.incarnation).to_string(),
            path: opened.path.display().to_string(),
            bytes,
            schema: artel_store::SCHEMA_VERSION,
            created_at: opened.summary.created_at_ms,
        })
    }
}

impl Handle<api::ProfilePasswd> for Session {
    async fn handle(
        &self,
        command: api::ProfilePasswd,
    ) -> Result<<api::ProfilePasswd as Command>::Reply, AppError> {
        let core = self.core.clone();
        let (old, new) = (Zeroizing::new(command.old), Zeroizing::new(command.new));
        let made = tokio::task::spawn_blocking(move || {
            profile::change_passphrase(core.opened(), &old, &new)
        })
        .await??;
        Ok(api::PassphraseChanged {
            recovery: made.map(|code| code.to_string()),
        })
    }
}

impl Handle<api::ProfileLock> for Session {
    async fn handle(
        &self,
        _: api::ProfileLock,
    ) -> Result<<api::ProfileLock as Command>::Reply, AppError> {
        // The caller gets its answer first: closing ends the connection it waits on.
        let session = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(ANSWER_FIRST).await;
            session.close().await;
        });
        Ok(())
    }
}

impl Handle<api::ProfileList> for Host {
    async fn handle(
        &self,
        _: api::ProfileList,
    ) -> Result<<api::ProfileList as Command>::Reply, AppError> {
        let home = self.home().to_owned();
        let profiles = tokio::task::spawn_blocking(move || profile::list(&home)).await??;
        Ok(profiles.into_iter().map(info).collect())
    }
}

impl Handle<api::ProfileNew> for Host {
    async fn handle(
        &self,
        command: api::ProfileNew,
    ) -> Result<<api::ProfileNew as Command>::Reply, AppError> {
        let home = self.home().to_owned();
        let passphrase = Zeroizing::new(command.passphrase);
        let name = command.name;
        tokio::task::spawn_blocking(move || {
            let member = installation::new_member()?;
            let device = NewDevice::generate(identity::Reason::Created)?;
            let recovery = RecoveryCode::random()?;
            let opened = profile::create_with(
                &home,
                &name,
                &passphrase,
                Some(&recovery),
                *member.id().as_bytes(),
                device.at_ms(),
                move |tx| device.create(tx, &member),
            )?;
            Ok::<_, AppError>(api::ProfileCreated {
                member: member_id(&opened.summary.member_public),
                profile: opened.summary.name.clone(),
                recovery: recovery.to_string(),
            })
        })
        .await?
    }
}

impl Handle<api::ProfileRecover> for Host {
    async fn handle(
        &self,
        command: api::ProfileRecover,
    ) -> Result<<api::ProfileRecover as Command>::Reply, AppError> {
        let home = self.home().to_owned();
        let passphrase = Zeroizing::new(command.passphrase);
        let typed = Zeroizing::new(command.code);
        let code: RecoveryCode = typed.parse().map_err(|reason: RecoveryError| {
            AppError::new(
                Code::RecoveryWrong,
                format!("this is not a recovery code: {reason}"),
                "It has six groups of five letters and digits; type it as you wrote it down.",
            )
        })?;
        let profile = command.name;
        tokio::task::spawn_blocking(move || {
            let fresh = profile::recover(&home, &profile, &code, &passphrase)?;
            Ok(api::RecoveryMade {
                profile,
                recovery: fresh.to_string(),
            })
        })
        .await?
    }
}

impl Handle<api::ProfileRecovery> for Session {
    async fn handle(
        &self,
        command: api::ProfileRecovery,
    ) -> Result<<api::ProfileRecovery as Command>::Reply, AppError> {
        let core = self.core.clone();
        let passphrase = Zeroizing::new(command.passphrase);
        tokio::task::spawn_blocking(move || {
            let opened = core.opened();
            let code = profile::new_recovery(opened, &passphrase)?;
            Ok(api::RecoveryMade {
                profile: opened.summary.name.clone(),
                recovery: code.to_string(),
            })
        })
        .await?
    }
}

impl Handle<api::ProfileDelete> for Host {
    async fn handle(
        &self,
        command: api::ProfileDelete,
    ) -> Result<<api::ProfileDelete as Command>::Reply, AppError> {
        let home = self.home().to_owned();
        let passphrase = Zeroizing::new(command.passphrase);
        Ok(
            tokio::task::spawn_blocking(move || profile::delete(&home, &command.name, &passphrase))
                .await??,
        )
    }
}

/// Public part of the member key, hexadecimal.
pub(crate) fn member_id(public: &[u8; 32]) -> String {
    MemberId::from_bytes(*public).to_string()
}

fn info(summary: ProfileSummary) -> api::ProfileInfo {
    api::ProfileInfo {
        member: match &summary.problem {
            None => member_id(&summary.member_public),
            Some(_) => String::new(),
        },
        profile: summary.name,
        in_use: summary.in_use,
        created_at: summary.created_at_ms,
        problem: summary.problem,
    }
}

fn folder_size(folder: &std::path::Path) -> u64 {
    walkdir::WalkDir::new(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.metadata().ok())
        .filter(std::fs::Metadata::is_file)
        .map(|file| file.len())
        .sum()
}

impl From<StoreError> for AppError {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        let as_code = |code, hint: &str| Self::new(code, message.clone(), hint);
        match error {
            StoreError::Sqlite(_) | StoreError::Misuse(_) | StoreError::Random(_) => Self::internal(&message),
            StoreError::Full { path } => {
                let error = as_code(Code::DiskFull, "Free some space and try again. Nothing was lost.");
                match path {
                    Some(path) => error.param("path", path.display()),
                    None => error,
                }
            }
            StoreError::Unusable { path, .. } => {
                let error = as_code(Code::File, "Look at the disk that the profile is on and at the rights of its folder, and try again.");
                match path {
                    Some(path) => error.param("path", path.display()),
                    None => error,
                }
            }
            StoreError::Busy => as_code(Code::Timeout, "Something large is being written. Try again."),
            StoreError::Corrupt { .. } => as_code(Code::Damaged, "Copy the profile's folder somewhere safe, then restore a backup: artel care backups, artel care restore BACKUP --as NAME"),
            StoreError::HeaderDamaged { path, .. } => as_code(
                Code::Damaged,
                &format!(
                    "Without a header the passphrase cannot open the data. Restore a backup: artel care restore BACKUP --as NAME. \
                     To give the profile up, delete the folder {}",
                    path.display()
                ),
            )
            .param("path", path.display()),
            StoreError::NewerSchema { found, known } => as_code(Code::TooNew, "Install the newer version of Artel and use that. Nothing was changed.")
                .param("found", found)
                .param("known", known),
            StoreError::WrongPassphrase => as_code(Code::WrongPassphrase, "Check the keyboard's language and Caps Lock. For one that is forgotten there is the recovery code: artel profile recover NAME"),
            StoreError::WrongRecovery => as_code(
                Code::RecoveryWrong,
                "It is well typed, but of another profile, or a newer one took its place. Look for a newer note, or restore a backup whose passphrase you know.",
            ),
            StoreError::NoRecovery => as_code(
                Code::RecoveryNone,
                "Nobody made one while the passphrase was known. Restore a backup whose passphrase you know: artel care backups",
            ),
            StoreError::EmptyPassphrase => as_code(Code::PassphraseNeeded, "Choose a passphrase."),
            StoreError::InUse { profile, .. } => as_code(
                Code::InUse,
                &format!("Close it there, or: artel --profile \"{profile}\" profile lock"),
            )
            .param("profile", profile),
            StoreError::NotFound { what, name } => {
                let hint = match what {
                    "profile" => "See which there are: artel profile list",
                    "backup" => "See which there are: artel care backups",
                    _ => "Check the name.",
                };
                as_code(Code::NotFound, hint).param("name", name)
            }
            StoreError::NameTaken(name) => as_code(Code::Exists, "Choose another name.").param("name", name),
            StoreError::BadName { name, .. } => as_code(Code::BadName, "Choose another name.").param("name", name),
            StoreError::BadBackup { path, .. } => as_code(Code::Damaged, "Use another backup: artel care backups")
                .param("path", path.display()),
            StoreError::Io { path, source } => files::failed(&path, &source),
        }
    }
}
