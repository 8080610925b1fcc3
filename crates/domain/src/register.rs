//! Registers: signed values that replace one another, outside the feeds.
//!
//! A feed keeps everything for good. How far somebody has read, or which sign they put under a message, is of interest
//! only as it is now: the device signs the new value, and whoever holds it forgets the old one. The value with the
//! higher turn stands; of two with one turn, the one with the larger id. So all who hold the same values agree, in
//! whatever order they came.
//!
//! What a register is about is its *place*: space, room, device, topic and subject. Topics that this version does not
//! know are kept and passed on as they are.

use serde::{Deserialize, Serialize};

use crate::{
    id::{DeviceId, MessageId, RoomId, SpaceId},
    limits::{MAX_EMOJI, MAX_POSITION, MAX_REGISTER, MAX_REGISTER_VALUE},
    signed::{RecordError, Signable, decode_exact},
};

const WHAT: &str = "a register";

/// What of its topic a register is about: a record's id, or zeros where a device says only one thing.
pub type Subject = [u8; 32];

/// The subject of topics that have none.
const NONE: Subject = [0; 32];

/// Number of [`Topic::Read`].
pub const READ: u16 = 1;
/// Number of [`Topic::Reaction`].
pub const REACTION: u16 = 2;
/// Number of [`Topic::Prekey`].
pub const PREKEY: u16 = 3;

/// What a register says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topic {
    /// How far the device has shown its room: everything up to this position.
    Read {
        /// Position.
        lamport: u64,
        /// The record there.
        id: MessageId,
    },
    /// The sign that the device's member puts under a message.
    Reaction {
        /// The message.
        target: MessageId,
        /// One sign; none takes it back.
        emoji: Option<String>,
    },
    /// A key to which others seal what is meant for this device, as bytes that this module does not read. Lies in the
    /// control room.
    Prekey(Vec<u8>),
    /// Of a topic that a newer version writes.
    Unknown {
        /// Its number.
        topic: u16,
        /// What it is about.
        subject: Subject,
        /// What it says.
        value: Vec<u8>,
    },
}

impl Topic {
    /// Its number.
    pub fn number(&self) -> u16 {
        match self {
            Self::Read { .. } => READ,
            Self::Reaction { .. } => REACTION,
            Self::Prekey(_) => PREKEY,
            Self::Unknown { topic, .. } => *topic,
        }
    }

    /// What it is about.
    pub fn subject(&self) -> Subject {
        match self {
            Self::Reaction { target, .. } => *target.as_bytes(),
            Self::Unknown { subject, .. } => *subject,
            Self::Read { .. } | Self::Prekey(_) => NONE,
        }
    }
}

/// A register.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub struct Register {
    /// Space.
    pub space: SpaceId,
    /// Room; [`SpaceId::control_room`] for what concerns the whole space.
    pub room: RoomId,
    /// Device that wrote and signed it.
    pub device: DeviceId,
    /// Which value of this place it is: the highest stands. Not a count; writers may leave some out.
    pub turn: u64,
    /// What it says.
    pub topic: Topic,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    space: SpaceId,
    room: RoomId,
    device: DeviceId,
    turn: u64,
    topic: u16,
    subject: Subject,
    value: Vec<u8>,
}

impl From<Register> for Wire {
    fn from(register: Register) -> Self {
        let (topic, subject) = (register.topic.number(), register.topic.subject());
        // Numbers, ids and short texts always encode.
        let value = match register.topic {
            Topic::Read { lamport, id } => postcard::to_stdvec(&(lamport, id)).unwrap_or_default(),
            Topic::Reaction { emoji, .. } => postcard::to_stdvec(&emoji).unwrap_or_default(),
            Topic::Prekey(value) | Topic::Unknown { value, .. } => value,
        };
        Self {
            space: register.space,
            room: register.room,
            device: register.device,
            turn: register.turn,
            topic,
            subject,
            value,
        }
    }
}

impl TryFrom<Wire> for Register {
    type Error = &'static str;

    fn try_from(wire: Wire) -> Result<Self, Self::Error> {
        const DAMAGED: &str = "a register's value is damaged";
        let Wire { subject, value, .. } = wire;
        let topic = match (wire.topic, subject) {
            (READ, NONE) => {
                let (lamport, id) = decode_exact(&value).ok_or(DAMAGED)?;
                Topic::Read { lamport, id }
            }
            (REACTION, target) => Topic::Reaction {
                target: MessageId::from_bytes(target),
                emoji: decode_exact(&value).ok_or(DAMAGED)?,
            },
            (PREKEY, NONE) => Topic::Prekey(value),
            (READ | PREKEY, _) => return Err(DAMAGED),
            (topic, subject) => Topic::Unknown {
                topic,
                subject,
                value,
            },
        };
        Ok(Self {
            space: wire.space,
            room: wire.room,
            device: wire.device,
            turn: wire.turn,
            topic,
        })
    }
}

impl Signable for Register {
    const WHAT: &'static str = WHAT;
    const TAG: &'static str = "artel 2026-11 register";
    const VERSION: u8 = 1;
    const LIMIT: usize = MAX_REGISTER;

    fn signer(&self) -> &[u8; 32] {
        self.device.as_bytes()
    }

    fn check(&self) -> Result<(), RecordError> {
        let known = matches!(self.topic.number(), READ | REACTION | PREKEY);
        let rule = match &self.topic {
            // So that the turn after one always has a number.
            _ if self.turn > MAX_POSITION => "turns are at most 2^62",
            Topic::Read { lamport, .. } if *lamport > MAX_POSITION => "positions are at most 2^62",
            Topic::Reaction {
                emoji: Some(emoji), ..
            } if !is_one_sign(emoji) => "a reaction is one sign of at most 32 bytes",
            Topic::Prekey(value) | Topic::Unknown { value, .. }
                if value.len() > MAX_REGISTER_VALUE =>
            {
                "a register's value has at most 256 bytes"
            }
            Topic::Unknown { .. } if known => "a known topic is written as such",
            _ => return Ok(()),
        };
        Err(RecordError::Rule { what: WHAT, rule })
    }
}

/// Whether a text is one sign as people see it: a character with what is joined to it, and nothing that is not seen.
pub fn is_one_sign(text: &str) -> bool {
    const JOINER: char = '\u{200d}';
    let mut signs = 0;
    let mut before = None;
    let mut flag_open = false;
    for character in text.chars() {
        let unseen = character.is_control()
            || character.is_whitespace()
            || matches!(character,
                '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}' | '\u{200c}'
                | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{ffff}');
        if unseen {
            return false;
        }
        let flag = matches!(character, '\u{1f1e6}'..='\u{1f1ff}');
        let joins = matches!(character,
            JOINER | '\u{300}'..='\u{36f}' | '\u{20e3}' | '\u{fe0e}' | '\u{fe0f}'
            | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0020}'..='\u{e007f}');
        let follows = joins || before == Some(JOINER) || (flag && flag_open);
        match (follows, before) {
            // A skin tone alone is a sign; a joiner alone is nothing.
            (true, None) if !matches!(character, '\u{1f3fb}'..='\u{1f3ff}') => return false,
            (true, Some(_)) => {}
            _ => signs += 1,
        }
        flag_open = flag && !flag_open;
        before = Some(character);
    }
    signs == 1 && before != Some(JOINER) && text.len() <= MAX_EMOJI
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{key::DeviceKey, signed::Signed};

    fn register(topic: Topic) -> Register {
        Register {
            space: SpaceId::from_bytes([1; 32]),
            room: RoomId::from_bytes([2; 32]),
            device: DeviceKey::from_bytes(&[3; 32]).id(),
            turn: 7,
            topic,
        }
    }

    fn sealed(register: Register) -> Result<Signed<Register>, RecordError> {
        Signed::seal(register, &DeviceKey::from_bytes(&[3; 32]))
    }

    fn reaction(emoji: &str) -> Topic {
        Topic::Reaction {
            target: MessageId::from_bytes([4; 32]),
            emoji: Some(emoji.to_owned()),
        }
    }

    #[test]
    fn every_topic_comes_back_as_it_was() {
        let id = MessageId::from_bytes([5; 32]);
        let unknown = Topic::Unknown {
            topic: 900,
            subject: [6; 32],
            value: vec![9; MAX_REGISTER_VALUE],
        };
        let taken_back = Topic::Reaction {
            target: id,
            emoji: None,
        };
        let read = Topic::Read { lamport: 5, id };
        let prekey = Topic::Prekey(vec![1; MAX_REGISTER_VALUE]);
        for topic in [read, reaction("👍"), taken_back, prekey, unknown] {
            let mut register = register(topic);
            register.turn = MAX_POSITION;
            let sealed = sealed(register.clone()).unwrap();
            let opened = Signed::<Register>::open(sealed.wire()).unwrap();
            assert_eq!(*opened.value(), register);
        }
    }

    #[test]
    fn a_register_keeps_its_rules() {
        let check = |register: Register, rule: &str| {
            let error = sealed(register).map(drop).unwrap_err().to_string();
            assert_eq!(error, format!("a register breaks a rule: {rule}"));
        };
        let mut late = register(reaction("👍"));
        late.turn = u64::MAX;
        check(late, "turns are at most 2^62");
        check(
            register(Topic::Read {
                lamport: MAX_POSITION + 1,
                id: MessageId::from_bytes([5; 32]),
            }),
            "positions are at most 2^62",
        );
        let sign = "a reaction is one sign of at most 32 bytes";
        check(register(reaction("yes")), sign);
        let long = "a register's value has at most 256 bytes";
        check(register(Topic::Prekey(vec![0; 257])), long);
        let disguised = Topic::Unknown {
            topic: REACTION,
            subject: [0; 32],
            value: Vec::new(),
        };
        check(register(disguised), "a known topic is written as such");
    }

    #[test]
    fn one_sign_is_what_people_see_as_one() {
        for sign in [
            "👍",
            "❤️",
            "👍🏽",
            "🏽",
            "👨‍👩‍👧",
            "🇺🇦",
            "1️⃣",
            "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
            "!",
            "ї",
            "é",
        ] {
            assert!(is_one_sign(sign), "{sign}");
        }
        let tall = format!("e{}", "\u{301}".repeat(20));
        for not in [
            "",
            " ",
            "👍👍",
            "ok",
            "👍 ",
            "\u{200d}",
            "👍\u{200d}",
            "\u{202e}",
            "\u{200b}",
            "\n",
            "🇺🇦🇵",
            "\u{301}",
            "a\u{2066}",
            tall.as_str(),
        ] {
            assert!(!is_one_sign(not), "{not:?}");
        }
    }

    #[test]
    fn a_value_of_one_topic_is_none_of_another() {
        let wire = Wire::from(register(reaction("👍")));
        for topic in [READ, PREKEY] {
            let other = Wire {
                topic,
                space: wire.space,
                room: wire.room,
                device: wire.device,
                turn: 1,
                subject: wire.subject,
                value: wire.value.clone(),
            };
            assert!(Register::try_from(other).is_err(), "{topic}");
        }
    }
}
