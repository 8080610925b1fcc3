//! The kernels on the CPU, in 64-bit arithmetic and ta-lib's order.

use super::Kernel;

/// Values from the first defined bar on; empty where the series is too short.
pub(super) fn compute(kernel: Kernel, period: usize, series: &[f64]) -> Vec<f64> {
    if series.len() <= kernel.lookback(period) {
        return Vec::new();
    }
    match kernel {
        Kernel::Sma => sma(period, series),
        Kernel::Ema => ema(period, series),
        Kernel::Rsi => rsi(period, series),
    }
}

/// Mean of the last `period` values, from a running sum.
fn sma(period: usize, series: &[f64]) -> Vec<f64> {
    let (head, tail) = series.split_at(period - 1);
    let mut sum = head.iter().fold(0.0, |sum, value| sum + value);
    let step = |(new, old): (&f64, &f64)| {
        let total = sum + new;
        sum = total - old;
        total / period as f64
    };
    tail.iter().zip(series).map(step).collect()
}

/// Exponential mean with k = 2 / (period + 1), seeded with the mean of the first `period` values.
fn ema(period: usize, series: &[f64]) -> Vec<f64> {
    if period == 1 {
        return series.to_vec();
    }
    let keep = (period - 1) as f64 / (period + 1) as f64;
    let weight = 1.0 - keep;
    let (head, tail) = series.split_at(period);
    let mut mean = head.iter().fold(0.0, |sum, value| sum + value) / period as f64;
    let mut values = Vec::with_capacity(tail.len() + 1);
    values.push(mean);
    values.extend(tail.iter().map(|value| {
        mean = keep * mean + weight * value;
        mean
    }));
    values
}

/// Wilder's relative strength: 100 · gain / (gain + loss) of smoothed changes, 50 where nothing
/// ever moved.
fn rsi(period: usize, series: &[f64]) -> Vec<f64> {
    let inverse = 1.0 / period as f64;
    let keep = (period - 1) as f64;
    let mut changes = series
        .iter()
        .zip(series.iter().skip(1))
        .map(|(before, value)| {
            let change = value - before;
            let gain = if change > 0.0 { change } else { 0.0 };
            (gain, gain - change)
        });
    let (mut gain, mut loss) = (0.0, 0.0);
    for (up, down) in changes.by_ref().take(period) {
        gain += up;
        loss += down;
    }
    gain *= inverse;
    loss *= inverse;
    let mut values = Vec::with_capacity(series.len() - period);
    values.push(strength(gain, loss));
    values.extend(changes.map(|(up, down)| {
        gain = (gain * keep + up) * inverse;
        loss = (loss * keep + down) * inverse;
        strength(gain, loss)
    }));
    values
}

/// The index from smoothed gains and losses.
pub(super) fn strength(gain: f64, loss: f64) -> f64 {
    let total = gain + loss;
    if total > 0.0 {
        100.0 * (gain / total)
    } else {
        50.0
    }
}
