//! Streams that are put together again.

use std::collections::BTreeMap;

use crate::json::Object;
use crate::model::{Candidate, ChatResponse, Delta, Event, Part, Text, Thinking, ToolCall};
use crate::usage::Usage;

/// What a part, a call or an answer takes beside its text, about.
const MOST_OF_A_PART: usize = 64;

/// Puts the events of a stream together to the answer that would have come without one. Nothing comes of a stream that broke off, that
/// holds a piece which belongs into no whole answer, or that is too long.
#[derive(Debug)]
pub struct Gathering {
    id: String,
    model: String,
    created: Option<u64>,
    candidates: BTreeMap<u64, Candidate>,
    /// Where the calls of each answer stand in it.
    calls: BTreeMap<(u64, u64), usize>,
    usage: Option<Usage>,
    most_bytes: usize,
    bytes: usize,
    has_ended: bool,
    lacks: bool,
}

impl Gathering {
    /// Of at most so many bytes.
    #[must_use]
    pub fn new(most_bytes: usize) -> Self {
        Self {
            id: String::new(),
            model: String::new(),
            created: None,
            candidates: BTreeMap::new(),
            calls: BTreeMap::new(),
            usage: None,
            most_bytes,
            bytes: 0,
            has_ended: false,
            lacks: false,
        }
    }

    /// Takes an event, as the provider's stream gave it.
    pub fn hear(&mut self, event: &Event) {
        if self.lacks {
            return;
        }
        let fits = match event {
            Event::Start { id, model, created } => {
                self.id.clone_from(id);
                self.model.clone_from(model);
                self.created = *created;
                self.takes(id.len() + model.len())
            }
            Event::Delta { candidate, delta } => self.delta(*candidate, delta),
            Event::Finish { candidate, finish } => {
                let known = self.takes(finish.word.len());
                self.candidate(*candidate).finish = Some(finish.clone());
                known
            }
            Event::Usage(usage) => {
                self.usage.get_or_insert_default().update(usage);
                true
            }
            Event::Ping => true,
            Event::End => {
                self.has_ended = true;
                true
            }
            Event::Failed(_) => false,
        };
        if !fits {
            self.lacks = true;
            self.candidates.clear();
            self.calls.clear();
        }
    }

    /// The answer, and how many bytes it takes, about; `None` when the stream did not end well, or not all of it is here.
    #[must_use]
    pub fn whole(self) -> Option<(ChatResponse, usize)> {
        if self.lacks || !self.has_ended {
            return None;
        }
        let mut candidates: Vec<_> = self.candidates.into_values().collect();
        for part in candidates.iter_mut().flat_map(|one| &mut one.parts) {
            if let Part::ToolCall(call) = part
                && call.arguments.is_empty()
            {
                "{}".clone_into(&mut call.arguments);
            }
        }
        let response = ChatResponse {
            id: self.id,
            model: self.model,
            created: self.created,
            candidates,
            usage: self.usage,
            extra: Object::new(),
        };
        Some((response, self.bytes))
    }

    /// Whether so many bytes more may be held.
    fn takes(&mut self, bytes: usize) -> bool {
        self.bytes = self
            .bytes
            .saturating_add(bytes)
            .saturating_add(MOST_OF_A_PART);
        self.bytes <= self.most_bytes
    }

    fn candidate(&mut self, index: u64) -> &mut Candidate {
        self.candidates.entry(index).or_insert_with(|| Candidate {
            index,
            parts: Vec::new(),
            finish: None,
            extra: Object::new(),
        })
    }

    /// Says whether it has a place in a whole answer, and fits.
    fn delta(&mut self, index: u64, delta: &Delta) -> bool {
        let (bytes, begins) = match delta {
            Delta::Text(text) | Delta::Refusal(text) | Delta::Thinking(text) => (text.len(), false),
            Delta::ToolArguments { text, .. } => (text.len(), false),
            Delta::Signature { signature, .. } | Delta::Redacted(signature) => {
                (signature.value.len(), true)
            }
            Delta::ToolStart {
                id,
                name,
                signature,
                ..
            } => {
                let seal = signature.as_ref().map_or(0, |seal| seal.value.len());
                (id.len() + name.len() + seal, true)
            }
            // What it is a piece of is not known.
            Delta::Other(_) => return false,
        };
        // Pieces of a text are as short as a word, and take no more than that.
        let overhead = usize::from(begins || self.candidate(index).parts.is_empty());
        self.bytes = self.bytes.saturating_add(bytes + overhead * MOST_OF_A_PART);
        self.bytes <= self.most_bytes && self.put(index, delta)
    }

    fn put(&mut self, index: u64, delta: &Delta) -> bool {
        if let Delta::ToolArguments { call, text } = delta {
            let place = self.calls.get(&(index, *call)).copied();
            let parts = &mut self.candidate(index).parts;
            let Some(Part::ToolCall(call)) = place.and_then(|place| parts.get_mut(place)) else {
                return false;
            };
            call.arguments.push_str(text);
            return true;
        }
        let parts = &mut self.candidate(index).parts;
        match (delta, parts.last_mut()) {
            (Delta::Text(more), Some(Part::Text(text))) => text.text.push_str(more),
            (Delta::Refusal(more), Some(Part::Refusal(text))) => text.push_str(more),
            (Delta::Thinking(more), Some(Part::Thinking(thought)))
                if thought.signature.is_none() =>
            {
                thought.text.push_str(more);
            }
            (
                Delta::Signature {
                    signature,
                    text: false,
                },
                Some(Part::Thinking(thought)),
            ) if thought.signature.is_none() => thought.signature = Some(signature.clone()),
            _ => {
                let part = begun(delta);
                parts.extend(part);
                if let Delta::ToolStart { call, .. } = delta {
                    let place = parts.len().saturating_sub(1);
                    self.calls.insert((index, *call), place);
                }
            }
        }
        true
    }
}

/// The part that begins with a piece.
fn begun(delta: &Delta) -> Option<Part> {
    Some(match delta {
        Delta::Text(text) => Part::text(text.clone()),
        Delta::Refusal(text) => Part::Refusal(text.clone()),
        Delta::Thinking(text) => Part::Thinking(Thinking {
            text: text.clone(),
            ..Thinking::default()
        }),
        // The seal of a text stands before it.
        Delta::Signature {
            signature,
            text: true,
        } => Part::Text(Text {
            signature: Some(signature.clone()),
            ..Text::default()
        }),
        Delta::Signature { signature, .. } => Part::Thinking(Thinking {
            signature: Some(signature.clone()),
            ..Thinking::default()
        }),
        Delta::Redacted(signature) => Part::Thinking(Thinking {
            signature: Some(signature.clone()),
            redacted: true,
            ..Thinking::default()
        }),
        Delta::ToolStart {
            id,
            name,
            signature,
            ..
        } => Part::ToolCall(ToolCall {
            id: id.clone(),
            name: name.clone(),
            signature: signature.clone(),
            ..ToolCall::default()
        }),
        Delta::ToolArguments { .. } | Delta::Other(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::*;

    /// The stream of a golden test, whole or its beginning.
    fn gathered(dialect: Dialect, text: &str, ending: Ending) -> Option<ChatResponse> {
        let mut stream = UpstreamStream::new(dialect, "c0ffee");
        let mut events = Vec::new();
        for piece in text.as_bytes().chunks(7) {
            stream.feed(piece, &mut events);
        }
        stream.end(ending, &mut events);
        let mut gathering = Gathering::new(8_192);
        events.iter().for_each(|event| gathering.hear(event));
        let all = stream.has_told_all();
        gathering
            .whole()
            .map(|(response, _)| response)
            .filter(|_| all)
    }

    const STREAMS: [(Dialect, &str); 9] = [
        (
            Dialect::Openai,
            include_str!("../tests/golden/answers/openai.stream.sse"),
        ),
        (
            Dialect::Openai,
            include_str!("../tests/golden/answers/openai.stream_parallel.sse"),
        ),
        (
            Dialect::Anthropic,
            include_str!("../tests/golden/answers/anthropic.stream.sse"),
        ),
        (
            Dialect::Anthropic,
            include_str!("../tests/golden/answers/anthropic.stream_parallel.sse"),
        ),
        (
            Dialect::Gemini,
            include_str!("../tests/golden/answers/gemini.stream.sse"),
        ),
        (
            Dialect::Gemini,
            include_str!("../tests/golden/answers/gemini.stream_parallel.sse"),
        ),
        (
            Dialect::Mistral,
            include_str!("../tests/golden/answers/mistral.stream.sse"),
        ),
        (
            Dialect::Ollama,
            include_str!("../tests/golden/answers/ollama.stream_parallel.ndjson"),
        ),
        (
            Dialect::Moonshot,
            include_str!("../tests/golden/answers/moonshot.stream.sse"),
        ),
    ];

    /// What is said, with pieces of one text or call put together.
    fn said(events: &[Event]) -> Vec<Event> {
        let mut gathering = Gathering::new(1 << 20);
        events.iter().for_each(|event| gathering.hear(event));
        let (response, _) = gathering.whole().unwrap();
        response.events().unwrap()
    }

    #[test]
    fn a_gathered_stream_says_what_the_stream_said() {
        for (dialect, text) in STREAMS {
            let mut stream = UpstreamStream::new(dialect, "c0ffee");
            let mut events = Vec::new();
            stream.feed(text.as_bytes(), &mut events);
            stream.end(Ending::Clean, &mut events);
            let response = gathered(dialect, text, Ending::Clean).unwrap();
            assert!(response.has_ended(), "{text}");
            assert_eq!(response.usage, stream.usage(), "{text}");
            assert_eq!(response.reason(), stream.reason(), "{text}");
            assert_eq!(said(&response.events().unwrap()), said(&events), "{text}");
        }
    }

    #[test]
    fn a_gathered_stream_reads_as_the_whole_answer_that_its_provider_gives() {
        let whole = include_str!("../tests/golden/answers/openai.plain.json");
        let whole = read_response(Dialect::Openai, "c0ffee", whole.as_bytes()).unwrap();
        let (dialect, text) = STREAMS[0];
        let response = gathered(dialect, text, Ending::Clean).unwrap();
        assert_eq!(response.candidates[0].parts, whole.candidates[0].parts);
        assert_eq!(response.candidates[0].finish, whole.candidates[0].finish);
    }

    #[test]
    fn nothing_comes_of_a_stream_that_broke_off_wherever_it_did() {
        for (dialect, text) in STREAMS {
            for (at, _) in text.char_indices() {
                let beginning = &text[..at];
                let mut stream = UpstreamStream::new(dialect, "c0ffee");
                stream.feed(beginning.as_ref(), &mut Vec::new());
                // What has said its last word has ended, whatever became of the connection.
                let has_ended = stream.is_over();
                let found = gathered(dialect, beginning, Ending::Dropped);
                assert_eq!(found.is_some(), has_ended, "{beginning}");
            }
        }
    }

    #[test]
    fn nothing_comes_of_a_stream_that_is_too_long_or_holds_what_no_event_says() {
        let (dialect, text) = STREAMS[0];
        let mut stream = UpstreamStream::new(dialect, "c0ffee");
        let mut events = Vec::new();
        stream.feed(text.as_bytes(), &mut events);
        let mut short = Gathering::new(200);
        events.iter().for_each(|event| short.hear(event));
        assert!(short.whole().is_none());
        let probable = text.replacen(
            "\"finish_reason\":null",
            "\"logprobs\":{\"content\":[]},\"finish_reason\":null",
            1,
        );
        assert_ne!(probable, text);
        assert_eq!(gathered(dialect, &probable, Ending::Clean), None);
        let cited = STREAMS[2].1.replacen(
            "{\"type\":\"text_delta\",",
            "{\"type\":\"citations_delta\",",
            1,
        );
        assert_eq!(gathered(Dialect::Anthropic, &cited, Ending::Clean), None);
        let grounded = STREAMS[4].1.replacen(
            "\"finishReason\"",
            "\"groundingMetadata\":{\"webSearchQueries\":[\"q\"]},\"finishReason\"",
            1,
        );
        assert_ne!(grounded, STREAMS[4].1);
        assert_eq!(gathered(Dialect::Gemini, &grounded, Ending::Clean), None);
    }
}
