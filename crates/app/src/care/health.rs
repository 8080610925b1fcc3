//! What `care health` looks at, and how it grades it.

use std::{
    collections::BTreeMap,
    io::{Seek, Write},
    path::Path,
    time::{Duration, Instant},
};

use artel_store::{Store, check};

use crate::{
    api::care::{Check, Health},
    error::AppError,
    files, installation,
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
pub(crate) enum Grade {
    Well,
    Warning,
    Critical,
}

impl Grade {
    pub(crate) fn word(self) -> &'static str {
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
pub(crate) struct Finding {
    name: &'static str,
    code: &'static str,
    pub(crate) grade: Grade,
    /// English, with the names of values in braces.
    words: &'static str,
    params: BTreeMap<String, String>,
    /// Words that stand in the message for codes among the values.
    said: BTreeMap<String, String>,
    hint: Option<&'static str>,
}

impl Finding {
    pub(crate) fn well(name: &'static str, code: &'static str, words: &'static str) -> Self {
        Self {
            name,
            code,
            grade: Grade::Well,
            words,
            params: BTreeMap::new(),
            said: BTreeMap::new(),
            hint: None,
        }
    }

    pub(crate) fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.params.insert(name.to_owned(), value.to_string());
        self
    }

    /// A value that is a code, for translation; the message says it in words.
    pub(crate) fn said(mut self, name: &str, code: impl ToString, words: impl ToString) -> Self {
        self.said.insert(name.to_owned(), words.to_string());
        self.with(name, code)
    }

    pub(crate) fn but(self, grade: Grade, hint: &'static str) -> Self {
        Self {
            grade,
            hint: Some(hint),
            ..self
        }
    }

    fn message(&self) -> String {
        let mut parts = self.words.split('{');
        let mut message = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, after) = part.split_once('}').unwrap_or((part, ""));
            let value = self.said.get(name).or_else(|| self.params.get(name));
            message += value.map_or("", String::as_str);
            message += after;
        }
        message
    }

    pub(crate) fn told(self) -> Check {
        Check {
            name: self.name.to_owned(),
            grade: self.grade.word().to_owned(),
            code: self.code.to_owned(),
            message: self.message(),
            params: self.params,
            hint: self.hint.map(str::to_owned),
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
            disk_space(
                &opened.path,
                files::free_space(&opened.path),
                database_bytes,
            ),
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
    Ok(health_of(findings))
}

/// What findings come to.
pub(crate) fn health_of(findings: Vec<Finding>) -> Health {
    let worst = findings.iter().map(|finding| finding.grade).max();
    Health {
        verdict: worst.unwrap_or(Grade::Well).verdict().to_owned(),
        checks: findings.into_iter().map(Finding::told).collect(),
    }
}

fn database(store: &Store) -> Result<Finding, AppError> {
    const NAME: &str = "database";
    let found = check::database(store)?;
    Ok(match found.problems.first() {
        None if found.thorough => {
            Finding::well(NAME, "database_thorough", "every page and row is whole")
        }
        None => Finding::well(NAME, "database_whole", "every page is whole"),
        Some(problem) => Finding::well(
            NAME,
            "database_damaged",
            "{count} problems, the first: {problem}",
        )
        .with("count", found.problems.len())
        .with("problem", problem)
        .but(
            Grade::Critical,
            "Copy the profile's folder somewhere safe, then restore a backup: artel care restore BACKUP --as NAME",
        ),
    })
}

fn header(folder: &Path) -> Finding {
    const NAME: &str = "header";
    let flaws = check::header(folder);
    if flaws.is_empty() {
        Finding::well(NAME, "header_whole", "both copies are whole and equal")
    } else {
        Finding::well(NAME, "header_damaged", "{flaws}")
            .with("flaws", flaws.join("; "))
            .but(
                Grade::Warning,
                "Lock the profile and open it again: the good copy replaces the other.",
            )
    }
}

fn log(bytes: u64) -> Finding {
    const NAME: &str = "log";
    const WORDS: &str = "{size} in the write-ahead log";
    if bytes < LOG_WARNING {
        Finding::well(NAME, "log_short", WORDS)
    } else {
        Finding::well(NAME, "log_long", WORDS).but(
            Grade::Warning,
            "Lock the profile and open it again to write the log back.",
        )
    }
    .with("size", size(bytes))
}

/// Grades what is free beside a database of so many bytes.
pub(super) fn disk_space(folder: &Path, free: Option<u64>, database: u64) -> Finding {
    const NAME: &str = "disk_space";
    const WORDS: &str = "{free} free on the disk of {path}";
    let Some(free) = free else {
        return Finding::well(
            NAME,
            "disk_space_unknown",
            "the system does not say how much is free",
        );
    };
    if free < SPACE_CRITICAL {
        Finding::well(NAME, "disk_space_critical", WORDS).but(
            Grade::Critical,
            "Free some space now: writing will fail soon.",
        )
    } else if free < SPACE_WARNING.max(database.saturating_mul(2)) {
        Finding::well(NAME, "disk_space_low", WORDS)
            .but(Grade::Warning, "Free some space: a backup may not fit.")
    } else {
        Finding::well(NAME, "disk_space_enough", WORDS)
    }
    .with("free", size(free))
    .with("path", folder.display())
}

/// Times what every commit does: a small write that must reach the disk.
fn disk_speed(folder: &Path) -> Finding {
    const NAME: &str = "disk_speed";
    const FLUSH: &str = "a flush takes {ms} ms";
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
    let time = match measure() {
        Ok(time) => time,
        Err(reason) => {
            return Finding::well(
                NAME,
                "disk_unwritable",
                "the profile's folder cannot be written to: {reason}",
            )
            .with("reason", reason)
            .but(
                Grade::Critical,
                "Check the disk and the rights of the folder.",
            );
        }
    };
    if time < FLUSH_WARNING {
        Finding::well(NAME, "disk_fast", FLUSH)
    } else {
        Finding::well(NAME, "disk_slow", FLUSH).but(
            Grade::Warning,
            "The disk is slow or busy: sending a message will take that long.",
        )
    }
    .with("ms", format!("{:.1}", time.as_secs_f64() * 1000.0))
}

pub(super) fn backup(
    newest: Option<i64>,
    created: i64,
    now: i64,
    remind_days: Option<i64>,
) -> Finding {
    const NAME: &str = "backup";
    let finding = match newest.map(|at| (now - at) / DAY_MS) {
        None => Finding::well(NAME, "backup_none", "there is no backup yet"),
        Some(..=0) => Finding::well(NAME, "backup_today", "the last one is of today"),
        Some(1) => Finding::well(NAME, "backup_day_old", "the last one is a day old"),
        Some(days) => Finding::well(NAME, "backup_days_old", "the last one is {days} days old")
            .with("days", days),
    };
    // A new profile has as long as an old one has between two backups.
    let since = newest.unwrap_or(created);
    match remind_days {
        Some(days) if now - since > days.saturating_mul(DAY_MS) => finding.but(
            Grade::Warning,
            "Make one: artel care backup. Keep a copy on another disk.",
        ),
        _ => finding,
    }
}

/// Clocks decide nothing in Artel, but a wrong one confuses people and expiry.
pub(crate) fn clock(now: i64, latest_known: i64) -> Finding {
    const NAME: &str = "clock";
    if now < EARLIEST_MS || now.saturating_add(DAY_MS) < latest_known {
        Finding::well(
            NAME,
            "clock_behind",
            "this machine's clock is behind: things were made after its now",
        )
        .but(
            Grade::Warning,
            "Set the clock. Messages stay in order, but show wrong times.",
        )
    } else {
        Finding::well(
            NAME,
            "clock_agrees",
            "the clock agrees with what was made before",
        )
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        ..MIB => format!("{} KiB", bytes / 1024),
        MIB..10_737_418_240 => format!("{} MiB", bytes / MIB),
        _ => format!("{} GiB", bytes / MIB / 1024),
    }
}
