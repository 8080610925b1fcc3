#![no_main]

#[path = "../cases/frames.rs"]
mod frames;
#[path = "../cases/pair.rs"]
mod pair;
#[path = "../cases/member.rs"]
mod member;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| member::case(bytes));
