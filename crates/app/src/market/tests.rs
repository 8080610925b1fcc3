use std::{fmt::Write as _, path::Path};

use artel_compute::indicators::Call;

use crate::{
    api::{
        Command, Handle,
        market::{
            Bars, MarketBars, MarketFile, MarketFunctions, MarketImport, MarketIndicators,
            MarketList, MarketOverlay,
        },
        profile::ProfileNew,
    },
    error::{AppError, Code},
    host::Host,
    session::Session,
};

/// An open profile and a folder beside it.
struct Desk {
    folder: tempfile::TempDir,
    session: Session,
}

impl Desk {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let host = Host::new(folder.path().join("home"));
        let new = ProfileNew {
            name: "Оля".to_owned(),
            passphrase: "x".to_owned(),
        };
        host.handle(new).await.unwrap();
        let session = host.open("Оля", "x").await.unwrap();
        Self { folder, session }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    async fn ask<C: Command>(&self, command: C) -> Result<C::Reply, AppError>
    where
        Session: Handle<C>,
    {
        self.session.handle(command).await
    }

    /// Writes a file and imports it.
    async fn import(&self, name: &str, text: &str, skip_bad_rows: bool) -> MarketFile {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        let imported = self.ask(import(&[path], skip_bad_rows)).await.unwrap();
        imported.files.into_iter().next().unwrap()
    }

    async fn run(
        &self,
        symbols: &[&str],
        only: &[&str],
        out: Option<&str>,
    ) -> Result<Vec<String>, AppError> {
        let command = MarketIndicators {
            symbols: symbols.iter().map(|name| (*name).to_owned()).collect(),
            only: only.iter().map(|call| (*call).to_owned()).collect(),
            out: out.map(|out| self.path(out)),
            backend: Some("cpu".to_owned()),
        };
        let done = self.ask(command).await?;
        let line = |s: crate::api::market::SymbolRun| {
            format!(
                "{} {} {} {:?} {} {}",
                s.symbol, s.bars, s.functions, s.error, s.cache, s.backend
            )
        };
        Ok(done.symbols.into_iter().map(line).collect())
    }
}

fn import(paths: &[String], skip_bad_rows: bool) -> MarketImport {
    MarketImport {
        paths: paths.to_vec(),
        symbol: None,
        interval: None,
        map: Vec::new(),
        tz: None,
        skip_bad_rows,
    }
}

/// Made-up days from 2024-01-01 on.
fn days(count: u32) -> String {
    let mut text = "time,open,high,low,close,volume\n".to_owned();
    for day in 0..count {
        let price = 100 + (day * 37 % 23);
        let time = 1_704_067_200 + u64::from(day) * 86_400;
        writeln!(
            text,
            "{time},{price},{}.5,{}.25,{price}.125,{}",
            price + 1,
            price - 1,
            day * 10
        )
        .unwrap();
    }
    text
}

fn says(error: &AppError, words: &[&str]) {
    let error = error.in_full();
    for word in words {
        assert!(error.contains(word), "\"{word}\" is not in: {error}");
    }
}

#[tokio::test]
async fn a_file_is_refused_by_line_and_nothing_of_it_kept() {
    let desk = Desk::new().await;
    let text = format!("{}2024-05-01,3.2,3.1,3.4,3.3,1\n", days(20));
    let file = desk.import("BTCUSDT.csv", &text, false).await;
    assert_eq!(
        file.error.unwrap().in_full(),
        "BTCUSDT.csv, line 22: high 3.1 is below low 3.4. Fix the row, or import with --skip-bad-rows."
    );
    assert_eq!((file.skipped_total, file.skipped[0].line), (1, 22));
    assert!(desk.ask(MarketList {}).await.unwrap().is_empty());
    let file = desk.import("BTCUSDT.csv", &text, true).await;
    assert_eq!((file.error, file.added, file.skipped_total), (None, 20, 1));

    let text = format!("{text}2024-05-02,x,1,1,1,1\n");
    let file = desk.import("BTCUSDT.csv", &text, false).await;
    assert_eq!(
        file.error.unwrap().in_full(),
        "BTCUSDT.csv, line 22: high 3.1 is below low 3.4 (and 1 more such rows). Fix the rows, or import with --skip-bad-rows."
    );
    let file = desk.import("Пусто.csv", "", false).await;
    says(
        &file.error.unwrap(),
        &["Пусто.csv: the file is empty.", "It needs rows of prices"],
    );
    let file = desk.import("o.csv", "a,b\n1,2\n", false).await;
    says(
        &file.error.unwrap(),
        &[
            "o.csv, line 1: there is no column for time among \"a\", \"b\".",
            "--map time=COLUMN",
        ],
    );
    let imported = desk
        .ask(import(&[desk.path("нет.csv")], false))
        .await
        .unwrap();
    says(imported.files[0].error.as_ref().unwrap(), &["нет.csv: "]);
}

/// Opening a pipe waits for someone at its other end, who may never come.
#[cfg(unix)]
#[tokio::test]
async fn a_pipe_is_no_file_to_anyone() {
    use crate::api::catalog::{CatalogExport, CatalogImport};
    let desk = Desk::new().await;
    desk.import("A.csv", &days(20), false).await;
    let pipe = desk.path("pipe.csv");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let prices = desk
        .ask(import(std::slice::from_ref(&pipe), false))
        .await
        .unwrap();
    let products = CatalogImport {
        paths: vec![pipe.clone()],
        map: Vec::new(),
    };
    let products = desk.ask(products).await.unwrap();
    let run = desk.run(&["A"], &["SMA:2"], Some("pipe.csv")).await;
    let export = CatalogExport {
        out: pipe.clone(),
        brand: None,
        all: false,
        limit: None,
    };
    let export = desk.ask(export).await;
    let told = [
        ("prices", prices.files[0].error.clone()),
        ("products", products.files[0].error.clone()),
        ("indicators", run.err()),
        ("export", export.err()),
    ];
    for (what, error) in told {
        says(&error.expect(what), &["pipe.csv: ", "not a file"]);
    }
}

#[tokio::test]
async fn an_update_is_merged_and_listed() {
    let desk = Desk::new().await;
    desk.import("Сбер банк.csv", &days(30), false).await;
    let file = desk
        .import(
            "Сбер банк.csv",
            &days(40).replace(",105,", ",104.5,"),
            false,
        )
        .await;
    assert_eq!((file.bars, file.added), (40, 10));
    assert!(file.replaced > 0, "{file:?}");
    let series = desk.ask(MarketList {}).await.unwrap();
    assert_eq!(series.len(), 1);
    let of = &series[0];
    assert_eq!(
        (of.series.as_str(), of.interval.as_str(), of.bars),
        ("Сбер банк", "1d", 40)
    );
    assert_eq!(of.from, 1_704_067_200_000);
    assert!((of.change - (of.last / (100.125 + f64::from(38 * 37 % 23)) - 1.0)).abs() < 1e-12);
    // One bar more has no interval of its own.
    let file = desk
        .import(
            "Сбер банк.csv",
            "time,open,high,low,close,volume\n2024-03-01,1,1,1,1,1\n",
            false,
        )
        .await;
    assert_eq!((file.error, file.added), (None, 1));
    let file = desk
        .import(
            "Сбер банк.csv",
            "time,open,high,low,close,volume\n2024-03-01 10:30,1,1,1,1,1\n",
            false,
        )
        .await;
    says(
        &file.error.unwrap(),
        &["interval cannot be told from 1 bars", "--interval"],
    );
    // Nor have two with a row left out between them.
    let gap = "time,open,high,low,close,volume\n2024-03-04,1,1,1,1,1\nx\n2024-03-06,1,1,1,1,1\n";
    let file = desk.import("Сбер банк.csv", gap, true).await;
    assert_eq!((file.error, file.added), (None, 2));
    let file = desk.import("Новый.csv", gap, true).await;
    says(
        &file.error.unwrap(),
        &["interval cannot be told from 2 bars", "--interval"],
    );
    let file = desk
        .import(
            "Сбер банк.csv",
            "time,open,high,low,close\n2024-03-02,1,1,1,1\n",
            false,
        )
        .await;
    says(
        &file.error.unwrap(),
        &[
            "Сбер банк has volumes and this file has none",
            "--map volume=",
        ],
    );
}

#[tokio::test]
async fn several_intervals_of_a_symbol_are_told_apart() {
    let desk = Desk::new().await;
    desk.import("GOLD.csv", &days(10), false).await;
    let hours = "time,open,high,low,close\n2024-01-01 10:00,1,1,1,1\n2024-01-01 11:00,1,1,1,1\n";
    assert_eq!(desk.import("gold.csv", hours, false).await.error, None);
    desk.import("GOLD.csv", &hours.replace("01-01", "01-02"), false)
        .await;
    let labels: Vec<_> = desk
        .ask(MarketList {})
        .await
        .unwrap()
        .into_iter()
        .map(|of| of.series)
        .collect();
    assert_eq!(labels, ["GOLD@1d", "GOLD@1h", "gold"]);
    let error = desk.run(&["GOLD"], &["SMA:2"], None).await.unwrap_err();
    assert_eq!(error.code, Code::Ambiguous);
    assert_eq!(
        error.message,
        "\"GOLD\" fits several series: GOLD@1d, GOLD@1h"
    );
    let lines = desk
        .run(&["GOLD@1h", "gold", "SILVER"], &["SMA:2"], None)
        .await
        .unwrap();
    let expected = [
        "SILVER 0 0 Some(\"there are no prices of \\\"SILVER\\\"\") miss cpu",
        "GOLD@1h 2 1 None miss cpu",
        "gold 2 1 None miss cpu",
    ];
    assert_eq!(lines, expected);
    let error = desk.run(&["GOLT"], &[], None).await.unwrap_err();
    assert_eq!(error.code, Code::NotFound);
    says(&error, &["close to it: ", "gold"]);
}

#[tokio::test]
async fn a_run_writes_every_function_and_leaves_undefined_empty() {
    let desk = Desk::new().await;
    desk.import("A.csv", &days(120), false).await;
    let plain = "time,open,high,low,close\n2024-01-01,1,2,1,1.5\n2024-01-02,1,2,1,1.25\n";
    desk.import("B.csv", plain, false).await;
    let lines = desk.run(&[], &[], Some("all.csv")).await.unwrap();
    let with_volume = Call::all().len();
    let without = Call::all()
        .iter()
        .filter(|call| !call.function().needs_volume())
        .count();
    assert_eq!(
        lines,
        [
            format!("A 120 {with_volume} None miss cpu"),
            format!("B 2 {without} None miss cpu")
        ]
    );
    let mut reader = csv::Reader::from_path(desk.path("all.csv")).unwrap();
    let header = reader.headers().unwrap().clone();
    assert_eq!(&header[0], "symbol");
    assert_eq!(&header[1], "time");
    assert_eq!(
        header.len(),
        2 + Call::all()
            .iter()
            .map(|call| call.columns().len())
            .sum::<usize>()
    );
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 122);
    assert_eq!((&rows[1][0], &rows[1][1]), ("A", "2024-01-02T00:00:00Z"));
    assert_eq!(
        (&rows[120][0], &rows[120][1]),
        ("B", "2024-01-01T00:00:00Z")
    );
    let sma = header.iter().position(|name| name == "SMA_30").unwrap();
    assert_eq!((&rows[28][sma], &rows[120][sma]), ("", ""));
    let mean: f64 = (0..30)
        .map(|day| 100.125 + f64::from(day * 37 % 23))
        .sum::<f64>()
        / 30.0;
    assert!((rows[29][sma].parse::<f64>().unwrap() - mean).abs() < 1e-9);
    let obv = header.iter().position(|name| name == "OBV").unwrap();
    assert_ne!(&rows[5][obv], "");
    assert_eq!(&rows[120][obv], "");

    // Another run replaces it; a file of somebody else's it does not.
    desk.run(&["A"], &["RSI", "MACD:12:26:9"], Some("all.csv"))
        .await
        .unwrap();
    let text = std::fs::read_to_string(desk.path("all.csv")).unwrap();
    assert!(
        text.starts_with("symbol,time,RSI_14,MACD_12_26_9,MACD_12_26_9_signal,MACD_12_26_9_hist\n")
    );
    let error = desk.run(&["A"], &["RSI"], Some("A.csv")).await.unwrap_err();
    assert_eq!(error.code, Code::Exists);
    assert_eq!(
        std::fs::read_to_string(desk.path("A.csv")).unwrap(),
        days(120)
    );
}

/// Groups, series and calls are cut up by the memory that there is; the values are the same.
#[tokio::test]
async fn values_do_not_change_with_the_memory() {
    let desk = Desk::new().await;
    desk.import("A.csv", &days(120), false).await;
    desk.import("B.csv", &days(300), false).await;
    let only = ["SMA:5", "RSI:7", "MACD:12:26:9", "EMA:9", "OBV", "SMA:20"];
    let mut written = Vec::new();
    // All at once; the calls of a series in parts; series by series and call by call.
    for (round, at_once) in [128 << 20, 300 * 24 * 2, 1].into_iter().enumerate() {
        let out = desk.path(&format!("{round}.csv"));
        let command = MarketIndicators {
            symbols: Vec::new(),
            only: only.map(str::to_owned).to_vec(),
            out: Some(out.clone()),
            backend: Some("cpu".to_owned()),
        };
        let done = super::run::run_within(desk.session.core(), &command, at_once).unwrap();
        assert!(
            done.symbols.iter().all(|one| one.functions == 6),
            "{done:?}"
        );
        written.push(std::fs::read_to_string(out).unwrap());
    }
    assert!(written[0].lines().count() == 421);
    assert!(written.iter().all(|one| *one == written[0]));
}

#[tokio::test]
async fn a_folder_gets_a_file_a_symbol_and_wrong_words_are_told() {
    let desk = Desk::new().await;
    desk.import("A.csv", &days(40), false).await;
    desk.import("Б Б.csv", &days(50), false).await;
    desk.run(&["A", "Б Б"], &["EMA:5"], Some("out/"))
        .await
        .unwrap();
    let mut names: Vec<_> = std::fs::read_dir(Path::new(&desk.path("out")))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["A.csv", "Б Б.csv"]);
    for (only, out, words) in [
        ("RSII", "x.csv", &["RSII", "RSI"][..]),
        ("RSI:0", "x.csv", &["Time Period", "2 to 100000"]),
        (
            "RSI",
            "x.parquet",
            &["x.parquet", "neither a .csv file nor a folder"],
        ),
    ] {
        let error = desk.run(&["A"], &[only], Some(out)).await.unwrap_err();
        assert_eq!(error.code, Code::BadArguments);
        says(&error, words);
    }
    let error = desk
        .run(&["A"], &["RSI"], Some("no/such/x.csv"))
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::File);
}

#[tokio::test]
async fn values_do_not_change_with_the_window() {
    let desk = Desk::new().await;
    desk.import("A.csv", &days(300), false).await;
    let overlay = |before, limit| MarketOverlay {
        symbol: "a".to_owned(),
        function: "EMA:50".to_owned(),
        before,
        limit,
    };
    let bars = |before, limit| MarketBars {
        symbol: "A".to_owned(),
        before,
        limit,
    };
    let whole = desk.ask(overlay(None, None)).await.unwrap();
    assert_eq!(whole.columns[0].name, "EMA_50");
    assert!(whole.overlap);
    let all: Bars = desk.ask(bars(None, None)).await.unwrap();
    assert_eq!((all.time.len(), all.more), (300, false));
    assert_eq!(whole.columns[0].time, all.time);
    assert!(whole.columns[0].values[..49].iter().all(Option::is_none));
    assert!(whole.columns[0].values[49..].iter().all(Option::is_some));
    let before = Some(all.time[200]);
    let part = desk.ask(overlay(before, Some(20))).await.unwrap();
    let window = desk.ask(bars(before, Some(20))).await.unwrap();
    assert_eq!((window.time.len(), window.more), (20, true));
    assert_eq!(part.columns[0].time, window.time);
    assert_eq!(part.columns[0].values, whole.columns[0].values[180..200]);
}

#[tokio::test]
async fn the_catalogue_is_whole() {
    let desk = Desk::new().await;
    let functions = desk.ask(MarketFunctions {}).await.unwrap();
    assert_eq!(functions.len(), 237);
    let macd = functions
        .iter()
        .find(|function| function.name == "MACD")
        .unwrap();
    assert_eq!(macd.outputs, ["", "signal", "hist"]);
    assert_eq!(macd.inputs, ["close"]);
    assert!(
        macd.parameters
            .iter()
            .map(|p| p.default)
            .eq([12.0, 26.0, 9.0])
    );
    let ours: Vec<_> = functions
        .iter()
        .filter(|function| function.engine == "artel")
        .map(|f| f.name.as_str())
        .collect();
    assert_eq!(ours, ["EMA", "RSI", "SMA"]);
}
