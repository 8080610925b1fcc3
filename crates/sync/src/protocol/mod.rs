//! The trust core: feeds, control, meeting and syncing, free of I/O.
//!
//! A [`Node`] takes what happens (a link came up, a frame arrived, a person asked for something, time passed), works
//! on a [`Ledger`], and leaves [`Output`]s to be fetched with [`Node::take_outputs`].
//!
//! # The driver's contract
//! 1. Peers are devices: the transport has proven the Ed25519 key of the other end, and that key is the [`Peer`].
//!    One link a pair; its lanes are ordered and reliable until the link breaks. Frames are at most
//!    [`artel_domain::limits::MAX_FRAME`] bytes: drop the link when a longer one is announced.
//! 2. Open a transaction, bind a ledger to it, call any number of methods, fetch the outputs, commit, and only then
//!    send the frames, close the links and pass on the events. So a confirmation never leaves before its record is
//!    durable, and grouping many inputs costs one commit.
//! 3. If a call gives a [`LedgerError`] or the commit fails: roll back, drop the outputs and all links, and
//!    [`Node::load`] again. Nothing else repairs a node, and nothing else is needed.
//! 4. Call [`Node::tick`] about every 250 ms. `now` is Unix time in milliseconds everywhere.
//! 5. Bound what waits in a link's lanes, and close a link whose far end does not read. A node never has more than
//!    [`artel_domain::limits::FILE_WINDOW`] file bytes asked for on a link.
//!
//! # What is where
//! `feed` makes and checks automerge changes, `frame` is what travels, `roster` is the fold of the control feeds,
//! `node` ties them to sessions.

mod event;
mod feed;
mod frame;
mod ledger;
mod memory;
mod mesh;
mod node;
mod page;
mod roster;

pub use event::{CommandError, DoorEnd, Event, Lane, Output, Peer, Reason, Refusal, Shown};
#[doc(hidden)]
pub use frame::is_frame;
pub use ledger::{
    FeedKey, Head, JoinRow, Ledger, LedgerError, LedgerResult, Load, Loads, Opening, PrekeyRow,
    RegisterKey, SpaceRow, Standing, StoredBody, StoredRecord,
};
pub use memory::MemoryLedger;
pub use node::{
    ConversationView, DoorView, Entropy, HeldOff, Identity, InviteTerms, InviteView, MemberView,
    Node, PageView, PolicyView, Reach, Reaction, RoomView, Sent, SpaceView, UnpackError, Unpacked,
};
pub use page::PageError;
#[doc(hidden)]
pub use page::page_text;
pub use roster::MemberState;

#[cfg(test)]
mod tests;
