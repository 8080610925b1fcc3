//! What a device says of its own links, signed so that others can pass it on and nobody can say it for them.
//!
//! It replaces what the device said before, is kept by nobody for good, and decides nothing but who is shown as being
//! there and whom to dial.

use serde::{Deserialize, Serialize};

use crate::{
    id::{DeviceId, SpaceId},
    limits::{MAX_LINKED, MAX_POSITION},
    signed::{RecordError, Signable},
};

const WHAT: &str = "what a device says of its links";

/// The first bytes of a device's id, where the roster tells which one is meant.
pub type Short = [u8; 8];

/// With which members' devices a device is linked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Linked {
    /// Space.
    pub space: SpaceId,
    /// Device that says so.
    pub device: DeviceId,
    /// Grows with each time that it says something else.
    pub version: u64,
    /// The others.
    pub linked: Vec<Short>,
}

impl Signable for Linked {
    const WHAT: &'static str = WHAT;
    const TAG: &'static str = "artel 2026-11 linked";
    const VERSION: u8 = 1;
    /// What goes before the list, and the list.
    const LIMIT: usize = 256 + MAX_LINKED * size_of::<Short>();

    fn signer(&self) -> &[u8; 32] {
        self.device.as_bytes()
    }

    fn check(&self) -> Result<(), RecordError> {
        let rule = if self.linked.len() > MAX_LINKED {
            "a device has at most 400 links"
        } else if self.version > MAX_POSITION {
            // So that the one after it always has a number.
            "versions are at most 2^62"
        } else {
            return Ok(());
        };
        Err(RecordError::Rule { what: WHAT, rule })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{key::DeviceKey, signed::Signed};

    fn sealed(version: u64, links: usize) -> Result<Signed<Linked>, RecordError> {
        let key = DeviceKey::from_bytes(&[3; 32]);
        let linked = Linked {
            space: SpaceId::from_bytes([1; 32]),
            device: key.id(),
            version,
            linked: vec![[7; 8]; links],
        };
        Signed::seal(linked, &key)
    }

    #[test]
    fn it_comes_back_as_it_was_and_keeps_its_rules() {
        let largest = sealed(MAX_POSITION, MAX_LINKED).unwrap();
        let opened = Signed::<Linked>::open(largest.wire()).unwrap();
        assert_eq!(opened, largest);
        for (version, links) in [(MAX_POSITION + 1, 0), (0, MAX_LINKED + 1)] {
            let refused = sealed(version, links);
            assert!(
                matches!(refused, Err(RecordError::Rule { .. })),
                "{refused:?}"
            );
        }
    }
}
