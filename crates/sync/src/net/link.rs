//! One open sync stream: a task that reads it, a task that writes it.

use std::{io, sync::Arc, time::Duration};

use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::{PeerId, Stream};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinHandle,
    time::timeout,
};

use super::{
    Ended, Event, LinkId, Received,
    frame::{self, MAX_FRAME},
    lanes::{Lanes, Next},
};

/// Most bytes received from one link that the application has not yet taken. Beyond it the
/// stream is left unread, and the peer's own sending stops.
const INBOX: usize = 4 * MAX_FRAME;
/// What a received frame counts at least.
const LEAST: usize = 512;
/// A frame that began must be through in this time.
const STALL: Duration = Duration::from_mins(1);

/// A link ended by itself.
#[derive(Debug)]
pub(super) struct LinkEnded {
    pub link: LinkId,
    pub peer: PeerId,
    pub reason: Ended,
}

/// An open link and its two tasks, which end with it.
#[derive(Debug)]
pub(super) struct Link {
    pub id: LinkId,
    pub lanes: Arc<Lanes>,
    reader: JoinHandle<()>,
    writer: JoinHandle<()>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.reader.abort();
        self.writer.abort();
    }
}

impl Link {
    /// Starts reading, and writing what `lanes` hold. Frames go to `inbox`, the end to `ended`.
    pub(super) fn start(
        id: LinkId,
        peer: PeerId,
        stream: Stream,
        lanes: Arc<Lanes>,
        inbox: mpsc::UnboundedSender<Event>,
        ended: mpsc::UnboundedSender<LinkEnded>,
    ) -> Self {
        let (read, write) = stream.split();
        let report = {
            let ended = ended.clone();
            move |reason| {
                // The node is gone when nobody listens.
                let _ = ended.send(LinkEnded {
                    link: id,
                    peer,
                    reason,
                });
            }
        };
        let reader = tokio::spawn({
            let report = report.clone();
            async move {
                let reason = match receive(read, id, peer, &inbox).await {
                    Ok(()) => Ended::ByPeer,
                    Err(reason) if reason.kind() == io::ErrorKind::InvalidData => {
                        Ended::BrokeProtocol(reason.to_string())
                    }
                    Err(reason) if reason.kind() == io::ErrorKind::TimedOut => Ended::Stalled,
                    Err(reason) => Ended::Lost(reason.to_string()),
                };
                report(reason);
            }
        });
        let writer = tokio::spawn({
            let lanes = Arc::clone(&lanes);
            async move {
                match send(write, &lanes).await {
                    // The reader reports when the other side has closed as well.
                    Ok(()) => {}
                    Err(reason) if reason.kind() == io::ErrorKind::TimedOut => {
                        report(Ended::Stalled);
                    }
                    Err(reason) => report(Ended::Lost(reason.to_string())),
                }
            }
        });
        Self {
            id,
            lanes,
            reader,
            writer,
        }
    }
}

async fn receive<R>(
    mut stream: R,
    link: LinkId,
    peer: PeerId,
    inbox: &mpsc::UnboundedSender<Event>,
) -> io::Result<()>
where
    R: futures::AsyncRead + Unpin,
{
    let room = Arc::new(Semaphore::new(INBOX));
    while let Some(length) = frame::read_length(&mut stream).await? {
        let cost = u32::try_from(length.max(LEAST)).unwrap_or(u32::MAX);
        let Ok(held) = Arc::clone(&room).acquire_many_owned(cost).await else {
            return Ok(());
        };
        let bytes = timeout(STALL, frame::read_body(&mut stream, length)).await??;
        let frame = Event::Frame(Received {
            link,
            peer,
            bytes,
            _held: held,
        });
        if inbox.send(frame).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

async fn send<W>(mut stream: W, lanes: &Lanes) -> io::Result<()>
where
    W: futures::AsyncWrite + Unpin,
{
    loop {
        match lanes.take() {
            Next::Frame(bytes) => timeout(STALL, frame::write(&mut stream, &bytes)).await??,
            Next::Idle => {
                timeout(STALL, stream.flush()).await??;
                lanes.changed().await;
            }
            Next::Finished => {
                timeout(STALL, stream.close()).await??;
                return Ok(());
            }
        }
    }
}
