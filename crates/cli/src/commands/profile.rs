//! `artel profile`.

use std::{path::PathBuf, time::Duration};

use artel_app::{
    api::{
        Handle,
        profile::{
            ProfileDelete, ProfileInfo, ProfileList, ProfileLock, ProfileNew, ProfilePasswd,
            ProfileRecover, ProfileRecovery, ProfileShow,
        },
    },
    error::{AppError, Code},
    socket,
};
use clap::Subcommand;
use serde_json::json;
use zeroize::Zeroizing;

use crate::context::{Context, Exit, ask_for, ask_twice, first_line};

/// What is said wherever a recovery code is shown.
const WRITE_DOWN: &str = "Write the recovery code down and keep it away from this computer: it is shown this once, and is \
    the only way back in when the passphrase is forgotten.";

/// How long `profile lock` waits until the other process has let go.
const LOCK_PATIENCE: Duration = Duration::from_mins(1);

#[derive(Subcommand)]
pub(crate) enum ProfileCommand {
    /// Make a profile; its recovery code is shown once
    #[command(after_help = "Example: artel profile new \"Olena Tkachenko\"")]
    New {
        /// Name shown to others
        name: String,
    },
    /// List the profiles of this home
    #[command(after_help = "Example: artel profile list --json")]
    List,
    /// Show the profile, its member and its device
    #[command(after_help = "Example: artel --profile Olena profile show")]
    Show,
    /// Ask the process that has the profile open to lock it
    #[command(after_help = "Example: artel --profile Olena profile lock")]
    Lock,
    /// Change the passphrase
    #[command(after_help = "Example: artel profile passwd --new-passphrase-file new.txt")]
    Passwd {
        /// File whose first line is the new passphrase; ARTEL_NEW_PASSPHRASE or a prompt otherwise
        #[arg(long, value_name = "F")]
        new_passphrase_file: Option<PathBuf>,
    },
    /// Set a new passphrase by the recovery code, when the old one is forgotten
    #[command(
        after_help = "Example: artel profile recover Olena --new-passphrase-file new.txt\n\n\
        The code comes from a prompt, --code-file F or ARTEL_RECOVERY. It is void afterwards, and a fresh one is shown."
    )]
    Recover {
        /// The profile
        name: String,
        /// File whose first line is the recovery code; ARTEL_RECOVERY or a prompt otherwise
        #[arg(long, value_name = "F")]
        code_file: Option<PathBuf>,
        /// File whose first line is the new passphrase; ARTEL_NEW_PASSPHRASE or a prompt otherwise
        #[arg(long, value_name = "F")]
        new_passphrase_file: Option<PathBuf>,
    },
    /// Make a new recovery code; the one before is void
    #[command(after_help = "Example: artel profile recovery Olena")]
    Recovery {
        /// The profile
        name: String,
    },
    /// Delete a profile and everything in it; backups stay
    #[command(after_help = "Example: artel profile delete Olena")]
    Delete {
        /// The profile
        name: String,
    },
}

pub(crate) async fn run(context: &Context, command: ProfileCommand) -> anyhow::Result<Exit> {
    match command {
        ProfileCommand::New { name } => new(context, name).await,
        ProfileCommand::List => list(context).await,
        ProfileCommand::Show => show(context).await,
        ProfileCommand::Lock => lock(context).await,
        ProfileCommand::Passwd {
            new_passphrase_file,
        } => passwd(context, new_passphrase_file).await,
        ProfileCommand::Recover {
            name,
            code_file,
            new_passphrase_file,
        } => recover(context, name, code_file, new_passphrase_file).await,
        ProfileCommand::Recovery { name } => recovery(context, name).await,
        ProfileCommand::Delete { name } => delete(context, name).await,
    }
}

async fn new(context: &Context, name: String) -> anyhow::Result<Exit> {
    let passphrase = context.new_passphrase("Passphrase of the new profile: ")?;
    let created = context
        .host
        .handle(ProfileNew {
            name,
            passphrase: passphrase.to_string(),
        })
        .await?;
    context.output.one(&created, || {
        format!(
            "Profile {} was made.\nMember {}\nRecovery code {}",
            created.profile, created.member, created.recovery
        )
    })?;
    context.output.hint(WRITE_DOWN);
    context
        .output
        .hint("Next: artel space new NAME, or artel space join INVITE");
    Ok(Exit::Done)
}

async fn list(context: &Context) -> anyhow::Result<Exit> {
    let profiles = context.host.handle(ProfileList {}).await?;
    context.output.many(
        &profiles,
        &["profile", "state", "member"],
        |profile| {
            vec![
                profile.profile.clone(),
                state(profile),
                profile.member.clone(),
            ]
        },
        "There is no profile here. Make one: artel profile new NAME",
    )?;
    Ok(Exit::Done)
}

fn state(profile: &ProfileInfo) -> String {
    match (&profile.problem, profile.in_use) {
        (Some(problem), _) => problem.clone(),
        (None, true) => "open".to_owned(),
        (None, false) => "closed".to_owned(),
    }
}

async fn show(context: &Context) -> anyhow::Result<Exit> {
    let client = context.client().await?;
    let profile = client.call(ProfileShow {}).await;
    client.close().await;
    let profile = profile?;
    context.output.one(&profile, || {
        format!(
            "Profile      {}\nMember       {}\nDevice       {}\nIncarnation  {}\nFolder       {}\nSize         {} KiB\nSchema       {}",
            profile.profile,
            profile.member,
            profile.device,
            profile.incarnation,
            profile.path,
            profile.bytes / 1024,
            profile.schema
        )
    })?;
    Ok(Exit::Done)
}

async fn lock(context: &Context) -> anyhow::Result<Exit> {
    let name = context.profile().await?;
    let passphrase = context.passphrase(&format!("Passphrase of {name}: "))?;
    let was_open = match socket::connect(context.host.home(), &name, &passphrase).await? {
        Some(owner) => {
            owner.call(ProfileLock {}).await?;
            let released = tokio::time::timeout(LOCK_PATIENCE, async {
                while is_open(context, &name).await? {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Ok::<_, AppError>(())
            });
            released.await.map_err(|_| {
                AppError::new(Code::Timeout, format!("profile \"{name}\" is still open"), "Its process was asked and is finishing its work. Look again in a while, or end it.")
            })??;
            true
        }
        // Some process has it, and serves no socket: it cannot be asked.
        None if is_open(context, &name).await? => {
            return Err(AppError::new(
                Code::InUse,
                format!("profile \"{name}\" is open in a process that cannot be asked to lock it"),
                "Wait until its command ends, or end it.",
            )
            .into());
        }
        None => false,
    };
    context
        .output
        .one(&json!({"profile": name, "was_open": was_open}), || {
            if was_open {
                format!("Profile {name} is locked.")
            } else {
                format!("Profile {name} was not open.")
            }
        })?;
    Ok(Exit::Done)
}

async fn is_open(context: &Context, name: &str) -> Result<bool, AppError> {
    let profiles = context.host.handle(ProfileList {}).await?;
    Ok(profiles
        .iter()
        .any(|profile| profile.profile == name && profile.in_use))
}

async fn passwd(context: &Context, file: Option<PathBuf>) -> anyhow::Result<Exit> {
    let name = context.profile().await?;
    let old = context.passphrase(&format!("Present passphrase of {name}: "))?;
    let new = new_passphrase(file)?;
    let client = crate::client::Client::connect(&context.host, &name, &old).await?;
    let changed = client
        .call(ProfilePasswd {
            old: old.to_string(),
            new: new.to_string(),
        })
        .await;
    client.close().await;
    let made = changed?.recovery;
    let reply = match &made {
        Some(code) => json!({"profile": name, "recovery": code}),
        None => json!({"profile": name}),
    };
    context.output.one(&reply, || {
        let changed = format!("The passphrase of {name} was changed.");
        match &made {
            Some(code) => format!("{changed}\nRecovery code {code}"),
            None => changed,
        }
    })?;
    if made.is_some() {
        context.output.hint(WRITE_DOWN);
    }
    context
        .output
        .hint("Backups made before keep the old passphrase.");
    Ok(Exit::Done)
}

fn new_passphrase(file: Option<PathBuf>) -> anyhow::Result<Zeroizing<String>> {
    match file {
        Some(file) => first_line(&file),
        None => match std::env::var("ARTEL_NEW_PASSPHRASE") {
            Ok(new) => Ok(Zeroizing::new(new)),
            Err(_) => ask_twice(
                "New passphrase: ",
                "Set ARTEL_NEW_PASSPHRASE or give --new-passphrase-file F",
            ),
        },
    }
}

async fn recover(
    context: &Context,
    name: String,
    code_file: Option<PathBuf>,
    new_passphrase_file: Option<PathBuf>,
) -> anyhow::Result<Exit> {
    let code = match code_file {
        Some(file) => first_line(&file)?,
        None => match std::env::var("ARTEL_RECOVERY") {
            Ok(code) => Zeroizing::new(code),
            Err(_) => ask_for(
                "recovery code",
                &format!("Recovery code of {name}: "),
                "Set ARTEL_RECOVERY or give --code-file F",
            )?,
        },
    };
    let passphrase = new_passphrase(new_passphrase_file)?;
    let made = context
        .host
        .handle(ProfileRecover {
            name,
            code: code.to_string(),
            passphrase: passphrase.to_string(),
        })
        .await?;
    context.output.one(&made, || {
        format!(
            "The passphrase of {} was set anew.\nRecovery code {}",
            made.profile, made.recovery
        )
    })?;
    context.output.hint(WRITE_DOWN);
    context.output.hint(
        "The code that you used is void. Backups made before keep their passphrase and code.",
    );
    Ok(Exit::Done)
}

async fn recovery(context: &Context, name: String) -> anyhow::Result<Exit> {
    let passphrase = context.passphrase(&format!("Passphrase of {name}: "))?;
    let client = crate::client::Client::connect(&context.host, &name, &passphrase).await?;
    let made = client
        .call(ProfileRecovery {
            passphrase: passphrase.to_string(),
        })
        .await;
    client.close().await;
    let made = made?;
    context
        .output
        .one(&made, || format!("Recovery code {}", made.recovery))?;
    context.output.hint(WRITE_DOWN);
    Ok(Exit::Done)
}

async fn delete(context: &Context, name: String) -> anyhow::Result<Exit> {
    let passphrase: Zeroizing<String> =
        context.passphrase(&format!("Passphrase of {name}, to delete it: "))?;
    context
        .host
        .handle(ProfileDelete {
            name: name.clone(),
            passphrase: passphrase.to_string(),
        })
        .await?;
    context
        .output
        .one(&json!({"profile": name, "deleted": true}), || {
            format!("Profile {name} was deleted.")
        })?;
    context
        .output
        .hint("Its backups stay; they are listed by any other profile: artel care backups");
    Ok(Exit::Done)
}
