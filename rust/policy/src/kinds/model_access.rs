//! # What it does
//! Lets callers ask only those models that their application, or its plan, may ask.
//!
//! # When to use
//! Several models are served by one API, and some of them cost much or are on trial.
//!
//! # Example
//! ```yaml
//! - { id: models, kind: model_access, by_plan: { gold: [fast, best], free: [fast] } }
//! - { id: trial, kind: model_access, by_application: { search: [best] }, others: [fast] }
//! ```
//!
//! # On failure
//! 403 that names the models that the caller may ask. The list of models holds these alone. An application that is named counts by
//! its name, else by its plan, else as one of the others; without `others` they may ask none.

use lockgate_config::{Each, Entries, OnError, PolicyEntry, Problem, Spanned, decode};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::env::Env;
use crate::policy::{Compiled, Compiling, Kind, Phase, Policy};
use crate::reason::Reason;
use crate::request::RequestView;
use crate::verdict::{Effect, Verdict};

/// The catalogue entry.
pub static KIND: Kind = Kind {
    name: "model_access",
    phase: Phase::Authorize,
    about: "Lets callers ask only the models that their application or its plan may ask.",
    on_error: OnError::Deny,
    needs_identity: true,
    needs_prompt: true,
    reasons: &[&DENIED],
    schema: Settings::json_schema,
    compile,
};

static DENIED: Reason = Reason::new(
    "model_access.denied",
    403,
    "Model not allowed",
    "ask one of the models that `detail` names, or ask the API's owner for this one",
);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The models that an application may ask.
    by_application: Option<Entries<Each<Spanned<String>>>>,
    /// The models that applications on a plan may ask.
    by_plan: Option<Entries<Each<Spanned<String>>>>,
    /// The models that everybody else may ask; none by default.
    others: Option<Each<Spanned<String>>>,
}

type Listed = Vec<(String, Vec<String>)>;

#[derive(Debug)]
struct Access {
    applications: Listed,
    plans: Listed,
    others: Vec<String>,
}

fn compile(entry: &PolicyEntry, compiling: &Compiling<'_>) -> Compiled {
    let settings: Settings = decode(&entry.settings)?;
    let mut problems = Vec::new();
    if settings.by_application.is_none() && settings.by_plan.is_none() && settings.others.is_none()
    {
        problems.push(
            Problem::new(&entry.span, "the policy names nobody and no model")
                .help("write `by_plan: { gold: [fast] }`, `by_application` or `others: [fast]`"),
        );
    }
    let mut names = |list: &Each<Spanned<String>>| -> Vec<String> {
        for name in list.iter() {
            if compiling.document.models.get(name).is_none() {
                let known = compiling.document.models.ids();
                problems.push(Problem::unknown(&name.span, "model", name, &known));
            }
        }
        list.iter().map(|name| name.value.clone()).collect()
    };
    let mut listed = |entries: Option<&Entries<Each<Spanned<String>>>>| -> Listed {
        let entries = entries.into_iter().flatten();
        entries
            .map(|entry| (entry.id.clone(), names(&entry.value)))
            .collect()
    };
    let applications = listed(settings.by_application.as_ref());
    let plans = listed(settings.by_plan.as_ref());
    let others = settings.others.as_ref().map(&mut names);
    if problems.is_empty() {
        Ok(Box::new(Access {
            applications,
            plans,
            others: others.unwrap_or_default(),
        }))
    } else {
        Err(problems)
    }
}

impl Access {
    /// The models that the caller may ask.
    fn of(&self, request: &RequestView<'_>) -> &[String] {
        let identity = request.identity;
        let application = identity.and_then(|identity| identity.application.as_deref());
        let id = application.map(|application| &*application.id);
        let plan = application.and_then(|application| application.plan.as_deref());
        let found = find(&self.applications, id).or_else(|| find(&self.plans, plan));
        found.unwrap_or(&self.others)
    }
}

fn find<'a>(list: &'a Listed, name: Option<&str>) -> Option<&'a [String]> {
    let mut list = list.iter();
    let (_, models) = list.find(|(known, _)| Some(known.as_str()) == name)?;
    Some(models)
}

impl Policy for Access {
    fn evaluate(&self, request: &RequestView<'_>, _: &mut Env<'_>) -> Verdict {
        let Some(prompt) = request.prompt else {
            return Verdict::Undecided("what is asked was not read".into());
        };
        let allowed = self.of(request);
        match &prompt.model {
            Some(model) if allowed.iter().any(|known| **known == **model) => Verdict::allow(),
            Some(_) if allowed.is_empty() => {
                Verdict::deny(&DENIED, "the caller may ask no model of this API")
            }
            Some(_) => {
                let names = allowed.join("`, `");
                Verdict::deny(&DENIED, format!("the caller may ask `{names}`"))
            }
            None => Verdict::Allow([Effect::ListModels(allowed.into())].into_iter().collect()),
        }
    }
}
