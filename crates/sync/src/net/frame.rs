//! Frames on a byte stream: a length of four bytes, big endian, and that many bytes.

use std::io;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

pub(super) use artel_domain::limits::MAX_FRAME;

/// Bytes that are asked from memory at once while a frame comes in, so that a length alone
/// costs a hostile peer's victim nothing.
const STEP: usize = 64 * 1024;

/// Reads the length of the next frame; `None` when the stream ended before it.
pub(super) async fn read_length<R>(stream: &mut R) -> io::Result<Option<usize>>
where
    R: AsyncRead + Unpin,
{
    let mut length = [0; 4];
    let mut have = 0;
    while have < length.len() {
        let Some(rest) = length.get_mut(have..) else {
            break;
        };
        match stream.read(rest).await? {
            0 if have == 0 => return Ok(None),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => have += read,
        }
    }
    let length = u32::from_be_bytes(length);
    match usize::try_from(length) {
        Ok(length) if length <= MAX_FRAME => Ok(Some(length)),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a frame of {length} bytes is over the limit of {MAX_FRAME}"),
        )),
    }
}

/// Reads a frame of `length` bytes.
pub(super) async fn read_body<R>(stream: &mut R, length: usize) -> io::Result<Vec<u8>>
where
    R: AsyncRead + Unpin,
{
    let mut body = Vec::with_capacity(length.min(STEP));
    while body.len() < length {
        let have = body.len();
        body.resize(length.min(have + STEP), 0);
        let Some(rest) = body.get_mut(have..) else {
            break;
        };
        stream.read_exact(rest).await?;
    }
    Ok(body)
}

/// Writes one frame without flushing.
pub(super) async fn write<W>(stream: &mut W, frame: &[u8]) -> io::Result<()>
where
    W: AsyncWrite + Unpin,
{
    let length = u32::try_from(frame.len())
        .ok()
        .filter(|_| frame.len() <= MAX_FRAME)
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    stream.write_all(&length.to_be_bytes()).await?;
    stream.write_all(frame).await
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use proptest::prelude::*;

    use super::*;

    fn read_all(mut bytes: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        block_on(async {
            let mut frames = Vec::new();
            while let Some(length) = read_length(&mut bytes).await? {
                frames.push(read_body(&mut bytes, length).await?);
            }
            Ok(frames)
        })
    }

    proptest! {
        #[test]
        fn frames_come_back(frames in proptest::collection::vec(
            proptest::collection::vec(any::<u8>(), 0..300), 0..8)) {
            let mut bytes = Vec::new();
            for frame in &frames {
                block_on(write(&mut bytes, frame)).unwrap();
            }
            prop_assert_eq!(read_all(&bytes).unwrap(), frames);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = read_all(&bytes);
        }
    }

    #[test]
    fn limits_hold_on_both_sides() {
        let long = vec![0; MAX_FRAME + 1];
        assert!(block_on(write(&mut Vec::new(), &long)).is_err());
        assert_eq!(
            read_all(&[0, 0x10, 0, 1]).unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
        assert_eq!(
            read_all(&[0, 0, 0]).unwrap_err().kind(),
            io::ErrorKind::UnexpectedEof
        );
        assert_eq!(
            read_all(&[0, 0, 0, 9, 1]).unwrap_err().kind(),
            io::ErrorKind::UnexpectedEof
        );
    }
}
