//! Made-up numbers, the same every time.

/// A small fixed-seed generator (Marsaglia's xorshift64): good enough to make up data with.
#[derive(Clone, Debug)]
pub struct Noise(u64);

impl Noise {
    /// The sequence of this seed.
    pub fn new(seed: u64) -> Self {
        // Zero would stay zero; seeds close to each other must not give sequences that are.
        Self((seed ^ 0x9E37_79B9_7F4A_7C15).wrapping_mul(0xD134_2543_DE82_EF95) | 1)
    }

    /// The next number.
    pub fn bits(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Evenly spread over 0 to 1, without 1.
    pub fn fraction(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// One of the choices; the default where there is none.
    pub fn pick<T: Copy + Default>(&mut self, choices: &[T]) -> T {
        let index = usize::try_from(self.bits() >> 32).unwrap_or(0) % choices.len().max(1);
        choices.get(index).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::Noise;

    #[test]
    fn fractions_are_spread_and_the_same_every_time() {
        let draw = || {
            let mut noise = Noise::new(7);
            (0..10_000).map(|_| noise.fraction()).collect::<Vec<_>>()
        };
        let fractions = draw();
        assert_eq!(fractions, draw());
        assert!(
            fractions
                .iter()
                .all(|fraction| (0.0..1.0).contains(fraction))
        );
        let mean = fractions.iter().sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
    }
}
