//! Searches and documents as a whole: any catalogue, any order.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::path::Path;

use artel_catalog::{
    Field, Found, Preset, Product, Reason, Search,
    rich::lint,
    showcase::{self, LeftOut, Rolls, ShowcaseError},
};
use proptest::prelude::*;

fn shoe(index: usize) -> Product {
    Product::new()
        .with(Field::VendorCode, format!("SYN-{index:03}"))
        .with(Field::Name, format!("Синтетические ботинки «{index}»"))
        .with(Field::Sku, (1_000 + index).to_string())
        .with(Field::Barcode, "4600000000000")
        .with(
            Field::Picture,
            format!("https://example.invalid/{index}.jpg"),
        )
        .with(Field::Size, (36 + index % 10).to_string())
        .with(Field::Season, ["зима", "лето", ""][index % 3])
        .with(Field::Color, ["чёрный", "белый"][index % 2])
        .with(Field::Stock, (index % 8 + 1).to_string())
}

fn search(rules: &Preset, products: &[Product], order: &[usize]) -> Vec<Found> {
    let id = |index: usize| i64::try_from(index).unwrap();
    let mut search = Search::new(rules);
    for (index, product) in products.iter().enumerate() {
        search.product(id(index), product);
    }
    for &index in order {
        search.candidate(id(index), &products[index]);
    }
    search.finish().collect()
}

fn straight(products: &[Product]) -> Vec<usize> {
    (0..products.len()).collect()
}

/// The shop's schema, where it lies beside the workspace; else a test says that it is checked by our model alone.
#[expect(
    clippy::print_stdout,
    reason = "the runner counts what is skipped by this line"
)]
fn schema(test: &str) -> Option<jsonschema::Validator> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("../../../shared/ozon/rich-content.schema.json");
    let Ok(text) = std::fs::read_to_string(path) else {
        println!("SKIPPED {test}: the shop's schema is not beside the workspace");
        return None;
    };
    let mut schema: serde_json::Value = serde_json::from_str(&text).unwrap();
    // The second branch is that of version 0.3; alone it gives errors that say what is wrong.
    let branch = schema["anyOf"][1].take();
    schema["anyOf"] = serde_json::Value::Array(vec![branch]);
    Some(jsonschema::validator_for(&schema).unwrap())
}

#[track_caller]
fn valid(schema: Option<&jsonschema::Validator>, text: &str) {
    assert_eq!(lint(text), []);
    if let Some(schema) = schema {
        let value = serde_json::from_str(text).unwrap();
        let errors: Vec<_> = schema
            .iter_errors(&value)
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{text}: {errors:?}");
    }
}

#[test]
fn the_schema_knows_bad_from_good() {
    let Some(schema) = schema("the_schema_knows_bad_from_good") else {
        return;
    };
    let rolls = Rolls::default();
    let built = showcase::build(&[shoe(1), shoe(2)], &rolls).unwrap();
    let mut value = serde_json::to_value(&built.document).unwrap();
    assert!(schema.is_valid(&value));
    value["version"] = "0.3".into();
    assert!(!schema.is_valid(&value));
}

#[test]
fn a_document_in_full() {
    let rolls = Rolls::new(
        Some("https://example.invalid/шапка.jpg".to_owned()),
        Some("https://example.invalid/footer.jpg".to_owned()),
    )
    .unwrap();
    let built = showcase::build(&[shoe(1), shoe(2)], &rolls).unwrap();
    assert_eq!(built.left_out, []);
    insta::assert_json_snapshot!(built.document);
}

#[test]
fn nothing_is_made_up() {
    let products = [
        shoe(1).with(Field::Sku, "нет"),
        shoe(2).with(Field::Name, ""),
        shoe(3).with(Field::Picture, "фото.jpg"),
    ];
    let built = showcase::build(&products, &Rolls::default()).unwrap();
    let said: Vec<_> = built.left_out.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "no roll at the head: no picture was given for it",
            "no link on SYN-001: its SKU is not known",
            "no title on SYN-002: it has no name",
            "no tile for SYN-003: it has no picture",
            "no roll at the foot: no picture was given for it",
        ]
    );
    valid(
        schema("nothing_is_made_up").as_ref(),
        &serde_json::to_string(&built.document).unwrap(),
    );
    assert_eq!(
        showcase::build(&products[1..], &Rolls::default()),
        Err(ShowcaseError::TooFewTiles(1))
    );
    let bad = Rolls::new(Some("шапка.jpg".to_owned()), None);
    assert_eq!(bad, Err(ShowcaseError::BadAddress("шапка.jpg".to_owned())));
    assert!(built.left_out.contains(&LeftOut::HeaderRoll));
}

#[test]
fn what_is_excluded_is_counted() {
    let rules = Preset::built_in("standard").unwrap();
    let far = shoe(0)
        .with(Field::Size, "50")
        .with(Field::Season, "лето")
        .with(Field::Stock, "1");
    let products = [
        shoe(0),
        shoe(3).with(Field::Stock, "0"),
        shoe(4).with(Field::Barcode, ""),
        shoe(5).with(Field::Picture, ""),
        far.with(Field::VendorCode, "SYN-FAR")
            .with(Field::Color, "синий")
            .with(Field::Size, "20"),
    ];
    let found = search(&rules, &products, &straight(&products));
    let first = &found[0];
    assert_eq!(first.candidates, 4);
    let excluded = first.excluded;
    assert_eq!(
        (excluded.stock, excluded.barcode, excluded.picture),
        (1, 1, 1)
    );
    assert_eq!((excluded.threshold, first.picks.len()), (1, 0));
    assert_eq!(first.reason(&rules), Some(Reason::Unusable));
    // The one that is sold out does not count among what was left out for itself.
    assert_eq!(found[1].excluded.stock, 0);
    assert_eq!(
        search(&rules, &products[..1], &[0])[0].reason(&rules),
        Some(Reason::Alone)
    );
}

#[test]
fn absent_columns_exclude_nobody() {
    let rules = Preset::built_in("standard").unwrap();
    let bare = |code: &str| {
        Product::new()
            .with(Field::VendorCode, code)
            .with(Field::Picture, "https://example.invalid/1.jpg")
    };
    let products = [bare("Б"), bare("А"), bare("В")];
    let found = search(&rules, &products, &straight(&products));
    let codes: Vec<_> = found[2].picks.iter().map(|pick| pick.id).collect();
    // Equal scores go by vendor code.
    assert_eq!(codes, [1, 0]);
    assert_eq!(found[2].reason(&rules), None);
}

#[test]
fn a_cautious_preset_wants_three_and_takes_five() {
    let rules = Preset::built_in("conservative").unwrap();
    let products: Vec<_> = (0..12)
        .map(|_| shoe(5))
        .enumerate()
        .map(|(index, shoe)| shoe.with(Field::VendorCode, format!("{index:02}")))
        .collect();
    let found = search(&rules, &products, &straight(&products));
    assert_eq!(found[0].picks.len(), 5);
    let found = search(&rules, &products[..3], &[0, 1, 2]);
    assert_eq!(found[0].picks.len(), 2);
    assert_eq!(found[0].reason(&rules), Some(Reason::Unusable));
}

fn any_product() -> impl Strategy<Value = Product> {
    let field = || {
        prop_oneof![
            Just(None),
            Just(Some(String::new())),
            "(зима|лето|42|43|кожа|<b>«×•»</b>|http://a.invalid/я.jpg|https://a.invalid/1|77)"
                .prop_map(Some),
            any::<String>().prop_map(|text| Some(artel_catalog::normal::text(&text))),
        ]
    };
    proptest::collection::vec(field(), Field::ALL.len()).prop_map(|values| {
        let mut product = Product::new();
        for (field, value) in Field::ALL.iter().zip(values) {
            if let Some(value) = value {
                product.set(*field, value);
            }
        }
        product
    })
}

fn catalogue() -> impl Strategy<Value = (Vec<Product>, Vec<usize>)> {
    proptest::collection::vec(any_product(), 2..24).prop_flat_map(|mut products| {
        for (index, product) in products.iter_mut().enumerate() {
            product.set(Field::VendorCode, format!("код {index}"));
            if index % 3 > 0 {
                product.set(Field::Picture, "https://example.invalid/1.jpg");
            }
        }
        let order = straight(&products);
        (Just(products), Just(order).prop_shuffle())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_order_never_changes_a_result((products, order) in catalogue()) {
        let rules = Preset::built_in("standard").unwrap();
        prop_assert_eq!(search(&rules, &products, &straight(&products)), search(&rules, &products, &order));
    }

    #[test]
    fn every_document_is_valid((products, _) in catalogue()) {
        let rules = Preset::built_in("seasonal").unwrap();
        let schema = schema("every_document_is_valid");
        let rolls = Rolls { header: Some("https://example.invalid/h.jpg".into()), footer: None };
        for found in search(&rules, &products, &straight(&products)) {
            prop_assert!(found.picks.len() <= rules.max_recommendations);
            prop_assert!(found.picks.iter().all(|pick| pick.id != found.id));
            if found.reason(&rules).is_some() {
                continue;
            }
            let picked: Vec<_> = found.picks.iter().map(|pick| products[usize::try_from(pick.id).unwrap()].clone()).collect();
            let built = showcase::build(&picked, &rolls).unwrap();
            let text = serde_json::to_string(&built.document).unwrap();
            let faults: Vec<_> = lint(&text).into_iter().filter(|finding| finding.message != "the address is not https").collect();
            prop_assert_eq!(faults, []);
            if let Some(schema) = &schema {
                prop_assert!(schema.is_valid(&serde_json::from_str(&text).unwrap()), "{}", text);
            }
        }
    }
}
