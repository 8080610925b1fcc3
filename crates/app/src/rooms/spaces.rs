//! Spaces, invites, joining, members.

use std::time::Duration;

use artel_domain::{DoorCode, InviteCode, InviteId, MemberId, Role, SpaceId};
use artel_store::{Connection, restored, rooms};
use artel_sync::{
    net::{FoundBy, Target},
    protocol::{Event, InviteTerms, InviteView, MemberState, MemberView, Node, Refusal, SpaceView},
};
use tokio::{
    sync::broadcast,
    time::{Instant, timeout_at},
};

use super::{
    State,
    driver::{self, Failed, Outcome},
    link::{self, Link, Ticket},
    names, network,
};
use crate::{
    api::{Command, Handle, rooms as api},
    error::{AppError, Code},
    session::Session,
};

/// Seats of an invite unless given.
const SEATS: u32 = 40;
/// Lifetime of an invite in seconds unless given: a day.
const LIFETIME_S: u64 = 24 * 60 * 60;
/// How long to look for a member unless given.
const LOOK_FOR: Duration = Duration::from_secs(30);
/// How long what was said before is waited for, once one is in: what is written before it came would stand above it.
const HISTORY: Duration = Duration::from_secs(10);
/// How long once its end can be read. It is more than a moment's worth then, and most of it would not come in time anyway.
const REST: Duration = Duration::from_secs(2);
/// After a member refused, others may not: how long they are waited for.
const SECOND_OPINION: Duration = Duration::from_secs(3);
/// After a peer did not know the invite, members may still be found: how long they are waited for.
const STRANGERS: Duration = Duration::from_secs(6);

fn state_word(state: MemberState) -> &'static str {
    match state {
        MemberState::Member => "member",
        MemberState::Pending => "pending",
        MemberState::Removed => "removed",
    }
}

/// A space as the façade speaks of it.
pub(super) fn describe(
    node: &Node,
    connection: &Connection,
    view: &SpaceView,
) -> Result<api::SpaceInfo, Failed> {
    let members: Vec<MemberView> = node
        .members(&view.space)
        .into_iter()
        .filter(|member| member.state == MemberState::Member)
        .collect();
    let held = restored::held(connection, &view.space)?.is_some();
    let mut unread = 0_u32;
    let listed = node.rooms(&view.space).into_iter().map(|room| room.room);
    let talks = node.conversations(&view.space).into_iter();
    let all = listed.chain(talks.map(|talk| talk.room));
    for room in all.filter(|_| !held) {
        let summary = rooms::summary(connection, &view.space, &room)?;
        unread = unread.saturating_add(summary.unread);
    }
    Ok(api::SpaceInfo {
        space: view.space.to_string(),
        name: view.name.clone(),
        role: view.role.map_or("", Role::name).to_owned(),
        state: state_word(view.state).to_owned(),
        members: count(members.len()),
        online: count(members.iter().filter(|member| member.online).count()),
        unread,
        direct: node.is_direct_on(&view.space),
        held,
    })
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl Handle<api::SpaceNew> for Session {
    async fn handle(
        &self,
        command: api::SpaceNew,
    ) -> Result<<api::SpaceNew as Command>::Reply, AppError> {
        let name = command.name.trim().to_owned();
        self.rooms
            .inner
            .driver
            .ask(move |work| {
                let spaces = work.node.spaces().into_iter();
                let mine = spaces.filter(|space| space.state != MemberState::Removed);
                names::free("space", &name, mine.collect(), |space| &space.name)?;
                let id = work.node.found_space(work.ledger, work.now, &name)?;
                let view = work
                    .node
                    .spaces()
                    .into_iter()
                    .find(|space| space.space == id)
                    .ok_or_else(|| AppError::internal(&"the new space is not there"))?;
                describe(work.node, work.tx, &view)
            })
            .await
    }
}

impl Handle<api::SpaceList> for Session {
    async fn handle(
        &self,
        _: api::SpaceList,
    ) -> Result<<api::SpaceList as Command>::Reply, AppError> {
        self.rooms
            .inner
            .driver
            .ask(|work| {
                work.node
                    .spaces()
                    .iter()
                    .map(|view| describe(work.node, work.tx, view))
                    .collect()
            })
            .await
    }
}

impl Handle<api::SpaceInvite> for Session {
    async fn handle(
        &self,
        command: api::SpaceInvite,
    ) -> Result<<api::SpaceInvite as Command>::Reply, AppError> {
        let role = match &command.role {
            None => Role::Student,
            Some(text) => text.parse::<Role>()?,
        };
        let above_student = role > Role::Student;
        let seats = command
            .seats
            .unwrap_or(if above_student { 1 } else { SEATS });
        let lifetime = command.expires_s.unwrap_or(LIFETIME_S);
        let lifetime_ms = i64::try_from(lifetime.saturating_mul(1000)).unwrap_or(i64::MAX);
        let approve = command.approve || above_student;
        let addresses = self.rooms.inner.driver.signals.peers().addresses.clone();
        self.rooms
            .inner
            .driver
            .ask(move |work| {
                let space = names::space(work.node, &command.space)?;
                let expires_at = work.now.saturating_add(lifetime_ms);
                let terms = InviteTerms {
                    role,
                    seats,
                    expires_at,
                    approve,
                };
                let code = work
                    .node
                    .create_invite(work.ledger, work.now, space.space, terms)?;
                Ok(api::InviteInfo {
                    id: code.key().id().to_string(),
                    invite: code.to_string(),
                    link: link::write(&code, &addresses),
                    space: space.space.to_string(),
                    role: role.name().to_owned(),
                    seats,
                    expires_at,
                })
            })
            .await
    }
}

impl Handle<api::SpaceInvites> for Session {
    async fn handle(
        &self,
        command: api::SpaceInvites,
    ) -> Result<<api::SpaceInvites as Command>::Reply, AppError> {
        self.rooms
            .look(move |node| {
                let space = names::space(node, &command.space)?;
                let members = node.members(&space.space);
                let name = |by: MemberId| {
                    members
                        .iter()
                        .find(|member| member.member == by)
                        .map_or_else(|| by.to_string(), |member| member.name.clone())
                };
                Ok(node
                    .invites(&space.space)
                    .into_iter()
                    .map(
                        |InviteView {
                             invite,
                             terms,
                             used,
                             revoked,
                             by,
                         }| api::InviteState {
                            id: invite.to_string(),
                            role: terms.role.name().to_owned(),
                            seats: terms.seats,
                            used,
                            expires_at: terms.expires_at,
                            approve: terms.approve,
                            revoked,
                            by: name(by),
                        },
                    )
                    .collect())
            })
            .await?
    }
}

impl Handle<api::SpaceMembers> for Session {
    async fn handle(
        &self,
        command: api::SpaceMembers,
    ) -> Result<<api::SpaceMembers as Command>::Reply, AppError> {
        self.rooms
            .look(move |node| {
                let space = names::space(node, &command.space)?;
                let talks = node.conversations(&space.space);
                let talk = |member: &MemberId| {
                    let found = talks.iter().find(|talk| talk.with == *member);
                    found.map(|talk| talk.room.to_string())
                };
                Ok(node
                    .members(&space.space)
                    .into_iter()
                    .map(|member| api::MemberInfo {
                        conversation: talk(&member.member),
                        member: member.member.to_string(),
                        name: member.name,
                        role: member.role.name().to_owned(),
                        state: state_word(member.state).to_owned(),
                        online: member.online,
                        me: member.me,
                        blocked: member.barred,
                        erased: member.erased,
                        copied: member.copied,
                        devices: member.devices.iter().map(ToString::to_string).collect(),
                    })
                    .collect())
            })
            .await?
    }
}

impl Handle<api::SpaceAdmit> for Session {
    async fn handle(
        &self,
        command: api::SpaceAdmit,
    ) -> Result<<api::SpaceAdmit as Command>::Reply, AppError> {
        self.rooms
            .inner
            .driver
            .ask(move |work| {
                let space = names::space(work.node, &command.space)?;
                let member = names::member(work.node, &space.space, &command.member)?;
                work.node
                    .admit(work.ledger, work.now, space.space, member.member)?;
                Ok(())
            })
            .await
    }
}

impl Handle<api::SpaceJoinCancel> for Session {
    async fn handle(
        &self,
        command: api::SpaceJoinCancel,
    ) -> Result<<api::SpaceJoinCancel as Command>::Reply, AppError> {
        let invite = match link::read(&command.invite)? {
            Ticket::Invite(link) => Some(link.code.key().id()),
            Ticket::Door(code) => {
                self.stop_knocking_by(code.clone()).await?;
                let through = self.rooms.inner.through.lock().await;
                through
                    .as_ref()
                    .filter(|(by, _)| *by == code)
                    .map(|(_, invite)| *invite)
            }
        };
        let Some(invite) = invite else {
            return Ok(());
        };
        self.rooms
            .inner
            .driver
            .ask(move |work| Ok(work.node.cancel_join(work.ledger, invite)?))
            .await
    }
}

impl Handle<api::SpaceJoin> for Session {
    async fn handle(
        &self,
        command: api::SpaceJoin,
    ) -> Result<<api::SpaceJoin as Command>::Reply, AppError> {
        let ticket = link::read(&command.invite)?;
        let target = command
            .address
            .as_deref()
            .map(network::parse_target)
            .transpose()?;
        let wait = command.timeout_s.map_or(LOOK_FOR, Duration::from_secs);
        let guest = self.rooms.ensure_network(&self.core).await?;
        let joined = match ticket {
            Ticket::Invite(Link { code, targets }) => {
                if let Some(network) = self.rooms.network().await {
                    // Where the inviter was when the link was made; found otherwise, it is met all the same.
                    let known = targets.into_iter();
                    network.remember(known.map(|at| (at, FoundBy::Remembered)).collect());
                }
                self.join(code, target, wait).await
            }
            Ticket::Door(code) => self.join_by_door(code, target, wait).await,
        };
        guest.leave().await;
        joined
    }
}

impl Session {
    async fn join(
        &self,
        code: InviteCode,
        target: Option<Target>,
        wait: Duration,
    ) -> Result<api::Joined, AppError> {
        let outcomes = self.rooms.inner.driver.signals.outcomes.subscribe();
        if let (Some(target), Some(network)) = (target, self.rooms.network().await) {
            network
                .dial(target)
                .await
                .map_err(|reason| network::dial_error(&reason))?;
        }
        let (invite, waited) = self
            .rooms
            .inner
            .driver
            .ask(move |work| {
                let waited = work.node.is_joining(&code.key().id());
                Ok((work.node.join(work.ledger, work.now, &code)?, waited))
            })
            .await?;
        if let Some(network) = self.rooms.network().await {
            network.hurry();
        }
        match await_join(&self.rooms, invite, wait, outcomes).await {
            Ok(joined) => Ok(joined),
            // A request from before goes on, whatever came of asking again.
            Err(reason) if waited => Err(reason),
            Err(reason) => {
                self.rooms
                    .inner
                    .driver
                    .ask(move |work| Ok(work.node.cancel_join(work.ledger, invite)?))
                    .await?;
                Err(reason)
            }
        }
    }
}

impl Session {
    /// Gets an invite at an open door, and joins by it.
    async fn join_by_door(
        &self,
        code: DoorCode,
        target: Option<Target>,
        wait: Duration,
    ) -> Result<api::Joined, AppError> {
        let deadline = Instant::now() + wait;
        let invite = self.invite_behind(code.clone(), target, wait).await?;
        let through = &self.rooms.inner.through;
        let ours = Some((code, invite.key().id()));
        through.lock().await.clone_from(&ours);
        let left = deadline.saturating_duration_since(Instant::now());
        let joined = self.join(invite, None, left).await;
        // Another one may be under way by now.
        let _ = through
            .lock()
            .await
            .take_if(|now| Some(&*now) == ours.as_ref());
        joined
    }
}

pub(super) async fn await_join(
    state: &State,
    invite: InviteId,
    wait: Duration,
    mut outcomes: broadcast::Receiver<Outcome>,
) -> Result<api::Joined, AppError> {
    let mut deadline = Instant::now() + wait;
    let mut refused = None;
    let mut inside: Option<(SpaceId, api::Joined)> = None;
    loop {
        let outcome = match timeout_at(deadline, outcomes.recv()).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(broadcast::error::RecvError::Lagged(_))) => continue,
            Ok(Err(broadcast::error::RecvError::Closed)) => {
                return Err(driver::closed());
            }
            Err(_) => {
                return match inside {
                    Some((_, joined)) => Ok(joined),
                    None => Err(refused.map_or_else(|| nobody(wait), refusal_error)),
                };
            }
        };
        match outcome {
            Event::Joined { space, invite: led } if led == invite => {
                let name = state
                    .look(move |node| {
                        node.spaces()
                            .into_iter()
                            .find(|view| view.space == space)
                            .map(|view| view.name)
                    })
                    .await?
                    .unwrap_or_default();
                let joined = api::Joined {
                    space: space.to_string(),
                    name,
                    state: "member".to_owned(),
                };
                inside = Some((space, joined));
                deadline = Instant::now() + HISTORY;
            }
            Event::InStep { space, .. } => match inside.take() {
                Some((joined, reply)) if joined == space => return Ok(reply),
                other => inside = other,
            },
            Event::Ahead { space, .. }
                if inside.as_ref().is_some_and(|(joined, _)| *joined == space) =>
            {
                deadline = deadline.min(Instant::now() + REST);
            }
            Event::Pending {
                space,
                name,
                invite: led,
            } if led == invite => {
                return Ok(api::Joined {
                    space: space.to_string(),
                    name,
                    state: "pending".to_owned(),
                });
            }
            Event::JoinRefused {
                invite: led,
                refusal,
                ..
            } if led == invite => {
                // One peer's word is no verdict: its clock may be wrong, it may be a stranger, or lie.
                let patience = match refusal {
                    Refusal::Unknown => STRANGERS,
                    _ => SECOND_OPINION,
                };
                refused = Some(refused.map_or(refusal, |said| telling(said, refusal)));
                deadline = deadline.min(Instant::now() + patience);
            }
            _ => {}
        }
    }
}

/// Of two refusals the one that says more.
fn telling(one: Refusal, other: Refusal) -> Refusal {
    match (one, other) {
        (Refusal::Unknown | Refusal::Observer, other) if other != Refusal::Unknown => other,
        (one, _) => one,
    }
}

fn nobody(wait: Duration) -> AppError {
    AppError::new(
        Code::NobodyThere,
        format!(
            "no member of that space was found in {} seconds",
            wait.as_secs()
        ),
        "Compare the invite letter by letter: a mistyped one is looked for and never found. \
         Check that a member's machine is on and on this network, or give its address: \
         artel space join INVITE --address /ip4/…/tcp/47600",
    )
}

fn refusal_error(refusal: Refusal) -> AppError {
    let code = match refusal {
        Refusal::Expired => Code::InviteExpired,
        Refusal::Unknown | Refusal::Revoked | Refusal::Unsound => Code::InviteWrong,
        Refusal::Removed | Refusal::Crowded => Code::NotAllowed,
        Refusal::Observer => Code::NobodyThere,
    };
    let hint = match refusal {
        Refusal::Unknown => {
            "Compare the invite letter by letter with the one you were given: a mistyped one leads nowhere. \
             If it is the same, look whether a member of that space is on this network."
        }
        _ => "Update Artel on both machines and ask for a new invite.",
    };
    AppError::of(code, &refusal, hint)
}
