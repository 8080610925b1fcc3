//! Batches through a real profile: faults, skipping, sharing, and a process killed in the middle.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command as Process, Stdio},
    time::{Duration, Instant},
};

use image::RgbImage;

use crate::{
    api::{
        Handle,
        images::ImagesRun,
        jobs::{JobInfo, JobItems, JobList, JobPause, JobResume, JobRetry, JobShow},
        profile::ProfileNew,
    },
    error::Code,
    host::Host,
    session::Session,
};

/// Names the folder that the child of the kill test works in.
const CHILD: &str = "ARTEL_TEST_KILLED_BATCH";

async fn profile(home: &Path) -> Session {
    let host = Host::new(home);
    let new = ProfileNew {
        name: "Оля".to_owned(),
        passphrase: "x".to_owned(),
    };
    host.handle(new).await.unwrap();
    host.open("Оля", "x").await.unwrap()
}

fn picture(path: &Path, seed: u32, side: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let pixels = RgbImage::from_fn(side, side / 2, |x, y| {
        let value = x.wrapping_mul(seed + 3) ^ y.wrapping_mul(7 + seed);
        image::Rgb([value, value / 3, x + y].map(|value| value.to_le_bytes()[0]))
    });
    pixels.save(path).unwrap();
}

fn batch(input: &Path, out: &Path) -> ImagesRun {
    ImagesRun {
        inputs: vec![input.to_str().unwrap().to_owned()],
        recipe: "web".to_owned(),
        out: out.to_str().unwrap().to_owned(),
        export: Some(out.with_extension("csv").to_str().unwrap().to_owned()),
        backend: Some("cpu".to_owned()),
        workers: None,
        every: None,
    }
}

async fn ended(session: &Session, job: i64) -> JobInfo {
    let since = Instant::now();
    loop {
        let info = session.handle(JobShow { job }).await.unwrap();
        if !matches!(info.state.as_str(), "waiting" | "running") {
            return info;
        }
        assert!(since.elapsed() < Duration::from_mins(2), "{info:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn run(session: &Session, command: ImagesRun) -> JobInfo {
    let started = session.handle(command).await.unwrap();
    ended(session, started.job.job).await
}

/// Why the first item that failed did.
async fn first_failure(session: &Session, job: i64) -> String {
    let failed = JobItems {
        job,
        state: Some("failed".to_owned()),
        offset: 0,
        limit: None,
    };
    let mut failed = session.handle(failed).await.unwrap();
    failed.items.remove(0).error.unwrap()
}

/// Every file below a folder with its content.
fn content(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_owned();
                found.insert(name, fs::read(path).unwrap());
            }
        }
    }
    found
}

/// Rows of a table without their times: input and output names, state, hash.
fn rows(table: &Path) -> Vec<(String, String, String, String)> {
    let name = |path: &str| {
        Path::new(path)
            .file_name()
            .unwrap_or_default()
            .to_str()
            .unwrap()
            .to_owned()
    };
    csv::Reader::from_path(table)
        .unwrap()
        .records()
        .map(|row| row.unwrap())
        .map(|row| {
            (
                name(&row[0]),
                name(&row[1]),
                row[2].to_owned(),
                row[7].to_owned(),
            )
        })
        .collect()
}

/// Invariant 7: a user's file is never changed in place.
#[tokio::test(flavor = "multi_thread")]
async fn bad_files_fail_alone_with_their_reasons_and_inputs_stay_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let session = profile(&folder.path().join("home")).await;
    let (input, out) = (
        folder.path().join("Фото з табору"),
        folder.path().join("готове"),
    );
    picture(&input.join("день 1/море.png"), 1, 64);
    picture(&input.join("день 1/море.bmp"), 2, 64);
    fs::write(input.join("photo.jpg"), "these are words").unwrap();
    picture(&input.join("cut.png"), 3, 64);
    let whole = fs::read(input.join("cut.png")).unwrap();
    fs::write(input.join("cut.png"), &whole[..whole.len() / 2]).unwrap();
    fs::write(input.join("notes.txt"), "left alone").unwrap();
    // A file that was there before the batch.
    fs::create_dir_all(out.join("день 1")).unwrap();
    fs::write(out.join("день 1/море.jpg"), "someone's own").unwrap();
    let before = content(&input);

    let started = session.handle(batch(&input, &out)).await.unwrap();
    assert_eq!(started.ignored, 1);
    let job = ended(&session, started.job.job).await;
    assert_eq!(
        (job.state.as_str(), job.total, job.done, job.failed),
        ("done_in_part", 4, 2, 2),
        "{job:?}"
    );
    let failed = session
        .handle(JobItems {
            job: job.job,
            state: Some("failed".to_owned()),
            offset: 0,
            limit: None,
        })
        .await
        .unwrap();
    let reasons: Vec<_> = failed
        .items
        .into_iter()
        .filter_map(|item| item.error)
        .collect();
    assert_eq!(
        reasons,
        [
            "cut.png is a PNG that ends too early: it was not copied or saved completely. Copy it again",
            "photo.jpg is not a picture: it begins with text",
        ]
    );
    let made = content(&out);
    let names: Vec<_> = made.keys().map(|name| name.to_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "contact-sheet.jpg",
            "день 1/море (2).jpg",
            "день 1/море.jpg",
            "день 1/море.png.jpg"
        ]
    );
    assert_eq!(made[Path::new("день 1/море.jpg")], b"someone's own");
    assert_eq!(content(&input), before);
    assert_eq!(rows(&out.with_extension("csv")).len(), 4);

    // Mended and tried again, it is done; and it can be shared.
    picture(&input.join("photo.jpg"), 4, 64);
    fs::write(input.join("cut.png"), whole).unwrap();
    session.handle(JobRetry { job: job.job }).await.unwrap();
    let job = ended(&session, job.job).await;
    assert_eq!((job.state.as_str(), job.done, job.failed), ("done", 4, 0));
    let shared = super::shareable(&session, job.job).await.unwrap();
    assert!(shared.preview.unwrap().is_file() && shared.files[0].is_file());
    let small = session.media(&format!("item/{}/0", job.job)).await.unwrap();
    assert_eq!(small.media_type, "image/jpeg");
    image::load_from_memory(&small.bytes).unwrap();
    assert_eq!(
        session.media("item/1/99").await.unwrap_err().code,
        Code::NotFound
    );

    // The same batch again finds everything done.
    let again = run(&session, batch(&input, &out)).await;
    assert_eq!(
        (again.state.as_str(), again.done, again.skipped),
        ("done", 0, 4)
    );
    session.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_cannot_be_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let session = profile(&folder.path().join("home")).await;
    let input = folder.path().join("in");
    picture(&input.join("a.png"), 1, 16);
    let refused = async |command: ImagesRun, code: Code, words: &str| {
        let error = session.handle(command).await.unwrap_err();
        assert!(
            error.code == code && error.message.contains(words),
            "{error:?}"
        );
    };
    refused(batch(&input, &input), Code::BadArguments, "it lies in").await;
    refused(
        batch(&input, &input.join("out")),
        Code::BadArguments,
        "it lies in",
    )
    .await;
    let out = folder.path().join("out");
    refused(
        batch(&folder.path().join("none"), &out),
        Code::NotFound,
        "none: ",
    )
    .await;
    refused(
        ImagesRun {
            recipe: "x".to_owned(),
            ..batch(&input, &out)
        },
        Code::NotFound,
        "no recipe",
    )
    .await;
    fs::create_dir(folder.path().join("empty")).unwrap();
    refused(
        batch(&folder.path().join("empty"), &out),
        Code::BadInput,
        "no pictures",
    )
    .await;
    fs::write(out.with_extension("csv"), "mine").unwrap();
    refused(batch(&input, &out), Code::Exists, "is there already").await;
    assert!(!out.exists());
    assert!(
        session
            .handle(JobList { active: false })
            .await
            .unwrap()
            .is_empty()
    );
    session.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_batch_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let session = profile(&folder.path().join("home")).await;
    let (input, out) = (folder.path().join("in"), folder.path().join("out"));
    for number in 0..12 {
        picture(&input.join(format!("{number}.bmp")), number, 700);
    }
    let started = session.handle(batch(&input, &out)).await.unwrap();
    let paused = session
        .handle(JobPause {
            job: started.job.job,
        })
        .await
        .unwrap();
    assert_eq!(paused.state, "paused");
    assert!(paused.done < 12, "it was paused too late to tell");
    session.handle(JobResume { job: paused.job }).await.unwrap();
    let job = ended(&session, paused.job).await;
    assert_eq!((job.state.as_str(), job.done), ("done", 12));
    session.close().await;
}

/// The child of the test below; does nothing when run by itself.
#[tokio::test(flavor = "multi_thread")]
async fn killed_child() {
    let Some(folder) = std::env::var_os(CHILD).map(PathBuf::from) else {
        return;
    };
    let session = profile(&folder.join("home")).await;
    let batch = batch(&folder.join("in"), &folder.join("out"));
    // Two at once: all but two of the results that are there have their rows.
    let workers = Some(2);
    run(&session, ImagesRun { workers, ..batch }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_batch_resumes_to_the_same_bytes() {
    const PICTURES: u32 = 40;
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (folder.path().join("in"), folder.path().join("out"));
    for number in 0..PICTURES {
        picture(
            &input.join(format!("день {}/фото {number}.bmp", number % 3)),
            number,
            900,
        );
    }
    let mut child = Process::new(std::env::current_exe().unwrap())
        .args(["--exact", "images::tests::killed_child", "--nocapture"])
        .env(CHILD, folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let since = Instant::now();
    // By name alone: the child renames its files meanwhile.
    let some = || {
        walkdir::WalkDir::new(&out)
            .into_iter()
            .flatten()
            .filter(|entry| entry.path().extension().is_some_and(|it| it == "jpg"))
            .count()
    };
    while !out.is_dir() || some() < 5 {
        assert!(
            since.elapsed() < Duration::from_mins(1),
            "the child made nothing"
        );
        assert!(
            child.try_wait().unwrap().is_none(),
            "the child ended before it was killed"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(some() < PICTURES as usize, "it was killed too late to tell");

    let session = Host::new(folder.path().join("home"))
        .open("Оля", "x")
        .await
        .unwrap();
    let jobs = session.handle(JobList { active: true }).await.unwrap();
    assert_eq!((jobs.len(), jobs[0].state.as_str()), (1, "interrupted"));
    assert!(jobs[0].done >= 3, "{:?}", jobs[0]);
    let worked = jobs[0].seconds;
    assert!(worked > 0.0, "the time worked is forgotten: {:?}", jobs[0]);
    session
        .handle(JobResume { job: jobs[0].job })
        .await
        .unwrap();
    let job = ended(&session, jobs[0].job).await;
    assert_eq!(
        (job.state.as_str(), job.done, job.failed),
        ("done", u64::from(PICTURES), 0),
        "{job:?}"
    );
    assert!(job.seconds > worked, "{job:?} after {worked} s");

    let whole = folder.path().join("whole");
    let uninterrupted = run(&session, batch(&input, &whole)).await;
    assert_eq!(uninterrupted.done, u64::from(PICTURES));
    assert!(
        content(&out) == content(&whole),
        "the results differ, or scratch files were left"
    );
    assert_eq!(
        rows(&out.with_extension("csv")),
        rows(&whole.with_extension("csv"))
    );
    session.close().await;
}

/// Names are bytes there; other systems have none that are not Unicode.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_name_that_is_not_unicode_fails_with_the_way_out() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = tempfile::tempdir().unwrap();
    let session = profile(&folder.path().join("home")).await;
    let (input, out) = (folder.path().join("фото"), folder.path().join("out"));
    picture(&input.join("1.png"), 1, 40);
    let name = std::ffi::OsStr::from_bytes(b"\xcc\xee\xb8.png");
    fs::copy(input.join("1.png"), input.join(name)).unwrap();
    let job = run(&session, batch(&input, &out)).await;
    assert_eq!((job.done, job.failed), (1, 1));
    let reason = first_failure(&session, job.job).await;
    assert!(reason.contains("rename"), "{reason}");
    session.close().await;
}

#[tokio::test]
async fn a_folder_that_is_not_listed_fails_alone_and_says_so() {
    let place = tempfile::tempdir().unwrap();
    let session = profile(&place.path().join("home")).await;
    let photos = place.path().join("photos");
    picture(&photos.join("a.png"), 1, 64);
    let deepest = (0..130).fold(photos.clone(), |folder, _| folder.join("d"));
    picture(&deepest.join("b.png"), 2, 64);
    let job = run(&session, batch(&photos, &place.path().join("out"))).await;
    assert_eq!((job.total, job.done, job.failed), (2, 1, 1), "{job:?}");
    let reason = first_failure(&session, job.job).await;
    assert!(
        reason.contains("lies too deep. Run another batch for it"),
        "{reason}"
    );
    session.close().await;
}
