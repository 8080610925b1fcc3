//! Buffers on the device, taken from a pool and returned to it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Memory that idle buffers may keep, in bytes.
const IDLE_MOST: u64 = 256 << 20;
/// Size of the smallest buffer, in bytes.
const SMALLEST: u64 = 256;

/// A buffer on the device. What it holds before it is written is undefined: it may come from the
/// pool. It returns there when dropped.
#[derive(Debug)]
pub struct Buffer {
    raw: Option<wgpu::Buffer>,
    bytes: u64,
    usage: wgpu::BufferUsages,
    pool: Arc<Pool>,
}

impl Buffer {
    /// Size that was asked for, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The device's own object, which is at least as large.
    pub(super) fn raw(&self) -> Option<&wgpu::Buffer> {
        self.raw.as_ref()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(buffer) = self.raw.take() {
            self.pool.give(self.usage, buffer);
        }
    }
}

/// Idle buffers by usage and size.
#[derive(Debug, Default)]
pub(super) struct Pool {
    idle: Mutex<Idle>,
}

#[derive(Debug, Default)]
struct Idle {
    buffers: HashMap<(wgpu::BufferUsages, u64), Vec<wgpu::Buffer>>,
    bytes: u64,
}

impl Pool {
    /// An idle buffer of this usage and size, or a new one.
    pub(super) fn take(
        self: &Arc<Self>,
        device: &wgpu::Device,
        usage: wgpu::BufferUsages,
        bytes: u64,
        most: u64,
    ) -> Buffer {
        let size = size_class(bytes, most);
        let found = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            let found = idle.buffers.get_mut(&(usage, size)).and_then(Vec::pop);
            if found.is_some() {
                idle.bytes = idle.bytes.saturating_sub(size);
            }
            found
        };
        let buffer = found.unwrap_or_else(|| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size,
                usage,
                mapped_at_creation: false,
            })
        });
        Buffer {
            raw: Some(buffer),
            bytes,
            usage,
            pool: Arc::clone(self),
        }
    }

    fn give(&self, usage: wgpu::BufferUsages, buffer: wgpu::Buffer) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.bytes + buffer.size() <= IDLE_MOST {
            idle.bytes += buffer.size();
            idle.buffers
                .entry((usage, buffer.size()))
                .or_default()
                .push(buffer);
        }
    }
}

/// Sizes grow by an eighth of a power of two, so that similar requests share buffers and little is
/// wasted. Always a multiple of 4, as copies need.
fn size_class(bytes: u64, most: u64) -> u64 {
    let bytes = bytes.max(SMALLEST);
    let step = (bytes.checked_next_power_of_two().unwrap_or(bytes) / 16).max(SMALLEST);
    bytes
        .next_multiple_of(step)
        .min(most.max(bytes.next_multiple_of(4)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_class_holds_the_request_and_wastes_little(bytes in 1_u64..1 << 32) {
            let class = size_class(bytes, u64::MAX);
            prop_assert!(class >= bytes && class.is_multiple_of(4));
            prop_assert!(class <= bytes + bytes / 8 + SMALLEST);
        }
    }
}
