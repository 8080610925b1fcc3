//! Some of the chunks of a file.

/// Some of the chunks of a file, a bit each, the lowest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Chunks {
    bits: Vec<u8>,
    count: u32,
}

impl Chunks {
    /// Those of a file with so many chunks; bits beyond its end are dropped.
    pub(super) fn of(mut bits: Vec<u8>, chunks: u32) -> Self {
        let whole = usize::try_from(chunks.div_ceil(8)).unwrap_or(usize::MAX);
        bits.truncate(whole);
        let beyond = chunks % 8;
        if beyond != 0
            && let Some(last) = bits.get_mut(whole.saturating_sub(1))
        {
            *last &= (1 << beyond) - 1;
        }
        let count = bits.iter().map(|byte| byte.count_ones()).sum();
        Self { bits, count }
    }

    /// All of a file.
    pub(super) fn all(chunks: u32) -> Self {
        let whole = usize::try_from(chunks.div_ceil(8)).unwrap_or(0);
        Self::of(vec![0xff; whole], chunks)
    }

    /// These of a file.
    pub(super) fn these(some: impl IntoIterator<Item = u32>, chunks: u32) -> Self {
        let mut these = Self::default();
        for chunk in some {
            these.add(chunk, chunks);
        }
        these
    }

    /// All of a file but these.
    pub(super) fn without(missing: &Self, chunks: u32) -> Self {
        let mut all = Self::all(chunks);
        for (byte, missing) in all.bits.iter_mut().zip(&missing.bits) {
            *byte &= !missing;
        }
        Self::of(all.bits, chunks)
    }

    /// How many there are.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    pub(super) fn into_bits(self) -> Vec<u8> {
        self.bits
    }

    pub(super) fn has(&self, chunk: u32) -> bool {
        let (at, bit) = place(chunk);
        self.bits.get(at).is_some_and(|byte| byte & bit != 0)
    }

    /// Adds one; whether it is new. One beyond the end is none.
    pub(super) fn add(&mut self, chunk: u32, chunks: u32) -> bool {
        if chunk >= chunks || self.has(chunk) {
            return false;
        }
        let (at, bit) = place(chunk);
        if self.bits.len() <= at {
            self.bits.resize(at + 1, 0);
        }
        if let Some(byte) = self.bits.get_mut(at) {
            *byte |= bit;
            self.count += 1;
        }
        true
    }

    /// Takes one out; whether it was there.
    pub(super) fn remove(&mut self, chunk: u32) -> bool {
        let (at, bit) = place(chunk);
        let Some(byte) = self.bits.get_mut(at).filter(|byte| **byte & bit != 0) else {
            return false;
        };
        *byte &= !bit;
        self.count -= 1;
        true
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        bits(0_u32.., self.bits.iter().copied())
    }

    /// Those that are here and there, from one on and then from the beginning.
    pub(super) fn shared<'a>(&'a self, other: &'a Self, begin: u32) -> impl Iterator<Item = u32> {
        let both = move |at: usize| {
            let (one, other) = (self.bits.get(at), other.bits.get(at));
            one.copied().unwrap_or(0) & other.copied().unwrap_or(0)
        };
        let (first, _) = place(begin);
        let round = (first..self.bits.len()).chain(0..first.min(self.bits.len()));
        let places = round
            .clone()
            .map(|at| u32::try_from(at).unwrap_or(u32::MAX));
        bits(places, round.map(both))
    }
}

/// The byte of a chunk, and its bit there.
fn place(chunk: u32) -> (usize, u8) {
    (
        usize::try_from(chunk / 8).unwrap_or(usize::MAX),
        1 << (chunk % 8),
    )
}

/// The chunks of bytes that stand at these places.
fn bits(
    places: impl Iterator<Item = u32>,
    bytes: impl Iterator<Item = u8>,
) -> impl Iterator<Item = u32> {
    let some = places.zip(bytes).filter(|(_, byte)| *byte != 0);
    some.flat_map(|(at, byte)| {
        (0..8)
            .filter(move |bit| byte & (1 << bit) != 0)
            .map(move |bit| at * 8 + bit)
    })
}
