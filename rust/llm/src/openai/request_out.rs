//! A chat completions request for OpenAI, Mistral or Moonshot.

use serde_json::Value;

use crate::dialect::{Dialect, Surface};
use crate::failure::Failure;
use crate::json::{Object, object, put};
use crate::loss::Losses;
use crate::model::{
    Format, Media, MediaKind, Message, Origin, Part, Role, Source, Tool, ToolCall, ToolChoice,
    ToolResult,
};
use crate::signature::{Belongs, pack};
use crate::write::{Target, as_url, call_id, effort, plain_text, thoughts};

/// Fields of OpenAI's that Mistral and Moonshot refuse or do not know.
const OPENAI_ONLY: [&str; 16] = [
    "audio",
    "function_call",
    "functions",
    "logit_bias",
    "modalities",
    "moderation",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
    "stream_options",
    "verbosity",
    "web_search_options",
    "logprobs",
    "top_logprobs",
];

/// Sampling, which the Kimi models fix and refuse other values of; the `moonshot-v1` models take it.
const FIXED_BY_KIMI: [&str; 5] = [
    "temperature",
    "top_p",
    "frequency_penalty",
    "presence_penalty",
    "n",
];

/// Writes the request.
pub(crate) fn write(target: &Target<'_>, losses: &mut Losses) -> Result<Object, Failure> {
    let request = target.request;
    let mut out = object! {"model": target.model};
    let mut messages = Vec::new();
    for message in &request.messages {
        write_message(target, message, &mut messages, losses)?;
    }
    out.insert("messages".to_owned(), Value::Array(messages));
    write_tools(target, &mut out, losses);
    write_limits(target, &mut out, losses);
    put(&mut out, "temperature", request.temperature.clone());
    put(&mut out, "top_p", request.top_p.clone());
    put(
        &mut out,
        "frequency_penalty",
        request.frequency_penalty.clone(),
    );
    put(
        &mut out,
        "presence_penalty",
        request.presence_penalty.clone(),
    );
    put(&mut out, "n", request.candidates);
    if target.dialect == Dialect::Moonshot && target.model.starts_with("kimi-") {
        for name in FIXED_BY_KIMI {
            // One answer is what there is anyway.
            if out
                .shift_remove(name)
                .is_some_and(|value| name != "n" || value != 1)
            {
                losses.dropped(name);
            }
        }
    }
    put(&mut out, "stop", request.stop.clone());
    put(
        &mut out,
        "response_format",
        request.format.as_ref().map(write_format),
    );
    write_reasoning(target, &mut out, losses);
    if request.stream {
        out.insert("stream".to_owned(), Value::Bool(true));
    }
    write_extra(target, &mut out, losses);
    if request.stream && target.dialect == Dialect::Openai {
        // Asked for whatever the caller asked: without it nobody knows what a stream took.
        if let Some(options) = out
            .entry("stream_options")
            .or_insert_with(|| Value::Object(Object::new()))
            .as_object_mut()
        {
            options.insert("include_usage".to_owned(), Value::Bool(true));
        }
    }
    Ok(out)
}

fn write_limits(target: &Target<'_>, out: &mut Object, losses: &mut Losses) {
    let request = target.request;
    let old_name = request.max_output_old_name && request.surface == Surface::OpenaiChat;
    let name = match target.dialect {
        Dialect::Mistral => "max_tokens",
        Dialect::Openai if old_name => "max_tokens",
        _ => "max_completion_tokens",
    };
    put(out, name, request.most_output());
    match target.dialect {
        Dialect::Mistral => {
            put(out, "random_seed", request.seed.clone());
            put(out, "top_k", request.top_k.clone());
        }
        _ => {
            put(out, "seed", request.seed.clone());
            if request.top_k.is_some() {
                losses.dropped("top_k");
            }
        }
    }
    if request.user.is_some() {
        match target.dialect {
            Dialect::Openai => put(out, "user", request.user.clone()),
            _ => losses.dropped("user"),
        }
    }
}

fn write_extra(target: &Target<'_>, out: &mut Object, losses: &mut Losses) {
    let near = target.request.surface == Surface::OpenaiChat && target.dialect != Dialect::Openai;
    for (name, value) in &target.request.extra {
        if near && OPENAI_ONLY.contains(&name.as_str()) {
            losses.dropped(name);
        } else if near || target.is_native() {
            out.entry(name.clone()).or_insert_with(|| value.clone());
        } else {
            losses.dropped(name);
        }
    }
}

fn write_message(
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

/// Where Google's own OpenAI shim puts the seal of a call.
pub(super) fn google_seal(seal: &str) -> Value {
    Value::Object(object! {"google": object! {"thought_signature": seal}})
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

fn write_tools(target: &Target<'_>, out: &mut Object, losses: &mut Losses) {
    let request = target.request;
    let among = match &request.tool_choice {
        Some(ToolChoice::Among { names, .. }) if target.dialect != Dialect::Openai => Some(names),
        _ => None,
    };
    if let Some(tools) = &request.tools {
        let mut written = Vec::new();
        for tool in tools {
            match tool {
                Tool::Function(function)
                    if among.is_some_and(|names| !names.contains(&function.name)) => {}
                Tool::Function(function) => {
                    let mut inner = object! {"name": function.name.as_str()};
                    put(&mut inner, "description", function.description.clone());
                    // Mistral demands a schema.
                    let none = (target.dialect == Dialect::Mistral)
                        .then(|| object! {"type": "object", "properties": Object::new()});
                    put(
                        &mut inner,
                        "parameters",
                        function.parameters.clone().or(none),
                    );
                    match (function.strict, target.dialect) {
                        (Some(_), Dialect::Moonshot) => losses.dropped("tools.function.strict"),
                        (strict, _) => put(&mut inner, "strict", strict),
                    }
                    target.carry(&function.extra, "tools.function", &mut inner, losses);
                    written.push(Value::Object(
                        object! {"type": "function", "function": inner},
                    ));
                }
                Tool::Other(other) => written.extend(target.carry_part(other, "tools", losses)),
            }
        }
        out.insert("tools".to_owned(), Value::Array(written));
    }
    if let Some(choice) = &request.tool_choice {
        let choice = write_choice(target, choice, losses);
        out.insert("tool_choice".to_owned(), choice);
    }
    put(out, "parallel_tool_calls", request.parallel_tool_calls);
}

fn write_choice(target: &Target<'_>, choice: &ToolChoice, losses: &mut Losses) -> Value {
    let thinking = target
        .request
        .reasoning
        .as_ref()
        .and_then(crate::model::Reasoning::wanted);
    let thinks = thinking.unwrap_or_else(|| target.model.starts_with("kimi-"));
    let forced = matches!(
        choice,
        ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Among { required: true, .. }
    );
    if target.dialect == Dialect::Moonshot && thinks && forced {
        // Kimi refuses a forced choice while it thinks.
        losses.changed("tool_choice");
        return Value::from("auto");
    }
    let function = |name: &String| {
        Value::Object(object! {"type": "function", "function": object! {"name": name.as_str()}})
    };
    match choice {
        ToolChoice::Auto => Value::from("auto"),
        ToolChoice::None => Value::from("none"),
        ToolChoice::Required if target.dialect == Dialect::Mistral => Value::from("any"),
        ToolChoice::Required => Value::from("required"),
        ToolChoice::Named(name) => function(name),
        ToolChoice::Among { names, required } => {
            let mode = if *required { "required" } else { "auto" };
            if target.dialect != Dialect::Openai {
                return Value::from(mode);
            }
            let tools: Vec<Value> = names.iter().map(function).collect();
            Value::Object(object! {
                "type": "allowed_tools",
                "allowed_tools": object! {"mode": mode, "tools": tools},
            })
        }
    }
}

fn write_format(format: &Format) -> Value {
    Value::Object(match format {
        Format::Text => object! {"type": "text"},
        Format::Json => object! {"type": "json_object"},
        Format::Schema {
            name,
            description,
            schema,
            strict,
        } => {
            let mut inner = object! {"name": name.as_deref().unwrap_or("answer")};
            put(&mut inner, "description", description.clone());
            inner.insert("schema".to_owned(), Value::Object(schema.clone()));
            put(&mut inner, "strict", *strict);
            object! {"type": "json_schema", "json_schema": inner}
        }
    })
}

fn write_reasoning(target: &Target<'_>, out: &mut Object, losses: &mut Losses) {
    let Some(reasoning) = &target.request.reasoning else {
        return;
    };
    let Some((word, exact)) = effort(reasoning) else {
        if reasoning.wanted() == Some(true) && target.dialect == Dialect::Moonshot {
            out.insert(
                "thinking".to_owned(),
                Value::Object(object! {"type": "enabled"}),
            );
        } else if !reasoning.native.is_empty() {
            losses.dropped("reasoning");
        }
        return;
    };
    let sent = match target.dialect {
        Dialect::Moonshot if target.model.starts_with("kimi-k3") => match word {
            "none" | "minimal" | "low" => "low",
            "max" | "xhigh" => "max",
            _ => "high",
        },
        Dialect::Moonshot => {
            let word = if word == "none" {
                "disabled"
            } else {
                "enabled"
            };
            out.insert("thinking".to_owned(), Value::Object(object! {"type": word}));
            if word == "enabled" {
                losses.changed("reasoning_effort");
            }
            return;
        }
        _ => word,
    };
    if !exact || sent != word {
        losses.changed("reasoning_effort");
    }
    out.insert("reasoning_effort".to_owned(), Value::from(sent));
}

fn is_text(part: &Object) -> bool {
    part.contains_key("text") && part.get("type").and_then(Value::as_str) == Some("text")
}
