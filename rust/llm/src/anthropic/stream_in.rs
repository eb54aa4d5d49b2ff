//! Events of a streamed message.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::anthropic::request_in::HOME;
use crate::anthropic::response::{finish_of, read_usage};
use crate::dialect::Dialect;
use crate::failure::{Failure, FailureKind};
use crate::json::{Object, count, holds_more, read_answer, text};
use crate::model::{Delta, Event, Signature};
use crate::provider_error;
use crate::usage::Usage;

/// The most blocks of one message.
const MOST_BLOCKS: usize = 4_096;

/// What is read of messages, of their ends and of blocks of text.
const KNOWN_OF_MESSAGES: &[&str] = &[
    "id",
    "type",
    "role",
    "model",
    "content",
    "stop_reason",
    "stop_sequence",
    "usage",
];
const KNOWN_OF_ENDS: &[&str] = &["type", "delta", "usage"];
const KNOWN_OF_END_DELTAS: &[&str] = &["stop_reason", "stop_sequence"];
const KNOWN_OF_TEXTS: &[&str] = &["type", "text"];

/// Reads events.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    started: bool,
    /// Whether the provider said what stands in no event.
    pub(crate) leaves_out: bool,
    blocks: BTreeMap<u64, Block>,
    calls: u64,
    usage: Usage,
}

#[derive(Debug, Clone, Copy)]
enum Block {
    Text,
    Thinking,
    Call(u64),
    Other,
}

impl Reader {
    /// One event's data. `Ok(true)` says that it was the last.
    pub(crate) fn data(&mut self, data: &[u8], out: &mut Vec<Event>) -> Result<bool, Failure> {
        let body = read_answer(data)?;
        let index = body.get("index").and_then(count);
        match text(&body, "type") {
            Some("message_start") => self.start(&body, out)?,
            Some("content_block_start") => self.block_start(index, &body, out)?,
            Some("content_block_delta") => self.block_delta(index, &body, out)?,
            Some("content_block_stop") => {
                let index = index.ok_or_else(|| malformed("a block ends without `index`"))?;
                self.blocks.remove(&index);
            }
            Some("message_delta") => {
                if let Some(usage) = body.get("usage").and_then(Value::as_object) {
                    self.usage(usage, out);
                }
                let delta = body.get("delta").and_then(Value::as_object);
                self.leaves_out |= holds_more(&body, KNOWN_OF_ENDS)
                    || delta.is_some_and(|delta| holds_more(delta, KNOWN_OF_END_DELTAS));
                if let Some(word) = delta.and_then(|delta| text(delta, "stop_reason")) {
                    let sequence = delta.and_then(|delta| text(delta, "stop_sequence"));
                    out.push(Event::Finish {
                        candidate: 0,
                        finish: finish_of(word, sequence),
                    });
                }
            }
            Some("message_stop") => return Ok(true),
            Some("ping") => out.push(Event::Ping),
            Some("error") => {
                return Err(provider_error::read_object(Dialect::Anthropic, None, &body));
            }
            // Anthropic's versioning policy: new kinds of events may come, and are to be left alone.
            Some(_) => self.leaves_out = true,
            None => return Err(malformed("an event has no `type`")),
        }
        Ok(false)
    }

    fn start(&mut self, body: &Object, out: &mut Vec<Event>) -> Result<(), Failure> {
        let Some(message) = body.get("message").and_then(Value::as_object) else {
            return Err(malformed("`message_start` has no `message`"));
        };
        if self.started {
            return Err(malformed("a message begins twice"));
        }
        self.started = true;
        self.leaves_out |= holds_more(message, KNOWN_OF_MESSAGES);
        // Usage first: a writer can tell it as it begins.
        if let Some(usage) = message.get("usage").and_then(Value::as_object) {
            self.usage(usage, out);
        }
        out.push(Event::Start {
            id: text(message, "id").unwrap_or_default().to_owned(),
            model: text(message, "model").unwrap_or_default().to_owned(),
            created: None,
        });
        Ok(())
    }

    /// Reports are cumulative, and a later one leaves out what did not change: what came from the cache must still be counted in.
    fn usage(&mut self, usage: &Object, out: &mut Vec<Event>) {
        let mut report = read_usage(usage);
        if report.cached.is_none() && report.cache_write.is_none() {
            let before = self
                .usage
                .cached
                .unwrap_or(0)
                .saturating_add(self.usage.cache_write.unwrap_or(0));
            report.input = report.input.map(|input| input.saturating_add(before));
        }
        self.usage.update(&report);
        out.push(Event::Usage(self.usage));
    }

    fn block_start(
        &mut self,
        index: Option<u64>,
        body: &Object,
        out: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        let (Some(index), Some(block)) =
            (index, body.get("content_block").and_then(Value::as_object))
        else {
            return Err(malformed(
                "a block begins without `index` or `content_block`",
            ));
        };
        if !self.started || self.blocks.len() >= MOST_BLOCKS {
            return Err(malformed("a block begins out of order"));
        }
        let mut push = |delta| {
            out.push(Event::Delta {
                candidate: 0,
                delta,
            })
        };
        let field = |name| text(block, name).unwrap_or_default().to_owned();
        let kind = match text(block, "type") {
            Some("text") => {
                self.leaves_out |= holds_more(block, KNOWN_OF_TEXTS);
                if !field("text").is_empty() {
                    push(Delta::Text(field("text")));
                }
                Block::Text
            }
            Some("thinking") => {
                if !field("thinking").is_empty() {
                    push(Delta::Thinking(field("thinking")));
                }
                Block::Thinking
            }
            Some("redacted_thinking") => {
                push(Delta::Redacted(Signature {
                    origin: HOME,
                    value: field("data"),
                }));
                Block::Other
            }
            Some("tool_use") => {
                let call = self.calls;
                self.calls += 1;
                push(Delta::ToolStart {
                    call,
                    id: field("id"),
                    name: field("name"),
                    signature: None,
                });
                if let Some(input) = block
                    .get("input")
                    .and_then(Value::as_object)
                    .filter(|input| !input.is_empty())
                {
                    push(Delta::ToolArguments {
                        call,
                        text: Value::Object(input.clone()).to_string(),
                    });
                }
                Block::Call(call)
            }
            _ => {
                push(Delta::Other(block.clone()));
                Block::Other
            }
        };
        self.blocks.insert(index, kind);
        Ok(())
    }

    fn block_delta(
        &mut self,
        index: Option<u64>,
        body: &Object,
        out: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        let (Some(index), Some(delta)) = (index, body.get("delta").and_then(Value::as_object))
        else {
            return Err(malformed("a delta without `index` or `delta`"));
        };
        let Some(block) = self.blocks.get(&index) else {
            return Err(malformed("a delta of a block that has not begun"));
        };
        let field = |name| text(delta, name).unwrap_or_default().to_owned();
        let delta = match (text(delta, "type"), block) {
            (Some("text_delta"), _) => Delta::Text(field("text")),
            (Some("thinking_delta"), _) => Delta::Thinking(field("thinking")),
            (Some("signature_delta"), _) => Delta::Signature {
                signature: Signature {
                    origin: HOME,
                    value: field("signature"),
                },
                text: false,
            },
            (Some("input_json_delta"), Block::Call(call)) => Delta::ToolArguments {
                call: *call,
                text: field("partial_json"),
            },
            (Some(_), Block::Text | Block::Thinking | Block::Other | Block::Call(_)) => {
                Delta::Other(delta.clone())
            }
            (None, _) => return Err(malformed("a delta has no `type`")),
        };
        out.push(Event::Delta {
            candidate: 0,
            delta,
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
