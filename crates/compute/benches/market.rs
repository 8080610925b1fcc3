//! Our indicator kernels beside the `ta-lib` crate, on the same prices in the same process.
//!
//! The crate is given its best: its plain functions, one call a series, over rayon where there are
//! several. Ours are called as the application calls them, through the router's interface.

#![allow(clippy::print_stdout, reason = "benchmarks print")]

use std::{hint::black_box, process::ExitCode, sync::Arc};

use anyhow::{Context, bail, ensure};
use artel_compute::{
    gpu::{AdapterKind, Backend, Gpu, Path, Router},
    indicators::{
        Values,
        kernels::{Computed, Kernel},
    },
};
use artel_measure::{Noise, Table, Times, race};
use rayon::prelude::*;
use ta_lib::Core;

/// Bars of the long series.
const LONG: usize = 1_000_000;
/// Series and bars of the wide shape.
const WIDE: (usize, usize) = (500, 5_000);
/// Periods of the grid.
const GRID: std::ops::RangeInclusive<usize> = 2..=65;
/// Kernels with the period they are known by.
const KERNELS: [(Kernel, usize); 3] = [(Kernel::Sma, 30), (Kernel::Ema, 30), (Kernel::Rsi, 14)];

fn main() -> ExitCode {
    artel_measure::run("market", &[], bench)
}

fn bench() -> anyhow::Result<()> {
    let long = [walk(LONG, 1)];
    let wide: Vec<Vec<f64>> = (0..WIDE.0)
        .map(|seed| walk(WIDE.1, seed as u64 + 2))
        .collect();
    let (long, wide) = (views(&long), views(&wide));
    let gpu = match Gpu::shared() {
        Ok(gpu) => {
            let facts = gpu.facts();
            println!("Graphics adapter: {} ({:?})\n", facts.name, facts.kind);
            Some(gpu)
        }
        Err(reason) => {
            println!("Graphics adapter: none ({reason}); its columns are left out\n");
            None
        }
    };

    check(&long, &wide, gpu.is_some())?;
    println!(
        "Equal within the published tolerances; all times are shortest / median / 95th percentile.\n"
    );
    one_long_series(&long, gpu.as_ref());
    many_series(&wide, gpu.as_ref());
    // A processor that plays a graphics adapter would take minutes here and tell nothing new.
    let real = gpu
        .as_ref()
        .filter(|gpu| gpu.facts().kind != AdapterKind::Cpu);
    grid(&wide, real)
}

/// Prices as an exchange writes them: a walk in hundredths.
fn walk(bars: usize, seed: u64) -> Vec<f64> {
    let mut noise = Noise::new(seed);
    let mut cents = 3_000_000.0_f64;
    let step = |_| {
        cents = (cents + (noise.fraction() - 0.5) * 6_000.0)
            .round()
            .clamp(100_000.0, 9_000_000.0);
        cents / 100.0
    };
    (0..bars).map(step).collect()
}

fn views(series: &[Vec<f64>]) -> Vec<&[f64]> {
    series.iter().map(Vec::as_slice).collect()
}

/// The reference: values from the first defined bar on, in `out`, which is as long as the series.
fn reference(kernel: Kernel, period: usize, series: &[f64], out: &mut [f64]) -> usize {
    let core = Core::new();
    let last = series.len() - 1;
    let period = i32::try_from(period).unwrap_or(i32::MAX);
    let range = match kernel {
        Kernel::Sma => core.sma(0, last, series, period, out),
        Kernel::Ema => core.ema(0, last, series, period, out),
        Kernel::Rsi => core.rsi(0, last, series, period, out),
    };
    range.map_or(0, |range| range.count)
}

fn references(kernel: Kernel, period: usize, series: &[&[f64]]) -> Vec<Vec<f64>> {
    let one = |series: &&[f64]| {
        let mut out = vec![0.0; series.len()];
        let count = reference(kernel, period, series, &mut out);
        out.truncate(count);
        out
    };
    series.par_iter().map(one).collect()
}

fn ours(
    kernel: Kernel,
    period: usize,
    series: &[&[f64]],
    backend: Backend,
) -> anyhow::Result<Vec<Computed>> {
    Ok(kernel.run(period, series, &Router::new(backend))?)
}

/// Every value on every path against the reference, before anything is timed.
fn check(long: &[&[f64]], wide: &[&[f64]], gpu: bool) -> anyhow::Result<()> {
    for (kernel, known) in KERNELS {
        for (series, periods) in [
            (long, vec![known]),
            (wide, vec![*GRID.start(), known, 64, *GRID.end()]),
        ] {
            for period in periods {
                let expected = references(kernel, period, series);
                let found = ours(kernel, period, series, Backend::Cpu)?;
                compare(kernel, period, &expected, &found, |value, _| {
                    value.abs().max(1e-9) * 1e-9
                })?;
                if gpu {
                    let found = ours(kernel, period, series, Backend::Gpu)?;
                    compare(
                        kernel,
                        period,
                        &expected,
                        &found,
                        |value, largest| match kernel {
                            Kernel::Sma => value.abs() * 1e-9 + largest * 1e-12,
                            Kernel::Ema => value.abs() * 5e-6,
                            Kernel::Rsi => 1e-4,
                        },
                    )?;
                }
            }
        }
    }
    Ok(())
}

fn compare(
    kernel: Kernel,
    period: usize,
    expected: &[Vec<f64>],
    found: &[Computed],
    tolerance: impl Fn(f64, f64) -> f64,
) -> anyhow::Result<()> {
    ensure!(expected.len() == found.len(), "{kernel:?}: series are lost");
    for (number, (expected, found)) in expected.iter().zip(found).enumerate() {
        let Values::Real(values) = &found.output.values else {
            bail!("{kernel:?} is not real");
        };
        ensure!(
            values.len() == expected.len() && !values.is_empty(),
            "{kernel:?} {period}, series {number}: {} values for {}",
            values.len(),
            expected.len()
        );
        let largest = expected.iter().copied().fold(0.0, f64::max);
        for (bar, (expected, found)) in expected.iter().zip(values).enumerate() {
            ensure!(
                (expected - found).abs() <= tolerance(*expected, largest),
                "{kernel:?} {period}, series {number}, value {bar}: {found} and not {expected}"
            );
        }
    }
    Ok(())
}

fn one_long_series(long: &[&[f64]], gpu: Option<&Arc<Gpu>>) {
    let mut table = table(&format!("one series of {LONG} bars"), gpu);
    for (kernel, period) in KERNELS {
        let mut buffer = vec![0.0; LONG];
        let mut reused = || {
            for series in long {
                black_box(reference(kernel, period, series, &mut buffer));
            }
            black_box(&mut buffer);
        };
        let mut fresh = || drop(black_box(references(kernel, period, long)));
        let mut cpu = || drop(black_box(ours(kernel, period, long, Backend::Cpu)));
        let mut on_gpu = || drop(black_box(ours(kernel, period, long, Backend::Gpu)));
        let mut works: Vec<&mut dyn FnMut()> = vec![&mut reused, &mut fresh, &mut cpu];
        if gpu.is_some() {
            works.push(&mut on_gpu);
        }
        let times = race(21, &mut works);
        add(&mut table, &format!("{kernel:?} {period}"), &times);
    }
    println!("{table}");
}

fn many_series(wide: &[&[f64]], gpu: Option<&Arc<Gpu>>) {
    let (series, bars) = WIDE;
    let mut table = table(&format!("{series} series of {bars} bars"), gpu);
    for (kernel, period) in KERNELS {
        let mut reused = || {
            wide.par_iter().for_each_init(
                || vec![0.0; bars],
                |buffer, series| {
                    black_box(reference(kernel, period, series, buffer));
                    black_box(buffer);
                },
            );
        };
        let mut fresh = || drop(black_box(references(kernel, period, wide)));
        let mut cpu = || drop(black_box(ours(kernel, period, wide, Backend::Cpu)));
        let mut on_gpu = || drop(black_box(ours(kernel, period, wide, Backend::Gpu)));
        let mut works: Vec<&mut dyn FnMut()> = vec![&mut reused, &mut fresh, &mut cpu];
        if gpu.is_some() {
            works.push(&mut on_gpu);
        }
        let times = race(21, &mut works);
        add(&mut table, &format!("{kernel:?} {period}"), &times);
    }
    println!("{table}");
}

/// Each period's results are handed over and dropped before the next: all of them at once would be
/// over a gigabyte.
fn grid(wide: &[&[f64]], gpu: Option<&Arc<Gpu>>) -> anyhow::Result<()> {
    let (series, bars) = WIDE;
    let periods = GRID.count();
    let mut table = table(
        &format!("{series} series of {bars} bars × {periods} periods"),
        gpu,
    );
    for (kernel, _) in KERNELS {
        let mut reused = || {
            wide.par_iter().for_each_init(
                || vec![0.0; bars],
                |buffer, series| {
                    for period in GRID {
                        black_box(reference(kernel, period, series, buffer));
                        black_box(&mut *buffer);
                    }
                },
            );
        };
        let mut fresh = || {
            for period in GRID {
                drop(black_box(references(kernel, period, wide)));
            }
        };
        let through = |backend: Backend| {
            for period in GRID {
                drop(black_box(ours(kernel, period, wide, backend)));
            }
        };
        let mut cpu = || through(Backend::Cpu);
        let mut on_gpu = || through(Backend::Gpu);
        let mut works: Vec<&mut dyn FnMut()> = vec![&mut reused, &mut fresh, &mut cpu];
        if gpu.is_some() {
            works.push(&mut on_gpu);
        }
        let times = race(3, &mut works);
        add(&mut table, &format!("{kernel:?}"), &times);
        if gpu.is_some() {
            tell_path(kernel, wide.get(..1).unwrap_or_default())?;
        }
    }
    println!("{table}");
    Ok(())
}

/// A period that the GPU does not serve within its tolerance is the CPU's; that is said, not hidden.
fn tell_path(kernel: Kernel, one: &[&[f64]]) -> anyhow::Result<()> {
    let mut served = 0;
    for period in GRID {
        let made = ours(kernel, period, one, Backend::Gpu)?;
        let first = made.first().context("no series")?;
        served += usize::from(matches!(first.path, Path::Gpu(_)));
    }
    if served < GRID.count() {
        println!(
            "{kernel:?} on the adapter: {served} of {} periods there, the others on the processor.\n",
            GRID.count()
        );
    }
    Ok(())
}

fn table(what: &str, gpu: Option<&Arc<Gpu>>) -> Table {
    let mut headings = vec![
        what,
        "ta-lib, buffer reused",
        "ta-lib, new vector",
        "Artel, CPU",
        "× ta-lib",
    ];
    if gpu.is_some() {
        headings.extend(["Artel, adapter", "× ta-lib"]);
    }
    Table::new(&headings)
}

/// The factor is against the better of the two, medians.
fn add(table: &mut Table, name: &str, times: &[Times]) {
    let [reused, fresh, own @ ..] = times else {
        return;
    };
    let best = reused.median().min(fresh.median()).as_secs_f64();
    let mut cells = vec![name.to_owned(), reused.to_string(), fresh.to_string()];
    for own in own {
        cells.push(own.to_string());
        cells.push(format!("{:.2}", best / own.median().as_secs_f64()));
    }
    table.row(cells);
}
