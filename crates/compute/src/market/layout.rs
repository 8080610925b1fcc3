//! Which column is what.

use std::fmt;

use super::{error::MarketError, lines::split, time};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// Date, time, or both.
    Time,
    /// First price.
    Open,
    /// Highest price.
    High,
    /// Lowest price.
    Low,
    /// Last price.
    Close,
    /// Volume.
    Volume,
}

impl Field {
    /// All of them, in the order of a bar.
    pub const ALL: [Self; 6] = [
        Self::Time,
        Self::Open,
        Self::High,
        Self::Low,
        Self::Close,
        Self::Volume,
    ];

    /// The field of this name, as [`Display`](fmt::Display) writes it.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|field| field.name().eq_ignore_ascii_case(name.trim()))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Open => "open",
            Self::High => "high",
            Self::Low => "low",
            Self::Close => "close",
            Self::Volume => "volume",
        }
    }

    /// Header names that mean this field, best first, in lower case.
    fn aliases(self) -> &'static [&'static str] {
        match self {
            Self::Time => &[
                "time",
                "date",
                "datetime",
                "date time",
                "date/time",
                "timestamp",
                "open time",
                "unix",
                "unix timestamp",
                "local time",
                "gmt time",
                "unnamed: 0",
                "дата",
                "время",
                "час",
            ],
            Self::Open => &["open", "o", "open price", "откр.", "открытие", "відкриття"],
            Self::High => &[
                "high",
                "h",
                "high price",
                "max",
                "макс.",
                "максимум",
                "максимум дня",
            ],
            Self::Low => &[
                "low",
                "l",
                "low price",
                "min",
                "мин.",
                "мін.",
                "минимум",
                "мінімум",
            ],
            Self::Close => &[
                "close",
                "c",
                "close price",
                "last",
                "price",
                "цена",
                "ціна",
                "закрытие",
                "закриття",
            ],
            Self::Volume => &[
                "volume",
                "v",
                "vol",
                "vol.",
                "tick volume",
                "объём",
                "объем",
                "обсяг",
            ],
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The kind of file that was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Columns with names, or five or six without.
    Csv,
    /// The same with an `Adj Close` column, which is left alone: adjusted closes do not fit
    /// between the day's high and low.
    Yahoo,
    /// Binance klines: twelve columns, with or without names.
    Klines,
    /// MetaTrader export: `<DATE>`, `<TIME>`, …; the volume is that of ticks.
    MetaTrader,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Csv => "csv",
            Self::Yahoo => "yahoo",
            Self::Klines => "klines",
            Self::MetaTrader => "metatrader",
        })
    }
}

/// Where each field stands in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The kind of file.
    pub format: Format,
    /// Character between the columns.
    pub separator: char,
    /// Whether the first line names the columns.
    pub header: bool,
    /// Column of the time or the date.
    pub time: usize,
    /// Column of the time of day, where the date stands alone.
    pub clock: Option<usize>,
    /// Columns of open, high, low and close.
    pub prices: [usize; 4],
    /// Column of the volume, if there is one.
    pub volume: Option<usize>,
}

impl Layout {
    /// Tells the layout from the first line of a file. `map` names columns by their header, or
    /// by number from 1 where there is none, and goes before everything recognised.
    pub(super) fn tell(
        line: u64,
        first: &str,
        map: &[(Field, String)],
    ) -> Result<Self, MarketError> {
        let separator = separator(first);
        let fields: Vec<&str> = split(first, separator).collect();
        let header = !looks_like_row(&fields, separator);
        let names = Names {
            line,
            plain: if header {
                fields.iter().map(|name| normal(name)).collect()
            } else {
                Vec::new()
            },
            fields: &fields,
            map,
        };
        let format = names.format();
        let clock = names.clock();
        let time = match clock {
            Some(_) if names.mapped(Field::Time)?.is_none() => names.position(&["date"]),
            _ => None,
        };
        let volume = match format {
            Format::MetaTrader => names.position(&["tickvol", "vol"]),
            _ => None,
        };
        Ok(Self {
            format,
            separator,
            header,
            time: match time {
                Some(column) => column,
                None => names.need(Field::Time, 0)?,
            },
            clock: time.and(clock),
            prices: [
                names.need(Field::Open, 1)?,
                names.need(Field::High, 2)?,
                names.need(Field::Low, 3)?,
                names.need(Field::Close, 4)?,
            ],
            volume: match names.mapped(Field::Volume)? {
                Some(column) => Some(column),
                None => volume.or_else(|| names.find(Field::Volume, 5)),
            },
        })
    }

    /// Whether numbers are written with a comma: the custom where columns part at semicolons.
    pub(super) fn decimal_comma(&self) -> bool {
        self.separator == ';'
    }
}

/// The first line, on the way to a layout.
struct Names<'a> {
    line: u64,
    /// In lower case without decoration; none where the first line is a row.
    plain: Vec<String>,
    fields: &'a [&'a str],
    map: &'a [(Field, String)],
}

impl Names<'_> {
    fn position(&self, aliases: &[&str]) -> Option<usize> {
        aliases
            .iter()
            .find_map(|alias| self.plain.iter().position(|name| name == alias))
    }

    fn format(&self) -> Format {
        let has = |name| self.plain.iter().any(|other| other == name);
        if self
            .fields
            .first()
            .is_some_and(|name| name.starts_with('<'))
        {
            Format::MetaTrader
        } else if has("adj close") {
            Format::Yahoo
        } else if (has("open time") && has("close time"))
            || (self.plain.is_empty() && self.fields.len() == 12)
        {
            Format::Klines
        } else {
            Format::Csv
        }
    }

    /// A column for the time of day beside one for the date.
    fn clock(&self) -> Option<usize> {
        self.position(&["date"])?;
        self.position(&["time"])
    }

    /// The column the caller named for `field`.
    fn mapped(&self, field: Field) -> Result<Option<usize>, MarketError> {
        let Some((_, name)) = self.map.iter().find(|(mapped, _)| *mapped == field) else {
            return Ok(None);
        };
        let by_name = self.plain.iter().position(|other| *other == normal(name));
        let by_number = || {
            name.parse::<usize>()
                .ok()?
                .checked_sub(1)
                .filter(|column| *column < self.fields.len())
        };
        match by_name.or_else(by_number) {
            Some(column) => Ok(Some(column)),
            None => Err(MarketError::NoSuchColumn {
                line: self.line,
                name: name.clone(),
                found: self.found(),
            }),
        }
    }

    /// The recognised column for `field`; `usual` is its place where columns have no names.
    fn find(&self, field: Field, usual: usize) -> Option<usize> {
        if self.plain.is_empty() {
            return (usual < self.fields.len()).then_some(usual);
        }
        let nameless = || {
            (field == Field::Time && self.plain.first().is_some_and(String::is_empty)).then_some(0)
        };
        self.position(field.aliases()).or_else(nameless)
    }

    fn need(&self, field: Field, usual: usize) -> Result<usize, MarketError> {
        match self.mapped(field)? {
            Some(column) => Ok(column),
            None => self
                .find(field, usual)
                .ok_or_else(|| MarketError::NoColumn {
                    line: self.line,
                    field,
                    found: self.found(),
                }),
        }
    }

    /// The columns there are, cut short: a wrong file may have very many.
    fn found(&self) -> String {
        let quoted = |name: &&str| format!("\"{}\"", name.chars().take(40).collect::<String>());
        let mut names: Vec<_> = self.fields.iter().take(16).map(quoted).collect();
        if self.fields.len() > 16 {
            names.push("…".to_owned());
        }
        names.join(", ")
    }
}

/// A header name without decoration: `<OPEN>`, `open_time`.
fn normal(name: &str) -> String {
    name.trim()
        .trim_matches(['<', '>'])
        .replace('_', " ")
        .to_lowercase()
}

/// The commonest of the possible separators; a comma loses a draw, being the decimal sign where
/// semicolons part the columns.
fn separator(line: &str) -> char {
    let count = |separator| line.matches(separator).count();
    [',', '\t', ';']
        .into_iter()
        .max_by_key(|separator| count(*separator))
        .unwrap_or(',')
}

/// A time and four numbers: no header.
fn looks_like_row(fields: &[&str], separator: char) -> bool {
    let [day, prices @ ..] = fields else {
        return false;
    };
    let number = |text: &&str| {
        let plain = if separator == ';' {
            text.replace(',', ".")
        } else {
            (*text).to_owned()
        };
        plain.parse::<f64>().is_ok()
    };
    prices.len() >= 4
        && prices.iter().take(4).all(number)
        && time::parse(day, None, &time::Zone::default(), time::Before::default()).is_ok()
}
