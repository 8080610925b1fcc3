//! A node: sessions with peers, and the commands of the person at this machine.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use artel_domain::{
    DeviceCertificate, DeviceKey, Genesis, Incarnation, InviteCode, InviteId, MemberKey, MessageId,
    Role, Signed, SpaceId, limits::MAX_FRAME,
};

use super::{
    event::{Lane, Output, Peer, Reason},
    frame::{Frame, FrameError},
    ledger::{FeedKey, Ledger, LedgerError, LedgerResult},
};
use crate::{Ports, Settings};
use branches::{SEARCH_COST, Search};
use company::News;
use direct::PrekeyWire;
use documents::Documents;
use doors::{Door, Knocking};
use exchange::{Want, place_of};
use files::Fetches;
use joining::Joining;
use registers::{Paces, QUESTION_COST, ROOMS_COST, cells_cost};
use session::Session;
use space::Space;

mod branches;
mod bundle;
mod commands;
mod company;
mod direct;
mod documents;
mod doors;
mod entropy;
mod exchange;
mod files;
mod history;
mod ingest;
mod joining;
mod latest;
mod pages;
mod registers;
mod secrets;
mod session;
mod showing;
mod space;
mod views;

pub use bundle::{UnpackError, Unpacked};
pub use company::{HeldOff, Reach};
pub use direct::ConversationView;
pub use doors::DoorView;
pub use entropy::Entropy;
pub use pages::PageView;
pub use registers::Reaction;
pub use views::{InviteView, MemberView, PolicyView, RoomView, SpaceView};

/// Who this node is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The person.
    pub member: MemberKey,
    /// The installation.
    pub device: DeviceKey,
    /// Name that the person goes by in spaces founded or joined from now on.
    pub name: String,
}

/// Terms of an invite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InviteTerms {
    /// Role of those who join.
    pub role: Role,
    /// How many may.
    pub seats: u32,
    /// Unix milliseconds after which witnesses refuse.
    pub expires_at: i64,
    /// Whether each one waits to be admitted.
    pub approve: bool,
}

/// A record written by this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The record.
    pub id: MessageId,
    /// Its feed.
    pub feed: FeedKey,
    /// Its place there.
    pub sequence: u64,
    /// Its position in the room.
    pub lamport: u64,
}

/// Why the work on an input stopped.
enum Fault {
    Ledger(LedgerError),
    /// The peer did what no honest one does.
    Broke(&'static str),
}

impl From<LedgerError> for Fault {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

/// A node. See the module's contract for how to drive it.
pub struct Node {
    identity: Identity,
    certificate: Signed<DeviceCertificate>,
    incarnation: Incarnation,
    /// Incarnations that this installation began.
    lives: BTreeSet<Incarnation>,
    /// When this node was first told the time.
    began: Option<i64>,
    /// Whether the application was told of another installation with this key.
    cloned: bool,
    entropy: Entropy,
    now: i64,
    spaces: BTreeMap<SpaceId, Space>,
    joins: BTreeMap<InviteId, Joining>,
    /// Doors held open, by space.
    doors: BTreeMap<SpaceId, Door>,
    /// The code that this node looks for a door with.
    knocking: Option<Knocking>,
    /// Knocks so far.
    knocks: u32,
    sessions: BTreeMap<Peer, Session>,
    banned: BTreeMap<Peer, i64>,
    documents: Documents,
    /// Feeds being asked for.
    wants: BTreeMap<FeedKey, Want>,
    /// Branches being asked for by name.
    searches: BTreeMap<SpaceId, Search>,
    fetches: Fetches,
    /// Spaces whose control feeds grew since the last fold.
    unfolded: BTreeSet<SpaceId>,
    /// Feeds of which a record came at which what counts of them ends.
    recut: BTreeSet<FeedKey>,
    /// Registers that left this device lately.
    paces: Paces,
    /// The newest prekey of this device.
    prekey: Option<PrekeyWire>,
    /// When the keys that one seals to this device, and what it carries, were last looked through.
    direct_at: i64,
    /// Where this node listens.
    ports: Ports,
    settings: Settings,
    /// Feeds that grew and of which others are to be told, and when that was done last.
    news: News,
    spread_at: i64,
    /// When a peer was last asked whether it needs the link.
    parted_at: i64,
    /// A secret of this run, by which neighbours are drawn.
    mesh: [u8; 32],
    /// What the network knows of others.
    reach: Reach,
    /// Where devices were reached, and when.
    reached: BTreeMap<Peer, (SocketAddr, i64)>,
    outputs: Vec<Output>,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node")
            .field("device", &self.device())
            .field("spaces", &self.spaces.len())
            .finish_non_exhaustive()
    }
}

impl Node {
    /// Rebuilds a node from its ledger; a new ledger gets its first incarnation.
    ///
    /// # Errors
    /// The ledger failed, or holds what this version cannot read.
    pub fn load(
        identity: Identity,
        mut entropy: Entropy,
        ledger: &mut dyn Ledger,
    ) -> LedgerResult<Self> {
        let broken = |error: Box<dyn std::error::Error + Send + Sync>| LedgerError(error);
        let certificate = Signed::<DeviceCertificate>::issue(&identity.member, &identity.device)
            .map_err(|e| broken(Box::new(e)))?;
        let incarnation = if let Some(incarnation) = ledger.incarnation()? {
            incarnation
        } else {
            let new = Incarnation::from_bytes(entropy.draw().map_err(|e| broken(Box::new(e)))?);
            ledger.set_incarnation(new)?;
            new
        };
        let mesh = entropy.draw().map_err(|e| broken(Box::new(e)))?;
        let mut node = Self {
            identity,
            certificate,
            incarnation,
            lives: ledger.incarnations()?.into_iter().collect(),
            began: None,
            cloned: false,
            entropy,
            now: 0,
            spaces: BTreeMap::new(),
            joins: BTreeMap::new(),
            doors: BTreeMap::new(),
            knocking: None,
            knocks: 0,
            sessions: BTreeMap::new(),
            banned: BTreeMap::new(),
            documents: Documents::default(),
            wants: BTreeMap::new(),
            searches: BTreeMap::new(),
            fetches: Fetches::new(),
            unfolded: BTreeSet::new(),
            recut: BTreeSet::new(),
            paces: Paces::default(),
            prekey: None,
            direct_at: 0,
            ports: Ports::default(),
            settings: Settings::default(),
            news: News::new(),
            spread_at: 0,
            parted_at: 0,
            mesh,
            reach: Reach::default(),
            reached: BTreeMap::new(),
            outputs: Vec::new(),
        };
        for row in ledger.spaces()? {
            let genesis =
                Signed::<Genesis>::reopen(&row.genesis).map_err(|e| broken(Box::new(e)))?;
            let id = row.space;
            let mut space = Space::new(row, genesis);
            for head in ledger.heads(&id)? {
                space.put_head(None, head);
            }
            space.secrets = ledger.secrets(&id)?.into_iter().collect();
            space.ahead = ledger.ahead(&id)?.into_iter().collect();
            node.spaces.insert(id, space);
            node.load_control(ledger, id)?;
            if let Some(space) = node.spaces.get_mut(&id) {
                space.refold();
            }
            node.load_registers(ledger, id)?;
        }
        node.unfolded.clear();
        for row in ledger.joins()? {
            let code: InviteCode = row.code.parse().map_err(|e| broken(Box::new(e)))?;
            node.joins.insert(
                row.invite,
                Joining {
                    row,
                    code,
                    told: false,
                },
            );
        }
        Ok(node)
    }

    /// Begins a new incarnation: the machine marker changed, or the profile was restored.
    ///
    /// # Errors
    /// The ledger failed.
    pub fn renew_incarnation(&mut self, ledger: &mut dyn Ledger) -> LedgerResult<()> {
        match self.rebirth(ledger) {
            Err(Fault::Ledger(error)) => Err(error),
            Err(Fault::Broke(why)) => Err(LedgerError(why.into())),
            Ok(()) => Ok(()),
        }
    }

    /// What there is to do since the last call. Release it only after the transaction has committed.
    pub fn take_outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    /// Takes new settings. What waits for an answer waits as long as before; sessions over a smaller number stay.
    pub fn set_up(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// This node listens on these ports; proven members are told.
    pub fn listens_on(&mut self, ports: Ports) {
        self.ports = ports;
        for peer in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.tell_ports(&peer);
        }
    }

    /// A link to a peer is up.
    ///
    /// # Errors
    /// The ledger failed.
    pub fn connected(&mut self, ledger: &mut dyn Ledger, now: i64, peer: Peer) -> LedgerResult<()> {
        self.tell_time(now);
        self.open_session(ledger, now, peer)
    }

    /// A link is gone.
    ///
    /// # Errors
    /// The ledger failed.
    pub fn disconnected(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        peer: Peer,
    ) -> LedgerResult<()> {
        self.tell_time(now);
        self.close_session(ledger, &peer)
    }

    /// A frame arrived. Frames of peers without a session are ignored.
    ///
    /// # Errors
    /// The ledger failed. What the peer did wrong is no error here: it is disconnected.
    pub fn received(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        peer: Peer,
        frame: &[u8],
    ) -> LedgerResult<()> {
        self.tell_time(now);
        if !self.sessions.contains_key(&peer) {
            return Ok(());
        }
        let reason = match Frame::decode(frame) {
            Err(FrameError::Version) => Reason::Version,
            Err(FrameError::TooLarge) => Reason::Broke("a frame is too large"),
            Err(FrameError::Damaged) => Reason::Broke("a frame is damaged"),
            Ok(frame) => {
                if self.spend(now, &peer, self.cost(&peer, &frame)) {
                    match self.handle(ledger, now, &peer, frame) {
                        Ok(()) => return Ok(()),
                        Err(Fault::Ledger(error)) => return Err(error),
                        Err(Fault::Broke(why)) => Reason::Broke(why),
                    }
                } else {
                    Reason::Flooding
                }
            }
        };
        self.drop_peer(ledger, now, peer, reason)?;
        // A batch may have been taken in part before its fault was found.
        match self.refold(ledger, now) {
            Err(Fault::Ledger(error)) => Err(error),
            _ => Ok(()),
        }
    }

    /// Time passed.
    ///
    /// # Errors
    /// The ledger failed.
    pub fn tick(&mut self, ledger: &mut dyn Ledger, now: i64) -> LedgerResult<()> {
        self.tell_time(now);
        self.banned.retain(|_, until| *until > now);
        self.tick_exchange(ledger, now)?;
        self.tick_registers(ledger, now)?;
        self.search_branches(ledger, now)?;
        self.tick_secrets(now);
        self.tick_direct(ledger, now)?;
        self.tick_sessions(ledger, now)?;
        self.tick_joins(now);
        self.tick_doors(now);
        self.tick_company(now);
        self.tick_fetches(ledger, now)
    }

    fn tell_time(&mut self, now: i64) {
        self.now = now;
        self.began.get_or_insert(now);
    }

    fn handle(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        peer: &Peer,
        frame: Frame,
    ) -> Result<(), Fault> {
        match frame {
            Frame::Hello { nonce } => self.on_hello(now, peer, nonce),
            Frame::Tags(tags) => self.on_tags(peer, tags),
            Frame::TagsSeen => {
                self.on_tags_seen(peer);
                Ok(())
            }
            Frame::Prove { space, certificate } => {
                self.on_prove(ledger, now, peer, space, &certificate)
            }
            Frame::Summary {
                space,
                control,
                rooms,
            } => self.on_summary(ledger, now, peer, space, control, rooms),
            Frame::Rooms { space, rooms } => {
                self.on_rooms(peer, space, &rooms);
                Ok(())
            }
            Frame::Heads { space, room, feeds } => {
                self.on_heads(ledger, now, peer, (space, room), feeds, false)
            }
            Frame::Want {
                space,
                room,
                device,
                incarnation,
                from,
            } => self.on_want(
                ledger,
                peer,
                &FeedKey {
                    space,
                    room,
                    device,
                    incarnation,
                },
                from,
            ),
            Frame::Records {
                space,
                room,
                device,
                incarnation,
                records,
                more,
            } => {
                let feed = FeedKey {
                    space,
                    room,
                    device,
                    incarnation,
                };
                self.on_records(ledger, now, peer, feed, records, more)
            }
            Frame::Stored {
                space,
                room,
                incarnation,
                sequence,
                last,
            } => self.on_stored(ledger, peer, (space, room, incarnation), sequence, last),
            Frame::WantBodies { space, records } => {
                self.on_want_bodies(ledger, peer, space, records)
            }
            Frame::Bodies { space, bodies } => self.on_bodies(ledger, peer, space, bodies),
            Frame::Withheld {
                space,
                before,
                records,
            } => self.on_withheld(ledger, peer, space, before, records),
            Frame::WantSecrets { space } => {
                self.on_want_secrets(peer, space);
                Ok(())
            }
            Frame::Secrets { space, epochs } => self.on_secrets(ledger, peer, space, epochs),
            Frame::Meet {
                invite,
                genesis,
                witness,
            } => self.on_meet(ledger, now, peer, invite, &genesis, &witness),
            Frame::Join { space, claim } => self.on_join(ledger, now, peer, space, claim),
            Frame::Verdict { invite, verdict } => {
                self.on_verdict(ledger, now, peer, invite, verdict)
            }
            Frame::WantList {
                message,
                index,
                from,
            } => self.on_want_list(ledger, peer, (message, index), from),
            Frame::List {
                message,
                index,
                from,
                hashes,
            } => self.on_list(ledger, now, peer, (message, index), from, &hashes),
            Frame::WantChunks {
                message,
                index,
                chunks,
            } => self.on_want_chunks(ledger, peer, (message, index), &chunks),
            Frame::Chunk {
                message,
                index,
                chunk,
                bytes,
            } => self.on_chunk(ledger, now, peer, (message, index), chunk, &bytes),
            Frame::NoChunks { message, index } => {
                self.on_no_chunks(ledger, now, peer, (message, index))
            }
            Frame::WantBranch { space, record } => self.on_want_branch(ledger, peer, space, record),
            Frame::Branch {
                space,
                record,
                records,
            } => self.on_branch(ledger, now, peer, space, record, records),
            Frame::RegisterSummary { space, digest } => {
                self.on_register_summary(peer, space, digest);
                Ok(())
            }
            Frame::RegisterRooms { space, rooms } => {
                self.on_register_rooms(now, peer, space, &rooms);
                Ok(())
            }
            Frame::RegisterCells { space, room, cells } => {
                self.on_register_cells(now, peer, space, room, cells);
                Ok(())
            }
            Frame::WantRegisters { space, room, cells } => {
                self.on_want_registers(ledger, peer, space, room, &cells)?;
                Ok(())
            }
            Frame::Registers {
                space,
                registers,
                answer,
            } => self.on_registers(ledger, now, peer, space, registers, answer),
            Frame::News { space, room, feeds } => {
                self.on_heads(ledger, now, peer, (space, room), feeds, true)
            }
            Frame::Around { space, said } => self.on_around(peer, space, said),
            Frame::Spare => Ok(self.on_spare(ledger, now, peer)?),
            Frame::Reached(reached) => {
                self.on_reached(peer, reached);
                Ok(())
            }
            Frame::Listening(ports) => {
                self.on_listening(peer, ports);
                Ok(())
            }
            Frame::WantHolding {
                message,
                index,
                bits,
            } => self.on_want_holding(ledger, now, peer, (message, index), bits),
            Frame::Holding {
                message,
                index,
                bits,
                follows,
            } => self.on_holding(ledger, now, peer, (message, index), bits, follows),
            Frame::Gained {
                message,
                index,
                chunks,
            } => {
                self.on_gained(now, peer, (message, index), &chunks);
                Ok(())
            }
            Frame::WantLatest { space, room } => self.on_want_latest(ledger, peer, space, room),
            Frame::Latest {
                space,
                room,
                records,
            } => self.on_latest(ledger, peer, space, room, records),
            Frame::Knock {
                door,
                knock,
                element,
            } => self.on_knock(now, peer, (door, knock), element),
            Frame::KnockAnswer { knock, element } => self.on_knock_answer(peer, knock, element),
            Frame::KnockProof { knock, proof } => {
                self.on_knock_proof(now, peer, knock, proof);
                Ok(())
            }
            Frame::DoorOpened {
                knock,
                proof,
                sealed,
            } => self.on_door_opened(peer, knock, proof, &sealed),
            Frame::DoorShut { knock, later } => {
                self.on_door_shut(now, peer, knock, later);
                Ok(())
            }
        }
    }

    fn send_frame(&mut self, peer: &Peer, frame: &Frame) {
        self.send_on(peer, Lane::Text, frame);
    }

    fn send_on(&mut self, peer: &Peer, lane: Lane, frame: &Frame) {
        let bytes = frame.encode();
        debug_assert!(bytes.len() <= MAX_FRAME, "a frame of {} bytes", bytes.len());
        self.outputs.push(Output::Send {
            peer: *peer,
            lane,
            bytes,
        });
    }

    /// What a frame costs its sender, in tokens. What was asked for costs nothing but its handling.
    fn cost(&self, peer: &Peer, frame: &Frame) -> i64 {
        let many = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        match frame {
            Frame::Tags(_) | Frame::Join { .. } | Frame::Knock { .. } => 50,
            Frame::Heads { feeds, .. } => {
                5 + many(feeds.iter().map(|feed| feed.ends.len()).sum()) / 64
            }
            Frame::WantLatest { .. } => latest::COST,
            Frame::Latest {
                space,
                room,
                records,
            } if !self.is_asked_latest(peer, space, room) => many(records.len()).max(1),
            Frame::WantList { .. }
            | Frame::WantBodies { .. }
            | Frame::WantSecrets { .. }
            | Frame::WantHolding { .. }
            | Frame::Spare
            | Frame::KnockAnswer { .. }
            | Frame::KnockProof { .. } => 5,
            Frame::News { feeds, .. } => {
                2 + many(feeds.iter().map(|feed| feed.ends.len()).sum()) / 16
            }
            Frame::Around { said, .. } => 2 + many(said.len()),
            Frame::Reached(reached) => 2 + many(reached.len()),
            Frame::WantBranch { .. } => SEARCH_COST,
            Frame::Branch {
                space,
                record,
                records,
            } if !self.is_searching(peer, space, record) => many(records.len()).max(1),
            Frame::Records {
                space,
                room,
                device,
                incarnation,
                records,
                ..
            } => {
                let feed = FeedKey {
                    space: *space,
                    room: *room,
                    device: *device,
                    incarnation: *incarnation,
                };
                let begin = place_of(records.first());
                let want = self.wants.get(&feed);
                let asked = want.is_some_and(|want| want.is_answer(peer, begin));
                if asked { 0 } else { many(records.len()).max(1) }
            }
            Frame::Branch { .. } | Frame::Latest { .. } => 0,
            Frame::Withheld { records, .. } => 1 + many(records.len()) / 64,
            Frame::Holding { .. } => 2,
            Frame::RegisterSummary { .. } | Frame::WantRegisters { .. } => QUESTION_COST,
            Frame::RegisterRooms { rooms, .. } => ROOMS_COST + many(rooms.len()) / 64,
            Frame::RegisterCells { cells, .. } => cells_cost(cells.len()),
            Frame::Registers {
                registers, answer, ..
            } => {
                let session = self.sessions.get(peer);
                let asked = session.is_some_and(|session| session.registers.is_open());
                let each = if asked && answer.is_some() { 16 } else { 1 };
                1 + many(registers.len()) / each
            }
            Frame::Chunk { message, index, .. } | Frame::List { message, index, .. } => {
                let key = (*message, *index);
                let asked = match frame {
                    Frame::Chunk { chunk, .. } => self.fetches.is_waiting(peer, &key, *chunk),
                    _ => self.fetches.is_listed_by(peer, &key),
                };
                if asked { 0 } else { 20 }
            }
            _ => 1,
        }
    }
}
