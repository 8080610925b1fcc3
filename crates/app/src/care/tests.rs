use super::health::{self, Grade};
use crate::{
    api::{
        Handle,
        care::{CareBackup, CareBackups, CareHealth, CareRestore, CareVerify},
        machine::{SettingsList, SettingsSet},
        profile::{
            ProfileDelete, ProfileList, ProfileLock, ProfileNew, ProfilePasswd, ProfileRecover,
            ProfileRecovery, ProfileShow,
        },
        rooms::{DeviceList, RoomRead, RoomSend, SpaceList, SpaceNew},
    },
    error::Code,
    host::Host,
};

const DAY: i64 = 24 * 60 * 60 * 1000;

async fn host_with_profile() -> (tempfile::TempDir, Host) {
    let home = tempfile::tempdir().unwrap();
    let host = Host::new(home.path().join("дім"));
    host.handle(ProfileNew {
        name: "Лена".to_owned(),
        passphrase: "x".to_owned(),
    })
    .await
    .unwrap();
    (home, host)
}

fn restore(backup: &str, name: Option<&str>, dry_run: bool) -> CareRestore {
    CareRestore {
        backup: backup.to_owned(),
        passphrase: "x".to_owned(),
        name: name.map(str::to_owned),
        dry_run,
        keep_device: false,
    }
}

#[tokio::test]
async fn a_backup_restores_the_same_person_on_a_new_device() {
    let (_home, host) = host_with_profile().await;
    let session = host.open("Лена", "x").await.unwrap();
    session
        .handle(SettingsSet {
            key: "backup.remind_days".to_owned(),
            value: "30".to_owned(),
        })
        .await
        .unwrap();
    let before = session.handle(ProfileShow {}).await.unwrap();
    let made = session.handle(CareBackup {}).await.unwrap();
    assert_eq!(
        session.handle(CareBackups {}).await.unwrap()[0].backup,
        made.backup
    );
    for backup in [None, Some(made.backup.clone()), Some(made.path.clone())] {
        let verified = session.handle(CareVerify { backup }).await.unwrap();
        assert!(verified.good, "{:?}", verified.problem);
    }
    session.close().await;
    drop(session);

    let taken = host
        .handle(restore(&made.backup, None, true))
        .await
        .err()
        .unwrap();
    assert_eq!(taken.code, Code::Exists);
    let planned = host
        .handle(restore(&made.backup, Some("Лена 2"), true))
        .await
        .unwrap();
    assert!(planned.device.is_none());
    assert_eq!(
        host.handle(ProfileList {}).await.unwrap().len(),
        1,
        "a dry run made a profile"
    );

    let restored = host
        .handle(restore(&made.backup, Some("Лена 2"), false))
        .await
        .unwrap();
    let session = host.open("Лена 2", "x").await.unwrap();
    let after = session.handle(ProfileShow {}).await.unwrap();
    assert_eq!(after.member, before.member);
    assert_eq!(Some(&after.device), restored.device.as_ref());
    assert_ne!(after.device, before.device);
    assert_ne!(after.incarnation, before.incarnation);
    assert_eq!(
        session.handle(SettingsList {}).await.unwrap()[0].value,
        "30"
    );
    session.close().await;
}

fn say(text: &str) -> RoomSend {
    RoomSend {
        room: "General".to_owned(),
        text: text.to_owned(),
        attach: Vec::new(),
        reply_to: None,
        wait_s: None,
    }
}

async fn texts(session: &crate::session::Session) -> Vec<String> {
    let read = RoomRead {
        room: "General".to_owned(),
        limit: None,
        before: None,
    };
    let page = session.handle(read).await.unwrap();
    page.messages.into_iter().map(|one| one.text).collect()
}

/// Nobody else is in the space, so nobody else could vouch for the new device or have deleted anything.
#[tokio::test]
async fn a_lone_owner_goes_on_after_a_restore() {
    let (_home, host) = host_with_profile().await;
    let session = host.open("Лена", "x").await.unwrap();
    let name = "Кабінет 12".to_owned();
    session.handle(SpaceNew { name }).await.unwrap();
    session.handle(say("before")).await.unwrap();
    let made = session.handle(CareBackup {}).await.unwrap();
    session.close().await;
    drop(session);
    let delete = ProfileDelete {
        name: "Лена".to_owned(),
        passphrase: "x".to_owned(),
    };
    host.handle(delete).await.unwrap();

    // What a dry run says is what is done then.
    let planned = host
        .handle(restore(&made.backup, None, true))
        .await
        .unwrap();
    assert!(planned.retires);
    let restored = host
        .handle(restore(&made.backup, None, false))
        .await
        .unwrap();
    assert!(restored.retires);
    let session = host.open("Лена", "x").await.unwrap();
    assert!(!session.handle(SpaceList {}).await.unwrap()[0].held);
    session.handle(say("after")).await.unwrap();
    assert_eq!(texts(&session).await, ["before", "after"]);
    // The other may live on elsewhere and have met others: it ends only once one of them was met.
    assert_eq!(session.handle(DeviceList {}).await.unwrap().len(), 2);
    session.close().await;
}

#[tokio::test]
async fn a_copy_beside_the_living_profile_and_one_that_is_to_keep_it_end_no_device() {
    let (_home, host) = host_with_profile().await;
    let session = host.open("Лена", "x").await.unwrap();
    let made = session.handle(CareBackup {}).await.unwrap();
    session.close().await;
    drop(session);
    let elsewhere = tempfile::tempdir().unwrap();
    let other = Host::new(elsewhere.path());
    for dry_run in [true, false] {
        let beside = restore(&made.backup, Some("Лена 2"), dry_run);
        assert!(!host.handle(beside).await.unwrap().retires);
        let keeping = CareRestore {
            keep_device: true,
            ..restore(&made.path, Some("Лена 3"), dry_run)
        };
        assert!(!other.handle(keeping).await.unwrap().retires);
    }
}

#[tokio::test]
async fn health_is_well_and_finds_a_damaged_header() {
    let (_home, host) = host_with_profile().await;
    let session = host.open("Лена", "x").await.unwrap();
    let health = session.handle(CareHealth {}).await.unwrap();
    let grade = |health: &crate::api::care::Health, name: &str| {
        let check = health.checks.iter().find(|check| check.name == name);
        check
            .unwrap_or_else(|| panic!("{name} was not looked at"))
            .grade
            .clone()
    };
    for name in [
        "database",
        "header",
        "log",
        "backup",
        "clock",
        "disk_speed",
        "disk_space",
    ] {
        let grade = grade(&health, name);
        // How much is free is the machine's matter, not the profile's.
        if name != "disk_space" {
            assert_eq!(grade, "well", "{name}");
        }
    }
    for check in &health.checks {
        let values: &[&str] = match check.name.as_str() {
            "log" => &["size"],
            "disk_space" if check.code != "disk_space_unknown" => &["free", "path"],
            "disk_speed" => &["ms"],
            _ => &[],
        };
        assert!(check.params.keys().eq(values), "{check:?}");
        for value in check.params.values() {
            assert!(check.message.contains(value), "{check:?}");
        }
    }
    let path = session.core().opened().path.join("header.b");
    std::fs::write(path, b"damaged").unwrap();
    let health = session.handle(CareHealth {}).await.unwrap();
    assert_eq!(grade(&health, "header"), "warning");
    assert_ne!(health.verdict, "well");
    session.close().await;
}

#[tokio::test]
async fn locking_lets_go_of_the_profile_and_passwd_changes_what_opens_it() {
    let (_home, host) = host_with_profile().await;
    let session = host.open("Лена", "x").await.unwrap();
    session
        .handle(ProfilePasswd {
            old: "x".to_owned(),
            new: "y".to_owned(),
        })
        .await
        .unwrap();
    let mut events = session.events();
    session.handle(ProfileLock {}).await.unwrap();
    loop {
        if matches!(events.recv().await.unwrap(), crate::api::Event::Locked) {
            break;
        }
    }
    drop(session);
    // The task that closed it lets go a moment later.
    let mut last = None;
    for _ in 0..100 {
        match host.open("Лена", "x").await {
            Err(error) if error.code == Code::InUse => {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            other => {
                last = other.err();
                break;
            }
        }
    }
    assert_eq!(last.unwrap().code, Code::WrongPassphrase);
    host.open("Лена", "y").await.unwrap();
}

/// A forgotten passphrase: the code that was shown once leads back in, is void afterwards, and slips in it are named.
#[tokio::test]
async fn the_recovery_code_sets_a_new_passphrase() {
    let home = tempfile::tempdir().unwrap();
    let host = Host::new(home.path());
    let made = host
        .handle(ProfileNew {
            name: "Лена".to_owned(),
            passphrase: "x".to_owned(),
        })
        .await
        .unwrap();
    let recover = |code: &str| {
        host.handle(ProfileRecover {
            name: "Лена".to_owned(),
            code: code.to_owned(),
            passphrase: "y".to_owned(),
        })
    };
    let end = if made.recovery.ends_with('A') {
        "B"
    } else {
        "A"
    };
    let slip = format!("{}{end}", &made.recovery[..34]);
    for (code, names) in [(slip.as_str(), "group 6"), ("ABC", "has 3")] {
        let error = recover(code).await.err().unwrap();
        assert_eq!(error.code, Code::RecoveryWrong);
        assert!(error.message.contains(names), "{}", error.message);
    }
    let typed = made.recovery.to_lowercase().replace('-', " ");
    let fresh = recover(&typed).await.unwrap();
    let error = recover(&made.recovery).await.err().unwrap();
    assert_eq!(error.code, Code::RecoveryWrong);
    let session = host.open("Лена", "y").await.unwrap();
    let passphrase = "y".to_owned();
    let newer = session
        .handle(ProfileRecovery { passphrase })
        .await
        .unwrap();
    session.close().await;
    drop(session);
    let error = recover(&fresh.recovery).await.err().unwrap();
    assert_eq!(error.code, Code::RecoveryWrong);
    recover(&newer.recovery).await.unwrap();
}

#[test]
fn free_space_is_graded_beside_the_database() {
    const MIB: u64 = 1 << 20;
    let cases = [
        (None, 0, Grade::Well),
        (Some(0), 0, Grade::Critical),
        (Some(199 * MIB), 0, Grade::Critical),
        (Some(200 * MIB), 0, Grade::Warning),
        (Some(1023 * MIB), 0, Grade::Warning),
        (Some(1024 * MIB), 0, Grade::Well),
        (Some(1024 * MIB), 513 * MIB, Grade::Warning),
        (Some(1026 * MIB), 513 * MIB, Grade::Well),
    ];
    for (free, database, grade) in cases {
        let found = health::disk_space(std::path::Path::new("x"), free, database);
        assert_eq!(found.grade, grade, "{free:?} beside {database}");
    }
}

#[test]
fn a_finding_is_told_with_its_code_and_its_values() {
    let folder = std::path::Path::new("дім");
    let cases = [
        (
            health::disk_space(folder, Some(300 << 20), 0),
            ("disk_space_low", "300 MiB free on the disk of дім", 2),
        ),
        (
            health::disk_space(folder, None, 0),
            (
                "disk_space_unknown",
                "the system does not say how much is free",
                0,
            ),
        ),
        (
            health::backup(Some(DAY), 0, 4 * DAY, None),
            ("backup_days_old", "the last one is 3 days old", 1),
        ),
        (
            health::backup(Some(DAY), 0, 2 * DAY, None),
            ("backup_day_old", "the last one is a day old", 0),
        ),
    ];
    for (finding, expected) in cases {
        let told = finding.told();
        let found = (told.code.as_str(), told.message.as_str(), told.params.len());
        assert_eq!(found, expected);
    }
}

#[test]
fn backups_are_asked_for_in_time() {
    let grade = |newest, created, days| health::backup(newest, created, 100 * DAY, days).grade;
    assert_eq!(grade(None, 99 * DAY, Some(7)), Grade::Well, "a new profile");
    assert_eq!(
        grade(None, 90 * DAY, Some(7)),
        Grade::Warning,
        "never a backup"
    );
    assert_eq!(grade(Some(95 * DAY), 0, Some(7)), Grade::Well);
    assert_eq!(grade(Some(92 * DAY), 0, Some(7)), Grade::Warning);
    assert_eq!(grade(Some(92 * DAY), 0, Some(30)), Grade::Well);
    assert_eq!(grade(None, 0, None), Grade::Well, "reminders are off");
    assert_eq!(
        grade(Some(101 * DAY), 0, Some(7)),
        Grade::Well,
        "a clock that went back"
    );
}

#[test]
fn a_clock_that_is_behind_is_noticed() {
    let now = 1_800_000_000_000;
    assert_eq!(health::clock(now, now).grade, Grade::Well);
    assert_eq!(health::clock(now, now + DAY / 2).grade, Grade::Well);
    assert_eq!(health::clock(now, now + 2 * DAY).grade, Grade::Warning);
    assert_eq!(health::clock(0, 0).grade, Grade::Warning);
}
