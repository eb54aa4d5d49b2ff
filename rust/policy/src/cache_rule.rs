//! What the kind `cache` says to the cache.

/// How the answers of a route are kept.
#[derive(Debug, PartialEq, Eq)]
pub struct CacheRule {
    /// How long an answer is fresh when the service does not say.
    pub fresh: std::time::Duration,
    /// How long an answer may still be given while a new one is fetched.
    pub stale: std::time::Duration,
    /// How long an answer may still be given when its service fails.
    pub stale_on_error: std::time::Duration,
    /// Whether cookies of callers whom nobody identified say nothing about answers.
    pub ignore_cookies: bool,
    /// The largest answer that is kept, in bytes.
    pub up_to: usize,
    /// Names by which answers can be purged together.
    pub tags: Vec<String>,
}
