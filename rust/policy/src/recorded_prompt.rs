//! What a recording holds of what was asked of a model: figures always, words only where the document says so.

use std::sync::Arc;

use lockgate_llm::guard::{Class, Signal};
use lockgate_llm::{Figures, Role};

/// What a recording holds of what was asked of a model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordedPrompt {
    /// The model, as the caller named it; absent when what was asked could not be read.
    pub model: Option<Arc<str>>,
    /// How much it asked for; recordings of older releases have none.
    pub figures: Option<Figures>,
    /// What it said, when that is recorded.
    pub texts: Option<RecordedTexts>,
}

/// Texts that were recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordedTexts {
    /// The texts, in order.
    pub said: Vec<RecordedText>,
    /// Whether there were more, or one of them was longer.
    pub cut: bool,
}

/// A text that was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedText {
    /// Who says it.
    pub role: Role,
    /// What of it may be written.
    pub text: String,
    /// What was found in it when it was whole, where something was taken out of it.
    pub taken_out: Option<TakenOut>,
}

/// What was found in a text before something was taken out of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TakenOut {
    /// Keys and personal data, of which only placeholders are left.
    pub classes: Vec<Class>,
    /// Attempts to talk the model out of its instructions.
    pub signals: Vec<Signal>,
}
