//! Texts in the form in which they are kept, and in the form in which they are compared.

/// Drops control characters, makes every run of white space one space, and trims.
pub fn text(raw: &str) -> String {
    let mut kept = String::with_capacity(raw.len());
    let mut gap = false;
    for character in raw.chars() {
        if character.is_whitespace() {
            gap = true;
        } else if !character.is_control() && character != '\u{feff}' {
            if gap && !kept.is_empty() {
                kept.push(' ');
            }
            gap = false;
            kept.push(character);
        }
    }
    kept
}

/// Form for comparing: as [`text`], in small letters, with `ё` as `е`.
pub fn key(raw: &str) -> String {
    text(raw)
        .chars()
        .flat_map(char::to_lowercase)
        .map(|character| if character == 'ё' { 'е' } else { character })
        .collect()
}

/// Form for comparing lists such as `чёрный; белый`, in which the order means nothing.
pub fn list_key(raw: &str) -> String {
    let whole = key(raw);
    if !whole.contains([';', ',']) {
        return whole;
    }
    let mut parts: Vec<_> = whole
        .split([';', ','])
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    parts.sort_unstable();
    parts.dedup();
    parts.join(";")
}

/// A number of pieces: digits, perhaps with spaces between thousands or a fraction of zeros. With a comma or a point before
/// three digits it may be thousands or a fraction, and is not taken.
/// Below zero counts as none. `None` where it is not a number; an empty text is not one either.
pub fn pieces(raw: &str) -> Option<u64> {
    let compact: String = raw.chars().filter(|c| !c.is_whitespace()).collect();
    let (digits, negative) = match compact.strip_prefix(['-', '−']) {
        Some(digits) => (digits, true),
        None => (compact.as_str(), false),
    };
    let whole = match digits.split_once(['.', ',']) {
        // Three zeros may be thousands.
        Some((whole, fraction))
            if fraction.bytes().all(|byte| byte == b'0') && fraction.len() != 3 =>
        {
            whole
        }
        Some(_) => return None,
        None => digits,
    };
    if whole.is_empty() || !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = whole.parse().ok()?;
    Some(if negative { 0 } else { count })
}

/// A size as it is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Size {
    /// Not given.
    Unknown,
    /// A number, in hundredths.
    Number(i32),
    /// Place in the list of letter sizes.
    Letters(i32),
    /// Anything else, compared as a text.
    Other(String),
}

/// Largest number that is taken for a size.
const MAX_SIZE: i32 = 10_000;

impl Size {
    /// Reads a size; `letters` are the letter sizes from small to large.
    pub fn parse(raw: &str, letters: &[String]) -> Self {
        let text = key(raw);
        if text.is_empty() {
            return Self::Unknown;
        }
        if let Some(hundredths) = hundredths(&text) {
            return Self::Number(hundredths);
        }
        let canonical = letter_size(&text);
        match letters.iter().position(|known| key(known) == canonical) {
            Some(place) => Self::Letters(i32::try_from(place).unwrap_or(i32::MAX)),
            None => Self::Other(list_key(raw)),
        }
    }
}

fn hundredths(text: &str) -> Option<i32> {
    let (whole, fraction) = text.split_once(['.', ',']).unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 2 {
        return None;
    }
    let whole: i32 = whole.parse().ok().filter(|whole| *whole <= MAX_SIZE)?;
    let scale = if fraction.len() == 1 { 10 } else { 1 };
    Some(whole * 100 + fraction.parse::<i32>().ok()? * scale)
}

/// `xxl` as `2xl`; Cyrillic letters that look the same as their Latin twins.
fn letter_size(text: &str) -> String {
    let latin: String = text
        .chars()
        .map(|character| match character {
            'х' => 'x',
            'с' => 's',
            'м' => 'm',
            other => other,
        })
        .collect();
    let crosses = latin
        .chars()
        .take_while(|character| *character == 'x')
        .count();
    match latin.get(crosses..) {
        Some(rest) if crosses >= 2 => format!("{crosses}x{rest}"),
        _ => latin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_keys() {
        assert_eq!(
            text("\u{feff} Кожа \u{a0}\r\n натуральная\u{7} "),
            "Кожа натуральная"
        );
        assert_eq!(key(" ЧЁРНЫЙ "), "черный");
        assert_eq!(list_key("Чёрный; Белый"), list_key("белый,черный;"));
        assert_ne!(list_key("чёрный"), list_key("белый"));
    }

    #[test]
    fn numbers_of_pieces() {
        let check = |raw, expected| assert_eq!(pieces(raw), expected, "{raw:?}");
        check("5", Some(5));
        check("1 234", Some(1_234));
        check("5,00", Some(5));
        check("5.0", Some(5));
        for thousands_or_part in ["1,234", "1.234", "1.000", "5,7"] {
            check(thousands_or_part, None);
        }
        check("-3", Some(0));
        check("", None);
        check("много", None);
        check("1e5", None);
        check("99999999999999999999999", None);
        check(".5", None);
    }

    #[test]
    fn sizes() {
        let letters: Vec<String> = ["S", "M", "XL", "2XL", "3XL"].map(String::from).to_vec();
        let check = |raw, expected| assert_eq!(Size::parse(raw, &letters), expected, "{raw:?}");
        check("", Size::Unknown);
        check("42", Size::Number(4_200));
        check(" 42,5", Size::Number(4_250));
        check("42.25", Size::Number(4_225));
        check("xl", Size::Letters(2));
        check("XXL", Size::Letters(3));
        check("ХХХL", Size::Letters(4));
        check("42-43", Size::Other("42-43".to_owned()));
        check("99999999999", Size::Other("99999999999".to_owned()));
    }
}
