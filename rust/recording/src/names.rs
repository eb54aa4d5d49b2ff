//! Which names of fields, parameters and members say that their value is a credential.

use std::collections::HashSet;

/// Parts of names, in lower case and without punctuation.
const PARTS: [&str; 13] = [
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "apikey",
    "accesskey",
    "privatekey",
    "credential",
    "authorization",
    "signature",
    "session",
];

/// Whole names, in the same form.
const WHOLE: [&str; 5] = ["cookie", "setcookie", "pwd", "jwt", "auth"];

/// The longest name that is looked at letter by letter; longer ones count as credentials, to be safe.
const MAX_NAME_BYTES: usize = 256;

/// The names that say "credential": the built-in ones and those configured.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    extra: HashSet<Box<str>>,
}

impl Names {
    /// Adds names to the built-in ones; case and punctuation do not count.
    pub(crate) fn new<I: IntoIterator<Item: AsRef<str>>>(extra: I) -> Self {
        let extra = extra
            .into_iter()
            .map(|name| plain(name.as_ref()))
            .filter(|name: &String| !name.is_empty())
            .map(Box::from)
            .collect();
        Self { extra }
    }

    /// Whether the value of a field of this name is a credential. `API-Key`, `api_key` and `apiKey` are one name.
    pub(crate) fn is_credential(&self, name: &str) -> bool {
        if name.len() > MAX_NAME_BYTES {
            return true;
        }
        let mut buffer = [0u8; MAX_NAME_BYTES];
        let mut length = 0;
        for (byte, place) in name.bytes().filter(|byte| keeps(*byte)).zip(&mut buffer) {
            *place = byte.to_ascii_lowercase();
            length += 1;
        }
        let Some(plain) = buffer.get(..length) else {
            return true;
        };
        WHOLE.iter().any(|whole| whole.as_bytes() == plain)
            || contains_part(plain)
            || str::from_utf8(plain).is_ok_and(|plain| self.extra.contains(plain))
    }

    /// Whether a text speaks of a credential anywhere, so that it cannot be kept when its structure is unknown.
    pub(crate) fn is_mentioned(&self, text: &str) -> bool {
        let plain = plain(text);
        contains_part(plain.as_bytes())
            || self.extra.iter().any(|name| plain.contains(name.as_ref()))
    }
}

/// Letters, digits and everything beyond ASCII count; punctuation and space do not.
fn keeps(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii()
}

fn plain(name: &str) -> String {
    name.chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || !letter.is_ascii())
        .map(|letter| letter.to_ascii_lowercase())
        .collect()
}

fn contains_part(plain: &[u8]) -> bool {
    plain.iter().enumerate().any(|(at, first)| {
        matches!(first, b't' | b's' | b'p' | b'a' | b'c')
            && plain
                .get(at..)
                .is_some_and(|rest| PARTS.iter().any(|part| rest.starts_with(part.as_bytes())))
    })
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
