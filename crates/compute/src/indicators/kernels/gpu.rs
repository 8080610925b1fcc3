//! The kernels on the GPU: series side by side, bar by bar, in chunks of rows.
//!
//! Only series that are ticks ([`Ticks`]) go to the GPU, and only with periods that hold the
//! tolerances of [`super`]; the others come back as `None` and belong to the CPU.

use bytemuck::{Pod, Zeroable};

use super::{Kernel, cpu, ticks::Ticks};
use crate::{
    gpu::{self, Dispatch, Gpu, GpuError},
    indicators::output::{Output, Values},
};

const WGSL: &str = include_str!("recursions.wgsl");

const SMA: gpu::Kernel = gpu::Kernel {
    name: "indicators_sma",
    wgsl: WGSL,
    entry: "sma",
};
const EMA: gpu::Kernel = gpu::Kernel {
    name: "indicators_ema",
    wgsl: WGSL,
    entry: "ema",
};
const RSI: gpu::Kernel = gpu::Kernel {
    name: "indicators_rsi",
    wgsl: WGSL,
    entry: "rsi",
};

/// Invocations of a workgroup, as the shader says.
const GROUP: usize = 64;

/// Series of one dispatch.
const SERIES_MOST: usize = 16_384;

/// Rows of one dispatch. Systems reset a device that works on one for seconds, and Mesa's
/// software adapter leaves any loop after 65,535 rounds without a word.
const ROWS_MOST: usize = 32_768;

/// Bytes of the values of one dispatch.
const CHUNK_BYTES: usize = 32 << 20;

/// A value takes two 32-bit words.
const VALUE_BYTES: usize = 8;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    series: u32,
    rows: u32,
    lead: u32,
    first_row: u32,
    period: u32,
    weight: f32,
    padding: [u32; 2],
}

/// The shader's name and entry of a kernel.
pub(super) fn shader(kernel: Kernel) -> &'static gpu::Kernel {
    match kernel {
        Kernel::Sma => &SMA,
        Kernel::Ema => &EMA,
        Kernel::Rsi => &RSI,
    }
}

/// Longest period that the GPU serves within the tolerances.
pub(super) fn longest_period(kernel: Kernel) -> usize {
    match kernel {
        // Exact; the limit is the memory of the bars before a chunk.
        Kernel::Sma => 10_000,
        // The fraction is kept to 2⁻²⁵ ticks, an error that the recursion multiplies by half
        // the period.
        Kernel::Ema => 1_000,
        // Each bar cuts off up to 2⁻³¹ ticks, which adds up over the period, while the sum of
        // the means may be as small as a tick over the period: 100 · 64² / 2³² is below 1e-4.
        Kernel::Rsi => 64,
    }
}

/// Whether the means of the RSI still are numbers in full precision on the CPU after so many bars without a change. There
/// they shrink by 1 - 1/period a bar and end as nothing, which makes 50; here their relation is kept for ever. e⁻⁶⁰⁰ leaves
/// enough of the range of doubles for any price.
fn is_short_calm(period: usize, bars: usize) -> bool {
    let shrinks = -(1.0 - 1.0 / period as f64).ln();
    bars as f64 * shrinks <= 600.0
}

/// The longest run of bars without a change.
fn longest_calm(ticks: &[i32]) -> usize {
    let runs = ticks.chunk_by(|one, next| one == next);
    runs.map(<[i32]>::len).max().unwrap_or(0)
}

/// One output for each series; `None` for those that the CPU has to do.
pub(super) fn compute(
    gpu: &Gpu,
    kernel: Kernel,
    period: usize,
    series: &[&[f64]],
) -> Result<Vec<Option<Output>>, GpuError> {
    let mut outputs = vec![None; series.len()];
    if period == 0 || period > longest_period(kernel) {
        return Ok(outputs);
    }
    let first = kernel.lookback(period);
    let ticks = series.iter().enumerate().filter_map(|(index, prices)| {
        (prices.len() > first)
            .then(|| Ticks::of(prices).map(|ticks| (index, ticks)))
            .flatten()
            .filter(|(_, ticks)| {
                kernel != Kernel::Rsi || is_short_calm(period, longest_calm(&ticks.ticks))
            })
    });
    let mut ticks: Vec<(usize, Ticks)> = ticks.collect();
    // Neighbours of like length waste few rows.
    ticks.sort_by_key(|(_, ticks)| ticks.ticks.len());
    for group in ticks.chunks(SERIES_MOST) {
        let values = Walk::new(gpu, kernel, period, group)?.run()?;
        for ((index, _), values) in group.iter().zip(values) {
            if let Some(output) = outputs.get_mut(*index) {
                *output = Some(Output {
                    first,
                    values: Values::Real(values),
                });
            }
        }
    }
    Ok(outputs)
}

/// A group of series on its way through the GPU.
struct Walk<'a> {
    gpu: &'a Gpu,
    kernel: Kernel,
    period: usize,
    group: &'a [(usize, Ticks)],
    lengths: gpu::Buffer,
    carried: gpu::Buffer,
}

impl<'a> Walk<'a> {
    fn new(
        gpu: &'a Gpu,
        kernel: Kernel,
        period: usize,
        group: &'a [(usize, Ticks)],
    ) -> Result<Self, GpuError> {
        let lengths: Vec<u32> = group
            .iter()
            .map(|(_, ticks)| word(ticks.ticks.len()))
            .collect();
        let mut carried: Vec<[u32; 4]> = group
            .iter()
            .map(|(_, ticks)| seed(kernel, period, &ticks.ticks))
            .collect();
        carried.resize(2 * group.len(), [0; 4]);
        Ok(Self {
            gpu,
            kernel,
            period,
            group,
            lengths: gpu.upload(bytemuck::cast_slice(&lengths))?,
            carried: gpu.upload(bytemuck::cast_slice(&carried))?,
        })
    }

    fn run(&self) -> Result<Vec<Vec<f64>>, GpuError> {
        let longest = self
            .group
            .iter()
            .map(|(_, ticks)| ticks.ticks.len())
            .max()
            .unwrap_or(0);
        let binding = usize::try_from(self.gpu.max_binding()).unwrap_or(usize::MAX);
        let values_a_row = self.group.len() * VALUE_BYTES;
        let rows_most = (CHUNK_BYTES.min(binding) / values_a_row).clamp(1, ROWS_MOST);
        let mut values: Vec<Vec<f64>> = self
            .group
            .iter()
            .map(|(_, ticks)| {
                Vec::with_capacity(ticks.ticks.len() - self.kernel.lookback(self.period))
            })
            .collect();
        let mut first_row = 0;
        while first_row < longest {
            let rows = rows_most.min(longest - first_row);
            let words = self.chunk(first_row, rows)?;
            self.collect(first_row, &words, &mut values);
            first_row += rows;
        }
        Ok(values)
    }

    /// Bars before a chunk that its first rows look back on.
    fn lead(&self, first_row: usize) -> usize {
        match self.kernel {
            Kernel::Sma => self.period.min(first_row),
            Kernel::Ema => 0,
            Kernel::Rsi => 1.min(first_row),
        }
    }

    /// Runs the rows from `first_row` on; two words a value, series side by side.
    fn chunk(&self, first_row: usize, rows: usize) -> Result<Vec<[u32; 2]>, GpuError> {
        let series = self.group.len();
        let lead = self.lead(first_row);
        let mut ticks = vec![0_i32; (lead + rows) * series];
        for (column, (_, source)) in self.group.iter().enumerate() {
            let places = ticks.iter_mut().skip(column).step_by(series);
            for (place, tick) in places.zip(source.ticks.iter().skip(first_row - lead)) {
                *place = *tick;
            }
        }
        let params = Params {
            series: word(series),
            rows: word(rows),
            lead: word(lead),
            first_row: word(first_row),
            period: word(self.period),
            weight: single(2.0 / (self.period as f64 + 1.0)),
            padding: [0; 2],
        };
        let params = self.gpu.uniform(bytemuck::bytes_of(&params))?;
        let ticks = self.gpu.upload(bytemuck::cast_slice(&ticks))?;
        let values = self.gpu.storage((rows * series * VALUE_BYTES) as u64)?;
        let dispatch = Dispatch {
            kernel: shader(self.kernel),
            buffers: &[&params, &ticks, &self.lengths, &self.carried, &values],
            groups: [word(series.div_ceil(GROUP)), 1, 1],
        };
        let read = self.gpu.run(&[dispatch], &[&values])?;
        let bytes = read.first().map(Vec::as_slice).unwrap_or_default();
        if bytes.len() != rows * series * VALUE_BYTES {
            return Err(GpuError::Failed(
                "fewer values came back than were computed".to_owned(),
            ));
        }
        Ok(bytemuck::pod_collect_to_vec(bytes))
    }

    /// Combines the words of a chunk to values, leaving out what is not defined.
    fn collect(&self, first_row: usize, words: &[[u32; 2]], values: &mut [Vec<f64>]) {
        let first = self.kernel.lookback(self.period);
        let series = self.group.len();
        for (column, ((_, ticks), values)) in self.group.iter().zip(values).enumerate() {
            let scale = f64::from(ticks.scale);
            let skipped = first.saturating_sub(first_row);
            let left = ticks.ticks.len().saturating_sub(first_row);
            let rows = words
                .iter()
                .skip(column)
                .step_by(series)
                .take(left)
                .skip(skipped);
            values.extend(rows.map(|words| combined(self.kernel, self.period, *words, scale)));
        }
    }
}

/// A value from the two words that the shader left.
fn combined(kernel: Kernel, period: usize, [low, high]: [u32; 2], scale: f64) -> f64 {
    match kernel {
        Kernel::Sma => {
            let sum = (u64::from(high) << 32) | u64::from(low);
            sum as f64 / period as f64 / scale
        }
        Kernel::Ema => (f64::from(low.cast_signed()) + f64::from(f32::from_bits(high))) / scale,
        Kernel::Rsi => cpu::strength(f32::from_bits(low).into(), f32::from_bits(high).into()),
    }
}

/// What the first chunk begins with.
fn seed(kernel: Kernel, period: usize, ticks: &[i32]) -> [u32; 4] {
    match kernel {
        Kernel::Sma => [0; 4],
        Kernel::Ema => {
            let sum: i64 = ticks.iter().take(period).map(|tick| i64::from(*tick)).sum();
            let period = i64::try_from(period).unwrap_or(i64::MAX);
            let (whole, rest) = (sum / period, sum % period);
            let whole = i32::try_from(whole).unwrap_or(i32::MAX);
            [
                whole.cast_unsigned(),
                single(rest as f64 / period as f64).to_bits(),
                0,
                0,
            ]
        }
        Kernel::Rsi => {
            let changes = ticks.iter().zip(ticks.iter().skip(1)).take(period);
            let (mut gain, mut loss) = (0_i64, 0_i64);
            for (before, tick) in changes {
                let change = i64::from(*tick) - i64::from(*before);
                gain += change.max(0);
                loss += (-change).max(0);
            }
            let [gain, loss] = [gain, loss].map(|sum| fixed(sum.unsigned_abs(), period));
            [gain.0, gain.1, loss.0, loss.1]
        }
    }
}

/// A mean of ticks in fixed point, as (low, high). The sum of up to 64 changes below 2³⁰ ticks
/// fits beside the 32 bits of the fraction once it is divided.
fn fixed(sum: u64, count: usize) -> (u32, u32) {
    let mean = (u128::from(sum) << 32) / (count as u128).max(1);
    let word = |bits: u128| u32::try_from(bits & u128::from(u32::MAX)).unwrap_or(u32::MAX);
    (word(mean), word(mean >> 32))
}

/// A count as the shader takes it; everything here is far below the limit.
fn word(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The nearest single-precision number.
#[expect(
    clippy::cast_possible_truncation,
    reason = "rounding is what is wanted"
)]
fn single(value: f64) -> f32 {
    value as f32
}
