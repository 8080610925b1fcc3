//! `artel space`.

use artel_app::{
    api::{
        Event,
        rooms::{
            DoorInfo, InviteState, SpaceAdmit, SpaceDoor, SpaceDoorClose, SpaceDoorShow,
            SpaceErase, SpaceInvite, SpaceInvites, SpaceJoin, SpaceJoinCancel, SpaceLeave,
            SpaceList, SpaceMembers, SpaceNew, SpacePolicy, SpaceRemove, SpaceReports, SpaceRevoke,
            SpaceRole, SpaceShow, SpaceUnblock,
        },
    },
    error::{AppError, Code},
};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::{
    client::Client,
    context::{Context, Exit},
    output::Output,
    stop, when,
};

#[derive(Subcommand)]
pub(crate) enum SpaceCommand {
    /// Found a space; its first room is General
    #[command(after_help = "Example: artel space new \"Class 7B\"")]
    New {
        /// Its name
        name: String,
    },
    /// List the spaces
    #[command(after_help = "Example: artel space list --json")]
    List,
    /// Make an invite; the code is shown once
    #[command(after_help = "Example: artel space invite \"Class 7B\" --seats 30 --expires 8h")]
    Invite(InviteArgs),
    /// List the invites of a space
    #[command(after_help = "Example: artel space invites \"Class 7B\"")]
    Invites {
        /// Id or name of the space
        space: String,
    },
    /// Open the door: a short code leads to an invite while it is open
    #[command(after_help = "Example: artel space door \"Class 7B\" --minutes 15\n\n\
        Others type: artel space join K7QM-2XPD. The code is shown in the room and never sent; after 20 wrong ones the \
        door closes. Waits until the door closes, unless a node or the window holds it open. Ctrl-C closes it.")]
    Door(DoorArgs),
    /// Join a space by invite, or by the code of an open door
    #[command(
        after_help = "Example: artel space join ABCDE-FGHIJ-… --address /ip4/10.77.0.1/tcp/47600\n\
        Example: artel space join K7QM-2XPD\n\n\
        Starts the network for as long as it takes, unless a node runs."
    )]
    Join(JoinArgs),
    /// List the members of a space
    #[command(after_help = "Example: artel space members \"Class 7B\"")]
    Members {
        /// Id or name of the space
        space: String,
    },
    /// List what was reported, for those who run the space
    #[command(after_help = "Example: artel space reports \"Class 7B\"\n\n\
        Others see what they reported themselves. A message that is not what anyone signed is marked as not verified.")]
    Reports {
        /// Id or name of the space
        space: String,
    },
    /// End an invite; those who came by it stay
    #[command(
        after_help = "Example: artel space revoke 3f9a0c12\n\nIds stand in artel space invites."
    )]
    Revoke {
        /// Id of the invite, the beginning of it, or its code
        invite: String,
    },
    /// Remove a member; what they wrote until now stays
    #[command(after_help = "Example: artel space remove \"Class 7B\" Olena")]
    Remove(MemberArgs),
    /// Remove a member and let no later invite lead them back
    #[command(after_help = "Example: artel space block \"Class 7B\" Olena")]
    Block(MemberArgs),
    /// Let later invites lead a blocked member back
    #[command(after_help = "Example: artel space unblock \"Class 7B\" Olena")]
    Unblock(MemberArgs),
    /// Erase what a member said, and their name, for good
    #[command(
        after_help = "Example: artel space erase \"Class 7B\" Olena --confirm \"Olena Tkachenko\"\n\n\
        Who is still in is removed first. It reaches every honest machine when that meets one that knows. What they \
        wrote into notes stays, and files \
        that others saved. They do not come back under their key."
    )]
    Erase {
        /// Id or name of the space
        space: String,
        /// Id or name of the member
        member: String,
        /// The member's whole name, since this cannot be undone
        #[arg(long, value_name = "NAME")]
        confirm: String,
    },
    /// Change a member's role
    #[command(after_help = "Example: artel space role \"Class 7B\" Olena teacher")]
    Role {
        /// Id or name of the space
        space: String,
        /// Id or name of the member
        member: String,
        /// owner, teacher, student or observer
        role: String,
    },
    /// Show the rules of a space, or set them
    #[command(
        after_help = "Example: artel space policy \"Class 7B\" --set history=30 --set direct=off\n\n\
        history: what newcomers are given of what was said before they came: all, none or a number of days\n\
        direct:  whether members write to one another directly: on or off\n\
        pages:   who edits notes where their opener does not say: teachers or students"
    )]
    Policy {
        /// Id or name of the space
        space: String,
        /// A rule to set; may be repeated
        #[arg(long, value_name = "KEY=VALUE")]
        set: Vec<String>,
    },
    /// Leave a space; what is here stays here
    #[command(after_help = "Example: artel space leave \"Class 7B\"")]
    Leave {
        /// Id or name of the space
        space: String,
    },
    /// Show the messages of a restored space before what was deleted since is known
    #[command(
        after_help = "Example: artel space show \"Class 7B\" --as-backed-up\n\n\
        They show by themselves once a member was met: artel node"
    )]
    Show {
        /// Id or name of the space
        space: String,
        /// As they were in the backup
        #[arg(long, required = true)]
        as_backed_up: bool,
    },
    /// Admit a pending member
    #[command(after_help = "Example: artel space admit \"Class 7B\" Olena")]
    Admit {
        /// Id or name of the space
        space: String,
        /// Id or name of the member
        member: String,
    },
}

/// A member of a space.
#[derive(Args)]
pub(crate) struct MemberArgs {
    /// Id or name of the space
    space: String,
    /// Id or name of the member
    member: String,
}

/// Arguments of `space invite`.
#[derive(Args)]
pub(crate) struct InviteArgs {
    /// Id or name of the space
    space: String,
    /// Role of those who join: teacher, student or observer
    #[arg(long, value_name = "R")]
    role: Option<String>,
    /// How many may join: 40 unless given
    #[arg(long, value_name = "N")]
    seats: Option<u32>,
    /// Lifetime: 90s, 30m, 8h, 7d; a day unless given
    #[arg(long, value_name = "24h", value_parser = when::parse_lifetime)]
    expires: Option<u64>,
    /// Each one waits to be admitted
    #[arg(long)]
    approve: bool,
}

/// Arguments of `space door`.
#[derive(Args)]
pub(crate) struct DoorArgs {
    /// Id or name of the space
    space: String,
    /// Code of the invite that it leads to; a new one for 40 students unless given
    #[arg(long, value_name = "INVITE")]
    invite: Option<String>,
    /// How long it stays open
    #[arg(long, value_name = "N", default_value_t = 10)]
    minutes: u32,
    /// Show the open door and who came in
    #[arg(long, conflicts_with_all = ["invite", "minutes", "close"])]
    show: bool,
    /// Close it
    #[arg(long, conflicts_with_all = ["invite", "minutes"])]
    close: bool,
}

/// Arguments of `space join`.
#[derive(Args)]
pub(crate) struct JoinArgs {
    /// Eight groups of five letters and digits, or the two groups of four of an open door
    invite: String,
    /// Where a member is, if mDNS does not find one
    #[arg(long, value_name = "MULTIADDR")]
    address: Option<String>,
    /// How long to look for a member, in seconds
    #[arg(long, value_name = "S", default_value_t = 30)]
    timeout: u64,
}

pub(crate) async fn run(context: &Context, command: SpaceCommand) -> anyhow::Result<Exit> {
    let client = context.client().await?;
    let exit = act(context, &client, command).await;
    client.close().await;
    exit
}

async fn act(context: &Context, client: &Client, command: SpaceCommand) -> anyhow::Result<Exit> {
    let output = &context.output;
    match command {
        SpaceCommand::New { name } => {
            let space = client.call(SpaceNew { name }).await?;
            output.one(&space, || {
                format!("Space {} was founded.\n{}", space.name, space.space)
            })?;
            output.hint(&format!(
                "Invite others: artel space invite \"{}\"",
                space.name
            ));
        }
        SpaceCommand::List => {
            let spaces = client.call(SpaceList {}).await?;
            output.many(
                &spaces,
                &["name", "role", "members", "here", "unread", "space"],
                |space| {
                    vec![
                        space.name.clone(),
                        if space.state == "member" {
                            space.role.clone()
                        } else {
                            space.state.clone()
                        },
                        space.members.to_string(),
                        space.online.to_string(),
                        if space.held {
                            "waits".to_owned()
                        } else {
                            space.unread.to_string()
                        },
                        space.space.clone(),
                    ]
                },
                "There are no spaces. Found one: artel space new NAME",
            )?;
        }
        SpaceCommand::Invite(args) => {
            let invite = client
                .call(SpaceInvite {
                    space: args.space,
                    role: args.role,
                    seats: args.seats,
                    expires_s: args.expires,
                    approve: args.approve,
                })
                .await?;
            output.one(&invite, || invite.invite.clone())?;
            output.hint(&format!(
                "For {} with {} seats, until {}. Others type: artel space join {}",
                invite.role,
                invite.seats,
                when::minute(invite.expires_at),
                invite.invite
            ));
        }
        SpaceCommand::Invites { space } => {
            let invites = client.call(SpaceInvites { space }).await?;
            output.many(
                &invites,
                &["role", "used", "until", "by", "state", "id"],
                |invite| {
                    vec![
                        invite.role.clone(),
                        format!("{} of {}", invite.used, invite.seats),
                        when::minute(invite.expires_at),
                        invite.by.clone(),
                        invite_state(invite).to_owned(),
                        invite.id.chars().take(16).collect(),
                    ]
                },
                "There are no invites.",
            )?;
        }
        SpaceCommand::Door(args) => return door(client, output, args).await,
        SpaceCommand::Reports { space } => {
            let reports = client.call(SpaceReports { space }).await?;
            output.many(
                &reports,
                &["at", "by", "why", "author", "room", "said", "id"],
                |report| {
                    let not_verified = "(not verified)".to_owned();
                    let (author, room, said) = match &report.reported {
                        None => (String::new(), String::new(), not_verified),
                        Some(reported) => (
                            reported.name.clone(),
                            reported.room.clone().unwrap_or_default(),
                            reported.edit.as_ref().unwrap_or(&reported.text).clone(),
                        ),
                    };
                    vec![
                        when::minute(report.at),
                        report.by_name.clone(),
                        report.text.clone(),
                        author,
                        room,
                        said,
                        report.id.clone(),
                    ]
                },
                "There are no reports.",
            )?;
        }
        SpaceCommand::Join(args) => {
            let invite = args.invite.clone();
            let joining = client.call(SpaceJoin {
                invite: args.invite,
                address: args.address,
                timeout_s: Some(args.timeout),
            });
            let joined = tokio::select! {
                joined = joining => joined?,
                () = stop::requested() => {
                    client.call(SpaceJoinCancel { invite }).await?;
                    return Err(AppError::new(
                        Code::Cancelled,
                        "joining was stopped",
                        "Join again: artel space join INVITE",
                    )
                    .into());
                }
            };
            output.one(&joined, || match joined.state.as_str() {
                "member" => format!("You are a member of {}.", joined.name),
                _ => format!("{} was asked; a teacher has to admit you.", joined.name),
            })?;
        }
        SpaceCommand::Members { space } => {
            let members = client.call(SpaceMembers { space }).await?;
            output.many(
                &members,
                &["name", "role", "state", "here", "member"],
                |member| {
                    vec![
                        if member.me {
                            format!("{} (you)", member.name)
                        } else {
                            member.name.clone()
                        },
                        member.role.clone(),
                        if member.copied {
                            format!("{} (copied profile)", member.state)
                        } else {
                            member.state.clone()
                        },
                        if member.online { "yes" } else { "" }.to_owned(),
                        member.member.clone(),
                    ]
                },
                "There are no members.",
            )?;
        }
        SpaceCommand::Revoke { invite } => {
            client
                .call(SpaceRevoke {
                    invite: invite.clone(),
                })
                .await?;
            output.one(&json!({ "invite": invite, "revoked": true }), || {
                "The invite has ended.".to_owned()
            })?;
        }
        SpaceCommand::Remove(args) => remove(client, output, args, false).await?,
        SpaceCommand::Block(args) => remove(client, output, args, true).await?,
        SpaceCommand::Unblock(MemberArgs { space, member }) => {
            client
                .call(SpaceUnblock {
                    space,
                    member: member.clone(),
                })
                .await?;
            output.one(&json!({ "member": member, "blocked": false }), || {
                format!("{member} can come back by a new invite.")
            })?;
        }
        SpaceCommand::Erase {
            space,
            member,
            confirm,
        } => {
            let erased = json!({ "member": member, "erased": true });
            let command = SpaceErase {
                space,
                member,
                confirm,
            };
            client.call(command).await?;
            output.one(&erased, || "What they said is erased.".to_owned())?;
        }
        SpaceCommand::Role {
            space,
            member,
            role,
        } => {
            client
                .call(SpaceRole {
                    space,
                    member: member.clone(),
                    role: role.clone(),
                })
                .await?;
            output.one(&json!({ "member": member, "role": role }), || {
                format!("{member} is {role} now.")
            })?;
        }
        SpaceCommand::Policy { space, set } => {
            let rules = client.call(SpacePolicy { space, set }).await?;
            output.many(
                &rules,
                &["rule", "value", "set by", "at"],
                |rule| {
                    vec![
                        rule.key.clone(),
                        rule.value.clone(),
                        rule.by.clone().unwrap_or_default(),
                        rule.at.map(when::minute).unwrap_or_default(),
                    ]
                },
                "There are no rules.",
            )?;
        }
        SpaceCommand::Leave { space } => {
            client
                .call(SpaceLeave {
                    space: space.clone(),
                })
                .await?;
            output.one(&json!({ "space": space, "state": "removed" }), || {
                format!("You have left {space}.")
            })?;
        }
        SpaceCommand::Show { space, .. } => {
            let shown = client.call(SpaceShow { space }).await?;
            output.one(&shown, || {
                format!("{} is shown as it was backed up.", shown.name)
            })?;
        }
        SpaceCommand::Admit { space, member } => {
            client
                .call(SpaceAdmit {
                    space,
                    member: member.clone(),
                })
                .await?;
            output.one(&json!({ "member": member, "state": "member" }), || {
                format!("{member} is a member now.")
            })?;
        }
    }
    Ok(Exit::Done)
}

/// Opens or closes a door. One that this process holds stays open as long as the process waits.
async fn door(client: &Client, output: &Output, args: DoorArgs) -> anyhow::Result<Exit> {
    let space = args.space;
    if args.close || args.show {
        let shown = if args.close {
            client.call(SpaceDoorClose { space }).await?
        } else {
            client.call(SpaceDoorShow { space }).await?
        };
        output.one(&shown, || match &shown.open {
            Some(door) => {
                let until = when::minute(door.until);
                format!("{} until {until}\n{}", door.code, door.came.join("\n"))
            }
            None => "The door is closed.".to_owned(),
        })?;
        return Ok(Exit::Done);
    }
    let mut events = client.events().await?;
    let door = client
        .call(SpaceDoor {
            space,
            invite: args.invite,
            minutes: Some(args.minutes),
        })
        .await?;
    output.one(&door, || door.code.clone())?;
    output.hint(&format!(
        "Open until {}. Others type: artel space join {}",
        when::minute(door.until),
        door.code
    ));
    if matches!(client, Client::Remote(_)) {
        return Ok(Exit::Done);
    }
    let space = door.space.clone();
    let show = || {
        client.call(SpaceDoorShow {
            space: space.clone(),
        })
    };
    let mut told = 0;
    let mut stopped = std::pin::pin!(stop::requested());
    loop {
        tokio::select! {
            event = events.recv() => match event {
                None | Some(Event::Locked) => return Ok(Exit::Done),
                Some(Event::Notice(notice)) => output.hint(&notice.message),
                Some(Event::Spaces) => {
                    let now = show().await?.open.filter(|now| now.code == door.code);
                    let Some(now) = now else {
                        output.hint("The door is closed.");
                        return Ok(Exit::Done);
                    };
                    told = welcome(output, &now, told);
                }
                Some(_) => {}
            },
            () = &mut stopped => {
                client.call(SpaceDoorClose { space: space.clone() }).await?;
                return Ok(Exit::Done);
            }
        }
    }
}

/// Tells who came in since so many were told; returns how many are now.
fn welcome(output: &Output, door: &DoorInfo, told: usize) -> usize {
    for name in door.came.iter().skip(told) {
        output.hint(&format!("{name} came in."));
    }
    door.came.len()
}

/// Whether an invite still leads in.
fn invite_state(invite: &InviteState) -> &'static str {
    let now = jiff::Timestamp::now().as_millisecond();
    if invite.revoked {
        "revoked"
    } else if invite.expires_at < now {
        "expired"
    } else if invite.used >= invite.seats {
        "used up"
    } else if invite.approve {
        "with approval"
    } else {
        "open"
    }
}

async fn remove(
    client: &Client,
    output: &Output,
    args: MemberArgs,
    block: bool,
) -> anyhow::Result<()> {
    let MemberArgs { space, member } = args;
    client
        .call(SpaceRemove {
            space,
            member: member.clone(),
            block,
        })
        .await?;
    let reply = json!({ "member": member, "state": "removed", "blocked": block });
    output.one(&reply, || {
        if block {
            format!("{member} was removed and cannot come back.")
        } else {
            format!("{member} was removed.")
        }
    })
}
