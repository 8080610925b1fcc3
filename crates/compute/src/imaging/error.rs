//! Why a picture could not be read.

use super::Format;

/// Why a file could not be read as a picture. The words follow the file's name: see
/// [`PictureError::of`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// There is nothing in it.
    #[error("is empty: it may not have been copied to its end. Copy it again")]
    Empty,
    /// It is something else.
    #[error("is not a picture: it begins with {0}")]
    NotAPicture(&'static str),
    /// It is a picture of a format that is not read here.
    #[error("is a {0} picture, which cannot be read here. Convert it to JPEG or PNG first")]
    Unsupported(&'static str),
    /// It ends too early.
    #[error("is a {0} that ends too early: it was not copied or saved completely. Copy it again")]
    Truncated(Format),
    /// Its content breaks the format's rules.
    #[error("is a damaged {format}: {reason}")]
    Damaged {
        /// Its format.
        format: Format,
        /// What the decoder said.
        reason: String,
    },
    /// It is larger than the limits.
    #[error(
        "is too large: {width}×{height} pixels; at most {side} on a side and {megapixels} megapixels are read"
    )]
    TooLarge {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Longest side that is read.
        side: u32,
        /// Megapixels that are read.
        megapixels: u64,
    },
    /// The file is larger than the limits.
    #[error("is too large: {bytes} bytes; at most {limit} are read")]
    FileTooLarge {
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// It could not be encoded.
    #[error("could not be encoded: {0}")]
    Encode(String),
}

impl PictureError {
    /// The sentence about this file: "photo.jpg is not a picture: it begins with text".
    pub fn of(&self, name: &str) -> String {
        format!("{name} {self}")
    }
}
