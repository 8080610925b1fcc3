//! Waiting for what other processes do.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Asks again until there is an answer; fails with the last error, or with `what`, after `patience`.
pub fn until<T>(
    what: &str,
    patience: Duration,
    mut ask: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let end = Instant::now() + patience;
    let mut last;
    loop {
        match ask() {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) => last = None,
            Err(reason) => last = Some(reason),
        }
        if Instant::now() >= end {
            let said = last
                .map(|reason| format!(": {reason:#}"))
                .unwrap_or_default();
            bail!("waited {} s for {what}{said}", patience.as_secs());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
