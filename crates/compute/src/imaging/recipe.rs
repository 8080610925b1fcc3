//! Recipes: what is done to each picture of a batch, read from TOML.

use std::sync::{Arc, OnceLock};

use serde::Deserialize;

use super::{Limits, Picture, PictureError, decode, resize, to_jpeg, tone::Curve};
use crate::gpu::{Gpu, GpuError, Path, Probe, Router};

/// The recipes that come with the program.
const BUILT_IN: &[&str] = &[include_str!("../../recipes/web.toml")];

/// Longest side that a recipe may ask for: what JPEG can hold.
const LONGEST: u32 = 65_535;

/// Why a recipe cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the recipe cannot be used: {0}")]
pub struct RecipeError(String);

/// What is done to each picture, in this order: decode, turn upright, fit, tone, encode.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Its name.
    pub name: String,
    /// Raised when any output changes.
    pub version: u32,
    /// What it does, in English.
    pub summary: String,
    /// Longest side of the result in pixels; smaller pictures keep their size.
    pub fit: Option<u32>,
    /// Tone curve through points of input and output.
    pub tone: Option<Curve>,
    /// How it is encoded.
    pub jpeg: Jpeg,
}

/// JPEG settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jpeg {
    /// From 1 to 100.
    pub quality: u8,
}

/// A finished picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Developed {
    /// The file's content.
    pub jpeg: Vec<u8>,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Which path made it.
    pub path: Path,
}

/// The recipes that come with the program.
pub fn recipes() -> &'static [Recipe] {
    static RECIPES: OnceLock<Vec<Recipe>> = OnceLock::new();
    RECIPES.get_or_init(|| {
        // A test reads each of them; one that cannot be read would be missing here.
        BUILT_IN
            .iter()
            .filter_map(|text| Recipe::parse(text).ok())
            .collect()
    })
}

/// The recipe of this name.
pub fn recipe(name: &str) -> Option<&'static Recipe> {
    recipes().iter().find(|recipe| recipe.name == name)
}

impl Recipe {
    /// Reads a recipe and checks it.
    pub fn parse(text: &str) -> Result<Self, RecipeError> {
        let recipe: Self = toml::from_str(text).map_err(|error| RecipeError(error.to_string()))?;
        if recipe.name.is_empty() {
            return Err(RecipeError("it has no name".to_owned()));
        }
        if !(1..=100).contains(&recipe.jpeg.quality) {
            return Err(RecipeError("JPEG quality goes from 1 to 100".to_owned()));
        }
        if recipe
            .fit
            .is_some_and(|side| !(1..=LONGEST).contains(&side))
        {
            return Err(RecipeError(format!(
                "a side goes from 1 to {LONGEST} pixels"
            )));
        }
        Ok(recipe)
    }

    /// Its steps in words, in order.
    pub fn steps(&self) -> Vec<String> {
        let mut steps = vec!["turn upright".to_owned()];
        if let Some(side) = self.fit {
            steps.push(format!("fit into {side}×{side} pixels"));
        }
        if self.tone.is_some() {
            steps.push("tone curve".to_owned());
        }
        steps.push(format!("JPEG, quality {}", self.jpeg.quality));
        steps
    }

    /// Processes a decoded picture on the CPU.
    pub fn on_cpu(&self, mut picture: Picture) -> Picture {
        if let Some(side) = self.fit {
            picture = resize::to_fit(picture, side);
        }
        if let Some(curve) = &self.tone {
            curve.apply(&mut picture.rgb);
        }
        picture.upright()
    }

    /// Processes a decoded picture on the GPU. Equal to the CPU to the byte.
    pub fn on_gpu(&self, gpu: &Gpu, picture: &Picture) -> Result<Picture, GpuError> {
        let (width, height) = self.fit.map_or((picture.width, picture.height), |side| {
            resize::fit(picture.width, picture.height, side)
        });
        let curve = self.tone.as_ref();
        let processed = if (width, height) == (picture.width, picture.height) {
            let rgb = match curve {
                Some(curve) => tone_in_parts(curve, gpu, &picture.rgb)?,
                None => picture.rgb.clone(),
            };
            picture.with_pixels(width, height, rgb)
        } else {
            resize::gpu(gpu, picture, width, height, curve)?
        };
        Ok(processed.upright())
    }
}

/// Applies a curve to bytes of any number, within the adapter's limits.
fn tone_in_parts(curve: &Curve, gpu: &Gpu, bytes: &[u8]) -> Result<Vec<u8>, GpuError> {
    let part = usize::try_from(gpu.max_binding() / 4 * 4)
        .unwrap_or(usize::MAX)
        .min(64 << 20);
    let mut result = Vec::with_capacity(bytes.len());
    for part in bytes.chunks(part.max(4)) {
        result.extend(curve.apply_on(gpu, part)?);
    }
    Ok(result)
}

/// Decodes a file, processes it and encodes the result. With a device the GPU processes it, and the
/// CPU where the device fails; the result says which.
pub fn develop(
    bytes: &[u8],
    recipe: &Recipe,
    limits: &Limits,
    gpu: Option<&Gpu>,
) -> Result<Developed, PictureError> {
    let picture = decode(bytes, limits)?;
    let (picture, path) = match gpu.map(|gpu| (gpu, recipe.on_gpu(gpu, &picture))) {
        Some((gpu, Ok(processed))) => (processed, Path::Gpu(gpu.facts().name.as_str().into())),
        failed => {
            if let Some((_, Err(error))) = failed {
                tracing::warn!(%error, "a picture was processed on the CPU instead");
            }
            (recipe.on_cpu(picture), Path::Cpu)
        }
    };
    Ok(Developed {
        jpeg: to_jpeg(&picture, recipe.jpeg.quality)?,
        width: picture.width,
        height: picture.height,
        path,
    })
}

/// The device for pictures of this recipe, or `None` for the CPU, by the router's calibration with
/// a picture of an ordinary size.
pub fn route(router: &Router, recipe: &Recipe) -> Result<Option<Arc<Gpu>>, GpuError> {
    /// Pixels of a photo from a present camera.
    const PHOTO: u64 = 12_000_000;
    let grey = |pixels: u64| {
        let side = u32::try_from(pixels.isqrt()).unwrap_or(1).max(1);
        let bytes = vec![127; side as usize * side as usize * 3];
        Picture::new(side, side, bytes)
    };
    // Halved, so that the probe resizes although its pictures are smaller than what the recipe fits.
    let halved = |pixels: u64| Recipe {
        fit: u32::try_from(pixels.isqrt() / 2).ok(),
        ..recipe.clone()
    };
    router.choose(
        "imaging recipe",
        PHOTO,
        &Probe {
            sizes: [256 * 256, 1024 * 1024],
            cpu: &|pixels| {
                if let Some(picture) = grey(pixels) {
                    std::hint::black_box(halved(pixels).on_cpu(picture));
                }
            },
            gpu: &|gpu, pixels| {
                if let Some(picture) = grey(pixels) {
                    std::hint::black_box(halved(pixels).on_gpu(gpu, &picture)?);
                }
                Ok(())
            },
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_recipe_can_be_read_and_names_are_unique() {
        let read: Vec<_> = BUILT_IN
            .iter()
            .map(|text| Recipe::parse(text).unwrap().name)
            .collect();
        assert_eq!(read, ["web"]);
        assert_eq!(recipes().len(), read.len());
        assert_eq!(
            recipe("web").unwrap().steps(),
            [
                "turn upright",
                "fit into 2048×2048 pixels",
                "tone curve",
                "JPEG, quality 85"
            ]
        );
    }

    #[test]
    fn a_recipe_with_a_fault_says_which() {
        let check = |text: &str, words: &str| {
            let error = Recipe::parse(text).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        };
        let head = "name = 'x'\nversion = 1\nsummary = ''\n";
        check(
            &format!("{head}[jpeg]\nquality = 0"),
            "quality goes from 1 to 100",
        );
        check(
            &format!("{head}fit = 0\n[jpeg]\nquality = 85"),
            "from 1 to 65535",
        );
        check(
            &format!("{head}tone = [[0, 0]]\n[jpeg]\nquality = 85"),
            "tone curve needs",
        );
        check(
            &format!("{head}sharpen = 1\n[jpeg]\nquality = 85"),
            "unknown field `sharpen`",
        );
    }
}
