//! When a series is usually open, and the gaps that remain.
//!
//! A stock has no bar on Sunday and a currency none on Saturday, and neither is a gap; a coin
//! that misses a Sunday has one. So each series is its own measure. Its week is cut into slots
//! of one interval, and a slot that has a bar in at least half of the weeks is an open one. Between
//! two neighbouring bars there is a gap where open slots were passed over in the middle of a day
//! or on two days or more: one day without a bar is a holiday. A series with open slots on
//! Saturdays and on Sundays knows no holidays, and any open slot passed over is a gap.
//!
//! Series over fewer than [`WEEKS_TO_JUDGE`] weeks say too little about weekdays: their slots
//! are taken as open from Monday to Friday, and on weekends where a bar was ever seen, at times
//! of day that were seen on at least half of the days. Intervals of several days are judged by
//! the step alone.

use super::Interval;

const DAY: i64 = 86_400_000;
const WEEK: i64 = 7 * DAY;

/// Days of a week that begins on Thursday, as 1970 did.
const SATURDAY: usize = 2;
const SUNDAY: usize = 3;

/// Below this many weeks weekdays are presumed, not learned.
const WEEKS_TO_JUDGE: i64 = 4;

/// Learns from all times of a series first ([`Self::learn`]), then counts gaps in a second pass
/// over the same times ([`Self::count`]).
#[derive(Clone, Debug)]
pub struct Sessions {
    interval: Interval,
    /// How often each slot of the week had a bar; empty for long intervals.
    slots: Vec<u32>,
    open: Vec<bool>,
    holidays: bool,
    first: Option<i64>,
    last: i64,
    previous: Option<i64>,
    gaps: u64,
}

impl Sessions {
    /// For a series of this interval.
    pub fn new(interval: Interval) -> Self {
        let slots = match interval {
            Interval::Fixed(span @ 1000..=DAY) => WEEK.div_euclid(span),
            _ => 0,
        };
        Self {
            interval,
            slots: vec![0; usize::try_from(slots).unwrap_or(0)],
            open: Vec::new(),
            holidays: true,
            first: None,
            last: 0,
            previous: None,
            gaps: 0,
        }
    }

    /// Takes in a stretch of times, in order.
    pub fn learn(&mut self, times: &[i64]) {
        for &time in times {
            self.first.get_or_insert(time);
            self.last = time;
            let slot = self.slot(time);
            if let Some(count) = self.slots.get_mut(slot) {
                *count = count.saturating_add(1);
            }
        }
    }

    /// Counts gaps in a stretch of the same times, in order; the first call ends the learning.
    pub fn count(&mut self, times: &[i64]) {
        if self.open.is_empty() {
            self.judge();
        }
        for &time in times {
            if let Some(previous) = self.previous.replace(time)
                && self.is_gap(previous, time)
            {
                self.gaps += 1;
            }
        }
    }

    /// Gaps so far.
    pub fn gaps(&self) -> u64 {
        self.gaps
    }

    fn span(&self) -> i64 {
        self.interval.shortest().max(1)
    }

    /// The slot of a time in its week; see [`SATURDAY`] for where weeks begin.
    fn slot(&self, time: i64) -> usize {
        usize::try_from(time.rem_euclid(WEEK) / self.span()).unwrap_or(usize::MAX)
    }

    /// Weekday of a slot, from Thursday.
    fn day(&self, slot: usize) -> usize {
        let start = i64::try_from(slot).unwrap_or(0).saturating_mul(self.span());
        usize::try_from(start / DAY).unwrap_or(0)
    }

    fn judge(&mut self) {
        let Some(first) = self.first else { return };
        let weeks = (self.last - first) / WEEK + 1;
        self.open = if weeks < WEEKS_TO_JUDGE {
            self.presume()
        } else {
            self.slots
                .iter()
                .map(|count| i64::from(*count) * 2 >= weeks)
                .collect()
        };
        let open_on = |day| {
            self.open
                .iter()
                .enumerate()
                .any(|(slot, open)| *open && self.day(slot) == day)
        };
        self.holidays = weeks < WEEKS_TO_JUDGE || !(open_on(SATURDAY) && open_on(SUNDAY));
    }

    /// Openness from a short series: weekdays are presumed, times of day learned.
    fn presume(&self) -> Vec<bool> {
        let slots_a_day = usize::try_from(DAY / self.span()).unwrap_or(1).max(1);
        let days = self.last.div_euclid(DAY) - self.first.unwrap_or(self.last).div_euclid(DAY) + 1;
        let mut by_day = [false; 8];
        let mut by_clock = vec![0_u32; slots_a_day];
        for (slot, &count) in self
            .slots
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
        {
            if let Some(day) = by_day.get_mut(self.day(slot)) {
                *day = true;
            }
            if let Some(clock) = by_clock.get_mut(slot % slots_a_day) {
                *clock += count;
            }
        }
        let weekend = |day| matches!(day, SATURDAY | SUNDAY);
        let open_day = |day: usize| !weekend(day) || by_day.get(day).copied().unwrap_or(false);
        let weekend_open = open_day(SATURDAY) || open_day(SUNDAY);
        let open_days = if weekend_open {
            days
        } else {
            (days * 5 / 7).max(1)
        };
        let openness = |slot: usize| {
            let seen = by_clock.get(slot % slots_a_day).copied().unwrap_or(0);
            open_day(self.day(slot)) && i64::from(seen) * 2 >= open_days
        };
        (0..self.slots.len()).map(openness).collect()
    }

    fn is_gap(&self, previous: i64, time: i64) -> bool {
        let step = time - previous;
        if self.slots.is_empty() {
            return match self.interval {
                Interval::Fixed(span) => step * 2 > span * 3,
                Interval::Months(months) => step > (months * 31 + 15) * DAY,
            };
        }
        let span = self.span();
        if step * 2 <= span * 3 {
            return false;
        }
        if step > WEEK {
            return true;
        }
        let mut days = 0;
        let mut day_before = None;
        let mut passed = previous + span;
        while passed < time {
            if self.open.get(self.slot(passed)).copied().unwrap_or(false) {
                let day = passed.div_euclid(DAY);
                if day_before.replace(day) != Some(day) {
                    days += 1;
                }
            }
            passed += span;
        }
        let holiday = self.holidays && previous.div_euclid(DAY) != time.div_euclid(DAY);
        days > u32::from(holiday)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-01-01, a Monday.
    const MONDAY: i64 = 1_704_067_200_000;
    const HOUR: i64 = 3_600_000;

    #[track_caller]
    fn check(interval: &str, times: &[i64], gaps: u64) {
        let mut sessions = Sessions::new(interval.parse().unwrap());
        times.chunks(7).for_each(|part| sessions.learn(part));
        times.chunks(5).for_each(|part| sessions.count(part));
        assert_eq!(sessions.gaps(), gaps);
    }

    fn weekdays(days: i64) -> Vec<i64> {
        (0..days)
            .filter(|day| day % 7 < 5)
            .map(|day| MONDAY + day * DAY)
            .collect()
    }

    #[test]
    fn a_weekend_is_no_gap_and_a_lost_week_is() {
        check("1d", &weekdays(700), 0);
        let mut times = weekdays(700);
        times.drain(100..110);
        check("1d", &times, 1);
    }

    #[test]
    fn a_holiday_is_no_gap() {
        let mut times = weekdays(700);
        // One Monday in twenty is a holiday.
        times.retain(|time| (time - MONDAY) % (140 * DAY) != 0);
        check("1d", &times, 0);
    }

    #[test]
    fn a_day_lost_where_every_day_trades_is_a_gap() {
        let mut times: Vec<i64> = (0..700).map(|day| MONDAY + day * DAY).collect();
        times.remove(300);
        check("1d", &times, 1);
    }

    #[test]
    fn hours_within_a_session_count_and_nights_do_not() {
        let mut times: Vec<i64> = weekdays(140)
            .into_iter()
            .flat_map(|day| (9..17).map(move |h| day + h * HOUR))
            .collect();
        check("1h", &times, 0);
        times.remove(203);
        check("1h", &times, 1);
    }

    #[test]
    fn short_series_presume_weekdays() {
        let mut times: Vec<i64> = weekdays(14)
            .into_iter()
            .flat_map(|day| (9..17).map(move |h| day + h * HOUR))
            .collect();
        check("1h", &times, 0);
        times.drain(16..32);
        check("1h", &times, 1);
        check("1d", &weekdays(12), 0);
        check("1d", &[], 0);
    }

    #[test]
    fn months_are_judged_by_the_step() {
        let month = |n: i64| MONDAY + n * 30 * DAY;
        check("1mo", &[month(0), month(1), month(2), month(4)], 1);
    }
}
