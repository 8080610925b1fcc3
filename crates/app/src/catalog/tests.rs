use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use artel_jobs::{Engine, Job, JobState, Options, memory::MemoryQueue};
use artel_store::{Store, catalog as rows};

use super::*;
use crate::{
    api::catalog::{CatalogEnrich, CatalogExport, CatalogFile, CatalogImport},
    error::{AppError, Code},
};

const HEADERS: &str = "Артикул*,Название товара,SKU,Штрихкод (Серийный номер / EAN),Ссылка на главное фото*,Бренд в одежде и обуви*,Цвет товара*,Российский размер*,Тип*,Пол*,Сезон,Материал,Вид застёжки";

/// A made-up product list.
fn synthetic(count: usize, groups: usize) -> String {
    let mut text = format!("{HEADERS}\n");
    for n in 0..count {
        writeln!(
            text,
            "СИН-{n:06},Синтетические ботинки {n},{},4600000000000,https://example.invalid/{n}.jpg,Synthetic {},{},{},Ботинки,Женский,{},кожа,молния",
            1_000 + n,
            n % groups,
            ["чёрный", "белый"][n % 2],
            36 + n % 7,
            ["Зима", "Лето", "Демисезон"][n % 3],
        )
        .unwrap();
    }
    text
}

struct Place {
    folder: tempfile::TempDir,
    store: Arc<Store>,
}

impl Place {
    fn new() -> Self {
        Self {
            folder: tempfile::Builder::new()
                .prefix("каталог ")
                .tempdir()
                .unwrap(),
            store: Arc::new(Store::open_for_tests()),
        }
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn import(&self, path: &Path) -> Result<CatalogFile, AppError> {
        self.import_mapped(path, &[])
    }

    fn import_mapped(&self, path: &Path, map: &[(&str, &str)]) -> Result<CatalogFile, AppError> {
        let command = CatalogImport {
            paths: vec![path.display().to_string()],
            map: map
                .iter()
                .map(|(f, h)| ((*f).to_owned(), (*h).to_owned()))
                .collect(),
        };
        let file = import::import(&self.store, &command)?.files.remove(0);
        match &file.error {
            Some(reason) => Err(reason.clone()),
            None => Ok(file),
        }
    }

    fn engine(&self) -> Engine {
        let options = Options {
            slots: 2,
            memory: 256 << 20,
            resident: || 0,
        };
        let engine =
            Engine::new(Arc::new(MemoryQueue::default()), options, Arc::new(|_| {})).unwrap();
        engine.register(Arc::new(CatalogWork::new(Arc::clone(&self.store))));
        engine
    }

    fn enrich(&self, command: &CatalogEnrich) -> Job {
        let engine = self.engine();
        let job = engine.submit(&enrich::job(command).unwrap()).unwrap();
        let job = engine.wait(job.id).unwrap();
        assert_eq!(job.error, None);
        job
    }

    fn counts(&self) -> rows::Counts {
        self.store.read(rows::counts).unwrap()
    }

    fn export(&self, name: &str, command: CatalogExport) -> String {
        let out = self.folder.path().join(name);
        let command = CatalogExport {
            out: out.display().to_string(),
            ..command
        };
        export::export(&self.store, &command).unwrap();
        std::fs::read_to_string(out).unwrap()
    }
}

fn exporting() -> CatalogExport {
    CatalogExport {
        out: String::new(),
        brand: None,
        limit: None,
        all: false,
    }
}

#[track_caller]
fn refused(name: &str, content: impl AsRef<[u8]>, expected: &str) {
    let place = Place::new();
    let path = place.file(name, content);
    let error = place.import(&path).unwrap_err();
    assert_eq!(error.code, Code::BadInput);
    assert!(error.in_full().contains(expected), "{}", error.in_full());
    assert!(error.message.contains(name), "{}", error.message);
    assert_eq!(place.store.read(rows::count).unwrap(), 0);
}

#[test]
fn wrong_files_are_refused_in_words() {
    refused("пустой.csv", "", "the file is empty");
    refused("пробелы.csv", "\n \n", "the file is empty");
    refused("шапка.csv", format!("{HEADERS}\n"), "no product below");
    refused(
        "чужой.csv",
        "time,open,close\n1,2,3\n",
        "no column holds the vendor code; the headers are \"time\", \"open\", \"close\"",
    );
    refused(
        "кавычка.csv",
        format!("{HEADERS}\nА-1,Кеды,обувь\nА-2,\"Кеды 32\"\" ,обувь\nА-3,Кеды,обувь\n"),
        "the quotation mark that opens a cell in line 3 is not closed",
    );
    refused("фото.csv", b"\xFF\xD8\xFF\xE0abc", "a picture");
    refused("двоичный.csv", b"abc\0def", "this is no text");
    refused(
        "буквы.csv",
        b"a;b\n\x80\x81\xFE;1\n",
        "line 2 is neither UTF-8 nor Windows-1251",
    );
    refused(
        "старый.xls",
        b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1",
        "an old or a locked Excel workbook",
    );
    refused(
        "обрыв.xlsx",
        b"PK\x03\x04 and no more",
        "the workbook is damaged",
    );
    let endless = format!("Артикул,Название\nА,\"{}", "я".repeat(5 << 20));
    refused(
        "кавычка.csv",
        endless,
        "line 2: the row is longer than 4 MiB",
    );
    let place = Place::new();
    let missing = place
        .import(&place.folder.path().join("нет.csv"))
        .unwrap_err();
    assert_eq!(missing.code, Code::NotFound);
    let none = place.import(place.folder.path()).unwrap_err();
    assert!(
        none.message.contains("there is no CSV or XLSX file"),
        "{}",
        none.message
    );
}

#[test]
fn a_list_is_imported_and_imported_again() {
    let place = Place::new();
    let path = place.file("товары.csv", synthetic(1_203, 3));
    let first = place.import(&path).unwrap();
    assert_eq!(
        (
            first.products,
            first.added,
            first.changed,
            first.skipped_total
        ),
        (1_203, 1_203, 0, 0)
    );
    assert_eq!(first.switched_off, ["stock", "last", "model"]);
    assert_eq!(first.format.as_deref(), Some("csv, UTF-8"));
    let again = place.import(&path).unwrap();
    assert_eq!((again.products, again.added, again.changed), (1_203, 0, 0));
    let stocks = place.file(
        "остатки.csv",
        "Артикул;Остаток\nСИН-000001;5\nСИН-000002;нет\nСИН-000001;7\n;1\nСИН-000003\n",
    );
    let report = place.import(&stocks).unwrap();
    assert_eq!(
        (report.products, report.changed, report.skipped_total),
        (1, 1, 4)
    );
    let problems: Vec<_> = report
        .skipped
        .iter()
        .map(|row| format!("{}: {}", row.line, row.reason))
        .collect();
    assert_eq!(
        problems,
        [
            "3: stock \"нет\" is not a whole number",
            "4: the vendor code was in line 2 already",
            "5: the vendor code is empty",
            "6: there are 1 cells under 2 headers",
        ]
    );
    let given = place.store.read(rows::given).unwrap();
    assert_eq!(switched_off_in(given), ["last", "model"]);
}

#[test]
fn a_file_that_breaks_off_leaves_nothing() {
    let place = Place::new();
    place
        .import(&place.file("до.csv", synthetic(700, 2)))
        .unwrap();
    let rows = || place.store.read(artel_store::check::row_counts).unwrap();
    let before = rows();
    // More rows than are stored at a time, then one whose quotation mark is never closed.
    let text = synthetic(1_600, 3) + "\"" + &"x".repeat(5 << 20);
    let error = place.import(&place.file("а.csv", text)).unwrap_err();
    assert!(error.message.contains("line 1602"), "{error}");
    assert_eq!(rows(), before);
    let folder = place.store.path().parent().unwrap();
    let scratch = std::fs::read_dir(folder)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().path().is_dir());
    assert_eq!(scratch.count(), 0);
}

#[test]
fn encodings_and_delimiters() {
    let text = "Артикул\tНазвание\tКатегория\r\nА-1\t\"Ботинки \"\"Синтез\"\"\"\tобувь\r\n";
    let utf16: Vec<u8> = std::iter::once(0xFEFF)
        .chain(text.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    for (bytes, format) in [
        (text.as_bytes().to_vec(), "csv, UTF-8"),
        ([b"\xEF\xBB\xBF", text.as_bytes()].concat(), "csv, UTF-8"),
        (utf16, "csv, UTF-16LE"),
        (
            encoding_rs::WINDOWS_1251.encode(text).0.into_owned(),
            "csv, windows-1251",
        ),
    ] {
        let place = Place::new();
        let report = place.import(&place.file("а.csv", bytes)).unwrap();
        assert_eq!(report.format.as_deref(), Some(format));
        assert_eq!(report.added, 1);
        let stored = place
            .store
            .read(|c| Ok(rows::member_by_code(c, "А-1")?.unwrap()))
            .unwrap();
        assert_eq!(
            View(&stored.product).text(Field::Name),
            "Ботинки \"Синтез\""
        );
    }
    let place = Place::new();
    let report = place
        .import_mapped(
            &place.file("б.csv", "Код|x;Имя\nА;Кеды\n"),
            &[("vendor_code", "Код|x"), ("name", "Имя")],
        )
        .unwrap();
    assert_eq!(
        report.columns,
        [
            ("vendor_code".to_owned(), "Код|x".to_owned()),
            ("name".to_owned(), "Имя".to_owned())
        ]
    );
}

fn workbook(sheet: &str, skip: u32, rows: &[&[&str]]) -> Vec<u8> {
    let mut workbook = rust_xlsxwriter::Workbook::new();
    workbook
        .add_worksheet()
        .set_name("Инструкция")
        .unwrap()
        .write(0, 0, "Прочтите")
        .unwrap();
    let worksheet = workbook.add_worksheet();
    worksheet.set_name(sheet).unwrap();
    for (row, cells) in (skip..).zip(rows) {
        for (column, cell) in (0..).zip(*cells) {
            match cell.parse::<f64>() {
                Ok(number) => worksheet.write(row, column, number).unwrap(),
                Err(_) => worksheet.write(row, column, *cell).unwrap(),
            };
        }
    }
    workbook.save_to_buffer().unwrap()
}

#[test]
fn the_shops_workbook_is_read() {
    let place = Place::new();
    let rows: &[&[&str]] = &[
        &[
            "№",
            "Артикул*",
            "SKU",
            "Штрихкод (Серийный номер / EAN)",
            "Российский размер*",
        ],
        &["", "подсказка", "подсказка", "", ""],
        &["1", "12345", "1000001", "4600000000017", "42.5"],
        &[],
        &["2", "А-2", "", "", "43"],
    ];
    let path = place.file("Категория.XLSX", workbook("Шаблон", 1, rows));
    let report = place.import(&path).unwrap();
    assert_eq!((report.added, report.skipped_total), (2, 0));
    assert_eq!(report.format.as_deref(), Some("xlsx, Шаблон"));
    let stored = place
        .store
        .read(|c| Ok(rows::member_by_code(c, "12345")?.unwrap()))
        .unwrap();
    let view = View(&stored.product);
    assert_eq!(view.text(Field::Sku), "1000001");
    assert_eq!(view.text(Field::Barcode), "4600000000017");
    assert_eq!(view.text(Field::Size), "42.5");
    let other = place
        .store
        .read(|c| Ok(rows::member_by_code(c, "А-2")?.unwrap()))
        .unwrap();
    assert_eq!(View(&other.product).get(Field::Sku), Some(""));
}

#[test]
fn any_other_workbook_is_read_from_its_first_sheet() {
    let place = Place::new();
    let mut workbook = rust_xlsxwriter::Workbook::new();
    let sheet = workbook.add_worksheet();
    for (column, header) in (0..).zip(["vendor_code", "name"]) {
        sheet.write(0, column, header).unwrap();
    }
    sheet.write(1, 0, "А").unwrap();
    sheet.write(7, 1, "без артикула").unwrap();
    let report = place
        .import(&place.file("a.xlsx", workbook.save_to_buffer().unwrap()))
        .unwrap();
    assert_eq!((report.added, report.skipped_total), (1, 1));
    assert_eq!(report.skipped[0].line, 8);
}

#[test]
fn a_workbook_that_unpacks_to_too_much_is_refused() {
    use std::io::Write as _;
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive
        .start_file(
            "xl/sharedStrings.xml",
            zip::write::SimpleFileOptions::default(),
        )
        .unwrap();
    let filler = vec![b' '; 1 << 20];
    for _ in 0..200 {
        archive.write_all(&filler).unwrap();
    }
    let bomb = archive.finish().unwrap().into_inner();
    assert!(bomb.len() < 1 << 20);
    refused("бомба.xlsx", bomb, "texts of more than 192 MiB");
}

#[test]
fn every_product_gets_a_valid_document() {
    let place = Place::new();
    place
        .import(&place.file("товары.csv", synthetic(1_500, 4)))
        .unwrap();
    let job = place.enrich(&CatalogEnrich::default());
    assert_eq!(job.state, JobState::Done);
    assert_eq!(
        (job.counts.total, job.counts.done, job.counts.skipped),
        (1_500, 1_500, 0)
    );
    assert_eq!(place.counts().documents, 1_500);
    let checked = export::validate(&place.store, None).unwrap();
    assert_eq!((checked.checked, checked.valid), (1_500, 1_500));
    assert_eq!((checked.faults, checked.warnings), (vec![], vec![]));
    // What is done is skipped, and done again where something has changed.
    let again = place.enrich(&CatalogEnrich::default());
    assert_eq!((again.counts.done, again.counts.skipped), (0, 1_500));
    place
        .import(&place.file("остатки.csv", "Артикул,Остаток\nСИН-000001,5\n"))
        .unwrap();
    assert_eq!(place.counts().outdated, 375);
    let third = place.enrich(&CatalogEnrich::default());
    assert_eq!((third.counts.done, third.counts.skipped), (375, 1_125));
    let other = place.enrich(&CatalogEnrich {
        preset: Some("size".to_owned()),
        ..CatalogEnrich::default()
    });
    assert_eq!(other.counts.done, 1_500);
    let forced = place.enrich(&CatalogEnrich {
        preset: Some("size".to_owned()),
        all: true,
        ..CatalogEnrich::default()
    });
    assert_eq!(forced.counts.done, 1_500);
}

#[test]
fn brand_and_limit() {
    let place = Place::new();
    place
        .import(&place.file("товары.csv", synthetic(1_300, 2)))
        .unwrap();
    let one = place.enrich(&CatalogEnrich {
        brand: Some("SYNTHETIC 1".to_owned()),
        limit: Some(600),
        ..CatalogEnrich::default()
    });
    assert_eq!((one.counts.total, one.counts.done), (600, 600));
    assert_eq!(place.counts().documents, 600);
    let csv = place.export(
        "только.csv",
        CatalogExport {
            brand: Some("synthetic 0".to_owned()),
            ..exporting()
        },
    );
    assert_eq!(csv.lines().count(), 1);
    let lines = place.export(
        "все.jsonl",
        CatalogExport {
            all: true,
            ..exporting()
        },
    );
    assert_eq!(lines.lines().count(), 1_300);
    let limited = place.export(
        "часть.csv",
        CatalogExport {
            limit: Some(300),
            ..exporting()
        },
    );
    assert_eq!(limited.lines().count(), 301);
}

#[test]
fn why_there_is_no_document_is_said() {
    let place = Place::new();
    let line = |code: &str, kind: &str, photo: &str, stock: &str| {
        format!("{code},Имя,{photo},{kind},Женский,Synthetic,{stock}\n")
    };
    let photo = "https://example.invalid/1.jpg";
    let text = [
        "Артикул,Название,Фото,Тип,Пол,Бренд,Остаток\n".to_owned(),
        line("А", "Кеды", photo, "1"),
        line("Б", "", photo, "1"),
        line("В", "Ботинки", photo, "1"),
        line("Г", "Ботинки", "", "1"),
        line("Д", "Ботинки", photo, "0"),
    ];
    place.import(&place.file("а.csv", text.concat())).unwrap();
    let job = place.enrich(&CatalogEnrich::default());
    assert_eq!((job.state, job.counts.done), (JobState::Done, 5));
    let result = |code: &'static str| {
        place
            .store
            .read(|c| {
                let id = rows::member_by_code(c, code)?.unwrap().id;
                Ok(rows::result(c, id)?.unwrap())
            })
            .map(|result| format!("{}: {}", result.reason, result.detail))
            .unwrap()
    };
    assert_eq!(
        result("А"),
        "alone: no other product has the same type, gender and brand"
    );
    assert_eq!(result("Б"), "unknown: its type is not given");
    assert_eq!(
        result("В"),
        "unusable: 0 of 2 similar products can be recommended, 2 are needed: 1 not in stock, 1 without picture"
    );
    assert_eq!(
        place.export("пусто.csv", exporting()),
        "vendor_code,sku,rich_content_json\n"
    );
}

#[test]
fn the_order_of_the_file_never_changes_the_export() {
    let text = synthetic(400, 3);
    let mut lines: Vec<_> = text.lines().collect();
    let exported = |lines: &[&str]| {
        let place = Place::new();
        place
            .import(&place.file("а.csv", lines.join("\n")))
            .unwrap();
        place.enrich(&CatalogEnrich::default());
        place.export("готово.csv", exporting())
    };
    let straight = exported(&lines);
    lines[1..].reverse();
    assert!(straight == exported(&lines));
}

#[test]
fn an_export_replaces_the_file_whole_or_not_at_all() {
    let place = Place::new();
    let old = place.file("готово.csv", "старое");
    let mine = CatalogExport {
        out: old.display().to_string(),
        ..exporting()
    };
    let refused = export::export(&place.store, &mine).unwrap_err();
    assert_eq!(refused.code, Code::Exists);
    assert_eq!(std::fs::read_to_string(&old).unwrap(), "старое");
    place.file(
        "готово.csv",
        "vendor_code,sku,rich_content_json\nof last week",
    );
    assert_eq!(
        place.export("готово.csv", exporting()),
        "vendor_code,sku,rich_content_json\n"
    );
    let wrong = CatalogExport {
        out: place.folder.path().join("а.pdf").display().to_string(),
        ..exporting()
    };
    assert_eq!(
        export::export(&place.store, &wrong).unwrap_err().code,
        Code::BadArguments
    );
    let nowhere = CatalogExport {
        out: place.folder.path().join("нет/а.csv").display().to_string(),
        ..exporting()
    };
    assert_eq!(
        export::export(&place.store, &nowhere).unwrap_err().code,
        Code::File
    );
    let left: Vec<_> = std::fs::read_dir(place.folder.path())
        .unwrap()
        .flatten()
        .map(|e| e.file_name())
        .collect();
    assert_eq!(left, ["готово.csv"]);
}

#[test]
fn wrong_wishes_are_refused() {
    let refused = |command: CatalogEnrich| {
        let error = enrich::job(&command).unwrap_err();
        assert_eq!(error.code, Code::BadArguments);
        error.message
    };
    let preset = refused(CatalogEnrich {
        preset: Some("сезон".to_owned()),
        ..CatalogEnrich::default()
    });
    assert!(
        preset.contains("there are conservative, material"),
        "{preset}"
    );
    let template = refused(CatalogEnrich {
        template: Some("columns".to_owned()),
        ..CatalogEnrich::default()
    });
    assert!(template.contains("there is showcase"), "{template}");
    let picture = refused(CatalogEnrich {
        header_image: Some("C:\\шапка.jpg".to_owned()),
        ..CatalogEnrich::default()
    });
    assert!(
        picture.contains("not the address of a picture"),
        "{picture}"
    );
}

/// Stops a job in the middle and goes on with it: nothing is lost, nothing twice.
#[test]
fn a_job_that_was_stopped_goes_on() {
    let place = Place::new();
    place
        .import(&place.file("товары.csv", synthetic(6_000, 2)))
        .unwrap();
    let engine = place.engine();
    let job = engine
        .submit(&enrich::job(&CatalogEnrich::default()).unwrap())
        .unwrap();
    while engine.job(job.id).unwrap().counts.done == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    engine.pause(job.id).unwrap();
    let paused = engine.wait(job.id).unwrap();
    assert_eq!(paused.state, JobState::Paused);
    assert!(paused.counts.done < 6_000, "it was too fast to be stopped");
    engine.resume(job.id).unwrap();
    let done = engine.wait(job.id).unwrap();
    assert_eq!(
        (done.state, done.counts.done, done.counts.total),
        (JobState::Done, 6_000, 6_000)
    );
    assert_eq!(place.counts().documents, 6_000);
}

#[cfg(target_os = "linux")]
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    status
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        * 4096
}

/// Twenty thousand products take hardly more memory than a few.
///
/// Invariant 6: memory is a setting, not a function of the input.
#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_the_catalogue() {
    let place = Place::new();
    place
        .import(&place.file("мало.csv", synthetic(600, 1)))
        .unwrap();
    place.enrich(&CatalogEnrich::default());
    let before = resident();
    let path = place.file("много.csv", synthetic(20_000, 10));
    let started = std::time::Instant::now();
    let report = place.import(&path).unwrap();
    // Every tenth of the first ones has the brand it had.
    assert_eq!((report.added, report.changed), (19_400, 540));
    let imported = started.elapsed();
    let started = std::time::Instant::now();
    let job = place.enrich(&CatalogEnrich::default());
    assert_eq!(job.counts.done, 20_000);
    let grown = resident().saturating_sub(before) >> 20;
    println!(
        "import {imported:?}, enrichment {:?}, {grown} MiB more",
        started.elapsed()
    );
    assert!(grown < 96, "{grown} MiB more");
}
