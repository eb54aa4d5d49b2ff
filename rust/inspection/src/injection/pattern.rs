//! Regular expressions over bytes; linear in the value by construction of the engine.

use regex::bytes::{Regex, RegexBuilder};

/// Rules that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the rules do not compile: {reason}")]
pub struct PackError {
    /// What the pattern compiler said.
    pub reason: String,
}

/// Compiles a pattern that ignores letter case and white space in the pattern.
pub(super) fn compile(pattern: &str) -> Result<Regex, PackError> {
    RegexBuilder::new(pattern)
        .case_insensitive(true)
        .ignore_whitespace(true)
        .unicode(false)
        .build()
        .map_err(|error| PackError {
            reason: error.to_string(),
        })
}
