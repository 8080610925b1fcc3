//! Columns in, columns out.

use std::ops::Range;

/// Prices and volume by column, oldest first, all of one length.
#[derive(Clone, Copy, Debug)]
pub struct Ohlcv<'a> {
    /// First prices.
    pub open: &'a [f64],
    /// Highest prices.
    pub high: &'a [f64],
    /// Lowest prices.
    pub low: &'a [f64],
    /// Last prices.
    pub close: &'a [f64],
    /// Volumes, where the source has them.
    pub volume: Option<&'a [f64]>,
}

impl Ohlcv<'_> {
    /// How many bars there are.
    pub fn len(&self) -> usize {
        self.close.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.close.is_empty()
    }
}

/// One output of a function.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Bar of the first value.
    pub first: usize,
    /// The values from there on; bars before and behind them are undefined.
    pub values: Values,
}

/// Values of an output.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Real numbers; may be NaN or infinite.
    Real(Vec<f64>),
    /// Whole numbers: patterns (0, ±80, ±100, ±200), bar indexes, states.
    Integer(Vec<i32>),
}

impl Output {
    /// Bars at which it is defined.
    pub fn defined(&self) -> Range<usize> {
        let len = match &self.values {
            Values::Real(values) => values.len(),
            Values::Integer(values) => values.len(),
        };
        self.first..self.first + len
    }

    /// The value at a bar as a real number; `None` where undefined.
    pub fn at(&self, bar: usize) -> Option<f64> {
        let index = bar.checked_sub(self.first)?;
        match &self.values {
            Values::Real(values) => values.get(index).copied(),
            Values::Integer(values) => values.get(index).copied().map(f64::from),
        }
    }
}
