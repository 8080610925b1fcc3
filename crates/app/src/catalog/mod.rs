//! Products: import, enrichment, export, and the handlers of their commands.

mod enrich;
mod export;
mod handlers;
mod import;
mod table;

use artel_catalog::{Attributes, Field, GroupKey, normal};
use artel_store::catalog as rows;

pub(crate) use enrich::CatalogWork;

/// A stored product as the rules see it.
struct View<'a>(&'a rows::Product);

impl Attributes for View<'_> {
    fn get(&self, field: Field) -> Option<&str> {
        // The vendor code is the first field and no column.
        match field.index().checked_sub(1) {
            None => Some(&self.0.vendor_code),
            Some(column) => self.0.values.get(column)?.as_deref(),
        }
    }
}

/// Group and search text of a product.
fn derive(product: &rows::Product) -> rows::Derived {
    let view = View(product);
    let key = GroupKey::of(&view);
    rows::Derived {
        group: rows::GroupKey {
            kind: key.kind,
            gender: key.gender,
            brand: key.brand,
        },
        search: normal::key(&format!(
            "{} {}",
            product.vendor_code,
            view.text(Field::Name)
        )),
    }
}

/// Names of what is switched off where only these fields are there, each once.
fn switched_off(has: impl Fn(Field) -> bool) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for switch in artel_catalog::columns::switched_off(has) {
        if !names.iter().any(|name| name == switch.name) {
            names.push(switch.name.to_owned());
        }
    }
    names
}

/// The same for everything that is stored, from the bits of the columns.
fn switched_off_in(given: i64) -> Vec<String> {
    switched_off(|field| match field.index().checked_sub(1) {
        None => true,
        Some(column) => given & 1 << column != 0,
    })
}

#[cfg(test)]
mod tests;
