//! Epochs: a new secret after every removal, handed on from member to member.
//!
//! The control entry that begins an epoch names the hash of its secret. Whoever has the entry and not the secret asks
//! the members it is connected to, over their encrypted links, and takes only what has that hash.

use artel_domain::{MessageId, SpaceId, SpaceSecret};

use super::{
    super::{
        event::Peer,
        frame::Frame,
        ledger::{Ledger, LedgerResult},
    },
    Fault, Node,
};

/// Time between two questions for missing secrets, in milliseconds.
const SECRETS_GAP: i64 = 2_000;

impl Node {
    /// A secret for a new epoch.
    pub(super) fn new_secret(&mut self) -> Result<SpaceSecret, artel_domain::key::NoEntropy> {
        self.entropy.draw().map(SpaceSecret::from_bytes)
    }

    /// Keeps the secret of an epoch; from now on members are met by it.
    pub(super) fn keep_secret(
        &mut self,
        ledger: &mut dyn Ledger,
        id: SpaceId,
        epoch: MessageId,
        secret: SpaceSecret,
    ) -> LedgerResult<()> {
        ledger.put_secret(&id, &epoch, &secret)?;
        if let Some(space) = self.spaces.get_mut(&id) {
            space.secrets.insert(epoch, secret);
        }
        Ok(())
    }

    /// Asks everyone here for what is missing; later, by turns, one at a time.
    pub(super) fn want_secrets(&mut self, id: SpaceId) {
        if !self
            .spaces
            .get(&id)
            .is_some_and(super::space::Space::lacks_secrets)
        {
            return;
        }
        for peer in self.members_online(&id) {
            self.send_frame(&peer, &Frame::WantSecrets { space: id });
        }
    }

    pub(super) fn tick_secrets(&mut self, now: i64) {
        let mut due = Vec::new();
        for (id, space) in &mut self.spaces {
            let waited = now.saturating_sub(space.asked_secrets).unsigned_abs();
            if space.lacks_secrets() && waited >= SECRETS_GAP.unsigned_abs() {
                space.asked_secrets = now;
                due.push(*id);
            }
        }
        let turn = usize::try_from(now / SECRETS_GAP).unwrap_or(0);
        for id in due {
            let peers = self.members_online(&id);
            let one = turn.checked_rem(peers.len()).and_then(|i| peers.get(i));
            if let Some(peer) = one.copied() {
                self.send_frame(&peer, &Frame::WantSecrets { space: id });
            }
        }
    }

    pub(super) fn on_want_secrets(&mut self, peer: &Peer, id: SpaceId) {
        if !self.is_member(peer, &id) {
            return;
        }
        let Some(space) = self.spaces.get(&id) else {
            return;
        };
        let epochs: Vec<_> = space
            .roster
            .epochs
            .iter()
            .filter_map(|epoch| Some((epoch.entry, space.secrets.get(&epoch.entry)?.clone())))
            .take(super::super::frame::MAX_SECRETS)
            .collect();
        if !epochs.is_empty() {
            self.send_frame(peer, &Frame::Secrets { space: id, epochs });
        }
    }

    pub(super) fn on_secrets(
        &mut self,
        ledger: &mut dyn Ledger,
        peer: &Peer,
        id: SpaceId,
        epochs: Vec<(MessageId, SpaceSecret)>,
    ) -> Result<(), Fault> {
        if !self.is_member(peer, &id) {
            return Ok(());
        }
        let Some(space) = self.spaces.get(&id) else {
            return Ok(());
        };
        let known = space.roster.epochs.clone();
        let missing: Vec<_> = epochs
            .into_iter()
            .filter(|(entry, _)| !space.secrets.contains_key(entry))
            .collect();
        let mut came = false;
        for (entry, secret) in missing {
            let Some(epoch) = known.iter().find(|epoch| epoch.entry == entry) else {
                continue;
            };
            if secret.hash() != epoch.hash {
                return Err(Fault::Broke("a secret is not its epoch's"));
            }
            self.keep_secret(ledger, id, entry, secret)?;
            came = true;
        }
        if came {
            self.retag();
        }
        Ok(())
    }
}
