//! Two people on this machine, meeting on loopback by a typed address.

use std::{fs, time::Duration};

use anyhow::Result;
use artel_tests::{
    person::{Person, Running},
    samples, wait,
};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_mins(1);

/// A node on loopback, without mDNS, and an address to reach it at.
fn node(person: &Person) -> Result<(Running, String)> {
    let (node, ready) = person.node(&["--no-mdns", "--listen", "/ip4/127.0.0.1/tcp/0"])?;
    let address = ready["addresses"][0]
        .as_str()
        .unwrap_or_else(|| panic!("no address in {ready}"));
    let address = address.to_owned();
    Ok((node, address))
}

/// Anna's space with Boris in it, both nodes up.
fn met(place: &std::path::Path) -> Result<(Person, Person, [Running; 2])> {
    let (anna, boris, nodes, _) = met_at(place)?;
    Ok((anna, boris, nodes))
}

/// The same, and where Anna is.
fn met_at(place: &std::path::Path) -> Result<(Person, Person, [Running; 2], String)> {
    let anna = Person::new(place, "Анна")?;
    let boris = Person::new(place, "Boris")?;
    anna.one(&["space", "new", "Лаборатория"])?;
    let invite = anna.text(&["space", "invite", "Лаборатория"], "invite")?;
    let (anna_node, address) = node(&anna)?;
    let (boris_node, _) = node(&boris)?;
    let joined = boris.one(&["space", "join", &invite, "--address", &address])?;
    assert_eq!(joined["state"], "member", "{joined}");
    Ok((anna, boris, [anna_node, boris_node], address))
}

/// Invariant 8: the window is optional.
#[test]
fn people_join_talk_and_are_seen() -> Result<()> {
    let place = tempfile::tempdir()?;
    let (anna, boris, _nodes) = met(place.path())?;

    let sent = anna.one(&["room", "send", "General", "Доброе утро", "--wait"])?;
    assert_eq!(sent["state"], "delivered", "{sent}");
    let lines = boris.lines(&["room", "read", "General"])?;
    let line = lines.last().expect("a message");
    assert_eq!(line["text"], "Доброе утро");
    assert_eq!(line["name"], "Анна");
    assert_eq!(line["id"], sent["message"]);

    let members = boris.lines(&["space", "members", "Лаборатория"])?;
    let role = |name: &str| {
        let member = members.iter().find(|member| member["name"] == name);
        member
            .map(|member| member["role"].clone())
            .unwrap_or_default()
    };
    assert_eq!(
        (role("Анна"), role("Boris")),
        ("owner".into(), "student".into())
    );
    assert!(
        members.iter().all(|member| member["online"] == true),
        "{members:?}"
    );
    Ok(())
}

/// A batch and an indicator run are shared; the other one saves the files and has the same bytes.
#[test]
fn results_are_shared_and_arrive_whole() -> Result<()> {
    let place = tempfile::tempdir()?;
    let (anna, boris, _nodes) = met(place.path())?;
    let at = |name: &str| place.path().join(name).to_string_lossy().into_owned();

    samples::pictures(&place.path().join("фото"), 4, 640, 480)?;
    let batch = anna.lines(&[
        "images",
        "run",
        &at("фото"),
        "--recipe",
        "web",
        "--out",
        &at("готово"),
        "--export",
        &at("batch.csv"),
    ])?;
    let job = batch.last().expect("a report")["job"].clone();
    samples::prices(&place.path().join("WANDER.csv"), 400, 1)?;
    anna.lines(&["market", "import", &at("WANDER.csv")])?;
    let computed = anna.lines(&[
        "market",
        "indicators",
        "--symbol",
        "WANDER",
        "--only",
        "RSI,SMA",
        "--out",
        &at("run.csv"),
    ])?;

    anna.one(&["share", &format!("job:{job}"), "--room", "General"])?;
    let run = computed[0]["run"].as_str().expect("a run");
    anna.one(&["share", run, "--room", "General"])?;

    let attachments = wait::until("both results at Boris's", PATIENCE, || {
        let found: Vec<Value> = boris
            .lines(&["room", "read", "General"])?
            .iter()
            .flat_map(|message| {
                message["attachments"]
                    .as_array()
                    .cloned()
                    .unwrap_or_default()
            })
            .collect();
        let tables = found
            .iter()
            .filter(|file| file["name"].as_str().is_some_and(is_csv))
            .count();
        Ok((tables == 2).then_some(found))
    })?;

    let inbox = at("inbox");
    fs::create_dir(&inbox)?;
    let mut tables = Vec::new();
    for attachment in &attachments {
        let id = attachment["id"].as_str().expect("an id");
        let saved = boris.one(&["room", "save", id, "--to", &inbox])?;
        assert_eq!(saved["hash"], attachment["hash"]);
        let bytes = fs::read(saved["path"].as_str().expect("a path"))?;
        assert_eq!(Some(bytes.len() as u64), attachment["size"].as_u64());
        if attachment["name"].as_str().is_some_and(is_csv) {
            tables.push(bytes);
        }
    }
    for original in ["batch.csv", "run.csv"] {
        let bytes = fs::read(at(original))?;
        assert!(
            tables.contains(&bytes),
            "{original} did not arrive as it was"
        );
    }
    Ok(())
}

fn is_csv(name: &str) -> bool {
    std::path::Path::new(name)
        .extension()
        .is_some_and(|extension| extension == "csv")
}

/// Two talk where nobody else reads, and what was said there can be reported.
#[test]
fn a_direct_message_and_a_report_arrive() -> Result<()> {
    let place = tempfile::tempdir()?;
    let (anna, boris, _nodes, address) = met_at(place.path())?;

    let letter = place.path().join("лист.txt");
    fs::write(&letter, "лише для тебе")?;
    let path = letter.to_string_lossy().into_owned();
    let sent = boris.one(&["dm", "Анна", "Это только вам", "--attach", &path, "--wait"])?;
    assert_eq!(sent["state"], "delivered", "{sent}");
    let lines = anna.lines(&["room", "read", "@Boris"])?;
    let line = lines.last().expect("a message");
    assert_eq!(
        (&line["text"], &line["id"]),
        (&"Это только вам".into(), &sent["message"])
    );
    let listed = anna.lines(&["room", "list"])?;
    let talk = listed.iter().find(|room| room["audience"] == "direct");
    assert_eq!(talk.expect("a conversation")["name"], "@Boris");
    let file = line["attachments"][0]["id"].as_str().expect("a file");
    let saved = place.path().join("saved.txt");
    let to = saved.to_string_lossy().into_owned();
    anna.one(&["room", "save", file, "--to", &to])?;
    assert_eq!(fs::read_to_string(&saved)?, "лише для тебе");
    anna.one(&["dm", "Лаборатория/Boris", "Спасибо"])?;

    // Anna alone runs the space: whom would she report to? Vera is let in to help.
    let message = sent["message"].as_str().expect("an id");
    let refused = anna
        .run(&["room", "report", message, "для порядка"])?
        .error()?;
    assert_eq!(refused["code"], "not_allowed", "{refused}");
    let vera = Person::new(place.path(), "Вера")?;
    let invite = anna.text(&["space", "invite", "Лаборатория"], "invite")?;
    let _vera_node = node(&vera)?;
    vera.one(&["space", "join", &invite, "--address", &address])?;
    anna.one(&["space", "role", "Лаборатория", "Вера", "teacher"])?;
    anna.one(&["room", "report", message, "для порядка"])?;
    let reports = wait::until("the report at Vera's", PATIENCE, || {
        let reports = vera.lines(&["space", "reports", "Лаборатория"])?;
        Ok((!reports.is_empty()).then_some(reports))
    })?;
    let report = &reports[0];
    assert_eq!(
        (&report["by_name"], &report["text"]),
        (&"Анна".into(), &"для порядка".into())
    );
    assert_eq!(report["reported"]["text"], "Это только вам");
    assert_eq!(report["reported"]["name"], "Boris");
    assert!(
        boris
            .lines(&["space", "reports", "Лаборатория"])?
            .is_empty()
    );
    // Vera has none of the rest: not by the conversation's own id, and not in anything that she can read.
    let talk = talk.expect("a conversation")["room"]
        .as_str()
        .expect("an id");
    let refused = vera.run(&["room", "read", talk])?.error()?;
    assert_eq!(refused["code"], "not_found", "{refused}");
    let mut rooms = vera.lines(&["room", "list"])?;
    for name in ["@Boris", "@Анна"] {
        rooms.push(serde_json::json!({ "room": name }));
    }
    for room in &rooms {
        let texts = vera.texts(room["room"].as_str().expect("an id"))?;
        let said = ["Это только вам", "Спасибо"];
        assert!(
            !texts.iter().any(|text| said.contains(&text.as_str())),
            "{room}: {texts:?}"
        );
    }
    Ok(())
}

/// Two who met once and never again: what one writes gets to the other by a file.
#[test]
fn a_bundle_on_a_stick_brings_what_was_written() -> Result<()> {
    let place = tempfile::tempdir()?;
    let (anna, boris, nodes) = met(place.path())?;
    drop(nodes);
    anna.one(&["room", "send", "General", "Без сети"])?;
    anna.one(&["dm", "Boris", "не для переноски"])?;
    let at = |name: &str| place.path().join(name).to_string_lossy().into_owned();

    // There is one space: it need not be named.
    let made = anna.one(&["net", "export", &at("class.artelbundle")])?;
    assert_eq!(made["space"], "Лаборатория", "{made}");
    assert!(made["records"].as_u64() > Some(1), "{made}");
    let size = fs::metadata(at("class.artelbundle"))?.len();
    assert_eq!(made["bytes"].as_u64(), Some(size));
    let inside = fs::read(at("class.artelbundle"))?;
    let words = "Без сети".as_bytes();
    assert!(inside.windows(words.len()).all(|part| part != words));

    // The stick was pulled out too early.
    fs::write(at("cut.artelbundle"), &inside[..inside.len() - 9])?;
    let cut = boris.run(&["net", "import", &at("cut.artelbundle")])?;
    assert_eq!(cut.status, Some(3), "{}", cut.stderr);
    let problem = cut.lines[0]["problem"].as_str().unwrap_or_default();
    assert!(problem.contains("ends in the middle"), "{problem}");

    let taken = boris.one(&["net", "import", &at("class.artelbundle")])?;
    assert_eq!(taken["space"], "Лаборатория", "{taken}");
    let lines = boris.lines(&["room", "read", "General"])?;
    let line = lines.last().expect("a message");
    assert_eq!(
        (&line["text"], &line["name"]),
        (&"Без сети".into(), &"Анна".into())
    );
    assert!(boris.texts("@Анна")?.is_empty());
    let again = boris.one(&["net", "import", &at("class.artelbundle")])?;
    assert_eq!(again["records"], 0, "{again}");

    // Who is in no such space has no key to it.
    let eve = Person::new(place.path(), "Eve")?;
    let refused = eve.run(&["net", "import", &at("class.artelbundle")])?;
    assert_eq!(refused.status, Some(1));
    assert_eq!(refused.error()?["code"], "bad_input");
    Ok(())
}
