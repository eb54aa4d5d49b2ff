use std::num::NonZeroU32;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::decode::{Each, Entries, Spanned};

/// A prompt that callers fill with their values, and that a model answers.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prompt {
    /// The model that answers, by its name in `models`.
    pub model: Spanned<String>,
    /// What the model is told and asked, in order: `{{name}}` takes the value of a variable, and `\{{` stands for the braces themselves.
    pub messages: Each<Spanned<PromptMessage>>,
    /// What callers send, as members of one JSON object.
    #[serde(default, skip_serializing_if = "Entries::is_empty")]
    pub variables: Entries<PromptVariable>,
    /// The most tokens of an answer; what the model has as its most by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<NonZeroU32>,
    /// How freely the model chooses its words, from 0 to 2; the provider's own default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<Spanned<f64>>,
}

/// One message, under the name of who says it.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PromptMessage {
    /// Instructions.
    System(Spanned<String>),
    /// A question, or what it is about.
    User(Spanned<String>),
    /// An answer of the model, as an example or as the beginning of its own.
    Assistant(Spanned<String>),
}

impl PromptMessage {
    /// Its text.
    pub const fn text(&self) -> &Spanned<String> {
        match self {
            Self::System(text) | Self::User(text) | Self::Assistant(text) => text,
        }
    }
}

/// A value that callers send: text or a number.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PromptVariable {
    /// What stands for it when it is not sent; without a default, it must be sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Spanned<PromptValue>>,
    /// The most characters of its value.
    #[serde(default = "max_length")]
    pub max_length: NonZeroU32,
}

fn max_length() -> NonZeroU32 {
    NonZeroU32::new(4_000).unwrap_or(NonZeroU32::MIN)
}

/// Text, which may be empty, or a number as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PromptValue(pub String);

impl<'de> Deserialize<'de> for PromptValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = PromptValue;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("text or a number")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<PromptValue, E> {
                Ok(PromptValue(text.to_owned()))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<PromptValue, E> {
                Ok(PromptValue(number.to_string()))
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<PromptValue, E> {
                Ok(PromptValue(number.to_string()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for PromptValue {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PromptValue".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number"] })
    }
}
