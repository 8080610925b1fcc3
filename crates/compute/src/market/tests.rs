use std::{convert::Infallible, fmt::Write as _, path::Path};

use proptest::prelude::*;

use super::*;

fn read_all(
    text: impl AsRef<[u8]>,
    options: &Options,
) -> Result<(Survey, Vec<Bar>), ReadError<Infallible>> {
    let mut bars = Vec::new();
    let mut sink = |batch: &[Bar]| {
        assert!(batch.windows(2).all(|pair| pair[0].time < pair[1].time));
        bars.extend_from_slice(batch);
        Ok(())
    };
    let survey = read(text.as_ref(), options, &mut sink)?;
    bars.sort_by_key(|bar| bar.time);
    Ok((survey, bars))
}

fn lines_of(survey: &Survey) -> Vec<String> {
    survey
        .problems
        .iter()
        .map(|p| format!("line {}: {}", p.line, p.reason))
        .collect()
}

const GOOD: &str =
    "time,open,high,low,close,volume\n2024-01-01,2,4,1,3,100\n2024-01-02,3,5,2,4,100\n";

#[test]
fn impossible_rows_are_reported_with_their_line() {
    #[track_caller]
    fn check(row: &str, expected: &str) {
        let text = format!("{GOOD}{row}\n2024-01-09,3,5,2,4,1\n");
        let (survey, bars) = read_all(text, &Options::default()).unwrap();
        assert_eq!(lines_of(&survey), [format!("line 4: {expected}")]);
        assert_eq!(survey.problems_total, 1);
        assert_eq!(bars.len(), 3);
    }
    check("2024-01-03,3.2,3.1,3.4,3.3,1", "high 3.1 is below low 3.4");
    check("2024-01-03,3,4,2,4.50,1", "close 4.50 is above high 4");
    check("2024-01-03,1.9,4,2,3,1", "open 1.9 is below low 2");
    check("2024-01-03,3,4,-2,3,1", "low -2 is negative");
    check("2024-01-03,3,4,2,3,-1", "volume -1 is negative");
    check("2024-01-03,3,inf,2,3,1", "high inf is not finite");
    check("2024-01-03,NaN,4,2,3,1", "open NaN is not finite");
    check("2024-01-03,null,4,2,3,1", "open \"null\" is not a number");
    check("2024-01-03,3,4,2,,1", "close is empty");
    check("2024-01-03,3,4,2", "close is missing: the row has 4 fields");
    check(
        "2024-01-03,3,4,2,3",
        "volume is missing: the row has 5 fields",
    );
    check("soon,3,4,2,3,1", "time \"soon\" cannot be read");
    check(",3,4,2,3,1", "time is empty");
    check(
        "2024-01-01,3,4,2,3,1",
        "time 2024-01-01 is out of order: it is before 2024-01-02 above it",
    );
    check(
        "2024-01-02,3,5,2,4,101",
        "time 2024-01-02 stands here twice with different figures",
    );
}

#[test]
fn a_row_repeated_exactly_is_taken_once() {
    let (survey, bars) = read_all(
        format!("{GOOD}2024-01-02,3,5,2,4,100\n"),
        &Options::default(),
    )
    .unwrap();
    assert!(survey.problems.is_empty());
    assert_eq!(bars.len(), 2);
}

#[test]
fn rows_left_out_tell_nothing_of_the_interval() {
    let read = |rows: &str| {
        let text = format!("time,open,high,low,close\n{rows}");
        read_all(text, &Options::default()).unwrap().0.interval
    };
    let day = |day: u32| format!("2024-01-{day:02},3,4,2,3\n");
    let bad = "2024-01-02,x,4,2,3\n";
    assert_eq!(read(&format!("{}{bad}{}", day(1), day(3))), None);
    let daily = Some(Interval::Fixed(86_400_000));
    let rows = [day(1), bad.to_owned(), day(3), day(4)].concat();
    assert_eq!(read(&rows), daily);
    // Also where the row above is one that is there twice, or is refused only for its place.
    let rows = [day(1), bad.to_owned(), day(1), day(3)].concat();
    assert_eq!(read(&rows), None);
    let twice = "2024-01-02,3,5,2,4\n";
    let rows = [day(2), twice.to_owned(), day(4)].concat();
    assert_eq!(read(&rows), None);
    // Newest first as well.
    let rows = [day(8), day(7), bad.to_owned(), day(5), day(3), day(2)].concat();
    assert_eq!(read(&rows), daily);
}

#[test]
fn files_that_are_no_price_files_say_why() {
    #[track_caller]
    fn check(text: impl AsRef<[u8]>, expected: &str) {
        let error = read_all(text, &Options::default()).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    check("", "the file is empty");
    check("\n \r\n\n", "the file is empty");
    check(
        "\u{feff}time,open,high,low,close,volume\n",
        "there is a header but no row below it",
    );
    check(
        "date,o,h,c\n1,2,3,4\n",
        "line 1: there is no column for low among \"date\", \"o\", \"h\", \"c\"",
    );
    check(b"\x89PNG\r\n\x1a\n\0\0\0", "line 1: this is not UTF-8 text");
    check(
        b"PK\x03\x04\0\0",
        "line 1: this is not a text file (it holds a zero byte)",
    );
    check(b"\xff\xfet\0i\0m\0e\0", "this is UTF-16 text, not UTF-8");
    check("x".repeat(70_000), "line 1 is longer than 65536 bytes");
    check(
        format!("{GOOD}{}", "9".repeat(10_000_000)),
        "line 4 is longer than 65536 bytes",
    );
    let map = vec![(Field::Close, "Adj".to_owned())];
    let error = read_all(
        GOOD,
        &Options {
            map,
            ..Options::default()
        },
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 1: there is no column \"Adj\" among \"time\", \"open\", \"high\", \"low\", \"close\", \"volume\""
    );
}

#[test]
fn many_kinds_of_file_are_understood() {
    #[track_caller]
    fn check(text: &str, map: &[(Field, &str)], format: Format, interval: &str, first: Bar) {
        let map = map
            .iter()
            .map(|(field, name)| (*field, (*name).to_owned()))
            .collect();
        let (survey, bars) = read_all(
            text,
            &Options {
                map,
                ..Options::default()
            },
        )
        .unwrap();
        assert_eq!(lines_of(&survey), [""; 0]);
        assert_eq!(survey.format, format);
        assert_eq!(survey.interval.unwrap().to_string(), interval);
        assert_eq!(survey.bars, bars.len() as u64);
        assert_eq!(bars[0], first);
    }
    let bar = |time: &str, volume| Bar {
        time: time.parse::<jiff::Timestamp>().unwrap().as_millisecond(),
        open: 1.5,
        high: 2.5,
        low: 0.5,
        close: 1.25,
        volume,
    };
    let day = |volume| bar("2024-01-01T00:00:00Z", volume);
    check(
        ",Open,High,Low,Close,Volume\n2024-01-01,1.5,2.5,0.5,1.25,7\n2024-01-02,1,1,1,1,1\n",
        &[],
        Format::Csv,
        "1d",
        day(7.0),
    );
    check(
        "\u{feff}Дата;Открытие;Максимум;Минимум;Закрытие;Объём\r\n01.01.2024;1,5;2,5;0,5;1,25;7\r\n02.01.2024;1;1;1;1;1\r\n",
        &[],
        Format::Csv,
        "1d",
        day(7.0),
    );
    check(
        "Date,Open,High,Low,Close,Adj Close,Volume\n2024-01-01,1.5,2.5,0.5,1.25,1.1,7\n2024-01-08,1,1,1,1,1,1\n",
        &[],
        Format::Yahoo,
        "1w",
        day(7.0),
    );
    check(
        "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n\
         2024.01.01\t10:00:00\t1.5\t2.5\t0.5\t1.25\t7\t0\t2\n2024.01.01\t10:15:00\t1\t1\t1\t1\t1\t0\t2\n",
        &[],
        Format::MetaTrader,
        "15m",
        bar("2024-01-01T10:00:00Z", 7.0),
    );
    check(
        "1704067200000,1.5,2.5,0.5,1.25,7,1704070799999,9,3,4,5,0\n1704070800000000,1,1,1,1,1,1704074399999999,9,3,4,5,0\n",
        &[],
        Format::Klines,
        "1h",
        day(7.0),
    );
    check(
        "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore\n\
         1704067200000,1.5,2.5,0.5,1.25,7,1704070799999,9,3,4,5,0\n1704070800000,1,1,1,1,1,1704074399999,9,3,4,5,0\n",
        &[],
        Format::Klines,
        "1h",
        day(7.0),
    );
    check(
        "2024-01-01,1.5,2.5,0.5,1.25\n2024-02-01,1,1,1,1\n",
        &[],
        Format::Csv,
        "1mo",
        day(0.0),
    );
    check(
        "when,Bid,top,bottom,end\n2024-01-01,1.5,2.5,0.5,1.25\n2024-01-02,1,1,1,1\n",
        &[
            (Field::Time, "WHEN"),
            (Field::Open, "bid"),
            (Field::High, "Top"),
            (Field::Low, "bottom"),
            (Field::Close, "5"),
        ],
        Format::Csv,
        "1d",
        day(0.0),
    );
}

#[test]
fn newest_first_is_turned_round() {
    let mut text = "time,open,high,low,close\n".to_owned();
    for day in (1..=28).rev() {
        writeln!(text, "2024-01-{day:02},1,1,1,1").unwrap();
    }
    let (survey, bars) = read_all(&text, &Options::default()).unwrap();
    assert_eq!((survey.problems_total, bars.len()), (0, 28));
    text.push_str("2024-01-05,1,1,1,1\n");
    let (survey, _) = read_all(&text, &Options::default()).unwrap();
    assert_eq!(
        lines_of(&survey),
        [
            "line 30: time 2024-01-05 is out of order: it is after 2024-01-01 above it; this file is newest first"
        ]
    );
}

#[test]
fn a_zone_is_used_for_times_without_one() {
    let zone = "Europe/Kyiv".parse().unwrap();
    let (_, bars) = read_all(
        GOOD,
        &Options {
            zone,
            ..Options::default()
        },
    )
    .unwrap();
    assert_eq!(
        bars[0].time,
        "2023-12-31T22:00:00Z"
            .parse::<jiff::Timestamp>()
            .unwrap()
            .as_millisecond()
    );
}

#[test]
fn problems_are_listed_to_a_limit_and_counted_beyond() {
    let mut text = GOOD.to_owned();
    (0..1000).for_each(|_| text.push_str("x\n"));
    let (survey, _) = read_all(&text, &Options::default()).unwrap();
    assert_eq!(
        (survey.problems.len(), survey.problems_total),
        (PROBLEMS_LISTED, 1000)
    );
}

#[test]
fn the_hash_is_of_the_whole_file() {
    let (survey, _) = read_all(GOOD, &Options::default()).unwrap();
    assert_eq!(survey.hash, *blake3::hash(GOOD.as_bytes()).as_bytes());
}

#[test]
fn real_files_are_read_whole() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples/market");
    if !folder.exists() {
        println!(
            "SKIPPED real_files_are_read_whole: {} is not there",
            folder.display()
        );
        return;
    }
    for (name, bars, interval, gaps) in [
        ("GOOG", 2148, "1d", 2),
        ("EURUSD", 5000, "1h", 2),
        ("BTCUSD", 156, "1mo", 0),
    ] {
        let file = std::fs::read(folder.join(format!("{name}.csv"))).unwrap();
        let (survey, all) = read_all(file, &Options::default()).unwrap();
        assert_eq!(lines_of(&survey), [""; 0]);
        assert_eq!(
            (survey.bars, survey.interval.unwrap().to_string().as_str()),
            (bars, interval),
            "{name}"
        );
        let times: Vec<i64> = all.iter().map(|bar| bar.time).collect();
        let mut sessions = Sessions::new(survey.interval.unwrap());
        sessions.learn(&times);
        sessions.count(&times);
        assert_eq!(sessions.gaps(), gaps, "{name}");
    }
}

prop_compose! {
    fn any_bar()(a in 0.0..1e7_f64, b in 0.0..1e7_f64, c in 0.0..1e7_f64, d in 0.0..1e7_f64, volume in 0.0..1e12_f64)
        -> (f64, f64, f64, f64, f64) {
        let mut sorted = [a, b, c, d];
        sorted.sort_by(f64::total_cmp);
        let [low, open, close, high] = sorted;
        (open, high, low, close, volume)
    }
}

proptest! {
    #[test]
    fn written_bars_come_back_exactly(bars in prop::collection::vec((1_i64..1_000_000, any_bar()), 1..60)) {
        let mut text = ",Open,High,Low,Close,Volume\n".to_owned();
        let mut expected = Vec::new();
        let mut time = 1_000_000_000_000;
        for (step, (open, high, low, close, volume)) in bars {
            time += step;
            writeln!(text, "{time},{open},{high},{low},{close:e},{volume}").unwrap();
            expected.push(Bar { time, open, high, low, close, volume });
        }
        let (survey, bars) = read_all(&text, &Options::default()).unwrap();
        prop_assert_eq!(survey.problems_total, 0);
        prop_assert_eq!(bars, expected);
    }

    #[test]
    fn any_bytes_are_an_answer_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read_all(&bytes, &Options::default());
    }

    #[test]
    fn any_text_below_a_header_is_an_answer(text in "[0-9,.;:\\-\"a-z\n ]{0,300}") {
        let Ok((survey, bars)) = read_all(format!("{GOOD}{text}"), &Options::default()) else {
            return Ok(());
        };
        prop_assert_eq!(survey.bars, bars.len() as u64);
        prop_assert!(bars.iter().all(|bar| bar.high >= bar.low && bar.low >= 0.0));
    }
}
