//! Tone curves: 256 values by a monotone cubic curve through a few points.

use serde::Deserialize;

use crate::gpu::{Buffer, Dispatch, Gpu, GpuError, Kernel};

/// The kernel. Its tolerance against [`Curve::apply`] is zero.
pub const KERNEL: Kernel = Kernel {
    name: "imaging tone",
    wgsl: include_str!("tone.wgsl"),
    entry: "apply",
};

/// Invocations of a workgroup, as in the shader.
const GROUP: u32 = 64;

/// Why points make no curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a tone curve needs two to 256 points whose inputs rise from 0 to 255")]
pub struct BadCurve;

/// A tone curve on 8-bit values, the same for each colour.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<[u8; 2]>")]
pub struct Curve {
    values: [u8; 256],
}

impl TryFrom<Vec<[u8; 2]>> for Curve {
    type Error = BadCurve;

    fn try_from(points: Vec<[u8; 2]>) -> Result<Self, BadCurve> {
        Self::through(&points)
    }
}

impl Curve {
    /// The curve through points (input, output): cubic Hermite with the slopes of Fritsch and
    /// Butland (SIAM J. Sci. Stat. Comput. 5, 1984), which never overshoots between its points.
    pub fn through(points: &[[u8; 2]]) -> Result<Self, BadCurve> {
        let rising = points
            .windows(2)
            .all(|pair| matches!(pair, [[a, _], [b, _]] if a < b));
        let (Some([0, _]), Some([255, _]), true) = (points.first(), points.last(), rising) else {
            return Err(BadCurve);
        };
        let secants: Vec<f64> = points
            .windows(2)
            .filter_map(|pair| match pair {
                [[x0, y0], [x1, y1]] => {
                    Some((f64::from(*y1) - f64::from(*y0)) / (f64::from(*x1) - f64::from(*x0)))
                }
                _ => None,
            })
            .collect();
        let slope = |index: usize| {
            let left = index.checked_sub(1).and_then(|left| secants.get(left));
            match (left, secants.get(index)) {
                (Some(left), Some(right)) if left * right > 0.0 => {
                    2.0 * left * right / (left + right)
                }
                (Some(_), Some(_)) | (None, None) => 0.0,
                (Some(only), None) | (None, Some(only)) => *only,
            }
        };
        let mut values = [0; 256];
        for (index, pair) in points.windows(2).enumerate() {
            let [[x0, y0], [x1, y1]] = pair else { continue };
            let width = f64::from(*x1) - f64::from(*x0);
            for x in *x0..=*x1 {
                let t = (f64::from(x) - f64::from(*x0)) / width;
                let (t2, t3) = (t * t, t * t * t);
                let y = (2.0 * t3 - 3.0 * t2 + 1.0) * f64::from(*y0)
                    + (t3 - 2.0 * t2 + t) * width * slope(index)
                    + (3.0 * t2 - 2.0 * t3) * f64::from(*y1)
                    + (t3 - t2) * width * slope(index + 1);
                if let Some(value) = values.get_mut(usize::from(x)) {
                    *value = to_byte(y);
                }
            }
        }
        Ok(Self { values })
    }

    /// The 256 values.
    pub fn values(&self) -> &[u8; 256] {
        &self.values
    }

    /// Applies it on the CPU, in place.
    pub fn apply(&self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self
                .values
                .get(usize::from(*byte))
                .copied()
                .unwrap_or(*byte);
        }
    }

    /// Applies it on the GPU.
    pub fn apply_on(&self, gpu: &Gpu, bytes: &[u8]) -> Result<Vec<u8>, GpuError> {
        let source = gpu.upload(bytes)?;
        let stage = self.stage(gpu, bytes.len() as u64)?;
        let mut read = gpu.run(&[stage.bind(&source).dispatch()], &[stage.result()])?;
        read.pop()
            .ok_or_else(|| GpuError::Failed("nothing was read back".to_owned()))
    }

    /// Its buffers for a source of so many bytes, to run after other kernels.
    pub(super) fn stage(&self, gpu: &Gpu, bytes: u64) -> Result<Stage, GpuError> {
        let words = u32::try_from(bytes.div_ceil(4)).unwrap_or(u32::MAX);
        let columns = words.div_ceil(GROUP).min(gpu.max_groups());
        let stride = columns.saturating_mul(GROUP);
        Ok(Stage {
            settings: gpu.uniform(bytemuck::cast_slice(&[words, stride]))?,
            curve: gpu.upload(&self.values)?,
            result: gpu.storage(bytes)?,
            groups: [columns, words.div_ceil(stride.max(1)), 1],
        })
    }
}

/// Buffers of one application.
pub(super) struct Stage {
    settings: Buffer,
    curve: Buffer,
    result: Buffer,
    groups: [u32; 3],
}

/// One application, borrowed from its stage and its source.
pub(super) struct Bound<'a> {
    buffers: [&'a Buffer; 4],
    groups: [u32; 3],
}

impl Stage {
    /// What it writes.
    pub(super) fn result(&self) -> &Buffer {
        &self.result
    }

    /// Binds it to a source.
    pub(super) fn bind<'a>(&'a self, source: &'a Buffer) -> Bound<'a> {
        Bound {
            buffers: [&self.settings, &self.curve, source, &self.result],
            groups: self.groups,
        }
    }
}

impl Bound<'_> {
    /// The dispatch.
    pub(super) fn dispatch(&self) -> Dispatch<'_> {
        Dispatch {
            kernel: &KERNEL,
            buffers: &self.buffers,
            groups: self.groups,
        }
    }
}

/// Rounds to the nearest 8-bit value.
fn to_byte(value: f64) -> u8 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 0..=255"
    )]
    let byte = value.round().clamp(0.0, 255.0) as u8;
    byte
}
