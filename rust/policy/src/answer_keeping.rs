//! What the kind `model_cache` says to whoever keeps answers of models.

use std::sync::Arc;
use std::time::Duration;

/// How answers of models are kept.
#[derive(Debug, PartialEq, Eq)]
pub struct KeepRule {
    /// How long an answer is given again.
    pub fresh: Duration,
    /// The largest answer that is kept, in bytes.
    pub up_to: usize,
    /// Names by which answers can be purged together.
    pub tags: Vec<String>,
}

/// A call whose answer may be one that was kept, or may be kept.
#[derive(Debug, Clone)]
pub struct Keeping {
    /// How.
    pub rule: Arc<KeepRule>,
    /// Who shares it; whoever is another in this shares nothing.
    pub whose: Arc<str>,
    /// Whether one that was kept will do: the caller may ask for a new one.
    pub look: bool,
}
