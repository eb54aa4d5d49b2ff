//! Prompts that are written once, with variables that callers send.

mod prompt;
mod text;

pub use prompt::{FilledPrompt, PromptTemplate, PromptVariable};
pub use text::{TemplateError, TextWithVariables};

#[cfg(test)]
#[path = "template_fuzz.rs"]
mod fuzz;
