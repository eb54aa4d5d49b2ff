//! A plain answer.

use serde_json::Value;

use crate::answer::{Stamp, kind_of, known, mark_partial};
use crate::failure::Failure;
use crate::json::{Object, object};
use crate::loss::Losses;
use crate::model::{ChatResponse, Finish, FinishReason, Part};
use crate::usage::Usage;

/// Where the problem types of the gateway are described.
const TYPE_BASE: &str = "https://lockgate.dev/problems/";

/// What goes with a text, in its order: why it ended, who answered, what it took.
pub(super) fn about(finish: Option<&Finish>, model: &str, usage: Option<&Usage>) -> Object {
    object! {
        "finish": finish.map_or(Value::Null, |finish| Value::from(finish_word(finish))),
        "model": model,
        "usage": usage.map_or(Value::Null, |usage| Value::Object(write_usage(usage))),
    }
}

pub(super) fn finish_word(finish: &Finish) -> &str {
    match finish.reason {
        FinishReason::Stop | FinishReason::StopSequence => "stop",
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::ContentFilter => "content_filter",
        FinishReason::Refusal => "refusal",
        FinishReason::Error => "error",
        FinishReason::Pause | FinishReason::Other => &finish.word,
    }
}

fn write_usage(usage: &Usage) -> Object {
    let mut out = object! {
        "input_tokens": known(usage.input),
        "output_tokens": known(usage.output),
    };
    mark_partial(usage, &mut out);
    out
}

/// Writes an answer. Only the first one of several is text that somebody asked for.
pub(crate) fn write_response(
    response: &ChatResponse,
    stamp: &Stamp,
    losses: &mut Losses,
) -> Object {
    let mut text = String::new();
    let mut candidates = response.candidates.iter();
    let first = candidates.next();
    for part in first.iter().flat_map(|candidate| &candidate.parts) {
        match part {
            Part::Text(part) => text.push_str(&part.text),
            Part::Refusal(words) => text.push_str(words),
            Part::Thinking(_) => losses.dropped("answer.thinking"),
            Part::ToolCall(_) => losses.dropped("answer.tool_calls"),
            Part::Media(_) | Part::ToolResult(_) => losses.dropped("answer.part"),
            Part::Other(part) => losses.dropped(format!("answer.{}", kind_of(part))),
        }
    }
    if candidates.next().is_some() {
        losses.dropped("answer.candidates");
    }
    let mut out = object! {"text": text};
    out.extend(about(
        first.and_then(|candidate| candidate.finish.as_ref()),
        stamp.model(&response.model),
        response.usage.as_ref(),
    ));
    out
}

/// A failure as a problem (RFC 9457).
pub(crate) fn problem(failure: &Failure) -> Object {
    let code = failure.code.as_deref().unwrap_or(failure.kind.code());
    let mut out = object! {
        "type": format!("{TYPE_BASE}{}", failure.kind.code()),
        "title": "The model gave no answer",
        "status": failure.status,
        "detail": failure.message.as_str(),
        "code": code,
    };
    if let Some(usage) = &failure.usage {
        out.insert("usage".to_owned(), Value::Object(write_usage(usage)));
    }
    out
}
