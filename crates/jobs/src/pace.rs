//! How many workers a job has, by the wait that is measured.
//!
//! A worker waits when memory or a slot is not admitted. If much of the workers' time goes there,
//! one fewer does the same work with less; if little does, one more may help, up to the cores.

use std::time::{Duration, Instant};

/// How long is measured between two changes.
const INTERVAL: Duration = Duration::from_millis(500);
/// Above this share of waiting a worker goes.
const TOO_MUCH: f64 = 0.4;
/// Below this share of waiting a worker comes.
const LITTLE: f64 = 0.1;

/// Decides the number of workers.
#[derive(Debug)]
pub(crate) struct Pace {
    most: usize,
    workers: usize,
    since: Instant,
}

impl Pace {
    /// Begins with half of the workers that there may be.
    pub(crate) fn new(most: usize, now: Instant) -> Self {
        let most = most.max(1);
        Self {
            most,
            workers: most.div_ceil(2),
            since: now,
        }
    }

    /// How many workers there should be.
    pub(crate) fn workers(&self) -> usize {
        self.workers
    }

    /// Looks at the wait of all workers since the last change; `true` when the measure starts anew.
    pub(crate) fn look(&mut self, now: Instant, waited: Duration) -> bool {
        let passed = now.saturating_duration_since(self.since);
        if passed < INTERVAL {
            return false;
        }
        let share = waited.as_secs_f64() / (passed.as_secs_f64() * self.workers as f64);
        if share > TOO_MUCH {
            self.workers = (self.workers - 1).max(1);
        } else if share < LITTLE {
            self.workers = (self.workers + 1).min(self.most);
        }
        self.since = now;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_without_wait_and_shrinks_with_it_within_its_bounds() {
        let mut now = Instant::now();
        let mut pace = Pace::new(8, now);
        assert_eq!(pace.workers(), 4);
        for expected in [5, 6, 7, 8, 8] {
            now += INTERVAL;
            assert!(pace.look(now, Duration::ZERO));
            assert_eq!(pace.workers(), expected);
        }
        for expected in [7, 6, 5, 4, 3, 2, 1, 1] {
            now += INTERVAL;
            assert!(pace.look(now, INTERVAL * 8));
            assert_eq!(pace.workers(), expected);
        }
        assert!(!pace.look(now, Duration::ZERO), "too early for a measure");
    }
}
