//! A product list in, recommendations and documents out, as `artel catalog import` and `enrich` do
//! it, at two sizes: memory must not follow the number of products.

#![allow(clippy::print_stdout, reason = "benchmarks print")]

#[path = "session/job.rs"]
mod job;
mod session;

use std::{
    ffi::OsString,
    fs,
    io::{BufWriter, Write},
    path::Path,
    process::ExitCode,
    time::Instant,
};

use anyhow::{Context, bail, ensure};
use artel_app::api::catalog::{CatalogEnrich, CatalogImport, CatalogStats, CatalogValidate};
use artel_measure::{Memory, Noise, Role, Table, watch};

/// Products of the lists.
const SIZES: [u32; 2] = [5_000, 50_000];
/// Products of one maker, among which recommendations are found.
const OF_A_BRAND: u32 = 500;

/// One list: home, file, number of products.
const LIST: Role = Role {
    name: "list",
    play: list,
};

fn main() -> ExitCode {
    artel_measure::run("catalog", &[LIST], bench)
}

fn bench() -> anyhow::Result<()> {
    let folder = artel_measure::scratch(env!("CARGO_TARGET_TMPDIR"), "catalog")?;
    let mut table = Table::new(&[
        "products",
        "import, a second",
        "enrich, a second",
        "documents",
        "peak after import, MB",
        "peak, MB",
    ]);
    for size in SIZES {
        let file = folder.join(format!("{size}.csv"));
        make_up(&file, size)?;
        let home = folder.join(format!("home {size}"));
        let arguments = [
            home.into_os_string(),
            file.into_os_string(),
            OsString::from(size.to_string()),
        ];
        let finished = watch(&mut LIST.command(&arguments)?)?;
        let said: Vec<&str> = finished.output.split_whitespace().collect();
        let &[import, enrich, documents, between] = said.as_slice() else {
            bail!("the list says \"{}\"", finished.output.trim());
        };
        let rate = |seconds: &str| -> anyhow::Result<String> {
            Ok(format!("{:.0}", f64::from(size) / seconds.parse::<f64>()?))
        };
        let peak = finished.peak.map_or_else(
            || "unknown".to_owned(),
            |peak| format!("{:.0}", peak as f64 / 1e6),
        );
        table.row([
            size.to_string(),
            rate(import)?,
            rate(enrich)?,
            documents.to_owned(),
            between.to_owned(),
            peak,
        ]);
    }
    println!("Every document is valid by our model and its lint.\n\n{table}");
    fs::remove_dir_all(&folder)?;
    Ok(())
}

/// Works through a list in a process of its own and says how many seconds the import and the
/// enrichment took, how many documents there are, and the megabytes of memory after the import.
fn list(arguments: &[String]) -> anyhow::Result<()> {
    let [home, file, size] = arguments else {
        bail!("a list needs a home, a file and its number of products");
    };
    let size: u64 = size.parse()?;
    session::wait(async {
        let session = session::fresh(Path::new(home), "Ada").await?;
        let begun = Instant::now();
        let imported = session::ask(
            &session,
            CatalogImport {
                paths: vec![file.clone()],
                map: Vec::new(),
            },
        )
        .await?;
        let import = begun.elapsed().as_secs_f64();
        let report = imported.files.first().context("nothing was imported")?;
        ensure!(report.added == size, "{report:?}");
        let between = Memory::own().map_or_else(
            || "unknown".to_owned(),
            |memory| format!("{:.0}", memory.peak as f64 / 1e6),
        );

        let begun = Instant::now();
        let started = session::ask(&session, CatalogEnrich::default()).await?;
        job::done(&session, started.job.job).await?;
        let enrich = begun.elapsed().as_secs_f64();

        // Validity gates the figures; what it costs is not part of them.
        let stats = session::ask(&session, CatalogStats::default()).await?;
        ensure!(stats.products == size && stats.outdated == 0, "{stats:?}");
        let checked = session::ask(&session, CatalogValidate::default()).await?;
        ensure!(checked.checked == stats.documents && checked.checked > 0);
        ensure!(checked.valid == checked.checked, "{:?}", checked.faults);
        session.close().await;
        println!("{import} {enrich} {} {between}", stats.documents);
        Ok(())
    })
}

/// Shoes of made-up makers, with every column that recommendations look at.
fn make_up(file: &Path, count: u32) -> anyhow::Result<()> {
    let mut noise = Noise::new(u64::from(count));
    let mut out = BufWriter::new(fs::File::create(file)?);
    writeln!(
        out,
        "Артикул*,Название товара,SKU,Штрихкод (Серийный номер / EAN),Ссылка на главное фото*,Бренд в одежде и обуви*,Цвет товара*,Российский размер*,Тип*,Пол*,Сезон,Материал,Вид застёжки"
    )?;
    for index in 0..count {
        let kind = noise.pick(&["Ботинки", "Кроссовки", "Туфли", "Сапоги"]);
        let gender = noise.pick(&["Женский", "Мужской"]);
        let color = noise.pick(&["чёрный", "белый", "синий", "бежевый"]);
        let season = noise.pick(&["Зима", "Лето", "Демисезон"]);
        let material = noise.pick(&["кожа", "замша", "текстиль"]);
        let fastener = noise.pick(&["шнурки", "молния"]);
        let size = 36 + noise.bits() % 10;
        writeln!(
            out,
            "SYN-{index:06},Синтетический товар {index},{},{},https://example.invalid/{index}.jpg,Synthetic {},{color},{size},{kind},{gender},{season},{material},{fastener}",
            1_000_000 + index,
            4_600_000_000_000_u64 + u64::from(index),
            index % (count / OF_A_BRAND).max(1),
        )?;
    }
    out.flush()?;
    Ok(())
}
