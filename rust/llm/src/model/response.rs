//! The answers of a model, whole.

use crate::json::Object;
use crate::usage::Usage;

use super::message::Part;

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
