//! A chat request for Ollama.

use serde_json::Value;

use crate::failure::Failure;
use crate::json::{Object, object, put};
use crate::loss::Losses;
use crate::model::{Format, MediaKind, Message, Part, Role, Source, Tool, ToolChoice};
use crate::write::{Target, call_arguments, effort, plain_text, thoughts};

/// Writes the request.
pub(crate) fn write(target: &Target<'_>, losses: &mut Losses) -> Result<Object, Failure> {
    let request = target.request;
    let mut messages = Vec::new();
    for message in &request.messages {
        write_message(target, message, &mut messages, losses)?;
    }
    let mut out = object! {
        "model": target.model,
        "messages": messages,
        // Ollama streams unless it is told not to.
        "stream": request.stream,
    };
    write_tools(target, &mut out, losses);
    match &request.format {
        Some(Format::Schema { schema, .. }) => put(&mut out, "format", Some(schema.clone())),
        Some(Format::Json) => put(&mut out, "format", Some("json")),
        Some(Format::Text) | None => {}
    }
    write_thinking(target, &mut out, losses);
    let mut options = Object::new();
    put(&mut options, "num_predict", request.most_output());
    put(&mut options, "temperature", request.temperature.clone());
    put(&mut options, "top_p", request.top_p.clone());
    put(&mut options, "top_k", request.top_k.clone());
    put(
        &mut options,
        "frequency_penalty",
        request.frequency_penalty.clone(),
    );
    put(
        &mut options,
        "presence_penalty",
        request.presence_penalty.clone(),
    );
    put(&mut options, "seed", request.seed.clone());
    put(&mut options, "stop", request.stop.clone());
    if !options.is_empty() {
        out.insert("options".to_owned(), Value::Object(options));
    }
    for (name, is_there) in [
        ("n", request.candidates.is_some_and(|n| n != 1)),
        ("user", request.user.is_some()),
        (
            "parallel_tool_calls",
            request.parallel_tool_calls == Some(false),
        ),
    ] {
        if is_there {
            losses.dropped(name);
        }
    }
    for name in request.extra.keys() {
        losses.dropped(name);
    }
    Ok(out)
}

fn write_message(
    target: &Target<'_>,
    message: &Message,
    out: &mut Vec<Value>,
    losses: &mut Losses,
) -> Result<(), Failure> {
    for part in &message.parts {
        if let Part::ToolResult(result) = part {
            let name = result
                .name
                .as_deref()
                .or_else(|| target.request.tool_of(&result.id))
                .unwrap_or_default();
            let mut written = object! {
                "role": "tool",
                "tool_name": name,
                "content": plain_text(&result.parts),
            };
            let images = write_images(&result.parts, losses)?;
            if !images.is_empty() {
                written.insert("images".to_owned(), Value::Array(images));
            }
            if result.is_error == Some(true) {
                losses.dropped("messages.tool_result.is_error");
            }
            out.push(Value::Object(written));
        }
    }
    let only_results = message
        .parts
        .iter()
        .all(|part| matches!(part, Part::ToolResult(_)));
    if only_results && !message.parts.is_empty() {
        return Ok(());
    }
    let role = match message.role {
        Role::System | Role::Developer => "system",
        Role::Assistant => "assistant",
        Role::User | Role::Tool => "user",
    };
    let mut written = object! {"role": role, "content": plain_text(&message.parts)};
    let thought: String = thoughts(&message.parts)
        .map(|thought| thought.text.as_str())
        .collect();
    if !thought.is_empty() {
        written.insert("thinking".to_owned(), Value::from(thought));
    }
    if thoughts(&message.parts).any(|thought| thought.signature.is_some()) {
        losses.dropped("messages.thinking.signature");
    }
    let images = write_images(&message.parts, losses)?;
    if !images.is_empty() {
        written.insert("images".to_owned(), Value::Array(images));
    }
    let mut calls = Vec::new();
    for part in &message.parts {
        match part {
            Part::ToolCall(call) => {
                let args = call_arguments(call)?;
                if call.signature.is_some() {
                    losses.dropped("messages.tool_calls.signature");
                }
                let function = object! {"name": call.name.as_str(), "arguments": args};
                calls.push(Value::Object(object! {"function": function}));
            }
            Part::Other(other) => {
                losses.dropped(format!(
                    "messages.content.{}",
                    crate::answer::kind_of(other)
                ));
            }
            Part::Text(text) => {
                for name in text.extra.keys() {
                    losses.dropped(format!("messages.content.{name}"));
                }
            }
            _ => {}
        }
    }
    if !calls.is_empty() {
        written.insert("tool_calls".to_owned(), Value::Array(calls));
    }
    for name in message.extra.keys() {
        losses.dropped(format!("messages.{name}"));
    }
    out.push(Value::Object(written));
    Ok(())
}

fn write_images(parts: &[Part], losses: &mut Losses) -> Result<Vec<Value>, Failure> {
    let mut images = Vec::new();
    for part in parts {
        let Part::Media(media) = part else { continue };
        match (&media.source, media.kind) {
            (Source::Data { data, .. }, MediaKind::Image) => {
                images.push(Value::from(data.as_str()))
            }
            _ => {
                return Err(Failure::invalid(
                    "messages.content",
                    "ollama takes pictures only, and only their bytes; send a `data:` address in base64",
                ));
            }
        }
        if media.detail.is_some() {
            losses.dropped("messages.content.image_url.detail");
        }
    }
    Ok(images)
}

fn write_tools(target: &Target<'_>, out: &mut Object, losses: &mut Losses) {
    let request = target.request;
    let none = request.tool_choice == Some(ToolChoice::None);
    if let Some(ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Among { .. }) =
        &request.tool_choice
    {
        losses.dropped("tool_choice");
    }
    // Without tools, none is called.
    let Some(tools) = request.tools.as_ref().filter(|_| !none) else {
        return;
    };
    let mut written = Vec::new();
    for tool in tools {
        match tool {
            Tool::Function(function) => {
                let mut inner = object! {"name": function.name.as_str()};
                put(&mut inner, "description", function.description.clone());
                let schema = function
                    .parameters
                    .clone()
                    .unwrap_or_else(|| object! {"type": "object", "properties": Object::new()});
                inner.insert("parameters".to_owned(), Value::Object(schema));
                if function.strict.is_some() {
                    losses.dropped("tools.function.strict");
                }
                for name in function.extra.keys() {
                    losses.dropped(format!("tools.function.{name}"));
                }
                written.push(Value::Object(
                    object! {"type": "function", "function": inner},
                ));
            }
            Tool::Other(other) => {
                losses.dropped(format!("tools.{}", crate::answer::kind_of(other)));
            }
        }
    }
    out.insert("tools".to_owned(), Value::Array(written));
}

/// Levels are for gpt-oss alone; other models think or do not.
fn write_thinking(target: &Target<'_>, out: &mut Object, losses: &mut Losses) {
    let Some(reasoning) = &target.request.reasoning else {
        return;
    };
    match reasoning.wanted() {
        Some(false) => {
            out.insert("think".to_owned(), Value::Bool(false));
        }
        Some(true) => {
            let word = effort(reasoning).map(|(word, _)| word);
            match word {
                Some(level @ ("low" | "medium" | "high"))
                    if target.model.starts_with("gpt-oss") =>
                {
                    out.insert("think".to_owned(), Value::from(level));
                }
                _ => {
                    losses.changed("reasoning_effort");
                    out.insert("think".to_owned(), Value::Bool(true));
                }
            }
        }
        None => {}
    }
}
