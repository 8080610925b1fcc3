//! Products, the groups in which they are alike, and what was made for them.
//!
//! What a product means is not known here: its values lie in [`COLUMNS`], and the caller says to
//! which group it belongs. A group has a revision that rises with every change in it, so that a
//! result that was made from the group can be told to be current.

mod import;
mod products;
mod results;

pub use import::{Derived, ImportedLine, Upserted, begin_import, imported_after, upsert};
pub use products::{
    Filter, Listed, Member, Page, Stored, brand_groups, brands, count, given, group, list,
    member_by_code, member_by_id, members, page_after, page_members,
};
pub use results::{
    Counts, Document, MadeResult, NewRecommendation, NewResult, Recommendation, counts,
    documents_after, reasons, recommendations, result, save,
};

/// Columns of a product beside its vendor code, in the order of [`Product::values`].
pub const COLUMNS: [&str; 18] = [
    "name",
    "sku",
    "barcode",
    "picture",
    "brand",
    "type",
    "gender",
    "size",
    "season",
    "color",
    "material",
    "upper_material",
    "fastener",
    "last_mega",
    "last_best",
    "last_new",
    "model",
    "stock",
];

/// A product as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Product {
    /// Vendor code, unique.
    pub vendor_code: String,
    /// Values by [`COLUMNS`]; `None` where no input of the product had the column.
    pub values: [Option<String>; COLUMNS.len()],
}

/// What makes products a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupKey {
    /// Type, as it is compared.
    pub kind: String,
    /// Gender, as it is compared.
    pub gender: String,
    /// Brand, as it is compared.
    pub brand: String,
}

/// The columns for a statement, each after `prefix`.
fn columns(prefix: &str) -> String {
    COLUMNS.map(|column| format!("{prefix}{column}")).join(", ")
}

/// Bits of the columns that have a value.
fn given_bits(values: &[Option<String>]) -> i64 {
    let bits = values
        .iter()
        .enumerate()
        .filter(|(_, value)| value.is_some());
    bits.fold(0, |given, (bit, _)| given | 1 << bit)
}

/// Reads the values of a row, whose bits stand at `first` and the columns after it.
fn read_values(
    row: &rusqlite::Row<'_>,
    first: usize,
) -> rusqlite::Result<[Option<String>; COLUMNS.len()]> {
    let given: i64 = row.get(first)?;
    let mut values = <[Option<String>; COLUMNS.len()]>::default();
    for (bit, value) in values.iter_mut().enumerate() {
        if given & 1 << bit != 0 {
            *value = Some(row.get(first + 1 + bit)?);
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests;
