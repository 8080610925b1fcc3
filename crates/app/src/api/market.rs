//! Prices and indicators.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::error::AppError;

/// Imports price files.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct MarketImport {
    /// Absolute paths of files and folders.
    pub paths: Vec<String>,
    /// Symbol; from the file name unless given. Only for one file.
    pub symbol: Option<String>,
    /// Interval such as `1d` or `1h`; inferred unless given.
    pub interval: Option<String>,
    /// Column mapping: (`time|open|high|low|close|volume`, header name).
    #[serde(default)]
    pub map: Vec<(String, String)>,
    /// Time zone of times without one: UTC unless given.
    pub tz: Option<String>,
    /// Leave out impossible rows instead of refusing the file.
    #[serde(default)]
    pub skip_bad_rows: bool,
}

/// Lists price series.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
pub struct MarketList {}

/// Lists the functions of the catalogue.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
pub struct MarketFunctions {}

/// Reads bars for a chart.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct MarketBars {
    /// Symbol; `SYMBOL@INTERVAL` where it has several intervals (see [`SeriesInfo::series`]).
    pub symbol: String,
    /// Only bars before this time, Unix milliseconds.
    pub before: Option<i64>,
    /// At most this many, newest kept: 2,000 unless given, 20,000 at most.
    pub limit: Option<u32>,
}

/// Computes one function over a symbol for a chart, aligned with `market.bars` of the same window.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct MarketOverlay {
    /// As in `market.bars`.
    pub symbol: String,
    /// Function and parameters, such as `SMA:50` or `MACD:12:26:9`.
    pub function: String,
    /// As in `market.bars`.
    pub before: Option<i64>,
    /// As in `market.bars`.
    pub limit: Option<u32>,
}

/// Computes indicators over whole series and writes them to a file or folder.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct MarketIndicators {
    /// Symbols, as in `market.bars`; all series when empty.
    pub symbols: Vec<String>,
    /// Functions with parameters; every function with defaults when empty.
    #[serde(default)]
    pub only: Vec<String>,
    /// A `.csv` file in long form, or a folder for a file a symbol.
    pub out: Option<String>,
    /// `auto`, `cpu` or `gpu`: `auto` unless given.
    pub backend: Option<String>,
}

/// Outcome of an import.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct MarketImported {
    /// A report a file, in order.
    pub files: Vec<MarketFile>,
}

/// What became of one file.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct MarketFile {
    /// The file.
    pub path: String,
    /// Symbol it was stored under.
    pub symbol: Option<String>,
    /// Interval such as `1d`.
    pub interval: Option<String>,
    /// Format that was recognised.
    pub format: Option<String>,
    /// Bars read.
    pub bars: u64,
    /// Bars that were new.
    pub added: u64,
    /// Bars that replaced others.
    pub replaced: u64,
    /// Rows left out, each with line and reason; at most 100 are listed.
    pub skipped: Vec<RowProblem>,
    /// How many rows were left out.
    pub skipped_total: u64,
    /// Why the file was refused, if it was.
    pub error: Option<AppError>,
}

/// A row that cannot be right.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct RowProblem {
    /// Line in the file, from 1.
    pub line: u64,
    /// What is wrong.
    pub reason: String,
}

/// A price series.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct SeriesInfo {
    /// What to ask for it by: the symbol, or `SYMBOL@INTERVAL` where it has several intervals.
    pub series: String,
    /// Symbol.
    pub symbol: String,
    /// Interval such as `1d`.
    pub interval: String,
    /// Whether volumes are known.
    pub has_volume: bool,
    /// Number of bars.
    pub bars: u64,
    /// First bar, Unix milliseconds.
    pub from: i64,
    /// Last bar, Unix milliseconds.
    pub to: i64,
    /// Last close.
    pub last: f64,
    /// Change of the last close against the one before, as a fraction.
    pub change: f64,
    /// Gaps longer than usual.
    pub gaps: u64,
}

/// A function of the catalogue.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct FunctionInfo {
    /// Name, such as `RSI`.
    pub name: String,
    /// What it is called in words.
    pub title: String,
    /// Group, such as `Momentum Indicators`.
    pub group: String,
    /// Parameters with defaults, in order.
    pub parameters: Vec<ParameterInfo>,
    /// Columns it reads, in order.
    pub inputs: Vec<String>,
    /// Output names, in order; empty for the one that bears the function's own name.
    pub outputs: Vec<String>,
    /// Whether it is drawn over the prices.
    pub overlap: bool,
    /// `ta-lib`, or `artel` where our own kernels serve it.
    pub engine: String,
}

/// A parameter of a function.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct ParameterInfo {
    /// Its name.
    pub name: String,
    /// Default value.
    pub default: f64,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// Whether only whole numbers make sense.
    pub integer: bool,
    /// Value and name of each choice, where it is chosen from a list.
    pub choices: Vec<(f64, String)>,
}

/// Bars by column; all columns have the same length.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Bars {
    /// Symbol.
    pub symbol: String,
    /// Interval such as `1d`.
    pub interval: String,
    /// Start of each bar, Unix milliseconds.
    pub time: Vec<i64>,
    /// Open.
    pub open: Vec<f64>,
    /// High.
    pub high: Vec<f64>,
    /// Low.
    pub low: Vec<f64>,
    /// Close.
    pub close: Vec<f64>,
    /// Volume.
    pub volume: Vec<f64>,
    /// Whether there are older bars.
    pub more: bool,
}

/// Values of a function, aligned with the bars.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Overlay {
    /// Columns such as `SMA_50`.
    pub columns: Vec<OverlayColumn>,
    /// Whether it is drawn over the prices.
    pub overlap: bool,
    /// `cpu`, or `gpu: ADAPTER`.
    pub backend: String,
}

/// One output.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct OverlayColumn {
    /// Column name, such as `MACD_12_26_9_signal`.
    pub name: String,
    /// Start of each bar, Unix milliseconds.
    pub time: Vec<i64>,
    /// Values; absent where undefined.
    pub values: Vec<Option<f64>>,
}

/// Outcome of an indicator run.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct IndicatorsDone {
    /// Id for sharing, as `run:7`.
    pub run: String,
    /// A line a symbol.
    pub symbols: Vec<SymbolRun>,
    /// Files written.
    pub out: Vec<String>,
}

/// What was computed for one symbol.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct SymbolRun {
    /// Symbol.
    pub symbol: String,
    /// Number of bars.
    pub bars: u64,
    /// Number of functions computed; those that need volumes are left out where there are none.
    pub functions: u32,
    /// Seconds it took, writing included.
    pub seconds: f64,
    /// Always `miss`: results are not kept yet.
    pub cache: String,
    /// `cpu`, `gpu: ADAPTER`, or both.
    pub backend: String,
    /// Why the symbol failed, if it did.
    pub error: Option<String>,
}
