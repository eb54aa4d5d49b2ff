//! A chat completions request of a caller.

use serde_json::Value;

use crate::dialect::{Dialect, Surface};
use crate::failure::Failure;
use crate::json::{Fields, Object, object};
use crate::model::{
    ChatRequest, Format, Function, Media, MediaKind, Message, Origin, Part, Reasoning, Role,
    Source, Text, Thinking, Tool, ToolCall, ToolChoice, ToolResult,
};
use crate::openai::google_seal::take_google_seal;
use crate::signature::{Belongs, unpack};
use crate::write::source_of_url;

const HOME: Origin = Origin::Dialect(Dialect::Openai);

/// Reads the request.
pub(crate) fn read(body: Object) -> Result<ChatRequest, Failure> {
    let mut fields = Fields::new(body, "");
    let mut request = ChatRequest::new(Surface::OpenaiChat, fields.needed_text("model")?);
    let messages = fields
        .list("messages")?
        .ok_or_else(|| Failure::invalid("messages", "`messages` is missing"))?;
    for (n, message) in messages.into_iter().enumerate() {
        request.messages.push(read_message(message, n)?);
    }
    if let Some(tools) = fields.list("tools")? {
        let tools: Result<_, _> = tools
            .into_iter()
            .enumerate()
            .map(|(n, tool)| read_tool(tool, n))
            .collect();
        request.tools = Some(tools?);
    }
    if let Some(choice) = fields.take("tool_choice") {
        match read_choice(&choice) {
            Some(choice) => request.tool_choice = Some(choice),
            None => put_back(&mut request.extra, "tool_choice", choice),
        }
    }
    request.parallel_tool_calls = fields.flag("parallel_tool_calls")?;
    request.max_output = fields.count("max_completion_tokens")?;
    if request.max_output.is_none() {
        request.max_output = fields.count("max_tokens")?;
        request.max_output_old_name = request.max_output.is_some();
    }
    request.temperature = fields.number("temperature")?;
    request.top_p = fields.number("top_p")?;
    request.frequency_penalty = fields.number("frequency_penalty")?;
    request.presence_penalty = fields.number("presence_penalty")?;
    request.seed = fields.number("seed")?;
    request.stop = match fields.take("stop") {
        None => None,
        Some(Value::String(one)) => Some(vec![one]),
        Some(list) => {
            let mut holder = Fields::new(object! {"stop": list}, "");
            holder.texts("stop")?
        }
    };
    request.candidates = fields.count("n")?;
    if let Some(format) = fields.take("response_format") {
        match read_format(&format) {
            Some(format) => request.format = Some(format),
            None => put_back(&mut request.extra, "response_format", format),
        }
    }
    if let Some(effort) = fields.text("reasoning_effort")? {
        request.reasoning = Some(Reasoning {
            effort: Some(effort),
            ..Reasoning::default()
        });
    }
    request.user = fields.text("user")?;
    request.stream = fields.flag("stream")?.unwrap_or(false);
    if let Some(mut options) = fields.fields("stream_options")? {
        request.stream_usage = options.flag("include_usage")?.unwrap_or(false);
        let rest = options.rest();
        if !rest.is_empty() {
            put_back(&mut request.extra, "stream_options", Value::Object(rest));
        }
    }
    request.extra.extend(fields.rest());
    Ok(request)
}

fn put_back(extra: &mut Object, name: &str, value: Value) {
    extra.insert(name.to_owned(), value);
}

fn read_message(message: Value, n: usize) -> Result<Message, Failure> {
    let place = format!("messages[{n}]");
    let mut fields = Fields::of(message, place.clone())?;
    let role = fields.needed_text("role")?;
    let content = fields.take("content");
    if role == "tool" {
        let id = fields.needed_text("tool_call_id")?;
        let plain = !matches!(content, Some(Value::Array(_)));
        let name = fields.text("name")?;
        return Ok(Message::new(
            Role::Tool,
            vec![Part::ToolResult(ToolResult {
                id,
                name,
                parts: read_content(content, &place)?,
                plain,
                extra: fields.rest(),
                ..ToolResult::default()
            })],
        ));
    }
    let role = match role.as_str() {
        "system" => Role::System,
        "developer" => Role::Developer,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        _ => {
            return Err(Failure::invalid(
                format!("{place}.role"),
                format!("`{place}.role` is none of developer, system, user, assistant, tool"),
            ));
        }
    };
    let mut parts = Vec::new();
    if role == Role::Assistant {
        read_thoughts(&mut fields, &mut parts)?;
    }
    // A seal of text is held by an empty thought before it.
    let mut text_seal = None;
    parts.retain(|part| match part {
        Part::Text(text) => {
            text_seal.clone_from(&text.signature);
            false
        }
        _ => true,
    });
    let mut content = read_content(content, &place)?;
    if let (Some(seal), Some(Part::Text(text))) = (text_seal, content.first_mut()) {
        text.signature = Some(seal);
    }
    parts.append(&mut content);
    if role == Role::Assistant {
        if let Some(refusal) = fields.text("refusal")? {
            parts.push(Part::Refusal(refusal));
        }
        let calls_place = fields.at("tool_calls");
        for (n, call) in fields
            .list("tool_calls")?
            .unwrap_or_default()
            .into_iter()
            .enumerate()
        {
            parts.push(read_call(call, format!("{calls_place}[{n}]"))?);
        }
    }
    Ok(Message {
        role,
        parts,
        extra: fields.rest(),
    })
}

/// Thoughts that came with an earlier answer: sealed in `reasoning_details`, or as text in `reasoning_content`.
fn read_thoughts(fields: &mut Fields, parts: &mut Vec<Part>) -> Result<(), Failure> {
    let text = fields.text("reasoning_content")?;
    let details = fields.list("reasoning_details")?.unwrap_or_default();
    if details.is_empty() {
        parts.extend(text.map(|text| {
            Part::Thinking(Thinking {
                text,
                ..Thinking::default()
            })
        }));
        return Ok(());
    }
    let place = fields.at("reasoning_details");
    for (n, detail) in details.into_iter().enumerate() {
        let mut detail = Fields::of(detail, format!("{place}[{n}]"))?;
        let kind = detail.text("type")?.unwrap_or_default();
        let text = detail.text("text")?.unwrap_or_default();
        let seal = detail.text("signature")?.or(detail.text("data")?);
        let (signature, belongs) = match seal {
            Some(seal) => {
                let (signature, belongs) = unpack(&seal, HOME);
                (Some(signature), belongs)
            }
            None => (None, Belongs::Thought),
        };
        parts.push(match belongs {
            Belongs::NextText => Part::Text(Text {
                signature,
                ..Text::default()
            }),
            _ => Part::Thinking(Thinking {
                text,
                signature,
                redacted: kind == "reasoning.encrypted",
                extra: Object::new(),
            }),
        });
    }
    Ok(())
}

fn read_call(call: Value, place: String) -> Result<Part, Failure> {
    let mut fields = Fields::of(call.clone(), place)?;
    let kind = fields.text("type")?;
    if kind.as_deref().is_some_and(|kind| kind != "function") {
        // Calls of every kind have an id, by which writers tell them from pieces of content.
        fields.needed_text("id")?;
        return Ok(Part::Other(match call {
            Value::Object(object) => object,
            _ => Object::new(),
        }));
    }
    let id = fields.text("id")?.unwrap_or_default();
    let mut function = fields
        .fields("function")?
        .unwrap_or_else(|| Fields::new(Object::new(), ""));
    let name = function.needed_text("name")?;
    let arguments = match function.take("arguments") {
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let mut extra = fields.rest();
    let signature = take_google_seal(&mut extra);
    Ok(Part::ToolCall(ToolCall {
        id,
        name,
        arguments,
        signature,
        extra,
    }))
}

fn read_content(content: Option<Value>, place: &str) -> Result<Vec<Part>, Failure> {
    match content {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![Part::text(text)]),
        Some(Value::Array(list)) => list
            .into_iter()
            .enumerate()
            .map(|(n, part)| read_part(part, format!("{place}.content[{n}]")))
            .collect(),
        Some(_) => Err(Failure::invalid(
            format!("{place}.content"),
            format!("`{place}.content` is neither text nor a list"),
        )),
    }
}

fn read_part(part: Value, place: String) -> Result<Part, Failure> {
    if let Value::String(text) = part {
        return Ok(Part::text(text));
    }
    let whole = part.as_object().cloned().unwrap_or_default();
    let mut fields = Fields::of(part, place)?;
    let media = |kind, source, detail, name, extra| {
        Part::Media(Media {
            kind,
            source,
            detail,
            name,
            extra,
        })
    };
    match fields.needed_text("type")?.as_str() {
        "text" => Ok(Part::Text(Text {
            text: fields.needed_text("text")?,
            signature: None,
            extra: fields.rest(),
        })),
        "refusal" => Ok(Part::Refusal(fields.needed_text("refusal")?)),
        "image_url" => {
            let (url, detail) = match fields.take("image_url") {
                // Mistral's callers write the address alone.
                Some(Value::String(url)) => (url, None),
                Some(Value::Object(image)) => {
                    let mut image = Fields::new(image, fields.at("image_url"));
                    (image.needed_text("url")?, image.text("detail")?)
                }
                _ => {
                    let place = fields.at("image_url");
                    return Err(Failure::invalid(
                        place.clone(),
                        format!("`{place}` is missing"),
                    ));
                }
            };
            Ok(media(
                MediaKind::Image,
                source_of_url(url),
                detail,
                None,
                fields.rest(),
            ))
        }
        "file" => {
            let Some(mut file) = fields.fields("file")? else {
                return Ok(Part::Other(whole));
            };
            let name = file.text("filename")?;
            let source = match (file.text("file_id")?, file.text("file_data")?) {
                (Some(id), _) => Source::File(id),
                (None, Some(data)) => match source_of_url(data) {
                    Source::Url { url, .. } => Source::Data {
                        media_type: "application/pdf".to_owned(),
                        data: url,
                    },
                    data => data,
                },
                _ => return Ok(Part::Other(whole)),
            };
            Ok(media(
                MediaKind::Document,
                source,
                None,
                name,
                fields.rest(),
            ))
        }
        "input_audio" => {
            let Some(mut audio) = fields.fields("input_audio")? else {
                return Ok(Part::Other(whole));
            };
            let data = audio.needed_text("data")?;
            let format = audio.text("format")?.unwrap_or_default();
            let media_type = if format == "mp3" {
                "audio/mpeg".to_owned()
            } else {
                format!("audio/{format}")
            };
            Ok(media(
                MediaKind::Audio,
                Source::Data { media_type, data },
                None,
                None,
                fields.rest(),
            ))
        }
        _ => Ok(Part::Other(whole)),
    }
}

fn read_tool(tool: Value, n: usize) -> Result<Tool, Failure> {
    let whole = tool.as_object().cloned().unwrap_or_default();
    let mut fields = Fields::of(tool, format!("tools[{n}]"))?;
    if fields.text("type")?.as_deref() != Some("function") {
        return Ok(Tool::Other(whole));
    }
    let place = fields.at("function");
    let Some(mut function) = fields.fields("function")? else {
        return Err(Failure::invalid(
            place.clone(),
            format!("`{place}` is missing"),
        ));
    };
    Ok(Tool::Function(Function {
        name: function.needed_text("name")?,
        description: function.text("description")?,
        parameters: function.object("parameters")?,
        strict: function.flag("strict")?,
        extra: function.rest(),
    }))
}

fn read_choice(choice: &Value) -> Option<ToolChoice> {
    match choice {
        Value::String(word) => match word.as_str() {
            "auto" => Some(ToolChoice::Auto),
            "none" => Some(ToolChoice::None),
            "required" | "any" => Some(ToolChoice::Required),
            _ => None,
        },
        Value::Object(object) => match object.get("type")?.as_str()? {
            "function" => Some(ToolChoice::Named(function_name(choice)?)),
            "allowed_tools" => {
                let allowed = object.get("allowed_tools")?;
                let names: Option<Vec<_>> = allowed
                    .get("tools")?
                    .as_array()?
                    .iter()
                    .map(function_name)
                    .collect();
                Some(ToolChoice::Among {
                    names: names?,
                    required: allowed.get("mode")?.as_str()? == "required",
                })
            }
            _ => None,
        },
        _ => None,
    }
}

fn function_name(tool: &Value) -> Option<String> {
    Some(tool.get("function")?.get("name")?.as_str()?.to_owned())
}

fn read_format(format: &Value) -> Option<Format> {
    match format.get("type")?.as_str()? {
        "text" => Some(Format::Text),
        "json_object" => Some(Format::Json),
        "json_schema" => {
            let inner = format.get("json_schema")?.as_object()?;
            Some(Format::Schema {
                name: inner.get("name").and_then(Value::as_str).map(str::to_owned),
                description: inner
                    .get("description")
                    .and_then(Value::as_str)
                    .map(str::to_owned),
                schema: inner.get("schema")?.as_object()?.clone(),
                strict: inner.get("strict").and_then(Value::as_bool),
            })
        }
        _ => None,
    }
}
