//! The file of a bundle: a sequence of sealed pieces, read and written one at a time.
//!
//! `ARTELBUN`, a byte of version, 32 random bytes; then pieces, each a length (u32, big-endian) and that many bytes of
//! ChaCha20-Poly1305. The key is BLAKE3 `derive_key("artel 2026-11 bundle", space's key, random bytes)`, so it is of
//! this file alone, and a nonce is the number of its piece. The first piece names the space; the last one is marked, so
//! that a file that ends early is known by it.

use std::io::{self, Read, Write};

use artel_domain::{SpaceId, limits::MAX_FRAME};
use chacha20poly1305::{
    ChaCha20Poly1305, Nonce,
    aead::{Aead, KeyInit, Payload},
};
use zeroize::Zeroizing;

const MAGIC: &[u8; 9] = b"ARTELBUN\x01";
const SALT: usize = 32;
/// What sealing adds to a piece.
const SEAL: usize = 16;

/// Why a bundle cannot be read on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unread {
    /// Another file.
    #[error("it is no bundle of Artel")]
    Foreign,
    /// None of the keys opens it.
    #[error("none of the spaces here can open it")]
    NoKey,
    /// It ends before its last piece.
    #[error("it ends in the middle, after {0} pieces")]
    Truncated(u64),
    /// A piece is not what was written.
    #[error("piece {0} was altered or is damaged")]
    Damaged(u64),
    /// The file could not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A file's own key, and the number of the next piece.
struct Seal {
    cipher: ChaCha20Poly1305,
    next: u64,
}

impl Seal {
    fn new(key: &[u8; 32], salt: &[u8; SALT]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("artel 2026-11 bundle");
        hasher.update(key).update(salt);
        let key = Zeroizing::new(*hasher.finalize().as_bytes());
        Self {
            cipher: ChaCha20Poly1305::new((&*key).into()),
            next: 0,
        }
    }

    fn nonce(&self) -> Nonce {
        let mut nonce = [0; 12];
        for (to, from) in nonce.iter_mut().skip(4).zip(self.next.to_be_bytes()) {
            *to = from;
        }
        nonce.into()
    }
}

/// Writes a bundle.
pub(super) struct Writer<W> {
    out: W,
    seal: Seal,
    pub bytes: u64,
}

impl<W: Write> Writer<W> {
    /// Begins the file of a space.
    pub(super) fn begin(
        mut out: W,
        space: &SpaceId,
        key: &[u8; 32],
        salt: [u8; SALT],
    ) -> io::Result<Self> {
        out.write_all(MAGIC)?;
        out.write_all(&salt)?;
        let mut writer = Self {
            out,
            seal: Seal::new(key, &salt),
            bytes: (MAGIC.len() + SALT) as u64,
        };
        writer.piece(space.as_bytes(), false)?;
        Ok(writer)
    }

    fn piece(&mut self, msg: &[u8], last: bool) -> io::Result<()> {
        let aad = [u8::from(last)];
        let payload = Payload { msg, aad: &aad };
        let sealed = self.seal.cipher.encrypt(&self.seal.nonce(), payload);
        let sealed = sealed.map_err(|_| io::ErrorKind::InvalidInput)?;
        let length = u32::try_from(sealed.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        self.out.write_all(&length.to_be_bytes())?;
        self.out.write_all(&sealed)?;
        self.seal.next += 1;
        self.bytes += 4 + u64::from(length);
        Ok(())
    }

    /// Adds a frame.
    pub(super) fn frame(&mut self, frame: &[u8]) -> io::Result<()> {
        self.piece(frame, false)
    }

    /// Marks the end and gives back what was written to, and how many bytes that were.
    pub(super) fn finish(mut self) -> io::Result<(W, u64)> {
        self.piece(&[], true)?;
        Ok((self.out, self.bytes))
    }
}

/// Reads a bundle.
pub(super) struct Reader<R> {
    from: R,
    seal: Seal,
    pub space: SpaceId,
}

impl<R: Read> Reader<R> {
    /// Opens it with the first of the keys that fits.
    pub(super) fn open(mut from: R, keys: &[(SpaceId, [u8; 32])]) -> Result<Self, Unread> {
        let mut start = [0; MAGIC.len() + SALT];
        from.read_exact(&mut start)
            .map_err(|reason| match reason.kind() {
                io::ErrorKind::UnexpectedEof => Unread::Foreign,
                _ => Unread::Io(reason),
            })?;
        let salt = start
            .strip_prefix(MAGIC)
            .and_then(|salt| salt.first_chunk::<SALT>())
            .ok_or(Unread::Foreign)?;
        let first = sealed(&mut from, 0)?;
        for (space, key) in keys {
            let mut seal = Seal::new(key, salt);
            let payload = Payload {
                msg: &first,
                aad: &[0],
            };
            if let Ok(named) = seal.cipher.decrypt(&seal.nonce(), payload)
                && named == space.as_bytes()
            {
                seal.next = 1;
                return Ok(Self {
                    from,
                    seal,
                    space: *space,
                });
            }
        }
        Err(Unread::NoKey)
    }

    /// The next frame; none after the last.
    pub(super) fn frame(&mut self) -> Result<Option<Vec<u8>>, Unread> {
        let number = self.seal.next;
        let msg = sealed(&mut self.from, number)?;
        let nonce = self.seal.nonce();
        self.seal.next += 1;
        for last in [0_u8, 1] {
            let payload = Payload {
                msg: &msg,
                aad: &[last],
            };
            if let Ok(frame) = self.seal.cipher.decrypt(&nonce, payload) {
                return Ok((last == 0).then_some(frame));
            }
        }
        Err(Unread::Damaged(number))
    }
}

/// The bytes of a sealed piece.
fn sealed(from: &mut impl Read, number: u64) -> Result<Vec<u8>, Unread> {
    let ended = |reason: io::Error| match reason.kind() {
        io::ErrorKind::UnexpectedEof => Unread::Truncated(number),
        _ => Unread::Io(reason),
    };
    let mut length = [0; 4];
    from.read_exact(&mut length).map_err(ended)?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > MAX_FRAME + SEAL {
        return Err(Unread::Damaged(number));
    }
    let mut piece = vec![0; length];
    from.read_exact(&mut piece).map_err(ended)?;
    Ok(piece)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn space(n: u8) -> SpaceId {
        SpaceId::from_bytes([n; 32])
    }

    fn bundle(frames: &[Vec<u8>]) -> Vec<u8> {
        let mut writer = Writer::begin(Vec::new(), &space(1), &KEY, [3; SALT]).unwrap();
        for frame in frames {
            writer.frame(frame).unwrap();
        }
        let (file, bytes) = writer.finish().unwrap();
        assert_eq!(file.len() as u64, bytes);
        file
    }

    /// All frames up to the end or the fault.
    fn read(file: &[u8]) -> (Vec<Vec<u8>>, Option<Unread>) {
        let mut frames = Vec::new();
        let mut reader = match Reader::open(file, &[(space(9), [9; 32]), (space(1), KEY)]) {
            Ok(reader) => reader,
            Err(reason) => return (frames, Some(reason)),
        };
        loop {
            match reader.frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => return (frames, None),
                Err(reason) => return (frames, Some(reason)),
            }
        }
    }

    proptest! {
        /// Whatever is cut off or bent: what comes out was put in, in order, and the fault is known.
        #[test]
        fn a_bent_bundle_gives_its_beginning_and_an_error(
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..6),
            at: prop::sample::Index,
            bit in 0_u8..8,
            cut: bool,
        ) {
            let mut file = bundle(&frames);
            prop_assert_eq!(&read(&file).0, &frames);
            prop_assert!(read(&file).1.is_none());
            let at = at.index(file.len());
            if cut {
                file.truncate(at);
            } else {
                file[at] ^= 1 << bit;
            }
            let (came, fault) = read(&file);
            prop_assert!(fault.is_some());
            prop_assert_eq!(&frames[..came.len()], &came[..]);
        }

        #[test]
        fn any_file_is_answered(bytes: Vec<u8>) {
            prop_assert!(read(&bytes).1.is_some());
            let begun = [MAGIC.as_slice(), &bytes].concat();
            prop_assert!(read(&begun).1.is_some());
        }
    }

    #[test]
    fn a_key_opens_its_own_space_alone() {
        let file = bundle(&[]);
        let open =
            |keys: &[(SpaceId, [u8; 32])]| Reader::open(&*file, keys).map(|reader| reader.space);
        assert!(matches!(open(&[]), Err(Unread::NoKey)));
        assert!(matches!(open(&[(space(1), [8; 32])]), Err(Unread::NoKey)));
        assert!(matches!(open(&[(space(2), KEY)]), Err(Unread::NoKey)));
        assert_eq!(open(&[(space(1), KEY)]).unwrap(), space(1));
    }
}
