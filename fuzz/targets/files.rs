#![no_main]

#[path = "../cases/frames.rs"]
mod frames;
#[path = "../cases/pair.rs"]
mod pair;
#[path = "../cases/files.rs"]
mod files;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| files::case(bytes));
