//! Answers on their way to the caller: what may not stand in them, and what is put back.

use std::sync::Arc;

use regex::Regex;

use super::finding::Class;
use super::held::keep_from;
use super::redact::{Redaction, StreamRestoration};
use super::shapes::Shapes;
use super::texts::see_object;
use crate::model::{ChatResponse, Delta, Event, Part};

/// The most answers at once whose texts are held.
const MOST_CANDIDATES: usize = 1_024;
/// How many bytes white space and any other letter of a phrase take at most.
const SPACE_BYTES: usize = 12;
const LETTER_BYTES: usize = 4;

/// What may not stand in an answer.
#[derive(Debug)]
pub struct Banned {
    shapes: Shapes,
    classes: Vec<Class>,
    phrases: Option<Regex>,
    /// How much of a text is held for the sake of phrases, in bytes.
    hold: usize,
}

/// An answer that may not reach the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Withheld {
    /// Whose rule it breaks, by its place.
    pub rule: usize,
    /// What stands in it: the name of a class, or `phrase`.
    pub what: &'static str,
}

impl Banned {
    /// Things of these classes, and phrases in whatever case and with whatever white space.
    ///
    /// # Errors
    /// The phrases are too many or too long.
    pub fn new(classes: &[Class], phrases: &[&str]) -> Result<Self, regex::Error> {
        let pattern = |phrase: &&str| {
            let words: Vec<String> = phrase.split_whitespace().map(regex::escape).collect();
            words.join(r"\s{1,4}")
        };
        let bytes = |letter: char| match letter.is_whitespace() {
            true => SPACE_BYTES,
            false => LETTER_BYTES,
        };
        let alternatives: Vec<String> = phrases.iter().map(pattern).collect();
        let longest = phrases
            .iter()
            .map(|phrase| phrase.chars().map(bytes).sum::<usize>());
        Ok(Self {
            shapes: Shapes::new()?,
            classes: classes.to_vec(),
            phrases: match alternatives.is_empty() {
                true => None,
                false => Some(Regex::new(&format!("(?i)(?:{})", alternatives.join("|")))?),
            },
            hold: longest.max().unwrap_or(0),
        })
    }

    /// What stands in a whole text.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<&'static str> {
        if self.holds_phrase(text) {
            return Some("phrase");
        }
        let mut found = self.shapes.find(text).into_iter();
        let found = found.find(|finding| self.classes.contains(&finding.class))?;
        Some(found.class.name())
    }

    /// What stands in a text of which only this is left, and which held data of `classes` when it was whole. `None` when nobody can say.
    #[must_use]
    pub fn find_in_masked(&self, text: &str, classes: &[Class]) -> Option<Option<&'static str>> {
        if self.holds_phrase(text) {
            return Some(Some("phrase"));
        }
        let mut found = classes.iter().filter(|class| self.classes.contains(class));
        match (found.next(), &self.phrases) {
            (Some(class), _) => Some(Some(class.name())),
            (None, None) => Some(None),
            // A phrase may have stood where something was taken out.
            (None, Some(_)) => None,
        }
    }

    fn holds_phrase(&self, text: &str) -> bool {
        self.phrases
            .as_ref()
            .is_some_and(|phrases| phrases.is_match(text))
    }

    /// Takes a piece of a text, and gives what may go on. What is found is given to nobody: it is complete before any of it goes on.
    fn feed(&self, held: &mut String, piece: &str) -> Result<String, &'static str> {
        held.push_str(piece);
        if self.holds_phrase(held) {
            return Err("phrase");
        }
        let found = self.shapes.find(held);
        let before_phrases = held.len().saturating_sub(self.hold);
        let keep = keep_from(held, &found, before_phrases);
        let mut found = found.into_iter();
        let ended =
            found.find(|finding| finding.start < keep && self.classes.contains(&finding.class));
        if let Some(finding) = ended {
            return Err(finding.class.name());
        }
        let rest = held.split_off(keep);
        Ok(std::mem::replace(held, rest))
    }
}

/// Judges the texts of an answer by several rules, and puts back what was taken out of the prompt.
#[derive(Debug)]
pub struct AnswerFilter {
    rules: Vec<Arc<Banned>>,
    taken_out: Vec<Arc<Redaction>>,
    channels: Vec<Channel>,
}

/// A text that comes in pieces.
#[derive(Debug)]
struct Channel {
    candidate: u64,
    kind: Kind,
    /// What each rule holds.
    held: Vec<String>,
    restoration: StreamRestoration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Refusal,
    Thinking,
    Arguments(u64),
}

impl Kind {
    fn of(delta: Delta) -> Result<(Self, String), Delta> {
        match delta {
            Delta::Text(text) => Ok((Self::Text, text)),
            Delta::Refusal(text) => Ok((Self::Refusal, text)),
            Delta::Thinking(text) => Ok((Self::Thinking, text)),
            Delta::ToolArguments { call, text } => Ok((Self::Arguments(call), text)),
            other => Err(other),
        }
    }

    fn is_json(self) -> bool {
        matches!(self, Self::Arguments(_))
    }

    fn delta(self, text: String) -> Delta {
        match self {
            Self::Text => Delta::Text(text),
            Self::Refusal => Delta::Refusal(text),
            Self::Thinking => Delta::Thinking(text),
            Self::Arguments(call) => Delta::ToolArguments { call, text },
        }
    }
}

impl AnswerFilter {
    /// A filter of one answer.
    #[must_use]
    pub fn new(rules: Vec<Arc<Banned>>, taken_out: Vec<Arc<Redaction>>) -> Self {
        Self {
            rules,
            taken_out,
            channels: Vec::new(),
        }
    }

    /// Judges a whole answer; says whether anything was put back.
    ///
    /// # Errors
    /// It may not reach the caller.
    pub fn whole(&self, response: &mut ChatResponse) -> Result<bool, Withheld> {
        let mut changed = false;
        for candidate in &mut response.candidates {
            for part in &mut candidate.parts {
                self.judge(part)?;
                changed |= self.put_back(part);
            }
        }
        Ok(changed)
    }

    fn judge(&self, part: &Part) -> Result<(), Withheld> {
        let mut found = None;
        let mut see = |text: &str| {
            let mut rules = self.rules.iter().enumerate();
            found = found.or_else(|| {
                rules.find_map(|(rule, banned)| {
                    let what = banned.find(text)?;
                    Some(Withheld { rule, what })
                })
            });
        };
        match part {
            Part::Text(text) => see(&text.text),
            Part::Refusal(text) => see(text),
            Part::Thinking(thought) => see(&thought.text),
            Part::ToolCall(call) => see(&call.arguments),
            Part::Other(object) => see_object(object, &mut see),
            Part::Media(_) | Part::ToolResult(_) => {}
        }
        found.map_or(Ok(()), Err)
    }

    fn put_back(&self, part: &mut Part) -> bool {
        let (text, json) = match part {
            Part::Text(text) => (&mut text.text, false),
            Part::Refusal(text) => (text, false),
            Part::ToolCall(call) => (&mut call.arguments, true),
            // A sealed thought comes back only as it was said.
            _ => return false,
        };
        let restored = restored(&self.taken_out, json, text);
        let changed = restored != *text;
        *text = restored;
        changed
    }

    /// Judges an event of a stream, and appends what may go on.
    ///
    /// # Errors
    /// The answer may not go on. Nothing of what was found has.
    pub fn event(&mut self, event: Event, out: &mut Vec<Event>) -> Result<(), Withheld> {
        match event {
            Event::Delta { candidate, delta } => match Kind::of(delta) {
                Ok((kind, text)) => return self.text(candidate, (kind, &text), out),
                Err(delta) => {
                    self.close(|channel| channel.candidate == candidate, out)?;
                    out.push(Event::Delta { candidate, delta });
                }
            },
            Event::Finish { candidate, finish } => {
                self.close(|channel| channel.candidate == candidate, out)?;
                out.push(Event::Finish { candidate, finish });
            }
            Event::End | Event::Failed(_) => {
                self.close(|_| true, out)?;
                out.push(event);
            }
            Event::Start { .. } | Event::Usage(_) | Event::Ping => out.push(event),
        }
        Ok(())
    }

    fn text(
        &mut self,
        candidate: u64,
        (kind, text): (Kind, &str),
        out: &mut Vec<Event>,
    ) -> Result<(), Withheld> {
        // What was said before in another way has been said.
        self.close(
            |channel| channel.candidate == candidate && channel.kind != kind,
            out,
        )?;
        let known = |channel: &Channel| channel.candidate == candidate;
        if !self.channels.iter().any(known) {
            if self.channels.len() >= MOST_CANDIDATES {
                self.close(|_| true, out)?;
            }
            self.channels.push(Channel {
                candidate,
                kind,
                held: vec![String::new(); self.rules.len()],
                restoration: StreamRestoration::default(),
            });
        }
        let mut channels = self.channels.iter_mut();
        let Some(channel) = channels.find(|channel| known(channel)) else {
            return Ok(());
        };
        let mut text = text.to_owned();
        for (rule, (banned, held)) in self.rules.iter().zip(&mut channel.held).enumerate() {
            let judged = banned.feed(held, &text);
            text = judged.map_err(|what| Withheld { rule, what })?;
        }
        if kind != Kind::Thinking && !self.taken_out.is_empty() {
            let ready = channel.restoration.feed(&text);
            text = restored(&self.taken_out, kind.is_json(), &ready);
        }
        say(candidate, kind, text, out);
        Ok(())
    }

    /// Ends texts: what was held is judged as it stands.
    fn close(
        &mut self,
        which: impl Fn(&Channel) -> bool,
        out: &mut Vec<Event>,
    ) -> Result<(), Withheld> {
        let Self {
            rules,
            taken_out,
            channels,
        } = self;
        for mut channel in channels.extract_if(.., |channel| which(channel)) {
            let mut text = String::new();
            for (rule, (banned, held)) in rules.iter().zip(&channel.held).enumerate() {
                text = held.clone() + &text;
                if let Some(what) = banned.find(&text) {
                    return Err(Withheld { rule, what });
                }
            }
            let kind = channel.kind;
            if kind != Kind::Thinking {
                let ready = channel.restoration.feed(&text) + &channel.restoration.end();
                text = restored(taken_out, kind.is_json(), &ready);
            }
            say(channel.candidate, kind, text, out);
        }
        Ok(())
    }
}

/// A text with everything put back in it, last taken out first.
fn restored(taken_out: &[Arc<Redaction>], json: bool, text: &str) -> String {
    let last_first = taken_out.iter().rev();
    last_first.fold(text.to_owned(), |text, taken_out| match json {
        true => taken_out.restore_json(&text),
        false => taken_out.restore(&text),
    })
}

fn say(candidate: u64, kind: Kind, text: String, out: &mut Vec<Event>) {
    if !text.is_empty() {
        let delta = kind.delta(text);
        out.push(Event::Delta { candidate, delta });
    }
}
