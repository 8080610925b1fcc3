//! Profiles, spaces, rooms.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use artel_tests::{
    lan::Lan,
    person::{self, Person},
    wait,
};
use serde_json::Value;

use super::{PATIENCE, has, refuses, words};

#[test]
fn profiles() -> Result<()> {
    let place = tempfile::tempdir()?;
    let olena = Person::new(place.path(), "Олена Ткаченко-Шевчук")?;
    let other = olena.named("O'Neil \"Jr\"");
    has(
        &other.one(&["profile", "new", "O'Neil \"Jr\""])?,
        "profile:text member:text recovery:text",
    );
    let listed = olena.lines(&["profile", "list"])?;
    assert_eq!(listed.len(), 2);
    for line in &listed {
        has(line, "profile:text member:text in_use:flag");
    }
    let shown = olena.one(&["profile", "show"])?;
    has(
        &shown,
        "profile:text member:text device:text incarnation:text path:text bytes:number schema:number",
    );
    assert_eq!(shown["profile"], "Олена Ткаченко-Шевчук");

    refuses(
        &olena,
        &["profile", "new", "Олена Ткаченко-Шевчук"],
        1,
        "exists",
    );
    refuses(&olena, &["profile", "new", ""], 1, "bad_name");
    refuses(&olena, &["profile", "delete", "Nobody"], 1, "not_found");
    refuses(&olena.named("Nobody"), &["room", "list"], 1, "not_found");
    refuses(
        &olena.with_passphrase("wrong"),
        &["profile", "delete", "O'Neil \"Jr\""],
        1,
        "wrong_passphrase",
    );
    let ambiguous = person::bare(&[
        "--json",
        "--home",
        &olena.home().to_string_lossy(),
        "profile",
        "show",
    ])?;
    let said = String::from_utf8(ambiguous.stderr)?;
    assert_eq!(ambiguous.status.code(), Some(1));
    assert!(
        said.contains("\"ambiguous\"") && said.contains("Олена"),
        "{said}"
    );

    // A forgotten passphrase is set anew by the code of the last note, once.
    let made = olena
        .named("Forgetful")
        .one(&["profile", "new", "Forgetful"])?;
    let (code, chosen) = (
        place.path().join("code.txt"),
        place.path().join("chosen.txt"),
    );
    let code_file = code.to_string_lossy().into_owned();
    let chosen_file = chosen.to_string_lossy().into_owned();
    let recover = [
        &["profile", "recover", "Forgetful", "--code-file", &code_file][..],
        &["--new-passphrase-file", &chosen_file],
    ]
    .concat();
    fs::write(&chosen, "a chosen one")?;
    fs::write(&code, made["recovery"].as_str().unwrap_or_default())?;
    let recovered = olena.one(&recover)?;
    has(&recovered, "profile:text recovery:text");
    assert_ne!(recovered["recovery"], made["recovery"]);
    refuses(&olena, &recover, 1, "recovery_wrong");
    let remembers = olena.named("Forgetful").with_passphrase("a chosen one");
    has(
        &remembers.one(&["profile", "recovery", "Forgetful"])?,
        "profile:text recovery:text",
    );
    fs::write(&code, recovered["recovery"].as_str().unwrap_or_default())?;
    refuses(&olena, &recover, 1, "recovery_wrong");
    remembers.one(&["profile", "delete", "Forgetful"])?;

    // The new passphrase opens it, the old one no longer does.
    let new = place.path().join("new passphrase.txt");
    fs::write(&new, "ёлка в лесу\r\n")?;
    let file = new.to_string_lossy().into_owned();
    olena.one(&["profile", "passwd", "--new-passphrase-file", &file])?;
    refuses(&olena, &["profile", "show"], 1, "wrong_passphrase");
    let changed = olena.with_passphrase("ёлка в лесу");
    assert_eq!(
        changed.one(&["profile", "show"])?["member"],
        shown["member"]
    );
    let by_file = olena.one(&["--passphrase-file", &file, "profile", "show"])?;
    assert_eq!(by_file["member"], shown["member"]);

    assert_eq!(other.one(&["profile", "lock"])?["was_open"], false);
    other.one(&["profile", "delete", "O'Neil \"Jr\""])?;
    assert_eq!(olena.lines(&["profile", "list"])?.len(), 1);
    Ok(())
}

/// Anna and Boris, on a LAN where this machine can make one.
fn two(place: &Path) -> Result<(Person, Person, Option<Lan>)> {
    let lan = Lan::new(2).ok();
    let (anna, boris) = match lan.as_ref().map(Lan::hosts) {
        Some([h1, h2]) => (
            Person::on(h1, place, "Анна Петренко")?,
            Person::on(h2, place, "Boris")?,
        ),
        _ => (
            Person::new(place, "Анна Петренко")?,
            Person::new(place, "Boris")?,
        ),
    };
    Ok((anna, boris, lan))
}

#[test]
fn spaces_and_rooms() -> Result<()> {
    let place = tempfile::tempdir()?;
    let (anna, boris, _lan) = two(place.path())?;
    let at = |name: &str| place.path().join(name).to_string_lossy().into_owned();
    let space = anna.one(&["space", "new", "7-Б класс"])?;
    has(
        &space,
        "space:text name:text role:text state:text members:number",
    );
    assert_eq!(
        anna.lines(&["space", "list"])?,
        std::slice::from_ref(&space)
    );
    let invite = anna.one(
        &words("space invite 7-Б")
            .iter()
            .copied()
            .chain(["--approve"])
            .collect::<Vec<_>>(),
    );
    assert!(invite.is_err(), "half a name was taken for the whole");
    let invite = anna.one(&["space", "invite", "7-Б класс", "--approve", "--seats", "2"])?;
    has(
        &invite,
        "invite:text space:text role:text seats:number expires_at:number",
    );
    let listed = anna.one(&["space", "invites", "7-Б класс"])?;
    has(
        &listed,
        "role:text seats:number used:number approve:flag revoked:flag",
    );
    assert_eq!(
        (&listed["seats"], &listed["approve"]),
        (&2.into(), &true.into())
    );

    let (_anna_node, address) = anna.quiet_node()?;
    let (_boris_node, _) = boris.quiet_node()?;
    let code = invite["invite"].as_str().expect("a code");
    let joined = boris.one(&["space", "join", code, "--address", &address])?;
    has(&joined, "space:text state:text");
    assert_eq!(
        (&joined["state"], &joined["space"]),
        (&"pending".into(), &space["space"])
    );
    wait::until("Boris at the door", PATIENCE, || {
        let members = anna.lines(&["space", "members", "7-Б класс"])?;
        let waiting = members.iter().any(|member| member["state"] == "pending");
        Ok(waiting.then_some(()))
    })?;
    anna.one(&["space", "admit", "7-Б класс", "Boris"])?;
    wait::until("Boris as a member", PATIENCE, || {
        let spaces = boris.lines(&["space", "list"])?;
        Ok((spaces[0]["state"] == "member").then_some(()))
    })?;
    for member in anna.lines(&["space", "members", "7-Б класс"])? {
        has(
            &member,
            "member:text name:text role:text state:text online:flag",
        );
    }
    let peers = anna.lines(&["net", "peers"])?;
    let boris_there = peers
        .iter()
        .find(|peer| peer["name"] == "Boris")
        .expect("Boris");
    has(
        boris_there,
        "peer:text address:text connected:flag found_by:text spaces:list",
    );
    let dialled = boris.one(&["net", "dial", &address])?;
    has(&dialled, "peer:text address:text");

    let room = anna.one(&["room", "new", "7-Б класс", "Домашнее задание"])?;
    has(&room, "room:text space:text name:text");
    assert_eq!(anna.lines(&["room", "list", "7-Б класс"])?.len(), 2);
    let first = anna.one(&["room", "send", "Домашнее задание", "Стр. 34"])?;
    has(&first, "message:text state:text");
    assert_eq!(first["state"], "stored");
    fs::write(at("план работы.txt"), "раз, два, три")?;
    let first = first["message"].as_str().expect("an id");
    anna.one(&[
        "room",
        "send",
        "7-Б класс/Домашнее задание",
        "и план",
        "--attach",
        &at("план работы.txt"),
        "--reply-to",
        first,
    ])?;
    let lines = wait::until("both messages at Boris's", PATIENCE, || {
        let lines = boris
            .lines(&["room", "read", "Домашнее задание"])
            .unwrap_or_default();
        Ok((lines.len() == 2).then_some(lines))
    })?;
    for line in &lines {
        has(
            line,
            "id:text author:text name:text at:number text:text edited:flag deleted:flag \
             reply_to:text? attachments:list reactions:list",
        );
    }
    assert_eq!(
        (&lines[0]["text"], &lines[1]["text"]),
        (&"Стр. 34".into(), &"и план".into())
    );
    assert_eq!(lines[1]["reply_to"], first);
    let file = &lines[1]["attachments"][0];
    has(file, "id:text name:text size:number hash:text");
    let last = boris.one(&["room", "read", "Домашнее задание", "--limit", "1"])?;
    assert_eq!(last["id"], lines[1]["id"]);
    let earlier = boris.one(&[
        "room",
        "read",
        "Домашнее задание",
        "--before",
        lines[1]["id"].as_str().expect("an id"),
    ])?;
    assert_eq!(earlier["id"], first);
    let id = file["id"].as_str().expect("an id");
    let saved = boris.one(&["room", "save", id, "--to", &at("сохранённый план.txt")])?;
    has(&saved, "path:text size:number hash:text");
    assert_eq!(
        fs::read_to_string(at("сохранённый план.txt"))?,
        "раз, два, три"
    );
    // An existing file is never overwritten: the second copy has another name.
    let again = boris.one(&["room", "save", id, "--to", &at("сохранённый план.txt")])?;
    assert_ne!(again["path"], saved["path"]);
    assert_eq!(again["hash"], saved["hash"]);

    for (args, code) in [
        ("space members Nowhere", "not_found"),
        ("room read Nowhere", "not_found"),
        ("room save deadbeef --to x", "not_found"),
        ("share job:99 --room General", "not_found"),
        ("share nonsense --room General", "bad_arguments"),
        ("net dial nonsense", "bad_arguments"),
    ] {
        let status = if code == "bad_arguments" { 2 } else { 1 };
        refuses(&boris, &words(args), status, code);
    }
    refuses(&boris, &["space", "invite", "7-Б класс"], 1, "not_allowed");
    refuses(
        &boris,
        &["room", "new", "7-Б класс", "Чат"],
        1,
        "not_allowed",
    );

    // Two of one name could not be told apart.
    refuses(
        &anna,
        &["room", "new", "7-Б класс", "домашнее Задание"],
        1,
        "exists",
    );
    refuses(&anna, &["space", "new", "7-б КЛАСС"], 1, "exists");
    let id = space["space"].as_str().expect("an id");
    let by_id = format!("{}/Домашнее задание", &id[..8]);
    assert_eq!(boris.lines(&["room", "read", &by_id])?.len(), 2);
    for room in boris.lines(&["room", "list"])? {
        assert_eq!(room["space_name"], "7-Б класс");
    }

    // Who was removed is told so, whatever they try.
    anna.one(&["space", "remove", "7-Б класс", "Boris"])?;
    wait::until("Boris hears of it", PATIENCE, || {
        let spaces = boris.lines(&["space", "list"])?;
        Ok((spaces[0]["state"] == "removed").then_some(()))
    })?;
    for args in [
        &["room", "read", "Домашнее задание"][..],
        &["room", "send", "7-Б класс/Домашнее задание", "ещё"],
        &["room", "new", "7-Б класс", "Чат"],
        &["space", "leave", "7-Б класс"],
    ] {
        refuses(&boris, args, 1, "not_allowed");
    }
    refuses(&anna, &["space", "leave", "7-Б класс"], 1, "not_allowed");
    Ok(())
}

#[test]
fn rules_of_a_space() -> Result<()> {
    let place = tempfile::tempdir()?;
    let (anna, boris, _lan) = two(place.path())?;
    anna.one(&["space", "new", "7-Б"])?;
    let rules = anna.lines(&["space", "policy", "7-Б"])?;
    let values = |rules: &[Value]| -> Vec<String> {
        let value = |rule: &Value| format!("{}={}", rule["key"], rule["value"]).replace('"', "");
        rules.iter().map(value).collect()
    };
    assert_eq!(
        values(&rules),
        ["history=all", "direct=on", "pages=students"]
    );
    for rule in &rules {
        has(rule, "key:text value:text by:text? at:number?");
    }
    anna.one(&["room", "send", "General", "до Бориса"])?;
    let set = anna.lines(&words(
        "space policy 7-Б --set history=none --set direct=off",
    ))?;
    assert_eq!(
        values(&set),
        ["history=none", "direct=off", "pages=students"]
    );
    assert_eq!(set[0]["by"], "Анна Петренко");
    for wrong in ["history=0", "direct=maybe", "colour=red", "history"] {
        let args = ["space", "policy", "7-Б", "--set", wrong];
        refuses(&anna, &args, 2, "bad_arguments");
    }

    let code = anna.text(&["space", "invite", "7-Б"], "invite")?;
    let (_anna_node, address) = anna.quiet_node()?;
    let (_boris_node, _) = boris.quiet_node()?;
    boris.one(&["space", "join", &code, "--address", &address])?;
    anna.one(&["room", "send", "General", "после"])?;
    wait::until("what came later", PATIENCE, || {
        let texts = boris.texts("General").unwrap_or_default();
        Ok((texts == ["после"]).then_some(()))
    })?;
    // Nothing per message: one line says so.
    let listed = boris.one(&["room", "list", "7-Б"])?;
    assert_eq!(listed["withheld"], true);
    let secret = place.path().join("passphrase.txt");
    fs::write(&secret, boris.passphrase())?;
    let read = person::bare(&[
        "--home",
        &boris.home().to_string_lossy(),
        "--profile",
        boris.name(),
        "--passphrase-file",
        &secret.to_string_lossy(),
        "room",
        "read",
        "General",
    ])?;
    let hint = String::from_utf8(read.stderr)?;
    assert!(
        hint.contains("from before you joined are not shown"),
        "{hint}"
    );
    refuses(&boris, &["dm", "Анна Петренко", "тайно"], 1, "not_allowed");
    let args = words("space policy 7-Б --set direct=on");
    refuses(&boris, &args, 1, "not_allowed");

    anna.lines(&words("space policy 7-Б --set history=all --set direct=on"))?;
    wait::until("what came before", PATIENCE, || {
        let texts = boris.texts("General").unwrap_or_default();
        Ok((texts == ["до Бориса", "после"]).then_some(()))
    })?;
    boris.one(&["dm", "Анна Петренко", "открыто"])?;
    Ok(())
}

#[test]
fn messages_are_edited_and_deleted() -> Result<()> {
    let place = tempfile::tempdir()?;
    let anna = Person::new(place.path(), "Анна")?;
    anna.one(&["space", "new", "7-Б"])?;
    let send = |text: &str| anna.text(&["room", "send", "General", text], "message");
    let shown = |id: &str| {
        let lines = anna.lines(&["room", "read", "General"])?;
        let line = lines.into_iter().find(|line| line["id"] == id);
        line.context("the message is not there")
    };
    let id = send("Стр. 34")?;
    let edited = anna.one(&["room", "edit", &id, "Стр. 35"])?;
    has(&edited, "message:text state:text");
    assert_eq!(
        (&edited["message"], &edited["state"]),
        (&id.as_str().into(), &"stored".into())
    );
    let line = shown(&id)?;
    has(&line, "deleting_until:number?");
    assert_eq!(
        (&line["text"], &line["edited"]),
        (&"Стр. 35".into(), &true.into())
    );

    let reacted = anna.one(&["room", "react", &id, "👍"])?;
    has(&reacted, "message:text emoji:text?");
    assert_eq!(shown(&id)?["reactions"][0]["emoji"], "👍");
    let taken_back = anna.one(&["room", "react", &id, "--remove"])?;
    assert_eq!(taken_back["emoji"], Value::Null);
    assert_eq!(shown(&id)?["reactions"], Value::Array(Vec::new()));
    refuses(
        &anna,
        &["room", "react", &id, "two words"],
        2,
        "bad_arguments",
    );
    refuses(
        &anna,
        &["room", "react", &"ab".repeat(32), "👍"],
        1,
        "not_found",
    );

    // Alone, the command waits: Ctrl-C takes the deletion back, and so does another command.
    let begin = |id: &str| -> Result<_> {
        let mut running = anna.start(&["room", "delete", id])?;
        running.until("a deletion under way", PATIENCE, || {
            Ok(shown(id)?["deleting_until"].is_number().then_some(()))
        })?;
        Ok(running)
    };
    let kept = |line: &Value| assert_eq!(line["state"], "kept", "{line}");
    let running = begin(&id)?;
    running.interrupt()?;
    let outcome = running.finish(PATIENCE)?;
    assert_eq!(outcome.status, Some(0), "{}", outcome.stderr);
    has(&outcome.lines[0], "message:text state:text until:number?");
    kept(&outcome.lines[0]);
    let running = begin(&id)?;
    kept(&anna.one(&["room", "delete", &id, "--undo"])?);
    kept(&running.finish(PATIENCE)?.lines[0]);
    assert_eq!(shown(&id)?["text"], "Стр. 35");
    let started = Instant::now();
    assert_eq!(anna.one(&["room", "delete", &id])?["state"], "deleted");
    assert!(started.elapsed() >= Duration::from_secs(9));
    let line = shown(&id)?;
    assert_eq!(
        (&line["deleted"], &line["text"]),
        (&true.into(), &"".into())
    );

    // Killed in the wait, it is signed by whoever opens the profile next.
    let id = send("oops")?;
    begin(&id)?.kill()?;
    wait::until("the deletion", PATIENCE, || {
        Ok((shown(&id)?["deleted"] == true).then_some(()))
    })?;

    // Beside a node it returns at once.
    let id = send("twice")?;
    let (_node, _) = anna.quiet_node()?;
    let waiting = anna.one(&["room", "delete", &id])?;
    assert_eq!(waiting["state"], "waiting");
    assert!(waiting["until"].is_number(), "{waiting}");
    kept(&anna.one(&["room", "delete", &id, "--undo"])?);
    let signed = anna.one(&["room", "delete", &id, "--now"])?;
    assert_eq!(signed["state"], "deleted");

    refuses(&anna, &["room", "delete", &id, "--undo"], 1, "wrong_state");
    refuses(&anna, &["room", "edit", &id, "x"], 1, "wrong_state");
    refuses(
        &anna,
        &["room", "edit", "deadbeef", "x"],
        2,
        "bad_arguments",
    );
    refuses(&anna, &["room", "delete", &"ab".repeat(32)], 1, "not_found");
    Ok(())
}

#[test]
fn notes_are_opened_edited_and_read() -> Result<()> {
    let place = tempfile::tempdir()?;
    let anna = Person::new(place.path(), "Анна")?;
    anna.one(&["space", "new", "7-Б"])?;
    let none = anna.one(&words("room notes General"))?;
    has(
        &none,
        "editors:text? text:text base:list editable:flag may_open:flag changed_by:text? changed_at:number?",
    );
    assert_eq!(
        (&none["editors"], &none["text"]),
        (&Value::Null, &"".into())
    );
    let plan = place.path().join("план урока.txt");
    fs::write(&plan, "1. Привіт\n2. Дроби\n")?;
    let plan = plan.to_string_lossy().into_owned();
    refuses(
        &anna,
        &["room", "notes", "General", "--edit", &plan],
        1,
        "not_found",
    );
    let edited = anna.one(&[
        "room",
        "notes",
        "General",
        "--open-to",
        "students",
        "--edit",
        &plan,
    ])?;
    assert_eq!(edited["text"], "1. Привіт\n2. Дроби\n");
    assert_eq!(edited["editors"], "students");
    let closed = anna.one(&words("room notes General --open-to teachers"))?;
    assert_eq!(
        (&closed["text"], &closed["editors"]),
        (&edited["text"], &"teachers".into())
    );
    fs::write(&plan, "x".repeat(32 * 1024 + 1))?;
    refuses(
        &anna,
        &["room", "notes", "General", "--edit", &plan],
        1,
        "bad_input",
    );
    fs::write(&plan, [0xff, 0xfe, 0x00])?;
    refuses(
        &anna,
        &["room", "notes", "General", "--edit", &plan],
        1,
        "bad_input",
    );
    assert_eq!(
        anna.one(&words("room notes General"))?["text"],
        edited["text"]
    );
    Ok(())
}

/// The status says how bad the worst of the findings is.
#[test]
fn the_doctor_ends_as_it_finds() -> Result<()> {
    let place = tempfile::tempdir()?;
    let anna = Person::new(place.path(), "Анна")?;
    let outcome = anna.run(&words("net doctor"))?;
    let mut worst = 0;
    for line in &outcome.lines {
        has(
            line,
            "name:text grade:text code:text message:text hint:text?",
        );
        worst = match line["grade"].as_str() {
            Some("critical") => 1,
            Some("warning") if worst == 0 => 3,
            _ => worst,
        };
    }
    assert!(outcome.lines.len() >= 8, "{:?}", outcome.lines);
    assert_eq!(outcome.status, Some(worst), "{:?}", outcome.lines);
    Ok(())
}

#[test]
fn doors_and_bundles_answer_alike_open_and_closed() -> Result<()> {
    let place = tempfile::tempdir()?;
    let anna = Person::new(place.path(), "Анна")?;
    let space = anna.one(&["space", "new", "7-Б"])?;
    let (_node, _) = anna.quiet_node()?;
    let closed = anna.one(&["space", "door", "7-Б", "--show"])?;
    assert_eq!(
        (&closed["space"], &closed["open"]),
        (&space["space"], &Value::Null)
    );
    let opened = anna.one(&["space", "door", "7-Б"])?;
    has(
        &opened,
        "space:text code:text invite:text until:number wrong:number guests:number came:list",
    );
    let shown = anna.one(&["space", "door", "7-Б", "--show"])?;
    assert_eq!(
        (&shown["space"], &shown["open"]),
        (&space["space"], &opened)
    );
    assert_eq!(anna.one(&["space", "door", "7-Б", "--close"])?, closed);

    let file = place.path().join("7b.artelbundle");
    let file = file.to_string_lossy();
    let made = anna.one(&["net", "export", &file])?;
    has(
        &made,
        "file:text space:text records:number bytes:number left_out:list",
    );
    let taken = anna.one(&["net", "import", &file])?;
    has(
        &taken,
        "file:text space:text records:number waiting:number problem:text?",
    );
    anna.one(&["space", "new", "8-А"])?;
    refuses(&anna, &["net", "export", &file], 1, "ambiguous");
    refuses(
        &anna,
        &["net", "export", &file, "--space", "7-Б", "--since", "today"],
        2,
        "bad_arguments",
    );
    Ok(())
}

#[test]
fn reading_has_its_limits() -> Result<()> {
    let place = tempfile::tempdir()?;
    let anna = Person::new(place.path(), "Анна")?;
    anna.one(&["space", "new", "7-Б"])?;
    for text in ["one", "two", "three"] {
        anna.one(&["room", "send", "General", text])?;
    }
    let texts = |args: &str| -> Result<Vec<Value>> {
        let lines = anna.lines(&words(args))?;
        Ok(lines.into_iter().map(|line| line["text"].clone()).collect())
    };
    assert_eq!(texts("room read General --limit 2")?, ["two", "three"]);
    assert_eq!(texts("room read General --limit 5000")?.len(), 3);
    refuses(
        &anna,
        &words("room read General --limit 0"),
        2,
        "bad_arguments",
    );
    // One who follows sees what comes, and nothing from before the limit.
    let (_node, _) = anna.quiet_node()?;
    let mut follower = anna.start(&words("room read General --limit 1 --follow"))?;
    follower.first_line(PATIENCE)?;
    anna.one(&["room", "send", "General", "four"])?;
    wait::until("the new line", PATIENCE, || {
        Ok((follower.lines_so_far() >= 2).then_some(()))
    })?;
    follower.interrupt()?;
    let outcome = follower.finish(PATIENCE)?;
    let seen: Vec<_> = outcome
        .lines
        .iter()
        .map(|line| line["text"].clone())
        .collect();
    assert_eq!(seen, ["three", "four"]);
    refuses(
        &anna,
        &[
            "room",
            "send",
            "General",
            "x",
            "--reply-to",
            &"ab".repeat(32),
        ],
        1,
        "not_found",
    );
    Ok(())
}
