//! Pictures: the whole way of a batch, with small limits.
#![no_main]

use artel_compute::imaging::{Limits, develop, probe, recipe};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default();
    let Ok(facts) = probe(bytes) else { return };
    // Large ones are slow, and no different.
    if facts.memory() > 16 << 20 {
        return;
    }
    if let Some(web) = recipe("web") {
        let _ = develop(bytes, web, &limits, None);
    }
});
