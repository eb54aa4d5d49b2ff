//! Prompts that are written once, with variables that callers send.

mod prompt;
mod text;

pub use prompt::{PromptTemplate, PromptVariable};
pub use text::{TemplateError, TextWithVariables};

#[cfg(test)]
#[path = "template_fuzz.rs"]
mod fuzz;
