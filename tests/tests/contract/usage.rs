//! Help, wrong usage, pipes.

use std::{io::Read as _, process::Stdio};

use anyhow::{Result, ensure};
use artel_tests::person::{self, Person};

use super::{refuses, words};

/// Commands below these words, from their help.
fn below(words: &[String]) -> Result<Vec<Vec<String>>> {
    let args: Vec<&str> = ["help"]
        .into_iter()
        .chain(words.iter().map(String::as_str))
        .collect();
    let output = person::bare(&args)?;
    let help = String::from_utf8(output.stdout)?;
    ensure!(
        output.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    ensure!(
        words.is_empty() || help.contains("Example"),
        "no example in the help of {words:?}:\n{help}"
    );
    Ok(help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(|name| words.iter().cloned().chain([name.to_owned()]).collect())
        .collect())
}

#[test]
fn every_command_has_help_with_an_example() -> Result<()> {
    let mut open = vec![Vec::new()];
    let mut seen = 0;
    while let Some(words) = open.pop() {
        open.extend(below(&words)?);
        seen += 1;
    }
    assert!(seen > 50, "only {seen} commands were found");

    let version = person::bare(&["--version"])?;
    let said = String::from_utf8(version.stdout)?;
    assert!(
        version.status.success() && said.starts_with("artel 0."),
        "{said}"
    );
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = person::bare(&["completions", shell])?;
        assert!(script.status.success(), "{shell}");
        assert!(
            String::from_utf8(script.stdout)?.contains("indicators"),
            "{shell}"
        );
    }
    Ok(())
}

/// Wrong usage has status 2 and, with `--json`, the shape of every other error.
#[test]
fn wrong_usage() -> Result<()> {
    let place = tempfile::tempdir()?;
    let person = Person::new(place.path(), "Yana")?;
    for args in [
        "no-such-command",
        "profile",
        "profile new",
        "images run in",
        "jobs show three",
        "room list --nope",
    ] {
        refuses(&person, &words(args), 2, "bad_arguments");
    }
    refuses(
        &person,
        &["space", "invite", "x", "--expires", "soon"],
        2,
        "bad_arguments",
    );
    let plain = person::bare(&["room", "sned"])?;
    assert_eq!(plain.status.code(), Some(2));
    assert!(
        String::from_utf8(plain.stderr)?.contains("send"),
        "no guess"
    );
    Ok(())
}

/// Nobody reads on: the command ends in silence, as after `artel … | head -1`.
#[test]
fn a_closed_pipe_is_no_fault() -> Result<()> {
    let place = tempfile::tempdir()?;
    let person = Person::new(place.path(), "Ira")?;
    person.one(&["space", "new", "Lab"])?;
    for number in 0..3 {
        person.one(&["room", "send", "General", &format!("line {number}")])?;
    }
    for args in [
        "room read General",
        "room list",
        "profile show",
        "help",
        "completions bash",
    ] {
        let mut command = person.command();
        command
            .args(words(args))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn()?;
        drop(child.stdout.take());
        let mut said = String::new();
        child
            .stderr
            .take()
            .expect("standard error")
            .read_to_string(&mut said)?;
        let status = child.wait()?;
        assert!(
            status.success() && said.is_empty(),
            "artel {args}: {status}\n{said}"
        );
    }
    Ok(())
}
