//! A connection as libp2p makes it, and below the frames: raw streams, on which anything can be written.

use std::{future::poll_fn, io, task::Poll, time::Duration};

use artel_domain::{DeviceId, DeviceKey};
use futures::{
    AsyncReadExt as _, AsyncWriteExt as _,
    io::{ReadHalf, WriteHalf},
};
use libp2p::{
    Multiaddr, PeerId, Transport as _,
    core::{
        Endpoint,
        muxing::{StreamMuxerBox, StreamMuxerExt as _, SubstreamBox},
        transport::{DialOpts, PortUse},
        upgrade,
    },
    identity, noise, tcp, yamux,
};
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

use crate::Fault;

/// How long an honest node may take for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// What both say first on a stream: the negotiation's own name, then the protocol's.
const GREETING: &[u8] = b"\x13/multistream/1.0.0\n\x0e/artel/sync/1\n";

/// A connection that is encrypted and multiplexed; whoever is there has proven its key.
pub(crate) struct Connection {
    pub(crate) peer: DeviceId,
    muxer: StreamMuxerBox,
}

impl Connection {
    /// Calls with this device key.
    pub(crate) async fn call(to: &Multiaddr, device: &DeviceKey) -> Result<Self, Fault> {
        let key = identity::Keypair::ed25519_from_bytes(device.to_bytes().to_vec())?;
        let mut transport = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
            .upgrade(upgrade::Version::V1)
            .authenticate(noise::Config::new(&key)?)
            .multiplex(yamux::Config::default())
            .boxed();
        let options = DialOpts {
            role: Endpoint::Dialer,
            port_use: PortUse::New,
        };
        let to: Multiaddr = to
            .iter()
            .filter(|part| !matches!(part, libp2p::multiaddr::Protocol::P2p(_)))
            .collect();
        let (peer, muxer) = timeout(PATIENCE, transport.dial(to, options)?).await??;
        Ok(Self {
            peer: device_of(&peer)?,
            muxer,
        })
    }

    /// Opens a stream and says nothing on it.
    pub(crate) async fn stream(&mut self) -> Result<SubstreamBox, Fault> {
        let muxer = &mut self.muxer;
        let opened = poll_fn(|context| {
            // The connection moves only while it is asked to.
            if let Poll::Ready(Err(reason)) = muxer.poll_unpin(context) {
                return Poll::Ready(Err(reason));
            }
            muxer.poll_outbound_unpin(context)
        });
        Ok(timeout(PATIENCE, opened).await??)
    }

    /// Lets the connection live by itself: what the other side opens is dropped.
    pub(crate) fn run(mut self) -> JoinHandle<()> {
        tokio::spawn(async move {
            poll_fn(|context| {
                while let Poll::Ready(inbound) = self.muxer.poll_inbound_unpin(context) {
                    if inbound.is_err() {
                        return Poll::Ready(());
                    }
                }
                match self.muxer.poll_unpin(context) {
                    Poll::Ready(Err(_)) => Poll::Ready(()),
                    _ => Poll::Pending,
                }
            })
            .await;
        })
    }
}

/// The device behind a peer id.
fn device_of(peer: &PeerId) -> Result<DeviceId, Fault> {
    artel_sync::net::device_of(peer).ok_or_else(|| "not a device".into())
}

/// The sync stream of a connection of its own, on which bytes may be written as one likes.
pub(crate) struct Line {
    pub(crate) peer: DeviceId,
    frames: mpsc::Receiver<Vec<u8>>,
    writing: WriteHalf<SubstreamBox>,
    tasks: [JoinHandle<()>; 2],
}

impl Drop for Line {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Line {
    pub(crate) async fn open(to: &Multiaddr, device: &DeviceKey) -> Result<Self, Fault> {
        let mut connection = Connection::call(to, device).await?;
        let peer = connection.peer;
        let (mut reading, mut writing) = connection.stream().await?.split();
        let connection = connection.run();
        writing.write_all(GREETING).await?;
        writing.flush().await?;
        let mut answer = vec![0; GREETING.len()];
        timeout(PATIENCE, reading.read_exact(&mut answer)).await??;
        if answer != GREETING {
            return Err("what answers does not speak the protocol".into());
        }
        let (heard, frames) = mpsc::channel(1_000);
        let reader = tokio::spawn(async move {
            while let Ok(frame) = read(&mut reading).await {
                if heard.send(frame).await.is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            peer,
            frames,
            writing,
            tasks: [connection, reader],
        })
    }

    /// Writes bytes as they are.
    pub(crate) async fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writing.write_all(bytes).await?;
        self.writing.flush().await
    }

    /// Writes a frame with its length.
    pub(crate) async fn say(&mut self, frame: &[u8]) -> io::Result<()> {
        let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        self.raw(&[&length.to_be_bytes(), frame].concat()).await
    }

    /// The next frame; none when the other side has closed.
    pub(crate) async fn hear(&mut self) -> Option<Vec<u8>> {
        self.frames.recv().await
    }

    /// Whether the other side ends it within this time; what it says meanwhile is not looked at.
    pub(crate) async fn is_ended(&mut self, within: Duration) -> bool {
        timeout(within, async { while self.hear().await.is_some() {} })
            .await
            .is_ok()
    }
}

async fn read(stream: &mut ReadHalf<SubstreamBox>) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).await?;
    let length = usize::try_from(u32::from_be_bytes(length)).map_err(io::Error::other)?;
    let mut frame = vec![0; length];
    stream.read_exact(&mut frame).await?;
    Ok(frame)
}
