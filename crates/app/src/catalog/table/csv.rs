//! CSV with comma, semicolon or tab.

use std::{
    cell::{Cell, RefCell},
    fs::File,
    io::{self, Read, Seek},
    rc::Rc,
};

use artel_catalog::columns::Columns;
use encoding_rs::Encoding;

use super::{
    Head, MAX_ROW, Row, Sink, TableError,
    encoding::{Decoded, Detected, detect},
};

const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

pub(super) fn read(
    mut file: File,
    mapping: &[(String, String)],
    sink: &mut dyn Sink,
) -> Result<(), TableError> {
    let encoding = match detect(&mut file)? {
        Detected::Text(encoding) => encoding,
        Detected::Unknown { line } => return Err(TableError::Encoding { line }),
        Detected::Binary => return Err(TableError::NotATable("no text")),
    };
    let mut best: Option<(usize, u8)> = None;
    let mut found = None;
    for delimiter in DELIMITERS {
        file.rewind()?;
        let Some(headers) = Records::new(&file, encoding, delimiter).next()? else {
            return Err(TableError::Empty);
        };
        let recognised =
            Columns::find(&headers.cells, mapping).map_or(0, |columns| columns.found().count());
        let rank = (recognised << 16) + headers.cells.len();
        if best.is_none_or(|(other, _)| rank > other) {
            best = Some((rank, delimiter));
            found = Some(headers);
        }
    }
    let (Some((_, delimiter)), Some(headers)) = (best, found) else {
        return Err(TableError::Empty);
    };
    sink.head(Head {
        columns: Columns::find(&headers.cells, mapping)?,
        width: Some(headers.cells.len()),
        format: format!("csv, {}", encoding.name()),
    })?;
    file.rewind()?;
    let mut records = Records::new(&file, encoding, delimiter);
    records.next()?;
    let mut any = false;
    while let Some(row) = records.next()? {
        any = true;
        sink.row(&row)?;
    }
    if any {
        Ok(())
    } else {
        Err(TableError::NoProducts)
    }
}

/// The records of a file that are not blank.
struct Records<'f> {
    reader: csv::Reader<Limited<Decoded<&'f File>>>,
    left: Rc<Cell<usize>>,
    quotes: Rc<RefCell<Quotes>>,
    record: csv::StringRecord,
}

impl<'f> Records<'f> {
    fn new(file: &'f File, encoding: &'static Encoding, delimiter: u8) -> Self {
        let left = Rc::new(Cell::new(MAX_ROW));
        let quotes = Rc::new(RefCell::new(Quotes::new(delimiter)));
        let limited = Limited {
            inner: Decoded::new(file, encoding),
            left: Rc::clone(&left),
            quotes: Rc::clone(&quotes),
        };
        let reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(limited);
        Self {
            reader,
            left,
            quotes,
            record: csv::StringRecord::new(),
        }
    }

    fn next(&mut self) -> Result<Option<Row>, TableError> {
        loop {
            self.left.set(MAX_ROW);
            let line = self.reader.position().line();
            let more = self.reader.read_record(&mut self.record);
            if !more.map_err(|error| failure(line, error))? {
                return match self.quotes.borrow().open() {
                    Some(line) => Err(TableError::OpenQuote { line }),
                    None => Ok(None),
                };
            }
            let row = Row {
                line: self.record.position().map_or(line, csv::Position::line),
                cells: self.record.iter().map(str::to_owned).collect(),
            };
            if !row.is_blank() {
                return Ok(Some(row));
            }
        }
    }
}

fn failure(line: u64, error: csv::Error) -> TableError {
    match error.into_kind() {
        csv::ErrorKind::Io(reason) if reason.kind() == io::ErrorKind::FileTooLarge => {
            TableError::LongRow { line }
        }
        csv::ErrorKind::Io(reason) => TableError::Io(reason),
        // The decoder gives nothing but UTF-8, and rows of any width are taken.
        _ => TableError::Encoding { line },
    }
}

/// Ends the reading of a record that does not end by itself.
struct Limited<R> {
    inner: R,
    left: Rc<Cell<usize>>,
    quotes: Rc<RefCell<Quotes>>,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.left.get() == 0 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let read = self.inner.read(out)?;
        self.left.set(self.left.get().saturating_sub(read));
        let mut quotes = self.quotes.borrow_mut();
        out.iter().take(read).for_each(|byte| quotes.pass(*byte));
        Ok(read)
    }
}

/// Follows the quotation marks, for the parser takes the end of a file for the end of a cell that was never closed.
struct Quotes {
    delimiter: u8,
    line: u64,
    /// Where the last quoted cell began.
    opened: u64,
    at: At,
}

#[derive(PartialEq, Eq)]
enum At {
    CellStart,
    Plain,
    Quoted,
    /// After a mark in a quoted cell: its end, or the first of two.
    Mark,
}

impl Quotes {
    fn new(delimiter: u8) -> Self {
        Self {
            delimiter,
            line: 1,
            opened: 0,
            at: At::CellStart,
        }
    }

    fn pass(&mut self, byte: u8) {
        if byte == b'\n' {
            self.line += 1;
        }
        let ends_cell = byte == self.delimiter || matches!(byte, b'\n' | b'\r');
        self.at = match (&self.at, byte) {
            (At::CellStart, b'"') => {
                self.opened = self.line;
                At::Quoted
            }
            (At::Quoted, b'"') => At::Mark,
            (At::Mark, b'"') | (At::Quoted, _) => At::Quoted,
            _ if ends_cell => At::CellStart,
            _ => At::Plain,
        };
    }

    /// The line of a mark that is open.
    fn open(&self) -> Option<u64> {
        (self.at == At::Quoted).then_some(self.opened)
    }
}
