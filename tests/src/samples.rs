//! Files to work on, made up and small.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::Result;
use image::{Rgb, RgbImage};

/// Writes a picture with a gradient and some structure, different for each `seed`; the name says the format.
pub fn picture(path: &Path, width: u32, height: u32, seed: u32) -> Result<()> {
    let picture = RgbImage::from_fn(width, height, |x, y| {
        let tone = |of: u32, scale: u32| u8::try_from(of * 255 / scale.max(1)).unwrap_or(u8::MAX);
        let stripe = u8::from((x / 16 + y / 16 + seed).is_multiple_of(3)) * 60;
        Rgb([
            tone(x, width).saturating_add(stripe),
            tone(y, height),
            tone((x + seed * 37) % width, width).saturating_sub(stripe),
        ])
    });
    picture.save(path)?;
    Ok(())
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
