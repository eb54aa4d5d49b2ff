//! The tools of a chat completions request, and whether they must be called.

use serde_json::Value;

use crate::dialect::Dialect;
use crate::json::{Object, object, put};
use crate::loss::Losses;
use crate::model::{Reasoning, Tool, ToolChoice};
use crate::write::Target;

/// Writes both.
pub(super) fn write_tools(target: &Target<'_>, out: &mut Object, losses: &mut Losses) {
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
        .and_then(Reasoning::wanted);
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
