//! Where a node keeps what must not be lost: a narrow trait that the application binds to an open transaction.
//!
//! A node calls it only from within its own methods, reads what it wrote earlier in the same transaction, and keeps
//! nothing in memory that [`super::Node::load`] cannot rebuild from it. [`super::MemoryLedger`] is the model of it.

use artel_domain::{
    BodyHash, ChangeHash, DeviceId, Envelope, FileId, Incarnation, InviteId, MemberId, MessageId,
    PrekeySecret, Register, RoomId, SpaceId, SpaceSecret, register::Subject, sealed::ContentKey,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The ledger could not do it. The driver rolls its transaction back and loads the node again.
#[derive(Debug, Error)]
#[error("the ledger failed: {0}")]
pub struct LedgerError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Result of a ledger's call.
pub type LedgerResult<T> = Result<T, LedgerError>;

/// A feed: what one life of one device writes in one room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FeedKey {
    /// Space.
    pub space: SpaceId,
    /// Room.
    pub room: RoomId,
    /// Device.
    pub device: DeviceId,
    /// Its incarnation.
    pub incarnation: Incarnation,
}

impl FeedKey {
    /// The feed that a record belongs to.
    pub fn of(record: &Envelope) -> Self {
        Self {
            space: record.space,
            room: record.room,
            device: record.device,
            incarnation: record.incarnation,
        }
    }
}

/// The place of a register: of all values that were ever written there, the latest stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegisterKey {
    /// Space.
    pub space: SpaceId,
    /// Room.
    pub room: RoomId,
    /// Device.
    pub device: DeviceId,
    /// Number of its topic.
    pub topic: u16,
    /// What of the topic it is about.
    pub subject: Subject,
}

impl RegisterKey {
    /// The place of a register.
    pub fn of(register: &Register) -> Self {
        Self {
            space: register.space,
            room: register.room,
            device: register.device,
            topic: register.topic.number(),
            subject: register.topic.subject(),
        }
    }
}

/// What is known of a record's position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// Everything it builds on is here, and its position is right.
    Settled,
    /// Something it builds on is missing.
    Provisional,
    /// Its position is a lie, or it builds on one. Never shown; kept, since the chain goes on from it.
    Void,
}

/// A record as it is kept. `envelope` alone is the truth; the other fields are copies for finding it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// Hash of the envelope; the key.
    pub id: MessageId,
    /// Its feed.
    pub feed: FeedKey,
    /// Place in the feed, from 1. Two records of one feed have the same place only in a copied profile.
    pub sequence: u64,
    /// Claimed position.
    pub lamport: u64,
    /// Hash of its body.
    pub body: BodyHash,
    /// Signed envelope, as received.
    pub envelope: Vec<u8>,
    /// The automerge change; empty once its term was sealed and compacted.
    pub change: Vec<u8>,
    /// What is known of its position.
    pub standing: Standing,
    /// Whether the application was told of it by [`super::Event::Shown`] (and not of its withdrawal since).
    pub shown: bool,
    /// Whether it came after newer ones had been shown.
    pub late: bool,
}

/// The end of a feed, or of one branch of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Feed.
    pub feed: FeedKey,
    /// Place of the last record.
    pub sequence: u64,
    /// The last record.
    pub id: MessageId,
    /// Its position.
    pub lamport: u64,
    /// Hash of its automerge change.
    pub change: ChangeHash,
    /// Its standing.
    pub standing: Standing,
}

/// A body as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredBody {
    /// Here, in wire form.
    Here(Vec<u8>),
    /// Erased; its bytes are refused when they come again, as long as the deletion counts.
    Erased,
}

/// What is known of a record that is sealed to this device, or was sealed by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Where it is shown: a conversation, or the reports.
    pub room: RoomId,
    /// The key of its body; none if it cannot be opened any more, or was erased.
    pub key: Option<ContentKey>,
    /// Whether it was erased, by a deletion or with its author. Its body is carried on as if nothing had happened.
    pub erased: bool,
}

/// The private half of a prekey of this device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrekeyRow {
    /// The key. Keep it encrypted, and out of backups.
    pub secret: PrekeySecret,
    /// When it was made, Unix milliseconds.
    pub made_at: i64,
}

/// A sealed body that is carried for others, or a place kept for one that is not here yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Space.
    pub space: SpaceId,
    /// Who wrote it.
    pub author: MemberId,
    /// Its size in bytes; 0 if it is not here.
    pub size: u64,
    /// From when on its time is counted, Unix milliseconds.
    pub since: i64,
}

/// All that is carried of an author in a space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loads {
    /// Bytes of the bodies.
    pub bytes: u64,
    /// Records.
    pub records: u64,
    /// Those of them whose bodies are not here.
    pub awaited: u64,
}

/// A space as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpaceRow {
    /// Space; the key.
    pub space: SpaceId,
    /// Signed founding, in wire form.
    pub genesis: Vec<u8>,
}

/// A join under way, until it succeeds or is cancelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinRow {
    /// The invite; the key.
    pub invite: InviteId,
    /// Its code as text. Keep it encrypted.
    pub code: String,
    /// Name that the joiner goes by.
    pub name: String,
    /// Signed founding of the space, once a witness gave it; then the request is pending.
    pub genesis: Option<Vec<u8>>,
}

/// Durable state. Every method works inside the driver's open transaction.
pub trait Ledger {
    /// The current incarnation of this device.
    fn incarnation(&self) -> LedgerResult<Option<Incarnation>>;
    /// All that this installation ever began, in any order.
    fn incarnations(&self) -> LedgerResult<Vec<Incarnation>>;
    /// Begins a new one.
    fn set_incarnation(&mut self, incarnation: Incarnation) -> LedgerResult<()>;

    /// All spaces, in any order.
    fn spaces(&self) -> LedgerResult<Vec<SpaceRow>>;
    /// Adds or replaces a space.
    fn put_space(&mut self, row: &SpaceRow) -> LedgerResult<()>;
    /// Secrets of a space's epochs, by the entries that began them, in any order.
    fn secrets(&self, space: &SpaceId) -> LedgerResult<Vec<(MessageId, SpaceSecret)>>;
    /// Keeps one. Keep it encrypted. Repeating is no error.
    fn put_secret(
        &mut self,
        space: &SpaceId,
        epoch: &MessageId,
        secret: &SpaceSecret,
    ) -> LedgerResult<()>;
    /// All joins under way.
    fn joins(&self) -> LedgerResult<Vec<JoinRow>>;
    /// Adds or replaces a join.
    fn put_join(&mut self, row: &JoinRow) -> LedgerResult<()>;
    /// Ends a join; none with that key is no error.
    fn remove_join(&mut self, invite: &InviteId) -> LedgerResult<()>;

    /// Adds a record; its id is new.
    fn put_record(&mut self, record: &StoredRecord) -> LedgerResult<()>;
    /// A record.
    fn record(&self, id: &MessageId) -> LedgerResult<Option<StoredRecord>>;
    /// Updates what may change of a record.
    fn update_record(
        &mut self,
        id: &MessageId,
        standing: Standing,
        shown: bool,
        late: bool,
    ) -> LedgerResult<()>;
    /// Records of a feed with `sequence >= from`, ascending by (sequence, id), at most `limit`.
    fn feed_records(
        &self,
        feed: &FeedKey,
        from: u64,
        limit: usize,
    ) -> LedgerResult<Vec<StoredRecord>>;
    /// Records of a room after the position `(lamport, id)`, ascending by (lamport, id), at most `limit`.
    /// Begin with none.
    fn room_records(
        &self,
        space: &SpaceId,
        room: &RoomId,
        after: Option<(u64, MessageId)>,
        limit: usize,
    ) -> LedgerResult<Vec<StoredRecord>>;

    /// The ends of all feeds of a space, in any order.
    fn heads(&self, space: &SpaceId) -> LedgerResult<Vec<Head>>;
    /// Puts `new` where `old` was; `old` is none for a new feed or branch.
    fn replace_head(&mut self, old: Option<&MessageId>, new: &Head) -> LedgerResult<()>;

    /// Seals a full term: keeps its compact document under its last record, and may forget the change bytes of the
    /// `records` (leave them empty). Branches of a copied profile are not sealed.
    fn seal_term(
        &mut self,
        last: &MessageId,
        records: &[MessageId],
        compact: &[u8],
    ) -> LedgerResult<()>;
    /// The compact document of a sealed term.
    fn sealed_term(&self, last: &MessageId) -> LedgerResult<Option<Vec<u8>>>;

    /// Notes that `child` waits for `parent`, which is missing or provisional. Repeating is no error.
    fn put_wait(&mut self, parent: &MessageId, child: &MessageId) -> LedgerResult<()>;
    /// Who waits for `parent`; the notes are removed.
    fn take_waits(&mut self, parent: &MessageId) -> LedgerResult<Vec<MessageId>>;

    /// The first record by id, after this one or of all, that is not here while a record of the space, or of this room of
    /// it, waits for it.
    fn awaited(
        &self,
        space: &SpaceId,
        room: Option<&RoomId>,
        after: Option<&MessageId>,
    ) -> LedgerResult<Option<MessageId>>;

    /// The body of a record. Bodies belong to records, not to hashes: one who names the hash of another's body in a
    /// record of their own has no hold on it.
    fn body(&self, record: &MessageId) -> LedgerResult<Option<StoredBody>>;
    /// Keeps the body of a record, unless it was erased.
    fn put_body(&mut self, record: &MessageId, wire: &[u8]) -> LedgerResult<()>;
    /// Erases the body of a record, whether it is here or not.
    fn erase_body(&mut self, record: &MessageId) -> LedgerResult<()>;
    /// Lifts the erasure of a body: from now on it is neither here nor erased. No erasure is no error.
    fn restore_wanted(&mut self, record: &MessageId) -> LedgerResult<()>;
    /// Records of a space whose bodies are neither here nor erased, those of the direct room (`sealed`) or all others, at
    /// most `limit`, in the order in which they came, after one of them or from the first. Left out are those that are
    /// settled as withheld, and those of which `asked` said so; or, if that is none, of which anyone did.
    fn bodiless(
        &self,
        space: &SpaceId,
        sealed: bool,
        asked: Option<&MemberId>,
        after: Option<&MessageId>,
        limit: usize,
    ) -> LedgerResult<Vec<MessageId>>;

    /// Notes that a member says that a missing body is withheld, and gives how many have said so; 0 if it is not missing, or
    /// this member said so before. Forgotten when the body comes or is erased.
    fn put_withheld(&mut self, record: &MessageId, by: &MemberId) -> LedgerResult<usize>;
    /// Notes that enough have said so.
    fn settle_withheld(&mut self, record: &MessageId) -> LedgerResult<()>;
    /// Whether anyone has said so of a missing body.
    fn is_withheld(&self, record: &MessageId) -> LedgerResult<bool>;
    /// Forgets what was said of the bodies of a space; gives those of the records that others edit or delete.
    fn drop_withheld(&mut self, space: &SpaceId) -> LedgerResult<Vec<MessageId>>;

    /// What is known of a sealed record.
    fn opening(&self, record: &MessageId) -> LedgerResult<Option<Opening>>;
    /// Keeps it; repeating replaces.
    fn put_opening(&mut self, record: &MessageId, opening: &Opening) -> LedgerResult<()>;
    /// Prekeys of this device, the newest first.
    fn prekeys(&self) -> LedgerResult<Vec<PrekeyRow>>;
    /// Adds one.
    fn put_prekey(&mut self, row: &PrekeyRow) -> LedgerResult<()>;
    /// Takes those made after this time as made at it.
    fn restamp_prekeys(&mut self, now: i64) -> LedgerResult<()>;
    /// Forgets those made at this time or before.
    fn forget_prekeys(&mut self, through: i64) -> LedgerResult<()>;
    /// Notes that a sealed body is carried; repeating replaces.
    fn put_load(&mut self, record: &MessageId, load: &Load) -> LedgerResult<()>;
    /// What is noted of it.
    fn load(&self, record: &MessageId) -> LedgerResult<Option<Load>>;
    /// Notes that it is carried no longer.
    fn remove_load(&mut self, record: &MessageId) -> LedgerResult<()>;
    /// What is carried of an author in a space. Asked for every record of the direct room.
    fn loads_of(&self, space: &SpaceId, author: &MemberId) -> LedgerResult<Loads>;
    /// What has been carried longest of all.
    fn oldest_load(&self) -> LedgerResult<Option<(MessageId, Load)>>;
    /// What has been carried longest of an author in a space, of all or (`awaited`) of what is not here.
    fn oldest_load_of(
        &self,
        space: &SpaceId,
        author: &MemberId,
        awaited: bool,
    ) -> LedgerResult<Option<MessageId>>;

    /// Notes that `record` edits or deletes `target`. Repeating is no error.
    fn put_reference(&mut self, target: &MessageId, record: &MessageId) -> LedgerResult<()>;
    /// Records that edit or delete `target`, ascending by id.
    fn references(&self, target: &MessageId) -> LedgerResult<Vec<MessageId>>;
    /// What `record` edits or deletes, ascending by id.
    fn targets(&self, record: &MessageId) -> LedgerResult<Vec<MessageId>>;

    /// The registers of a space in their wire forms, in any order.
    fn registers(&self, space: &SpaceId) -> LedgerResult<Vec<Vec<u8>>>;
    /// The register of a place.
    fn register(&self, key: &RegisterKey) -> LedgerResult<Option<Vec<u8>>>;
    /// Keeps a register in place of the one that was there.
    fn put_register(&mut self, key: &RegisterKey, wire: &[u8]) -> LedgerResult<()>;
    /// Forgets one; none there is no error.
    fn remove_register(&mut self, key: &RegisterKey) -> LedgerResult<()>;

    /// Up to where a peer holds a feed of this device; 0 if nothing is known.
    fn delivered(&self, feed: &FeedKey, peer: &DeviceId) -> LedgerResult<u64>;
    /// Notes up to where.
    fn set_delivered(&mut self, feed: &FeedKey, peer: &DeviceId, through: u64) -> LedgerResult<()>;

    /// Hashes of a file's chunks, 32 bytes each, joined.
    fn chunk_list(&self, file: &FileId) -> LedgerResult<Option<Vec<u8>>>;
    /// Keeps them.
    fn put_chunk_list(&mut self, file: &FileId, size: u64, list: &[u8]) -> LedgerResult<()>;
    /// A chunk.
    fn chunk(&self, file: &FileId, index: u32) -> LedgerResult<Option<Vec<u8>>>;
    /// Keeps a verified chunk; repeating is no error.
    fn put_chunk(&mut self, file: &FileId, index: u32, bytes: &[u8]) -> LedgerResult<()>;
    /// How many different chunks of a file are here.
    fn chunks_here(&self, file: &FileId) -> LedgerResult<u32>;
    /// Whether what is here of a file was received or sent in a room: only there it is given to others.
    fn is_file_of(&self, file: &FileId, room: &RoomId) -> LedgerResult<bool>;
    /// Notes that.
    fn put_file_of(&mut self, file: &FileId, room: &RoomId) -> LedgerResult<()>;
    /// The latest shown records of a room, the last first.
    fn latest(
        &self,
        space: &SpaceId,
        room: &RoomId,
        limit: usize,
    ) -> LedgerResult<Vec<StoredRecord>>;
    /// Messages of a space that are shown ahead of their records, with their rooms.
    fn ahead(&self, space: &SpaceId) -> LedgerResult<Vec<(MessageId, RoomId)>>;
    /// Notes that a message is shown ahead of its record.
    fn put_ahead(&mut self, space: &SpaceId, room: &RoomId, record: &MessageId)
    -> LedgerResult<()>;
    /// The record came, or the message is withdrawn.
    fn drop_ahead(&mut self, record: &MessageId) -> LedgerResult<()>;
    /// The first missing chunks at or after `from`, ascending, at most `limit`; `count` is how many the file has.
    fn missing_chunks(
        &self,
        file: &FileId,
        count: u32,
        from: u32,
        limit: usize,
    ) -> LedgerResult<Vec<u32>>;
}
