//! `artel care`.

use std::path::Path;

use artel_app::{
    api::{
        Handle,
        care::{BackupInfo, CareBackup, CareBackups, CareHealth, CareRestore, CareVerify},
    },
    error::{AppError, Code},
};
use clap::Subcommand;

use crate::{
    context::{Context, Exit, absolute},
    when,
};

#[derive(Subcommand)]
pub(crate) enum CareCommand {
    /// Check the profile and the machine; status 0 well, 3 warnings, 1 critical
    #[command(after_help = "Example: artel care health")]
    Health,
    /// Make an encrypted backup while everything runs
    #[command(after_help = "Example: artel care backup")]
    Backup,
    /// List the backups of this home, newest first
    #[command(after_help = "Example: artel care backups --json")]
    Backups,
    /// Read a backup through and check it; the newest unless named
    #[command(after_help = "Example: artel care verify")]
    Verify {
        /// Name or file of the backup
        backup: Option<String>,
    },
    /// Restore a backup as a new profile on a new device
    #[command(
        after_help = "Example: artel care restore Olena-1f0e_20261121-090000 --as \"Olena again\""
    )]
    Restore {
        /// Name or file of the backup
        backup: String,
        /// Name of the new profile; the old name unless given
        #[arg(long = "as", value_name = "NAME")]
        name: Option<String>,
        /// Only check it and say what would be done
        #[arg(long)]
        dry_run: bool,
        /// Let the device of the backup go on beside the new one
        #[arg(long)]
        keep_device: bool,
    },
}

pub(crate) async fn run(context: &Context, command: CareCommand) -> anyhow::Result<Exit> {
    match command {
        CareCommand::Health => health(context).await,
        CareCommand::Backup => backup(context).await,
        CareCommand::Backups => backups(context).await,
        CareCommand::Verify { backup } => verify(context, backup).await,
        CareCommand::Restore {
            backup,
            name,
            dry_run,
            keep_device,
        } => {
            let command = CareRestore {
                backup: name_or_path(&backup)?,
                passphrase: String::new(),
                name,
                dry_run,
                keep_device,
            };
            restore(context, command).await
        }
    }
}

async fn health(context: &Context) -> anyhow::Result<Exit> {
    let client = context.client().await?;
    let health = client.call(CareHealth {}).await;
    client.close().await;
    let health = health?;
    context.output.one(&health, || {
        let mut lines = vec![format!("Verdict: {}", health.verdict)];
        for check in &health.checks {
            lines.push(format!(
                "{:9} {:11} {}",
                check.grade, check.name, check.message
            ));
            lines.extend(check.hint.as_ref().map(|hint| format!("{:21} {hint}", "")));
        }
        lines.join("\n")
    })?;
    Ok(match health.verdict.as_str() {
        "well" => Exit::Done,
        "warnings" => Exit::InPart,
        _ => Exit::Critical,
    })
}

async fn backup(context: &Context) -> anyhow::Result<Exit> {
    let client = context.client().await?;
    let made = client.call(CareBackup {}).await;
    client.close().await;
    let made = made?;
    context.output.one(&made, || {
        format!(
            "Backup {}\nFile {}\nSize {}",
            made.backup,
            made.path,
            size(made.bytes)
        )
    })?;
    context
        .output
        .hint("It opens with the passphrase of now. Keep a copy on another disk; check it: artel care verify");
    Ok(Exit::Done)
}

async fn backups(context: &Context) -> anyhow::Result<Exit> {
    let client = context.client().await?;
    let listed = client.call(CareBackups {}).await;
    client.close().await;
    context.output.many(
        &listed?,
        &["backup", "profile", "made", "size"],
        |backup| {
            vec![
                backup.backup.clone(),
                backup.profile.clone(),
                made(backup),
                size(backup.bytes),
            ]
        },
        "There is no backup yet. Make one: artel care backup",
    )?;
    Ok(Exit::Done)
}

/// When a backup was made, in local time, or what is wrong with it.
fn made(backup: &BackupInfo) -> String {
    if let Some(problem) = &backup.problem {
        return problem.clone();
    }
    when::minute(backup.at)
}

fn size(bytes: u64) -> String {
    match bytes {
        ..1_048_576 => format!("{} KiB", bytes / 1024),
        _ => format!("{} MiB", bytes / 1_048_576),
    }
}

async fn verify(context: &Context, backup: Option<String>) -> anyhow::Result<Exit> {
    let backup = backup.as_deref().map(name_or_path).transpose()?;
    let client = context.client().await?;
    let verified = client.call(CareVerify { backup }).await;
    client.close().await;
    let verified = verified?;
    if let Some(problem) = &verified.problem {
        return Err(AppError::new(
            Code::Damaged,
            problem.clone(),
            "Do not rely on it. Make a new one: artel care backup",
        )
        .into());
    }
    context.output.one(&verified, || {
        let rows: u64 = verified.tables.iter().map(|(_, rows)| rows).sum();
        format!(
            "Backup {} is good: {} tables, {rows} rows.",
            verified.backup,
            verified.tables.len()
        )
    })?;
    Ok(Exit::Done)
}

async fn restore(context: &Context, command: CareRestore) -> anyhow::Result<Exit> {
    let passphrase = context.passphrase("Passphrase of the time when the backup was made: ")?;
    let restored = context
        .host
        .handle(CareRestore {
            passphrase: passphrase.to_string(),
            ..command
        })
        .await?;
    context.output.one(&restored, || {
        let rows: u64 = restored.tables.iter().map(|(_, rows)| rows).sum();
        match &restored.device {
            Some(device) => format!(
                "Profile {} was restored: {rows} rows.\nMember {}\nNew device {device}",
                restored.profile, restored.member
            ),
            None => format!(
                "The backup is good: {rows} rows. It would become profile {} of member {}.",
                restored.profile, restored.member
            ),
        }
    })?;
    if restored.retires {
        context.output.hint(
            "The device of the backup ends in each space once a member was met there: artel node. \
             It goes on if restored with --keep-device.",
        );
    }
    Ok(Exit::Done)
}

/// A path is made absolute, since the other process has another folder; a name stays one.
fn name_or_path(backup: &str) -> anyhow::Result<String> {
    let path = Path::new(backup);
    if path.is_file() {
        absolute(path)
    } else {
        Ok(backup.to_owned())
    }
}
