//! What the kinds that limit tokens and money share: whom they count, for how long, and what a call reserves.

use std::borrow::Cow;
use std::collections::HashMap;

use http::HeaderValue;
use lockgate_config::{Document, Problem, Spanned};
use lockgate_llm::{Estimate, ModelPrice};

use crate::caller::{By, CallerKey};
use crate::counters::{CalendarWindow, Usage, Wanted};
use crate::env::Env;
use crate::held::{Held, Unit};
use crate::need::Need;
use crate::period::{Period, Time};
use crate::plan_limits::PlanLimits;
use crate::policy::stable_hash;
use crate::price::price_of;
use crate::prompt::Prompt;
use crate::reason::Reason;
use crate::request::RequestView;
use crate::time::Timestamp;
use crate::usage_fields::{self, SECOND, Shown, exceeded, policy_item};
use crate::verdict::{Effect, Effects, ResponseEdit, Verdict};

/// Whom an amount is counted for, and over what time.
#[derive(Debug)]
pub(crate) struct Purse {
    uid: u64,
    name: String,
    by: Whom,
    time: Time,
    limits: PlanLimits,
}

#[derive(Debug)]
enum Whom {
    Caller(By),
    Model,
    Team,
}

/// What a purse is made from.
pub(crate) struct Settings<'a> {
    pub uid: u64,
    pub name: &'a str,
    pub by: Option<&'a Spanned<String>>,
    pub per: &'a Spanned<Period>,
    pub time_zone: Option<&'a Spanned<String>>,
    pub limits: PlanLimits,
}

/// How long answers can be, by model.
#[derive(Debug)]
pub(crate) struct Answers(HashMap<String, u64>);

impl Answers {
    pub(crate) fn of(document: &Document) -> Self {
        let models = document.models.iter();
        let most = models.map(|entry| {
            let most = u64::from(entry.value.max_output_tokens.get());
            (entry.id.clone(), most)
        });
        Self(most.collect())
    }

    /// The most that a call can take; `None` for one that asks no model.
    ///
    /// # Errors
    /// What was not recorded of it.
    pub(crate) fn of_call(&self, prompt: &Prompt) -> Result<Option<Estimate>, Need> {
        let model = prompt.model.as_deref();
        match model.and_then(|model| self.0.get(model)) {
            Some(most) => prompt.estimate(*most),
            None => Ok(None),
        }
    }
}

/// What models cost.
#[derive(Debug)]
pub(crate) struct Prices {
    answers: Answers,
    targets: HashMap<String, Option<Vec<ModelPrice>>>,
}

impl Prices {
    pub(crate) fn of(document: &Document) -> Self {
        let models = document.models.iter();
        let targets = models.map(|entry| {
            let targets = entry.value.targets.iter();
            (
                entry.id.clone(),
                targets
                    .map(|target| price_of(target).map(|known| known.price))
                    .collect(),
            )
        });
        Self {
            answers: Answers::of(document),
            targets: targets.collect(),
        }
    }

    /// The most that a call can cost, whoever answers; `None` when that is not known of one of them.
    ///
    /// # Errors
    /// What was not recorded of it.
    pub(crate) fn of_call(&self, prompt: &Prompt) -> Result<Option<u64>, Need> {
        let estimate = self.answers.of_call(prompt)?;
        let prices = prompt.model.as_deref();
        let prices = prices.and_then(|model| self.targets.get(model)?.as_ref());
        let most = estimate.zip(prices).and_then(|(estimate, prices)| {
            let prices = prices.iter();
            prices.map(|price| price.worst_case(&estimate)).max()
        });
        Ok(most)
    }
}

/// What a kind says of its amounts.
pub(crate) struct Said {
    /// What they are of.
    pub unit: Unit,
    /// What is used up.
    pub what: &'static str,
    /// Why a call past the limit is refused.
    pub exceeded: &'static Reason,
    /// Why a caller without a limit is refused, and what it is told.
    pub no_plan: (&'static Reason, &'static str),
}

impl Purse {
    pub(crate) fn new(settings: Settings<'_>) -> Result<Self, Problem> {
        let by = match settings.by.map(|by| by.as_str()) {
            Some("model") => Whom::Model,
            Some("team") => Whom::Team,
            _ => Whom::Caller(By::read_beside(settings.by, &["team", "model"])?),
        };
        Ok(Self {
            uid: settings.uid,
            name: settings.name.to_owned(),
            by,
            // Windows of a length follow each other, from the beginning of 1970.
            time: Time::read(
                settings.per,
                settings.time_zone,
                "a time that is no unit of the calendar has no time zone",
            )?,
            limits: settings.limits,
        })
    }

    /// From when on its counts are complete, when counting began at `start`.
    pub(crate) fn complete_from(&self, start: Timestamp) -> Timestamp {
        Timestamp(self.window(start).map_or(start.0, |window| window.end))
    }

    /// Holds `amount` for a call, or refuses it.
    pub(crate) fn reserve(
        &self,
        (request, prompt): (&RequestView<'_>, &Prompt),
        amount: u64,
        said: &Said,
        env: &Env<'_>,
    ) -> Verdict {
        let caller = match self.key(request, prompt) {
            Ok(CallerKey(caller)) => caller,
            Err(why) => return Verdict::Undecided(why),
        };
        let Some(limit) = self.limits.of(request) else {
            let (reason, detail) = said.no_plan;
            return Verdict::deny(reason, detail);
        };
        let Some(span) = self.window(env.now) else {
            return Verdict::Undecided("the calendar has no such time".into());
        };
        let wanted = Wanted {
            limit,
            span,
            amount,
        };
        match env.counters.reserve(self.uid, caller, wanted, env.now) {
            None => Verdict::Undecided("the use cannot be counted".into()),
            Some((usage, None)) => {
                let names = vec![self.name.clone()];
                let wait_seconds = usage.reset_after.div_ceil(SECOND);
                let fields = self.fields(usage, limit, span);
                Verdict::Deny(exceeded(
                    said.exceeded,
                    said.what,
                    names,
                    wait_seconds,
                    fields,
                ))
            }
            Some((usage, Some(reservation))) => {
                let mut effects = Effects::new();
                effects.push(Effect::Reserve(Held::new(said.unit, reservation)));
                let fields = self.fields(usage, limit, span);
                effects.extend(
                    fields.map(|(name, value)| Effect::Response(ResponseEdit::Add(name, value))),
                );
                Verdict::Allow(effects)
            }
        }
    }

    fn fields(
        &self,
        usage: Usage,
        limit: u64,
        span: CalendarWindow,
    ) -> impl Iterator<Item = (http::HeaderName, HeaderValue)> + use<> {
        let shown = Shown {
            name: &self.name,
            limit,
            remaining: usage.remaining,
            reset_seconds: usage.reset_after.div_ceil(SECOND),
        };
        let policy = policy_item(&self.name, limit, span.end.saturating_sub(span.start));
        usage_fields::fields(HeaderValue::from_str(&policy).ok(), shown, false)
    }

    fn key(
        &self,
        request: &RequestView<'_>,
        prompt: &Prompt,
    ) -> Result<CallerKey, Cow<'static, str>> {
        let hashed = |what: &str, name: &str| CallerKey(stable_hash(&[what, name]));
        match &self.by {
            Whom::Caller(by) => by.key(request),
            // Names of models and teams come from the document.
            Whom::Model => {
                let model = prompt.model.as_deref();
                let model = model.ok_or("no model is asked")?;
                Ok(hashed("model", model))
            }
            Whom::Team => {
                let application = request
                    .identity
                    .and_then(|identity| identity.application.as_deref());
                let team = application.and_then(|application| application.team.as_deref());
                let team = team.ok_or("the caller belongs to no team")?;
                Ok(hashed("team", team))
            }
        }
    }

    fn window(&self, now: Timestamp) -> Option<CalendarWindow> {
        match &self.time {
            Time::Calendar(calendar) => calendar.window(now),
            Time::Length(length) => {
                let start = now.0.checked_sub(now.0 % length)?;
                let end = start.checked_add(*length)?;
                Some(CalendarWindow { start, end })
            }
        }
    }
}
