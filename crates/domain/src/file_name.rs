//! Names that are safe to write to a disk.

/// Longest name in bytes, so that a suffix still fits into the 255 of common file systems.
const LONGEST: usize = 200;
/// What a name becomes when nothing of it is left.
const NAMELESS: &str = "file";
/// Names that Windows keeps for devices, whatever follows the first dot.
const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];

/// Makes a file name from outside safe on Unix, Windows and macOS: the last part of any path, no control, invisible
/// or text-direction characters, none that a file system forbids, no device name, no leading or trailing dots and
/// spaces, and at most 200 bytes with the extension kept. The result is never empty and is its own safe name.
pub fn sanitize(name: &str) -> String {
    let last = name
        .rsplit(['/', '\\'])
        .find(|part| !part.chars().all(|c| c == '.' || c.is_whitespace()));
    let cleaned: String = last
        .unwrap_or_default()
        .chars()
        .filter(|c| !is_invisible(*c))
        .map(|c| {
            if matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*') {
                '_'
            } else {
                c
            }
        })
        .collect();
    let cleaned = shorten(trim(&cleaned));
    let cleaned = trim(&cleaned);
    if cleaned.is_empty() {
        return NAMELESS.to_owned();
    }
    if is_device(cleaned) {
        format!("_{cleaned}")
    } else {
        cleaned.to_owned()
    }
}

fn trim(name: &str) -> &str {
    name.trim_matches(|c: char| c == '.' || c.is_whitespace())
}

/// Control characters, text-direction overrides, joiners and other marks that hide what a name is.
pub(crate) fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffd}' | '\u{e0000}'..='\u{e007f}'
        )
}

fn is_device(name: &str) -> bool {
    let stem = name
        .split('.')
        .next()
        .unwrap_or(name)
        .trim_end()
        .to_uppercase();
    let numbered = |prefix: &str| {
        stem.strip_prefix(prefix).is_some_and(|n| {
            let mut digits = n.chars();
            matches!(
                (digits.next(), digits.next()),
                (Some('0'..='9' | '¹' | '²' | '³'), None)
            )
        })
    };
    DEVICES.contains(&stem.as_str()) || numbered("COM") || numbered("LPT")
}

/// Cuts the stem so that stem and extension have at most [`LONGEST`] bytes. An extension is at most 20 bytes.
fn shorten(name: &str) -> String {
    if name.len() <= LONGEST {
        return name.to_owned();
    }
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if !extension.is_empty() && extension.len() <= 20 => {
            (stem, Some(extension))
        }
        _ => (name, None),
    };
    let room = LONGEST - extension.map_or(0, |e| e.len() + 1);
    let cut = stem.floor_char_boundary(room);
    let stem = stem
        .get(..cut)
        .unwrap_or_default()
        .trim_end_matches(|c: char| c == '.' || c.is_whitespace());
    match extension {
        Some(extension) => format!("{stem}.{extension}"),
        None => stem.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn safe_names() {
        for (given, safe) in [
            ("photo.jpg", "photo.jpg"),
            ("звіт за 3 кв.csv", "звіт за 3 кв.csv"),
            ("../../x", "x"),
            ("..\\..\\evil.exe", "evil.exe"),
            ("/etc/passwd", "passwd"),
            ("C:\\Windows\\win.ini", "win.ini"),
            ("C:evil", "C_evil"),
            ("CON", "_CON"),
            ("con.txt", "_con.txt"),
            ("nul .txt", "_nul .txt"),
            ("LPT1.doc", "_LPT1.doc"),
            ("COM²", "_COM²"),
            ("COMPUTER.txt", "COMPUTER.txt"),
            ("photo\u{202e}gpj.exe", "photogpj.exe"),
            ("a\0b\nc\u{7f}", "abc"),
            ("what?.txt", "what_.txt"),
            (" .hidden. ", "hidden"),
            ("dir/", "dir"),
            ("", "file"),
            ("..", "file"),
            ("///", "file"),
            ("\u{200b}", "file"),
        ] {
            assert_eq!(sanitize(given), safe, "{given:?}");
        }
    }

    #[test]
    fn long_names_keep_their_extension() {
        let safe = sanitize(&format!("{}.jpeg", "ї".repeat(300)));
        assert!(safe.len() <= LONGEST && safe.ends_with("її.jpeg"), "{safe}");
        assert_eq!(sanitize(&"n".repeat(500)).len(), LONGEST);
    }

    proptest! {
        #[test]
        fn always_safe(name: String) {
            let safe = sanitize(&name);
            prop_assert!(!safe.is_empty() && safe.len() <= LONGEST + 1);
            prop_assert!(!safe.contains(['/', '\\', '\0', ':']));
            prop_assert!(!safe.starts_with('.') && !safe.ends_with(['.', ' ']));
            prop_assert!(!is_device(&safe));
            prop_assert_eq!(sanitize(&safe), safe);
        }
    }
}
