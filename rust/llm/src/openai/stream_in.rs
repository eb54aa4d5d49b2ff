//! Chunks of a streamed chat completion.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::dialect::Dialect;
use crate::failure::{Failure, FailureKind};
use crate::json::{Object, count, holds_more, read_answer, text};
use crate::model::{Delta, Event, Origin, Signature};
use crate::openai::google_seal::take_google_seal;
use crate::openai::response::{finish_of, read_usage, thinking_text};
use crate::provider_error;
use crate::write::made_up_id;

/// The most tool calls of one answer.
const MOST_CALLS: usize = 1_024;

/// What is read of chunks, and what is about their making alone.
const KNOWN_OF_CHUNKS: &[&str] = &[
    "id",
    "object",
    "created",
    "model",
    "choices",
    "usage",
    "service_tier",
    "system_fingerprint",
    "obfuscation",
    "p",
];
const KNOWN_OF_CHOICES: &[&str] = &["index", "delta", "finish_reason", "usage"];
const KNOWN_OF_DELTAS: &[&str] = &[
    "role",
    "content",
    "reasoning_content",
    "reasoning",
    "refusal",
    "tool_calls",
];

/// Reads chunks.
#[derive(Debug)]
pub(crate) struct Reader {
    dialect: Dialect,
    answer: String,
    started: bool,
    /// Whether the provider said what stands in no event.
    pub(crate) leaves_out: bool,
    /// Of each answer, the provider's numbers of its calls, in the order in which they began.
    calls: BTreeMap<u64, Vec<Call>>,
}

#[derive(Debug)]
struct Call {
    number: u64,
    id: String,
}

impl Reader {
    pub(crate) fn new(dialect: Dialect, answer: String) -> Self {
        Self {
            dialect,
            answer,
            started: false,
            leaves_out: false,
            calls: BTreeMap::new(),
        }
    }

    /// One event's data. `Ok(true)` says that it was the last.
    pub(crate) fn data(&mut self, data: &[u8], out: &mut Vec<Event>) -> Result<bool, Failure> {
        if data.trim_ascii() == b"[DONE]" {
            return Ok(true);
        }
        let mut chunk = read_answer(data)?;
        if chunk.get("error").is_some_and(|error| !error.is_null())
            || text(&chunk, "object") == Some("error")
        {
            return Err(provider_error::read_object(self.dialect, None, &chunk));
        }
        self.leaves_out |= holds_more(&chunk, KNOWN_OF_CHUNKS);
        let choices = match chunk.shift_remove("choices") {
            Some(Value::Array(choices)) => choices,
            None | Some(Value::Null) if chunk.contains_key("usage") => Vec::new(),
            _ => return Err(malformed("a chunk has no `choices`")),
        };
        // Usage first: a writer can tell it as it begins.
        if let Some(usage) = chunk.get("usage").and_then(Value::as_object) {
            out.push(Event::Usage(read_usage(usage)));
        }
        if !self.started {
            self.started = true;
            out.push(Event::Start {
                id: text(&chunk, "id").unwrap_or_default().to_owned(),
                model: text(&chunk, "model").unwrap_or_default().to_owned(),
                created: chunk.get("created").and_then(count),
            });
        }
        for choice in choices {
            let Value::Object(choice) = choice else {
                return Err(malformed("a choice is no object"));
            };
            self.choice(choice, out)?;
        }
        Ok(false)
    }

    fn choice(&mut self, mut choice: Object, out: &mut Vec<Event>) -> Result<(), Failure> {
        self.leaves_out |= holds_more(&choice, KNOWN_OF_CHOICES);
        let candidate = choice.get("index").and_then(count).unwrap_or(0);
        // Moonshot puts what a stream took into its last choice.
        if let Some(usage) = choice.get("usage").and_then(Value::as_object) {
            out.push(Event::Usage(read_usage(usage)));
        }
        if let Some(Value::Object(delta)) = choice.shift_remove("delta") {
            self.delta(candidate, delta, out)?;
        }
        match choice.get("finish_reason") {
            None | Some(Value::Null) => {}
            Some(Value::String(word)) => out.push(Event::Finish {
                candidate,
                finish: finish_of(word),
            }),
            Some(_) => return Err(malformed("`finish_reason` is no text")),
        }
        Ok(())
    }

    fn delta(
        &mut self,
        candidate: u64,
        mut delta: Object,
        out: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        self.leaves_out |= holds_more(&delta, KNOWN_OF_DELTAS);
        let mut push = |delta| out.push(Event::Delta { candidate, delta });
        if let Some(text) = ["reasoning_content", "reasoning"]
            .into_iter()
            .find_map(|name| text(&delta, name))
            .filter(|text| !text.is_empty())
        {
            push(Delta::Thinking(text.to_owned()));
        }
        match delta.shift_remove("content") {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) if text.is_empty() => {}
            Some(Value::String(text)) => push(Delta::Text(text)),
            Some(Value::Array(chunks)) => {
                for chunk in chunks {
                    let Value::Object(chunk) = chunk else {
                        return Err(malformed("a piece of `content` is no object"));
                    };
                    push(match text(&chunk, "type") {
                        Some("text") => {
                            Delta::Text(text(&chunk, "text").unwrap_or_default().to_owned())
                        }
                        Some("thinking") => Delta::Thinking(thinking_text(&chunk)),
                        _ => Delta::Other(chunk),
                    });
                }
            }
            Some(_) => return Err(malformed("`content` is neither text nor a list")),
        }
        if let Some(refusal) = text(&delta, "refusal").filter(|text| !text.is_empty()) {
            push(Delta::Refusal(refusal.to_owned()));
        }
        let calls = match delta.shift_remove("tool_calls") {
            Some(Value::Array(calls)) => calls,
            None | Some(Value::Null) => Vec::new(),
            Some(_) => return Err(malformed("`tool_calls` is no list")),
        };
        for call in calls {
            let Value::Object(call) = call else {
                return Err(malformed("a tool call is no object"));
            };
            self.call(candidate, call, out)?;
        }
        Ok(())
    }

    fn call(
        &mut self,
        candidate: u64,
        mut call: Object,
        out: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        let signature: Option<Signature> = take_google_seal(&mut call);
        let id = text(&call, "id")
            .filter(|id| !id.is_empty() && *id != "null")
            .map(str::to_owned);
        let function = match call.get("function") {
            Some(Value::Object(function)) => Some(function),
            _ => None,
        };
        let name = function
            .and_then(|function| text(function, "name"))
            .filter(|name| !name.is_empty());
        let answer = &self.answer;
        let calls = self.calls.entry(candidate).or_default();
        let number = call.get("index").and_then(count);
        // Mistral sends whole calls, and some servers the same number for each: another id is another call.
        let known = calls.iter().rposition(|call| {
            number.is_none_or(|number| number == call.number)
                && id.as_ref().is_none_or(|id| *id == call.id)
        });
        let whole = number.is_none() && id.is_none() && name.is_some();
        let place = match known.filter(|_| !whole) {
            Some(place) => place,
            None => {
                let Some(name) = name else {
                    return Err(malformed("a tool call begins without a name"));
                };
                if calls.len() >= MOST_CALLS {
                    return Err(malformed("there are too many tool calls"));
                }
                let place = calls.len();
                let id = id.unwrap_or_else(|| made_up_id(answer, candidate * 1_000 + place as u64));
                calls.push(Call {
                    number: number.unwrap_or(place as u64),
                    id: id.clone(),
                });
                out.push(Event::Delta {
                    candidate,
                    delta: Delta::ToolStart {
                        call: place as u64,
                        id,
                        name: name.to_owned(),
                        signature: signature
                            .filter(|seal| seal.origin == Origin::Dialect(Dialect::Gemini)),
                    },
                });
                place
            }
        };
        let arguments = match function.and_then(|function| function.get("arguments")) {
            None | Some(Value::Null) => return Ok(()),
            Some(Value::String(text)) if text.is_empty() => return Ok(()),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        out.push(Event::Delta {
            candidate,
            delta: Delta::ToolArguments {
                call: place as u64,
                text: arguments,
            },
        });
        Ok(())
    }
}

fn malformed(what: &str) -> Failure {
    Failure::new(
        FailureKind::StreamMalformed,
        format!("the provider's stream is malformed: {what}"),
    )
}
