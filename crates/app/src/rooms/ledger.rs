//! The sync core's ledger, bound to an open transaction of the store.

use artel_domain::{
    DeviceId, FileId, Incarnation, InviteId, MemberId, MessageId, RoomId, SpaceId, SpaceSecret,
};
use artel_store::{
    Connection, StoreError, blobs, feeds,
    identity::{self, Beginning, Reason},
    registers, sealed,
};
use artel_sync::protocol::{
    FeedKey, Head, JoinRow, Ledger, LedgerError, LedgerResult, Load, Loads, Opening, PrekeyRow,
    RegisterKey, SpaceRow, Standing, StoredBody, StoredRecord,
};

use crate::installation::now_ms;

/// A ledger for as long as one transaction is open.
pub(super) struct SqlLedger<'a> {
    tx: &'a Connection,
    device: DeviceId,
}

impl<'a> SqlLedger<'a> {
    pub(super) fn new(tx: &'a Connection, device: DeviceId) -> Self {
        Self { tx, device }
    }
}

fn failed(reason: StoreError) -> LedgerError {
    LedgerError(Box::new(reason))
}

pub(super) fn feed(key: &FeedKey) -> feeds::Feed {
    feeds::Feed {
        space: key.space,
        room: key.room,
        device: key.device,
        incarnation: key.incarnation,
    }
}

fn key(feed: &feeds::Feed) -> FeedKey {
    FeedKey {
        space: feed.space,
        room: feed.room,
        device: feed.device,
        incarnation: feed.incarnation,
    }
}

fn register(key: &RegisterKey) -> registers::Key {
    registers::Key {
        space: key.space,
        room: key.room,
        device: key.device,
        topic: key.topic,
        subject: key.subject,
    }
}

fn to_number(standing: Standing) -> u8 {
    match standing {
        Standing::Settled => 0,
        Standing::Provisional => 1,
        Standing::Void => 2,
    }
}

fn to_standing(number: u8) -> Standing {
    match number {
        0 => Standing::Settled,
        1 => Standing::Provisional,
        _ => Standing::Void,
    }
}

fn to_record(record: feeds::Record) -> StoredRecord {
    StoredRecord {
        id: record.id,
        feed: key(&record.feed),
        sequence: record.sequence,
        lamport: record.lamport,
        body: record.body,
        envelope: record.envelope,
        change: record.change,
        standing: to_standing(record.standing),
        shown: record.shown,
        late: record.late,
    }
}

fn to_load(load: sealed::Load) -> Load {
    Load {
        space: load.space,
        author: load.author,
        size: load.size,
        since: load.since_ms,
    }
}

impl Ledger for SqlLedger<'_> {
    fn incarnation(&self) -> LedgerResult<Option<Incarnation>> {
        let identity = identity::get(self.tx).map_err(failed)?;
        Ok(identity.map(|identity| Incarnation::from_bytes(identity.incarnation)))
    }

    fn incarnations(&self) -> LedgerResult<Vec<Incarnation>> {
        let writers = identity::incarnations(self.tx).map_err(failed)?;
        Ok(writers
            .into_iter()
            .map(|(incarnation, _)| Incarnation::from_bytes(incarnation))
            .collect())
    }

    fn set_incarnation(&mut self, incarnation: Incarnation) -> LedgerResult<()> {
        let marker = identity::get(self.tx)
            .map_err(failed)?
            .map(|identity| identity.machine_marker.clone())
            .unwrap_or_default();
        identity::start_incarnation(
            self.tx,
            &Beginning {
                incarnation: *incarnation.as_bytes(),
                device_public: *self.device.as_bytes(),
                machine_marker: &marker,
                at_ms: now_ms(),
                reason: Reason::Conflict,
            },
        )
        .map_err(failed)
    }

    fn spaces(&self) -> LedgerResult<Vec<SpaceRow>> {
        let spaces = feeds::spaces(self.tx).map_err(failed)?;
        Ok(spaces
            .into_iter()
            .map(|row| SpaceRow {
                space: row.space,
                genesis: row.genesis,
            })
            .collect())
    }

    fn put_space(&mut self, row: &SpaceRow) -> LedgerResult<()> {
        feeds::put_space(
            self.tx,
            &feeds::Space {
                space: row.space,
                genesis: row.genesis.clone(),
            },
        )
        .map_err(failed)
    }

    fn secrets(&self, space: &SpaceId) -> LedgerResult<Vec<(MessageId, SpaceSecret)>> {
        feeds::epoch_secrets(self.tx, space).map_err(failed)
    }

    fn put_secret(
        &mut self,
        space: &SpaceId,
        epoch: &MessageId,
        secret: &SpaceSecret,
    ) -> LedgerResult<()> {
        feeds::put_epoch_secret(self.tx, space, epoch, secret).map_err(failed)
    }

    fn joins(&self) -> LedgerResult<Vec<JoinRow>> {
        let joins = feeds::joins(self.tx).map_err(failed)?;
        Ok(joins
            .into_iter()
            .map(|row| JoinRow {
                invite: row.invite,
                code: row.code,
                name: row.name,
                genesis: row.genesis,
            })
            .collect())
    }

    fn put_join(&mut self, row: &JoinRow) -> LedgerResult<()> {
        feeds::put_join(
            self.tx,
            &feeds::Join {
                invite: row.invite,
                code: row.code.clone(),
                name: row.name.clone(),
                genesis: row.genesis.clone(),
            },
        )
        .map_err(failed)
    }

    fn remove_join(&mut self, invite: &InviteId) -> LedgerResult<()> {
        feeds::remove_join(self.tx, invite).map_err(failed)
    }

    fn put_record(&mut self, record: &StoredRecord) -> LedgerResult<()> {
        feeds::put_record(
            self.tx,
            &feeds::Record {
                id: record.id,
                feed: feed(&record.feed),
                sequence: record.sequence,
                lamport: record.lamport,
                body: record.body,
                envelope: record.envelope.clone(),
                change: record.change.clone(),
                standing: to_number(record.standing),
                shown: record.shown,
                late: record.late,
            },
        )
        .map_err(failed)
    }

    fn record(&self, id: &MessageId) -> LedgerResult<Option<StoredRecord>> {
        let record = feeds::record(self.tx, id).map_err(failed)?;
        Ok(record.map(to_record))
    }

    fn update_record(
        &mut self,
        id: &MessageId,
        standing: Standing,
        shown: bool,
        late: bool,
    ) -> LedgerResult<()> {
        feeds::update_record(self.tx, id, to_number(standing), shown, late).map_err(failed)
    }

    fn feed_records(
        &self,
        key: &FeedKey,
        from: u64,
        limit: usize,
    ) -> LedgerResult<Vec<StoredRecord>> {
        let records = feeds::feed_records(self.tx, &feed(key), from, limit).map_err(failed)?;
        Ok(records.into_iter().map(to_record).collect())
    }

    fn room_records(
        &self,
        space: &SpaceId,
        room: &RoomId,
        after: Option<(u64, MessageId)>,
        limit: usize,
    ) -> LedgerResult<Vec<StoredRecord>> {
        let records = feeds::room_records(self.tx, space, room, after, limit).map_err(failed)?;
        Ok(records.into_iter().map(to_record).collect())
    }

    fn latest(
        &self,
        space: &SpaceId,
        room: &RoomId,
        limit: usize,
    ) -> LedgerResult<Vec<StoredRecord>> {
        let records = feeds::latest(self.tx, space, room, limit).map_err(failed)?;
        Ok(records.into_iter().map(to_record).collect())
    }

    fn ahead(&self, space: &SpaceId) -> LedgerResult<Vec<(MessageId, RoomId)>> {
        feeds::ahead(self.tx, space).map_err(failed)
    }

    fn put_ahead(
        &mut self,
        space: &SpaceId,
        room: &RoomId,
        record: &MessageId,
    ) -> LedgerResult<()> {
        feeds::put_ahead(self.tx, space, room, record).map_err(failed)
    }

    fn drop_ahead(&mut self, record: &MessageId) -> LedgerResult<()> {
        feeds::drop_ahead(self.tx, record).map_err(failed)
    }

    fn heads(&self, space: &SpaceId) -> LedgerResult<Vec<Head>> {
        let heads = feeds::heads(self.tx, space).map_err(failed)?;
        Ok(heads
            .into_iter()
            .map(|head| Head {
                feed: key(&head.feed),
                sequence: head.sequence,
                id: head.id,
                lamport: head.lamport,
                change: head.change,
                standing: to_standing(head.standing),
            })
            .collect())
    }

    fn replace_head(&mut self, old: Option<&MessageId>, new: &Head) -> LedgerResult<()> {
        feeds::replace_head(
            self.tx,
            old,
            &feeds::Head {
                feed: feed(&new.feed),
                sequence: new.sequence,
                id: new.id,
                lamport: new.lamport,
                change: new.change,
                standing: to_number(new.standing),
            },
        )
        .map_err(failed)
    }

    fn seal_term(
        &mut self,
        last: &MessageId,
        records: &[MessageId],
        compact: &[u8],
    ) -> LedgerResult<()> {
        feeds::seal_term(self.tx, last, records, compact).map_err(failed)
    }

    fn sealed_term(&self, last: &MessageId) -> LedgerResult<Option<Vec<u8>>> {
        feeds::sealed_term(self.tx, last).map_err(failed)
    }

    fn put_wait(&mut self, parent: &MessageId, child: &MessageId) -> LedgerResult<()> {
        feeds::put_wait(self.tx, parent, child).map_err(failed)
    }

    fn take_waits(&mut self, parent: &MessageId) -> LedgerResult<Vec<MessageId>> {
        feeds::take_waits(self.tx, parent).map_err(failed)
    }

    fn awaited(
        &self,
        space: &SpaceId,
        room: Option<&RoomId>,
        after: Option<&MessageId>,
    ) -> LedgerResult<Option<MessageId>> {
        feeds::awaited(self.tx, space, room, after).map_err(failed)
    }

    fn body(&self, record: &MessageId) -> LedgerResult<Option<StoredBody>> {
        let body = feeds::body(self.tx, record).map_err(failed)?;
        Ok(body.map(|body| match body {
            feeds::Body::Here(wire) => StoredBody::Here(wire),
            feeds::Body::Erased => StoredBody::Erased,
        }))
    }

    fn put_body(&mut self, record: &MessageId, wire: &[u8]) -> LedgerResult<()> {
        feeds::put_body(self.tx, record, wire).map_err(failed)
    }

    fn erase_body(&mut self, record: &MessageId) -> LedgerResult<()> {
        feeds::erase_body(self.tx, record).map_err(failed)
    }

    fn restore_wanted(&mut self, record: &MessageId) -> LedgerResult<()> {
        feeds::restore_wanted(self.tx, record).map_err(failed)
    }

    fn bodiless(
        &self,
        space: &SpaceId,
        sealed: bool,
        asked: Option<&MemberId>,
        after: Option<&MessageId>,
        limit: usize,
    ) -> LedgerResult<Vec<MessageId>> {
        feeds::bodiless(self.tx, space, sealed, asked, after, limit).map_err(failed)
    }

    fn put_withheld(&mut self, record: &MessageId, by: &MemberId) -> LedgerResult<usize> {
        feeds::put_withheld(self.tx, record, by).map_err(failed)
    }

    fn settle_withheld(&mut self, record: &MessageId) -> LedgerResult<()> {
        feeds::settle_withheld(self.tx, record).map_err(failed)
    }

    fn is_withheld(&self, record: &MessageId) -> LedgerResult<bool> {
        feeds::is_withheld(self.tx, record).map_err(failed)
    }

    fn drop_withheld(&mut self, space: &SpaceId) -> LedgerResult<Vec<MessageId>> {
        feeds::drop_withheld(self.tx, space).map_err(failed)
    }

    fn opening(&self, record: &MessageId) -> LedgerResult<Option<Opening>> {
        let found = sealed::opening(self.tx, record).map_err(failed)?;
        Ok(found.map(|found| Opening {
            room: found.room,
            key: found.key,
            erased: found.erased,
        }))
    }

    fn put_opening(&mut self, record: &MessageId, opening: &Opening) -> LedgerResult<()> {
        let Opening { room, key, erased } = opening.clone();
        let opening = sealed::Opening { room, key, erased };
        sealed::put_opening(self.tx, record, &opening).map_err(failed)
    }

    fn prekeys(&self) -> LedgerResult<Vec<PrekeyRow>> {
        let prekeys = sealed::prekeys(self.tx).map_err(failed)?;
        Ok(prekeys
            .into_iter()
            .map(|(secret, made_at)| PrekeyRow { secret, made_at })
            .collect())
    }

    fn put_prekey(&mut self, row: &PrekeyRow) -> LedgerResult<()> {
        sealed::put_prekey(self.tx, &row.secret, row.made_at).map_err(failed)
    }

    fn restamp_prekeys(&mut self, now: i64) -> LedgerResult<()> {
        sealed::restamp_prekeys(self.tx, now).map_err(failed)
    }

    fn forget_prekeys(&mut self, through: i64) -> LedgerResult<()> {
        sealed::forget_prekeys(self.tx, through).map_err(failed)
    }

    fn put_load(&mut self, record: &MessageId, load: &Load) -> LedgerResult<()> {
        let load = sealed::Load {
            space: load.space,
            author: load.author,
            size: load.size,
            since_ms: load.since,
        };
        sealed::put_load(self.tx, record, &load).map_err(failed)
    }

    fn load(&self, record: &MessageId) -> LedgerResult<Option<Load>> {
        let load = sealed::load(self.tx, record).map_err(failed)?;
        Ok(load.map(to_load))
    }

    fn remove_load(&mut self, record: &MessageId) -> LedgerResult<()> {
        sealed::remove_load(self.tx, record).map_err(failed)
    }

    fn loads_of(&self, space: &SpaceId, author: &MemberId) -> LedgerResult<Loads> {
        let loads = sealed::loads_of(self.tx, space, author).map_err(failed)?;
        Ok(Loads {
            bytes: loads.bytes,
            records: loads.records,
            awaited: loads.awaited,
        })
    }

    fn oldest_load(&self) -> LedgerResult<Option<(MessageId, Load)>> {
        let found = sealed::oldest_load(self.tx).map_err(failed)?;
        Ok(found.map(|(record, load)| (record, to_load(load))))
    }

    fn oldest_load_of(
        &self,
        space: &SpaceId,
        author: &MemberId,
        awaited: bool,
    ) -> LedgerResult<Option<MessageId>> {
        sealed::oldest_load_of(self.tx, space, author, awaited).map_err(failed)
    }

    fn put_reference(&mut self, target: &MessageId, record: &MessageId) -> LedgerResult<()> {
        feeds::put_reference(self.tx, target, record).map_err(failed)
    }

    fn references(&self, target: &MessageId) -> LedgerResult<Vec<MessageId>> {
        feeds::references(self.tx, target).map_err(failed)
    }

    fn targets(&self, record: &MessageId) -> LedgerResult<Vec<MessageId>> {
        feeds::targets(self.tx, record).map_err(failed)
    }

    fn registers(&self, space: &SpaceId) -> LedgerResult<Vec<Vec<u8>>> {
        registers::all(self.tx, space).map_err(failed)
    }

    fn register(&self, key: &RegisterKey) -> LedgerResult<Option<Vec<u8>>> {
        registers::get(self.tx, &register(key)).map_err(failed)
    }

    fn put_register(&mut self, key: &RegisterKey, wire: &[u8]) -> LedgerResult<()> {
        registers::put(self.tx, &register(key), wire).map_err(failed)
    }

    fn remove_register(&mut self, key: &RegisterKey) -> LedgerResult<()> {
        registers::remove(self.tx, &register(key)).map_err(failed)
    }

    fn delivered(&self, key: &FeedKey, peer: &DeviceId) -> LedgerResult<u64> {
        feeds::delivered(self.tx, &feed(key), peer).map_err(failed)
    }

    fn set_delivered(&mut self, key: &FeedKey, peer: &DeviceId, through: u64) -> LedgerResult<()> {
        feeds::set_delivered(self.tx, &feed(key), peer, through).map_err(failed)
    }

    fn chunk_list(&self, file: &FileId) -> LedgerResult<Option<Vec<u8>>> {
        blobs::chunk_list(self.tx, file).map_err(failed)
    }

    fn put_chunk_list(&mut self, file: &FileId, size: u64, list: &[u8]) -> LedgerResult<()> {
        blobs::put_chunk_list(self.tx, file, size, list).map_err(failed)
    }

    fn chunk(&self, file: &FileId, index: u32) -> LedgerResult<Option<Vec<u8>>> {
        blobs::chunk(self.tx, file, index).map_err(failed)
    }

    fn put_chunk(&mut self, file: &FileId, index: u32, bytes: &[u8]) -> LedgerResult<()> {
        blobs::put_chunk(self.tx, file, index, bytes).map_err(failed)
    }

    fn chunks_here(&self, file: &FileId) -> LedgerResult<u32> {
        let holding = blobs::holding(self.tx, file).map_err(failed)?;
        Ok(holding.chunks)
    }

    fn is_file_of(&self, file: &FileId, room: &RoomId) -> LedgerResult<bool> {
        blobs::is_file_of(self.tx, file, room).map_err(failed)
    }

    fn put_file_of(&mut self, file: &FileId, room: &RoomId) -> LedgerResult<()> {
        blobs::put_file_of(self.tx, file, room).map_err(failed)
    }

    fn missing_chunks(
        &self,
        file: &FileId,
        count: u32,
        from: u32,
        limit: usize,
    ) -> LedgerResult<Vec<u32>> {
        blobs::missing_chunks(self.tx, file, count, from, limit).map_err(failed)
    }
}
