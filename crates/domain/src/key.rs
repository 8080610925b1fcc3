//! Secret keys. They are erased from memory when dropped, and `Debug` never shows them.

use std::fmt;

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use zeroize::{Zeroize, Zeroizing};

use crate::{
    id::{DeviceId, InviteId, MemberId},
    sealed::{Prekey, PrekeySecret},
    signed::{Signature, Signer, message},
};

/// The operating system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no random bytes: {0}")]
pub struct NoEntropy(String);

/// Fills a buffer with random bytes of the operating system.
///
/// # Errors
/// The system's source failed; nothing that needs a key can go on.
pub fn random<const N: usize>() -> Result<[u8; N], NoEntropy> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|e| NoEntropy(e.to_string()))?;
    Ok(bytes)
}

macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident => $public:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(SigningKey);

        impl $name {
            /// A new key from the operating system's randomness.
            ///
            /// # Errors
            /// The system gave none.
            pub fn generate() -> Result<Self, NoEntropy> {
                let seed = Zeroizing::new(random::<32>()?);
                Ok(Self::from_bytes(&seed))
            }

            /// The key kept as these bytes.
            pub fn from_bytes(secret: &[u8; 32]) -> Self {
                Self(SigningKey::from_bytes(secret))
            }

            /// The secret, for the encrypted store and nowhere else.
            pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
                Zeroizing::new(self.0.to_bytes())
            }

            /// The public part.
            pub fn id(&self) -> $public {
                $public::from_bytes(self.0.verifying_key().to_bytes())
            }
        }

        impl Signer for $name {
            fn public(&self) -> [u8; 32] {
                *self.id().as_bytes()
            }

            fn sign(&self, tag: &str, parts: &[&[u8]]) -> Signature {
                Signature::from_bytes(&self.0.sign(&message(tag, parts)).to_bytes())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), self.id())
            }
        }

        impl $public {
            /// Whether this key signed the tag, a zero byte and the parts; checked strictly.
            pub fn verify(&self, tag: &str, parts: &[&[u8]], signature: &Signature) -> bool {
                crate::signed::verify(self.as_bytes(), tag, parts, signature)
            }
        }
    )+};
}

keys! {
    /// A person's key.
    MemberKey => MemberId;
    /// An installation's key, which never leaves it; also its identity on the network.
    DeviceKey => DeviceId;
    /// The key of an invite, made from the seed in its code.
    InviteKey => InviteId;
}

impl DeviceKey {
    /// A key that only this device and the other one can make: X25519 of the two, which are the Montgomery forms of
    /// their Ed25519 keys. None if the other's key is not a sound one.
    pub fn agree(&self, other: &DeviceId) -> Option<Zeroizing<[u8; 32]>> {
        let theirs = VerifyingKey::from_bytes(other.as_bytes()).ok()?;
        if theirs.is_weak() {
            return None;
        }
        let scalar = Zeroizing::new(self.0.to_scalar_bytes());
        let shared = Zeroizing::new(theirs.to_montgomery().mul_clamped(*scalar).to_bytes());
        Some(Zeroizing::new(blake3::derive_key(
            "artel 2026-11 device agreement",
            &*shared,
        )))
    }
}

impl DeviceKey {
    /// Its X25519 form, for what is sealed to it while no prekey of it is known.
    pub fn prekey(&self) -> PrekeySecret {
        PrekeySecret::from_bytes(self.0.to_scalar_bytes())
    }
}

impl DeviceId {
    /// The X25519 form of this key; none if it is not a sound one.
    pub fn prekey(&self) -> Option<Prekey> {
        let key = VerifyingKey::from_bytes(self.as_bytes()).ok()?;
        (!key.is_weak()).then(|| Prekey::from_bytes(key.to_montgomery().to_bytes()))
    }
}

impl InviteKey {
    /// The key that this seed stands for.
    pub fn from_seed(seed: &[u8; 15]) -> Self {
        let mut secret = blake3::derive_key("artel 2026-11 invite key", seed);
        let key = Self::from_bytes(&secret);
        secret.zeroize();
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let key = DeviceKey::from_bytes(&[7; 32]);
        assert_eq!(format!("{key:?}"), format!("DeviceKey({:?})", key.id()));
    }

    #[test]
    fn bytes_round_trip_and_sign() {
        let key = MemberKey::generate().unwrap();
        let again = MemberKey::from_bytes(&key.to_bytes());
        let signature = again.sign("tag", &[b"a", b"b"]);
        assert!(key.id().verify("tag", &[b"ab"], &signature));
        assert!(!key.id().verify("other", &[b"ab"], &signature));
        assert!(!key.id().verify("tag", &[b"ac"], &signature));
    }

    #[test]
    fn two_devices_agree_and_a_third_does_not() {
        let [a, b, c] = [1, 2, 3].map(|n| DeviceKey::from_bytes(&[n; 32]));
        let key = a.agree(&b.id()).unwrap();
        assert_eq!(*key, *b.agree(&a.id()).unwrap());
        assert_ne!(*key, *c.agree(&a.id()).unwrap());
        assert_ne!(*key, *c.agree(&b.id()).unwrap());
        let mut weak = [0; 32];
        weak[0] = 1;
        assert!(a.agree(&DeviceId::from_bytes(weak)).is_none());
    }

    #[test]
    fn small_order_keys_verify_nothing() {
        let identity = MemberId::from_bytes({
            let mut point = [0; 32];
            point[0] = 1;
            point
        });
        let mut forged = [0; 64];
        forged[0] = 1;
        assert!(!identity.verify("tag", &[b"any"], &Signature::from_bytes(&forged)));
    }
}
