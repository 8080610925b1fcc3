//! What the `artel` command promises to scripts: JSON lines with their fields, errors, exit statuses, help.
//!
//! That standard output holds JSON lines and nothing else is checked for every command that any
//! journey runs: see `artel_tests::person`.

mod rooms;
mod usage;
mod work;

use std::time::Duration;

use artel_tests::person::Person;
use serde_json::Value;

const PATIENCE: Duration = Duration::from_mins(1);

/// What every batch ends with.
const BATCH: &str = "job:number total:number done:number failed:number skipped:number \
     seconds:number per_second:number peak_memory_mb:number backend:text state:text";

/// Fails unless the line has these fields: `name:kind`, with `?` where it may be null.
#[track_caller]
fn has(line: &Value, fields: &str) {
    for field in fields.split_whitespace() {
        let (name, kind) = field.split_once(':').expect("name:kind");
        let value = line
            .get(name)
            .unwrap_or_else(|| panic!("no {name} in {line}"));
        let optional = kind.ends_with('?');
        let right = match kind.trim_end_matches('?') {
            "text" => value.is_string(),
            "number" => value.is_number(),
            "flag" => value.is_boolean(),
            "list" => value.is_array(),
            "object" => value.is_object(),
            other => panic!("no such kind: {other}"),
        };
        assert!(
            right || optional && value.is_null(),
            "{name} is no {kind}: {line}"
        );
    }
}

/// Fails unless the command fails with this code, says why on standard error alone, and names a way out.
#[track_caller]
fn refuses(person: &Person, args: &[&str], status: i32, code: &str) {
    let outcome = person.run(args).expect("the command runs");
    let words = args.join(" ");
    assert_eq!(outcome.status, Some(status), "{words}: {}", outcome.stderr);
    assert!(outcome.lines.is_empty(), "{words}: {:?}", outcome.lines);
    let error = outcome.error().expect("an error");
    has(&error, "code:text message:text hint:text");
    assert_eq!(error["code"], code, "{words}: {error}");
    let message = error["message"].as_str().unwrap_or_default();
    assert!(!message.is_empty(), "{words}: {error}");
    assert_ne!(error["hint"], "", "{words}: {error}");
    assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
}

/// The words of an argument list.
fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}
