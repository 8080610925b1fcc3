//! Profile names and the folders they live in.

use crate::StoreError;

/// Longest profile name in characters.
const MAX_NAME: usize = 64;

/// Characters of the name that are kept in the folder's name, so that a person recognises it.
const MAX_READABLE: usize = 24;

/// The name without surrounding blanks, or why it cannot be used.
pub(crate) fn checked_name(name: &str) -> Result<&str, StoreError> {
    let trimmed = name.trim();
    let bad = |reason| {
        Err(StoreError::BadName {
            name: name.escape_debug().to_string(),
            reason,
        })
    };
    if trimmed.is_empty() {
        return bad("it is empty");
    }
    if trimmed.chars().count() > MAX_NAME {
        return bad("it is longer than 64 characters");
    }
    if trimmed.chars().any(|c| c.is_control() || is_invisible(c)) {
        return bad("it has control or invisible characters");
    }
    Ok(trimmed)
}

/// Characters that change the direction of text or take no room: two names could look the same.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

/// Folder of a profile: what is readable of its name, and a hash of it, so that names that differ
/// only by case, blanks or punctuation stay apart on any file system.
pub(crate) fn folder_name(name: &str) -> String {
    let readable: String = name
        .chars()
        .map(|c| if c.is_alphanumeric() { c } else { '-' })
        .take(MAX_READABLE)
        .collect();
    let hash = blake3::hash(name.as_bytes()).to_hex();
    let hash: String = hash.chars().take(12).collect();
    format!("{}-{hash}", readable.trim_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_safe_folders() {
        for name in [
            "Anna",
            "Марія Коваленко",
            "../../etc/passwd",
            "CON",
            "a/b\\c:d",
            "日本",
            "--",
            "😀",
        ] {
            let folder = folder_name(checked_name(name).unwrap());
            assert!(
                folder.chars().all(|c| c.is_alphanumeric() || c == '-'),
                "{name} became {folder}"
            );
            assert!(
                folder.len() <= 255 - 32,
                "{folder} is too long for a file system"
            );
        }
        assert_ne!(
            folder_name("Anna").to_lowercase(),
            folder_name("anna").to_lowercase()
        );
        assert_ne!(folder_name("a b"), folder_name("a-b"));
    }

    #[test]
    fn bad_names_say_why() {
        for name in ["", "   ", "a\nb", "\u{202E}evil", &"x".repeat(65)] {
            assert!(
                matches!(checked_name(name), Err(StoreError::BadName { .. })),
                "{name:?} was taken"
            );
        }
        assert_eq!(checked_name("  Олена ").unwrap(), "Олена");
    }
}
