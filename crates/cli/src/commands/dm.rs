//! `artel dm`.

use std::path::PathBuf;

use artel_app::api::rooms::RoomSend;
use clap::Args;

use super::room;
use crate::context::{Context, Exit, absolute};

/// Arguments of `dm`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  artel dm Olena \"When do we meet?\"\n  artel room read @Olena\n\n\
    Only the devices of the two of you can open it. Others carry it to them, and see who wrote, when, and about how much."
)]
pub(crate) struct DmArgs {
    /// Id or name of the member; SPACE/NAME where the name is not unique
    member: String,
    /// The text; may be empty when files are attached
    text: String,
    /// A file to attach; may be repeated
    #[arg(long, value_name = "FILE")]
    attach: Vec<PathBuf>,
    /// Message that this one answers
    #[arg(long, value_name = "ID")]
    reply_to: Option<String>,
    /// Wait until one of their devices has it; at most 30 seconds, or as many as given
    #[arg(long, value_name = "S", num_args = 0..=1, require_equals = true, default_missing_value = "30")]
    wait: Option<u64>,
}

pub(crate) async fn run(context: &Context, args: DmArgs) -> anyhow::Result<Exit> {
    let waits = args.wait.is_some();
    let send = RoomSend {
        room: conversation(&args.member),
        text: args.text,
        attach: args
            .attach
            .iter()
            .map(|path| absolute(path))
            .collect::<Result<_, _>>()?,
        reply_to: args.reply_to,
        wait_s: args.wait,
    };
    let client = context.client().await?;
    let sent = client.call(send).await;
    client.close().await;
    room::sent(context, &sent?, waits)?;
    Ok(Exit::Done)
}

/// How a conversation with a member is named as a room: no room's name begins so.
fn conversation(member: &str) -> String {
    let member = member.trim();
    if member.contains("/@") {
        return member.to_owned();
    }
    format!("@{}", member.strip_prefix('@').unwrap_or(member))
}

#[cfg(test)]
mod tests {
    use super::conversation;

    #[test]
    fn a_member_is_named_with_and_without_the_space() {
        for (member, expected) in [
            ("Olena", "@Olena"),
            ("@Olena", "@Olena"),
            ("Class 7B/Olena", "@Class 7B/Olena"),
            ("7/B/@Olena", "7/B/@Olena"),
            // A name may have a stroke in it: what is the space and what the member, the node knows.
            ("Olena/7B", "@Olena/7B"),
        ] {
            assert_eq!(conversation(member), expected);
        }
    }
}
