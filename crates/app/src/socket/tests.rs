use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use artel_store::{ProofKey, profile};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::broadcast,
};

use super::{
    client::{Client, connect},
    endpoint,
    server::{Server, Service, serve_at},
};
use crate::{
    api::{
        Event,
        machine::SettingsList,
        profile::{ProfileLock, ProfileShow},
    },
    error::{AppError, Code},
};

/// A session without anything behind it. `profile.show` answers with nonsense, `settings.list`
/// takes a moment, `profile.lock` locks.
#[derive(Clone)]
struct Fake {
    key: ProofKey,
    events: broadcast::Sender<Event>,
    done: Arc<AtomicUsize>,
}

impl Service for Fake {
    async fn call(&self, name: String, args: Value) -> Result<Value, AppError> {
        match name.as_str() {
            "settings.list" => {
                tokio::time::sleep(Duration::from_millis(300)).await;
                self.done.fetch_add(1, Ordering::SeqCst);
                Ok(json!([]))
            }
            "profile.lock" => {
                let _ = self.events.send(Event::Locked);
                Ok(Value::Null)
            }
            _ => Err(AppError::new(
                Code::NotFound,
                format!("{name} {args}"),
                "look elsewhere",
            )),
        }
    }

    fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    fn proof_key(&self) -> ProofKey {
        self.key.clone()
    }
}

struct Room {
    home: tempfile::TempDir,
    folder: PathBuf,
    fake: Fake,
    server: Server,
}

const NAME: &str = "Ганна";

fn room_in(deep: &str) -> Room {
    let home = tempfile::tempdir().unwrap();
    let place = home.path().join(deep);
    let opened = profile::create(&place, NAME, "x", [1; 32], 0).unwrap();
    let fake = Fake {
        key: opened.proof_key(),
        events: broadcast::channel(16).0,
        done: Arc::default(),
    };
    let folder = opened.path.clone();
    drop(opened);
    let server = serve_at(&folder, fake.clone()).unwrap();
    Room {
        home,
        folder,
        fake,
        server,
    }
}

impl Room {
    async fn client(&self, deep: &str) -> Client {
        connect(&self.home.path().join(deep), NAME, "x")
            .await
            .unwrap()
            .unwrap()
    }
}

#[tokio::test]
async fn calls_errors_and_events_cross() {
    // The second is longer than a socket's path may be.
    for deep in [".".to_owned(), "довга тека/".repeat(12)] {
        let room = room_in(&deep);
        let client = room.client(&deep).await;
        let mut events = client.events().await.unwrap();
        let error = client.call(ProfileShow {}).await.err().unwrap();
        assert_eq!(error.code, Code::NotFound);
        assert_eq!(error.message, "profile.show {}");
        assert_eq!(error.hint, "look elsewhere");
        // Eight calls at once take the time of one.
        let started = Instant::now();
        let calls = (0..8).map(|_| client.call(SettingsList {}));
        for reply in futures_join(calls).await {
            assert!(reply.unwrap().is_empty());
        }
        assert!(started.elapsed() < Duration::from_millis(1500));
        room.fake.events.send(Event::Peers).unwrap();
        assert!(matches!(events.recv().await, Some(Event::Peers)));
    }
}

/// Waits for all, side by side.
async fn futures_join<T: Send>(calls: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut calls: Vec<_> = calls.map(Box::pin).collect();
    let mut results = Vec::new();
    std::future::poll_fn(|context| {
        calls.retain_mut(|call| match call.as_mut().poll(context) {
            std::task::Poll::Ready(result) => {
                results.push(result);
                false
            }
            std::task::Poll::Pending => true,
        });
        if calls.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    results
}

#[tokio::test]
async fn nobody_serves_is_told_apart_from_a_wrong_passphrase() {
    let room = room_in(".");
    let wrong = connect(room.home.path(), NAME, "y").await.err().unwrap();
    assert_eq!(wrong.code, Code::WrongPassphrase);
    let unknown = connect(room.home.path(), "nobody", "x")
        .await
        .err()
        .unwrap();
    assert_eq!(unknown.code, Code::NotFound);
    room.server.stop().await;
    assert!(
        connect(room.home.path(), NAME, "x")
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_wrong_proof_is_refused_slower_each_time_and_says_nothing() {
    let room = room_in(".");
    let mut before = Duration::ZERO;
    for _ in 0..3 {
        let mut stream = endpoint::connect(&room.folder).await.unwrap().unwrap();
        let mut hello = [0; 42];
        stream.read_exact(&mut hello).await.unwrap();
        assert!(hello.starts_with(b"ARTELCTL"));
        let started = Instant::now();
        stream.write_all(&[7; 64]).await.unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
        assert!(rest.is_empty());
        assert!(started.elapsed() > before, "a further try was not slower");
        before = started.elapsed();
    }
    assert!(before >= Duration::from_millis(900));
    // Whoever knows the passphrase still gets in.
    assert_eq!(
        room.client(".")
            .await
            .call(ProfileShow {})
            .await
            .err()
            .unwrap()
            .code,
        Code::NotFound
    );
}

/// A program that sits where the socket should be, without knowing the passphrase.
#[cfg(unix)]
#[tokio::test]
async fn a_stand_in_is_found_out() {
    let room = room_in(".");
    let Room {
        home,
        folder,
        server,
        ..
    } = room;
    server.stop().await;
    let stranger = Fake {
        key: {
            let other = tempfile::tempdir().unwrap();
            profile::create(other.path(), NAME, "another", [1; 32], 0)
                .unwrap()
                .proof_key()
        },
        events: broadcast::channel(1).0,
        done: Arc::default(),
    };
    let path = folder.join("control");
    let _ = std::fs::remove_dir_all(&path);
    let honest = serve_at(&folder, stranger).unwrap();
    let met = connect(home.path(), NAME, "x").await.err().unwrap();
    assert_eq!(
        met.code,
        Code::WrongPassphrase,
        "a server with another key refuses"
    );
    drop(honest);
    tokio::time::sleep(Duration::from_millis(50)).await;

    std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700)
        .create(&path)
        .unwrap();
    let listener = tokio::net::UnixListener::bind(path.join("socket")).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut hello = b"ARTELCTL\x01\x00".to_vec();
        hello.extend([3; 32]);
        stream.write_all(&hello).await.unwrap();
        let mut proof = [0; 64];
        stream.read_exact(&mut proof).await.unwrap();
        // The best it can do is send back what it was sent.
        stream.write_all(&proof[32..]).await.unwrap();
    });
    let met = connect(home.path(), NAME, "x").await.err().unwrap();
    assert_eq!(met.code, Code::NotAllowed);
}

#[cfg(unix)]
#[tokio::test]
async fn a_folder_open_to_others_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let room = room_in(".");
    let control = room.folder.join("control");
    assert_eq!(
        std::fs::metadata(&control).unwrap().permissions().mode() & 0o777,
        0o700
    );
    std::fs::set_permissions(&control, std::fs::Permissions::from_mode(0o777)).unwrap();
    assert!(connect(room.home.path(), NAME, "x").await.is_err());
}

/// What strangers and broken clients may send; the server survives all of it.
#[tokio::test]
async fn bad_frames_end_only_their_own_connection() {
    let room = room_in(".");
    let good = room.client(".").await;
    let frame = |bytes: &[u8]| {
        let mut frame = u32::try_from(bytes.len()).unwrap().to_le_bytes().to_vec();
        frame.extend_from_slice(bytes);
        frame
    };
    let cases = [
        u32::MAX.to_le_bytes().to_vec(),
        frame(b"not json"),
        frame(b"[]"),
        frame(br#"{"id":"x","call":1}"#),
        frame(&[0xff; 100]),
        vec![9, 0, 0, 0, b'{'],
        vec![1, 2],
    ];
    for case in cases {
        let mut stream = endpoint::connect(&room.folder).await.unwrap().unwrap();
        let met = super::handshake::prove(&mut stream, &room.fake.key)
            .await
            .unwrap();
        assert_eq!(met, super::handshake::Met::Owner);
        stream.write_all(&case).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut rest = Vec::new();
        let ended =
            tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "{case:?} left the connection hanging");
        assert!(rest.is_empty(), "{case:?} was answered");
    }
    assert_eq!(
        good.call(ProfileShow {}).await.err().unwrap().code,
        Code::NotFound
    );
}

#[tokio::test]
async fn locking_ends_the_server_and_lets_running_calls_finish() {
    let room = room_in(".");
    let client = Arc::new(room.client(".").await);
    let mut events = client.events().await.unwrap();
    let running = {
        let client = Arc::clone(&client);
        tokio::spawn(async move { client.call(SettingsList {}).await })
    };
    tokio::time::sleep(Duration::from_millis(100)).await;
    client.call(ProfileLock {}).await.unwrap();
    assert!(running.await.unwrap().unwrap().is_empty());
    assert_eq!(room.fake.done.load(Ordering::SeqCst), 1);
    // The connection ends, and with it the events.
    let end = async { while events.recv().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(5), end)
        .await
        .unwrap();
    assert!(
        connect(room.home.path(), NAME, "x")
            .await
            .unwrap()
            .is_none()
    );
    let later = client.call(ProfileShow {}).await.err().unwrap();
    assert_eq!(later.code, Code::WrongState);
}
