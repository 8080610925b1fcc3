//! Our own kernels: many series at once, on the CPU or the GPU.
//!
//! The CPU twin computes in 64 bits in ta-lib's order, series in parallel. The GPU has no 64-bit
//! numbers to rely on, so it works on prices as integer ticks and leaves the last step to the
//! host. A series whose prices are not ticks, or a period too long for the tolerance, is
//! computed on the CPU whatever was asked for; each result says its path.
//!
//! Tolerances, held by tests (the GPU's sums of ticks are exact, the CPU's running sum drifts as
//! ta-lib's does):
//!
//! | | against ta-lib | GPU against CPU |
//! |---|---|---|
//! | SMA | 1e-9 relative | 1e-9 relative, and 1e-12 of the largest price |
//! | EMA | 1e-9 relative | 5e-6 of the price |
//! | RSI | 1e-9 relative | 1e-4 points |

mod cpu;
mod gpu;
mod ticks;

use rayon::prelude::*;
use ta_lib::abstract_api::FuncId;

use super::output::{Output, Values};
use crate::gpu::{Gpu, GpuError, Path, Probe, Router};

/// A kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kernel {
    /// Simple moving average.
    Sma,
    /// Exponential moving average.
    Ema,
    /// Relative strength index.
    Rsi,
}

/// What a kernel made of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct Computed {
    /// The values.
    pub output: Output,
    /// Which path made them.
    pub path: Path,
}

/// Fewer series than the GPU walks at once leave most of it idle, which the measurement does not show.
const SERIES_FEW: usize = 64;

/// Series of a calibration, side by side.
const PROBE_SERIES: u64 = 256;

impl Kernel {
    pub(super) fn for_function(id: FuncId) -> Option<Self> {
        match id {
            FuncId::SMA => Some(Self::Sma),
            FuncId::EMA => Some(Self::Ema),
            FuncId::RSI => Some(Self::Rsi),
            _ => None,
        }
    }

    /// Bars before the first value.
    pub fn lookback(self, period: usize) -> usize {
        match self {
            Self::Sma | Self::Ema => period.saturating_sub(1),
            Self::Rsi => period,
        }
    }

    /// Computes all series, on the path that `router` chooses for so many bars. `period` is at
    /// least 1, and 2 for the RSI. Only a GPU that was asked for and is not there is an error.
    pub fn run(
        self,
        period: usize,
        series: &[&[f64]],
        router: &Router,
    ) -> Result<Vec<Computed>, GpuError> {
        let work = series.iter().map(|series| series.len() as u64).sum();
        let probe = Probe {
            sizes: [16 * PROBE_SERIES, 1024 * PROBE_SERIES],
            cpu: &|bars| probe_with(bars, |series| drop(self.on_cpu(period, series))),
            gpu: &|gpu, bars| {
                probe_with(bars, |series| {
                    gpu::compute(gpu, self, period, series).map(drop)
                })
            },
        };
        let served = (1..=gpu::longest_period(self)).contains(&period);
        let worth_asking = !router.measures() || series.len() >= SERIES_FEW;
        let device = if served && worth_asking {
            router.choose(gpu::shader(self).name, work, &probe)?
        } else {
            None
        };
        let on_gpu = match device {
            Some(device) => self.on_gpu(&device, period, series),
            None => vec![None; series.len()],
        };
        let finish = |(computed, series): (Option<Computed>, &&[f64])| {
            computed.unwrap_or_else(|| Computed {
                output: self.output(period, series),
                path: Path::Cpu,
            })
        };
        Ok(on_gpu
            .into_par_iter()
            .zip(series.par_iter())
            .map(finish)
            .collect())
    }

    fn on_gpu(self, device: &Gpu, period: usize, series: &[&[f64]]) -> Vec<Option<Computed>> {
        let path = Path::Gpu(device.facts().name.as_str().into());
        match gpu::compute(device, self, period, series) {
            Ok(outputs) => {
                let computed = |output: Option<Output>| {
                    let path = path.clone();
                    output.map(|output| Computed { output, path })
                };
                outputs.into_iter().map(computed).collect()
            }
            Err(error) => {
                tracing::warn!(kernel = ?self, %error, "computed on the CPU instead");
                vec![None; series.len()]
            }
        }
    }

    fn on_cpu(self, period: usize, series: &[&[f64]]) -> Vec<Output> {
        series
            .par_iter()
            .map(|series| self.output(period, series))
            .collect()
    }

    fn output(self, period: usize, series: &[f64]) -> Output {
        let values = Values::Real(cpu::compute(self, period, series));
        let first = if series.len() > self.lookback(period) {
            self.lookback(period)
        } else {
            0
        };
        Output { first, values }
    }
}

/// Gives about so many bars, in many equal series of prices, to `work`.
fn probe_with<T>(bars: u64, work: impl FnOnce(&[&[f64]]) -> T) -> T {
    let length = usize::try_from(bars / PROBE_SERIES).unwrap_or(1);
    let prices: Vec<f64> = (0..length)
        .map(|bar| 100.0 + (bar % 97) as f64 / 4.0)
        .collect();
    let series: Vec<&[f64]> = (0..PROBE_SERIES).map(|_| prices.as_slice()).collect();
    work(&series)
}

#[cfg(test)]
mod tests;
