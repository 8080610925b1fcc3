//! What was made for products.

use rusqlite::{Connection, OptionalExtension, named_params, params};

use crate::StoreError;

/// A result to be kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewResult {
    /// The product.
    pub product: i64,
    /// Group that it was made from.
    pub group: i64,
    /// Revision of the group that it was made from.
    pub revision: i64,
    /// The document; empty where there is none.
    pub document: String,
    /// Code of the reason why there is none; empty where there is a document.
    pub reason: String,
    /// The reason in words.
    pub detail: String,
    /// What the document goes without.
    pub left_out: Vec<String>,
    /// Recommendations, best first.
    pub recommendations: Vec<NewRecommendation>,
}

/// A recommendation to be kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewRecommendation {
    /// The recommended product.
    pub product: i64,
    /// Score in hundredths of a point.
    pub score: i64,
    /// Terms and what they gave, in hundredths of a point.
    pub terms: Vec<(String, i64)>,
}

/// Keeps results in place of earlier ones. Products that are gone meanwhile are passed over.
pub fn save(
    connection: &Connection,
    settings: &[u8; 32],
    results: &[NewResult],
) -> Result<(), StoreError> {
    let mut exists = connection.prepare_cached("SELECT 1 FROM catalog_products WHERE id = ?1")?;
    let mut put = connection.prepare_cached(
        "INSERT INTO catalog_results
             (product, group_id, revision, settings, recommendations, document, reason, detail, left_out)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (product) DO UPDATE SET group_id = excluded.group_id, revision = excluded.revision,
             settings = excluded.settings, recommendations = excluded.recommendations,
             document = excluded.document, reason = excluded.reason, detail = excluded.detail,
             left_out = excluded.left_out",
    )?;
    let mut clear =
        connection.prepare_cached("DELETE FROM catalog_recommendations WHERE product = ?1")?;
    let mut recommend = connection.prepare_cached(
        "INSERT INTO catalog_recommendations (product, position, recommended, score, terms)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for result in results {
        if !exists.exists([result.product])? {
            continue;
        }
        put.execute(params![
            result.product,
            result.group,
            result.revision,
            settings.as_slice(),
            result.recommendations.len(),
            result.document,
            result.reason,
            result.detail,
            result.left_out.join("\n"),
        ])?;
        clear.execute([result.product])?;
        for (position, one) in result.recommendations.iter().enumerate() {
            let terms: Vec<_> = one
                .terms
                .iter()
                .map(|(name, points)| format!("{name} {points}"))
                .collect();
            recommend.execute(params![
                result.product,
                position,
                one.product,
                one.score,
                terms.join("\n")
            ])?;
        }
    }
    Ok(())
}

/// What was made for a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeResult {
    /// The document; empty where there is none.
    pub document: String,
    /// Code of the reason why there is none; empty where there is a document.
    pub reason: String,
    /// The reason in words.
    pub detail: String,
    /// What the document goes without.
    pub left_out: Vec<String>,
    /// Whether the group has changed since.
    pub outdated: bool,
}

/// The result of a product, if there is one.
pub fn result(connection: &Connection, product: i64) -> Result<Option<MadeResult>, StoreError> {
    Ok(connection
        .prepare_cached(
            "SELECT r.document, r.reason, r.detail, r.left_out, r.group_id <> g.id OR r.revision <> g.revision
             FROM catalog_results AS r
             JOIN catalog_products AS p ON p.id = r.product
             JOIN catalog_groups AS g ON g.id = p.group_id
             WHERE r.product = ?1",
        )?
        .query_row([product], |row| {
            let left_out: String = row.get(3)?;
            Ok(MadeResult {
                document: row.get(0)?,
                reason: row.get(1)?,
                detail: row.get(2)?,
                left_out: left_out.lines().map(str::to_owned).collect(),
                outdated: row.get(4)?,
            })
        })
        .optional()?)
}

/// A recommendation that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recommendation {
    /// Vendor code of the recommended product.
    pub vendor_code: String,
    /// Its name.
    pub name: String,
    /// Score in hundredths of a point.
    pub score: i64,
    /// Terms and what they gave, in hundredths of a point.
    pub terms: Vec<(String, i64)>,
}

/// The recommendations of a product, best first.
pub fn recommendations(
    connection: &Connection,
    product: i64,
) -> Result<Vec<Recommendation>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT p.vendor_code, p.name, r.score, r.terms
         FROM catalog_recommendations AS r JOIN catalog_products AS p ON p.id = r.recommended
         WHERE r.product = ?1 ORDER BY r.position",
    )?;
    let recommendations = statement
        .query_map([product], |row| {
            let terms: String = row.get(3)?;
            let term = |line: &str| {
                let (name, points) = line.split_once(' ')?;
                Some((name.to_owned(), points.parse().ok()?))
            };
            Ok(Recommendation {
                vendor_code: row.get(0)?,
                name: row.get(1)?,
                score: row.get(2)?,
                terms: terms.lines().filter_map(term).collect(),
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(recommendations)
}

/// Counts over all results.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    /// Products with a document.
    pub documents: u64,
    /// Recommendations in all documents.
    pub recommendations: u64,
    /// Results whose group has changed since.
    pub outdated: u64,
}

/// Counts all results.
pub fn counts(connection: &Connection) -> Result<Counts, StoreError> {
    let (documents, recommendations) = connection
        .prepare_cached(
            "SELECT count(*), coalesce(sum(recommendations), 0) FROM catalog_results WHERE reason = ''",
        )?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let outdated = connection
        .prepare_cached(
            "SELECT count(*) FROM catalog_results AS r
             JOIN catalog_products AS p ON p.id = r.product
             JOIN catalog_groups AS g ON g.id = p.group_id
             WHERE r.group_id <> g.id OR r.revision <> g.revision",
        )?
        .query_row([], |row| row.get(0))?;
    Ok(Counts {
        documents,
        recommendations,
        outdated,
    })
}

/// Products without a document, by code of the reason, most first.
pub fn reasons(connection: &Connection) -> Result<Vec<(String, u64)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT reason, count(*) AS products FROM catalog_results WHERE reason <> ''
         GROUP BY reason ORDER BY products DESC, reason",
    )?;
    let reasons = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    Ok(reasons)
}

/// A product with its document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Vendor code.
    pub vendor_code: String,
    /// Number in the shop, as it was given.
    pub sku: String,
    /// The document; empty where there is none.
    pub document: String,
}

/// The next products by vendor code after one, with their documents; with `all` also those without.
pub fn documents_after(
    connection: &Connection,
    after: Option<&str>,
    brand_key: Option<&str>,
    all: bool,
    limit: u32,
) -> Result<Vec<Document>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT p.vendor_code, p.sku, coalesce(r.document, '') AS document
         FROM catalog_products AS p
         JOIN catalog_groups AS g ON g.id = p.group_id
         LEFT JOIN catalog_results AS r ON r.product = p.id
         WHERE (:after IS NULL OR p.vendor_code > :after) AND (:brand IS NULL OR g.brand_key = :brand)
           AND (:all OR coalesce(r.document, '') <> '')
         ORDER BY p.vendor_code LIMIT :limit",
    )?;
    let documents = statement
        .query_map(
            named_params! { ":after": after, ":brand": brand_key, ":all": all, ":limit": limit },
            |row| {
                Ok(Document {
                    vendor_code: row.get(0)?,
                    sku: row.get(1)?,
                    document: row.get(2)?,
                })
            },
        )?
        .collect::<Result<_, _>>()?;
    Ok(documents)
}
