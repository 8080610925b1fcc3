//! What the window holds: the home folder, at most one open profile, the channel to the page.

use std::{path::PathBuf, sync::Mutex};

use artel_app::{
    api::{self, Event},
    error::{AppError, Code},
    host::Host,
    session::Session,
};
use serde_json::{Value, json};
use tauri::ipc::Channel;
use tokio::sync::broadcast::error::RecvError;

use crate::results::Results;

/// State of the desktop program.
pub(crate) struct Shell {
    host: Host,
    session: tokio::sync::Mutex<Option<Open>>,
    page: std::sync::Arc<Mutex<Option<Channel<Event>>>>,
    /// Places that replies named as results.
    pub(crate) results: Results,
}

/// The open profile.
struct Open {
    profile: String,
    session: Session,
}

impl Shell {
    /// Nothing is open yet.
    pub(crate) fn new(home: PathBuf) -> Self {
        Self {
            host: Host::new(home),
            session: tokio::sync::Mutex::default(),
            page: std::sync::Arc::default(),
            results: Results::default(),
        }
    }

    /// The open profile, if there is one.
    pub(crate) async fn session(&self) -> Option<Session> {
        self.session
            .lock()
            .await
            .as_ref()
            .map(|open| open.session.clone())
    }

    /// Name of the open profile, if there is one.
    pub(crate) async fn profile(&self) -> Option<String> {
        self.session
            .lock()
            .await
            .as_ref()
            .map(|open| open.profile.clone())
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
        let mut place = self.session.lock().await;
        if let Some(open) = place.take() {
            open.session.close().await;
        }
        let session = self.host.open(profile, passphrase).await?;
        self.forward(&session);
        *place = Some(Open {
            profile: profile.to_owned(),
            session: session.clone(),
        });
        drop(place);
        // The window is useful without a network, so a network that does not start is only told.
        if let Err(reason) = api::dispatch_session(&session, "node.start", json!({})).await {
            tracing::warn!(%reason, "the network does not start");
            session.core().tell(Event::Notice(api::Notice {
                level: api::NoticeLevel::Warning,
                code: "network_off".to_owned(),
                message: reason.to_string(),
            }));
        }
        Ok(())
    }

    /// Closes the open profile: network and jobs stop, jobs stay resumable.
    pub(crate) async fn close(&self) {
        let open = self.session.lock().await.take();
        if let Some(open) = open {
            open.session.close().await;
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
    fn forward(&self, session: &Session) {
        let mut events = session.events();
        let page = std::sync::Arc::clone(&self.page);
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
                    Ok(event) => send(event),
                    // Whatever was missed, the page asks again for all it shows.
                    Err(RecvError::Lagged(_)) => {
                        [Event::Spaces, Event::Peers, Event::Market, Event::Catalog]
                            .into_iter()
                            .for_each(&send);
                    }
                    Err(RecvError::Closed) => return,
                }
            }
        });
    }
}

fn locked() -> AppError {
    AppError::new(Code::Locked, "no profile is open").hint("Open a profile first.")
}
