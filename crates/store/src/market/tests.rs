use proptest::prelude::*;

use super::{
    staging::{Staging, sweep},
    *,
};
use crate::Store;

fn ramp(times: impl Iterator<Item = i64>, close: f64) -> Bars {
    let mut bars = Bars::default();
    for time in times {
        bars.push(time, [close, close + 0.5, close - 0.5, close, 10.0]);
    }
    bars
}

fn begin(store: &Store, symbol: &'static str) -> Staging {
    while store.write(|tx| sweep(tx)).unwrap() {}
    store
        .write(move |tx| Staging::begin(tx, "file", symbol, "1d", true))
        .unwrap()
}

fn add(store: &Store, mut staging: Staging, bars: Bars) -> Staging {
    store
        .write(move |tx| {
            staging.merge(tx, &bars)?;
            Ok(staging)
        })
        .unwrap()
}

fn finish(store: &Store, staging: Staging) -> Merged {
    let merged = store.write(move |tx| staging.finish(tx, 0, 7)).unwrap();
    while store.write(|tx| sweep(tx)).unwrap() {}
    merged
}

fn import(store: &Store, bars: Bars) -> Merged {
    let staging = add(store, begin(store, "ЗОЛОТО"), bars);
    finish(store, staging)
}

#[track_caller]
fn stored(store: &Store) -> (Series, Bars) {
    store
        .read(|connection| {
            let series = of_symbol(connection, "ЗОЛОТО")?.remove(0);
            let bars = bars(connection, series.id)?;
            Ok((series, bars))
        })
        .unwrap()
}

#[test]
fn an_update_adds_and_replaces() {
    let store = Store::open_for_tests();
    let first = import(&store, ramp(0..25_000, 5.0));
    assert_eq!((first.added, first.replaced), (25_000, 0));
    let mut update = ramp(24_998..24_999, 5.0);
    update.append(ramp(24_999..25_003, 6.25));
    let second = import(&store, update);
    assert_eq!((second.added, second.replaced, second.unchanged), (3, 1, 1));
    let (series, bars) = stored(&store);
    assert_eq!(series.bars, 25_003);
    assert_eq!((series.first_ms, series.last_ms), (0, 25_002));
    assert_eq!((series.last_close, series.previous_close), (6.25, 6.25));
    assert_eq!(bars.time, (0..25_003).collect::<Vec<_>>());
    let chunks: Vec<usize> = store
        .read(|connection| {
            let mut statement =
                connection.prepare("SELECT bars FROM price_chunks ORDER BY first_ms")?;
            let rows = statement.query_map([], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .unwrap();
    assert_eq!(chunks, [10_000, 10_000, 5_003]);
}

#[test]
fn a_window_ends_before_its_time() {
    let store = Store::open_for_tests();
    import(&store, ramp((0..30_000).map(|n| n * 10), 1.0));
    let window = |before, limit| {
        let id = stored(&store).0.id;
        let (bars, more) = store
            .read(|connection| last_bars(connection, id, before, limit))
            .unwrap();
        (
            bars.time.first().copied(),
            bars.time.last().copied(),
            bars.len(),
            more,
        )
    };
    assert_eq!(window(None, 3), (Some(299_970), Some(299_990), 3, true));
    assert_eq!(
        window(Some(299_970), 20_000),
        (Some(99_970), Some(299_960), 20_000, true)
    );
    assert_eq!(window(Some(35), 100), (Some(0), Some(30), 4, false));
    assert_eq!(window(Some(0), 100), (None, None, 0, false));
    assert_eq!(
        window(None, 30_000),
        (Some(0), Some(299_990), 30_000, false)
    );
}

#[test]
fn uneven_bars_are_refused() {
    let store = Store::open_for_tests();
    let mut bars = ramp(0..3, 1.0);
    bars.time.swap(0, 1);
    let mut staging = begin(&store, "X");
    let result = store.write(move |tx| staging.merge(tx, &bars));
    assert!(matches!(result, Err(StoreError::Misuse(_))));
}

fn rows(store: &Store, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    store
        .read(|connection| Ok(connection.query_row(&sql, [], |row| row.get(0))?))
        .unwrap()
}

#[test]
fn an_import_is_not_seen_before_it_is_whole_and_one_that_broke_leaves_nothing() {
    let store = Store::open_for_tests();
    import(&store, ramp(0..25_000, 5.0));
    let before = stored(&store);
    let whole = ["price_series", "price_chunks", "price_columns"].map(|table| rows(&store, table));
    for symbol in ["ЗОЛОТО", "new"] {
        let staging = add(&store, begin(&store, symbol), ramp(5_000..15_000, 6.0));
        let staging = add(&store, staging, ramp(15_000..50_000, 7.0));
        assert_eq!(stored(&store), before);
        assert_eq!(store.read(list).unwrap().len(), 1);
        assert!(
            store
                .read(|connection| of_symbol(connection, "new"))
                .unwrap()
                .is_empty()
        );
        let mut times = Vec::new();
        store
            .read(|connection| {
                staging.visit_times(connection, |some| times.extend_from_slice(some))
            })
            .unwrap();
        let from = if symbol == "new" { 5_000 } else { 0 };
        assert!(times.iter().copied().eq(from..50_000));
        // The process ends here; the next import sweeps.
        drop(staging);
        while store.write(|tx| sweep(tx)).unwrap() {}
        assert_eq!(stored(&store), before);
        let left =
            ["price_series", "price_chunks", "price_columns"].map(|table| rows(&store, table));
        assert_eq!(left, whole);
    }
}

#[test]
fn a_run_is_kept_with_its_files() {
    let store = Store::open_for_tests();
    let kept = Run {
        at_ms: 5,
        symbols: "GOOG,BTCUSD".to_owned(),
        functions: 237,
        bars: 2304,
        seconds: 0.5,
        backend: "cpu".to_owned(),
        files: vec![RunFile {
            path: "/дом/out.csv".to_owned(),
            size: 12,
            hash: [7; 32],
        }],
    };
    let expected = kept.clone();
    let id = store.write(move |tx| add_run(tx, &kept)).unwrap();
    assert_eq!(
        store.read(|connection| run(connection, id)).unwrap(),
        Some(expected)
    );
    assert_eq!(
        store.read(|connection| run(connection, id + 1)).unwrap(),
        None
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Merging in any order of parts leaves what a map of time to bar would hold.
    #[test]
    fn merging_is_what_a_map_does(batch in 1_000_i64..11_000, parts in prop::collection::vec((0_i64..40_000, 1_i64..12_000, 1_i64..4, 1_u8..9), 1..6)) {
        let store = Store::open_for_tests();
        let mut model = std::collections::BTreeMap::new();
        for (from, count, step, close) in parts {
            let close = f64::from(close);
            let times = || (0..count).map(|n| from + n * step);
            let before = model.len();
            let mut replaced = 0;
            for time in times() {
                replaced += u64::from(model.insert(time, close).is_some_and(|old| old.to_bits() != close.to_bits()));
            }
            // In batches, as a file is read.
            let mut staging = begin(&store, "ЗОЛОТО");
            for batch in times().collect::<Vec<_>>().chunks(usize::try_from(batch).unwrap()) {
                staging = add(&store, staging, ramp(batch.iter().copied(), close));
            }
            let merged = finish(&store, staging);
            prop_assert_eq!(merged.added, (model.len() - before) as u64);
            prop_assert_eq!(merged.replaced, replaced);
        }
        let (series, bars) = stored(&store);
        prop_assert_eq!(series.bars, model.len() as u64);
        prop_assert!(bars.time.iter().eq(model.keys()));
        prop_assert!(bars.close.iter().eq(model.values()));
    }
}
