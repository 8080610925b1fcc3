//! Finding the fields of a table by its headers.
//!
//! Headers of the shop's category workbook and plain English, Russian and Ukrainian ones are known;
//! a mapping names others. Letter case, the star of a required column, `ё`, underscores and
//! hyphens make no difference.

use std::collections::BTreeMap;

use crate::{
    normal,
    product::{Field, Product, UnknownField},
};

/// Headers of each field, the surest first, in the form of [`plain`].
const KNOWN: &[(Field, &[&str])] = &[
    (
        Field::VendorCode,
        &[
            "артикул",
            "артикул продавца",
            "артикул товара",
            "код товара",
            "vendor code",
            "offer id",
            "seller sku",
            "article",
            "код товару",
        ],
    ),
    (
        Field::Name,
        &[
            "название товара",
            "наименование товара",
            "название",
            "наименование",
            "product name",
            "name",
            "title",
            "назва товару",
            "назва",
        ],
    ),
    (
        Field::Sku,
        &[
            "sku",
            "ozon sku",
            "ozon id",
            "ozon sku id",
            "fbo ozon sku id",
            "fbs ozon sku id",
        ],
    ),
    (
        Field::Barcode,
        &[
            "штрихкод (серийный номер / ean)",
            "штрихкод",
            "штрих код",
            "barcode",
            "ean",
        ],
    ),
    (
        Field::Picture,
        &[
            "ссылка на главное фото",
            "главное фото",
            "ссылка на фото",
            "фото",
            "main photo",
            "main image",
            "picture",
            "image",
            "photo",
            "image url",
            "picture url",
            "посилання на головне фото",
        ],
    ),
    (
        Field::Brand,
        &["бренд в одежде и обуви", "бренд", "brand", "торговая марка"],
    ),
    (
        Field::Type,
        &["тип", "тип товара", "type", "product type", "тип товару"],
    ),
    (Field::Gender, &["пол", "gender", "sex", "стать"]),
    (
        Field::Size,
        &[
            "российский размер",
            "размер",
            "russian size",
            "size",
            "розмір",
        ],
    ),
    (Field::Season, &["сезон", "season"]),
    (
        Field::Color,
        &[
            "цвет товара",
            "цвет",
            "color",
            "colour",
            "product color",
            "колір",
            "колір товару",
        ],
    ),
    (Field::Material, &["материал", "material", "матеріал"]),
    (
        Field::UpperMaterial,
        &["материал верха", "upper material", "матеріал верху"],
    ),
    (
        Field::Fastener,
        &[
            "вид застежки",
            "застежка",
            "fastener",
            "fastener type",
            "closure",
            "вид застібки",
            "застібка",
        ],
    ),
    (Field::LastMega, &["колодка mega", "mega last", "last mega"]),
    (Field::LastBest, &["колодка best", "best last", "last best"]),
    (Field::LastNew, &["колодка new", "new last", "last new"]),
    (
        Field::Model,
        &[
            "название модели (для объединения в одну карточку)",
            "название модели",
            "модель",
            "model name",
            "model",
            "назва моделі",
        ],
    ),
    (
        Field::Stock,
        &[
            "остаток",
            "остатки",
            "остаток на складе",
            "количество",
            "кол во",
            "в наличии",
            "stock",
            "quantity",
            "in stock",
            "залишок",
            "кількість",
        ],
    ),
];

/// Longest value of a cell, in characters: what bounds the memory of a page of products.
pub const MAX_VALUE: usize = 2_048;

/// Longest vendor code, in characters.
pub const MAX_VENDOR_CODE: usize = 255;

/// Most columns of a table.
pub const MAX_COLUMNS: usize = 16_384;

/// Why a table's headers cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// No column holds the vendor code.
    #[error("no column holds the vendor code; the headers are {}", listed(headers))]
    NoVendorCode {
        /// The first headers there are.
        headers: Vec<String>,
    },
    /// The mapping names a field that does not exist.
    #[error("the mapping is wrong: {0}")]
    UnknownField(#[from] UnknownField),
    /// The mapping names a header that is not there.
    #[error(
        "the mapping is wrong: there is no column \"{header}\"; the headers are {}",
        listed(headers)
    )]
    NoSuchHeader {
        /// What was asked for.
        header: String,
        /// The first headers there are.
        headers: Vec<String>,
    },
    /// The mapping names a field twice.
    #[error("the mapping is wrong: it names {0} twice")]
    MappedTwice(Field),
    /// There are more columns than any spreadsheet has.
    #[error("it has {0} columns; at most {MAX_COLUMNS} are read")]
    TooManyColumns(usize),
}

/// How many headers an error lists.
const LISTED: usize = 12;

fn listed(headers: &[String]) -> String {
    let quoted: Vec<_> = headers
        .iter()
        .map(|header| format!("\"{header}\""))
        .collect();
    if quoted.is_empty() {
        "all empty".to_owned()
    } else {
        quoted.join(", ")
    }
}

fn some(headers: &[String]) -> Vec<String> {
    headers
        .iter()
        .map(|header| normal::text(header).chars().take(60).collect::<String>())
        .filter(|header| !header.is_empty())
        .take(LISTED)
        .collect()
}

/// Why a row is left out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// It has no vendor code.
    #[error("the vendor code is empty")]
    NoVendorCode,
    /// A value is longer than anything sensible.
    #[error("{field} has {length} characters; at most {most} are taken")]
    TooLong {
        /// The field.
        field: Field,
        /// Its length.
        length: usize,
        /// Most there may be.
        most: usize,
    },
    /// The stock is not a number.
    #[error("stock \"{0}\" is not a whole number")]
    BadStock(String),
    /// The stock has a point or a comma before three digits.
    #[error("stock \"{0}\" may be thousands or a fraction; write it without the point or comma")]
    UnclearStock(String),
}

/// Which column holds which field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    places: BTreeMap<Field, (usize, String)>,
}

impl Columns {
    /// Finds the columns. `mapping` is of (field, header) and goes before what is known.
    pub fn find(headers: &[String], mapping: &[(String, String)]) -> Result<Self, HeaderError> {
        if headers.len() > MAX_COLUMNS {
            return Err(HeaderError::TooManyColumns(headers.len()));
        }
        let plain: Vec<String> = headers.iter().map(|header| self::plain(header)).collect();
        let mut places = BTreeMap::new();
        for (field, header) in mapping {
            let field: Field = field.parse()?;
            let wanted = self::plain(header);
            let place = plain
                .iter()
                .position(|header| !wanted.is_empty() && *header == wanted);
            let place = place.ok_or_else(|| HeaderError::NoSuchHeader {
                header: header.clone(),
                headers: some(headers),
            })?;
            if places.insert(field, place).is_some() {
                return Err(HeaderError::MappedTwice(field));
            }
        }
        for (field, known) in KNOWN {
            let place = known
                .iter()
                .find_map(|known| plain.iter().position(|header| header == known));
            if let Some(place) = place
                && !places.values().any(|taken| *taken == place)
            {
                places.entry(*field).or_insert(place);
            }
        }
        if !places.contains_key(&Field::VendorCode) {
            return Err(HeaderError::NoVendorCode {
                headers: some(headers),
            });
        }
        let named = |(field, place): (Field, usize)| {
            let header = headers.get(place).map(|header| normal::text(header));
            (field, (place, header.unwrap_or_default()))
        };
        Ok(Self {
            places: places.into_iter().map(named).collect(),
        })
    }

    /// The fields that were found, with their headers.
    pub fn found(&self) -> impl Iterator<Item = (Field, &str)> {
        self.places
            .iter()
            .map(|(field, (_, header))| (*field, header.as_str()))
    }

    /// Whether there is a column for the field.
    pub fn has(&self, field: Field) -> bool {
        self.places.contains_key(&field)
    }

    /// Makes a product of a row; cells that are missing at its end are empty.
    pub fn product(&self, cells: &[String]) -> Result<Product, RowError> {
        let mut product = Product::new();
        for (field, (place, _)) in &self.places {
            let raw = cells.get(*place).map_or("", String::as_str);
            product.set(*field, value(*field, raw)?);
        }
        if product.vendor_code().is_empty() {
            return Err(RowError::NoVendorCode);
        }
        Ok(product)
    }
}

fn value(field: Field, raw: &str) -> Result<String, RowError> {
    let mut value = normal::text(raw);
    if field == Field::VendorCode {
        // The shop's own exports put an apostrophe before codes so that spreadsheets keep them.
        if let Some(code) = value.strip_prefix('\'') {
            value = code.to_owned();
        }
    }
    let most = if field == Field::VendorCode {
        MAX_VENDOR_CODE
    } else {
        MAX_VALUE
    };
    let length = value.chars().count();
    if length > most {
        return Err(RowError::TooLong {
            field,
            length,
            most,
        });
    }
    if field == Field::Stock && !value.is_empty() {
        if let Some(pieces) = normal::pieces(&value) {
            return Ok(pieces.to_string());
        }
        let shown = value.chars().take(40).collect();
        let end = value.rsplit_once(['.', ',']);
        return Err(if end.is_some_and(|(_, end)| end.len() == 3) {
            RowError::UnclearStock(shown)
        } else {
            RowError::BadStock(shown)
        });
    }
    Ok(value)
}

/// A header without what makes no difference.
fn plain(header: &str) -> String {
    let spaced = header.replace(['_', '-', '*'], " ");
    normal::key(&spaced)
}

/// A filter or a term that needs a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switch {
    /// `filter` or `term`.
    pub what: &'static str,
    /// Name: of the filter, or of the term in the rules.
    pub name: &'static str,
    needs: &'static [Field],
}

/// Everything that a missing column switches off.
const SWITCHES: &[Switch] = &[
    Switch {
        what: "filter",
        name: "type",
        needs: &[Field::Type],
    },
    Switch {
        what: "filter",
        name: "gender",
        needs: &[Field::Gender],
    },
    Switch {
        what: "filter",
        name: "brand",
        needs: &[Field::Brand],
    },
    Switch {
        what: "filter",
        name: "stock",
        needs: &[Field::Stock],
    },
    Switch {
        what: "filter",
        name: "barcode",
        needs: &[Field::Barcode],
    },
    Switch {
        what: "term",
        name: "size",
        needs: &[Field::Size],
    },
    Switch {
        what: "term",
        name: "season",
        needs: &[Field::Season],
    },
    Switch {
        what: "term",
        name: "color",
        needs: &[Field::Color],
    },
    Switch {
        what: "term",
        name: "material",
        needs: &[Field::Material, Field::UpperMaterial],
    },
    Switch {
        what: "term",
        name: "fastener",
        needs: &[Field::Fastener],
    },
    Switch {
        what: "term",
        name: "last",
        needs: &[Field::LastMega, Field::LastBest, Field::LastNew],
    },
    Switch {
        what: "term",
        name: "model",
        needs: &[Field::Model],
    },
    Switch {
        what: "term",
        name: "stock",
        needs: &[Field::Stock],
    },
];

/// What is switched off where only these fields have a column.
pub fn switched_off(has: impl Fn(Field) -> bool) -> impl Iterator<Item = Switch> {
    SWITCHES
        .iter()
        .copied()
        .filter(move |switch| !switch.needs.iter().any(|field| has(*field)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::product::Attributes;

    fn headers(line: &str) -> Vec<String> {
        line.split('|').map(str::to_owned).collect()
    }

    #[track_caller]
    fn check(line: &str, mapping: &[(&str, &str)], expected: &str) {
        let mapping: Vec<_> = mapping
            .iter()
            .map(|(f, h)| ((*f).to_owned(), (*h).to_owned()))
            .collect();
        let found = match Columns::find(&headers(line), &mapping) {
            Ok(columns) => {
                let found: Vec<_> = columns.found().map(|(f, h)| format!("{f}={h}")).collect();
                found.join(", ")
            }
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn headers_of_the_workbook() {
        check(
            "№|Артикул*|Название товара|SKU|Штрихкод (Серийный номер / EAN)|Ссылка на главное фото*|Бренд в одежде и обуви*|Цвет товара*|Российский размер*|Тип*|Пол*|Сезон|Материал|Материал верха|Вид застёжки|Название модели (для объединения в одну карточку)*|Rich-контент JSON",
            &[],
            "vendor_code=Артикул*, name=Название товара, sku=SKU, barcode=Штрихкод (Серийный номер / EAN), picture=Ссылка на главное фото*, brand=Бренд в одежде и обуви*, type=Тип*, gender=Пол*, size=Российский размер*, season=Сезон, color=Цвет товара*, material=Материал, upper_material=Материал верха, fastener=Вид застёжки, model=Название модели (для объединения в одну карточку)*",
        );
    }

    #[test]
    fn plain_headers_and_mappings() {
        check(
            "Vendor_Code|TITLE|Colour|In-Stock",
            &[],
            "vendor_code=Vendor_Code, name=TITLE, color=Colour, stock=In-Stock",
        );
        check(
            "\u{feff}артикул|ЗАСТЁЖКА",
            &[],
            "vendor_code=артикул, fastener=ЗАСТЁЖКА",
        );
        // A surer header wins over one that comes first.
        check(
            "артикул|цвет|цвет товара",
            &[],
            "vendor_code=артикул, color=цвет товара",
        );
        check(
            "Код|Имя",
            &[("vendor_code", "код"), ("Name", "Имя")],
            "vendor_code=Код, name=Имя",
        );
        // A column that is mapped to one field serves no other.
        check(
            "article|size",
            &[("model", "size")],
            "vendor_code=article, model=size",
        );
        check(
            "Код|Имя",
            &[],
            "no column holds the vendor code; the headers are \"Код\", \"Имя\"",
        );
        check(
            "|",
            &[],
            "no column holds the vendor code; the headers are all empty",
        );
        check(
            "article",
            &[("name", "Имя")],
            "the mapping is wrong: there is no column \"Имя\"; the headers are \"article\"",
        );
        check(
            "article|a|b",
            &[("name", "a"), ("name", "b")],
            "the mapping is wrong: it names name twice",
        );
        let error = Columns::find(&headers("article"), &[("цена".into(), "article".into())]);
        assert!(matches!(error, Err(HeaderError::UnknownField(_))));
        let many = vec![String::new(); MAX_COLUMNS + 1];
        assert_eq!(
            Columns::find(&many, &[]),
            Err(HeaderError::TooManyColumns(MAX_COLUMNS + 1))
        );
    }

    #[test]
    fn no_header_is_known_twice_and_each_is_plain() {
        let mut seen = std::collections::BTreeSet::new();
        for (_, known) in KNOWN {
            for header in *known {
                assert_eq!(plain(header), *header);
                assert!(seen.insert(header), "{header}");
            }
        }
        let fields: Vec<_> = KNOWN.iter().map(|(field, _)| *field).collect();
        assert_eq!(fields, Field::ALL);
    }

    #[test]
    fn rows() {
        let columns = Columns::find(&headers("Артикул|Название|Остаток"), &[]).unwrap();
        let row = |line: &str| columns.product(&headers(line));
        let product = row("'А-1| Кеды  белые |1 000").unwrap();
        assert_eq!(product.vendor_code(), "А-1");
        assert_eq!(product.text(Field::Name), "Кеды белые");
        assert_eq!(product.text(Field::Stock), "1000");
        assert_eq!(product.get(Field::Brand), None);
        assert_eq!(row("А-1").unwrap().get(Field::Stock), Some(""));
        assert_eq!(row(" |Кеды|1"), Err(RowError::NoVendorCode));
        assert_eq!(row("А|Кеды|много"), Err(RowError::BadStock("много".into())));
        assert_eq!(
            row("А|Кеды|1.234"),
            Err(RowError::UnclearStock("1.234".into()))
        );
        let long = row(&format!("{}|Кеды|", "я".repeat(MAX_VENDOR_CODE + 1))).unwrap_err();
        assert_eq!(
            long.to_string(),
            "vendor_code has 256 characters; at most 255 are taken"
        );
    }

    #[test]
    fn missing_columns_switch_off() {
        let off = |line: &str| -> Vec<_> {
            let columns = Columns::find(&headers(line), &[]).unwrap();
            switched_off(|field| columns.has(field))
                .map(|s| format!("{} {}", s.what, s.name))
                .collect()
        };
        assert_eq!(
            off("Артикул|Тип|Пол|Бренд|Размер|Сезон|Цвет|Материал верха|Застёжка|Модель|last new"),
            ["filter stock", "filter barcode", "term stock"]
        );
        assert_eq!(off("Артикул").len(), SWITCHES.len());
    }
}
