//! Chunks of a streamed answer, each a whole answer with the next parts.

use serde_json::Value;

use crate::dialect::Dialect;
use crate::failure::{Failure, FailureKind};
use crate::gemini::response::{block_reason, blocked, finish_of, read_part, read_usage};
use crate::json::{Object, count, holds_more, object, read_answer, text};
use crate::model::{Delta, Event, Media, Part, Source};
use crate::provider_error;

/// What is read of chunks, and what is about their making alone.
const KNOWN_OF_CHUNKS: &[&str] = &[
    "candidates",
    "usageMetadata",
    "modelVersion",
    "responseId",
    "promptFeedback",
    "createTime",
];
const KNOWN_OF_CANDIDATES: &[&str] = &["index", "content", "finishReason", "tokenCount"];

/// Reads chunks.
#[derive(Debug)]
pub(crate) struct Reader {
    answer: String,
    started: bool,
    /// Whether the provider said what stands in no event.
    pub(crate) leaves_out: bool,
    /// How many calls each answer made.
    calls: Vec<(u64, u64)>,
}

impl Reader {
    pub(crate) fn new(answer: String) -> Self {
        Self {
            answer,
            started: false,
            leaves_out: false,
            calls: Vec::new(),
        }
    }

    /// One event's data. There is no last one: the end of the body is the end.
    pub(crate) fn data(&mut self, data: &[u8], out: &mut Vec<Event>) -> Result<bool, Failure> {
        let mut chunk = read_answer(data)?;
        if chunk.contains_key("error") {
            return Err(provider_error::read_object(Dialect::Gemini, None, &chunk));
        }
        self.leaves_out |= holds_more(&chunk, KNOWN_OF_CHUNKS);
        // Usage first: a writer can tell it as it begins.
        if let Some(usage) = chunk.get("usageMetadata").and_then(Value::as_object) {
            out.push(Event::Usage(read_usage(usage)));
        }
        if !self.started {
            self.started = true;
            out.push(Event::Start {
                id: text(&chunk, "responseId").unwrap_or_default().to_owned(),
                model: text(&chunk, "modelVersion").unwrap_or_default().to_owned(),
                created: None,
            });
        }
        let block = block_reason(&chunk);
        match chunk.shift_remove("candidates") {
            Some(Value::Array(list)) => {
                for (n, candidate) in list.into_iter().enumerate() {
                    let Value::Object(candidate) = candidate else {
                        return Err(malformed("a candidate is no object"));
                    };
                    self.candidate(candidate, n as u64, out)?;
                }
            }
            None | Some(Value::Null) => match block {
                Some(reason) => out.push(Event::Finish {
                    candidate: 0,
                    finish: blocked(&reason),
                }),
                None if chunk.contains_key("usageMetadata") => {}
                None => {
                    return Err(malformed(
                        "a chunk has neither `candidates` nor `usageMetadata`",
                    ));
                }
            },
            Some(_) => return Err(malformed("`candidates` is no list")),
        }
        Ok(false)
    }

    fn candidate(
        &mut self,
        mut candidate: Object,
        n: u64,
        out: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        self.leaves_out |= holds_more(&candidate, KNOWN_OF_CANDIDATES);
        let index = candidate.get("index").and_then(count).unwrap_or(n);
        let mut calls = self
            .calls
            .iter()
            .find(|(other, _)| *other == index)
            .map_or(0, |(_, calls)| *calls);
        let parts = match candidate.get_mut("content").and_then(Value::as_object_mut) {
            Some(content) => content.shift_remove("parts"),
            None => None,
        };
        let parts = match parts {
            Some(Value::Array(parts)) => parts,
            None | Some(Value::Null) => Vec::new(),
            Some(_) => return Err(malformed("`parts` is no list")),
        };
        for part in parts {
            let Value::Object(part) = part else {
                return Err(malformed("a part is no object"));
            };
            let before = calls;
            let part = read_part(part, &self.answer, index, &mut calls);
            for delta in deltas(part, before) {
                out.push(Event::Delta {
                    candidate: index,
                    delta,
                });
            }
        }
        self.calls.retain(|(other, _)| *other != index);
        if self.calls.len() < 64 {
            self.calls.push((index, calls));
        }
        match candidate.get("finishReason") {
            None | Some(Value::Null) => {}
            Some(Value::String(word)) => out.push(Event::Finish {
                candidate: index,
                finish: finish_of(word, calls > 0),
            }),
            Some(_) => return Err(malformed("`finishReason` is no text")),
        }
        Ok(())
    }
}

fn deltas(part: Part, call: u64) -> Vec<Delta> {
    match part {
        Part::Text(text) => {
            let seal = text.signature.map(|signature| Delta::Signature {
                signature,
                text: true,
            });
            let text = (!text.text.is_empty()).then_some(Delta::Text(text.text));
            // The seal of a text stands before it, where writers need it.
            seal.into_iter().chain(text).collect()
        }
        Part::Thinking(thinking) => {
            let text = (!thinking.text.is_empty()).then_some(Delta::Thinking(thinking.text));
            let seal = thinking.signature.map(|signature| Delta::Signature {
                signature,
                text: false,
            });
            text.into_iter().chain(seal).collect()
        }
        Part::ToolCall(tool) => vec![
            Delta::ToolStart {
                call,
                id: tool.id,
                name: tool.name,
                signature: tool.signature,
            },
            Delta::ToolArguments {
                call,
                text: tool.arguments,
            },
        ],
        Part::Media(Media {
            source: Source::Data { media_type, data },
            ..
        }) => vec![Delta::Other(object! {
            "type": "media",
            "inlineData": object! {"mimeType": media_type, "data": data},
        })],
        Part::Other(other) => vec![Delta::Other(other)],
        Part::Refusal(text) => vec![Delta::Refusal(text)],
        Part::Media(_) | Part::ToolResult(_) => Vec::new(),
    }
}

fn malformed(what: &str) -> Failure {
    Failure::new(
        FailureKind::StreamMalformed,
        format!("the provider's stream is malformed: {what}"),
    )
}
