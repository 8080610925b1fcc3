//! The code a teacher shows while the door of a space is open.
//!
//! 8 characters of Crockford's base32, which has no I, L, O and U, in two groups of four: 40 random bits. The code is
//! never sent: it is the password of a key exchange. Ten bits of its hash are told, the *number* of the door. So a
//! mistyped code finds no door rather than counting as a guess at one, and two doors in one room do not hear one another's
//! guests. 30 bits stay unknown to whoever hears the number.

use std::{fmt, str::FromStr};

use data_encoding::{Encoding, Specification};
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

const BYTES: usize = 5;
const CHARACTERS: usize = 8;
const GROUP: usize = 4;
const NUMBERS: u16 = 1024;

/// Why a text is not the code of a door.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DoorError {
    /// Characters are missing or too many.
    #[error("a class code has 8 letters and digits, this has {found}")]
    Length {
        /// How many there are, without spaces and hyphens.
        found: usize,
    },
    /// A character that codes never hold.
    #[error(
        "{character:?} is never in a class code, which has only digits and the letters A-Z without I, L, O and U"
    )]
    Character {
        /// The character.
        character: char,
    },
}

/// The code of an open door. It leads to an invite, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct DoorCode([u8; BYTES]);

impl DoorCode {
    /// The code of these random bytes.
    pub fn from_bytes(bytes: [u8; BYTES]) -> Self {
        Self(bytes)
    }

    /// The password of the key exchange.
    pub fn secret(&self) -> &[u8] {
        &self.0
    }

    /// What is told of the code, so that only the door that it is for answers.
    pub fn number(&self) -> u16 {
        let hash = blake3::derive_key("artel 2026-11 door number", &self.0);
        let [low, high, ..] = hash;
        u16::from_le_bytes([low, high]) % NUMBERS
    }

    /// Whether a text that someone typed is as long as such a code, and not an invite.
    pub fn is_as_long(text: &str) -> bool {
        text.chars().filter(|c| !is_filler(*c)).count() <= CHARACTERS + GROUP
    }

    fn alphabet() -> Option<Encoding> {
        let mut specification = Specification::new();
        specification
            .symbols
            .push_str("0123456789ABCDEFGHJKMNPQRSTVWXYZ");
        specification.translate.from.push_str("OIL");
        specification.translate.to.push_str("011");
        specification.encoding().ok()
    }
}

/// What people put between the characters of a code.
pub(crate) fn is_filler(c: char) -> bool {
    c.is_whitespace() || matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '_')
}

impl Drop for DoorCode {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Two groups of four, separated by a hyphen.
impl fmt::Display for DoorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = Self::alphabet().ok_or(fmt::Error)?.encode(&self.0);
        let (first, second) = text.split_at_checked(GROUP).ok_or(fmt::Error)?;
        write!(f, "{first}-{second}")
    }
}

impl fmt::Debug for DoorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DoorCode(number {})", self.number())
    }
}

/// Tolerant of case, spaces and hyphens wherever they are, and of O for 0, I and L for 1.
impl FromStr for DoorCode {
    type Err = DoorError;

    fn from_str(text: &str) -> Result<Self, DoorError> {
        let mut clean = Zeroizing::new(String::with_capacity(text.len()));
        let typed = text.chars().filter(|c| !is_filler(*c));
        clean.extend(typed.map(|c| c.to_ascii_uppercase()));
        let found = clean.chars().count();
        if found != CHARACTERS {
            return Err(DoorError::Length { found });
        }
        let unknown = |c: &char| !c.is_ascii_alphanumeric() || *c == 'U';
        if let Some(character) = clean.chars().find(unknown) {
            return Err(DoorError::Character { character });
        }
        let bytes = Self::alphabet().and_then(|alphabet| alphabet.decode(clean.as_bytes()).ok());
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or(DoorError::Length { found })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn code() -> DoorCode {
        DoorCode::from_bytes([0x98, 0x6f, 0x41, 0x76, 0xad])
    }

    #[test]
    fn two_groups_of_four() {
        let text = code().to_string();
        assert_eq!(text, "K1QM-2XND");
        for typed in ["k1qm2xnd", "K1QM 2XND", " kiqm–2xnd\n", "klqm-2xnd"] {
            assert_eq!(typed.parse(), Ok(code()), "{typed:?}");
        }
        assert_eq!(
            format!("{:?}", code()),
            format!("DoorCode(number {})", code().number())
        );
    }

    #[test]
    fn errors_name_what_is_wrong() {
        let check = |text: &str, message: &str| {
            assert_eq!(text.parse::<DoorCode>().unwrap_err().to_string(), message);
        };
        check(
            "K1QM-2XN",
            "a class code has 8 letters and digits, this has 7",
        );
        check(
            "K1QM-2XNU",
            "'U' is never in a class code, which has only digits and the letters A-Z without I, L, O and U",
        );
        check(
            "К1QM-2XND",
            "'К' is never in a class code, which has only digits and the letters A-Z without I, L, O and U",
        );
    }

    #[test]
    fn length_tells_a_code_from_an_invite() {
        assert!(DoorCode::is_as_long("K1QM-2XND"));
        assert!(DoorCode::is_as_long("K1QM-2XN"));
        assert!(!DoorCode::is_as_long(
            "BEEQS-CIJBE-EQSCI-JBEEQ-SCIJZ-DEMRS-GIZDE-MRSGI"
        ));
        assert!(!DoorCode::is_as_long("BEEQS-CIJBE-EQSCI"));
    }

    proptest! {
        #[test]
        fn round_trip(bytes: [u8; 5]) {
            let code = DoorCode::from_bytes(bytes);
            prop_assert!(code.number() < NUMBERS);
            prop_assert_eq!(code.to_string().parse(), Ok(code));
        }

        #[test]
        fn any_text_is_answered(text: String) {
            let _ = text.parse::<DoorCode>();
        }
    }
}
