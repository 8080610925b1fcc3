//! How many chunks of files are asked for at a time.
//!
//! Files give way to everything else, and not on a link alone: the machine that serves, the one that writes and the cable
//! that many share are slowed down by them as well. All of that shows in how long a chunk takes to come. So more are
//! asked for while they come soon, half as many once several in a row do not, and in the end there are pauses between
//! them: LEDBAT (RFC 6817), told by chunks.

/// A chunk that takes no longer than this beyond the quickest came soon, in milliseconds.
const SOON: i64 = 40;
/// Chunks in a row that did not, before fewer are asked for: a network may be uneven without anybody waiting.
const IN_A_ROW: u32 = 4;
/// Parts of a chunk in which the share is told.
const WHOLE: u32 = 16;
/// Most that is asked for at a time, over all links.
const MOST: u32 = 32 * WHOLE;
/// Least: a pause three times as long as a chunk takes.
const LEAST: u32 = WHOLE / 4;
/// The longest pause between two chunks, in milliseconds.
const LONGEST: i64 = 250;

/// The share that files have of what there is.
#[derive(Debug)]
pub(super) struct Pace {
    /// How much is asked for at a time, in parts of a chunk. Less than a whole one makes for pauses.
    share: u32,
    /// Chunks in a row that were late.
    late: u32,
    /// When the share was last made smaller. What was asked for before says nothing of it.
    since: i64,
    /// Until when nothing more is asked for.
    rests: i64,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            share: WHOLE,
            late: 0,
            since: i64::MIN,
            rests: i64::MIN,
        }
    }

    /// Chunks that may be asked for and not have come.
    pub(super) fn allowed(&self, now: i64) -> usize {
        if now < self.rests {
            return 0;
        }
        usize::try_from(self.share / WHOLE)
            .unwrap_or(usize::MAX)
            .max(1)
    }

    /// Until when nothing more is asked for, if it is later than now.
    pub(super) fn rests(&self, now: i64) -> Option<i64> {
        Some(self.rests).filter(|rests| now < *rests)
    }

    /// A chunk came that was asked for then; the quickest took so long.
    pub(super) fn came(&mut self, now: i64, asked: i64, quickest: i64) {
        let took = now.saturating_sub(asked).max(0);
        if took.saturating_sub(quickest) <= SOON {
            // One chunk more for each time that as many have come as are asked for.
            let more = WHOLE * WHOLE / self.share.max(WHOLE);
            self.share = (self.share + more.max(1)).min(MOST);
            self.late = 0;
        } else if asked >= self.since {
            self.late += 1;
        }
        if self.late >= IN_A_ROW {
            self.share = (self.share / 2).max(LEAST);
            self.late = 0;
            self.since = now;
        }
        if self.share < WHOLE {
            let pause = took.saturating_mul(i64::from(WHOLE / self.share) - 1);
            self.rests = now.saturating_add(pause.min(LONGEST));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chunks of one machine that come after a time that depends on how many are on their way; the share in the end, and
    /// the time that it took.
    fn settle(rounds: usize, took: impl Fn(usize) -> i64) -> (u32, i64) {
        let mut pace = Pace::new();
        let (mut now, mut quickest) = (0, i64::MAX);
        for _ in 0..rounds {
            now = pace.rests(now).unwrap_or(now);
            let open = pace.allowed(now);
            let asked = now;
            now += took(open);
            quickest = quickest.min(took(open));
            for _ in 0..open {
                pace.came(now, asked, quickest);
            }
        }
        (pace.share, now)
    }

    #[test]
    fn more_are_asked_for_while_they_come_soon() {
        assert_eq!(settle(100, |_| 5).0, MOST);
        assert_eq!(settle(100, |_| 700).0, MOST, "a slow cable");
    }

    #[test]
    fn fewer_are_asked_for_once_they_queue() {
        for each in [10, 20] {
            let (share, _) = settle(1_000, |open| each * i64::try_from(open).unwrap());
            let open = i64::from(share / WHOLE);
            assert!(open * each <= SOON + 2 * each, "{open} at {each} ms each");
            assert!(open * each >= SOON / 2, "{open} at {each} ms each");
        }
    }

    #[test]
    fn there_are_pauses_where_even_one_at_a_time_is_late() {
        // The first came before everybody else began.
        let mut pace = Pace::new();
        let mut now = 0;
        pace.came(5, 0, 5);
        for _ in 0..100 {
            now = pace.rests(now).unwrap_or(now);
            let asked = now;
            now += 60;
            pace.came(now, asked, 5);
        }
        assert_eq!(pace.allowed(now), 0);
        assert_eq!(pace.rests(now), Some(now + 3 * 60));
        assert!(now > 80 * 4 * 60, "{now}");
    }

    #[test]
    fn one_late_chunk_among_others_changes_nothing() {
        let mut pace = Pace::new();
        for round in 0..10_000 {
            let took = if round % IN_A_ROW == 0 { 5 } else { 500 };
            pace.came(round.into(), i64::from(round) - took, 5);
        }
        assert_eq!(pace.share, MOST);
    }

    #[test]
    fn what_was_asked_for_before_halves_nothing_twice() {
        let mut pace = Pace::new();
        for at in 0..1_000 {
            pace.came(at, at, 0);
        }
        let before = pace.allowed(1_000);
        for _ in 0..before {
            pace.came(1_000, 100, 0);
        }
        assert_eq!(pace.allowed(1_000), before / 2);
    }
}
