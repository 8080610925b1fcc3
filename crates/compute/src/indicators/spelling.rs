//! Names close to one that is not there.

/// At most three of `names` that are close to `word`, closest first: equal but for case, or
/// containing it, or few letters away.
pub fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let word = word.to_lowercase();
    let limit = (word.chars().count() / 3).clamp(1, 3);
    let mut close: Vec<(usize, &str)> = names
        .into_iter()
        .filter_map(|name| {
            let lower = name.to_lowercase();
            let distance = distance(&word, &lower);
            let contains = !word.is_empty()
                && (lower.contains(&word) || !lower.is_empty() && word.contains(&lower));
            (distance <= limit || contains).then_some((distance, name))
        })
        .collect();
    close.sort_unstable();
    close.into_iter().take(3).map(|(_, name)| name).collect()
}

/// Levenshtein distance of two words, in letters. Words over 64 letters are far from all.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(65).collect();
    if other.len() > 64 || one.chars().count() > 64 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, letter) in one.chars().enumerate() {
        let mut diagonal = above;
        let mut left = above + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, &target) in row.iter_mut().skip(1).zip(&other) {
            let swap = diagonal + usize::from(letter != target);
            diagonal = *cell;
            left = swap.min(left + 1).min(diagonal + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_names_are_found() {
        let names = ["GOOG", "EURUSD", "BTCUSD", "BTCUSDT", "Сбербанк"];
        assert_eq!(nearest("goog", names), ["GOOG"]);
        assert_eq!(nearest("BTCUSB", names), ["BTCUSD", "BTCUSDT"]);
        assert_eq!(nearest("btc", names), ["BTCUSD", "BTCUSDT"]);
        assert_eq!(nearest("Сбербанг", names), ["Сбербанк"]);
        assert!(nearest("TSLA", names).is_empty());
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
