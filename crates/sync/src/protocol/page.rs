//! Shared pages: one text, many writers. An automerge document made of the changes that its records carry.
//!
//! Each change lies in the body of a record, under that record's signature. Before a document sees it, [`check`] holds
//! it against what a change of a page may be: by the actor of its record's incarnation, of bounded size, and made of
//! nothing but insertions into the one text and removals from it. The columns are measured before automerge reads
//! them: a run of equal operations takes a few bytes whatever its length.
//!
//! A page is a pure function of the records that count, in their order: a change counts if everything it depends on
//! does, and if it is the next one of its actor. In a copied profile two changes may claim one place; the first counts.

use std::{
    collections::{HashMap, HashSet},
    num::NonZeroU64,
};

use artel_domain::{
    ChangeHash, Incarnation,
    limits::{MAX_PAGE_CHANGE, MAX_PAGE_HISTORY, MAX_PAGE_OPERATIONS, MAX_PAGE_TEXT},
};
use automerge::{
    ActorId, Automerge, Change, ExpandedChange, ObjId, ROOT, ReadDoc, ScalarValue,
    legacy::{self, ObjectId, Op, OpType},
    transaction::{CommitOptions, Transactable},
};
use thiserror::Error;

use super::feed::{FeedError, guarded};

/// Key of the text in the document.
const TEXT: &str = "text";
/// Bytes of one operation's text: a character, or what a writer's platform takes for one.
const MAX_PIECE: usize = 64;

/// Why a page does not take a new text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PageError {
    /// Too much text.
    #[error("a page has at most 32 KiB of text; move a part of it elsewhere")]
    TooLong,
    /// Too much of it differs at once.
    #[error("too much of the page changes at once; save it in smaller steps")]
    TooMuch,
    /// Its history is full.
    #[error("this page was changed too often to grow further; a teacher can open a new one")]
    Full,
    /// The caller's base is not in the page's history.
    #[error("the page was rewritten meanwhile; open it again")]
    UnknownBase,
    /// automerge failed.
    #[error("the page could not be put together")]
    Failed,
}

/// The change that every page begins with, the same for all: it makes the empty text.
fn beginning() -> Change {
    Change::from(ExpandedChange {
        operations: vec![Op {
            action: OpType::Make(automerge::ObjType::Text),
            obj: ObjectId::Root,
            key: TEXT.into(),
            pred: Vec::new().into(),
            insert: false,
        }],
        actor_id: nobody(),
        hash: None,
        seq: 1,
        start_op: NonZeroU64::MIN,
        time: 0,
        message: None,
        deps: Vec::new(),
        extra_bytes: Vec::new(),
        author: None,
    })
}

fn nobody() -> ActorId {
    ActorId::from([0; 16].as_slice())
}

fn actor(incarnation: &Incarnation) -> ActorId {
    ActorId::from(incarnation.as_bytes().as_slice())
}

/// A page, put together from changes.
pub(crate) struct Page {
    doc: Automerge,
    text: ObjId,
    /// What counts, in the order in which it was taken.
    counted: Vec<Change>,
    known: HashSet<[u8; 32]>,
    places: HashMap<ActorId, u64>,
    operations: usize,
}

impl Page {
    /// Puts a page together from the changes of its records, in the records' order. What does not count is left out.
    ///
    /// # Errors
    /// automerge failed on an empty page.
    pub(crate) fn build(
        changes: impl IntoIterator<Item = (Incarnation, Vec<u8>)>,
    ) -> Result<Self, PageError> {
        let mut page = Self::empty()?;
        let mut fitting = Vec::new();
        for (incarnation, bytes) in changes {
            if let Some(change) = page.fit(&incarnation, &bytes) {
                page.note(&change);
                fitting.push(change);
            }
        }
        // All at once: one by one, a long history takes automerge far longer. Where it refuses, one by one tells which.
        let all = fitting.clone();
        let at_once = guarded(|| page.doc.apply_changes(all).map_err(|_| FeedError::Refused));
        if at_once.is_ok() {
            page.counted = fitting;
            return Ok(page);
        }
        let mut page = Self::empty()?;
        for change in fitting {
            page.apply(change)?;
        }
        Ok(page)
    }

    fn empty() -> Result<Self, PageError> {
        guarded(|| {
            let first = beginning();
            let known = HashSet::from([first.hash().0]);
            let mut doc = Automerge::new();
            doc.apply_changes([first]).map_err(|_| FeedError::Refused)?;
            let Ok(Some((_, text))) = doc.get(ROOT, TEXT) else {
                return Err(FeedError::Refused);
            };
            Ok(Self {
                doc,
                text,
                counted: Vec::new(),
                known,
                places: HashMap::new(),
                operations: 0,
            })
        })
        .map_err(|_| PageError::Failed)
    }

    /// The change, if it is sound and its turn.
    fn fit(&self, incarnation: &Incarnation, bytes: &[u8]) -> Option<Change> {
        let change = check(incarnation, bytes, &self.text).ok()?;
        let next = self.places.get(change.actor_id()).copied().unwrap_or(0) + 1;
        let fits = change.seq() == next
            && !change.deps().is_empty()
            && change.deps().iter().all(|dep| self.known.contains(&dep.0))
            && self.operations + change.len() <= MAX_PAGE_HISTORY;
        fits.then_some(change)
    }

    fn note(&mut self, change: &Change) {
        self.known.insert(change.hash().0);
        self.places.insert(change.actor_id().clone(), change.seq());
        self.operations += change.len();
    }

    /// Applies a fitting change; one that automerge refuses does not count.
    fn apply(&mut self, change: Change) -> Result<(), PageError> {
        let next = self.places.get(change.actor_id()).copied().unwrap_or(0) + 1;
        let known = |dep: &automerge::ChangeHash| self.known.contains(&dep.0);
        if change.seq() != next || !change.deps().iter().all(known) {
            return Ok(());
        }
        let one = [change.clone()];
        if guarded(|| self.doc.apply_changes(one).map_err(|_| FeedError::Refused)).is_ok() {
            self.note(&change);
            self.counted.push(change);
            return Ok(());
        }
        // What it did before it failed is not known: begin again without it.
        let mut again = Self::empty()?;
        let counted = std::mem::take(&mut self.counted);
        for one in &counted {
            again.note(one);
        }
        guarded(|| {
            let all = counted.clone();
            again.doc.apply_changes(all).map_err(|_| FeedError::Refused)
        })
        .map_err(|_| PageError::Failed)?;
        again.counted = counted;
        *self = again;
        Ok(())
    }

    /// Its text.
    ///
    /// # Errors
    /// automerge failed.
    pub(crate) fn text(&self) -> Result<String, PageError> {
        guarded(|| self.doc.text(&self.text).map_err(|_| FeedError::Refused))
            .map_err(|_| PageError::Failed)
    }

    /// What it consists of: give it back with a new text, so that what others wrote meanwhile is kept.
    pub(crate) fn heads(&self) -> Vec<ChangeHash> {
        let heads = self.doc.get_heads();
        heads
            .into_iter()
            .map(|head| ChangeHash::from_bytes(head.0))
            .collect()
    }

    /// How many changes of one life of a device count.
    pub(crate) fn changes_of(&self, incarnation: &Incarnation) -> usize {
        let places = self.places.get(&actor(incarnation)).copied();
        places.map_or(0, |places| usize::try_from(places).unwrap_or(usize::MAX))
    }

    /// The change that makes `text` of the page as it was at `base`, laid over what was written since. None if nothing
    /// differs.
    ///
    /// # Errors
    /// The text or the difference is too large, the history is full, or the base is not this page's.
    pub(crate) fn edit(
        &self,
        incarnation: &Incarnation,
        base: &[ChangeHash],
        text: &str,
    ) -> Result<Option<Vec<u8>>, PageError> {
        if text.len() > MAX_PAGE_TEXT {
            return Err(PageError::TooLong);
        }
        if !base.iter().all(|head| self.known.contains(head.as_bytes())) {
            return Err(PageError::UnknownBase);
        }
        let edited = guarded(|| Ok(self.edited(incarnation, base, text)))
            .map_err(|_| PageError::Failed)??;
        let Some(bytes) = edited else {
            return Ok(None);
        };
        if bytes.len() > MAX_PAGE_CHANGE {
            return Err(PageError::TooMuch);
        }
        match self.fit(incarnation, &bytes) {
            Some(_) => Ok(Some(bytes)),
            None if self.operations + MAX_PAGE_OPERATIONS > MAX_PAGE_HISTORY => {
                Err(PageError::Full)
            }
            None => Err(PageError::Failed),
        }
    }

    fn edited(
        &self,
        incarnation: &Incarnation,
        base: &[ChangeHash],
        text: &str,
    ) -> Result<Option<Vec<u8>>, PageError> {
        let failed = |_| PageError::Failed;
        let mut now = self.doc.clone();
        let heads: Vec<automerge::ChangeHash> = base
            .iter()
            .map(|head| automerge::ChangeHash(*head.as_bytes()))
            .collect();
        // The difference is taken where the writer stood, by an actor of no consequence; its outcome here and now is
        // what this incarnation then writes, after everything it knows of.
        let mut then = now.fork_at(&heads).map_err(failed)?;
        then.set_actor(ActorId::random());
        let mut transaction = then.transaction();
        transaction.update_text(&self.text, text).map_err(failed)?;
        transaction.commit();
        let mut both = self.doc.clone();
        both.merge(&mut then).map_err(failed)?;
        let wanted = both.text(&self.text).map_err(failed)?;
        if wanted == now.text(&self.text).map_err(failed)? {
            return Ok(None);
        }
        if wanted.len() > MAX_PAGE_TEXT {
            return Err(PageError::TooLong);
        }
        now.set_actor(actor(incarnation));
        let mut transaction = now.transaction();
        transaction
            .update_text(&self.text, &wanted)
            .map_err(failed)?;
        transaction.commit_with(CommitOptions::default().with_time(0));
        let change = now.get_last_local_change().ok_or(PageError::Failed)?;
        Ok(Some(change.raw_bytes().to_vec()))
    }
}

/// Holds a change against what a change of a page may be.
fn check(incarnation: &Incarnation, bytes: &[u8], text: &ObjId) -> Result<Change, FeedError> {
    if bytes.len() > MAX_PAGE_CHANGE {
        return Err(FeedError::TooLarge);
    }
    measure(bytes).ok_or(FeedError::Foreign)?;
    guarded(|| {
        let change = Change::from_bytes(bytes.to_vec()).map_err(|_| FeedError::Foreign)?;
        let sound = change.raw_bytes() == bytes
            && *change.actor_id() == actor(incarnation)
            && change.timestamp() == 0
            && change.message().is_none()
            && change.extra_bytes().is_empty()
            && (1..=MAX_PAGE_OPERATIONS).contains(&change.len());
        let of_text =
            |op: &Op| matches!(&op.obj, ObjectId::Id(id) if id.to_string() == text.to_string());
        let allowed = |op: &Op| {
            let inserts = op.insert
                && op.pred.is_empty()
                && matches!(&op.action, OpType::Put(ScalarValue::Str(s)) if !s.is_empty() && s.len() <= MAX_PIECE);
            let removes = !op.insert && op.pred.len() == 1 && op.action == OpType::Delete;
            of_text(op) && matches!(op.key, legacy::Key::Seq(_)) && (inserts || removes)
        };
        if sound && change.decode().operations.iter().all(allowed) {
            Ok(change)
        } else {
            Err(FeedError::Foreign)
        }
    })
}

/// Measures a change chunk without unfolding it: its lists fit its bytes, its columns are plain and none has more
/// entries than a change may have operations. None if it is not so.
fn measure(bytes: &[u8]) -> Option<()> {
    let mut chunk = Bytes(bytes);
    // Magic number, checksum, and the type of a plain change.
    if chunk.take(4)? != [0x85, 0x6f, 0x4a, 0x83] {
        return None;
    }
    chunk.take(4)?;
    if chunk.take(1)? != [1] || chunk.length()? != chunk.0.len() {
        return None;
    }
    let dependencies = chunk.length()?;
    chunk.take(dependencies.checked_mul(32)?)?;
    chunk.sized()?; // actor
    chunk.number()?; // place
    chunk.number()?; // first operation
    chunk.signed()?; // time
    chunk.sized()?; // message
    for _ in 0..chunk.length()? {
        chunk.sized()?; // another actor
    }
    let mut columns = Vec::new();
    for _ in 0..chunk.length()? {
        columns.push((chunk.number()?, chunk.length()?));
    }
    for (specification, length) in columns {
        let column = Bytes(chunk.take(length)?);
        // The low four bits: three of the type, one of compression.
        let entries = match specification & 0b1111 {
            0 => column.run(|value| (value.number()? <= 1).then_some(()))?,
            1 | 2 => column.run(|value| value.number().map(drop))?,
            3 => column.run(|value| value.signed().map(drop))?,
            4 => column.flags()?,
            5 => column.run(|value| value.sized().map(drop))?,
            6 => column.run(|value| {
                let length = usize::try_from(value.number()? >> 4).ok()?;
                (length <= MAX_PIECE).then_some(())
            })?,
            7 => 0,
            _ => return None,
        };
        if entries > MAX_PAGE_OPERATIONS {
            return None;
        }
    }
    chunk.0.is_empty().then_some(())
}

/// Bytes still to be read.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// A number in LEB128.
    fn number(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = *self.take(1)?.first()?;
            let part = u64::from(byte & 0x7f);
            if shift == 63 && part > 1 {
                return None;
            }
            value |= part << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// A signed number in LEB128.
    fn signed(&mut self) -> Option<i64> {
        let mut value = 0_i64;
        for shift in (0..64).step_by(7) {
            let byte = *self.take(1)?.first()?;
            value |= i64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                let shift = shift + 7;
                let negative = byte & 0x40 != 0 && shift < 64;
                return Some(if negative {
                    value | (-1 << shift)
                } else {
                    value
                });
            }
        }
        None
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    /// Bytes with their length before them.
    fn sized(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        self.take(length)
    }

    /// Entries of a column of runs: a count and a value; minus a count and as many values; zero and a count of nulls.
    fn run(mut self, mut value: impl FnMut(&mut Self) -> Option<()>) -> Option<usize> {
        let mut entries = 0_usize;
        while !self.0.is_empty() {
            let count = self.signed()?;
            let length = match count {
                0 => self.length()?,
                _ => usize::try_from(count.unsigned_abs()).ok()?,
            };
            entries = entries.checked_add(length)?;
            // Here already: a list of values must not be walked that far.
            if length == 0 || entries > MAX_PAGE_OPERATIONS {
                return None;
            }
            let values = match count {
                0 => 0,
                1.. => 1,
                _ => length,
            };
            for _ in 0..values {
                value(&mut self)?;
            }
        }
        Some(entries)
    }

    /// Entries of a column of flags: lengths of alternating runs.
    fn flags(mut self) -> Option<usize> {
        let mut entries = 0_usize;
        while !self.0.is_empty() {
            entries = entries.checked_add(self.length()?)?;
        }
        Some(entries)
    }
}

/// The text of a page made of any changes; for fuzzing and property tests.
#[doc(hidden)]
pub fn page_text(changes: impl IntoIterator<Item = (Incarnation, Vec<u8>)>) -> Option<String> {
    Page::build(changes).ok()?.text().ok()
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    use super::*;

    fn life(n: u8) -> Incarnation {
        Incarnation::from_bytes([n; 16])
    }

    /// A page and the changes that it was made of.
    struct Written(Vec<(Incarnation, Vec<u8>)>);

    impl Written {
        fn page(&self) -> Page {
            Page::build(self.0.clone()).unwrap()
        }

        fn write(&mut self, n: u8, base: &[ChangeHash], text: &str) {
            let change = self.page().edit(&life(n), base, text).unwrap().unwrap();
            self.0.push((life(n), change));
        }
    }

    #[test]
    fn every_page_begins_alike() {
        insta::assert_snapshot!(beginning().hash(), @"d7776c7c30d635c598d653f66d70e450be4ef3cee792255b58e8a7e4cc0fe88f");
        assert_eq!(Page::build([]).unwrap().text().unwrap(), "");
    }

    #[test]
    fn what_two_write_at_once_is_kept() {
        let mut written = Written(Vec::new());
        written.write(
            1,
            &written.page().heads(),
            "Добрий день\nHomework: page 12\n",
        );
        let base = written.page().heads();
        written.write(1, &base, "Добрий день, клас\nHomework: page 12\n");
        written.write(2, &base, "Добрий день\nHomework: page 14\n");
        let page = written.page();
        assert_eq!(
            page.text().unwrap(),
            "Добрий день, клас\nHomework: page 14\n"
        );
        assert_eq!(page.counted.len(), 3);
        assert_eq!(
            page.edit(&life(1), &page.heads(), &page.text().unwrap()),
            Ok(None)
        );
    }

    #[test]
    fn a_text_has_its_limits() {
        let page = Page::build([]).unwrap();
        let long = "я".repeat(MAX_PAGE_TEXT / 2);
        let change = page.edit(&life(1), &page.heads(), &long).unwrap().unwrap();
        let full = Page::build([(life(1), change)]).unwrap();
        assert_eq!(full.text().unwrap(), long);
        let more = |text: &str| full.edit(&life(2), &full.heads(), text);
        assert_eq!(more(&format!("{long}!")), Err(PageError::TooLong));
        // What two write at once may be too long together.
        assert_eq!(
            full.edit(&life(2), &page.heads(), "!"),
            Err(PageError::TooLong)
        );
        assert!(more("").unwrap().is_some());
        let strange = [ChangeHash::from_bytes([9; 32])];
        assert_eq!(
            full.edit(&life(2), &strange, "x"),
            Err(PageError::UnknownBase)
        );
    }

    #[test]
    fn the_worst_mix_of_characters_fits_one_change() {
        let page = Page::build([]).unwrap();
        let mix: String = std::iter::repeat_n("aя", MAX_PAGE_TEXT / 3).collect();
        let change = page.edit(&life(1), &page.heads(), &mix).unwrap().unwrap();
        let written = Page::build([(life(1), change)]).unwrap();
        assert_eq!(written.text().unwrap(), mix);
    }

    #[test]
    fn a_change_counts_only_after_what_it_depends_on() {
        let mut written = Written(Vec::new());
        written.write(1, &written.page().heads(), "one");
        written.write(2, &written.page().heads(), "one two");
        let [first, second] = written
            .0
            .try_into()
            .unwrap_or_else(|_| panic!("two changes"));
        assert_eq!(Page::build([second.clone()]).unwrap().text().unwrap(), "");
        let page = Page::build([second.clone(), first.clone()]).unwrap();
        assert_eq!(
            page.text().unwrap(),
            "one",
            "the order of the records decides"
        );
        let twice = Page::build([first.clone(), first.clone(), second]).unwrap();
        assert_eq!(twice.text().unwrap(), "one two");
        // Under another's name it counts for nothing.
        assert_eq!(
            Page::build([(life(7), first.1)]).unwrap().text().unwrap(),
            ""
        );
    }

    #[test]
    fn of_a_copied_profile_the_first_change_of_a_place_counts() {
        let empty = Page::build([]).unwrap();
        let text = |text| {
            (
                life(1),
                empty.edit(&life(1), &empty.heads(), text).unwrap().unwrap(),
            )
        };
        let page = Page::build([text("here"), text("there")]).unwrap();
        assert_eq!(
            (page.text().unwrap().as_str(), page.counted.len()),
            ("here", 1)
        );
    }

    fn foreign(work: impl FnOnce(&mut automerge::transaction::Transaction<'_>, &ObjId)) -> Vec<u8> {
        let page = Page::empty().unwrap();
        let mut doc = page.doc.clone();
        doc.set_actor(actor(&life(1)));
        let mut transaction = doc.transaction();
        work(&mut transaction, &page.text);
        transaction.commit_with(CommitOptions::default().with_time(0));
        doc.get_last_local_change().unwrap().raw_bytes().to_vec()
    }

    #[test]
    fn a_change_does_nothing_but_write_text() {
        let refused = |bytes: Vec<u8>| Page::build([(life(1), bytes)]).unwrap().counted.is_empty();
        assert!(!refused(foreign(|tx, text| tx
            .splice_text(text, 0, 0, "fine")
            .unwrap())));
        assert!(
            refused(foreign(|tx, _| tx.put(ROOT, "text", 1).unwrap())),
            "another key"
        );
        assert!(
            refused(foreign(|tx, text| tx.insert(text, 0, 5).unwrap())),
            "a number"
        );
        assert!(
            refused(foreign(|tx, text| {
                tx.insert_object(text, 0, automerge::ObjType::Map).unwrap();
            })),
            "a block"
        );
        assert!(
            refused(foreign(|tx, text| tx
                .insert(text, 0, "x".repeat(MAX_PIECE + 1))
                .unwrap())),
            "a long piece"
        );
        assert!(
            refused(foreign(|tx, text| {
                tx.splice_text(text, 0, 0, "ab").unwrap();
                tx.put(text, 0, "c").unwrap();
            })),
            "an overwritten character"
        );
    }

    /// Neither a chunk of the kind that is deflated nor a column that is gets as far as automerge, which would unpack it.
    #[test]
    fn what_is_compressed_is_not_unpacked() {
        let sound = foreign(|tx, text| tx.splice_text(text, 0, 0, "fine").unwrap());
        assert!(measure(&sound).is_some());
        let mut chunk = sound;
        chunk[8] = 2;
        let column = with_columns(&[(0x42 | 8, vec![1; 9])]);
        for mut packed in [chunk, column] {
            let checksum = Sha256::digest(&packed[8..]);
            packed[4..8].copy_from_slice(&checksum[..4]);
            assert!(measure(&packed).is_none());
        }
    }

    /// The chunk with other columns, and a checksum that is right.
    pub(in super::super) fn with_columns(columns: &[(u8, Vec<u8>)]) -> Vec<u8> {
        let number = |mut value: usize| {
            let mut out = Vec::new();
            while value >= 0x80 {
                out.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
                value >>= 7;
            }
            out.push(u8::try_from(value).unwrap());
            out
        };
        let mut inner = vec![1];
        inner.extend_from_slice(&beginning().hash().0);
        inner.push(16);
        inner.extend_from_slice(&[1; 16]);
        // First of its actor, operations from 2 on, no time, no message, one other actor: of the text.
        inner.extend_from_slice(&[1, 2, 0, 0, 1, 16]);
        inner.extend_from_slice(&[0; 16]);
        inner.extend(number(columns.len()));
        for (specification, data) in columns {
            inner.push(*specification);
            inner.extend(number(data.len()));
        }
        for (_, data) in columns {
            inner.extend_from_slice(data);
        }
        let body = [vec![1], number(inner.len()), inner].concat();
        let checksum = Sha256::digest(&body);
        [&[0x85, 0x6f, 0x4a, 0x83], &checksum[..4], &body].concat()
    }

    /// 2^62 as a signed and as a plain number.
    const ENDLESS: [u8; 9] = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40];
    pub(in super::super) const ENDLESS_SIGNED: [u8; 10] =
        [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0xc0, 0x00];

    /// Without the measuring, automerge would count each of these to its end.
    #[test]
    fn a_run_without_end_is_not_walked() {
        let run = |value: u8| [ENDLESS_SIGNED.as_slice(), &[value]].concat();
        let nulls = [&[0], ENDLESS.as_slice()].concat();
        for columns in [
            vec![(0x42, run(1))],
            vec![(0x42, nulls)],
            vec![(0x34, ENDLESS.to_vec())],
            vec![
                (0x42, vec![1, 3]),
                (0x70, vec![1, 0xff]),
                (0x71, run(0)),
                (0x73, run(0)),
            ],
            vec![
                (0x42, vec![1, 3]),
                (0x70, [&[1], ENDLESS.as_slice()].concat()),
                (0x71, run(0)),
            ],
        ] {
            let bytes = with_columns(&columns);
            assert_eq!(measure(&bytes), None, "{columns:?}");
            assert_eq!(Page::build([(life(1), bytes)]).unwrap().counted.len(), 0);
        }
    }

    #[test]
    fn the_test_makes_sound_chunks() {
        // One insertion of "x" at the head: object 1@nobody, no key actor, key 0, insert, put, a text of one byte.
        let bytes = with_columns(&[
            (0x01, vec![0x7f, 1]),
            (0x02, vec![0x7f, 1]),
            (0x13, vec![0x7f, 0]),
            (0x34, vec![0, 1]),
            (0x42, vec![0x7f, 1]),
            (0x56, vec![0x7f, 0x16]),
            (0x57, vec![b'x']),
            (0x70, vec![0x7f, 0]),
        ]);
        assert_eq!(
            Page::build([(life(1), bytes)]).unwrap().text().unwrap(),
            "x"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_measured(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = measure(&bytes);
        }

        #[test]
        fn a_bent_change_never_fails_the_page(at in 0_usize..120, bit in 0_u8..8, fixed: bool) {
            let mut bytes = foreign(|tx, text| tx.splice_text(text, 0, 0, "Привіт, world").unwrap());
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            if fixed {
                let checksum = Sha256::digest(&bytes[8..]);
                bytes[4..8].copy_from_slice(&checksum[..4]);
            }
            let page = Page::build([(life(1), bytes)]).unwrap();
            prop_assert!(page.text().is_ok());
        }

        /// Writers on any base, in any interleaving: all who have the records have the text, and what one typed stays.
        #[test]
        fn any_history_gives_one_text(steps in proptest::collection::vec((1_u8..4, 0_usize..6, "[a-zа-я\u{1f600} ]{0,8}"), 1..12)) {
            let mut written = Written(Vec::new());
            let mut bases = vec![written.page().heads()];
            for (n, back, piece) in steps {
                let base = &bases[bases.len().saturating_sub(1 + back)];
                let page = written.page();
                let text = format!("{piece}{}", page.text().unwrap());
                if let Some(change) = page.edit(&life(n), base, &text).unwrap() {
                    written.0.push((life(n), change));
                }
                bases.push(written.page().heads());
            }
            prop_assert_eq!(written.page().counted.len(), written.0.len());
            // In any other order in which each follows what it builds on, they make the same.
            let mut other = Written(Vec::new());
            let mut rest = written.0.clone();
            while !rest.is_empty() {
                let before = other.page().counted.len();
                let at = (0..rest.len()).rev().find(|at| {
                    let mut next = Written(other.0.clone());
                    next.0.push(rest[*at].clone());
                    next.page().counted.len() > before
                });
                other.0.push(rest.remove(at.expect("one whose turn it is")));
            }
            prop_assert_eq!(other.page().text().unwrap(), written.page().text().unwrap());
        }
    }
}
