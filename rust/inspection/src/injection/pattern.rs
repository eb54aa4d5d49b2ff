//! Regular expressions over bytes; linear in the value by construction of the engine.

use regex::bytes::{Regex, RegexBuilder};

use super::pack::PackError;

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
