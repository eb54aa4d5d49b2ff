//! # What it does
//! Gives each caller so many tokens of models for a minute, an hour, a day or a month.
//!
//! # When to use
//! A model has a limited rate, or a plan includes a number of tokens. For money use `budget`.
//!
//! # Example
//! ```yaml
//! - { id: rate, kind: token_limit, limit: 60000, per: 1m }
//! - { id: plan, kind: token_limit, by_plan: { gold: 5000000, free: 100000 }, per: month }
//! ```
//!
//! # On failure
//! 429 with `Retry-After` and the `RateLimit` fields; 403 for a caller whose plan is not listed when there is no `limit`. A call
//! reserves the most that it can take (what it sends, and the most that it asks for in answer) and settles to what it took, so calls
//! that run at the same time cannot take more than the limit together. A time such as `1m` is counted in windows that follow each
//! other; `hour`, `day`, `week` and `month` are those of the calendar.

use lockgate_config::{Entries, OnError, PolicyEntry, Problem, Spanned, decode};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::env::Env;
use crate::held::Unit;
use crate::period::Period;
use crate::plan_limits::PlanLimits;
use crate::policy::{Compiled, Compiling, Kind, Phase, Policy};
use crate::reason::Reason;
use crate::request::RequestView;
use crate::spending::{self, Purse, Said};
use crate::time::Timestamp;
use crate::verdict::Verdict;

/// The catalogue entry.
pub static KIND: Kind = Kind {
    name: "token_limit",
    phase: Phase::Limit,
    about: "Gives each caller so many tokens of models for a time, reserved before and settled after each call.",
    on_error: OnError::Deny,
    needs_identity: false,
    needs_prompt: true,
    reasons: &[&EXCEEDED, &NO_PLAN],
    schema: Settings::json_schema,
    compile,
};

static EXCEEDED: Reason = Reason::new(
    "token_limit.exceeded",
    429,
    "Tokens used up",
    "wait as long as `Retry-After` says, or ask for a shorter answer (`max_tokens`)",
)
.under("https://iana.org/assignments/http-problem-types#quota-exceeded");

static NO_PLAN: Reason = Reason::new(
    "token_limit.no_plan",
    403,
    "Plan without tokens",
    "ask the API's owner for a plan that includes this API",
);

static SAID: Said = Said {
    unit: Unit::Tokens,
    what: "token limit",
    exceeded: &EXCEEDED,
    no_plan: (&NO_PLAN, "the caller's plan has no tokens of this API"),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The most tokens in `per`; beside `by_plan`, for callers on no plan of the list.
    limit: Option<Spanned<u64>>,
    /// The most tokens by plan.
    by_plan: Option<Entries<Spanned<u64>>>,
    /// The time the limit is for: `hour`, `day`, `week` or `month` of the calendar, or a time such as `1m`.
    per: Spanned<Period>,
    /// The time zone of the calendar, such as `Europe/Berlin`; `UTC` by default.
    time_zone: Option<Spanned<String>>,
    /// Who is counted: `application` (the default; the address of callers who are not identified), `team`, `model`, `address`,
    /// `route`, `claim:NAME` or `cel:EXPRESSION`.
    by: Option<Spanned<String>>,
}

#[derive(Debug)]
struct TokenLimit {
    purse: Purse,
    most: spending::Answers,
}

fn compile(entry: &PolicyEntry, compiling: &Compiling<'_>) -> Compiled {
    let settings: Settings = decode(&entry.settings)?;
    let plans = settings.by_plan.iter().flatten();
    let written = plans.clone().map(|plan| &plan.value).chain(&settings.limit);
    let mut problems: Vec<Problem> = written
        .filter(|limit| limit.value == 0)
        .map(|limit| {
            Problem::new(&limit.span, "a limit of 0 refuses every call").help(
                "write how many tokens a caller has; `model_access` keeps callers from models",
            )
        })
        .collect();
    if settings.limit.is_none() && settings.by_plan.is_none() {
        problems.push(
            Problem::new(&entry.span, "the policy has no limit")
                .help("write `limit: 60000` or `by_plan: { gold: 60000 }`"),
        );
    }
    let purse = Purse::new(spending::Settings {
        uid: compiling.uid(&entry.id),
        name: &entry.id,
        by: settings.by.as_ref(),
        per: &settings.per,
        time_zone: settings.time_zone.as_ref(),
        limits: PlanLimits::new(
            plans.map(|plan| (plan.id.clone(), plan.value.value)),
            settings.limit.as_ref().map(|limit| limit.value),
        ),
    });
    match purse {
        Ok(purse) if problems.is_empty() => Ok(Box::new(TokenLimit {
            purse,
            most: spending::Answers::of(compiling.document),
        })),
        purse => {
            problems.extend(purse.err());
            Err(problems)
        }
    }
}

impl Policy for TokenLimit {
    fn complete_from(&self, start: Timestamp) -> Timestamp {
        self.purse.complete_from(start)
    }

    fn evaluate(&self, request: &RequestView<'_>, env: &mut Env<'_>) -> Verdict {
        let Some(prompt) = request.prompt else {
            return Verdict::Undecided("what is asked was not read".into());
        };
        let estimate = match self.most.of_call(prompt) {
            Ok(Some(estimate)) => estimate,
            Ok(None) => return Verdict::Pass,
            Err(need) => return Verdict::Need(need),
        };
        self.purse
            .reserve((request, prompt), estimate.total(), &SAID, env)
    }
}
