//! Lines of a streamed answer.

use serde_json::Value;

use crate::dialect::Dialect;
use crate::failure::{Failure, FailureKind};
use crate::json::{holds_more, read_answer, text};
use crate::model::{Delta, Event};
use crate::ollama::response::{finish_of, read_calls, read_usage};
use crate::provider_error;

/// What is read of lines, and what is about their making alone.
const KNOWN_OF_LINES: &[&str] = &[
    "model",
    "created_at",
    "message",
    "done",
    "done_reason",
    "total_duration",
    "load_duration",
    "prompt_eval_count",
    "prompt_eval_duration",
    "eval_count",
    "eval_duration",
];
const KNOWN_OF_MESSAGES: &[&str] = &["role", "content", "thinking", "tool_calls"];

/// Reads lines.
#[derive(Debug)]
pub(crate) struct Reader {
    answer: String,
    started: bool,
    /// Whether the provider said what stands in no event.
    pub(crate) leaves_out: bool,
    calls: u64,
}

impl Reader {
    pub(crate) fn new(answer: String) -> Self {
        Self {
            answer,
            started: false,
            leaves_out: false,
            calls: 0,
        }
    }

    /// One line. `Ok(true)` says that it was the last.
    pub(crate) fn data(&mut self, data: &[u8], out: &mut Vec<Event>) -> Result<bool, Failure> {
        let line = read_answer(data)?;
        if line.contains_key("error") {
            return Err(provider_error::read_object(Dialect::Ollama, None, &line));
        }
        if !self.started {
            self.started = true;
            out.push(Event::Start {
                id: String::new(),
                model: text(&line, "model").unwrap_or_default().to_owned(),
                created: None,
            });
        }
        self.leaves_out |= holds_more(&line, KNOWN_OF_LINES);
        let done = line.get("done") == Some(&Value::Bool(true));
        match line.get("message").and_then(Value::as_object) {
            Some(message) => {
                self.leaves_out |= holds_more(message, KNOWN_OF_MESSAGES);
                let mut push = |delta| {
                    out.push(Event::Delta {
                        candidate: 0,
                        delta,
                    })
                };
                if let Some(thinking) = text(message, "thinking").filter(|text| !text.is_empty()) {
                    push(Delta::Thinking(thinking.to_owned()));
                }
                if let Some(text) = text(message, "content").filter(|text| !text.is_empty()) {
                    push(Delta::Text(text.to_owned()));
                }
                let mut number = self.calls;
                read_calls(message, &self.answer, &mut self.calls, |call| {
                    push(Delta::ToolStart {
                        call: number,
                        id: call.id,
                        name: call.name,
                        signature: None,
                    });
                    push(Delta::ToolArguments {
                        call: number,
                        text: call.arguments,
                    });
                    number += 1;
                });
            }
            None if done => {}
            None => {
                return Err(Failure::new(
                    FailureKind::StreamMalformed,
                    "the provider's stream is malformed: a line has no `message`",
                ));
            }
        }
        if !done {
            return Ok(false);
        }
        let usage = read_usage(&line);
        if !usage.is_unknown() {
            out.push(Event::Usage(usage));
        }
        if let Some(word) = text(&line, "done_reason") {
            out.push(Event::Finish {
                candidate: 0,
                finish: finish_of(word, self.calls > 0),
            });
        }
        Ok(true)
    }
}
