//! What this installation is: its keys, its incarnation, and the machine it runs on.

use std::time::{SystemTime, UNIX_EPOCH};

use artel_domain::{DeviceKey, MemberKey};
use artel_store::{
    StoreError,
    identity::{self, Beginning, Reason},
    profile::Opened,
    restored,
};

use crate::error::AppError;

/// Now, Unix milliseconds. A clock before 1970 counts as 1970.
pub(crate) fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or(0)
}

/// A new member key.
pub(crate) fn new_member() -> Result<MemberKey, AppError> {
    MemberKey::generate().map_err(|reason| AppError::internal(&reason))
}

/// A new device with the incarnation it begins with.
pub(crate) struct NewDevice {
    key: DeviceKey,
    incarnation: [u8; 16],
    marker: Vec<u8>,
    at_ms: i64,
    reason: Reason,
}

impl NewDevice {
    /// Fresh keys from the system's randomness.
    pub(crate) fn generate(reason: Reason) -> Result<Self, AppError> {
        Ok(Self {
            key: DeviceKey::generate().map_err(|reason| AppError::internal(&reason))?,
            incarnation: artel_domain::key::random()
                .map_err(|reason| AppError::internal(&reason))?,
            marker: machine_marker(),
            at_ms: now_ms(),
            reason,
        })
    }

    /// Public part of the device key, hexadecimal.
    pub(crate) fn device(&self) -> String {
        self.key.id().to_string()
    }

    /// When it was made, Unix milliseconds.
    pub(crate) fn at_ms(&self) -> i64 {
        self.at_ms
    }

    /// Writes the identity of a new profile.
    pub(crate) fn create(
        &self,
        connection: &artel_store::Connection,
        member: &MemberKey,
    ) -> Result<(), StoreError> {
        identity::create(
            connection,
            &member.to_bytes(),
            &self.key.to_bytes(),
            &self.beginning(),
        )
    }

    /// Takes the place of the device that the profile had.
    pub(crate) fn replace(&self, connection: &artel_store::Connection) -> Result<(), StoreError> {
        identity::replace_device(connection, &self.key.to_bytes(), &self.beginning())
    }

    fn beginning(&self) -> Beginning<'_> {
        Beginning {
            incarnation: self.incarnation,
            device_public: *self.key.id().as_bytes(),
            machine_marker: &self.marker,
            at_ms: self.at_ms,
            reason: self.reason,
        }
    }
}

/// Makes sure that the open profile is a device of this machine: one that was copied from another
/// machine becomes a new device with a new incarnation, so that the two do not write one feed. The device of before is to
/// end where the profile is a member. A copy from or to a machine without an id is found only when both meet others.
pub(crate) fn settle(opened: &Opened) -> Result<(), AppError> {
    let identity = opened.store.read(identity::get)?.ok_or_else(no_identity)?;
    let here = machine_marker();
    if identity.device_secret.is_some() && !moved(&identity.machine_marker, &here) {
        if identity.machine_marker.is_empty() && !here.is_empty() {
            // Known from now on, so that the next move is noticed.
            opened.store.write(move |tx| identity::mark(tx, &here))?;
        }
        return Ok(());
    }
    let reason = match identity.device_secret {
        Some(_) => Reason::Moved,
        None => Reason::Restored,
    };
    let device = NewDevice::generate(reason)?;
    tracing::warn!(?reason, "the profile becomes a new device");
    Ok(opened.store.write(move |tx| {
        restored::retire_later(tx)?;
        device.replace(tx)
    })?)
}

/// Whether the two markers are of different machines. One that is not known, now or then, says nothing.
fn moved(kept: &[u8], here: &[u8]) -> bool {
    !kept.is_empty() && !here.is_empty() && kept != here
}

/// A profile that was never finished.
pub(crate) fn no_identity() -> AppError {
    StoreError::Corrupt {
        path: None,
        reason: "the profile has no identity".to_owned(),
    }
    .into()
}

/// What tells this machine from others: a hash of the system's own id, so that the id itself is
/// written nowhere. Empty where the system has none; then a move is not noticed here.
pub(crate) fn machine_marker() -> Vec<u8> {
    machine_id().map_or_else(Vec::new, |id| {
        blake3::derive_key("artel 2026 machine marker v1", id.trim().as_bytes()).to_vec()
    })
}

#[cfg(target_os = "linux")]
fn machine_id() -> Option<String> {
    ["/etc/machine-id", "/var/lib/dbus/machine-id"]
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok())
        .filter(|id| !id.trim().is_empty())
}

#[cfg(target_os = "macos")]
fn machine_id() -> Option<String> {
    let output = std::process::Command::new("/usr/sbin/ioreg")
        .args(["-rd1", "-c", "IOPlatformExpertDevice"])
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let line = text.lines().find(|line| line.contains("IOPlatformUUID"))?;
    Some(line.split('"').nth(3)?.to_owned())
}

#[cfg(windows)]
fn machine_id() -> Option<String> {
    let output = std::process::Command::new("reg")
        .args([
            "query",
            r"HKLM\SOFTWARE\Microsoft\Cryptography",
            "/v",
            "MachineGuid",
        ])
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.split_whitespace().last()?.to_owned())
}

#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
fn machine_id() -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_known_machines_that_differ_are_a_move() {
        let cases: [(&[u8], &[u8], bool); 5] = [
            (b"one", b"one", false),
            (b"one", b"two", true),
            (b"one", b"", false),
            (b"", b"two", false),
            (b"", b"", false),
        ];
        for (kept, here, expected) in cases {
            assert_eq!(moved(kept, here), expected, "{kept:?} to {here:?}");
        }
    }
}
