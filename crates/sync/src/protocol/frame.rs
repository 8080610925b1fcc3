//! What travels between peers: one byte of version, then a [`Frame`] in postcard.

use std::net::SocketAddr;

use artel_domain::{
    DeviceId, Incarnation, InviteId, JoinClaim, MessageId, RoomId, SpaceId, SpaceSecret,
    limits::MAX_FRAME, signed::decode_exact,
};
use serde::{Deserialize, Serialize};

use super::event::Refusal;
use crate::Ports;

/// Version of the frames.
pub(crate) const VERSION: u8 = 1;
/// Tags come in multiples of this many, so that their number does not tell how many spaces there are.
pub(crate) const TAG_PAD: usize = 16;
/// Most tags that one frame may bring.
pub(crate) const MAX_TAGS: usize = 512;
/// Most records in one frame.
pub(crate) const MAX_RECORDS: usize = 128;
/// Records stop being added to a frame beyond this many bytes.
pub(crate) const RECORDS_BYTES: usize = 256 * 1024;
/// Most feeds in one [`Frame::Heads`], rooms in one [`Frame::Rooms`].
pub(crate) const MAX_LISTED: usize = 4_000;
/// Most bodies asked for at once.
pub(crate) const MAX_BODIES: usize = 64;
/// Most secrets in one frame.
pub(crate) const MAX_SECRETS: usize = 256;
/// Feeds in one [`Frame::News`].
pub(crate) const MAX_NEWS: usize = 128;
/// Devices of whom one [`Frame::Around`] speaks, and links of each.
pub(crate) const MAX_SAID: usize = 64;
pub(crate) const MAX_LINKED: usize = 400;
/// Addresses in one [`Frame::Reached`].
pub(crate) const MAX_REACHED: usize = 64;
/// Chunk hashes in one frame.
pub(crate) const LIST_PAGE: usize = 4_096;

/// A hash in a digest.
pub(crate) type Digest = [u8; 32];
/// A blinded tag.
pub(crate) type Tag = [u8; 16];
/// The first bytes of a device's id, where the roster tells which one is meant.
pub(crate) type Short = [u8; 8];

/// With which members' devices a device says that it is linked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Said {
    pub(crate) device: Short,
    /// Grows with each time that it says something else.
    pub(crate) version: u64,
    pub(crate) linked: Vec<Short>,
}

/// Where the sender reached a member's device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reached {
    pub(crate) device: DeviceId,
    pub(crate) at: SocketAddr,
    /// How long ago.
    pub(crate) minutes: u32,
}

/// A record as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Carried {
    pub(crate) envelope: Vec<u8>,
    pub(crate) change: Vec<u8>,
    /// Absent where the sender has none: erased, or not here yet.
    pub(crate) body: Option<Vec<u8>>,
}

/// The ends of a feed; more than one only for a copied profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FeedEnds {
    pub(crate) device: DeviceId,
    pub(crate) incarnation: Incarnation,
    pub(crate) ends: Vec<(u64, MessageId)>,
}

/// What a witness says to a joiner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Verdict {
    /// In. The roster comes next, and then the secrets that it names.
    Member,
    /// Waiting for approval or a seat.
    Pending,
    /// No.
    Refused(Refusal),
}

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Frame {
    /// First on every link, by both.
    Hello { nonce: [u8; 32] },
    /// Blinded tags of the sender's spaces and joins, padded. May come again when they change.
    Tags(Vec<Tag>),
    /// The tags were looked at; whatever matched was answered before this.
    TagsSeen,
    /// The sender's device certificate, for a space in common.
    Prove {
        space: SpaceId,
        certificate: Vec<u8>,
    },
    /// Digest of the control feeds, and of the rooms for one who has proven membership.
    Summary {
        space: SpaceId,
        control: Digest,
        rooms: Option<Digest>,
    },
    /// Digests of the rooms.
    Rooms {
        space: SpaceId,
        rooms: Vec<(RoomId, Digest)>,
    },
    /// The ends of all feeds of a room.
    Heads {
        space: SpaceId,
        room: RoomId,
        feeds: Vec<FeedEnds>,
    },
    /// Asks for records of a feed.
    Want {
        space: SpaceId,
        room: RoomId,
        device: DeviceId,
        incarnation: Incarnation,
        from: u64,
    },
    /// Records of a feed, ascending; `more` if there are more, which are to be asked for.
    Records {
        space: SpaceId,
        room: RoomId,
        device: DeviceId,
        incarnation: Incarnation,
        records: Vec<Carried>,
        more: bool,
    },
    /// The sender holds this record of the receiver's feed and all before it, durably.
    Stored {
        space: SpaceId,
        room: RoomId,
        incarnation: Incarnation,
        sequence: u64,
        last: MessageId,
    },
    /// Asks for bodies.
    WantBodies {
        space: SpaceId,
        records: Vec<MessageId>,
    },
    /// Bodies.
    Bodies {
        space: SpaceId,
        bodies: Vec<(MessageId, Vec<u8>)>,
    },
    /// Asks for the secrets of the latest epochs.
    WantSecrets { space: SpaceId },
    /// Secrets of epochs, by the entries that began them.
    Secrets {
        space: SpaceId,
        epochs: Vec<(MessageId, SpaceSecret)>,
    },
    /// To a joiner whose invite's tag was recognised: the founding, and the certificate of the witness.
    Meet {
        invite: InviteId,
        genesis: Vec<u8>,
        witness: Vec<u8>,
    },
    /// Asks the witness to countersign.
    Join { space: SpaceId, claim: JoinClaim },
    /// The witness's answer.
    Verdict { invite: InviteId, verdict: Verdict },
    /// Asks for hashes of an attachment's chunks.
    WantList {
        message: MessageId,
        index: u8,
        from: u32,
    },
    /// Hashes of an attachment's chunks, joined.
    List {
        message: MessageId,
        index: u8,
        from: u32,
        hashes: Vec<u8>,
    },
    /// Asks for chunks of an attachment.
    WantChunks {
        message: MessageId,
        index: u8,
        chunks: Vec<u32>,
    },
    /// A chunk.
    Chunk {
        message: MessageId,
        index: u8,
        chunk: u32,
        bytes: Vec<u8>,
    },
    /// The sender does not have what was asked of an attachment.
    NoChunks { message: MessageId, index: u8 },
    /// Where the sender listens. Only to proven members.
    Listening(Ports),
    /// Asks for a record by name, and for those that it follows from.
    WantBranch { space: SpaceId, record: MessageId },
    /// A record and some before it, each following from the one before; none if the sender does not have it.
    Branch {
        space: SpaceId,
        record: MessageId,
        records: Vec<Carried>,
    },
    /// Feeds that just grew here, with their ends. Only to members.
    News {
        space: SpaceId,
        room: RoomId,
        feeds: Vec<FeedEnds>,
    },
    /// Who is linked with whom, as far as the receiver has not heard. Only to members.
    Around { space: SpaceId, said: Vec<Said> },
    /// The sender does not need the link: if the receiver does not either, it ends it.
    Spare,
    /// Where members were reached. Only to members of a common space.
    Reached(Vec<Reached>),
}

/// Why bytes are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameError {
    TooLarge,
    Version,
    Damaged,
}

impl Frame {
    /// Wire form.
    pub(crate) fn encode(&self) -> Vec<u8> {
        postcard::to_extend(self, vec![VERSION]).unwrap_or_default()
    }

    /// Decodes bytes from outside; lists longer than an honest peer sends are refused.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        if bytes.len() > MAX_FRAME {
            return Err(FrameError::TooLarge);
        }
        let (version, payload) = bytes.split_first().ok_or(FrameError::Damaged)?;
        if *version != VERSION {
            return Err(FrameError::Version);
        }
        let frame: Self = decode_exact(payload).ok_or(FrameError::Damaged)?;
        let within = match &frame {
            Self::Tags(tags) => tags.len() <= MAX_TAGS,
            Self::Rooms { rooms, .. } => rooms.len() <= MAX_LISTED,
            Self::Heads { feeds, .. } => feeds.len() <= MAX_LISTED,
            Self::Records { records, .. } | Self::Branch { records, .. } => {
                records.len() <= MAX_RECORDS
            }
            Self::News { feeds, .. } => feeds.len() <= MAX_NEWS,
            Self::Around { said, .. } => {
                said.len() <= MAX_SAID && said.iter().all(|said| said.linked.len() <= MAX_LINKED)
            }
            Self::Reached(reached) => reached.len() <= MAX_REACHED,
            Self::WantBodies { records, .. } => records.len() <= MAX_BODIES,
            Self::Bodies { bodies, .. } => bodies.len() <= MAX_BODIES,
            Self::Secrets { epochs, .. } => epochs.len() <= MAX_SECRETS,
            Self::List { hashes, .. } => {
                hashes.len() <= LIST_PAGE * 32 && hashes.len().is_multiple_of(32)
            }
            Self::WantChunks { chunks, .. } => chunks.len() <= 4,
            _ => true,
        };
        if within {
            Ok(frame)
        } else {
            Err(FrameError::TooLarge)
        }
    }
}

/// Decodes a frame and says whether it is one; for fuzzing and property tests.
#[doc(hidden)]
pub fn is_frame(bytes: &[u8]) -> bool {
    Frame::decode(bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn round_trip_and_limits() {
        let frame = Frame::Hello { nonce: [7; 32] };
        let bytes = frame.encode();
        assert_eq!(Frame::decode(&bytes), Ok(frame));
        assert_eq!(Frame::decode(&[]), Err(FrameError::Damaged));
        assert_eq!(Frame::decode(&[9, 0]), Err(FrameError::Version));
        assert_eq!(
            Frame::decode(&[bytes.as_slice(), &[0]].concat()),
            Err(FrameError::Damaged)
        );
        assert_eq!(
            Frame::decode(&vec![VERSION; MAX_FRAME + 1]),
            Err(FrameError::TooLarge)
        );
        let tags = Frame::Tags(vec![[0; 16]; MAX_TAGS + 1]).encode();
        assert_eq!(Frame::decode(&tags), Err(FrameError::TooLarge));
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(mut bytes: Vec<u8>, variant in 0_u8..31) {
            let _ = Frame::decode(&bytes);
            bytes.splice(0..0, [VERSION, variant]);
            let _ = Frame::decode(&bytes);
        }
    }
}
