//! One way to call commands, whoever holds the profile.

use std::time::Duration;

use artel_app::{
    api::{Command, Event, Handle},
    error::{AppError, Code},
    host::Host,
    session::Session,
    socket,
};
use tokio::sync::{broadcast, mpsc};

/// How many events may wait for a slow terminal.
const EVENT_BACKLOG: usize = 256;

/// How often a profile is tried that another command holds and does not serve yet, or no longer.
const TRIES: u32 = 50;

/// Time between two tries.
const BETWEEN_TRIES: Duration = Duration::from_millis(100);

/// The profile, here or in the process that holds it.
pub(crate) enum Client {
    /// Opened by this process, which serves other commands as long as it runs.
    Local(Session, Option<socket::Server>),
    /// Held by another one.
    Remote(socket::Client),
}

impl Client {
    /// Asks the process that holds the profile, or opens it here.
    pub(crate) async fn connect(
        host: &Host,
        profile: &str,
        passphrase: &str,
    ) -> anyhow::Result<Self> {
        for _ in 0..TRIES {
            if let Some(remote) = socket::connect(host.home(), profile, passphrase).await? {
                return Ok(Self::Remote(remote));
            }
            match host.open(profile, passphrase).await {
                Err(error) if error.code == Code::InUse => tokio::time::sleep(BETWEEN_TRIES).await,
                opened => return Ok(Self::serving(opened?)),
            }
        }
        Ok(Self::serving(host.open(profile, passphrase).await?))
    }

    fn serving(session: Session) -> Self {
        let server = socket::serve(&session);
        let server = server
            .inspect_err(|reason| tracing::warn!(%reason, "other commands cannot use this profile meanwhile"))
            .ok();
        Self::Local(session, server)
    }

    /// Runs a command.
    pub(crate) async fn call<C: Command>(&self, command: C) -> Result<C::Reply, AppError>
    where
        Session: Handle<C>,
    {
        match self {
            Self::Local(session, _) => session.handle(command).await,
            Self::Remote(client) => client.call(command).await,
        }
    }

    /// What happens from now on.
    pub(crate) async fn events(&self) -> Result<mpsc::Receiver<Event>, AppError> {
        match self {
            Self::Remote(client) => client.events().await,
            Self::Local(session, _) => {
                let mut events = session.events();
                let (sender, receiver) = mpsc::channel(EVENT_BACKLOG);
                tokio::spawn(async move {
                    loop {
                        match events.recv().await {
                            Ok(event) => {
                                if sender.send(event).await.is_err() {
                                    return;
                                }
                            }
                            // Readers ask again for what they show, so a gap costs nothing.
                            Err(broadcast::error::RecvError::Lagged(_)) => {}
                            Err(broadcast::error::RecvError::Closed) => return,
                        }
                    }
                });
                Ok(receiver)
            }
        }
    }

    /// Ends the session, if it is ours.
    pub(crate) async fn close(self) {
        if let Self::Local(session, server) = self {
            if let Some(server) = server {
                server.stop().await;
            }
            session.close().await;
        }
    }
}
