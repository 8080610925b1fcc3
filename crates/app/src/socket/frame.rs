//! Length-prefixed JSON.

use std::io;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::{api::Event, error::AppError};

/// Largest frame in bytes, either way.
pub(super) const MAX_FRAME: usize = 16 * 1024 * 1024;

/// What a frame's buffer begins with; it grows with what really arrives, not with what is
/// announced.
const FIRST_BUFFER: usize = 64 * 1024;

/// What a client says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Request {
    /// Runs a command.
    Call {
        /// Chosen by the client; comes back with the reply.
        id: u64,
        /// Wire name of the command.
        call: String,
        /// Its arguments.
        #[serde(default = "no_arguments")]
        args: Value,
    },
    /// Asks for events.
    Subscribe {
        /// Chosen by the client; comes back with the reply.
        id: u64,
        /// Whether to send them from now on.
        subscribe: bool,
    },
}

fn no_arguments() -> Value {
    Value::Object(serde_json::Map::new())
}

/// What a server says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Answer {
    /// The call failed.
    Error {
        /// Of the request.
        id: u64,
        /// Why.
        error: AppError,
    },
    /// The call succeeded.
    Reply {
        /// Of the request.
        id: u64,
        /// What it returned.
        reply: Value,
    },
    /// Something happened.
    Event {
        /// What.
        event: Event,
    },
}

/// Reads a frame; `None` where the other side ended the stream between two frames.
pub(super) async fn read<T: DeserializeOwned>(
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length).await {
        Ok(_) => {}
        Err(reason) if reason.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(reason) => return Err(reason),
    }
    let length = u32::from_le_bytes(length);
    if usize::try_from(length).map_or(true, |length| length > MAX_FRAME) {
        return Err(invalid(format!(
            "a frame of {length} bytes is over the limit"
        )));
    }
    let mut bytes = Vec::with_capacity(FIRST_BUFFER);
    let read = stream.take(length.into()).read_to_end(&mut bytes).await?;
    if u64::try_from(read) != Ok(length.into()) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|reason| invalid(format!("a frame does not decode: {reason}")))
}

/// The bytes of a frame, or `None` where it would be over the limit.
pub(super) fn encode(frame: &impl Serialize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, frame).map_err(io::Error::from)?;
    let length = bytes.len() - 4;
    let Some(length) = u32::try_from(length).ok().filter(|_| length <= MAX_FRAME) else {
        return Ok(None);
    };
    for (place, byte) in bytes.iter_mut().zip(length.to_le_bytes()) {
        *place = byte;
    }
    Ok(Some(bytes))
}

/// Writes the bytes of a frame.
pub(super) async fn write(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

fn invalid(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}
