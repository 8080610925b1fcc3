#![no_main]

#[path = "../cases/frames.rs"]
mod frames;
#[path = "../cases/pair.rs"]
mod pair;
#[path = "../cases/records.rs"]
mod records;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| records::case(bytes));
