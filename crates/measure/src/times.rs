//! Times of the same work, done several times.

use std::{
    fmt,
    time::{Duration, Instant},
};

/// Times of the same work, shortest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times(Vec<Duration>);

impl FromIterator<Duration> for Times {
    fn from_iter<I: IntoIterator<Item = Duration>>(times: I) -> Self {
        let mut times: Vec<_> = times.into_iter().collect();
        times.sort_unstable();
        Self(times)
    }
}

impl Times {
    /// These and others.
    #[must_use]
    pub fn with(self, others: Self) -> Self {
        self.0.into_iter().chain(others.0).collect()
    }

    /// The shortest.
    pub fn min(&self) -> Duration {
        self.0.first().copied().unwrap_or_default()
    }

    /// The longest.
    pub fn max(&self) -> Duration {
        self.0.last().copied().unwrap_or_default()
    }

    /// The one in the middle.
    pub fn median(&self) -> Duration {
        self.percentile(50)
    }

    /// The shortest that at least so many of a hundred do not exceed (nearest rank); zero of none.
    pub fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied().unwrap_or_default()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Times {
    /// Shortest, median, 95th percentile: `1.20 / 1.31 / 1.90 ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [min, median, p95] =
            [self.min(), self.median(), self.percentile(95)].map(|time| time.as_secs_f64() * 1e3);
        let digits = if median < 10.0 {
            3
        } else if median < 100.0 {
            2
        } else {
            1
        };
        write!(f, "{min:.digits$} / {median:.digits$} / {p95:.digits$} ms")
    }
}

/// Measures several kinds of work in turn, `rounds` times each, after one round that is not counted:
/// what disturbs the machine for a while disturbs them all.
pub fn race(rounds: usize, works: &mut [&mut dyn FnMut()]) -> Vec<Times> {
    let mut times = vec![Vec::with_capacity(rounds); works.len()];
    for round in 0..=rounds {
        for (work, times) in works.iter_mut().zip(&mut times) {
            let begun = Instant::now();
            work();
            let took = begun.elapsed();
            if round > 0 {
                times.push(took);
            }
        }
    }
    times.into_iter().map(Times::from_iter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let times: Times = (1..=20).rev().map(Duration::from_millis).collect();
        for (percent, expected) in [(0, 1), (5, 1), (50, 10), (95, 19), (96, 20), (100, 20)] {
            assert_eq!(
                times.percentile(percent),
                Duration::from_millis(expected),
                "{percent}"
            );
        }
        assert_eq!(times.to_string(), "1.00 / 10.00 / 19.00 ms");
        assert_eq!(Times::default().percentile(95), Duration::ZERO);
    }

    #[test]
    fn a_race_runs_everything_in_turn_and_leaves_the_first_round_out() {
        let order = std::cell::RefCell::new(String::new());
        let times = race(
            2,
            &mut [&mut || order.borrow_mut().push('a'), &mut || {
                order.borrow_mut().push('b');
            }],
        );
        assert_eq!(order.into_inner(), "ababab");
        assert_eq!(times.iter().map(Times::len).collect::<Vec<_>>(), [2, 2]);
    }
}
