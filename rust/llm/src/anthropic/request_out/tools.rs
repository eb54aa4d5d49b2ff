//! The tools of a Messages request, and whether they must be called.

use serde_json::Value;

use crate::json::{Object, object, put};
use crate::loss::Losses;
use crate::model::{Reasoning, Tool, ToolChoice};
use crate::write::Target;

/// Writes both.
pub(super) fn write_tools(target: &Target<'_>, out: &mut Object, losses: &mut Losses) {
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
