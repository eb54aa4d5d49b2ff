//! # What it does
//! Keeps answers and gives them again, as a shared cache (RFC 9111). Requests for the same answer wait for one call to the
//! service. Answers to identified callers are kept apart by application, and by the user in whose name it calls. A request that may
//! change something (`POST`, `PUT`, `PATCH`, `DELETE`) makes the cache forget what it kept under the same URL, whatever its route.
//!
//! # When to use
//! Answers are read far more often than they change.
//!
//! # Example
//! ```yaml
//! - { id: fresh, kind: cache, for: 30s, stale_while_revalidate: 1m, tags: [orders] }
//! ```
//!
//! # On failure
//! It never refuses. What the service forbids to store (`no-store`, `private`, `Set-Cookie`) is not stored. It is left out of routes on
//! which a model answers: those have `model_cache`, and a document whose `cache` would stand nowhere else is refused.

use std::sync::Arc;

use lockgate_config::{ByteSize, Duration, Each, OnError, PolicyEntry, decode};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::cache_rule::CacheRule;
use crate::env::Env;
use crate::policy::{Compiled, Compiling, Kind, Phase, Policy};
use crate::request::RequestView;
use crate::verdict::{Effect, Verdict};

/// The catalogue entry.
pub static KIND: Kind = Kind {
    name: "cache",
    phase: Phase::Mediate,
    about: "Keeps answers as a shared cache (RFC 9111), apart for each application.",
    on_error: OnError::Allow,
    needs_identity: false,
    needs_prompt: false,
    reasons: &[],
    schema: Settings::json_schema,
    compile,
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// How long an answer is fresh when the service does not say. What the service says counts first. It does not hold for requests with
    /// a cookie of a caller whom nobody identified: the answer may be for that session alone.
    #[serde(rename = "for")]
    fresh: Option<Duration>,
    /// How long an answer may still be given while a new one is fetched. What the service says (RFC 5861) counts first, and an answer
    /// that says `must-revalidate` is never given past its time.
    stale_while_revalidate: Option<Duration>,
    /// How long an answer may still be given when the service fails: no connection, no answer in time, or 500, 502, 503 or 504. What the
    /// service says (RFC 5861) counts first.
    stale_if_error: Option<Duration>,
    /// Lets `for` hold for requests with a cookie as well: the service answers the same whatever the cookie says.
    #[serde(default)]
    ignore_cookies: bool,
    /// The largest answer that is kept.
    #[serde(default = "up_to")]
    up_to: ByteSize,
    /// Names by which answers can be purged together.
    tags: Option<Each<String>>,
}

const fn up_to() -> ByteSize {
    ByteSize::new(1024 * 1024)
}

#[derive(Debug)]
struct Cache(Arc<CacheRule>);

fn compile(entry: &PolicyEntry, _: &Compiling<'_>) -> Compiled {
    let settings: Settings = decode(&entry.settings)?;
    Ok(Box::new(Cache(Arc::new(CacheRule {
        fresh: settings.fresh.map(Duration::get).unwrap_or_default(),
        stale: settings
            .stale_while_revalidate
            .map(Duration::get)
            .unwrap_or_default(),
        stale_on_error: settings
            .stale_if_error
            .map(Duration::get)
            .unwrap_or_default(),
        ignore_cookies: settings.ignore_cookies,
        up_to: settings.up_to.as_usize(),
        tags: settings.tags.map(|tags| tags.to_vec()).unwrap_or_default(),
    }))))
}

impl Policy for Cache {
    fn is_of_services(&self) -> bool {
        true
    }

    /// Every method concerns the cache: a request that may change something makes it forget (RFC 9111 §4.4).
    fn evaluate(&self, _: &RequestView<'_>, _: &mut Env<'_>) -> Verdict {
        Verdict::Allow(smallvec::smallvec![Effect::Cache(self.0.clone())])
    }
}
