//! What is known of a product.

use std::{collections::BTreeMap, fmt, str::FromStr};

use crate::normal;

macro_rules! fields {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A field of a product.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Field {
            $($(#[$doc])* $variant,)*
        }

        impl Field {
            /// Place in [`Field::ALL`].
            pub const fn index(self) -> usize {
                self as usize
            }

            /// All fields; the vendor code is the first.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Name in mappings, reports and the database.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

fields! {
    /// The seller's own code, which identifies the product.
    VendorCode = "vendor_code",
    /// Name as shown to buyers.
    Name = "name",
    /// Number of the product page in the shop.
    Sku = "sku",
    /// Barcode or serial number.
    Barcode = "barcode",
    /// Address of the main photo.
    Picture = "picture",
    /// Brand.
    Brand = "brand",
    /// Type, such as boots.
    Type = "type",
    /// Gender.
    Gender = "gender",
    /// Size: a number or letters.
    Size = "size",
    /// Season.
    Season = "season",
    /// Colour.
    Color = "color",
    /// Material.
    Material = "material",
    /// Material of the upper, which stands in where the material is not given.
    UpperMaterial = "upper_material",
    /// Kind of fastener.
    Fastener = "fastener",
    /// Shoe last of the first kind.
    LastMega = "last_mega",
    /// Shoe last of the second kind.
    LastBest = "last_best",
    /// Shoe last of the third kind.
    LastNew = "last_new",
    /// Name of the model.
    Model = "model",
    /// How many are in stock.
    Stock = "stock",
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no field of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{name}\" is no field; there are {}", known())]
pub struct UnknownField {
    /// What was asked for.
    pub name: String,
}

fn known() -> String {
    let names: Vec<_> = Field::ALL.iter().map(|field| field.name()).collect();
    names.join(", ")
}

impl FromStr for Field {
    type Err = UnknownField;

    fn from_str(name: &str) -> Result<Self, UnknownField> {
        let wanted = name.trim();
        Self::ALL
            .iter()
            .copied()
            .find(|field| field.name().eq_ignore_ascii_case(wanted))
            .ok_or_else(|| UnknownField {
                name: name.to_owned(),
            })
    }
}

/// Something whose fields can be read.
pub trait Attributes {
    /// Value of a field. `None` where the product's input has no such column; an empty text where
    /// the column is there and the cell is empty. The difference decides whether a filter or a
    /// term applies.
    fn get(&self, field: Field) -> Option<&str>;

    /// The value, or an empty text.
    fn text(&self, field: Field) -> &str {
        self.get(field).unwrap_or_default()
    }
}

/// A product in memory: the fields that its input has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Product {
    values: BTreeMap<Field, String>,
}

impl Product {
    /// A product of which nothing is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a field.
    pub fn set(&mut self, field: Field, value: impl Into<String>) {
        self.values.insert(field, value.into());
    }

    /// Sets a field, for building in one expression.
    pub fn with(mut self, field: Field, value: impl Into<String>) -> Self {
        self.set(field, value);
        self
    }

    /// The vendor code.
    pub fn vendor_code(&self) -> &str {
        self.text(Field::VendorCode)
    }

    /// The fields with their values, in the order of [`Field::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Field, &str)> {
        self.values
            .iter()
            .map(|(field, value)| (*field, value.as_str()))
    }
}

impl Attributes for Product {
    fn get(&self, field: Field) -> Option<&str> {
        self.values.get(&field).map(String::as_str)
    }
}

/// Candidates for a product are those with an equal key: same type, gender and brand.
///
/// A part is empty where the product's input has no such column: then that filter is off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupKey {
    /// Type, in small letters.
    pub kind: String,
    /// Gender, in small letters.
    pub gender: String,
    /// Brand, in small letters.
    pub brand: String,
}

/// What stands in a key for an empty cell. No text that was read has it, since control characters
/// are dropped; so products of unknown type never share a group with those that have no such column.
const UNKNOWN: &str = "\u{1}";

impl GroupKey {
    /// The key of a product.
    pub fn of(product: &impl Attributes) -> Self {
        let part = |field| match product.get(field) {
            None => String::new(),
            Some(value) => match normal::key(value) {
                key if key.is_empty() => UNKNOWN.to_owned(),
                key => key,
            },
        };
        Self {
            kind: part(Field::Type),
            gender: part(Field::Gender),
            brand: part(Field::Brand),
        }
    }

    /// The first part whose cell is empty: such a product is like no other.
    pub fn unknown(&self) -> Option<Field> {
        [
            (Field::Type, &self.kind),
            (Field::Gender, &self.gender),
            (Field::Brand, &self.brand),
        ]
        .into_iter()
        .find_map(|(field, part)| (part == UNKNOWN).then_some(field))
    }
}

/// Number of a product page. Only digits: anything else would make a link that leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sku(String);

impl Sku {
    /// Longest number taken for one.
    const MAX_DIGITS: usize = 19;

    /// Reads a number, or `None` where the text is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.trim();
        let good = (1..=Self::MAX_DIGITS).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && digits.bytes().any(|byte| byte != b'0');
        good.then(|| Self(digits.to_owned()))
    }

    /// Address of the product page.
    pub fn link(&self) -> String {
        format!("https://www.ozon.ru/product/{}/", self.0)
    }
}

impl fmt::Display for Sku {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Longest address taken for one.
const MAX_ADDRESS: usize = 2_048;

/// The first address in a cell, where it can be one of a picture: `http` or `https`, a host, no
/// spaces, quotes or angle brackets.
pub fn picture_address(cell: &str) -> Option<&str> {
    let address = cell.split_whitespace().next()?;
    let rest = ["https://", "http://"].into_iter().find_map(|scheme| {
        let head = address.get(..scheme.len())?;
        head.eq_ignore_ascii_case(scheme)
            .then(|| address.get(scheme.len()..))?
    })?;
    let host = rest.split(['/', '?', '#']).next()?;
    let good = !host.is_empty()
        && !host.starts_with(['.', ':'])
        && address.len() <= MAX_ADDRESS
        && !address.contains(['"', '\'', '<', '>', '\\', '`'])
        && !address.contains(char::is_control);
    good.then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_pictures() {
        let check = |cell, expected| assert_eq!(picture_address(cell), expected, "{cell:?}");
        check(
            "https://example.invalid/1.jpg",
            Some("https://example.invalid/1.jpg"),
        );
        check(
            "  HTTP://пример.invalid/а.jpg second",
            Some("HTTP://пример.invalid/а.jpg"),
        );
        check("", None);
        check("photo.jpg", None);
        check("https://", None);
        check("https:///1.jpg", None);
        check("javascript:alert(1)", None);
        check("https://a.invalid/<b>.jpg", None);
        check("я", None);
        check(
            &format!("https://a.invalid/{}", "x".repeat(MAX_ADDRESS)),
            None,
        );
    }

    #[test]
    fn only_digits_make_a_link() {
        let check = |text, expected: Option<&str>| {
            assert_eq!(
                Sku::parse(text).map(|sku| sku.link()).as_deref(),
                expected,
                "{text:?}"
            );
        };
        check(" 123456 ", Some("https://www.ozon.ru/product/123456/"));
        check("", None);
        check("0", None);
        check("12-3", None);
        check("١٢٣", None);
        check("12345678901234567890", None);
    }

    #[test]
    fn a_missing_column_and_an_empty_cell_are_different_groups() {
        let none = Product::new().with(Field::Brand, "Synthetic");
        let empty = none.clone().with(Field::Gender, " ");
        assert_eq!(GroupKey::of(&none).unknown(), None);
        assert_eq!(GroupKey::of(&empty).unknown(), Some(Field::Gender));
        assert_ne!(GroupKey::of(&none), GroupKey::of(&empty));
        let upper = none.clone().with(Field::Brand, "SYNTHETIC");
        assert_eq!(GroupKey::of(&none), GroupKey::of(&upper));
    }

    #[test]
    fn field_names_parse_back() {
        for field in Field::ALL {
            assert_eq!(field.name().parse::<Field>().unwrap(), *field);
        }
        let error = "цена".parse::<Field>().unwrap_err().to_string();
        assert!(
            error.contains("\"цена\" is no field") && error.contains("vendor_code"),
            "{error}"
        );
    }
}
