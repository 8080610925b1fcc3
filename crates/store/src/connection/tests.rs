use std::{
    sync::{Arc, Barrier, mpsc},
    thread,
};

use proptest::prelude::*;

use super::*;
use crate::settings;

fn count(store: &Store) -> i64 {
    store
        .read(|connection| {
            Ok(connection.query_row("SELECT count(*) FROM settings", [], |row| row.get(0))?)
        })
        .unwrap()
}

#[test]
fn a_failing_write_rolls_back_alone() {
    let store = Arc::new(Store::open_for_tests());
    // Holds the committer until all the others wait, so that they share one group.
    let (release, held) = mpsc::channel::<()>();
    let holder = {
        let store = Arc::clone(&store);
        thread::spawn(move || {
            store.write(move |_| {
                held.recv().unwrap();
                Ok(())
            })
        })
    };
    let barrier = Arc::new(Barrier::new(21));
    let writers: Vec<_> = (0..20)
        .map(|n: u32| {
            let (store, barrier) = (Arc::clone(&store), Arc::clone(&barrier));
            thread::spawn(move || {
                barrier.wait();
                store.write(move |tx| {
                    settings::set(tx, &n.to_string(), "x")?;
                    match n % 5 {
                        0 => Err(StoreError::Busy),
                        1 => panic!("on purpose"),
                        _ => Ok(n),
                    }
                })
            })
        })
        .collect();
    barrier.wait();
    thread::sleep(std::time::Duration::from_millis(50));
    release.send(()).unwrap();
    holder.join().unwrap().unwrap();
    for (n, writer) in writers.into_iter().enumerate() {
        match (n % 5, writer.join().unwrap()) {
            (0, Err(StoreError::Busy)) | (1, Err(StoreError::Misuse(_))) => {}
            (2.., Ok(written)) => assert_eq!(usize::try_from(written).unwrap(), n),
            (_, other) => panic!("{n}: {other:?}"),
        }
    }
    assert_eq!(count(&store), 12);
}

#[test]
fn nobody_is_told_saved_when_the_group_is_rolled_back() {
    let store = Store::open_for_tests();
    let ended: Result<(), _> = store.write(|tx| {
        settings::set(tx, "lost", "x")?;
        // What SQLite does by itself on a full or failing disk.
        tx.execute_batch("ROLLBACK")?;
        Ok(())
    });
    assert!(ended.is_err());
    assert_eq!(count(&store), 0);
    store.write(|tx| settings::set(tx, "next", "x")).unwrap();
    assert_eq!(count(&store), 1);
}

type Write = fn(&Transaction<'_>) -> Result<(), StoreError>;

/// Runs writes in one group: they wait until all of them are there.
fn together(store: &Arc<Store>, writes: Vec<Write>) -> Vec<Result<(), StoreError>> {
    let (release, held) = mpsc::channel::<()>();
    let (enter, entered) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let holder = scope.spawn(move || {
            store.write(move |_| {
                enter.send(()).unwrap();
                held.recv().unwrap();
                Ok(())
            })
        });
        entered.recv().unwrap();
        let writers: Vec<_> = writes
            .into_iter()
            .map(|write| {
                let writer = scope.spawn(move || store.write(write));
                // One after the other into the queue.
                thread::sleep(std::time::Duration::from_millis(30));
                writer
            })
            .collect();
        release.send(()).unwrap();
        // Its own group: held for longer than a group may take.
        holder.join().unwrap().unwrap();
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .collect()
    })
}

#[test]
fn neighbours_of_a_write_that_ends_the_group_hear_why() {
    let store = Arc::new(Store::open_for_tests());
    // What SQLite does by itself on a full or failing disk.
    let told = together(
        &store,
        vec![|tx| settings::set(tx, "neighbour", "x"), |tx| {
            tx.execute_batch("ROLLBACK")?;
            Err(StoreError::Full { path: None })
        }],
    );
    assert!(
        matches!(
            told.as_slice(),
            [
                Err(StoreError::Full { path: Some(_) }),
                Err(StoreError::Full { .. })
            ]
        ),
        "{told:?}"
    );
    // And unseen by the closure that met it.
    let told = together(
        &store,
        vec![|tx| settings::set(tx, "neighbour", "x"), |tx| {
            Ok(tx.execute_batch("ROLLBACK")?)
        }],
    );
    for one in &told {
        assert!(matches!(one, Err(StoreError::Unusable { .. })), "{told:?}");
    }
    assert_eq!(count(&store), 0);
}

#[test]
fn a_full_disk_is_named_and_nothing_is_half_written() {
    let store = Store::open_for_tests();
    store
        .write(|tx| {
            let pages: i64 = tx.query_row("PRAGMA page_count", [], |row| row.get(0))?;
            tx.query_row(
                &format!("PRAGMA max_page_count = {}", pages + 8),
                [],
                |_| Ok(()),
            )?;
            Ok(())
        })
        .unwrap();
    let full = store.write(|tx| settings::set(tx, "big", &"x".repeat(1 << 20)));
    assert!(matches!(full, Err(StoreError::Full { .. })), "{full:?}");
    assert_eq!(count(&store), 0);
    store.write(|tx| settings::set(tx, "small", "x")).unwrap();
    assert_eq!(count(&store), 1);
}

#[test]
fn a_write_inside_a_write_is_refused_not_hung() {
    let store = Arc::new(Store::open_for_tests());
    let inner = Arc::clone(&store);
    let result = store.write(move |_| inner.write(|_| Ok(())));
    assert!(matches!(result, Err(StoreError::Misuse(_))));
}

#[test]
fn a_reader_sees_one_state_and_cannot_write() {
    let store = Store::open_for_tests();
    store
        .read(|connection| {
            let before: i64 =
                connection.query_row("SELECT count(*) FROM settings", [], |row| row.get(0))?;
            store.write(|tx| settings::set(tx, "a", "b"))?;
            let after: i64 =
                connection.query_row("SELECT count(*) FROM settings", [], |row| row.get(0))?;
            assert_eq!(before, after);
            assert!(settings::set(connection, "c", "d").is_err());
            Ok(())
        })
        .unwrap();
    assert_eq!(count(&store), 1);
}

#[test]
fn many_readers_at_once_all_get_an_answer() {
    let store = Arc::new(Store::open_for_tests());
    store.write(|tx| settings::set(tx, "a", "b")).unwrap();
    let readers: Vec<_> = (0..40)
        .map(|_| {
            let store = Arc::clone(&store);
            thread::spawn(move || count(&store))
        })
        .collect();
    assert!(
        readers
            .into_iter()
            .all(|reader| reader.join().unwrap() == 1)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A store agrees with a map, whatever succeeded and failed, and after being opened again.
    #[test]
    fn settings_agree_with_a_map(steps in prop::collection::vec((0_u8..6, "[a-zа-я]{0,8}", 0_u8..4), 1..60)) {
        let folder = tempfile::tempdir().unwrap();
        let key = DatabaseKey::random().unwrap();
        let mut model = std::collections::BTreeMap::new();
        let store = Store::open(folder.path(), &key, None).unwrap();
        for (slot, value, kind) in steps {
            let name = format!("k{slot}");
            match kind {
                0 => {
                    let failed: Result<(), StoreError> = store.write(move |tx| {
                        settings::set(tx, &name, &value)?;
                        Err(StoreError::Busy)
                    });
                    prop_assert!(failed.is_err());
                }
                1 => {
                    let was = model.remove(&name).is_some();
                    prop_assert_eq!(store.write(move |tx| settings::unset(tx, &name)).unwrap(), was);
                }
                _ => {
                    model.insert(name.clone(), value.clone());
                    store.write(move |tx| settings::set(tx, &name, &value)).unwrap();
                }
            }
        }
        let expected: Vec<_> = model.into_iter().collect();
        prop_assert_eq!(&store.read(settings::all).unwrap(), &expected);
        drop(store);
        let store = Store::open(folder.path(), &key, None).unwrap();
        prop_assert_eq!(&store.read(settings::all).unwrap(), &expected);
    }
}

const VICTIM: &str = "ARTEL_TEST_VICTIM_HOME";

/// Not a test by itself: the process that the next one kills.
#[test]
fn victim() {
    use std::io::Write;
    let Some(home) = std::env::var_os(VICTIM) else {
        return;
    };
    let opened = Arc::new(crate::profile::open(Path::new(&home), "victim", "x").unwrap());
    let round: String = std::env::var("ARTEL_TEST_VICTIM_ROUND").unwrap();
    for thread in 0..4 {
        let (opened, round) = (Arc::clone(&opened), round.clone());
        thread::spawn(move || {
            for n in 0.. {
                let key = format!("{round}.{thread}.{n}");
                let written = key.clone();
                opened
                    .store
                    .write(move |tx| settings::set(tx, &written, &"x".repeat(300)))
                    .unwrap();
                let mut out = std::io::stdout().lock();
                writeln!(out, "saved {key}").unwrap();
                out.flush().unwrap();
            }
        });
    }
    thread::sleep(std::time::Duration::from_mins(1));
}

/// Invariant 3, said means saved: whatever was reported before `kill -9` is there afterwards, the
/// file is whole, and the lock is free.
#[test]
fn what_was_reported_survives_a_kill() {
    use std::{
        io::{BufRead, BufReader},
        process::{Command, Stdio},
    };
    let home = tempfile::tempdir().unwrap();
    drop(crate::profile::create(home.path(), "victim", "x", [1; 32], 0).unwrap());
    for round in 0..6 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "connection::tests::victim", "--nocapture"])
            .env(VICTIM, home.path())
            .env("ARTEL_TEST_VICTIM_ROUND", round.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut saved = Vec::new();
        // Killed in the middle of work, at another point in each round.
        while saved.len() < 100 + round * 137 {
            let line = lines.next().expect("the victim ended by itself").unwrap();
            saved.extend(line.split_once("saved ").map(|(_, key)| key.to_owned()));
        }
        child.kill().unwrap();
        // What is still in the pipe was reported too; the last line may be cut.
        saved.extend(lines.map_while(Result::ok).filter_map(|line| {
            let key = line.strip_prefix("saved ")?;
            (key.matches('.').count() == 2).then(|| key.to_owned())
        }));
        child.wait().unwrap();
        let opened = crate::profile::open(home.path(), "victim", "x").unwrap();
        let there: std::collections::HashSet<_> = opened
            .store
            .read(settings::all)
            .unwrap()
            .into_iter()
            .map(|(key, _)| key)
            .collect();
        let last = saved.pop().unwrap();
        let lost: Vec<_> = saved.iter().filter(|key| !there.contains(*key)).collect();
        assert!(
            lost.is_empty(),
            "round {round}: lost {lost:?} of {} (last {last})",
            saved.len()
        );
        assert_eq!(
            crate::check::database(&opened.store).unwrap().problems,
            Vec::<String>::new()
        );
    }
}
