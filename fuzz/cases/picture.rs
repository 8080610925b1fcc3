//! Pictures: the whole way of a batch, with small limits.

use artel_compute::imaging::{Limits, develop, probe, recipe};

/// One case.
pub fn case(bytes: &[u8]) {
    let limits = Limits::default();
    let Ok(facts) = probe(bytes) else { return };
    // Large ones are slow, and no different.
    if facts.memory() > 16 << 20 {
        return;
    }
    if let Some(web) = recipe("web") {
        let _ = develop(bytes, web, &limits, None);
    }
}
