//! The side that asks.

use std::{
    collections::HashMap,
    io,
    path::Path,
    sync::{
        Arc, Mutex as StdMutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use artel_store::{StoreError, profile};
use serde_json::Value;
use tokio::{
    io::{ReadHalf, WriteHalf},
    sync::{Mutex, mpsc, oneshot},
};
use zeroize::Zeroizing;

use super::{
    endpoint::{self, Stream},
    frame::{self, Answer, Request},
    handshake::{self, Met},
    lost,
};
use crate::{
    api::{Command, Event},
    error::{AppError, Code},
};

/// Events that may wait for a slow listener; further ones are left out.
const EVENT_BACKLOG: usize = 256;

/// A connection to the process that holds a profile.
pub struct Client {
    writer: Mutex<WriteHalf<Stream>>,
    next_id: AtomicU64,
    shared: Arc<Shared>,
    reading: tokio::task::JoinHandle<()>,
}

/// What the reading task and the callers share.
#[derive(Default)]
struct Shared(StdMutex<State>);

#[derive(Default)]
struct State {
    waiting: HashMap<u64, oneshot::Sender<Result<Value, AppError>>>,
    listeners: Vec<mpsc::Sender<Event>>,
    ended: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs under this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Connects to the process that holds `profile`, proving the passphrase; `None` when no process
/// serves it.
pub async fn connect(
    home: &Path,
    profile: &str,
    passphrase: &str,
) -> Result<Option<Client>, AppError> {
    let found = {
        let (home, profile) = (home.to_owned(), profile.to_owned());
        tokio::task::spawn_blocking(move || profile::find(&home, &profile)).await??
    };
    let Some(mut stream) = endpoint::connect(&found.path)
        .await
        .map_err(|reason| lost(&reason))?
    else {
        return Ok(None);
    };
    let key = {
        let (home, name) = (home.to_owned(), found.name.clone());
        let passphrase = Zeroizing::new(passphrase.to_owned());
        tokio::task::spawn_blocking(move || profile::proof_key(&home, &name, &passphrase)).await??
    };
    let met = tokio::time::timeout(handshake::PATIENCE, handshake::prove(&mut stream, &key)).await;
    match met {
        Ok(Ok(Met::Owner)) => Ok(Some(Client::start(stream))),
        Ok(Ok(Met::Refused)) => Err(StoreError::WrongPassphrase.into()),
        Ok(Ok(Met::Stranger)) => Err(AppError::new(
            Code::NotAllowed,
            format!(
                "what answers for profile \"{}\" does not know its passphrase",
                found.name
            ),
            "Another program took the place of Artel's control socket. Look for it before you go on.",
        )),
        Ok(Ok(Met::OtherVersion)) => Err(AppError::new(
            Code::TooNew,
            format!(
                "profile \"{}\" is open in another version of Artel",
                found.name
            ),
            "Close that one, or use the same version here.",
        )),
        // It stopped between being found and being asked.
        Ok(Err(reason))
            if matches!(
                reason.kind(),
                io::ErrorKind::UnexpectedEof
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::BrokenPipe
            ) =>
        {
            Ok(None)
        }
        Ok(Err(reason)) => Err(lost(&reason)),
        Err(_) => Err(AppError::new(
            Code::Timeout,
            format!(
                "the process that holds profile \"{}\" does not answer",
                found.name
            ),
            "Wait for it, or end it and try again.",
        )),
    }
}

impl Client {
    pub(super) fn start(stream: Stream) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        let shared = Arc::new(Shared::default());
        let reading = tokio::spawn(read_answers(reader, Arc::clone(&shared)));
        Self {
            writer: Mutex::new(writer),
            next_id: AtomicU64::new(1),
            shared,
            reading,
        }
    }

    /// Runs a command there.
    pub async fn call<C: Command>(&self, command: C) -> Result<C::Reply, AppError> {
        let args = serde_json::to_value(command).map_err(|reason| AppError::internal(&reason))?;
        let reply = self
            .ask(|id| Request::Call {
                id,
                call: C::NAME.to_owned(),
                args,
            })
            .await?;
        serde_json::from_value(reply).map_err(|reason| AppError::internal(&reason))
    }

    /// What happens there from now on. The stream ends with the connection.
    pub async fn events(&self) -> Result<mpsc::Receiver<Event>, AppError> {
        let (sender, receiver) = mpsc::channel(EVENT_BACKLOG);
        self.shared.lock().listeners.push(sender);
        self.ask(|id| Request::Subscribe {
            id,
            subscribe: true,
        })
        .await?;
        Ok(receiver)
    }

    async fn ask(&self, request: impl FnOnce(u64) -> Request) -> Result<Value, AppError> {
        let ended = || lost(&io::ErrorKind::ConnectionAborted.into());
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let bytes = frame::encode(&request(id))
            .map_err(|reason| AppError::internal(&reason))?
            .ok_or_else(|| {
                AppError::new(
                    Code::TooLarge,
                    format!("the arguments are over {} bytes", frame::MAX_FRAME),
                    "Do it in smaller parts.",
                )
            })?;
        let (sender, receiver) = oneshot::channel();
        {
            let mut state = self.shared.lock();
            if state.ended {
                return Err(ended());
            }
            state.waiting.insert(id, sender);
        }
        let written = frame::write(&mut *self.writer.lock().await, &bytes).await;
        if let Err(reason) = written {
            self.shared.lock().waiting.remove(&id);
            return Err(lost(&reason));
        }
        receiver.await.map_err(|_| ended())?
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

async fn read_answers(mut reader: ReadHalf<Stream>, shared: Arc<Shared>) {
    loop {
        let (id, outcome) = match frame::read::<Answer>(&mut reader).await {
            Ok(Some(Answer::Reply { id, reply })) => (id, Ok(reply)),
            Ok(Some(Answer::Error { id, error })) => (id, Err(error)),
            Ok(Some(Answer::Event { event })) => {
                shared.lock().listeners.retain(|listener| {
                    // A full listener misses this one: it asks again for what it shows.
                    !matches!(
                        listener.try_send(event.clone()),
                        Err(mpsc::error::TrySendError::Closed(_))
                    )
                });
                continue;
            }
            Ok(None) => break,
            Err(reason) => {
                tracing::debug!(%reason, "the control connection ended");
                break;
            }
        };
        if let Some(caller) = shared.lock().waiting.remove(&id) {
            // A caller that gave up needs no answer.
            let _ = caller.send(outcome);
        }
    }
    let mut state = shared.lock();
    state.ended = true;
    // Dropping the senders wakes those who wait.
    state.waiting.clear();
    state.listeners.clear();
}
