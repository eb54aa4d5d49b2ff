//! A chat in one form, whichever dialect it came in. Nothing is lost that can be kept: what no field knows stands under `extra` with
//! the place it had, an explicit 0 or empty list is not absence, and numbers stay as they were written.

use serde_json::Number;

use crate::dialect::{Dialect, Surface};
use crate::failure::Failure;
use crate::json::Object;
use crate::usage::Usage;

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

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Instructions.
    System,
    /// Instructions, as newer models of OpenAI call them.
    Developer,
    /// The person or program that asks.
    User,
    /// The model.
    Assistant,
    /// Results of tools.
    Tool,
}

/// One turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub parts: Vec<Part>,
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

impl Message {
    /// A message without unknown fields.
    #[must_use]
    pub fn new(role: Role, parts: Vec<Part>) -> Self {
        Self {
            role,
            parts,
            extra: Object::new(),
        }
    }
}

/// A piece of a message.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// Text.
    Text(Text),
    /// A picture, document or sound.
    Media(Media),
    /// What the model thought.
    Thinking(Thinking),
    /// A call of a tool.
    ToolCall(ToolCall),
    /// What a tool returned.
    ToolResult(ToolResult),
    /// What the model says when it refuses (OpenAI).
    Refusal(String),
    /// A piece that this crate does not know, as it stood in the caller's or provider's language.
    Other(Object),
}

impl Part {
    /// Plain text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(Text {
            text: text.into(),
            ..Text::default()
        })
    }
}

/// Text.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Text {
    /// The text.
    pub text: String,
    /// What must travel with it (Gemini).
    pub signature: Option<Signature>,
    /// Fields that this crate does not know.
    pub extra: Object,
}

/// What kind of media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaKind {
    /// A picture.
    Image,
    /// A document.
    Document,
    /// Sound.
    Audio,
}

/// A picture, document or sound.
#[derive(Debug, Clone, PartialEq)]
pub struct Media {
    /// What it is.
    pub kind: MediaKind,
    /// Where it is.
    pub source: Source,
    /// How closely to look (`low`, `high`).
    pub detail: Option<String>,
    /// The name of a document.
    pub name: Option<String>,
    /// Fields that this crate does not know.
    pub extra: Object,
}

/// Where media are. The gateway never fetches them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The bytes, in base64.
    Data {
        /// The media type.
        media_type: String,
        /// Base64.
        data: String,
    },
    /// An address that the provider may fetch.
    Url {
        /// The address.
        url: String,
        /// The media type, where it was said.
        media_type: Option<String>,
    },
    /// A file that the provider keeps.
    File(String),
}

/// What the model thought.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Thinking {
    /// The text, or a summary of it.
    pub text: String,
    /// The provider's seal, without which it does not take the thought back.
    pub signature: Option<Signature>,
    /// Whether `signature` is all there is: the thought itself is encrypted.
    pub redacted: bool,
    /// Fields that this crate does not know.
    pub extra: Object,
}

/// A provider's seal: of use to no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Whose it is.
    pub origin: Origin,
    /// The seal, as the provider wrote it.
    pub value: String,
}

/// Who sealed a thought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A provider that this crate can write to.
    Dialect(Dialect),
    /// OpenAI's Responses.
    Responses,
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ToolCall {
    /// Its id. Made up from the call's own id where the provider gives none.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The arguments, as the text of a JSON object.
    pub arguments: String,
    /// What must travel with it (Gemini).
    pub signature: Option<Signature>,
    /// Fields that this crate does not know.
    pub extra: Object,
}

/// What a tool returned.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ToolResult {
    /// Of which call.
    pub id: String,
    /// Of which tool, where it was said.
    pub name: Option<String>,
    /// What it returned.
    pub parts: Vec<Part>,
    /// Whether it failed.
    pub is_error: Option<bool>,
    /// Whether it was one text rather than a list of pieces, or the object itself (Gemini).
    pub plain: bool,
    /// Fields that this crate does not know.
    pub extra: Object,
}

/// A tool that the model may call.
#[derive(Debug, Clone, PartialEq)]
pub enum Tool {
    /// A function of the caller's.
    Function(Function),
    /// A tool of the provider's own.
    Other(Object),
}

/// A function.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// The JSON Schema of its arguments.
    pub parameters: Option<Object>,
    /// Whether the provider must keep to the schema.
    pub strict: Option<bool>,
    /// Fields that this crate does not know.
    pub extra: Object,
}

/// Whether a tool must be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolChoice {
    /// The model decides.
    Auto,
    /// None.
    None,
    /// At least one.
    Required,
    /// This one.
    Named(String),
    /// One of these; whether at least one must be.
    Among {
        /// The names.
        names: Vec<String>,
        /// Whether one must be called.
        required: bool,
    },
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

/// Why an answer ended: in one form, and in the provider's own word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finish {
    /// In one form.
    pub reason: FinishReason,
    /// In the provider's word.
    pub word: String,
    /// The text that ended it, where that was said.
    pub stop_sequence: Option<String>,
}

impl Finish {
    /// An end without a stop sequence.
    #[must_use]
    pub fn new(reason: FinishReason, word: impl Into<String>) -> Self {
        Self {
            reason,
            word: word.into(),
            stop_sequence: None,
        }
    }
}

/// Why an answer ended, from what was wished for to what was not: of several answers, the last in this order says most of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FinishReason {
    /// The model had said all.
    Stop,
    /// A stop sequence came.
    StopSequence,
    /// The model waits for tools.
    ToolCalls,
    /// The provider paused a long turn; it goes on when sent back.
    Pause,
    /// A word that this crate does not know.
    Other,
    /// No tokens were left.
    Length,
    /// The model refused.
    Refusal,
    /// A filter took the answer.
    ContentFilter,
    /// The provider failed while it generated.
    Error,
}

impl FinishReason {
    /// Its name in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::StopSequence => "stop_sequence",
            Self::ToolCalls => "tool_calls",
            Self::Pause => "pause",
            Self::Other => "other",
            Self::Length => "length",
            Self::Refusal => "refusal",
            Self::ContentFilter => "content_filter",
            Self::Error => "error",
        }
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatResponse {
    /// The provider's id.
    pub id: String,
    /// The model that answered.
    pub model: String,
    /// When, in seconds since 1970, where the provider said.
    pub created: Option<u64>,
    /// The answers; nearly always one.
    pub candidates: Vec<Candidate>,
    /// What it took, where the provider said.
    pub usage: Option<Usage>,
    /// Fields that this crate does not know.
    pub extra: Object,
}

/// One answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Its number.
    pub index: u64,
    /// What it says.
    pub parts: Vec<Part>,
    /// Why it ended; absent when the provider did not say.
    pub finish: Option<Finish>,
    /// Fields that this crate does not know.
    pub extra: Object,
}

/// What a streamed answer consists of.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The answer begins.
    Start {
        /// The provider's id.
        id: String,
        /// The model that answers.
        model: String,
        /// When, in seconds since 1970, where the provider said.
        created: Option<u64>,
    },
    /// A piece of an answer.
    Delta {
        /// Of which answer.
        candidate: u64,
        /// The piece.
        delta: Delta,
    },
    /// An answer has ended.
    Finish {
        /// Which.
        candidate: u64,
        /// Why.
        finish: Finish,
    },
    /// What the call took so far. Cumulative.
    Usage(Usage),
    /// A sign of life.
    Ping,
    /// All has been said. Nothing follows.
    End,
    /// It broke off. Nothing follows.
    Failed(Failure),
}

/// A piece of a streamed answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Delta {
    /// Text.
    Text(String),
    /// Words of refusal (OpenAI).
    Refusal(String),
    /// Thought.
    Thinking(String),
    /// The seal of the thought before it, or of the text before it (`text`).
    Signature {
        /// The seal.
        signature: Signature,
        /// Whether it belongs to text.
        text: bool,
    },
    /// An encrypted thought.
    Redacted(Signature),
    /// A tool is called. Arguments follow.
    ToolStart {
        /// Which call of the answer, from 0.
        call: u64,
        /// Its id.
        id: String,
        /// The tool.
        name: String,
        /// What must travel with it.
        signature: Option<Signature>,
    },
    /// A piece of the text of a call's arguments.
    ToolArguments {
        /// Which call.
        call: u64,
        /// The piece.
        text: String,
    },
    /// A piece that this crate does not know.
    Other(Object),
}
