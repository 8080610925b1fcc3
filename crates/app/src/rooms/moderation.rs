//! Who stays in a space and as what: removals, roles, revoked invites, devices.

use artel_domain::Role;
use artel_sync::protocol::MemberState;

use super::{driver::Work, names};
use crate::{
    api::{Command, Handle, rooms as api},
    error::{AppError, Code},
    session::Session,
};

impl Handle<api::SpaceRemove> for Session {
    async fn handle(
        &self,
        command: api::SpaceRemove,
    ) -> Result<<api::SpaceRemove as Command>::Reply, AppError> {
        self.rooms
            .inner
            .driver
            .ask(move |work| {
                let space = names::space(work.node, &command.space)?.space;
                let member = names::member(work.node, &space, &command.member)?;
                if member.me {
                    return Err(AppError::new(
                        Code::BadArguments,
                        "you cannot remove yourself",
                        "To go, leave the space: artel space leave SPACE",
                    )
                    .into());
                }
                work.node
                    .remove(work.ledger, work.now, space, member.member, command.block)?;
                Ok(())
            })
            .await
    }
}

impl Handle<api::SpaceErase> for Session {
    async fn handle(
        &self,
        command: api::SpaceErase,
    ) -> Result<<api::SpaceErase as Command>::Reply, AppError> {
        self.rooms
            .inner
            .driver
            .ask(move |work| {
                let space = names::space(work.node, &command.space)?.space;
                let member = names::member(work.node, &space, &command.member)?;
                if member.name.trim() != command.confirm.trim() {
                    return Err(AppError::new(
                        Code::BadArguments,
                        format!("\"{}\" is not the name of that member", command.confirm),
                        "This cannot be undone: give the member's whole name to confirm it.",
                    )
                    .into());
                }
                work.node
                    .erase_member(work.ledger, work.now, space, member.member)?;
                Ok(())
            })
            .await
    }
}

impl Handle<api::SpaceUnblock> for Session {
    async fn handle(
        &self,
        command: api::SpaceUnblock,
    ) -> Result<<api::SpaceUnblock as Command>::Reply, AppError> {
        self.rooms
            .inner
            .driver
            .ask(move |work| {
                let space = names::space(work.node, &command.space)?.space;
                let member = names::member(work.node, &space, &command.member)?.member;
                work.node.unbar(work.ledger, work.now, space, member)?;
                Ok(())
            })
            .await
    }
}

impl Handle<api::SpaceRole> for Session {
    async fn handle(
        &self,
        command: api::SpaceRole,
    ) -> Result<<api::SpaceRole as Command>::Reply, AppError> {
        let role = command.role.parse::<Role>()?;
        self.rooms
            .inner
            .driver
            .ask(move |work| {
                let space = names::space(work.node, &command.space)?.space;
                let member = names::member(work.node, &space, &command.member)?;
                if member.state == MemberState::Removed {
                    return Err(AppError::new(
                        Code::BadArguments,
                        format!("{} was removed and has no role", member.name),
                        "Invite them again: artel space invite SPACE",
                    )
                    .into());
                }
                work.node
                    .set_role(work.ledger, work.now, space, member.member, role)?;
                Ok(())
            })
            .await
    }
}

impl Handle<api::SpaceRevoke> for Session {
    async fn handle(
        &self,
        command: api::SpaceRevoke,
    ) -> Result<<api::SpaceRevoke as Command>::Reply, AppError> {
        self.rooms
            .inner
            .driver
            .ask(move |work| {
                let (space, invite) = names::invite(work.node, &command.invite)?;
                work.node
                    .revoke_invite(work.ledger, work.now, space.space, invite)?;
                Ok(())
            })
            .await
    }
}

impl Handle<api::SpaceLeave> for Session {
    async fn handle(
        &self,
        command: api::SpaceLeave,
    ) -> Result<<api::SpaceLeave as Command>::Reply, AppError> {
        self.rooms
            .inner
            .driver
            .ask(move |work| {
                let view = names::space(work.node, &command.space)?;
                if view.state == MemberState::Removed {
                    return Err(names::removed(work.node, &view).into());
                }
                let me = work.node.member();
                let members = work.node.members(&view.space).into_iter();
                let mut others =
                    members.filter(|member| !member.me && member.state == MemberState::Member);
                if view.state == MemberState::Member && others.next().is_none() {
                    return Err(AppError::new(
                        Code::NotAllowed,
                        format!("nobody else is in {}: there would be no way back", view.name),
                        "Keep it: nobody else holds a copy. Or invite someone and make them an owner.",
                    )
                    .param("name", view.name)
                    .into());
                }
                work.node.remove(work.ledger, work.now, view.space, me, false)?;
                Ok(())
            })
            .await
    }
}

impl Handle<api::DeviceList> for Session {
    async fn handle(
        &self,
        _: api::DeviceList,
    ) -> Result<<api::DeviceList as Command>::Reply, AppError> {
        self.rooms
            .look(|node| {
                let this = node.device();
                let mut devices = vec![api::DeviceInfo {
                    device: this.to_string(),
                    this: true,
                    online: true,
                    spaces: Vec::new(),
                }];
                for space in node.spaces() {
                    let members = node.members(&space.space);
                    let mine = members.into_iter().filter(|member| member.me);
                    for device in mine.flat_map(|member| member.devices) {
                        let id = device.to_string();
                        let name = space.name.clone();
                        match devices.iter_mut().find(|known| known.device == id) {
                            Some(known) => known.spaces.push(name),
                            None => devices.push(api::DeviceInfo {
                                device: id,
                                this: false,
                                online: !node.peer_spaces(&device).is_empty(),
                                spaces: vec![name],
                            }),
                        }
                    }
                }
                devices
            })
            .await
    }
}

impl Handle<api::DeviceRevoke> for Session {
    async fn handle(
        &self,
        command: api::DeviceRevoke,
    ) -> Result<<api::DeviceRevoke as Command>::Reply, AppError> {
        self.rooms
            .inner
            .driver
            .ask(move |work: &mut Work<'_>| {
                let (device, spaces) = names::device(work.node, &command.device)?;
                let mut ended = Vec::new();
                let mut refused = None;
                for space in spaces {
                    match work
                        .node
                        .retire_device(work.ledger, work.now, space.space, device)
                    {
                        Ok(()) => ended.push(space.name),
                        Err(reason @ artel_sync::protocol::CommandError::Forbidden { .. }) => {
                            refused = Some(reason);
                        }
                        Err(reason) => return Err(reason.into()),
                    }
                }
                match refused {
                    Some(reason) if ended.is_empty() => Err(reason.into()),
                    _ => Ok(api::DeviceRevoked {
                        device: device.to_string(),
                        spaces: ended,
                    }),
                }
            })
            .await
    }
}
