//! A folder of photos through the recipe `web`, as `artel images run` does it, beside
//! `vipsthumbnail` of libvips.
//!
//! Each run is a process of its own with a fresh profile, so that its memory can be told and nothing
//! is known from before. Ours also applies the recipe's tone curve, hashes input and output, makes
//! each result and its row durable, and draws the contact sheet; `vipsthumbnail` only makes the files.

#![allow(clippy::print_stdout, reason = "benchmarks print")]

#[path = "session/job.rs"]
mod job;
mod session;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use artel_app::api::images::ImagesRun;
use artel_measure::{Finished, Noise, Role, Table, Times, watch};
use image::{ImageEncoder, codecs::jpeg::JpegEncoder};
use rayon::prelude::*;

/// Photos of the folder: enough for some seconds a run, few enough to make up in as many.
const PHOTOS: usize = 40;
/// Width and height of a photo of 12 megapixels.
const SIZE: (u32, u32) = (4032, 3024);
/// Waves that make up a photo, each half as long as the one before.
const WAVES: usize = 8;
/// Runs of each side, in turn.
const ROUNDS: usize = 5;

/// One batch of ours: home, folder of the photos, folder of the results, `cpu` or `gpu`.
const BATCH: Role = Role {
    name: "batch",
    play: batch,
};

fn main() -> ExitCode {
    artel_measure::run("images", &[BATCH], bench)
}

fn bench() -> anyhow::Result<()> {
    let folder = artel_measure::scratch(env!("CARGO_TARGET_TMPDIR"), "images")?;
    let photos = folder.join("photos");
    let bytes = make_up(&photos)?;
    println!(
        "{PHOTOS} photos of {} × {}, {:.1} MB each\n",
        SIZE.0,
        SIZE.1,
        bytes as f64 / PHOTOS as f64 / 1e6
    );
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut sides = vec![Side::new("Artel, CPU".to_owned(), Maker::Artel)];
    match vips() {
        Some(version) => {
            sides.push(Side::new(format!("{version}, one process"), Maker::Vips(1)));
            sides.push(Side::new(
                format!("{version}, {cores} at a time"),
                Maker::Vips(cores),
            ));
        }
        None => println!(
            "SKIPPED vipsthumbnail: it is not installed (Debian: apt-get install libvips-tools)\n"
        ),
    }

    // The first round is the check, and not counted.
    let mut expected: Option<BTreeMap<OsString, (u32, u32)>> = None;
    for side in &mut sides {
        let (_, _, found) = side.once(&folder, &photos)?;
        ensure!(
            found.len() == PHOTOS,
            "{}: {} results",
            side.name,
            found.len()
        );
        match &expected {
            None => expected = Some(found),
            Some(expected) => ensure!(
                *expected == found,
                "{} makes other sizes than {}",
                side.name,
                "Artel"
            ),
        }
    }
    println!("Results of equal number and size on every side.\n");

    for _ in 0..ROUNDS {
        for side in &mut sides {
            let (took, peak, _) = side.once(&folder, &photos)?;
            side.times.push(took);
            side.peak = side.peak.max(peak);
        }
    }
    let mut table = Table::new(&["side", "photos a second", "slowest", "fastest", "peak, MB"]);
    for side in &sides {
        let times: Times = side.times.iter().copied().collect();
        let rate = |time: Duration| format!("{:.1}", PHOTOS as f64 / time.as_secs_f64());
        let peak = side.peak.map_or_else(
            || "unknown".to_owned(),
            |peak| format!("{:.0}", peak as f64 / 1e6),
        );
        table.row([
            side.name.clone(),
            rate(times.median()),
            rate(times.max()),
            rate(times.min()),
            peak,
        ]);
    }
    println!("{table}");
    fs::remove_dir_all(&folder)?;
    Ok(())
}

/// One of those that are compared.
struct Side {
    name: String,
    maker: Maker,
    times: Vec<Duration>,
    peak: Option<u64>,
}

enum Maker {
    Artel,
    /// So many processes at a time.
    Vips(usize),
}

impl Side {
    fn new(name: String, maker: Maker) -> Self {
        Self {
            name,
            maker,
            times: Vec::new(),
            peak: None,
        }
    }

    /// One run: how long it took, the peak of all its processes together, and each result's size in
    /// pixels.
    #[expect(clippy::type_complexity, reason = "three unlike things, used at once")]
    fn once(
        &self,
        folder: &Path,
        photos: &Path,
    ) -> anyhow::Result<(Duration, Option<u64>, BTreeMap<OsString, (u32, u32)>)> {
        let out = folder.join("results");
        let (took, peak) = match self.maker {
            Maker::Artel => artel(folder, photos, &out)?,
            Maker::Vips(processes) => {
                fs::create_dir_all(&out)?;
                thumbnails(&listed(photos)?, &out, processes)?
            }
        };
        let mut sizes = BTreeMap::new();
        for path in listed(&out)? {
            let name = path.file_stem().unwrap_or_default().to_owned();
            if name != "contact-sheet" {
                let size =
                    image::image_dimensions(&path).with_context(|| path.display().to_string())?;
                sizes.insert(name, size);
            }
        }
        fs::remove_dir_all(&out)?;
        Ok((took, peak, sizes))
    }
}

fn artel(folder: &Path, photos: &Path, out: &Path) -> anyhow::Result<(Duration, Option<u64>)> {
    let home = folder.join("home");
    let arguments: Vec<OsString> = [&home, photos, out]
        .map(|path| path.as_os_str().to_owned())
        .to_vec();
    let finished = watch(&mut BATCH.command(&arguments)?)?;
    fs::remove_dir_all(&home)?;
    let seconds: f64 = finished
        .output
        .trim()
        .parse()
        .with_context(|| format!("the batch says \"{}\"", finished.output.trim()))?;
    Ok((Duration::from_secs_f64(seconds), finished.peak))
}

/// The batch in a process of its own. It says how many seconds it took from being asked for to its
/// end; making and opening the profile is not part of it.
fn batch(arguments: &[String]) -> anyhow::Result<()> {
    let [home, photos, out] = arguments else {
        bail!("a batch needs a home, photos and a folder for the results");
    };
    session::wait(async {
        let session = session::fresh(Path::new(home), "Ada").await?;
        let begun = Instant::now();
        let started = session::ask(
            &session,
            ImagesRun {
                inputs: vec![photos.clone()],
                recipe: "web".to_owned(),
                out: out.clone(),
                export: Some(text(&Path::new(out).join("results.csv"))?),
                backend: Some("cpu".to_owned()),
                workers: None,
                every: None,
            },
        )
        .await?;
        let ended = job::done(&session, started.job.job).await?;
        let seconds = begun.elapsed().as_secs_f64();
        ensure!(ended.done == PHOTOS as u64, "{} are done", ended.done);
        session.close().await;
        println!("{seconds}");
        Ok(())
    })
}

/// Name and version, where it is installed.
fn vips() -> Option<String> {
    let output = Command::new("vipsthumbnail")
        .arg("--vips-version")
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.trim().strip_prefix("libvips ")?;
    Some(format!("vipsthumbnail {}", version.split('-').next()?))
}

/// The same sizes and quality as the recipe; orientation is applied by both.
fn thumbnails(
    photos: &[PathBuf],
    out: &Path,
    processes: usize,
) -> anyhow::Result<(Duration, Option<u64>)> {
    let target = format!("{}/%s.jpg[Q=85]", text(out)?);
    let begun = Instant::now();
    let ended: Vec<anyhow::Result<Finished>> = thread::scope(|scope| {
        let running: Vec<_> = photos
            .chunks(photos.len().div_ceil(processes))
            .map(|part| {
                let mut command = Command::new("vipsthumbnail");
                command
                    .args(["--size", "2048x2048", "--output", &target])
                    .args(part);
                scope.spawn(move || watch(&mut command))
            })
            .collect();
        running
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|_| bail!("a process could not be watched"))
            })
            .collect()
    });
    let took = begun.elapsed();
    let mut peak = Some(0);
    for finished in ended {
        peak = peak.zip(finished?.peak).map(|(all, one)| all + one);
    }
    Ok((took, peak))
}

fn listed(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "jpg") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Photos with the detail and the grain that make a camera's JPEG as large as it is. Returns the
/// bytes of all.
fn make_up(folder: &Path) -> anyhow::Result<u64> {
    fs::create_dir_all(folder)?;
    let sizes: Vec<anyhow::Result<u64>> = (0..PHOTOS)
        .into_par_iter()
        .map(|number| {
            let path = folder.join(format!("photo {number:03}.jpg"));
            let mut bytes = Vec::new();
            JpegEncoder::new_with_quality(&mut bytes, 90).write_image(
                &scene(number as u64),
                SIZE.0,
                SIZE.1,
                image::ExtendedColorType::Rgb8,
            )?;
            fs::write(&path, &bytes)?;
            Ok(bytes.len() as u64)
        })
        .collect();
    sizes.into_iter().sum()
}

/// Soft light, edges, and grain: rows of 8-bit RGB.
fn scene(seed: u64) -> Vec<u8> {
    let mut noise = Noise::new(seed);
    let across: Vec<[f64; WAVES]> = waves(&mut noise, SIZE.0);
    let down: Vec<[f64; WAVES]> = waves(&mut noise, SIZE.1);
    let mut pixels = Vec::with_capacity(across.len() * down.len() * 3);
    for row in &down {
        for column in &across {
            let light: f64 = row.iter().zip(column).map(|(one, other)| one * other).sum();
            let edge = if light > 25.0 { 40.0 } else { 0.0 };
            let grain = noise.fraction() * 12.0;
            pixels.extend([110.0, 100.0, 90.0].map(|tint| byte(tint + light + edge + grain)));
        }
    }
    pixels
}

/// Along one axis, waves from the length of the picture down to some pixels; the finer, the fainter.
fn waves(noise: &mut Noise, length: u32) -> Vec<[f64; WAVES]> {
    let drawn: [[f64; 3]; WAVES] = std::array::from_fn(|octave| {
        let finer = f64::from(1 << octave);
        [
            (noise.fraction() + 0.5) * finer / 800.0,
            noise.fraction() * 6.0,
            6.0 / finer.sqrt(),
        ]
    });
    (0..length)
        .map(|at| {
            drawn.map(|[frequency, phase, height]| {
                (f64::from(at) * frequency + phase).sin() * height
            })
        })
        .collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the range of a byte"
)]
fn byte(value: f64) -> u8 {
    value.clamp(0.0, 255.0) as u8
}

/// A path as commands take it.
fn text(path: &Path) -> anyhow::Result<String> {
    Ok(path
        .to_str()
        .with_context(|| format!("{} is not Unicode", path.display()))?
        .to_owned())
}
