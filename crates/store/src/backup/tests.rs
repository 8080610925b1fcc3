use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, Ordering},
};

use super::*;
use crate::{identity::Beginning, settings};

const NAME: &str = "Олена Ткаченко";
const GOOD: &str = "passphrase";

fn beginning(incarnation: u8, reason: identity::Reason) -> Beginning<'static> {
    Beginning {
        incarnation: [incarnation; 16],
        device_public: [incarnation; 32],
        machine_marker: b"machine",
        at_ms: i64::from(incarnation),
        reason,
    }
}

fn home_with_profile() -> (tempfile::TempDir, Opened) {
    let home = tempfile::tempdir().unwrap();
    let opened = profile::create_with(home.path(), NAME, GOOD, None, [5; 32], 1_000, |tx| {
        settings::set(tx, "kept", "yes")?;
        identity::create(
            tx,
            &[1; 32],
            &[2; 32],
            &beginning(3, identity::Reason::Created),
        )
    })
    .unwrap();
    (home, opened)
}

fn restore_as(
    home: &Path,
    path: &Path,
    passphrase: &str,
    name: Option<&str>,
) -> Result<Opened, StoreError> {
    let request = Restore {
        path,
        passphrase,
        name,
    };
    restore(home, &request, |tx| {
        let before = identity::get(tx)?.unwrap();
        assert!(
            before.device_secret.is_none(),
            "the device key was in the backup"
        );
        assert!(
            before.machine_marker.is_empty(),
            "the machine's marker was in the backup"
        );
        identity::replace_device(tx, &[7; 32], &beginning(8, identity::Reason::Restored))
    })
}

#[test]
fn a_backup_is_made_listed_verified_and_restored() {
    let (home, opened) = home_with_profile();
    let made = make(&opened, home.path(), 1_785_000_000_000, "0.1.0").unwrap();
    assert_eq!(made.profile, NAME);
    assert!(
        made.path
            .to_str()
            .unwrap()
            .ends_with("_20260725-172000.artel-backup"),
        "{:?}",
        made.path
    );
    assert_eq!(list(home.path()).unwrap(), [Listed::Backup(made.clone())]);
    for secret in [Secret::Passphrase(GOOD), Secret::Profile(&opened)] {
        let verified = verify(home.path(), &made.path, secret).unwrap();
        assert!(verified.tables.contains(&("settings".to_owned(), 1)));
    }
    // The profile goes on, and what it writes now is not in the backup.
    opened
        .store
        .write(|tx| settings::set(tx, "later", "x"))
        .unwrap();
    assert_eq!(
        opened
            .store
            .read(identity::get)
            .unwrap()
            .unwrap()
            .device_secret,
        Some([2; 32])
    );

    let taken = restore_as(home.path(), &made.path, GOOD, None);
    assert!(matches!(taken.err(), Some(StoreError::NameTaken(name)) if name == NAME));
    let restored = restore_as(home.path(), &made.path, GOOD, Some("Олена 2")).unwrap();
    assert_eq!(restored.summary.name, "Олена 2");
    assert_eq!(restored.summary.member_public, [5; 32]);
    assert_eq!(restored.summary.created_at_ms, 1_000);
    let identity = restored.store.read(identity::get).unwrap().unwrap();
    assert_eq!(identity.member_secret, [1; 32]);
    assert_eq!(identity.device_secret, Some([7; 32]));
    assert_eq!(identity.incarnation, [8; 16]);
    let known = restored.store.read(identity::incarnations).unwrap();
    assert_eq!(
        known,
        [([3; 16], [3; 32]), ([8; 16], [8; 32])],
        "the old feeds are still known as its own"
    );
    let settings = restored.store.read(settings::all).unwrap();
    assert_eq!(settings, [("kept".to_owned(), "yes".to_owned())]);
    // Nothing passing is left beside the backups or the profiles.
    for folder in [
        backups_folder(home.path()),
        profile::profiles_folder(home.path()),
    ] {
        let left = fs::read_dir(folder)
            .unwrap()
            .flatten()
            .filter(|entry| unfinished::is_one(&entry.path()));
        assert_eq!(left.count(), 0);
    }
}

#[test]
fn every_backup_made_while_writing_is_one_state() {
    let (home, opened) = home_with_profile();
    let opened = Arc::new(opened);
    let (stop, last) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicI64::new(0)),
    );
    let writer = {
        let (opened, stop, last) = (Arc::clone(&opened), Arc::clone(&stop), Arc::clone(&last));
        std::thread::spawn(move || {
            let mut n = 0_i64;
            while !stop.load(Ordering::Relaxed) {
                n += 1;
                // Two rows that belong together, and ballast that makes pages move.
                opened
                    .store
                    .write(move |tx| {
                        settings::set(tx, "left", &n.to_string())?;
                        settings::set(tx, &format!("ballast {}", n % 50), &"x".repeat(500))?;
                        settings::set(tx, "right", &n.to_string())
                    })
                    .unwrap();
                last.store(n, Ordering::Release);
            }
        })
    };
    while last.load(Ordering::Acquire) == 0 {
        std::thread::yield_now();
    }
    for n in 0..5 {
        let before = last.load(Ordering::Acquire);
        let made = make(&opened, home.path(), 1_000 * n, "0.1.0").unwrap();
        let restored =
            restore_as(home.path(), &made.path, GOOD, Some(&format!("copy {n}"))).unwrap();
        let get = |key: &'static str| -> i64 {
            let value = restored.store.read(|c| settings::get(c, key)).unwrap();
            value.unwrap().parse().unwrap()
        };
        assert_eq!(get("left"), get("right"));
        assert!(
            get("left") >= before,
            "the backup misses what was saved before it began"
        );
    }
    stop.store(true, Ordering::Relaxed);
    writer.join().unwrap();
}

#[test]
fn a_bad_file_or_passphrase_is_named_and_leaves_nothing() {
    let (home, opened) = home_with_profile();
    let made = make(&opened, home.path(), 0, "0.1.0").unwrap();
    let good = fs::read(&made.path).unwrap();
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        bytes
    };
    let mut newer = good.clone();
    newer[8] = 9;
    let mut longer = good.clone();
    longer.push(0);
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty", Vec::new(), "not a backup"),
        (
            "foreign",
            b"PK\x03\x04 a zip file of some kind".to_vec(),
            "not a backup",
        ),
        ("only the magic", MAGIC.to_vec(), "cut short"),
        ("cut in the front", good[..60].to_vec(), "cut short"),
        (
            "cut in the database",
            good[..good.len() / 2].to_vec(),
            "cut short",
        ),
        ("cut by one", good[..good.len() - 1].to_vec(), "cut short"),
        ("longer", longer, "longer than it says"),
        ("front's length flipped", flipped(13), "front is damaged"),
        ("front flipped", flipped(30), "front is damaged"),
        (
            "database flipped",
            flipped(good.len() / 2),
            "checksum is wrong",
        ),
        (
            "last byte flipped",
            flipped(good.len() - 1),
            "checksum is wrong",
        ),
        ("newer", newer, "newer version"),
    ];
    let path = backups_folder(home.path()).join("case.artel-backup");
    for (name, bytes, expected) in cases {
        fs::write(&path, bytes).unwrap();
        let verified = verify(home.path(), &path, Secret::Profile(&opened))
            .err()
            .unwrap();
        assert!(
            verified.to_string().contains(expected),
            "{name}: {verified}"
        );
        let restored = restore_as(home.path(), &path, GOOD, Some("new"))
            .err()
            .unwrap();
        assert!(
            restored.to_string().contains(expected),
            "{name}: {restored}"
        );
    }
    let wrong = restore_as(home.path(), &made.path, "wrong", Some("new")).err();
    assert!(matches!(wrong, Some(StoreError::WrongPassphrase)));
    assert_eq!(
        profile::list(home.path()).unwrap().len(),
        1,
        "a failed restore left a profile"
    );
    let listed = list(home.path()).unwrap();
    assert!(matches!(&listed[1], Listed::Unreadable { problem, .. } if problem.contains("newer")));

    let other = profile::create(home.path(), "other", GOOD, [6; 32], 0).unwrap();
    let foreign = verify(home.path(), &made.path, Secret::Profile(&other))
        .err()
        .unwrap();
    assert!(foreign.to_string().contains("another profile"), "{foreign}");
}

#[test]
fn a_backup_keeps_the_passphrase_of_its_time() {
    let (home, opened) = home_with_profile();
    let made = make(&opened, home.path(), 0, "0.1.0").unwrap();
    profile::change_passphrase(&opened, GOOD, "new").unwrap();
    verify(home.path(), &made.path, Secret::Profile(&opened)).unwrap();
    let new = verify(home.path(), &made.path, Secret::Passphrase("new")).err();
    assert!(matches!(new, Some(StoreError::WrongPassphrase)));
    verify(home.path(), &made.path, Secret::Passphrase(GOOD)).unwrap();
}

/// A backup holds the recovery code of its time, and what is restored from it goes on with that one.
#[test]
fn a_restored_profile_has_the_recovery_code_of_its_backup() {
    let (home, opened) = home_with_profile();
    let code = profile::new_recovery(&opened, GOOD).unwrap();
    let backup = make(&opened, home.path(), 0, "0.1.0").unwrap().path;
    let later = profile::new_recovery(&opened, GOOD).unwrap();
    restore_as(home.path(), &backup, GOOD, Some("restored")).unwrap();
    let recover = |code| profile::recover(home.path(), "restored", code, "new");
    assert!(matches!(recover(&later), Err(StoreError::WrongRecovery)));
    recover(&code).unwrap();
    profile::open(home.path(), "restored", "new").unwrap();
}

#[test]
fn stamps_are_the_calendar_s() {
    for (ms, stamp) in [
        (0, "19700101-000000"),
        (951_782_399_000, "20000228-235959"),
        (951_782_400_000, "20000229-000000"),
        (1_709_251_199_000, "20240229-235959"),
        (-1_000, "19691231-235959"),
    ] {
        assert_eq!(utc_stamp(ms), stamp);
    }
}
