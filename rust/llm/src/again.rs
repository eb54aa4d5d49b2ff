//! Whole answers that are given again, as streams too.

use crate::json::Object;
use crate::model::{ChatResponse, Delta, Event, FinishReason, Part, Signature};

impl ChatResponse {
    /// Whether each of its answers came to an end of its own: nothing was filtered, paused, refused, or left out.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        let ended = |finish: FinishReason| {
            matches!(
                finish,
                FinishReason::Stop
                    | FinishReason::StopSequence
                    | FinishReason::Length
                    | FinishReason::ToolCalls
            )
        };
        let mut finishes = self.candidates.iter().map(|candidate| &candidate.finish);
        !self.candidates.is_empty()
            && finishes.all(|finish| finish.as_ref().is_some_and(|finish| ended(finish.reason)))
    }

    /// Why it ended, as far as the provider said; of several answers, of the one that ended least as it was wished for.
    #[must_use]
    pub fn reason(&self) -> Option<FinishReason> {
        let finishes = self.candidates.iter().map(|candidate| &candidate.finish);
        finishes.flatten().map(|finish| finish.reason).max()
    }

    /// The events of a stream that says the same; `None` when a piece of it has none.
    #[must_use]
    pub fn events(&self) -> Option<Vec<Event>> {
        let mut events = vec![Event::Start {
            id: self.id.clone(),
            model: self.model.clone(),
            created: self.created,
        }];
        for candidate in &self.candidates {
            let (mut deltas, mut calls) = (Vec::new(), 0);
            for part in &candidate.parts {
                push(part, &mut calls, &mut deltas)?;
            }
            events.extend(deltas.into_iter().map(|delta| Event::Delta {
                candidate: candidate.index,
                delta,
            }));
            events.extend(candidate.finish.iter().map(|finish| Event::Finish {
                candidate: candidate.index,
                finish: finish.clone(),
            }));
        }
        events.extend(self.usage.map(Event::Usage));
        events.push(Event::End);
        Some(events)
    }
}

/// Unknown fields of a piece stay behind, as they do when a provider streams.
fn push(part: &Part, calls: &mut u64, deltas: &mut Vec<Delta>) -> Option<()> {
    let seal = |signature: &Option<Signature>, text| {
        let signature = signature.clone()?;
        Some(Delta::Signature { signature, text })
    };
    match part {
        Part::Text(part) => {
            deltas.push(Delta::Text(part.text.clone()));
            deltas.extend(seal(&part.signature, true));
        }
        Part::Refusal(words) => deltas.push(Delta::Refusal(words.clone())),
        Part::Thinking(thought) if thought.redacted => {
            deltas.extend(thought.signature.clone().map(Delta::Redacted));
        }
        Part::Thinking(thought) => {
            deltas.push(Delta::Thinking(thought.text.clone()));
            deltas.extend(seal(&thought.signature, false));
        }
        Part::ToolCall(call) => {
            deltas.push(Delta::ToolStart {
                call: *calls,
                id: call.id.clone(),
                name: call.name.clone(),
                signature: call.signature.clone(),
            });
            deltas.push(Delta::ToolArguments {
                call: *calls,
                text: call.arguments.clone(),
            });
            *calls += 1;
        }
        Part::Other(part) => deltas.push(Delta::Other(Object::clone(part))),
        Part::Media(_) | Part::ToolResult(_) => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use crate::*;

    const STAMP: fn() -> Stamp = || Stamp {
        id: "c0ffee".into(),
        now: 1,
        model: "fast".into(),
    };

    fn again(dialect: Dialect, answer: &str, surface: Surface) -> String {
        let response = read_response(dialect, "c0ffee", answer.as_bytes()).unwrap();
        let mut client = ClientStream::new(surface, STAMP(), true);
        let mut out = Vec::new();
        for event in response.events().unwrap() {
            client.write(&event, &mut out);
        }
        assert!(client.is_over() && client.failure().is_none(), "{answer}");
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_whole_answer_can_be_said_as_a_stream_in_every_language() {
        for (dialect, answer) in [
            (
                Dialect::Openai,
                include_str!("../tests/golden/answers/openai.parallel.json"),
            ),
            (
                Dialect::Anthropic,
                include_str!("../tests/golden/answers/anthropic.thinking.json"),
            ),
            (
                Dialect::Gemini,
                include_str!("../tests/golden/answers/gemini.thinking.json"),
            ),
            (
                Dialect::Ollama,
                include_str!("../tests/golden/answers/ollama.parallel.json"),
            ),
        ] {
            for surface in Surface::ALL {
                again(dialect, answer, surface);
            }
        }
        let plain = include_str!("../tests/golden/answers/openai.plain.json");
        assert!(again(Dialect::Openai, plain, Surface::AnthropicMessages).contains("message_stop"));
    }

    #[test]
    fn a_stream_that_is_said_again_reads_as_the_answer_that_was_given() {
        let answer = include_str!("../tests/golden/answers/anthropic.parallel.json");
        let given = read_response(Dialect::Anthropic, "c0ffee", answer.as_bytes()).unwrap();
        let said = again(Dialect::Anthropic, answer, Surface::AnthropicMessages);
        let mut stream = UpstreamStream::new(Dialect::Anthropic, "c0ffee");
        let mut events = Vec::new();
        stream.feed(said.as_bytes(), &mut events);
        stream.end(Ending::Clean, &mut events);
        let calls = |events: &[Event]| -> Vec<Event> {
            let is_said =
                |event: &&Event| matches!(event, Event::Delta { .. } | Event::Finish { .. });
            events.iter().filter(is_said).cloned().collect()
        };
        assert_eq!(calls(&events), calls(&given.events().unwrap()));
    }

    #[test]
    fn only_what_came_to_an_end_of_its_own_has_ended() {
        let ended = |dialect, answer: &str| {
            read_response(dialect, "c0ffee", answer.as_bytes())
                .unwrap()
                .has_ended()
        };
        let length = include_str!("../tests/golden/answers/openai.length.json");
        assert!(ended(Dialect::Openai, length));
        let refusal = include_str!("../tests/golden/answers/anthropic.refusal.json");
        assert!(!ended(Dialect::Anthropic, refusal));
        let filtered = include_str!("../tests/golden/answers/gemini.safety.json");
        assert!(!ended(Dialect::Gemini, filtered));
        let blocked = include_str!("../tests/golden/answers/gemini.blocked.json");
        assert!(!ended(Dialect::Gemini, blocked));
    }
}
