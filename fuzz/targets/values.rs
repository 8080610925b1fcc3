#![no_main]

#[path = "../cases/values.rs"]
mod values;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| values::case(bytes));
