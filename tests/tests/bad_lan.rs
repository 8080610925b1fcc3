//! What people see on a LAN that is a bad one: cables that lose packets, a slow one, a switch that
//! falls in two, no multicast.

use std::{fs, path::Path, thread, time::Duration};

use anyhow::{Result, bail, ensure};
use artel_tests::{
    lan::{Host, Lan, possible},
    person::{Person, Running},
    wait,
};
use serde_json::Value;

use crate::hosts::reads;

/// How long anything may take here. It decides nothing but when a test gives up.
const PATIENCE: Duration = Duration::from_mins(2);

/// People in one space, each at a host with a node that is up. The first founded it.
struct Class {
    people: Vec<Person>,
    /// They end with it.
    nodes: Vec<Running>,
}

impl Class {
    /// Everyone finds everyone, before anything is made worse.
    fn meet(place: &Path, hosts: &[Host]) -> Result<Self> {
        let mut class = Self {
            people: Vec::new(),
            nodes: Vec::new(),
        };
        for (host, name) in hosts.iter().zip(["Анна", "Boris", "Vera", "Олег"]) {
            let person = Person::on(host, place, name)?;
            class.nodes.push(person.node(&[])?.0);
            class.people.push(person);
        }
        let [anna, others @ ..] = &*class.people else {
            bail!("a class needs a host");
        };
        anna.one(&["space", "new", "7-Б"])?;
        let invite = anna.text(&["space", "invite", "7-Б"], "invite")?;
        for other in others {
            let state = other.text(&["space", "join", &invite], "state")?;
            ensure!(state == "member", "joined as {state}");
        }
        for person in &class.people {
            wait::until("everyone to be met", PATIENCE, || {
                let peers = person.lines(&["net", "peers"])?;
                let met = |peer: &&Value| peer["spaces"][0] == "7-Б" && peer["connected"] == true;
                Ok((peers.iter().filter(met).count() == others.len()).then_some(()))
            })?;
        }
        Ok(class)
    }

    /// Waits until everyone reads so many messages, the same in the same order.
    fn agrees_on(&self, count: usize) -> Result<Vec<String>> {
        wait::until(&format!("{count} messages everywhere"), PATIENCE, || {
            let mut all = self.people.iter().map(|person| person.texts("General"));
            let first = all.next().expect("a person")?;
            ensure!(first.len() >= count, "the first reads {first:?}");
            for other in all {
                let other = other?;
                ensure!(other == first, "{other:?} is not {first:?}");
            }
            Ok(Some(first))
        })
    }
}

/// Invariant 4: order is causal, whatever the network does to it.
#[test]
fn a_lossy_lan_loses_nothing_and_changes_no_order() -> Result<()> {
    let name = "a_lossy_lan_loses_nothing_and_changes_no_order";
    let Some(lan) = Lan::or_skip(name, 3) else {
        return Ok(());
    };
    let place = tempfile::tempdir()?;
    let class = Class::meet(place.path(), lan.hosts())?;
    for host in lan.hosts() {
        if possible(name, host.lose(10)).is_none() {
            return Ok(());
        }
    }
    // All at once, so that the same places in the order are wanted by several.
    let written = thread::scope(|scope| {
        let writers: Vec<_> = class
            .people
            .iter()
            .enumerate()
            .map(|(number, person)| {
                scope.spawn(move || {
                    (0..8).try_for_each(|count| {
                        let text = format!("{number}: {count}");
                        person.one(&["room", "send", "General", &text]).map(drop)
                    })
                })
            })
            .collect();
        writers
            .into_iter()
            .try_for_each(|writer| writer.join().expect("no panic"))
    });
    written?;
    let texts = class.agrees_on(24)?;
    assert_eq!(texts.len(), 24, "{texts:?}");
    for number in 0..3 {
        let own: Vec<_> = texts
            .iter()
            .filter(|text| text.starts_with(&format!("{number}:")))
            .cloned()
            .collect();
        let wanted: Vec<_> = (0..8).map(|count| format!("{number}: {count}")).collect();
        assert_eq!(own, wanted);
    }
    for host in lan.hosts() {
        assert!(host.dropped()? > 0, "{host:?} lost nothing");
    }
    Ok(())
}

/// A file on a slow cable takes minutes; words go before it.
#[test]
fn words_pass_a_file_on_a_slow_cable() -> Result<()> {
    let name = "words_pass_a_file_on_a_slow_cable";
    let Some(lan) = Lan::or_skip(name, 2) else {
        return Ok(());
    };
    let place = tempfile::tempdir()?;
    let class = Class::meet(place.path(), lan.hosts())?;
    let [anna, boris] = &*class.people else {
        unreachable!("two people met")
    };
    let file = place.path().join("запись урока.bin");
    let bytes: Vec<u8> = (0..5_000_000_u32)
        .map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect();
    fs::write(&file, &bytes)?;
    let file = file.to_string_lossy();
    anna.one(&["room", "send", "General", "запись", "--attach", &file])?;
    reads(boris, "General", "запись")?;
    let lines = boris.lines(&["room", "read", "General"])?;
    let id = lines[0]["attachments"][0]["id"].as_str().expect("an id");

    let [h1, _] = lan.hosts() else {
        unreachable!("two hosts were asked for")
    };
    if possible(name, h1.limit(256)).is_none() {
        return Ok(());
    }
    let saved = place.path().join("saved.bin");
    let mut saving = boris.start(&["room", "save", id, "--to", &saved.to_string_lossy()])?;
    saving.until("words in both directions", PATIENCE, || {
        anna.one(&["room", "send", "General", "слышно?"])?;
        reads(boris, "General", "слышно?")?;
        boris.one(&["room", "send", "General", "слышно"])?;
        reads(anna, "General", "слышно")?;
        Ok(Some(()))
    })?;
    assert!(!saved.exists(), "the file was faster than the words");

    h1.heal()?;
    let outcome = saving.finish(PATIENCE)?;
    assert_eq!(outcome.status, Some(0), "{}", outcome.stderr);
    assert!(fs::read(&saved)? == bytes, "the file came out different");
    Ok(())
}

/// Each side goes on by itself; afterwards both have everything.
#[test]
fn two_halves_of_a_split_lan_come_together() -> Result<()> {
    let Some(lan) = Lan::or_skip("two_halves_of_a_split_lan_come_together", 4) else {
        return Ok(());
    };
    let place = tempfile::tempdir()?;
    let class = Class::meet(place.path(), lan.hosts())?;
    let [anna, boris, vera, oleg] = &*class.people else {
        unreachable!("four people met")
    };
    anna.one(&["room", "send", "General", "together"])?;
    class.agrees_on(1)?;

    let [_, _, h3, h4] = lan.hosts() else {
        unreachable!("four hosts were asked for")
    };
    lan.split(&[h3, h4])?;
    for (here, there) in [(anna, boris), (vera, oleg)] {
        let text = format!("said at {}", here.home().display());
        here.one(&["room", "send", "General", &text])?;
        reads(there, "General", &text)?;
        let answer = format!("heard at {}", there.home().display());
        there.one(&["room", "send", "General", &answer])?;
        reads(here, "General", &answer)?;
    }
    for person in &class.people {
        assert_eq!(person.texts("General")?.len(), 3, "the halves met too soon");
    }

    lan.mend()?;
    let texts = class.agrees_on(5)?;
    assert_eq!((texts.len(), &*texts[0]), (5, "together"));
    Ok(())
}

/// Where multicast goes nowhere, one typed address is enough, and enough for ever.
#[test]
fn a_typed_address_is_remembered_where_multicast_is_blocked() -> Result<()> {
    let name = "a_typed_address_is_remembered_where_multicast_is_blocked";
    let Some(lan) = Lan::or_skip(name, 2) else {
        return Ok(());
    };
    let place = tempfile::tempdir()?;
    let [h1, h2] = lan.hosts() else {
        unreachable!("two hosts were asked for")
    };
    for host in lan.hosts() {
        if possible(name, host.block_multicast()).is_none() {
            return Ok(());
        }
    }
    let anna = Person::on(h1, place.path(), "Анна")?;
    let boris = Person::on(h2, place.path(), "Boris")?;
    anna.one(&["space", "new", "7-Б"])?;
    let invite = anna.text(&["space", "invite", "7-Б"], "invite")?;
    // With mDNS on: nothing but the LAN keeps it from working.
    let (anna_node, ready) = anna.node(&["--port", "47600"])?;
    let (boris_node, _) = boris.node(&["--port", "47600"])?;
    assert_eq!(ready["ready"], true);
    let address = format!("{}:47600", h1.address());
    let joined = boris.one(&["space", "join", &invite, "--address", &address])?;
    assert_eq!(joined["state"], "member", "{joined}");

    for node in [anna_node, boris_node] {
        node.interrupt()?;
        node.finish(PATIENCE)?;
    }
    let (_anna_node, _) = anna.node(&["--port", "47600"])?;
    let (_boris_node, _) = boris.node(&["--port", "47600"])?;
    anna.one(&["room", "send", "General", "доброе утро"])?;
    reads(&boris, "General", "доброе утро")?;
    boris.one(&["room", "send", "General", "good morning"])?;
    reads(&anna, "General", "good morning")?;
    for host in lan.hosts() {
        assert!(host.dropped()? > 0, "{host:?} heard no multicast to drop");
    }
    Ok(())
}
