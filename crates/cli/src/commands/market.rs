//! `artel market`.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use artel_app::{
    api::market::{
        FunctionInfo, IndicatorsDone, MarketFile, MarketFunctions, MarketImport, MarketIndicators,
        MarketList, SeriesInfo, SymbolRun,
    },
    error::{AppError, Code},
    files,
};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::imports::{self, Imported as _, column};
use crate::context::{Context, Exit, absolute, folder_or_file};

#[derive(Subcommand)]
pub(crate) enum MarketCommand {
    /// Import price files
    #[command(
        after_help = "Example:\n  artel market import GOOG.csv prices/ --tz America/New_York"
    )]
    Import(ImportArgs),
    /// List the price series
    #[command(after_help = "Example:\n  artel market list --json")]
    List,
    /// List the functions with their parameters
    #[command(after_help = "Example:\n  artel market functions")]
    Functions,
    /// Compute indicators over whole series
    #[command(
        after_help = "Examples:\n  artel market indicators --symbol GOOG --out goog.csv\n  \
        artel market indicators --symbols GOOG,EURUSD --only RSI,MACD:12:26:9 --out out/"
    )]
    Indicators(IndicatorsArgs),
}

#[derive(Args)]
pub(crate) struct ImportArgs {
    /// Files, and folders of .csv, .tsv and .txt files
    #[arg(required = true, value_name = "FILE|DIR")]
    files: Vec<PathBuf>,
    /// Symbol; from the file name unless given
    #[arg(long, value_name = "S")]
    symbol: Option<String>,
    /// Interval such as 1h, 1d or 1mo; told from the times unless given
    #[arg(long, value_name = "I")]
    interval: Option<String>,
    /// Names a column: time, open, high, low, close or volume by its header, or by number from 1
    #[arg(long, value_name = "C=F", value_parser = column)]
    map: Vec<(String, String)>,
    /// Time zone of times that name none, such as Europe/Kyiv; UTC unless given
    #[arg(long, value_name = "Z")]
    tz: Option<String>,
    /// Leave out rows that cannot be right instead of refusing the file
    #[arg(long)]
    skip_bad_rows: bool,
}

#[derive(Args)]
pub(crate) struct IndicatorsArgs {
    #[command(flatten)]
    which: Which,
    /// Functions with parameters; every function with its defaults unless given
    #[arg(long, value_name = "F[:P…],…", value_delimiter = ',')]
    only: Vec<String>,
    /// A .csv file for all symbols, or a folder for a file a symbol
    #[arg(long, value_name = "F.csv|DIR/")]
    out: Option<PathBuf>,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// One symbol
    #[arg(long, value_name = "S")]
    symbol: Option<String>,
    /// Several symbols
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    symbols: Vec<String>,
    /// A file with one symbol a line; # begins a comment
    #[arg(long, value_name = "FILE")]
    batch: Option<PathBuf>,
}

pub(crate) async fn run(context: &Context, command: MarketCommand) -> anyhow::Result<Exit> {
    match command {
        MarketCommand::Import(args) => import(context, args).await,
        MarketCommand::List => list(context).await,
        MarketCommand::Functions => functions(context).await,
        MarketCommand::Indicators(args) => indicators(context, args).await,
    }
}

async fn import(context: &Context, args: ImportArgs) -> anyhow::Result<Exit> {
    let command = MarketImport {
        paths: args
            .files
            .iter()
            .map(|path| absolute(path))
            .collect::<Result<_, _>>()?,
        symbol: args.symbol,
        interval: args.interval,
        map: args.map,
        tz: args.tz,
        skip_bad_rows: args.skip_bad_rows,
    };
    let client = context.client().await?;
    let imported = client.call(command).await;
    client.close().await;
    let header = [
        "symbol", "interval", "bars", "added", "replaced", "skipped", "file",
    ];
    imports::report(context, &imported?.files, &header, file_row)
}

fn file_row(file: &MarketFile) -> Vec<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    vec![
        text(&file.symbol),
        text(&file.interval),
        file.bars.to_string(),
        file.added.to_string(),
        file.replaced.to_string(),
        file.skipped_total.to_string(),
        file.named(),
    ]
}

async fn list(context: &Context) -> anyhow::Result<Exit> {
    let client = context.client().await?;
    let series = client.call(MarketList {}).await;
    client.close().await;
    let header = [
        "series", "interval", "bars", "from", "to", "last", "change", "gaps",
    ];
    context.output.many(
        &series?,
        &header,
        series_row,
        "No prices yet. Add some: artel market import FILE",
    )?;
    Ok(Exit::Done)
}

fn series_row(series: &SeriesInfo) -> Vec<String> {
    vec![
        series.series.clone(),
        series.interval.clone(),
        series.bars.to_string(),
        stamp(series.from),
        stamp(series.to),
        series.last.to_string(),
        format!("{:+.2} %", series.change * 100.0),
        series.gaps.to_string(),
    ]
}

/// A time for people, in UTC; days without their midnight.
fn stamp(time: i64) -> String {
    let Ok(stamp) = jiff::Timestamp::from_millisecond(time) else {
        return time.to_string();
    };
    let text = stamp.strftime("%Y-%m-%d %H:%M").to_string();
    text.strip_suffix(" 00:00").unwrap_or(&text).to_owned()
}

async fn functions(context: &Context) -> anyhow::Result<Exit> {
    let client = context.client().await?;
    let functions = client.call(MarketFunctions {}).await;
    client.close().await;
    let header = ["function", "reads", "group", "title"];
    context
        .output
        .many(&functions?, &header, function_row, "")?;
    Ok(Exit::Done)
}

fn function_row(function: &FunctionInfo) -> Vec<String> {
    let mut call = function.name.clone();
    for parameter in &function.parameters {
        // Writing to a String cannot fail.
        let _ = write!(call, ":{}", parameter.default);
    }
    vec![
        call,
        function.inputs.join(", "),
        function.group.clone(),
        function.title.clone(),
    ]
}

async fn indicators(context: &Context, args: IndicatorsArgs) -> anyhow::Result<Exit> {
    let symbols = match (&args.which.symbol, &args.which.batch) {
        (Some(symbol), _) => vec![symbol.clone()],
        (_, Some(file)) => batch(file)?,
        _ => args.which.symbols,
    };
    let command = MarketIndicators {
        symbols,
        only: args.only,
        out: args.out.as_deref().map(folder_or_file).transpose()?,
        backend: Some(context.backend()),
    };
    let client = context.client().await?;
    let done = client.call(command).await;
    client.close().await;
    let done = done?;
    let header = ["symbol", "bars", "functions", "seconds", "cache", "backend"];
    let lines: Vec<_> = done
        .symbols
        .iter()
        .map(|symbol| Line::of(symbol, &done))
        .collect();
    context
        .output
        .many(&lines, &header, |line| symbol_row(line.symbol), "")?;
    for file in &done.out {
        context.output.hint(&format!("Written: {file}"));
    }
    if !done.out.is_empty() {
        context
            .output
            .hint(&format!("Share it: artel share {} --room ROOM", done.run));
    }
    let failed: Vec<&SymbolRun> = done
        .symbols
        .iter()
        .filter(|symbol| symbol.error.is_some())
        .collect();
    for symbol in &failed {
        context.output.hint(&format!(
            "{}: {}",
            symbol.symbol,
            symbol.error.as_deref().unwrap_or_default()
        ));
    }
    Ok(if failed.is_empty() {
        Exit::Done
    } else {
        Exit::InPart
    })
}

/// A symbol as a program reads it: with what its run is called and where the values went.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    symbol: &'a SymbolRun,
    run: &'a str,
    out: &'a [String],
}

impl<'a> Line<'a> {
    fn of(symbol: &'a SymbolRun, run: &'a IndicatorsDone) -> Self {
        Self {
            symbol,
            run: &run.run,
            out: &run.out,
        }
    }
}

fn symbol_row(symbol: &SymbolRun) -> Vec<String> {
    vec![
        symbol.symbol.clone(),
        symbol.bars.to_string(),
        symbol.functions.to_string(),
        format!("{:.3}", symbol.seconds),
        symbol.cache.clone(),
        if symbol.error.is_some() {
            "failed".to_owned()
        } else {
            symbol.backend.clone()
        },
    ]
}

/// The symbols of a batch file.
fn batch(file: &Path) -> anyhow::Result<Vec<String>> {
    let text = std::fs::read_to_string(file).map_err(|reason| files::unread(file, &reason))?;
    let symbols = symbols_of(&text);
    if symbols.is_empty() {
        return Err(AppError::new(
            Code::BadInput,
            format!("{} names no symbol", file.display()),
            "Write one symbol a line; # begins a comment.",
        )
        .into());
    }
    Ok(symbols)
}

fn symbols_of(text: &str) -> Vec<String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let names = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim());
    names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_file_may_have_comments() {
        let text = "\u{feff}# my list\r\nGOOG\r\n\r\n  EURUSD  # hourly\nСбербанк\n#";
        assert_eq!(symbols_of(text), ["GOOG", "EURUSD", "Сбербанк"]);
        assert!(symbols_of("# nothing\n\n").is_empty());
    }

    #[test]
    fn a_column_is_named_by_its_header() {
        assert_eq!(
            column("close=Adj Close"),
            Ok(("close".to_owned(), "Adj Close".to_owned()))
        );
        assert!(column("close").is_err());
        assert!(column("=x").is_err());
    }
}
