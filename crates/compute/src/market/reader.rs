//! Rows to bars.

use std::io::Read;

use super::{
    Bar,
    error::{MarketError, ReadError, RowProblem},
    interval::{Interval, Steps},
    layout::{Field, Format, Layout},
    lines::{Lines, split},
    time::{self, Before, Zone},
};

/// How many bars a batch has at most.
pub const BATCH: usize = 10_000;

/// How many impossible rows are listed one by one; the others are counted.
pub const PROBLEMS_LISTED: usize = 100;

/// So many rows are looked at before the order of the file is known.
const ORDER_SAMPLE: usize = 16;

/// How to read a file.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Columns by field: header name, or number from 1.
    pub map: Vec<(Field, String)>,
    /// Zone of times that name none.
    pub zone: Zone,
}

/// What was found in a file.
#[derive(Clone, Debug)]
pub struct Survey {
    /// Kind of file.
    pub format: Format,
    /// Interval told from the times; `None` where there are too few. A single bar at the beginning
    /// of a day (UTC) is taken as a day's.
    pub interval: Option<Interval>,
    /// Whether any two bars stand beside each other, so that the file has a rhythm of its own.
    pub steady: bool,
    /// Time of the file's last usable row, Unix milliseconds.
    pub last_row: Option<i64>,
    /// Bars that were given to the sink.
    pub bars: u64,
    /// Whether the file has a volume column.
    pub has_volume: bool,
    /// The first [`PROBLEMS_LISTED`] rows that cannot be right. They were not given to the sink.
    pub problems: Vec<RowProblem>,
    /// How many there are in all.
    pub problems_total: u64,
    /// BLAKE3 of the file.
    pub hash: [u8; 32],
}

/// Streams the bars of a file to `sink`, in batches of at most [`BATCH`] that are each in order
/// of time. Oldest first or newest first is told from the first rows, and the batches come in
/// the order of the file.
///
/// A row that repeats the one before it exactly is left out silently; every other row that
/// cannot be right is left out and listed.
pub fn read<R: Read, E>(
    input: R,
    options: &Options,
    sink: impl FnMut(&[Bar]) -> Result<(), E>,
) -> Result<Survey, ReadError<E>> {
    let mut lines = Lines::new(input);
    let Some((line, first)) = lines.next()? else {
        return Err(MarketError::Empty.into());
    };
    let layout = Layout::tell(line, first, &options.map)?;
    let mut series = Series::new(sink);
    let mut rows = 0_u64;
    let mut before = Before::default();
    let mut take = |line, text: &str| -> Result<(), ReadError<E>> {
        rows += 1;
        match bar(text, &layout, &options.zone, before) {
            Ok(bar) => {
                before = before.then(bar.time);
                series.push(line, bar).map_err(ReadError::Sink)
            }
            Err(reason) => {
                series.leave_out(line, reason);
                Ok(())
            }
        }
    };
    if !layout.header {
        take(line, first)?;
    }
    while let Some((line, text)) = lines.next()? {
        take(line, text)?;
    }
    if rows == 0 {
        return Err(MarketError::NoRows.into());
    }
    series.finish().map_err(ReadError::Sink)?;
    series.problems.sort_by_key(|problem| problem.line);
    Ok(Survey {
        format: layout.format,
        interval: series.steps.interval().or_else(|| series.single_day()),
        steady: !series.steps.is_empty(),
        last_row: series.last.map(|bar| bar.time),
        bars: series.bars,
        has_volume: layout.volume.is_some(),
        problems: series.problems,
        problems_total: series.problems_total,
        hash: *lines.hash().as_bytes(),
    })
}

/// The texts of one row by field.
#[derive(Default)]
struct Row<'a> {
    time: Option<&'a str>,
    clock: Option<&'a str>,
    prices: [Option<&'a str>; 4],
    volume: Option<&'a str>,
    fields: usize,
}

impl<'a> Row<'a> {
    fn cut(text: &'a str, layout: &Layout) -> Self {
        let mut row = Self::default();
        for (column, field) in split(text, layout.separator).enumerate() {
            row.fields += 1;
            if column == layout.time {
                row.time = Some(field);
            }
            if layout.clock == Some(column) {
                row.clock = Some(field);
            }
            for (price, place) in row.prices.iter_mut().zip(layout.prices) {
                if column == place {
                    *price = Some(field);
                }
            }
            if layout.volume == Some(column) {
                row.volume = Some(field);
            }
        }
        row
    }

    fn need(&self, field: Field, text: Option<&'a str>) -> Result<&'a str, String> {
        match text {
            None => Err(format!(
                "{field} is missing: the row has {} fields",
                self.fields
            )),
            Some("") => Err(format!("{field} is empty")),
            Some(text) => Ok(text),
        }
    }
}

/// One row as a bar, or why it cannot be one.
fn bar(text: &str, layout: &Layout, zone: &Zone, before: Before) -> Result<Bar, String> {
    let row = Row::cut(text, layout);
    let time = row.need(Field::Time, row.time)?;
    let clock = match layout.clock {
        Some(_) => Some(row.need(Field::Time, row.clock)?),
        None => None,
    };
    let time = time::parse(time, clock, zone, before)?;
    let comma = layout.decimal_comma();
    let figure = |field, text| -> Result<Figure<'_>, String> {
        Figure::parse(field, row.need(field, text)?, comma)
    };
    let [open, high, low, close] = row.prices;
    let open = figure(Field::Open, open)?;
    let high = figure(Field::High, high)?;
    let low = figure(Field::Low, low)?;
    let close = figure(Field::Close, close)?;
    high.not_below(&low)?;
    for price in [&open, &close] {
        high.not_below(price)?;
        price.not_below(&low)?;
    }
    let volume = match layout.volume {
        Some(_) => figure(Field::Volume, row.volume)?.value,
        None => 0.0,
    };
    Ok(Bar {
        time,
        open: open.value,
        high: high.value,
        low: low.value,
        close: close.value,
        volume,
    })
}

/// A number beside its text, so that messages show the file's own figures.
struct Figure<'a> {
    field: Field,
    text: &'a str,
    value: f64,
}

impl<'a> Figure<'a> {
    /// The nearest 64-bit number, which Rust's own parser guarantees.
    fn parse(field: Field, text: &'a str, decimal_comma: bool) -> Result<Self, String> {
        let shown = || text.chars().take(40).collect::<String>();
        let parsed = if decimal_comma && text.contains(',') {
            text.replace(',', ".").parse::<f64>()
        } else {
            text.parse::<f64>()
        };
        let value = parsed.map_err(|_| format!("{field} \"{}\" is not a number", shown()))?;
        if !value.is_finite() {
            return Err(format!("{field} {} is not finite", shown()));
        }
        if value < 0.0 {
            return Err(format!("{field} {} is negative", shown()));
        }
        // Adding zero turns a negative zero into zero.
        let value = value + 0.0;
        Ok(Self { field, text, value })
    }

    fn not_below(&self, other: &Self) -> Result<(), String> {
        if self.value >= other.value {
            return Ok(());
        }
        if other.field == Field::Low {
            return Err(format!(
                "{} {} is below {} {}",
                self.field, self.text, other.field, other.text
            ));
        }
        Err(format!(
            "{} {} is above {} {}",
            other.field, other.text, self.field, self.text
        ))
    }
}

/// Puts bars in order and into batches.
struct Series<S> {
    sink: S,
    order: Order,
    last: Option<Bar>,
    batch: Vec<Bar>,
    bars: u64,
    steps: Steps,
    /// Whether a row was left out since the last one that was read.
    gap: bool,
    /// Whether one was left out since the last bar.
    broken: bool,
    problems: Vec<RowProblem>,
    problems_total: u64,
}

enum Order {
    /// The first rows, until there are enough to tell.
    Open(Vec<Placed>),
    OldestFirst,
    NewestFirst,
}

/// A bar and where it stands.
struct Placed {
    line: u64,
    bar: Bar,
    /// Whether the row above it was left out: the step to it is none of the series'.
    after_gap: bool,
}

impl<E, S: FnMut(&[Bar]) -> Result<(), E>> Series<S> {
    fn new(sink: S) -> Self {
        Self {
            sink,
            order: Order::Open(Vec::new()),
            last: None,
            batch: Vec::new(),
            bars: 0,
            steps: Steps::default(),
            gap: false,
            broken: false,
            problems: Vec::new(),
            problems_total: 0,
        }
    }

    fn problem(&mut self, line: u64, reason: String) {
        self.problems_total += 1;
        if self.problems.len() < PROBLEMS_LISTED {
            self.problems.push(RowProblem { line, reason });
        }
    }

    /// A row that is no bar.
    fn leave_out(&mut self, line: u64, reason: String) {
        self.problem(line, reason);
        self.gap = true;
    }

    fn push(&mut self, line: u64, bar: Bar) -> Result<(), E> {
        let placed = Placed {
            line,
            bar,
            after_gap: std::mem::take(&mut self.gap),
        };
        if let Order::Open(sample) = &mut self.order {
            sample.push(placed);
            return if sample.len() < ORDER_SAMPLE {
                Ok(())
            } else {
                self.settle_order()
            };
        }
        self.place(placed)
    }

    /// Newest first only where at least three steps, and all of them, go back: anything less is
    /// a row out of order.
    fn settle_order(&mut self) -> Result<(), E> {
        let Order::Open(sample) = &mut self.order else {
            return Ok(());
        };
        let sample = std::mem::take(sample);
        let back = sample
            .windows(2)
            .all(|pair| matches!(pair, [first, second] if second.bar.time < first.bar.time));
        self.order = if sample.len() > 3 && back {
            Order::NewestFirst
        } else {
            Order::OldestFirst
        };
        sample.into_iter().try_for_each(|placed| self.place(placed))
    }

    fn place(&mut self, placed: Placed) -> Result<(), E> {
        let Placed {
            line,
            bar,
            after_gap,
        } = placed;
        self.broken |= after_gap;
        if let Some(last) = self.last {
            let step = match self.order {
                Order::NewestFirst => last.time.saturating_sub(bar.time),
                _ => bar.time.saturating_sub(last.time),
            };
            if step == 0 {
                if bar != last {
                    let time = time::show(bar.time);
                    self.broken = true;
                    self.problem(
                        line,
                        format!("time {time} stands here twice with different figures"),
                    );
                }
                return Ok(());
            }
            if step < 0 {
                self.broken = true;
                let (this, above) = (time::show(bar.time), time::show(last.time));
                let relation = if matches!(self.order, Order::NewestFirst) {
                    "after"
                } else {
                    "before"
                };
                let newest = if relation == "after" {
                    "; this file is newest first"
                } else {
                    ""
                };
                self.problem(
                    line,
                    format!(
                        "time {this} is out of order: it is {relation} {above} above it{newest}"
                    ),
                );
                return Ok(());
            }
            if !self.broken {
                self.steps.add(step);
            }
        }
        self.broken = false;
        self.last = Some(bar);
        self.bars += 1;
        self.batch.push(bar);
        if self.batch.len() >= BATCH {
            self.flush()
        } else {
            Ok(())
        }
    }

    fn flush(&mut self) -> Result<(), E> {
        if matches!(self.order, Order::NewestFirst) {
            self.batch.reverse();
        }
        if !self.batch.is_empty() {
            (self.sink)(&self.batch)?;
        }
        self.batch.clear();
        Ok(())
    }

    fn single_day(&self) -> Option<Interval> {
        let day = Interval::Fixed(24 * 3_600_000);
        let only = self.last.filter(|_| self.bars == 1)?;
        (only.time % day.shortest() == 0).then_some(day)
    }

    fn finish(&mut self) -> Result<(), E> {
        self.settle_order()?;
        self.flush()
    }
}
