use super::*;
use crate::{
    connection::{Access, DATABASE, open},
    key::DatabaseKey,
};

#[test]
fn schema_document_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema.sql");
    let schema = schema_sql().unwrap();
    if std::env::var_os("ARTEL_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &schema).unwrap();
    }
    let document = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        document.replace("\r\n", "\n") == schema,
        "docs/schema.sql differs from the migrations; run this test with ARTEL_BLESS=1"
    );
}

#[test]
fn numbers_rise_one_by_one_and_every_file_is_listed() {
    let listed: Vec<_> = MIGRATIONS.iter().map(|step| step.number).collect();
    let expected: Vec<_> = (1..=SCHEMA_VERSION).collect();
    assert_eq!(listed, expected);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), MIGRATIONS.len());
}

#[test]
fn every_table_is_strict() {
    let mut connection = Connection::open_in_memory().unwrap();
    apply(&mut connection, 0).unwrap();
    let mut loose = connection
        .prepare("SELECT name FROM pragma_table_list WHERE type = 'table' AND NOT strict AND name NOT LIKE 'sqlite%'")
        .unwrap();
    let loose: Vec<String> = loose
        .query_map([], |row| row.get(0))
        .unwrap()
        .flatten()
        .collect();
    assert!(loose.is_empty(), "not STRICT: {loose:?}");
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(DATABASE);
    let key = DatabaseKey::random().unwrap();
    let mut connection = open(&path, &key, Access::Write).unwrap();
    run(&mut connection, &path).unwrap();
    connection
        .pragma_update(None, "user_version", SCHEMA_VERSION + 7)
        .unwrap();
    assert!(matches!(
        run(&mut connection, &path),
        Err(StoreError::NewerSchema { found, known }) if found == SCHEMA_VERSION + 7 && known == SCHEMA_VERSION
    ));
    let version: u32 = connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap();
    assert_eq!(version, SCHEMA_VERSION + 7);
}

#[test]
fn data_is_copied_before_a_migration() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(DATABASE);
    let key = DatabaseKey::random().unwrap();
    let connection = open(&path, &key, Access::Write).unwrap();
    connection
        .execute_batch("CREATE TABLE kept (a TEXT) STRICT; INSERT INTO kept VALUES ('before')")
        .unwrap();
    let older = folder.path().join("data.db.before-0001");
    std::fs::write(&older, "a copy from an earlier time").unwrap();

    let copy = copy_before(&connection, &path, 1).unwrap();
    connection
        .execute_batch("UPDATE kept SET a = 'after'")
        .unwrap();
    remove_older_copies(&path, &copy).unwrap();

    assert!(!older.exists());
    let copied = open(&copy, &key, Access::Write).unwrap();
    let value: String = copied
        .query_row("SELECT a FROM kept", [], |row| row.get(0))
        .unwrap();
    assert_eq!(value, "before");
}

/// A profile as version 5 left it keeps who it is.
#[test]
fn an_identity_survives_the_new_causes_of_incarnations() {
    let mut connection = Connection::open_in_memory().unwrap();
    connection
        .pragma_update(None, "foreign_keys", true)
        .unwrap();
    for migration in MIGRATIONS.iter().filter(|step| step.number <= 5) {
        connection.execute_batch(migration.sql).unwrap();
    }
    connection
        .execute_batch(
            "INSERT INTO incarnations VALUES (zeroblob(16), zeroblob(32), 1, 'created');
             INSERT INTO identity VALUES (1, zeroblob(32), zeroblob(32), zeroblob(16), x'01');",
        )
        .unwrap();
    apply(&mut connection, 5).unwrap();
    let kept = crate::identity::get(&connection).unwrap().unwrap();
    assert_eq!(
        (kept.incarnation, kept.machine_marker.as_slice()),
        ([0; 16], &[1][..])
    );
    assert!(
        connection.execute("DELETE FROM incarnations", []).is_err(),
        "identity still refers to its incarnation"
    );
}
