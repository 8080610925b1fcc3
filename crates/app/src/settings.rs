//! Settings: which there are, what they may be, and their handlers.

use std::{ops::RangeInclusive, time::Duration};

use artel_store::{Connection, StoreError, settings};
use artel_sync::Settings;

use crate::{
    api::{Command, Handle, machine as api},
    error::{AppError, Code},
    session::{Core, Session},
};

/// What a value may be.
#[derive(Clone, Copy)]
enum Allowed {
    /// A whole number within a range, of some unit.
    Number(u32, u32, &'static str),
    /// `on` or `off`.
    Switch,
}

impl Allowed {
    fn takes(self, value: &str) -> bool {
        match self {
            Self::Number(least, most, _) => value
                .parse::<u32>()
                .is_ok_and(|number| (least..=most).contains(&number)),
            Self::Switch => matches!(value, "on" | "off"),
        }
    }
}

impl std::fmt::Display for Allowed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(least, most, unit) => write!(f, "{least} to {most} {unit}"),
            Self::Switch => f.write_str("on or off"),
        }
    }
}

/// A setting that something reads.
struct Known {
    key: &'static str,
    default: &'static str,
    summary: &'static str,
    allowed: Allowed,
}

const fn number(
    key: &'static str,
    default: &'static str,
    range: RangeInclusive<u32>,
    unit: &'static str,
    summary: &'static str,
) -> Known {
    Known {
        key,
        default,
        summary,
        allowed: Allowed::Number(*range.start(), *range.end(), unit),
    }
}

/// Days without a backup after which `care health` warns; 0 for never.
const BACKUP_DAYS: Known = number(
    "backup.remind_days",
    "7",
    0..=3650,
    "days",
    "Days without a backup after which the health check warns; 0 for never",
);

const MDNS: Known = Known {
    key: "network.mdns",
    default: "on",
    summary: "Whether to find others by mDNS; from the next start of the network",
    allowed: Allowed::Switch,
};

/// Whether others are told how far one has read.
const READ_RECEIPTS: Known = Known {
    key: "rooms.read_receipts",
    default: "on",
    summary: "Whether others see how far you have read their rooms",
    allowed: Allowed::Switch,
};

const CONNECTIONS: Known = number(
    "network.connections",
    "100",
    16..=400,
    "peers",
    "Peers that are talked to at once; who is connected already stays",
);
const PING: Known = number(
    "network.ping_seconds",
    "25",
    2..=600,
    "s",
    "Time between two pings; for connections made from now on",
);
const PING_TIMEOUT: Known = number(
    "network.ping_timeout_seconds",
    "20",
    2..=600,
    "s",
    "Wait for the answer to a ping; for connections made from now on",
);
const CONNECT_TIMEOUT: Known = number(
    "network.connect_timeout_seconds",
    "10",
    1..=120,
    "s",
    "How long connecting may take; all of it from the next start of the network",
);
const REQUEST_TIMEOUT: Known = number(
    "network.request_timeout_seconds",
    "30",
    2..=600,
    "s",
    "Wait for a peer's answer before another peer is asked",
);
const TRIES: Known = number(
    "network.tries",
    "3",
    1..=20,
    "tries",
    "Tries to reach a silent peer before the pauses between them grow",
);
const TRY_GAP: Known = number(
    "network.try_gap_seconds",
    "2",
    1..=60,
    "s",
    "Pause between these tries",
);
const PRESENCE: Known = number(
    "network.presence_seconds",
    "10",
    1..=120,
    "s",
    "How often at most others are told who came and went",
);

const KNOWN: &[Known] = &[
    BACKUP_DAYS,
    READ_RECEIPTS,
    MDNS,
    CONNECTIONS,
    PING,
    PING_TIMEOUT,
    CONNECT_TIMEOUT,
    REQUEST_TIMEOUT,
    TRIES,
    TRY_GAP,
    PRESENCE,
];

impl Known {
    fn setting(&self, value: Option<String>) -> api::Setting {
        api::Setting {
            key: self.key.to_owned(),
            value: value.unwrap_or_else(|| self.default.to_owned()),
            default: self.default.to_owned(),
            allowed: self.allowed.to_string(),
            summary: self.summary.to_owned(),
        }
    }

    /// Its value, or the default where it was never set or no longer fits.
    fn value(&self, connection: &Connection) -> Result<String, StoreError> {
        Ok(settings::get(connection, self.key)?
            .filter(|value| self.allowed.takes(value))
            .unwrap_or_else(|| self.default.to_owned()))
    }

    fn count(&self, connection: &Connection) -> Result<u32, StoreError> {
        Ok(self.value(connection)?.parse().unwrap_or_default())
    }

    fn seconds(&self, connection: &Connection) -> Result<Duration, StoreError> {
        Ok(Duration::from_secs(self.count(connection)?.into()))
    }
}

/// Days without a backup after which the health check warns; `None` for never.
pub(crate) async fn backup_days(core: &Core) -> Result<Option<i64>, AppError> {
    let days = core
        .read(|connection| BACKUP_DAYS.count(connection))
        .await?;
    Ok((days > 0).then_some(days.into()))
}

/// Whether others may be looked for by mDNS.
pub(crate) fn mdns(connection: &Connection) -> Result<bool, StoreError> {
    Ok(MDNS.value(connection)? == "on")
}

/// What the network and the sessions on it run with.
pub(crate) fn network(connection: &Connection) -> Result<Settings, StoreError> {
    Ok(Settings {
        connections: CONNECTIONS.count(connection)?,
        ping_every: PING.seconds(connection)?,
        ping_timeout: PING_TIMEOUT.seconds(connection)?,
        connect_timeout: CONNECT_TIMEOUT.seconds(connection)?,
        request_timeout: REQUEST_TIMEOUT.seconds(connection)?,
        tries: TRIES.count(connection)?,
        try_gap: TRY_GAP.seconds(connection)?,
        presence_every: PRESENCE.seconds(connection)?,
    })
}

/// Whether others are told how far this person has read.
pub(crate) async fn tells_reads(core: &Core) -> Result<bool, AppError> {
    core.read(|connection| Ok(READ_RECEIPTS.value(connection)? == "on"))
        .await
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
        if !known.allowed.takes(&value) {
            return Err(AppError::new(
                Code::BadArguments,
                format!("{}: \"{value}\" cannot be its value", known.key),
                match known.allowed {
                    Allowed::Number(..) => format!("Give a whole number: {}.", known.allowed),
                    Allowed::Switch => format!("Give {}.", known.allowed),
                },
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
        if known.key.starts_with("network.") {
            self.rooms.take_settings().await?;
        }
        Ok(known.setting(Some(value)))
    }
}

#[cfg(test)]
mod tests {
    use artel_store::Store;

    use super::*;

    #[test]
    fn every_default_is_a_value_it_may_have() {
        for known in KNOWN {
            assert!(known.allowed.takes(known.default), "{}", known.key);
        }
    }

    #[test]
    fn the_defaults_of_the_network_are_its_own() {
        let store = Store::open_for_tests();
        let read = || store.read(network);
        assert_eq!(read().unwrap(), Settings::default());
        let set = |value: &'static str| {
            store
                .write(move |tx| settings::set(tx, TRIES.key, value))
                .unwrap();
        };
        set("7");
        assert_eq!(read().unwrap().tries, 7);
        // What an older version left, or a hand, and does not fit.
        set("many");
        assert_eq!(read().unwrap().tries, 3);
    }

    #[test]
    fn values_out_of_range_are_refused() {
        let check = |known: &Known, value: &str, taken: bool| {
            assert_eq!(known.allowed.takes(value), taken, "{} {value}", known.key);
        };
        check(&PING, "2", true);
        check(&PING, "1", false);
        check(&PING, "601", false);
        check(&PING, "2.5", false);
        check(&PING, "-2", false);
        check(&PING, "", false);
        check(&MDNS, "off", true);
        check(&MDNS, "no", false);
        assert_eq!(PING.allowed.to_string(), "2 to 600 s");
    }
}
