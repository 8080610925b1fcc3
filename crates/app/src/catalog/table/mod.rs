//! Tables read row by row: CSV in any common encoding, and XLSX.
//!
//! Nothing here holds more than a row; what a file can make it hold is limited.

mod csv;
mod encoding;
mod xlsx;

use std::{
    io::{self, Read, Seek},
    path::Path,
};

use artel_catalog::columns::{Columns, HeaderError, RowError};
use artel_store::StoreError;

use crate::{
    error::{AppError, Code},
    files,
};

/// Most bytes of one row.
const MAX_ROW: usize = 4 << 20;

/// Why a file was refused, or its reading broken off.
#[derive(Debug, thiserror::Error)]
pub(super) enum TableError {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It has no row at all.
    #[error("the file is empty; it needs a row of headers and a row a product")]
    Empty,
    /// It has headers and nothing below.
    #[error("there are headers but no product below them; it needs a row a product")]
    NoProducts,
    /// It is something else.
    #[error("this is {0}, not a product table; save it as CSV or XLSX")]
    NotATable(&'static str),
    /// Its letters cannot be read.
    #[error(
        "line {line} is neither UTF-8 nor Windows-1251; save the file as UTF-8 and import it again"
    )]
    Encoding {
        /// The line.
        line: u64,
    },
    /// A row is too long to be one.
    #[error(
        "line {line}: the row is longer than {} MiB; look for a quotation mark there that is not closed",
        MAX_ROW >> 20
    )]
    LongRow {
        /// Where the row begins.
        line: u64,
    },
    /// A quotation mark was opened and never closed.
    #[error(
        "the quotation mark that opens a cell in line {line} is not closed; close it, or write it twice where it is meant"
    )]
    OpenQuote {
        /// Where it is.
        line: u64,
    },
    /// It would take too much memory.
    #[error(
        "the workbook holds {what} of more than {limit_mib} MiB; save the sheet as CSV and import that"
    )]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The limit.
        limit_mib: u64,
    },
    /// A workbook is damaged.
    #[error("the workbook is damaged: {0}; open it in a spreadsheet and save it again")]
    Damaged(String),
    /// The headers cannot be used.
    #[error("{0}")]
    Header(#[from] HeaderError),
    /// The products cannot be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl TableError {
    /// Names the file, the reason and the way out.
    pub(super) fn told_of(self, path: &Path) -> AppError {
        let error = match self {
            Self::Io(reason) => return files::unread(path, &reason),
            Self::Store(reason) => return reason.into(),
            Self::Header(reason) => AppError::new(
                Code::BadInput,
                reason.to_string(),
                "Name the columns with --map FIELD=HEADER, such as --map vendor_code=Код",
            ),
            other => AppError::of(Code::BadInput, &other, "Save it as CSV and import that."),
        };
        AppError {
            message: format!("{}: {}", path.display(), error.message),
            ..error
        }
        .param("path", path.display())
    }
}

/// What was recognised in a file before its first product.
pub(super) struct Head {
    /// Its columns.
    pub(super) columns: Columns,
    /// How many cells a row must have, where that is known.
    pub(super) width: Option<usize>,
    /// `csv` with its encoding, or `xlsx` with its sheet.
    pub(super) format: String,
}

impl Head {
    /// Makes a product of a row, or says why not.
    pub(super) fn product(&self, row: &Row) -> Result<artel_catalog::Product, BadRow> {
        match self.width {
            Some(width) if width != row.cells.len() => Err(BadRow::Width {
                cells: row.cells.len(),
                headers: width,
            }),
            _ => Ok(self.columns.product(&row.cells)?),
        }
    }
}

/// Why a row is left out.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadRow {
    /// Cells and headers do not match.
    #[error("there are {cells} cells under {headers} headers")]
    Width {
        /// Cells of the row.
        cells: usize,
        /// Headers.
        headers: usize,
    },
    /// A value is wrong.
    #[error(transparent)]
    Value(#[from] RowError),
}

/// One row.
#[derive(Debug, Default)]
pub(super) struct Row {
    /// Line of the file or row of the sheet, from 1.
    pub(super) line: u64,
    /// The cells.
    pub(super) cells: Vec<String>,
}

impl Row {
    fn is_blank(&self) -> bool {
        self.cells.iter().all(|cell| cell.trim().is_empty())
    }
}

/// Takes what a file holds.
pub(super) trait Sink {
    /// The headers were understood.
    fn head(&mut self, head: Head) -> Result<(), TableError>;
    /// One row below them, not blank.
    fn row(&mut self, row: &Row) -> Result<(), TableError>;
}

/// Reads a file to its end. `mapping` is of (field, header).
pub(super) fn read(
    path: &Path,
    mapping: &[(String, String)],
    sink: &mut dyn Sink,
) -> Result<(), TableError> {
    let mut file = files::open(path)?;
    let mut magic = Vec::new();
    file.by_ref()
        .take(8)
        .read_to_end(&mut magic)
        .and_then(|_| file.rewind())?;
    match magic.as_slice() {
        [] => Err(TableError::Empty),
        [b'P', b'K', 3 | 5, 4 | 6, ..] => xlsx::read(file, mapping, sink),
        [0xD0, 0xCF, 0x11, 0xE0, ..] => {
            Err(TableError::NotATable("an old or a locked Excel workbook"))
        }
        [b'%', b'P', b'D', b'F', ..] => Err(TableError::NotATable("a PDF")),
        [0xFF, 0xD8, 0xFF, ..] | [0x89, b'P', b'N', b'G', ..] => {
            Err(TableError::NotATable("a picture"))
        }
        _ => csv::read(file, mapping, sink),
    }
}
