//! Settings: which there are, what they may be, and their handlers.

use artel_store::settings;

use crate::{
    api::{Command, Handle, machine as api},
    error::{AppError, Code},
    session::{Core, Session},
};

/// A setting that something reads.
struct Known {
    key: &'static str,
    default: &'static str,
    summary: &'static str,
    /// Says what the value may be, if it may not be this.
    check: fn(&str) -> Result<(), &'static str>,
}

/// Days without a backup after which `care health` warns; 0 for never.
const BACKUP_DAYS: Known = Known {
    key: "backup.remind_days",
    default: "7",
    summary: "Days without a backup after which the health check warns; 0 for never",
    check: |value| match value.parse::<u16>() {
        Ok(0..=3650) => Ok(()),
        _ => Err("a whole number from 0 to 3650"),
    },
};

/// Whether others are told how far one has read.
const READ_RECEIPTS: Known = Known {
    key: "rooms.read_receipts",
    default: "on",
    summary: "Whether others see how far you have read their rooms: on or off",
    check: |value| match value {
        "on" | "off" => Ok(()),
        _ => Err("on or off"),
    },
};

const KNOWN: &[Known] = &[BACKUP_DAYS, READ_RECEIPTS];

impl Known {
    fn setting(&self, value: Option<String>) -> api::Setting {
        api::Setting {
            key: self.key.to_owned(),
            value: value.unwrap_or_else(|| self.default.to_owned()),
            default: self.default.to_owned(),
            summary: self.summary.to_owned(),
        }
    }

    /// Its value, or the default where it was never set or no longer fits.
    async fn value(&self, core: &Core) -> Result<String, AppError> {
        let key = self.key;
        let value = core
            .read(move |connection| settings::get(connection, key))
            .await?;
        Ok(value
            .filter(|value| (self.check)(value).is_ok())
            .unwrap_or_else(|| self.default.to_owned()))
    }
}

/// Days without a backup after which the health check warns; `None` for never.
pub(crate) async fn backup_days(core: &Core) -> Result<Option<i64>, AppError> {
    let days = BACKUP_DAYS.value(core).await?.parse().unwrap_or(0);
    Ok((days > 0).then_some(days))
}

/// Whether others are told how far this person has read.
pub(crate) async fn tells_reads(core: &Core) -> Result<bool, AppError> {
    Ok(READ_RECEIPTS.value(core).await? == "on")
}

impl Handle<api::SettingsList> for Session {
    async fn handle(
        &self,
        _: api::SettingsList,
    ) -> Result<<api::SettingsList as Command>::Reply, AppError> {
        self.core
            .read(|connection| {
                KNOWN
                    .iter()
                    .map(|known| Ok(known.setting(settings::get(connection, known.key)?)))
                    .collect()
            })
            .await
    }
}

impl Handle<api::SettingsSet> for Session {
    async fn handle(
        &self,
        command: api::SettingsSet,
    ) -> Result<<api::SettingsSet as Command>::Reply, AppError> {
        let known = KNOWN
            .iter()
            .find(|known| known.key == command.key)
            .ok_or_else(|| {
                AppError::new(
                    Code::NotFound,
                    format!("there is no setting \"{}\"", command.key),
                    "See which there are: artel settings list",
                )
                .param("name", &command.key)
            })?;
        let value = command.value.trim().to_owned();
        if let Err(expected) = (known.check)(&value) {
            return Err(AppError::new(
                Code::BadArguments,
                format!("{}: \"{value}\" cannot be its value", known.key),
                format!("Give {expected}."),
            )
            .param("name", known.key));
        }
        let stored = value.clone();
        self.core
            .write(move |tx| {
                if stored == known.default {
                    settings::unset(tx, known.key).map(drop)
                } else {
                    settings::set(tx, known.key, &stored)
                }
            })
            .await?;
        Ok(known.setting(Some(value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_a_value_it_may_have() {
        for known in KNOWN {
            assert_eq!((known.check)(known.default), Ok(()), "{}", known.key);
        }
    }
}
