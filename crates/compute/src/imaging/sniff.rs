//! What a file is, by its first bytes.

use std::{fmt, path::Path};

use super::PictureError;

/// A picture format that is read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
    /// WebP; the first frame of an animation.
    WebP,
    /// TIFF; the first page.
    Tiff,
    /// GIF; the first frame.
    Gif,
    /// BMP.
    Bmp,
}

impl Format {
    pub(super) fn image(self) -> image::ImageFormat {
        match self {
            Self::Jpeg => image::ImageFormat::Jpeg,
            Self::Png => image::ImageFormat::Png,
            Self::WebP => image::ImageFormat::WebP,
            Self::Tiff => image::ImageFormat::Tiff,
            Self::Gif => image::ImageFormat::Gif,
            Self::Bmp => image::ImageFormat::Bmp,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::WebP => "WebP",
            Self::Tiff => "TIFF",
            Self::Gif => "GIF",
            Self::Bmp => "BMP",
        })
    }
}

/// Endings of names that promise a picture. Some cannot be read here: such a file fails with a
/// reason rather than being passed over.
const ENDINGS: &[&str] = &[
    "jpg", "jpeg", "jpe", "jfif", "png", "apng", "webp", "tif", "tiff", "gif", "bmp", "dib",
    "heic", "heif", "avif", "jxl",
];

/// Whether a file's name promises a picture.
pub fn is_picture_name(path: &Path) -> bool {
    path.extension()
        .and_then(|ending| ending.to_str())
        .is_some_and(|ending| {
            ENDINGS
                .iter()
                .any(|known| known.eq_ignore_ascii_case(ending))
        })
}

/// The format by content, or what the file is instead.
pub(super) fn sniff(bytes: &[u8]) -> Result<Format, PictureError> {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    let at = |from: usize, magic: &[u8]| {
        bytes
            .get(from..)
            .is_some_and(|rest| rest.starts_with(magic))
    };
    if bytes.is_empty() {
        return Err(PictureError::Empty);
    }
    if starts(b"\xff\xd8\xff") {
        return Ok(Format::Jpeg);
    }
    if starts(b"\x89PNG\r\n\x1a\n") {
        return Ok(Format::Png);
    }
    if starts(b"RIFF") && at(8, b"WEBP") {
        return Ok(Format::WebP);
    }
    if starts(b"II*\0") || starts(b"MM\0*") {
        return Ok(Format::Tiff);
    }
    if starts(b"GIF87a") || starts(b"GIF89a") {
        return Ok(Format::Gif);
    }
    if starts(b"BM") && bytes.len() >= 26 {
        return Ok(Format::Bmp);
    }
    if at(4, b"ftyp") {
        return Err(match bytes.get(8..12) {
            Some(b"heic" | b"heix" | b"hevc" | b"hevx" | b"heim" | b"heis" | b"mif1" | b"msf1") => {
                PictureError::Unsupported("HEIC")
            }
            Some(b"avif" | b"avis") => PictureError::Unsupported("AVIF"),
            _ => PictureError::NotAPicture("a video"),
        });
    }
    if starts(b"\xff\x0a") || at(4, b"JXL ") {
        return Err(PictureError::Unsupported("JPEG XL"));
    }
    if starts(b"8BPS") {
        return Err(PictureError::Unsupported("Photoshop"));
    }
    Err(PictureError::NotAPicture(if starts(b"%PDF") {
        "a PDF document"
    } else if starts(b"PK\x03\x04") {
        "an archive or an office document"
    } else if starts(b"MZ") || starts(b"\x7fELF") {
        "a program"
    } else if bytes.iter().take(64).all(|byte| *byte == 0) {
        "zeros: it was not written completely"
    } else if is_text(bytes) {
        "text"
    } else {
        "no format that is known here"
    }))
}

/// Whether the beginning reads as text in UTF-8, a cut last character allowed.
fn is_text(bytes: &[u8]) -> bool {
    let head = bytes.get(..bytes.len().min(512)).unwrap_or_default();
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            let good = head.get(..error.valid_up_to()).unwrap_or_default();
            std::str::from_utf8(good).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty()
        && text
            .chars()
            .all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t'))
}

/// Whether a JPEG reaches its end marker. Decoders fill what is missing with grey and say nothing.
pub(super) fn jpeg_is_whole(bytes: &[u8]) -> bool {
    let mut at = 2;
    loop {
        // Markers may be preceded by fill bytes.
        let Some(skip) = bytes
            .get(at..)
            .and_then(|rest| rest.iter().position(|byte| *byte == 0xff))
        else {
            return false;
        };
        at += skip + 1;
        let Some(marker) = bytes.get(at).copied() else {
            return false;
        };
        match marker {
            // The end.
            0xd9 => return true,
            // Fill bytes, a stuffed 255 in the data, and marks that restart it.
            0xff => {}
            0x00 | 0x01 | 0xd0..=0xd8 => at += 1,
            // A segment with a length; what it contains (such as a small picture) is passed over.
            _ => {
                let Some(&[high, low]) = bytes.get(at + 1..).and_then(|rest| rest.first_chunk())
                else {
                    return false;
                };
                at += 1 + usize::from(u16::from_be_bytes([high, low])).max(2);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_decides_and_says_what_it_is_instead() {
        let check = |bytes: &[u8], words: &str| {
            let error = sniff(bytes).unwrap_err();
            assert_eq!(error.of("фото 1.jpg"), format!("фото 1.jpg {words}"));
        };
        check(
            b"",
            "is empty: it may not have been copied to its end. Copy it again",
        );
        check(b"hello, world", "is not a picture: it begins with text");
        check("привет".as_bytes(), "is not a picture: it begins with text");
        check(
            b"%PDF-1.7",
            "is not a picture: it begins with a PDF document",
        );
        check(
            &[0; 100],
            "is not a picture: it begins with zeros: it was not written completely",
        );
        check(
            b"\0\0\0\x18ftypheic",
            "is a HEIC picture, which cannot be read here. Convert it to JPEG or PNG first",
        );
        check(
            &[1, 2, 3, 200],
            "is not a picture: it begins with no format that is known here",
        );
        assert_eq!(sniff(b"GIF89a"), Ok(Format::Gif));
    }

    #[test]
    fn names_promise_pictures_whatever_their_case() {
        for (name, expected) in [
            ("a.JPG", true),
            ("папка/Фото 1.jpeg", true),
            ("a.heic", true),
            ("a.txt", false),
            ("jpg", false),
            (".jpg", false),
        ] {
            assert_eq!(is_picture_name(Path::new(name)), expected, "{name}");
        }
    }
}
