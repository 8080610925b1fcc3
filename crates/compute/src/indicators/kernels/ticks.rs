//! Prices as whole numbers of their smallest step.
//!
//! A price file writes decimals; counted in its last decimal place they are integers, which a
//! GPU without 64-bit numbers adds and subtracts without error.

/// Most decimal places that are tried.
const PLACES: u32 = 8;

/// Ticks stay below this, so that the difference of two fits 32 bits with room to spare.
const LIMIT: f64 = (1_u32 << 30) as f64;

/// A series in ticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ticks {
    /// Ticks, at least zero, below 2³⁰.
    pub ticks: Vec<i32>,
    /// Ticks in one unit of price: a power of ten.
    pub scale: u32,
}

impl Ticks {
    /// `None` where some value is negative, not finite, too large, or no decimal of at most
    /// eight places: converting back must give the same value to the last bit.
    pub(super) fn of(series: &[f64]) -> Option<Self> {
        let mut places = 0;
        for &value in series {
            while !fits(value, 10_u32.pow(places)) {
                places += 1;
                if places > PLACES || value * f64::from(10_u32.pow(places)) >= LIMIT {
                    return None;
                }
            }
        }
        let scale = 10_u32.pow(places);
        // A later value may need a place more than an earlier one has room for.
        let ticks = series
            .iter()
            .map(|&value| fits(value, scale).then(|| to_ticks(value, scale)));
        Some(Self {
            ticks: ticks.collect::<Option<_>>()?,
            scale,
        })
    }
}

fn fits(value: f64, scale: u32) -> bool {
    let ticks = (value * f64::from(scale)).round();
    (0.0..LIMIT).contains(&ticks) && (ticks / f64::from(scale)).to_bits() == value.to_bits()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "`fits` holds it below 2^30"
)]
fn to_ticks(value: f64, scale: u32) -> i32 {
    (value * f64::from(scale)).round() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_become_ticks_where_they_fit() {
        #[track_caller]
        fn check(prices: &[f64], expected: Option<(&[i32], u32)>) {
            let ticks = Ticks::of(prices);
            assert_eq!(
                ticks.as_ref().map(|t| (t.ticks.as_slice(), t.scale)),
                expected
            );
        }
        check(&[1.5, 2.25, 3.0], Some((&[150, 225, 300], 100)));
        check(&[100_000.01], Some((&[10_000_001], 100)));
        check(&[], Some((&[], 1)));
        check(&[-1.0], None);
        check(&[f64::NAN], None);
        check(&[1.0 / 3.0], None);
        check(&[1e9, 0.01], None);
        check(&[2e9], None);
    }

    proptest::proptest! {
        #[test]
        fn what_fits_comes_back_exactly(whole in 0_i32..1 << 30, places in 0_u32..=8) {
            let scale = f64::from(10_u32.pow(places));
            let price = f64::from(whole) / scale;
            let ticks = Ticks::of(&[price]).unwrap();
            let back = f64::from(ticks.ticks[0]) / f64::from(ticks.scale);
            proptest::prop_assert_eq!(back.to_bits(), price.to_bits());
        }
    }
}
