//! Points for a pair of products.
//!
//! Products are compared by their [`Traits`]: texts become small numbers once, so that a pair costs
//! a few comparisons of integers.

use std::{
    collections::HashMap,
    fmt,
    ops::{Add, AddAssign},
};

use crate::{
    normal::{self, Size},
    product::{Attributes, Field},
    rules::{Preset, Term},
};

/// Points in whole hundredths, so that a factor makes no ties of unequal scores and none the less.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Points(i64);

impl Points {
    /// Whole points.
    pub fn whole(points: i32) -> Self {
        Self(i64::from(points) * 100)
    }

    /// Hundredths of a point.
    pub const fn hundredths(self) -> i64 {
        self.0
    }

    /// From hundredths of a point.
    pub const fn from_hundredths(hundredths: i64) -> Self {
        Self(hundredths)
    }

    /// As a number, for showing.
    pub fn value(self) -> f64 {
        self.0 as f64 / 100.0
    }

    /// What taking this many per cent changes.
    fn change_to_percent(self, percent: u8) -> Self {
        Self(self.0 * i64::from(percent) / 100 - self.0)
    }
}

impl Add for Points {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for Points {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl fmt::Display for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value().fmt(f)
    }
}

/// A text as a number; equal numbers are equal texts, where both are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Word(u32);

impl Word {
    /// The product's input has no such column.
    const NO_COLUMN: Self = Self(0);
    /// The cell is empty.
    const EMPTY: Self = Self(1);
    /// A text that no product on the other side has.
    const ELSEWHERE: Self = Self(2);
    /// First number of a text.
    const FIRST: u32 = 3;

    fn known(self) -> bool {
        self.0 >= Self::ELSEWHERE.0
    }

    fn same(self, other: Self) -> bool {
        self == other && self.0 >= Self::FIRST
    }
}

/// Numbers for texts.
#[derive(Clone, Debug, Default)]
pub struct Words(HashMap<String, u32>);

impl Words {
    fn learn(&mut self, key: Option<String>) -> Word {
        match key {
            None => Word::NO_COLUMN,
            Some(key) if key.is_empty() => Word::EMPTY,
            Some(key) => {
                let next = u32::try_from(self.0.len())
                    .map_or(u32::MAX, |count| count.saturating_add(Word::FIRST));
                Word(*self.0.entry(key).or_insert(next))
            }
        }
    }

    fn find(&self, key: Option<String>) -> Word {
        match key {
            None => Word::NO_COLUMN,
            Some(key) if key.is_empty() => Word::EMPTY,
            Some(key) => self.0.get(&key).copied().map_or(Word::ELSEWHERE, Word),
        }
    }
}

/// A size as it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SizeTrait {
    NoColumn,
    Unknown,
    Number(i32),
    Letters(i32),
    Other(Word),
}

/// What decides the score of a product, in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traits {
    size: SizeTrait,
    season: Word,
    color: Word,
    material: Word,
    fastener: Word,
    lasts: [Word; 3],
    model: Word,
    stock: Option<u64>,
}

impl Traits {
    /// Traits of a product that others are compared with; its texts become known to `words`.
    pub fn learn(product: &impl Attributes, rules: &Preset, words: &mut Words) -> Self {
        Self::new(product, rules, |key| words.learn(key))
    }

    /// Traits of a candidate: texts that none of the learnt products has are all alike.
    pub fn find(product: &impl Attributes, rules: &Preset, words: &Words) -> Self {
        Self::new(product, rules, |key| words.find(key))
    }

    fn new(
        product: &impl Attributes,
        rules: &Preset,
        mut word: impl FnMut(Option<String>) -> Word,
    ) -> Self {
        let size = match product.get(Field::Size) {
            None => SizeTrait::NoColumn,
            Some(raw) => match Size::parse(raw, &rules.size.letters) {
                Size::Unknown => SizeTrait::Unknown,
                Size::Number(number) => SizeTrait::Number(number),
                Size::Letters(place) => SizeTrait::Letters(place),
                Size::Other(text) => SizeTrait::Other(word(Some(text))),
            },
        };
        let mut list = |raw: Option<&str>| word(raw.map(normal::list_key));
        let material = match product.get(Field::Material) {
            Some(material) if !material.is_empty() => Some(material),
            other => product.get(Field::UpperMaterial).or(other),
        };
        Self {
            size,
            season: list(product.get(Field::Season)),
            color: list(product.get(Field::Color)),
            material: list(material),
            fastener: list(product.get(Field::Fastener)),
            lasts: [
                list(product.get(Field::LastMega)),
                list(product.get(Field::LastBest)),
                list(product.get(Field::LastNew)),
            ],
            model: list(product.get(Field::Model)),
            stock: product
                .get(Field::Stock)
                .map(|stock| normal::pieces(stock).unwrap_or(0)),
        }
    }

    /// Whether it is known that none is left.
    pub(crate) fn sold_out(&self) -> bool {
        self.stock == Some(0)
    }

    fn has_lasts(&self) -> bool {
        self.lasts.iter().any(|last| *last != Word::NO_COLUMN)
    }
}

/// Score of `candidate` as a recommendation for `product`.
pub fn score(rules: &Preset, product: &Traits, candidate: &Traits) -> Points {
    walk(rules, product, candidate, |_, _| {})
}

/// The score, and what each term gave, in the order of the rules. Terms that gave nothing are
/// left out; what the cap took is not a term.
pub fn explain(
    rules: &Preset,
    product: &Traits,
    candidate: &Traits,
) -> (Points, Vec<(Term, Points)>) {
    let mut terms = Vec::new();
    let score = walk(rules, product, candidate, |term, points| {
        if points != Points::default() {
            terms.push((term, points));
        }
    });
    (score, terms)
}

fn walk(
    rules: &Preset,
    product: &Traits,
    candidate: &Traits,
    mut seen: impl FnMut(Term, Points),
) -> Points {
    let mut total = Points::whole(rules.base);
    for term in &rules.order {
        let points = match term {
            Term::NoLast if no_last(product, candidate) => {
                total.change_to_percent(rules.no_last.percent)
            }
            Term::NoLast => Points::default(),
            _ => Points::whole(points(rules, *term, product, candidate)),
        };
        total += points;
        seen(*term, points);
    }
    total.min(Points::whole(rules.cap))
}

fn points(rules: &Preset, term: Term, product: &Traits, candidate: &Traits) -> i32 {
    let equal = |one: Word, other: Word, points: i32| if one.same(other) { points } else { 0 };
    match term {
        Term::Size => size(rules, product.size, candidate.size),
        Term::Season => season(rules, product.season, candidate.season),
        Term::Color => equal(product.color, candidate.color, rules.color.equal),
        Term::Material => equal(product.material, candidate.material, rules.material.equal),
        Term::Fastener => equal(product.fastener, candidate.fastener, rules.fastener.equal),
        Term::Model => equal(product.model, candidate.model, rules.model.equal),
        Term::Last => {
            let [mega, best, new] = &product.lasts;
            let [its_mega, its_best, its_new] = &candidate.lasts;
            [
                (mega, its_mega, rules.last.mega),
                (best, its_best, rules.last.best),
                (new, its_new, rules.last.new),
            ]
            .into_iter()
            .find_map(|(one, other, points)| one.same(*other).then_some(points))
            .unwrap_or(0)
        }
        Term::Stock => candidate.stock.map_or(0, |stock| {
            let band = rules.stock.bands.iter().find(|band| stock > band.over);
            band.map_or(0, |band| band.points)
        }),
        Term::NoLast => 0,
    }
}

fn size(rules: &Preset, one: SizeTrait, other: SizeTrait) -> i32 {
    let points = &rules.size;
    let by_distance = |distance: u32, unit: u32| {
        if distance == 0 {
            points.equal
        } else if distance <= u32::from(points.near_within) * unit {
            points.near
        } else {
            points.other
        }
    };
    match (one, other) {
        (SizeTrait::NoColumn, _) | (_, SizeTrait::NoColumn) => 0,
        (SizeTrait::Number(one), SizeTrait::Number(other)) => by_distance(one.abs_diff(other), 100),
        (SizeTrait::Letters(one), SizeTrait::Letters(other)) => by_distance(one.abs_diff(other), 1),
        (SizeTrait::Other(one), SizeTrait::Other(other)) if one.same(other) => points.equal,
        _ => points.other,
    }
}

fn season(rules: &Preset, one: Word, other: Word) -> i32 {
    if one == Word::NO_COLUMN || other == Word::NO_COLUMN {
        0
    } else if !one.known() || !other.known() {
        rules.season.unknown
    } else if one.same(other) {
        rules.season.equal
    } else {
        rules.season.different
    }
}

fn no_last(product: &Traits, candidate: &Traits) -> bool {
    let shared = product
        .lasts
        .iter()
        .zip(&candidate.lasts)
        .any(|(one, other)| one.same(*other));
    !shared && product.has_lasts() && candidate.has_lasts()
}

#[cfg(test)]
mod tests;
