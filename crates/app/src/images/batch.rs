//! The job kind `images`: a recipe over many pictures.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use artel_compute::{
    gpu::Gpu,
    imaging::{self, Limits, Recipe, Sheet},
};
use artel_jobs::{
    Attempt, Failure, Item, ItemState, Job, Listing, NewItem, Outcome, Queue, Run, Work,
};
use serde::{Deserialize, Serialize};

use crate::files;

use super::{
    KIND,
    place::place,
    table::{self, Table},
    walk::{Seen, Walk},
};

/// Version of [`Parameters`].
pub(super) const VERSION: u32 = 1;
/// Bytes of a file's beginning that are read for its size in pixels.
const HEAD: u64 = 256 << 10;
/// Pixels that are assumed where the beginning does not tell.
const UNKNOWN_PIXELS: u64 = 24_000_000;
/// Longest time for one picture.
const TIME_LIMIT: Duration = Duration::from_mins(2);

/// What decides the results of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Parameters {
    /// Folders and files, sorted, none inside another.
    pub roots: Vec<PathBuf>,
    /// Folder of the results.
    pub out: PathBuf,
    /// Name of the recipe.
    pub recipe: String,
    /// And its version: another one would give other bytes.
    pub recipe_version: u32,
    /// `cpu` or `gpu`.
    pub path: String,
    /// Workers at most.
    pub workers: Option<usize>,
    /// CSV of the results.
    pub export: Option<PathBuf>,
    /// Rows after which the CSV is made durable.
    pub every: u32,
    /// Part of the names of this batch's scratch files.
    pub token: String,
}

/// The kind of job.
pub(crate) struct Images {
    queue: Arc<dyn Queue>,
}

impl Images {
    /// Looks up what is done already in this queue.
    pub(crate) fn new(queue: Arc<dyn Queue>) -> Self {
        Self { queue }
    }
}

/// Reads a job's parameters.
pub(super) fn parameters(job: &Job) -> Result<Parameters, Failure> {
    serde_json::from_value(job.params.clone())
        .map_err(|reason| Failure::job(format!("the job's parameters cannot be read: {reason}")))
}

impl Work for Images {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn open(&self, job: &Job) -> Result<Arc<dyn Run>, Failure> {
        let parameters = parameters(job)?;
        let recipe = imaging::recipe(&parameters.recipe)
            .filter(|recipe| recipe.version == parameters.recipe_version)
            .ok_or_else(|| {
                Failure::job(format!(
                    "recipe {} version {} is not in this version of Artel: start the batch anew",
                    parameters.recipe, parameters.recipe_version
                ))
            })?;
        // The paths give the same bytes, so a job that began on a GPU may go on without it.
        let gpu = (parameters.path == "gpu")
            .then(Gpu::shared)
            .and_then(Result::ok);
        Ok(Arc::new(Batch {
            job: job.id,
            queue: Arc::clone(&self.queue),
            parameters,
            recipe,
            gpu,
            limits: Limits::default(),
            table: Mutex::new(None),
        }))
    }
}

struct Batch {
    job: i64,
    queue: Arc<dyn Queue>,
    parameters: Parameters,
    recipe: &'static Recipe,
    gpu: Option<Arc<Gpu>>,
    limits: Limits,
    table: Mutex<Option<Table>>,
}

impl Batch {
    /// Hash of everything that decides a result. Not the path: CPU and GPU give the same bytes.
    fn key(&self, input: &[u8]) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"artel images 1\0");
        hasher.update(self.recipe.name.as_bytes());
        hasher.update(&[0]);
        hasher.update(&self.recipe.version.to_le_bytes());
        hasher.update(blake3::hash(input).as_bytes());
        hasher.finalize().to_hex().to_string()
    }

    fn scratch(&self, item: &Item) -> PathBuf {
        let name = format!(".artel-{}-{}.part", self.parameters.token, item.position);
        Path::new(&item.target).with_file_name(name)
    }

    fn done_before(&self, key: &str, item: &Item) -> Result<Option<(String, String)>, Failure> {
        let found = self
            .queue
            .find_done(key, &item.target)
            .map_err(|error| Failure::job(error.to_string()))?;
        let Some(Item {
            output: Some(output),
            hash: Some(hash),
            ..
        }) = found
        else {
            return Ok(None);
        };
        let same = || -> io::Result<bool> {
            let mut hasher = blake3::Hasher::new();
            hasher.update_reader(files::open(Path::new(&output))?)?;
            Ok(hasher.finalize().to_hex().as_str() == hash)
        };
        // A result that was removed or changed is made again.
        Ok(same().unwrap_or(false).then_some((output, hash)))
    }
}

impl Run for Batch {
    fn list(&self, after: Option<&str>) -> Result<Listing, Failure> {
        let after = after.map(PathBuf::from);
        let out = self.parameters.out.clone();
        let items = Walk::new(&self.parameters.roots).filter_map(move |seen| match seen {
            Seen::Other => None,
            Seen::Picture(found) => {
                let new = after.as_ref().is_none_or(|after| found.path > *after);
                new.then(|| {
                    // Kept as text; a lossy one would name another file, so it gets no target and fails.
                    let named = found.path.to_str().is_some();
                    let target = named.then(|| out.join(found.target));
                    Ok(NewItem {
                        input: found.path.to_string_lossy().into_owned(),
                        target: target.unwrap_or_default().to_string_lossy().into_owned(),
                        units: 1,
                    })
                })
            }
            // A folder that cannot be read fails alone, with the system's reason.
            Seen::Unreadable(path) => {
                let new = after.as_ref().is_none_or(|after| path > *after);
                let input = path.to_string_lossy().into_owned();
                new.then_some(Ok(NewItem {
                    input,
                    target: String::new(),
                    units: 1,
                }))
            }
        });
        Ok(Box::new(items))
    }

    fn begin(&self, _: &Job) -> Result<(), Failure> {
        fs::create_dir_all(&self.parameters.out)
            .map_err(|error| output_failure(&self.parameters.out, &error, true))?;
        if let Some(export) = &self.parameters.export {
            let table = Table::open(export, &*self.queue, self.job, self.parameters.every)
                .map_err(|error| output_failure(export, &error, true))?;
            *self.table.lock().unwrap_or_else(PoisonError::into_inner) = Some(table);
        }
        Ok(())
    }

    fn memory(&self, item: &Item) -> u64 {
        let head = || -> io::Result<(Vec<u8>, u64)> {
            let file = files::open(Path::new(&item.input))?;
            let size = file.metadata()?.len();
            let mut head = Vec::new();
            file.take(HEAD).read_to_end(&mut head)?;
            Ok((head, size))
        };
        let Ok((head, size)) = head() else {
            return 0;
        };
        let pixels = match imaging::probe(&head) {
            Ok(facts) => facts.memory(),
            Err(imaging::PictureError::Truncated(_) | imaging::PictureError::Damaged { .. }) => {
                UNKNOWN_PIXELS * 8
            }
            Err(_) => 0,
        };
        size + pixels
    }

    fn workers(&self) -> usize {
        self.parameters.workers.unwrap_or(usize::MAX)
    }

    fn time_limit(&self) -> Duration {
        TIME_LIMIT
    }

    fn perform(&self, item: &Item, attempt: &Attempt) -> Result<Outcome, Failure> {
        let input = Path::new(&item.input);
        let name = input
            .file_name()
            .unwrap_or(input.as_os_str())
            .to_string_lossy();
        if item.target.is_empty() && item.input.contains(char::REPLACEMENT_CHARACTER) {
            return Err(Failure::item(format!(
                "{} is not valid Unicode: rename the file or folder that has {} in its name, and run the batch again",
                item.input,
                char::REPLACEMENT_CHARACTER
            )));
        }
        if input.is_dir() {
            return Err(Failure::item(unread_folder(input, &name)));
        }
        let bytes = read(input, &self.limits)
            .map_err(|reason| Failure::item(format!("{name} {reason}")))?;
        let key = self.key(&bytes);
        if let Some((output, hash)) = self.done_before(&key, item)? {
            return Ok(Outcome {
                skipped: true,
                key,
                output: Some(output),
                hash: Some(hash),
                method: self.recipe.name.clone(),
                ..Outcome::default()
            });
        }
        let developed = imaging::develop(&bytes, self.recipe, &self.limits, self.gpu.as_deref())
            .map_err(|error| Failure::item(error.of(&name)))?;
        drop(bytes);
        if attempt.given_up() {
            return Err(Failure::item(format!("{name} took too long")));
        }
        let target = Path::new(&item.target);
        let output = place(&developed.jpeg, &self.scratch(item), target)
            .map_err(|error| output_failure(target, &error, false))?;
        Ok(Outcome {
            key,
            output: Some(output.to_string_lossy().into_owned()),
            hash: Some(blake3::hash(&developed.jpeg).to_hex().to_string()),
            method: format!("{}:{}", self.recipe.name, developed.path.short()),
            ..Outcome::default()
        })
    }

    fn settled(&self, item: &Item) -> Result<(), Failure> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(table), Some(export)) = (table.as_mut(), &self.parameters.export) {
            table
                .add(item)
                .map_err(|error| output_failure(export, &error, true))?;
        }
        Ok(())
    }

    fn discard(&self, item: &Item) {
        // It may never have been made.
        let _ = fs::remove_file(self.scratch(item));
    }

    fn finish(&self, _: &Job) -> Result<(), Failure> {
        *self.table.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if let Some(export) = &self.parameters.export {
            table::rewrite(export, &*self.queue, self.job)
                .map_err(|error| output_failure(export, &error, true))?;
        }
        contact_sheet(&*self.queue, self.job, &self.parameters)?;
        Ok(())
    }
}

/// Writes the contact sheet beside the results and returns where; `None` where there are no results.
/// It is the same for the same results, so writing it again finds it.
pub(super) fn contact_sheet(
    queue: &dyn Queue,
    job: i64,
    parameters: &Parameters,
) -> Result<Option<PathBuf>, Failure> {
    let broken = |error: artel_jobs::QueueError| Failure::job(error.to_string());
    let (_, items) = queue.items(job, None, 0, 0).map_err(broken)?;
    let chosen = Sheet::choose(items);
    let mut sheet = Sheet::new(chosen.len());
    let mut added = 0;
    for position in chosen {
        let found = queue.items_from(job, position, 1).map_err(broken)?;
        let Some(Item {
            state: ItemState::Done | ItemState::Skipped,
            output: Some(output),
            ..
        }) = found.first()
        else {
            continue;
        };
        // A result that someone removed or changed meanwhile is left out.
        if let Ok(bytes) = read(Path::new(output), &Limits::default())
            && sheet.add(&bytes, &Limits::default()).is_ok()
        {
            added += 1;
        }
    }
    if added == 0 {
        return Ok(None);
    }
    let jpeg = sheet
        .finish()
        .map_err(|error| Failure::job(error.of("the contact sheet")))?;
    let target = parameters.out.join("contact-sheet.jpg");
    let scratch = parameters
        .out
        .join(format!(".artel-{}-sheet.part", parameters.token));
    place(&jpeg, &scratch, &target)
        .map(Some)
        .map_err(|error| output_failure(&target, &error, true))
}

/// Why the pictures of a folder are not in the batch. What a batch has is settled when it is listed, so another one takes
/// them in.
fn unread_folder(folder: &Path, name: &str) -> String {
    match fs::read_dir(folder) {
        Err(reason) => format!(
            "the folder {name} cannot be read: {reason}. Allow it, then run the batch again: what is done is skipped"
        ),
        Ok(_) => format!(
            "the folder {name} was not listed: it could not be read then, or lies too deep. Run another batch for it: artel images run \"{}\"",
            folder.display()
        ),
    }
}

/// Reads a file within the limits; the reason follows its name.
pub(super) fn read(path: &Path, limits: &Limits) -> Result<Vec<u8>, String> {
    let reason = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => "is gone: it was moved or removed".to_owned(),
        _ => format!("cannot be read: {error}"),
    };
    let file = files::open(path).map_err(reason)?;
    let size = file.metadata().map_err(reason)?.len();
    if size > limits.file {
        return Err(imaging::PictureError::FileTooLarge {
            bytes: size,
            limit: limits.file,
        }
        .to_string());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    // It may have grown since.
    file.take(limits.file + 1)
        .read_to_end(&mut bytes)
        .map_err(reason)?;
    if bytes.len() as u64 > limits.file {
        return Err(imaging::PictureError::FileTooLarge {
            bytes: bytes.len() as u64,
            limit: limits.file,
        }
        .to_string());
    }
    Ok(bytes)
}

/// A result could not be written: mostly that stops the batch, and the reason says what to mend.
fn output_failure(path: &Path, error: &io::Error, whole: bool) -> Failure {
    use io::ErrorKind as Kind;
    let advice = match error.kind() {
        Kind::StorageFull | Kind::QuotaExceeded => "Free some space and resume the job",
        Kind::PermissionDenied | Kind::ReadOnlyFilesystem => {
            "Allow writing there and resume the job"
        }
        Kind::NotFound | Kind::NotADirectory => "Bring the folder back and resume the job",
        _ => "Mend it and resume the job",
    };
    let stops = whole
        || matches!(
            error.kind(),
            Kind::StorageFull
                | Kind::QuotaExceeded
                | Kind::PermissionDenied
                | Kind::ReadOnlyFilesystem
                | Kind::NotFound
        );
    let message = format!("{} cannot be written: {error}", path.display());
    if stops {
        Failure::job(format!("{message}. {advice}"))
    } else {
        Failure::item(message)
    }
}
