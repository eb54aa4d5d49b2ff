//! The instructions and the turns of a Messages request.

use serde_json::Value;

use crate::dialect::Dialect;
use crate::failure::Failure;
use crate::json::{Object, object, put};
use crate::loss::Losses;
use crate::model::{
    ChatRequest, Media, MediaKind, Message, Origin, Part, Role, Source, ToolCall, ToolResult,
};
use crate::write::{Target, call_arguments, call_id, plain_text};

/// Writes the instructions, which stand apart from the turns.
pub(super) fn write_system(target: &Target<'_>, out: &mut Object, losses: &mut Losses) {
    let mut blocks = Vec::new();
    for message in leading(target.request) {
        for part in &message.parts {
            match part {
                Part::Text(text) => {
                    let mut block = object! {"type": "text", "text": text.text.as_str()};
                    target.carry(&text.extra, "system", &mut block, losses);
                    blocks.push(Value::Object(block));
                }
                Part::Other(other) => blocks.extend(target.carry_part(other, "system", losses)),
                _ => losses.dropped("system.content"),
            }
        }
    }
    if !blocks.is_empty() {
        out.insert("system".to_owned(), simple(blocks));
    }
}

/// The instructions before the conversation.
fn leading(request: &ChatRequest) -> impl Iterator<Item = &Message> {
    request.messages.iter().filter(|message| is_system(message))
}

fn is_system(message: &Message) -> bool {
    matches!(message.role, Role::System | Role::Developer)
}

/// One plain text rather than a list of one.
fn simple(blocks: Vec<Value>) -> Value {
    if let [Value::Object(only)] = blocks.as_slice()
        && only.len() == 2
        && only.get("type").and_then(Value::as_str) == Some("text")
        && let Some(text) = only.get("text")
    {
        return text.clone();
    }
    Value::Array(blocks)
}

/// The turns. Turns of one role that follow each other become one, as Anthropic's own API joins them.
pub(super) fn write_messages(
    target: &Target<'_>,
    losses: &mut Losses,
) -> Result<Vec<Value>, Failure> {
    let mut turns: Vec<(&str, Vec<Value>, Object)> = Vec::new();
    let mut begun = false;
    for message in &target.request.messages {
        if is_system(message) {
            if begun {
                // Its place among the turns is lost.
                losses.changed("messages.system");
            }
            continue;
        }
        begun = true;
        let role = if message.role == Role::Assistant {
            "assistant"
        } else {
            "user"
        };
        let mut blocks = Vec::new();
        for part in &message.parts {
            blocks.extend(write_part(target, part, losses)?);
        }
        let mut extra = Object::new();
        target.carry(&message.extra, "messages", &mut extra, losses);
        match turns.last_mut() {
            Some((last, there, more)) if *last == role => {
                there.append(&mut blocks);
                more.extend(extra);
            }
            _ => turns.push((role, blocks, extra)),
        }
    }
    Ok(turns
        .into_iter()
        .filter(|(_, blocks, _)| !blocks.is_empty())
        .map(|(role, blocks, extra)| {
            let mut turn = object! {"role": role, "content": simple(blocks)};
            turn.extend(extra);
            Value::Object(turn)
        })
        .collect())
}

fn write_part(
    target: &Target<'_>,
    part: &Part,
    losses: &mut Losses,
) -> Result<Option<Value>, Failure> {
    let block = match part {
        // Anthropic refuses empty texts.
        Part::Text(text) if text.text.is_empty() && !target.is_native() => return Ok(None),
        Part::Text(text) => {
            if text.signature.is_some() {
                losses.dropped("messages.content.signature");
            }
            let mut block = object! {"type": "text", "text": text.text.as_str()};
            target.carry(&text.extra, "messages.content", &mut block, losses);
            block
        }
        Part::Refusal(text) => object! {"type": "text", "text": text.as_str()},
        Part::Media(media) => write_media(target, media, losses),
        Part::Thinking(thinking) => {
            let own = thinking
                .signature
                .as_ref()
                .filter(|seal| seal.origin == Origin::Dialect(Dialect::Anthropic));
            let Some(seal) = own else {
                losses.dropped("messages.thinking");
                return Ok(None);
            };
            let mut block = if thinking.redacted {
                object! {"type": "redacted_thinking", "data": seal.value.as_str()}
            } else {
                object! {"type": "thinking", "thinking": thinking.text.as_str(), "signature": seal.value.as_str()}
            };
            target.carry(&thinking.extra, "messages.thinking", &mut block, losses);
            block
        }
        Part::ToolCall(call) => write_call(target, call, losses)?,
        Part::ToolResult(result) => write_result(target, result, losses)?,
        Part::Other(other) => return Ok(target.carry_part(other, "messages.content", losses)),
    };
    Ok(Some(Value::Object(block)))
}

fn write_media(target: &Target<'_>, media: &Media, losses: &mut Losses) -> Object {
    let source = match &media.source {
        Source::Data { media_type, data } => {
            object! {"type": "base64", "media_type": media_type.as_str(), "data": data.as_str()}
        }
        Source::Url { url, .. } => object! {"type": "url", "url": url.as_str()},
        Source::File(id) => object! {"type": "file", "file_id": id.as_str()},
    };
    let kind = if media.kind == MediaKind::Image {
        "image"
    } else {
        "document"
    };
    let mut block = object! {"type": kind, "source": source};
    put(&mut block, "title", media.name.clone());
    if media.detail.is_some() {
        losses.dropped("messages.content.image_url.detail");
    }
    target.carry(&media.extra, "messages.content", &mut block, losses);
    block
}

fn write_call(
    target: &Target<'_>,
    call: &ToolCall,
    losses: &mut Losses,
) -> Result<Object, Failure> {
    let input = call_arguments(call)?;
    if call.signature.is_some() {
        losses.dropped("messages.tool_calls.signature");
    }
    let mut block = object! {
        "type": "tool_use",
        "id": call_id(&call.id, Dialect::Anthropic),
        "name": call.name.as_str(),
        "input": input,
    };
    target.carry(&call.extra, "messages.tool_calls", &mut block, losses);
    Ok(block)
}

fn write_result(
    target: &Target<'_>,
    result: &ToolResult,
    losses: &mut Losses,
) -> Result<Object, Failure> {
    let mut block = object! {
        "type": "tool_result",
        "tool_use_id": call_id(&result.id, Dialect::Anthropic),
    };
    if result.plain {
        let text = plain_text(&result.parts);
        if !text.is_empty() || !result.parts.is_empty() {
            block.insert("content".to_owned(), Value::from(text));
        }
    } else {
        let mut content = Vec::new();
        for part in &result.parts {
            content.extend(write_part(target, part, losses)?);
        }
        block.insert("content".to_owned(), Value::Array(content));
    }
    put(&mut block, "is_error", result.is_error);
    target.carry(&result.extra, "messages.tool_result", &mut block, losses);
    Ok(block)
}
