//! Every decoder answers any bytes, and a node answers any frame.

use artel_domain::{
    Body, DeviceCertificate, DeviceId, DeviceKey, DoorCode, Envelope, Genesis, InviteCode,
    MemberKey, Register, Signed,
};
use artel_sync::protocol::{Entropy, Identity, MemoryLedger, Node, Output, is_frame};
use proptest::prelude::*;

#[expect(clippy::unwrap_used, reason = "a test's own ledger does not fail")]
fn node(ledger: &mut MemoryLedger) -> Node {
    let identity = Identity {
        member: MemberKey::from_bytes(&[1; 32]),
        device: DeviceKey::from_bytes(&[2; 32]),
        name: "node".into(),
    };
    Node::load(identity, Entropy::seeded(1), ledger).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn decoders_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), text: String) {
        let _ = is_frame(&bytes);
        let _ = Body::decode(&bytes);
        let _ = Signed::<Envelope>::open(&bytes);
        let _ = Signed::<Genesis>::open(&bytes);
        let _ = Signed::<Register>::open(&bytes);
        let _ = Signed::<DeviceCertificate>::open(&bytes);
        let _ = text.parse::<InviteCode>();
        let _ = text.parse::<DoorCode>();
    }

    #[test]
    fn bodies_of_every_kind_never_panic(kind in 0_u16..70, payload in prop::collection::vec(any::<u8>(), 0..300)) {
        let bytes = [&[0; 24][..], &kind.to_le_bytes(), &payload].concat();
        if let Ok(body) = Body::decode(&bytes) {
            // What decodes and can be written at all comes back the same.
            if let Ok(again) = body.encode() {
                prop_assert_eq!(Body::decode(&again).unwrap(), body);
            }
        }
    }

    #[test]
    fn a_node_answers_any_frame(frames in prop::collection::vec((0_u8..46, prop::collection::vec(any::<u8>(), 0..200)), 1..8)) {
        let mut ledger = MemoryLedger::new();
        let mut node = node(&mut ledger);
        node.found_space(&mut ledger, 1, "space").unwrap();
        let peer = DeviceId::from_bytes([9; 32]);
        node.connected(&mut ledger, 1, peer).unwrap();
        let before = ledger.record_count();
        for (variant, payload) in frames {
            let bytes = [&[1, variant][..], &payload].concat();
            node.received(&mut ledger, 2, peer, &bytes).unwrap();
            node.tick(&mut ledger, 300).unwrap();
        }
        prop_assert_eq!(ledger.record_count(), before);
        let outputs = node.take_outputs();
        prop_assert!(!outputs.is_empty());
        let records = |o: &Output| matches!(o, Output::Send { bytes, .. } if bytes.len() > 4_096);
        prop_assert!(!outputs.iter().any(records));
    }
}
