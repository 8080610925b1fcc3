//! Reading products.

use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use super::{COLUMNS, GroupKey, Product, columns, read_values};
use crate::StoreError;

/// A product with its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Row id.
    pub id: i64,
    /// Its group.
    pub group: i64,
    /// The product.
    pub product: Product,
}

fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        id: row.get(0)?,
        group: row.get(1)?,
        product: Product {
            vendor_code: row.get(2)?,
            values: read_values(row, 3)?,
        },
    })
}

/// How many columns [`select`] names.
const SELECTED: usize = 4 + COLUMNS.len();

fn select() -> String {
    format!(
        "p.id, p.group_id, p.vendor_code, p.given, {}",
        columns("p.")
    )
}

/// The product of a vendor code.
pub fn member_by_code(
    connection: &Connection,
    vendor_code: &str,
) -> Result<Option<Stored>, StoreError> {
    let sql = format!(
        "SELECT {} FROM catalog_products AS p WHERE p.vendor_code = ?1",
        select()
    );
    Ok(connection
        .prepare_cached(&sql)?
        .query_row([vendor_code], stored)
        .optional()?)
}

/// The product of a row id.
pub fn member_by_id(connection: &Connection, id: i64) -> Result<Option<Stored>, StoreError> {
    let sql = format!(
        "SELECT {} FROM catalog_products AS p WHERE p.id = ?1",
        select()
    );
    Ok(connection
        .prepare_cached(&sql)?
        .query_row([id], stored)
        .optional()?)
}

/// Products of a group after one of them, by id.
pub fn members(
    connection: &Connection,
    group: i64,
    after: i64,
    limit: u32,
) -> Result<Vec<Stored>, StoreError> {
    let sql = format!(
        "SELECT {} FROM catalog_products AS p WHERE p.group_id = ?1 AND p.id > ?2 ORDER BY p.id LIMIT ?3",
        select()
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let members = statement
        .query_map(params![group, after, limit], stored)?
        .collect::<Result<_, _>>()?;
    Ok(members)
}

/// A group and its revision.
pub fn group(connection: &Connection, group: i64) -> Result<Option<(GroupKey, i64)>, StoreError> {
    Ok(connection
        .prepare_cached(
            "SELECT type_key, gender_key, brand_key, revision FROM catalog_groups WHERE id = ?1",
        )?
        .query_row([group], |row| {
            let key = GroupKey {
                kind: row.get(0)?,
                gender: row.get(1)?,
                brand: row.get(2)?,
            };
            Ok((key, row.get(3)?))
        })
        .optional()?)
}

/// Whether there is a group of this brand, as it is compared.
pub fn brand_groups(connection: &Connection, brand_key: &str) -> Result<u64, StoreError> {
    Ok(connection
        .prepare_cached("SELECT count(*) FROM catalog_groups WHERE brand_key = ?1")?
        .query_row([brand_key], |row| row.get(0))?)
}

/// A stretch of products in the order of group and id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Group and id of the first.
    pub first: (i64, i64),
    /// Group and id of the last.
    pub last: (i64, i64),
    /// How many there are.
    pub count: u64,
}

/// The next stretch of at most `limit` products after a place, of one brand or of all.
pub fn page_after(
    connection: &Connection,
    after: (i64, i64),
    brand_key: Option<&str>,
    limit: u32,
) -> Result<Option<Page>, StoreError> {
    let sql = match brand_key {
        None => {
            "SELECT group_id, id FROM catalog_products WHERE (group_id, id) > (:group, :id) AND :brand IS NULL
             ORDER BY group_id, id LIMIT :limit"
        }
        // The order of the join is fixed so that rows come in order from the two indexes.
        Some(_) => {
            "SELECT g.id, p.id FROM catalog_groups AS g CROSS JOIN catalog_products AS p ON p.group_id = g.id
             WHERE g.brand_key = :brand AND g.id >= :group AND (g.id > :group OR p.id > :id)
             ORDER BY g.id, p.id LIMIT :limit"
        }
    };
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(named_params! {
        ":group": after.0, ":id": after.1, ":brand": brand_key, ":limit": limit,
    })?;
    let mut page: Option<Page> = None;
    while let Some(row) = rows.next()? {
        let place = (row.get(0)?, row.get(1)?);
        page = Some(match page {
            None => Page {
                first: place,
                last: place,
                count: 1,
            },
            Some(page) => Page {
                last: place,
                count: page.count + 1,
                ..page
            },
        });
    }
    Ok(page)
}

/// A product of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The product.
    pub stored: Stored,
    /// Revision of its group.
    pub revision: i64,
    /// Whether its result is of this revision and these settings.
    pub current: bool,
}

/// The products of a page as they are now, in its order.
pub fn page_members(
    connection: &Connection,
    page: &Page,
    brand_key: Option<&str>,
    settings: &[u8; 32],
) -> Result<Vec<Member>, StoreError> {
    let sql = format!(
        "SELECT {}, g.revision,
                r.product IS NOT NULL AND r.group_id = g.id AND r.revision = g.revision AND r.settings = :settings
         FROM catalog_products AS p
         JOIN catalog_groups AS g ON g.id = p.group_id
         LEFT JOIN catalog_results AS r ON r.product = p.id
         WHERE (p.group_id, p.id) >= (:first_group, :first_id) AND (p.group_id, p.id) <= (:last_group, :last_id)
           AND (:brand IS NULL OR g.brand_key = :brand)
         ORDER BY p.group_id, p.id",
        select()
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let members = statement
        .query_map(
            named_params! {
                ":settings": settings.as_slice(), ":brand": brand_key,
                ":first_group": page.first.0, ":first_id": page.first.1,
                ":last_group": page.last.0, ":last_id": page.last.1,
            },
            |row| {
                Ok(Member {
                    stored: stored(row)?,
                    revision: row.get(SELECTED)?,
                    current: row.get(SELECTED + 1)?,
                })
            },
        )?
        .collect::<Result<_, _>>()?;
    Ok(members)
}

/// How many products there are.
pub fn count(connection: &Connection) -> Result<u64, StoreError> {
    Ok(
        connection.query_row("SELECT count(*) FROM catalog_products", [], |row| {
            row.get(0)
        })?,
    )
}

/// Bit n is set where some product's input had the n-th of the [`COLUMNS`].
pub fn given(connection: &Connection) -> Result<i64, StoreError> {
    let mut statement = connection.prepare_cached("SELECT DISTINCT given FROM catalog_products")?;
    let mut rows = statement.query([])?;
    let mut given = 0;
    while let Some(row) = rows.next()? {
        given |= row.get::<_, i64>(0)?;
    }
    Ok(given)
}

/// Products a brand, most first, in one of the spellings.
pub fn brands(connection: &Connection, limit: u32) -> Result<Vec<(String, u64)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT max(p.brand), count(*) AS products
         FROM catalog_groups AS g JOIN catalog_products AS p ON p.group_id = g.id
         GROUP BY g.brand_key ORDER BY products DESC, g.brand_key LIMIT ?1",
    )?;
    let brands = statement
        .query_map([limit], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    Ok(brands)
}

/// Which products to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Part of code or name, in small letters.
    pub search: Option<String>,
    /// Brand, as it is compared.
    pub brand_key: Option<String>,
}

/// A product in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The product.
    pub stored: Stored,
    /// How many recommendations its document has, where it has one.
    pub recommendations: Option<u32>,
    /// Code and words of the reason why it has none.
    pub reason: Option<(String, String)>,
}

const FILTERED: &str = "FROM catalog_products AS p JOIN catalog_groups AS g ON g.id = p.group_id
    LEFT JOIN catalog_results AS r ON r.product = p.id
    WHERE (:search IS NULL OR instr(p.search, :search) > 0) AND (:brand IS NULL OR g.brand_key = :brand)";

/// Products by vendor code, and how many there are in all.
pub fn list(
    connection: &Connection,
    filter: &Filter,
    offset: u64,
    limit: u32,
) -> Result<(Vec<Listed>, u64), StoreError> {
    let total = if *filter == Filter::default() {
        count(connection)?
    } else {
        connection
            .prepare_cached(&format!("SELECT count(*) {FILTERED}"))?
            .query_row(
                named_params! { ":search": filter.search, ":brand": filter.brand_key },
                |row| row.get(0),
            )?
    };
    let sql = format!(
        "SELECT {}, r.recommendations, r.reason, r.detail {FILTERED}
         ORDER BY p.vendor_code LIMIT :limit OFFSET :offset",
        select()
    );
    let offset = i64::try_from(offset).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(&sql)?;
    let listed = statement
        .query_map(
            named_params! {
                ":search": filter.search, ":brand": filter.brand_key, ":limit": limit, ":offset": offset,
            },
            |row| {
                let reason: Option<String> = row.get(SELECTED + 1)?;
                let detail: Option<String> = row.get(SELECTED + 2)?;
                let has_document = reason.as_deref() == Some("");
                Ok(Listed {
                    stored: stored(row)?,
                    recommendations: row.get::<_, Option<u32>>(SELECTED)?.filter(|_| has_document),
                    reason: reason.filter(|reason| !reason.is_empty()).zip(detail),
                })
            },
        )?
        .collect::<Result<_, _>>()?;
    Ok((listed, total))
}
