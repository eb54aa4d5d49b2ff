//! Taking out what was found, and putting it back.

use std::fmt::Write as _;

use super::shapes::{Class, Shapes};

/// The longest piece that is held back in a stream. What is longer is cut there.
const MOST_HELD: usize = 10_000;
/// What of a private key comes before its end, which decides that all of it is held.
const KEY_BEGIN: &str = "-----BEGIN ";
const KEY_END: &str = "-----END ";

/// A text in which something was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redacted {
    /// The text.
    pub text: String,
    /// How many things were replaced in it.
    pub replaced: usize,
}

/// Replaces what is found by placeholders (`[EMAIL_1]`), the same by the same, within one call. Kept for the call's time only.
#[derive(Debug, Default)]
pub struct Redaction {
    known: Vec<(Class, String, String)>,
}

impl Redaction {
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
            from = finding.end;
            replaced += 1;
        }
        out.push_str(text.get(from..).unwrap_or_default());
        Redacted {
            text: out,
            replaced,
        }
    }

    fn placeholder(&mut self, class: Class, value: &str) -> String {
        if let Some((_, _, placeholder)) = self.known.iter().find(|(_, known, _)| known == value) {
            return placeholder.clone();
        }
        let number = self
            .known
            .iter()
            .filter(|(other, _, _)| *other == class)
            .count()
            + 1;
        let mut placeholder = String::new();
        // Writing into a text does not fail.
        let _ = write!(
            placeholder,
            "[{}_{number}]",
            class.name().to_ascii_uppercase()
        );
        self.known
            .push((class, value.to_owned(), placeholder.clone()));
        placeholder
    }

    /// Puts back what was taken out, where the answer mentions it.
    #[must_use]
    pub fn restore(&self, text: &str) -> String {
        self.known
            .iter()
            .fold(text.to_owned(), |text, (_, value, placeholder)| {
                text.replace(placeholder, value)
            })
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
        let keep = self.keep_from(shapes);
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

    /// Where the part begins that is held: some words before the end, before all of a key that has not ended, and never within what is
    /// found.
    fn keep_from(&self, shapes: &Shapes) -> usize {
        let text = self.held.as_str();
        let mut keep = self.word_start(text.len());
        if let Some(begin) = text.rfind(KEY_BEGIN) {
            let rest = text.get(begin..).unwrap_or_default();
            let ended = rest
                .split_once(KEY_END)
                .is_some_and(|(_, end)| end.contains("-----"));
            if !ended && rest.len() <= MOST_HELD {
                keep = keep.min(begin);
            }
        }
        for finding in shapes.find(text) {
            if finding.context < keep && keep < finding.end {
                keep = finding.context;
            }
        }
        keep
    }

    /// The beginning of the eighth word before a place: card and account numbers have at most as many groups.
    fn word_start(&self, place: usize) -> usize {
        let before = self.held.get(..place).unwrap_or_default();
        let start = before
            .char_indices()
            .rev()
            .filter(|(_, letter)| letter.is_whitespace())
            .nth(8)
            .map_or(0, |(at, letter)| at + letter.len_utf8());
        if place - start <= MOST_HELD {
            return start;
        }
        (place - MOST_HELD..=place)
            .find(|at| self.held.is_char_boundary(*at))
            .unwrap_or(place)
    }
}
