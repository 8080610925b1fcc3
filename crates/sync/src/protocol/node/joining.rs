//! Joining a space by invite, on both sides: the joiner and the witness.

use std::collections::btree_map::Entry;

use artel_domain::{
    Content, Control, DeviceCertificate, Genesis, InviteCode, InviteId, JoinClaim, Permission,
    Signed, SpaceId,
};

use super::{
    super::{
        event::{CommandError, Event, Output, Peer, Refusal},
        frame::{Frame, Verdict},
        ledger::{JoinRow, Ledger, LedgerResult, SpaceRow},
        roster::{Member, MemberState},
    },
    Fault, Node,
    session::Asked,
    space::Space,
};

/// Time between two questions of one who is pending, in milliseconds.
const ASK_AGAIN: i64 = 3_000;

/// Those who wait for a seat or approval; no more are written down until some are let in.
const MAX_PENDING: usize = 300;

/// A join under way.
pub(super) struct Joining {
    pub(super) row: JoinRow,
    pub(super) code: InviteCode,
    /// Whether the application was told that it is pending, in this run.
    pub(super) told: bool,
}

impl Node {
    pub(super) fn refused(&mut self, peer: &Peer, invite: InviteId, refusal: Refusal) {
        if self.joins.contains_key(&invite) {
            self.outputs.push(Output::Event(Event::JoinRefused {
                invite,
                peer: *peer,
                refusal,
            }));
        }
    }

    /// Joiner: a peer knows the invite.
    pub(super) fn on_meet(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        peer: &Peer,
        invite: InviteId,
        genesis: &[u8],
        witness: &[u8],
    ) -> Result<(), Fault> {
        let Some(joining) = self.joins.get_mut(&invite) else {
            return Ok(());
        };
        let founding = Signed::<Genesis>::open(genesis)
            .map_err(|_| Fault::Broke("a founding is not sound"))?;
        let space = founding.space();
        if !joining.code.leads_to(&space) {
            return Err(Fault::Broke("an invite into another space"));
        }
        let certificate = Signed::<DeviceCertificate>::open(witness)
            .map_err(|_| Fault::Broke("a certificate is not sound"))?;
        if certificate.value().device != *peer {
            return Err(Fault::Broke("a certificate of another device"));
        }
        let answered = self
            .sessions
            .get(peer)
            .is_some_and(|session| session.asked.get(&invite) == Some(&Asked::Done));
        if answered {
            return Ok(());
        }
        if joining.row.genesis.is_none() {
            joining.row.genesis = Some(genesis.to_vec());
            ledger.put_join(&joining.row)?;
        }
        if let Some(session) = self.sessions.get_mut(peer) {
            session
                .asked
                .insert(invite, Asked::Met(space, certificate.value().member, now));
        }
        self.ask(peer, invite);
        Ok(())
    }

    /// Joiner: asks a peer that knows the invite to countersign.
    fn ask(&mut self, peer: &Peer, invite: InviteId) {
        let Some(Asked::Met(space, witness, _)) =
            self.sessions.get(peer).and_then(|s| s.asked.get(&invite))
        else {
            return;
        };
        let Some(joining) = self.joins.get(&invite) else {
            return;
        };
        let claim = JoinClaim::new(
            space,
            &self.certificate,
            &joining.row.name,
            &joining.code.key(),
            witness,
        );
        let frame = Frame::Join {
            space: *space,
            claim,
        };
        self.send_frame(peer, &frame);
    }

    /// Witness: a joiner asks to be let in.
    pub(super) fn on_join(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        peer: &Peer,
        id: SpaceId,
        claim: JoinClaim,
    ) -> Result<(), Fault> {
        let invite = claim.invite;
        if !self
            .sessions
            .get(peer)
            .is_some_and(|session| session.joiner.contains(&invite))
        {
            return Ok(());
        }
        let verdict = match self.judge_join(ledger, now, peer, id, claim) {
            Ok(verdict) => verdict,
            Err(CommandError::Ledger(error)) => return Err(Fault::Ledger(error)),
            Err(_) => Verdict::Refused(Refusal::Unsound),
        };
        self.send_frame(peer, &Frame::Verdict { invite, verdict });
        Ok(())
    }

    fn judge_join(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        peer: &Peer,
        id: SpaceId,
        claim: JoinClaim,
    ) -> Result<Verdict, CommandError> {
        let me = self.member();
        let Some(space) = self.spaces.get(&id) else {
            return Ok(Verdict::Refused(Refusal::Unknown));
        };
        let sound = claim
            .verify(&id, &me)
            .ok()
            .filter(|certificate| certificate.value().device == *peer);
        let Some(certificate) = sound else {
            return Ok(Verdict::Refused(Refusal::Unsound));
        };
        let joiner = certificate.value().member;
        let waits_by = space.roster.member(&joiner).and_then(Member::waits_by);
        // One who waits may have found an invite that leads further.
        let better = waits_by.is_some_and(|waits_by| waits_by != claim.invite);
        if let Some(verdict) = answer(space, &joiner, peer).filter(|_| !better) {
            return Ok(verdict);
        }
        let Some(invite) = space.roster.invite(&claim.invite) else {
            return Ok(Verdict::Refused(Refusal::Unknown));
        };
        let witness = space
            .roster
            .member(&me)
            .filter(|m| m.state == MemberState::Member);
        let refusal = if invite.revoked {
            Some(Refusal::Revoked)
        } else if now > invite.expires_at {
            Some(Refusal::Expired)
        } else if !space
            .control
            .may_return(&space.roster, &joiner, &claim.invite)
        {
            Some(Refusal::Removed)
        } else if !witness.is_some_and(|m| m.role.may(Permission::Countersign)) {
            Some(Refusal::Observer)
        } else if space.roster.pending() >= MAX_PENDING {
            Some(Refusal::Crowded)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            return Ok(Verdict::Refused(refusal));
        }
        if better && (invite.approve || invite.used >= invite.seats) {
            return Ok(Verdict::Pending);
        }
        self.write(
            ledger,
            now,
            id,
            id.control_room(),
            Content::Control(Control::Join {
                claim,
                judged_at: now,
            }),
        )?;
        let verdict = self
            .spaces
            .get(&id)
            .and_then(|space| answer(space, &joiner, peer));
        Ok(verdict.unwrap_or(Verdict::Refused(Refusal::Unsound)))
    }

    /// Joiner: the witness answered.
    pub(super) fn on_verdict(
        &mut self,
        ledger: &mut dyn Ledger,
        now: i64,
        peer: &Peer,
        invite: InviteId,
        verdict: Verdict,
    ) -> Result<(), Fault> {
        let met = self
            .sessions
            .get(peer)
            .and_then(|s| s.asked.get(&invite))
            .copied();
        let Some(Asked::Met(space, witness, _)) = met else {
            return Ok(());
        };
        let Some(joining) = self.joins.get_mut(&invite) else {
            return Ok(());
        };
        let Some(genesis) = joining.row.genesis.clone() else {
            return Ok(());
        };
        let founding = Signed::<Genesis>::open(&genesis)
            .map_err(|_| Fault::Broke("a founding is not sound"))?;
        match verdict {
            Verdict::Member => {
                if let Some(session) = self.sessions.get_mut(peer) {
                    session.asked.insert(invite, Asked::Done);
                    session.granted.insert(space);
                }
                if let Entry::Vacant(place) = self.spaces.entry(space) {
                    let row = SpaceRow { space, genesis };
                    ledger.put_space(&row)?;
                    place.insert(Space::new(row, founding));
                }
                self.send_tags(peer);
                self.match_tags(peer);
                self.refold(ledger, now)?;
                self.arrived(ledger, space)?;
            }
            Verdict::Pending => {
                let name = founding.value().name.clone();
                if !std::mem::replace(&mut joining.told, true) {
                    self.outputs.push(Output::Event(Event::Pending {
                        space,
                        name,
                        invite,
                    }));
                }
                if let Some(session) = self.sessions.get_mut(peer) {
                    session
                        .asked
                        .insert(invite, Asked::Met(space, witness, now));
                }
            }
            Verdict::Refused(refusal) => {
                if let Some(session) = self.sessions.get_mut(peer) {
                    session.asked.insert(invite, Asked::Done);
                }
                self.refused(peer, invite, refusal);
            }
        }
        Ok(())
    }

    /// Ends the joins into a space once its roster has this member.
    pub(super) fn arrived(&mut self, ledger: &mut dyn Ledger, id: SpaceId) -> LedgerResult<()> {
        if !self.is_inside(&id) {
            return Ok(());
        }
        let done: Vec<InviteId> = self
            .joins
            .iter()
            .filter(|(_, joining)| joining.code.leads_to(&id))
            .map(|(invite, _)| *invite)
            .collect();
        for invite in done {
            self.joins.remove(&invite);
            ledger.remove_join(&invite)?;
            self.outputs
                .push(Output::Event(Event::Joined { space: id, invite }));
        }
        Ok(())
    }

    /// Those who are pending ask again.
    pub(super) fn tick_joins(&mut self, now: i64) {
        let mut due = Vec::new();
        for (peer, session) in &mut self.sessions {
            for (invite, asked) in &mut session.asked {
                if let Asked::Met(_, _, at) = asked
                    && now.saturating_sub(*at) >= ASK_AGAIN
                {
                    *at = now;
                    due.push((*peer, *invite));
                }
            }
        }
        for (peer, invite) in due {
            self.ask(&peer, invite);
        }
    }
}

/// What a joiner is told who is in the roster already; none if an entry is to be written.
fn answer(space: &Space, joiner: &artel_domain::MemberId, device: &Peer) -> Option<Verdict> {
    let member = space
        .roster
        .member(joiner)
        .filter(|m| m.devices.contains(device))?;
    match member.state {
        MemberState::Member => Some(Verdict::Member),
        MemberState::Pending => Some(Verdict::Pending),
        MemberState::Removed => None,
    }
}
