//! From the bytes of a file to upright 8-bit RGB, within limits.

use std::{
    io::{Cursor, ErrorKind},
    panic::{AssertUnwindSafe, catch_unwind},
};

use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, metadata::Orientation};

use super::{Format, PictureError, sniff};

/// What is read at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest side in pixels.
    pub side: u32,
    /// Pixels in all.
    pub pixels: u64,
    /// Size of the file in bytes.
    pub file: u64,
}

impl Default for Limits {
    /// 250 megapixels, 65,535 on a side, files of 1 GiB.
    fn default() -> Self {
        Self {
            side: 65_535,
            pixels: 250_000_000,
            file: 1 << 30,
        }
    }
}

/// What a picture's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Its format.
    pub format: Format,
    /// Width in pixels, as stored.
    pub width: u32,
    /// Height in pixels, as stored.
    pub height: u32,
    /// Bytes of one decoded pixel.
    pub bytes_per_pixel: u8,
}

impl Facts {
    /// Pixels in all.
    pub fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// Memory that developing it takes at its peak, in bytes, beside the file itself: the decoded
    /// pixels, their 8-bit RGB form, and a decoder's own working memory (a progressive JPEG keeps
    /// its coefficients, 2 bytes a value).
    pub fn memory(&self) -> u64 {
        let working = match self.format {
            Format::Jpeg => 6,
            Format::WebP | Format::Gif => 4,
            Format::Png | Format::Tiff | Format::Bmp => 1,
        };
        self.pixels() * (u64::from(self.bytes_per_pixel) + 3 + working)
    }

    fn check(&self, limits: &Limits) -> Result<(), PictureError> {
        if self.width > limits.side || self.height > limits.side || self.pixels() > limits.pixels {
            return Err(PictureError::TooLarge {
                width: self.width,
                height: self.height,
                side: limits.side,
                megapixels: limits.pixels / 1_000_000,
            });
        }
        if self.pixels() == 0 {
            return Err(PictureError::Damaged {
                format: self.format,
                reason: "it has no pixels".to_owned(),
            });
        }
        Ok(())
    }
}

/// An 8-bit RGB picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// `width * height * 3` bytes, rows from the top, in the colours of `profile` or sRGB.
    pub rgb: Vec<u8>,
    /// ICC profile of the colours, if the file has one for RGB.
    pub profile: Option<Vec<u8>>,
    /// What turns it upright.
    turn: Orientation,
}

impl Picture {
    /// An upright sRGB picture. `None` unless `rgb` has `width * height * 3` bytes and some pixels.
    pub fn new(width: u32, height: u32, rgb: Vec<u8>) -> Option<Self> {
        let bytes = u64::from(width) * u64::from(height) * 3;
        (bytes > 0 && bytes == rgb.len() as u64).then_some(Self {
            width,
            height,
            rgb,
            profile: None,
            turn: Orientation::NoTransforms,
        })
    }

    /// The same picture with other pixels.
    pub(super) fn with_pixels(&self, width: u32, height: u32, rgb: Vec<u8>) -> Self {
        Self {
            width,
            height,
            rgb,
            profile: self.profile.clone(),
            turn: self.turn,
        }
    }

    /// Turned as its file says it should be seen. Cheaper on the smaller picture, so it comes after
    /// a resize to a square box, which it does not affect.
    #[must_use]
    pub fn upright(mut self) -> Self {
        let turn = std::mem::replace(&mut self.turn, Orientation::NoTransforms);
        if turn == Orientation::NoTransforms {
            return self;
        }
        let rgb = std::mem::take(&mut self.rgb);
        let Some(pixels) = image::RgbImage::from_raw(self.width, self.height, rgb) else {
            return self;
        };
        let mut image = DynamicImage::ImageRgb8(pixels);
        image.apply_orientation(turn);
        let pixels = image.into_rgb8();
        (self.width, self.height) = pixels.dimensions();
        self.rgb = pixels.into_raw();
        self
    }
}

/// What a decoder may take beside the pixels, in bytes.
const BESIDE_PIXELS: u64 = 64 << 20;

/// Reads the header only. `bytes` may be the beginning of a file.
pub fn probe(bytes: &[u8]) -> Result<Facts, PictureError> {
    let format = sniff::sniff(bytes)?;
    guarded(format, || {
        let decoder = reader(bytes, format)
            .into_decoder()
            .map_err(|error| explain(format, &error))?;
        Ok(facts(format, &decoder))
    })
}

/// Decodes a file. The picture is not turned upright yet: see [`Picture::upright`].
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Picture, PictureError> {
    if bytes.len() as u64 > limits.file {
        return Err(PictureError::FileTooLarge {
            bytes: bytes.len() as u64,
            limit: limits.file,
        });
    }
    let format = sniff::sniff(bytes)?;
    guarded(format, || decode_as(bytes, format, limits))
}

fn decode_as(bytes: &[u8], format: Format, limits: &Limits) -> Result<Picture, PictureError> {
    let explain = |error: ImageError| explain(format, &error);
    let mut decoder = reader(bytes, format).into_decoder().map_err(explain)?;
    let facts = facts(format, &decoder);
    facts.check(limits)?;
    if format == Format::Jpeg && !sniff::jpeg_is_whole(bytes) {
        return Err(PictureError::Truncated(format));
    }
    let mut most = image::Limits::no_limits();
    most.max_image_width = Some(limits.side);
    most.max_image_height = Some(limits.side);
    most.max_alloc = Some(facts.memory() + BESIDE_PIXELS);
    decoder.set_limits(most).map_err(explain)?;
    // A broken tag or profile does not spoil the pixels: it is left out.
    let turn = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let profile = decoder
        .icc_profile()
        .ok()
        .flatten()
        .filter(|profile| is_rgb(profile));
    let image = DynamicImage::from_decoder(decoder).map_err(explain)?;
    let (width, height) = (image.width(), image.height());
    let rgb = if image.color().has_alpha() {
        on_white(&image.into_rgba8())
    } else {
        image.into_rgb8().into_raw()
    };
    Ok(Picture {
        width,
        height,
        rgb,
        profile,
        turn,
    })
}

fn reader(bytes: &[u8], format: Format) -> ImageReader<Cursor<&[u8]>> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format.image());
    // The header's are checked by us; but what a decoder unpacks before it, such as a colour profile, is bounded here.
    let mut limits = image::Limits::no_limits();
    limits.max_alloc = Some(BESIDE_PIXELS);
    reader.limits(limits);
    reader
}

fn facts(format: Format, decoder: &impl ImageDecoder) -> Facts {
    let (width, height) = decoder.dimensions();
    Facts {
        format,
        width,
        height,
        bytes_per_pixel: decoder.color_type().bytes_per_pixel(),
    }
}

/// Transparent parts on white, as a page would show them.
fn on_white(image: &image::RgbaImage) -> Vec<u8> {
    let mut rgb = Vec::with_capacity(image.as_raw().len() / 4 * 3);
    for pixel in image.pixels() {
        let [red, green, blue, alpha] = pixel.0.map(u32::from);
        for colour in [red, green, blue] {
            let mixed = (colour * alpha + 255 * (255 - alpha) + 127) / 255;
            rgb.push(u8::try_from(mixed).unwrap_or(u8::MAX));
        }
    }
    rgb
}

/// Whether an ICC profile describes RGB; one for grey or CMYK does not fit the decoded pixels.
fn is_rgb(profile: &[u8]) -> bool {
    profile.get(16..20) == Some(b"RGB ")
}

/// Runs a decoder; its panic is a damaged file.
fn guarded<T>(
    format: Format,
    decode: impl FnOnce() -> Result<T, PictureError>,
) -> Result<T, PictureError> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|_| {
        Err(PictureError::Damaged {
            format,
            reason: "the decoder could not cope with it".to_owned(),
        })
    })
}

fn explain(format: Format, error: &ImageError) -> PictureError {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    let mut reason = error.to_string();
    while let Some(cause) = source {
        if let Some(error) = cause.downcast_ref::<std::io::Error>()
            && error.kind() == ErrorKind::UnexpectedEof
        {
            return PictureError::Truncated(format);
        }
        reason = cause.to_string();
        source = cause.source();
    }
    let words = reason.to_lowercase();
    // Decoders that have no error kind for it say so in words.
    if [
        "unexpected eof",
        "end of file",
        "unexpected end",
        "fill whole buffer",
        "insufficient",
    ]
    .iter()
    .any(|sign| words.contains(sign))
    {
        return PictureError::Truncated(format);
    }
    PictureError::Damaged { format, reason }
}
