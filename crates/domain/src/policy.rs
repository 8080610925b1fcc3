//! Policies: rules of a space that those who run it set.
//!
//! Each has a number on the wire and a value of its own. Numbers that this version does not know are kept and passed on
//! as they are, and change nothing here.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    limits::{MAX_HISTORY_DAYS, MAX_POLICY_VALUE},
    signed::{RecordError, decode_exact},
};

const WHAT: &str = "a rule of a space";

/// Number of [`Policy::History`].
pub const HISTORY: u16 = 1;
/// Number of [`Policy::Direct`].
pub const DIRECT: u16 = 2;
/// Number of [`Policy::Pages`].
pub const PAGES: u16 = 3;

/// What newcomers are given of what was said before they came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum History {
    /// Everything.
    #[default]
    All,
    /// Nothing.
    None,
    /// What was said in so many days before, 1 to 3,650.
    Days(u16),
}

/// A rule of a space, with its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub enum Policy {
    /// What newcomers are given.
    History(History),
    /// Whether members write to one another directly.
    Direct(bool),
    /// Who edits a shared page where its opener does not say: students as well, or teachers alone.
    Pages {
        /// Whether students do.
        students: bool,
    },
    /// A rule that a newer version sets.
    Unknown {
        /// Its number.
        key: u16,
        /// Its value.
        value: Vec<u8>,
    },
}

#[derive(Serialize, Deserialize)]
struct Wire {
    key: u16,
    value: Vec<u8>,
}

impl From<Policy> for Wire {
    fn from(policy: Policy) -> Self {
        let key = policy.number();
        // Numbers and choices always encode.
        let value = match policy {
            Policy::History(history) => postcard::to_stdvec(&history).unwrap_or_default(),
            Policy::Direct(on) | Policy::Pages { students: on } => vec![u8::from(on)],
            Policy::Unknown { value, .. } => value,
        };
        Self { key, value }
    }
}

impl TryFrom<Wire> for Policy {
    type Error = &'static str;

    fn try_from(Wire { key, value }: Wire) -> Result<Self, Self::Error> {
        const DAMAGED: &str = "the value of a rule is damaged";
        Ok(match key {
            HISTORY => Self::History(decode_exact(&value).ok_or(DAMAGED)?),
            DIRECT => Self::Direct(decode_exact(&value).ok_or(DAMAGED)?),
            PAGES => Self::Pages {
                students: decode_exact(&value).ok_or(DAMAGED)?,
            },
            key => Self::Unknown { key, value },
        })
    }
}

impl Policy {
    /// The rules of this version, each as it is until somebody sets it.
    pub const DEFAULTS: [Self; 3] = [
        Self::History(History::All),
        Self::Direct(true),
        Self::Pages { students: true },
    ];

    /// Its number: one of several settings of one number stands.
    pub fn number(&self) -> u16 {
        match self {
            Self::History(_) => HISTORY,
            Self::Direct(_) => DIRECT,
            Self::Pages { .. } => PAGES,
            Self::Unknown { key, .. } => *key,
        }
    }

    /// Its name in commands, and the values that it takes; none if this version does not know it.
    fn words(&self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Self::History(_) => ("history", "all, none or a number of days from 1 to 3650"),
            Self::Direct(_) => ("direct", "on or off"),
            Self::Pages { .. } => ("pages", "teachers or students"),
            Self::Unknown { .. } => return None,
        })
    }

    /// Its name in commands; none if this version does not know it.
    pub fn name(&self) -> Option<&'static str> {
        self.words().map(|(name, _)| name)
    }

    /// The same rule with another value, as commands have it.
    fn with(&self, value: &str) -> Option<Self> {
        Some(match (self, value) {
            (Self::History(_), "all") => Self::History(History::All),
            (Self::History(_), "none") => Self::History(History::None),
            (Self::History(_), days) => {
                let days = days.parse().ok()?;
                (1..=MAX_HISTORY_DAYS).contains(&days).then_some(())?;
                Self::History(History::Days(days))
            }
            (Self::Direct(_), "on") => Self::Direct(true),
            (Self::Direct(_), "off") => Self::Direct(false),
            (Self::Pages { .. }, "teachers") => Self::Pages { students: false },
            (Self::Pages { .. }, "students") => Self::Pages { students: true },
            _ => return None,
        })
    }

    pub(crate) fn check(&self) -> Result<(), RecordError> {
        let rule = match self {
            Self::History(History::Days(days)) if !(1..=MAX_HISTORY_DAYS).contains(days) => {
                "newcomers are given 1 to 3650 days"
            }
            Self::Unknown { value, .. } if value.len() > MAX_POLICY_VALUE => {
                "the value of a rule has at most 256 bytes"
            }
            _ => return Ok(()),
        };
        Err(RecordError::Rule { what: WHAT, rule })
    }
}

/// The value, as in commands; of a rule that this version does not know, how many bytes it has.
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::History(History::All) => f.write_str("all"),
            Self::History(History::None) => f.write_str("none"),
            Self::History(History::Days(days)) => days.fmt(f),
            Self::Direct(true) => f.write_str("on"),
            Self::Direct(false) => f.write_str("off"),
            Self::Pages { students: false } => f.write_str("teachers"),
            Self::Pages { students: true } => f.write_str("students"),
            Self::Unknown { value, .. } => write!(f, "{} bytes", value.len()),
        }
    }
}

/// The text sets no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownPolicy {
    /// There is no such rule, or the text has no value.
    #[error("{0:?} is not a rule with its value; rules are history, direct and pages")]
    Key(String),
    /// The rule has no such value.
    #[error("{key} cannot be {value:?}; it is {allowed}")]
    Value {
        /// Which rule.
        key: &'static str,
        /// What it was to be.
        value: String,
        /// What it can be.
        allowed: &'static str,
    },
}

/// From `KEY=VALUE`.
impl FromStr for Policy {
    type Err = UnknownPolicy;

    fn from_str(text: &str) -> Result<Self, UnknownPolicy> {
        let unknown = || UnknownPolicy::Key(text.to_owned());
        let (name, value) = text.split_once('=').ok_or_else(unknown)?;
        let (name, value) = (name.trim().to_lowercase(), value.trim().to_lowercase());
        let all = Self::DEFAULTS.into_iter();
        let mut named = all.filter(|policy| policy.name() == Some(name.as_str()));
        let policy = named.next().ok_or_else(unknown)?;
        let (key, allowed) = policy.words().ok_or_else(unknown)?;
        policy.with(&value).ok_or(UnknownPolicy::Value {
            key,
            value,
            allowed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_round_trip() {
        for text in [
            "history=all",
            "history=none",
            "history=1",
            "history=3650",
            "direct=on",
            "direct=off",
            "pages=teachers",
            "pages=students",
        ] {
            let policy: Policy = text.parse().unwrap();
            assert_eq!(format!("{}={policy}", policy.name().unwrap()), text);
            let wire = postcard::to_stdvec(&policy).unwrap();
            assert_eq!(decode_exact(&wire), Some(policy));
        }
        assert_eq!(" History = NONE ".parse(), "history=none".parse::<Policy>());
    }

    #[test]
    fn a_wrong_text_is_told_what_is_allowed() {
        for (text, expected) in [
            (
                "history=0",
                "history cannot be \"0\"; it is all, none or a number of days from 1 to 3650",
            ),
            (
                "history=3651",
                "history cannot be \"3651\"; it is all, none or a number of days from 1 to 3650",
            ),
            (
                "direct=maybe",
                "direct cannot be \"maybe\"; it is on or off",
            ),
            ("pages=", "pages cannot be \"\"; it is teachers or students"),
            (
                "size=3",
                "\"size=3\" is not a rule with its value; rules are history, direct and pages",
            ),
            (
                "history",
                "\"history\" is not a rule with its value; rules are history, direct and pages",
            ),
        ] {
            let error = text.parse::<Policy>().unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn what_a_newer_version_sets_is_carried() {
        let policy = Policy::Unknown {
            key: 900,
            value: vec![1, 2, 3],
        };
        let wire = postcard::to_stdvec(&policy).unwrap();
        assert_eq!(decode_exact(&wire), Some(policy.clone()));
        assert!(policy.check().is_ok());
        for wrong in [
            Policy::History(History::Days(0)),
            Policy::History(History::Days(MAX_HISTORY_DAYS + 1)),
            Policy::Unknown {
                key: 900,
                value: vec![0; MAX_POLICY_VALUE + 1],
            },
        ] {
            assert!(wrong.check().is_err(), "{wrong:?}");
        }
        // A value of another kind under a known number says nothing.
        let other = postcard::to_stdvec(&(DIRECT, vec![7_u8])).unwrap();
        assert_eq!(decode_exact::<Policy>(&other), None);
    }
}
