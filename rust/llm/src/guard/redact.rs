//! Taking out what was found, and putting it back.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::finding::Class;
use super::held::keep_from;
use super::shapes::Shapes;

/// A text in which something was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redacted {
    /// The text.
    pub text: String,
    /// How many things were replaced in it.
    pub replaced: usize,
}

/// The longest placeholder that is looked for in an answer, in bytes.
const LONGEST: usize = 40;

/// Replaces what is found by placeholders (`[EMAIL_1]`), the same by the same, within one call. Kept for the call's time only.
#[derive(Debug, Clone, Default)]
pub struct Redaction {
    by_value: HashMap<String, String>,
    by_placeholder: HashMap<String, String>,
    /// The last number of each class.
    last: HashMap<Class, u64>,
    counts: BTreeMap<Class, usize>,
}

impl Redaction {
    /// Leaves out the placeholders that a text holds before anything is taken out: they are the caller's own words.
    pub fn spare(&mut self, text: &str) {
        for (at, _) in text.match_indices('[') {
            let Some((class, number)) = text.get(at..).and_then(read_placeholder) else {
                continue;
            };
            let last = self.last.entry(class).or_default();
            *last = number.max(*last);
        }
    }

    /// Takes out what is found of these classes.
    pub fn redact(&mut self, shapes: &Shapes, classes: &[Class], text: &str) -> Redacted {
        let mut out = String::with_capacity(text.len());
        let mut from = 0;
        let mut replaced = 0;
        for finding in shapes.find(text) {
            let Some(value) = text.get(finding.start..finding.end) else {
                continue;
            };
            if !classes.contains(&finding.class) {
                continue;
            }
            out.push_str(text.get(from..finding.start).unwrap_or_default());
            out.push_str(&self.placeholder(finding.class, value));
            *self.counts.entry(finding.class).or_default() += 1;
            from = finding.end;
            replaced += 1;
        }
        out.push_str(text.get(from..).unwrap_or_default());
        Redacted {
            text: out,
            replaced,
        }
    }

    /// The same for the value of a member of JSON, whose name may be what tells a password.
    pub fn redact_member(
        &mut self,
        (shapes, classes): (&Shapes, &[Class]),
        name: &str,
        text: &str,
    ) -> Redacted {
        let before = format!("{name}=");
        let both = format!("{before}{text}");
        let mut found = shapes.find(&both).into_iter();
        if found.any(|finding| finding.start < before.len()) {
            return self.redact(shapes, classes, text);
        }
        let mut redacted = self.redact(shapes, classes, &both);
        Redacted {
            text: redacted.text.split_off(before.len()),
            replaced: redacted.replaced,
        }
    }

    fn placeholder(&mut self, class: Class, value: &str) -> String {
        if let Some(placeholder) = self.by_value.get(value) {
            return placeholder.clone();
        }
        let last = self.last.entry(class).or_default();
        *last = last.saturating_add(1);
        let placeholder = format!("[{}_{last}]", class.name().to_ascii_uppercase());
        self.by_value.insert(value.to_owned(), placeholder.clone());
        self.by_placeholder
            .insert(placeholder.clone(), value.to_owned());
        placeholder
    }

    /// How many things of each class were replaced.
    #[must_use]
    pub fn counts(&self) -> &BTreeMap<Class, usize> {
        &self.counts
    }

    /// Puts back what was taken out, where the answer mentions it.
    #[must_use]
    pub fn restore(&self, text: &str) -> String {
        self.put_back(text, |value, out| out.push_str(value))
    }

    /// The same within the text of a JSON value.
    #[must_use]
    pub fn restore_json(&self, text: &str) -> String {
        self.put_back(text, |value, out| {
            let quoted = Value::from(value).to_string();
            out.push_str(quoted.trim_matches('"'));
        })
    }

    fn put_back(&self, text: &str, put: impl Fn(&str, &mut String)) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('[') {
            let (before, from) = rest.split_at(at);
            out.push_str(before);
            let known = from.find(']').filter(|end| *end < LONGEST);
            let known = known.and_then(|end| {
                let placeholder = from.get(..=end)?;
                Some((placeholder.len(), self.by_placeholder.get(placeholder)?))
            });
            let length = match known {
                Some((length, value)) => {
                    put(value, &mut out);
                    length
                }
                None => {
                    out.push('[');
                    1
                }
            };
            rest = from.get(length..).unwrap_or_default();
        }
        out.push_str(rest);
        out
    }
}

/// The class and number of a placeholder that a text begins with.
fn read_placeholder(text: &str) -> Option<(Class, u64)> {
    let end = text.find(']').filter(|end| *end < LONGEST)?;
    let (name, number) = text.get(1..end)?.rsplit_once('_')?;
    let mut classes = Class::ALL.into_iter();
    let class = classes.find(|class| class.name().eq_ignore_ascii_case(name))?;
    Some((class, number.parse().ok()?))
}

/// Puts back what was taken out in a text that comes in pieces, wherever a placeholder is cut.
#[derive(Debug, Default)]
pub struct StreamRestoration {
    held: String,
}

impl StreamRestoration {
    /// Takes a piece, and gives what may go on: the beginning of a placeholder waits for its end.
    pub fn feed(&mut self, piece: &str) -> String {
        self.held.push_str(piece);
        let begun = self.held.rfind('[').filter(|at| {
            let rest = self.held.get(*at..).unwrap_or_default();
            let mut letters = rest.bytes().skip(1);
            rest.len() < LONGEST
                && letters
                    .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
        });
        let rest = self.held.split_off(begun.unwrap_or(self.held.len()));
        std::mem::replace(&mut self.held, rest)
    }

    /// The text has ended: gives what was held.
    pub fn end(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

/// Takes out what is found in a text that comes in pieces, wherever it is cut.
///
/// The end of the text is held back for as long as something may begin in it: the last words, and all of a private key.
#[derive(Debug, Default)]
pub struct StreamRedaction {
    redaction: Redaction,
    held: String,
    replaced: usize,
}

impl StreamRedaction {
    /// Takes a piece, and gives what may go on.
    pub fn feed(&mut self, shapes: &Shapes, classes: &[Class], piece: &str) -> String {
        self.held.push_str(piece);
        let keep = keep_from(&self.held, &shapes.find(&self.held), self.held.len());
        let rest = self.held.split_off(keep);
        let ready = std::mem::replace(&mut self.held, rest);
        let redacted = self.redaction.redact(shapes, classes, &ready);
        self.replaced += redacted.replaced;
        redacted.text
    }

    /// The text has ended: gives what was held.
    pub fn end(&mut self, shapes: &Shapes, classes: &[Class]) -> String {
        let held = std::mem::take(&mut self.held);
        let redacted = self.redaction.redact(shapes, classes, &held);
        self.replaced += redacted.replaced;
        redacted.text
    }

    /// How many things were replaced.
    #[must_use]
    pub fn replaced(&self) -> usize {
        self.replaced
    }
}
