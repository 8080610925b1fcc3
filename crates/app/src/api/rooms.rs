//! Spaces, rooms, messages, peers.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Founds a space; the caller becomes its owner. A first room for all, "General", comes with it.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct SpaceNew {
    /// Name of the space.
    pub name: String,
}

/// Lists the spaces of the profile.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
pub struct SpaceList {}

/// Makes an invite.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct SpaceInvite {
    /// Id or unique name of the space.
    pub space: String,
    /// Role of those who join: `student` unless given.
    pub role: Option<String>,
    /// How many may join: 40 unless given.
    pub seats: Option<u32>,
    /// Lifetime in seconds: a day unless given.
    pub expires_s: Option<u64>,
    /// Whether a teacher must admit each one.
    #[serde(default)]
    pub approve: bool,
}

/// Opens the door of a space: while it is open, whoever types the short code that comes back gets an invite from this
/// machine. One that is open is closed, and its code ends. It closes with the program, and starts the network.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct SpaceDoor {
    /// Id or unique name of the space.
    pub space: String,
    /// Code of the invite that it leads to; a new one for 40 students unless given.
    pub invite: Option<String>,
    /// How long it stays open: 10 minutes unless given, 240 at most.
    pub minutes: Option<u32>,
}

/// Shows the door of a space.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct SpaceDoorShow {
    /// Id or unique name of the space.
    pub space: String,
}

/// Closes the door of a space. None open is no error; the invite behind it stays.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct SpaceDoorClose {
    /// Id or unique name of the space.
    pub space: String,
}

/// Joins a space by invite, or by the code of an open door.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct SpaceJoin {
    /// An invite's eight groups of five characters, or a link with them, or the two groups of four of an open door.
    pub invite: String,
    /// Where to look for a member, besides mDNS and remembered addresses.
    pub address: Option<String>,
    /// How long to look, in seconds: 30 unless given.
    pub timeout_s: Option<u64>,
}

/// Lists the members of a space.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct SpaceMembers {
    /// Id or unique name of the space.
    pub space: String,
}

/// Lists the invites of a space, oldest first. Codes are shown once, when they are made.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct SpaceInvites {
    /// Id or unique name of the space.
    pub space: String,
}

/// Makes a pending member a member.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct SpaceAdmit {
    /// Id or unique name of the space.
    pub space: String,
    /// Id or unique name of the member.
    pub member: String,
}

/// Removes a member, and begins a new secret of the space. What they wrote until now stays.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct SpaceRemove {
    /// Id or unique name of the space.
    pub space: String,
    /// Id or unique name of the member.
    pub member: String,
    /// Whether they cannot come back by a later invite, until `space.unblock`.
    #[serde(default)]
    pub block: bool,
}

/// Lets later invites lead a blocked member back.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct SpaceUnblock {
    /// Id or unique name of the space.
    pub space: String,
    /// Id or unique name of the member.
    pub member: String,
}

/// Changes a member's role.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct SpaceRole {
    /// Id or unique name of the space.
    pub space: String,
    /// Id or unique name of the member.
    pub member: String,
    /// `owner`, `teacher`, `student` or `observer`.
    pub role: String,
}

/// Lists the rules of a space, after setting those that are given.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct SpacePolicy {
    /// Id or unique name of the space.
    pub space: String,
    /// Rules to set, as `KEY=VALUE`: `history=all`, `none` or a number of days, `direct=on` or `off`, `pages=teachers` or
    /// `students`.
    #[serde(default)]
    pub set: Vec<String>,
}

/// Ends an invite. Those who have come by it stay.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct SpaceRevoke {
    /// Id of the invite or the beginning of it, or its code.
    pub invite: String,
}

/// Shows the messages of a space as they were in the backup that the profile was restored from, without waiting for what
/// was deleted since.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct SpaceShow {
    /// Id or unique name of the space.
    pub space: String,
}

/// Leaves a space. What is here stays here, to be read.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct SpaceLeave {
    /// Id or unique name of the space.
    pub space: String,
}

/// Lists the devices of this person.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
pub struct DeviceList {}

/// Ends a device, one's own or that of someone whom the caller may remove, in every space where that is allowed.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct DeviceRevoke {
    /// Id of the device, or the beginning of it.
    pub device: String,
}

/// Creates a room.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct RoomNew {
    /// Id or unique name of the space.
    pub space: String,
    /// Name of the room.
    pub name: String,
    /// Who reads it: `all` unless given, `teachers`, or ids or unique names of members; the caller is one of them.
    #[serde(default)]
    pub readers: Vec<String>,
}

/// Lists rooms.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
pub struct RoomList {
    /// Only those of this space.
    pub space: Option<String>,
}

/// Sends a message.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct RoomSend {
    /// Id or unique name of the room.
    pub room: String,
    /// The text; may be empty when files are attached.
    pub text: String,
    /// Absolute paths of files to attach.
    #[serde(default)]
    pub attach: Vec<String>,
    /// Message this one answers.
    pub reply_to: Option<String>,
    /// Wait this many seconds for a peer to confirm that it stored the message.
    pub wait_s: Option<u64>,
}

/// Changes the text of one's own message.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct RoomEdit {
    /// Id of the message.
    pub message: String,
    /// The new text; may be empty when the message has files.
    pub text: String,
}

/// Deletes a message: one's own, or by those who may anyone's. It can be taken back for 10 seconds; then the deletion is
/// signed, and every honest machine forgets what the message said. A profile that is closed meanwhile signs it when it
/// is opened again.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct RoomDelete {
    /// Id of the message.
    pub message: String,
    /// Sign it at once.
    #[serde(default)]
    pub now: bool,
}

/// Puts a sign under a message, in place of the one that the caller had put there.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct RoomReact {
    /// Id of the message.
    pub message: String,
    /// One sign, such as an emoji; none takes the caller's back.
    pub emoji: Option<String>,
}

/// Reports a message to everyone who runs the space but its author. They get the message as it was signed, and keep it
/// when it is deleted.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct RoomReport {
    /// Id of the message.
    pub message: String,
    /// Why; may be empty.
    pub text: String,
}

/// Lists the last 500 reports of a space, oldest first: of all for owners and teachers, for others their own.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct SpaceReports {
    /// Id or unique name of the space.
    pub space: String,
}

/// Takes a deletion back that was not signed yet. Nobody else learns of it.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct RoomUndelete {
    /// Id of the message.
    pub message: String,
}

/// Reads a page of a room.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct RoomRead {
    /// Id or unique name of the room.
    pub room: String,
    /// At most this many messages: 100 unless given, 1,000 at most.
    pub limit: Option<u32>,
    /// Only messages before this one.
    pub before: Option<String>,
}

/// Marks a room as read up to a message.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct RoomSeen {
    /// Id of the room.
    pub room: String,
    /// Last message seen.
    pub message: String,
}

/// Erases what a member ever said in the rooms of a space, and their name, on every machine and for good. Who is still in
/// is removed first.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct SpaceErase {
    /// Id or unique name of the space.
    pub space: String,
    /// Id or unique name of the member.
    pub member: String,
    /// The member's name once more, since this cannot be undone.
    pub confirm: String,
}

/// Gives up joining by an invite. Nothing under way is no error.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct SpaceJoinCancel {
    /// The code, as it was given.
    pub invite: String,
}

/// Fetches an attachment if needed, verifies it and writes it to a new file.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct AttachmentSave {
    /// Attachment id, as in a message.
    pub attachment: String,
    /// A file that does not exist yet, or a folder.
    pub to: String,
    /// Wait this many seconds for a peer that has it: 60 unless given.
    pub timeout_s: Option<u64>,
}

/// Shares a finished result to a room.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Share {
    /// A finished job's id, as `job:12`, or an indicator run's id, as `run:7`.
    pub result: String,
    /// Id or unique name of the room.
    pub room: String,
}

/// Starts the network of the open profile, if it is not running.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
pub struct NodeStart {
    /// TCP port; the usual one, or another if it is taken, unless given.
    pub port: Option<u16>,
    /// Do not announce or look for peers by mDNS.
    #[serde(default)]
    pub no_mdns: bool,
    /// Addresses to listen on; all interfaces unless given.
    #[serde(default)]
    pub listen: Vec<String>,
}

/// Lists peers.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
pub struct NetPeers {}

/// Checks each layer of the network and says what to do.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
pub struct NetDoctor {}

/// Writes what a space holds into a sealed file, for those who cannot be reached. Not in it are rooms that not everyone
/// reads, direct messages, reports, files, and what stands beside messages: reactions, and how far people have read.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct NetExport {
    /// Id or unique name of the space; the only one unless given.
    #[serde(default)]
    pub space: Option<String>,
    /// Path of the file.
    pub file: String,
    /// First day of what is wanted, as `2026-11-22`; everything unless given.
    #[serde(default)]
    pub since: Option<String>,
}

/// What was written.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Exported {
    /// The file.
    pub file: String,
    /// Name of the space.
    pub space: String,
    /// Records in it.
    pub records: u64,
    /// Size in bytes.
    pub bytes: u64,
    /// Rooms that are not in it, since not everyone reads them.
    pub left_out: Vec<String>,
}

/// Takes what a sealed file holds.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct NetImport {
    /// Path of the file.
    pub file: String,
}

/// What was taken.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Imported {
    /// The file.
    pub file: String,
    /// Name of the space.
    pub space: String,
    /// Records that were not here before.
    pub records: u64,
    /// Pieces that cannot be taken yet: what they build on, or who wrote them, is not known here.
    pub waiting: u64,
    /// Why the rest was not taken.
    pub problem: Option<String>,
}

/// Connects to an address.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct NetDial {
    /// A multiaddress such as `/ip4/10.77.0.1/tcp/47600`.
    pub address: String,
}

/// A space.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct SpaceInfo {
    /// Space id.
    pub space: String,
    /// Its name.
    pub name: String,
    /// The caller's role: `owner`, `teacher`, `student`, `observer`.
    pub role: String,
    /// The caller's state: `member`, `pending` or `removed`.
    pub state: String,
    /// How many members it has.
    pub members: u32,
    /// How many of them are here now, the caller counted.
    pub online: u32,
    /// Unread messages in all its rooms.
    pub unread: u32,
    /// Whether its members write to one another directly.
    pub direct: bool,
    /// Whether its messages are not shown yet: the profile was restored, and what was deleted since the backup is not
    /// known. Ends when a member was met, or with `space.show`.
    pub held: bool,
}

/// An invite.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct InviteInfo {
    /// Id of the invite, as the list of invites names it.
    pub id: String,
    /// The code: eight groups of five characters.
    pub invite: String,
    /// The code with hints where this node is, for a QR code or to paste.
    pub link: String,
    /// Space it leads to.
    pub space: String,
    /// Role of those who join.
    pub role: String,
    /// How many may join.
    pub seats: u32,
    /// When it ends, Unix milliseconds.
    pub expires_at: i64,
}

/// A rule of a space.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct PolicyInfo {
    /// Which: `history`, `direct` or `pages`.
    pub key: String,
    /// Its value.
    pub value: String,
    /// Name of who set it; none if it is as it is from the beginning.
    pub by: Option<String>,
    /// When, by their clock, Unix milliseconds.
    pub at: Option<i64>,
}

/// An open door.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct DoorInfo {
    /// Space it leads to.
    pub space: String,
    /// The code to show: two groups of four characters.
    pub code: String,
    /// Id of the invite behind it.
    pub invite: String,
    /// When it closes, Unix milliseconds.
    pub until: i64,
    /// Wrong codes so far; at 20 it closes.
    pub wrong: u32,
    /// Machines that were given the invite.
    pub guests: u32,
    /// Names of those of them who are in by now, in the order they came.
    pub came: Vec<String>,
}

/// How the door of a space stands.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct DoorState {
    /// Space id.
    pub space: String,
    /// The door, while it is open.
    pub open: Option<DoorInfo>,
}

/// How an invite stands.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct InviteState {
    /// Id of the invite; its code is known only to those who were shown it.
    pub id: String,
    /// Role of those who join.
    pub role: String,
    /// How many may join.
    pub seats: u32,
    /// How many have.
    pub used: u32,
    /// When it ends, Unix milliseconds.
    pub expires_at: i64,
    /// Whether each one waits to be admitted.
    pub approve: bool,
    /// Whether it was revoked.
    pub revoked: bool,
    /// Name of the member who made it.
    pub by: String,
}

/// Outcome of joining.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Joined {
    /// Space id.
    pub space: String,
    /// Its name.
    pub name: String,
    /// `member` or `pending`.
    pub state: String,
}

/// A member.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own about one person"
)]
pub struct MemberInfo {
    /// Public part of the member key, hexadecimal.
    pub member: String,
    /// Name as the member gave it.
    pub name: String,
    /// `owner`, `teacher`, `student` or `observer`.
    pub role: String,
    /// `member`, `pending` or `removed`.
    pub state: String,
    /// Whether one of the member's devices is connected now.
    pub online: bool,
    /// Whether this is the caller.
    pub me: bool,
    /// Whether no invite leads them back.
    pub blocked: bool,
    /// Whether everything they said was erased, and their name.
    pub erased: bool,
    /// Whether their profile was copied: two machines wrote as one device. Both histories are kept.
    pub copied: bool,
    /// Room id of the conversation with them; none with oneself and with those who were not let in yet.
    pub conversation: Option<String>,
    /// Their devices in use, hexadecimal.
    pub devices: Vec<String>,
}

/// A device of this person.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct DeviceInfo {
    /// Public part of the device key, hexadecimal.
    pub device: String,
    /// Whether it is this one.
    pub this: bool,
    /// Whether it is connected now.
    pub online: bool,
    /// Names of the spaces in which it is in use.
    pub spaces: Vec<String>,
}

/// A device was ended.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct DeviceRevoked {
    /// The device, hexadecimal.
    pub device: String,
    /// Names of the spaces in which it was ended.
    pub spaces: Vec<String>,
}

/// A room.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct RoomInfo {
    /// Room id.
    pub room: String,
    /// Space it belongs to.
    pub space: String,
    /// That one's name.
    pub space_name: String,
    /// Its name.
    pub name: String,
    /// Who reads it: `all`, `teachers`, `chosen`, or `direct` for a conversation with one member.
    pub audience: String,
    /// That member's key, hexadecimal.
    pub with: Option<String>,
    /// Unread messages.
    pub unread: u32,
    /// First words of the last message, if any.
    pub last: Option<String>,
    /// When the last message was written by its author's clock, Unix milliseconds.
    pub last_at: Option<i64>,
    /// Whether there are messages that the caller is not given, since they are from before the caller came.
    pub withheld: bool,
}

/// A message was stored.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Sent {
    /// Message id.
    pub message: String,
    /// `stored`, or `delivered` when a peer confirmed in time.
    pub state: String,
    /// How many peers confirmed.
    pub peers: u32,
}

/// A report of a message.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct ReportInfo {
    /// Id of the report.
    pub id: String,
    /// Key of the member who reported, hexadecimal.
    pub by: String,
    /// Their name.
    pub by_name: String,
    /// When, by their clock, Unix milliseconds.
    pub at: i64,
    /// Why, in their words.
    pub text: String,
    /// What they report; none if it is not what anyone of the space signed, so that it proves nothing.
    pub reported: Option<Reported>,
}

/// A message as it was signed by its author.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Reported {
    /// Id of the message.
    pub message: String,
    /// Key of its author, hexadecimal.
    pub author: String,
    /// Their name.
    pub name: String,
    /// Where it was said: the name of a room; none if it was a direct message, or the room is not known here.
    pub room: Option<String>,
    /// When, by its author's clock, Unix milliseconds.
    pub at: i64,
    /// What it said.
    pub text: String,
    /// What it was edited to.
    pub edit: Option<String>,
    /// Names of its files.
    pub files: Vec<String>,
}

/// A message was edited.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Edited {
    /// Id of the message.
    pub message: String,
    /// `stored`, or `unchanged` when it said that already.
    pub state: String,
}

/// How the caller's sign under a message stands.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Reacted {
    /// Id of the message.
    pub message: String,
    /// The sign that is there now, if any.
    pub emoji: Option<String>,
}

/// How the deletion of a message stands.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Deletion {
    /// Id of the message.
    pub message: String,
    /// `waiting`, `deleted`, or `kept` once it was taken back.
    pub state: String,
    /// When it is signed, Unix milliseconds, while it waits.
    pub until: Option<i64>,
}

/// Messages of a room, oldest first.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Page {
    /// The messages.
    pub messages: Vec<Message>,
    /// Whether there are older ones.
    pub more: bool,
    /// Whether there are some that the caller is not given, since they are from before the caller came.
    pub withheld: bool,
}

/// A message.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own that the page shows"
)]
pub struct Message {
    /// Message id.
    pub id: String,
    /// Its place in the room: of two messages, the one whose text sorts first stands first.
    pub order: String,
    /// Author's member key, hexadecimal.
    pub author: String,
    /// Author's name.
    pub name: String,
    /// Author's role when read: `owner`, `teacher`, `student`, `observer`.
    pub role: String,
    /// Author's clock, Unix milliseconds; shown, never used for order.
    pub at: i64,
    /// The text; empty when deleted.
    pub text: String,
    /// Whether it was edited.
    pub edited: bool,
    /// Whether it was deleted.
    pub deleted: bool,
    /// Whether it was sealed to a key of this device that it does not have any more: it cannot be opened.
    pub closed: bool,
    /// When its deletion is signed, Unix milliseconds, while the caller can still take that back.
    pub deleting_until: Option<i64>,
    /// Message this one answers.
    pub reply_to: Option<String>,
    /// Attached files.
    pub attachments: Vec<Attachment>,
    /// Signs that members put under it, the most frequent first.
    pub reactions: Vec<Reaction>,
    /// A shared result, if this message carries one.
    pub result: Option<ResultInfo>,
    /// Whether the caller wrote it.
    pub mine: bool,
    /// Whether it arrived after newer ones were shown.
    pub late: bool,
    /// Whether something it builds on is still missing.
    pub provisional: bool,
    /// How many peers confirmed that they stored it; only known for the caller's own.
    pub delivered: u32,
    /// Others who have read it, as far as they let that be known; only told of the caller's own.
    pub read_by: Vec<Person>,
}

/// An attached file.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Attachment {
    /// Attachment id, for `room.save` and the media protocol (`attachment/<id>`).
    pub id: String,
    /// File name, made safe.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
    /// BLAKE3 of the content, hexadecimal.
    pub hash: String,
    /// Media type by content, such as `image/jpeg`.
    pub media_type: String,
    /// Bytes that are here and verified.
    pub have: u64,
}

/// A sign under a message, and who put it there.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Reaction {
    /// The sign.
    pub emoji: String,
    /// Who; at least one.
    pub members: Vec<Person>,
    /// Whether the caller is one of them.
    pub mine: bool,
}

/// A member, in short.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Person {
    /// Member key, hexadecimal.
    pub member: String,
    /// Name.
    pub name: String,
}

/// A shared result: a picture batch or an indicator run.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct ResultInfo {
    /// `images` or `indicators`.
    pub kind: String,
    /// One line that says what it is.
    pub title: String,
    /// Name and value pairs worth showing.
    pub facts: Vec<(String, String)>,
    /// Attachment id of the preview picture, if there is one.
    pub preview: Option<String>,
}

/// An attachment was written to disk.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Saved {
    /// Where.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// BLAKE3 of the content, hexadecimal; equal to the attachment's.
    pub hash: String,
}

/// This node.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct NodeInfo {
    /// Peer id.
    pub peer: String,
    /// Addresses it can be reached at, with the peer id.
    pub addresses: Vec<String>,
}

/// This node and who it is connected to.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Peers {
    /// This node; absent when the network is not running.
    pub node: Option<NodeInfo>,
    /// The others.
    pub peers: Vec<PeerInfo>,
}

/// A peer.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct PeerInfo {
    /// Peer id.
    pub peer: String,
    /// Name of the member, once membership in a common space was proven.
    pub name: Option<String>,
    /// Address in use, or the last one known.
    pub address: String,
    /// Whether it is connected now.
    pub connected: bool,
    /// How it was found: `mdns`, `remembered`, `typed`, `inbound`.
    pub found_by: String,
    /// Round trip in milliseconds, when measured.
    pub rtt_ms: Option<f64>,
    /// Names of the spaces in common.
    pub spaces: Vec<String>,
}
