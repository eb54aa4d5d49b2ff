//! # What it does
//! Gives each caller so many requests for an hour, a day, a week or a month of the calendar, or for a rolling time.
//!
//! # When to use
//! A plan includes a number of requests. Against bursts use `rate_limit` beside it.
//!
//! # Example
//! ```yaml
//! - { id: plan, kind: quota, by_plan: { gold: 100000, free: 1000 }, per: month, time_zone: Europe/Berlin }
//! ```
//!
//! # On failure
//! 429 with `Retry-After` and the `RateLimit` fields (draft-ietf-httpapi-ratelimit-headers-11); 403 for a caller whose plan is not
//! listed when there is no `limit` for the others. A refused request is not counted. A changed limit, or another plan, keeps the
//! usage already counted; so does a node that is started again. A limit of 0 with `deny_all: true` refuses every call with 403.

use http::HeaderValue;
use lockgate_config::{Entries, OnError, PolicyEntry, Problem, Spanned, decode};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::caller::{By, CallerKey};
use crate::counters::{Usage, Window};
use crate::env::Env;
use crate::period::{Period, Time};
use crate::plan_limits::PlanLimits;
use crate::policy::{Compiled, Compiling, Kind, Phase, Policy};
use crate::reason::Reason;
use crate::request::RequestView;
use crate::time::Timestamp;
use crate::usage_fields::{self, SECOND, Shown, check_closed, exceeded, policy_item};
use crate::verdict::{Effect, Effects, ResponseEdit, Verdict};

/// The catalogue entry.
pub static KIND: Kind = Kind {
    name: "quota",
    phase: Phase::Limit,
    about: "Gives each caller so many requests for a time of the calendar, by plan.",
    on_error: OnError::Deny,
    needs_identity: false,
    needs_prompt: false,
    reasons: &[&EXCEEDED, &NO_PLAN, &CLOSED],
    schema: Settings::json_schema,
    compile,
};

static EXCEEDED: Reason = Reason::new(
    "quota.exceeded",
    429,
    "Quota used up",
    "wait as long as `Retry-After` says, or ask the API's owner for a larger plan",
)
.under("https://iana.org/assignments/http-problem-types#quota-exceeded");

static NO_PLAN: Reason = Reason::new(
    "quota.no_plan",
    403,
    "Plan without requests",
    "ask the API's owner for a plan that includes this API",
);

static CLOSED: Reason = Reason::new(
    "quota.closed",
    403,
    "Closed",
    "ask the API's owner when calls are allowed again",
);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The most requests in `per`; beside `by_plan`, for callers on no plan of the list. 0 needs `deny_all`.
    limit: Option<Spanned<u64>>,
    /// The most requests by plan.
    by_plan: Option<Entries<Spanned<u64>>>,
    /// That a limit of 0, which refuses every call, is meant.
    deny_all: Option<Spanned<bool>>,
    /// The time the quota is for: `hour`, `day`, `week` (from Monday) or `month` of the calendar, or a rolling time such as `24h`.
    per: Spanned<Period>,
    /// The time zone of the calendar, such as `Europe/Berlin`; `UTC` by default.
    time_zone: Option<Spanned<String>>,
    /// Who is counted: `application` (the default; the address of callers who are not identified), `address`, `route`,
    /// `claim:NAME` or `cel:EXPRESSION`.
    by: Option<Spanned<String>>,
    /// Whether answers also carry `X-RateLimit-Limit`, `-Remaining` and `-Reset`.
    #[serde(default)]
    legacy_headers: bool,
}

#[derive(Debug)]
struct Quota {
    uid: u64,
    name: String,
    limits: PlanLimits,
    time: Time,
    by: By,
    legacy: bool,
}

fn compile(entry: &PolicyEntry, compiling: &Compiling<'_>) -> Compiled {
    let settings: Settings = decode(&entry.settings)?;
    let mut problems = Vec::new();
    let mut note = |problem| problems.push(problem);
    let by = By::read(settings.by.as_ref()).map_err(&mut note);
    let zone = settings.time_zone.as_ref();
    let time =
        Time::read(&settings.per, zone, "a rolling time has no time zone").map_err(&mut note);
    if settings.by_plan.is_none() && settings.limit.is_none() {
        note(
            Problem::new(&entry.span, "the quota has no limit")
                .help("write `limit: 1000` or `by_plan: { gold: 1000 }`"),
        );
    }
    let plans = settings.by_plan.iter().flatten().map(|plan| &plan.value);
    let limits = settings.limit.iter().chain(plans);
    if let Some(problem) = check_closed(limits, settings.deny_all.as_ref()) {
        note(problem);
    }
    match (by, time) {
        (Ok(by), Ok(time)) if problems.is_empty() => {
            let plans = settings.by_plan.iter().flatten();
            Ok(Box::new(Quota {
                uid: compiling.uid(&entry.id),
                name: entry.id.value.clone(),
                limits: PlanLimits::new(
                    plans.map(|plan| (plan.id.clone(), plan.value.value)),
                    settings.limit.map(|limit| limit.value),
                ),
                time,
                by,
                legacy: settings.legacy_headers,
            }))
        }
        _ => Err(problems),
    }
}

impl Quota {
    /// The use after this call, and the length of the window in microseconds.
    fn take(&self, caller: u64, limit: u64, env: &Env<'_>) -> Option<(Usage, u64)> {
        match &self.time {
            Time::Calendar(calendar) => {
                let window = calendar.window(env.now)?;
                let usage = env
                    .counters
                    .take_until(self.uid, caller, limit, window, env.now)?;
                Some((usage, window.end - window.start))
            }
            Time::Length(length) => {
                let window = Window {
                    limit,
                    length: *length,
                };
                let usage = env
                    .counters
                    .take_rolling(self.uid, caller, window, env.now)?;
                Some((usage, *length))
            }
        }
    }
}

impl Policy for Quota {
    fn complete_from(&self, start: Timestamp) -> Timestamp {
        match &self.time {
            Time::Calendar(calendar) => {
                Timestamp(calendar.window(start).map_or(start.0, |window| window.end))
            }
            Time::Length(length) => Timestamp(start.0.saturating_add(*length)),
        }
    }

    fn evaluate(&self, request: &RequestView<'_>, env: &mut Env<'_>) -> Verdict {
        let caller = match self.by.key(request) {
            Ok(CallerKey(caller)) => caller,
            Err(why) => return Verdict::Undecided(why),
        };
        let Some(limit) = self.limits.of(request) else {
            return Verdict::deny(&NO_PLAN, "the caller's plan has no requests to this API");
        };
        if limit == 0 {
            return Verdict::deny(&CLOSED, "nobody may call this for now");
        }
        let Some((usage, length)) = self.take(caller, limit, env) else {
            return Verdict::Undecided("the use cannot be counted".into());
        };
        let reset_seconds = usage.reset_after.div_ceil(SECOND);
        let shown = Shown {
            name: &self.name,
            limit,
            remaining: usage.remaining,
            reset_seconds,
        };
        let policy = HeaderValue::from_str(&policy_item(&self.name, limit, length)).ok();
        let fields = usage_fields::fields(policy, shown, self.legacy);
        if usage.allowed {
            let edits =
                fields.map(|(name, value)| Effect::Response(ResponseEdit::Add(name, value)));
            return Verdict::Allow(edits.collect::<Effects>());
        }
        let names = vec![self.name.clone()];
        Verdict::Deny(exceeded(&EXCEEDED, "quota", names, reset_seconds, fields))
    }
}
