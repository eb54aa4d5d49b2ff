//! The turns of a `generateContent` request.

use serde_json::Value;

use crate::failure::Failure;
use crate::json::Fields;
use crate::model::{
    Media, MediaKind, Message, Part, Role, Source, Text, Thinking, ToolCall, ToolResult,
};
use crate::signature::unpack_base64;

use super::calls::Calls;
use super::spelling::either;

/// Reads a turn.
pub(super) fn read_content(
    content: Value,
    place: String,
    calls: &mut Calls,
) -> Result<Message, Failure> {
    if let Value::String(text) = content {
        return Ok(Message::new(Role::User, vec![Part::text(text)]));
    }
    let mut fields = Fields::of(content, place.clone())?;
    let role = match fields.text("role")?.as_deref() {
        Some("user" | "function" | "system") | None => Role::User,
        Some("model") => Role::Assistant,
        Some(_) => {
            let place = fields.at("role");
            return Err(Failure::invalid(
                place.clone(),
                format!("`{place}` is neither user nor model"),
            ));
        }
    };
    let mut parts = Vec::new();
    for (n, part) in fields
        .list("parts")?
        .unwrap_or_default()
        .into_iter()
        .enumerate()
    {
        parts.push(read_part(part, format!("{place}.parts[{n}]"), calls)?);
    }
    Ok(Message {
        role,
        parts,
        extra: fields.rest(),
    })
}

fn read_part(part: Value, place: String, calls: &mut Calls) -> Result<Part, Failure> {
    let whole = part.as_object().cloned().unwrap_or_default();
    let mut fields = Fields::of(part, place)?;
    let thought = fields.flag("thought")?.unwrap_or(false);
    let signature = match either(&mut fields, "thoughtSignature", "thought_signature") {
        Some(Value::String(seal)) => Some(unpack_base64(&seal).0),
        _ => None,
    };
    if let Some(text) = fields.text("text")? {
        return Ok(if thought {
            Part::Thinking(Thinking {
                text,
                signature,
                redacted: false,
                extra: fields.rest(),
            })
        } else {
            Part::Text(Text {
                text,
                signature,
                extra: fields.rest(),
            })
        });
    }
    if let Some(call) = either(&mut fields, "functionCall", "function_call") {
        let mut call = Fields::of(call, fields.at("functionCall"))?;
        let name = call.needed_text("name")?;
        let id = call.text("id")?;
        return Ok(Part::ToolCall(ToolCall {
            id: calls.call(&name, id),
            name,
            arguments: Value::Object(call.object("args")?.unwrap_or_default()).to_string(),
            signature,
            extra: call.rest(),
        }));
    }
    if let Some(result) = either(&mut fields, "functionResponse", "function_response") {
        let mut result = Fields::of(result, fields.at("functionResponse"))?;
        let name = result.needed_text("name")?;
        let id = result.text("id")?;
        let response = result.object("response")?.unwrap_or_default();
        return Ok(Part::ToolResult(ToolResult {
            id: calls.result(&name, id),
            name: Some(name),
            is_error: response.contains_key("error").then_some(true),
            parts: vec![Part::text(Value::Object(response).to_string())],
            plain: true,
            extra: result.rest(),
        }));
    }
    let data = either(&mut fields, "inlineData", "inline_data");
    let file = either(&mut fields, "fileData", "file_data");
    let source = match (data, file) {
        (Some(data), _) => {
            let mut data = Fields::of(data, fields.at("inlineData"))?;
            let media_type = match either(&mut data, "mimeType", "mime_type") {
                Some(Value::String(text)) => text,
                _ => "application/octet-stream".to_owned(),
            };
            Source::Data {
                media_type,
                data: data.needed_text("data")?,
            }
        }
        (None, Some(file)) => {
            let mut file = Fields::of(file, fields.at("fileData"))?;
            let media_type = match either(&mut file, "mimeType", "mime_type") {
                Some(Value::String(text)) => Some(text),
                _ => None,
            };
            match either(&mut file, "fileUri", "file_uri") {
                Some(Value::String(url)) => Source::Url { url, media_type },
                _ => return Ok(Part::Other(whole)),
            }
        }
        _ => return Ok(Part::Other(whole)),
    };
    let media_type = match &source {
        Source::Data { media_type, .. } => media_type.as_str(),
        Source::Url { media_type, .. } => media_type.as_deref().unwrap_or("image/"),
        Source::File(_) => "",
    };
    let kind = if media_type.starts_with("image/") {
        MediaKind::Image
    } else if media_type.starts_with("audio/") {
        MediaKind::Audio
    } else {
        MediaKind::Document
    };
    Ok(Part::Media(Media {
        kind,
        source,
        detail: None,
        name: None,
        extra: fields.rest(),
    }))
}
