//! Where a node's random bytes come from.

use artel_domain::key::NoEntropy;

/// Where a node's random bytes come from.
#[derive(Debug)]
pub struct Entropy(Source);

#[derive(Debug)]
enum Source {
    System,
    Seeded { seed: u64, drawn: u64 },
}

impl Entropy {
    /// From the operating system.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// The same bytes for the same seed: for simulations only.
    pub fn seeded(seed: u64) -> Self {
        Self(Source::Seeded { seed, drawn: 0 })
    }

    /// The next bytes.
    pub(crate) fn draw<const N: usize>(&mut self) -> Result<[u8; N], NoEntropy> {
        match &mut self.0 {
            Source::System => artel_domain::key::random(),
            Source::Seeded { seed, drawn } => {
                *drawn += 1;
                let mut bytes = [0; N];
                let mut hasher =
                    blake3::Hasher::new_derive_key("artel 2026-11 simulated randomness");
                hasher
                    .update(&seed.to_le_bytes())
                    .update(&drawn.to_le_bytes());
                hasher.finalize_xof().fill(&mut bytes);
                Ok(bytes)
            }
        }
    }
}
