//! A member sends frames of every kind, put together from real and made-up parts. What it sends must harm nobody else.

use artel_domain::{
    DeviceCertificate, DeviceId, Incarnation, InviteId, JoinClaim, MessageId, RoomId, Signed,
    SpaceId, SpaceSecret, signed::Signature,
};
use proptest::prelude::*;
use rand::{SeedableRng as _, rngs::StdRng};

use super::{
    super::{
        Ledger as _, Refusal, StoredBody,
        frame::{Carried, Cell, FeedEnds, Frame, Part, Reached, Verdict},
    },
    attacks::give,
    hosts::World,
};
use crate::Ports;

/// Real things to put together wrongly.
struct Parts {
    rng: StdRng,
    space: SpaceId,
    rooms: Vec<RoomId>,
    devices: Vec<DeviceId>,
    lives: Vec<Incarnation>,
    invite: InviteId,
    door: u16,
    records: Vec<(MessageId, Carried)>,
    registers: Vec<Vec<u8>>,
    genesis: Vec<u8>,
    certificate: Vec<u8>,
}

impl Parts {
    fn of(world: &World, space: SpaceId, invite: InviteId, door: u16, seed: u64) -> Self {
        let ledger = &world.hosts[1].ledger;
        let heads = ledger.heads(&space).unwrap();
        let rooms: Vec<RoomId> = heads.iter().map(|head| head.feed.room).collect();
        let stored = rooms
            .iter()
            .flat_map(|room| ledger.room_records(&space, room, None, 50).unwrap());
        let records = stored
            .map(|record| {
                let body = match ledger.body(&record.id).unwrap() {
                    Some(StoredBody::Here(wire)) => Some(wire),
                    _ => None,
                };
                let carried = Carried {
                    envelope: record.envelope,
                    change: record.change,
                    body,
                };
                (record.id, carried)
            })
            .collect();
        let identity = &world.hosts[1].identity;
        let certificate =
            Signed::<DeviceCertificate>::issue(&identity.member, &identity.device).unwrap();
        Self {
            rng: StdRng::seed_from_u64(seed),
            space,
            rooms,
            devices: heads.iter().map(|head| head.feed.device).collect(),
            lives: heads.iter().map(|head| head.feed.incarnation).collect(),
            invite,
            door,
            records,
            registers: ledger.registers(&space).unwrap(),
            genesis: ledger.spaces().unwrap()[0].genesis.clone(),
            certificate: certificate.wire().to_vec(),
        }
    }

    /// One of these, or rarely something that never was.
    fn pick<T: Copy>(&mut self, all: &[T], other: T) -> T {
        if all.is_empty() || self.rng.random_ratio(1, 6) {
            return other;
        }
        all[self.rng.random_range(0..all.len())]
    }

    fn space(&mut self) -> SpaceId {
        let other = SpaceId::from_bytes(self.rng.random());
        self.pick(&[self.space], other)
    }

    fn room(&mut self) -> RoomId {
        let other = RoomId::from_bytes(self.rng.random());
        self.pick(&self.rooms.clone(), other)
    }

    fn device(&mut self) -> DeviceId {
        let other = DeviceId::from_bytes(self.rng.random());
        self.pick(&self.devices.clone(), other)
    }

    fn life(&mut self) -> Incarnation {
        let other = Incarnation::from_bytes(self.rng.random());
        self.pick(&self.lives.clone(), other)
    }

    fn invite(&mut self) -> InviteId {
        let other = InviteId::from_bytes(self.rng.random());
        self.pick(&[self.invite], other)
    }

    fn door(&mut self) -> u16 {
        let other = self.rng.random();
        self.pick(&[self.door], other)
    }

    /// A point of the curve, the neutral one, or whatever.
    fn element(&mut self) -> [u8; 32] {
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let base = [0x66; 32];
        let other = self.rng.random();
        self.pick(&[neutral, base], other)
    }

    fn message(&mut self) -> MessageId {
        let other = MessageId::from_bytes(self.rng.random());
        let all: Vec<MessageId> = self.records.iter().map(|(id, _)| *id).collect();
        self.pick(&all, other)
    }

    fn number(&mut self) -> u64 {
        let edges = [0, 1, 2, 3, 1_000, 1_001, 1 << 62, (1 << 62) + 1, u64::MAX];
        let other = self.rng.random();
        self.pick(&edges, other)
    }

    fn small(&mut self) -> u32 {
        let other = self.rng.random();
        self.pick(&[0, 1, 2, 3, 4_095, 4_096, u32::MAX], other)
    }

    fn bytes(&mut self) -> Vec<u8> {
        let size = self.rng.random_range(0..200);
        (0..size).map(|_| self.rng.random()).collect()
    }

    /// These bytes, one bit of them bent, or others.
    fn bent(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        match self.rng.random_range(0..4) {
            0 if !bytes.is_empty() => {
                let at = self.rng.random_range(0..bytes.len());
                bytes[at] ^= 1 << self.rng.random_range(0..8_u8);
                bytes
            }
            1 => self.bytes(),
            _ => bytes,
        }
    }

    fn carried(&mut self) -> Vec<Carried> {
        let count = self.rng.random_range(0..6);
        (0..count)
            .map(|_| {
                let at = self.rng.random_range(0..self.records.len());
                let Carried {
                    envelope,
                    change,
                    body,
                } = self.records[at].1.clone();
                Carried {
                    envelope: self.bent(envelope),
                    change: self.bent(change),
                    body: body
                        .filter(|_| self.rng.random())
                        .map(|body| self.bent(body)),
                }
            })
            .collect()
    }

    fn certificate(&mut self) -> Vec<u8> {
        let certificate = self.certificate.clone();
        self.bent(certificate)
    }

    fn frame(&mut self, kind: usize) -> Frame {
        let (space, room, device, incarnation) =
            (self.space(), self.room(), self.device(), self.life());
        let (message, index) = (self.message(), self.rng.random_range(0..3));
        match kind {
            0 => Frame::Hello {
                nonce: self.rng.random(),
            },
            1 => Frame::Tags((0..16).map(|_| self.rng.random()).collect()),
            2 => Frame::TagsSeen,
            3 => Frame::Prove {
                space,
                certificate: self.certificate(),
            },
            4 => Frame::Summary {
                space,
                control: self.rng.random(),
                rooms: self.rng.random::<bool>().then(|| self.rng.random()),
            },
            5 => Frame::Rooms {
                space,
                rooms: vec![(room, self.rng.random())],
            },
            6 => Frame::Heads {
                space,
                room,
                feeds: vec![FeedEnds {
                    device,
                    incarnation,
                    ends: vec![(self.number(), message), (self.number(), self.message())],
                }],
            },
            7 => Frame::Want {
                space,
                room,
                device,
                incarnation,
                from: self.number(),
            },
            8 => Frame::Records {
                space,
                room,
                device,
                incarnation,
                records: self.carried(),
                more: self.rng.random(),
            },
            9 => Frame::Stored {
                space,
                room,
                incarnation,
                sequence: self.number(),
                last: message,
            },
            10 => Frame::WantBodies {
                space,
                records: vec![message, self.message()],
            },
            11 => Frame::Bodies {
                space,
                bodies: vec![(message, self.bytes())],
            },
            12 => Frame::WantSecrets { space },
            13 => Frame::Secrets {
                space,
                epochs: vec![(message, SpaceSecret::from_bytes(self.rng.random()))],
            },
            14 => Frame::Meet {
                invite: self.invite(),
                genesis: self.genesis.clone(),
                witness: self.certificate(),
            },
            15 => Frame::Join {
                space,
                claim: JoinClaim {
                    certificate: self.certificate(),
                    name: "Олена".to_owned(),
                    invite: self.invite(),
                    proof: Signature::from_bytes(&[self.rng.random(); 64]),
                },
            },
            16 => Frame::Verdict {
                invite: self.invite(),
                verdict: if self.rng.random() {
                    Verdict::Member
                } else {
                    Verdict::Refused(Refusal::Expired)
                },
            },
            17 => Frame::WantList {
                message,
                index,
                from: self.small(),
            },
            18 => Frame::List {
                message,
                index,
                from: self.small(),
                hashes: vec![7; 64],
            },
            19 => Frame::WantChunks {
                message,
                index,
                chunks: vec![self.small(), self.small()],
            },
            20 => Frame::Chunk {
                message,
                index,
                chunk: self.small(),
                bytes: self.bytes(),
            },
            21 => Frame::NoChunks { message, index },
            22 => Frame::Listening(Ports::default()),
            23 => Frame::WantBranch {
                space,
                record: message,
            },
            24 => Frame::Branch {
                space,
                record: message,
                records: self.carried(),
            },
            25 => Frame::RegisterSummary {
                space,
                digest: self.rng.random(),
            },
            26 => Frame::RegisterRooms {
                space,
                rooms: vec![(room, self.rng.random())],
            },
            27 => Frame::RegisterCells {
                space,
                room,
                cells: (0..33)
                    .map(|number| Cell {
                        device,
                        number,
                        digest: self.rng.random(),
                    })
                    .collect(),
            },
            28 => Frame::WantRegisters {
                space,
                room,
                cells: (0..32).map(|number| (device, number)).collect(),
            },
            29 => {
                let registers = self.registers.clone().into_iter();
                Frame::Registers {
                    space,
                    registers: registers.map(|wire| self.bent(wire)).collect(),
                    answer: [None, Some(Part::More), Some(Part::Last)][self.rng.random_range(0..3)],
                }
            }
            30 => Frame::Knock {
                door: self.door(),
                knock: self.small(),
                element: self.element(),
            },
            31 => Frame::KnockAnswer {
                knock: self.small(),
                element: self.element(),
            },
            32 => Frame::KnockProof {
                knock: self.small(),
                proof: self.rng.random(),
            },
            33 => Frame::DoorOpened {
                knock: self.small(),
                proof: self.rng.random(),
                sealed: vec![7; 63],
            },
            34 => Frame::DoorShut {
                knock: self.small(),
                later: self.rng.random(),
            },
            35 => Frame::WantHolding {
                message,
                index,
                bits: vec![0xff; 40],
            },
            36 => Frame::Holding {
                message,
                index,
                bits: vec![0xff; 40],
                follows: self.rng.random(),
            },
            37 => Frame::Gained {
                message,
                index,
                chunks: vec![0, self.small()],
            },
            38 => Frame::WantLatest { space, room },
            39 => Frame::Latest {
                space,
                room,
                records: self.carried(),
            },
            40 => Frame::News {
                space,
                room,
                feeds: vec![FeedEnds {
                    device,
                    incarnation,
                    ends: vec![(self.number(), message)],
                }],
            },
            41 => Frame::Around {
                space,
                said: vec![self.bytes(), self.bytes()],
            },
            42 => Frame::Spare,
            43 => Frame::Withheld {
                space,
                before: self.rng.random(),
                records: vec![message, self.message()],
            },
            _ => Frame::Reached(vec![Reached {
                device,
                at: ([10, 0, 0, 1], 47_600).into(),
                minutes: self.small(),
            }]),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// What one writes the other reads, of every kind.
    #[test]
    fn any_frame_comes_back(seed: u64) {
        let mut world = World::new(91, 2);
        let (space, room) = world.found();
        let code = world.invite(0, space, 3);
        world.say(1, space, room, "one");
        world.run(1_000);
        let until = world.now + 600_000;
        let invite = code.clone();
        let door = world
            .with(0, |node, _, now| node.open_door(now, space, invite, until))
            .unwrap()
            .number();
        let mut parts = Parts::of(&world, space, code.key().id(), door, seed);
        for kind in 0..45 {
            let frame = parts.frame(kind);
            prop_assert_eq!(Frame::decode(&frame.encode()), Ok(frame));
        }
    }

    #[test]
    fn any_frame_of_a_member_harms_nobody_else(seed: u64, kinds in prop::collection::vec(0_usize..45, 1..60)) {
        let mut world = World::new(90, 3);
        let (space, room) = world.found();
        let code = world.invite(0, space, 3);
        let target = world.say(0, space, room, "by the owner");
        let until = world.now + 600_000;
        let invite = code.clone();
        let door = world
            .with(0, |node, _, now| node.open_door(now, space, invite, until))
            .unwrap()
            .number();
        world.say(1, space, room, "by the member");
        let talk = world.hosts[1].node.conversations(&space)[0].room;
        world.say(1, space, talk, "by the member, sealed");
        world.run(2_000);
        for host in 0..3 {
            world.with(host, |node, ledger, now| {
                node.react(ledger, now, space, room, target, Some("👍".to_owned()))
            }).unwrap();
        }
        world.run(1_000);
        let signs = |world: &World| world.hosts[0].node.reactions(&space, &room, &target);
        let signs_before = signs(&world);
        let before = world.texts(0, room);
        let records = world.hosts[0].ledger.record_count();
        let mut parts = Parts::of(&world, space, code.key().id(), door, seed);
        for kind in kinds {
            let frame = parts.frame(kind).encode();
            give(&mut world, 1, 0, &frame);
            world.run(50);
            if !world.linked(0, 1) {
                // It goes on under the eyes of one who has not banned it yet.
                give(&mut world, 1, 2, &frame);
            }
        }
        prop_assert_eq!(world.texts(0, room), before);
        prop_assert_eq!(signs(&world), signs_before);
        prop_assert_eq!(world.hosts[0].ledger.record_count(), records);
        world.link(0, 2);
        world.say(2, space, room, "still here");
        world.run(5_000);
        let texts = world.texts(0, room);
        prop_assert_eq!(texts.last().map(String::as_str), Some("still here"));
    }
}
