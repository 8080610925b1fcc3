//! XLSX, streamed cell by cell.

use std::{
    fs::File,
    io::{BufReader, Read, Seek},
};

use artel_catalog::columns::{Columns, MAX_COLUMNS};
use calamine::{DataRef, Reader, Xlsx, XlsxError};
use zip::ZipArchive;

use super::{Head, MAX_ROW, Row, Sink, TableError};

/// Sheet of the shop's category workbook that holds the products.
const TEMPLATE_SHEET: &str = "шаблон";

/// Row of the headers and first row of products in it, from 1; between them stand hints.
const TEMPLATE_ROWS: (u64, u64) = (2, 4);

/// The same in any other sheet.
const PLAIN_ROWS: (u64, u64) = (1, 2);

/// Most bytes of the parts that are held in memory: texts, styles, the directory of sheets.
const MAX_HELD: u64 = 192 << 20;

/// Most bytes of the sheets.
const MAX_SHEETS: u64 = 4 << 30;

/// Most bytes of a sheet between two cells.
const MAX_CELL: u64 = 2 << 20;

/// Most parts of a workbook.
const MAX_PARTS: usize = 10_000;

pub(super) fn read(
    file: File,
    mapping: &[(String, String)],
    sink: &mut dyn Sink,
) -> Result<(), TableError> {
    let mut file = BufReader::new(file);
    check(&mut file)?;
    file.rewind()?;
    let mut workbook = Xlsx::new(file).map_err(damaged)?;
    let names = workbook.sheet_names();
    let template = names
        .iter()
        .find(|name| name.trim().to_lowercase() == TEMPLATE_SHEET);
    let Some(sheet) = template.or_else(|| names.first()).cloned() else {
        return Err(TableError::Damaged("it has no sheet".to_owned()));
    };
    let (header_row, first_row) = if template.is_some() {
        TEMPLATE_ROWS
    } else {
        PLAIN_ROWS
    };
    let mut cells = workbook.worksheet_cells_reader(&sheet).map_err(damaged)?;
    let mut rows = Rows {
        row: Row::default(),
        size: 0,
        header_row,
        first_row,
        found: false,
        any: false,
        format: format!("xlsx, {sheet}"),
        mapping,
        sink,
    };
    while let Some(cell) = cells.next_cell().map_err(damaged)? {
        let (row, column) = cell.get_position();
        rows.cell(
            u64::from(row) + 1,
            usize::try_from(column).unwrap_or(usize::MAX),
            cell.get_value(),
        )?;
    }
    rows.flush()?;
    match (rows.found, rows.any) {
        (false, _) => Err(TableError::Empty),
        (true, false) => Err(TableError::NoProducts),
        (true, true) => Ok(()),
    }
}

fn damaged(reason: XlsxError) -> TableError {
    TableError::Damaged(reason.to_string())
}

/// Puts cells together to rows.
struct Rows<'s> {
    row: Row,
    size: usize,
    header_row: u64,
    first_row: u64,
    found: bool,
    any: bool,
    format: String,
    mapping: &'s [(String, String)],
    sink: &'s mut dyn Sink,
}

impl Rows<'_> {
    fn cell(&mut self, line: u64, column: usize, value: &DataRef<'_>) -> Result<(), TableError> {
        if line != self.row.line {
            self.flush()?;
            self.row.line = line;
        }
        let text = text(value);
        if column >= MAX_COLUMNS || text.is_empty() {
            return Ok(());
        }
        self.size += text.len();
        if self.size > MAX_ROW {
            return Err(TableError::LongRow { line });
        }
        if self.row.cells.len() <= column {
            self.row.cells.resize(column + 1, String::new());
        }
        if let Some(cell) = self.row.cells.get_mut(column) {
            *cell = text;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), TableError> {
        if !self.row.is_blank() {
            if self.row.line == self.header_row && !self.found {
                self.found = true;
                self.sink.head(Head {
                    columns: Columns::find(&self.row.cells, self.mapping)?,
                    width: None,
                    format: self.format.clone(),
                })?;
            } else if self.row.line >= self.first_row {
                if !self.found {
                    return Err(TableError::Damaged(format!(
                        "row {} should hold the headers and is empty",
                        self.header_row
                    )));
                }
                self.any = true;
                self.sink.row(&self.row)?;
            }
        }
        self.row.cells.clear();
        self.size = 0;
        Ok(())
    }
}

/// Largest number without a fraction that a 64-bit number holds exactly.
const EXACT: f64 = 9_007_199_254_740_992.0;

fn text(value: &DataRef<'_>) -> String {
    match value {
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
            text.clone()
        }
        DataRef::Int(number) => number.to_string(),
        // Codes and barcodes are often stored as numbers; they have no fraction and no exponent.
        DataRef::Float(number) if number.fract() == 0.0 && number.abs() < EXACT => {
            format!("{number:.0}")
        }
        DataRef::Float(number) => number.to_string(),
        DataRef::Bool(value) => value.to_string(),
        DataRef::DateTime(moment) => moment.as_f64().to_string(),
        DataRef::Error(_) | DataRef::Empty => String::new(),
    }
}

/// Unpacks the workbook once without keeping anything, so that a small file which unpacks to
/// something huge is refused before it takes memory. What a part claims of its size is not believed.
fn check(file: &mut (impl Read + Seek)) -> Result<(), TableError> {
    let broken = |reason: &dyn std::fmt::Display| TableError::Damaged(reason.to_string());
    let mut archive = ZipArchive::new(file).map_err(|reason| broken(&reason))?;
    if archive.len() > MAX_PARTS {
        return Err(broken(&format!("it has {} parts", archive.len())));
    }
    let (mut held, mut sheets) = (0, 0);
    for index in 0..archive.len() {
        let mut part = archive.by_index(index).map_err(|reason| broken(&reason))?;
        let name = part
            .name()
            .map_err(|reason| broken(&reason))?
            .to_lowercase()
            .replace('\\', "/");
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        if name.contains("worksheets/") && ending == "xml" {
            sheets += check_sheet(&mut part, MAX_SHEETS - sheets)?;
            continue;
        }
        let is_text = matches!(ending, "xml" | "rels");
        let limit = if is_text { MAX_HELD - held } else { MAX_HELD };
        let read = std::io::copy(&mut (&mut part).take(limit + 1), &mut std::io::sink());
        let read = read.map_err(|reason| broken(&reason))?;
        if read > limit {
            return Err(TableError::TooLarge {
                what: if is_text { "texts" } else { "a part" },
                limit_mib: MAX_HELD >> 20,
            });
        }
        if is_text {
            held += read;
        }
    }
    Ok(())
}

fn check_sheet(part: &mut impl Read, limit: u64) -> Result<u64, TableError> {
    let mut buffer = vec![0; 64 << 10];
    let mut total = 0;
    let mut gap = Gap::default();
    loop {
        let read = part
            .read(&mut buffer)
            .map_err(|reason| TableError::Damaged(reason.to_string()))?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else {
            return Ok(total);
        };
        total += bytes.len() as u64;
        if total > limit {
            return Err(TableError::TooLarge {
                what: "sheets",
                limit_mib: MAX_SHEETS >> 20,
            });
        }
        if !gap.pass(bytes) {
            return Err(TableError::TooLarge {
                what: "a cell",
                limit_mib: MAX_CELL >> 20,
            });
        }
    }
}

/// Measures how far apart the tags of cells and rows are; the rest of a sheet after its data is
/// not read later and may be as it likes.
#[derive(Default)]
struct Gap {
    since: u64,
    tag: Option<Vec<u8>>,
    over: bool,
}

impl Gap {
    /// Longest name of a tag that matters, with a prefix.
    const MAX_TAG: usize = 64;

    fn pass(&mut self, bytes: &[u8]) -> bool {
        for byte in bytes {
            if self.over {
                return true;
            }
            self.since += 1;
            if self.since > MAX_CELL {
                return false;
            }
            match (&mut self.tag, byte) {
                (_, b'<') => self.tag = Some(Vec::new()),
                (Some(tag), b'>' | b' ' | b'\t' | b'\r' | b'\n') => {
                    let name = tag.strip_prefix(b"/").unwrap_or(tag);
                    let name = name.strip_suffix(b"/").unwrap_or(name);
                    let local = name.rsplit(|byte| *byte == b':').next().unwrap_or(name);
                    if matches!(local, b"c" | b"row" | b"sheetData") {
                        self.since = 0;
                    }
                    self.over = local == b"sheetData" && tag.first() == Some(&b'/');
                    self.tag = None;
                }
                (Some(tag), byte) if tag.len() < Self::MAX_TAG => tag.push(*byte),
                (Some(_), _) => self.tag = None,
                (None, _) => {}
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_without_end_is_noticed() {
        let filler = "я".repeat(1 << 20);
        let sheet = |inside: &str| {
            format!("<worksheet><x:sheetData><x:row r=\"1\">{inside}</x:row></x:sheetData>")
        };
        assert!(Gap::default().pass(sheet("<c><v>1</v></c>").as_bytes()));
        assert!(!Gap::default().pass(sheet(&format!("<c><v>{filler}</v></c>")).as_bytes()));
        let runs = format!("<c><is>{}</is></c>", "<r><t>text</t></r>".repeat(200_000));
        assert!(!Gap::default().pass(sheet(&runs).as_bytes()));
        assert!(Gap::default().pass(sheet(&"<c><v>1</v></c>".repeat(200_000)).as_bytes()));
        let after = format!("{}<conditional>{filler}{filler}", sheet(""));
        assert!(Gap::default().pass(after.as_bytes()));
    }
}
