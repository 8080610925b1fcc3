//! Sharing finished results to a room.

use std::path::PathBuf;

use artel_domain::{
    Content, Manifest,
    limits::{MAX_FACT, MAX_FACTS},
};

use super::{attachments, names};
use crate::{
    api::{Command, Handle, rooms as api},
    error::{AppError, Code},
    session::Session,
};

/// Size of a shared file at most.
const LIMIT: u64 = 200 * 1024 * 1024;

/// A finished result, as the part that made it describes it.
pub(crate) struct Shareable {
    /// `images` or `indicators`.
    pub kind: &'static str,
    /// One line that says what it is.
    pub title: String,
    /// Name and value pairs worth showing.
    pub facts: Vec<(String, String)>,
    /// A picture of it, shared first.
    pub preview: Option<PathBuf>,
    /// Its files.
    pub files: Vec<PathBuf>,
}

fn number(text: &str, what: &str) -> Result<i64, AppError> {
    text.parse().map_err(|_| {
        AppError::new(
            Code::BadArguments,
            format!("\"{text}\" is not the number of {what}"),
            "See the numbers: artel jobs list, artel market list",
        )
    })
}

/// Cuts a fact to what a record may carry.
fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_FACT));
    text
}

impl Session {
    /// A finished picture batch: its contact sheet and its list.
    async fn picture_batch(&self, id: i64) -> Result<Shareable, AppError> {
        crate::images::shareable(self, id).await
    }

    /// A finished indicator run with the files it left.
    async fn indicator_run(&self, id: i64) -> Result<Shareable, AppError> {
        let run = self
            .core
            .read(move |connection| artel_store::market::run(connection, id))
            .await?
            .ok_or_else(|| {
                AppError::new(
                    Code::NotFound,
                    format!("there is no indicator run {id}"),
                    "artel market indicators says the run's id when it ends.",
                )
            })?;
        if run.files.is_empty() {
            return Err(AppError::new(
                Code::WrongState,
                format!("indicator run {id} left no files to share"),
                "Run it again with --out F.csv",
            ));
        }
        for file in &run.files {
            let path = PathBuf::from(&file.path);
            let (size, hash) = (file.size, file.hash);
            let same =
                tokio::task::spawn_blocking(move || is_as_written(&path, size, &hash)).await?;
            if !same {
                return Err(AppError::new(
                    Code::BadInput,
                    format!("{} is not as indicator run {id} left it", file.path),
                    "Run it again, then share the new run.",
                )
                .param("path", &file.path));
            }
        }
        Ok(Shareable {
            kind: "indicators",
            title: format!("Indicators: {}", run.symbols),
            facts: vec![
                ("symbols".to_owned(), run.symbols),
                ("functions".to_owned(), run.functions.to_string()),
                ("bars".to_owned(), run.bars.to_string()),
                ("seconds".to_owned(), format!("{:.3}", run.seconds)),
                ("backend".to_owned(), run.backend),
            ],
            preview: None,
            files: run
                .files
                .into_iter()
                .map(|file| PathBuf::from(file.path))
                .collect(),
        })
    }
}

/// Whether a result's file is still what was computed.
fn is_as_written(path: &std::path::Path, size: u64, hash: &[u8; 32]) -> bool {
    let same_size = std::fs::metadata(path).is_ok_and(|facts| facts.len() == size);
    let hashed = || -> std::io::Result<blake3::Hash> {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(std::fs::File::open(path)?)?;
        Ok(hasher.finalize())
    };
    same_size && hashed().is_ok_and(|found| found.as_bytes() == hash)
}

impl Handle<api::Share> for Session {
    async fn handle(
        &self,
        command: api::Share,
    ) -> Result<<api::Share as Command>::Reply, AppError> {
        let text = command.room;
        let (space, room) = self
            .rooms
            .look(move |node| names::room(node, &text))
            .await??;
        let result = match command.result.split_once(':') {
            Some(("job", job)) => self.picture_batch(number(job, "a job")?).await?,
            Some(("run", run)) => self.indicator_run(number(run, "a run")?).await?,
            _ => {
                return Err(AppError::new(
                    Code::BadArguments,
                    format!("\"{}\" is not a result", command.result),
                    "Give job:N for a picture batch (artel jobs list), or run:N for an indicator run.",
                ));
            }
        };
        let preview = result.preview.as_ref().map(|_| 0);
        let paths = result.preview.into_iter().chain(result.files).collect();
        let attachments = attachments::take_in(&self.core, paths, LIMIT, false).await?;
        let mut facts = result.facts;
        facts.truncate(MAX_FACTS);
        let content = Content::Result(Manifest {
            kind: result.kind.to_owned(),
            title: cut(result.title),
            facts: facts
                .into_iter()
                .map(|(name, value)| (cut(name), cut(value)))
                .collect(),
            preview,
            attachments,
        });
        self.post(space, room.room, content, None).await
    }
}
