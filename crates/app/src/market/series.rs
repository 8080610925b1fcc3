//! Series by the names people use.

use std::collections::HashMap;

use artel_compute::indicators::{Ohlcv, spelling};
use artel_store::{
    Connection, StoreError,
    market::{self as store, Bars, Series},
};

use crate::{
    api::market::SeriesInfo,
    error::{AppError, Code},
};

/// Parts a symbol from an interval.
pub(super) const AT: char = '@';

/// What a series is asked for by: its symbol, with the interval where the symbol has several.
pub(super) fn labels(all: &[Series]) -> Vec<String> {
    let mut count: HashMap<&str, u32> = HashMap::new();
    for series in all {
        *count.entry(&series.symbol).or_default() += 1;
    }
    let label = |series: &Series| match count.get(series.symbol.as_str()) {
        Some(1) => series.symbol.clone(),
        _ => format!("{}{AT}{}", series.symbol, series.interval),
    };
    all.iter().map(label).collect()
}

/// All series as the list shows them.
pub(super) fn list(all: Vec<Series>) -> Vec<SeriesInfo> {
    let labels = labels(&all);
    let info = |(series, label): (Series, String)| SeriesInfo {
        series: label,
        change: if series.previous_close > 0.0 {
            series.last_close / series.previous_close - 1.0
        } else {
            0.0
        },
        symbol: series.symbol,
        interval: series.interval,
        has_volume: series.has_volume,
        bars: series.bars,
        from: series.first_ms,
        to: series.last_ms,
        last: series.last_close,
        gaps: series.gaps,
    };
    all.into_iter().zip(labels).map(info).collect()
}

/// Finds a series by symbol, in any case where that is unique, or `SYMBOL@INTERVAL`.
pub(super) fn find(all: &[Series], name: &str) -> Result<Series, AppError> {
    let (symbol, interval) = match name.rsplit_once(AT) {
        Some((symbol, interval)) => (symbol, Some(interval)),
        None => (name, None),
    };
    let of = |equal: &dyn Fn(&str) -> bool| -> Vec<&Series> {
        let fits = |series: &&Series| {
            equal(&series.symbol) && interval.is_none_or(|interval| series.interval == interval)
        };
        all.iter().filter(fits).collect()
    };
    let mut found = of(&|other| other == symbol);
    if found.is_empty() {
        found = of(&|other| other.to_lowercase() == symbol.to_lowercase());
    }
    match found.as_slice() {
        [one] => Ok((*one).clone()),
        [] => {
            let labels = labels(all);
            let near = spelling::nearest(name, labels.iter().map(String::as_str));
            let close = if near.is_empty() {
                String::new()
            } else {
                format!("; close to it: {}", near.join(", "))
            };
            Err(AppError::new(
                Code::NotFound,
                format!("there are no prices of \"{name}\"{close}"),
                "See which there are: artel market list. Add some: artel market import FILE",
            )
            .param("symbol", name))
        }
        several => {
            let choices: Vec<_> = several
                .iter()
                .map(|series| format!("{}{AT}{}", series.symbol, series.interval))
                .collect();
            Err(AppError::new(
                Code::Ambiguous,
                format!("\"{name}\" fits several series: {}", choices.join(", ")),
                "Name one of them.",
            )
            .param("symbol", name))
        }
    }
}

/// A series with all its bars.
pub(super) fn load(connection: &Connection, series: &Series) -> Result<Bars, StoreError> {
    store::bars(connection, series.id)
}

/// The columns as functions take them.
pub(super) fn columns<'a>(bars: &'a Bars, series: &Series) -> Ohlcv<'a> {
    Ohlcv {
        open: &bars.open,
        high: &bars.high,
        low: &bars.low,
        close: &bars.close,
        volume: series.has_volume.then_some(bars.volume.as_slice()),
    }
}
