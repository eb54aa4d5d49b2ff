//! # What it does
//! Lets each caller have only so many requests in flight.
//!
//! # When to use
//! Requests take long, so that a rate says little about the load of a caller.
//!
//! # Example
//! ```yaml
//! - { id: side-by-side, kind: concurrency, limit: 10, by: application }
//! ```
//!
//! # On failure
//! 429 with `Retry-After: 1`. A place is given back when the answer has been sent or the caller has gone.

use std::num::NonZeroU64;

use http::header;
use lockgate_config::{OnError, PolicyEntry, Spanned, decode};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::caller::{By, CallerKey};
use crate::counters::CounterKey;
use crate::env::Env;
use crate::policy::{Compiled, Compiling, Kind, Phase, Policy};
use crate::reason::Reason;
use crate::request::RequestView;
use crate::verdict::{Effect, Refusal, Verdict};

/// The catalogue entry.
pub static KIND: Kind = Kind {
    name: "concurrency",
    phase: Phase::Limit,
    about: "Lets each caller have only so many requests in flight.",
    on_error: OnError::Deny,
    needs_identity: false,
    needs_prompt: false,
    reasons: &[&EXCEEDED],
    schema: Settings::json_schema,
    compile,
};

static EXCEEDED: Reason = Reason::new(
    "concurrency.exceeded",
    429,
    "Too many requests at a time",
    "wait for an answer before sending the next request",
)
.under("https://iana.org/assignments/http-problem-types#temporary-reduced-capacity");

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The most requests in flight.
    limit: NonZeroU64,
    /// Who is counted: `application` (the default; the address of callers who are not identified), `address`, `route`,
    /// `claim:NAME` or `cel:EXPRESSION`.
    by: Option<Spanned<String>>,
}

#[derive(Debug)]
struct Concurrency {
    uid: u64,
    limit: u64,
    by: By,
}

fn compile(entry: &PolicyEntry, compiling: &Compiling<'_>) -> Compiled {
    let settings: Settings = decode(&entry.settings)?;
    let by = By::read(settings.by.as_ref()).map_err(|problem| vec![problem])?;
    Ok(Box::new(Concurrency {
        uid: compiling.uid(&entry.id),
        limit: settings.limit.get(),
        by,
    }))
}

impl Policy for Concurrency {
    fn evaluate(&self, request: &RequestView<'_>, env: &mut Env<'_>) -> Verdict {
        let caller = match self.by.key(request) {
            Ok(CallerKey(caller)) => caller,
            Err(why) => return Verdict::Undecided(why),
        };
        match env.counters.hold(
            CounterKey {
                policy: self.uid,
                caller,
                window: 0,
            },
            self.limit,
        ) {
            Some(permit) => Verdict::Allow(smallvec::smallvec![Effect::Hold(permit)]),
            None => {
                let detail = format!("{} requests are in flight, as many as may be", self.limit);
                Verdict::Deny(Box::new(
                    Refusal::new(&EXCEEDED, detail).header(header::RETRY_AFTER, "1"),
                ))
            }
        }
    }
}
