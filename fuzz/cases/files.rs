//! Lists of chunks, and chunks, of one who is in and answers for a file as the case says. What is complete is what was
//! announced.

use artel_domain::{Content, FileDigest, limits::CHUNK};
use artel_sync::protocol::{Event, Ledger as _, Output};

use super::{frames::cut, pair::Pair};

/// Version and numbers of the frames.
const LIST: [u8; 2] = [1, 18];
const CHUNK_OF_FILE: [u8; 2] = [1, 20];

/// One case: the first byte says how large the file is that is announced.
pub fn case(bytes: &[u8]) {
    let Some((size, rest)) = bytes.split_first() else {
        return;
    };
    let mut pair = Pair::met();
    let (space, room) = (pair.space, pair.room);
    let content: Vec<u8> = vec![*size; usize::from(*size) * 700];
    let mut digest = FileDigest::new();
    for chunk in content.chunks(CHUNK) {
        digest.chunk(chunk).expect("a chunk");
    }
    let (attachment, list) = digest
        .finish("file.bin", "application/octet-stream")
        .expect("a file");
    let file = attachment.file;
    let message = Content::Text {
        text: String::new(),
        reply_to: None,
        attachments: vec![attachment],
    };
    let ben = &mut pair.ben;
    let sent = ben
        .node
        .send(&mut ben.ledger, pair.now, space, room, message);
    let message = sent.expect("a message").id;
    for _ in 0..4 {
        pair.turn();
    }
    let at_ben = pair.ben.node.device();
    let ann = &mut pair.ann;
    let asked = ann.node.fetch(&mut ann.ledger, pair.now, message, 0);
    asked.expect("a message with a file");
    let part = |frame: [u8; 2]| [&frame[..], message.as_bytes(), &[0]].concat();
    for case in cut(rest) {
        pair.now += 250;
        let frame = match case {
            // The true list, or a piece of it from anywhere.
            [0, from, count, ..] => {
                let hashes = list.concat();
                let taken = hashes.len().min(usize::from(*count) * 32);
                let hashes = postcard::to_stdvec(&hashes[..taken]).expect("bytes");
                [part(LIST), vec![from % 128], hashes].concat()
            }
            [1, from, hashes @ ..] => {
                let hashes = postcard::to_stdvec(hashes).expect("bytes");
                [part(LIST), vec![from % 128], hashes].concat()
            }
            // A true chunk, or none.
            [2, chunk, ..] => {
                let at = usize::from(*chunk) * CHUNK;
                let end = content.len().min(at + CHUNK);
                let bytes = content.get(at..end).unwrap_or_default();
                let bytes = postcard::to_stdvec(bytes).expect("bytes");
                [part(CHUNK_OF_FILE), vec![chunk % 128], bytes].concat()
            }
            [_, chunk, bytes @ ..] => {
                let bytes = postcard::to_stdvec(bytes).expect("bytes");
                [part(CHUNK_OF_FILE), vec![chunk % 128], bytes].concat()
            }
            _ => continue,
        };
        ann.hears(pair.now, at_ben, &frame);
        ann.ticks(pair.now);
        for output in ann.node.take_outputs() {
            let Output::Event(Event::Attachment { have, size, .. }) = output else {
                continue;
            };
            assert!(have <= size);
            if have == size {
                let chunks = 0..u32::try_from(list.len()).expect("a few");
                let here = chunks.flat_map(|number| {
                    let chunk = ann.ledger.chunk(&file, number).expect("a ledger");
                    chunk.expect("a chunk of a whole file")
                });
                assert!(here.eq(content.iter().copied()), "another file");
            }
        }
    }
}
