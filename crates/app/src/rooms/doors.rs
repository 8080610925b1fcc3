//! Doors: holding one open, and getting an invite at another's by the code that is shown there.

use std::{collections::HashMap, time::Duration};

use artel_domain::{DoorCode, InviteCode, MemberId, Role, SpaceId};
use artel_sync::{
    net::Target,
    protocol::{DoorView, Event, InviteTerms, MemberView, Node},
};
use tokio::{
    sync::broadcast,
    time::{Instant, timeout_at},
};

use super::{
    driver::{self, Failed, Outcome},
    link::{self, Ticket},
    names, network,
};
use crate::{
    api::{Command, Handle, rooms as api},
    error::{AppError, Code},
    session::Session,
};

/// How long a door is open unless told.
const MINUTES: u32 = 10;
/// No door stays open longer.
const MOST_MINUTES: u32 = 240;
/// Seats of the invite that is made for a door.
const SEATS: u32 = 40;
/// That invite ends so much later, since clocks differ and a join takes a moment.
const GRACE_MS: i64 = 60 * 60 * 1_000;
/// After a peer said that it has no such door, others may: how long they are waited for.
const OTHERS: Duration = Duration::from_secs(10);

fn describe(node: &Node, space: &SpaceId, view: DoorView) -> api::DoorInfo {
    let names: HashMap<MemberId, String> = node
        .members(space)
        .into_iter()
        .map(|MemberView { member, name, .. }| (member, name))
        .collect();
    api::DoorInfo {
        space: space.to_string(),
        code: view.code.to_string(),
        invite: view.invite.to_string(),
        until: view.until,
        wrong: view.wrong,
        guests: view.guests,
        came: view
            .came
            .iter()
            .filter_map(|member| names.get(member).cloned())
            .collect(),
    }
}

impl Handle<api::SpaceDoor> for Session {
    async fn handle(
        &self,
        command: api::SpaceDoor,
    ) -> Result<<api::SpaceDoor as Command>::Reply, AppError> {
        let minutes = command.minutes.unwrap_or(MINUTES);
        if !(1..=MOST_MINUTES).contains(&minutes) {
            return Err(AppError::new(
                Code::BadArguments,
                format!("a door cannot be open for {minutes} minutes"),
                format!("Give 1 to {MOST_MINUTES} minutes."),
            ));
        }
        let given = command.invite.as_deref().map(invite_of).transpose()?;
        // Nobody comes through a door that no machine can reach: the network stays on.
        let _stays = self.rooms.ensure_network(&self.core).await?;
        self.rooms
            .inner
            .driver
            .ask(move |work| {
                let space = names::space(work.node, &command.space)?.space;
                let until = work.now.saturating_add(i64::from(minutes) * 60_000);
                // An invite that nothing leads to would lie open for a while.
                work.node.has_room_for_door(&space)?;
                let invite = if let Some(invite) = given {
                    invite
                } else {
                    let terms = InviteTerms {
                        role: Role::Student,
                        seats: SEATS,
                        expires_at: until.saturating_add(GRACE_MS),
                        approve: false,
                    };
                    work.node
                        .create_invite(work.ledger, work.now, space, terms)?
                };
                work.node.open_door(work.now, space, invite, until)?;
                work.changes.spaces = true;
                let view = work.node.door(&space);
                let view = view.ok_or_else(|| AppError::internal(&"the door is not there"))?;
                Ok(describe(work.node, &space, view))
            })
            .await
    }
}

/// The invite that a door is to lead to: its code, or a link with it.
fn invite_of(text: &str) -> Result<InviteCode, AppError> {
    match link::read(text)? {
        Ticket::Invite(link) => Ok(link.code),
        Ticket::Door(_) => Err(AppError::new(
            Code::BadArguments,
            "a door leads to an invite, and this is the code of a door",
            "Give the invite's eight groups of five, or leave it out: a new invite is made.",
        )),
    }
}

impl Handle<api::SpaceDoorShow> for Session {
    async fn handle(
        &self,
        command: api::SpaceDoorShow,
    ) -> Result<<api::SpaceDoorShow as Command>::Reply, AppError> {
        self.rooms
            .look(move |node| {
                let space = names::space(node, &command.space)?.space;
                let view = node.door(&space);
                Ok(api::DoorState {
                    space: space.to_string(),
                    open: view.map(|view| describe(node, &space, view)),
                })
            })
            .await?
    }
}

impl Handle<api::SpaceDoorClose> for Session {
    async fn handle(
        &self,
        command: api::SpaceDoorClose,
    ) -> Result<<api::SpaceDoorClose as Command>::Reply, AppError> {
        self.rooms
            .inner
            .driver
            .ask(move |work| {
                let space = names::space(work.node, &command.space)?.space;
                work.node.close_door(&space);
                work.changes.spaces = true;
                Ok::<_, Failed>(api::DoorState {
                    space: space.to_string(),
                    open: None,
                })
            })
            .await
    }
}

impl Session {
    /// Knocks at every door in reach until one opens to the code.
    pub(super) async fn invite_behind(
        &self,
        code: DoorCode,
        target: Option<Target>,
        wait: Duration,
    ) -> Result<InviteCode, AppError> {
        let outcomes = self.rooms.inner.driver.signals.outcomes.subscribe();
        let network = self.rooms.network().await;
        if let (Some(target), Some(network)) = (target, &network) {
            network
                .dial(target)
                .await
                .map_err(|reason| network::dial_error(&reason))?;
        }
        let driver = &self.rooms.inner.driver;
        let knocking = driver
            .ask(move |work| Ok(work.node.knock(work.now, code)))
            .await?;
        if let Some(network) = network {
            network.hurry();
        }
        let opened = await_door(knocking, wait, outcomes).await;
        if opened.is_err() {
            driver
                .ask(move |work| {
                    work.node.stop_knocking(knocking);
                    Ok(())
                })
                .await?;
        }
        opened
    }

    /// Gives up knocking by a code, if that is under way.
    pub(super) async fn stop_knocking_by(&self, code: DoorCode) -> Result<(), AppError> {
        let driver = &self.rooms.inner.driver;
        driver
            .ask(move |work| {
                if let Some(knocking) = work.node.knocking_by(&code) {
                    work.node.stop_knocking(knocking);
                }
                Ok(())
            })
            .await
    }
}

async fn await_door(
    ours: u32,
    wait: Duration,
    mut outcomes: broadcast::Receiver<Outcome>,
) -> Result<InviteCode, AppError> {
    let latest = Instant::now() + wait;
    let mut deadline = latest;
    let (mut answered, mut rests) = (0_u32, false);
    loop {
        match timeout_at(deadline, outcomes.recv()).await {
            Ok(Ok(Event::DoorOpened { knocking, invite })) if knocking == ours => {
                return Ok(invite);
            }
            Ok(Ok(Event::KnockingEnded { knocking })) if knocking == ours => {
                return Err(given_up());
            }
            Ok(Ok(Event::DoorShut {
                knocking, later, ..
            })) if knocking == ours => {
                answered += 1;
                rests |= later;
                deadline = if rests {
                    latest
                } else {
                    latest.min(deadline.min(Instant::now() + OTHERS))
                };
            }
            Ok(Ok(_) | Err(broadcast::error::RecvError::Lagged(_))) => {}
            Ok(Err(broadcast::error::RecvError::Closed)) => return Err(driver::closed()),
            Err(_) => return Err(no_door(answered, rests, wait)),
        }
    }
}

fn given_up() -> AppError {
    AppError::new(
        Code::Cancelled,
        "joining by this code was given up",
        "Join again when you have the code: artel space join CODE",
    )
}

fn no_door(answered: u32, rests: bool, wait: Duration) -> AppError {
    if rests {
        return AppError::new(
            Code::WrongState,
            "the door hears nobody for a while, because wrong codes were tried",
            "Check the code with the teacher and try again in half a minute.",
        );
    }
    if answered == 0 {
        return AppError::new(
            Code::NobodyThere,
            format!(
                "no machine with an open door was found in {} seconds",
                wait.as_secs()
            ),
            "Check that the teacher's machine is on and on this network, or give its address: \
             artel space join CODE --address /ip4/…/tcp/47600",
        );
    }
    AppError::new(
        Code::InviteWrong,
        "no door on this network opens to this code",
        "Compare it with what the teacher shows, character by character. The door may be closed by now: ask for a new code.",
    )
}
