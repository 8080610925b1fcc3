//! Bodies that only the devices of their readers open: HPKE (RFC 9180) of X25519, HKDF-SHA256 and ChaCha20-Poly1305.
//!
//! A [`Letter`] says who reads it and what it says. It is padded to a power of two and sealed under a key of its own, and
//! that key is sealed to each device in a [`Slot`]. A slot begins with a tag that only the two devices can make or
//! recognise, and that is another one for every record. Their number is padded as well, with slots that nobody opens.
//! So one who carries a [`Sealed`] sees about how long it is and for how many it may be, and nothing else.
//!
//! Everything is bound to its [`Place`]: in another record the same bytes open to nothing. And it is bound to its key:
//! nobody can make one body that says different things to different readers.

use std::{convert::Infallible, fmt};

use chacha20poly1305::{
    ChaCha20Poly1305, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use hpke::{
    Deserializable as _, Kem as _, OpModeR, OpModeS, Serializable as _,
    aead::ChaCha20Poly1305 as SlotAead,
    kdf::HkdfSha256,
    kem::X25519HkdfSha256,
    rand_core::{TryCryptoRng, TryRng},
};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{
    body::{Body, Content},
    envelope::Envelope,
    id::{DeviceId, Incarnation, MemberId, MessageId, RoomId, SpaceId},
    key::DeviceKey,
    limits::{MAX_LETTER, MAX_PADDED, MAX_READERS, MAX_SLOTS, MAX_TEXT},
    signed::{RecordError, Signed, decode_exact},
};

const WHAT: &str = "a sealed body";
const REPORT: &str = "a report";
/// Least that a letter is padded to.
const LEAST: usize = 256;
/// Fewest slots.
const FEWEST: usize = 4;
/// What the cipher adds.
const OVERHEAD: usize = 16;

type PrivateKey = <X25519HkdfSha256 as hpke::Kem>::PrivateKey;
type PublicKey = <X25519HkdfSha256 as hpke::Kem>::PublicKey;
type Encapsulated = <X25519HkdfSha256 as hpke::Kem>::EncappedKey;

/// The public half of a key that something is sealed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Prekey([u8; 32]);

impl Prekey {
    /// The key that these bytes are.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The private half. Erased from memory when dropped; `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct PrekeySecret([u8; 32]);

impl PrekeySecret {
    /// The key that these bytes are; random ones make a new key.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes, for the encrypted store and nowhere else.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The public half.
    pub fn public(&self) -> Option<Prekey> {
        let public = X25519HkdfSha256::sk_to_pk(&self.key()?);
        public.to_bytes().as_slice().try_into().ok().map(Prekey)
    }

    fn key(&self) -> Option<PrivateKey> {
        PrivateKey::from_bytes(&self.0).ok()
    }
}

impl fmt::Debug for PrekeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrekeySecret")
    }
}

/// The key that one body is sealed under. Erased from memory when dropped; `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct ContentKey([u8; 32]);

impl ContentKey {
    /// The key that these bytes are; random ones make a new key.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes, for the encrypted store and for those who shall read.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn cipher(&self) -> ChaCha20Poly1305 {
        let key = Zeroizing::new(blake3::derive_key("artel 2026-11 sealed content", &self.0));
        ChaCha20Poly1305::new(&(*key).into())
    }

    /// What a body says of its key: the cipher alone would let another key open the same bytes to something else.
    fn commitment(&self) -> [u8; 32] {
        blake3::derive_key("artel 2026-11 sealed content key", &self.0)
    }
}

impl fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentKey")
    }
}

/// Where a sealed body stands: only there it opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Space.
    pub space: SpaceId,
    /// Device that seals.
    pub device: DeviceId,
    /// Life of its feed.
    pub incarnation: Incarnation,
    /// Place in the feed.
    pub sequence: u64,
}

impl Place {
    /// The place of a record.
    pub fn of(record: &Envelope) -> Self {
        Self {
            space: record.space,
            device: record.device,
            incarnation: record.incarnation,
            sequence: record.sequence,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        [
            self.space.as_bytes().as_slice(),
            self.device.as_bytes(),
            self.incarnation.as_bytes(),
            &self.sequence.to_le_bytes(),
        ]
        .concat()
    }

    /// The tag by which a device finds its slot. `pair` is what the two devices agree on.
    fn tag(&self, pair: &[u8; 32]) -> [u8; 16] {
        let mut hasher = blake3::Hasher::new_derive_key("artel 2026-11 slot tag");
        hasher.update(pair).update(&self.bytes());
        let mut tag = [0; 16];
        hasher.finalize_xof().fill(&mut tag);
        tag
    }

    fn info(&self) -> Vec<u8> {
        [b"artel 2026-11 slot".as_slice(), &self.bytes()].concat()
    }
}

/// The key of a body, sealed to one device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    tag: [u8; 16],
    encapsulated: [u8; 32],
    key: [u8; 32],
    mac: [u8; OVERHEAD],
}

/// A sealed body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    commitment: [u8; 32],
    slots: Vec<Slot>,
    bytes: Vec<u8>,
}

/// What is sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Who reads it, its author among them; ascending.
    pub readers: Vec<MemberId>,
    /// What it says.
    pub content: Content,
}

#[derive(Serialize, Deserialize)]
struct LetterWire {
    readers: Vec<MemberId>,
    kind: u16,
    payload: Vec<u8>,
}

impl Letter {
    fn check(&self) -> Result<(), RecordError> {
        let rule = if self.readers.len() > MAX_READERS || self.readers.is_empty() {
            "1 to 256 members read it"
        } else if !self.readers.is_sorted_by(|a, b| a < b) {
            "its readers are in ascending order, each once"
        } else if matches!(
            self.content,
            Content::Control(_) | Content::Page { .. } | Content::Sealed(_)
        ) {
            "only what is said to people is sealed"
        } else {
            return Ok(());
        };
        Err(RecordError::Rule { what: WHAT, rule })
    }

    /// What it may be padded to: a message is so short that a report of it, with an edit, can be sealed as well.
    fn limit(&self) -> usize {
        match self.content {
            Content::Report(_) => MAX_PADDED,
            _ => MAX_LETTER,
        }
    }

    /// Whether it can be sealed to so many devices.
    ///
    /// # Errors
    /// The letter breaks a rule or is too long, or there are too many devices.
    pub fn fits(&self, devices: usize) -> Result<(), RecordError> {
        few_enough(devices)?;
        self.encode().map(drop)
    }

    /// Its padded wire form.
    fn encode(&self) -> Result<Zeroizing<Vec<u8>>, RecordError> {
        self.check()?;
        let (kind, payload) = self.content.encode()?;
        let wire = LetterWire {
            readers: self.readers.clone(),
            kind,
            payload,
        };
        let malformed = RecordError::Malformed { what: WHAT };
        let wire = Zeroizing::new(postcard::to_stdvec(&wire).map_err(|_| malformed.clone())?);
        let length = u32::try_from(wire.len()).map_err(|_| malformed)?;
        let (size, limit) = (padded_to(&wire), self.limit());
        if size > limit {
            return Err(RecordError::TooLarge {
                what: WHAT,
                found: wire.len().saturating_add(4),
                limit,
            });
        }
        let mut padded = Zeroizing::new(Vec::with_capacity(size));
        padded.extend_from_slice(&length.to_le_bytes());
        padded.extend_from_slice(&wire);
        padded.resize(size, 0);
        Ok(padded)
    }

    fn decode(padded: &[u8]) -> Result<Self, RecordError> {
        let malformed = RecordError::Malformed { what: WHAT };
        let parts = padded.split_first_chunk::<4>().and_then(|(length, rest)| {
            rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
        });
        let (wire, padding) = parts.ok_or_else(|| malformed.clone())?;
        let LetterWire {
            readers,
            kind,
            payload,
        } = decode_exact(wire).ok_or(malformed)?;
        let content = Content::decode(kind, &payload)?;
        let letter = Self { readers, content };
        letter.check()?;
        // Longer than honest ones are, it could be read and not be reported.
        let size = padded_to(wire);
        if padded.len() != size || size > letter.limit() || padding.iter().any(|byte| *byte != 0) {
            return Err(RecordError::Rule {
                what: WHAT,
                rule: "it is padded with zeros, and no further than needed",
            });
        }
        Ok(letter)
    }
}

/// What the wire form of a letter is padded to, its length before it.
fn padded_to(wire: &[u8]) -> usize {
    let length = wire.len().saturating_add(4);
    length.next_power_of_two().max(LEAST)
}

fn few_enough(devices: usize) -> Result<(), RecordError> {
    if devices <= MAX_SLOTS {
        return Ok(());
    }
    Err(RecordError::TooLarge {
        what: "the list of devices that a body is sealed to",
        found: devices,
        limit: MAX_SLOTS,
    })
}

/// Randomness from a seed, for a cipher that wants a source of it.
struct Stream(blake3::OutputReader);

impl Stream {
    fn new(seed: &[u8; 32]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("artel 2026-11 sealing randomness");
        Self(hasher.update(seed).finalize_xof())
    }

    fn draw<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill(&mut bytes);
        bytes
    }
}

impl TryRng for Stream {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes(self.draw()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_le_bytes(self.draw()))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Stream {}

impl Sealed {
    /// Seals a letter to devices, each with the key to use for it. Where that is no sound one, the device's own key stands
    /// in for it, and a device whose own key is none goes without: what one device made known keeps nobody else from
    /// reading. `seed` is 32 random bytes, used once. Gives the key of the body as well, for the one who seals: there is no
    /// slot for the sealing device.
    ///
    /// # Errors
    /// The letter breaks a rule or is too long, or there are too many devices.
    pub fn seal(
        letter: &Letter,
        place: &Place,
        sender: &DeviceKey,
        devices: &[(DeviceId, Prekey)],
        seed: &Zeroizing<[u8; 32]>,
    ) -> Result<(Self, ContentKey), RecordError> {
        few_enough(devices.len())?;
        let padded = letter.encode()?;
        let mut random = Stream::new(seed);
        let key = ContentKey(random.draw());
        let payload = Payload {
            msg: &padded,
            aad: &place.bytes(),
        };
        // A key is used once, so its nonce may be any.
        let bytes = key.cipher().encrypt(&Nonce::default(), payload);
        let bytes = bytes.map_err(|_| RecordError::Malformed { what: WHAT })?;
        let number = devices.len().next_power_of_two().max(FEWEST);
        let mut slots = Vec::with_capacity(number);
        for (device, prekey) in devices {
            let Some(pair) = sender.agree(device) else {
                continue;
            };
            let tag = place.tag(&pair);
            let own = device.prekey();
            let slot = [Some(prekey), own.as_ref()]
                .into_iter()
                .flatten()
                .find_map(|prekey| Slot::new(place, tag, prekey, &key, &mut random));
            slots.extend(slot);
        }
        while slots.len() < number {
            // To a key that nobody has: like the others in everything.
            let (tag, nobody) = (random.draw(), PrekeySecret(random.draw()));
            let slot = nobody
                .public()
                .and_then(|prekey| Slot::new(place, tag, &prekey, &key, &mut random));
            slots.push(slot.ok_or(RecordError::Malformed { what: WHAT })?);
        }
        // Which of them are real does not show in their order.
        slots.sort_unstable_by_key(|slot| slot.tag);
        let sealed = Self {
            commitment: key.commitment(),
            slots,
            bytes,
        };
        sealed.check()?;
        Ok((sealed, key))
    }

    pub(crate) fn check(&self) -> Result<(), RecordError> {
        let size = self.bytes.len().saturating_sub(OVERHEAD);
        let rule = if self.slots.len() > MAX_SLOTS
            || self.slots.len() < FEWEST
            || !self.slots.len().is_power_of_two()
        {
            "it has 4 to 256 slots, a power of two"
        } else if !size.is_power_of_two() || !(LEAST..=MAX_PADDED).contains(&size) {
            "it is padded to a power of two from 256 bytes to 256 KiB"
        } else {
            return Ok(());
        };
        Err(RecordError::Rule { what: WHAT, rule })
    }

    /// The slot for this device, if there is one.
    pub fn slot(&self, place: &Place, device: &DeviceKey) -> Option<&Slot> {
        let tag = place.tag(&*device.agree(&place.device)?);
        self.slots.iter().find(|slot| slot.tag == tag)
    }

    /// Opens the body.
    ///
    /// # Errors
    /// The key or the place is another one, or what was sealed breaks a rule.
    pub fn open(&self, place: &Place, key: &ContentKey) -> Result<Letter, RecordError> {
        let payload = Payload {
            msg: &self.bytes,
            aad: &place.bytes(),
        };
        let opened = key.cipher().decrypt(&Nonce::default(), payload);
        match opened {
            Ok(padded) if key.commitment() == self.commitment => {
                Letter::decode(&Zeroizing::new(padded))
            }
            _ => Err(RecordError::Rule {
                what: WHAT,
                rule: "it opens only with its own key, in its own place",
            }),
        }
    }
}

impl Slot {
    fn new(
        place: &Place,
        tag: [u8; 16],
        prekey: &Prekey,
        key: &ContentKey,
        random: &mut Stream,
    ) -> Option<Self> {
        let reader = PublicKey::from_bytes(&prekey.0).ok()?;
        let (encapsulated, sealed) = hpke::single_shot_seal_with_rng::<
            SlotAead,
            HkdfSha256,
            X25519HkdfSha256,
        >(
            &OpModeS::Base, &reader, &place.info(), &key.0, &tag, random
        )
        .ok()?;
        let (wrapped, mac) = sealed.split_first_chunk::<32>()?;
        Some(Self {
            tag,
            encapsulated: encapsulated.to_bytes().as_slice().try_into().ok()?,
            key: *wrapped,
            mac: mac.try_into().ok()?,
        })
    }

    /// The key of the body, if this is one of the keys that the slot was sealed to.
    pub fn open<'a>(
        &self,
        place: &Place,
        secrets: impl IntoIterator<Item = &'a PrekeySecret>,
    ) -> Option<ContentKey> {
        let encapsulated = Encapsulated::from_bytes(&self.encapsulated).ok()?;
        let sealed = [self.key.as_slice(), &self.mac].concat();
        secrets.into_iter().find_map(|secret| {
            let opened = hpke::single_shot_open::<SlotAead, HkdfSha256, X25519HkdfSha256>(
                &OpModeR::Base,
                &secret.key()?,
                &encapsulated,
                &place.info(),
                &sealed,
                &self.tag,
            );
            let opened = Zeroizing::new(opened.ok()?);
            opened.as_slice().try_into().ok().map(ContentKey)
        })
    }
}

impl SpaceId {
    /// The room that holds everything sealed to single members. It is never listed as a room.
    pub fn direct_room(&self) -> RoomId {
        RoomId::from_bytes(blake3::derive_key(
            "artel 2026-11 direct room",
            self.as_bytes(),
        ))
    }

    /// Where the reports of a space are shown. Nothing is written there.
    pub fn reports(&self) -> RoomId {
        RoomId::from_bytes(blake3::derive_key("artel 2026-11 reports", self.as_bytes()))
    }
}

impl RoomId {
    /// Where a conversation of these members is shown, who are in ascending order. Nothing is written there.
    pub fn conversation(space: &SpaceId, readers: &[MemberId]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("artel 2026-11 conversation");
        hasher.update(space.as_bytes());
        for reader in readers {
            hasher.update(reader.as_bytes());
        }
        Self::from_bytes(*hasher.finalize().as_bytes())
    }
}

/// A signed record with its body, to be shown to one who did not have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The envelope, as its author signed it.
    pub envelope: Vec<u8>,
    /// The body, as it travelled.
    pub body: Vec<u8>,
    /// The key of the body, if it was sealed.
    pub key: Option<ContentKey>,
}

impl Evidence {
    /// Checks the signature, and that the body is the record's; opens a sealed one.
    ///
    /// # Errors
    /// It is not what its author signed.
    pub fn open(&self) -> Result<(Signed<Envelope>, Body), RecordError> {
        let envelope = Signed::<Envelope>::open(&self.envelope)?;
        if Body::hash_of(&self.body) != envelope.value().body {
            return Err(RecordError::Rule {
                what: REPORT,
                rule: "a body is its record's",
            });
        }
        let mut body = Body::decode(&self.body)?;
        if let Content::Sealed(sealed) = &body.content {
            let key = self.key.as_ref().ok_or(RecordError::Rule {
                what: REPORT,
                rule: "what was sealed comes with its key",
            })?;
            body.content = sealed.open(&Place::of(envelope.value()), key)?.content;
        }
        Ok((envelope, body))
    }
}

/// A message shown to those who run the space.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Why.
    pub text: String,
    /// The message, and the edit that stands, if it was edited.
    pub evidence: Vec<Evidence>,
}

/// What a report shows, once it was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reported {
    /// The record.
    pub id: MessageId,
    /// Device that wrote it.
    pub device: DeviceId,
    /// Its room; the direct room if it was sealed.
    pub room: RoomId,
    /// Its author's clock, Unix milliseconds.
    pub at: i64,
    /// What it said.
    pub content: Content,
    /// What it was edited to, and the device that did.
    pub edit: Option<(DeviceId, String)>,
}

impl Report {
    pub(crate) fn check(&self) -> Result<(), RecordError> {
        let rule = if self.text.len() > MAX_TEXT {
            "a text has at most 32 KiB"
        } else if !(1..=2).contains(&self.evidence.len()) {
            "it shows one message, and at most one edit of it"
        } else {
            return Ok(());
        };
        Err(RecordError::Rule { what: REPORT, rule })
    }

    /// Checks what a report shows: every record is signed by its author, is of this space, and an edit is of the message.
    ///
    /// # Errors
    /// It is not what anyone signed.
    pub fn verify(&self, space: &SpaceId) -> Result<Reported, RecordError> {
        let false_evidence = RecordError::Rule {
            what: REPORT,
            rule: "it shows a message of this space, and an edit of that message",
        };
        let (first, rest) = self
            .evidence
            .split_first()
            .ok_or_else(|| false_evidence.clone())?;
        let (envelope, body) = first.open()?;
        let said = matches!(body.content, Content::Text { .. } | Content::Result(_));
        if envelope.value().space != *space || !said {
            return Err(false_evidence);
        }
        let mut reported = Reported {
            id: envelope.id(),
            device: envelope.value().device,
            room: envelope.value().room,
            at: body.at,
            content: body.content,
            edit: None,
        };
        for evidence in rest {
            let (envelope, body) = evidence.open()?;
            match body.content {
                Content::Edit { target, text }
                    if target == reported.id
                        && envelope.value().space == *space
                        && envelope.value().room == reported.room =>
                {
                    reported.edit = Some((envelope.value().device, text));
                }
                _ => return Err(false_evidence),
            }
        }
        Ok(reported)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        attachment::{Attachment, FileId},
        id::{ChangeHash, FileHash},
        limits::{MAX_ATTACHMENTS, MAX_ENVELOPE, MAX_FILE, MAX_FILE_NAME, MAX_MEDIA_TYPE},
    };

    fn place(sequence: u64, device: &DeviceKey) -> Place {
        Place {
            space: SpaceId::from_bytes([1; 32]),
            device: device.id(),
            incarnation: Incarnation::from_bytes([2; 16]),
            sequence,
        }
    }

    fn letter(text: &str) -> Letter {
        Letter {
            readers: vec![MemberId::from_bytes([5; 32]), MemberId::from_bytes([6; 32])],
            content: Content::Text {
                text: text.into(),
                reply_to: None,
                attachments: Vec::new(),
            },
        }
    }

    fn keys() -> [DeviceKey; 3] {
        [1, 2, 3].map(|n| DeviceKey::from_bytes(&[n; 32]))
    }

    fn seed(n: u8) -> Zeroizing<[u8; 32]> {
        Zeroizing::new([n; 32])
    }

    fn sealed_at(place: &Place, text: &str) -> (Sealed, ContentKey) {
        let [a, b, _] = keys();
        let to = (b.id(), b.id().prekey().unwrap());
        Sealed::seal(&letter(text), place, &a, &[to], &seed(7)).unwrap()
    }

    #[test]
    fn only_those_it_is_for_open_it_and_only_in_its_place() {
        let [a, b, c] = keys();
        let here = place(3, &a);
        let (sealed, key) = sealed_at(&here, "Привіт");
        let slot = sealed.slot(&here, &b).unwrap();
        assert_eq!(slot.open(&here, [&b.prekey()]), Some(key.clone()));
        assert_eq!(sealed.open(&here, &key).unwrap(), letter("Привіт"));
        assert_eq!(sealed.slot(&here, &c), None);
        assert!(
            sealed
                .slots
                .iter()
                .all(|slot| slot.open(&here, [&c.prekey()]).is_none())
        );
        // Another prekey of the right device.
        assert_eq!(slot.open(&here, [&PrekeySecret::from_bytes([9; 32])]), None);
        // The same bytes in another record.
        for elsewhere in [place(4, &a), place(3, &c)] {
            assert_eq!(sealed.slot(&elsewhere, &b), None);
            assert_eq!(slot.open(&elsewhere, [&b.prekey()]), None);
            assert!(sealed.open(&elsewhere, &key).is_err());
        }
    }

    #[test]
    fn a_body_says_one_thing_whatever_the_key() {
        let [a, ..] = keys();
        let here = place(1, &a);
        let (sealed, key) = sealed_at(&here, "one");
        let other = ContentKey::from_bytes([4; 32]);
        let mut two_faced = sealed.clone();
        two_faced.commitment = other.commitment();
        assert!(two_faced.open(&here, &key).is_err());
        assert!(sealed.open(&here, &other).is_err());
    }

    #[test]
    fn any_changed_byte_opens_to_nothing() {
        let [a, b, _] = keys();
        let here = place(1, &a);
        let (sealed, _) = sealed_at(&here, "hello");
        let wire = postcard::to_stdvec(&sealed).unwrap();
        for at in (0..wire.len()).step_by(7) {
            let mut bent = wire.clone();
            bent[at] ^= 1;
            let Some(bent) = decode_exact::<Sealed>(&bent) else {
                continue;
            };
            let opened = bent
                .slot(&here, &b)
                .and_then(|slot| slot.open(&here, [&b.prekey()]))
                .and_then(|key| bent.open(&here, &key).ok());
            assert!(
                opened.is_none_or(|opened| opened == letter("hello")),
                "byte {at}"
            );
        }
    }

    #[test]
    fn tags_of_one_pair_do_not_link_and_all_slots_look_alike() {
        let [a, b, _] = keys();
        let mut tags = BTreeSet::new();
        for sequence in 1..=50 {
            let (sealed, _) = sealed_at(&place(sequence, &a), "x");
            assert_eq!(sealed.slots.len(), FEWEST);
            assert!(sealed.slots.is_sorted_by_key(|slot| slot.tag));
            for slot in &sealed.slots {
                assert!(slot.encapsulated[31] < 128, "what no X25519 key is");
                let of_reader = sealed.slot(&place(sequence, &a), &b) == Some(slot);
                // Padding comes from the same seed here; the reader's own tag never comes twice.
                assert!(tags.insert(slot.tag) || !of_reader);
            }
        }
    }

    #[test]
    fn a_key_that_is_none_keeps_nobody_from_reading() {
        let [a, b, c] = keys();
        let here = place(1, &a);
        let mut weak = [0; 32];
        weak[0] = 1;
        let devices = [
            (b.id(), Prekey::from_bytes([0; 32])),
            (DeviceId::from_bytes(weak), Prekey::from_bytes([0; 32])),
            (c.id(), c.id().prekey().unwrap()),
        ];
        let (sealed, key) = Sealed::seal(&letter("x"), &here, &a, &devices, &seed(3)).unwrap();
        for reader in [&b, &c] {
            let slot = sealed.slot(&here, reader).unwrap();
            assert_eq!(slot.open(&here, [&reader.prekey()]), Some(key.clone()));
        }
    }

    #[test]
    fn sizes_are_rounded_up() {
        let [a, ..] = keys();
        let size = |text: usize| {
            let (sealed, _) = sealed_at(&place(1, &a), &"x".repeat(text));
            sealed.bytes.len() - OVERHEAD
        };
        assert_eq!((size(1), size(150)), (256, 256));
        assert_eq!((size(200), size(300)), (512, 512));
        assert_eq!(size(MAX_TEXT), 65_536);
    }

    #[test]
    fn a_letter_is_padded_no_further_than_needed() {
        let sound = letter("hello").encode().unwrap();
        assert_eq!(Letter::decode(&sound).unwrap(), letter("hello"));
        let mut longer = sound.to_vec();
        longer.resize(512, 0);
        let mut filled = sound.to_vec();
        *filled.last_mut().unwrap() = 1;
        for bent in [longer, filled] {
            let error = Letter::decode(&bent).unwrap_err().to_string();
            assert!(error.ends_with("padded with zeros, and no further than needed"));
        }
    }

    /// Whatever a member writes to another can be reported, with the edit that stands.
    #[test]
    fn the_longest_message_and_edit_fit_into_a_report() {
        let [a, b, _] = keys();
        let here = place(1, &a);
        let attachment = Attachment {
            name: "n".repeat(MAX_FILE_NAME),
            media_type: format!("image/{}", "x".repeat(MAX_MEDIA_TYPE - 6)),
            size: MAX_FILE,
            hash: FileHash::from_bytes([2; 32]),
            file: FileId::from_bytes([1; 32]),
        };
        let longest = Letter {
            content: Content::Text {
                text: "x".repeat(MAX_TEXT),
                reply_to: Some(MessageId::from_bytes([3; 32])),
                attachments: vec![attachment; MAX_ATTACHMENTS],
            },
            ..letter("")
        };
        let devices = vec![(b.id(), b.id().prekey().unwrap()); MAX_SLOTS];
        let (sealed, key) = Sealed::seal(&longest, &here, &a, &devices, &seed(1)).unwrap();
        assert_eq!(sealed.bytes.len() - OVERHEAD, MAX_LETTER);
        let body = Body {
            salt: [0; 16],
            at: 0,
            content: Content::Sealed(sealed),
        };
        let evidence = Evidence {
            envelope: vec![0; MAX_ENVELOPE],
            body: body.encode().unwrap(),
            key: Some(key),
        };
        let report = Letter {
            readers: (0..=255).map(|n| MemberId::from_bytes([n; 32])).collect(),
            content: Content::Report(Report {
                text: "x".repeat(MAX_TEXT),
                evidence: vec![evidence; 2],
            }),
        };
        report.fits(MAX_SLOTS).unwrap();
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes: Vec<u8>, kind in 0_u16..70, payload: Vec<u8>) {
            let _ = Letter::decode(&bytes);
            let readers = vec![MemberId::from_bytes([5; 32])];
            let wire = postcard::to_stdvec(&LetterWire { readers, kind, payload }).unwrap();
            let length = u32::try_from(wire.len()).unwrap().to_le_bytes();
            let mut padded = [&length[..], &wire].concat();
            padded.resize(padded_to(&wire), 0);
            if let Ok(letter) = Letter::decode(&padded) {
                // What is read and can be written comes back the same.
                if let Ok(again) = letter.encode() {
                    prop_assert_eq!(Letter::decode(&again).unwrap(), letter);
                }
            }
            let evidence = Evidence { envelope: padded, body: bytes, key: None };
            let report = Report { text: String::new(), evidence: vec![evidence] };
            prop_assert!(report.verify(&SpaceId::from_bytes([1; 32])).is_err());
        }
    }

    #[test]
    fn limits_are_kept() {
        let [a, b, _] = keys();
        let here = place(1, &a);
        let (mut sealed, _) = sealed_at(&here, "x");
        let slot = sealed.slots[0].clone();
        for many in [0, 3, 5, 512, 10_000] {
            sealed.slots = vec![slot.clone(); many];
            let body = Body {
                salt: [0; 16],
                at: 0,
                content: Content::Sealed(sealed.clone()),
            };
            assert!(body.encode().is_err(), "{many} slots");
        }
        let to = (b.id(), b.id().prekey().unwrap());
        let many = vec![to; MAX_SLOTS + 1];
        assert!(Sealed::seal(&letter("x"), &here, &a, &many, &seed(1)).is_err());
        let full = Sealed::seal(&letter("x"), &here, &a, &many[1..], &seed(1)).unwrap();
        let body = Body {
            salt: [0; 16],
            at: 0,
            content: Content::Sealed(full.0),
        };
        let wire = body.encode().unwrap();
        assert_eq!(Body::decode(&wire).unwrap(), body);
        let mut unsorted = letter("x");
        unsorted.readers.reverse();
        assert!(Sealed::seal(&unsorted, &here, &a, &[to], &seed(1)).is_err());
        let mut nested = letter("x");
        nested.content = body.content;
        assert!(Sealed::seal(&nested, &here, &a, &[to], &seed(1)).is_err());
    }

    #[test]
    fn a_report_shows_what_was_signed_and_nothing_else() {
        let [author, ..] = keys();
        let space = SpaceId::from_bytes([1; 32]);
        let signed = |sequence, content: Content, key| {
            let body = Body {
                salt: [3; 16],
                at: 5,
                content,
            };
            let body = body.encode().unwrap();
            let envelope = Envelope {
                space,
                room: RoomId::from_bytes([8; 32]),
                device: author.id(),
                incarnation: Incarnation::from_bytes([2; 16]),
                sequence,
                previous: (sequence > 1).then(|| MessageId::from_bytes([9; 32])),
                parents: Vec::new(),
                lamport: 1,
                body: Body::hash_of(&body),
                change: ChangeHash::from_bytes([6; 32]),
            };
            let envelope = Signed::seal(envelope, &author).unwrap();
            let id = envelope.id();
            let envelope = envelope.wire().to_vec();
            (
                id,
                Evidence {
                    envelope,
                    body,
                    key,
                },
            )
        };
        let (id, open) = signed(1, letter("rude").content, None);
        let (_, edit) = signed(
            2,
            Content::Edit {
                target: id,
                text: "ruder".into(),
            },
            None,
        );
        let (sealed, key) = sealed_at(&place(1, &author), "rude in private");
        let (_, private) = signed(1, Content::Sealed(sealed), Some(key));
        let report = |evidence: &[&Evidence]| Report {
            text: "look".into(),
            evidence: evidence.iter().copied().cloned().collect(),
        };
        let reported = report(&[&open, &edit]).verify(&space).unwrap();
        assert_eq!(reported.content, letter("rude").content);
        assert_eq!(reported.edit, Some((author.id(), "ruder".into())));
        let reported = report(&[&private]).verify(&space).unwrap();
        assert_eq!(reported.content, letter("rude in private").content);

        let bent = |evidence: &Evidence, bend: &dyn Fn(&mut Evidence)| {
            let mut evidence = evidence.clone();
            bend(&mut evidence);
            report(&[&evidence]).verify(&space)
        };
        assert!(bent(&open, &|e| *e.body.last_mut().unwrap() ^= 1).is_err());
        assert!(bent(&open, &|e| e.envelope[0] ^= 1).is_err());
        assert!(bent(&open, &|e| e.body = private.body.clone()).is_err());
        assert!(bent(&private, &|e| e.key = None).is_err());
        let wrong = Some(ContentKey::from_bytes([1; 32]));
        assert!(bent(&private, &|e| e.key.clone_from(&wrong)).is_err());
        assert!(report(&[&edit]).verify(&space).is_err());
        assert!(report(&[&open, &open]).verify(&space).is_err());
        assert!(
            report(&[&open])
                .verify(&SpaceId::from_bytes([2; 32]))
                .is_err()
        );
        let plain = Body {
            salt: [0; 16],
            at: 0,
            content: Content::Report(report(&[&open])),
        };
        assert!(plain.encode().is_err(), "a report outside of a sealed body");
    }
}
