//! Pictures, prices, products and care from the command line, as one person uses them.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use anyhow::Result;
use artel_tests::{person::Person, samples, wait};
use serde_json::Value;

/// Files below a folder, by path from there.
fn tree(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder)?.to_string_lossy().into_owned();
                found.insert(name, fs::read(path)?);
            }
        }
    }
    Ok(found)
}

/// Rows of a batch's CSV without the seconds, which nobody can repeat.
fn rows(path: &Path) -> Result<Vec<Vec<String>>> {
    let mut reader = csv::Reader::from_path(path)?;
    let seconds = reader.headers()?.iter().position(|name| name == "seconds");
    let mut rows = Vec::new();
    for row in reader.records() {
        let row = row?;
        let cells = row
            .iter()
            .enumerate()
            .filter(|(column, _)| Some(*column) != seconds);
        rows.push(cells.map(|(_, cell)| cell.to_owned()).collect());
    }
    rows.sort();
    Ok(rows)
}

/// Killed in the middle and resumed, a batch gives the bytes of one that was never interrupted.
#[test]
fn a_killed_batch_resumes_to_the_same_bytes() -> Result<()> {
    let place = tempfile::tempdir()?;
    let at = |name: &str| place.path().join(name);
    let text = |name: &str| at(name).to_string_lossy().into_owned();
    samples::pictures(&at("фото"), 40, 1600, 1200)?;
    let person = Person::new(place.path(), "Olga")?;

    let whole = [
        "images",
        "run",
        &text("фото"),
        "--recipe",
        "web",
        "--out",
        &text("whole"),
        "--export",
        &text("whole.csv"),
    ];
    let report = person.lines(&whole)?;
    assert_eq!(report.last().expect("a report")["done"], 40);

    let other = Person::new(place.path(), "Pavel")?;
    let killed = [
        "images",
        "run",
        &text("фото"),
        "--recipe",
        "web",
        "--out",
        &text("killed"),
        "--export",
        &text("killed.csv"),
    ];
    let running = other.start(&killed)?;
    wait::until("the first results", Duration::from_mins(1), || {
        let done = fs::read_dir(at("killed")).map(|entries| {
            entries
                .flatten()
                .filter(|entry| is_picture(&entry.path()))
                .count()
        });
        Ok((done.unwrap_or(0) >= 3).then_some(()))
    })?;
    running.kill()?;
    let done = tree(&at("killed"))?.len();
    assert!(done < 40, "the batch was over before it could be killed");

    let jobs = other.lines(&["jobs", "list"])?;
    let job = jobs.first().expect("the job is remembered")["job"].to_string();
    let resumed = other.lines(&["jobs", "resume", &job])?;
    assert_eq!(resumed.last().expect("a report")["done"], 40);

    let (expected, found) = (tree(&at("whole"))?, tree(&at("killed"))?);
    assert_eq!(
        expected.keys().collect::<Vec<_>>(),
        found.keys().collect::<Vec<_>>()
    );
    for (name, bytes) in &expected {
        if Path::new(name)
            .extension()
            .is_none_or(|extension| extension != "csv")
        {
            assert!(found.get(name) == Some(bytes), "{name} differs");
        }
    }
    let moved = |rows: Vec<Vec<String>>| -> Vec<Vec<String>> {
        let rename = |cell: String| cell.replace(&text("killed"), &text("whole"));
        rows.into_iter()
            .map(|row| row.into_iter().map(rename).collect())
            .collect()
    };
    assert_eq!(rows(&at("whole.csv"))?, moved(rows(&at("killed.csv"))?));
    Ok(())
}

fn is_picture(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "jpg")
}

/// Every function of the catalogue over a price file, a column each, empty where undefined.
#[test]
fn indicators_of_a_price_file() -> Result<()> {
    let place = tempfile::tempdir()?;
    let at = |name: &str| place.path().join(name).to_string_lossy().into_owned();
    let person = Person::new(place.path(), "Nina")?;
    samples::prices(Path::new(&at("WANDER.csv")), 500, 1)?;
    person.lines(&["market", "import", &at("WANDER.csv")])?;
    let series = person.lines(&["market", "list"])?;
    assert_eq!(
        (&series[0]["symbol"], &series[0]["bars"]),
        (&"WANDER".into(), &500.into())
    );

    let few = person.lines(&[
        "market",
        "indicators",
        "--symbol",
        "WANDER",
        "--only",
        "RSI,MACD:12:26:9",
        "--out",
        &at("few.csv"),
    ])?;
    assert_eq!(few.last().expect("a line")["functions"], 2);
    let mut reader = csv::Reader::from_path(at("few.csv"))?;
    let headers: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
    for column in [
        "symbol",
        "time",
        "RSI_14",
        "MACD_12_26_9",
        "MACD_12_26_9_signal",
    ] {
        assert!(
            headers.iter().any(|name| name == column),
            "no {column} in {headers:?}"
        );
    }
    let rsi = headers
        .iter()
        .position(|name| name == "RSI_14")
        .expect("RSI_14");
    let values: Vec<String> = reader
        .records()
        .map(|row| Ok(row?[rsi].to_owned()))
        .collect::<Result<_>>()?;
    assert_eq!(values.len(), 500);
    assert!(
        values[..14].iter().all(String::is_empty),
        "RSI(14) is undefined for 14 bars"
    );
    assert!(values[14..].iter().all(|value| {
        value
            .parse::<f64>()
            .is_ok_and(|value| (0.0..=100.0).contains(&value))
    }));

    let all = person.lines(&[
        "market",
        "indicators",
        "--symbol",
        "WANDER",
        "--out",
        &at("all.csv"),
    ])?;
    let functions = all.last().expect("a line")["functions"]
        .as_u64()
        .expect("a number");
    let listed = person.lines(&["market", "functions"])?;
    assert_eq!(functions, listed.len() as u64);
    let mut reader = csv::Reader::from_path(at("all.csv"))?;
    let columns: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
    for function in &listed {
        let name = function["name"].as_str().expect("a name");
        let own = |column: &&String| {
            let rest = column.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
        };
        assert!(
            columns.iter().any(|column| own(&column)),
            "no column of {name}"
        );
    }
    let different: std::collections::BTreeSet<_> = columns.iter().collect();
    assert_eq!(different.len(), columns.len(), "a column twice");
    Ok(())
}

/// Products in, documents out, all valid.
#[test]
fn documents_of_a_product_list() -> Result<()> {
    let place = tempfile::tempdir()?;
    let at = |name: &str| place.path().join(name).to_string_lossy().into_owned();
    let person = Person::new(place.path(), "Mila")?;
    samples::products(Path::new(&at("товары.csv")), 60)?;
    person.lines(&["catalog", "import", &at("товары.csv")])?;
    let report = person.lines(&["catalog", "enrich"])?;
    let report = report.last().expect("a report");
    assert_eq!(
        (&report["total"], &report["failed"]),
        (&60.into(), &0.into()),
        "{report}"
    );

    person.lines(&["catalog", "export", "--out", &at("rich.csv")])?;
    let mut reader = csv::Reader::from_path(at("rich.csv"))?;
    assert_eq!(
        reader.headers()?,
        vec!["vendor_code", "sku", "rich_content_json"]
    );
    let mut documents = 0;
    for row in reader.records() {
        let document: Value = serde_json::from_str(&row?[2])?;
        assert_eq!(document["version"], 0.3);
        documents += 1;
    }
    assert!(documents > 0, "no document was made");
    let checked = person.lines(&["catalog", "validate"])?;
    let checked = checked.last().expect("a line");
    assert_eq!(checked["checked"], checked["valid"], "{checked}");
    Ok(())
}

/// A backup of a profile with a message restores as the same person on a new device.
#[test]
fn a_backup_restores_the_person_on_a_new_device() -> Result<()> {
    let place = tempfile::tempdir()?;
    let person = Person::new(place.path(), "Lena")?;
    person.one(&["space", "new", "Home"])?;
    person.one(&["room", "send", "General", "keep this"])?;
    let before = person.one(&["profile", "show"])?;

    assert_eq!(person.run(&["care", "health"])?.status, Some(0));
    let backup = person.text(&["care", "backup"], "path")?;
    let verified = person.one(&["care", "verify", &backup])?;
    assert_eq!(verified["good"], true, "{verified}");
    assert!(
        !contains(&fs::read(&backup)?, b"keep this"),
        "the backup can be read"
    );

    let restored = person.one(&["care", "restore", &backup, "--as", "Lena again"])?;
    assert_eq!(restored["member"], before["member"]);
    assert_ne!(restored["device"], before["device"]);
    let again = person.named("Lena again");
    assert_eq!(again.texts("General")?, ["keep this"]);
    Ok(())
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
