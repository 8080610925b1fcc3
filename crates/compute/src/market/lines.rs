//! Lines of a text file, in bounded memory.

use std::io::{BufRead, BufReader, Read};

use super::error::MarketError;

/// Longest line that is read, in bytes. A row of prices has about a hundred.
pub(super) const LINE_LIMIT: usize = 64 * 1024;

/// Reads lines into one buffer and hashes the file on the way.
pub(super) struct Lines<R> {
    input: BufReader<Hashing<R>>,
    buffer: Vec<u8>,
    number: u64,
}

/// Passes bytes through and hashes them.
struct Hashing<R> {
    input: R,
    hasher: blake3::Hasher,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.hasher.update(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }
}

impl<R: Read> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        let input = Hashing {
            input,
            hasher: blake3::Hasher::new(),
        };
        Self {
            input: BufReader::with_capacity(LINE_LIMIT, input),
            buffer: Vec::new(),
            number: 0,
        }
    }

    /// The next line that is not blank, with its number from 1; without line end, byte order
    /// mark and surrounding spaces.
    pub(super) fn next(&mut self) -> Result<Option<(u64, &str)>, MarketError> {
        loop {
            self.buffer.clear();
            // One byte more than allowed tells a line of exactly the limit from a longer one.
            let mut limited = self.input.by_ref().take(LINE_LIMIT as u64 + 1);
            if limited.read_until(b'\n', &mut self.buffer)? == 0 {
                return Ok(None);
            }
            self.number += 1;
            let line = self.number;
            if line == 1
                && (self.buffer.starts_with(&[0xFF, 0xFE])
                    || self.buffer.starts_with(&[0xFE, 0xFF]))
            {
                return Err(MarketError::Utf16);
            }
            if self.buffer.contains(&0) {
                return Err(MarketError::Binary { line });
            }
            if self.buffer.len() > LINE_LIMIT && !self.buffer.ends_with(b"\n") {
                let limit = LINE_LIMIT;
                return Err(MarketError::LineTooLong { line, limit });
            }
            if !self.buffer.trim_ascii().is_empty() {
                break;
            }
        }
        let line = self.number;
        let text = std::str::from_utf8(&self.buffer).map_err(|_| MarketError::NotUtf8 { line })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        // Tabs and commas at the ends are empty fields, so only line ends and spaces go.
        Ok(Some((line, text.trim_matches(['\r', '\n', ' ']))))
    }

    /// BLAKE3 of all bytes; complete once [`Self::next`] has returned `None`.
    pub(super) fn hash(&self) -> blake3::Hash {
        self.input.get_ref().hasher.finalize()
    }
}

/// Cuts a line into fields. Quotes around a field are taken off; a separator inside them does
/// not cut.
pub(super) fn split(line: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let text = rest?;
        let quoted = text.trim_start_matches(' ').strip_prefix('"');
        if let Some((inside, after)) = quoted.and_then(|text| text.split_once('"')) {
            rest = after.split_once(separator).map(|(_, rest)| rest);
            return Some(inside.trim());
        }
        let (field, after) = match text.split_once(separator) {
            Some((field, after)) => (field, Some(after)),
            None => (text, None),
        };
        rest = after;
        Some(field.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_cut_at_separators_outside_quotes() {
        #[track_caller]
        fn check(line: &str, separator: char, expected: &[&str]) {
            assert_eq!(split(line, separator).collect::<Vec<_>>(), expected);
        }
        check("a,b,c", ',', &["a", "b", "c"]);
        check(",b,", ',', &["", "b", ""]);
        check("a\tb\t", '\t', &["a", "b", ""]);
        check(r#""1,5"; "x" ;y"#, ';', &["1,5", "x", "y"]);
        check(r#""1,234.5",2"#, ',', &["1,234.5", "2"]);
        check(r#""open,2"#, ',', &["\"open", "2"]);
        check("", ',', &[""]);
    }
}
