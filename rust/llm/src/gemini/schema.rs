//! Google's own form of schemas, as JSON Schema.

use serde_json::Value;

use crate::json::Object;

/// Turns Google's form (types in capitals, `nullable`) into JSON Schema, level by level; nesting is bounded by the parser.
pub(crate) fn to_json_schema(schema: Object) -> Object {
    let nullable = schema.get("nullable") == Some(&Value::Bool(true));
    let mut out = Object::new();
    for (name, value) in schema {
        match (name.as_str(), value) {
            ("nullable", _) => {}
            ("type", Value::String(word)) => {
                let word = Value::from(word.to_ascii_lowercase());
                let value = if nullable {
                    Value::Array(vec![word, Value::from("null")])
                } else {
                    word
                };
                out.insert(name, value);
            }
            ("properties" | "$defs" | "defs", Value::Object(members)) => {
                let members = members
                    .into_iter()
                    .map(|(name, member)| (name, deeper(member)))
                    .collect();
                out.insert(name, Value::Object(members));
            }
            ("items" | "additionalProperties", inner) => {
                out.insert(name, deeper(inner));
            }
            ("anyOf" | "prefixItems", Value::Array(list)) => {
                out.insert(name, Value::Array(list.into_iter().map(deeper).collect()));
            }
            // Google writes 64-bit numbers as text.
            (
                "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties"
                | "maxProperties",
                Value::String(text),
            ) => {
                let number = text.parse::<u64>().map_or(Value::String(text), Value::from);
                out.insert(name, number);
            }
            (_, value) => {
                out.insert(name, value);
            }
        }
    }
    out
}

fn deeper(value: Value) -> Value {
    match value {
        Value::Object(object) => Value::Object(to_json_schema(object)),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn googles_types_become_json_schemas() {
        let schema: Object = serde_json::from_str(
            r#"{"type":"OBJECT","properties":{"type":{"type":"STRING","nullable":true},"n":{"type":"ARRAY","items":{"type":"INTEGER"},"minItems":"1"}},"required":["type"]}"#,
        )
        .unwrap();
        assert_eq!(
            Value::Object(to_json_schema(schema)).to_string(),
            r#"{"type":"object","properties":{"type":{"type":["string","null"]},"n":{"type":"array","items":{"type":"integer"},"minItems":1}},"required":["type"]}"#
        );
    }
}
