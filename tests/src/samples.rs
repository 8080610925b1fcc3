//! Files to work on, made up and small.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::Result;
use image::{Rgb, RgbImage};

/// Writes a made-up landscape, different for each `seed`: sky, sun, three ranges of hills. The name says the format.
pub fn picture(path: &Path, width: u32, height: u32, seed: u32) -> Result<()> {
    let phase = f64::from(seed) * 1.7;
    let warm = (phase * 0.9).sin().mul_add(0.5, 0.5);
    let sun = (
        phase.cos().mul_add(0.3, 0.5),
        phase.sin().mul_add(0.1, 0.35),
    );
    let ratio = f64::from(width) / f64::from(height.max(1));
    let picture = RgbImage::from_fn(width, height, |x, y| {
        let (u, v) = (
            f64::from(x) / f64::from(width),
            f64::from(y) / f64::from(height),
        );
        let far = ((u - sun.0) * ratio).hypot(v - sun.1);
        let glow = (-far * 5.0).exp() + f64::from(u8::from(far < 0.07));
        let mut colour = [
            0.25 + 0.45 * v + 0.6 * glow + 0.1 * warm,
            0.42 + 0.3 * v + 0.45 * glow,
            0.72 - 0.15 * v + 0.15 * glow - 0.2 * warm,
        ];
        for range in 0..3_u32 {
            let depth = f64::from(range);
            let ridge = 0.55
                + 0.13 * depth
                + 0.05 * (u * (5.0 + 3.0 * depth) + phase + depth * 2.1).sin()
                + 0.02 * (u * (17.0 + 5.0 * depth) + phase * 2.0).sin();
            if v > ridge {
                let shade = 0.5 - 0.15 * depth;
                colour = [
                    shade * (0.5 + 0.4 * warm),
                    shade * 0.9,
                    shade * (0.95 - 0.4 * warm),
                ];
            }
        }
        Rgb(colour.map(byte))
    });
    picture.save(path)?;
    Ok(())
}

/// A fraction as a byte.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the range of a byte"
)]
fn byte(fraction: f64) -> u8 {
    (fraction.clamp(0.0, 1.0) * 255.0).round() as u8
}

/// Writes so many JPEG pictures into a new folder.
pub fn pictures(folder: &Path, count: u32, width: u32, height: u32) -> Result<()> {
    fs::create_dir_all(folder)?;
    for number in 0..count {
        picture(
            &folder.join(format!("снимок {number:03}.jpg")),
            width,
            height,
            number,
        )?;
    }
    Ok(())
}

/// Writes daily prices that wander, differently for each `seed`: `date,open,high,low,close,volume`.
pub fn prices(path: &Path, days: u32, seed: u32) -> Result<()> {
    let mut chance = Chance(u64::from(seed) * 7919 + 1);
    let mut text = String::from("date,open,high,low,close,volume\n");
    let (mut close, mut drift) = (100.0_f64, 0.0);
    for day in 0..days {
        let open = close;
        // The drift turns slowly, and home when it has gone far.
        drift = 0.97 * drift + 0.0012 * chance.next() - 0.0006 * (close / 100.0).ln();
        close = open * (1.0 + drift + 0.011 * chance.next());
        let high = open.max(close) * (1.0 + 0.006 * chance.next().abs());
        let low = open.min(close) * (1.0 - 0.006 * chance.next().abs());
        let volume = 900.0 * (1.0 + 60.0 * (close / open - 1.0).abs()) + 250.0 * chance.next();
        let (year, rest) = (2020 + day / 336, day % 336);
        writeln!(
            text,
            "{year}-{:02}-{:02},{open:.2},{high:.2},{low:.2},{close:.2},{volume:.0}",
            rest / 28 + 1,
            rest % 28 + 1,
        )?;
    }
    fs::write(path, text)?;
    Ok(())
}

/// The same numbers on every machine: a linear congruential generator.
struct Chance(u64);

impl Chance {
    /// A number from -1 to 1.
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let upper = u32::try_from(self.0 >> 32).unwrap_or_default();
        f64::from(upper) / f64::from(u32::MAX) * 2.0 - 1.0
    }
}

/// Writes a product list with the headers of Ozon's workbook: boots and trainers of two brands.
pub fn products(path: &Path, count: u32) -> Result<()> {
    const KINDS: [(&str, &str); 2] = [("Ботинки", "зимние"), ("Кроссовки", "беговые")];
    const COLOURS: [&str; 3] = ["чёрный", "белый", "синий"];
    const MODELS: [&str; 5] = ["Тундра", "Полюс", "Ладога", "Карелия", "Хибины"];
    let mut text = String::from(
        "Артикул*,Название товара,SKU,Штрихкод (Серийный номер / EAN),Ссылка на главное фото*,\
         Бренд в одежде и обуви*,Цвет товара*,Российский размер*,Тип*,Пол*,Сезон\n",
    );
    for (number, (((kind, sort), colour), model)) in (0..count).zip(
        KINDS
            .into_iter()
            .cycle()
            .zip(COLOURS.into_iter().cycle())
            .zip(MODELS.into_iter().cycle()),
    ) {
        writeln!(
            text,
            "A-{number:04},{kind} {sort} «{model}» {colour},{},{},https://example.invalid/{number}.jpg,{},{colour},{},{kind},Женский,Зима",
            900_000 + number,
            4_600_000_000_000_u64 + u64::from(number),
            if number % 7 < 5 {
                "Север"
            } else {
                "Беломор"
            },
            36 + number % 6,
        )?;
    }
    fs::write(path, text)?;
    Ok(())
}
