//! Takes the credentials out of an event before it is written.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::event::Event;
use crate::headers::Headers;
use crate::mask::{Author, JsonText, Mask, Place, decode};
use crate::names::Names;
use crate::text::{Text, Word};

/// Authentication schemes that may stay readable: the register of RFC 9110 §16.4.1 and others in use. A word that is not among
/// them may be the credential itself.
const SCHEMES: [&str; 20] = [
    "basic",
    "bearer",
    "concealed",
    "digest",
    "dpop",
    "gnap",
    "hoba",
    "mutual",
    "negotiate",
    "oauth",
    "privatetoken",
    "scram-sha-1",
    "scram-sha-256",
    "vapid",
    "aws4-hmac-sha256",
    "apikey",
    "token",
    "ntlm",
    "hawk",
    "signature",
];

/// Attributes of `Set-Cookie` (RFC 6265bis §5.7) that may stay readable.
const COOKIE_ATTRIBUTES: [&str; 8] = [
    "path",
    "domain",
    "max-age",
    "expires",
    "secure",
    "httponly",
    "samesite",
    "partitioned",
];

/// Replaces credentials by marks, `hmac-sha256:<16 hex>`, a hash under a key: the same credential gives the same mark, so calls can
/// be told apart and replayed, and the credential cannot be found from it. What is hashed is the SHA-256 of the credential, which is
/// what directories hold: whoever has the directory and the key can tell whose calls they are, and nobody else.
///
/// What counts as a credential: values of fields, query parameters, cookies and members of JSON or form bodies whose name says
/// so, and anything that looks like a token or key wherever it stands. A body that is neither JSON nor a form, and that
/// mentions a credential, is dropped and counted. Of what is said to a model and by it, personal data is taken out as well.
pub struct Redactor {
    mask: Mask,
    bodies_dropped: AtomicU64,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Redactor")
            .field("bodies_dropped", &self.bodies_dropped())
            .finish_non_exhaustive()
    }
}

impl Redactor {
    /// A redactor with a 32-byte key and names, besides the built-in ones, whose values are credentials. Case and punctuation of
    /// names do not count.
    pub fn new<I: IntoIterator<Item: AsRef<str>>>(key: [u8; 32], names: I) -> Self {
        Self {
            mask: Mask::new(key, Names::new(names)),
            bodies_dropped: AtomicU64::new(0),
        }
    }

    /// How many bodies were not kept because they could not be redacted.
    #[must_use]
    pub fn bodies_dropped(&self) -> u64 {
        self.bodies_dropped.load(Ordering::Relaxed)
    }

    /// The keyed hash that stands for a credential in events: how to find the calls of a known credential.
    #[must_use]
    pub fn hash(&self, credential: &str) -> String {
        self.mask.hash(credential)
    }

    /// The mark of a credential that is known by its SHA-256 alone.
    #[must_use]
    pub fn mark(&self, sha256: &[u8; 32]) -> String {
        self.mask.mark(sha256)
    }

    /// A path, or a URL without its query, without credentials; nothing when it holds none.
    #[must_use]
    pub fn path(&self, path: &str) -> Option<String> {
        self.mask.text(path, Place::Path)
    }

    /// Takes the credentials out of an event.
    pub fn redact(&self, event: &mut Event) {
        // The body first: its media type is in the headers.
        self.body(event);
        self.headers(&mut event.headers);
        if let Some(path) = self.mask.text(&event.path, Place::Path) {
            event.path = path.into();
        }
        if let Some(query) = &mut event.query {
            replace(query, self.mask.text(query, Place::Other));
        }
        for text in [&mut event.id, &mut event.host] {
            replace(text, self.mask.text(text, Place::Other));
        }
        for text in [&mut event.subject, &mut event.trace_id]
            .into_iter()
            .flatten()
        {
            replace(text, self.mask.text(text, Place::Other));
        }
        if let Word::Owned(method) = &mut event.method
            && let Some(masked) = self.mask.shapes(method)
        {
            *method = masked;
        }
        if let Some(prompt) = &mut event.prompt {
            if let Some(model) = &mut prompt.model {
                replace(model, self.mask.text(model, Place::Other));
            }
            if let Some(words) = &mut prompt.words {
                words.mask(&self.mask);
            }
        }
        if let Some(answer) = &mut event.answer {
            answer.mask(&self.mask);
        }
        for value in event.claims.iter_mut().chain(&mut event.facts) {
            self.mask.json(Arc::make_mut(value), Author::Gateway);
        }
    }

    fn headers(&self, headers: &mut Headers) {
        let bytes = headers
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum::<usize>();
        let mut redacted = Headers::with_capacity(headers.len(), bytes + 128);
        for (name, value) in headers.iter() {
            let masked_name = self.mask.shapes(name);
            let name = masked_name.as_deref().unwrap_or(name);
            match self.header(name, value) {
                Some(masked) => redacted.push(name, &masked),
                None => redacted.push(name, value),
            }
        }
        *headers = redacted;
    }

    /// The value to write instead, when it is not to be written as it is.
    fn header(&self, name: &str, value: &str) -> Option<String> {
        if value.is_empty() {
            return None;
        }
        if name.eq_ignore_ascii_case("cookie") {
            return Some(self.cookies(value));
        }
        if name.eq_ignore_ascii_case("set-cookie") {
            return Some(self.set_cookie(value));
        }
        if self.mask.names.is_credential(name) {
            let masked = if ends_with_ignoring_case(name, "authorization") {
                self.authorization(value)
            } else {
                self.mask.hash(value)
            };
            return Some(masked);
        }
        self.mask.text(value, Place::Other)
    }

    fn authorization(&self, value: &str) -> String {
        match value.trim().split_once(' ') {
            Some((scheme, credential)) if contains(&SCHEMES, scheme) => {
                format!("{scheme} {}", self.mask.hash(credential.trim()))
            }
            _ => self.mask.hash(value.trim()),
        }
    }

    fn cookies(&self, value: &str) -> String {
        let cookies: Vec<String> = value
            .split(';')
            .map(|cookie| self.cookie(cookie.trim()))
            .collect();
        cookies.join("; ")
    }

    fn cookie(&self, cookie: &str) -> String {
        match cookie.split_once('=') {
            Some((name, value)) => {
                let masked = self.mask.text(name, Place::Other);
                let name = masked.as_deref().unwrap_or(name);
                // No value is no credential, and replay must see that there is none.
                let value = Some(value).filter(|value| !value.is_empty());
                let value = value.map(|value| self.mask.hash(value));
                format!("{name}={}", value.unwrap_or_default())
            }
            None if cookie.is_empty() => String::new(),
            None => self.mask.hash(cookie),
        }
    }

    fn set_cookie(&self, value: &str) -> String {
        let mut parts = value.split(';').map(str::trim);
        let mut masked = self.cookie(parts.next().unwrap_or_default());
        for part in parts {
            let name = part.split_once('=').map_or(part, |(name, _)| name);
            masked.push_str("; ");
            if contains(&COOKIE_ATTRIBUTES, name) {
                masked.push_str(
                    self.mask
                        .text(part, Place::Other)
                        .as_deref()
                        .unwrap_or(part),
                );
            } else {
                masked.push_str(&self.cookie(part));
            }
        }
        masked
    }

    fn body(&self, event: &mut Event) {
        let Some(body) = event.body.take() else {
            if event.body_truncated {
                self.bodies_dropped.fetch_add(1, Ordering::Relaxed);
            }
            return;
        };
        let text = body.trim_start_matches('\u{feff}');
        event.body = match self.mask.json_text(text, 0) {
            JsonText::Clean => Some(body),
            JsonText::Masked(masked) => Some(masked.into()),
            JsonText::Not => {
                let text = if event.body_truncated {
                    without_cut_word(text)
                } else {
                    text
                };
                if looks_like_form(text) || self.may_be_kept(text) {
                    let masked = self.mask.text(text, Place::Other);
                    Some(masked.map_or_else(|| Text::from(text), Text::from))
                } else {
                    self.bodies_dropped.fetch_add(1, Ordering::Relaxed);
                    event.body_truncated = true;
                    None
                }
            }
        };
    }

    /// Whether a text of unknown structure speaks of no credential, neither openly nor escaped.
    fn may_be_kept(&self, text: &str) -> bool {
        !text.contains("\\u")
            && !text.contains("&#")
            && !self.mask.names.is_mentioned(text)
            && !self.mask.names.is_mentioned(&decode(text))
    }
}

fn replace(text: &mut Text, masked: Option<String>) {
    if let Some(masked) = masked {
        *text = masked.into();
    }
}

fn contains(words: &[&str], word: &str) -> bool {
    words.iter().any(|known| known.eq_ignore_ascii_case(word))
}

fn ends_with_ignoring_case(text: &str, end: &str) -> bool {
    text.len()
        .checked_sub(end.len())
        .and_then(|at| text.get(at..))
        .is_some_and(|tail| tail.eq_ignore_ascii_case(end))
}

/// The text up to its last whole word: what the limit cut through may be the beginning of a key.
fn without_cut_word(text: &str) -> &str {
    text.trim_end_matches(|letter: char| {
        letter.is_ascii_alphanumeric() || "-_.=+/%".contains(letter)
    })
}

/// Whether a body can be read as `application/x-www-form-urlencoded`, whatever its media type says.
fn looks_like_form(text: &str) -> bool {
    text.contains('=')
        && text.bytes().all(|byte| {
            byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'{' | b'\\')
        })
}

#[cfg(test)]
#[path = "redact_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "redact_fuzz.rs"]
mod fuzz;
