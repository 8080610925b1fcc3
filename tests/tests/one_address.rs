//! Where nobody hears mDNS: one typed address leads to everyone, and the doctor says what is wrong.

use std::time::Duration;

use anyhow::Result;
use artel_tests::{lan::Lan, lan::possible, person::Person, wait};

const PATIENCE: Duration = Duration::from_mins(2);

#[test]
fn one_typed_address_leads_to_everybody_without_multicast() -> Result<()> {
    const NAME: &str = "one_typed_address_leads_to_everybody_without_multicast";
    let Some(lan) = Lan::or_skip(NAME, 4) else {
        return Ok(());
    };
    let blocked = lan
        .hosts()
        .iter()
        .try_for_each(artel_tests::lan::Host::block_multicast);
    if possible(NAME, blocked).is_none() {
        return Ok(());
    }
    let place = tempfile::tempdir()?;
    let mut people = Vec::new();
    let mut nodes = Vec::new();
    for (host, name) in lan.hosts().iter().zip(["Anna", "Boris", "Vera", "Олег"]) {
        people.push(Person::on(host, place.path(), name)?);
    }
    let [anna, others @ ..] = &*people else {
        unreachable!("four hosts were asked for")
    };
    anna.one(&["space", "new", "Lab"])?;
    let invite = anna.text(&["space", "invite", "Lab"], "invite")?;
    for person in &people {
        nodes.push(person.node(&[])?.0);
    }
    let address = format!("{}:47600", lan.hosts()[0].address());
    for other in others {
        let state = other.text(&["space", "join", &invite, "--address", &address], "state")?;
        assert_eq!(state, "member");
    }
    // Nobody typed an address of Boris, Vera or Oleg.
    for person in &people {
        wait::until("everyone to be met", PATIENCE, || {
            let peers = person.lines(&["net", "peers"])?;
            let met = peers.iter().filter(|peer| peer["connected"] == true);
            Ok((met.count() == others.len()).then_some(()))
        })?;
    }
    let told = |person: &Person| -> Result<bool> {
        let peers = person.lines(&["net", "peers"])?;
        Ok(peers.iter().any(|peer| peer["found_by"] == "member"))
    };
    assert!(told(&others[0])? || told(&others[1])? || told(&others[2])?);

    let doctor = anna.run(&["net", "doctor"])?;
    let checks = doctor.lines;
    let grade = |name: &str| {
        let found = checks.iter().find(|check| check["name"] == name);
        found
            .and_then(|check| check["grade"].as_str())
            .unwrap_or_default()
            .to_owned()
    };
    assert_ne!(grade("multicast"), "well", "{checks:?}");
    assert_eq!(grade("others"), "well", "{checks:?}");
    assert_eq!(grade("port"), "well", "{checks:?}");
    Ok(())
}
