//! What a record says about a file, and how a file is cut and hashed.

use serde::{Deserialize, Serialize};

use crate::{
    id::FileHash,
    limits::{CHUNK, MAX_FILE, MAX_FILE_NAME, MAX_MEDIA_TYPE},
    signed::RecordError,
};

const WHAT: &str = "an attachment";

/// What a file's content is: the hash of its size and the hashes of its chunks in order. Chunks are kept and found
/// under this id, since it alone settles every one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileId([u8; 32]);

impl FileId {
    /// The id of a file of this size made of these chunks.
    pub fn of(size: u64, chunks: &[[u8; 32]]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("artel 2026-11 chunk list");
        hasher.update(&size.to_le_bytes());
        for chunk in chunks {
            hasher.update(chunk);
        }
        Self(*hasher.finalize().as_bytes())
    }

    /// The id made of these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A file attached to a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Name as the author's machine had it. [`crate::sanitize`] it before it touches a disk.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
    /// Media type by content, such as `image/jpeg`.
    pub media_type: String,
    /// BLAKE3 of the whole file, for people and for comparing with the file they saved.
    pub hash: FileHash,
    /// What its chunks are.
    pub file: FileId,
}

impl Attachment {
    /// How many chunks of [`CHUNK`] bytes it has; the last may be shorter, and an empty file has none.
    pub fn chunks(&self) -> u32 {
        chunk_count(self.size)
    }

    pub(crate) fn check(&self) -> Result<(), RecordError> {
        let rule = if self.name.trim().is_empty() {
            "a file has a name"
        } else if self.name.len() > MAX_FILE_NAME {
            "a file's name has at most 255 bytes"
        } else if self.media_type.len() > MAX_MEDIA_TYPE || !self.media_type.is_ascii() {
            "a media type is short and ASCII"
        } else if self.size > MAX_FILE {
            "an attached file has at most 2 GiB"
        } else {
            return Ok(());
        };
        Err(RecordError::Rule { what: WHAT, rule })
    }
}

/// How many chunks a file of this many bytes has. Sizes above [`MAX_FILE`] count as that.
pub fn chunk_count(size: u64) -> u32 {
    u32::try_from(size.min(MAX_FILE).div_ceil(CHUNK as u64)).unwrap_or(u32::MAX)
}

/// How many bytes the chunk at `index` of a file of this many bytes has; 0 beyond its end.
pub fn chunk_len(size: u64, index: u32) -> usize {
    let begin = u64::from(index).saturating_mul(CHUNK as u64);
    usize::try_from(size.saturating_sub(begin).min(CHUNK as u64)).unwrap_or(CHUNK)
}

/// Hash of one chunk.
pub fn chunk_hash(bytes: &[u8]) -> [u8; 32] {
    *blake3::hash(bytes).as_bytes()
}

/// Hashes a file as its chunks are read, in constant memory but for 32 bytes a chunk.
#[derive(Debug, Default)]
pub struct FileDigest {
    whole: blake3::Hasher,
    chunks: Vec<[u8; 32]>,
    size: u64,
}

impl FileDigest {
    /// Begins a file.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next chunk: exactly [`CHUNK`] bytes, fewer only for the last.
    ///
    /// # Errors
    /// The file grew beyond [`MAX_FILE`], a chunk was too long, or one followed a short one.
    pub fn chunk(&mut self, bytes: &[u8]) -> Result<(), RecordError> {
        let broken = |rule| Err(RecordError::Rule { what: WHAT, rule });
        if bytes.len() > CHUNK || bytes.is_empty() || !self.size.is_multiple_of(CHUNK as u64) {
            return broken("all chunks but the last are full");
        }
        if self.size + bytes.len() as u64 > MAX_FILE {
            return broken("an attached file has at most 2 GiB");
        }
        self.whole.update(bytes);
        self.chunks.push(chunk_hash(bytes));
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// Ends the file: what a record says of it, and the hashes of its chunks.
    ///
    /// # Errors
    /// Name or media type break a rule.
    pub fn finish(
        self,
        name: &str,
        media_type: &str,
    ) -> Result<(Attachment, Vec<[u8; 32]>), RecordError> {
        let attachment = Attachment {
            name: name.to_owned(),
            size: self.size,
            media_type: media_type.to_owned(),
            hash: FileHash::from_bytes(*self.whole.finalize().as_bytes()),
            file: FileId::of(self.size, &self.chunks),
        };
        attachment.check()?;
        Ok((attachment, self.chunks))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_of_sizes() {
        for (size, count, last) in [(0, 0, 0), (1, 1, 1), (65_536, 1, 65_536), (65_537, 2, 1)] {
            assert_eq!(chunk_count(size), count);
            assert_eq!(chunk_len(size, count.saturating_sub(1)), last);
            assert_eq!(chunk_len(size, count), 0);
        }
    }

    #[test]
    fn a_digest_is_of_size_and_chunks() {
        let mut digest = FileDigest::new();
        digest.chunk(&vec![1; CHUNK]).unwrap();
        digest.chunk(b"end").unwrap();
        assert!(digest.chunk(b"more").is_err());
        let (attachment, chunks) = digest.finish("звіт.csv", "text/csv").unwrap();
        assert_eq!(attachment.size, CHUNK as u64 + 3);
        assert_eq!(attachment.chunks(), 2);
        assert_eq!(attachment.file, FileId::of(attachment.size, &chunks));
        assert_ne!(attachment.file, FileId::of(attachment.size + 1, &chunks));
        let whole = [vec![1; CHUNK], b"end".to_vec()].concat();
        assert_eq!(attachment.hash.as_bytes(), blake3::hash(&whole).as_bytes());
    }

    #[test]
    fn names_and_sizes_are_checked() {
        assert!(FileDigest::new().finish(" ", "text/plain").is_err());
        assert!(
            FileDigest::new()
                .finish(&"n".repeat(256), "text/plain")
                .is_err()
        );
        assert!(FileDigest::new().finish("n", &"t".repeat(101)).is_err());
        assert!(FileDigest::new().chunk(&vec![0; CHUNK + 1]).is_err());
    }
}
