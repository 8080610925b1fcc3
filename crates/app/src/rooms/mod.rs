//! Spaces, rooms, messages and peers: handlers and the driver of the sync core.
//!
//! | module | what it does |
//! |---|---|
//! | `driver` | one thread, one transaction a batch; nothing leaves before the commit |
//! | `ledger` | the sync core's storage on that transaction |
//! | `view` | messages as shown, in the same transaction |
//! | `network` | the libp2p network: start, stop, peers |
//! | `names`, `link` | names, ids and invites that users give |
//! | `restored` | what waits in a restored profile until a member was met |
//! | `spaces`, `doors`, `moderation`, `messages`, `amend`, `reports`, `policies`, `notes`, `attachments`, `share` | the commands |
//! | `bundle` | a space in a sealed file, for a stick |
//! | `stash` | pasted content until it is sent |

mod amend;
mod attachments;
mod bundle;
mod doors;
mod driver;
mod ledger;
mod link;
mod messages;
mod moderation;
mod names;
mod network;
mod notes;
mod policies;
mod reports;
mod restored;
mod share;
mod spaces;
mod stash;
mod view;

#[cfg(test)]
mod tests;

pub(crate) use share::Shareable;

use std::sync::Arc;

use artel_domain::{DoorCode, InviteId, MemberId, RoomId, SpaceId};
use artel_sync::protocol::Node;
use tokio::sync::Mutex;

use crate::{
    error::AppError,
    session::{Core, Media, Session},
};

use driver::Driver;
use network::Running;
use stash::Stash;
use view::People;

/// State of this part of a session. Cheap to clone.
#[derive(Clone)]
pub(crate) struct State {
    inner: Arc<Inner>,
}

struct Inner {
    core: Core,
    driver: Driver,
    network: Mutex<Option<Running>>,
    /// The door that a join under way came by, and the invite behind it.
    through: Mutex<Option<(DoorCode, InviteId)>>,
    stash: Stash,
}

impl State {
    /// Loads the spaces and starts the driver. The network stays off.
    pub(crate) async fn start(core: &Core) -> Result<Self, AppError> {
        let of = core.clone();
        let (driver, stash) = tokio::task::spawn_blocking(move || {
            Ok::<_, AppError>((Driver::start(&of)?, Stash::open(&of)))
        })
        .await??;
        let state = Self {
            inner: Arc::new(Inner {
                core: core.clone(),
                driver,
                network: Mutex::new(None),
                through: Mutex::new(None),
                stash,
            }),
        };
        state.follow_the_key();
        Ok(state)
    }

    /// Starts the network anew whenever this installation got another device key, which is its identity there. Holds on
    /// to nothing: a session that was dropped lets go of its profile at once.
    fn follow_the_key(&self) {
        let mut rekeyed = self.inner.driver.signals.rekeyed.subscribe();
        let inner = Arc::downgrade(&self.inner);
        tokio::spawn(async move {
            while rekeyed.changed().await.is_ok() {
                let Some(inner) = inner.upgrade() else { return };
                Self { inner }.restart_network().await;
            }
        });
    }

    /// Stops the network and the driver and waits for both.
    pub(crate) async fn stop(&self) {
        self.stop_network().await;
        self.inner.driver.stop().await;
        let rooms = self.clone();
        // Only a panic or the end of the program keeps this from running, and the next start makes up for it.
        let _ = tokio::task::spawn_blocking(move || rooms.inner.stash.empty()).await;
    }

    /// Name of a member, and of a room or of a conversation with one, as far as they are known.
    pub(crate) async fn whose(
        &self,
        space: SpaceId,
        room: RoomId,
        author: MemberId,
    ) -> Result<(String, String), AppError> {
        self.look(move |node| {
            let name = People::of(node, &space).name_and_role(&space, &author).0;
            let talks = node.conversations(&space).into_iter();
            let mut rooms = node.rooms(&space);
            rooms.extend(talks.map(names::as_room));
            let found = rooms.into_iter().find(|one| one.room == room);
            (name, found.map_or_else(String::new, |one| one.name))
        })
        .await
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
