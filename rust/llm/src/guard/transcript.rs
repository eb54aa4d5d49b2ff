//! What an answer says, kept as texts.

use super::texts::see_object;
use crate::model::{ChatResponse, Delta, Event, Part};

/// The most texts of an answer that are kept.
const MOST_TEXTS: usize = 256;

/// The texts of an answer in the order in which they were begun, up to a number of bytes.
#[derive(Debug)]
pub struct Transcript {
    texts: Vec<(Channel, String)>,
    left: usize,
    is_whole: bool,
}

/// Which text a piece of a stream belongs to.
type Channel = (u64, Sort);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Text,
    Refusal,
    Thinking,
    Arguments(u64),
    Other,
}

impl Transcript {
    /// Of at most `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            texts: Vec::new(),
            left: limit,
            is_whole: false,
        }
    }

    /// Takes a whole answer.
    pub fn take(&mut self, response: &ChatResponse) {
        self.is_whole = true;
        for (candidate, answer) in (0..).zip(&response.candidates) {
            for part in &answer.parts {
                match part {
                    Part::Text(text) => self.begin((candidate, Sort::Text), &text.text),
                    Part::Refusal(text) => self.begin((candidate, Sort::Refusal), text),
                    Part::Thinking(thought) => {
                        self.begin((candidate, Sort::Thinking), &thought.text);
                    }
                    Part::ToolCall(call) => self.begin((candidate, Sort::Other), &call.arguments),
                    Part::Other(object) => see_object(object, &mut |text| {
                        self.begin((candidate, Sort::Other), text);
                    }),
                    Part::Media(_) | Part::ToolResult(_) => {}
                }
            }
        }
    }

    /// Takes an event of a stream.
    pub fn hear(&mut self, event: &Event) {
        let (candidate, delta) = match event {
            Event::Delta { candidate, delta } => (*candidate, delta),
            Event::End => {
                // What was cut stays so.
                self.is_whole = self.left > 0;
                return;
            }
            _ => return,
        };
        let (sort, text) = match delta {
            Delta::Text(text) => (Sort::Text, text),
            Delta::Refusal(text) => (Sort::Refusal, text),
            Delta::Thinking(text) => (Sort::Thinking, text),
            Delta::ToolArguments { call, text } => (Sort::Arguments(*call), text),
            _ => return,
        };
        let channel = (candidate, sort);
        let mut begun = self.texts.iter().rev();
        // What was said before in another way has been said.
        let last = begun.find(|(known, _)| known.0 == candidate);
        if last.is_none_or(|(known, _)| *known != channel) {
            self.begin(channel, "");
        }
        let text = self.within(text);
        let mut begun = self.texts.iter_mut().rev();
        if let Some((_, said)) = begun.find(|(known, _)| *known == channel) {
            said.push_str(text);
        }
    }

    fn begin(&mut self, channel: Channel, text: &str) {
        if self.texts.len() >= MOST_TEXTS {
            self.cut();
        }
        let text = self.within(text);
        if self.left > 0 || !text.is_empty() {
            self.texts.push((channel, text.to_owned()));
        }
    }

    /// What of a text there is room for.
    fn within<'t>(&mut self, text: &'t str) -> &'t str {
        if text.len() < self.left {
            self.left -= text.len();
            return text;
        }
        let mut end = self.left;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.cut();
        text.get(..end).unwrap_or_default()
    }

    const fn cut(&mut self) {
        self.left = 0;
        self.is_whole = false;
    }

    /// The texts, and whether they are all that was said.
    #[must_use]
    pub fn into_texts(self) -> (Vec<String>, bool) {
        let texts = self.texts.into_iter().map(|(_, text)| text);
        (texts.collect(), self.is_whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(transcript: &mut Transcript, candidate: u64, delta: Delta) {
        transcript.hear(&Event::Delta { candidate, delta });
    }

    #[test]
    fn pieces_of_a_stream_become_the_texts_that_a_guard_judges() {
        let mut transcript = Transcript::new(1_000);
        say(&mut transcript, 0, Delta::Thinking("hm".into()));
        say(&mut transcript, 0, Delta::Text("one ".into()));
        say(&mut transcript, 1, Delta::Text("another".into()));
        say(&mut transcript, 0, Delta::Text("text".into()));
        transcript.hear(&Event::End);
        let (texts, is_whole) = transcript.into_texts();
        assert_eq!(texts, ["hm", "one text", "another"]);
        assert!(is_whole);
    }

    #[test]
    fn an_answer_that_broke_off_or_is_longer_is_not_whole() {
        let mut broken = Transcript::new(1_000);
        say(&mut broken, 0, Delta::Text("one".into()));
        assert!(!broken.into_texts().1);
        let mut long = Transcript::new(4);
        say(&mut long, 0, Delta::Text("öäü".into()));
        say(&mut long, 0, Delta::Text("more".into()));
        long.hear(&Event::End);
        assert_eq!(long.into_texts(), (vec!["öä".to_owned()], false));
    }
}
