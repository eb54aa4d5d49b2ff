//! A response for callers.

use serde_json::Value;

use crate::answer::{Stamp, kind_of, known, mark_partial, report_extra};
use crate::failure::Failure;
use crate::json::{Object, object};
use crate::loss::Losses;
use crate::model::{ChatResponse, Finish, FinishReason, Origin, Part, Signature};
use crate::signature::{Belongs, pack};
use crate::usage::Usage;

/// Usage, whose details OpenAI's schema demands: absent ones are `null`, not 0.
pub(super) fn write_usage(usage: &Usage) -> Object {
    let mut out = object! {
        "input_tokens": known(usage.input),
        "input_tokens_details": object! {
            "cached_tokens": known(usage.cached),
            "cache_write_tokens": known(usage.cache_write),
        },
        "output_tokens": known(usage.output),
        "output_tokens_details": object! {"reasoning_tokens": known(usage.reasoning)},
        "total_tokens": known(usage.total()),
    };
    mark_partial(usage, &mut out);
    out
}

/// Status and details of an end. A provider that gave no end leaves the answer incomplete.
pub(super) fn status(finish: Option<&Finish>) -> (&'static str, Value) {
    let reason = match finish.map(|finish| finish.reason) {
        Some(FinishReason::Length) => "max_output_tokens",
        Some(FinishReason::ContentFilter) => "content_filter",
        Some(FinishReason::Error) => return ("failed", Value::Null),
        Some(_) => return ("completed", Value::Null),
        None => return ("incomplete", Value::Null),
    };
    ("incomplete", Value::Object(object! {"reason": reason}))
}

/// The object around an answer.
pub(super) fn envelope(stamp: &Stamp, model: &str, status: &str, output: Vec<Value>) -> Object {
    object! {
        "id": format!("resp_{}", stamp.id),
        "object": "response",
        "created_at": stamp.now,
        "status": status,
        "error": Value::Null,
        "incomplete_details": Value::Null,
        "instructions": Value::Null,
        "metadata": Object::new(),
        "model": stamp.model(model),
        "output": output,
        "parallel_tool_calls": true,
        "temperature": Value::Null,
        "tool_choice": "auto",
        "tools": Vec::<Value>::new(),
        "top_p": Value::Null,
        "usage": Value::Null,
    }
}

/// The item of a thought.
pub(super) fn reasoning(id: &str, text: &str, seal: Option<&str>) -> Object {
    let summary = if text.is_empty() {
        Vec::new()
    } else {
        vec![Value::Object(
            object! {"type": "summary_text", "text": text},
        )]
    };
    let mut out = object! {"id": id, "type": "reasoning", "summary": summary};
    if let Some(seal) = seal {
        out.insert("encrypted_content".to_owned(), Value::from(seal));
    }
    out
}

/// The item of a message.
pub(super) fn message(id: &str, status: &str, content: Vec<Value>) -> Object {
    object! {
        "id": id,
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": content,
    }
}

pub(super) fn output_text(text: &str) -> Value {
    Value::Object(object! {
        "type": "output_text",
        "text": text,
        "annotations": Vec::<Value>::new(),
        "logprobs": Vec::<Value>::new(),
    })
}

pub(super) fn refusal(text: &str) -> Value {
    Value::Object(object! {"type": "refusal", "refusal": text})
}

/// The item of a call.
pub(super) fn call(id: &str, status: &str, call_id: &str, name: &str, arguments: &str) -> Object {
    object! {
        "id": id,
        "type": "function_call",
        "status": status,
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
    }
}

pub(super) fn seal(signature: &Signature, belongs: Belongs) -> String {
    pack(signature, belongs, Origin::Responses)
}

/// Writes a response.
pub(crate) fn write_response(
    response: &ChatResponse,
    stamp: &Stamp,
    losses: &mut Losses,
) -> Result<Object, Failure> {
    if response.candidates.len() > 1 {
        losses.dropped("answer.candidates");
    }
    let candidate = response.candidates.first();
    let parts = candidate
        .map(|candidate| candidate.parts.as_slice())
        .unwrap_or_default();
    let (word, details) = status(candidate.and_then(|candidate| candidate.finish.as_ref()));
    let item_status = if word == "completed" {
        "completed"
    } else {
        "incomplete"
    };
    let mut output: Vec<Object> = Vec::new();
    let id = |kind: &str, output: &Vec<Object>| format!("{kind}_{}_{}", stamp.id, output.len());
    for part in parts {
        let item = match part {
            Part::Text(text) => {
                if let Some(signature) = &text.signature {
                    let seal = seal(signature, Belongs::NextText);
                    output.push(reasoning(&id("rs", &output), "", Some(&seal)));
                }
                let piece = output_text(&text.text);
                if extend_message(&mut output, &piece) {
                    continue;
                }
                message(&id("msg", &output), item_status, vec![piece])
            }
            Part::Refusal(text) => {
                let piece = refusal(text);
                if extend_message(&mut output, &piece) {
                    continue;
                }
                message(&id("msg", &output), item_status, vec![piece])
            }
            Part::Thinking(thinking) => {
                let belongs = if thinking.redacted {
                    Belongs::Redacted
                } else {
                    Belongs::Thought
                };
                let seal = thinking
                    .signature
                    .as_ref()
                    .map(|signature| seal(signature, belongs));
                reasoning(&id("rs", &output), &thinking.text, seal.as_deref())
            }
            Part::ToolCall(tool) => {
                if let Some(signature) = &tool.signature {
                    let seal = seal(signature, Belongs::NextCall);
                    output.push(reasoning(&id("rs", &output), "", Some(&seal)));
                }
                let arguments = if tool.arguments.is_empty() {
                    "{}"
                } else {
                    tool.arguments.as_str()
                };
                call(
                    &id("fc", &output),
                    item_status,
                    &tool.id,
                    &tool.name,
                    arguments,
                )
            }
            Part::Other(other) => {
                losses.dropped(format!("answer.{}", kind_of(other)));
                continue;
            }
            Part::Media(_) | Part::ToolResult(_) => {
                losses.dropped("answer.media");
                continue;
            }
        };
        output.push(item);
    }
    let output = output.into_iter().map(Value::Object).collect();
    let mut out = envelope(stamp, &response.model, word, output);
    out.insert("incomplete_details".to_owned(), details);
    if let Some(usage) = response.usage.as_ref().filter(|usage| !usage.is_unknown()) {
        out.insert("usage".to_owned(), Value::Object(write_usage(usage)));
    }
    report_extra(response, false, losses);
    Ok(out)
}

/// Texts that follow each other are pieces of one message.
fn extend_message(output: &mut [Object], piece: &Value) -> bool {
    let content = output
        .last_mut()
        .filter(|item| item.get("type").and_then(Value::as_str) == Some("message"))
        .and_then(|item| item.get_mut("content"))
        .and_then(Value::as_array_mut);
    match content {
        Some(content) => {
            content.push(piece.clone());
            true
        }
        None => false,
    }
}
