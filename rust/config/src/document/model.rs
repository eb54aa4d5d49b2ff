use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::decode::{Each, Raw, Spanned, hand, nested};
use crate::document::PolicyEntry;
use crate::problem::Problem;
use crate::quantity::{Duration, Money};
use crate::secret::Secret;

/// A model as callers name it, and the providers that answer for it.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Its name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Who answers: targets without `on` share the calls by weight; those with `on` are asked, in order, when one before them failed so.
    pub targets: Each<Spanned<ModelTarget>>,
    /// Policies of all calls to this model, whichever API they come by.
    #[serde(default)]
    pub policies: Each<PolicyEntry>,
    /// The most tokens of an answer when the caller names no bound; what budgets reserve.
    #[serde(default = "max_output_tokens")]
    pub max_output_tokens: NonZeroU32,
    /// Deadlines.
    #[serde(default)]
    pub timeouts: ModelTimeouts,
}

fn max_output_tokens() -> NonZeroU32 {
    NonZeroU32::new(4_096).unwrap_or(NonZeroU32::MIN)
}

/// A provider's model that answers for a model of the gateway.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelTarget {
    /// Whose API is spoken.
    pub provider: Provider,
    /// The model as the provider names it.
    pub model: Spanned<String>,
    /// The key for the provider, as a reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Spanned<Secret>>,
    /// Several keys that share the calls; one that the provider refuses, or that has used up its limit, rests for a while.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub keys: Each<Spanned<Secret>>,
    /// Where the provider's API begins, without the path of a call; the provider's own address by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Spanned<String>>,
    /// What it costs, in place of the price that is known for the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<ModelPrice>,
    /// Share of the calls against other targets without `on`.
    #[serde(default = "weight")]
    pub weight: NonZeroU32,
    /// What must have happened to an earlier target for this one to be asked; without it, the target is among the first.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub on: Each<ModelFailure>,
}

/// What a million tokens cost, in millionths of a US dollar; `free` for a model that costs nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelPrice {
    /// A million tokens of the question.
    pub input: u64,
    /// A million tokens of the question that the provider had in its cache; the price of `input` by default.
    pub cached: Option<u64>,
    /// A million tokens of the answer.
    pub output: u64,
}

#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ModelPriceSettings")]
struct PriceFields {
    /// A million tokens of the question.
    input: Money,
    /// A million tokens of the question that the provider had in its cache; the price of `input` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cached: Option<Money>,
    /// A million tokens of the answer.
    output: Money,
}

/// How a document says that a model costs nothing.
const FREE: &str = "free";

impl<'de> Deserialize<'de> for ModelPrice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Raw(node) = Raw::deserialize(deserializer)?;
        if node.as_text() == Some(FREE) {
            return Ok(Self {
                input: 0,
                cached: None,
                output: 0,
            });
        }
        if node.as_map().is_none() {
            let message = format!("expected prices, found {}", node.describe());
            let problem = Problem::new(&node.span, message);
            return Err(hand(problem.help(
                "write `{ input: 0.60 USD, output: 2.50 USD }` for a million tokens, or `free`",
            )));
        }
        let fields: PriceFields = nested(&node)?;
        Ok(Self {
            input: fields.input.micros(),
            cached: fields.cached.map(Money::micros),
            output: fields.output.micros(),
        })
    }
}

impl Serialize for ModelPrice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let money = Money::of_micros;
        match (money(self.input), money(self.output)) {
            (Some(input), Some(output)) => PriceFields {
                input,
                cached: self.cached.and_then(money),
                output,
            }
            .serialize(serializer),
            _ => serializer.serialize_str(FREE),
        }
    }
}

impl JsonSchema for ModelPrice {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ModelPrice".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let fields = generator.subschema_for::<PriceFields>();
        schemars::json_schema!({ "anyOf": [{ "const": FREE }, fields] })
    }
}

fn is_empty<T>(list: &Each<T>) -> bool {
    list.is_empty()
}

const fn weight() -> NonZeroU32 {
    NonZeroU32::MIN
}

/// Whose API is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// OpenAI, and servers that speak its chat completions, such as llama.cpp and vLLM.
    Openai,
    /// Anthropic.
    Anthropic,
    /// Google Gemini.
    Gemini,
    /// Mistral AI.
    Mistral,
    /// Ollama, by its own API.
    Ollama,
    /// Moonshot AI (Kimi).
    Moonshot,
}

impl Provider {
    /// Its name as documents write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Mistral => "mistral",
            Self::Ollama => "ollama",
            Self::Moonshot => "moonshot",
        }
    }

    /// Where its API begins.
    pub const fn url(self) -> &'static str {
        match self {
            Self::Openai => "https://api.openai.com",
            Self::Anthropic => "https://api.anthropic.com",
            Self::Gemini => "https://generativelanguage.googleapis.com",
            Self::Mistral => "https://api.mistral.ai",
            Self::Ollama => "http://127.0.0.1:11434",
            Self::Moonshot => "https://api.moonshot.ai",
        }
    }

    /// Whether it answers nobody without a key at its own address.
    pub const fn needs_key(self) -> bool {
        !matches!(self, Self::Ollama)
    }
}

/// How a target failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelFailure {
    /// It said that the caller or the key has used up its limit (429).
    RateLimited,
    /// It did not answer, not in time, or said that it cannot (5xx, 529).
    Unavailable,
    /// It refused the gateway's key (401, 403).
    KeyRefused,
}

/// How long the gateway waits for a model.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ModelTimeouts {
    /// To connect, with the TLS handshake.
    pub connect: Duration,
    /// From the end of the request to the head of the answer; for a stream to its first piece.
    pub first_token: Duration,
    /// Between two pieces of a stream.
    pub between_tokens: Duration,
}

impl Default for ModelTimeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            first_token: Duration::from_secs(120),
            between_tokens: Duration::from_secs(60),
        }
    }
}
