//! Chooses CPU or GPU for each kernel, by a small calibration on this adapter.

use std::{
    collections::BTreeMap,
    fmt,
    str::FromStr,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Instant,
};

use super::{AdapterFacts, AdapterKind, Gpu, GpuError, adapters};

/// Where to compute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Backend {
    /// Whichever a measurement finds faster; software adapters are left out.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The GPU, software adapters included; the CPU only if the device fails.
    Gpu,
}

/// A backend by a name that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no backend: auto, cpu and gpu are")]
pub struct UnknownBackend(pub String);

impl FromStr for Backend {
    type Err = UnknownBackend;

    fn from_str(name: &str) -> Result<Self, UnknownBackend> {
        match name {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "gpu" => Ok(Self::Gpu),
            _ => Err(UnknownBackend(name.to_owned())),
        }
    }
}

/// Which path made a result.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Path {
    /// The CPU.
    Cpu,
    /// The GPU with this adapter name.
    Gpu(Arc<str>),
}

impl Path {
    /// `cpu` or `gpu`.
    pub fn short(&self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Gpu(_) => "gpu",
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Gpu(adapter) => write!(f, "gpu: {adapter}"),
        }
    }
}

/// How a kernel is timed: the same work, in a unit of the kernel's choice (pixels, values), on both
/// sides, transfers included. Called with both sizes, twice each; keep them within milliseconds.
pub struct Probe<'a> {
    /// A small and a larger amount of work.
    pub sizes: [u64; 2],
    /// Does so much on the CPU.
    pub cpu: &'a dyn Fn(u64),
    /// Does so much on the GPU.
    pub gpu: &'a dyn Fn(&Gpu, u64) -> Result<(), GpuError>,
}

/// Seconds of an amount of work: `fixed + each * work`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Line {
    fixed: f64,
    each: f64,
}

impl Line {
    fn through(sizes: [u64; 2], seconds: [f64; 2]) -> Self {
        let [small, large] = sizes.map(|size| size as f64);
        let [first, second] = seconds;
        let each = ((second - first) / (large - small).max(1.0)).max(0.0);
        Self {
            fixed: (first - each * small).max(0.0),
            each,
        }
    }

    fn at(self, work: u64) -> f64 {
        self.fixed + self.each * work as f64
    }
}

#[derive(Clone, Copy, Debug)]
struct Calibration {
    cpu: Line,
    gpu: Line,
}

/// Chooses a path by the backend that was asked for and what was measured on this adapter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Router {
    backend: Backend,
}

impl Router {
    /// A router for this choice.
    pub fn new(backend: Backend) -> Self {
        Self { backend }
    }

    /// Whether it chooses by what was measured.
    pub fn measures(&self) -> bool {
        self.backend == Backend::Auto
    }

    /// The device to use for `work` units of a kernel, or `None` for the CPU. Only a GPU that was
    /// asked for and is not there is an error.
    pub fn choose(
        &self,
        kernel: &'static str,
        work: u64,
        probe: &Probe<'_>,
    ) -> Result<Option<Arc<Gpu>>, GpuError> {
        match self.backend {
            Backend::Cpu => Ok(None),
            Backend::Gpu => Gpu::shared().map(Some),
            Backend::Auto => {
                if best_adapter().is_none_or(|facts| facts.kind == AdapterKind::Cpu) {
                    return Ok(None);
                }
                let Ok(gpu) = Gpu::shared() else {
                    return Ok(None);
                };
                let faster = calibration(kernel, &gpu, probe)
                    .is_some_and(|measured| measured.gpu.at(work) < measured.cpu.at(work));
                Ok(faster.then_some(gpu))
            }
        }
    }
}

/// The best adapter, looked for once in a process.
fn best_adapter() -> Option<&'static AdapterFacts> {
    static BEST: OnceLock<Option<AdapterFacts>> = OnceLock::new();
    BEST.get_or_init(|| adapters().into_iter().next()).as_ref()
}

/// What was measured for this kernel on this adapter in this process; measured now if not yet.
fn calibration(kernel: &'static str, gpu: &Gpu, probe: &Probe<'_>) -> Option<Calibration> {
    static MEASURED: Mutex<BTreeMap<(&'static str, String), Option<Calibration>>> =
        Mutex::new(BTreeMap::new());
    // Held while measuring: two measurements at once would disturb each other.
    let mut measured = MEASURED.lock().unwrap_or_else(PoisonError::into_inner);
    *measured
        .entry((kernel, gpu.facts().name.clone()))
        .or_insert_with(|| {
            let measured = measure(gpu, probe);
            tracing::info!(kernel, adapter = gpu.facts().name, ?measured, "calibrated");
            measured.ok()
        })
}

fn measure(gpu: &Gpu, probe: &Probe<'_>) -> Result<Calibration, GpuError> {
    let mut cpu = [0.0; 2];
    let mut on_gpu = [0.0; 2];
    for ((cpu, on_gpu), size) in cpu.iter_mut().zip(&mut on_gpu).zip(probe.sizes) {
        // The first run of each pays for caches, pipelines and buffers that later ones find.
        (probe.cpu)(size);
        (probe.gpu)(gpu, size)?;
        let begun = Instant::now();
        (probe.cpu)(size);
        *cpu = begun.elapsed().as_secs_f64();
        let begun = Instant::now();
        (probe.gpu)(gpu, size)?;
        *on_gpu = begun.elapsed().as_secs_f64();
    }
    Ok(Calibration {
        cpu: Line::through(probe.sizes, cpu),
        gpu: Line::through(probe.sizes, on_gpu),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_finds_what_is_fixed_and_what_grows() {
        let line = Line::through([100, 300], [2.0, 4.0]);
        assert!((line.at(0) - 1.0).abs() < 1e-9, "{line:?}");
        assert!((line.at(500) - 6.0).abs() < 1e-9, "{line:?}");
        // Noise may make the larger work look quicker; time never runs backwards.
        let noisy = Line::through([100, 300], [2.0, 1.0]);
        assert!(noisy.each >= 0.0 && noisy.fixed >= 0.0);
    }

    #[test]
    fn the_cpu_is_used_when_asked_for_without_touching_any_device() {
        let probe = Probe {
            sizes: [1, 2],
            cpu: &|_| panic!("not measured"),
            gpu: &|_, _| panic!("not measured"),
        };
        let chosen = Router::new(Backend::Cpu).choose("test", 1, &probe);
        assert!(chosen.unwrap().is_none());
    }
}
