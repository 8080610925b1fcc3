//! Three hosts on a LAN find each other and talk.

use std::time::Duration;

use anyhow::Result;
use artel_tests::{lan::Lan, person::Person, wait};

const PATIENCE: Duration = Duration::from_mins(1);

/// Waits until a person reads this in a room.
pub(crate) fn reads(person: &Person, room: &str, text: &str) -> Result<()> {
    wait::until(&format!("\"{text}\" in {room}"), PATIENCE, || {
        Ok(person
            .texts(room)?
            .iter()
            .any(|line| line == text)
            .then_some(()))
    })
}

/// Join by mDNS, talk, one goes down and returns, the author is gone and history still arrives.
#[test]
fn history_travels_through_a_third_host_when_its_author_is_gone() -> Result<()> {
    let Some(lan) = Lan::or_skip(
        "history_travels_through_a_third_host_when_its_author_is_gone",
        3,
    ) else {
        return Ok(());
    };
    let place = tempfile::tempdir()?;
    let [h1, h2, h3] = lan.hosts() else {
        unreachable!("three hosts were asked for")
    };
    let anna = Person::on(h1, place.path(), "Анна")?;
    let boris = Person::on(h2, place.path(), "Boris")?;
    let vera = Person::on(h3, place.path(), "Vera K")?;

    anna.one(&["space", "new", "Class 7B"])?;
    let invite = anna.text(&["space", "invite", "Class 7B"], "invite")?;
    let (anna_node, _) = anna.node(&[])?;
    let (_boris_node, _) = boris.node(&[])?;
    let (vera_node, _) = vera.node(&[])?;
    for person in [&boris, &vera] {
        let state = person.text(&["space", "join", &invite], "state")?;
        assert_eq!(state, "member");
    }

    // Everyone hears everyone.
    anna.one(&["room", "send", "General", "Доброе утро"])?;
    boris.one(&["room", "send", "General", "good morning"])?;
    for person in [&anna, &boris, &vera] {
        reads(person, "General", "Доброе утро")?;
        reads(person, "General", "good morning")?;
    }

    // Vera's cable is out; what was written meanwhile arrives when it is back.
    h3.unplug()?;
    anna.one(&["room", "send", "General", "Vera is away"])?;
    reads(&boris, "General", "Vera is away")?;
    assert!(
        !vera
            .texts("General")?
            .iter()
            .any(|line| line == "Vera is away")
    );

    // Now the author is gone for good, and only Boris can pass it on.
    anna_node.kill()?;
    h3.plug()?;
    reads(&vera, "General", "Vera is away")?;

    // Everyone who is here sees the same history in the same order.
    assert_eq!(boris.texts("General")?, vera.texts("General")?);

    // What Vera says while others are away survives a kill of her own node.
    vera.one(&["room", "send", "General", "сохранено"])?;
    vera_node.kill()?;
    assert!(
        vera.texts("General")?
            .iter()
            .any(|line| line == "сохранено")
    );
    Ok(())
}

/// A teacher holds the door open with one command; whoever types the code on another host comes in, found by mDNS alone.
#[test]
fn a_class_code_leads_in_across_the_lan() -> Result<()> {
    let Some(lan) = Lan::or_skip("a_class_code_leads_in_across_the_lan", 3) else {
        return Ok(());
    };
    let place = tempfile::tempdir()?;
    let [h1, h2, h3] = lan.hosts() else {
        unreachable!("three hosts were asked for")
    };
    let anna = Person::on(h1, place.path(), "Anna")?;
    let boris = Person::on(h2, place.path(), "Boris")?;
    let vera = Person::on(h3, place.path(), "Vera K")?;
    anna.one(&["space", "new", "Class 7B"])?;
    let mut door = anna.start(&["space", "door", "Class 7B", "--minutes", "5"])?;
    let shown = door.first_line(PATIENCE)?;
    let code = shown["code"].as_str().unwrap_or_default().to_owned();
    let typed = code.to_lowercase();
    let joined = boris.one(&["space", "join", &typed])?;
    assert_eq!(
        (&joined["name"], &joined["state"]),
        (&"Class 7B".into(), &"member".into())
    );
    let show = ["space", "door", "Class 7B", "--show"];
    wait::until("Boris among those who came", PATIENCE, || {
        let came = &anna.one(&show)?["open"]["came"];
        Ok((*came == serde_json::json!(["Boris"])).then_some(()))
    })?;
    anna.one(&["space", "door", "Class 7B", "--close"])?;
    let ended = door.finish(PATIENCE)?;
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);

    let (_node, _) = anna.node(&[])?;
    let refused = vera.run(&["space", "join", &code])?;
    assert_eq!(refused.status, Some(1));
    assert_eq!(
        refused.error()?["code"],
        "invite_wrong",
        "{}",
        refused.stderr
    );
    Ok(())
}

/// `--wait` tells that another host has it.
#[test]
fn a_message_is_told_as_delivered_once_a_peer_has_it() -> Result<()> {
    let Some(lan) = Lan::or_skip("a_message_is_told_as_delivered_once_a_peer_has_it", 2) else {
        return Ok(());
    };
    let place = tempfile::tempdir()?;
    let [h1, h2] = lan.hosts() else {
        unreachable!("two hosts were asked for")
    };
    let anna = Person::on(h1, place.path(), "Anna")?;
    let boris = Person::on(h2, place.path(), "Boris")?;
    anna.one(&["space", "new", "Lab"])?;
    let invite = anna.text(&["space", "invite", "Lab"], "invite")?;
    let (_anna_node, ready) = anna.node(&["--no-mdns"])?;
    let address = ready["addresses"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|address| address.as_str())
        .find(|address| address.contains(h1.address()))
        .unwrap_or_else(|| panic!("no address of the LAN in {ready}"))
        .to_owned();
    let (_boris_node, _) = boris.node(&["--no-mdns"])?;
    boris.one(&["space", "join", &invite, "--address", &address])?;

    let sent = anna.one(&["room", "send", "General", "hello", "--wait"])?;
    assert_eq!(sent["state"], "delivered", "{sent}");
    assert_eq!(sent["peers"], 1, "{sent}");
    Ok(())
}
