//! Ids: public keys and hashes, each under its own type so that one cannot stand in for another.

use std::{fmt, str::FromStr};

use data_encoding::HEXLOWER_PERMISSIVE;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a text is not an id.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IdError {
    /// The text has the wrong number of characters.
    #[error("{kind} has {expected} hexadecimal characters, this has {found}")]
    Length {
        /// What was to be read, such as "a room id".
        kind: &'static str,
        /// How many characters it has.
        expected: usize,
        /// How many were given.
        found: usize,
    },
    /// A character is not hexadecimal.
    #[error("{kind} has only the characters 0-9 and a-f; character {position} is another")]
    Character {
        /// What was to be read.
        kind: &'static str,
        /// Place of the first wrong character, from 1.
        position: usize,
    },
}

fn parse_hex<const N: usize>(text: &str, kind: &'static str) -> Result<[u8; N], IdError> {
    let text = text.trim();
    let found = text.chars().count();
    if found != N * 2 {
        return Err(IdError::Length {
            kind,
            expected: N * 2,
            found,
        });
    }
    if let Some(position) = text.chars().position(|c| !c.is_ascii_hexdigit()) {
        return Err(IdError::Character {
            kind,
            position: position + 1,
        });
    }
    let mut bytes = [0; N];
    HEXLOWER_PERMISSIVE
        .decode_mut(text.as_bytes(), &mut bytes)
        .map_err(|e| IdError::Character {
            kind,
            position: e.error.position + 1,
        })?;
    Ok(bytes)
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident, $len:literal, $kind:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name([u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// The id made of these bytes.
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// Its bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = IdError;

            fn try_from(bytes: &[u8]) -> Result<Self, IdError> {
                bytes.try_into().map(Self).map_err(|_| IdError::Length {
                    kind: $kind,
                    expected: $len * 2,
                    found: bytes.len() * 2,
                })
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        /// Lower-case hexadecimal.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let short = self.0.get(..4).unwrap_or_default();
                write!(f, concat!(stringify!($name), "({})"), data_encoding::HEXLOWER.encode(short))
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse_hex(text, $kind).map(Self)
            }
        }
    )+};
}

ids! {
    /// A person: the public part of the member key.
    MemberId, 32, "a member id";
    /// An installation: the public part of the device key, which is also its identity on the network.
    DeviceId, 32, "a device id";
    /// The public part of an invite's key.
    InviteId, 32, "an invite id";
    /// A space: the hash of its signed founding.
    SpaceId, 32, "a space id";
    /// A room, derived from the space, its creator's device and a nonce.
    RoomId, 32, "a room id";
    /// A record: the hash of its signed envelope.
    MessageId, 32, "a message id";
    /// The hash of a body.
    BodyHash, 32, "a body hash";
    /// The hash of an automerge change.
    ChangeHash, 32, "a change hash";
    /// BLAKE3 of a whole file.
    FileHash, 32, "a file hash";
    /// One unbroken life of a device's feeds, also the automerge actor; a new one begins after a restore or a copy.
    Incarnation, 16, "an incarnation";
}

impl SpaceId {
    /// The room that holds the space's control feeds. It is never listed as a room.
    pub fn control_room(&self) -> RoomId {
        RoomId(blake3::derive_key("artel 2026-11 control room", &self.0))
    }
}

impl RoomId {
    /// The room that `creator` makes in `space` with this nonce. Nobody else can make a room of the same id.
    pub fn derive(space: &SpaceId, creator: &DeviceId, nonce: &[u8; 16]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("artel 2026-11 room");
        hasher.update(&space.0).update(&creator.0).update(nonce);
        Self(*hasher.finalize().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_round_trip() {
        let id = RoomId::from_bytes([0xab; 32]);
        assert_eq!(id.to_string().parse::<RoomId>().unwrap(), id);
        assert_eq!(id.to_string().to_uppercase().parse::<RoomId>().unwrap(), id);
        assert_eq!(format!("{id:?}"), "RoomId(abababab)");
    }

    #[test]
    fn errors_name_what_is_wrong() {
        let check = |text: &str, message: &str| {
            assert_eq!(text.parse::<RoomId>().unwrap_err().to_string(), message);
        };
        check("ab", "a room id has 64 hexadecimal characters, this has 2");
        check(
            &"аб".repeat(32),
            "a room id has only the characters 0-9 and a-f; character 1 is another",
        );
        check(
            &format!("{}x", "a".repeat(63)),
            "a room id has only the characters 0-9 and a-f; character 64 is another",
        );
    }
}
