//! A `generateContent` answer: read from Gemini, written for callers of its surface.

use serde_json::Value;

use crate::answer::{Stamp, kind_of, known, mark_partial, report_extra};
use crate::dialect::Dialect;
use crate::failure::Failure;
use crate::json::{Object, arguments, count, object, put, text};
use crate::loss::Losses;
use crate::model::{
    Candidate, ChatResponse, Finish, FinishReason, Media, MediaKind, Origin, Part, Signature,
    Source, Text, Thinking, ToolCall,
};
use crate::signature::{Belongs, pack_base64};
use crate::usage::Usage;
use crate::write::{MADE_UP, made_up_id};

/// The end that a word means. Gemini says `STOP` for calls too; `called` tells them apart.
pub(super) fn finish_of(word: &str, called: bool) -> Finish {
    let reason = match word {
        "STOP" if called => FinishReason::ToolCalls,
        "STOP" => FinishReason::Stop,
        "MAX_TOKENS" => FinishReason::Length,
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "IMAGE_SAFETY"
        | "LANGUAGE"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION"
        | "MODEL_ARMOR" => FinishReason::ContentFilter,
        "MALFORMED_FUNCTION_CALL"
        | "UNEXPECTED_TOOL_CALL"
        | "TOO_MANY_TOOL_CALLS"
        | "MALFORMED_RESPONSE"
        | "MISSING_THOUGHT_SIGNATURE" => FinishReason::Error,
        _ => FinishReason::Other,
    };
    Finish::new(reason, word)
}

/// The end of a prompt that was refused.
pub(super) fn blocked(reason: &str) -> Finish {
    Finish::new(FinishReason::ContentFilter, reason)
}

/// The word for an end. Words that are not Google's become `OTHER`: its SDKs know a closed list.
pub(super) fn finish_word(finish: &Finish) -> &str {
    match finish.reason {
        FinishReason::Stop
        | FinishReason::StopSequence
        | FinishReason::ToolCalls
        | FinishReason::Pause => "STOP",
        FinishReason::Length => "MAX_TOKENS",
        FinishReason::ContentFilter | FinishReason::Refusal => "SAFETY",
        FinishReason::Error | FinishReason::Other => "OTHER",
    }
}

/// What a usage object says. Google's `candidatesTokenCount` leaves thoughts out; ours has them inside.
pub(crate) fn read_usage(usage: &Object) -> Usage {
    let field = |name| usage.get(name).and_then(count);
    let thoughts = field("thoughtsTokenCount");
    let tools = field("toolUsePromptTokenCount");
    let answer = field("candidatesTokenCount");
    Usage {
        input: field("promptTokenCount").map(|input| input.saturating_add(tools.unwrap_or(0))),
        cached: field("cachedContentTokenCount"),
        cache_write: None,
        cache_write_hour: None,
        output: match (answer, thoughts) {
            (None, None) => None,
            (answer, thoughts) => Some(answer.unwrap_or(0).saturating_add(thoughts.unwrap_or(0))),
        },
        reasoning: thoughts,
        partial: false,
    }
}

/// The usage object for a caller.
pub(crate) fn write_usage(usage: &Usage) -> Object {
    let mut out = Object::new();
    let answer = usage
        .output
        .map(|output| output.saturating_sub(usage.reasoning.unwrap_or(0)));
    out.insert("promptTokenCount".to_owned(), known(usage.input));
    put(&mut out, "candidatesTokenCount", answer);
    put(&mut out, "thoughtsTokenCount", usage.reasoning);
    put(&mut out, "cachedContentTokenCount", usage.cached);
    put(&mut out, "totalTokenCount", usage.total());
    mark_partial(usage, &mut out);
    out
}

/// Reads an answer.
pub(crate) fn read_response(mut body: Object, answer: &str) -> Result<ChatResponse, Failure> {
    let usage = body
        .get("usageMetadata")
        .and_then(Value::as_object)
        .map(read_usage);
    let id = text(&body, "responseId").unwrap_or_default().to_owned();
    let model = text(&body, "modelVersion").unwrap_or_default().to_owned();
    let block = block_reason(&body);
    let mut candidates = Vec::new();
    match body.shift_remove("candidates") {
        Some(Value::Array(list)) => {
            for (n, candidate) in list.into_iter().enumerate() {
                let Value::Object(candidate) = candidate else {
                    return Err(Failure::bad_answer(
                        "a candidate of the provider's answer is no object",
                    ));
                };
                candidates.push(read_candidate(candidate, n as u64, answer)?);
            }
        }
        None if block.is_some() => candidates.push(Candidate {
            index: 0,
            parts: Vec::new(),
            finish: block.as_deref().map(blocked),
            extra: Object::new(),
        }),
        _ => {
            return Err(Failure::bad_answer(
                "the provider's answer has no `candidates`",
            ));
        }
    }
    for name in ["usageMetadata", "responseId", "modelVersion"] {
        body.shift_remove(name);
    }
    Ok(ChatResponse {
        id,
        model,
        created: None,
        candidates,
        usage,
        extra: body,
    })
}

/// Why a prompt was refused.
pub(super) fn block_reason(body: &Object) -> Option<String> {
    let reason = body.get("promptFeedback")?.get("blockReason")?.as_str()?;
    Some(reason.to_owned())
}

fn read_candidate(mut candidate: Object, n: u64, answer: &str) -> Result<Candidate, Failure> {
    let index = candidate
        .shift_remove("index")
        .as_ref()
        .and_then(count)
        .unwrap_or(n);
    let mut parts = Vec::new();
    let mut calls = 0;
    if let Some(Value::Object(mut content)) = candidate.shift_remove("content")
        && let Some(Value::Array(list)) = content.shift_remove("parts")
    {
        for part in list {
            let Value::Object(part) = part else {
                return Err(Failure::bad_answer(
                    "a part of the provider's answer is no object",
                ));
            };
            parts.push(read_part(part, answer, index, &mut calls));
        }
    }
    let finish = candidate
        .shift_remove("finishReason")
        .and_then(|word| word.as_str().map(|word| finish_of(word, calls > 0)));
    Ok(Candidate {
        index,
        parts,
        finish,
        extra: candidate,
    })
}

/// Reads a part. A call without an id gets one.
pub(super) fn read_part(mut part: Object, answer: &str, candidate: u64, calls: &mut u64) -> Part {
    let signature = text(&part, "thoughtSignature").map(|seal| Signature {
        origin: Origin::Dialect(Dialect::Gemini),
        value: seal.to_owned(),
    });
    let thought = part.get("thought") == Some(&Value::Bool(true));
    if let Some(Value::String(text)) = part.get("text") {
        let text = text.clone();
        for name in ["text", "thought", "thoughtSignature"] {
            part.shift_remove(name);
        }
        return if thought {
            Part::Thinking(Thinking {
                text,
                signature,
                redacted: false,
                extra: part,
            })
        } else {
            Part::Text(Text {
                text,
                signature,
                extra: part,
            })
        };
    }
    if let Some(Value::Object(call)) = part.get_mut("functionCall") {
        let mut call = std::mem::take(call);
        let id = text(&call, "id")
            .filter(|id| !id.is_empty())
            .map(str::to_owned);
        let name = text(&call, "name").unwrap_or_default().to_owned();
        let arguments = call
            .get("args")
            .map_or_else(|| "{}".to_owned(), Value::to_string);
        for name in ["id", "name", "args"] {
            call.shift_remove(name);
        }
        let number = candidate * 1_000 + *calls;
        *calls += 1;
        return Part::ToolCall(ToolCall {
            id: id.unwrap_or_else(|| made_up_id(answer, number)),
            name,
            arguments,
            signature,
            extra: call,
        });
    }
    if let Some(data) = part.get("inlineData").and_then(Value::as_object) {
        let media_type = text(data, "mimeType").unwrap_or("application/octet-stream");
        return Part::Media(Media {
            kind: if media_type.starts_with("image/") {
                MediaKind::Image
            } else if media_type.starts_with("audio/") {
                MediaKind::Audio
            } else {
                MediaKind::Document
            },
            source: Source::Data {
                media_type: media_type.to_owned(),
                data: text(data, "data").unwrap_or_default().to_owned(),
            },
            detail: None,
            name: None,
            extra: Object::new(),
        });
    }
    Part::Other(part)
}

/// Writes an answer.
pub(crate) fn write_response(
    response: &ChatResponse,
    stamp: &Stamp,
    native: bool,
    losses: &mut Losses,
) -> Result<Object, Failure> {
    let mut candidates = Vec::new();
    for candidate in &response.candidates {
        let mut parts = Vec::new();
        for part in &candidate.parts {
            parts.extend(write_part(part, native, losses)?);
        }
        let mut written = object! {"content": object! {"role": "model", "parts": parts}};
        if let Some(finish) = &candidate.finish {
            let word = if native {
                finish.word.as_str()
            } else {
                finish_word(finish)
            };
            written.insert("finishReason".to_owned(), Value::from(word));
        }
        written.insert("index".to_owned(), Value::from(candidate.index));
        if native {
            written.extend(candidate.extra.clone());
        }
        candidates.push(Value::Object(written));
    }
    let mut out = object! {"candidates": candidates};
    if let Some(usage) = response.usage.as_ref().filter(|usage| !usage.is_unknown()) {
        out.insert(
            "usageMetadata".to_owned(),
            Value::Object(write_usage(usage)),
        );
    }
    out.insert(
        "modelVersion".to_owned(),
        Value::from(stamp.model(&response.model)),
    );
    out.insert(
        "responseId".to_owned(),
        Value::from(stamp.answer_id(&response.id, "")),
    );
    if native {
        out.extend(response.extra.clone());
    }
    report_extra(response, native, losses);
    Ok(out)
}

fn write_part(part: &Part, native: bool, losses: &mut Losses) -> Result<Option<Value>, Failure> {
    let mut out = match part {
        Part::Text(text) => {
            let mut out = object! {"text": text.text.as_str()};
            put_seal(text.signature.as_ref(), Belongs::NextText, &mut out);
            if native {
                out.extend(text.extra.clone());
            }
            out
        }
        Part::Refusal(text) => object! {"text": text.as_str()},
        Part::Thinking(thinking) => {
            let mut out = object! {"text": thinking.text.as_str(), "thought": true};
            let belongs = if thinking.redacted {
                Belongs::Redacted
            } else {
                Belongs::Thought
            };
            put_seal(thinking.signature.as_ref(), belongs, &mut out);
            out
        }
        Part::ToolCall(call) => {
            let args = arguments(&call.arguments).ok_or_else(|| {
                Failure::bad_answer(format!(
                    "the provider's call of `{}` has no JSON object for arguments",
                    call.name
                ))
            })?;
            write_call(&call.id, &call.name, args, call.signature.as_ref())
        }
        Part::Media(Media {
            source: Source::Data { media_type, data },
            ..
        }) => {
            object! {"inlineData": object! {"mimeType": media_type.as_str(), "data": data.as_str()}}
        }
        Part::Other(other) if native => other.clone(),
        Part::Other(other) => {
            losses.dropped(format!("answer.{}", kind_of(other)));
            return Ok(None);
        }
        Part::Media(_) | Part::ToolResult(_) => {
            losses.dropped("answer.media");
            return Ok(None);
        }
    };
    if out.get("thought") == Some(&Value::Bool(false)) {
        out.shift_remove("thought");
    }
    Ok(Some(Value::Object(out)))
}

/// A call, as a part.
pub(super) fn write_call(
    id: &str,
    name: &str,
    args: Object,
    signature: Option<&Signature>,
) -> Object {
    let mut call = object! {"name": name, "args": args};
    if !id.starts_with(MADE_UP) {
        call.insert("id".to_owned(), Value::from(id));
    }
    let mut out = object! {"functionCall": call};
    put_seal(signature, Belongs::NextCall, &mut out);
    out
}

pub(super) fn put_seal(signature: Option<&Signature>, belongs: Belongs, out: &mut Object) {
    if let Some(signature) = signature {
        out.insert(
            "thoughtSignature".to_owned(),
            Value::from(pack_base64(signature, belongs)),
        );
    }
}
