//! Taking products in.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params, params_from_iter, types::Value};

use super::{COLUMNS, GroupKey, Product, columns, given_bits, read_values};
use crate::StoreError;

/// A product with the line it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedLine {
    /// Line of the file, from 1.
    pub line: u64,
    /// The product; columns that the file does not have are `None`.
    pub product: Product,
}

/// What follows from a product's values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Derived {
    /// Its group.
    pub group: GroupKey,
    /// Text for searching, in small letters.
    pub search: String,
}

/// What became of the products of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upserted {
    /// Those that were new.
    pub added: u64,
    /// Those with other values than before.
    pub changed: u64,
    /// Those that were as before.
    pub unchanged: u64,
    /// Lines left out, since an earlier line of the same import has the vendor code: (line, that
    /// line).
    pub repeated: Vec<(u64, u64)>,
}

/// Notes that a file is being imported, and returns the number of the import.
pub fn begin_import(connection: &Connection, path: &str, now_ms: i64) -> Result<i64, StoreError> {
    connection
        .prepare_cached("INSERT INTO catalog_imports (path, started_at_ms) VALUES (?1, ?2)")?
        .execute(params![path, now_ms])?;
    Ok(connection.last_insert_rowid())
}

/// Adds products, or changes those that are there: a value that the batch does not give stays.
/// `derive` is asked for what follows from the merged values.
pub fn upsert(
    connection: &Connection,
    import: i64,
    lines: &[ImportedLine],
    derive: impl Fn(&Product) -> Derived,
) -> Result<Upserted, StoreError> {
    let mut done = Upserted::default();
    let mut touched = BTreeSet::new();
    for line in lines {
        match find(connection, &line.product.vendor_code)? {
            None => {
                let row = Row::new(connection, &line.product, &derive)?;
                write(
                    connection,
                    &insert_sql(),
                    import,
                    line.line,
                    &line.product,
                    row.group,
                    &row.search,
                )?;
                touched.insert(row.group);
                done.added += 1;
            }
            Some(found) if found.import == import => done.repeated.push((line.line, found.line)),
            Some(found) => {
                let mut merged = found.product.clone();
                for (value, new) in merged.values.iter_mut().zip(&line.product.values) {
                    if new.is_some() {
                        value.clone_from(new);
                    }
                }
                let row = Row::new(connection, &merged, &derive)?;
                write(
                    connection,
                    &update_sql(),
                    import,
                    line.line,
                    &merged,
                    row.group,
                    &row.search,
                )?;
                if merged == found.product && row.group == found.group {
                    done.unchanged += 1;
                } else {
                    touched.extend([found.group, row.group]);
                    done.changed += 1;
                }
            }
        }
    }
    let mut raise = connection
        .prepare_cached("UPDATE catalog_groups SET revision = revision + 1 WHERE id = ?1")?;
    for group in touched {
        raise.execute([group])?;
    }
    Ok(done)
}

/// Products with their numbers, from the one after `after` on, in the order in which they were first imported: for taking
/// over what was gathered in a [scratch store](crate::Store::scratch).
pub fn imported_after(
    connection: &Connection,
    after: i64,
    limit: usize,
) -> Result<Vec<(i64, ImportedLine)>, StoreError> {
    let sql = format!(
        "SELECT id, vendor_code, line, given, {} FROM catalog_products WHERE id > ?1 ORDER BY id LIMIT ?2",
        columns("")
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(&sql)?;
    let found = statement.query_map([after, limit], |row| {
        let product = Product {
            vendor_code: row.get(1)?,
            values: read_values(row, 3)?,
        };
        let line = row.get(2)?;
        Ok((row.get(0)?, ImportedLine { line, product }))
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

struct Found {
    product: Product,
    group: i64,
    import: i64,
    line: u64,
}

fn find(connection: &Connection, vendor_code: &str) -> Result<Option<Found>, StoreError> {
    let sql = format!(
        "SELECT group_id, import_id, line, given, {} FROM catalog_products WHERE vendor_code = ?1",
        columns("")
    );
    let found = connection
        .prepare_cached(&sql)?
        .query_row([vendor_code], |row| {
            Ok(Found {
                group: row.get(0)?,
                import: row.get(1)?,
                line: row.get(2)?,
                product: Product {
                    vendor_code: vendor_code.to_owned(),
                    values: read_values(row, 3)?,
                },
            })
        })
        .optional()?;
    Ok(found)
}

struct Row {
    group: i64,
    search: String,
}

impl Row {
    fn new(
        connection: &Connection,
        product: &Product,
        derive: impl Fn(&Product) -> Derived,
    ) -> Result<Self, StoreError> {
        let derived = derive(product);
        let key = &derived.group;
        let known = connection
            .prepare_cached("SELECT id FROM catalog_groups WHERE brand_key = ?1 AND type_key = ?2 AND gender_key = ?3")?
            .query_row(params![key.brand, key.kind, key.gender], |row| row.get(0))
            .optional()?;
        let group = if let Some(group) = known {
            group
        } else {
            connection
                .prepare_cached(
                    "INSERT INTO catalog_groups (brand_key, type_key, gender_key) VALUES (?1, ?2, ?3)",
                )?
                .execute(params![key.brand, key.kind, key.gender])?;
            connection.last_insert_rowid()
        };
        Ok(Self {
            group,
            search: derived.search,
        })
    }
}

/// Parameters before those of the columns: vendor code, group, import, line, given, search.
const FIXED: usize = 6;

fn numbered() -> impl Iterator<Item = (usize, &'static str)> {
    COLUMNS
        .iter()
        .enumerate()
        .map(|(place, column)| (place + 1 + FIXED, *column))
}

fn insert_sql() -> String {
    let places: Vec<_> = numbered().map(|(place, _)| format!("?{place}")).collect();
    format!(
        "INSERT INTO catalog_products (vendor_code, group_id, import_id, line, given, search, {})
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, {})",
        columns(""),
        places.join(", ")
    )
}

fn update_sql() -> String {
    let sets: Vec<_> = numbered()
        .map(|(place, column)| format!("{column} = ?{place}"))
        .collect();
    format!(
        "UPDATE catalog_products SET group_id = ?2, import_id = ?3, line = ?4, given = ?5, search = ?6, {}
         WHERE vendor_code = ?1",
        sets.join(", ")
    )
}

fn write(
    connection: &Connection,
    sql: &str,
    import: i64,
    line: u64,
    product: &Product,
    group: i64,
    search: &str,
) -> Result<(), StoreError> {
    let line = i64::try_from(line).unwrap_or(i64::MAX);
    let fixed: [Value; FIXED] = [
        product.vendor_code.clone().into(),
        group.into(),
        import.into(),
        line.into(),
        given_bits(&product.values).into(),
        search.to_owned().into(),
    ];
    let values = product
        .values
        .iter()
        .map(|value| Value::from(value.clone().unwrap_or_default()));
    connection
        .prepare_cached(sql)?
        .execute(params_from_iter(fixed.into_iter().chain(values)))?;
    Ok(())
}
