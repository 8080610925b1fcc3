//! Computation: indicators over prices and, with the GPU, pictures. Every kernel has a CPU twin.

pub mod gpu;
pub mod imaging;
pub mod indicators;
pub mod market;
