//! One way to call commands, whoever holds the profile.

use artel_app::{
    api::{Command, Event, Handle},
    error::AppError,
    host::Host,
    session::Session,
    socket,
};
use tokio::sync::{broadcast, mpsc};

/// How many events may wait for a slow terminal.
const EVENT_BACKLOG: usize = 256;

/// The profile, here or in the process that holds it.
pub(crate) enum Client {
    /// Opened by this process.
    Local(Session),
    /// Held by another one.
    Remote(socket::Client),
}

impl Client {
    /// Asks the process that holds the profile, or opens it here.
    pub(crate) async fn connect(host: &Host, profile: &str, passphrase: &str) -> anyhow::Result<Self> {
        if let Some(remote) = socket::connect(host.home(), profile, passphrase).await? {
            return Ok(Self::Remote(remote));
        }
        Ok(Self::Local(host.open(profile, passphrase).await?))
    }

    /// Runs a command.
    pub(crate) async fn call<C: Command>(&self, command: C) -> Result<C::Reply, AppError>
    where
        Session: Handle<C>,
    {
        match self {
            Self::Local(session) => session.handle(command).await,
            Self::Remote(client) => client.call(command).await,
        }
    }

    /// What happens from now on.
    pub(crate) async fn events(&self) -> Result<mpsc::Receiver<Event>, AppError> {
        match self {
            Self::Remote(client) => client.events().await,
            Self::Local(session) => {
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
        if let Self::Local(session) = self {
            session.close().await;
        }
    }
}
