#![no_main]

#[path = "../cases/picture.rs"]
mod picture;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| picture::case(bytes));
