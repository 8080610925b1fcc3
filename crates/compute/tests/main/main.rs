//! What the fuzz targets do with pictures and price files, on their seeds. Whatever they find becomes one.

#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    missing_docs,
    unreachable_pub,
    reason = "the cases are test code, written for the fuzz targets"
)]

use std::{fs, path::Path};

#[path = "../../../../fuzz/cases/picture.rs"]
mod picture;
#[path = "../../../../fuzz/cases/prices.rs"]
mod prices;

/// Runs one case.
type Case = fn(&[u8]);

#[test]
fn the_seeds_of_all_targets_pass() {
    let targets: [(&str, Case); 2] = [("picture", picture::case), ("prices", prices::case)];
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
