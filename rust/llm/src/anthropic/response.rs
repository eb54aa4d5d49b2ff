//! A message: read from Anthropic, written for callers of its surface.

use serde_json::Value;

use crate::answer::{Stamp, calls, kind_of, known, mark_partial, report_extra};
use crate::anthropic::request_in::HOME;
use crate::failure::Failure;
use crate::json::{Object, arguments, count, object, put, text};
use crate::loss::Losses;
use crate::model::{
    Candidate, ChatResponse, Finish, FinishReason, Part, Signature, Text, Thinking, ToolCall,
};
use crate::signature::{Belongs, pack};
use crate::usage::Usage;

/// The end that a word means.
pub(super) fn finish_of(word: &str, sequence: Option<&str>) -> Finish {
    let reason = match word {
        "end_turn" => FinishReason::Stop,
        "stop_sequence" => FinishReason::StopSequence,
        "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
        "tool_use" => FinishReason::ToolCalls,
        "pause_turn" => FinishReason::Pause,
        "refusal" => FinishReason::Refusal,
        _ => FinishReason::Other,
    };
    Finish {
        reason,
        word: word.to_owned(),
        stop_sequence: sequence.map(str::to_owned),
    }
}

/// The word for an end.
pub(super) fn finish_word(finish: &Finish) -> &str {
    match finish.reason {
        FinishReason::Stop => "end_turn",
        FinishReason::StopSequence => "stop_sequence",
        FinishReason::Length => "max_tokens",
        FinishReason::ToolCalls => "tool_use",
        FinishReason::Pause => "pause_turn",
        FinishReason::Refusal | FinishReason::ContentFilter => "refusal",
        FinishReason::Error | FinishReason::Other => &finish.word,
    }
}

/// What a usage object says. Anthropic's `input_tokens` leaves out what came from the cache or went into it; ours has it inside.
pub(crate) fn read_usage(usage: &Object) -> Usage {
    let field = |name| usage.get(name).and_then(count);
    let cached = field("cache_read_input_tokens");
    let written = field("cache_creation_input_tokens");
    let hour = usage
        .get("cache_creation")
        .and_then(|creation| creation.get("ephemeral_1h_input_tokens"))
        .and_then(count);
    Usage {
        input: field("input_tokens").map(|input| {
            input
                .saturating_add(cached.unwrap_or(0))
                .saturating_add(written.unwrap_or(0))
        }),
        cached,
        cache_write: written,
        cache_write_hour: hour,
        output: field("output_tokens"),
        reasoning: usage
            .get("output_tokens_details")
            .and_then(|details| details.get("thinking_tokens"))
            .and_then(count),
        partial: false,
    }
}

/// The usage object for a caller.
pub(crate) fn write_usage(usage: &Usage) -> Object {
    let fresh = usage.input.map(|input| {
        input
            .saturating_sub(usage.cached.unwrap_or(0))
            .saturating_sub(usage.cache_write.unwrap_or(0))
    });
    let mut out = object! {
        "input_tokens": known(fresh),
        "output_tokens": known(usage.output),
    };
    put(&mut out, "cache_creation_input_tokens", usage.cache_write);
    put(&mut out, "cache_read_input_tokens", usage.cached);
    if let Some(reasoning) = usage.reasoning {
        let details = object! {"thinking_tokens": reasoning};
        out.insert("output_tokens_details".to_owned(), Value::Object(details));
    }
    mark_partial(usage, &mut out);
    out
}

/// Reads a message.
pub(crate) fn read_response(mut body: Object) -> Result<ChatResponse, Failure> {
    let Some(Value::Array(blocks)) = body.shift_remove("content") else {
        return Err(Failure::bad_answer(
            "the provider's answer has no `content`",
        ));
    };
    let mut parts = Vec::new();
    for block in blocks {
        let Value::Object(block) = block else {
            return Err(Failure::bad_answer(
                "a block of the provider's answer is no object",
            ));
        };
        parts.push(read_block(block));
    }
    let finish =
        text(&body, "stop_reason").map(|word| finish_of(word, text(&body, "stop_sequence")));
    let usage = body.get("usage").and_then(Value::as_object).map(read_usage);
    let id = text(&body, "id").unwrap_or_default().to_owned();
    let model = text(&body, "model").unwrap_or_default().to_owned();
    for name in [
        "id",
        "model",
        "type",
        "role",
        "stop_reason",
        "stop_sequence",
        "usage",
    ] {
        body.shift_remove(name);
    }
    body.retain(|_, value| !value.is_null());
    Ok(ChatResponse {
        id,
        model,
        created: None,
        candidates: vec![Candidate {
            index: 0,
            parts,
            finish,
            extra: Object::new(),
        }],
        usage,
        extra: body,
    })
}

fn seal(value: &str) -> Option<Signature> {
    (!value.is_empty()).then(|| Signature {
        origin: HOME,
        value: value.to_owned(),
    })
}

fn read_block(mut block: Object) -> Part {
    let field = |name| text(&block, name).unwrap_or_default().to_owned();
    match text(&block, "type") {
        Some("text") => {
            let text = field("text");
            for name in ["type", "text"] {
                block.shift_remove(name);
            }
            block.retain(|_, value| !value.is_null());
            Part::Text(Text {
                text,
                signature: None,
                extra: block,
            })
        }
        Some("thinking") => Part::Thinking(Thinking {
            text: field("thinking"),
            signature: seal(&field("signature")),
            ..Thinking::default()
        }),
        Some("redacted_thinking") => Part::Thinking(Thinking {
            signature: seal(&field("data")),
            redacted: true,
            ..Thinking::default()
        }),
        Some("tool_use") => {
            let (id, name) = (field("id"), field("name"));
            let arguments = block
                .get("input")
                .map_or_else(|| "{}".to_owned(), Value::to_string);
            for name in ["type", "id", "name", "input"] {
                block.shift_remove(name);
            }
            Part::ToolCall(ToolCall {
                id,
                name,
                arguments,
                signature: None,
                extra: block,
            })
        }
        _ => Part::Other(block),
    }
}

/// Writes a message.
pub(crate) fn write_response(
    response: &ChatResponse,
    stamp: &Stamp,
    native: bool,
    losses: &mut Losses,
) -> Result<Object, Failure> {
    if response.candidates.len() > 1 {
        losses.dropped("answer.candidates");
    }
    let candidate = response.candidates.first();
    let parts = candidate
        .map(|candidate| candidate.parts.as_slice())
        .unwrap_or_default();
    let mut blocks = Vec::new();
    for part in parts {
        write_block(part, native, &mut blocks, losses)?;
    }
    let finish = candidate.and_then(|candidate| candidate.finish.as_ref());
    let word = finish.map(|finish| match finish.reason {
        // Gemini says STOP for calls too.
        FinishReason::Stop if calls(parts) => "tool_use",
        _ => finish_word(finish),
    });
    let usage = response.usage.unwrap_or_default();
    let mut out = object! {
        "id": stamp.answer_id(&response.id, "msg_"),
        "type": "message",
        "role": "assistant",
        "model": stamp.model(&response.model),
        "content": blocks,
        "stop_reason": word.map_or(Value::Null, Value::from),
        "stop_sequence": finish
            .and_then(|finish| finish.stop_sequence.as_deref())
            .map_or(Value::Null, Value::from),
        "usage": write_usage(&usage),
    };
    if native {
        out.extend(response.extra.clone());
    }
    report_extra(response, native, losses);
    Ok(out)
}

/// A thought without text that holds a seal for the block after it.
pub(super) fn holder(signature: &Signature, belongs: Belongs) -> Value {
    Value::Object(object! {
        "type": "thinking",
        "thinking": "",
        "signature": pack(signature, belongs, HOME),
    })
}

fn write_block(
    part: &Part,
    native: bool,
    out: &mut Vec<Value>,
    losses: &mut Losses,
) -> Result<(), Failure> {
    let block = match part {
        Part::Text(text) => {
            out.extend(
                text.signature
                    .as_ref()
                    .map(|seal| holder(seal, Belongs::NextText)),
            );
            let mut block = object! {"type": "text", "text": text.text.as_str()};
            if native {
                block.extend(text.extra.clone());
            }
            block
        }
        Part::Refusal(text) => object! {"type": "text", "text": text.as_str()},
        Part::Thinking(thinking) => {
            let belongs = if thinking.redacted {
                Belongs::Redacted
            } else {
                Belongs::Thought
            };
            let seal = thinking
                .signature
                .as_ref()
                .map(|seal| pack(seal, belongs, HOME));
            match seal {
                Some(seal) if thinking.redacted => {
                    object! {"type": "redacted_thinking", "data": seal}
                }
                seal => object! {
                    "type": "thinking",
                    "thinking": thinking.text.as_str(),
                    "signature": seal.unwrap_or_default(),
                },
            }
        }
        Part::ToolCall(call) => {
            out.extend(
                call.signature
                    .as_ref()
                    .map(|seal| holder(seal, Belongs::NextCall)),
            );
            let input = arguments(&call.arguments).ok_or_else(|| {
                Failure::bad_answer(format!(
                    "the provider's call of `{}` has no JSON object for arguments",
                    call.name
                ))
            })?;
            let mut block = object! {
                "type": "tool_use",
                "id": call.id.as_str(),
                "name": call.name.as_str(),
                "input": input,
            };
            if native {
                block.extend(call.extra.clone());
            }
            block
        }
        Part::Other(other) if native => other.clone(),
        Part::Other(other) => {
            losses.dropped(format!("answer.{}", kind_of(other)));
            return Ok(());
        }
        Part::Media(_) | Part::ToolResult(_) => {
            losses.dropped("answer.media");
            return Ok(());
        }
    };
    out.push(Value::Object(block));
    Ok(())
}
