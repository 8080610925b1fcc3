//! Content that was pasted and waits to be sent, each in a file that a message can attach.
//!
//! The files lie in a folder of the profile. One goes with the message that carries it, all of them when the profile
//! is closed, and what a crash left behind when it is opened again.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use artel_domain::sanitize;

use super::{attachments, messages, names};
use crate::{
    error::AppError,
    files,
    session::{Core, Session},
};

/// Where the files lie, in the folder of the profile.
const FOLDER: &str = "pasted";

/// The folder of pasted files.
pub(super) struct Stash {
    folder: PathBuf,
}

impl Stash {
    /// The stash of a profile, emptied.
    pub(super) fn open(core: &Core) -> Self {
        let stash = Self {
            folder: core.opened().path.join(FOLDER),
        };
        stash.empty();
        stash
    }

    /// Removes everything.
    pub(super) fn empty(&self) {
        match fs::remove_dir_all(&self.folder) {
            Err(reason) if reason.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%reason, folder = %self.folder.display(), "pasted files could not be removed");
            }
            _ => {}
        }
    }

    /// Removes those of `sent` that lie here.
    pub(super) fn forget(&self, sent: &[PathBuf]) {
        for path in sent {
            // Each file has a folder of its own; nothing else is ever removed.
            let own = path
                .parent()
                .filter(|place| place.parent() == Some(self.folder.as_path()));
            if let Some(Err(reason)) = own.map(fs::remove_dir_all) {
                tracing::warn!(%reason, path = %path.display(), "a pasted file could not be removed");
            }
        }
    }

    /// Writes `content` to a file named after `name`.
    fn keep(&self, name: &str, content: &[u8]) -> Result<PathBuf, (PathBuf, io::Error)> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |reason| (path, reason)
        };
        fs::create_dir_all(&self.folder).map_err(failed(&self.folder))?;
        // Nobody else may read it, and names never meet.
        let place = tempfile::Builder::new()
            .prefix("")
            .tempdir_in(&self.folder)
            .map_err(failed(&self.folder))?;
        let path = place.path().join(sanitize(name));
        File::create_new(&path)
            .and_then(|mut file| file.write_all(content))
            .map_err(failed(&path))?;
        // From here on it is the stash that removes it.
        let _ = place.keep();
        Ok(path)
    }
}

impl Session {
    /// Keeps pasted content as a file that a message to `room` can attach, and gives its path. The content may be as
    /// large as what the caller may attach there.
    pub async fn stash(
        &self,
        room: String,
        name: String,
        content: Vec<u8>,
    ) -> Result<PathBuf, AppError> {
        let (space, _) = self
            .rooms
            .look(move |node| names::room(node, &room))
            .await??;
        attachments::must_fit(
            Path::new(&sanitize(&name)),
            content.len() as u64,
            messages::attach_limit(&space),
        )?;
        let rooms = self.rooms.clone();
        let kept =
            tokio::task::spawn_blocking(move || rooms.inner.stash.keep(&name, &content)).await?;
        kept.map_err(|(path, reason)| files::failed(&path, &reason))
    }
}
