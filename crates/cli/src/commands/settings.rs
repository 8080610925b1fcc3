//! `artel settings`.

use artel_app::{
    api::machine::{Setting, SettingsList, SettingsSet},
    error::{AppError, Code},
};
use clap::Subcommand;

use crate::context::{Context, Exit};

#[derive(Subcommand)]
pub(crate) enum SettingsCommand {
    /// List the settings with their defaults
    #[command(after_help = "Example: artel settings list")]
    List,
    /// Show a setting
    #[command(after_help = "Example: artel settings get backup.remind_days")]
    Get {
        /// Its name
        key: String,
    },
    /// Change a setting
    #[command(after_help = "Example: artel settings set backup.remind_days 14")]
    Set {
        /// Its name
        key: String,
        /// Its value
        value: String,
    },
}

pub(crate) async fn run(context: &Context, command: SettingsCommand) -> anyhow::Result<Exit> {
    let client = context.client().await?;
    let outcome = match command {
        SettingsCommand::List | SettingsCommand::Get { .. } => client.call(SettingsList {}).await,
        SettingsCommand::Set { ref key, ref value } => client
            .call(SettingsSet {
                key: key.clone(),
                value: value.clone(),
            })
            .await
            .map(|setting| vec![setting]),
    };
    client.close().await;
    let settings = outcome?;
    match command {
        SettingsCommand::List => context.output.many(
            &settings,
            &["setting", "value", "default", "may be", "what it does"],
            |setting| {
                vec![
                    setting.key.clone(),
                    setting.value.clone(),
                    setting.default.clone(),
                    setting.allowed.clone(),
                    setting.summary.clone(),
                ]
            },
            "There are no settings.",
        )?,
        SettingsCommand::Get { key } => {
            let setting = settings
                .iter()
                .find(|setting| setting.key == key)
                .ok_or_else(|| {
                    AppError::new(
                        Code::NotFound,
                        format!("there is no setting \"{key}\""),
                        "See which there are: artel settings list",
                    )
                })?;
            print(context, setting)?;
        }
        SettingsCommand::Set { .. } => {
            for setting in &settings {
                print(context, setting)?;
            }
        }
    }
    Ok(Exit::Done)
}

fn print(context: &Context, setting: &Setting) -> anyhow::Result<()> {
    context.output.one(setting, || setting.value.clone())
}
