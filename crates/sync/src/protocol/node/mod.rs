//! A node: sessions with peers, and the commands of the person at this machine.

use artel_domain::{
    Content, DeviceId, DeviceKey, InviteCode, InviteId, MemberId, MemberKey, MessageId, Role, RoomId, SpaceId,
};

use super::{
    event::{CommandError, Output, Peer},
    ledger::{FeedKey, Ledger, LedgerResult},
};

/// Who this node is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The person.
    pub member: MemberKey,
    /// The installation.
    pub device: DeviceKey,
    /// Name that the person goes by in spaces founded or joined from now on.
    pub name: String,
}

/// Where a node's random bytes come from.
pub struct Entropy(());

impl Entropy {
    /// From the operating system.
    pub fn system() -> Self {
        Self(())
    }

    /// The same bytes for the same seed: for simulations only.
    pub fn seeded(_seed: u64) -> Self {
        Self(())
    }
}

/// Terms of an invite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InviteTerms {
    /// Role of those who join.
    pub role: Role,
    /// How many may.
    pub seats: u32,
    /// Unix milliseconds after which witnesses refuse.
    pub expires_at: i64,
    /// Whether each one waits to be admitted.
    pub approve: bool,
}

/// A record written by this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The record.
    pub id: MessageId,
    /// Its feed.
    pub feed: FeedKey,
    /// Its place there.
    pub sequence: u64,
    /// Its position in the room.
    pub lamport: u64,
}

/// A member's standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberState {
    /// In.
    Member,
    /// Waiting for approval or a seat.
    Pending,
    /// Removed.
    Removed,
}

/// A member, as the fold of the control feeds has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberView {
    /// The person.
    pub member: MemberId,
    /// Their name.
    pub name: String,
    /// Their role.
    pub role: Role,
    /// Their standing.
    pub state: MemberState,
    /// Their devices.
    pub devices: Vec<DeviceId>,
    /// Whether one of the devices is connected now; for this node's own member, true.
    pub online: bool,
    /// Whether this is this node's own member.
    pub me: bool,
}

/// A room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomView {
    /// The room.
    pub room: RoomId,
    /// Its name.
    pub name: String,
}

/// A space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpaceView {
    /// The space.
    pub space: SpaceId,
    /// Its name.
    pub name: String,
    /// This node's role; none when it is not (any more) in the roster.
    pub role: Option<Role>,
    /// This node's standing.
    pub state: MemberState,
}

/// An invite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InviteView {
    /// Public part of its key. The code itself is known only to its maker.
    pub invite: InviteId,
    /// Its terms.
    pub terms: InviteTerms,
    /// Seats taken.
    pub used: u32,
    /// Whether it was revoked.
    pub revoked: bool,
    /// Who made it.
    pub by: MemberId,
}

/// A node. See the module's contract for how to drive it.
pub struct Node(());

#[expect(unused_variables, clippy::todo, reason = "signatures first")]
impl Node {
    /// Rebuilds a node from its ledger; a new ledger gets its first incarnation.
    ///
    /// # Errors
    /// The ledger failed.
    pub fn load(identity: Identity, entropy: Entropy, ledger: &mut dyn Ledger) -> LedgerResult<Self> {
        todo!()
    }

    /// Begins a new incarnation: the machine marker changed, or the profile was restored.
    ///
    /// # Errors
    /// The ledger failed.
    pub fn renew_incarnation(&mut self, ledger: &mut dyn Ledger) -> LedgerResult<()> {
        todo!()
    }

    /// What there is to do since the last call. Release it only after the transaction has committed.
    pub fn take_outputs(&mut self) -> Vec<Output> {
        todo!()
    }

    /// A link to a peer is up.
    ///
    /// # Errors
    /// The ledger failed.
    pub fn connected(&mut self, ledger: &mut dyn Ledger, now: i64, peer: Peer) -> LedgerResult<()> {
        todo!()
    }

    /// A link is gone.
    ///
    /// # Errors
    /// The ledger failed.
    pub fn disconnected(&mut self, ledger: &mut dyn Ledger, now: i64, peer: Peer) -> LedgerResult<()> {
        todo!()
    }

    /// A frame arrived. Frames of peers without a session are ignored.
    ///
    /// # Errors
    /// The ledger failed. What the peer did wrong is no error here: it is disconnected.
    pub fn received(&mut self, ledger: &mut dyn Ledger, now: i64, peer: Peer, frame: &[u8]) -> LedgerResult<()> {
        todo!()
    }

    /// Time passed.
    ///
    /// # Errors
    /// The ledger failed.
    pub fn tick(&mut self, ledger: &mut dyn Ledger, now: i64) -> LedgerResult<()> {
        todo!()
    }

    /// Founds a space with a first room, "General". This member is its owner.
    ///
    /// # Errors
    /// The name breaks a rule.
    pub fn found_space(&mut self, ledger: &mut dyn Ledger, now: i64, name: &str) -> Result<SpaceId, CommandError> {
        todo!()
    }

    /// Creates a room for all.
    ///
    /// # Errors
    /// No such space, not allowed, or the name breaks a rule.
    pub fn create_room(&mut self, ledger: &mut dyn Ledger, now: i64, space: SpaceId, name: &str) -> Result<RoomId, CommandError> {
        todo!()
    }

    /// Opens an invite. The code is not kept anywhere: show it now.
    ///
    /// # Errors
    /// No such space, not allowed, or the terms break a rule.
    pub fn create_invite(&mut self, ledger: &mut dyn Ledger, now: i64, space: SpaceId, terms: InviteTerms) -> Result<InviteCode, CommandError> {
        todo!()
    }

    /// Ends an invite. Those who joined by it, as far as this node knows, stay.
    ///
    /// # Errors
    /// No such space or invite, or not allowed.
    pub fn revoke_invite(&mut self, ledger: &mut dyn Ledger, now: i64, space: SpaceId, invite: InviteId) -> Result<(), CommandError> {
        todo!()
    }

    /// Begins to join by an invite: every peer met from now on, and every one connected, is asked, until one lets this
    /// member in. Outcomes come as [`super::Event::Joined`], [`super::Event::Pending`] and
    /// [`super::Event::JoinRefused`]. Survives a restart.
    ///
    /// # Errors
    /// This member is in that space already.
    pub fn join(&mut self, ledger: &mut dyn Ledger, now: i64, code: &InviteCode) -> Result<InviteId, CommandError> {
        todo!()
    }

    /// Gives up joining. None under way is no error.
    ///
    /// # Errors
    /// The ledger failed.
    pub fn cancel_join(&mut self, ledger: &mut dyn Ledger, invite: InviteId) -> LedgerResult<()> {
        todo!()
    }

    /// Makes a pending member a member.
    ///
    /// # Errors
    /// No such space or member, or not allowed.
    pub fn admit(&mut self, ledger: &mut dyn Ledger, now: i64, space: SpaceId, member: MemberId) -> Result<(), CommandError> {
        todo!()
    }

    /// Removes a member. What this node holds of theirs stays; what they wrote beyond it does not count.
    ///
    /// # Errors
    /// No such space or member, or not allowed.
    pub fn remove(&mut self, ledger: &mut dyn Ledger, now: i64, space: SpaceId, member: MemberId) -> Result<(), CommandError> {
        todo!()
    }

    /// Changes a member's role.
    ///
    /// # Errors
    /// No such space or member, or not allowed.
    pub fn set_role(&mut self, ledger: &mut dyn Ledger, now: i64, space: SpaceId, member: MemberId, role: Role) -> Result<(), CommandError> {
        todo!()
    }

    /// Writes a record into a room. Files are attached by first putting their chunk lists and chunks into the ledger,
    /// with the [`artel_domain::Attachment`] that [`artel_domain::FileDigest`] made.
    ///
    /// # Errors
    /// No such space, room or target, not allowed, or the content breaks a rule.
    pub fn send(&mut self, ledger: &mut dyn Ledger, now: i64, space: SpaceId, room: RoomId, content: Content) -> Result<Sent, CommandError> {
        todo!()
    }

    /// Asks peers for an attachment until it is complete; progress comes as [`super::Event::Attachment`]. What is here
    /// already is not asked again. Not kept over a restart: ask again.
    ///
    /// # Errors
    /// No such record or attachment here.
    pub fn fetch(&mut self, ledger: &mut dyn Ledger, now: i64, message: MessageId, index: u8) -> Result<(), CommandError> {
        todo!()
    }

    /// Stops asking for an attachment; what has arrived stays.
    pub fn cancel_fetch(&mut self, message: MessageId, index: u8) {
        todo!()
    }

    /// This node's device, which is its peer identity.
    pub fn device(&self) -> DeviceId {
        todo!()
    }

    /// This node's member.
    pub fn member(&self) -> MemberId {
        todo!()
    }

    /// All spaces this node is or was in, and those where it is pending.
    pub fn spaces(&self) -> Vec<SpaceView> {
        todo!()
    }

    /// Members of a space, in the order of their admission.
    pub fn members(&self, space: &SpaceId) -> Vec<MemberView> {
        todo!()
    }

    /// Rooms of a space, in the order of their creation.
    pub fn rooms(&self, space: &SpaceId) -> Vec<RoomView> {
        todo!()
    }

    /// Invites of a space, oldest first.
    pub fn invites(&self, space: &SpaceId) -> Vec<InviteView> {
        todo!()
    }

    /// Spaces in which a connected peer has proven its membership, and the person it belongs to.
    pub fn peer_spaces(&self, peer: &Peer) -> Vec<(SpaceId, MemberId)> {
        todo!()
    }
}
