//! A Responses request of a caller.

use serde_json::Value;

use crate::anthropic::sealed_end;
use crate::dialect::Surface;
use crate::failure::Failure;
use crate::json::{Fields, Object, object};
use crate::model::{
    ChatRequest, Format, Function, Media, MediaKind, Message, Origin, Part, Reasoning, Role,
    Signature, Source, Text, Thinking, Tool, ToolCall, ToolChoice, ToolResult,
};
use crate::read;
use crate::signature::{Belongs, unpack};
use crate::write::source_of_url;

/// Fields that ask the provider to remember.
const STATEFUL: [&str; 4] = [
    "previous_response_id",
    "conversation",
    "prompt",
    "background",
];

/// Reads the request.
pub(crate) fn read(body: Object) -> Result<ChatRequest, Failure> {
    let mut fields = Fields::new(body, "");
    for name in STATEFUL {
        if fields
            .take(name)
            .is_some_and(|value| value != Value::Bool(false))
        {
            return Err(Failure::invalid(
                name,
                format!(
                    "`{name}` needs a provider that keeps conversations; send the items themselves in `input`"
                ),
            ));
        }
    }
    let mut request = ChatRequest::new(Surface::OpenaiResponses, fields.needed_text("model")?);
    if let Some(text) = fields.text("instructions")? {
        request
            .messages
            .push(Message::new(Role::System, vec![Part::text(text)]));
    }
    match fields.take("input") {
        Some(Value::String(text)) => {
            request
                .messages
                .push(Message::new(Role::User, vec![Part::text(text)]));
        }
        Some(Value::Array(items)) => {
            let mut waiting = None;
            for (n, item) in items.into_iter().enumerate() {
                read_item(item, n, &mut request.messages, &mut waiting)?;
            }
            end_turn(&mut request.messages, &mut waiting);
        }
        _ => {
            return Err(Failure::invalid(
                "input",
                "`input` is neither text nor a list of items",
            ));
        }
    }
    request.tools = read::tools(&mut fields, read_tool)?;
    if let Some(choice) = fields.take("tool_choice") {
        match read_choice(&choice) {
            Some(choice) => request.tool_choice = Some(choice),
            None => {
                request.extra.insert("tool_choice".to_owned(), choice);
            }
        }
    }
    request.parallel_tool_calls = fields.flag("parallel_tool_calls")?;
    request.max_output = fields.count("max_output_tokens")?;
    request.temperature = fields.number("temperature")?;
    request.top_p = fields.number("top_p")?;
    request.user = fields.text("user")?;
    request.stream = fields.flag("stream")?.unwrap_or(false);
    request.stream_usage = true;
    if let Some(mut reasoning) = fields.fields("reasoning")? {
        request.reasoning = Some(Reasoning {
            effort: reasoning.text("effort")?,
            shown: reasoning.text("summary")?.map(|_| true),
            native: reasoning.rest(),
            ..Reasoning::default()
        });
    }
    if let Some(mut text) = fields.fields("text")? {
        if let Some(format) = text.take("format") {
            request.format = read_format(&format);
        }
        let rest = text.rest();
        if !rest.is_empty() {
            request.extra.insert("text".to_owned(), Value::Object(rest));
        }
    }
    // What asks for no memory, and for the seals that are sent anyway, asks for nothing.
    if fields.flag("store")? == Some(true) {
        request.extra.insert("store".to_owned(), Value::Bool(true));
    }
    let include = fields.texts("include")?.unwrap_or_default();
    let other: Vec<String> = include
        .into_iter()
        .filter(|name| name != "reasoning.encrypted_content")
        .collect();
    if !other.is_empty() {
        request
            .extra
            .insert("include".to_owned(), Value::from(other));
    }
    request.extra.extend(fields.rest());
    Ok(request)
}

/// Puts a part of the model's at the end of its turn.
fn say(messages: &mut Vec<Message>, role: Role, parts: Vec<Part>) {
    match messages.last_mut() {
        Some(last) if last.role == role && matches!(role, Role::Assistant | Role::Tool) => {
            last.parts.extend(parts);
        }
        _ => messages.push(Message::new(role, parts)),
    }
}

/// Gemini seals a text in an empty one after it.
fn end_turn(messages: &mut Vec<Message>, waiting: &mut Option<(Signature, Belongs)>) {
    if let Some((signature, Belongs::NextText)) = waiting.take() {
        say(messages, Role::Assistant, vec![sealed_end(signature)]);
    }
}

fn read_item(
    item: Value,
    n: usize,
    messages: &mut Vec<Message>,
    waiting: &mut Option<(Signature, Belongs)>,
) -> Result<(), Failure> {
    let place = format!("input[{n}]");
    let whole = item.as_object().cloned().unwrap_or_default();
    let mut fields = Fields::of(item, place.clone())?;
    match fields.text("type")?.as_deref().unwrap_or("message") {
        "message" => {
            let role = match fields.needed_text("role")?.as_str() {
                "user" => Role::User,
                "assistant" => Role::Assistant,
                "system" => Role::System,
                "developer" => Role::Developer,
                _ => {
                    let place = fields.at("role");
                    return Err(Failure::invalid(
                        place.clone(),
                        format!("`{place}` is none of user, assistant, system, developer"),
                    ));
                }
            };
            let mut parts = read::content(fields.take("content"), &place, read_part)?;
            if role != Role::Assistant {
                end_turn(messages, waiting);
            }
            if let Some((_, Belongs::NextText)) = waiting
                && let Some(Part::Text(text)) = parts.first_mut()
            {
                text.signature = waiting.take().map(|(seal, _)| seal);
            }
            say(messages, role, parts);
        }
        "function_call" => {
            let signature = match waiting {
                Some((_, Belongs::NextCall)) => waiting.take().map(|(seal, _)| seal),
                _ => None,
            };
            let call = ToolCall {
                id: fields.needed_text("call_id")?,
                name: fields.needed_text("name")?,
                arguments: fields.needed_text("arguments")?,
                signature,
                extra: Object::new(),
            };
            say(messages, Role::Assistant, vec![Part::ToolCall(call)]);
        }
        "function_call_output" => {
            let id = fields.needed_text("call_id")?;
            let output = fields.take("output");
            let plain = !matches!(output, Some(Value::Array(_)));
            let result = ToolResult {
                id,
                parts: read::content(output, &place, read_part)?,
                plain,
                ..ToolResult::default()
            };
            say(messages, Role::Tool, vec![Part::ToolResult(result)]);
        }
        "reasoning" => {
            let mut text = String::new();
            for name in ["content", "summary"] {
                if text.is_empty() {
                    for piece in fields.list(name)?.unwrap_or_default() {
                        text.push_str(
                            piece
                                .get("text")
                                .and_then(Value::as_str)
                                .unwrap_or_default(),
                        );
                    }
                }
            }
            let seal = fields.text("encrypted_content")?;
            let seal = seal.map(|seal| unpack(&seal, Origin::Responses));
            match seal {
                Some((seal, belongs @ (Belongs::NextCall | Belongs::NextText))) => {
                    *waiting = Some((seal, belongs));
                }
                seal => {
                    let redacted = matches!(seal, Some((_, Belongs::Redacted)));
                    let thinking = Thinking {
                        text,
                        signature: seal.map(|(seal, _)| seal),
                        redacted,
                        extra: Object::new(),
                    };
                    say(messages, Role::Assistant, vec![Part::Thinking(thinking)]);
                }
            }
        }
        "item_reference" => {
            return Err(Failure::invalid(
                place.clone(),
                format!(
                    "`{place}` refers to an item by id, and the gateway keeps none; send the item itself"
                ),
            ));
        }
        _ => say(messages, Role::User, vec![Part::Other(whole)]),
    }
    Ok(())
}

fn read_part(part: Value, place: String) -> Result<Part, Failure> {
    let whole = part.as_object().cloned().unwrap_or_default();
    let mut fields = Fields::of(part, place)?;
    Ok(match fields.needed_text("type")?.as_str() {
        "input_text" | "output_text" | "text" => Part::Text(Text {
            text: fields.needed_text("text")?,
            ..Text::default()
        }),
        "refusal" => Part::Refusal(fields.needed_text("refusal")?),
        "input_image" => {
            let detail = fields.text("detail")?;
            let source = match (fields.text("image_url")?, fields.text("file_id")?) {
                (Some(url), _) => source_of_url(url),
                (None, Some(id)) => Source::File(id),
                (None, None) => return Ok(Part::Other(whole)),
            };
            Part::Media(Media {
                kind: MediaKind::Image,
                source,
                detail,
                name: None,
                extra: fields.rest(),
            })
        }
        "input_file" => {
            let name = fields.text("filename")?;
            let source = match (
                fields.text("file_data")?,
                fields.text("file_url")?,
                fields.text("file_id")?,
            ) {
                (Some(data), _, _) => source_of_url(data),
                (None, Some(url), _) => source_of_url(url),
                (None, None, Some(id)) => Source::File(id),
                _ => return Ok(Part::Other(whole)),
            };
            Part::Media(Media {
                kind: MediaKind::Document,
                source,
                detail: None,
                name,
                extra: fields.rest(),
            })
        }
        _ => Part::Other(whole),
    })
}

fn read_tool(tool: Value, n: usize) -> Result<Tool, Failure> {
    let whole = tool.as_object().cloned().unwrap_or_default();
    let mut fields = Fields::of(tool, format!("tools[{n}]"))?;
    if fields.text("type")?.as_deref() != Some("function") {
        return Ok(Tool::Other(whole));
    }
    Ok(Tool::Function(Function {
        name: fields.needed_text("name")?,
        description: fields.text("description")?,
        parameters: fields.object("parameters")?,
        strict: fields.flag("strict")?,
        extra: fields.rest(),
    }))
}

fn read_choice(choice: &Value) -> Option<ToolChoice> {
    match choice {
        Value::String(word) => match word.as_str() {
            "auto" => Some(ToolChoice::Auto),
            "none" => Some(ToolChoice::None),
            "required" => Some(ToolChoice::Required),
            _ => None,
        },
        Value::Object(choice) => {
            let name = |tool: &Object| Some(tool.get("name")?.as_str()?.to_owned());
            match choice.get("type")?.as_str()? {
                "function" => Some(ToolChoice::Named(name(choice)?)),
                "allowed_tools" => {
                    let tools = choice.get("tools")?.as_array()?;
                    let names: Option<Vec<_>> =
                        tools.iter().map(|tool| name(tool.as_object()?)).collect();
                    Some(ToolChoice::Among {
                        names: names?,
                        required: choice.get("mode")?.as_str()? == "required",
                    })
                }
                _ => None,
            }
        }
        _ => None,
    }
}

fn read_format(format: &Value) -> Option<Format> {
    let text = |name: &str| format.get(name).and_then(Value::as_str).map(str::to_owned);
    match text("type")?.as_str() {
        "text" => Some(Format::Text),
        "json_object" => Some(Format::Json),
        "json_schema" => Some(Format::Schema {
            name: text("name"),
            description: text("description"),
            schema: format
                .get("schema")
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_else(|| object! {}),
            strict: format.get("strict").and_then(Value::as_bool),
        }),
        _ => None,
    }
}
