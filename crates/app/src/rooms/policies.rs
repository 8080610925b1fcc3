//! The rules of a space.

use artel_domain::{Policy, policy::UnknownPolicy};
use artel_sync::protocol::PolicyView;

use super::names;
use crate::{
    api::{Command, Handle, rooms as api},
    error::{AppError, Code},
    session::Session,
};

fn unknown(reason: &UnknownPolicy) -> AppError {
    let hint = match reason {
        UnknownPolicy::Key(_) => "Write it as KEY=VALUE: artel space policy SPACE --set history=30",
        UnknownPolicy::Value { .. } => "See how they are set: artel space policy SPACE",
    };
    AppError::of(Code::BadArguments, reason, hint)
}

impl Handle<api::SpacePolicy> for Session {
    async fn handle(
        &self,
        command: api::SpacePolicy,
    ) -> Result<<api::SpacePolicy as Command>::Reply, AppError> {
        // All of them or none.
        let wanted: Vec<Policy> = command
            .set
            .iter()
            .map(|text| text.parse())
            .collect::<Result<_, _>>()
            .map_err(|reason| unknown(&reason))?;
        self.rooms
            .inner
            .driver
            .ask(move |work| {
                let space = names::space(work.node, &command.space)?.space;
                for policy in wanted {
                    work.node.set_policy(work.ledger, work.now, space, policy)?;
                }
                let members = work.node.members(&space);
                let name = |by| {
                    let mut members = members.iter();
                    members
                        .find(|member| member.member == by)
                        .map(|member| member.name.clone())
                };
                let rules = work.node.policies(work.ledger, &space)?;
                Ok(rules
                    .into_iter()
                    .map(|PolicyView { policy, set }| api::PolicyInfo {
                        key: policy.name().unwrap_or_default().to_owned(),
                        value: policy.to_string(),
                        by: set.and_then(|(by, _)| name(by)),
                        at: set.map(|(_, at)| at),
                    })
                    .collect())
            })
            .await
    }
}
