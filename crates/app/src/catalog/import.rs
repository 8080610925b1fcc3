//! Importing product files.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use artel_catalog::{Attributes, Field};
use artel_store::{Store, StoreError, catalog as rows};
use walkdir::WalkDir;

use super::{
    derive, switched_off,
    table::{self, Head, Row, Sink, TableError},
};
use crate::{
    api::{catalog as api, market::RowProblem},
    error::{AppError, Code},
    files,
};

/// Products at a time.
const BATCH: usize = 500;

/// Left-out rows that are listed.
const LISTED: usize = 100;

/// Endings of files that are taken from a folder.
const ENDINGS: [&str; 3] = ["csv", "tsv", "xlsx"];

/// Imports the files, and all product files below the folders. Each file stands alone: one that is
/// refused says so in its report.
pub(super) fn import(
    store: &Arc<Store>,
    command: &api::CatalogImport,
) -> Result<api::CatalogImported, AppError> {
    for (field, _) in &command.map {
        field
            .parse::<Field>()
            .map_err(|reason| AppError::of(Code::BadArguments, &reason, "Name one of them."))?;
    }
    let mut files = Vec::new();
    for path in &command.paths {
        match product_files(Path::new(path)) {
            Ok(found) => files.extend(found.into_iter().map(Ok)),
            Err(reason) if command.paths.len() == 1 => return Err(reason),
            Err(reason) => {
                let mut report = blank(Path::new(path));
                report.error = Some(reason);
                files.push(Err(report));
            }
        }
    }
    if files.is_empty() {
        return Err(AppError::new(
            Code::NotFound,
            format!(
                "there is no CSV or XLSX file in {}",
                command.paths.join(", ")
            ),
            "Give the product file itself.",
        ));
    }
    let files = files.into_iter().map(|file| match file {
        Ok(file) => import_file(store, &file, &command.map),
        Err(refused) => refused,
    });
    Ok(api::CatalogImported {
        files: files.collect(),
    })
}

/// The file itself, or the product files of a folder in the order of their names.
fn product_files(path: &Path) -> Result<Vec<PathBuf>, AppError> {
    let kind = std::fs::metadata(path).map_err(|reason| files::unread(path, &reason))?;
    if !kind.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in WalkDir::new(path).sort_by_file_name() {
        let entry = entry.map_err(|reason| files::unwalked(path, reason))?;
        let name = entry.file_name().to_string_lossy();
        let ending = entry
            .path()
            .extension()
            .map(|ending| ending.to_string_lossy().to_lowercase());
        // Spreadsheets keep locks beside open files under names with a tilde.
        let wanted = ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
            && !name.starts_with(['~', '.']);
        if wanted && entry.file_type().is_file() {
            found.push(entry.into_path());
        }
    }
    Ok(found)
}

/// The report of a file that nothing was done with.
fn blank(path: &Path) -> api::CatalogFile {
    api::CatalogFile {
        path: path.display().to_string(),
        products: 0,
        added: 0,
        changed: 0,
        format: None,
        columns: Vec::new(),
        switched_off: Vec::new(),
        skipped: Vec::new(),
        skipped_total: 0,
        error: None,
    }
}

/// Reads the file into a scratch store to its end, and takes it over from there some products at a time: a file with a
/// fault leaves nothing behind, and nobody waits long to write meanwhile.
fn import_file(store: &Arc<Store>, path: &Path, mapping: &[(String, String)]) -> api::CatalogFile {
    let mut report = blank(path);
    let mut done = rows::Upserted::default();
    let taken = gather(store, path, mapping, &mut report)
        .and_then(|scratch| Ok(take_over(store, &scratch, &report.path, &mut done)?));
    report.products = done.added + done.changed + done.unchanged;
    report.added = done.added;
    report.changed = done.changed;
    if let Err(reason) = taken {
        let mut error = reason.told_of(path);
        if report.products > 0 {
            error.hint = format!(
                "The first {} products are in; import the file again for the rest. {}",
                report.products, error.hint
            );
        }
        report.error = Some(error);
    }
    report.skipped.sort_by_key(|problem| problem.line);
    report
}

/// Reads the file to its end into a store of its own.
fn gather(
    store: &Store,
    path: &Path,
    mapping: &[(String, String)],
    report: &mut api::CatalogFile,
) -> Result<Store, TableError> {
    let scratch = store.scratch()?;
    let now = jiff::Timestamp::now().as_millisecond();
    let import = scratch.write(move |transaction| rows::begin_import(transaction, "", now))?;
    let mut importer = Importer {
        scratch: &scratch,
        head: None,
        import,
        batch: Vec::with_capacity(BATCH),
        report,
    };
    table::read(path, mapping, &mut importer)?;
    importer.flush()?;
    Ok(scratch)
}

/// Adds what was gathered to the products.
fn take_over(
    store: &Store,
    scratch: &Store,
    path: &str,
    all: &mut rows::Upserted,
) -> Result<(), StoreError> {
    let now = jiff::Timestamp::now().as_millisecond();
    let path = path.to_owned();
    let import = store.write(move |transaction| rows::begin_import(transaction, &path, now))?;
    let mut after = 0;
    loop {
        let found = scratch.read(|connection| rows::imported_after(connection, after, BATCH))?;
        let Some((last, _)) = found.last() else {
            return Ok(());
        };
        after = *last;
        let lines: Vec<_> = found.into_iter().map(|(_, line)| line).collect();
        let done = store.write(move |tx| rows::upsert(tx, import, &lines, derive))?;
        all.added += done.added;
        all.changed += done.changed;
        all.unchanged += done.unchanged;
    }
}

struct Importer<'a> {
    scratch: &'a Store,
    head: Option<Head>,
    import: i64,
    batch: Vec<rows::ImportedLine>,
    report: &'a mut api::CatalogFile,
}

impl Importer<'_> {
    fn skip(&mut self, line: u64, reason: String) {
        self.report.skipped_total += 1;
        if self.report.skipped.len() < LISTED {
            self.report.skipped.push(RowProblem { line, reason });
        }
    }

    fn flush(&mut self) -> Result<(), TableError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let lines = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH));
        let import = self.import;
        let done = self.scratch.write(move |transaction| {
            // Groups are told where the products go to.
            rows::upsert(transaction, import, &lines, |_| rows::Derived::default())
        })?;
        for (line, first) in done.repeated {
            self.skip(line, format!("the vendor code was in line {first} already"));
        }
        Ok(())
    }
}

impl Sink for Importer<'_> {
    fn head(&mut self, head: Head) -> Result<(), TableError> {
        let found = head.columns.found();
        self.report.columns = found
            .map(|(field, header)| (field.name().to_owned(), header.to_owned()))
            .collect();
        self.report.switched_off = switched_off(|field| head.columns.has(field));
        self.report.format = Some(head.format.clone());
        self.head = Some(head);
        Ok(())
    }

    fn row(&mut self, row: &Row) -> Result<(), TableError> {
        let Some(head) = &self.head else {
            return Err(TableError::Empty);
        };
        match head.product(row) {
            Err(reason) => self.skip(row.line, reason.to_string()),
            Ok(product) => {
                let mut stored = rows::Product {
                    vendor_code: product.vendor_code().to_owned(),
                    ..rows::Product::default()
                };
                for (field, value) in Field::ALL.iter().skip(1).zip(&mut stored.values) {
                    *value = product.get(*field).map(str::to_owned);
                }
                self.batch.push(rows::ImportedLine {
                    line: row.line,
                    product: stored,
                });
                if self.batch.len() == BATCH {
                    self.flush()?;
                }
            }
        }
        Ok(())
    }
}
