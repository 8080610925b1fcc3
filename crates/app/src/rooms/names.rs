//! Names and ids that users give for spaces, rooms and messages.

use artel_domain::{Audience, DeviceId, InviteCode, InviteId, MessageId, RoomId, SpaceId};
use artel_sync::protocol::{ConversationView, MemberState, MemberView, Node, RoomView, SpaceView};

use crate::error::{AppError, Code};

/// Shortest beginning of an id that stands for it.
const SHORTEST: usize = 8;

/// Whether a text is an id, or a beginning of it that is long enough.
fn is_id(text: &str, id: &str) -> bool {
    text.len() >= SHORTEST
        && text.len() <= id.len()
        && id
            .get(..text.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(text))
}

/// The one candidate that a text names: by id or its beginning, by exact name, or by name in any
/// case.
fn choose<T>(
    what: &str,
    text: &str,
    candidates: Vec<T>,
    id: impl Fn(&T) -> String,
    name: impl Fn(&T) -> String,
    full_name: impl Fn(&T) -> String,
) -> Result<T, AppError> {
    let text = text.trim();
    let folded = text.to_lowercase();
    let tests: [&dyn Fn(&T) -> bool; 3] = [
        &|c| is_id(text, &id(c)),
        &|c| name(c) == text || full_name(c) == text,
        &|c| name(c).to_lowercase() == folded || full_name(c).to_lowercase() == folded,
    ];
    for test in tests {
        let mut fitting: Vec<usize> = Vec::new();
        for (index, candidate) in candidates.iter().enumerate() {
            if test(candidate) {
                fitting.push(index);
            }
        }
        match fitting.as_slice() {
            [] => {}
            [only] => {
                let only = *only;
                return candidates
                    .into_iter()
                    .nth(only)
                    .ok_or_else(|| AppError::internal(&"a candidate is gone"));
            }
            several => {
                let list: Vec<String> = several
                    .iter()
                    .filter_map(|index| candidates.get(*index))
                    .map(|c| format!("{} ({})", full_name(c), short(&id(c))))
                    .collect();
                return Err(AppError::new(
                    Code::Ambiguous,
                    format!("\"{text}\" fits several {what}s: {}", list.join(", ")),
                    "Give the id, or its first eight characters.",
                ));
            }
        }
    }
    let known: Vec<String> = candidates.iter().take(8).map(full_name).collect();
    let hint = if known.is_empty() {
        "Make a space (artel space new NAME) or join one (artel space join INVITE).".to_owned()
    } else {
        format!("There are: {}", known.join(", "))
    };
    let message = format!("there is no {what} \"{text}\"");
    Err(AppError::new(Code::NotFound, message, hint).param("name", text))
}

fn short(id: &str) -> &str {
    id.get(..SHORTEST).unwrap_or(id)
}

/// The space that a text names.
pub(super) fn space(node: &Node, text: &str) -> Result<SpaceView, AppError> {
    let named = |spaces| {
        choose(
            "space",
            text,
            spaces,
            |space: &SpaceView| space.space.to_string(),
            |space| space.name.clone(),
            |space| space.name.clone(),
        )
    };
    // One that this member was removed from may have the name of another one by now.
    let mut spaces = node.spaces();
    spaces.retain(|space| space.state != MemberState::Removed);
    match named(spaces) {
        Err(error) if error.code == Code::NotFound => named(node.spaces()),
        found => found,
    }
}

/// The only space that this member is in.
pub(super) fn only_space(node: &Node) -> Result<SpaceView, AppError> {
    let mut spaces = node.spaces();
    spaces.retain(|space| space.state == MemberState::Member);
    let names: Vec<&str> = spaces.iter().map(|space| space.name.as_str()).collect();
    let names = names.join(", ");
    if spaces.len() > 1 {
        let message = format!("which space is meant? There are several: {names}");
        let hint = "Name one: --space NAME";
        return Err(AppError::new(Code::Ambiguous, message, hint));
    }
    spaces.pop().ok_or_else(|| {
        AppError::new(
            Code::NotFound,
            "there is no space",
            "Make a space (artel space new NAME) or join one (artel space join INVITE).",
        )
    })
}

/// A conversation, as a room.
pub(super) fn as_room(conversation: ConversationView) -> RoomView {
    RoomView {
        room: conversation.room,
        name: format!("@{}", conversation.name),
        audience: Audience::Chosen(vec![conversation.with]),
    }
}

/// Refuses a name for a new room by which nobody could find it, since it reads like a conversation.
pub(super) fn no_call(name: &str) -> Result<(), AppError> {
    if !is_call(name) {
        return Ok(());
    }
    let message = format!("\"{name}\" reads like a conversation with a member");
    let hint = "Choose a name that does not begin with @ and has no /@ in it.";
    Err(AppError::new(Code::BadArguments, message, hint).param("name", name))
}

/// Whether a text means a conversation, and no room, whatever rooms are called: what is meant for one member must not go
/// to a room that somebody named like them.
fn is_call(text: &str) -> bool {
    text.starts_with('@') || text.contains("/@")
}

/// The conversation that such a text names: `@NAME`, `@SPACE/NAME` or `SPACE/@NAME`, each by name, id or a beginning of it.
fn called(node: &Node, text: &str) -> Result<(SpaceView, RoomView), AppError> {
    let mut within = node.spaces();
    let name = match text.strip_prefix('@') {
        Some(name) => match name.split_once('/') {
            Some((id, rest)) if within.iter().any(|one| is_id(id, &one.space.to_string())) => {
                within.retain(|one| is_id(id, &one.space.to_string()));
                rest
            }
            _ => name,
        },
        None => match text.split_once("/@") {
            Some((name, rest)) => {
                within = vec![space(node, name)?];
                rest
            }
            None => text,
        },
    };
    let named = |all| {
        choose(
            "member",
            name,
            all,
            |(_, one): &(SpaceView, ConversationView)| one.with.to_string(),
            |(_, one)| one.name.clone(),
            |(space, one)| format!("{}/{}", space.name, one.name),
        )
    };
    // Of those who are not in any more one is meant only where nobody who is in has that name.
    let all = conversations(node, within);
    let (here, gone) = all.into_iter().partition(|(_, one)| one.here);
    let found = named(here).or_else(|error| match error.code {
        Code::NotFound => named(gone).map_err(|other| match other.code {
            Code::NotFound => error,
            _ => other,
        }),
        _ => Err(error),
    });
    match found {
        Ok((space, found)) => Ok((space, as_room(found))),
        Err(error) => Err(or_removed(node, text, error)),
    }
}

/// The conversations of some spaces, of those in which this member is.
fn conversations(node: &Node, within: Vec<SpaceView>) -> Vec<(SpaceView, ConversationView)> {
    within
        .into_iter()
        .filter(|space| space.state == MemberState::Member)
        .flat_map(|space| {
            let all = node.conversations(&space.space).into_iter();
            all.map(move |one| (space.clone(), one))
        })
        .collect()
}

/// The room that a text names, also as `SPACE/ROOM`, or a conversation as `@NAME`. A conversation has also its own id, and
/// that of the other one; no room's name stands before an id, and none at all for a whole one.
pub(super) fn room(node: &Node, text: &str) -> Result<(SpaceView, RoomView), AppError> {
    let text = text.trim();
    if is_call(text) {
        return called(node, text);
    }
    let talks: Vec<(SpaceView, ConversationView)> = conversations(node, node.spaces())
        .into_iter()
        .filter(|(_, one)| is_id(text, &one.room.to_string()) || is_id(text, &one.with.to_string()))
        .collect();
    let mut by_id: Vec<(SpaceView, RoomView)> = rooms(node);
    by_id.retain(|(_, room)| is_id(text, &room.room.to_string()));
    by_id.extend(talks.into_iter().map(|(space, one)| (space, as_room(one))));
    match by_id.as_slice() {
        [] if text.parse::<RoomId>().is_ok() => {
            let message = format!("there is no room \"{text}\"");
            let hint = "See which there are: artel room list";
            let error = AppError::new(Code::NotFound, message, hint).param("name", text);
            Err(or_removed(node, text, error))
        }
        [] => named_room(node, text),
        [only] => Ok(only.clone()),
        several => {
            let list: Vec<String> = several
                .iter()
                .map(|(space, room)| format!("{}/{}", space.name, room.name))
                .collect();
            Err(AppError::new(
                Code::Ambiguous,
                format!("\"{text}\" fits several rooms: {}", list.join(", ")),
                "Give more of the id.",
            ))
        }
    }
}

/// All rooms, with their spaces.
fn rooms(node: &Node) -> Vec<(SpaceView, RoomView)> {
    node.spaces()
        .into_iter()
        .flat_map(|space| {
            let rooms = node.rooms(&space.space).into_iter();
            rooms.map(move |room| (space.clone(), room))
        })
        .collect()
}

fn named_room(node: &Node, text: &str) -> Result<(SpaceView, RoomView), AppError> {
    let rooms = rooms(node);
    // A space of the same name as another is told by its id.
    let in_space = text.split_once('/').and_then(|(space, room)| {
        let of_space = |(view, _): &&(SpaceView, RoomView)| is_id(space, &view.space.to_string());
        let inside: Vec<_> = rooms.iter().filter(of_space).cloned().collect();
        (!inside.is_empty()).then_some((inside, room))
    });
    let (rooms, text) = in_space.unwrap_or((rooms, text));
    choose(
        "room",
        text,
        rooms,
        |(_, room)| room.room.to_string(),
        |(_, room)| room.name.clone(),
        |(space, room)| format!("{}/{}", space.name, room.name),
    )
    .map_err(|error| or_removed(node, text, error))
}

/// Says of a room that is not there that this member was removed from its space, where that is so.
fn or_removed(node: &Node, text: &str, error: AppError) -> AppError {
    match removed_from(node, text) {
        Some(space) if error.code == Code::NotFound => removed(node, &space),
        _ => error,
    }
}

/// The space that a room's full name begins with, or the only one, where this member was removed from it.
fn removed_from(node: &Node, text: &str) -> Option<SpaceView> {
    let spaces = node.spaces();
    if let [only] = spaces.as_slice() {
        return (only.state == MemberState::Removed).then(|| only.clone());
    }
    let (named, _) = text.trim().split_once('/')?;
    let found = space(node, named).ok()?;
    (found.state == MemberState::Removed).then_some(found)
}

/// Nothing can be read or written any more in a space that one was removed from.
pub(super) fn removed(node: &Node, space: &SpaceView) -> AppError {
    let mut members = node.members(&space.space).into_iter();
    let hint = if members.any(|member| member.me && member.barred) {
        "You were blocked there. Ask a teacher to unblock you, and then for a new invite."
    } else {
        "A new invite leads back: artel space join INVITE"
    };
    AppError::new(
        Code::NotAllowed,
        format!("you are no member of {} any more", space.name),
        hint,
    )
    .param("name", &space.name)
}

/// Refuses a name that is in use: two of one name cannot be told apart.
pub(super) fn free<T>(
    what: &str,
    name: &str,
    taken: Vec<T>,
    name_of: impl Fn(&T) -> &str,
) -> Result<(), AppError> {
    let folded = name.to_lowercase();
    if taken
        .iter()
        .all(|one| name_of(one).to_lowercase() != folded)
    {
        return Ok(());
    }
    let message = format!("there is a {what} \"{name}\" already");
    Err(AppError::new(Code::Exists, message, "Choose another name.").param("name", name))
}

/// The member of a space that a text names.
pub(super) fn member(node: &Node, space: &SpaceId, text: &str) -> Result<MemberView, AppError> {
    choose(
        "member",
        text,
        node.members(space),
        |member| member.member.to_string(),
        |member| member.name.clone(),
        |member| member.name.clone(),
    )
}

/// The audience that words name: `all` (or none), `teachers`, or members.
pub(super) fn audience(
    node: &Node,
    space: &SpaceId,
    words: &[String],
) -> Result<Audience, AppError> {
    match words {
        [] => Ok(Audience::All),
        [one] if one == "all" => Ok(Audience::All),
        [one] if one == "teachers" => Ok(Audience::Teachers),
        several => several
            .iter()
            .map(|text| member(node, space, text).map(|found| found.member))
            .collect::<Result<_, _>>()
            .map(Audience::Chosen),
    }
}

/// The invite that a text names, by its id, a beginning of it, or the code; with the space that it leads into.
pub(super) fn invite(node: &Node, text: &str) -> Result<(SpaceView, InviteId), AppError> {
    let invites: Vec<(SpaceView, InviteId)> = node
        .spaces()
        .into_iter()
        .flat_map(|space| {
            node.invites(&space.space)
                .into_iter()
                .map(move |invite| (space.clone(), invite.invite))
        })
        .collect();
    let id = text
        .parse::<InviteCode>()
        .map_or_else(|_| text.to_owned(), |code| code.key().id().to_string());
    choose(
        "invite",
        &id,
        invites,
        |(_, invite)| invite.to_string(),
        |_| String::new(),
        |(space, invite)| format!("{} into {}", short(&invite.to_string()), space.name),
    )
}

/// The device in use that a text names, and the spaces where it is.
pub(super) fn device(node: &Node, text: &str) -> Result<(DeviceId, Vec<SpaceView>), AppError> {
    let mut devices: Vec<(DeviceId, String, Vec<SpaceView>)> = Vec::new();
    for space in node.spaces() {
        for member in node.members(&space.space) {
            for device in member.devices {
                match devices.iter_mut().find(|(known, ..)| *known == device) {
                    Some((_, _, spaces)) => spaces.push(space.clone()),
                    None => devices.push((device, member.name.clone(), vec![space.clone()])),
                }
            }
        }
    }
    let (device, _, spaces) = choose(
        "device",
        text,
        devices,
        |(device, ..)| device.to_string(),
        |_| String::new(),
        |(device, name, _)| format!("{} of {name}", short(&device.to_string())),
    )?;
    Ok((device, spaces))
}

/// A message id.
pub(super) fn message(text: &str) -> Result<MessageId, AppError> {
    text.parse().map_err(|reason| {
        AppError::new(
            Code::BadArguments,
            format!("\"{text}\" is not a message id: {reason}"),
            "Ids stand beside the messages: artel room read ROOM --json",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_ids_and_what_is_between() {
        let all = [
            ("aaaaaaaa11", "Клас 7-Б", "Клас 7-Б"),
            ("aaaaaaaa22", "General", "Клас 7-Б/General"),
            ("bbbbbbbb33", "general", "Other/general"),
            ("cccccccc44", "General", "Third/General"),
            ("dddddddd55", "bbbbbbbb33", "x/bbbbbbbb33"),
        ];
        let check = |text: &str, expected: Result<&str, &str>| {
            let got = choose(
                "room",
                text,
                all.to_vec(),
                |c| c.0.to_owned(),
                |c| c.1.to_owned(),
                |c| c.2.to_owned(),
            );
            match (got, expected) {
                (Ok(got), Ok(id)) => assert_eq!(got.0, id, "{text}"),
                (Err(got), Err(words)) => assert!(
                    got.message.contains(words),
                    "{text}: {} does not contain {words}",
                    got.message
                ),
                (got, expected) => panic!("{text}: {got:?} instead of {expected:?}"),
            }
        };
        check("Клас 7-Б", Ok("aaaaaaaa11"));
        check(" клас 7-б ", Ok("aaaaaaaa11"));
        check("general", Ok("bbbbbbbb33"));
        check(
            "General",
            Err("Клас 7-Б/General (aaaaaaaa), Third/General (cccccccc)"),
        );
        check("Third/General", Ok("cccccccc44"));
        check("other/GENERAL", Ok("bbbbbbbb33"));
        check("aaaaaaaa", Err("fits several"));
        check("AAAAAAAA1", Ok("aaaaaaaa11"));
        check("bbbbbbbb33", Ok("bbbbbbbb33"));
        check("aaaa", Err("there is no room \"aaaa\""));
        check("", Err("there is no room"));
    }
}
