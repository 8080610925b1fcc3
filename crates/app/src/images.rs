//! Picture batches: handlers, the job kind, thumbnails, and what can be shared of a batch.

mod batch;
mod place;
mod table;
mod walk;

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use artel_compute::{
    gpu::{Backend, Path as Route, Router},
    imaging::{self, Limits, Recipe},
};
use artel_jobs::{JobState, NewJob};

pub(crate) use batch::Images;

use crate::{
    api::{Command, Handle, images as api},
    error::{AppError, Code},
    files, jobs,
    rooms::Shareable,
    session::{Media, Session},
    titles,
};

use self::{
    batch::{Parameters, VERSION},
    walk::{Seen, Walk, roots},
};

/// Name of the kind of job.
pub(crate) const KIND: &str = "images";
/// Longest side of a thumbnail in pixels.
const THUMBNAIL: u32 = 320;
/// Thumbnails that are kept; each is some 15 kB.
const THUMBNAILS: usize = 256;
/// Space that the result of a large photo takes in bytes, as measured with the recipe `web`. One of a small file mostly
/// takes no more than that.
const RESULT_BYTES: u64 = 600 << 10;
/// And what it is taken to need at least.
const SMALL_RESULT: u64 = 64 << 10;
/// Rows after which a batch's CSV is made durable, unless asked otherwise.
const EVERY: u32 = 1000;

impl Handle<api::ImagesRecipes> for Session {
    async fn handle(
        &self,
        _: api::ImagesRecipes,
    ) -> Result<<api::ImagesRecipes as Command>::Reply, AppError> {
        Ok(imaging::recipes()
            .iter()
            .map(|recipe| api::RecipeInfo {
                name: recipe.name.clone(),
                summary: recipe.summary.clone(),
                steps: recipe.steps(),
            })
            .collect())
    }
}

impl Handle<api::ImagesRun> for Session {
    async fn handle(
        &self,
        command: api::ImagesRun,
    ) -> Result<<api::ImagesRun as Command>::Reply, AppError> {
        let (job, ignored) = tokio::task::spawn_blocking(move || prepare(&command)).await??;
        Ok(api::ImagesStarted {
            job: self.jobs.submit(job).await?,
            ignored,
        })
    }
}

/// Checks a batch before anything is written, counts its pictures, and makes a job of it.
fn prepare(command: &api::ImagesRun) -> Result<(NewJob, u64), AppError> {
    let recipe = imaging::recipe(&command.recipe).ok_or_else(|| {
        let known: Vec<_> = imaging::recipes()
            .iter()
            .map(|recipe| recipe.name.as_str())
            .collect();
        AppError::new(
            Code::NotFound,
            format!("there is no recipe \"{}\"", command.recipe),
            format!("There is: {}", known.join(", ")),
        )
        .param("name", &command.recipe)
    })?;
    let inputs = inputs(&command.inputs)?;
    let out = outside(Path::new(&command.out), &inputs)?;
    let export = command
        .export
        .as_deref()
        .map(|export| table_file(Path::new(export)))
        .transpose()?;
    let count = count(&inputs);
    if count.pictures == 0 {
        return Err(AppError::new(
            Code::BadInput,
            format!("there are no pictures in {}", command.inputs.join(", ")),
            "JPEG, PNG, WebP, TIFF, GIF and BMP files are taken; hidden files are left alone.",
        ));
    }
    enough_space(&out, &count)?;
    let backend = command
        .backend
        .as_deref()
        .unwrap_or("auto")
        .parse::<Backend>()?;
    let route = route(backend, recipe)?;
    let parameters = Parameters {
        token: token(&out),
        roots: inputs,
        out,
        recipe: recipe.name.clone(),
        recipe_version: recipe.version,
        path: route.short().to_owned(),
        workers: command.workers.map(|workers| workers.max(1) as usize),
        export,
        every: command.every.unwrap_or(EVERY).max(1),
    };
    let job = NewJob {
        kind: KIND.to_owned(),
        version: VERSION,
        title: title(&recipe.name, &parameters.roots),
        out: Some(parameters.out.to_string_lossy().into_owned()),
        backend: route.to_string(),
        params: serde_json::to_value(parameters).map_err(|reason| AppError::internal(&reason))?,
    };
    Ok((job, count.others))
}

/// Recipe and the last parts of the first paths: `web: Photos, cat.jpg`.
fn title(recipe: &str, roots: &[PathBuf]) -> String {
    let names: Vec<_> = roots
        .iter()
        .map(|root| {
            root.file_name()
                .unwrap_or(root.as_os_str())
                .to_string_lossy()
        })
        .collect();
    format!("{recipe}: {}", titles::of(&names))
}

/// Absolute, sorted, none inside another; each is there.
fn inputs(named: &[String]) -> Result<Vec<PathBuf>, AppError> {
    if named.is_empty() {
        return Err(AppError::new(
            Code::BadArguments,
            "no folder and no picture was named",
            "Name some: artel images run DIR --recipe web --out DIR",
        ));
    }
    let mut paths = Vec::with_capacity(named.len());
    for name in named {
        let path = std::fs::canonicalize(name)
            .map_err(|reason| files::unread(Path::new(name), &reason))?;
        // Paths are kept as text; a lossy one would name another file.
        if path.to_str().is_none() {
            return Err(AppError::new(
                Code::BadName,
                format!("{}: the name is not valid Unicode", path.display()),
                "Rename it first.",
            ));
        }
        paths.push(path);
    }
    Ok(roots(paths))
}

/// The folder of the results, absolute. It may not be an input or lie inside one: the next batch
/// would take the results for pictures to be processed.
fn outside(out: &Path, inputs: &[PathBuf]) -> Result<PathBuf, AppError> {
    let out = std::path::absolute(out).map_err(|reason| files::failed(out, &reason))?;
    let mut real = out.clone();
    let mut missing = Vec::new();
    // What exists of it is resolved, so that a link into an input is seen.
    while !real.exists() {
        match (
            real.file_name().map(ToOwned::to_owned),
            real.parent().map(Path::to_owned),
        ) {
            (Some(name), Some(parent)) => {
                missing.push(name);
                real = parent;
            }
            _ => break,
        }
    }
    let mut real = std::fs::canonicalize(&real).map_err(|reason| files::failed(&out, &reason))?;
    real.extend(missing.iter().rev());
    if real.is_file() {
        return Err(AppError::new(
            Code::BadArguments,
            format!("{} is a file, not a folder", out.display()),
            "Name a folder for the results with --out.",
        ));
    }
    for input in inputs {
        if real.starts_with(input) {
            return Err(AppError::new(
                Code::BadArguments,
                format!(
                    "the results cannot go to {}: it lies in {}",
                    out.display(),
                    input.display()
                ),
                "Name a folder beside the pictures with --out.",
            ));
        }
    }
    Ok(real)
}

fn table_file(export: &Path) -> Result<PathBuf, AppError> {
    let export = std::path::absolute(export).map_err(|reason| files::failed(export, &reason))?;
    if table::may_replace(&export).map_err(|reason| files::failed(&export, &reason))? {
        return Ok(export);
    }
    Err(AppError::new(
        Code::Exists,
        format!(
            "{} is there already and is no list of results",
            export.display()
        ),
        "Name another file with --export, or move that one away.",
    ))
}

#[derive(Default)]
struct Count {
    pictures: u64,
    others: u64,
    /// What the results take, as estimated.
    space: u64,
}

fn count(inputs: &[PathBuf]) -> Count {
    let mut count = Count::default();
    for seen in Walk::new(inputs) {
        match seen {
            Seen::Picture(found) => {
                count.pictures += 1;
                count.space += found.bytes.clamp(SMALL_RESULT, RESULT_BYTES);
            }
            Seen::Unreadable(_) => count.pictures += 1,
            Seen::Other => count.others += 1,
        }
    }
    count
}

/// Refuses a batch whose results do not fit.
fn enough_space(out: &Path, count: &Count) -> Result<(), AppError> {
    let (pictures, wanted) = (count.pictures, count.space);
    // Where the system does not say, a full disk is found by writing, which stops the job until it is resumed.
    let Some(free) = files::free_space(out).filter(|free| *free < wanted) else {
        return Ok(());
    };
    let mega = |bytes: u64| bytes.div_ceil(1 << 20);
    Err(AppError::new(
        Code::DiskFull,
        format!(
            "{pictures} results need about {} MB, and {} MB are free for {}",
            mega(wanted),
            mega(free),
            out.display()
        ),
        "Free some space, or name a folder on another disk with --out.",
    )
    .param("path", out.display()))
}

fn route(backend: Backend, recipe: &Recipe) -> Result<Route, AppError> {
    let device = imaging::route(&Router::new(backend), recipe).map_err(|reason| {
        AppError::new(
            Code::NoGpu,
            reason.to_string(),
            "Use the processor: --backend cpu",
        )
    })?;
    Ok(device.map_or(Route::Cpu, |gpu| {
        Route::Gpu(gpu.facts().name.as_str().into())
    }))
}

/// Tells this batch's scratch files from those of others in the same folder.
fn token(out: &Path) -> String {
    let now = jiff::Timestamp::now().as_nanosecond().to_le_bytes();
    let mut hasher = blake3::Hasher::new();
    hasher.update(&now);
    hasher.update(&std::process::id().to_le_bytes());
    hasher.update(out.as_os_str().as_encoded_bytes());
    hasher.finalize().to_hex().chars().take(12).collect()
}

/// Thumbnails of results, the last ones used.
#[derive(Default)]
pub(crate) struct Thumbnails {
    kept: Mutex<VecDeque<(String, Arc<Vec<u8>>)>>,
}

impl Thumbnails {
    fn get(&self, hash: &str) -> Option<Arc<Vec<u8>>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(key, _)| key == hash)?;
        let found = kept.remove(at)?;
        let bytes = Arc::clone(&found.1);
        kept.push_back(found);
        Some(bytes)
    }

    fn keep(&self, hash: String, bytes: Arc<Vec<u8>>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= THUMBNAILS {
            kept.pop_front();
        }
        kept.push_back((hash, bytes));
    }
}

/// Bytes of `item/<job>/<index>` for the page: a small JPEG of the item's result.
pub(crate) async fn media(session: &Session, id: &str) -> Result<Media, AppError> {
    let missing = || {
        AppError::new(
            Code::NotFound,
            format!("there is no item \"{id}\""),
            "See which jobs there are: artel jobs list",
        )
    };
    let (job, index) = id.split_once('/').ok_or_else(missing)?;
    let (job, index) = (
        job.parse().map_err(|_| missing())?,
        index.parse().map_err(|_| missing())?,
    );
    Ok(Media {
        media_type: "image/jpeg".to_owned(),
        bytes: thumbnail(session, job, index).await?,
    })
}

/// A JPEG of an item's result, at most 320 pixels large.
pub(crate) async fn thumbnail(
    session: &Session,
    job: i64,
    index: u64,
) -> Result<Vec<u8>, AppError> {
    let missing = || {
        AppError::new(
            Code::NotFound,
            format!("item {index} of job {job} has no picture"),
            format!("See how it stands: artel jobs show {job}"),
        )
    };
    session.jobs.job(job).await?;
    let found = session
        .jobs
        .look(move |queue| queue.items_from(job, index, 1))
        .await?;
    let item = found
        .into_iter()
        .find(|item| item.position == index)
        .ok_or_else(missing)?;
    let (Some(output), Some(hash)) = (item.output, item.hash) else {
        return Err(missing());
    };
    if let Some(bytes) = session.jobs.thumbnails.get(&hash) {
        return Ok(bytes.to_vec());
    }
    let bytes = tokio::task::spawn_blocking(move || {
        let limits = Limits::default();
        let name = output.clone();
        let bad = |reason: String| {
            AppError::new(
                Code::BadInput,
                reason,
                "The result was changed or removed. Run the batch again to make it anew.",
            )
        };
        let bytes = batch::read(Path::new(&output), &limits)
            .map_err(|reason| bad(format!("{name} {reason}")))?;
        imaging::thumbnail(&bytes, THUMBNAIL, &limits).map_err(|error| bad(error.of(&name)))
    })
    .await??;
    session.jobs.thumbnails.keep(hash, Arc::new(bytes.clone()));
    Ok(bytes)
}

/// What can be shared of a finished batch: its contact sheet and the list of its results.
pub(crate) async fn shareable(session: &Session, id: i64) -> Result<Shareable, AppError> {
    let job = session.jobs.job(id).await?;
    if job.kind != KIND {
        return Err(AppError::new(
            Code::WrongState,
            format!("job {id} is no picture batch"),
            "See which jobs there are: artel jobs list",
        )
        .param("job", id));
    }
    if !matches!(job.state, JobState::Done | JobState::DoneInPart) {
        return Err(AppError::new(
            Code::WrongState,
            format!("job {id} is {}: it has no results to share yet", job.state),
            match job.state {
                JobState::Cancelled => "Run the batch again, then share the new one.".to_owned(),
                _ => format!("Let it finish first: artel jobs resume {id}"),
            },
        )
        .param("job", id));
    }
    let parameters = batch::parameters(&job).map_err(|reason| AppError::internal(&reason))?;
    let files = session
        .jobs
        .look(move |queue| Ok(shared_files(queue, id, &parameters)))
        .await??;
    let info = jobs::info(&job);
    let mut facts = vec![
        ("pictures".to_owned(), info.total.to_string()),
        ("done".to_owned(), (info.done + info.skipped).to_string()),
        ("failed".to_owned(), info.failed.to_string()),
        ("seconds".to_owned(), format!("{:.1}", info.seconds)),
        ("backend".to_owned(), info.backend),
    ];
    facts.retain(|(name, value)| name != "failed" || value != "0");
    Ok(Shareable {
        kind: KIND,
        title: info.title,
        facts,
        preview: Some(files.sheet),
        files: vec![files.table],
    })
}

struct SharedFiles {
    sheet: PathBuf,
    table: PathBuf,
}

fn shared_files(
    queue: &dyn artel_jobs::Queue,
    id: i64,
    parameters: &Parameters,
) -> Result<SharedFiles, AppError> {
    let bad = |message: String| {
        AppError::new(
            Code::File,
            message,
            "Bring the folder of the results back, or run the batch again.",
        )
    };
    let sheet = batch::contact_sheet(queue, id, parameters)
        .map_err(|failure| bad(failure.message))?
        .ok_or_else(|| {
            bad(format!(
                "the results of job {id} are gone from {}",
                parameters.out.display()
            ))
        })?;
    let table = parameters
        .out
        .join(format!("results-{}.csv", parameters.token));
    table::rewrite(&table, queue, id).map_err(|reason| files::failed(&table, &reason))?;
    // By the name that the user gave, where that file still is what this batch left.
    let export = parameters.export.as_ref().filter(|export| {
        let [theirs, ours] = [export.as_path(), &table].map(std::fs::read);
        matches!((theirs, ours), (Ok(theirs), Ok(ours)) if theirs == ours)
    });
    let Some(export) = export else {
        return Ok(SharedFiles { sheet, table });
    };
    std::fs::remove_file(&table).map_err(|reason| files::failed(&table, &reason))?;
    Ok(SharedFiles {
        sheet,
        table: export.clone(),
    })
}

#[cfg(test)]
mod tests;
