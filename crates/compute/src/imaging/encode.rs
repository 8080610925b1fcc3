//! From pixels to JPEG, thumbnails and previews.

use jpeg_encoder::{ColorType, Encoder};

use super::{Limits, Picture, PictureError, decode, resize};

/// Encodes as baseline JPEG with the picture's colour profile and no other metadata. The same
/// pixels and quality (1 to 100) give the same bytes.
pub fn to_jpeg(picture: &Picture, quality: u8) -> Result<Vec<u8>, PictureError> {
    let side = |length: u32| {
        u16::try_from(length).map_err(|_| {
            PictureError::Encode(format!(
                "JPEG has at most 65535 pixels on a side, not {length}"
            ))
        })
    };
    let failed = |error: jpeg_encoder::EncodingError| PictureError::Encode(error.to_string());
    let mut bytes = Vec::with_capacity(picture.rgb.len() / 8);
    let mut encoder = Encoder::new(&mut bytes, quality.clamp(1, 100));
    if let Some(profile) = &picture.profile {
        encoder.add_icc_profile(profile).map_err(failed)?;
    }
    encoder
        .encode(
            &picture.rgb,
            side(picture.width)?,
            side(picture.height)?,
            ColorType::Rgb,
        )
        .map_err(failed)?;
    Ok(bytes)
}

/// A JPEG of the file at most `side` pixels large, upright.
pub fn thumbnail(bytes: &[u8], side: u32, limits: &Limits) -> Result<Vec<u8>, PictureError> {
    to_jpeg(&small(bytes, side, limits)?, 80)
}

/// A JPEG of the file at most `side` pixels large and `most` bytes long, upright: quality first,
/// then size give way. For what travels inside a message.
pub fn preview(
    bytes: &[u8],
    side: u32,
    most: usize,
    limits: &Limits,
) -> Result<Vec<u8>, PictureError> {
    let mut picture = small(bytes, side, limits)?;
    // A profile may be larger than the preview.
    picture.profile = None;
    loop {
        for quality in [80, 60, 40, 25] {
            let jpeg = to_jpeg(&picture, quality)?;
            if jpeg.len() <= most {
                return Ok(jpeg);
            }
        }
        let longest = picture.width.max(picture.height);
        if longest <= 16 {
            return Err(PictureError::Encode(format!(
                "it does not fit {most} bytes"
            )));
        }
        picture = resize::to_fit(picture, longest / 2);
    }
}

fn small(bytes: &[u8], side: u32, limits: &Limits) -> Result<Picture, PictureError> {
    Ok(resize::to_fit(decode(bytes, limits)?, side).upright())
}
