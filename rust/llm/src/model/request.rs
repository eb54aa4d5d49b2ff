//! A chat as it is asked: the conversation, the tools, and what bounds the answer.

use serde_json::Number;

use crate::dialect::Surface;
use crate::json::Object;

use super::message::{Message, Part};
use super::tool::{Tool, ToolChoice};

/// What a caller asks.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatRequest {
    /// The language in which it was asked.
    pub surface: Surface,
    /// The model, as the caller named it. Aliases are resolved by writing another name here.
    pub model: String,
    /// The conversation, system messages included.
    pub messages: Vec<Message>,
    /// What the model may call.
    pub tools: Option<Vec<Tool>>,
    /// Whether it must.
    pub tool_choice: Option<ToolChoice>,
    /// Whether it may call several at once.
    pub parallel_tool_calls: Option<bool>,
    /// The most tokens to generate.
    pub max_output: Option<u64>,
    /// Whether that was said by OpenAI's older name, `max_tokens`.
    pub max_output_old_name: bool,
    /// The most tokens to generate where the caller names no bound: what was reserved for the answer is then the most that it takes.
    pub bound: Option<u64>,
    /// `temperature`.
    pub temperature: Option<Number>,
    /// `top_p`.
    pub top_p: Option<Number>,
    /// `top_k`.
    pub top_k: Option<Number>,
    /// `frequency_penalty`.
    pub frequency_penalty: Option<Number>,
    /// `presence_penalty`.
    pub presence_penalty: Option<Number>,
    /// `seed`.
    pub seed: Option<Number>,
    /// Texts that end the answer.
    pub stop: Option<Vec<String>>,
    /// How many answers.
    pub candidates: Option<u64>,
    /// What form the answer must have.
    pub format: Option<Format>,
    /// How much to think.
    pub reasoning: Option<Reasoning>,
    /// Who asks, for the provider's own abuse control.
    pub user: Option<String>,
    /// Whether to stream.
    pub stream: bool,
    /// Whether a streamed answer ends with a chunk about usage (OpenAI's `stream_options.include_usage`).
    pub stream_usage: bool,
    /// Whether it says another thing than the caller's body: it is written anew then, in the provider's own language too.
    pub changed: bool,
    /// Fields that this crate does not know.
    pub extra: Object,
}

impl ChatRequest {
    /// A request that asks nothing yet.
    #[must_use]
    pub fn new(surface: Surface, model: impl Into<String>) -> Self {
        Self {
            surface,
            model: model.into(),
            messages: Vec::new(),
            tools: None,
            tool_choice: None,
            parallel_tool_calls: None,
            max_output: None,
            bound: None,
            max_output_old_name: false,
            temperature: None,
            top_p: None,
            top_k: None,
            frequency_penalty: None,
            presence_penalty: None,
            seed: None,
            stop: None,
            candidates: None,
            format: None,
            reasoning: None,
            user: None,
            stream: false,
            stream_usage: false,
            changed: false,
            extra: Object::new(),
        }
    }

    /// The most tokens to generate that a provider is told.
    pub(crate) fn most_output(&self) -> Option<u64> {
        self.max_output.or(self.bound)
    }

    /// The name of the tool that a call was of.
    pub(crate) fn tool_of(&self, id: &str) -> Option<&str> {
        self.messages
            .iter()
            .rev()
            .flat_map(|message| &message.parts)
            .find_map(|part| match part {
                Part::ToolCall(call) if call.id == id => Some(call.name.as_str()),
                _ => None,
            })
    }
}

/// The form of the answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Format {
    /// Text.
    Text,
    /// Some JSON.
    Json,
    /// JSON of a schema.
    Schema {
        /// A name for it.
        name: Option<String>,
        /// What it is for.
        description: Option<String>,
        /// The schema.
        schema: Object,
        /// Whether the provider must keep to it.
        strict: Option<bool>,
    },
}

/// How much to think.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reasoning {
    /// `none`, `minimal`, `low`, `medium`, `high`, `xhigh`, `max`.
    pub effort: Option<String>,
    /// The most tokens to think.
    pub budget: Option<u64>,
    /// Whether to think at all, where that was said apart.
    pub enabled: Option<bool>,
    /// Whether the thoughts, or a summary, are wanted in the answer.
    pub shown: Option<bool>,
    /// Everything else that was said about it, under the name of its field.
    pub native: Object,
}

impl Reasoning {
    /// Whether thinking is wanted.
    #[must_use]
    pub fn wanted(&self) -> Option<bool> {
        if let Some(enabled) = self.enabled {
            return Some(enabled);
        }
        match (self.effort.as_deref(), self.budget) {
            (Some("none"), _) | (None, Some(0)) => Some(false),
            (Some(_), _) | (None, Some(_)) => Some(true),
            (None, None) => None,
        }
    }
}
