//! Which letters a text file is written in.

use std::{
    fs::File,
    io::{self, Read},
    ops::Range,
};

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8, WINDOWS_1251};

/// How a file is written, or why that cannot be said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Detected {
    /// In this encoding.
    Text(&'static Encoding),
    /// In none, since this line is wrong in all.
    Unknown {
        /// The line, from 1.
        line: u64,
    },
    /// It is no text.
    Binary,
}

const BUFFER: usize = 64 << 10;

/// Reads the whole file once. Without a mark of its encoding it is UTF-8 if all of it is, and
/// Windows-1251 if nearly all other bytes are Cyrillic letters there.
pub(super) fn detect(file: &mut File) -> io::Result<Detected> {
    let mut buffer = vec![0; BUFFER];
    let mut kept = 0;
    let mut first = true;
    let mut tally = Tally::default();
    loop {
        let free = buffer.get_mut(kept..).unwrap_or_default();
        let read = file.read(free)?;
        let filled = buffer.get(..kept + read).unwrap_or_default();
        if first {
            if let Some((encoding, _)) = Encoding::for_bom(filled) {
                return Ok(Detected::Text(encoding));
            }
            first = false;
        }
        if filled.contains(&0) {
            return Ok(Detected::Binary);
        }
        let valid = Encoding::utf8_valid_up_to(filled);
        let rest = filled.len() - valid;
        // Up to three bytes may be the beginning of a letter that goes on in the next stretch.
        let cut = read > 0 && rest < 4;
        let take = if cut { valid } else { filled.len() };
        tally.add(filled.get(..take).unwrap_or_default(), valid);
        if read == 0 {
            return Ok(tally.verdict());
        }
        buffer.copy_within(take..kept + read, 0);
        kept = kept + read - take;
    }
}

#[derive(Default)]
struct Tally {
    lines: u64,
    wrong: Option<u64>,
    high: u64,
    cyrillic: u64,
}

impl Tally {
    fn add(&mut self, bytes: &[u8], valid: usize) {
        if valid < bytes.len() && self.wrong.is_none() {
            let before = bytes.get(..valid).unwrap_or_default();
            self.wrong = Some(self.lines + lines(before) + 1);
        }
        self.lines += lines(bytes);
        for byte in bytes.iter().filter(|byte| !byte.is_ascii()) {
            self.high += 1;
            // А to я, Ё, ё, and the letters of Ukrainian.
            self.cyrillic += u64::from(matches!(
                byte,
                0xC0..|0xA8| 0xB8 | 0xA5 | 0xB4 | 0xAA | 0xBA | 0xAF | 0xBF | 0xB2 | 0xB3
            ));
        }
    }

    fn verdict(&self) -> Detected {
        match self.wrong {
            None => Detected::Text(UTF_8),
            Some(_) if self.cyrillic * 10 >= self.high * 9 => Detected::Text(WINDOWS_1251),
            Some(line) => Detected::Unknown { line },
        }
    }
}

fn lines(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

/// Reads a file as UTF-8, whatever it is written in, without a byte-order mark.
pub(super) struct Decoded<R> {
    inner: R,
    decoder: Decoder,
    raw: Vec<u8>,
    /// The part of `raw` that is not decoded yet.
    undecoded: Range<usize>,
    text: Vec<u8>,
    /// The part of `text` that is not read yet.
    unread: Range<usize>,
    ended: bool,
    done: bool,
}

impl<R: Read> Decoded<R> {
    pub(super) fn new(inner: R, encoding: &'static Encoding) -> Self {
        Self {
            inner,
            decoder: encoding.new_decoder_with_bom_removal(),
            raw: vec![0; BUFFER],
            undecoded: 0..0,
            text: vec![0; BUFFER],
            unread: 0..0,
            ended: false,
            done: false,
        }
    }

    fn decode(&mut self) -> io::Result<()> {
        while self.unread.is_empty() && !self.done {
            if self.undecoded.is_empty() && !self.ended {
                let read = self.inner.read(&mut self.raw)?;
                self.undecoded = 0..read;
                self.ended = read == 0;
            }
            let input = self.raw.get(self.undecoded.clone()).unwrap_or_default();
            let (result, read, written, _) =
                self.decoder
                    .decode_to_utf8(input, &mut self.text, self.ended);
            self.undecoded.start += read;
            self.unread = 0..written;
            self.done = self.ended && result == CoderResult::InputEmpty;
        }
        Ok(())
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.decode()?;
        let mut text = self.text.get(self.unread.clone()).unwrap_or_default();
        let read = text.read(out)?;
        self.unread.start += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, Write};

    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: Detected) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        assert_eq!(detect(&mut file).unwrap(), expected);
    }

    #[test]
    fn encodings() {
        check(b"", Detected::Text(UTF_8));
        check("Артикул;Цвет".as_bytes(), Detected::Text(UTF_8));
        check(b"\xEF\xBB\xBFa", Detected::Text(UTF_8));
        check(b"\xFF\xFEa\0", Detected::Text(encoding_rs::UTF_16LE));
        check(
            &WINDOWS_1251.encode("Артикул;Цвет\nёЁїЇґ").0,
            Detected::Text(WINDOWS_1251),
        );
        check(b"a\nb\n\x80\x81\xFE\n", Detected::Unknown { line: 3 });
        check(b"a\0b", Detected::Binary);
        // A letter on the border of two stretches, and one that is cut off at the end.
        let mut long = "a".repeat(BUFFER - 1);
        long.push_str("яя");
        check(long.as_bytes(), Detected::Text(UTF_8));
        check(b"ok\n\x81\xD0", Detected::Unknown { line: 2 });
    }

    #[test]
    fn decoding_goes_on_over_borders() {
        let text = "Артикул ".repeat(20_000);
        for (encoding, bytes) in [
            (UTF_8, [b"\xEF\xBB\xBF", text.as_bytes()].concat()),
            (WINDOWS_1251, WINDOWS_1251.encode(&text).0.into_owned()),
            (
                encoding_rs::UTF_16LE,
                text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            ),
        ] {
            let mut read = String::new();
            Decoded::new(bytes.as_slice(), encoding)
                .read_to_string(&mut read)
                .unwrap();
            assert!(read == text, "{}", encoding.name());
        }
    }
}
