//! `artel room`.

use std::{
    collections::HashSet,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    time::Duration,
};

use artel_app::{
    api::{
        Event,
        notes::{MAX_TEXT, NotesEdit, NotesOpen, NotesShow},
        rooms::{
            AttachmentSave, Deletion, Message, NodeStart, Page, Person, RoomDelete, RoomEdit,
            RoomList, RoomNew, RoomReact, RoomRead, RoomReport, RoomSeen, RoomSend, RoomUndelete,
            Sent,
        },
    },
    error::{AppError, Code},
    files,
};
use clap::{Args, Subcommand, ValueEnum};
use tokio::sync::mpsc;

use crate::{
    client::Client,
    context::{Context, Exit, absolute, folder_or_file},
    stop, when,
};

/// Messages asked for at once while following.
const PAGE: u32 = 100;
/// Pages looked back through for what was missed.
const MOST_PAGES: u32 = 20;
/// How long after its time a deletion may be signed, before it is left to the next command.
const LATE: Duration = Duration::from_secs(5);
/// News that come close together are read together.
const TOGETHER: Duration = Duration::from_millis(30);

#[derive(Subcommand)]
pub(crate) enum RoomCommand {
    /// Create a room in a space
    #[command(after_help = "Examples:\n  artel room new \"Class 7B\" Homework\n  \
        artel room new \"Class 7B\" \"Teachers' room\" --for teachers\n  \
        artel room new \"Class 7B\" \"Group 1\" --for Olena,Taras")]
    New {
        /// Id or name of the space
        space: String,
        /// Name of the room
        name: String,
        /// Who reads it: all, teachers, or ids or names of members, separated by commas; you are one of them
        #[arg(long = "for", value_name = "WHO", value_delimiter = ',')]
        readers: Vec<String>,
    },
    /// List the rooms, and the conversations with single members
    #[command(after_help = "Example: artel room list \"Class 7B\"")]
    List {
        /// Only those of this space, by id or name
        space: Option<String>,
    },
    /// Send a message
    #[command(
        after_help = "Example: artel room send General \"Look at this\" --attach photo.jpg --wait"
    )]
    Send(SendArgs),
    /// Read a room, or as @NAME what you and one member wrote, oldest message first
    #[command(
        after_help = "Examples:\n  artel room read General --follow\n  artel room read @Olena"
    )]
    Read(ReadArgs),
    /// Change the text of a message of yours
    #[command(
        after_help = "Example: artel room edit MESSAGE \"Page 35, not 34\"\n\n\
        room send prints the id of a message, and room read --json has it beside each. What was edited is marked."
    )]
    Edit {
        /// Id of the message
        message: String,
        /// The new text; may be empty when the message has files
        text: String,
    },
    /// Put a sign under a message, or take yours back
    #[command(after_help = "Examples:\n  artel room react MESSAGE 👍\n  \
        artel room react MESSAGE --remove\n\n\
        Each member has one sign under a message; another one takes its place.")]
    React(ReactArgs),
    /// Delete a message: yours, or as an owner or teacher anyone's
    #[command(
        after_help = "Examples:\n  artel room delete MESSAGE\n  artel room delete MESSAGE --undo\n\n\
        For 10 seconds a deletion can be taken back, and nobody learns of it. Then it is signed, and every honest \
        machine forgets what the message said. While the window or a node runs, the command returns at once and they \
        sign it; --undo takes it back. Alone, the command waits those 10 seconds, and Ctrl-C takes the deletion back. \
        If it is killed meanwhile, the next command that opens the profile signs it."
    )]
    Delete(DeleteArgs),
    /// Show or edit the notes of a room, which its members share
    #[command(after_help = "Examples:\n  artel room notes General\n  \
        artel room notes General --open-to students\n  artel room notes General --edit plan.md\n\n\
        What others write at the same time is kept.")]
    Notes(NotesArgs),
    /// Report a message to those who run the space
    #[command(
        after_help = "Example: artel room report MESSAGE \"This is not how we talk here\"\n\n\
        Every owner and teacher but its author gets the message as it was signed, and keeps it when it is deleted. They \
        see who reported it; nobody else learns of it. They read reports with: artel space reports SPACE"
    )]
    Report {
        /// Id of the message
        message: String,
        /// Why; may be empty
        text: String,
    },
    /// Save an attached file to a new file
    #[command(after_help = "Example: artel room save ATTACHMENT --to Downloads\n\n\
        Ids of attachments stand beside the messages. An existing file is never overwritten.")]
    Save(SaveArgs),
}

/// Arguments of `room send`.
#[derive(Args)]
pub(crate) struct SendArgs {
    /// Id or name of the room; SPACE/ROOM where the name is not unique
    room: String,
    /// The text; may be empty when files are attached
    text: String,
    /// A file to attach; may be repeated
    #[arg(long, value_name = "FILE")]
    attach: Vec<PathBuf>,
    /// Message that this one answers
    #[arg(long, value_name = "ID")]
    reply_to: Option<String>,
    /// Wait until a peer has stored it; at most 30 seconds, or as many as given
    #[arg(long, value_name = "S", num_args = 0..=1, require_equals = true, default_missing_value = "30")]
    wait: Option<u64>,
}

/// Arguments of `room read`.
#[derive(Args)]
pub(crate) struct ReadArgs {
    /// Id or name of the room; SPACE/ROOM where the name is not unique
    room: String,
    /// At most this many messages
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Only messages before this one
    #[arg(long, value_name = "ID")]
    before: Option<String>,
    /// Go on with new messages until Ctrl-C
    #[arg(long, conflicts_with = "before")]
    follow: bool,
}

/// Arguments of `room react`.
#[derive(Args)]
pub(crate) struct ReactArgs {
    /// Id of the message
    message: String,
    /// One sign, such as an emoji
    #[arg(required_unless_present = "remove")]
    emoji: Option<String>,
    /// Take your sign back
    #[arg(long, conflicts_with = "emoji")]
    remove: bool,
}

/// Arguments of `room delete`.
#[derive(Args)]
pub(crate) struct DeleteArgs {
    /// Id of the message
    message: String,
    /// Take a deletion back that was not signed yet
    #[arg(long, conflicts_with = "now")]
    undo: bool,
    /// Sign it at once; it cannot be taken back
    #[arg(long)]
    now: bool,
}

/// Arguments of `room notes`.
#[derive(Args)]
pub(crate) struct NotesArgs {
    /// Id or name of the room; SPACE/ROOM where the name is not unique
    room: String,
    /// A file with the new text, at most 32 KiB; - is standard input
    #[arg(long, value_name = "FILE")]
    edit: Option<PathBuf>,
    /// Open notes where there are none, or change who edits them
    #[arg(long, value_name = "WHO", value_enum)]
    open_to: Option<Editors>,
}

/// Who edits notes.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Editors {
    /// Teachers and owners
    Teachers,
    /// Students as well
    Students,
    /// As the rules of the space say
    Rules,
}

/// Arguments of `room save`.
#[derive(Args)]
pub(crate) struct SaveArgs {
    /// Id of the attachment
    attachment: String,
    /// A new file, or a folder
    #[arg(long, value_name = "PATH")]
    to: PathBuf,
    /// How long to wait for a peer that has it, in seconds
    #[arg(long, value_name = "S", default_value_t = 60)]
    timeout: u64,
}

pub(crate) async fn run(context: &Context, command: RoomCommand) -> anyhow::Result<Exit> {
    let client = context.client().await?;
    let exit = act(context, &client, command).await;
    client.close().await;
    exit
}

async fn act(context: &Context, client: &Client, command: RoomCommand) -> anyhow::Result<Exit> {
    let output = &context.output;
    match command {
        RoomCommand::New {
            space,
            name,
            readers,
        } => {
            let room = client
                .call(RoomNew {
                    space,
                    name,
                    readers,
                })
                .await?;
            output.one(&room, || {
                format!("Room {} was created.\n{}", room.name, room.room)
            })?;
        }
        RoomCommand::List { space } => {
            let rooms = client.call(RoomList { space }).await?;
            output.many(
                &rooms,
                &["space", "name", "unread", "last", "at", "room"],
                |room| {
                    vec![
                        room.space_name.clone(),
                        room.name.clone(),
                        room.unread.to_string(),
                        room.last.clone().unwrap_or_default(),
                        room.last_at.map(when::minute).unwrap_or_default(),
                        room.room.clone(),
                    ]
                },
                "There are no rooms.",
            )?;
        }
        RoomCommand::Send(args) => {
            let sent = client
                .call(RoomSend {
                    room: args.room,
                    text: args.text,
                    attach: args
                        .attach
                        .iter()
                        .map(|path| absolute(path))
                        .collect::<Result<_, _>>()?,
                    reply_to: args.reply_to,
                    wait_s: args.wait,
                })
                .await?;
            self::sent(context, &sent, args.wait.is_some())?;
        }
        RoomCommand::Read(args) => return read(context, client, args).await,
        RoomCommand::Edit { message, text } => {
            let edited = client.call(RoomEdit { message, text }).await?;
            output.one(&edited, || match edited.state.as_str() {
                "unchanged" => format!("It said that already. {}", edited.message),
                _ => format!("Edited. {}", edited.message),
            })?;
        }
        RoomCommand::React(ReactArgs { message, emoji, .. }) => {
            let reacted = client.call(RoomReact { message, emoji }).await?;
            output.one(&reacted, || match &reacted.emoji {
                Some(emoji) => format!("{emoji} {}", reacted.message),
                None => format!("Taken back. {}", reacted.message),
            })?;
        }
        RoomCommand::Delete(args) => delete(context, client, args).await?,
        RoomCommand::Notes(args) => notes(context, client, args).await?,
        RoomCommand::Report { message, text } => {
            let sent = client.call(RoomReport { message, text }).await?;
            output.one(&sent, || format!("Reported. {}", sent.message))?;
        }
        RoomCommand::Save(args) => {
            let saved = client
                .call(AttachmentSave {
                    attachment: args.attachment,
                    to: folder_or_file(&args.to)?,
                    timeout_s: Some(args.timeout),
                })
                .await?;
            output.one(&saved, || format!("{} ({} bytes)", saved.path, saved.size))?;
        }
    }
    Ok(Exit::Done)
}

/// Tells that a message was sent.
pub(crate) fn sent(context: &Context, sent: &Sent, waited: bool) -> anyhow::Result<()> {
    let output = &context.output;
    output.one(sent, || match sent.peers {
        0 => format!("Stored. {}", sent.message),
        peers => format!("Delivered to {peers}. {}", sent.message),
    })?;
    if waited && sent.peers == 0 {
        output.hint("No peer has it yet. It is delivered when one is here.");
    }
    Ok(())
}

async fn notes(context: &Context, client: &Client, args: NotesArgs) -> anyhow::Result<()> {
    let NotesArgs {
        room,
        edit,
        open_to,
    } = args;
    // Before anything is opened: a file that cannot be read changes nothing.
    let text = edit.as_deref().map(notes_text).transpose()?;
    let mut notes = match open_to {
        Some(editors) => {
            let students = match editors {
                Editors::Teachers => Some(false),
                Editors::Students => Some(true),
                Editors::Rules => None,
            };
            let room = room.clone();
            client.call(NotesOpen { room, students }).await?
        }
        None => client.call(NotesShow { room: room.clone() }).await?,
    };
    if let Some(text) = text {
        let base = notes.base;
        notes = client.call(NotesEdit { room, base, text }).await?;
    }
    context
        .output
        .one(&notes, || notes.text.trim_end_matches('\n').to_owned())?;
    if notes.editors.is_none() {
        context.output.hint(if notes.may_open {
            "This room has no notes yet. Open some: artel room notes ROOM --open-to students"
        } else {
            "This room has no notes yet. A teacher can open some."
        });
    }
    Ok(())
}

async fn delete(context: &Context, client: &Client, args: DeleteArgs) -> anyhow::Result<()> {
    let output = &context.output;
    let DeleteArgs { message, undo, now } = args;
    // Subscribed before, so that its end is not missed.
    let events = client.events().await?;
    let deletion = if undo {
        client.call(RoomUndelete { message }).await?
    } else {
        client.call(RoomDelete { message, now }).await?
    };
    let deletion = match (deletion.until, client) {
        (Some(until), Client::Local(..)) => {
            output.hint(&format!("{} Ctrl-C takes that back.", in_seconds(until)));
            signed_or_kept(client, events, deletion, until).await?
        }
        _ => deletion,
    };
    output.one(&deletion, || match deletion.state.as_str() {
        "deleted" => format!("Deleted. {}", deletion.message),
        "kept" => format!("Kept. {}", deletion.message),
        _ => {
            let soon = in_seconds(deletion.until.unwrap_or_default());
            format!("{soon} {}", deletion.message)
        }
    })?;
    if deletion.state == "waiting" {
        output.hint(&format!(
            "To take that back: artel room delete {} --undo",
            deletion.message
        ));
    }
    Ok(())
}

/// The text for notes; reads no more than one byte beyond what they hold.
fn notes_text(path: &Path) -> anyhow::Result<String> {
    let limit = u64::try_from(MAX_TEXT + 1).unwrap_or(u64::MAX);
    let refused = |reason: &str, hint: &str| {
        AppError::new(
            Code::BadInput,
            format!("{}: {reason}", path.display()),
            hint,
        )
        .param("path", path.display())
    };
    let mut bytes = Vec::new();
    if path.as_os_str() == "-" {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    }
    .map_err(|reason| files::unread(path, &reason))?;
    if bytes.len() > MAX_TEXT {
        return Err(refused(
            "notes have at most 32 KiB",
            "Shorten the text, or attach it to a message: artel room send ROOM TEXT --attach FILE",
        )
        .into());
    }
    Ok(String::from_utf8(bytes)
        .map_err(|_| refused("it is not text in UTF-8", "Save it as text in UTF-8."))?)
}

fn in_seconds(until: i64) -> String {
    let seconds = when::until(until).as_millis().div_ceil(1_000);
    format!("It is deleted in {seconds} s.")
}

/// Waits until a deletion is signed or taken back, here or by another command that this process serves.
async fn signed_or_kept(
    client: &Client,
    mut events: mpsc::Receiver<Event>,
    deletion: Deletion,
    until: i64,
) -> anyhow::Result<Deletion> {
    let ended = |state: &str| Deletion {
        state: state.to_owned(),
        until: None,
        ..deletion.clone()
    };
    let mut stopped = std::pin::pin!(stop::requested());
    let mut too_late = std::pin::pin!(tokio::time::sleep(when::until(until) + LATE));
    loop {
        let event = tokio::select! {
            event = events.recv() => event,
            () = &mut stopped => {
                let message = deletion.message;
                return Ok(client.call(RoomUndelete { message }).await?);
            }
            () = &mut too_late => None,
        };
        match event {
            Some(Event::Message { message, .. }) if message.id == deletion.message => {
                if message.deleted {
                    return Ok(ended("deleted"));
                }
                if message.deleting_until.is_none() {
                    return Ok(ended("kept"));
                }
            }
            // Whoever opens the profile next signs it.
            None | Some(Event::Locked) => return Ok(deletion),
            Some(_) => {}
        }
    }
}

async fn read(context: &Context, client: &Client, args: ReadArgs) -> anyhow::Result<Exit> {
    // Subscribed before the first page, so that nothing falls between.
    let mut events = if args.follow {
        client.call(NodeStart::default()).await?;
        Some(client.events().await?)
    } else {
        None
    };
    let reads_on = args.before.is_none();
    let page = last(client, &args).await?;
    if page.messages.is_empty() && !page.withheld && !args.follow {
        context.output.hint("There are no messages.");
    } else if page.more && !args.follow {
        let first = page
            .messages
            .first()
            .map(|message| message.id.as_str())
            .unwrap_or_default();
        context
            .output
            .hint(&format!("There are older ones: --before {first}"));
    } else if page.withheld && !args.follow {
        context
            .output
            .hint("Messages from before you joined are not shown here.");
    }
    let mut printed = Printed::default();
    for message in &page.messages {
        printed.print(context, message)?;
    }
    if reads_on {
        seen(client, &args.room, page.messages.last()).await?;
    }
    let Some(events) = &mut events else {
        return Ok(Exit::Done);
    };
    // What was left out above is no news later.
    let now = one_page(client, &args.room, None, PAGE).await?.messages;
    let first = now.iter().position(|message| printed.knows(message));
    for (position, message) in now.iter().enumerate() {
        if first.is_some_and(|first| position < first) {
            printed.skip(message);
        } else if printed.is_news(message) {
            printed.print(context, message)?;
        }
    }
    let mut stopped = std::pin::pin!(stop::requested());
    loop {
        let event = tokio::select! {
            event = events.recv() => event,
            () = &mut stopped => return Ok(Exit::Done),
        };
        match event {
            None => return Err(gone().into()),
            Some(Event::Locked) => {
                context.output.hint("The profile was locked.");
                return Ok(Exit::Done);
            }
            Some(Event::Message { .. } | Event::Spaces) => {}
            Some(_) => continue,
        }
        tokio::time::sleep(TOGETHER).await;
        while let Ok(event) = events.try_recv() {
            if matches!(event, Event::Locked) {
                return Ok(Exit::Done);
            }
        }
        let news = news(client, &args.room, &printed).await?;
        for message in &news {
            printed.print(context, message)?;
        }
        seen(client, &args.room, news.last()).await?;
    }
}

fn gone() -> AppError {
    AppError::new(
        Code::WrongState,
        "the process that holds the profile went away",
        "Try again: this command then opens the profile itself.",
    )
}

/// What was printed counts as read.
async fn seen(client: &Client, room: &str, message: Option<&Message>) -> anyhow::Result<()> {
    if let Some(message) = message {
        let (room, message) = (room.to_owned(), message.id.clone());
        client.call(RoomSeen { room, message }).await?;
    }
    Ok(())
}

async fn one_page(
    client: &Client,
    room: &str,
    before: Option<String>,
    limit: u32,
) -> anyhow::Result<Page> {
    let room = room.to_owned();
    let limit = Some(limit);
    Ok(client
        .call(RoomRead {
            room,
            limit,
            before,
        })
        .await?)
}

/// As many of the last messages as asked for, from as many pages as that takes.
async fn last(client: &Client, args: &ReadArgs) -> anyhow::Result<Page> {
    let mut whole = one_page(client, &args.room, args.before.clone(), args.limit).await?;
    while whole.more {
        let have = u32::try_from(whole.messages.len()).unwrap_or(u32::MAX);
        let missing = args.limit.saturating_sub(have);
        let first = whole.messages.first().map(|message| message.id.clone());
        if missing == 0 || first.is_none() {
            break;
        }
        let mut page = one_page(client, &args.room, first, missing).await?;
        page.messages.append(&mut whole.messages);
        whole = page;
    }
    Ok(whole)
}

/// Messages not printed yet, oldest first: the last page, and earlier ones while they hold news.
async fn news(client: &Client, room: &str, printed: &Printed) -> anyhow::Result<Vec<Message>> {
    let mut news: Vec<Message> = Vec::new();
    let mut before = None;
    for _ in 0..MOST_PAGES {
        let page = one_page(client, room, before.take(), PAGE).await?;
        let first = page.messages.first().map(|message| message.id.clone());
        let all_new = page.messages.iter().all(|message| !printed.knows(message));
        let mut fresh: Vec<_> = page
            .messages
            .into_iter()
            .filter(|message| printed.is_news(message))
            .collect();
        fresh.append(&mut news);
        news = fresh;
        if !all_new || !page.more {
            break;
        }
        before = first;
    }
    Ok(news)
}

/// What stands on the terminal already, by message and version.
#[derive(Default)]
struct Printed {
    messages: HashSet<String>,
    versions: HashSet<(String, bool, String)>,
}

impl Printed {
    fn version(message: &Message) -> (String, bool, String) {
        (message.id.clone(), message.deleted, message.text.clone())
    }

    fn skip(&mut self, message: &Message) {
        self.messages.insert(message.id.clone());
        self.versions.insert(Self::version(message));
    }

    fn knows(&self, message: &Message) -> bool {
        self.messages.contains(&message.id)
    }

    fn is_news(&self, message: &Message) -> bool {
        !self.versions.contains(&Self::version(message))
    }

    fn print(&mut self, context: &Context, message: &Message) -> anyhow::Result<()> {
        self.skip(message);
        context.output.one(message, || in_words(message))
    }
}

/// A message for people.
fn in_words(message: &Message) -> String {
    let mut lines = Vec::new();
    let text = if message.deleted {
        "(deleted)"
    } else if message.closed {
        "(cannot be opened any more)"
    } else {
        message.text.as_str()
    };
    let mut marks = String::new();
    for (set, mark) in [
        (message.edited, " (edited)"),
        (message.late, " (late)"),
        (message.provisional, " (not complete yet)"),
        (message.deleting_until.is_some(), " (being deleted)"),
    ] {
        if set {
            marks.push_str(mark);
        }
    }
    let head = format!("{}  {}: ", when::minute(message.at), message.name);
    let mut parts = text.lines();
    lines.push(format!("{head}{}{marks}", parts.next().unwrap_or_default()));
    lines.extend(parts.map(|part| format!("    {part}")));
    if let Some(result) = &message.result {
        lines.push(format!("    {}", result.title));
        lines.extend(
            result
                .facts
                .iter()
                .map(|(name, value)| format!("    {name}: {value}")),
        );
    }
    for file in &message.attachments {
        lines.push(format!(
            "    [{} — {} bytes — {}]",
            file.name, file.size, file.id
        ));
    }
    for reaction in &message.reactions {
        let (count, names) = (reaction.members.len(), names(&reaction.members));
        lines.push(format!("    {} {count}: {names}", reaction.emoji));
    }
    if !message.read_by.is_empty() {
        let (count, names) = (message.read_by.len(), names(&message.read_by));
        lines.push(format!("    read by {count}: {names}"));
    }
    lines.join("\n")
}

/// Names for people, in a line.
fn names(people: &[Person]) -> String {
    let names: Vec<&str> = people.iter().map(|person| person.name.as_str()).collect();
    names.join(", ")
}
