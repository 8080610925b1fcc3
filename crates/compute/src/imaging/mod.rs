//! Pictures: decode safely, resize, tone, encode; recipes, thumbnails and contact sheets.
//!
//! # Path
//! Resizing and toning have a WGSL kernel and a CPU twin. Both work in integers with the same
//! coefficients, so their tolerance is zero: **CPU and GPU give the same bytes**, which the
//! property tests of [`resize`] and [`tone`] hold. A picture that is wider than a band of the GPU
//! allows is resized in bands of rows.
//!
//! # Safety
//! Files come from anywhere. The kind is judged by content, never by name; dimensions and memory
//! are limited before a pixel is decoded; a decoder that panics is a damaged file. Decoding works
//! on a file already in memory, so its time is bounded by the limits; who runs it on a worker can
//! give up on it.

pub mod resize;
pub mod tone;

mod decode;
mod encode;
mod error;
mod recipe;
mod sheet;
mod sniff;

pub use decode::{Facts, Limits, Picture, decode, probe};
pub use encode::{preview, thumbnail, to_jpeg};
pub use error::PictureError;
pub use recipe::{Developed, Jpeg, Recipe, RecipeError, develop, recipe, recipes, route};
pub use sheet::Sheet;
pub use sniff::{Format, is_picture_name};

#[cfg(test)]
mod tests;
