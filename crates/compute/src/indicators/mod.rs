//! Technical indicators.
//!
//! The catalogue ([`functions`]) is every function of the `ta-lib` crate, read from the registry
//! that the crate generates from the same definitions as its `ta_func_api.xml`; a test compares
//! the two. A [`Call`] is one function with its parameters, written `RSI:14`. [`Call::compute`]
//! runs it over [`Ohlcv`] columns through ta-lib's own dispatcher, which is the reference.
//! [`kernels`] holds our own versions, for many series at once, on the CPU and the GPU.
//!
//! Undefined is not a number that is not one: an [`Output`] begins at the bar it is first
//! defined at, and everything before is absent. Values from there on may still be NaN or
//! infinite where the mathematics says so (`ACOS` of a price).
//!
//! The three functions that are drawn shifted on charts (`FRACTAL`, `DPO`, `ICHIMOKU`) are
//! returned unshifted, at the bar that computed them: a shift would leak the future into
//! features.

pub mod kernels;
pub mod spelling;

mod call;
mod catalogue;
mod output;

#[cfg(test)]
mod tests;

pub use call::{Call, CallError, ComputeError};
pub use catalogue::{Function, Parameter, functions};
pub use output::{Ohlcv, Output, Values};
