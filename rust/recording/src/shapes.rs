//! Finds credentials by their shape, whatever the name of the field they sit in.

use std::ops::Range;

/// Prefixes of well-known keys with the least number of letters that must follow. All are matched at the start of a word only.
const KEYS: [(&str, usize); 14] = [
    ("lg_", 8),
    ("sk-", 16),
    ("sk_", 16),
    ("rk_", 16),
    ("pk-lf-", 16),
    ("AKIA", 16),
    ("ASIA", 16),
    ("AIza", 30),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghs_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("xox", 16),
];

/// A letter or digit: no word begins after it.
const WITHIN_WORD: u8 = 1;
/// A shape can begin with it at the start of a word.
const BEGINS_WORD: u8 = 2;
/// A shape can begin with it, or around it, anywhere.
const BEGINS: u8 = 4;

/// What each byte is; it alone settles nearly all bytes of a text.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::indexing_slicing, reason = "a constant: it would not compile")]
        {
            classes[byte] = class(byte as u8);
        }
        byte += 1;
    }
    classes
};

const fn class(byte: u8) -> u8 {
    match byte {
        b'-' | b':' => BEGINS,
        b'e' | b'l' | b's' | b'r' | b'p' | b'A' | b'g' | b'x' | b'b' | b'B' => {
            WITHIN_WORD | BEGINS_WORD
        }
        _ if byte.is_ascii_alphanumeric() => WITHIN_WORD,
        _ => 0,
    }
}

/// The next index, at or after `at`, where a shape can begin.
fn next_beginning(bytes: &[u8], at: usize) -> Option<usize> {
    let class = |byte: &u8| CLASSES.get(usize::from(*byte)).copied().unwrap_or(BEGINS);
    let before = at.checked_sub(1).and_then(|before| bytes.get(before));
    let mut before = before.map_or(0, class);
    let rest = bytes.get(at..)?;
    let next = rest.iter().position(|byte| {
        let this = class(byte);
        let begins = this & BEGINS != 0 || (this & BEGINS_WORD != 0 && before & WITHIN_WORD == 0);
        before = this;
        begins
    })?;
    Some(at + next)
}

const SCHEME: &str = "bearer ";
const PEM_BEGIN: &str = "-----BEGIN ";
const PEM_END: &str = "-----END ";
const PEM_PRIVATE: &str = "PRIVATE KEY-----";

/// The first credential-shaped part of `text` at or after `from`, as a range of bytes on character boundaries.
///
/// Shapes: JSON Web Tokens (RFC 7519), keys with a known prefix, `Bearer` credentials, PEM private keys (RFC 7468), and the
/// user information of a URL (RFC 3986 §3.2.1). Linear in the text.
pub(crate) fn find(text: &str, from: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let mut at = from;
    // Within this index no token starts: the run of letters up to it has too few dots, and so has each part of it.
    let mut no_token_before = from;
    while let Some(next) = next_beginning(bytes, at) {
        at = next;
        let byte = bytes.get(at).copied()?;
        let found = match byte {
            b'e' if at >= no_token_before => {
                let (end, found) = jwt(bytes, at);
                no_token_before = end;
                found
            }
            b'l' | b's' | b'r' | b'p' | b'A' | b'g' | b'x' => key(bytes, at),
            b'b' | b'B' => bearer(bytes, at),
            b'-' => {
                at = skip(bytes, at, |byte| byte == b'-') - 1;
                (at + 1)
                    .checked_sub(5)
                    .filter(|start| *start >= from)
                    .and_then(|start| pem(text, start))
            }
            b':' => user_information(bytes, at),
            _ => None,
        };
        if found.is_some() {
            return found;
        }
        at += 1;
    }
    None
}

/// The index after the run of bytes that satisfy `wanted`, starting at `at`.
fn skip(bytes: &[u8], at: usize, wanted: impl Fn(u8) -> bool) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| wanted(**byte)).count()
}

fn starts_with(bytes: &[u8], at: usize, prefix: &str) -> bool {
    bytes
        .get(at..)
        .is_some_and(|rest| rest.starts_with(prefix.as_bytes()))
}

fn is_key_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// Base64url of `{"` starts with `eyJ`; a dot separates the parts.
fn jwt(bytes: &[u8], at: usize) -> (usize, Option<Range<usize>>) {
    if !starts_with(bytes, at, "eyJ") {
        return (at, None);
    }
    let end = skip(bytes, at, |byte| {
        is_key_letter(byte) || matches!(byte, b'.' | b'=')
    });
    let run = bytes.get(at..end).unwrap_or_default();
    let dots = run.iter().filter(|byte| **byte == b'.').count();
    let is_token = dots >= 2 || (dots == 1 && run.len() >= 24);
    (end, is_token.then_some(at..end))
}

fn key(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let first = bytes.get(at)?;
    let (prefix, least) = KEYS.iter().find(|(prefix, _)| {
        prefix.as_bytes().first() == Some(first) && starts_with(bytes, at, prefix)
    })?;
    let end = skip(bytes, at, is_key_letter);
    (end - at >= prefix.len() + least).then_some(at..end)
}

fn bearer(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let word = bytes.get(at..at + SCHEME.len())?;
    if !word.eq_ignore_ascii_case(SCHEME.as_bytes()) {
        return None;
    }
    let start = skip(bytes, at + SCHEME.len(), |byte| byte == b' ');
    // The alphabet of `token68` (RFC 9110 §11.2).
    let end = skip(bytes, start, |byte| {
        is_key_letter(byte) || matches!(byte, b'.' | b'~' | b'+' | b'/' | b'=')
    });
    (end - start >= 16).then_some(start..end)
}

fn pem(text: &str, at: usize) -> Option<Range<usize>> {
    let rest = text.get(at..)?;
    if !rest.starts_with(PEM_BEGIN) {
        return None;
    }
    // The label stands on the line of the marker: looking further would make many markers quadratic.
    let label = rest.get(PEM_BEGIN.len()..)?;
    let label_end = label.bytes().take(80).position(|byte| byte == b'-')?;
    if !label.get(..label_end + 5)?.ends_with(PEM_PRIVATE) {
        return None;
    }
    let end = label
        .find(PEM_END)
        .and_then(|end| {
            let marker = label.get(end..)?;
            let close = marker.get(PEM_END.len()..)?.find("-----")?;
            Some(at + PEM_BEGIN.len() + end + PEM_END.len() + close + 5)
        })
        .unwrap_or(text.len());
    Some(at..end)
}

fn user_information(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    if !starts_with(bytes, at, "://") {
        return None;
    }
    let start = at + 3;
    let end = skip(bytes, start, |byte| {
        !matches!(byte, b'/' | b'?' | b'#' | b' ' | b'"' | b'\'' | b'<' | b'>')
            && byte.is_ascii_graphic()
    });
    let authority = bytes.get(start..end)?;
    let host = authority.iter().rposition(|byte| *byte == b'@')?;
    let colon = authority.iter().position(|byte| *byte == b':')?;
    (colon + 1 < host).then_some(start + colon + 1..start + host)
}

#[cfg(test)]
#[path = "shapes_tests.rs"]
mod tests;
