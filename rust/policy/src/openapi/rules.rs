//! The rules under which all schemas are compiled.

use std::cell::RefCell;
use std::collections::HashMap;

use jsonschema::{Draft, PatternCache, PatternOptions, ValidationOptions};
use serde_json::json;

/// The most memory of one compiled pattern, in bytes. Matching takes time in proportion to it and to the text.
const PATTERN_BYTES_MAX: usize = 1 << 18;

/// The rules under which all schemas of one document are compiled, and the patterns that were tried under them.
#[derive(Default)]
pub(super) struct Rules {
    patterns: RefCell<HashMap<String, bool>>,
    regexes: PatternCache,
}

impl Rules {
    /// Nothing is fetched (F23), and patterns take linear time (F1).
    pub(super) fn options(&self) -> ValidationOptions<'static> {
        jsonschema::options()
            .with_draft(Draft::Draft202012)
            .offline()
            .should_validate_formats(true)
            .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_BYTES_MAX))
            .with_pattern_cache(self.regexes.clone())
    }

    /// Whether a pattern can be matched under these rules.
    pub(super) fn takes_pattern(&self, pattern: &str) -> bool {
        let known = self.patterns.borrow().get(pattern).copied();
        known.unwrap_or_else(|| {
            let takes = self.options().build(&json!({ "pattern": pattern })).is_ok();
            self.patterns.borrow_mut().insert(pattern.to_owned(), takes);
            takes
        })
    }
}
