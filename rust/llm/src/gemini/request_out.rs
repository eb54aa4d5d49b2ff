//! A `generateContent` request for Gemini.

use serde_json::Value;

use crate::dialect::Dialect;
use crate::failure::Failure;
use crate::json::{Object, object, put};
use crate::loss::Losses;
use crate::model::{
    Format, Media, Message, Origin, Part, Role, Signature, Source, Tool, ToolCall, ToolChoice,
    ToolResult,
};
use crate::write::{
    MADE_UP, Target, budget, call_arguments, effort, media_type_of, plain_text, version,
};

/// What Google says to send in place of a seal that nobody has, as for calls that another model made.
const NO_SEAL: &str = "skip_thought_signature_validator";

/// Writes the request. Model and stream stand in the path.
pub(crate) fn write(target: &Target<'_>, losses: &mut Losses) -> Result<Object, Failure> {
    let request = target.request;
    let mut out = Object::new();
    let mut system = Vec::new();
    let mut contents: Vec<(&str, Vec<Value>, Object)> = Vec::new();
    let mut begun = false;
    for message in &request.messages {
        let parts = write_parts(target, message, losses)?;
        if matches!(message.role, Role::System | Role::Developer) {
            if begun {
                losses.changed("messages.system");
            }
            system.extend(parts);
            continue;
        }
        begun = true;
        let role = if message.role == Role::Assistant {
            "model"
        } else {
            "user"
        };
        let mut extra = Object::new();
        target.carry(&message.extra, "messages", &mut extra, losses);
        match contents.last_mut() {
            // Results of parallel calls stand together, as they were called.
            Some((last, there, _)) if *last == role && !target.is_native() => there.extend(parts),
            _ => contents.push((role, parts, extra)),
        }
    }
    let contents: Vec<Value> = contents
        .into_iter()
        .map(|(role, parts, extra)| {
            let mut content = object! {"role": role, "parts": parts};
            content.extend(extra);
            Value::Object(content)
        })
        .collect();
    out.insert("contents".to_owned(), Value::Array(contents));
    if !system.is_empty() {
        out.insert(
            "systemInstruction".to_owned(),
            Value::Object(object! {"parts": system}),
        );
    }
    write_tools(target, &mut out, losses);
    let config = write_config(target, losses);
    if !config.is_empty() {
        out.insert("generationConfig".to_owned(), Value::Object(config));
    }
    for (name, is_there) in [
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
    for (name, value) in &request.extra {
        match (target.is_native(), out.get_mut(name), value) {
            (true, Some(Value::Object(there)), Value::Object(more)) => there.extend(more.clone()),
            (true, None, value) => {
                out.insert(name.clone(), value.clone());
            }
            _ => losses.dropped(name),
        }
    }
    Ok(out)
}

fn write_parts(
    target: &Target<'_>,
    message: &Message,
    losses: &mut Losses,
) -> Result<Vec<Value>, Failure> {
    let mut parts = Vec::new();
    let mut after = Vec::new();
    let mut first_call = true;
    for part in &message.parts {
        let written = match part {
            Part::Text(text) => {
                let mut written = object! {"text": text.text.as_str()};
                put_seal(text.signature.as_ref(), &mut written, losses);
                target.carry(&text.extra, "messages.content", &mut written, losses);
                written
            }
            Part::Refusal(text) => object! {"text": text.as_str()},
            Part::Thinking(thinking) => {
                let own = thinking
                    .signature
                    .as_ref()
                    .filter(|seal| seal.origin == Origin::Dialect(Dialect::Gemini));
                if own.is_none() && !target.is_native() {
                    losses.dropped("messages.thinking");
                    continue;
                }
                let mut written = object! {"text": thinking.text.as_str(), "thought": true};
                put_seal(thinking.signature.as_ref(), &mut written, losses);
                target.carry(&thinking.extra, "messages.thinking", &mut written, losses);
                written
            }
            Part::ToolCall(call) => {
                let written = write_call(target, call, first_call, losses)?;
                first_call = false;
                written
            }
            Part::ToolResult(result) => write_result(target, result, &mut after, losses),
            Part::Media(media) => write_media(target, media, losses)?,
            Part::Other(other) => match target.carry_part(other, "messages.content", losses) {
                Some(Value::Object(written)) => written,
                _ => continue,
            },
        };
        parts.push(Value::Object(written));
    }
    parts.append(&mut after);
    Ok(parts)
}

fn put_seal(signature: Option<&Signature>, out: &mut Object, losses: &mut Losses) {
    match signature {
        Some(seal) if seal.origin == Origin::Dialect(Dialect::Gemini) => {
            out.insert(
                "thoughtSignature".to_owned(),
                Value::from(seal.value.as_str()),
            );
        }
        Some(_) => losses.dropped("messages.content.signature"),
        None => {}
    }
}

fn write_call(
    target: &Target<'_>,
    call: &ToolCall,
    first: bool,
    losses: &mut Losses,
) -> Result<Object, Failure> {
    let args = call_arguments(call)?;
    let mut inner = object! {"name": call.name.as_str(), "args": args};
    if !call.id.starts_with(MADE_UP) && target.is_native() {
        inner.insert("id".to_owned(), Value::from(call.id.as_str()));
    }
    target.carry(&call.extra, "messages.tool_calls", &mut inner, losses);
    let mut written = object! {"functionCall": inner};
    put_seal(call.signature.as_ref(), &mut written, losses);
    // From version 3, Gemini refuses the first call of a turn without its seal.
    let needed = first && version(target.model, "gemini").is_some_and(|(major, _)| major >= 3);
    if needed && !target.is_native() && !written.contains_key("thoughtSignature") {
        losses.added("messages.tool_calls.signature");
        written.insert("thoughtSignature".to_owned(), Value::from(NO_SEAL));
    }
    Ok(written)
}

fn write_result(
    target: &Target<'_>,
    result: &ToolResult,
    after: &mut Vec<Value>,
    losses: &mut Losses,
) -> Object {
    let text = plain_text(&result.parts);
    // An object stands for itself; anything else is the `output`, or the `error`, as Google names them.
    let response = match serde_json::from_str(&text) {
        Ok(Value::Object(object)) => object,
        Ok(other) if result.is_error != Some(true) => object! {"output": other},
        _ if result.is_error == Some(true) => object! {"error": text},
        _ => object! {"output": text},
    };
    for part in &result.parts {
        match part {
            Part::Media(media) => match write_media(target, media, losses) {
                Ok(media) => {
                    losses.changed("messages.tool_result.image");
                    after.push(Value::Object(media));
                }
                Err(_) => losses.dropped("messages.tool_result.image"),
            },
            Part::Text(_) => {}
            _ => losses.dropped("messages.tool_result.content"),
        }
    }
    let name = result
        .name
        .as_deref()
        .or_else(|| target.request.tool_of(&result.id))
        .unwrap_or("unknown");
    let mut inner = object! {"name": name, "response": response};
    if !result.id.starts_with(MADE_UP) && target.is_native() {
        inner.insert("id".to_owned(), Value::from(result.id.as_str()));
    }
    target.carry(&result.extra, "messages.tool_result", &mut inner, losses);
    object! {"functionResponse": inner}
}

fn write_media(target: &Target<'_>, media: &Media, losses: &mut Losses) -> Result<Object, Failure> {
    let mut written = match &media.source {
        Source::Data { media_type, data } => {
            object! {"inlineData": object! {"mimeType": media_type.as_str(), "data": data.as_str()}}
        }
        Source::Url { url, media_type } => {
            let mut file = object! {"fileUri": url.as_str()};
            put(
                &mut file,
                "mimeType",
                media_type.as_deref().or_else(|| media_type_of(url)),
            );
            object! {"fileData": file}
        }
        Source::File(_) => {
            return Err(Failure::invalid(
                "messages.content",
                "gemini cannot take a file that another provider keeps; send its bytes in base64",
            ));
        }
    };
    for (name, is_there) in [
        ("detail", media.detail.is_some()),
        ("filename", media.name.is_some()),
    ] {
        if is_there {
            losses.dropped(format!("messages.content.{name}"));
        }
    }
    target.carry(&media.extra, "messages.content", &mut written, losses);
    Ok(written)
}

fn write_tools(target: &Target<'_>, out: &mut Object, losses: &mut Losses) {
    let request = target.request;
    if let Some(tools) = &request.tools {
        let mut declarations = Vec::new();
        let mut others = Vec::new();
        for tool in tools {
            match tool {
                Tool::Function(function) => {
                    let mut written = object! {"name": function.name.as_str()};
                    put(&mut written, "description", function.description.clone());
                    put(
                        &mut written,
                        "parametersJsonSchema",
                        function.parameters.clone(),
                    );
                    if function.strict == Some(true) {
                        losses.dropped("tools.function.strict");
                    }
                    target.carry(&function.extra, "tools.function", &mut written, losses);
                    declarations.push(Value::Object(written));
                }
                Tool::Other(other) => others.extend(target.carry_part(other, "tools", losses)),
            }
        }
        let mut written = Vec::new();
        if !declarations.is_empty() {
            written.push(Value::Object(
                object! {"functionDeclarations": declarations},
            ));
        }
        written.append(&mut others);
        out.insert("tools".to_owned(), Value::Array(written));
    }
    let (mode, names) = match &request.tool_choice {
        None => return,
        Some(ToolChoice::Auto) => ("AUTO", None),
        Some(ToolChoice::None) => ("NONE", None),
        Some(ToolChoice::Required) => ("ANY", None),
        Some(ToolChoice::Named(name)) => ("ANY", Some(vec![name.clone()])),
        Some(ToolChoice::Among {
            names,
            required: true,
        }) => ("ANY", Some(names.clone())),
        Some(ToolChoice::Among {
            names,
            required: false,
        }) => ("VALIDATED", Some(names.clone())),
    };
    let mut calling = object! {"mode": mode};
    put(&mut calling, "allowedFunctionNames", names);
    let config = object! {"functionCallingConfig": calling};
    out.insert("toolConfig".to_owned(), Value::Object(config));
}

fn write_config(target: &Target<'_>, losses: &mut Losses) -> Object {
    let request = target.request;
    let mut config = Object::new();
    put(&mut config, "maxOutputTokens", request.most_output());
    put(&mut config, "temperature", request.temperature.clone());
    put(&mut config, "topP", request.top_p.clone());
    put(&mut config, "topK", request.top_k.clone());
    put(
        &mut config,
        "frequencyPenalty",
        request.frequency_penalty.clone(),
    );
    put(
        &mut config,
        "presencePenalty",
        request.presence_penalty.clone(),
    );
    put(&mut config, "seed", request.seed.clone());
    put(&mut config, "stopSequences", request.stop.clone());
    put(&mut config, "candidateCount", request.candidates);
    match &request.format {
        Some(Format::Schema { schema, .. }) => {
            put(&mut config, "responseMimeType", Some("application/json"));
            put(&mut config, "responseJsonSchema", Some(schema.clone()));
        }
        Some(Format::Json) => put(&mut config, "responseMimeType", Some("application/json")),
        Some(Format::Text) => put(&mut config, "responseMimeType", Some("text/plain")),
        None => {}
    }
    write_thinking(target, &mut config, losses);
    config
}

fn write_thinking(target: &Target<'_>, config: &mut Object, losses: &mut Losses) {
    let Some(reasoning) = &target.request.reasoning else {
        return;
    };
    if target.is_native() {
        config.extend(reasoning.native.clone());
        return;
    }
    let mut thinking = Object::new();
    put(&mut thinking, "includeThoughts", reasoning.shown);
    if version(target.model, "gemini").is_some_and(|(major, _)| major >= 3) {
        if let Some((word, exact)) = effort(reasoning) {
            let level = match word {
                "none" | "minimal" => "MINIMAL",
                "low" => "LOW",
                "medium" => "MEDIUM",
                _ => "HIGH",
            };
            if !exact || !level.eq_ignore_ascii_case(word) {
                losses.changed("reasoning_effort");
            }
            thinking.insert("thinkingLevel".to_owned(), Value::from(level));
        }
    } else if let Some((tokens, exact)) = budget(reasoning) {
        if !exact {
            losses.changed("reasoning_effort");
        }
        thinking.insert("thinkingBudget".to_owned(), Value::from(tokens));
    }
    if !thinking.is_empty() {
        config.insert("thinkingConfig".to_owned(), Value::Object(thinking));
    }
}
