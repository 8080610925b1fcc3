//! Names on one line.

use std::fmt::Display;

/// Names that are said of many.
const SAID: usize = 3;

/// The first names, and how many more there are: `A, B, C and 5 more`.
pub(crate) fn of(names: &[impl Display]) -> String {
    let said: Vec<_> = names.iter().take(SAID).map(ToString::to_string).collect();
    let said = said.join(", ");
    match names.len().saturating_sub(SAID) {
        0 => said,
        more => format!("{said} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_does_not_grow_with_the_number_of_names() {
        let cases: [(&[&str], &str); 5] = [
            (&[], ""),
            (&["Фото"], "Фото"),
            (&["a", "b", "c"], "a, b, c"),
            (&["a", "b", "c", "d"], "a, b, c and 1 more"),
            (&["x"; 1_000], "x, x, x and 997 more"),
        ];
        for (names, title) in cases {
            assert_eq!(of(names), title);
        }
    }
}
