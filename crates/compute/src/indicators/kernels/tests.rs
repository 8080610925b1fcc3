use std::sync::Arc;

use proptest::prelude::*;
use ta_lib::Core;

use super::*;
use crate::indicators::tests::walk;

const KERNELS: [Kernel; 3] = [Kernel::Sma, Kernel::Ema, Kernel::Rsi];

/// Values of ta-lib from the first defined bar on.
fn reference(kernel: Kernel, period: usize, series: &[f64]) -> (usize, Vec<f64>) {
    if series.is_empty() {
        return (0, Vec::new());
    }
    let core = Core::new();
    let mut out = vec![0.0; series.len()];
    let (last, period) = (series.len() - 1, i32::try_from(period).unwrap());
    let range = match kernel {
        Kernel::Sma => core.sma(0, last, series, period, &mut out),
        Kernel::Ema => core.ema(0, last, series, period, &mut out),
        Kernel::Rsi => core.rsi(0, last, series, period, &mut out),
    }
    .unwrap();
    out.truncate(range.count);
    (range.beg_idx, out)
}

fn reals(output: &Output) -> &[f64] {
    match &output.values {
        Values::Real(values) => values,
        Values::Integer(_) => panic!("kernels are real"),
    }
}

#[track_caller]
fn compare(kernel: Kernel, expected: &[f64], found: &[f64], tolerance: impl Fn(f64) -> f64) {
    assert_eq!(expected.len(), found.len(), "{kernel:?}");
    for (bar, (one, other)) in expected.iter().zip(found).enumerate() {
        assert!(
            (one - other).abs() <= tolerance(*one),
            "{kernel:?} value {bar}: {one} and {other}"
        );
    }
}

fn gpu_tolerance(kernel: Kernel, series: &[f64]) -> impl Fn(f64) -> f64 {
    let largest = series.iter().copied().fold(0.0, f64::max);
    move |value| match kernel {
        Kernel::Sma => value.abs() * 1e-9 + largest * 1e-12,
        Kernel::Ema => value.abs() * 5e-6,
        Kernel::Rsi => 1e-4,
    }
}

/// The shared device, or a visible skip.
fn device(test: &str) -> Option<Arc<Gpu>> {
    match Gpu::shared() {
        Ok(gpu) => Some(gpu),
        Err(reason) => {
            println!("SKIPPED {test}: {reason}");
            None
        }
    }
}

/// A walk in whole ticks, some of it calm.
fn prices() -> impl Strategy<Value = Vec<f64>> {
    let step = prop_oneof![3 => -300_i32..300, 1 => Just(0), 1 => -100_000_i32..100_000];
    (
        1_i32..20_000_000,
        prop::collection::vec((step, 1_usize..40), 0..60),
        0_i32..=5,
    )
        .prop_map(|(start, steps, places)| {
            let mut tick = start;
            let mut prices = vec![start];
            for (step, repeat) in steps {
                for _ in 0..repeat {
                    tick = (tick + step).clamp(1, 1 << 29);
                    prices.push(tick);
                }
            }
            prices
                .into_iter()
                .map(|tick| f64::from(tick) / 10_f64.powi(places))
                .collect()
        })
}

proptest! {
    #[test]
    fn the_cpu_agrees_with_ta_lib(prices in prices(), period in 2_usize..200) {
        for kernel in KERNELS {
            let (first, expected) = reference(kernel, period, &prices);
            let output = kernel.output(period, &prices);
            prop_assert_eq!(output.first, first);
            compare(kernel, &expected, reals(&output), |value| value.abs().max(1e-9) * 1e-9);
        }
    }
}

#[test]
fn a_period_of_one_is_the_series_itself() {
    let prices = &walk(50, 9)[3];
    for kernel in [Kernel::Sma, Kernel::Ema] {
        assert_eq!(reals(&kernel.output(1, prices)), prices.as_slice());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Invariant 5: the path never changes the answer.
    #[test]
    fn the_gpu_agrees_with_the_cpu(
        series in prop::collection::vec(prices(), 1..70),
        periods in (1_usize..300, 1_usize..300, 2_usize..=64),
    ) {
        let Some(gpu) = device("the_gpu_agrees_with_the_cpu") else { return Ok(()) };
        let views: Vec<&[f64]> = series.iter().map(Vec::as_slice).collect();
        for (kernel, period) in KERNELS.into_iter().zip([periods.0, periods.1, periods.2]) {
            let outputs = gpu::compute(&gpu, kernel, period, &views).unwrap();
            for (series, output) in views.iter().zip(outputs) {
                let expected = kernel.output(period, series);
                match output {
                    Some(output) => {
                        prop_assert_eq!(output.first, expected.first);
                        compare(kernel, reals(&expected), reals(&output), gpu_tolerance(kernel, series));
                    }
                    None => prop_assert!(series.len() <= kernel.lookback(period)),
                }
            }
        }
    }
}

#[test]
fn chunks_follow_on_from_one_another() {
    let Some(gpu) = device("chunks_follow_on_from_one_another") else {
        return;
    };
    // More rows than one dispatch takes.
    let long: Vec<f64> = walk(150_000, 5)[3].clone();
    let short = long[..70_000].to_vec();
    for (kernel, period) in KERNELS.into_iter().zip([500, 200, 14]) {
        let outputs = gpu::compute(&gpu, kernel, period, &[&long, &short]).unwrap();
        for (series, output) in [&long, &short].into_iter().zip(outputs) {
            compare(
                kernel,
                reals(&kernel.output(period, series)),
                reals(&output.unwrap()),
                gpu_tolerance(kernel, series),
            );
        }
    }
}

#[test]
fn a_long_calm_keeps_the_strength_of_before() {
    let Some(gpu) = device("a_long_calm_keeps_the_strength_of_before") else {
        return;
    };
    let calm = |bars: usize| {
        let mut prices: Vec<f64> = (0..30).map(|bar| 100.0 + f64::from(bar % 7)).collect();
        prices.resize(30 + bars, 104.0);
        prices.extend([105.0, 103.0, 110.0]);
        prices
    };
    for (period, bars) in [(2, 800), (14, 4_000), (14, 8_000)] {
        let prices = calm(bars);
        let outputs = gpu::compute(&gpu, Kernel::Rsi, period, &[&prices]).unwrap();
        let expected = Kernel::Rsi.output(period, &prices);
        compare(
            Kernel::Rsi,
            reals(&expected),
            reals(outputs[0].as_ref().unwrap()),
            gpu_tolerance(Kernel::Rsi, &prices),
        );
    }
    // So long that the CPU's means end as nothing: its word counts.
    let router = Router::new(crate::gpu::Backend::Gpu);
    for (period, bars) in [(2, 1_200), (14, 12_000)] {
        let prices = calm(bars);
        let computed = Kernel::Rsi.run(period, &[&prices], &router).unwrap();
        assert_eq!(computed[0].output, Kernel::Rsi.output(period, &prices));
        assert_eq!(computed[0].path, Path::Cpu);
    }
}

#[test]
fn what_is_no_ticks_goes_to_the_cpu_and_says_so() {
    let Some(_) = device("what_is_no_ticks_goes_to_the_cpu_and_says_so") else {
        return;
    };
    let whole = [1.0, 2.0, 3.0, 4.0, 5.0];
    let thirds = whole.map(|price| price / 3.0);
    let router = Router::new(crate::gpu::Backend::Gpu);
    let computed = Kernel::Sma
        .run(2, &[&whole, &thirds, &[]], &router)
        .unwrap();
    assert!(matches!(computed[0].path, Path::Gpu(_)));
    assert_eq!(computed[1].path, Path::Cpu);
    assert_eq!(reals(&computed[0].output), [1.5, 2.5, 3.5, 4.5]);
    let expected = [1.5, 2.5, 3.5, 4.5].map(|mean| mean / 3.0);
    compare(Kernel::Sma, &expected, reals(&computed[1].output), |mean| {
        mean * 1e-12
    });
    assert!(computed[2].output.defined().is_empty());
    // A period over the tolerance is not taken to the GPU either.
    let computed = Kernel::Rsi.run(65, &[&[1.0; 50]], &router).unwrap();
    assert_eq!(computed[0].path, Path::Cpu);
}

#[test]
fn the_shader_is_valid_without_a_gpu() {
    let module = wgpu::naga::front::wgsl::parse_str(include_str!("recursions.wgsl")).unwrap();
    wgpu::naga::valid::Validator::new(
        wgpu::naga::valid::ValidationFlags::all(),
        wgpu::naga::valid::Capabilities::empty(),
    )
    .validate(&module)
    .unwrap();
    let entries: Vec<_> = module
        .entry_points
        .iter()
        .map(|entry| entry.name.as_str())
        .collect();
    for kernel in KERNELS {
        assert!(entries.contains(&gpu::shader(kernel).entry));
    }
}
