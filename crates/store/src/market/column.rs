//! How a column of a chunk is written.
//!
//! One byte for the form, then LZ4 of the numbers. Times and prices that are decimals are
//! written as the differences of whole numbers, zigzag and in seven-bit groups: neighbours
//! differ little, so most take one or two bytes. Prices are whole in units of 10⁻ᵈ, d being in
//! the form byte, and only where dividing gives back every figure to the last bit; otherwise
//! the 64-bit numbers are written as they are.

use super::damaged;
use crate::StoreError;

/// Form byte of plain 64-bit figures; smaller ones are the number of decimal places.
const PLAIN: u8 = 0xFF;

/// Most decimal places tried. Powers of ten to 10²² are exact, but ten places suffice.
const PLACES: u8 = 10;

/// Whole numbers below this are exact in 64 bits.
const EXACT: f64 = (1_u64 << 53) as f64;

/// Longest seven-bit form of a 64-bit number.
const LONGEST: usize = 10;

pub(super) fn encode_times(times: &[i64]) -> Vec<u8> {
    sealed(0, &differences(times.iter().copied()))
}

pub(super) fn decode_times(data: &[u8], count: usize) -> Result<Vec<i64>, StoreError> {
    let (_, bytes) = opened(data, count)?;
    whole_numbers(&bytes, count)
}

pub(super) fn encode_figures(figures: &[f64]) -> Vec<u8> {
    if let Some(places) = decimal_places(figures) {
        let scale = 10_f64.powi(i32::from(places));
        sealed(
            places,
            &differences(figures.iter().map(|figure| whole(figure * scale))),
        )
    } else {
        let plain: Vec<u8> = figures
            .iter()
            .flat_map(|figure| figure.to_le_bytes())
            .collect();
        sealed(PLAIN, &plain)
    }
}

pub(super) fn decode_figures(data: &[u8], count: usize) -> Result<Vec<f64>, StoreError> {
    let (form, bytes) = opened(data, count)?;
    if form == PLAIN {
        let (figures, []) = bytes.as_chunks::<8>() else {
            return Err(damaged("a column is cut short"));
        };
        if figures.len() != count {
            return Err(damaged("a column has the wrong length"));
        }
        return Ok(figures
            .iter()
            .map(|bytes| f64::from_le_bytes(*bytes))
            .collect());
    }
    if form > PLACES {
        return Err(damaged("a column has an unknown form"));
    }
    let scale = 10_f64.powi(i32::from(form));
    let numbers = whole_numbers(&bytes, count)?;
    Ok(numbers
        .into_iter()
        .map(|number| number as f64 / scale)
        .collect())
}

/// Fewest decimal places with which all figures are whole and come back exactly.
fn decimal_places(figures: &[f64]) -> Option<u8> {
    let mut places = 0;
    let comes_back = |figure: f64, places: u8| {
        let scale = 10_f64.powi(i32::from(places));
        let number = (figure * scale).round();
        number.abs() < EXACT && (number / scale).to_bits() == figure.to_bits()
    };
    for &figure in figures {
        while !comes_back(figure, places) {
            places += 1;
            if places > PLACES {
                return None;
            }
        }
    }
    // Large figures that fitted with fewer places need not fit with more.
    figures
        .iter()
        .all(|figure| comes_back(*figure, places))
        .then_some(places)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "`decimal_places` holds it below 2^53"
)]
fn whole(scaled: f64) -> i64 {
    scaled.round() as i64
}

fn sealed(form: u8, bytes: &[u8]) -> Vec<u8> {
    let mut data = vec![form];
    data.extend(lz4_flex::compress_prepend_size(bytes));
    data
}

/// The form byte and the bytes under LZ4. The stated size is believed only within what `count`
/// numbers can take.
fn opened(data: &[u8], count: usize) -> Result<(u8, Vec<u8>), StoreError> {
    let (&form, packed) = data
        .split_first()
        .ok_or_else(|| damaged("a column is empty"))?;
    let stated = packed
        .first_chunk::<4>()
        .map(|size| u32::from_le_bytes(*size));
    let limit = count.saturating_mul(LONGEST);
    match stated.map(usize::try_from) {
        Some(Ok(size)) if size <= limit => {}
        _ => return Err(damaged("a column states an impossible size")),
    }
    let bytes = lz4_flex::decompress_size_prepended(packed).map_err(damaged)?;
    Ok((form, bytes))
}

fn differences(numbers: impl Iterator<Item = i64>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut before = 0_i64;
    for number in numbers {
        let difference = number.wrapping_sub(before);
        before = number;
        let mut zigzag = (difference.wrapping_shl(1) ^ (difference >> 63)).cast_unsigned();
        while let Ok(low) = u8::try_from(zigzag & 0x7F)
            && zigzag > 0x7F
        {
            bytes.push(low | 0x80);
            zigzag >>= 7;
        }
        bytes.push(u8::try_from(zigzag).unwrap_or_default());
    }
    bytes
}

fn whole_numbers(bytes: &[u8], count: usize) -> Result<Vec<i64>, StoreError> {
    let mut numbers = Vec::with_capacity(count);
    let mut before = 0_i64;
    let (mut zigzag, mut shift) = (0_u64, 0_u32);
    for byte in bytes {
        if shift > 63 {
            return Err(damaged("a number of a column does not end"));
        }
        zigzag |= u64::from(byte & 0x7F) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            let difference = (zigzag >> 1).cast_signed() ^ -((zigzag & 1).cast_signed());
            before = before.wrapping_add(difference);
            numbers.push(before);
            (zigzag, shift) = (0, 0);
        }
    }
    if shift != 0 || numbers.len() != count {
        return Err(damaged("a column has the wrong length"));
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn times_come_back(times in prop::collection::vec(any::<i64>(), 0..300)) {
            let data = encode_times(&times);
            prop_assert_eq!(decode_times(&data, times.len()).unwrap(), times);
        }

        #[test]
        fn figures_come_back_to_the_last_bit(figures in prop::collection::vec(any::<u64>().prop_map(f64::from_bits), 0..300)) {
            let back = decode_figures(&encode_figures(&figures), figures.len()).unwrap();
            prop_assert!(back.iter().zip(&figures).all(|(one, other)| one.to_bits() == other.to_bits()));
        }

        #[test]
        fn decimals_come_back_and_are_small(ticks in prop::collection::vec(1_i64..10_000_000, 100..300), places in 0_i32..8) {
            let figures: Vec<f64> = ticks.iter().map(|tick| *tick as f64 / 10_f64.powi(places)).collect();
            let data = encode_figures(&figures);
            prop_assert_ne!(data[0], PLAIN);
            prop_assert!(data.len() < figures.len() * 8);
            let back = decode_figures(&data, figures.len()).unwrap();
            prop_assert!(back.iter().zip(&figures).all(|(one, other)| one.to_bits() == other.to_bits()));
        }

        #[test]
        fn damage_is_an_error_or_other_numbers_but_never_a_panic(data in prop::collection::vec(any::<u8>(), 0..200), count in 0_usize..50) {
            let _ = decode_times(&data, count);
            let _ = decode_figures(&data, count);
        }
    }
}
