//! Shared pages of rooms: opening, reading, writing.

use artel_domain::{
    Body, ChangeHash, Content, Control, Incarnation, MemberId, MessageId, Permission, RoomId,
    SpaceId,
};

use super::{
    super::{
        event::CommandError,
        ledger::{FeedKey, Ledger, LedgerResult, StoredBody, StoredRecord},
        page::Page,
        roster::PageOf,
    },
    Node, Sent,
    commands::Said,
};

/// A room's page, as this node's member sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageView {
    /// Its text.
    pub text: String,
    /// What the text consists of; to be given back with a new one.
    pub heads: Vec<ChangeHash>,
    /// Whether students edit it.
    pub students: bool,
    /// Whether this member does.
    pub editable: bool,
    /// Who wrote the latest change, and when by their clock, Unix milliseconds.
    pub last: Option<(MemberId, i64)>,
}

/// A page and the records that it was put together from.
struct Read {
    page: Page,
    feeds: RoomId,
    of: PageOf,
    last: Option<(MemberId, i64)>,
    /// The last record that counts.
    top: Option<MessageId>,
    /// Records of this node's present life among them.
    own: usize,
    /// Those of them that count.
    own_counted: usize,
}

impl Node {
    /// Opens a page of a room, in place of the one that it has; that one's text is carried over. Whether students edit it
    /// is as the rules of the space say, unless given.
    ///
    /// # Errors
    /// No such space or room, or not allowed.
    pub fn open_page(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        space: SpaceId,
        room: RoomId,
        students: Option<bool>,
    ) -> Result<(), CommandError> {
        let nonce = self.entropy.draw()?;
        self.may(&space, Permission::EditPages)?;
        let known = self.spaces.get(&space).ok_or(CommandError::NoSpace)?;
        let of = known.roster.room(&room).filter(|of| of.page.is_none());
        let of = of.filter(|_| room != space.direct_room());
        if of.is_none() || !known.roster.reads(&self.member(), &room) {
            return Err(CommandError::NoRoom);
        }
        let students = students.unwrap_or_else(|| known.roster.students_edit_pages());
        let text = match self.read_page(ledger, &space, &room)? {
            Some(read) => read.page.text()?,
            None => String::new(),
        };
        let open = Control::PageOpen {
            nonce,
            room,
            students,
        };
        self.write_control(ledger, now, space, open)?;
        let base: Vec<ChangeHash> = match self.read_page(ledger, &space, &room)? {
            Some(read) => read.page.heads(),
            None => return Err(CommandError::NoPage),
        };
        self.edit_page(ledger, now, space, room, &base, &text)?;
        Ok(())
    }

    /// The page of a room; none if none was opened.
    ///
    /// # Errors
    /// No such space or room, or its changes cannot be put together.
    pub fn page(
        &self,
        ledger: &dyn Ledger,
        space: &SpaceId,
        room: &RoomId,
    ) -> Result<Option<PageView>, CommandError> {
        let known = self.spaces.get(space).ok_or(CommandError::NoSpace)?;
        if !known.roster.reads(&self.member(), room) {
            return Err(CommandError::NoRoom);
        }
        let Some(read) = self.read_page(ledger, space, room)? else {
            return Ok(None);
        };
        Ok(Some(PageView {
            text: read.page.text()?,
            heads: read.page.heads(),
            students: read.of.students,
            editable: self.edits(space, &read.feeds),
            last: read.last,
        }))
    }

    /// Gives a room's page a new text, made from the one that it had at `base`; what others wrote since is kept. None if
    /// nothing differs.
    ///
    /// # Errors
    /// No such space, room or page, not allowed, or the text is too large.
    pub fn edit_page(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        space: SpaceId,
        room: RoomId,
        base: &[ChangeHash],
        text: &str,
    ) -> Result<Option<Sent>, CommandError> {
        self.may(&space, Permission::Write)?;
        let known = self.spaces.get(&space).ok_or(CommandError::NoSpace)?;
        if !known.roster.reads(&self.member(), &room) {
            return Err(CommandError::NoRoom);
        }
        let read = self
            .read_page(ledger, &space, &room)?
            .ok_or(CommandError::NoPage)?;
        if !self.edits(&space, &read.feeds) {
            self.may(&space, Permission::EditPages)?;
        }
        let feeds = read.feeds;
        if !self.goes_on(&space, &feeds) || read.own != read.own_counted {
            // Changes of this life that do not count now may count again: their places are not taken twice.
            self.rebirth(ledger)?;
        }
        let Some(change) = read.page.edit(&self.incarnation, base, text)? else {
            return Ok(None);
        };
        // A change comes after all that it may build on.
        let said = Said::Open(Content::Page { change });
        let sent = self.write_after(ledger, now, space, feeds, said, read.top)?;
        Ok(Some(sent))
    }

    /// Whether this node's member may edit a page, by the room of its feeds.
    fn edits(&self, space: &SpaceId, feeds: &RoomId) -> bool {
        let Some(known) = self.spaces.get(space) else {
            return false;
        };
        let member = known.roster.member(&self.member());
        self.is_inside(space)
            && known.roster.reads(&self.member(), feeds)
            && member
                .zip(known.roster.room(feeds))
                .is_some_and(|(member, room)| room.takes_from(member.role))
    }

    fn read_page(
        &self,
        ledger: &dyn Ledger,
        space: &SpaceId,
        room: &RoomId,
    ) -> Result<Option<Read>, CommandError> {
        let Some(known) = self.spaces.get(space) else {
            return Ok(None);
        };
        let Some((feeds, of)) = known.roster.page(room) else {
            return Ok(None);
        };
        let feeds = feeds.id;
        let (mut last, mut top) = (None, None);
        let mut own = 0;
        let mut changes: Vec<(Incarnation, Vec<u8>)> = Vec::new();
        each(ledger, space, &feeds, |record, body| {
            let FeedKey {
                device,
                incarnation,
                ..
            } = record.feed;
            own += usize::from(device == self.device() && incarnation == self.incarnation);
            let Content::Page { change } = body.content else {
                return;
            };
            if record.shown {
                let author = known.roster.of_device(&device);
                last = author.map(|author| (author.id, body.at)).or(last);
                top = Some(record.id);
                changes.push((incarnation, change));
            }
        })?;
        let page = Page::build(changes)?;
        let own_counted = page.changes_of(&self.incarnation);
        Ok(Some(Read {
            page,
            feeds,
            of,
            last,
            top,
            own,
            own_counted,
        }))
    }
}

/// Every record of a room whose body is here, in their order.
fn each(
    ledger: &dyn Ledger,
    space: &SpaceId,
    room: &RoomId,
    mut work: impl FnMut(&StoredRecord, Body),
) -> LedgerResult<()> {
    const PAGE: usize = 500;
    let mut after = None;
    loop {
        let page = ledger.room_records(space, room, after, PAGE)?;
        for record in &page {
            after = Some((record.lamport, record.id));
            if let Some(StoredBody::Here(wire)) = ledger.body(&record.id)?
                && let Ok(body) = Body::decode(&wire)
            {
                work(record, body);
            }
        }
        if page.len() < PAGE {
            return Ok(());
        }
    }
}
