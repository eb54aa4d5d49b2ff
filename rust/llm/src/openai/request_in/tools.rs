//! The tools of a chat completions request, and whether they must be called.

use serde_json::Value;

use crate::failure::Failure;
use crate::json::Fields;
use crate::model::{Function, Tool, ToolChoice};

/// Reads a tool; one that is no function is kept as it is.
pub(super) fn read_tool(tool: Value, n: usize) -> Result<Tool, Failure> {
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

/// Whether a tool must be called; `None` when it is said in a way that this crate does not know.
pub(super) fn read_choice(choice: &Value) -> Option<ToolChoice> {
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
