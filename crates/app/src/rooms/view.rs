//! What is shown, kept in step with what the sync core says, in its transaction.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use artel_domain::{
    Attachment, Body, Content, DeviceId, FileId, MemberId, MessageId, Permission, RoomId, SpaceId,
    Topic, attachment::chunk_count, limits::CHUNK,
};
use artel_store::{
    Connection, StoreError, restored,
    rooms::{self, MessageFile, NewContent, NewMessage},
};
use artel_sync::protocol::{DoorEnd, Event, MemberView, Node, Reaction, Shown};
use serde::{Deserialize, Serialize};

use super::{attachments::AttachmentId, ledger, reports};
use crate::api::{self, rooms as wire};

/// Media types of previews carry this parameter: the position of the file they show in small.
const PREVIEW_OF: &str = "; preview-of=";
/// A result's preview up to this many bytes is fetched without being asked for.
const FETCH_UNASKED: u64 = 1024 * 1024;
/// Messages told one by one in a batch; beyond it listeners are told to ask again.
const MOST_TOLD: usize = 128;

/// Media type of a preview of the file at `position`.
pub(super) fn preview_type(media_type: &str, position: usize) -> String {
    format!("{media_type}{PREVIEW_OF}{position}")
}

fn preview_of(attachment: &Attachment) -> Option<u8> {
    attachment
        .media_type
        .split_once(PREVIEW_OF)
        .and_then(|(_, position)| position.parse().ok())
}

/// A shared result as it is kept beside its message.
#[derive(Debug, Serialize, Deserialize)]
struct KeptResult {
    kind: String,
    title: String,
    facts: Vec<(String, String)>,
    preview: Option<u8>,
}

/// What a batch changed, to be told once it is durable.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says whether one list is to be asked for again"
)]
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub spaces: bool,
    peers: bool,
    overflow: bool,
    messages: BTreeSet<MessageId>,
    /// Rooms whose notes changed.
    notes: BTreeSet<RoomId>,
    /// Rooms in which somebody has read on.
    reads: BTreeSet<RoomId>,
    files: HashMap<FileId, u64>,
    /// Attachments to ask for at once.
    pub wanted: Vec<(MessageId, u8)>,
    /// Whether a peer confirmed something.
    pub delivered: bool,
    notices: Vec<api::Notice>,
    /// Spaces in which somebody else reported a message.
    reported: BTreeSet<SpaceId>,
}

impl Changes {
    /// Has a message told anew.
    pub(super) fn touch(&mut self, id: MessageId) {
        if self.messages.len() < MOST_TOLD {
            self.messages.insert(id);
        } else {
            self.overflow = true;
        }
    }

    /// Has listeners ask again for everything that is listed.
    pub(super) fn lists(&mut self) {
        self.spaces = true;
    }

    /// Has it told that a message was reported, to one who runs the space; once, however many were.
    pub(super) fn reported(&mut self, space: SpaceId) {
        self.reported.insert(space);
    }

    /// Has something told that the user should know.
    pub(super) fn notice(&mut self, notice: api::Notice) {
        self.notices.push(notice);
    }

    fn want(&mut self, id: MessageId, content: &Content) {
        for (position, attachment) in content.attachments().iter().enumerate() {
            let Ok(position) = u8::try_from(position) else {
                continue;
            };
            let chosen = match content {
                Content::Result(manifest) => manifest.preview == Some(position),
                _ => preview_of(attachment).is_some(),
            };
            if chosen && attachment.size <= FETCH_UNASKED {
                self.wanted.push((id, position));
            }
        }
    }
}

/// Brings the view in step with one event.
pub(super) fn apply(
    tx: &Connection,
    me: MemberId,
    event: &Event,
    changes: &mut Changes,
) -> Result<(), StoreError> {
    match event {
        Event::SpaceChanged(_)
        | Event::Joined { .. }
        | Event::Pending { .. }
        | Event::DoorPassed { .. }
        | Event::DoorTried { .. } => {
            changes.spaces = true;
        }
        Event::Presence { .. } => {
            changes.spaces = true;
            changes.peers = true;
        }
        Event::Shown(shown) => show(tx, me, shown, changes)?,
        Event::Settled { id, .. } => {
            rooms::settle(tx, id)?;
            changes.touch(*id);
        }
        Event::Withdrawn { space, room, id } | Event::Erased { space, room, id }
            if *room == space.reports() =>
        {
            reports::forget(tx, id, changes)?;
        }
        Event::Withdrawn { id, .. } => {
            if let Some(target) = rooms::withdraw(tx, id)? {
                changes.touch(target);
            }
            // A message that is gone cannot be told; listeners ask again.
            changes.overflow = true;
        }
        Event::Erased { id, .. } => {
            rooms::erase(tx, id)?;
            changes.touch(*id);
        }
        Event::PageChanged { room, .. } => {
            changes.notes.insert(*room);
        }
        Event::Register { register, .. } => match &register.topic {
            Topic::Reaction { target, .. } => changes.touch(*target),
            Topic::Read { .. } => {
                changes.reads.insert(register.room);
            }
            Topic::Prekey(_) | Topic::Unknown { .. } => {}
        },
        Event::Delivered { last, .. } => {
            changes.delivered = true;
            changes.touch(*last);
        }
        Event::Attachment {
            message,
            index,
            file,
            have,
            size,
            ..
        } => {
            changes.files.insert(*file, *have);
            if have == size {
                tracing::debug!(%message, index, "file complete");
            }
        }
        Event::Forked(_) => changes.notices.push(api::Notice {
            level: api::NoticeLevel::Warning,
            code: "copied_profile".to_owned(),
            message: "A copied profile is in use: two machines write as the same device. \
                      Both histories are kept."
                .to_owned(),
            params: BTreeMap::new(),
        }),
        Event::Reborn(_) => changes.notices.push(api::Notice {
            level: api::NoticeLevel::Note,
            code: "new_incarnation".to_owned(),
            message: "Others hold more of this device's messages than this machine: it goes on \
                      under a new mark, and nothing is lost."
                .to_owned(),
            params: BTreeMap::new(),
        }),
        Event::Cloned => changes.notices.push(api::Notice {
            level: api::NoticeLevel::Warning,
            code: "cloned_device".to_owned(),
            message: "This profile also runs on another computer; this one got a key of its own. \
                      Nothing is lost, and the other goes on."
                .to_owned(),
            params: BTreeMap::new(),
        }),
        Event::DoorClosed { why, .. } => {
            changes.spaces = true;
            changes.notices.extend(door_notice(*why));
        }
        Event::JoinRefused { .. }
        | Event::InStep { .. }
        | Event::Ahead { .. }
        | Event::DoorOpened { .. }
        | Event::DoorShut { .. }
        | Event::KnockingEnded { .. } => {}
    }
    Ok(())
}

/// What its keeper is told of a door that closed; nothing when its time was over.
fn door_notice(why: DoorEnd) -> Option<api::Notice> {
    match why {
        DoorEnd::Time => None,
        DoorEnd::Guessed => Some(api::Notice {
            level: api::NoticeLevel::Warning,
            code: "door_guessed".to_owned(),
            message: "The door was closed: wrong codes were tried at it 20 times. Nobody came in by them. \
                      Open it again for a new code."
                .to_owned(),
            params: BTreeMap::new(),
        }),
        DoorEnd::Invite => Some(api::Notice {
            level: api::NoticeLevel::Note,
            code: "door_ended".to_owned(),
            message: "The door was closed: the invite behind it has ended.".to_owned(),
            params: BTreeMap::new(),
        }),
    }
}

fn show(
    tx: &Connection,
    me: MemberId,
    shown: &Shown,
    changes: &mut Changes,
) -> Result<(), StoreError> {
    let content = shown.body.as_ref().map(|body| &body.content);
    match content {
        Some(Content::Edit { target, text }) => {
            rooms::revision(tx, &shown.id, shown.lamport, target, Some(text))?;
            changes.touch(*target);
            return Ok(());
        }
        Some(Content::Delete { target, .. }) => {
            rooms::revision(tx, &shown.id, shown.lamport, target, None)?;
            changes.touch(*target);
            return Ok(());
        }
        Some(Content::Report(report)) => {
            return reports::show(tx, me, shown, report, changes);
        }
        Some(Content::Control(_) | Content::Page { .. } | Content::Sealed(_)) => return Ok(()),
        Some(Content::Text { .. } | Content::Result(_) | Content::Unknown(_)) | None => {}
    }
    let control = shown.room == shown.space.control_room();
    if control || shown.room == shown.space.reports() {
        return Ok(());
    }
    let result = kept_result(content);
    rooms::insert(
        tx,
        &NewMessage {
            id: shown.id,
            feed: ledger::feed(&shown.feed),
            room: shown.room,
            sequence: shown.sequence,
            lamport: shown.lamport,
            author: shown.author,
            mine: shown.author == me,
            late: shown.late,
            provisional: shown.provisional,
            content: shown.body.as_ref().map(|body| new_content(body, &result)),
            erased: shown.erased,
            closed: shown.closed,
        },
    )?;
    if let Some(content) = content
        && shown.author != me
    {
        changes.want(shown.id, content);
    }
    changes.touch(shown.id);
    Ok(())
}

fn kept_result(content: Option<&Content>) -> String {
    let Some(Content::Result(manifest)) = content else {
        return String::new();
    };
    let kept = KeptResult {
        kind: manifest.kind.clone(),
        title: manifest.title.clone(),
        facts: manifest.facts.clone(),
        preview: manifest.preview,
    };
    // Strings and numbers always have a JSON form.
    serde_json::to_string(&kept).unwrap_or_default()
}

fn new_content<'a>(body: &'a Body, result: &'a str) -> NewContent<'a> {
    let (text, reply_to) = match &body.content {
        Content::Text { text, reply_to, .. } => (text.as_str(), *reply_to),
        _ => ("", None),
    };
    NewContent {
        at: body.at,
        text,
        reply_to,
        result,
        attachments: body
            .content
            .attachments()
            .iter()
            .map(|attachment| (attachment, preview_of(attachment)))
            .collect(),
    }
}

/// Names and roles of the members of some spaces, and what they say of messages without writing.
#[derive(Debug, Default)]
pub(super) struct People {
    me: Option<MemberId>,
    spaces: HashMap<SpaceId, HashMap<MemberId, Person>>,
    signs: HashMap<MessageId, Vec<Reaction>>,
    reads: HashMap<RoomId, BTreeMap<MemberId, (u64, MessageId)>>,
}

#[derive(Clone, Debug)]
struct Person {
    name: String,
    role: &'static str,
    /// All that they ever had in use: what a device wrote stays theirs.
    devices: Vec<DeviceId>,
    me: bool,
}

impl People {
    /// What is to be known to show these messages.
    pub(super) fn around<'a>(
        node: &Node,
        messages: impl IntoIterator<Item = (&'a SpaceId, &'a RoomId, &'a MessageId)>,
    ) -> Self {
        let mut people = Self {
            me: Some(node.member()),
            ..Self::default()
        };
        for (space, room, message) in messages {
            people.learn(node, space, room, message);
        }
        people
    }

    /// The members of one space.
    pub(super) fn of(node: &Node, space: &SpaceId) -> Self {
        let mut people = Self::default();
        people.meet(node, space);
        people
    }

    fn meet(&mut self, node: &Node, space: &SpaceId) {
        self.spaces.entry(*space).or_insert_with(|| {
            node.members(space)
                .into_iter()
                .map(|member: MemberView| {
                    let person = Person {
                        name: member.name,
                        role: member.role.name(),
                        devices: [member.devices, member.retired].concat(),
                        me: member.me,
                    };
                    (member.member, person)
                })
                .collect()
        });
    }

    fn learn(&mut self, node: &Node, space: &SpaceId, room: &RoomId, message: &MessageId) {
        self.meet(node, space);
        let reads = self.reads.entry(*room);
        reads.or_insert_with(|| node.reads(space, room));
        let signs = node.reactions(space, room, message);
        if !signs.is_empty() {
            self.signs.insert(*message, signs);
        }
    }

    fn person(&self, space: &SpaceId, member: &MemberId) -> wire::Person {
        wire::Person {
            member: member.to_string(),
            name: self.name_and_role(space, member).0,
        }
    }

    /// The signs under a message, the most frequent first.
    fn reactions(&self, message: &rooms::Message) -> Vec<wire::Reaction> {
        let mut reactions: BTreeMap<&str, wire::Reaction> = BTreeMap::new();
        for Reaction { member, emoji } in self.signs.get(&message.id).into_iter().flatten() {
            let reaction = reactions.entry(emoji).or_insert_with(|| wire::Reaction {
                emoji: emoji.clone(),
                members: Vec::new(),
                mine: false,
            });
            reaction.members.push(self.person(&message.space, member));
            reaction.mine |= self.me == Some(*member);
        }
        let mut reactions: Vec<_> = reactions.into_values().collect();
        reactions.sort_by_key(|reaction| std::cmp::Reverse(reaction.members.len()));
        reactions
    }

    /// Others who have read a message.
    fn readers(&self, message: &rooms::Message) -> Vec<wire::Person> {
        let at = (message.lamport, message.id);
        let reads = self.reads.get(&message.room).into_iter().flatten();
        reads
            .filter(|(member, through)| **member != message.author && **through >= at)
            .map(|(member, _)| self.person(&message.space, member))
            .collect()
    }

    pub(super) fn name_and_role(
        &self,
        space: &SpaceId,
        member: &MemberId,
    ) -> (String, &'static str) {
        let members = self.spaces.get(space);
        if let Some(person) = members.and_then(|members| members.get(member)) {
            (person.name.clone(), person.role)
        } else {
            let id = member.to_string();
            (id.get(..8).unwrap_or(&id).to_owned(), "")
        }
    }

    /// The member that a device belongs to, in use or retired.
    pub(super) fn of_device(&self, space: &SpaceId, device: &DeviceId) -> Option<MemberId> {
        let mut members = self.spaces.get(space)?.iter();
        let found = members.find(|(_, person)| person.devices.contains(device));
        found.map(|(member, _)| *member)
    }

    /// How many of these devices belong to the other one of a conversation.
    pub(super) fn readers_among(
        &self,
        space: &SpaceId,
        room: &RoomId,
        devices: &[DeviceId],
    ) -> usize {
        let Some(members) = self.spaces.get(space) else {
            return 0;
        };
        let me = members.iter().find(|(_, person)| person.me);
        let Some((me, _)) = me else { return 0 };
        let of_other = |device: &&DeviceId| {
            let owner = members
                .iter()
                .find(|(_, person)| person.devices.contains(device));
            owner.is_some_and(|(other, _)| {
                let mut readers = [*me, *other];
                readers.sort_unstable();
                other != me && RoomId::conversation(space, &readers) == *room
            })
        };
        devices.iter().filter(of_other).count()
    }
}

/// Previews of a message that have not arrived: those that were on their way when the program ended.
pub(super) fn missing_previews(message: &rooms::Message) -> Vec<(MessageId, u8)> {
    let result = serde_json::from_str::<KeptResult>(&message.result).ok();
    let of_result = result.and_then(|kept| kept.preview);
    let missing = message.files.iter().filter(|file| {
        (file.preview_of.is_some() || of_result == Some(file.position))
            && file.size <= FETCH_UNASKED
            && have(file) < file.size
    });
    missing.map(|file| (message.id, file.position)).collect()
}

/// Bytes that are here of a file.
pub(super) fn have(file: &MessageFile) -> u64 {
    if file.chunks >= chunk_count(file.size) {
        file.size
    } else {
        file.size
            .min(u64::from(file.chunks).saturating_mul(CHUNK as u64))
    }
}

/// A message as the façade speaks of it.
pub(super) fn to_wire(message: rooms::Message, people: &People) -> wire::Message {
    let (name, role) = people.name_and_role(&message.space, &message.author);
    let id = message.id;
    let delivered = match &message.holders {
        // Others carry it as well; what counts is that its reader has it.
        Some(holders) => {
            let count = people.readers_among(&message.space, &message.room, holders);
            u32::try_from(count).unwrap_or(u32::MAX)
        }
        None => message.delivered,
    };
    let attachment_id = |position| AttachmentId {
        message: id,
        position,
    };
    let result = serde_json::from_str::<KeptResult>(&message.result)
        .ok()
        .map(|kept| wire::ResultInfo {
            kind: kept.kind,
            title: kept.title,
            facts: kept.facts,
            preview: kept
                .preview
                .map(|position| attachment_id(position).to_string()),
        });
    let deleted = message.deleted;
    wire::Message {
        read_by: if message.mine && !deleted {
            people.readers(&message)
        } else {
            Vec::new()
        },
        reactions: if deleted {
            Vec::new()
        } else {
            people.reactions(&message)
        },
        id: message.id.to_string(),
        order: format!("{:016x}{}", message.lamport, message.id),
        author: message.author.to_string(),
        name,
        role: role.to_owned(),
        at: message.at,
        text: message.text,
        edited: message.edited,
        deleted: message.deleted,
        closed: message.closed,
        deleting_until: message.deleting_until,
        reply_to: message.reply_to.map(|id| id.to_string()),
        attachments: message
            .files
            .iter()
            .filter(|file| file.preview_of.is_none())
            .map(|file| wire::Attachment {
                id: attachment_id(file.position).to_string(),
                name: artel_domain::sanitize(&file.name),
                size: file.size,
                hash: file.hash.to_string(),
                media_type: file.media_type.clone(),
                have: have(file),
            })
            .collect(),
        result,
        mine: message.mine,
        late: message.late,
        provisional: message.provisional,
        delivered,
    }
}

/// One line for a room list.
pub(super) fn last_words(text: &str) -> String {
    const LONGEST: usize = 120;
    let text = match serde_json::from_str::<KeptResult>(text) {
        Ok(kept) => kept.title,
        Err(_) => text.to_owned(),
    };
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((cut, _)) => format!("{}…", line.get(..cut).unwrap_or_default()),
        None => line,
    }
}

/// The events to tell once the transaction is durable.
pub(super) fn events(
    tx: &Connection,
    node: &Node,
    changes: &mut Changes,
) -> Result<Vec<api::Event>, StoreError> {
    let mut events = Vec::new();
    let mut people = People::around(node, []);
    for id in std::mem::take(&mut changes.messages) {
        if let Some(message) = rooms::message(tx, &id)? {
            if restored::held(tx, &message.space)?.is_some() {
                changes.spaces = true;
                continue;
            }
            people.learn(node, &message.space, &message.room, &message.id);
            events.push(api::Event::Message {
                room: message.room.to_string(),
                message: Box::new(to_wire(message, &people)),
            });
        }
    }
    let mut told = HashSet::new();
    for (file, have) in std::mem::take(&mut changes.files) {
        for (message, position) in rooms::carriers(tx, &file, 16)? {
            let id = AttachmentId { message, position };
            if told.insert(id)
                && let Some(message) = rooms::message(tx, &message)?
                && let Some(file) = message.files.iter().find(|file| file.position == position)
            {
                events.push(api::Event::Attachment {
                    attachment: id.to_string(),
                    have,
                    size: file.size,
                });
            }
        }
    }
    events.extend(
        std::mem::take(&mut changes.notes)
            .into_iter()
            .map(|room| api::Event::Notes {
                room: room.to_string(),
            }),
    );
    events.extend(
        std::mem::take(&mut changes.reads)
            .into_iter()
            .map(|room| api::Event::Reads {
                room: room.to_string(),
            }),
    );
    if changes.spaces || changes.overflow {
        events.push(api::Event::Spaces);
    }
    if changes.peers {
        events.push(api::Event::Peers);
    }
    for id in std::mem::take(&mut changes.reported) {
        let spaces = node.spaces().into_iter();
        let run = spaces.filter(|space| space.space == id).find(|space| {
            let role = space.role;
            role.is_some_and(|role| role.may(Permission::DeleteOthers))
        });
        if let Some(space) = run {
            events.push(api::Event::Notice(api::Notice {
                level: api::NoticeLevel::Note,
                code: "new_report".to_owned(),
                message: format!("A message was reported to those who run {}.", space.name),
                params: BTreeMap::from([("space".to_owned(), space.name)]),
            }));
        }
    }
    events.extend(changes.notices.drain(..).map(api::Event::Notice));
    Ok(events)
}
