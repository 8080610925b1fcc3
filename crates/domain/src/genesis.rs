//! The founding of a space.

use serde::{Deserialize, Serialize};

use crate::{
    file_name::is_invisible,
    id::{MemberId, SpaceId},
    key::MemberKey,
    limits::{MAX_GENESIS, MAX_NAME},
    signed::{RecordError, Signable, Signed},
};

/// The founding of a space, signed by its first owner. The space's id is the hash of the signed form, so an invite
/// that carries the id needs nothing else to recognise the space.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Genesis {
    /// First owner.
    pub owner: MemberId,
    /// Name of the space.
    pub name: String,
    /// Makes spaces of one name and owner differ.
    pub nonce: [u8; 16],
    /// Owner's clock, Unix milliseconds; only shown.
    pub at: i64,
}

impl Signable for Genesis {
    const WHAT: &'static str = "the founding of a space";
    const TAG: &'static str = "artel 2026-11 genesis";
    const VERSION: u8 = 1;
    const LIMIT: usize = MAX_GENESIS;

    fn signer(&self) -> &[u8; 32] {
        self.owner.as_bytes()
    }

    fn check(&self) -> Result<(), RecordError> {
        check_name(Self::WHAT, &self.name)
    }
}

/// Whether a name holds characters that are not seen. What joins two emoji is none of them.
fn hides(name: &str) -> bool {
    let mut before = 'x';
    name.chars().any(|c| {
        let joins = c == '\u{200d}' && !before.is_alphanumeric();
        before = c;
        is_invisible(c) && !joins
    })
}

/// A name is not empty, not too long, and holds no characters that are controls or cannot be seen.
pub(crate) fn check_name(what: &'static str, name: &str) -> Result<(), RecordError> {
    let rule = if name.trim().is_empty() {
        "a name is not empty"
    } else if name.len() > MAX_NAME {
        "a name has at most 200 bytes"
    } else if hides(name) {
        "a name holds no control or invisible characters"
    } else {
        return Ok(());
    };
    Err(RecordError::Rule { what, rule })
}

impl Signed<Genesis> {
    /// Founds a space.
    ///
    /// # Errors
    /// The name is empty, too long or holds control characters.
    pub fn found(
        owner: &MemberKey,
        name: &str,
        nonce: [u8; 16],
        at: i64,
    ) -> Result<Self, RecordError> {
        Self::seal(
            Genesis {
                owner: owner.id(),
                name: name.to_owned(),
                nonce,
                at,
            },
            owner,
        )
    }

    /// Id of the space.
    pub fn space(&self) -> SpaceId {
        SpaceId::from_bytes(*self.hash())
    }
}
