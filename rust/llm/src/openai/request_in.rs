//! A chat completions request of a caller.

mod parts;
mod tools;

use serde_json::Value;

use crate::dialect::{Dialect, Surface};
use crate::failure::Failure;
use crate::json::{Fields, Object, object};
use crate::model::{
    ChatRequest, Format, Message, Origin, Part, Reasoning, Role, Text, Thinking, ToolCall,
    ToolResult,
};
use crate::openai::google_seal::take_google_seal;
use crate::read;
use crate::signature::{Belongs, unpack};

use parts::read_part;
use tools::{read_choice, read_tool};

const HOME: Origin = Origin::Dialect(Dialect::Openai);

/// Reads the request.
pub(crate) fn read(body: Object) -> Result<ChatRequest, Failure> {
    let mut fields = Fields::new(body, "");
    let mut request = ChatRequest::new(Surface::OpenaiChat, fields.needed_text("model")?);
    for (n, message) in read::messages(&mut fields)?.into_iter().enumerate() {
        request.messages.push(read_message(message, n)?);
    }
    request.tools = read::tools(&mut fields, read_tool)?;
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
                parts: read::content(content, &place, read_part)?,
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
    let mut content = read::content(content, &place, read_part)?;
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
