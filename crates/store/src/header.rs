//! The header of a profile: who it belongs to, and the wrapped database key. Kept twice.
//!
//! A copy is `ARTELHDR`, a format version (u16, little-endian), the postcard encoding of
//! [`Header`], and the BLAKE3 hash of all that, so that damage is told apart from a wrong
//! passphrase. The copy with the higher generation counts; the other is rewritten from it.
//!
//! Format 1 has no recovery code. It is still what is written where there is none, so that an
//! older Artel can read it; format 2 has the [`Recovery`] after what format 1 has.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    StoreError, files,
    key::{Cost, DatabaseKey, Root, WRAPPED_LEN},
    recovery::{Recovery, RecoveryCode},
};

const MAGIC: &[u8; 8] = b"ARTELHDR";
const FORMAT: u16 = 2;
const WITHOUT_RECOVERY: u16 = 1;
const HASH_LEN: usize = 32;

/// No header is longer; a longer file is not one.
pub(crate) const MAX_LEN: u64 = 4096;

/// Names of the two copies.
pub(crate) const COPIES: [&str; 2] = ["header.a", "header.b"];

/// What can be known of a profile without its passphrase, and the wrapped key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    public: Public,
    nonce: [u8; 24],
    wrapped: Vec<u8>,
    /// The second way to the key. Written apart.
    #[serde(skip)]
    recovery: Option<Recovery>,
}

/// The part that is authenticated together with the wrapped key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Public {
    /// Rises with every new passphrase or recovery code.
    pub generation: u64,
    /// Random; the same in a backup of this profile.
    pub profile: [u8; 16],
    /// Name of the profile.
    pub name: String,
    /// Public part of the member key.
    pub member: [u8; 32],
    /// Unix milliseconds.
    pub created_at_ms: i64,
    /// Salt of the passphrase.
    pub salt: [u8; 16],
    /// Cost of a guess.
    pub cost: Cost,
}

impl Public {
    /// Describes a new profile under a fresh salt.
    pub(crate) fn new(
        name: &str,
        member: [u8; 32],
        created_at_ms: i64,
    ) -> Result<Self, StoreError> {
        let (mut profile, mut salt) = ([0; 16], [0; 16]);
        getrandom::fill(&mut profile)?;
        getrandom::fill(&mut salt)?;
        Ok(Self {
            generation: 1,
            profile,
            name: name.to_owned(),
            member,
            created_at_ms,
            salt,
            cost: Cost::NEW,
        })
    }

    /// The same profile for a new passphrase: next generation, fresh salt, today's cost.
    pub(crate) fn renewed(&self) -> Result<Self, StoreError> {
        let mut next = self.clone();
        next.generation = self.generation.saturating_add(1);
        getrandom::fill(&mut next.salt)?;
        next.cost = Cost::NEW;
        Ok(next)
    }
}

impl Header {
    /// Wraps a key.
    pub(crate) fn seal(
        public: Public,
        key: &DatabaseKey,
        root: &Root,
        recovery: Option<Recovery>,
    ) -> Result<Self, StoreError> {
        let mut nonce = [0; 24];
        getrandom::fill(&mut nonce)?;
        let wrapped = root.wrap(key, &nonce, &bound(&public)?)?;
        Ok(Self {
            public,
            nonce,
            wrapped,
            recovery,
        })
    }

    /// The key under the recovery code, where there is one.
    pub(crate) fn recovery(&self) -> Option<&Recovery> {
        self.recovery.as_ref()
    }

    /// Unwraps the key by the recovery code, or says that it is not of this profile, or void.
    pub(crate) fn recover(&self, code: &RecoveryCode) -> Result<DatabaseKey, StoreError> {
        let recovery = self.recovery.as_ref().ok_or(StoreError::NoRecovery)?;
        recovery.unseal(code, &self.public.member)
    }

    /// What is readable without a passphrase.
    pub(crate) fn public(&self) -> &Public {
        &self.public
    }

    /// Derives the root from a passphrase; slow on purpose.
    pub(crate) fn root(&self, passphrase: &str) -> Result<Root, StoreError> {
        Root::derive(passphrase, &self.public.salt, self.public.cost)
    }

    /// Unwraps the key, or says that the passphrase is wrong.
    pub(crate) fn unseal(&self, root: &Root) -> Result<DatabaseKey, StoreError> {
        root.unwrap(&self.wrapped, &self.nonce, &bound(&self.public)?)
    }

    /// The bytes of a copy.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, StoreError> {
        let misuse = |_| StoreError::Misuse("a header does not encode");
        let mut bytes = MAGIC.to_vec();
        let format = match &self.recovery {
            Some(_) => FORMAT,
            None => WITHOUT_RECOVERY,
        };
        bytes.extend_from_slice(&format.to_le_bytes());
        let mut bytes = postcard::to_extend(self, bytes).map_err(misuse)?;
        if let Some(recovery) = &self.recovery {
            bytes = postcard::to_extend(recovery, bytes).map_err(misuse)?;
        }
        let hash = blake3::hash(&bytes);
        bytes.extend_from_slice(hash.as_bytes());
        Ok(bytes)
    }

    /// Reads a copy, or says what is wrong with it.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Flaw> {
        let Some((content, hash)) = bytes.split_last_chunk::<HASH_LEN>() else {
            return Err(Flaw::Damaged("it is too short"));
        };
        let Some(rest) = content.strip_prefix(MAGIC) else {
            return Err(Flaw::Damaged("it does not begin as a header"));
        };
        let Some((format, body)) = rest.split_first_chunk::<2>() else {
            return Err(Flaw::Damaged("it is too short"));
        };
        if blake3::hash(content) != blake3::Hash::from(*hash) {
            return Err(Flaw::Damaged("its checksum is wrong"));
        }
        let format = u16::from_le_bytes(*format);
        if format > FORMAT {
            return Err(Flaw::Newer(format));
        }
        let undecodable = |_| Flaw::Damaged("its content does not decode");
        let (mut header, rest): (Self, _) = postcard::take_from_bytes(body).map_err(undecodable)?;
        if format > WITHOUT_RECOVERY {
            header.recovery = Some(postcard::from_bytes(rest).map_err(undecodable)?);
        }
        let sound = header.recovery.as_ref().is_none_or(Recovery::is_sound);
        if header.wrapped.len() != WRAPPED_LEN || !sound {
            return Err(Flaw::Damaged("its key has the wrong length"));
        }
        if !header.public.cost.is_acceptable() {
            return Err(Flaw::Damaged("its passphrase cost is out of bounds"));
        }
        Ok(header)
    }
}

fn bound(public: &Public) -> Result<Vec<u8>, StoreError> {
    postcard::to_extend(public, MAGIC.to_vec())
        .map_err(|_| StoreError::Misuse("a header does not encode"))
}

/// Why one copy cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Flaw {
    #[error("it is missing")]
    Missing,
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    #[error("{0}")]
    Damaged(&'static str),
    #[error("a newer version of Artel wrote it (format {0})")]
    Newer(u16),
}

/// Both copies as they are on disk.
pub(crate) struct Pair {
    folder: PathBuf,
    copies: [Result<Header, Flaw>; 2],
}

impl Pair {
    /// Reads both copies of a profile's folder.
    pub(crate) fn read(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            copies: COPIES.map(|name| read_copy(&folder.join(name))),
        }
    }

    /// Writes both copies of a new profile.
    pub(crate) fn write(folder: &Path, header: &Header) -> Result<(), StoreError> {
        let bytes = header.encode()?;
        for name in COPIES {
            files::replace(&folder.join(name), &bytes)?;
        }
        Ok(())
    }

    /// Writes the copies one after the other: at any moment one of them is whole, and the first rename decides which
    /// passphrase opens the profile. What fails after it is logged: opening mends the other copy.
    pub(crate) fn renew(folder: &Path, header: &Header) -> Result<(), StoreError> {
        let bytes = header.encode()?;
        let [first, second] = COPIES.map(|name| folder.join(name));
        if let Err(reason) = files::replace(&first, &bytes) {
            if read_copy(&first).as_ref() != Ok(header) {
                return Err(reason);
            }
            tracing::warn!(%reason, "the folder of the new header was not made durable");
        }
        if let Err(reason) = files::replace(&second, &bytes) {
            tracing::warn!(%reason, "the second copy of the header still has the old passphrase");
        }
        Ok(())
    }

    /// The copy that counts.
    pub(crate) fn newest(&self) -> Result<&Header, StoreError> {
        let good = self
            .copies
            .iter()
            .flatten()
            .max_by_key(|header| header.public.generation);
        if let Some(header) = good {
            return Ok(header);
        }
        let newer = self.copies.iter().find_map(|copy| match copy {
            Err(Flaw::Newer(format)) => Some(*format),
            _ => None,
        });
        if let Some(found) = newer {
            return Err(StoreError::NewerSchema {
                found: found.into(),
                known: FORMAT.into(),
            });
        }
        Err(StoreError::HeaderDamaged {
            path: self.folder.clone(),
            reason: self.flaws().join("; "),
        })
    }

    /// What is wrong with the copies, a sentence each; empty when both are whole and equal.
    pub(crate) fn flaws(&self) -> Vec<String> {
        let [a, b] = &self.copies;
        let mut flaws: Vec<_> = COPIES
            .iter()
            .zip(&self.copies)
            .filter_map(|(name, copy)| copy.as_ref().err().map(|flaw| format!("{name}: {flaw}")))
            .collect();
        if let (Ok(a), Ok(b)) = (a, b)
            && a != b
        {
            flaws.push("the copies differ".to_owned());
        }
        flaws
    }

    /// Rewrites the copy that does not hold `header`. Returns whether there was one. A copy that
    /// a newer version wrote is left alone.
    pub(crate) fn repair(&self, header: &Header) -> Result<bool, StoreError> {
        let mut repaired = false;
        for (name, copy) in COPIES.iter().zip(&self.copies) {
            if copy.as_ref() != Ok(header) && !matches!(copy, Err(Flaw::Newer(_))) {
                files::replace(&self.folder.join(name), &header.encode()?)?;
                repaired = true;
            }
        }
        Ok(repaired)
    }
}

fn read_copy(path: &Path) -> Result<Header, Flaw> {
    let unreadable = |reason: std::io::Error| match reason.kind() {
        std::io::ErrorKind::NotFound => Flaw::Missing,
        _ => Flaw::Unreadable(reason.to_string()),
    };
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    if length > MAX_LEN {
        return Err(Flaw::Damaged("it is too long"));
    }
    Header::decode(&std::fs::read(path).map_err(unreadable)?)
}
