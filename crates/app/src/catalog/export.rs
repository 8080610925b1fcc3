//! Documents out to a file, and their check.

use std::{
    io::{self, BufWriter, Write},
    path::Path,
    sync::Arc,
};

use artel_catalog::{
    normal,
    rich::{Severity, lint},
};
use artel_store::{Store, catalog as rows};
use serde::Serialize;

use super::handlers::unknown_brand;
use crate::{
    api::catalog as api,
    error::{AppError, Code},
    files::{self, Unfinished},
};

/// Documents read at a time.
const CHUNK: u32 = 256;

/// Faults and warnings that are listed.
const LISTED: usize = 100;

/// Calls `each` with every document in the order of vendor codes, at most `limit`.
fn documents(
    store: &Store,
    brand: Option<&str>,
    all: bool,
    limit: Option<u64>,
    mut each: impl FnMut(&rows::Document) -> Result<(), AppError>,
) -> Result<u64, AppError> {
    let brand = brand.map(normal::key);
    let limit = limit.unwrap_or(u64::MAX);
    let mut count = 0;
    let mut after: Option<String> = None;
    while count < limit {
        let size = u32::try_from(limit - count).unwrap_or(CHUNK).min(CHUNK);
        let chunk = store.read(|connection| {
            rows::documents_after(connection, after.as_deref(), brand.as_deref(), all, size)
        })?;
        let Some(last) = chunk.last() else { break };
        after = Some(last.vendor_code.clone());
        for document in &chunk {
            each(document)?;
            count += 1;
        }
    }
    Ok(count)
}

#[derive(Serialize)]
struct Line<'a> {
    vendor_code: &'a str,
    sku: &'a str,
    rich_content_json: &'a str,
}

/// How the files begin that may be written over.
const CSV_OPENING: &[u8] = b"vendor_code,sku,rich_content_json";
const JSON_OPENING: &[u8] = b"{\"vendor_code\":";

enum Writer {
    Csv(Box<csv::Writer<BufWriter<Unfinished>>>),
    JsonLines(BufWriter<Unfinished>),
}

impl Writer {
    fn line(&mut self, line: &Line<'_>) -> io::Result<()> {
        match self {
            Self::Csv(csv) => csv
                .write_record([line.vendor_code, line.sku, line.rich_content_json])
                .map_err(files::of_rows),
            Self::JsonLines(out) => {
                serde_json::to_writer(&mut *out, line)?;
                out.write_all(b"\n")
            }
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Csv(csv) => files::after_rows(*csv)?,
            Self::JsonLines(out) => out.into_inner().map_err(io::IntoInnerError::into_error)?,
        }
        .finish()
    }
}

/// Writes the documents. The file is there whole under its name, or not at all.
pub(super) fn export(
    store: &Arc<Store>,
    command: &api::CatalogExport,
) -> Result<api::CatalogExported, AppError> {
    let out = Path::new(&command.out);
    let failed = |reason: io::Error| files::failed(out, &reason);
    let ending = out
        .extension()
        .map(|ending| ending.to_string_lossy().to_lowercase());
    let is_csv = match ending.as_deref() {
        Some("csv") => true,
        Some("jsonl") => false,
        _ => {
            return Err(AppError::new(
                Code::BadArguments,
                format!("{}: the format is known by the ending", out.display()),
                "End the name in .csv or .jsonl",
            ));
        }
    };
    if out.is_dir() {
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    }
    if let Some(brand) = &command.brand {
        let (groups, largest) = store.read(|connection| {
            let groups = rows::brand_groups(connection, &normal::key(brand))?;
            Ok((groups, rows::brands(connection, 5)?))
        })?;
        // An export of nothing would take the place of the last one.
        if groups == 0 {
            return Err(unknown_brand(brand, largest));
        }
    }
    let opening = if is_csv { CSV_OPENING } else { JSON_OPENING };
    if !files::may_replace(out, opening).map_err(failed)? {
        return Err(AppError::new(
            Code::Exists,
            format!(
                "{} is there already and is no export of products",
                out.display()
            ),
            "Choose another name, or move that file away.",
        )
        .param("path", out.display()));
    }
    let file = BufWriter::new(Unfinished::begin(out).map_err(failed)?);
    let mut writer = if is_csv {
        let mut csv = csv::Writer::from_writer(file);
        let header = csv.write_record(["vendor_code", "sku", "rich_content_json"]);
        header.map_err(|reason| failed(files::of_rows(reason)))?;
        Writer::Csv(Box::new(csv))
    } else {
        Writer::JsonLines(file)
    };
    let rows = documents(
        store,
        command.brand.as_deref(),
        command.all,
        command.limit,
        |document| {
            let line = Line {
                vendor_code: &document.vendor_code,
                sku: &document.sku,
                rich_content_json: &document.document,
            };
            writer.line(&line).map_err(failed)
        },
    )?;
    writer.finish().map_err(failed)?;
    Ok(api::CatalogExported {
        path: command.out.clone(),
        rows,
    })
}

/// Checks the documents that were made.
pub(super) fn validate(
    store: &Store,
    limit: Option<u64>,
) -> Result<api::CatalogValidated, AppError> {
    let mut valid = 0;
    let (mut faults, mut warnings) = (Vec::new(), Vec::new());
    let checked = documents(store, None, false, limit, |document| {
        let findings = lint(&document.document);
        if findings
            .iter()
            .all(|finding| finding.severity == Severity::Warning)
        {
            valid += 1;
        }
        for finding in findings {
            let list = match finding.severity {
                Severity::Fault => &mut faults,
                Severity::Warning => &mut warnings,
            };
            if list.len() < LISTED {
                list.push((document.vendor_code.clone(), finding.to_string()));
            }
        }
        Ok(())
    })?;
    Ok(api::CatalogValidated {
        checked,
        valid,
        faults,
        warnings,
    })
}
