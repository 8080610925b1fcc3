//! Every place in every look: nothing sticks out of the window, and a picture of each is taken.

use std::{fs, path::Path, time::Duration};

use anyhow::{Result, ensure};
use artel_tests::{
    person::{Person, Running},
    samples, skip, wait,
    window::{self, Size, Window},
};

const PATIENCE: Duration = Duration::from_mins(1);

/// How the window is to look.
struct Look {
    /// What the pictures' names end with.
    suffix: &'static str,
    language: &'static str,
    theme: &'static str,
    /// The room that is shown, of the space that it is in.
    room: &'static str,
}

const LOOKS: [Look; 3] = [
    Look {
        suffix: "",
        language: "en",
        theme: "light",
        room: "General",
    },
    Look {
        suffix: "-dark",
        language: "en",
        theme: "dark",
        room: "General",
    },
    Look {
        suffix: "-ru",
        language: "ru",
        theme: "light",
        room: "Наблюдения",
    },
];

const SMALL: Look = Look {
    suffix: "-small",
    language: "uk",
    theme: "light",
    room: "Наблюдения",
};

const SMALL_DARK: Look = Look {
    suffix: "-small-dark",
    language: "en",
    theme: "dark",
    room: "General",
};

/// Anna's morning: a class of three with two rooms, a batch, prices, products, a backup.
fn morning(place: &Path) -> Result<(Person, Vec<Running>)> {
    let at = |name: &str| place.join(name).to_string_lossy().into_owned();
    let anna = Person::new(place, "Анна Петренко")?;
    let boris = Person::new(place, "Boris Koval")?;
    let vera = Person::new(place, "Віра Ткачук")?;
    anna.one(&["space", "new", "Class 7B"])?;
    anna.one(&["room", "new", "Class 7B", "Наблюдения"])?;
    anna.one(&["room", "new", "Class 7B", "Homework"])?;
    let invite = anna.text(&["space", "invite", "Class 7B"], "invite")?;
    let (anna_node, address) = anna.quiet_node()?;
    let mut nodes = Vec::new();
    for person in [&boris, &vera] {
        nodes.push(person.quiet_node()?.0);
        person.one(&["space", "join", &invite, "--address", &address])?;
    }
    // Whoever speaks next has read this.
    let say = |person: &Person, room: &str, text: &str| -> Result<()> {
        person.one(&["room", "send", room, text])?;
        wait::until(text, PATIENCE, || {
            for reader in [&anna, &boris, &vera] {
                if !reader.texts(room)?.iter().any(|line| line == text) {
                    return Ok(None);
                }
            }
            Ok(Some(()))
        })
    };

    samples::pictures(&place.join("Photos of the yard"), 12, 900, 600)?;
    fs::write(
        place.join("Photos of the yard").join("letter.jpg"),
        "no picture",
    )?;
    let batch = anna.run(&[
        "images",
        "run",
        &at("Photos of the yard"),
        "--recipe",
        "web",
        "--out",
        &at("For the wall"),
        "--export",
        &at("results.csv"),
    ])?;
    ensure!(batch.status == Some(3), "the batch: {}", batch.stderr);
    for (number, symbol) in (1..).zip(["WANDER", "NORTH", "SVIT"]) {
        let file = format!("{symbol}.csv");
        samples::prices(&place.join(&file), 600, number)?;
        anna.lines(&["market", "import", &at(&file)])?;
    }
    samples::products(&place.join("товары.csv"), 84)?;
    anna.lines(&["catalog", "import", &at("товары.csv")])?;
    anna.lines(&["catalog", "enrich"])?;
    anna.one(&["care", "backup"])?;

    say(
        &anna,
        "General",
        "Good morning! Today we measure shadows in the yard. Photos by eleven, please.",
    )?;
    say(&boris, "General", "I have eight so far, the light is good.")?;
    say(
        &vera,
        "General",
        "Mine are in the folder too. One file is a letter, sorry.",
    )?;
    anna.one(&["share", "job:1", "--room", "General"])?;
    say(
        &anna,
        "General",
        "All of them on one sheet, ready for the wall.",
    )?;
    say(&vera, "General", "Can I have the third one in full size?")?;
    say(&anna, "Homework", "Pages 34 to 36, until Thursday.")?;
    say(
        &anna,
        "Наблюдения",
        "Доброе утро! Сегодня измеряем тени во дворе. Снимки жду до одиннадцати.",
    )?;
    say(
        &vera,
        "Наблюдения",
        "У мене вже вісім, світло гарне. Надсилаю перший.",
    )?;
    samples::picture(&place.join("тень от липы.jpg"), 900, 600, 4)?;
    vera.one(&[
        "room",
        "send",
        "Наблюдения",
        "Тень от липы в 9:40, длина 6,2 м.",
        "--attach",
        &at("тень от липы.jpg"),
        "--wait",
    ])?;
    // Files of others come when they are asked for.
    let file = wait::until("the picture in the room", PATIENCE, || {
        let lines = anna.lines(&["room", "read", "Наблюдения"])?;
        let id = lines
            .last()
            .and_then(|line| line["attachments"][0]["id"].as_str());
        Ok(id.map(str::to_owned))
    })?;
    anna.one(&["room", "save", &file, "--to", &at("тень.jpg")])?;
    say(
        &anna,
        "Наблюдения",
        "Отлично. Запишите ещё высоту шеста: без неё угол не посчитать.",
    )?;
    anna_node.interrupt()?;
    anna_node.finish(PATIENCE)?;
    Ok((anna, nodes))
}

/// Takes a picture, unless something sticks out.
fn take(window: &Window, name: &str, look: &Look) -> Result<()> {
    let outside = window.outside()?;
    ensure!(
        outside.is_empty(),
        "{name}{} sticks out: {outside:?}",
        look.suffix
    );
    window.picture(&format!("{name}{}", look.suffix))
}

/// Opens the profile and looks at each place, from first run to lock.
fn walk(window: &Window, anna: &Person, look: &Look) -> Result<()> {
    let picture = |name: &str| take(window, name, look);
    window.part("first-run")?;
    window.prefer(look.language, look.theme)?;
    window.part("first-run-other")?.click()?;
    window.part("first-run-name")?.write("Olena Tkachenko")?;
    window
        .part("first-run-passphrase")?
        .write("not too short")?;
    picture("first-run")?;
    window.part("first-run-other")?.click()?;
    let passphrase = window.part("first-run-passphrase")?;
    passphrase.clear()?;
    passphrase.write(anna.passphrase())?;
    window.part("first-run-open")?.click()?;

    window.part("composer")?;
    let room = format!(
        "[...document.querySelectorAll('[data-testid=room]')].find((room) => room.innerText.includes('{}'))",
        look.room
    );
    window.until(look.room, PATIENCE, || {
        let clicked = window.script(&format!(
            "const room = {room}; room?.click(); return !!room"
        ))?;
        Ok((clicked == true).then_some(()))
    })?;
    window.until("three people here", PATIENCE, || {
        let here = window
            .script("return document.querySelector('[data-testid=presence]')?.innerText ?? ''")?;
        let three = here
            .as_str()
            .is_some_and(|here| here.matches('3').count() == 2);
        Ok(three.then_some(()))
    })?;
    window.until("pictures that are drawn", PATIENCE, || {
        drawn(window, "message")
    })?;
    picture("rooms")?;

    window.part("rail-market")?.click()?;
    window.shows("[data-testid=series]", "WANDER", PATIENCE)?;
    window.part("chart")?;
    picture("market")?;

    window.part("rail-images")?.click()?;
    window.until("thumbnails that are drawn", PATIENCE, || {
        drawn(window, "thumbnail")
    })?;
    picture("images")?;

    window.part("rail-catalog")?.click()?;
    window.shows("[data-testid=product]", "A-0001", PATIENCE)?;
    window.script("document.querySelectorAll('[data-testid=product]')[1].click(); return null")?;
    window.part("product-panel")?;
    picture("catalog")?;

    window.part("rail-machine")?.click()?;
    window.part("machine-health")?.click()?;
    window.part("health-verdict")?;
    picture("machine")?;
    window.part("machine-care")?.click()?;
    window.part("backup-now")?.click()?;
    window.part("toast")?;
    picture("notice")?;
    // A notice is as tall as its words; what lies around it stays free.
    let height =
        window.script("return document.querySelector('.toasts').getBoundingClientRect().height")?;
    ensure!(
        height.as_f64().is_some_and(|height| height < 120.0),
        "the notice is {height} pixels tall"
    );
    window.part("lock")?.click()?;
    window.part("first-run-open")?;
    Ok(())
}

/// Whether some picture of these parts is there and none is missing.
fn drawn(window: &Window, part: &str) -> Result<Option<()>> {
    let drawn = window.script(&format!(
        "const pictures = [...document.querySelectorAll('[data-testid={part}] img')];
         return pictures.length > 0 && pictures.every((picture) => picture.naturalWidth > 0)"
    ))?;
    Ok((drawn == true).then_some(()))
}

#[test]
fn every_place_fits_the_window_in_every_look() -> Result<()> {
    if let Some(reason) = window::missing() {
        skip("every_place_fits_the_window_in_every_look", &reason);
        return Ok(());
    }
    let place = tempfile::Builder::new().prefix("artel-").tempdir()?;
    let (anna, _nodes) = morning(place.path())?;
    let window = Window::open(
        anna.home(),
        Size {
            width: 1280,
            height: 800,
        },
    )?;
    for look in &LOOKS {
        walk(&window, &anna, look)?;
    }
    window.close()?;
    let window = Window::open(
        anna.home(),
        Size {
            width: 1024,
            height: 700,
        },
    )?;
    for look in [&SMALL, &SMALL_DARK] {
        walk(&window, &anna, look)?;
    }
    window.close()
}

/// A space with notes and one member who is gone; and in the folder `another machine`, the profile restored from a backup.
fn afternoon(place: &Path) -> Result<Person> {
    let anna = Person::new(place, "Анна Петренко")?;
    let boris = Person::new(place, "Boris Koval")?;
    let vera = Person::new(place, "Віра Ткачук")?;
    anna.one(&["space", "new", "Class 7B"])?;
    let invite = anna.text(&["space", "invite", "Class 7B"], "invite")?;
    let (node, address) = anna.quiet_node()?;
    for person in [&boris, &vera] {
        person.one(&["space", "join", &invite, "--address", &address])?;
    }
    anna.one(&["room", "send", "General", "Pages 34 to 36, until Thursday."])?;
    anna.one(&[
        "room",
        "send",
        "General",
        "And bring the poles for the yard.",
    ])?;
    let notes = place.join("план.txt");
    fs::write(
        &notes,
        "План на неділю\n- дроби\n- тіні у дворі: хто міряє, хто пише\n\nHomework: page 34, the first three.\n",
    )?;
    let notes = notes.to_string_lossy();
    anna.one(&[
        "room",
        "notes",
        "General",
        "--open-to",
        "students",
        "--edit",
        &notes,
    ])?;
    anna.one(&["space", "remove", "Class 7B", "Boris Koval"])?;
    let backup = anna.text(&["care", "backup"], "path")?;
    // Beside the profile that goes on it would be a copy to look into.
    let elsewhere = place.join("another machine");
    let elsewhere = elsewhere.to_string_lossy();
    anna.one(&["--home", &elsewhere, "care", "restore", &backup])?;
    node.interrupt()?;
    node.finish(PATIENCE)?;
    Ok(anna)
}

/// Opens the profile.
fn open(window: &Window, look: &Look, person: &Person) -> Result<()> {
    window.part("first-run")?;
    window.prefer(look.language, look.theme)?;
    window
        .part("first-run-passphrase")?
        .write(person.passphrase())?;
    window.part("first-run-open")?.click()
}

/// Looks at what is seen seldom: notes, a deletion that waits, an invite, erasing somebody.
fn look_at_the_rare(window: &Window, anna: &Person, look: &Look) -> Result<()> {
    let picture = |name: &str| take(window, name, look);
    let press = |part: &str| {
        window.until(part, PATIENCE, || {
            let pressed = window.script(&format!(
                "const one = document.querySelector('[data-testid={part}]'); one?.click(); return !!one"
            ))?;
            Ok((pressed == true).then_some(()))
        })
    };
    open(window, look, anna)?;
    window.part("composer")?;
    if window.all("[data-testid=people]")?.is_empty() {
        press("toggle-people")?;
    }

    press("delete")?;
    window.part("undo-delete")?;
    picture("deleting")?;
    press("undo-delete")?;

    press("people-gone")?;
    press("erase")?;
    window.part("erase-dialog")?;
    picture("erasing")?;
    window.part("dialog-close")?.click()?;

    window.part("toggle-notes")?.click()?;
    window.part("notes-text")?;
    picture("notes")?;
    window.part("toggle-notes")?.click()?;

    window.part("invite")?.click()?;
    window.part("dialog-confirm")?.click()?;
    window.part("invite-square")?;
    picture("invite")?;
    window.part("dialog-close")?.click()?;
    window.part("lock")?.click()?;
    window.part("first-run-open")?;
    Ok(())
}

#[test]
fn what_is_rare_fits_the_window_too() -> Result<()> {
    if let Some(reason) = window::missing() {
        skip("what_is_rare_fits_the_window_too", &reason);
        return Ok(());
    }
    let place = tempfile::Builder::new().prefix("artel-").tempdir()?;
    let anna = afternoon(place.path())?;
    let [light, dark, _] = &LOOKS;
    for (looks, width, height) in [
        (&[light, dark][..], 1280, 800),
        (&[&SMALL, &SMALL_DARK], 1024, 700),
    ] {
        let window = Window::open(anna.home(), Size { width, height })?;
        for look in looks {
            look_at_the_rare(&window, &anna, look)?;
        }
        window.close()?;
        let window = Window::open(
            &place.path().join("another machine"),
            Size { width, height },
        )?;
        for look in looks {
            open(&window, look, &anna)?;
            window.part("held")?;
            take(&window, "held", look)?;
            window.part("lock")?.click()?;
            window.part("first-run-open")?;
        }
        window.close()?;
    }
    Ok(())
}
