//! The list of models that a caller may use.

use serde_json::Value;

use crate::dialect::Surface;
use crate::json::{Object, object};
use crate::sse::to_bytes;

/// One model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// The name that callers write.
    pub name: String,
    /// Whose it is, as callers see it.
    pub owner: String,
    /// When it was made known, in seconds since 1970.
    pub created: u64,
    /// The same as a time of RFC 3339, for Anthropic's callers.
    pub created_at: String,
}

/// Writes the list in a surface's language.
#[must_use]
pub fn write_models(surface: Surface, models: &[Model]) -> Vec<u8> {
    let list = |one: fn(&Model) -> Object| -> Vec<Value> {
        models
            .iter()
            .map(|model| Value::Object(one(model)))
            .collect()
    };
    let end =
        |model: Option<&Model>| model.map_or(Value::Null, |model| Value::from(model.name.as_str()));
    to_bytes(&match surface {
        Surface::OpenaiChat | Surface::OpenaiResponses | Surface::Plain => object! {
            "object": "list",
            "data": list(|model| object! {
                "id": model.name.as_str(),
                "object": "model",
                "created": model.created,
                "owned_by": model.owner.as_str(),
            }),
        },
        Surface::AnthropicMessages => object! {
            "data": list(|model| object! {
                "type": "model",
                "id": model.name.as_str(),
                "display_name": model.name.as_str(),
                "created_at": model.created_at.as_str(),
            }),
            "has_more": false,
            "first_id": end(models.first()),
            "last_id": end(models.last()),
        },
        Surface::Gemini => object! {
            "models": list(|model| object! {
                "name": format!("models/{}", model.name),
                "displayName": model.name.as_str(),
                "supportedGenerationMethods": vec!["generateContent"],
            }),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_the_callers_language() {
        let models = [Model {
            name: "fast".into(),
            owner: "shop".into(),
            created: 7,
            created_at: "1970-01-01T00:00:07Z".into(),
        }];
        let text = |surface| String::from_utf8(write_models(surface, &models)).unwrap();
        assert_eq!(
            text(Surface::OpenaiChat),
            r#"{"object":"list","data":[{"id":"fast","object":"model","created":7,"owned_by":"shop"}]}"#
        );
        assert!(text(Surface::AnthropicMessages).contains(r#""first_id":"fast""#));
        assert!(text(Surface::Gemini).contains(r#""name":"models/fast""#));
        assert!(
            String::from_utf8(write_models(Surface::AnthropicMessages, &[]))
                .unwrap()
                .contains(r#""last_id":null"#)
        );
    }
}
