//! The messages of a chat completions request.

use serde_json::Value;

use crate::dialect::Dialect;
use crate::failure::Failure;
use crate::json::{Object, object, put};
use crate::loss::Losses;
use crate::model::{Media, MediaKind, Message, Origin, Part, Role, Source, ToolCall, ToolResult};
use crate::openai::google_seal::google_seal;
use crate::signature::{Belongs, pack};
use crate::write::{Target, as_url, call_id, plain_text, thoughts};

/// Appends what a message becomes: none, one or several.
pub(super) fn write_message(
    target: &Target<'_>,
    message: &Message,
    out: &mut Vec<Value>,
    losses: &mut Losses,
) -> Result<(), Failure> {
    // Results of tools are messages of their own, and pictures in them follow in a turn of the user.
    let mut pictures = Vec::new();
    for part in &message.parts {
        if let Part::ToolResult(result) = part {
            out.push(write_result(target, result, &mut pictures, losses));
        }
    }
    if !pictures.is_empty() {
        losses.changed("messages.tool_result.image");
        out.push(Value::Object(object! {"role": "user", "content": pictures}));
    }
    let parts: Vec<&Part> = message
        .parts
        .iter()
        .filter(|part| !matches!(part, Part::ToolResult(_)))
        .collect();
    if message.role == Role::Tool || (parts.is_empty() && !message.parts.is_empty()) {
        return Ok(());
    }
    let role = match message.role {
        Role::Developer if target.dialect == Dialect::Openai => "developer",
        Role::System | Role::Developer => "system",
        Role::Assistant => "assistant",
        Role::User | Role::Tool => "user",
    };
    let mut written = object! {"role": role};
    let mut content = Vec::new();
    let mut calls = Vec::new();
    let mut refusal = None;
    for part in parts {
        match part {
            Part::ToolCall(call) => calls.push(write_call(target, call, losses)),
            Part::Refusal(text) => refusal = Some(text.clone()),
            // Thoughts have a field of their own.
            Part::Thinking(_) | Part::ToolResult(_) => {}
            Part::Other(other) if message.role == Role::Assistant && other.contains_key("id") => {
                calls.extend(target.carry_part(other, "messages.tool_calls", losses));
            }
            part => content.extend(write_part(target, part, losses)?),
        }
    }
    let content = match content.as_slice() {
        [] if message.role == Role::Assistant => Value::Null,
        [] => Value::String(String::new()),
        [Value::Object(only)] if only.len() == 2 && is_text(only) => {
            only.get("text").cloned().unwrap_or(Value::Null)
        }
        _ => Value::Array(content),
    };
    written.insert("content".to_owned(), content);
    put(&mut written, "refusal", refusal);
    if message.role == Role::Assistant {
        write_thoughts(target, message, &mut written, losses);
    }
    if !calls.is_empty() {
        written.insert("tool_calls".to_owned(), Value::Array(calls));
    }
    target.carry(&message.extra, "messages", &mut written, losses);
    out.push(Value::Object(written));
    Ok(())
}

fn write_part(
    target: &Target<'_>,
    part: &Part,
    losses: &mut Losses,
) -> Result<Option<Value>, Failure> {
    match part {
        Part::Text(text) => {
            let mut written = object! {"type": "text", "text": text.text.as_str()};
            target.carry(&text.extra, "messages.content", &mut written, losses);
            Ok(Some(Value::Object(written)))
        }
        Part::Media(media) => write_media(target, media, losses).map(Some),
        Part::Other(other) => Ok(target.carry_part(other, "messages.content", losses)),
        _ => Ok(None),
    }
}

fn write_media(target: &Target<'_>, media: &Media, losses: &mut Losses) -> Result<Value, Failure> {
    let mut written = match (media.kind, &media.source) {
        (MediaKind::Image, source) => {
            let url = as_url(source).ok_or_else(|| elsewhere(target.dialect))?;
            let mut image = object! {"url": url};
            put(&mut image, "detail", media.detail.clone());
            object! {"type": "image_url", "image_url": image}
        }
        (MediaKind::Document, Source::Url { url, .. }) if target.dialect == Dialect::Mistral => {
            object! {"type": "document_url", "document_url": url.as_str()}
        }
        (MediaKind::Document, Source::File(id)) if target.is_native() => {
            object! {"type": "file", "file": object! {"file_id": id.as_str()}}
        }
        (MediaKind::Document, source @ Source::Data { .. })
            if target.dialect == Dialect::Openai =>
        {
            let mut file = object! {"file_data": as_url(source).unwrap_or_default()};
            file.insert(
                "filename".to_owned(),
                Value::from(media.name.as_deref().unwrap_or("document.pdf")),
            );
            object! {"type": "file", "file": file}
        }
        (MediaKind::Audio, Source::Data { media_type, data }) => {
            let format = match media_type.as_str() {
                "audio/mpeg" | "audio/mp3" => "mp3",
                other => other.strip_prefix("audio/").unwrap_or("wav"),
            };
            object! {"type": "input_audio", "input_audio": object! {"data": data.as_str(), "format": format}}
        }
        _ => return Err(elsewhere(target.dialect)),
    };
    target.carry(&media.extra, "messages.content", &mut written, losses);
    Ok(Value::Object(written))
}

/// Media that the provider cannot take are refused rather than left out: the answer would be about something else.
fn elsewhere(dialect: Dialect) -> Failure {
    Failure::invalid(
        "messages.content",
        format!(
            "{} cannot take a file or document as it stands here; send its bytes in base64, or its text",
            dialect.name()
        ),
    )
}

fn write_call(target: &Target<'_>, call: &ToolCall, losses: &mut Losses) -> Value {
    let arguments = if call.arguments.trim().is_empty() {
        "{}"
    } else {
        call.arguments.as_str()
    };
    let mut written = object! {
        "id": call_id(&call.id, target.dialect),
        "type": "function",
        "function": object! {"name": call.name.as_str(), "arguments": arguments},
    };
    if let Some(signature) = &call.signature {
        if target.is_native() && signature.origin == Origin::Dialect(Dialect::Gemini) {
            written.insert("extra_content".to_owned(), google_seal(&signature.value));
        } else {
            losses.dropped("messages.tool_calls.signature");
        }
    }
    target.carry(&call.extra, "messages.tool_calls", &mut written, losses);
    Value::Object(written)
}

fn write_result(
    target: &Target<'_>,
    result: &ToolResult,
    pictures: &mut Vec<Value>,
    losses: &mut Losses,
) -> Value {
    let mut texts = Vec::new();
    for part in &result.parts {
        match part {
            Part::Text(text) => {
                let mut written = object! {"type": "text", "text": text.text.as_str()};
                target.carry(&text.extra, "messages.content", &mut written, losses);
                texts.push(Value::Object(written));
            }
            Part::Media(media) if media.kind == MediaKind::Image => match as_url(&media.source) {
                Some(url) => pictures.push(Value::Object(
                    object! {"type": "image_url", "image_url": object! {"url": url}},
                )),
                None => losses.dropped("messages.tool_result.image"),
            },
            Part::Other(other) => {
                texts.extend(target.carry_part(other, "messages.tool_result", losses))
            }
            _ => losses.dropped("messages.tool_result.content"),
        }
    }
    let content = if result.plain || target.dialect != Dialect::Openai {
        Value::String(plain_text(&result.parts))
    } else {
        Value::Array(texts)
    };
    let mut written = object! {
        "role": "tool",
        "tool_call_id": call_id(&result.id, target.dialect),
        "content": content,
    };
    if target.dialect == Dialect::Mistral {
        let name = result
            .name
            .as_deref()
            .or_else(|| target.request.tool_of(&result.id));
        put(&mut written, "name", name);
    } else if target.is_native() {
        put(&mut written, "name", result.name.clone());
    }
    if result.is_error == Some(true) {
        losses.dropped("messages.tool_result.is_error");
    }
    target.carry(&result.extra, "messages", &mut written, losses);
    Value::Object(written)
}

fn write_thoughts(
    target: &Target<'_>,
    message: &Message,
    written: &mut Object,
    losses: &mut Losses,
) {
    let thoughts: Vec<_> = thoughts(&message.parts).collect();
    if thoughts.is_empty() {
        return;
    }
    let text: String = thoughts
        .iter()
        .map(|thought| thought.text.as_str())
        .collect();
    match target.dialect {
        // Kimi refuses a call of a tool without the thought that led to it.
        Dialect::Moonshot => {
            if !text.is_empty() {
                written.insert("reasoning_content".to_owned(), Value::from(text));
            }
            if thoughts.iter().any(|thought| thought.signature.is_some()) {
                losses.dropped("messages.thinking.signature");
            }
        }
        Dialect::Mistral => {
            if text.is_empty() {
                losses.dropped("messages.thinking");
                return;
            }
            let thinking = object! {
                "type": "thinking",
                "thinking": vec![Value::Object(object! {"type": "text", "text": text})],
            };
            let mut chunks = vec![Value::Object(thinking)];
            match written.get("content") {
                Some(Value::String(text)) => {
                    chunks.push(Value::Object(
                        object! {"type": "text", "text": text.as_str()},
                    ));
                }
                Some(Value::Array(list)) => chunks.extend(list.iter().cloned()),
                _ => {}
            }
            written.insert("content".to_owned(), Value::Array(chunks));
        }
        // Servers that copy OpenAI take thoughts back; OpenAI itself has no field for them.
        _ if target.is_native() => {
            let sealed: Vec<Value> = thoughts
                .iter()
                .filter_map(|thought| {
                    let seal = pack(thought.signature.as_ref()?, Belongs::Thought, Origin::Dialect(Dialect::Openai));
                    Some(Value::Object(
                        object! {"type": "reasoning.text", "text": thought.text.as_str(), "signature": seal},
                    ))
                })
                .collect();
            if sealed.is_empty() {
                written.insert("reasoning_content".to_owned(), Value::from(text));
            } else {
                losses.dropped("messages.thinking");
            }
        }
        _ => losses.dropped("messages.thinking"),
    }
}

fn is_text(part: &Object) -> bool {
    part.contains_key("text") && part.get("type").and_then(Value::as_str) == Some("text")
}
