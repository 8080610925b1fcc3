//! A ledger in memory: the model that others are tested against, and the disk of the simulator.

use std::collections::{BTreeMap, BTreeSet};

use artel_domain::{
    DeviceId, FileId, Incarnation, InviteId, MemberId, MessageId, RoomId, SpaceId, SpaceSecret,
};

use super::ledger::{
    FeedKey, Head, JoinRow, Ledger, LedgerError, LedgerResult, Load, Loads, Opening, PrekeyRow,
    RegisterKey, SpaceRow, Standing, StoredBody, StoredRecord,
};

/// A ledger in memory. A clone is a snapshot: keep one to roll back to, or to restart from.
#[derive(Clone, Debug, Default)]
pub struct MemoryLedger {
    incarnations: Vec<Incarnation>,
    spaces: BTreeMap<SpaceId, SpaceRow>,
    secrets: BTreeMap<(SpaceId, MessageId), SpaceSecret>,
    joins: BTreeMap<InviteId, JoinRow>,
    records: BTreeMap<MessageId, StoredRecord>,
    by_feed: BTreeMap<FeedKey, BTreeSet<(u64, MessageId)>>,
    by_room: BTreeMap<(SpaceId, RoomId), BTreeSet<(u64, MessageId)>>,
    heads: BTreeMap<MessageId, Head>,
    sealed: BTreeMap<MessageId, Vec<u8>>,
    waits: BTreeMap<MessageId, BTreeSet<MessageId>>,
    references: BTreeMap<MessageId, BTreeSet<MessageId>>,
    bodies: BTreeMap<MessageId, StoredBody>,
    /// Who said of which missing body that it is withheld, and whether those are enough.
    withheld: BTreeMap<MessageId, (BTreeSet<MemberId>, bool)>,
    registers: BTreeMap<RegisterKey, Vec<u8>>,
    /// Records in the order in which they came.
    arrived: Vec<MessageId>,
    openings: BTreeMap<MessageId, Opening>,
    prekeys: Vec<PrekeyRow>,
    loads: BTreeMap<MessageId, Load>,
    delivered: BTreeMap<(FeedKey, DeviceId), u64>,
    lists: BTreeMap<FileId, Vec<u8>>,
    chunks: BTreeMap<FileId, BTreeMap<u32, Vec<u8>>>,
    ahead: BTreeMap<MessageId, (SpaceId, RoomId)>,
    files_of: BTreeSet<(FileId, RoomId)>,
}

impl MemoryLedger {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many records it holds.
    pub fn record_count(&self) -> usize {
        self.records.len()
    }

    /// Changes a chunk that is here, as a disk or a liar does.
    #[cfg(test)]
    pub(super) fn spoil_chunk(&mut self, file: &FileId, index: u32) {
        let chunk = self.chunks.get_mut(file).and_then(|of| of.get_mut(&index));
        if let Some(byte) = chunk.and_then(|bytes| bytes.first_mut()) {
            *byte ^= 1;
        }
    }

    fn listed(&self, ids: impl Iterator<Item = MessageId>, limit: usize) -> Vec<StoredRecord> {
        ids.filter_map(|id| self.records.get(&id).cloned())
            .take(limit)
            .collect()
    }
}

impl Ledger for MemoryLedger {
    fn incarnation(&self) -> LedgerResult<Option<Incarnation>> {
        Ok(self.incarnations.last().copied())
    }

    fn incarnations(&self) -> LedgerResult<Vec<Incarnation>> {
        Ok(self.incarnations.clone())
    }

    fn set_incarnation(&mut self, incarnation: Incarnation) -> LedgerResult<()> {
        self.incarnations.push(incarnation);
        Ok(())
    }

    fn spaces(&self) -> LedgerResult<Vec<SpaceRow>> {
        Ok(self.spaces.values().cloned().collect())
    }

    fn put_space(&mut self, row: &SpaceRow) -> LedgerResult<()> {
        self.spaces.insert(row.space, row.clone());
        Ok(())
    }

    fn secrets(&self, space: &SpaceId) -> LedgerResult<Vec<(MessageId, SpaceSecret)>> {
        let of_space = self.secrets.iter().filter(|((of, _), _)| of == space);
        Ok(of_space
            .map(|((_, epoch), secret)| (*epoch, secret.clone()))
            .collect())
    }

    fn put_secret(
        &mut self,
        space: &SpaceId,
        epoch: &MessageId,
        secret: &SpaceSecret,
    ) -> LedgerResult<()> {
        self.secrets.insert((*space, *epoch), secret.clone());
        Ok(())
    }

    fn joins(&self) -> LedgerResult<Vec<JoinRow>> {
        Ok(self.joins.values().cloned().collect())
    }

    fn put_join(&mut self, row: &JoinRow) -> LedgerResult<()> {
        self.joins.insert(row.invite, row.clone());
        Ok(())
    }

    fn remove_join(&mut self, invite: &InviteId) -> LedgerResult<()> {
        self.joins.remove(invite);
        Ok(())
    }

    fn put_record(&mut self, record: &StoredRecord) -> LedgerResult<()> {
        let feed = record.feed;
        let fits = record.sequence.max(record.lamport) <= artel_domain::limits::MAX_POSITION;
        if !fits || self.records.contains_key(&record.id) {
            // As a database would.
            return Err(LedgerError("a record that cannot be kept".into()));
        }
        self.by_feed
            .entry(feed)
            .or_default()
            .insert((record.sequence, record.id));
        self.by_room
            .entry((feed.space, feed.room))
            .or_default()
            .insert((record.lamport, record.id));
        self.records.insert(record.id, record.clone());
        self.arrived.push(record.id);
        Ok(())
    }

    fn record(&self, id: &MessageId) -> LedgerResult<Option<StoredRecord>> {
        Ok(self.records.get(id).cloned())
    }

    fn update_record(
        &mut self,
        id: &MessageId,
        standing: Standing,
        shown: bool,
        late: bool,
    ) -> LedgerResult<()> {
        if let Some(record) = self.records.get_mut(id) {
            (record.standing, record.shown, record.late) = (standing, shown, late);
        }
        Ok(())
    }

    fn feed_records(
        &self,
        feed: &FeedKey,
        from: u64,
        limit: usize,
    ) -> LedgerResult<Vec<StoredRecord>> {
        let Some(index) = self.by_feed.get(feed) else {
            return Ok(Vec::new());
        };
        let first = (from, MessageId::from_bytes([0; 32]));
        Ok(self.listed(index.range(first..).map(|(_, id)| *id), limit))
    }

    fn room_records(
        &self,
        space: &SpaceId,
        room: &RoomId,
        after: Option<(u64, MessageId)>,
        limit: usize,
    ) -> LedgerResult<Vec<StoredRecord>> {
        let Some(index) = self.by_room.get(&(*space, *room)) else {
            return Ok(Vec::new());
        };
        let skip = |at: &&(u64, MessageId)| after.is_some_and(|after| **at == after);
        let from = after.unwrap_or((0, MessageId::from_bytes([0; 32])));
        Ok(self.listed(
            index
                .range(from..)
                .filter(|at| !skip(at))
                .map(|(_, id)| *id),
            limit,
        ))
    }

    fn latest(
        &self,
        space: &SpaceId,
        room: &RoomId,
        limit: usize,
    ) -> LedgerResult<Vec<StoredRecord>> {
        let places = self.by_room.get(&(*space, *room)).into_iter().flatten();
        let records = places
            .rev()
            .filter_map(|(_, id)| self.records.get(id))
            .filter(|record| record.shown);
        Ok(records.take(limit).cloned().collect())
    }

    fn ahead(&self, space: &SpaceId) -> LedgerResult<Vec<(MessageId, RoomId)>> {
        let of_space = self.ahead.iter().filter(|(_, (of, _))| of == space);
        Ok(of_space.map(|(id, (_, room))| (*id, *room)).collect())
    }

    fn put_ahead(
        &mut self,
        space: &SpaceId,
        room: &RoomId,
        record: &MessageId,
    ) -> LedgerResult<()> {
        self.ahead.insert(*record, (*space, *room));
        Ok(())
    }

    fn drop_ahead(&mut self, record: &MessageId) -> LedgerResult<()> {
        self.ahead.remove(record);
        Ok(())
    }

    fn heads(&self, space: &SpaceId) -> LedgerResult<Vec<Head>> {
        Ok(self
            .heads
            .values()
            .filter(|head| head.feed.space == *space)
            .copied()
            .collect())
    }

    fn replace_head(&mut self, old: Option<&MessageId>, new: &Head) -> LedgerResult<()> {
        if let Some(old) = old {
            self.heads.remove(old);
        }
        self.heads.insert(new.id, *new);
        Ok(())
    }

    fn seal_term(
        &mut self,
        last: &MessageId,
        records: &[MessageId],
        compact: &[u8],
    ) -> LedgerResult<()> {
        self.sealed.insert(*last, compact.to_vec());
        for id in records {
            if let Some(record) = self.records.get_mut(id) {
                record.change = Vec::new();
            }
        }
        Ok(())
    }

    fn sealed_term(&self, last: &MessageId) -> LedgerResult<Option<Vec<u8>>> {
        Ok(self.sealed.get(last).cloned())
    }

    fn put_wait(&mut self, parent: &MessageId, child: &MessageId) -> LedgerResult<()> {
        self.waits.entry(*parent).or_default().insert(*child);
        Ok(())
    }

    fn take_waits(&mut self, parent: &MessageId) -> LedgerResult<Vec<MessageId>> {
        Ok(self
            .waits
            .remove(parent)
            .unwrap_or_default()
            .into_iter()
            .collect())
    }

    fn awaited(
        &self,
        space: &SpaceId,
        room: Option<&RoomId>,
        after: Option<&MessageId>,
    ) -> LedgerResult<Option<MessageId>> {
        let waits = |child: &MessageId| {
            let record = self.records.get(child);
            record.is_some_and(|StoredRecord { feed, .. }| {
                feed.space == *space && room.is_none_or(|room| feed.room == *room)
            })
        };
        Ok(self
            .waits
            .iter()
            .filter(|(parent, _)| after.is_none_or(|after| *parent > after))
            .filter(|(parent, _)| !self.records.contains_key(*parent))
            .find(|(_, children)| children.iter().any(waits))
            .map(|(parent, _)| *parent))
    }

    fn body(&self, record: &MessageId) -> LedgerResult<Option<StoredBody>> {
        Ok(self.bodies.get(record).cloned())
    }

    fn put_body(&mut self, record: &MessageId, wire: &[u8]) -> LedgerResult<()> {
        self.bodies
            .entry(*record)
            .or_insert_with(|| StoredBody::Here(wire.to_vec()));
        self.withheld.remove(record);
        Ok(())
    }

    fn erase_body(&mut self, record: &MessageId) -> LedgerResult<()> {
        self.bodies.insert(*record, StoredBody::Erased);
        self.withheld.remove(record);
        Ok(())
    }

    fn restore_wanted(&mut self, record: &MessageId) -> LedgerResult<()> {
        if self.bodies.get(record) == Some(&StoredBody::Erased) {
            self.bodies.remove(record);
        }
        Ok(())
    }

    fn bodiless(
        &self,
        space: &SpaceId,
        sealed: bool,
        asked: Option<&MemberId>,
        after: Option<&MessageId>,
        limit: usize,
    ) -> LedgerResult<Vec<MessageId>> {
        let lacks = |id: &&MessageId| {
            self.records.get(id).is_some_and(|r| {
                r.feed.space == *space && sealed == (r.feed.room == space.direct_room())
            }) && !self.bodies.contains_key(id)
                && self.withheld.get(id).is_none_or(|(said, settled)| {
                    !settled && asked.is_some_and(|asked| !said.contains(asked))
                })
        };
        let begin = after.and_then(|after| self.arrived.iter().position(|id| id == after));
        let rest = self.arrived.iter().skip(begin.map_or(0, |begin| begin + 1));
        Ok(rest.filter(lacks).copied().take(limit).collect())
    }

    fn put_withheld(&mut self, record: &MessageId, by: &MemberId) -> LedgerResult<usize> {
        if self.bodies.contains_key(record) || !self.records.contains_key(record) {
            return Ok(0);
        }
        let (said, _) = self.withheld.entry(*record).or_default();
        Ok(if said.insert(*by) { said.len() } else { 0 })
    }

    fn settle_withheld(&mut self, record: &MessageId) -> LedgerResult<()> {
        if let Some((_, settled)) = self.withheld.get_mut(record) {
            *settled = true;
        }
        Ok(())
    }

    fn is_withheld(&self, record: &MessageId) -> LedgerResult<bool> {
        Ok(self.withheld.contains_key(record))
    }

    fn drop_withheld(&mut self, space: &SpaceId) -> LedgerResult<Vec<MessageId>> {
        let of_space = |id: &MessageId| {
            let record = self.records.get(id);
            record.is_some_and(|record| record.feed.space == *space)
        };
        let dropped: Vec<MessageId> = self.withheld.keys().copied().filter(of_space).collect();
        self.withheld.retain(|id, _| !dropped.contains(id));
        let referred = dropped.into_iter();
        Ok(referred
            .filter(|id| self.references.contains_key(id))
            .collect())
    }

    fn opening(&self, record: &MessageId) -> LedgerResult<Option<Opening>> {
        Ok(self.openings.get(record).cloned())
    }

    fn put_opening(&mut self, record: &MessageId, opening: &Opening) -> LedgerResult<()> {
        self.openings.insert(*record, opening.clone());
        Ok(())
    }

    fn prekeys(&self) -> LedgerResult<Vec<PrekeyRow>> {
        Ok(self.prekeys.clone())
    }

    fn put_prekey(&mut self, row: &PrekeyRow) -> LedgerResult<()> {
        self.prekeys.push(row.clone());
        self.prekeys
            .sort_by_key(|row| std::cmp::Reverse(row.made_at));
        Ok(())
    }

    fn restamp_prekeys(&mut self, now: i64) -> LedgerResult<()> {
        for row in &mut self.prekeys {
            row.made_at = row.made_at.min(now);
        }
        Ok(())
    }

    fn forget_prekeys(&mut self, through: i64) -> LedgerResult<()> {
        self.prekeys.retain(|row| row.made_at > through);
        Ok(())
    }

    fn put_load(&mut self, record: &MessageId, load: &Load) -> LedgerResult<()> {
        self.loads.insert(*record, *load);
        Ok(())
    }

    fn load(&self, record: &MessageId) -> LedgerResult<Option<Load>> {
        Ok(self.loads.get(record).copied())
    }

    fn remove_load(&mut self, record: &MessageId) -> LedgerResult<()> {
        self.loads.remove(record);
        Ok(())
    }

    fn loads_of(&self, space: &SpaceId, author: &MemberId) -> LedgerResult<Loads> {
        let of = |load: &&Load| (load.space, load.author) == (*space, *author);
        let mut loads = Loads::default();
        for load in self.loads.values().filter(of) {
            loads.bytes += load.size;
            loads.records += 1;
            loads.awaited += u64::from(load.size == 0);
        }
        Ok(loads)
    }

    fn oldest_load(&self) -> LedgerResult<Option<(MessageId, Load)>> {
        let oldest = self.loads.iter();
        let oldest = oldest.min_by_key(|(id, load)| (load.since, **id));
        Ok(oldest.map(|(id, load)| (*id, *load)))
    }

    fn oldest_load_of(
        &self,
        space: &SpaceId,
        author: &MemberId,
        awaited: bool,
    ) -> LedgerResult<Option<MessageId>> {
        let fits = |(_, load): &(&MessageId, &Load)| {
            (load.space, load.author) == (*space, *author) && (!awaited || load.size == 0)
        };
        let oldest = self.loads.iter().filter(fits);
        let oldest = oldest.min_by_key(|(id, load)| (load.since, **id));
        Ok(oldest.map(|(id, _)| *id))
    }

    fn put_reference(&mut self, target: &MessageId, record: &MessageId) -> LedgerResult<()> {
        self.references.entry(*target).or_default().insert(*record);
        Ok(())
    }

    fn references(&self, target: &MessageId) -> LedgerResult<Vec<MessageId>> {
        Ok(self
            .references
            .get(target)
            .into_iter()
            .flatten()
            .copied()
            .collect())
    }

    fn targets(&self, record: &MessageId) -> LedgerResult<Vec<MessageId>> {
        let of_record = self.references.iter().filter(|(_, by)| by.contains(record));
        Ok(of_record.map(|(target, _)| *target).collect())
    }

    fn registers(&self, space: &SpaceId) -> LedgerResult<Vec<Vec<u8>>> {
        let of_space = self.registers.iter().filter(|(key, _)| key.space == *space);
        Ok(of_space.map(|(_, wire)| wire.clone()).collect())
    }

    fn register(&self, key: &RegisterKey) -> LedgerResult<Option<Vec<u8>>> {
        Ok(self.registers.get(key).cloned())
    }

    fn put_register(&mut self, key: &RegisterKey, wire: &[u8]) -> LedgerResult<()> {
        self.registers.insert(*key, wire.to_vec());
        Ok(())
    }

    fn remove_register(&mut self, key: &RegisterKey) -> LedgerResult<()> {
        self.registers.remove(key);
        Ok(())
    }

    fn delivered(&self, feed: &FeedKey, peer: &DeviceId) -> LedgerResult<u64> {
        Ok(self.delivered.get(&(*feed, *peer)).copied().unwrap_or(0))
    }

    fn set_delivered(&mut self, feed: &FeedKey, peer: &DeviceId, through: u64) -> LedgerResult<()> {
        self.delivered.insert((*feed, *peer), through);
        Ok(())
    }

    fn chunk_list(&self, file: &FileId) -> LedgerResult<Option<Vec<u8>>> {
        Ok(self.lists.get(file).cloned())
    }

    fn put_chunk_list(&mut self, file: &FileId, _size: u64, list: &[u8]) -> LedgerResult<()> {
        self.lists.insert(*file, list.to_vec());
        Ok(())
    }

    fn chunk(&self, file: &FileId, index: u32) -> LedgerResult<Option<Vec<u8>>> {
        Ok(self
            .chunks
            .get(file)
            .and_then(|chunks| chunks.get(&index))
            .cloned())
    }

    fn put_chunk(&mut self, file: &FileId, index: u32, bytes: &[u8]) -> LedgerResult<()> {
        self.chunks
            .entry(*file)
            .or_default()
            .insert(index, bytes.to_vec());
        Ok(())
    }

    fn chunks_here(&self, file: &FileId) -> LedgerResult<u32> {
        Ok(self
            .chunks
            .get(file)
            .map_or(0, |chunks| u32::try_from(chunks.len()).unwrap_or(u32::MAX)))
    }

    fn is_file_of(&self, file: &FileId, room: &RoomId) -> LedgerResult<bool> {
        Ok(self.files_of.contains(&(*file, *room)))
    }

    fn put_file_of(&mut self, file: &FileId, room: &RoomId) -> LedgerResult<()> {
        self.files_of.insert((*file, *room));
        Ok(())
    }

    fn missing_chunks(
        &self,
        file: &FileId,
        count: u32,
        from: u32,
        limit: usize,
    ) -> LedgerResult<Vec<u32>> {
        let here = self.chunks.get(file);
        let missing = |index: &u32| here.is_none_or(|chunks| !chunks.contains_key(index));
        Ok((from..count).filter(missing).take(limit).collect())
    }
}
