//! # What it does
//! Lets each caller send only so many requests in a time, counted over a sliding window.
//!
//! # When to use
//! One caller must not take the service from the others. `burst` bounds what may come within one second, and `also` what may come
//! within further windows: a request counts in all of them, or in none when one has no room.
//!
//! # Example
//! ```yaml
//! - { id: fair-use, kind: rate_limit, limit: 300, per: 1m, burst: 50, by: application }
//! - { id: all-day, kind: rate_limit, limit: 300, per: 1m, also: [{ limit: 5000, per: 1h }, { limit: 20000, per: 1d }] }
//! ```
//!
//! # On failure
//! 429 with `Retry-After` and the `RateLimit` fields (draft-ietf-httpapi-ratelimit-headers-11). A refused request is not
//! counted. A changed limit keeps the usage already counted. `limit: 0` with `deny_all: true` refuses every call with 403.
//!
//! In no span of time as long as `per` are there more requests than `limit`. A request counts for exactly that long while the limit
//! is at most 64, else for up to a sixty-fourth longer: give a caller who needs 300 a minute 305.

use std::num::NonZeroU64;

use http::HeaderValue;
use lockgate_config::{Duration, Each, OnError, PolicyEntry, Problem, Spanned, decode};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::caller::{By, CallerKey};
use crate::counters::{Usage, Window};
use crate::env::Env;
use crate::policy::{Compiled, Compiling, Kind, Phase, Policy};
use crate::reason::Reason;
use crate::request::RequestView;
use crate::time::Timestamp;
use crate::usage_fields::{self, SECOND, Shown, check_closed, exceeded, policy_item};
use crate::verdict::Verdict;

/// The catalogue entry.
pub static KIND: Kind = Kind {
    name: "rate_limit",
    phase: Phase::Limit,
    about: "Lets each caller send only so many requests in a time.",
    on_error: OnError::Deny,
    needs_identity: false,
    needs_prompt: false,
    reasons: &[&EXCEEDED, &CLOSED],
    schema: Settings::json_schema,
    compile,
};

static EXCEEDED: Reason = Reason::new(
    "rate_limit.exceeded",
    429,
    "Too many requests",
    "wait as long as `Retry-After` says, then go on more slowly",
)
.under("https://iana.org/assignments/http-problem-types#quota-exceeded");

static CLOSED: Reason = Reason::new(
    "rate_limit.closed",
    403,
    "Closed",
    "ask the API's owner when calls are allowed again",
);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The most requests in `per`; 0 needs `deny_all`.
    limit: Spanned<u64>,
    /// That a limit of 0, which refuses every call, is meant.
    deny_all: Option<Spanned<bool>>,
    /// The length of the window, such as `1m`.
    per: Spanned<Duration>,
    /// The most requests in any one second.
    burst: Option<Spanned<NonZeroU64>>,
    /// Further windows: the most requests in each.
    also: Option<Spanned<Each<Further>>>,
    /// Who is counted: `application` (the default; the address of callers who are not identified), `address`, `route`,
    /// `claim:NAME` or `cel:EXPRESSION`.
    by: Option<Spanned<String>>,
    /// Whether answers also carry `X-RateLimit-Limit`, `-Remaining` and `-Reset`.
    #[serde(default)]
    legacy_headers: bool,
}

/// A further window.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Further {
    /// The most requests in `per`.
    limit: NonZeroU64,
    /// The length of the window, such as `1h`.
    per: Spanned<Duration>,
}

/// The most windows besides the first and the burst.
const MOST_FURTHER: usize = 4;

#[derive(Debug)]
struct RateLimit {
    uid: u64,
    windows: Vec<Window>,
    /// What callers are told that each window is called.
    names: Vec<String>,
    by: By,
    policy_field: HeaderValue,
    legacy: bool,
}

fn compile(entry: &PolicyEntry, compiling: &Compiling<'_>) -> Compiled {
    let settings: Settings = decode(&entry.settings)?;
    let length = micros(settings.per.value);
    let limit = settings.limit.value;
    let mut problems = Vec::new();
    let limits = [&settings.limit];
    if let Some(problem) = check_closed(limits, settings.deny_all.as_ref()) {
        problems.push(problem);
    }
    let by = By::read(settings.by.as_ref())
        .map_err(|problem| problems.push(problem))
        .ok();
    let id = entry.id.value.as_str();
    let mut windows = vec![Window { limit, length }];
    let mut names = vec![id.to_owned()];
    if length < SECOND {
        problems.push(too_short(&settings.per));
    }
    if let Some(burst) = &settings.burst {
        problems.extend(check_burst(burst, limit, length));
        windows.push(Window {
            limit: burst.get(),
            length: SECOND,
        });
        names.push(format!("{id}-burst"));
    }
    let further = settings.also.as_ref();
    if let Some(also) = further.filter(|also| also.len() > MOST_FURTHER) {
        let message = format!("more than {MOST_FURTHER} further windows");
        problems.push(Problem::new(&also.span, message).help("write those that callers meet"));
    }
    for window in further.into_iter().flat_map(|also| also.iter()) {
        let length = micros(window.per.value);
        if length < SECOND {
            problems.push(too_short(&window.per));
        }
        if windows.iter().any(|known| known.length == length) {
            let message = format!("another window is `{}` long as well", window.per.value);
            let problem = Problem::new(&window.per.span, message);
            problems.push(problem.help("write each length once; the smaller limit counts"));
        }
        windows.push(Window {
            limit: window.limit.get(),
            length,
        });
        names.push(format!("{id}-{}", window.per.value));
    }
    let items: Vec<String> = names
        .iter()
        .zip(&windows)
        .map(|(name, window)| policy_item(name, window.limit, window.length))
        .collect();
    match (by, HeaderValue::from_str(&items.join(", "))) {
        (Some(by), Ok(policy_field)) if problems.is_empty() => Ok(Box::new(RateLimit {
            uid: compiling.uid(&entry.id),
            windows,
            names,
            by,
            policy_field,
            legacy: settings.legacy_headers,
        })),
        _ => Err(problems),
    }
}

fn micros(length: Duration) -> u64 {
    u64::try_from(length.get().as_micros()).unwrap_or(u64::MAX)
}

fn too_short(per: &Spanned<Duration>) -> Problem {
    Problem::new(&per.span, "the window is shorter than one second")
        .help("write `per: 1s` or longer")
}

fn check_burst(burst: &Spanned<NonZeroU64>, limit: u64, length: u64) -> Option<Problem> {
    let number = burst.value;
    if length == SECOND {
        let message = "`burst` is for one second, and so is `limit`";
        let problem = Problem::new(&burst.span, message);
        return Some(problem.help("leave `burst` out, or write a longer `per`"));
    }
    let is_larger = limit > 0 && burst.get() > limit;
    is_larger.then(|| {
        let message = format!("the burst {number} is larger than the limit {limit}");
        let help = format!("write at most {limit}, or leave `burst` out");
        Problem::new(&burst.span, message).help(help)
    })
}

impl RateLimit {
    /// The window that is closest to its end, which is the one a caller must know.
    fn tightest(usage: &[Usage]) -> Option<(usize, Usage)> {
        usage
            .iter()
            .copied()
            .enumerate()
            .min_by_key(|(_, usage)| (usage.allowed, usage.remaining, u64::MAX - usage.reset_after))
    }

    fn window_name(&self, at: usize) -> &str {
        self.names.get(at).map_or("", String::as_str)
    }

    fn tell<T>(
        &self,
        (at, usage): (usize, Usage),
        as_what: impl FnOnce(Option<HeaderValue>, Shown<'_>, bool) -> T,
    ) -> T {
        let shown = Shown {
            name: self.window_name(at),
            limit: self.windows.get(at).map_or(0, |window| window.limit),
            remaining: usage.remaining,
            reset_seconds: usage.reset_after.div_ceil(SECOND),
        };
        as_what(Some(self.policy_field.clone()), shown, self.legacy)
    }
}

impl Policy for RateLimit {
    fn complete_from(&self, start: Timestamp) -> Timestamp {
        let longest = self.windows.iter().map(|window| window.length).max();
        Timestamp(start.0.saturating_add(longest.unwrap_or_default()))
    }

    fn evaluate(&self, request: &RequestView<'_>, env: &mut Env<'_>) -> Verdict {
        if self.windows.first().is_none_or(|window| window.limit == 0) {
            return Verdict::deny(&CLOSED, "nobody may call this for now");
        }
        let caller = match self.by.key(request) {
            Ok(CallerKey(caller)) => caller,
            Err(why) => return Verdict::Undecided(why),
        };
        let usage = env.counters.take(self.uid, caller, &self.windows, env.now);
        let Some((at, tightest)) = Self::tightest(&usage) else {
            return Verdict::Undecided("no window".into());
        };
        if tightest.allowed {
            return Verdict::Allow(self.tell((at, tightest), usage_fields::edits));
        }
        // Every exhausted window must have room again before a retry can succeed.
        let exhausted = || usage.iter().enumerate().filter(|(_, usage)| !usage.allowed);
        let wait = exhausted()
            .map(|(_, usage)| usage.reset_after)
            .max()
            .unwrap_or(SECOND)
            .div_ceil(SECOND);
        let names: Vec<String> = exhausted()
            .map(|(at, _)| self.window_name(at).to_owned())
            .collect();
        let told = Usage {
            reset_after: wait * SECOND,
            ..tightest
        };
        let fields = self.tell((at, told), usage_fields::fields);
        Verdict::Deny(exceeded(&EXCEEDED, "limit", names, wait, fields))
    }
}
