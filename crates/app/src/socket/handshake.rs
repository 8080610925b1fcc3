//! Both ends prove that they know the passphrase.
//!
//! The server sends `ARTELCTL`, a version (u16, little-endian) and a random challenge of 32 bytes.
//! The client answers with a random counter-challenge and its proof, 32 bytes each. The server
//! sends its own proof, or ends the connection. A proof is a BLAKE3 hash of both challenges keyed
//! by [`ProofKey`].

use std::{io, time::Duration};

use artel_store::ProofKey;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

const MAGIC: &[u8; 8] = b"ARTELCTL";
const VERSION: u16 = 1;
const CLIENT: &str = "client";
const SERVER: &str = "server";

/// How long either side waits for the other; deriving a key on a loaded machine takes a while.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

fn random() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|reason| io::Error::other(reason.to_string()))?;
    Ok(bytes)
}

/// The server's side. `Ok(false)`: the proof was wrong; nothing was answered yet.
pub(super) async fn challenge(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    key: impl FnOnce() -> ProofKey,
) -> io::Result<bool> {
    let challenge = random()?;
    stream.write_all(MAGIC).await?;
    stream.write_all(&VERSION.to_le_bytes()).await?;
    stream.write_all(&challenge).await?;
    stream.flush().await?;
    let (mut counter, mut proof) = ([0; 32], [0; 32]);
    stream.read_exact(&mut counter).await?;
    stream.read_exact(&mut proof).await?;
    // Asked for only now: the passphrase may have changed while the client was thinking.
    let key = key();
    if !key.verify(CLIENT, &challenge, &counter, &proof) {
        return Ok(false);
    }
    stream
        .write_all(&key.answer(SERVER, &challenge, &counter))
        .await?;
    stream.flush().await?;
    Ok(true)
}

/// What the client found at the other end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Met {
    /// The process that holds the profile.
    Owner,
    /// It refused the proof.
    Refused,
    /// Something that does not know the passphrase, or is not Artel.
    Stranger,
    /// Another version of Artel.
    OtherVersion,
}

/// The client's side.
pub(super) async fn prove(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    key: &ProofKey,
) -> io::Result<Met> {
    let (mut magic, mut version, mut challenge) = ([0; 8], [0; 2], [0; 32]);
    stream.read_exact(&mut magic).await?;
    if magic != *MAGIC {
        return Ok(Met::Stranger);
    }
    stream.read_exact(&mut version).await?;
    if u16::from_le_bytes(version) != VERSION {
        return Ok(Met::OtherVersion);
    }
    stream.read_exact(&mut challenge).await?;
    let counter = random()?;
    stream.write_all(&counter).await?;
    stream
        .write_all(&key.answer(CLIENT, &challenge, &counter))
        .await?;
    stream.flush().await?;
    let mut proof = [0; 32];
    match stream.read_exact(&mut proof).await {
        Ok(_) => {}
        Err(reason) if reason.kind() == io::ErrorKind::UnexpectedEof => return Ok(Met::Refused),
        Err(reason) => return Err(reason),
    }
    Ok(if key.verify(SERVER, &challenge, &counter, &proof) {
        Met::Owner
    } else {
        Met::Stranger
    })
}
