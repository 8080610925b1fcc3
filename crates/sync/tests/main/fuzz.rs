//! What the fuzz targets do, on their seeds. Whatever they find becomes one.

#![allow(
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    missing_docs,
    unreachable_pub,
    reason = "the cases are test code, written for the fuzz targets"
)]

use std::{fs, path::Path};

#[path = "../../../../fuzz/cases/files.rs"]
mod files;
#[path = "../../../../fuzz/cases/frames.rs"]
mod frames;
#[path = "../../../../fuzz/cases/member.rs"]
mod member;
#[path = "../../../../fuzz/cases/page.rs"]
mod page;
#[path = "../../../../fuzz/cases/pair.rs"]
mod pair;
#[path = "../../../../fuzz/cases/records.rs"]
mod records;
#[path = "../../../../fuzz/cases/stranger.rs"]
mod stranger;
#[path = "../../../../fuzz/cases/values.rs"]
mod values;

/// Runs one case.
type Case = fn(&[u8]);

#[test]
fn the_seeds_of_all_targets_pass() {
    let targets: [(&str, Case); 6] = [
        ("files", files::case),
        ("member", member::case),
        ("page", page::case),
        ("records", records::case),
        ("stranger", stranger::case),
        ("values", values::case),
    ];
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds");
    for (name, case) in targets {
        let mut cases = 0;
        for entry in fs::read_dir(seeds.join(name)).expect("seeds") {
            case(&fs::read(entry.expect("a seed").path()).expect("a case"));
            cases += 1;
        }
        assert!(cases > 0, "{name} has no seeds");
    }
}
