use super::*;
use crate::{header::COPIES, settings};

const NAME: &str = "Марія Коваленко";
const GOOD: &str = "правильна фраза";

fn home_with_profile() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let opened = create_with(
        home.path(),
        NAME,
        GOOD,
        None,
        [9; 32],
        1_700_000_000_000,
        |tx| settings::set(tx, "kept", "yes"),
    )
    .unwrap();
    assert!(opened.summary.in_use);
    home
}

fn folder_of(home: &Path) -> PathBuf {
    find(home, NAME).unwrap().path
}

fn kept(opened: &Opened) -> Option<String> {
    opened
        .store
        .read(|connection| settings::get(connection, "kept"))
        .unwrap()
}

/// Whether the process that holds the profile takes this key's answer.
fn is_taken(opened: &Opened, key: &ProofKey) -> bool {
    let (one, other) = ([1; 32], [2; 32]);
    let answer = key.answer("client", &one, &other);
    opened.proof_key().verify("client", &one, &other, &answer)
}

#[test]
fn a_profile_is_made_listed_opened_and_deleted() {
    let home = home_with_profile();
    let listed = list(home.path()).unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].name, NAME);
    assert_eq!(listed[0].member_public, [9; 32]);
    assert_eq!(listed[0].created_at_ms, 1_700_000_000_000);
    assert!(!listed[0].in_use && listed[0].problem.is_none());

    let opened = open(home.path(), NAME, GOOD).unwrap();
    assert_eq!(kept(&opened).as_deref(), Some("yes"));
    assert!(matches!(
        delete(home.path(), NAME, GOOD),
        Err(StoreError::InUse { .. })
    ));
    drop(opened);

    assert!(matches!(
        delete(home.path(), NAME, "x"),
        Err(StoreError::WrongPassphrase)
    ));
    delete(home.path(), NAME, GOOD).unwrap();
    assert!(list(home.path()).unwrap().is_empty());
    assert_eq!(
        std::fs::read_dir(profiles_folder(home.path()))
            .unwrap()
            .count(),
        0
    );
    assert!(matches!(
        open(home.path(), NAME, GOOD),
        Err(StoreError::NotFound { .. })
    ));
}

#[test]
fn a_second_opener_is_refused_until_the_last_owner_is_gone() {
    let home = home_with_profile();
    let first = open(home.path(), NAME, GOOD).unwrap();
    match open(home.path(), NAME, GOOD) {
        Err(StoreError::InUse { profile, pid }) => {
            assert_eq!(profile, NAME);
            #[cfg(unix)]
            assert_eq!(pid, Some(std::process::id()));
            #[cfg(not(unix))]
            let _ = pid;
        }
        other => panic!("opened twice: {:?}", other.err()),
    }
    assert!(list(home.path()).unwrap()[0].in_use);
    let store = Arc::clone(&first.store);
    drop(first);
    assert!(matches!(
        open(home.path(), NAME, GOOD),
        Err(StoreError::InUse { .. })
    ));
    drop(store);
    open(home.path(), NAME, GOOD).unwrap();
}

#[test]
fn names_are_taken_once_and_bad_ones_refused() {
    let home = home_with_profile();
    let again = create(home.path(), &format!(" {NAME} "), "other", [1; 32], 0);
    assert!(matches!(again.err(), Some(StoreError::NameTaken(name)) if name == NAME));
    assert!(matches!(
        create(home.path(), "", "x", [1; 32], 0).err(),
        Some(StoreError::BadName { .. })
    ));
    assert!(matches!(
        create(home.path(), "x", "", [1; 32], 0).err(),
        Some(StoreError::EmptyPassphrase)
    ));
    assert_eq!(list(home.path()).unwrap().len(), 1);
}

#[test]
fn what_a_failed_creation_wrote_is_gone() {
    let home = tempfile::tempdir().unwrap();
    let failed = create_with(home.path(), NAME, GOOD, None, [1; 32], 0, |_| {
        Err(StoreError::Busy)
    });
    assert!(matches!(failed.err(), Some(StoreError::Busy)));
    assert_eq!(
        std::fs::read_dir(profiles_folder(home.path()))
            .unwrap()
            .count(),
        0
    );
    let left = profiles_folder(home.path()).join(".new-crashed");
    std::fs::create_dir(&left).unwrap();
    assert!(list(home.path()).unwrap().is_empty());
    create(home.path(), NAME, GOOD, [1; 32], 0).unwrap();
    assert!(!left.exists());
}

type Damage<'a> = Box<dyn Fn(&Path) + 'a>;

/// Every way in which files can be damaged, and what the user is told.
#[test]
fn damage_has_its_own_error_or_is_mended() {
    enum Expect {
        Mended,
        HeaderDamaged,
        DatabaseDamaged,
        Newer,
    }
    use Expect::{DatabaseDamaged, HeaderDamaged, Mended, Newer};
    let flip = |path: PathBuf, at: usize| {
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[at] ^= 0x40;
        std::fs::write(path, bytes).unwrap();
    };
    let cut = |path: PathBuf, length: u64| {
        std::fs::File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_len(length)
            .unwrap();
    };
    let remove = |path: PathBuf| std::fs::remove_file(path).unwrap();
    let newer = |path: PathBuf| {
        let bytes = std::fs::read(&path).unwrap();
        let mut content = bytes[..bytes.len() - 32].to_vec();
        content[8] = 9;
        let hash = blake3::hash(&content);
        content.extend_from_slice(hash.as_bytes());
        std::fs::write(path, content).unwrap();
    };
    let cases: Vec<(&str, Damage, Expect)> = vec![
        (
            "a missing",
            Box::new(|f| remove(f.join("header.a"))),
            Mended,
        ),
        (
            "b missing",
            Box::new(|f| remove(f.join("header.b"))),
            Mended,
        ),
        (
            "a flipped",
            Box::new(|f| flip(f.join("header.a"), 40)),
            Mended,
        ),
        ("b cut", Box::new(|f| cut(f.join("header.b"), 20)), Mended),
        ("a empty", Box::new(|f| cut(f.join("header.a"), 0)), Mended),
        (
            "a huge",
            Box::new(|f| cut(f.join("header.a"), 1 << 30)),
            Mended,
        ),
        (
            "both flipped",
            Box::new(|f| {
                flip(f.join("header.a"), 40);
                flip(f.join("header.b"), 41);
            }),
            HeaderDamaged,
        ),
        (
            "both missing",
            Box::new(|f| {
                remove(f.join("header.a"));
                remove(f.join("header.b"));
            }),
            HeaderDamaged,
        ),
        (
            "both newer",
            Box::new(|f| {
                newer(f.join("header.a"));
                newer(f.join("header.b"));
            }),
            Newer,
        ),
        (
            "database's first page",
            Box::new(|f| flip(f.join("data.db"), 100)),
            DatabaseDamaged,
        ),
        (
            "database's salt",
            Box::new(|f| flip(f.join("data.db"), 3)),
            DatabaseDamaged,
        ),
        (
            "database cut",
            Box::new(|f| cut(f.join("data.db"), 1000)),
            DatabaseDamaged,
        ),
        (
            "database empty",
            Box::new(|f| cut(f.join("data.db"), 0)),
            DatabaseDamaged,
        ),
        (
            "database missing",
            Box::new(|f| remove(f.join("data.db"))),
            DatabaseDamaged,
        ),
    ];
    for (name, damage, expected) in cases {
        let home = home_with_profile();
        let folder = folder_of(home.path());
        damage(&folder);
        let result = open(home.path(), NAME, GOOD);
        match (expected, result) {
            (Mended, Ok(opened)) => {
                assert_eq!(kept(&opened).as_deref(), Some("yes"), "{name}");
                assert!(
                    Pair::read(&folder).flaws().is_empty(),
                    "{name} was not mended"
                );
            }
            (HeaderDamaged, Err(StoreError::HeaderDamaged { path, .. })) => {
                assert_eq!(path, folder, "{name}");
            }
            (DatabaseDamaged, Err(StoreError::Corrupt { path, .. })) => {
                assert_eq!(path, Some(folder.join("data.db")), "{name}");
            }
            (Newer, Err(StoreError::NewerSchema { found: 9, known: 2 })) => {}
            (_, other) => panic!("{name}: {:?}", other.err()),
        }
    }
}

#[test]
fn a_damaged_profile_is_listed_with_its_problem() {
    let home = home_with_profile();
    let folder = folder_of(home.path());
    for copy in COPIES {
        std::fs::write(folder.join(copy), b"nothing").unwrap();
    }
    let listed = list(home.path()).unwrap();
    assert!(listed[0].problem.as_deref().unwrap().contains("header.a"));
}

#[test]
fn nothing_readable_is_on_disk() {
    let home = tempfile::tempdir().unwrap();
    let opened = create_with(home.path(), NAME, GOOD, None, [1; 32], 0, |tx| {
        settings::set(
            tx,
            "a plain marker in the key",
            "a plain marker in the value",
        )
    })
    .unwrap();
    let folder = opened.path.clone();
    for name in ["data.db", "data.db-wal"] {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        assert!(
            !bytes.windows(14).any(|window| window == b"a plain marker"),
            "{name}"
        );
        if name == "data.db" {
            assert!(!bytes.starts_with(b"SQLite"));
        }
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&folder).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}

#[test]
fn a_new_passphrase_replaces_the_old_one() {
    let home = home_with_profile();
    let opened = open(home.path(), NAME, GOOD).unwrap();
    let before = opened.proof_key();
    let refused = change_passphrase(&opened, "wrong", "new");
    assert!(matches!(refused, Err(StoreError::WrongPassphrase)));
    assert!(matches!(
        change_passphrase(&opened, GOOD, ""),
        Err(StoreError::EmptyPassphrase)
    ));
    change_passphrase(&opened, GOOD, "new").unwrap();
    assert!(!is_taken(&opened, &before));
    assert!(is_taken(
        &opened,
        &proof_key(home.path(), NAME, "new").unwrap()
    ));
    drop(opened);
    assert!(matches!(
        open(home.path(), NAME, GOOD),
        Err(StoreError::WrongPassphrase)
    ));
    assert_eq!(
        kept(&open(home.path(), NAME, "new").unwrap()).as_deref(),
        Some("yes")
    );
}

/// A spare copy that cannot be written leaves the new passphrase in force, and the profile usable.
#[test]
fn a_spare_header_that_cannot_be_written_keeps_nobody_out() {
    let home = home_with_profile();
    let opened = open(home.path(), NAME, GOOD).unwrap();
    let spare = opened.path.join("header.b");
    std::fs::remove_file(&spare).unwrap();
    std::fs::create_dir_all(spare.join("x")).unwrap();
    change_passphrase(&opened, GOOD, "new").unwrap();
    assert!(is_taken(
        &opened,
        &proof_key(home.path(), NAME, "new").unwrap()
    ));
    drop(opened);
    assert!(matches!(
        open(home.path(), NAME, GOOD),
        Err(StoreError::WrongPassphrase)
    ));
    let opened = open(home.path(), NAME, "new").unwrap();
    assert_eq!(kept(&opened).as_deref(), Some("yes"));
    let folder = opened.path.clone();
    drop(opened);
    std::fs::remove_dir_all(&spare).unwrap();
    drop(open(home.path(), NAME, "new").unwrap());
    assert!(Pair::read(&folder).flaws().is_empty(), "not mended");
}

/// The first copy decides: where it cannot be written, nothing has changed.
#[test]
fn a_first_header_that_cannot_be_written_leaves_the_old_passphrase() {
    let home = home_with_profile();
    let opened = open(home.path(), NAME, GOOD).unwrap();
    let first = opened.path.join("header.a");
    std::fs::remove_file(&first).unwrap();
    std::fs::create_dir_all(first.join("x")).unwrap();
    change_passphrase(&opened, GOOD, "new").unwrap_err();
    drop(opened);
    drop(open(home.path(), NAME, GOOD).unwrap());
}

/// A profile is deleted as a whole, or it is there as before.
#[test]
fn a_header_that_cannot_be_overwritten_does_not_leave_half_a_profile() {
    let home = home_with_profile();
    let spare = folder_of(home.path()).join("header.b");
    std::fs::remove_file(&spare).unwrap();
    std::fs::create_dir_all(spare.join("x")).unwrap();
    delete(home.path(), NAME, GOOD).unwrap();
    let left = std::fs::read_dir(profiles_folder(home.path())).unwrap();
    assert_eq!(left.count(), 0);
}

/// Every state that a crash in the middle of a change can leave: exactly one passphrase opens.
#[test]
fn a_crash_while_the_passphrase_changes_leaves_exactly_one_that_opens() {
    let home = home_with_profile();
    let folder = folder_of(home.path());
    let old = COPIES.map(|name| std::fs::read(folder.join(name)).unwrap());
    {
        let opened = open(home.path(), NAME, GOOD).unwrap();
        change_passphrase(&opened, GOOD, "new").unwrap();
    }
    let new = COPIES.map(|name| std::fs::read(folder.join(name)).unwrap());
    let half = |bytes: &[u8]| bytes[..bytes.len() / 2].to_vec();
    let cases = [
        ("before anything", &old[0], &old[1], None, GOOD),
        (
            "while the first is written",
            &old[0],
            &old[1],
            Some(("header.a.tmp", half(&new[0]))),
            GOOD,
        ),
        ("after the first rename", &new[0], &old[1], None, "new"),
        (
            "while the second is written",
            &new[0],
            &old[1],
            Some(("header.b.tmp", half(&new[1]))),
            "new",
        ),
        ("after both", &new[0], &new[1], None, "new"),
    ];
    for (name, a, b, temporary, opens) in cases {
        std::fs::write(folder.join("header.a"), a).unwrap();
        std::fs::write(folder.join("header.b"), b).unwrap();
        if let Some((file, bytes)) = temporary {
            std::fs::write(folder.join(file), bytes).unwrap();
        }
        let other = if opens == GOOD { "new" } else { GOOD };
        assert!(
            matches!(
                open(home.path(), NAME, other),
                Err(StoreError::WrongPassphrase)
            ),
            "{name}"
        );
        assert_eq!(
            kept(&open(home.path(), NAME, opens).unwrap()).as_deref(),
            Some("yes"),
            "{name}"
        );
        assert!(
            Pair::read(&folder).flaws().is_empty(),
            "{name}: the copies still differ"
        );
    }
}

fn home_with_recovery() -> (tempfile::TempDir, RecoveryCode) {
    let home = tempfile::tempdir().unwrap();
    let code = RecoveryCode::random().unwrap();
    create_with(home.path(), NAME, GOOD, Some(&code), [9; 32], 0, |tx| {
        settings::set(tx, "kept", "yes")
    })
    .unwrap();
    (home, code)
}

/// Whether this code would let someone in now. It is tried on a copy, since it would be void afterwards.
fn leads_in(home: &Path, code: &RecoveryCode) -> bool {
    match Pair::read(&folder_of(home)).newest().unwrap().recover(code) {
        Ok(_) => true,
        Err(StoreError::WrongRecovery) => false,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_recovery_code_lets_its_owner_back_in_once() {
    let (home, code) = home_with_recovery();
    assert!(matches!(
        recover(home.path(), NAME, &RecoveryCode::random().unwrap(), "new"),
        Err(StoreError::WrongRecovery)
    ));
    assert!(matches!(
        recover(home.path(), NAME, &code, ""),
        Err(StoreError::EmptyPassphrase)
    ));
    // None of that changed anything.
    drop(open(home.path(), NAME, GOOD).unwrap());

    let fresh = recover(home.path(), NAME, &code, "new").unwrap();
    assert_eq!(
        kept(&open(home.path(), NAME, "new").unwrap()).as_deref(),
        Some("yes")
    );
    assert!(matches!(
        open(home.path(), NAME, GOOD),
        Err(StoreError::WrongPassphrase)
    ));
    assert!(matches!(
        recover(home.path(), NAME, &code, "newer"),
        Err(StoreError::WrongRecovery)
    ));
    recover(home.path(), NAME, &fresh, "newer").unwrap();
    open(home.path(), NAME, "newer").unwrap();
}

#[test]
fn an_open_profile_is_not_recovered_under_its_owner() {
    let (home, code) = home_with_recovery();
    let _opened = open(home.path(), NAME, GOOD).unwrap();
    assert!(matches!(
        recover(home.path(), NAME, &code, "new"),
        Err(StoreError::InUse { .. })
    ));
}

#[test]
fn a_new_recovery_code_voids_the_one_before_and_a_new_passphrase_does_not() {
    let (home, first) = home_with_recovery();
    let opened = open(home.path(), NAME, GOOD).unwrap();
    assert!(matches!(
        new_recovery(&opened, "x"),
        Err(StoreError::WrongPassphrase)
    ));
    assert!(leads_in(home.path(), &first));
    let second = new_recovery(&opened, GOOD).unwrap();
    assert!(!leads_in(home.path(), &first) && leads_in(home.path(), &second));
    assert!(is_taken(
        &opened,
        &proof_key(home.path(), NAME, GOOD).unwrap()
    ));
    assert_eq!(change_passphrase(&opened, GOOD, "new").unwrap(), None);
    assert!(leads_in(home.path(), &second));
}

/// Profiles of before have none, and are still written so that an older Artel reads them.
#[test]
fn a_profile_without_a_recovery_code_gets_one_with_the_next_passphrase() {
    let home = home_with_profile();
    let format = |home: &Path| std::fs::read(folder_of(home).join(COPIES[0])).unwrap()[8];
    assert_eq!(format(home.path()), 1);
    let code = RecoveryCode::random().unwrap();
    assert!(matches!(
        recover(home.path(), NAME, &code, "new"),
        Err(StoreError::NoRecovery)
    ));
    let opened = open(home.path(), NAME, GOOD).unwrap();
    let made = change_passphrase(&opened, GOOD, "new").unwrap().unwrap();
    assert_eq!(format(home.path()), 2);
    drop(opened);
    recover(home.path(), NAME, &made, "newer").unwrap();
    open(home.path(), NAME, "newer").unwrap();
}

/// Every state that a crash in the middle can leave: one code leads in, and it is the one that goes with the passphrase
/// that opens.
#[test]
fn a_crash_while_recovering_leaves_exactly_one_code_and_passphrase() {
    let (home, old) = home_with_recovery();
    let folder = folder_of(home.path());
    let read = || COPIES.map(|name| std::fs::read(folder.join(name)).unwrap());
    let before = read();
    let new = recover(home.path(), NAME, &old, "new").unwrap();
    let after = read();
    let half = &after[1][..after[1].len() / 2];
    let cases: [(&[u8], &[u8], &str); 4] = [
        (&before[0], &before[1], GOOD),
        (&after[0], &before[1], "new"),
        (&after[0], half, "new"),
        (&after[0], &after[1], "new"),
    ];
    for (a, b, opens) in cases {
        std::fs::write(folder.join(COPIES[0]), a).unwrap();
        std::fs::write(folder.join(COPIES[1]), b).unwrap();
        let renewed = opens == "new";
        assert_eq!(leads_in(home.path(), &old), !renewed);
        assert_eq!(leads_in(home.path(), &new), renewed);
        drop(open(home.path(), NAME, opens).unwrap());
        assert!(Pair::read(&folder).flaws().is_empty());
        // The copy that was mended says the same.
        assert_eq!(leads_in(home.path(), &new), renewed);
    }
}
