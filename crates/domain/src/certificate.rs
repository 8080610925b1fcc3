//! Which device belongs to which person.

use serde::{Deserialize, Serialize};

use crate::{
    id::{DeviceId, MemberId},
    key::{DeviceKey, MemberKey},
    limits::MAX_CERTIFICATE,
    signed::{RecordError, Signable, Signature, Signed, Signer},
};

const POSSESSION: &str = "artel 2026-11 device possession";

/// A member's word that a device is theirs. The device signs as well, so that nobody can claim another's device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceCertificate {
    /// The person.
    pub member: MemberId,
    /// The installation.
    pub device: DeviceId,
    /// The device's signature over the member's id.
    pub possession: Signature,
}

impl Signable for DeviceCertificate {
    const WHAT: &'static str = "a device certificate";
    const TAG: &'static str = "artel 2026-11 device certificate";
    const VERSION: u8 = 1;
    const LIMIT: usize = MAX_CERTIFICATE;

    fn signer(&self) -> &[u8; 32] {
        self.member.as_bytes()
    }

    fn check(&self) -> Result<(), RecordError> {
        if self
            .device
            .verify(POSSESSION, &[self.member.as_bytes()], &self.possession)
        {
            Ok(())
        } else {
            Err(RecordError::Rule {
                what: Self::WHAT,
                rule: "the device signs for its member",
            })
        }
    }
}

impl Signed<DeviceCertificate> {
    /// Certifies a device.
    ///
    /// # Errors
    /// Those of [`Signed::seal`]; with keys of this crate there is none to meet.
    pub fn issue(member: &MemberKey, device: &DeviceKey) -> Result<Self, RecordError> {
        let possession = device.sign(POSSESSION, &[member.id().as_bytes()]);
        Self::seal(
            DeviceCertificate {
                member: member.id(),
                device: device.id(),
                possession,
            },
            member,
        )
    }
}
