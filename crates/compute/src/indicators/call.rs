//! One function with its parameters, and running it.

use std::fmt;

use ta_lib::{
    Core, RetCode,
    abstract_api::{FuncId, InputType, OptInputType, OutputType, ParamHolder},
};

use super::{
    catalogue::{Function, Parameter, functions},
    kernels::Kernel,
    output::{Ohlcv, Output, Values},
};

/// A function with parameters, all of them within their ranges.
#[derive(Clone, Debug)]
pub struct Call {
    function: Function,
    parameters: Vec<f64>,
}

/// Why a text is not a call.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CallError {
    /// No function has this name.
    #[error("there is no function \"{name}\"{}", did_you_mean(near))]
    NoFunction {
        /// The name.
        name: String,
        /// Names that are close to it.
        near: Vec<&'static str>,
    },
    /// More parameters than the function has.
    #[error("{function} takes {takes} parameters, not {given}")]
    TooMany {
        /// The function.
        function: &'static str,
        /// How many it takes.
        takes: usize,
        /// How many were given.
        given: usize,
    },
    /// A parameter is no number, or not a whole one, or out of its range.
    #[error("{function}: {parameter} is to be {expected}, not \"{given}\"")]
    BadParameter {
        /// The function.
        function: &'static str,
        /// The parameter.
        parameter: &'static str,
        /// What it may be.
        expected: String,
        /// What was given.
        given: String,
    },
}

fn did_you_mean(near: &[&str]) -> String {
    if near.is_empty() {
        String::new()
    } else {
        format!("; close to it: {}", near.join(", "))
    }
}

/// Why a call could not be computed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ComputeError {
    /// The function reads volumes and the series has none.
    #[error("{function} needs volumes, and this series has none")]
    NoVolume {
        /// The function.
        function: &'static str,
    },
    /// The columns are not of one length.
    #[error("the price columns are not of one length")]
    UnevenColumns,
    /// ta-lib refused: parameters that exclude one another, or more bars than it can number.
    #[error("{function} refused its input: {reason:?}")]
    Refused {
        /// The function.
        function: &'static str,
        /// Its reason.
        reason: RetCode,
    },
}

impl std::str::FromStr for Call {
    type Err = CallError;

    /// `RSI`, `RSI:14`, `MACD:12:26:9`, `BBANDS:20:2:2:EMA`. Parameters that are left out have
    /// their defaults.
    fn from_str(text: &str) -> Result<Self, CallError> {
        let mut parts = text.trim().split(':');
        let name = parts.next().unwrap_or_default().trim();
        let function = Function::by_name(name).ok_or_else(|| CallError::NoFunction {
            name: name.to_owned(),
            near: Function::nearest(name),
        })?;
        let given: Vec<&str> = parts.map(str::trim).collect();
        let takes = function.parameters().count();
        if given.len() > takes {
            return Err(CallError::TooMany {
                function: function.name(),
                takes,
                given: given.len(),
            });
        }
        let mut given = given.into_iter();
        let parameters = function.parameters().map(|parameter| match given.next() {
            None | Some("") => Ok(parameter.default),
            Some(text) => value(function, parameter, text),
        });
        Ok(Self {
            function,
            parameters: parameters.collect::<Result<_, _>>()?,
        })
    }
}

fn value(function: Function, parameter: Parameter, text: &str) -> Result<f64, CallError> {
    let expected = || {
        if !parameter.choices.is_empty() {
            let names: Vec<_> = parameter.choices.iter().map(|(_, name)| *name).collect();
            return format!("one of {}", names.join(", "));
        }
        let kind = if parameter.integer {
            "a whole number"
        } else {
            "a number"
        };
        format!("{kind} from {} to {}", parameter.min, parameter.max)
    };
    let by_name = parameter
        .choices
        .iter()
        .find(|(_, name)| name.eq_ignore_ascii_case(text));
    let parsed = by_name
        .map(|(value, _)| *value as f64)
        .or_else(|| text.parse::<f64>().ok());
    parsed
        .filter(|value| (parameter.min..=parameter.max).contains(value))
        .filter(|value| !parameter.integer || value.fract() == 0.0)
        .ok_or_else(|| CallError::BadParameter {
            function: function.name(),
            parameter: parameter.name,
            expected: expected(),
            given: text.chars().take(40).collect(),
        })
}

impl fmt::Display for Call {
    /// As it is parsed, with every parameter: `MACD:12:26:9`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.function.name())?;
        self.parameters
            .iter()
            .try_for_each(|value| write!(f, ":{value}"))
    }
}

impl Call {
    /// Every function with its defaults.
    pub fn all() -> Vec<Self> {
        let with_defaults = |function: Function| Self {
            function,
            parameters: function
                .parameters()
                .map(|parameter| parameter.default)
                .collect(),
        };
        functions().map(with_defaults).collect()
    }

    /// The function.
    pub fn function(&self) -> Function {
        self.function
    }

    /// The kernel of ours that serves it, with its period.
    pub fn kernel(&self) -> Option<(Kernel, usize)> {
        let kernel = Kernel::for_function(self.function.0.id)?;
        let period = self.parameters.first().copied().and_then(whole)?;
        Some((kernel, usize::try_from(period).ok()?))
    }

    /// A column name for each output: the function, its parameters, and the output's own name
    /// where there are several: `RSI_14`, `MACD_12_26_9`, `MACD_12_26_9_signal`.
    pub fn columns(&self) -> Vec<String> {
        let stem = self.to_string().replace(':', "_");
        let column = |suffix: String| {
            if suffix.is_empty() {
                stem.clone()
            } else {
                format!("{stem}_{suffix}")
            }
        };
        self.function.outputs().map(column).collect()
    }

    /// Runs it with ta-lib over whole columns; one output for each of [`Self::columns`].
    pub fn compute(&self, bars: &Ohlcv<'_>) -> Result<Vec<Output>, ComputeError> {
        let len = bars.len();
        let function = self.function.name();
        let columns = [
            bars.open,
            bars.high,
            bars.low,
            bars.volume.unwrap_or(bars.close),
        ];
        if columns.iter().any(|column| column.len() != len) {
            return Err(ComputeError::UnevenColumns);
        }
        if self.function.needs_volume() && bars.volume.is_none() {
            return Err(ComputeError::NoVolume { function });
        }
        if len == 0 {
            return Ok(self.empty());
        }
        let refused = |reason| ComputeError::Refused { function, reason };
        let cycle = if self.function.0.id == FuncId::MAVP {
            Some(dominant_cycle(bars.close).map_err(refused)?)
        } else {
            None
        };
        self.run(bars, cycle.as_ref()).map_err(refused)
    }

    fn empty(&self) -> Vec<Output> {
        let outputs = self.function.0.outputs.iter();
        let values = outputs.map(|output| match output.kind {
            OutputType::Real => Values::Real(Vec::new()),
            OutputType::Integer => Values::Integer(Vec::new()),
        });
        values.map(|values| Output { first: 0, values }).collect()
    }

    fn run(&self, bars: &Ohlcv<'_>, cycle: Option<&Cycle>) -> Result<Vec<Output>, RetCode> {
        let core = Core::new();
        let info = self.function.0;
        let len = bars.len();
        let mut values: Vec<Values> = info
            .outputs
            .iter()
            .map(|output| match output.kind {
                OutputType::Real => Values::Real(vec![0.0; len]),
                OutputType::Integer => Values::Integer(vec![0; len]),
            })
            .collect();
        let mut call = info.id.new_call(&core);
        let two = self.function.real_inputs() > 1;
        for (slot, input) in info.inputs.iter().enumerate() {
            match (input.kind, cycle) {
                (InputType::Price, _) => {
                    let (open, high, low) = (Some(bars.open), Some(bars.high), Some(bars.low));
                    call.set_price_input(
                        slot,
                        open,
                        high,
                        low,
                        Some(bars.close),
                        bars.volume,
                        None,
                    )?;
                }
                (_, Some(cycle)) if slot == 1 => {
                    call.set_input(slot, &cycle.periods)?;
                }
                (_, None) if two => {
                    call.set_input(slot, if slot == 0 { bars.high } else { bars.low })?;
                }
                _ => {
                    call.set_input(slot, bars.close)?;
                }
            }
        }
        self.bind(&mut call)?;
        for (index, values) in values.iter_mut().enumerate() {
            match values {
                Values::Real(values) => call.set_output(index, values)?,
                Values::Integer(values) => call.set_int_output(index, values)?,
            };
        }
        let start = cycle.map_or(0, |cycle| cycle.first);
        if start >= len {
            return Ok(self.empty());
        }
        let range = call.call(start, len - 1)?;
        let outputs = values.into_iter().map(|mut values| {
            match &mut values {
                Values::Real(values) => values.truncate(range.count),
                Values::Integer(values) => values.truncate(range.count),
            }
            let first = range.beg_idx;
            Output { first, values }
        });
        Ok(outputs.collect())
    }

    fn bind(&self, call: &mut ParamHolder<'_>) -> Result<(), RetCode> {
        for (index, (info, value)) in self
            .function
            .0
            .opt_inputs
            .iter()
            .zip(&self.parameters)
            .enumerate()
        {
            match info.kind {
                OptInputType::RealRange { .. } | OptInputType::RealList { .. } => {
                    call.set_opt_input(index, *value)?;
                }
                OptInputType::IntegerRange { .. } | OptInputType::IntegerList { .. } => {
                    call.set_opt_input(index, whole(*value).ok_or(RetCode::BadParam)?)?;
                }
            }
        }
        Ok(())
    }
}

/// The period of the dominant cycle at each bar, and the first bar where it is known.
struct Cycle {
    periods: Vec<f64>,
    first: usize,
}

fn dominant_cycle(close: &[f64]) -> Result<Cycle, RetCode> {
    let mut values = vec![0.0; close.len()];
    let range = Core::new().ht_dcperiod(0, close.len() - 1, close, &mut values)?;
    if range.count == 0 {
        return Ok(Cycle {
            periods: values,
            first: close.len(),
        });
    }
    values.truncate(range.count);
    // Bars before the first are never read: the call starts at it.
    let mut periods = vec![0.0; range.beg_idx];
    periods.append(&mut values);
    periods.resize(close.len(), 0.0);
    Ok(Cycle {
        periods,
        first: range.beg_idx,
    })
}

/// A whole number as ta-lib takes it.
#[expect(
    clippy::cast_possible_truncation,
    reason = "checked to be whole and within range"
)]
fn whole(value: f64) -> Option<i32> {
    (value.fract() == 0.0 && (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&value))
        .then_some(value as i32)
}
