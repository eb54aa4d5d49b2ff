//! A chat completion: read from OpenAI, Mistral or Moonshot, written for callers of OpenAI's surface.

use serde_json::Value;

use crate::answer::{Stamp, calls, kind_of, known, mark_partial, report_extra};
use crate::dialect::Dialect;
use crate::failure::Failure;
use crate::json::{Object, count, object, put, text};
use crate::loss::Losses;
use crate::model::{
    Candidate, ChatResponse, Finish, FinishReason, Origin, Part, Text, Thinking, ToolCall,
};
use crate::openai::google_seal::{google_seal, take_google_seal};
use crate::signature::{Belongs, pack};
use crate::usage::Usage;

/// The end that a word means.
pub(crate) fn finish_of(word: &str) -> Finish {
    let reason = match word {
        "stop" => FinishReason::Stop,
        "length" | "model_length" => FinishReason::Length,
        "tool_calls" | "function_call" => FinishReason::ToolCalls,
        "content_filter" => FinishReason::ContentFilter,
        "error" => FinishReason::Error,
        _ => FinishReason::Other,
    };
    Finish::new(reason, word)
}

/// The word for an end. A provider's word without a match stays as it is: callers treat unknown words as unknown.
pub(crate) fn finish_word(finish: &Finish) -> &str {
    match finish.reason {
        FinishReason::Stop | FinishReason::StopSequence | FinishReason::Pause => "stop",
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::ContentFilter | FinishReason::Refusal => "content_filter",
        FinishReason::Error => "error",
        FinishReason::Other => &finish.word,
    }
}

/// What a usage object says. Mistral and Moonshot count as OpenAI does; Moonshot puts `cached_tokens` beside the totals.
pub(crate) fn read_usage(usage: &Object) -> Usage {
    let field = |name| usage.get(name).and_then(count);
    let detail = |outer: &str, inner: &str| {
        usage
            .get(outer)
            .and_then(|details| details.get(inner))
            .and_then(count)
    };
    Usage {
        input: field("prompt_tokens"),
        cached: detail("prompt_tokens_details", "cached_tokens").or(field("cached_tokens")),
        cache_write: detail("prompt_tokens_details", "cache_write_tokens"),
        cache_write_hour: None,
        output: field("completion_tokens"),
        reasoning: detail("completion_tokens_details", "reasoning_tokens"),
        partial: false,
    }
}

/// The usage object for a caller.
pub(crate) fn write_usage(usage: &Usage) -> Object {
    let mut out = object! {
        "prompt_tokens": known(usage.input),
        "completion_tokens": known(usage.output),
        "total_tokens": known(usage.total()),
    };
    let mut prompt = Object::new();
    put(&mut prompt, "cached_tokens", usage.cached);
    put(&mut prompt, "cache_write_tokens", usage.cache_write);
    if !prompt.is_empty() {
        out.insert("prompt_tokens_details".to_owned(), Value::Object(prompt));
    }
    if let Some(reasoning) = usage.reasoning {
        out.insert(
            "completion_tokens_details".to_owned(),
            Value::Object(object! {"reasoning_tokens": reasoning}),
        );
    }
    mark_partial(usage, &mut out);
    out
}

/// Reads a completion.
pub(crate) fn read_response(mut body: Object, dialect: Dialect) -> Result<ChatResponse, Failure> {
    let Some(Value::Array(choices)) = body.shift_remove("choices") else {
        return Err(Failure::bad_answer(
            "the provider's answer has no `choices`",
        ));
    };
    let mut candidates = Vec::new();
    for (n, choice) in choices.into_iter().enumerate() {
        let Value::Object(mut choice) = choice else {
            return Err(Failure::bad_answer(
                "a choice of the provider's answer is no object",
            ));
        };
        let Some(Value::Object(message)) = choice.shift_remove("message") else {
            return Err(Failure::bad_answer(
                "a choice of the provider's answer has no `message`",
            ));
        };
        let index = choice
            .shift_remove("index")
            .as_ref()
            .and_then(count)
            .unwrap_or(n as u64);
        let finish = choice
            .shift_remove("finish_reason")
            .and_then(|word| word.as_str().map(finish_of));
        let mut parts = Vec::new();
        read_message(message, dialect, &mut parts, &mut choice);
        candidates.push(Candidate {
            index,
            parts,
            finish,
            extra: choice,
        });
    }
    let usage = body
        .shift_remove("usage")
        .and_then(|usage| usage.as_object().map(read_usage));
    let id = text(&body, "id").unwrap_or_default().to_owned();
    let model = text(&body, "model").unwrap_or_default().to_owned();
    let created = body.get("created").and_then(count);
    for name in ["id", "model", "created", "object"] {
        body.shift_remove(name);
    }
    Ok(ChatResponse {
        id,
        model,
        created,
        candidates,
        usage,
        extra: body,
    })
}

fn read_message(mut message: Object, dialect: Dialect, parts: &mut Vec<Part>, extra: &mut Object) {
    let thought = ["reasoning_content", "reasoning"]
        .into_iter()
        .find_map(|name| text(&message, name).map(str::to_owned));
    if let Some(text) = thought.filter(|text| !text.is_empty()) {
        parts.push(Part::Thinking(Thinking {
            text,
            ..Thinking::default()
        }));
    }
    match message.shift_remove("content") {
        Some(Value::String(text)) if !text.is_empty() => parts.push(Part::text(text)),
        Some(Value::Array(chunks)) => {
            parts.extend(chunks.into_iter().map(|chunk| read_chunk(chunk, dialect)))
        }
        _ => {}
    }
    if let Some(refusal) = text(&message, "refusal") {
        parts.push(Part::Refusal(refusal.to_owned()));
    }
    if let Some(Value::Array(calls)) = message.shift_remove("tool_calls") {
        parts.extend(calls.into_iter().filter_map(read_call));
    }
    for name in ["role", "reasoning_content", "reasoning", "refusal"] {
        message.shift_remove(name);
    }
    for (name, value) in message {
        if !value.is_null() {
            extra.insert(name, value);
        }
    }
}

/// A chunk of Mistral's: text, or a list of thoughts.
pub(super) fn read_chunk(chunk: Value, dialect: Dialect) -> Part {
    let Value::Object(chunk) = chunk else {
        return Part::text(chunk.as_str().unwrap_or_default());
    };
    match text(&chunk, "type") {
        Some("text") => Part::text(text(&chunk, "text").unwrap_or_default()),
        Some("thinking") if dialect == Dialect::Mistral => Part::Thinking(Thinking {
            text: thinking_text(&chunk),
            ..Thinking::default()
        }),
        _ => Part::Other(chunk),
    }
}

/// The text of Mistral's list of thoughts.
pub(super) fn thinking_text(chunk: &Object) -> String {
    match chunk.get("thinking") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(list)) => list
            .iter()
            .filter_map(|item| item.get("text").and_then(Value::as_str))
            .collect(),
        _ => String::new(),
    }
}

fn read_call(call: Value) -> Option<Part> {
    let Value::Object(mut call) = call else {
        return None;
    };
    let Some(Value::Object(mut function)) = call.shift_remove("function") else {
        return Some(Part::Other(call));
    };
    let id = text(&call, "id").unwrap_or_default().to_owned();
    for name in ["id", "type", "index"] {
        call.shift_remove(name);
    }
    let arguments = match function.shift_remove("arguments") {
        Some(Value::String(text)) => text,
        // Mistral may write the object itself.
        Some(other) => other.to_string(),
        None => String::new(),
    };
    Some(Part::ToolCall(ToolCall {
        id,
        name: text(&function, "name").unwrap_or_default().to_owned(),
        arguments,
        signature: take_google_seal(&mut call),
        extra: call,
    }))
}

/// Writes a completion.
pub(crate) fn write_response(
    response: &ChatResponse,
    stamp: &Stamp,
    native: bool,
    losses: &mut Losses,
) -> Object {
    let choices: Vec<Value> = response
        .candidates
        .iter()
        .map(|candidate| {
            let mut choice = object! {"index": candidate.index};
            choice.insert(
                "message".to_owned(),
                Value::Object(write_message(&candidate.parts, losses)),
            );
            if native {
                choice.extend(candidate.extra.clone());
            }
            choice.insert(
                "finish_reason".to_owned(),
                match &candidate.finish {
                    Some(finish) => Value::from(finish_word(finish)),
                    None => Value::Null,
                },
            );
            Value::Object(choice)
        })
        .collect();
    let mut out = object! {
        "id": stamp.answer_id(&response.id, "chatcmpl-"),
        "object": "chat.completion",
        "created": response.created.unwrap_or(stamp.now),
        "model": stamp.model(&response.model),
        "choices": choices,
    };
    if let Some(usage) = response.usage.as_ref().filter(|usage| !usage.is_unknown()) {
        out.insert("usage".to_owned(), Value::Object(write_usage(usage)));
    }
    if native {
        out.extend(response.extra.clone());
    }
    report_extra(response, native, losses);
    out
}

fn write_message(parts: &[Part], losses: &mut Losses) -> Object {
    let mut content: Option<String> = None;
    let mut refusal: Option<String> = None;
    let mut thought = String::new();
    let mut details = Vec::new();
    let mut tool_calls = Vec::new();
    for part in parts {
        match part {
            Part::Text(Text {
                text, signature, ..
            }) => {
                content.get_or_insert_default().push_str(text);
                if let Some(signature) = signature {
                    details.push(detail("", &pack(signature, Belongs::NextText, HOME), false));
                }
            }
            Part::Refusal(text) => refusal.get_or_insert_default().push_str(text),
            Part::Thinking(thinking) => {
                thought.push_str(&thinking.text);
                if let Some(signature) = &thinking.signature {
                    let belongs = if thinking.redacted {
                        Belongs::Redacted
                    } else {
                        Belongs::Thought
                    };
                    let seal = pack(signature, belongs, HOME);
                    details.push(detail(&thinking.text, &seal, thinking.redacted));
                }
            }
            Part::ToolCall(call) => tool_calls.push(write_call(call)),
            Part::Media(_) => losses.dropped("answer.media"),
            Part::Other(other) => losses.dropped(format!("answer.{}", kind_of(other))),
            Part::ToolResult(_) => {}
        }
    }
    let mut message = object! {"role": "assistant"};
    let content = content.or_else(|| (!calls(parts) && refusal.is_none()).then(String::new));
    message.insert(
        "content".to_owned(),
        content.map_or(Value::Null, Value::from),
    );
    message.insert(
        "refusal".to_owned(),
        refusal.map_or(Value::Null, Value::from),
    );
    if !thought.is_empty() {
        message.insert("reasoning_content".to_owned(), Value::from(thought));
    }
    if !details.is_empty() {
        message.insert("reasoning_details".to_owned(), Value::Array(details));
    }
    if !tool_calls.is_empty() {
        message.insert("tool_calls".to_owned(), Value::Array(tool_calls));
    }
    message
}

pub(super) const HOME: Origin = Origin::Dialect(Dialect::Openai);

/// A sealed thought, in the form that several clients keep: `reasoning_details`.
pub(super) fn detail(text: &str, seal: &str, redacted: bool) -> Value {
    Value::Object(if redacted {
        object! {"type": "reasoning.encrypted", "data": seal}
    } else {
        object! {"type": "reasoning.text", "text": text, "signature": seal}
    })
}

fn write_call(call: &ToolCall) -> Value {
    let arguments = if call.arguments.is_empty() {
        "{}"
    } else {
        call.arguments.as_str()
    };
    let mut out = object! {
        "id": call.id.as_str(),
        "type": "function",
        "function": object! {"name": call.name.as_str(), "arguments": arguments},
    };
    if let Some(signature) = call
        .signature
        .as_ref()
        .filter(|signature| signature.origin == Origin::Dialect(Dialect::Gemini))
    {
        out.insert("extra_content".to_owned(), google_seal(&signature.value));
    }
    Value::Object(out)
}
