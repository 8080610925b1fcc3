//! One open profile: its store, its network, its jobs.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use artel_store::{Store, StoreError, profile::Opened};
use tokio::sync::{Semaphore, broadcast};

use crate::{api::Event, error::AppError, images, jobs, market, rooms};

/// How many events a slow listener may lag behind before it is told that it missed some.
const EVENT_BACKLOG: usize = 1024;

/// What every part of a session needs. Cheap to clone.
#[derive(Clone)]
pub struct Core {
    inner: Arc<CoreInner>,
}

struct CoreInner {
    home: PathBuf,
    opened: Opened,
    events: broadcast::Sender<Event>,
}

impl Core {
    /// The home folder that the profile lives in.
    pub fn home(&self) -> &Path {
        &self.inner.home
    }

    /// The open profile.
    pub fn opened(&self) -> &Opened {
        &self.inner.opened
    }

    /// The profile's database.
    pub fn store(&self) -> &Arc<Store> {
        &self.inner.opened.store
    }

    /// Tells everyone who listens.
    pub fn tell(&self, event: Event) {
        // No listener is a normal state: headless, or between two windows.
        let _ = self.inner.events.send(event);
    }

    /// Reads from the database off the async threads.
    pub async fn read<T, F>(&self, read: F) -> Result<T, AppError>
    where
        T: Send + 'static,
        F: FnOnce(&artel_store::Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let store = Arc::clone(self.store());
        Ok(tokio::task::spawn_blocking(move || store.read(read)).await??)
    }

    /// Writes to the database off the async threads; durable when it returns.
    pub async fn write<T, F>(&self, write: F) -> Result<T, AppError>
    where
        T: Send + 'static,
        F: FnOnce(&artel_store::Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let store = Arc::clone(self.store());
        Ok(tokio::task::spawn_blocking(move || store.write(write)).await??)
    }
}

/// One open profile. Cheap to clone; the profile is released when the last clone is gone.
#[derive(Clone)]
pub struct Session {
    pub(crate) core: Core,
    pub(crate) rooms: rooms::State,
    pub(crate) jobs: jobs::State,
    pub(crate) market: market::State,
    /// One import of products at a time.
    pub(crate) catalog_imports: Arc<Semaphore>,
}

/// Bytes for the page, with their media type.
#[derive(Clone, Debug)]
pub struct Media {
    /// Media type, such as `image/jpeg`.
    pub media_type: String,
    /// The content.
    pub bytes: Vec<u8>,
}

impl Session {
    /// Starts the parts of an opened profile. The network stays off until `node.start`.
    pub(crate) async fn start(home: PathBuf, opened: Opened) -> Result<Self, AppError> {
        let core = Core {
            inner: Arc::new(CoreInner {
                home,
                opened,
                events: broadcast::channel(EVENT_BACKLOG).0,
            }),
        };
        let rooms = rooms::State::start(&core).await?;
        let jobs = jobs::State::start(&core).await?;
        let market = market::State::start(&core).await?;
        Ok(Self {
            core,
            rooms,
            jobs,
            market,
            catalog_imports: Arc::new(Semaphore::new(1)),
        })
    }

    /// What happens from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.core.inner.events.subscribe()
    }

    /// The shared parts.
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// Bytes for the page by opaque id: `attachment/<id>` or `item/<job>/<index>`.
    pub async fn media(&self, id: &str) -> Result<Media, AppError> {
        match id.split_once('/') {
            Some(("attachment", attachment)) => rooms::media(self, attachment).await,
            Some(("item", item)) => images::media(self, item).await,
            _ => Err(AppError::new(
                crate::error::Code::NotFound,
                format!("there is no media \"{id}\""),
                "Open the view anew.",
            )),
        }
    }

    /// Stops the network and the jobs and waits for both; running items finish or stay resumable.
    pub async fn close(&self) {
        self.jobs.stop().await;
        self.rooms.stop().await;
        self.core.tell(Event::Locked);
    }
}
