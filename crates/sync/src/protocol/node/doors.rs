//! Doors: whoever types the short code that a teacher shows gets the invite.
//!
//! The code is the password of SPAKE2, so neither who listens nor who relays learns anything by which codes could be tried
//! without the door. Both identities of the exchange hold the device and the nonce of their side of this session: its key
//! is worth nothing on another link. The guest shows first that it has the key; a guess is counted where that fails. Only
//! then does the door show the same, with the invite encrypted beside it.
//!
//! Doors and knocking live in memory only, and end with the program.

use artel_domain::{DeviceId, DoorCode, InviteCode, InviteId, MemberId, SpaceId};
use chacha20poly1305::{
    ChaCha20Poly1305, Nonce,
    aead::{Aead as _, KeyInit as _},
};
use rand_core::{CryptoRng, RngCore};
use spake2::{Ed25519Group, Identity, Password, Spake2};
use zeroize::Zeroizing;

use super::{
    super::{
        event::{CommandError, DoorEnd, Event, Output, Peer},
        frame::Frame,
        roster::{Invite, needed_to_invite},
    },
    Fault, Node,
    session::Session,
};

/// Doors that a node holds at once.
const MAX_DOORS: usize = 16;
/// Wrong codes after which a door closes.
const MOST_WRONG: u32 = 20;
/// Wrong codes that cost nothing but the count.
const FREE_WRONG: u32 = 4;
/// How long a door hears nobody after the next one; twice as long after each more.
const REST: i64 = 1_000;
/// It never rests longer.
const LONGEST_REST: i64 = 30_000;
/// Guests that a door remembers.
const MAX_GUESTS: usize = 1_000;
/// Time between two knocks at a door that rests, in milliseconds.
const KNOCK_AGAIN: i64 = 3_000;
/// Knocks by one code: each gives one peer one guess at it.
const MAX_KNOCKS: u32 = 500;
/// First bytes of the messages of the exchange, by which it tells its sides apart.
const GUEST_SIDE: u8 = 0x41;
const KEEPER_SIDE: u8 = 0x42;

type Exchange = Spake2<Ed25519Group>;

/// A door that this node holds open.
pub(super) struct Door {
    code: DoorCode,
    invite: InviteCode,
    until: i64,
    wrong: u32,
    rests_until: i64,
    guests: Vec<DeviceId>,
}

/// Someone who knocked at a door of this node and has not yet shown that they know the code.
pub(super) struct Guest {
    space: SpaceId,
    number: u16,
    knock: u32,
    key: SharedKey,
}

/// A code with which this node knocks at the peers' doors.
pub(super) struct Knocking {
    /// By which it is told from those before and after it.
    number: u32,
    code: DoorCode,
    left: u32,
}

/// How knocking stands with one peer.
pub(super) enum Knock {
    Asked(Exchange),
    Shown(SharedKey),
    /// Its door hears nobody until then.
    Later(i64),
    /// It has no such door.
    Shut,
}

/// An open door, as its keeper sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoorView {
    /// The code to show.
    pub code: DoorCode,
    /// The invite that it leads to.
    pub invite: InviteId,
    /// When it closes, in Unix milliseconds.
    pub until: i64,
    /// Wrong codes so far.
    pub wrong: u32,
    /// Machines that were given the invite.
    pub guests: u32,
    /// People of those machines who are in the roster by now, in the order they knocked.
    pub came: Vec<MemberId>,
}

impl Node {
    /// Opens the door of a space: for a while, a short code leads to an invite. An open one is closed, with its code.
    ///
    /// # Errors
    /// No such space, the invite does not lead there or ended, or not allowed.
    pub fn open_door(
        &mut self,
        now: i64,
        space: SpaceId,
        invite: InviteCode,
        until: i64,
    ) -> Result<DoorCode, CommandError> {
        let found = self.spaces.get(&space).ok_or(CommandError::NoSpace)?;
        let known = found.roster.invite(&invite.key().id());
        let usable = |invite: &&Invite| !invite.revoked && now < invite.expires_at;
        let role = known.filter(usable).ok_or(CommandError::NoInvite)?.role;
        self.may(&space, needed_to_invite(role))?;
        self.has_room_for_door(&space)?;
        let code = loop {
            let code = DoorCode::from_bytes(self.entropy.draw()?);
            if self.door_of(code.number()).is_none() {
                break code;
            }
        };
        let door = Door {
            code: code.clone(),
            invite,
            until,
            wrong: 0,
            rests_until: i64::MIN,
            guests: Vec::new(),
        };
        self.doors.insert(space, door);
        Ok(code)
    }

    /// Whether one more door can be opened: to be asked before an invite is made for it.
    ///
    /// # Errors
    /// As many are open as may be, and none of them is this space's.
    pub fn has_room_for_door(&self, space: &SpaceId) -> Result<(), CommandError> {
        if self.doors.len() >= MAX_DOORS && !self.doors.contains_key(space) {
            return Err(CommandError::TooManyDoors);
        }
        Ok(())
    }

    /// Closes the door of a space. None open is no error.
    pub fn close_door(&mut self, space: &SpaceId) {
        self.doors.remove(space);
    }

    /// The open door of a space.
    pub fn door(&self, space: &SpaceId) -> Option<DoorView> {
        let door = self.doors.get(space)?;
        let roster = &self.spaces.get(space)?.roster;
        let mut came: Vec<MemberId> = Vec::new();
        for member in door
            .guests
            .iter()
            .filter_map(|device| roster.of_device(device))
        {
            if !came.contains(&member.id) {
                came.push(member.id);
            }
        }
        Some(DoorView {
            code: door.code.clone(),
            invite: door.invite.key().id(),
            until: door.until,
            wrong: door.wrong,
            guests: u32::try_from(door.guests.len()).unwrap_or(u32::MAX),
            came,
        })
    }

    /// Begins to knock at the doors of all peers that are or come to be connected, instead of by any code before. What
    /// comes of it is told with the number that comes back, as [`Event::DoorOpened`], [`Event::DoorShut`] and
    /// [`Event::KnockingEnded`].
    pub fn knock(&mut self, now: i64, code: DoorCode) -> u32 {
        self.knocks = self.knocks.wrapping_add(1);
        let number = self.knocks;
        if let Some(before) = self.knocking.replace(Knocking {
            number,
            code,
            left: MAX_KNOCKS,
        }) {
            self.forget_knocks(before.number);
        }
        for peer in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.knock_at(now, &peer);
        }
        number
    }

    /// Gives up the knocking of this number, if that is still under way.
    pub fn stop_knocking(&mut self, number: u32) {
        if let Some(over) = self.knocking.take_if(|knocking| knocking.number == number) {
            self.forget_knocks(over.number);
        }
    }

    /// The number of the knocking by a code, while it is under way.
    pub fn knocking_by(&self, code: &DoorCode) -> Option<u32> {
        let knocking = self.knocking.as_ref();
        let by = knocking.filter(|knocking| knocking.code == *code);
        by.map(|knocking| knocking.number)
    }

    fn forget_knocks(&mut self, knocking: u32) {
        for session in self.sessions.values_mut() {
            session.knock = None;
        }
        let over = Event::KnockingEnded { knocking };
        self.outputs.push(Output::Event(over));
    }

    /// Knocks at the door of a peer that has greeted.
    pub(super) fn knock_at(&mut self, now: i64, peer: &Peer) {
        let me = self.device();
        let Some(knocking) = self.knocking.as_mut().filter(|knocking| knocking.left > 0) else {
            return;
        };
        let Some(session) = self.sessions.get_mut(peer) else {
            return;
        };
        let due = match &session.knock {
            None => true,
            Some((_, Knock::Later(at))) => *at <= now,
            Some(_) => false,
        };
        let Some((mine, theirs)) = session.nonces().filter(|_| due) else {
            return;
        };
        let Ok(seed) = self.entropy.draw() else {
            return;
        };
        knocking.left -= 1;
        self.knocks = self.knocks.wrapping_add(1);
        let knock = self.knocks;
        let (exchange, message) = Exchange::start_a_with_rng(
            &Password::new(knocking.code.secret()),
            &identity(GUEST, &me, &mine),
            &identity(KEEPER, peer, &theirs),
            Drawn::new(seed),
        );
        let Some(element) = element_of(&message) else {
            return;
        };
        let door = knocking.code.number();
        session.knock = Some((knock, Knock::Asked(exchange)));
        let frame = Frame::Knock {
            door,
            knock,
            element,
        };
        self.send_frame(peer, &frame);
    }

    /// Keeper: someone knocks.
    pub(super) fn on_knock(
        &mut self,
        now: i64,
        peer: &Peer,
        (number, knock): (u16, u32),
        element: [u8; 32],
    ) -> Result<(), Fault> {
        let me = self.device();
        let open = self.door_of(number).filter(|(_, door)| now < door.until);
        let rests = open.is_some_and(|(_, door)| now < door.rests_until);
        let Some((space, door)) = open.filter(|_| !rests) else {
            self.shut(peer, knock, rests);
            return Ok(());
        };
        let space = *space;
        let password = Password::new(door.code.secret());
        let nonces = self.sessions.get(peer).and_then(Session::nonces);
        let Some((mine, theirs)) = nonces else {
            return Err(Fault::Broke("a knock before a greeting"));
        };
        let Ok(seed) = self.entropy.draw() else {
            return Ok(());
        };
        let (exchange, message) = Exchange::start_b_with_rng(
            &password,
            &identity(GUEST, peer, &theirs),
            &identity(KEEPER, &me, &mine),
            Drawn::new(seed),
        );
        let key = SharedKey::agree(exchange, GUEST_SIDE, element)
            .ok_or(Fault::Broke("a knock that is no point of the curve"))?;
        let Some(element) = element_of(&message) else {
            return Ok(());
        };
        if let Some(session) = self.sessions.get_mut(peer) {
            session.guest = Some(Guest {
                space,
                number,
                knock,
                key,
            });
        }
        self.send_frame(peer, &Frame::KnockAnswer { knock, element });
        Ok(())
    }

    /// Guest: the door answers.
    pub(super) fn on_knock_answer(
        &mut self,
        peer: &Peer,
        knock: u32,
        element: [u8; 32],
    ) -> Result<(), Fault> {
        let Some(session) = self.knocked(peer, knock) else {
            return Ok(());
        };
        let Some((_, Knock::Asked(exchange))) = session.knock.take() else {
            return Err(Fault::Broke("an answer to no knock"));
        };
        let key = SharedKey::agree(exchange, KEEPER_SIDE, element).ok_or(Fault::Broke(
            "a door's answer that is no point of the curve",
        ))?;
        let proof = key.proof(GUEST);
        session.knock = Some((knock, Knock::Shown(key)));
        self.send_frame(peer, &Frame::KnockProof { knock, proof });
        Ok(())
    }

    /// Keeper: someone shows that they know the code, or guessed wrong.
    pub(super) fn on_knock_proof(&mut self, now: i64, peer: &Peer, knock: u32, proof: [u8; 32]) {
        let guest = self
            .sessions
            .get_mut(peer)
            .and_then(|session| session.guest.take());
        let Some(guest) = guest.filter(|guest| guest.knock == knock) else {
            return;
        };
        let (space, number) = (guest.space, guest.number);
        let door = self.doors.get_mut(&space);
        let Some(door) = door.filter(|door| door.code.number() == number && now < door.until)
        else {
            self.shut(peer, knock, false);
            return;
        };
        // Many links at once are no way around the rest.
        if now < door.rests_until {
            self.shut(peer, knock, true);
            return;
        }
        if guest.key.is_shown_by(GUEST, &proof) {
            let invite = Zeroizing::new(door.invite.to_string());
            let Some(sealed) = guest.key.seal(invite.as_bytes()) else {
                return;
            };
            if door.guests.len() < MAX_GUESTS && !door.guests.contains(peer) {
                door.guests.push(*peer);
            }
            let proof = guest.key.proof(KEEPER);
            let frame = Frame::DoorOpened {
                knock,
                proof,
                sealed,
            };
            self.send_frame(peer, &frame);
            self.outputs.push(Output::Event(Event::DoorPassed {
                space,
                device: *peer,
            }));
            return;
        }
        door.wrong += 1;
        if let Some(beyond) = door.wrong.checked_sub(FREE_WRONG + 1) {
            let rest = REST.saturating_mul(1 << beyond.min(16)).min(LONGEST_REST);
            door.rests_until = now.saturating_add(rest);
        }
        let closes = door.wrong >= MOST_WRONG;
        self.outputs.push(Output::Event(Event::DoorTried { space }));
        self.shut(peer, knock, false);
        if closes {
            self.end_door(space, DoorEnd::Guessed);
        }
    }

    /// Guest: the door opened.
    pub(super) fn on_door_opened(
        &mut self,
        peer: &Peer,
        knock: u32,
        proof: [u8; 32],
        sealed: &[u8],
    ) -> Result<(), Fault> {
        let Some(session) = self.knocked(peer, knock) else {
            return Ok(());
        };
        let Some((_, Knock::Shown(key))) = session.knock.replace((knock, Knock::Shut)) else {
            return Err(Fault::Broke("a door opened that was not asked"));
        };
        if !key.is_shown_by(KEEPER, &proof) {
            return Err(Fault::Broke("a door that does not know its code"));
        }
        let text = key.unseal(sealed);
        let text = text
            .as_ref()
            .and_then(|text| std::str::from_utf8(text).ok());
        let invite: InviteCode = text
            .and_then(|text| text.parse().ok())
            .ok_or(Fault::Broke("a door that leads to no invite"))?;
        let Some(Knocking { number, .. }) = self.knocking.take() else {
            return Ok(());
        };
        let opened = Event::DoorOpened {
            knocking: number,
            invite,
        };
        self.outputs.push(Output::Event(opened));
        self.forget_knocks(number);
        Ok(())
    }

    /// Guest: there is no such door here, or not now.
    pub(super) fn on_door_shut(&mut self, now: i64, peer: &Peer, knock: u32, later: bool) {
        let Some(session) = self.knocked(peer, knock) else {
            return;
        };
        // Told once a knock.
        if let Some((_, Knock::Shut | Knock::Later(_))) = session.knock {
            return;
        }
        let stands = if later {
            Knock::Later(now.saturating_add(KNOCK_AGAIN))
        } else {
            Knock::Shut
        };
        session.knock = Some((knock, stands));
        let Some(Knocking { number, .. }) = self.knocking else {
            return;
        };
        self.outputs.push(Output::Event(Event::DoorShut {
            knocking: number,
            peer: *peer,
            later,
        }));
    }

    /// Closes doors whose time is over or whose invite ended, and knocks again where that is due.
    pub(super) fn tick_doors(&mut self, now: i64) {
        let mut over = Vec::new();
        for (space, door) in &self.doors {
            let roster = self.spaces.get(space).map(|space| &space.roster);
            let invite = roster.and_then(|roster| roster.invite(&door.invite.key().id()));
            let stands = invite.is_some_and(|invite| {
                let may = self.may(space, needed_to_invite(invite.role)).is_ok();
                may && !invite.revoked && now < invite.expires_at
            });
            if now >= door.until {
                over.push((*space, DoorEnd::Time));
            } else if !stands {
                over.push((*space, DoorEnd::Invite));
            }
        }
        for (space, why) in over {
            self.end_door(space, why);
        }
        if self.knocking.is_some() {
            for peer in self.sessions.keys().copied().collect::<Vec<_>>() {
                self.knock_at(now, &peer);
            }
        }
    }

    fn end_door(&mut self, space: SpaceId, why: DoorEnd) {
        self.doors.remove(&space);
        self.outputs
            .push(Output::Event(Event::DoorClosed { space, why }));
    }

    fn door_of(&self, number: u16) -> Option<(&SpaceId, &Door)> {
        let mut doors = self.doors.iter();
        doors.find(|(_, door)| door.code.number() == number)
    }

    fn shut(&mut self, peer: &Peer, knock: u32, later: bool) {
        self.send_frame(peer, &Frame::DoorShut { knock, later });
    }

    /// The session with a peer, if this is the last knock at its door. An answer to an earlier one came too late.
    fn knocked(&mut self, peer: &Peer, knock: u32) -> Option<&mut Session> {
        let session = self.sessions.get_mut(peer)?;
        let last = session.knock.as_ref().map(|(number, _)| *number);
        (last == Some(knock)).then_some(session)
    }
}

/// What the two sides of an exchange are called.
const GUEST: &str = "guest";
const KEEPER: &str = "keeper";

/// One side of the exchange: this device, in this session.
fn identity(side: &str, device: &DeviceId, nonce: &[u8; 32]) -> Identity {
    let words = ["artel 2026-11 door ", side].concat();
    Identity::new(&[words.as_bytes(), device.as_bytes(), nonce].concat())
}

/// The point in a message of the exchange, without the byte that says whose it is.
fn element_of(message: &[u8]) -> Option<[u8; 32]> {
    message.split_first()?.1.try_into().ok()
}

/// What both sides have in the end, if they have one code.
pub(super) struct SharedKey(Zeroizing<[u8; 32]>);

impl SharedKey {
    fn agree(exchange: Exchange, side: u8, element: [u8; 32]) -> Option<Self> {
        let message = [&[side], element.as_slice()].concat();
        let key = Zeroizing::new(exchange.finish(&message).ok()?);
        let key = key.as_slice().try_into().ok()?;
        Some(Self(Zeroizing::new(key)))
    }

    /// Shows that a side has the key, and not which.
    fn proof(&self, side: &str) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("artel 2026-11 door proof");
        hasher.update(&*self.0).update(side.as_bytes());
        *hasher.finalize().as_bytes()
    }

    fn is_shown_by(&self, side: &str, proof: &[u8; 32]) -> bool {
        // In constant time.
        blake3::Hash::from_bytes(self.proof(side)) == blake3::Hash::from_bytes(*proof)
    }

    /// The key encrypts one thing once.
    fn cipher(&self) -> ChaCha20Poly1305 {
        let key = Zeroizing::new(blake3::derive_key("artel 2026-11 door seal", &*self.0));
        ChaCha20Poly1305::new((&*key).into())
    }

    fn seal(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.cipher().encrypt(&Nonce::default(), plain).ok()
    }

    fn unseal(&self, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let plain = self.cipher().decrypt(&Nonce::default(), sealed).ok()?;
        Some(Zeroizing::new(plain))
    }
}

/// Random bytes that follow from 32 drawn ones, for a crate that wants to draw by itself.
struct Drawn(blake3::OutputReader);

impl Drawn {
    fn new(seed: [u8; 32]) -> Self {
        let seed = Zeroizing::new(seed);
        let mut hasher = blake3::Hasher::new_derive_key("artel 2026-11 door randomness");
        hasher.update(&*seed);
        Self(hasher.finalize_xof())
    }
}

impl RngCore for Drawn {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl CryptoRng for Drawn {}
