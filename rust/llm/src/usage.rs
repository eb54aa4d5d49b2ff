//! How many tokens a call took.

use serde::{Deserialize, Serialize};

/// Tokens, counted alike for every provider. What the provider did not say is absent, and never 0.
///
/// | | counts |
/// |---|---|
/// | `input` | all of the prompt, what came from a cache or went into one included |
/// | `output` | all that was generated, reasoning included |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// The prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<u64>,
    /// The part of `input` that was read from the provider's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<u64>,
    /// The part of `input` that was written into the provider's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<u64>,
    /// The part of `cache_write` that is kept for an hour, which costs more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_hour: Option<u64>,
    /// What was generated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<u64>,
    /// The part of `output` that was reasoning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<u64>,
    /// Whether the call ended before the provider had said all: the numbers are what was known until then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
}

impl Usage {
    /// Whether the provider said nothing.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.input.is_none() && self.output.is_none()
    }

    /// Input and output together, when both are known.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        Some(self.input?.saturating_add(self.output?))
    }

    /// Takes over what a later report says. Reports are cumulative: what one leaves out stays as it was.
    pub fn update(&mut self, later: &Self) {
        for (old, new) in [
            (&mut self.input, later.input),
            (&mut self.cached, later.cached),
            (&mut self.cache_write, later.cache_write),
            (&mut self.cache_write_hour, later.cache_write_hour),
            (&mut self.output, later.output),
            (&mut self.reasoning, later.reasoning),
        ] {
            if new.is_some() {
                *old = new;
            }
        }
        self.partial |= later.partial;
    }

    /// The same numbers, marked as what was known when the call broke off.
    #[must_use]
    pub fn broken_off(mut self) -> Self {
        self.partial = true;
        self
    }
}
