//! A Messages request for Anthropic.

use serde_json::Value;

use crate::dialect::Dialect;
use crate::failure::Failure;
use crate::json::{Object, arguments, object, put};
use crate::loss::Losses;
use crate::model::{
    ChatRequest, Format, Media, MediaKind, Message, Origin, Part, Reasoning, Role, Source, Tool,
    ToolCall, ToolChoice, ToolResult,
};
use crate::write::{Target, budget, call_id, effort, plain_text, version};

/// What is sent when a caller sets no limit, which Anthropic demands: what every model since Claude 3 can do.
pub(crate) const DEFAULT_MAX_TOKENS: u64 = 4_096;
/// The least that may be thought.
const LEAST_BUDGET: u64 = 1_024;

/// Writes the request.
pub(crate) fn write(target: &Target<'_>, losses: &mut Losses) -> Result<Object, Failure> {
    let request = target.request;
    let mut out = object! {"model": target.model};
    let max_tokens = request.most_output().unwrap_or_else(|| {
        losses.added("max_tokens");
        DEFAULT_MAX_TOKENS
    });
    out.insert("max_tokens".to_owned(), Value::from(max_tokens));
    write_system(target, &mut out, losses);
    out.insert(
        "messages".to_owned(),
        Value::Array(write_messages(target, losses)?),
    );
    write_tools(target, &mut out, losses);
    put(&mut out, "stop_sequences", request.stop.clone());
    let mut config = Object::new();
    match &request.format {
        Some(Format::Schema {
            schema,
            name,
            strict,
            ..
        }) => {
            if !target.is_native() && (name.is_some() || strict == &Some(false)) {
                losses.changed("response_format");
            }
            let format = object! {"type": "json_schema", "schema": schema.clone()};
            config.insert("format".to_owned(), Value::Object(format));
        }
        Some(Format::Json) => losses.dropped("response_format"),
        Some(Format::Text) | None => {}
    }
    let thinks = write_reasoning(target, max_tokens, &mut out, &mut config, losses);
    if !config.is_empty() {
        out.insert("output_config".to_owned(), Value::Object(config));
    }
    write_sampling(target, thinks, &mut out, losses);
    if let Some(user) = &request.user {
        out.insert(
            "metadata".to_owned(),
            Value::Object(object! {"user_id": user.as_str()}),
        );
    }
    if request.stream {
        out.insert("stream".to_owned(), Value::Bool(true));
    }
    for (name, is_there) in [
        ("frequency_penalty", request.frequency_penalty.is_some()),
        ("presence_penalty", request.presence_penalty.is_some()),
        ("seed", request.seed.is_some()),
        ("n", request.candidates.is_some_and(|n| n != 1)),
    ] {
        if is_there {
            losses.dropped(name);
        }
    }
    for (name, value) in &request.extra {
        match (target.is_native(), out.get_mut(name), value) {
            // What is left of `metadata` and `output_config`.
            (true, Some(Value::Object(there)), Value::Object(more)) => there.extend(more.clone()),
            (true, None, value) => {
                out.insert(name.clone(), value.clone());
            }
            _ => losses.dropped(name),
        }
    }
    Ok(out)
}

/// Sampling, which a model that thinks takes only at its defaults.
fn write_sampling(target: &Target<'_>, thinks: bool, out: &mut Object, losses: &mut Losses) {
    let request = target.request;
    let native = target.is_native();
    if let Some(temperature) = &request.temperature {
        let number = temperature.as_f64().unwrap_or(1.0);
        if !native && thinks {
            losses.dropped("temperature");
        } else if !native && number > 1.0 {
            losses.changed("temperature");
            out.insert("temperature".to_owned(), Value::from(1.0));
        } else {
            out.insert("temperature".to_owned(), Value::Number(temperature.clone()));
        }
    }
    for (name, number) in [("top_p", &request.top_p), ("top_k", &request.top_k)] {
        match number {
            Some(_) if !native && thinks => losses.dropped(name),
            Some(number) => {
                out.insert(name.to_owned(), Value::Number(number.clone()));
            }
            None => {}
        }
    }
}

/// Whether the model decides itself how much to think, and takes no budget: from Claude 4.6.
fn adapts(model: &str) -> bool {
    version(model, "claude").is_some_and(|version| version >= (4, 6))
}

/// Writes how much to think, and says whether it does.
fn write_reasoning(
    target: &Target<'_>,
    max_tokens: u64,
    out: &mut Object,
    config: &mut Object,
    losses: &mut Losses,
) -> bool {
    let Some(reasoning) = &target.request.reasoning else {
        return false;
    };
    if target.is_native() {
        out.extend(reasoning.native.clone());
        put(config, "effort", reasoning.effort.clone());
        return reasoning.wanted() == Some(true);
    }
    let wanted = reasoning.wanted();
    if wanted == Some(false) {
        out.insert(
            "thinking".to_owned(),
            Value::Object(object! {"type": "disabled"}),
        );
        return false;
    }
    if wanted.is_none() {
        return false;
    }
    // A thought of which nobody kept the seal cannot be sent back, and without it Anthropic refuses to think on.
    if !turn_is_sealed(target.request) {
        losses.dropped("reasoning");
        return false;
    }
    if adapts(target.model) {
        out.insert(
            "thinking".to_owned(),
            Value::Object(object! {"type": "adaptive"}),
        );
        if let Some((word, exact)) = effort(reasoning) {
            let word = if word == "minimal" { "low" } else { word };
            if !exact || reasoning.effort.as_deref() != Some(word) {
                losses.changed("reasoning_effort");
            }
            config.insert("effort".to_owned(), Value::from(word));
        }
        return true;
    }
    let (tokens, exact) = budget(reasoning).unwrap_or((LEAST_BUDGET, false));
    let tokens_fit = tokens.max(LEAST_BUDGET).min(max_tokens.saturating_sub(1));
    if tokens_fit < LEAST_BUDGET {
        losses.dropped("reasoning");
        return false;
    }
    if !exact || tokens != tokens_fit {
        losses.changed("reasoning_effort");
    }
    let thinking = object! {"type": "enabled", "budget_tokens": tokens_fit};
    out.insert("thinking".to_owned(), Value::Object(thinking));
    true
}

/// Whether the turn that goes on after tool results began with a sealed thought of Anthropic's.
fn turn_is_sealed(request: &ChatRequest) -> bool {
    let last = request
        .messages
        .iter()
        .rev()
        .find(|message| message.role == Role::Assistant);
    let waits_for_model = request.messages.last().is_some_and(|message| {
        message
            .parts
            .iter()
            .any(|part| matches!(part, Part::ToolResult(_)))
    });
    let Some(last) = last.filter(|_| waits_for_model) else {
        return true;
    };
    last.parts.iter().any(|part| match part {
        Part::Thinking(thinking) => thinking
            .signature
            .as_ref()
            .is_some_and(|seal| seal.origin == Origin::Dialect(Dialect::Anthropic)),
        _ => false,
    })
}

fn write_system(target: &Target<'_>, out: &mut Object, losses: &mut Losses) {
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
fn write_messages(target: &Target<'_>, losses: &mut Losses) -> Result<Vec<Value>, Failure> {
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
    let input = arguments(&call.arguments).ok_or_else(|| {
        Failure::invalid(
            "messages.tool_calls.function.arguments",
            format!(
                "the arguments of a call of `{}` are no JSON object",
                call.name
            ),
        )
    })?;
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

fn write_tools(target: &Target<'_>, out: &mut Object, losses: &mut Losses) {
    let request = target.request;
    let among = match &request.tool_choice {
        Some(ToolChoice::Among { names, .. }) => Some(names),
        _ => None,
    };
    if let Some(tools) = &request.tools {
        let mut written = Vec::new();
        for tool in tools {
            match tool {
                Tool::Function(function)
                    if among.is_some_and(|names| !names.contains(&function.name)) => {}
                Tool::Function(function) => {
                    let mut tool = object! {"name": function.name.as_str()};
                    put(&mut tool, "description", function.description.clone());
                    let schema = function
                        .parameters
                        .clone()
                        .unwrap_or_else(|| object! {"type": "object", "properties": Object::new()});
                    tool.insert("input_schema".to_owned(), Value::Object(schema));
                    put(&mut tool, "strict", function.strict);
                    target.carry(&function.extra, "tools.function", &mut tool, losses);
                    written.push(Value::Object(tool));
                }
                Tool::Other(other) => written.extend(target.carry_part(other, "tools", losses)),
            }
        }
        out.insert("tools".to_owned(), Value::Array(written));
    }
    let thinks = request.reasoning.as_ref().and_then(Reasoning::wanted) == Some(true);
    let mut choice = match &request.tool_choice {
        // Anthropic refuses a forced choice while it thinks.
        Some(
            ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Among { required: true, .. },
        ) if thinks && !target.is_native() => {
            losses.changed("tool_choice");
            object! {"type": "auto"}
        }
        Some(
            ToolChoice::Auto
            | ToolChoice::Among {
                required: false, ..
            },
        ) => object! {"type": "auto"},
        Some(ToolChoice::Required | ToolChoice::Among { required: true, .. }) => {
            object! {"type": "any"}
        }
        Some(ToolChoice::None) => object! {"type": "none"},
        Some(ToolChoice::Named(name)) => object! {"type": "tool", "name": name.as_str()},
        None if request.parallel_tool_calls == Some(false) && request.tools.is_some() => {
            object! {"type": "auto"}
        }
        None => return,
    };
    if let Some(parallel) = request.parallel_tool_calls
        && choice.get("type") != Some(&Value::from("none"))
    {
        choice.insert(
            "disable_parallel_tool_use".to_owned(),
            Value::Bool(!parallel),
        );
    }
    out.insert("tool_choice".to_owned(), Value::Object(choice));
}
