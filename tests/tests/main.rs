//! Journeys across crates, with the programs as built.

mod hosts;
mod window;
