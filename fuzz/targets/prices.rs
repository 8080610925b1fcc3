#![no_main]

#[path = "../cases/prices.rs"]
mod prices;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| prices::case(bytes));
