//! A `generateContent` request of a caller.

mod calls;
mod config;
mod contents;
mod spelling;
mod tools;

use crate::dialect::Surface;
use crate::failure::Failure;
use crate::json::{Fields, Object};
use crate::model::{ChatRequest, Role};

use calls::Calls;
use config::read_config;
use contents::read_content;
use tools::{read_tool, read_tool_config};

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
