//! Nodes that are killed while they send and receive. Invariant 3: said means saved.
//!
//! `ARTEL_KILLS=200` kills as often as one likes; 20 times otherwise.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use artel_tests::{
    lan::Lan,
    person::{Person, Running},
    wait,
};

const PATIENCE: Duration = Duration::from_mins(2);

/// The same waits each time: from nothing to a little more than a message takes.
struct Pauses(u64);

impl Pauses {
    fn next(&mut self) -> Duration {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis((self.0 >> 33) % 400)
    }
}

fn kills() -> Result<u32> {
    match std::env::var("ARTEL_KILLS") {
        Ok(number) => number.parse().context("ARTEL_KILLS is a number"),
        Err(_) => Ok(20),
    }
}

/// Sends until told to stop; the messages of which the command said that they are stored.
fn writes(person: &Person, over: &AtomicBool) -> Result<Vec<(String, String)>> {
    let mut stored = Vec::new();
    let mut number = 0;
    while !over.load(Ordering::Relaxed) {
        number += 1;
        let text = format!("{} {number}", person.name());
        // The node, or the command itself where there is none just now, may go away under it.
        let outcome = person.run(&["room", "send", "General", &text])?;
        if let (Some(0), [line]) = (outcome.status, &*outcome.lines) {
            ensure!(line["state"] == "stored", "{line}");
            let id = line["message"].as_str().context("an id")?;
            stored.push((id.to_owned(), text));
        }
    }
    Ok(stored)
}

/// A node, as soon as no command has the profile.
fn started(person: &Person) -> Result<Running> {
    wait::until("the profile", PATIENCE, || {
        Ok(Some(person.node(&["--port", "47600"])?.0))
    })
}

#[test]
fn what_was_stored_survives_kills_of_either_side_and_is_there_once() -> Result<()> {
    let name = "what_was_stored_survives_kills_of_either_side_and_is_there_once";
    let Some(lan) = Lan::or_skip(name, 2) else {
        return Ok(());
    };
    let place = tempfile::tempdir()?;
    let [h1, h2] = lan.hosts() else {
        unreachable!("two hosts were asked for")
    };
    let anna = Person::on(h1, place.path(), "Анна")?;
    let boris = Person::on(h2, place.path(), "Boris")?;
    anna.one(&["space", "new", "7-Б"])?;
    let invite = anna.text(&["space", "invite", "7-Б"], "invite")?;
    let mut nodes = [&anna, &boris].map(|person| (person, None::<Running>));
    for (person, node) in &mut nodes {
        *node = Some(started(person)?);
    }
    boris.one(&["space", "join", &invite])?;

    let over = AtomicBool::new(false);
    let stored = thread::scope(|scope| -> Result<_> {
        let writers = [&anna, &boris].map(|person| scope.spawn(|| writes(person, &over)));
        let mut pauses = Pauses(u64::from(kills()?));
        let mut kill = || -> Result<()> {
            for number in 0..kills()? {
                thread::sleep(pauses.next());
                nodes.rotate_left(usize::from(number > 0));
                let (person, node) = &mut nodes[0];
                node.take().context("a node")?.kill()?;
                *node = Some(started(person)?);
            }
            Ok(())
        };
        let killed = kill();
        over.store(true, Ordering::Relaxed);
        let mut stored = Vec::new();
        for writer in writers {
            stored.extend(writer.join().expect("no panic")?);
        }
        killed?;
        Ok(stored)
    })?;
    assert!(stored.len() > 10, "only {} were stored", stored.len());

    // What the last command said of itself is there as well; that of commands that were cut off may be.
    let read = |person: &Person| -> Result<Vec<(String, String)>> {
        let lines = person.lines(&["room", "read", "General", "--limit", "100000"])?;
        let field = |line: &serde_json::Value, name: &str| {
            line[name].as_str().unwrap_or_default().to_owned()
        };
        Ok(lines
            .iter()
            .map(|line| (field(line, "id"), field(line, "text")))
            .collect())
    };
    let shown = wait::until("the same on both sides", PATIENCE, || {
        let (one, other) = (read(&anna)?, read(&boris)?);
        Ok((one == other).then_some(one))
    })?;
    for message in &stored {
        let times = shown.iter().filter(|known| *known == message).count();
        assert_eq!(times, 1, "{message:?}");
    }
    let mut texts: Vec<_> = shown.iter().map(|(_, text)| text).collect();
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), shown.len(), "something was said twice");
    Ok(())
}
