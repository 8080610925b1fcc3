//! Times and durations for people.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};

/// Ten years, in seconds.
const LONGEST_LIFE: u64 = 3_650 * 24 * 60 * 60;

/// Reads `90s`, `30m`, `24h`, `7d` or plain seconds.
pub(crate) fn parse_lifetime(text: &str) -> Result<u64, String> {
    let wrong = || format!("\"{text}\" is not a duration; write 90s, 30m, 24h or 7d");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..).unwrap_or_default() {
        "" | "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err(wrong()),
    };
    let seconds = digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(unit))
        .ok_or_else(wrong)?;
    match seconds {
        1..=LONGEST_LIFE => Ok(seconds),
        _ => Err(format!("\"{text}\" is not between 1s and 3650d")),
    }
}

/// A Unix time in milliseconds as local date and minute.
pub(crate) fn minute(at_ms: i64) -> String {
    Timestamp::from_millisecond(at_ms).map_or_else(
        |_| "?".to_owned(),
        |at| {
            at.to_zoned(TimeZone::system())
                .strftime("%Y-%m-%d %H:%M")
                .to_string()
        },
    )
}

/// How long it is until a Unix time in milliseconds.
pub(crate) fn until(at_ms: i64) -> Duration {
    let left = at_ms.saturating_sub(Timestamp::now().as_millisecond());
    Duration::from_millis(u64::try_from(left).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes() {
        for (text, expected) in [
            ("24h", Some(86_400)),
            ("90", Some(90)),
            ("1s", Some(1)),
            ("30m", Some(1_800)),
            ("7d", Some(604_800)),
            ("3650d", Some(315_360_000)),
            ("3651d", None),
            ("0", None),
            ("", None),
            ("h", None),
            ("-1h", None),
            ("1w", None),
            ("1 h", None),
            ("99999999999999999999d", None),
        ] {
            assert_eq!(parse_lifetime(text).ok(), expected, "{text}");
        }
    }
}
