//! How many chunks of files are asked for at a time.
//!
//! Files give way to everything else, and not on a link alone: the machine that serves, the one that writes and the cable
//! that many share are slowed down by them as well. All three show in how long a chunk takes to come. So more are asked
//! for while they come soon, and half as many once they do not, as LEDBAT does it (RFC 6817).

use std::num::NonZeroU32;

use artel_domain::limits::{CHUNK, FILE_WINDOW};

/// A chunk that takes no longer than this beyond the quickest of its source came soon, in milliseconds.
const SOON: i64 = 40;
/// Most chunks that are asked for at a time, over all links.
const MOST: NonZeroU32 = NonZeroU32::new(8 * (FILE_WINDOW / CHUNK) as u32).unwrap();

/// The chunks that may be asked for at a time, over all links.
pub(super) struct Pace {
    allowed: NonZeroU32,
    /// Chunks that came soon since it was last changed.
    soon: u32,
    /// Since when what is late was asked for under the present number.
    since: i64,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            allowed: NonZeroU32::MIN,
            soon: 0,
            since: i64::MIN,
        }
    }

    pub(super) fn allowed(&self) -> usize {
        usize::try_from(self.allowed.get()).unwrap_or(usize::MAX)
    }

    /// A chunk came that was asked for then, of a source whose quickest took so long.
    pub(super) fn came(&mut self, now: i64, asked: i64, quickest: i64) {
        let took = now.saturating_sub(asked);
        if took.saturating_sub(quickest) <= SOON {
            self.soon += 1;
            if self.soon >= self.allowed.get() {
                self.allowed = self.allowed.saturating_add(1).min(MOST);
                self.soon = 0;
            }
        } else if asked >= self.since {
            // What was asked for before says nothing of the present number.
            self.allowed = NonZeroU32::new(self.allowed.get() / 2).unwrap_or(NonZeroU32::MIN);
            self.soon = 0;
            self.since = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chunks that come after a time that depends on how many are on their way; how many are asked for in the end.
    fn settle(rounds: usize, took: impl Fn(usize) -> i64) -> usize {
        let mut pace = Pace::new();
        let (mut now, mut quickest) = (0, i64::MAX);
        for _ in 0..rounds {
            let took = took(pace.allowed());
            let asked = now;
            now += took;
            quickest = quickest.min(took);
            for _ in 0..pace.allowed() {
                pace.came(now, asked, quickest);
            }
        }
        pace.allowed()
    }

    #[test]
    fn more_are_asked_for_while_they_come_soon() {
        assert_eq!(settle(100, |_| 5), MOST.get() as usize);
        assert_eq!(settle(100, |_| 700), MOST.get() as usize, "a slow cable");
    }

    #[test]
    fn fewer_are_asked_for_once_they_queue() {
        let shared = |each: i64| move |open: usize| each * i64::try_from(open).unwrap();
        for each in [10, 20, 100] {
            let open = settle(1_000, shared(each));
            assert!(
                i64::try_from(open).unwrap() * each <= SOON + 2 * each,
                "{open} at {each} ms each"
            );
        }
    }

    #[test]
    fn what_was_asked_for_before_halves_nothing_twice() {
        let mut pace = Pace::new();
        for at in 0..100 {
            pace.came(at, at, 0);
        }
        let before = pace.allowed();
        for _ in 0..before {
            pace.came(1_000, 100, 0);
        }
        assert_eq!(pace.allowed(), before / 2);
    }
}
