//! Every size limit of the protocol, in bytes unless its name says otherwise.
//!
//! Changing one changes what peers accept from one another, so it needs a new protocol version.

/// Records in one automerge document.
pub const TERM_RECORDS: u64 = 1_000;
/// Highest place in a feed and position in a room, so that both fit every database and none is ever used up by a lie.
pub const MAX_POSITION: u64 = 1 << 62;
/// Control entries of one feed; later ones do not count.
pub const MAX_CONTROL_FEED: u64 = 5_000;
/// Parents an envelope may name.
pub const MAX_PARENTS: usize = 8;
/// A signed envelope on the wire.
pub const MAX_ENVELOPE: usize = 1_024;
/// An automerge change: one insertion of one hash.
pub const MAX_CHANGE: usize = 512;
/// A body: salt, time and content.
pub const MAX_BODY: usize = 64 * 1_024;
/// What is sealed and no report, padded: a power of two.
pub const MAX_LETTER: usize = 64 * 1_024;
/// What is sealed, padded: a report holds any message and any edit of it as they were sealed.
pub const MAX_PADDED: usize = 256 * 1_024;
/// Devices that one body is sealed to, those that only pad their number counted.
pub const MAX_SLOTS: usize = 256;
/// A sealed body: what is sealed, and a hundred bytes a device.
pub const MAX_SEALED_BODY: usize = MAX_PADDED + 100 * MAX_SLOTS + 256;
/// Readers of what is sealed.
pub const MAX_READERS: usize = MAX_SLOTS;
/// What carriers keep of one author's sealed bodies.
pub const MAX_CARRIED: u64 = 10_000_000;
/// Text of a message.
pub const MAX_TEXT: usize = 32 * 1_024;
/// Name of a space, a room or a person.
pub const MAX_NAME: usize = 200;
/// Name of an attached file.
pub const MAX_FILE_NAME: usize = 255;
/// Media type of an attached file.
pub const MAX_MEDIA_TYPE: usize = 100;
/// Text of a shared page.
pub const MAX_PAGE_TEXT: usize = 32 * 1_024;
/// One change of a shared page: a body, less what surrounds it.
pub const MAX_PAGE_CHANGE: usize = MAX_BODY - 64;
/// Operations of one change of a shared page.
pub const MAX_PAGE_OPERATIONS: usize = 2 * MAX_PAGE_TEXT;
/// Operations of a shared page in all, those that were undone counted; later changes do not count.
pub const MAX_PAGE_HISTORY: usize = 1_000_000;
/// Files attached to one message.
pub const MAX_ATTACHMENTS: usize = 32;
/// Links that a device tells of.
pub const MAX_LINKED: usize = 400;
/// A signed register on the wire.
pub const MAX_REGISTER: usize = 512;
/// What a register says, where its topic has no limit of its own.
pub const MAX_REGISTER_VALUE: usize = 256;
/// Registers of one device in one room that count: those with the highest turns.
pub const MAX_REGISTERS: usize = 1_000;
/// The sign of a reaction.
pub const MAX_EMOJI: usize = 32;
/// Name and value pairs of a result.
pub const MAX_FACTS: usize = 32;
/// One name or value of a result's facts.
pub const MAX_FACT: usize = 500;
/// Edits that a deletion erases along with its message.
pub const MAX_EDITS: usize = 256;
/// Cuts listed by one removal.
pub const MAX_CUTS: usize = 400;
/// Members a room for chosen ones may name.
pub const MAX_CHOSEN: usize = 400;
/// Days before a newcomer's coming of which a policy may have them given what was said.
pub const MAX_HISTORY_DAYS: u16 = 3_650;
/// The value of a policy that is only carried.
pub const MAX_POLICY_VALUE: usize = 256;
/// Joins an invite's revocation may list as kept.
pub const MAX_KEPT_JOINS: usize = 1_000;
/// Seats of one invite.
pub const MAX_SEATS: u32 = 1_000;
/// A signed founding.
pub const MAX_GENESIS: usize = 1_024;
/// A signed device certificate.
pub const MAX_CERTIFICATE: usize = 512;
/// One chunk of a file.
pub const CHUNK: usize = 64 * 1_024;
/// One attached file: 2 GiB.
pub const MAX_FILE: u64 = 2 * 1_024 * 1_024 * 1_024;
/// One frame between peers.
pub const MAX_FRAME: usize = 512 * 1_024;
/// File bytes asked for and not yet arrived, on one link.
pub const FILE_WINDOW: usize = 256 * 1_024;
