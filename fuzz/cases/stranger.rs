//! Frames of one who has proven nothing: no record is taken, and no record is given.

use artel_domain::{DeviceId, DeviceKey, MemberKey};
use artel_sync::protocol::{Entropy, Identity, MemoryLedger, Node, Output};

/// One case.
pub fn case(bytes: &[u8]) {
    let mut ledger = MemoryLedger::new();
    let identity = Identity {
        member: MemberKey::from_bytes(&[1; 32]),
        device: DeviceKey::from_bytes(&[2; 32]),
        name: "node".into(),
    };
    let mut node = Node::load(identity, Entropy::seeded(1), &mut ledger).expect("a node");
    node.found_space(&mut ledger, 1, "space").expect("a space");
    let peer = DeviceId::from_bytes([9; 32]);
    node.connected(&mut ledger, 1, peer).expect("a link");
    let before = ledger.record_count();
    for (at, frame) in super::frames::cut(bytes).enumerate() {
        let now = 2 + 300 * i64::try_from(at).unwrap_or(0);
        node.received(&mut ledger, now, peer, frame)
            .expect("an answer");
        node.tick(&mut ledger, now).expect("a tick");
    }
    assert_eq!(ledger.record_count(), before, "a stranger wrote");
    for output in node.take_outputs() {
        if let Output::Send { bytes, .. } = output {
            assert!(
                bytes.len() < 4_096,
                "a stranger was given {} bytes",
                bytes.len()
            );
        }
    }
}
