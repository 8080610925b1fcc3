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

/// Writes daily prices that wander: `date,open,high,low,close,volume`.
pub fn prices(path: &Path, days: u32) -> Result<()> {
    let mut text = String::from("date,open,high,low,close,volume\n");
    let mut close = 100.0_f64;
    for day in 0..days {
        let open = close;
        close = open + (f64::from(day) / 7.0).sin() * 1.5 + (f64::from(day) / 31.0).cos() * 0.8;
        let (high, low) = (open.max(close) + 0.7, open.min(close) - 0.6);
        let (year, rest) = (2020 + day / 336, day % 336);
        writeln!(
            text,
            "{year}-{:02}-{:02},{open:.2},{high:.2},{low:.2},{close:.2},{}",
            rest / 28 + 1,
            rest % 28 + 1,
            1000 + day * 13 % 400
        )?;
    }
    fs::write(path, text)?;
    Ok(())
}

/// Writes a product list with the headers of Ozon's workbook; every other product is a pair of boots.
pub fn products(path: &Path, count: u32) -> Result<()> {
    let mut text = String::from(
        "Артикул*,Название товара,SKU,Штрихкод (Серийный номер / EAN),Ссылка на главное фото*,\
         Бренд в одежде и обуви*,Цвет товара*,Российский размер*,Тип*,Пол*,Сезон\n",
    );
    for number in 0..count {
        let kind = if number % 2 == 0 {
            "Ботинки"
        } else {
            "Кроссовки"
        };
        let color = if number % 3 == 0 {
            "чёрный"
        } else {
            "белый"
        };
        writeln!(
            text,
            "A-{number:04},Пара {number},{},{},https://example.invalid/{number}.jpg,Север,{color},{},{kind},Женский,Зима",
            900_000 + number,
            4_600_000_000_000_u64 + u64::from(number),
            36 + number % 6,
        )?;
    }
    fs::write(path, text)?;
    Ok(())
}
