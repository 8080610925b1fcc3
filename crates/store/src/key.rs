//! The database key, wrapped under a passphrase, and the proof of knowing that passphrase.
//!
//! Argon2id turns the passphrase into a root; two keys are derived from it with BLAKE3 under
//! different contexts: one wraps the random database key (XChaCha20-Poly1305), the other proves
//! to the control socket that the caller knows the passphrase. Neither can be had from the other.

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit, Payload},
};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::StoreError;

const WRAP_CONTEXT: &str = "artel 2026 profile database key wrap v1";
const PROOF_CONTEXT: &str = "artel 2026 control socket passphrase proof v1";

/// Length of the wrapped key: the key and its authentication tag.
pub(crate) const WRAPPED_LEN: usize = 32 + 16;

/// The random key of a database.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct DatabaseKey([u8; 32]);

impl DatabaseKey {
    /// A new random key.
    pub(crate) fn random() -> Result<Self, StoreError> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Self(key))
    }

    /// The key as it was unwrapped.
    pub(crate) fn from_bytes(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The key, to be wrapped and for nothing else.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// SQLCipher's notation of a raw key.
    pub(crate) fn pragma(&self) -> Zeroizing<String> {
        use std::fmt::Write;
        let mut text = Zeroizing::new(String::with_capacity(96));
        text.push_str("PRAGMA key = \"x'");
        for byte in self.0 {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        text.push_str("'\";");
        text
    }
}

/// How hard a passphrase is to guess: the cost of one try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Cost {
    /// What the product uses: 64 MiB, three passes.
    const PRODUCT: Self = Self {
        memory_kib: 64 * 1024,
        passes: 3,
        lanes: 1,
    };

    /// Cost of new headers.
    pub(crate) const NEW: Self = if cfg!(test) {
        Self {
            memory_kib: 64,
            passes: 1,
            lanes: 1,
        }
    } else {
        Self::PRODUCT
    };

    /// A header comes from a file that anyone may have written: one that asks for next to nothing
    /// would weaken the key silently, one that asks for everything would exhaust memory.
    pub(crate) fn is_acceptable(self) -> bool {
        (Self::NEW.memory_kib..=512 * 1024).contains(&self.memory_kib)
            && (Self::NEW.passes..=16).contains(&self.passes)
            && (1..=4).contains(&self.lanes)
    }
}

/// What a passphrase becomes under one salt and cost.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Root([u8; 32]);

impl Root {
    /// Derives the root. Takes a noticeable part of a second and 64 MiB, on purpose.
    pub(crate) fn derive(
        passphrase: &str,
        salt: &[u8; 16],
        cost: Cost,
    ) -> Result<Self, StoreError> {
        if passphrase.is_empty() {
            return Err(StoreError::EmptyPassphrase);
        }
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32))
            .map_err(|_| StoreError::Misuse("Argon2 refuses the cost of the header"))?;
        let mut root = Self([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.as_bytes(), salt, &mut root.0)
            .map_err(|_| StoreError::Misuse("Argon2 refuses the passphrase or the salt"))?;
        Ok(root)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        let key = Zeroizing::new(blake3::derive_key(WRAP_CONTEXT, &self.0));
        XChaCha20Poly1305::new((&*key).into())
    }

    /// Encrypts a database key; `bound` is authenticated beside it.
    pub(crate) fn wrap(
        &self,
        key: &DatabaseKey,
        nonce: &[u8; 24],
        bound: &[u8],
    ) -> Result<Vec<u8>, StoreError> {
        self.cipher()
            .encrypt(
                &XNonce::from(*nonce),
                Payload {
                    msg: &key.0,
                    aad: bound,
                },
            )
            .map_err(|_| StoreError::Misuse("the database key cannot be wrapped"))
    }

    /// Decrypts a database key, or says that the passphrase is wrong.
    pub(crate) fn unwrap(
        &self,
        wrapped: &[u8],
        nonce: &[u8; 24],
        bound: &[u8],
    ) -> Result<DatabaseKey, StoreError> {
        let plain = Zeroizing::new(
            self.cipher()
                .decrypt(
                    &XNonce::from(*nonce),
                    Payload {
                        msg: wrapped,
                        aad: bound,
                    },
                )
                .map_err(|_| StoreError::WrongPassphrase)?,
        );
        let key =
            <[u8; 32]>::try_from(plain.as_slice()).map_err(|_| StoreError::WrongPassphrase)?;
        Ok(DatabaseKey(key))
    }

    /// The key that proves knowledge of the passphrase.
    pub(crate) fn proof_key(&self) -> ProofKey {
        ProofKey(blake3::derive_key(PROOF_CONTEXT, &self.0))
    }
}

/// Proves knowledge of a profile's passphrase without showing it, and without being of use for
/// decrypting anything.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct ProofKey([u8; 32]);

impl ProofKey {
    /// The answer to a challenge: a keyed BLAKE3 hash. `side` keeps the answers of the two ends
    /// apart, so that one cannot be reflected as the other.
    pub fn answer(&self, side: &str, challenge: &[u8; 32], counter: &[u8; 32]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(challenge);
        hasher.update(counter);
        hasher.update(side.as_bytes());
        *hasher.finalize().as_bytes()
    }

    /// Whether an answer is right; takes the same time whether it is or not.
    pub fn verify(
        &self,
        side: &str,
        challenge: &[u8; 32],
        counter: &[u8; 32],
        answer: &[u8; 32],
    ) -> bool {
        blake3::Hash::from(self.answer(side, challenge, counter)) == blake3::Hash::from(*answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_passphrase_and_bound_bytes_unwrap() {
        let key = DatabaseKey::random().unwrap();
        let root = Root::derive("gute Nacht", &[7; 16], Cost::NEW).unwrap();
        let wrapped = root.wrap(&key, &[1; 24], b"header").unwrap();
        assert_eq!(wrapped.len(), WRAPPED_LEN);
        assert_eq!(root.unwrap(&wrapped, &[1; 24], b"header").unwrap().0, key.0);
        let refused = |root: &Root, bound: &[u8]| {
            matches!(
                root.unwrap(&wrapped, &[1; 24], bound),
                Err(StoreError::WrongPassphrase)
            )
        };
        assert!(refused(&root, b"Header"));
        assert!(refused(
            &Root::derive("gute nacht", &[7; 16], Cost::NEW).unwrap(),
            b"header"
        ));
        assert!(refused(
            &Root::derive("gute Nacht", &[8; 16], Cost::NEW).unwrap(),
            b"header"
        ));
    }

    #[test]
    fn the_product_pays_the_full_cost() {
        assert_eq!(
            Cost::PRODUCT,
            Cost {
                memory_kib: 65_536,
                passes: 3,
                lanes: 1
            }
        );
        assert!(Cost::PRODUCT.is_acceptable());
        assert!(
            !Cost {
                memory_kib: 1,
                ..Cost::PRODUCT
            }
            .is_acceptable()
        );
        assert!(
            !Cost {
                memory_kib: u32::MAX,
                ..Cost::PRODUCT
            }
            .is_acceptable()
        );
        assert!(
            !Cost {
                passes: u32::MAX,
                ..Cost::PRODUCT
            }
            .is_acceptable()
        );
    }

    #[test]
    fn an_answer_fits_one_challenge_and_one_side() {
        let key = Root::derive("x", &[0; 16], Cost::NEW).unwrap().proof_key();
        let answer = key.answer("client", &[1; 32], &[2; 32]);
        assert!(key.verify("client", &[1; 32], &[2; 32], &answer));
        assert!(!key.verify("server", &[1; 32], &[2; 32], &answer));
        assert!(!key.verify("client", &[3; 32], &[2; 32], &answer));
        assert!(!key.verify("client", &[1; 32], &[3; 32], &answer));
    }
}
