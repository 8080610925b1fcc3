//! Products, how similar they are, and Ozon Rich Content documents made from that.
//!
//! # Map
//! - [`Field`] and [`Product`]: what is known of a product. [`columns`] finds the fields of a table
//!   by its headers.
//! - [`rules`]: the typed form of `rules.toml`, where all weights, bands and thresholds live.
//! - [`score`] gives points to a pair; [`Search`] finds the best candidates of a page of products
//!   from a stream of candidates, in memory that depends on the page alone.
//! - [`rich`]: the Rich Content model of version 0.3 and its lint; [`showcase`] builds a document.
//!
//! # Invariants
//! - The order of the input never changes a result: scores are whole hundredths, ties go by vendor
//!   code, and vendor codes are unique.
//! - A document holds what the catalogue says and nothing else: no made-up link, no stand-in
//!   picture. What is left out is said.
//!
//! The crate does no I/O.

pub mod columns;
pub mod normal;
pub mod rich;
pub mod rules;
pub mod score;
pub mod showcase;

mod product;
mod search;

pub use product::{Attributes, Field, GroupKey, Product, Sku, picture_address};
pub use rules::{Preset, RulesError};
pub use search::{Excluded, Found, Pick, Reason, Search};
