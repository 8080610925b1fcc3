#![no_main]

#[path = "../cases/frames.rs"]
mod frames;
#[path = "../cases/page.rs"]
mod page;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| page::case(bytes));
