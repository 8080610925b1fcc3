//! A class: computers on one bridge, all in one space. How long until everyone sees everyone.

use std::{
    collections::BTreeSet,
    ops::Range,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result, ensure};
use artel_app::api::{
    Handle as _,
    rooms::{RoomList, SpaceNew},
};
use artel_measure::Noise;
use artel_tests::lan::{Host, Lan};
use futures::future::try_join_all;
use tokio::{sync::Semaphore, time::sleep};

use crate::{
    PATIENCE, POLL,
    seat::{Seat, message},
    seconds,
};

/// Bytes of a message.
const BYTES: usize = 180;
/// Computers that come to join at the same time. A node has no place for more than 96 others, and the one who lets them in
/// is one node.
const AT_ONE_TABLE: usize = 40;
/// Writes of one profile on their way at once when records are made up.
const AT_ONCE: usize = 64;

/// A class in one space with one room.
pub(crate) struct Class {
    /// The first is the teacher's.
    pub(crate) seats: Vec<Seat>,
    pub(crate) space: String,
    pub(crate) room: String,
    /// What was ever written into the room.
    pub(crate) written: BTreeSet<String>,
    pub(crate) folder: PathBuf,
    lan: Lan,
}

impl Class {
    /// Makes a class of this size that has joined one space; its nodes do not run. Behind the last seat there is one more
    /// computer, for whoever comes later.
    pub(crate) async fn new(folder: &Path, size: u8) -> Result<Self> {
        let lan = Lan::new(size + 1)?;
        let mut seats = Vec::new();
        for (host, number) in lan.hosts().iter().zip(1..=size) {
            seats.push(Seat::new(host, folder, &format!("Host {number}")).await?);
        }
        let mut class = Self {
            seats,
            space: String::new(),
            room: String::new(),
            written: BTreeSet::new(),
            folder: folder.to_owned(),
            lan,
        };
        let (teacher, others) = class.seats.split_first_mut().context("a class of nobody")?;
        start(std::slice::from_mut(teacher)).await?;
        let name = "Class 7B".to_owned();
        class.space = teacher.ask(SpaceNew { name }).await?.space;
        let rooms = teacher.ask(RoomList::default()).await?;
        class.room = rooms
            .into_iter()
            .next()
            .context("the space has no room")?
            .room;
        let invite = teacher.invite(&class.space, u32::from(size)).await?;
        for some in others.chunks_mut(AT_ONE_TABLE) {
            start(some).await?;
            for seat in &*some {
                seat.join(&invite, teacher).await?;
            }
            stop(some).await?;
        }
        stop(std::slice::from_mut(teacher)).await?;
        Ok(class)
    }

    /// The computer behind the last seat.
    pub(crate) fn spare(&self) -> Result<&Host> {
        self.lan.hosts().last().context("a LAN of nothing")
    }

    pub(crate) fn teacher(&self) -> Result<&Seat> {
        self.seats.first().context("a class of nobody")
    }

    /// Starts all nodes.
    pub(crate) async fn start(&mut self) -> Result<()> {
        start(&mut self.seats).await
    }

    /// Stops all nodes.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        stop(&mut self.seats).await
    }

    /// Waits until everyone sees everyone; asks one node at a time, since asking takes time of the same machine.
    pub(crate) async fn until_met(&self) -> Result<()> {
        let others = self.seats.len() - 1;
        let end = Instant::now() + PATIENCE;
        loop {
            let mut all = true;
            for seat in &self.seats {
                let mut sees = seat.sees(&self.space).await?;
                while sees < others {
                    all = false;
                    ensure!(
                        Instant::now() < end,
                        "{} sees {sees} of {others} others",
                        seat.name
                    );
                    sleep(POLL).await;
                    sees = seat.sees(&self.space).await?;
                }
            }
            if all {
                return Ok(());
            }
        }
    }

    /// Writes messages of these numbers into each profile while no node runs: each has only its own.
    pub(crate) async fn write_apart(&mut self, numbers: Range<u32>) -> Result<()> {
        for seat in &self.seats {
            let session = seat.open().await?;
            let texts = numbers.clone().map(|number| letter(&seat.name, number));
            let texts: Vec<String> = texts.collect();
            for some in texts.chunks(AT_ONCE) {
                let sending = some
                    .iter()
                    .map(|text| session.handle(message(&self.room, text)));
                try_join_all(sending).await?;
            }
            self.written.extend(texts);
            session.close().await;
        }
        Ok(())
    }

    /// Waits until everyone shows everything that was written.
    pub(crate) async fn until_all_shown(&self) -> Result<()> {
        for seat in &self.seats {
            let own = format!("{}:", seat.name);
            let others = self.written.iter().filter(|text| !text.starts_with(&own));
            seat.until_shown(u32::try_from(others.count())?).await?;
        }
        Ok(())
    }

    /// Fails unless everyone shows the same messages in the same order, each once, and they are those that were written.
    pub(crate) async fn all_the_same(&self) -> Result<()> {
        let mut first: Option<Vec<(String, String)>> = None;
        for seat in &self.seats {
            let messages = seat.read(&self.room).await?.into_iter();
            let shown: Vec<_> = messages.map(|m| (m.id, m.text)).collect();
            let first = first.get_or_insert_with(|| shown.clone());
            ensure!(*first == shown, "{} shows another room", seat.name);
        }
        let shown = first.unwrap_or_default();
        let texts: BTreeSet<&String> = shown.iter().map(|(_, text)| text).collect();
        ensure!(
            shown.len() == self.written.len() && texts.into_iter().eq(&self.written),
            "{} messages are shown and {} were written",
            shown.len(),
            self.written.len()
        );
        Ok(())
    }
}

/// Starts nodes, as many at a time as there are cores: deriving a profile's key takes one for a while.
async fn start(seats: &mut [Seat]) -> Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let gate = Semaphore::new(cores);
    let starting = seats.iter_mut().map(|seat| async {
        let _turn = gate.acquire().await?;
        seat.start().await
    });
    try_join_all(starting).await?;
    Ok(())
}

async fn stop(seats: &mut [Seat]) -> Result<()> {
    try_join_all(seats.iter_mut().map(Seat::stop)).await?;
    Ok(())
}

/// A message of [`BYTES`] that names its author and number.
pub(crate) fn letter(author: &str, number: u32) -> String {
    let mut noise = Noise::new(u64::from(number));
    let mut text = format!("{author}: {number} ");
    while text.len() + 2 < BYTES {
        text.push(noise.pick(&['а', 'е', 'и', 'о', 'm', 'r', 's', 't', ' ', ' ']));
    }
    while text.len() < BYTES {
        text.push('.');
    }
    text
}

/// Starts a class that knows one another, and waits until all see all.
pub(crate) async fn run(class: &mut Class) -> Result<String> {
    class.stop().await?;
    // Yesterday's lesson: everyone learns where everyone is.
    class.start().await?;
    class.until_met().await?;
    class.stop().await?;
    let begun = Instant::now();
    class.start().await?;
    class.until_met().await?;
    let met = Instant::now();
    let ready = class.seats.iter().map(Seat::ready);
    let last = ready.collect::<Result<Vec<_>>>()?.into_iter().max();
    let last = last.context("a class of nobody")?;
    Ok(format!(
        "{} computers: all see each other {} after the last was ready, {} after the first was started.\n",
        class.seats.len(),
        seconds(met.saturating_duration_since(last)),
        seconds(met - begun),
    ))
}
