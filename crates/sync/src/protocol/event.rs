//! What a node asks of its driver and what it tells.

use std::net::SocketAddr;

use artel_domain::{
    Body, DeviceId, FileId, Incarnation, InviteCode, InviteId, MemberId, MessageId, Register,
    RoomId, SpaceId,
};
use thiserror::Error;

use super::ledger::FeedKey;
use crate::Ports;

/// A peer: the device at the other end of a link, as the transport proved it.
pub type Peer = DeviceId;

/// Which queue of a link a frame goes to. The driver sends everything waiting in [`Lane::Text`] before anything in
/// [`Lane::File`]; within a lane, order is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Records and everything about them.
    Text,
    /// File bytes.
    File,
}

/// Something for the driver to do, in order, *after* the ledger's transaction has committed.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send a frame.
    Send {
        /// To whom.
        peer: Peer,
        /// By which queue.
        lane: Lane,
        /// The frame, at most [`artel_domain::limits::MAX_FRAME`] bytes.
        bytes: Vec<u8>,
    },
    /// Close the link. The node has forgotten the session already; [`super::Node::disconnected`] may still be called.
    Disconnect {
        /// To whom.
        peer: Peer,
        /// Why.
        reason: Reason,
    },
    /// A peer that has proven membership told where it listens.
    Reachable {
        /// Who.
        peer: Peer,
        /// On which ports of the address at which it is seen.
        ports: Ports,
    },
    /// A member told where another one's device was reached; it is in the room and may be dialled.
    Hint {
        /// Whose address it is.
        peer: Peer,
        /// The address.
        at: SocketAddr,
    },
    /// Tell the application.
    Event(Event),
}

/// Why a link is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Reason {
    /// It sent what no honest peer sends. It is not spoken to again for ten minutes.
    #[error("the peer broke the protocol: {0}")]
    Broke(&'static str),
    /// It sent more than its share. Not spoken to again for ten minutes.
    #[error("the peer sends too much")]
    Flooding,
    /// It broke the rules a short while ago.
    #[error("the peer broke the rules a short while ago")]
    Banned,
    /// It was removed from every space in common.
    #[error("the peer was removed from the space")]
    Removed,
    /// It speaks another version of the protocol.
    #[error("the peer speaks another version of the protocol; update Artel on both machines")]
    Version,
    /// It has this machine's own device key: a copied profile.
    #[error("the peer uses this machine's own key; one of them is a copy")]
    Itself,
    /// Both are linked well enough without this link.
    #[error("both are linked with others")]
    Spare,
    /// More links than a node keeps.
    #[error("there are too many connections")]
    Crowded,
}

/// A record that became visible, or whose standing changed.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent marks of one record, each shown by itself"
)]
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// Space.
    pub space: SpaceId,
    /// Room; for what was sealed the conversation ([`RoomId::conversation`]), or the reports ([`SpaceId::reports`]).
    pub room: RoomId,
    /// The record.
    pub id: MessageId,
    /// Feed it belongs to.
    pub feed: FeedKey,
    /// Place in that feed, from 1.
    pub sequence: u64,
    /// Person who wrote it.
    pub author: MemberId,
    /// Position. Shown order is ascending by (lamport, id).
    pub lamport: u64,
    /// What it says; none exactly if its body was erased or is closed. What was sealed is given opened. A record whose body is not here yet is not shown yet.
    pub body: Option<Body>,
    /// Whether its body was erased.
    pub erased: bool,
    /// Its author's clock, Unix milliseconds, if it is sealed to this device and cannot be opened: it came after the key
    /// that it was sealed to was deleted, or was not sealed as it should be. Then there is no body.
    pub closed: Option<i64>,
    /// It arrived after newer ones had been shown.
    pub late: bool,
    /// Something that it builds on is still missing; its position is only claimed.
    pub provisional: bool,
    /// It is shown ahead of its record, which is still to come: it comes again with that, or is withdrawn.
    pub ahead: bool,
}

/// What a node tells the application.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Name, roster, rooms, invites or the own standing in a space changed; ask again.
    SpaceChanged(SpaceId),
    /// A member's device came or went: linked with this node, or with others that are.
    Presence {
        /// Space.
        space: SpaceId,
        /// Person.
        member: MemberId,
        /// Which of their devices.
        device: DeviceId,
        /// Whether it is there now.
        online: bool,
    },
    /// A record is shown: insert it by (lamport, id). [`artel_domain::Content::Edit`] and
    /// [`artel_domain::Content::Delete`] come this way as well; they were checked: the author may do that to the target.
    Shown(Box<Shown>),
    /// A provisional record is not provisional any more.
    Settled {
        /// Space.
        space: SpaceId,
        /// Room.
        room: RoomId,
        /// The record.
        id: MessageId,
    },
    /// A record shown before is not valid after all: what it builds on came to light, or its author was removed. Or
    /// the deletion that had erased it does not count any more; it is shown anew once its body is here again.
    Withdrawn {
        /// Space.
        space: SpaceId,
        /// Room.
        room: RoomId,
        /// The record.
        id: MessageId,
    },
    /// The body of a record was erased: forget its text, file names and everything made from them.
    Erased {
        /// Space.
        space: SpaceId,
        /// Room.
        room: RoomId,
        /// The record.
        id: MessageId,
    },
    /// The shared page of a room changed; ask again.
    PageChanged {
        /// Space.
        space: SpaceId,
        /// Room that the page belongs to.
        room: RoomId,
    },
    /// A register has a new value, this device's own ones included. What stands among a member's devices is another
    /// question: ask for it.
    Register {
        /// Whose device wrote it.
        member: MemberId,
        /// The register.
        register: Box<Register>,
    },
    /// A peer holds this device's own records with `from < sequence <= through` of this feed, durably.
    Delivered {
        /// Feed of this device.
        feed: FeedKey,
        /// Known before.
        from: u64,
        /// Known now.
        through: u64,
        /// The record at `through`.
        last: MessageId,
        /// Who has them.
        peer: Peer,
    },
    /// A file that was asked for moved on.
    Attachment {
        /// Space.
        space: SpaceId,
        /// The record.
        message: MessageId,
        /// Which attachment, from 0.
        index: u8,
        /// Id of its content.
        file: FileId,
        /// Bytes that are here and verified.
        have: u64,
        /// Size in bytes; equal to `have` when complete.
        size: u64,
    },
    /// This member is in.
    Joined {
        /// Space.
        space: SpaceId,
        /// Invite that led there.
        invite: InviteId,
    },
    /// The request stands, and waits for approval or a seat.
    Pending {
        /// Space.
        space: SpaceId,
        /// Its name.
        name: String,
        /// Invite that led there.
        invite: InviteId,
    },
    /// A peer did not let this member in. Others may.
    JoinRefused {
        /// The invite.
        invite: InviteId,
        /// Who refused.
        peer: Peer,
        /// Why.
        refusal: Refusal,
    },
    /// The code of a door led to this invite; knocking has ended. It is for the application to join by it.
    DoorOpened {
        /// Which knocking led to it.
        knocking: u32,
        /// The invite.
        invite: InviteCode,
    },
    /// A peer has no door that the code opens. Others may.
    DoorShut {
        /// Which knocking.
        knocking: u32,
        /// Who.
        peer: Peer,
        /// Whether it has one that hears nobody for a while; it is knocked at again.
        later: bool,
    },
    /// Nobody is knocked at any more: a door opened, it was given up, or another code came instead.
    KnockingEnded {
        /// Which knocking.
        knocking: u32,
    },
    /// A wrong code was tried at a door of this node.
    DoorTried {
        /// Space.
        space: SpaceId,
    },
    /// Someone who knows the code of a door of this node was given the invite.
    DoorPassed {
        /// Space.
        space: SpaceId,
        /// Their machine.
        device: DeviceId,
    },
    /// A door of this node was closed, not by its keeper.
    DoorClosed {
        /// Space.
        space: SpaceId,
        /// Why.
        why: DoorEnd,
    },
    /// Two histories of one incarnation exist: a copied profile. Both are kept and shown.
    Forked(FeedKey),
    /// This device began a new incarnation, because a peer held more of its feed than it did itself.
    Reborn(Incarnation),
    /// A member's device and this node hold the same of a space: its control feeds, and every room that both may read.
    /// Told each time it is found.
    InStep {
        /// Space.
        space: SpaceId,
        /// The peer.
        peer: Peer,
        /// Whether every room that this member shares with anyone was found so since this node was loaded, with this
        /// peer or another.
        whole: bool,
    },
    /// The latest messages of a room are shown ahead of their records: what was said before them will take a while.
    Ahead {
        /// Space.
        space: SpaceId,
        /// Room.
        room: RoomId,
    },
    /// Another installation writes with this device's key while this node runs: give this one a key of its own. Told
    /// once.
    Cloned,
}

/// Why a door was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DoorEnd {
    /// Its time is over.
    Time,
    /// Too many wrong codes were tried.
    Guessed,
    /// Its invite ended, or its keeper may not invite any more.
    Invite,
}

/// Why a peer does not let a joiner in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error, serde::Serialize, serde::Deserialize)]
pub enum Refusal {
    /// The peer knows no such invite: another space, or a mistyped code.
    #[error("this peer knows no such invite; check the code, or look for a member of that space")]
    Unknown,
    /// Its time is over.
    #[error("the invite has expired; ask for a new one")]
    Expired,
    /// It was revoked.
    #[error("the invite was revoked; ask for a new one")]
    Revoked,
    /// The joiner was removed from the space.
    #[error(
        "this member was removed from the space; a newer invite leads back, and for one who was blocked only after a teacher unblocks them"
    )]
    Removed,
    /// The peer may not countersign.
    #[error("this peer only observes and cannot let anyone in; look for another member")]
    Observer,
    /// Too many wait already.
    #[error("too many wait to be let in; ask a teacher to admit or remove some")]
    Crowded,
    /// The claim was not sound.
    #[error("the request to join was not accepted as genuine")]
    Unsound,
}

/// Why a local command was not done. Except for [`CommandError::Ledger`], nothing changed.
#[derive(Debug, Error)]
pub enum CommandError {
    /// The ledger failed: roll back, then [`super::Node::load`] again.
    #[error(transparent)]
    Ledger(#[from] super::ledger::LedgerError),
    /// There is no such space here.
    #[error("there is no such space on this machine")]
    NoSpace,
    /// There is no such room.
    #[error("there is no such room in this space")]
    NoRoom,
    /// There is no such record here.
    #[error("there is no such message on this machine")]
    NoMessage,
    /// The record has no such attachment.
    #[error("the message has no such attachment")]
    NoAttachment,
    /// As many files are being fetched as may be.
    #[error("too many files are being fetched; wait until some have come")]
    TooManyFiles,
    /// There is no such member.
    #[error("there is no such member in this space")]
    NoMember,
    /// There is no such invite.
    #[error("there is no such invite in this space")]
    NoInvite,
    /// The caller's role does not allow it.
    #[error("{role} may not {what}", role = .role.map_or("one who is not a member", artel_domain::Role::name))]
    Forbidden {
        /// What it was, in words of the table of permissions.
        what: &'static str,
        /// Caller's role; none when not a member.
        role: Option<artel_domain::Role>,
    },
    /// Others' messages are theirs to edit.
    #[error("only its author may edit a message; answer it with one of your own")]
    NotAuthor,
    /// A place whose highest turn there can be was written: no honest machine ever gets there.
    #[error("a machine with your key has written the last value that this can have")]
    Spent,
    /// The other one is not in the space any more.
    #[error("{0} is not in this space any more")]
    Gone(String),
    /// The rules of the space allow no direct messages.
    #[error("direct messages are off in this space")]
    DirectOff,
    /// A message of one's own is not reported.
    #[error("this message is your own; delete it instead")]
    OwnMessage,
    /// Nobody runs the space besides those whom the report is about.
    #[error("nobody else runs this space: there is nobody to report to")]
    NobodyToTell,
    /// This node's member was removed from the space.
    #[error("you are no member of this space any more; ask a teacher to let you back in")]
    Removed,
    /// The member has no such device in use.
    #[error("there is no such device in this space")]
    NoDevice,
    /// The person is a member, and this device is not theirs yet (after a restore), or not any more.
    #[error(
        "this device does not belong to the space yet; connect to a member once, or join again by invite"
    )]
    NotEnrolled,
    /// A space without an owner could not be run.
    #[error("the last owner cannot leave; first name another one")]
    LastOwner,
    /// The content breaks a rule.
    #[error(transparent)]
    Record(#[from] artel_domain::RecordError),
    /// The system gave no randomness.
    #[error(transparent)]
    Entropy(#[from] artel_domain::key::NoEntropy),
    /// As many doors are open as may be.
    #[error("too many doors are open; close one first")]
    TooManyDoors,
    /// The invite leads into a space that this member is in already.
    #[error("this member is in that space already")]
    AlreadyMember,
    /// The room has no page.
    #[error("this room has no page yet; a teacher can open one")]
    NoPage,
    /// The page does not take the text.
    #[error(transparent)]
    Page(#[from] super::page::PageError),
    /// automerge failed on this node's own data.
    #[error("the feed cannot be written: {0}")]
    Feed(&'static str),
}
