//! A streamed message for a caller.

use serde_json::Value;

use crate::answer::{Stamp, kind_of};
use crate::anthropic::request_in::HOME;
use crate::anthropic::response::{finish_word, write_usage};
use crate::failure::{Failure, FailureKind};
use crate::json::{Object, object};
use crate::loss::Losses;
use crate::model::{Delta, Event, Finish, FinishReason, Signature};
use crate::signature::{Belongs, pack};
use crate::sse;
use crate::surface_error;
use crate::usage::Usage;

/// Writes events.
#[derive(Debug)]
pub(crate) struct Writer {
    stamp: Stamp,
    started: bool,
    /// The block that is open.
    open: Option<Open>,
    next: u64,
    called: bool,
    finish: Option<Finish>,
    usage: Usage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Text,
    Thinking,
    Call(u64),
}

impl Writer {
    pub(crate) fn new(stamp: Stamp) -> Self {
        Self {
            stamp,
            started: false,
            open: None,
            next: 0,
            called: false,
            finish: None,
            usage: Usage::default(),
        }
    }

    pub(crate) fn event(
        &mut self,
        event: &Event,
        losses: &mut Losses,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        match event {
            Event::Start { id, model, .. } => self.start(id, model, out),
            Event::Delta {
                candidate: 0,
                delta,
            } => {
                self.start("", "", out);
                self.delta(delta, losses, out)?;
            }
            Event::Delta { .. } => losses.dropped("answer.candidates"),
            Event::Finish {
                candidate: 0,
                finish,
            } => self.finish = Some(finish.clone()),
            Event::Finish { .. } => {}
            Event::Usage(usage) => self.usage.update(usage),
            Event::Ping => sse::write(Some("ping"), &object! {"type": "ping"}, out),
            Event::End => self.end(out),
            Event::Failed(failure) => {
                sse::write(Some("error"), &surface_error::anthropic(failure), out)
            }
        }
        Ok(())
    }

    fn start(&mut self, id: &str, model: &str, out: &mut Vec<u8>) {
        if self.started {
            return;
        }
        self.started = true;
        // `null` for what the provider tells at the end only: the last event has the numbers.
        let message = object! {
            "id": self.stamp.answer_id(id, "msg_"),
            "type": "message",
            "role": "assistant",
            "model": self.stamp.model(model),
            "content": Vec::<Value>::new(),
            "stop_reason": Value::Null,
            "stop_sequence": Value::Null,
            "usage": write_usage(&self.usage),
        };
        sse::write(
            Some("message_start"),
            &object! {"type": "message_start", "message": message},
            out,
        );
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.start("", "", out);
        self.close(out);
        let word = self.finish.as_ref().map(|finish| match finish.reason {
            FinishReason::Stop if self.called => "tool_use",
            _ => finish_word(finish),
        });
        let sequence = self
            .finish
            .as_ref()
            .and_then(|finish| finish.stop_sequence.as_deref());
        let delta = object! {
            "stop_reason": word.map_or(Value::Null, Value::from),
            "stop_sequence": sequence.map_or(Value::Null, Value::from),
        };
        let usage = write_usage(&self.usage);
        sse::write(
            Some("message_delta"),
            &object! {"type": "message_delta", "delta": delta, "usage": usage},
            out,
        );
        sse::write(Some("message_stop"), &object! {"type": "message_stop"}, out);
    }

    fn delta(
        &mut self,
        delta: &Delta,
        losses: &mut Losses,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        match delta {
            Delta::Text(text) | Delta::Refusal(text) => {
                self.open(Open::Text, out);
                self.block_delta(object! {"type": "text_delta", "text": text.as_str()}, out);
            }
            Delta::Thinking(text) => {
                self.open(Open::Thinking, out);
                self.block_delta(
                    object! {"type": "thinking_delta", "thinking": text.as_str()},
                    out,
                );
            }
            Delta::Signature {
                signature,
                text: false,
            } => {
                self.open(Open::Thinking, out);
                let seal = pack(signature, Belongs::Thought, HOME);
                self.block_delta(object! {"type": "signature_delta", "signature": seal}, out);
                self.close(out);
            }
            Delta::Signature {
                signature,
                text: true,
            } => self.holder(signature, Belongs::NextText, out),
            Delta::Redacted(signature) => {
                self.close(out);
                let data = pack(signature, Belongs::Redacted, HOME);
                self.block(object! {"type": "redacted_thinking", "data": data}, out);
                self.stop(out);
            }
            Delta::ToolStart {
                call,
                id,
                name,
                signature,
            } => {
                self.called = true;
                if let Some(signature) = signature {
                    self.holder(signature, Belongs::NextCall, out);
                }
                // Blocks follow one another: a call that begins ends the one before.
                self.close(out);
                let block = object! {
                    "type": "tool_use",
                    "id": id.as_str(),
                    "name": name.as_str(),
                    "input": Object::new(),
                };
                self.block(block, out);
                self.open = Some(Open::Call(*call));
            }
            Delta::ToolArguments { call, text } => {
                if self.open == Some(Open::Call(*call)) {
                    self.block_delta(
                        object! {"type": "input_json_delta", "partial_json": text.as_str()},
                        out,
                    );
                } else {
                    return Err(Failure::new(
                        FailureKind::StreamMalformed,
                        "the provider mixed the arguments of two tool calls",
                    ));
                }
            }
            Delta::Other(other) => losses.dropped(format!("answer.{}", kind_of(other))),
        }
        Ok(())
    }

    /// A thought without text that holds a seal for the block after it.
    fn holder(&mut self, signature: &Signature, belongs: Belongs, out: &mut Vec<u8>) {
        self.close(out);
        self.block(
            object! {"type": "thinking", "thinking": "", "signature": ""},
            out,
        );
        let seal = pack(signature, belongs, HOME);
        self.block_delta(object! {"type": "signature_delta", "signature": seal}, out);
        self.stop(out);
    }

    fn open(&mut self, kind: Open, out: &mut Vec<u8>) {
        if self.open == Some(kind) {
            return;
        }
        self.close(out);
        let block = match kind {
            Open::Thinking => object! {"type": "thinking", "thinking": "", "signature": ""},
            _ => object! {"type": "text", "text": ""},
        };
        self.block(block, out);
        self.open = Some(kind);
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.open.take().is_some() {
            self.stop(out);
        }
    }

    fn block(&self, block: Object, out: &mut Vec<u8>) {
        let event =
            object! {"type": "content_block_start", "index": self.next, "content_block": block};
        sse::write(Some("content_block_start"), &event, out);
    }

    fn block_delta(&self, delta: Object, out: &mut Vec<u8>) {
        let event = object! {"type": "content_block_delta", "index": self.next, "delta": delta};
        sse::write(Some("content_block_delta"), &event, out);
    }

    fn stop(&mut self, out: &mut Vec<u8>) {
        let event = object! {"type": "content_block_stop", "index": self.next};
        sse::write(Some("content_block_stop"), &event, out);
        self.next += 1;
    }
}
