//! Two and three nodes in one process, over real TCP on the loopback interface.

use std::{path::Path, sync::Arc, time::Duration};

use artel_store::profile;

use super::{driver::Outcome, *};
use crate::{
    api::{Event, Handle, care, machine, notes, profile as profiles, rooms as api},
    error::Code,
    installation::{NewDevice, new_member},
};

/// How long anything here may take; a loaded machine needs some of it.
const SOON: Duration = Duration::from_secs(30);

struct Host {
    _home: Arc<tempfile::TempDir>,
    path: std::path::PathBuf,
    name: String,
    session: Session,
}

async fn open(home: &Path, name: &str) -> Session {
    let (path, name) = (home.to_owned(), name.to_owned());
    let opened = tokio::task::spawn_blocking(move || profile::open(&path, &name, "secret"))
        .await
        .unwrap()
        .unwrap();
    Session::start(home.to_owned(), opened).await.unwrap()
}

impl Host {
    async fn new(name: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().to_owned();
        let member = new_member().unwrap();
        let device = NewDevice::generate(artel_store::identity::Reason::Created).unwrap();
        profile::create_with(
            &path,
            name,
            "secret",
            None,
            *member.id().as_bytes(),
            0,
            move |tx| device.create(tx, &member),
        )
        .unwrap();
        let session = open(&path, name).await;
        Self {
            _home: Arc::new(home),
            path,
            name: name.to_owned(),
            session,
        }
    }

    async fn start(&self) -> String {
        let info = self
            .session
            .handle(api::NodeStart {
                port: None,
                no_mdns: true,
                listen: vec!["127.0.0.1:0".to_owned()],
            })
            .await
            .unwrap();
        info.addresses.first().expect("an address").clone()
    }

    /// Ends the session as a process would, and opens the profile again.
    async fn restart(&mut self) {
        self.session.close().await;
        self.open_again().await;
    }

    async fn open_again(&mut self) {
        let old = std::mem::replace(&mut self.session, dummy_session().await);
        drop(old);
        self.session = open(&self.path, &self.name).await;
    }

    async fn send(&self, room: &str, text: &str) -> api::Sent {
        self.session
            .handle(api::RoomSend {
                room: room.to_owned(),
                text: text.to_owned(),
                attach: Vec::new(),
                reply_to: None,
                wait_s: None,
            })
            .await
            .unwrap()
    }

    async fn page(&self, room: &str) -> Vec<api::Message> {
        let page = self
            .session
            .handle(api::RoomRead {
                room: room.to_owned(),
                limit: None,
                before: None,
            })
            .await;
        page.map(|page| page.messages).unwrap_or_default()
    }

    async fn texts(&self, room: &str) -> Vec<String> {
        self.page(room).await.into_iter().map(|m| m.text).collect()
    }

    async fn until_texts(&self, room: &str, expected: &[&str]) {
        let reached = tokio::time::timeout(SOON, async {
            while self.texts(room).await != expected {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        assert!(
            reached.is_ok(),
            "{} has {:?} and not {expected:?}",
            self.name,
            self.texts(room).await
        );
    }

    async fn until_page(&self, room: &str, reached: impl Fn(&[api::Message]) -> bool) {
        let waited = tokio::time::timeout(SOON, async {
            while !reached(&self.page(room).await) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        let page = self.page(room).await;
        assert!(waited.is_ok(), "{} has {page:?}", self.name);
    }

    async fn react(&self, message: &str, emoji: Option<&str>) -> Result<api::Reacted, AppError> {
        let command = api::RoomReact {
            message: message.to_owned(),
            emoji: emoji.map(str::to_owned),
        };
        self.session.handle(command).await
    }

    async fn seen(&self, message: &str) {
        let command = api::RoomSeen {
            room: "General".to_owned(),
            message: message.to_owned(),
        };
        self.session.handle(command).await.unwrap();
    }

    async fn invite(&self, space: &str, expires_s: u64) -> String {
        self.session
            .handle(api::SpaceInvite {
                space: space.to_owned(),
                role: None,
                seats: None,
                expires_s: Some(expires_s),
                approve: false,
            })
            .await
            .unwrap()
            .invite
    }

    async fn join(&self, invite: &str, address: &str) -> Result<api::Joined, AppError> {
        self.session
            .handle(api::SpaceJoin {
                invite: invite.to_owned(),
                address: Some(address.to_owned()),
                timeout_s: Some(SOON.as_secs()),
            })
            .await
    }

    /// Opens what a backup holds in a home of its own, as on another machine.
    async fn restore(backup: &str, keep_device: bool) -> Self {
        let home = tempfile::tempdir().unwrap();
        let host = crate::host::Host::new(home.path());
        let command = care::CareRestore {
            backup: backup.to_owned(),
            passphrase: "secret".to_owned(),
            name: None,
            dry_run: false,
            keep_device,
        };
        let restored = host.handle(command).await.unwrap();
        assert_eq!(restored.retires, !keep_device);
        let session = host.open(&restored.profile, "secret").await.unwrap();
        Self {
            path: home.path().to_owned(),
            _home: Arc::new(home),
            name: restored.profile,
            session,
        }
    }

    async fn read(&self, room: &str) -> Result<api::Page, AppError> {
        self.session
            .handle(api::RoomRead {
                room: room.to_owned(),
                limit: None,
                before: None,
            })
            .await
    }

    async fn dial(&self, address: &str) {
        let address = address.to_owned();
        self.session.handle(api::NetDial { address }).await.unwrap();
    }

    async fn device(&self) -> String {
        let shown = self.session.handle(profiles::ProfileShow {}).await;
        shown.unwrap().device
    }

    /// Devices in use of a member, as this host has it.
    async fn devices_of(&self, name: &str) -> Vec<String> {
        let space = "Room".to_owned();
        let members = self.session.handle(api::SpaceMembers { space }).await;
        let members = members.unwrap().into_iter();
        let mut devices: Vec<_> = members
            .filter(|member| member.name == name)
            .flat_map(|member| member.devices)
            .collect();
        devices.sort();
        devices
    }

    async fn held(&self) -> bool {
        self.session.handle(api::SpaceList {}).await.unwrap()[0].held
    }

    async fn found(&self, name: &str) {
        let info = self
            .session
            .handle(api::SpaceNew {
                name: name.to_owned(),
            })
            .await
            .unwrap();
        assert_eq!((info.role.as_str(), info.members), ("owner", 1));
    }
}

/// A session to stand in while another is dropped.
async fn dummy_session() -> Session {
    let host = Box::pin(Host::new("stand-in")).await;
    host.session
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_peers_join_talk_and_return() {
    let (ann, mut ben) = (Host::new("Анна").await, Host::new("Ben").await);
    ann.found("Клас 7-Б").await;
    ann.send("General", "before anyone came").await;
    let at_ann = ann.start().await;
    ben.start().await;
    let invite = ann.invite("Клас 7-Б", 3600).await;
    let joined = ben.join(&invite, &at_ann).await.unwrap();
    assert_eq!(
        (joined.name.as_str(), joined.state.as_str()),
        ("Клас 7-Б", "member")
    );
    ben.until_texts("General", &["before anyone came"]).await;

    let sent = ben
        .session
        .handle(api::RoomSend {
            room: "Клас 7-Б/General".to_owned(),
            text: "привіт".to_owned(),
            attach: Vec::new(),
            reply_to: None,
            wait_s: Some(SOON.as_secs()),
        })
        .await
        .unwrap();
    assert_eq!((sent.state.as_str(), sent.peers), ("delivered", 1));
    ann.until_texts("general", &["before anyone came", "привіт"])
        .await;
    let page = ann.page("General").await;
    assert_eq!(
        (page[1].name.as_str(), page[1].role.as_str()),
        ("Ben", "student")
    );
    assert!(page[0].mine && !page[1].mine);
    assert_eq!(page[0].delivered, 1);

    let rooms = ann
        .session
        .handle(api::RoomList { space: None })
        .await
        .unwrap();
    assert_eq!(rooms.len(), 1);
    assert_eq!(
        (rooms[0].unread, rooms[0].last.as_deref()),
        (1, Some("привіт"))
    );
    let seen = api::RoomSeen {
        room: rooms[0].room.clone(),
        message: page[1].id.clone(),
    };
    ann.session.handle(seen).await.unwrap();
    let rooms = ann
        .session
        .handle(api::RoomList { space: None })
        .await
        .unwrap();
    assert_eq!(rooms[0].unread, 0);

    // Written while the other is away, on both sides.
    ben.restart().await;
    ben.send("General", "written offline").await;
    ann.send("General", "meanwhile").await;
    ben.start().await;
    let all = ["before anyone came", "привіт"];
    tokio::time::timeout(SOON, async {
        while ann.texts("General").await.len() < 4 || ben.texts("General").await.len() < 4 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("what was written apart did not meet");
    let (at_ann, at_ben) = (ann.texts("General").await, ben.texts("General").await);
    assert_eq!(at_ann, at_ben);
    assert_eq!(at_ann[..2], all);

    let peers = ann.session.handle(api::NetPeers {}).await.unwrap();
    assert_eq!(peers.peers.len(), 1);
    assert_eq!(peers.peers[0].name.as_deref(), Some("Ben"));
    assert_eq!(peers.peers[0].spaces, ["Клас 7-Б"]);
    ann.session.close().await;
    ben.session.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_arrives_through_a_third_peer_when_its_author_is_gone() {
    let ann = Host::new("Ann").await;
    let ben = Host::new("Ben").await;
    let eve = Host::new("Eve").await;
    ann.found("Room").await;
    let at_ann = ann.start().await;
    let at_ben = ben.start().await;
    eve.start().await;
    let invite = ann.invite("Room", 3600).await;
    ben.join(&invite, &at_ann).await.unwrap();
    ann.send("General", "one").await;
    ann.send("General", "two").await;
    ben.until_texts("General", &["one", "two"]).await;
    ann.session.close().await;
    eve.join(&invite, &at_ben).await.unwrap();
    eve.until_texts("General", &["one", "two"]).await;
    assert_eq!(eve.page("General").await[0].name, "Ann");
    ben.session.close().await;
    eve.session.close().await;
}

/// The code that a teacher shows leads in; with the door closed, or mistyped, it leads nowhere and says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_code_of_an_open_door_leads_in() {
    let (ann, ben, eve) = (
        Host::new("Ann").await,
        Host::new("Ben").await,
        Host::new("Eve").await,
    );
    ann.found("One").await;
    let at_ann = ann.start().await;
    let door = api::SpaceDoor {
        space: "One".to_owned(),
        invite: None,
        minutes: None,
    };
    let opened = ann.session.handle(door.clone()).await.unwrap();
    ben.start().await;
    let typed = opened.code.to_lowercase().replace('-', " ");
    let joined = ben.join(&typed, &at_ann).await.unwrap();
    assert_eq!(
        (joined.name.as_str(), joined.state.as_str()),
        ("One", "member")
    );
    let show = api::SpaceDoorShow {
        space: "One".to_owned(),
    };
    let shown = ann.session.handle(show.clone()).await.unwrap().open;
    let shown = shown.unwrap();
    assert_eq!((shown.came, shown.wrong), (vec!["Ben".to_owned()], 0));

    let over = ann.session.handle(door).await.unwrap();
    assert_ne!(over.code, opened.code);
    eve.start().await;
    let error = eve.join(&opened.code, &at_ann).await.unwrap_err();
    assert_eq!(error.code, Code::InviteWrong, "{error:?}");
    let close = api::SpaceDoorClose {
        space: "One".to_owned(),
    };
    let closed = ann.session.handle(close).await.unwrap();
    assert_eq!((closed.space, closed.open.is_none()), (opened.space, true));
    assert!(ann.session.handle(show).await.unwrap().open.is_none());
    let error = eve.join(&over.code, &at_ann).await.unwrap_err();
    assert_eq!(error.code, Code::InviteWrong, "{error:?}");
    for host in [ann, ben, eve] {
        host.session.close().await;
    }
}

impl Host {
    async fn door(&self, space: &str, invite: Option<String>) -> Result<api::DoorInfo, AppError> {
        let command = api::SpaceDoor {
            space: space.to_owned(),
            invite,
            minutes: None,
        };
        self.session.handle(command).await
    }
}

/// A join by a mistyped code is given up: its waiter hears of it at once, and the next one by the right code goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_by_a_door_that_was_given_up_leaves_the_next_alone() {
    let (ann, ben) = (Host::new("Ann").await, Host::new("Ben").await);
    ann.found("One").await;
    let at_ann = ann.start().await;
    let opened = ann.door("One", None).await.unwrap();
    let (head, last) = opened.code.split_at(8);
    let mistyped = format!("{head}{}", if last == "0" { "1" } else { "0" });
    ben.start().await;
    let cancel = |code: &str| {
        let invite = code.to_owned();
        ben.session.handle(api::SpaceJoinCancel { invite })
    };
    // Nobody is there, so it would wait for its whole time.
    let (joined, cancelled) = tokio::join!(
        tokio::time::timeout(
            SOON,
            ben.session.handle(api::SpaceJoin {
                invite: mistyped.clone(),
                address: None,
                timeout_s: Some(600),
            })
        ),
        async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            cancel(&mistyped).await
        }
    );
    cancelled.unwrap();
    let given_up = joined.expect("it still waits").unwrap_err();
    assert_eq!(given_up.code, Code::Cancelled, "{given_up:?}");

    // Another code in its place ends the first as well, and what ends the first leaves the second.
    let (first, second) = tokio::join!(
        ben.session.handle(api::SpaceJoin {
            invite: mistyped.clone(),
            address: None,
            timeout_s: Some(600),
        }),
        async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let joining = ben.join(&opened.code, &at_ann);
            let cancelling = async {
                tokio::time::sleep(Duration::from_millis(5)).await;
                cancel(&mistyped).await
            };
            tokio::join!(joining, cancelling).0
        }
    );
    assert_eq!(first.unwrap_err().code, Code::Cancelled);
    assert_eq!(second.unwrap().state, "member");
    ann.session.close().await;
    ben.session.close().await;
}

/// A door that is refused leaves no invite behind, and one that opens is told whatever invite it leads to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_door_makes_no_invite() {
    let ann = Host::new("Ann").await;
    ann.start().await;
    for n in 0..=16 {
        ann.found(&format!("Space {n}")).await;
    }
    for n in 0..16 {
        ann.door(&format!("Space {n}"), None).await.unwrap();
    }
    let refused = ann.door("Space 16", None).await.unwrap_err();
    assert_eq!(refused.code, Code::WrongState, "{refused:?}");
    let invites = api::SpaceInvites {
        space: "Space 16".to_owned(),
    };
    assert!(ann.session.handle(invites).await.unwrap().is_empty());

    let invite = ann.invite("Space 0", 3600).await;
    let mut events = ann.session.events();
    ann.door("Space 0", Some(invite)).await.unwrap();
    let told = async { while !matches!(events.recv().await, Ok(Event::Spaces)) {} };
    tokio::time::timeout(SOON, told)
        .await
        .expect("nobody is told");
    ann.session.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_and_expired_invites_say_so() {
    let (ann, ben) = (Host::new("Ann").await, Host::new("Ben").await);
    ann.found("One").await;
    ann.found("Two").await;
    let at_ann = ann.start().await;
    ben.start().await;
    let expired = ann.invite("One", 0).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    let error = ben.join(&expired, &at_ann).await.unwrap_err();
    assert_eq!(error.code, Code::InviteExpired, "{error:?}");

    let good = ann.invite("One", 3600).await;
    let other = if good.starts_with('A') { 'B' } else { 'A' };
    let wrong = format!("{other}{}", &good[1..]);
    let error = ben.join(&wrong, &at_ann).await.unwrap_err();
    assert_eq!(error.code, Code::InviteWrong, "{error:?}");
    assert!(!error.hint.is_empty());

    let error = ben.join("ABC", &at_ann).await.unwrap_err();
    assert_eq!(error.code, Code::InviteWrong);
    let error = ben.join(&good, "/ip4/127.0.0.1/tcp/1").await.unwrap_err();
    assert_eq!(error.code, Code::NobodyThere);
    assert!(
        ben.session
            .handle(api::SpaceList {})
            .await
            .unwrap()
            .is_empty()
    );
    // Nothing of it stands in the way of the good one.
    ben.join(&good, &at_ann).await.unwrap();
    let again = ben.join(&good, &at_ann).await.unwrap_err();
    assert_eq!(again.code, Code::Exists);
    ann.session.close().await;
    ben.session.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signs_and_reads_reach_the_other_side_and_reads_can_be_kept() {
    let (mut ann, ben) = (Host::new("Ann").await, Host::new("Ben").await);
    ann.found("Room").await;
    let at_ann = ann.start().await;
    ben.start().await;
    let invite = ann.invite("Room", 3600).await;
    ben.join(&invite, &at_ann).await.unwrap();
    let first = ann.send("General", "one").await.message;
    ben.until_texts("General", &["one"]).await;
    ben.react(&first, Some("👍")).await.unwrap();
    ben.seen(&first).await;
    ann.until_page("General", |page| {
        page[0].reactions.len() == 1 && page[0].read_by.len() == 1
    })
    .await;
    let [message] = ann.page("General").await.try_into().unwrap();
    let reaction = &message.reactions[0];
    assert_eq!((reaction.emoji.as_str(), reaction.mine), ("👍", false));
    assert_eq!(reaction.members[0].name, "Ben");
    assert_eq!(message.read_by[0].name, "Ben");
    let at_ben = &ben.page("General").await[0];
    assert!(at_ben.reactions[0].mine);
    assert!(at_ben.read_by.is_empty(), "told of one's own only");

    let keep = machine::SettingsSet {
        key: "rooms.read_receipts".to_owned(),
        value: "off".to_owned(),
    };
    ben.session.handle(keep).await.unwrap();
    let second = ann.send("General", "two").await.message;
    ben.until_texts("General", &["one", "two"]).await;
    ben.seen(&second).await;
    ben.react(&first, None).await.unwrap();
    ben.react(&second, Some("❤️")).await.unwrap();
    ann.until_page("General", |page| {
        page[0].reactions.is_empty() && page[1].reactions.len() == 1
    })
    .await;
    assert!(ann.page("General").await[1].read_by.is_empty());

    let words = ben.react(&second, Some("nice")).await.unwrap_err();
    assert_eq!(words.code, Code::BadArguments);
    let nowhere = ben.react(&"ab".repeat(32), Some("👍")).await.unwrap_err();
    assert_eq!(nowhere.code, Code::NotFound);

    ann.restart().await;
    let page = ann.page("General").await;
    assert_eq!((page[0].read_by.len(), page[1].reactions.len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_travel_on_demand_and_resume() {
    let (ann, mut ben) = (Host::new("Ann").await, Host::new("Ben").await);
    ann.found("Room").await;
    let at_ann = ann.start().await;
    ben.start().await;
    let invite = ann.invite("Room", 3600).await;
    ben.join(&invite, &at_ann).await.unwrap();

    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("велике фото.bin");
    let content: Vec<u8> = (0..24 * 1024 * 1024_u32)
        .map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3])
        .collect();
    std::fs::write(&source, &content).unwrap();
    let picture = folder.path().join("photo.png");
    image::RgbImage::from_fn(600, 400, |x, y| {
        image::Rgb([
            x.to_le_bytes()[0],
            y.to_le_bytes()[0],
            (x * y).to_le_bytes()[1],
        ])
    })
    .save(&picture)
    .unwrap();
    let send = |host: &Host, paths: Vec<&Path>| {
        let command = api::RoomSend {
            room: "General".to_owned(),
            text: String::new(),
            attach: paths
                .iter()
                .map(|path| path.display().to_string())
                .collect(),
            reply_to: None,
            wait_s: None,
        };
        let session = host.session.clone();
        async move { session.handle(command).await }
    };
    send(&ann, vec![&source, &picture]).await.unwrap();
    let too_large = send(&ben, vec![&source]).await.unwrap_err();
    assert_eq!(too_large.code, Code::TooLarge);

    tokio::time::timeout(SOON, async {
        while ben.page("General").await.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
    let page = ben.page("General").await;
    let files = &page[0].attachments;
    assert_eq!(files.len(), 2, "the preview is not listed");
    assert_eq!(
        (files[0].name.as_str(), files[0].have),
        ("велике фото.bin", 0)
    );
    // The preview comes by itself.
    let preview = format!("attachment/{}", files[1].id);
    tokio::time::timeout(SOON, async {
        while ben.session.media(&preview).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("no preview came");

    // Break the transfer in the middle, then go on.
    let saving = {
        let session = ben.session.clone();
        let command = api::AttachmentSave {
            attachment: files[0].id.clone(),
            to: folder.path().join("copy.bin").display().to_string(),
            timeout_s: Some(10 * SOON.as_secs()),
        };
        tokio::spawn(async move { session.handle(command).await })
    };
    let some = tokio::time::timeout(SOON, async {
        loop {
            let have = ben.page("General").await[0].attachments[0].have;
            if have > 0 {
                return have;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .expect("nothing of the file came");
    ben.session.close().await;
    let broken = tokio::time::timeout(SOON, saving)
        .await
        .expect("it goes on after the end");
    assert!(broken.unwrap().is_err());
    ben.open_again().await;
    let kept = ben.page("General").await[0].attachments[0].have;
    assert!(kept >= some, "{kept} after the restart, {some} before");
    ben.start().await;
    let saved = ben
        .session
        .handle(api::AttachmentSave {
            attachment: files[0].id.clone(),
            to: folder.path().display().to_string(),
            timeout_s: Some(SOON.as_secs()),
        })
        .await
        .unwrap();
    assert!(
        saved.path.ends_with("велике фото (2).bin"),
        "{}",
        saved.path
    );
    assert_eq!(std::fs::read(&saved.path).unwrap(), content);
    assert_eq!(saved.hash, files[0].hash);
    ann.session.close().await;
    ben.session.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pasted_content_is_a_file_until_it_is_sent() {
    let (ann, mut ben) = (Host::new("Ann").await, Host::new("Ben").await);
    ann.found("Room").await;
    let at_ann = ann.start().await;
    ben.start().await;
    let invite = ann.invite("Room", 3600).await;
    ben.join(&invite, &at_ann).await.unwrap();
    let paste = |host: &Host, name: &str, content: &[u8]| {
        let (session, name, content) = (host.session.clone(), name.to_owned(), content.to_vec());
        async move { session.stash("General".to_owned(), name, content).await }
    };

    let picture = paste(&ben, "../../Снимок: 1.png", b"first").await.unwrap();
    let again = paste(&ben, "Снимок: 1.png", b"second").await.unwrap();
    let left = paste(&ben, "left.txt", b"third").await.unwrap();
    let folder = ben.session.core().opened().path.join("pasted");
    assert!(picture.starts_with(&folder), "{}", picture.display());
    assert!(picture.ends_with("Снимок_ 1.png"), "{}", picture.display());
    assert_ne!(picture, again);
    assert_eq!(std::fs::read(&picture).unwrap(), b"first");

    // A file of the user is sent beside it, and stays.
    let elsewhere = tempfile::tempdir().unwrap();
    let own = elsewhere.path().join("own.txt");
    std::fs::write(&own, "mine").unwrap();
    let command = api::RoomSend {
        room: "General".to_owned(),
        text: String::new(),
        attach: [&picture, &own]
            .map(|path| path.display().to_string())
            .to_vec(),
        reply_to: None,
        wait_s: None,
    };
    ben.session.handle(command).await.unwrap();
    assert!(!picture.exists() && !picture.parent().unwrap().exists());
    assert!(own.exists() && again.exists() && left.exists());
    let page = ben.page("General").await;
    let names: Vec<_> = page[0].attachments.iter().map(|file| &file.name).collect();
    assert_eq!(names, ["Снимок_ 1.png", "own.txt"]);

    // As large as the role may attach, and not a byte more.
    let most = vec![7; 5 * 1024 * 1024];
    paste(&ben, "most.bin", &most).await.unwrap();
    let over = [most.as_slice(), &[7]].concat();
    let refused = paste(&ben, "over.bin", &over).await.unwrap_err();
    assert_eq!(refused.code, Code::TooLarge);
    assert!(refused.message.starts_with("over.bin has"), "{refused}");
    paste(&ann, "over.bin", &over).await.unwrap();
    let nowhere = ben
        .session
        .stash("Nowhere".to_owned(), "a".to_owned(), Vec::new())
        .await
        .unwrap_err();
    assert_eq!(nowhere.code, Code::NotFound);

    // What a crash left behind goes when the profile is opened, the rest when it is closed.
    ben.session.close().await;
    assert!(!folder.exists());
    std::fs::create_dir_all(folder.join("x")).unwrap();
    std::fs::write(folder.join("x/secret.txt"), "left behind").unwrap();
    ben.open_again().await;
    assert!(!folder.exists());
    ann.session.close().await;
    ben.session.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notes_are_shared_and_merged() {
    let (ann, ben) = (Host::new("Ann").await, Host::new("Бен").await);
    ann.found("Class").await;
    let at_ann = ann.start().await;
    ben.start().await;
    let invite = ann.invite("Class", 3600).await;
    ben.join(&invite, &at_ann).await.unwrap();
    ben.until_texts("General", &[]).await;
    let show = async |host: &Host| {
        let room = "General".to_owned();
        host.session.handle(notes::NotesShow { room }).await
    };
    let edit = async |host: &Host, base: &notes::Notes, text: &str| {
        let command = notes::NotesEdit {
            room: "General".to_owned(),
            base: base.base.clone(),
            text: text.to_owned(),
        };
        host.session.handle(command).await
    };
    let none = show(&ann).await.unwrap();
    assert!(none.editors.is_none() && none.may_open);
    let refused = edit(&ann, &none, "too early").await.unwrap_err();
    assert_eq!(refused.code, Code::NotFound);
    let mut events = ben.session.events();
    let opened = ann
        .session
        .handle(notes::NotesOpen {
            room: "General".to_owned(),
            students: Some(true),
        })
        .await
        .unwrap();
    let first = edit(&ann, &opened, "Список:\n").await.unwrap();
    assert_eq!(first.changed_by.as_deref(), Some("Ann"));
    let theirs = tokio::time::timeout(SOON, async {
        loop {
            let notes = show(&ben).await.unwrap();
            if notes.text == "Список:\n" {
                break notes;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
    assert!(theirs.editable && !theirs.may_open);
    let told = async {
        loop {
            if let Event::Notes { .. } = events.recv().await.unwrap() {
                break;
            }
        }
    };
    tokio::time::timeout(SOON, told).await.unwrap();
    // Both from the same base.
    edit(&ann, &first, "Список:\n- Ann\n").await.unwrap();
    edit(&ben, &theirs, "Список учнів:\n").await.unwrap();
    tokio::time::timeout(SOON, async {
        while show(&ann).await.unwrap().text != "Список учнів:\n- Ann\n" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("both are kept");
    let strange = notes::Notes {
        base: vec!["x".to_owned()],
        ..first
    };
    let refused = edit(&ann, &strange, "x").await.unwrap_err();
    assert_eq!(refused.code, Code::BadArguments);
}

async fn until(what: &str, mut reached: impl AsyncFnMut() -> bool) {
    let waited = tokio::time::timeout(SOON, async {
        while !reached().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(waited.await.is_ok(), "{what}");
}

/// Deletes a message, as no command does yet.
async fn delete(host: &Host, message: &str) {
    let target = super::names::message(message).unwrap();
    host.session
        .rooms
        .inner
        .driver
        .ask(move |work| {
            let (space, room) = super::names::room(work.node, "General")?;
            let content = artel_domain::Content::Delete {
                target,
                edits: Vec::new(),
            };
            let (space, room) = (space.space, room.room);
            work.node
                .send(work.ledger, work.now, space, room, content)?;
            Ok(())
        })
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_profile_hears_of_deletions_first_and_ends_its_old_device() {
    let (ann, ben) = (Host::new("Ann").await, Host::new("Ben").await);
    ann.found("Room").await;
    let at_ann = ann.start().await;
    ben.start().await;
    let invite = ann.invite("Room", 3600).await;
    ben.join(&invite, &at_ann).await.unwrap();
    ben.send("General", "kept").await;
    let regretted = ben.send("General", "regretted").await;
    ann.until_texts("General", &["kept", "regretted"]).await;
    let made = ben.session.handle(care::CareBackup {}).await.unwrap();
    ben.send("General", "after the backup").await;
    ann.until_texts("General", &["kept", "regretted", "after the backup"])
        .await;
    let old = ben.device().await;
    ben.session.close().await;
    delete(&ann, &regretted.message).await;

    // Beside the old device, which stays in use.
    let second = Host::restore(&made.path, true).await;
    let waits = second.read("General").await.unwrap_err();
    assert_eq!(waits.code, Code::WrongState);
    assert!(waits.message.contains("Room"), "{waits}");
    assert!(waits.hint.contains("space show \"Room\""));
    let save = api::AttachmentSave {
        attachment: format!("{}-0", regretted.message),
        to: second.path.display().to_string(),
        timeout_s: Some(1),
    };
    let save = second.session.handle(save).await.unwrap_err();
    assert_eq!(save.code, Code::WrongState, "{save}");
    let picture = format!("attachment/{}-0", regretted.message);
    let picture = second.session.media(&picture).await.unwrap_err();
    assert_eq!(picture.code, Code::WrongState, "{picture}");
    let rooms = second.session.handle(api::RoomList { space: None }).await;
    assert_eq!(rooms.unwrap()[0].last, None);
    let space = "Room".to_owned();
    let shown = second.session.handle(api::SpaceShow { space }).await;
    assert!(!shown.unwrap().held);
    assert_eq!(second.texts("General").await, ["kept", "regretted"]);
    second.start().await;
    second.dial(&at_ann).await;
    second
        .until_texts("General", &["kept", "", "after the backup"])
        .await;
    let mut both = vec![old.clone(), second.device().await];
    both.sort();
    assert_eq!(ann.devices_of("Ben").await, both);
    second.session.close().await;

    // In its place.
    let mut third = Host::restore(&made.path, false).await;
    assert!(third.held().await);
    third.restart().await;
    assert!(third.held().await, "a restart forgot it");
    third.start().await;
    third.dial(&at_ann).await;
    until("it is never shown", async || {
        let shown = third.texts("General").await;
        assert!(!shown.contains(&"regretted".to_owned()), "{shown:?}");
        !shown.is_empty()
    })
    .await;
    third
        .until_texts("General", &["kept", "", "after the backup"])
        .await;
    assert!(!third.held().await);
    let mut left = vec![second.device().await, third.device().await];
    left.sort();
    until("the old device goes on", async || {
        ann.devices_of("Ben").await == left
    })
    .await;
    third.send("General", "back").await;
    let all = ["kept", "", "after the backup", "back"];
    ann.until_texts("General", &all).await;
    third.restart().await;
    assert_eq!(third.texts("General").await, all);
    ann.session.close().await;
    third.session.close().await;
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_clones_one_takes_a_key_of_its_own_and_both_go_on() {
    let (ann, mut ben) = (Host::new("Ann").await, Host::new("Ben").await);
    ann.found("Room").await;
    let at_ann = ann.start().await;
    ben.start().await;
    let invite = ann.invite("Room", 3600).await;
    ben.join(&invite, &at_ann).await.unwrap();
    ben.session.close().await;
    let home = tempfile::tempdir().unwrap();
    copy_folder(&ben.path, home.path());
    ben.open_again().await;
    let clone = Host {
        path: home.path().to_owned(),
        session: open(home.path(), &ben.name).await,
        _home: Arc::new(home),
        name: ben.name.clone(),
    };
    let key = ben.device().await;
    assert_eq!(clone.device().await, key);

    // In reach by turns: they have one identity on the network.
    let mut events = ben.session.events();
    let mut round = 0;
    while ben.device().await == key && clone.device().await == key {
        round += 1;
        assert!(round <= 10, "neither was told");
        for host in [&clone, &ben] {
            // Before it is connected: with a new key it would first have to be let in.
            host.send("General", &format!("round {round}")).await;
            host.start().await;
            host.dial(&at_ann).await;
            let all = 2 * round - usize::from(std::ptr::eq(host, &raw const clone));
            until("nothing comes through", async || {
                host.texts("General").await.len() == all && ann.texts("General").await.len() == all
            })
            .await;
            // Long enough for a summary that finds them in step.
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            if ben.device().await != key || clone.device().await != key {
                break;
            }
            host.session.rooms.stop_network().await;
        }
    }
    let told = ben.device().await != key;
    let (rekeyed, other) = if told { (&ben, &clone) } else { (&clone, &ben) };
    if told {
        until("no word of it", async || {
            matches!(events.try_recv(), Ok(Event::Notice(notice)) if notice.code == "cloned_device")
        })
        .await;
    }
    // Its network starts anew by itself, under the new key, and a member lets it in.
    let own = rekeyed.device().await;
    until("the new key is not let in", async || {
        ann.devices_of("Ben").await.contains(&own)
    })
    .await;
    assert!(
        ann.devices_of("Ben").await.contains(&key),
        "the other's key"
    );
    other.start().await;
    other.dial(&at_ann).await;
    // Once it hears what the first wrote before, the other may take a key of its own as well.
    for (host, text) in [
        (rekeyed, "with a key of its own"),
        (other, "from the other"),
    ] {
        until("it cannot write", async || {
            let sent = host.session.handle(api::RoomSend {
                room: "General".to_owned(),
                text: text.to_owned(),
                attach: Vec::new(),
                reply_to: None,
                wait_s: None,
            });
            sent.await.is_ok()
        })
        .await;
    }
    until("they differ", async || {
        let texts = ann.texts("General").await;
        let last = ["with a key of its own", "from the other"];
        last.iter().all(|one| texts.contains(&(*one).to_owned()))
            && rekeyed.texts("General").await == texts
            && other.texts("General").await == texts
    })
    .await;
    for host in [&ann, rekeyed, other] {
        host.session.close().await;
    }
}

/// Ann, who founded a space, and Ben and Eve, who joined it as students; all are connected to Ann.
async fn class() -> [Host; 3] {
    let (ann, ben, eve) = (
        Host::new("Ann").await,
        Host::new("Ben").await,
        Host::new("Eve").await,
    );
    ann.found("Room").await;
    let at_ann = ann.start().await;
    let invite = ann.invite("Room", 3600).await;
    for pupil in [&ben, &eve] {
        pupil.start().await;
        pupil.join(&invite, &at_ann).await.unwrap();
    }
    [ann, ben, eve]
}

async fn close(hosts: [Host; 3]) {
    for host in hosts {
        host.session.close().await;
    }
}

impl Host {
    async fn edit(&self, message: &str, text: &str) -> Result<api::Edited, AppError> {
        self.session
            .handle(api::RoomEdit {
                message: message.to_owned(),
                text: text.to_owned(),
            })
            .await
    }

    async fn delete(&self, message: &str, now: bool) -> Result<api::Deletion, AppError> {
        self.session
            .handle(api::RoomDelete {
                message: message.to_owned(),
                now,
            })
            .await
    }

    async fn undelete(&self, message: &str) -> Result<api::Deletion, AppError> {
        self.session
            .handle(api::RoomUndelete {
                message: message.to_owned(),
            })
            .await
    }

    async fn message(&self, id: &str) -> Option<api::Message> {
        for room in self.rooms().await {
            let page = self.page(&room.room).await;
            if let Some(found) = page.into_iter().find(|message| message.id == id) {
                return Some(found);
            }
        }
        None
    }

    async fn until_message(&self, id: &str, what: &str, so: impl Fn(&api::Message) -> bool) {
        let reached = tokio::time::timeout(SOON, async {
            while !self.message(id).await.is_some_and(|message| so(&message)) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        assert!(
            reached.is_ok(),
            "{}: not {what}: {:?}",
            self.name,
            self.message(id).await
        );
    }

    /// What of the message's records this profile holds: whether the body is here, and how many edit or delete it.
    async fn kept(&self, id: &str) -> (bool, usize) {
        let id = names::message(id).unwrap();
        self.session
            .core()
            .read(move |connection| {
                let here = matches!(
                    artel_store::feeds::body(connection, &id)?,
                    Some(artel_store::feeds::Body::Here(_))
                );
                let others = artel_store::feeds::references(connection, &id)?;
                Ok((here, others.len()))
            })
            .await
            .unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_arrives_and_only_ones_own_can_be_made() {
    let [ann, ben, eve] = class().await;
    let sent = ben.send("General", "Стр. 34").await.message;
    ann.until_texts("General", &["Стр. 34"]).await;

    assert_eq!(ben.edit(&sent, "Стр. 34").await.unwrap().state, "unchanged");
    assert_eq!(ben.edit(&sent, "Стр. 35").await.unwrap().state, "stored");
    ann.until_message(&sent, "edited", |message| {
        message.text == "Стр. 35" && message.edited
    })
    .await;
    assert_eq!(ben.edit(&sent, "Стр. 36").await.unwrap().state, "stored");
    ann.until_texts("General", &["Стр. 36"]).await;

    let others = ann.edit(&sent, "not mine").await.unwrap_err();
    assert_eq!(others.code, Code::NotAllowed);
    assert!(others.message.contains("only its author"), "{others}");
    let empty = ben.edit(&sent, " \n").await.unwrap_err();
    assert_eq!(empty.code, Code::BadArguments);
    assert!(empty.hint.contains("room delete"));
    let most = "я".repeat(16 * 1024);
    ben.edit(&sent, &most).await.unwrap();
    let long = ben.edit(&sent, &format!("{most}!")).await.unwrap_err();
    assert_eq!(long.code, Code::BadArguments);
    assert!(long.message.contains("32 KiB"), "{long}");
    let nothing = ben.edit(&"ab".repeat(32), "x").await.unwrap_err();
    assert_eq!(nothing.code, Code::NotFound);

    // What is being deleted, or was, is not edited any more.
    ben.delete(&sent, false).await.unwrap();
    let going = ben.edit(&sent, "again").await.unwrap_err();
    assert_eq!(going.code, Code::WrongState);
    ben.undelete(&sent).await.unwrap();
    ben.edit(&sent, "again").await.unwrap();
    ben.delete(&sent, true).await.unwrap();
    let gone = ben.edit(&sent, "and again").await.unwrap_err();
    assert_eq!(
        (gone.code, gone.message.as_str()),
        (Code::WrongState, "that message was deleted")
    );
    close([ann, ben, eve]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_waits_is_signed_and_erases_on_the_other_side() {
    let [ann, ben, eve] = class().await;
    let sent = ben.send("General", "not meant for here").await.message;
    ben.edit(&sent, "not meant for here at all").await.unwrap();
    ann.until_message(&sent, "edited", |message| message.edited)
        .await;

    let mut events = ben.session.events();
    let begun = tokio::time::Instant::now();
    let waiting = ben.delete(&sent, false).await.unwrap();
    assert_eq!(waiting.state, "waiting");
    let until = waiting.until.unwrap();
    let left = until - crate::installation::now_ms();
    assert!((9_000..=10_000).contains(&left), "{left} ms left");
    // Asked for again, it keeps its time.
    assert_eq!(ben.delete(&sent, false).await.unwrap().until, Some(until));
    let shown = ben.message(&sent).await.unwrap();
    assert_eq!(shown.deleting_until, Some(until));
    assert_eq!(shown.text, "not meant for here at all");
    let told = tokio::time::timeout(SOON, async {
        loop {
            if let Ok(crate::api::Event::Message { message, .. }) = events.recv().await
                && message.id == sent
                // Before it, somebody may have confirmed what was sent.
                && let Some(until) = message.deleting_until
            {
                return until;
            }
        }
    });
    assert_eq!(told.await.unwrap(), until);
    // Only here.
    assert_eq!(ann.message(&sent).await.unwrap().deleting_until, None);

    // Without a network as well: the other side learns of it later.
    ben.session.rooms.stop_network().await;
    ben.until_message(&sent, "deleted", |message| message.deleted)
        .await;
    assert!(begun.elapsed() >= Duration::from_millis(9_900));
    assert!(ben.message(&sent).await.unwrap().deleting_until.is_none());
    assert_eq!(
        ben.undelete(&sent).await.unwrap_err().code,
        Code::WrongState
    );
    assert!(!ann.message(&sent).await.unwrap().deleted);
    let at_ben = ben.start().await;
    ann.session
        .handle(api::NetDial { address: at_ben })
        .await
        .unwrap();
    ann.until_message(&sent, "deleted", |message| {
        message.deleted && message.text.is_empty() && !message.edited
    })
    .await;
    for host in [&ann, &ben] {
        assert_eq!(host.kept(&sent).await, (false, 2), "{}", host.name);
    }
    close([ann, ben, eve]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_taken_back_leaves_no_trace() {
    let [ann, mut ben, eve] = class().await;
    let sent = ben.send("General", "stays").await.message;
    ann.until_texts("General", &["stays"]).await;
    ben.delete(&sent, false).await.unwrap();
    assert_eq!(ben.undelete(&sent).await.unwrap().state, "kept");
    let twice = ben.undelete(&sent).await.unwrap_err();
    assert_eq!(twice.code, Code::WrongState);
    assert!(ben.message(&sent).await.unwrap().deleting_until.is_none());

    // Also over a restart within the time.
    ben.delete(&sent, false).await.unwrap();
    ben.restart().await;
    assert!(ben.message(&sent).await.unwrap().deleting_until.is_some());
    assert_eq!(ben.undelete(&sent).await.unwrap().state, "kept");
    tokio::time::sleep(amend::UNDO + Duration::from_secs(1)).await;
    for host in [&ann, &ben] {
        assert!(!host.message(&sent).await.unwrap().deleted);
        assert_eq!(host.kept(&sent).await, (true, 0), "{}", host.name);
    }
    close([ann, ben, eve]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_is_signed_at_the_next_opening() {
    let [ann, mut ben, eve] = class().await;
    let sent = ben.send("General", "goodbye").await.message;
    ann.until_texts("General", &["goodbye"]).await;
    ben.delete(&sent, false).await.unwrap();
    ben.session.close().await;
    tokio::time::sleep(amend::UNDO).await;
    ben.open_again().await;
    assert!(ben.message(&sent).await.unwrap().deleted, "not at once");
    assert_eq!(
        ben.undelete(&sent).await.unwrap_err().code,
        Code::WrongState
    );
    assert!(!ann.message(&sent).await.unwrap().deleted);
    let at_ben = ben.start().await;
    ann.session
        .handle(api::NetDial { address: at_ben })
        .await
        .unwrap();
    ann.until_message(&sent, "deleted", |message| message.deleted)
        .await;
    close([ann, ben, eve]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_delete_what_others_wrote() {
    let [ann, ben, eve] = class().await;
    let of_ben = ben.send("General", "by Ben").await.message;
    let of_ann = ann.send("General", "by Ann").await.message;
    for (message, now) in [(&of_ben, false), (&of_ben, true), (&of_ann, true)] {
        eve.until_message(message, "here", |message| !message.provisional)
            .await;
        let refused = eve.delete(message, now).await.unwrap_err();
        assert_eq!(
            (refused.code, refused.message.as_str()),
            (Code::NotAllowed, "student may not delete others' messages")
        );
        assert!(!refused.hint.is_empty());
        let shown = eve.message(message).await.unwrap();
        assert!(!shown.deleted && shown.deleting_until.is_none());
    }

    // The owner may, and at once.
    let deleted = ann.delete(&of_ben, true).await.unwrap();
    assert_eq!((deleted.state.as_str(), deleted.until), ("deleted", None));
    assert_eq!(ann.delete(&of_ben, false).await.unwrap().state, "deleted");
    for host in [&ben, &eve] {
        host.until_message(&of_ben, "deleted", |message| message.deleted)
            .await;
        assert!(!host.message(&of_ann).await.unwrap().deleted);
    }

    // Whoever loses the right while the deletion waits is told, and the message stays.
    let admit = |role: &str| api::SpaceRole {
        space: "Room".to_owned(),
        member: "Eve".to_owned(),
        role: role.to_owned(),
    };
    ann.session.handle(admit("teacher")).await.unwrap();
    tokio::time::timeout(SOON, async {
        while eve.delete(&of_ann, false).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("a teacher cannot delete");
    let mut events = eve.session.events();
    ann.session.handle(admit("student")).await.unwrap();
    let told = tokio::time::timeout(SOON, async {
        loop {
            if let Ok(crate::api::Event::Notice(notice)) = events.recv().await {
                return notice;
            }
        }
    });
    assert_eq!(told.await.unwrap().code, "not_deleted");
    let shown = eve.message(&of_ann).await.unwrap();
    assert!(!shown.deleted && shown.deleting_until.is_none());
    close([ann, ben, eve]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retired_device_is_still_its_members_and_one_nobody_had_is_made_up() {
    let [ann, ben, eve] = class().await;
    let rude = ben.send("General", "rude").await.message;
    ben.edit(&rude, "ruder").await.unwrap();
    eve.until_texts("General", &["ruder"]).await;
    eve.report(&rude, "").await.unwrap();
    let letter = ann.send("@Ben", "come and see me").await.message;
    ann.until_message(&letter, "delivered", |message| message.delivered == 1)
        .await;
    until("the report at Ann's", async || {
        ann.reports().await.len() == 1
    })
    .await;

    let device = ben.device().await;
    let revoke = api::DeviceRevoke {
        device: device.clone(),
    };
    ann.session.handle(revoke).await.unwrap();
    assert!(ann.devices_of("Ben").await.is_empty());
    let reports = ann.reports().await;
    let reported = reports[0].reported.as_ref().unwrap();
    assert_eq!(
        (reported.name.as_str(), reported.edit.as_deref()),
        ("Ben", Some("ruder"))
    );
    assert_eq!(ann.message(&letter).await.unwrap().delivered, 1);

    // Whoever makes up a device can sign with it what they like.
    let told = ann.session.rooms.inner.driver.ask(move |work| {
        let space = names::space(work.node, "Room")?.space;
        let id = artel_domain::MessageId::from_bytes([9; 32]);
        let reported = artel_store::sealed::Reported {
            message: id,
            device: artel_domain::DeviceId::from_bytes([7; 32]),
            room: artel_domain::RoomId::from_bytes([8; 32]),
            at: 0,
            said: "what nobody said".to_owned(),
            edit: None,
            files: "[]".to_owned(),
        };
        let report = artel_store::sealed::Report {
            id,
            space,
            lamport: 1_000_000,
            reporter: work.node.member(),
            at: 0,
            text: String::new(),
            reported: Some(reported),
        };
        artel_store::sealed::put_report(work.tx, &report)?;
        Ok(())
    });
    told.await.unwrap();
    let reports = ann.reports().await;
    assert_eq!(reports.len(), 2);
    assert!(reports[1].reported.is_none());
    close([ann, ben, eve]).await;
}

/// Many reports in one batch are one notice, which names the space; who does not run it is told of none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_are_told_once_and_to_those_who_run_the_space() {
    let [ann, ben, eve] = class().await;
    let mut told = Vec::new();
    for host in [&ann, &ben] {
        let mut events = host.session.events();
        let asked = host.session.rooms.inner.driver.ask(|work| {
            let space = names::space(work.node, "Room")?.space;
            work.changes.reported(space);
            work.changes.reported(space);
            work.changes.notice(crate::api::Notice {
                level: crate::api::NoticeLevel::Note,
                code: "the_last".to_owned(),
                message: String::new(),
                params: std::collections::BTreeMap::new(),
            });
            Ok(())
        });
        asked.await.unwrap();
        loop {
            match tokio::time::timeout(SOON, events.recv()).await.unwrap() {
                Ok(Event::Notice(notice)) if notice.code == "the_last" => break,
                Ok(Event::Notice(notice)) => told.push((
                    host.name.as_str(),
                    notice.code,
                    notice.params.get("space").cloned(),
                )),
                _ => {}
            }
        }
    }
    let new_report = ("Ann", "new_report".to_owned(), Some("Room".to_owned()));
    assert_eq!(told, [new_report]);
    close([ann, ben, eve]).await;
}

impl Host {
    async fn save(&self, attachment: &str, to: &Path) -> Result<api::Saved, AppError> {
        let command = api::AttachmentSave {
            attachment: attachment.to_owned(),
            to: to.to_string_lossy().into_owned(),
            timeout_s: Some(SOON.as_secs()),
        };
        self.session.handle(command).await
    }

    async fn send_file(&self, room: &str, path: &Path) -> String {
        let command = api::RoomSend {
            room: room.to_owned(),
            text: String::new(),
            attach: vec![path.to_string_lossy().into_owned()],
            reply_to: None,
            wait_s: None,
        };
        self.session.handle(command).await.unwrap().message
    }

    /// Whether this machine gives the first file of a message to others in the message's room.
    async fn gives(&self, message: &str) -> bool {
        let id = names::message(message).unwrap();
        let found = self.session.core().read(move |connection| {
            let message = artel_store::rooms::message(connection, &id)?.unwrap();
            artel_store::blobs::is_file_of(connection, &message.files[0].file, &message.room)
        });
        found.await.unwrap()
    }
}

/// What came in one room is here in the other at once; once it is saved there, this machine gives it to others there too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_from_another_room_is_proved_for_this_one() {
    let [ann, ben, eve] = class().await;
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("plan.txt");
    std::fs::write(&path, "one, two, three").unwrap();
    let new = api::RoomNew {
        space: "Room".to_owned(),
        name: "Second".to_owned(),
        readers: Vec::new(),
    };
    ann.session.handle(new).await.unwrap();
    let first = ann.send_file("General", &path).await;
    let second = ann.send_file("Second", &path).await;
    for message in [&first, &second] {
        ben.until_message(message, "here", |message| !message.provisional)
            .await;
    }
    let file = ben.message(&first).await.unwrap().attachments[0].id.clone();
    ben.save(&file, &place.path().join("first.txt"))
        .await
        .unwrap();
    assert!(ben.gives(&first).await && !ben.gives(&second).await);
    let file = ben.message(&second).await.unwrap().attachments.remove(0);
    assert_eq!(file.have, file.size);
    ben.save(&file.id, &place.path().join("second.txt"))
        .await
        .unwrap();
    until("it is proved", async || ben.gives(&second).await).await;
    close([ann, ben, eve]).await;
}

/// A message that is shown ahead of its record has files that nobody can be asked for yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_a_message_shown_ahead_is_on_its_way() {
    let ann = Host::new("Ann").await;
    ann.found("Room").await;
    let sent = ann.send("General", "before").await.message;
    let known = names::message(&sent).unwrap();
    let ahead = artel_domain::MessageId::from_bytes([5; 32]);
    let shown = ann.session.rooms.inner.driver.ask(move |work| {
        let message = artel_store::rooms::message(work.tx, &known)?.unwrap();
        let file = artel_domain::Attachment {
            name: "plan.txt".to_owned(),
            size: 3,
            media_type: "text/plain".to_owned(),
            hash: artel_domain::FileHash::from_bytes([1; 32]),
            file: artel_domain::FileId::from_bytes([2; 32]),
        };
        artel_store::rooms::insert(
            work.tx,
            &artel_store::rooms::NewMessage {
                id: ahead,
                feed: artel_store::feeds::Feed {
                    space: message.space,
                    room: message.room,
                    device: work.node.device(),
                    incarnation: artel_domain::Incarnation::from_bytes([3; 16]),
                },
                room: message.room,
                sequence: 9,
                lamport: message.lamport + 9,
                author: message.author,
                mine: false,
                late: false,
                provisional: true,
                content: Some(artel_store::rooms::NewContent {
                    at: 0,
                    text: "a file",
                    reply_to: None,
                    result: "",
                    attachments: vec![(&file, None)],
                }),
                erased: false,
                closed: None,
            },
        )?;
        Ok(())
    });
    shown.await.unwrap();
    ann.start().await;
    let place = tempfile::tempdir().unwrap();
    let file = ann.message(&ahead.to_string()).await.unwrap().attachments[0]
        .id
        .clone();
    let waits = ann.save(&file, place.path()).await.unwrap_err();
    assert_eq!(waits.code, Code::WrongState, "{waits}");
    ann.session.close().await;
}

impl Host {
    async fn report(&self, message: &str, text: &str) -> Result<api::Sent, AppError> {
        let command = api::RoomReport {
            message: message.to_owned(),
            text: text.to_owned(),
        };
        self.session.handle(command).await
    }

    async fn reports(&self) -> Vec<api::ReportInfo> {
        let command = api::SpaceReports {
            space: "Room".to_owned(),
        };
        self.session.handle(command).await.unwrap()
    }

    async fn rooms(&self) -> Vec<api::RoomInfo> {
        self.session.handle(api::RoomList::default()).await.unwrap()
    }

    /// What a profile has of a sealed message: whether its body is carried, whether it can be opened, and whether anything
    /// of the message is shown.
    async fn sealed(&self, id: &str) -> [bool; 3] {
        let id = names::message(id).unwrap();
        let found = self.session.core().read(move |connection| {
            let load = artel_store::sealed::load(connection, &id)?;
            let opening = artel_store::sealed::opening(connection, &id)?;
            let shown = artel_store::rooms::message(connection, &id)?;
            Ok([
                load.is_some_and(|load| load.size > 0),
                opening.is_some_and(|opening| opening.key.is_some()),
                shown.is_some(),
            ])
        });
        found.await.unwrap()
    }

    /// Whether words stand in what travels of a message.
    async fn travels_with(&self, id: &str, words: &str) -> bool {
        let (id, words) = (names::message(id).unwrap(), words.to_owned());
        let body = self
            .session
            .core()
            .read(move |connection| artel_store::feeds::body(connection, &id));
        let Some(artel_store::feeds::Body::Here(wire)) = body.await.unwrap() else {
            panic!("{} has no body of {id}", self.name);
        };
        wire.windows(words.len())
            .any(|part| part == words.as_bytes())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_write_to_one_another_and_the_third_carries() {
    let [ann, ben, eve] = class().await;
    let sent = ben.send("@Ann", "лише для тебе").await.message;
    ann.until_texts("@Ben", &["лише для тебе"]).await;
    // By the conversation's own id, the member's, and with the space's name.
    let listed = ann.rooms().await;
    let talk = listed
        .iter()
        .find(|room| room.audience == "direct")
        .unwrap();
    assert_eq!((talk.name.as_str(), talk.unread), ("@Ben", 1));
    assert_eq!(talk.last.as_deref(), Some("лише для тебе"));
    let with = talk.with.clone().unwrap();
    for name in [talk.room.as_str(), with.as_str(), "Room/@ben"] {
        assert_eq!(ann.texts(name).await, ["лише для тебе"], "{name}");
    }
    let refused = ann.read("@Nobody").await.unwrap_err();
    assert_eq!(refused.code, Code::NotFound);
    assert!(refused.message.contains("no member"), "{refused}");

    ann.send("@Ben", "і тобі").await;
    ben.until_texts("@Ann", &["лише для тебе", "і тобі"]).await;
    ben.edit(&sent, "справді лише для тебе").await.unwrap();
    ann.until_texts("@Ben", &["справді лише для тебе", "і тобі"])
        .await;
    ann.until_message(&sent, "edited", |message| message.edited)
        .await;
    // One's reader has it; that others carry it does not count.
    ben.until_message(&sent, "delivered", |message| message.delivered == 1)
        .await;

    // Eve carries it, and has nothing that she could read.
    until("Eve carries it", async || eve.sealed(&sent).await[0]).await;
    assert_eq!(eve.sealed(&sent).await, [true, false, false]);
    assert_eq!(ann.sealed(&sent).await, [true, true, true]);
    for host in [&ann, &ben, &eve] {
        assert!(!host.travels_with(&sent, "лише для тебе").await);
    }
    assert!(
        eve.rooms()
            .await
            .iter()
            .all(|room| room.audience != "direct")
    );
    assert!(eve.texts(&talk.room).await.is_empty());

    // An owner may not delete what was said to her alone; who wrote it may.
    let refused = ann.delete(&sent, true).await.unwrap_err();
    assert_eq!(refused.code, Code::NotAllowed);
    ben.delete(&sent, false).await.unwrap();
    let undone = ben.undelete(&sent).await.unwrap();
    assert_eq!(undone.state, "kept");
    ben.delete(&sent, true).await.unwrap();
    ann.until_message(&sent, "deleted", |message| message.deleted)
        .await;
    assert!(!ann.sealed(&sent).await[1], "its key is forgotten");
    close([ann, ben, eve]).await;
}

/// Somebody who may create rooms calls them like the ways to name a conversation. None of those leads there, and the
/// program refuses such names.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_meant_for_one_member_never_goes_to_a_room_of_that_name() {
    let [ann, ben, eve] = class().await;
    let space = "Room".to_owned();
    let members = ben.session.handle(api::SpaceMembers { space });
    let mut members = members.await.unwrap().into_iter();
    let of_eve = members.find(|member| member.name == "Eve").unwrap();
    let talk = of_eve.conversation.unwrap();
    let ways = [
        "@Eve".to_owned(),
        "@eve".to_owned(),
        "Room/@Eve".to_owned(),
        "@Room/Eve".to_owned(),
        format!("@{}", of_eve.member),
        format!("Room/@{}", &of_eve.member[..8]),
        of_eve.member.clone(),
        of_eve.member[..8].to_owned(),
        talk.clone(),
        talk[..8].to_owned(),
    ];
    for name in &ways {
        let name = name.clone();
        let made = ann.session.rooms.inner.driver.ask(move |work| {
            let space = names::space(work.node, "Room")?.space;
            let audience = artel_domain::Audience::All;
            let (ledger, now) = (&mut *work.ledger, work.now);
            Ok(work.node.create_room(ledger, now, space, &name, audience)?)
        });
        made.await.unwrap();
    }
    until("Ben has the rooms", async || {
        ben.rooms().await.len() == ways.len() + 1
    })
    .await;
    for way in &ways {
        let sent = ben.send(way, "лише для тебе").await.message;
        assert!(!ben.travels_with(&sent, "лише для тебе").await, "{way}");
    }
    let all = ["лише для тебе"; 10];
    eve.until_texts("@Ben", &all).await;
    for way in &ways {
        assert_eq!(ben.texts(way).await, all, "{way}");
    }
    // Not even where there is no such conversation.
    let refused = eve.read("@Eve").await.unwrap_err();
    assert_eq!(refused.code, Code::NotFound, "{refused}");
    let refused = ann.read(&talk).await.unwrap_err();
    assert_eq!(refused.code, Code::NotFound, "{refused}");

    for name in ["@Eve", " @Eve", "7/@Eve"] {
        let new = api::RoomNew {
            space: "Room".to_owned(),
            name: name.to_owned(),
            readers: Vec::new(),
        };
        let refused = ann.session.handle(new).await.unwrap_err();
        assert_eq!(refused.code, Code::BadArguments, "{name}");
    }
    close([ann, ben, eve]).await;
}

/// One who was removed keeps the name; a new one of that name is the one that is meant.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_means_the_one_who_is_in() {
    let [ann, ben, eve] = class().await;
    ann.send("@Eve", "to the first").await;
    eve.until_texts("@Ann", &["to the first"]).await;
    let remove = api::SpaceRemove {
        space: "Room".to_owned(),
        member: "Eve".to_owned(),
        block: false,
    };
    ann.session.handle(remove).await.unwrap();
    assert_eq!(ann.texts("@Eve").await, ["to the first"]);
    let second = Host::new("Eve").await;
    second.start().await;
    let invite = ann.invite("Room", 3600).await;
    let at_ann = ann.session.handle(api::NetPeers {}).await.unwrap();
    let at_ann = at_ann.node.unwrap().addresses[0].clone();
    second.join(&invite, &at_ann).await.unwrap();
    ann.send("@Eve", "to the second").await;
    second.until_texts("@Ann", &["to the second"]).await;
    assert_eq!(ann.texts("@Eve").await, ["to the second"]);
    second.session.close().await;
    close([ann, ben, eve]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_is_read_by_those_who_run_the_space_and_outlives_the_message() {
    let [ann, ben, eve] = class().await;
    let rude = ben.send("General", "rude").await.message;
    let private = ben.send("@Eve", "rude in private").await.message;
    ben.edit(&rude, "ruder").await.unwrap();
    eve.until_texts("General", &["ruder"]).await;
    eve.until_texts("@Ben", &["rude in private"]).await;
    for message in [&rude, &private] {
        eve.report(message, " look ").await.unwrap();
    }
    let own = ben.report(&rude, "").await.unwrap_err();
    assert_eq!(own.code, Code::NotAllowed);
    until("both reports at Ann's", async || {
        ann.reports().await.len() == 2
    })
    .await;
    for message in [&rude, &private] {
        ben.delete(message, true).await.unwrap();
    }
    ann.until_message(&rude, "deleted", |message| message.deleted)
        .await;
    let reports = ann.reports().await;
    let said: Vec<_> = reports
        .iter()
        .map(|report| {
            assert_eq!(
                (report.by_name.as_str(), report.text.as_str()),
                ("Eve", "look")
            );
            let reported = report.reported.as_ref().unwrap();
            assert_eq!(reported.name, "Ben");
            let (room, edit) = (reported.room.as_deref(), reported.edit.as_deref());
            (reported.text.as_str(), room, edit)
        })
        .collect();
    let first = ("rude", Some("General"), Some("ruder"));
    assert_eq!(said, [first, ("rude in private", None, None)]);
    // Who reported sees that; the one it is about does not.
    assert_eq!(eve.reports().await.len(), 2);
    assert!(ben.reports().await.is_empty());
    let of_owner = ann.send("General", "by the owner").await.message;
    eve.until_message(&of_owner, "here", |message| !message.provisional)
        .await;
    let nobody = eve.report(&of_owner, "").await.unwrap_err();
    assert_eq!(nobody.code, Code::NotAllowed, "{nobody}");
    close([ann, ben, eve]).await;
}

impl Host {
    async fn rules(&self, set: &[&str]) -> Result<Vec<String>, AppError> {
        let command = api::SpacePolicy {
            space: "Room".to_owned(),
            set: set.iter().map(ToString::to_string).collect(),
        };
        let rules = self.session.handle(command).await?;
        Ok(rules
            .into_iter()
            .map(|rule| format!("{}={} {:?}", rule.key, rule.value, rule.by))
            .collect())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_are_set_by_those_who_run_the_space_and_followed_by_all() {
    let (ann, ben, eve) = (
        Host::new("Ann").await,
        Host::new("Ben").await,
        Host::new("Eve").await,
    );
    ann.found("Room").await;
    let at_ann = ann.start().await;
    let invite = ann.invite("Room", 3600).await;
    ben.start().await;
    ben.join(&invite, &at_ann).await.unwrap();
    let rules = ann.rules(&[]).await.unwrap();
    assert_eq!(
        rules,
        ["history=all None", "direct=on None", "pages=students None"]
    );
    for (wrong, words) in [
        ("history=0", "a number of days from 1 to 3650"),
        ("direct=perhaps", "on or off"),
        ("colour=red", "Rules are history, direct and pages"),
    ] {
        let refused = ann.rules(&["direct=off", wrong]).await.unwrap_err();
        assert_eq!(refused.code, Code::BadArguments);
        assert!(refused.in_full().contains(words), "{refused}");
    }
    assert_eq!(ann.rules(&[]).await.unwrap(), rules, "all of them or none");
    let refused = ben.rules(&["direct=off"]).await.unwrap_err();
    assert_eq!(refused.code, Code::NotAllowed);
    assert!(refused.hint.contains("teacher"), "{refused:?}");

    ann.send("General", "before Eve").await;
    ben.send("@Ann", "while it was on").await;
    ann.until_texts("@Ben", &["while it was on"]).await;
    let set = ann.rules(&["history=none", "direct=off"]).await.unwrap();
    assert_eq!(
        set,
        [
            "history=none Some(\"Ann\")",
            "direct=off Some(\"Ann\")",
            "pages=students None"
        ]
    );
    until("Ben hears of it", async || {
        ben.rules(&[]).await.unwrap() == set
    })
    .await;
    let refused = ben
        .session
        .handle(api::RoomSend {
            room: "@Ann".to_owned(),
            text: "x".to_owned(),
            attach: Vec::new(),
            reply_to: None,
            wait_s: None,
        })
        .await
        .unwrap_err();
    assert_eq!(refused.code, Code::NotAllowed);
    assert!(refused.hint.contains("direct=on"), "{refused:?}");
    let spaces = ben.session.handle(api::SpaceList {}).await.unwrap();
    assert!(!spaces[0].direct);
    assert_eq!(ben.texts("@Ann").await, ["while it was on"]);

    eve.start().await;
    eve.join(&invite, &at_ann).await.unwrap();
    ann.send("General", "after Eve").await;
    eve.until_texts("General", &["after Eve"]).await;
    until("Eve is told", async || {
        eve.read("General").await.unwrap().withheld
    })
    .await;
    assert_eq!(eve.texts("General").await, ["after Eve"]);
    let unread = eve.session.handle(api::SpaceList {}).await.unwrap()[0].unread;
    assert_eq!(unread, 1, "what is withheld is not unread");
    assert!(!ben.read("General").await.unwrap().withheld);

    ann.rules(&["history=all"]).await.unwrap();
    eve.until_texts("General", &["before Eve", "after Eve"])
        .await;
    assert!(!eve.read("General").await.unwrap().withheld);
    close([ann, ben, eve]).await;
}

#[tokio::test]
async fn who_joins_a_long_history_waits_only_until_its_end_can_be_read() {
    let ann = Host::new("Ann").await;
    ann.found("Room").await;
    let rooms = &ann.session.rooms;
    let space = rooms.look(|node| node.spaces()[0].space).await.unwrap();
    let invite = artel_domain::InviteId::from_bytes([1; 32]);
    let room = space.control_room();
    let waits = |more: Option<Outcome>| {
        let (tell, hear) = tokio::sync::broadcast::channel(4);
        let joined = Outcome::Joined { space, invite };
        for outcome in [joined].into_iter().chain(more) {
            tell.send(outcome).unwrap();
        }
        async move {
            let joined = spaces::await_join(rooms, invite, SOON, hear).await;
            drop(tell);
            joined.unwrap().state
        }
    };
    tokio::select! {
        state = waits(Some(Outcome::Ahead { space, room })) => assert_eq!(state, "member"),
        _ = waits(None) => panic!("who has heard of nothing answered first"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_typed_address_is_still_one_after_a_restart() {
    let (ann, mut ben) = (Host::new("Ann").await, Host::new("Ben").await);
    let at_ann = ann.start().await;
    ben.start().await;
    ben.dial(&at_ann).await;
    ben.restart().await;
    ben.start().await;
    let found_by = tokio::time::timeout(SOON, async {
        loop {
            let peers = ben.session.handle(api::NetPeers {}).await.unwrap().peers;
            if let Some(peer) = peers.into_iter().find(|peer| peer.connected) {
                return peer.found_by;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert_eq!(found_by.await.unwrap(), "typed");
}
