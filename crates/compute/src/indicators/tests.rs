use super::*;

/// A made-up walk with volumes, the same for every run.
pub(super) fn walk(bars: usize, seed: u64) -> [Vec<f64>; 5] {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut columns = [(); 5].map(|()| Vec::with_capacity(bars));
    let mut price = 100.0;
    let cents = |value: f64| (value * 100.0).round() / 100.0;
    for _ in 0..bars {
        let open = cents(price);
        price = (price * (1.0 + (random() - 0.5) * 0.04)).clamp(1.0, 10_000.0);
        let close = cents(price);
        let high = cents(open.max(close) + random());
        let low = cents((open.min(close) - random()).max(0.01));
        let figures = [open, high, low, close, (random() * 1e6).floor()];
        for (column, figure) in columns.iter_mut().zip(figures) {
            column.push(figure);
        }
    }
    columns
}

fn view(columns: &[Vec<f64>; 5]) -> Ohlcv<'_> {
    let [open, high, low, close, volume] = columns;
    Ohlcv {
        open,
        high,
        low,
        close,
        volume: Some(volume),
    }
}

#[test]
fn every_function_computes_with_its_defaults() {
    let columns = walk(700, 1);
    let bars = view(&columns);
    for call in Call::all() {
        let outputs = call.compute(&bars).unwrap();
        assert_eq!(outputs.len(), call.columns().len());
        for (output, column) in outputs.iter().zip(call.columns()) {
            let defined = output.defined();
            assert!(defined.end <= 700, "{column}");
            assert!(!defined.is_empty(), "{column} has no value in 700 bars");
        }
    }
}

#[test]
fn short_series_have_no_values_rather_than_wrong_ones() {
    for len in [0, 1, 2, 5] {
        let columns = walk(len, 2);
        for call in Call::all() {
            for output in call.compute(&view(&columns)).unwrap() {
                assert!(output.defined().end <= len, "{call}");
            }
        }
    }
}

#[test]
fn undefined_is_before_the_lookback() {
    let columns = walk(40, 3);
    let rsi: Call = "RSI:14".parse().unwrap();
    let output = rsi.compute(&view(&columns)).unwrap().remove(0);
    assert_eq!(output.defined(), 14..40);
    assert_eq!((output.at(13), output.at(40)), (None, None));
    assert!(output.at(14).is_some());
    // Not a number is a value here, not the lack of one.
    let acos: Call = "ACOS".parse().unwrap();
    let output = acos.compute(&view(&columns)).unwrap().remove(0);
    assert!(output.at(0).unwrap().is_nan());
}

#[test]
fn columns_are_named_after_function_and_parameters() {
    #[track_caller]
    fn check(call: &str, expected: &[&str]) {
        assert_eq!(call.parse::<Call>().unwrap().columns(), expected);
    }
    check("rsi", &["RSI_14"]);
    check("RSI:9", &["RSI_9"]);
    check(
        "MACD:12:26:9",
        &["MACD_12_26_9", "MACD_12_26_9_signal", "MACD_12_26_9_hist"],
    );
    check(
        "MACD::30",
        &["MACD_12_30_9", "MACD_12_30_9_signal", "MACD_12_30_9_hist"],
    );
    check(
        "BBANDS:20:2.5:2:EMA",
        &[
            "BBANDS_20_2.5_2_1_upper",
            "BBANDS_20_2.5_2_1_middle",
            "BBANDS_20_2.5_2_1_lower",
        ],
    );
    check(
        "MACDEXT",
        &[
            "MACDEXT_12_0_26_0_9_0",
            "MACDEXT_12_0_26_0_9_0_signal",
            "MACDEXT_12_0_26_0_9_0_hist",
        ],
    );
    check("HT_SINE", &["HT_SINE_sine", "HT_SINE_lead_sine"]);
    check("AROON", &["AROON_14_down", "AROON_14_up"]);
    check("MAMA", &["MAMA_0.5_0.05", "MAMA_0.5_0.05_fama"]);
    check(
        "MINMAXINDEX",
        &["MINMAXINDEX_30_min_idx", "MINMAXINDEX_30_max_idx"],
    );
    check("VORTEX", &["VORTEX_14_plus_vi", "VORTEX_14_minus_vi"]);
    check("CDLDOJI", &["CDLDOJI"]);
}

#[test]
fn wrong_calls_say_what_is_wrong() {
    #[track_caller]
    fn check(call: &str, expected: &str) {
        assert_eq!(call.parse::<Call>().unwrap_err().to_string(), expected);
    }
    check(
        "RSII",
        "there is no function \"RSII\"; close to it: RSI, SI",
    );
    check("", "there is no function \"\"");
    check(
        "RSI:1",
        "RSI: Time Period is to be a whole number from 2 to 100000, not \"1\"",
    );
    check(
        "RSI:14.5",
        "RSI: Time Period is to be a whole number from 2 to 100000, not \"14.5\"",
    );
    check(
        "RSI:nan",
        "RSI: Time Period is to be a whole number from 2 to 100000, not \"nan\"",
    );
    check("RSI:14:2", "RSI takes 1 parameters, not 2");
    check("ADD:1", "ADD takes 0 parameters, not 1");
    check(
        "MAMA:2",
        "MAMA: Fast Limit is to be a number from 0.01 to 0.99, not \"2\"",
    );
}

#[test]
fn a_series_without_volumes_has_no_functions_of_them() {
    let columns = walk(60, 4);
    let bars = Ohlcv {
        volume: None,
        ..view(&columns)
    };
    for call in Call::all() {
        let computed = call.compute(&bars);
        assert_eq!(computed.is_err(), call.function().needs_volume(), "{call}");
    }
}

#[test]
fn a_call_is_written_as_it_is_read() {
    for call in Call::all() {
        let again: Call = call.to_string().parse().unwrap();
        assert_eq!(again.columns(), call.columns());
    }
}
