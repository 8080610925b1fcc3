//! Indicators over whole series, to files.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    time::Instant,
};

use artel_compute::{
    gpu::{Backend, GpuError, Path as Route, Router},
    indicators::{Call, ComputeError, Output, kernels::Computed},
};
use artel_store::market::{self as store, Bars, Run, RunFile, Series};
use rayon::prelude::*;

use super::{
    series,
    table::{Columns, Csv, may_replace},
};
use crate::{
    api::market as api,
    error::{AppError, Code},
    files::{failed, folder_of},
    installation::now_ms,
    session::Core,
    titles,
};

/// Bars that are loaded at a time, so that the kernels see many series at once.
const GROUP_BARS: u64 = 2_000_000;

/// Memory for outputs that are computed at the same time, in bytes.
const AT_ONCE: usize = 128 << 20;

/// A GPU that was asked for and cannot be used.
pub(super) fn no_gpu(reason: &GpuError) -> AppError {
    AppError::new(
        Code::NoGpu,
        reason.to_string(),
        "Use --backend auto or cpu.",
    )
}

/// Computes and writes; a symbol that fails leaves the others alone.
pub(super) fn run(
    core: &Core,
    command: &api::MarketIndicators,
) -> Result<api::IndicatorsDone, AppError> {
    run_within(core, command, AT_ONCE)
}

/// [`run`] with so much memory for outputs that are computed at the same time.
pub(super) fn run_within(
    core: &Core,
    command: &api::MarketIndicators,
    at_once: usize,
) -> Result<api::IndicatorsDone, AppError> {
    let started = Instant::now();
    let plan = Plan::from(command, at_once)?;
    let all = core.store().read(store::list)?;
    let names = wanted(&all, &command.symbols)?;
    let mut sink = Sink::open(command.out.as_deref(), &plan)?;
    let mut reports = Vec::new();
    let mut failed = Vec::new();
    let mut group: Vec<(String, Series)> = Vec::new();
    for name in names {
        match series::find(&all, &name) {
            Ok(series) => {
                let so_far: u64 = group.iter().map(|(_, series)| series.bars).sum();
                if so_far + series.bars > plan.group_bars() {
                    plan.group(core, std::mem::take(&mut group), &mut sink, &mut reports)?;
                }
                group.push((name, series));
            }
            Err(error) => {
                reports.push(failure(name, 0, error.message.clone()));
                failed.push(error);
            }
        }
    }
    plan.group(core, group, &mut sink, &mut reports)?;
    let done: Vec<&api::SymbolRun> = reports
        .iter()
        .filter(|report| report.error.is_none())
        .collect();
    if done.is_empty() {
        return Err(nothing_done(&reports, failed));
    }
    let names: Vec<&str> = done.iter().map(|report| report.symbol.as_str()).collect();
    let routes: BTreeSet<&str> = done.iter().map(|report| report.backend.as_str()).collect();
    let kept = Run {
        at_ms: now_ms(),
        symbols: titles::of(&names),
        functions: done
            .iter()
            .map(|report| report.functions)
            .max()
            .unwrap_or(0),
        bars: done.iter().map(|report| report.bars).sum(),
        seconds: started.elapsed().as_secs_f64(),
        backend: routes.into_iter().collect::<Vec<_>>().join(", "),
        files: sink.finish()?,
    };
    let out = kept.files.iter().map(|file| file.path.clone()).collect();
    let id = core
        .store()
        .write(move |transaction| store::add_run(transaction, &kept))?;
    Ok(api::IndicatorsDone {
        run: format!("run:{id}"),
        symbols: reports,
        out,
    })
}

/// The series that were asked for, each once; all of them if none was named.
fn wanted(all: &[Series], symbols: &[String]) -> Result<Vec<String>, AppError> {
    if symbols.is_empty() {
        if all.is_empty() {
            return Err(AppError::new(
                Code::NotFound,
                "there are no prices yet",
                "Add some: artel market import FILE",
            ));
        }
        return Ok(series::labels(all));
    }
    let mut seen = BTreeSet::new();
    let names = symbols.iter().map(|name| name.trim().to_owned());
    Ok(names.filter(|name| seen.insert(name.clone())).collect())
}

fn failure(symbol: String, bars: u64, error: String) -> api::SymbolRun {
    api::SymbolRun {
        symbol,
        bars,
        functions: 0,
        seconds: 0.0,
        cache: "miss".to_owned(),
        backend: "cpu".to_owned(),
        error: Some(error),
    }
}

/// The error of a run in which nothing succeeded.
fn nothing_done(reports: &[api::SymbolRun], mut errors: Vec<AppError>) -> AppError {
    if reports.len() == 1
        && let Some(error) = errors.pop()
    {
        return error;
    }
    let said =
        |report: &api::SymbolRun| Some(format!("{}: {}", report.symbol, report.error.as_ref()?));
    let reasons: Vec<String> = reports.iter().take(10).filter_map(said).collect();
    let code = if errors.is_empty() {
        Code::BadInput
    } else {
        Code::NotFound
    };
    AppError::new(
        code,
        reasons.join("\n"),
        "See which series there are: artel market list",
    )
}

/// What to compute and how.
struct Plan {
    calls: Vec<Call>,
    /// Whether the functions were named, so that one that cannot be computed is an error.
    named: bool,
    router: Router,
    /// Memory for outputs that are computed at the same time, in bytes.
    at_once: usize,
}

impl Plan {
    fn from(command: &api::MarketIndicators, at_once: usize) -> Result<Self, AppError> {
        let backend = command
            .backend
            .as_deref()
            .unwrap_or("auto")
            .parse::<Backend>()?;
        let named = !command.only.is_empty();
        let mut seen = BTreeSet::new();
        let calls = if named {
            let calls = command.only.iter().map(|text| text.parse::<Call>());
            calls.collect::<Result<Vec<_>, _>>()?
        } else {
            Call::all()
        };
        Ok(Self {
            calls: calls
                .into_iter()
                .filter(|call| seen.insert(call.to_string()))
                .collect(),
            named,
            router: Router::new(backend),
            at_once,
        })
    }

    /// Bars to load at a time, so that what our kernels make of them stays within [`Self::at_once`].
    fn group_bars(&self) -> u64 {
        let kernels = self.calls.iter().filter(|call| call.kernel().is_some());
        let width = kernels.count().max(1) * size_of::<f64>();
        GROUP_BARS.min((self.at_once / width) as u64)
    }

    fn columns(&self) -> Vec<String> {
        self.calls.iter().flat_map(Call::columns).collect()
    }

    /// Loads a group of series, runs our kernels over all of them and the other functions over
    /// each.
    fn group(
        &self,
        core: &Core,
        group: Vec<(String, Series)>,
        sink: &mut Sink,
        reports: &mut Vec<api::SymbolRun>,
    ) -> Result<(), AppError> {
        let started = Instant::now();
        let load = |(name, of): (String, Series)| {
            let bars = core
                .store()
                .read(|connection| series::load(connection, &of))?;
            Ok((name, of, bars))
        };
        let loaded: Vec<(String, Series, Bars)> = group
            .into_iter()
            .map(load)
            .collect::<Result<_, AppError>>()?;
        // A series that is too long even alone gets its kernels a few calls at a time.
        let bars: u64 = loaded.iter().map(|(_, _, bars)| bars.len() as u64).sum();
        let together = bars <= self.group_bars();
        let closes: Vec<&[f64]> = loaded
            .iter()
            .filter(|_| together)
            .map(|(_, _, bars)| bars.close.as_slice())
            .collect();
        let mut kernels = self.kernels(&self.calls, &closes)?;
        let shared = started.elapsed().as_secs_f64() / loaded.len().max(1) as f64;
        for (index, (name, of, bars)) in loaded.into_iter().enumerate() {
            let started = Instant::now();
            let own = together.then(|| {
                let own = kernels
                    .iter_mut()
                    .map(|made| made.get_mut(index).and_then(Option::take));
                own.collect()
            });
            let count = bars.len() as u64;
            match self.one(&name, &of, bars, own, sink)? {
                Ok(done) => reports.push(api::SymbolRun {
                    symbol: name,
                    bars: count,
                    functions: done.functions,
                    seconds: started.elapsed().as_secs_f64() + shared,
                    cache: "miss".to_owned(),
                    backend: done.routes.into_iter().collect::<Vec<_>>().join(", "),
                    error: None,
                }),
                Err(error) => reports.push(failure(name, count, error.to_string())),
            }
        }
        Ok(())
    }

    /// For each call, what our kernels made of each series; nothing where none serves it.
    fn kernels(
        &self,
        calls: &[Call],
        closes: &[&[f64]],
    ) -> Result<Vec<Vec<Option<Computed>>>, AppError> {
        let made = calls.iter().map(|call| match call.kernel() {
            Some((kernel, period)) if !closes.is_empty() => {
                let made = kernel
                    .run(period, closes, &self.router)
                    .map_err(|reason| no_gpu(&reason))?;
                Ok(made.into_iter().map(Some).collect())
            }
            _ => Ok(Vec::new()),
        });
        made.collect()
    }

    /// Computes one series and writes it; `own` is what our kernels made already, for each call. The outer error ends
    /// the run, the inner one is of this series alone.
    fn one(
        &self,
        name: &str,
        of: &Series,
        bars: Bars,
        own: Option<Vec<Option<Computed>>>,
        sink: &mut Sink,
    ) -> Result<Result<Done, ComputeError>, AppError> {
        let columns = series::columns(&bars, of);
        let mut done = Done::default();
        let mut table = sink.table();
        let width = bars.len().max(1) * 3 * size_of::<f64>();
        let at_once = (self.at_once / width).clamp(1, self.calls.len().max(1));
        let mut own = own.map(Vec::into_iter);
        for calls in self.calls.chunks(at_once) {
            let made: Vec<Option<Computed>> = if let Some(own) = &mut own {
                own.take(calls.len()).collect()
            } else {
                let made = self.kernels(calls, &[bars.close.as_slice()])?;
                made.into_iter().map(|mut made| made.pop()?).collect()
            };
            let batch: Vec<_> = calls.iter().zip(made).collect();
            let made: Vec<_> = batch
                .into_par_iter()
                .map(|(call, own)| match own {
                    Some(own) => (call, Ok((vec![own.output], own.path))),
                    None => (
                        call,
                        call.compute(&columns).map(|outputs| (outputs, Route::Cpu)),
                    ),
                })
                .collect();
            for (call, made) in made {
                let outputs = match made {
                    Ok((outputs, route)) => {
                        done.functions += 1;
                        done.routes.insert(route.to_string());
                        outputs
                    }
                    // The columns stay, empty: other series of the file may have volumes.
                    Err(ComputeError::NoVolume { .. }) if !self.named => {
                        call.columns().iter().map(|_| nothing()).collect()
                    }
                    Err(error) => return Ok(Err(error)),
                };
                if let Some(table) = &mut table {
                    for output in outputs {
                        table.push(output).map_err(|reason| sink.failed(&reason))?;
                    }
                }
            }
        }
        if let Some(table) = &mut table {
            sink.write(name, &bars.time, table)?;
        }
        Ok(Ok(done))
    }
}

/// What was done for one series.
#[derive(Default)]
struct Done {
    functions: u32,
    routes: BTreeSet<String>,
}

fn nothing() -> Output {
    Output {
        first: 0,
        values: artel_compute::indicators::Values::Real(Vec::new()),
    }
}

/// Where the values go.
struct Sink {
    target: Target,
    columns: Vec<String>,
    files: Vec<RunFile>,
}

enum Target {
    Nowhere,
    /// All series in one file.
    File {
        path: PathBuf,
        csv: Box<Csv>,
    },
    /// A file for each series.
    Folder(PathBuf),
}

impl Sink {
    fn open(out: Option<&str>, plan: &Plan) -> Result<Self, AppError> {
        let columns = plan.columns();
        let target = match out {
            None => Target::Nowhere,
            Some(out) => Self::target(out, &columns)?,
        };
        Ok(Self {
            target,
            columns,
            files: Vec::new(),
        })
    }

    fn target(out: &str, columns: &[String]) -> Result<Target, AppError> {
        let path = PathBuf::from(out);
        let ending = path
            .extension()
            .map(|ending| ending.to_string_lossy().to_lowercase());
        let folder = path.is_dir() || out.ends_with(['/', '\\']);
        match ending.as_deref() {
            _ if folder => {}
            Some("csv") => {
                let csv = Box::new(begin(path.clone(), columns)?);
                return Ok(Target::File { path, csv });
            }
            None => {}
            Some(_) => {
                return Err(AppError::new(
                    Code::BadArguments,
                    format!("{out} is neither a .csv file nor a folder"),
                    "Give F.csv for one file, or DIR/ for a file a symbol.",
                ));
            }
        }
        std::fs::create_dir_all(&path).map_err(|reason| failed(&path, &reason))?;
        Ok(Target::Folder(path))
    }

    /// Where the columns of the next series are gathered; nowhere if nobody asked for them.
    fn table(&self) -> Option<Columns> {
        match &self.target {
            Target::Nowhere => None,
            Target::File { path, .. } => Some(Columns::new(folder_of(path))),
            Target::Folder(folder) => Some(Columns::new(folder)),
        }
    }

    fn write(&mut self, name: &str, times: &[i64], table: &mut Columns) -> Result<(), AppError> {
        match &mut self.target {
            Target::Nowhere => Ok(()),
            Target::File { path, csv } => csv
                .rows(name, times, table)
                .map_err(|reason| failed(path, &reason)),
            Target::Folder(folder) => {
                let path = folder.join(artel_domain::sanitize(&format!("{}.csv", plain(name))));
                if self.files.iter().any(|file| Path::new(&file.path) == path) {
                    return Err(AppError::new(
                        Code::Exists,
                        format!("two symbols would both be {}", path.display()),
                        "Write them to one file: --out F.csv",
                    ));
                }
                let mut csv = begin(path.clone(), &self.columns)?;
                let written = csv.rows(name, times, table).and_then(|()| csv.finish());
                self.files
                    .push(written.map_err(|reason| failed(&path, &reason))?);
                Ok(())
            }
        }
    }

    fn failed(&self, reason: &io::Error) -> AppError {
        match &self.target {
            Target::Nowhere => AppError::internal(reason),
            Target::File { path, .. } | Target::Folder(path) => failed(path, reason),
        }
    }

    fn finish(mut self) -> Result<Vec<RunFile>, AppError> {
        if let Target::File { path, csv } = self.target {
            self.files
                .push(csv.finish().map_err(|reason| failed(&path, &reason))?);
        }
        Ok(self.files)
    }
}

/// A symbol without what would be taken as a folder.
fn plain(name: &str) -> String {
    name.replace(['/', '\\'], "_")
}

fn begin(path: PathBuf, columns: &[String]) -> Result<Csv, AppError> {
    if !may_replace(&path).map_err(|reason| failed(&path, &reason))? {
        return Err(AppError::new(
            Code::Exists,
            format!(
                "{} is there already and is no indicator file",
                path.display()
            ),
            "Choose another name, or move that file away.",
        )
        .param("path", path.display()));
    }
    Csv::create(path.clone(), columns).map_err(|reason| failed(&path, &reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(only: &[&str], at_once: usize) -> Plan {
        let command = api::MarketIndicators {
            symbols: Vec::new(),
            only: only.iter().map(|call| (*call).to_owned()).collect(),
            out: None,
            backend: Some("cpu".to_owned()),
        };
        Plan::from(&command, at_once).unwrap()
    }

    #[test]
    fn what_kernels_make_of_a_group_stays_within_its_memory() {
        let many: Vec<String> = (2..202).map(|period| format!("SMA:{period}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let cases: [(&[&str], u64); 4] = [
            (&[], 1),
            (&["SMA:5"], 1),
            (&["SMA:5", "MACD:12:26:9"], 1),
            (&many, 200),
        ];
        for (only, at_least) in cases {
            let plan = plan(only, AT_ONCE);
            let kernels = plan.calls.iter().filter(|call| call.kernel().is_some());
            let kernels = kernels.count() as u64;
            assert!(kernels >= at_least, "{only:?}: {kernels}");
            let bars = plan.group_bars();
            assert!(bars * kernels * 8 <= AT_ONCE as u64, "{only:?}: {bars}");
        }
    }
}
