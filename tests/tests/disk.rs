//! A disk that is full while a node receives.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Result, ensure};
use artel_tests::{
    lan::{Lan, possible},
    person::Person,
    wait,
};

const PATIENCE: Duration = Duration::from_mins(2);

/// A file system of a few megabytes, in memory. Linux, and root.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn at(folder: PathBuf, size: &str) -> Result<Self> {
        std::fs::create_dir(&folder)?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(&folder)
            .output()?;
        let said = String::from_utf8_lossy(&mounted.stderr);
        ensure!(mounted.status.success(), "mount: {}", said.trim());
        Ok(Self(folder))
    }

    /// Takes all that is left.
    fn fill(ballast: &Path) -> Result<()> {
        let mut file = File::create(ballast)?;
        for piece in [64 * 1024, 512] {
            while file.write_all(&vec![7; piece]).is_ok() {}
        }
        Ok(())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

/// Invariant 3: what was reported is there; what was refused was told, and what came meanwhile comes again.
#[test]
fn a_full_disk_is_told_and_what_was_missed_comes_later() -> Result<()> {
    let name = "a_full_disk_is_told_and_what_was_missed_comes_later";
    let Some(lan) = Lan::or_skip(name, 2) else {
        return Ok(());
    };
    let place = tempfile::tempdir()?;
    let small = SmallDisk::at(place.path().join("small"), "24m");
    let Some(small) = possible(name, small) else {
        return Ok(());
    };
    let [h1, h2] = lan.hosts() else {
        unreachable!("two hosts were asked for")
    };
    let anna = Person::on(h1, place.path(), "Анна")?;
    let boris = Person::on(h2, &small.0, "Boris")?;
    anna.one(&["space", "new", "7-Б"])?;
    let invite = anna.text(&["space", "invite", "7-Б"], "invite")?;
    let (_anna_node, _) = anna.node(&[])?;
    let (mut boris_node, _) = boris.node(&[])?;
    boris.one(&["space", "join", &invite])?;

    let ballast = small.0.join("ballast");
    SmallDisk::fill(&ballast)?;
    // What the database has set aside may still take some; then it is told.
    let long = |number: i32| format!("{number} {}", "ё".repeat(15_000));
    let mut stored = Vec::new();
    let refused = wait::until("a full disk", PATIENCE, || {
        let text = format!("own {}", long(i32::try_from(stored.len())?));
        let outcome = boris.run(&["room", "send", "General", &text])?;
        if outcome.status == Some(0) {
            stored.push(text);
            return Ok(None);
        }
        Ok(Some(outcome))
    })?;
    let error = refused.error()?;
    assert_eq!(
        (refused.status, error["code"].as_str()),
        (Some(1), Some("disk_full")),
        "{error}"
    );
    assert!(error["hint"].is_string(), "{error}");
    let sent: Vec<String> = (0..20).map(long).collect();
    for text in &sent {
        anna.one(&["room", "send", "General", text])?;
    }

    std::fs::remove_file(ballast)?;
    boris_node.until("everything at Boris's", PATIENCE, || {
        let texts = boris.texts("General")?;
        let here = |text: &String| texts.iter().filter(|known| *known == text).count() == 1;
        Ok(sent.iter().chain(&stored).all(here).then_some(()))
    })?;
    wait::until("the same at Anna's", PATIENCE, || {
        Ok((anna.texts("General")? == boris.texts("General")?).then_some(()))
    })?;
    Ok(())
}
