//! A streamed chat completion for a caller.

use serde_json::Value;

use crate::answer::{Stamp, kind_of};
use crate::dialect::Dialect;
use crate::failure::Failure;
use crate::json::{Object, object};
use crate::loss::Losses;
use crate::model::{Delta, Event, Origin};
use crate::openai::google_seal::google_seal;
use crate::openai::response::{HOME, detail, finish_word, write_usage};
use crate::signature::{Belongs, pack};
use crate::sse;
use crate::surface_error;
use crate::usage::Usage;

/// Writes chunks.
#[derive(Debug)]
pub(crate) struct Writer {
    stamp: Stamp,
    id: String,
    model: String,
    created: u64,
    /// Answers that have begun.
    begun: Vec<u64>,
    usage: Option<Usage>,
    wants_usage: bool,
    /// The thought so far, which goes once more with its seal, so that callers can send both back together.
    thought: String,
}

impl Writer {
    pub(crate) fn new(stamp: Stamp, wants_usage: bool) -> Self {
        Self {
            id: stamp.answer_id("", "chatcmpl-"),
            model: stamp.model.clone(),
            created: stamp.now,
            stamp,
            begun: Vec::new(),
            usage: None,
            wants_usage,
            thought: String::new(),
        }
    }

    pub(crate) fn event(
        &mut self,
        event: &Event,
        losses: &mut Losses,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        match event {
            Event::Start { id, model, created } => {
                self.id = self.stamp.answer_id(id, "chatcmpl-");
                self.model = self.stamp.model(model).to_owned();
                self.created = created.unwrap_or(self.stamp.now);
            }
            Event::Delta { candidate, delta } => {
                if let Some(delta) = self.write_delta(delta, losses) {
                    self.begin(*candidate, out);
                    self.chunk(*candidate, delta, None, out);
                }
            }
            Event::Finish { candidate, finish } => {
                self.begin(*candidate, out);
                self.chunk(*candidate, Object::new(), Some(finish_word(finish)), out);
            }
            Event::Usage(usage) => self.usage.get_or_insert_default().update(usage),
            Event::Ping => out.extend_from_slice(b": ping\n\n"),
            Event::End => {
                if self.wants_usage {
                    // `null` says that the provider did not tell; 0 would be a lie.
                    let usage = self
                        .usage
                        .as_ref()
                        .map_or(Value::Null, |usage| Value::Object(write_usage(usage)));
                    let mut chunk = self.envelope(Vec::new());
                    chunk.insert("usage".to_owned(), usage);
                    sse::write(None, &chunk, out);
                }
                out.extend_from_slice(b"data: [DONE]\n\n");
            }
            // No `[DONE]` follows: nothing is done.
            Event::Failed(failure) => sse::write(None, &surface_error::openai(failure), out),
        }
        Ok(())
    }

    fn begin(&mut self, candidate: u64, out: &mut Vec<u8>) {
        if !self.begun.contains(&candidate) {
            self.begun.push(candidate);
            self.chunk(
                candidate,
                object! {"role": "assistant", "content": ""},
                None,
                out,
            );
        }
    }

    fn chunk(&self, candidate: u64, delta: Object, finish: Option<&str>, out: &mut Vec<u8>) {
        let choice = object! {
            "index": candidate,
            "delta": delta,
            "finish_reason": finish.map_or(Value::Null, Value::from),
        };
        sse::write(None, &self.envelope(vec![Value::Object(choice)]), out);
    }

    fn envelope(&self, choices: Vec<Value>) -> Object {
        object! {
            "id": self.id.as_str(),
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model.as_str(),
            "choices": choices,
        }
    }

    fn write_delta(&mut self, delta: &Delta, losses: &mut Losses) -> Option<Object> {
        Some(match delta {
            Delta::Text(text) => object! {"content": text.as_str()},
            Delta::Refusal(text) => object! {"refusal": text.as_str()},
            Delta::Thinking(text) => {
                self.thought.push_str(text);
                object! {"reasoning_content": text.as_str()}
            }
            Delta::Signature { signature, text } => {
                let (thought, belongs) = if *text {
                    (String::new(), Belongs::NextText)
                } else {
                    (std::mem::take(&mut self.thought), Belongs::Thought)
                };
                object! {"reasoning_details": vec![detail(&thought, &pack(signature, belongs, HOME), false)]}
            }
            Delta::Redacted(signature) => {
                object! {"reasoning_details": vec![detail("", &pack(signature, Belongs::Redacted, HOME), true)]}
            }
            Delta::ToolStart {
                call,
                id,
                name,
                signature,
            } => {
                let mut written = object! {
                    "index": *call,
                    "id": id.as_str(),
                    "type": "function",
                    "function": object! {"name": name.as_str(), "arguments": ""},
                };
                if let Some(signature) = signature
                    .as_ref()
                    .filter(|signature| signature.origin == Origin::Dialect(Dialect::Gemini))
                {
                    written.insert("extra_content".to_owned(), google_seal(&signature.value));
                }
                object! {"tool_calls": vec![Value::Object(written)]}
            }
            Delta::ToolArguments { call, text } => {
                let written =
                    object! {"index": *call, "function": object! {"arguments": text.as_str()}};
                object! {"tool_calls": vec![Value::Object(written)]}
            }
            Delta::Other(other) => {
                losses.dropped(format!("answer.{}", kind_of(other)));
                return None;
            }
        })
    }
}
