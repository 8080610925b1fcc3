//! The recovery code of a profile: a second way to its database key, for one who forgot the passphrase.
//!
//! 30 characters of base32 in six groups of five: 120 random bits, and in each group a fifth character that tells whether
//! the other four are as they were written down. The check of a group is over GF(32) and starts from the group's number:
//! one wrong character, two that changed places and two groups that did are always noticed.
//!
//! A code that nobody can guess needs no slow derivation: the key that wraps the database key comes from it with BLAKE3.

use std::{fmt, str::FromStr};

use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead as _, KeyInit as _, Payload},
};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{
    StoreError,
    key::{DatabaseKey, WRAPPED_LEN},
};

const SECRET: usize = 15;
const GROUPS: usize = 6;
const GROUP: usize = 5;
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const WRAP_CONTEXT: &str = "artel 2026-11 profile recovery wrap v1";
const BOUND: &[u8] = b"artel recovery v1";

/// Why a text is not a recovery code.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RecoveryError {
    /// Characters are missing or too many.
    #[error(
        "a recovery code has 30 letters and digits, this has {found}; check that all six groups of five are there"
    )]
    Length {
        /// How many there are, without spaces and hyphens.
        found: usize,
    },
    /// A character that codes never hold.
    #[error(
        "{character:?} in group {group} is never in a recovery code, which has only the letters A-Z and the digits 2-7"
    )]
    Character {
        /// The character.
        character: char,
        /// Its group, from 1.
        group: usize,
    },
    /// A group is not as it was written down.
    #[error("group {group} is mistyped: compare it with what you wrote down")]
    Group {
        /// The group, from 1. What was typed is not told: it may be all but one character of the code's.
        group: usize,
    },
}

/// A recovery code. It opens the profile, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct RecoveryCode([u8; SECRET]);

impl RecoveryCode {
    /// A new random code.
    ///
    /// # Errors
    /// The operating system gave no random bytes.
    pub fn random() -> Result<Self, StoreError> {
        let mut secret = [0; SECRET];
        getrandom::fill(&mut secret)?;
        Ok(Self(secret))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        let key = Zeroizing::new(blake3::derive_key(WRAP_CONTEXT, &self.0));
        XChaCha20Poly1305::new((&*key).into())
    }

    /// The 24 characters that hold the secret, as numbers.
    fn symbols(&self) -> Zeroizing<Vec<u8>> {
        let (mut symbols, mut held, mut bits) = (Zeroizing::new(Vec::with_capacity(24)), 0_u32, 0);
        for byte in self.0 {
            held = (held << 8) | u32::from(byte);
            bits += 8;
            while bits >= 5 {
                bits -= 5;
                symbols.push(low_five(held >> bits));
            }
        }
        symbols
    }
}

fn low_five(bits: u32) -> u8 {
    let [low, ..] = (bits & 31).to_le_bytes();
    low
}

/// Doubles in GF(32), which has the polynomial x⁵ + x² + 1.
fn double(x: u8) -> u8 {
    let y = x << 1;
    if y & 32 == 0 { y } else { (y ^ 0b10_0101) & 31 }
}

/// The fifth character of a group.
fn check(group: u8, symbols: &[u8]) -> u8 {
    double(
        symbols
            .iter()
            .fold(group, |sum, symbol| double(sum) ^ symbol),
    )
}

/// Six groups of five, separated by hyphens.
impl fmt::Display for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (group, symbols) in (1_u8..).zip(self.symbols().chunks(GROUP - 1)) {
            if group > 1 {
                f.write_str("-")?;
            }
            for symbol in symbols.iter().copied().chain([check(group, symbols)]) {
                let letter = ALPHABET.get(usize::from(symbol)).copied().unwrap_or(b'?');
                write!(f, "{}", char::from(letter))?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(…)")
    }
}

/// Tolerant of case, spaces and hyphens wherever they are, and of 0 for O, 1 for I and 8 for B, which it never holds.
impl FromStr for RecoveryCode {
    type Err = RecoveryError;

    fn from_str(text: &str) -> Result<Self, RecoveryError> {
        let filler = |c: &char| {
            c.is_whitespace() || matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '_')
        };
        let mut typed = Zeroizing::new(Vec::with_capacity(GROUPS * GROUP));
        let mut found = 0_usize;
        for character in text.chars().filter(|c| !filler(c)) {
            let upper = match character.to_ascii_uppercase() {
                '0' => 'O',
                '1' => 'I',
                '8' => 'B',
                other => other,
            };
            let symbol = (0_u8..)
                .zip(ALPHABET)
                .find(|(_, c)| char::from(**c) == upper);
            let Some((symbol, _)) = symbol else {
                let group = found / GROUP + 1;
                return Err(RecoveryError::Character { character, group });
            };
            found += 1;
            if found <= GROUPS * GROUP {
                typed.push(symbol);
            }
        }
        if found != GROUPS * GROUP {
            return Err(RecoveryError::Length { found });
        }
        let (mut secret, mut held, mut bits) = (Zeroizing::new(Vec::new()), 0_u32, 0);
        for (number, group) in (1_u8..).zip(typed.chunks(GROUP)) {
            let Some((last, symbols)) = group.split_last() else {
                continue;
            };
            if *last != check(number, symbols) {
                return Err(RecoveryError::Group {
                    group: number.into(),
                });
            }
            for symbol in symbols {
                held = (held << 5) | u32::from(*symbol);
                bits += 5;
                if bits >= 8 {
                    bits -= 8;
                    let [low, ..] = (held >> bits).to_le_bytes();
                    secret.push(low);
                }
            }
        }
        let secret = secret.as_slice().try_into();
        secret
            .map(Self)
            .map_err(|_| RecoveryError::Length { found })
    }
}

/// The database key, wrapped under a recovery code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recovery {
    nonce: [u8; 24],
    wrapped: Vec<u8>,
}

impl Recovery {
    /// Wraps a key. It is bound to the member alone: a restored profile has the same key and goes on with the same code.
    pub(crate) fn seal(
        code: &RecoveryCode,
        key: &DatabaseKey,
        member: &[u8; 32],
    ) -> Result<Self, StoreError> {
        let mut nonce = [0; 24];
        getrandom::fill(&mut nonce)?;
        let bound = [BOUND, member.as_slice()].concat();
        let payload = Payload {
            msg: key.bytes(),
            aad: &bound,
        };
        let wrapped = code.cipher().encrypt(&XNonce::from(nonce), payload);
        let wrapped =
            wrapped.map_err(|_| StoreError::Misuse("the database key cannot be wrapped"))?;
        Ok(Self { nonce, wrapped })
    }

    /// Unwraps the key, or says that the code is another's, or is void.
    pub(crate) fn unseal(
        &self,
        code: &RecoveryCode,
        member: &[u8; 32],
    ) -> Result<DatabaseKey, StoreError> {
        let bound = [BOUND, member.as_slice()].concat();
        let payload = Payload {
            msg: self.wrapped.as_slice(),
            aad: &bound,
        };
        let plain = code.cipher().decrypt(&XNonce::from(self.nonce), payload);
        let plain = Zeroizing::new(plain.map_err(|_| StoreError::WrongRecovery)?);
        let key = <[u8; 32]>::try_from(plain.as_slice()).map_err(|_| StoreError::WrongRecovery)?;
        Ok(DatabaseKey::from_bytes(key))
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.wrapped.len() == WRAPPED_LEN
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn six_groups_of_five() {
        let code = RecoveryCode([0; SECRET]);
        assert_eq!(code.to_string(), "AAAAF-AAAAK-AAAAP-AAAAU-AAAAR-AAAA6");
        let text = RecoveryCode([0x5a; SECRET]).to_string();
        for typed in [
            text.to_lowercase(),
            text.replace('-', ""),
            text.replace('-', " – "),
        ] {
            assert_eq!(typed.parse(), Ok(RecoveryCode([0x5a; SECRET])), "{typed}");
        }
    }

    #[test]
    fn what_is_missing_or_foreign_is_named() {
        let text = RecoveryCode([0x5a; SECRET]).to_string();
        let of = |typed: &str| typed.parse::<RecoveryCode>().unwrap_err();
        assert_eq!(of(""), RecoveryError::Length { found: 0 });
        assert_eq!(of(&text[..29]), RecoveryError::Length { found: 25 });
        assert_eq!(of(&format!("{text}A")), RecoveryError::Length { found: 31 });
        let foreign = format!("{}Я{}", &text[..13], &text[14..]);
        let (character, group) = ('Я', 3);
        assert_eq!(of(&foreign), RecoveryError::Character { character, group });
    }

    #[test]
    fn only_the_same_code_and_member_unwrap() {
        let key = DatabaseKey::random().unwrap();
        let code = RecoveryCode::random().unwrap();
        let recovery = Recovery::seal(&code, &key, &[1; 32]).unwrap();
        assert!(recovery.is_sound());
        let opened = recovery.unseal(&code, &[1; 32]).unwrap();
        assert_eq!(opened.bytes(), key.bytes());
        let other = RecoveryCode::random().unwrap();
        for (code, member) in [(&other, [1; 32]), (&code, [2; 32])] {
            let refused = recovery.unseal(code, &member);
            assert!(matches!(refused, Err(StoreError::WrongRecovery)));
        }
    }

    #[test]
    fn debug_shows_no_code() {
        assert_eq!(
            format!("{:?}", RecoveryCode([7; SECRET])),
            "RecoveryCode(…)"
        );
    }

    proptest! {
        #[test]
        fn round_trip(secret: [u8; SECRET]) {
            let code = RecoveryCode(secret);
            prop_assert_eq!(code.to_string().parse(), Ok(code));
        }

        #[test]
        fn a_slip_is_noticed_and_its_group_named(secret: [u8; SECRET], at in 0_usize..30, to in 0_usize..32, swap: bool) {
            let text = RecoveryCode(secret).to_string().replace('-', "");
            let mut typed = text.clone().into_bytes();
            if swap {
                typed.swap(at, (at + 1).min(at / GROUP * GROUP + GROUP - 1));
            } else {
                typed[at] = ALPHABET[to];
            }
            let typed = String::from_utf8(typed).unwrap();
            prop_assume!(typed != text);
            let named = matches!(
                typed.parse::<RecoveryCode>(),
                Err(RecoveryError::Group { group, .. }) if group == at / GROUP + 1
            );
            prop_assert!(named, "{} for {}", typed, text);
        }

        #[test]
        fn groups_in_another_order_are_noticed(secret: [u8; SECRET], one in 0_usize..6, other in 0_usize..6) {
            let text = RecoveryCode(secret).to_string();
            let mut groups: Vec<&str> = text.split('-').collect();
            prop_assume!(groups[one] != groups[other]);
            groups.swap(one, other);
            prop_assert!(groups.concat().parse::<RecoveryCode>().is_err());
        }

        #[test]
        fn any_text_is_answered(text: String) {
            let _ = text.parse::<RecoveryCode>();
        }
    }
}
