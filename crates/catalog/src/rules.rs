//! The rules of similarity: the typed form of `rules.toml`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The rules that are built in.
const BUILT_IN: &str = include_str!("../rules.toml");

/// Table of the file that holds the presets.
const PRESETS: &str = "presets";

/// Most recommendations that a document can hold.
pub const MOST_RECOMMENDATIONS: usize = 8;

/// Why a rules file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// It is not TOML, or not of the right shape.
    #[error("the rules cannot be read{}: {source}", preset.as_deref().map_or_else(String::new, |name| format!(" (preset {name})")))]
    Shape {
        /// The preset in which the fault shows, where there is one.
        preset: Option<String>,
        /// What is wrong.
        source: Box<toml::de::Error>,
    },
    /// There is no such preset.
    #[error("there is no preset \"{name}\"; there are {}", known.join(", "))]
    UnknownPreset {
        /// What was asked for.
        name: String,
        /// Those there are.
        known: Vec<String>,
    },
    /// The figures contradict one another.
    #[error("the rules of preset {preset} contradict themselves: {reason}")]
    Contradiction {
        /// The preset.
        preset: String,
        /// What does not fit.
        reason: &'static str,
    },
}

/// A term of the score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Term {
    /// Size.
    Size,
    /// Season.
    Season,
    /// Colour.
    Color,
    /// Material.
    Material,
    /// Fastener.
    Fastener,
    /// Shoe last.
    Last,
    /// Model name.
    Model,
    /// What is lost where no last is shared.
    NoLast,
    /// Stock of the candidate.
    Stock,
}

impl Term {
    /// Name, as in the rules file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Season => "season",
            Self::Color => "color",
            Self::Material => "material",
            Self::Fastener => "fastener",
            Self::Last => "last",
            Self::Model => "model",
            Self::NoLast => "no_last",
            Self::Stock => "stock",
        }
    }
}

/// Points by how far apart two sizes are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SizePoints {
    /// Equal.
    pub equal: i32,
    /// At most `near_within` apart.
    pub near: i32,
    /// Further apart, or unknown.
    pub other: i32,
    /// Reach of `near`, in sizes.
    pub near_within: u16,
    /// Letter sizes from small to large.
    pub letters: Vec<String>,
}

/// Points by season.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeasonPoints {
    /// Equal.
    pub equal: i32,
    /// Both known and different.
    pub different: i32,
    /// One of the two unknown.
    pub unknown: i32,
}

/// Points for an equal value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EqualPoints {
    /// Both known and equal.
    pub equal: i32,
}

/// Points for the first equal last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LastPoints {
    /// The first kind.
    pub mega: i32,
    /// The second kind.
    pub best: i32,
    /// The third kind.
    pub new: i32,
}

/// A factor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Factor {
    /// Per cent that stay.
    pub percent: u8,
}

/// Points by stock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StockPoints {
    /// Bands, the highest first.
    pub bands: Vec<Band>,
}

/// One band.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Band {
    /// The stock is over this.
    pub over: u64,
    /// Points.
    pub points: i32,
}

/// One complete set of rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// Points of every candidate before the terms.
    pub base: i32,
    /// Highest score.
    pub cap: i32,
    /// Lowest score of a recommendation.
    pub threshold: i32,
    /// Fewest recommendations of a document.
    pub min_recommendations: usize,
    /// Most recommendations.
    pub max_recommendations: usize,
    /// The terms in the order in which they are applied.
    pub order: Vec<Term>,
    /// Size.
    pub size: SizePoints,
    /// Season.
    pub season: SeasonPoints,
    /// Colour.
    pub color: EqualPoints,
    /// Material.
    pub material: EqualPoints,
    /// Fastener.
    pub fastener: EqualPoints,
    /// Shoe last.
    pub last: LastPoints,
    /// Model name.
    pub model: EqualPoints,
    /// Where no last is shared.
    pub no_last: Factor,
    /// Stock.
    pub stock: StockPoints,
}

impl Preset {
    /// A built-in preset by name: `standard`, `size`, `seasonal`, `material` or `conservative`.
    pub fn built_in(name: &str) -> Result<Self, RulesError> {
        let mut presets = read(BUILT_IN)?;
        presets
            .remove(name)
            .ok_or_else(|| RulesError::UnknownPreset {
                name: name.to_owned(),
                known: presets.into_keys().collect(),
            })
    }

    fn contradiction(&self) -> Option<&'static str> {
        let bands = &self.stock.bands;
        let falling = bands
            .iter()
            .zip(bands.iter().skip(1))
            .all(|(one, next)| one.over > next.over);
        let mut order = self.order.clone();
        order.sort_unstable();
        order.dedup();
        [
            (
                order.len() != self.order.len(),
                "a term is in the order twice",
            ),
            (!falling, "the stock bands do not fall"),
            (self.no_last.percent > 100, "no_last.percent is over 100"),
            (self.cap < self.threshold, "the cap is below the threshold"),
            (
                self.min_recommendations < 2,
                "min_recommendations is below 2",
            ),
            (
                self.max_recommendations < self.min_recommendations,
                "max_recommendations is below min_recommendations",
            ),
            (
                self.max_recommendations > MOST_RECOMMENDATIONS,
                "max_recommendations is over 8",
            ),
        ]
        .into_iter()
        .find_map(|(wrong, reason)| wrong.then_some(reason))
    }
}

/// Reads a rules file: every preset by name, each complete.
pub fn read(text: &str) -> Result<BTreeMap<String, Preset>, RulesError> {
    let shape = |preset: Option<&str>| {
        let preset = preset.map(str::to_owned);
        move |source: toml::de::Error| RulesError::Shape {
            preset,
            source: Box::new(source),
        }
    };
    let mut base: toml::Table = text.parse().map_err(shape(None))?;
    let changes = match base.remove(PRESETS) {
        Some(changes) => changes
            .try_into::<BTreeMap<String, toml::Table>>()
            .map_err(shape(None))?,
        None => BTreeMap::new(),
    };
    changes
        .into_iter()
        .map(|(name, changes)| {
            let mut merged = base.clone();
            merge(&mut merged, changes);
            let preset: Preset = toml::Value::Table(merged)
                .try_into()
                .map_err(shape(Some(&name)))?;
            match preset.contradiction() {
                Some(reason) => Err(RulesError::Contradiction {
                    preset: name,
                    reason,
                }),
                None => Ok((name, preset)),
            }
        })
        .collect()
}

/// Puts the changes into the table; tables within are merged, everything else is replaced.
fn merge(into: &mut toml::Table, changes: toml::Table) {
    for (key, change) in changes {
        match (into.get_mut(&key), change) {
            (Some(toml::Value::Table(inner)), toml::Value::Table(change)) => merge(inner, change),
            (_, change) => {
                into.insert(key, change);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_complete() {
        let presets = read(BUILT_IN).unwrap();
        let names: Vec<_> = presets.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            ["conservative", "material", "seasonal", "size", "standard"]
        );
        for (name, preset) in presets {
            insta::assert_snapshot!(name.clone(), toml::to_string(&preset).unwrap());
        }
    }

    #[track_caller]
    fn refused(from: &str, to: &str, expected: &str) {
        let text = BUILT_IN.replacen(from, to, 1);
        assert_ne!(text, BUILT_IN, "{from:?} is not in the rules");
        let error = read(&text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn bad_rules_are_refused() {
        refused("base = 100", "base = ", "cannot be read");
        refused("base = 100", "basis = 100", "basis");
        refused("\"size\", \"season\"", "\"size\", \"size\"", "twice");
        refused("\"size\", \"season\"", "\"price\", \"season\"", "price");
        refused("over = 5", "over = 1", "do not fall");
        refused("percent = 70", "percent = 170", "over 100");
        refused("cap = 500", "cap = 20", "below the threshold");
        refused(
            "max_recommendations = 5",
            "max_recommendations = 2",
            "preset conservative",
        );
        refused(
            "max_recommendations = 8",
            "max_recommendations = 9",
            "over 8",
        );
        refused("[presets.size]", "[presets.size]\nlength = 1", "length");
    }

    #[test]
    fn an_unknown_preset_names_those_there_are() {
        let error = Preset::built_in("сезон").unwrap_err().to_string();
        assert_eq!(
            error,
            "there is no preset \"сезон\"; there are conservative, material, seasonal, size, standard"
        );
    }
}
