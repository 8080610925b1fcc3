//! `artel demo`: the whole path on this machine, end to end, with made-up data.
//!
//! Two peers with profiles of their own meet on loopback, talk, work through pictures, prices
//! and products, share a result and check it by hash, and prove a backup. Everything lives in a
//! temporary folder that is gone afterwards. Any step that fails ends it with its reason.

mod synthetic;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use artel_app::{
    api::{
        Command, Event, Handle,
        care::{CareBackup, CareVerify},
        catalog::{CatalogEnrich, CatalogExport, CatalogImport, CatalogValidate},
        images::ImagesRun,
        jobs::{JobInfo, JobShow},
        market::{MarketImport, MarketIndicators},
        profile::ProfileNew,
        rooms::{
            AttachmentSave, Message, NodeStart, RoomList, RoomRead, RoomSend, Share, SpaceInvite,
            SpaceJoin, SpaceNew,
        },
    },
    error::{AppError, Code},
    host::Host,
    session::Session,
};
use serde::Serialize;

use crate::{
    context::{Context, Exit, absolute},
    output::Output,
    stop,
};

/// How long any single wait may take before the demo gives up.
const PATIENCE: Duration = Duration::from_mins(1);
/// Pictures in the batch, one of them damaged on purpose.
const PICTURES: u32 = 12;
/// Bars in the price file.
const BARS: u32 = 5_000;
/// Products in the list.
const PRODUCTS: u32 = 400;

/// One step, as printed.
#[derive(Serialize)]
struct Step<'a> {
    #[serde(rename = "step")]
    name: &'a str,
    result: String,
    seconds: f64,
}

/// Runs every step in a temporary home.
pub(crate) async fn run(context: &Context) -> anyhow::Result<Exit> {
    let scratch = tempfile::Builder::new().prefix("artel-demo-").tempdir()?;
    context
        .output
        .hint("Everything here is synthetic and lives in a temporary folder that is removed at the end.\n");
    let started = Instant::now();
    let demo = Demo {
        output: &context.output,
        scratch: scratch.path(),
    };
    let backend = context.backend();
    let outcome = tokio::select! {
        outcome = demo.run(&backend) => outcome,
        // The folder goes all the same.
        () = stop::requested() => Err(AppError::new(
            Code::Cancelled,
            "the demo was stopped",
            "Nothing of it is left. Start it again: artel demo",
        )
        .into()),
    };
    scratch
        .close()
        .context("the temporary folder could not be removed")?;
    outcome?;
    demo_done(&context.output, started)
}

fn demo_done(output: &Output, started: Instant) -> anyhow::Result<Exit> {
    let seconds = started.elapsed().as_secs_f64();
    output.one(
        &Step {
            name: "demo",
            result: "every step succeeded".to_owned(),
            seconds,
        },
        || format!("\nEvery step succeeded, in {seconds:.1} s."),
    )?;
    Ok(Exit::Done)
}

struct Demo<'a> {
    output: &'a Output,
    scratch: &'a Path,
}

impl Demo<'_> {
    async fn run(&self, backend: &str) -> anyhow::Result<()> {
        let ada = self.peer("Ada").await?;
        let taras = self.peer("Тарас").await?;
        let outcome = self.journey(&ada, &taras, backend).await;
        ada.close().await;
        taras.close().await;
        outcome
    }

    async fn journey(&self, ada: &Session, taras: &Session, backend: &str) -> anyhow::Result<()> {
        let room = self.meet(ada, taras).await?;
        self.talk(ada, taras, &room).await?;
        let batch = self.pictures(ada, backend).await?;
        let run = self.prices(ada, backend).await?;
        self.products(ada).await?;
        self.share(ada, taras, &room, &format!("job:{batch}"))
            .await?;
        self.share(ada, taras, &room, &run).await?;
        self.backup(ada).await
    }

    /// Says what a step did and how long it took.
    fn say(&self, step: &str, started: Instant, result: String) -> anyhow::Result<()> {
        let seconds = started.elapsed().as_secs_f64();
        let text = format!("{seconds:7.2} s  {step:<10} {result}");
        self.output.one(
            &Step {
                name: step,
                result,
                seconds,
            },
            || text,
        )
    }

    /// Makes a profile in a home of its own and starts its network on loopback.
    async fn peer(&self, name: &str) -> anyhow::Result<Session> {
        let started = Instant::now();
        let host = Host::new(self.scratch.join(format!("home of {name}")));
        let passphrase = "only for this demo";
        ask(
            &host,
            ProfileNew {
                name: name.to_owned(),
                passphrase: passphrase.to_owned(),
            },
        )
        .await?;
        let session = host.open(name, passphrase).await?;
        let node = ask(
            &session,
            NodeStart {
                port: Some(0),
                no_mdns: true,
                listen: vec!["/ip4/127.0.0.1/tcp/0".to_owned()],
            },
        )
        .await?;
        self.say("peer", started, format!("{name} is {}", node.peer))?;
        Ok(session)
    }

    /// Founds a space and lets the second peer in by invite; returns the first room.
    async fn meet(&self, ada: &Session, taras: &Session) -> anyhow::Result<String> {
        let started = Instant::now();
        let space = ask(
            ada,
            SpaceNew {
                name: "Class 7B".to_owned(),
            },
        )
        .await?
        .space;
        let invite = ask(
            ada,
            SpaceInvite {
                space: space.clone(),
                role: None,
                seats: Some(1),
                expires_s: Some(600),
                approve: false,
            },
        )
        .await?;
        let address = ask(ada, NodeStart::default())
            .await?
            .addresses
            .into_iter()
            .next()
            .context("the first peer has no address")?;
        let joined = ask(
            taras,
            SpaceJoin {
                invite: invite.invite.clone(),
                address: Some(address),
                timeout_s: Some(PATIENCE.as_secs()),
            },
        )
        .await?;
        ensure!(
            joined.space == space,
            "joined another space than invited to"
        );
        ensure!(
            joined.state == "member",
            "joining ended as \"{}\"",
            joined.state
        );
        let rooms = ask(ada, RoomList { space: Some(space) }).await?;
        let room = rooms
            .into_iter()
            .next()
            .context("the space has no room")?
            .room;
        self.say("join", started, format!("by invite {}", invite.invite))?;
        Ok(room)
    }

    /// A message each way, each seen by the other.
    async fn talk(&self, ada: &Session, taras: &Session, room: &str) -> anyhow::Result<()> {
        for (from, to, name, text) in [
            (ada, taras, "Ada", "Good morning! Are you in?"),
            (taras, ada, "Тарас", "Доброго ранку, я тут."),
        ] {
            let started = Instant::now();
            let sent = ask(
                from,
                RoomSend {
                    room: room.to_owned(),
                    text: text.to_owned(),
                    attach: Vec::new(),
                    reply_to: None,
                    wait_s: Some(PATIENCE.as_secs()),
                },
            )
            .await?;
            ensure!(
                sent.state == "delivered",
                "the message stayed \"{}\"",
                sent.state
            );
            let seen = wait_for(to, room, &sent.message).await?;
            ensure!(
                seen.text == text,
                "the message arrived as \"{}\"",
                seen.text
            );
            ensure!(seen.name == name, "the author arrived as \"{}\"", seen.name);
            self.say("message", started, format!("{name}: {text}"))?;
        }
        Ok(())
    }

    /// A folder of pictures with a damaged one; returns the job.
    async fn pictures(&self, ada: &Session, backend: &str) -> anyhow::Result<i64> {
        let input = self.scratch.join("Synthetic pictures");
        synthetic::pictures(&input, PICTURES)?;
        let out = self.scratch.join("Pictures done");
        let started = Instant::now();
        let job = ask(
            ada,
            ImagesRun {
                inputs: vec![absolute(&input)?],
                recipe: "web".to_owned(),
                out: absolute(&out)?,
                export: Some(absolute(&self.scratch.join("pictures.csv"))?),
                backend: Some(backend.to_owned()),
                workers: None,
                every: None,
            },
        )
        .await?
        .job;
        let job = finished(ada, job.job).await?;
        ensure!(
            job.total == u64::from(PICTURES),
            "{} pictures were found",
            job.total
        );
        ensure!(
            job.failed == 1 && job.done == u64::from(PICTURES) - 1,
            "{} pictures done, {} failed; one is damaged on purpose",
            job.done,
            job.failed
        );
        self.say(
            "pictures",
            started,
            format!(
                "{} done, {} damaged and listed, {:.1} a second, {}",
                job.done, job.failed, job.per_second, job.backend
            ),
        )?;
        Ok(job.job)
    }

    /// A price file in, indicators out; returns the run.
    async fn prices(&self, ada: &Session, backend: &str) -> anyhow::Result<String> {
        let file = self.scratch.join("SYNTH.csv");
        synthetic::prices(&file, BARS)?;
        let started = Instant::now();
        let imported = ask(
            ada,
            MarketImport {
                paths: vec![absolute(&file)?],
                symbol: None,
                interval: None,
                map: Vec::new(),
                tz: None,
                skip_bad_rows: false,
            },
        )
        .await?;
        let bars = imported
            .files
            .first()
            .context("nothing was imported")?
            .added;
        ensure!(bars == u64::from(BARS), "{bars} bars were imported");
        let out = self.scratch.join("indicators.csv");
        let done = ask(
            ada,
            MarketIndicators {
                symbols: vec!["SYNTH".to_owned()],
                only: Vec::new(),
                out: Some(absolute(&out)?),
                backend: Some(backend.to_owned()),
            },
        )
        .await?;
        let symbol = done.symbols.first().context("no symbol was computed")?;
        if let Some(error) = &symbol.error {
            anyhow::bail!("SYNTH: {error}");
        }
        let size = std::fs::metadata(&out)
            .context("the indicator file is missing")?
            .len();
        ensure!(size > 0, "the indicator file is empty");
        self.say(
            "prices",
            started,
            format!(
                "{bars} bars, {} functions, {size} bytes of CSV",
                symbol.functions
            ),
        )?;
        Ok(done.run)
    }

    /// A product list in, documents out.
    async fn products(&self, ada: &Session) -> anyhow::Result<()> {
        let file = self.scratch.join("products.csv");
        synthetic::products(&file, PRODUCTS)?;
        let started = Instant::now();
        let imported = ask(
            ada,
            CatalogImport {
                paths: vec![absolute(&file)?],
                map: Vec::new(),
            },
        )
        .await?;
        let products = imported
            .files
            .first()
            .context("nothing was imported")?
            .added;
        ensure!(
            products == u64::from(PRODUCTS),
            "{products} products were imported"
        );
        let job = ask(ada, CatalogEnrich::default()).await?.job;
        finished(ada, job.job).await?;
        let checked = ask(ada, CatalogValidate::default()).await?;
        ensure!(checked.checked > 0, "no product got a document");
        ensure!(checked.valid == checked.checked, "{:?}", checked.faults);
        let exported = ask(
            ada,
            CatalogExport {
                out: absolute(&self.scratch.join("rich.csv"))?,
                brand: None,
                limit: None,
                all: false,
            },
        )
        .await?;
        self.say(
            "products",
            started,
            format!(
                "{products} products, {} documents, all valid, {} rows exported",
                checked.checked, exported.rows
            ),
        )
    }

    /// Shares a result; the other peer sees it, fetches every file and checks it by hash.
    async fn share(
        &self,
        ada: &Session,
        taras: &Session,
        room: &str,
        result: &str,
    ) -> anyhow::Result<()> {
        let started = Instant::now();
        let sent = ask(
            ada,
            Share {
                result: result.to_owned(),
                room: room.to_owned(),
            },
        )
        .await?;
        let seen = wait_for(taras, room, &sent.message).await?;
        let shared = seen.result.context("the message carries no result")?;
        ensure!(!seen.attachments.is_empty(), "the result carries no file");
        let mut bytes = 0;
        for attachment in &seen.attachments {
            let to = self.scratch.join(format!("received {}", sent.message));
            std::fs::create_dir_all(&to)?;
            let saved = ask(
                taras,
                AttachmentSave {
                    attachment: attachment.id.clone(),
                    to: absolute(&to)?,
                    timeout_s: Some(PATIENCE.as_secs()),
                },
            )
            .await?;
            let content = std::fs::read(&saved.path)?;
            let hash = artel_app::content_hash(&content);
            ensure!(
                hash == attachment.hash,
                "{}: the hash differs",
                attachment.name
            );
            bytes += content.len();
        }
        self.say(
            "share",
            started,
            format!(
                "{}: {} files, {bytes} bytes, received and equal by hash",
                shared.title,
                seen.attachments.len()
            ),
        )
    }

    /// A backup of the running profile that reads back.
    async fn backup(&self, ada: &Session) -> anyhow::Result<()> {
        let started = Instant::now();
        let backup = ask(ada, CareBackup::default()).await?;
        let verified = ask(
            ada,
            CareVerify {
                backup: Some(backup.backup.clone()),
            },
        )
        .await?;
        ensure!(
            verified.good,
            "the backup cannot be restored: {}",
            verified.problem.unwrap_or_default()
        );
        let rows: u64 = verified.tables.iter().map(|(_, rows)| rows).sum();
        self.say(
            "backup",
            started,
            format!("{} bytes, verified, {rows} rows", backup.bytes),
        )
    }
}

/// Runs a command on a host or a session.
async fn ask<C: Command, T: Handle<C>>(target: &T, command: C) -> anyhow::Result<C::Reply> {
    target
        .handle(command)
        .await
        .with_context(|| format!("{} failed", C::NAME))
}

/// Waits until a job has ended, one way or another, and returns it.
async fn finished(session: &Session, job: i64) -> anyhow::Result<JobInfo> {
    let mut events = session.events();
    let wait = async {
        loop {
            let info = ask(session, JobShow { job }).await?;
            match info.state.as_str() {
                "waiting" | "running" => {}
                "done" | "done_in_part" => return Ok(info),
                state => anyhow::bail!(
                    "the job ended as \"{state}\": {}",
                    info.error.unwrap_or_default()
                ),
            }
            // A missed event only means asking again.
            let _ = tokio::time::timeout(Duration::from_millis(200), events.recv()).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait)
        .await
        .context("the job did not end in time")?
}

/// Waits until a message is shown in a room of this peer.
async fn wait_for(session: &Session, room: &str, message: &str) -> anyhow::Result<Message> {
    let mut events = session.events();
    let wait = async {
        loop {
            let page = ask(
                session,
                RoomRead {
                    room: room.to_owned(),
                    limit: None,
                    before: None,
                },
            )
            .await?;
            if let Some(found) = page.messages.into_iter().find(|found| found.id == message) {
                return Ok::<_, anyhow::Error>(found);
            }
            while let Ok(Ok(event)) =
                tokio::time::timeout(Duration::from_millis(500), events.recv()).await
            {
                if matches!(event, Event::Message { .. }) {
                    break;
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait)
        .await
        .context("the message did not arrive in time")?
}
