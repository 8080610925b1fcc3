//! Price files: reading them, checking them, judging their rhythm.
//!
//! [`read`] streams bars out of any [`Read`](std::io::Read) in batches, in constant memory, and
//! reports every row that cannot be right with its line. It decides nothing: whether a file with
//! such rows is refused or imported without them is the caller's choice. The same call with a sink
//! that drops the batches surveys a file before anything is stored.
//!
//! Understood are comma, semicolon and tab separated files with a header (its time column may be
//! nameless), files without one (`time, open, high, low, close[, volume]`), Binance klines (twelve
//! columns) and MetaTrader exports (`<DATE> <TIME> …`). [`Layout`] documents the column names.
//!
//! [`Interval`] tells a series' rhythm from its times, [`Sessions`] learns when it is usually
//! open and counts the gaps that remain.

mod error;
mod interval;
mod layout;
mod lines;
mod reader;
mod sessions;
mod time;

#[cfg(test)]
mod tests;

pub use error::{MarketError, ReadError, RowProblem};
pub use interval::{Interval, IntervalParseError};
pub use layout::{Field, Format, Layout};
pub use reader::{BATCH, Options, PROBLEMS_LISTED, Survey, read};
pub use sessions::Sessions;
pub use time::{Zone, ZoneError};

/// One bar: prices and volume of one interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bar {
    /// Start of the bar as the file tells it, Unix milliseconds.
    pub time: i64,
    /// First price.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
    /// Volume; zero where the file has none (see [`Survey::has_volume`]).
    pub volume: f64,
}
