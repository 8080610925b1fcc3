//! Times in price files.
//!
//! Understood are ISO 8601 dates and times with `-`, `/` or `.` between the parts of the date
//! (year first), `31.12.2024` (day first, only with dots), eight digits `20241231`, an offset
//! (`Z`, `+03:00`, `+0300`, `UTC`) or none, and Unix times whose unit is told by their size.
//! `12/31/2024` is refused: it cannot be told from `31/12/2024` safely.

use jiff::{
    civil::{DateTime, Time},
    tz::{AmbiguousOffset, Offset, TimeZone},
};

/// The time zone of times that name none.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

/// There is no such time zone.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("there is no time zone \"{0}\"")]
pub struct ZoneError(String);

impl Default for Zone {
    /// UTC.
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl std::str::FromStr for Zone {
    type Err = ZoneError;

    /// An IANA name such as `Europe/Kyiv`, `UTC`, or an offset such as `+03:00`.
    fn from_str(text: &str) -> Result<Self, ZoneError> {
        if let Some(offset) = parse_offset(text) {
            return Ok(Self(TimeZone::fixed(offset)));
        }
        TimeZone::get(text)
            .map(Self)
            .map_err(|_| ZoneError(text.to_owned()))
    }
}

/// What is known of the rows before one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Before {
    time: Option<i64>,
    /// The file begins with the newest.
    descending: bool,
}

impl Before {
    /// What is known after one more row.
    pub(super) fn then(self, time: i64) -> Self {
        Self {
            time: Some(time),
            descending: match self.time {
                Some(before) if before != time => time < before,
                _ => self.descending,
            },
        }
    }
}

/// Parses a time, joined from two columns where the file has a date and a time of day, to Unix
/// milliseconds.
///
/// An hour that clocks show twice in autumn is told by the row before: it is taken as the one that
/// goes on in the order of the file.
pub(super) fn parse(
    date: &str,
    clock: Option<&str>,
    zone: &Zone,
    before: Before,
) -> Result<i64, String> {
    let unreadable = || match clock {
        Some(clock) => format!("time \"{date} {clock}\" cannot be read"),
        None => format!("time \"{date}\" cannot be read"),
    };
    if clock.is_none() && date.len() != 8 && is_number(date) {
        return from_unix(date).ok_or_else(unreadable);
    }
    let (day, inline) = match date.find(['T', 't', ' ']) {
        Some(at) => {
            let (day, rest) = date.split_at(at);
            (day, rest.get(1..))
        }
        None => (date, None),
    };
    let day = parse_day(day).ok_or_else(|| {
        if day.matches('/').count() == 2 {
            format!(
                "time \"{date}\" does not say which part is the month; write it as year-month-day"
            )
        } else {
            unreadable()
        }
    })?;
    let (time, offset) = match clock.or(inline) {
        None => (Time::midnight(), None),
        Some(text) => parse_clock(text.trim()).ok_or_else(unreadable)?,
    };
    let civil = day.to_datetime(time);
    let stamp = if let Some(offset) = offset {
        offset.to_timestamp(civil).map_err(|_| unreadable())?
    } else {
        let offset = zone.0.to_ambiguous_timestamp(civil).offset();
        // A day is a day, also where its midnight is left out.
        if time != Time::midnight() && matches!(offset, AmbiguousOffset::Gap { .. }) {
            return Err(format!(
                "time \"{}\" does not exist there: the clocks were put forward; the file may be of another time zone",
                civil.to_string().replace('T', " ")
            ));
        }
        in_zone(civil, &zone.0, before).ok_or_else(unreadable)?
    };
    Ok(stamp.as_millisecond())
}

fn in_zone(civil: DateTime, zone: &TimeZone, before: Before) -> Option<jiff::Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(civil);
    if !matches!(ambiguous.offset(), AmbiguousOffset::Fold { .. }) {
        return ambiguous.compatible().ok();
    }
    let first = ambiguous.earlier().ok()?;
    let second = ambiguous.later().ok()?;
    let is_second = match before.time {
        None => false,
        // Whatever the order, what comes after a later time than both goes back in time.
        Some(time) if before.descending || time > second.as_millisecond() => {
            second.as_millisecond() < time
        }
        Some(time) => first.as_millisecond() <= time,
    };
    Some(if is_second { second } else { first })
}

/// Writes a time as people read it, in UTC.
pub(super) fn show(time: i64) -> String {
    let Ok(stamp) = jiff::Timestamp::from_millisecond(time) else {
        return time.to_string();
    };
    let civil = Offset::UTC.to_datetime(stamp);
    if civil.time() == Time::midnight() {
        civil.date().to_string()
    } else {
        civil.to_string().replace('T', " ")
    }
}

fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(text),
    }
}

/// Seconds, milliseconds, microseconds or nanoseconds since 1970: the only reading that falls
/// between 1973 and 5138.
fn from_unix(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let number: i64 = whole.parse().ok()?;
    Some(match number {
        ..100_000_000 => return None,
        100_000_000..100_000_000_000 => {
            let millis = fraction.bytes().chain(*b"000").take(3);
            number * 1000 + millis.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'))
        }
        100_000_000_000..100_000_000_000_000 => number,
        100_000_000_000_000..100_000_000_000_000_000 => number / 1000,
        _ => number / 1_000_000,
    })
}

fn parse_day(text: &str) -> Option<jiff::civil::Date> {
    let number = |text: Option<&str>| text?.parse::<i16>().ok();
    let (year, month, day) = if text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        (text.get(..4), text.get(4..6), text.get(6..))
    } else {
        let separator = text.chars().find(|letter| !letter.is_ascii_digit())?;
        if !matches!(separator, '-' | '/' | '.') {
            return None;
        }
        let mut parts = text.split(separator);
        let all = (parts.next(), parts.next(), parts.next());
        if parts.next().is_some() {
            return None;
        }
        let year_last = separator == '.' && all.2.is_some_and(|year| year.len() == 4);
        if year_last {
            (all.2, all.1, all.0)
        } else {
            all
        }
    };
    if year?.len() != 4 {
        return None;
    }
    let month = i8::try_from(number(month)?).ok()?;
    let day = i8::try_from(number(day)?).ok()?;
    jiff::civil::Date::new(number(year)?, month, day).ok()
}

/// `09:30`, `09:30:00.250`, `093000`, with an optional offset behind.
fn parse_clock(text: &str) -> Option<(Time, Option<Offset>)> {
    let end = text
        .find(|letter: char| !(letter.is_ascii_digit() || matches!(letter, ':' | '.')))
        .unwrap_or(text.len());
    let (clock, offset) = text.split_at(end);
    let offset = offset.trim();
    let offset = if offset.is_empty() {
        None
    } else {
        Some(parse_offset(offset)?)
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let parts: [&str; 3] = if clock.contains(':') {
        let mut parts = clock.split(':');
        let all = [parts.next()?, parts.next()?, parts.next().unwrap_or("0")];
        if parts.next().is_some() {
            return None;
        }
        all
    } else {
        if !matches!(clock.len(), 4 | 6) {
            return None;
        }
        [
            clock.get(..2)?,
            clock.get(2..4)?,
            clock.get(4..).filter(|s| !s.is_empty()).unwrap_or("0"),
        ]
    };
    let [hour, minute, second] = parts.map(|part| part.parse::<i8>().ok());
    if fraction.len() > 9 || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let nanos = fraction.bytes().chain(*b"000000000").take(9);
    let nanos = nanos.fold(0_i32, |sum, digit| sum * 10 + i32::from(digit - b'0'));
    Some((Time::new(hour?, minute?, second?, nanos).ok()?, offset))
}

/// `Z`, `UTC`, `GMT`, `+03`, `+0300`, `-05:30`.
fn parse_offset(text: &str) -> Option<Offset> {
    if matches!(text, "Z" | "z" | "UTC" | "GMT") {
        return Some(Offset::UTC);
    }
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match (digits.len(), digits.split_once(':')) {
        (5, Some((hours, minutes))) if hours.len() == 2 => (hours, minutes),
        (4, None) => digits.split_at_checked(2)?,
        (2, None) => (digits, "0"),
        _ => return None,
    };
    let hours: i32 = hours.parse().ok()?;
    let minutes: i32 = minutes
        .parse()
        .ok()
        .filter(|minutes| (0..60).contains(minutes))?;
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, zone: &str, expected: &str) {
        let time = parse(text, None, &zone.parse().unwrap(), Before::default()).unwrap();
        assert_eq!(
            jiff::Timestamp::from_millisecond(time).unwrap().to_string(),
            expected
        );
    }

    #[test]
    fn times_are_read() {
        check("2012-01-31", "UTC", "2012-01-31T00:00:00Z");
        check("2017-04-19 09:00:00", "UTC", "2017-04-19T09:00:00Z");
        check("2017-04-19 09:00:00", "Europe/Kyiv", "2017-04-19T06:00:00Z");
        check("2017-04-19T09:00", "+03:00", "2017-04-19T06:00:00Z");
        check(
            "2017-04-19 09:00:00+02:00",
            "America/New_York",
            "2017-04-19T07:00:00Z",
        );
        check(
            "2017-04-19 09:00:00 UTC",
            "America/New_York",
            "2017-04-19T09:00:00Z",
        );
        check("2017.04.19", "UTC", "2017-04-19T00:00:00Z");
        check("19.04.2017 10:30", "UTC", "2017-04-19T10:30:00Z");
        check("20170419", "UTC", "2017-04-19T00:00:00Z");
        check("1735689600000", "Asia/Tokyo", "2025-01-01T00:00:00Z");
        check("1735689600000000", "UTC", "2025-01-01T00:00:00Z");
        check("1735689600", "UTC", "2025-01-01T00:00:00Z");
        check("1735689600.25", "UTC", "2025-01-01T00:00:00.25Z");
    }

    #[test]
    fn an_hour_shown_twice_is_told_by_the_row_before() {
        let zone: Zone = "America/New_York".parse().unwrap();
        let first = parse("2024-11-03 01:00", None, &zone, Before::default()).unwrap();
        let second = parse(
            "2024-11-03 01:00",
            None,
            &zone,
            Before::default().then(first),
        )
        .unwrap();
        assert_eq!(second - first, 3_600_000);
    }

    #[test]
    fn a_file_in_either_order_has_every_hour_once() {
        let zone: Zone = "America/New_York".parse().unwrap();
        let minutes = [
            "00:30", "01:00", "01:30", "01:00", "01:30", "02:00", "02:30",
        ];
        let read = |rows: &mut dyn Iterator<Item = &&str>| {
            let mut before = Before::default();
            let times = rows.map(|row| {
                let time = parse(&format!("2024-11-03 {row}"), None, &zone, before).unwrap();
                before = before.then(time);
                time
            });
            times.collect::<Vec<_>>()
        };
        let upwards = read(&mut minutes.iter());
        assert!(
            upwards.is_sorted_by(|one, next| next - one == 1_800_000),
            "{upwards:?}"
        );
        let mut downwards = read(&mut minutes.iter().rev());
        downwards.reverse();
        assert_eq!(upwards, downwards);
    }

    #[test]
    fn an_hour_that_clocks_leave_out_is_refused() {
        let zone: Zone = "Europe/Kyiv".parse().unwrap();
        let read = |text| parse(text, None, &zone, Before::default());
        let refused = read("2024-03-31 03:30").unwrap_err();
        assert!(refused.contains("does not exist"), "{refused}");
        assert_eq!(
            read("2024-03-31 04:30").unwrap() - read("2024-03-31 02:30").unwrap(),
            3_600_000
        );
        // A day is a day, also where its midnight is left out.
        let zone: Zone = "Asia/Beirut".parse().unwrap();
        assert!(parse("2024-03-31", None, &zone, Before::default()).is_ok());
    }

    #[test]
    fn unreadable_times_say_so() {
        for text in [
            "",
            "yesterday",
            "2024-13-01",
            "2024-02-30",
            "12/31/2024",
            "2024-01-01 25:00",
            "1.2.3.4",
            "2024-01-01 10:00 XYZ",
            "99999999999999999999",
        ] {
            assert!(
                parse(text, None, &Zone::default(), Before::default()).is_err(),
                "{text}"
            );
        }
        assert_eq!(
            "Mars/Base".parse::<Zone>().unwrap_err().to_string(),
            "there is no time zone \"Mars/Base\""
        );
    }
}
