use std::net::Ipv4Addr;

use tokio::time::timeout;

use super::*;

const SOON: Duration = Duration::from_secs(10);

struct Host {
    network: Network,
    events: mpsc::UnboundedReceiver<Event>,
    target: Target,
}

async fn host(seed: u8) -> Host {
    let config = Config {
        secret: Zeroizing::new([seed; 32]),
        port: None,
        listen: vec![(Ipv4Addr::LOCALHOST, 0).into()],
        mdns: false,
        settings: Settings::default(),
    };
    let (network, mut events) = start(config).await.unwrap();
    let target = loop {
        if let Some(Event::Listening { addresses }) = events.recv().await
            && let Some(address) = addresses.first()
        {
            break Target::from_multiaddr(address).unwrap();
        }
    };
    Host {
        network,
        events,
        target,
    }
}

impl Host {
    async fn until<T>(&mut self, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
        timeout(SOON, async {
            loop {
                let event = self.events.recv().await.expect("the network ended");
                if let Some(found) = wanted(&event) {
                    return found;
                }
            }
        })
        .await
        .expect("it did not happen in time")
    }

    async fn connected(&mut self) -> LinkId {
        self.until(|event| match event {
            Event::Connected { link, .. } => Some(*link),
            _ => None,
        })
        .await
    }

    async fn disconnected(&mut self) -> (LinkId, Ended) {
        self.until(|event| match event {
            Event::Disconnected { link, reason, .. } => Some((*link, reason.clone())),
            _ => None,
        })
        .await
    }

    async fn reachable(&mut self) -> Multiaddr {
        self.until(|event| match event {
            Event::Reachable { address, .. } => Some(address.clone()),
            _ => None,
        })
        .await
    }

    async fn frame(&mut self) -> (LinkId, Vec<u8>) {
        self.until(|event| match event {
            Event::Frame(received) => Some((received.link, received.bytes.clone())),
            _ => None,
        })
        .await
    }

    /// Follows the links until nothing happens for a moment; the link in use then.
    async fn settled(&mut self, mut link: Option<LinkId>) -> Option<LinkId> {
        while let Ok(Some(event)) = timeout(Duration::from_millis(600), self.events.recv()).await {
            match event {
                Event::Connected { link: new, .. } => {
                    assert_eq!(link, None, "two links with one peer");
                    link = Some(new);
                }
                Event::Disconnected { link: old, .. } => {
                    assert_eq!(link, Some(old));
                    link = None;
                }
                _ => {}
            }
        }
        link
    }
}

#[tokio::test]
async fn frames_go_both_ways_by_a_typed_address() {
    let (mut a, mut b) = (host(1).await, host(2).await);
    let (a_target, b_target) = (a.target.clone(), b.target.clone());
    let bare = Target {
        peer: None,
        ..b.target.clone()
    };
    assert_eq!(a.network.dial(bare).await, Ok(b.network.me()));
    let (at_a, at_b) = (a.connected().await, b.connected().await);
    // The one who called knows where the other is; that one learns it once it is told.
    assert_eq!(a.reachable().await, b_target.multiaddr());
    b.network.told(at_b, Ports::of([a_target.socket]));
    assert_eq!(b.reachable().await, a_target.multiaddr());
    for n in 0..50_u8 {
        a.network
            .send(at_a, Lane::Text, vec![n; usize::from(n) * 1000]);
    }
    b.network.send(at_b, Lane::File, b"back".to_vec());
    for n in 0..50_u8 {
        assert_eq!(b.frame().await, (at_b, vec![n; usize::from(n) * 1000]));
    }
    assert_eq!(a.frame().await, (at_a, b"back".to_vec()));

    // What waits is sent before a polite end.
    a.network.send(at_a, Lane::Text, b"last words".to_vec());
    a.network.disconnect(at_a, Duration::from_mins(1));
    assert_eq!(b.frame().await, (at_b, b"last words".to_vec()));
    assert_eq!(b.disconnected().await.0, at_b);
    assert_eq!(a.disconnected().await, (at_a, Ended::ByUs));
    a.network.stop().await;
    b.network.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_word_said_at_once_is_not_lost() {
    let hub = host(30).await;
    let (network, mut events) = (hub.network.clone(), hub.events);
    let greeter = tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            if let Event::Connected { link, .. } = event {
                network.send(link, Lane::Text, b"hello".to_vec());
            }
        }
    });
    for round in 0..40 {
        let mut guest = host(60 + round).await;
        guest.network.dial(hub.target.clone()).await.unwrap();
        assert_eq!(guest.frame().await.1, b"hello");
        guest.network.stop().await;
    }
    hub.network.stop().await;
    greeter.await.unwrap();
}

#[tokio::test]
async fn when_both_dial_exactly_one_link_stays() {
    for round in 0..6 {
        let (mut a, mut b) = (host(10 + round).await, host(110 + round).await);
        let (to_a, to_b) = (a.target.clone(), b.target.clone());
        let bare = Target {
            peer: None,
            ..to_b.clone()
        };
        let (first, second, third) = tokio::join!(
            a.network.dial(to_b),
            b.network.dial(to_a),
            a.network.dial(bare)
        );
        // Whichever of them stays, everyone who asked has reached the other.
        let (me, other) = (a.network.me(), b.network.me());
        assert_eq!((first, second, third), (Ok(other), Ok(me), Ok(other)));
        let (at_a, at_b) = (a.settled(None).await, b.settled(None).await);
        let (at_a, at_b) = (at_a.expect("a lost all"), at_b.expect("b lost all"));
        a.network.send(at_a, Lane::Text, b"to b".to_vec());
        b.network.send(at_b, Lane::Text, b"to a".to_vec());
        assert_eq!(a.frame().await, (at_a, b"to a".to_vec()));
        assert_eq!(b.frame().await, (at_b, b"to b".to_vec()));
        a.network.stop().await;
        b.network.stop().await;
    }
}

#[tokio::test]
async fn a_peer_that_returns_is_dialled_again() {
    let (mut a, mut b) = (host(3).await, host(4).await);
    a.network.dial(b.target.clone()).await.unwrap();
    a.connected().await;
    b.connected().await;
    b.network.stop().await;
    a.disconnected().await;
    let config = Config {
        secret: Zeroizing::new([4; 32]),
        port: None,
        listen: vec![b.target.socket],
        mdns: false,
        settings: Settings::default(),
    };
    let (again, _events) = start(config).await.unwrap();
    a.connected().await;
    a.network.stop().await;
    again.stop().await;
}

#[tokio::test]
async fn one_who_called_is_called_back_where_it_told_that_it_listens() {
    for told in [true, false] {
        let (seed, mut b) = (40 + u8::from(told), host(42).await);
        let mut a = host(seed).await;
        a.network.dial(b.target.clone()).await.unwrap();
        let (at_b, _) = (b.connected().await, a.connected().await);
        if told {
            b.network.told(at_b, Ports::of([a.target.socket]));
            b.reachable().await;
        }
        a.network.stop().await;
        b.disconnected().await;
        let config = Config {
            secret: Zeroizing::new([seed; 32]),
            port: None,
            listen: vec![a.target.socket],
            mdns: false,
            settings: Settings::default(),
        };
        let (again, _events) = start(config).await.unwrap();
        let called = timeout(Duration::from_secs(4), b.connected()).await;
        assert_eq!(called.is_ok(), told);
        again.stop().await;
        b.network.stop().await;
    }
}

#[tokio::test]
async fn one_that_a_member_told_of_is_dialled() {
    let (mut a, b) = (host(50).await, host(51).await);
    a.network.hint(b.target.clone());
    let found_by = a
        .until(|event| match event {
            Event::Connected { found_by, .. } => Some(*found_by),
            _ => None,
        })
        .await;
    assert_eq!(found_by, FoundBy::Member);
    a.network.stop().await;
    b.network.stop().await;
}

#[tokio::test]
async fn a_reader_that_stops_blocks_nobody() {
    let (mut a, mut slow, mut quick) = (host(5).await, host(6).await, host(7).await);
    a.network.dial(slow.target.clone()).await.unwrap();
    let to_slow = a.connected().await;
    a.network.dial(quick.target.clone()).await.unwrap();
    let to_quick = a.connected().await;
    slow.connected().await;
    quick.connected().await;
    // `slow` takes no events from here on, so its frames are never released.
    for _ in 0..200 {
        a.network.send(to_slow, Lane::Text, vec![7; 256 * 1024]);
    }
    a.network.send(to_quick, Lane::Text, b"still here".to_vec());
    assert_eq!(quick.frame().await.1, b"still here");
    assert_eq!(a.disconnected().await, (to_slow, Ended::Overrun));
    a.network.stop().await;
    slow.network.stop().await;
    quick.network.stop().await;
}

#[tokio::test]
async fn failed_dials_say_why() {
    let a = host(8).await;
    let mut nobody = a.target.clone();
    nobody.peer = None;
    let free = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    nobody.socket = free.local_addr().unwrap();
    drop(free);
    assert_eq!(
        a.network.dial(nobody.clone()).await,
        Err(DialError::Refused(nobody))
    );
    let me = Target {
        peer: None,
        ..a.target.clone()
    };
    assert_eq!(
        a.network.dial(me.clone()).await,
        Err(DialError::Ourselves(me))
    );
    let b = host(9).await;
    let wrong = Target {
        peer: Some(PeerId::random()),
        ..b.target.clone()
    };
    assert!(matches!(
        a.network.dial(wrong).await,
        Err(DialError::SomeoneElse { .. })
    ));
    // Something that accepts and says nothing we understand.
    let other = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .unwrap();
    let at = Target {
        socket: other.local_addr().unwrap(),
        peer: None,
    };
    let answer = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt as _;
        let (mut stream, _) = other.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await
    });
    assert!(matches!(
        a.network.dial(at).await,
        Err(DialError::Other { .. })
    ));
    answer.await.unwrap().unwrap();
    a.network.stop().await;
    b.network.stop().await;
}

#[tokio::test]
async fn a_taken_port_is_an_error_when_asked_for() {
    let a = host(20).await;
    let config = |port, listen| Config {
        secret: Zeroizing::new([21; 32]),
        port,
        listen,
        mdns: false,
        settings: Settings::default(),
    };
    let taken = start(config(None, vec![a.target.socket])).await;
    assert!(matches!(taken, Err(NetError::PortTaken(at)) if at == a.target.socket));
    a.network.stop().await;
}

#[test]
fn device_ids_and_peer_ids_are_the_same_key() {
    let key = identity::Keypair::ed25519_from_bytes([9; 32]).unwrap();
    let peer = key.public().to_peer_id();
    let device = device_of(&peer).unwrap();
    assert_eq!(peer_of(&device), Some(peer));
    let other = PeerId::from_multihash(libp2p::multihash::Multihash::wrap(0x12, &[1; 32]).unwrap())
        .unwrap();
    assert_eq!(device_of(&other), None);
}
