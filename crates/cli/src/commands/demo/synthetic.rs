//! Made-up pictures, prices and products. The same every time.

use std::{
    fs,
    io::{BufWriter, Write},
    path::Path,
};

use image::{Rgb, RgbImage};

/// A small fixed-seed generator (Marsaglia's xorshift64); quality does not matter here.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Evenly spread over -1 to 1.
    fn signed(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    /// One of the choices.
    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        let index = usize::try_from(self.next() % choices.len().max(1) as u64).unwrap_or(0);
        choices.get(index).copied().unwrap_or_default()
    }
}

/// Gradients with rings, as PNG and JPEG; the last one is cut off in the middle.
pub(super) fn pictures(folder: &Path, count: u32) -> anyhow::Result<()> {
    let inner = folder.join("Подпапка");
    fs::create_dir_all(&inner)?;
    for index in 0..count {
        let (width, height) = if index % 2 == 0 {
            (2400, 1600)
        } else {
            (1200, 1800)
        };
        let picture = RgbImage::from_fn(width, height, |x, y| {
            let (u, v) = (
                f64::from(x) / f64::from(width),
                f64::from(y) / f64::from(height),
            );
            let ring = ((u - 0.5).hypot(v - 0.5) * (20.0 + f64::from(index))).sin();
            Rgb([u, v, ring.mul_add(0.5, 0.5)].map(byte))
        });
        let place = if index % 3 == 0 { &inner } else { folder };
        let kind = if index % 2 == 0 { "jpg" } else { "png" };
        let path = place.join(format!("synthetic {index:02}.{kind}"));
        picture.save(&path)?;
        if index + 1 == count {
            let size = fs::metadata(&path)?.len();
            fs::OpenOptions::new()
                .write(true)
                .open(&path)?
                .set_len(size / 2)?;
        }
    }
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

/// A random walk of hourly bars.
pub(super) fn prices(file: &Path, bars: u32) -> anyhow::Result<()> {
    let mut noise = Noise(0x00A1_7E10);
    let mut out = BufWriter::new(fs::File::create(file)?);
    writeln!(out, "time,open,high,low,close,volume")?;
    let start: jiff::Timestamp = "2024-01-01T00:00:00Z".parse()?;
    let mut close = 100.0_f64;
    for hour in 0..bars {
        let open = close;
        close = (open * noise.signed().mul_add(0.01, 1.0)).max(1.0);
        let high = open.max(close) * (noise.signed().abs()).mul_add(0.004, 1.0);
        let low = open.min(close) * (noise.signed().abs()).mul_add(-0.004, 1.0);
        let time = start.checked_add(jiff::SignedDuration::from_hours(i64::from(hour)))?;
        let volume = 1_000 + noise.next() % 9_000;
        writeln!(
            out,
            "{time},{open:.4},{high:.4},{low:.4},{close:.4},{volume}"
        )?;
    }
    out.flush()?;
    Ok(())
}

/// Shoes of a made-up maker.
pub(super) fn products(file: &Path, count: u32) -> anyhow::Result<()> {
    let mut noise = Noise(0x0C0F_FEE5);
    let mut out = BufWriter::new(fs::File::create(file)?);
    writeln!(
        out,
        "Артикул*,Название товара,SKU,Штрихкод (Серийный номер / EAN),Ссылка на главное фото*,Бренд в одежде и обуви*,Цвет товара*,Российский размер*,Тип*,Пол*,Сезон,Материал,Вид застёжки"
    )?;
    for index in 0..count {
        let kind = noise.pick(&["Ботинки", "Кроссовки"]);
        let gender = noise.pick(&["Женский", "Мужской"]);
        let color = noise.pick(&["чёрный", "белый", "синий"]);
        let season = noise.pick(&["Зима", "Лето", "Демисезон"]);
        let material = noise.pick(&["кожа", "замша", "текстиль"]);
        let fastener = noise.pick(&["шнурки", "молния"]);
        let size = 36 + noise.next() % 10;
        writeln!(
            out,
            "SYN-{index:05},Синтетический товар {index},{},{},https://example.invalid/{index}.jpg,Synthetic,{color},{size},{kind},{gender},{season},{material},{fastener}",
            1_000_000 + index,
            4_600_000_000_000_u64 + u64::from(index),
        )?;
    }
    out.flush()?;
    Ok(())
}
