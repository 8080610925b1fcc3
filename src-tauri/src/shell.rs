//! What the window holds: the home folder, at most one open profile, the channel to the page.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use artel_app::{
    api::{self, Event},
    error::{AppError, Code},
    host::Host,
    session::Session,
    socket,
};
use serde_json::{Value, json};
use tauri::ipc::Channel;
use tokio::sync::broadcast::error::RecvError;

use crate::results::Results;

/// State of the desktop program.
pub(crate) struct Shell {
    host: Host,
    open: Place,
    opened: AtomicU64,
    page: Arc<Mutex<Option<Channel<Event>>>>,
    /// Places that replies named as results.
    pub(crate) results: Arc<Results>,
}

/// Where the open profile is, if there is one.
type Place = Arc<tokio::sync::Mutex<Option<Open>>>;

/// The open profile.
struct Open {
    /// Tells it from those opened before and after.
    number: u64,
    profile: String,
    session: Session,
    /// Lets the command line in, as long as the profile is open.
    server: Option<socket::Server>,
}

impl Open {
    /// Calls that run finish, then network and jobs stop; jobs stay resumable.
    async fn close(self) {
        if let Some(server) = self.server {
            server.stop().await;
        }
        self.session.close().await;
    }
}

impl Shell {
    /// Nothing is open yet.
    pub(crate) fn new(home: PathBuf) -> Self {
        Self {
            host: Host::new(home),
            open: Place::default(),
            opened: AtomicU64::new(0),
            page: Arc::default(),
            results: Arc::default(),
        }
    }

    /// The open profile, if there is one.
    pub(crate) async fn session(&self) -> Option<Session> {
        self.open
            .lock()
            .await
            .as_ref()
            .map(|open| open.session.clone())
    }

    /// Name of the open profile, if there is one.
    pub(crate) async fn profile(&self) -> Option<String> {
        self.open
            .lock()
            .await
            .as_ref()
            .map(|open| open.profile.clone())
    }

    /// Where the web view keeps what the page remembers: with the profiles, so that homes stay apart.
    pub(crate) fn page_data(&self) -> PathBuf {
        self.host.home().join("window")
    }

    /// Runs a command of the façade.
    pub(crate) async fn call(&self, name: &str, args: Value) -> Result<Value, AppError> {
        let reply = if api::HOST_COMMANDS
            .iter()
            .any(|command| command.name == name)
        {
            api::dispatch_host(&self.host, name, args).await?
        } else {
            let session = self.session().await.ok_or_else(locked)?;
            api::dispatch_session(&session, name, args).await?
        };
        self.results.remember(name, &reply);
        Ok(reply)
    }

    /// Sends events to this page from now on; a page that was loaded again replaces the one before.
    pub(crate) fn listen(&self, channel: Channel<Event>) {
        *self
            .page
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = Some(channel);
    }

    /// Opens a profile in place of the one that is open, and brings its network up.
    pub(crate) async fn open(&self, profile: &str, passphrase: &str) -> Result<(), AppError> {
        let mut place = self.open.lock().await;
        if let Some(open) = place.take() {
            open.close().await;
        }
        let session = self.host.open(profile, passphrase).await?;
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        self.forward(&session, number);
        // Without the socket only the command line is kept out, so that too is only told.
        let server = socket::serve(&session)
            .inspect_err(|reason| tell(&session, "socket_off", reason))
            .ok();
        *place = Some(Open {
            number,
            profile: profile.to_owned(),
            session: session.clone(),
            server,
        });
        drop(place);
        // The window is useful without a network, so a network that does not start is only told.
        if let Err(reason) = api::dispatch_session(&session, "node.start", json!({})).await {
            tell(&session, "network_off", &reason);
        }
        Ok(())
    }

    /// Closes the open profile: network and jobs stop, jobs stay resumable.
    pub(crate) async fn close(&self) {
        let open = self.open.lock().await.take();
        if let Some(open) = open {
            open.close().await;
        }
        self.results.forget();
    }

    /// Whether work would be interrupted by closing.
    pub(crate) async fn busy(&self) -> bool {
        let Some(session) = self.session().await else {
            return false;
        };
        let jobs = api::dispatch_session(&session, "jobs.list", json!({ "active": true })).await;
        jobs.is_ok_and(|jobs| {
            jobs.as_array().into_iter().flatten().any(|job| {
                job.get("state")
                    .is_some_and(|state| state == "running" || state == "waiting")
            })
        })
    }

    /// Passes the session's events on to the page until the session ends.
    fn forward(&self, session: &Session, number: u64) {
        let mut events = session.events();
        let page = Arc::clone(&self.page);
        let place = Arc::clone(&self.open);
        let results = Arc::clone(&self.results);
        let send = move |event: Event| {
            let page = page
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            if let Some(Err(reason)) = page.as_ref().map(|page| page.send(event)) {
                tracing::debug!(%reason, "an event did not reach the page");
            }
        };
        tauri::async_runtime::spawn(async move {
            loop {
                match events.recv().await {
                    Ok(Event::Locked) => {
                        // Still open here means that it was asked for from elsewhere: `artel profile lock`.
                        let open = place.lock().await.take_if(|open| open.number == number);
                        if let Some(open) = open {
                            open.close().await;
                            results.forget();
                            send(Event::Locked);
                        }
                        return;
                    }
                    Ok(event) => send(event),
                    // Whatever was missed, the page asks again for all it shows.
                    Err(RecvError::Lagged(_)) => send(Event::Missed),
                    Err(RecvError::Closed) => return,
                }
            }
        });
    }
}

/// Tells the user that a part is not there.
fn tell(session: &Session, code: &str, reason: &AppError) {
    tracing::warn!(%reason, code);
    session.core().tell(Event::Notice(api::Notice {
        level: api::NoticeLevel::Warning,
        code: code.to_owned(),
        message: reason.to_string(),
        params: BTreeMap::new(),
    }));
}

/// No profile is open.
pub(crate) fn locked() -> AppError {
    AppError::new(Code::Locked, "no profile is open", "Open a profile first.")
}
