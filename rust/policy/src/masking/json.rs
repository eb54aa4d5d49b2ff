//! JSON whose fields are replaced without touching anything else: numbers, spaces and the order of members stay as they were.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use super::Masks;

/// A text that is not JSON, or is nested deeper than 128 levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

/// Which fields are replaced. Names are compared without regard to case: some services do not distinguish it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldRule {
    /// All of this name, at any depth.
    Named(String),
    /// Those at this JSON pointer (RFC 6901); a segment `*` is any name or index.
    At(Vec<String>),
}

impl FieldRule {
    /// Reads a name, or a pointer when it starts with `/`.
    pub fn read(text: &str) -> Self {
        match text.strip_prefix('/') {
            None => Self::Named(text.to_owned()),
            Some(pointer) => {
                let segments = pointer.split('/');
                Self::At(
                    segments
                        .map(|segment| segment.replace("~1", "/").replace("~0", "~"))
                        .collect(),
                )
            }
        }
    }
}

/// The text with its masked parts replaced; `None` when there are none.
pub(super) fn mask(masks: &Masks, text: &str) -> Result<Option<String>, Unreadable> {
    // What follows reads a text that is known to be JSON, and is as deep as serde_json lets a text be.
    serde_json::from_str::<IgnoredAny>(text).map_err(|_| Unreadable)?;
    let mut writer = Writer {
        masks,
        text,
        at: 0,
        copied: 0,
        out: String::new(),
        replacement: quoted(&masks.replacement),
    };
    let pointers = masks.fields.iter().filter_map(|rule| match rule {
        FieldRule::At(segments) => Some(segments.as_slice()),
        FieldRule::Named(_) => None,
    });
    writer.value(&pointers.collect::<Vec<_>>());
    Ok(writer.end())
}

struct Writer<'a> {
    masks: &'a Masks,
    text: &'a str,
    at: usize,
    /// How much of the text has been written.
    copied: usize,
    out: String,
    /// As a JSON string.
    replacement: String,
}

impl<'a> Writer<'a> {
    fn end(mut self) -> Option<String> {
        if self.copied == 0 {
            return None;
        }
        self.out
            .push_str(self.text.get(self.copied..).unwrap_or_default());
        Some(self.out)
    }

    /// Writes `with` in place of what was read since `start`.
    fn replace(&mut self, start: usize, with: &str) {
        self.out
            .push_str(self.text.get(self.copied..start).unwrap_or_default());
        self.out.push_str(with);
        self.copied = self.at;
    }

    /// The next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let spaces = rest
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace())
            .count();
        self.at += spaces;
        rest.get(spaces).copied()
    }

    /// Reads a value. `pointers` are what is left of the pointers that lead here.
    fn value(&mut self, pointers: &[&[String]]) {
        match self.peek() {
            Some(b'{') => self.members(pointers),
            Some(b'[') => self.items(pointers),
            Some(b'"') => self.string(),
            _ => self.plain(),
        }
    }

    fn members(&mut self, pointers: &[&[String]]) {
        self.at += 1;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    let start = self.at;
                    let key = unescape(self.token());
                    if let Some(masked) = self.masks.mask_text(&key) {
                        self.replace(start, &quoted(&masked));
                    }
                    let named = self.masks.fields.iter().any(|rule| {
                        matches!(rule, FieldRule::Named(name) if name.eq_ignore_ascii_case(&key))
                    });
                    self.peek();
                    self.at += 1;
                    self.child(named, pointers, &key);
                }
                b',' => self.at += 1,
                _ => break,
            }
        }
        self.at += 1;
    }

    fn items(&mut self, pointers: &[&[String]]) {
        self.at += 1;
        let mut index = 0_usize;
        while let Some(byte) = self.peek() {
            match byte {
                b']' => break,
                b',' => self.at += 1,
                _ => {
                    let name = if pointers.is_empty() {
                        String::new()
                    } else {
                        index.to_string()
                    };
                    self.child(false, pointers, &name);
                    index += 1;
                }
            }
        }
        self.at += 1;
    }

    fn child(&mut self, masked: bool, pointers: &[&[String]], name: &str) {
        let next: Vec<&[String]> = pointers
            .iter()
            .filter_map(|pointer| pointer.split_first())
            .filter(|(first, _)| *first == "*" || first.eq_ignore_ascii_case(name))
            .map(|(_, rest)| rest)
            .collect();
        if masked || next.iter().any(|rest| rest.is_empty()) {
            self.peek();
            let start = self.at;
            self.skip();
            let replacement = std::mem::take(&mut self.replacement);
            self.replace(start, &replacement);
            self.replacement = replacement;
        } else {
            self.value(&next);
        }
    }

    /// Reads over a value.
    fn skip(&mut self) {
        let mut depth = 0_usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => drop(self.token()),
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                    continue;
                }
                b'}' | b']' => {
                    depth = depth.saturating_sub(1);
                    self.at += 1;
                }
                b',' | b':' => {
                    self.at += 1;
                    continue;
                }
                _ => drop(self.word()),
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// A string with its quotes.
    fn token(&mut self) -> &'a str {
        let start = self.at;
        let mut escaped = false;
        let rest = self.text.as_bytes().get(start + 1..).unwrap_or_default();
        let end = rest.iter().position(|byte| {
            let ends = *byte == b'"' && !escaped;
            escaped = *byte == b'\\' && !escaped;
            ends
        });
        self.at = end.map_or(self.text.len(), |end| start + end + 2);
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self) -> &'a str {
        let start = self.at;
        let rest = self.text.as_bytes().get(start..).unwrap_or_default();
        let length = rest
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
            .count();
        // A text that is JSON has no other byte here; going on whatever it is keeps this from standing still.
        self.at = start + length.max(1);
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn string(&mut self) {
        let start = self.at;
        let token = self.token();
        if let Some(masked) = self.masks.mask_text(&unescape(token)) {
            self.replace(start, &quoted(&masked));
        }
    }

    /// A masked number becomes a string.
    fn plain(&mut self) {
        let start = self.at;
        let word = self.word();
        if let Some(masked) = self.masks.mask_text(word) {
            self.replace(start, &quoted(&masked));
        }
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The text of a string with quotes. One with half a surrogate pair has no text, and stays as it was written.
fn unescape(token: &str) -> Cow<'_, str> {
    let inner = token
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(token);
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    serde_json::from_str::<String>(token).map_or(Cow::Borrowed(inner), Cow::Owned)
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
