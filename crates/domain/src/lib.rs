//! The words of Artel: ids, keys, signed records, roles, invites and safe file names.
//!
//! Nothing here does I/O, keeps state or reads a clock. Everything that arrives from outside is decoded here, with a
//! size limit, an exact signature check and an error that names what is wrong.
//!
//! | module | what it holds |
//! |---|---|
//! | [`id`] | public keys and hashes under their own types |
//! | [`key`] | secret keys; erased from memory when dropped |
//! | [`signed`] | a value together with the exact bytes that were signed |
//! | [`genesis`], [`certificate`], [`envelope`] | the three things that are signed for good |
//! | [`register`], [`linked`] | signed values that replace one another |
//! | [`body`], [`attachment`], [`control`] | what a record says |
//! | [`sealed`] | bodies that only the devices of their readers open |
//! | [`role`], [`policy`] | who may do what, and what those who run a space may change |
//! | [`secret`] | what the members of a space share |
//! | [`invite`], [`door`] | the codes a person types to join |
//! | [`file_name`] | names that are safe to write to a disk |
//! | [`limits`] | every size limit, in one place |

pub mod attachment;
pub mod body;
pub mod certificate;
pub mod control;
pub mod door;
pub mod envelope;
pub mod file_name;
pub mod genesis;
pub mod id;
pub mod invite;
pub mod key;
pub mod limits;
pub mod linked;
pub mod policy;
pub mod register;
pub mod role;
pub mod sealed;
pub mod secret;
pub mod signed;

pub use attachment::{Attachment, FileDigest, FileId};
pub use body::{Body, Content, Manifest};
pub use certificate::DeviceCertificate;
pub use control::{Audience, Control, Cut, JoinClaim};
pub use door::DoorCode;
pub use envelope::Envelope;
pub use file_name::sanitize;
pub use genesis::Genesis;
pub use id::{
    BodyHash, ChangeHash, DeviceId, FileHash, Incarnation, InviteId, MemberId, MessageId, RoomId,
    SpaceId,
};
pub use invite::InviteCode;
pub use key::{DeviceKey, InviteKey, MemberKey};
pub use linked::Linked;
pub use policy::{History, Policy};
pub use register::{Register, Topic};
pub use role::{Permission, Role};
pub use sealed::{Evidence, Letter, Prekey, PrekeySecret, Report, Sealed};
pub use secret::{SecretHash, SpaceSecret};
pub use signed::{RecordError, Signed};
