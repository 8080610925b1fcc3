//! What functions there are.

use ta_lib::abstract_api::{
    self, FuncFlags, FuncId, FuncInfo, InputFlags, InputType, OptInputType,
};

use super::{kernels::Kernel, spelling};

/// A function of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Function(pub(super) &'static FuncInfo);

/// A parameter of a function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameter {
    /// Its name, such as `Time Period`.
    pub name: &'static str,
    /// What it means.
    pub hint: &'static str,
    /// Value it has unless given.
    pub default: f64,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// Whether it is a whole number.
    pub integer: bool,
    /// Names of its values, where it is chosen from a list (kinds of moving average).
    pub choices: &'static [(i64, &'static str)],
}

/// All functions, by name.
pub fn functions() -> impl Iterator<Item = Function> + Clone {
    abstract_api::funcs().map(Function)
}

/// Components of a price input, in the order of a bar.
const COMPONENTS: [(InputFlags, &str); 5] = [
    (InputFlags::PRICE_OPEN, "open"),
    (InputFlags::PRICE_HIGH, "high"),
    (InputFlags::PRICE_LOW, "low"),
    (InputFlags::PRICE_CLOSE, "close"),
    (InputFlags::PRICE_VOLUME, "volume"),
];

impl Function {
    /// The function of this name, in any case.
    pub fn by_name(name: &str) -> Option<Self> {
        abstract_api::get_func_handle(name).map(|id| Self(id.info()))
    }

    /// Names close to one that is not there.
    pub fn nearest(name: &str) -> Vec<&'static str> {
        spelling::nearest(name, functions().map(Function::name))
    }

    /// Its name, such as `RSI`.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// What it is called in words.
    pub fn title(self) -> &'static str {
        self.0.hint
    }

    /// Group, such as `Momentum Indicators`.
    pub fn group(self) -> &'static str {
        self.0.group.as_str()
    }

    /// Whether it is drawn over the prices.
    pub fn overlap(self) -> bool {
        self.0.flags.contains(FuncFlags::OVERLAP)
    }

    /// Whether our own kernels serve it.
    pub fn has_kernel(self) -> bool {
        Kernel::for_function(self.0.id).is_some()
    }

    /// Its parameters, in order.
    pub fn parameters(self) -> impl Iterator<Item = Parameter> {
        self.0.opt_inputs.iter().map(|info| {
            let (default, min, max, integer, choices) = match info.kind {
                OptInputType::RealRange {
                    min, max, default, ..
                } => (default, min, max, false, &[][..]),
                OptInputType::IntegerRange {
                    min, max, default, ..
                } => (
                    f64::from(default),
                    f64::from(min),
                    f64::from(max),
                    true,
                    &[][..],
                ),
                OptInputType::RealList { values, default } => {
                    let all = || values.iter().map(|(value, _)| *value);
                    let (min, max) = (all().fold(default, f64::min), all().fold(default, f64::max));
                    (default, min, max, false, &[][..])
                }
                OptInputType::IntegerList { values, default } => {
                    let all = || values.iter().map(|(value, _)| *value as f64);
                    let (min, max) = (all().fold(0.0, f64::min), all().fold(0.0, f64::max));
                    (default as f64, min, max, true, values)
                }
            };
            Parameter {
                name: info.display_name,
                hint: info.hint,
                default,
                min,
                max,
                integer,
                choices,
            }
        })
    }

    /// The columns it reads. A function of one series reads the closes; of two, highs and lows,
    /// as ta-lib's own wrappers do; `MAVP` takes its periods from the dominant cycle of the
    /// closes.
    pub fn inputs(self) -> Vec<&'static str> {
        let real = |slot: usize| match (self.0.id, self.real_inputs(), slot) {
            (FuncId::MAVP, _, 1) => "HT_DCPERIOD",
            (FuncId::MAVP, ..) | (_, 1, _) => "close",
            (_, _, 0) => "high",
            _ => "low",
        };
        let mut inputs = Vec::new();
        for (slot, input) in self.0.inputs.iter().enumerate() {
            match input.kind {
                InputType::Price => inputs.extend(components(input.flags)),
                InputType::Real | InputType::Integer => inputs.push(real(slot)),
            }
        }
        inputs
    }

    /// Whether it reads the volume.
    pub fn needs_volume(self) -> bool {
        self.0
            .inputs
            .iter()
            .any(|input| input.flags.contains(InputFlags::PRICE_VOLUME))
    }

    /// How many plain series it takes beside price bundles.
    pub(super) fn real_inputs(self) -> usize {
        self.0
            .inputs
            .iter()
            .filter(|input| input.kind != InputType::Price)
            .count()
    }

    /// What each output is called, in order: nothing for the one that bears the function's own
    /// name (`MACD`), a word for the others (`signal`, `hist`).
    pub fn outputs(self) -> impl Iterator<Item = String> {
        let only = self.0.outputs.len() == 1;
        self.0.outputs.iter().map(move |output| {
            if only {
                String::new()
            } else {
                self.suffix(output.param_name)
            }
        })
    }

    fn suffix(self, param: &str) -> String {
        let name = param.strip_prefix("out").unwrap_or(param);
        let name = name.strip_prefix("Real").unwrap_or(name);
        let name = name.strip_suffix("Band").unwrap_or(name);
        let own = self.0.name.trim_end_matches("EXT").trim_end_matches("FIX");
        let name = match name.split_at_checked(own.len()) {
            Some((head, rest)) if head.eq_ignore_ascii_case(own) => rest,
            _ => name,
        };
        snake(name)
    }
}

fn components(flags: InputFlags) -> impl Iterator<Item = &'static str> {
    COMPONENTS
        .into_iter()
        .filter(move |(flag, _)| flags.contains(*flag))
        .map(|(_, name)| name)
}

/// `LeadSine` as `lead_sine`, `PlusVI` as `plus_vi`.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    let mut previous_upper = true;
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !previous_upper {
            snake.push('_');
        }
        previous_upper = letter.is_ascii_uppercase();
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_registry_says_what_the_machine_readable_list_says() {
        let xml = roxmltree::Document::parse(abstract_api::function_description_xml()).unwrap();
        let text = |node: roxmltree::Node<'_, '_>, tag: &str| {
            let child = node.children().find(|child| child.has_tag_name(tag));
            child
                .and_then(|child| child.text())
                .unwrap_or_default()
                .to_owned()
        };
        let listed: Vec<_> = xml
            .descendants()
            .filter(|node| node.has_tag_name("FinancialFunction"))
            .collect();
        assert_eq!(listed.len(), 237);
        assert_eq!(functions().count(), listed.len());
        for (function, node) in functions().zip(&listed) {
            assert_eq!(function.name(), text(*node, "Abbreviation"));
            assert_eq!(function.title(), text(*node, "ShortDescription"));
            assert_eq!(function.group(), text(*node, "GroupId"));
            let flags = node.children().find(|child| child.has_tag_name("Flags"));
            let overlap = flags.is_some_and(|flags| {
                flags
                    .descendants()
                    .any(|flag| flag.text() == Some("Overlap"))
            });
            assert_eq!(function.overlap(), overlap, "{}", function.name());
            let parameters: Vec<_> = node
                .descendants()
                .filter(|n| n.has_tag_name("OptionalInputArgument"))
                .collect();
            assert_eq!(function.parameters().count(), parameters.len());
            for (parameter, node) in function.parameters().zip(parameters) {
                assert_eq!(parameter.name, text(node, "Name"));
                let default: f64 = text(node, "DefaultValue").parse().unwrap();
                assert!(
                    (parameter.default - default).abs() <= 1e-9 * default.abs(),
                    "{}",
                    function.name()
                );
            }
            let inputs = node
                .descendants()
                .filter(|n| n.has_tag_name("RequiredInputArgument"))
                .count();
            assert_eq!(function.inputs().len(), inputs, "{}", function.name());
            let outputs = node
                .descendants()
                .filter(|n| n.has_tag_name("OutputArgument"))
                .count();
            assert_eq!(function.outputs().count(), outputs, "{}", function.name());
        }
    }

    #[test]
    fn outputs_of_a_function_have_different_names() {
        for function in functions() {
            let names: BTreeSet<_> = function.outputs().collect();
            assert_eq!(
                names.len(),
                function.outputs().count(),
                "{}",
                function.name()
            );
        }
    }

    #[test]
    fn inputs_are_the_natural_ones() {
        #[track_caller]
        fn check(name: &str, expected: &[&str]) {
            assert_eq!(Function::by_name(name).unwrap().inputs(), expected);
        }
        check("rsi", &["close"]);
        check("CORREL", &["high", "low"]);
        check("ADD", &["high", "low"]);
        check("MAVP", &["close", "HT_DCPERIOD"]);
        check("ATR", &["high", "low", "close"]);
        check("OBV", &["close", "volume"]);
        check("AD", &["high", "low", "close", "volume"]);
        check("CDLDOJI", &["open", "high", "low", "close"]);
    }
}
