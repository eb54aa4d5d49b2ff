//! The tools of a `generateContent` request, and whether they must be called.

use serde_json::Value;

use crate::failure::Failure;
use crate::gemini::schema::to_json_schema;
use crate::json::{Fields, Object, object};
use crate::model::{ChatRequest, Function, Tool, ToolChoice};

use super::spelling::either;

/// Reads a tool, which may declare several functions.
pub(super) fn read_tool(tool: Value, n: usize, out: &mut Vec<Tool>) -> Result<(), Failure> {
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

/// Reads whether they must be called.
pub(super) fn read_tool_config(
    mut config: Fields,
    request: &mut ChatRequest,
) -> Result<(), Failure> {
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
