//! A value together with the exact bytes that were signed.
//!
//! On the wire: 64 bytes of Ed25519 signature, one byte of version, the value in postcard. The signature covers the
//! domain tag, a zero byte, the version and the value's bytes *as carried*; nothing is encoded again to be verified,
//! so no two encodings can be confused. Its id is BLAKE3, keyed by the domain tag, of the whole wire form.

use std::fmt;

use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use thiserror::Error;

/// Why bytes are not a record.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RecordError {
    /// More bytes than this kind of record may have.
    #[error("{what} has {found} bytes; at most {limit} are allowed")]
    TooLarge {
        /// Kind of record.
        what: &'static str,
        /// How many it has.
        found: usize,
        /// How many it may have.
        limit: usize,
    },
    /// The bytes end too early, go on too long, or do not decode.
    #[error("{what} is damaged")]
    Malformed {
        /// Kind of record.
        what: &'static str,
    },
    /// Written by a newer version.
    #[error("{what} has version {found}; this version of Artel knows {known}")]
    Version {
        /// Kind of record.
        what: &'static str,
        /// The version it has.
        found: u8,
        /// The version known here.
        known: u8,
    },
    /// The signature is not the signer's, or the signer's key is not a sound one.
    #[error("{what} is not signed by whom it names")]
    Signature {
        /// Kind of record.
        what: &'static str,
    },
    /// It decodes and is signed, yet breaks a rule.
    #[error("{what} breaks a rule: {rule}")]
    Rule {
        /// Kind of record.
        what: &'static str,
        /// The rule.
        rule: &'static str,
    },
}

/// An Ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    r: [u8; 32],
    s: [u8; 32],
}

impl Signature {
    /// Length in bytes.
    pub const LEN: usize = 64;

    /// From the usual 64 bytes.
    pub fn from_bytes(bytes: &[u8; 64]) -> Self {
        let (mut r, mut s) = ([0; 32], [0; 32]);
        r.iter_mut()
            .chain(&mut s)
            .zip(bytes)
            .for_each(|(to, from)| *to = *from);
        Self { r, s }
    }

    /// The usual 64 bytes.
    pub fn to_bytes(self) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes
            .iter_mut()
            .zip(self.r.iter().chain(&self.s))
            .for_each(|(to, from)| *to = *from);
        bytes
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature")
    }
}

/// Checks a signature strictly: no small-order keys, no second valid form.
pub(crate) fn verify(public: &[u8; 32], tag: &str, parts: &[&[u8]], signature: &Signature) -> bool {
    let Ok(key) = VerifyingKey::from_bytes(public) else {
        return false;
    };
    let signature = ed25519_dalek::Signature::from_bytes(&signature.to_bytes());
    key.verify_strict(&message(tag, parts), &signature).is_ok()
}

/// What is signed: the tag, a zero byte, then the parts.
pub(crate) fn message(tag: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes =
        Vec::with_capacity(tag.len() + 1 + parts.iter().map(|p| p.len()).sum::<usize>());
    bytes.extend_from_slice(tag.as_bytes());
    bytes.push(0);
    for part in parts {
        bytes.extend_from_slice(part);
    }
    bytes
}

/// A kind of value that is signed.
pub trait Signable: Serialize + DeserializeOwned {
    /// What it is called in errors.
    const WHAT: &'static str;
    /// Domain tag; never reused for another kind.
    const TAG: &'static str;
    /// Version of its encoding.
    const VERSION: u8;
    /// Most bytes its wire form may have.
    const LIMIT: usize;

    /// Public key whose signature it must carry.
    fn signer(&self) -> &[u8; 32];

    /// Rules that the value keeps by itself, beyond decoding.
    fn check(&self) -> Result<(), RecordError>;
}

/// Someone who can sign.
pub trait Signer {
    /// Public key.
    fn public(&self) -> [u8; 32];
    /// Signature over the tag, a zero byte and the parts.
    fn sign(&self, tag: &str, parts: &[&[u8]]) -> Signature;
}

/// A value whose signature was checked, with the bytes it was checked over.
///
/// There is no way to have one from foreign bytes without the check: [`Signed::open`] makes it, and
/// [`Signed::reopen`] is for bytes that this machine stored after opening them.
#[derive(Clone, PartialEq, Eq)]
pub struct Signed<T> {
    wire: Vec<u8>,
    value: T,
    hash: [u8; 32],
}

impl<T: fmt::Debug> fmt::Debug for Signed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signed").field(&self.value).finish()
    }
}

impl<T: Signable> Signed<T> {
    /// Signs a value.
    ///
    /// # Errors
    /// The value breaks its own rules, does not fit, or names another signer.
    pub fn seal(value: T, signer: &dyn Signer) -> Result<Self, RecordError> {
        value.check()?;
        if *value.signer() != signer.public() {
            return Err(RecordError::Signature { what: T::WHAT });
        }
        let malformed = |_| RecordError::Malformed { what: T::WHAT };
        let payload = postcard::to_stdvec(&value).map_err(malformed)?;
        let version = [T::VERSION];
        let signature = signer.sign(T::TAG, &[&version, &payload]);
        let mut wire = Vec::with_capacity(Signature::LEN + 1 + payload.len());
        wire.extend_from_slice(&signature.to_bytes());
        wire.push(T::VERSION);
        wire.extend_from_slice(&payload);
        if wire.len() > T::LIMIT {
            return Err(RecordError::TooLarge {
                what: T::WHAT,
                found: wire.len(),
                limit: T::LIMIT,
            });
        }
        let hash = Self::hash_of(&wire);
        Ok(Self { wire, value, hash })
    }

    /// Decodes and verifies bytes from outside.
    ///
    /// # Errors
    /// Too large, damaged, of a newer version, badly signed, or against a rule.
    pub fn open(wire: &[u8]) -> Result<Self, RecordError> {
        let opened = Self::reopen(wire)?;
        let (signature, payload) = Self::split(wire)?;
        if !verify(opened.value.signer(), T::TAG, &[payload], &signature) {
            return Err(RecordError::Signature { what: T::WHAT });
        }
        opened.value.check()?;
        Ok(opened)
    }

    /// Decodes bytes that were verified before and kept on this machine since. The signature is not checked again.
    ///
    /// # Errors
    /// Too large, damaged, or of a newer version.
    pub fn reopen(wire: &[u8]) -> Result<Self, RecordError> {
        let what = T::WHAT;
        if wire.len() > T::LIMIT {
            return Err(RecordError::TooLarge {
                what,
                found: wire.len(),
                limit: T::LIMIT,
            });
        }
        let (_, payload) = Self::split(wire)?;
        let (version, payload) = payload
            .split_first()
            .ok_or(RecordError::Malformed { what })?;
        if *version != T::VERSION {
            return Err(RecordError::Version {
                what,
                found: *version,
                known: T::VERSION,
            });
        }
        let value = decode_exact(payload).ok_or(RecordError::Malformed { what })?;
        Ok(Self {
            wire: wire.to_vec(),
            value,
            hash: Self::hash_of(wire),
        })
    }

    fn split(wire: &[u8]) -> Result<(Signature, &[u8]), RecordError> {
        let (signature, payload) = wire
            .split_first_chunk::<{ Signature::LEN }>()
            .ok_or(RecordError::Malformed { what: T::WHAT })?;
        Ok((Signature::from_bytes(signature), payload))
    }

    fn hash_of(wire: &[u8]) -> [u8; 32] {
        blake3::derive_key(T::TAG, wire)
    }

    /// The value.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// The exact bytes that travel and are kept.
    pub fn wire(&self) -> &[u8] {
        &self.wire
    }

    /// Hash of the wire form.
    pub fn hash(&self) -> &[u8; 32] {
        &self.hash
    }
}

/// Decodes postcard and refuses bytes left over.
pub fn decode_exact<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        certificate::DeviceCertificate,
        genesis::Genesis,
        key::{DeviceKey, MemberKey},
    };

    fn genesis() -> Signed<Genesis> {
        Signed::found(&MemberKey::from_bytes(&[1; 32]), "Клас", [2; 16], 5).unwrap()
    }

    #[test]
    fn any_changed_bit_is_noticed() {
        let wire = genesis().wire().to_vec();
        assert_eq!(Signed::<Genesis>::open(&wire).unwrap(), genesis());
        for byte in 0..wire.len() {
            let mut bent = wire.clone();
            *bent.get_mut(byte).unwrap() ^= 1;
            assert!(Signed::<Genesis>::open(&bent).is_err(), "byte {byte}");
        }
        assert!(Signed::<Genesis>::open(wire.get(1..).unwrap()).is_err());
    }

    #[test]
    fn errors_name_what_is_wrong() {
        let mut newer = genesis().wire().to_vec();
        *newer.get_mut(Signature::LEN).unwrap() = 2;
        let error = Signed::<Genesis>::open(&newer).unwrap_err().to_string();
        assert_eq!(
            error,
            "the founding of a space has version 2; this version of Artel knows 1"
        );
        let error = Signed::<Genesis>::open(&[0; 2_000])
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "the founding of a space has 2000 bytes; at most 1024 are allowed"
        );
    }

    #[test]
    fn a_signature_of_one_kind_is_none_of_another() {
        let (member, device) = (
            MemberKey::from_bytes(&[1; 32]),
            DeviceKey::from_bytes(&[2; 32]),
        );
        let certificate = Signed::issue(&member, &device).unwrap();
        assert!(Signed::<DeviceCertificate>::open(certificate.wire()).is_ok());
        assert!(Signed::<Genesis>::open(certificate.wire()).is_err());
    }

    #[test]
    fn nobody_claims_anothers_device() {
        let (owner, thief) = (
            MemberKey::from_bytes(&[1; 32]),
            MemberKey::from_bytes(&[3; 32]),
        );
        let device = DeviceKey::from_bytes(&[2; 32]);
        let mut stolen = Signed::issue(&owner, &device).unwrap().value().clone();
        stolen.member = thief.id();
        assert!(matches!(
            Signed::seal(stolen, &thief),
            Err(RecordError::Rule { .. })
        ));
    }
}
