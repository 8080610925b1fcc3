//! What travels between peers: one byte of version, then a [`Frame`] in postcard.

use std::net::SocketAddr;

use artel_domain::{
    DeviceId, Incarnation, InviteId, JoinClaim, MessageId, RoomId, SpaceId, SpaceSecret,
    limits::{CHUNK, MAX_FILE, MAX_FRAME},
    signed::decode_exact,
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
/// Chunks in one [`Frame::Gained`].
pub(crate) const MAX_GAINED: usize = 256;
/// Bytes that have a bit for each chunk of the largest file.
const MAX_BITS: usize = (MAX_FILE / CHUNK as u64 / 8) as usize;
/// Most registers in one frame.
pub(crate) const MAX_REGISTERS: usize = 1_000;
/// Most cells of registers asked for at once.
pub(crate) const MAX_CELLS: usize = 32;
/// Longest encrypted invite.
pub(crate) const MAX_SEALED: usize = 64;
/// Feeds in one [`Frame::News`].
pub(crate) const MAX_NEWS: usize = 128;
/// Devices of whom one [`Frame::Around`] speaks.
pub(crate) const MAX_SAID: usize = 64;
/// Addresses in one [`Frame::Reached`].
pub(crate) const MAX_REACHED: usize = 64;
/// Chunk hashes in one frame.
pub(crate) const LIST_PAGE: usize = 4_096;

/// A hash in a digest.
pub(crate) type Digest = [u8; 32];
/// A blinded tag.
pub(crate) type Tag = [u8; 16];
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

/// What a device has in one cell of a room's registers: the cell's number, and a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) device: DeviceId,
    pub(crate) number: u8,
    pub(crate) digest: [u8; 16],
}

/// Of an answer in several frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Part {
    /// Others follow.
    More,
    /// The last.
    Last,
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
    /// The sender fetches an attachment and holds these of its chunks, a bit each; asks what the receiver holds.
    WantHolding {
        message: MessageId,
        index: u8,
        bits: Vec<u8>,
    },
    /// The sender holds these chunks of an attachment; `follows` if it fetches it as well and is to be told of more.
    Holding {
        message: MessageId,
        index: u8,
        bits: Vec<u8>,
        follows: bool,
    },
    /// The sender came to hold these as well.
    Gained {
        message: MessageId,
        index: u8,
        chunks: Vec<u32>,
    },
    /// Asks for the latest messages of a room, to be shown before the rest has come.
    WantLatest { space: SpaceId, room: RoomId },
    /// The latest messages of a room with their edits, ascending, each with its body and without its change.
    Latest {
        space: SpaceId,
        room: RoomId,
        records: Vec<Carried>,
    },
    /// Digest of the registers of all rooms in common, the control room among them.
    RegisterSummary { space: SpaceId, digest: Digest },
    /// Digests of the registers of each room.
    RegisterRooms {
        space: SpaceId,
        rooms: Vec<(RoomId, Digest)>,
    },
    /// What the sender has of a room's registers.
    RegisterCells {
        space: SpaceId,
        room: RoomId,
        cells: Vec<Cell>,
    },
    /// Asks for the registers of these cells.
    WantRegisters {
        space: SpaceId,
        room: RoomId,
        cells: Vec<(DeviceId, u8)>,
    },
    /// Registers in their wire form: the sender's own, or some of those that were asked for.
    Registers {
        space: SpaceId,
        registers: Vec<Vec<u8>>,
        answer: Option<Part>,
    },
    /// Knocks at the door of this number: the guest's point of the key exchange by its code.
    /// `knock` tells this knock from those before it, whose answers may still be on their way.
    Knock {
        door: u16,
        knock: u32,
        element: [u8; 32],
    },
    /// The door's point.
    KnockAnswer { knock: u32, element: [u8; 32] },
    /// The guest has the key, and so the code.
    KnockProof { knock: u32, proof: [u8; 32] },
    /// The door has it too, and this is the invite, encrypted.
    DoorOpened {
        knock: u32,
        proof: [u8; 32],
        sealed: Vec<u8>,
    },
    /// The sender has no door of this number, or the code was another; or, if `later`, its door hears nobody for a while.
    DoorShut { knock: u32, later: bool },
    /// Feeds that just grew here, with their ends. Only to members.
    News {
        space: SpaceId,
        room: RoomId,
        feeds: Vec<FeedEnds>,
    },
    /// Who is linked with whom, as far as the receiver has not heard. Only to members.
    Around { space: SpaceId, said: Vec<Vec<u8>> },
    /// The sender does not need the link: if the receiver does not either, it ends it.
    Spare,
    /// Where members were reached. Only to members of a common space.
    Reached(Vec<Reached>),
    /// Bodies that the receiver is not given: they are of messages older than `before`, by the sender's knowledge of the
    /// rules of the space.
    Withheld {
        space: SpaceId,
        before: i64,
        records: Vec<MessageId>,
    },
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
            Self::Rooms { rooms, .. } | Self::RegisterRooms { rooms, .. } => {
                rooms.len() <= MAX_LISTED
            }
            Self::RegisterCells { cells, .. } => cells.len() <= MAX_LISTED,
            Self::WantRegisters { cells, .. } => cells.len() <= MAX_CELLS,
            Self::Registers { registers, .. } => registers.len() <= MAX_REGISTERS,
            Self::Heads { feeds, .. } => feeds.len() <= MAX_LISTED,
            Self::Records { records, .. }
            | Self::Branch { records, .. }
            | Self::Latest { records, .. } => records.len() <= MAX_RECORDS,
            Self::News { feeds, .. } => feeds.len() <= MAX_NEWS,
            Self::Around { said, .. } => said.len() <= MAX_SAID,
            Self::Reached(reached) => reached.len() <= MAX_REACHED,
            Self::WantBodies { records, .. } => records.len() <= MAX_BODIES,
            Self::Bodies { bodies, .. } => bodies.len() <= MAX_BODIES,
            Self::Withheld { records, .. } => records.len() <= MAX_RECORDS,
            Self::Secrets { epochs, .. } => epochs.len() <= MAX_SECRETS,
            Self::List { hashes, .. } => {
                hashes.len() <= LIST_PAGE * 32 && hashes.len().is_multiple_of(32)
            }
            Self::WantChunks { chunks, .. } => chunks.len() <= 4,
            Self::WantHolding { bits, .. } | Self::Holding { bits, .. } => bits.len() <= MAX_BITS,
            Self::Gained { chunks, .. } => chunks.len() <= MAX_GAINED,
            Self::DoorOpened { sealed, .. } => sealed.len() <= MAX_SEALED,
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
        fn any_bytes_are_answered(mut bytes: Vec<u8>, variant in 0_u8..47) {
            let _ = Frame::decode(&bytes);
            bytes.splice(0..0, [VERSION, variant]);
            let _ = Frame::decode(&bytes);
        }
    }
}
