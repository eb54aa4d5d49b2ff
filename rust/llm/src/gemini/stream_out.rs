//! A streamed answer for a caller of Gemini's surface.

use serde_json::Value;

use crate::answer::{Stamp, kind_of};
use crate::failure::{Failure, FailureKind};
use crate::gemini::response::{finish_word, put_seal, write_call, write_usage};
use crate::json::{Object, arguments, object};
use crate::loss::Losses;
use crate::model::{Delta, Event, Finish, FinishReason, Signature};
use crate::signature::Belongs;
use crate::sse;
use crate::surface_error;
use crate::usage::Usage;

/// The longest arguments of a call: Gemini has no pieces of arguments, so they are held until the call is whole.
const MOST_ARGUMENTS: usize = 4 * 1024 * 1024;

/// Writes chunks.
#[derive(Debug)]
pub(crate) struct Writer {
    stamp: Stamp,
    id: String,
    model: String,
    usage: Option<Usage>,
    calls: Vec<Call>,
    held: usize,
    finishes: Vec<(u64, Finish)>,
    text_seal: Option<Signature>,
}

#[derive(Debug)]
struct Call {
    candidate: u64,
    number: u64,
    id: String,
    name: String,
    arguments: String,
    signature: Option<Signature>,
}

impl Writer {
    pub(crate) fn new(stamp: Stamp) -> Self {
        Self {
            id: stamp.answer_id("", ""),
            model: stamp.model.clone(),
            stamp,
            usage: None,
            calls: Vec::new(),
            held: 0,
            finishes: Vec::new(),
            text_seal: None,
        }
    }

    pub(crate) fn event(
        &mut self,
        event: &Event,
        losses: &mut Losses,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        match event {
            Event::Start { id, model, .. } => {
                self.id = self.stamp.answer_id(id, "");
                self.model = self.stamp.model(model).to_owned();
            }
            Event::Delta { candidate, delta } => self.delta(*candidate, delta, losses, out)?,
            Event::Finish { candidate, finish } => {
                self.flush(Some(finish), losses, out)?;
                self.finishes.push((*candidate, finish.clone()));
            }
            Event::Usage(usage) => self.usage.get_or_insert_default().update(usage),
            // Google has no sign of life; a comment is none of its SDK's business, which reads it as JSON.
            Event::Ping => {}
            Event::End => {
                self.flush(None, losses, out)?;
                self.end(out);
            }
            Event::Failed(failure) => sse::write(None, &surface_error::gemini(failure), out),
        }
        Ok(())
    }

    fn delta(
        &mut self,
        candidate: u64,
        delta: &Delta,
        losses: &mut Losses,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        let part = match delta {
            Delta::Text(text) => {
                let mut part = object! {"text": text.as_str()};
                put_seal(self.text_seal.take().as_ref(), Belongs::NextText, &mut part);
                part
            }
            Delta::Refusal(text) => object! {"text": text.as_str()},
            Delta::Thinking(text) => object! {"text": text.as_str(), "thought": true},
            Delta::Signature {
                signature,
                text: true,
            } => {
                self.text_seal = Some(signature.clone());
                return Ok(());
            }
            Delta::Signature {
                signature,
                text: false,
            } => {
                let mut part = object! {"text": "", "thought": true};
                put_seal(Some(signature), Belongs::Thought, &mut part);
                part
            }
            Delta::Redacted(signature) => {
                let mut part = object! {"text": "", "thought": true};
                put_seal(Some(signature), Belongs::Redacted, &mut part);
                part
            }
            Delta::ToolStart {
                call,
                id,
                name,
                signature,
            } => {
                self.calls.push(Call {
                    candidate,
                    number: *call,
                    id: id.clone(),
                    name: name.clone(),
                    arguments: String::new(),
                    signature: signature.clone(),
                });
                return Ok(());
            }
            Delta::ToolArguments { call, text } => {
                self.held += text.len();
                let open = self
                    .calls
                    .iter_mut()
                    .find(|open| open.candidate == candidate && open.number == *call);
                return match open {
                    Some(open) if self.held <= MOST_ARGUMENTS => {
                        open.arguments.push_str(text);
                        Ok(())
                    }
                    _ => Err(malformed("arguments of a call are too long, or of no call")),
                };
            }
            Delta::Other(other) => match other.get("inlineData") {
                Some(data) => object! {"inlineData": data.clone()},
                None => {
                    losses.dropped(format!("answer.{}", kind_of(other)));
                    return Ok(());
                }
            },
        };
        self.chunk(candidate, Some(part), None, None, out);
        Ok(())
    }

    /// Writes the calls that are whole now. One that the token limit cut off cannot be said in this language, and is left out.
    fn flush(
        &mut self,
        finish: Option<&Finish>,
        losses: &mut Losses,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        self.held = 0;
        for call in std::mem::take(&mut self.calls) {
            match arguments(&call.arguments) {
                Some(args) => {
                    let part = write_call(&call.id, &call.name, args, call.signature.as_ref());
                    self.chunk(call.candidate, Some(part), None, None, out);
                }
                None if finish.is_some_and(|finish| finish.reason == FinishReason::Length) => {
                    losses.dropped("answer.tool_calls.arguments");
                }
                None => return Err(malformed("the arguments of a call are no JSON object")),
            }
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        let usage = self.usage.take();
        let finishes = std::mem::take(&mut self.finishes);
        let last = finishes.len().saturating_sub(1);
        for (n, (candidate, finish)) in finishes.iter().enumerate() {
            let usage = usage.as_ref().filter(|_| n == last);
            self.chunk(*candidate, None, Some(finish_word(finish)), usage, out);
        }
    }

    fn chunk(
        &mut self,
        candidate: u64,
        part: Option<Object>,
        finish: Option<&str>,
        usage: Option<&Usage>,
        out: &mut Vec<u8>,
    ) {
        // A seal whose text never came stands alone, in an empty text.
        let part = part.or_else(|| {
            let seal = self.text_seal.take()?;
            let mut part = object! {"text": ""};
            put_seal(Some(&seal), Belongs::NextText, &mut part);
            Some(part)
        });
        let parts: Vec<Value> = part.into_iter().map(Value::Object).collect();
        let mut written = object! {"content": object! {"role": "model", "parts": parts}};
        if let Some(word) = finish {
            written.insert("finishReason".to_owned(), Value::from(word));
        }
        written.insert("index".to_owned(), Value::from(candidate));
        let mut chunk = object! {"candidates": vec![Value::Object(written)]};
        if let Some(usage) = usage.filter(|usage| !usage.is_unknown()) {
            chunk.insert(
                "usageMetadata".to_owned(),
                Value::Object(write_usage(usage)),
            );
        }
        chunk.insert("modelVersion".to_owned(), Value::from(self.model.as_str()));
        chunk.insert("responseId".to_owned(), Value::from(self.id.as_str()));
        sse::write(None, &chunk, out);
    }
}

fn malformed(what: &str) -> Failure {
    Failure::new(
        FailureKind::StreamMalformed,
        format!("the provider's stream is malformed: {what}"),
    )
}
