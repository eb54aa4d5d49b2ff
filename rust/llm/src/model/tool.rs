//! The tools that a model may call.

use crate::json::Object;

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
