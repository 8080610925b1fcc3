//! Cuts the bytes of one case into frames.

/// A length of one or two bytes goes before each frame, as far as the bytes reach.
pub fn cut(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (head, rest) = bytes.split_first()?;
        let (length, rest) = if *head < 200 {
            (usize::from(*head), rest)
        } else {
            let (low, rest) = rest.split_first()?;
            (usize::from(head - 200) * 256 + usize::from(*low), rest)
        };
        let (frame, rest) = rest.split_at(length.min(rest.len()));
        bytes = rest;
        Some(frame)
    })
}
