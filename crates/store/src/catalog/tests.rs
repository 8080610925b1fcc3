use super::*;
use crate::Store;

fn value(column: &str, product: &Product) -> String {
    let place = COLUMNS.iter().position(|known| *known == column).unwrap();
    product.values[place]
        .clone()
        .unwrap_or_default()
        .to_lowercase()
}

fn derived(product: &Product) -> Derived {
    Derived {
        group: GroupKey {
            kind: value("type", product),
            gender: value("gender", product),
            brand: value("brand", product),
        },
        search: format!(
            "{} {}",
            product.vendor_code.to_lowercase(),
            value("name", product)
        ),
    }
}

fn product(vendor_code: &str, values: &[(&str, &str)]) -> Product {
    let mut product = Product {
        vendor_code: vendor_code.to_owned(),
        ..Product::default()
    };
    for (column, value) in values {
        let place = COLUMNS.iter().position(|known| known == column).unwrap();
        product.values[place] = Some((*value).to_owned());
    }
    product
}

fn import(store: &Store, products: Vec<Product>) -> Upserted {
    store
        .write(move |tx| {
            let import = begin_import(tx, "товары.csv", 1)?;
            let lines: Vec<_> = (2..)
                .zip(products)
                .map(|(line, product)| ImportedLine { line, product })
                .collect();
            upsert(tx, import, &lines, derived)
        })
        .unwrap()
}

fn revision(store: &Store, vendor_code: &'static str) -> i64 {
    store
        .read(|connection| {
            let member = member_by_code(connection, vendor_code)?.unwrap();
            Ok(group(connection, member.group)?.unwrap().1)
        })
        .unwrap()
}

#[test]
fn an_import_merges_by_vendor_code() {
    let store = Store::open_for_tests();
    let boots = [
        ("type", "Ботинки"),
        ("brand", "Synthetic"),
        ("name", "Ботинки"),
    ];
    let first = import(
        &store,
        vec![
            product("А-1", &boots),
            product("А-2", &boots),
            product("А-1", &boots),
        ],
    );
    assert_eq!((first.added, first.changed, first.unchanged), (2, 0, 0));
    assert_eq!(first.repeated, [(4, 2)]);
    let before = revision(&store, "А-1");
    // A list of stocks keeps all else.
    let second = import(
        &store,
        vec![product("А-1", &[("stock", "5")]), product("А-2", &boots)],
    );
    assert_eq!((second.added, second.changed, second.unchanged), (0, 1, 1));
    let stored = store
        .read(|c| Ok(member_by_code(c, "А-1")?.unwrap()))
        .unwrap();
    assert_eq!(value("name", &stored.product), "ботинки");
    assert_eq!(value("stock", &stored.product), "5");
    assert_eq!(
        stored
            .product
            .values
            .iter()
            .filter(|value| value.is_some())
            .count(),
        4
    );
    assert_eq!(revision(&store, "А-1"), before + 1);
    // The same again changes nothing.
    let third = import(&store, vec![product("А-1", &[("stock", "5")])]);
    assert_eq!((third.changed, third.unchanged), (0, 1));
    assert_eq!(revision(&store, "А-1"), before + 1);
}

#[test]
fn a_move_to_another_group_touches_both() {
    let store = Store::open_for_tests();
    import(
        &store,
        vec![
            product("1", &[("brand", "A")]),
            product("2", &[("brand", "B")]),
            product("3", &[("brand", "A")]),
        ],
    );
    let before = (revision(&store, "2"), revision(&store, "3"));
    import(&store, vec![product("1", &[("brand", "B")])]);
    assert_eq!(
        (revision(&store, "2"), revision(&store, "3")),
        (before.0 + 1, before.1 + 1)
    );
}

fn many(store: &Store) {
    let products = (0..100)
        .map(|n| {
            product(
                &format!("{n:03}"),
                &[
                    ("brand", ["A", "B", "Ж"][n % 3]),
                    ("type", ["x", "y"][n % 2]),
                    ("name", "Имя"),
                ],
            )
        })
        .collect();
    import(store, products);
}

#[test]
fn pages_cover_everything_once() {
    let store = Store::open_for_tests();
    many(&store);
    let walk = |brand: Option<&'static str>, limit| {
        let (mut after, mut seen) = ((0, 0), Vec::new());
        store
            .read(|connection| {
                while let Some(page) = page_after(connection, after, brand, limit)? {
                    let members = page_members(connection, &page, brand, &[0; 32])?;
                    assert_eq!(members.len() as u64, page.count);
                    assert!(members.iter().all(|member| !member.current));
                    seen.extend(
                        members
                            .into_iter()
                            .map(|member| member.stored.product.vendor_code),
                    );
                    after = page.last;
                }
                Ok(())
            })
            .unwrap();
        let length = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), length, "a product was met twice");
        length
    };
    assert_eq!(walk(None, 7), 100);
    assert_eq!(walk(None, 1_000), 100);
    assert_eq!(walk(Some("ж"), 7), 33);
    assert_eq!(walk(Some("a"), 1), 34);
    assert_eq!(walk(Some("нет"), 7), 0);
}

#[test]
fn results_are_current_until_the_group_changes() {
    let store = Store::open_for_tests();
    import(
        &store,
        vec![
            product("1", &[("brand", "A")]),
            product("2", &[("brand", "A")]),
        ],
    );
    let page = store
        .read(|c| Ok(page_after(c, (0, 0), None, 10)?.unwrap()))
        .unwrap();
    let current = |settings: [u8; 32]| {
        let members = store
            .read(|c| page_members(c, &page, None, &settings))
            .unwrap();
        members
            .iter()
            .map(|member| member.current)
            .collect::<Vec<_>>()
    };
    let members = store
        .read(|c| page_members(c, &page, None, &[7; 32]))
        .unwrap();
    let (one, two) = (members[0].stored.id, members[1].stored.id);
    let made = NewResult {
        product: one,
        group: members[0].stored.group,
        revision: members[0].revision,
        document: "{}".to_owned(),
        left_out: vec!["ссылка".to_owned(), "b".to_owned()],
        recommendations: vec![NewRecommendation {
            product: two,
            score: 12_345,
            terms: vec![("size".to_owned(), -5_000), ("color".to_owned(), 4_000)],
        }],
        ..NewResult::default()
    };
    let gone = NewResult {
        product: 99,
        reason: "alone".to_owned(),
        ..NewResult::default()
    };
    for _ in 0..2 {
        let results = [made.clone(), gone.clone()];
        store.write(move |tx| save(tx, &[7; 32], &results)).unwrap();
    }
    assert_eq!(current([7; 32]), [true, false]);
    assert_eq!(current([8; 32]), [false, false]);
    let kept = store.read(|c| recommendations(c, one)).unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0].vendor_code.as_str(), kept[0].score), ("2", 12_345));
    assert_eq!(kept[0].terms, made.recommendations[0].terms);
    let read = store.read(|c| Ok(result(c, one)?.unwrap())).unwrap();
    assert_eq!((read.left_out.len(), read.outdated), (2, false));
    import(&store, vec![product("2", &[("stock", "1")])]);
    assert_eq!(current([7; 32]), [false, false]);
    assert!(
        store
            .read(|c| Ok(result(c, one)?.unwrap()))
            .unwrap()
            .outdated
    );
    let counts = store.read(counts).unwrap();
    assert_eq!(
        (counts.documents, counts.recommendations, counts.outdated),
        (1, 1, 1)
    );
}

#[test]
fn lists_search_and_page() {
    let store = Store::open_for_tests();
    many(&store);
    let made = store
        .read(|c| Ok(member_by_code(c, "010")?.unwrap()))
        .unwrap();
    store
        .write(move |tx| {
            let without = NewResult {
                product: made.id,
                reason: "alone".to_owned(),
                detail: "Слова".to_owned(),
                ..NewResult::default()
            };
            save(tx, &[0; 32], &[without])
        })
        .unwrap();
    let list = |search: Option<&str>, brand: Option<&str>, offset, limit| {
        let filter = Filter {
            search: search.map(str::to_owned),
            brand_key: brand.map(str::to_owned),
        };
        let (listed, total) = store
            .read(|c| super::list(c, &filter, offset, limit))
            .unwrap();
        let codes: Vec<_> = listed
            .iter()
            .map(|one| one.stored.product.vendor_code.clone())
            .collect();
        (codes.join(" "), total)
    };
    assert_eq!(list(None, None, 98, 10), ("098 099".to_owned(), 100));
    assert_eq!(list(Some("01"), None, 0, 3), ("001 010 011".to_owned(), 11));
    assert_eq!(list(Some("имя"), Some("ж"), 0, 1), ("002".to_owned(), 33));
    assert_eq!(list(Some("%"), None, 0, 1).1, 0);
    let (listed, _) = store
        .read(|c| super::list(c, &Filter::default(), 10, 1))
        .unwrap();
    assert_eq!(
        listed[0].reason,
        Some(("alone".to_owned(), "Слова".to_owned()))
    );
    assert_eq!(listed[0].recommendations, None);
    assert_eq!(store.read(reasons).unwrap(), [("alone".to_owned(), 1)]);
    assert_eq!(
        store.read(|c| brands(c, 2)).unwrap(),
        [("A".to_owned(), 34), ("B".to_owned(), 33)]
    );
    assert_eq!(store.read(given).unwrap(), 0b11_0001);
    assert_eq!(
        store
            .read(|c| documents_after(c, None, None, false, 9))
            .unwrap(),
        []
    );
    let all = store
        .read(|c| documents_after(c, Some("097"), None, true, 9))
        .unwrap();
    assert_eq!(all.len(), 2);
}
