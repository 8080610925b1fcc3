//! Spaces, rooms, messages and peers: handlers and the driver of the sync core.
//!
//! | module | what it does |
//! |---|---|
//! | `driver` | one thread, one transaction a batch; nothing leaves before the commit |
//! | `ledger` | the sync core's storage on that transaction |
//! | `view` | messages as shown, in the same transaction |
//! | `network` | the libp2p network: start, stop, peers |
//! | `names` | names and ids that users give |
//! | `spaces`, `moderation`, `messages`, `amend`, `attachments`, `share` | the commands |
//! | `stash` | pasted content until it is sent |

mod amend;
mod attachments;
mod driver;
mod ledger;
mod messages;
mod moderation;
mod names;
mod network;
mod share;
mod spaces;
mod stash;
mod view;

#[cfg(test)]
mod tests;

pub(crate) use share::Shareable;

use std::sync::Arc;

use artel_sync::{net::Network, protocol::Node};
use tokio::sync::Mutex;

use crate::{
    error::AppError,
    session::{Core, Media, Session},
};

use driver::Driver;
use stash::Stash;

/// State of this part of a session. Cheap to clone.
#[derive(Clone)]
pub(crate) struct State {
    inner: Arc<Inner>,
}

struct Inner {
    driver: Driver,
    network: Mutex<Option<Network>>,
    stash: Stash,
}

impl State {
    /// Loads the spaces and starts the driver. The network stays off.
    pub(crate) async fn start(core: &Core) -> Result<Self, AppError> {
        let core = core.clone();
        let (driver, stash) = tokio::task::spawn_blocking(move || {
            Ok::<_, AppError>((Driver::start(&core)?, Stash::open(&core)))
        })
        .await??;
        Ok(Self {
            inner: Arc::new(Inner {
                driver,
                network: Mutex::new(None),
                stash,
            }),
        })
    }

    /// Stops the network and the driver and waits for both.
    pub(crate) async fn stop(&self) {
        self.stop_network().await;
        self.inner.driver.stop().await;
        let rooms = self.clone();
        // Only a panic or the end of the program keeps this from running, and the next start makes up for it.
        let _ = tokio::task::spawn_blocking(move || rooms.inner.stash.empty()).await;
    }

    async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Node) -> T + Send + 'static,
    ) -> Result<T, AppError> {
        self.inner.driver.look(look).await
    }
}

/// Bytes of `attachment/<id>` for the page: a picture small enough to show.
pub(crate) async fn media(session: &Session, id: &str) -> Result<Media, AppError> {
    attachments::media(session, id).await
}
