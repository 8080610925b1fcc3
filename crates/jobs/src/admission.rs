//! Admission: how many items are worked on at once, and within how much memory.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How often a waiting worker looks whether it should still wait.
const RECHECK: Duration = Duration::from_millis(50);

/// Slots and bytes shared by all running jobs. First come, first served, so that a large item is
/// not overtaken for ever by small ones.
#[derive(Debug)]
pub struct Admission {
    slots: usize,
    bytes: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    slots: usize,
    bytes: u64,
    next_ticket: u64,
    waiting: VecDeque<u64>,
}

/// A place that was given; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    admission: Arc<Admission>,
    bytes: u64,
}

impl Admission {
    /// At most `slots` items at once, together within `bytes` of memory.
    pub fn new(slots: usize, bytes: u64) -> Arc<Self> {
        Arc::new(Self {
            slots: slots.max(1),
            bytes,
            state: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// Waits for a place. An item that is larger than all the memory runs alone. `None` once
    /// `stopped` says that nobody wants it any more.
    pub(crate) fn admit(
        self: &Arc<Self>,
        bytes: u64,
        stopped: impl Fn() -> bool,
    ) -> Option<Permit> {
        let bytes = bytes.min(self.bytes);
        let mut state = self.lock();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.waiting.push_back(ticket);
        loop {
            if stopped() {
                state.waiting.retain(|waiting| *waiting != ticket);
                self.changed.notify_all();
                return None;
            }
            let first = state.waiting.front() == Some(&ticket);
            if first && state.slots < self.slots && state.bytes + bytes <= self.bytes {
                state.waiting.pop_front();
                state.slots += 1;
                state.bytes += bytes;
                self.changed.notify_all();
                return Some(Permit {
                    admission: Arc::clone(self),
                    bytes,
                });
            }
            state = self
                .changed
                .wait_timeout(state, RECHECK)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The counters are changed together and no code that may panic runs in between.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.admission.lock();
        state.slots = state.slots.saturating_sub(1);
        state.bytes = state.bytes.saturating_sub(self.bytes);
        self.admission.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> impl Fn() -> bool {
        || true
    }

    #[test]
    fn memory_is_admitted_within_the_limit_and_returned() {
        let admission = Admission::new(8, 100);
        let first = admission.admit(60, || false).unwrap();
        // A stopped waiter is told so at once when there is no room for it.
        assert!(admission.admit(60, now()).is_none());
        drop(first);
        assert!(admission.admit(60, || false).is_some());
    }

    #[test]
    fn an_item_larger_than_the_memory_runs_alone() {
        let admission = Admission::new(8, 100);
        let large = admission.admit(1_000, || false).unwrap();
        assert!(admission.admit(1, now()).is_none());
        drop(large);
        assert!(admission.admit(1, || false).is_some());
    }

    #[test]
    fn a_large_item_is_not_overtaken() {
        let admission = Admission::new(8, 100);
        let first = admission.admit(50, || false).unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        let threads: Vec<_> = [(100, "large"), (10, "small")]
            .into_iter()
            .map(|(bytes, name)| {
                let (theirs, sender) = (Arc::clone(&admission), sender.clone());
                let thread = std::thread::spawn(move || {
                    let permit = theirs.admit(bytes, || false);
                    sender.send(name).unwrap();
                    drop(permit);
                });
                while admission.lock().waiting.len() < if name == "large" { 1 } else { 2 } {
                    std::thread::yield_now();
                }
                thread
            })
            .collect();
        drop(first);
        assert_eq!(receiver.recv().unwrap(), "large");
        assert_eq!(receiver.recv().unwrap(), "small");
        for thread in threads {
            thread.join().unwrap();
        }
    }
}
