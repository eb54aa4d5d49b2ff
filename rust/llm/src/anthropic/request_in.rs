//! A Messages request of a caller.

use serde_json::Value;

use crate::dialect::{Dialect, Surface};
use crate::failure::Failure;
use crate::json::{Fields, Object};
use crate::model::{
    ChatRequest, Format, Function, Media, MediaKind, Message, Origin, Part, Reasoning, Role,
    Signature, Source, Text, Thinking, Tool, ToolCall, ToolChoice, ToolResult,
};
use crate::read;
use crate::signature::{Belongs, unpack};

pub(super) const HOME: Origin = Origin::Dialect(Dialect::Anthropic);

/// Reads the request.
pub(crate) fn read(body: Object) -> Result<ChatRequest, Failure> {
    let mut fields = Fields::new(body, "");
    let mut request = ChatRequest::new(Surface::AnthropicMessages, fields.needed_text("model")?);
    if let Some(system) = fields.take("system") {
        let parts = read_content(system, "system")?;
        request.messages.push(Message::new(Role::System, parts));
    }
    for (n, message) in read::messages(&mut fields)?.into_iter().enumerate() {
        request.messages.push(read_message(message, n)?);
    }
    request.tools = read::tools(&mut fields, read_tool)?;
    if let Some(choice) = fields.take("tool_choice") {
        read_choice(choice, &mut request)?;
    }
    request.max_output = fields.count("max_tokens")?;
    request.temperature = fields.number("temperature")?;
    request.top_p = fields.number("top_p")?;
    request.top_k = fields.number("top_k")?;
    request.stop = fields.texts("stop_sequences")?;
    request.stream = fields.flag("stream")?.unwrap_or(false);
    read_reasoning(&mut fields, &mut request)?;
    if let Some(mut metadata) = fields.fields("metadata")? {
        request.user = metadata.text("user_id")?;
        let rest = metadata.rest();
        if !rest.is_empty() {
            request
                .extra
                .insert("metadata".to_owned(), Value::Object(rest));
        }
    }
    request.extra.extend(fields.rest());
    Ok(request)
}

fn read_reasoning(fields: &mut Fields, request: &mut ChatRequest) -> Result<(), Failure> {
    let mut reasoning = Reasoning::default();
    let mut said = false;
    if let Some(thinking) = fields.object("thinking")? {
        said = true;
        let mut inner = Fields::new(thinking.clone(), "thinking");
        match inner.text("type")?.as_deref() {
            Some("disabled") => reasoning.enabled = Some(false),
            Some(_) => {
                reasoning.enabled = Some(true);
                reasoning.shown = Some(inner.text("display")?.as_deref() != Some("omitted"));
            }
            None => {}
        }
        reasoning.budget = inner.count("budget_tokens")?;
        reasoning
            .native
            .insert("thinking".to_owned(), Value::Object(thinking));
    }
    if let Some(mut config) = fields.fields("output_config")? {
        if let Some(effort) = config.text("effort")? {
            said = true;
            reasoning.effort = Some(effort);
        }
        if let Some(mut format) = config.fields("format")? {
            let kind = format.needed_text("type")?;
            match (kind.as_str(), format.object("schema")?) {
                ("json_schema", Some(schema)) => {
                    request.format = Some(Format::Schema {
                        name: None,
                        description: None,
                        schema,
                        strict: None,
                    });
                }
                _ => {
                    return Err(Failure::invalid(
                        "output_config.format",
                        "`output_config.format` is no `json_schema` with a `schema`",
                    ));
                }
            }
        }
        let rest = config.rest();
        if !rest.is_empty() {
            request
                .extra
                .insert("output_config".to_owned(), Value::Object(rest));
        }
    }
    if said {
        request.reasoning = Some(reasoning);
    }
    Ok(())
}

fn read_message(message: Value, n: usize) -> Result<Message, Failure> {
    let place = format!("messages[{n}]");
    let mut fields = Fields::of(message, place.clone())?;
    let role = match fields.needed_text("role")?.as_str() {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        _ => {
            return Err(Failure::invalid(
                format!("{place}.role"),
                format!("`{place}.role` is neither user nor assistant"),
            ));
        }
    };
    let content = fields.take("content").ok_or_else(|| {
        let place = fields.at("content");
        Failure::invalid(place.clone(), format!("`{place}` is missing"))
    })?;
    Ok(Message {
        role,
        parts: read_content(content, &format!("{place}.content"))?,
        extra: fields.rest(),
    })
}

/// Reads text or a list of blocks. A thought that only holds another provider's seal gives it to the block after it.
fn read_content(content: Value, place: &str) -> Result<Vec<Part>, Failure> {
    let blocks = match content {
        Value::String(text) => return Ok(vec![Part::text(text)]),
        Value::Array(blocks) => blocks,
        _ => {
            return Err(Failure::invalid(
                place,
                format!("`{place}` is neither text nor a list of blocks"),
            ));
        }
    };
    let mut parts = Vec::with_capacity(blocks.len());
    let mut waiting: Option<(Signature, Belongs)> = None;
    for (n, block) in blocks.into_iter().enumerate() {
        let mut part = read_block(block, format!("{place}[{n}]"), &mut waiting)?;
        match (&mut part, waiting.as_ref().map(|(_, belongs)| *belongs)) {
            (Some(Part::ToolCall(call)), Some(Belongs::NextCall)) => {
                call.signature = waiting.take().map(|(seal, _)| seal);
            }
            (Some(Part::Text(text)), Some(Belongs::NextText)) => {
                text.signature = waiting.take().map(|(seal, _)| seal);
            }
            _ => {}
        }
        parts.extend(part);
    }
    // Gemini seals a text in an empty one after it.
    if let Some((signature, Belongs::NextText)) = waiting {
        parts.push(sealed_end(signature));
    }
    Ok(parts)
}

/// The empty text that holds a seal.
pub(crate) fn sealed_end(signature: Signature) -> Part {
    Part::Text(Text {
        signature: Some(signature),
        ..Text::default()
    })
}

fn read_block(
    block: Value,
    place: String,
    waiting: &mut Option<(Signature, Belongs)>,
) -> Result<Option<Part>, Failure> {
    let whole = block.as_object().cloned().unwrap_or_default();
    let mut fields = Fields::of(block, place.clone())?;
    let part = match fields.needed_text("type")?.as_str() {
        "text" => Part::Text(Text {
            text: fields.needed_text("text")?,
            signature: None,
            extra: fields.rest(),
        }),
        "thinking" => {
            let text = fields.text("thinking")?.unwrap_or_default();
            let seal = fields.text("signature")?.filter(|seal| !seal.is_empty());
            let seal = seal.map(|seal| unpack(&seal, HOME));
            match seal {
                Some((signature, belongs @ (Belongs::NextCall | Belongs::NextText))) => {
                    *waiting = Some((signature, belongs));
                    return Ok(None);
                }
                seal => {
                    let redacted = matches!(seal, Some((_, Belongs::Redacted)));
                    Part::Thinking(Thinking {
                        text,
                        signature: seal.map(|(signature, _)| signature),
                        redacted,
                        extra: fields.rest(),
                    })
                }
            }
        }
        "redacted_thinking" => {
            let (signature, _) = unpack(&fields.needed_text("data")?, HOME);
            Part::Thinking(Thinking {
                text: String::new(),
                signature: Some(signature),
                redacted: true,
                extra: fields.rest(),
            })
        }
        "tool_use" => Part::ToolCall(ToolCall {
            id: fields.needed_text("id")?,
            name: fields.needed_text("name")?,
            arguments: Value::Object(fields.object("input")?.unwrap_or_default()).to_string(),
            signature: None,
            extra: fields.rest(),
        }),
        "tool_result" => {
            let id = fields.needed_text("tool_use_id")?;
            let content = fields.take("content");
            let plain = !matches!(content, Some(Value::Array(_)));
            let parts = match content {
                Some(content) => read_content(content, &format!("{place}.content"))?,
                None => Vec::new(),
            };
            Part::ToolResult(ToolResult {
                id,
                name: None,
                parts,
                is_error: fields.flag("is_error")?,
                plain,
                extra: fields.rest(),
            })
        }
        kind @ ("image" | "document") => {
            let kind = if kind == "image" {
                MediaKind::Image
            } else {
                MediaKind::Document
            };
            match read_source(fields.object("source")?) {
                Some(source) => Part::Media(Media {
                    kind,
                    source,
                    detail: None,
                    name: fields.text("title")?,
                    extra: fields.rest(),
                }),
                None => Part::Other(whole),
            }
        }
        _ => Part::Other(whole),
    };
    Ok(Some(part))
}

/// A source of three members or two; others, such as plain text with citations, stay as they are.
fn read_source(source: Option<Object>) -> Option<Source> {
    let source = source?;
    let field = |name| source.get(name).and_then(Value::as_str).map(str::to_owned);
    match (field("type")?.as_str(), source.len()) {
        ("base64", 3) => Some(Source::Data {
            media_type: field("media_type")?,
            data: field("data")?,
        }),
        ("url", 2) => Some(Source::Url {
            url: field("url")?,
            media_type: None,
        }),
        ("file", 2) => Some(Source::File(field("file_id")?)),
        _ => None,
    }
}

fn read_tool(tool: Value, n: usize) -> Result<Tool, Failure> {
    let whole = tool.as_object().cloned().unwrap_or_default();
    let mut fields = Fields::of(tool, format!("tools[{n}]"))?;
    // A tool of the provider's own has a type of its own.
    if fields.text("type")?.is_some_and(|kind| kind != "custom") {
        return Ok(Tool::Other(whole));
    }
    Ok(Tool::Function(Function {
        name: fields.needed_text("name")?,
        description: fields.text("description")?,
        parameters: fields.object("input_schema")?,
        strict: fields.flag("strict")?,
        extra: fields.rest(),
    }))
}

fn read_choice(choice: Value, request: &mut ChatRequest) -> Result<(), Failure> {
    let mut fields = Fields::of(choice, "tool_choice")?;
    request.tool_choice = Some(match fields.needed_text("type")?.as_str() {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::None,
        "tool" => ToolChoice::Named(fields.needed_text("name")?),
        _ => {
            return Err(Failure::invalid(
                "tool_choice.type",
                "`tool_choice.type` is none of auto, any, tool, none",
            ));
        }
    });
    request.parallel_tool_calls = fields
        .flag("disable_parallel_tool_use")?
        .map(|disabled| !disabled);
    Ok(())
}
