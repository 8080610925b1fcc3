//! Control entries: what admins and witnesses write, from which the roster and the rooms follow.

use serde::{Deserialize, Serialize};

use crate::{
    certificate::DeviceCertificate,
    genesis::check_name,
    id::{DeviceId, Incarnation, InviteId, MemberId, MessageId, RoomId, SpaceId},
    key::InviteKey,
    limits::{MAX_CHOSEN, MAX_CUTS, MAX_KEPT_JOINS, MAX_SEATS},
    policy::Policy,
    role::Role,
    secret::SecretHash,
    signed::{RecordError, Signature, Signed, Signer},
};

const WHAT: &str = "a control entry";
const JOIN: &str = "artel 2026-11 join";

/// The last record of a feed that a removal still accepts. Feeds that are not listed are cut at zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// Room of the feed.
    pub room: RoomId,
    /// Its device.
    pub device: DeviceId,
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// Last accepted place.
    pub sequence: u64,
    /// Hash of the envelope there.
    pub last: MessageId,
}

/// Who reads and writes in a room.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Audience {
    /// Every member.
    #[default]
    All,
    /// Teachers and owners.
    Teachers,
    /// These members, whatever their role. In ascending order, each once.
    Chosen(Vec<MemberId>),
}

impl Audience {
    /// Whether a member of this role is meant.
    pub fn admits(&self, member: &MemberId, role: Role) -> bool {
        match self {
            Self::All => true,
            Self::Teachers => role >= Role::Teacher,
            Self::Chosen(members) => members.contains(member),
        }
    }
}

/// What a joiner hands to the witness.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinClaim {
    /// The joiner's device certificate, in its wire form.
    pub certificate: Vec<u8>,
    /// Name the joiner goes by.
    pub name: String,
    /// The invite used.
    pub invite: InviteId,
    /// The invite key's signature over space, member, device, witness and name.
    pub proof: Signature,
}

impl JoinClaim {
    /// Claims a place in a space before one witness. The seed of the invite stays with the joiner.
    pub fn new(
        space: &SpaceId,
        certificate: &Signed<DeviceCertificate>,
        name: &str,
        invite: &InviteKey,
        witness: &MemberId,
    ) -> Self {
        let DeviceCertificate { member, device, .. } = certificate.value();
        let proof = invite.sign(
            JOIN,
            &[
                space.as_bytes(),
                member.as_bytes(),
                device.as_bytes(),
                witness.as_bytes(),
                name.as_bytes(),
            ],
        );
        Self {
            certificate: certificate.wire().to_vec(),
            name: name.to_owned(),
            invite: invite.id(),
            proof,
        }
    }

    /// Checks everything that can be checked without knowing the space's state, and gives the certificate.
    ///
    /// # Errors
    /// The certificate, the name or the invite's signature is not sound for this space and witness.
    pub fn verify(
        &self,
        space: &SpaceId,
        witness: &MemberId,
    ) -> Result<Signed<DeviceCertificate>, RecordError> {
        check_name("a join", &self.name)?;
        let certificate = Signed::<DeviceCertificate>::open(&self.certificate)?;
        let DeviceCertificate { member, device, .. } = certificate.value();
        let parts: [&[u8]; 5] = [
            space.as_bytes(),
            member.as_bytes(),
            device.as_bytes(),
            witness.as_bytes(),
            self.name.as_bytes(),
        ];
        if !self.invite.verify(JOIN, &parts, &self.proof) {
            return Err(RecordError::Signature { what: "a join" });
        }
        Ok(certificate)
    }
}

/// One entry of a control feed. Whether it counts is decided by the fold over all of them, not here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Control {
    /// First entry of a space: the first owner's device and name.
    Found {
        /// Device certificate in its wire form.
        certificate: Vec<u8>,
        /// Name the owner goes by.
        name: String,
        /// The first secret.
        epoch: SecretHash,
    },
    /// Creates a room. Its id is [`RoomId::derive`] of space, writing device and nonce.
    RoomCreate {
        /// Makes the id.
        nonce: [u8; 16],
        /// Name of the room.
        name: String,
        /// Who reads it.
        audience: Audience,
    },
    /// Opens an invite.
    InviteCreate {
        /// Public part of its key.
        invite: InviteId,
        /// Role of those who join.
        role: Role,
        /// How many may.
        seats: u32,
        /// Unix milliseconds after which witnesses refuse.
        expires_at: i64,
        /// Whether each one waits for [`Control::Admit`].
        approve: bool,
    },
    /// Ends an invite. Joins that it does not list are void.
    InviteRevoke {
        /// The invite.
        invite: InviteId,
        /// Join entries that stay.
        keep: Vec<MessageId>,
    },
    /// A witness lets a joiner in.
    Join {
        /// What the joiner handed over.
        claim: JoinClaim,
        /// The witness's clock when it judged the invite's expiry, Unix milliseconds.
        judged_at: i64,
    },
    /// Another device of a member, such as one that a backup was restored on. Its certificate speaks for itself.
    Enrol {
        /// Device certificate in its wire form.
        certificate: Vec<u8>,
    },
    /// Makes a pending member a member.
    Admit {
        /// Who.
        member: MemberId,
    },
    /// Removes a member, and begins an epoch: a secret of the space that they do not know.
    Remove {
        /// Who.
        member: MemberId,
        /// What of theirs still counts.
        cuts: Vec<Cut>,
        /// Whether no later invite leads them back, until [`Control::Unbar`].
        barred: bool,
        /// The new secret; none when they leave by themselves.
        epoch: Option<SecretHash>,
    },
    /// Lets later invites lead a barred member back.
    Unbar {
        /// Who.
        member: MemberId,
    },
    /// Ends a device, lost or replaced, of the writer or of one whom the writer may remove; begins an epoch.
    RetireDevice {
        /// Whose it is.
        member: MemberId,
        /// Which.
        device: DeviceId,
        /// What of it still counts.
        cuts: Vec<Cut>,
        /// The new secret.
        epoch: SecretHash,
    },
    /// Begins an epoch for its own sake.
    Rotate {
        /// The new secret.
        epoch: SecretHash,
    },
    /// Changes a role.
    SetRole {
        /// Whose.
        member: MemberId,
        /// The new one.
        role: Role,
        /// What of theirs under a higher former role still counts.
        cuts: Vec<Cut>,
    },
    /// Opens a shared page of a room, in place of the one it had. The page's feeds are those of the room
    /// [`RoomId::derive`] of space, writing device and nonce.
    PageOpen {
        /// Makes the id.
        nonce: [u8; 16],
        /// The room that it belongs to; its readers are the page's.
        room: RoomId,
        /// Whether students edit it. Stays so: to change it, open another page with the same text.
        students: bool,
    },
    /// Erases what a removed member ever said, and their name; they do not come back under their key.
    EraseMember {
        /// Who.
        member: MemberId,
    },
    /// Does nothing but name others as seen, where an entry has no place for all of them.
    Seen,
    /// Sets a rule of the space.
    SetPolicy(Policy),
}

impl Control {
    /// Rules that an entry keeps by itself.
    ///
    /// # Errors
    /// A name, a number or a list is out of bounds.
    pub fn check(&self) -> Result<(), RecordError> {
        let broken = |rule| Err(RecordError::Rule { what: WHAT, rule });
        match self {
            Self::RoomCreate {
                audience: Audience::Chosen(members),
                ..
            } if members.is_empty()
                || members.len() > MAX_CHOSEN
                || !members.is_sorted_by(|a, b| a < b) =>
            {
                broken("a room for chosen members names 1 to 400 of them, each once, in order")
            }
            Self::Found { name, .. } | Self::RoomCreate { name, .. } => check_name(WHAT, name),
            Self::Join { claim, .. } => check_name(WHAT, &claim.name),
            Self::InviteCreate {
                seats,
                role,
                approve,
                ..
            } => {
                if *seats == 0 || *seats > MAX_SEATS {
                    broken("an invite has 1 to 1000 seats")
                } else if *role == Role::Owner {
                    broken("owners are named, not invited")
                } else if *role > Role::Student && (*seats != 1 || !approve) {
                    broken("an invite above student has one seat and needs approval")
                } else {
                    Ok(())
                }
            }
            Self::InviteRevoke { keep, .. } if keep.len() > MAX_KEPT_JOINS => {
                broken("a revocation lists at most 1000 joins")
            }
            Self::Remove { cuts, .. }
            | Self::SetRole { cuts, .. }
            | Self::RetireDevice { cuts, .. }
                if cuts.len() > MAX_CUTS =>
            {
                broken("a removal lists at most 400 cuts")
            }
            Self::SetPolicy(policy) => policy.check(),
            Self::InviteRevoke { .. }
            | Self::Admit { .. }
            | Self::Enrol { .. }
            | Self::Remove { .. }
            | Self::Unbar { .. }
            | Self::RetireDevice { .. }
            | Self::Rotate { .. }
            | Self::EraseMember { .. }
            | Self::Seen
            | Self::PageOpen { .. }
            | Self::SetRole { .. } => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::{Body, Content};

    #[test]
    fn an_entry_keeps_its_rules() {
        // As it comes over the wire: salt, clock and kind before it.
        let taken = |control: Control| {
            let mut wire = vec![0; 24];
            wire.extend(64_u16.to_le_bytes());
            wire.extend(postcard::to_stdvec(&control).unwrap());
            let taken = Body::decode(&wire).is_ok();
            let content = Content::Control(control);
            let (salt, at) = ([0; 16], 0);
            assert_eq!(Body { salt, at, content }.encode().is_ok(), taken);
            taken
        };
        let invite = |role, seats, approve| Control::InviteCreate {
            invite: InviteId::from_bytes([1; 32]),
            role,
            seats,
            expires_at: 0,
            approve,
        };
        for approve in [false, true] {
            assert!(taken(invite(Role::Student, MAX_SEATS, approve)));
            assert!(taken(invite(Role::Observer, 1, approve)));
            assert!(!taken(invite(Role::Student, MAX_SEATS + 1, approve)));
            assert!(!taken(invite(Role::Student, 0, approve)));
            assert!(!taken(invite(Role::Teacher, 2, approve)));
            assert_eq!(taken(invite(Role::Teacher, 1, approve)), approve);
            assert!(!taken(invite(Role::Owner, 1, approve)));
        }
        let members = |bytes: &[u8]| -> Vec<MemberId> {
            bytes
                .iter()
                .map(|n| MemberId::from_bytes([*n; 32]))
                .collect()
        };
        let room = |chosen| Control::RoomCreate {
            nonce: [0; 16],
            name: "Room".into(),
            audience: Audience::Chosen(chosen),
        };
        assert!(taken(room(members(&[1, 2]))));
        for wrong in [&[][..], &[2, 1], &[1, 1]] {
            assert!(!taken(room(members(wrong))), "{wrong:?}");
        }
        let many = (0..=u16::try_from(MAX_CHOSEN).unwrap()).map(|n| {
            let mut bytes = [0; 32];
            bytes[..2].copy_from_slice(&n.to_be_bytes());
            MemberId::from_bytes(bytes)
        });
        assert!(!taken(room(many.clone().collect())));
        assert!(taken(room(many.skip(1).collect())));
        let cut = Cut {
            room: RoomId::from_bytes([1; 32]),
            device: DeviceId::from_bytes([2; 32]),
            incarnation: Incarnation::from_bytes([3; 16]),
            sequence: 1,
            last: MessageId::from_bytes([4; 32]),
        };
        let demote = |cuts| Control::SetRole {
            member: MemberId::from_bytes([1; 32]),
            role: Role::Student,
            cuts,
        };
        assert!(taken(demote(vec![cut; MAX_CUTS])));
        assert!(!taken(demote(vec![cut; MAX_CUTS + 1])));
        let revoke = |joins| Control::InviteRevoke {
            invite: InviteId::from_bytes([1; 32]),
            keep: vec![MessageId::from_bytes([4; 32]); joins],
        };
        assert!(taken(revoke(MAX_KEPT_JOINS)));
        assert!(!taken(revoke(MAX_KEPT_JOINS + 1)));
    }
}
