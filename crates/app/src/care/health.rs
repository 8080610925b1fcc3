//! What `care health` looks at, and how it grades it.

use std::{
    io::{Seek, Write},
    path::Path,
    time::{Duration, Instant},
};

use artel_store::{Store, check};

use crate::{
    api::care::{Check, Health},
    error::AppError,
    installation,
    session::Core,
    settings,
};

const MIB: u64 = 1024 * 1024;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Below this much free space the profile may stop in the middle of its work.
const SPACE_CRITICAL: u64 = 200 * MIB;

/// Below this much, or below twice the database, a backup may not fit.
const SPACE_WARNING: u64 = 1024 * MIB;

/// A log this long means that something keeps it from being written back.
const LOG_WARNING: u64 = 256 * MIB;

/// A commit that takes longer is felt in every message.
const FLUSH_WARNING: Duration = Duration::from_millis(100);

/// Nothing of Artel is older: 2026-01-01.
const EARLIEST_MS: i64 = 1_767_225_600_000;

/// How good what was found is, worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Grade {
    Well,
    Warning,
    Critical,
}

impl Grade {
    fn word(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    fn verdict(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Warning => "warnings",
            Self::Critical => "critical",
        }
    }
}

/// One finding.
pub(super) struct Finding {
    name: &'static str,
    pub(super) grade: Grade,
    message: String,
    hint: Option<&'static str>,
}

impl Finding {
    fn well(name: &'static str, message: impl Into<String>) -> Self {
        Self {
            name,
            grade: Grade::Well,
            message: message.into(),
            hint: None,
        }
    }

    fn bad(
        name: &'static str,
        grade: Grade,
        message: impl Into<String>,
        hint: &'static str,
    ) -> Self {
        Self {
            name,
            grade,
            message: message.into(),
            hint: Some(hint),
        }
    }
}

/// Looks at everything. Reads the whole database once.
pub(super) async fn examine(core: &Core) -> Result<Health, AppError> {
    let remind_days = settings::backup_days(core).await?;
    let core = core.clone();
    let findings = tokio::task::spawn_blocking(move || {
        let opened = core.opened();
        let now = installation::now_ms();
        let newest = super::newest(core.home(), &opened.summary.member_public)?;
        let database_bytes = std::fs::metadata(opened.store.path()).map_or(0, |file| file.len());
        Ok::<_, AppError>(vec![
            database(&opened.store)?,
            header(&opened.path),
            log(check::log_bytes(&opened.store)),
            disk_space(&opened.path, free_space(&opened.path), database_bytes),
            disk_speed(&opened.path),
            backup(
                newest.as_ref().map(|backup| backup.made_at_ms),
                opened.summary.created_at_ms,
                now,
                remind_days,
            ),
            clock(
                now,
                newest
                    .map_or(0, |backup| backup.made_at_ms)
                    .max(opened.summary.created_at_ms),
            ),
        ])
    })
    .await??;
    let worst = findings.iter().map(|finding| finding.grade).max();
    Ok(Health {
        verdict: worst.unwrap_or(Grade::Well).verdict().to_owned(),
        checks: findings
            .into_iter()
            .map(|finding| Check {
                name: finding.name.to_owned(),
                grade: finding.grade.word().to_owned(),
                message: finding.message,
                hint: finding.hint.map(str::to_owned),
            })
            .collect(),
    })
}

fn database(store: &Store) -> Result<Finding, AppError> {
    let found = check::database(store)?;
    Ok(match found.problems.first() {
        None => Finding::well(
            "database",
            if found.thorough {
                "every page and row is whole"
            } else {
                "every page is whole"
            },
        ),
        Some(problem) => Finding::bad(
            "database",
            Grade::Critical,
            format!("{} problems, the first: {problem}", found.problems.len()),
            "Copy the profile's folder somewhere safe, then restore a backup: artel care restore BACKUP --as NAME",
        ),
    })
}

fn header(folder: &Path) -> Finding {
    let flaws = check::header(folder);
    if flaws.is_empty() {
        Finding::well("header", "both copies are whole and equal")
    } else {
        Finding::bad(
            "header",
            Grade::Warning,
            flaws.join("; "),
            "Lock the profile and open it again: the good copy replaces the other.",
        )
    }
}

fn log(bytes: u64) -> Finding {
    let message = format!("{} in the write-ahead log", size(bytes));
    if bytes < LOG_WARNING {
        Finding::well("log", message)
    } else {
        Finding::bad(
            "log",
            Grade::Warning,
            message,
            "Lock the profile and open it again to write the log back.",
        )
    }
}

/// Free bytes on the disk of a folder; `None` where the system does not say.
fn free_space(folder: &Path) -> Option<u64> {
    let folder = std::fs::canonicalize(folder).ok()?;
    let disks = sysinfo::Disks::new_with_refreshed_list().ok()?;
    disks
        .iter()
        .filter(|disk| folder.starts_with(disk.mount_point()))
        .max_by_key(|disk| disk.mount_point().components().count())
        .map(sysinfo::Disk::available_space)
}

fn disk_space(folder: &Path, free: Option<u64>, database: u64) -> Finding {
    const NAME: &str = "disk_space";
    let Some(free) = free else {
        return Finding::well(NAME, "the system does not say how much is free");
    };
    let message = format!("{} free on the disk of {}", size(free), folder.display());
    if free < SPACE_CRITICAL {
        Finding::bad(
            NAME,
            Grade::Critical,
            message,
            "Free some space now: writing will fail soon.",
        )
    } else if free < SPACE_WARNING.max(database.saturating_mul(2)) {
        Finding::bad(
            NAME,
            Grade::Warning,
            message,
            "Free some space: a backup may not fit.",
        )
    } else {
        Finding::well(NAME, message)
    }
}

/// Times what every commit does: a small write that must reach the disk.
fn disk_speed(folder: &Path) -> Finding {
    const NAME: &str = "disk_speed";
    let measure = || -> std::io::Result<Duration> {
        let mut file = tempfile::tempfile_in(folder)?;
        let mut times = Vec::with_capacity(5);
        for _ in 0..5 {
            let started = Instant::now();
            file.rewind()?;
            file.write_all(&[0; 4096])?;
            file.sync_data()?;
            times.push(started.elapsed());
        }
        times.sort();
        Ok(times.get(2).copied().unwrap_or_default())
    };
    match measure() {
        Ok(time) => {
            let message = format!("a flush takes {:.1} ms", time.as_secs_f64() * 1000.0);
            if time < FLUSH_WARNING {
                Finding::well(NAME, message)
            } else {
                Finding::bad(
                    NAME,
                    Grade::Warning,
                    message,
                    "The disk is slow or busy: sending a message will take that long.",
                )
            }
        }
        Err(reason) => Finding::bad(
            NAME,
            Grade::Critical,
            format!("the profile's folder cannot be written to: {reason}"),
            "Check the disk and the rights of the folder.",
        ),
    }
}

pub(super) fn backup(
    newest: Option<i64>,
    created: i64,
    now: i64,
    remind_days: Option<i64>,
) -> Finding {
    const NAME: &str = "backup";
    const HINT: &str = "Make one: artel care backup. Keep a copy on another disk.";
    let message = match newest {
        None => "there is no backup yet".to_owned(),
        Some(at) => match (now - at) / DAY_MS {
            ..=0 => "the last one is of today".to_owned(),
            1 => "the last one is a day old".to_owned(),
            days => format!("the last one is {days} days old"),
        },
    };
    // A new profile has as long as an old one has between two backups.
    let since = newest.unwrap_or(created);
    match remind_days {
        Some(days) if now - since > days.saturating_mul(DAY_MS) => {
            Finding::bad(NAME, Grade::Warning, message, HINT)
        }
        _ => Finding::well(NAME, message),
    }
}

/// Clocks decide nothing in Artel, but a wrong one confuses people and expiry.
pub(super) fn clock(now: i64, latest_known: i64) -> Finding {
    const NAME: &str = "clock";
    if now < EARLIEST_MS || now.saturating_add(DAY_MS) < latest_known {
        Finding::bad(
            NAME,
            Grade::Warning,
            "this machine's clock is behind: things were made after its now",
            "Set the clock. Messages stay in order, but show wrong times.",
        )
    } else {
        Finding::well(NAME, "the clock agrees with what was made before")
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        ..MIB => format!("{} KiB", bytes / 1024),
        MIB..10_737_418_240 => format!("{} MiB", bytes / MIB),
        _ => format!("{} GiB", bytes / MIB / 1024),
    }
}
