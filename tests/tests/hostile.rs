//! A peer that lies, against honest nodes. Whatever it does, they show nothing false, answer one another, keep within
//! their memory, and say whom they sent away. Invariant 2: no peer is trusted.

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use anyhow::Result;
use artel_tests::{
    hostile,
    lan::{Host, Lan},
    person::{Person, Running},
    skip, wait,
};
use serde_json::Value;

use crate::hosts::reads;

const PATIENCE: Duration = Duration::from_mins(2);

/// Memory beyond what an honest evening takes. A node that follows its limits stays far below.
const MOST_MEMORY: u64 = 400 << 20;

/// Anna and Boris, who are honest, and a third host.
struct Scene {
    anna: Person,
    boris: Person,
    anna_node: Running,
    boris_node: Running,
    /// Where Anna listens.
    address: String,
    space: String,
    lan: Lan,
}

impl Scene {
    /// Anna's node says what it thinks of its peers.
    fn set(test: &str, place: &Path) -> Result<Option<Self>> {
        if !hostile().exists() {
            skip(
                test,
                "the hostile peer is not built: cargo build -p artel-sync --example hostile",
            );
            return Ok(None);
        }
        let Some(lan) = Lan::or_skip(test, 3) else {
            return Ok(None);
        };
        let [h1, h2, _] = lan.hosts() else {
            unreachable!("three hosts were asked for")
        };
        let anna = Person::on(h1, place, "Анна")?;
        let boris = Person::on(h2, place, "Boris")?;
        let space = anna.text(&["space", "new", "7-Б"], "space")?;
        let (anna_node, _) = anna.node(&["-v", "--port", "47600"])?;
        let (boris_node, _) = boris.node(&[])?;
        let invite = anna.text(&["space", "invite", "7-Б", "--seats", "1"], "invite")?;
        boris.one(&["space", "join", &invite])?;
        let address = format!("/ip4/{}/tcp/47600", h1.address());
        let scene = Self {
            anna,
            boris,
            anna_node,
            boris_node,
            address,
            space,
            lan,
        };
        scene.talk("before")?;
        Ok(Some(scene))
    }

    fn attacker(&self) -> &Host {
        &self.lan.hosts()[2]
    }

    /// Starts an attack.
    fn attack(&self, words: &[&str]) -> Result<Running> {
        let mut command = self.attacker().command(hostile());
        command.args(words);
        Running::spawn(&format!("hostile {}", words.join(" ")), command)
    }

    /// Makes an attack and returns what came of it.
    fn attacked(&self, words: &[&str]) -> Result<BTreeSet<String>> {
        let outcome = self.attack(words)?.finish(PATIENCE)?;
        assert_eq!(outcome.status, Some(0), "{words:?}: {}", outcome.stderr);
        let said = outcome.lines.iter().filter_map(Value::as_str);
        Ok(said.map(str::to_owned).collect())
    }

    /// A word each way, while whatever goes on goes on.
    fn talk(&self, word: &str) -> Result<()> {
        for (from, to, name) in [
            (&self.anna, &self.boris, "Анна"),
            (&self.boris, &self.anna, "Boris"),
        ] {
            let text = format!("{word}: {name}");
            from.one(&["room", "send", "General", &text])?;
            reads(to, "General", &text)?;
        }
        Ok(())
    }

    /// Nothing is shown that its author did not say, and everything once.
    fn shows_the_truth(&self, words: &[&str]) -> Result<()> {
        let mut wanted: Vec<(String, String)> = words
            .iter()
            .flat_map(|word| {
                ["Анна", "Boris"].map(|name| (name.to_owned(), format!("{word}: {name}")))
            })
            .collect();
        wanted.sort();
        for person in [&self.anna, &self.boris] {
            let text =
                |line: &Value, field: &str| line[field].as_str().unwrap_or_default().to_owned();
            let mut shown: Vec<(String, String)> = person
                .lines(&["room", "read", "General"])?
                .iter()
                .map(|line| (text(line, "name"), text(line, "text")))
                .collect();
            shown.sort();
            assert_eq!(shown, wanted);
        }
        Ok(())
    }

    /// Ends both nodes; what Anna's said about its peers.
    fn end(self) -> Result<String> {
        for node in [&self.anna_node, &self.boris_node] {
            let peak = node.peak_memory()?;
            assert!(peak < MOST_MEMORY, "{} MiB", peak >> 20);
        }
        self.anna_node.interrupt()?;
        let outcome = self.anna_node.finish(PATIENCE)?;
        assert_eq!(outcome.status, Some(0), "{}", outcome.stderr);
        Ok(outcome.stderr)
    }
}

/// Noise, endless and oversized frames, questions, false announcements.
#[test]
fn a_stranger_gets_nothing_out_of_a_node_and_does_not_stop_it() -> Result<()> {
    let name = "a_stranger_gets_nothing_out_of_a_node_and_does_not_stop_it";
    let place = tempfile::tempdir()?;
    let Some(scene) = Scene::set(name, place.path())? else {
        return Ok(());
    };
    let said = scene.attacked(&[&scene.address, "noise"])?;
    for attack in [
        "nothing",
        "noise",
        "another protocol",
        "half a greeting",
        "an endless greeting",
        "noise for a handshake",
        "a frame of 4 GiB",
        "a frame over the limit",
        "a frame of nothing",
        "a frame of noise",
    ] {
        assert!(
            said.contains(&format!("{attack}: closed")),
            "{attack}: {said:?}"
        );
    }
    scene.talk("after noise")?;
    let said = scene.attacked(&[&scene.address, "probe", &scene.space])?;
    assert!(said.contains("answers: 0"), "{said:?}");
    let here = scene.attacker().address().to_owned();
    scene.attacked(&["mdns", &here])?;
    scene.talk("after lies")?;
    scene.shows_the_truth(&["before", "after noise", "after lies"])?;
    let log = scene.end()?;
    assert!(log.contains("a peer is sent away"), "{log}");
    assert!(log.contains("over the limit"), "{log}");
    Ok(())
}

/// All places taken, by frames that never end and connections that say nothing. A member who comes gets through, also
/// one whom Anna cannot call.
#[test]
fn a_crowd_at_the_door_keeps_no_member_out() -> Result<()> {
    let name = "a_crowd_at_the_door_keeps_no_member_out";
    let place = tempfile::tempdir()?;
    let Some(mut scene) = Scene::set(name, place.path())? else {
        return Ok(());
    };
    let mut crowd = scene.attack(&[&scene.address, "crowd"])?;
    crowd.says("crowded", PATIENCE)?;
    scene.talk("in the crowd")?;
    scene.boris_node.interrupt()?;
    let nowhere = ["--no-mdns", "--listen", "/ip4/127.0.0.1/tcp/0"];
    let (again, _) = wait::until("Boris's profile", PATIENCE, || {
        Ok(Some(scene.boris.node(&nowhere)?))
    })?;
    scene.boris_node = again;
    scene.talk("through the crowd")?;
    // It has not gone home meanwhile.
    crowd.interrupt()?;
    scene.shows_the_truth(&["before", "in the crowd", "through the crowd"])?;
    scene.end()?;
    Ok(())
}

/// Others' words changed, signed anew, put elsewhere; positions beyond all others; changes that are none.
#[test]
fn a_member_who_lies_is_believed_in_nothing() -> Result<()> {
    let place = tempfile::tempdir()?;
    let Some(scene) = Scene::set("a_member_who_lies_is_believed_in_nothing", place.path())? else {
        return Ok(());
    };
    let invite = scene.anna.text(&["space", "invite", "7-Б"], "invite")?;
    let said = scene.attacked(&[&scene.address, "forge", &invite])?;
    let (kept, away): (Vec<_>, Vec<_>) = said
        .iter()
        .filter(|line| line.contains(": "))
        .partition(|line| line.ends_with(": kept"));
    // A false position is no offence on the way: an honest peer may pass it on. It counts for nothing.
    assert_eq!(kept, ["a position beyond all others: kept"]);
    assert_eq!(away.len(), 7, "{away:?}");
    scene.talk("after lies")?;
    scene.shows_the_truth(&["before", "after lies"])?;
    let log = scene.end()?;
    assert!(log.matches("a peer is sent away").count() >= 7, "{log}");
    Ok(())
}

/// Names that lead elsewhere, and bytes that are not what was announced.
#[test]
fn files_of_a_liar_land_where_they_are_put_or_nowhere() -> Result<()> {
    let name = "files_of_a_liar_land_where_they_are_put_or_nowhere";
    let place = tempfile::tempdir()?;
    let Some(scene) = Scene::set(name, place.path())? else {
        return Ok(());
    };
    let anna = &scene.anna;
    let invite = anna.text(&["space", "invite", "7-Б"], "invite")?;
    let mut liar = scene.attack(&[&scene.address, "files", &invite])?;
    let mut files = liar.until("four files", PATIENCE, || {
        let lines = anna.lines(&["room", "read", "General"])?;
        let files: Vec<Value> = lines
            .iter()
            .filter_map(|line| line["attachments"].get(0).cloned())
            .collect();
        Ok((files.len() == 4).then_some(files))
    })?;
    let broken = files.pop().expect("a file");
    let folder = place.path().join("saved");
    fs::create_dir(&folder)?;
    let into = folder.to_string_lossy().into_owned();
    let save = |file: &Value| {
        let id = file["id"].as_str().unwrap_or_default();
        anna.run(&["room", "save", id, "--to", &into, "--timeout", "5"])
    };
    for file in &files {
        let saved = save(file)?;
        assert_eq!(saved.status, Some(0), "{}", saved.stderr);
    }
    let names = || -> Result<BTreeSet<String>> {
        let entries = fs::read_dir(&folder)?;
        entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    };
    let safe = ["_CON", "win.ini", "x"].map(str::to_owned).into();
    assert_eq!(names()?, safe);

    anna.one(&["room", "send", "General", "now lie"])?;
    liar.says("lying", PATIENCE)?;
    let refused = save(&broken)?;
    assert_eq!(refused.status, Some(1), "{:?}", refused.lines);
    let error = refused.error()?;
    assert!(error["hint"].is_string(), "{error}");
    assert_eq!(names()?, safe, "something of the broken file was left");
    scene.talk("after files")?;
    scene.end()?;
    Ok(())
}

/// Put out, it has its keys, its old roster and others' records. They are worth nothing.
#[test]
fn one_who_was_put_out_is_not_heard_and_hears_nothing() -> Result<()> {
    let name = "one_who_was_put_out_is_not_heard_and_hears_nothing";
    let place = tempfile::tempdir()?;
    let Some(scene) = Scene::set(name, place.path())? else {
        return Ok(());
    };
    let anna = &scene.anna;
    let invite = anna.text(&["space", "invite", "7-Б"], "invite")?;
    let mut former = scene.attack(&[&scene.address, "stay", &invite])?;
    former.says("inside", PATIENCE)?;
    anna.one(&["space", "remove", "7-Б", "Маска"])?;
    scene.talk("without them")?;
    let outcome = former.finish(PATIENCE)?;
    let said: Vec<_> = outcome.lines.iter().filter_map(Value::as_str).collect();
    assert_eq!(outcome.status, Some(0), "{}", outcome.stderr);
    for line in ["put out: true", "heard since: 0"] {
        assert!(said.contains(&line), "{line}: {said:?}");
    }
    scene.talk("later")?;
    scene.shows_the_truth(&["before", "without them", "later"])?;
    wait::until("the removal everywhere", PATIENCE, || {
        let members = scene.boris.lines(&["space", "members", "7-Б"])?;
        let out = |member: &Value| member["name"] == "Маска" && member["state"] == "removed";
        Ok(members.iter().any(out).then_some(()))
    })?;
    scene.end()?;
    Ok(())
}
