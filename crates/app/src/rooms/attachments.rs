//! Files of messages: taken in, fetched, saved, shown.

use std::{
    fmt,
    fs::{self, File},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use artel_compute::imaging::{self, Limits};
use artel_domain::{
    Attachment, FileDigest, FileId, MessageId,
    attachment::{chunk_count, chunk_hash},
    limits::{CHUNK, MAX_ATTACHMENTS},
    sanitize,
};
use artel_store::{Store, blobs, rooms};
use artel_sync::protocol::CommandError;
use tokio::time::timeout;

use super::{
    driver::{Failed, Work},
    view,
};
use crate::{
    api::{Command, Handle, rooms as api},
    error::{AppError, Code},
    files,
    session::{Core, Media, Session},
};

/// Chunks written in one transaction: 1 MiB, so that others get their turn.
const CHUNKS_AT_ONCE: usize = 16;
/// Longest side and size of a preview that travels with a message.
const PREVIEW_SIDE: u32 = 480;
const PREVIEW_BYTES: usize = 32 * 1024;
/// Longest side of a picture shown in the page.
const SHOWN_SIDE: u32 = 1280;
/// Pictures larger than this get no preview: it is not worth the memory.
const PREVIEW_FROM_AT_MOST: u64 = 64 * 1024 * 1024;
/// What is decoded for a preview at most.
const PREVIEW_LIMITS: Limits = Limits {
    side: 30_000,
    pixels: 80_000_000,
    file: PREVIEW_FROM_AT_MOST,
};
/// How long to wait for a peer that has a file, unless given; each step forward begins it anew.
const PATIENCE: Duration = Duration::from_mins(1);
/// Most names tried before giving up: `name (2)`, `name (3)` …
const MOST_NAMES: u32 = 10_000;

/// Which file of which message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct AttachmentId {
    pub message: MessageId,
    pub position: u8,
}

impl fmt::Display for AttachmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.message, self.position)
    }
}

impl FromStr for AttachmentId {
    type Err = AppError;

    fn from_str(text: &str) -> Result<Self, AppError> {
        text.trim()
            .split_once('-')
            .and_then(|(message, position)| {
                Some(Self {
                    message: message.parse().ok()?,
                    position: position.parse().ok()?,
                })
            })
            .ok_or_else(|| {
                AppError::new(
                    Code::NotFound,
                    format!("there is no attachment \"{text}\""),
                    "Attachment ids stand beside the messages: artel --json room read ROOM",
                )
            })
    }
}

/// A size for people.
fn in_words(bytes: u64) -> String {
    const MIB: u64 = 1024 * 1024;
    if bytes >= MIB {
        format!("{} MB", bytes.div_ceil(MIB))
    } else {
        format!("{} kB", bytes.div_ceil(1024))
    }
}

/// Takes files into the store and describes them; pictures get a preview beside them if asked.
pub(super) async fn take_in(
    core: &Core,
    paths: Vec<PathBuf>,
    limit: u64,
    previews: bool,
) -> Result<Vec<Attachment>, AppError> {
    if paths.len() > MAX_ATTACHMENTS {
        return Err(AppError::new(
            Code::TooLarge,
            format!(
                "a message carries at most {MAX_ATTACHMENTS} files, not {}",
                paths.len()
            ),
            "Send them in several messages.",
        ));
    }
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let store = Arc::clone(core.store());
    tokio::task::spawn_blocking(move || {
        let mut attachments = Vec::new();
        for path in &paths {
            attachments.push(take_file(&store, path, limit)?);
        }
        if previews {
            let room = MAX_ATTACHMENTS.saturating_sub(attachments.len());
            let mut small = Vec::new();
            for (position, (path, attachment)) in paths.iter().zip(&attachments).enumerate() {
                if small.len() < room
                    && let Some(preview) = take_preview(&store, path, attachment, position)?
                {
                    small.push(preview);
                }
            }
            attachments.extend(small);
        }
        Ok(attachments)
    })
    .await?
}

/// Refuses a file that is larger than may be attached.
pub(super) fn must_fit(path: &Path, size: u64, limit: u64) -> Result<(), AppError> {
    if size <= limit {
        return Ok(());
    }
    Err(AppError::new(
        Code::TooLarge,
        format!(
            "{} has {}; files of at most {} may be attached here",
            path.display(),
            in_words(size),
            in_words(limit)
        ),
        "Make it smaller, or ask a teacher to send it.",
    )
    .param("path", path.display()))
}

fn take_file(store: &Store, path: &Path, limit: u64) -> Result<Attachment, AppError> {
    let failed = |reason: io::Error| files::failed(path, &reason);
    // Before it is opened: opening a pipe waits for whoever writes to it.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(AppError::new(
            Code::BadInput,
            format!("{} is not a file", path.display()),
            "Attach single files; pack a folder first.",
        )
        .param("path", path.display()));
    }
    let mut file = File::open(path).map_err(failed)?;
    let facts = file.metadata().map_err(failed)?;
    must_fit(path, facts.len(), limit)?;
    let name = path.file_name().map_or_else(
        || "file".to_owned(),
        |name| sanitize(&name.to_string_lossy()),
    );
    take_content(store, &mut file, &name, path, limit)
}

/// Takes a file's content in, in two passes: what it is must be known before it is kept under that.
fn take_content(
    store: &Store,
    content: &mut (impl Read + Seek),
    name: &str,
    path: &Path,
    limit: u64,
) -> Result<Attachment, AppError> {
    let failed = |reason: io::Error| files::failed(path, &reason);
    let changed = || {
        AppError::new(
            Code::BadInput,
            format!("{} changed while it was read", path.display()),
            "Try again when nothing writes to it.",
        )
    };
    let mut digest = FileDigest::new();
    let mut head = Vec::new();
    let mut total = 0_u64;
    while let Some(chunk) = next_chunk(content).map_err(failed)? {
        if head.is_empty() {
            head = chunk.iter().copied().take(512).collect();
        }
        total = total.saturating_add(chunk.len() as u64);
        if total > limit {
            return Err(changed());
        }
        digest
            .chunk(&chunk)
            .map_err(|reason| AppError::of(Code::TooLarge, &reason, "Cut the file into parts."))?;
    }
    let (attachment, hashes) = digest
        .finish(name, media_type(name, &head))
        .map_err(|reason| AppError::of(Code::BadName, &reason, "Rename the file."))?;
    let file = attachment.file;
    let held = store.read(|connection| blobs::holding(connection, &file))?;
    if held.list && held.chunks >= attachment.chunks() {
        return Ok(attachment);
    }
    content.rewind().map_err(failed)?;
    let mut waiting: Vec<(u32, Vec<u8>)> = Vec::new();
    let mut next = 0_u32;
    let mut expected = hashes.iter();
    while let Some(chunk) = next_chunk(content).map_err(failed)? {
        if expected.next() != Some(&chunk_hash(&chunk)) {
            return Err(changed());
        }
        waiting.push((next, chunk));
        next += 1;
        if waiting.len() >= CHUNKS_AT_ONCE {
            put_chunks(store, file, std::mem::take(&mut waiting))?;
        }
    }
    if expected.next().is_some() {
        return Err(changed());
    }
    put_chunks(store, file, waiting)?;
    let (size, list) = (attachment.size, hashes.concat());
    store.write(move |tx| blobs::put_chunk_list(tx, &file, size, &list))?;
    Ok(attachment)
}

fn put_chunks(store: &Store, file: FileId, chunks: Vec<(u32, Vec<u8>)>) -> Result<(), AppError> {
    if chunks.is_empty() {
        return Ok(());
    }
    store.write(move |tx| {
        for (index, bytes) in &chunks {
            blobs::put_chunk(tx, &file, *index, bytes)?;
        }
        Ok(())
    })?;
    Ok(())
}

/// The next chunk: full, but for the last.
fn next_chunk(content: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut chunk = Vec::with_capacity(CHUNK);
    content
        .by_ref()
        .take(CHUNK as u64)
        .read_to_end(&mut chunk)?;
    Ok((!chunk.is_empty()).then_some(chunk))
}

fn take_preview(
    store: &Store,
    path: &Path,
    attachment: &Attachment,
    position: usize,
) -> Result<Option<Attachment>, AppError> {
    if !attachment.media_type.starts_with("image/")
        || attachment.size <= PREVIEW_BYTES as u64
        || attachment.size > PREVIEW_FROM_AT_MOST
    {
        return Ok(None);
    }
    let bytes = std::fs::read(path).map_err(|reason| files::failed(path, &reason))?;
    // A picture that cannot be decoded is still a file that can be sent.
    let Ok(jpeg) = imaging::preview(&bytes, PREVIEW_SIDE, PREVIEW_BYTES, &PREVIEW_LIMITS) else {
        return Ok(None);
    };
    let mut preview = take_content(
        store,
        &mut io::Cursor::new(jpeg),
        "preview.jpg",
        path,
        PREVIEW_BYTES as u64,
    )?;
    preview.media_type = view::preview_type("image/jpeg", position);
    Ok(Some(preview))
}

/// Media type by content, and for text by the ending of the name.
fn media_type(name: &str, head: &[u8]) -> &'static str {
    const MAGIC: &[(&[u8], &str)] = &[
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"GIF8", "image/gif"),
        (b"BM", "image/bmp"),
        (b"II*\0", "image/tiff"),
        (b"MM\0*", "image/tiff"),
        (b"%PDF-", "application/pdf"),
        (b"PK\x03\x04", "application/zip"),
    ];
    if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP") {
        return "image/webp";
    }
    if let Some((_, known)) = MAGIC.iter().find(|(magic, _)| head.starts_with(magic)) {
        return known;
    }
    let is_text = match std::str::from_utf8(head) {
        Ok(text) => !text.contains('\0'),
        // A character may be cut at the end of the head.
        Err(reason) => reason.error_len().is_none() && !head.contains(&0),
    };
    if !is_text {
        return "application/octet-stream";
    }
    let ending = name
        .rsplit_once('.')
        .map(|(_, ending)| ending.to_lowercase());
    match ending.as_deref() {
        Some("csv") => "text/csv",
        Some("json" | "jsonl") => "application/json",
        Some("md") => "text/markdown",
        _ => "text/plain",
    }
}

/// A file of a message, as the view has it.
async fn find(core: &Core, id: AttachmentId) -> Result<rooms::MessageFile, AppError> {
    let message = core
        .read(move |connection| rooms::message(connection, &id.message))
        .await?;
    message
        .into_iter()
        .flat_map(|message| message.files)
        .find(|file| file.position == id.position)
        .ok_or_else(|| {
            AppError::new(
                Code::NotFound,
                format!("there is no attachment \"{id}\""),
                "Its message may have been deleted, or has not arrived yet.",
            )
        })
}

impl Session {
    /// Makes sure that a file is here as a whole.
    async fn fetch(&self, id: AttachmentId, patience: Duration) -> Result<(), AppError> {
        let mut moved = self.rooms.inner.driver.signals.files.subscribe();
        let mut file = find(&self.core, id).await?;
        if view::have(&file) == file.size {
            return Ok(());
        }
        self.rooms
            .inner
            .driver
            .ask(move |work| {
                let (ledger, now) = (&mut *work.ledger, work.now);
                match work.node.fetch(ledger, now, id.message, id.position) {
                    Err(CommandError::NoMessage) if is_ahead(work, &id.message)? => {
                        Err(on_its_way().into())
                    }
                    asked => Ok(asked?),
                }
            })
            .await?;
        loop {
            let before = view::have(&file);
            let waited = timeout(patience, async {
                loop {
                    file = find(&self.core, id).await?;
                    if view::have(&file) > before || view::have(&file) == file.size {
                        return Ok::<_, AppError>(());
                    }
                    // Either may end when the profile is closed.
                    let _ = moved.changed().await;
                    self.rooms.look(|_| ()).await?;
                }
            })
            .await;
            let Ok(done) = waited else {
                return Err(nobody_has(&file));
            };
            done?;
            if view::have(&file) == file.size {
                return Ok(());
            }
        }
    }
}

/// Whether a message is shown whose record is not here yet.
fn is_ahead(work: &Work<'_>, message: &MessageId) -> Result<bool, Failed> {
    Ok(rooms::message(work.tx, message)?.is_some_and(|message| message.provisional))
}

fn on_its_way() -> AppError {
    AppError::new(
        Code::WrongState,
        "the message of this file is shown ahead and is itself still on its way",
        "Try again in a moment. What is missing comes from those who are connected.",
    )
}

fn nobody_has(file: &rooms::MessageFile) -> AppError {
    AppError::new(
        Code::NobodyThere,
        format!(
            "no connected peer has \"{}\" ({} of {} bytes are here)",
            sanitize(&file.name),
            view::have(file),
            file.size
        ),
        "Try again when its author or a member who saved it is here; it goes on where it stopped.",
    )
}

impl Handle<api::AttachmentSave> for Session {
    async fn handle(
        &self,
        command: api::AttachmentSave,
    ) -> Result<<api::AttachmentSave as Command>::Reply, AppError> {
        let id: AttachmentId = command.attachment.parse()?;
        let patience = command.timeout_s.map_or(PATIENCE, Duration::from_secs);
        self.must_be_shown(id.message).await?;
        let file = find(&self.core, id).await?;
        let target = Place::of(&command.to, &file.name)?;
        if view::have(&file) < file.size {
            let guest = self.rooms.ensure_network(&self.core).await?;
            let fetched = self.fetch(id, patience).await;
            guest.leave().await;
            fetched?;
        } else {
            // From another room, maybe: it is given to others in this one once it was shown to be in it.
            let wanted = vec![(id.message, id.position)];
            self.rooms.inner.driver.want_files(wanted);
        }
        let store = Arc::clone(self.core.store());
        tokio::task::spawn_blocking(move || save(&store, &file, &target)).await?
    }
}

/// A folder and the name that is wanted in it.
#[derive(Debug)]
struct Place {
    folder: PathBuf,
    name: String,
}

impl Place {
    /// Where to save: a folder that exists, or a file in one.
    fn of(to: &str, name: &str) -> Result<Self, AppError> {
        let path = Path::new(to);
        let is_folder = path.is_dir() || to.ends_with(std::path::is_separator);
        let (folder, name) = if is_folder {
            (path.to_owned(), sanitize(name))
        } else {
            let folder = path.parent().unwrap_or(Path::new(""));
            let name = path.file_name().map_or_else(
                || sanitize(name),
                |name| name.to_string_lossy().into_owned(),
            );
            (folder.to_owned(), name)
        };
        let folder = if folder.as_os_str().is_empty() {
            PathBuf::from(".")
        } else {
            folder
        };
        if folder.is_dir() {
            Ok(Self { folder, name })
        } else {
            Err(AppError::new(
                Code::File,
                format!("there is no folder {}", folder.display()),
                "Make the folder first.",
            )
            .param("path", folder.display()))
        }
    }

    /// The wanted name first, then `name (2)`, `name (3)` …
    fn names(&self) -> impl Iterator<Item = PathBuf> {
        let (stem, ending) = match self.name.rsplit_once('.') {
            Some((stem, ending)) if !stem.is_empty() => (stem, format!(".{ending}")),
            _ => (self.name.as_str(), String::new()),
        };
        std::iter::once(self.folder.join(&self.name))
            .chain((2..MOST_NAMES).map(move |n| self.folder.join(format!("{stem} ({n}){ending}"))))
    }
}

/// Writes a file that is here to a new file: beside it, checked, made durable, then named.
fn save(store: &Store, file: &rooms::MessageFile, place: &Place) -> Result<api::Saved, AppError> {
    let failed = |reason: &io::Error| files::failed(&place.folder, reason);
    let mut draft = tempfile::Builder::new()
        .prefix(".artel-")
        .suffix(".part")
        .tempfile_in(&place.folder)
        .map_err(|reason| failed(&reason))?;
    let mut hasher = blake3::Hasher::new();
    for index in 0..chunk_count(file.size) {
        let chunk = store
            .read(|connection| blobs::chunk(connection, &file.file, index))?
            .ok_or_else(|| mismatch(file))?;
        hasher.update(&chunk);
        draft.write_all(&chunk).map_err(|reason| failed(&reason))?;
    }
    let hash = hasher.finalize();
    if hash.as_bytes() != file.hash.as_bytes() {
        return Err(mismatch(file));
    }
    draft
        .as_file()
        .sync_all()
        .map_err(|reason| failed(&reason))?;
    allow_reading(draft.as_file()).map_err(|reason| failed(&reason))?;
    for path in place.names() {
        match draft.persist_noclobber(&path) {
            Ok(_) => {
                sync_folder(&place.folder).map_err(|reason| failed(&reason))?;
                return Ok(api::Saved {
                    path: path.display().to_string(),
                    size: file.size,
                    hash: hash.to_hex().to_string(),
                });
            }
            Err(taken) if taken.error.kind() == io::ErrorKind::AlreadyExists => {
                draft = taken.file;
            }
            Err(other) => return Err(files::failed(&path, &other.error)),
        }
    }
    Err(AppError::new(
        Code::Exists,
        format!("there are too many files named {}", place.name),
        "Name another one with --to.",
    ))
}

fn mismatch(file: &rooms::MessageFile) -> AppError {
    AppError::new(
        Code::HashMismatch,
        format!(
            "what is here of \"{}\" is not what its author sent",
            sanitize(&file.name)
        ),
        "Nothing was written. Ask the author to send it again.",
    )
}

/// Temporary files are private; a saved one is as others in its folder.
#[cfg(unix)]
fn allow_reading(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn allow_reading(_: &File) -> io::Result<()> {
    Ok(())
}

/// Makes a new name durable.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// A picture of an attachment for the page: the file itself in small, or its preview.
pub(super) async fn media(session: &Session, id: &str) -> Result<Media, AppError> {
    let id: AttachmentId = id.parse()?;
    session.must_be_shown(id.message).await?;
    let message = session
        .core
        .read(move |connection| rooms::message(connection, &id.message))
        .await?;
    let files = message.map(|message| message.files).unwrap_or_default();
    let wanted = files.iter().find(|file| file.position == id.position);
    let preview = files
        .iter()
        .find(|file| file.preview_of == Some(id.position));
    let chosen = wanted
        .filter(|file| file.media_type.starts_with("image/") && view::have(file) == file.size)
        .or_else(|| preview.filter(|file| view::have(file) == file.size))
        .cloned();
    let Some(file) = chosen else {
        return Err(AppError::new(
            Code::NotFound,
            format!("there is no picture of \"{id}\" here"),
            "It appears once the file or its preview has arrived.",
        ));
    };
    let store = Arc::clone(session.core.store());
    tokio::task::spawn_blocking(move || {
        if file.size > PREVIEW_FROM_AT_MOST {
            return Err(AppError::new(
                Code::TooLarge,
                format!("\"{}\" is too large to show", sanitize(&file.name)),
                "Save it and open it there.",
            ));
        }
        let mut bytes = Vec::new();
        for index in 0..chunk_count(file.size) {
            let chunk = store
                .read(|connection| blobs::chunk(connection, &file.file, index))?
                .ok_or_else(|| mismatch(&file))?;
            bytes.extend_from_slice(&chunk);
        }
        let jpeg = imaging::thumbnail(&bytes, SHOWN_SIDE, &PREVIEW_LIMITS).map_err(|reason| {
            AppError::new(
                Code::BadInput,
                reason.of(&sanitize(&file.name)),
                "Save it and open it with another program.",
            )
        })?;
        Ok(Media {
            media_type: "image/jpeg".to_owned(),
            bytes: jpeg,
        })
    })
    .await?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip() {
        let id = AttachmentId {
            message: MessageId::from_bytes([3; 32]),
            position: 31,
        };
        assert_eq!(id.to_string().parse::<AttachmentId>().unwrap(), id);
        for wrong in ["", "-", "12-0", "x", &format!("{}-256", id.message)] {
            assert_eq!(
                wrong.parse::<AttachmentId>().unwrap_err().code,
                Code::NotFound
            );
        }
    }

    #[test]
    fn media_types_by_content() {
        let check = |name: &str, head: &[u8], expected: &str| {
            assert_eq!(media_type(name, head), expected, "{name}");
        };
        check("photo.txt", b"\xff\xd8\xff\xe0", "image/jpeg");
        check("a.bin", b"RIFF\0\0\0\0WEBPVP8 ", "image/webp");
        check("photo.jpg", b"just words", "text/plain");
        check("ціни.CSV", "час,ціна\n".as_bytes(), "text/csv");
        check("cut.csv", &"ї".as_bytes()[..1], "text/csv");
        check("a.csv", b"a\0b", "application/octet-stream");
        check("a.csv", b"\xfe\xff", "application/octet-stream");
        check("empty", b"", "text/plain");
    }

    #[test]
    fn a_file_is_taken_once_and_saved_without_overwriting() {
        let store = Store::open_for_tests();
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("звіт за рік.csv");
        let content: Vec<u8> = (0..CHUNK * 18 + 77)
            .map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1])
            .collect();
        std::fs::write(&source, &content).unwrap();

        let attachment = take_file(&store, &source, u64::MAX).unwrap();
        assert_eq!(attachment.size, content.len() as u64);
        assert_eq!(take_file(&store, &source, u64::MAX).unwrap(), attachment);
        let small = take_file(&store, &source, 100).unwrap_err();
        assert_eq!(small.code, Code::TooLarge);
        assert!(
            small.message.contains("звіт за рік.csv"),
            "{}",
            small.message
        );
        let missing = take_file(&store, &folder.path().join("none"), 100).unwrap_err();
        assert_eq!(missing.code, Code::File);
        let is_folder = take_file(&store, folder.path(), 100).unwrap_err();
        assert_eq!(is_folder.code, Code::BadInput);

        let file = rooms::MessageFile {
            position: 0,
            name: "../звіт за рік.csv".to_owned(),
            size: attachment.size,
            media_type: attachment.media_type.clone(),
            hash: attachment.hash,
            file: attachment.file,
            preview_of: None,
            chunks: attachment.chunks(),
        };
        let place = Place::of(folder.path().to_str().unwrap(), &file.name).unwrap();
        let saved = save(&store, &file, &place).unwrap();
        assert!(
            saved.path.ends_with("звіт за рік (2).csv"),
            "{}",
            saved.path
        );
        let again = save(&store, &file, &place).unwrap();
        assert!(
            again.path.ends_with("звіт за рік (3).csv"),
            "{}",
            again.path
        );
        assert_eq!(std::fs::read(&saved.path).unwrap(), content);
        assert_eq!(saved.hash, blake3::hash(&content).to_hex().to_string());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);

        let lying = rooms::MessageFile {
            hash: artel_domain::FileHash::from_bytes([0; 32]),
            ..file
        };
        assert_eq!(
            save(&store, &lying, &place).unwrap_err().code,
            Code::HashMismatch
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
    }
}
