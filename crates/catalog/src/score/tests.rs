use std::fmt::Write as _;

use super::*;
use crate::{product::Product, rules};

const RULES: &str = include_str!("../../rules.toml");

/// Fields by letter: `size=42 season=зима stock=3`; `size=` is an empty cell.
fn product(fields: &str) -> Product {
    let mut product = Product::new();
    for field in fields.split_whitespace() {
        let (name, value) = field.split_once('=').unwrap();
        product.set(name.parse().unwrap(), value);
    }
    product
}

fn explained(rules: &Preset, one: &str, other: &str) -> (Points, Vec<(Term, Points)>) {
    let mut words = Words::default();
    let one = Traits::learn(&product(one), rules, &mut words);
    let other = Traits::find(&product(other), rules, &words);
    let (score, terms) = explain(rules, &one, &other);
    assert_eq!(score, super::score(rules, &one, &other));
    (score, terms)
}

#[track_caller]
fn check(one: &str, other: &str, expected: i32) {
    let rules = Preset::built_in("standard").unwrap();
    let (score, terms) = explained(&rules, one, other);
    assert_eq!(score, Points::whole(expected), "{one} / {other}: {terms:?}");
}

#[test]
fn terms_one_by_one() {
    check("", "", 100);
    check("size=42", "size=42", 200);
    check("size=42", "size=43", 140);
    check("size=42", "size=42,5", 140);
    check("size=42", "size=44", 50);
    check("size=42", "size=", 50);
    check("size=", "size=", 50);
    check("size=42", "", 100);
    check("size=M", "size=L", 140);
    check("size=M", "size=42", 50);
    check("size=42-43", "size=42-43", 200);
    check("size=42-43", "size=43-44", 50);
    check("season=зима", "season=ЗИМА", 180);
    check("season=зима", "season=лето", 60);
    check("season=зима", "season=", 100);
    check("season=зима", "", 100);
    check("color=чёрный;белый", "color=Белый;Черный", 140);
    check("color=", "color=", 100);
    check("material=кожа", "material=КОЖА", 140);
    check("material= upper_material=кожа", "upper_material=кожа", 140);
    check("fastener=молния", "fastener=молния", 130);
    check("model=X1", "model=x1", 140);
}

#[test]
fn lasts() {
    check("last_mega=7", "last_mega=7", 190);
    check("last_mega=7 last_best=3", "last_mega=8 last_best=3", 170);
    check("last_new=3", "last_new=3", 150);
    check("last_mega=7 last_best=3", "last_mega=7 last_best=3", 190);
    // A column without a shared value costs, a missing column does not.
    check("last_mega=7", "last_mega=8", 70);
    check("last_mega=", "last_mega=", 70);
    check("last_mega=7", "", 100);
    // One kind of last is not another.
    check("last_mega=7", "last_best=7", 70);
    // (100 + 80 - 50) * 0.7, then the stock.
    check(
        "last_new=1 season=зима size=40",
        "last_new=2 season=зима size=44 stock=9",
        131,
    );
}

#[test]
fn stock_bands_and_cap() {
    for (stock, expected) in [
        ("0", 100),
        ("1", 110),
        ("2", 110),
        ("3", 120),
        ("5", 120),
        ("6", 140),
        ("", 100),
    ] {
        check("stock=1", &format!("stock={stock}"), expected);
    }
    let same = "size=42 season=зима color=белый material=кожа fastener=молния last_mega=1 model=А stock=10";
    check(same, same, 500);
}

#[test]
fn unknown_texts_of_candidates_differ() {
    check("season=зима color=белый", "season=весна color=весна", 60);
}

const PAIRS: &[(&str, &str)] = &[
    (
        "size=42 season=зима color=белый material=кожа fastener=молния last_mega=1 last_best=2 last_new=3 model=А",
        "size=42 season=зима color=белый material=кожа fastener=молния last_mega=1 last_best=2 last_new=3 model=А stock=9",
    ),
    (
        "size=42 season=зима color=белый last_best=2",
        "size=43 season=лето color=белый last_best=2 stock=3",
    ),
    (
        "size=42 season=зима material=кожа last_new=3",
        "size=46 season= material=кожа last_new=3 stock=1",
    ),
    (
        "size=42 fastener=молния last_mega=1 model=Б",
        "size=42 fastener=молния last_mega=2 model=Б stock=0",
    ),
];

#[test]
fn scores_of_every_preset() {
    let mut text = String::new();
    for (name, rules) in rules::read(RULES).unwrap() {
        for (one, other) in PAIRS {
            let (score, terms) = explained(&rules, one, other);
            let terms: Vec<_> = terms
                .iter()
                .map(|(term, points)| format!("{} {points}", term.name()))
                .collect();
            writeln!(text, "{name}: {score} = {}", terms.join(", ")).unwrap();
        }
    }
    insta::assert_snapshot!(text);
}

/// Every figure of the rules decides something: raising it changes a score of a pair made for it.
#[test]
fn each_figure_counts() {
    let cases: &[(&str, &str, &str, &str)] = &[
        ("base = 100", "base = 101", "", ""),
        ("cap = 500", "cap = 499", PAIRS[0].0, PAIRS[0].1),
        ("equal = 100", "equal = 101", "size=1", "size=1"),
        ("near = 40", "near = 41", "size=1", "size=2"),
        ("other = -50", "other = -49", "size=1", "size=9"),
        ("near_within = 1", "near_within = 2", "size=1", "size=3"),
        ("equal = 80\n", "equal = 81\n", "season=a", "season=a"),
        ("different = -40", "different = -39", "season=a", "season=b"),
        ("unknown = 0", "unknown = 1", "season=a", "season="),
        (
            "[color]\nequal = 40",
            "[color]\nequal = 41",
            "color=a",
            "color=a",
        ),
        (
            "[material]\nequal = 40",
            "[material]\nequal = 41",
            "material=a",
            "material=a",
        ),
        ("equal = 30", "equal = 31", "fastener=a", "fastener=a"),
        ("mega = 90", "mega = 91", "last_mega=a", "last_mega=a"),
        ("best = 70\n", "best = 71\n", "last_best=a", "last_best=a"),
        ("new = 50", "new = 51", "last_new=a", "last_new=a"),
        (
            "[model]\nequal = 40",
            "[model]\nequal = 41",
            "model=a",
            "model=a",
        ),
        ("percent = 70", "percent = 71", "last_new=a", "last_new=b"),
        ("points = 40", "points = 41", "", "stock=6"),
        ("points = 20", "points = 21", "", "stock=3"),
        ("points = 10", "points = 11", "", "stock=1"),
        ("over = 5,", "over = 4,", "", "stock=5"),
        (
            "\"no_last\", \"stock\"]",
            "\"stock\", \"no_last\"]",
            "last_new=a",
            "last_new=b stock=6",
        ),
    ];
    let standard = |text: &str| rules::read(text).unwrap().remove("standard").unwrap();
    for (from, to, one, other) in cases {
        let changed = RULES.replacen(from, to, 1);
        assert_ne!(changed, RULES, "{from:?} is not in the rules");
        let before = explained(&standard(RULES), one, other).0;
        let after = explained(&standard(&changed), one, other).0;
        assert_ne!(before, after, "{from} to {to} changes nothing");
    }
}
