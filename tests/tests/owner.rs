//! One process owns a profile; everyone else goes through it.

use std::time::Duration;

use anyhow::Result;
use artel_tests::{
    person::Person,
    skip, wait,
    window::{self, Size, Window},
};

const SIZE: Size = Size {
    width: 1280,
    height: 800,
};

const PATIENCE: Duration = Duration::from_mins(1);

/// Types the passphrase and opens the profile that the window offers.
fn unlock(window: &Window, person: &Person) -> Result<()> {
    let passphrase = window.part("first-run-passphrase")?;
    passphrase.clear()?;
    passphrase.write(person.passphrase())?;
    window.part("first-run-open")?.click()
}

/// The window holds the profile; the command line works through it, and can take it away.
#[test]
fn the_command_line_works_through_the_window() -> Result<()> {
    let name = "the_command_line_works_through_the_window";
    if let Some(reason) = window::missing() {
        skip(name, &reason);
        return Ok(());
    }
    let place = tempfile::tempdir()?;
    let anna = Person::new(place.path(), "Анна Петренко")?;
    anna.one(&["space", "new", "7-Б класс"])?;
    let alone = anna.one(&["profile", "show"])?;

    let window = Window::open(anna.home(), SIZE)?;
    unlock(&window, &anna)?;
    window.part("composer")?;
    assert_eq!(anna.one(&["profile", "list"])?["in_use"], true);
    let through = anna.one(&["profile", "show"])?;
    for field in ["member", "device", "incarnation"] {
        assert_eq!(alone[field], through[field], "{field}");
    }

    // What is said on one side is seen on the other.
    anna.one(&["room", "send", "General", "Сказано в терминале"])?;
    window.shows(
        "[data-testid=message-text]",
        "Сказано в терминале",
        PATIENCE,
    )?;
    window.part("composer")?.write("Said in the window")?;
    window.part("send")?.click()?;
    wait::until("the window's message", PATIENCE, || {
        let texts = anna.texts("General")?;
        Ok((texts == ["Сказано в терминале", "Said in the window"]).then_some(()))
    })?;
    assert!(anna.lines(&["jobs", "list"])?.is_empty());
    assert_eq!(anna.run(&["care", "health"])?.status, Some(0));
    // The window runs the network; a second node beside it would be another peer.
    let node = anna.run(&["node"])?;
    assert_eq!(
        (node.status, &node.error()?["code"]),
        (Some(1), &"in_use".into())
    );

    // A wrong passphrase gets no further than the window's door.
    let wrong = anna.with_passphrase("wrong").run(&["room", "list"])?;
    assert_eq!(
        (wrong.status, &wrong.error()?["code"]),
        (Some(1), &"wrong_passphrase".into())
    );
    assert!(wrong.lines.is_empty());

    let locked = anna.one(&["profile", "lock"])?;
    assert_eq!(locked["was_open"], true);
    window.part("first-run-open")?;
    assert_eq!(anna.one(&["profile", "list"])?["in_use"], false);
    assert_eq!(anna.texts("General")?.len(), 2);
    assert_eq!(anna.one(&["profile", "lock"])?["was_open"], false);

    // While a node has it, the window says so; afterwards it opens.
    let (node, _) = anna.quiet_node()?;
    unlock(&window, &anna)?;
    window.part("first-run-error")?;
    node.interrupt()?;
    assert_eq!(node.finish(PATIENCE)?.status, Some(0));
    unlock(&window, &anna)?;
    window.shows("[data-testid=message-text]", "Said in the window", PATIENCE)?;
    anna.one(&["room", "send", "General", "Once more"])?;
    window.shows("[data-testid=message-text]", "Once more", PATIENCE)?;
    window.close()?;

    // What the window held is free when it is gone.
    assert_eq!(anna.texts("General")?.len(), 3);
    assert_eq!(anna.one(&["profile", "list"])?["in_use"], false);
    Ok(())
}

/// A node that was killed leaves a socket and a lock behind; neither is in anyone's way.
#[test]
fn a_killed_owner_is_in_nobodys_way() -> Result<()> {
    let place = tempfile::tempdir()?;
    let person = Person::new(place.path(), "Тарас Шевчук")?;
    person.one(&["space", "new", "Мой дом"])?;
    let (node, _) = person.quiet_node()?;
    let second = person.run(&["node"])?;
    let error = second.error()?;
    assert_eq!(
        (second.status, &error["code"]),
        (Some(1), &"in_use".into()),
        "{error}"
    );
    assert!(error["hint"].is_string(), "no way out in {error}");
    assert!(second.lines.is_empty(), "a second node was ready");
    node.kill()?;

    person.one(&["room", "send", "General", "дальше"])?;
    assert_eq!(person.texts("General")?, ["дальше"]);
    let (node, _) = person.quiet_node()?;
    assert_eq!(person.one(&["profile", "lock"])?["was_open"], true);
    assert_eq!(node.finish(PATIENCE)?.status, Some(0));
    Ok(())
}

/// Many commands at once share the profile: each is answered, by itself or through the others.
#[test]
fn commands_at_the_same_time_are_all_answered() -> Result<()> {
    let place = tempfile::tempdir()?;
    let person = Person::new(place.path(), "Ada")?;
    person.one(&["space", "new", "Lab"])?;
    let texts: Vec<String> = (0..6).map(|number| format!("number {number}")).collect();
    let running = texts
        .iter()
        .map(|text| person.start(&["room", "send", "General", text]))
        .collect::<Result<Vec<_>>>()?;
    for command in running {
        let outcome = command.finish(PATIENCE)?;
        assert_eq!(outcome.status, Some(0), "{}", outcome.stderr);
    }
    let mut said = person.texts("General")?;
    said.sort();
    assert_eq!(said, texts);
    Ok(())
}
