//! Indicator columns on their way to CSV rows.
//!
//! Functions are computed a column at a time and written a row at a time. Columns are held in
//! memory up to [`HELD_MOST`]; beyond it they wait in a nameless scratch file beside the output,
//! so that memory does not grow with the length of a series.

use std::{
    borrow::Cow,
    fmt::Write as _,
    fs::File,
    io::{self, BufWriter, Read, Seek, SeekFrom, Write},
    ops::Range,
    path::{Path, PathBuf},
};

use artel_compute::indicators::{Output, Values};
use artel_store::market::RunFile;

use crate::files::{self, Unfinished};

/// Memory for columns, in bytes.
const HELD_MOST: usize = 256 << 20;

/// Rows written at a time.
const BLOCK: usize = 4096;

/// Bytes of a value.
const VALUE: usize = 8;

/// How a file that we wrote begins; only such a file is ever replaced.
const OPENING: &str = "symbol,time,";

/// The columns of one series.
pub(super) struct Columns {
    scratch_in: PathBuf,
    all: Vec<Column>,
    held: usize,
    scratch: Option<File>,
}

enum Column {
    Held(Output),
    /// In the scratch file from this byte on.
    Spilled {
        first: usize,
        len: usize,
        whole: bool,
        at: u64,
    },
}

impl Columns {
    /// No columns yet; scratch goes to this folder if it is needed.
    pub(super) fn new(scratch_in: &Path) -> Self {
        Self {
            scratch_in: scratch_in.to_owned(),
            all: Vec::new(),
            held: 0,
            scratch: None,
        }
    }

    /// Adds a column.
    pub(super) fn push(&mut self, output: Output) -> io::Result<()> {
        let bytes = output.defined().len() * VALUE;
        let column = if self.held + bytes <= HELD_MOST {
            self.held += bytes;
            Column::Held(output)
        } else {
            self.spill(&output)?
        };
        self.all.push(column);
        Ok(())
    }

    fn spill(&mut self, output: &Output) -> io::Result<Column> {
        let file = match &mut self.scratch {
            Some(file) => file,
            none => none.insert(tempfile::tempfile_in(&self.scratch_in)?),
        };
        let at = file.seek(SeekFrom::End(0))?;
        let mut out = BufWriter::new(file);
        for value in output.defined().filter_map(|bar| output.at(bar)) {
            out.write_all(&value.to_le_bytes())?;
        }
        out.flush()?;
        Ok(Column::Spilled {
            first: output.first,
            len: output.defined().len(),
            whole: matches!(output.values, Values::Integer(_)),
            at,
        })
    }

    /// The columns over a stretch of bars.
    fn over(&mut self, bars: &Range<usize>) -> io::Result<Vec<Cow<'_, Output>>> {
        let Self { all, scratch, .. } = self;
        let mut part = |column: &Column| match (column, scratch.as_mut()) {
            (
                Column::Spilled {
                    first,
                    len,
                    whole,
                    at,
                },
                Some(file),
            ) => {
                let from = bars.start.clamp(*first, first + len);
                let to = bars.end.clamp(from, first + len);
                let mut bytes = vec![0; (to - from) * VALUE];
                file.seek(SeekFrom::Start(at + ((from - first) * VALUE) as u64))?;
                file.read_exact(&mut bytes)?;
                let (values, _) = bytes.as_chunks::<VALUE>();
                let values = values.iter().map(|bytes| f64::from_le_bytes(*bytes));
                let values = if *whole {
                    Values::Integer(values.map(to_integer).collect())
                } else {
                    Values::Real(values.collect())
                };
                Ok(Some(Output {
                    first: from,
                    values,
                }))
            }
            _ => Ok(None),
        };
        let read: Vec<Option<Output>> = all.iter().map(&mut part).collect::<io::Result<_>>()?;
        let joined = all
            .iter()
            .zip(read)
            .filter_map(|(column, read)| match (column, read) {
                (_, Some(read)) => Some(Cow::Owned(read)),
                (Column::Held(output), None) => Some(Cow::Borrowed(output)),
                (Column::Spilled { .. }, None) => None,
            });
        Ok(joined.collect())
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "it was an i32 when it was spilled"
)]
fn to_integer(value: f64) -> i32 {
    value as i32
}

/// A CSV file being written beside its final name.
pub(super) struct Csv {
    path: PathBuf,
    out: BufWriter<Counted>,
}

/// A temporary file, its hash and its size.
struct Counted {
    file: Unfinished,
    hasher: blake3::Hasher,
    size: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hasher.update(bytes.get(..count).unwrap_or_default());
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Whether a file may be put at `path`: nothing is there, or an indicator file of ours.
pub(super) fn may_replace(path: &Path) -> io::Result<bool> {
    files::may_replace(path, OPENING.as_bytes())
}

impl Csv {
    /// Begins a file with these columns behind `symbol` and `time`.
    pub(super) fn create(path: PathBuf, columns: &[String]) -> io::Result<Self> {
        let counted = Counted {
            file: Unfinished::begin(&path)?,
            hasher: blake3::Hasher::new(),
            size: 0,
        };
        let mut out = BufWriter::with_capacity(1 << 16, counted);
        writeln!(out, "{OPENING}{}", columns.join(","))?;
        Ok(Self { path, out })
    }

    /// Writes the rows of one series.
    pub(super) fn rows(
        &mut self,
        symbol: &str,
        times: &[i64],
        columns: &mut Columns,
    ) -> io::Result<()> {
        let symbol = quoted(symbol);
        let mut line = String::new();
        for (block, times) in times.chunks(BLOCK).enumerate() {
            let start = block * BLOCK;
            let part = columns.over(&(start..start + times.len()))?;
            for (bar, time) in (start..).zip(times) {
                line.clear();
                line.push_str(&symbol);
                line.push(',');
                line.push_str(&stamp(*time));
                for output in &part {
                    line.push(',');
                    push_value(&mut line, output, bar);
                }
                line.push('\n');
                self.out.write_all(line.as_bytes())?;
            }
        }
        Ok(())
    }

    /// Makes it durable and gives it its name.
    pub(super) fn finish(self) -> io::Result<RunFile> {
        let counted = self
            .out
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        counted.file.finish()?;
        Ok(RunFile {
            path: self.path.to_string_lossy().into_owned(),
            size: counted.size,
            hash: *counted.hasher.finalize().as_bytes(),
        })
    }
}

/// RFC 3339 in UTC.
fn stamp(time: i64) -> Cow<'static, str> {
    match jiff::Timestamp::from_millisecond(time) {
        Ok(stamp) => stamp.to_string().into(),
        Err(_) => "".into(),
    }
}

/// A symbol as a CSV field.
fn quoted(text: &str) -> Cow<'_, str> {
    if text.contains(['"', ',']) {
        format!("\"{}\"", text.replace('"', "\"\"")).into()
    } else {
        text.into()
    }
}

/// The shortest text that reads back as the same number; nothing where undefined.
fn push_value(line: &mut String, output: &Output, bar: usize) {
    let Some(index) = bar.checked_sub(output.first) else {
        return;
    };
    // Writing to a String cannot fail.
    let _ = match &output.values {
        Values::Integer(values) => values
            .get(index)
            .map_or(Ok(()), |value| write!(line, "{value}")),
        Values::Real(values) => values.get(index).map_or(Ok(()), |value| {
            let plain = *value == 0.0 || (1e-5..1e16).contains(&value.abs()) || !value.is_finite();
            if plain {
                write!(line, "{value}")
            } else {
                write!(line, "{value:e}")
            }
        }),
    };
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_value_reads_back_to_the_last_bit(bits in any::<u64>(), first in 0_usize..3) {
            let value = f64::from_bits(bits);
            let output = Output { first, values: Values::Real(vec![value]) };
            let mut line = String::new();
            push_value(&mut line, &output, first);
            let back: f64 = line.parse().unwrap();
            prop_assert!(back.to_bits() == bits || back.is_nan() && value.is_nan());
            line.clear();
            push_value(&mut line, &output, first + 1);
            prop_assert_eq!(line, "");
        }
    }

    #[test]
    fn spilled_columns_read_as_held_ones() {
        let folder = tempfile::tempdir().unwrap();
        let outputs = [
            Output {
                first: 3,
                values: Values::Real((0..9000).map(|n| f64::from(n) / 7.0).collect()),
            },
            Output {
                first: 0,
                values: Values::Integer((0..9003).map(|n| n - 50).collect()),
            },
            Output {
                first: 0,
                values: Values::Real(Vec::new()),
            },
        ];
        let times: Vec<i64> = (0..9003).map(|n| n * 1000).collect();
        let write = |held: bool| {
            let mut columns = Columns::new(folder.path());
            if !held {
                columns.held = HELD_MOST;
            }
            for output in &outputs {
                columns.push(output.clone()).unwrap();
            }
            assert_eq!(columns.scratch.is_none(), held);
            let path = folder.path().join("Имя с пробелом.csv");
            let names = ["A", "B", "C"].map(str::to_owned);
            let mut csv = Csv::create(path.clone(), &names).unwrap();
            csv.rows("A \"B\"", &times, &mut columns).unwrap();
            let file = csv.finish().unwrap();
            let text = std::fs::read(path).unwrap();
            assert_eq!(file.size, text.len() as u64);
            assert_eq!(file.hash, *blake3::hash(&text).as_bytes());
            String::from_utf8(text).unwrap()
        };
        let held = write(true);
        assert!(
            held.starts_with("symbol,time,A,B,C\n\"A \"\"B\"\"\",1970-01-01T00:00:00Z,,-50,\n")
        );
        assert_eq!(held, write(false));
        // Nothing is left but the file itself.
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn only_our_own_files_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prices.csv");
        assert!(may_replace(&path).unwrap());
        std::fs::write(&path, "time,open,high\n").unwrap();
        assert!(!may_replace(&path).unwrap());
        std::fs::write(&path, "symbol,time,RSI_14\n").unwrap();
        assert!(may_replace(&path).unwrap());
    }
}
