//! What is said in a chat, by whom, and what it is made of.

use crate::dialect::Dialect;
use crate::json::Object;

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
