//! What one can do who came in by a good invite, and one who was put out.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use artel_domain::{
    Body, Content, DeviceKey, Envelope, FileDigest, MemberKey, RoomId, Signed, SpaceId,
    limits::CHUNK,
    signed::{Signer as _, decode_exact},
};
use artel_sync::protocol::{
    Entropy, Event, Identity, Ledger as _, MemoryLedger, Node, Output, Shown,
};
use libp2p::Multiaddr;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::{
    Fault,
    link::{Line, PATIENCE},
};

/// Version and number of the frames that are bent, as `docs/protocol.md` has them.
const RECORDS: [u8; 2] = [1, 8];
const CHUNK_OF_FILE: [u8; 2] = [1, 20];

/// A record as it travels.
#[derive(Clone, Serialize, Deserialize)]
struct Carried {
    envelope: Vec<u8>,
    change: Vec<u8>,
    body: Option<Vec<u8>>,
}

/// Records of a feed as they travel.
#[derive(Clone, Serialize, Deserialize)]
struct Records {
    space: SpaceId,
    room: RoomId,
    device: artel_domain::DeviceId,
    incarnation: artel_domain::Incarnation,
    carried: Vec<Carried>,
    more: bool,
}

impl Records {
    fn read(frame: &[u8]) -> Option<Self> {
        decode_exact(frame.strip_prefix(&RECORDS)?)
    }

    fn frame(&self) -> Result<Vec<u8>, Fault> {
        Ok(postcard::to_extend(self, RECORDS.to_vec())?)
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

fn text(words: &str) -> Content {
    Content::Text {
        text: words.to_owned(),
        reply_to: None,
        attachments: Vec::new(),
    }
}

/// A member whose node is an ordinary one, but for what it does with the frames.
struct Liar {
    node: Node,
    ledger: MemoryLedger,
    device: DeviceKey,
    line: Line,
    shown: Vec<Shown>,
    events: Vec<Event>,
    /// Frames of records that came and that the node sent.
    heard: Vec<Records>,
    said: Vec<Records>,
    /// Whether what it writes stays here.
    silent: bool,
    /// Whether file bytes are sent as they are.
    true_files: bool,
}

impl Liar {
    /// Someone new, at the door.
    async fn at(address: &Multiaddr) -> Result<Self, Fault> {
        let device = DeviceKey::generate()?;
        let identity = Identity {
            member: MemberKey::generate()?,
            device: device.clone(),
            name: "Маска".to_owned(),
        };
        let mut ledger = MemoryLedger::new();
        let mut node = Node::load(identity, Entropy::system(), &mut ledger)?;
        let line = Line::open(address, &device).await?;
        node.connected(&mut ledger, now(), line.peer)?;
        let mut liar = Self {
            node,
            ledger,
            device,
            line,
            shown: Vec::new(),
            events: Vec::new(),
            heard: Vec::new(),
            said: Vec::new(),
            silent: false,
            true_files: true,
        };
        liar.release().await?;
        Ok(liar)
    }

    /// In by an invite, and with somebody's words to bend.
    async fn inside(address: &Multiaddr, invite: &str) -> Result<(Self, SpaceId, RoomId), Fault> {
        let mut liar = Self::at(address).await?;
        let code = invite.parse()?;
        liar.node.join(&mut liar.ledger, now(), &code)?;
        liar.release().await?;
        let in_step = |liar: &Self| {
            let joined = |event: &Event| matches!(event, Event::InStep { .. });
            liar.events.iter().any(joined) && !liar.shown.is_empty()
        };
        if !liar.live(PATIENCE, in_step).await? {
            return Err("the invite led nowhere".into());
        }
        let space = liar.node.spaces().first().ok_or("no space")?.space;
        let room = liar.node.rooms(&space).first().ok_or("no room")?.room;
        Ok((liar, space, room))
    }

    /// Lives for so long, or until something is so. An ended line ends it with an error.
    async fn live(
        &mut self,
        within: Duration,
        is_so: impl Fn(&Self) -> bool,
    ) -> Result<bool, Fault> {
        let end = Instant::now() + within;
        let mut tick = interval(Duration::from_millis(100));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while Instant::now() < end {
            tokio::select! {
                frame = self.line.hear() => {
                    let frame = frame.ok_or("sent away")?;
                    self.heard.extend(Records::read(&frame));
                    self.node.received(&mut self.ledger, now(), self.line.peer, &frame)?;
                }
                _ = tick.tick() => self.node.tick(&mut self.ledger, now())?,
            }
            self.release().await?;
            if is_so(self) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn release(&mut self) -> Result<(), Fault> {
        for output in self.node.take_outputs() {
            match output {
                Output::Send { mut bytes, .. } => {
                    if let Some(records) = Records::read(&bytes) {
                        self.said.push(records);
                        if self.silent {
                            continue;
                        }
                    }
                    if bytes.starts_with(&CHUNK_OF_FILE)
                        && !self.true_files
                        && let Some(last) = bytes.last_mut()
                    {
                        *last ^= 1;
                    }
                    self.line.say(&bytes).await?;
                }
                Output::Event(Event::Shown(shown)) => self.shown.push(*shown),
                Output::Event(event) => self.events.push(event),
                Output::Disconnect { reason, .. } => return Err(reason.into()),
                Output::Reachable { .. } | Output::Hint { .. } => {}
            }
        }
        Ok(())
    }

    /// Writes a message that stays here, and gives its records.
    async fn unsent(
        &mut self,
        space: SpaceId,
        room: RoomId,
        words: &str,
    ) -> Result<Records, Fault> {
        self.silent = true;
        self.node
            .send(&mut self.ledger, now(), space, room, text(words))?;
        self.release().await?;
        Ok(self.said.last().cloned().ok_or("nothing was written")?)
    }
}

fn forged_body() -> Result<Vec<u8>, Fault> {
    let body = Body {
        salt: [0; 16],
        at: 0,
        content: text("FORGED"),
    };
    Ok(body.encode()?)
}

/// The wire form of an envelope, signed by a device that need not be the one it names.
fn sealed(envelope: &Envelope, by: &DeviceKey) -> Result<Vec<u8>, Fault> {
    let payload = postcard::to_stdvec(envelope)?;
    let signature = by.sign("artel 2026-11 envelope", &[&[1], &payload]);
    Ok([&signature.to_bytes()[..], &[1], &payload].concat())
}

/// The ways in which a record of another, or an own one, is bent.
const LIES: [&str; 8] = [
    "another's words changed on the way",
    "another's record signed by the relay",
    "another's record in another room",
    "another's record in the own feed",
    "another's record under a second life",
    "a damaged signature",
    "a compressed change that unpacks without end",
    "a position beyond all others",
];

/// One lie after the other, each by a new member, since most cost the link and ten minutes.
pub(crate) async fn forge(address: &Multiaddr, invite: &str) -> Result<(), Fault> {
    for (number, lie) in LIES.into_iter().enumerate() {
        let (mut liar, space, room) = Liar::inside(address, invite).await?;
        let theirs = liar
            .heard
            .iter()
            .find(|records| records.room == room && records.device == liar.line.peer)
            .cloned()
            .ok_or("nothing of the host's was heard")?;
        let own = liar.unsent(space, room, "FORGED by its writer").await?;
        let mut bent = theirs.clone();
        let carried = bent.carried.last_mut().ok_or("an empty frame")?;
        let envelope = Signed::<Envelope>::open(&carried.envelope)?.value().clone();
        match number {
            0 => carried.body = Some(forged_body()?),
            1 => {
                let body = forged_body()?;
                let forged = Envelope {
                    body: Body::hash_of(&body),
                    ..envelope
                };
                carried.envelope = sealed(&forged, &liar.device)?;
                carried.body = Some(body);
            }
            2 => bent.room = space.control_room(),
            3 => bent.device = liar.device.id(),
            4 => bent.incarnation = own.incarnation,
            5 => {
                if let Some(byte) = carried.envelope.first_mut() {
                    *byte ^= 1;
                }
            }
            _ => {
                bent = own;
                let carried = bent.carried.last_mut().ok_or("an empty frame")?;
                let envelope = Signed::<Envelope>::open(&carried.envelope)?.value().clone();
                if number == 6 {
                    // An automerge chunk of the kind that is deflated.
                    let head = [0x85, 0x6f, 0x4a, 0x83, 1, 2, 3, 4, 2, 0xff, 0xff, 3];
                    carried.change = [&head[..], &[0; 400]].concat();
                } else {
                    let far = Envelope {
                        lamport: 1 << 61,
                        ..envelope
                    };
                    carried.envelope = sealed(&far, &liar.device)?;
                }
            }
        }
        liar.line.say(&bent.frame()?).await?;
        let kept = liar.live(Duration::from_millis(1_500), |_| false).await;
        say!("{lie}: {}", if kept.is_ok() { "kept" } else { "sent away" });
    }
    Ok(())
}

/// Announces files with names that lead elsewhere, and one whose bytes are not what was announced.
pub(crate) async fn files(address: &Multiaddr, invite: &str) -> Result<(), Fault> {
    let (mut liar, space, room) = Liar::inside(address, invite).await?;
    for (name, sound) in [
        ("../../x", true),
        ("CON", true),
        ("C:\\Windows\\win.ini", true),
        ("broken.bin", false),
    ] {
        let bytes: Vec<u8> = name.bytes().cycle().take(CHUNK + 5).collect();
        let mut digest = FileDigest::new();
        for chunk in bytes.chunks(CHUNK) {
            digest.chunk(chunk)?;
        }
        let (attachment, list) = digest.finish(name, "application/octet-stream")?;
        let file = attachment.file;
        let size = attachment.size;
        liar.ledger.put_chunk_list(&file, size, &list.concat())?;
        for (number, chunk) in (0..).zip(bytes.chunks(CHUNK)) {
            liar.ledger.put_chunk(&file, number, chunk)?;
        }
        let content = Content::Text {
            text: if sound { "sound" } else { "broken" }.to_owned(),
            reply_to: None,
            attachments: vec![attachment],
        };
        liar.node
            .send(&mut liar.ledger, now(), space, room, content)?;
        liar.release().await?;
    }
    say!("announced");
    // What is asked for first is sound; the last file, which is asked for alone, is not.
    liar.live(Duration::from_mins(1), |liar| {
        liar.shown.iter().any(|shown| is(shown, "now lie"))
    })
    .await?;
    liar.true_files = false;
    say!("lying");
    let _ = liar.live(Duration::from_mins(1), |_| false).await;
    Ok(())
}

/// Goes on after it was put out: with its keys, its old roster, and its friends' records.
pub(crate) async fn stay(address: &Multiaddr, invite: &str) -> Result<(), Fault> {
    let (mut liar, space, room) = Liar::inside(address, invite).await?;
    // Written while it was in, and kept back: it had not heard of the removal.
    let records = liar.unsent(space, room, "FORGED by one who is out").await?;
    say!("inside");
    let put_out = liar.live(Duration::from_mins(1), |_| false).await;
    say!("put out: {}", put_out.is_err());
    let mut heard = 0;
    for attempt in 0..5 {
        let Ok(Ok(mut line)) = timeout(PATIENCE, Line::open(address, &liar.device)).await else {
            continue;
        };
        line.say(&[&[1, 0][..], &[attempt; 32]].concat()).await?;
        let _ = line.say(&records.frame()?).await;
        let told = async {
            while let Some(frame) = line.hear().await {
                heard += usize::from(!matches!(frame.get(1), Some(0..=2)));
            }
        };
        let _ = timeout(Duration::from_millis(500), told).await;
    }
    say!("heard since: {heard}");
    Ok(())
}

fn is(shown: &Shown, words: &str) -> bool {
    let content = shown.body.as_ref().map(|body| &body.content);
    matches!(content, Some(Content::Text { text, .. }) if text == words)
}
