//! Resizing by a Lanczos filter of three lobes.
//!
//! On the CPU `fast_image_resize` does it, in 16-bit fixed point: down the columns, rounded to 8
//! bits, then along the rows. The kernels do the same sums with the same coefficients, so both
//! paths give the same bytes: the tolerance is zero.

use std::f64::consts::PI;

use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};

use super::{Picture, tone::Curve};
use crate::gpu::{Buffer, Dispatch, Gpu, GpuError, Kernel};

/// Down the columns. Its tolerance is zero.
pub const COLUMNS: Kernel = Kernel {
    name: "imaging resize columns",
    wgsl: include_str!("resize.wgsl"),
    entry: "columns",
};

/// Along the rows. Its tolerance is zero.
pub const ROWS: Kernel = Kernel {
    name: "imaging resize rows",
    wgsl: include_str!("resize.wgsl"),
    entry: "rows",
};

/// Invocations of a workgroup, as in the shader.
const GROUP: u32 = 64;
/// Bytes of a band on the GPU: short dispatches, and within every adapter's limits.
const BAND: u64 = 64 << 20;
/// Radius of the filter in source pixels, at the same size.
const LOBES: f64 = 3.0;

/// The size within a square box that keeps the shape; never larger than it was.
pub fn fit(width: u32, height: u32, side: u32) -> (u32, u32) {
    let longest = width.max(height);
    let side = side.max(1);
    if longest <= side {
        return (width, height);
    }
    let scale = |length: u32| {
        let scaled =
            (u64::from(length) * u64::from(side) + u64::from(longest) / 2) / u64::from(longest);
        u32::try_from(scaled.max(1)).unwrap_or(side)
    };
    (scale(width), scale(height))
}

/// Fits a picture into a square box, on the CPU.
pub fn to_fit(picture: Picture, side: u32) -> Picture {
    let (width, height) = fit(picture.width, picture.height, side);
    if (width, height) == (picture.width, picture.height) {
        return picture;
    }
    cpu(&picture, width, height)
}

/// Resizes on the CPU.
pub fn cpu(picture: &Picture, width: u32, height: u32) -> Picture {
    let (width, height) = (width.max(1), height.max(1));
    let mut result = Image::new(width, height, PixelType::U8x3);
    let resized = ImageRef::new(picture.width, picture.height, &picture.rgb, PixelType::U8x3)
        .map_err(|error| error.to_string())
        .and_then(|source| {
            let options = ResizeOptions::new()
                .resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3))
                .use_alpha(false);
            Resizer::new()
                .resize(&source, &mut result, &options)
                .map_err(|error| error.to_string())
        });
    // A picture's pixels always fit its size, which is all that the resizer asks for.
    debug_assert!(resized.is_ok(), "{resized:?}");
    picture.with_pixels(width, height, result.into_vec())
}

/// Resizes on the GPU and applies a curve there, in bands of rows.
pub fn gpu(
    gpu: &Gpu,
    picture: &Picture,
    width: u32,
    height: u32,
    curve: Option<&Curve>,
) -> Result<Picture, GpuError> {
    let (width, height) = (width.max(1), height.max(1));
    let down = Coefficients::new(picture.height, height);
    let along = Coefficients::new(picture.width, width);
    let along_buffers = along.upload(gpu, 0..width, 0)?;
    let most = BAND.min(gpu.max_binding());
    let mut rgb = Vec::with_capacity(picture.rgb.len().min(1 << 28));
    let mut first = 0;
    while first < height {
        let rows = down.band(first, picture.width, width, most);
        let band = Band {
            picture,
            down: &down,
            along: &along,
            width,
            first,
            rows,
        };
        rgb.extend(band.run(gpu, &along_buffers, curve)?);
        first += rows;
    }
    Ok(picture.with_pixels(width, height, rgb))
}

/// Some rows of the result.
struct Band<'a> {
    picture: &'a Picture,
    down: &'a Coefficients,
    along: &'a Coefficients,
    width: u32,
    first: u32,
    rows: u32,
}

impl Band<'_> {
    fn run(
        &self,
        gpu: &Gpu,
        along_buffers: &[Buffer; 2],
        curve: Option<&Curve>,
    ) -> Result<Vec<u8>, GpuError> {
        let last = self.first + self.rows;
        let (from, to) = self.down.span(self.first..last);
        let [bounds, values] = self.down.upload(gpu, self.first..last, from)?;
        let stride = self.picture.width as usize * 3;
        let source = self
            .picture
            .rgb
            .get(from as usize * stride..to as usize * stride)
            .ok_or_else(|| GpuError::Failed("rows outside the picture".to_owned()))?;
        let source = gpu.upload(source)?;
        let source_width = self.picture.width;
        let between = gpu.storage(u64::from(self.rows) * u64::from(source_width) * 4)?;
        let pixels = u64::from(self.rows) * u64::from(self.width);
        // Four pixels are three words; the last quad may be cut.
        let result = gpu.storage(pixels.div_ceil(4) * 12)?;
        let settings = |window: u32, precision: u32, columns: u32| {
            gpu.uniform(bytemuck::cast_slice(&[
                source_width,
                self.width,
                self.rows,
                window,
                precision,
                columns * GROUP,
            ]))
        };
        let down_groups = groups(gpu, u64::from(self.rows) * u64::from(source_width));
        let down_settings = settings(self.down.window, self.down.precision, down_groups[0])?;
        let along_groups = groups(gpu, pixels.div_ceil(4));
        let along_settings = settings(self.along.window, self.along.precision, along_groups[0])?;
        let [along_bounds, along_values] = along_buffers;
        let columns = Dispatch {
            kernel: &COLUMNS,
            buffers: &[&down_settings, &bounds, &values, &source, &between],
            groups: down_groups,
        };
        let rows = Dispatch {
            kernel: &ROWS,
            buffers: &[
                &along_settings,
                along_bounds,
                along_values,
                &between,
                &result,
            ],
            groups: along_groups,
        };
        let mut read = match curve {
            None => gpu.run(&[columns, rows], &[&result])?,
            Some(curve) => {
                let stage = curve.stage(gpu, result.bytes())?;
                let tone = stage.bind(&result);
                gpu.run(&[columns, rows, tone.dispatch()], &[stage.result()])?
            }
        };
        let mut bytes = read
            .pop()
            .ok_or_else(|| GpuError::Failed("nothing was read back".to_owned()))?;
        bytes.truncate(usize::try_from(pixels * 3).unwrap_or(usize::MAX));
        Ok(bytes)
    }
}

/// Workgroups for so many invocations, in rows as wide as the adapter allows.
fn groups(gpu: &Gpu, invocations: u64) -> [u32; 3] {
    let columns = invocations
        .div_ceil(u64::from(GROUP))
        .clamp(1, u64::from(gpu.max_groups()));
    let rows = invocations.div_ceil(columns * u64::from(GROUP)).max(1);
    [
        u32::try_from(columns).unwrap_or(1),
        u32::try_from(rows).unwrap_or(u32::MAX),
        1,
    ]
}

/// Fixed-point filter coefficients of one direction, as `fast_image_resize` 6.1 makes them: for
/// each position of the result a first source position and some weights that sum to one.
#[derive(Debug)]
struct Coefficients {
    /// First source position and number of weights.
    bounds: Vec<[u32; 2]>,
    /// `window` weights for each position, those after the number are zero.
    values: Vec<i32>,
    window: u32,
    /// Bits after the point.
    precision: u32,
}

impl Coefficients {
    fn new(from: u32, to: u32) -> Self {
        if from == to {
            // One weight of one: the pass changes nothing, as the CPU leaves it out.
            return Self {
                bounds: (0..to).map(|position| [position, 1]).collect(),
                values: vec![1 << 14; to as usize],
                window: 1,
                precision: 14,
            };
        }
        let scale = f64::from(from) / f64::from(to);
        let filter_scale = scale.max(1.0);
        let radius = LOBES * filter_scale;
        let nearness = 1.0 / filter_scale;
        let window = to_index(radius.ceil()) * 2 + 1;
        let mut bounds = Vec::with_capacity(to as usize);
        let mut weights: Vec<f64> = Vec::with_capacity(window as usize * to as usize);
        for position in 0..to {
            let centre = (f64::from(position) + 0.5) * scale;
            let nearest = to_index((centre - radius).floor().max(0.0));
            let farthest = to_index((centre + radius).ceil().min(f64::from(from)));
            let (mut first, mut end) = (nearest, farthest);
            let begun = weights.len();
            let mut sum = 0.0;
            for x in nearest..farthest {
                let weight = lanczos((f64::from(x) - (centre - 0.5)) * nearness);
                if x == first && weight == 0.0 {
                    first += 1;
                } else {
                    weights.push(weight);
                    sum += weight;
                }
            }
            for weight in weights.iter().rev() {
                if end <= first || *weight != 0.0 {
                    break;
                }
                end -= 1;
            }
            if sum != 0.0 {
                for weight in weights.iter_mut().skip(begun) {
                    *weight /= sum;
                }
            }
            weights.resize(begun + window as usize, 0.0);
            bounds.push([first, end - first]);
        }
        let precision = precision(&weights);
        let one = f64::from(1_u32 << precision);
        let mut values: Vec<i32> = weights
            .iter()
            .map(|weight| to_weight(weight * one))
            .collect();
        // Weights beyond the number of a position are dropped there and must not count here.
        for (row, [_, number]) in values.chunks_exact_mut(window as usize).zip(&bounds) {
            for value in row.iter_mut().skip(*number as usize) {
                *value = 0;
            }
        }
        Self {
            bounds,
            values,
            window,
            precision,
        }
    }

    /// Source positions that these positions of the result look at.
    fn span(&self, positions: std::ops::Range<u32>) -> (u32, u32) {
        let bounds = || {
            self.bounds
                .get(positions.start as usize..positions.end as usize)
                .into_iter()
                .flatten()
        };
        let from = bounds().map(|[first, _]| *first).min().unwrap_or(0);
        let to = bounds()
            .map(|[first, number]| first + number)
            .max()
            .unwrap_or(0);
        (from, to)
    }

    /// How many rows of the result from `first` on fit a band, at least one.
    fn band(&self, first: u32, source_width: u32, width: u32, most: u64) -> u32 {
        let mut rows = 0;
        let (mut from, mut to) = (u32::MAX, 0);
        for [start, number] in self.bounds.iter().skip(first as usize) {
            from = from.min(*start);
            to = to.max(start + number);
            let source = u64::from(to - from) * u64::from(source_width) * 3;
            let between = u64::from(rows + 1) * u64::from(source_width) * 4;
            let result = u64::from(rows + 1) * u64::from(width) * 3 + 12;
            if rows > 0 && source.max(between).max(result) > most {
                break;
            }
            rows += 1;
        }
        rows.max(1)
    }

    /// Bounds, counted from the source position `base`, and weights of these positions.
    fn upload(
        &self,
        gpu: &Gpu,
        positions: std::ops::Range<u32>,
        base: u32,
    ) -> Result<[Buffer; 2], GpuError> {
        let range = positions.start as usize..positions.end as usize;
        let window = self.window as usize;
        let bounds: Vec<[u32; 2]> = self
            .bounds
            .get(range.clone())
            .into_iter()
            .flatten()
            .map(|[first, number]| [first - base, *number])
            .collect();
        let values = self
            .values
            .get(range.start * window..range.end * window)
            .unwrap_or_default();
        Ok([
            gpu.upload(bytemuck::cast_slice(&bounds))?,
            gpu.upload(bytemuck::cast_slice(values))?,
        ])
    }
}

/// The most bits after the point with which the largest weight still fits 16 bits.
fn precision(weights: &[f64]) -> u32 {
    let largest = weights.iter().copied().fold(f64::MIN, f64::max);
    let mut precision = 0;
    for bits in 0..22 {
        precision = bits;
        if (largest * f64::from(1_u32 << (bits + 1))).round() >= f64::from(1_u32 << 15) {
            break;
        }
    }
    precision
}

fn lanczos(x: f64) -> f64 {
    fn sinc(x: f64) -> f64 {
        if x == 0.0 {
            1.0
        } else {
            let x = x * PI;
            x.sin() / x
        }
    }
    if (-LOBES..LOBES).contains(&x) {
        sinc(x) * sinc(x / LOBES)
    } else {
        0.0
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a position within a picture, not negative"
)]
fn to_index(position: f64) -> u32 {
    position as u32
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "chosen to fit 16 bits by `precision`"
)]
fn to_weight(weight: f64) -> i32 {
    i32::from(weight.round() as i16)
}
