//! A `generateContent` request of a caller.

use std::collections::{HashMap, VecDeque};

use serde_json::Value;

use crate::dialect::Surface;
use crate::failure::Failure;
use crate::gemini::schema::to_json_schema;
use crate::json::{Fields, Object, object};
use crate::model::{
    ChatRequest, Format, Function, Media, MediaKind, Message, Part, Reasoning, Role, Source, Text,
    Thinking, Tool, ToolCall, ToolChoice, ToolResult,
};
use crate::signature::unpack_base64;
use crate::write::made_up_id;

/// Reads the request. Model and stream stand in the path.
pub(crate) fn read(body: Object, model: String, stream: bool) -> Result<ChatRequest, Failure> {
    let mut fields = Fields::new(body, "");
    let mut request = ChatRequest::new(Surface::Gemini, model);
    request.stream = stream;
    let mut calls = Calls::default();
    for name in ["systemInstruction", "system_instruction"] {
        if let Some(system) = fields.take(name) {
            let mut message = read_content(system, name.to_owned(), &mut calls)?;
            message.role = Role::System;
            request.messages.push(message);
        }
    }
    let contents = fields
        .list("contents")?
        .ok_or_else(|| Failure::invalid("contents", "`contents` is missing"))?;
    for (n, content) in contents.into_iter().enumerate() {
        request
            .messages
            .push(read_content(content, format!("contents[{n}]"), &mut calls)?);
    }
    if let Some(tools) = fields.list("tools")? {
        let mut read = Vec::new();
        for (n, tool) in tools.into_iter().enumerate() {
            read_tool(tool, n, &mut read)?;
        }
        request.tools = Some(read);
    }
    for name in ["toolConfig", "tool_config"] {
        if let Some(config) = fields.fields(name)? {
            read_tool_config(config, &mut request)?;
        }
    }
    for name in ["generationConfig", "generation_config"] {
        if let Some(config) = fields.fields(name)? {
            read_config(config, &mut request)?;
        }
    }
    request.extra.extend(fields.rest());
    Ok(request)
}

/// Ids for calls that have none: a result answers the first call of its function that has no answer yet.
#[derive(Default)]
struct Calls {
    made: u64,
    waiting: HashMap<String, VecDeque<String>>,
}

impl Calls {
    fn call(&mut self, name: &str, id: Option<String>) -> String {
        let id = id.unwrap_or_else(|| {
            self.made += 1;
            made_up_id("", self.made)
        });
        self.waiting
            .entry(name.to_owned())
            .or_default()
            .push_back(id.clone());
        id
    }

    fn result(&mut self, name: &str, id: Option<String>) -> String {
        let waiting = self.waiting.entry(name.to_owned()).or_default();
        match id {
            Some(id) => {
                waiting.retain(|other| *other != id);
                id
            }
            None => waiting.pop_front().unwrap_or_else(|| made_up_id(name, 0)),
        }
    }
}

fn read_content(content: Value, place: String, calls: &mut Calls) -> Result<Message, Failure> {
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

fn either(fields: &mut Fields, camel: &str, snake: &str) -> Option<Value> {
    let first = fields.take(camel);
    let second = fields.take(snake);
    first.or(second)
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

fn read_tool(tool: Value, n: usize, out: &mut Vec<Tool>) -> Result<(), Failure> {
    let mut fields = Fields::of(tool, format!("tools[{n}]"))?;
    for declarations in ["functionDeclarations", "function_declarations"] {
        let place = fields.at(declarations);
        for (n, declaration) in fields
            .list(declarations)?
            .unwrap_or_default()
            .into_iter()
            .enumerate()
        {
            let mut function = Fields::of(declaration, format!("{place}[{n}]"))?;
            let json_schema = either(
                &mut function,
                "parametersJsonSchema",
                "parameters_json_schema",
            );
            let parameters = match json_schema {
                Some(Value::Object(schema)) => Some(schema),
                _ => function.object("parameters")?.map(to_json_schema),
            };
            out.push(Tool::Function(Function {
                name: function.needed_text("name")?,
                description: function.text("description")?,
                parameters,
                strict: None,
                extra: function.rest(),
            }));
        }
    }
    let rest = fields.rest();
    if !rest.is_empty() {
        out.push(Tool::Other(rest));
    }
    Ok(())
}

fn read_tool_config(mut config: Fields, request: &mut ChatRequest) -> Result<(), Failure> {
    for name in ["functionCallingConfig", "function_calling_config"] {
        let Some(mut calling) = config.fields(name)? else {
            continue;
        };
        let mode = calling.text("mode")?.unwrap_or_default();
        let allowed = match either(
            &mut calling,
            "allowedFunctionNames",
            "allowed_function_names",
        ) {
            Some(list) => Fields::new(object! {"names": list}, "").texts("names")?,
            None => None,
        };
        request.tool_choice = match (mode.to_ascii_uppercase().as_str(), allowed) {
            ("NONE", _) => Some(ToolChoice::None),
            ("ANY", Some(mut names)) if names.len() == 1 => names.pop().map(ToolChoice::Named),
            ("ANY", Some(names)) => Some(ToolChoice::Among {
                names,
                required: true,
            }),
            ("ANY", None) => Some(ToolChoice::Required),
            ("AUTO", _) => Some(ToolChoice::Auto),
            ("VALIDATED", names) => {
                request
                    .extra
                    .insert("toolConfig".to_owned(), validated(names.as_deref()));
                Some(match names {
                    Some(names) => ToolChoice::Among {
                        names,
                        required: false,
                    },
                    None => ToolChoice::Auto,
                })
            }
            _ => None,
        };
    }
    let rest = config.rest();
    if !rest.is_empty() {
        let entry = request
            .extra
            .entry("toolConfig")
            .or_insert_with(|| Value::Object(Object::new()));
        if let Value::Object(there) = entry {
            there.extend(rest);
        }
    }
    Ok(())
}

/// Gemini's own mode stays as it was for Gemini.
fn validated(names: Option<&[String]>) -> Value {
    let mut calling = object! {"mode": "VALIDATED"};
    if let Some(names) = names {
        calling.insert(
            "allowedFunctionNames".to_owned(),
            Value::from(names.to_vec()),
        );
    }
    Value::Object(object! {"functionCallingConfig": calling})
}

fn read_config(config: Fields, request: &mut ChatRequest) -> Result<(), Failure> {
    // Google's parsers take both spellings (ProtoJSON).
    let mut config = {
        let mut camel = Object::new();
        for (name, value) in config.rest() {
            camel.insert(to_camel(&name), value);
        }
        Fields::new(camel, "generationConfig")
    };
    request.max_output = config.count("maxOutputTokens")?;
    request.temperature = config.number("temperature")?;
    request.top_p = config.number("topP")?;
    request.top_k = config.number("topK")?;
    request.frequency_penalty = config.number("frequencyPenalty")?;
    request.presence_penalty = config.number("presencePenalty")?;
    request.seed = config.number("seed")?;
    request.stop = config.texts("stopSequences")?;
    request.candidates = config.count("candidateCount")?;
    let media_type = config.text("responseMimeType")?;
    let schema = match (
        config.object("responseJsonSchema")?,
        config.object("responseSchema")?,
    ) {
        (Some(schema), _) => Some(schema),
        (None, schema) => schema.map(to_json_schema),
    };
    request.format = match (media_type.as_deref(), schema) {
        (_, Some(schema)) => Some(Format::Schema {
            name: None,
            description: None,
            schema,
            strict: None,
        }),
        (Some("application/json"), None) => Some(Format::Json),
        (Some("text/plain"), None) => Some(Format::Text),
        (Some(other), None) => {
            request.extra.insert(
                "generationConfig".to_owned(),
                Value::Object(object! {"responseMimeType": other}),
            );
            None
        }
        (None, None) => None,
    };
    if let Some(thinking) = config.object("thinkingConfig")? {
        let thinking: Object = thinking
            .into_iter()
            .map(|(name, value)| (to_camel(&name), value))
            .collect();
        let mut inner = Fields::new(thinking.clone(), "generationConfig.thinkingConfig");
        let level = inner.text("thinkingLevel")?;
        // −1 lets the model decide.
        let budget = inner
            .number("thinkingBudget")?
            .and_then(|number| number.as_i64());
        request.reasoning = Some(Reasoning {
            effort: level.map(|level| level.to_ascii_lowercase()),
            budget: budget.and_then(|budget| u64::try_from(budget).ok()),
            enabled: (budget == Some(-1)).then_some(true),
            shown: inner.flag("includeThoughts")?,
            native: object! {"thinkingConfig": thinking},
        });
    }
    let rest = config.rest();
    if !rest.is_empty() {
        let entry = request
            .extra
            .entry("generationConfig")
            .or_insert_with(|| Value::Object(Object::new()));
        if let Value::Object(there) = entry {
            there.extend(rest);
        }
    }
    Ok(())
}

fn to_camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut up = false;
    for letter in name.chars() {
        if letter == '_' {
            up = true;
        } else if up {
            out.extend(letter.to_uppercase());
            up = false;
        } else {
            out.push(letter);
        }
    }
    out
}
