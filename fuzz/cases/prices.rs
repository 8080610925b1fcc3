//! Price files: every bar that comes out of one is sound and in order.

use std::convert::Infallible;

use artel_compute::market::{Bar, Options, read};

/// One case.
pub fn case(bytes: &[u8]) {
    let mut bars = 0;
    let read = read(bytes, &Options::default(), |batch: &[Bar]| {
        bars += batch.len() as u64;
        for bar in batch {
            assert!(bar.low <= bar.open && bar.open <= bar.high, "{bar:?}");
            assert!(bar.low <= bar.close && bar.close <= bar.high, "{bar:?}");
            assert!(bar.low >= 0.0 && bar.high.is_finite(), "{bar:?}");
        }
        assert!(
            batch
                .windows(2)
                .all(|pair| matches!(pair, [a, b] if a.time < b.time))
        );
        Ok::<_, Infallible>(())
    });
    if let Ok(survey) = read {
        assert_eq!(survey.bars, bars);
    }
}
