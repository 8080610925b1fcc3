//! The rhythm of a series.

use std::{collections::HashMap, fmt, str::FromStr};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// How long a bar is: a fixed time, or months, which are not of one length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Interval {
    /// Milliseconds, a whole number of seconds.
    Fixed(i64),
    /// Calendar months: 1, 3 or 12.
    Months(i64),
}

/// Not an interval.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("\"{0}\" is not an interval; write it as 30s, 5m, 1h, 1d, 1w, 1mo, 3mo or 1y")]
pub struct IntervalParseError(String);

impl fmt::Display for Interval {
    /// `30s`, `5m`, `1h`, `1d`, `1w`, `1mo`, `1y`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Months(months) if months % 12 == 0 => write!(f, "{}y", months / 12),
            Self::Months(months) => write!(f, "{months}mo"),
            Self::Fixed(span) => {
                let units = [(7 * DAY, "w"), (DAY, "d"), (HOUR, "h"), (MINUTE, "m")];
                match units.into_iter().find(|(unit, _)| span % unit == 0) {
                    Some((unit, name)) => write!(f, "{}{name}", span / unit),
                    None => write!(f, "{}s", span / SECOND),
                }
            }
        }
    }
}

impl FromStr for Interval {
    type Err = IntervalParseError;

    fn from_str(text: &str) -> Result<Self, IntervalParseError> {
        let fault = || IntervalParseError(text.to_owned());
        let at = text
            .find(|letter: char| !letter.is_ascii_digit())
            .ok_or_else(fault)?;
        let (count, unit) = text.split_at(at);
        let count: i64 = count.parse().map_err(|_| fault())?;
        if !(1..=100_000).contains(&count) {
            return Err(fault());
        }
        Ok(match unit {
            "s" => Self::Fixed(count * SECOND),
            "m" | "min" => Self::Fixed(count * MINUTE),
            "h" => Self::Fixed(count * HOUR),
            "d" => Self::Fixed(count * DAY),
            "w" => Self::Fixed(count * 7 * DAY),
            "mo" | "M" => Self::Months(count),
            "y" => Self::Months(count * 12),
            _ => return Err(fault()),
        })
    }
}

impl Interval {
    /// Length in milliseconds; of the shortest such stretch of the calendar for months.
    pub fn shortest(self) -> i64 {
        match self {
            Self::Fixed(span) => span,
            Self::Months(months) => months * 28 * DAY,
        }
    }
}

/// Collects the steps between times, of which there are few different ones in any series.
#[derive(Debug, Default)]
pub(super) struct Steps {
    counts: HashMap<i64, u64>,
}

/// More different steps than this are noise and are not counted.
const STEPS_LIMIT: usize = 4096;

impl Steps {
    /// Notes one step between neighbours, in milliseconds, above zero.
    pub(super) fn add(&mut self, step: i64) {
        if self.counts.len() < STEPS_LIMIT || self.counts.contains_key(&step) {
            *self.counts.entry(step).or_default() += 1;
        }
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The interval: the calendar's when most steps are of its length, otherwise the commonest
    /// step, the shorter one of two equally common. `None` without steps or below a second.
    pub(super) fn interval(&self) -> Option<Interval> {
        let total: u64 = self.counts.values().sum();
        // Clocks that change in spring and autumn move a time by an hour.
        let slack = 2 * HOUR;
        let calendar = [(1, 28, 31), (3, 89, 92), (12, 365, 366)];
        for (months, least, most) in calendar {
            let range = least * DAY - slack..=most * DAY + slack;
            let within: u64 = self
                .counts
                .iter()
                .filter(|(step, _)| range.contains(step))
                .map(|(_, n)| n)
                .sum();
            // Every fourth week is 28 days too, but never 30 or 31.
            let only_weeks = months == 1 && self.counts.keys().all(|step| step % (28 * DAY) == 0);
            if total > 0 && within * 2 > total && !only_weeks {
                return Some(Interval::Months(months));
            }
        }
        let (step, _) = self
            .counts
            .iter()
            .max_by_key(|(step, count)| (**count, -**step))?;
        (*step >= SECOND && step % SECOND == 0).then_some(Interval::Fixed(*step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_written_and_read_back() {
        for text in [
            "30s", "1m", "5m", "1h", "4h", "1d", "1w", "1mo", "3mo", "1y",
        ] {
            assert_eq!(text.parse::<Interval>().unwrap().to_string(), text);
        }
        for text in ["", "1", "h", "0d", "1x", "-1d", "9999999999999999999d"] {
            assert!(text.parse::<Interval>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_commonest_step_is_the_interval() {
        #[track_caller]
        fn check(steps: &[(i64, u64)], expected: Option<&str>) {
            let mut all = Steps::default();
            for (step, count) in steps {
                (0..*count).for_each(|_| all.add(*step));
            }
            assert_eq!(all.interval().map(|i| i.to_string()).as_deref(), expected);
        }
        check(&[], None);
        check(&[(DAY, 800), (3 * DAY, 180), (4 * DAY, 20)], Some("1d"));
        check(&[(HOUR, 4000), (49 * HOUR, 40)], Some("1h"));
        check(&[(31 * DAY, 7), (30 * DAY, 4), (28 * DAY, 1)], Some("1mo"));
        check(&[(31 * DAY, 1)], Some("1mo"));
        check(&[(91 * DAY, 1), (92 * DAY, 2), (90 * DAY, 1)], Some("3mo"));
        check(&[(365 * DAY, 3), (366 * DAY, 1)], Some("1y"));
        check(&[(28 * DAY, 9)], Some("4w"));
        check(&[(7 * DAY, 50)], Some("1w"));
        check(&[(DAY, 1), (3 * DAY, 1)], Some("1d"));
        check(&[(250, 10)], None);
    }
}
