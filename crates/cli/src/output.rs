//! Tables for people, JSON lines for programs, errors for both.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is the terminal"
)]

use std::process::ExitCode;

use artel_app::error::AppError;
use serde::Serialize;

/// Where results go.
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether JSON was asked for.
    pub(crate) fn json(&self) -> bool {
        self.json
    }

    /// One result: its JSON, or the text for people.
    pub(crate) fn one(
        &self,
        value: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> anyhow::Result<()> {
        if self.json {
            println!("{}", serde_json::to_string(value)?);
        } else {
            println!("{}", text());
        }
        Ok(())
    }

    /// Many results: a JSON line each, or one table.
    pub(crate) fn many<T: Serialize>(
        &self,
        values: &[T],
        header: &[&str],
        row: impl Fn(&T) -> Vec<String>,
        empty: &str,
    ) -> anyhow::Result<()> {
        if self.json {
            for value in values {
                println!("{}", serde_json::to_string(value)?);
            }
        } else if values.is_empty() {
            eprintln!("{empty}");
        } else {
            let mut table = comfy_table::Table::new();
            table.load_style(comfy_table::presets::NOTHING);
            table.set_header(header.iter().map(|title| title.to_uppercase()));
            for value in values {
                table.add_row(row(value));
            }
            println!("{table}");
        }
        Ok(())
    }

    /// A word on standard error, never in the way of results.
    pub(crate) fn hint(&self, text: &str) {
        if !self.json {
            eprintln!("{text}");
        }
    }
}

/// Prints why the command failed and what to do; the exit status is 1.
pub(crate) fn fail(json: bool, error: &anyhow::Error) -> ExitCode {
    let known = error.downcast_ref::<AppError>();
    if json {
        let (code, hint) = known.map_or((serde_json::json!("failed"), None), |known| {
            (serde_json::json!(known.code), known.hint.clone())
        });
        eprintln!(
            "{}",
            serde_json::json!({"error": {"code": code, "message": format!("{error:#}"), "hint": hint}})
        );
    } else {
        eprintln!("artel: {error:#}");
        if let Some(hint) = known.and_then(|known| known.hint.as_deref()) {
            eprintln!("  {hint}");
        }
    }
    ExitCode::FAILURE
}
