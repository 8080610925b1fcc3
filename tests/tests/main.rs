//! Journeys across crates, with the programs as built.

// All of this is test code, its helpers too, which clippy.toml's allowances do not reach.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod bad_input;
mod bad_lan;
mod contract;
mod disk;
mod hostile;
mod hosts;
mod killed;
mod one_address;
mod owner;
mod screens;
mod two_homes;
mod window;
mod work;
