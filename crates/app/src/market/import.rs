//! Price files into the store.

use std::{
    convert::Infallible,
    fmt,
    fs::File,
    path::{Path, PathBuf},
};

use artel_compute::market::{
    Bar, Field, Format, Interval, MarketError, Options, ReadError, Sessions, Survey, Zone, read,
};
use artel_store::{
    Store, StoreError,
    market::{
        self, Bars, Merged,
        staging::{self, Staging},
    },
};

use super::series::AT;
use crate::{
    api::{Event, market as api},
    error::{AppError, Code},
    files,
    installation::now_ms,
    session::Core,
};

/// Where imported files are from, as part of a series' identity.
const SOURCE: &str = "file";

/// Longest symbol, in letters.
const SYMBOL_LONGEST: usize = 64;

/// Endings of files that are taken from a folder.
const ENDINGS: [&str; 3] = ["csv", "tsv", "txt"];

/// Imports every file; one that is refused leaves the others alone.
pub(super) fn import(
    core: &Core,
    command: &api::MarketImport,
) -> Result<api::MarketImported, AppError> {
    let wanted = Wanted::from(command)?;
    let paths = price_files(&command.paths)?;
    if wanted.symbol.is_some() && paths.len() > 1 {
        return Err(AppError::new(
            Code::BadArguments,
            format!("one symbol was given for {} files", paths.len()),
            "Import them one by one, or leave the symbol out: it is then the file's name.",
        ));
    }
    let files: Vec<_> = paths
        .iter()
        .map(|path| import_file(core, &wanted, path))
        .collect();
    if files.iter().any(|file| file.error.is_none()) {
        core.tell(Event::Market);
    }
    Ok(api::MarketImported { files })
}

/// What was asked for, checked.
struct Wanted {
    symbol: Option<String>,
    interval: Option<Interval>,
    options: Options,
    skip_bad_rows: bool,
}

impl Wanted {
    fn from(command: &api::MarketImport) -> Result<Self, AppError> {
        let bad =
            |reason: &dyn fmt::Display, hint: &str| AppError::of(Code::BadArguments, &reason, hint);
        let field = |(field, column): &(String, String)| match Field::by_name(field) {
            Some(field) => Ok((field, column.clone())),
            None => Err(bad(
                &format!("\"{field}\" is no part of a bar"),
                "There are time, open, high, low, close and volume, such as --map close=\"Adj Close\".",
            )),
        };
        let interval = command
            .interval
            .as_deref()
            .map(str::parse::<Interval>)
            .transpose();
        let zone = command.tz.as_deref().map(str::parse::<Zone>).transpose();
        Ok(Self {
            symbol: command.symbol.as_deref().map(symbol).transpose()?,
            interval: interval.map_err(|reason| bad(&reason, "Write it as 1d."))?,
            options: Options {
                map: command.map.iter().map(field).collect::<Result<_, _>>()?,
                zone: zone
                    .map_err(|reason| bad(&reason, "Use a name such as Europe/Kyiv, or +03:00."))?
                    .unwrap_or_default(),
            },
            skip_bad_rows: command.skip_bad_rows,
        })
    }
}

/// A symbol that can be told apart in lists and columns.
fn symbol(text: &str) -> Result<String, AppError> {
    let text = text.trim();
    let refused = |reason: &str| {
        Err(AppError::new(
            Code::BadName,
            format!("\"{text}\" cannot be a symbol: {reason}"),
            "Give another one: --symbol S",
        ))
    };
    if text.is_empty() {
        return refused("it is empty");
    }
    if text.chars().count() > SYMBOL_LONGEST {
        return refused("it is longer than 64 letters");
    }
    if text
        .chars()
        .any(|letter| letter.is_control() || matches!(letter, ',' | AT))
    {
        return refused("commas, @ and control characters have a meaning beside it");
    }
    Ok(text.to_owned())
}

/// The files that the paths stand for: folders for the price files right in them, by name.
fn price_files(paths: &[String]) -> Result<Vec<PathBuf>, AppError> {
    let mut files = Vec::new();
    for path in paths {
        let path = PathBuf::from(path);
        if !path.is_dir() {
            files.push(path);
            continue;
        }
        let before = files.len();
        for entry in walkdir::WalkDir::new(&path)
            .max_depth(1)
            .sort_by_file_name()
        {
            let entry = entry.map_err(|reason| files::unwalked(&path, reason))?;
            let ending = entry
                .path()
                .extension()
                .map(|ending| ending.to_string_lossy().to_lowercase());
            if entry.file_type().is_file()
                && ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
            {
                files.push(entry.into_path());
            }
        }
        if files.len() == before {
            return Err(AppError::new(
                Code::File,
                format!(
                    "{}: there is no .csv, .tsv or .txt file in this folder",
                    path.display()
                ),
                "Give the price file itself.",
            )
            .param("path", path.display()));
        }
    }
    if files.is_empty() {
        return Err(AppError::new(
            Code::BadArguments,
            "no file was given",
            "Name some: artel market import FILE",
        ));
    }
    Ok(files)
}

/// Why a file was not imported.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("{0}")]
    File(#[from] MarketError),
    #[error("{0}")]
    Open(std::io::Error),
    #[error("line {line}: {reason}{}", others(*more))]
    BadRow {
        line: u64,
        reason: String,
        more: u64,
    },
    #[error("no row of it can be used")]
    NothingLeft,
    #[error("{0}")]
    Symbol(#[from] AppError),
    #[error("{symbol} has volumes and this file has none")]
    NoVolume { symbol: String },
    #[error("it changed while it was read")]
    Changed,
    #[error("{0}")]
    Store(#[from] StoreError),
}

fn others(more: u64) -> String {
    match more {
        0 => String::new(),
        more => format!(" (and {more} more such rows)"),
    }
}

impl From<ReadError<Self>> for Refusal {
    fn from(error: ReadError<Self>) -> Self {
        match error {
            ReadError::File(error) => Self::File(error),
            ReadError::Sink(error) => error,
        }
    }
}

impl From<ReadError<Infallible>> for Refusal {
    fn from(error: ReadError<Infallible>) -> Self {
        match error {
            ReadError::File(error) => Self::File(error),
            ReadError::Sink(never) => match never {},
        }
    }
}

impl Refusal {
    /// Names the file, the reason and the way out.
    fn told_of(self, path: &Path) -> AppError {
        let reason = match self {
            Self::Open(reason) | Self::File(MarketError::Io(reason)) => {
                return files::unread(path, &reason);
            }
            Self::Store(reason) => return reason.into(),
            other => other,
        };
        let name = path
            .file_name()
            .unwrap_or(path.as_os_str())
            .to_string_lossy();
        let text = reason.to_string();
        let joint = if text.starts_with("line ") { "," } else { ":" };
        let message = format!("{name}{joint} {text}");
        AppError::new(Code::BadInput, message, reason.way_out()).param("path", path.display())
    }

    fn way_out(&self) -> String {
        let words = match self {
            Self::Symbol(_) => "Give another one: --symbol S",
            Self::BadRow { more: 0, .. } => "Fix the row, or import with --skip-bad-rows.",
            Self::BadRow { .. } => "Fix the rows, or import with --skip-bad-rows.",
            Self::NothingLeft => "Look at the rows in the file: each was left out.",
            Self::NoVolume { .. } => {
                "Name its column with --map volume=COLUMN, or import under another symbol."
            }
            Self::File(MarketError::NoColumn { field, .. }) => {
                return format!("Name it with --map {field}=COLUMN.");
            }
            Self::File(MarketError::NoSuchColumn { .. }) => "Name one of them with --map.",
            Self::File(MarketError::NoInterval { .. }) => "Give it with --interval, such as 1d.",
            Self::File(MarketError::Utf16 | MarketError::NotUtf8 { .. }) => {
                "Save it as CSV in UTF-8."
            }
            Self::File(MarketError::Empty | MarketError::NoRows) => {
                "It needs rows of prices: a time and four prices in each."
            }
            Self::File(MarketError::Binary { .. } | MarketError::LineTooLong { .. }) => {
                "Save the prices as CSV and import that."
            }
            Self::Changed | Self::Open(_) | Self::Store(_) | Self::File(MarketError::Io(_)) => {
                "Import it again."
            }
        };
        words.to_owned()
    }
}

fn import_file(core: &Core, wanted: &Wanted, path: &Path) -> api::MarketFile {
    let mut file = api::MarketFile {
        path: path.display().to_string(),
        symbol: None,
        interval: None,
        format: None,
        bars: 0,
        added: 0,
        replaced: 0,
        skipped: Vec::new(),
        skipped_total: 0,
        error: None,
    };
    if let Err(refusal) = fill(core, wanted, path, &mut file) {
        file.error = Some(refusal.told_of(path));
    }
    file
}

/// Surveys the file, then reads it again, batch by batch, into an import that is seen once it is whole.
fn fill(
    core: &Core,
    wanted: &Wanted,
    path: &Path,
    file: &mut api::MarketFile,
) -> Result<(), Refusal> {
    let open = || files::open(path).map_err(Refusal::Open);
    let survey = read(
        open()?,
        &wanted.options,
        |_: &[Bar]| Ok::<_, Infallible>(()),
    )?;
    file.format = Some(survey.format.to_string());
    file.bars = survey.bars;
    file.skipped_total = survey.problems_total;
    file.skipped = survey
        .problems
        .iter()
        .map(|problem| api::RowProblem {
            line: problem.line,
            reason: problem.reason.clone(),
        })
        .collect();
    if let Some(first) = survey.problems.first()
        && !wanted.skip_bad_rows
    {
        return Err(Refusal::BadRow {
            line: first.line,
            reason: first.reason.clone(),
            more: survey.problems_total - 1,
        });
    }
    if survey.bars == 0 {
        return Err(Refusal::NothingLeft);
    }
    let symbol = match &wanted.symbol {
        Some(symbol) => symbol.clone(),
        None => named_after(path, survey.format)?,
    };
    let interval = match wanted.interval {
        Some(interval) => interval,
        None => told(core, &symbol, &survey)?,
    };
    file.symbol = Some(symbol.clone());
    file.interval = Some(interval.to_string());
    let target = Target { symbol, interval };
    let merged = target.take(core.store(), open()?, &wanted.options, &survey);
    // What it took the place of, or what is left of one that was refused; the next import finds what stays.
    if let Err(reason) = sweep(core.store()) {
        tracing::warn!(%reason, "an import left something behind");
    }
    let merged = merged?;
    file.added = merged.added;
    file.replaced = merged.replaced;
    Ok(())
}

/// The symbol that a file's name says: all of it, or of a Binance file (`BTCUSDT-1h-2024-01`)
/// the first part.
fn named_after(path: &Path, format: Format) -> Result<String, AppError> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let named = match (format, stem.split_once('-')) {
        (Format::Klines, Some((first, _))) => first,
        _ => &stem,
    };
    symbol(named)
}

/// The interval by the times. A single bar has none of its own, nor have bars between which rows were left out: they are
/// taken as some of the symbol's only series, where the last falls in step with that.
fn told(core: &Core, symbol: &str, survey: &Survey) -> Result<Interval, Refusal> {
    let known = match survey.last_row {
        Some(time) if !survey.steady => {
            let stored = core
                .store()
                .read(|connection| market::of_symbol(connection, symbol))?;
            let [only] = stored.as_slice() else {
                return survey
                    .interval
                    .ok_or_else(|| MarketError::NoInterval { bars: survey.bars }.into());
            };
            only.interval
                .parse()
                .ok()
                .filter(|interval| match interval {
                    Interval::Fixed(span) => (time - only.last_ms) % span == 0,
                    Interval::Months(_) => survey.bars == 1,
                })
        }
        _ => None,
    };
    let unknown = MarketError::NoInterval { bars: survey.bars };
    known.or(survey.interval).ok_or_else(|| unknown.into())
}

/// The series that a file goes to.
struct Target {
    symbol: String,
    interval: Interval,
}

impl Target {
    fn take(
        self,
        store: &Store,
        input: File,
        options: &Options,
        survey: &Survey,
    ) -> Result<Merged, Refusal> {
        let Self { symbol, interval } = self;
        let name = interval.to_string();
        let there = store.read(|connection| market::series(connection, SOURCE, &symbol, &name))?;
        let has_volume = survey.has_volume;
        if there.is_some_and(|series| series.has_volume) && !has_volume {
            return Err(Refusal::NoVolume { symbol });
        }
        sweep(store)?;
        let mut staging = Some(store.write(move |transaction| {
            Staging::begin(transaction, SOURCE, &symbol, &name, has_volume)
        })?);
        let again = read(input, options, |batch: &[Bar]| -> Result<(), Refusal> {
            let bars = by_column(batch);
            // To the writer and back.
            if let Some(mut begun) = staging.take() {
                staging = Some(store.write(move |transaction| {
                    begun.merge(transaction, &bars)?;
                    Ok(begun)
                })?);
            }
            Ok(())
        })?;
        let Some(staging) = staging.filter(|_| again.hash == survey.hash) else {
            return Err(Refusal::Changed);
        };
        let mut sessions = Sessions::new(interval);
        store.read(|connection| staging.visit_times(connection, |times| sessions.learn(times)))?;
        store.read(|connection| staging.visit_times(connection, |times| sessions.count(times)))?;
        let gaps = sessions.gaps();
        Ok(store.write(move |transaction| staging.finish(transaction, gaps, now_ms()))?)
    }
}

/// Removes what earlier imports left, some at a time, so that others can write meanwhile.
pub(super) fn sweep(store: &Store) -> Result<(), StoreError> {
    while store.write(|transaction| staging::sweep(transaction))? {}
    Ok(())
}

fn by_column(batch: &[Bar]) -> Bars {
    let mut bars = Bars::default();
    for bar in batch {
        bars.push(
            bar.time,
            [bar.open, bar.high, bar.low, bar.close, bar.volume],
        );
    }
    bars
}
