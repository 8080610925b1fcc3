//! What one can do who belongs to no space.

use std::{net::SocketAddr, time::Duration};

use artel_domain::{DeviceKey, SpaceId};
use artel_sync::net::Target;
use futures::future::try_join_all;
use libp2p::Multiaddr;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::{
    Fault,
    link::{Connection, Line, PATIENCE},
};

/// Bytes that look like nothing, the same each time.
fn noise_of(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(&mut next)
        .flatten()
        .take(length)
        .collect()
}

fn socket(address: &Multiaddr) -> Result<SocketAddr, Fault> {
    let target = Target::from_multiaddr(address).ok_or("no address of TCP")?;
    Ok(target.socket)
}

/// Bytes that are no handshake, handshakes that stop, streams by the hundred, frames that are too large or never end.
pub(crate) async fn noise(address: &Multiaddr) -> Result<(), Fault> {
    let at = socket(address)?;
    let greeting = b"\x13/multistream/1.0.0\n\x07/noise\n";
    let handshakes = [
        ("nothing", Vec::new()),
        ("noise", noise_of(100_000, 1)),
        (
            "another protocol",
            b"GET / HTTP/1.1\r\nHost: artel\r\n\r\n".to_vec(),
        ),
        ("half a greeting", b"\x13/multistream/1.0".to_vec()),
        ("an endless greeting", vec![0xff; 100_000]),
        (
            "noise for a handshake",
            [&greeting[..], &noise_of(5_000, 2)].concat(),
        ),
    ]
    .map(|(name, bytes)| async move {
        let mut stream = TcpStream::connect(at).await?;
        // It may close before all is written.
        let _ = stream.write_all(&bytes).await;
        let closed = timeout(PATIENCE, async {
            let mut rest = [0; 1_024];
            while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
        });
        came_to(name, closed.await.is_ok());
        Ok::<_, Fault>(())
    });
    try_join_all(handshakes).await?;

    // Streams beyond what one connection may have.
    let device = DeviceKey::generate()?;
    let mut connection = Connection::call(address, &device).await?;
    let mut streams = Vec::new();
    while streams.len() < 300
        && let Ok(mut stream) = connection.stream().await
    {
        // Opened in earnest by the first byte.
        if futures::AsyncWriteExt::write_all(&mut stream, &noise_of(2_000, 3))
            .await
            .is_err()
        {
            break;
        }
        streams.push(stream);
    }
    say!("streams: {}", streams.len());
    drop(streams);

    let frames = [
        ("a frame of 4 GiB", u32::MAX, 100_000),
        ("a frame over the limit", 512 * 1_024 + 1, 100_000),
        ("a frame of nothing", 0, 0),
        ("a frame of noise", 60_000, 60_000),
    ]
    .map(|(name, announced, sent)| async move {
        let mut line = Line::open(address, &DeviceKey::generate()?).await?;
        let bytes = [&announced.to_be_bytes()[..], &noise_of(sent, 4)].concat();
        let _ = line.raw(&bytes).await;
        came_to(name, line.is_ended(PATIENCE).await);
        Ok::<_, Fault>(())
    });
    try_join_all(frames).await?;
    Ok(())
}

fn came_to(name: &str, closed: bool) {
    say!("{name}: {}", if closed { "closed" } else { "kept" });
}

/// Takes all places there are, and sits on them: links on which a frame comes a byte at a time, then connections that
/// say nothing, made anew when they are closed.
pub(crate) async fn crowd(address: &Multiaddr) -> Result<(), Fault> {
    let at = socket(address)?;
    let mut lines = Vec::new();
    for _ in 0..150 {
        let device = DeviceKey::generate()?;
        let opened = timeout(Duration::from_secs(2), Line::open(address, &device));
        let Ok(Ok(mut line)) = opened.await else {
            continue;
        };
        let announced = 500_000_u32.to_be_bytes();
        if line.raw(&announced).await.is_ok() {
            lines.push(line);
        }
    }
    say!("frames that never end: {}", lines.len());
    let mute: Vec<_> = (0..60)
        .map(|_| {
            tokio::spawn(async move {
                loop {
                    if let Ok(mut stream) = TcpStream::connect(at).await {
                        // Until it is closed.
                        let _ = stream.read(&mut [0; 64]).await;
                    }
                    sleep(Duration::from_millis(20)).await;
                }
            })
        })
        .collect();
    sleep(Duration::from_secs(1)).await;
    say!("crowded");
    // Until the journey has seen enough.
    for byte in noise_of(120, 5) {
        for line in &mut lines {
            // Some were sent away.
            let _ = line.raw(&[byte]).await;
        }
        sleep(Duration::from_millis(500)).await;
    }
    mute.iter().for_each(tokio::task::JoinHandle::abort);
    Ok(())
}

/// Asks for what only members get. It knows the space's id, as one who was a member does.
pub(crate) async fn probe(address: &Multiaddr, space: &str) -> Result<(), Fault> {
    let space: SpaceId = space.parse()?;
    let room = space.control_room();
    let id = space.as_bytes();
    let room = room.as_bytes();
    let mut said = 0;
    let mut ends = 0;
    // Frames as `docs/protocol.md` has them, by their numbers: the fields that matter are ids.
    let questions: [(&str, Vec<u8>); 7] = [
        (
            "tags of nothing",
            [&[1, 1, 32][..], &noise_of(512, 6)].concat(),
        ),
        ("summary", [&[1, 4], &id[..], &[7; 32], &[0]].concat()),
        ("rooms", [&[1, 5], &id[..], &[0]].concat()),
        ("heads", [&[1, 6], &id[..], &room[..], &[0]].concat()),
        (
            "want",
            [&[1, 7], &id[..], &room[..], &[9; 32], &[8; 16], &[1]].concat(),
        ),
        ("bodies", [&[1, 10], &id[..], &[1], &[9; 32]].concat()),
        ("secrets", [&[1, 12], &id[..]].concat()),
    ];
    for (name, question) in questions {
        let mut line = Line::open(address, &DeviceKey::generate()?).await?;
        line.say(&[&[1, 0][..], &[3; 32]].concat()).await?;
        // As often as an impatient one would.
        for _ in 0..5 {
            let _ = line.say(&question).await;
        }
        let mut heard = 0;
        let answered = timeout(Duration::from_millis(1_500), async {
            while let Some(frame) = line.hear().await {
                // Neither its hello nor its tags, which are the same for whoever calls.
                heard += usize::from(!matches!(frame.get(1), Some(0..=2)));
            }
        });
        ends += usize::from(answered.await.is_ok());
        said += heard;
        say!("{name}: {heard} answers");
    }
    say!("answers: {said}");
    say!("sent away: {ends}");
    Ok(())
}
