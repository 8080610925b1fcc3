//! The graphics device: adapters, the one device in use, pooled buffers, and the router that
//! chooses between CPU and GPU.
//!
//! A kernel is a WGSL file beside the Rust module that runs it, described by a [`Kernel`], with a
//! CPU twin in that module. Running it is three steps:
//!
//! ```ignore
//! let input = gpu.upload(bytemuck::cast_slice(&values))?;
//! let output = gpu.storage(bytes)?;
//! let results = gpu.run(
//!     &[Dispatch { kernel: &KERNEL, buffers: &[&settings, &input, &output], groups: [n, 1, 1] }],
//!     &[&output],
//! )?;
//! ```
//!
//! Buffers are bound to `@group(0)` in their order: `@binding(0)`, `@binding(1)` and so on. Every
//! error of the device comes back as a [`GpuError`]; a caller then computes on the CPU. After a device was lost a new one is tried a few times.

mod adapter;
mod buffer;
mod device;
mod router;

pub use adapter::{AdapterFacts, AdapterKind, adapters};
pub use buffer::Buffer;
pub use device::{Dispatch, Gpu, Kernel};
pub use router::{Backend, Path, Probe, Router, UnknownBackend};

/// Why the GPU did not do it. The CPU can.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GpuError {
    /// No adapter is there.
    #[error("no graphics adapter with Vulkan, Metal or DirectX 12 was found")]
    NoAdapter,
    /// The adapter gave no device.
    #[error("{adapter} could not be used: {reason}")]
    Refused {
        /// Its name.
        adapter: String,
        /// The driver's reason.
        reason: String,
    },
    /// The device was lost: a driver was reset or updated, or an adapter unplugged.
    #[error("{adapter} was lost: {reason}")]
    Lost {
        /// Its name.
        adapter: String,
        /// The driver's reason.
        reason: String,
    },
    /// It is over a limit of the adapter: it must be done in tiles or on the CPU.
    #[error("{what} of {wanted} bytes is over this adapter's limit of {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// What was wanted, in bytes.
        wanted: u64,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The device refused the work.
    #[error("the graphics device failed: {0}")]
    Failed(String),
}
