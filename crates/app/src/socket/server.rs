//! The side that holds the profile.

use std::{path::Path, sync::Arc, time::Duration};

use artel_store::ProofKey;
use serde_json::Value;
use tokio::{
    io::{ReadHalf, WriteHalf},
    sync::{Mutex, OwnedSemaphorePermit, Semaphore, broadcast, mpsc, watch},
    task::JoinSet,
};

use super::{
    cannot_serve,
    endpoint::{Listener, Stream},
    frame::{self, Answer, Request},
    handshake,
};
use crate::{
    api::{self, Event},
    error::{AppError, Code},
    session::Session,
};

/// Connections at a time, proven or not.
const CONNECTIONS: usize = 64;

/// Calls of one connection that run at a time; the next waits unread.
const CALLS: usize = 32;

/// Frames that may wait for a slow client.
const WAITING: usize = 64;

/// A client that takes nothing for so long is gone.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);

/// How long running calls may go on when the server stops.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// Delay after the first wrong proof; doubled by each further one.
const FIRST_DELAY: Duration = Duration::from_millis(250);

/// Longest delay after a wrong proof.
const LONGEST_DELAY: Duration = Duration::from_secs(8);

/// What is served: a session, or in tests something smaller.
pub(super) trait Service: Clone + Send + Sync + 'static {
    /// Runs a command.
    fn call(
        &self,
        name: String,
        args: Value,
    ) -> impl Future<Output = Result<Value, AppError>> + Send;
    /// What happens from now on.
    fn events(&self) -> broadcast::Receiver<Event>;
    /// What callers must prove to know.
    fn proof_key(&self) -> ProofKey;
}

impl Service for Session {
    async fn call(&self, name: String, args: Value) -> Result<Value, AppError> {
        api::dispatch_session(self, &name, args).await
    }

    fn events(&self) -> broadcast::Receiver<Event> {
        Session::events(self)
    }

    fn proof_key(&self) -> ProofKey {
        self.core().opened().proof_key()
    }
}

/// A control socket that is served. Dropping it ends all connections at once; [`Server::stop`]
/// lets running calls finish. It also ends when the session is locked.
pub struct Server {
    stopping: watch::Sender<bool>,
    task: Option<tokio::task::JoinHandle<()>>,
}

/// Serves the control socket of an open profile. Must be called within a tokio runtime.
pub fn serve(session: &Session) -> Result<Server, AppError> {
    let folder = session.core().opened().path.clone();
    serve_at(&folder, session.clone())
}

pub(super) fn serve_at(profile_folder: &Path, service: impl Service) -> Result<Server, AppError> {
    let listener =
        Listener::bind(profile_folder).map_err(|(path, reason)| cannot_serve(&path, &reason))?;
    let (stopping, stop) = watch::channel(false);
    let task = tokio::spawn(accept(listener, service, stop));
    Ok(Server {
        stopping,
        task: Some(task),
    })
}

impl Server {
    /// Takes no more calls, and lets those that run finish for a few seconds.
    pub async fn stop(mut self) {
        self.stopping.send_replace(true);
        if let Some(task) = self.task.take() {
            let _ = task.await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

async fn accept(mut listener: Listener, service: impl Service, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let gate = Arc::new(Gate::default());
    let mut events = service.events();
    let mut connections = JoinSet::new();
    let (stopping, stopped) = watch::channel(false);
    loop {
        tokio::select! {
            _ = stop.changed() => break,
            () = locked(&mut events) => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok(stream) => {
                    // Beyond the limit a connection is dropped rather than kept waiting.
                    let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
                    connections.spawn(connection(stream, service.clone(), Arc::clone(&gate), place, stopped.clone()));
                }
                Err(reason) => {
                    tracing::warn!(%reason, "the control socket did not accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
    drop(listener);
    drop(service);
    stopping.send_replace(true);
    let finish = async { while connections.join_next().await.is_some() {} };
    // What runs longer is ended with the set.
    let _ = tokio::time::timeout(STOP_PATIENCE, finish).await;
}

/// Returns when the session is locked.
async fn locked(events: &mut broadcast::Receiver<Event>) {
    loop {
        match events.recv().await {
            Ok(Event::Locked) | Err(broadcast::error::RecvError::Closed) => return,
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
        }
    }
}

/// Makes wrong proofs slow, for all connections together: while one waits, the others do.
#[derive(Default)]
struct Gate(Mutex<u32>);

impl Gate {
    async fn refuse(&self) {
        let mut wrong = self.0.lock().await;
        let delay = FIRST_DELAY.saturating_mul(1 << (*wrong).min(10));
        *wrong = wrong.saturating_add(1);
        tracing::warn!(
            wrong = *wrong,
            "a caller of the control socket does not know the passphrase"
        );
        tokio::time::sleep(delay.min(LONGEST_DELAY)).await;
    }

    async fn pass(&self) {
        *self.0.lock().await = 0;
    }

    /// Waits while a wrong proof is being slowed.
    async fn queue(&self) {
        drop(self.0.lock().await);
    }
}

async fn connection(
    mut stream: Stream,
    service: impl Service,
    gate: Arc<Gate>,
    _place: OwnedSemaphorePermit,
    mut stop: watch::Receiver<bool>,
) {
    let handshake = async {
        gate.queue().await;
        tokio::time::timeout(
            handshake::PATIENCE,
            handshake::challenge(&mut stream, || service.proof_key()),
        )
        .await
    };
    let proven = tokio::select! {
        _ = stop.wait_for(|stop| *stop) => return,
        proven = handshake => proven,
    };
    match proven {
        Ok(Ok(true)) => gate.pass().await,
        Ok(Ok(false)) => return gate.refuse().await,
        // Whoever does not finish the handshake has tried nothing.
        Ok(Err(_)) | Err(_) => return,
    }
    let (reader, writer) = tokio::io::split(stream);
    let (answers, waiting) = mpsc::channel(WAITING);
    let writing = tokio::spawn(write_answers(writer, waiting));
    read_requests(reader, &service, answers, stop).await;
    let _ = writing.await;
}

async fn write_answers(mut writer: WriteHalf<Stream>, mut answers: mpsc::Receiver<Vec<u8>>) {
    while let Some(bytes) = answers.recv().await {
        let written = tokio::time::timeout(WRITE_PATIENCE, frame::write(&mut writer, &bytes)).await;
        if !matches!(written, Ok(Ok(()))) {
            return;
        }
    }
}

async fn read_requests(
    mut reader: ReadHalf<Stream>,
    service: &impl Service,
    answers: mpsc::Sender<Vec<u8>>,
    mut stop: watch::Receiver<bool>,
) {
    // A task of its own, since a read that is given up half-way loses what it had.
    let (requests, mut asked) = mpsc::channel(1);
    let reading = tokio::spawn(async move {
        loop {
            let request = frame::read::<Request>(&mut reader).await;
            let last = !matches!(request, Ok(Some(_)));
            if requests.send(request).await.is_err() || last {
                return;
            }
        }
    });
    let calls = Arc::new(Semaphore::new(CALLS));
    let mut running = JoinSet::new();
    let mut listening: Option<tokio::task::AbortHandle> = None;
    loop {
        let Ok(permit) = Arc::clone(&calls).acquire_owned().await else {
            break;
        };
        let request = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            Some(_) = running.join_next() => continue,
            request = asked.recv() => request.unwrap_or(Ok(None)),
        };
        match request {
            Ok(Some(Request::Call { id, call, args })) => {
                let (service, answers) = (service.clone(), answers.clone());
                running.spawn(async move {
                    let answer = match service.call(call, args).await {
                        Ok(reply) => Answer::Reply { id, reply },
                        Err(error) => Answer::Error { id, error },
                    };
                    // A client that is gone needs no answer.
                    let _ = answers.send(encoded(&answer, id)).await;
                    drop(permit);
                });
            }
            Ok(Some(Request::Subscribe { id, subscribe })) => {
                if let Some(before) = listening.take() {
                    before.abort();
                }
                if subscribe {
                    // From before the reply, so that nothing after it is missed.
                    let events = service.events();
                    let task = tokio::spawn(forward(events, answers.clone()));
                    listening = Some(task.abort_handle());
                }
                let reply = Answer::Reply {
                    id,
                    reply: Value::Null,
                };
                let _ = answers.send(encoded(&reply, id)).await;
            }
            Ok(None) => break,
            Err(reason) => {
                tracing::debug!(%reason, "a connection to the control socket ended");
                break;
            }
        }
    }
    reading.abort();
    drop(answers);
    // Calls were asked for and go on, also when nobody waits for the answer any more.
    while running.join_next().await.is_some() {}
    if let Some(listening) = listening {
        listening.abort();
    }
}

fn encoded(answer: &Answer, id: u64) -> Vec<u8> {
    let failed = |error: AppError| {
        // An error of a few words always encodes.
        frame::encode(&Answer::Error { id, error })
            .ok()
            .flatten()
            .unwrap_or_default()
    };
    match frame::encode(answer) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => failed(AppError::new(
            Code::TooLarge,
            format!("the reply is over {} bytes", frame::MAX_FRAME),
            "Ask for less at a time.",
        )),
        Err(reason) => failed(AppError::internal(&reason)),
    }
}

async fn forward(mut events: broadcast::Receiver<Event>, answers: mpsc::Sender<Vec<u8>>) {
    loop {
        match events.recv().await {
            Ok(event) => {
                let Ok(Some(bytes)) = frame::encode(&Answer::Event { event }) else {
                    continue;
                };
                if answers.send(bytes).await.is_err() {
                    return;
                }
            }
            // Listeners ask again for what they show, so a gap costs nothing.
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}
