//! Replaces credentials in texts and JSON values by keyed hashes.

use std::borrow::Cow;

use hmac::{Hmac, Mac};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::blocks;
use crate::names::Names;
use crate::shapes;

/// What stands before a hash.
pub(crate) const MARK: &str = "hmac-sha256:";
const HASH_DIGITS: usize = 16;

/// How often a text is unpacked: percent-encoding and JSON within each other.
const MAX_LEVEL: u8 = 3;

/// Where a text stands; it says which letters end a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A path: a value ends with its segment.
    Path,
    /// Everything else.
    Other,
}

impl Place {
    fn separates(self, letter: char) -> bool {
        matches!(letter, '?' | '#' | '&' | ';' | ',') || (self == Self::Path && letter == '/')
    }

    fn ends_value(self, letter: char) -> bool {
        matches!(letter, '&' | '#') || (self == Self::Path && letter == '/')
    }
}

/// Who wrote a JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Author {
    /// The caller: numbers under the name of a credential are credentials.
    Caller,
    /// The gateway or a token issuer: numbers are counts and times, which replay needs.
    Gateway,
}

/// What became of a text that may be JSON.
pub(crate) enum JsonText {
    /// It is not.
    Not,
    /// It holds no credential.
    Clean,
    /// The text without its credentials.
    Masked(String),
}

/// The keyed hash and the names of credentials.
#[derive(Clone)]
pub(crate) struct Mask {
    mac: Hmac<Sha256>,
    pub(crate) names: Names,
}

impl Mask {
    pub(crate) fn new(key: [u8; 32], names: Names) -> Self {
        // HMAC fills a short key with zeros up to the block (RFC 2104 §2); done here, the constructor cannot fail.
        let mut block = [0u8; 64];
        for (place, byte) in block.iter_mut().zip(key) {
            *place = byte;
        }
        Self {
            mac: <Hmac<Sha256> as Mac>::new(&block.into()),
            names,
        }
    }

    /// The mark of a credential. A mark is left as it is, so that redacting twice changes nothing.
    pub(crate) fn hash(&self, credential: &str) -> String {
        if is_hash(credential) {
            return credential.to_owned();
        }
        self.mark(&Sha256::digest(credential.as_bytes()).into())
    }

    /// The mark of a credential that is known by its SHA-256 alone, as a directory knows it.
    pub(crate) fn mark(&self, sha256: &[u8; 32]) -> String {
        let mut mac = self.mac.clone();
        mac.update(sha256);
        let mut text = String::with_capacity(MARK.len() + HASH_DIGITS);
        text.push_str(MARK);
        for byte in mac.finalize().into_bytes().iter().take(HASH_DIGITS / 2) {
            for nibble in [byte >> 4, byte & 15] {
                text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
            }
        }
        text
    }

    /// The text without its credentials, or nothing when it holds none.
    pub(crate) fn text(&self, text: &str, place: Place) -> Option<String> {
        self.text_at(text, place, 0)
    }

    /// The text with its credential-shaped parts replaced, or nothing when it has none.
    pub(crate) fn shapes(&self, text: &str) -> Option<String> {
        let mut masked = String::new();
        let mut done = 0;
        while let Some(part) = shapes::find(text, done) {
            masked.push_str(text.get(done..part.start)?);
            done = part.end;
            masked.push_str(&self.hash(text.get(part)?));
        }
        if masked.is_empty() {
            return None;
        }
        masked.push_str(text.get(done..)?);
        Some(masked)
    }

    fn text_at(&self, text: &str, place: Place, level: u8) -> Option<String> {
        if may_be_json(text) {
            match self.json_text(text, level) {
                JsonText::Clean => return None,
                JsonText::Masked(masked) => return Some(masked),
                JsonText::Not if self.names.is_mentioned(text) => return Some(self.hash(text)),
                JsonText::Not => {}
            }
        }
        let shaped = self.shapes(text);
        let paired = self.pairs(shaped.as_deref().unwrap_or(text), place, level);
        paired.or(shaped)
    }

    /// Masks the values of `name=value` pairs by their names, and whatever is percent-encoded and would be masked decoded.
    fn pairs(&self, text: &str, place: Place, level: u8) -> Option<String> {
        if !blocks::holds(text.as_bytes(), |byte| matches!(byte, b'=' | b'%')) {
            return None;
        }
        let mut masked = String::with_capacity(text.len() + 32);
        let mut changed = false;
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, _) = split_before(rest, |letter| place.separates(letter));
            let pair = piece.split_once('=');
            let left = match pair {
                Some((name, _)) if self.names_credential(name) => {
                    let after = rest.get(name.len() + 1..)?;
                    let (value, left) = split_before(after, |letter| place.ends_value(letter));
                    changed |= !value.is_empty();
                    masked.push_str(name);
                    masked.push('=');
                    if !value.is_empty() {
                        masked.push_str(&self.hash(&decode(value)));
                    }
                    left
                }
                _ => {
                    changed |= self.piece(piece, pair, place, level, &mut masked);
                    rest.get(piece.len()..)?
                }
            };
            let mut letters = left.chars();
            masked.extend(letters.next());
            rest = letters.as_str();
        }
        changed.then_some(masked)
    }

    /// Whether a name says "credential" however often it is encoded; one that is encoded too often counts as one.
    fn names_credential(&self, name: &str) -> bool {
        let mut name = Cow::Borrowed(name);
        for _ in 0..MAX_LEVEL {
            match decode(&name) {
                Cow::Owned(decoded) => name = Cow::Owned(decoded),
                Cow::Borrowed(_) => return self.names.is_credential(&name),
            }
        }
        matches!(decode(&name), Cow::Owned(_)) || self.names.is_credential(&name)
    }

    /// Appends one piece between separators; says whether it had to be masked.
    fn piece(
        &self,
        piece: &str,
        pair: Option<(&str, &str)>,
        place: Place,
        level: u8,
        masked: &mut String,
    ) -> bool {
        if !self.is_dirty_decoded(piece, place, level) {
            masked.push_str(piece);
            return false;
        }
        match pair {
            Some((name, value)) if !self.is_dirty_decoded(name, place, level) => {
                masked.push_str(name);
                masked.push('=');
                masked.push_str(&self.hash(&decode(value)));
            }
            _ => masked.push_str(&self.hash(&decode(piece))),
        }
        true
    }

    fn is_dirty_decoded(&self, piece: &str, place: Place, level: u8) -> bool {
        // A value that holds JSON is looked at as such even when nothing in it is encoded.
        let holds_json = piece.contains(['{', '[']);
        let Cow::Owned(decoded) = decode(piece) else {
            return holds_json && self.is_dirty_json(piece, level);
        };
        if level >= MAX_LEVEL {
            return self.names.is_mentioned(&decoded) || shapes::find(&decoded, 0).is_some();
        }
        self.text_at(&decoded, place, level + 1).is_some() || self.is_dirty_json(&decoded, level)
    }

    /// Whether the value of a pair is JSON that holds a credential.
    fn is_dirty_json(&self, piece: &str, level: u8) -> bool {
        let value = piece.split_once('=').map_or(piece, |(_, value)| value);
        value.trim_start().starts_with(['{', '['])
            && match self.json_text(value, level) {
                JsonText::Clean => false,
                JsonText::Masked(_) => true,
                JsonText::Not => self.names.is_mentioned(value),
            }
    }

    /// Masks a text that may be JSON; the text stays as it was, to the letter, when nothing in it asks for more.
    pub(crate) fn json_text(&self, text: &str, level: u8) -> JsonText {
        if level >= MAX_LEVEL {
            return JsonText::Not;
        }
        let Ok(mut value) = serde_json::from_str::<Value>(text) else {
            return JsonText::Not;
        };
        let changed = self.json_at(&mut value, Author::Caller, level + 1);
        // Of members with the same name only the last is in `value`: an earlier one may hold what is to be masked.
        let may_hide = || {
            text.contains('\\') || self.names.is_mentioned(text) || shapes::find(text, 0).is_some()
        };
        if changed || may_hide() {
            JsonText::Masked(value.to_string())
        } else {
            JsonText::Clean
        }
    }

    /// Masks a JSON value in place; says whether it changed.
    pub(crate) fn json(&self, value: &mut Value, author: Author) -> bool {
        self.json_at(value, author, 0)
    }

    fn json_at(&self, root: &mut Value, author: Author, level: u8) -> bool {
        let mut changed = false;
        let mut open = vec![(root, false, false)];
        while let Some((value, is_credential, is_count)) = open.pop() {
            match value {
                Value::Null | Value::Bool(_) => {}
                Value::Number(number) => {
                    if is_credential && !is_count && author == Author::Caller {
                        *value = Value::String(self.hash(&number.to_string()));
                        changed = true;
                    }
                }
                Value::String(text) => {
                    let masked = if is_credential {
                        Some(self.hash(text)).filter(|hash| hash != text && !text.is_empty())
                    } else {
                        self.text_at(text, Place::Other, level)
                    };
                    if let Some(masked) = masked {
                        *text = masked;
                        changed = true;
                    }
                }
                Value::Array(items) => {
                    open.extend(items.iter_mut().map(|item| (item, is_credential, is_count)));
                }
                Value::Object(members) => {
                    changed |= self.member_names(members);
                    open.extend(members.iter_mut().map(|(name, member)| {
                        let named = self.names.is_credential(name);
                        (
                            member,
                            is_credential || named,
                            !is_credential && is_token_count(name),
                        )
                    }));
                }
            }
        }
        changed
    }

    /// Masks names of members that are credentials themselves.
    fn member_names(&self, members: &mut Map<String, Value>) -> bool {
        if !members
            .keys()
            .any(|name| self.text(name, Place::Other).is_some())
        {
            return false;
        }
        *members = std::mem::take(members)
            .into_iter()
            .map(|(name, value)| (self.text(&name, Place::Other).unwrap_or(name), value))
            .collect();
        true
    }
}

/// Whether a member of this name counts language-model tokens when its value is a number: `max_tokens`, `inputTokens`. Replay
/// of token limits needs them.
fn is_token_count(name: &str) -> bool {
    name.len() >= 6 && name.to_ascii_lowercase().ends_with("tokens")
}

/// Whether a text begins as JSON that could hold a credential.
fn may_be_json(text: &str) -> bool {
    match text.as_bytes().first() {
        Some(first) if first.is_ascii_graphic() => matches!(first, b'{' | b'['),
        _ => text.trim_start().starts_with(['{', '[']),
    }
}

fn is_hash(text: &str) -> bool {
    text.strip_prefix(MARK).is_some_and(|digits| {
        digits.len() == HASH_DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

fn split_before(text: &str, stops: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(stops).unwrap_or(text.len()))
}

/// Undoes percent-encoding and `+` for space, once; what is not UTF-8 then becomes U+FFFD.
pub(crate) fn decode(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        let byte = match (first, tail) {
            (b'+', _) => b' ',
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    rest = after;
                    high << 4 | low
                }
                _ => b'%',
            },
            _ => first,
        };
        bytes.push(byte);
    }
    match String::from_utf8(bytes) {
        Ok(decoded) if decoded == text => Cow::Borrowed(text),
        Ok(decoded) => Cow::Owned(decoded),
        Err(error) => Cow::Owned(String::from_utf8_lossy(error.as_bytes()).into_owned()),
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
#[path = "mask_tests.rs"]
mod tests;
