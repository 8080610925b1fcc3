//! The code a person types to join a space.
//!
//! 40 characters of base32 (RFC 4648) in eight groups of five: a seed of 15 bytes, then the first 10 bytes of the
//! space's id. Everything else about the invite is fetched from a member; the seed is never sent.

use std::{fmt, str::FromStr};

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use thiserror::Error;
use zeroize::Zeroize;

use crate::{door::is_filler, id::SpaceId, key::InviteKey};

const SEED: usize = 15;
const PREFIX: usize = 10;
const CHARACTERS: usize = 40;
const GROUP: usize = 5;

/// Why a text is not an invite.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InviteError {
    /// Nothing was given.
    #[error("the invite is empty; it is a code of 40 letters and digits")]
    Empty,
    /// Characters are missing or too many.
    #[error(
        "an invite has 40 letters and digits, this has {found}; check that all eight groups are there"
    )]
    Length {
        /// How many there are, without spaces and hyphens.
        found: usize,
    },
    /// A character that invites never hold.
    #[error(
        "{character:?} in group {group} is never in an invite, which has only the letters A-Z and the digits 2-7"
    )]
    Character {
        /// The character.
        character: char,
        /// Its group, from 1.
        group: usize,
    },
}

/// An invite's code. It opens the space to whoever holds it, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct InviteCode {
    seed: [u8; SEED],
    prefix: [u8; PREFIX],
}

impl InviteCode {
    /// The code of an invite into `space`.
    pub fn new(seed: [u8; SEED], space: &SpaceId) -> Self {
        let mut prefix = [0; PREFIX];
        prefix
            .iter_mut()
            .zip(space.as_bytes())
            .for_each(|(to, from)| *to = *from);
        Self { seed, prefix }
    }

    /// The invite's key.
    pub fn key(&self) -> InviteKey {
        InviteKey::from_seed(&self.seed)
    }

    /// Whether it leads into this space.
    pub fn leads_to(&self, space: &SpaceId) -> bool {
        space.as_bytes().starts_with(&self.prefix)
    }
}

impl Drop for InviteCode {
    fn drop(&mut self) {
        self.seed.zeroize();
    }
}

/// Eight groups of five, separated by hyphens.
impl fmt::Display for InviteCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; SEED + PREFIX];
        bytes
            .iter_mut()
            .zip(self.seed.iter().chain(&self.prefix))
            .for_each(|(to, from)| *to = *from);
        for (i, c) in BASE32_NOPAD.encode(&bytes).chars().enumerate() {
            if i > 0 && i.is_multiple_of(GROUP) {
                f.write_str("-")?;
            }
            write!(f, "{c}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for InviteCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InviteCode(into {}…)", HEXLOWER.encode(&self.prefix))
    }
}

/// Tolerant of case, spaces and hyphens wherever they are.
impl FromStr for InviteCode {
    type Err = InviteError;

    fn from_str(text: &str) -> Result<Self, InviteError> {
        let mut clean = String::with_capacity(CHARACTERS);
        let mut found = 0_usize;
        let mut wrong = None;
        for c in text.chars() {
            if is_filler(c) {
                continue;
            }
            let upper = c.to_ascii_uppercase();
            if !matches!(upper, 'A'..='Z' | '2'..='7') && wrong.is_none() {
                wrong = Some(InviteError::Character {
                    character: c,
                    group: found / GROUP + 1,
                });
            }
            found += 1;
            if found <= CHARACTERS {
                clean.push(upper);
            }
        }
        if found == 0 {
            return Err(InviteError::Empty);
        }
        if let Some(wrong) = wrong {
            return Err(wrong);
        }
        let bytes = BASE32_NOPAD
            .decode(clean.as_bytes())
            .map_err(|_| InviteError::Length { found })?;
        if found != CHARACTERS {
            return Err(InviteError::Length { found });
        }
        let parts = bytes
            .split_first_chunk::<SEED>()
            .and_then(|(seed, rest)| Some((*seed, *rest.first_chunk::<PREFIX>()?)));
        let (seed, prefix) = parts.ok_or(InviteError::Length { found })?;
        Ok(Self { seed, prefix })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn code() -> InviteCode {
        InviteCode::new([9; 15], &SpaceId::from_bytes([200; 32]))
    }

    #[test]
    fn eight_groups_of_five() {
        let text = code().to_string();
        assert_eq!(text, "BEEQS-CIJBE-EQSCI-JBEEQ-SCIJZ-DEMRS-GIZDE-MRSGI");
        assert!(code().leads_to(&SpaceId::from_bytes([200; 32])));
        assert!(!code().leads_to(&SpaceId::from_bytes([201; 32])));
    }

    #[test]
    fn tolerant_of_how_people_type() {
        let text = code().to_string();
        for typed in [
            text.to_lowercase(),
            text.replace('-', ""),
            text.replace('-', " "),
            text.replace('-', "–"),
            format!("  {text}\n"),
        ] {
            assert_eq!(typed.parse::<InviteCode>(), Ok(code()), "{typed:?}");
        }
    }

    #[test]
    fn errors_name_what_is_wrong() {
        let check = |text: &str, message: &str| {
            assert_eq!(text.parse::<InviteCode>().unwrap_err().to_string(), message);
        };
        check(
            "",
            "the invite is empty; it is a code of 40 letters and digits",
        );
        check(
            "BEEQS-CIJBE",
            "an invite has 40 letters and digits, this has 10; check that all eight groups are there",
        );
        check(
            "BEEQS-CIJB1-EQSCI",
            "'1' in group 2 is never in an invite, which has only the letters A-Z and the digits 2-7",
        );
        check(
            "ВEEQS",
            "'В' in group 1 is never in an invite, which has only the letters A-Z and the digits 2-7",
        );
        let long = format!("{}A", code());
        check(
            &long,
            "an invite has 40 letters and digits, this has 41; check that all eight groups are there",
        );
    }

    #[test]
    fn debug_shows_no_seed() {
        assert_eq!(
            format!("{:?}", code()),
            "InviteCode(into c8c8c8c8c8c8c8c8c8c8…)"
        );
    }

    proptest! {
        #[test]
        fn round_trip(seed: [u8; 15], space: [u8; 32]) {
            let code = InviteCode::new(seed, &SpaceId::from_bytes(space));
            prop_assert_eq!(code.to_string().parse::<InviteCode>(), Ok(code));
        }

        #[test]
        fn any_text_is_answered(text: String) {
            let _ = text.parse::<InviteCode>();
        }
    }
}
