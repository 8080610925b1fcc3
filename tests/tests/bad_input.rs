//! Bad input: its own clear error and exit status, and nothing else is harmed.

use std::{fs, path::Path, time::Duration};

use anyhow::Result;
use artel_tests::{
    person::{Outcome, Person},
    samples,
};

/// What a person reads: everything said, on either output.
fn said(outcome: &Outcome) -> String {
    let lines: Vec<String> = outcome.lines.iter().map(ToString::to_string).collect();
    format!("{}\n{}", lines.join("\n"), outcome.stderr)
}

/// Fails unless every word is said.
fn says(outcome: &Outcome, words: &[&str]) {
    let said = said(outcome);
    for word in words {
        assert!(said.contains(word), "nothing about \"{word}\" in:\n{said}");
    }
}

/// Pictures that are none fail alone, by name, and the good one is done.
#[test]
fn a_bad_picture_fails_alone() -> Result<()> {
    let place = tempfile::tempdir()?;
    let at = |name: &str| place.path().join(name).to_string_lossy().into_owned();
    let person = Person::new(place.path(), "Irina")?;
    let photos = place.path().join("фото");
    samples::pictures(&photos, 1, 320, 240)?;
    fs::write(
        photos.join("письмо.jpg"),
        "This is a letter, not a photograph.",
    )?;
    samples::picture(&photos.join("whole.png"), 320, 240, 5)?;
    let png = fs::read(photos.join("whole.png"))?;
    fs::write(photos.join("cut.png"), &png[..png.len() / 2])?;
    fs::write(photos.join("empty.jpg"), "")?;

    let outcome = person.run(&[
        "images",
        "run",
        &at("фото"),
        "--recipe",
        "web",
        "--out",
        &at("out"),
        "--export",
        &at("out.csv"),
    ])?;
    assert_eq!(outcome.status, Some(3), "{}", said(&outcome));
    let report = outcome.lines.last().expect("a report");
    assert_eq!(
        (&report["total"], &report["done"], &report["failed"]),
        (&5.into(), &2.into(), &3.into()),
        "{report}"
    );

    let job = report["job"].to_string();
    let failed = person.run(&["jobs", "failed", &job])?;
    says(&failed, &["письмо.jpg", "cut.png", "empty.jpg"]);
    let table = fs::read_to_string(at("out.csv"))?;
    for name in ["письмо.jpg", "cut.png", "empty.jpg"] {
        let row = table
            .lines()
            .find(|row| row.contains(name))
            .unwrap_or_else(|| panic!("no row of {name}"));
        assert!(row.contains("failed"), "{row}");
    }
    assert_eq!(
        fs::read_to_string(photos.join("письмо.jpg"))?,
        "This is a letter, not a photograph."
    );
    Ok(())
}

/// Price files that cannot be right are refused with line and reason; nothing of them is kept.
#[test]
fn bad_price_files_are_refused_by_line() -> Result<()> {
    let place = tempfile::tempdir()?;
    let person = Person::new(place.path(), "Zoya")?;
    let good = "date,open,high,low,close,volume\n2024-01-01,1,2,0.5,1.5,10\n";
    for (name, text, words) in [
        ("EMPTY.csv", String::new(), &["EMPTY.csv", "empty"][..]),
        (
            "HEADER.csv",
            "date,open,high,low,close\n".to_owned(),
            &["HEADER.csv"],
        ),
        (
            "BELOW.csv",
            format!("{good}2024-01-02,3.2,3.1,3.4,3.2,10\n"),
            &["BELOW.csv", "3.1", "3.4", "--skip-bad-rows"],
        ),
        (
            "LETTER.csv",
            "Dear all,\nhow are you?\n".to_owned(),
            &["LETTER.csv"],
        ),
    ] {
        let path = place.path().join(name);
        fs::write(&path, text)?;
        let outcome = person.run(&["market", "import", &path.to_string_lossy()])?;
        assert_eq!(outcome.status, Some(1), "{name}: {}", said(&outcome));
        says(&outcome, words);
    }
    assert!(person.lines(&["market", "list"])?.is_empty());

    let below = place
        .path()
        .join("BELOW.csv")
        .to_string_lossy()
        .into_owned();
    let outcome = person.run(&["market", "import", &below, "--skip-bad-rows"])?;
    assert_eq!(outcome.status, Some(3), "done in part: {}", said(&outcome));
    assert_eq!(person.lines(&["market", "list"])?[0]["bars"], 1);
    Ok(())
}

/// Invites that lead nowhere each say why.
#[test]
fn bad_invites_say_why() -> Result<()> {
    let place = tempfile::tempdir()?;
    let anna = Person::new(place.path(), "Anna")?;
    let boris = Person::new(place.path(), "Boris")?;
    anna.one(&["space", "new", "Lab"])?;
    let late = anna.text(&["space", "invite", "Lab", "--expires", "1s"], "invite")?;
    let good = anna.text(&["space", "invite", "Lab"], "invite")?;
    let (_node, ready) = anna.node(&["--no-mdns", "--listen", "/ip4/127.0.0.1/tcp/0"])?;
    let address = ready["addresses"][0].as_str().expect("an address");
    std::thread::sleep(Duration::from_secs(2));

    // A seed that nobody made, for a space that is there.
    let mut wrong: Vec<char> = good.chars().collect();
    for letter in &mut wrong[..5] {
        *letter = if *letter == 'b' || *letter == 'B' {
            'c'
        } else {
            'b'
        };
    }
    let wrong: String = wrong.into_iter().collect();
    for (invite, code) in [
        ("not an invite", "invite_wrong"),
        (&wrong, "invite_wrong"),
        (&late, "invite_expired"),
    ] {
        let outcome = boris.run(&["space", "join", invite, "--address", address])?;
        assert_eq!(outcome.status, Some(1), "{invite}: {}", said(&outcome));
        let error = outcome.error()?;
        assert_eq!(error["code"], code, "{invite}: {error}");
        assert!(error["hint"].is_string(), "no way out in {error}");
    }
    assert!(boris.lines(&["space", "list"])?.is_empty());
    assert_eq!(anna.lines(&["space", "members", "Lab"])?.len(), 1);

    // The good one still works.
    let joined = boris.one(&["space", "join", &good, "--address", address])?;
    assert_eq!(joined["state"], "member");
    Ok(())
}

/// Wrong usage is told apart from failure, and a wrong passphrase from a missing profile.
#[test]
fn wrong_words_have_their_own_status() -> Result<()> {
    let place = tempfile::tempdir()?;
    let person = Person::new(place.path(), "Yana")?;
    assert_eq!(person.run(&["no-such-command"])?.status, Some(2));
    assert_eq!(person.run(&["images", "run"])?.status, Some(2));

    let missing = person.named("Nobody").run(&["profile", "show"])?;
    assert_eq!(
        (missing.status, &missing.error()?["code"]),
        (Some(1), &"not_found".into())
    );
    let wrong = person.with_passphrase("wrong").run(&["profile", "show"])?;
    assert_eq!(
        (wrong.status, &wrong.error()?["code"]),
        (Some(1), &"wrong_passphrase".into())
    );
    let nowhere = person.run(&[
        "images",
        "run",
        &absent(place.path()),
        "--recipe",
        "web",
        "--out",
        &absent(place.path()),
    ])?;
    assert_eq!(nowhere.status, Some(1), "{}", said(&nowhere));
    says(&nowhere, &["no such folder"]);
    Ok(())
}

fn absent(place: &Path) -> String {
    place.join("no such folder").to_string_lossy().into_owned()
}
