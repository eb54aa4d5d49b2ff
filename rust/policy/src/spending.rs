//! What the kinds that limit tokens and money share: whom they count, for how long, and what a call reserves.

use std::borrow::Cow;
use std::collections::HashMap;

use http::HeaderValue;
use jiff::tz::TimeZone;
use lockgate_config::{Document, Problem, Spanned};
use lockgate_llm::{Estimate, ModelPrice};

use crate::caller::{By, CallerKey};
use crate::counters::{CalendarWindow, Usage, Wanted};
use crate::env::Env;
use crate::held::{Held, Unit};
use crate::period::{Calendar, Period};
use crate::policy::stable_hash;
use crate::price::price_of;
use crate::prompt::Prompt;
use crate::request::RequestView;
use crate::time::Timestamp;
use crate::usage_fields::{self, SECOND, Shown, policy_item};
use crate::verdict::{Effect, Effects, ResponseEdit};

/// Whom an amount is counted for, and over what time.
#[derive(Debug)]
pub(crate) struct Purse {
    uid: u64,
    name: String,
    by: Whom,
    time: Time,
    limit: Option<u64>,
    plans: Vec<(String, u64)>,
}

#[derive(Debug)]
enum Whom {
    Caller(By),
    Model,
    Team,
}

#[derive(Debug)]
enum Time {
    Calendar(Calendar),
    /// Windows of so many microseconds that follow each other.
    Following(u64),
}

/// What a purse is made from.
pub(crate) struct Settings<'a> {
    pub uid: u64,
    pub name: &'a str,
    pub by: Option<&'a Spanned<String>>,
    pub per: &'a Spanned<Period>,
    pub time_zone: Option<&'a Spanned<String>>,
    pub limit: Option<u64>,
    pub plans: Vec<(String, u64)>,
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
    pub(crate) fn of_call(&self, prompt: &Prompt) -> Option<Estimate> {
        let most = *self.0.get(&**prompt.model.as_ref()?)?;
        prompt.estimate(most)
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
                targets.map(|target| price_of(target)).collect(),
            )
        });
        Self {
            answers: Answers::of(document),
            targets: targets.collect(),
        }
    }

    /// The most that a call can cost, whoever answers; `None` when that is not known of one of them.
    pub(crate) fn of_call(&self, prompt: &Prompt) -> Option<u64> {
        let estimate = self.answers.of_call(prompt)?;
        let prices = self.targets.get(&**prompt.model.as_ref()?)?.as_ref()?;
        prices.iter().map(|price| price.worst_case(&estimate)).max()
    }
}

/// What became of a reservation.
pub(crate) enum Reserved {
    /// It is held.
    Held(Effects),
    /// There is not so much left.
    UsedUp {
        wait_seconds: u64,
        fields: Vec<(http::HeaderName, HeaderValue)>,
    },
    /// The caller's plan has no limit here.
    NoPlan,
    /// It cannot be counted.
    Undecided(Cow<'static, str>),
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
            time: time(settings.per, settings.time_zone)?,
            limit: settings.limit,
            plans: settings.plans,
        })
    }

    /// From when on its counts are complete, when counting began at `start`.
    pub(crate) fn complete_from(&self, start: Timestamp) -> Timestamp {
        Timestamp(self.window(start).map_or(start.0, |window| window.end))
    }

    /// Holds `amount` for a call.
    pub(crate) fn reserve(
        &self,
        (request, prompt): (&RequestView<'_>, &Prompt),
        (unit, amount): (Unit, u64),
        env: &Env<'_>,
    ) -> Reserved {
        let caller = match self.key(request, prompt) {
            Ok(CallerKey(caller)) => caller,
            Err(why) => return Reserved::Undecided(why),
        };
        let Some(limit) = self.limit(request) else {
            return Reserved::NoPlan;
        };
        let Some(span) = self.window(env.now) else {
            return Reserved::Undecided("the calendar has no such time".into());
        };
        let wanted = Wanted {
            limit,
            span,
            amount,
        };
        match env.counters.reserve(self.uid, caller, wanted, env.now) {
            None => Reserved::Undecided("the use cannot be counted".into()),
            Some((usage, None)) => Reserved::UsedUp {
                wait_seconds: usage.reset_after.div_ceil(SECOND),
                fields: self.fields(usage, limit, span).collect(),
            },
            Some((usage, Some(reservation))) => {
                let mut effects = Effects::new();
                effects.push(Effect::Reserve(Held::new(unit, reservation)));
                let fields = self.fields(usage, limit, span);
                effects.extend(
                    fields.map(|(name, value)| Effect::Response(ResponseEdit::Add(name, value))),
                );
                Reserved::Held(effects)
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

    fn limit(&self, request: &RequestView<'_>) -> Option<u64> {
        let application = request
            .identity
            .and_then(|identity| identity.application.as_deref());
        let plan = application.and_then(|application| application.plan.as_deref());
        let by_plan = plan.and_then(|plan| self.plans.iter().find(|(name, _)| name == plan));
        by_plan.map(|(_, limit)| *limit).or(self.limit)
    }

    fn window(&self, now: Timestamp) -> Option<CalendarWindow> {
        match &self.time {
            Time::Calendar(calendar) => calendar.window(now),
            Time::Following(length) => {
                let start = now.0.checked_sub(now.0 % length)?;
                let end = start.checked_add(*length)?;
                Some(CalendarWindow { start, end })
            }
        }
    }
}

fn time(per: &Spanned<Period>, zone: Option<&Spanned<String>>) -> Result<Time, Problem> {
    match (per.value, zone) {
        (Period::Calendar(unit), None) => Ok(Time::Calendar(Calendar::new(unit, TimeZone::UTC))),
        (Period::Calendar(unit), Some(name)) => {
            let zone = TimeZone::get(name).map_err(|_| {
                Problem::new(&name.span, format!("`{}` is not a time zone", name.value))
                    .help("write a name of the IANA database such as `Europe/Berlin`")
            })?;
            Ok(Time::Calendar(Calendar::new(unit, zone)))
        }
        (Period::Rolling(_), Some(name)) => Err(Problem::new(
            &name.span,
            "a time that is no unit of the calendar has no time zone",
        )
        .help("take `time_zone` out, or write `per: day`")),
        (Period::Rolling(length), None) => match length.as_millis().saturating_mul(1_000) {
            micros if micros >= SECOND => Ok(Time::Following(micros)),
            _ => Err(
                Problem::new(&per.span, "the window is shorter than one second")
                    .help("write `per: 1s` or longer"),
            ),
        },
    }
}
