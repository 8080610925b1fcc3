//! Bodies: what a record says. They lie beside the signed documents, found by hash, so that they can be erased.
//!
//! Wire form: 16 random bytes (so that a hash tells nothing of a short text), the author's clock, the kind, and the
//! content in postcard. Kinds that this version does not know are kept and passed on as they are.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    attachment::Attachment,
    control::Control,
    id::{BodyHash, MessageId},
    limits::{
        MAX_ATTACHMENTS, MAX_BODY, MAX_EDITS, MAX_FACT, MAX_FACTS, MAX_PAGE_CHANGE,
        MAX_SEALED_BODY, MAX_TEXT,
    },
    sealed::{Report, Sealed},
    signed::{RecordError, decode_exact},
};

const WHAT: &str = "a record's body";
const SALT: usize = 16;
const HEAD: usize = SALT + 8 + 2;

/// A result shared to a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// What it is, such as `images` or `indicators`.
    pub kind: String,
    /// One line that says what it is.
    pub title: String,
    /// Name and value pairs worth showing.
    pub facts: Vec<(String, String)>,
    /// Which attachment is the preview picture.
    pub preview: Option<u8>,
    /// Its files.
    pub attachments: Vec<Attachment>,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A message.
    Text {
        /// The text; may be empty when files are attached.
        text: String,
        /// Message that it answers.
        reply_to: Option<MessageId>,
        /// Attached files.
        attachments: Vec<Attachment>,
    },
    /// A shared result.
    Result(Manifest),
    /// A new text for a message of the same author.
    Edit {
        /// The message; also among the record's parents or its previous one.
        target: MessageId,
        /// Its new text.
        text: String,
    },
    /// Erases a message. By its author, or by one who may delete others' messages.
    Delete {
        /// The message; also among the record's parents or its previous one.
        target: MessageId,
        /// Edits of the message that its eraser knows, which are erased with it.
        edits: Vec<MessageId>,
    },
    /// A change of a shared page; only in the page's own feeds.
    Page {
        /// An automerge change, uncompressed.
        change: Vec<u8>,
    },
    /// Something sealed to the devices of its readers; only in the direct room.
    Sealed(Sealed),
    /// A message shown to those who run the space; only within what is sealed.
    Report(Report),
    /// A control entry; only in the control room.
    Control(Control),
    /// Of a kind that a newer version writes.
    Unknown(u16),
}

#[derive(Serialize, Deserialize)]
struct TextWire {
    text: String,
    reply_to: Option<MessageId>,
    attachments: Vec<Attachment>,
}

#[derive(Serialize, Deserialize)]
struct DeleteWire {
    target: MessageId,
    edits: Vec<MessageId>,
}

#[derive(Serialize, Deserialize)]
struct EditWire {
    target: MessageId,
    text: String,
}

const TEXT: u16 = 1;
const RESULT: u16 = 2;
const EDIT: u16 = 3;
const DELETE: u16 = 4;
const PAGE: u16 = 5;
const SEALED: u16 = 6;
const REPORT: u16 = 7;
const CONTROL: u16 = 64;

const UNSEALED: RecordError = RecordError::Rule {
    what: WHAT,
    rule: "a report is sealed",
};

fn fits(wire: &[u8]) -> Result<(), RecordError> {
    let (found, limit) = (wire.len(), Body::limit_of(wire));
    if found <= limit {
        return Ok(());
    }
    Err(RecordError::TooLarge {
        what: WHAT,
        found,
        limit,
    })
}

impl Content {
    /// The files it carries.
    pub fn attachments(&self) -> &[Attachment] {
        match self {
            Self::Text { attachments, .. } | Self::Result(Manifest { attachments, .. }) => {
                attachments
            }
            _ => &[],
        }
    }

    /// The record it changes, if it changes one.
    pub fn target(&self) -> Option<&MessageId> {
        match self {
            Self::Edit { target, .. } | Self::Delete { target, .. } => Some(target),
            _ => None,
        }
    }

    pub(crate) fn check(&self) -> Result<(), RecordError> {
        let broken = |rule| Err(RecordError::Rule { what: WHAT, rule });
        if self.attachments().len() > MAX_ATTACHMENTS {
            return broken("a message carries at most 32 files");
        }
        self.attachments().iter().try_for_each(Attachment::check)?;
        match self {
            Self::Text { text, .. } | Self::Edit { text, .. } if text.len() > MAX_TEXT => {
                broken("a text has at most 32 KiB")
            }
            Self::Text {
                text, attachments, ..
            } if text.trim().is_empty() && attachments.is_empty() => {
                broken("a message has a text or a file")
            }
            Self::Delete { edits, .. } if edits.len() > MAX_EDITS => {
                broken("a deletion lists at most 256 edits")
            }
            Self::Page { change } if change.len() > MAX_PAGE_CHANGE => {
                broken("a change of a page has at most 63 KiB; save it in smaller steps")
            }
            Self::Result(manifest) => {
                let long = |text: &String| text.len() > MAX_FACT;
                if manifest.facts.len() > MAX_FACTS
                    || manifest
                        .facts
                        .iter()
                        .any(|(name, value)| long(name) || long(value))
                    || long(&manifest.title)
                    || long(&manifest.kind)
                {
                    broken("a result has at most 32 facts of at most 500 bytes")
                } else if manifest
                    .preview
                    .is_some_and(|i| usize::from(i) >= manifest.attachments.len())
                {
                    broken("a result's preview is one of its files")
                } else {
                    Ok(())
                }
            }
            Self::Control(control) => control.check(),
            Self::Sealed(sealed) => sealed.check(),
            Self::Report(report) => report.check(),
            _ => Ok(()),
        }
    }

    /// Its kind and its wire form.
    pub(crate) fn encode(&self) -> Result<(u16, Vec<u8>), RecordError> {
        self.check()?;
        let (kind, payload) = match self {
            Self::Text {
                text,
                reply_to,
                attachments,
            } => (
                TEXT,
                postcard::to_stdvec(&TextWire {
                    text: text.clone(),
                    reply_to: *reply_to,
                    attachments: attachments.clone(),
                }),
            ),
            Self::Result(manifest) => (RESULT, postcard::to_stdvec(manifest)),
            Self::Edit { target, text } => (
                EDIT,
                postcard::to_stdvec(&EditWire {
                    target: *target,
                    text: text.clone(),
                }),
            ),
            Self::Delete { target, edits } => (
                DELETE,
                postcard::to_stdvec(&DeleteWire {
                    target: *target,
                    edits: edits.clone(),
                }),
            ),
            Self::Page { change } => (PAGE, Ok(change.clone())),
            Self::Sealed(sealed) => (SEALED, postcard::to_stdvec(sealed)),
            Self::Report(report) => (REPORT, postcard::to_stdvec(report)),
            Self::Control(control) => (CONTROL, postcard::to_stdvec(control)),
            Self::Unknown(_) => {
                return Err(RecordError::Rule {
                    what: WHAT,
                    rule: "only known kinds are written",
                });
            }
        };
        let payload = payload.map_err(|_| RecordError::Malformed { what: WHAT })?;
        Ok((kind, payload))
    }

    /// Decodes a wire form of a kind.
    pub(crate) fn decode(kind: u16, payload: &[u8]) -> Result<Self, RecordError> {
        let content = decode_content(kind, payload).ok_or(RecordError::Malformed { what: WHAT })?;
        content.check()?;
        Ok(content)
    }
}

/// A body: the content with its salt and its author's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// Random, so that the hash of a short text cannot be guessed after it was erased.
    pub salt: [u8; SALT],
    /// Author's clock, Unix milliseconds; shown, never used for order.
    pub at: i64,
    /// What it says.
    pub content: Content,
}

impl Body {
    /// Wire form.
    ///
    /// # Errors
    /// The content breaks a rule, is too large, or is of an unknown kind.
    pub fn encode(&self) -> Result<Vec<u8>, RecordError> {
        if matches!(self.content, Content::Report(_)) {
            return Err(UNSEALED);
        }
        let (kind, payload) = self.content.encode()?;
        let mut wire = Vec::with_capacity(HEAD + payload.len());
        wire.extend_from_slice(&self.salt);
        wire.extend_from_slice(&self.at.to_le_bytes());
        wire.extend_from_slice(&kind.to_le_bytes());
        wire.extend_from_slice(&payload);
        fits(&wire)?;
        Ok(wire)
    }

    /// Decodes bytes from outside.
    ///
    /// # Errors
    /// Too large, damaged, or against a rule.
    pub fn decode(wire: &[u8]) -> Result<Self, RecordError> {
        fits(wire)?;
        let malformed = RecordError::Malformed { what: WHAT };
        let head = wire.split_first_chunk::<SALT>().and_then(|(salt, rest)| {
            let (at, rest) = rest.split_first_chunk::<8>()?;
            let (kind, payload) = rest.split_first_chunk::<2>()?;
            Some((
                *salt,
                i64::from_le_bytes(*at),
                u16::from_le_bytes(*kind),
                payload,
            ))
        });
        let Some((salt, at, kind, payload)) = head else {
            return Err(malformed);
        };
        let content = Content::decode(kind, payload)?;
        if matches!(content, Content::Report(_)) {
            return Err(UNSEALED);
        }
        Ok(Self { salt, at, content })
    }

    /// How many bytes a body may have that begins like this one: more if it is sealed.
    pub fn limit_of(wire: &[u8]) -> usize {
        let kind = wire.get(SALT + 8..HEAD);
        if kind == Some(SEALED.to_le_bytes().as_slice()) {
            MAX_SEALED_BODY
        } else {
            MAX_BODY
        }
    }

    /// Hash of a wire form.
    pub fn hash_of(wire: &[u8]) -> BodyHash {
        BodyHash::from_bytes(blake3::derive_key("artel 2026-11 body", wire))
    }
}

fn decode_content(kind: u16, payload: &[u8]) -> Option<Content> {
    fn wire<T: DeserializeOwned>(payload: &[u8]) -> Option<T> {
        decode_exact(payload)
    }
    Some(match kind {
        TEXT => {
            let TextWire {
                text,
                reply_to,
                attachments,
            } = wire(payload)?;
            Content::Text {
                text,
                reply_to,
                attachments,
            }
        }
        RESULT => Content::Result(wire(payload)?),
        EDIT => {
            let EditWire { target, text } = wire(payload)?;
            Content::Edit { target, text }
        }
        DELETE => {
            let DeleteWire { target, edits } = wire(payload)?;
            Content::Delete { target, edits }
        }
        PAGE => Content::Page {
            change: payload.to_vec(),
        },
        SEALED => Content::Sealed(wire(payload)?),
        REPORT => Content::Report(wire(payload)?),
        CONTROL => Content::Control(wire(payload)?),
        other => Content::Unknown(other),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        attachment::FileDigest,
        control::Audience,
        id::{MemberId, MessageId},
    };

    fn body(content: Content) -> Body {
        Body {
            salt: [3; SALT],
            at: 1_700_000_000_000,
            content,
        }
    }

    #[test]
    fn every_kind_round_trips() {
        let (file, _) = FileDigest::new()
            .finish("порожній.txt", "text/plain")
            .unwrap();
        let target = MessageId::from_bytes([4; 32]);
        for content in [
            Content::Text {
                text: "Привіт".into(),
                reply_to: Some(target),
                attachments: vec![file.clone()],
            },
            Content::Result(Manifest {
                kind: "images".into(),
                title: "12 pictures".into(),
                facts: vec![("done".into(), "12".into())],
                preview: Some(0),
                attachments: vec![file],
            }),
            Content::Edit {
                target,
                text: "new".into(),
            },
            Content::Delete {
                target,
                edits: vec![target],
            },
            Content::Control(Control::RoomCreate {
                nonce: [1; 16],
                name: "Room".into(),
                audience: Audience::Teachers,
            }),
        ] {
            let wire = body(content.clone()).encode().unwrap();
            assert_eq!(Body::decode(&wire).unwrap(), body(content));
            assert!(
                Body::decode(wire.get(..wire.len() - 1).unwrap()).is_err(),
                "cut short"
            );
            assert!(
                Body::decode(&[wire.as_slice(), &[0]].concat()).is_err(),
                "with a byte too many"
            );
        }
    }

    #[test]
    fn a_salt_hides_equal_texts() {
        let content = Content::Text {
            text: "yes".into(),
            reply_to: None,
            attachments: Vec::new(),
        };
        let one = Body {
            salt: [1; SALT],
            at: 0,
            content: content.clone(),
        }
        .encode()
        .unwrap();
        let two = Body {
            salt: [2; SALT],
            at: 0,
            content,
        }
        .encode()
        .unwrap();
        assert_ne!(Body::hash_of(&one), Body::hash_of(&two));
    }

    #[test]
    fn rules_are_kept_on_writing() {
        let text = |text: String| Content::Text {
            text,
            reply_to: None,
            attachments: Vec::new(),
        };
        for (content, rule) in [
            (text(String::new()), "a message has a text or a file"),
            (text("x".repeat(MAX_TEXT + 1)), "a text has at most 32 KiB"),
            (Content::Unknown(9), "only known kinds are written"),
            (
                Content::Control(Control::RoomCreate {
                    nonce: [0; 16],
                    name: " ".into(),
                    audience: Audience::All,
                }),
                "a name is not empty",
            ),
            (
                Content::Control(Control::RoomCreate {
                    nonce: [0; 16],
                    name: "Few".into(),
                    audience: Audience::Chosen(vec![MemberId::from_bytes([2; 32]); 2]),
                }),
                "names 1 to 400 of them, each once, in order",
            ),
        ] {
            let error = body(content).encode().unwrap_err().to_string();
            assert!(error.ends_with(rule), "{error}");
        }
    }

    #[test]
    fn an_unknown_kind_is_kept_as_such() {
        let mut wire = body(Content::Text {
            text: "x".into(),
            reply_to: None,
            attachments: Vec::new(),
        })
        .encode()
        .unwrap();
        wire.splice(HEAD - 2..HEAD, 900_u16.to_le_bytes());
        assert_eq!(Body::decode(&wire).unwrap().content, Content::Unknown(900));
    }
}
