//! What an import says: a row a file, what was left out of each, and the exit status.

use artel_app::{
    api::{
        catalog::CatalogFile,
        market::{MarketFile, RowProblem},
    },
    error::{AppError, Code},
};
use serde::Serialize;

use crate::context::{Context, Exit};

/// A file as it was imported, or why it was not.
pub(super) trait Imported: Serialize {
    fn path(&self) -> &str;
    fn error(&self) -> Option<&AppError>;
    /// The first rows that were left out, and how many there are in all.
    fn skipped(&self) -> (&[RowProblem], u64);

    /// The path for a table.
    fn named(&self) -> String {
        match self.error() {
            Some(_) => format!("{} (refused)", self.path()),
            None => self.path().to_owned(),
        }
    }
}

impl Imported for MarketFile {
    fn path(&self) -> &str {
        &self.path
    }

    fn error(&self) -> Option<&AppError> {
        self.error.as_ref()
    }

    fn skipped(&self) -> (&[RowProblem], u64) {
        (&self.skipped, self.skipped_total)
    }
}

impl Imported for CatalogFile {
    fn path(&self) -> &str {
        &self.path
    }

    fn error(&self) -> Option<&AppError> {
        self.error.as_ref()
    }

    fn skipped(&self) -> (&[RowProblem], u64) {
        (&self.skipped, self.skipped_total)
    }
}

/// Shows what became of the files. One alone that was refused is the command's error.
pub(super) fn report<T: Imported>(
    context: &Context,
    files: &[T],
    header: &[&str],
    row: impl Fn(&T) -> Vec<String>,
) -> anyhow::Result<Exit> {
    if let [file] = files
        && let Some(error) = file.error()
    {
        return Err(error.clone().into());
    }
    context.output.many(files, header, row, "")?;
    for file in files {
        let path = file.path();
        let (skipped, total) = file.skipped();
        for RowProblem { line, reason } in skipped {
            context
                .output
                .hint(&format!("{path}, line {line}: {reason}"));
        }
        let unlisted = total.saturating_sub(skipped.len() as u64);
        if unlisted > 0 {
            context.output.hint(&format!("{path}: and {unlisted} more"));
        }
        if let Some(error) = file.error() {
            context.output.hint(&error.in_full());
        }
    }
    let failed = files.iter().filter(|file| file.error().is_some()).count();
    if failed == files.len() {
        let message = format!("none of {failed} files was imported");
        return Err(AppError::new(Code::BadInput, message, "Each one's reason is above.").into());
    }
    let in_part = failed > 0 || files.iter().any(|file| file.skipped().1 > 0);
    Ok(if in_part { Exit::InPart } else { Exit::Done })
}

/// Reads `FIELD=COLUMN`.
pub(super) fn column(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((field, name)) if !field.is_empty() && !name.is_empty() => {
            Ok((field.to_owned(), name.to_owned()))
        }
        _ => {
            Err("write the field, = and the column's name, such as close=\"Adj Close\" or vendor_code=Код".to_owned())
        }
    }
}
