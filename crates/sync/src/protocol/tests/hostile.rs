//! A member that relays others' records, and bends them.

use artel_domain::{Body, ChangeHash, Content, Envelope, Signed, signed::Signer as _};
use rand::{RngExt as _, rngs::StdRng};

use super::super::{
    Identity,
    frame::{Carried, Frame},
};

/// Bends one frame in three.
pub(super) fn bend(bytes: Vec<u8>, identity: &Identity, rng: &mut StdRng) -> Vec<Vec<u8>> {
    if !rng.random_ratio(1, 3) {
        return vec![bytes];
    }
    match Frame::decode(&bytes) {
        Ok(Frame::Records {
            space,
            mut room,
            mut device,
            mut incarnation,
            mut records,
            more,
        }) if !records.is_empty() => {
            let at = rng.random_range(0..records.len());
            match rng.random_range(0..11) {
                0 => flip(&mut records[at].envelope, rng),
                1 => flip(&mut records[at].change, rng),
                2 => {
                    if let Some(body) = &mut records[at].body {
                        flip(body, rng);
                    }
                }
                3 => records[at].body = Some(forged_body()),
                4 => records[at] = forged(&records[at], identity),
                5 => records.reverse(),
                6 => drop(records.remove(at)),
                7 => room = artel_domain::RoomId::derive(&space, &device, &[0; 16]),
                8 => device = identity.device.id(),
                9 => incarnation = artel_domain::Incarnation::from_bytes([9; 16]),
                _ => records[at].body = None,
            }
            let frame = Frame::Records {
                space,
                room,
                device,
                incarnation,
                records,
                more,
            };
            // Replay as well: what was taken once must change nothing the second time.
            vec![frame.encode(), bytes]
        }
        Ok(Frame::Heads {
            space,
            room,
            mut feeds,
        }) if !feeds.is_empty() => {
            let at = rng.random_range(0..feeds.len());
            feeds[at].ends.push((
                rng.random_range(1..50),
                artel_domain::MessageId::from_bytes(rng.random()),
            ));
            vec![Frame::Heads { space, room, feeds }.encode()]
        }
        Ok(Frame::Bodies { space, mut bodies }) => {
            for (_, body) in &mut bodies {
                *body = forged_body();
            }
            vec![Frame::Bodies { space, bodies }.encode()]
        }
        Ok(Frame::Registers {
            space,
            mut registers,
            answer,
        }) if !registers.is_empty() => {
            let at = rng.random_range(0..registers.len());
            if rng.random() {
                flip(&mut registers[at], rng);
            } else {
                registers.remove(at);
            }
            let frame = Frame::Registers {
                space,
                registers,
                answer,
            };
            vec![frame.encode(), bytes]
        }
        _ => match rng.random_range(0..8) {
            0 => vec![bytes.clone(), bytes],
            1 => {
                let mut bytes = bytes;
                flip(&mut bytes, rng);
                vec![bytes]
            }
            _ => vec![bytes],
        },
    }
}

fn flip(bytes: &mut [u8], rng: &mut StdRng) {
    if !bytes.is_empty() {
        let at = rng.random_range(0..bytes.len());
        bytes[at] ^= 1 << rng.random_range(0..8);
    }
}

fn forged_body() -> Vec<u8> {
    let content = Content::Text {
        text: "FORGED".into(),
        reply_to: None,
        attachments: Vec::new(),
    };
    Body {
        salt: [0; 16],
        at: 0,
        content,
    }
    .encode()
    .unwrap()
}

/// The record with another body, signed, but by the relay: everything but the signature is right.
pub(super) fn forged(carried: &Carried, identity: &Identity) -> Carried {
    let Ok(envelope) = Signed::<Envelope>::open(&carried.envelope) else {
        return carried.clone();
    };
    let body = forged_body();
    let mut value = envelope.value().clone();
    value.body = Body::hash_of(&body);
    let sound = automerge::Change::from_bytes(carried.change.clone()).unwrap();
    let before = sound
        .deps()
        .first()
        .map(|dep| ChangeHash::from_bytes(dep.0));
    let (place, body_hash) = (value.place(), value.body);
    let change =
        super::super::feed::put(&value.incarnation, place, before.as_ref(), &body_hash).unwrap();
    let bytes = change.raw_bytes().to_vec();
    value.change = ChangeHash::from_bytes(change.hash().0);
    let payload = postcard::to_stdvec(&value).unwrap();
    let signature = identity
        .device
        .sign("artel 2026-11 envelope", &[&[1], &payload]);
    let wire = [signature.to_bytes().as_slice(), &[1], &payload].concat();
    Carried {
        envelope: wire,
        change: bytes,
        body: Some(body),
    }
}
