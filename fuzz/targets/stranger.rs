#![no_main]

#[path = "../cases/frames.rs"]
mod frames;
#[path = "../cases/stranger.rs"]
mod stranger;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stranger::case(bytes));
