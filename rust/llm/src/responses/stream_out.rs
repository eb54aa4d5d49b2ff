//! A streamed response for a caller.

use serde_json::Value;

use crate::answer::{Stamp, kind_of};
use crate::failure::{Failure, FailureKind};
use crate::json::{Object, object};
use crate::loss::Losses;
use crate::model::{Delta, Event, Finish, Signature};
use crate::responses::response::{
    call, envelope, message, output_text, reasoning, refusal, seal, status, write_usage,
};
use crate::signature::Belongs;
use crate::sse;
use crate::surface_error;
use crate::usage::Usage;

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

/// The item that is being written.
#[derive(Debug)]
struct Open {
    kind: Kind,
    id: String,
    text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Text,
    Refusal,
    Thinking,
    Call {
        number: u64,
        id: String,
        name: String,
    },
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

    /// Where the open item stands, and its piece, which is always the first.
    fn item_event(&self, place: &str) -> Object {
        let id = self
            .open
            .as_ref()
            .map(|open| open.id.as_str())
            .unwrap_or_default();
        let mut event = object! {"item_id": id, "output_index": self.output.len()};
        if !place.is_empty() {
            event.insert(place.to_owned(), Value::from(0));
        }
        event
    }

    fn open(&mut self, kind: Kind, out: &mut Vec<u8>) {
        self.close("completed", out);
        let prefix = match kind {
            Kind::Text | Kind::Refusal => "msg",
            Kind::Thinking => "rs",
            Kind::Call { .. } => "fc",
        };
        let id = format!("{prefix}_{}_{}", self.stamp.id, self.output.len());
        let item = match &kind {
            Kind::Text | Kind::Refusal => message(&id, "in_progress", Vec::new()),
            Kind::Thinking => reasoning(&id, "", None),
            Kind::Call {
                id: call_id, name, ..
            } => call(&id, "in_progress", call_id, name, ""),
        };
        self.open = Some(Open {
            kind: kind.clone(),
            id,
            text: String::new(),
        });
        let index = self.output.len();
        self.emit(
            "response.output_item.added",
            object! {"output_index": index, "item": item},
            out,
        );
        let (name, place, part) = match kind {
            Kind::Text => (
                "response.content_part.added",
                "content_index",
                output_text(""),
            ),
            Kind::Refusal => ("response.content_part.added", "content_index", refusal("")),
            Kind::Thinking => (
                "response.reasoning_summary_part.added",
                "summary_index",
                Value::Object(object! {"type": "summary_text", "text": ""}),
            ),
            Kind::Call { .. } => return,
        };
        let mut event = self.item_event(place);
        event.insert("part".to_owned(), part);
        self.emit(name, event, out);
    }

    fn close(&mut self, status: &str, out: &mut Vec<u8>) {
        self.close_sealed(None, status, out);
    }

    fn close_sealed(&mut self, seal: Option<String>, status: &str, out: &mut Vec<u8>) {
        let Some(open) = &self.open else {
            return;
        };
        let (id, text) = (open.id.clone(), open.text.clone());
        let (item, done) = match &open.kind {
            Kind::Text => (
                message(&id, status, vec![output_text(&text)]),
                Some((
                    "response.output_text.done",
                    "response.content_part.done",
                    "content_index",
                    output_text(&text),
                )),
            ),
            Kind::Refusal => (
                message(&id, status, vec![refusal(&text)]),
                Some((
                    "response.refusal.done",
                    "response.content_part.done",
                    "content_index",
                    refusal(&text),
                )),
            ),
            Kind::Thinking => (
                reasoning(&id, &text, seal.as_deref()),
                Some((
                    "response.reasoning_summary_text.done",
                    "response.reasoning_summary_part.done",
                    "summary_index",
                    Value::Object(object! {"type": "summary_text", "text": text.as_str()}),
                )),
            ),
            Kind::Call {
                id: call_id, name, ..
            } => {
                let arguments = if text.is_empty() { "{}" } else { text.as_str() };
                (call(&id, status, call_id, name, arguments), None)
            }
        };
        match done {
            Some((text_name, part_name, place, part)) => {
                let mut event = self.item_event(place);
                let field = if text_name == "response.refusal.done" {
                    "refusal"
                } else {
                    "text"
                };
                event.insert(field.to_owned(), Value::from(text));
                if text_name == "response.output_text.done" {
                    event.insert("logprobs".to_owned(), Value::Array(Vec::new()));
                }
                self.emit(text_name, event, out);
                let mut event = self.item_event(place);
                event.insert("part".to_owned(), part);
                self.emit(part_name, event, out);
            }
            None => {
                let mut event = self.item_event("");
                event.insert(
                    "arguments".to_owned(),
                    item.get("arguments").cloned().unwrap_or_default(),
                );
                self.emit("response.function_call_arguments.done", event, out);
            }
        }
        self.open = None;
        self.item_done(item, out);
    }

    fn item_done(&mut self, item: Object, out: &mut Vec<u8>) {
        let index = self.output.len();
        let event = object! {"output_index": index, "item": item.clone()};
        self.emit("response.output_item.done", event, out);
        self.output.push(Value::Object(item));
    }

    /// A thought without text that holds a seal.
    fn holder(&mut self, signature: &Signature, belongs: Belongs, out: &mut Vec<u8>) {
        self.close("completed", out);
        let id = format!("rs_{}_{}", self.stamp.id, self.output.len());
        let index = self.output.len();
        let added = object! {"output_index": index, "item": reasoning(&id, "", None)};
        self.emit("response.output_item.added", added, out);
        self.item_done(reasoning(&id, "", Some(&seal(signature, belongs))), out);
    }

    fn emit(&mut self, name: &str, mut event: Object, out: &mut Vec<u8>) {
        let mut named = object! {"type": name, "sequence_number": self.sequence};
        named.append(&mut event);
        self.sequence += 1;
        sse::write(Some(name), &named, out);
    }
}
