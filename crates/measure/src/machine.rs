//! The machine that is measured on.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{Seek, SeekFrom, Write},
    path::Path,
    time::Instant,
};

use anyhow::Context;
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

use crate::Times;

/// What a figure cannot be read without.
#[derive(Clone, Debug)]
pub struct Machine {
    processor: String,
    cores: usize,
    memory: u64,
    system: String,
    load: Option<f64>,
}

impl Machine {
    /// Asks the system.
    pub fn look() -> Self {
        let system = System::new_with_specifics(
            RefreshKind::nothing()
                .with_memory(MemoryRefreshKind::nothing().with_ram())
                .with_cpu(CpuRefreshKind::nothing()),
        );
        let processor = system.as_ref().ok().and_then(|system| {
            let brand = system.cpus().first()?.brand().trim().to_owned();
            (!brand.is_empty()).then_some(brand)
        });
        Self {
            processor: processor.unwrap_or_else(|| "unknown processor".to_owned()),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory: system.map_or(0, |system| system.total_memory()),
            system: System::long_os_version().unwrap_or_else(|_| std::env::consts::OS.to_owned()),
            load: System::load_average().ok().map(|load| load.one),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            processor,
            cores,
            system,
            ..
        } = self;
        let gigabytes = (self.memory as f64 / f64::from(1 << 30)).round();
        write!(
            f,
            "{processor}, {cores} cores, {gigabytes} GB, {system}, {}",
            std::env::consts::ARCH
        )?;
        match self.load {
            Some(load) => write!(f, "; load of the last minute before: {load:.2}"),
            None => Ok(()),
        }
    }
}

/// How long a folder's disk takes to make 4 KiB durable.
#[derive(Clone, Debug, Default)]
pub struct Fsync {
    /// Appended to a file, which then is longer: its size must be made durable as well.
    pub appended: Times,
    /// Written over what is there, as a database does with a journal that it begins anew.
    pub rewritten: Times,
}

impl Fsync {
    /// Measures each kind so many times.
    pub fn measure(folder: &Path, times: usize) -> anyhow::Result<Self> {
        let path = folder.join("fsync.tmp");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .with_context(|| path.display().to_string())?;
        let appended = write(&mut file, times)?;
        file.seek(SeekFrom::Start(0))?;
        let rewritten = write(&mut file, times)?;
        std::fs::remove_file(&path)?;
        Ok(Self {
            appended,
            rewritten,
        })
    }
}

fn write(file: &mut File, times: usize) -> std::io::Result<Times> {
    let once = |_| {
        let begun = Instant::now();
        file.write_all(&[0x5A; 4096])?;
        file.sync_data()?;
        Ok(begun.elapsed())
    };
    (0..times).map(once).collect()
}
