//! Excerpts of flagged values that are safe to record.

const EXCERPT_CHARS: usize = 40;
const NAME_CHARS: usize = 64;
/// A run of letters and digits this long may be part of a secret; words of attacks are shorter.
const WORD_CHARS: usize = 12;
const MASK: &str = "***";
const SECRET_NAMES: [&str; 9] = [
    "pass",
    "secret",
    "token",
    "auth",
    "key",
    "cookie",
    "session",
    "credential",
    "pin",
];

/// A field's name without control characters.
pub(super) fn printable_name(name: &str) -> String {
    name.chars().take(NAME_CHARS).map(printable).collect()
}

/// The value from `at` on, masked: in a field with the name of a secret entirely, elsewhere every long word and every
/// word of more than five characters with a digit in it.
pub(super) fn excerpt(name: &str, value: &[u8], at: usize) -> String {
    let name = name.to_ascii_lowercase();
    if SECRET_NAMES.iter().any(|each| name.contains(each)) {
        return MASK.to_owned();
    }
    let from = value.get(at..).unwrap_or_default();
    // A window of whole words: the cut must not shorten a long word to one that passes for harmless.
    let window = from.get(..8 * EXCERPT_CHARS).unwrap_or(from);
    let text = String::from_utf8_lossy(window);
    let mut shown = String::new();
    for part in text.split_inclusive(|each: char| !each.is_alphanumeric()) {
        let word = part.trim_end_matches(|each: char| !each.is_alphanumeric());
        let behind = part.get(word.len()..).unwrap_or_default();
        shown.push_str(if is_maskable(word) { MASK } else { word });
        shown.extend(behind.chars().map(printable));
        if shown.chars().count() >= EXCERPT_CHARS {
            break;
        }
    }
    shown.chars().take(EXCERPT_CHARS).collect()
}

fn is_maskable(word: &str) -> bool {
    let length = word.chars().count();
    length > WORD_CHARS || length > 5 && word.chars().any(|each| each.is_ascii_digit())
}

fn printable(each: char) -> char {
    // Bidirectional controls could make a log line read differently than it is.
    let hidden = each.is_control()
        || matches!(each, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if hidden { '·' } else { each }
}

#[cfg(test)]
mod tests {
    use super::excerpt;

    #[test]
    fn an_excerpt_shows_the_attack_and_masks_what_may_be_a_secret() {
        assert_eq!(excerpt("q", b"x' OR 1=1 --", 1), "' OR 1=1 --");
        assert_eq!(
            excerpt("q", b"' OR pw='hunter2x' AND k='AKIAIOSFODNN7EXAMPLE'", 0),
            "' OR pw='***' AND k='***'"
        );
        assert_eq!(excerpt("user_password", b"' OR 1=1", 0), "***");
        assert_eq!(excerpt("q", "a\u{202e}\n\u{0}b".as_bytes(), 0), "a···b");
        assert!(excerpt("q", &[b'\''; 5000], 0).chars().count() <= 40);
        assert_eq!(excerpt("q", b"abc", 99), "");
    }
}
