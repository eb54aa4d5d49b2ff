//! A streamed response for a caller.

mod items;
mod open;

use serde_json::Value;

use crate::answer::{Stamp, kind_of};
use crate::failure::{Failure, FailureKind};
use crate::json::{Object, object};
use crate::loss::Losses;
use crate::model::{Delta, Event, Finish};
use crate::responses::response::{envelope, seal, status, write_usage};
use crate::signature::Belongs;
use crate::sse;
use crate::surface_error;
use crate::usage::Usage;

use open::{Kind, Open};

/// The most bytes of an answer that are held: the last event repeats it whole.
const MOST_HELD: usize = 16 * 1024 * 1024;

/// Writes events.
#[derive(Debug)]
pub(crate) struct Writer {
    stamp: Stamp,
    model: String,
    started: bool,
    sequence: u64,
    output: Vec<Value>,
    open: Option<Open>,
    held: usize,
    usage: Option<Usage>,
    finish: Option<Finish>,
}

impl Writer {
    pub(crate) fn new(stamp: Stamp) -> Self {
        Self {
            model: stamp.model.clone(),
            stamp,
            started: false,
            sequence: 0,
            output: Vec::new(),
            open: None,
            held: 0,
            usage: None,
            finish: None,
        }
    }

    pub(crate) fn event(
        &mut self,
        event: &Event,
        losses: &mut Losses,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        match event {
            Event::Start { model, .. } => {
                self.model = self.stamp.model(model).to_owned();
                self.start(out);
            }
            Event::Delta {
                candidate: 0,
                delta,
            } => {
                self.start(out);
                self.delta(delta, losses, out)?;
            }
            Event::Delta { .. } => losses.dropped("answer.candidates"),
            Event::Finish {
                candidate: 0,
                finish,
            } => self.finish = Some(finish.clone()),
            Event::Finish { .. } => {}
            Event::Usage(usage) => self.usage.get_or_insert_default().update(usage),
            Event::Ping => out.extend_from_slice(b": ping\n\n"),
            Event::End => {
                self.start(out);
                self.end(out);
            }
            Event::Failed(failure) => self.failed(failure, out),
        }
        Ok(())
    }

    /// Two events say that it failed: clients of the two generations of the SDK look for one each.
    fn failed(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        self.start(out);
        let error = surface_error::responses(failure, self.sequence);
        let mut response = envelope(
            &self.stamp,
            &self.model,
            "failed",
            std::mem::take(&mut self.output),
        );
        let code = match failure.kind {
            FailureKind::RateLimited | FailureKind::Overloaded => "rate_limit_exceeded",
            FailureKind::InvalidRequest => "invalid_prompt",
            _ => "server_error",
        };
        let message = failure.message.as_str();
        response.insert(
            "error".to_owned(),
            Value::Object(object! {"code": code, "message": message}),
        );
        if let Some(usage) = &failure.usage {
            response.insert("usage".to_owned(), Value::Object(write_usage(usage)));
        }
        self.emit("response.failed", object! {"response": response}, out);
        let mut error = error;
        error.insert("sequence_number".to_owned(), Value::from(self.sequence));
        sse::write(Some("error"), &error, out);
    }

    fn start(&mut self, out: &mut Vec<u8>) {
        if self.started {
            return;
        }
        self.started = true;
        for name in ["response.created", "response.in_progress"] {
            let response = envelope(&self.stamp, &self.model, "in_progress", Vec::new());
            self.emit(name, object! {"response": response}, out);
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        let (word, details) = status(self.finish.as_ref());
        self.close(
            if word == "completed" {
                "completed"
            } else {
                "incomplete"
            },
            out,
        );
        let mut response = envelope(
            &self.stamp,
            &self.model,
            word,
            std::mem::take(&mut self.output),
        );
        response.insert("incomplete_details".to_owned(), details);
        if let Some(usage) = self.usage.as_ref().filter(|usage| !usage.is_unknown()) {
            response.insert("usage".to_owned(), Value::Object(write_usage(usage)));
        }
        let name = match word {
            "completed" => "response.completed",
            "failed" => "response.failed",
            _ => "response.incomplete",
        };
        self.emit(name, object! {"response": response}, out);
    }

    fn delta(
        &mut self,
        delta: &Delta,
        losses: &mut Losses,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        match delta {
            Delta::Text(text) => self.say(Kind::Text, text, out)?,
            Delta::Refusal(text) => self.say(Kind::Refusal, text, out)?,
            Delta::Thinking(text) => self.say(Kind::Thinking, text, out)?,
            Delta::Signature {
                signature,
                text: false,
            } => {
                if self
                    .open
                    .as_ref()
                    .is_none_or(|open| open.kind != Kind::Thinking)
                {
                    self.open(Kind::Thinking, out);
                }
                self.close_sealed(Some(seal(signature, Belongs::Thought)), "completed", out);
            }
            Delta::Signature {
                signature,
                text: true,
            } => self.holder(signature, Belongs::NextText, out),
            Delta::Redacted(signature) => self.holder(signature, Belongs::Redacted, out),
            Delta::ToolStart {
                call,
                id,
                name,
                signature,
            } => {
                if let Some(signature) = signature {
                    self.holder(signature, Belongs::NextCall, out);
                }
                let kind = Kind::Call {
                    number: *call,
                    id: id.clone(),
                    name: name.clone(),
                };
                self.open(kind, out);
            }
            Delta::ToolArguments { call, text } => {
                match &self.open {
                    Some(Open {
                        kind: Kind::Call { number, .. },
                        ..
                    }) if number == call => {}
                    _ => {
                        return Err(Failure::new(
                            FailureKind::StreamMalformed,
                            "the provider mixed the arguments of two tool calls",
                        ));
                    }
                }
                self.append(text, out)?;
            }
            Delta::Other(other) => losses.dropped(format!("answer.{}", kind_of(other))),
        }
        Ok(())
    }

    fn say(&mut self, kind: Kind, text: &str, out: &mut Vec<u8>) -> Result<(), Failure> {
        if self.open.as_ref().is_none_or(|open| open.kind != kind) {
            self.open(kind, out);
        }
        self.append(text, out)
    }

    fn append(&mut self, text: &str, out: &mut Vec<u8>) -> Result<(), Failure> {
        self.held += text.len();
        if self.held > MOST_HELD {
            return Err(Failure::new(
                FailureKind::StreamMalformed,
                "the provider's answer is too long",
            ));
        }
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        open.text.push_str(text);
        let (name, place) = match open.kind {
            Kind::Text => ("response.output_text.delta", "content_index"),
            Kind::Refusal => ("response.refusal.delta", "content_index"),
            Kind::Thinking => ("response.reasoning_summary_text.delta", "summary_index"),
            Kind::Call { .. } => ("response.function_call_arguments.delta", ""),
        };
        let mut event = self.item_event(place);
        event.insert("delta".to_owned(), Value::from(text));
        if name == "response.output_text.delta" {
            event.insert("logprobs".to_owned(), Value::Array(Vec::new()));
        }
        self.emit(name, event, out);
        Ok(())
    }

    fn emit(&mut self, name: &str, mut event: Object, out: &mut Vec<u8>) {
        let mut named = object! {"type": name, "sequence_number": self.sequence};
        named.append(&mut event);
        self.sequence += 1;
        sse::write(Some(name), &named, out);
    }
}
