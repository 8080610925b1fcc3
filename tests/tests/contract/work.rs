//! Prices, pictures, products, jobs, care.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::Result;
use artel_tests::{
    person::{self, Person},
    samples,
};
use serde_json::Value;

use super::{BATCH, PATIENCE, has, refuses, words};

#[test]
fn market() -> Result<()> {
    let place = tempfile::tempdir()?;
    let at = |name: &str| place.path().join(name).to_string_lossy().into_owned();
    let person = Person::new(place.path(), "Nina")?;
    fs::create_dir(at("цены"))?;
    for (seed, name) in (1..).zip(["НЕФТЬ", "WANDER"]) {
        samples::prices(
            &place.path().join("цены").join(format!("{name}.csv")),
            120,
            seed,
        )?;
    }
    fs::write(place.path().join("цены").join("BAD.csv"), "Dear all,\n")?;
    let imported = person.run(&["market", "import", &at("цены")])?;
    assert_eq!(
        (imported.status, imported.lines.len()),
        (Some(3), 3),
        "{}",
        imported.stderr
    );
    for line in &imported.lines {
        has(
            line,
            "path:text symbol:text? interval:text? bars:number added:number error:object?",
        );
    }
    for line in person.lines(&["market", "list"])? {
        has(
            &line,
            "series:text symbol:text interval:text bars:number from:number to:number last:number",
        );
    }
    fs::write(at("symbols.txt"), "# два\nWANDER\nНЕФТЬ # чёрная\n")?;
    let run = person.lines(&[
        "market",
        "indicators",
        "--batch",
        &at("symbols.txt"),
        "--only",
        "RSI,EMA:5",
        "--out",
        &format!("{}/", at("индикаторы")),
    ])?;
    assert_eq!(run.len(), 2);
    for line in &run {
        has(
            line,
            "symbol:text bars:number functions:number seconds:number cache:text backend:text",
        );
        assert_eq!(
            (&line["bars"], &line["functions"]),
            (&120.into(), &2.into())
        );
    }
    let header = fs::read_to_string(place.path().join("индикаторы").join("НЕФТЬ.csv"))?;
    assert!(
        header.starts_with("symbol,time,RSI_14,EMA_5\n"),
        "{header:.60}"
    );

    refuses(
        &person,
        &words("market indicators --symbol NOPE"),
        1,
        "not_found",
    );
    refuses(
        &person,
        &words("market indicators --symbol WANDER --only NOPE"),
        2,
        "bad_arguments",
    );
    refuses(&person, &words("market indicators"), 2, "bad_arguments");
    refuses(
        &person,
        &["market", "import", &at("nowhere.csv")],
        1,
        "not_found",
    );
    Ok(())
}

#[test]
fn pictures_and_jobs() -> Result<()> {
    let place = tempfile::tempdir()?;
    let at = |name: &str| place.path().join(name).to_string_lossy().into_owned();
    let person = Person::new(place.path(), "Ольга")?;
    has(
        &person.one(&["images", "recipes"])?,
        "name:text summary:text steps:list",
    );
    samples::pictures(&place.path().join("Фото класса"), 2, 320, 240)?;
    fs::write(
        place.path().join("Фото класса").join("letter.jpg"),
        "no picture",
    )?;
    let (photos, out) = (at("Фото класса"), at("Готово к печати"));
    let run = person.run(&["images", "run", &photos, "--recipe", "web", "--out", &out])?;
    assert_eq!(run.status, Some(3), "{}", run.stderr);
    let report = run.lines.last().expect("a report");
    has(report, BATCH);
    let job = report["job"].to_string();
    has(&person.one(&["jobs", "show", &job])?, BATCH);
    let failed = person.one(&["jobs", "failed", &job])?;
    has(
        &failed,
        "index:number input:text state:text attempts:number error:text",
    );

    // The reason is gone, so what failed is done now, and only that.
    samples::picture(
        &place.path().join("Фото класса").join("letter.jpg"),
        320,
        240,
        9,
    )?;
    let retried = person.lines(&["jobs", "retry", &job])?;
    let report = retried.last().expect("a report");
    has(report, BATCH);
    assert_eq!(
        (&report["done"], &report["failed"]),
        (&3.into(), &0.into()),
        "{report}"
    );

    for args in ["pause", "cancel", "resume"] {
        refuses(&person, &["jobs", args, &job], 1, "wrong_state");
    }
    refuses(&person, &words("jobs show 99"), 1, "not_found");
    refuses(&person, &words("jobs failed 99"), 1, "not_found");
    refuses(
        &person,
        &["images", "run", &photos, "--recipe", "nope", "--out", &out],
        1,
        "not_found",
    );
    Ok(())
}

/// A batch through a node is paused, resumed and cancelled from elsewhere; Ctrl-C pauses one's own.
#[test]
fn a_batch_is_paused_resumed_and_cancelled() -> Result<()> {
    let place = tempfile::tempdir()?;
    let at = |name: &str| place.path().join(name).to_string_lossy().into_owned();
    let person = Person::new(place.path(), "Pavel")?;
    samples::pictures(&place.path().join("in"), 24, 1400, 1000)?;
    let (input, first, second) = (at("in"), at("first"), at("second"));
    let batch = |out: &'static str| {
        let out = if out == "first" { &first } else { &second };
        person.start(&[
            "images",
            "run",
            &input,
            "--recipe",
            "web",
            "--workers",
            "1",
            "--out",
            out,
        ])
    };
    let begun = |folder: &str| {
        let pictures = fs::read_dir(at(folder)).map(|entries| {
            entries
                .flatten()
                .filter(|entry| entry.path().extension().is_some_and(|end| end == "jpg"))
                .count()
        });
        (pictures.unwrap_or(0) > 0).then_some(())
    };

    // Alone, by Ctrl-C.
    let mut running = batch("first")?;
    running.until("the first picture", PATIENCE, || Ok(begun("first")))?;
    running.interrupt()?;
    let asked = Instant::now();
    let outcome = running.finish(PATIENCE)?;
    assert!(
        asked.elapsed() < Duration::from_secs(20),
        "it took {:?}",
        asked.elapsed()
    );
    assert_eq!(
        (outcome.status, &outcome.error()?["code"]),
        (Some(1), &"stopped".into()),
        "{}",
        outcome.stderr
    );
    assert!(
        outcome.error()?["hint"]
            .as_str()
            .is_some_and(|hint| hint.contains("jobs resume"))
    );
    let paused = outcome.lines.last().expect("a report").clone();
    has(&paused, BATCH);
    assert_eq!(paused["state"], "paused", "{paused}");
    assert!(
        paused["done"].as_u64() < Some(24),
        "the batch was over before Ctrl-C"
    );

    // Through a node.
    let (_node, _) = person.quiet_node()?;
    let mut running = batch("second")?;
    running.until("the first picture", PATIENCE, || Ok(begun("second")))?;
    let active = person.lines(&words("jobs list --active"))?;
    let job = active[0]["job"].to_string();
    has(&person.one(&["jobs", "pause", &job])?, BATCH);
    let outcome = running.finish(PATIENCE)?;
    assert_eq!(
        (outcome.status, &outcome.error()?["code"]),
        (Some(1), &"stopped".into()),
        "{}",
        outcome.stderr
    );
    assert_eq!(person.one(&["jobs", "show", &job])?["state"], "paused");
    assert_eq!(person.one(&["jobs", "cancel", &job])?["state"], "cancelled");
    refuses(&person, &["jobs", "resume", &job], 1, "wrong_state");

    let resumed = person.lines(&["jobs", "resume", &paused["job"].to_string()])?;
    let report = resumed.last().expect("a report");
    assert_eq!(
        (&report["state"], &report["done"]),
        (&"done".into(), &24.into()),
        "{report}"
    );
    Ok(())
}

#[test]
fn products() -> Result<()> {
    let place = tempfile::tempdir()?;
    let at = |name: &str| place.path().join(name).to_string_lossy().into_owned();
    let person = Person::new(place.path(), "Mila")?;
    refuses(&person, &words("catalog enrich"), 1, "not_found");
    samples::products(&place.path().join("товары на складе.csv"), 40)?;
    let imported = person.one(&["catalog", "import", &at("товары на складе.csv")])?;
    has(
        &imported,
        "path:text products:number added:number changed:number switched_off:list",
    );
    assert_eq!(imported["products"], 40);
    let enriched = person.lines(&words("catalog enrich --brand Север --limit 10"))?;
    let report = enriched.last().expect("a report");
    has(report, BATCH);
    assert_eq!(report["total"], 10);
    let off = report["switched_off"].as_array().expect("a list");
    assert!(off.contains(&"stock".into()), "{report}");
    has(
        &person.one(&["catalog", "stats"])?,
        "products:number documents:number without:list brands:list switched_off:list",
    );
    let exported = person.one(&[
        "catalog",
        "export",
        "--out",
        &at("rich.jsonl"),
        "--limit",
        "5",
    ])?;
    has(&exported, "path:text rows:number");
    let lines = fs::read_to_string(at("rich.jsonl"))?;
    assert_eq!(exported["rows"], lines.lines().count());
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line)?;
        has(&line, "vendor_code:text sku:text?");
    }
    has(
        &person.one(&words("catalog validate 3"))?,
        "checked:number valid:number faults:list warnings:list",
    );
    refuses(
        &person,
        &["catalog", "export", "--out", &at("rich.doc")],
        2,
        "bad_arguments",
    );
    // A file of the user's own is never written over, one of ours is.
    fs::write(at("mine.csv"), "my,own\n1,2\n")?;
    refuses(
        &person,
        &["catalog", "export", "--out", &at("mine.csv")],
        1,
        "exists",
    );
    assert_eq!(fs::read_to_string(at("mine.csv"))?, "my,own\n1,2\n");
    for _ in 0..2 {
        person.one(&["catalog", "export", "--out", &at("again.csv")])?;
    }
    refuses(
        &person,
        &["catalog", "import", &at("nowhere.csv")],
        1,
        "not_found",
    );
    refuses(
        &person,
        &words("catalog enrich --preset nope"),
        2,
        "bad_arguments",
    );
    Ok(())
}

#[test]
fn care_and_machine() -> Result<()> {
    let place = tempfile::tempdir()?;
    let person = Person::new(place.path(), "Лена")?;
    let health = person.one(&["care", "health"])?;
    has(&health, "verdict:text checks:list");
    has(
        &health["checks"][0],
        "name:text grade:text message:text hint:text?",
    );
    refuses(&person, &["care", "verify"], 1, "not_found");
    let backup = person.one(&["care", "backup"])?;
    has(
        &backup,
        "backup:text path:text profile:text at:number bytes:number",
    );
    let listed = person.one(&["care", "backups"])?;
    assert_eq!(listed["backup"], backup["backup"]);
    let name = backup["backup"].as_str().expect("a name");
    has(
        &person.one(&["care", "verify"])?,
        "backup:text good:flag tables:list",
    );
    let dry = person.one(&["care", "restore", name, "--as", "Лена снова", "--dry-run"])?;
    has(&dry, "profile:text member:text device:text? tables:list");
    assert_eq!(person.lines(&["profile", "list"])?.len(), 1);

    // A damaged backup is found out, and harms nothing.
    let path = backup["path"].as_str().expect("a path");
    let mut bytes = fs::read(path)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    fs::write(path, bytes)?;
    refuses(&person, &["care", "verify", name], 1, "damaged");
    refuses(
        &person,
        &["care", "restore", name, "--as", "Лена снова"],
        1,
        "damaged",
    );
    assert_eq!(person.lines(&["profile", "list"])?.len(), 1);

    let nowhere = place.path().join("nobody's home");
    let gpu = person::bare(&[
        "--json",
        "--home",
        &nowhere.to_string_lossy(),
        "gpu",
        "info",
    ])?;
    has(
        &serde_json::from_slice(&gpu.stdout)?,
        "adapters:list in_use:text? reason:text?",
    );
    assert_eq!(String::from_utf8(gpu.stderr)?, "");
    for setting in person.lines(&["settings", "list"])? {
        has(&setting, "key:text value:text default:text summary:text");
    }
    refuses(&person, &words("settings get nope"), 1, "not_found");
    Ok(())
}
