//! Changes of a shared page, with the checksum that makes automerge look further. Whatever they are, there is a page, and
//! the same whatever is left out that does not count.

use artel_domain::Incarnation;
use artel_sync::protocol::page_text;
use sha2::{Digest as _, Sha256};

use super::frames::cut;

/// One case: each change begins with the life that it is said to come from.
pub fn case(bytes: &[u8]) {
    let changes: Vec<(Incarnation, Vec<u8>)> = cut(bytes)
        .filter_map(|case| {
            let (life, change) = case.split_first()?;
            let mut change = change.to_vec();
            if change.len() > 8 {
                let checksum = Sha256::digest(&change[8..]);
                change[4..8].copy_from_slice(&checksum[..4]);
            }
            Some((Incarnation::from_bytes([life % 4; 16]), change))
        })
        .collect();
    let text = page_text(changes.iter().cloned()).expect("a page");
    let twice = page_text(changes.iter().cloned().chain(changes.iter().cloned()));
    assert_eq!(twice.as_ref(), Some(&text), "what came twice counted twice");
}
