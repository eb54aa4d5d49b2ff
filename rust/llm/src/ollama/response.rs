//! An answer of Ollama's.

use serde_json::Value;

use crate::failure::Failure;
use crate::json::{Object, count, text};
use crate::model::{Candidate, ChatResponse, Finish, FinishReason, Part, Thinking, ToolCall};
use crate::usage::Usage;
use crate::write::made_up_id;

/// The end that a word means. Ollama says `stop` for calls too.
pub(super) fn finish_of(word: &str, called: bool) -> Finish {
    let reason = match word {
        "stop" if called => FinishReason::ToolCalls,
        "stop" => FinishReason::Stop,
        "length" => FinishReason::Length,
        _ => FinishReason::Other,
    };
    Finish::new(reason, word)
}

/// What the last line says.
pub(crate) fn read_usage(line: &Object) -> Usage {
    let field = |name| line.get(name).and_then(count);
    Usage {
        input: field("prompt_eval_count"),
        output: field("eval_count"),
        ..Usage::default()
    }
}

/// Reads an answer.
pub(crate) fn read_response(mut body: Object, answer: &str) -> Result<ChatResponse, Failure> {
    let Some(Value::Object(message)) = body.shift_remove("message") else {
        return Err(Failure::bad_answer(
            "the provider's answer has no `message`",
        ));
    };
    if body.get("done") != Some(&Value::Bool(true)) {
        return Err(Failure::bad_answer("the provider's answer is not done"));
    }
    let mut parts = Vec::new();
    if let Some(thinking) = text(&message, "thinking").filter(|text| !text.is_empty()) {
        parts.push(Part::Thinking(Thinking {
            text: thinking.to_owned(),
            ..Thinking::default()
        }));
    }
    if let Some(text) = text(&message, "content").filter(|text| !text.is_empty()) {
        parts.push(Part::text(text));
    }
    let mut calls = 0;
    read_calls(&message, answer, &mut calls, |call| {
        parts.push(Part::ToolCall(call))
    });
    let usage = read_usage(&body);
    let finish = text(&body, "done_reason").map(|word| finish_of(word, calls > 0));
    let model = text(&body, "model").unwrap_or_default().to_owned();
    for name in [
        "model",
        "created_at",
        "done",
        "done_reason",
        "prompt_eval_count",
        "eval_count",
    ] {
        body.shift_remove(name);
    }
    Ok(ChatResponse {
        id: String::new(),
        model,
        created: None,
        candidates: vec![Candidate {
            index: 0,
            parts,
            finish,
            extra: Object::new(),
        }],
        usage: (!usage.is_unknown()).then_some(usage),
        extra: body,
    })
}

/// The calls of a message, which have no ids.
pub(super) fn read_calls(
    message: &Object,
    answer: &str,
    calls: &mut u64,
    mut found: impl FnMut(ToolCall),
) {
    let list = message.get("tool_calls").and_then(Value::as_array);
    for call in list.into_iter().flatten() {
        let Some(function) = call.get("function").and_then(Value::as_object) else {
            continue;
        };
        let arguments = match function.get("arguments") {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => "{}".to_owned(),
        };
        let id = call
            .get("id")
            .and_then(Value::as_str)
            .filter(|id| !id.is_empty());
        found(ToolCall {
            id: id.map_or_else(|| made_up_id(answer, *calls), str::to_owned),
            name: text(function, "name").unwrap_or_default().to_owned(),
            arguments,
            signature: None,
            extra: Object::new(),
        });
        *calls += 1;
    }
}
