//! What comes from outside, through the crate's public face.

mod decoders;
mod fuzz;
