//! # What it does
//! Gives each caller so much money for models for a day, a week or a month.
//!
//! # When to use
//! Calls to models cost money, and nobody shall spend more than was agreed.
//!
//! # Example
//! ```yaml
//! - { id: purse, kind: budget, limit: 50 USD, per: month, by: team }
//! - { id: trial, kind: budget, by_plan: { gold: 20 USD, free: 0.50 USD }, per: day }
//! ```
//!
//! # On failure
//! 429 with `Retry-After` and the `RateLimit` fields in millionths of a dollar; 403 for a caller whose plan is not listed when there
//! is no `limit`. A call reserves the most that it can cost and settles to what it cost, so calls that run at the same time cannot
//! overspend together. A call whose price nobody knows cannot be decided about: write the target's `price`, or `on_error: allow`.

use lockgate_config::{Entries, Money, OnError, PolicyEntry, Problem, Spanned, decode};
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
    name: "budget",
    phase: Phase::Limit,
    about: "Gives each caller so much money for models, reserved before and settled after each call.",
    on_error: OnError::Deny,
    needs_identity: false,
    needs_prompt: true,
    reasons: &[&EXCEEDED, &NO_PLAN],
    schema: Settings::json_schema,
    compile,
};

static EXCEEDED: Reason = Reason::new(
    "budget.exceeded",
    429,
    "Budget used up",
    "wait as long as `Retry-After` says, ask for a shorter answer (`max_tokens`) or a cheaper model, or ask the API's owner for more",
)
.under("https://iana.org/assignments/http-problem-types#quota-exceeded");

static NO_PLAN: Reason = Reason::new(
    "budget.no_plan",
    403,
    "Plan without a budget",
    "ask the API's owner for a plan that includes this API",
);

static SAID: Said = Said {
    unit: Unit::Money,
    what: "budget",
    exceeded: &EXCEEDED,
    no_plan: (&NO_PLAN, "the caller's plan has no money for this API"),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The most money in `per`; beside `by_plan`, for callers on no plan of the list.
    limit: Option<Money>,
    /// The most money by plan.
    by_plan: Option<Entries<Money>>,
    /// The time the budget is for: `hour`, `day`, `week` or `month` of the calendar, or a time such as `1h`.
    per: Spanned<Period>,
    /// The time zone of the calendar, such as `Europe/Berlin`; `UTC` by default.
    time_zone: Option<Spanned<String>>,
    /// Who is counted: `application` (the default; the address of callers who are not identified), `team`, `model`, `address`,
    /// `route`, `claim:NAME` or `cel:EXPRESSION`.
    by: Option<Spanned<String>>,
}

#[derive(Debug)]
struct Budget {
    purse: Purse,
    prices: spending::Prices,
}

fn compile(entry: &PolicyEntry, compiling: &Compiling<'_>) -> Compiled {
    let settings: Settings = decode(&entry.settings)?;
    if settings.limit.is_none() && settings.by_plan.is_none() {
        return Err(vec![
            Problem::new(&entry.span, "the policy has no limit")
                .help("write `limit: 50 USD` or `by_plan: { gold: 50 USD }`"),
        ]);
    }
    let plans = settings.by_plan.iter().flatten();
    let purse = Purse::new(spending::Settings {
        uid: compiling.uid(&entry.id),
        name: &entry.id,
        by: settings.by.as_ref(),
        per: &settings.per,
        time_zone: settings.time_zone.as_ref(),
        limits: PlanLimits::new(
            plans.map(|plan| (plan.id.clone(), plan.value.micros())),
            settings.limit.map(Money::micros),
        ),
    });
    let purse = purse.map_err(|problem| vec![problem])?;
    Ok(Box::new(Budget {
        purse,
        prices: spending::Prices::of(compiling.document),
    }))
}

impl Policy for Budget {
    fn complete_from(&self, start: Timestamp) -> Timestamp {
        self.purse.complete_from(start)
    }

    fn evaluate(&self, request: &RequestView<'_>, env: &mut Env<'_>) -> Verdict {
        let Some(prompt) = request.prompt else {
            return Verdict::Undecided("what is asked was not read".into());
        };
        if !prompt.is_answered() {
            return Verdict::Pass;
        }
        let amount = match self.prices.of_call(prompt) {
            Ok(Some(amount)) => amount,
            Ok(None) => return Verdict::Undecided("nobody knows what the model costs".into()),
            Err(need) => return Verdict::Need(need),
        };
        self.purse.reserve((request, prompt), amount, &SAID, env)
    }
}
