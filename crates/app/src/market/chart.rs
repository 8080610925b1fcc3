//! Windows of prices and functions for the chart.

use artel_compute::{
    gpu::{Path, Router},
    indicators::{Call, Output, functions},
};
use artel_store::market::{self as store, Bars, Series};

use super::series;
use crate::{
    api::{Command, Handle, market as api},
    error::AppError,
    session::{Core, Session},
};

/// Bars of a window unless asked for otherwise.
const WINDOW: u32 = 2_000;

/// Most bars of a window.
const WINDOW_MOST: u32 = 20_000;

fn window(limit: Option<u32>) -> usize {
    usize::try_from(limit.unwrap_or(WINDOW).min(WINDOW_MOST)).unwrap_or(0)
}

impl Handle<api::MarketFunctions> for Session {
    async fn handle(
        &self,
        _: api::MarketFunctions,
    ) -> Result<<api::MarketFunctions as Command>::Reply, AppError> {
        let parameter = |parameter: artel_compute::indicators::Parameter| api::ParameterInfo {
            name: parameter.name.to_owned(),
            default: parameter.default,
            min: parameter.min,
            max: parameter.max,
            integer: parameter.integer,
            choices: parameter
                .choices
                .iter()
                .map(|(value, name)| (*value as f64, (*name).to_owned()))
                .collect(),
        };
        let info = functions().map(|function| api::FunctionInfo {
            name: function.name().to_owned(),
            title: function.title().to_owned(),
            group: function.group().to_owned(),
            parameters: function.parameters().map(parameter).collect(),
            inputs: function.inputs().into_iter().map(str::to_owned).collect(),
            outputs: function.outputs().collect(),
            overlap: function.overlap(),
            engine: if function.has_kernel() {
                "artel"
            } else {
                "ta-lib"
            }
            .to_owned(),
        });
        Ok(info.collect())
    }
}

async fn find(core: &Core, name: String) -> Result<Series, AppError> {
    let all = core.read(store::list).await?;
    series::find(&all, &name)
}

impl Handle<api::MarketBars> for Session {
    async fn handle(
        &self,
        command: api::MarketBars,
    ) -> Result<<api::MarketBars as Command>::Reply, AppError> {
        let series = find(&self.core, command.symbol).await?;
        let (id, limit) = (series.id, window(command.limit));
        let window = move |connection: &artel_store::Connection| {
            store::last_bars(connection, id, command.before, limit)
        };
        let (bars, more) = self.core.read(window).await?;
        let Bars {
            time,
            open,
            high,
            low,
            close,
            volume,
        } = bars;
        Ok(api::Bars {
            symbol: series.symbol,
            interval: series.interval,
            time,
            open,
            high,
            low,
            close,
            volume,
            more,
        })
    }
}

impl Handle<api::MarketOverlay> for Session {
    async fn handle(
        &self,
        command: api::MarketOverlay,
    ) -> Result<<api::MarketOverlay as Command>::Reply, AppError> {
        let call: Call = command.function.parse()?;
        let found = find(&self.core, command.symbol).await?;
        let of = found.clone();
        let bars = self
            .core
            .read(move |connection| series::load(connection, &of))
            .await?;
        let limit = window(command.limit);
        tokio::task::spawn_blocking(move || overlay(&call, &found, &bars, command.before, limit))
            .await?
    }
}

/// Computes over the whole series, so that a value never depends on the window it is seen in.
fn overlay(
    call: &Call,
    of: &Series,
    bars: &Bars,
    before: Option<i64>,
    limit: usize,
) -> Result<api::Overlay, AppError> {
    let (outputs, path) = computed(call, of, bars)?;
    let end = before.map_or(bars.len(), |before| {
        bars.time.partition_point(|time| *time < before)
    });
    let window = end.saturating_sub(limit)..end;
    let time = bars.time.get(window.clone()).unwrap_or_default();
    let column = |(name, output): (String, Output)| api::OverlayColumn {
        name,
        time: time.to_vec(),
        // The page knows neither NaN nor infinity: both are shown as no value.
        values: window
            .clone()
            .map(|bar| output.at(bar).filter(|value| value.is_finite()))
            .collect(),
    };
    Ok(api::Overlay {
        columns: call
            .columns()
            .into_iter()
            .zip(outputs)
            .map(column)
            .collect(),
        overlap: call.function().overlap(),
        backend: path.to_string(),
    })
}

fn computed(call: &Call, of: &Series, bars: &Bars) -> Result<(Vec<Output>, Path), AppError> {
    if let Some((kernel, period)) = call.kernel() {
        let made = kernel.run(period, &[&bars.close], &Router::default());
        let made = made.map_err(|reason| super::run::no_gpu(&reason))?;
        if let Some(made) = made.into_iter().next() {
            return Ok((vec![made.output], made.path));
        }
    }
    Ok((call.compute(&series::columns(bars, of))?, Path::Cpu))
}
