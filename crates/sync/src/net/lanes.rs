//! What waits to be sent on one link: text before files, always, and never without bound.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use super::Lane;

/// Most bytes of text frames that may wait. A peer that lets more pile up is too slow to keep.
const MAX_TEXT: usize = 8 * 1024 * 1024;
/// Most bytes of file frames that may wait: the 256 KiB of the protocol and their framing.
const MAX_FILE: usize = 320 * 1024;
/// What a frame counts at least, so that empty ones are bounded too.
const LEAST: usize = 512;

/// The peer does not take what it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overrun;

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Vec<u8>>,
    bytes: usize,
}

impl Queue {
    fn push(&mut self, frame: Vec<u8>, most: usize) -> Result<(), Overrun> {
        let cost = frame.len().max(LEAST);
        // One frame always fits, or a large one could never be sent.
        if self.bytes > 0 && self.bytes + cost > most {
            return Err(Overrun);
        }
        self.bytes += cost;
        self.frames.push_back(frame);
        Ok(())
    }

    fn pop(&mut self) -> Option<Vec<u8>> {
        let frame = self.frames.pop_front()?;
        self.bytes -= frame.len().max(LEAST);
        Some(frame)
    }
}

#[derive(Debug, Default)]
struct Waiting {
    text: Queue,
    file: Queue,
    finished: bool,
}

/// The two queues of a link. One side pushes, one task takes.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    waiting: Mutex<Waiting>,
    changed: Notify,
}

/// What the taking side does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Send this frame.
    Frame(Vec<u8>),
    /// Nothing waits: flush, then wait for [`Lanes::changed`].
    Idle,
    /// Nothing waits and nothing more will come.
    Finished,
}

impl Lanes {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a frame; fails when the lane is full.
    pub(super) fn push(&self, lane: Lane, frame: Vec<u8>) -> Result<(), Overrun> {
        let mut waiting = self.lock();
        match lane {
            Lane::Text => waiting.text.push(frame, MAX_TEXT)?,
            Lane::File => waiting.file.push(frame, MAX_FILE)?,
        }
        drop(waiting);
        self.changed.notify_one();
        Ok(())
    }

    /// No more frames will come: text that waits is still sent, files are dropped.
    pub(super) fn finish(&self) {
        let mut waiting = self.lock();
        waiting.finished = true;
        waiting.file = Queue::default();
        drop(waiting);
        self.changed.notify_one();
    }

    /// Takes the next frame: text first.
    pub(super) fn take(&self) -> Next {
        let mut waiting = self.lock();
        let frame = waiting.text.pop();
        match frame.or_else(|| waiting.file.pop()) {
            Some(frame) => Next::Frame(frame),
            None if waiting.finished => Next::Finished,
            None => Next::Idle,
        }
    }

    /// Waits until something was pushed or finished since the last wait.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_overtakes_files() {
        let lanes = Lanes::default();
        lanes.push(Lane::File, vec![1]).unwrap();
        lanes.push(Lane::File, vec![2]).unwrap();
        lanes.push(Lane::Text, vec![3]).unwrap();
        assert_eq!(lanes.take(), Next::Frame(vec![3]));
        assert_eq!(lanes.take(), Next::Frame(vec![1]));
        lanes.push(Lane::Text, vec![4]).unwrap();
        assert_eq!(lanes.take(), Next::Frame(vec![4]));
        lanes.push(Lane::Text, vec![5]).unwrap();
        lanes.finish();
        assert_eq!(lanes.take(), Next::Frame(vec![5]));
        assert_eq!(lanes.take(), Next::Finished, "files are dropped at the end");
    }

    #[test]
    fn both_lanes_are_bounded() {
        for (lane, most) in [(Lane::Text, MAX_TEXT), (Lane::File, MAX_FILE)] {
            for size in [0, 1, 64 * 1024] {
                let lanes = Lanes::default();
                let mut held = 0;
                while lanes.push(lane, vec![0; size]).is_ok() {
                    held += size.max(LEAST);
                    assert!(held <= most);
                }
                assert!(held + size.max(LEAST) > most);
                assert_eq!(lanes.take(), Next::Frame(vec![0; size]));
                assert!(lanes.push(lane, vec![0; size]).is_ok());
            }
        }
    }
}
