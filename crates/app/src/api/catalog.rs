//! Products, recommendations and Rich Content.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::jobs::JobInfo;
use crate::error::AppError;

/// Imports product files.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct CatalogImport {
    /// Absolute paths of CSV and XLSX files, and folders of them.
    pub paths: Vec<String>,
    /// Column mapping: (field, header name).
    #[serde(default)]
    pub map: Vec<(String, String)>,
}

/// Finds recommendations and builds documents, as a job.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
pub struct CatalogEnrich {
    /// Only this brand.
    pub brand: Option<String>,
    /// At most this many products.
    pub limit: Option<u64>,
    /// `standard`, `size`, `seasonal`, `material` or `conservative`: `standard` unless given.
    pub preset: Option<String>,
    /// `showcase` unless given.
    pub template: Option<String>,
    /// Also those that have a document for this input and these rules already.
    #[serde(default)]
    pub all: bool,
    /// Address of a picture for the roll at the head.
    pub header_image: Option<String>,
    /// Address of a picture for the roll at the foot.
    pub footer_image: Option<String>,
}

/// Counts.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
pub struct CatalogStats {}

/// A page of the product table.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
pub struct CatalogProducts {
    /// Part of a code or name.
    pub search: Option<String>,
    /// Only this brand.
    pub brand: Option<String>,
    /// Skip this many.
    #[serde(default)]
    pub offset: u64,
    /// At most this many: 100 unless given, 1,000 at most.
    pub limit: Option<u32>,
}

/// One product's document.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct CatalogDocument {
    /// Vendor code.
    pub vendor_code: String,
}

/// Writes the documents to a file: `vendor_code,sku,rich_content_json`.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct CatalogExport {
    /// A `.csv` or `.jsonl` file that is replaced whole or not at all.
    pub out: String,
    /// Only this brand.
    pub brand: Option<String>,
    /// At most this many.
    pub limit: Option<u64>,
    /// Also products without a document, with an empty one.
    #[serde(default)]
    pub all: bool,
}

/// Checks documents against the model and the lint.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
pub struct CatalogValidate {
    /// At most this many; all unless given.
    pub limit: Option<u64>,
}

/// Outcome of an import.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct CatalogImported {
    /// A report a file, in order.
    pub files: Vec<CatalogFile>,
}

/// What became of one file.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct CatalogFile {
    /// The file.
    pub path: String,
    /// Products read.
    pub products: u64,
    /// Products that were new.
    pub added: u64,
    /// Products that changed.
    pub changed: u64,
    /// `csv` with the name of its encoding, or `xlsx` with the name of the sheet.
    pub format: Option<String>,
    /// Columns that were recognised: (field, header).
    pub columns: Vec<(String, String)>,
    /// Filters and terms that are off because their column is absent, such as `stock`.
    pub switched_off: Vec<String>,
    /// Rows left out, each with line and reason; at most 100 are listed.
    pub skipped: Vec<super::market::RowProblem>,
    /// How many rows were left out.
    pub skipped_total: u64,
    /// Why the file was refused, if it was.
    pub error: Option<AppError>,
}

/// An enrichment was queued.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct EnrichStarted {
    /// The job.
    pub job: JobInfo,
    /// Filters and terms that are off because their column is absent.
    pub switched_off: Vec<String>,
}

/// Counts over all products.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct CatalogStatistics {
    /// Products.
    pub products: u64,
    /// Products with a document.
    pub documents: u64,
    /// Products without one, by code of the reason: `too_few`, `unusable`, `alone`, `unknown`,
    /// `not_enriched`.
    pub without: Vec<(String, u64)>,
    /// Products whose result is older than the last change among the products like them.
    pub outdated: u64,
    /// Products a brand, most first, at most 100.
    pub brands: Vec<(String, u64)>,
    /// Mean number of recommendations of a document.
    pub mean_recommendations: f64,
    /// Filters and terms that are off because their column is absent.
    pub switched_off: Vec<String>,
}

/// A page of products.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct ProductPage {
    /// The products.
    pub products: Vec<ProductRow>,
    /// How many match.
    pub total: u64,
}

/// A row of the product table.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct ProductRow {
    /// Vendor code.
    pub vendor_code: String,
    /// Name.
    pub name: String,
    /// Brand.
    pub brand: String,
    /// SKU, if known.
    pub sku: Option<String>,
    /// Recommendations in its document, if it has one.
    pub recommendations: Option<u32>,
    /// Code of the reason why it has no document, if enrichment ran and it has none.
    pub reason: Option<String>,
    /// The reason in words.
    pub detail: Option<String>,
}

/// One product, its recommendations and its document.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct ProductDocument {
    /// Fields with a value: (name, value).
    pub fields: Vec<(String, String)>,
    /// Recommendations, best first.
    pub recommendations: Vec<RecommendationInfo>,
    /// The Rich Content document, if there is one.
    pub document: Option<String>,
    /// Code of the reason why there is none.
    pub reason: Option<String>,
    /// The reason in words.
    pub detail: Option<String>,
    /// What the document goes without, such as a link to a product whose SKU is not known.
    pub left_out: Vec<String>,
    /// Whether the products like it have changed since.
    pub outdated: bool,
}

/// One recommended product.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct RecommendationInfo {
    /// Vendor code.
    pub vendor_code: String,
    /// Name.
    pub name: String,
    /// Points.
    pub score: f64,
    /// Terms that gave points: (term, points).
    pub terms: Vec<(String, f64)>,
}

/// Outcome of an export.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct CatalogExported {
    /// Where.
    pub path: String,
    /// Rows written.
    pub rows: u64,
}

/// Outcome of a check.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct CatalogValidated {
    /// Documents looked at.
    pub checked: u64,
    /// Documents without fault.
    pub valid: u64,
    /// Faults: (vendor code, what is wrong); at most 100 are listed.
    pub faults: Vec<(String, String)>,
    /// Warnings: (vendor code, what is odd); at most 100 are listed.
    pub warnings: Vec<(String, String)>,
}
