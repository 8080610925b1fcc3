//! What the person at this machine can do.

use artel_domain::{
    Audience, Body, Content, Control, Cut, DeviceId, Envelope, InviteCode, InviteId, Letter,
    MemberId, MessageId, Permission, Policy, Prekey, Role, RoomId, Sealed, Signed, SpaceId,
    SpaceSecret,
    limits::{MAX_CONTROL_FEED, MAX_CUTS, MAX_EDITS, MAX_PARENTS, TERM_RECORDS},
    role::TABLE,
};
use zeroize::Zeroizing;

use super::{
    super::{
        event::CommandError,
        ledger::{FeedKey, JoinRow, Ledger, LedgerResult, Opening, SpaceRow, Standing},
        roster::{Member, MemberState, needed, needed_to_invite},
    },
    Fault, InviteTerms, Node, Sent,
    ingest::seal,
    joining::Joining,
    showing::{is_sealed, sealed_place, shown_in},
    space::Space,
};

/// Entries written before another one only to name heads.
const MAX_TIES: usize = 16;
/// Name of the room that comes with a space.
const FIRST_ROOM: &str = "General";

/// What a record is to say; `T` is first the content, then the body made of it.
pub(super) enum Said<T = Content> {
    /// To all readers of its room.
    Open(T),
    /// To these devices only, and shown in this room.
    Sealed {
        letter: Box<Letter>,
        devices: Vec<(DeviceId, Prekey)>,
        shown_in: RoomId,
    },
}

impl From<Fault> for CommandError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Ledger(error) => Self::Ledger(error),
            Fault::Broke(why) => Self::Feed(why),
        }
    }
}

impl Node {
    /// Founds a space with a first room, "General". This member is its owner.
    ///
    /// # Errors
    /// The name breaks a rule.
    pub fn found_space(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        name: &str,
    ) -> Result<SpaceId, CommandError> {
        let genesis = Signed::found(&self.identity.member, name, self.entropy.draw()?, now)?;
        let secret = self.new_secret()?;
        let found = Control::Found {
            certificate: self.certificate.wire().to_vec(),
            name: self.identity.name.clone(),
            epoch: secret.hash(),
        };
        found.check()?;
        let row = SpaceRow {
            space: genesis.space(),
            genesis: genesis.wire().to_vec(),
        };
        let space = row.space;
        ledger.put_space(&row)?;
        self.spaces.insert(space, Space::new(row, genesis));
        self.begin_epoch(ledger, now, space, found, secret)?;
        self.create_room(ledger, now, space, FIRST_ROOM, Audience::All)?;
        self.retag();
        Ok(space)
    }

    /// Creates a room. One for chosen members is for this one as well.
    ///
    /// # Errors
    /// No such space or member, not allowed, or the name breaks a rule.
    pub fn create_room(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        space: SpaceId,
        name: &str,
        mut audience: Audience,
    ) -> Result<RoomId, CommandError> {
        let (name, nonce) = (name.to_owned(), self.entropy.draw()?);
        self.may(&space, Permission::CreateRooms)?;
        if let Audience::Chosen(members) = &mut audience {
            for member in members.iter() {
                self.target(&space, member)?;
            }
            members.push(self.member());
            members.sort_unstable();
            members.dedup();
        }
        let create = Control::RoomCreate {
            nonce,
            name,
            audience,
        };
        self.write_control(ledger, now, space, create)?;
        Ok(RoomId::derive(&space, &self.device(), &nonce))
    }

    /// Opens an invite. The code is not kept anywhere: show it now.
    ///
    /// # Errors
    /// No such space, not allowed, or the terms break a rule.
    pub fn create_invite(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        space: SpaceId,
        terms: InviteTerms,
    ) -> Result<InviteCode, CommandError> {
        self.may(&space, needed_to_invite(terms.role))?;
        let code = InviteCode::new(self.entropy.draw()?, &space);
        let InviteTerms {
            role,
            seats,
            expires_at,
            approve,
        } = terms;
        let invite = code.key().id();
        self.write_control(
            ledger,
            now,
            space,
            Control::InviteCreate {
                invite,
                role,
                seats,
                expires_at,
                approve,
            },
        )?;
        Ok(code)
    }

    /// Ends an invite. Those who joined by it, as far as this node knows, stay.
    ///
    /// # Errors
    /// No such space or invite, or not allowed.
    pub fn revoke_invite(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        space: SpaceId,
        invite: InviteId,
    ) -> Result<(), CommandError> {
        let found = self.spaces.get(&space).ok_or(CommandError::NoSpace)?;
        let known = found.roster.invite(&invite).ok_or(CommandError::NoInvite)?;
        let (role, keep) = (known.role, known.joins.clone());
        self.may(&space, needed_to_invite(role))?;
        self.write_control(ledger, now, space, Control::InviteRevoke { invite, keep })?;
        Ok(())
    }

    /// Begins to join by an invite: every peer met from now on, and every one connected, is asked, until one lets this
    /// member in. Outcomes come as [`super::Event::Joined`], [`super::Event::Pending`] and
    /// [`super::Event::JoinRefused`]. Survives a restart.
    ///
    /// # Errors
    /// This member is in that space already.
    pub fn join(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        code: &InviteCode,
    ) -> Result<InviteId, CommandError> {
        let invite = code.key().id();
        // An invite that this node's roster does not know may lead back one who was removed and never heard of it.
        let inside = |space: &Space| {
            code.leads_to(&space.id())
                && space.roster.invite(&invite).is_some()
                && self.is_inside(&space.id())
        };
        if self.spaces.values().any(inside) {
            return Err(CommandError::AlreadyMember);
        }
        self.tell_time(now);
        // Under way already: whoever is connected is asked again, and what is known is told again.
        if let Some(joining) = self.joins.get_mut(&invite) {
            joining.told = false;
            for session in self.sessions.values_mut() {
                session.asked.remove(&invite);
            }
            self.retag();
            return Ok(invite);
        }
        let name = self.identity.name.clone();
        let row = JoinRow {
            invite,
            code: code.to_string(),
            name,
            genesis: None,
        };
        ledger.put_join(&row)?;
        self.joins.insert(
            invite,
            Joining {
                row,
                code: code.clone(),
                told: false,
            },
        );
        for session in self.sessions.values_mut() {
            session.asked.remove(&invite);
        }
        self.retag();
        Ok(invite)
    }

    /// Whether a join by this invite is under way.
    pub fn is_joining(&self, invite: &InviteId) -> bool {
        self.joins.contains_key(invite)
    }

    /// Gives up joining. None under way is no error.
    ///
    /// # Errors
    /// The ledger failed.
    pub fn cancel_join(&mut self, ledger: &mut dyn Ledger, invite: InviteId) -> LedgerResult<()> {
        self.joins.remove(&invite);
        for session in self.sessions.values_mut() {
            session.asked.remove(&invite);
        }
        ledger.remove_join(&invite)
    }

    /// Makes a pending member a member.
    ///
    /// # Errors
    /// No such space or member, or not allowed.
    pub fn admit(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        space: SpaceId,
        member: MemberId,
    ) -> Result<(), CommandError> {
        let role = self.target(&space, &member)?.role;
        self.may(&space, needed_to_invite(role))?;
        self.write_control(ledger, now, space, Control::Admit { member })?;
        Ok(())
    }

    /// Removes a member, or leaves. What this node holds of theirs stays; what they wrote beyond it does not count. Who
    /// is barred can not come back by a later invite, until [`Node::unbar`].
    ///
    /// # Errors
    /// No such space or member, not allowed, or the last owner leaves.
    pub fn remove(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        space: SpaceId,
        member: MemberId,
        barred: bool,
    ) -> Result<(), CommandError> {
        self.may_change(&space, &member, "remove someone of that rank")?;
        let leaves = member == self.member();
        if leaves && self.is_last_owner(&space) {
            return Err(CommandError::LastOwner);
        }
        let cuts = self.cuts(&space, &member, None);
        let secret = self.new_secret()?;
        let remove = Control::Remove {
            member,
            cuts,
            barred: barred && !leaves,
            epoch: (!leaves).then(|| secret.hash()),
        };
        if leaves {
            self.write_control(ledger, now, space, remove)?;
            return Ok(());
        }
        self.begin_epoch(ledger, now, space, remove, secret)
    }

    /// Lets later invites lead a barred member back.
    ///
    /// # Errors
    /// No such space or member, or not allowed.
    pub fn unbar(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        space: SpaceId,
        member: MemberId,
    ) -> Result<(), CommandError> {
        self.may_change(&space, &member, "let someone of that rank back")?;
        self.write_control(ledger, now, space, Control::Unbar { member })?;
        Ok(())
    }

    /// Erases what a member ever said in the rooms, and their name, for good and on every honest machine. Who is still in
    /// is removed first. What they wrote into shared pages stays.
    ///
    /// # Errors
    /// No such space or member, or not allowed.
    pub fn erase_member(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        space: SpaceId,
        member: MemberId,
    ) -> Result<(), CommandError> {
        const WHAT: &str = "erase someone of that rank";
        if member == self.member() {
            let role = self.target(&space, &member)?.role;
            return Err(CommandError::Forbidden {
                what: "erase themselves",
                role: Some(role),
            });
        }
        self.may_change(&space, &member, WHAT)?;
        if self.target(&space, &member)?.state != MemberState::Removed {
            self.remove(ledger, now, space, member, true)?;
        }
        self.write_control(ledger, now, space, Control::EraseMember { member })?;
        Ok(())
    }

    /// Ends a device of this member, or of one whom it may remove. What this node holds of it stays.
    ///
    /// # Errors
    /// No such space, member or device, or not allowed.
    pub fn retire_device(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        space: SpaceId,
        device: DeviceId,
    ) -> Result<(), CommandError> {
        let known = self.spaces.get(&space).ok_or(CommandError::NoSpace)?;
        let owner = known.roster.of_device(&device);
        let member = owner
            .filter(|owner| owner.live_devices().any(|live| *live == device))
            .map(|owner| owner.id)
            .ok_or(CommandError::NoDevice)?;
        self.may_change(&space, &member, "retire a device of someone of that rank")?;
        let cuts = self.cuts(&space, &member, Some(device));
        let secret = self.new_secret()?;
        let retire = Control::RetireDevice {
            member,
            device,
            cuts,
            epoch: secret.hash(),
        };
        self.begin_epoch(ledger, now, space, retire, secret)
    }

    /// Begins an epoch for its own sake.
    ///
    /// # Errors
    /// No such space, or not allowed.
    pub fn rotate(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        space: SpaceId,
    ) -> Result<(), CommandError> {
        self.may(&space, Permission::NameTeachers)?;
        let secret = self.new_secret()?;
        let rotate = Control::Rotate {
            epoch: secret.hash(),
        };
        self.begin_epoch(ledger, now, space, rotate, secret)
    }

    fn begin_epoch(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        space: SpaceId,
        control: Control,
        secret: SpaceSecret,
    ) -> Result<(), CommandError> {
        let epoch = self.write_control(ledger, now, space, control)?.id;
        self.keep_secret(ledger, space, epoch, secret)?;
        self.retag();
        Ok(())
    }

    fn is_last_owner(&self, space: &SpaceId) -> bool {
        let owners = self.spaces.get(space).map(|space| {
            let members = space.roster.members.iter();
            members
                .filter(|m| m.role == Role::Owner && m.state == MemberState::Member)
                .map(|m| m.id)
                .collect::<Vec<_>>()
        });
        owners.is_some_and(|owners| owners == [self.member()])
    }

    /// Changes a member's role.
    ///
    /// # Errors
    /// No such space or member, or not allowed.
    pub fn set_role(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        space: SpaceId,
        member: MemberId,
        role: Role,
    ) -> Result<(), CommandError> {
        self.may_change(&space, &member, "change the role of someone of that rank")?;
        if member != self.member() {
            self.may(&space, needed(role))?;
        }
        if member == self.member() && role < Role::Owner && self.is_last_owner(&space) {
            return Err(CommandError::LastOwner);
        }
        let cuts = self.cuts(&space, &member, None);
        self.write_control(ledger, now, space, Control::SetRole { member, role, cuts })?;
        Ok(())
    }

    /// Sets a rule of a space.
    ///
    /// # Errors
    /// No such space, or not allowed.
    pub fn set_policy(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        space: SpaceId,
        policy: Policy,
    ) -> Result<(), CommandError> {
        self.may(&space, Permission::SetPolicy)?;
        self.write_control(ledger, now, space, Control::SetPolicy(policy))?;
        Ok(())
    }

    /// Writes a record into a room, or seals it into a conversation. Files are attached by first putting their chunk lists
    /// and chunks into the ledger, with the [`artel_domain::Attachment`] that [`artel_domain::FileDigest`] made.
    ///
    /// # Errors
    /// No such space, room or target, not allowed, or the content breaks a rule.
    pub fn send(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        space: SpaceId,
        room: RoomId,
        content: Content,
    ) -> Result<Sent, CommandError> {
        let content = self.allowed(ledger, &space, &room, content)?;
        for attachment in content.attachments() {
            ledger.put_file_of(&attachment.file, &room)?;
        }
        match self.conversation(&space, &room)? {
            Some(readers) => {
                let letter = Letter { readers, content };
                self.write_letter(ledger, now, space, letter)
            }
            None => self.write(ledger, now, space, room, content),
        }
    }

    /// Whether the caller may write this into a room, as [`Self::send`] would find. Writes nothing.
    ///
    /// # Errors
    /// No such space, room or target, or not allowed.
    pub fn may_send(
        &self,
        ledger: &dyn Ledger,
        space: &SpaceId,
        room: &RoomId,
        content: Content,
    ) -> Result<(), CommandError> {
        self.allowed(ledger, space, room, content).map(drop)
    }

    fn allowed(
        &self,
        ledger: &dyn Ledger,
        space: &SpaceId,
        room: &RoomId,
        content: Content,
    ) -> Result<Content, CommandError> {
        self.may(space, Permission::Write)?;
        let known = self.spaces.get(space).ok_or(CommandError::NoSpace)?;
        let of_page = known.roster.room(room).is_some_and(|r| r.page.is_some());
        let changes_page = matches!(content, Content::Page { .. });
        let sealed = matches!(content, Content::Sealed(_) | Content::Report(_));
        let talk = *room != space.direct_room() && known.roster.reads(&self.member(), room);
        if of_page || changes_page || sealed {
            return Err(CommandError::NoRoom);
        }
        if !talk && self.conversation(space, room)?.is_none() {
            return Err(CommandError::NoRoom);
        }
        // What was said before can still be taken back.
        let deletes = matches!(content, Content::Delete { .. });
        if !talk && !deletes && !known.roster.is_direct_on() {
            return Err(CommandError::DirectOff);
        }
        self.aimed(ledger, space, room, content)
    }

    /// Asks peers for an attachment until it is complete; progress comes as [`super::Event::Attachment`]. What is here
    /// already is not asked again. Not kept over a restart: ask again.
    ///
    /// # Errors
    /// No such record or attachment here.
    pub fn fetch(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        message: MessageId,
        index: u8,
    ) -> Result<(), CommandError> {
        self.tell_time(now);
        self.begin_fetch(ledger, now, (message, index), true)
    }

    /// Asks peers for an attachment that nobody waits for, such as a preview: like [`Self::fetch`], but what somebody asked
    /// for goes first.
    ///
    /// # Errors
    /// No such record or attachment here, or too many are asked for already.
    pub fn prefetch(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        message: MessageId,
        index: u8,
    ) -> Result<(), CommandError> {
        self.tell_time(now);
        self.begin_fetch(ledger, now, (message, index), false)
    }

    /// Until when files give way to everything else, if any are fetched and they do. At that time
    /// [`Self::go_on_with_files`] is to be called; otherwise the next tick goes on with them.
    pub fn files_rest(&self, now: i64) -> Option<i64> {
        self.fetches.rest(now)
    }

    /// Goes on with the files that gave way until now.
    pub fn go_on_with_files(&mut self, now: i64) {
        self.tell_time(now);
        self.ask_for_more(now);
    }

    /// Stops asking for an attachment; what has arrived stays.
    pub fn cancel_fetch(&mut self, message: MessageId, index: u8) {
        self.fetches.stop(&(message, index));
    }

    fn target(&self, space: &SpaceId, member: &MemberId) -> Result<&Member, CommandError> {
        let space = self.spaces.get(space).ok_or(CommandError::NoSpace)?;
        space.roster.member(member).ok_or(CommandError::NoMember)
    }

    /// Whether this node's member may do something in a space.
    pub(super) fn may(&self, space: &SpaceId, permission: Permission) -> Result<(), CommandError> {
        let roster = &self.spaces.get(space).ok_or(CommandError::NoSpace)?.roster;
        let me = roster.member(&self.member());
        if me.is_some_and(|me| me.state == MemberState::Removed) {
            return Err(CommandError::Removed);
        }
        let role = me
            .filter(|me| me.state == MemberState::Member)
            .map(|me| me.role);
        if role.is_some() && !self.is_inside(space) {
            return Err(CommandError::NotEnrolled);
        }
        if role.is_some_and(|role| role.may(permission)) {
            return Ok(());
        }
        let what = TABLE
            .iter()
            .find(|row| row.permission == permission)
            .map_or("do that", |row| row.words);
        Err(CommandError::Forbidden { what, role })
    }

    /// Whether this node's member may remove or change another (or itself).
    fn may_change(
        &self,
        space: &SpaceId,
        member: &MemberId,
        what: &'static str,
    ) -> Result<(), CommandError> {
        let target = self.target(space, member)?.role;
        let me = self.member();
        if *member == me {
            let inside = self.is_inside(space);
            return inside.then_some(()).ok_or(CommandError::NotEnrolled);
        }
        self.may(space, needed(target))?;
        let roster = &self.spaces.get(space).ok_or(CommandError::NoSpace)?.roster;
        if roster.outranks(&me, member) {
            return Ok(());
        }
        Err(CommandError::Forbidden {
            what,
            role: roster.member(&me).map(|m| m.role),
        })
    }

    /// What this node holds of the feeds of a member, or of one device of theirs.
    fn cuts(&self, space: &SpaceId, member: &MemberId, only: Option<DeviceId>) -> Vec<Cut> {
        let Some(space) = self.spaces.get(space) else {
            return Vec::new();
        };
        let devices = space
            .roster
            .member(member)
            .map(|m| m.devices.clone())
            .unwrap_or_default();
        let mut heads: Vec<_> = devices
            .iter()
            .filter(|device| only.is_none_or(|only| **device == only))
            .flat_map(|device| space.feeds_of(device))
            .collect();
        // What is beyond the list is void, and of control feeds that is the most.
        let control = space.id().control_room();
        heads.sort_unstable_by_key(|head| {
            std::cmp::Reverse((head.feed.room == control, head.lamport, head.id))
        });
        heads
            .into_iter()
            .take(MAX_CUTS)
            .map(|head| Cut {
                room: head.feed.room,
                device: head.feed.device,
                incarnation: head.feed.incarnation,
                sequence: head.sequence,
                last: head.id,
            })
            .collect()
    }

    /// Checks what an edit or a deletion is aimed at; a deletion takes along the edits that are known.
    fn aimed(
        &self,
        ledger: &dyn Ledger,
        space: &SpaceId,
        room: &RoomId,
        content: Content,
    ) -> Result<Content, CommandError> {
        let Some(target) = content.target().copied() else {
            return Ok(content);
        };
        let record = ledger
            .record(&target)?
            .filter(|r| r.feed.space == *space && r.standing == Standing::Settled)
            .ok_or(CommandError::NoMessage)?;
        if shown_in(ledger, &record)? != *room {
            return Err(CommandError::NoMessage);
        }
        let roster = &self.spaces.get(space).ok_or(CommandError::NoSpace)?.roster;
        let own = roster
            .of_device(&record.feed.device)
            .is_some_and(|m| m.id == self.member());
        match content {
            Content::Edit { .. } if !own => Err(CommandError::NotAuthor),
            Content::Delete { target, mut edits } => {
                if !own && is_sealed(&record) {
                    return Err(CommandError::NotAuthor);
                }
                if !own {
                    self.may(space, Permission::DeleteOthers)?;
                }
                for id in ledger.references(&target)? {
                    let edit = matches!(
                        self.content(ledger, &id)?,
                        Some((
                            _,
                            Body {
                                content: Content::Edit { .. },
                                ..
                            }
                        ))
                    );
                    if edit && !edits.contains(&id) && edits.len() < MAX_EDITS {
                        edits.push(id);
                    }
                }
                Ok(Content::Delete { target, edits })
            }
            other => Ok(other),
        }
    }

    pub(super) fn write_control(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        space: SpaceId,
        control: Control,
    ) -> Result<Sent, CommandError> {
        self.write(
            ledger,
            now,
            space,
            space.control_room(),
            Content::Control(control),
        )
    }

    /// Whether this life's feed in a room can be continued. Not so in a copied profile, after a position that is a lie,
    /// and where a control feed is full.
    pub(super) fn goes_on(&self, space: &SpaceId, room: &RoomId) -> bool {
        let feed = FeedKey {
            space: *space,
            room: *room,
            device: self.device(),
            incarnation: self.incarnation,
        };
        let full = |sequence| *room == space.control_room() && sequence >= MAX_CONTROL_FEED;
        self.spaces.get(space).is_none_or(|known| {
            let ends = known.ends_of(&feed);
            ends.len() <= 1
                && !ends
                    .iter()
                    .any(|head| head.standing == Standing::Void || full(head.sequence))
        })
    }

    /// Writes a record into one of this node's own feeds and sends it to who is here.
    pub(super) fn write(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        space: SpaceId,
        room: RoomId,
        content: Content,
    ) -> Result<Sent, CommandError> {
        self.tell_time(now);
        if room == space.control_room() {
            self.tie_heads(ledger, now, space)?;
        }
        let target = content.target().copied();
        let said = Said::Open(content);
        self.write_after(ledger, now, space, room, said, target)
    }

    /// Writes entries that only name others, until one more can name everything that took rights away: what an entry may
    /// do depends on which of that its writer had seen.
    fn tie_heads(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        space: SpaceId,
    ) -> Result<(), CommandError> {
        for _ in 0..MAX_TIES {
            let taking = |space: &Space| {
                let counts = |device: &DeviceId| space.roster.counts(device);
                space.control.taking_tips(counts)
            };
            if self.spaces.get(&space).map_or(0, taking) <= MAX_PARENTS {
                break;
            }
            let seen = Said::Open(Content::Control(Control::Seen));
            let room = space.control_room();
            self.write_after(ledger, now, space, room, seen, None)?;
        }
        Ok(())
    }

    /// Writes a record that names another as built on, besides what every record names.
    pub(super) fn write_after(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        space: SpaceId,
        room: RoomId,
        said: Said,
        target: Option<MessageId>,
    ) -> Result<Sent, CommandError> {
        self.tell_time(now);
        let salt = self.entropy.draw()?;
        let encode = |content| {
            let body = Body {
                salt,
                at: now,
                content,
            };
            body.encode()
        };
        // What cannot be written changes nothing.
        let said = match said {
            Said::Open(content) => Said::Open(encode(content)?),
            Said::Sealed {
                letter,
                devices,
                shown_in,
            } => {
                letter.fits(devices.len())?;
                Said::Sealed {
                    letter,
                    devices,
                    shown_in,
                }
            }
        };
        let mut feed = FeedKey {
            space,
            room,
            device: self.device(),
            incarnation: self.incarnation,
        };
        if !self.goes_on(&space, &room) {
            self.rebirth(ledger)?;
            feed.incarnation = self.incarnation;
        }
        let known = self.spaces.get(&space).ok_or(CommandError::NoSpace)?;
        let previous = match known.ends_of(&feed).first() {
            Some(head) => ledger.record(&head.id)?,
            None => None,
        };
        let mut parents: Vec<MessageId> = Vec::new();
        if room == space.control_room() {
            parents = known.control.tips(|device| known.roster.counts(device));
        } else {
            let own = previous.as_ref().map_or(0, |record| record.lamport);
            let mut heads: Vec<_> = known
                .ends_in(&room)
                .filter(|head| head.standing == Standing::Settled && head.lamport >= own)
                // Others may not hold this one of too many, or nothing of the device.
                .filter(|head| !known.is_crowded(&head.feed))
                .filter(|head| known.roster.counts(&head.feed.device))
                .map(|head| (head.lamport, head.id))
                .collect();
            heads.sort_unstable_by(|a, b| b.cmp(a));
            parents.extend(target);
            parents.extend(
                heads
                    .into_iter()
                    .map(|(_, id)| id)
                    .filter(|id| Some(*id) != target),
            );
        }
        parents.retain(|id| previous.as_ref().is_none_or(|previous| previous.id != *id));
        parents.truncate(MAX_PARENTS);
        let mut top = previous.as_ref().map_or(0, |record| record.lamport);
        for parent in &parents {
            top = ledger
                .record(parent)?
                .map_or(top, |record| record.lamport.max(top));
        }
        parents.sort_unstable();
        let sequence = previous
            .as_ref()
            .map_or(1, |record| record.sequence.saturating_add(1));
        let (body, opening) = match said {
            Said::Open(body) => (body, None),
            Said::Sealed {
                letter,
                devices,
                shown_in,
            } => {
                let at = sealed_place(&feed, sequence);
                let seed = Zeroizing::new(self.entropy.draw()?);
                let me = &self.identity.device;
                let (sealed, key) = Sealed::seal(&letter, &at, me, &devices, &seed)?;
                let opening = Opening {
                    room: shown_in,
                    key: Some(key),
                    erased: false,
                };
                (encode(Content::Sealed(sealed))?, Some(opening))
            }
        };
        let hash = Body::hash_of(&body);
        let place = (sequence - 1) % TERM_RECORDS + 1;
        let lamport = top
            .checked_add(1)
            .ok_or(CommandError::Feed("the room's order is used up"))?;
        let mut document = self.documents.take(ledger, &feed, previous.as_ref())?;
        let failed = |_| CommandError::Feed("automerge did not take the record");
        let (change, bytes) = document.append(place, &hash).map_err(failed)?;
        let envelope = Envelope {
            space,
            room,
            device: feed.device,
            incarnation: feed.incarnation,
            sequence,
            previous: previous.map(|record| record.id),
            parents,
            lamport,
            body: hash,
            change,
        };
        let envelope = Signed::seal(envelope, &self.identity.device)?;
        if let Some(opening) = opening {
            ledger.put_opening(&envelope.id(), &opening)?;
        }
        let record = self.keep(ledger, &envelope, bytes, Some(&body), true)?;
        if place == TERM_RECORDS {
            seal(ledger, &feed, &record.id, &document)?;
        } else {
            self.documents.keep(record.id, document);
        }
        let sent = Sent {
            id: record.id,
            feed,
            sequence,
            lamport,
        };
        // Before the fold: one who is removed by this entry hears of it, and only then is cut off.
        self.push(ledger, record)?;
        self.refold(ledger, now)?;
        Ok(sent)
    }
}
