//! What can be wrong with a price file.

use super::layout::Field;

/// Why a price file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum MarketError {
    /// No bytes, or nothing but blank lines.
    #[error("the file is empty")]
    Empty,
    /// A header without rows.
    #[error("there is a header but no row below it")]
    NoRows,
    /// A zero byte: not text.
    #[error("line {line}: this is not a text file (it holds a zero byte)")]
    Binary {
        /// Line, from 1.
        line: u64,
    },
    /// Text in two-byte characters.
    #[error("this is UTF-16 text, not UTF-8")]
    Utf16,
    /// Bytes that are not UTF-8.
    #[error("line {line}: this is not UTF-8 text")]
    NotUtf8 {
        /// Line, from 1.
        line: u64,
    },
    /// A line no price file has.
    #[error("line {line} is longer than {limit} bytes")]
    LineTooLong {
        /// Line, from 1.
        line: u64,
        /// Longest line that is read.
        limit: usize,
    },
    /// A column is neither recognised nor named.
    #[error("line {line}: there is no column for {field} among {found}")]
    NoColumn {
        /// Line of the header, from 1.
        line: u64,
        /// What is missing.
        field: Field,
        /// The columns there are.
        found: String,
    },
    /// The caller named a column that is not there.
    #[error("line {line}: there is no column \"{name}\" among {found}")]
    NoSuchColumn {
        /// Line of the header, from 1.
        line: u64,
        /// The name that was given.
        name: String,
        /// The columns there are.
        found: String,
    },
    /// The interval cannot be told from the times.
    #[error("the interval cannot be told from {bars} bars")]
    NoInterval {
        /// How many usable bars there are.
        bars: u64,
    },
    /// Reading failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Why [`read`](super::read) stopped: the file, or whoever took the bars.
#[derive(Debug, thiserror::Error)]
pub enum ReadError<E> {
    /// The file.
    #[error(transparent)]
    File(#[from] MarketError),
    /// The sink.
    #[error("{0}")]
    Sink(E),
}

impl<E> From<std::io::Error> for ReadError<E> {
    fn from(reason: std::io::Error) -> Self {
        Self::File(reason.into())
    }
}

/// A row that cannot be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowProblem {
    /// Line in the file, from 1.
    pub line: u64,
    /// What is wrong, in the file's own figures.
    pub reason: String,
}
