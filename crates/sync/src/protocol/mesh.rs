//! Who keeps a link with whom.
//!
//! Up to [`FULL`] peers everybody is linked with everybody. Above that each device has [`NEIGHBOURS`]: members stand on
//! a ring, in an order that follows from their ids, and those at certain distances along it are linked, either way. A
//! distance is the same from both ends, so both come to the same answer from the same set of members. The nearest
//! ones make the ring, which is connected by itself; the others are chords, of which each spans twice as much as the
//! one before, so that few steps lead from anywhere to anywhere. Of a member with several devices one is chosen, by a
//! hash of the two that would be linked.
//!
//! Everybody can foresee that order, and a member chooses their own keys. So one has one place, however many devices
//! they bring; and each device draws [`DRAWN`] neighbours more, by a secret that nobody else has. Who wanted to be the
//! only neighbour of another would have to be nearly everybody.
//!
//! Devices that have not seen the same of the others come to answers that differ in some chords. Each of them is linked
//! with what it chose itself and with whoever chose it, so there are more links then, never fewer.

use std::collections::BTreeSet;

use artel_domain::{DeviceId, MemberId};

/// Most peers with whom a device is linked without choosing.
pub(crate) const FULL: usize = 32;
/// One that has begun to choose goes on until there are no more than these, so that one who comes and goes at the limit
/// does not change everything each time.
pub(crate) const FEW: usize = 28;
/// Neighbours that follow from who is there.
pub(crate) const NEIGHBOURS: usize = 12;
/// Neighbours that a device draws besides.
pub(crate) const DRAWN: usize = 3;

const TAG: &str = "artel 2026-11 mesh";

/// Place of a member on the ring. It is a hash, so that no part of the ring fills up with keys that begin alike.
fn place(member: &MemberId) -> [u8; 32] {
    blake3::derive_key(TAG, member.as_bytes())
}

/// Which of a member's devices another one chooses: that with the lowest of these. It is the same from both ends.
fn affinity(one: &DeviceId, other: &DeviceId) -> [u8; 32] {
    let (low, high) = (one.min(other), one.max(other));
    blake3::derive_key(TAG, &[*low.as_bytes(), *high.as_bytes()].concat())
}

/// A member with the devices of theirs that are there.
#[derive(Clone, Debug)]
pub(crate) struct Stand {
    pub(crate) member: MemberId,
    pub(crate) devices: Vec<DeviceId>,
}

impl Stand {
    fn lowest(&self, of: impl Fn(&DeviceId) -> [u8; 32]) -> Option<DeviceId> {
        self.devices.iter().min_by_key(|device| of(device)).copied()
    }
}

/// The other members, in the order in which they follow a device's own on the ring.
#[derive(Debug)]
pub(crate) struct Ring {
    device: DeviceId,
    others: Vec<Stand>,
}

impl Ring {
    pub(crate) fn new(
        (member, device): (MemberId, DeviceId),
        others: impl IntoIterator<Item = Stand>,
    ) -> Self {
        let mine = place(&member);
        let mut placed: Vec<((bool, [u8; 32]), Stand)> = others
            .into_iter()
            .filter(|stand| stand.member != member && !stand.devices.is_empty())
            .map(|stand| (place(&stand.member), stand))
            .map(|(place, stand)| ((place < mine, place), stand))
            .collect();
        placed.sort_unstable_by_key(|(order, _)| *order);
        let others = placed.into_iter().map(|(_, stand)| stand).collect();
        Self { device, others }
    }

    /// How many devices stand on it.
    pub(crate) fn devices(&self) -> usize {
        self.others.iter().map(|stand| stand.devices.len()).sum()
    }

    /// Those whom the device is to be linked with, where only some stand on the ring: all, if they are no more than `few`.
    pub(crate) fn neighbours(
        &self,
        secret: &[u8; 32],
        few: usize,
        stands: impl Fn(&MemberId) -> bool,
    ) -> BTreeSet<DeviceId> {
        let ring = self.others.iter().filter(|stand| stands(&stand.member));
        let ring: Vec<&Stand> = ring.collect();
        if ring.iter().map(|stand| stand.devices.len()).sum::<usize>() <= few {
            let all = ring.into_iter().flat_map(|stand| &stand.devices);
            return all.copied().collect();
        }
        let mine = |stand: &&Stand| stand.lowest(|device| affinity(&self.device, device));
        if ring.len() <= FEW {
            return ring.iter().filter_map(mine).collect();
        }
        let members = ring.len() + 1;
        // The largest power of two that spans less than half of the ring.
        let mut half = 1;
        while half * 4 < members {
            half *= 2;
        }
        let places: BTreeSet<usize> = [1, 3, half / 8, half / 4, half / 2, half]
            .into_iter()
            .flat_map(|distance| [distance - 1, members - distance - 1])
            .collect();
        let keyed = |bytes: &[u8; 32]| *blake3::keyed_hash(secret, bytes).as_bytes();
        let mut others: Vec<([u8; 32], &Stand)> = (0..)
            .zip(&ring)
            .filter(|(index, _)| !places.contains(index))
            .map(|(_, stand)| (keyed(stand.member.as_bytes()), *stand))
            .collect();
        others.sort_unstable_by_key(|(order, _)| *order);
        let drawn = others.into_iter().take(DRAWN);
        let drawn = drawn.filter_map(|(_, stand)| stand.lowest(|device| keyed(device.as_bytes())));
        let chosen = places.iter().filter_map(|index| ring.get(*index));
        chosen.filter_map(mine).chain(drawn).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn bytes(kind: &str, n: usize) -> [u8; 32] {
        blake3::derive_key(kind, &n.to_le_bytes())
    }

    fn member(n: usize) -> MemberId {
        MemberId::from_bytes(bytes("member", n))
    }

    /// The devices of a member, told apart by their numbers.
    fn device(n: usize, which: usize) -> DeviceId {
        DeviceId::from_bytes(bytes("device", n * 1_000 + which))
    }

    fn stand(n: usize, devices: usize) -> Stand {
        Stand {
            member: member(n),
            devices: (0..devices).map(|which| device(n, which)).collect(),
        }
    }

    fn neighbours(n: usize, others: impl IntoIterator<Item = Stand>) -> BTreeSet<DeviceId> {
        let ring = Ring::new((member(n), device(n, 0)), others);
        ring.neighbours(&bytes("secret", n), FULL, |_| true)
    }

    /// The neighbours that follow from who is there: of no device, as there are many.
    fn on_the_ring(n: usize, of: usize) -> BTreeSet<DeviceId> {
        let drawn = |secret: usize| {
            let ring = Ring::new((member(n), device(n, 0)), (0..of).map(|n| stand(n, 1)));
            ring.neighbours(&bytes("secret", secret), FULL, |_| true)
        };
        (1..8).fold(drawn(0), |all, secret| &all & &drawn(secret))
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
            let links: BTreeMap<_, _> = (0..count)
                .map(|n| (device(n, 0), on_the_ring(n, count)))
                .collect();
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
            let steps = reached(&links, device(0, 0));
            assert_eq!(steps.len(), count);
            assert!(steps.values().all(|steps| *steps <= 7), "of {count}");
        }
    }

    #[test]
    fn one_who_chooses_goes_on_a_little_below_the_limit() {
        let ring = Ring::new((member(0), device(0, 0)), (1..=FULL).map(|n| stand(n, 1)));
        let chosen = |few| ring.neighbours(&[7; 32], few, |_| true).len();
        assert_eq!(chosen(FULL), FULL);
        assert!(chosen(FEW) <= NEIGHBOURS + DRAWN);
    }

    #[test]
    fn a_member_with_many_devices_takes_one_place() {
        for me in 0..60 {
            let others =
                |many: usize| (0..60).map(move |n| stand(n, if n == 59 { many } else { 1 }));
            let chosen = neighbours(me, others(16));
            let theirs = (0..16).filter(|which| chosen.contains(&device(59, *which)));
            assert!(theirs.count() <= 1, "of {me}");
            // Nor does it push out anybody else.
            let before = neighbours(me, others(1));
            let gone = before
                .difference(&chosen)
                .filter(|gone| **gone != device(59, 0));
            assert_eq!(gone.count(), 0, "of {me}");
        }
    }

    #[test]
    fn some_are_drawn_by_a_secret() {
        let chosen = |secret: usize| {
            let ring = Ring::new((member(0), device(0, 0)), (0..100).map(|n| stand(n, 1)));
            ring.neighbours(&bytes("secret", secret), FULL, |_| true)
        };
        let foreseen = on_the_ring(0, 100);
        let drawn: Vec<_> = (0..20).map(|secret| &chosen(secret) - &foreseen).collect();
        assert!(drawn.iter().all(|drawn| drawn.len() == DRAWN));
        let different: BTreeSet<_> = drawn.into_iter().flatten().collect();
        assert!(different.len() > 20, "{}", different.len());
    }

    #[test]
    fn one_more_changes_little() {
        let after = |n| neighbours(n, (0..61).map(|n| stand(n, 1)));
        let lost: usize = (0..60)
            .map(|n| {
                let before = neighbours(n, (0..60).map(|n| stand(n, 1)));
                before.difference(&after(n)).count()
            })
            .sum();
        let ends = 60 * (NEIGHBOURS + DRAWN);
        assert!(lost <= 110, "{lost} of {ends} ends");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        /// Whoever was seen by few, or sees few, is linked all the same.
        #[test]
        fn those_who_saw_different_ones_stay_connected(
            count in 40_usize..120,
            unseen in prop::collection::btree_set((0_usize..120, 0_usize..120), 0..1_500),
        ) {
            let mut links: BTreeMap<DeviceId, BTreeSet<DeviceId>> =
                (0..count).map(|n| (device(n, 0), BTreeSet::new())).collect();
            for n in 0..count {
                let seen = (0..count).filter(|other| !unseen.contains(&(n, *other)));
                for other in neighbours(n, seen.map(|n| stand(n, 1))) {
                    links.get_mut(&device(n, 0)).unwrap().insert(other);
                    links.get_mut(&other).unwrap().insert(device(n, 0));
                }
            }
            prop_assert_eq!(reached(&links, device(0, 0)).len(), count);
        }
    }
}
