//! A file from one computer to all others at once, over links of a known speed, and what is said meanwhile.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use artel_app::{
    api::rooms::{AttachmentSave, RoomSend},
    content_hash,
};
use artel_measure::{Noise, Times};
use futures::future::{try_join, try_join_all};
use tokio::time::sleep_until;

use crate::{
    PATIENCE,
    class::{Class, letter},
    megabytes, milliseconds,
    seat::{Ear, Seat},
    seconds,
};

/// Size of the file.
const SIZE: u64 = 5_000_000;
/// Speed of each link, each way, in megabits a second.
const LINK: u32 = 100;
/// Messages a second while the file travels, and the number of the first.
const RATE: u32 = 10;
const FIRST: u32 = 1_000_000;
/// Messages whatever the speed of the file.
const LEAST: u32 = 50;

pub(crate) async fn run(class: &mut Class) -> Result<String> {
    class.stop().await?;
    class.start().await?;
    class.until_met().await?;
    for seat in &class.seats {
        seat.host().limit(LINK * 1_000)?;
    }
    let outcome = travel(class).await;
    for seat in &class.seats {
        seat.host().unlimit()?;
    }
    let said = outcome?;
    class.until_all_shown().await?;
    class.all_the_same().await?;
    Ok(said)
}

async fn travel(class: &mut Class) -> Result<String> {
    let file = class.folder.join("film.bin");
    let mut noise = Noise::new(5);
    let bytes: Vec<u8> = (0..SIZE / 8)
        .flat_map(|_| noise.bits().to_le_bytes())
        .collect();
    std::fs::write(&file, &bytes)?;
    let hash = content_hash(&bytes);
    let ears = try_join_all(class.seats.iter().skip(1).map(Seat::listen)).await?;
    let text = "Host 1: the film".to_owned();
    let teacher = class.teacher()?;
    let sent = teacher
        .ask(RoomSend {
            room: class.room.clone(),
            text: text.clone(),
            attach: vec![file.display().to_string()],
            reply_to: None,
            wait_s: None,
        })
        .await?;
    for ear in &ears {
        ear.when(&sent.message).await?;
    }
    let attachment = format!("{}-0", sent.message);
    let before = teacher.usage()?.wire.1;
    let begun = Instant::now();
    let saving = class.seats.iter().skip(1).map(|seat| {
        let (attachment, hash) = (attachment.clone(), hash.as_str());
        let to = class.folder.join(format!("film of {}", seat.name));
        async move {
            let saved = seat
                .ask(AttachmentSave {
                    attachment,
                    to: to.display().to_string(),
                    timeout_s: Some(PATIENCE.as_secs()),
                })
                .await?;
            ensure!(saved.hash == hash, "{} has another film", seat.name);
            anyhow::Ok(begun.elapsed())
        }
    });
    let there = std::cell::Cell::new(false);
    let travelling = async {
        let times: Times = try_join_all(saving).await?.into_iter().collect();
        // Counted before anything else is said.
        let uploaded = teacher.usage()?.wire.1.saturating_sub(before);
        there.set(true);
        anyhow::Ok((times, uploaded))
    };
    let talking = talk(class, &ears, &there);
    let ((times, uploaded), (texts, shown)) = try_join(travelling, talking).await?;
    class.written.extend(texts);
    class.written.insert(text);
    Ok(format!(
        "A file of {} MB to {} others, each link {LINK} Mbit/s: all have it after {} (the first after {}); \
         its author uploaded {:.1} MB, {:.1} copies. {} messages meanwhile, shown everywhere: p50 {} ms, p95 {} ms, longest {} ms.\n",
        megabytes(SIZE),
        times.len(),
        seconds(times.max()),
        seconds(times.min()),
        megabytes(uploaded),
        uploaded as f64 / SIZE as f64,
        shown.len() / times.len(),
        milliseconds(shown.median()),
        milliseconds(shown.percentile(95)),
        milliseconds(shown.max()),
    ))
}

/// Sends text until the file is there; what was said, and how long each took to be shown on each of the others.
async fn talk(
    class: &Class,
    ears: &[Ear],
    there: &std::cell::Cell<bool>,
) -> Result<(Vec<String>, Times)> {
    let (teacher, room) = (class.teacher()?, class.room.as_str());
    let begun = Instant::now();
    let mut sent = Vec::new();
    for number in 0.. {
        if there.get() && number >= LEAST {
            break;
        }
        let due = begun + Duration::from_secs(1) / RATE * number;
        sleep_until(due.into()).await;
        let text = letter("Host 1", FIRST + number);
        let message = teacher.send(room, &text).await?.message;
        sent.push((due, message, text));
    }
    let mut times = Vec::new();
    for (due, message, _) in &sent {
        for ear in ears {
            let at = ear.when(message).await.context("a message is missing")?;
            times.push(at.saturating_duration_since(*due));
        }
    }
    let texts = sent.into_iter().map(|(_, _, text)| text).collect();
    Ok((texts, times.into_iter().collect()))
}
