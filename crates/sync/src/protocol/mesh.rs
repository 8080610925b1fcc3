//! Who keeps a link with whom.
//!
//! Up to [`FULL`] peers everybody is linked with everybody. Above that each device has [`NEIGHBOURS`]: devices stand on
//! a ring, in an order that follows from their ids, and those at certain distances along it are linked, either way. A
//! distance is the same from both ends, so both come to the same answer from the same set of devices. The nearest
//! ones make the ring, which is connected by itself; the others are chords, of which each spans twice as much as the
//! one before, so that few steps lead from anywhere to anywhere.
//!
//! Devices that have not seen the same of the others come to answers that differ in some chords. Each of them is linked
//! with what it chose itself and with whoever chose it, so there are more links then, never fewer.

use std::collections::{BTreeMap, BTreeSet};

use artel_domain::DeviceId;

/// Most peers with whom a device is linked without choosing.
pub(crate) const FULL: usize = 32;
/// Links of a device that chooses.
pub(crate) const NEIGHBOURS: usize = 12;

/// Place of a device on the ring. It is a hash, so that no part of the ring fills up with keys that begin alike.
fn place(device: &DeviceId) -> [u8; 32] {
    blake3::derive_key("artel 2026-11 mesh", device.as_bytes())
}

/// Those of `others` that `me` is linked with.
pub(crate) fn neighbours(me: &DeviceId, others: &BTreeSet<DeviceId>) -> BTreeSet<DeviceId> {
    let peers = others.iter().filter(|other| *other != me);
    if peers.clone().count() <= FULL {
        return peers.copied().collect();
    }
    let mine = place(me);
    // Everybody else, in the order in which they follow on the ring.
    let ring: BTreeMap<(bool, [u8; 32]), DeviceId> = peers
        .map(|peer| {
            let place = place(peer);
            ((place < mine, place), *peer)
        })
        .collect();
    let ring: Vec<DeviceId> = ring.into_values().collect();
    let devices = ring.len() + 1;
    // The largest power of two that spans less than half of the ring.
    let mut half = 1;
    while half * 4 < devices {
        half *= 2;
    }
    [1, 3, half / 8, half / 4, half / 2, half]
        .into_iter()
        .flat_map(|distance| [distance - 1, devices - distance - 1])
        .filter_map(|index| ring.get(index).copied())
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn devices(count: usize) -> Vec<DeviceId> {
        (0..count)
            .map(|n| DeviceId::from_bytes(*blake3::hash(&n.to_le_bytes()).as_bytes()))
            .collect()
    }

    /// Steps from the first to each that can be reached.
    fn reached(
        links: &BTreeMap<DeviceId, BTreeSet<DeviceId>>,
        from: DeviceId,
    ) -> BTreeMap<DeviceId, usize> {
        let mut steps = BTreeMap::from([(from, 0)]);
        let mut edge = vec![from];
        while let Some(at) = edge.pop() {
            let next = steps[&at] + 1;
            for other in &links[&at] {
                if steps.get(other).is_none_or(|known| *known > next) {
                    steps.insert(*other, next);
                    edge.push(*other);
                }
            }
        }
        steps
    }

    #[test]
    fn up_to_the_limit_all_are_linked_and_above_it_twelve_either_way() {
        for count in [1, 2, FULL + 1, FULL + 2, 40, 60, 64, 65, 66, 100, 257, 400] {
            let all = devices(count);
            let seen: BTreeSet<DeviceId> = all.iter().copied().collect();
            let links: BTreeMap<_, _> = all.iter().map(|me| (*me, neighbours(me, &seen))).collect();
            let degree = if count <= FULL + 1 {
                count - 1
            } else {
                NEIGHBOURS
            };
            for (me, chosen) in &links {
                assert_eq!(chosen.len(), degree, "of {count}");
                assert!(!chosen.contains(me));
                assert!(
                    chosen.iter().all(|other| links[other].contains(me)),
                    "of {count}"
                );
            }
            let steps = reached(&links, all[0]);
            assert_eq!(steps.len(), count);
            assert!(steps.values().all(|steps| *steps <= 7), "of {count}");
        }
    }

    #[test]
    fn one_more_changes_little() {
        let all = devices(61);
        let before: BTreeSet<DeviceId> = all[..60].iter().copied().collect();
        let after: BTreeSet<DeviceId> = all.iter().copied().collect();
        let lost: usize = before
            .iter()
            .map(|me| {
                neighbours(me, &before)
                    .difference(&neighbours(me, &after))
                    .count()
            })
            .sum();
        assert!(lost <= 90, "{lost} of {} ends", 60 * NEIGHBOURS);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        /// Whoever was seen by few, or sees few, is linked all the same.
        #[test]
        fn those_who_saw_different_ones_stay_connected(
            count in 40_usize..120,
            unseen in prop::collection::btree_set((0_usize..120, 0_usize..120), 0..1_500),
        ) {
            let all = devices(count);
            let mut links: BTreeMap<DeviceId, BTreeSet<DeviceId>> =
                all.iter().map(|me| (*me, BTreeSet::new())).collect();
            for (n, me) in all.iter().enumerate() {
                let seen = all.iter().enumerate();
                let seen = seen.filter(|(other, _)| !unseen.contains(&(n, *other)));
                for other in neighbours(me, &seen.map(|(_, id)| *id).collect()) {
                    links.get_mut(me).unwrap().insert(other);
                    links.get_mut(&other).unwrap().insert(*me);
                }
            }
            prop_assert_eq!(reached(&links, all[0]).len(), count);
        }
    }
}
