//! The answers of a model, in pieces as they come.

use crate::failure::Failure;
use crate::json::Object;
use crate::usage::Usage;

use super::message::Signature;
use super::response::Finish;

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
