//! The best candidates of a page of products.

use crate::{
    product::{Attributes, Field, picture_address},
    rules::Preset,
    score::{self, Points, Traits, Words},
};

/// Why a candidate cannot be recommended to anyone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    Stock,
    Barcode,
    Picture,
}

impl Flaw {
    fn of(product: &impl Attributes, traits: &Traits) -> Option<Self> {
        if traits.sold_out() {
            Some(Self::Stock)
        } else if product.get(Field::Barcode).is_some_and(str::is_empty) {
            Some(Self::Barcode)
        } else if picture_address(product.text(Field::Picture)).is_none() {
            Some(Self::Picture)
        } else {
            None
        }
    }
}

/// Candidates that were left out, by reason. One with several reasons counts for the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Excluded {
    /// Not in stock.
    pub stock: u64,
    /// No barcode.
    pub barcode: u64,
    /// No picture, which a tile must have.
    pub picture: u64,
    /// Too few points.
    pub threshold: u64,
}

impl Excluded {
    fn count(&mut self, flaw: Flaw) {
        *self.of(flaw) += 1;
    }

    fn of(&mut self, flaw: Flaw) -> &mut u64 {
        match flaw {
            Flaw::Stock => &mut self.stock,
            Flaw::Barcode => &mut self.barcode,
            Flaw::Picture => &mut self.picture,
        }
    }

    /// Candidates left out before any score was made.
    pub fn flawed(&self) -> u64 {
        self.stock + self.barcode + self.picture
    }
}

/// A recommended candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pick {
    /// Id of the product.
    pub id: i64,
    /// Its points.
    pub score: Points,
    vendor_code: String,
}

/// The best candidates so far, best first, ties by vendor code; never more than there is room for.
#[derive(Clone, Debug)]
struct Best {
    room: usize,
    picks: Vec<Pick>,
}

impl Best {
    fn offer(&mut self, id: i64, score: Points, vendor_code: &str) {
        let before = |pick: &Pick| {
            (pick.score > score)
                || (pick.score == score && pick.vendor_code.as_str() <= vendor_code)
        };
        let place = self.picks.partition_point(before);
        if place >= self.room {
            return;
        }
        self.picks.truncate(self.room - 1);
        let vendor_code = vendor_code.to_owned();
        self.picks.insert(
            place,
            Pick {
                id,
                score,
                vendor_code,
            },
        );
    }
}

/// Why a product has no document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The cell of its type, gender or brand is empty, so nothing is of the same.
    Unknown(Field),
    /// Nothing else has the same type, gender and brand.
    Alone,
    /// Too few candidates are in stock, with a barcode and a picture.
    Unusable,
    /// Too few candidates are similar enough.
    Unlike,
}

impl Reason {
    /// Name for programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unknown(_) => "unknown",
            Self::Alone => "alone",
            Self::Unusable => "unusable",
            Self::Unlike => "too_few",
        }
    }
}

/// What was found for one product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Id of the product.
    pub id: i64,
    /// Recommendations, best first.
    pub picks: Vec<Pick>,
    /// Other products that were looked at.
    pub candidates: u64,
    /// Those left out.
    pub excluded: Excluded,
}

impl Found {
    /// Why there are fewer recommendations than a document needs, or `None` where there are enough.
    pub fn reason(&self, rules: &Preset) -> Option<Reason> {
        if self.picks.len() >= rules.min_recommendations {
            return None;
        }
        let usable = self.candidates - self.excluded.flawed();
        Some(if self.candidates == 0 {
            Reason::Alone
        } else if usable < rules.min_recommendations as u64 {
            Reason::Unusable
        } else {
            Reason::Unlike
        })
    }
}

struct Subject {
    id: i64,
    traits: Traits,
    best: Best,
    below: u64,
    /// Whether the product came along among the candidates.
    met: bool,
    /// Its own flaw, once it did.
    flaw: Option<Flaw>,
}

/// A search for a page of products of one group: first the products, then each candidate once.
///
/// Memory depends on the page, not on the number of candidates.
pub struct Search<'r> {
    rules: &'r Preset,
    words: Words,
    subjects: Vec<Subject>,
    candidates: u64,
    excluded: Excluded,
}

impl<'r> Search<'r> {
    /// A search by these rules.
    pub fn new(rules: &'r Preset) -> Self {
        Self {
            rules,
            words: Words::default(),
            subjects: Vec::new(),
            candidates: 0,
            excluded: Excluded::default(),
        }
    }

    /// Adds a product to the page. All products come before the first candidate.
    pub fn product(&mut self, id: i64, product: &impl Attributes) {
        self.subjects.push(Subject {
            id,
            traits: Traits::learn(product, self.rules, &mut self.words),
            best: Best {
                room: self.rules.max_recommendations,
                picks: Vec::new(),
            },
            below: 0,
            met: false,
            flaw: None,
        });
    }

    /// Weighs one product of the group for all products of the page. The products of the page come
    /// along here too and are not recommended to themselves.
    pub fn candidate(&mut self, id: i64, candidate: &impl Attributes) {
        let traits = Traits::find(candidate, self.rules, &self.words);
        let flaw = Flaw::of(candidate, &traits);
        self.candidates += 1;
        if let Some(flaw) = flaw {
            self.excluded.count(flaw);
            if let Some(own) = self.subjects.iter_mut().find(|subject| subject.id == id) {
                own.met = true;
                own.flaw = Some(flaw);
            }
            return;
        }
        let vendor_code = candidate.text(Field::VendorCode);
        let threshold = Points::whole(self.rules.threshold);
        for subject in &mut self.subjects {
            if subject.id == id {
                subject.met = true;
                continue;
            }
            let score = score::score(self.rules, &subject.traits, &traits);
            if score < threshold {
                subject.below += 1;
            } else {
                subject.best.offer(id, score, vendor_code);
            }
        }
    }

    /// What was found, in the order in which the products were added.
    pub fn finish(self) -> impl Iterator<Item = Found> {
        let (candidates, excluded) = (self.candidates, self.excluded);
        self.subjects.into_iter().map(move |subject| {
            let mut excluded = Excluded {
                threshold: subject.below,
                ..excluded
            };
            if let Some(flaw) = subject.flaw {
                *excluded.of(flaw) -= 1;
            }
            Found {
                id: subject.id,
                picks: subject.best.picks,
                candidates: candidates - u64::from(subject.met),
                excluded,
            }
        })
    }
}
