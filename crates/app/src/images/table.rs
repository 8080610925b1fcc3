//! The CSV of a batch's results: rows as they come, each once, whatever happened in between.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter},
    path::Path,
};

use artel_jobs::{Item, Queue};

use crate::files::{self, Unfinished};

/// The first line.
const HEADER: [&str; 8] = [
    "input", "output", "state", "error", "method", "score", "seconds", "hash",
];
/// Rows read from the queue at a time.
const PAGE: u32 = 500;

/// The table while a batch runs.
pub(super) struct Table {
    writer: csv::Writer<File>,
    since_sync: u32,
    every: u32,
}

impl Table {
    /// Writes what is settled already anew, in order, and goes on behind it. Rows are flushed as
    /// they come and made durable every so many.
    pub(super) fn open(path: &Path, queue: &dyn Queue, job: i64, every: u32) -> io::Result<Self> {
        rewrite(path, queue, job)?;
        let file = OpenOptions::new().append(true).open(path)?;
        Ok(Self {
            writer: csv::WriterBuilder::new()
                .has_headers(false)
                .from_writer(file),
            since_sync: 0,
            every: every.max(1),
        })
    }

    /// Adds a settled item.
    pub(super) fn add(&mut self, item: &Item) -> io::Result<()> {
        self.writer
            .write_record(row(item))
            .map_err(files::of_rows)?;
        self.writer.flush()?;
        self.since_sync += 1;
        if self.since_sync >= self.every {
            self.since_sync = 0;
            self.writer.get_ref().sync_data()?;
        }
        Ok(())
    }
}

/// Writes all settled items in their order to a new file and puts it in the old one's place.
pub(super) fn rewrite(path: &Path, queue: &dyn Queue, job: i64) -> io::Result<()> {
    fs::create_dir_all(files::folder_of(path))?;
    let mut writer = csv::Writer::from_writer(BufWriter::new(Unfinished::begin(path)?));
    writer.write_record(HEADER).map_err(files::of_rows)?;
    let mut from = 0;
    loop {
        let items = queue
            .items_from(job, from, PAGE)
            .map_err(io::Error::other)?;
        let Some(last) = items.last() else { break };
        from = last.position + 1;
        for item in items.iter().filter(|item| item.state.is_settled()) {
            writer.write_record(row(item)).map_err(files::of_rows)?;
        }
    }
    files::after_rows(writer)?.finish()
}

/// Whether a table may be written here: there is no file, or one that begins as ours do.
pub(super) fn may_replace(path: &Path) -> io::Result<bool> {
    files::may_replace(path, format!("{}\n", HEADER.join(",")).as_bytes())
}

fn row(item: &Item) -> [String; 8] {
    [
        item.input.clone(),
        item.output.clone().unwrap_or_default(),
        item.state.name().to_owned(),
        item.error.clone().unwrap_or_default(),
        item.method.clone(),
        item.score
            .map_or_else(String::new, |score| score.to_string()),
        format!("{:.3}", item.took.as_secs_f64()),
        item.hash.clone().unwrap_or_default(),
    ]
}
