//! Tables for people, JSON lines for programs, errors for both.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use artel_app::error::{AppError, Code};
use serde::Serialize;
use serde_json::json;

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
            result(&serde_json::to_string(value)?)
        } else {
            result(&plain(&text()))
        }
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
                result(&serde_json::to_string(value)?)?;
            }
        } else if values.is_empty() {
            word(empty);
        } else {
            let mut table = comfy_table::Table::new();
            table.load_style(comfy_table::presets::NOTHING);
            table.set_header(header.iter().map(|title| title.to_uppercase()));
            for value in values {
                table.add_row(row(value).iter().map(|cell| plain(cell).into_owned()));
            }
            result(&table.to_string())?;
        }
        Ok(())
    }

    /// A word on standard error, never in the way of results.
    pub(crate) fn hint(&self, text: &str) {
        if !self.json {
            word(&plain(text));
        }
    }
}

/// A result, which is lost with its reader.
fn result(text: &str) -> anyhow::Result<()> {
    Ok(writeln!(io::stdout().lock(), "{text}")?)
}

/// A word besides. Whoever closed standard error does not want it.
fn word(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Whether an error only says that nobody reads the results any more, as after `artel … | head -1`.
pub(crate) fn is_unread(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|reason| reason.kind() == io::ErrorKind::BrokenPipe)
}

/// Text from others for a terminal: nothing in it moves the cursor, changes colours, or turns the direction of writing.
fn plain(text: &str) -> std::borrow::Cow<'_, str> {
    let acts = |c: char| {
        (c.is_control() && !matches!(c, '\n' | '\t'))
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if text.chars().any(acts) {
        text.replace(acts, "\u{fffd}").into()
    } else {
        text.into()
    }
}

/// Prints why the command failed and what to do; the exit status is 1, or 2 where the arguments are to blame.
pub(crate) fn fail(json: bool, error: &anyhow::Error) -> ExitCode {
    let known = error.downcast_ref::<AppError>();
    // What the system says of this program's own doings, such as a terminal that is gone.
    let hint = known.map_or("Try again; if it stays, say so with -v.", |known| {
        &known.hint
    });
    if json {
        let code = known.map_or_else(|| json!("failed"), |known| json!(known.code));
        word(&json_error(&code, &format!("{error:#}"), hint));
    } else {
        word(&plain(&format!("artel: {error:#}\n  {hint}")));
    }
    if known.is_some_and(|known| known.code == Code::BadArguments) {
        ExitCode::from(2)
    } else {
        ExitCode::FAILURE
    }
}

/// Prints help, the version, or what is wrong with the command line; that one's status is 2.
pub(crate) fn usage(json: bool, error: &clap::Error) -> ExitCode {
    use clap::error::ErrorKind::{
        DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion,
    };
    if matches!(error.kind(), DisplayHelp | DisplayVersion) {
        // Whoever closed standard output does not want it.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    if json {
        let (message, hint) = if error.kind() == DisplayHelpOnMissingArgumentOrSubcommand {
            (
                "a command is missing".to_owned(),
                "See: artel help".to_owned(),
            )
        } else {
            in_parts(&error.to_string())
        };
        word(&json_error(&json!(Code::BadArguments), &message, &hint));
    } else {
        let _ = error.print();
    }
    ExitCode::from(2)
}

fn json_error(code: &serde_json::Value, message: &str, hint: &str) -> String {
    json!({"error": {"code": code, "message": message, "hint": hint}}).to_string()
}

/// The first paragraph of what clap says, and the others, a line each.
fn in_parts(text: &str) -> (String, String) {
    let mut paragraphs = text
        .split("\n\n")
        .map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
    let first = paragraphs.next().unwrap_or_default();
    let message = first.strip_prefix("error: ").unwrap_or(&first);
    let rest: Vec<_> = paragraphs.filter(|part| !part.is_empty()).collect();
    (message.to_owned(), rest.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::{in_parts, plain};

    #[test]
    fn a_message_cannot_act_on_the_terminal() {
        let hostile = "\u{1b}[31mred\u{1b}]0;title\u{7} \u{202e}txet\r over";
        assert_eq!(plain(hostile), "�[31mred�]0;title� �txet� over");
        assert_eq!(plain("Привіт,\n\tsvět 👋🏽"), "Привіт,\n\tsvět 👋🏽");
    }

    #[test]
    fn wrong_usage_has_a_message_and_a_way_out() {
        let (message, hint) = in_parts(
            "error: the following required arguments were not provided:\n  <NAME>\n\n\
             Usage: artel profile new <NAME>\n\nFor more information, try '--help'.\n",
        );
        assert_eq!(
            message,
            "the following required arguments were not provided: <NAME>"
        );
        assert_eq!(
            hint,
            "Usage: artel profile new <NAME>\nFor more information, try '--help'."
        );
    }
}
