//! What is wrong or odd in a document.

use serde::Serialize;
use serde_json::Value;

use super::model::{Document, Widget};
use crate::product::picture_address;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The shop will take it, perhaps not as meant.
    Warning,
    /// The shop will refuse it, or show a hole.
    Fault,
}

/// Something wrong or odd.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Where, such as `content[1].blocks[0].img.src`; empty for the whole.
    pub path: String,
    /// What.
    pub message: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

/// Longest document that is looked at, in bytes.
const MAX_DOCUMENT: usize = 4 << 20;

/// Characters that the shop's editor trips over.
const AWKWARD: &[char] = &['•', '·', '×', '«', '»', '„', '“', '”'];

/// Checks a document as it would be uploaded. Empty where it is good.
pub fn lint(text: &str) -> Vec<Finding> {
    let whole = |message: String| {
        vec![Finding {
            severity: Severity::Fault,
            path: String::new(),
            message,
        }]
    };
    if text.len() > MAX_DOCUMENT {
        return whole(format!(
            "it has {} bytes; at most {MAX_DOCUMENT} are looked at",
            text.len()
        ));
    }
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(reason) => return whole(format!("it is not JSON: {reason}")),
    };
    let document: Document = match serde_json::from_value(value.clone()) {
        Ok(document) => document,
        Err(reason) => return whole(format!("it is not Rich Content 0.3: {reason}")),
    };
    let mut lint = Lint::default();
    lint.counts(&document);
    if let Ok(known) = serde_json::to_value(&document) {
        lint.unknown(&value, &known, "");
    }
    lint.values(&value, "", "");
    lint.findings
}

/// Whether what stands between angle brackets is a tag.
pub(super) fn is_tag(inner: &str) -> bool {
    let inner = inner.strip_prefix(['/', '!']).unwrap_or(inner);
    inner.starts_with(|first: char| first.is_ascii_alphabetic() || first == '-')
        && !inner.contains('<')
}

#[derive(Default)]
struct Lint {
    findings: Vec<Finding>,
}

impl Lint {
    fn add(&mut self, severity: Severity, path: &str, message: impl Into<String>) {
        self.findings.push(Finding {
            severity,
            path: path.trim_start_matches('.').to_owned(),
            message: message.into(),
        });
    }

    fn counts(&mut self, document: &Document) {
        if document.content.is_empty() {
            self.add(Severity::Warning, "content", "there is no widget");
        }
        for (place, widget) in document.content.iter().enumerate() {
            let path = format!("content[{place}].blocks");
            let (count, fewest, most) = match widget {
                Widget::Showcase(showcase) => showcase.counts(),
                Widget::List(list) => (list.blocks.len(), 1, usize::MAX),
                Widget::TextBlock(_) | Widget::Table(_) | Widget::Video(_) => continue,
            };
            if count == 0 {
                let severity = match widget {
                    Widget::Showcase(_) => Severity::Fault,
                    _ => Severity::Warning,
                };
                self.add(severity, &path, "there is no block");
            } else if count < fewest || count > most {
                self.add(
                    Severity::Warning,
                    &path,
                    format!("{count} blocks; {fewest} to {most} are sensible"),
                );
            }
        }
    }

    /// Keys that the model does not keep: what was read, against what it writes.
    fn unknown(&mut self, read: &Value, known: &Value, path: &str) {
        match (read, known) {
            (Value::Object(read), Value::Object(known)) => {
                for (key, value) in read {
                    let path = format!("{path}.{key}");
                    match known.get(key) {
                        Some(known) => self.unknown(value, known, &path),
                        None => self.add(Severity::Warning, &path, "this key is not known"),
                    }
                }
            }
            (Value::Array(read), Value::Array(known)) => {
                for (place, (value, known)) in read.iter().zip(known).enumerate() {
                    self.unknown(value, known, &format!("{path}[{place}]"));
                }
            }
            _ => {}
        }
    }

    fn values(&mut self, value: &Value, key: &str, path: &str) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    self.values(value, key, &format!("{path}.{key}"));
                }
            }
            Value::Array(values) => {
                for (place, value) in values.iter().enumerate() {
                    self.values(value, key, &format!("{path}[{place}]"));
                }
            }
            Value::String(text) => match key {
                "src" | "srcMobile" | "imgLink" | "href" => self.address(text, path),
                "content" | "text" | "alt" | "items" | "body" => self.words(text, path),
                _ => {}
            },
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn address(&mut self, text: &str, path: &str) {
        if text.is_empty() {
            self.add(Severity::Fault, path, "the address is empty");
        } else if picture_address(text) != Some(text) {
            self.add(Severity::Fault, path, "this is not an address on the web");
        } else if text
            .get(..5)
            .is_some_and(|head| head.eq_ignore_ascii_case("http:"))
        {
            self.add(Severity::Warning, path, "the address is not https");
        }
    }

    fn words(&mut self, text: &str, path: &str) {
        if let Some(awkward) = text.chars().find(|character| AWKWARD.contains(character)) {
            self.add(
                Severity::Warning,
                path,
                format!("the character {awkward} shows badly in the shop"),
            );
        }
        let tag = text.split('<').skip(1).any(|after| {
            after
                .split_once('>')
                .is_some_and(|(inner, _)| is_tag(inner))
        });
        if tag {
            self.add(Severity::Warning, path, "HTML shows as it is written");
        }
        if text.chars().any(char::is_control) {
            self.add(Severity::Warning, path, "there is a control character");
        }
    }
}

#[cfg(test)]
mod tests;
