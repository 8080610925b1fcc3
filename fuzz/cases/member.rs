//! Frames of one who is in: two nodes meet and one joins the other's space; then the frames of the case come over their
//! link, as made up as they are or as changes of what the joiner really sent. Nothing is shown in another's name.

use artel_sync::protocol::{Event, Output};

use super::{frames::cut, pair::Pair};

/// One case.
pub fn case(bytes: &[u8]) {
    let Pair {
        mut ann,
        ben,
        mut now,
        said,
        ..
    } = Pair::met();
    let at_ben = ben.node.device();
    for case in cut(bytes) {
        now += 250;
        match case {
            // What Ben once sent, with some bytes changed: index, then pairs of place and byte.
            [0, index, changes @ ..] if !said.is_empty() => {
                let mut frame = said[usize::from(*index) % said.len()].clone();
                for change in changes.chunks_exact(3) {
                    let place = usize::from(change[0]) * 256 + usize::from(change[1]);
                    let place = place % frame.len().max(1);
                    if let Some(byte) = frame.get_mut(place) {
                        *byte = change[2];
                    }
                }
                ann.hears(now, at_ben, &frame);
            }
            made_up => ann.hears(now, at_ben, made_up),
        }
        ann.ticks(now);
        for output in ann.node.take_outputs() {
            if let Output::Event(Event::Shown(shown)) = output {
                assert_ne!(shown.author, ann.node.member(), "in Ann's name: {shown:?}");
            }
        }
    }
}
