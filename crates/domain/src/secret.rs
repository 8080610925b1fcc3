//! The secrets of a space, by which its members recognise one another on a network among strangers.
//!
//! A space begins with one; every removal begins an epoch with a new one, which the removed do not learn. The control
//! entry that begins an epoch carries only the secret's hash, so that whoever hands the secret over cannot lie.

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::id::SpaceId;

/// A secret shared by the members of a space. Erased from memory when dropped; `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct SpaceSecret([u8; 32]);

/// Hash of a [`SpaceSecret`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SecretHash([u8; 32]);

impl SpaceSecret {
    /// The secret that these bytes are; random ones make a new secret.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes, for the encrypted store and for members.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What a control entry says of it.
    pub fn hash(&self) -> SecretHash {
        SecretHash(blake3::derive_key(
            "artel 2026-11 space secret hash",
            &self.0,
        ))
    }

    /// The key by which members meet while these epochs, none of which saw another, are the latest of a space. One who
    /// was removed by any of them lacks a part of it.
    pub fn meeting_key<'a>(
        space: &SpaceId,
        epochs: impl IntoIterator<Item = &'a Self>,
    ) -> [u8; 32] {
        let mut parts: Vec<&[u8; 32]> = epochs.into_iter().map(|secret| &secret.0).collect();
        parts.sort_unstable();
        let mut hasher = blake3::Hasher::new_derive_key("artel 2026-11 meeting key");
        hasher.update(space.as_bytes());
        for part in parts {
            hasher.update(part);
        }
        *hasher.finalize().as_bytes()
    }
}

impl std::fmt::Debug for SpaceSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SpaceSecret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meeting_key_needs_every_epoch_and_no_order() {
        let (a, b) = (
            SpaceSecret::from_bytes([1; 32]),
            SpaceSecret::from_bytes([2; 32]),
        );
        let space = SpaceId::from_bytes([9; 32]);
        let both = SpaceSecret::meeting_key(&space, [&a, &b]);
        assert_eq!(both, SpaceSecret::meeting_key(&space, [&b, &a]));
        assert_ne!(both, SpaceSecret::meeting_key(&space, [&a]));
        let elsewhere = SpaceId::from_bytes([8; 32]);
        assert_ne!(both, SpaceSecret::meeting_key(&elsewhere, [&a, &b]));
        assert_ne!(a.hash(), b.hash());
        assert_eq!(format!("{a:?}"), "SpaceSecret");
    }
}
